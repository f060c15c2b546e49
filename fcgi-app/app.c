/*
 * The life of a process: options, environment, listening, then database, schema, configuration and engine on a
 * thread of their own while the server already answers 503 with the reason; at the end all of it in reverse.
 */
#include "app.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "db/listen.h"
#include "db/migrate.h"
#include "gateway/health.h"
#include "http/client.h"
#include "maintenance.h"
#include "metrics.h"
#include "nodes/nodes.h"
#include "vitals.h"

enum {
    WRITER_QUEUE_BYTES = 64 * 1024 * 1024,
    TEMPLATE_CACHE_BYTES = 64 * 1024 * 1024,
    IDLE_MS = 120000, /* in a transaction; the longest waits are the checks of gateways */
    KEY_CONNS = 14, /* of the engine: one for each run, and the claiming thread waits for none of them */
#ifdef SLUICE_TEST_BUILD
    LEASE_MS = 3000, /* tests of killed processes need not wait for long */
#else
    LEASE_MS = 0, /* the engine's own */
#endif
    HOLD_MS = 5000, /* longer than a start takes that waits for nothing */
};

/* Why requests are answered 503 while we start: nobody is let in before that is known or we are ready, so a
 * restart that waits for nothing refuses nobody. */
struct starting {
    struct http_server *server;
    pthread_mutex_t lock;
    char why[256];
    int schema, needed;
};

struct boot {
    struct app *app;
    const struct app_role *role;
    struct str uri, shown;
    struct starting starting;
    pthread_t thread;
    int status; /* exit status when starting failed, else 0 */
};

/* Signal handlers reach these two only. */
static volatile bool stop_asked;
static struct http_server *volatile signalled_server;

static void on_stop_signal(int signo)
{
    (void)signo;
    if (stop_asked)
        _exit(1); /* asked twice: do not wait for anything */
    stop_asked = true;
    if (signalled_server != NULL)
        http_server_stop(signalled_server);
}

static void install_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
}

int app_exit_status(const struct err *e)
{
    switch (e->code) {
    case ERR_USAGE:
        return 2;
    case ERR_CONFIG:
        return 78;
    default:
        return 1;
    }
}

/* The one line before an exit other than 0. */
static int fail(enum program p, const struct err *e)
{
    if (e->detail[0] != '\0')
        log_debug("start.failed", "detail=" LOG_Q, e->detail);
    fprintf(stderr, "%s: %s\n", program_name(p), e->msg);
    return app_exit_status(e);
}

static void on_progress(void *arg, const char *why, int schema, int needed)
{
    struct starting *s = arg;

    pthread_mutex_lock(&s->lock);
    snprintf(s->why, sizeof s->why, "%s", why);
    s->schema = schema;
    s->needed = needed;
    pthread_mutex_unlock(&s->lock);
    http_server_open(s->server);
}

static void serve_starting(struct http_req *r, void *ctx)
{
    struct starting *s = ctx;
    struct val v = val_dict_new(r->a, 3);
    char why[sizeof s->why + 16];
    int schema, needed;

    pthread_mutex_lock(&s->lock);
    snprintf(why, sizeof why, "starting: %s", s->why);
    schema = s->schema;
    needed = s->needed;
    pthread_mutex_unlock(&s->lock);
    http_reply_header(r, STR("Retry-After"), STR("2"));
    if (str_eq_c(r->path, "/api/v01/health")) {
        val_dict_set_c(v, "status", VAL_STR_LIT("starting"));
        val_dict_set_c(v, "schema", val_int(schema));
        val_dict_set_c(v, "needed", val_int(needed));
    }
    val_dict_set_c(v, "error", val_str_c(why));
    http_reply_json(r, 503, v);
}

/* A newer program migrated while we run: what it left may not be ours to write (migration.md 8.4). */
static void check_schema(struct app *app)
{
    struct db_conn *c = NULL;
    struct err e = {0};

    if (db_get(app->db, &c, &e) == 0 && migrate_fits(c, &e) != 0 && e.code == ERR_CONFIG && !stop_asked) {
        app->stop_status = fail(app->program, &e);
        http_server_stop(app->server);
    }
    db_put(app->db, c);
}

/* Anything in the snapshot, the principals, the queue or the schema changed: on the listener's thread. */
static void on_change(void *arg, const char *topic)
{
    struct app *app = arg;
    struct err e = {0};

    if (strcmp(topic, "jobs") == 0) {
        engine_heard(app->engine);
        return;
    }
    if (strcmp(topic, "schema") == 0) {
        check_schema(app);
        return;
    }
    if (strcmp(topic, "users") == 0) {
        auth_forget(app->auth);
        return;
    }
    if ((strcmp(topic, "config") == 0 ? cfg_store_reload(app->cfg, &e) : cfg_store_poll(app->cfg, &e)) != 0)
        log_err(LOG_ERROR_LEVEL, "config.rejected", &e);
    schedule_wake(app->schedule);
}

static void users_changed(void *arg)
{
    auth_forget(((struct app *)arg)->auth);
}

static int migrate(const struct app *app, struct str uri, struct str shown, struct starting *s, struct err *e)
{
    const struct migrate_opts o = {
        .run = app->opts.run_migration,
        .wait_ms = app->opts.migration_wait_ms,
        .drain_ms = app->opts.drain_ms,
        .program = program_name(app->program),
        .stop = &stop_asked,
        .progress = s != NULL ? on_progress : NULL,
        .arg = s,
    };

    return migrate_start(uri.p, shown.p, &o, e);
}

static void open_database(struct app *app, struct str uri, struct str shown)
{
    const struct db_opts o = {
        .max_conns = (int)app->opts.workers + 4,
        .idle_ms = IDLE_MS,
        .app_name = program_name(app->program),
    };

    const struct db_opts by_key = {
        .max_conns = KEY_CONNS,
        .idle_ms = IDLE_MS,
        .app_name = program_name(app->program),
        .by_key = true,
    };

    app->db = db_new(uri.p, shown.p, &o);
    app->key_db = db_new(uri.p, shown.p, &by_key);
}

/* Each mapping must name a gateway (gateway-proxy.md 1.2); -proxyWait polls first. */
static int resolve_proxies(struct app *app, struct starting *s, struct err *e)
{
    int64_t until = clock_mono_ms(&clock_system) + app->opts.proxy_wait_ms;
    const struct cfg_gateway *g;

    for (size_t i = 0; i < app->opts.proxies.n;) {
        const struct cfg *c = cfg_get(app->cfg);
        int rc = proxy_map_resolve(c, &app->opts.proxies.maps[i], &g, e);

        cfg_put(c);
        if (rc == 0) {
            i++;
            continue;
        }
        if (clock_mono_ms(&clock_system) >= until || stop_asked)
            return -1;
        on_progress(s, "waiting for the gateways of -proxy", migrate_target(), migrate_target());
        usleep(500 * 1000);
        if (cfg_store_reload(app->cfg, e) != 0)
            return -1;
    }
    return 0;
}

static void build_engine(struct app *app)
{
    const struct engine_opts o = {
        .db = app->db,
        .key_db = app->key_db,
        .ids = app->ids,
        .writer = app->writer,
        .cfg = app->cfg,
        .auth = app->auth,
        .clients = app->clients,
        .templates = app->templates,
        .clock = &clock_system,
        .server = app->server,
        .nodes = node_table,
        .n_nodes = node_table_n,
        .proxies = &app->opts.proxies,
        .run_jobs = app->opts.workflows,
        .lease_ms = LEASE_MS,
        .sync_ms = app->opts.sync_timeout_ms,
        .no_history = app->opts.no_history,
    };

    app->engine = engine_new(&o);
}

static void build_api(struct app *app)
{
    app->api = (struct api){
        .db = app->db,
        .ids = app->ids,
        .writer = app->writer,
        .cfg = app->cfg,
        .auth = app->auth,
        .engine = app->engine,
        .server = app->server,
        .clients = app->clients,
        .templates = app->templates,
        .clock = &clock_system,
        .users_changed = users_changed,
        .users_changed_arg = app,
    };
}

static int open_config(struct app *app, struct err *e)
{
    struct kek kek;
    bool given;
    int rc = -1;

    if (app_kek(app->opts.kek, &kek, &given, e) == 0)
        rc = cfg_store_new_kek(&app->cfg, app->db, given ? &kek : NULL, e);
    kek_wipe(&kek);
    return rc;
}

static int build(struct boot *b, struct err *e)
{
    struct app *app = b->app;
    struct gw_keep keep;

    if (migrate(app, b->uri, b->shown, &b->starting, e) != 0)
        return -1;
    open_database(app, b->uri, b->shown);
    if (open_config(app, e) != 0)
        return -1;
    if (resolve_proxies(app, &b->starting, e) != 0)
        return -1;
    app->ids = ids_new(app->db);
    app->writer = writer_new(app->db, WRITER_QUEUE_BYTES);
    app->auth = auth_new(app->db, app->cfg, &clock_system);
    app->templates = tmpl_cache_new(TEMPLATE_CACHE_BYTES);
    build_engine(app);
    app->gw_store = gw_store_new(app->db, app->cfg);
    keep = gw_store_keep(app->gw_store);
    gw_sessions_keep(engine_sessions(app->engine), &keep);
    build_api(app);
    if (app->opts.workflows)
        app->schedule = schedule_new(app->db, app->cfg, app->engine);
    app->listener = listener_new(app->db, LISTEN_POLL_MS, on_change, app);
    app->usage = usage_new(&clock_system);
    app->maintenance = maintenance_new(app->db, app->cfg, app->usage, app->opts.cleanup);
    app->health = gw_health_new(app->db, app->cfg, app->clients, engine_sessions(app->engine));
    app->vitals = vitals_new(app->db, app->cfg, app->server, engine_sessions(app->engine), &app->opts.proxies);
    if (app->opts.metrics &&
        metrics_new(&app->metrics, app, app->opts.metrics_host, (int)app->opts.metrics_port, e) != 0)
        return -1;
    if (app->opts.ws_port != 0 && live_new(&app->live, &app->api, app->opts.host, (int)app->opts.ws_port, e) != 0)
        return -1;
    if (b->role->ready != NULL && b->role->ready(app, e) != 0)
        return -1;
    app->more_metrics = b->role->metrics;
    return 0;
}

static void *boot_main(void *arg)
{
    struct boot *b = arg;
    struct err e = {0};
    int64_t start = clock_mono_us(&clock_system);

    if (build(b, &e) != 0) {
        if (!stop_asked)
            b->status = fail(b->app->program, &e);
        http_server_stop(b->app->server);
        return NULL;
    }
    http_server_handler(b->app->server, b->role->handler, b->app);
    engine_start(b->app->engine);
    http_server_open(b->app->server);
    log_info("app.ready", "version=%s ms=%lld database=" LOG_Q, SLUICE_VERSION,
             (long long)(clock_mono_us(&clock_system) - start) / 1000, b->shown.p);
    return NULL;
}

static void flush_counts(struct app *app)
{
    struct err e;

    if (app->usage != NULL && usage_flush(app->usage, app->db, &e) != 0)
        log_err(LOG_WARN_LEVEL, "usage.lost", &e);
    usage_free(app->usage);
    if (app->cfg != NULL && cfg_store_count_seals(app->cfg, &e) != 0)
        log_err(LOG_WARN_LEVEL, "seals.lost", &e);
}

/* In reverse order of build(); what was not built yet is NULL, which all of these take. */
static void teardown(struct app *app, const struct app_role *role)
{
    engine_stop(app->engine);
    if (role->stop != NULL)
        role->stop(app);
    live_free(app->live);
    metrics_free(app->metrics);
    vitals_free(app->vitals);
    gw_health_free(app->health);
    maintenance_free(app->maintenance);
    flush_counts(app);
    listener_free(app->listener);
    schedule_free(app->schedule);
    writer_free(app->writer);
    if (role->free != NULL)
        role->free(app);
    engine_free(app->engine);
    gw_store_free(app->gw_store);
    tmpl_cache_free(app->templates);
    auth_free(app->auth);
    ids_free(app->ids);
    cfg_store_free(app->cfg);
    db_free(app->key_db);
    db_free(app->db);
    http_server_free(app->server);
    http_client_pool_free(app->clients);
}

static int listen_somewhere(const struct options *o, int *fd, struct err *e)
{
    *fd = http_listen_inherited();
    if (*fd >= 0)
        return 0;
    if (o->socket != NULL && o->socket[0] != '\0')
        return http_listen_unix(o->socket, (unsigned)o->socket_mode, fd, e);
    if (o->port != 0)
        return http_listen_tcp(o->host, (int)o->port, fd, e);
    err_set(e, ERR_USAGE, "nothing to listen on: give -port or -socket, or a listening socket as descriptor 0");
    return -1;
}

static int serve(struct app *app, const struct app_role *role, struct str uri, struct str shown, struct err *e)
{
    struct boot b = {.app = app,
                     .role = role,
                     .uri = uri,
                     .shown = shown,
                     .starting = {.why = "waiting for the database", .needed = migrate_target()}};
    struct http_server_opts so = {
        .loops = (int)app->opts.threads,
        .workers = (int)app->opts.workers,
        .max_in_flight = (int)app->opts.max_in_flight,
        .drain_ms = app->opts.drain_ms,
        .hold_ms = HOLD_MS,
        .trusted = app->opts.trusted_proxies,
        .stream_bodies = role->program == PROGRAM_PROXY,
        .stream_this = api_streams,
    };
    int rc;

    if (listen_somewhere(&app->opts, &so.listen_fd, e) != 0)
        return -1;
    pthread_mutex_init(&b.starting.lock, NULL);
    if (role->program == PROGRAM_PROXY)
        so.max_body = (size_t)app->opts.proxy_max_body;
    http_client_init();
    app->clients = http_client_pool_new();
    app->server = b.starting.server = http_server_new(&so, serve_starting, &b.starting);
    signalled_server = app->server;
    install_signals();
    rc = pthread_create(&b.thread, NULL, boot_main, &b);
    if (rc != 0) {
        err_set(e, ERR_INTERNAL, "cannot start a thread: %s%s", strerror(rc),
                rc == EPERM || rc == ENOSYS ? "; the system call clone3 is refused (Docker engines older than 20.10.24: "
                                              "--security-opt seccomp=unconfined)"
                                            : "");
        rc = -1;
    } else {
        rc = http_server_run(app->server, e);
        stop_asked = true;
        pthread_join(b.thread, NULL);
    }
    teardown(app, role);
    pthread_mutex_destroy(&b.starting.lock);
    return rc != 0 ? rc : b.status != 0 ? b.status : app->stop_status;
}

/* -newsuperuser: migrate, create, print the password once (migration.md 2.1). */
static int new_superuser(struct app *app, struct str uri, struct str shown, struct err *e)
{
    struct db_conn *c = NULL;
    struct str password = password_generate(20, false, app->a);
    int rc = -1;

    if (auth_can_tell(e) != 0 || migrate(app, uri, shown, NULL, e) != 0)
        return -1;
    open_database(app, uri, shown);
    if (db_get(app->db, &c, e) == 0)
        rc = auth_tell_superuser(c, str_c(app->opts.new_superuser), password, e);
    db_put(app->db, c);
    db_free(app->key_db);
    db_free(app->db);
    app->db = app->key_db = NULL;
    return rc;
}

static int bad_usage(enum program p, const struct buf *errors)
{
    for (struct str rest = buf_str(errors); rest.len > 0;) {
        struct str line = str_cut(&rest, '\n');

        if (line.len > 0)
            fprintf(stderr, "%s: %.*s\n", program_name(p), STR_ARG(line));
    }
    return 2;
}

static int run(struct app *app, const struct app_role *role)
{
    struct str uri, shown;
    struct err e = {0};
    int rc;

    if (app_environment(&uri, &shown, app->a, &e) != 0)
        return fail(app->program, &e);
    if (app->opts.new_superuser != NULL)
        rc = new_superuser(app, uri, shown, &e);
    else
        rc = serve(app, role, uri, shown, &e);
    return rc < 0 ? fail(app->program, &e) : rc;
}

/* Large bodies go back to the system when they are done with, and threads share their free space: a process stays as small as
 * its work. */
static void bound_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)mallopt(M_ARENA_MAX, 2);
}

int app_main(const struct app_role *role, int argc, char **argv)
{
    struct app app = {.program = role->program};
    struct buf text;
    int status = 0;

    bound_memory();
    crypto_no_core_dumps();
    app.a = arena_new(0);
    log_init(program_name(role->program), getenv("SLUICE_DEBUG") != NULL ? LOG_DEBUG_LEVEL : LOG_INFO_LEVEL);
    buf_init(&text, 64 * KIB, app.a);
    if (options_parse(&app.opts, role->program, argc, argv, &text, app.a) != 0) {
        status = bad_usage(role->program, &text);
    } else if (app.opts.help) {
        options_help(role->program, &text);
        fputs(buf_cstr(&text), stdout);
    } else if (app.opts.version) {
        printf("%s %s\n", program_name(role->program), SLUICE_VERSION);
    } else {
        status = run(&app, role);
    }
    arena_free(app.a);
    return status;
}
