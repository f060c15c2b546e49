/*
 * The inside of a run, shared by the scheduler, the store and the operations of the engine.
 */
#ifndef SLUICE_ENGINE_INSTANCE_INT_H
#define SLUICE_ENGINE_INSTANCE_INT_H

#include "base/map.h"
#include "db/ids.h"
#include "engine/instance.h"
#include "engine/team.h"
#include "engine/workflow_int.h"
#include "template/tmpl.h"

enum task_status {
    TASK_QUEUED, /* will run */
    TASK_RUN,    /* runs now; never stored */
    TASK_WAIT,   /* parked */
    TASK_OK,     /* left by `output` */
    TASK_ERROR,  /* blocked until a person acts */
};

struct task {
    int64_t id;
    uint32_t index; /* in instance.tasks */
    int32_t cell;   /* WF_NO_CELL: the definition has none of that name any more */
    struct str cell_name;
    enum task_status status;
    bool stored, dirty;
    bool forced; /* a replayed join: passes without its edges */
    struct str output;
    int64_t created_us, updated_us, spent_us;
    int occurrence;    /* how many tasks of this cell were there before */
    const uint64_t *gates; /* Ors behind it, itself included, as bits; NULL: none */
    uint32_t *arrived; /* joins: edges that came in this round */
    uint32_t n_arrived;
    struct str wait_output; /* parked: what fires when it wakes up */
    int tries;              /* how often it was parked before */
    struct sub *sub;        /* parked for a sub-instance */
    struct val kept;        /* what its node remembers while it is parked */
    bool waits_signal;      /* parked until somebody signals it */
    bool woken;             /* queued to wake up */
    int64_t signal_id;      /* what it wakes up by; 0: its time is over, or its sub-instance */
};

/* A sub-instance: it lives, runs and is stored with its parent, under one lease. */
struct sub {
    int64_t instance_id;
    int64_t instance_us;
    struct instance *inst; /* NULL: closed before this process read the parent */
    bool closed;
    struct node_sub_result result;
};

struct ctx_entry {
    int64_t id;
    struct str key;
    struct val v;
    struct str json; /* text of v when it was made already; .p NULL: not yet */
    size_t bytes;    /* what it counts in ctx_bytes while it is present */
    bool present;    /* false: undone or deleted */
    bool cleanup, sensitive;
    bool stored, dirty;
};

struct ctx_undo {
    uint32_t entry;
    struct ctx_entry before;
};

struct trace_row {
    struct trace_row *next;
    int64_t id;
    int64_t task_id;
    struct str label;
    struct node_trace t;
};

struct error_row {
    struct error_row *next;
    int64_t id;
    int64_t task_id;
    struct str cell, output, description;
    int64_t created_us;
    bool advanced;
};

struct log_row {
    struct log_row *next;
    struct str source, message;
    int64_t created_us;
};

/* Left by the outside (signal.h); the list hangs on the top instance. */
struct signal_row {
    struct signal_row *next;
    int64_t id, target_id, task_id;
    struct str kind;
    struct val payload;
    bool given; /* a task was woken by it */
    bool taken; /* goes with the next store */
};

/* A row that a node stores with its task. */
struct extra_row {
    struct extra_row *next;
    const struct writer_stmt *stmt;
    const struct db_arg *args;
    size_t n;
};

/* An instance of its own to be stored with the task that launched it. */
struct child_row {
    struct child_row *next;
    int64_t id, created_us, job_id, task_id;
    int64_t activity_id, version_id, definition_id;
    char guid[37];
    struct str label;
    struct str request; /* JSON text */
};

enum timer_status { TIMER_WAIT, TIMER_STOP, TIMER_CANCEL };

struct timer_row {
    struct timer_row *next;
    int64_t id;
    int64_t task_id;
    struct str name, key, type, output;
    enum timer_status status;
    int64_t at_us, created_us;
    bool stored, dirty;
};

struct writer_stmt;
struct db_arg;

struct instance {
    struct instance_env env;
    struct arena *a;
    struct arena *scratch; /* of the task being executed by whoever has the turn */
    struct arena *base;    /* the first of them; others are made while it is in use */
    struct arena *spare;   /* between tasks while others use theirs */
    bool base_used;
    struct workflow *wf;

    /* the row */
    int64_t id;
    char guid[37];
    enum instance_status status;
    const char *kind; /* request, run, sub, error_handler */
    int64_t now_us;   /* wall clock, read once per task: instance_tick() */
    int64_t created_us, updated_us, closed_us;
    int64_t activity_id, version_id, definition_id;
    int64_t request_id, request_us; /* 0 = none */
    int64_t parent_id, parent_us, callback_task_id;
    int depth;
    struct str label, owner, proxy_name;
    int64_t user_id;
    struct val user;           /* variable `user`, null without */
    struct val request;        /* variable `request` */
    struct str request_status; /* set_request_status; .p NULL = not set */
    bool step_durable, sync;
    _Atomic bool
        detached; /* the caller was answered without waiting: store as for nobody waiting */
    bool stored, dirty;
    bool state_stored; /* has a row in instance_states */
    bool loaded;       /* was read: sub-instances that had closed were not */
    int attempt;
    struct instance *parent; /* for sub-instances */
    struct team *team;       /* top instance: its workers; NULL: the calling thread alone */
    uint32_t n_live_subs;    /* sub-instances that are not closed */

    /* tasks */
    struct task **tasks;
    uint32_t n_tasks, cap_tasks;
    int32_t *latest; /* per cell: index of its latest task, or -1 */
    uint32_t *queue; /* runnable tasks, first in first out */
    uint32_t q_head, q_tail, q_cap;
    uint32_t *ends; /* activated ends */
    uint32_t n_ends, cap_ends;
    uint32_t n_waiting;  /* parked tasks other than joins */
    uint32_t n_joins;    /* waiting joins */
    uint32_t n_running;  /* tasks being executed here and in sub-instances */
    bool full;           /* LIMIT_TASKS was reached */
    struct str end_name; /* the end that closed it */

    /* context */
    struct ctx_entry *ctx;
    uint32_t n_ctx, cap_ctx;
    struct map ctx_index; /* key -> index + 1, kept beyond a few keys */
    struct ctx_undo *undo;
    uint32_t n_undo, cap_undo;
    size_t ctx_bytes;

    /* what came up since the last store */
    struct trace_row *traces, **traces_tail;
    struct error_row *errors, **errors_tail;
    struct log_row *logs, **logs_tail;
    struct timer_row *timers; /* all of them */
    struct extra_row *extras, **extras_tail;
    struct child_row *children, **children_tail;
    bool launched;              /* has had children: they are closed with it */
    bool told;                  /* its closing is stored, and a parent knows */
    uint32_t n_errors, errors_told; /* ... and of that many errors */
    int64_t signals_seen;       /* how many there were when it was read */
    struct signal_row *signals; /* top instance: not stored away yet, oldest first */
    struct str last_error;    /* of the latest blocking error, for the answer */
    uint32_t new_errors;      /* blocking errors since the driver last looked */

    /* at closing, before keys are cleaned */
    struct val sync_response, response, doc_response, cb_response;

    /* memo of template variables that do not change */
    struct val v_instance, v_settings;
    struct val v_parent_context; /* undefined: top level */
    struct val v_parent_secrets; /* those of its values that were written as such; a list, or undefined */
    struct val v_event;
};

/* ---- instance.c: rows ----------------------------------------------------------------------- */

/* Read the clock. */
void instance_tick(struct instance *in);
/* An instance without start task, for loading. */
struct instance *instance_empty(struct workflow *wf, const struct instance_env *env,
                                struct arena *a, struct arena *scratch);
MUST_CHECK int instance_id_next(struct instance *in, int kind, int64_t *out, struct err *e);
/* A new task row of a cell; NULL when no id can be had or there are too many. */
struct task *task_new(struct instance *in, int32_t cell, struct str cell_name,
                      const struct task *parent);
void task_append(struct instance *in, struct task *t); /* a loaded one */
struct task *task_find(const struct instance *in, int64_t id);
void task_touch(struct instance *in, struct task *t, enum task_status s);
uint32_t instance_errors(const struct instance *in); /* cells whose latest task is in ERROR */
bool instance_end_failed(const struct instance *in);
void instance_error_add(struct instance *in, const struct task *t, struct str shown,
                        struct str description);
void instance_log(struct instance *in, const char *source, const char *fmt, ...) PRINTF_LIKE(3, 4);
void instance_trace_add(struct instance *in, const struct task *t, const struct node_trace *tr);
struct timer_row *instance_timer_add(struct instance *in, const struct task *t);
void instance_timers_cancel(struct instance *in, const struct task *t); /* those of a task */
/* node_sleep_until(): what such a timer is, and whether a branch of the instance or of a live sub-instance
 * sleeps. */
#define TIMER_SLEPT "slept"
bool timer_is_slept(const struct timer_row *row);
bool instance_sleeps(const struct instance *in);

/* ---- context.c ------------------------------------------------------------------------------ */

struct ctx_entry *context_find(const struct instance *in, struct str key);
struct ctx_entry *context_entry(struct instance *in, struct str key); /* made when absent */
MUST_CHECK int context_set(struct instance *in, struct str key, struct val v, bool cleanup,
                           bool sensitive, struct err *e);
struct val context_value(const struct instance *in, struct str key);
/* The context as a dictionary of its own, values shared. */
struct val context_dict(const struct instance *in, struct arena *a);
void context_clean(struct instance *in); /* keys flagged for it go */

/* ---- secrets.c ------------------------------------------------------------------------------ */

/* A text that people will read, without the secrets this instance knows; `text` itself when it holds none. */
struct str instance_hide(const struct instance *in, struct str text, struct arena *a);

/* ---- vars.c --------------------------------------------------------------------------------- */

/* Surroundings of a rendering for this instance. */
struct tmpl_run instance_tmpl_run(struct instance *in);
/* All variables as one object (6.2), living in `a`. */
struct val instance_variables(struct instance *in, struct arena *a);

/* ---- step.c --------------------------------------------------------------------------------- */

void queue_push(struct instance *in, struct task *t);
/* A task that was to run does not. */
void queue_remove(struct instance *in, const struct task *t);
/* A blocking error came up: it counts for the instance and those above. */
void instance_blocked(struct instance *in, struct str text);
/* The task ends OK by an output: its transitions are followed. */
void task_fire(struct instance *in, struct task *t, struct str output);
/* A failure: output "error" when linked, else ERROR. */
void task_fail(struct instance *in, struct task *t, const struct err *e);
/* Scratch for what happens to an instance while its tasks use theirs. */
struct arena *instance_spare(struct instance *in);
/* A parked task wakes up: it is queued for the `wake` of its node, or fires what it was parked with. */
void task_wake(struct instance *in, struct task *t);

/* Close whatever is left, keeping all keys for diagnosis (4.15 "force close"). */
void instance_force_close(struct instance *in);
bool instance_runnable(const struct instance *in);

/* ---- gates.c --------------------------------------------------------------------------------- */

/* A token arrives at a gate. */
void gate_or(struct instance *in, int32_t cell, const struct task *from);
void gate_join(struct instance *in, int32_t cell, uint32_t edge, struct task *from);
/* The token of `t` comes from that of `from`, too. */
void gate_follow(struct instance *in, struct task *t, const struct task *from);
/* The Or with this number (wf_cell.gate) is behind a task; it is from now on. */
bool gate_behind(const struct task *t, uint32_t gate);
void gate_pass(struct instance *in, struct task *t, uint32_t gate);

/* ---- sub.c ---------------------------------------------------------------------------------- */

/* Hang a loaded one below its task. */
void sub_attach(struct instance *in, struct task *t, struct instance *child);
/* A live one ends with its task. */
void sub_close(struct instance *in, struct task *t);
/* Move live sub-instances on; those that closed wake their tasks.  INSTANCE_DONE: nothing more to
 * do in them now. */
enum instance_stop subs_run(struct instance *in, unsigned flags);
struct instance *instance_top(struct instance *in);
struct instance *instance_in_tree(struct instance *in, int64_t id);
/* Start the error handler of a route below a blocked instance (4.9).  `stored` are the errors of it and of
 * what runs below it that are not in memory any more. */
MUST_CHECK int handler_start(struct instance *top, struct workflow *wf, int64_t activity_id,
                             int64_t version_id, int64_t definition_id, struct val stored,
                             struct err *e);
/* The handler of a top instance, or NULL. */
struct instance *handler_of(const struct instance *top);
/* Its answer keys move to the top instance once it has closed in success; false when it has not. */
bool handler_answered(struct instance *top);

/* Stored rows point at no other: they have a lease of their own. */
bool instance_is_child(const struct instance *in);
extern const struct writer_stmt child_w_close; /* engine_store.c */

/* ---- responses.c ----------------------------------------------------------------------------- */

/* Variable sub_instances_responses (6.2), living in `a`.  May read rows, and wait for them. */
struct val instance_responses(struct instance *in, struct arena *a);

/* ---- signals.c ------------------------------------------------------------------------------ */

/* The signals of a loaded top instance, as the rows [id, target, task, kind, payload]. */
MUST_CHECK int signals_read(struct instance *top, struct str json, struct err *e);
/* Give each to whom it is for; true when that made something runnable. */
bool signals_deliver(struct instance *top);
/* One that was not given yet closes something. */
bool signals_close(const struct instance *top);
/* The signal a task woke up by has been worked on. */
void signal_done(struct instance *in, struct task *t);
/* After the commit. */
void signals_forget(struct instance *top);
/* All that are left, for the instance is closed; said so where their senders look. */
void signals_drop(struct instance *top);
/* The task does not go by the signal it was woken by: said so likewise. */
void signal_unused(struct instance *in, const struct task *t);

/* ---- entity.c ------------------------------------------------------------------------------- */

/*
 * An event of an entity (4.10): its task, the context key of its name, and what follows.
 *
 * event  {"entity", "event", "value", "username"}.
 */
void instance_entity_event(struct instance *in, struct val event);
/* It came too late. */
void instance_entity_unused(struct instance *in, struct val event);

/* ---- state.c -------------------------------------------------------------------------------- */

/* What a stored instance needs besides its rows, as JSON; false when there is nothing to keep. */
bool instance_state_write(const struct instance *in, struct str *json, struct arena *a);
MUST_CHECK int instance_state_read(struct instance *in, struct str json, struct err *e);

#endif
