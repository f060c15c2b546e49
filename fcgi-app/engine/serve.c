/*
 * Custom routes: from a matched request to an instance, and from the instance to the answer.
 *
 * A synchronous run stays on the loop as long as its nodes cannot block, then moves to a worker
 * once; its rows and its answer leave together, the answer from the writer's commit.  An
 * asynchronous one is acknowledged at the commit of its first rows, which are all of them when none
 * of its nodes can block; else it then runs like any stored instance.
 *
 * Rules: workflow-engine.md 4.6, 5.1.4, 5.1.5.
 */
#include "engine/engine_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "http/url.h"

/* How long a run may keep its turn when its caller must be answered. */
enum { DETACH_MS = 1000 };

/* What is left to do with a request on another thread; lives in its arena. */
struct serve {
    struct engine *en;
    const struct cfg *cfg;
    const struct principal *user;
    struct route_match match;
};

static void serve(struct engine *en, struct http_req *r, const struct cfg *cfg,
                  const struct principal *user, const struct route_match *m);

/* ---- callers who must not wait for ever ----------------------------------------------------- */

static void watch_add(struct run *r)
{
    struct engine *en = r->en;

    pthread_mutex_lock(&en->watch_lock);
    r->answer_until_ms = clock_mono_ms(en->clock) + en->o.sync_ms;
    r->w_prev = NULL;
    r->w_next = en->watched;
    if (en->watched != NULL)
        en->watched->w_prev = r;
    en->watched = r;
    pthread_mutex_unlock(&en->watch_lock);
}

void watch_remove(struct run *r)
{
    struct engine *en = r->en;

    if (r->answer_until_ms == 0)
        return;
    pthread_mutex_lock(&en->watch_lock);
    if (r->w_prev != NULL)
        r->w_prev->w_next = r->w_next;
    else
        en->watched = r->w_next;
    if (r->w_next != NULL)
        r->w_next->w_prev = r->w_prev;
    r->answer_until_ms = 0;
    pthread_mutex_unlock(&en->watch_lock);
}

/* The caller of a run that goes on; lives in the run's arena. */
struct late {
    struct run *run;
    struct http_req *req;
};

static void reply_late(const struct run *r, struct http_req *req)
{
    struct val o = val_dict_new(req->a, 3);

    /* the run belongs to its worker: only what never changes is read */
    val_dict_set_c(o, "error", VAL_STR_LIT("the workflow has not answered in time; it goes on"));
    val_dict_set_c(o, "id", val_int(r->in->id));
    val_dict_set_c(o, "guid", val_str_c(r->in->guid));
    http_reply_json(req, 504, o);
}

/* At the commit, on the writer's thread: the worker has the turn again after this. */
static void late_stored(void *arg, const struct err *e)
{
    struct late *l = arg;
    struct run *r = l->run;

    if (e != NULL) {
        http_reply_error(l->req, e);
    } else {
        store_committed(r, LEASE_KEEP);
        if (!r->listed)
            lease_list(r);
        reply_late(r, l->req);
    }
    team_leave(r->in->team);
}

/* Holding the turn: what there is so far is stored with a lease, then the caller hears that it goes on. */
static void detach(struct run *r)
{
    struct late *l = ARENA_NEW(r->a, struct late);
    struct err e;

    *l = (struct late){r, atomic_exchange(&r->req, NULL)};
    if (l->req == NULL) {
        team_leave(r->in->team);
        return;
    }
    atomic_store(&r->in->detached, true);
    r->in->step_durable = true;
    if (store_collect(r, LEASE_KEEP, &e) == 0) {
        r->item.done = late_stored;
        r->item.arg = l;
        if (writer_submit(r->en->o.writer, &r->item, &e) == 0)
            return;
    }
    http_reply_error(l->req, &e);
    team_leave(r->in->team);
}

/* A node that does not give its turn away: the run is stored when it is through. */
static void detach_later(struct run *r)
{
    struct http_req *req = atomic_exchange(&r->req, NULL);

    if (req == NULL)
        return;
    atomic_store(&r->in->detached, true);
    reply_late(r, req);
}

void watch_expire(struct engine *en)
{
    int64_t now = clock_mono_ms(en->clock);

    pthread_mutex_lock(&en->watch_lock);
    for (struct run *r = en->watched; r != NULL; r = r->w_next) {
        if (r->answer_until_ms > now || atomic_load(&r->req) == NULL)
            continue;
        if (team_try(r->in->team))
            detach(r);
        else if (r->answer_until_ms + DETACH_MS < now)
            detach_later(r);
    }
    pthread_mutex_unlock(&en->watch_lock);
}

/* ---- synchronous runs ----------------------------------------------------------------------- */

/* A database that is away is reported by the writer, once. */
static void log_lost(const struct err *e)
{
    log_err(e->code == ERR_DB || e->code == ERR_BUSY ? LOG_DEBUG_LEVEL : LOG_ERROR_LEVEL,
            "run.not_stored", e);
}

/* At the commit, on the writer's thread. */
static void sync_stored(void *arg, const struct err *e)
{
    struct run *r = arg;

    if (e != NULL) {
        log_lost(e);
        answer_fail(r, e);
    } else {
        answer_send(r);
        store_wake(r, LEASE_RELEASE);
        if (r->due_us != 0)
            jobs_due(r->en, r->due_us);
    }
    run_free(r);
}

static void sync_finish(struct run *r)
{
    struct err e;

    answer_make(r);
    if (r->in->status == INSTANCE_ACTIVE)
        r->in->step_durable = true; /* from here on it is like any stored one */
    if (atomic_load(&r->in->detached)) /* what the caller was told */
        r->answer = (struct answer){.status = 504};
    if (r->en->o.no_history) {
        answer_send(r);
        run_free(r);
        return;
    }
    if (store_collect(r, LEASE_RELEASE, &e) == 0) {
        r->item.done = sync_stored;
        r->item.arg = r;
        if (writer_submit(r->en->o.writer, &r->item, &e) == 0)
            return;
    }
    answer_fail(r, &e);
    run_free(r);
}

static void sync_on_worker(struct http_req *req, void *arg)
{
    struct run *r = arg;
    struct err e;

    (void)req;
    run_team(r);
    watch_add(r); /* not before: while it waits for a worker the request must stay */
    while (run_go(r, INSTANCE_MAY_BLOCK | INSTANCE_SYNC | (r->key != NULL ? INSTANCE_STEPS : 0)) ==
           INSTANCE_STORE)
        if (run_store(r, LEASE_KEEP, &e) != 0) {
            log_err(LOG_WARN_LEVEL, "run.lost", &e);
            answer_fail(r, &e);
            run_free(r);
            return;
        }
    sync_finish(r);
}

static void sync_run(struct run *r, struct http_req *req)
{
    if (req->on_worker) {
        sync_on_worker(req, r);
        return;
    }
    if (run_go(r, INSTANCE_SYNC) != INSTANCE_WORKER && val_is_undef(r->in->doc_response)) {
        sync_finish(r);
        return;
    }
    if (http_to_worker(req, sync_on_worker, r) != 0) {
        /* answered with 503; what ran until here had no effect outside */
        atomic_store(&r->req, NULL);
        run_free(r);
    }
}

/* ---- asynchronous starts -------------------------------------------------------------------- */

static void async_stored(void *arg, const struct err *e)
{
    struct run *r = arg;

    if (e != NULL) {
        log_lost(e);
        answer_fail(r, e);
        run_free(r);
        return;
    }
    store_new_committed(r);
    answer_send(r);
    if (r->job_id == 0) {
        jobs_due(r->en, r->in->created_us);
        run_free(r);
    } else {
        dispatch_new(r);
    }
}

/* As far as it came it is stored: over, parked, or to be taken up by whoever has room. */
static void async_parked(void *arg, const struct err *e)
{
    struct run *r = arg;

    if (e != NULL) {
        async_stored(r, e);
        return;
    }
    store_committed(r, LEASE_RELEASE);
    answer_send(r);
    if (r->due_us != 0)
        jobs_due(r->en, r->due_us);
    run_free(r);
}

/*
 * Nodes that cannot block run at once: a workflow of such nodes is stored as a whole and acknowledged
 * by one commit.  Where it comes to others only what acknowledges it is stored, with a lease if there
 * is room here; what ran so far goes with the first effect.
 */
static void async_start(struct run *r)
{
    enum instance_stop stop = jobs_here(r->en) ? run_go(r, INSTANCE_STEPS) : INSTANCE_WORKER;
    bool more = stop == INSTANCE_WORKER;
    struct err e;

    answer_id(r, 200, NULL);
    if ((more ? store_new(r, jobs_room(r->en), &e) : store_collect(r, LEASE_RELEASE, &e)) == 0) {
        r->item.done = more ? async_stored : async_parked;
        r->item.arg = r;
        if (writer_submit(r->en->o.writer, &r->item, &e) == 0)
            return;
    }
    answer_fail(r, &e);
    run_free(r);
}

/* ---- requests that may be repeated ----------------------------------------------------------- */

/* True: the first answer went out again, or why not. */
static bool answered_before(struct run *r, struct http_req *req)
{
    struct err e;
    enum key_found found = key_replay(r, req, &e);

    if (found == KEY_NEW)
        return false;
    if (found == KEY_FAILED)
        http_reply_error(req, &e);
    run_free(r);
    return true;
}

/* Stored before it starts, with its key, whether somebody waits for the answer or not. */
static void keyed_start(struct run *r, struct http_req *req)
{
    bool sync = r->in->sync;
    struct err e;

    atomic_store(&r->req, NULL); /* not before it is stored */
    if (!sync)
        answer_id(r, 200, NULL);
    if (store_new(r, sync || jobs_room(r->en), &e) != 0 ||
        writer_store(r->en->o.writer, &r->item, &e) != 0) {
        if (e.code == ERR_CONFLICT && answered_before(r, req))
            return;
        http_reply_error(req, &e);
        run_free(r);
        return;
    }
    atomic_store(&r->req, req);
    if (!sync) {
        async_stored(r, NULL);
        return;
    }
    store_new_committed(r);
    lease_list(r);
    sync_on_worker(req, r);
}

/* ---- before an instance exists -------------------------------------------------------------- */

static void rejected_stored(void *arg, const struct err *e)
{
    (void)e;
    run_free(arg);
}

/* A refused call is a request without instance; its row may be dropped under pressure. */
static void store_rejected(struct run *r, struct http_req *req, const struct principal *user,
                           int status)
{
    struct val details = val_dict_new(r->a, 2);
    struct engine_request q = {
        .created_us = req->wall_us,
        .updated_us = clock_wall_us(r->en->clock),
        .status = STR("ERROR"),
        .user_id = user != NULL ? user->id : 0,
        .owner = user != NULL ? str_dup(r->a, user->username) : STR_NONE,
        .method = str_dup(r->a, req->method_name),
        .url = r->url,
        .response_status = status,
    };
    struct err e;

    val_dict_set_c(details, "method", val_str(q.method));
    val_dict_set_c(details, "url", val_str(q.url));
    q.details = json_text(details, r->a);
    r->item = (struct writer_item){.droppable = true, .done = rejected_stored, .arg = r};
    if (r->en->o.no_history || engine_request_add(r->en, &r->item, &q, r->a, &e) != 0 ||
        writer_submit(r->en->o.writer, &r->item, &e) != 0)
        run_free(r);
}

static void reject(struct run *r, struct http_req *req, const struct principal *user,
                   const struct err *e)
{
    store_rejected(r, req, user, http_status_of(e->code));
    http_reply_error(req, e);
}

static struct val schema_answer(const struct jsonschema_error *errors, struct arena *a)
{
    struct val answer = val_dict_new(a, 2), list = val_list_new(a, 4);

    for (const struct jsonschema_error *x = errors; x != NULL; x = x->next) {
        struct val one = val_dict_new(a, 2);

        val_dict_set_c(one, "message",
                       x->path.len > 0 ? val_str(str_printf(a, "%.*s: %.*s", STR_ARG(x->path),
                                                            STR_ARG(x->message)))
                                       : val_str(x->message));
        val_dict_set_c(one, "path", val_str(x->path));
        val_list_add(list, one);
    }
    val_dict_set_c(answer, "error", VAL_STR_LIT("the body does not fit the schema of the route"));
    val_dict_set_c(answer, "errors", list);
    return answer;
}

/* False: answered, and the run is gone. */
static bool fits_schema(struct run *r, struct http_req *req, const struct principal *user,
                        const struct cfg_route *route, struct val request)
{
    struct jsonschema_error *errors = NULL;
    struct val answer;
    struct err e;
    int rc;

    if (route->schema == NULL)
        return true;
    /* in the request's arena: the run's may be gone before the answer is written */
    rc = jsonschema_validate(route->schema, val_get(request, "body"), &errors, req->a, &e);
    if (rc > 0)
        return true;
    if (rc < 0) {
        reject(r, req, user, &e);
        return false;
    }
    answer = schema_answer(errors, req->a);
    store_rejected(r, req, user, 400);
    http_reply_json(req, 400, answer);
    return false;
}

/* The prefix of a proxy that this request came through, so that templates know its name. */
static void bind_proxy(struct run *r, struct str path)
{
    const struct proxy_map *p =
        r->en->o.proxies != NULL ? proxy_maps_find(r->en->o.proxies, path) : NULL;

    if (p != NULL) {
        r->gateway_host = p->prefix;
        r->gateway = p->gateway;
        r->in->proxy_name = p->name;
    }
}

static int launch(struct run *r, struct http_req *req, const struct principal *user,
                  const struct route_match *m, struct val request, struct err *e)
{
    const struct cfg_activity *act = cfg_activity(r->cfg, m->route->activity_id);
    const struct instance_env env = run_env(r);
    struct workflow *wf;
    struct instance *in;
    int rc;

    if (run_workflow(r->en, act, &wf, e) != 0)
        return -1;
    rc = instance_new(&r->in, wf, &env, r->a, r->scratch, e);
    wf_unref(wf);
    if (rc != 0 || ids_next(r->en->o.ids, IDS_REQUEST, &r->in->request_id, e) != 0)
        return -1;
    in = r->in;
    in->request_us = req->wall_us;
    in->request = request;
    in->activity_id = act->id;
    in->version_id = act->version_id;
    in->definition_id = act->definition_id;
    in->sync = m->route->sync;
    in->step_durable = !in->sync || r->key != NULL;
    if (user != NULL) {
        in->user_id = user->id;
        in->owner = str_dup(r->a, user->username);
        in->user = user_value(user, r->a);
    }
    r->route_id = m->route->id;
    r->method = str_lower(r->a, req->method_name);
    r->client_ip = str_dup(r->a, req->remote_addr);
    bind_proxy(r, req->path);
    return 0;
}

static void serve_on_worker(struct http_req *r, void *arg)
{
    struct serve *s = arg;
    const struct cfg *cfg = s->cfg;
    struct err e;

    if (http_req_body(r, LIMIT_BODY, &e) != 0)
        http_reply_error(r, &e);
    else
        serve(s->en, r, cfg, s->user, &s->match);
    cfg_put(cfg);
}

static struct str logged_url(struct http_req *r, struct arena *a)
{
    struct str query = r->query;
    struct str path = utf8_repair(a, r->path);

    if (str_find(query, STR("auth_token=")) >= 0)
        query = url_query_without(query, "auth_token", a);
    if (query.len == 0)
        return str_dup(a, path);
    return str_printf(a, "%.*s?%.*s", STR_ARG(path), STR_ARG(utf8_repair(a, query)));
}

static void serve(struct engine *en, struct http_req *req, const struct cfg *cfg,
                  const struct principal *user, const struct route_match *m)
{
    struct run *r = run_new(en, cfg);
    struct val request;
    struct err e;

    r->url = logged_url(req, r->a);
    if (request_object(req, m, &request, r->a, &e) != 0) {
        reject(r, req, user, &e);
        return;
    }
    if (!fits_schema(r, req, user, m->route, request))
        return;
    if (key_read(r, req, user, m->route->id, request, &e) != 0) {
        reject(r, req, user, &e);
        return;
    }
    if (r->key != NULL && answered_before(r, req))
        return;
    if (launch(r, req, user, m, request, &e) != 0 || request_documents(r, req, &e) != 0) {
        http_reply_error(req, &e);
        run_free(r);
        return;
    }
    atomic_store(&r->req, req);
    if (r->key != NULL)
        keyed_start(r, req);
    else if (r->in->sync)
        sync_run(r, req);
    else
        async_start(r);
}

static bool must_block(struct http_req *r)
{
    return request_has_files(r) || http_req_header(r, "idempotency-key").len > 0;
}

void engine_serve_route(struct engine *en, struct http_req *r, const struct cfg *cfg,
                        const struct principal *user, const struct route_match *m)
{
    struct serve *s;

    if (!r->body_pending && (r->on_worker || !must_block(r))) {
        serve(en, r, cfg, user, m);
        return;
    }
    s = ARENA_NEW(r->a, struct serve);
    *s = (struct serve){.en = en, .cfg = cfg_ref(cfg), .user = user, .match = *m};
    if (r->on_worker)
        serve_on_worker(r, s);
    else if (http_to_worker(r, serve_on_worker, s) != 0)
        cfg_put(cfg);
}
