/*
 * regex_replace, regex_findall, regex_search: Python's regular expressions.
 */
#include "base/utf8.h"
#include "format/regex.h"
#include "template/filters/flt.h"
#include "template/text.h"

/* The subject as text (none and undefined are empty) and the compiled pattern. */
static int prepare(struct call *c, struct val pattern, bool ignorecase, bool multiline,
                   struct str *subject, const struct regex **re)
{
    struct val s = VAL_STR_LIT("");
    struct str p;
    unsigned flags =
        (ignorecase ? (unsigned)REGEX_ICASE : 0) | (multiline ? (unsigned)REGEX_MULTILINE : 0);

    if ((!val_is_none(c->self) && lib_text(c, c->self, &s) != 0) ||
        lib_need_text(c, pattern, "pattern", &p) != 0)
        return -1;
    *subject = val_text(s);
    return regex_cached(re, p, flags, c->e) != 0 ? lib_pass_error(c) : 0;
}

int flt_regex_replace(struct call *c, struct val *out)
{
    struct val arg[5] = {val_null(), VAL_STR_LIT(""), val_bool(false), val_bool(false), val_int(0)};
    const struct regex *re;
    struct str subject;
    struct val with;
    int64_t count;
    struct buf b;

    if (call_bind(c, "pattern,replacement=,ignorecase=,multiline=,count=", arg) != 0 ||
        prepare(c, arg[0], val_truth(arg[2]), val_truth(arg[3]), &subject, &re) != 0 ||
        lib_text(c, arg[1], &with) != 0 || lib_int(c, arg[4], &count) != 0)
        return -1;
    lib_buf(c, &b);
    if (regex_sub(re, val_text(with), subject,
                  count < 0           ? 0
                  : count > INT32_MAX ? INT32_MAX
                                      : (int)count,
                  &b, c->e) != 0)
        return lib_pass_error(c);
    return lib_finish(c, &b, 0, out);
}

static struct val group_text(const struct regex_match *m, int i, struct str subject,
                             struct val otherwise)
{
    if (i >= m->n_groups || m->group[i].from < 0)
        return otherwise;
    return val_str(str_slice(subject, (size_t)m->group[i].from, (size_t)m->group[i].to));
}

int flt_regex_findall(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_bool(false), val_bool(false)};
    const struct regex *re;
    struct str subject;
    struct regex_match m = {.n_groups = 0};
    int groups;
    int rc;

    if (call_bind(c, "pattern,multiline=,ignorecase=", arg) != 0 ||
        prepare(c, arg[0], val_truth(arg[2]), val_truth(arg[1]), &subject, &re) != 0)
        return -1;
    *out = val_list_new(c->a, 0);
    groups = regex_n_groups(re);
    while ((rc = regex_next(re, subject, &m, c->e)) == 1) {
        struct val row;

        if (groups <= 1) {
            val_list_add(*out, group_text(&m, groups, subject, VAL_STR_LIT("")));
            continue;
        }
        row = val_list_new(c->a, (size_t)groups);
        for (int i = 1; i <= groups; i++)
            val_list_add(row, group_text(&m, i, subject, VAL_STR_LIT("")));
        val_list_add(*out, row);
        if (vm_spend(c, 1) != 0)
            return -1;
    }
    return rc < 0 ? lib_pass_error(c) : 0;
}

/* Number of the group "\1", "\g<1>", "\g<name>" or 1 means; raises for others. */
static int group_number(struct call *c, const struct regex *re, struct val v, int *out)
{
    struct str s = val_text(v);
    int64_t n = -1;

    if (v.type == VAL_INT) {
        n = v.u.i;
    } else if (s.len > 4 && str_starts(s, STR("\\g<")) && s.p[s.len - 1] == '>') {
        s = str_slice(s, 3, s.len - 1);
        if (!text_is(s, TEXT_IS_DIGIT) || !str_to_int(s, &n))
            n = regex_group(re, s);
    } else if (s.len > 1 && s.p[0] == '\\' && !str_to_int(str_slice(s, 1, s.len), &n)) {
        n = -1;
    }
    if (n < 0 || n > regex_n_groups(re))
        return call_raise(c, TMPL_EXC_VALUE, "regex_search has no group %.*s",
                          STR_ARG(lib_repr(c, v)));
    *out = (int)n;
    return 0;
}

int flt_regex_search(struct call *c, struct val *out)
{
    bool multiline = false;
    bool ignorecase = false;
    const struct regex *re;
    struct str subject;
    struct regex_match m;
    struct val pattern = val_undef(NULL);
    const struct val *groups = c->n_pos > 0 ? c->pos + 1 : NULL;
    size_t n = c->n_pos > 0 ? c->n_pos - 1 : 0;
    int rc;

    for (size_t i = 0; i < c->n_kw; i++) {
        if (str_eq_c(c->kw[i].name, "multiline"))
            multiline = val_truth(c->kw[i].value);
        else if (str_eq_c(c->kw[i].name, "ignorecase"))
            ignorecase = val_truth(c->kw[i].value);
        else if (str_eq_c(c->kw[i].name, "pattern"))
            pattern = c->kw[i].value;
        else
            return call_raise(c, TMPL_EXC_TYPE,
                              "regex_search() got an unexpected keyword argument '%.*s'",
                              STR_ARG(c->kw[i].name));
    }
    if (c->n_pos > 0)
        pattern = c->pos[0];
    if (val_is_undef(pattern) && c->n_pos == 0)
        return call_raise(c, TMPL_EXC_TYPE,
                          "regex_search() missing 1 required positional argument: 'pattern'");
    if (prepare(c, pattern, ignorecase, multiline, &subject, &re) != 0)
        return -1;
    rc = regex_exec(re, subject, 0, &m, c->e);
    if (rc < 0)
        return lib_pass_error(c);
    *out = VAL_STR_LIT("");
    if (rc == 0)
        return 0;
    *out = group_text(&m, 0, subject, VAL_STR_LIT(""));
    if (n == 0)
        return 0;
    *out = val_list_new(c->a, n);
    for (size_t i = 0; i < n; i++) {
        int number = 0;

        if (group_number(c, re, groups[i], &number) != 0)
            return -1;
        val_list_add(*out, group_text(&m, number, subject, val_null()));
    }
    return 0;
}
