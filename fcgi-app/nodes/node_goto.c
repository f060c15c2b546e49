/*
 * goto: continue at another cell.  No task of its own: the engine follows the jump
 * (workflow-engine.md 3.45).
 */
#include "nodes/nodes.h"

struct cfg {
    struct str task; /* the engine reads the first parameter as the target */
};

static const struct param params[] = {
    {.name = "task",
     .kind = PARAM_TASK,
     .offset = offsetof(struct cfg, task),
     .help = "Cell to continue at.",
     .mandatory = true,
     .aliases = (const char *const[]){"target", NULL}},
    {0},
};

const struct node_type node_goto = {
    .name = "goto",
    .group = "flow",
    .doc = "Continues at another cell.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){NULL},
    .role = ROLE_GOTO,
    .flags = NODE_PURE,
};
