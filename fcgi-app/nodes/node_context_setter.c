/*
 * context_setter: write one key of the context.
 *
 * Text that starts with '{' or '[' is read as data when it can be; scalars stay texts, so that
 * phone numbers and identifiers survive.  Rule: workflow-engine.md 2.8, 3.14.
 */
#include "nodes/nodes.h"

struct cfg {
    struct node_key key;
    struct str value;
};

static const struct param params[] = {
    {.name = "key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, key),
     .help = "Context key to write.",
     .mandatory = true},
    {.name = "value",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, value),
     .help = "Its value; text starting with { or [ is read as data."},
    {0},
};

static enum node_rc context_setter_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct val v;

    if (c->key.key.len == 0) {
        err_set(e, ERR_INVALID, "parameter \"key\" is empty");
        return NODE_FAIL;
    }
    if (node_value(c->value, false, &v, r->a, e) != 0 || node_set(r, &c->key, v, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_context_setter = {
    .name = "context_setter",
    .group = "context",
    .doc = "Writes a key of the context.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = context_setter_run,
};
