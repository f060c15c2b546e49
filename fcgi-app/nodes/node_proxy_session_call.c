/*
 * proxy_session_call: call the gateway behind the proxy this instance came through, as the platform or as its owner
 * (workflow-engine.md 3.10, gateway-proxy.md "nodes").
 *
 * The body of the result is always a text: definitions of the former product rely on it.
 */
#include "nodes/http_node.h"

#define SYSTEM "system"
#define USER_OR_SYSTEM "original user or system"
#define USER_OR_FAIL "original user or fail"

static const char *const sessions[] = {SYSTEM, USER_OR_SYSTEM, USER_OR_FAIL, NULL};

static const struct param params[] = {
    {.name = "session_holder",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct http_node, session_holder),
     .otherwise = SYSTEM,
     .values = sessions,
     .help = "Whose session on the gateway: the platform's, or that of the instance's owner."},
    HTTP_PARAM_METHOD,
    {.name = "url",
     .kind = PARAM_LINE,
     .offset = offsetof(struct http_node, url),
     .mandatory = true,
     .help = "Path on the gateway."},
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

static enum node_rc proxy_session_call_run(struct node_run *r, struct err *e)
{
    struct http_node c = *(const struct http_node *)r->cfg;

    c.gateway = node_proxy_gateway(r);
    if (c.gateway == NULL) {
        err_set(e, ERR_NOT_FOUND, "no proxy mapping in this process");
        return NODE_FAIL;
    }
    if (!str_eq_c(c.session_holder, SYSTEM))
        c.user_id = node_user_id(r);
    c.user_or_fail = str_eq_c(c.session_holder, USER_OR_FAIL);
    c.text_answer = true;
    return http_node_run(r, &c, e);
}

const struct node_type node_proxy_session_call = {
    .name = "proxy_session_call",
    .group = "calls",
    .doc = "Calls the gateway of the proxy the request came through.",
    .params = params,
    .cfg_size = sizeof(struct http_node),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = proxy_session_call_run,
};
