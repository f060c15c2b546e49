/*
 * Versions of an activity: list, commit, rename, activate, delete (workflow-engine.md 1.6).
 */
#include "api/api.h"
#include "api/definition.h"
#include "base/arena.h"
#include "base/json.h"
#include "engine/workflow.h"

static const struct db_stmt stmt_list = {
    "api_versions_list",
    "SELECT coalesce(json_agg(json_build_object('id', v.id, 'label', v.label, 'definition', d.definition, "
    "'active', v.active, 'message', v.message, 'user_id', v.user_id, 'username', u.username, 'email', u.email, "
    "'created_on', " DB_ISO("v.created_on") ", 'updated_on', " DB_ISO("v.updated_on") ", "
    "'commit_at', " DB_ISO("v.commit_at") ") ORDER BY v.id DESC), '[]')::text "
    "FROM activity_versions v JOIN definitions d ON d.id = v.definition_id "
    "LEFT JOIN users u ON u.id = v.user_id WHERE v.activity_id = $1",
    1,
};

static const struct db_stmt stmt_working = {
    "api_version_working",
    "SELECT v.id, d.definition FROM activity_versions v JOIN definitions d ON d.id = v.definition_id "
    "WHERE v.activity_id = $1 AND v.label IS NULL FOR UPDATE OF v",
    1,
};

static const struct db_stmt stmt_commit = {
    "api_version_commit",
    "UPDATE activity_versions SET label = $2, message = $3, user_id = $4, commit_at = now(), updated_on = now() "
    "WHERE activity_id = $1 AND label IS NULL RETURNING id, definition_id",
    4,
};

static const struct db_stmt stmt_new_working = {
    "api_version_new_working",
    "INSERT INTO activity_versions (activity_id, definition_id, active, user_id) VALUES ($1, $2, false, $3)",
    3,
};

static const struct db_stmt stmt_rename = {
    "api_version_rename",
    "UPDATE activity_versions SET label = coalesce($3, label), message = coalesce($4, message), updated_on = now() "
    "WHERE activity_id = $1 AND id = $2 AND label IS NOT NULL",
    4,
};

static const struct db_stmt stmt_find = {
    "api_version_find",
    "SELECT v.id, v.active, v.label IS NULL, d.definition FROM activity_versions v "
    "JOIN definitions d ON d.id = v.definition_id WHERE v.activity_id = $1 AND (v.id = $2 OR ($2 = 0 AND v.label IS NULL))",
    2,
};

static const struct db_stmt stmt_delete = {
    "api_version_delete",
    "DELETE FROM activity_versions WHERE activity_id = $1 AND id = $2",
    2,
};

static const struct db_stmt stmt_deactivate = {
    "api_version_deactivate",
    "UPDATE activity_versions SET active = false WHERE activity_id = $1 AND active",
    1,
};

static const struct db_stmt stmt_activate = {
    "api_version_activate",
    "UPDATE activity_versions SET active = true, updated_on = now() WHERE activity_id = $1 AND id = $2",
    2,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_working, &stmt_commit, &stmt_new_working, &stmt_rename,
                                            &stmt_find, &stmt_delete,  &stmt_deactivate, &stmt_activate};
const struct db_stmts api_versions_stmts = {"api_versions", all, COUNT_OF(all)};

/* {id} and {version_id} of the path, and the row they name. */
static int find_version(struct api_call *c, int64_t *activity_id, int64_t *id, PGresult **res, struct err *e)
{
    if (api_id(c, 0, "activity", activity_id, e) != 0 || api_id(c, 1, "version", id, e) != 0 ||
        db_query_in(c->conn, &stmt_find, DB_ARGS(DB_INT(*activity_id), DB_INT(*id)), res, c->a, e) != 0)
        return -1;
    if (PQntuples(*res) == 1)
        return 0;
    err_set(e, ERR_NOT_FOUND, "no such version");
    return -1;
}

int versions_list(struct api_call *c, struct err *e)
{
    struct val versions;
    struct str list;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 ||
        db_text(c->conn, &stmt_list, DB_ARGS(DB_INT(id)), &list, c->a, e) != 0)
        return -1;
    if (str_eq(list, STR("[]"))) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    if (json_parse(list, &versions, c->a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(versions); i++)
        val_dict_set_c(val_at(versions, i), "definition",
                       val_str(wf_served_text(val_text(val_get(val_at(versions, i), "definition")), c->a)));
    /* both names of the list: the interface reads one, the published contract names the other */
    c->result = val_dict_new(c->a, 2);
    val_dict_set_c(c->result, "activity_versions", versions);
    val_dict_set_c(c->result, "versions", versions);
    return 0;
}

int version_commit(struct api_call *c, int64_t activity_id, struct str label, struct str message, int64_t *version_id,
                   struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_commit,
                    DB_ARGS(DB_INT(activity_id), DB_STR(label), DB_STR_OR_NULL(message), DB_INT(c->user->id)), &res,
                    c->a, e) != 0) {
        if (e->code == ERR_CONFLICT)
            err_set(e, ERR_CONFLICT, "label \"%.*s\" is used by another version", STR_ARG(label));
        return -1;
    }
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    *version_id = db_int(res, 0, 0);
    return db_exec(c->conn, &stmt_new_working,
                   DB_ARGS(DB_INT(activity_id), DB_INT(db_int(res, 0, 1)), DB_INT(c->user->id)), NULL, e);
}

int versions_commit(struct api_call *c, struct err *e)
{
    struct definition_check check = {.how = WF_COMMIT};
    struct str label, message = STR_NONE;
    PGresult *res = NULL;
    int64_t id, version_id;

    if (api_id(c, 0, "activity", &id, e) != 0 || api_body_need(c, "label", 255, &label, e) != 0 ||
        api_body_text(c, "message", 10000, &message, e) != 0 || db_begin(c->conn, e) != 0 ||
        db_query_in(c->conn, &stmt_working, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    check.definition = val_str(db_str(res, 0, 1));
    if (definition_check(c, &check, e) != 0)
        return check.answered ? 0 : -1;
    if (version_commit(c, id, label, message, &version_id, e) != 0 || db_commit(c->conn, e) != 0)
        return -1;
    api_audit(c, "commit", "activities", label);
    api_answer_id(c, "id", version_id);
    definition_warnings(c, &check);
    return 0;
}

int version_put(struct api_call *c, struct err *e)
{
    struct str label = STR_NONE, message = STR_NONE;
    int64_t activity_id, id, changed;
    PGresult *res = NULL;

    if (find_version(c, &activity_id, &id, &res, e) != 0 || api_body_text(c, "label", 255, &label, e) != 0 ||
        api_body_text(c, "message", 10000, &message, e) != 0)
        return -1;
    if (api_body_has(c, "label") && label.len == 0) {
        err_set(e, ERR_INVALID, "label: must not be empty");
        return -1;
    }
    if (db_exec(c->conn, &stmt_rename,
                DB_ARGS(DB_INT(activity_id), DB_INT(id), DB_STR_OR_NULL(label), DB_STR_OR_NULL(message)), &changed,
                e) != 0) {
        if (e->code == ERR_CONFLICT)
            err_set(e, ERR_CONFLICT, "label \"%.*s\" is used by another version", STR_ARG(label));
        return -1;
    }
    if (changed == 0) {
        err_set(e, ERR_CONFLICT, "the working version has no label; commit it instead");
        return -1;
    }
    api_answer_id(c, "id", id);
    return 0;
}

int version_delete(struct api_call *c, struct err *e)
{
    int64_t activity_id, id;
    PGresult *res = NULL;

    if (find_version(c, &activity_id, &id, &res, e) != 0)
        return -1;
    if (db_bool(res, 0, 1) || db_bool(res, 0, 2)) {
        err_set(e, ERR_CONFLICT, "the %s version cannot be deleted", db_bool(res, 0, 1) ? "active" : "working");
        return -1;
    }
    if (db_exec(c->conn, &stmt_delete, DB_ARGS(DB_INT(activity_id), DB_INT(id)), NULL, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    return 0;
}

int version_activate(struct api_call *c, int64_t activity_id, int64_t version_id, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_find, DB_ARGS(DB_INT(activity_id), DB_INT(version_id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such version");
        return -1;
    }
    if (db_exec(c->conn, &stmt_deactivate, DB_ARGS(DB_INT(activity_id)), NULL, e) != 0)
        return -1;
    return db_exec(c->conn, &stmt_activate, DB_ARGS(DB_INT(activity_id), DB_INT(db_int(res, 0, 0))), NULL, e);
}

int version_activate_put(struct api_call *c, struct err *e)
{
    struct definition_check check = {.how = WF_COMMIT};
    int64_t activity_id, id;
    PGresult *res = NULL;

    if (db_begin(c->conn, e) != 0 || find_version(c, &activity_id, &id, &res, e) != 0)
        return -1;
    check.definition = val_str(db_str(res, 0, 3));
    if (definition_check(c, &check, e) != 0)
        return check.answered ? 0 : -1;
    if (version_activate(c, activity_id, id, e) != 0 || db_commit(c->conn, e) != 0)
        return -1;
    api_audit(c, "activate", "activities", c->params[1]);
    api_answer_id(c, "id", id);
    definition_warnings(c, &check);
    return 0;
}
