/*
 * Which URL of a gateway is called, and whether it is called at all: the circuit breaker of each URL.
 *
 * As long as nothing fails nobody takes the lock for a gateway without backups: `troubled` counts the breakers that have something
 * to say.  A gateway's state is found by name and lives as long as the process: configurations come and go with their snapshots.
 */
#include "gateway/session_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/breaker.h"

enum {
    BACK_TO_MAIN_MS = 60000, /* without health checks: try the main URL again after */
    URLS_MAX = 16,           /* those behind have no breaker */
};

struct gateway {
    struct gateway *next;
    char name[GW_CIRCUIT_NAME];
    uint64_t name_hash;
    uint64_t urls_hash; /* of the URLs `url` counts in */
    size_t url;         /* 0 = main, then backups */
    size_t n_urls;
    int64_t left_main_ms;
    uint64_t failures; /* ever */
    struct breaker breakers[URLS_MAX];
};

struct gw_urls {
    pthread_mutex_t lock;
    struct gateway *gateways;
    atomic_int troubled;            /* breakers that counted a failure since the last answer */
    atomic_uint_fast64_t answers, bad; /* bad: 500 and above */
};

struct gw_urls *gw_urls_new(void)
{
    struct gw_urls *u = calloc(1, sizeof *u);

    if (u == NULL)
        abort();
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void gw_urls_free(struct gw_urls *u)
{
    while (u->gateways != NULL) {
        struct gateway *t = u->gateways;

        u->gateways = t->next;
        free(t);
    }
    pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- all below with the lock held, up to the public functions ---------------------------------------------- */

static bool is_troubled(const struct breaker *b)
{
    return b->failures > 0 || b->open;
}

/* Other URLs than before: the main one is tried again at once. */
static void check_urls(struct gw_urls *u, struct gateway *t, const struct cfg_gateway *g)
{
    uint64_t hash = str_hash(g->url);

    for (size_t i = 0; i < g->n_backup_urls; i++)
        hash = hash * 31 + str_hash(g->backup_urls[i]);
    if (hash == t->urls_hash)
        return;
    for (size_t i = 0; i < URLS_MAX; i++)
        if (is_troubled(&t->breakers[i]))
            atomic_fetch_sub(&u->troubled, 1);
    memset(t->breakers, 0, sizeof t->breakers);
    t->url = 0;
    t->urls_hash = hash;
    t->n_urls = g->n_backup_urls + 1;
}

static struct gateway *find(struct gw_urls *u, const struct cfg_gateway *g)
{
    uint64_t hash = str_hash(g->name);
    struct gateway *t;

    for (t = u->gateways; t != NULL; t = t->next)
        if (t->name_hash == hash)
            break;
    if (t == NULL) {
        t = calloc(1, sizeof *t);
        if (t == NULL)
            abort();
        t->name_hash = hash;
        snprintf(t->name, sizeof t->name, "%.*s", STR_ARG(g->name));
        t->next = u->gateways;
        u->gateways = t;
    }
    check_urls(u, t, g);
    return t;
}

static struct str url_at(const struct cfg_gateway *g, size_t i)
{
    return i == 0 ? g->url : g->backup_urls[i - 1];
}

/* Its number, or n_urls for one that is not the gateway's any more. */
static size_t number_of(const struct gateway *t, const struct cfg_gateway *g, struct str url)
{
    size_t i = 0;

    while (i < t->n_urls && !str_eq(url_at(g, i), url))
        i++;
    return i;
}

static struct breaker_rule rule_of(const struct cfg_gateway *g)
{
    return (struct breaker_rule){g->breaker_failures, (int64_t)g->breaker_wait_s * 1000, (int64_t)g->timeout_s * 1000 + 1000};
}

static void go_to(struct gw_sessions *s, struct gateway *t, size_t url)
{
    if (url == t->url)
        return;
    if (t->url == 0)
        t->left_main_ms = clock_mono_ms(s->clock);
    t->url = url;
    log_warn("gateway.failover", "gateway=\"%s\" url_in_use=%zu", t->name, url);
}

static size_t in_use(struct gw_sessions *s, struct gateway *t, const struct cfg_gateway *g)
{
    if (t->url > 0 && !g->check && clock_mono_ms(s->clock) - t->left_main_ms > BACK_TO_MAIN_MS)
        t->url = 0;
    return t->url;
}

static bool admits(struct gw_sessions *s, struct gateway *t, const struct cfg_gateway *g, size_t url, int64_t *least_ms)
{
    const struct breaker_rule rule = rule_of(g);
    int64_t wait_ms = 0;

    if (url >= URLS_MAX || breaker_admits(&t->breakers[url], &rule, clock_mono_ms(s->clock), &wait_ms)) {
        if (url < URLS_MAX && t->breakers[url].open)
            log_info("gateway.probe", "gateway=\"%s\" url=%zu", t->name, url);
        return true;
    }
    if (*least_ms == 0 || wait_ms < *least_ms)
        *least_ms = wait_ms;
    return false;
}

static int refuse(const struct cfg_gateway *g, int64_t wait_ms, struct err *e)
{
    int s = (int)((wait_ms + 999) / 1000);

    err_set(e, ERR_BUSY, "gateway %.*s does not answer, the next try is in %d s", STR_ARG(g->name), s);
    e->retry_s = s;
    return -1;
}

static void worked(struct gw_urls *u, struct gateway *t, size_t url)
{
    if (url >= URLS_MAX || !is_troubled(&t->breakers[url]))
        return;
    atomic_fetch_sub(&u->troubled, 1);
    if (breaker_worked(&t->breakers[url]))
        log_info("gateway.circuit_closed", "gateway=\"%s\" url=%zu", t->name, url);
}

static void failed(struct gw_sessions *s, struct gateway *t, const struct cfg_gateway *g, size_t url)
{
    const struct breaker_rule rule = rule_of(g);
    struct breaker *b = &t->breakers[url];
    bool before = is_troubled(b);

    if (breaker_failed(b, &rule, clock_mono_ms(s->clock)))
        log_warn("gateway.circuit_open", "gateway=\"%s\" url=%zu failures=%d wait_s=%d", t->name, url, rule.failures, g->breaker_wait_s);
    if (!before && is_troubled(b))
        atomic_fetch_add(&s->urls->troubled, 1);
}

/* ---- for callers -------------------------------------------------------------------------------------------- */

struct str gw_url(struct gw_sessions *s, const struct cfg_gateway *g)
{
    struct str url;

    if (g->n_backup_urls == 0)
        return g->url;
    pthread_mutex_lock(&s->urls->lock);
    url = url_at(g, in_use(s, find(s->urls, g), g));
    pthread_mutex_unlock(&s->urls->lock);
    return url;
}

int gw_url_take(struct gw_sessions *s, const struct cfg_gateway *g, struct str *url, struct err *e)
{
    struct gateway *t;
    int64_t wait_ms = 0;
    size_t first, i;
    bool yes;

    if (atomic_load_explicit(&s->urls->troubled, memory_order_relaxed) == 0) {
        *url = gw_url(s, g);
        return 0;
    }
    pthread_mutex_lock(&s->urls->lock);
    t = find(s->urls, g);
    first = in_use(s, t, g);
    for (i = 0; i < t->n_urls; i++)
        if (admits(s, t, g, (first + i) % t->n_urls, &wait_ms))
            break;
    yes = i < t->n_urls;
    if (yes)
        go_to(s, t, (first + i) % t->n_urls);
    *url = url_at(g, t->url);
    pthread_mutex_unlock(&s->urls->lock);
    return yes ? 0 : refuse(g, wait_ms, e);
}

int gw_url_admit(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct err *e)
{
    struct gateway *t;
    int64_t wait_ms = 0;
    bool yes;

    if (atomic_load_explicit(&s->urls->troubled, memory_order_relaxed) == 0)
        return 0;
    pthread_mutex_lock(&s->urls->lock);
    t = find(s->urls, g);
    yes = admits(s, t, g, number_of(t, g, url), &wait_ms);
    pthread_mutex_unlock(&s->urls->lock);
    return yes ? 0 : refuse(g, wait_ms, e);
}

void gw_url_failed(struct gw_sessions *s, const struct cfg_gateway *g, struct str url)
{
    struct gateway *t;
    size_t n;

    pthread_mutex_lock(&s->urls->lock);
    t = find(s->urls, g);
    t->failures++;
    n = number_of(t, g, url);
    if (n < t->n_urls && n < URLS_MAX)
        failed(s, t, g, n);
    if (n == t->url)
        go_to(s, t, (t->url + 1) % t->n_urls);
    pthread_mutex_unlock(&s->urls->lock);
}

void gw_url_answered(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, int status)
{
    struct gateway *t;

    atomic_fetch_add_explicit(&s->urls->answers, 1, memory_order_relaxed);
    if (status >= 500)
        atomic_fetch_add_explicit(&s->urls->bad, 1, memory_order_relaxed);
    if (atomic_load_explicit(&s->urls->troubled, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&s->urls->lock);
    t = find(s->urls, g);
    worked(s->urls, t, number_of(t, g, url));
    pthread_mutex_unlock(&s->urls->lock);
}

void gw_url_healthy(struct gw_sessions *s, const struct cfg_gateway *g, int64_t age_ms)
{
    struct gateway *t;
    int64_t began_ms;

    if (g->n_backup_urls == 0 && atomic_load(&s->urls->troubled) == 0)
        return;
    pthread_mutex_lock(&s->urls->lock);
    t = find(s->urls, g);
    began_ms = clock_mono_ms(s->clock) - age_ms;
    if (began_ms > t->breakers[0].failed_ms)
        worked(s->urls, t, 0);
    if (t->url > 0 && began_ms > t->left_main_ms) {
        t->url = 0;
        log_info("gateway.back", "gateway=\"%s\" url_in_use=0", t->name);
    }
    pthread_mutex_unlock(&s->urls->lock);
}

size_t gw_circuits(struct gw_sessions *s, struct gw_circuit *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&s->urls->lock);
    for (const struct gateway *t = s->urls->gateways; t != NULL && n < max; t = t->next) {
        struct gw_circuit *c = &out[n++];

        memcpy(c->gateway, t->name, sizeof c->gateway);
        c->failures = t->failures;
        c->open = t->n_urls <= URLS_MAX;
        for (size_t i = 0; i < t->n_urls && c->open; i++)
            c->open = t->breakers[i].open;
    }
    pthread_mutex_unlock(&s->urls->lock);
    return n;
}

void gw_answers(struct gw_sessions *s, uint64_t *all, uint64_t *bad)
{
    *all = atomic_load(&s->urls->answers);
    *bad = atomic_load(&s->urls->bad);
}
