/*
 * What the files of the engine share around a run: its driver, its rows, its answer.
 */
#ifndef SLUICE_ENGINE_ENGINE_INT_H
#define SLUICE_ENGINE_ENGINE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/instance_int.h"
#include "engine/owner.h"

struct answer {
    int status;
    struct str content_type;
    struct str body;
    struct http_header *headers;
    size_t n_headers;
    struct val kept; /* for the request row: {"status","headers","body"}; undefined without */
};

/* An instance in memory and what drives it.  Lives in its own arena; one thread at a time. */
struct run {
    struct engine *en;
    struct arena *a, *scratch;
    struct instance *in;
    const struct cfg *cfg; /* counted */
    int64_t route_id;
    struct str method, url, client_ip, gateway_host; /* of the request row */
    int64_t request_started_us;                      /* monotonic */

    /* the caller who waits; NULL: nobody (any more) */
    _Atomic(struct http_req *) req;
    int64_t answer_until_ms;     /* monotonic; 0 = not watched */
    struct run *w_prev, *w_next; /* watched runs */
    struct answer answer;
    bool handled; /* blocked, but an error handler gave the answer */
    bool broken;  /* an id could not be had: what memory holds is not to be stored */

    /* the lease; job_id 0: none */
    int64_t job_id, fence;
    bool job_stored;
    struct run *l_prev, *l_next; /* leased runs of this process */
    bool listed;

    struct writer_item item;
};

struct engine {
    struct engine_opts o;
    struct node_table nodes;
    struct clock *clock;
    struct wf_cache *workflows;
    struct gw_sessions *sessions;
    struct gw_http *http;
    struct documents *documents;
    char owner[OWNER_MAX]; /* lease_owner */

    pthread_mutex_t pool_lock;
    struct arena *pool[256]; /* idle arenas */
    size_t n_pool;

    pthread_mutex_t watch_lock; /* runs whose caller must be answered in time */
    struct run *watched;

    pthread_mutex_t jobs_lock;
    pthread_cond_t jobs_wake;
    pthread_t jobs_thread;
    bool jobs_running, jobs_asked;
    atomic_bool jobs_stop;
    struct run *leased; /* runs whose lease must be prolonged */
    int n_leased;
    bool backlog; /* more was due than there was room for */

    atomic_uint_fast64_t n_runs, n_blocked, n_parked, n_closed, n_claimed, n_taken_over, n_active;
};

/* ---- run.c: life of a run ------------------------------------------------------------------- */

struct run *run_new(struct engine *en, const struct cfg *cfg);
void run_free(struct run *r);
struct instance_env run_env(struct run *r);
/* The workflow of an activity's active version, ids set; ERR_NOT_FOUND. */
MUST_CHECK int run_workflow(struct engine *en, const struct cfg_activity *act,
                            struct workflow **out, struct err *e);
/* The calling worker takes the turn of the instance until run_go() is through, or run_free(). */
void run_team(struct run *r);
/* Go on until nothing more can be done: INSTANCE_DONE after the error handler of the route, if
 * there is one, has run too. */
enum instance_stop run_go(struct run *r, unsigned flags);
/* Variable `user`. */
struct val user_value(const struct principal *p, struct arena *a);

/* ---- engine_store.c ------------------------------------------------------------------------- */

enum lease_end {
    LEASE_KEEP,    /* still ours */
    LEASE_RELEASE, /* parked or over: by what the instance waits for */
};

/* Add all rows that are new or changed to r->item (reset first). */
MUST_CHECK int store_collect(struct run *r, enum lease_end lease, struct err *e);
/* Add what acknowledges a new instance to r->item: request, instance, and its job, leased by us or
 * free for anybody. */
MUST_CHECK int store_new(struct run *r, bool leased, struct err *e);
void store_new_committed(struct run *r);
/* After the commit: nothing is new or changed any more. */
void store_committed(struct run *r);

/* ---- engine_load.c -------------------------------------------------------------------------- */

/* Read an instance into a fresh run.  ERR_NOT_FOUND. */
MUST_CHECK int run_load(struct run *r, int64_t id, int64_t created_us, struct err *e);
/* Creation time of an instance by id; ERR_NOT_FOUND. */
MUST_CHECK int instance_when(struct engine *en, int64_t id, int64_t *created_us, struct err *e);
/* From an instance to the top one of its tree, which holds the lease of all. */
MUST_CHECK int instance_top_of(struct engine *en, int64_t *id, int64_t *created_us, struct err *e);

/* ---- jobs.c --------------------------------------------------------------------------------- */

void jobs_start(struct engine *en);
void jobs_stop(struct engine *en);
/* Run an instance whose lease we hold on a worker of this process; takes the run over. */
void lease_run(struct run *r);
/* Run to the next park, storing on the way, and give the lease back.  On failure the lease is left
 * to expire. */
MUST_CHECK int run_drive(struct run *r, struct err *e);
/* Store all changes and keep or give back the lease, waiting out a database that is away. */
MUST_CHECK int run_store(struct run *r, enum lease_end lease, struct err *e);
/* The row goes back to the table; then this process forgets the lease. */
void lease_return(struct run *r, int64_t after_ms);
void lease_drop(struct run *r);
/* Its lease is prolonged from now on. */
void lease_list(struct run *r);
/* The lease of a stored instance for an operation: waits a little, then ERR_BUSY. */
MUST_CHECK int lease_take(struct run *r, int64_t instance_id, int64_t created_us, struct err *e);
/* Whether this process runs stored instances. */
bool jobs_here(const struct engine *en);
/* ... and has room for one more now. */
bool jobs_room(struct engine *en);

/* ---- body.c --------------------------------------------------------------------------------- */

/* The request object (4.13), living in `a`.  ERR_INVALID for a body that is not what it says. */
MUST_CHECK int request_object(struct http_req *r, const struct route_match *m, struct val *out,
                              struct arena *a, struct err *e);

/* ---- answer.c ------------------------------------------------------------------------------- */

/* The answer of a synchronous call (5.1.5) from a closed, parked or blocked instance. */
void answer_make(struct run *r);
/* {"id","guid"} with a status, and an error text when given. */
void answer_id(struct run *r, int status, const char *error);
/* Send it to whoever waits, once. */
void answer_send(struct run *r);
void answer_fail(struct run *r, const struct err *e);

/* ---- documents_request.c --------------------------------------------------------------------- */

/* A form, whose files are stored: the call needs a worker. */
bool request_has_files(struct http_req *r);
/* Files of the form become documents of the new instance.  Workers only. */
MUST_CHECK int request_documents(struct run *r, struct http_req *req, struct err *e);
/* The document that *doc_response* names, as the answer.  Workers only. */
MUST_CHECK int answer_document(struct run *r, struct err *e);

/* ---- serve.c -------------------------------------------------------------------------------- */

void watch_add(struct run *r);
void watch_remove(struct run *r);
/* Answer 504 to callers who waited too long: called now and then. */
void watch_expire(struct engine *en);

/* ---- statements, listed in engine_store.c --------------------------------------------------- */

extern const struct db_stmt load_stmt_top, load_stmt_instance, load_stmt_tasks, load_stmt_contexts,
    load_stmt_timers, load_stmt_user, load_stmt_when, job_stmt_owners, job_stmt_orphan,
    job_stmt_claim, job_stmt_prolong, job_stmt_take, job_stmt_return, job_stmt_fail,
    op_stmt_replayed, op_stmt_definition, op_stmt_timer, op_stmt_audit;

#endif
