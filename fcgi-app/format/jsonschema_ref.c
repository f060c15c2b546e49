/*
 * Which schema stands where, under which URI and which anchors; and finding what a reference names.
 *
 * Only places that hold schemas are looked at: an "$id" inside `enum` or under an unknown keyword
 * names nothing.  Rules: JSON Schema 2020-12 core, sections 8 and 9; draft-07 core, section 8.
 */
#include "format/jsonschema_int.h"

#include "base/utf8.h"

enum { DEPTH_MAX = 600 };

/* Keywords that hold schemas, and how. */
enum holds { HOLDS_ONE = 1, HOLDS_LIST = 2, HOLDS_MAP = 4, NOT_DRAFT7 = 8, ONLY_DRAFT7 = 16 };

static const struct {
    const char *name;
    unsigned holds;
} keywords[] = {
    {"additionalItems", HOLDS_ONE | ONLY_DRAFT7},
    {"additionalProperties", HOLDS_ONE},
    {"allOf", HOLDS_LIST},
    {"anyOf", HOLDS_LIST},
    {"contains", HOLDS_ONE},
    {"contentSchema", HOLDS_ONE | NOT_DRAFT7},
    {"definitions", HOLDS_MAP},
    {"$defs", HOLDS_MAP},
    {"dependencies", HOLDS_MAP},
    {"dependentSchemas", HOLDS_MAP | NOT_DRAFT7},
    {"else", HOLDS_ONE},
    {"if", HOLDS_ONE},
    {"items", HOLDS_ONE | HOLDS_LIST},
    {"not", HOLDS_ONE},
    {"oneOf", HOLDS_LIST},
    {"patternProperties", HOLDS_MAP},
    {"prefixItems", HOLDS_LIST | NOT_DRAFT7},
    {"properties", HOLDS_MAP},
    {"propertyNames", HOLDS_ONE},
    {"then", HOLDS_ONE},
    {"unevaluatedItems", HOLDS_ONE | NOT_DRAFT7},
    {"unevaluatedProperties", HOLDS_ONE | NOT_DRAFT7},
};

static int walk(struct js_compiler *c, struct val schema, struct js_resource *res);

/* A schema object is known by its address. */
static struct str identity(const struct val *schema)
{
    return str_make((const char *)&schema->u, sizeof schema->u);
}

struct js_site *js_site_of(const struct js_compiler *c, struct val schema)
{
    return val_is(schema, VAL_DICT) ? map_find(&c->sites, identity(&schema)) : NULL;
}

static struct js_resource *resource_new(struct js_compiler *c, struct val root, struct str uri,
                                        enum jsonschema_draft draft)
{
    struct js_resource *res = ARENA_NEW(c->a, struct js_resource);

    res->uri = uri;
    res->root = root;
    res->draft = draft;
    map_init(&res->anchors, c->a);
    map_init(&res->dynamic_schemas, c->a);
    res->next = c->resources;
    c->resources = res;
    if (map_find(&c->by_uri, uri) == NULL)
        (void)map_set(&c->by_uri, uri, res);
    return res;
}

static void add_anchor(struct js_compiler *c, struct js_resource *res, struct val schema,
                       struct str name, bool dynamic)
{
    struct js_anchor *anchor;

    if (name.len == 0)
        return;
    anchor = ARENA_NEW(c->a, struct js_anchor);
    anchor->schema = schema;
    anchor->dynamic = dynamic;
    (void)map_set(&res->anchors, name, anchor);
}

/* "$id": gives the resource that the schema begins, or the one it stands in. */
static struct js_resource *identify(struct js_compiler *c, struct val schema,
                                    struct js_resource *res)
{
    struct str uri = val_text(val_get(schema, "$id"));
    enum jsonschema_draft draft = js_draft_of(val_text(val_get(schema, "$schema")));
    struct str fragment;
    bool has_fragment;

    if (res->draft == JSONSCHEMA_DRAFT7 && !val_is_undef(val_get(schema, "$ref")))
        return res; /* what stands beside "$ref" does not count */
    fragment = js_uri_fragment(&uri, &has_fragment);
    if (uri.len > 0) {
        uri = js_uri_resolve(res->uri, uri, c->a);
        if (schema.u.dict == res->root.u.dict) {
            res->uri = uri;
            (void)map_set(&c->by_uri, uri, res);
        } else {
            if (c->forced || draft == JSONSCHEMA_AUTO)
                draft = res->draft;
            res = resource_new(c, schema, uri, draft);
        }
    }
    if (res->draft == JSONSCHEMA_DRAFT7) {
        add_anchor(c, res, schema, fragment, false);
    } else {
        add_anchor(c, res, schema, val_text(val_get(schema, "$anchor")), false);
        add_anchor(c, res, schema, val_text(val_get(schema, "$dynamicAnchor")), true);
    }
    return res;
}

static int walk_keyword(struct js_compiler *c, struct val v, unsigned holds,
                        struct js_resource *res)
{
    struct val key;
    struct val value;

    if ((holds & HOLDS_LIST) && json_is_array(v)) {
        for (size_t i = 0; i < val_count(v); i++)
            if (walk(c, val_at(v, i), res) != 0)
                return -1;
        return 0;
    }
    if (!val_is(v, VAL_DICT))
        return 0;
    if (holds & HOLDS_ONE)
        return walk(c, v, res);
    for (size_t i = 0; val_pair_at(v, i, &key, &value); i++)
        if (walk(c, value, res) != 0)
            return -1;
    return 0;
}

static int walk(struct js_compiler *c, struct val schema, struct js_resource *res)
{
    struct js_site *site;

    if (!val_is(schema, VAL_DICT) || js_site_of(c, schema) != NULL)
        return 0;
    if (++c->depth > DEPTH_MAX) {
        err_set(c->e, ERR_LIMIT, "the schema is nested deeper than %d", DEPTH_MAX);
        return -1;
    }
    res = identify(c, schema, res);
    site = ARENA_NEW(c->a, struct js_site);
    site->resource = res;
    (void)map_set(&c->sites, str_dup(c->a, identity(&schema)), site);
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        unsigned holds = keywords[i].holds;

        if (holds & (res->draft == JSONSCHEMA_DRAFT7 ? NOT_DRAFT7 : ONLY_DRAFT7))
            continue;
        if (walk_keyword(c, val_get(schema, keywords[i].name), holds, res) != 0)
            return -1;
    }
    c->depth--;
    return 0;
}

int js_index(struct js_compiler *c, struct val root, struct str uri, enum jsonschema_draft draft,
             struct js_resource **out)
{
    *out = resource_new(c, root, uri, draft);
    return walk(c, root, *out);
}

/* ~1 is '/', ~0 is '~' (RFC 6901). */
static struct str unescape(struct js_compiler *c, struct str token)
{
    struct buf b;

    if (str_find_char(token, '~') < 0)
        return token;
    buf_init(&b, token.len + 1, c->a);
    for (size_t i = 0; i < token.len; i++) {
        bool escaped = token.p[i] == '~' && i + 1 < token.len &&
                       (token.p[i + 1] == '0' || token.p[i + 1] == '1');

        buf_putc(&b, !escaped ? token.p[i] : token.p[++i] == '1' ? '/' : '~');
    }
    return buf_str(&b);
}

/* Follow the JSON pointer from the root of *res; *res becomes the resource of what is found. */
static struct val point(struct js_compiler *c, struct str pointer, struct js_resource **res)
{
    struct val v = (*res)->root;

    while (pointer.len > 0) {
        struct js_site *site;
        struct str token;
        ptrdiff_t slash;
        int64_t index;

        pointer = str_slice(pointer, 1, pointer.len);
        slash = str_find_char(pointer, '/');
        token = str_slice(pointer, 0, slash < 0 ? pointer.len : (size_t)slash);
        pointer = str_slice(pointer, token.len, pointer.len);
        token = unescape(c, token);
        if (val_is(v, VAL_DICT))
            v = val_get_str(v, token);
        else if (json_is_array(v) && str_to_int(token, &index) && index >= 0)
            v = val_at(v, (size_t)index);
        else
            return val_undef(NULL);
        site = js_site_of(c, v);
        if (site != NULL)
            *res = site->resource;
    }
    return v;
}

static int find_resource(struct js_compiler *c, struct str uri, struct js_resource *from,
                         struct js_resource **out)
{
    struct str full = js_uri_resolve(from->uri, uri, c->a);
    bool found = true;

    *out = map_find(&c->by_uri, full);
    if (*out == NULL && js_meta_load(c, full, &found) != 0)
        return -1;
    if (*out == NULL && found)
        *out = map_find(&c->by_uri, full);
    if (*out == NULL) {
        err_set(c->e, ERR_INVALID,
                "the reference names another document, \"%.*s\": only references "
                "inside the schema are followed",
                STR_ARG(full));
        return -1;
    }
    return 0;
}

int js_resolve(struct js_compiler *c, struct str ref, struct js_resource *res, struct val *out,
               struct js_resource **out_res, const struct js_anchor **anchor, struct str *fragment)
{
    struct str uri = ref;
    bool has_fragment;
    struct str name = js_uri_fragment(&uri, &has_fragment);

    *anchor = NULL;
    *out_res = res;
    if (uri.len > 0 && find_resource(c, uri, res, out_res) != 0)
        return -1;
    if (!js_uri_decode(name, fragment, c->a)) {
        err_set(c->e, ERR_INVALID, "the reference \"%.*s\" is not UTF-8", STR_ARG(ref));
        return -1;
    }
    *out = (*out_res)->root;
    if (fragment->len > 0 && fragment->p[0] == '/') {
        *out = point(c, *fragment, out_res);
    } else if (fragment->len > 0) {
        *anchor = map_find(&(*out_res)->anchors, *fragment);
        *out = *anchor != NULL ? (*anchor)->schema : val_undef(NULL);
    }
    if (!val_is(*out, VAL_DICT) && !val_is(*out, VAL_BOOL)) {
        err_set(c->e, ERR_INVALID, "the reference \"%.*s\" names no schema", STR_ARG(ref));
        return -1;
    }
    return walk(c, *out, *out_res);
}
