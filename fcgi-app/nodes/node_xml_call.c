/*
 * xml_call: send XML to an HTTP server and read its XML (workflow-engine.md 3.8).
 *
 * An answer that is no XML stays a text: the status decides the output, not the body.
 */
#include "nodes/http_node.h"

static const struct param params[] = {
    HTTP_PARAM_HOLDER,
    HTTP_PARAM_METHOD,
    HTTP_PARAM_URL,
    {.name = "body",
     .kind = PARAM_XML,
     .offset = offsetof(struct http_node, text),
     .help = "XML to send."},
    HTTP_PARAM_OUTPUT,
    HTTP_PARAM_CACHE_KEY,
    HTTP_PARAM_CACHE_TTL,
    HTTP_PARAM_CODES,
    HTTP_PARAM_HEADERS,
    {0},
};

static enum node_rc xml_call_run(struct node_run *r, struct err *e)
{
    struct http_node c = *(const struct http_node *)r->cfg;

    c.xml = true;
    return http_node_run(r, &c, e);
}

const struct node_type node_xml_call = {
    .name = "xml_call",
    .group = "calls",
    .doc = "Calls an HTTP server that speaks XML.",
    .params = params,
    .cfg_size = sizeof(struct http_node),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = xml_call_run,
};
