/*
 * The template playground: workflow-engine.md 6.7.
 *
 * Renders under the same budgets as everywhere else; stored templates can be included.
 */
#include "api/api.h"
#include "base/arena.h"
#include "base/json.h"
#include "template/literal.h"

enum { TRACE_STEPS_MAX = 200 };

struct trace {
    struct arena *a;
    struct val variables, steps;
};

static int load_stored(void *ctx, struct str name, struct str *source, struct arena *a, struct err *e)
{
    const struct cfg_template *t = cfg_template(ctx, name);

    (void)a;
    if (t == NULL) {
        err_set(e, ERR_NOT_FOUND, "%.*s", STR_ARG(name));
        return -1;
    }
    *source = t->source;
    return 0;
}

static void trace_variable(void *ctx, struct str name)
{
    struct trace *t = ctx;

    for (size_t i = 0; i < val_count(t->variables); i++) {
        if (str_eq(val_text(val_at(t->variables, i)), name))
            return;
    }
    if (val_count(t->variables) < TRACE_STEPS_MAX)
        val_list_add(t->variables, val_str_dup(t->a, name));
}

static void trace_step(void *ctx, int line, struct str expression, struct val value)
{
    struct trace *t = ctx;
    struct val step;

    if (val_count(t->steps) >= TRACE_STEPS_MAX)
        return;
    step = val_dict_new(t->a, 3);
    val_dict_set_c(step, "line", val_int(line));
    val_dict_set_c(step, "expression", val_str_dup(t->a, expression));
    val_dict_set_c(step, "value", val_copy(value, t->a));
    val_list_add(t->steps, step);
}

/* Indented JSON of the output, or null when it is none. */
static struct val json_form(struct str output, struct arena *a)
{
    struct err e = {0};
    struct val v;
    struct buf text;

    if (json_parse(output, &v, a, &e) != 0)
        return val_null();
    buf_init(&text, LIMIT_TMPL_OUTPUT, a);
    json_write(v, JSON_SPACED, 2, &text);
    return val_str(buf_str(&text));
}

/* Python's repr of the output read as a literal, or null. */
static struct val literal_form(struct str output, struct arena *a)
{
    struct err e = {0};
    struct val v;
    struct buf text;

    if (literal_parse(output, 0, &v, a, &e) != 0)
        return val_null();
    buf_init(&text, LIMIT_TMPL_OUTPUT, a);
    val_to_repr(v, &text);
    return val_str(buf_str(&text));
}

static int template_error(struct api_call *c, const struct err *e)
{
    struct val v = val_dict_new(c->a, 4);

    c->status = http_status_of(e->code) >= 500 ? http_status_of(e->code) : 400;
    val_dict_set_c(v, "error",
                   val_str(str_printf(c->a, "%s: %s%s", tmpl_exc_name((enum tmpl_exc)e->app_code), e->msg,
                                      e->line > 0 ? arena_printf(c->a, " (line %d)", e->line) : "")));
    if (e->line > 0)
        val_dict_set_c(v, "line", val_int(e->line));
    if (e->column > 0)
        val_dict_set_c(v, "column", val_int(e->column));
    c->result = v;
    return 0;
}

static int read_environment(struct api_call *c, struct tmpl_env *env, struct err *e)
{
    struct str lang = STR("jinja2");

    if (api_body_text(c, "lang", 20, &lang, e) != 0)
        return -1;
    *env = tmpl_env_platform;
    if (str_eq(lang, STR("jinja2")) || str_eq(lang, STR("jinja")) || lang.len == 0)
        return 0;
    if (str_eq(lang, STR("pongo2"))) {
        env->dialect = TMPL_PONGO2;
        return 0;
    }
    err_set(e, ERR_INVALID, "unknown template engine \"%.*s\"", STR_ARG(lang));
    return -1;
}

int templates_playground(struct api_call *c, struct err *e)
{
    struct trace trace = {c->a, val_list_new(c->a, 8), val_list_new(c->a, 8)};
    struct tmpl_trace hooks = {trace_variable, trace_step, &trace};
    bool debug = str_eq(http_req_param(c->req, "debug"), STR("1"));
    struct tmpl_run run = {
        .vars = val_get(c->body, "context"),
        .loader = load_stored,
        .loader_ctx = (void *)(uintptr_t)c->cfg,
        .cache = c->api->templates,
        .clock = c->api->clock,
        .timezone = c->cfg->timezone,
        .trace = debug ? &hooks : NULL,
    };
    struct str source = STR("");
    struct tmpl_env env;
    struct tmpl *t = NULL;
    struct buf out;
    int rc;

    if (api_body_text(c, "template", LIMIT_TMPL_SOURCE, &source, e) != 0 || read_environment(c, &env, e) != 0)
        return -1;
    if (val_is_none(run.vars))
        run.vars = val_dict_new(c->a, 0);
    if (!val_is(run.vars, VAL_DICT)) {
        err_set(e, ERR_INVALID, "context: expected an object, got %s", val_type_name(run.vars));
        return -1;
    }
    buf_init(&out, LIMIT_TMPL_OUTPUT, c->a);
    rc = tmpl_compile(&t, source, STR(""), &env, e);
    if (rc == 0)
        rc = tmpl_render(t, &run, &out, c->a, e);
    tmpl_unref(t);
    if (rc != 0)
        return template_error(c, e);
    c->result = val_dict_new(c->a, 4);
    val_dict_set_c(c->result, "output", val_str(buf_str(&out)));
    val_dict_set_c(c->result, "json_form", json_form(buf_str(&out), c->a));
    val_dict_set_c(c->result, "ast_eval", literal_form(buf_str(&out), c->a));
    val_dict_set_c(c->result, "trace", val_null());
    if (debug) {
        struct val v = val_dict_new(c->a, 2);

        val_dict_set_c(v, "variables_read", trace.variables);
        val_dict_set_c(v, "steps", trace.steps);
        val_dict_set_c(c->result, "trace", v);
    }
    return 0;
}
