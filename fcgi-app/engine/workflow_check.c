/*
 * The checks of a definition, V1 to V16, and the form it is stored in.
 *
 * Rules: workflow-engine.md 1.1 (round trip), 1.8 (checks), 2.4 (validation of parameters).
 */
#include "engine/workflow_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "template/tmpl.h"

struct checker {
    struct val def, cells, transitions, entities;
    const struct node_table *nodes;
    enum wf_strictness how;
    bool (*known)(void *ctx, struct str name);
    void *ctx;
    struct wf_report *report;
    struct arena *a;
};

PRINTF_LIKE(6, 7)
static void note(struct checker *c, const char *rule, bool reject, struct str cell, struct str path,
                 const char *fmt, ...)
{
    struct wf_issue *i = ARENA_NEW(c->a, struct wf_issue);
    va_list ap;

    i->rule = rule;
    i->reject = reject;
    i->cell = cell;
    i->path = path;
    va_start(ap, fmt);
    i->message = str_c(arena_vprintf(c->a, fmt, ap));
    va_end(ap);
    if (c->report->last != NULL)
        c->report->last->next = i;
    else
        c->report->issues = i;
    c->report->last = i;
    if (reject)
        c->report->n_rejects++;
    else
        c->report->n_warnings++;
}

static struct str cell_path(struct checker *c, struct str cell, const char *member)
{
    return str_printf(c->a, "cells.%.*s%s%s", STR_ARG(cell), member[0] != '\0' ? "." : "", member);
}

/* ---- V1: the form --------------------------------------------------------------------------- */

static void check_outputs_form(struct checker *c, struct str name, struct val cell)
{
    struct val outputs = val_get(cell, "outputs");

    if (val_is_none(outputs))
        return;
    if (!val_is(outputs, VAL_LIST)) {
        note(c, "V1", true, name, cell_path(c, name, "outputs"),
             "outputs of cell \"%.*s\" must be an array of texts", STR_ARG(name));
        return;
    }
    for (size_t i = 0; i < val_count(outputs); i++)
        if (!val_is(val_at(outputs, i), VAL_STR) || !node_storable(val_text(val_at(outputs, i)))) {
            note(c, "V1", true, name, cell_path(c, name, "outputs"),
                 "outputs of cell \"%.*s\" must be an array of texts", STR_ARG(name));
            return;
        }
}

static void check_cell_form(struct checker *c, struct str name, struct val cell)
{
    struct val params;

    if (!node_storable(name)) {
        note(c, "V1", true, STR(""), STR("cells"), "the name of a cell cannot hold a NUL");
        return;
    }
    if (!val_is(cell, VAL_DICT)) {
        note(c, "V1", true, name, cell_path(c, name, ""), "cell \"%.*s\" must be an object",
             STR_ARG(name));
        return;
    }
    if (val_get_text(cell, "original_name", STR("")).len == 0)
        note(c, "V1", true, name, cell_path(c, name, "original_name"),
             "cell \"%.*s\" has no original_name", STR_ARG(name));
    params = val_get(cell, "params");
    if (!val_is_none(params) && !val_is(params, VAL_DICT) &&
        !(val_is(params, VAL_LIST) && val_count(params) == 0))
        note(c, "V1", true, name, cell_path(c, name, "params"),
             "params of cell \"%.*s\" must be an object", STR_ARG(name));
    check_outputs_form(c, name, cell);
}

static void check_transition_form(struct checker *c, size_t i, struct val t)
{
    size_t n = val_count(t);

    if (!val_is(t, VAL_LIST) || n < 2 || n > 3 || !val_is(val_at(t, 0), VAL_STR) ||
        !val_is(val_at(t, 1), VAL_STR))
        note(c, "V1", true, STR(""), str_printf(c->a, "transitions.%zu", i),
             "transition %zu must be an array of source and target", i);
}

static void check_form(struct checker *c)
{
    struct val key, cell;

    if (!val_is(c->cells, VAL_DICT))
        note(c, "V1", true, STR(""), STR("cells"), "cells must be an object");
    if (!val_is(c->transitions, VAL_LIST))
        note(c, "V1", true, STR(""), STR("transitions"), "transitions must be an array");
    if (!val_is_none(c->entities) && !val_is(c->entities, VAL_LIST))
        note(c, "V1", true, STR(""), STR("entities"), "entities must be an array");
    if (c->report->n_rejects > 0)
        return;
    for (size_t i = 0; i < val_count(c->cells); i++)
        if (val_pair_at(c->cells, i, &key, &cell))
            check_cell_form(c, val_text(key), cell);
    for (size_t i = 0; i < val_count(c->entities); i++) {
        struct val entity = val_at(c->entities, i);

        if (val_get_text(entity, "name", STR("")).len == 0)
            note(c, "V1", true, STR(""), str_printf(c->a, "entities.%zu.name", i),
                 "entity %zu has no name", i);
        else
            check_outputs_form(c, val_get_text(entity, "name", STR("")), entity);
    }
    for (size_t i = 0; i < val_count(c->transitions); i++)
        check_transition_form(c, i, val_at(c->transitions, i));
}

/* ---- the graph ------------------------------------------------------------------------------ */

static struct val entity_named(struct checker *c, struct str name)
{
    for (size_t i = 0; i < val_count(c->entities); i++)
        if (str_eq(val_get_text(val_at(c->entities, i), "name", STR("")), name))
            return val_at(c->entities, i);
    return val_undef(NULL);
}

static const struct node_type *type_of(struct checker *c, struct val cell)
{
    return node_table_find(c->nodes, val_get_text(cell, "original_name", STR("")));
}

static bool role_is(struct checker *c, struct val cell, enum node_role role)
{
    const struct node_type *t = type_of(c, cell);

    return t != NULL && t->role == role;
}

static void check_names(struct checker *c)
{
    size_t starts = 0, ends = 0;
    struct val key, cell;

    for (size_t i = 0; i < val_count(c->cells); i++) {
        if (!val_pair_at(c->cells, i, &key, &cell))
            continue;
        starts += role_is(c, cell, ROLE_START);
        ends += role_is(c, cell, ROLE_END);
        if (type_of(c, cell) == NULL)
            note(c, "V7", false, val_text(key), cell_path(c, val_text(key), "original_name"),
                 "unknown node type \"%.*s\"",
                 STR_ARG(val_get_text(cell, "original_name", STR(""))));
    }
    if (starts > 1)
        note(c, "V3", true, STR(""), STR("cells"), "the workflow has more than one start");
    if (starts == 0)
        note(c, "V4", true, STR(""), STR("cells"), "the workflow has no start");
    if (ends == 0)
        note(c, "V8", false, STR(""), STR("cells"), "the workflow has no end");
    for (size_t i = 0; i < val_count(c->entities); i++) {
        struct str name = val_get_text(val_at(c->entities, i), "name", STR(""));

        if (name.len == 0) /* V1 said so */
            continue;
        for (size_t k = 0; k < i; k++)
            if (str_eq(name, val_get_text(val_at(c->entities, k), "name", STR(""))))
                note(c, "V11", true, name, str_printf(c->a, "entities.%zu", i),
                     "entity \"%.*s\" is there twice", STR_ARG(name));
        if (!val_is_undef(val_get_str(c->cells, name)))
            note(c, "V12", true, name, str_printf(c->a, "entities.%zu", i),
                 "\"%.*s\" names a cell and an entity", STR_ARG(name));
    }
}

static bool output_exists(struct checker *c, struct val cell, struct str output)
{
    struct val outputs = wf_cell_outputs(cell, type_of(c, cell), c->a);

    if (wf_output_listed(outputs, output))
        return true;
    return (str_eq_c(output, "ok") && wf_output_listed(outputs, STR("success"))) ||
           (str_eq_c(output, "success") && wf_output_listed(outputs, STR("ok")));
}

static void check_transition(struct checker *c, size_t i, struct val t)
{
    struct str path = str_printf(c->a, "transitions.%zu", i);
    struct str source = val_text(val_at(t, 0)), target = val_text(val_at(t, 1)), name, output;
    bool reject = c->how == WF_COMMIT;
    struct val from, to;

    if (!wf_source_cut(source, &name, &output)) {
        note(c, "V5", reject, STR(""), path, "source \"%.*s\" names no output", STR_ARG(source));
        return;
    }
    from = val_get_str(c->cells, name);
    if (val_is_undef(from))
        from = entity_named(c, name);
    to = val_get_str(c->cells, target);
    if (val_is_undef(to))
        to = entity_named(c, target);
    if (val_is_undef(from))
        note(c, "V5", reject, name, path, "transition from \"%.*s\", which does not exist",
             STR_ARG(name));
    else if (role_is(c, from, ROLE_END) || role_is(c, from, ROLE_NOTE) ||
             role_is(c, from, ROLE_GOTO))
        note(c, "V6", reject, name, path, "no transition may leave \"%.*s\"", STR_ARG(name));
    else if (!output_exists(c, from, output))
        note(c, "V5", reject, name, path, "cell \"%.*s\" has no output \"%.*s\"", STR_ARG(name),
             STR_ARG(output));
    if (val_is_undef(to))
        note(c, "V5", reject, target, path, "transition to \"%.*s\", which does not exist",
             STR_ARG(target));
    else if (role_is(c, to, ROLE_START) || role_is(c, to, ROLE_NOTE))
        note(c, "V6", reject, target, path, "no transition may enter \"%.*s\"", STR_ARG(target));
}

/* V9: everything that a start, an entity or a goto can reach. */
static void check_reach(struct checker *c)
{
    struct map seen;
    bool more = true;
    struct val key, cell;

    map_init(&seen, c->a);
    for (size_t i = 0; i < val_count(c->cells); i++)
        if (val_pair_at(c->cells, i, &key, &cell)) {
            if (role_is(c, cell, ROLE_START))
                map_set(&seen, val_text(key), c);
            if (role_is(c, cell, ROLE_GOTO)) {
                struct val to =
                    wf_param_raw(&type_of(c, cell)->params[0], wf_cell_params(cell, c->a));

                if (val_is(to, VAL_STR))
                    map_set(&seen, val_text(to), c);
            }
        }
    for (size_t i = 0; i < val_count(c->entities); i++)
        map_set(&seen, val_get_text(val_at(c->entities, i), "name", STR("")), c);
    while (more) {
        more = false;
        for (size_t i = 0; i < val_count(c->transitions); i++) {
            struct str name, output, to = val_text(val_at(val_at(c->transitions, i), 1));

            if (wf_source_cut(val_text(val_at(val_at(c->transitions, i), 0)), &name, &output) &&
                map_find(&seen, name) != NULL && map_find(&seen, to) == NULL) {
                map_set(&seen, to, c);
                more = true;
            }
        }
    }
    for (size_t i = 0; i < val_count(c->cells); i++)
        if (val_pair_at(c->cells, i, &key, &cell) && map_find(&seen, val_text(key)) == NULL &&
            !role_is(c, cell, ROLE_NOTE))
            note(c, "V9", false, val_text(key), cell_path(c, val_text(key), ""),
                 "cell \"%.*s\" is never reached", STR_ARG(val_text(key)));
}

/* V16: a join that cannot do its work. */
static void check_join(struct checker *c, struct str name)
{
    struct str first = STR_NONE, output, from;
    size_t n = 0;
    bool one_source = true;

    for (size_t i = 0; i < val_count(c->transitions); i++) {
        struct val t = val_at(c->transitions, i);

        if (!str_eq(val_text(val_at(t, 1)), name) ||
            !wf_source_cut(val_text(val_at(t, 0)), &from, &output))
            continue;
        one_source = one_source && (n == 0 || str_eq(from, first));
        first = from;
        n++;
    }
    if (n < 2)
        note(c, "V16", false, name, cell_path(c, name, ""),
             "join \"%.*s\" has fewer than two incoming transitions", STR_ARG(name));
    else if (one_source)
        note(c, "V16", false, name, cell_path(c, name, ""),
             "the transitions into join \"%.*s\" exclude each other", STR_ARG(name));
}

/* ---- parameters ----------------------------------------------------------------------------- */

static void check_param(struct checker *c, struct str name, const struct param *p,
                        struct val params)
{
    struct val raw = wf_param_raw(p, params);
    struct str text = str_trim(val_text(raw)), path = cell_path(c, name, "params");
    int64_t ignored;

    if (p->mandatory && val_is_undef(raw))
        note(c, "V15", false, name, path, "parameter \"%s\" of cell \"%.*s\" is empty", p->name,
             STR_ARG(name));
    if ((p->kind == PARAM_TASK || p->kind == PARAM_TIMER) && text.len > 0 &&
        val_is_undef(val_get_str(c->cells, text)))
        note(c, "V13", false, name, path, "cell \"%.*s\" refers to \"%.*s\", which does not exist",
             STR_ARG(name), STR_ARG(text));
    if (p->kind == PARAM_ACTIVITY && text.len > 0 && tmpl_is_plain(text) && c->known != NULL &&
        !c->known(c->ctx, text))
        note(c, "V14", false, name, path,
             "cell \"%.*s\" runs workflow \"%.*s\", which does not exist", STR_ARG(name),
             STR_ARG(text));
    if (p->kind == PARAM_INT && text.len > 0 && tmpl_is_plain(text) && !str_to_int(text, &ignored))
        note(c, "V15", c->how == WF_COMMIT, name, path,
             "parameter \"%s\" of cell \"%.*s\" is not a whole number", p->name, STR_ARG(name));
}

/* Whoever chose a form while he made the cell has its name as the body. */
static void check_body(struct checker *c, struct str name, const struct param *p, struct val params)
{
    struct str text = val_text(wf_param_raw(p, params));

    if (p->kind == PARAM_BODY && (str_eq_c(text, "form") || str_eq_c(text, "multipart")) &&
        val_is_undef(val_get_str(params, str_printf(c->a, "%s#format", p->name))))
        note(c, "V15", false, name, cell_path(c, name, "params"),
             "parameter \"%s\" of cell \"%.*s\" is the text \"%.*s\" and is sent as it is: choose the form again", p->name,
             STR_ARG(name), STR_ARG(text));
}

static void check_cells(struct checker *c)
{
    struct val key, cell;

    for (size_t i = 0; i < val_count(c->cells); i++) {
        const struct node_type *t;

        if (!val_pair_at(c->cells, i, &key, &cell) || (t = type_of(c, cell)) == NULL)
            continue;
        for (const struct param *p = t->params; p != NULL && p->name != NULL; p++) {
            check_param(c, val_text(key), p, wf_cell_params(cell, c->a));
            check_body(c, val_text(key), p, wf_cell_params(cell, c->a));
        }
        if (t->role == ROLE_JOIN)
            check_join(c, val_text(key));
    }
}

/* ---- the stored form ------------------------------------------------------------------------ */

static struct val without_empty_style(struct val cell, struct arena *a)
{
    struct val style = val_get(cell, "style"), out, key, value;

    if (val_is_undef(style) || (!val_is(style, VAL_NULL) && val_count(style) > 0))
        return cell;
    out = val_dict_new(a, val_count(cell));
    for (size_t i = 0; i < val_count(cell); i++)
        if (val_pair_at(cell, i, &key, &value) && !str_eq_c(val_text(key), "style"))
            val_dict_set(out, key, value);
    return out;
}

static struct val stored_form(struct checker *c)
{
    struct val out = val_dict_new(c->a, val_count(c->def)), key, value, k, v;

    for (size_t i = 0; i < val_count(c->def); i++) {
        if (!val_pair_at(c->def, i, &key, &value))
            continue;
        if (str_eq_c(val_text(key), "cells")) {
            struct val cells = val_dict_new(c->a, val_count(value));

            for (size_t n = 0; n < val_count(value); n++)
                if (val_pair_at(value, n, &k, &v))
                    val_dict_set(cells, k, without_empty_style(v, c->a));
            value = cells;
        } else if (str_eq_c(val_text(key), "entities") && val_is(value, VAL_LIST)) {
            struct val entities = val_list_new(c->a, val_count(value));

            for (size_t n = 0; n < val_count(value); n++)
                val_list_add(entities, without_empty_style(val_at(value, n), c->a));
            value = entities;
        } else if (str_eq_c(val_text(key), "transitions")) {
            struct val list = val_list_new(c->a, val_count(value));

            for (size_t n = 0; n < val_count(value); n++) {
                struct val pair = val_list_new(c->a, 2);

                val_list_add(pair, val_at(val_at(value, n), 0));
                val_list_add(pair, val_at(val_at(value, n), 1));
                val_list_add(list, pair);
            }
            value = list;
        }
        val_dict_set(out, key, value);
    }
    return out;
}

int wf_check(struct val def, const struct node_table *nodes, enum wf_strictness how,
             bool (*known)(void *ctx, struct str name), void *ctx, struct str *text,
             struct wf_report *report, struct arena *a, struct err *e)
{
    struct checker c = {
        .nodes = nodes, .how = how, .known = known, .ctx = ctx, .report = report, .a = a};
    struct str stored;

    *report = (struct wf_report){0};
    /* a text, or a text of a text: clients that read the definition as text send it back encoded
     * twice */
    for (int i = 0; i < 2 && val_is(def, VAL_STR); i++)
        if (json_parse_copy(val_text(def), &def, a, e) != 0) {
            note(&c, "V1", true, STR(""), STR("definition"), "the definition is not JSON: %s",
                 e->msg);
            err_context(e, "the definition is not JSON");
            return -1;
        }
    c.def = def;
    c.cells = val_get(def, "cells");
    c.transitions = val_get(def, "transitions");
    c.entities = val_get(def, "entities");
    check_form(&c);
    if (report->n_rejects == 0) {
        check_names(&c);
        for (size_t i = 0; i < val_count(c.transitions); i++)
            check_transition(&c, i, val_at(c.transitions, i));
        check_reach(&c);
        check_cells(&c);
    }
    for (struct wf_issue *i = report->issues; i != NULL; i = i->next)
        if (i->reject) {
            err_set(e, ERR_INVALID, "%.*s", STR_ARG(i->message));
            return -1;
        }
    stored = json_text(stored_form(&c), a);
    if (stored.len > LIMIT_DEFINITION) {
        err_set(e, ERR_LIMIT, "the definition is larger than %zu bytes", (size_t)LIMIT_DEFINITION);
        return -1;
    }
    *text = stored;
    return 0;
}

struct val wf_report_warnings(const struct wf_report *r, struct arena *a)
{
    struct val list = val_list_new(a, r->n_warnings);

    for (const struct wf_issue *i = r->issues; i != NULL; i = i->next)
        if (!i->reject) {
            struct val w = val_dict_new(a, 3);

            val_dict_set_c(w, "cell", val_str(i->cell));
            val_dict_set_c(w, "rule", val_str_c(i->rule));
            val_dict_set_c(w, "message", val_str(i->message));
            val_list_add(list, w);
        }
    return list;
}

struct val wf_report_errors(const struct wf_report *r, struct arena *a)
{
    struct val list = val_list_new(a, r->n_rejects);

    for (const struct wf_issue *i = r->issues; i != NULL; i = i->next)
        if (i->reject) {
            struct val w = val_dict_new(a, 2);

            val_dict_set_c(w, "message", val_str(i->message));
            val_dict_set_c(w, "path", val_str(i->path));
            val_list_add(list, w);
        }
    return list;
}
