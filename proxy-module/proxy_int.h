/*
 * Shared by the files that carry a call; included from nowhere else.
 *
 * Order of a call: proxy.c (who, what) -> fair.c (a place) -> body.c (the request body) -> forward.c (session, upstream, failover)
 * -> answer.c (back to the client) -> record.c and history.c (its row).
 */
#ifndef SLUICE_PROXY_PROXY_INT_H
#define SLUICE_PROXY_PROXY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "fair.h"
#include "gateway/logins.h"
#include "history.h"
#include "policy.h"
#include "proxy.h"
#include "stats.h"
#include "trace.h"

/* One mapping at work. */
struct mount {
    const struct proxy_map *map;
    pthread_mutex_t lock;
    const struct cfg *good; /* last snapshot in which the gateway was there */
    bool alarmed;           /* the gateway is missing, and people were told; the reloading thread's */
    atomic_bool missing;    /* the configuration in force does not have the gateway: `good` is older */
    struct fair *fair;      /* places at the gateway, shared by the mappings that lead to it */
};

struct proxy {
    struct app *app;
    struct gw_sessions *sessions;
    struct gw_logins *logins; /* of users with a login of their own */
    struct history *history;
    struct stats *stats;
    atomic_size_t replayable; /* bytes of larger bodies held so */
    struct mount *mounts;
    size_t n_mounts;
};

enum {
    KEPT_BODY = 256 * 1024,   /* of an answer, for the history (gateway-proxy.md 2.6) */
    GATHER_BODY = 256 * 1024, /* a request body up to this is sent as a whole, and can be sent again */
    REPLAY_BODY = 1024 * 1024, /* the same where the platform's login may turn out to be over (gateway-proxy.md 2.4, 6.2)... */
    REPLAY_TOTAL = 64 * 1024 * 1024, /* ... as long as all such bodies together are no more than this */
};

/* A request on its way; lives in the request's arena.  Touched by the loop of the connection, or the worker it was handed to. */
struct call {
    struct proxy *proxy;
    struct mount *mount;
    struct http_req *r;
    const struct cfg *cfg;         /* snapshot the request works with */
    const struct cfg *gateway_cfg; /* snapshot the gateway is of */
    const struct cfg_gateway *gateway;
    struct principal user;
    bool own;        /* goes out under the user's own gateway login, and no other */
    struct str path; /* canonical, with prefix */
    struct str rest; /* raw path behind the prefix, "/tenants/T" */
    struct trace trace;

    /* waiting for a place (fair.c) */
    struct fair_ticket ticket;
    struct loop_timer *patience;

    /* the request body (body.c) */
    struct buf early;   /* what has come of it */
    size_t held;        /* this much of REPLAY_TOTAL is ours */
    uint64_t body_got;
    bool body_streams;  /* the rest is read while it is sent */
    bool body_begun;    /* some of that rest is gone: no second time */
    bool body_large;    /* it has turned out larger than allowed */
    struct loop_timer *body_timer;
    int64_t body_until_ms;

    /* forwarding */
    struct str url; /* base URL in use */
    struct policy_target target;
    struct gw_session session;
    struct up_call *up; /* while the upstream call runs */
    int tries;          /* URLs tried within this call */
    bool relogged;      /* the system session was renewed within this call */

    /* the answer (answer.c) */
    bool streaming;    /* it has begun */
    bool client_gone;
    bool discarding;   /* an answer 401 is read to its end before the call is repeated */
    int status;        /* of the answer, 0 = none */
    struct str answer_type;
    bool has_length;           /* the gateway said how long it is */
    uint64_t answer_length;
    struct val answer_headers; /* kept for the history */
    struct buf gathered;       /* body not yet passed on */
    struct buf kept;           /* beginning of what was passed on, for the history */
    bool truncated;

    int64_t started_us; /* wall clock */
    /* where the time went, for history and metrics; microseconds */
    int64_t mark_us; /* monotonic: when the present stage began */
    int64_t queue_us, gateway_us, database_us, total_us;
};

/* The time since c->mark_us belongs to this stage. */
static inline void call_spent(struct call *c, int64_t *stage)
{
    int64_t now = clock_mono_us(&clock_system);

    *stage += now - c->mark_us;
    c->mark_us = now;
}

/* Going to repeat it can do no harm: GET and HEAD. */
static inline bool call_is_safe(const struct call *c)
{
    return c->r->method == HTTP_GET || c->r->method == HTTP_HEAD;
}

/* ---- proxy.c ---- */
/* Gives back what the call holds (snapshots, its place); the arena stays. */
void call_release(struct call *c);

/* ---- body.c ---- */
/* On the loop: have the body, or so much of it that sending can begin, then forward(). */
void body_read(struct call *c);
/* The bytes behind what has been gathered, as struct up_request wants them. */
ptrdiff_t body_more(void *call, char *buf, size_t n);
/* The client's own error when his body was the trouble; c->body_large or cut short. */
void body_error(const struct call *c, struct err *e);

/* ---- forward.c ---- */
/* Send the call to its gateway; answers and records it. */
void forward(struct call *c);
/* Once more, with a new session or to the next URL. */
void forward_again(struct call *c);
/* Another URL for the same call: only when nothing can have happened twice. */
bool forward_may_fail_over(const struct call *c, enum up_stage stage);
/* The gateway knows the user's session no more. */
void forward_own_refused(struct call *c);

/* ---- answer.c ---- */
extern const struct up_handler answer_handler; /* arg is the call */
/* Hear when the client goes while nothing is sent yet. */
void answer_watch_client(struct call *c);
void finish_error(struct call *c, const struct err *e);

/* ---- record.c: the row of a finished call, built before the answer lets go of the request ---- */
void record_add(struct call *c);

#endif
