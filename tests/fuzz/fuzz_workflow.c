/*
 * Fuzz: definitions of workflows, checked, compiled and run.  The input is the JSON of a
 * definition.
 *
 * The cell types are a few of its own: every role, and a worker with a parameter of each nature
 * that has a form.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "engine/instance_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cfg {
    struct str line, task;
    int64_t number;
    struct val data;
    struct node_body body;
    struct node_key key;
    struct node_key_values keys;
    struct node_pairs headers;
    struct node_cases cases;
    struct node_strs outputs, strings;
};

#define AT(member) .offset = offsetof(struct cfg, member)
static const struct param params[] = {
    {.name = "line", .kind = PARAM_LINE, AT(line)},
    {.name = "task", .kind = PARAM_TASK, AT(task)},
    {.name = "number", .kind = PARAM_INT, AT(number)},
    {.name = "data", .kind = PARAM_DATA, AT(data)},
    {.name = "body", .kind = PARAM_BODY, AT(body)},
    {.name = "key", .kind = PARAM_KEY, AT(key)},
    {.name = "keys", .kind = PARAM_KEYS, AT(keys)},
    {.name = "headers", .kind = PARAM_HEADERS, AT(headers)},
    {.name = "cases", .kind = PARAM_SWITCH, AT(cases)},
    {.name = "outputs", .kind = PARAM_OUTPUTS, AT(outputs)},
    {.name = "strings", .kind = PARAM_STRINGS, AT(strings)},
    {0},
};

struct jump {
    struct str task;
};

static const struct param jump_params[] = {
    {.name = "task", .kind = PARAM_TASK, .offset = offsetof(struct jump, task), .mandatory = true},
    {0},
};

static enum node_rc work_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (node_set(r, &c->key, val_str(c->line), e) != 0)
        return NODE_FAIL;
    for (size_t i = 0; i < c->cases.n; i++) {
        bool yes;

        if (node_expr_true(r, &c->cases.items[i].when, &yes, e) != 0)
            return NODE_FAIL;
        if (yes)
            return node_fire_str(r, c->cases.items[i].output);
    }
    if (c->number > 1000)
        return node_wait_until(r, r->now_us, "timer", c->line, "ok");
    return node_fire(r, "ok");
}

#define OUTPUTS(...)                                                                               \
    .outputs = (const char *const[])                                                               \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
static const struct node_type start = {.name = "start", OUTPUTS("ok"), .role = ROLE_START};
static const struct node_type end = {.name = "end", OUTPUTS(NULL), .role = ROLE_END};
static const struct node_type gate = {.name = "or", OUTPUTS("ok"), .role = ROLE_OR};
static const struct node_type join = {.name = "join", OUTPUTS("ok"), .role = ROLE_JOIN};
static const struct node_type jump = {
    .name = "goto", .params = jump_params, .cfg_size = sizeof(struct jump), .role = ROLE_GOTO};
static const struct node_type work = {.name = "w",
                                      OUTPUTS("ok", "error"),
                                      .params = params,
                                      .cfg_size = sizeof(struct cfg),
                                      .run = work_run};
static const struct node_type *const types[] = {&start, &end, &gate, &join, &jump, &work};

static int count_ids(void *ctx, int kind, int64_t above, int64_t *out, struct err *e)
{
    (void)above;
    (void)kind;
    (void)e;
    *out = ++*(int64_t *)ctx;
    return 0;
}

static void run(struct str text, const struct node_table *nodes, struct tmpl_cache *templates,
                struct arena *a)
{
    struct arena *scratch = arena_new(0);
    int64_t last_id = 0;
    const struct instance_env env = {.templates = templates, .next_id = count_ids, .ctx = &last_id};
    struct instance *in = NULL;
    struct workflow *wf;
    struct err e = {0};
    struct str state;

    if (wf_compile(&wf, text, nodes, templates, &e) == 0) {
        if (instance_new(&in, wf, &env, a, scratch, &e) == 0) {
            in->request = val_dict_new(a, 0);
            instance_run(in, INSTANCE_MAY_BLOCK);
            if (instance_state_write(in, &state, a) && json_parse(state, &in->request, a, &e) != 0)
                abort(); /* what is stored can be read back */
        }
        instance_release(in);
        wf_unref(wf);
    }
    arena_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct node_table nodes = {types, COUNT_OF(types)};
    struct str text = str_make((const char *)data, size), stored, again;
    struct tmpl_cache *templates;
    struct arena *a;
    struct wf_report report;
    struct err e = {0};

    if (utf8_check(text) != text.len)
        return 0;
    a = arena_new(0);
    templates = tmpl_cache_new(1 * MIB);
    if (wf_check(val_str(text), &nodes, WF_SAVE, NULL, NULL, &stored, &report, a, &e) == 0) {
        /* the stored form is a fixed point */
        if (wf_check(val_str(stored), &nodes, WF_SAVE, NULL, NULL, &again, &report, a, &e) != 0 ||
            !str_eq(stored, again))
            abort();
        run(stored, &nodes, templates, a);
    }
    tmpl_cache_free(templates);
    arena_free(a);
    return 0;
}
