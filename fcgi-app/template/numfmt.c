/*
 * Numbers as text: digits in a base, floats after a type letter, signs, grouping, filling.
 */
#include "template/numfmt.h"

#include <ctype.h>
#include <math.h>

#include "base/bigint.h"
#include "base/utf8.h"
#include "template/text.h"

static int base_of(char type)
{
    switch (type) {
    case 'b':
        return 2;
    case 'o':
        return 8;
    case 'x':
    case 'X':
        return 16;
    default:
        return 10;
    }
}

static const char *prefix_of(char type)
{
    switch (type) {
    case 'b':
        return "0b";
    case 'o':
        return "0o";
    case 'x':
        return "0x";
    case 'X':
        return "0X";
    default:
        return "";
    }
}

/* Digits of a small number at the end of `text`. */
static struct str small_digits(uint64_t n, int base, bool upper, char *text, size_t size)
{
    size_t i = size;

    do {
        text[--i] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[n % (uint64_t)base];
        n /= (uint64_t)base;
    } while (n > 0);
    return str_make(text + i, size - i);
}

/* Digits of a positive big integer: decimal by the library, other bases in pieces of 32 bits. */
static int big_digits(struct call *c, struct val v, int base, bool upper, struct str *out)
{
    struct buf b;
    struct val piece;
    size_t n = 0;
    uint32_t *words;
    bool leading = true;

    buf_init(&b, LIB_TEXT_MAX, c->a);
    if (base == 10) {
        bigint_write(v.u.big, &b);
        *out = buf_str(&b);
        return 0;
    }
    words = arena_alloc(c->a, 4096 * sizeof *words);
    for (; v.type == VAL_BIGINT || v.u.i != 0; n++) {
        if (n == 4096)
            return call_raise(c, TMPL_EXC_OVERFLOW, "int too large to format");
        if (bigint_op(BIG_MOD, v, val_int(1LL << 32), &piece, c->a, c->e) != 0 ||
            bigint_op(BIG_FLOORDIV, v, val_int(1LL << 32), &v, c->a, c->e) != 0)
            return -1;
        words[n] = (uint32_t)piece.u.i;
    }
    if (base == 8) { /* three bits do not divide 32: go by bits */
        for (size_t bit = (n * 32 / 3 + 1) * 3; bit >= 3; bit -= 3) {
            unsigned digit = 0;

            for (size_t k = bit; k-- > bit - 3;)
                digit = digit * 2 + (k / 32 < n ? words[k / 32] >> (k % 32) & 1 : 0);
            leading = leading && digit == 0;
            if (!leading)
                buf_putc(&b, (char)('0' + digit));
        }
    } else {
        unsigned bits = base == 16 ? 4 : 1;

        for (size_t bit = n * 32; bit > 0; bit -= bits) {
            size_t low = bit - bits;
            unsigned digit = words[low / 32] >> (low % 32) & ((1u << bits) - 1);

            leading = leading && digit == 0;
            if (!leading)
                buf_putc(&b, (upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit]);
        }
    }
    *out = buf_str(&b);
    return 0;
}

int num_int_text(struct call *c, struct val v, char type, bool alt, struct num_text *out)
{
    int base = base_of(type);

    out->prefix = alt ? prefix_of(type) : "";
    out->rest = STR("");
    out->digits = true;
    if (v.type == VAL_BIGINT) {
        out->negative = bigint_sign(v.u.big) < 0;
        if (out->negative)
            v = bigint_neg(v, c->a);
        return big_digits(c, v, base, type == 'X', &out->whole);
    }
    if (v.type == VAL_BOOL)
        v = val_int(v.u.b);
    out->negative = v.u.i < 0;
    out->whole = small_digits(v.u.i < 0 ? 0 - (uint64_t)v.u.i : (uint64_t)v.u.i, base, type == 'X',
                              out->small, sizeof out->small);
    return 0;
}

/* printf with a precision that is bounded already. */
static const char *print_float(struct arena *a, char type, int precision, bool alt, double f)
{
    switch (type | 32) {
    case 'e':
        return alt ? arena_printf(a, "%#.*e", precision, f) : arena_printf(a, "%.*e", precision, f);
    case 'f':
        return alt ? arena_printf(a, "%#.*f", precision, f) : arena_printf(a, "%.*f", precision, f);
    default:
        return alt ? arena_printf(a, "%#.*g", precision, f) : arena_printf(a, "%.*g", precision, f);
    }
}

/* Zeros at the end of a fraction go, but for one when the point would stand alone. */
static size_t without_zeros(const char *digits, size_t n, bool keep_one)
{
    if (memchr(digits, '.', n) == NULL)
        return n;
    while (digits[n - 1] == '0')
        n--;
    if (digits[n - 1] == '.')
        n = keep_one ? n + 1 : n - 1;
    return n;
}

/* No type letter but a precision: like g, and what has no exponent has a digit behind its point. */
static const char *print_general(struct arena *a, int precision, bool alt, double f)
{
    int p = precision > 0 ? precision : 1;
    const char *text = arena_printf(a, "%.*e", p - 1, f);
    const char *e = strchr(text, 'e');
    int point = (int)strtol(e + 1, NULL, 10) + 1; /* digits before the point */
    size_t n = (size_t)(e - text);

    if (point > -4 && point <= p - 1) {
        text = arena_printf(a, "%.*f", p - point, f);
        n = strlen(text);
        return alt ? text : arena_strndup(a, text, without_zeros(text, n, true));
    }
    if (alt)
        return arena_printf(a, "%.*s%s%s", (int)n, text, memchr(text, '.', n) == NULL ? "." : "",
                            e);
    return arena_printf(a, "%.*s%s", (int)without_zeros(text, n, false), text, e);
}

void num_float_text(struct call *c, double f, const struct fmt_spec *spec, struct num_text *out)
{
    char type = spec->type == 'n' ? 'g' : spec->type == '%' ? 'f' : spec->type;
    int precision = spec->precision < 0 ? 6 : spec->precision > 1000000 ? 1000000 : (int)spec->precision;
    char shortest[32];
    const char *text;
    size_t whole = 0;

    out->negative = signbit(f) && !isnan(f);
    out->prefix = "";
    out->digits = isfinite(f);
    f = fabs(f);
    if (spec->type == '%')
        f *= 100;
    if (type == 0 && spec->precision < 0) {
        size_t n = val_float_repr(f, shortest);

        text = arena_strndup(c->a, shortest, n);
        if (spec->alt && isfinite(f) && strchr(text, '.') == NULL)
            text = arena_printf(c->a, "%.*s.%s", (int)strcspn(text, "e"), text,
                                text + strcspn(text, "e"));
    } else if (type == 0 && isfinite(f)) {
        text = print_general(c->a, precision, spec->alt, f);
    } else {
        text = print_float(c->a, type, precision, spec->alt, f);
    }
    if (spec->type != 0 && isupper((unsigned char)spec->type)) {
        char *up = arena_strdup(c->a, text);

        for (char *p = up; *p != '\0'; p++)
            *p = (char)toupper((unsigned char)*p);
        text = up;
    }
    if (spec->positive_zero && out->negative && strspn(text, "0.") == strcspn(text, "eE"))
        out->negative = false;
    while (isdigit((unsigned char)text[whole]) || (!out->digits && text[whole] != '\0'))
        whole++;
    out->whole = str_make(text, whole);
    out->rest = spec->type == '%' ? str_printf(c->a, "%s%%", text + whole) : str_c(text + whole);
}

/* Digits in groups, at least `min` characters wide (filled with zeros, which are grouped too). */
static struct str group(struct str digits, char sep, size_t every, size_t min, struct arena *a)
{
    size_t max = (digits.len > min ? digits.len : min) * 2 + 2;
    char *text = arena_alloc(a, max);
    size_t at = max;
    size_t n = 0;
    size_t i = digits.len;

    while (i > 0 || max - at < min) {
        if (n > 0 && n % every == 0) {
            text[--at] = sep;
            if (i == 0 && max - at >= min) {
                text[--at] = '0';
                break;
            }
        }
        text[--at] = i > 0 ? digits.p[--i] : '0';
        n++;
    }
    return str_make(text + at, max - at);
}

void num_put(const struct num_text *n, const struct fmt_spec *spec, struct arena *a,
             struct buf *out)
{
    char sign = n->negative ? '-' : spec->sign == '+' || spec->sign == ' ' ? spec->sign : 0;
    size_t fixed = (sign != 0) + strlen(n->prefix) + n->rest.len;
    struct str whole = n->whole;
    struct str fill = spec->fill;
    char align = spec->align != 0 ? spec->align : '>';
    size_t fill_n;
    size_t before;

    if (n->digits && spec->grouping != 0) {
        bool zeros = align == '=' && str_eq_c(fill, "0");
        size_t min = zeros && spec->width > (int64_t)fixed ? (size_t)spec->width - fixed : 0;

        whole = group(whole, spec->grouping, base_of(spec->type) == 10 ? 3 : 4, min, a);
    }
    fill_n =
        spec->width > (int64_t)(fixed + whole.len) ? (size_t)spec->width - fixed - whole.len : 0;
    before = align == '>' ? fill_n : align == '^' ? fill_n / 2 : 0;
    text_fill(fill, before, out);
    if (sign != 0)
        buf_putc(out, sign);
    buf_add_c(out, n->prefix);
    if (align == '=')
        text_fill(fill, fill_n, out);
    buf_add_str(out, whole);
    buf_add_str(out, n->rest);
    if (align == '<' || align == '^')
        text_fill(fill, fill_n - before, out);
}

void fmt_pad(struct str text, const struct fmt_spec *spec, char align, struct buf *out)
{
    size_t len = utf8_len(text);
    size_t n = spec->width > (int64_t)len ? (size_t)spec->width - len : 0;
    size_t before;

    if (spec->align != 0)
        align = spec->align;
    before = align == '>' ? n : align == '^' ? n / 2 : 0;
    text_fill(spec->fill, before, out);
    buf_add_str(out, text);
    text_fill(spec->fill, n - before, out);
}
