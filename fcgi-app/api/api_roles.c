/*
 * Roles: groups of people that manual actions are addressed to (http-api.md 4.5, 5.6).
 */
#include "api/user_view.h"

static const struct db_stmt stmt_list = {
    "api_roles_list",
    "SELECT json_build_object('roles', coalesce(json_agg(json_build_object('id', id, 'name', name, "
    "'description', "
    "coalesce(description, ''), 'created_on', " DB_ISO(
        "created_on") ") ORDER BY name), '[]'))::text FROM roles",
    0};
static const struct db_stmt stmt_get = {
    "api_role_get",
    "SELECT json_build_object('id', id, 'name', name, 'description', coalesce(description, ''), "
    "'created_on', " DB_ISO("created_on") ")::text FROM roles WHERE id = $1",
    1};
static const struct db_stmt stmt_insert = {
    "api_role_insert", "INSERT INTO roles (name, description) VALUES ($1, $2) RETURNING id", 2};
static const struct db_stmt stmt_update = {
    "api_role_update",
    "UPDATE roles SET name = coalesce($2, name), description = coalesce($3, description) WHERE id "
    "= $1 RETURNING name",
    3};
static const struct db_stmt stmt_delete = {"api_role_delete",
                                           "DELETE FROM roles WHERE id = $1 RETURNING name", 1};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_insert, &stmt_update,
                                            &stmt_delete};
const struct db_stmts api_roles_stmts = {"api_roles", all, COUNT_OF(all)};

int roles_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

int role_get(struct api_call *c, struct err *e)
{
    int64_t id;

    return api_id(c, 0, "role", &id, e) != 0
               ? -1
               : api_answer_query(c, &stmt_get, DB_ARGS(DB_INT(id)), "role", e);
}

static int duplicate(struct str name, struct err *e)
{
    if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "a role named \"%.*s\" exists", STR_ARG(name));
    return -1;
}

int roles_create(struct api_call *c, struct err *e)
{
    struct str name;
    struct str description = STR("");
    struct str id;
    int64_t n = 0;

    if (api_body_need(c, "name", 255, &name, e) != 0 ||
        api_body_text(c, "description", 4000, &description, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_insert, DB_ARGS(DB_STR(name), DB_STR(description)), &id, c->a, e) !=
        0)
        return duplicate(name, e);
    if (!str_to_int(id, &n))
        return -1;
    api_audit(c, "create", "user role", name);
    user_told(c);
    api_answer_id(c, "id", n);
    return 0;
}

/* What follows a change of one role: `name` is what the statement returned. */
static int changed(struct api_call *c, int rc, const char *operation, struct str name,
                   struct err *e)
{
    if (rc != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such role");
        return -1;
    }
    api_audit(c, operation, "user role", name);
    user_told(c);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int role_put(struct api_call *c, struct err *e)
{
    struct str name = STR_NONE;
    struct str description = STR_NONE;
    struct str now;
    int64_t id;

    if (api_id(c, 0, "role", &id, e) != 0 || api_body_text(c, "name", 255, &name, e) != 0 ||
        api_body_text(c, "description", 4000, &description, e) != 0)
        return -1;
    if (name.p != NULL && name.len == 0) {
        err_set(e, ERR_INVALID, "name: must not be empty");
        return -1;
    }
    if (db_text(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR_OR_NULL(name), DB_STR_OR_NULL(description)), &now, c->a,
                e) != 0)
        return e->code == ERR_CONFLICT ? duplicate(name, e) : changed(c, -1, "update", name, e);
    return changed(c, 0, "update", now, e);
}

int role_delete(struct api_call *c, struct err *e)
{
    struct str name = STR("");
    int64_t id;

    if (api_id(c, 0, "role", &id, e) != 0)
        return -1;
    return changed(c, db_text(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &name, c->a, e), "delete",
                   name, e);
}
