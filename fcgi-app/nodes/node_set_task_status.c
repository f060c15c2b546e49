/*
 * set_task_status: put the latest task of a cell in error, so that a person can replay it, or clear
 * it (workflow-engine.md 3.35).
 */
#include "nodes/nodes.h"

struct cfg {
    struct str target_id;
    struct str status;
    struct str message;
};

static const struct param params[] = {
    {.name = "target_id",
     .kind = PARAM_TASK,
     .offset = offsetof(struct cfg, target_id),
     .mandatory = true,
     .help = "Cell whose latest task changes."},
    {.name = "status",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct cfg, status),
     .otherwise = "ERROR",
     .values = (const char *const[]){"ERROR", "OK", NULL},
     .help = "New status."},
    {.name = "message",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, message),
     .help = "Text of the error."},
    {0},
};

static enum node_rc set_task_status_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (!node_storable(c->message)) {
        err_set(e, ERR_INVALID, "parameter \"message\" cannot hold a NUL");
        return NODE_FAIL;
    }
    if (node_task_status(r, c->target_id, str_eq_c(c->status, "ERROR"), c->message, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_set_task_status = {
    .name = "set_task_status",
    .group = "flow",
    .doc = "Puts the task of a cell in error, or clears it.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = set_task_status_run,
};
