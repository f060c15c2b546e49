/*
 * Python's rules: text forms, truth, equality, order, hash.
 *
 * Values are written as JSON with three additions a test needs: ["t", ...] is a tuple, {"bytes":
 * "..."} and
 * {"markup": "..."} are those.  The expected texts were printed by Python 3.11.
 */
#include "support/cases.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/value.h"

static struct val build(struct val v, struct arena *a)
{
    struct val key;
    struct val value;

    if (val_is(v, VAL_LIST)) {
        bool tuple = str_eq_c(val_text(val_at(v, 0)), "t");
        struct val out = tuple ? val_tuple_new(a, 0) : val_list_new(a, 0);
        for (size_t i = tuple ? 1 : 0; i < val_count(v); i++)
            val_list_add(out, build(val_at(v, i), a));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    if (val_is(val_get(v, "bytes"), VAL_STR))
        return val_bytes(val_text(val_get(v, "bytes")));
    if (val_is(val_get(v, "markup"), VAL_STR)) {
        struct val m = val_get(v, "markup");
        m.flags |= VAL_F_MARKUP;
        return m;
    }
    struct val out = val_dict_new(a, 0);
    for (size_t i = 0; val_pair_at(v, i, &key, &value); i++)
        val_dict_set(out, key, build(value, a));
    return out;
}

static struct val make(const char *text, struct arena *a)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (strcmp(text, "undef") == 0)
        return v;
    if (strcmp(text, "nan") == 0)
        return val_float((double)NAN);
    if (strcmp(text, "inf") == 0)
        return val_float((double)INFINITY);
    if (json_parse_copy(str_c(text), &v, a, &e) != 0)
        fail_msg("%s: %s", text, e.msg);
    return build(v, a);
}

static const struct text_row {
    const char *name;
    const char *in;
    const char *str;
    const char *repr;
    const char *type;
    bool truth;
} texts[] = {
    {"undefined", "undef", "", "Undefined", "Undefined", false},
    {"none", "null", "None", "None", "NoneType", false},
    {"true", "true", "True", "True", "bool", true},
    {"false", "false", "False", "False", "bool", false},
    {"int", "-42", "-42", "-42", "int", true},
    {"zero", "0", "0", "0", "int", false},
    {"bigint", "123456789012345678901234567890", "123456789012345678901234567890",
     "123456789012345678901234567890", "int", true},
    {"float", "1.0", "1.0", "1.0", "float", true},
    {"float zero", "-0.0", "-0.0", "-0.0", "float", false},
    {"float exponent", "1e20", "1e+20", "1e+20", "float", true},
    {"nan", "nan", "nan", "nan", "float", true},
    {"text", "\"abc\"", "abc", "'abc'", "str", true},
    {"empty text", "\"\"", "", "''", "str", false},
    {"single quote", "\"it's\"", "it's", "\"it's\"", "str", true},
    {"double quote", "\"say \\\"x\\\"\"", "say \"x\"", "'say \"x\"'", "str", true},
    {"both quotes", "\"'\\\"\"", "'\"", "'\\'\"'", "str", true},
    {"backslash", "\"a\\\\b\"", "a\\b", "'a\\\\b'", "str", true},
    {"control", "\"\\n\\r\\t\\u0001\\u001f\\u007f\"", "\n\r\t\x01\x1f\x7f",
     "'\\n\\r\\t\\x01\\x1f\\x7f'", "str", true},
    {"latin", "\"caf\\u00e9\"", "caf\xc3\xa9", "'caf\xc3\xa9'", "str", true},
    {"hard blank", "\"\\u00a0\\u00ad\"", "\xc2\xa0\xc2\xad", "'\\xa0\\xad'", "str", true},
    {"zero width", "\"\\u200b\\u2028\"", "\xe2\x80\x8b\xe2\x80\xa8", "'\\u200b\\u2028'", "str",
     true},
    {"emoji", "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", "'\xf0\x9f\x98\x80'", "str", true},
    {"private plane", "\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", "'\\U0010ffff'", "str", true},
    {"markup", "{\"markup\": \"<b>\"}", "<b>", "Markup('<b>')", "Markup", true},
    {"bytes", "{\"bytes\": \"a'\\u00e9\\n\\u0000\"}", "b\"a'\\xc3\\xa9\\n\\x00\"",
     "b\"a'\\xc3\\xa9\\n\\x00\"", "bytes", true},
    {"empty list", "[]", "[]", "[]", "list", false},
    {"list", "[1, \"a\", null, [true]]", "[1, 'a', None, [True]]", "[1, 'a', None, [True]]", "list",
     true},
    {"empty tuple", "[\"t\"]", "()", "()", "tuple", false},
    {"tuple of one", "[\"t\", 1]", "(1,)", "(1,)", "tuple", true},
    {"tuple of two", "[\"t\", 1, [\"t\", \"x\"]]", "(1, ('x',))", "(1, ('x',))", "tuple", true},
    {"empty dict", "{}", "{}", "{}", "dict", false},
    {"dict", "{\"b\": 1.5, \"a\": {\"c\": [\"it's\"]}}", "{'b': 1.5, 'a': {'c': [\"it's\"]}}",
     "{'b': 1.5, 'a': {'c': [\"it's\"]}}", "dict", true},
};

static void text_forms(const struct text_row *r)
{
    struct arena *a = arena_new(0);
    struct val v = make(r->in, a);
    struct buf out;

    assert_string_equal(str_cstr(a, val_str_of(v, a)), r->str);
    buf_init(&out, 1000, a);
    val_to_repr(v, &out);
    assert_string_equal(buf_cstr(&out), r->repr);
    assert_string_equal(val_type_name(v), r->type);
    assert_int_equal(val_truth(v), r->truth);
    arena_free(a);
}

enum { LESS = -1, EQUAL = 0, MORE = 1, NONE = 2, ERROR = 9 };

static const struct order_row {
    const char *name;
    const char *a;
    const char *b;
    int order; /* ERROR: Python refuses `<` */
    bool eq;
} orders[] = {
    {"ints", "1", "2", LESS, false},
    {"true is 1", "true", "1", EQUAL, true},
    {"1 is 1.0", "1", "1.0", EQUAL, true},
    {"true is 1.0", "true", "1.0", EQUAL, true},
    {"false is 0", "false", "0", EQUAL, true},
    {"true is not 2", "true", "2", LESS, false},
    {"zeros", "0.0", "-0.0", EQUAL, true},
    {"int and fraction", "1", "1.5", LESS, false},
    {"negative fraction", "-1", "-1.5", MORE, false},
    {"beyond 53 bits", "9007199254740993", "9007199254740992.0", MORE, false},
    {"at 53 bits", "9007199254740992", "9007199254740992.0", EQUAL, true},
    {"largest int and float", "9223372036854775807", "9223372036854775808.0", LESS, false},
    {"bigint and float", "9223372036854775808", "9223372036854775808.0", EQUAL, true},
    {"bigint and near float", "100000000000000000000001", "1e23", MORE, false},
    {"exact bigint and float", "99999999999999991611392", "1e23", EQUAL, true},
    {"bigint and int", "9223372036854775808", "5", MORE, false},
    {"bigints", "123456789012345678901", "123456789012345678902", LESS, false},
    {"bigint and infinity", "123456789012345678901", "inf", LESS, false},
    {"nan", "nan", "nan", NONE, false},
    {"nan and int", "nan", "1", NONE, false},
    {"nan and bigint", "123456789012345678901", "nan", NONE, false},
    {"texts", "\"a\"", "\"b\"", LESS, false},
    {"prefix", "\"a\"", "\"aa\"", LESS, false},
    {"by code point", "\"\\uffff\"", "\"\\ud83d\\ude00\"", LESS, false},
    {"markup is text", "{\"markup\": \"x\"}", "\"x\"", EQUAL, true},
    {"bytes are no text", "{\"bytes\": \"x\"}", "\"x\"", ERROR, false},
    {"text and int", "\"1\"", "1", ERROR, false},
    {"none", "null", "null", ERROR, true},
    {"none and zero", "null", "0", ERROR, false},
    {"undefined", "undef", "undef", ERROR, true},
    {"undefined and none", "undef", "null", ERROR, false},
    {"lists", "[1, 2]", "[1, 3]", LESS, false},
    {"shorter list", "[1]", "[1, 0]", LESS, false},
    {"equal lists", "[1, true]", "[1.0, 1]", EQUAL, true},
    {"first difference decides", "[1, \"x\", 2]", "[1, \"y\", \"z\"]", LESS, false},
    {"first difference has no order", "[1, \"x\"]", "[1, 2]", ERROR, false},
    {"no order behind the first difference", "[1, null]", "[2, 5]", LESS, false},
    {"list and tuple", "[1]", "[\"t\", 1]", ERROR, false},
    {"tuples", "[\"t\", 1, 2]", "[\"t\", 1, 2]", EQUAL, true},
    {"dicts in any order", "{\"a\": 1, \"b\": 2}", "{\"b\": 2.0, \"a\": true}", ERROR, true},
    {"dicts differ in a value", "{\"a\": 1}", "{\"a\": 2}", ERROR, false},
    {"dicts differ in a key", "{\"a\": null}", "{\"b\": null}", ERROR, false},
    {"dicts differ in size", "{\"a\": 1}", "{\"a\": 1, \"b\": 1}", ERROR, false},
};

static void orders_and_hashes(const struct order_row *r)
{
    struct arena *arena = arena_new(0);
    struct val a = make(r->a, arena);
    struct val b = make(r->b, arena);
    int forth = 5;
    int back = 5;

    assert_int_equal(val_eq(a, b), r->eq);
    assert_int_equal(val_eq(b, a), r->eq);
    int rc = val_cmp(a, b, &forth);
    assert_int_equal(rc, val_cmp(b, a, &back));
    assert_int_equal(rc == 0 ? forth : ERROR, r->order);
    if (rc == 0)
        assert_int_equal(back, r->order == NONE ? NONE : -r->order);
    if (r->eq && val_hashable(a) && val_hashable(b))
        assert_true(val_hash(a) == val_hash(b));
    arena_free(arena);
}

static void hashable(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    assert_true(val_hashable(make("[\"t\", 1, [\"t\", \"x\"]]", a)));
    assert_false(val_hashable(make("[\"t\", 1, [2]]", a)));
    assert_false(val_hashable(make("[]", a)));
    assert_false(val_hashable(make("{}", a)));
    assert_true(val_hashable(val_null()));
    assert_true(val_hash(make("[\"t\", 1, 2]", a)) != val_hash(make("[\"t\", 2, 1]", a)));
    assert_true(val_hash(val_int(1)) != val_hash(val_int(2)));
    assert_true(val_hash(val_float(0.5)) != val_hash(val_float(0.25)));
    arena_free(a);
}

/* An undefined member is not the same as none at all. */
static void undefined_members(void **state)
{
    struct arena *a = arena_new(0);
    struct val x = val_dict_new(a, 0);
    struct val y = val_dict_new(a, 0);

    (void)state;
    val_dict_set_c(x, "a", val_undef(NULL));
    val_dict_set_c(y, "b", val_undef(NULL));
    assert_false(val_eq(x, y));
    assert_true(val_eq(x, x));
    arena_free(a);
}

/* ---- a kind of value of an upper folder --------------------------------------------------- */

struct money {
    struct val_obj obj;
    int cents;
};

static int cents_of(const struct val_obj *o)
{
    return ((const struct money *)(const void *)o)->cents;
}

static void money_str(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "%d.%02d", cents_of(o) / 100, cents_of(o) % 100);
}

static bool money_eq(const struct val_obj *o, struct val other)
{
    if (val_is(other, VAL_INT))
        return cents_of(o) == other.u.i * 100;
    return val_is(other, VAL_OBJ) && other.u.obj->cls == o->cls &&
           cents_of(o) == cents_of(other.u.obj);
}

static int money_cmp(const struct val_obj *o, struct val other, int *out)
{
    if (!val_is(other, VAL_INT))
        return -1;
    *out = (cents_of(o) > other.u.i * 100) - (cents_of(o) < other.u.i * 100);
    return 0;
}

static struct val money_json(const struct val_obj *o, struct arena *a)
{
    (void)a;
    return val_int(cents_of(o));
}

static void objects(void **state)
{
    static const struct val_class cls = {
        .name = "Money", .str = money_str, .eq = money_eq, .cmp = money_cmp, .json = money_json};
    static const struct val_class bare = {.name = "Bare"};
    struct arena *a = arena_new(0);
    struct money five = {{&cls}, 500};
    struct money again = {{&cls}, 500};
    struct val_obj nothing = {&bare};
    struct val v = val_obj(&five.obj);
    int order = 0;

    (void)state;
    assert_string_equal(val_type_name(v), "Money");
    assert_true(str_eq_c(val_str_of(v, a), "5.00"));
    struct val list = val_list_new(a, 0);
    val_list_add(list, v);
    assert_true(str_eq_c(val_str_of(list, a), "[5.00]"));
    assert_true(val_eq(v, val_int(5)));
    assert_true(val_eq(val_int(5), v));
    assert_true(val_eq(v, val_obj(&again.obj)));
    assert_false(val_eq(v, val_null()));
    assert_int_equal(val_cmp(val_int(9), v, &order), 0);
    assert_int_equal(order, 1);
    assert_int_equal(val_cmp(v, val_null(), &order), -1);
    assert_false(val_hashable(v));
    assert_true(val_truth(v));
    assert_true(str_eq_c(json_text(list, a), "[500]"));
    assert_true(val_is(val_copy(v, a), VAL_STR));

    struct val b = val_obj(&nothing);
    assert_true(str_eq_c(val_str_of(b, a), "<Bare object>"));
    assert_true(str_eq_c(json_text(b, a), "\"<Bare object>\""));
    assert_true(val_eq(b, b));
    assert_false(val_eq(b, v));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashable),
        cmocka_unit_test(undefined_members),
        cmocka_unit_test(objects),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    failed += CASES(texts, text_forms);
    return failed + CASES(orders, orders_and_hashes);
}
