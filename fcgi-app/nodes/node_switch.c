/*
 * switch: the first true case gives the output, else "default" (workflow-engine.md 3.25).
 */
#include "nodes/nodes.h"

struct cfg {
    struct node_cases expressions;
};

static const struct param params[] = {
    {.name = "expressions",
     .kind = PARAM_SWITCH,
     .offset = offsetof(struct cfg, expressions),
     .help = "Expressions and outputs; the first true one wins."},
    {0},
};

static enum node_rc switch_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    bool yes;

    for (size_t i = 0; i < c->expressions.n; i++) {
        if (node_expr_true(r, &c->expressions.items[i].when, &yes, e) != 0) {
            err_context(e, "case %zu", i + 1);
            return NODE_FAIL;
        }
        if (yes)
            return node_fire_str(r, c->expressions.items[i].output);
    }
    return node_fire(r, "default");
}

const struct node_type node_switch = {
    .name = "switch",
    .group = "flow",
    .doc = "Leaves by the output of the first true expression, else by \"default\".",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"default", NULL},
    .flags = NODE_PURE,
    .run = switch_run,
};
