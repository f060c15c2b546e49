/*
 * What trigger_subworkflows has still to start, in table subworkflow_items.
 */
#ifndef SLUICE_NODES_SUBWORKFLOW_STORE_H
#define SLUICE_NODES_SUBWORKFLOW_STORE_H

#include "db/writer.h"
#include "nodes/nodes.h"

struct subworkflow_item {
    struct str label;
    struct val request;
};

/* Store an item with this task. */
void subworkflow_put(struct node_run *r, int64_t n, const struct subworkflow_item *item);
/* With this task all of its items go. */
void subworkflow_drop(struct node_run *r);
/* Items from place `from` on, at most `max`, living in r->a.  ERR_DB. */
MUST_CHECK int subworkflow_read(struct node_run *r, int64_t from, int64_t max, struct subworkflow_item **out, size_t *n,
                                struct err *e);

extern const struct db_stmts nodes_stmts;
extern const struct writer_stmt *const nodes_writer_stmts[];
extern const size_t nodes_writer_stmts_n;

#endif
