/*
 * http_call: call a named gateway or an absolute URL (workflow-engine.md 3.3, 3.4).
 *
 * A retry with a delay parks the task; it wakes up into the same function.
 */
#include "nodes/http_node.h"

static const struct param params[] = {
    {.name = "session_holder",
     .kind = PARAM_SESSION,
     .offset = offsetof(struct http_node, session_holder),
     .help = "HTTP client of the configuration; empty for an absolute URL."},
    {.name = "method",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct http_node, method),
     .otherwise = "get",
     .values = http_node_methods,
     .help = "HTTP method, get when empty."},
    {.name = "url",
     .kind = PARAM_LINE,
     .offset = offsetof(struct http_node, url),
     .mandatory = true,
     .help = "Path below the client's URL, or an absolute URL."},
    {.name = "body",
     .kind = PARAM_BODY,
     .offset = offsetof(struct http_node, body),
     .help = "What is sent."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct http_node, output),
     .help = "Context key that receives status and body."},
    {.name = "http_codes",
     .kind = PARAM_OUTPUTS,
     .offset = offsetof(struct http_node, http_codes),
     .help = "Status codes with an output of their own, such as 404 or 4*."},
    {.name = "headers",
     .kind = PARAM_HEADERS,
     .offset = offsetof(struct http_node, headers),
     .help = "Headers to send; an empty value removes the client's."},
    {.name = "retry policy",
     .kind = PARAM_RETRY,
     .offset = offsetof(struct http_node, retry),
     .values = (const char *const[]){"network", "timeout", "429", "4*", "5*", "500", "502", "503",
                                     "504", NULL},
     .aliases = (const char *const[]){"retry_policy", "retry", NULL},
     .help = "When to call again, after which delay, and how many calls in all."},
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
