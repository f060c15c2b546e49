/*
 * Routing of the management API: find the row of routes.def, check the caller, run the handler on a worker, answer.
 */
#include "api/api.h"

#include <pthread.h>
#include <stdio.h>

#include "api/route_tree.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "http/url.h"

static const struct api_route routes[] = {
#define ROUTE(method, path, fn, access, flags) {HTTP_##method, path, fn, access, flags},
#include "api/routes.def"
#undef ROUTE
};

/* Planted once, for good. */
static const struct route_tree *tree;

static void plant(void)
{
    tree = route_tree_new(routes, COUNT_OF(routes), arena_new(0));
}

static const struct api_route *find(enum http_method method, struct str path, struct str params[API_PARAMS_MAX],
                                    unsigned *allowed)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, plant);
    return route_tree_find(tree, method, path, params, allowed);
}

bool api_knows(struct str path)
{
    struct str params[API_PARAMS_MAX];
    unsigned allowed;

    find(HTTP_GET, path, params, &allowed);
    return allowed != 0;
}

int api_allowed(const struct principal *p, const char *access, struct err *e)
{
    if (strcmp(access, "public") == 0)
        return 0;
    if (p->need_password_change && strcmp(access, "self") != 0) {
        err_set(e, ERR_FORBIDDEN, "the password must be changed first");
        e->app_code = 1;
        return -1;
    }
    if (p->is_system || strcmp(access, "user") == 0 || strcmp(access, "self") == 0)
        return 0;
    if (strcmp(access, "system") != 0 && cfg_has_access(p->profile, access))
        return 0;
    err_set(e, ERR_FORBIDDEN, "not allowed");
    return -1;
}

/* What travels to the worker. */
struct job {
    struct api *api;
    const struct api_route *route;
    struct str params[API_PARAMS_MAX];
};

static int parse_body(struct api_call *c, struct err *e)
{
    struct str text = str_trim(c->req->body);

    c->body = val_dict_new(c->a, 0);
    if (text.len == 0)
        return 0;
    if (json_parse(text, &c->body, c->a, e) != 0) {
        err_context(e, "request body, line %d, column %d", e->line, e->column);
        return -1;
    }
    if (val_is(c->body, VAL_NULL))
        c->body = val_dict_new(c->a, 0);
    return 0;
}

int api_identify(struct api_call *c, struct str bearer, struct str ip, const char *access, struct err *e)
{
    struct principal *p = ARENA_NEW(c->a, struct principal);

    if (auth_identify(c->api->auth, c->cfg, bearer, ip, true, p, c->a, e) != AUTH_OK)
        return -1;
    c->user = p;
    return api_allowed(p, access, e);
}

/* What is stored stays stored when that fails; the listener tries again. */
static void reload(struct cfg_store *s)
{
    struct err e = {0};

    if (cfg_store_reload(s, &e) != 0)
        log_err(LOG_ERROR_LEVEL, "config.reload", &e);
}

static int run(struct api_call *c, const struct job *j, struct err *e)
{
    const struct api_route *route = j->route; /* the job is gone when the answer was streamed */
    const char *access = route->access;
    int rc = -1;

    if (strcmp(access, "public") != 0 &&
        api_identify(c, http_req_bearer(c->req), c->req->remote_addr, access, e) != 0)
        goto out;
    for (size_t i = 0; i < API_PARAMS_MAX && j->params[i].p != NULL; i++) {
        c->params[i] = url_decode(j->params[i], false, c->a);
        if (c->params[i].p == NULL) {
            err_set(e, ERR_INVALID, "the path cannot be decoded");
            goto out;
        }
        if (utf8_check(c->params[i]) < c->params[i].len) {
            err_set(e, ERR_INVALID, "path: not UTF-8");
            goto out;
        }
    }
    if ((route->flags & API_RAW_BODY) == 0 && parse_body(c, e) != 0)
        goto out;
    if ((route->flags & API_NO_DB) == 0 && db_get(c->api->db, &c->conn, e) != 0)
        goto out;
    rc = route->fn(c, e);
out:
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    if (rc == 0 && (route->flags & API_RELOADS) != 0)
        reload(c->api->cfg);
    return rc;
}

static void answer(struct api_call *c)
{
    struct str type = c->content_type.p != NULL ? c->content_type : STR("application/json");

    if (c->text.p != NULL)
        http_reply(c->req, c->status, type, c->text);
    else if (val_is_undef(c->result))
        http_reply(c->req, c->status, type, STR("{}"));
    else
        http_reply_json(c->req, c->status, c->result);
}

static void serve(struct http_req *r, void *arg)
{
    struct job *j = arg;
    struct api_call c = {.api = j->api, .req = r, .a = r->a, .status = 200};
    struct err e = {0};
    int rc;

    log_context(r->id);
    c.cfg = cfg_get(j->api->cfg);
    rc = run(&c, j, &e);
    if (rc != 0) {
        if (e.code == ERR_INTERNAL || e.code == ERR_NONE)
            log_err(LOG_ERROR_LEVEL, "api.failed", &e);
        http_reply_error(r, &e);
    } else if (!c.replied) {
        answer(&c);
    }
    cfg_put(c.cfg); /* results may point into it */
    log_context(NULL);
}

static void method_not_allowed(struct http_req *r, unsigned allowed)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    char list[64] = "";
    size_t len = 0;
    struct err e;

    if (allowed & (1u << HTTP_GET))
        allowed |= 1u << HTTP_HEAD;
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if ((allowed & (1u << i)) != 0)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", names[i]);
    }
    http_reply_header(r, STR("Allow"), str_c(list));
    err_set(&e, ERR_METHOD, "method %.*s is not allowed here (allowed: %s)", STR_ARG(r->method_name), list);
    http_reply_error(r, &e);
}

void api_serve(struct api *api, struct http_req *r, struct str path)
{
    struct job *j = ARENA_NEW(r->a, struct job);
    unsigned allowed;
    struct err e;

    j->api = api;
    j->route = find(r->method, path, j->params, &allowed);
    if (j->route != NULL) {
        if ((j->route->flags & API_NO_DB) != 0 && strcmp(j->route->access, "public") == 0)
            serve(r, j);
        else if (http_to_worker(r, serve, j) != 0)
            return;
        return;
    }
    if (allowed != 0) {
        method_not_allowed(r, allowed);
        return;
    }
    err_set(&e, ERR_NOT_FOUND, "no such path \"%.*s\"", STR_ARG(path));
    http_reply_error(r, &e);
}
