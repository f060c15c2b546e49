/*
 * Signals: leaving one, and giving those of a loaded instance to whom they are for.
 *
 * A signal that nobody can take yet stays in its row; each reader of the instance looks at it again.
 *
 * Rules: engine/signal.h.
 */
#include "engine/signal.h"

#include "base/json.h"
#include "base/limits.h"
#include "engine/engine_int.h"
#include "engine/manual_int.h"

const struct db_stmt signal_stmt = {"signal", "SELECT signal_instance($1, $2, $3, $4::json)", 4};

/* Behind signal_instance(), which has locked the job as a closing does: what is open now stays so
 * until the caller has committed. */
const struct db_stmt signal_stmt_open = {
    "signal_open",
    "SELECT NOT EXISTS (SELECT FROM instances WHERE id = $1 AND created_on >= id_from('instance', "
    "$1) AND created_on < id_to('instance', $1) AND status <> 'ACTIVE') AND NOT EXISTS (SELECT FROM "
    "instance_holder($1) h JOIN instances i ON i.id = h.id AND i.created_on = h.created_on WHERE "
    "i.status <> 'ACTIVE')",
    1};

int engine_signal(struct db_conn *c, int64_t instance_id, int64_t task_id, const char *kind,
                  struct str payload, struct err *e)
{
    struct arena *a = arena_new(0);
    PGresult *res = NULL;
    int rc = -1;

    if (payload.len > LIMIT_CONTEXT_VALUE) {
        err_set(e, ERR_LIMIT, "what a signal brings is larger than %zu bytes",
                (size_t)LIMIT_CONTEXT_VALUE);
        goto out;
    }
    if (db_query_in(c, &signal_stmt,
                    DB_ARGS(DB_INT(instance_id), DB_INT(task_id), DB_C(kind),
                            payload.len > 0 ? DB_STR(payload) : DB_NULL),
                    &res, a, e) != 0)
        goto out;
    if (!db_bool(res, 0, 0)) {
        err_set(e, ERR_NOT_FOUND, "there is no transaction %lld", (long long)instance_id);
        goto out;
    }
    if (db_query_in(c, &signal_stmt_open, DB_ARGS(DB_INT(instance_id)), &res, a, e) != 0)
        goto out;
    if (!db_bool(res, 0, 0)) {
        err_set(e, ERR_CONFLICT, "the transaction is closed");
        goto out;
    }
    rc = 0;
out:
    arena_free(a);
    return rc;
}

/* ---- giving --------------------------------------------------------------------------------- */

static struct signal_row **place_of(struct instance *top, int64_t id)
{
    struct signal_row **at = &top->signals;

    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

/* Those known already are passed over: ids are not given in the order in which they are committed. */
int signals_read(struct instance *top, struct str json, struct err *e)
{
    struct val rows;

    if (json.len == 0)
        return 0;
    if (json_parse_kept(json, &rows, top->a, e) != 0) {
        err_context(e, "signals of instance %lld", (long long)top->id);
        return -1;
    }
    for (size_t i = 0; i < val_count(rows); i++) {
        struct val row = val_at(rows, i);
        int64_t id = val_at(row, 0).u.i;
        struct signal_row **at = place_of(top, id), *s;

        if (*at != NULL)
            continue;
        s = *at = ARENA_NEW(top->a, struct signal_row);
        s->id = id;
        s->target_id = val_at(row, 1).u.i;
        s->task_id = val_at(row, 2).u.i;
        s->kind = val_text(val_at(row, 3));
        s->payload = val_at(row, 4);
    }
    return 0;
}

static void to_instance(struct instance *in, const struct signal_row *s)
{
    if (str_eq_c(s->kind, "entity")) {
        instance_entity_event(in, s->payload);
    } else if (str_eq_c(s->kind, "close")) {
        if (val_is(s->payload, VAL_STR))
            instance_log(in, "operator", "closed by %.*s", STR_ARG(val_text(s->payload)));
        else
            instance_log(in, "engine", "closed by its parent");
        instance_force_close(in);
    } else if (str_eq_c(s->kind, "blocked")) {
        instance_blocked(in, str_dup(in->a, val_text(s->payload)));
    } else {
        instance_log(in, "engine", "signal \"%.*s\" is for nobody", STR_ARG(s->kind));
    }
}

/* Nobody works on it: said so where its sender looks. */
static void unused(struct instance *top, const struct signal_row *s)
{
    struct node_run r = {.inst = top};
    int64_t action_id = val_get_int(s->payload, "action_id", 0);

    if (str_eq_c(s->kind, "entity"))
        instance_entity_unused(top, s->payload);
    else if (str_eq_c(s->kind, "answer") && action_id != 0)
        node_store(&r, &manual_w_unused, DB_ARGS(DB_INT(action_id)));
}

static bool give(struct instance *top, struct signal_row *s)
{
    struct instance *in = instance_in_tree(top, s->target_id);
    struct task *t;

    s->taken = true;
    if (in == NULL || in->status != INSTANCE_ACTIVE) {
        instance_log(top, "engine", "signal \"%.*s\" came after the closing", STR_ARG(s->kind));
        unused(top, s);
        return false;
    }
    instance_tick(in);
    if (s->task_id == 0) {
        to_instance(in, s);
        return true;
    }
    t = task_find(in, s->task_id);
    if (t != NULL && t->woken && t->signal_id == s->id) {
        s->taken = false; /* its own, until it is through */
        return false;
    }
    if (t == NULL || t->status == TASK_OK || (t->status == TASK_ERROR && !t->woken)) {
        instance_log(in, "engine", "signal \"%.*s\" for \"%.*s\" came too late", STR_ARG(s->kind),
                     STR_ARG(t != NULL ? t->cell_name : STR("")));
        unused(top, s);
        return false;
    }
    s->taken = false;
    if (t->status != TASK_WAIT || !t->waits_signal)
        return false;
    s->given = true;
    t->signal_id = s->id;
    task_wake(in, t);
    return true;
}

bool signals_close(const struct instance *top)
{
    for (const struct signal_row *s = top->signals; s != NULL; s = s->next)
        if (!s->given && !s->taken && str_eq_c(s->kind, "close"))
            return true;
    return false;
}

bool signals_deliver(struct instance *top)
{
    bool any = false;

    for (struct signal_row *s = top->signals; s != NULL; s = s->next)
        if (!s->given && !s->taken)
            any = give(top, s) || any;
    return any;
}

static struct signal_row *find(struct instance *in, int64_t id)
{
    return *place_of(instance_top(in), id);
}

void signal_done(struct instance *in, struct task *t)
{
    struct signal_row *s = t->signal_id != 0 ? find(in, t->signal_id) : NULL;

    t->signal_id = 0;
    if (s != NULL)
        s->taken = true;
}

void signal_unused(struct instance *in, const struct task *t)
{
    struct signal_row *s = t->signal_id != 0 ? find(in, t->signal_id) : NULL;

    if (s != NULL)
        unused(instance_top(in), s);
}

void signals_drop(struct instance *top)
{
    for (struct signal_row *s = top->signals; s != NULL; s = s->next) {
        if (!s->taken)
            unused(top, s);
        s->taken = true;
    }
}

void signals_forget(struct instance *top)
{
    struct signal_row **at = &top->signals;

    while (*at != NULL)
        if ((*at)->taken)
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

/* ---- the node's side ------------------------------------------------------------------------ */

enum node_rc node_wait_signal(struct node_run *r, int64_t until_us)
{
    struct timer_row *row = r->inst->timers;

    r->task->waits_signal = true;
    r->task->wait_output = STR("ok");
    if (until_us == 0)
        return NODE_WAIT;
    while (row != NULL && (row->task_id != r->task->id || row->status != TIMER_WAIT))
        row = row->next;
    if (row == NULL)
        return node_wait_until(r, until_us, "wait", STR_NONE, "ok");
    row->at_us = until_us;
    row->dirty = true;
    return NODE_WAIT;
}

bool node_signalled(const struct node_run *r, struct str *kind, struct val *payload)
{
    const struct signal_row *s =
        r->task->signal_id != 0 ? find(r->inst, r->task->signal_id) : NULL;

    if (s == NULL)
        return false;
    *kind = s->kind;
    *payload = s->payload;
    return true;
}
