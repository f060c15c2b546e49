/*
 * See graph.h.  Included by the tests of this folder.
 */
#include "graph.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/instance_int.h"
#include "nodes/nodes.h"

static int64_t last_id;

static int count_ids(void *ctx, int kind, int64_t above, int64_t *out, struct err *e)
{
    (void)above;
    (void)ctx;
    (void)kind;
    (void)e;
    *out = ++last_id;
    return 0;
}

struct str graph_quotes(const char *s, struct arena *a)
{
    char *copy = arena_strdup(a, s);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return str_c(copy);
}

static struct val parse(const char *s, struct arena *a)
{
    struct err e;
    struct val v;

    if (json_parse(graph_quotes(s, a), &v, a, &e) != 0) {
        log_err(LOG_ERROR_LEVEL, "graph", &e);
        abort();
    }
    return v;
}

static struct val cell_of(struct val spec, struct arena *a)
{
    struct val cell = val_dict_new(a, 4);

    val_dict_set_c(cell, "original_name", val_at(spec, 0));
    val_dict_set_c(cell, "params", val_count(spec) > 1 ? val_at(spec, 1) : val_dict_new(a, 0));
    if (val_count(spec) > 2)
        val_dict_set_c(cell, "outputs", val_at(spec, 2));
    return cell;
}

static struct str blanks(struct str s, struct arena *a)
{
    char *copy = str_cstr(a, s);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '~')
            *p = ' ';
    return str_c(copy);
}

struct str graph_definition(const char *cells, const char *edges, const char *entities,
                            struct arena *a)
{
    struct val def = val_dict_new(a, 3), map = val_dict_new(a, 8), list = val_list_new(a, 8),
               specs = parse(cells, a);
    struct val key, spec;
    struct str rest = str_c(edges);

    if (val_is_undef(val_get(specs, "start")))
        val_dict_set_c(map, "start", cell_of(parse("['start']", a), a));
    for (size_t i = 0; i < val_count(specs); i++)
        if (val_pair_at(specs, i, &key, &spec))
            val_dict_set(map, key, cell_of(spec, a));
    if (val_is_undef(val_get(specs, "end")))
        val_dict_set_c(map, "end", cell_of(parse("['end']", a), a));
    while (rest.len > 0) {
        struct str target = str_cut(&rest, ' '), source = str_cut(&target, '>');
        struct val pair = val_list_new(a, 2);

        if (source.len == 0)
            continue;
        val_list_add(pair, val_str(blanks(source, a)));
        val_list_add(pair, val_str(blanks(target, a)));
        val_list_add(list, pair);
    }
    val_dict_set_c(def, "cells", map);
    val_dict_set_c(def, "transitions", list);
    val_dict_set_c(def, "entities", entities != NULL ? parse(entities, a) : val_list_new(a, 0));
    return json_text(def, a);
}

static void tell(struct instance *in, struct buf *b)
{
    static const char *const status[] = {"QUEUED", "RUN", "WAIT", "OK", "ERROR"};

    buf_add_c(b, instance_status_name(in->status));
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];

        buf_addf(b, " %.*s=", STR_ARG(t->cell_name));
        if (t->status == TASK_OK)
            buf_add_str(b, t->output);
        else
            buf_add_c(b, status[t->status]);
    }
    buf_add_c(b, " | ");
    buf_add_str(b, json_text(context_dict(in, in->a), in->a));
    for (const struct error_row *x = in->errors; x != NULL; x = x->next)
        buf_addf(b, " ! %.*s", STR_ARG(x->description));
}

static void fire_timers(struct instance *in)
{
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL)
            fire_timers(in->tasks[i]->sub->inst);
    for (struct timer_row *t = in->timers; t != NULL; t = t->next)
        if (t->status == TIMER_WAIT) {
            t->status = TIMER_STOP;
            task_wake(in, task_find(in, t->task_id));
        }
}

/* ---- another process takes over ----------------------------------------------------------------
 */

static struct instance *reread(struct instance *old, struct instance *parent)
{
    struct instance *in = instance_empty(old->wf, &old->env, old->a, old->scratch);
    struct str state;
    struct err e;

    in->id = old->id;
    in->status = old->status;
    in->request = old->request;
    in->kind = old->kind;
    in->created_us = old->created_us;
    in->parent = parent;
    in->depth = old->depth;
    in->end_name = old->end_name;
    in->cb_response = old->cb_response;
    in->errors = old->errors;
    if (old->errors != NULL)
        in->errors_tail = old->errors_tail;
    for (uint32_t i = 0; i < old->n_tasks; i++) {
        struct task *t = ARENA_NEW(in->a, struct task);

        t->id = old->tasks[i]->id;
        t->cell = old->tasks[i]->cell;
        t->cell_name = old->tasks[i]->cell_name;
        t->status = old->tasks[i]->status;
        t->output = old->tasks[i]->output;
        t->stored = true;
        task_append(in, t);
    }
    for (uint32_t i = 0; i < old->n_ctx; i++) {
        struct ctx_entry *c = context_entry(in, old->ctx[i].key);

        *c = old->ctx[i];
    }
    for (struct timer_row *t = old->timers; t != NULL; t = t->next)
        if (t->status == TIMER_WAIT) {
            struct timer_row *row = ARENA_NEW(in->a, struct timer_row);

            *row = *t;
            row->next = in->timers;
            in->timers = row;
        }
    if (instance_state_write(old, &state, old->a) && instance_state_read(in, state, &e) != 0)
        abort();
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL)
            sub_attach(in, in->tasks[i], reread(old->tasks[i]->sub->inst, in));
    instance_release(old);
    return in;
}

/* ---- sub-workflows -------------------------------------------------------------------------- */

static int other_workflow(void *ctx, struct str name, struct workflow **out, int64_t *activity_id,
                          int64_t *version_id, int64_t *definition_id, struct err *e)
{
    *activity_id = *version_id = *definition_id = 1;
    if (!str_eq_c(name, "other") || ctx == NULL) {
        err_set(e, ERR_NOT_FOUND, "there is no workflow \"%.*s\"", STR_ARG(name));
        return -1;
    }
    *out = wf_ref(ctx);
    return 0;
}

static struct workflow *compile(struct str def, struct tmpl_cache *templates, struct err *e)
{
    const struct node_table nodes = {node_table, node_table_n};
    struct workflow *wf = NULL;

    return wf_compile(&wf, def, &nodes, templates, e) == 0 ? wf : NULL;
}

static void drive(struct instance **in, const struct graph_opts *o)
{
    unsigned flags = (o->loop ? 0 : INSTANCE_MAY_BLOCK) | (o->restart ? INSTANCE_STEPS : 0);

    for (int round = 0; round <= o->rounds; round++) {
        if (round > 0)
            fire_timers(*in);
        while (instance_run(*in, flags) == INSTANCE_STORE)
            if (o->restart)
                *in = reread(*in, NULL);
        if (o->restart && round < o->rounds)
            *in = reread(*in, NULL);
    }
}

const char *graph_run(const char *cells, const char *edges, const struct graph_opts *o,
                      struct arena *a)
{
    struct tmpl_cache *templates = tmpl_cache_new(1 * MIB);
    struct arena *scratch = arena_new(0);
    struct workflow *wf, *other = NULL;
    struct instance *in = NULL;
    struct instance_env env = {
        .templates = templates, .next_id = count_ids, .workflow_named = other_workflow};
    struct err e;
    struct buf b;

    buf_init(&b, 1 * MIB, a);
    last_id = 0;
    if (o->other_cells != NULL)
        other = compile(graph_definition(o->other_cells, o->other_edges, NULL, a), templates, &e);
    env.ctx = other;
    wf = compile(graph_definition(cells, edges, o->entities, a), templates, &e);
    if (wf == NULL || instance_new(&in, wf, &env, a, scratch, &e) != 0) {
        buf_addf(&b, "refused: %s", e.msg);
    } else {
        in->request = parse(o->request != NULL ? o->request : "{}", a);
        drive(&in, o);
        tell(in, &b);
    }
    instance_release(in);
    wf_unref(wf);
    wf_unref(other);
    tmpl_cache_free(templates);
    arena_free(scratch);
    return buf_cstr(&b);
}
