/*
 * The form of a definition: how cells, parameters, outputs and transitions are written.
 *
 * Shared by the checks and the compiler, so that both read a definition alike.  Rules:
 * workflow-engine.md 1.3, 1.4.
 */
#include "engine/workflow_int.h"

#include "base/json.h"
#include "base/limits.h"

struct val wf_cell_params(struct val cell, struct arena *a)
{
    struct val params = val_get(cell, "params");

    return val_is(params, VAL_DICT) ? params : val_dict_new(a, 0);
}

static bool given(struct val v)
{
    return !val_is_none(v) && !(val_is(v, VAL_STR) && v.len == 0);
}

struct val wf_param_raw(const struct param *p, struct val params)
{
    struct val v = val_get(params, p->name);

    for (const char *const *alias = p->aliases; !given(v) && alias != NULL && *alias != NULL;
         alias++)
        v = val_get(params, *alias);
    return given(v) ? v : val_undef(NULL);
}

bool wf_output_listed(struct val outputs, struct str name)
{
    for (size_t i = 0; i < val_count(outputs); i++)
        if (str_eq(val_text(val_at(outputs, i)), name))
            return true;
    return false;
}

struct val wf_cell_outputs(struct val cell, const struct node_type *type, struct arena *a)
{
    struct val outputs = val_get(cell, "outputs");
    struct val list;

    if (val_is(outputs, VAL_LIST))
        return outputs;
    list = val_list_new(a, 4);
    if (type == NULL)
        return list;
    for (const char *const *o = type->outputs; o != NULL && *o != NULL; o++)
        val_list_add(list, val_str_c(*o));
    param_custom_outputs(type, wf_cell_params(cell, a), list, a);
    return list;
}

bool wf_source_cut(struct str source, struct str *cell, struct str *output)
{
    ptrdiff_t dot = str_rfind_char(source, '.');

    if (dot < 0)
        return false;
    *cell = str_slice(source, 0, (size_t)dot);
    *output = str_slice(source, (size_t)dot + 1, source.len);
    return true;
}

const struct node_type *node_table_find(const struct node_table *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq_c(name, t->types[i]->name))
            return t->types[i];
    return NULL;
}

/* What the editor reads of every cell without looking whether it is there. */
static struct val with_missing(struct val cell, struct arena *a)
{
    struct val out, key, value;

    if (!val_is(cell, VAL_DICT))
        return cell;
    out = val_dict_new(a, val_count(cell) + 4);
    for (size_t i = 0; i < val_count(cell); i++)
        if (val_pair_at(cell, i, &key, &value))
            val_dict_set(out, key, value);
    if (val_is_none(val_get(cell, "outputs")))
        val_dict_set_c(out, "outputs", val_list_new(a, 0));
    if (val_is_none(val_get(cell, "x")))
        val_dict_set_c(out, "x", val_int(0));
    if (val_is_none(val_get(cell, "y")))
        val_dict_set_c(out, "y", val_int(0));
    if (val_is_none(val_get(cell, "params")))
        val_dict_set_c(out, "params", val_dict_new(a, 0));
    return out;
}

static struct val served_cells(struct val cells, struct arena *a)
{
    struct val out = val_dict_new(a, val_count(cells)), key, value;

    for (size_t i = 0; i < val_count(cells); i++)
        if (val_pair_at(cells, i, &key, &value))
            val_dict_set(out, key, with_missing(value, a));
    return out;
}

static struct val served_entities(struct val entities, struct arena *a)
{
    struct val out = val_list_new(a, val_count(entities));

    for (size_t i = 0; i < val_count(entities); i++)
        val_list_add(out, with_missing(val_at(entities, i), a));
    return out;
}

int wf_served(struct str text, struct val *out, struct arena *a, struct err *e)
{
    struct val def, key, value;

    if (json_parse_copy(text, &def, a, e) != 0)
        return -1;
    *out = def;
    if (!val_is(def, VAL_DICT))
        return 0;
    *out = val_dict_new(a, val_count(def));
    for (size_t i = 0; i < val_count(def); i++) {
        if (!val_pair_at(def, i, &key, &value))
            continue;
        if (str_eq_c(val_text(key), "cells") && val_is(value, VAL_DICT))
            value = served_cells(value, a);
        else if (str_eq_c(val_text(key), "entities") && val_is(value, VAL_LIST))
            value = served_entities(value, a);
        val_dict_set(*out, key, value);
    }
    return 0;
}

struct str wf_served_text(struct str text, struct arena *a)
{
    struct val served;
    struct err ignored;

    return wf_served(text, &served, a, &ignored) == 0 ? json_text(served, a) : text;
}

struct val wf_referenced(struct val def, struct arena *a)
{
    struct val names = val_list_new(a, 4);
    struct val cells = val_get(def, "cells"), key, cell;

    for (size_t i = 0; i < val_count(cells); i++) {
        struct str type, name;

        if (!val_pair_at(cells, i, &key, &cell))
            continue;
        type = val_get_text(cell, "original_name", STR(""));
        name = str_trim(val_get_text(val_get(cell, "params"), "workflow", STR("")));
        if ((str_eq_c(type, "macro") || str_eq_c(type, "trigger_subworkflows")) && name.len > 0 &&
            !wf_output_listed(names, name))
            val_list_add(names, val_str(name));
    }
    return names;
}
