/*
 * sync_response, callback_response: prepare the answer of a synchronous call, or the one handed to
 * the parent.
 *
 * Both only write a context key; the answer leaves at the first end.  Rule:
 * workflow-engine.md 3.16, 3.17, 4.8.
 */
#include "nodes/nodes.h"

struct cfg {
    struct str body;
    int64_t status;
    struct node_pairs headers;
};

static const struct param params[] = {
    {.name = "body",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, body),
     .help = "Text starting with { or [ is sent as JSON, other text as it is."},
    {.name = "status",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, status),
     .otherwise = "200",
     .help = "HTTP status code, 200 when empty."},
    {.name = "headers",
     .kind = PARAM_HEADERS,
     .offset = offsetof(struct cfg, headers),
     .help = "HTTP headers to add to the answer."},
    {0},
};

static enum node_rc respond(struct node_run *r, const char *key, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct node_key target = {.key = str_c(key)};
    struct val answer = val_dict_new(r->a, 3), body, headers;

    if (c->status < 100 || c->status > 599) {
        err_set(e, ERR_INVALID, "status %lld is not between 100 and 599", (long long)c->status);
        return NODE_FAIL;
    }
    if (node_value(c->body, true, &body, r->a, e) != 0) {
        err_context(e, "parameter \"body\"");
        return NODE_FAIL;
    }
    val_dict_set_c(answer, "status", val_int(c->status));
    val_dict_set_c(answer, "body", body);
    if (c->headers.n > 0) {
        headers = val_dict_new(r->a, c->headers.n);
        for (size_t i = 0; i < c->headers.n; i++)
            val_dict_set_str(headers, c->headers.items[i].name, val_str(c->headers.items[i].value));
        val_dict_set_c(answer, "headers", headers);
    }
    if (node_set(r, &target, answer, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

static enum node_rc sync_response_run(struct node_run *r, struct err *e)
{
    return respond(r, "*sync_response*", e);
}

static enum node_rc callback_response_run(struct node_run *r, struct err *e)
{
    return respond(r, "*cb_response*", e);
}

const struct node_type node_sync_response = {
    .name = "sync_response",
    .group = "context",
    .doc = "Prepares the HTTP answer of a synchronous route.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = sync_response_run,
};

const struct node_type node_callback_response = {
    .name = "callback_response",
    .group = "context",
    .doc = "Prepares what a sub-workflow hands to its parent.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = callback_response_run,
};
