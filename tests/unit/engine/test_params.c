/*
 * Parameters: every nature in every form it may be written in, rendered and converted
 * (workflow-engine.md 2.5 to 2.8).
 *
 * A node of its own shows what it was given; nothing but the engine takes part.
 */
#include "support/cases.h"

#include "base/json.h"
#include "engine/instance_int.h"

struct cfg {
    struct str line, jinja, choice, session, task;
    int64_t number, msec;
    struct val data, retry;
    const struct node_expr *expr;
    struct node_body body;
    bool flag;
    struct node_key key;
    struct node_key_values keys;
    struct node_pairs headers;
    struct node_cases cases;
    struct node_strs outputs, strings;
};

#define AT(member) .offset = offsetof(struct cfg, member)
static const struct param params[] = {
    {.name = "line",
     .kind = PARAM_LINE,
     AT(line),
     .otherwise = "dflt",
     .aliases = (const char *const[]){"alias", NULL}},
    {.name = "jinja", .kind = PARAM_JINJA, AT(jinja)},
    {.name = "choice",
     .kind = PARAM_CHOICE,
     AT(choice),
     .values = (const char *const[]){"get", "post", NULL}},
    {.name = "session", .kind = PARAM_SESSION, AT(session)},
    {.name = "task", .kind = PARAM_TASK, AT(task)},
    {.name = "number", .kind = PARAM_INT, AT(number), .otherwise = "7"},
    {.name = "msec", .kind = PARAM_MSEC, AT(msec)},
    {.name = "data", .kind = PARAM_DATA, AT(data)},
    {.name = "retry policy",
     .kind = PARAM_RETRY,
     AT(retry),
     .aliases = (const char *const[]){"retry", NULL}},
    {.name = "expr", .kind = PARAM_EXPR, AT(expr)},
    {.name = "body", .kind = PARAM_BODY, AT(body)},
    {.name = "flag", .kind = PARAM_BOOL, AT(flag), .otherwise = "true"},
    {.name = "key", .kind = PARAM_KEY, AT(key)},
    {.name = "keys", .kind = PARAM_KEYS, AT(keys)},
    {.name = "headers", .kind = PARAM_HEADERS, AT(headers)},
    {.name = "cases", .kind = PARAM_SWITCH, AT(cases)},
    {.name = "outputs", .kind = PARAM_OUTPUTS, AT(outputs)},
    {.name = "strings", .kind = PARAM_STRINGS, AT(strings)},
    {0},
};

static struct buf shown; /* what the probe saw; one test at a time */

static void show_pairs(const char *name, const struct node_pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        buf_addf(&shown, "%s[%.*s]=%.*s;", name, STR_ARG(p->items[i].name),
                 STR_ARG(p->items[i].value));
}

static void show_strs(const char *name, const struct node_strs *s)
{
    for (size_t i = 0; i < s->n; i++)
        buf_addf(&shown, "%s=%.*s;", name, STR_ARG(s->items[i]));
}

static int show_lazy(struct node_run *r, const struct cfg *c, struct err *e)
{
    struct str k, v;
    bool yes;

    for (size_t i = 0; i < c->keys.n; i++) {
        if (node_text_render(r, &c->keys.items[i].key, &k, e) != 0 ||
            node_text_render(r, &c->keys.items[i].value, &v, e) != 0)
            return -1;
        buf_addf(&shown, "keys[%.*s]=%.*s%s;", STR_ARG(k), STR_ARG(v),
                 c->keys.items[i].cleanup ? " cleanup" : "");
    }
    for (size_t i = 0; i < c->cases.n; i++) {
        if (node_expr_true(r, &c->cases.items[i].when, &yes, e) != 0)
            return -1;
        buf_addf(&shown, "cases[%.*s]=%d;", STR_ARG(c->cases.items[i].output), yes);
    }
    if (c->expr != NULL && c->expr->text.len > 0) {
        if (node_expr_true(r, c->expr, &yes, e) != 0)
            return -1;
        buf_addf(&shown, "expr=%d;", yes);
    }
    return 0;
}

static enum node_rc probe_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (!str_eq_c(c->line, "dflt"))
        buf_addf(&shown, "line=%.*s;", STR_ARG(c->line));
    if (c->jinja.len > 0)
        buf_addf(&shown, "jinja=%.*s;", STR_ARG(c->jinja));
    if (c->choice.len > 0)
        buf_addf(&shown, "choice=%.*s;", STR_ARG(c->choice));
    if (c->session.len > 0)
        buf_addf(&shown, "session=%.*s;", STR_ARG(c->session));
    if (c->task.len > 0)
        buf_addf(&shown, "task=%.*s;", STR_ARG(c->task));
    if (c->number != 7)
        buf_addf(&shown, "number=%lld;", (long long)c->number);
    if (c->msec != 0)
        buf_addf(&shown, "msec=%lld;", (long long)c->msec);
    if (!val_is_undef(c->data))
        buf_addf(&shown, "data=%.*s;", STR_ARG(json_text(c->data, r->a)));
    if (!val_is_undef(c->retry))
        buf_addf(&shown, "retry=%.*s;", STR_ARG(json_text(c->retry, r->a)));
    if (!c->flag)
        buf_add_c(&shown, "flag=false;");
    if (c->key.key.len > 0)
        buf_addf(&shown, "key=%.*s%s;", STR_ARG(c->key.key), c->key.cleanup ? " cleanup" : "");
    if (c->body.form == NODE_BODY_DEFAULT && c->body.text.len > 0)
        buf_addf(&shown, "body=%.*s;", STR_ARG(c->body.text));
    show_pairs(c->body.form == NODE_BODY_FORM ? "form" : "multipart", &c->body.fields);
    show_pairs("headers", &c->headers);
    show_strs("outputs", &c->outputs);
    show_strs("strings", &c->strings);
    if (show_lazy(r, c, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

static const struct node_type start = {
    .name = "start", .outputs = (const char *const[]){"ok", NULL}, .role = ROLE_START};
static const struct node_type probe = {.name = "probe",
                                       .outputs = (const char *const[]){"ok", NULL},
                                       .params = params,
                                       .cfg_size = sizeof(struct cfg),
                                       .flags = NODE_PURE,
                                       .run = probe_run};
static const struct node_type *const types[] = {&start, &probe};

static int count_ids(void *ctx, int kind, int64_t above, int64_t *out, struct err *e)
{
    (void)above;
    (void)kind;
    (void)e;
    *out = ++*(int64_t *)ctx;
    return 0;
}

static const struct row {
    const char *name;
    const char *params; /* ' for " */
    const char *want;   /* what the probe saw, or "! error" */
} rows[] = {
    {"nothing given", "{}", ""},
    {"empty is absent", "{'line':'','number':'','flag':'','body':'','data':''}", ""},
    {"params as an empty array", "[]", ""},
    {"line is trimmed", "{'line':'  a b '}", "line=a b;"},
    {"line by its alias", "{'alias':'x'}", "line=x;"},
    {"jinja is not trimmed, but for one newline", "{'jinja':' a\\n\\n'}", "jinja= a\n;"},
    {"rendered", "{'jinja':'{{ request.n + 1 }}','session':' {{ request.s }} '}",
     "jinja=4;session=gw;"},
    {"a number as text parameter", "{'jinja':5}", "jinja=5;"},
    {"jinja2 wrapper", "{'jinja':{'lang':'jinja2','value':'{{ request.n }}'}}", "jinja=3;"},
    {"engine is the other name of lang", "{'jinja':{'engine':'mako','value':'x'}}",
     "! parameter \"jinja\": unknown template engine \"mako\""},
    {"a template with a flaw", "{'jinja':'{{ oops'}", "! parameter \"jinja\"*"},
    {"number", "{'number':' 12 '}", "number=12;"},
    {"number as such", "{'number':12}", "number=12;"},
    {"number rendered", "{'number':'{{ request.n }}'}", "number=3;"},
    {"no number", "{'number':'12a'}", "! parameter \"number\": \"12a\" is not a whole number"},
    {"no number after rendering", "{'number':'{{ request.s }}'}",
     "! parameter \"number\": \"gw\" is not a whole number"},
    {"duration", "{'msec':'1h30m'}", "msec=5400000;"},
    {"duration in seconds", "{'msec':20}", "msec=20000;"},
    {"duration rendered", "{'msec':'{{ request.n }} min'}", "msec=180000;"},
    {"choice in any case", "{'choice':'POST'}", "choice=post;"},
    {"choice of something else", "{'choice':'zap'}",
     "! parameter \"choice\": \"zap\" is not among its values"},
    {"structure is not rendered", "{'task':'{{ request.n }}'}", "task={{ request.n }};"},
    {"boolean as text", "{'flag':'false'}", "flag=false;"},
    {"boolean as such", "{'flag':false}", "flag=false;"},
    {"boolean nonsense", "{'flag':'perhaps'}",
     "! parameter \"flag\": \"perhaps\" is neither true nor false"},
    {"data with Python's spelling", "{'data':'[1, None, (2, True,)]'}", "data=[1,null,[2,true]];"},
    {"data from a rendered value", "{'data':'{{ request }}'}", "data={\"n\":3,\"s\":\"gw\"};"},
    {"data broken", "{'data':'[1,'}", "! parameter \"data\"*"},
    {"key plain", "{'key':' k '}", "key=k;"},
    {"key as JSON text", "{'key':'{\\u0022key\\u0022:\\u0022k\\u0022,\\u0022cleanup\\u0022:true}'}",
     "key=k cleanup;"},
    {"key as an object", "{'key':{'key':'{{ request.s }}','cleanup':true}}", "key=gw cleanup;"},
    {"key that is a template", "{'key':'{{ request.s }}'}", "key=gw;"},
    {"keys as a list",
     "{'keys':[{'key':'a','value':'{{ request.n }}','cleanup':true},{'key':'b','value':2}]}",
     "keys[a]=3 cleanup;keys[b]=2;"},
    {"keys as an object", "{'keys':{'a':'1','b':'{{ request.s }}'}}", "keys[a]=1;keys[b]=gw;"},
    {"keys as JSON text",
     "{'keys':'[{\\u0022key\\u0022:\\u0022a\\u0022,\\u0022value\\u0022:\\u00221\\u0022}]'}",
     "keys[a]=1;"},
    {"keys of a wrong shape", "{'keys':['a']}",
     "! parameter \"keys\" is not a list of keys and values"},
    {"headers as JSON text",
     "{'headers':'[[\\u0022X-A\\u0022,\\u0022{{ request.n "
     "}}\\u0022],[\\u0022X-A\\u0022,\\u00222\\u0022]]'}",
     "headers[X-A]=3;headers[X-A]=2;"},
    {"headers as an object", "{'headers':{'X-A':'1'}}", "headers[X-A]=1;"},
    {"headers of a wrong shape", "{'headers':'X-A: 1'}",
     "! parameter \"headers\" is not a list of pairs"},
    {"outputs", "{'outputs':' 200 , 4*,,'}", "outputs=200;outputs=4*;"},
    {"outputs as an array", "{'outputs':['200',' 4* ','']}", "outputs=200;outputs=4*;"},
    {"strings are rendered", "{'strings':'a,{{ request.s }},{{ nope }}'}", "strings=a;strings=gw;"},
    {"cases",
     "{'cases':[['request.n == 3','a'],['\\u0022{{ request.s }}\\u0022 == \\u0022x\\u0022','b']]}",
     "cases[a]=1;cases[b]=0;"},
    {"cases with a flaw", "{'cases':[['request.n ==','a']]}", "!*"},
    {"expression", "{'expr':'request.n in [1,2,3] and not false'}", "expr=1;"},
    {"expression rendered to nothing", "{'expr':'{{ nope }}'}", "! the expression is empty"},
    {"expression of an unknown name", "{'expr':'nope'}", "!*"},
    {"body", "{'body':'x={{ request.n }}'}", "body=x=3;"},
    {"body as a form",
     "{'body':'ignored','body#format':'form','body#form':[['a','{{ request.n "
     "}}']],'body#multipart':[['b','1']]}",
     "form[a]=3;"},
    {"body as multipart",
     "{'body#format':'multipart','body#multipart':'[[\\u0022b\\u0022,\\u00221\\u0022]]'}",
     "multipart[b]=1;"},
    {"body as pairs without format is a form", "{'body':[['a','1']]}", "form[a]=1;"},
    {"retry by its other name", "{'retry':{'max':3}}", "retry={\"max\":3};"},
    {"retry of a wrong shape", "{'retry policy':'often'}",
     "! parameter \"retry policy\" is not an object"},
};

static struct str quotes(const char *s, struct arena *a)
{
    char *copy = arena_strdup(a, s);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return str_c(copy);
}

static void given(const struct row *r)
{
    const struct node_table nodes = {types, COUNT_OF(types)};
    struct arena *a = arena_new(0), *scratch = arena_new(0);
    struct tmpl_cache *templates = tmpl_cache_new(1 * MIB);
    int64_t last_id = 0;
    const struct instance_env env = {.templates = templates, .next_id = count_ids, .ctx = &last_id};
    struct str def = str_printf(
        a,
        "{\"cells\":{\"start\":{\"original_name\":\"start\"},\"p\":{\"original_name\":\"probe\","
        "\"params\":%s}},\"transitions\":[[\"start.ok\",\"p\"]]}",
        quotes(r->params, a).p);
    struct workflow *wf = NULL;
    struct instance *in = NULL;
    size_t want = strlen(r->want);
    struct err e;

    buf_init(&shown, 64 * KIB, a);
    assert_int_equal(wf_compile(&wf, def, &nodes, templates, &e), 0);
    assert_int_equal(instance_new(&in, wf, &env, a, scratch, &e), 0);
    assert_int_equal(json_parse(quotes("{'n':3,'s':'gw'}", a), &in->request, a, &e), 0);
    assert_int_equal(instance_run(in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    if (in->errors != NULL) {
        shown.len = 0;
        buf_addf(&shown, "! %.*s", STR_ARG(in->errors->description));
    }
    if (want > 0 && r->want[want - 1] == '*')
        assert_memory_equal(buf_cstr(&shown), r->want, want - 1);
    else
        assert_string_equal(buf_cstr(&shown), r->want);
    instance_release(in);
    wf_unref(wf);
    tmpl_cache_free(templates);
    arena_free(scratch);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, given);
}
