/*
 * Compiling a definition: cells, edges and gates by index, parameters in place.
 *
 * A flaw of one cell never refuses the whole: it is kept with the cell and becomes its task's
 * error.
 */
#include "engine/workflow_int.h"

#include <stdatomic.h>

#include "base/json.h"
#include "template/tmpl.h"

static void drop_template(void *t)
{
    tmpl_unref(t);
}

static void flaw_set(struct workflow *w, struct wf_cell *c, const struct err *e)
{
    if (c->flaw == NULL)
        c->flaw = arena_dup(w->a, e, sizeof *e);
}

/* The templates a cell holds are given back with the workflow. */
static void keep_text(struct workflow *w, const struct node_text *t)
{
    if (t->tmpl != NULL)
        arena_defer(w->a, drop_template, t->tmpl);
}

static void keep_expr(struct workflow *w, const struct node_expr *x)
{
    if (x->expr != NULL)
        arena_defer(w->a, drop_template, x->expr);
    if (x->render != NULL)
        arena_defer(w->a, drop_template, x->render);
}

static void keep_param(struct workflow *w, const struct param *p, const void *image,
                       const struct param_dyn *d)
{
    const void *at = (const char *)image + p->offset;

    for (size_t i = 0; i < d->n; i++)
        keep_text(w, &d->texts[i]);
    if (p->kind == PARAM_KEYS) {
        const struct node_key_values *kv = at;

        for (size_t i = 0; i < kv->n; i++) {
            keep_text(w, &kv->items[i].key);
            keep_text(w, &kv->items[i].value);
        }
    } else if (p->kind == PARAM_SWITCH) {
        const struct node_cases *cases = at;

        for (size_t i = 0; i < cases->n; i++)
            keep_expr(w, &cases->items[i].when);
    } else if (p->kind == PARAM_EXPR) {
        const struct node_expr *x = *(const struct node_expr *const *)at;

        if (x != NULL)
            keep_expr(w, x);
    }
}

static void compile_params(struct workflow *w, struct wf_cell *c, struct tmpl_cache *templates)
{
    struct val params = wf_cell_params(c->def, w->a);
    size_t n = 0;

    for (const struct param *p = c->type->params; p != NULL && p->name != NULL; p++)
        n++;
    c->image = arena_zalloc(w->a, c->type->cfg_size + 1);
    c->dyn = ARENA_ARRAY(w->a, struct param_dyn, n);
    for (size_t i = 0; i < n; i++) {
        struct param_dyn *d = &c->dyn[c->n_dyn];
        const struct param *p = &c->type->params[i];
        struct err e;
        bool is_dyn;

        if (param_compile(p, params, templates, c->image, d, &is_dyn, w->a, &e) != 0)
            flaw_set(w, c, &e);
        keep_param(w, p, c->image, d);
        if (is_dyn)
            c->n_dyn++;
    }
}

static void compile_cell(struct workflow *w, struct str name, struct val def, enum node_role role,
                         const struct node_table *nodes, struct tmpl_cache *templates)
{
    struct wf_cell *c = &w->cells[w->n_cells++];
    struct val outputs;
    struct err e;

    c->name = name;
    c->def = def;
    c->type_name = val_get_text(def, "original_name", STR("entity"));
    c->goto_target = WF_NO_CELL;
    c->type = role == ROLE_ENTITY ? NULL : node_table_find(nodes, c->type_name);
    c->role = c->type != NULL ? c->type->role : role;
    if (c->type == NULL && role != ROLE_ENTITY) {
        err_set(&e, ERR_INVALID, "unknown node type \"%.*s\"", STR_ARG(c->type_name));
        flaw_set(w, c, &e);
    }
    outputs = wf_cell_outputs(def, c->type, w->a);
    if (role == ROLE_ENTITY && val_count(outputs) == 0) {
        struct node_strs events = param_list(val_path(def, "params.events"), w->a);

        outputs = val_list_new(w->a, events.n);
        for (size_t i = 0; i < events.n; i++)
            val_list_add(outputs, val_str(events.items[i]));
    }
    c->n_outs = (uint32_t)val_count(outputs);
    c->outs = ARENA_ARRAY(w->a, struct wf_out, c->n_outs);
    for (uint32_t i = 0; i < c->n_outs; i++)
        c->outs[i].name = val_text(val_at(outputs, i));
    if (c->type != NULL)
        compile_params(w, c, templates);
    map_set(&w->by_name, name, c);
}

const struct wf_cell *wf_cell_find(const struct workflow *w, struct str name)
{
    return map_find(&w->by_name, name);
}

static struct wf_out *out_find(struct wf_cell *c, struct str name)
{
    struct str alias = str_eq_c(name, "ok")        ? STR("success")
                       : str_eq_c(name, "success") ? STR("ok")
                                                   : STR_NONE;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < c->n_outs; i++)
            if (str_eq(c->outs[i].name, name))
                return &c->outs[i];
        if (alias.len == 0)
            break;
        name = alias;
    }
    return NULL;
}

const struct wf_out *wf_out_find(const struct wf_cell *c, struct str name)
{
    return out_find((struct wf_cell *)(uintptr_t)c, name);
}

static uint32_t edge_add(struct workflow *w, struct str label, struct wf_cell *from,
                         struct wf_cell *to)
{
    uint32_t i = w->n_edges++;

    w->edges[i] = (struct wf_edge){
        .label = label,
        .from = (int32_t)(from - w->cells),
        .to = (int32_t)(to - w->cells),
        .in_index = to->n_in,
    };
    to->in = arena_grow(w->a, to->in, to->n_in * sizeof *to->in, (to->n_in + 1) * sizeof *to->in);
    to->in[to->n_in++] = i;
    return i;
}

/* A transition; broken ones (V5, V6) and repeated ones are left out. */
static void compile_edge(struct workflow *w, struct val t)
{
    struct str name, output;
    struct wf_cell *from, *to = map_find(&w->by_name, val_text(val_at(t, 1)));
    struct wf_out *out;

    if (!wf_source_cut(val_text(val_at(t, 0)), &name, &output) || to == NULL)
        return;
    from = map_find(&w->by_name, name);
    if (from == NULL || from->role == ROLE_END || from->role == ROLE_NOTE ||
        from->role == ROLE_GOTO || to->role == ROLE_START || to->role == ROLE_NOTE)
        return;
    out = out_find(from, output);
    if (out == NULL)
        return;
    for (uint32_t i = 0; i < out->n_edges; i++)
        if (&w->cells[w->edges[out->edges[i]].to] == to)
            return;
    out->edges = arena_grow(w->a, out->edges, out->n_edges * sizeof *out->edges,
                            (out->n_edges + 1) * sizeof *out->edges);
    out->edges[out->n_edges++] = edge_add(w, val_text(val_at(t, 0)), from, to);
    if (from->role == ROLE_ENTITY)
        w->entity_linked = true;
}

static void compile_goto(struct workflow *w, struct wf_cell *c)
{
    const struct str *target =
        (const struct str *)(const void *)((const char *)c->image + c->type->params[0].offset);
    struct wf_cell *to = map_find(&w->by_name, *target);

    if (to == NULL || to->role == ROLE_START || to->role == ROLE_NOTE)
        return;
    c->goto_target = (int32_t)(to - w->cells);
    c->goto_edge = edge_add(w, str_printf(w->a, "<%.*s>", STR_ARG(c->name)), c, to);
}

static void mark_edge(struct workflow *w, const struct wf_edge *edge, int32_t *marked, uint32_t *n)
{
    struct wf_cell *c = &w->cells[edge->to];

    if (c->by_entity)
        return;
    c->by_entity = true;
    marked[(*n)++] = edge->to;
}

/* What events of entities may lead to, at any time. */
static void mark_by_entity(struct workflow *w)
{
    int32_t *marked = ARENA_ARRAY(w->a, int32_t, w->n_cells);
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->n_cells; i++)
        if (w->cells[i].role == ROLE_ENTITY) {
            w->cells[i].by_entity = true;
            marked[n++] = (int32_t)i;
        }
    for (uint32_t i = 0; i < n; i++) {
        const struct wf_cell *c = &w->cells[marked[i]];

        for (uint32_t o = 0; o < c->n_outs; o++)
            for (uint32_t k = 0; k < c->outs[o].n_edges; k++)
                mark_edge(w, &w->edges[c->outs[o].edges[k]], marked, &n);
        if (c->goto_target != WF_NO_CELL)
            mark_edge(w, &w->edges[c->goto_edge], marked, &n);
    }
}

static int check_shape(struct val def, struct err *e)
{
    struct val cells = val_get(def, "cells"), key, cell;

    if (!val_is(cells, VAL_DICT) ||
        !val_is(val_get(def, "transitions"), VAL_LIST)) {
        err_set(e, ERR_INVALID, "the definition has no cells or no transitions");
        return -1;
    }
    for (size_t i = 0; i < val_count(cells); i++)
        if (val_pair_at(cells, i, &key, &cell) && !node_storable(val_text(key))) {
            err_set(e, ERR_INVALID, "the name of a cell cannot hold a NUL");
            return -1;
        }
    return 0;
}

int wf_compile(struct workflow **out, struct str text, const struct node_table *nodes,
               struct tmpl_cache *templates, struct err *e)
{
    struct arena *a = arena_new(0);
    struct workflow *w = ARENA_NEW(a, struct workflow);
    struct val cells, entities, transitions, key, cell;
    size_t room;

    w->a = a;
    atomic_init(&w->refs, 1);
    w->start = WF_NO_CELL;
    w->text = str_dup(a, text);
    if (json_parse(w->text, &w->def, a, e) != 0 || check_shape(w->def, e) != 0)
        goto fail;
    cells = val_get(w->def, "cells");
    entities = val_get(w->def, "entities");
    transitions = val_get(w->def, "transitions");
    w->has_entities = val_count(entities) > 0;
    room = val_count(cells) + val_count(entities);
    w->cells = ARENA_ARRAY(a, struct wf_cell, room);
    w->edges = ARENA_ARRAY(a, struct wf_edge, val_count(transitions) + room);
    map_init(&w->by_name, a);
    for (size_t i = 0; i < val_count(cells); i++)
        if (val_pair_at(cells, i, &key, &cell))
            compile_cell(w, val_text(key), cell, ROLE_WORK, nodes, templates);
    for (size_t i = 0; i < val_count(entities); i++) {
        struct str name = val_get_text(val_at(entities, i), "name", STR(""));

        if (name.len > 0 && map_find(&w->by_name, name) == NULL)
            compile_cell(w, name, val_at(entities, i), ROLE_ENTITY, nodes, templates);
    }
    for (size_t i = 0; i < val_count(transitions); i++)
        compile_edge(w, val_at(transitions, i));
    for (uint32_t i = 0; i < w->n_cells; i++) {
        if (w->cells[i].role == ROLE_START && w->start == WF_NO_CELL)
            w->start = (int32_t)i;
        if (w->cells[i].role == ROLE_GOTO)
            compile_goto(w, &w->cells[i]);
        if (w->cells[i].role == ROLE_OR)
            w->cells[i].gate = w->n_gates++;
    }
    if (w->entity_linked)
        mark_by_entity(w);
    if (w->start == WF_NO_CELL) {
        err_set(e, ERR_INVALID, "the workflow has no start");
        goto fail;
    }
    *out = w;
    return 0;
fail:
    arena_free(a);
    return -1;
}

struct workflow *wf_ref(struct workflow *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void wf_unref(struct workflow *w)
{
    if (w != NULL && atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) == 1)
        arena_free(w->a);
}
