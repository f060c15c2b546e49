/*
 * Integers beyond 64 bits.
 *
 * A bigint is sign and bytes in an arena, so copying and dying are the arena's; operations turn
 * them into OpenSSL's BIGNUM and back.  They are rare, so the conversion does not matter.
 */
#include "base/bigint.h"

#include <math.h>
#include <stdlib.h>

#include <openssl/bn.h>

struct bigint {
    bool negative;
    uint32_t len;
    unsigned char bytes[]; /* magnitude, most significant first, no leading zeros */
};

/* OpenSSL reports a lack of memory only: which aborts, as in arenas. */
static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static void must_do(int ok)
{
    if (ok != 1)
        abort();
}

static int64_t small(struct val v)
{
    return v.type == VAL_BOOL ? (int64_t)v.u.b : v.u.i;
}

static BIGNUM *from_bigint(const struct bigint *b)
{
    BIGNUM *n = must(BN_bin2bn(b->bytes, (int)b->len, NULL));

    BN_set_negative(n, b->negative);
    return n;
}

static BIGNUM *from_int(int64_t i)
{
    BIGNUM *n = must(BN_new());

    must_do(BN_set_word(n, i < 0 ? 0 - (BN_ULONG)i : (BN_ULONG)i));
    BN_set_negative(n, i < 0);
    return n;
}

static BIGNUM *from_val(struct val v)
{
    return v.type == VAL_BIGINT ? from_bigint(v.u.big) : from_int(small(v));
}

/* A value of `n`: VAL_INT when it fits. */
static struct val to_val(const BIGNUM *n, struct arena *a)
{
    bool negative = BN_is_negative(n) != 0;

    if (BN_num_bits(n) <= 64) {
        uint64_t magnitude = BN_get_word(n);
        if (magnitude <= (uint64_t)INT64_MAX + negative)
            return val_int(negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude);
    }
    uint32_t len = (uint32_t)BN_num_bytes(n);
    struct bigint *b = arena_alloc(a, sizeof(*b) + len);
    b->negative = negative;
    b->len = len;
    (void)BN_bn2bin(n, b->bytes);
    return (struct val){.type = VAL_BIGINT, .u.big = b};
}

/* ---- arithmetic -------------------------------------------------------------------------- */

/* Quotient towards minus infinity, rest with the divisor's sign; either may be NULL.  b is not 0.
 */
static void floor_divide(BIGNUM *quotient, BIGNUM *rest, const BIGNUM *x, const BIGNUM *y,
                         BN_CTX *ctx)
{
    BIGNUM *q = must(BN_new());
    BIGNUM *m = must(BN_new());

    must_do(BN_div(q, m, x, y, ctx));
    if (!BN_is_zero(m) && BN_is_negative(m) != BN_is_negative(y)) {
        must_do(BN_add(m, m, y));
        must_do(BN_sub(q, q, BN_value_one()));
    }
    if (quotient != NULL)
        must(BN_copy(quotient, q));
    if (rest != NULL)
        must(BN_copy(rest, m));
    BN_free(q);
    BN_free(m);
}

/* y >= 0 and the result is known to be within the bound. */
static void power(BIGNUM *out, const BIGNUM *x, const BIGNUM *y, BN_CTX *ctx)
{
    must_do(BN_one(out));
    for (int bit = BN_num_bits(y) - 1; bit >= 0; bit--) {
        must_do(BN_sqr(out, out, ctx));
        if (BN_is_bit_set(y, bit))
            must_do(BN_mul(out, out, x, ctx));
    }
}

/* Whether x ** y stays within the bound: (bits - 1) * y bits are certain. */
static bool power_fits(const BIGNUM *x, const BIGNUM *y)
{
    int bits = BN_num_bits(x);

    if (bits <= 1) /* -1, 0, 1 */
        return true;
    return BN_num_bits(y) <= 32 && BN_get_word(y) <= (BN_ULONG)(BIGINT_BITS_MAX / (bits - 1));
}

static int check(enum bigint_op op, const BIGNUM *x, const BIGNUM *y, struct err *e)
{
    bool too_large = false;

    switch (op) {
    case BIG_FLOORDIV:
    case BIG_MOD:
        if (BN_is_zero(y)) {
            err_set(e, ERR_INVALID, "integer division or modulo by zero");
            return -1;
        }
        break;
    case BIG_POW:
        if (BN_is_negative(y)) {
            err_set(e, ERR_INVALID, "negative exponent");
            return -1;
        }
        too_large = !power_fits(x, y);
        break;
    case BIG_MUL:
        too_large = BN_num_bits(x) + BN_num_bits(y) > BIGINT_BITS_MAX + 1;
        break;
    default:
        break;
    }
    if (too_large)
        err_set(e, ERR_LIMIT, "integer of more than %d bits", BIGINT_BITS_MAX);
    return too_large ? -1 : 0;
}

static void compute(enum bigint_op op, BIGNUM *out, const BIGNUM *x, const BIGNUM *y)
{
    BN_CTX *ctx = must(BN_CTX_new());

    switch (op) {
    case BIG_ADD:
        must_do(BN_add(out, x, y));
        break;
    case BIG_SUB:
        must_do(BN_sub(out, x, y));
        break;
    case BIG_MUL:
        must_do(BN_mul(out, x, y, ctx));
        break;
    case BIG_FLOORDIV:
        floor_divide(out, NULL, x, y, ctx);
        break;
    case BIG_MOD:
        floor_divide(NULL, out, x, y, ctx);
        break;
    case BIG_POW:
        power(out, x, y, ctx);
        break;
    }
    BN_CTX_free(ctx);
}

int bigint_op(enum bigint_op op, struct val a, struct val b, struct val *out, struct arena *arena,
              struct err *e)
{
    BIGNUM *x = from_val(a);
    BIGNUM *y = from_val(b);
    BIGNUM *result = must(BN_new());
    int rc = -1;

    if (check(op, x, y, e) != 0)
        goto out;
    compute(op, result, x, y);
    if (BN_num_bits(result) > BIGINT_BITS_MAX) {
        err_set(e, ERR_LIMIT, "integer of more than %d bits", BIGINT_BITS_MAX);
        goto out;
    }
    *out = to_val(result, arena);
    rc = 0;
out:
    BN_free(x);
    BN_free(y);
    BN_free(result);
    return rc;
}

struct val bigint_neg(struct val v, struct arena *a)
{
    BIGNUM *n = from_val(v);

    BN_set_negative(n, !BN_is_negative(n));
    struct val out = to_val(n, a);
    BN_free(n);
    return out;
}

/* ---- text -------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 36;
}

/* As many digits at a time as fit a word, so that a long text does not cost a multiplication each.
 */
static bool parse_magnitude(struct str digits, int base, BIGNUM *n)
{
    BN_ULONG chunk = 0;
    BN_ULONG scale = 1;

    for (size_t i = 0; i < digits.len; i++) {
        int digit = digit_of(digits.p[i]);
        if (digit >= base)
            return false;
        chunk = chunk * (BN_ULONG)base + (BN_ULONG)digit;
        scale *= (BN_ULONG)base;
        if (scale > UINT32_MAX || i + 1 == digits.len) {
            must_do(BN_mul_word(n, scale));
            must_do(BN_add_word(n, chunk));
            if (BN_num_bits(n) > BIGINT_BITS_MAX)
                return false;
            chunk = 0;
            scale = 1;
        }
    }
    return true;
}

bool bigint_parse(struct str digits, int base, struct val *out, struct arena *a)
{
    bool negative = digits.len > 0 && digits.p[0] == '-';

    if (negative || (digits.len > 0 && digits.p[0] == '+'))
        digits = str_slice(digits, 1, digits.len);
    if (digits.len == 0)
        return false;
    BIGNUM *n = must(BN_new());
    bool ok = parse_magnitude(digits, base, n);
    if (ok) {
        BN_set_negative(n, negative);
        *out = to_val(n, a);
    }
    BN_free(n);
    return ok;
}

void bigint_write(const struct bigint *b, struct buf *out)
{
    BIGNUM *n = from_bigint(b);
    char *text = must(BN_bn2dec(n));

    buf_add_c(out, text);
    OPENSSL_free(text);
    BN_free(n);
}

/* ---- comparing, converting --------------------------------------------------------------- */

int bigint_sign(const struct bigint *b)
{
    return b->negative ? -1 : 1; /* zero fits 64 bits */
}

int bigint_cmp(struct val a, struct val b)
{
    BIGNUM *x = from_val(a);
    BIGNUM *y = from_val(b);
    int c = BN_cmp(x, y);

    BN_free(x);
    BN_free(y);
    return (c > 0) - (c < 0);
}

/* The top eight bytes with the rest folded into the last bit round as the whole would. */
double bigint_to_double(const struct bigint *b)
{
    uint64_t top = 0;
    uint32_t i = 0;

    if (b->len > 129) /* beyond 2**1024 */
        return b->negative ? -INFINITY : INFINITY;
    for (; i < b->len && i < 8; i++)
        top = top << 8 | b->bytes[i];
    int exponent = 8 * (int)(b->len - i);
    /* at least 57 bits are in `top`; of the others it only matters whether any is set */
    for (; i < b->len; i++)
        top |= b->bytes[i] != 0;
    double d = ldexp((double)top, exponent);
    return b->negative ? -d : d;
}

/* An integral number of at least 2^63, or its negative. */
static BIGNUM *from_double(double d)
{
    int exponent = 0;
    double mantissa = frexp(fabs(d), &exponent);
    BIGNUM *n = from_int((int64_t)ldexp(mantissa, 53));

    must_do(BN_lshift(n, n, exponent - 53));
    BN_set_negative(n, d < 0);
    return n;
}

int bigint_cmp_double(const struct bigint *b, double d)
{
    if (isinf(d) || fabs(d) < 0x1p63)
        return isinf(d) ? (d < 0) - (d > 0) : bigint_sign(b);
    BIGNUM *x = from_bigint(b);
    BIGNUM *y = from_double(d);
    int c = BN_cmp(x, y);
    BN_free(x);
    BN_free(y);
    return (c > 0) - (c < 0);
}

struct val bigint_from_double(double d, struct arena *a)
{
    if (float_fits_int(d))
        return val_int((int64_t)d);
    BIGNUM *n = from_double(d);
    struct val out = to_val(n, a);
    BN_free(n);
    return out;
}

uint64_t bigint_hash(const struct bigint *b)
{
    return str_hash(str_make((const char *)b->bytes, b->len)) ^ (b->negative ? 1 : 0);
}

const struct bigint *bigint_copy(const struct bigint *b, struct arena *a)
{
    return arena_dup(a, b, sizeof(*b) + b->len);
}
