/*
 * http_call: call a named gateway or an absolute URL (workflow-engine.md 3.3, 3.4).
 *
 * A retry with a delay parks the task; it wakes up into the same function.
 */
#include "nodes/http_node.h"

static const struct param params[] = {
    HTTP_PARAM_HOLDER,
    HTTP_PARAM_METHOD,
    HTTP_PARAM_URL,
    {.name = "body",
     .kind = PARAM_BODY,
     .offset = offsetof(struct http_node, body),
     .help = "What is sent."},
    HTTP_PARAM_OUTPUT,
    HTTP_PARAM_CACHE_KEY,
    HTTP_PARAM_CACHE_TTL,
    HTTP_PARAM_CODES,
    HTTP_PARAM_HEADERS,
    HTTP_PARAM_RETRY,
    {0},
};

static enum node_rc http_call_run(struct node_run *r, struct err *e)
{
    return http_node_run(r, r->cfg, e);
}

const struct node_type node_http_call = {
    .name = "http_call",
    .group = "calls",
    .doc = "Calls an HTTP server.",
    .params = params,
    .cfg_size = sizeof(struct http_node),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = http_call_run,
    .wake = http_call_run,
};
