/*
 * The table of node types, and what several nodes share.
 */
#ifndef SLUICE_NODES_NODES_H
#define SLUICE_NODES_NODES_H

#include "engine/node.h"

#define NODE(name) extern const struct node_type node_##name;
#include "nodes/nodes.def"
#undef NODE

/* All of them, in the order of nodes.def. */
extern const struct node_type *const node_table[];
extern const size_t node_table_n;

/*
 * What a rendered text stands for (workflow-engine.md 2.8): a structure when it starts with '{' or
 * '[', else the text.
 *
 * strict  text that starts so but cannot be read fails with ERR_INVALID; else it stays a text.
 * out     living in `a` or in `text`.
 */
MUST_CHECK int node_value(struct str text, bool strict, struct val *out, struct arena *a,
                          struct err *e);

#endif
