/*
 * Parameters: from what a definition holds to the members of a node's struct.
 *
 * Reading happens once, when a workflow is compiled: what holds no template is converted there and
 * then copied with the image of the struct; only the rest is rendered per execution.  Every nature
 * accepts both the text the editor writes and the structure it stands for.
 *
 * Rules: workflow-engine.md 2.5 to 2.8.
 */
#include "engine/workflow_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "template/literal.h"
#include "template/tmpl.h"

static const struct param_kind_info kinds[PARAM_KINDS] = {
    [PARAM_LINE] = {NULL, NULL, sizeof(struct str)},
    [PARAM_JINJA] = {"jinja", NULL, sizeof(struct str)},
    [PARAM_JSON] = {"json", NULL, sizeof(struct str)},
    [PARAM_INT] = {NULL, "int", sizeof(int64_t)},
    [PARAM_MSEC] = {NULL, NULL, sizeof(int64_t)},
    [PARAM_DATA] = {"python", NULL, sizeof(struct val)},
    [PARAM_EXPR] = {"python_bool", NULL, sizeof(struct node_expr *)},
    [PARAM_BODY] = {"http_body", NULL, sizeof(struct node_body)},
    [PARAM_BOOL] = {"boolean", NULL, sizeof(bool)},
    [PARAM_CHOICE] = {"list", NULL, sizeof(struct str)},
    [PARAM_KEY] = {"context_key", NULL, sizeof(struct node_key)},
    [PARAM_KEYS] = {"context_keys", NULL, sizeof(struct node_key_values)},
    [PARAM_HEADERS] = {"http_headers", NULL, sizeof(struct node_pairs)},
    [PARAM_SWITCH] = {"python_switch", NULL, sizeof(struct node_cases)},
    [PARAM_OUTPUTS] = {"outputs", NULL, sizeof(struct node_strs)},
    [PARAM_ENDS] = {"workflow_ends", NULL, sizeof(struct node_strs)},
    [PARAM_STRINGS] = {"strings", NULL, sizeof(struct node_strs)},
    [PARAM_RETRY] = {"retry", NULL, sizeof(struct val)},
    [PARAM_SESSION] = {"session_holder", NULL, sizeof(struct str)},
    [PARAM_ACTIVITY] = {"activity", NULL, sizeof(struct str)},
    [PARAM_TASK] = {"task", NULL, sizeof(struct str)},
    [PARAM_TIMER] = {"timer", NULL, sizeof(struct str)},
    [PARAM_ROLE] = {"user_role", NULL, sizeof(struct str)},
    [PARAM_FORM] = {"jsonschema_form_fields", NULL, sizeof(struct str)},
    [PARAM_XML] = {"xml", NULL, sizeof(struct str)},
};

const struct param_kind_info *param_kind_info(enum param_kind k)
{
    return &kinds[k];
}

/* ---- reading what was written --------------------------------------------------------------- */

/* The text of a value of any type: what a text field would hold. */
struct str param_raw_text(struct val raw, struct arena *a)
{
    switch (raw.type) {
    case VAL_UNDEF:
    case VAL_NULL:
        return STR("");
    case VAL_STR:
        return val_text(raw);
    case VAL_BOOL:
        return raw.u.b ? STR("true") : STR("false");
    default:
        return json_text(raw, a);
    }
}

/* A structure given as such or as its JSON text; undefined when it is neither. */
struct val param_raw_data(struct val raw, struct arena *a)
{
    struct err ignored;
    struct val v;

    if (!val_is(raw, VAL_STR))
        return raw;
    if (json_parse(val_text(raw), &v, a, &ignored) != 0)
        return val_undef(NULL);
    return v;
}

int node_text_compile(struct node_text *t, struct val raw, struct tmpl_cache *templates,
                      struct arena *a, struct err *e)
{
    struct tmpl_env env = tmpl_env_platform;
    struct str text, lang = STR("");

    *t = (struct node_text){0};
    if (val_is(raw, VAL_DICT) && val_is(val_get(raw, "value"), VAL_STR)) {
        lang = val_get_text(raw, "lang", val_get_text(raw, "engine", STR("jinja2")));
        raw = val_get(raw, "value");
    }
    if (str_eq_c(lang, "pongo2")) {
        env.dialect = TMPL_PONGO2;
    } else if (lang.len > 0 && !str_eq_c(lang, "jinja2")) {
        err_set(e, ERR_INVALID, "unknown template engine \"%.*s\"", STR_ARG(lang));
        return -1;
    }
    text = param_raw_text(raw, a);
    if (tmpl_is_plain(text)) {
        t->text = env.dialect == TMPL_JINJA ? tmpl_plain_text(text) : text;
        return 0;
    }
    return tmpl_cache_get(templates, text, STR(""), &env, &t->tmpl, e);
}

int node_text_run(const struct node_text *t, const struct tmpl_run *run, struct str *out,
                  struct arena *a, struct err *e)
{
    struct buf b;

    if (t->tmpl == NULL) {
        *out = t->text;
        return 0;
    }
    buf_init(&b, LIMIT_TMPL_OUTPUT, a);
    if (tmpl_render(t->tmpl, run, &b, a, e) != 0)
        return -1;
    *out = buf_str(&b);
    if (out->p == NULL)
        *out = STR("");
    return 0;
}

/* ---- expressions ---------------------------------------------------------------------------- */

void node_expr_compile(struct node_expr *x, struct val raw, struct tmpl_cache *templates,
                       struct arena *a)
{
    struct err ignored;

    x->text = str_trim(param_raw_text(raw, a));
    /* a flaw shows when the expression is evaluated: an earlier case of a switch may win before */
    if (tmpl_is_plain(x->text)) {
        if (tmpl_cache_expr(templates, x->text, &x->expr, &ignored) != 0)
            x->expr = NULL;
    } else if (tmpl_cache_get(templates, x->text, STR(""), &tmpl_env_platform, &x->render,
                              &ignored) != 0) {
        x->render = NULL;
    }
}

static int expr_eval(struct str text, const struct tmpl_run *run, struct val *out, struct arena *a,
                     struct err *e)
{
    struct tmpl *t = NULL;
    int rc;

    if (str_trim(text).len == 0) {
        err_set(e, ERR_INVALID, "the expression is empty");
        return -1;
    }
    if (run->cache != NULL)
        rc = tmpl_cache_expr(run->cache, str_trim(text), &t, e);
    else
        rc = tmpl_compile_expr(&t, str_trim(text), true, e);
    if (rc != 0)
        return -1;
    rc = tmpl_eval(t, run, out, a, e);
    tmpl_unref(t);
    return rc;
}

int node_expr_run(const struct node_expr *x, const struct tmpl_run *run, bool *out, struct arena *a,
                  struct err *e)
{
    struct val v = val_undef(NULL);
    struct str text = x->text;
    int rc;

    if (x->expr != NULL) {
        rc = tmpl_eval(x->expr, run, &v, a, e);
    } else {
        if (x->render == NULL && !tmpl_is_plain(text)) {
            struct tmpl *t;

            /* compiled again for its error */
            if (tmpl_compile(&t, text, STR(""), &tmpl_env_platform, e) != 0)
                return -1;
            tmpl_unref(t);
        }
        if (x->render != NULL &&
            node_text_run(&(struct node_text){.tmpl = x->render}, run, &text, a, e) != 0)
            return -1;
        rc = expr_eval(text, run, &v, a, e);
    }
    if (rc != 0)
        return -1;
    if (val_is_undef(v)) {
        err_set(e, ERR_INVALID, "\"%.*s\" is undefined in \"%.*s\"",
                (int)(v.u.undef_name != NULL ? 100 : 12),
                v.u.undef_name != NULL ? v.u.undef_name : "the result",
                STR_ARG(str_slice(text, 0, 200)));
        return -1;
    }
    *out = val_truth(v);
    return 0;
}

/* ---- conversions of rendered text ----------------------------------------------------------- */

/* Bodies and values keep their blanks; names, numbers and URLs do not. */
static bool as_written(enum param_kind k)
{
    return k == PARAM_JINJA || k == PARAM_JSON || k == PARAM_DATA || k == PARAM_XML;
}

int param_convert(const struct param *p, struct str text, struct clock *clock, struct str zone,
                  void *dst, struct arena *a, struct err *e)
{
    bool empty;

    if (!as_written(p->kind))
        text = str_trim(text);
    empty = text.len == 0;
    if (empty && p->mandatory && !as_written(p->kind)) {
        err_set(e, ERR_INVALID, "parameter \"%s\" is empty", p->name);
        return -1;
    }
    if (empty && p->otherwise != NULL)
        text = str_c(p->otherwise);
    empty = text.len == 0;
    switch (p->kind) {
    case PARAM_INT:
        *(int64_t *)dst = 0;
        if (!empty && !str_to_int(text, dst)) {
            err_set(e, ERR_INVALID, "parameter \"%s\": \"%.*s\" is not a whole number", p->name,
                    STR_ARG(str_slice(text, 0, 100)));
            return -1;
        }
        return 0;
    case PARAM_MSEC:
        *(int64_t *)dst = 0;
        if (!empty && duration_parse(text, clock_wall_us(clock != NULL ? clock : &clock_system),
                                     zone, dst, e) != 0) {
            err_context(e, "parameter \"%s\"", p->name);
            return -1;
        }
        return 0;
    case PARAM_DATA:
        *(struct val *)dst = val_undef(NULL);
        if (str_trim(text).len > 0 && literal_parse(text, 0, dst, a, e) != 0) {
            err_context(e, "parameter \"%s\"", p->name);
            return -1;
        }
        return 0;
    default:
        *(struct str *)dst = text;
        return 0;
    }
}

/* ---- rendering ------------------------------------------------------------------------------ */

/* Texts alternate: names and values. */
int param_pairs_run(const struct node_text *texts, size_t n, const struct tmpl_run *run,
                    struct node_pairs *out, struct arena *a, struct err *e)
{
    out->n = n / 2;
    out->items = ARENA_ARRAY(a, struct node_pair, n / 2);
    for (size_t i = 0; i < n / 2; i++) {
        if (node_text_run(&texts[2 * i], run, &out->items[i].name, a, e) != 0 ||
            node_text_run(&texts[2 * i + 1], run, &out->items[i].value, a, e) != 0)
            return -1;
        out->items[i].name = str_trim(out->items[i].name);
    }
    return 0;
}

static int render_one(const struct param_dyn *d, const struct tmpl_run *run, struct clock *clock,
                      void *dst, struct arena *a, struct err *e)
{
    struct str text = STR("");

    switch (d->param->kind) {
    case PARAM_HEADERS:
        return param_pairs_run(d->texts, d->n, run, dst, a, e);
    case PARAM_STRINGS: {
        struct node_strs *out = dst;

        out->items = ARENA_ARRAY(a, struct str, d->n);
        out->n = 0;
        for (size_t i = 0; i < d->n; i++) {
            if (node_text_run(&d->texts[i], run, &text, a, e) != 0)
                return -1;
            text = str_trim(text);
            if (text.len > 0)
                out->items[out->n++] = text;
        }
        return 0;
    }
    case PARAM_BODY: {
        struct node_body *out = dst;

        if (d->form != NODE_BODY_DEFAULT)
            return param_pairs_run(d->texts, d->n, run, &out->fields, a, e);
        return node_text_run(d->texts, run, &out->text, a, e);
    }
    case PARAM_KEY: {
        struct node_key *out = dst;

        if (node_text_run(d->texts, run, &text, a, e) != 0)
            return -1;
        out->key = str_trim(text);
        out->cleanup = d->cleanup;
        return 0;
    }
    default:
        if (node_text_run(d->texts, run, &text, a, e) != 0)
            return -1;
        return param_convert(d->param, text, clock, run->timezone, dst, a, e);
    }
}

int param_render(const struct param_dyn *d, const struct tmpl_run *run, struct clock *clock,
                 void *cfg, struct arena *a, struct err *e)
{
    if (render_one(d, run, clock, (char *)cfg + d->param->offset, a, e) != 0) {
        if (str_find(str_c(e->msg), STR("parameter \"")) != 0)
            err_context(e, "parameter \"%s\"", d->param->name);
        return -1;
    }
    return 0;
}

/* ---- custom outputs ------------------------------------------------------------------------- */

void param_custom_outputs(const struct node_type *t, struct val params, struct val list,
                          struct arena *a)
{
    for (const struct param *p = t->params; p != NULL && p->name != NULL; p++) {
        struct val raw = wf_param_raw(p, params);
        struct node_strs names = {NULL, 0};

        if (p->kind == PARAM_OUTPUTS || p->kind == PARAM_ENDS) {
            names = param_list(raw, a);
        } else if (p->kind == PARAM_SWITCH) {
            struct val cases = param_raw_data(raw, a);

            names.items = ARENA_ARRAY(a, struct str, val_count(cases));
            for (size_t i = 0; i < val_count(cases); i++)
                names.items[names.n++] = str_trim(param_raw_text(val_at(val_at(cases, i), 1), a));
        }
        for (size_t i = 0; i < names.n; i++)
            if (!wf_output_listed(list, names.items[i]))
                val_list_add(list, val_str(names.items[i]));
    }
}
