/*
 * Shared by proxy.c, forward.c and proxy_store.c; included from nowhere else.
 */
#ifndef SLUICE_PROXY_PROXY_INT_H
#define SLUICE_PROXY_PROXY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/logins.h"
#include "policy.h"
#include "proxy.h"

/* One mapping at work. */
struct mount {
    const struct proxy_map *map;
    pthread_mutex_t lock;
    const struct cfg *good;     /* last snapshot in which the gateway was there */
    atomic_int in_flight;
};

struct proxy {
    struct app *app;
    struct gw_sessions *sessions;
    struct gw_logins *logins; /* of users with a login of their own */
    struct mount *mounts;
    size_t n_mounts;
};

enum { KEPT_BODY = 256 * 1024 }; /* of an answer, for the history (gateway-proxy.md 2.6) */

/* A request on its way; lives in the request's arena. */
struct call {
    struct proxy *proxy;
    struct mount *mount;
    struct http_req *r;
    const struct cfg *cfg;            /* snapshot the request works with */
    const struct cfg *gateway_cfg;    /* snapshot the gateway is of */
    const struct cfg_gateway *gateway;
    struct principal user;
    bool own;           /* goes out under the user's own gateway login, and no other */
    struct str path;    /* canonical, with prefix */
    struct str rest;    /* raw path behind the prefix, "/tenants/T" */

    /* forwarding */
    struct str url;     /* base URL in use */
    struct policy_target target;
    struct gw_session session;
    struct up_call *up;
    int tries;          /* URLs tried within this call */
    bool relogged;      /* the system session was renewed within this call */
    bool streaming;     /* the answer has begun */
    bool client_gone;
    bool discarding;    /* an answer 401 is read to its end before the call is repeated */
    int status;         /* of the answer, 0 = none */
    struct str answer_type;
    struct val answer_headers; /* kept for the history */
    struct buf gathered;       /* body not yet passed on */
    struct buf kept;           /* beginning of the body, for the history */
    uint64_t answer_bytes;
    bool truncated;
    int64_t started_us;        /* wall clock */
    int64_t upstream_us;       /* monotonic, when the upstream call began */
};

/* forward.c: send the call to its gateway; answers and records it. */
void forward(struct call *c);
/* proxy_store.c: the row of a finished call, built before the answer lets go of the request, submitted after it. */
struct record;
struct record *record_make(struct call *c);
void record_submit(struct proxy *p, struct record *rec);
/* Gives back what the call holds (snapshots, its place in flight); the arena stays. */
void call_release(struct call *c);

#endif
