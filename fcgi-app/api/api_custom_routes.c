/*
 * Custom routes: http-api.md 5.13, workflow-engine.md 5.1.
 */
#include "api/api.h"
#include "api/api_exchange.h"
#include "base/arena.h"
#include "base/json.h"

#define ROUTE_OBJECT                                                                               \
    "json_build_object('route_id', r.id, 'route', r.route, 'method', r.method, 'schema', r.schema, " \
    "'output_schema', r.output_schema, 'activity_id', r.activity_id, 'err_activity_id', r.err_activity_id, " \
    "'sync', r.sync, 'enabled', r.enabled, 'public', r.public, 'support_bulk', r.support_bulk, 'group', r.group_name, " \
    "'bulk_options', r.bulk_options, 'created_on', " DB_ISO("r.created_on") ", 'updated_on', " DB_ISO("r.updated_on") ")"

static const struct db_stmt stmt_list = {
    "api_routes_list",
    "SELECT json_build_object('routes', coalesce(json_agg(" ROUTE_OBJECT " ORDER BY r.id), '[]'))::text FROM custom_routes r",
    0,
};

static const struct db_stmt stmt_insert = {
    "api_route_insert",
    "INSERT INTO custom_routes (method, route, activity_id, err_activity_id, schema, output_schema, sync, enabled, "
    "public, support_bulk, bulk_options, group_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
    "RETURNING id",
    12,
};

static const struct db_stmt stmt_get = {
    "api_route_get",
    "SELECT " ROUTE_OBJECT "::text FROM custom_routes r WHERE r.id = $1",
    1,
};

static const struct db_stmt stmt_update = {
    "api_route_update",
    "UPDATE custom_routes SET method = $2, route = $3, activity_id = $4, err_activity_id = $5, schema = $6, "
    "output_schema = $7, sync = $8, enabled = $9, public = $10, support_bulk = $11, bulk_options = $12, "
    "group_name = $13, updated_on = now() WHERE id = $1",
    13,
};

static const struct db_stmt stmt_delete = {
    "api_route_delete",
    "DELETE FROM custom_routes WHERE id = $1 RETURNING method || ' ' || route",
    1,
};

static const struct db_stmt stmt_rename_group = {
    "api_route_rename_group",
    "UPDATE custom_routes SET group_name = $2, updated_on = now() WHERE group_name = $1",
    2,
};

static const struct db_stmt stmt_export = {
    "api_route_export",
    "SELECT (" ROUTE_OBJECT ")::text, a.name, f.name FROM custom_routes r "
    "LEFT JOIN activities a ON a.id = r.activity_id LEFT JOIN activities f ON f.id = r.err_activity_id "
    "WHERE r.id = $1 OR r.group_name = $2 ORDER BY r.id",
    2,
};

static const struct db_stmt stmt_find = {
    "api_route_find",
    "SELECT id FROM custom_routes WHERE method = $1 AND route = $2",
    2,
};

static const struct db_stmt *const all[] = {&stmt_list,   &stmt_insert,       &stmt_get,    &stmt_update,
                                            &stmt_delete, &stmt_rename_group, &stmt_export, &stmt_find};
const struct db_stmts api_custom_routes_stmts = {"api_custom_routes", all, COUNT_OF(all)};

/* A row as it will be stored. */
struct row {
    struct str method, route, schema, output_schema, bulk_options, group;
    int64_t activity_id, err_activity_id;
    bool sync, enabled, is_public, support_bulk;
};

static int check_method(struct api_call *c, struct row *row, struct err *e)
{
    static const char *const methods[] = {"get", "post", "put", "delete"};

    row->method = str_lower(c->a, row->method);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_eq_c(row->method, methods[i]))
            return 0;
    }
    err_set(e, ERR_INVALID, "method: expected get, post, put or delete, got \"%.*s\"", STR_ARG(row->method));
    return -1;
}

static int check_path(struct api_call *c, const struct row *row, struct err *e)
{
    struct route_pattern *pattern;

    if (row->route.len < 4 || row->route.p[0] != '/') {
        err_set(e, ERR_INVALID, "route: expected a path of at least 4 characters that starts with \"/\"");
        return -1;
    }
    if (str_find(row->route, STR("..")) >= 0 || (str_find_char(row->route, '?') >= 0 && str_find_char(row->route, '{') < 0) ||
        str_find_char(row->route, '&') >= 0) {
        err_set(e, ERR_INVALID, "route: \"..\", \"?\" and \"&\" are not allowed");
        return -1;
    }
    if (route_pattern_compile(&pattern, row->route, c->a, e) != 0) {
        err_context(e, "route");
        return -1;
    }
    if (str_starts(row->route, STR("/api/")) && api_knows(row->route)) {
        err_set(e, ERR_CONFLICT, "route: \"%.*s\" belongs to the platform's own API", STR_ARG(row->route));
        return -1;
    }
    return 0;
}

/* A JSON object that may also come as text; null and "" clear it. */
static int read_object(struct api_call *c, struct val from, const char *name, struct str *out, struct err *e)
{
    struct val v = val_get(from, name);

    if (val_is_undef(v))
        return 0;
    if (val_is(v, VAL_STR) && str_trim(val_text(v)).len > 0 && json_parse(str_trim(val_text(v)), &v, c->a, e) != 0) {
        err_context(e, "%s", name);
        return -1;
    }
    if (val_is(v, VAL_NULL) || val_is(v, VAL_STR)) {
        *out = STR_NONE;
        return 0;
    }
    if (!val_is(v, VAL_DICT) && !val_is(v, VAL_BOOL)) {
        err_set(e, ERR_INVALID, "%s: expected an object, got %s", name, val_type_name(v));
        return -1;
    }
    *out = json_text(v, c->a);
    return 0;
}

static int check_schema(struct api_call *c, const struct row *row, struct err *e)
{
    struct jsonschema *compiled;
    struct val schema;

    if (row->schema.p == NULL)
        return 0;
    if (json_parse(row->schema, &schema, c->a, e) == 0 &&
        jsonschema_compile(&compiled, schema, JSONSCHEMA_AUTO, JSONSCHEMA_FORMATS, c->a, e) == 0)
        return 0;
    err_context(e, "schema");
    return -1;
}

/* null clears an activity, absent keeps it. */
static int read_activity(struct api_call *c, const char *name, int64_t *out, struct err *e)
{
    struct val v = val_get(c->body, name);

    if (val_is_undef(v))
        return 0;
    *out = 0;
    return api_body_int(c, name, out, e); /* whether it exists is said by the foreign key */
}

static int read_group(struct api_call *c, struct row *row, struct err *e)
{
    if (!api_body_has(c, "group"))
        return 0;
    row->group = STR_NONE;
    if (api_body_text(c, "group", 255, &row->group, e) != 0)
        return -1;
    if (row->group.len == 0)
        row->group = STR_NONE;
    return 0;
}

/* The members of the body over what `row` holds, then the checks of a whole row. */
static int read_row(struct api_call *c, struct row *row, struct err *e)
{
    if (!val_is(c->body, VAL_DICT)) {
        err_set(e, ERR_INVALID, "request body: expected an object");
        return -1;
    }
    if (api_body_text(c, "method", 10, &row->method, e) != 0 ||
        api_body_text(c, "route", 1000, &row->route, e) != 0 || read_activity(c, "activity_id", &row->activity_id, e) != 0 ||
        read_activity(c, "err_activity_id", &row->err_activity_id, e) != 0 ||
        read_object(c, c->body, "schema", &row->schema, e) != 0 || read_object(c, c->body, "output_schema", &row->output_schema, e) != 0 ||
        read_object(c, c->body, "bulk_options", &row->bulk_options, e) != 0 || api_body_bool(c, "sync", &row->sync, e) != 0 ||
        api_body_bool(c, "enabled", &row->enabled, e) != 0 || api_body_bool(c, "public", &row->is_public, e) != 0 ||
        api_body_bool(c, "support_bulk", &row->support_bulk, e) != 0 || read_group(c, row, e) != 0)
        return -1;
    return check_method(c, row, e) != 0 || check_path(c, row, e) != 0 || check_schema(c, row, e) != 0 ? -1 : 0;
}

static int refused(const struct row *row, struct err *e)
{
    if (e->code == ERR_CONFLICT && strstr(e->detail, "23503") != NULL)
        err_set(e, ERR_INVALID, "activity_id or err_activity_id names no activity");
    else if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "a route \"%.*s %.*s\" exists", STR_ARG(row->method), STR_ARG(row->route));
    return -1;
}

static int insert(struct api_call *c, const struct row *row, int64_t *id, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_insert,
                    DB_ARGS(DB_STR(row->method), DB_STR(row->route), DB_INT_OR_NULL(row->activity_id),
                            DB_INT_OR_NULL(row->err_activity_id), DB_STR_OR_NULL(row->schema),
                            DB_STR_OR_NULL(row->output_schema), DB_BOOL(row->sync), DB_BOOL(row->enabled),
                            DB_BOOL(row->is_public), DB_BOOL(row->support_bulk), DB_STR_OR_NULL(row->bulk_options),
                            DB_STR_OR_NULL(row->group)),
                    &res, c->a, e) != 0)
        return refused(row, e);
    *id = db_int(res, 0, 0);
    return 0;
}

static int update(struct api_call *c, int64_t id, const struct row *row, struct err *e)
{
    if (db_exec(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR(row->method), DB_STR(row->route), DB_INT_OR_NULL(row->activity_id),
                        DB_INT_OR_NULL(row->err_activity_id), DB_STR_OR_NULL(row->schema),
                        DB_STR_OR_NULL(row->output_schema), DB_BOOL(row->sync), DB_BOOL(row->enabled),
                        DB_BOOL(row->is_public), DB_BOOL(row->support_bulk), DB_STR_OR_NULL(row->bulk_options),
                        DB_STR_OR_NULL(row->group)),
                NULL, e) != 0)
        return refused(row, e);
    return 0;
}

/* A stored or exported route object as a row. */
static int row_from(struct api_call *c, struct val v, struct row *row, struct err *e)
{
    *row = (struct row){
        .method = val_get_text(v, "method", STR("get")),
        .route = val_get_text(v, "route", STR("")),
        .group = val_get_text(v, "group", STR_NONE),
        .activity_id = val_get_int(v, "activity_id", 0),
        .err_activity_id = val_get_int(v, "err_activity_id", 0),
        .sync = val_get_bool(v, "sync", false),
        .enabled = val_get_bool(v, "enabled", true),
        .is_public = val_get_bool(v, "public", false),
        .support_bulk = val_get_bool(v, "support_bulk", false),
    };
    if (row->group.len == 0)
        row->group = STR_NONE;
    if (read_object(c, v, "schema", &row->schema, e) != 0 || read_object(c, v, "output_schema", &row->output_schema, e) != 0)
        return -1;
    return read_object(c, v, "bulk_options", &row->bulk_options, e);
}

int custom_routes_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

int custom_routes_create(struct api_call *c, struct err *e)
{
    struct row row = {.method = STR(""), .enabled = true};
    int64_t id;

    if (api_body_need(c, "route", 1000, &row.route, e) != 0 || api_body_need(c, "method", 10, &row.method, e) != 0 ||
        read_row(c, &row, e) != 0 || insert(c, &row, &id, e) != 0)
        return -1;
    api_audit(c, "create", "custom_routes", row.route);
    api_answer_id(c, "route_id", id);
    return 0;
}

int custom_route_put(struct api_call *c, struct err *e)
{
    struct row row;
    struct str text;
    struct val stored;
    int64_t id;

    if (api_id(c, 0, "route", &id, e) != 0 || db_begin(c->conn, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_get, DB_ARGS(DB_INT(id)), &text, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such route");
        return -1;
    }
    if (json_parse(text, &stored, c->a, e) != 0)
        return -1;
    if (row_from(c, stored, &row, e) != 0 || read_row(c, &row, e) != 0 || update(c, id, &row, e) != 0 || db_commit(c->conn, e) != 0)
        return -1;
    api_audit(c, "update", "custom_routes", row.route);
    api_answer_id(c, "route_id", id);
    return 0;
}

int custom_route_delete(struct api_call *c, struct err *e)
{
    struct str what;
    int64_t id;

    if (api_id(c, 0, "route", &id, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &what, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such route");
        return -1;
    }
    api_audit(c, "delete", "custom_routes", what);
    api_answer_id(c, "route_id", id);
    return 0;
}

int custom_route_group_put(struct api_call *c, struct err *e)
{
    struct str name;
    int64_t changed;

    if (api_body_need(c, "name", 255, &name, e) != 0 ||
        db_exec(c->conn, &stmt_rename_group, DB_ARGS(DB_STR(c->params[0]), DB_STR(name)), &changed, e) != 0)
        return -1;
    if (changed == 0) {
        err_set(e, ERR_NOT_FOUND, "no such group");
        return -1;
    }
    api_audit(c, "rename", "custom_routes", str_printf(c->a, "group %.*s", STR_ARG(name)));
    return 0;
}

/* ---- export and import (5.1.7) ------------------------------------------------------------------ */

static int export_activity(struct api_call *c, struct val route, const char *member, struct str name, bool compat,
                           struct err *e)
{
    struct val activity = val_null();

    if (name.len > 0 && exchange_export(c, name, !compat, &activity, e) != 0)
        return -1;
    val_dict_set_c(route, member, activity);
    return 0;
}

static int export_routes(struct api_call *c, int64_t id, struct str group, const char *filename, struct err *e)
{
    static const char *const ids[] = {"route_id", "activity_id", "err_activity_id", "created_on", "updated_on"};
    bool compat = str_eq(http_req_param(c->req, "compat"), STR("1"));
    struct val file = val_dict_new(c->a, 1), list = val_list_new(c->a, 4);
    PGresult *res = NULL;
    struct buf text;

    if (db_query_in(c->conn, &stmt_export, DB_ARGS(DB_INT(id), DB_STR_OR_NULL(group)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, group.p != NULL ? "no such group" : "no such route");
        return -1;
    }
    for (int i = 0; i < PQntuples(res); i++) {
        struct val route;

        if (json_parse(db_str(res, i, 0), &route, c->a, e) != 0)
            return -1;
        for (size_t k = 0; k < COUNT_OF(ids); k++)
            val_dict_del(route, val_str_c(ids[k]));
        if (export_activity(c, route, "activity", db_str(res, i, 1), compat, e) != 0 ||
            export_activity(c, route, "err_activity", db_str(res, i, 2), compat, e) != 0)
            return -1;
        val_list_add(list, route);
    }
    val_dict_set_c(file, "routes", list);
    if (compat)
        file = group.p != NULL ? list : val_at(list, 0);
    buf_init(&text, 64 * MIB, c->a);
    json_write(file, JSON_SPACED, 2, &text);
    api_download(c, filename, "application/json", buf_str(&text));
    return 0;
}

int custom_route_export(struct api_call *c, struct err *e)
{
    int64_t id;

    if (api_id(c, 0, "route", &id, e) != 0)
        return -1;
    return export_routes(c, id, STR_NONE, arena_printf(c->a, "route-%lld.json", (long long)id), e);
}

int custom_route_group_export(struct api_call *c, struct err *e)
{
    return export_routes(c, 0, c->params[0], arena_printf(c->a, "%.*s.json", STR_ARG(c->params[0])), e);
}

static int import_activity(struct api_call *c, struct val route, const char *member, const struct exchange_options *o,
                           int64_t *id, struct err *e)
{
    struct val activity = val_get(route, member);

    if (val_is_none(activity))
        return 0;
    if (val_is(activity, VAL_DICT))
        return exchange_import(c, activity, o, id, e);
    err_set(e, ERR_INVALID, "%s: expected an object, got %s", member, val_type_name(activity));
    return -1;
}

/*
 * Older platforms write the definition into the route, without a name: that comes by ?name=, as with a bare definition, and so for one
 * route of a file only.
 */
static int import_inline(struct api_call *c, struct val route, bool alone, const struct exchange_options *o, int64_t *id, struct err *e)
{
    struct val definition = val_get(route, "definition"), file;

    if (val_is_none(definition))
        return 0;
    if (!val_is_none(val_get(route, "activity"))) {
        err_set(e, ERR_INVALID, "definition: the route has an \"activity\" already");
        return -1;
    }
    if (!alone || http_req_param(c->req, "name").len == 0) {
        err_set(e, ERR_INVALID, "definition: it has no name; put it into \"activity\": {\"name\", \"definition\"}, or import this route alone "
                                "with ?name=");
        return -1;
    }
    file = val_dict_new(c->a, 1);
    val_dict_set_c(file, "definition", definition);
    return exchange_import(c, file, o, id, e);
}

static int import_route(struct api_call *c, struct val route, bool alone, const struct exchange_options *o, int64_t *id,
                        struct err *e)
{
    PGresult *res = NULL;
    struct row row;

    if (row_from(c, route, &row, e) != 0)
        return -1;
    row.activity_id = row.err_activity_id = 0;
    if (check_method(c, &row, e) != 0 || check_path(c, &row, e) != 0 || check_schema(c, &row, e) != 0 ||
        import_activity(c, route, "activity", o, &row.activity_id, e) != 0 ||
        import_inline(c, route, alone, o, &row.activity_id, e) != 0 ||
        import_activity(c, route, "err_activity", o, &row.err_activity_id, e) != 0 ||
        db_query_in(c->conn, &stmt_find, DB_ARGS(DB_STR(row.method), DB_STR(row.route)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return insert(c, &row, id, e);
    *id = db_int(res, 0, 0);
    return update(c, *id, &row, e);
}

int custom_routes_import(struct api_call *c, struct err *e)
{
    struct val routes = val_get(c->body, "routes"), ids = val_list_new(c->a, 4);
    struct exchange_options o;
    int64_t id = 0;

    if (val_is(c->body, VAL_LIST)) {
        routes = c->body;
    } else if (!val_is(routes, VAL_LIST)) {
        routes = val_list_new(c->a, 1);
        val_list_add(routes, c->body);
    }
    if (exchange_options(c, &o, e) != 0 || db_begin(c->conn, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(routes); i++) {
        if (import_route(c, val_at(routes, i), val_count(routes) == 1, &o, &id, e) != 0) {
            err_context(e, "routes.%zu", i);
            return -1;
        }
        val_list_add(ids, val_int(id));
        api_audit(c, "import", "custom_routes", val_get_text(val_at(routes, i), "route", STR("")));
    }
    if (db_commit(c->conn, e) != 0)
        return -1;
    api_answer_id(c, "route_id", id);
    val_dict_set_c(c->result, "route_ids", ids);
    return 0;
}
