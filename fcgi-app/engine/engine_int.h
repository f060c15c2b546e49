/*
 * What the files of the engine share around a run: its driver, its rows, its answer.
 */
#ifndef SLUICE_ENGINE_ENGINE_INT_H
#define SLUICE_ENGINE_ENGINE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/idempotency.h"
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

enum lease_end {
    LEASE_KEEP,    /* still ours */
    LEASE_RELEASE, /* parked or over: by what the instance waits for */
};

/* Where a run stands that is in line for a worker. */
enum run_stage {
    RUN_NEW,      /* it is to begin, once it was read */
    RUN_STORED,   /* its last effect is stored: go on */
    RUN_UNSTORED, /* the database was away: store again */
};

/* An instance in memory and what drives it.  Lives in its own arena; one thread at a time. */
struct run {
    struct engine *en;
    struct arena *a, *scratch;
    struct instance *in;
    const struct cfg *cfg; /* counted */
    int64_t route_id;
    struct str method, url, client_ip, gateway_host, gateway; /* of the request row */
    int64_t request_started_us;                      /* monotonic */

    /* the caller who waits; NULL: nobody (any more) */
    _Atomic(struct http_req *) req;
    int64_t answer_until_ms;     /* monotonic; 0 = not watched */
    struct run *w_prev, *w_next; /* watched runs */
    struct answer answer;
    struct request_key *key; /* the client may repeat the request; NULL: not */
    bool handled; /* blocked, but an error handler gave the answer */
    bool broken;  /* an id could not be had: what memory holds is not to be stored */

    /* the lease; job_id 0: none */
    int64_t job_id, fence;
    bool job_stored;
    struct run *l_prev, *l_next; /* leased runs of this process */
    bool listed;
    bool behind; /* somebody held the row of its job when it was to be prolonged; jobs_lock */
    int64_t due_us; /* when the job last stored is due, 0: it waits for nothing */

    /* in line for a runner (jobs.c, dispatch.c) */
    struct run *q_next;
    int64_t lane;                   /* its workflow */
    bool mass;                      /* no instance: a mass operation */
    int64_t claimed_id, claimed_us; /* claimed from the table, not read yet; 0: in memory */
    int64_t claimed_due_us;         /* what it was claimed for, by PostgreSQL's clock */
    int64_t start_us;               /* claimed before that: when it is to start, monotonic */
    int attempts;                   /* claims, then starts, without progress (poison.c) */
    bool progress;                  /* stored something since */
    enum run_stage stage;
    enum lease_end lease; /* of the store that is on its way */
    bool unsure;          /* it failed with the database away: it may have been committed */
    bool unread;          /* signals came since it was read */
    bool ungiven;         /* some were read while nodes ran */
    struct {
        int64_t instance_id, instance_us, task_id, updated_us;
        const char *status;
    } mark; /* a task that is stored with it, as it will be; task_id 0: none */

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

    pthread_mutex_t jobs_lock; /* this block, save what is atomic */
    pthread_cond_t jobs_wake;  /* by the monotonic clock */
    pthread_t jobs_thread;
    bool jobs_running, jobs_asked;
    atomic_bool jobs_stop;
    atomic_int n_repeats; /* repeated requests that wait for the answer of the first (idempotency.c) */
    struct run *leased; /* runs whose lease must be prolonged */
    int n_leased, n_suspects;
    bool backlog;        /* more was due than there was room for */
    bool tell_others;    /* a job was stored that somebody else may have to run */
    int64_t next_due_us; /* monotonic: the earliest due job known of, INT64_MAX: none */
    struct lane *lanes;  /* of runs that are in line or run */
    struct lane *lanes_free;
    struct arena *lanes_arena;
    int n_running, n_waiting;
    struct run *held; /* claimed before they are due, next one first */
    int n_held;
    bool hold_running;
    pthread_t hold_thread;
    pthread_cond_t hold_wake; /* by the monotonic clock */
    int n_finished, lead; /* runs finished in this tick; how many may be held beyond those that run */
    uint64_t n_turns;
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

/* Add all rows that are new or changed to r->item (reset first). */
MUST_CHECK int store_collect(struct run *r, enum lease_end lease, struct err *e);
/* Add what acknowledges a new instance to r->item: request, instance, and its job, leased by us or
 * free for anybody. */
MUST_CHECK int store_new(struct run *r, bool leased, struct err *e);
void store_new_committed(struct run *r);
/* After the commit: nothing is new or changed any more. */
void store_committed(struct run *r, enum lease_end lease);
/* After the commit: have looked for what it left to be run, by this process or others: somebody was
 * signalled, or signals came while the run was with us.  Where it stays with us it looks itself. */
void store_wake(struct run *r, enum lease_end lease);

/* ---- engine_load.c -------------------------------------------------------------------------- */

/* Read an instance into a fresh run.  ERR_NOT_FOUND. */
MUST_CHECK int run_load(struct run *r, int64_t id, int64_t created_us, struct err *e);
/* Read the signals that came since; with the turn, on a worker.  Where that fails they are looked at
 * when the lease is given back. */
void run_signals(struct run *r);
/* The stored errors of the run's tree, children included, as an error handler gets them; into r->a.  Blocks. */
MUST_CHECK int run_errors(struct run *r, struct val *out, struct err *e);
/* Creation time of an instance by id; ERR_NOT_FOUND. */
MUST_CHECK int instance_when(struct engine *en, int64_t id, int64_t *created_us, struct err *e);
/* From an instance to the top one of its tree, which holds the lease of all. */
MUST_CHECK int instance_top_of(struct engine *en, int64_t *id, int64_t *created_us, struct err *e);

/* ---- jobs.c --------------------------------------------------------------------------------- */

void jobs_start(struct engine *en);
void jobs_stop(struct engine *en);
/* A job was stored that is due at a time (wall clock), free for anybody.  Any thread. */
void jobs_due(struct engine *en, int64_t due_us);
/* Whether this process runs stored instances. */
bool jobs_here(const struct engine *en);
/* ... and has room for one more now. */
bool jobs_room(struct engine *en);
/* Some time between half and the whole of it, so that processes do not come back in step. */
int64_t jobs_jitter(int64_t ms);

/* ---- drive.c -------------------------------------------------------------------------------- */

/* On a worker: run one run until it is parked or over, or until the writer has it; takes it over. */
void run_one(struct run *r);
/* The caller's thread runs it to the next park, storing on the way, and gives the lease back.  On
 * failure the lease is left to expire. */
MUST_CHECK int run_drive(struct run *r, struct err *e);
/* Store all changes and keep or give back the lease, waiting out a database that is away. */
MUST_CHECK int run_store(struct run *r, enum lease_end lease, struct err *e);

/* ---- lease.c -------------------------------------------------------------------------------- */

/* The row goes back to the table; then this process forgets the lease. */
void lease_return(struct run *r, int64_t after_ms);
void lease_drop(struct run *r);
/* The lease of a stored instance for an operation: waits a little, then ERR_BUSY. */
MUST_CHECK int lease_take(struct run *r, int64_t instance_id, int64_t created_us, struct err *e);
/* Put a lease into the list of those to be prolonged. */
void lease_list(struct run *r);
/* Leave an instance alone that cannot be run: its job is failed, its errors say why. */
void lease_fail(struct run *r, const struct err *why);
/* Statement outside of any transaction whose failure is only logged. */
void exec_logged(struct engine *en, const struct db_stmt *s, const struct db_arg *args, size_t n);
/* Leases of this process live longer; not `all`: those whose row somebody held the last time. */
void leases_prolong(struct engine *en, bool all);
/* Leases that ran out, and those of processes that died on this host, are free; true: some were. */
bool leases_free(struct engine *en);

/* ---- dispatch.c -------------------------------------------------------------------------------- */

/* Runs of one workflow in line for a runner. */
struct lane {
    struct lane *next;
    int64_t id;
    struct run *first, *last;
    int n_waiting, n_running;
    uint64_t served; /* turn at which it was served last */
};

/* Put a run whose lease is listed in line, and start what there are runners for; takes it over. */
void dispatch_add(struct run *r);
/* The same for a new instance, whose job was stored with a lease of ours. */
void dispatch_new(struct run *r);
/* Start what waits while there are runners; for those that found no worker. */
void dispatch_more(struct engine *en);
/* How many leases this process may hold, and how many more than it does; jobs_lock is held. */
int dispatch_places(const struct engine *en);
int dispatch_room(const struct engine *en);
/* Runners that have nothing to do, though this process may hold no more: what it holds waits for its own lane; jobs_lock is held. */
int dispatch_idle(struct engine *en);
/* Once in a while: what was finished decides how many runs may be held ahead.  jobs_lock is held. */
void dispatch_tick(struct engine *en);
/* Lanes that hold as much as one may, as "{1,2}"; jobs_lock is held. */
struct str dispatch_full_lanes(const struct engine *en, struct arena *a);

/* ---- hold.c ------------------------------------------------------------------------------------ */

enum { HOLD_MAX = 512 };

void hold_start(struct engine *en);
/* They start at once, which gives their leases back: jobs_stop is set. */
void hold_stop(struct engine *en);
/* Start a run whose lease is listed at a time (monotonic); takes it over. */
void hold_add(struct run *r, int64_t at_us);
/* How many more may be held; jobs_lock is held. */
int hold_room(const struct engine *en);

/* ---- poison.c ---------------------------------------------------------------------------------- */

enum {
    ATTEMPTS_MAX = 5,     /* owners that died in a row before an instance is left alone */
    ATTEMPTS_SUSPECT = 3, /* from here on it runs alone with others of its kind waiting */
};

/* Tasks that would run, or wake up because they are due, are in ERROR instead: whoever ran them
 * died too often.  Returns how many there are. */
uint32_t poison_block(struct instance *in, int attempts, int64_t now_us);

/* ---- mass.c ------------------------------------------------------------------------------------ */

/* Work on a mass operation whose job was claimed, until it is done, cancelled or not ours. */
void mass_run(struct run *r);

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

void watch_remove(struct run *r);
/* Answer 504 to callers who waited too long: called now and then. */
void watch_expire(struct engine *en);

/* ---- statements, listed in engine_store.c --------------------------------------------------- */

extern const struct db_stmt load_stmt_top, load_stmt_instance, load_stmt_tasks, load_stmt_contexts,
    load_stmt_timers, load_stmt_user, load_stmt_when, load_stmt_signals, load_stmt_errors, op_stmt_close, job_stmt_owners, job_stmt_orphan,
    job_stmt_expire, job_stmt_claim, job_stmt_claim_fair, job_stmt_prolong, job_stmt_take,
    job_stmt_return, job_stmt_start, job_stmt_fail, job_stmt_notify, run_stmt_stored,
    responses_stmt, op_stmt_timer, op_stmt_children, mass_stmt_insert, mass_stmt_job, mass_stmt_head, mass_stmt_items,
    mass_stmt_result, mass_stmt_end;
extern const struct writer_stmt op_w_replayed, op_w_definition, op_w_audit;

#endif
