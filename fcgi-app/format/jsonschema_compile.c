/*
 * From a schema to its list of checks: the keywords that assert something themselves.
 *
 * A keyword with a value it cannot have is refused here, so that a mistake in a schema is seen when
 * it is written and not when it lets something pass. Rules: JSON Schema 2020-12 validation, section
 * 6 (draft-07: the same section).
 */
#include "format/jsonschema_int.h"

#include <math.h>

#include "base/bigint.h"

enum { DEPTH_MAX = 1000, CONTEXT_MAX = 300 };

static const struct {
    const char *name;
    unsigned type;
} type_names[] = {
    {"null", JS_NULL},     {"boolean", JS_BOOLEAN}, {"integer", JS_INTEGER}, {"number", JS_NUMBER},
    {"string", JS_STRING}, {"array", JS_ARRAY},     {"object", JS_OBJECT},
};

int js_refuse(struct js_compiler *c, const char *keyword, const char *message)
{
    err_set(c->e, ERR_INVALID, "%s: %s", keyword, message);
    return -1;
}

struct js_check *js_add(struct js_compiler *c, struct js_schema *s, js_check_fn *run)
{
    struct js_check *check = ARENA_NEW(c->a, struct js_check);
    struct js_check **end = &s->checks;

    while (*end != NULL)
        end = &(*end)->next;
    *end = check;
    check->run = run;
    return check;
}

int js_text_list(struct js_compiler *c, struct val list, const char *keyword, struct str **out,
                 size_t *n)
{
    if (!json_is_array(list))
        return js_refuse(c, keyword, "must be a list of texts");
    *n = val_count(list);
    *out = ARENA_ARRAY(c->a, struct str, *n);
    for (size_t i = 0; i < *n; i++) {
        if (!val_is(val_at(list, i), VAL_STR))
            return js_refuse(c, keyword, "must be a list of texts");
        (*out)[i] = val_text(val_at(list, i));
    }
    return 0;
}

int js_pattern(struct js_compiler *c, struct str pattern, const char *keyword,
               const struct regex **out)
{
    struct regex *re = NULL;

    if (regex_compile(&re, pattern, REGEX_ECMA, c->a, c->e) != 0) {
        err_context(c->e, "%s \"%.*s\"", keyword, STR_ARG(pattern));
        return -1;
    }
    *out = re;
    return 0;
}

static int type_bit(struct js_compiler *c, struct val name, unsigned *types)
{
    for (size_t i = 0; i < COUNT_OF(type_names); i++) {
        if (str_eq_c(val_text(name), type_names[i].name)) {
            *types |= type_names[i].type;
            return 0;
        }
    }
    err_set(c->e, ERR_INVALID, "type: unknown type \"%.*s\"", STR_ARG(val_text(name)));
    return -1;
}

static int kw_type(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    unsigned types = 0;

    if (val_is(v, VAL_STR)) {
        if (type_bit(c, v, &types) != 0)
            return -1;
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < val_count(v); i++)
            if (type_bit(c, val_at(v, i), &types) != 0)
                return -1;
    } else {
        return js_refuse(c, keyword, "must be the name of a type or a list of such");
    }
    js_add(c, s, js_run_type)->u.types = types;
    return 0;
}

static int kw_const(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    (void)keyword;
    js_add(c, s, js_run_const)->u.value = v;
    return 0;
}

static int kw_enum(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    if (!json_is_array(v))
        return js_refuse(c, keyword, "must be a list");
    js_add(c, s, js_run_enum)->u.value = v;
    return 0;
}

static int kw_pattern(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    const struct regex *re = NULL;
    struct js_check *check;

    if (!val_is(v, VAL_STR))
        return js_refuse(c, keyword, "must be a text");
    if (js_pattern(c, val_text(v), keyword, &re) != 0)
        return -1;
    check = js_add(c, s, js_run_pattern);
    check->u.pattern.re = re;
    check->u.pattern.text = val_text(v);
    return 0;
}

static int kw_format(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    const struct js_format *format;

    if (!val_is(v, VAL_STR))
        return js_refuse(c, keyword, "must be a text");
    format = js_format_find(val_text(v));
    if (format != NULL && (c->flags & JSONSCHEMA_FORMATS))
        js_add(c, s, js_run_format)->u.format = format;
    return 0;
}

static int kw_required(struct js_compiler *c, struct js_schema *s, struct val v,
                       const char *keyword)
{
    struct str *names = NULL;
    size_t n = 0;
    struct js_check *check;

    if (js_text_list(c, v, keyword, &names, &n) != 0)
        return -1;
    check = js_add(c, s, js_run_required);
    check->u.required.names = names;
    check->u.required.n = n;
    return 0;
}

static int kw_unique(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword)
{
    if (!val_is(v, VAL_BOOL))
        return js_refuse(c, keyword, "must be true or false");
    if (v.u.b)
        (void)js_add(c, s, js_run_unique_items);
    return 0;
}

/* Keywords with code of their own, in the order they are checked. */
static const struct {
    const char *name;
    int (*compile)(struct js_compiler *c, struct js_schema *s, struct val v, const char *keyword);
} plain[] = {
    {"type", kw_type},          {"const", kw_const},     {"enum", kw_enum},
    {"required", kw_required},  {"pattern", kw_pattern}, {"format", kw_format},
    {"uniqueItems", kw_unique},
};

static const struct {
    const char *name;
    js_check_fn *run;
} numbers[] = {
    {"minimum", js_run_minimum},        {"exclusiveMinimum", js_run_exclusive_minimum},
    {"maximum", js_run_maximum},        {"exclusiveMaximum", js_run_exclusive_maximum},
    {"multipleOf", js_run_multiple_of},
};

static const struct {
    const char *name;
    js_check_fn *run;
} counts[] = {
    {"minLength", js_run_min_length},         {"maxLength", js_run_max_length},
    {"minItems", js_run_min_items},           {"maxItems", js_run_max_items},
    {"minProperties", js_run_min_properties}, {"maxProperties", js_run_max_properties},
};

int js_count(struct js_compiler *c, struct val v, const char *keyword, int64_t *out)
{
    if (val_is(v, VAL_FLOAT) && v.u.f == floor(v.u.f) && fabs(v.u.f) < 9e15)
        v = val_int((int64_t)v.u.f);
    if (!val_is(v, VAL_INT) || v.u.i < 0)
        return js_refuse(c, keyword, "must be a whole number, 0 or more");
    *out = v.u.i;
    return 0;
}

static int compile_numbers(struct js_compiler *c, struct js_schema *s, struct val schema)
{
    int order = 0;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct val v = val_get(schema, numbers[i].name);

        if (val_is_undef(v))
            continue;
        if (!json_is_number(v))
            return js_refuse(c, numbers[i].name, "must be a number");
        if (numbers[i].run == js_run_multiple_of &&
            (val_cmp(v, val_int(0), &order) != 0 || order <= 0))
            return js_refuse(c, numbers[i].name, "must be more than 0");
        js_add(c, s, numbers[i].run)->u.value = v;
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct val v = val_get(schema, counts[i].name);
        int64_t count = 0;

        if (val_is_undef(v))
            continue;
        if (js_count(c, v, counts[i].name, &count) != 0)
            return -1;
        js_add(c, s, counts[i].run)->u.count = count;
    }
    return 0;
}

static int compile_object(struct js_compiler *c, struct js_schema *s, struct val schema,
                          struct js_resource *res)
{
    if (res->draft == JSONSCHEMA_DRAFT7 && !val_is_undef(val_get(schema, "$ref")))
        return js_compile_refs(c, s, schema, res); /* which stands alone there */
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        struct val v = val_get(schema, plain[i].name);

        if (!val_is_undef(v) && plain[i].compile(c, s, v, plain[i].name) != 0)
            return -1;
    }
    if (compile_numbers(c, s, schema) != 0 || js_compile_refs(c, s, schema, res) != 0 ||
        js_compile_nested(c, s, schema, res) != 0)
        return -1;
    return 0;
}

int js_compile(struct js_compiler *c, struct val schema, struct js_resource *res, const char *where,
               struct js_schema **out)
{
    struct js_site *site = js_site_of(c, schema);
    struct js_schema *s;
    int rc;

    if (site != NULL && site->schema != NULL) {
        *out = site->schema;
        return 0;
    }
    if (!val_is(schema, VAL_BOOL) && site == NULL)
        return js_refuse(c, where[0] != '\0' ? where : "the schema",
                         "must be an object or a boolean");
    s = ARENA_NEW(c->a, struct js_schema);
    s->resource = site != NULL ? site->resource : res;
    *out = s;
    if (site == NULL) {
        s->never = !schema.u.b;
        return 0;
    }
    site->schema = s; /* before its parts, which may refer to it */
    if (++c->depth > DEPTH_MAX) {
        err_set(c->e, ERR_LIMIT, "references lead deeper than %d schemas", DEPTH_MAX);
        return -1;
    }
    rc = compile_object(c, s, schema, site->resource);
    c->depth--;
    if (rc != 0 && where[0] != '\0' && strlen(c->e->msg) < CONTEXT_MAX)
        err_context(c->e, "%s", where);
    return rc;
}
