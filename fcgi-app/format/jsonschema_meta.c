/*
 * The meta-schemas, for schemas that refer to them (a field that holds a schema, for example).
 *
 * They state the rules of the published ones (draft-07 core and validation; 2020-12 core, appendix
 * A), without their titles and comments.  Each is read the first time it is named.
 */
#include "format/jsonschema_int.h"

#include "base/json.h"

#define DRAFT7_URI "http://json-schema.org/draft-07/schema"
#define BASE_2020 "https://json-schema.org/draft/2020-12/"

static const char draft7[] =
    "{\"$schema\":\"" DRAFT7_URI "#\",\"$id\":\"" DRAFT7_URI "#\","
    "\"type\":[\"object\",\"boolean\"],\"default\":true,\"definitions\":{"
    "\"list\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#\"}},"
    "\"count\":{\"type\":\"integer\",\"minimum\":0},"
    "\"map\":{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#\"},\"default\":{}},"
    "\"type\":{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\","
    "\"string\"]},"
    "\"names\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true,"
    "\"default\":[]}},"
    "\"properties\":{\"$id\":{\"type\":\"string\",\"format\":\"uri-reference\"},"
    "\"$schema\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"$ref\":{\"type\":\"string\",\"format\":\"uri-reference\"},"
    "\"$comment\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"description\":{\"type\":\"string\"},\"default\":true,\"readOnly\":{\"type\":\"boolean\"},"
    "\"writeOnly\":{\"type\":\"boolean\"},\"examples\":{\"type\":\"array\",\"items\":true},"
    "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},"
    "\"maximum\":{\"type\":\"number\"},\"exclusiveMaximum\":{\"type\":\"number\"},"
    "\"minimum\":{\"type\":\"number\"},\"exclusiveMinimum\":{\"type\":\"number\"},"
    "\"maxLength\":{\"$ref\":\"#/definitions/count\"},"
    "\"minLength\":{\"$ref\":\"#/definitions/count\"},"
    "\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"
    "\"additionalItems\":{\"$ref\":\"#\"},"
    "\"items\":{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#/definitions/list\"}],\"default\":true},"
    "\"maxItems\":{\"$ref\":\"#/definitions/count\"},"
    "\"minItems\":{\"$ref\":\"#/definitions/count\"},\"uniqueItems\":{\"type\":\"boolean\"},"
    "\"contains\":{\"$ref\":\"#\"},\"maxProperties\":{\"$ref\":\"#/definitions/count\"},"
    "\"minProperties\":{\"$ref\":\"#/definitions/count\"},"
    "\"required\":{\"$ref\":\"#/definitions/names\"},\"additionalProperties\":{\"$ref\":\"#\"},"
    "\"definitions\":{\"$ref\":\"#/definitions/map\"},"
    "\"properties\":{\"$ref\":\"#/definitions/map\"},"
    "\"patternProperties\":{\"$ref\":\"#/definitions/"
    "map\",\"propertyNames\":{\"format\":\"regex\"}},"
    "\"dependencies\":{\"type\":\"object\",\"additionalProperties\":"
    "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#/definitions/names\"}]}},"
    "\"propertyNames\":{\"$ref\":\"#\"},\"const\":true,\"enum\":{\"type\":\"array\",\"items\":true}"
    ","
    "\"type\":{\"anyOf\":[{\"$ref\":\"#/definitions/type\"},{\"type\":\"array\",\"minItems\":1,"
    "\"uniqueItems\":true,\"items\":{\"$ref\":\"#/definitions/type\"}}]},"
    "\"format\":{\"type\":\"string\"},\"contentMediaType\":{\"type\":\"string\"},"
    "\"contentEncoding\":{\"type\":\"string\"},\"if\":{\"$ref\":\"#\"},\"then\":{\"$ref\":\"#\"},"
    "\"else\":{\"$ref\":\"#\"},\"allOf\":{\"$ref\":\"#/definitions/list\"},"
    "\"anyOf\":{\"$ref\":\"#/definitions/list\"},\"oneOf\":{\"$ref\":\"#/definitions/list\"},"
    "\"not\":{\"$ref\":\"#\"}}}";

/* How each document of 2020-12 begins. */
#define HEAD_2020(name)                                                                            \
    "{\"$schema\":\"" BASE_2020 "schema\",\"$id\":\"" BASE_2020 name                               \
    "\",\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
#define DYNAMIC "{\"$dynamicRef\":\"#meta\"}"
#define DYNAMIC_MAP "{\"type\":\"object\",\"additionalProperties\":" DYNAMIC ",\"default\":{}}"

static const char schema_2020[] =
    HEAD_2020("schema") "\"allOf\":[{\"$ref\":\"meta/core\"},{\"$ref\":\"meta/applicator\"},"
                        "{\"$ref\":\"meta/unevaluated\"},{\"$ref\":\"meta/"
                        "validation\"},{\"$ref\":\"meta/meta-data\"},"
                        "{\"$ref\":\"meta/format-annotation\"},{\"$ref\":\"meta/content\"}],"
                        "\"properties\":{\"definitions\":" DYNAMIC_MAP
                        ",\"dependencies\":{\"type\":\"object\","
                        "\"additionalProperties\":{\"anyOf\":[" DYNAMIC
                        ",{\"$ref\":\"meta/validation#/$defs/names\"}]}},"
                        "\"$recursiveAnchor\":{\"$ref\":\"meta/core#/$defs/anchor\"},"
                        "\"$recursiveRef\":{\"$ref\":\"meta/core#/$defs/reference\"}}}";

static const char core_2020[] = HEAD_2020(
    "meta/core") "\"properties\":{\"$id\":{\"$ref\":\"#/$defs/"
                 "reference\",\"pattern\":\"^[^#]*#?$\"},"
                 "\"$schema\":{\"$ref\":\"#/$defs/uri\"},\"$ref\":{\"$ref\":\"#/$defs/reference\"},"
                 "\"$anchor\":{\"$ref\":\"#/$defs/anchor\"},\"$dynamicRef\":{\"$ref\":\"#/$defs/"
                 "reference\"},"
                 "\"$dynamicAnchor\":{\"$ref\":\"#/$defs/"
                 "anchor\"},\"$vocabulary\":{\"type\":\"object\","
                 "\"propertyNames\":{\"$ref\":\"#/$defs/"
                 "uri\"},\"additionalProperties\":{\"type\":\"boolean\"}},"
                 "\"$comment\":{\"type\":\"string\"},\"$defs\":{\"type\":\"object\","
                 "\"additionalProperties\":" DYNAMIC "}},\"$defs\":{"
                 "\"anchor\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"},"
                 "\"uri\":{\"type\":\"string\",\"format\":\"uri\"},"
                 "\"reference\":{\"type\":\"string\",\"format\":\"uri-reference\"}}}";

static const char applicator_2020[] = HEAD_2020(
    "meta/applicator") "\"properties\":{\"prefixItems\":{\"$ref\":\"#/$defs/"
                       "list\"},\"items\":" DYNAMIC ",\"contains\":" DYNAMIC
                       ",\"additionalProperties\":" DYNAMIC ",\"properties\":" DYNAMIC_MAP
                       ",\"patternProperties\":{\"type\":\"object\","
                       "\"additionalProperties\":" DYNAMIC
                       ",\"propertyNames\":{\"format\":\"regex\"},\"default\":{}},"
                       "\"dependentSchemas\":" DYNAMIC_MAP ",\"propertyNames\":" DYNAMIC
                       ",\"if\":" DYNAMIC ",\"then\":" DYNAMIC ",\"else\":" DYNAMIC
                       ",\"allOf\":{\"$ref\":\"#/$defs/list\"},\"anyOf\":{\"$ref\":\"#/$defs/"
                       "list\"},"
                       "\"oneOf\":{\"$ref\":\"#/$defs/list\"},\"not\":" DYNAMIC
                       "},\"$defs\":{\"list\":{\"type\":\"array\",\"minItems\":1,\"items\":" DYNAMIC
                       "}}}";

static const char unevaluated_2020[] =
    HEAD_2020("meta/unevaluated") "\"properties\":{\"unevaluatedItems\":" DYNAMIC
                                  ",\"unevaluatedProperties\":" DYNAMIC "}}";

static const char validation_2020[] = HEAD_2020(
    "meta/validation") "\"properties\":{\"type\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
                       "type\"},{\"type\":\"array\","
                       "\"items\":{\"$ref\":\"#/$defs/"
                       "type\"},\"minItems\":1,\"uniqueItems\":true}]},"
                       "\"const\":true,\"enum\":{\"type\":\"array\",\"items\":true},"
                       "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},\"maximum\":{"
                       "\"type\":\"number\"},"
                       "\"exclusiveMaximum\":{\"type\":\"number\"},\"minimum\":{\"type\":"
                       "\"number\"},"
                       "\"exclusiveMinimum\":{\"type\":\"number\"},\"maxLength\":{\"$ref\":\"#/"
                       "$defs/count\"},"
                       "\"minLength\":{\"$ref\":\"#/$defs/count\"},"
                       "\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"
                       "\"maxItems\":{\"$ref\":\"#/$defs/count\"},\"minItems\":{\"$ref\":\"#/$defs/"
                       "count\"},"
                       "\"uniqueItems\":{\"type\":\"boolean\"},\"maxContains\":{\"$ref\":\"#/$defs/"
                       "count\"},"
                       "\"minContains\":{\"$ref\":\"#/$defs/"
                       "count\"},\"maxProperties\":{\"$ref\":\"#/$defs/count\"},"
                       "\"minProperties\":{\"$ref\":\"#/$defs/count\"},\"required\":{\"$ref\":\"#/"
                       "$defs/names\"},"
                       "\"dependentRequired\":{\"type\":\"object\","
                       "\"additionalProperties\":{\"$ref\":\"#/$defs/names\"}}},\"$defs\":{"
                       "\"count\":{\"type\":\"integer\",\"minimum\":0},"
                       "\"type\":{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\","
                       "\"object\",\"string\"]},"
                       "\"names\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
                       "\"uniqueItems\":true,"
                       "\"default\":[]}}}";

static const char meta_data_2020[] =
    HEAD_2020("meta/meta-data") "\"properties\":{\"title\":{\"type\":\"string\"},\"description\":{"
                                "\"type\":\"string\"},"
                                "\"default\":true,\"deprecated\":{\"type\":\"boolean\"},"
                                "\"readOnly\":{\"type\":\"boolean\"},"
                                "\"writeOnly\":{\"type\":\"boolean\"},\"examples\":{\"type\":"
                                "\"array\",\"items\":true}}}";

static const char format_annotation_2020[] =
    HEAD_2020("meta/format-annotation") "\"properties\":{\"format\":{\"type\":\"string\"}}}";

static const char format_assertion_2020[] =
    HEAD_2020("meta/format-assertion") "\"properties\":{\"format\":{\"type\":\"string\"}}}";

static const char content_2020[] = HEAD_2020(
    "meta/content") "\"properties\":{\"contentEncoding\":{\"type\":\"string\"},"
                    "\"contentMediaType\":{\"type\":\"string\"},\"contentSchema\":" DYNAMIC "}}";

static const struct {
    const char *uri;
    const char *text;
    enum jsonschema_draft draft;
} metas[] = {
    {DRAFT7_URI, draft7, JSONSCHEMA_DRAFT7},
    {BASE_2020 "schema", schema_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/core", core_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/applicator", applicator_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/unevaluated", unevaluated_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/validation", validation_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/meta-data", meta_data_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/format-annotation", format_annotation_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/format-assertion", format_assertion_2020, JSONSCHEMA_2020_12},
    {BASE_2020 "meta/content", content_2020, JSONSCHEMA_2020_12},
};

int js_meta_load(struct js_compiler *c, struct str uri, bool *found)
{
    struct js_resource *res = NULL;
    struct val root;

    *found = false;
    for (size_t i = 0; i < COUNT_OF(metas); i++) {
        if (!str_eq_c(uri, metas[i].uri))
            continue;
        if (json_parse(str_c(metas[i].text), &root, c->a, c->e) != 0)
            return -1;
        *found = true;
        return js_index(c, root, str_c(metas[i].uri), metas[i].draft, &res);
    }
    return 0;
}

enum jsonschema_draft js_draft_of(struct str uri)
{
    bool has_fragment;

    (void)js_uri_fragment(&uri, &has_fragment);
    if (str_starts(uri, STR("https://")))
        uri = str_slice(uri, 8, uri.len);
    else if (str_starts(uri, STR("http://")))
        uri = str_slice(uri, 7, uri.len);
    if (str_eq_c(uri, "json-schema.org/draft-07/schema"))
        return JSONSCHEMA_DRAFT7;
    if (str_eq_c(uri, "json-schema.org/draft/2020-12/schema"))
        return JSONSCHEMA_2020_12;
    return JSONSCHEMA_AUTO;
}
