/*
 * Running the keywords that assert something about a value themselves.
 *
 * Each holds for values of another type than it speaks of.
 * Rules: JSON Schema 2020-12 validation, section 6.
 */
#include "format/jsonschema_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/bigint.h"
#include "base/utf8.h"

enum { EXPONENT_MAX = 2000 };

static const struct {
    unsigned type;
    const char *name;
} words[] = {
    {JS_STRING, "a text"},
    {JS_NUMBER, "a number"},
    {JS_INTEGER, "a whole number"},
    {JS_BOOLEAN, "true or false"},
    {JS_OBJECT, "an object"},
    {JS_ARRAY, "a list"},
    {JS_NULL, "null"},
};

/* ---- type, const, enum ------------------------------------------------------------------- */

static unsigned type_of(struct val v)
{
    switch (v.type) {
    case VAL_UNDEF:
    case VAL_NULL:
        return JS_NULL;
    case VAL_BOOL:
        return JS_BOOLEAN;
    case VAL_INT:
    case VAL_BIGINT:
        return JS_INTEGER | JS_NUMBER;
    case VAL_FLOAT:
        return isfinite(v.u.f) && v.u.f == floor(v.u.f) ? JS_INTEGER | JS_NUMBER : JS_NUMBER;
    case VAL_STR:
    case VAL_BYTES:
        return JS_STRING;
    case VAL_LIST:
    case VAL_TUPLE:
        return JS_ARRAY;
    case VAL_DICT:
        return JS_OBJECT;
    default:
        return 0;
    }
}

static const char *got(struct val v)
{
    unsigned type = type_of(v);

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].type & type)
            return words[i].name;
    return "something else";
}

int js_run_type(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    unsigned wanted = c->u.types;
    struct buf b;

    if (wanted & type_of(data))
        return 1;
    if (r->quiet)
        return 0;
    if (wanted & JS_NUMBER)
        wanted &= ~(unsigned)JS_INTEGER;
    buf_init(&b, 256, r->a);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (wanted & words[i].type) {
            if (b.len > 0)
                buf_add_c(&b, " or ");
            buf_add_c(&b, words[i].name);
        }
    }
    return js_error(r, f, "expected %s, got %s", buf_cstr(&b), got(data));
}

int js_run_const(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    if (json_equal(data, c->u.value))
        return 1;
    return js_error(r, f, "must be %s", js_show(r, c->u.value));
}

int js_run_enum(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    size_t n = val_count(c->u.value);

    if (js_steps(r, n) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (json_equal(data, val_at(c->u.value, i)))
            return 1;
    return js_error(r, f, "must be one of %s", js_show(r, c->u.value));
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Order of the value against the keyword's; false when the value is no number. */
static bool order(struct val data, const struct js_check *c, int *out)
{
    return json_is_number(data) && val_cmp(data, c->u.value, out) == 0;
}

int js_run_minimum(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int o = 0;

    if (!order(data, c, &o) || o >= 0)
        return 1;
    return js_error(r, f, "must be at least %s", js_show(r, c->u.value));
}

int js_run_exclusive_minimum(struct js_run *r, const struct js_check *c, struct val data,
                             struct js_frame *f)
{
    int o = 0;

    if (!order(data, c, &o) || o > 0)
        return 1;
    return js_error(r, f, "must be more than %s", js_show(r, c->u.value));
}

int js_run_maximum(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int o = 0;

    if (!order(data, c, &o) || o <= 0)
        return 1;
    return js_error(r, f, "must be at most %s", js_show(r, c->u.value));
}

int js_run_exclusive_maximum(struct js_run *r, const struct js_check *c, struct val data,
                             struct js_frame *f)
{
    int o = 0;

    if (!order(data, c, &o) || o < 0)
        return 1;
    return js_error(r, f, "must be less than %s", js_show(r, c->u.value));
}

/* A number as whole digits and a power of ten: 0.0075 is 75 and -4.  That is how people mean it,
 * and what a division of doubles gets wrong. */
static bool decimal(struct val v, struct val *digits, int64_t *exponent, struct arena *a)
{
    char text[32];
    struct str rest;
    struct str mantissa;
    struct buf b;
    ptrdiff_t point;

    *exponent = 0;
    if (!val_is(v, VAL_FLOAT)) {
        *digits = v;
        return true;
    }
    if (!isfinite(v.u.f))
        return false;
    rest = str_make(text, val_float_repr(v.u.f, text));
    mantissa = str_cut(&rest, 'e');
    if (rest.len > 0 && rest.p[0] == '+')
        rest = str_slice(rest, 1, rest.len);
    if (rest.len > 0 && !str_to_int(rest, exponent))
        return false;
    point = str_find_char(mantissa, '.');
    buf_init(&b, sizeof text, a);
    if (point >= 0) {
        buf_add_str(&b, str_slice(mantissa, 0, (size_t)point));
        buf_add_str(&b, str_slice(mantissa, (size_t)point + 1, mantissa.len));
        *exponent -= (int64_t)mantissa.len - point - 1;
    } else {
        buf_add_str(&b, mantissa);
    }
    return bigint_parse(buf_str(&b), 10, digits, a);
}

/* digits times ten to the power of n */
static int scale(struct js_run *r, struct val *digits, int64_t n)
{
    struct val ten;

    if (n <= 0)
        return 0;
    if (n > EXPONENT_MAX) {
        err_set(r->e, ERR_LIMIT, "the number is too long");
        return -1;
    }
    if (bigint_op(BIG_POW, val_int(10), val_int(n), &ten, r->a, r->e) != 0)
        return -1;
    return bigint_op(BIG_MUL, *digits, ten, digits, r->a, r->e);
}

static int is_multiple(struct js_run *r, struct val v, struct val of)
{
    struct val a;
    struct val b;
    int64_t ea;
    int64_t eb;

    if (val_is(v, VAL_INT) && val_is(of, VAL_INT))
        return of.u.i == -1 || v.u.i % of.u.i == 0;
    if (!decimal(v, &a, &ea, r->a) || !decimal(of, &b, &eb, r->a))
        return 0;
    if (scale(r, &a, ea - eb) != 0 || scale(r, &b, eb - ea) != 0 ||
        bigint_op(BIG_MOD, a, b, &a, r->a, r->e) != 0)
        return -1;
    return val_is(a, VAL_INT) && a.u.i == 0;
}

int js_run_multiple_of(struct js_run *r, const struct js_check *c, struct val data,
                       struct js_frame *f)
{
    int rc = json_is_number(data) ? is_multiple(r, data, c->u.value) : 1;

    if (rc != 0)
        return rc;
    return js_error(r, f, "must be a multiple of %s", js_show(r, c->u.value));
}

/* ---- texts ------------------------------------------------------------------------------- */

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

int js_run_min_length(struct js_run *r, const struct js_check *c, struct val data,
                      struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!val_is(data, VAL_STR) || (int64_t)utf8_len(val_text(data)) >= n)
        return 1;
    if (n == 1)
        return js_error(r, f, "must not be empty");
    return js_error(r, f, "must have at least %lld characters", (long long)n);
}

int js_run_max_length(struct js_run *r, const struct js_check *c, struct val data,
                      struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!val_is(data, VAL_STR) || (int64_t)utf8_len(val_text(data)) <= n)
        return 1;
    return js_error(r, f, "must have at most %lld character%s", (long long)n, plural(n));
}

int js_run_pattern(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct regex_match m;
    int rc;

    if (!val_is(data, VAL_STR))
        return 1;
    rc = regex_exec(c->u.pattern.re, val_text(data), 0, &m, r->e);
    if (rc != 0)
        return rc;
    return js_error(r, f, "does not match the pattern \"%.*s\"", STR_ARG(c->u.pattern.text));
}

int js_run_format(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    if (!val_is(data, VAL_STR) || c->u.format->fits(val_text(data), r->a))
        return 1;
    return js_error(r, f, "is not %s", c->u.format->what);
}

/* ---- lists and objects ------------------------------------------------------------------- */

int js_run_min_items(struct js_run *r, const struct js_check *c, struct val data,
                     struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!json_is_array(data) || (int64_t)val_count(data) >= n)
        return 1;
    return js_error(r, f, "must have at least %lld item%s", (long long)n, plural(n));
}

int js_run_max_items(struct js_run *r, const struct js_check *c, struct val data,
                     struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!json_is_array(data) || (int64_t)val_count(data) <= n)
        return 1;
    return js_error(r, f, "must have at most %lld item%s", (long long)n, plural(n));
}

int js_run_min_properties(struct js_run *r, const struct js_check *c, struct val data,
                          struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!val_is(data, VAL_DICT) || (int64_t)val_count(data) >= n)
        return 1;
    return js_error(r, f, "must have at least %lld member%s", (long long)n, plural(n));
}

int js_run_max_properties(struct js_run *r, const struct js_check *c, struct val data,
                          struct js_frame *f)
{
    int64_t n = c->u.count;

    if (!val_is(data, VAL_DICT) || (int64_t)val_count(data) <= n)
        return 1;
    return js_error(r, f, "must have at most %lld member%s", (long long)n, plural(n));
}

int js_run_required(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int valid = 1;

    if (!val_is(data, VAL_DICT))
        return 1;
    for (size_t i = 0; i < c->u.required.n; i++) {
        struct js_path at = {.up = f->path, .name = c->u.required.names[i]};

        if (val_is_undef(val_get_str(data, at.name)))
            valid = js_error_at(r, &at, "is required");
    }
    return valid;
}

struct hashed {
    uint64_t hash;
    size_t at;
};

static int compare_hashed(const void *pa, const void *pb)
{
    const struct hashed *a = pa;
    const struct hashed *b = pb;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Items are compared only with those of the same hash. */
int js_run_unique_items(struct js_run *r, const struct js_check *c, struct val data,
                        struct js_frame *f)
{
    size_t n = json_is_array(data) ? val_count(data) : 0;
    struct hashed *h;

    (void)c;
    if (n < 2)
        return 1;
    h = ARENA_ARRAY(r->a, struct hashed, n);
    for (size_t i = 0; i < n; i++)
        h[i] = (struct hashed){json_hash(val_at(data, i)), i};
    qsort(h, n, sizeof *h, compare_hashed);
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0 && h[k - 1].hash == h[i].hash; k--) {
            if (js_steps(r, 1) != 0)
                return -1;
            if (json_equal(val_at(data, h[k - 1].at), val_at(data, h[i].at)))
                return js_error(r, f, "items %zu and %zu are equal", h[k - 1].at, h[i].at);
        }
    }
    return 1;
}
