/*
 * "..." % args: printf-style formatting.
 *
 * Rules: Python library reference, "printf-style String Formatting".
 */
#include <math.h>

#include "base/utf8.h"
#include "template/numfmt.h"
#include "template/text.h"

struct percent {
    struct call *c;
    struct val args;
    bool tuple;  /* args are taken one after the other */
    size_t next; /* of them */
    struct str fmt;
    size_t i; /* byte of fmt */
};

static int next_arg(struct percent *p, struct val *out)
{
    size_t n = p->tuple ? val_count(p->args) : 1;

    if (p->next >= n)
        return call_raise(p->c, TMPL_EXC_TYPE, "not enough arguments for format string");
    *out = p->tuple ? val_at(p->args, p->next) : p->args;
    p->next++;
    return 0;
}

static int incomplete(struct percent *p)
{
    return call_raise(p->c, TMPL_EXC_VALUE, "incomplete format");
}

/* "(key)" of a mapping: the value it names. */
static int mapped(struct percent *p, struct val *out)
{
    size_t from = ++p->i;
    size_t depth = 1;
    struct val key;

    if (val_is(p->args, VAL_UNDEF))
        return vm_fail_undefined(p->c, p->args);
    if (!val_is(p->args, VAL_DICT) && !val_is(p->args, VAL_LIST))
        return call_raise(p->c, TMPL_EXC_TYPE, "format requires a mapping");
    while (p->i < p->fmt.len && depth > 0) {
        depth += p->fmt.p[p->i] == '(';
        depth -= p->fmt.p[p->i] == ')';
        p->i++;
    }
    if (depth > 0)
        return call_raise(p->c, TMPL_EXC_VALUE, "incomplete format key");
    if (val_is(p->args, VAL_LIST))
        return call_raise(p->c, TMPL_EXC_TYPE, "list indices must be integers or slices, not str");
    key = val_str(str_slice(p->fmt, from, p->i - 1));
    *out = val_get_val(p->args, key);
    if (val_absent(*out))
        return call_raise(p->c, TMPL_EXC_KEY, "%.*s", STR_ARG(lib_repr(p->c, key)));
    p->next = 1;
    return 0;
}

/* A width or precision: digits or "*". */
static int size_at(struct percent *p, int64_t *out)
{
    struct val v;

    if (p->i < p->fmt.len && p->fmt.p[p->i] == '*') {
        p->i++;
        if (next_arg(p, &v) != 0)
            return -1;
        if (v.type == VAL_BIGINT)
            return call_raise(p->c, TMPL_EXC_OVERFLOW,
                              "Python int too large to convert to C ssize_t");
        if (v.type == VAL_BOOL)
            v = val_int(v.u.b);
        if (v.type != VAL_INT)
            return call_raise(p->c, TMPL_EXC_TYPE, "* wants int");
        *out = v.u.i;
        return 0;
    }
    for (*out = 0; p->i < p->fmt.len && p->fmt.p[p->i] >= '0' && p->fmt.p[p->i] <= '9'; p->i++) {
        *out = *out * 10 + (p->fmt.p[p->i] - '0');
        if (*out > INT32_MAX)
            return call_raise(p->c, TMPL_EXC_VALUE, "width too big");
    }
    return 0;
}

static int flags_at(struct percent *p, struct fmt_spec *spec)
{
    bool left = false;
    bool zero = false;

    *spec = (struct fmt_spec){.fill = STR(" "), .precision = -1};
    for (; p->i < p->fmt.len && strchr("-+ #0", p->fmt.p[p->i]) != NULL && p->fmt.p[p->i] != '\0';
         p->i++) {
        char ch = p->fmt.p[p->i];

        left = left || ch == '-';
        zero = zero || ch == '0';
        spec->alt = spec->alt || ch == '#';
        if (ch == '+' || (ch == ' ' && spec->sign == 0))
            spec->sign = ch;
    }
    if (size_at(p, &spec->width) != 0)
        return -1;
    if (spec->width < 0) {
        left = true;
        spec->width = spec->width > -INT32_MAX ? -spec->width : INT32_MAX;
    }
    if (p->i < p->fmt.len && p->fmt.p[p->i] == '.') {
        p->i++;
        if (size_at(p, &spec->precision) != 0)
            return -1;
        if (spec->precision < 0)
            spec->precision = 0;
    }
    spec->align = left ? '<' : zero ? '=' : '>';
    if (zero && !left)
        spec->fill = STR("0");
    return vm_memory(p->c,
                     (uint64_t)spec->width + (spec->precision > 0 ? (uint64_t)spec->precision : 0));
}

static int put_text(struct percent *p, struct val v, struct fmt_spec *spec, struct buf *out)
{
    struct str s;
    struct buf b;

    if (spec->type == 's') {
        if (lib_text(p->c, v, &v) != 0)
            return -1;
        s = val_text(v);
    } else {
        lib_buf(p->c, &b);
        if (spec->type == 'r')
            val_to_repr(v, &b);
        else
            py_ascii(v, p->c->a, &b);
        s = buf_str(&b);
    }
    if (spec->precision >= 0 && (size_t)spec->precision < utf8_len(s))
        s = text_slice(s, 0, (size_t)spec->precision);
    spec->fill = STR(" ");
    if (spec->align == '=')
        spec->align = '>';
    fmt_pad(s, spec, '>', out);
    return 0;
}

static int put_char(struct percent *p, struct val v, struct fmt_spec *spec, struct buf *out)
{
    char bytes[4];
    struct str s = val_text(v);

    spec->fill = STR(" ");
    if (spec->align == '=')
        spec->align = '>';
    if (v.type != VAL_STR) {
        int64_t cp;

        if (!lib_is_int(v))
            return call_raise(p->c, TMPL_EXC_TYPE, "%%c requires int or char");
        if (lib_int(p->c, v, &cp) != 0)
            return -1;
        if (cp < 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
            return call_raise(p->c, TMPL_EXC_OVERFLOW, "%%c arg not in range(0x110000)");
        s = str_make(bytes, utf8_put(bytes, (uint32_t)cp));
    } else if (utf8_len(s) != 1) {
        return call_raise(p->c, TMPL_EXC_TYPE, "%%c requires int or char");
    }
    fmt_pad(s, spec, '>', out);
    return 0;
}

static int put_int(struct percent *p, struct val v, struct fmt_spec *spec, struct buf *out)
{
    struct num_text n;
    struct buf digits;

    if (v.type == VAL_UNDEF)
        return vm_fail_undefined(p->c, v);
    if (v.type == VAL_FLOAT && spec->type == 'd') {
        if (lib_to_int(p->c, v, 10, &v) != 0)
            return -1;
    } else if (!lib_is_int(v)) {
        return call_raise(p->c, TMPL_EXC_TYPE, "%%%c format: %s is required, not %s", spec->type,
                          spec->type == 'd' ? "a real number" : "an integer", val_type_name(v));
    }
    if (num_int_text(p->c, v, spec->type, spec->alt, &n) != 0)
        return -1;
    if (spec->precision > (int64_t)n.whole.len) {
        lib_buf(p->c, &digits);
        text_fill(STR("0"), (size_t)spec->precision - n.whole.len, &digits);
        buf_add_str(&digits, n.whole);
        n.whole = buf_str(&digits);
    }
    num_put(&n, spec, p->c->a, out);
    return 0;
}

static int put_float(struct percent *p, struct val v, struct fmt_spec *spec, struct buf *out)
{
    struct num_text n;
    double f;

    if (v.type == VAL_UNDEF)
        return vm_fail_undefined(p->c, v);
    if (!lib_is_number(v))
        return call_raise(p->c, TMPL_EXC_TYPE, "must be real number, not %s", val_type_name(v));
    if (lib_to_float(p->c, v, &f) != 0)
        return -1;
    num_float_text(p->c, f, spec, &n);
    num_put(&n, spec, p->c->a, out);
    return 0;
}

static int put_conversion(struct percent *p, struct buf *out)
{
    struct fmt_spec spec;
    struct val v = val_undef(NULL);
    bool named = false;
    char type;

    if (p->i < p->fmt.len && p->fmt.p[p->i] == '%') {
        buf_putc(out, '%');
        p->i++;
        return 0;
    }
    if (p->i < p->fmt.len && p->fmt.p[p->i] == '(') {
        named = true;
        if (mapped(p, &v) != 0)
            return -1;
    }
    if (flags_at(p, &spec) != 0)
        return -1;
    while (p->i < p->fmt.len &&
           (p->fmt.p[p->i] == 'l' || p->fmt.p[p->i] == 'h' || p->fmt.p[p->i] == 'L'))
        p->i++;
    if (p->i >= p->fmt.len)
        return incomplete(p);
    type = p->fmt.p[p->i++];
    if (!named && next_arg(p, &v) != 0)
        return -1;
    if (strchr("sradiuoxXeEfFgGc", type) == NULL || type == '\0')
        return call_raise(p->c, TMPL_EXC_VALUE,
                          "unsupported format character '%c' (0x%x) at index %zu",
                          type >= ' ' ? type : '?', (unsigned char)type,
                          utf8_len(str_slice(p->fmt, 0, p->i - 1)));
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    switch (spec.type) {
    case 's':
    case 'r':
    case 'a':
        return put_text(p, v, &spec, out);
    case 'c':
        return put_char(p, v, &spec, out);
    case 'd':
    case 'o':
    case 'x':
    case 'X':
        return put_int(p, v, &spec, out);
    default:
        return put_float(p, v, &spec, out);
    }
}

int py_percent(struct call *c, struct str fmt, struct val args, struct val *out)
{
    struct percent p = {.c = c, .args = args, .tuple = args.type == VAL_TUPLE, .fmt = fmt};
    struct buf b;

    lib_buf(c, &b);
    while (p.i < fmt.len) {
        const char *at = memchr(fmt.p + p.i, '%', fmt.len - p.i);
        size_t n = at == NULL ? fmt.len - p.i : (size_t)(at - fmt.p) - p.i;

        buf_add(&b, fmt.p + p.i, n);
        p.i += n;
        if (at == NULL)
            break;
        p.i++;
        if (put_conversion(&p, &b) != 0)
            return -1;
    }
    if (p.tuple ? p.next < val_count(args)
                : p.next == 0 && args.type != VAL_DICT && args.type != VAL_LIST &&
                      args.type != VAL_OBJ && args.type != VAL_UNDEF)
        return call_raise(c, TMPL_EXC_TYPE, "not all arguments converted during string formatting");
    return lib_finish(c, &b, 0, out);
}

static void put_escape(struct buf *out, uint32_t cp)
{
    if (cp < 0x100)
        buf_addf(out, "\\x%02x", cp);
    else if (cp < 0x10000)
        buf_addf(out, "\\u%04x", cp);
    else
        buf_addf(out, "\\U%08x", cp);
}

/* ascii(): repr with everything beyond ASCII escaped. */
void py_ascii(struct val v, struct arena *a, struct buf *out)
{
    struct buf b;
    const char *p;
    const char *end;

    buf_init(&b, LIB_TEXT_MAX, a);
    val_to_repr(v, &b);
    p = b.p;
    end = b.p + b.len;
    while (p < end) {
        uint32_t cp = utf8_next(&p, end);

        if (cp < 0x80)
            buf_putc(out, (char)cp);
        else
            put_escape(out, cp);
    }
}
