/*
 * Floats in Python's repr form; the expected texts were printed by Python 3.11.
 */
#include "support/cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"

static const struct row {
    const char *name;
    double in;
    const char *want;
} rows[] = {
    {"one", 1.0, "1.0"},
    {"tenth", 0.1, "0.1"},
    {"sum with an error", 0.1 + 0.2, "0.30000000000000004"},
    {"third", 1.0 / 3.0, "0.3333333333333333"},
    {"negative", -2.5, "-2.5"},
    {"zero", 0.0, "0.0"},
    {"negative zero", -0.0, "-0.0"},
    {"hundred", 100.0, "100.0"},
    {"price", 1234.56, "1234.56"},
    {"last fixed", 1e15, "1000000000000000.0"},
    {"sixteen digits", 1234567890123456.0, "1234567890123456.0"},
    {"last below 1e16", 9999999999999998.0, "9999999999999998.0"},
    {"first with exponent", 1e16, "1e+16"},
    {"1e20", 1e20, "1e+20"},
    {"1e22", 1e22, "1e+22"},
    {"1e23", 1e23, "1e+23"},
    {"digits and exponent", 1.5e300, "1.5e+300"},
    {"smallest fixed", 0.0001, "0.0001"},
    {"first small exponent", 0.00001, "1e-05"},
    {"small with digits", 0.000012345, "1.2345e-05"},
    {"small fixed with digits", 0.00012345, "0.00012345"},
    {"three digit exponent", 1e-300, "1e-300"},
    {"largest", 1.7976931348623157e308, "1.7976931348623157e+308"},
    {"smallest normal", 2.2250738585072014e-308, "2.2250738585072014e-308"},
    {"smallest of all", 4.9406564584124654e-324, "5e-324"},
    {"subnormal", 1.2e-320, "1.2e-320"},
    {"below a power of two", 0x1p-44, "5.684341886080802e-14"},
    {"power of two", 0x1p100, "1.2676506002282294e+30"},
    {"2**53", 9007199254740992.0, "9007199254740992.0"},
    {"infinity", (double)INFINITY, "inf"},
    {"negative infinity", -(double)INFINITY, "-inf"},
    {"nan", (double)NAN, "nan"},
    {"nan has no sign", -(double)NAN, "nan"},
};

static void repr(const struct row *r)
{
    char out[33];

    out[val_float_repr(r->in, out)] = '\0';
    assert_string_equal(out, r->want);
}

/* Any bit pattern reads back as itself, in at most 24 characters, and no shorter text does. */
static void round_trip(void **state)
{
    uint64_t x = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double f = 0;
        char out[33];
        char shorter[40];
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(&f, &x, sizeof(f));
        if (!isfinite(f))
            continue;
        size_t n = val_float_repr(f, out);
        assert_in_range(n, 3, 24);
        out[n] = '\0';
        if (strtod(out, NULL) != f)
            fail_msg("%s is not %a", out, f);
        size_t digits = strcspn(out, "e") - (f < 0) - (strchr(out, '.') != NULL);
        if (digits < 3 || strchr(out, 'e') == NULL)
            continue;
        (void)snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, f);
        if (strtod(shorter, NULL) == f)
            fail_msg("%s could be %s", out, shorter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip)};

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, repr);
}
