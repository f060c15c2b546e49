/*
 * Saved filters: searches people keep (http-api.md 5.24).  What is inside is the interface's own.
 */
#include "api/api.h"
#include "base/arena.h"
#include "base/json.h"

#define FILTER_OBJECT                                                                              \
    "json_build_object('id', id, 'name', name, 'visibility', visibility, 'entity', entity, 'filter', filter, " \
    "'columns', columns, 'created_by', coalesce(created_by, ''), 'created_on', " DB_ISO("created_on")        \
    ", 'updated_on', " DB_ISO("updated_on") ")"
/* $1 is the caller */
#define VISIBLE "(visibility = 'system' OR user_id = $1)"

static const struct db_stmt stmt_list = {
    "api_filters_list",
    "SELECT json_build_object('filters', coalesce(json_agg(" FILTER_OBJECT " ORDER BY name, id), '[]'))::text "
    "FROM saved_filters WHERE " VISIBLE " AND ($2::text IS NULL OR entity = $2)",
    2,
};

static const struct db_stmt stmt_get = {
    "api_filter_get",
    "SELECT json_build_object('filter', " FILTER_OBJECT ")::text FROM saved_filters WHERE " VISIBLE " AND id = $2",
    2,
};

static const struct db_stmt stmt_owner = {
    "api_filter_owner",
    "SELECT name, visibility, entity, filter::text, columns::text, user_id FROM saved_filters WHERE " VISIBLE " AND id = $2 FOR UPDATE",
    2,
};

static const struct db_stmt stmt_insert = {
    "api_filter_insert",
    "INSERT INTO saved_filters (user_id, created_by, name, visibility, entity, filter, columns) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    7,
};

static const struct db_stmt stmt_update = {
    "api_filter_update",
    "UPDATE saved_filters SET name = $2, visibility = $3, entity = $4, filter = $5, columns = $6, updated_on = now() WHERE id = $1",
    6,
};

static const struct db_stmt stmt_delete = {
    "api_filter_delete",
    "DELETE FROM saved_filters WHERE id = $1",
    1,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_owner, &stmt_insert, &stmt_update, &stmt_delete};
const struct db_stmts api_filters_stmts = {"api_filters", all, COUNT_OF(all)};

enum { FILTER_MAX = 64 * 1024 };

struct row {
    struct str name, visibility, entity, filter, columns;
};

/* An object or a list, kept as its text. */
static int read_json(struct api_call *c, const char *name, struct str *out, struct err *e)
{
    struct val v = val_get(c->body, name);

    if (val_is_undef(v))
        return 0;
    *out = STR_NONE;
    if (val_is(v, VAL_NULL))
        return 0;
    if (!val_is(v, VAL_DICT) && !val_is(v, VAL_LIST)) {
        err_set(e, ERR_INVALID, "%s: expected an object or a list, got %s", name, val_type_name(v));
        return -1;
    }
    *out = json_text(v, c->a);
    if (out->len <= FILTER_MAX)
        return 0;
    err_set(e, ERR_LIMIT, "%s: longer than %d bytes", name, FILTER_MAX);
    return -1;
}

static int read_row(struct api_call *c, struct row *row, struct err *e)
{
    if (api_body_text(c, "name", 255, &row->name, e) != 0 || api_body_text(c, "visibility", 10, &row->visibility, e) != 0 ||
        api_body_text(c, "entity", 100, &row->entity, e) != 0 || read_json(c, "filter", &row->filter, e) != 0 ||
        read_json(c, "columns", &row->columns, e) != 0)
        return -1;
    if (row->name.len == 0 || row->filter.p == NULL) {
        err_set(e, ERR_INVALID, "%s is required", row->name.len == 0 ? "name" : "filter");
        return -1;
    }
    if (str_eq_c(row->visibility, "user") || str_eq_c(row->visibility, "system"))
        return 0;
    err_set(e, ERR_INVALID, "visibility: expected user or system, got \"%.*s\"", STR_ARG(row->visibility));
    return -1;
}

int filters_list(struct api_call *c, struct err *e)
{
    struct str entity = http_req_param(c->req, "entity");

    return api_answer_query(c, &stmt_list, DB_ARGS(DB_INT(c->user->id), DB_STR_OR_NULL(entity)), "list", e);
}

int filter_get(struct api_call *c, struct err *e)
{
    int64_t id;

    if (api_id(c, 0, "filter", &id, e) != 0)
        return -1;
    return api_answer_query(c, &stmt_get, DB_ARGS(DB_INT(c->user->id), DB_INT(id)), "filter", e);
}

int filters_create(struct api_call *c, struct err *e)
{
    struct row row = {.name = STR(""), .visibility = STR("user"), .entity = STR("request")};
    PGresult *res = NULL;

    if (read_row(c, &row, e) != 0 ||
        db_query_in(c->conn, &stmt_insert,
                    DB_ARGS(DB_INT(c->user->id), DB_STR(c->user->username), DB_STR(row.name), DB_STR(row.visibility),
                            DB_STR(row.entity), DB_STR(row.filter), DB_STR_OR_NULL(row.columns)),
                    &res, c->a, e) != 0)
        return -1;
    api_answer_id(c, "id", db_int(res, 0, 0));
    return 0;
}

/* Everybody sees those of the platform; only who made one, or an administrator, may change it. */
static int open_own(struct api_call *c, int64_t *id, struct row *row, struct err *e)
{
    PGresult *res = NULL;

    if (api_id(c, 0, "filter", id, e) != 0 || db_begin(c->conn, e) != 0 ||
        db_query_in(c->conn, &stmt_owner, DB_ARGS(DB_INT(c->user->id), DB_INT(*id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such filter");
        return -1;
    }
    if (!c->user->is_system && (db_is_null(res, 0, 5) || db_int(res, 0, 5) != c->user->id)) {
        err_set(e, ERR_FORBIDDEN, "this filter belongs to somebody else");
        return -1;
    }
    *row = (struct row){db_str(res, 0, 0), db_str(res, 0, 1), db_str(res, 0, 2), db_str(res, 0, 3), db_str(res, 0, 4)};
    return 0;
}

int filter_put(struct api_call *c, struct err *e)
{
    struct row row;
    int64_t id;

    if (open_own(c, &id, &row, e) != 0 || read_row(c, &row, e) != 0 ||
        db_exec(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR(row.name), DB_STR(row.visibility), DB_STR(row.entity), DB_STR(row.filter),
                        DB_STR_OR_NULL(row.columns)),
                NULL, e) != 0 ||
        db_commit(c->conn, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    return 0;
}

int filter_delete(struct api_call *c, struct err *e)
{
    struct row row;
    int64_t id;

    if (open_own(c, &id, &row, e) != 0 || db_exec(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), NULL, e) != 0 ||
        db_commit(c->conn, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    return 0;
}
