/*
 * or_outputs, sync_outputs: the gates of parallel branches, played by the engine
 * (workflow-engine.md 3.26, 3.27, 4.4).
 */
#include "nodes/nodes.h"

const struct node_type node_or_outputs = {
    .name = "or_outputs",
    .group = "flow",
    .doc = "Or: lets the first branch pass and swallows the others.",
    .outputs = (const char *const[]){"ok", NULL},
    .role = ROLE_OR,
    .flags = NODE_PURE,
};

const struct node_type node_sync_outputs = {
    .name = "sync_outputs",
    .group = "flow",
    .doc = "Join: waits until every incoming transition has arrived.",
    .outputs = (const char *const[]){"ok", NULL},
    .role = ROLE_JOIN,
    .flags = NODE_PURE,
};
