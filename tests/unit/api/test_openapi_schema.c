/*
 * JSON Schema in OpenAPI's dialect.
 */
#include "support/cases.h"

#include "api/openapi_schema.h"
#include "base/arena.h"
#include "base/json.h"

static const struct row {
    const char *name, *in, *want;
    const char *components; /* NULL: none */
} rows[] = {
    {"as it is", "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":2}},\"additionalProperties\":false}",
     "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":2}},\"additionalProperties\":false}", NULL},
    {"anything", "true", "{}", NULL},
    {"nothing", "false", "{\"not\":{}}", NULL},
    {"or null", "{\"type\":[\"string\",\"null\"]}", "{\"nullable\":true,\"type\":\"string\"}", NULL},
    {"null only", "{\"type\":\"null\"}", "{\"nullable\":true,\"enum\":[null]}", NULL},
    {"several types", "{\"type\":[\"string\",\"array\"]}", "{\"allOf\":[{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{}}]}]}", NULL},
    {"unknown type", "{\"type\":\"file\"}", "{}", NULL},
    {"a list needs items", "{\"type\":\"array\"}", "{\"type\":\"array\",\"items\":{}}", NULL},
    {"items", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", NULL},
    {"items by place", "{\"type\":\"array\",\"items\":[{\"type\":\"integer\"}]}", "{\"type\":\"array\",\"items\":{}}", NULL},
    {"a constant", "{\"const\":5}", "{\"enum\":[5]}", NULL},
    {"examples", "{\"examples\":[1,2]}", "{\"example\":1}", NULL},
    {"exclusive bound", "{\"exclusiveMinimum\":3}", "{\"minimum\":3,\"exclusiveMinimum\":true}", NULL},
    {"exclusive flag", "{\"maximum\":3,\"exclusiveMaximum\":true}", "{\"maximum\":3,\"exclusiveMaximum\":true}", NULL},
    {"two bounds, the exclusive one wider", "{\"minimum\":5,\"exclusiveMinimum\":3}", "{\"minimum\":5}", NULL},
    {"two bounds, the exclusive one narrower", "{\"minimum\":3,\"exclusiveMinimum\":5}", "{\"minimum\":5,\"exclusiveMinimum\":true}", NULL},
    {"nothing required", "{\"required\":[]}", "{}", NULL},
    {"what has no words there", "{\"$schema\":\"x\",\"$id\":\"y\",\"if\":{},\"patternProperties\":{},\"contains\":{},\"minLength\":-1}", "{}", NULL},
    {"groups", "{\"allOf\":[{\"const\":1}],\"oneOf\":[true],\"not\":{\"type\":\"null\"},\"anyOf\":[]}",
     "{\"not\":{\"nullable\":true,\"enum\":[null]},\"allOf\":[{\"enum\":[1]}],\"oneOf\":[{}]}", NULL},
    {"definitions", "{\"properties\":{\"a\":{\"$ref\":\"#/definitions/an a\"}},\"definitions\":{\"an a\":{\"const\":1}}}",
     "{\"properties\":{\"a\":{\"$ref\":\"#/components/schemas/r.an_a\"}}}", "{\"r.an_a\":{\"enum\":[1]}}"},
    {"definitions that refer to each other", "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\"}}}}",
     "{\"$ref\":\"#/components/schemas/r.a\"}", "{\"r.a\":{\"items\":{\"$ref\":\"#/components/schemas/r.a\"}}}"},
    {"itself", "{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"}}}",
     "{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/components/schemas/r\"}}}",
     "{\"r\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/components/schemas/r\"}}}}"},
    {"a reference to nowhere", "{\"items\":{\"$ref\":\"#/definitions/none\"}}", "{\"items\":{}}", NULL},
    {"a reference to elsewhere", "{\"items\":{\"$ref\":\"https://example.com/x.json\"}}", "{\"items\":{}}", NULL},
};

static void converts(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct val in, components = val_dict_new(a, 2), out;
    struct err e;

    assert_int_equal(json_parse(str_c(r->in), &in, a, &e), 0);
    out = openapi_schema(in, STR("r"), components, a);
    assert_string_equal(str_cstr(a, json_text(out, a)), r->want);
    assert_string_equal(str_cstr(a, json_text(components, a)), r->components != NULL ? r->components : "{}");
    arena_free(a);
}

int main(void)
{
    return CASES(rows, converts);
}
