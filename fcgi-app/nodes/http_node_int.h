/*
 * What the files of the HTTP-like nodes share: the call as it goes out.
 */
#ifndef SLUICE_NODES_HTTP_NODE_INT_H
#define SLUICE_NODES_HTTP_NODE_INT_H

#include "gateway/gw_http.h"
#include "nodes/http_node.h"

struct http_outgoing {
    struct gw_call call;
    struct http_header *headers;
    struct str shown; /* the body for the trace, secrets masked; .p NULL without */
    struct str content_type;
};

/*
 * Everything that goes out, living in r->a.
 *
 * Fails with ERR_INVALID, ERR_NOT_FOUND (unknown document): then nothing is sent.
 */
MUST_CHECK int http_outgoing_make(struct node_run *r, const struct http_node *c,
                                  struct http_outgoing *o, struct err *e);
/* The trace of one attempt; failed: why there is no answer, else NULL. */
void http_trace(struct node_run *r, const struct http_node *c, const struct http_outgoing *o,
                const struct gw_answer *ans, const struct err *failed, int64_t started_us,
                struct str external_id);

#endif
