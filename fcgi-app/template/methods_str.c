/*
 * Methods of str that make texts: case, padding, stripping, joining, formatting.  Those that look
 * for something or cut stand in methods_find.c.
 *
 * On markup they give markup and escape the texts they are given, as markupsafe's do.
 */
#include "template/methods_find.h"
#include "template/text.h"

/* A text argument; on markup it is escaped first. */
int str_arg(struct call *c, struct val v, const char *what, struct str *out)
{
    if (lib_is_markup(c->self) && v.type == VAL_STR && lib_escape(c, v, &v) != 0)
        return -1;
    return lib_need_text(c, v, what, out);
}

static int in_case(struct call *c, enum text_case how, uint8_t keep, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : lib_case(c, c->self, (int)how, keep, out);
}

#define KEEP (VAL_F_MARKUP | VAL_F_ASCII)

static int pystr_capitalize(struct call *c, struct val *out)
{
    return in_case(c, TEXT_CAPITALIZE, KEEP, out);
}

static int pystr_casefold(struct call *c, struct val *out)
{
    return in_case(c, TEXT_FOLD, VAL_F_ASCII, out);
}

static int pystr_lower(struct call *c, struct val *out)
{
    return in_case(c, TEXT_LOWER, KEEP, out);
}

static int pystr_swapcase(struct call *c, struct val *out)
{
    return in_case(c, TEXT_SWAP, KEEP, out);
}

static int pystr_title(struct call *c, struct val *out)
{
    return in_case(c, TEXT_TITLE, KEEP, out);
}

static int pystr_upper(struct call *c, struct val *out)
{
    return in_case(c, TEXT_UPPER, KEEP, out);
}

/* ---- classes ------------------------------------------------------------------------------- */

static int is(struct call *c, enum text_class what, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = val_bool(text_is(val_text(c->self), what));
    return 0;
}

#define IS(name, what)                                                                             \
    static int pystr_##name(struct call *c, struct val *out)                                       \
    {                                                                                              \
        return is(c, what, out);                                                                   \
    }

IS(isalnum, TEXT_IS_ALNUM)
IS(isalpha, TEXT_IS_ALPHA)
IS(isascii, TEXT_IS_ASCII)
IS(isdecimal, TEXT_IS_DECIMAL)
IS(isdigit, TEXT_IS_DIGIT)
IS(isidentifier, TEXT_IS_IDENTIFIER)
IS(islower, TEXT_IS_LOWER)
IS(isnumeric, TEXT_IS_NUMERIC)
IS(isprintable, TEXT_IS_PRINTABLE)
IS(isspace, TEXT_IS_SPACE)
IS(istitle, TEXT_IS_TITLE)
IS(isupper, TEXT_IS_UPPER)

/* ---- padding -------------------------------------------------------------------------------- */

static int pad(struct call *c, bool left, bool right, struct val *out)
{
    struct val arg[2] = {val_null(), VAL_STR_LIT(" ")};
    struct str fill;
    size_t len = lib_text_len(c->self);
    int64_t width;
    size_t n;
    size_t before;
    struct buf b;

    if (call_bind(c, "width,fillchar=", arg) != 0 || lib_int(c, arg[0], &width) != 0)
        return -1;
    if (arg[1].type != VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE,
                          "The fill character must be a unicode character, not %s",
                          val_type_name(arg[1]));
    if (str_arg(c, arg[1], "fillchar", &fill) != 0)
        return -1;
    if (utf8_len(fill) != 1)
        return call_raise(c, TMPL_EXC_TYPE,
                          "The fill character must be exactly one character long");
    if (width < 0 || (size_t)width <= len) {
        *out = c->self;
        return 0;
    }
    if (vm_memory(c, (uint64_t)width * fill.len) != 0)
        return -1;
    n = (size_t)width - len;
    before = left && right ? n / 2 + (n & (size_t)width & 1) : left ? n : 0;
    lib_buf(c, &b);
    text_fill(fill, before, &b);
    buf_add_str(&b, val_text(c->self));
    text_fill(fill, n - before, &b);
    return lib_finish(c, &b, c->self.flags & VAL_F_MARKUP, out);
}

static int pystr_center(struct call *c, struct val *out)
{
    return pad(c, true, true, out);
}

static int pystr_ljust(struct call *c, struct val *out)
{
    return pad(c, false, true, out);
}

static int pystr_rjust(struct call *c, struct val *out)
{
    return pad(c, true, false, out);
}

static int pystr_zfill(struct call *c, struct val *out)
{
    struct val arg = val_null();
    struct str s = val_text(c->self);
    size_t len = lib_text_len(c->self);
    size_t sign = s.len > 0 && (s.p[0] == '+' || s.p[0] == '-');
    int64_t width;
    struct buf b;

    if (call_bind(c, "width", &arg) != 0 || lib_int(c, arg, &width) != 0)
        return -1;
    if (width < 0 || (size_t)width <= len) {
        *out = c->self;
        return 0;
    }
    if (vm_memory(c, (uint64_t)width) != 0)
        return -1;
    lib_buf(c, &b);
    buf_add(&b, s.p, sign);
    text_fill(STR("0"), (size_t)width - len, &b);
    buf_add(&b, s.p + sign, s.len - sign);
    return lib_finish(c, &b, c->self.flags, out);
}

static int pystr_expandtabs(struct call *c, struct val *out)
{
    struct val arg = val_int(8);
    struct str s = val_text(c->self);
    const char *end = s.p + s.len;
    int64_t size;
    int64_t column = 0;
    struct buf b;

    if (call_bind(c, "tabsize=", &arg) != 0 || lib_int(c, arg, &size) != 0)
        return -1;
    if (size > 0 &&
        vm_memory(c, (uint64_t)(size < 1000 ? 0 : size) * text_count(s, STR("\t"))) != 0)
        return -1;
    lib_buf(c, &b);
    for (const char *p = s.p; p < end;) {
        const char *from = p;
        uint32_t cp = utf8_next(&p, end);

        if (cp == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;

            text_fill(STR(" "), (size_t)n, &b);
            column += n;
            continue;
        }
        column = cp == '\n' || cp == '\r' ? 0 : column + 1;
        buf_add(&b, from, (size_t)(p - from));
    }
    return lib_finish(c, &b, c->self.flags, out);
}

/* ---- stripping ------------------------------------------------------------------------------ */

static int strip(struct call *c, unsigned sides, struct val *out)
{
    struct val arg = val_null();
    struct str chars;
    const struct str *set = NULL;

    if (call_bind(c, "chars=", &arg) != 0)
        return -1;
    if (!val_is(arg, VAL_NULL)) {
        if (arg.type != VAL_STR)
            return call_raise(c, TMPL_EXC_TYPE, "strip arg must be None or str");
        if (str_arg(c, arg, "strip arg", &chars) != 0)
            return -1;
        set = &chars;
    }
    *out = lib_str(text_strip(val_text(c->self), set, sides), c->self.flags);
    return 0;
}

static int pystr_strip(struct call *c, struct val *out)
{
    return strip(c, TEXT_BOTH, out);
}

static int pystr_lstrip(struct call *c, struct val *out)
{
    return strip(c, TEXT_LEFT, out);
}

static int pystr_rstrip(struct call *c, struct val *out)
{
    return strip(c, TEXT_RIGHT, out);
}

static int pystr_removeprefix(struct call *c, struct val *out)
{
    struct val arg = val_null();
    struct str s = val_text(c->self);
    struct str affix;

    if (call_bind(c, "prefix", &arg) != 0 ||
        lib_need_text(c, arg, "removeprefix() argument", &affix) != 0)
        return -1;
    *out = lib_str(str_starts(s, affix) ? str_slice(s, affix.len, s.len) : s,
                   c->self.flags & VAL_F_ASCII);
    return 0;
}

static int pystr_removesuffix(struct call *c, struct val *out)
{
    struct val arg = val_null();
    struct str s = val_text(c->self);
    struct str affix;

    if (call_bind(c, "suffix", &arg) != 0 ||
        lib_need_text(c, arg, "removesuffix() argument", &affix) != 0)
        return -1;
    *out = lib_str(str_ends(s, affix) ? str_slice(s, 0, s.len - affix.len) : s,
                   c->self.flags & VAL_F_ASCII);
    return 0;
}

/* ---- putting together --------------------------------------------------------------------------
 */

static int pystr_join(struct call *c, struct val *out)
{
    struct val arg = val_null();
    struct str sep = val_text(c->self);
    bool markup = lib_is_markup(c->self);
    uint8_t flags = c->self.flags;
    struct iter it;
    struct val item;
    struct buf b;
    size_t i = 0;
    int rc;

    if (call_bind(c, "iterable", &arg) != 0)
        return -1;
    if (arg.type < VAL_STR && arg.type != VAL_UNDEF)
        return call_raise(c, TMPL_EXC_TYPE, "can only join an iterable");
    if (iter_init(c, arg, &it) != 0)
        return -1;
    lib_buf(c, &b);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (markup && lib_escape(c, item, &item) != 0)
            return -1;
        if (item.type != VAL_STR)
            return call_raise(c, TMPL_EXC_TYPE,
                              "sequence item %zu: expected str instance, %s found", i,
                              item.type == VAL_UNDEF ? "Undefined" : val_type_name(item));
        if (i++ > 0)
            buf_add_str(&b, sep);
        flags &= item.flags;
        buf_add_str(&b, val_text(item));
    }
    return rc < 0 ? -1
                  : lib_finish(c, &b,
                               (uint8_t)((flags & VAL_F_ASCII) | (markup ? VAL_F_MARKUP : 0)), out);
}

static int pystr_replace(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_null(), val_int(-1)};
    struct str old;
    struct str with;
    int64_t max;
    struct buf b;

    if (call_bind(c, "old,new,count=", arg) != 0 ||
        str_arg(c, arg[0], "replace() argument 1", &old) != 0 ||
        str_arg(c, arg[1], "replace() argument 2", &with) != 0 || lib_int(c, arg[2], &max) != 0)
        return -1;
    lib_buf(c, &b);
    text_replace(val_text(c->self), old, with, max, &b);
    return lib_finish(c, &b, c->self.flags & VAL_F_MARKUP, out);
}

static int pystr_format(struct call *c, struct val *out)
{
    return py_format(c, val_text(c->self), out);
}

static int pystr_format_map(struct call *c, struct val *out)
{
    struct val arg = val_null();
    struct call sub = *c;
    struct val key;
    struct val value;
    struct kwarg *kw;
    size_t n;

    if (call_bind(c, "mapping", &arg) != 0)
        return -1;
    n = val_is(arg, VAL_DICT) ? val_count(arg) : 0;
    kw = ARENA_ARRAY(c->a, struct kwarg, n);
    sub.pos = NULL;
    sub.n_pos = 0;
    sub.kw = kw;
    sub.n_kw = 0;
    for (size_t i = 0; i < n && val_pair_at(arg, i, &key, &value); i++) {
        if (key.type == VAL_STR)
            kw[sub.n_kw++] = (struct kwarg){val_text(key), value};
    }
    return lib_format(&sub, val_text(c->self), true, out);
}

static int pystr_encode(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT("utf-8"), VAL_STR_LIT("strict")};
    struct str s = val_text(c->self);
    struct str name;
    const char *p = s.p;
    uint32_t max;
    struct buf b;

    if (call_bind(c, "encoding=,errors=", arg) != 0 ||
        lib_need_text(c, arg[0], "encoding", &name) != 0)
        return -1;
    if (str_ieq(name, STR("utf-8")) || str_ieq(name, STR("utf8"))) {
        *out = val_bytes(s);
        return 0;
    }
    max = str_ieq(name, STR("ascii"))                                         ? 0x7F
          : str_ieq(name, STR("latin-1")) || str_ieq(name, STR("iso-8859-1")) ? 0xFF
                                                                              : 0;
    if (max == 0)
        return call_raise(c, TMPL_EXC_VALUE, "unknown encoding: %.*s", STR_ARG(name));
    lib_buf(c, &b);
    for (size_t i = 0; p < s.p + s.len; i++) {
        uint32_t cp = utf8_next(&p, s.p + s.len);

        if (cp <= max)
            buf_putc(&b, (char)cp);
        else if (str_eq_c(val_text(arg[1]), "replace"))
            buf_putc(&b, '?');
        else if (!str_eq_c(val_text(arg[1]), "ignore"))
            return call_raise(c, TMPL_EXC_VALUE,
                              "'%.*s' codec can't encode character '\\u%04x' in position %zu: "
                              "ordinal not in range(%u)",
                              STR_ARG(name), cp, i, max + 1);
    }
    *out = val_bytes(buf_str(&b));
    return 0;
}

/* Deleted (none), replaced by a code point or by a text. */
static int pystr_translate(struct call *c, struct val *out)
{
    struct val table = val_null();
    struct str s = val_text(c->self);
    const char *p = s.p;
    struct buf b;
    char bytes[4];

    if (call_bind(c, "table", &table) != 0)
        return -1;
    if (!val_is(table, VAL_DICT))
        return call_raise(c, TMPL_EXC_TYPE, "'%s' object is not subscriptable",
                          val_type_name(table));
    lib_buf(c, &b);
    while (p < s.p + s.len) {
        const char *from = p;
        struct val to = val_get_val(table, val_int(utf8_next(&p, s.p + s.len)));

        if (val_is_undef(to))
            buf_add(&b, from, (size_t)(p - from));
        else if (to.type == VAL_STR)
            buf_add_str(&b, val_text(to));
        else if (to.type == VAL_INT && to.u.i >= 0 && to.u.i <= 0x10FFFF &&
                 (to.u.i < 0xD800 || to.u.i > 0xDFFF))
            buf_add(&b, bytes, utf8_put(bytes, (uint32_t)to.u.i));
        else if (to.type != VAL_NULL)
            return call_raise(c, TMPL_EXC_TYPE,
                              "character mapping must return integer, None or str");
    }
    return lib_finish(c, &b, c->self.flags & VAL_F_MARKUP, out);
}

static int pystr_maketrans(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_undef(NULL), VAL_STR_LIT("")};
    struct str x;
    struct str y;
    struct str z;
    struct val dict;

    if (call_bind(c, "x,y=,z=", arg) != 0)
        return -1;
    if (val_is_undef(arg[1])) {
        struct val key;
        struct val value;

        if (!val_is(arg[0], VAL_DICT))
            return call_raise(c, TMPL_EXC_TYPE,
                              "if you give only one argument to maketrans it must be a dict");
        dict = val_dict_new(c->a, val_count(arg[0]));
        for (size_t i = 0; val_pair_at(arg[0], i, &key, &value); i++) {
            struct str k = val_text(key);
            const char *p = k.p;

            if (key.type == VAL_STR && utf8_len(k) != 1)
                return call_raise(c, TMPL_EXC_VALUE,
                                  "string keys in translate table must be of length 1");
            val_dict_set(dict, key.type == VAL_STR ? val_int(utf8_next(&p, k.p + k.len)) : key,
                         value);
        }
        *out = dict;
        return 0;
    }
    if (lib_need_text(c, arg[0], "argument 1", &x) != 0 ||
        lib_need_text(c, arg[1], "argument 2", &y) != 0 ||
        lib_need_text(c, arg[2], "argument 3", &z) != 0)
        return -1;
    if (utf8_len(x) != utf8_len(y))
        return call_raise(c, TMPL_EXC_VALUE,
                          "the first two maketrans arguments must have equal length");
    dict = val_dict_new(c->a, x.len);
    for (const char *p = x.p, *q = y.p; p < x.p + x.len;) {
        struct val from = val_int(utf8_next(&p, x.p + x.len));

        val_dict_set(dict, from, val_int(utf8_next(&q, y.p + y.len)));
    }
    for (const char *p = z.p; p < z.p + z.len;)
        val_dict_set(dict, val_int(utf8_next(&p, z.p + z.len)), val_null());
    *out = dict;
    return 0;
}

/* ---- markup only
 * --------------------------------------------------------------------------------- */

static int markup_striptags(struct call *c, struct val *out)
{
    struct buf b;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    lib_buf(c, &b);
    html_strip_tags(val_text(c->self), &b, c->a);
    return lib_finish(c, &b, 0, out);
}

static int markup_unescape(struct call *c, struct val *out)
{
    struct buf b;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    lib_buf(c, &b);
    html_unescape(val_text(c->self), &b);
    return lib_finish(c, &b, 0, out);
}

static int markup_escape(struct call *c, struct val *out)
{
    struct val arg = val_null();

    return call_bind(c, "s", &arg) != 0 ? -1 : lib_escape(c, arg, out);
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, pystr_##name, "str." #name                                                          \
    }

static const struct method str_rows[] = {
    ROW(capitalize),   ROW(casefold),     ROW(center),    ROW(count),     ROW(encode),
    ROW(endswith),     ROW(expandtabs),   ROW(find),      ROW(format),    ROW(format_map),
    ROW(index),        ROW(isalnum),      ROW(isalpha),   ROW(isascii),   ROW(isdecimal),
    ROW(isdigit),      ROW(isidentifier), ROW(islower),   ROW(isnumeric), ROW(isprintable),
    ROW(isspace),      ROW(istitle),      ROW(isupper),   ROW(join),      ROW(ljust),
    ROW(lower),        ROW(lstrip),       ROW(maketrans), ROW(partition), ROW(removeprefix),
    ROW(removesuffix), ROW(replace),      ROW(rfind),     ROW(rindex),    ROW(rjust),
    ROW(rpartition),   ROW(rsplit),       ROW(rstrip),    ROW(split),     ROW(splitlines),
    ROW(startswith),   ROW(strip),        ROW(swapcase),  ROW(title),     ROW(translate),
    ROW(upper),        ROW(zfill),
};
const struct method_table methods_of_str = {str_rows, COUNT_OF(str_rows)};

static const struct method markup_rows[] = {
    {"escape", markup_escape, "Markup.escape"},
    {"striptags", markup_striptags, "Markup.striptags"},
    {"unescape", markup_unescape, "Markup.unescape"},
};
const struct method_table methods_of_markup = {markup_rows, COUNT_OF(markup_rows)};
