/*
 * What the proxy does with a request before it is forwarded, and what it answers itself.
 */
#include "proxy.h"

#include <limits.h>

#include "alarm/alarm.h"
#include "base/arena.h"
#include "base/log.h"
#include "http/url.h"
#include "proxy_int.h"
#include "record.h"

enum { QUEUE_MS = 5000 }; /* the longest wait for a place */

/* ---- mappings ------------------------------------------------------------------------------------ */

/* The gateway of a mapping went (e: why), or is there again.  On the thread that reads the configuration, which may wait. */
static void tell_alarm(struct proxy *p, struct mount *m, const struct err *e)
{
    struct alarm x = {.key = "proxy_gateway", .subject = m->map->prefix, .level = ALARM_CRITICAL, .message = e != NULL ? str_c(e->msg) : STR("")};
    struct db_conn *c = NULL;
    struct err failed = {0};
    int rc = db_get(p->app->db, &c, &failed);

    if (rc == 0)
        rc = e != NULL ? alarm_raise(c, &x, &failed) : alarm_over(c, x.key, x.subject, &failed);
    db_put(p->app->db, c);
    if (rc != 0)
        log_err(LOG_WARN_LEVEL, "proxy.alarm", &failed);
    else
        m->alarmed = e != NULL;
}

/* A new snapshot: keep the last one in which each gateway resolves. */
static void on_config(void *arg, const struct cfg *now)
{
    struct proxy *p = arg;

    for (size_t i = 0; i < p->n_mounts; i++) {
        struct mount *m = &p->mounts[i];
        const struct cfg_gateway *g;
        const struct cfg *old = NULL;
        struct err e = {0};

        if (proxy_map_resolve(now, m->map, &g, &e) != 0) {
            if (!atomic_exchange(&m->missing, true)) /* once, not at each change of something else */
                log_err(LOG_ERROR_LEVEL, "proxy.gateway", &e);
            tell_alarm(p, m, &e);
            continue;
        }
        atomic_store(&m->missing, false);
        if (m->alarmed)
            tell_alarm(p, m, NULL);
        pthread_mutex_lock(&m->lock);
        old = m->good;
        m->good = cfg_ref(now);
        pthread_mutex_unlock(&m->lock);
        cfg_put(old);
    }
}

/* Mappings to one gateway share its places. */
static struct fair *fair_of(struct proxy *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(p->mounts[i].map->gateway, p->mounts[n].map->gateway))
            return p->mounts[i].fair;
    }
    return fair_new();
}

static bool shares_fair(const struct proxy *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->mounts[i].fair == p->mounts[n].fair)
            return true;
    }
    return false;
}

int proxy_ready(struct app *app, struct err *e)
{
    struct proxy *p = ARENA_NEW(app->a, struct proxy);
    const struct cfg *now = cfg_get(app->cfg);

    (void)e;
    p->app = app;
    p->sessions = engine_sessions(app->engine); /* one login for workflows and proxied calls */
    p->logins = gw_logins_new(app->db, &clock_system);
    p->n_mounts = app->opts.proxies.n;
    p->history = history_new(app->db, app->writer, app->ids, app->server, &record_kind);
    p->stats = stats_new();
    p->mounts = ARENA_ARRAY(app->a, struct mount, p->n_mounts);
    for (size_t i = 0; i < p->n_mounts; i++) {
        p->mounts[i].map = &app->opts.proxies.maps[i];
        pthread_mutex_init(&p->mounts[i].lock, NULL);
        p->mounts[i].fair = fair_of(p, i);
    }
    app->extra = p;
    on_config(p, now);
    cfg_put(now);
    cfg_store_on_change(app->cfg, on_config, p);
    return 0;
}

void proxy_stop(struct app *app)
{
    struct proxy *p = app->extra;

    if (p == NULL)
        return;
    cfg_store_on_change(app->cfg, NULL, NULL);
    for (size_t i = 0; i < p->n_mounts; i++) {
        cfg_put(p->mounts[i].good);
        pthread_mutex_destroy(&p->mounts[i].lock);
    }
    history_stop(p->history);
    gw_logins_free(p->logins);
}

void proxy_free(struct app *app)
{
    struct proxy *p = app->extra;

    if (p == NULL)
        return;
    for (size_t i = p->n_mounts; i-- > 0;) {
        if (!shares_fair(p, i))
            fair_free(p->mounts[i].fair);
    }
    history_free(p->history);
    stats_free(p->stats);
}

void proxy_metrics(struct app *app, struct buf *out)
{
    struct proxy *p = app->extra;
    struct history_stats hs;

    if (p == NULL)
        return;
    stats_render(p->stats, out);
    for (size_t i = 0; i < p->n_mounts; i++) {
        struct fair_stats f = fair_stats(p->mounts[i].fair);
        struct str name = p->mounts[i].map->name;

        buf_addf(out, "sluice_proxy_in_flight{proxy=\"%.*s\"} %d\n", STR_ARG(name), f.active);
        buf_addf(out, "sluice_proxy_waiting{proxy=\"%.*s\"} %d\n", STR_ARG(name), f.waiting);
        buf_addf(out, "sluice_proxy_waited_total{proxy=\"%.*s\"} %llu\n", STR_ARG(name), (unsigned long long)f.waited);
        buf_addf(out, "sluice_proxy_refused_total{proxy=\"%.*s\"} %llu\n", STR_ARG(name), (unsigned long long)f.refused);
    }
    hs = history_stats(p->history);
    buf_addf(out, "sluice_proxy_history_stored_total %llu\nsluice_proxy_history_without_detail_total %llu\n"
                  "sluice_proxy_history_dropped_total %llu\nsluice_proxy_history_refused_total %llu\n"
                  "sluice_proxy_history_waiting %zu\nsluice_proxy_history_waiting_bytes %zu\n",
             (unsigned long long)hs.stored, (unsigned long long)hs.thinned, (unsigned long long)hs.dropped,
             (unsigned long long)hs.refused, hs.waiting, hs.bytes);
}

static struct mount *find_mount(struct proxy *p, struct str path)
{
    const struct proxy_map *m = proxy_maps_find(&p->app->opts.proxies, path);

    return m != NULL ? &p->mounts[m - p->app->opts.proxies.maps] : NULL;
}

/* ---- one request ------------------------------------------------------------------------------------ */

void call_release(struct call *c)
{
    fair_leave(c->mount->fair, &c->ticket);
    if (c->held > 0)
        atomic_fetch_sub(&c->proxy->replayable, c->held);
    c->held = 0;
    cfg_put(c->gateway_cfg);
    cfg_put(c->cfg);
    c->cfg = c->gateway_cfg = NULL;
}

static void refuse(struct call *c, const struct err *e)
{
    struct http_req *r = c->r;

    call_release(c);
    http_reply_failure(r, e);
}

/* Rules for the platform's own users; what the others may do, their gateway decides. */
static bool rules_allow(const struct call *c, struct err *e)
{
    struct str header;

    if (c->own || c->user.is_system)
        return true;
    if (c->user.profile == NULL || !cfg_rules_allow(c->user.profile, c->r->method, c->path)) {
        err_set(e, ERR_FORBIDDEN, "not allowed");
        return false;
    }
    header = policy_other_call(c->r);
    if (header.p != NULL)
        err_set(e, ERR_FORBIDDEN, "not allowed: header %.*s", STR_ARG(header));
    return header.p == NULL;
}

static bool take_gateway(struct call *c, struct err *e)
{
    struct mount *m = c->mount;

    pthread_mutex_lock(&m->lock);
    c->gateway_cfg = cfg_ref(m->good);
    pthread_mutex_unlock(&m->lock);
    return proxy_map_resolve(c->gateway_cfg, m->map, &c->gateway, e) == 0;
}

/* ---- a place at the gateway --------------------------------------------------------------------------- */

static void refuse_busy(struct call *c)
{
    struct err e;

    err_set(&e, ERR_BUSY, "gateway %.*s is busy", STR_ARG(c->mount->map->gateway));
    refuse(c, &e);
}

static void refuse_too_many(struct call *c)
{
    struct http_req *r = c->r;
    struct val v = val_dict_new(r->a, 2);

    val_dict_set_c(v, "error", val_str(str_printf(r->a, "too many calls of yours wait for gateway %.*s", STR_ARG(c->mount->map->gateway))));
    val_dict_set_c(v, "request_id", val_str_dup(r->a, str_c(r->id)));
    call_release(c);
    http_reply_header(r, STR("Retry-After"), STR("1"));
    http_reply_json(r, 429, v);
}

static void got_place(void *arg)
{
    struct call *c = arg;

    loop_timer_cancel(c->patience);
    c->patience = NULL;
    call_spent(c, &c->queue_us);
    body_read(c);
}

/* Whoever gave the place back, on whatever thread. */
static void on_granted(void *arg)
{
    struct call *c = arg;

    loop_post(c->r->loop, got_place, c);
}

static void on_impatient(void *arg)
{
    struct call *c = arg;

    c->patience = NULL;
    if (fair_give_up(c->mount->fair, &c->ticket))
        refuse_busy(c);
}

/* How many calls the gateway gets at once: its attribute `concurrency`, else the option. */
static int places(const struct call *c)
{
    int64_t n = c->proxy->app->opts.proxy_max_in_flight;

    if (c->gateway->concurrency > 0 && c->gateway->concurrency < n)
        n = c->gateway->concurrency;
    return n > INT_MAX ? INT_MAX : (int)n;
}

static void enter(struct call *c)
{
    int64_t patience_ms = (int64_t)c->gateway->timeout_s * 1000;

    c->mark_us = clock_mono_us(&clock_system);
    c->ticket.granted = on_granted;
    c->ticket.arg = c;
    switch (fair_enter(c->mount->fair, &c->ticket, c->user.id, places(c))) {
    case FAIR_GRANTED:
        body_read(c);
        break;
    case FAIR_WAITING:
        c->patience = loop_timer(c->r->loop, patience_ms < QUEUE_MS ? patience_ms : QUEUE_MS, on_impatient, c);
        break;
    case FAIR_FULL:
        refuse_busy(c);
        break;
    case FAIR_TOO_MANY:
        refuse_too_many(c);
    }
}

static void enter_on_loop(struct http_req *r, void *arg)
{
    (void)r;
    enter(arg);
}

static void authorised(struct call *c)
{
    struct route_match m = {0};
    const struct cfg *held;
    struct err e = {0};

    if (api_allowed(&c->user, "user", &e) != 0) {
        refuse(c, &e);
        return;
    }
    cfg_route_find(c->cfg, c->r->method, c->path, c->mount->map->prefix, c->mount->map->name, &m, c->r->a);
    if (m.route != NULL && !m.route->is_public) {
        usage_note(c->proxy->app->usage, c->user.username, c->r->method_name, c->path);
        held = c->cfg; /* once answered, the call is gone with its request */
        engine_serve_route(c->proxy->app->engine, c->r, held, &c->user, &m);
        cfg_put(held);
        return;
    }
    c->own = gw_entry_own_login(c->cfg, c->user.identity_provider);
    if (!rules_allow(c, &e) || !take_gateway(c, &e)) {
        refuse(c, &e);
        return;
    }
    usage_note(c->proxy->app->usage, c->user.username, c->r->method_name, c->path);
    trace_start(&c->trace, http_req_header(c->r, "traceparent"), c->r->id);
    if (loop_is_current(c->r->loop))
        enter(c);
    else
        http_to_loop(c->r, enter_on_loop, c);
}

static void identify(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct err e = {0};
    enum auth_rc rc = auth_identify(c->proxy->app->auth, c->cfg, http_req_bearer(r), r->remote_addr, r->on_worker, &c->user, r->a, &e);

    if (r->on_worker)
        call_spent(c, &c->database_us);
    switch (rc) {
    case AUTH_ASK: {
        const struct cfg *held = c->cfg;

        if (http_to_worker(r, identify, c) != 0)
            cfg_put(held); /* the request is answered and gone */
        return;
    }
    case AUTH_REFUSED:
        refuse(c, &e);
        return;
    case AUTH_OK:
        authorised(c);
    }
}

/* PREFIX/transactions/...: replays through the proxy that created the request (gateway-proxy.md 1.3). */
static bool serve_local(struct app *app, struct http_req *r, struct str path, const struct proxy_map *m)
{
    struct str below = str_slice(path, m->prefix.len, path.len);

    if (!str_starts(below, STR("/transactions/")) && !str_eq(below, STR("/transactions")))
        return false;
    api_serve(&app->api, r, str_printf(r->a, "/api/v01%.*s", STR_ARG(below)));
    return true;
}

/* path: canonical, with the prefix; rest: raw, behind it. */
static void start(struct app *app, struct http_req *r, struct str path, struct str rest, struct mount *m)
{
    struct call *c = ARENA_NEW(r->a, struct call);

    c->proxy = app->extra;
    c->mount = m;
    c->r = r;
    c->path = path;
    c->rest = rest;
    c->started_us = r->wall_us;
    c->mark_us = r->start_us;
    c->cfg = cfg_get(app->cfg);
    identify(r, c);
}

/* The raw path behind `prefix`, which has no character that must be escaped: where it was, the canonical path serves. */
static struct str raw_behind(const struct http_req *r, struct str path, struct str prefix)
{
    return str_starts(r->path, prefix) ? str_slice(r->path, prefix.len, r->path.len) : str_slice(path, prefix.len, path.len);
}

static struct str api_root_of(struct mount *m, struct arena *a)
{
    const struct cfg_gateway *g;
    const struct cfg *good;
    struct err e = {0};
    struct str root = STR_NONE;

    pthread_mutex_lock(&m->lock);
    good = cfg_ref(m->good);
    pthread_mutex_unlock(&m->lock);
    if (proxy_map_resolve(good, m->map, &g, &e) == 0)
        root = str_dup(a, policy_root(g, a));
    cfg_put(good);
    return root;
}

/*
 * /api/v01/apio/sync + absolute gateway path: what older interfaces ask for (gateway-proxy.md 1.3).  It is the same call as
 * under the prefix and is ruled and recorded as such; false: not served here.
 */
static bool serve_alias(struct app *app, struct http_req *r, struct str path)
{
    const struct str alias = STR("/api/v01/apio/sync");
    struct proxy *p = app->extra;
    struct mount *m = &p->mounts[0];
    struct str prefix, root;
    struct err e;

    if ((!app->opts.proxy_sync && p->n_mounts != 1) || !str_starts(path, STR("/api/v01/apio/sync/")))
        return false;
    root = api_root_of(m, r->a);
    prefix = str_printf(r->a, "%.*s%.*s/", STR_ARG(alias), STR_ARG(root));
    if (root.p == NULL || !str_starts(path, prefix)) {
        err_set(&e, ERR_NOT_FOUND, "\"%.*s\" is outside of the gateway's API", STR_ARG(path));
        http_reply_failure(r, &e);
        return true;
    }
    prefix.len--; /* the slash belongs to what is behind */
    start(app, r,
          str_printf(r->a, "%.*s%.*s", STR_ARG(m->map->prefix), STR_ARG(str_slice(path, prefix.len, path.len))),
          raw_behind(r, path, prefix), m);
    return true;
}

/* "degraded" while a mapping goes by an older configuration (gateway-proxy.md 1.2); then what serves, serves. */
static void serve_health(struct app *app, struct http_req *r, struct str path)
{
    struct proxy *p = app->extra;
    struct val v;

    for (size_t i = 0; i < p->n_mounts; i++) {
        if (!atomic_load(&p->mounts[i].missing))
            continue;
        v = val_dict_new(r->a, 3);
        val_dict_set_c(v, "status", VAL_STR_LIT("degraded"));
        val_dict_set_c(v, "version", VAL_STR_LIT(SLUICE_VERSION));
        val_dict_set_c(v, "summary", val_str(str_printf(r->a, "gateway %.*s of proxy %.*s is missing in the configuration",
                                                        STR_ARG(p->mounts[i].map->gateway), STR_ARG(p->mounts[i].map->prefix))));
        http_reply_json(r, 200, v);
        return;
    }
    api_serve(&app->api, r, path);
}

void proxy_handle(struct http_req *r, void *ctx)
{
    struct app *app = ctx;
    struct err e = {0};
    struct str path;
    struct mount *m;

    if (policy_request_line(r, &e) != 0 || url_canonical_path(r->path, &path, r->a, &e) != 0) {
        http_reply_failure(r, &e);
        return;
    }
    m = find_mount(app->extra, path);
    if (m != NULL) {
        if (!serve_local(app, r, path, m->map))
            start(app, r, path, raw_behind(r, path, m->map->prefix), m);
        return;
    }
    if (serve_alias(app, r, path))
        return;
    if (str_eq(path, STR("/api/v01/health"))) {
        serve_health(app, r, path);
        return;
    }
    err_set(&e, ERR_MISDIRECTED, "\"%.*s\" is served by sluice-core; check the nginx location", STR_ARG(path));
    http_reply_failure(r, &e);
}
