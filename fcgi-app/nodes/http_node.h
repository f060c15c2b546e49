/*
 * What the HTTP-like nodes share: the call, its trace, the result object and the choice of the
 * output.
 *
 * Rule: workflow-engine.md 3.3.
 */
#ifndef SLUICE_NODES_HTTP_NODE_H
#define SLUICE_NODES_HTTP_NODE_H

#include "nodes/nodes.h"

struct http_node {
    struct str session_holder;
    struct str method;
    struct str url;
    struct node_body body;
    struct str text; /* nodes whose body is plain text use this instead of `body` */
    struct node_key output;
    struct node_strs http_codes;
    struct node_pairs headers;
    struct val retry;
    bool json;     /* always sent as application/json */
    bool audit_id; /* the body's _record_internal_id names the trace */
};

extern const char *const http_node_methods[];
extern const char *const http_node_outputs[];

/* The call all HTTP-like nodes make: render, call, trace, write the result, choose the output (3.3). */
enum node_rc http_node_run(struct node_run *r, const struct http_node *c, struct err *e);

/*
 * Which of the patterns stands for a status: an exact code, else the pattern with most digits, else
 * list order.
 * '*' is any number of digits, 'x' one.  .p NULL when none does.
 */
struct str http_node_match(const struct node_strs *patterns, int status);

#endif
