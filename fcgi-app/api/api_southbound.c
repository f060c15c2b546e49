/*
 * Calls made to other systems, over all instances and requests (http-api.md 5.16).
 */
#include "api/api.h"
#include "api/search.h"
#include "base/arena.h"

static const struct search_field fields[] = {
    {"calls", "processing_trace_id", "t.id", 'i', NULL},
    {"calls", "id", "t.id", 'i', NULL},
    {"calls", "instance_id", "t.instance_id", 'i', NULL},
    {"calls", "request_id", "t.request_id", 'i', NULL},
    {"calls", "session_holder", "t.session_holder", 't', NULL},
    {"calls", "host", "t.host", 't', NULL},
    {"calls", "status", "t.status", 'i', NULL},
    {"calls", "http_method", "lower(t.http_method)", 'l', NULL},
    {"calls", "method", "lower(t.http_method)", 'l', NULL},
    {"calls", "http_url", "t.http_url", 't', NULL},
    {"calls", "url", "t.http_url", 't', NULL},
    {"calls", "created_on", "t.created_on", 'z', NULL},
};

/*
 * Calls of workflows, and those a proxy forwarded, whose rows are the requests themselves (gateway-proxy.md 8) under their numbers.
 * No half has a condition of its own, or PostgreSQL would sort all of it instead of reading it in the order of an index.
 */
#define CALLS                                                                                                            \
    "(SELECT id, instance_id, instance_on, request_id, session_holder, host, status, http_method, http_url, runtime_ms, "   \
    "created_on, true AS is_call FROM traces UNION ALL SELECT id, instance_id, created_on, id, gateway, "                    \
    "split_part(details->>'gateway_url', '/', 3), coalesce(response_status, 0), upper(method), details->>'gateway_url', "    \
    "runtime_ms, created_on, gateway IS NOT NULL AND instance_id IS NULL FROM requests) t"

static const struct search_spec spec = {
    .model = "calls",
    .collection = "calls",
    .select = "json_build_object('processing_trace_id', t.id, 'instance_id', t.instance_id, 'request_id', t.request_id, "
              "'session_holder', t.session_holder, 'host', t.host, 'status', t.status::text, 'method', t.http_method, "
              "'url', t.http_url, 'runtime_ms', t.runtime_ms, 'created_on', " DB_ISO("t.created_on") ")",
    .from = CALLS,
    .count_from = CALLS,
    .where = "t.is_call",
    .order = "t.created_on DESC, t.id DESC",
    .tie = "t.id DESC",
    .estimate = "traces",
    .fields = fields,
    .n_fields = COUNT_OF(fields),
    .skip_empty = true,
};

/* Of the caller's own instances and requests. */
static const char own_only[] =
    "(EXISTS (SELECT FROM instances i WHERE i.id = t.instance_id AND i.created_on = t.instance_on AND i.user_id = $1) OR "
    "(t.instance_id IS NULL AND EXISTS (SELECT FROM requests r WHERE r.id = t.request_id AND r.created_on = t.instance_on "
    "AND r.user_id = $1)))";

int southbound_search(struct api_call *c, struct err *e)
{
    bool all = c->user->is_system || cfg_has_access(c->user->profile, "requests.others_requests");
    struct db_arg *own = ARENA_NEW(c->a, struct db_arg);
    struct search s;

    *own = DB_INT(c->user->id);
    if (search_read(c, &spec, all ? NULL : own_only, all ? NULL : own, &s, e) != 0)
        return -1;
    if (str_eq(http_req_param(c->req, "as"), STR("csv")))
        return search_csv(c, &s, "southbound-calls.csv",
                          "processing_trace_id,instance_id,request_id,session_holder,host,status,method,url,created_on", e);
    return search_answer(c, &s, e);
}
