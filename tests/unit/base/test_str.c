/*
 * Text slices.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/str.h"

static const struct int_row {
    const char *name;
    const char *in;
    bool ok;
    int64_t want;
} ints[] = {
    {"zero", "0", true, 0},
    {"plus", "+17", true, 17},
    {"minus", "-17", true, -17},
    {"leading zeros", "0007", true, 7},
    {"largest", "9223372036854775807", true, INT64_MAX},
    {"smallest", "-9223372036854775808", true, INT64_MIN},
    {"one beyond the largest", "9223372036854775808", false, 0},
    {"one beyond the smallest", "-9223372036854775809", false, 0},
    {"empty", "", false, 0},
    {"sign only", "-", false, 0},
    {"blank in front", " 1", false, 0},
    {"letter behind", "1x", false, 0},
    {"two signs", "+-1", false, 0},
};

static void reads_int(const struct int_row *r)
{
    int64_t got = 0;

    assert_int_equal(str_to_int(str_c(r->in), &got), r->ok);
    assert_true(got == r->want);
}

static const struct guid_row {
    const char *name;
    const char *in;
    bool want;
} guids[] = {
    {"lower case", "0f8fad5b-d9cb-469f-a165-70867728950e", true},
    {"upper case", "0F8FAD5B-D9CB-469F-A165-70867728950E", true},
    {"empty", "", false},
    {"one digit short", "0f8fad5b-d9cb-469f-a165-70867728950", false},
    {"one digit more", "0f8fad5b-d9cb-469f-a165-70867728950e0", false},
    {"without dashes", "0f8fad5bd9cb469fa16570867728950e", false},
    {"a dash moved", "0f8fad5bd-9cb-469f-a165-70867728950e", false},
    {"a letter behind f", "0g8fad5b-d9cb-469f-a165-70867728950e", false},
    {"in braces", "{0f8fad5b-d9cb-469f-a165-70867728950}", false},
};

static void knows_guid(const struct guid_row *r)
{
    assert_int_equal(str_is_guid(str_c(r->in)), r->want);
}

static void compares(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("\xc3"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_eq(STR_NONE, STR("")));
    assert_false(str_eq(STR("a"), STR("A")));
    assert_true(str_eq_c(STR("abc"), "abc"));
    assert_true(str_ieq(STR("Content-Type"), STR("content-tYPE")));
    assert_false(str_ieq(STR("["), STR("{")));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR_NONE));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_false(str_ends(STR("c"), STR("bc")));
}

static void finds(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("hello"), STR("ll")), 2);
    assert_int_equal(str_find(STR("hello"), STR("lx")), -1);
    assert_int_equal(str_find(STR("hello"), STR("")), 0);
    assert_int_equal(str_find(STR_NONE, STR("x")), -1);
    assert_int_equal(str_find_char(STR("a.b.c"), '.'), 1);
    assert_int_equal(str_rfind_char(STR("a.b.c"), '.'), 3);
    assert_int_equal(str_find_char(STR_NONE, '.'), -1);
    assert_int_equal(str_rfind_char(STR_NONE, '.'), -1);
}

static void cuts(void **state)
{
    struct str rest = STR("a=b=c");

    (void)state;
    assert_true(str_eq_c(str_cut(&rest, '='), "a"));
    assert_true(str_eq_c(rest, "b=c"));
    assert_true(str_eq_c(str_cut(&rest, '='), "b"));
    assert_true(str_eq_c(str_cut(&rest, '='), "c"));
    assert_int_equal(rest.len, 0);
    assert_true(str_eq_c(str_cut(&rest, '='), ""));
    assert_true(str_eq_c(str_slice(STR("hello"), 1, 3), "el"));
    assert_true(str_eq_c(str_slice(STR("hello"), 3, 99), "lo"));
    assert_true(str_eq_c(str_slice(STR("hello"), 9, 12), ""));
    assert_true(str_eq_c(str_slice(STR("hello"), 3, 1), ""));
    assert_true(str_eq_c(str_trim(STR(" \t\r\n x y \v\f")), "x y"));
    assert_true(str_eq_c(str_trim(STR("   ")), ""));
}

static void copies(void **state)
{
    struct arena *a = arena_new(0);
    struct str s = str_dup(a, STR("abc"));

    (void)state;
    assert_int_equal(s.p[3], 0);
    assert_true(str_eq_c(str_lower(a, STR("ABC-\xc3\x84")), "abc-\xc3\x84"));
    assert_string_equal(str_cstr(a, STR_NONE), "");
    assert_true(str_eq_c(str_printf(a, "%s=%d", "x", 3), "x=3"));
    arena_free(a);
}

/* All lengths up to several steps of the hash: no two prefixes may collide, one changed byte must
 * show. */
static void hashes(void **state)
{
    char text[40];
    uint64_t seen[40];

    (void)state;
    for (size_t n = 0; n < 40; n++) {
        text[n] = 'x';
        seen[n] = str_hash(str_make(text, n));
        assert_true(seen[n] == str_hash(str_make(text, n)));
        for (size_t i = 0; i < n; i++) {
            assert_true(seen[i] != seen[n]);
            text[i] = 'y';
            assert_true(str_hash(str_make(text, n)) != seen[n]);
            text[i] = 'x';
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares), cmocka_unit_test(finds),  cmocka_unit_test(cuts),
        cmocka_unit_test(copies),   cmocka_unit_test(hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(ints, reads_int) + CASES(guids, knows_guid);
}
