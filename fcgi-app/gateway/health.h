/*
 * Health of the gateways whose entry says `check`: asked by one process for all, read by every
 * process.
 *
 * Each process runs the thread, every 30 s (give or take a tenth) and soon after the configuration
 * changed: it takes the advisory lock and asks, unless somebody else is asking or has asked a moment
 * ago; then it only reads what was found.  A main URL found healthy is used again by everybody.
 *
 * Rules: gateway-proxy.md 3.
 */
#ifndef SLUICE_GATEWAY_HEALTH_H
#define SLUICE_GATEWAY_HEALTH_H

#include "gateway/session.h"

/* What one check found; a row of gateway_status. */
struct gw_check {
    struct str gateway;
    struct str url;    /* the main URL of the gateway */
    bool is_connected; /* an HTTP answer came */
    bool is_healthy;   /* its status was below 400 */
    struct str
        link; /* "inter-connected", "not inter-connected", or "" when the answer does not say */
    struct str summary; /* "answered 200 in 12 ms", or why there was no answer */
    int64_t age_ms;     /* since the check began */
    int64_t ts_us;      /* when it began; set by gw_status_get() */
};

/*
 * Ask one gateway: a plain GET of its check_url without login or configured headers, for at most
 * min(timeout, 10 s). Workers only.  Texts live in `a` or in `g`.
 */
void gw_check(struct http_client_pool *clients, const struct cfg_gateway *g, struct gw_check *out,
              struct arena *a);

/* The result for this gateway at the URL it has now, or NULL. */
const struct gw_check *gw_check_find(const struct gw_check *checks, size_t n,
                                     const struct cfg_gateway *g);

struct gw_health;

/* Starts the thread.  All of these must outlive it. */
struct gw_health *gw_health_new(struct db *db, struct cfg_store *cfg,
                                struct http_client_pool *clients, struct gw_sessions *sessions);
/* Waits for a check in progress, so for 10 s at most.  Takes NULL. */
void gw_health_free(struct gw_health *h);

/* ---- table gateway_status (health_store.c) ------------------------------------------------------
 */

/* The lock of the one who checks, until the open transaction ends.  *held = did we get it? */
MUST_CHECK int gw_status_lock(struct db_conn *c, bool *held, struct err *e);
/* Replace the table by these results. */
MUST_CHECK int gw_status_put(struct db_conn *c, const struct gw_check *checks, size_t n,
                             struct arena *a, struct err *e);
/* All rows, living in `a`. */
MUST_CHECK int gw_status_get(struct db_conn *c, struct gw_check **out, size_t *n, struct arena *a,
                             struct err *e);

extern const struct db_stmts gw_health_stmts;

#endif
