/*
 * Operations on many transactions: replay, skip, rollback, close, reopen, a context key; found by the filter of
 * requests, below a transaction, or named one by one.
 *
 * POST answers at once with the id; progress and the result of each transaction are read later.
 */
#include <unistd.h>

#include "api/mass.h"
#include "api/transaction.h"
#include "base/arena.h"
#include "base/json.h"

enum { ITEMS_MAX = 100000, LOOK_MS = 20, PAGE = 100 };

#define OPERATION                                                                                  \
    "json_build_object('id', o.id, 'operation', o.act, 'status', o.status, 'per_second', o.per_second, 'username', o.username, " \
    "'total', o.total, 'done', n.ok + n.failed, 'succeeded', n.ok, 'failed', n.failed, 'created_on', "              \
    DB_ISO("o.created_on") ", 'closed_on', " DB_ISO("o.closed_on") ")"
#define FROM_OPERATIONS                                                                            \
    "FROM mass_operations o CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 'OK') AS ok, "               \
    "count(*) FILTER (WHERE status = 'ERROR') AS failed FROM mass_items i WHERE i.operation_id = o.id) n "

static const struct db_stmt stmt_list = {
    "api_mass_list",
    "SELECT json_build_object('operations', coalesce(json_agg(x.o), '[]'))::text FROM (SELECT " OPERATION
    " AS o " FROM_OPERATIONS "WHERE $1::bigint = 0 OR o.user_id = $1 ORDER BY o.created_on DESC, o.id DESC LIMIT 100) x",
    1,
};

static const struct db_stmt stmt_get = {
    "api_mass_get",
    "SELECT " OPERATION "::text " FROM_OPERATIONS "WHERE o.id = $1 AND ($2::bigint = 0 OR o.user_id = $2)",
    2,
};

static const struct db_stmt stmt_results = {
    "api_mass_results",
    "SELECT coalesce(json_agg(x.o), '[]')::text FROM (SELECT json_build_object('instance_id', instance_id, 'status', status, "
    "'message', message, 'updated_on', " DB_ISO("updated_on") ") AS o FROM mass_items WHERE operation_id = $1 "
    "AND ($2 = '' OR status = $2) AND instance_id > $3 ORDER BY instance_id LIMIT $4) x",
    4,
};

static const struct db_stmt stmt_progress = {
    "api_mass_progress",
    "SELECT o.total, count(i.*) FILTER (WHERE i.status = 'OK'), count(i.*) FILTER (WHERE i.status = 'ERROR'), "
    "o.status <> 'ACTIVE' FROM mass_operations o LEFT JOIN mass_items i ON i.operation_id = o.id WHERE o.id = $1 "
    "GROUP BY o.id",
    1,
};

static const struct db_stmt stmt_cancel = {
    "api_mass_cancel",
    "WITH cancelled AS (UPDATE mass_operations SET status = 'CANCELLED', closed_on = now() WHERE id = $1 AND status = 'ACTIVE' "
    "AND ($2::bigint = 0 OR user_id = $2) RETURNING id) "
    "SELECT (SELECT id FROM cancelled) FROM mass_operations WHERE id = $1 AND ($2 = 0 OR user_id = $2)",
    2,
};

static const struct db_stmt stmt_subs = {
    "api_mass_subs",
    "INSERT INTO mass_items (operation_id, instance_id) SELECT $1::bigint, s.id FROM instances s WHERE s.parent_instance_id = $2 "
    "AND s.parent_on = $3::timestamptz AND ($4 = 'all' OR s.status = 'ACTIVE') "
    "AND ($4 <> 'blocked' OR s.cnt_tasks_in_error > 0) ORDER BY s.id LIMIT 100000",
    4,
};

/* Those that are not there, or belong to others ($3, 0 = may see all), are left out. */
static const struct db_stmt stmt_ids = {
    "api_mass_ids",
    "INSERT INTO mass_items (operation_id, instance_id) SELECT DISTINCT $1::bigint, i.id FROM "
    "(SELECT value::text::bigint AS id FROM json_array_elements($2::json)) u JOIN instances i ON i.id = u.id AND "
    "i.created_on >= id_from('instance', u.id) AND i.created_on < id_to('instance', u.id) "
    "WHERE $3::bigint = 0 OR i.user_id = $3",
    3,
};

static const struct db_stmt *const all[] = {&stmt_list,   &stmt_get,  &stmt_results, &stmt_progress,
                                            &stmt_cancel, &stmt_subs,    &stmt_ids};
const struct db_stmts api_mass_stmts = {"api_mass", all, COUNT_OF(all)};

/* ---- beginning ------------------------------------------------------------------------------------------ */

static int64_t own_only(const struct api_call *c)
{
    return c->user->is_system || cfg_has_access(c->user->profile, "requests.others_requests") ? 0 : c->user->id;
}

static int progress(struct api_call *c, struct mass_made *m, bool *over, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_progress, DB_ARGS(DB_INT(m->id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such operation");
        return -1;
    }
    m->total = db_int(res, 0, 0);
    m->done = db_int(res, 0, 1);
    m->failed = db_int(res, 0, 2);
    *over = db_bool(res, 0, 3);
    return 0;
}

/* The items stand: the job is made, or nothing remains when there are none. */
static int finish(struct api_call *c, struct mass_made *out, struct err *e)
{
    bool over;

    if (engine_mass_start(c->api->engine, c->conn, out->id, e) != 0 || progress(c, out, &over, e) != 0)
        return -1;
    if (out->total == 0) {
        db_rollback(c->conn);
        return 0;
    }
    if (db_commit(c->conn, e) != 0)
        return -1;
    engine_wake(c->api->engine);
    return 0;
}

int mass_of_search(struct api_call *c, const struct engine_mass *m, const struct search *s, struct mass_made *out,
                   struct err *e)
{
    struct db_arg *args = arena_alloc(c->a, (s->n_args + 1) * sizeof *args);
    const char *where = str_cstr(c->a, buf_str(&s->where));

    *out = (struct mass_made){0};
    if (db_begin(c->conn, e) != 0 || engine_mass_new(c->conn, m, &out->id, e) != 0)
        return -1;
    if (s->n_args > 0)
        memcpy(args, s->args, s->n_args * sizeof *args);
    args[s->n_args] = DB_INT(out->id);
    if (db_query_sql(c->conn,
                     arena_printf(c->a,
                                  "INSERT INTO mass_items (operation_id, instance_id) SELECT DISTINCT $%zu::bigint, r.instance_id "
                                  "FROM requests r WHERE %s AND r.instance_id IS NOT NULL LIMIT %d",
                                  s->n_args + 1, where, ITEMS_MAX),
                     args, s->n_args + 1, &(PGresult *){NULL}, c->a, e) != 0)
        return -1;
    return finish(c, out, e);
}

int mass_wait(struct api_call *c, struct mass_made *m, int64_t ms, struct err *e)
{
    int64_t until = clock_mono_ms(c->api->clock) + ms;
    bool over = m->total == 0;

    while (!over && clock_mono_ms(c->api->clock) < until) {
        usleep(LOOK_MS * 1000);
        if (progress(c, m, &over, e) != 0)
            return -1;
    }
    return 0;
}

static int of_subs(struct api_call *c, const struct engine_mass *m, struct mass_made *out, struct err *e)
{
    struct str filter = val_get_text(c->body, "filter", STR("blocked"));
    struct transaction t;

    if (!str_eq_c(filter, "all") && !str_eq_c(filter, "active") && !str_eq_c(filter, "blocked")) {
        err_set(e, ERR_INVALID, "filter: expected all, active or blocked");
        return -1;
    }
    c->params[0] = val_is(val_get(c->body, "sub_of"), VAL_STR) ? val_get_text(c->body, "sub_of", STR(""))
                                                               : json_text(val_get(c->body, "sub_of"), c->a);
    if (transaction_open(c, &t, e) != 0 || db_begin(c->conn, e) != 0 || engine_mass_new(c->conn, m, &out->id, e) != 0 ||
        db_exec(c->conn, &stmt_subs, DB_ARGS(DB_INT(out->id), DB_INT(t.id), DB_STR(t.on), DB_STR(filter)), NULL, e) != 0)
        return -1;
    return finish(c, out, e);
}

static int of_ids(struct api_call *c, const struct engine_mass *m, struct mass_made *out, struct err *e)
{
    struct val ids = val_get(c->body, "ids");

    for (size_t i = 0; i < val_count(ids); i++)
        if (!val_is(val_at(ids, i), VAL_INT)) {
            err_set(e, ERR_INVALID, "ids: expected a list of numbers");
            return -1;
        }
    if (db_begin(c->conn, e) != 0 || engine_mass_new(c->conn, m, &out->id, e) != 0 ||
        db_exec(c->conn, &stmt_ids, DB_ARGS(DB_INT(out->id), DB_STR(json_text(ids, c->a)), DB_INT(own_only(c))), NULL, e) != 0)
        return -1;
    return finish(c, out, e);
}

static int of_filter(struct api_call *c, const struct engine_mass *m, struct mass_made *out, struct err *e)
{
    struct search s;

    if (requests_search_read(c, &s, e) != 0)
        return -1;
    if (!s.filtered) {
        err_set(e, ERR_INVALID, "a filter, \"sub_of\" or \"ids\" is needed, so that not everything is changed by mistake");
        return -1;
    }
    return mass_of_search(c, m, &s, out, e);
}

int mass_post(struct api_call *c, struct err *e)
{
    struct engine_mass m = {.params = val_dict_new(c->a, 2), .who = c->user};
    struct mass_made made = {0};
    int64_t rate = 0;
    int rc;

    if (api_body_need(c, "operation", 40, &m.act, e) != 0 || api_body_int(c, "per_second", &rate, e) != 0)
        return -1;
    if (rate < 0 || rate > 1000) {
        err_set(e, ERR_INVALID, "per_second: expected 1 to 1000");
        return -1;
    }
    m.per_second = (int)rate;
    if (api_body_has(c, "key"))
        val_dict_set_c(m.params, "key", val_get(c->body, "key"));
    if (api_body_has(c, "value"))
        val_dict_set_c(m.params, "value", val_get(c->body, "value"));
    rc = api_body_has(c, "sub_of") ? of_subs(c, &m, &made, e)
         : api_body_has(c, "ids")  ? of_ids(c, &m, &made, e)
                                   : of_filter(c, &m, &made, e);
    if (rc != 0)
        return -1;
    if (made.total == 0) {
        err_set(e, ERR_NOT_FOUND, "no transaction is found by that");
        return -1;
    }
    api_audit(c, "update", "transactions",
              str_printf(c->a, "%.*s of %lld transactions", STR_ARG(m.act), (long long)made.total));
    c->status = 202;
    api_answer_id(c, "id", made.id);
    val_dict_set_c(c->result, "total", val_int(made.total));
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------------------- */

int mass_list(struct api_call *c, struct err *e)
{
    return db_text(c->conn, &stmt_list, DB_ARGS(DB_INT(own_only(c))), &c->text, c->a, e);
}

int mass_get(struct api_call *c, struct err *e)
{
    int64_t id;

    if (api_id(c, 0, "operation", &id, e) != 0)
        return -1;
    return api_answer_query(c, &stmt_get, DB_ARGS(DB_INT(id), DB_INT(own_only(c))), "operation", e);
}

/* Pages by the last instance of the one before: ?after=. */
int mass_results(struct api_call *c, struct err *e)
{
    struct str status = http_req_param(c->req, "status"), rows, head, after_text = http_req_param(c->req, "after");
    int64_t id, after = 0;

    if (api_id(c, 0, "operation", &id, e) != 0)
        return -1;
    if (status.len > 0 && !str_eq_c(status, "OK") && !str_eq_c(status, "ERROR") && !str_eq_c(status, "WAIT")) {
        err_set(e, ERR_INVALID, "status: expected OK, ERROR or WAIT");
        return -1;
    }
    if (after_text.len > 0 && !str_to_int(after_text, &after)) {
        err_set(e, ERR_INVALID, "after: expected the id of a transaction");
        return -1;
    }
    if (db_text(c->conn, &stmt_get, DB_ARGS(DB_INT(id), DB_INT(own_only(c))), &head, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such operation");
        return -1;
    }
    if (db_text(c->conn, &stmt_results,
                DB_ARGS(DB_INT(id), DB_STR(status.len > 0 ? status : STR("")), DB_INT(after), DB_INT(PAGE)), &rows, c->a, e) != 0)
        return -1;
    c->text = str_printf(c->a, "{\"results\":%.*s,\"operation\":%.*s}", STR_ARG(rows), STR_ARG(head));
    return 0;
}

int mass_cancel(struct api_call *c, struct err *e)
{
    PGresult *res = NULL;
    int64_t id;

    if (api_id(c, 0, "operation", &id, e) != 0 ||
        db_query_in(c->conn, &stmt_cancel, DB_ARGS(DB_INT(id), DB_INT(own_only(c))), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such operation");
        return -1;
    }
    if (PQgetisnull(res, 0, 0)) {
        err_set(e, ERR_CONFLICT, "the operation has ended");
        return -1;
    }
    api_audit(c, "delete", "transactions", str_printf(c->a, "operation %lld", (long long)id));
    api_answer_id(c, "id", id);
    return 0;
}
