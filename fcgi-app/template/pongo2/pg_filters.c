/*
 * The table of pongo2's filters, and those that convert and choose values.
 */
#include "template/pongo2/pg_flt.h"

#include <math.h>

#include "template/datetime.h"

enum { DECIMALS_MAX = 1000 };

/* ---- the table --------------------------------------------------------------------------------
 */

static const struct filter_def rows[] = {
#define PG_FILTER(name, fn) {name, pg_flt_##fn, INPUT_ANY, false},
#define PG_EXTRA(name) {name, NULL, INPUT_ANY, false},
#include "template/pongo2/pg_filters.def"
#undef PG_FILTER
#undef PG_EXTRA
};

const struct filter_def *pg_filter_find(struct str name)
{
    const struct filter_def *row = lib_table_find(rows, COUNT_OF(rows), sizeof rows[0], name);

    return row != NULL && row->fn == NULL ? filter_find(name) : row;
}

int pg_count(struct call *c, int64_t n, int64_t max)
{
    if (n > max)
        return call_raise(c, TMPL_EXC_LIMIT, "%s: %lld is too large", c->name, (long long)n);
    return n > 0 ? vm_spend(c, n / 64) : 0;
}

/* ---- choosing ---------------------------------------------------------------------------------
 */

static int give(struct val v, struct val *out)
{
    *out = v;
    return 0;
}

static bool truth(struct val v)
{
    return !val_is_none(v) && val_truth(v);
}

int pg_flt_default(struct call *c, struct val *out)
{
    return give(truth(c->self) ? c->self : pg_arg(c), out);
}

int pg_flt_default_if_none(struct call *c, struct val *out)
{
    return give(val_is_none(c->self) ? pg_arg(c) : c->self, out);
}

int pg_flt_safe(struct call *c, struct val *out)
{
    return give(c->self, out);
}

static struct val or_empty(struct call *c, int64_t i)
{
    return pg_can_slice(c->self) && pg_len(c->self) > 0 ? pg_index(c->self, i) : val_str(STR(""));
}

int pg_flt_first(struct call *c, struct val *out)
{
    return give(or_empty(c, 0), out);
}

int pg_flt_last(struct call *c, struct val *out)
{
    return give(or_empty(c, pg_len(c->self) - 1), out);
}

int pg_flt_random(struct call *c, struct val *out)
{
    int64_t n = pg_can_slice(c->self) ? pg_len(c->self) : 0;

    return give(n > 0 ? pg_index(c->self, (int64_t)lib_random_below(c, (uint64_t)n)) : c->self,
                out);
}

int pg_flt_length(struct call *c, struct val *out)
{
    return give(val_int(pg_len(c->self)), out);
}

int pg_flt_length_is(struct call *c, struct val *out)
{
    return give(val_bool(pg_len(c->self) == pg_int(pg_arg(c))), out);
}

int pg_flt_yesno(struct call *c, struct val *out)
{
    struct str rest = pg_arg_text(c);
    struct str words[3] = {STR("yes"), STR("no"), STR("maybe")};
    size_t n = 0;

    while (rest.p != NULL && rest.len > 0 && n < 4) {
        bool more = str_find_char(rest, ',') >= 0;
        struct str word = str_cut(&rest, ',');

        if (n < 3)
            words[n] = word;
        n++;
        if (more && rest.len == 0) { /* an empty last word counts */
            if (n < 3)
                words[n] = STR("");
            n++;
        }
    }
    if (n == 1 || n > 3)
        return call_raise(c, TMPL_EXC_FILTER, "yesno takes 2 or 3 words, not %zu", n);
    return give(val_str(words[val_is_none(c->self) ? 2 : truth(c->self) ? 0 : 1]), out);
}

/* from:to of a text, each a number or nothing. */
int pg_flt_slice(struct call *c, struct val *out)
{
    struct str to = pg_arg_text(c);
    int64_t len = pg_len(c->self);
    ptrdiff_t colon = str_find_char(to, ':');
    struct str from = str_cut(&to, ':');
    int64_t i = pg_int(val_str(from));
    int64_t j = str_trim(to).len > 0 ? pg_int(val_str(to)) : len;

    if (colon < 0 || str_find_char(to, ':') >= 0)
        return call_raise(c, TMPL_EXC_FILTER, "slice wants from:to, either side may be empty");
    if (!pg_can_slice(c->self))
        return give(c->self, out);
    text_bounds(len, &i, &j);
    if (j < i)
        j = i;
    if (c->self.type == VAL_STR)
        return give(lib_str(text_slice(val_text(c->self), (size_t)i, (size_t)j),
                            c->self.flags & VAL_F_ASCII),
                    out);
    *out = val_list_new(c->a, (size_t)(j - i));
    for (; i < j; i++)
        val_list_add(*out, val_at(c->self, (size_t)i));
    return vm_spend(c, (int64_t)val_count(*out));
}

int pg_flt_join(struct call *c, struct val *out)
{
    struct str sep = pg_arg_text(c);
    int64_t n = pg_len(c->self);
    struct iter it;
    struct val item;
    bool first = true;
    struct buf b;
    int rc;

    if (!pg_can_slice(c->self))
        return give(c->self, out);
    if (vm_spend(c, n) != 0 || iter_init(c, c->self, &it) != 0)
        return -1;
    lib_buf(c, &b);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (!first)
            buf_add_str(&b, sep);
        first = false;
        pg_to_text(item, &b);
    }
    return rc != 0 ? -1 : lib_finish(c, &b, 0, out);
}

int pg_flt_make_list(struct call *c, struct val *out)
{
    struct val text = val_str(pg_self_text(c));

    if (vm_spend(c, (int64_t)text.len) != 0)
        return -1;
    return iter_list(c, text, out);
}

int pg_flt_split(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    struct str sep = pg_arg_text(c);

    if (vm_spend(c, (int64_t)rest.len / 16) != 0)
        return -1;
    if (sep.len == 0)
        return iter_list(c, val_str(rest), out);
    *out = val_list_new(c->a, 4);
    for (;;) {
        ptrdiff_t at = str_find(rest, sep);

        if (at < 0)
            break;
        val_list_add(*out, val_str(str_slice(rest, 0, (size_t)at)));
        rest = str_slice(rest, (size_t)at + sep.len, rest.len);
    }
    val_list_add(*out, val_str(rest));
    return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

int pg_flt_integer(struct call *c, struct val *out)
{
    return give(c->self.type == VAL_BIGINT ? c->self : val_int(pg_int(c->self)), out);
}

int pg_flt_float(struct call *c, struct val *out)
{
    return give(val_float(pg_float(c->self)), out);
}

int pg_flt_add(struct call *c, struct val *out)
{
    struct val x = c->self;
    struct val y = pg_arg(c);

    if (!pg_is_number(x) || !pg_is_number(y)) {
        x = val_str(pg_text(x, c->a));
        y = val_str(pg_text(y, c->a));
    }
    return pg_binary(c->vm, PG_ADD, x, y, out);
}

int pg_flt_divisibleby(struct call *c, struct val *out)
{
    int64_t by = pg_int(pg_arg(c));

    return give(val_bool(by != 0 && (by == -1 || pg_int(c->self) % by == 0)), out);
}

/* No argument, a negative one or 0: zeros behind the point are left away. */
int pg_flt_floatformat(struct call *c, struct val *out)
{
    struct val arg = pg_arg(c);
    int64_t decimals = val_is_none(arg) ? -1 : pg_int(arg);
    bool trims = !pg_is_number(arg) || decimals <= 0;
    double f = pg_float(c->self);
    struct buf b;

    if (decimals < 0)
        decimals = decimals < -DECIMALS_MAX ? DECIMALS_MAX + 1 : -decimals;
    if (pg_count(c, decimals, DECIMALS_MAX) != 0)
        return -1;
    if (trims && f == trunc(f) && fabs(f) < 0x1p63)
        return pg_flt_integer(c, out);
    if (!isfinite(f))
        return give(val_str(pg_text(val_float(f), c->a)), out);
    lib_buf(c, &b);
    buf_addf(&b, "%.*f", (int)decimals, f);
    return lib_finish(c, &b, VAL_F_ASCII, out);
}

int pg_flt_get_digit(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    int64_t i = pg_int(pg_arg(c));

    if (i <= 0 || i > (int64_t)s.len)
        return give(c->self, out);
    return give(val_int((unsigned char)(s.p[s.len - (size_t)i] - '0')), out);
}

int pg_flt_pluralize(struct call *c, struct val *out)
{
    struct str rest = pg_arg_text(c);
    bool one = pg_is_number(c->self) && pg_int(c->self) == 1;
    ptrdiff_t comma = str_find_char(rest, ',');
    struct str first = str_cut(&rest, ',');

    if (!pg_is_number(c->self))
        return call_raise(c, TMPL_EXC_FILTER, "pluralize wants a number, not %s",
                          val_type_name(c->self));
    if (str_find_char(rest, ',') >= 0)
        return call_raise(c, TMPL_EXC_FILTER, "pluralize takes one or two endings");
    if (first.len == 0 && comma < 0)
        first = STR("s");
    if (comma < 0)
        return give(val_str(one ? STR("") : first), out);
    return give(val_str(one ? first : rest), out);
}

/* ---- formats ----------------------------------------------------------------------------------
 */

int pg_flt_stringformat(struct call *c, struct val *out)
{
    return pg_sprintf(c, pg_arg_text(c), c->self, out);
}

int pg_flt_date(struct call *c, struct val *out)
{
    struct buf b;

    if (!dt_is(c->self))
        return call_raise(c, TMPL_EXC_FILTER, "%s wants a date or time, not %s", c->name,
                          val_type_name(c->self));
    lib_buf(c, &b);
    pg_time_format(dt_of(c->self), pg_arg_text(c), &b);
    return lib_finish(c, &b, 0, out);
}
