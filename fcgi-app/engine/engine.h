/*
 * The engine: starts workflow instances, runs them, stores what they did, and picks up what was
 * left.
 *
 * One per process.  A run holds everything in memory and stores it in one item of the writer: at
 * the latest before a synchronous answer, before an asynchronous start is acknowledged, and before
 * it parks.  Which process works on a stored instance is decided by its row in `jobs`: a lease with
 * a fencing number.
 *
 * Rules: workflow-engine.md 4 and 5.1; DESIGN 3 and 4.
 */
#ifndef SLUICE_ENGINE_ENGINE_H
#define SLUICE_ENGINE_ENGINE_H

#include "auth/auth.h"
#include "config/proxy_map.h"
#include "db/ids.h"
#include "db/writer.h"
#include "engine/workflow.h"
#include "http/client.h"
#include "http/server.h"

struct auth;
struct engine;
struct gw_sessions;
struct tmpl_cache;

struct engine_opts {
    struct db *db;
    struct db *key_db; /* the same with db_opts.by_key, for claiming, leases and loading; NULL: db */
    struct ids *ids;
    struct writer *writer;
    struct cfg_store *cfg;
    struct auth *auth;
    struct http_client_pool *clients; /* for calls of nodes */
    struct tmpl_cache *templates;
    struct clock *clock;        /* NULL: the system's */
    struct http_server *server; /* its workers run instances; NULL: none are run here */
    const struct node_type *const
        *nodes; /* the table, handed down: the engine never names a node */
    size_t n_nodes;
    const struct proxy_maps *proxies; /* may be NULL */
    bool run_jobs;                    /* -workflows: claim and run stored instances */
    int max_runs;                     /* stored instances running at a time, 0 = 12 */
    int64_t lease_ms;                 /* 0 = 30 s */
    int64_t poll_ms;                  /* 0 = 500 */
    int64_t sync_ms;                  /* bound of a synchronous answer, 0 = 120 s */
    bool no_history;                  /* for measuring only: nothing is stored */
};

/* Everything given outlives the engine.  Nothing runs before engine_start(). */
struct engine *engine_new(const struct engine_opts *o);
/* Starts the claiming thread when run_jobs is set. */
void engine_start(struct engine *en);
/* No new claims; waits for what runs, at most 10 s, then gives leases back.  Takes NULL. */
void engine_stop(struct engine *en);
void engine_free(struct engine *en);
/* Work was stored by this process: look now, and tell other processes when this one cannot do it. */
void engine_wake(struct engine *en);
/* Another process said so (listener topic "jobs"): look now. */
void engine_heard(struct engine *en);

/* ---- custom routes -------------------------------------------------------------------------- */

/*
 * Answer a request that matched a custom route: everything of workflow-engine.md 5.1.4 from "body
 * decoding" on, and the answer of 5.1.5.  Replies exactly once, whatever happens; the request must
 * not be touched afterwards.
 *
 * r     its body may still be pending (then the call moves to a worker itself).
 * cfg   borrowed; a reference is taken.
 * user  the caller, NULL for a public route; copied.
 * m     match with m->route set; copied.
 * Threads: loop or worker.
 */
void engine_serve_route(struct engine *en, struct http_req *r, const struct cfg *cfg,
                        const struct principal *user, const struct route_match *m);

/* ---- other starts --------------------------------------------------------------------------- */

struct engine_start {
    const struct cfg *cfg;
    int64_t activity_id;
    const struct principal *user; /* NULL: no owner */
    struct val request;           /* the whole variable `request` */
    struct str label;
    const char *kind; /* of the instance ("schedule"...); NULL: "run" */
    /* Rows to be stored together with the instance, all or nothing; may be NULL. */
    void (*also)(void *arg, struct writer_item *item, int64_t instance_id, struct arena *a);
    void *also_arg;
};

/* Store an asynchronous instance and have it run.  May block.  ERR_NOT_FOUND: no such activity, or
 * no active version; what a statement of `also` refuses fails the whole. */
MUST_CHECK int engine_launch(struct engine *en, const struct engine_start *s, int64_t *id,
                             char guid[37], struct err *e);

/* ---- requests without instance -------------------------------------------------------------- */

/* A row of `requests`; texts are not copied. */
struct engine_request {
    int64_t id; /* 0: taken from ids */
    int64_t created_us;
    int64_t updated_us; /* when it was answered */
    struct str status;  /* ACTIVE, SUCCESS, ERROR */
    int64_t user_id;    /* 0 = none */
    struct str owner;
    struct str label;
    struct str method; /* lower case is made of it */
    struct str url;
    int response_status;     /* -1 = none yet */
    struct str gateway_host; /* proxy_gateway_host: the prefix "/api/v01/p1" */
    struct str entity_type, tenant_id, site_id, numbers;
    struct str details;  /* JSON text, secrets masked */
    int64_t instance_id; /* 0 = none */
    int64_t activity_id;
};
/* Add the row to an item that the caller submits. */
MUST_CHECK int engine_request_add(struct engine *en, struct writer_item *item,
                                  struct engine_request *q, struct arena *a, struct err *e);

/* ---- operations on stored instances (workflow-engine.md 4.15); workers only ----------------- */

enum engine_act { ENGINE_REPLAY, ENGINE_SKIP, ENGINE_ROLLBACK };

/* Run a task again, or end it with output "skip"/"rollback".  ERR_CONFLICT, ERR_INVALID,
 * ERR_NOT_FOUND as the table says; ERR_BUSY when another process works on the instance right now.
 */
MUST_CHECK int engine_task_act(struct engine *en, int64_t instance_id, int64_t task_id,
                               enum engine_act act, const struct principal *who, struct err *e);
/* The same for every task that is in ERROR and the latest of its cell; ERR_CONFLICT without one. */
MUST_CHECK int engine_errors_act(struct engine *en, int64_t instance_id, enum engine_act act,
                                 const struct principal *who, struct err *e);
/* Force close (any spelling of CLOSED_IN_ERROR) or reopen (ACTIVE). */
MUST_CHECK int engine_set_status(struct engine *en, int64_t instance_id, struct str status,
                                 const struct principal *who, struct err *e);
/* Change a context key; "********" is ignored. */
MUST_CHECK int engine_set_context(struct engine *en, int64_t instance_id, struct str key,
                                  struct val v, const struct principal *who, struct err *e);
/* Replace the frozen definition. */
MUST_CHECK int engine_set_definition(struct engine *en, int64_t instance_id, struct str text,
                                     const struct principal *who, struct err *e);
/* All template variables as one object (6.2). */
MUST_CHECK int engine_template_context(struct engine *en, int64_t instance_id, struct val *out,
                                       struct arena *a, struct err *e);
/* Move (at_us > 0) or cancel (0) a pending timer; ERR_CONFLICT when it is not WAIT. */
MUST_CHECK int engine_timer_put(struct engine *en, int64_t timer_id, int64_t at_us,
                                const struct principal *who, struct err *e);

/* ---- the same for many (mass.c) -------------------------------------------------------------- */

struct engine_mass {
    struct str act;         /* replay, skip, rollback, close, reopen, context */
    struct val params;      /* context: {"key", "value"}; else undefined */
    int per_second;         /* instances handled a second at most, 0 = 20, at most 1000 */
    const struct principal *who;
};

/*
 * Begin a mass operation inside the caller's transaction; the caller adds its rows of mass_items,
 * then calls engine_mass_start in the same transaction and engine_wake after the commit.
 *
 * ERR_INVALID for an unknown act or parameters that do not fit it.
 */
MUST_CHECK int engine_mass_new(struct db_conn *c, const struct engine_mass *m, int64_t *id,
                               struct err *e);
MUST_CHECK int engine_mass_start(struct engine *en, struct db_conn *c, int64_t id, struct err *e);

/* A context value as the API shows it: text, secrets as "********" (4.7). */
struct str engine_context_shown(struct val v, bool sensitive, struct arena *a);
/* A text without the texts of a list of secrets: one may have been copied into another value. */
struct str engine_hide(struct str text, struct val secrets, struct arena *a);

/* The node types this engine runs, for checking definitions and the catalogue. */
const struct node_table *engine_nodes(const struct engine *en);
/* How nodes call gateways, for the few calls the platform makes itself. */
struct gw_http *engine_http(const struct engine *en);
/* Sessions on gateways, shared with the proxy. */
struct gw_sessions *engine_sessions(const struct engine *en);

/* All statements, for the test that prepares them against the schema. */
extern const struct db_stmts engine_stmts;
extern const struct writer_stmt *const engine_writer_stmts[];
extern const size_t engine_writer_stmts_n;

#endif
