/*
 * W3C Trace Context: the identity a call carries through every system it passes.
 *
 * A valid traceparent of the client is continued under a span of our own, else a new trace begins; tracestate crosses as it is.
 * Rule: W3C Trace Context, 3.2.
 */
#ifndef SLUICE_PROXY_TRACE_H
#define SLUICE_PROXY_TRACE_H

#include "base/str.h"

struct trace {
    char parent[56]; /* "00-<32 hex>-<16 hex>-<2 hex>": what goes to the gateway */
    bool continued;  /* the client began it */
};

/* incoming: the client's header, may be empty.  id: the request id, from which a new trace is made when it has 32 hex digits. */
void trace_start(struct trace *t, struct str incoming, const char *id);
/* The 32 digits that name the trace. */
struct str trace_id(const struct trace *t);

#endif
