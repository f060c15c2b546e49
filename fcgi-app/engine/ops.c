/*
 * What people do with stored instances: replay, skip, rollback, force close, reopen, edit the
 * context.
 *
 * Each operation takes the instance's lease like any run does, changes it in memory, lets it go on
 * to its next park, and gives the lease back.  What it changes, its line in the log and its record in
 * the audit are stored together: with what the run brings about first.
 *
 * Rules: workflow-engine.md 4.7, 4.15, 4.16.
 */
#include "engine/engine_int.h"

#include "base/json.h"
#include "base/log.h"
#include "gateway/mask.h"

/* ---- statements ----------------------------------------------------------------------------- */

/* Before the errors of the same batch are inserted. */
const struct writer_stmt op_w_replayed = {
    "op_errors_replayed",
    "UPDATE errors r SET replayed = true FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) "
    "AS u(instance_id, instance_on, task_id) WHERE r.instance_id = u.instance_id AND r.instance_on = "
    "u.instance_on AND r.task_id = u.task_id AND NOT r.replayed",
    "izi", 29};

const struct writer_stmt op_w_definition = {
    "op_definition",
    "UPDATE instances i SET definition_id = definition_put(u.definition) FROM unnest($1::bigint[], "
    "$2::timestamptz[], $3::text[]) AS u(id, created_on, definition) WHERE i.id = u.id AND "
    "i.created_on = u.created_on",
    "izt", 22};

#define AUDIT "INSERT INTO audit (user_id, username, operation, target, target_type, summary) "

const struct writer_stmt op_w_audit = {
    "op_audit",
    AUDIT "SELECT user_id, username, 'update', target, 'transaction', summary FROM "
          "unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) AS u(user_id, username, target, "
          "summary)",
    "itit", 65};

const struct db_stmt op_stmt_timer = {
    "op_timer", "SELECT instance_id, " DB_TS("instance_on") ", status FROM timers WHERE id = $1",
    1};

const struct db_stmt op_stmt_children = {
    "op_children",
    "SELECT count(*) FROM instances WHERE parent_instance_id = $1 AND callback_task_id = $2 AND kind = "
    "'child' AND status = 'ACTIVE'",
    2};

/* Who runs it hears that it is to be closed; no row: nobody does. */
const struct db_stmt op_stmt_close = {
    "op_close",
    "WITH told AS (SELECT signal_instance($1, 0, 'close', to_json($2::text)) FROM jobs WHERE kind = "
    "'instance' AND ref_id = $3 AND state = 'leased' AND lease_until > now()) " AUDIT
    "SELECT $4, $2, 'update', $1::bigint, 'transaction', 'closed' FROM told",
    4};

/* ---- holding an instance -------------------------------------------------------------------- */

static void op_end(struct run *r)
{
    lease_drop(r);
    run_free(r);
}

/* Nothing was changed: the lease goes back by what the instance waits for. */
static int op_refuse(struct run *r)
{
    struct err e;

    if (run_store(r, LEASE_RELEASE, &e) != 0)
        log_err(LOG_WARN_LEVEL, "op.release", &e);
    op_end(r);
    return -1;
}

/* Take the lease of the tree an instance belongs to and read it; *in is the instance asked for. */
static int op_begin(struct engine *en, int64_t id, struct run **out, struct instance **in,
                    struct err *e)
{
    int64_t created_us, top = id;
    const struct cfg *cfg;
    struct run *r;

    if (instance_when(en, id, &created_us, e) != 0 ||
        instance_top_of(en, &top, &created_us, e) != 0)
        return -1;
    cfg = cfg_get(en->o.cfg);
    r = run_new(en, cfg);
    cfg_put(cfg);
    if (lease_take(r, top, created_us, e) != 0) {
        op_end(r);
        return -1;
    }
    if (run_load(r, top, created_us, e) != 0) {
        lease_return(r, 0);
        op_end(r);
        return -1;
    }
    *out = r;
    *in = instance_in_tree(r->in, id);
    if (*in != NULL)
        return 0;
    err_set(e, ERR_CONFLICT, "the sub-transaction has ended and its parent has gone on");
    return op_refuse(r);
}

static struct str name_of(const struct principal *who)
{
    return who != NULL ? who->username : STR("system");
}

/* Stored with what the instance brings about next. */
static void op_store(struct run *r, const struct writer_stmt *s, const struct db_arg *args, size_t n)
{
    struct node_run as_node = {.inst = r->in};

    node_store(&as_node, s, args, n);
}

static struct db_arg id_of(const struct principal *who)
{
    return who != NULL ? DB_INT_OR_NULL(who->id) : DB_NULL;
}

/* What people see of it has changed though no task did: live views look for that. */
static void op_changed(struct instance *in)
{
    instance_tick(in);
    in->updated_us = in->now_us;
    in->dirty = true;
}

/* A line in the logs of the instance and a record in the audit. */
static void op_note(struct run *r, struct instance *in, const struct principal *who,
                    const char *what)
{
    instance_log(in, "operator", "%s by %.*s", what, STR_ARG(name_of(who)));
    op_store(r, &op_w_audit, DB_ARGS(id_of(who), DB_STR(name_of(who)), DB_INT(in->id), DB_C(what)));
}

static int op_finish(struct run *r, bool go_on, struct err *e)
{
    int rc = go_on ? run_drive(r, e) : run_store(r, LEASE_RELEASE, e);

    op_end(r);
    return rc;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static void drop_timers_of(struct instance *in, const struct task *t)
{
    for (struct timer_row *row = in->timers; row != NULL; row = row->next)
        if (row->task_id == t->id && row->status == TIMER_WAIT) {
            row->status = TIMER_CANCEL;
            row->dirty = true;
        }
}

static bool is_latest(const struct instance *in, const struct task *t)
{
    return t->cell == WF_NO_CELL || in->latest[t->cell] == (int32_t)t->index;
}

/* A replay runs the task again, and what it began before must be over by then: a second one beside it would be
 * nobody's.  A task that is to be woken (poison.c) goes on with what it began. */
static int check_begun(const struct run *r, const struct instance *in, const struct task *t, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int64_t n = 0;
    int rc;

    if (t->woken)
        return 0;
    if (t->sub != NULL && !t->sub->closed) {
        err_set(e, ERR_CONFLICT, "the sub-workflow of \"%.*s\" still runs: close it first", STR_ARG(t->cell_name));
        return -1;
    }
    rc = db_get(r->en->o.db, &c, e);
    if (rc == 0)
        rc = db_query(c, &op_stmt_children, DB_ARGS(DB_INT(in->id), DB_INT(t->id)), &res, e);
    if (rc == 0)
        n = db_int(res, 0, 0);
    PQclear(res);
    db_put(r->en->o.db, c);
    if (n == 0)
        return rc;
    err_set(e, ERR_CONFLICT, "%lld sub-workflows of \"%.*s\" still run: close them first, or wait for them", (long long)n,
            STR_ARG(t->cell_name));
    return -1;
}

static int check_task(const struct run *r, const struct instance *in, const struct task *t, enum engine_act act,
                      struct err *e)
{
    if (t == NULL) {
        err_set(e, ERR_NOT_FOUND, "there is no such task");
        return -1;
    }
    if (in->status != INSTANCE_ACTIVE) {
        err_set(e, ERR_CONFLICT, "the transaction is closed");
        return -1;
    }
    if (!is_latest(in, t)) {
        err_set(e, ERR_CONFLICT, "\"%.*s\" has run again since", STR_ARG(t->cell_name));
        return -1;
    }
    if (t->status != TASK_ERROR && (t->status != TASK_WAIT || act == ENGINE_REPLAY)) {
        err_set(e, ERR_CONFLICT, "the task is not in error");
        return -1;
    }
    return act == ENGINE_REPLAY ? check_begun(r, in, t, e) : 0;
}

/* What the task began ends with it. */
static void cancel_begun(struct run *r, struct instance *in, struct task *t)
{
    const struct wf_cell *c = &in->wf->cells[t->cell];
    struct node_run as_node = {.a = r->a, .cell = t->cell_name, .inst = in, .task = t};

    drop_timers_of(in, t);
    if (t->sub != NULL && !t->sub->closed)
        sub_close(in, t);
    if (c->type != NULL && c->type->cancel != NULL)
        c->type->cancel(&as_node);
}

static int end_task(struct run *r, struct instance *in, struct task *t, const char *output, struct err *e)
{
    const struct wf_out *o =
        t->cell != WF_NO_CELL ? wf_out_find(&in->wf->cells[t->cell], str_c(output)) : NULL;

    if (o == NULL) {
        err_set(e, ERR_INVALID, "\"%.*s\" has no output \"%s\"", STR_ARG(t->cell_name), output);
        return -1;
    }
    cancel_begun(r, in, t);
    if (t->status == TASK_WAIT) {
        if (in->wf->cells[t->cell].role == ROLE_JOIN)
            in->n_joins--;
        else
            in->n_waiting--;
    }
    signal_done(in, t);
    t->woken = false;
    task_fire(in, t, o->name);
    return 0;
}

static const char *const act_names[] = {"replayed", "skipped", "rolled back"};

/* One task of a held instance; what fails has changed nothing. */
static int act_on(struct run *r, struct instance *in, struct task *t, enum engine_act act,
                  const struct principal *who, struct err *e)
{
    if (act != ENGINE_REPLAY && end_task(r, in, t, act == ENGINE_SKIP ? "skip" : "rollback", e) != 0)
        return -1;
    if (act == ENGINE_REPLAY) {
        t->output = STR_NONE;
        t->tries = 0;
        task_touch(in, t, TASK_QUEUED);
        queue_push(in, t);
    }
    op_store(r, &op_w_replayed, DB_ARGS(DB_INT(in->id), DB_TIME(in->created_us), DB_INT(t->id)));
    op_note(r, in, who,
            arena_printf(r->a, "task \"%.*s\" %s", STR_ARG(t->cell_name), act_names[act]));
    return 0;
}

/* What was begun and not stored: the lease goes back, and memory is forgotten. */
static int op_give_up(struct run *r)
{
    lease_return(r, 0);
    op_end(r);
    return -1;
}

int engine_errors_act(struct engine *en, int64_t instance_id, enum engine_act act,
                      const struct principal *who, struct err *e)
{
    struct instance *in;
    struct run *r;
    uint32_t n = 0, n_tasks;
    bool refused = false;

    if (op_begin(en, instance_id, &r, &in, e) != 0)
        return -1;
    n_tasks = in->n_tasks;
    for (uint32_t i = 0; i < n_tasks; i++) {
        struct task *t = in->tasks[i];

        if (t->status != TASK_ERROR || !is_latest(in, t))
            continue;
        refused = check_task(r, in, t, act, e) != 0;
        if (refused && e->code != ERR_CONFLICT)
            return op_give_up(r);
        if (refused)
            continue;
        if (act_on(r, in, t, act, who, e) != 0)
            return n > 0 ? op_give_up(r) : op_refuse(r);
        n++;
    }
    if (n == 0) {
        if (in->status != INSTANCE_ACTIVE)
            err_set(e, ERR_CONFLICT, "the transaction is closed");
        else if (!refused)
            err_set(e, ERR_CONFLICT, "no task is in error");
        return op_refuse(r);
    }
    return op_finish(r, true, e);
}

int engine_task_act(struct engine *en, int64_t instance_id, int64_t task_id, enum engine_act act,
                    const struct principal *who, struct err *e)
{
    struct instance *in;
    struct run *r;
    struct task *t;

    if (op_begin(en, instance_id, &r, &in, e) != 0)
        return -1;
    t = task_find(in, task_id);
    if (check_task(r, in, t, act, e) != 0 || act_on(r, in, t, act, who, e) != 0)
        return op_refuse(r);
    return op_finish(r, true, e);
}

/* ---- status --------------------------------------------------------------------------------- */

static bool is_close(struct str s)
{
    static const char *const names[] = {"CLOSED_IN_ERROR", "CLOSED_IN_ERRORS", "CLOSE_IN_ERROR",
                                        "ERROR"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_ieq(s, str_c(names[i])))
            return true;
    return false;
}

/* Whoever runs it closes it behind the node that runs; false: nobody does. */
static bool told_to_close(struct engine *en, int64_t instance_id, const struct principal *who)
{
    int64_t created_us, top = instance_id;
    struct db_conn *c = NULL;
    int64_t n = 0;
    struct err e;

    if (instance_when(en, top, &created_us, &e) != 0 ||
        instance_top_of(en, &top, &created_us, &e) != 0)
        return false;
    if (db_get(en->o.db, &c, &e) == 0 &&
        db_exec(c, &op_stmt_close,
                DB_ARGS(DB_INT(instance_id), DB_STR(name_of(who)), DB_INT(top), id_of(who)), &n, &e) != 0)
        n = 0;
    db_put(en->o.db, c);
    return n > 0;
}

/* What they waited for ended when the instance was closed: a person says how they go on. */
static void stop_waiting(struct instance *in)
{
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        struct task *t = in->tasks[i];

        if (t->status != TASK_WAIT)
            continue;
        task_touch(in, t, TASK_ERROR);
        instance_error_add(in, t, STR("closed while it waited"),
                           STR("what this task waited for ended when the transaction was closed"));
    }
}

int engine_set_status(struct engine *en, int64_t instance_id, struct str status,
                      const struct principal *who, struct err *e)
{
    bool close = is_close(status), told;
    struct instance *in;
    struct run *r;

    if (!close && !str_ieq(status, STR("ACTIVE"))) {
        err_set(e, ERR_INVALID,
                "status \"%.*s\" cannot be set: ACTIVE reopens, CLOSED_IN_ERROR closes",
                STR_ARG(str_slice(status, 0, 100)));
        return -1;
    }
    told = close && told_to_close(en, instance_id, who);
    if (op_begin(en, instance_id, &r, &in, e) != 0)
        return told && (e->code == ERR_BUSY || e->code == ERR_CONFLICT) ? 0 : -1;
    if (close && in->status == INSTANCE_ACTIVE) {
        instance_force_close(in);
        op_note(r, in, who, "closed");
    } else if (!close && in->status != INSTANCE_ACTIVE) {
        in->status = INSTANCE_ACTIVE;
        in->closed_us = 0;
        stop_waiting(in);
        in->updated_us = clock_wall_us(en->clock);
        in->dirty = true;
        op_note(r, in, who, "reopened");
    }
    /* a closed sub-instance lets its parent go on; a reopened instance waits for a replay */
    return op_finish(r, close && in != r->in, e);
}

/* ---- context and definition ----------------------------------------------------------------- */

int engine_set_context(struct engine *en, int64_t instance_id, struct str key, struct val v,
                       const struct principal *who, struct err *e)
{
    const struct ctx_entry *before;
    struct instance *in;
    struct run *r;

    if (key.len == 0) {
        err_set(e, ERR_INVALID, "\"key\" is empty");
        return -1;
    }
    if (val_is(v, VAL_STR) && str_eq_c(val_text(v), MASK_SHOWN))
        return 0;
    if (op_begin(en, instance_id, &r, &in, e) != 0)
        return -1;
    before = context_find(in, key);
    if (context_set(in, key, v, before != NULL && before->cleanup,
                    before != NULL && before->sensitive, e) != 0)
        return op_refuse(r);
    op_changed(in);
    op_note(r, in, who, arena_printf(r->a, "context key \"%.*s\" changed", STR_ARG(key)));
    return op_finish(r, false, e);
}

int engine_set_definition(struct engine *en, int64_t instance_id, struct str text,
                          const struct principal *who, struct err *e)
{
    struct workflow *wf;
    struct instance *in;
    struct run *r;

    if (wf_cache_get(en->workflows, text, &wf, e) != 0)
        return -1;
    wf_unref(wf);
    if (op_begin(en, instance_id, &r, &in, e) != 0)
        return -1;
    op_store(r, &op_w_definition, DB_ARGS(DB_INT(in->id), DB_TIME(in->created_us), DB_STR(text)));
    op_changed(in);
    op_note(r, in, who, "definition replaced");
    return op_finish(r, false, e);
}

int engine_template_context(struct engine *en, int64_t instance_id, struct val *out,
                            struct arena *a, struct err *e)
{
    const struct cfg *cfg;
    int64_t created_us;
    struct run *r;
    int rc;

    if (instance_when(en, instance_id, &created_us, e) != 0)
        return -1;
    cfg = cfg_get(en->o.cfg);
    r = run_new(en, cfg);
    cfg_put(cfg);
    rc = run_load(r, instance_id, created_us, e);
    if (rc == 0)
        *out = instance_variables(r->in, a);
    run_free(r);
    return rc;
}

/* ---- timers --------------------------------------------------------------------------------- */

static int timer_instance(struct engine *en, int64_t timer_id, int64_t *instance_id, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    if (db_get(en->o.db, &c, e) != 0 ||
        db_query(c, &op_stmt_timer, DB_ARGS(DB_INT(timer_id)), &res, e) != 0)
        goto out;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "there is no timer %lld", (long long)timer_id);
        goto out;
    }
    *instance_id = db_int(res, 0, 0);
    rc = 0;
out:
    PQclear(res);
    db_put(en->o.db, c);
    return rc;
}

static void cancel_timer(struct instance *in, struct timer_row *t, const struct principal *who)
{
    struct task *task = task_find(in, t->task_id);
    struct err why;

    t->status = TIMER_CANCEL;
    t->dirty = true;
    if (task == NULL || task->status != TASK_WAIT)
        return;
    in->n_waiting--;
    err_set(&why, ERR_CONFLICT, "timer cancelled by %.*s", STR_ARG(name_of(who)));
    task_fail(in, task, &why);
}

int engine_timer_put(struct engine *en, int64_t timer_id, int64_t at_us,
                     const struct principal *who, struct err *e)
{
    struct timer_row *t;
    int64_t instance_id;
    struct instance *in;
    struct run *r;

    if (timer_instance(en, timer_id, &instance_id, e) != 0 ||
        op_begin(en, instance_id, &r, &in, e) != 0)
        return -1;
    for (t = in->timers; t != NULL && t->id != timer_id; t = t->next)
        continue;
    if (t == NULL) { /* only pending ones are read */
        err_set(e, ERR_CONFLICT, "the timer is not pending");
        return op_refuse(r);
    }
    if (at_us > 0) {
        t->at_us = at_us;
        t->dirty = true;
    } else {
        cancel_timer(in, t, who);
    }
    op_note(r, in, who, at_us > 0 ? "timer moved" : "timer cancelled");
    return op_finish(r, at_us <= 0, e);
}

/* ---- showing -------------------------------------------------------------------------------- */

struct str engine_context_shown(struct val v, bool sensitive, struct arena *a)
{
    if (sensitive)
        return STR(MASK_SHOWN);
    if (val_is(v, VAL_STR))
        return val_text(v);
    return json_text(mask_value(v, a), a);
}
