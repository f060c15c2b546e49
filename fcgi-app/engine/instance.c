/*
 * The rows of a run: instance, tasks, errors, traces, logs, timers.
 *
 * Only keeping and finding; what they mean is in step.c.
 */
#include "engine/instance_int.h"

#include "base/limits.h"
#include "base/utf8.h"

enum { SHOWN_BYTES = 200 }; /* of an error, in lists */

const char *instance_status_name(enum instance_status s)
{
    static const char *const names[] = {"ACTIVE", "CLOSED_IN_SUCCESS", "CLOSED_IN_ERROR"};

    return names[s];
}

void instance_tick(struct instance *in)
{
    in->now_us = clock_wall_us(in->env.clock);
}

struct instance *instance_empty(struct workflow *wf, const struct instance_env *env,
                                struct arena *a, struct arena *scratch)
{
    struct instance *in = ARENA_NEW(a, struct instance);

    in->env = *env;
    if (in->env.clock == NULL)
        in->env.clock = &clock_system;
    in->a = a;
    in->scratch = in->base = scratch;
    in->wf = wf_ref(wf);
    in->kind = "request";
    in->latest = arena_alloc(a, (wf->n_cells + 1) * sizeof *in->latest);
    for (uint32_t i = 0; i < wf->n_cells; i++)
        in->latest[i] = -1;
    in->traces_tail = &in->traces;
    in->errors_tail = &in->errors;
    in->logs_tail = &in->logs;
    in->extras_tail = &in->extras;
    in->children_tail = &in->children;
    in->user = val_null();
    in->attempt = 1;
    map_init(&in->ctx_index, a);
    instance_tick(in);
    return in;
}

int instance_new(struct instance **out, struct workflow *wf, const struct instance_env *env,
                 struct arena *a, struct arena *scratch, struct err *e)
{
    struct instance *in = instance_empty(wf, env, a, scratch);
    struct task *t;

    /* guid and creation time come from one reading: a look-up by guid finds its partition */
    in->created_us = in->now_us;
    in->updated_us = in->created_us;
    ids_guid(in->created_us / 1000, in->guid);
    in->dirty = true;
    if (instance_id_next(in, IDS_INSTANCE, &in->id, e) != 0)
        goto fail;
    t = task_new(in, wf->start, wf->cells[wf->start].name, NULL);
    if (t == NULL) {
        err_set(e, ERR_DB, "could not get a task id");
        goto fail;
    }
    queue_push(in, t);
    *out = in;
    return 0;
fail:
    instance_release(in);
    return -1;
}

void instance_release(struct instance *in)
{
    if (in == NULL)
        return;
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL)
            instance_release(in->tasks[i]->sub->inst);
    wf_unref(in->wf);
    in->wf = NULL;
}

int instance_id_next(struct instance *in, int kind, int64_t *out, struct err *e)
{
    return in->env.next_id(in->env.ctx, kind, 0, out, e);
}

static bool has_errors(const struct instance *in)
{
    if (instance_errors(in) > 0)
        return true;
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct sub *sub = in->tasks[i]->sub;

        if (sub != NULL && !sub->closed && sub->inst != NULL && has_errors(sub->inst))
            return true;
    }
    return false;
}

/* Something is pending other than a sub-instance that is blocked itself. */
static bool waits_by_itself(const struct instance *in)
{
    uint32_t blocked = 0;

    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct task *t = in->tasks[i];

        if (t->status == TASK_WAIT && t->sub != NULL && !t->sub->closed && t->sub->inst != NULL &&
            instance_where(t->sub->inst) == INSTANCE_BLOCKED)
            blocked++;
    }
    return in->n_waiting > blocked;
}

enum instance_where instance_where(const struct instance *in)
{
    if (in->status != INSTANCE_ACTIVE)
        return INSTANCE_CLOSED;
    return waits_by_itself(in) || !has_errors(in) ? INSTANCE_PARKED : INSTANCE_BLOCKED;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

void task_append(struct instance *in, struct task *t)
{
    if (in->n_tasks == in->cap_tasks) {
        uint32_t cap = in->cap_tasks > 0 ? in->cap_tasks * 2 : 8;

        in->tasks = arena_grow(in->a, in->tasks, in->cap_tasks * sizeof(struct task *),
                               cap * sizeof(struct task *));
        in->cap_tasks = cap;
    }
    t->index = in->n_tasks;
    in->tasks[in->n_tasks++] = t;
    if (t->cell != WF_NO_CELL) {
        int32_t before = in->latest[t->cell];

        t->occurrence = before >= 0 ? in->tasks[before]->occurrence + 1 : 0;
        in->latest[t->cell] = (int32_t)t->index;
    }
}

/* Tasks of one cell are told apart by the order of their ids, also when processes with other blocks of
 * ids took turns. */
static int64_t id_before(const struct instance *in, int32_t cell)
{
    return cell != WF_NO_CELL && in->latest[cell] >= 0 ? in->tasks[in->latest[cell]]->id : 0;
}

struct task *task_new(struct instance *in, int32_t cell, struct str cell_name,
                      const struct task *parent)
{
    struct task *t;
    struct err e;
    int64_t id;

    if (in->full)
        return NULL;
    if (in->env.next_id(in->env.ctx, IDS_TASK, id_before(in, cell), &id, &e) != 0) {
        instance_log(in, "engine", "could not get a task id: %s", e.msg);
        return NULL;
    }
    t = ARENA_NEW(in->a, struct task);
    t->id = id;
    t->cell = cell;
    t->cell_name = cell_name;
    t->created_us = in->now_us;
    t->updated_us = t->created_us;
    t->dirty = true;
    task_append(in, t);
    if (parent != NULL)
        gate_follow(in, t, parent);
    if (in->n_tasks > LIMIT_TASKS) {
        struct str why =
            str_printf(in->a, "too many tasks: an instance runs at most %d", LIMIT_TASKS);

        in->full = true;
        t->status = TASK_ERROR;
        instance_error_add(in, t, STR("too many tasks"), why);
        instance_blocked(in, why);
        return NULL;
    }
    return t;
}

struct task *task_find(const struct instance *in, int64_t id)
{
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->id == id)
            return in->tasks[i];
    return NULL;
}

void task_touch(struct instance *in, struct task *t, enum task_status s)
{
    t->status = s;
    t->waits_signal = t->waits_signal && s == TASK_WAIT;
    t->dirty = true;
    t->updated_us = in->now_us;
}

uint32_t instance_errors(const struct instance *in)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < in->wf->n_cells; i++)
        n += in->latest[i] >= 0 && in->tasks[in->latest[i]]->status == TASK_ERROR;
    return n;
}

bool instance_end_failed(const struct instance *in)
{
    for (uint32_t i = 0; i < in->wf->n_cells; i++)
        if (in->wf->cells[i].role == ROLE_END && in->latest[i] >= 0 &&
            in->tasks[in->latest[i]]->status == TASK_ERROR)
            return true;
    return false;
}

/* ---- what is told about them ---------------------------------------------------------------- */

static struct str beginning(struct str s)
{
    s = str_slice(s, 0, SHOWN_BYTES);
    return str_slice(s, 0, utf8_check(s)); /* no half character at the end */
}

void instance_error_add(struct instance *in, const struct task *t, struct str shown,
                        struct str description)
{
    struct error_row *row = ARENA_NEW(in->a, struct error_row);
    struct err e;

    if (instance_id_next(in, IDS_ERROR, &row->id, &e) != 0) {
        instance_log(in, "engine", "could not get an error id: %s", e.msg);
        return;
    }
    row->task_id = t->id;
    row->cell = t->cell_name;
    row->output = str_dup(in->a, beginning(instance_hide(in, shown, in->scratch)));
    row->description = str_dup(in->a, instance_hide(in, description, in->scratch));
    row->created_us = in->now_us;
    *in->errors_tail = row;
    in->errors_tail = &row->next;
}

void instance_log(struct instance *in, const char *source, const char *fmt, ...)
{
    struct log_row *row = ARENA_NEW(in->a, struct log_row);
    va_list ap;

    va_start(ap, fmt);
    row->message = instance_hide(in, str_c(arena_vprintf(in->a, fmt, ap)), in->a);
    va_end(ap);
    row->source = str_dup(in->a, str_c(source));
    row->created_us = in->now_us;
    *in->logs_tail = row;
    in->logs_tail = &row->next;
}

/* Up to a NUL, which no column holds: peers may send one.  Without the secrets of the run. */
static struct str keep(struct instance *in, struct str s)
{
    ptrdiff_t nul = str_find_char(s, '\0');

    if (nul >= 0)
        s = str_slice(s, 0, (size_t)nul);
    return s.p != NULL ? str_dup(in->a, instance_hide(in, s, in->scratch)) : STR_NONE;
}

void instance_trace_add(struct instance *in, const struct task *t, const struct node_trace *tr)
{
    struct trace_row *row = ARENA_NEW(in->a, struct trace_row);
    struct err e;

    if (instance_id_next(in, IDS_TRACE, &row->id, &e) != 0) {
        instance_log(in, "engine", "could not get a trace id: %s", e.msg);
        return;
    }
    row->task_id = t->id;
    row->label = t->cell_name;
    row->t = *tr;
    row->t.input = keep(in, tr->input);
    row->t.output = keep(in, tr->output);
    row->t.external_id = keep(in, tr->external_id);
    row->t.session_holder = keep(in, tr->session_holder);
    row->t.host = keep(in, tr->host);
    row->t.method = keep(in, tr->method);
    row->t.url = keep(in, tr->url);
    *in->traces_tail = row;
    in->traces_tail = &row->next;
}

void instance_timers_cancel(struct instance *in, const struct task *t)
{
    for (struct timer_row *row = in->timers; row != NULL; row = row->next)
        if (row->task_id == t->id && row->status == TIMER_WAIT) {
            row->status = TIMER_CANCEL;
            row->dirty = true;
        }
}

bool timer_is_slept(const struct timer_row *row)
{
    return str_eq_c(row->type, TIMER_SLEPT);
}

bool instance_sleeps(const struct instance *in)
{
    for (const struct timer_row *row = in->timers; row != NULL; row = row->next)
        if (row->status == TIMER_WAIT && timer_is_slept(row))
            return true;
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct sub *sub = in->tasks[i]->sub;

        if (sub != NULL && !sub->closed && sub->inst != NULL && instance_sleeps(sub->inst))
            return true;
    }
    return false;
}

struct timer_row *instance_timer_add(struct instance *in, const struct task *t)
{
    struct timer_row *row = ARENA_NEW(in->a, struct timer_row);
    struct err e;

    if (instance_id_next(in, IDS_TIMER, &row->id, &e) != 0) {
        instance_log(in, "engine", "could not get a timer id: %s", e.msg);
        return NULL;
    }
    row->task_id = t->id;
    row->name = t->cell_name;
    row->created_us = in->now_us;
    row->dirty = true;
    row->next = in->timers;
    in->timers = row;
    return row;
}
