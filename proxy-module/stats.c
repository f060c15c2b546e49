/*
 * Histograms in a small table under one lock; entering a call takes well under a microsecond.
 */
#include "stats.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

enum { ROWS_MAX = 256, SLOTS = 1024, ROUTE_MAX = 120, SEGMENTS_MAX = 12, SEGMENT_MAX = 32 };

static const struct {
    int64_t us;
    const char *le;
} bounds[] = {{500, "0.0005"},  {1000, "0.001"},  {2000, "0.002"},  {5000, "0.005"},   {10000, "0.01"},   {20000, "0.02"},
              {50000, "0.05"},  {100000, "0.1"},  {200000, "0.2"},  {500000, "0.5"},   {1000000, "1"},    {2000000, "2"},
              {5000000, "5"},   {10000000, "10"}, {30000000, "30"}};

enum { N_BOUNDS = COUNT_OF(bounds), N_CLASSES = 6 };

struct row {
    uint64_t hash;
    char *gateway, *method, *route;
    uint64_t buckets[N_BOUNDS + 1];
    uint64_t count, sum_us, gateway_us;
    uint64_t classes[N_CLASSES]; /* 0 = no answer, then by the hundred */
};

struct stats {
    pthread_mutex_t lock;
    struct arena *a;
    struct row *rows[ROWS_MAX];
    size_t n_rows;
    struct row *slots[SLOTS];
};

struct stats *stats_new(void)
{
    struct stats *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    s->a = arena_new(0);
    return s;
}

void stats_free(struct stats *s)
{
    if (s == NULL)
        return;
    arena_free(s->a);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Names of collections are short and made of small letters, digits, '_' and '-', and do not begin with a digit. */
static bool is_name(struct str s)
{
    if (s.len > SEGMENT_MAX || s.len == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static size_t put_route(char *to, struct str rest)
{
    bool collection = true;
    size_t n = 0;
    int segments = 0;

    str_cut(&rest, '/');
    while (rest.len > 0) {
        struct str segment = str_cut(&rest, '/');
        struct str shown = collection && is_name(segment) ? segment : STR("{}");

        if (segment.len == 0)
            continue;
        if (++segments > SEGMENTS_MAX || n + shown.len + 5 > ROUTE_MAX) {
            memcpy(to + n, "/...", 4);
            return n + 4;
        }
        to[n++] = '/';
        memcpy(to + n, shown.p, shown.len);
        n += shown.len;
        collection = !collection;
    }
    if (n == 0)
        to[n++] = '/';
    return n;
}

struct str stats_route(struct str rest, struct arena *a)
{
    char route[ROUTE_MAX];
    size_t n = put_route(route, rest);

    return str_make(arena_strndup(a, route, n), n);
}

static uint64_t row_hash(struct str gateway, struct str method, struct str route)
{
    return (str_hash(gateway) * 31 + str_hash(method)) * 31 + str_hash(route);
}

/* With the lock; the last row is for what has none of its own. */
static struct row *find(struct stats *s, struct str gateway, struct str method, struct str route)
{
    uint64_t hash = row_hash(gateway, method, route);
    size_t at = hash % SLOTS;
    struct row *r;

    while ((r = s->slots[at]) != NULL) {
        if (r->hash == hash && str_eq_c(route, r->route) && str_eq_c(gateway, r->gateway) && str_eq_c(method, r->method))
            return r;
        at = (at + 1) % SLOTS;
    }
    if (s->n_rows >= ROWS_MAX - 1 && !str_eq_c(route, "other"))
        return find(s, STR("other"), STR("other"), STR("other"));
    r = ARENA_NEW(s->a, struct row);
    r->hash = hash;
    r->gateway = arena_strndup(s->a, gateway.p, gateway.len);
    r->method = arena_strndup(s->a, method.p, method.len);
    r->route = arena_strndup(s->a, route.p, route.len);
    s->slots[at] = r;
    s->rows[s->n_rows++] = r;
    return r;
}

static struct str known_method(struct str method)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq_c(method, names[i]))
            return method;
    }
    return STR("other");
}

void stats_call(struct stats *s, struct str gateway, struct str method, struct str rest, int status, int64_t total_us,
                int64_t gateway_us)
{
    char route[ROUTE_MAX];
    size_t len = put_route(route, rest), i = 0;
    struct row *r;

    while (i < N_BOUNDS && total_us > bounds[i].us)
        i++;
    pthread_mutex_lock(&s->lock);
    r = find(s, gateway, known_method(method), str_make(route, len));
    r->buckets[i]++;
    r->count++;
    r->sum_us += (uint64_t)(total_us > 0 ? total_us : 0);
    r->gateway_us += (uint64_t)(gateway_us > 0 ? gateway_us : 0);
    r->classes[status >= 100 && status < 600 ? status / 100 : 0]++;
    pthread_mutex_unlock(&s->lock);
}

static void render_row(const struct row *r, struct buf *out)
{
    static const char *const classes[N_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    uint64_t below = 0;

#define LABELS "{gateway=\"%s\",method=\"%s\",route=\"%s\""
    for (size_t i = 0; i < N_BOUNDS; i++) {
        below += r->buckets[i];
        buf_addf(out, "sluice_proxy_seconds_bucket" LABELS ",le=\"%s\"} %llu\n", r->gateway, r->method, r->route, bounds[i].le,
                 (unsigned long long)below);
    }
    buf_addf(out, "sluice_proxy_seconds_bucket" LABELS ",le=\"+Inf\"} %llu\n", r->gateway, r->method, r->route,
             (unsigned long long)r->count);
    buf_addf(out, "sluice_proxy_seconds_sum" LABELS "} %.6f\n", r->gateway, r->method, r->route, (double)r->sum_us / 1e6);
    buf_addf(out, "sluice_proxy_seconds_count" LABELS "} %llu\n", r->gateway, r->method, r->route, (unsigned long long)r->count);
    buf_addf(out, "sluice_proxy_gateway_seconds_sum" LABELS "} %.6f\n", r->gateway, r->method, r->route,
             (double)r->gateway_us / 1e6);
    for (size_t i = 0; i < N_CLASSES; i++) {
        if (r->classes[i] > 0)
            buf_addf(out, "sluice_proxy_calls_total" LABELS ",status=\"%s\"} %llu\n", r->gateway, r->method, r->route, classes[i],
                     (unsigned long long)r->classes[i]);
    }
#undef LABELS
}

void stats_render(struct stats *s, struct buf *out)
{
    buf_add_c(out, "# TYPE sluice_proxy_seconds histogram\n");
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_rows; i++)
        render_row(s->rows[i], out);
    pthread_mutex_unlock(&s->lock);
}
