/*
 * JSON text to values.
 *
 * One pass over text that was found to be UTF-8 before.  Values of unfinished arrays and objects
 * wait on a stack, so that each container is allocated once, at its final size.
 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/bigint.h"
#include "base/json_int.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/value_int.h"

#define QUOTED_AS_IS(x) #x
#define QUOTED(x) QUOTED_AS_IS(x)
#define TOO_DEEP(limit) "nested deeper than " QUOTED(limit)

enum { DIGITS_MAX = 30000 }; /* of an integer: what fits BIGINT_BITS_MAX */

bool json_fail(struct json_reader *r, const char *why)
{
    r->why = why;
    return false;
}

bool json_enter(struct json_reader *r)
{
    if (r->depth == r->limit)
        return json_fail(r, r->limit == LIMIT_JSON_KEPT ? TOO_DEEP(LIMIT_JSON_KEPT) : TOO_DEEP(LIMIT_JSON_DEPTH));
    r->depth++;
    return true;
}

int json_error(const struct json_reader *r, struct err *e)
{
    const char *line = r->start;
    int lines = 1;

    for (const char *p = r->start; p < r->at; p++) {
        if (*p == '\n') {
            lines++;
            line = p + 1;
        }
    }
    err_set(e, ERR_INVALID, "%s", r->why);
    if (e != NULL) {
        e->line = lines;
        e->column = (int)utf8_len(str_make(line, (size_t)(r->at - line))) + 1;
    }
    return -1;
}

/* ---- words, numbers, strings ------------------------------------------------------------- */

static bool word(struct json_reader *r, struct str text)
{
    if (!str_starts(str_make(r->at, (size_t)(r->end - r->at)), text))
        return json_fail(r, "expected a value");
    r->at += text.len;
    return true;
}

bool json_scan_word(struct json_reader *r, struct val *out)
{
    switch (json_peek(r)) {
    case 't':
        *out = val_bool(true);
        return word(r, STR("true"));
    case 'f':
        *out = val_bool(false);
        return word(r, STR("false"));
    default:
        *out = val_null();
        return word(r, STR("null"));
    }
}

/* Digits into the mantissa; leading zeros do not count. */
static void scan_digits(struct json_reader *r, struct json_number *n)
{
    for (; ascii_is_digit(json_peek(r)); r->at++) {
        if (n->n_digits > 0 || *r->at != '0')
            n->n_digits++;
        if (n->n_digits <= 19)
            n->mantissa = n->mantissa * 10 + (uint64_t)(*r->at - '0');
    }
}

static bool scan_exponent(struct json_reader *r, struct json_number *n)
{
    int exponent = 0;

    r->at++;
    bool negative = json_peek(r) == '-';
    if (negative || json_peek(r) == '+')
        r->at++;
    if (!ascii_is_digit(json_peek(r)))
        return json_fail(r, "expected a digit");
    for (; ascii_is_digit(json_peek(r)); r->at++) {
        if (exponent < 100000)
            exponent = exponent * 10 + (*r->at - '0');
    }
    n->exponent += negative ? -exponent : exponent;
    return true;
}

bool json_scan_number(struct json_reader *r, struct json_number *n)
{
    const char *from = r->at;

    *n = (struct json_number){.negative = *from == '-'};
    if (n->negative)
        r->at++;
    if (!ascii_is_digit(json_peek(r)))
        return json_fail(r, n->negative ? "expected a digit" : "expected a value");
    bool zero = *r->at == '0';
    const char *digits = r->at;
    scan_digits(r, n);
    if (zero && r->at - digits > 1) {
        r->at = digits;
        return json_fail(r, "number with a leading zero");
    }
    if (json_peek(r) == '.') {
        n->is_float = true;
        const char *fraction = ++r->at;
        scan_digits(r, n);
        if (r->at == fraction)
            return json_fail(r, "expected a digit");
        ptrdiff_t places = r->at - fraction;
        n->exponent = places < 1000000 ? -(int)places : -1000000;
    }
    if (json_peek(r) == 'e' || json_peek(r) == 'E') {
        n->is_float = true;
        if (!scan_exponent(r, n))
            return false;
    }
    n->raw = str_make(from, (size_t)(r->at - from));
    if (!n->is_float && n->n_digits > DIGITS_MAX) {
        r->at = from;
        return json_fail(r, "number out of range");
    }
    return true;
}

/* Exact when both the mantissa and the power of ten are exact doubles; else the C library rounds.
 */
bool json_float(struct json_reader *r, const struct json_number *n, double *out)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char small[64];

    if (n->n_digits <= 19 && n->mantissa <= UINT64_C(1) << 53 && abs(n->exponent) <= 22) {
        double m = (double)n->mantissa;
        *out = n->exponent < 0 ? m / tens[-n->exponent] : m * tens[n->exponent];
        *out = n->negative ? -*out : *out;
        return true;
    }
    /* strtod needs a NUL behind the number, which the text does not have */
    if (n->raw.len < sizeof(small)) {
        memcpy(small, n->raw.p, n->raw.len);
        small[n->raw.len] = '\0';
        *out = strtod(small, NULL);
    } else {
        *out = strtod(str_cstr(r->a, n->raw), NULL);
    }
    if (isinf(*out)) {
        r->at = n->raw.p;
        return json_fail(r, "number out of range");
    }
    return true;
}

static bool read_number(struct json_reader *r, struct val *out)
{
    struct json_number n;
    double f = 0;

    if (!json_scan_number(r, &n))
        return false;
    if (n.is_float) {
        if (!json_float(r, &n, &f))
            return false;
        *out = val_float(f);
        return true;
    }
    if (n.n_digits <= 19 && n.mantissa <= INT64_MAX) {
        *out = val_int(n.negative ? -(int64_t)n.mantissa : (int64_t)n.mantissa);
        return true;
    }
    if (!bigint_parse(n.raw, 10, out, r->a))
        return json_fail(r, "number out of range");
    return true;
}

/* Four hexadecimal digits at p, or -1. */
static int hex4(const char *p, const char *end)
{
    int v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = ascii_hex(p[i]);

        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* The escape at r->at, which is a backslash.  Halves of surrogate pairs have no UTF-8 form. */
static bool scan_escape(struct json_reader *r)
{
    char c = r->end - r->at > 1 ? r->at[1] : '\0';

    if (c != 'u') {
        if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
            return json_fail(r, "unknown escape in string");
        r->at += 2;
        return true;
    }
    int unit = hex4(r->at + 2, r->end);
    if (unit < 0)
        return json_fail(r, "expected four hexadecimal digits behind \"\\u\"");
    if (unit < 0xd800 || unit > 0xdfff) {
        r->at += 6;
        return true;
    }
    int low =
        r->end - r->at >= 12 && r->at[6] == '\\' && r->at[7] == 'u' ? hex4(r->at + 8, r->end) : -1;
    if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
        return json_fail(r, "half of a surrogate pair in string");
    r->at += 12;
    return true;
}

bool json_scan_string(struct json_reader *r, struct json_span *out)
{
    const char *from = r->at + 1;
    uint64_t high = 0;

    out->escaped = false;
    r->at = from;
    for (;;) {
        r->at = json_plain_run(r->at, r->end, &high);
        if (r->at == r->end)
            return json_fail(r, "string without end");
        if (*r->at == '"')
            break;
        if (*r->at != '\\')
            return json_fail(r, "control character in string");
        out->escaped = true;
        if (!scan_escape(r))
            return false;
    }
    out->raw = str_make(from, (size_t)(r->at - from));
    out->ascii = high == 0;
    r->at++;
    return true;
}

/* One checked escape at p: writes its character to *out, returns where it ends. */
static const char *decode_escape(const char *p, const char *end, char **out, bool *ascii)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";

    if (p[1] != 'u') {
        const char *known = strchr(from, p[1]);
        *(*out)++ = known != NULL ? to[known - from] : p[1];
        return p + 2;
    }
    uint32_t cp = (uint32_t)hex4(p + 2, end);
    p += 6;
    if (cp >= 0xd800 && cp <= 0xdfff) {
        cp = 0x10000 + ((cp - 0xd800) << 10) + ((uint32_t)hex4(p + 2, end) - 0xdc00);
        p += 6;
    }
    if (cp >= 0x80)
        *ascii = false;
    *out += utf8_put(*out, cp);
    return p;
}

struct val json_decode(struct json_reader *r, struct json_span *s)
{
    const char *p = s->raw.p;
    const char *end = p + s->raw.len;
    char *text = arena_bytes(r->a, s->raw.len); /* no escape is shorter than its character */
    char *out = text;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (p < end)
            p = decode_escape(p, end, &out, &s->ascii);
    }
    size_t len = (size_t)(out - text);
    return val_str(str_make(arena_grow(r->a, text, s->raw.len, len), len));
}

static bool read_string(struct json_reader *r, struct val *out)
{
    struct json_span s;

    if (!json_scan_string(r, &s))
        return false;
    *out = s.escaped ? json_decode(r, &s) : val_str(s.raw);
    out->flags = s.ascii ? VAL_F_ASCII : 0;
    return true;
}

/* ---- arrays and objects ------------------------------------------------------------------ */

static void push(struct json_reader *r, struct val v)
{
    if (r->n == r->cap) {
        size_t bytes = r->cap * sizeof(struct val);
        struct val *stack = realloc(r->stack == r->first ? NULL : r->stack, bytes * 2);
        if (stack == NULL)
            abort();
        if (r->stack == r->first)
            memcpy(stack, r->first, bytes);
        r->stack = stack;
        r->cap *= 2;
    }
    r->stack[r->n++] = v;
}

bool json_read_list(struct json_reader *r, struct val *out)
{
    size_t base = r->n;
    struct val item;

    if (!json_enter(r))
        return false;
    r->at++;
    json_blanks(r);
    bool more = json_peek(r) != ']';
    while (more) {
        if (!json_read_value(r, &item))
            return false;
        push(r, item);
        json_blanks(r);
        more = json_peek(r) == ',';
        if (more)
            r->at++;
        else if (json_peek(r) != ']')
            return json_fail(r, "expected ',' or ']'");
    }
    r->at++;
    r->depth--;
    size_t n = r->n - base;
    *out = val_list_new(r->a, n);
    if (n > 0)
        memcpy(out->u.list->items, r->stack + base, n * sizeof(struct val));
    out->u.list->n = (uint32_t)n;
    r->n = base;
    return true;
}

static bool read_member(struct json_reader *r)
{
    struct val key;
    struct val value;

    json_blanks(r);
    if (json_peek(r) != '"')
        return json_fail(r, "expected a member name in quotes");
    if (!read_string(r, &key))
        return false;
    json_blanks(r);
    if (json_peek(r) != ':')
        return json_fail(r, "expected ':'");
    r->at++;
    if (!json_read_value(r, &value))
        return false;
    push(r, key);
    push(r, value);
    return true;
}

bool json_read_dict(struct json_reader *r, struct val *out)
{
    size_t base = r->n;

    if (!json_enter(r))
        return false;
    r->at++;
    json_blanks(r);
    bool more = json_peek(r) != '}';
    while (more) {
        if (!read_member(r))
            return false;
        json_blanks(r);
        more = json_peek(r) == ',';
        if (more)
            r->at++;
        else if (json_peek(r) != '}')
            return json_fail(r, "expected ',' or '}'");
    }
    r->at++;
    r->depth--;
    *out = val_dict_new(r->a, (r->n - base) / 2);
    for (size_t i = base; i < r->n; i += 2)
        val_dict_set(*out, r->stack[i], r->stack[i + 1]);
    r->n = base;
    return true;
}

bool json_read_value(struct json_reader *r, struct val *out)
{
    json_blanks(r);
    switch (json_peek(r)) {
    case '"':
        return read_string(r, out);
    case '{':
    case '[':
        if (r->tape != NULL) {
            *out = json_lazy_child(r);
            return true;
        }
        return *r->at == '{' ? json_read_dict(r, out) : json_read_list(r, out);
    case 't':
    case 'f':
    case 'n':
        return json_scan_word(r, out);
    case '\0':
        return json_fail(r, "expected a value");
    default:
        return read_number(r, out);
    }
}

/* ---- whole texts ------------------------------------------------------------------------- */

void json_reader_init(struct json_reader *r, struct str text, unsigned limit, struct arena *a)
{
    r->at = r->start = text.p != NULL ? text.p : "";
    r->end = r->at + text.len;
    r->a = a;
    r->why = NULL;
    r->depth = 0;
    r->limit = limit;
    r->tape = NULL;
    r->stack = r->first;
    r->n = 0;
    r->cap = COUNT_OF(r->first);
}

void json_reader_release(struct json_reader *r)
{
    if (r->stack != r->first)
        free(r->stack);
}

int json_admit(struct str text, struct err *e)
{
    struct json_reader r;

    if (text.len >= UINT32_MAX) {
        err_set(e, ERR_LIMIT, "text of 4 GiB or more");
        return -1;
    }
    size_t bad = utf8_check(text);
    if (bad == text.len)
        return 0;
    json_reader_init(&r, text, LIMIT_JSON_DEPTH, NULL);
    r.at += bad;
    r.why = "text is not UTF-8";
    return json_error(&r, e);
}

static int parse(struct str text, unsigned limit, struct val *out, struct arena *a, struct err *e)
{
    struct json_reader r;

    if (json_admit(text, e) != 0)
        return -1;
    json_reader_init(&r, text, limit, a);
    bool ok = json_read_value(&r, out);
    if (ok) {
        json_blanks(&r);
        ok = r.at == r.end || json_fail(&r, "text goes on behind the value");
    }
    json_reader_release(&r);
    return ok ? 0 : json_error(&r, e);
}

int json_parse(struct str text, struct val *out, struct arena *a, struct err *e)
{
    return parse(text, LIMIT_JSON_DEPTH, out, a, e);
}

int json_parse_kept(struct str text, struct val *out, struct arena *a, struct err *e)
{
    return parse(text, LIMIT_JSON_KEPT, out, a, e);
}

int json_parse_copy(struct str text, struct val *out, struct arena *a, struct err *e)
{
    return json_parse(str_dup(a, text), out, a, e);
}
