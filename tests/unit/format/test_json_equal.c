/*
 * Equality of JSON values, and that equal ones hash equally.
 */
#include "support/cases.h"

#include "base/json.h"
#include "format/json_equal.h"

static const struct row {
    const char *name;
    const char *a;
    const char *b;
    bool equal;
} rows[] = {
    {"1 and 1.0", "1", "1.0", true},
    {"1 and true", "1", "true", false},
    {"0 and false, deep", "[[0]]", "[[false]]", false},
    {"null and false", "null", "false", false},
    {"null", "null", "null", true},
    {"order of members", "{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", true},
    {"one member more", "{\"a\":1}", "{\"a\":1,\"b\":1}", false},
    {"other member", "{\"a\":null}", "{\"b\":null}", false},
    {"order of items", "[1,2]", "[2,1]", false},
    {"empty ones", "[]", "{}", false},
    {"long numbers", "123456789012345678901", "123456789012345678901", true},
    {"long number and its double", "100000000000000000000", "1e20", true},
    {"texts", "\"a\"", "\"a\"", true},
    {"text and number", "\"1\"", "1", false},
};

static void equal(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct err e;
    struct val x;
    struct val y;

    assert_int_equal(json_parse(str_c(r->a), &x, a, &e), 0);
    assert_int_equal(json_parse(str_c(r->b), &y, a, &e), 0);
    assert_int_equal(json_equal(x, y), r->equal);
    assert_int_equal(json_equal(y, x), r->equal);
    if (r->equal)
        assert_true(json_hash(x) == json_hash(y));
    arena_free(a);
}

int main(void)
{
    return CASES(rows, equal);
}
