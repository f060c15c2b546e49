/*
 * async_json_call: call a server that answers later, and wait for its call-back.
 *
 * The id to wait for stands in the immediate answer.  Rule: workflow-engine.md 3.7, 4.11.
 */
#include "nodes/http_node.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/callbacks.h"

struct cfg {
    struct http_node call;
    struct str id_path;
    struct node_key callback;
    int64_t timeout_ms;
};

static const struct param params[] = {
    {.name = "session_holder",
     .kind = PARAM_SESSION,
     .offset = offsetof(struct cfg, call.session_holder),
     .help = "HTTP client of the configuration; empty for an absolute URL."},
    {.name = "method",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct cfg, call.method),
     .otherwise = "get",
     .mandatory = true,
     .values = http_node_methods,
     .help = "HTTP method."},
    {.name = "url",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, call.url),
     .mandatory = true,
     .help = "Path below the client's URL, or an absolute URL."},
    {.name = "body",
     .kind = PARAM_JSON,
     .offset = offsetof(struct cfg, call.text),
     .help = "JSON to send."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, call.output),
     .help = "Context key that receives status and body of the immediate answer."},
    {.name = "http_error_codes",
     .kind = PARAM_OUTPUTS,
     .offset = offsetof(struct cfg, call.http_codes),
     .help = "Status codes of the immediate answer with an output of their own, such as 4*."},
    {.name = "headers",
     .kind = PARAM_HEADERS,
     .offset = offsetof(struct cfg, call.headers),
     .help = "Headers to send; an empty value removes the client's."},
    {.name = "register_async_external_id",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, id_path),
     .mandatory = true,
     .help = "Where the id stands in the immediate answer: external_id, data.job.id."},
    {.name = "async_output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, callback),
     .help = "Context key that receives the body of the call-back."},
    {.name = "timeout",
     .kind = PARAM_MSEC,
     .offset = offsetof(struct cfg, timeout_ms),
     .help = "How long to wait for the call-back: 10 minutes.  Empty: for ever."},
    {0},
};

/* The id as text; an empty one, or what is no text and no number, is none. */
static int external_id(struct node_run *r, const struct cfg *c, struct val body, struct str *out,
                       struct err *e)
{
    struct val v = val_path(body, str_cstr(r->a, c->id_path));

    *out = STR("");
    if (val_is(v, VAL_STR))
        *out = str_trim(val_text(v));
    else if (val_is(v, VAL_INT) || val_is(v, VAL_BIGINT) || val_is(v, VAL_FLOAT))
        *out = json_text(v, r->a);
    if (out->len > 0)
        return 0;
    err_set(e, ERR_UPSTREAM, "the answer has no external id at \"%.*s\"", STR_ARG(c->id_path));
    return -1;
}

static enum node_rc async_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct http_node call = c->call;
    struct http_node_answer ans;
    struct str code, id;

    if (c->timeout_ms < 0) {
        err_set(e, ERR_INVALID, "parameter \"timeout\" must not be negative");
        return NODE_FAIL;
    }
    call.json = true;
    call.answer = &ans;
    if (http_node_run(r, &call, e) != NODE_OK)
        return NODE_FAIL;
    code = http_node_match(&call.http_codes, ans.status);
    if (code.p != NULL)
        return node_fire_str(r, code);
    if (ans.status >= 400) {
        err_set(e, ERR_UPSTREAM, "%.*s answered %d",
                STR_ARG(call.session_holder.len > 0 ? call.session_holder : STR("the server")),
                ans.status);
        return NODE_FAIL;
    }
    if (external_id(r, c, ans.body, &id, e) != 0)
        return NODE_FAIL;
    return callback_await(
        r, id, call.session_holder,
        c->timeout_ms > 0 ? clock_wall_us(&clock_system) + c->timeout_ms * 1000 : 0, e);
}

static void trace(struct node_run *r, struct val payload)
{
    struct val out = val_dict_new(r->a, 1);
    int64_t now = clock_wall_us(&clock_system);

    val_dict_set_c(out, "body",
                   val_str(node_trace_body(r, STR("application/json"), json_text(val_get(payload, "body"), r->a))));
    node_trace(r, &(struct node_trace){
                      .status = 200,
                      .method = STR("CALLBACK"),
                      .external_id = val_get_text(payload, "external_id", STR("")),
                      .input = STR("{}"),
                      .output = json_text(out, r->a),
                      .started_us = now,
                      .ended_us = now,
                  });
}

static enum node_rc async_wake(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct val payload;
    struct str kind;

    if (!node_signalled(r, &kind, &payload)) {
        if (node_linked(r, STR("timeout")))
            return node_fire(r, "timeout");
        err_set(e, ERR_TIMEOUT, "no call-back came in time");
        return NODE_FAIL;
    }
    if (!str_eq_c(kind, "callback")) {
        err_set(e, ERR_CONFLICT, "%.*s",
                STR_ARG(val_get_text(payload, "error", STR("the call-back cannot be awaited"))));
        return NODE_FAIL;
    }
    trace(r, payload);
    node_event(r, val_get_text(payload, "external_id", STR("")), val_get(payload, "body"), val_get(payload, "username"));
    if (node_set(r, &c->callback, val_get(payload, "body"), e) != 0)
        return NODE_FAIL;
    return node_fire(r, "success");
}

const struct node_type node_async_json_call = {
    .name = "async_json_call",
    .group = "calls",
    .doc = "Calls a server and waits for its call-back.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"success", "timeout", "error", "skip", "rollback", NULL},
    .flags = NODE_BLOCKING,
    .run = async_run,
    .wake = async_wake,
};
