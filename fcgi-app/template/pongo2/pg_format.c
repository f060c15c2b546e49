/*
 * Go's fmt.Sprintf over one value: the filter stringformat.
 *
 * Rule: Go's documentation of package fmt, its complaints included: %!d(string=x), %!z(int=1),
 * %!d(MISSING), %!(NOVERB), %!(EXTRA int=1).
 */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "template/pongo2/pg_flt.h"

enum { WIDTH_MAX = 100000, PRECISION_MAX = 1000 };

struct verb {
    bool plus;
    bool minus;
    bool sharp;
    bool blank;
    bool zero;
    int64_t width;
    int64_t precision; /* -1 = none */
    uint32_t verb;     /* 0 = the text ended */
};

static const char *go_type(struct val v)
{
    switch (v.type) {
    case VAL_BOOL:
        return "bool";
    case VAL_INT:
    case VAL_BIGINT:
        return "int";
    case VAL_FLOAT:
        return "float64";
    case VAL_STR:
        return "string";
    case VAL_DICT:
        return "map[string]interface {}";
    case VAL_LIST:
    case VAL_TUPLE:
        return "[]interface {}";
    default:
        return val_type_name(v);
    }
}

/* ---- reading a verb ---------------------------------------------------------------------------
 */

static int64_t digits(const char **p, const char *end)
{
    int64_t n = 0;

    while (*p < end && **p >= '0' && **p <= '9') {
        n = n > WIDTH_MAX ? n : n * 10 + (**p - '0');
        (*p)++;
    }
    return n;
}

static void read_verb(const char **p, const char *end, struct verb *f)
{
    *f = (struct verb){.precision = -1};
    for (; *p < end; (*p)++) {
        if (**p == '+')
            f->plus = true;
        else if (**p == '-')
            f->minus = true;
        else if (**p == '#')
            f->sharp = true;
        else if (**p == ' ')
            f->blank = true;
        else if (**p == '0')
            f->zero = true;
        else
            break;
    }
    f->zero = f->zero && !f->minus;
    f->width = digits(p, end);
    if (*p < end && **p == '.') {
        (*p)++;
        f->precision = digits(p, end);
    }
    if (*p < end)
        f->verb = utf8_next(p, end);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* `s` filled to the width; zeros go behind a sign. */
static void padded(const struct verb *f, struct str s, bool number, struct buf *out)
{
    int64_t missing = f->width - (int64_t)utf8_len(s);
    size_t n = missing > 0 ? (size_t)missing : 0;

    if (f->minus) {
        buf_add_str(out, s);
        text_fill(STR(" "), n, out);
        return;
    }
    if (f->zero && number && s.len > 0 && strchr("+- ", s.p[0]) != NULL) {
        buf_putc(out, s.p[0]);
        s = str_slice(s, 1, s.len);
    }
    text_fill(f->zero ? STR("0") : STR(" "), n, out);
    buf_add_str(out, s);
}

static const char *sign_of(const struct verb *f, bool negative)
{
    return negative ? "-" : f->plus ? "+" : f->blank ? " " : "";
}

static const char *prefix_of(const struct verb *f, unsigned base)
{
    if (f->verb == 'O')
        return "0o";
    if (!f->sharp)
        return "";
    return base == 2 ? "0b" : base == 8 ? "0" : base == 10 ? "" : f->verb == 'X' ? "0X" : "0x";
}

static void put_int(struct call *c, const struct verb *f, int64_t i, unsigned base, struct buf *out)
{
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";
    char text[72];
    char *p = text + sizeof(text);
    uint64_t n = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    struct verb g = *f;
    struct buf b;
    int64_t count;

    do {
        *--p = (f->verb == 'X' ? upper : lower)[n % base];
        n /= base;
    } while (n > 0);
    count = text + sizeof(text) - p;
    lib_buf(c, &b);
    buf_add_c(&b, sign_of(f, i < 0));
    buf_add_c(&b, prefix_of(f, base));
    if (f->precision > count)
        text_fill(STR("0"), (size_t)(f->precision - count), &b);
    if (f->precision != 0 || i != 0)
        buf_add(&b, p, (size_t)count);
    if (f->precision >= 0)
        g.zero = false;
    padded(&g, buf_str(&b), true, out);
}

/* %v and %g without precision: the shortest text that reads back, with an exponent from 6 digits
 * on. */
static void shortest(double x, bool upper, struct buf *out)
{
    char text[40];
    int digits_n = 1;
    int exponent;

    do
        (void)snprintf(text, sizeof(text), upper ? "%.*E" : "%.*e", digits_n - 1, x);
    while (strtod(text, NULL) != x && ++digits_n <= 17);
    exponent = (int)strtol(strpbrk(text, "eE") + 1, NULL, 10);
    if (exponent < -4 || exponent >= 6)
        buf_add_c(out, text);
    else
        buf_addf(out, "%.*f", digits_n - 1 > exponent ? digits_n - 1 - exponent : 0, x);
}

static void put_finite(const struct verb *f, double x, struct buf *out)
{
    int precision = (int)(f->precision < 0 ? 6 : f->precision);

    switch (f->verb) {
    case 'e':
        buf_addf(out, "%.*e", precision, x);
        break;
    case 'E':
        buf_addf(out, "%.*E", precision, x);
        break;
    case 'f':
    case 'F':
        buf_addf(out, "%.*f", precision, x);
        break;
    default:
        if (f->precision < 0)
            shortest(x, f->verb == 'G', out);
        else if (f->verb == 'G')
            buf_addf(out, "%.*G", precision, x);
        else
            buf_addf(out, "%.*g", precision, x);
        break;
    }
}

static void put_float(struct call *c, const struct verb *f, double x, struct buf *out)
{
    struct verb g = *f;
    struct buf b;

    lib_buf(c, &b);
    if (isfinite(x)) {
        buf_add_c(&b, signbit(x) ? "" : sign_of(f, false));
        put_finite(f, x, &b);
    } else {
        buf_add_c(&b, isnan(x) ? (f->plus ? "+NaN" : "NaN") : x > 0 ? "+Inf" : "-Inf");
        g.zero = false;
    }
    padded(&g, buf_str(&b), true, out);
}

/* "text" as Go writes it in source. */
static struct str quoted(struct call *c, struct str s)
{
    struct buf b;

    lib_buf(c, &b);
    json_write_string(s, JSON_COMPACT, &b);
    return buf_str(&b);
}

static void put_hex(const struct verb *f, struct str s, struct buf *out)
{
    size_t i;

    for (i = 0; i < s.len; i++)
        buf_addf(out, f->verb == 'X' ? "%02X" : "%02x", (unsigned char)s.p[i]);
}

static void put_char(uint32_t cp, struct buf *out)
{
    char text[4];
    bool ok = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);

    buf_add(out, text, utf8_put(text, ok ? cp : 0xfffd));
}

/* Go's %v of anything: lists as [a b], maps as map[a:b]. */
static void put_any(struct call *c, struct val v, bool nested, struct buf *out, int depth)
{
    struct val key;
    struct val value;
    size_t i;

    if (val_is_none(v)) {
        buf_add_c(out, "<nil>");
    } else if (v.type == VAL_FLOAT) {
        struct verb plain = {.verb = 'v', .precision = -1};

        put_float(c, &plain, v.u.f, out);
    } else if (depth > 100 || (v.type != VAL_LIST && v.type != VAL_TUPLE && v.type != VAL_DICT)) {
        pg_to_text(v, out);
    } else if (v.type == VAL_DICT) {
        buf_add_c(out, "map[");
        for (i = 0; val_pair_at(v, i, &key, &value); i++) {
            if (i > 0)
                buf_putc(out, ' ');
            put_any(c, key, true, out, depth + 1);
            buf_putc(out, ':');
            put_any(c, value, true, out, depth + 1);
        }
        buf_putc(out, ']');
    } else {
        buf_putc(out, '[');
        for (i = 0; i < val_count(v); i++) {
            if (i > 0)
                buf_putc(out, ' ');
            put_any(c, val_at(v, i), nested, out, depth + 1);
        }
        buf_putc(out, ']');
    }
}

static void bad_verb(struct call *c, const struct verb *f, struct val v, struct buf *out)
{
    buf_add_c(out, "%!");
    put_char(f->verb, out);
    if (val_is_none(v)) {
        buf_add_c(out, "(<nil>)");
        return;
    }
    buf_addf(out, "(%s=", go_type(v));
    put_any(c, v, false, out, 0);
    buf_putc(out, ')');
}

static bool int_verb(struct call *c, const struct verb *f, int64_t i, struct buf *out)
{
    struct buf b;

    switch (f->verb) {
    case 'v':
    case 'd':
        put_int(c, f, i, 10, out);
        return true;
    case 'b':
        put_int(c, f, i, 2, out);
        return true;
    case 'o':
    case 'O':
        put_int(c, f, i, 8, out);
        return true;
    case 'x':
    case 'X':
        put_int(c, f, i, 16, out);
        return true;
    case 'c':
    case 'q':
    case 'U':
        lib_buf(c, &b);
        if (f->verb == 'U') {
            buf_addf(&b, "U+%04llX", (unsigned long long)i);
        } else {
            buf_add_c(&b, f->verb == 'q' ? "'" : "");
            put_char(i < 0 || i > 0x10ffff ? 0xfffd : (uint32_t)i, &b);
            buf_add_c(&b, f->verb == 'q' ? "'" : "");
        }
        padded(f, buf_str(&b), false, out);
        return true;
    default:
        return false;
    }
}

static bool text_verb(struct call *c, const struct verb *f, struct str s, struct buf *out)
{
    struct buf b;

    if (f->precision >= 0 && f->verb != 'x' && f->verb != 'X')
        s = str_slice(s, 0, utf8_offset(s, (size_t)f->precision));
    switch (f->verb) {
    case 'v':
    case 's':
        padded(f, f->sharp && f->verb == 'v' ? quoted(c, s) : s, false, out);
        return true;
    case 'q':
        padded(f, quoted(c, s), false, out);
        return true;
    case 'x':
    case 'X':
        lib_buf(c, &b);
        put_hex(f, s, &b);
        padded(f, buf_str(&b), false, out);
        return true;
    default:
        return false;
    }
}

static bool value_verb(struct call *c, const struct verb *f, struct val v, struct buf *out)
{
    struct buf b;

    if (f->verb == 'T') {
        padded(f, str_c(val_is_none(v) ? "<nil>" : go_type(v)), false, out);
        return true;
    }
    if (v.type == VAL_INT)
        return int_verb(c, f, v.u.i, out);
    if (v.type == VAL_STR)
        return text_verb(c, f, val_text(v), out);
    if (v.type == VAL_FLOAT) {
        if (strchr("vgGeEfF", (int)f->verb) == NULL)
            return false;
        put_float(c, f, v.u.f, out);
        return true;
    }
    if (f->verb != 'v' && !(f->verb == 't' && v.type == VAL_BOOL) &&
        !(f->verb == 's' && v.type > VAL_STR) && !(f->verb == 'd' && v.type == VAL_BIGINT))
        return false;
    lib_buf(c, &b);
    put_any(c, v, false, &b, 0);
    padded(f, buf_str(&b), false, out);
    return true;
}

int pg_sprintf(struct call *c, struct str format, struct val v, struct val *out)
{
    const char *p = format.p;
    const char *end = format.p + format.len;
    bool used = false;
    struct buf b;

    lib_buf(c, &b);
    while (p < end) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        struct verb f;

        buf_add(&b, p, (size_t)((percent != NULL ? percent : end) - p));
        if (percent == NULL)
            break;
        p = percent + 1;
        read_verb(&p, end, &f);
        if (f.width > WIDTH_MAX || f.precision > PRECISION_MAX)
            return call_raise(c, TMPL_EXC_LIMIT, "stringformat: a width is too large");
        if (vm_spend(c, f.width / 16 + 1) != 0)
            return -1;
        if (f.verb == 0) {
            buf_add_c(&b, "%!(NOVERB)");
        } else if (f.verb == '%') {
            buf_putc(&b, '%');
        } else if (used) {
            buf_add_c(&b, "%!");
            put_char(f.verb, &b);
            buf_add_c(&b, "(MISSING)");
        } else {
            used = true;
            if (!value_verb(c, &f, v, &b))
                bad_verb(c, &f, v, &b);
        }
    }
    if (!used && !val_is_none(v)) {
        buf_addf(&b, "%%!(EXTRA %s=", go_type(v));
        put_any(c, v, false, &b, 0);
        buf_putc(&b, ')');
    }
    return lib_finish(c, &b, 0, out);
}
