/*
 * get_owner: the owner of the request, as variable `user` shows it.  Deprecated
 * (workflow-engine.md 3.39).
 */
#include "nodes/nodes.h"

struct cfg {
    struct node_key output;
};

static const struct param params[] = {
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, output),
     .help = "Context key that receives the owner."},
    {0},
};

static enum node_rc get_owner_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (node_set(r, &c->output, node_user(r), e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_get_owner = {
    .name = "get_owner",
    .group = "users",
    .doc = "Deprecated: use the variable user.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = get_owner_run,
};
