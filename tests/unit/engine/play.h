/*
 * Playing an instance in a test: nodes of the test's own, ids counted, nothing stored.
 */
#ifndef SLUICE_TESTS_UNIT_ENGINE_PLAY_H
#define SLUICE_TESTS_UNIT_ENGINE_PLAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "engine/instance_int.h"
#include "support/cases.h"

struct play {
    struct arena *a, *scratch;
    struct tmpl_cache *templates;
    struct workflow *wf;
    struct instance *in;
    atomic_llong last_id;
};

static int play_id(void *ctx, int kind, int64_t above, int64_t *out, struct err *e)
{
    struct play *p = ctx;

    (void)kind;
    (void)e;
    *out = atomic_fetch_add(&p->last_id, 1) + 1;
    if (*out <= above)
        atomic_store(&p->last_id, *out = above + 1);
    return 0;
}

/* The play's own workflow under the name "self", for sub-instances and children. */
static int play_named(void *ctx, struct str name, struct workflow **out, int64_t *activity_id,
                      int64_t *version_id, int64_t *definition_id, struct err *e)
{
    struct play *p = ctx;

    *activity_id = *version_id = *definition_id = 1;
    if (!str_eq_c(name, "self")) {
        err_set(e, ERR_NOT_FOUND, "there is no workflow \"%.*s\"", STR_ARG(name));
        return -1;
    }
    *out = wf_ref(p->wf);
    return 0;
}

static struct str play_quotes(struct play *p, const char *text)
{
    char *s = arena_strdup(p->a, text);

    for (char *c = s; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return str_c(s);
}

/* `definition` is JSON with ' for ". */
static void play_begin(struct play *p, const struct node_table *nodes, const char *definition)
{
    struct instance_env env;
    struct err e;

    *p = (struct play){.a = arena_new(0), .scratch = arena_new(0), .templates = tmpl_cache_new(1 * MIB)};
    env = (struct instance_env){
        .templates = p->templates, .next_id = play_id, .workflow_named = play_named, .ctx = p};
    assert_int_equal(wf_compile(&p->wf, play_quotes(p, definition), nodes, p->templates, &e), 0);
    assert_int_equal(instance_new(&p->in, p->wf, &env, p->a, p->scratch, &e), 0);
    p->in->request = val_dict_new(p->a, 0);
}

static void play_end(struct play *p)
{
    instance_release(p->in);
    wf_unref(p->wf);
    tmpl_cache_free(p->templates);
    arena_free(p->scratch);
    arena_free(p->a);
}

/* The latest task of a cell; fails without one. */
static struct task *play_task(struct play *p, const char *cell)
{
    const struct wf_cell *c = wf_cell_find(p->wf, str_c(cell));
    int32_t at;

    assert_non_null(c);
    at = p->in->latest[c - p->wf->cells];
    assert_true(at >= 0);
    return p->in->tasks[at];
}

static const char *play_context(struct play *p, const char *key)
{
    return str_cstr(p->a, json_text(context_value(p->in, str_c(key)), p->a));
}

static const struct node_type play_start = {.name = "start", .outputs = (const char *const[]){"ok", NULL}, .role = ROLE_START};
static const struct node_type play_end_type = {.name = "end", .role = ROLE_END};
static const struct node_type play_join = {.name = "join", .outputs = (const char *const[]){"ok", NULL}, .role = ROLE_JOIN};

#endif
