/*
 * The context of an instance: keys and values, with what a setter needs to take writes back.
 *
 * Rules: workflow-engine.md 4.7.
 */
#include "engine/instance_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

enum { INDEX_FROM = 16 }; /* fewer keys are faster walked than hashed */

static uint32_t index_of(const struct instance *in, struct str key)
{
    if (in->n_ctx <= INDEX_FROM) {
        for (uint32_t i = 0; i < in->n_ctx; i++)
            if (str_eq(in->ctx[i].key, key))
                return i + 1;
        return 0;
    }
    return (uint32_t)(uintptr_t)map_find(&in->ctx_index, key);
}

static void index_add(struct instance *in, uint32_t i)
{
    if (in->n_ctx == INDEX_FROM + 1)
        for (uint32_t k = 0; k < i; k++)
            map_set(&in->ctx_index, in->ctx[k].key, (void *)(uintptr_t)(k + 1));
    if (in->n_ctx > INDEX_FROM)
        map_set(&in->ctx_index, in->ctx[i].key, (void *)(uintptr_t)(i + 1));
}

struct ctx_entry *context_find(const struct instance *in, struct str key)
{
    uint32_t i = index_of(in, key);

    return i > 0 && in->ctx[i - 1].present ? &in->ctx[i - 1] : NULL;
}

struct ctx_entry *context_entry(struct instance *in, struct str key)
{
    uint32_t i = index_of(in, key);

    if (i > 0)
        return &in->ctx[i - 1];
    if (in->n_ctx == in->cap_ctx) {
        uint32_t cap = in->cap_ctx > 0 ? in->cap_ctx * 2 : 8;

        in->ctx = arena_grow(in->a, in->ctx, in->cap_ctx * sizeof *in->ctx, cap * sizeof *in->ctx);
        in->cap_ctx = cap;
    }
    in->ctx[in->n_ctx++] = (struct ctx_entry){.key = str_dup(in->a, key)};
    index_add(in, in->n_ctx - 1);
    return &in->ctx[in->n_ctx - 1];
}

static void remember(struct instance *in, const struct ctx_entry *c)
{
    if (in->n_undo == in->cap_undo) {
        uint32_t cap = in->cap_undo > 0 ? in->cap_undo * 2 : 8;

        in->undo =
            arena_grow(in->a, in->undo, in->cap_undo * sizeof *in->undo, cap * sizeof *in->undo);
        in->cap_undo = cap;
    }
    in->undo[in->n_undo++] = (struct ctx_undo){(uint32_t)(c - in->ctx), *c};
}

static size_t size_of(const struct ctx_entry *c)
{
    return c->present ? c->bytes : 0;
}

static int check_limits(struct instance *in, struct str key, struct val v, struct str *json,
                        size_t *bytes, struct err *e)
{
    const struct ctx_entry *old = context_find(in, key);
    size_t size;

    if (!node_storable(key)) {
        err_set(e, ERR_INVALID, "a context key cannot hold a NUL");
        return -1;
    }
    if (key.len > LIMIT_CONTEXT_KEY && utf8_len(key) > LIMIT_CONTEXT_KEY) {
        err_set(e, ERR_LIMIT, "context key longer than %d characters", LIMIT_CONTEXT_KEY);
        return -1;
    }
    *json = STR_NONE;
    if (val_is(v, VAL_STR)) {
        size = v.len;
    } else if (val_is(v, VAL_LIST) || val_is(v, VAL_DICT) || val_is(v, VAL_TUPLE)) {
        *json = json_text(v, in->a);
        size = json->len;
    } else {
        size = 16;
    }
    if (size > LIMIT_CONTEXT_VALUE) {
        err_set(e, ERR_LIMIT, "value of context key \"%.*s\" is larger than %zu bytes",
                STR_ARG(key), (size_t)LIMIT_CONTEXT_VALUE);
        return -1;
    }
    /* what is overwritten makes room */
    if (in->ctx_bytes - (old != NULL ? size_of(old) : 0) + size > LIMIT_CONTEXT) {
        err_set(e, ERR_LIMIT, "the context is larger than %zu bytes", (size_t)LIMIT_CONTEXT);
        return -1;
    }
    *bytes = size;
    return 0;
}

int context_set(struct instance *in, struct str key, struct val v, bool cleanup, bool sensitive,
                struct err *e)
{
    struct ctx_entry *c;
    struct str json;
    size_t bytes;

    if (check_limits(in, key, v, &json, &bytes, e) != 0)
        return -1;
    c = context_entry(in, key);
    if (c->id == 0 && instance_id_next(in, IDS_CONTEXT, &c->id, e) != 0)
        return -1;
    remember(in, c);
    in->ctx_bytes -= size_of(c);
    c->v = val_copy(v, in->a);
    c->json = json;
    c->bytes = bytes;
    c->present = true;
    c->cleanup = cleanup;
    c->sensitive = sensitive;
    c->dirty = true;
    in->ctx_bytes += size_of(c);
    return 0;
}

struct val context_value(const struct instance *in, struct str key)
{
    const struct ctx_entry *c = context_find(in, key);

    return c != NULL ? c->v : val_undef(NULL);
}

struct val context_dict(const struct instance *in, struct arena *a)
{
    struct val out = val_dict_new(a, in->n_ctx);

    for (uint32_t i = 0; i < in->n_ctx; i++)
        if (in->ctx[i].present)
            val_dict_set_str(out, in->ctx[i].key, in->ctx[i].v);
    return out;
}

/* What a sub-instance answers is read by its parent, later. */
static bool is_answer(const struct instance *in, struct str key)
{
    return in->parent_id != 0 && str_eq_c(key, "*cb_response*");
}

void context_clean(struct instance *in)
{
    for (uint32_t i = 0; i < in->n_ctx; i++) {
        struct ctx_entry *c = &in->ctx[i];

        if (c->present && c->cleanup && !is_answer(in, c->key)) {
            c->present = false;
            c->dirty = true;
        }
    }
}

/* ---- the node's side ------------------------------------------------------------------------ */

static int node_write(struct node_run *r, const struct node_key *key, struct val v, bool sensitive,
                      struct err *e)
{
    if (key->key.len == 0)
        return 0;
    return context_set(r->inst, key->key, v, key->cleanup, sensitive, e);
}

int node_set(struct node_run *r, const struct node_key *key, struct val v, struct err *e)
{
    return node_write(r, key, v, false, e);
}

struct val node_get(const struct node_run *r, struct str key)
{
    return context_value(r->inst, key);
}

int node_set_secret(struct node_run *r, const struct node_key *key, struct val v, struct err *e)
{
    return node_write(r, key, v, true, e);
}

size_t node_context_mark(const struct node_run *r)
{
    return r->inst->n_undo;
}

void node_context_undo(struct node_run *r, size_t mark)
{
    struct instance *in = r->inst;

    while (in->n_undo > mark) {
        const struct ctx_undo *u = &in->undo[--in->n_undo];
        int64_t id = in->ctx[u->entry].id;
        bool stored;

        in->ctx_bytes -= size_of(&in->ctx[u->entry]);
        stored = in->ctx[u->entry].stored;
        in->ctx[u->entry] = u->before;
        in->ctx[u->entry].id = id;
        if (stored) { /* meanwhile: the row has to follow */
            in->ctx[u->entry].stored = true;
            in->ctx[u->entry].dirty = true;
        }
        in->ctx_bytes += size_of(&in->ctx[u->entry]);
    }
}
