/*
 * macro: run another workflow as a sub-instance and leave by the name of the end it reached
 * (workflow-engine.md 3.36).
 */
#include "nodes/nodes.h"

struct cfg {
    struct str workflow;
    struct val input;
    struct node_strs terminations;
    struct node_key output;
};

static const struct param params[] = {
    {.name = "workflow",
     .kind = PARAM_ACTIVITY,
     .offset = offsetof(struct cfg, workflow),
     .mandatory = true,
     .help = "Workflow to run."},
    {.name = "input",
     .kind = PARAM_DATA,
     .offset = offsetof(struct cfg, input),
     .help = "Object that becomes the request of the sub-workflow."},
    {.name = "terminations",
     .kind = PARAM_ENDS,
     .offset = offsetof(struct cfg, terminations),
     .origin = "workflow",
     .help = "Names of the ends of the sub-workflow; each is an output."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, output),
     .help = "Context key that receives the callback response of the sub-workflow."},
    {0},
};

static enum node_rc macro_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct val input = val_is_undef(c->input) ? val_dict_new(r->a, 0) : c->input;

    if (!val_is(input, VAL_DICT)) {
        err_set(e, ERR_INVALID, "parameter \"input\" is not an object");
        return NODE_FAIL;
    }
    return node_sub_start(r, c->workflow, input, e);
}

static enum node_rc macro_wake(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct node_sub_result res;

    if (!node_sub_result(r, &res)) {
        err_set(e, ERR_INTERNAL, "the sub-workflow has not ended");
        return NODE_FAIL;
    }
    if (node_set(r, &c->output, val_is_undef(res.answer) ? val_null() : res.answer, e) != 0)
        return NODE_FAIL;
    if (!res.success) {
        err_set(e, ERR_UPSTREAM, "workflow \"%.*s\" was closed in error", STR_ARG(c->workflow));
        return NODE_FAIL;
    }
    if (c->terminations.n == 0)
        return node_fire(r, "ok");
    for (size_t i = 0; i < c->terminations.n; i++)
        if (str_eq(c->terminations.items[i], res.end))
            return node_fire_str(r, res.end);
    err_set(e, ERR_INVALID, "unexpected termination \"%.*s\"", STR_ARG(res.end));
    return NODE_FAIL;
}

const struct node_type node_macro = {
    .name = "macro",
    .group = "flow",
    .doc = "Runs another workflow and waits for it.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"error", "skip", "rollback", NULL},
    .flags = NODE_BLOCKING | NODE_PURE,
    .run = macro_run,
    .wake = macro_wake,
};
