/*
 * The life of a run: its arenas, its surroundings, and the workflow it follows.
 */
#include "engine/engine_int.h"

#include <unistd.h>

#include "base/log.h"

enum {
    ARENA_CHUNK = 16 * 1024,
    RETRY_MS = 500, /* the database is away: try again after */
};

/* Arenas are kept between runs: a run then allocates nothing. */
static struct arena *arena_take(struct engine *en)
{
    struct arena *a = NULL;

    pthread_mutex_lock(&en->pool_lock);
    if (en->n_pool > 0)
        a = en->pool[--en->n_pool];
    pthread_mutex_unlock(&en->pool_lock);
    return a != NULL ? a : arena_new(ARENA_CHUNK);
}

static void arena_give(struct engine *en, struct arena *a)
{
    arena_reset(a);
    pthread_mutex_lock(&en->pool_lock);
    if (en->n_pool < COUNT_OF(en->pool)) {
        en->pool[en->n_pool++] = a;
        a = NULL;
    }
    pthread_mutex_unlock(&en->pool_lock);
    arena_free(a);
}

struct run *run_new(struct engine *en, const struct cfg *cfg)
{
    struct arena *a = arena_take(en);
    struct run *r = ARENA_NEW(a, struct run);

    r->en = en;
    r->a = a;
    r->scratch = arena_take(en);
    r->cfg = cfg_ref(cfg);
    atomic_init(&r->req, NULL);
    return r;
}

void run_free(struct run *r)
{
    struct engine *en = r->en;
    struct arena *a = r->a, *scratch = r->scratch;

    watch_remove(r);
    if (r->in != NULL && r->in->team != NULL)
        team_end(r->in);
    lease_drop(r);
    instance_release(r->in);
    cfg_put(r->cfg);
    arena_give(en, scratch);
    arena_give(en, a); /* the run lives in it */
}

/*
 * Without an id a task, a key or an error would be missing from what is stored; without a row a node
 * would go wrong.  Who holds a lease waits until the database is back; where somebody waits for the
 * answer the run fails as a whole.
 */
static bool try_again(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (r->broken || r->job_id == 0 || r->en->jobs_stop ||
        (e->code != ERR_DB && e->code != ERR_BUSY && e->code != ERR_TIMEOUT)) {
        r->broken = true;
        return false;
    }
    usleep(RETRY_MS * 1000);
    return true;
}

static int next_id(void *ctx, int kind, int64_t above, int64_t *out, struct err *e)
{
    struct run *r = ctx;

    while (ids_next_above(r->en->o.ids, (enum ids_kind)kind, above, out, e) != 0)
        if (!try_again(r, e))
            return -1;
    return 0;
}

int run_workflow(struct engine *en, const struct cfg_activity *act, struct workflow **out,
                 struct err *e)
{
    if (act == NULL || act->definition.len == 0) {
        err_set(e, ERR_NOT_FOUND, "the workflow has no active version");
        return -1;
    }
    if (wf_cache_get(en->workflows, act->definition, out, e) != 0) {
        err_context(e, "workflow \"%.*s\"", STR_ARG(act->name));
        e->code = ERR_INTERNAL; /* whoever calls has done nothing wrong */
        return -1;
    }
    return 0;
}

static int workflow_named(void *ctx, struct str name, struct workflow **out, int64_t *activity_id,
                          int64_t *version_id, int64_t *definition_id, struct err *e)
{
    struct run *r = ctx;
    const struct cfg_activity *act = cfg_activity_named(r->cfg, name);

    if (act == NULL) {
        err_set(e, ERR_NOT_FOUND, "there is no workflow \"%.*s\"", STR_ARG(name));
        return -1;
    }
    *activity_id = act->id;
    *version_id = act->version_id;
    *definition_id = act->definition_id;
    return run_workflow(r->en, act, out, e);
}

struct instance_env run_env(struct run *r)
{
    return (struct instance_env){
        .clock = r->en->clock,
        .templates = r->en->o.templates,
        .http = r->en->http,
        .documents = r->en->documents,
        .cfg = r->cfg,
        .db = r->en->o.db,
        .proxies = r->en->o.proxies,
        .next_id = next_id,
        .try_again = try_again,
        .workflow_named = workflow_named,
        .ctx = r,
    };
}

static struct val text_or_null(struct str s)
{
    return s.p != NULL ? val_str(s) : val_null();
}

struct val user_value(const struct principal *p, struct arena *a)
{
    struct val u = val_dict_new(a, 20);

    val_dict_set_c(u, "id", val_int(p->id));
    val_dict_set_c(u, "username", text_or_null(p->username));
    val_dict_set_c(u, "email", text_or_null(p->email));
    val_dict_set_c(u, "first_name", text_or_null(p->first_name));
    val_dict_set_c(u, "last_name", text_or_null(p->last_name));
    val_dict_set_c(u, "firstname", text_or_null(p->first_name));
    val_dict_set_c(u, "lastname", text_or_null(p->last_name));
    val_dict_set_c(u, "mobile_number", text_or_null(p->mobile_number));
    val_dict_set_c(u, "language", text_or_null(p->language));
    val_dict_set_c(u, "timezone", text_or_null(p->timezone));
    val_dict_set_c(u, "is_system", val_bool(p->is_system));
    val_dict_set_c(u, "ui_profile", text_or_null(p->ui_profile));
    val_dict_set_c(u, "profile_id", p->profile_id != 0 ? val_int(p->profile_id) : val_null());
    val_dict_set_c(u, "profile", p->profile != NULL ? val_str(p->profile->name) : val_null());
    val_dict_set_c(u, "roles", val_is_undef(p->roles) ? val_list_new(a, 0) : p->roles);
    val_dict_set_c(u, "groups", val_is_undef(p->groups) ? val_list_new(a, 0) : p->groups);
    val_dict_set_c(u, "properties",
                   val_is_undef(p->properties) ? val_dict_new(a, 0) : p->properties);
    val_dict_set_c(u, "entity", text_or_null(p->entity));
    return val_copy(u, a);
}

/* ---- the error handler of the route --------------------------------------------------------- */

static int64_t handler_activity(const struct run *r)
{
    for (size_t i = 0; i < r->cfg->n_routes; i++)
        if (r->cfg->routes[i].id == r->route_id)
            return r->cfg->routes[i].err_activity_id;
    return 0;
}

/* True: one was started below the blocked instance. */
static bool handle_error(struct run *r)
{
    struct instance *in = r->in;
    const struct instance *before = handler_of(in);
    int64_t id = r->route_id != 0 ? handler_activity(r) : 0;
    const struct cfg_activity *act;
    struct val stored = val_list_new(r->a, 0);
    struct workflow *wf;
    struct err e;
    int rc;

    if (in->new_errors == 0 || in->status != INSTANCE_ACTIVE || id == 0 ||
        (before != NULL && before->status == INSTANCE_ACTIVE))
        return false;
    in->new_errors = 0;
    act = cfg_activity(r->cfg, id);
    if (run_workflow(r->en, act, &wf, &e) != 0) {
        instance_log(in, "engine", "error handler: %s", e.msg);
        return false;
    }
    /* before its first store, which is the only stretch on a loop, all of them are in memory */
    if (in->stored && run_errors(r, &stored, &e) != 0)
        instance_log(in, "engine", "error handler: %s", e.msg);
    rc = handler_start(in, wf, act->id, act->version_id, act->definition_id, stored, &e);
    wf_unref(wf);
    if (rc != 0)
        instance_log(in, "engine", "error handler: %s", e.msg);
    return rc == 0;
}

/* ---- workers -------------------------------------------------------------------------------- */

static int team_work(void *ctx, void (*fn)(void *arg), void *arg)
{
    struct run *r = ctx;

    return r->en->o.server != NULL ? http_server_work(r->en->o.server, fn, arg) : -1;
}

/* Where what has come closes something, no further node begins until it is given. */
static void hear(struct run *r)
{
    if (r->unread)
        run_signals(r);
    if (r->ungiven && r->in->team != NULL && signals_close(r->in))
        team_halt(r->in->team, true);
}

/* While no node runs. */
static void give(struct run *r)
{
    r->ungiven = false;
    if (r->in->team != NULL)
        team_halt(r->in->team, false);
    signals_deliver(r->in);
}

static int team_store(void *ctx)
{
    struct run *r = ctx;
    struct err e;

    if (run_store(r, LEASE_KEEP, &e) == 0) {
        hear(r);
        return 0;
    }
    log_err(LOG_WARN_LEVEL, "run.lost", &e);
    return -1;
}

void run_team(struct run *r)
{
    if (r->in->team == NULL)
        team_begin(r->in, &(struct team_opts){.work = team_work, .store = team_store, .ctx = r});
}

enum instance_stop run_go(struct run *r, unsigned flags)
{
    hear(r);
    if (r->ungiven && r->in->n_running == 0)
        give(r);
    if ((flags & INSTANCE_MAY_BLOCK) != 0)
        run_team(r);
    for (;;) {
        enum instance_stop stop = instance_run(r->in, flags);

        if (stop != INSTANCE_DONE)
            return stop;
        if (!handle_error(r) && !signals_deliver(r->in))
            break;
    }
    watch_remove(r);
    team_end(r->in);
    r->handled = instance_where(r->in) == INSTANCE_BLOCKED && handler_answered(r->in);
    return INSTANCE_DONE;
}
