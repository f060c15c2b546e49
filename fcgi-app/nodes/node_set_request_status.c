/*
 * set_request_status: the free status of the request, kept at closing
 * (workflow-engine.md 3.34, 4.2).
 */
#include "nodes/nodes.h"

#include "base/utf8.h"

struct cfg {
    struct str status;
};

enum { MAX_STATUS = 100 };

static const struct param params[] = {
    {.name = "status",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, status),
     .mandatory = true,
     .help = "Status shown in the list of requests."},
    {0},
};

static enum node_rc set_request_status_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (utf8_len(c->status) > MAX_STATUS) {
        err_set(e, ERR_INVALID, "parameter \"status\" is longer than %d characters", MAX_STATUS);
        return NODE_FAIL;
    }
    if (!node_storable(c->status)) {
        err_set(e, ERR_INVALID, "parameter \"status\" cannot hold a NUL");
        return NODE_FAIL;
    }
    node_request_status(r, c->status);
    return node_fire(r, "ok");
}

const struct node_type node_set_request_status = {
    .name = "set_request_status",
    .group = "flow",
    .doc = "Sets the status of the request.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = set_request_status_run,
};
