/*
 * The scheduler of one instance: which task runs next, and what an output, a failure or an end
 * brings about.
 *
 * Rules: workflow-engine.md 2.9 (outputs), 4.3 to 4.5, 3.45 (goto).
 */
#include "engine/instance_int.h"

#include <stdatomic.h>

#include "base/fault.h"
#include "base/limits.h"

/* A stretch on a loop thread must not keep other requests waiting. */
enum { LOOP_TASKS = 200, LOOP_MS = 15 };

static void arrive(struct instance *in, int32_t cell, uint32_t edge, struct task *from);

/* ---- queue ---------------------------------------------------------------------------------- */

void queue_push(struct instance *in, struct task *t)
{
    if (t->cell != WF_NO_CELL && in->wf->cells[t->cell].role == ROLE_END) {
        if (in->n_ends == in->cap_ends) {
            uint32_t cap = in->cap_ends > 0 ? in->cap_ends * 2 : 4;

            in->ends = arena_grow(in->a, in->ends, in->cap_ends * sizeof *in->ends,
                                  cap * sizeof *in->ends);
            in->cap_ends = cap;
        }
        in->ends[in->n_ends++] = t->index;
        return;
    }
    if (in->q_tail == in->q_cap) {
        uint32_t cap = in->q_cap > 0 ? in->q_cap * 2 : 8;

        in->queue =
            arena_grow(in->a, in->queue, in->q_cap * sizeof *in->queue, cap * sizeof *in->queue);
        in->q_cap = cap;
    }
    in->queue[in->q_tail++] = t->index;
}

static uint32_t list_remove(uint32_t *list, uint32_t from, uint32_t to, uint32_t index)
{
    uint32_t left = from;

    for (uint32_t i = from; i < to; i++)
        if (list[i] != index)
            list[left++] = list[i];
    return left;
}

void queue_remove(struct instance *in, const struct task *t)
{
    in->q_tail = list_remove(in->queue, in->q_head, in->q_tail, t->index);
    in->n_ends = list_remove(in->ends, 0, in->n_ends, t->index);
}

static struct task *queue_pop(struct instance *in)
{
    struct task *t = in->tasks[in->queue[in->q_head++]];

    if (in->q_head == in->q_tail)
        in->q_head = in->q_tail = 0;
    return t;
}

/* ---- arriving ------------------------------------------------------------------------------ */

/* An error anywhere below counts for the top instance; those of an error handler do not. */
void instance_blocked(struct instance *in, struct str text)
{
    for (; in != NULL && strcmp(in->kind, "error_handler") != 0; in = in->parent) {
        in->last_error = text;
        in->new_errors++;
        in->n_errors++;
    }
}

static void goto_failed(struct instance *in, int32_t cell, struct str why, struct task *from)
{
    struct task *t = task_new(in, cell, in->wf->cells[cell].name, from);

    if (t == NULL)
        return;
    t->status = TASK_ERROR;
    instance_error_add(in, t, why, why);
    instance_blocked(in, str_printf(in->a, "%.*s: %.*s", STR_ARG(t->cell_name), STR_ARG(why)));
}

/* A goto is no task: the jump counts as an edge into its target. */
static void arrive_goto(struct instance *in, int32_t cell, struct task *from)
{
    for (int jumps = 0; jumps < LIMIT_GOTO; jumps++) {
        const struct wf_cell *c = &in->wf->cells[cell];

        if (c->goto_target == WF_NO_CELL) {
            goto_failed(
                in, cell,
                str_printf(in->a, "goto %.*s: unknown task",
                           STR_ARG(*(const struct str *)(const void *)((const char *)c->image +
                                                                       c->type->params[0].offset))),
                from);
            return;
        }
        if (in->wf->cells[c->goto_target].role != ROLE_GOTO) {
            arrive(in, c->goto_target, c->goto_edge, from);
            return;
        }
        cell = c->goto_target;
    }
    goto_failed(in, cell, STR("too many gotos in a row"), from);
}

static void arrive(struct instance *in, int32_t cell, uint32_t edge, struct task *from)
{
    const struct wf_cell *c = &in->wf->cells[cell];
    struct task *t;

    switch (c->role) {
    case ROLE_GOTO:
        arrive_goto(in, cell, from);
        return;
    case ROLE_OR:
        gate_or(in, cell, from);
        return;
    case ROLE_JOIN:
        gate_join(in, cell, edge, from);
        return;
    case ROLE_NOTE:
    case ROLE_ENTITY: /* documentation only: the branch ends there */
    case ROLE_START:
        return;
    case ROLE_END:
    case ROLE_WORK:
        break;
    }
    t = task_new(in, cell, c->name, from);
    if (t != NULL)
        queue_push(in, t);
}

/* ---- how a task ends ------------------------------------------------------------------------ */

void task_fire(struct instance *in, struct task *t, struct str output)
{
    const struct wf_cell *c = t->cell != WF_NO_CELL ? &in->wf->cells[t->cell] : NULL;
    const struct wf_out *o = c != NULL ? wf_out_find(c, output) : NULL;

    t->output = o != NULL ? o->name : str_dup(in->a, output);
    task_touch(in, t, TASK_OK);
    for (uint32_t i = 0; o != NULL && i < o->n_edges; i++)
        arrive(in, in->wf->edges[o->edges[i]].to, o->edges[i], t);
}

void task_fail(struct instance *in, struct task *t, const struct err *e)
{
    const struct wf_out *o =
        t->cell != WF_NO_CELL ? wf_out_find(&in->wf->cells[t->cell], STR("error")) : NULL;
    struct str text = str_c(e->msg);
    struct str first = text;

    first = str_cut(&first, '\n');
    if (e->line > 0)
        text = e->column > 0
                   ? str_printf(in->a, "%s (line %d, column %d)", e->msg, e->line, e->column)
                   : str_printf(in->a, "%s (line %d)", e->msg, e->line);
    instance_error_add(in, t, first, text);
    if (o != NULL && o->n_edges > 0) {
        task_fire(in, t, o->name);
        return;
    }
    task_touch(in, t, TASK_ERROR);
    instance_blocked(in, str_printf(in->a, "%.*s: %s", STR_ARG(t->cell_name), e->msg));
}

/* ---- closing -------------------------------------------------------------------------------- */

/* Pending things end: timers, other ends, sub-instances.  Not yet the status. */
static void instance_cancel_pending(struct instance *in)
{
    for (struct timer_row *t = in->timers; t != NULL; t = t->next)
        if (t->status == TIMER_WAIT) {
            t->status = TIMER_CANCEL;
            t->dirty = true;
        }
    for (uint32_t i = 0; i < in->n_ends; i++) {
        struct task *t = in->tasks[in->ends[i]];

        if (t->status == TASK_QUEUED) {
            t->output = STR("ok");
            task_touch(in, t, TASK_OK);
        }
    }
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct sub *sub = in->tasks[i]->sub;

        if (sub != NULL && !sub->closed)
            sub_close(in, in->tasks[i]);
    }
    in->n_ends = 0;
    in->q_head = in->q_tail = 0;
    in->n_waiting = 0;
}

/* Where a person goes on who opens it again. */
static void stop_queued(struct instance *in)
{
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        struct task *t = in->tasks[i];

        if (t->status != TASK_QUEUED)
            continue;
        task_touch(in, t, TASK_ERROR);
        instance_error_add(in, t, STR("closed before it ran"),
                           STR("the transaction was closed before this task ran"));
    }
}

void instance_force_close(struct instance *in)
{
    if (in->status != INSTANCE_ACTIVE)
        return;
    instance_cancel_pending(in);
    stop_queued(in);
    in->status = INSTANCE_ERROR;
    in->closed_us = in->updated_us = in->now_us;
    in->request_status = STR_NONE;
    in->dirty = true;
}

static void instance_close(struct instance *in, enum instance_status s)
{
    in->sync_response = context_value(in, STR("*sync_response*"));
    in->response = context_value(in, STR("*response*"));
    in->doc_response = context_value(in, STR("*doc_response*"));
    in->cb_response = context_value(in, STR("*cb_response*"));
    in->status = s;
    in->closed_us = in->now_us;
    in->updated_us = in->closed_us;
    in->dirty = true;
    context_clean(in);
}

static void run_end(struct instance *in, struct task *t)
{
    t->output = STR("ok");
    task_touch(in, t, TASK_OK);
    in->end_name = t->cell_name;
    instance_cancel_pending(in);
    instance_close(in, instance_errors(in) > 0 ? INSTANCE_ERROR : INSTANCE_SUCCESS);
}

/* The edges a join misses; *may_come: an entity may still bring each of them. */
static struct str missing_edges(struct instance *in, const struct task *t, bool *may_come)
{
    const struct wf_cell *c = &in->wf->cells[t->cell];
    struct buf b;

    buf_init(&b, 4 * KIB, in->a);
    *may_come = true;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const struct wf_edge *edge = &in->wf->edges[c->in[i]];
        bool there = false;

        for (uint32_t k = 0; k < t->n_arrived; k++)
            there = there || t->arrived[k] == c->in[i];
        if (there)
            continue;
        *may_come = *may_come && in->wf->cells[edge->from].by_entity;
        buf_add_c(&b, b.len > 0 ? ", " : "");
        buf_add_str(&b, edge->label);
    }
    return buf_str(&b);
}

static void fail_joins(struct instance *in)
{
    for (uint32_t i = 0; i < in->n_tasks && in->n_joins > 0; i++) {
        struct task *t = in->tasks[i];
        struct str missing;
        bool may_come;
        struct err e;

        if (t->status != TASK_WAIT || t->cell == WF_NO_CELL ||
            in->wf->cells[t->cell].role != ROLE_JOIN)
            continue;
        missing = missing_edges(in, t, &may_come);
        if (may_come)
            continue;
        in->n_joins--;
        err_set(&e, ERR_INVALID, "join never completed, missing: %.*s", STR_ARG(missing));
        task_fail(in, t, &e);
    }
}

/* Nothing is runnable and no end was reached. */
static void settle(struct instance *in)
{
    if (in->n_waiting > 0 || in->status != INSTANCE_ACTIVE)
        return;
    if (in->n_joins > 0) {
        fail_joins(in);
        return;
    }
    if (instance_errors(in) > 0 || in->wf->entity_linked)
        return;
    instance_log(in, "engine", "finished without an end node");
    instance_cancel_pending(in);
    instance_close(in, INSTANCE_SUCCESS);
}

/* ---- running a task ------------------------------------------------------------------------- */

static int prepare(struct instance *in, const struct wf_cell *c, struct node_run *r, struct err *e)
{
    struct tmpl_run run;
    void *cfg = c->image;

    if (c->flaw != NULL) {
        *e = *c->flaw;
        return -1;
    }
    if (c->n_dyn > 0 && !(r->woken && (c->type->flags & NODE_REMEMBERS) != 0)) {
        run = instance_tmpl_run(in);
        cfg = arena_dup(in->scratch, c->image, c->type->cfg_size);
        for (uint32_t i = 0; i < c->n_dyn; i++)
            if (param_render(&c->dyn[i], &run, in->env.clock, cfg, in->scratch, e) != 0)
                return -1;
    }
    r->cfg = cfg;
    return 0;
}

static void run_node(struct instance *in, struct task *t, bool woken, unsigned flags)
{
    const struct wf_cell *c = &in->wf->cells[t->cell];
    struct node_run r = {
        .a = in->scratch,
        .cell = t->cell_name,
        .now_us = t->updated_us,
        .attempt = in->attempt,
        .sync = (flags & INSTANCE_SYNC) != 0,
        .woken = woken,
        .tries = t->tries,
        .inst = in,
        .task = t,
    };
    enum node_rc rc = NODE_FAIL;
    struct err e;

    err_clear(&e);
    in->n_undo = 0;
    FAULT_DIE("node", t->cell_name);
    if (prepare(in, c, &r, &e) == 0)
        rc = woken ? c->type->wake(&r, &e) : c->type->run(&r, &e);
    instance_tick(in);
    switch (rc) {
    case NODE_OK:
        task_fire(in, t, t->output);
        break;
    case NODE_WAIT:
        task_touch(in, t, TASK_WAIT);
        t->tries++;
        in->n_waiting++;
        break;
    case NODE_FAIL:
        task_fail(in, t, &e);
        break;
    }
}

/* What it woke up by is over; a timer it did not wait for to the end too. */
static void wake_done(struct instance *in, struct task *t)
{
    signal_done(in, t);
    t->woken = false;
    if (t->status != TASK_WAIT)
        instance_timers_cancel(in, t);
}

/* ---- several tasks at a time (team.h) ------------------------------------------------------- */

static void free_arena(void *a)
{
    arena_free(a);
}

struct arena *instance_spare(struct instance *in)
{
    if (in->spare == NULL) {
        in->spare = arena_new(0);
        arena_defer(in->a, free_arena, in->spare);
    }
    return in->spare;
}

/* A scratch arena of its own for each task being executed. */
static struct arena *scratch_take(struct instance *in)
{
    in->scratch = in->base_used ? arena_new(0) : in->base;
    in->base_used = true;
    for (struct instance *up = in; up != NULL; up = up->parent)
        up->n_running++;
    return in->scratch;
}

static void scratch_give(struct instance *in, struct arena *mine)
{
    for (struct instance *up = in; up != NULL; up = up->parent)
        up->n_running--;
    if (mine == in->base) {
        arena_reset(mine);
        in->base_used = false;
    } else {
        arena_free(mine);
    }
    in->scratch = in->base_used ? instance_spare(in) : in->base;
}

static bool work_waits(const struct instance *in)
{
    if (in->status == INSTANCE_ACTIVE && in->q_head < in->q_tail)
        return true;
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct sub *sub = in->tasks[i]->sub;

        if (sub != NULL && !sub->closed && sub->inst != NULL && work_waits(sub->inst))
            return true;
    }
    return false;
}

/* The next task may wait for the outside: somebody else goes on with what else there is. */
static void call_help(struct instance *in, const struct wf_cell *c, unsigned flags)
{
    struct instance *top = instance_top(in);

    if (top->team != NULL && c != NULL && c->type != NULL &&
        (c->type->flags & NODE_BLOCKING) != 0 && work_waits(top))
        team_call(top->team, flags & ~(unsigned)INSTANCE_HELPS);
}

static void run_task(struct instance *in, struct task *t, unsigned flags)
{
    struct arena *mine = scratch_take(in);
    const struct wf_cell *c = t->cell != WF_NO_CELL ? &in->wf->cells[t->cell] : NULL;
    int64_t start_us = in->now_us;
    bool woken = t->woken;
    struct err e;

    task_touch(in, t, TASK_RUN);
    if (c == NULL) {
        err_set(&e, ERR_INVALID, "the definition has no cell \"%.*s\" any more",
                STR_ARG(t->cell_name));
        task_fail(in, t, &e);
    } else if (c->role == ROLE_END) {
        run_end(in, t);
    } else if (c->role == ROLE_WORK && (c->type == NULL || c->type->run == NULL)) {
        err_set(&e, ERR_INVALID, "unknown node type \"%.*s\"", STR_ARG(c->type_name));
        task_fail(in, t, &e);
    } else if (c->role == ROLE_WORK) {
        run_node(in, t, woken, flags);
    } else if (c->role == ROLE_GOTO) {
        /* only as a replay of one that had no target */
        t->output = STR("ok");
        task_touch(in, t, TASK_OK);
        arrive_goto(in, t->cell, t);
    } else {
        task_fire(in, t, STR("ok"));
    }
    if (in->now_us > start_us) /* the wall clock may be set back */
        t->spent_us += in->now_us - start_us;
    if (woken)
        wake_done(in, t);
    scratch_give(in, mine);
}

void task_wake(struct instance *in, struct task *t)
{
    const struct wf_cell *c = t->cell != WF_NO_CELL ? &in->wf->cells[t->cell] : NULL;

    if (t->status != TASK_WAIT)
        return;
    instance_tick(in);
    in->n_waiting--;
    if (c != NULL && c->type != NULL && c->type->wake != NULL) {
        t->woken = true;
        task_touch(in, t, TASK_QUEUED);
        queue_push(in, t);
    } else {
        task_fire(in, t, t->wait_output);
        signal_done(in, t);
        instance_timers_cancel(in, t);
    }
}

/* An end waits for the branches that go on by themselves, asleep for a moment or not. */
static const struct task *next_task(const struct instance *in)
{
    if (in->q_head < in->q_tail)
        return in->tasks[in->queue[in->q_head]];
    return in->n_ends > 0 && !instance_sleeps(in) ? in->tasks[in->ends[0]] : NULL;
}

bool instance_runnable(const struct instance *in)
{
    return in->status == INSTANCE_ACTIVE && next_task(in) != NULL;
}

/* Whether each effect is stored before going on. */
static bool stores(struct instance *in, unsigned flags)
{
    return (flags & INSTANCE_STEPS) != 0 ||
           ((flags & INSTANCE_SYNC) != 0 && atomic_load(&instance_top(in)->detached));
}

/* Whether the outside may hear of a task of that cell. */
static bool has_effect(const struct wf_cell *c)
{
    return c != NULL && c->role == ROLE_WORK && c->type != NULL &&
           (c->type->flags & NODE_PURE) == 0;
}

static bool over(struct instance *in)
{
    const struct team *team = instance_top(in)->team;

    return team != NULL && team_over(team);
}

static bool halted(struct instance *in)
{
    const struct team *team = instance_top(in)->team;

    return team != NULL && team_halted(team);
}

enum instance_stop instance_run(struct instance *in, unsigned flags)
{
    int64_t until_us;
    int n = 0;

    instance_tick(in);
    until_us = in->now_us + (int64_t)LOOP_MS * 1000;
    in->dirty = true;
    while (in->status == INSTANCE_ACTIVE && !over(in)) {
        const struct task *next;
        const struct wf_cell *c;
        struct task *t;

        if (in->n_live_subs > 0 && !halted(in)) {
            enum instance_stop stop = subs_run(in, flags);

            if (stop != INSTANCE_DONE)
                return stop;
        }
        if (halted(in)) {
            if (in->parent != NULL || (flags & INSTANCE_HELPS) != 0)
                break;
            if (in->n_running == 0)
                return INSTANCE_STORE;
            team_wait(in->team);
            instance_tick(in);
            continue;
        }
        next = next_task(in);
        if (in->n_running > 0 && in->q_head == in->q_tail) {
            /* ends and settling are for when no task runs any more */
            if (in->parent != NULL || (flags & INSTANCE_HELPS) != 0)
                break;
            team_wait(in->team);
            instance_tick(in);
            continue;
        }
        if (next == NULL) {
            uint32_t subs = in->n_live_subs;

            settle(in);
            if (next_task(in) == NULL && in->n_live_subs <= subs)
                break;
            continue;
        }
        c = next->cell != WF_NO_CELL ? &in->wf->cells[next->cell] : NULL;
        if ((flags & INSTANCE_MAY_BLOCK) == 0 &&
            ((c != NULL && c->type != NULL && (c->type->flags & NODE_BLOCKING) != 0) ||
             ++n > LOOP_TASKS || in->now_us > until_us))
            return INSTANCE_WORKER;
        /* what the outside hears of exists: a crash must not make it another sub-instance */
        if (in->parent != NULL && !in->stored && has_effect(c) && stores(in, flags))
            return INSTANCE_STORE;
        if (in->q_head < in->q_tail) {
            t = queue_pop(in);
        } else {
            t = in->tasks[in->ends[0]];
            for (uint32_t i = 1; i < in->n_ends; i++)
                in->ends[i - 1] = in->ends[i];
            in->n_ends--;
        }
        call_help(in, c, flags);
        run_task(in, t, flags);
        if (stores(in, flags) && in->status == INSTANCE_ACTIVE &&
            (has_effect(c) || ((flags & INSTANCE_CAREFUL) != 0 && c != NULL &&
                               c->role == ROLE_WORK && c->type != NULL)))
            return INSTANCE_STORE;
    }
    in->updated_us = in->now_us;
    return INSTANCE_DONE;
}
