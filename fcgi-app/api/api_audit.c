/*
 * What administrators changed, and who used which service (http-api.md 5.5).
 */
#include "api/search.h"
#include "api/user_view.h"

static const struct db_stmt stmt_names = {
    "api_audit_usernames",
    "SELECT json_build_object('usernames', coalesce(json_agg(x.username ORDER BY x.username), "
    "'[]'))::text FROM "
    "(SELECT DISTINCT username FROM audit WHERE username IS NOT NULL) x",
    0};
static const struct db_stmt *const all[] = {&stmt_names};
const struct db_stmts api_audit_stmts = {"api_audit_search", all, COUNT_OF(all)};

static const struct search_field audit_fields[] = {
    {NULL, "id", "a.id", 'i', NULL},
    {NULL, "user_id", "a.user_id", 'i', NULL},
    {NULL, "username", "a.username", 't', NULL},
    {NULL, "when", "a.created_on", 'z', NULL},
    {NULL, "created_on", "a.created_on", 'z', NULL},
    {NULL, "operation", "a.operation", 't', NULL},
    {NULL, "target", "a.target", 't', NULL},
    {NULL, "target_type", "a.target_type", 't', NULL},
    {NULL, "channel", "a.channel", 't', NULL},
};

static const struct search_spec audit_spec = {
    .model = "audit",
    .collection = "records",
    .select =
        "json_build_object('id', a.id, 'user_id', a.user_id, 'username', coalesce(a.username, ''), "
        "'user', "
        "coalesce(a.username, ''), 'summary', coalesce(a.summary, ''), 'operation', a.operation, "
        "'target', "
        "coalesce(a.target, ''), 'target_type', a.target_type, 'channel', a.channel, 'extra_info', "
        "coalesce(a.extra_info, ''), 'when', " DB_ISO("a.created_on") ", 'created_on', " DB_ISO(
            "a.created_on") ")",
    .from = "audit a",
    .count_from = "audit a",
    .where = "true",
    .order = "a.id DESC",
    .tie = "a.id DESC",
    .fields = audit_fields,
    .n_fields = COUNT_OF(audit_fields),
    .skip_empty = true,
};

static const struct search_field activity_fields[] = {
    {NULL, "username", "a.username", 't', NULL},
    {NULL, "service", "a.service", 't', NULL},
    {NULL, "method", "lower(a.method)", 'l', NULL},
    {NULL, "timestamp", "a.hour", 'z', NULL},
    {NULL, "ts", "a.hour", 'z', NULL},
};

static const struct search_spec activity_spec = {
    .model = "activity",
    .collection = "recs",
    .also = "records",
    .select = "json_build_object('username', a.username, 'ts', " DB_ISO(
        "a.hour") ", 'timestamp', " DB_ISO("a.hour") ", 'method', lower(a.method), 'service', "
                                                     "a.service, 'calls', a.calls)",
    .from = "user_activity a",
    .count_from = "user_activity a",
    .where = "true",
    .order = "a.hour DESC, a.username, a.service, a.method",
    .tie = "a.hour DESC, a.username, a.service, a.method",
    .fields = activity_fields,
    .n_fields = COUNT_OF(activity_fields),
    .skip_empty = true,
};

int audit_search(struct api_call *c, struct err *e)
{
    struct search s;

    return search_read(c, &audit_spec, NULL, NULL, &s, e) != 0 ? -1 : search_answer(c, &s, e);
}

int audit_usernames(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_names, DB_NO_ARGS, "list", e);
}

int user_activity_search(struct api_call *c, struct err *e)
{
    struct search s;

    if (search_read(c, &activity_spec, NULL, NULL, &s, e) != 0)
        return -1;
    if (str_eq_c(http_req_param(c->req, "as"), "csv"))
        return search_csv(c, &s, "user_activity.csv", "username,timestamp,method,service", e);
    return search_answer(c, &s, e);
}
