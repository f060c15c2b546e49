/*
 * Latencies of forwarded calls, per gateway and route, for the metrics port.
 *
 * A route is the method and the path with every item replaced: "GET /tenants/{}/groups".  Their number is bounded; what comes later
 * counts as "other".
 */
#ifndef SLUICE_PROXY_STATS_H
#define SLUICE_PROXY_STATS_H

#include "base/buf.h"

struct stats;

struct stats *stats_new(void);
/* Takes NULL. */
void stats_free(struct stats *s);
/*
 * One call has ended.  Any thread.
 *
 * rest        raw path behind the prefix.  status  of the answer, 0 = none.
 * total_us    since the request came.  gateway_us  of that, with the gateway.
 */
void stats_call(struct stats *s, struct str gateway, struct str method, struct str rest, int status, int64_t total_us,
                int64_t gateway_us);
/* In the text format of Prometheus: histograms and counts by status class. */
void stats_render(struct stats *s, struct buf *out);
/* "/tenants/{}/groups": collections and items alternate; what is no plain name is an item too.  Into `a`. */
struct str stats_route(struct str rest, struct arena *a);

#endif
