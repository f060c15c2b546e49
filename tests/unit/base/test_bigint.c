/*
 * Integers beyond 64 bits; the expected results were computed by Python 3.11.
 */
#include "support/cases.h"

#include <math.h>
#include <string.h>

#include "base/bigint.h"

static struct val read_int(const char *text, struct arena *a)
{
    struct val v = val_undef(NULL);

    if (!bigint_parse(str_c(text), 10, &v, a))
        fail_msg("%s", text);
    return v;
}

static const struct op_row {
    const char *name;
    const char *a;
    enum bigint_op op;
    const char *b;
    const char *want; /* the result, or the error */
    enum err_code code;
} ops[] = {
    {"add beyond", "9223372036854775807", BIG_ADD, "1", "9223372036854775808", 0},
    {"sub beyond", "-9223372036854775808", BIG_SUB, "1", "-9223372036854775809", 0},
    {"back to 64 bits", "9223372036854775808", BIG_SUB, "1", "9223372036854775807", 0},
    {"back to the smallest", "-9223372036854775809", BIG_ADD, "1", "-9223372036854775808", 0},
    {"mul", "12345678901234567890", BIG_MUL, "-98765432109876543210",
     "-1219326311370217952237463801111263526900", 0},
    {"floor division", "100000000000000000000", BIG_FLOORDIV, "3", "33333333333333333333", 0},
    {"floor division, negative", "-100000000000000000000", BIG_FLOORDIV, "3",
     "-33333333333333333334", 0},
    {"floor division by negative", "7", BIG_FLOORDIV, "-2", "-4", 0},
    {"exact negative division", "-8", BIG_FLOORDIV, "2", "-4", 0},
    {"smallest by -1", "-9223372036854775808", BIG_FLOORDIV, "-1", "9223372036854775808", 0},
    {"mod", "100000000000000000000", BIG_MOD, "7", "2", 0},
    {"mod of negative", "-100000000000000000000", BIG_MOD, "7", "5", 0},
    {"mod by negative", "7", BIG_MOD, "-3", "-2", 0},
    {"mod without rest", "-6", BIG_MOD, "3", "0", 0},
    {"pow", "2", BIG_POW, "100", "1267650600228229401496703205376", 0},
    {"pow negative", "-3", BIG_POW, "41", "-36472996377170786403", 0},
    {"pow zero", "0", BIG_POW, "0", "1", 0},
    {"one to a huge power", "-1", BIG_POW, "100000000000000000001", "-1", 0},
    {"zero divisor", "5", BIG_FLOORDIV, "0", "integer division or modulo by zero", ERR_INVALID},
    {"zero modulus", "5", BIG_MOD, "0", "integer division or modulo by zero", ERR_INVALID},
    {"negative exponent", "2", BIG_POW, "-1", "negative exponent", ERR_INVALID},
    {"too large", "10", BIG_POW, "1000000", "integer of more than 100000 bits", ERR_LIMIT},
    {"far too large", "2", BIG_POW, "100000000000000000000", "integer of more than 100000 bits",
     ERR_LIMIT},
};

static void computes(const struct op_row *r)
{
    struct arena *a = arena_new(0);
    struct val out = val_undef(NULL);
    struct err e;

    if (bigint_op(r->op, read_int(r->a, a), read_int(r->b, a), &out, a, &e) != 0) {
        assert_string_equal(e.msg, r->want);
        assert_int_equal(e.code, r->code);
    } else {
        assert_int_equal(r->code, 0);
        assert_string_equal(str_cstr(a, val_str_of(out, a)), r->want);
    }
    arena_free(a);
}

static const struct parse_row {
    const char *name;
    const char *in;
    int base;
    const char *want; /* NULL: not a number */
} parses[] = {
    {"decimal", "123456789012345678901234567890", 10, "123456789012345678901234567890"},
    {"sign", "+00000000000000000000000000000007", 10, "7"},
    {"fits", "9223372036854775807", 10, "9223372036854775807"},
    {"smallest", "-9223372036854775808", 10, "-9223372036854775808"},
    {"hexadecimal", "-FFffFFffFFffFFffFF", 16, "-4722366482869645213695"},
    {"binary", "10000000000000000000000000000000000000000000000000000000000000000", 2,
     "18446744073709551616"},
    {"base 36", "zzzzzzzzzzzzzzzz", 36, "7958661109946400884391935"},
    {"digit outside the base", "102", 2, NULL},
    {"empty", "", 10, NULL},
    {"sign only", "-", 10, NULL},
    {"point", "1.5", 10, NULL},
    {"blank", " 1", 10, NULL},
};

static void parses_text(const struct parse_row *r)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);

    assert_int_equal(bigint_parse(str_c(r->in), r->base, &v, a), r->want != NULL);
    if (r->want != NULL)
        assert_string_equal(str_cstr(a, val_str_of(v, a)), r->want);
    arena_free(a);
}

static void normalised(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    assert_true(val_is(read_int("9223372036854775807", a), VAL_INT));
    assert_true(val_is(read_int("9223372036854775808", a), VAL_BIGINT));
    assert_true(val_is(read_int("-9223372036854775808", a), VAL_INT));
    assert_true(val_is(read_int("-9223372036854775809", a), VAL_BIGINT));
    struct val v = bigint_neg(val_int(INT64_MIN), a);
    assert_true(val_is(v, VAL_BIGINT));
    assert_int_equal(bigint_sign(v.u.big), 1);
    assert_true(bigint_neg(v, a).u.i == INT64_MIN);
    assert_int_equal(bigint_neg(val_bool(true), a).u.i, -1);
    assert_int_equal(bigint_cmp(v, val_int(INT64_MIN)), 1);
    assert_int_equal(bigint_cmp(val_bool(true), val_int(1)), 0);
    arena_free(a);
}

static void to_and_from_double(void **state)
{
    static const struct {
        const char *text;
        double want;
    } rows[] = {
        {"9223372036854775808", 0x1p63},
        {"-9223372036854775809", -0x1p63},
        {"36893488147419103232", 0x1p65},
        {"36893488147419107328", 0x1p65},               /* half way, to even */
        {"36893488147419107329", 0x1.0000000000001p65}, /* just above half way */
        {"100000000000000000000000", 1e23},
        {"123456789012345678901234567890123456789012345678901234567890", 1.2345678901234568e59},
    };
    struct arena *a = arena_new(0);
    char large[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(bigint_to_double(read_int(rows[i].text, a).u.big) == rows[i].want);
    memset(large, '9', 309);
    large[309] = '\0';
    assert_true(isinf(bigint_to_double(read_int(large, a).u.big)));
    assert_true(val_hash(read_int(large, a)) != 0);
    assert_int_equal(bigint_cmp_double(read_int(large, a).u.big, 1.7976931348623157e308), 1);
    large[308] = '\0';
    assert_true(bigint_to_double(read_int(large, a).u.big) == 1e308);

    assert_true(bigint_from_double(-5.0, a).u.i == -5);
    assert_true(bigint_from_double(-0x1p63, a).u.i == INT64_MIN);
    assert_true(str_eq_c(val_str_of(bigint_from_double(1e23, a), a), "99999999999999991611392"));
    assert_true(str_eq_c(val_str_of(bigint_from_double(-0x1p64, a), a), "-18446744073709551616"));
    arena_free(a);
}

/* What is at the bound still works in both directions. */
static void the_bound(void **state)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;

    (void)state;
    assert_int_equal(bigint_op(BIG_POW, val_int(2), val_int(99999), &v, a, &e), 0);
    struct str text = val_str_of(v, a);
    struct val again = val_undef(NULL);
    assert_true(bigint_parse(text, 10, &again, a));
    assert_true(val_eq(v, again));
    assert_int_equal(bigint_op(BIG_ADD, v, v, &v, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    char *digits = arena_alloc(a, 40000);
    memset(digits, '9', 40000);
    assert_false(bigint_parse(str_make(digits, 40000), 10, &v, a));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalised),
        cmocka_unit_test(to_and_from_double),
        cmocka_unit_test(the_bound),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    failed += CASES(ops, computes);
    return failed + CASES(parses, parses_text);
}
