/*
 * JMESPath: what each construct and each function gives, and what is refused where.
 */
#include <stdio.h>
#include <string.h>

#include "support/cases.h"

#include "base/json.h"
#include "format/jmespath.h"

static const char document[] =
    "{\"a\":{\"b\":{\"c\":1}},\"l\":[0,1,2,3,4],\"n\":null,"
    "\"m\":[[1,2],[3],4],\"p\":[{\"n\":\"x\",\"v\":3},{\"n\":\"y\",\"v\":1},{\"n\":\"z\"}],"
    "\"o\":{\"x\":{\"k\":1},\"y\":{\"k\":2},\"z\":5},\"s\":\"h\u00e9llo\",\"t\":true,\"e\":[],"
    "\"big\":123456789012345678901,\"f\":-1.5,\"w\":[\"b\",\"a\"]}";

/* The result as JSON, or "!column message". */
static const struct row {
    const char *name;
    const char *expression;
    const char *want;
} rows[] = {
    {"field", "a.b.c", "1"},
    {"missing is null", "a.x.c", "null"},
    {"field of a text is null", "s.x", "null"},
    {"quoted name", "\"a\".\"b\"", "{\"c\":1}"},
    {"index", "l[1]", "1"},
    {"index from the end", "l[-1]", "4"},
    {"index beyond the end", "l[9]", "null"},
    {"slice", "l[1:3]", "[1,2]"},
    {"slice with step", "l[::2]", "[0,2,4]"},
    {"slice backwards", "l[::-1]", "[4,3,2,1,0]"},
    {"slice clamps", "l[-100:100:3]", "[0,3]"},
    {"slice with a huge step", "l[::9223372036854775807]", "[0]"},
    {"slice projects", "p[:2].v", "[3,1]"},
    {"wildcard drops nulls", "p[*].v", "[3,1]"},
    {"wildcard over values", "o.*.k", "[1,2]"},
    {"wildcard over a text", "s.*", "null"},
    {"flatten", "m[]", "[1,2,3,4]"},
    {"filter", "p[?v > `1`].n", "[\"x\"]"},
    {"filter and not", "p[?!v].n", "[\"z\"]"},
    {"filter by equality", "p[?n == 'y']", "[{\"n\":\"y\",\"v\":1}]"},
    {"true is not 1", "t == `1`", "false"},
    {"1 is 1.0", "`1` == `1.0`", "true"},
    {"order of texts", "'a' < 'b'", "true"},
    {"order of different kinds is null", "'a' < `1`", "null"},
    {"or takes the first that is true", "n || e || s", "\"h\u00e9llo\""},
    {"and", "t && a.b.c", "1"},
    {"and binds tighter than or", "`1` || `2` && `3`", "1"},
    {"parentheses end a projection", "(p[*].v)[0]", "3"},
    {"pipe ends a projection", "p[*].v | [0]", "3"},
    {"list of expressions", "a.[b.c, x]", "[1,null]"},
    {"hash of expressions", "{x: t, \"y z\": l[0]}", "{\"x\":true,\"y z\":0}"},
    {"raw text", "'it\\'s \\n'", "\"it's \\\\n\""},
    {"literal with a backtick", "`\"\\`\"`", "\"`\""},
    {"bare word in backticks", "`word`", "\"word\""},
    {"whole numbers of any length", "big", "123456789012345678901"},
    {"current", "@.t", "true"},

    {"abs", "abs(f)", "1.5"},
    {"abs of the smallest number", "abs(`-9223372036854775808`)", "9223372036854775808"},
    {"avg", "avg(l)", "2.0"},
    {"avg of nothing", "avg(e)", "null"},
    {"ceil", "ceil(f)", "-1"},
    {"floor", "floor(f)", "-2"},
    {"contains item", "contains(l, `3`)", "true"},
    {"contains text", "contains(s, 'll')", "true"},
    {"ends_with", "ends_with(s, 'lo')", "true"},
    {"starts_with", "starts_with(s, 'lo')", "false"},
    {"join", "join('-', w)", "\"b-a\""},
    {"keys", "keys(a)", "[\"b\"]"},
    {"values", "values(a.b)", "[1]"},
    {"length counts characters", "length(s)", "5"},
    {"map keeps nulls", "map(&v, p)", "[3,1,null]"},
    {"max", "max(w)", "\"b\""},
    {"min of nothing", "min(e)", "null"},
    {"max_by", "max_by(p[:2], &v).n", "\"x\""},
    {"min_by", "min_by(p[:2], &v).n", "\"y\""},
    {"merge", "merge(`{\"a\":1,\"b\":1}`, `{\"b\":2}`)", "{\"a\":1,\"b\":2}"},
    {"not_null", "not_null(n, a.x, t)", "true"},
    {"reverse text", "reverse(s)", "\"oll\u00e9h\""},
    {"reverse list", "reverse(w)", "[\"a\",\"b\"]"},
    {"sort", "sort(w)", "[\"a\",\"b\"]"},
    {"sort_by", "sort_by(p[:2], &v)[].n", "[\"y\",\"x\"]"},
    {"sum is exact", "sum([big, `1`])", "123456789012345678902"},
    {"to_array", "to_array(t)", "[true]"},
    {"to_number", "to_number('1e3')", "1000.0"},
    {"to_number of no number", "to_number('0x10')", "null"},
    {"to_string", "to_string(m)", "\"[[1,2],[3],4]\""},
    {"type", "[type(n), type(t), type(l), type(a), type(s), type(f)]",
     "[\"null\",\"boolean\",\"array\",\"object\",\"string\",\"number\"]"},

    {"end too soon", "a.", "!3 expected a name, '*', '[' or '{', found the end"},
    {"nothing", "", "!1 expected an expression, found the end"},
    {"two dots", "a..b", "!3 expected a name, '*', '[' or '{', found '.'"},
    {"trailing comma", "[a,]", "!4 expected an expression, found ']'"},
    {"single equals sign", "a = b", "!3 '=' should be '=='"},
    {"unknown character", "a # b", "!3 unknown character"},
    {"open quote", "'abc", "!1 unterminated quote"},
    {"bad literal", "`[1`", "!1 expected ',' or ']'"},
    {"step 0", "l[::0]", "!6 the step of a slice cannot be 0"},
    {"number out of range", "l[99999999999999999999]", "!3 number out of range"},
    {"unknown function", "nope(a)", "!5 unknown function \"nope\""},
    {"too few arguments", "join(a)", "!5 join() takes 2 arguments, got 1"},
    {"quoted function", "\"abs\"(a)",
     "!6 expected an operator (the name of a function is not quoted), found '('"},
    {"wrong type", "abs(s)", "!0 abs(): argument 1 must be a number, not a text"},
    {"wrong items", "sum(w)",
     "!0 sum(): argument 1 must be an array of numbers, not an array of other things"},
    {"keys of one kind", "sort_by(p, &v)",
     "!0 sort_by(): the keys must be all numbers or all texts"},
    {"reference outside a function", "&a",
     "!0 an expression reference (&) is an argument of a function only"},
};

static void gives(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct jmespath *q = NULL;
    struct err e = {0};
    struct val data;
    struct val out;
    struct str got;

    assert_int_equal(json_parse(str_c(document), &data, a, &e), 0);
    if (jmespath_compile(&q, str_c(r->expression), a, &e) != 0 ||
        jmespath_search(q, data, &out, a, &e) != 0)
        got = str_printf(a, "!%d %s", e.column, e.msg);
    else
        got = json_text(out, a);
    assert_string_equal(str_cstr(a, got), r->want);
    arena_free(a);
}

/* `part` many times over between `before` and `after`: must end with the error. */
static enum err_code repeated(const char *before, const char *part, const char *after, size_t times)
{
    struct arena *a = arena_new(0);
    struct jmespath *q = NULL;
    struct err e = {0};
    struct val out;
    struct buf b;

    buf_init(&b, 16 * MIB, a);
    buf_add_c(&b, before);
    for (size_t i = 0; i < times; i++)
        buf_add_c(&b, part);
    buf_add_c(&b, after);
    if (jmespath_compile(&q, buf_str(&b), a, &e) == 0)
        (void)!jmespath_search(q, val_null(), &out, a, &e);
    arena_free(a);
    return e.code;
}

static void deep_nesting_ends(void **state)
{
    (void)state;
    assert_int_equal(repeated("", "(", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("", "[", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("", "!", "a", 100000), ERR_LIMIT);
    assert_int_equal(repeated("a", ".a", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("a", "[0]", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("a", "[*]", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("a", "|a", "", 100000), ERR_LIMIT);
    assert_int_equal(repeated("a", ".a", "", 400), ERR_NONE);
}

/* A literal of 2,000 numbers looked at for each of 20,000 items. */
static void long_work_ends(void **state)
{
    struct arena *a = arena_new(0);
    struct jmespath *q = NULL;
    struct err e = {0};
    struct val list = val_list_new(a, 20000);
    struct val out;
    struct buf b;

    (void)state;
    for (int i = 0; i < 20000; i++)
        val_list_add(list, val_int(i));
    buf_init(&b, MIB, a);
    buf_add_c(&b, "[?`[0");
    for (int i = 0; i < 2000; i++)
        buf_add_c(&b, ",1");
    buf_add_c(&b, "]`[?@ == `2`]]");
    assert_int_equal(jmespath_compile(&q, buf_str(&b), a, &e), 0);
    assert_int_equal(jmespath_search(q, list, &out, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_nesting_ends),
        cmocka_unit_test(long_work_ends),
    };

    return CASES(rows, gives) + cmocka_run_group_tests(tests, NULL, NULL);
}
