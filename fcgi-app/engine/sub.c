/*
 * Sub-instances: of macros, and the error handler of a route.
 *
 * A sub-instance is part of its parent's run: in memory together, stored together, under the
 * parent's lease.  So a parent never has to be woken from elsewhere, and a crash leaves both at the
 * same point.
 *
 * Rules: workflow-engine.md 3.36, 4.9, 4.14.
 */
#include "engine/instance_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "gateway/mask.h"

static void free_arena(void *a)
{
    arena_free(a);
}

struct instance *instance_top(struct instance *in)
{
    while (in->parent != NULL)
        in = in->parent;
    return in;
}

struct instance *instance_in_tree(struct instance *in, int64_t id)
{
    if (in->id == id)
        return in;
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct sub *sub = in->tasks[i]->sub;
        struct instance *found =
            sub != NULL && sub->inst != NULL ? instance_in_tree(sub->inst, id) : NULL;

        if (found != NULL)
            return found;
    }
    return NULL;
}

void sub_attach(struct instance *in, struct task *t, struct instance *child)
{
    if (t->sub == NULL) {
        t->sub = ARENA_NEW(in->a, struct sub);
        in->n_live_subs++;
    }
    t->sub->instance_id = child->id;
    t->sub->instance_us = child->created_us;
    t->sub->inst = child;
    child->parent = in;
}

/* A live sub-instance of `t`; its start is queued when the definition is new. */
static int sub_new(struct instance *in, struct task *t, struct workflow *wf, const char *kind,
                   struct str label, struct val request, struct instance **out, struct err *e)
{
    /* its tasks reset the scratch arena, while a task of the parent may still use its own */
    struct arena *scratch = arena_new(0);
    struct instance *child;

    arena_defer(in->a, free_arena, scratch);
    if (in->depth + 1 > LIMIT_DEPTH) {
        err_set(e, ERR_LIMIT, "workflows are nested deeper than %d", LIMIT_DEPTH);
        return -1;
    }
    if (instance_new(&child, wf, &in->env, in->a, scratch, e) != 0)
        return -1;
    child->kind = kind;
    child->parent_id = in->id;
    child->parent_us = in->created_us;
    child->callback_task_id = t->id;
    child->depth = in->depth + 1;
    child->label = str_dup(in->a, label);
    child->owner = in->owner;
    child->user_id = in->user_id;
    child->user = in->user;
    child->proxy_name = in->proxy_name;
    child->step_durable = in->step_durable;
    child->sync = in->sync;
    child->attempt = in->attempt;
    child->request = val_copy(request, in->a);
    t->sub = NULL;
    sub_attach(in, t, child);
    *out = child;
    return 0;
}

void sub_close(struct instance *in, struct task *t)
{
    t->sub->closed = true;
    in->n_live_subs--;
    if (t->sub->inst != NULL)
        instance_force_close(t->sub->inst);
}

/* The end is told to the task, which wakes up when it waits for it. */
static void sub_closed(struct instance *in, struct task *t)
{
    struct instance *child = t->sub->inst;

    t->sub->closed = true;
    in->n_live_subs--;
    t->sub->result = (struct node_sub_result){
        .success = child->status == INSTANCE_SUCCESS,
        .end = child->end_name,
        .answer = child->cb_response,
        .instance_id = child->id,
    };
    if (t->status == TASK_WAIT)
        task_wake(in, t);
}

enum instance_stop subs_run(struct instance *in, unsigned flags)
{
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        struct task *t = in->tasks[i];
        enum instance_stop stop;

        if (t->sub == NULL || t->sub->closed || t->sub->inst == NULL)
            continue;
        stop = instance_run(t->sub->inst, flags);
        if (stop != INSTANCE_DONE)
            return stop;
        if (t->sub->inst->status != INSTANCE_ACTIVE)
            sub_closed(in, t);
    }
    return INSTANCE_DONE;
}

/* ---- the node's side ------------------------------------------------------------------------ */

enum node_rc node_sub_start(struct node_run *r, struct str workflow, struct val input,
                            struct err *e)
{
    struct instance *in = r->inst, *child;
    int64_t activity_id, version_id, definition_id;
    struct workflow *wf;
    int rc;

    if (in->env.workflow_named(in->env.ctx, workflow, &wf, &activity_id, &version_id,
                               &definition_id, e) != 0)
        return NODE_FAIL;
    rc = sub_new(in, r->task, wf, "sub", r->cell, input, &child, e);
    wf_unref(wf);
    if (rc != 0)
        return NODE_FAIL;
    child->activity_id = activity_id;
    child->version_id = version_id;
    child->definition_id = definition_id;
    return NODE_WAIT;
}

bool node_sub_result(struct node_run *r, struct node_sub_result *out)
{
    if (r->task->sub == NULL || !r->task->sub->closed)
        return false;
    *out = r->task->sub->result;
    return true;
}

/* ---- error handlers ------------------------------------------------------------------------- */

static struct task *handler_task(const struct instance *top)
{
    for (uint32_t i = 0; i < top->n_tasks; i++) {
        struct task *t = top->tasks[i];

        if (t->cell == top->wf->start && t->sub != NULL)
            return t;
    }
    return NULL;
}

struct instance *handler_of(const struct instance *top)
{
    const struct task *t = handler_task(top);

    return t != NULL ? t->sub->inst : NULL;
}

/* Those in memory, of the instance and of what runs below it. */
static void errors_add(const struct instance *in, struct val list, struct arena *a)
{
    char when[CLOCK_ISO_MAX];

    for (const struct error_row *x = in->errors; x != NULL; x = x->next) {
        struct val row = val_dict_new(a, 5);

        clock_iso(x->created_us, when);
        val_dict_set_c(row, "cell_id", val_str(x->cell));
        val_dict_set_c(row, "output", val_str(x->output));
        val_dict_set_c(row, "description", val_str(x->description));
        val_dict_set_c(row, "created_on", val_str_dup(a, str_c(when)));
        val_dict_set_c(row, "instance_id", val_int(in->id));
        val_list_add(list, row);
    }
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++) {
        const struct sub *sub = in->tasks[i]->sub;

        if (sub != NULL && !sub->closed && sub->inst != NULL)
            errors_add(sub->inst, list, a);
    }
}

/* People read what a handler was started with; what is hidden there it still sees as parent_instance_context. */
static struct val shown_context(const struct instance *in)
{
    struct val out = context_dict(in, in->a);

    for (uint32_t i = 0; i < in->n_ctx; i++)
        if (in->ctx[i].present && in->ctx[i].sensitive)
            val_dict_set_str(out, in->ctx[i].key, VAL_STR_LIT(MASK_SHOWN));
    return out;
}

static struct val handler_request(struct instance *top, struct val stored)
{
    struct val errors = val_list_new(top->a, val_count(stored) + 2);
    struct val request = val_dict_new(top->a, 4), instance = val_dict_new(top->a, 4);

    val_dict_set_c(instance, "id", val_int(top->id));
    val_dict_set_c(instance, "guid", val_str_c(top->guid));
    val_dict_set_c(instance, "status", val_str_c(instance_status_name(top->status)));
    val_dict_set_c(instance, "label", top->label.p != NULL ? val_str(top->label) : val_null());
    val_dict_set_c(request, "instance", instance);
    val_dict_set_c(request, "context", shown_context(top));
    val_dict_set_c(request, "request", top->request);
    for (size_t i = 0; i < val_count(stored); i++)
        val_list_add(errors, val_at(stored, i));
    errors_add(top, errors, top->a);
    val_dict_set_c(request, "errors", errors);
    return request;
}

int handler_start(struct instance *top, struct workflow *wf, int64_t activity_id,
                  int64_t version_id, int64_t definition_id, struct val stored, struct err *e)
{
    int32_t start = top->latest[top->wf->start];
    struct instance *child;

    if (start < 0) {
        err_set(e, ERR_INTERNAL, "the instance has no start task");
        return -1;
    }
    if (sub_new(top, top->tasks[start], wf, "error_handler", STR("error handling"),
                handler_request(top, stored), &child, e) != 0)
        return -1;
    child->activity_id = activity_id;
    child->version_id = version_id;
    child->definition_id = definition_id;
    return 0;
}

static void move_key(struct instance *to, const char *key, struct val v)
{
    struct ctx_entry *old = context_find(to, str_c(key));
    struct err e;

    if (old != NULL) {
        old->present = false;
        old->dirty = true;
    }
    if (!val_is_undef(v) && context_set(to, str_c(key), v, false, false, &e) != 0)
        instance_log(to, "engine", "answer of the error handler: %s", e.msg);
}

bool handler_answered(struct instance *top)
{
    struct instance *h = handler_of(top);

    if (h == NULL || h->status != INSTANCE_SUCCESS)
        return false;
    move_key(top, "*doc_response*", h->doc_response);
    move_key(top, "*sync_response*", h->sync_response);
    move_key(top, "*response*", h->response);
    move_key(top, "*cb_response*", h->cb_response);
    top->doc_response = h->doc_response;
    top->sync_response = h->sync_response;
    top->response = h->response;
    return true;
}
