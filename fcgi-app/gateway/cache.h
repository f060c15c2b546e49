/*
 * The cache of answers of nodes: texts by key, forgotten after a while, in memory or in Redis.
 *
 * Where it is says the configuration (cache.store): memory:// belongs to this process, redis:// is shared by all that name the
 * same server.  What it holds may be lost at any time.
 *
 * Rules: workflow-engine.md 3.3 ("cache"), 3.13; http-api.md 6 (`cache`).
 */
#ifndef SLUICE_GATEWAY_CACHE_H
#define SLUICE_GATEWAY_CACHE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

enum {
    GW_CACHE_KEY_MAX = 1024,        /* bytes of a key */
    GW_CACHE_VALUE_MAX = 4 << 20,   /* bytes of a value; larger ones are not kept */
    GW_CACHE_BYTES = 64 << 20,      /* of the memory of one process */
};

struct gw_cache;

/* Nothing in it yet.  max_bytes bounds keys and values in memory: the least recently used go.  The clock outlives it. */
struct gw_cache *gw_cache_new(size_t max_bytes, struct clock *clock);
/* Takes NULL. */
void gw_cache_free(struct gw_cache *c);

/*
 * store is the setting, "" for memory.  All three block when it names a server: workers only.
 *
 * Fail with ERR_UPSTREAM (server away; for two seconds after a failure without trying), ERR_INVALID (store that is neither),
 * ERR_LIMIT (key too long).
 */

/* The value in `a`; .p NULL when there is none. */
MUST_CHECK int gw_cache_get(struct gw_cache *c, struct str store, struct str key, struct str *out, struct arena *a,
                            struct err *e);
/* ttl_s 0 = for ever.  A value above GW_CACHE_VALUE_MAX is not kept, which is no error. */
MUST_CHECK int gw_cache_put(struct gw_cache *c, struct str store, struct str key, struct str value, int64_t ttl_s,
                            struct err *e);
/* Forget a key, or all that begin so when it ends in '*'; unknown ones are no error. */
MUST_CHECK int gw_cache_drop(struct gw_cache *c, struct str store, struct str key, struct err *e);

struct gw_cache_stats {
    size_t entries, bytes; /* in memory */
};
struct gw_cache_stats gw_cache_stats(struct gw_cache *c);

#endif
