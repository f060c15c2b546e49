/*
 * start, end: where an instance begins and closes.  Both are played by the engine
 * (workflow-engine.md 3.1, 3.2, 4.5).
 */
#include "nodes/nodes.h"

const struct node_type node_start = {
    .name = "start",
    .group = "flow",
    .doc = "Where the workflow begins.",
    .outputs = (const char *const[]){"ok", NULL},
    .role = ROLE_START,
    .flags = NODE_PURE,
};

const struct node_type node_end = {
    .name = "end",
    .group = "flow",
    .doc = "Closes the instance; the answer of a synchronous call is sent here.",
    .outputs = (const char *const[]){NULL},
    .role = ROLE_END,
    .flags = NODE_PURE,
};
