/*
 * multi_context_setter: write several keys of the context, in order, all or none.
 *
 * A later entry sees the earlier ones, so each is rendered only after those before it were written.
 * Rule: workflow-engine.md 3.15.
 */
#include "nodes/nodes.h"

struct cfg {
    struct node_key_values entries;
};

static const struct param params[] = {
    {.name = "entries",
     .kind = PARAM_KEYS,
     .offset = offsetof(struct cfg, entries),
     .help = "Keys and values, written in order.",
     .mandatory = true},
    {0},
};

static int set_one(struct node_run *r, const struct node_key_value *kv, struct err *e)
{
    struct node_key key = {.cleanup = kv->cleanup};
    struct str text;
    struct val v;

    if (node_text_render(r, &kv->key, &key.key, e) != 0)
        return -1;
    key.key = str_trim(key.key);
    if (key.key.len == 0) {
        err_set(e, ERR_INVALID, "the key is empty");
        return -1;
    }
    if (node_text_render(r, &kv->value, &text, e) != 0 || node_value(text, false, &v, r->a, e) != 0)
        return -1;
    return node_set(r, &key, v, e);
}

static enum node_rc multi_context_setter_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    size_t mark = node_context_mark(r);

    for (size_t i = 0; i < c->entries.n; i++)
        if (set_one(r, &c->entries.items[i], e) != 0) {
            node_context_undo(r, mark);
            err_context(e, "entry %zu", i + 1);
            return NODE_FAIL;
        }
    return node_fire(r, "ok");
}

const struct node_type node_multi_context_setter = {
    .name = "multi_context_setter",
    .group = "context",
    .doc = "Writes several keys of the context, all or none.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = multi_context_setter_run,
};
