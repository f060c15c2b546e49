/*
 * JSON Schema: what is said about data that does not fit, and about schemas that cannot be.
 */
#include <stdio.h>
#include <string.h>

#include "support/cases.h"

#include "base/json.h"
#include "format/jsonschema.h"

#define S2020 "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","

/* "ok", the errors as "path: message" joined by " | ", or "!message". */
static struct str check(const char *schema, const char *data, unsigned flags, struct arena *a)
{
    struct jsonschema_error *errors = NULL;
    struct jsonschema *s = NULL;
    struct err e = {0};
    struct val sv;
    struct val dv;
    struct buf b;
    int rc;

    assert_int_equal(json_parse(str_c(schema), &sv, a, &e), 0);
    assert_int_equal(json_parse(str_c(data), &dv, a, &e), 0);
    if (jsonschema_compile(&s, sv, JSONSCHEMA_AUTO, flags, a, &e) != 0)
        return str_printf(a, "!%s", e.msg);
    rc = jsonschema_validate(s, dv, &errors, a, &e);
    if (rc < 0)
        return str_printf(a, "!%s", e.msg);
    assert_int_equal(rc == 1, errors == NULL);
    assert_int_equal(jsonschema_validate(s, dv, NULL, a, &e), rc);
    if (rc == 1)
        return STR("ok");
    buf_init(&b, 64 * KIB, a);
    for (; errors != NULL; errors = errors->next)
        buf_addf(&b, "%s%.*s%s%.*s", b.len > 0 ? " | " : "", STR_ARG(errors->path),
                 errors->path.len > 0 ? ": " : "", STR_ARG(errors->message));
    return buf_str(&b);
}

static const struct row {
    const char *name;
    const char *schema;
    const char *data;
    const char *want;
} rows[] = {
    {"true", "true", "1", "ok"},
    {"false", "false", "1", "is not allowed"},
    {"type", "{\"type\":\"number\"}", "\"x\"", "expected a number, got a text"},
    {"types", "{\"type\":[\"string\",\"null\"]}", "[]", "expected a text or null, got a list"},
    {"whole number", "{\"type\":\"integer\"}", "1.5", "expected a whole number, got a number"},
    {"1.0 is whole", "{\"type\":\"integer\"}", "1.0", "ok"},
    {"long numbers are whole", "{\"type\":\"integer\"}", "123456789012345678901", "ok"},
    {"dependencies, from before 2020-12",
     "{" S2020 "\"dependencies\":{\"card\":[\"name\"],\"x\":false}}", "{\"card\":1}",
     "name: is required when \"card\" is given"},
    {"const", "{\"const\":{\"a\":1}}", "2", "must be {\"a\": 1}"},
    {"enum", "{\"enum\":[\"a\",1]}", "true", "must be one of [\"a\", 1]"},
    {"long texts are cut",
     "{\"const\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678"
     "\u00e9012\"}",
     "1",
     "must be \"0123456789012345678901234567890123456789012345678901234567890123456789012345678"
     "..."},
    {"required, deep", "{\"properties\":{\"items\":{\"items\":{\"required\":[\"name\"]}}}}",
     "{\"items\":[{\"name\":1},{}]}", "items.1.name: is required"},
    {"minimum", "{\"minimum\":1.5}", "1", "must be at least 1.5"},
    {"exclusiveMinimum", "{\"exclusiveMinimum\":1}", "1", "must be more than 1"},
    {"maximum", "{\"maximum\":1}", "12345678901234567890123", "must be at most 1"},
    {"exclusiveMaximum", "{\"exclusiveMaximum\":1}", "1.0", "must be less than 1"},
    {"multipleOf in decimals", "{\"multipleOf\":0.01}", "19.99", "ok"},
    {"multipleOf", "{\"multipleOf\":0.01}", "19.995", "must be a multiple of 0.01"},
    {"multipleOf of large numbers", "{\"multipleOf\":0.5}", "1e308", "ok"},
    {"multipleOf of long numbers", "{\"multipleOf\":7}", "70000000000000000000000", "ok"},
    {"minLength counts characters", "{\"minLength\":2}", "\"\u00e9\"",
     "must have at least 2 characters"},
    {"minLength 1", "{\"minLength\":1}", "\"\"", "must not be empty"},
    {"maxLength", "{\"maxLength\":1}", "\"ab\"", "must have at most 1 character"},
    {"pattern", "{\"pattern\":\"^a\"}", "\"b\"", "does not match the pattern \"^a\""},
    {"minItems", "{\"minItems\":1}", "[]", "must have at least 1 item"},
    {"maxItems", "{\"maxItems\":1}", "[1,2]", "must have at most 1 item"},
    {"uniqueItems", "{\"uniqueItems\":true}", "[1,true,{\"a\":[1]},{\"a\":[1.0]}]",
     "items 2 and 3 are equal"},
    {"uniqueItems tells true from 1", "{\"uniqueItems\":true}", "[1,true,0,false,[1],[true]]",
     "ok"},
    {"minProperties", "{\"minProperties\":1}", "{}", "must have at least 1 member"},
    {"maxProperties", "{\"maxProperties\":0}", "{\"a\":1}", "must have at most 0 members"},
    {"additionalProperties",
     "{\"properties\":{\"a\":{}},\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false}",
     "{\"a\":1,\"x1\":2,\"b\":3}", "b: is not allowed"},
    {"propertyNames", "{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
     "abc: is not an allowed name: must have at most 2 characters"},
    {"contains", "{\"contains\":{\"type\":\"string\"}}", "[1]",
     "must have at least 1 item of the wanted kind, has 0"},
    {"maxContains", "{" S2020 "\"contains\":{\"type\":\"string\"},\"maxContains\":1}",
     "[\"a\",\"b\"]", "must have at most 1 item of this kind, has 2"},
    {"dependencies", "{\"dependencies\":{\"a\":[\"b\"]}}", "{\"a\":1}",
     "b: is required when \"a\" is given"},
    {"not", "{\"not\":{\"type\":\"null\"}}", "null", "is of a kind that is not allowed here"},
    {"if then else",
     "{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"required\":[\"x\"]},"
     "\"else\":{\"required\":[\"y\"]}}",
     "{\"k\":2}", "y: is required"},
    {"anyOf says why", "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "1",
     "fits none of the 2 alternatives: expected a text, got a number; or must be at least 3"},
    {"the alternative of the same kind explains",
     "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"a\",\"b\"]}]}", "{}",
     "a: is required | b: is required"},
    {"oneOf", "{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"string\"},{\"minimum\":0}]}", "1",
     "fits more than one alternative: 1 and 3"},
    {"several at once",
     "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":"
     "{\"b\":{\"type\":\"string\",\"enum\":[\"x\"]}}}",
     "{\"b\":1}", "a: is required | b: expected a text, got a number | b: must be one of [\"x\"]"},
    {"unevaluatedProperties",
     "{" S2020 "\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}",
     "{\"a\":1,\"b\":2}", "b: is not allowed"},
    {"unevaluatedItems", "{" S2020 "\"prefixItems\":[true],\"unevaluatedItems\":false}", "[1,2]",
     "1: is not allowed"},
    {"unevaluated is not said on top of other errors",
     "{" S2020 "\"$ref\":\"#/$defs/x\",\"unevaluatedProperties\":false,"
     "\"$defs\":{\"x\":{\"properties\":{\"a\":{\"type\":\"string\"}}}}}",
     "{\"a\":1}", "a: expected a text, got a number"},
    {"a schema as data", "{\"$ref\":\"http://json-schema.org/draft-07/schema#\"}",
     "{\"properties\":{\"a\":{\"minLength\":-1}}}", "properties.a.minLength: must be at least 0"},
    {"a newer schema as data", "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}",
     "{\"properties\":{\"a\":{\"minLength\":-1}}}", "properties.a.minLength: must be at least 0"},
    {"draft-07: nothing counts beside $ref",
     "{\"$ref\":\"#/definitions/a\",\"maximum\":1,\"definitions\":{\"a\":{}}}", "2", "ok"},
    {"2020-12: it does", "{" S2020 "\"$ref\":\"#/$defs/a\",\"maximum\":1,\"$defs\":{\"a\":{}}}",
     "2", "must be at most 1"},
    {"recursion into the data", "{\"properties\":{\"c\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
     "{\"v\":1,\"c\":{\"v\":1,\"c\":{}}}", "c.c.v: is required"},
    {"format is noted only", "{\"format\":\"email\"}", "\"x\"", "ok"},
    {"content is noted only", "{\"contentMediaType\":\"application/json\"}", "\"{\"", "ok"},

    {"endless reference", "{\"$ref\":\"#\"}", "1",
     "!the schema refers to itself more than 1500 deep"},
    {"another document", "{\"$ref\":\"http://example.org/x.json#/a\"}", "1",
     "!$ref: the reference names another document, \"http://example.org/x.json\": only references "
     "inside the schema are followed"},
    {"reference to nothing", "{\"items\":{\"$ref\":\"#/definitions/x\"}}", "1",
     "!items: $ref: the reference \"#/definitions/x\" names no schema"},
    {"no schema", "[]", "1", "!the schema: must be an object or a boolean"},
    {"unknown type", "{\"properties\":{\"a\":{\"type\":\"text\"}}}", "1",
     "!properties.a: type: unknown type \"text\""},
    {"negative length", "{\"allOf\":[{},{\"minLength\":-1}]}", "1",
     "!allOf.1: minLength: must be a whole number, 0 or more"},
    {"bad pattern", "{\"pattern\":\"(\"}", "1", "!pattern \"(\": missing closing parenthesis"},
    {"multipleOf 0", "{\"multipleOf\":0}", "1", "!multipleOf: must be more than 0"},
    {"old items", "{" S2020 "\"items\":[{}]}", "1",
     "!items: must be a schema; a list of schemas belongs into prefixItems"},
    {"exploding pattern", "{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"",
     "!the regular expression needs too many steps"},
};

static void says(const struct row *r)
{
    struct arena *a = arena_new(0);

    assert_string_equal(str_cstr(a, check(r->schema, r->data, 0, a)), r->want);
    arena_free(a);
}

/* Thirty definitions, each naming the next twice: 2^30 ways. */
static void doubling_ends(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, MIB, a);
    buf_add_c(&b, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < 30; i++)
        buf_addf(&b,
                 "\"d%d\":{\"allOf\":[{\"$ref\":\"#/definitions/d%d\"},"
                 "{\"$ref\":\"#/definitions/d%d\"}]},",
                 i, i + 1, i + 1);
    buf_add_c(&b, "\"d30\":true}}");
    assert_string_equal(str_cstr(a, check(buf_cstr(&b), "1", 0, a)),
                        "!checking the data against the schema needs too many steps");
    arena_free(a);
}

static void errors_are_at_most_100(void **state)
{
    struct arena *a = arena_new(0);
    struct jsonschema_error *errors = NULL;
    struct jsonschema *s = NULL;
    struct err e = {0};
    struct val schema;
    struct val data = val_list_new(a, 500);
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 500; i++)
        val_list_add(data, val_int(i));
    assert_int_equal(json_parse(STR("{\"items\":{\"type\":\"string\"}}"), &schema, a, &e), 0);
    assert_int_equal(jsonschema_compile(&s, schema, JSONSCHEMA_2020_12, 0, a, &e), 0);
    assert_int_equal(jsonschema_validate(s, data, &errors, a, &e), 0);
    for (; errors != NULL; errors = errors->next)
        n++;
    assert_int_equal(n, 100);
    arena_free(a);
}

/* A long chain of references is refused, not followed into the end of the stack. */
static void long_chain_ends(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, 4 * MIB, a);
    buf_add_c(&b, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < 20000; i++)
        buf_addf(&b, "\"d%d\":{\"$ref\":\"#/definitions/d%d\"},", i, i + 1);
    buf_add_c(&b, "\"d20000\":true}}");
    assert_true(str_starts(check(buf_cstr(&b), "1", 0, a), STR("!")));
    arena_free(a);
}

/* A schema read lazily is opened when it is compiled, not by the threads that use it. */
static void schema_may_be_lazy(void **state)
{
    struct arena *a = arena_new(0);
    struct arena *shorter = arena_new(0);
    struct jsonschema *s = NULL;
    struct err e = {0};
    struct val schema;

    (void)state;
    assert_int_equal(
        json_lazy(str_dup(shorter, STR("{\"properties\":{\"a\":{\"const\":[\"x\"]}}}")), &schema,
                  shorter, &e),
        0);
    assert_int_equal(jsonschema_compile(&s, schema, JSONSCHEMA_AUTO, 0, a, &e), 0);
    arena_free(shorter);
    assert_int_equal(json_lazy(STR("{\"a\":[\"x\"]}"), &schema, a, &e), 0);
    assert_int_equal(jsonschema_validate(s, schema, NULL, a, &e), 1);
    assert_int_equal(json_lazy(STR("{\"a\":[\"y\"]}"), &schema, a, &e), 0);
    assert_int_equal(jsonschema_validate(s, schema, NULL, a, &e), 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubling_ends),
        cmocka_unit_test(errors_are_at_most_100),
        cmocka_unit_test(long_chain_ends),
        cmocka_unit_test(schema_may_be_lazy),
    };

    return CASES(rows, says) + cmocka_run_group_tests(tests, NULL, NULL);
}
