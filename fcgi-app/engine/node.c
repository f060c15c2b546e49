/*
 * What a running node is offered: leaving, waiting, reading and telling.  Writing to the context:
 * context.c.
 */
#include "db/db.h"
#include "engine/instance_int.h"

void node_blocks(struct node_run *r)
{
    struct instance *in = r->inst;
    struct team *team = instance_top(in)->team;

    if (team == NULL)
        return;
    r->away = (struct node_away){in->undo, in->n_undo, in->cap_undo};
    in->undo = NULL;
    in->n_undo = in->cap_undo = 0;
    if (team_shared(team))
        in->scratch = instance_spare(in);
    team_leave(team);
}

void node_goes_on(struct node_run *r)
{
    struct instance *in = r->inst;
    struct team *team = instance_top(in)->team;

    if (team == NULL)
        return;
    team_enter(team);
    in->scratch = r->a;
    in->undo = r->away.undo;
    in->n_undo = r->away.n_undo;
    in->cap_undo = r->away.cap_undo;
}

bool node_storable(struct str s)
{
    return s.len == 0 || memchr(s.p, '\0', s.len) == NULL;
}

enum node_rc node_fire_str(struct node_run *r, struct str output)
{
    r->task->output = str_dup(r->inst->a, output);
    return NODE_OK;
}

enum node_rc node_fire(struct node_run *r, const char *output)
{
    r->task->output = str_c(output);
    return NODE_OK;
}

bool node_linked(const struct node_run *r, struct str output)
{
    const struct wf_out *o = wf_out_find(&r->inst->wf->cells[r->task->cell], output);

    return o != NULL && o->n_edges > 0;
}

int node_text_render(struct node_run *r, const struct node_text *t, struct str *out, struct err *e)
{
    struct tmpl_run run = instance_tmpl_run(r->inst);

    return node_text_run(t, &run, out, r->a, e);
}

int node_expr_true(struct node_run *r, const struct node_expr *x, bool *out, struct err *e)
{
    struct tmpl_run run = instance_tmpl_run(r->inst);

    return node_expr_run(x, &run, out, r->a, e);
}

void node_trace(struct node_run *r, const struct node_trace *t)
{
    instance_trace_add(r->inst, r->task, t);
}

void node_log(struct node_run *r, const char *fmt, ...)
{
    va_list ap;
    const char *text;

    va_start(ap, fmt);
    text = arena_vprintf(r->a, fmt, ap);
    va_end(ap);
    instance_log(r->inst, str_cstr(r->a, r->cell), "%s", text);
}

enum node_rc node_wait_until(struct node_run *r, int64_t at_us, const char *type, struct str key,
                             const char *output)
{
    struct timer_row *row = instance_timer_add(r->inst, r->task);

    if (row != NULL) {
        row->type = str_c(type);
        row->key = key.len > 0 && node_storable(key) ? str_dup(r->inst->a, key) : STR_NONE;
        row->output = str_c(output);
        row->at_us = at_us;
    }
    r->task->wait_output = str_c(output);
    return NODE_WAIT;
}

enum node_rc node_sleep_until(struct node_run *r, int64_t at_us, struct str key)
{
    return node_wait_until(r, at_us, TIMER_SLEPT, key, "ok");
}

void node_store(struct node_run *r, const struct writer_stmt *s, const struct db_arg *args,
                size_t n)
{
    struct instance *in = r->inst;
    struct extra_row *row = ARENA_NEW(in->a, struct extra_row);
    struct db_arg *copy = arena_dup(in->a, args, n * sizeof *args);

    for (size_t i = 0; i < n; i++)
        if (copy[i].s.p != NULL)
            copy[i].s = str_dup(in->a, copy[i].s);
    row->stmt = s;
    row->args = copy;
    row->n = n;
    *in->extras_tail = row;
    in->extras_tail = &row->next;
}

int64_t node_instance_id(const struct node_run *r)
{
    return r->inst->id;
}

int64_t node_instance_on_us(const struct node_run *r)
{
    return r->inst->created_us;
}

struct str node_instance_guid(const struct node_run *r)
{
    return str_c(r->inst->guid);
}

int64_t node_task_id(const struct node_run *r)
{
    return r->task->id;
}

size_t node_timers_stop(struct node_run *r, struct str cell, struct str key, const char *output)
{
    struct instance *in = r->inst;
    size_t n = 0;

    for (struct timer_row *row = in->timers; row != NULL; row = row->next) {
        struct task *t;

        if (row->status != TIMER_WAIT || timer_is_slept(row) || (cell.len > 0 && !str_eq(row->name, cell)) ||
            (key.len > 0 && !str_eq(row->key, key)))
            continue;
        n++;
        row->status = TIMER_CANCEL;
        row->dirty = true;
        t = task_find(in, row->task_id);
        if (t == NULL || t->status != TASK_WAIT)
            continue;
        in->n_waiting--;
        t->output = str_c(output);
        task_touch(in, t, TASK_OK);
    }
    return n;
}

void node_request_status(struct node_run *r, struct str status)
{
    /* a sub-instance shows it too */
    for (struct instance *in = r->inst; in != NULL; in = in->parent) {
        in->request_status = str_dup(in->a, status);
        in->dirty = true;
    }
}

int node_task_status(struct node_run *r, struct str cell, bool error, struct str message,
                     struct err *e)
{
    const struct wf_cell *c = wf_cell_find(r->inst->wf, cell);
    int32_t at = c != NULL ? r->inst->latest[c - r->inst->wf->cells] : -1;
    struct task *t;

    if (at < 0) {
        err_set(e, ERR_NOT_FOUND, "cell \"%.*s\" has no task", STR_ARG(cell));
        return -1;
    }
    t = r->inst->tasks[at];
    if (t->status == TASK_WAIT) {
        if (c->role == ROLE_JOIN)
            r->inst->n_joins--;
        else
            r->inst->n_waiting--;
    }
    if (t->status == TASK_QUEUED)
        queue_remove(r->inst, t);
    signal_done(r->inst, t);
    t->woken = false;
    task_touch(r->inst, t, error ? TASK_ERROR : TASK_OK);
    if (error) {
        instance_error_add(r->inst, t, message, message);
        instance_blocked(r->inst,
                         str_printf(r->inst->a, "%.*s: %.*s", STR_ARG(cell), STR_ARG(message)));
    }
    return 0;
}

struct val node_user(const struct node_run *r)
{
    return r->inst->user;
}

const struct cfg *node_cfg(const struct node_run *r)
{
    return r->inst->env.cfg;
}

struct gw_http *node_http(const struct node_run *r)
{
    return r->inst->env.http;
}

/* The same in every process, which str_hash() is not: FNV-1a. */
static uint64_t lasting_hash(struct str s)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3U;
    return h;
}

/* By cell and turn, not by row id: a stretch repeated after a crash gives its tasks new rows. */
struct str node_idempotency_key(const struct node_run *r)
{
    return str_printf(r->a, "%s-%016llx-%d", r->inst->guid,
                      (unsigned long long)lasting_hash(r->cell), r->task->occurrence);
}
