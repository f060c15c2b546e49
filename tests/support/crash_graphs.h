/*
 * Random workflows for it_crash, and what must be found of each when it is over.
 *
 * A workflow calls the ledger, sets keys, waits for timers, branches and joins, loops in rounds, runs
 * others inside it (macro) and beside it (trigger_subworkflows), waits for call-backs, for people and
 * for events of entities, stops timers, races, and leaves things waiting behind when it ends.  The same numbers give the same
 * workflows.
 */
#ifndef SLUICE_TESTS_CRASH_GRAPHS_H
#define SLUICE_TESTS_CRASH_GRAPHS_H

#include "base/buf.h"

struct arena;

/* A generator of numbers whose state is `*state`. */
uint64_t crash_random(uint64_t *state);
int crash_below(uint64_t *state, int n);

/* Workflows that the others run; they come first. */
enum { CRASH_HELPERS = 3, CRASH_TOPS = 5 };
/* Names of the roles and workflows that definitions use. */
#define CRASH_ROLE "approvers"
/* Questions whose description begins so are never answered. */
#define CRASH_LEFT "left"
/* Calls of cells named so are heard of by the entity "of_<cell>", which sends these. */
#define CRASH_EVENT "event"
#define CRASH_EVENTS "said,done"
/* ... and nobody waits for these. */
#define CRASH_STRAY CRASH_EVENT "stray"

struct crash_graph {
    const char *name;
    const char *definition; /* JSON */
    const char *facts;      /* rows of proof.cells (crash_laws.h), of the activity 0 */
    const char *status;     /* of its instances when they are over */
};

struct crash_graph crash_helper(int number, int ledger_port, struct arena *a);
/* One that clients start: what it holds at least depends on the number, the rest on chance. */
struct crash_graph crash_top(int number, uint64_t *rng, int ledger_port, struct arena *a);

#endif
