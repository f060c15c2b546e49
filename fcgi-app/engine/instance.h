/*
 * One run of a workflow in memory: tasks, context, traces, and the scheduler that moves it on.
 *
 * The core knows neither the database nor HTTP: what it did is left in lists marked dirty, and
 * whoever drives it stores them.  It never blocks by itself: instance_run() returns when the next
 * node needs a worker.
 *
 * An instance is used by one thread at a time; several may take turns (team.h).
 *
 * Rules: workflow-engine.md 4.
 */
#ifndef SLUICE_ENGINE_INSTANCE_H
#define SLUICE_ENGINE_INSTANCE_H

#include "engine/workflow.h"

struct clock;
struct documents;
struct db;
struct proxy_maps;
struct instance;

/* What surrounds a run; borrowed. */
struct instance_env {
    struct clock *clock;
    struct tmpl_cache *templates;
    struct gw_http *http;  /* may be NULL */
    struct documents *documents; /* may be NULL in tests: no node asks for one */
    const struct cfg *cfg; /* may be NULL: no settings, no stored templates */
    struct db *db;         /* may be NULL: nodes that read rows fail */
    const struct proxy_maps *proxies; /* of this process; may be NULL */
    /* Row ids; kind is an enum ids_kind.  Larger than `above`.  0, or -1 when the database is away. */
    int (*next_id)(void *ctx, int kind, int64_t above, int64_t *out, struct err *e);
    /* A read failed: waits a moment and says true when it is to be tried again; may be NULL. */
    bool (*try_again)(void *ctx, const struct err *e);
    /* The active version of a workflow by name, for sub-instances: a reference and its ids. */
    int (*workflow_named)(void *ctx, struct str name, struct workflow **out, int64_t *activity_id,
                          int64_t *version_id, int64_t *definition_id, struct err *e);
    void *ctx;
};

enum instance_status { INSTANCE_ACTIVE, INSTANCE_SUCCESS, INSTANCE_ERROR };

enum instance_stop {
    INSTANCE_DONE,   /* nothing more to do now: see instance_where() */
    INSTANCE_WORKER, /* the next node may block, or this stretch was long: go on on a worker */
    INSTANCE_STORE,  /* a node with an effect outside has ended: store, then go on */
};

enum instance_run_flags {
    INSTANCE_MAY_BLOCK = 1, /* on a worker */
    INSTANCE_STEPS = 2,     /* durability "step": return INSTANCE_STORE */
    INSTANCE_SYNC = 4,      /* somebody waits for the answer */
    INSTANCE_CAREFUL = 8,   /* with INSTANCE_STEPS: after nodes without effect too */
    INSTANCE_HELPS = 16,    /* a second worker (team.h): does not wait for the others */
};

/* Where an instance stands when nothing is runnable. */
enum instance_where {
    INSTANCE_CLOSED,
    INSTANCE_BLOCKED, /* a task is in ERROR and nothing waits */
    INSTANCE_PARKED,  /* waits for something */
};

const char *instance_status_name(enum instance_status s);
enum instance_where instance_where(const struct instance *in);

/*
 * A new instance with a queued start.
 *
 * wf       a reference is taken, given back by instance_release().
 * a        its memory for life; scratch is reset after each task.
 * Fails when no id can be had.
 */
MUST_CHECK int instance_new(struct instance **out, struct workflow *wf,
                            const struct instance_env *env, struct arena *a, struct arena *scratch,
                            struct err *e);
/* Gives back what is not memory of the arenas; takes NULL. */
void instance_release(struct instance *in);

/* Move on until one of enum instance_stop. */
enum instance_stop instance_run(struct instance *in, unsigned flags);

#endif
