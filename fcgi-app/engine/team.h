/*
 * Several workers on one instance: while a node waits for the outside, others run other branches.
 *
 * Whoever works on the instance holds its turn: rendering, results, the scheduler, storing.  A node
 * gives the turn away for as long as it only waits (node_blocks()), so branches call at the same
 * time while nothing of the instance is ever touched by two; what they bring is applied in the
 * order in which they finish.  An instance with one branch never has a second worker.
 *
 * Rules: workflow-engine.md 4.3 (scheduler), 4.4.
 */
#ifndef SLUICE_ENGINE_TEAM_H
#define SLUICE_ENGINE_TEAM_H

#include <stdbool.h>

#include "base/base.h"

struct instance;
struct team;

struct team_opts {
    /* Run fn(arg) on another thread, once; -1: nobody is free. */
    int (*work)(void *ctx, void (*fn)(void *arg), void *arg);
    /* Store all changes and keep the lease; -1: the instance is not ours any more. */
    int (*store)(void *ctx);
    void *ctx;
    int max; /* workers at a time, the first included; 0 = 8 */
};

/* The calling worker takes the first turn.  `top` moves on with it until team_end(). */
struct team *team_begin(struct instance *top, const struct team_opts *o);
/* For the first worker, holding the turn: waits for those who are still calling. */
void team_end(struct instance *top);

/* Have another worker look for something to do, if one may; holding the turn. */
void team_call(struct team *t, unsigned flags);
/* The first worker has nothing to do but others have: until one of them is through. */
void team_wait(struct team *t);
/* Give the turn away and take it again. */
void team_leave(struct team *t);
void team_enter(struct team *t);
/* Take the turn if nobody has it, from outside: for storing what a run has got so far. */
MUST_CHECK bool team_try(struct team *t);
/* Others may be touching the instance while this worker has given its turn away. */
bool team_shared(const struct team *t);
/* No node begins until this is taken back; helpers leave. */
void team_halt(struct team *t, bool halt);
bool team_halted(const struct team *t);
/* Nothing more is to be started: somebody could not store, or it ends. */
bool team_over(const struct team *t);

#endif
