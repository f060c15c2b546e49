/*
 * Health checks of gateways: a thread per process, of which the one holding the advisory lock asks.
 *
 * The lock lasts for one round and ends with its transaction, which works through a pooler and
 * needs no connection between rounds.
 */
#include "gateway/health.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

enum {
#ifdef SLUICE_TEST_BUILD
    PERIOD_MS = 1000, /* tests wait for changes */
#else
    PERIOD_MS = 30000,
#endif
    ROUND_MIN_MS = PERIOD_MS * 9 / 10,
    LOOK_MS = 500, /* between two looks at the configuration */
    ANSWER_MS = 10000,
    ANSWER_MAX = 256 * 1024,
    THREADS_MAX = 8, /* gateways asked at a time: those away keep nobody waiting */
};

/* ---- one gateway
 * ---------------------------------------------------------------------------------- */

static const char LINKED[] = "inter-connected", NOT_LINKED[] = "not inter-connected";

/* What a health document says about the link behind the gateway. */
static const char *link_of(struct str body, struct arena *a)
{
    static const char *const members[] = {"inter_connected", "gateway_connected", "interconnected"};
    struct val doc, v;
    struct err ignored = {0};

    if (json_parse(body, &doc, a, &ignored) != 0 || !val_is(doc, VAL_DICT))
        return "";
    v = val_get(doc, "gateway_status");
    if (str_eq_c(val_text(v), LINKED) || str_eq_c(val_text(v), NOT_LINKED))
        return str_eq_c(val_text(v), LINKED) ? LINKED : NOT_LINKED;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        v = val_get(doc, members[i]);
        if (val_is(v, VAL_BOOL))
            return v.u.b ? LINKED : NOT_LINKED;
    }
    return "";
}

void gw_check(struct http_client_pool *clients, const struct cfg_gateway *g, struct gw_check *out,
              struct arena *a)
{
    const struct http_header headers[] = {{STR("Accept"), STR("application/json, */*")}};
    struct http_call call = gw_own_call(g, "GET", gw_own_url(g->url, g->check_url, a));
    struct http_result res = {0};
    struct err e = {0};

    call.headers = headers;
    call.n_headers = COUNT_OF(headers);
    call.max_body = ANSWER_MAX;
    if (call.total_ms > ANSWER_MS)
        call.connect_ms = call.total_ms = ANSWER_MS;
    *out = (struct gw_check){.gateway = g->name, .url = g->url, .link = STR("")};
    if (http_client_do(clients, &call, &res, a, &e) != 0) {
        out->summary = str_dup(a, str_c(e.msg));
        return;
    }
    out->is_connected = true;
    out->is_healthy = res.status < 400;
    out->link = str_c(link_of(res.body, a));
    out->summary =
        str_printf(a, "answered %d in %lld ms", res.status, (long long)(res.elapsed_us / 1000));
}

/* ---- a round
 * ---------------------------------------------------------------------------------------- */

struct gw_health {
    struct db *db;
    struct cfg_store *cfg;
    struct http_client_pool *clients;
    struct gw_sessions *sessions;
    uint64_t wanted;      /* what the last round was about */
    int64_t next_ms;      /* when the next one is due */
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
};

/* The gateways of one round, shared by the threads that ask. */
struct batch {
    struct gw_health *h;
    const struct cfg_gateway **gateways;
    struct gw_check *checks;
    int64_t *started_ms;
    size_t n;
    atomic_size_t next;
};

struct asker {
    struct batch *batch;
    struct arena *a;
    pthread_t thread;
};

static void *ask(void *arg)
{
    struct asker *k = arg;
    struct batch *b = k->batch;

    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) < b->n && !atomic_load(&b->h->stop);) {
        b->started_ms[i] = clock_mono_ms(&clock_system);
        gw_check(b->h->clients, b->gateways[i], &b->checks[i], k->a);
    }
    return NULL;
}

/* Asks all, and waits.  The texts of the results live in the arenas of the askers. */
static void ask_all(struct batch *b, struct asker *askers, size_t n_askers)
{
    size_t started = 0;
    int64_t now_ms;

    while (started + 1 < n_askers &&
           pthread_create(&askers[started + 1].thread, NULL, ask, &askers[started + 1]) == 0)
        started++;
    (void)ask(&askers[0]);
    for (size_t i = 1; i <= started; i++)
        pthread_join(askers[i].thread, NULL);
    now_ms = clock_mono_ms(&clock_system);
    for (size_t i = 0; i < b->n; i++)
        b->checks[i].age_ms = now_ms - b->started_ms[i];
}

const struct gw_check *gw_check_find(const struct gw_check *checks, size_t n,
                                     const struct cfg_gateway *g)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(checks[i].gateway, g->name) && str_eq(checks[i].url, g->url))
            return &checks[i];
    return NULL;
}

/* Once per change; a gateway seen for the first time and healthy is no news. */
static void tell(const struct batch *b, const struct gw_check *old, size_t n_old)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct gw_check *now = &b->checks[i],
                              *was = gw_check_find(old, n_old, b->gateways[i]);
        const char *summary = now->summary.p;

        if (!now->is_healthy && (was == NULL || was->is_healthy))
            log_warn("gateway.unhealthy", "gateway=\"%.*s\" why=" LOG_Q, STR_ARG(now->gateway),
                     summary);
        else if (now->is_healthy && was != NULL && !was->is_healthy)
            log_info("gateway.healthy", "gateway=\"%.*s\" why=" LOG_Q, STR_ARG(now->gateway),
                     summary);
    }
}

/* Main URLs found healthy are used again in this process. */
static void back_to_main(struct gw_health *h, const struct cfg *cfg, const struct gw_check *checks,
                         size_t n)
{
    for (size_t i = 0; i < cfg->n_gateways; i++) {
        const struct cfg_gateway *g = &cfg->gateways[i];
        const struct gw_check *c = g->check ? gw_check_find(checks, n, g) : NULL;

        if (c != NULL && c->is_healthy)
            gw_url_healthy(h->sessions, g, c->age_ms);
    }
}

/* Somebody asked for all of them less than a round ago. */
static bool is_fresh(const struct batch *b, const struct gw_check *checks, size_t n)
{
    bool fresh = n == b->n;

    for (size_t i = 0; i < b->n && fresh; i++) {
        const struct gw_check *c = gw_check_find(checks, n, b->gateways[i]);

        fresh = c != NULL && c->age_ms < ROUND_MIN_MS;
    }
    return fresh;
}

static int check_and_store(struct gw_health *h, struct db_conn *c, const struct cfg *cfg,
                           struct arena *a, struct err *e)
{
    struct batch b = {
        .h = h,
        .gateways = ARENA_ARRAY(a, const struct cfg_gateway *, cfg->n_gateways + 1),
        .checks = ARENA_ARRAY(a, struct gw_check, cfg->n_gateways + 1),
        .started_ms = ARENA_ARRAY(a, int64_t, cfg->n_gateways + 1),
    };
    struct asker askers[THREADS_MAX];
    struct gw_check *old = NULL;
    size_t n_old = 0;
    int rc = 0;

    if (gw_status_get(c, &old, &n_old, a, e) != 0)
        return -1;
    for (size_t i = 0; i < cfg->n_gateways; i++)
        if (cfg->gateways[i].check)
            b.gateways[b.n++] = &cfg->gateways[i];
    if (is_fresh(&b, old, n_old)) {
        back_to_main(h, cfg, old, n_old);
        return 0;
    }
    for (size_t i = 0; i < THREADS_MAX; i++)
        askers[i] = (struct asker){.batch = &b, .a = arena_new(0)};
    if (b.n > 0)
        ask_all(&b, askers, b.n < THREADS_MAX ? b.n : THREADS_MAX);
    if (!atomic_load(&h->stop)) {
        rc = gw_status_put(c, b.checks, b.n, a, e);
        tell(&b, old, n_old);
        back_to_main(h, cfg, b.checks, b.n);
    }
    for (size_t i = 0; i < THREADS_MAX; i++)
        arena_free(askers[i].a);
    return rc;
}

static int read_and_follow(struct gw_health *h, struct db_conn *c, const struct cfg *cfg,
                           struct arena *a, struct err *e)
{
    struct gw_check *checks = NULL;
    size_t n = 0;

    if (gw_status_get(c, &checks, &n, a, e) != 0)
        return -1;
    back_to_main(h, cfg, checks, n);
    return 0;
}

/* ---- the thread
 * -------------------------------------------------------------------------------------------- */

/* What is to be checked, as one number; 0 = nothing. */
static uint64_t wanted(const struct cfg *cfg)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < cfg->n_gateways; i++) {
        const struct cfg_gateway *g = &cfg->gateways[i];

        if (g->check)
            hash = (hash * 31 + str_hash(g->name)) * 31 + str_hash(g->url) +
                   str_hash(g->check_url) + 1;
    }
    return hash;
}

static int one_round(struct gw_health *h, struct db_conn *c, const struct cfg *cfg,
                     struct arena *a, struct err *e)
{
    bool held = false;

    if (db_begin(c, e) != 0 || gw_status_lock(c, &held, e) != 0)
        return -1;
    if (!held)
        return read_and_follow(h, c, cfg, a, e);
    return check_and_store(h, c, cfg, a, e) == 0 ? db_commit(c, e) : -1;
}

static void work(struct gw_health *h, const struct cfg *cfg)
{
    struct arena *a = arena_new(0);
    struct db_conn *c = NULL;
    struct err e = {0};

    if (db_get(h->db, &c, &e) != 0 || one_round(h, c, cfg, a, &e) != 0)
        log_err(LOG_WARN_LEVEL, "gateway.checks", &e);
    arena_free(a); /* results before their connection */
    db_put(h->db, c);
}

/* The next one between 0.9 and 1.1 periods from now, so that processes do not march in step. */
static int64_t next_round_ms(void)
{
    uint16_t r;

    crypto_random(&r, sizeof r);
    return clock_mono_ms(&clock_system) + ROUND_MIN_MS + r % (PERIOD_MS / 5 + 1);
}

/* A round when it is time, or at once when other gateways are to be checked. */
static void look(struct gw_health *h)
{
    const struct cfg *cfg = cfg_get(h->cfg);
    uint64_t now = wanted(cfg);

    if (now != h->wanted || (now != 0 && clock_mono_ms(&clock_system) >= h->next_ms)) {
        h->wanted = now;
        work(h, cfg);
        h->next_ms = next_round_ms();
    }
    cfg_put(cfg);
}

static void *health_main(void *arg)
{
    struct gw_health *h = arg;
    struct timespec until;

    pthread_mutex_lock(&h->lock);
    while (!atomic_load(&h->stop)) {
        pthread_mutex_unlock(&h->lock);
        look(h);
        pthread_mutex_lock(&h->lock);
        until = clock_in_ms(LOOK_MS);
        while (!atomic_load(&h->stop) &&
               pthread_cond_timedwait(&h->wake, &h->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct gw_health *gw_health_new(struct db *db, struct cfg_store *cfg,
                                struct http_client_pool *clients, struct gw_sessions *sessions)
{
    struct gw_health *h = calloc(1, sizeof *h);

    if (h == NULL)
        abort();
    h->db = db;
    h->cfg = cfg;
    h->clients = clients;
    h->sessions = sessions;
    pthread_mutex_init(&h->lock, NULL);
    clock_cond_init(&h->wake);
    if (pthread_create(&h->thread, NULL, health_main, h) != 0)
        abort();
    return h;
}

void gw_health_free(struct gw_health *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->stop, true);
    pthread_cond_broadcast(&h->wake);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
