/*
 * The application: everything a process holds, built once, torn down in reverse.
 *
 * Both programs start the same way (app_main): options, environment, listening, database, schema, configuration,
 * engine; they differ in the handler that serves requests.  While the database is being waited for, every
 * request is answered 503 with the reason (migration.md 3.3, 8.5).
 */
#ifndef SLUICE_APP_H
#define SLUICE_APP_H

#include "api/api.h"
#include "engine/schedule.h"
#include "gateway/logins.h"
#include "live/live.h"
#include "options.h"
#include "usage.h"

struct app {
    enum program program;
    struct options opts;
    struct arena *a; /* dies with the process */
    struct http_server *server;
    struct http_client_pool *clients;
    struct db *db;
    struct db *key_db; /* the engine's */
    struct ids *ids;
    struct writer *writer;
    struct cfg_store *cfg;
    struct listener *listener;
    struct auth *auth;
    struct tmpl_cache *templates;
    struct engine *engine;
    struct gw_store *gw_store;
    struct api api;
    struct schedule *schedule; /* with -workflows */
    struct usage *usage;
    struct maintenance *maintenance;
    struct gw_health *health;
    struct vitals *vitals;
    struct metrics *metrics;
    struct live *live;
    int stop_status; /* exit status when something ended the process by itself, else 0 */
    void *extra; /* the proxy's own part */
    void (*more_metrics)(struct app *app, struct buf *out); /* of its role */
};

/* What differs between the programs. */
struct app_role {
    enum program program;
    /* Called when everything stands, before the first request is served; on failure the process exits. */
    int (*ready)(struct app *app, struct err *e);
    /* Called for each request, on a loop or a worker. */
    http_handler *handler; /* ctx is the struct app */
    void (*stop)(struct app *app);
    /* After the writer has ended; may be NULL. */
    void (*free)(struct app *app);
    /* Appends what -metrics shows besides the common numbers; may be NULL. */
    void (*metrics)(struct app *app, struct buf *out);
};

/* The whole life of a process; returns its exit status (migration.md 9). */
int app_main(const struct app_role *role, int argc, char **argv);

/*
 * Read and check the environment: DB, legacy names (migration.md 3.1, 3.2).
 *
 * uri, shown  as db_address_parse().  Fails with ERR_USAGE.  Warnings go to the log.
 */
MUST_CHECK int app_environment(struct str *uri, struct str *shown, struct arena *a, struct err *e);
/*
 * The key outside the database: file named by option -kek, else by KEK of the environment.
 *
 * given  false when neither is there.  ERR_CONFIG as kek_read().
 */
MUST_CHECK int app_kek(const char *option, struct kek *out, bool *given, struct err *e);
int app_exit_status(const struct err *e);

/* The core's handler: custom routes, then the API; also used by the proxy for what it serves itself. */
void core_handle(struct http_req *r, void *app);

#endif
