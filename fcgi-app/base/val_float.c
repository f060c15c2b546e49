/*
 * The shortest decimal that reads back as the same double, in the form of Python's repr().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/value.h"

/* Significant digits and the place of the point: 0.d1d2... * 10^point. */
struct decimal {
    char digits[24];
    int n;
    int point;
};

static void from_integer(uint64_t m, int scale, struct decimal *d)
{
    char reversed[24];
    int n = 0;

    do {
        reversed[n++] = (char)('0' + m % 10);
        m /= 10;
    } while (m != 0);
    for (int i = 0; i < n; i++)
        d->digits[i] = reversed[n - 1 - i];
    d->n = n;
    d->point = n - scale;
}

/*
 * Most numbers people write have few decimals: try m / 10^k, exact operands and one rounding, so
 * that equality proves that the decimal reads back.  With fewer than 16 digits it is the only one
 * of its length.
 */
static bool try_short(double f, struct decimal *d)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

    if (f < 1e-4)
        return false;
    for (int k = 0; k < (int)COUNT_OF(tens); k++) {
        double scaled = f * tens[k];
        if (scaled >= 1e15)
            return false;
        uint64_t m = (uint64_t)(scaled + 0.5);
        if ((double)m / tens[k] == f) {
            from_integer(m, k, d);
            return true;
        }
    }
    return false;
}

__extension__ typedef unsigned __int128 wide;

static wide power_of_ten(int k)
{
    wide p = 1;

    for (; k > 0; k--)
        p *= 10;
    return p;
}

/* The multiple of `step` nearest to v / 2^shift, if any lies in low..high (both scaled
 * likewise). */
static bool nearest_multiple(wide v, wide low, wide high, bool closed, int shift, uint64_t step,
                             uint64_t *out)
{
    uint64_t below = (uint64_t)(v >> shift) / step * step;
    wide a = (wide)below << shift;
    wide b = (wide)(below + step) << shift;
    bool a_fits = closed ? a >= low : a > low;
    bool b_fits = closed ? b <= high : b < high;

    if (!a_fits && !b_fits)
        return false;
    bool nearer_above = b - v < v - a || (b - v == v - a && below / step % 2 == 1);
    *out = b_fits && (!a_fits || nearer_above) ? below + step : below;
    return true;
}

/*
 * All other numbers of everyday size, exactly: f = m * 2^e times 10^k fits 128 bits, and so do the
 * borders half way to the neighbours.  Of the integers between them the one with most zeros at the
 * end is the shortest; the borders themselves read back when m is even.
 */
static bool try_exact(double f, struct decimal *d)
{
    int exponent = 0;

    if (f < 1e-4 || f >= 0x1p50)
        return false;
    uint64_t m = (uint64_t)ldexp(frexp(f, &exponent), 53);
    int shift = 53 - exponent + 2; /* two more bits, for the borders */
    int k = 16 - (int)floor((exponent - 1) * 0.30103);
    wide scale = power_of_ten(k); /* at least 17 digits before the point, at most 10^21 */
    wide v = 4 * (wide)m * scale;
    wide low = v - (m == UINT64_C(1) << 52 ? 1 : 2) * scale; /* denser below a power of two */
    wide high = v + 2 * scale;
    uint64_t best = 0;
    uint64_t step = 1;

    while (nearest_multiple(v, low, high, m % 2 == 0, shift, step, &best))
        step *= 10;
    step /= 10;
    from_integer(best / step, k, d);
    d->point = d->n - k;
    for (; step > 1; step /= 10)
        d->point++;
    return true;
}

/* Digits and exponent out of "d.ddde+xx". */
static void from_text(const char *text, struct decimal *d)
{
    const char *p = text;

    d->n = 0;
    for (; *p != 'e'; p++) {
        if (*p != '.')
            d->digits[d->n++] = *p;
    }
    d->point = (int)strtol(p + 1, NULL, 10) + 1;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

/* Below a power of two doubles are twice as dense, so the decimal next above may do where the
 * nearest fails. */
static bool try_next_above(double f, char text[40])
{
    char *last = strchr(text, 'e') - 1;
    int exponent = 0;

    if (frexp(f, &exponent) != 0.5 || *last == '9')
        return false;
    ++*last;
    return strtod(text, NULL) == f;
}

static void try_all(double f, struct decimal *d)
{
    char text[40];
    int precision = f < 0x1p-1022 ? 1 : 15; /* 15 digits always survive, but for subnormals */

    for (; precision < 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, f);
        if (strtod(text, NULL) == f || try_next_above(f, text))
            break;
    }
    if (precision == 17)
        (void)snprintf(text, sizeof(text), "%.16e", f);
    from_text(text, d);
}

static size_t put(char *out, const char *s)
{
    size_t n = strlen(s);

    memcpy(out, s, n);
    return n;
}

/* Python: fixed point for 1e-4 <= f < 1e16, with ".0" when it is integral. */
static size_t put_fixed(const struct decimal *d, char *out)
{
    size_t at = 0;

    if (d->point <= 0) {
        at = put(out, "0.");
        for (int i = d->point; i < 0; i++)
            out[at++] = '0';
    }
    for (int i = 0; i < d->n || i < d->point; i++) {
        if (i == d->point && i > 0)
            out[at++] = '.';
        out[at++] = i < d->n ? d->digits[i] : '0';
    }
    if (d->n <= d->point)
        at += put(out + at, ".0");
    return at;
}

static size_t put_exponent(const struct decimal *d, char *out)
{
    int exponent = d->point - 1;
    size_t at = 0;

    out[at++] = d->digits[0];
    if (d->n > 1)
        out[at++] = '.';
    for (int i = 1; i < d->n; i++)
        out[at++] = d->digits[i];
    out[at++] = 'e';
    out[at++] = exponent < 0 ? '-' : '+';
    exponent = abs(exponent);
    if (exponent >= 100)
        out[at++] = (char)('0' + exponent / 100);
    out[at++] = (char)('0' + exponent / 10 % 10);
    out[at++] = (char)('0' + exponent % 10);
    return at;
}

size_t val_float_repr(double f, char out[32])
{
    struct decimal d = {.n = 0};
    size_t at = 0;

    if (isnan(f))
        return put(out, "nan");
    if (signbit(f))
        out[at++] = '-';
    f = fabs(f);
    if (isinf(f))
        return at + put(out + at, "inf");
    if (f == 0)
        return at + put(out + at, "0.0");
    if (!try_short(f, &d) && !try_exact(f, &d))
        try_all(f, &d);
    if (d.point > -4 && d.point <= 16)
        return at + put_fixed(&d, out + at);
    return at + put_exponent(&d, out + at);
}
