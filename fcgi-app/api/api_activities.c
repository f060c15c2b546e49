/*
 * Activities (workflows by name) and their versions: http-api.md 5.12, workflow-engine.md 1.6.
 *
 * The working version alone is edited; a commit labels it and puts a new working row beside it.
 */
#include "api/api.h"
#include "api/definition.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"

enum { NAME_MAX_CHARS = 255 };

#define ACTIVITY_MEMBERS                                                                           \
    "'id', a.id, 'name', a.name, 'description', a.description, 'created_on', " DB_ISO(             \
        "a.created_on") ", 'updated_on', " DB_ISO("greatest(a.updated_on, v.updated_on)")          \
        ", 'version_id', v.id, 'version_label', v.label"

static const struct db_stmt stmt_list = {
    "api_activities_list",
    "SELECT json_build_object('activities', coalesce(json_agg(json_build_object(" ACTIVITY_MEMBERS
    ") ORDER BY a.name), '[]'))::text "
    "FROM activities a LEFT JOIN activity_versions v ON v.activity_id = a.id AND v.active",
    0,
};

static const struct db_stmt stmt_get = {
    "api_activity_get",
    "SELECT json_build_object(" ACTIVITY_MEMBERS ")::text, d.definition "
    "FROM activities a JOIN activity_versions v ON v.activity_id = a.id AND v.active "
    "JOIN definitions d ON d.id = v.definition_id WHERE a.id = $1",
    1,
};

static const struct db_stmt stmt_insert = {
    "api_activity_insert",
    "WITH n AS (INSERT INTO activities (name, description) VALUES ($1, $2) RETURNING id), "
    "v AS (INSERT INTO activity_versions (activity_id, definition_id, active, user_id) "
    "SELECT n.id, definition_put($3), true, $4 FROM n) SELECT n.id FROM n",
    4,
};

static const struct db_stmt stmt_update = {
    "api_activity_update",
    "UPDATE activities SET name = coalesce($2, name), "
    "description = CASE WHEN $4 THEN $3 ELSE description END, updated_on = now() WHERE id = $1",
    4,
};

static const struct db_stmt stmt_save = {
    "api_activity_save",
    "UPDATE activity_versions SET definition_id = definition_put($2), user_id = $3, updated_on = now() "
    "WHERE activity_id = $1 AND label IS NULL",
    3,
};

static const struct db_stmt stmt_users = {
    "api_activity_users",
    "SELECT (SELECT count(*) FROM custom_routes WHERE activity_id = $1 OR err_activity_id = $1) + "
    "(SELECT count(*) FROM timers_cron WHERE activity_id = $1) + "
    "(SELECT count(*) FROM bulk_actions WHERE activity_id = $1)",
    1,
};

static const struct db_stmt stmt_delete = {
    "api_activity_delete",
    "DELETE FROM activities WHERE id = $1 RETURNING name",
    1,
};

static const struct db_stmt stmt_usage = {
    "api_activity_usage",
    "SELECT coalesce(json_agg(json_build_object('method', method, 'route', route) ORDER BY route), '[]')::text "
    "FROM custom_routes WHERE activity_id = $1 OR err_activity_id = $1",
    1,
};

static const struct db_stmt stmt_definitions = {
    "api_activity_definitions",
    "SELECT a.id, a.name, d.definition FROM activities a JOIN activity_versions v ON v.activity_id = a.id "
    "JOIN definitions d ON d.id = v.definition_id WHERE (v.active OR v.label IS NULL) ORDER BY a.id",
    0,
};

static const struct db_stmt stmt_name = {
    "api_activity_name",
    "SELECT name FROM activities WHERE id = $1",
    1,
};

static const struct db_stmt stmt_stats = {
    "api_activity_stats",
    "WITH runs AS (SELECT id, created_on FROM instances WHERE activity_id = $1), "
    "t AS (SELECT cell_id, min(runtime) AS lo, max(runtime) AS hi, avg(runtime) AS mean "
    "FROM tasks JOIN runs ON tasks.instance_id = runs.id AND tasks.instance_on = runs.created_on GROUP BY cell_id), "
    "f AS (SELECT id, created_on FROM runs ORDER BY created_on, id LIMIT 1), "
    "l AS (SELECT id, created_on FROM runs ORDER BY created_on DESC, id DESC LIMIT 1) "
    "SELECT json_build_object('run_count', (SELECT count(*) FROM runs), "
    "'first_run', (SELECT json_build_object('instance_id', id, 'created_on', " DB_ISO("created_on") ") FROM f), "
    "'last_run', (SELECT json_build_object('instance_id', id, 'created_on', " DB_ISO("created_on") ") FROM l), "
    "'tasks', (SELECT coalesce(json_agg(json_build_object('cell_id', cell_id, 'min_runtime', lo, 'max_runtime', hi, "
    "'avg_runtime', mean, 'min_1', lo, 'max_1', hi, 'avg_1', mean) ORDER BY cell_id), '[]') FROM t))::text",
    1,
};

static const struct db_stmt *const all[] = {&stmt_list,   &stmt_get,   &stmt_insert, &stmt_update,
                                            &stmt_save,   &stmt_users, &stmt_delete, &stmt_usage,
                                            &stmt_definitions, &stmt_name, &stmt_stats};
const struct db_stmts api_activities_stmts = {"api_activities", all, COUNT_OF(all)};

static int duplicate_name(struct str name, struct err *e)
{
    if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "an activity named \"%.*s\" exists", STR_ARG(name));
    return -1;
}

int activities_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

int activity_read(struct api_call *c, int64_t id, struct val *out, struct err *e)
{
    PGresult *res = NULL;
    struct val definition;

    if (db_query_in(c->conn, &stmt_get, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    if (json_parse(db_str(res, 0, 0), out, c->a, e) != 0 ||
        wf_served(db_str(res, 0, 1), &definition, c->a, e) != 0)
        return -1;
    val_dict_set_c(*out, "definition", definition);
    return 0;
}

int activity_get(struct api_call *c, struct err *e)
{
    struct val activity;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 || activity_read(c, id, &activity, e) != 0)
        return -1;
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "activity", activity);
    return 0;
}

static int check_name(struct str name, struct err *e)
{
    if (str_trim(name).len > 0 && utf8_len(name) <= NAME_MAX_CHARS)
        return 0;
    if (str_trim(name).len == 0)
        err_set(e, ERR_INVALID, "name: must not be empty");
    else
        err_set(e, ERR_INVALID, "name: longer than %d characters", NAME_MAX_CHARS);
    return -1;
}

int activity_insert(struct api_call *c, struct str name, struct str description, struct str definition,
                    int64_t *id, struct err *e)
{
    PGresult *res = NULL;

    if (check_name(name, e) != 0)
        return -1;
    if (db_query_in(c->conn, &stmt_insert,
                    DB_ARGS(DB_STR(name), DB_STR_OR_NULL(description), DB_STR(definition),
                            DB_INT(c->user->id)),
                    &res, c->a, e) != 0)
        return duplicate_name(name, e);
    *id = db_int(res, 0, 0);
    api_audit(c, "create", "activities", name);
    return 0;
}

int activities_create(struct api_call *c, struct err *e)
{
    struct definition_check check = {.how = WF_SAVE};
    struct str name, description = STR_NONE;
    int64_t id;

    if (api_body_need(c, "name", NAME_MAX_CHARS, &name, e) != 0 ||
        api_body_text(c, "description", 10000, &description, e) != 0)
        return -1;
    check.definition = val_get(c->body, "definition");
    if (definition_check(c, &check, e) != 0)
        return check.answered ? 0 : -1;
    if (activity_insert(c, name, description, check.text, &id, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    definition_warnings(c, &check);
    return 0;
}

int activity_save_working(struct api_call *c, int64_t id, struct str definition, struct err *e)
{
    return db_exec(c->conn, &stmt_save, DB_ARGS(DB_INT(id), DB_STR(definition), DB_INT(c->user->id)), NULL, e);
}

int activity_put(struct api_call *c, struct err *e)
{
    struct definition_check check = {.how = WF_SAVE};
    struct str name = STR_NONE, description = STR_NONE;
    int64_t id, changed;

    if (api_id(c, 0, "activity", &id, e) != 0 || api_body_text(c, "name", NAME_MAX_CHARS, &name, e) != 0 ||
        api_body_text(c, "description", 10000, &description, e) != 0)
        return -1;
    if (api_body_has(c, "name") && check_name(name, e) != 0)
        return -1;
    check.definition = val_get(c->body, "definition");
    if (!val_is_none(check.definition) && definition_check(c, &check, e) != 0)
        return check.answered ? 0 : -1;
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (db_exec(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR_OR_NULL(name), DB_STR_OR_NULL(description),
                        DB_BOOL(api_body_has(c, "description"))),
                &changed, e) != 0)
        return duplicate_name(name, e);
    if (changed == 0) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    if (check.text.p != NULL && activity_save_working(c, id, check.text, e) != 0)
        return -1;
    if (db_commit(c->conn, e) != 0)
        return -1;
    api_audit(c, "update", "activities", name.len > 0 ? name : c->params[0]);
    api_answer_id(c, "id", id);
    definition_warnings(c, &check);
    return 0;
}

int activity_delete(struct api_call *c, struct err *e)
{
    bool force = str_eq(http_req_param(c->req, "force"), STR("1"));
    PGresult *res = NULL;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 ||
        db_query_in(c->conn, &stmt_users, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    if (db_int(res, 0, 0) > 0 && !force) {
        err_set(e, ERR_CONFLICT,
                "the activity is used by %lld routes, schedules or bulk actions (force=1 deletes it all the same)",
                (long long)db_int(res, 0, 0));
        return -1;
    }
    if (db_query_in(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    api_audit(c, "delete", "activities", db_str(res, 0, 0));
    api_answer_id(c, "id", id);
    return 0;
}

/* Activities whose active or working definition calls the one named `name`. */
static int find_parents(struct api_call *c, struct str name, struct val out, struct err *e)
{
    PGresult *res = NULL;
    int64_t last = 0;

    if (db_query_in(c->conn, &stmt_definitions, DB_NO_ARGS, &res, c->a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        struct val definition, names, parent;

        if (db_int(res, i, 0) == last || json_parse(db_str(res, i, 2), &definition, c->a, e) != 0)
            continue;
        names = wf_referenced(definition, c->a);
        for (size_t k = 0; k < val_count(names); k++) {
            if (!str_eq(val_text(val_at(names, k)), name))
                continue;
            last = db_int(res, i, 0);
            parent = val_dict_new(c->a, 2);
            val_dict_set_c(parent, "id", val_int(last));
            val_dict_set_c(parent, "name", val_str(db_str(res, i, 1)));
            val_list_add(out, parent);
            break;
        }
    }
    return 0;
}

static int activity_name(struct api_call *c, int64_t id, struct str *name, struct err *e)
{
    if (db_text(c->conn, &stmt_name, DB_ARGS(DB_INT(id)), name, c->a, e) == 0)
        return 0;
    if (e->code == ERR_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "no such activity");
    return -1;
}

int activity_usage(struct api_call *c, struct err *e)
{
    struct str name, routes;
    struct val list, parents = val_list_new(c->a, 4);
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 || activity_name(c, id, &name, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_usage, DB_ARGS(DB_INT(id)), &routes, c->a, e) != 0 ||
        json_parse(routes, &list, c->a, e) != 0 || find_parents(c, name, parents, e) != 0)
        return -1;
    c->result = val_dict_new(c->a, 2);
    val_dict_set_c(c->result, "routes", list);
    val_dict_set_c(c->result, "parents", parents);
    return 0;
}

int activity_stats(struct api_call *c, struct err *e)
{
    struct str name;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 || activity_name(c, id, &name, e) != 0)
        return -1;
    return api_answer_query(c, &stmt_stats, DB_ARGS(DB_INT(id)), "activity", e);
}

/* The editor saves, activates, then runs: the snapshot must not be the one of before. */
static int launch_newest(struct api_call *c, struct engine_start *s, int64_t *id, char guid[37], struct err *e)
{
    int rc;

    if (cfg_store_reload(c->api->cfg, e) != 0)
        return -1;
    s->cfg = cfg_get(c->api->cfg);
    rc = engine_launch(c->api->engine, s, id, guid, e);
    cfg_put(s->cfg);
    return rc;
}

int activity_run(struct api_call *c, struct err *e)
{
    struct engine_start s = {.user = c->user, .request = c->body};
    char guid[37];
    int64_t id;

    if (api_id(c, 0, "activity", &s.activity_id, e) != 0)
        return -1;
    if (!val_is(c->body, VAL_DICT)) {
        err_set(e, ERR_INVALID, "request body: expected an object");
        return -1;
    }
    if (launch_newest(c, &s, &id, guid, e) != 0)
        return -1;
    api_answer_id(c, "id", id);
    val_dict_set_c(c->result, "guid", val_str_dup(c->a, str_c(guid)));
    return 0;
}
