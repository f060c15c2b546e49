/*
 * The catalogue of nodes as the editor wants it, generated from the tables.
 *
 * Rules: workflow-engine.md 2.1 to 2.3.
 */
#include "engine/workflow_int.h"

#include "base/json.h"

static struct val texts(const char *const *list, struct arena *a)
{
    struct val out = val_list_new(a, 4);

    for (; list != NULL && *list != NULL; list++)
        val_list_add(out, val_str_c(*list));
    return out;
}

static struct val describe_param(const struct param *p, int order, struct arena *a)
{
    const struct param_kind_info *k = param_kind_info(p->kind);
    struct val d = val_dict_new(a, 10), schema;
    struct err ignored;

    val_dict_set_c(d, "name", val_str_c(p->name));
    if (k->nature != NULL)
        val_dict_set_c(d, "nature", val_str_c(k->nature));
    val_dict_set_c(d, "mandatory", val_bool(p->mandatory));
    if (p->help != NULL)
        val_dict_set_c(d, "help", val_str_c(p->help));
    val_dict_set_c(d, "ui_order", val_int(order));
    if (p->values != NULL || p->kind == PARAM_CHOICE || p->kind == PARAM_RETRY)
        val_dict_set_c(d, "values", texts(p->values, a));
    if (p->kind == PARAM_BOOL)
        val_dict_set_c(d, "default",
                       val_bool(p->otherwise != NULL && str_eq_c(STR("true"), p->otherwise)));
    if (k->validation != NULL)
        val_dict_set_c(d, "validation", val_str_c(k->validation));
    if (p->schema != NULL && json_parse(str_c(p->schema), &schema, a, &ignored) == 0)
        val_dict_set_c(d, "schema", schema);
    if (p->origin != NULL)
        val_dict_set_c(d, "origin", val_str_c(p->origin));
    return d;
}

static struct val describe(const struct node_type *t, struct arena *a)
{
    struct val d = val_dict_new(a, 8), params = val_list_new(a, 8);
    int order = 1;

    for (const struct param *p = t->params; p != NULL && p->name != NULL; p++)
        val_list_add(params, describe_param(p, order++, a));
    val_dict_set_c(d, "original_name", val_str_c(t->name));
    val_dict_set_c(d, "name", val_str_c(t->name));
    val_dict_set_c(d, "params", params);
    val_dict_set_c(d, "outputs", texts(t->outputs, a));
    if (t->doc != NULL)
        val_dict_set_c(d, "doc", val_str_c(t->doc));
    if (t->category != NULL)
        val_dict_set_c(d, "category", val_str_c(t->category));
    if (t->group != NULL)
        val_dict_set_c(d, "group", val_str_c(t->group));
    return d;
}

struct val wf_catalogue(const struct node_table *nodes, struct arena *a)
{
    struct val cells = val_list_new(a, nodes->n), out = val_dict_new(a, 1);

    for (size_t i = 0; i < nodes->n; i++)
        val_list_add(cells, describe(nodes->types[i], a));
    val_dict_set_c(out, "cells", cells);
    return out;
}
