/*
 * The core's way of a request: check the path, then custom routes, then the management API.
 */
#include "app.h"

#include "base/arena.h"
#include "base/log.h"
#include "http/url.h"

static bool under(struct str path, const char *prefix)
{
    return str_starts(path, str_c(prefix));
}

/* What goes with a request from the loop to a worker when its caller is not known yet. */
struct pending {
    struct app *app;
    struct str path;
};

static void route_request(struct http_req *r, struct pending *p);

static void route_again(struct http_req *r, void *arg)
{
    route_request(r, arg);
}

/* The caller may use this custom route: signed in, password in order, rules of his profile. */
static int check_rules(const struct principal *user, enum http_method method, struct str path, struct err *e)
{
    if (api_allowed(user, "user", e) != 0)
        return -1;
    if (user->is_system || cfg_rules_allow(user->profile, method, path))
        return 0;
    err_set(e, ERR_FORBIDDEN, "not allowed");
    return -1;
}

static void serve_private(struct http_req *r, struct pending *p, const struct cfg *cfg, const struct route_match *m)
{
    struct principal *user = ARENA_NEW(r->a, struct principal);
    struct err e = {0};

    switch (auth_identify(p->app->auth, cfg, http_req_bearer(r), r->remote_addr, r->on_worker, user, r->a, &e)) {
    case AUTH_ASK:
        if (http_to_worker(r, route_again, p) != 0)
            return; /* answered there */
        return;
    case AUTH_REFUSED:
        http_reply_error(r, &e);
        return;
    case AUTH_OK:
        break;
    }
    if (check_rules(user, r->method, p->path, &e) != 0) {
        http_reply_error(r, &e);
        return;
    }
    usage_note(p->app->usage, user->username, r->method_name, p->path);
    engine_serve_route(p->app->engine, r, cfg, user, m);
}

/* Custom routes first when the path can be one; false: none matches and nothing was answered. */
static bool try_routes(struct http_req *r, struct pending *p, const struct cfg *cfg)
{
    struct route_match m = {0};

    cfg_route_find(cfg, r->method, p->path, STR(""), STR(""), &m, r->a);
    if (m.route == NULL)
        return false;
    if (m.route->is_public)
        engine_serve_route(p->app->engine, r, cfg, NULL, &m);
    else
        serve_private(r, p, cfg, &m);
    return true;
}

static void no_route(struct http_req *r, const struct cfg *cfg, struct str path)
{
    struct route_match m = {0};
    struct err e;

    cfg_route_find(cfg, r->method, path, STR(""), STR(""), &m, r->a);
    if (m.allowed == 0) {
        err_set(&e, ERR_NOT_FOUND, "no such route \"%.*s\"", STR_ARG(path));
    } else {
        static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
        struct buf list;

        buf_init(&list, 128, r->a);
        for (unsigned i = 0; i < COUNT_OF(names); i++) {
            if ((m.allowed & (1u << i)) != 0)
                buf_addf(&list, "%s%s", list.len > 0 ? ", " : "", names[i]);
        }
        http_reply_header(r, STR("Allow"), buf_str(&list));
        err_set(&e, ERR_METHOD, "method %.*s is not allowed here (allowed: %s)", STR_ARG(r->method_name),
                buf_cstr(&list));
    }
    http_reply_error(r, &e);
}

/* nginx does not know this proxy, or it was never set up (gateway-proxy.md 11.7). */
static bool meant_for_a_proxy(struct http_req *r, const struct cfg *cfg, struct str path)
{
    struct str prefix = proxy_prefix_meant(cfg, path);
    struct err e;

    if (prefix.len == 0)
        return false;
    err_set(&e, ERR_NOT_FOUND, "no proxy serves %.*s", STR_ARG(prefix));
    http_reply_error(r, &e);
    return true;
}

static void route_request(struct http_req *r, struct pending *p)
{
    const struct cfg *cfg = cfg_get(p->app->cfg);
    bool custom_area = under(p->path, "/api/v01/custom/") || under(p->path, "/api/v01/public/");

    if (custom_area || !api_knows(p->path)) {
        if (try_routes(r, p, cfg)) {
            cfg_put(cfg);
            return;
        }
        if (custom_area)
            no_route(r, cfg, p->path);
        if (custom_area || meant_for_a_proxy(r, cfg, p->path)) {
            cfg_put(cfg);
            return;
        }
    }
    cfg_put(cfg);
    api_serve(&p->app->api, r, p->path);
}

/* A path of a proxy that reached the core: a mistake in nginx (migration.md R-6). */
static bool misdirected(struct http_req *r, const struct app *app, struct str path)
{
    const struct proxy_map *m = proxy_maps_find(&app->opts.proxies, path);
    struct err e;

    if (m == NULL || app->program != PROGRAM_CORE)
        return false;
    err_set(&e, ERR_MISDIRECTED, "%.*s is served by sluice-proxy; check the nginx location", STR_ARG(m->prefix));
    http_reply_error(r, &e);
    return true;
}

void core_handle(struct http_req *r, void *ctx)
{
    struct app *app = ctx;
    struct pending *p = ARENA_NEW(r->a, struct pending);
    struct err e = {0};

    p->app = app;
    if (url_canonical_path(r->path, &p->path, r->a, &e) != 0) {
        http_reply_error(r, &e);
        return;
    }
    if (!misdirected(r, app, p->path))
        route_request(r, p);
}
