/*
 * The circuit breaker of one address: after so many network failures in a row it opens, and calls are refused at once instead of
 * each waiting for what does not come.  After a while one call goes through as a probe, a single one at a time; an answer closes it.
 *
 * No lock and no clock here: the caller has both (gateway/urls.c).  An HTTP answer of any status is no failure.
 *
 * Rules: gateway-proxy.md 3 says what a network error is.
 */
#ifndef SLUICE_GATEWAY_BREAKER_H
#define SLUICE_GATEWAY_BREAKER_H

#include "base/base.h"

struct breaker {
    int failures;      /* in a row */
    int64_t failed_ms; /* the last one */
    bool open, probing;
    int64_t next_ms; /* open: when a probe may go; while one is under way, when it counts as lost */
};

struct breaker_rule {
    int failures;     /* that open it; 0 = never opens */
    int64_t wait_ms;  /* before a probe */
    int64_t probe_ms; /* a probe that says nothing for so long was given up by its client */
};

/* May a call go?  The first one after the wait is the probe.  False: *wait_ms until it is worth asking again. */
bool breaker_admits(struct breaker *b, const struct breaker_rule *r, int64_t now_ms, int64_t *wait_ms);
/* No answer came; true when it opened by that. */
bool breaker_failed(struct breaker *b, const struct breaker_rule *r, int64_t now_ms);
/* An answer came, or a health check; true when it was open. */
bool breaker_worked(struct breaker *b);

#endif
