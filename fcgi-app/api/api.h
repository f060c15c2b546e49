/*
 * The management API: a table of routes, and what a handler gets.
 *
 * A resource is a file api_<resource>.c and its lines in routes.def.  Handlers run on workers, may block, and either
 * set a result and return 0 or fill `e` and return -1; the status of an error comes from its code
 * (http_status_of), in one place.  Contract: http-api.md 1, 4, 5.
 */
#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "auth/auth.h"
#include "base/limits.h"
#include "config/config.h"
#include "db/ids.h"
#include "db/writer.h"
#include "engine/engine.h"
#include "http/server.h"
#include "template/tmpl.h"

/* What handlers may use; built once by app.c. */
struct api {
    struct db *db;
    struct ids *ids;
    struct writer *writer;
    struct cfg_store *cfg;
    struct auth *auth;
    struct engine *engine;
    struct http_server *server;
    struct http_client_pool *clients;
    struct tmpl_cache *templates;
    struct clock *clock;
    /* told when a handler changed users or tokens here, so that this process need not wait for the listener */
    void (*users_changed)(void *arg);
    void *users_changed_arg;
};

enum { API_PARAMS_MAX = 6 };

/* One call in progress. */
struct api_call {
    struct api *api;
    struct http_req *req;
    const struct cfg *cfg;
    const struct principal *user; /* NULL on public routes */
    struct db_conn *conn;         /* borrowed; NULL for routes with DB_NO */
    struct arena *a;              /* the request's */
    struct str params[API_PARAMS_MAX]; /* decoded placeholders of the path, in order */
    struct val body;              /* parsed JSON object or array; {} when there was none */

    /* the answer: JSON text wins over a value; neither = {} */
    int status; /* 200 */
    struct val result;
    struct str text;
    struct str content_type; /* default application/json */
    bool replied;            /* the handler streamed its answer itself: the request is gone */
};

typedef int api_handler(struct api_call *c, struct err *e);

/* Every handler of routes.def. */
#define ROUTE(method, path, fn, access, flags) api_handler fn;
#include "api/routes.def"
#undef ROUTE

/* One line of routes.def. */
struct api_route {
    enum http_method method;
    const char *path;   /* "/api/v01/activities/{id}": literals win over placeholders */
    api_handler *fn;
    const char *access; /* "public", "user" (anyone signed in), "self" (also while the password must be changed),
                           "system", else the name of an access of the profile (http-api.md 4.1) */
    unsigned flags;
};
enum {
    API_NO_DB = 1,    /* borrows no connection */
    API_RAW_BODY = 2, /* the handler reads req->body itself (multipart, files) */
    API_RELOADS = 4,  /* changes what the snapshot holds: answered when this process goes by the change */
};

/*
 * Serve a request under /api/v01 that is no custom route.  Called on a loop; path is canonical.
 * Answers 404 for unknown paths, 405 with Allow for known ones.
 */
void api_serve(struct api *api, struct http_req *r, struct str path);
/* Whether the table has this path (any method): custom routes may not shadow it. */
bool api_knows(struct str path);
/* Uploads that are stored while they arrive: their handlers read the body themselves. */
bool api_streams(const struct http_req *r);
/*
 * Who carries the bearer token from `ip`, and may he use `access`?  c->user is set (in c->a) once he is known, also when he may not.
 * Returns 0 or -1: 401 and c->user NULL, or 403.
 */
MUST_CHECK int api_identify(struct api_call *c, struct str bearer, struct str ip, const char *access, struct err *e);
/* 401/403 for a caller who may not use `access`; 0 when he may. */
MUST_CHECK int api_allowed(const struct principal *p, const char *access, struct err *e);

/* ---- helpers of handlers (api_help.c) ------------------------------------------------------------ */

/* {id}: a positive integer that the column of a <what> can hold, else ERR_NOT_FOUND "no such <what>". */
MUST_CHECK int api_id(const struct api_call *c, int param, const char *what, int64_t *out, struct err *e);
/* Members of the body with their type; absent and null leave *out alone.  ERR_INVALID "name: expected text". */
MUST_CHECK int api_body_text(const struct api_call *c, const char *name, size_t max_chars, struct str *out, struct err *e);
MUST_CHECK int api_body_bool(const struct api_call *c, const char *name, bool *out, struct err *e);
MUST_CHECK int api_body_int(const struct api_call *c, const char *name, int64_t *out, struct err *e);
/* As above, but ERR_INVALID "name is required" when absent, null or empty. */
MUST_CHECK int api_body_need(const struct api_call *c, const char *name, size_t max_chars, struct str *out, struct err *e);
/* Refuse members that are not in the comma list; ERR_INVALID "unknown member \"x\"". */
MUST_CHECK int api_body_only(const struct api_call *c, const char *names, struct err *e);
/* Was the member sent (null counts)? */
bool api_body_has(const struct api_call *c, const char *name);
/* Answer a download: Content-Disposition attachment with this file name. */
void api_download(struct api_call *c, const char *filename, const char *content_type, struct str bytes);
/* Run a statement whose one row and column is the JSON text of the answer; ERR_NOT_FOUND "no such <what>" without row. */
MUST_CHECK int api_answer_query(struct api_call *c, const struct db_stmt *s, const struct db_arg *args, size_t n,
                                const char *what, struct err *e);
/* {"id": n} */
void api_answer_id(struct api_call *c, const char *name, int64_t id);
/* An audit record of what the caller did (http-api.md 5.5): operation "create", "delete", or what kind of change it was
 * ("update", "commit"...); target_type "activities", target its name. */
void api_audit(struct api_call *c, const char *operation, const char *target_type, struct str target);

/* Statements of each api_*.c; listed for the tests in stores.c. */
extern const struct db_stmts api_alarms_stmts, api_help_stmts, api_health_stmts, api_activities_stmts, api_versions_stmts, api_exchange_stmts,
    api_custom_routes_stmts, api_templates_stmts, api_requests_stmts, api_transactions_stmts, api_mass_stmts, api_cron_stmts, api_timers_stmts, api_startup_events_stmts, api_openapi_stmts, api_filters_stmts;
extern const struct db_stmts api_manual_actions_stmts, api_callbacks_stmts, api_events_stmts, api_comments_stmts, api_statistics_stmts, api_gateways_stmts;

#endif
