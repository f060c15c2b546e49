/*
 * The engine of a process: built once, started, stopped; and the starts that do not come from a
 * route.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/json.h"
#include "engine/documents.h"
#include "gateway/gw_http.h"

enum { WORKFLOWS_MAX = 512 };

static void set_defaults(struct engine_opts *o)
{
    if (o->key_db == NULL)
        o->key_db = o->db;
    if (o->max_runs <= 0)
        o->max_runs = 12;
    if (o->lease_ms <= 0)
        o->lease_ms = 30000;
    if (o->poll_ms <= 0)
        o->poll_ms = 500;
    if (FAULT("jobs.poll")) /* it never looks by itself */
        o->poll_ms = INT32_MAX;
    if (o->sync_ms <= 0)
        o->sync_ms = 120000;
}

struct engine *engine_new(const struct engine_opts *o)
{
    struct engine *en = calloc(1, sizeof *en);

    if (en == NULL)
        abort();
    en->o = *o;
    set_defaults(&en->o);
    en->clock = o->clock != NULL ? o->clock : &clock_system;
    en->nodes = (struct node_table){o->nodes, o->n_nodes};
    en->workflows = wf_cache_new(&en->nodes, o->templates, WORKFLOWS_MAX);
    en->sessions = gw_sessions_new(o->clients, en->clock);
    en->http = gw_http_new(o->clients, en->sessions);
    gw_http_users(en->http, o->db, en->clock);
    en->documents = documents_new(o->db, o->cfg);
    owner_name(en->owner);
    pthread_mutex_init(&en->pool_lock, NULL);
    pthread_mutex_init(&en->watch_lock, NULL);
    pthread_mutex_init(&en->jobs_lock, NULL);
    clock_cond_init(&en->jobs_wake);
    clock_cond_init(&en->hold_wake);
    en->next_due_us = INT64_MAX;
    en->lanes_arena = arena_new(0);
    return en;
}

void engine_start(struct engine *en)
{
    jobs_start(en);
}

void engine_stop(struct engine *en)
{
    if (en != NULL)
        jobs_stop(en);
}

void engine_free(struct engine *en)
{
    if (en == NULL)
        return;
    for (size_t i = 0; i < en->n_pool; i++)
        arena_free(en->pool[i]);
    wf_cache_free(en->workflows);
    gw_http_free(en->http);
    gw_sessions_free(en->sessions);
    documents_free(en->documents);
    pthread_mutex_destroy(&en->pool_lock);
    pthread_mutex_destroy(&en->watch_lock);
    pthread_mutex_destroy(&en->jobs_lock);
    pthread_cond_destroy(&en->jobs_wake);
    pthread_cond_destroy(&en->hold_wake);
    arena_free(en->lanes_arena);
    free(en);
}

const struct node_table *engine_nodes(const struct engine *en)
{
    return &en->nodes;
}

struct gw_http *engine_http(const struct engine *en)
{
    return en->http;
}

struct gw_sessions *engine_sessions(const struct engine *en)
{
    return en->sessions;
}

int engine_launch(struct engine *en, const struct engine_start *s, int64_t *id, char guid[37],
                  struct err *e)
{
    const struct cfg_activity *act = cfg_activity(s->cfg, s->activity_id);
    struct run *r = run_new(en, s->cfg);
    const struct instance_env env = run_env(r);
    struct workflow *wf = NULL;
    int rc = -1;

    if (run_workflow(en, act, &wf, e) != 0 ||
        instance_new(&r->in, wf, &env, r->a, r->scratch, e) != 0)
        goto out;
    r->in->kind = s->kind != NULL ? s->kind : "run";
    r->in->request = val_copy(s->request, r->a);
    r->in->activity_id = act->id;
    r->in->version_id = act->version_id;
    r->in->definition_id = act->definition_id;
    r->in->step_durable = true;
    if (s->label.len > 0)
        r->in->label = str_dup(r->a, s->label);
    if (s->user != NULL) {
        r->in->user_id = s->user->id;
        r->in->owner = str_dup(r->a, s->user->username);
        r->in->user = user_value(s->user, r->a);
    }
    if (store_new(r, jobs_room(en), e) != 0)
        goto out;
    if (s->also != NULL)
        s->also(s->also_arg, &r->item, r->in->id, r->a);
    if (writer_store(en->o.writer, &r->item, e) != 0)
        goto out;
    store_new_committed(r);
    *id = r->in->id;
    memcpy(guid, r->in->guid, 37);
    rc = 0;
out:
    wf_unref(wf);
    if (rc == 0 && r->job_id != 0) {
        dispatch_new(r);
    } else {
        if (rc == 0)
            jobs_due(en, r->in->created_us);
        run_free(r);
    }
    return rc;
}
