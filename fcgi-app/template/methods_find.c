/*
 * Methods of str that look for something (find, count, startswith ...) or cut (split, partition
 * ...).
 *
 * Positions are code points; for ASCII they are bytes, which saves the counting.
 */
#include "template/methods_find.h"
#include "template/text.h"

/* What find() and its sisters search: a needle in a part of the text. */
struct search {
    struct str needle;
    struct str part;
    int64_t from; /* code points before the part */
    bool outside; /* the part lies beyond the text: not even "" is found */
};

static struct str part_of(struct val self, int64_t from, int64_t to)
{
    struct str s = val_text(self);

    if ((self.flags & VAL_F_ASCII) != 0 || (from == 0 && to >= (int64_t)s.len))
        return str_slice(s, (size_t)from, (size_t)(to < from ? from : to));
    return text_slice(s, (size_t)from, (size_t)to);
}

/* Bind "sub, start, end". */
static int search_bind(struct call *c, struct val arg[3], struct search *out)
{
    int64_t len = (int64_t)lib_text_len(c->self);
    int64_t to;

    for (size_t i = 0; i < 3; i++)
        arg[i] = val_null();
    if (call_bind(c, "sub,start=,end=", arg) != 0 ||
        lib_bounds(c, arg[1], arg[2], len, &out->from, &to) != 0)
        return -1;
    out->outside = out->from > to;
    out->part = out->outside ? str_make("", 0) : part_of(c->self, out->from, to);
    return 0;
}

static int find(struct call *c, bool last, int64_t *at)
{
    struct val arg[3];
    struct search s;
    ptrdiff_t byte;

    if (search_bind(c, arg, &s) != 0 || lib_need_text(c, arg[0], "argument", &s.needle) != 0)
        return -1;
    byte = s.outside ? -1 : last ? text_rfind(s.part, s.needle) : str_find(s.part, s.needle);
    *at = byte < 0 ? -1 : s.from + (int64_t)utf8_len(str_make(s.part.p, (size_t)byte));
    return 0;
}

static int found_or_raise(struct call *c, bool last, bool raise, struct val *out)
{
    int64_t at;

    if (find(c, last, &at) != 0)
        return -1;
    if (at < 0 && raise)
        return call_raise(c, TMPL_EXC_VALUE, "substring not found");
    *out = val_int(at);
    return 0;
}

int pystr_find(struct call *c, struct val *out)
{
    return found_or_raise(c, false, false, out);
}

int pystr_index(struct call *c, struct val *out)
{
    return found_or_raise(c, false, true, out);
}

int pystr_rfind(struct call *c, struct val *out)
{
    return found_or_raise(c, true, false, out);
}

int pystr_rindex(struct call *c, struct val *out)
{
    return found_or_raise(c, true, true, out);
}

int pystr_count(struct call *c, struct val *out)
{
    struct val arg[3];
    struct search s;

    if (search_bind(c, arg, &s) != 0 || lib_need_text(c, arg[0], "argument", &s.needle) != 0)
        return -1;
    *out = val_int(s.outside ? 0 : (int64_t)text_count(s.part, s.needle));
    return 0;
}

static int affix(struct call *c, bool at_end, struct val *out)
{
    struct val arg[3];
    struct search s;

    if (search_bind(c, arg, &s) != 0)
        return -1;
    if (arg[0].type != VAL_STR && arg[0].type != VAL_TUPLE)
        return call_raise(c, TMPL_EXC_TYPE, "%s first arg must be str or a tuple of str, not %s",
                          c->name, val_type_name(arg[0]));
    *out = val_bool(!s.outside && lib_has_affix(val_str(s.part), arg[0], at_end));
    return 0;
}

int pystr_startswith(struct call *c, struct val *out)
{
    return affix(c, false, out);
}

int pystr_endswith(struct call *c, struct val *out)
{
    return affix(c, true, out);
}

/* ---- cutting --------------------------------------------------------------------------------- */

static int partition(struct call *c, bool last, struct val *out)
{
    struct val arg = val_null();
    struct str s = val_text(c->self);
    struct str sep;
    ptrdiff_t at;
    struct val parts = val_tuple_new(c->a, 3);

    if (call_bind(c, "sep", &arg) != 0 || str_arg(c, arg, "separator", &sep) != 0)
        return -1;
    if (sep.len == 0)
        return call_raise(c, TMPL_EXC_VALUE, "empty separator");
    at = last ? text_rfind(s, sep) : str_find(s, sep);
    if (at < 0) {
        struct val empty = lib_str(STR(""), c->self.flags);

        val_list_add(parts, last ? empty : c->self);
        val_list_add(parts, empty);
        val_list_add(parts, last ? c->self : empty);
    } else {
        val_list_add(parts, lib_str(str_slice(s, 0, (size_t)at), c->self.flags));
        val_list_add(parts, lib_str(str_make(s.p + at, sep.len), c->self.flags));
        val_list_add(parts, lib_str(str_slice(s, (size_t)at + sep.len, s.len), c->self.flags));
    }
    *out = parts;
    return 0;
}

int pystr_partition(struct call *c, struct val *out)
{
    return partition(c, false, out);
}

int pystr_rpartition(struct call *c, struct val *out)
{
    return partition(c, true, out);
}

static void split_blanks(struct val self, int64_t max, struct val list)
{
    struct str rest = val_text(self);
    struct str word;

    while (max != 0 && text_word_next(&rest, &word)) {
        val_list_add(list, lib_str(word, self.flags));
        max--;
    }
    rest = max == 0 ? text_strip(rest, NULL, TEXT_LEFT) : STR("");
    if (rest.len > 0)
        val_list_add(list, lib_str(rest, self.flags));
}

static void split_at(struct val self, struct str sep, int64_t max, struct val list)
{
    struct str rest = val_text(self);

    while (max-- != 0) {
        ptrdiff_t at = str_find(rest, sep);

        if (at < 0)
            break;
        val_list_add(list, lib_str(str_slice(rest, 0, (size_t)at), self.flags));
        rest = str_slice(rest, (size_t)at + sep.len, rest.len);
    }
    val_list_add(list, lib_str(rest, self.flags));
}

static void reverse(struct val list)
{
    struct val *items = list.u.list->items;
    size_t n = list.u.list->n;

    for (size_t i = 0; i < n / 2; i++) {
        struct val swap = items[i];

        items[i] = items[n - 1 - i];
        items[n - 1 - i] = swap;
    }
}

/* Last word of *rest, which then ends before it. */
static bool last_word(struct str *rest, struct str *word)
{
    struct str s = text_strip(*rest, NULL, TEXT_RIGHT);
    size_t from = s.len;

    if (s.len == 0)
        return false;
    while (from > 0) {
        size_t start = from - 1;
        const char *p;

        while (start > 0 && ((unsigned char)s.p[start] & 0xC0) == 0x80)
            start--;
        p = s.p + start;
        if (text_space(utf8_next(&p, s.p + s.len)))
            break;
        from = start;
    }
    *word = str_slice(s, from, s.len);
    *rest = str_slice(s, 0, from);
    return true;
}

static void rsplit_blanks(struct val self, int64_t max, struct val list)
{
    struct str rest = val_text(self);
    struct str word;

    while (max != 0 && last_word(&rest, &word)) {
        val_list_add(list, lib_str(word, self.flags));
        max--;
    }
    rest = max == 0 ? text_strip(rest, NULL, TEXT_RIGHT) : STR("");
    if (rest.len > 0)
        val_list_add(list, lib_str(rest, self.flags));
    reverse(list);
}

static void rsplit_at(struct val self, struct str sep, int64_t max, struct val list)
{
    struct str rest = val_text(self);

    while (max-- != 0) {
        ptrdiff_t at = text_rfind(rest, sep);

        if (at < 0)
            break;
        val_list_add(list, lib_str(str_slice(rest, (size_t)at + sep.len, rest.len), self.flags));
        rest = str_slice(rest, 0, (size_t)at);
    }
    val_list_add(list, lib_str(rest, self.flags));
    reverse(list);
}

static int split(struct call *c, bool from_right, struct val *out)
{
    struct val arg[2] = {val_null(), val_int(-1)};
    struct val list;
    struct str sep;
    int64_t max;

    if (call_bind(c, "sep=,maxsplit=", arg) != 0 || lib_int(c, arg[1], &max) != 0 ||
        vm_spend(c, c->self.len / 64) != 0)
        return -1;
    list = val_list_new(c->a, 0);
    *out = list;
    if (val_is(arg[0], VAL_NULL)) {
        if (from_right)
            rsplit_blanks(c->self, max, list);
        else
            split_blanks(c->self, max, list);
        return 0;
    }
    if (lib_need_text(c, arg[0], "separator", &sep) != 0)
        return -1;
    if (sep.len == 0)
        return call_raise(c, TMPL_EXC_VALUE, "empty separator");
    if (from_right)
        rsplit_at(c->self, sep, max, list);
    else
        split_at(c->self, sep, max, list);
    return 0;
}

int pystr_split(struct call *c, struct val *out)
{
    return split(c, false, out);
}

int pystr_rsplit(struct call *c, struct val *out)
{
    return split(c, true, out);
}

int pystr_splitlines(struct call *c, struct val *out)
{
    struct val keep = val_bool(false);
    struct str rest = val_text(c->self);
    struct str line;
    struct str ending;
    struct val list;

    if (call_bind(c, "keepends=", &keep) != 0)
        return -1;
    list = val_list_new(c->a, 0);
    while (text_line(&rest, &line, &ending)) {
        if (val_truth(keep))
            line.len += ending.len;
        val_list_add(list, lib_str(line, c->self.flags));
    }
    *out = list;
    return 0;
}
