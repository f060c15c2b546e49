/*
 * The part of the cache that lives on a Redis server.
 */
#ifndef SLUICE_GATEWAY_CACHE_INT_H
#define SLUICE_GATEWAY_CACHE_INT_H

#include "gateway/cache.h"

struct cache_redis;

struct cache_redis *cache_redis_new(struct clock *clock);
void cache_redis_free(struct cache_redis *r);

/* As the functions of cache.h; url is redis://[user][:password@]host[:port][/n]. */
MUST_CHECK int cache_redis_get(struct cache_redis *r, struct str url, struct str key, struct str *out, struct arena *a,
                               struct err *e);
MUST_CHECK int cache_redis_put(struct cache_redis *r, struct str url, struct str key, struct str value, int64_t ttl_s,
                               struct err *e);
MUST_CHECK int cache_redis_drop(struct cache_redis *r, struct str url, struct str key, bool prefix, struct err *e);

#endif
