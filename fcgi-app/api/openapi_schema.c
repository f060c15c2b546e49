/*
 * From JSON Schema to the Schema Object of OpenAPI 3.0.3, 4.7.24.
 */
#include "api/openapi_schema.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"

/* What an expression of the schema is converted in. */
struct conversion {
    struct val root;
    struct str name;
    struct val components;
    bool refers_to_root;
    struct arena *a;
    int depth;
};

static struct val convert(struct conversion *c, struct val in);

/* ---- references -------------------------------------------------------------------------------- */

/* Names of components: letters, digits, '.', '_' and '-'. */
static struct str component_name(struct conversion *c, struct str definition)
{
    char *out = str_cstr(c->a, str_printf(c->a, "%.*s.%.*s", STR_ARG(c->name), STR_ARG(definition)));

    for (char *p = out; *p != '\0'; p++) {
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("._-", *p) != NULL;

        if (!ok)
            *p = '_';
    }
    return str_c(out);
}

static struct val reference(struct conversion *c, struct str component)
{
    struct val out = val_dict_new(c->a, 1);

    val_dict_set_c(out, "$ref", val_str(str_printf(c->a, "#/components/schemas/%.*s", STR_ARG(component))));
    return out;
}

/* "#", "#/definitions/x", "#/$defs/x"; what points elsewhere takes anything. */
static struct val convert_ref(struct conversion *c, struct str ref)
{
    static const char *const places[] = {"definitions", "$defs"};

    if (str_eq_c(ref, "#")) {
        c->refers_to_root = true;
        return reference(c, c->name);
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct str prefix = str_printf(c->a, "#/%s/", places[i]);
        struct str name = str_slice(ref, prefix.len, ref.len);

        if (str_starts(ref, prefix) && !val_is_undef(val_get_str(val_get(c->root, places[i]), name)))
            return reference(c, component_name(c, name));
    }
    return val_dict_new(c->a, 0);
}

static void convert_definitions(struct conversion *c, const char *place)
{
    struct val all = val_get(c->root, place), key, value;

    for (size_t i = 0; val_is(all, VAL_DICT) && val_pair_at(all, i, &key, &value); i++)
        val_dict_set_str(c->components, component_name(c, val_text(key)), convert(c, value));
}

/* ---- keywords ---------------------------------------------------------------------------------- */

/* Taken as they are, when they have the type they must have. */
static const struct plain {
    const char *name;
    enum { NUMBER, COUNT_NUMBER, TEXT, BOOLEAN, TEXTS, ANYTHING } kind;
} plain[] = {
    {"title", TEXT},          {"description", TEXT},       {"format", TEXT},       {"pattern", TEXT},
    {"multipleOf", NUMBER},   {"maximum", NUMBER},         {"minimum", NUMBER},    {"maxLength", COUNT_NUMBER},
    {"minLength", COUNT_NUMBER}, {"maxItems", COUNT_NUMBER}, {"minItems", COUNT_NUMBER}, {"maxProperties", COUNT_NUMBER},
    {"minProperties", COUNT_NUMBER}, {"uniqueItems", BOOLEAN}, {"nullable", BOOLEAN}, {"readOnly", BOOLEAN},
    {"writeOnly", BOOLEAN},   {"deprecated", BOOLEAN},     {"required", TEXTS},    {"default", ANYTHING},
    {"example", ANYTHING},
};

static bool is_number(struct val v)
{
    return val_is(v, VAL_INT) || val_is(v, VAL_FLOAT) || val_is(v, VAL_BIGINT);
}

static bool is_texts(struct val v)
{
    for (size_t i = 0; i < val_count(v); i++)
        if (!val_is(val_at(v, i), VAL_STR))
            return false;
    return val_is(v, VAL_LIST) && val_count(v) > 0;
}

static bool has_kind(struct val v, const struct plain *p)
{
    switch (p->kind) {
    case NUMBER:
        return is_number(v);
    case COUNT_NUMBER:
        return val_is(v, VAL_INT) && v.u.i >= 0;
    case TEXT:
        return val_is(v, VAL_STR);
    case BOOLEAN:
        return val_is(v, VAL_BOOL);
    case TEXTS:
        return is_texts(v);
    case ANYTHING:
        return !val_is_undef(v);
    }
    return false;
}

static bool is_type(struct str s)
{
    static const char *const types[] = {"string", "number", "integer", "boolean", "array", "object"};

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_eq_c(s, types[i]))
            return true;
    return false;
}

static struct val one_type(struct conversion *c, struct str type)
{
    struct val out = val_dict_new(c->a, 2);

    val_dict_set_c(out, "type", val_str(type));
    if (str_eq_c(type, "array"))
        val_dict_set_c(out, "items", val_dict_new(c->a, 0));
    return out;
}

/* A condition besides those that stand there already. */
static void add_condition(struct conversion *c, struct val out, struct val condition)
{
    struct val list = val_get(out, "allOf");

    if (val_is_undef(list)) {
        list = val_list_new(c->a, 1);
        val_dict_set_c(out, "allOf", list);
    }
    val_list_add(list, condition);
}

static struct val single_enum(struct conversion *c, struct val v)
{
    struct val list = val_list_new(c->a, 1);

    val_list_add(list, v);
    return list;
}

/* "type" is one name here; several, save for "null", become alternatives. */
static void convert_type(struct conversion *c, struct val type, struct val out)
{
    struct val choices = val_list_new(c->a, 4), choice = val_dict_new(c->a, 1);

    if (val_is(type, VAL_STR))
        type = single_enum(c, type);
    for (size_t i = 0; i < val_count(type); i++) {
        struct str name = val_text(val_at(type, i));

        if (str_eq_c(name, "null"))
            val_dict_set_c(out, "nullable", val_bool(true));
        else if (is_type(name))
            val_list_add(choices, one_type(c, name));
    }
    if (val_count(choices) == 1) {
        val_dict_set_c(out, "type", val_get(val_at(choices, 0), "type"));
    } else if (val_count(choices) > 1) {
        val_dict_set_c(choice, "anyOf", choices);
        add_condition(c, out, choice);
    } else if (val_count(type) > 0 && val_get_bool(out, "nullable", false)) {
        val_dict_set_c(out, "enum", single_enum(c, val_null()));
    }
}

/* A number of its own in newer drafts, a flag beside the bound here. */
static void convert_bound(struct val in, struct val out, const char *exclusive, const char *bound)
{
    struct val v = val_get(in, exclusive), other = val_get(out, bound);
    bool low = strcmp(bound, "minimum") == 0;
    int order = 0;

    if (val_is(v, VAL_BOOL) && is_number(other))
        val_dict_set_c(out, exclusive, v);
    if (!is_number(v))
        return;
    if (is_number(other) && (val_cmp(v, other, &order) != 0 || (low ? order < 0 : order > 0)))
        return; /* the other bound is the narrower one */
    val_dict_set_c(out, bound, v);
    val_dict_set_c(out, exclusive, val_bool(true));
}

static void convert_properties(struct conversion *c, struct val in, struct val out)
{
    struct val all = val_get(in, "properties"), converted, key, value;

    if (!val_is(all, VAL_DICT))
        return;
    converted = val_dict_new(c->a, val_count(all));
    for (size_t i = 0; val_pair_at(all, i, &key, &value); i++)
        val_dict_set_str(converted, val_text(key), convert(c, value));
    val_dict_set_c(out, "properties", converted);
}

static void convert_list(struct conversion *c, struct val in, struct val out, const char *name)
{
    struct val list = val_get(in, name);

    if (!val_is(list, VAL_LIST) || val_count(list) == 0)
        return;
    if (strcmp(name, "allOf") == 0) {
        for (size_t i = 0; i < val_count(list); i++)
            add_condition(c, out, convert(c, val_at(list, i)));
    } else {
        struct val converted = val_list_new(c->a, val_count(list));

        for (size_t i = 0; i < val_count(list); i++)
            val_list_add(converted, convert(c, val_at(list, i)));
        val_dict_set_c(out, name, converted);
    }
}

static void convert_items(struct conversion *c, struct val in, struct val out)
{
    struct val items = val_get(in, "items");

    if (val_is(items, VAL_DICT) && val_is_undef(val_get(in, "prefixItems")))
        val_dict_set_c(out, "items", convert(c, items));
    else if (!val_is_undef(items) || str_eq_c(val_get_text(out, "type", STR("")), "array"))
        val_dict_set_c(out, "items", val_dict_new(c->a, 0)); /* required; a schema per place has no words here */
}

static void convert_rest(struct conversion *c, struct val in, struct val out)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    struct val v = val_get(in, "additionalProperties");

    if (val_is(v, VAL_BOOL))
        val_dict_set_c(out, "additionalProperties", v);
    else if (val_is(v, VAL_DICT))
        val_dict_set_c(out, "additionalProperties", convert(c, v));
    if (val_is(val_get(in, "not"), VAL_DICT))
        val_dict_set_c(out, "not", convert(c, val_get(in, "not")));
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        convert_list(c, in, out, lists[i]);
    v = val_get(in, "enum");
    if (val_is(v, VAL_LIST) && val_count(v) > 0)
        val_dict_set_c(out, "enum", v);
    if (!val_is_undef(val_get(in, "const")))
        val_dict_set_c(out, "enum", single_enum(c, val_get(in, "const")));
    v = val_get(in, "examples");
    if (val_is(v, VAL_LIST) && val_count(v) > 0 && val_is_undef(val_get(out, "example")))
        val_dict_set_c(out, "example", val_at(v, 0));
}

static struct val convert_object(struct conversion *c, struct val in)
{
    struct val out = val_dict_new(c->a, val_count(in));

    if (val_is(val_get(in, "$ref"), VAL_STR))
        return convert_ref(c, val_text(val_get(in, "$ref")));
    convert_type(c, val_get(in, "type"), out);
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        struct val v = val_get(in, plain[i].name);

        if (has_kind(v, &plain[i]))
            val_dict_set_c(out, plain[i].name, v);
    }
    convert_bound(in, out, "exclusiveMinimum", "minimum");
    convert_bound(in, out, "exclusiveMaximum", "maximum");
    convert_properties(c, in, out);
    convert_items(c, in, out);
    convert_rest(c, in, out);
    return out;
}

static struct val convert(struct conversion *c, struct val in)
{
    struct val out = val_dict_new(c->a, 1);

    if (val_is(in, VAL_BOOL) && !in.u.b) {
        val_dict_set_c(out, "not", val_dict_new(c->a, 0));
        return out;
    }
    if (!val_is(in, VAL_DICT) || c->depth >= LIMIT_JSON_DEPTH / 4)
        return out;
    c->depth++;
    out = convert_object(c, in);
    c->depth--;
    return out;
}

struct val openapi_schema(struct val schema, struct str name, struct val components, struct arena *a)
{
    struct conversion c = {.root = schema, .name = name, .components = components, .a = a};
    struct val out = convert(&c, schema);

    convert_definitions(&c, "definitions");
    convert_definitions(&c, "$defs");
    if (c.refers_to_root)
        val_dict_set_str(components, name, out);
    return out;
}
