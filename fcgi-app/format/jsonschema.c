/*
 * JSON Schema: the entry.
 *
 * The document is copied, indexed (jsonschema_ref.c) and compiled from its root; schemas that
 * nothing refers to are not compiled.
 */
#include "format/jsonschema_int.h"

enum { STEPS_MAX = 10000000, ERRORS_MAX = 100 };
#define MEMORY_MAX (256 * MIB) /* what one validation may allocate, bytes */

/* Anchors named by some $dynamicRef may be met in any resource: compile them all, which may name
 * more. */
static int compile_dynamic(struct js_compiler *c)
{
    bool again = true;

    while (again) {
        again = false;
        for (struct js_resource *res = c->resources; res != NULL; res = res->next) {
            const struct map_entry *entry;
            size_t i = 0;

            while ((entry = map_next(&c->dynamic, &i)) != NULL) {
                const struct js_anchor *anchor = map_find(&res->anchors, entry->key);
                struct js_schema *schema = NULL;

                if (anchor == NULL || !anchor->dynamic ||
                    map_find(&res->dynamic_schemas, entry->key) != NULL)
                    continue;
                if (js_compile(c, anchor->schema, res, "$dynamicAnchor", &schema) != 0)
                    return -1;
                (void)map_set(&res->dynamic_schemas, entry->key, schema);
                again = true;
                break; /* the table may have grown under the walk */
            }
        }
    }
    return 0;
}

int jsonschema_compile(struct jsonschema **out, struct val schema, enum jsonschema_draft draft,
                       unsigned flags, struct arena *a, struct err *e)
{
    struct js_compiler c = {
        .forced = draft != JSONSCHEMA_AUTO,
        .flags = flags,
        .a = a,
        .e = e,
    };
    struct js_resource *res = NULL;
    struct js_schema *root = NULL;

    map_init(&c.by_uri, a);
    map_init(&c.sites, a);
    map_init(&c.dynamic, a);
    schema = val_copy(schema, a);
    if (draft == JSONSCHEMA_AUTO)
        draft = js_draft_of(val_text(val_get(schema, "$schema")));
    if (draft == JSONSCHEMA_AUTO)
        draft = JSONSCHEMA_DRAFT7;
    if (js_index(&c, schema, STR(""), draft, &res) != 0 ||
        js_compile(&c, schema, res, "", &root) != 0 || compile_dynamic(&c) != 0)
        return -1;
    *out = ARENA_NEW(a, struct jsonschema);
    (*out)->root = root;
    return 0;
}

int jsonschema_validate(const struct jsonschema *s, struct val data,
                        struct jsonschema_error **errors, struct arena *a, struct err *e)
{
    struct js_run r = {
        .a = a,
        .e = e,
        .steps = STEPS_MAX,
        .memory_end = arena_used(a) + MEMORY_MAX,
        .room = ERRORS_MAX,
        .quiet = errors == NULL,
    };
    int rc = js_validate(&r, s->root, data, NULL, NULL, NULL);

    if (errors != NULL)
        *errors = rc == 0 ? r.first : NULL;
    return rc;
}
