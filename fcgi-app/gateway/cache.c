/*
 * The cache in memory: a hash table whose entries also stand in a list by last use.
 */
#include "config/config.h"
#include "gateway/cache_int.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 8192, ENTRY_COST = 64 };

struct entry {
    struct entry *same;         /* next of the bucket */
    struct entry *newer, *older; /* by last use */
    size_t bucket;
    int64_t until_ms;           /* monotonic; 0 = for ever */
    struct str key, value;      /* behind the entry */
};

struct gw_cache {
    struct clock *clock;
    struct cache_redis *redis;
    pthread_mutex_t lock;
    size_t max, bytes, n;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct gw_cache *gw_cache_new(size_t max_bytes, struct clock *clock)
{
    struct gw_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        abort();
    c->clock = clock;
    c->max = max_bytes;
    c->redis = cache_redis_new(clock);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

/* ---- entries: under the lock ---------------------------------------------------------------------- */

static size_t cost(const struct entry *x)
{
    return x->key.len + x->value.len + ENTRY_COST;
}

static void list_remove(struct gw_cache *c, struct entry *x)
{
    *(x->newer != NULL ? &x->newer->older : &c->newest) = x->older;
    *(x->older != NULL ? &x->older->newer : &c->oldest) = x->newer;
}

static void list_push(struct gw_cache *c, struct entry *x)
{
    x->newer = NULL;
    x->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = x;
    c->newest = x;
}

static void entry_drop(struct gw_cache *c, struct entry *x)
{
    struct entry **at = &c->buckets[x->bucket];

    while (*at != x)
        at = &(*at)->same;
    *at = x->same;
    list_remove(c, x);
    c->bytes -= cost(x);
    c->n--;
    free(x);
}

/* An entry whose time is over goes when it is met. */
static struct entry *entry_find(struct gw_cache *c, struct str key)
{
    struct entry *x = c->buckets[str_hash(key) % BUCKETS];

    while (x != NULL && !str_eq(x->key, key))
        x = x->same;
    if (x == NULL || x->until_ms == 0 || x->until_ms > clock_mono_ms(c->clock))
        return x;
    entry_drop(c, x);
    return NULL;
}

static void entry_add(struct gw_cache *c, struct str key, struct str value, int64_t ttl_s)
{
    struct entry *x = malloc(sizeof *x + key.len + value.len + 1);
    char *text;

    if (x == NULL)
        abort();
    text = (char *)(x + 1);
    memcpy(text, key.p, key.len);
    if (value.len > 0)
        memcpy(text + key.len, value.p, value.len);
    *x = (struct entry){
        .bucket = str_hash(key) % BUCKETS,
        .until_ms = ttl_s > 0 ? clock_mono_ms(c->clock) + ttl_s * 1000 : 0,
        .key = str_make(text, key.len),
        .value = str_make(text + key.len, value.len),
    };
    x->same = c->buckets[x->bucket];
    c->buckets[x->bucket] = x;
    list_push(c, x);
    c->bytes += cost(x);
    c->n++;
}

void gw_cache_free(struct gw_cache *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        entry_drop(c, c->oldest);
    cache_redis_free(c->redis);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- the cache -------------------------------------------------------------------------------------- */

enum place { IN_MEMORY, IN_REDIS, NOWHERE };

static enum place place_of(struct str store, struct str key, struct err *e)
{
    enum cfg_cache kind = cfg_cache_kind(store);

    if (key.len == 0 || key.len > GW_CACHE_KEY_MAX) {
        err_set(e, ERR_LIMIT, key.len == 0 ? "a cache key is empty" : "a cache key is longer than %d bytes",
                GW_CACHE_KEY_MAX);
        return NOWHERE;
    }
    if (kind != CFG_CACHE_UNKNOWN)
        return kind == CFG_CACHE_MEMORY ? IN_MEMORY : IN_REDIS;
    err_set(e, ERR_INVALID, "cache.store is neither memory:// nor redis://");
    return NOWHERE;
}

int gw_cache_get(struct gw_cache *c, struct str store, struct str key, struct str *out, struct arena *a, struct err *e)
{
    enum place where = place_of(store, key, e);
    struct entry *x;

    *out = STR_NONE;
    if (where != IN_MEMORY)
        return where == IN_REDIS ? cache_redis_get(c->redis, store, key, out, a, e) : -1;
    pthread_mutex_lock(&c->lock);
    x = entry_find(c, key);
    if (x != NULL) {
        *out = str_dup(a, x->value);
        list_remove(c, x);
        list_push(c, x);
    }
    pthread_mutex_unlock(&c->lock);
    return 0;
}

int gw_cache_put(struct gw_cache *c, struct str store, struct str key, struct str value, int64_t ttl_s, struct err *e)
{
    enum place where = place_of(store, key, e);
    bool fits = value.len <= GW_CACHE_VALUE_MAX && key.len + value.len + ENTRY_COST <= c->max;
    struct entry *old;

    if (where == IN_REDIS && value.len <= GW_CACHE_VALUE_MAX)
        return cache_redis_put(c->redis, store, key, value, ttl_s, e);
    if (where != IN_MEMORY)
        return where == IN_REDIS ? 0 : -1;
    pthread_mutex_lock(&c->lock);
    old = entry_find(c, key);
    if (old != NULL)
        entry_drop(c, old);
    if (fits) {
        while (c->oldest != NULL && c->bytes + key.len + value.len + ENTRY_COST > c->max)
            entry_drop(c, c->oldest);
        entry_add(c, key, value, ttl_s);
    }
    pthread_mutex_unlock(&c->lock);
    return 0;
}

static void drop_prefix(struct gw_cache *c, struct str prefix)
{
    for (struct entry *x = c->newest, *next; x != NULL; x = next) {
        next = x->older;
        if (str_starts(x->key, prefix))
            entry_drop(c, x);
    }
}

int gw_cache_drop(struct gw_cache *c, struct str store, struct str key, struct err *e)
{
    enum place where = place_of(store, key, e);
    bool prefix = str_ends(key, STR("*"));
    struct entry *x;

    if (prefix)
        key.len--;
    if (where != IN_MEMORY)
        return where == IN_REDIS ? cache_redis_drop(c->redis, store, key, prefix, e) : -1;
    pthread_mutex_lock(&c->lock);
    if (prefix)
        drop_prefix(c, key);
    else if ((x = entry_find(c, key)) != NULL)
        entry_drop(c, x);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

struct gw_cache_stats gw_cache_stats(struct gw_cache *c)
{
    struct gw_cache_stats s;

    pthread_mutex_lock(&c->lock);
    s = (struct gw_cache_stats){.entries = c->n, .bytes = c->bytes};
    pthread_mutex_unlock(&c->lock);
    return s;
}
