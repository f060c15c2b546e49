/*
 * rest_call, json_call: older forms of http_call (workflow-engine.md 3.5, 3.6).
 *
 * rest_call takes the audit id of a Broadsoft gateway out of the answer to link the trace with its
 * record.
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
     .kind = PARAM_JINJA,
     .offset = offsetof(struct http_node, text),
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
    {0},
};

static const struct param json_params[] = {
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
     .kind = PARAM_JSON,
     .offset = offsetof(struct http_node, text),
     .help = "JSON to send."},
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
    {0},
};

static enum node_rc rest_call_run(struct node_run *r, struct err *e)
{
    struct http_node c = *(const struct http_node *)r->cfg;

    c.audit_id = true;
    return http_node_run(r, &c, e);
}

static enum node_rc json_call_run(struct node_run *r, struct err *e)
{
    struct http_node c = *(const struct http_node *)r->cfg;

    c.json = true;
    return http_node_run(r, &c, e);
}

const struct node_type node_rest_call = {
    .name = "rest_call",
    .group = "calls",
    .doc = "Calls a REST server; http_call does the same and more.",
    .params = params,
    .cfg_size = sizeof(struct http_node),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = rest_call_run,
};

const struct node_type node_json_call = {
    .name = "json_call",
    .group = "calls",
    .doc = "Deprecated: use http_call.",
    .params = json_params,
    .cfg_size = sizeof(struct http_node),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = json_call_run,
};
