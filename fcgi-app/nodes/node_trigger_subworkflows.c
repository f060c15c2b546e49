/*
 * trigger_subworkflows: run a workflow once for each item of a list, a few at a time (workflow-engine.md 3.37).
 *
 * Each run is an instance of its own, under its own lease.  The first ones start with the task; the other items wait in a table,
 * so that a list of thousands is read once, as it was when the task began.  Each run that closes wakes the task, which starts
 * the next one.
 */
#include "nodes/subworkflow_store.h"

enum { ITEMS_MAX = 100000, FACTOR_MAX = 100 };

struct cfg {
    struct str workflow;
    struct val source;
    struct val labels;
    bool skip_if_empty, sequential, wait, detach;
    int64_t factor;
};

static const struct param params[] = {
    {.name = "workflow",
     .kind = PARAM_ACTIVITY,
     .offset = offsetof(struct cfg, workflow),
     .mandatory = true,
     .help = "Workflow to run."},
    {.name = "source",
     .kind = PARAM_DATA,
     .offset = offsetof(struct cfg, source),
     .help = "List of objects, each the request of one run."},
    {.name = "labels",
     .kind = PARAM_DATA,
     .offset = offsetof(struct cfg, labels),
     .help = "List of texts, one for each run; numbers from 1 on when there are not as many."},
    {.name = "skip_if_empty",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, skip_if_empty),
     .otherwise = "false",
     .help = "Leave by skip when the list is empty."},
    {.name = "sequential",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, sequential),
     .otherwise = "false",
     .help = "One after the other, in order."},
    {.name = "wait",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, wait),
     .otherwise = "false",
     .help = "Without effect."},
    {.name = "detach",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, detach),
     .otherwise = "false",
     .help = "Without effect."},
    {.name = "parallel_factor",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, factor),
     .otherwise = "10",
     .help = "How many run at a time: 10 when empty, never more than 100."},
    {0},
};

/* ---- what the task remembers ------------------------------------------------------------------------------ */

struct progress {
    struct str workflow;
    int64_t total, next; /* items in all; place of the next one to start, from 0 */
    int64_t factor, failed;
    struct val live; /* ids of runs that have not closed */
    struct str trouble; /* why no more are started */
};

static void keep(struct node_run *r, const struct progress *p)
{
    struct val v = val_dict_new(r->a, 7);

    val_dict_set_c(v, "workflow", val_str(p->workflow));
    val_dict_set_c(v, "total", val_int(p->total));
    val_dict_set_c(v, "next", val_int(p->next));
    val_dict_set_c(v, "factor", val_int(p->factor));
    val_dict_set_c(v, "failed", val_int(p->failed));
    val_dict_set_c(v, "live", p->live);
    val_dict_set_c(v, "trouble", val_str(p->trouble));
    node_keep(r, v);
}

static struct progress kept(const struct node_run *r)
{
    struct val v = node_kept(r);

    return (struct progress){
        .workflow = val_get_text(v, "workflow", STR("")),
        .total = val_get_int(v, "total", 0),
        .next = val_get_int(v, "next", 0),
        .factor = val_get_int(v, "factor", 1),
        .failed = val_get_int(v, "failed", 0),
        .live = val_copy(val_get(v, "live"), r->a),
        .trouble = val_get_text(v, "trouble", STR("")),
    };
}

/* ---- starting ------------------------------------------------------------------------------------------------- */

static int launch(struct node_run *r, struct progress *p, const struct subworkflow_item *item, struct err *e)
{
    int64_t id;

    if (node_child_launch(r, p->workflow, item->request, item->label, &id, e) != 0)
        return -1;
    val_list_add(p->live, val_int(id));
    p->next++;
    return 0;
}

static enum node_rc go_on(struct node_run *r, struct progress *p, struct err *e)
{
    if (val_count(p->live) > 0) {
        keep(r, p);
        return node_wait_signal(r, 0);
    }
    subworkflow_drop(r);
    if (p->trouble.len > 0) {
        err_set(e, ERR_UPSTREAM, "only %lld of %lld sub-workflows could be started: %.*s", (long long)p->next,
                (long long)p->total, STR_ARG(p->trouble));
        return NODE_FAIL;
    }
    if (p->failed > 0) {
        err_set(e, ERR_UPSTREAM, "%lld of %lld sub-workflows were closed in error", (long long)p->failed,
                (long long)p->total);
        return NODE_FAIL;
    }
    return node_fire(r, "ok");
}

/* A list as the items of the runs; a single object is a list of one. */
static int items_of(const struct cfg *c, struct subworkflow_item **out, size_t *n, struct arena *a, struct err *e)
{
    bool list = val_is(c->source, VAL_LIST) || val_is(c->source, VAL_TUPLE);
    bool labelled = val_is(c->labels, VAL_LIST) || val_is(c->labels, VAL_TUPLE);

    *n = val_is_none(c->source) ? 0 : list ? val_count(c->source) : 1;
    if (*n > ITEMS_MAX) {
        err_set(e, ERR_LIMIT, "parameter \"source\" has more than %d items", (int)ITEMS_MAX);
        return -1;
    }
    *out = ARENA_ARRAY(a, struct subworkflow_item, *n);
    labelled = labelled && val_count(c->labels) == *n;
    for (size_t i = 0; i < *n; i++) {
        struct val v = list ? val_at(c->source, i) : c->source;

        if (val_is(v, VAL_STR) && list) {
            struct val text = v;

            v = val_dict_new(a, 1);
            val_dict_set_c(v, "value", text);
        }
        if (!val_is(v, VAL_DICT)) {
            err_set(e, ERR_INVALID, "parameter \"source\": item %zu is no object", i + 1);
            return -1;
        }
        (*out)[i] = (struct subworkflow_item){
            labelled ? val_str_of(val_at(c->labels, i), a) : str_printf(a, "%zu", i + 1), v};
        if (!node_storable((*out)[i].label)) {
            err_set(e, ERR_INVALID, "parameter \"labels\": item %zu holds a NUL", i + 1);
            return -1;
        }
    }
    return 0;
}

static enum node_rc trigger_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct progress p = {.workflow = c->workflow, .live = val_list_new(r->a, 8)};
    struct subworkflow_item *items;
    size_t n;

    if (c->factor < 1) {
        err_set(e, ERR_INVALID, "parameter \"parallel_factor\" is less than 1");
        return NODE_FAIL;
    }
    if (items_of(c, &items, &n, r->a, e) != 0)
        return NODE_FAIL;
    if (n == 0)
        return node_fire(r, c->skip_if_empty ? "skip" : "ok");
    p.total = (int64_t)n;
    p.factor = c->sequential ? 1 : c->factor < FACTOR_MAX ? c->factor : FACTOR_MAX;
    while (p.next < p.total && p.next < p.factor)
        if (launch(r, &p, &items[p.next], e) != 0) {
            if (p.next == 0)
                return NODE_FAIL;
            p.trouble = str_dup(r->a, str_c(e->msg));
            return go_on(r, &p, e);
        }
    for (int64_t i = p.next; i < p.total; i++)
        subworkflow_put(r, i, &items[i]);
    return go_on(r, &p, e);
}

/* ---- a run has closed -------------------------------------------------------------------------------------------- */

/* False when it is none of ours any more: nothing counts twice. */
static bool closed(struct node_run *r, struct progress *p, struct val payload)
{
    int64_t id = val_get_int(payload, "instance_id", 0);
    struct val left = val_list_new(r->a, val_count(p->live));

    for (size_t i = 0; i < val_count(p->live); i++)
        if (val_at(p->live, i).u.i != id)
            val_list_add(left, val_at(p->live, i));
    if (val_count(left) == val_count(p->live))
        return false;
    p->live = left;
    if (!val_is_undef(val_get(payload, "request_status")))
        node_request_status(r, val_text(val_get(payload, "request_status")));
    if (!str_eq_c(val_get_text(payload, "status", STR("")), "CLOSED_IN_SUCCESS")) {
        p->failed++;
        node_log(r, "sub-workflow %lld was closed in error", (long long)id);
    }
    return true;
}

static enum node_rc trigger_wake(struct node_run *r, struct err *e)
{
    struct progress p = kept(r);
    struct subworkflow_item *items;
    struct val payload;
    struct str kind;
    int64_t room, left;
    size_t n = 0;

    if (node_signalled(r, &kind, &payload) && str_eq_c(kind, "child"))
        (void)closed(r, &p, payload);
    room = p.factor - (int64_t)val_count(p.live);
    left = p.total - p.next;
    if (room <= 0 || left <= 0 || p.trouble.len > 0)
        return go_on(r, &p, e);
    if (room > left)
        room = left;
    if (subworkflow_read(r, p.next, room, &items, &n, e) != 0)
        p.trouble = str_dup(r->a, str_c(e->msg));
    else if ((int64_t)n < room)
        p.trouble = STR("the others are not there any more");
    for (size_t i = 0; i < n && p.trouble.len == 0; i++)
        if (launch(r, &p, &items[i], e) != 0)
            p.trouble = str_dup(r->a, str_c(e->msg));
    return go_on(r, &p, e);
}

/* ---- it is not waited for any more ------------------------------------------------------------------------------ */

static void trigger_cancel(struct node_run *r)
{
    node_children_close(r);
    subworkflow_drop(r);
}

const struct node_type node_trigger_subworkflows = {
    .name = "trigger_subworkflows",
    .group = "flow",
    .doc = "Runs another workflow for each item of a list and waits for all of them.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", "error", "skip", "rollback", NULL},
    .flags = NODE_BLOCKING | NODE_REMEMBERS,
    .run = trigger_run,
    .wake = trigger_wake,
    .cancel = trigger_cancel,
};
