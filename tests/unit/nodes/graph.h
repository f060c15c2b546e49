/*
 * Runs a workflow in memory, with the real nodes and without database, and tells in one line what
 * happened.
 *
 * Written for tables of cases, so a graph has a short form:
 *
 *     cells  {'a': ['context_setter', {'key': 'x', 'value': '1'}], 'b': ['switch', {...},
 * ['default', 'yes']]} type, params, outputs (absent: those of the catalogue); start and end are
 * added when not there edges  "start.ok>a a.ok>end"; blanks in names are written as '~'
 */
#ifndef SLUICE_TESTS_NODES_GRAPH_H
#define SLUICE_TESTS_NODES_GRAPH_H

#include "base/arena.h"
#include "base/str.h"

struct graph_opts {
    const char *request; /* JSON with ' for " ; NULL = {} */
    const char *entities;
    int rounds;   /* due timers are fired this many times */
    bool loop;    /* as on a loop thread: must not block */
    bool restart; /* after every task another process takes over: only rows and state survive */
    const char *other_cells, *other_edges; /* workflow "other", for sub-instances */
};

/* Single quotes become double ones. */
struct str graph_quotes(const char *s, struct arena *a);
/* The definition in full. */
struct str graph_definition(const char *cells, const char *edges, const char *entities,
                            struct arena *a);
/*
 * "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {"x":"1"}" and, when there are any, " ! <error>" per
 * error row. A task not OK shows its status: "join=WAIT", "a=ERROR".
 */
const char *graph_run(const char *cells, const char *edges, const struct graph_opts *o,
                      struct arena *a);

#endif
