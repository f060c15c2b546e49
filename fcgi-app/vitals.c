/*
 * A thread per process: look at the counters, tell the others, and, holding the lock, judge what all of them told.
 */
#include "vitals.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarm/alarm.h"
#include "alarm/rates.h"
#include "base/ip_guard.h"
#include "base/json.h"
#include "base/log.h"
#include "db/locks.h"

enum {
#ifdef SLUICE_TEST_BUILD
    TICK_MS = 250,
    SLOT_MS = 300,
#else
    TICK_MS = 10000,
    SLOT_MS = 30000,
#endif
    FRESH_MS = 4 * TICK_MS, /* a process that said nothing for so long is gone */
    GATEWAYS_MAX = 256,
    PLACES_MAX = 64,
};

static const struct db_stmt stmt_tell = {
    "vitals_tell",
    "INSERT INTO vitals (process, kind, subject, calls, bad, seen_on) SELECT $1, kind, subject, calls, bad, now() "
    "FROM json_to_recordset($2::json) AS x(kind text, subject text, calls bigint, bad bigint) "
    "ON CONFLICT (process, kind, subject) DO UPDATE SET calls = excluded.calls, bad = excluded.bad, seen_on = now()",
    2,
};

static const struct db_stmt stmt_lock = {
    "vitals_lock",
    "SELECT pg_try_advisory_xact_lock(" DB_LOCK_VITALS ")",
    0,
};

static const struct db_stmt stmt_sums = {
    "vitals_sums",
    "SELECT kind, subject, sum(calls)::bigint, sum(bad)::bigint FROM vitals "
    "WHERE seen_on > now() - make_interval(secs => $1::bigint / 1000.0) AND kind NOT IN ('socket', 'mapping') GROUP BY kind, subject",
    1,
};

static const struct db_stmt stmt_sockets = {
    "vitals_sockets",
    "SELECT DISTINCT substr(subject, length($2) + 2) FROM vitals WHERE kind = 'socket' AND starts_with(subject, $2 || ' ') "
    "AND seen_on > now() - make_interval(secs => $1::bigint / 1000.0) LIMIT 64",
    2,
};

static const struct db_stmt stmt_forget = {
    "vitals_forget",
    "DELETE FROM vitals WHERE seen_on < now() - interval '1 hour'",
    0,
};

static const struct db_stmt stmt_active = {
    "vitals_active",
    "SELECT key, subject FROM alarms WHERE active AND key IN "
    "('http_success_rate', 'http_south_success_rate', 'network_issues', 'gateway_circuit')",
    0,
};

static const struct db_stmt *const all[] = {&stmt_tell, &stmt_lock, &stmt_sums, &stmt_sockets, &stmt_forget, &stmt_active};
const struct db_stmts vitals_stmts = {"vitals", all, COUNT_OF(all)};

struct gateway_rate {
    char name[GW_CIRCUIT_NAME];
    struct rate rate;
    bool open;
};

struct vitals {
    struct db *db;
    struct cfg_store *cfg;
    struct http_server *server;
    struct gw_sessions *sessions;
    const struct proxy_maps *maps;
    char process[17], host[65];
    struct rate north, south;
    struct gateway_rate gateways[GATEWAYS_MAX];
    size_t n_gateways;
    struct gw_circuit circuits[GATEWAYS_MAX];
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
};

/* ---- looking ------------------------------------------------------------------------------------------------ */

static struct gateway_rate *gateway_of(struct vitals *v, const char *name)
{
    size_t i = 0;

    while (i < v->n_gateways && strcmp(v->gateways[i].name, name) != 0)
        i++;
    if (i == GATEWAYS_MAX)
        return NULL;
    if (i == v->n_gateways) {
        memcpy(v->gateways[i].name, name, GW_CIRCUIT_NAME);
        v->gateways[i].rate.begun = true; /* what has failed so far has failed since the start */
        v->n_gateways++;
    }
    return &v->gateways[i];
}

static void look(struct vitals *v, int64_t now_ms)
{
    struct http_server_stats s = http_server_stats(v->server);
    uint64_t answers, bad;
    size_t n = gw_circuits(v->sessions, v->circuits, GATEWAYS_MAX);

    rate_totals(&v->north, now_ms, SLOT_MS, s.requests, s.failed);
    gw_answers(v->sessions, &answers, &bad);
    rate_totals(&v->south, now_ms, SLOT_MS, answers, bad);
    for (size_t i = 0; i < n; i++) {
        struct gateway_rate *g = gateway_of(v, v->circuits[i].gateway);

        if (g == NULL)
            break;
        rate_totals(&g->rate, now_ms, SLOT_MS, v->circuits[i].failures, v->circuits[i].failures);
        g->open = v->circuits[i].open;
    }
}

/* ---- telling ------------------------------------------------------------------------------------------------ */

static void add(struct val list, const char *kind, const char *subject, uint64_t calls, uint64_t bad, struct arena *a)
{
    struct val row = val_dict_new(a, 4);

    val_dict_set_c(row, "kind", val_str_c(kind));
    val_dict_set_c(row, "subject", val_str_c(subject));
    val_dict_set_c(row, "calls", val_int((int64_t)calls));
    val_dict_set_c(row, "bad", val_int((int64_t)bad));
    val_list_add(list, row);
}

/* Where this process listens, "host address port": the others must not be talked into calling it. */
static void add_sockets(struct vitals *v, struct val list, struct arena *a)
{
    char places[PLACES_MAX][IP_GUARD_TEXT];
    size_t n = ip_guard_own_list(places, PLACES_MAX);

    for (size_t i = 0; i < n; i++)
        add(list, "socket", arena_printf(a, "%s %s", v->host, places[i]), 0, 0, a);
}

static void add_mappings(struct vitals *v, struct val list, struct arena *a)
{
    for (size_t i = 0; i < v->maps->n; i++)
        add(list, "mapping", arena_printf(a, "%.*s %.*s", STR_ARG(v->maps->maps[i].prefix), STR_ARG(v->maps->maps[i].gateway)), 0, 0, a);
}

/* Gateways that left the configuration are no trouble any more. */
static struct str told(struct vitals *v, const struct cfg *cfg, int64_t now_ms, struct arena *a)
{
    struct val list = val_list_new(a, 2 + 2 * v->n_gateways);
    uint64_t calls, bad;

    rate_window(&v->north, now_ms, SLOT_MS, &calls, &bad);
    add(list, "north", "", calls, bad, a);
    rate_window(&v->south, now_ms, SLOT_MS, &calls, &bad);
    add(list, "south", "", calls, bad, a);
    for (size_t i = 0; i < v->n_gateways; i++) {
        const struct gateway_rate *g = &v->gateways[i];
        bool there = cfg_gateway(cfg, str_c(g->name)) != NULL;

        rate_window(&g->rate, now_ms, SLOT_MS, &calls, &bad);
        add(list, "network", g->name, calls, there ? bad : 0, a);
        add(list, "circuit", g->name, 1, there && g->open ? 1 : 0, a);
    }
    add_sockets(v, list, a);
    add_mappings(v, list, a);
    return json_text(list, a);
}

/* What the others of this machine told likewise. */
static int learn_sockets(struct vitals *v, struct db_conn *c, struct arena *a, struct err *e)
{
    struct str places[PLACES_MAX];
    PGresult *res = NULL;
    size_t n = 0;

    if (db_query_in(c, &stmt_sockets, DB_ARGS(DB_INT(FRESH_MS), DB_C(v->host)), &res, a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(res) && n < PLACES_MAX; i++)
        places[n++] = db_str(res, i, 0);
    ip_guard_others(places, n);
    return 0;
}

/* ---- judging ------------------------------------------------------------------------------------------------ */

struct sign {
    const char *key;
    struct str subject;
    enum rate_verdict verdict;
    const char *level;
    struct str message, value;
    bool clears; /* by itself */
};

static struct val rule_of(const struct cfg *cfg, const char *key)
{
    return val_get(val_path(cfg->doc, "alarms.alarms"), key);
}

static void judge_rate(struct sign *x, const struct cfg *cfg, const char *what, uint64_t calls, uint64_t bad, struct arena *a)
{
    struct val rule = rule_of(cfg, x->key);
    double percent;

    x->verdict = rate_judge_success(rule, calls, bad, &percent, &x->level);
    x->clears = val_get_bool(rule, "system_clear", true);
    x->value = str_printf(a, "%.1f", percent);
    x->message = str_printf(a, "%llu of %llu %s within %d s failed: %.1f %% succeeded", (unsigned long long)bad,
                            (unsigned long long)calls, what, WINDOW_SLOTS * SLOT_MS / 1000, percent);
}

static void judge_network(struct sign *x, const struct cfg *cfg, uint64_t bad, struct arena *a)
{
    struct val rule = rule_of(cfg, x->key);

    x->verdict = rate_judge_count(rule, bad, &x->level);
    x->clears = val_get_bool(rule, "system_clear", true);
    x->value = str_printf(a, "%llu", (unsigned long long)bad);
    x->message = str_printf(a, "gateway %.*s: %llu network failures within %d s", STR_ARG(x->subject), (unsigned long long)bad,
                            WINDOW_SLOTS * SLOT_MS / 1000);
}

static bool judge(struct sign *x, const struct cfg *cfg, struct str kind, uint64_t calls, uint64_t bad, struct arena *a)
{
    if (str_eq_c(kind, "north")) {
        x->key = "http_success_rate";
        judge_rate(x, cfg, "requests", calls, bad, a);
    } else if (str_eq_c(kind, "south")) {
        x->key = "http_south_success_rate";
        judge_rate(x, cfg, "calls of gateways", calls, bad, a);
    } else if (str_eq_c(kind, "network")) {
        x->key = "network_issues";
        judge_network(x, cfg, bad, a);
    } else if (str_eq_c(kind, "circuit")) {
        x->key = "gateway_circuit";
        x->clears = true;
        x->level = ALARM_CRITICAL;
        x->verdict = bad > 0 ? RATE_BAD : RATE_FINE;
        x->message = str_printf(a, "gateway %.*s does not answer: calls are refused", STR_ARG(x->subject));
    } else {
        return false; /* of a newer program */
    }
    return true;
}

static bool is_active(PGresult *active, const struct sign *x)
{
    for (int i = 0; i < PQntuples(active); i++)
        if (str_eq_c(db_str(active, i, 0), x->key) && str_eq(db_str(active, i, 1), x->subject))
            return true;
    return false;
}

static int act(struct db_conn *c, const struct sign *x, bool active, struct err *e)
{
    const struct alarm alarm = {.key = x->key, .subject = x->subject, .level = x->level, .message = x->message, .value = x->value};

    if (x->verdict == RATE_BAD)
        return alarm_raise(c, &alarm, e);
    return x->verdict == RATE_FINE && active && x->clears ? alarm_over(c, x->key, x->subject, e) : 0;
}

/* Alarms about gateways nobody tells of any more: all processes that did are gone. */
static int end_forgotten(struct db_conn *c, PGresult *sums, PGresult *active, struct err *e)
{
    for (int i = 0; i < PQntuples(active); i++) {
        struct str key = db_str(active, i, 0), subject = db_str(active, i, 1);
        bool told = !str_eq_c(key, "gateway_circuit");

        for (int k = 0; k < PQntuples(sums) && !told; k++)
            told = str_eq_c(db_str(sums, k, 0), "circuit") && str_eq(db_str(sums, k, 1), subject);
        if (!told && alarm_over(c, "gateway_circuit", subject, e) != 0)
            return -1;
    }
    return 0;
}

static int judge_all(struct db_conn *c, const struct cfg *cfg, struct arena *a, struct err *e)
{
    PGresult *lock = NULL, *sums = NULL, *active = NULL;

    if (db_begin(c, e) != 0 || db_query_in(c, &stmt_lock, DB_NO_ARGS, &lock, a, e) != 0)
        return -1;
    if (!db_bool(lock, 0, 0)) {
        db_rollback(c); /* another process is at it */
        return 0;
    }
    if (db_query_in(c, &stmt_sums, DB_ARGS(DB_INT(FRESH_MS)), &sums, a, e) != 0 ||
        db_query_in(c, &stmt_active, DB_NO_ARGS, &active, a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(sums); i++) {
        struct sign x = {.subject = db_str(sums, i, 1)};

        if (judge(&x, cfg, db_str(sums, i, 0), (uint64_t)db_int(sums, i, 2), (uint64_t)db_int(sums, i, 3), a) &&
            act(c, &x, is_active(active, &x), e) != 0)
            return -1;
    }
    if (end_forgotten(c, sums, active, e) != 0 || db_exec(c, &stmt_forget, DB_NO_ARGS, NULL, e) != 0)
        return -1;
    return db_commit(c, e);
}

/* ---- the thread ----------------------------------------------------------------------------------------------- */

static void tick(struct vitals *v)
{
    const struct cfg *cfg = cfg_get(v->cfg);
    struct arena *a = arena_new(0);
    struct db_conn *c = NULL;
    struct err e = {0};
    int64_t now_ms = clock_mono_ms(&clock_system);

    look(v, now_ms);
    if (db_get(v->db, &c, &e) != 0 ||
        db_exec(c, &stmt_tell, DB_ARGS(DB_C(v->process), DB_STR(told(v, cfg, now_ms, a))), NULL, &e) != 0 ||
        learn_sockets(v, c, a, &e) != 0 || judge_all(c, cfg, a, &e) != 0)
        log_err(LOG_DEBUG_LEVEL, "vitals.later", &e);
    db_put(v->db, c);
    arena_free(a);
    cfg_put(cfg);
}

static void *vitals_main(void *arg)
{
    struct vitals *v = arg;
    struct timespec until;

    pthread_mutex_lock(&v->lock);
    while (!v->stop) {
        pthread_mutex_unlock(&v->lock);
        tick(v);
        pthread_mutex_lock(&v->lock);
        until = clock_in_ms(TICK_MS);
        while (!v->stop && pthread_cond_timedwait(&v->wake, &v->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

struct vitals *vitals_new(struct db *db, struct cfg_store *cfg, struct http_server *server, struct gw_sessions *sessions,
                          const struct proxy_maps *maps)
{
    struct vitals *v = calloc(1, sizeof *v);
    uint64_t id;

    if (v == NULL)
        abort();
    v->db = db;
    v->cfg = cfg;
    v->server = server;
    v->sessions = sessions;
    v->maps = maps;
    crypto_random(&id, sizeof id);
    if (gethostname(v->host, sizeof v->host - 1) != 0)
        snprintf(v->host, sizeof v->host, "-");
    snprintf(v->process, sizeof v->process, "%016llx", (unsigned long long)id);
    pthread_mutex_init(&v->lock, NULL);
    clock_cond_init(&v->wake);
    if (pthread_create(&v->thread, NULL, vitals_main, v) != 0)
        abort();
    return v;
}

void vitals_free(struct vitals *v)
{
    if (v == NULL)
        return;
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->thread, NULL);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    free(v);
}
