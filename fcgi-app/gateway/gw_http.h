/*
 * One HTTP call of a node: to a named gateway with its session, or to an absolute URL.
 *
 * Rules: workflow-engine.md 3.3 ("target", "timeout", "headers", "failover"), gateway-proxy.md 2 to
 * 4, 6.2.
 */
#ifndef SLUICE_GATEWAY_GW_HTTP_H
#define SLUICE_GATEWAY_GW_HTTP_H

#include "gateway/cache.h"
#include "gateway/logins.h"

struct gw_http;

/* What nodes call through; both arguments outlive it. */
struct gw_http *gw_http_new(struct http_client_pool *clients, struct gw_sessions *sessions);
/* Takes NULL. */
void gw_http_free(struct gw_http *h);
/* Answers kept by nodes of this process. */
struct gw_cache *gw_http_cache(struct gw_http *h);
/* From now on calls may go out under users' own logins, kept in `db`; before the first call. */
void gw_http_users(struct gw_http *h, struct db *db, struct clock *clock);

struct gw_call {
    struct str holder; /* session_holder, empty = none */
    struct str url;    /* absolute, or a path below the holder's URL */
    struct str method; /* "GET" */
    const struct http_header
        *headers; /* override the holder's; an empty value removes the header */
    size_t n_headers;
    struct str body; /* .p NULL: none */
    const struct http_part *parts;
    size_t n_parts;
    const struct cfg_gateway *gateway; /* instead of holder: the gateway itself, url resolved as a
                                          path of it (gateway-proxy.md 2.1) */
    int64_t user_id;   /* with gateway: under this user's own login when he has one; 0 = system */
    bool user_or_fail; /* ... and not at all when he has none */
};

struct gw_answer {
    struct http_result res;
    struct str url;                 /* as called, in full */
    struct str host;                /* host[:port] */
    const struct http_header *sent; /* headers as sent, without cookies of the session */
    size_t n_sent;
    int attempts; /* 2 after a renewed login */
};

/*
 * Make the call and wait.  Workers only.
 *
 * out   living in `a`; url, host and sent are set on failure too, as far as known.
 * An absolute URL leads to the server of a gateway, or to a host that setting outbound.hosts allows
 * and whose address the open guard allows (base/ip_guard.h); credentials go to the holder only.
 *
 * Fails with ERR_INVALID (relative URL without holder, bad URL, refused host or address), ERR_NOT_FOUND (unknown holder),
 * ERR_UPSTREAM, ERR_TIMEOUT, ERR_BUSY (no session), ERR_UNAUTHORIZED (no login of the user).  A
 * status >= 400 is no failure.
 */
MUST_CHECK int gw_http_do(struct gw_http *h, const struct cfg *cfg, const struct gw_call *c,
                          struct gw_answer *out, struct arena *a, struct err *e);

/* base + relative path with exactly one '/' between them; the query of `path` stays. */
struct str gw_url_join(struct str base, struct str path, struct arena *a);

#endif
