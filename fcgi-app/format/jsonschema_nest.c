/*
 * From a schema to its list of checks: the keywords that hold schemas, and references.
 *
 * Rules: JSON Schema 2020-12 core, sections 8.2, 10 and 11; draft-07 validation, sections 6.4
 * to 6.7.
 */
#include "format/jsonschema_int.h"

/* The schema under `keyword`, NULL in *out when there is none. */
static int one(struct js_compiler *c, struct val schema, struct js_resource *res,
               const char *keyword, const struct js_schema **out)
{
    struct val v = val_get(schema, keyword);
    struct js_schema *s = NULL;

    *out = NULL;
    if (val_is_undef(v))
        return 0;
    if (js_compile(c, v, res, keyword, &s) != 0)
        return -1;
    *out = s;
    return 0;
}

static int list(struct js_compiler *c, struct val v, struct js_resource *res, const char *keyword,
                const struct js_schema ***out, size_t *n)
{
    if (!json_is_array(v))
        return js_refuse(c, keyword, "must be a list of schemas");
    *n = val_count(v);
    *out = ARENA_ARRAY(c->a, const struct js_schema *, *n);
    for (size_t i = 0; i < *n; i++) {
        struct js_schema *s = NULL;

        if (js_compile(c, val_at(v, i), res, arena_printf(c->a, "%s.%zu", keyword, i), &s) != 0)
            return -1;
        (*out)[i] = s;
    }
    return 0;
}

static const char *where_of(struct js_compiler *c, const char *keyword, struct val name)
{
    return arena_printf(c->a, "%s.%.*s", keyword, STR_ARG(val_text(name)));
}

/* ---- objects ----------------------------------------------------------------------------- */

static int properties(struct js_compiler *c, struct val v, struct js_resource *res,
                      struct js_members *m)
{
    struct val name;
    struct val sub;

    if (!val_is(v, VAL_DICT))
        return js_refuse(c, "properties", "must be an object");
    for (size_t i = 0; val_pair_at(v, i, &name, &sub); i++) {
        struct js_schema *s = NULL;

        if (js_compile(c, sub, res, where_of(c, "properties", name), &s) != 0)
            return -1;
        (void)map_set(&m->props, val_text(name), s);
    }
    return 0;
}

static int pattern_properties(struct js_compiler *c, struct val v, struct js_resource *res,
                              struct js_members *m)
{
    struct val name;
    struct val sub;

    if (!val_is(v, VAL_DICT))
        return js_refuse(c, "patternProperties", "must be an object");
    m->patterns = ARENA_ARRAY(c->a, const struct regex *, val_count(v));
    m->pattern_schemas = ARENA_ARRAY(c->a, const struct js_schema *, val_count(v));
    for (size_t i = 0; val_pair_at(v, i, &name, &sub); i++) {
        struct js_schema *s = NULL;

        if (js_pattern(c, val_text(name), "patternProperties", &m->patterns[i]) != 0 ||
            js_compile(c, sub, res, where_of(c, "patternProperties", name), &s) != 0)
            return -1;
        m->pattern_schemas[i] = s;
    }
    m->n_patterns = val_count(v);
    return 0;
}

static int members(struct js_compiler *c, struct js_schema *s, struct val schema,
                   struct js_resource *res)
{
    struct val props = val_get(schema, "properties");
    struct val patterns = val_get(schema, "patternProperties");
    struct js_members *m = ARENA_NEW(c->a, struct js_members);
    const struct js_schema *names = NULL;

    map_init(&m->props, c->a);
    if (!val_is_undef(props) && properties(c, props, res, m) != 0)
        return -1;
    if (!val_is_undef(patterns) && pattern_properties(c, patterns, res, m) != 0)
        return -1;
    if (one(c, schema, res, "additionalProperties", &m->rest) != 0 ||
        one(c, schema, res, "propertyNames", &names) != 0)
        return -1;
    if (m->props.n > 0 || m->n_patterns > 0 || m->rest != NULL)
        js_add(c, s, js_run_members)->u.members = m;
    if (names != NULL)
        js_add(c, s, js_run_names)->u.schema = names;
    return 0;
}

/* dependencies, dependentRequired, dependentSchemas: values are lists of names or schemas. */
static int dependencies(struct js_compiler *c, struct js_schema *s, struct val schema,
                        struct js_resource *res, const char *keyword)
{
    struct val v = val_get(schema, keyword);
    struct js_dependency *d;
    struct js_check *check;
    struct val name;
    struct val value;

    if (val_is_undef(v))
        return 0;
    if (!val_is(v, VAL_DICT))
        return js_refuse(c, keyword, "must be an object");
    d = ARENA_ARRAY(c->a, struct js_dependency, val_count(v));
    for (size_t i = 0; val_pair_at(v, i, &name, &value); i++) {
        struct js_schema *sub = NULL;

        d[i].when = val_text(name);
        if (json_is_array(value)) {
            if (js_text_list(c, value, keyword, &d[i].required, &d[i].n_required) != 0)
                return -1;
        } else if (js_compile(c, value, res, where_of(c, keyword, name), &sub) != 0) {
            return -1;
        }
        d[i].schema = sub;
    }
    check = js_add(c, s, js_run_dependencies);
    check->u.dependencies.list = d;
    check->u.dependencies.n = val_count(v);
    return 0;
}

/* ---- arrays ------------------------------------------------------------------------------ */

static int items(struct js_compiler *c, struct js_schema *s, struct val schema,
                 struct js_resource *res)
{
    bool draft7 = res->draft == JSONSCHEMA_DRAFT7;
    struct val v = val_get(schema, "items");
    bool is_list = draft7 && json_is_array(v);
    struct val prefix = draft7 ? (is_list ? v : val_undef(NULL)) : val_get(schema, "prefixItems");
    struct js_items *it = ARENA_NEW(c->a, struct js_items);

    if (!draft7 && json_is_array(v))
        return js_refuse(c, "items",
                         "must be a schema; a list of schemas belongs into prefixItems");
    if (!val_is_undef(prefix) &&
        list(c, prefix, res, draft7 ? "items" : "prefixItems", &it->prefix, &it->n_prefix) != 0)
        return -1;
    if (one(c, schema, res, is_list ? "additionalItems" : "items", &it->rest) != 0)
        return -1;
    if (it->n_prefix > 0 || it->rest != NULL)
        js_add(c, s, js_run_items)->u.items = it;
    return 0;
}

static int contains(struct js_compiler *c, struct js_schema *s, struct val schema,
                    struct js_resource *res)
{
    struct val min = val_get(schema, "minContains");
    struct val max = val_get(schema, "maxContains");
    bool draft7 = res->draft == JSONSCHEMA_DRAFT7;
    const struct js_schema *sub = NULL;
    struct js_check *check;
    int64_t at_least = 1;
    int64_t at_most = -1;

    if (one(c, schema, res, "contains", &sub) != 0)
        return -1;
    if (sub == NULL)
        return 0;
    if (!draft7 && !val_is_undef(min) && js_count(c, min, "minContains", &at_least) != 0)
        return -1;
    if (!draft7 && !val_is_undef(max) && js_count(c, max, "maxContains", &at_most) != 0)
        return -1;
    check = js_add(c, s, js_run_contains);
    check->u.contains.schema = sub;
    check->u.contains.min = at_least;
    check->u.contains.max = at_most;
    check->u.contains.marks = !draft7;
    return 0;
}

/* ---- in place ---------------------------------------------------------------------------- */

static int combined(struct js_compiler *c, struct js_schema *s, struct val schema,
                    struct js_resource *res)
{
    static const struct {
        const char *name;
        js_check_fn *run;
    } kinds[] = {{"allOf", js_run_all_of}, {"anyOf", js_run_any_of}, {"oneOf", js_run_one_of}};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct val v = val_get(schema, kinds[i].name);
        const struct js_schema **subs = NULL;
        struct js_check *check;
        size_t n = 0;

        if (val_is_undef(v))
            continue;
        if (list(c, v, res, kinds[i].name, &subs, &n) != 0)
            return -1;
        if (n == 0)
            return js_refuse(c, kinds[i].name, "must not be empty");
        check = js_add(c, s, kinds[i].run);
        check->u.all.list = subs;
        check->u.all.n = n;
    }
    return 0;
}

static int conditions(struct js_compiler *c, struct js_schema *s, struct val schema,
                      struct js_resource *res)
{
    const struct js_schema *test = NULL;
    const struct js_schema *yes = NULL;
    const struct js_schema *no = NULL;
    const struct js_schema *negated = NULL;
    struct js_check *check;

    if (one(c, schema, res, "not", &negated) != 0 || one(c, schema, res, "if", &test) != 0)
        return -1;
    if (negated != NULL)
        js_add(c, s, js_run_not)->u.schema = negated;
    if (test == NULL)
        return 0;
    if (one(c, schema, res, "then", &yes) != 0 || one(c, schema, res, "else", &no) != 0)
        return -1;
    check = js_add(c, s, js_run_branch);
    check->u.branch.test = test;
    check->u.branch.yes = yes;
    check->u.branch.no = no;
    return 0;
}

int js_compile_nested(struct js_compiler *c, struct js_schema *s, struct val schema,
                      struct js_resource *res)
{
    bool draft7 = res->draft == JSONSCHEMA_DRAFT7;
    const struct js_schema *rest_items = NULL;
    const struct js_schema *rest_members = NULL;

    if (members(c, s, schema, res) != 0 || items(c, s, schema, res) != 0 ||
        contains(c, s, schema, res) != 0 || combined(c, s, schema, res) != 0 ||
        conditions(c, s, schema, res) != 0)
        return -1;
    if (dependencies(c, s, schema, res, "dependencies") != 0)
        return -1;
    if (draft7)
        return 0;
    if (dependencies(c, s, schema, res, "dependentRequired") != 0 ||
        dependencies(c, s, schema, res, "dependentSchemas") != 0 ||
        one(c, schema, res, "unevaluatedItems", &rest_items) != 0 ||
        one(c, schema, res, "unevaluatedProperties", &rest_members) != 0)
        return -1;
    /* last: they need to know what the others looked at */
    if (rest_items != NULL)
        js_add(c, s, js_run_unevaluated_items)->u.schema = rest_items;
    if (rest_members != NULL)
        js_add(c, s, js_run_unevaluated_properties)->u.schema = rest_members;
    s->tracks = rest_items != NULL || rest_members != NULL;
    return 0;
}

/* ---- references -------------------------------------------------------------------------- */

static int reference(struct js_compiler *c, struct js_schema *s, struct val schema,
                     struct js_resource *res, const char *keyword, bool dynamic)
{
    struct val ref = val_get(schema, keyword);
    const struct js_anchor *anchor = NULL;
    struct js_resource *target_res = NULL;
    struct js_schema *target = NULL;
    struct js_check *check;
    struct str fragment = STR_NONE;
    struct val found;

    if (val_is_undef(ref))
        return 0;
    if (!val_is(ref, VAL_STR))
        return js_refuse(c, keyword, "must be a text");
    if (js_resolve(c, val_text(ref), res, &found, &target_res, &anchor, &fragment) != 0) {
        err_context(c->e, "%s", keyword);
        return -1;
    }
    dynamic = dynamic && anchor != NULL && anchor->dynamic;
    if (dynamic)
        (void)map_set(&c->dynamic, fragment, c);
    check = js_add(c, s, dynamic ? js_run_dynamic_ref : js_run_ref);
    if (js_compile(c, found, target_res,
                   arena_printf(c->a, "%s \"%.*s\"", keyword, STR_ARG(val_text(ref))),
                   &target) != 0)
        return -1;
    if (dynamic) {
        check->u.dynamic.target = target;
        check->u.dynamic.anchor = fragment;
    } else {
        check->u.schema = target;
    }
    return 0;
}

int js_compile_refs(struct js_compiler *c, struct js_schema *s, struct val schema,
                    struct js_resource *res)
{
    if (reference(c, s, schema, res, "$ref", false) != 0)
        return -1;
    if (res->draft == JSONSCHEMA_DRAFT7)
        return 0;
    return reference(c, s, schema, res, "$dynamicRef", true);
}
