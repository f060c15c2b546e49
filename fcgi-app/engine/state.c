/*
 * What a stored instance needs besides its rows: queued activations, arrivals at joins, what parked
 * tasks fire, and the or-gates behind the tasks that lead on.
 *
 * Tasks are named by id and edges by their text, so that a replaced definition does not confuse
 * them.
 */
#include "engine/instance_int.h"

#include "base/json.h"

static struct val ids_of(const struct instance *in, const uint32_t *list, uint32_t n,
                         struct arena *a)
{
    struct val out = val_list_new(a, n);

    for (uint32_t i = 0; i < n; i++)
        val_list_add(out, val_int(in->tasks[list[i]]->id));
    return out;
}

/* What runs right now would have to run again. */
static struct val queue_of(const struct instance *in, struct arena *a)
{
    struct val out = val_list_new(a, in->q_tail - in->q_head);

    for (uint32_t i = 0; i < in->n_tasks && in->n_running > 0; i++)
        if (in->tasks[i]->status == TASK_RUN)
            val_list_add(out, val_int(in->tasks[i]->id));
    for (uint32_t i = in->q_head; i < in->q_tail; i++)
        val_list_add(out, val_int(in->tasks[in->queue[i]]->id));
    return out;
}

static struct val result_of(const struct node_sub_result *r, struct arena *a)
{
    struct val out = val_dict_new(a, 4);

    val_dict_set_c(out, "id", val_int(r->instance_id));
    val_dict_set_c(out, "success", val_bool(r->success));
    val_dict_set_c(out, "end", val_str(r->end));
    if (!val_is_undef(r->answer))
        val_dict_set_c(out, "answer", r->answer);
    return out;
}

/* Tasks that are to wake up, are at it, or will be when they are replayed (poison.c): by what. */
static void add_woken(const struct instance *in, struct val state, struct arena *a)
{
    struct val out = val_undef(NULL);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val wake;

        if (!t->woken)
            continue;
        if (val_is_undef(out))
            out = val_list_new(a, 2);
        wake = val_dict_new(a, 4);
        val_dict_set_c(wake, "task", val_int(t->id));
        val_dict_set_c(wake, "tries", val_int(t->tries));
        if (t->signal_id != 0)
            val_dict_set_c(wake, "signal", val_int(t->signal_id));
        if (!val_is_undef(t->kept))
            val_dict_set_c(wake, "kept", t->kept);
        if (t->sub != NULL && t->sub->closed)
            val_dict_set_c(wake, "sub", result_of(&t->sub->result, a));
        val_list_add(out, wake);
    }
    if (!val_is_undef(out))
        val_dict_set_c(state, "woken", out);
}

static struct val joins_of(const struct instance *in, struct arena *a)
{
    struct val out = val_list_new(a, 2);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val join, edges;

        if (t->n_arrived == 0 || (t->status != TASK_WAIT && t->status != TASK_ERROR))
            continue;
        join = val_dict_new(a, 2);
        edges = val_list_new(a, t->n_arrived);
        for (uint32_t k = 0; k < t->n_arrived; k++)
            val_list_add(edges, val_str(in->wf->edges[t->arrived[k]].label));
        val_dict_set_c(join, "task", val_int(t->id));
        val_dict_set_c(join, "edges", edges);
        val_list_add(out, join);
    }
    return out;
}

static struct val waits_of(const struct instance *in, struct arena *a)
{
    struct val out = val_list_new(a, 2);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val wait;

        if (t->status != TASK_WAIT || t->n_arrived > 0)
            continue;
        wait = val_dict_new(a, 5);
        val_dict_set_c(wait, "task", val_int(t->id));
        val_dict_set_c(wait, "output", val_str(t->wait_output));
        if (t->tries > 0)
            val_dict_set_c(wait, "tries", val_int(t->tries));
        if (!val_is_undef(t->kept))
            val_dict_set_c(wait, "kept", t->kept);
        if (t->waits_signal)
            val_dict_set_c(wait, "signal", val_bool(true));
        val_list_add(out, wait);
    }
    return out;
}

/* Live sub-instances; an error handler hangs below a task that waits for nothing. */
static struct val subs_of(const struct instance *in, struct arena *a)
{
    struct val out = val_list_new(a, in->n_live_subs);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val sub;

        if (t->sub == NULL || t->sub->closed)
            continue;
        sub = val_dict_new(a, 3);
        val_dict_set_c(sub, "task", val_int(t->id));
        val_dict_set_c(sub, "id", val_int(t->sub->instance_id));
        val_dict_set_c(sub, "on", val_int(t->sub->instance_us));
        val_list_add(out, sub);
    }
    return out;
}

/* Ors behind the tasks that may still lead on: those that are not over, and what can be replayed. */
static struct val gates_of(const struct instance *in, struct arena *a)
{
    struct val out = val_list_new(a, in->wf->n_cells);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val row;

        if (t->gates == NULL ||
            (t->status == TASK_OK && (t->cell == WF_NO_CELL || in->latest[t->cell] != (int32_t)i)))
            continue;
        row = val_list_new(a, 2);
        val_list_add(row, val_int(t->id));
        for (uint32_t k = 0; k < in->wf->n_cells; k++)
            if (in->wf->cells[k].role == ROLE_OR && gate_behind(t, in->wf->cells[k].gate))
                val_list_add(row, val_str(in->wf->cells[k].name));
        val_list_add(out, row);
    }
    return out;
}

bool instance_state_write(const struct instance *in, struct str *json, struct arena *a)
{
    struct val state;

    if (in->status != INSTANCE_ACTIVE)
        return false;
    state = val_dict_new(a, 8);
    val_dict_set_c(state, "queue", queue_of(in, a));
    val_dict_set_c(state, "ends", ids_of(in, in->ends, in->n_ends, a));
    val_dict_set_c(state, "joins", joins_of(in, a));
    val_dict_set_c(state, "waits", waits_of(in, a));
    add_woken(in, state, a);
    if (in->n_live_subs > 0)
        val_dict_set_c(state, "subs", subs_of(in, a));
    if (in->launched)
        val_dict_set_c(state, "launched", val_bool(true));
    if (in->wf->n_gates > 0)
        val_dict_set_c(state, "gates", gates_of(in, a));
    *json = json_text(state, a);
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_queue(struct instance *in, struct val ids)
{
    for (size_t i = 0; i < val_count(ids); i++) {
        struct task *t = task_find(in, val_at(ids, i).u.i);

        if (t != NULL && t->status != TASK_OK && t->status != TASK_ERROR) {
            t->status = TASK_QUEUED;
            queue_push(in, t);
        }
    }
}

static void read_joins(struct instance *in, struct val joins)
{
    for (size_t i = 0; i < val_count(joins); i++) {
        struct val join = val_at(joins, i), edges = val_get(join, "edges");
        struct task *t = task_find(in, val_get_int(join, "task", 0));
        const struct wf_cell *c;

        if (t == NULL || t->cell == WF_NO_CELL ||
            (t->status != TASK_WAIT && t->status != TASK_ERROR))
            continue;
        c = &in->wf->cells[t->cell];
        t->arrived = ARENA_ARRAY(in->a, uint32_t, c->n_in + 1);
        for (uint32_t k = 0; k < c->n_in; k++)
            for (size_t n = 0; n < val_count(edges); n++)
                if (str_eq(in->wf->edges[c->in[k]].label, val_text(val_at(edges, n)))) {
                    t->arrived[t->n_arrived++] = c->in[k];
                    break;
                }
        in->n_joins += t->status == TASK_WAIT;
    }
}

static void read_waits(struct instance *in, struct val waits)
{
    for (size_t i = 0; i < val_count(waits); i++) {
        struct val wait = val_at(waits, i);
        struct task *t = task_find(in, val_get_int(wait, "task", 0));

        if (t == NULL || t->status != TASK_WAIT)
            continue;
        t->wait_output = str_dup(in->a, val_get_text(wait, "output", STR("ok")));
        t->tries = (int)val_get_int(wait, "tries", 0);
        t->kept = val_get(wait, "kept");
        t->waits_signal = val_truth(val_get(wait, "signal"));
        in->n_waiting++;
    }
}

static void read_woken(struct instance *in, struct val woken)
{
    for (size_t i = 0; i < val_count(woken); i++) {
        struct val wake = val_at(woken, i), sub = val_get(wake, "sub");
        struct task *t = task_find(in, val_get_int(wake, "task", 0));

        if (t == NULL || (t->status != TASK_QUEUED && t->status != TASK_ERROR))
            continue;
        t->woken = true;
        t->tries = (int)val_get_int(wake, "tries", 0);
        t->signal_id = val_get_int(wake, "signal", 0);
        t->kept = val_get(wake, "kept");
        if (!val_is(sub, VAL_DICT))
            continue;
        t->sub = ARENA_NEW(in->a, struct sub);
        t->sub->closed = true;
        t->sub->instance_id = val_get_int(sub, "id", 0);
        t->sub->result = (struct node_sub_result){
            .success = val_truth(val_get(sub, "success")),
            .end = val_get_text(sub, "end", STR("")),
            .answer = val_get(sub, "answer"),
            .instance_id = t->sub->instance_id,
        };
    }
}

/* They are read by whoever reads this instance. */
static void read_subs(struct instance *in, struct val subs)
{
    for (size_t i = 0; i < val_count(subs); i++) {
        struct val sub = val_at(subs, i);
        struct task *t = task_find(in, val_get_int(sub, "task", 0));

        if (t == NULL)
            continue;
        t->sub = ARENA_NEW(in->a, struct sub);
        t->sub->instance_id = val_get_int(sub, "id", 0);
        t->sub->instance_us = val_get_int(sub, "on", 0);
        in->n_live_subs++;
    }
}

static void read_gates(struct instance *in, struct val rows)
{
    for (size_t i = 0; i < val_count(rows); i++) {
        struct val row = val_at(rows, i);
        struct task *t = task_find(in, val_at(row, 0).u.i);

        for (size_t k = 1; t != NULL && k < val_count(row); k++) {
            const struct wf_cell *c = wf_cell_find(in->wf, val_text(val_at(row, k)));

            if (c != NULL && c->role == ROLE_OR)
                gate_pass(in, t, c->gate);
        }
    }
}

int instance_state_read(struct instance *in, struct str json, struct err *e)
{
    struct val state;

    if (json_parse_kept(json, &state, in->a, e) != 0) {
        err_context(e, "state of instance %lld", (long long)in->id);
        return -1;
    }
    read_joins(in, val_get(state, "joins"));
    read_waits(in, val_get(state, "waits"));
    read_woken(in, val_get(state, "woken"));
    in->launched = val_truth(val_get(state, "launched"));
    read_subs(in, val_get(state, "subs"));
    read_gates(in, val_get(state, "gates"));
    read_queue(in, val_get(state, "queue"));
    read_queue(in, val_get(state, "ends"));
    in->state_stored = true;
    return 0;
}
