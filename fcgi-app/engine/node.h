/*
 * The node contract: what a node type is made of, and what the engine offers a running node.
 *
 * A node is a table and a function.  The table (`params`, `outputs`) feeds validation, rendering,
 * the catalogue of the API and the editor's forms; the function sees its parameters rendered and
 * typed.
 *
 * Rules: workflow-engine.md 2 (natures, outputs) and 3 (nodes).
 */
#ifndef SLUICE_ENGINE_NODE_H
#define SLUICE_ENGINE_NODE_H

#include "base/value.h"

struct cfg;
struct cfg_gateway;
struct db_arg;
struct db_conn;
struct gw_http;
struct instance;
struct task;
struct tmpl;
struct writer_stmt;

/* ---- parameters ---------------------------------------------------------------------------- */

/*
 * Kinds of parameters: the nature shown to the editor, and the type of the member of the node's
 * struct. "rendered" texts are templates; the others are structure and taken as they are.
 */
enum param_kind {
    PARAM_LINE,   /* none: rendered, trimmed          -> struct str */
    PARAM_JINJA,  /* jinja: rendered                  -> struct str */
    PARAM_JSON,   /* json: rendered                   -> struct str */
    PARAM_INT,    /* none, validation int: rendered   -> int64_t */
    PARAM_MSEC,   /* none: rendered duration          -> int64_t, milliseconds */
    PARAM_DATA,   /* python: rendered, then read as a literal -> struct val, undefined when empty */
    PARAM_EXPR,   /* python_bool: see node_expr_true  -> const struct node_expr * */
    PARAM_BODY,   /* http_body: the chosen form only  -> struct node_body */
    PARAM_BOOL,   /* boolean                          -> bool */
    PARAM_CHOICE, /* list                             -> struct str */
    PARAM_KEY,    /* context_key: key rendered        -> struct node_key */
    PARAM_KEYS,   /* context_keys: see node_text      -> struct node_key_values */
    PARAM_HEADERS,  /* http_headers: rendered           -> struct node_pairs */
    PARAM_SWITCH,   /* python_switch                    -> struct node_cases */
    PARAM_OUTPUTS,  /* outputs: custom outputs          -> struct node_strs */
    PARAM_ENDS,     /* workflow_ends: custom outputs    -> struct node_strs */
    PARAM_STRINGS,  /* strings: rendered entries        -> struct node_strs */
    PARAM_RETRY,    /* retry                            -> struct val, undefined when empty */
    PARAM_SESSION,  /* session_holder: rendered         -> struct str */
    PARAM_ACTIVITY, /* activity: rendered               -> struct str */
    PARAM_TASK,     /* task                             -> struct str */
    PARAM_TIMER,    /* timer                            -> struct str */
    PARAM_ROLE,     /* user_role                        -> struct str */
    PARAM_FORM,     /* jsonschema_form_fields: JSON text -> struct str */
    PARAM_XML,      /* xml: rendered                    -> struct str */
    PARAM_KINDS
};

struct param {
    const char *name;
    enum param_kind kind;
    size_t offset;         /* of the member in the node's struct */
    const char *otherwise; /* text taken for "" and absent; NULL = empty */
    const char *help;
    bool mandatory;
    const char *const *values;  /* choices, NULL-ended: PARAM_CHOICE and PARAM_RETRY */
    const char *const *aliases; /* other spellings of the name, NULL-ended */
    const char *schema;         /* JSON Schema text for the editor */
    const char *origin;         /* PARAM_ENDS: sibling that names the workflow */
};

struct node_key {
    struct str key; /* empty: write nothing */
    bool cleanup;
};

struct node_pair {
    struct str name;
    struct str value;
};

struct node_pairs {
    struct node_pair *items;
    size_t n;
};

struct node_strs {
    struct str *items;
    size_t n;
};

enum node_body_form { NODE_BODY_DEFAULT, NODE_BODY_FORM, NODE_BODY_MULTIPART };

struct node_body {
    enum node_body_form form;
    struct str text;          /* NODE_BODY_DEFAULT */
    struct node_pairs fields; /* the other two */
};

/* A template of a parameter, rendered when the node asks (node_text_render). */
struct node_text {
    struct str text;   /* what plain text prints */
    struct tmpl *tmpl; /* NULL: plain */
};

struct node_key_value {
    struct node_text key;
    struct node_text value;
    bool cleanup;
};

struct node_key_values {
    struct node_key_value *items;
    size_t n;
};

/* A boolean expression, evaluated when the node asks (node_expr_true). */
struct node_expr {
    struct str text;
    struct tmpl *render; /* rendered first; NULL: the text holds no template */
    struct tmpl *expr;   /* compiled; NULL: known only after rendering */
};

struct node_case {
    struct node_expr when;
    struct str output;
};

struct node_cases {
    struct node_case *items;
    size_t n;
};

/* ---- the type ------------------------------------------------------------------------------ */

enum node_rc {
    NODE_OK,   /* fired an output: node_fire() */
    NODE_FAIL, /* the error is set: output "error" when linked, else the task is in ERROR */
    NODE_WAIT, /* parked: node_wait_until() and friends said for what */
};

/* What the engine itself does at a cell of this type; none of these has a `run`. */
enum node_role {
    ROLE_WORK = 0,
    ROLE_START,
    ROLE_END,
    ROLE_GOTO, /* its first parameter names the target cell */
    ROLE_NOTE,
    ROLE_OR,
    ROLE_JOIN,
    ROLE_ENTITY, /* never in the catalogue; cells of `entities` */
};

enum node_flags {
    NODE_BLOCKING = 1, /* may block: runs on a worker */
    NODE_PURE = 2,     /* no effect outside the instance: simply run again after a crash */
    NODE_REMEMBERS = 4, /* wakes up without its parameters rendered: it kept what it needs */
};

struct node_run;

struct node_type {
    const char *name;
    const char *category; /* "timers" or NULL */
    const char *group;    /* flow calls context people data files users timers system */
    const char *doc;
    const struct param *params; /* ended by a row without name; may be NULL */
    size_t cfg_size;
    const char *const *outputs; /* catalogue outputs, NULL-ended */
    enum node_role role;
    unsigned flags;
    enum node_rc (*run)(struct node_run *r, struct err *e);
    /*
     * A parked task of this node wakes up: its timer is due or its sub-instance has closed.  NULL:
     * the task fires the output it was parked with.
     */
    enum node_rc (*wake)(struct node_run *r, struct err *e);
    /* A person ends a task of this node by skip or rollback: what it has begun ends too, what it still
     * keeps goes.  Parameters are not rendered.  NULL: there is nothing of the kind. */
    void (*cancel)(struct node_run *r);
};

/* A table of types, handed down by main: the engine never names a node. */
struct node_table {
    const struct node_type *const *types;
    size_t n;
};

/* The type of that name (original_name of a cell), or NULL. */
const struct node_type *node_table_find(const struct node_table *t, struct str name);

/* ---- one execution -----------------------------------------------------------------------------
 */

struct node_run {
    const void *cfg; /* the node's struct, parameters rendered */
    struct arena *a; /* scratch: ends with this execution */
    struct str cell; /* name of the cell */
    int64_t now_us;  /* wall clock at the start of the execution */
    int attempt;     /* 1; more after a crash or a replay of the same task row */
    bool sync;       /* somebody waits for the answer */
    bool woken;      /* called by `wake` */
    int tries;       /* how often this task was parked before */
    struct instance *inst;
    struct task *task;
    struct node_away { /* the engine's, while the node blocks */
        void *undo;
        uint32_t n_undo, cap_undo;
    } away;
};

/*
 * Around what only waits for the outside (a call, a sleep): other branches of the instance go on
 * meanwhile.  Between the two nothing of the run may be used but `a`, `cfg` and what was got from
 * it before; no other function of this header may be called.
 */
void node_blocks(struct node_run *r);
void node_goes_on(struct node_run *r);

/* Which output to leave by; alias ok = success (workflow-engine.md 2.9) is the engine's.  Returns
 * NODE_OK. */
enum node_rc node_fire(struct node_run *r, const char *output);
enum node_rc node_fire_str(struct node_run *r, struct str output);
/* True when the cell shows that output and a transition leaves by it. */
bool node_linked(const struct node_run *r, struct str output);

/*
 * Write a context key; an empty key writes nothing.  The value is copied.
 *
 * Fails with ERR_LIMIT (255 characters, 8 MiB, 64 MiB) and ERR_INVALID (value without JSON form).
 */
MUST_CHECK int node_set(struct node_run *r, const struct node_key *key, struct val v,
                        struct err *e);
/* The value of a context key, undefined when there is none; of the instance, not to be changed. */
struct val node_get(const struct node_run *r, struct str key);
/* As node_set, for what must be shown as "********". */
MUST_CHECK int node_set_secret(struct node_run *r, const struct node_key *key, struct val v,
                               struct err *e);
/* Everything written after the mark is taken back: for all-or-nothing setters. */
size_t node_context_mark(const struct node_run *r);
void node_context_undo(struct node_run *r, size_t mark);

/* Render a template of PARAM_KEYS; living in r->a. */
MUST_CHECK int node_text_render(struct node_run *r, const struct node_text *t, struct str *out,
                                struct err *e);
/* Evaluate (workflow-engine.md 2.8); empty text, unknown name or syntax error fail with
 * ERR_INVALID. */
MUST_CHECK int node_expr_true(struct node_run *r, const struct node_expr *x, bool *out,
                              struct err *e);

/* A message exchanged with the outside (workflow-engine.md 3.3 "trace"); copied. */
struct node_trace {
    int status;               /* HTTP status or its like, 0 = none */
    struct str input, output; /* JSON texts, secrets already masked */
    struct str external_id, session_holder, host, method, url;
    bool cache_hit;
    int64_t started_us, ended_us;
};
void node_trace(struct node_run *r, const struct node_trace *t);
/* A body as a trace keeps it: secrets of the run and what is named so hidden, then cut, so that no half of one is left. */
struct str node_trace_body(struct node_run *r, struct str content_type, struct str body);
/* A line in the logs of the instance. */
void node_log(struct node_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Park until a moment; a timer row is stored and its task fires `output` then.
 *
 * type  "timer", "retry", ...; key may be empty.  Returns NODE_WAIT.
 */
enum node_rc node_wait_until(struct node_run *r, int64_t at_us, const char *type, struct str key,
                             const char *output);

/* What woke the task is variable `event` of templates for the rest of the run (6.2). */
void node_event(struct node_run *r, struct str event, struct val value, struct val username);

/*
 * Sleep until a moment without keeping a worker: as if the process slept, so the instance does not end
 * meanwhile and node_timers_stop() leaves it alone.  Fires "ok" then.
 */
enum node_rc node_sleep_until(struct node_run *r, int64_t at_us, struct str key);

/*
 * Cancel pending timers of the instance: those of a cell, those of a key, or of both when both are
 * given.
 *
 * Their tasks end OK with output `output`, firing nothing.  Returns how many there were.
 */
size_t node_timers_stop(struct node_run *r, struct str cell, struct str key, const char *output);

/*
 * Start the active version of a workflow as sub-instance and park until it has closed (macro).
 *
 * Fails with ERR_NOT_FOUND (no such workflow), ERR_LIMIT (nested too deep).  While waking up,
 * node_sub_result tells how it ended.
 */
enum node_rc node_sub_start(struct node_run *r, struct str workflow, struct val input,
                            struct err *e);
struct node_sub_result {
    bool success;      /* closed in success */
    struct str end;    /* cell name of the end that closed it, empty without */
    struct val answer; /* its *cb_response*, undefined without */
    int64_t instance_id;
};
bool node_sub_result(struct node_run *r, struct node_sub_result *out);

/*
 * Start the active version of a workflow as an instance of its own: any process runs it, under its
 * own lease, beside this one (trigger_subworkflows).  It is stored with this task; when it closes,
 * this task is signalled "child" with {"instance_id", "status", "end", "answer"}.
 *
 * Fails like node_sub_start.
 */
MUST_CHECK int node_child_launch(struct node_run *r, struct str workflow, struct val request,
                                 struct str label, int64_t *id, struct err *e);
/* Those of this task that still run are closed. */
void node_children_close(struct node_run *r);

/* ---- waiting for the outside ----------------------------------------------------------------- */

/*
 * A statement stored in the same transaction as this task: what somebody outside will answer to
 * (a manual action, an expected call-back) must exist exactly when the task waits.  Arguments are
 * copied.
 */
void node_store(struct node_run *r, const struct writer_stmt *s, const struct db_arg *args,
                size_t n);

/*
 * Park until somebody signals this task (engine/signal.h), at the latest until a moment.
 *
 * until_us  0 = as long as it takes.
 * Signals that came in while the task was not parked yet are kept and wake it at once, in order.
 * Returns NODE_WAIT.
 */
enum node_rc node_wait_signal(struct node_run *r, int64_t until_us);

/*
 * What a node needs to remember while its task is parked; small, copied, stored with the task.
 * Undefined when nothing was kept.
 */
void node_keep(struct node_run *r, struct val v);
struct val node_kept(const struct node_run *r);

/* In `wake`: what the task was signalled with; false when its time is over. */
bool node_signalled(const struct node_run *r, struct str *kind, struct val *payload);

/* Ids of the running instance and task, for rows that point at them. */
int64_t node_instance_id(const struct node_run *r);
int64_t node_instance_on_us(const struct node_run *r); /* creation time, names the partition */
struct str node_instance_guid(const struct node_run *r);
int64_t node_task_id(const struct node_run *r);

/* False for a text that no column can hold: one with a NUL. */
bool node_storable(struct str s);

/* Free status of the request (set_request_status); see node_storable. */
void node_request_status(struct node_run *r, struct str status);
/* Status of the latest task of a cell (set_task_status): ERR_NOT_FOUND without one. */
MUST_CHECK int node_task_status(struct node_run *r, struct str cell, bool error, struct str message,
                                struct err *e);
/* The variable `user`, or null. */
struct val node_user(const struct node_run *r);

/* What a node may call: configuration snapshot of this stretch, HTTP with named gateways. */
const struct cfg *node_cfg(const struct node_run *r);
struct gw_http *node_http(const struct node_run *r);
/* The database, for nodes that read rows of ours; workers only.  ERR_DB when there is none. */
MUST_CHECK int node_db(const struct node_run *r, struct db_conn **out, struct err *e);
void node_db_put(const struct node_run *r, struct db_conn *c);
/* Reading failed: waits a moment and says true when it is to be tried again, because the database is away and the run can wait. */
bool node_try_again(const struct node_run *r, const struct err *e);
/* The gateway behind the proxy that this instance runs on, as this process maps it; NULL without. */
const struct cfg_gateway *node_proxy_gateway(const struct node_run *r);
/* The instance's owner, 0 = nobody. */
int64_t node_user_id(const struct node_run *r);
/* Surroundings for templates a node renders by itself, with the instance's variables. */
struct tmpl_run;
void node_tmpl_run(const struct node_run *r, struct tmpl_run *out);
/* The same for every execution of this turn of the cell, across crashes: "<guid>-<hash of the
 * cell>-<turn>". */
struct str node_idempotency_key(const struct node_run *r);

#endif
