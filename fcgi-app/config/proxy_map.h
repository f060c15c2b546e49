/*
 * The -proxy=PREFIX:GATEWAY mapping: syntax and resolution (gateway-proxy.md 1).
 */
#ifndef SLUICE_CONFIG_PROXY_MAP_H
#define SLUICE_CONFIG_PROXY_MAP_H

#include "config/config.h"

struct proxy_map {
    struct str prefix;  /* "/api/v01/p1", without trailing slash */
    struct str name;    /* its last segment: "p1" */
    struct str gateway; /* key in `gateways` */
};

struct proxy_maps {
    struct proxy_map *maps;
    size_t n;
};

/*
 * Add the mappings of one option value (a comma list) to `m`.
 *
 * Everything lives in `a`.  ERR_USAGE with the documented text, without the program name in front.
 */
MUST_CHECK int proxy_maps_add(struct proxy_maps *m, struct str value, struct arena *a, struct err *e);

/* The mapping whose prefix covers `path` at a segment border, longest first; NULL when none. */
const struct proxy_map *proxy_maps_find(const struct proxy_maps *m, struct str path);

/* The gateway of a mapping; ERR_CONFIG `gateway "bwks" of proxy /api/v01/p1 is not in the configuration (known: ...)`,
 * naming a near miss, or `gateway "bwks" has no http(s) URL`. */
MUST_CHECK int proxy_map_resolve(const struct cfg *c, const struct proxy_map *m, const struct cfg_gateway **out,
                                 struct err *e);

/* The prefix of the proxy a path was meant for: one of the interface's menu (`provisioning`), or "/api/v01/p1" with any number; empty
 * when it was meant for none. */
struct str proxy_prefix_meant(const struct cfg *c, struct str path);

#endif
