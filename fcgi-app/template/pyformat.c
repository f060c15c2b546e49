/*
 * str.format: replacement fields and the format mini-language.
 *
 * Rules: Python library reference, "Format String Syntax".
 */
#include "base/utf8.h"
#include "template/datetime.h"
#include "template/methods_int.h"
#include "template/numfmt.h"
#include "template/text.h"

/* ---- the mini-language ---------------------------------------------------------------------- */

static bool is_align(char ch)
{
    return ch == '<' || ch == '>' || ch == '^' || ch == '=';
}

/* Decimal number at *p; -1 when there is none. */
static int64_t number_at(const char **p, const char *end)
{
    int64_t n = -1;

    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        n = (n < 0 ? 0 : n) * 10 + (**p - '0');
        if (n > INT32_MAX)
            n = INT32_MAX;
    }
    return n;
}

static int spec_parse(struct call *c, struct str s, struct fmt_spec *out)
{
    const char *p = s.p;
    const char *end = s.p + s.len;
    const char *q = p;

    *out = (struct fmt_spec){.fill = STR(" "), .precision = -1};
    if (p < end)
        utf8_next(&q, end);
    if (p < end && q < end && is_align(*q)) {
        out->fill = str_make(p, (size_t)(q - p));
        out->align = *q;
        p = q + 1;
    } else if (p < end && is_align(*p)) {
        out->align = *p++;
    }
    if (p < end && (*p == '+' || *p == '-' || *p == ' '))
        out->sign = *p++;
    if (p < end && *p == 'z') {
        out->positive_zero = true;
        p++;
    }
    if (p < end && *p == '#') {
        out->alt = true;
        p++;
    }
    if (p < end && *p == '0') {
        if (out->align == 0) {
            out->fill = STR("0");
            out->align = '=';
        } else if (str_eq_c(out->fill, " ")) {
            out->fill = STR("0");
        }
        p++;
    }
    out->width = number_at(&p, end);
    if (p < end && (*p == ',' || *p == '_'))
        out->grouping = *p++;
    if (p < end && (*p == ',' || *p == '_'))
        return out->grouping == *p
                   ? call_raise(c, TMPL_EXC_VALUE, "Cannot specify '%c' with '%c'.", *p, *p)
                   : call_raise(c, TMPL_EXC_VALUE, "Cannot specify both ',' and '_'.");
    if (p < end && *p == '.') {
        p++;
        out->precision = number_at(&p, end);
        if (out->precision < 0)
            return call_raise(c, TMPL_EXC_VALUE, "Format specifier missing precision");
    }
    if (p < end && end - p == 1)
        out->type = *p++;
    if (p < end)
        return call_raise(c, TMPL_EXC_VALUE, "Invalid format specifier");
    if (out->grouping != 0 && out->type != 0 && strchr("deEfFgG%", out->type) == NULL &&
        (out->grouping == ',' || strchr("boxX", out->type) == NULL))
        return call_raise(c, TMPL_EXC_VALUE, "Cannot specify '%c' with '%c'.", out->grouping,
                          out->type);
    if (out->width > (int64_t)LIB_TEXT_MAX ||
        vm_memory(c, out->width > 0 ? (uint64_t)out->width : 0) != 0)
        return call_raise(c, TMPL_EXC_LIMIT, "the memory budget is used up: format width %lld",
                          (long long)out->width);
    return 0;
}

static int unknown_code(struct call *c, const struct fmt_spec *spec, const char *type)
{
    return call_raise(c, TMPL_EXC_VALUE, "Unknown format code '%c' for object of type '%s'",
                      spec->type, type);
}

static int format_text(struct call *c, struct str s, struct fmt_spec *spec, struct buf *out)
{
    if (spec->type != 0 && spec->type != 's')
        return unknown_code(c, spec, "str");
    if (spec->sign != 0)
        return call_raise(c, TMPL_EXC_VALUE, "%s not allowed in string format specifier",
                          spec->sign == ' ' ? "Space" : "Sign");
    if (spec->alt)
        return call_raise(c, TMPL_EXC_VALUE,
                          "Alternate form (#) not allowed in string format specifier");
    if (spec->grouping != 0)
        return call_raise(c, TMPL_EXC_VALUE, "Cannot specify '%c' with 's'.", spec->grouping);
    if (spec->align == '=' && !str_eq_c(spec->fill, "0"))
        return call_raise(c, TMPL_EXC_VALUE,
                          "'=' alignment not allowed in string format specifier");
    if (spec->align == '=')
        spec->align = '<';
    if (spec->precision >= 0 && (size_t)spec->precision < utf8_len(s))
        s = text_slice(s, 0, (size_t)spec->precision);
    fmt_pad(s, spec, '<', out);
    return 0;
}

static int format_float(struct call *c, double f, const struct fmt_spec *spec, struct buf *out)
{
    struct num_text n;

    num_float_text(c, f, spec, &n);
    num_put(&n, spec, c->a, out);
    return 0;
}

static int format_char(struct call *c, struct val v, const struct fmt_spec *spec, struct buf *out)
{
    char bytes[4];
    int64_t cp;

    if (spec->sign != 0)
        return call_raise(c, TMPL_EXC_VALUE, "Sign not allowed with integer format specifier 'c'");
    if (spec->alt)
        return call_raise(c, TMPL_EXC_VALUE,
                          "Alternate form (#) not allowed with integer format specifier 'c'");
    if (lib_int(c, v, &cp) != 0)
        return -1;
    if (cp < 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return call_raise(c, TMPL_EXC_OVERFLOW, "%%c arg not in range(0x110000)");
    fmt_pad(str_make(bytes, utf8_put(bytes, (uint32_t)cp)), spec, '<', out);
    return 0;
}

static int format_int(struct call *c, struct val v, const struct fmt_spec *spec, struct buf *out)
{
    struct num_text n;
    double f;

    if (spec->precision >= 0 && (spec->type == 0 || strchr("cdnboxX", spec->type) != NULL))
        return call_raise(c, TMPL_EXC_VALUE, "Precision not allowed in integer format specifier");
    switch (spec->type) {
    case 0:
    case 'd':
    case 'n':
    case 'b':
    case 'o':
    case 'x':
    case 'X':
        if (num_int_text(c, v, spec->type, spec->alt, &n) != 0)
            return -1;
        num_put(&n, spec, c->a, out);
        return 0;
    case 'c':
        return format_char(c, v, spec, out);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%':
        return lib_to_float(c, v, &f) != 0 ? -1 : format_float(c, f, spec, out);
    default:
        return unknown_code(c, spec, val_type_name(v));
    }
}

/* "%.1f" of Python for value formatting: writes `v` after `spec` (str.format's mini-language). */
static int py_format_value(struct call *c, struct val v, struct str text, struct buf *out)
{
    struct fmt_spec spec;

    if (text.len == 0)
        return lib_put_text(c, v, out);
    if (dt_is(v)) {
        if (dt_strftime(c, dt_of(v), text, &v) != 0)
            return -1;
        buf_add_str(out, val_text(v));
        return 0;
    }
    if (v.type != VAL_STR && !lib_is_number(v))
        return call_raise(c, TMPL_EXC_TYPE, "unsupported format string passed to %s.__format__",
                          v.type == VAL_UNDEF ? "Undefined" : val_type_name(v));
    if (spec_parse(c, text, &spec) != 0)
        return -1;
    if (v.type == VAL_STR)
        return format_text(c, val_text(v), &spec, out);
    if (v.type != VAL_FLOAT)
        return format_int(c, v, &spec, out);
    if (spec.type != 0 && strchr("eEfFgGn%", spec.type) == NULL)
        return unknown_code(c, &spec, "float");
    return format_float(c, v.u.f, &spec, out);
}

/* ---- replacement fields --------------------------------------------------------------------- */

struct fields {
    struct call *c;
    bool markup;
    bool named_only; /* format_map(): no positional fields */
    bool automatic;
    bool manual;
    size_t next;
};

static int format_into(struct fields *f, struct str fmt, int depth, struct buf *out);

static int positional(struct fields *f, int64_t index, struct val *out)
{
    if (f->named_only)
        return call_raise(f->c, TMPL_EXC_VALUE, "Format string contains positional fields");
    if (index < 0 || (uint64_t)index >= f->c->n_pos)
        return call_raise(f->c, TMPL_EXC_INDEX,
                          "Replacement index %lld out of range for positional args tuple",
                          (long long)index);
    *out = f->c->pos[index];
    return 0;
}

/* The argument a field begins with: "", "0" or "name". */
static int first_value(struct fields *f, struct str name, struct val *out)
{
    int64_t index;

    if (name.len == 0) {
        if (f->manual)
            return call_raise(
                f->c, TMPL_EXC_VALUE,
                "cannot switch from manual field specification to automatic field numbering");
        f->automatic = true;
        return positional(f, (int64_t)f->next++, out);
    }
    if (text_is(name, TEXT_IS_DIGIT) && str_to_int(name, &index)) {
        if (f->automatic)
            return call_raise(
                f->c, TMPL_EXC_VALUE,
                "cannot switch from automatic field numbering to manual field specification");
        f->manual = true;
        return positional(f, index, out);
    }
    for (size_t i = 0; i < f->c->n_kw; i++) {
        if (str_eq(f->c->kw[i].name, name)) {
            *out = f->c->kw[i].value;
            return 0;
        }
    }
    return call_raise(f->c, TMPL_EXC_KEY, "%.*s", STR_ARG(lib_repr(f->c, val_str(name))));
}

static int attribute(struct fields *f, struct str name, struct val *v)
{
    struct val found;

    if (name.len == 0)
        return call_raise(f->c, TMPL_EXC_VALUE, "Empty attribute in format string");
    if (lib_platform(f->c) || val_is_undef(*v) || str_starts(name, STR("__")))
        return vm_getattr(f->c, *v, name, v);
    if (lib_attr_only(f->c, *v, name, &found) != 0)
        return -1;
    if (val_is_undef(found))
        return call_raise(f->c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute '%.*s'",
                          val_type_name(*v), STR_ARG(name));
    *v = found;
    return 0;
}

static int item(struct fields *f, struct str key, struct val *v)
{
    struct val found;
    struct val index = val_str(key);
    int64_t n;

    if (key.len == 0)
        return call_raise(f->c, TMPL_EXC_VALUE, "Empty attribute in format string");
    if (text_is(key, TEXT_IS_DIGIT) && str_to_int(key, &n))
        index = val_int(n);
    if (vm_getitem(f->c, *v, index, &found) != 0)
        return -1;
    if (val_is_undef(found) && !lib_platform(f->c)) {
        if (v->type == VAL_DICT && !val_absent(val_get_val(*v, index))) {
            *v = found;
            return 0;
        }
        if (v->type == VAL_DICT)
            return call_raise(f->c, TMPL_EXC_KEY, "%.*s", STR_ARG(lib_repr(f->c, index)));
        if (v->type < VAL_STR)
            return call_raise(f->c, TMPL_EXC_TYPE, "'%s' object is not subscriptable",
                              val_type_name(*v));
        if (index.type == VAL_STR)
            return call_raise(f->c, TMPL_EXC_TYPE, "%s indices must be integers or slices, not str",
                              val_type_name(*v));
        return call_raise(f->c, TMPL_EXC_INDEX, "%s index out of range", val_type_name(*v));
    }
    *v = found;
    return 0;
}

/* "name.attr[key]" */
static int field_value(struct fields *f, struct str path, struct val *out)
{
    size_t n = 0;

    while (n < path.len && path.p[n] != '.' && path.p[n] != '[')
        n++;
    if (first_value(f, str_slice(path, 0, n), out) != 0)
        return -1;
    path = str_slice(path, n, path.len);
    while (path.len > 0) {
        if (path.p[0] == '[') {
            ptrdiff_t close = str_find_char(path, ']');

            if (close < 0)
                return call_raise(f->c, TMPL_EXC_VALUE, "Missing ']' in format string");
            if (item(f, str_slice(path, 1, (size_t)close), out) != 0)
                return -1;
            path = str_slice(path, (size_t)close + 1, path.len);
            if (path.len > 0 && path.p[0] != '.' && path.p[0] != '[')
                return call_raise(f->c, TMPL_EXC_VALUE,
                                  "Only '.' or '[' may follow ']' in format field specifier");
            continue;
        }
        for (n = 1; n < path.len && path.p[n] != '.' && path.p[n] != '[';)
            n++;
        if (attribute(f, str_slice(path, 1, n), out) != 0)
            return -1;
        path = str_slice(path, n, path.len);
    }
    return 0;
}

static int convert(struct fields *f, char how, struct val *v)
{
    struct buf b;

    if (how == 's')
        return lib_text(f->c, *v, v);
    if (how != 'r' && how != 'a')
        return call_raise(f->c, TMPL_EXC_VALUE, "Unknown conversion specifier '%c'", how);
    lib_buf(f->c, &b);
    if (how == 'r')
        val_to_repr(*v, &b);
    else
        py_ascii(*v, f->c->a, &b);
    return lib_finish(f->c, &b, 0, v);
}

static int put_value(struct fields *f, struct val v, struct str spec, struct buf *out)
{
    struct buf b;

    if (!f->markup)
        return py_format_value(f->c, v, spec, out);
    if (lib_is_markup(v)) {
        if (spec.len > 0)
            return call_raise(f->c, TMPL_EXC_VALUE, "Unsupported format specification for Markup.");
        buf_add_str(out, val_text(v));
        return 0;
    }
    lib_buf(f->c, &b);
    if (py_format_value(f->c, v, spec, &b) != 0)
        return -1;
    html_escape(buf_str(&b), out);
    return 0;
}

/* What stands between the braces: path, conversion, spec with fields of its own. */
static int put_field(struct fields *f, struct str s, int depth, struct buf *out)
{
    size_t n = 0;
    size_t brackets = 0;
    struct val v;
    struct str spec;
    struct buf inner;

    while (n < s.len && (brackets > 0 || (s.p[n] != '!' && s.p[n] != ':'))) {
        if (s.p[n] == '[')
            brackets = 1;
        else if (s.p[n] == ']')
            brackets = 0;
        n++;
    }
    if (field_value(f, str_slice(s, 0, n), &v) != 0)
        return -1;
    s = str_slice(s, n, s.len);
    if (s.len > 0 && s.p[0] == '!') {
        if (s.len < 2 || s.p[1] == ':')
            return call_raise(f->c, TMPL_EXC_VALUE,
                              "end of string while looking for conversion specifier");
        if (s.len > 2 && s.p[2] != ':')
            return call_raise(f->c, TMPL_EXC_VALUE, "expected ':' after conversion specifier");
        if (convert(f, s.p[1], &v) != 0)
            return -1;
        s = str_slice(s, 2, s.len);
    }
    spec = s.len > 0 ? str_slice(s, 1, s.len) : s;
    if (str_find_char(spec, '{') >= 0 || str_find_char(spec, '}') >= 0) {
        lib_buf(f->c, &inner);
        if (format_into(f, spec, depth + 1, &inner) != 0)
            return -1;
        spec = buf_str(&inner);
    }
    return put_value(f, v, spec, out);
}

/* Length of the field up to its closing brace, or -1. */
static ptrdiff_t field_length(struct str s)
{
    size_t nested = 0;
    bool bracket = false;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '[' && nested == 0)
            bracket = true;
        else if (s.p[i] == ']')
            bracket = false;
        else if (s.p[i] == '{' && !bracket)
            nested++;
        else if (s.p[i] == '}' && !bracket && nested-- == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

static int format_into(struct fields *f, struct str fmt, int depth, struct buf *out)
{
    if (depth > 1)
        return call_raise(f->c, TMPL_EXC_VALUE, "Max string recursion exceeded");
    while (fmt.len > 0) {
        size_t n = 0;
        ptrdiff_t length;

        while (n < fmt.len && fmt.p[n] != '{' && fmt.p[n] != '}')
            n++;
        buf_add(out, fmt.p, n);
        fmt = str_slice(fmt, n, fmt.len);
        if (fmt.len == 0)
            break;
        if (fmt.len > 1 && fmt.p[1] == fmt.p[0]) {
            buf_putc(out, fmt.p[0]);
            fmt = str_slice(fmt, 2, fmt.len);
            continue;
        }
        if (fmt.p[0] == '}')
            return call_raise(f->c, TMPL_EXC_VALUE, "Single '}' encountered in format string");
        if (fmt.len == 1)
            return call_raise(f->c, TMPL_EXC_VALUE, "Single '{' encountered in format string");
        fmt = str_slice(fmt, 1, fmt.len);
        length = field_length(fmt);
        if (length < 0)
            return call_raise(f->c, TMPL_EXC_VALUE, "expected '}' before end of string");
        if (put_field(f, str_slice(fmt, 0, (size_t)length), depth, out) != 0)
            return -1;
        fmt = str_slice(fmt, (size_t)length + 1, fmt.len);
    }
    return 0;
}

int lib_format(struct call *c, struct str fmt, bool named_only, struct val *out)
{
    struct fields f = {.c = c, .markup = lib_is_markup(c->self), .named_only = named_only};
    struct buf b;

    lib_buf(c, &b);
    if (format_into(&f, fmt, 0, &b) != 0)
        return -1;
    return lib_finish(c, &b, f.markup ? VAL_F_MARKUP : 0, out);
}

int py_format(struct call *c, struct str fmt, struct val *out)
{
    return lib_format(c, fmt, false, out);
}
