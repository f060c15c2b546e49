/*
 * Alarms: searching them, and clearing one (http-api.md 5.20).
 */
#include "api/search.h"

static const struct db_stmt stmt_keys = {
    "api_alarm_keys",
    "SELECT json_build_object('keys', (SELECT json_agg(key ORDER BY key) FROM (SELECT key FROM alarms UNION "
    "VALUES ('http_success_rate'), ('http_south_success_rate'), ('network_issues')) x))::text",
    0,
};

static const struct db_stmt stmt_clear = {
    "api_alarm_clear",
    "UPDATE alarms SET active = false, cleared_by = $2 WHERE id = $1 RETURNING id",
    2,
};

static const struct db_stmt *const all[] = {&stmt_keys, &stmt_clear};
const struct db_stmts api_alarms_stmts = {"api_alarms", all, COUNT_OF(all)};

static const struct search_field fields[] = {
    {NULL, "id", "a.id", 'i', NULL},
    {NULL, "key", "a.key", 't', NULL},
    {NULL, "subject", "a.subject", 't', NULL},
    {NULL, "message", "a.message", 't', NULL},
    {NULL, "active", "a.active", 'b', NULL},
    {NULL, "level", "a.level", 't', NULL},
    {NULL, "first_occurrence", "a.first_occurrence", 'z', NULL},
    {NULL, "last_occurrence", "a.last_occurrence", 'z', NULL},
};

static const struct search_spec spec = {
    .model = "alarms",
    .collection = "alarms",
    .select = "json_build_object('id', a.id, 'key', a.key, 'subject', a.subject, 'message', a.message, 'active', "
              "a.active, 'value', coalesce(a.value, ''), 'level', a.level, 'cleared_by', a.cleared_by, "
              "'first_occurrence', " DB_ISO("a.first_occurrence") ", 'last_occurrence', " DB_ISO("a.last_occurrence") ")",
    .from = "alarms a",
    .count_from = "alarms a",
    .where = "true",
    .order = "a.last_occurrence DESC, a.id DESC",
    .tie = "a.id DESC",
    .fields = fields,
    .n_fields = COUNT_OF(fields),
    .skip_empty = true,
};

int alarms_list(struct api_call *c, struct err *e)
{
    struct search s;

    return search_read(c, &spec, NULL, NULL, &s, e) != 0 ? -1 : search_answer(c, &s, e);
}

int alarms_keys(struct api_call *c, struct err *e)
{
    return db_text(c->conn, &stmt_keys, DB_NO_ARGS, &c->text, c->a, e);
}

int alarm_put(struct api_call *c, struct err *e)
{
    PGresult *res = NULL;
    int64_t id;

    if (api_id(c, 0, "alarm", &id, e) != 0 ||
        db_query_in(c->conn, &stmt_clear, DB_ARGS(DB_INT(id), DB_STR(c->user->username)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such alarm");
        return -1;
    }
    return 0;
}
