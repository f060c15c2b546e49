/*
 * rest_call, json_call: older forms of http_call (workflow-engine.md 3.5, 3.6).
 *
 * rest_call takes the audit id of a Broadsoft gateway out of the answer to link the trace with its
 * record.
 */
#include "nodes/http_node.h"

static const struct param params[] = {
    HTTP_PARAM_HOLDER,
    HTTP_PARAM_METHOD,
    HTTP_PARAM_URL,
    {.name = "body",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct http_node, text),
     .help = "What is sent."},
    HTTP_PARAM_OUTPUT,
    HTTP_PARAM_CACHE_KEY,
    HTTP_PARAM_CACHE_TTL,
    HTTP_PARAM_CODES,
    HTTP_PARAM_HEADERS,
    {0},
};

static const struct param json_params[] = {
    HTTP_PARAM_HOLDER,
    HTTP_PARAM_METHOD,
    HTTP_PARAM_URL,
    {.name = "body",
     .kind = PARAM_JSON,
     .offset = offsetof(struct http_node, text),
     .help = "JSON to send."},
    HTTP_PARAM_OUTPUT,
    HTTP_PARAM_CACHE_KEY,
    HTTP_PARAM_CACHE_TTL,
    HTTP_PARAM_CODES,
    HTTP_PARAM_HEADERS,
    HTTP_PARAM_RETRY,
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
    .wake = json_call_run,
};
