/*
 * boolean_expression: leave by "true" or "false" (workflow-engine.md 3.24, 2.8).
 */
#include "nodes/nodes.h"

struct cfg {
    const struct node_expr *expression;
};

static const struct param params[] = {
    {.name = "expression",
     .kind = PARAM_EXPR,
     .offset = offsetof(struct cfg, expression),
     .help = "Rendered, then evaluated: \"{{ user.profile }}\" == \"admin\".",
     .mandatory = true},
    {0},
};

static enum node_rc boolean_expression_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    bool yes;

    if (node_expr_true(r, c->expression, &yes, e) != 0)
        return NODE_FAIL;
    return node_fire(r, yes ? "true" : "false");
}

const struct node_type node_boolean_expression = {
    .name = "boolean_expression",
    .group = "flow",
    .doc = "Leaves by \"true\" or \"false\".",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"true", "false", NULL},
    .flags = NODE_PURE,
    .run = boolean_expression_run,
};
