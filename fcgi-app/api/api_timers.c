/*
 * Timers of instances: searching, moving, cancelling (http-api.md 5.17, workflow-engine.md 4.16).
 */
#include "api/api.h"
#include "api/search.h"
#include "base/arena.h"
#include "template/datetime.h"

static const struct search_field fields[] = {
    {"timers", "id", "t.id", 'i', NULL},
    {"timers", "instance_id", "t.instance_id", 'i', NULL},
    {"timers", "name", "t.name", 't', NULL},
    {"timers", "key", "coalesce(t.key, '')", 't', NULL},
    {"timers", "type", "t.type", 't', NULL},
    {"timers", "status", "t.status", 't', NULL},
    {"timers", "at", "t.at", 'z', NULL},
    {"timers", "created_on", "t.created_on", 'z', NULL},
    {"instances", "activity_id", "i.activity_id", 'i', NULL},
    {"instances", "status", "i.status", 't', NULL},
    {"instances", "owner", "i.owner", 't', NULL},
};

static const struct search_spec spec = {
    .model = "timers",
    .collection = "timers",
    .select = "json_build_object('id', t.id, 'instance_id', t.instance_id, 'name', t.name, 'key', coalesce(t.key, ''), "
              "'type', t.type, 'status', t.status, 'output', t.output, 'at', " DB_ISO("t.at") ", 'created_on', "
              DB_ISO("t.created_on") ")",
    .from = "timers t JOIN instances i ON i.id = t.instance_id AND i.created_on = t.instance_on",
    .count_from = "timers t JOIN instances i ON i.id = t.instance_id AND i.created_on = t.instance_on",
    .where = "true",
    .order = "t.created_on DESC, t.id DESC",
    .tie = "t.id DESC",
    .fields = fields,
    .n_fields = COUNT_OF(fields),
    .skip_empty = true,
};

static const struct db_stmt stmt_owner = {
    "api_timer_owner",
    "SELECT i.user_id FROM timers t JOIN instances i ON i.id = t.instance_id AND i.created_on = t.instance_on WHERE t.id = $1",
    1,
};

static const struct db_stmt *const all[] = {&stmt_owner};
const struct db_stmts api_timers_stmts = {"api_timers", all, COUNT_OF(all)};

/* Who may not see what others asked for sees the timers of his own instances. */
static bool sees_all(const struct api_call *c)
{
    return c->user->is_system || cfg_has_access(c->user->profile, "requests.others_requests");
}

int timers_search(struct api_call *c, struct err *e)
{
    struct db_arg *own = ARENA_NEW(c->a, struct db_arg);
    struct search s;

    *own = DB_INT(c->user->id);
    if (search_read(c, &spec, sees_all(c) ? NULL : "i.user_id = $1", sees_all(c) ? NULL : own, &s, e) != 0)
        return -1;
    if (str_eq(http_req_param(c->req, "as"), STR("csv")))
        return search_csv(c, &s, "timers.csv", "id,instance_id,name,key,type,status,at,output,created_on", e);
    return search_answer(c, &s, e);
}

static int find(struct api_call *c, int64_t *id, struct err *e)
{
    PGresult *res = NULL;

    if (api_id(c, 0, "timer", id, e) != 0 || db_query_in(c->conn, &stmt_owner, DB_ARGS(DB_INT(*id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such timer");
        return -1;
    }
    if (sees_all(c) || (!db_is_null(res, 0, 0) && db_int(res, 0, 0) == c->user->id))
        return 0;
    err_set(e, ERR_FORBIDDEN, "this timer belongs to somebody else");
    return -1;
}

/* {"at": time}: what has no zone is UTC. */
static int read_at(struct api_call *c, int64_t *at_us, struct err *e)
{
    struct str text;
    struct val v;

    if (api_body_need(c, "at", 64, &text, e) != 0)
        return -1;
    if (dt_parse(str_trim(text), c->a, &v) && dt_of(v)->kind == DT_DATETIME) {
        *at_us = dt_utc_us(dt_of(v));
        if (*at_us > 0)
            return 0;
    }
    err_set(e, ERR_INVALID, "at: \"%.*s\" is not a time such as 2030-01-31T12:00:00Z", STR_ARG(text));
    return -1;
}

int timer_move(struct api_call *c, struct err *e)
{
    int64_t id, at_us;

    if (find(c, &id, e) != 0 || read_at(c, &at_us, e) != 0 ||
        engine_timer_put(c->api->engine, id, at_us, c->user, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    return 0;
}

int timer_cancel(struct api_call *c, struct err *e)
{
    int64_t id;

    if (find(c, &id, e) != 0 || engine_timer_put(c->api->engine, id, 0, c->user, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    return 0;
}
