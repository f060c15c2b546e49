/*
 * note: a remark on the canvas, never executed (workflow-engine.md 3.46).
 */
#include "nodes/nodes.h"

struct cfg {
    struct str note;
};

static const struct param params[] = {
    {.name = "note",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, note),
     .help = "Text of the note."},
    {0},
};

const struct node_type node_note = {
    .name = "note",
    .group = "flow",
    .doc = "A remark for people; it does nothing.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){NULL},
    .role = ROLE_NOTE,
    .flags = NODE_PURE,
};
