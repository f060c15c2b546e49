/*
 * The signed-in user himself (http-api.md 5.3).
 */
#include "api/login_gateway.h"
#include "api/platform_workflow.h"
#include "api/user_view.h"
#include "base/json.h"

static const struct db_stmt stmt_manual_actions = {
    "api_me_manual_actions",
    "WITH m AS (SELECT m.id, m.instance_id, m.instance_guid, m.description, m.possible_outputs, "
    "m.created_on, m.user_id, "
    "r.name AS role FROM manual_actions m LEFT JOIN roles r ON r.id = m.role_id "
    "WHERE (m.output IS NULL OR NOT $2) AND (m.user_id = $1 "
    "OR m.role_id IN (SELECT role_id FROM user_roles WHERE user_id = $1)) ORDER BY m.id DESC LIMIT "
    "1000), "
    "j AS (SELECT user_id, role, id, json_build_object('id', id, 'instance_id', instance_id, "
    "'instance_guid', instance_guid, "
    "'description', description, 'possible_outputs', possible_outputs, 'created_on', " DB_ISO(
        "created_on") ") AS o FROM m) "
                      "SELECT json_build_object('manual_actions_per_role', (SELECT "
                      "coalesce(json_object_agg(role, l), '{}') FROM "
                      "(SELECT role, json_agg(o ORDER BY id DESC) AS l FROM j WHERE role IS NOT "
                      "NULL GROUP BY role) x), "
                      "'manual_actions', (SELECT coalesce(json_agg(o ORDER BY id DESC), '[]') FROM "
                      "j WHERE user_id = $1 AND role IS NULL))::text",
    2,
};

static const struct db_stmt *const all[] = {&stmt_manual_actions};
const struct db_stmts api_me_stmts = {"api_me", all, COUNT_OF(all)};

enum { OWN_ATTEMPTS = 5 };

int me_get(struct api_call *c, struct err *e)
{
    return user_view(c, c->user->id, OWN_ATTEMPTS, true, &c->result, e);
}

int me_manual_actions(struct api_call *c, struct err *e)
{
    struct str pending = http_req_param(c->req, "pending");
    bool only_open = pending.p == NULL || !str_eq_c(pending, "0");

    return api_answer_query(c, &stmt_manual_actions,
                            DB_ARGS(DB_INT(c->user->id), DB_BOOL(only_open)), "user", e);
}

/* The old password must be given: a stolen token alone must not take the account over. */
static int change_password(struct api_call *c, struct err *e)
{
    struct str password;
    struct str old;
    int rc;

    if (api_body_need(c, "password", 200, &password, e) != 0 ||
        api_body_need(c, "old_password", 200, &old, e) != 0)
        return -1;
    rc = password_by_gateway(c, old, password, e);
    if (rc != 0)
        return rc > 0 ? 0 : -1;
    if (auth_password_confirm(c->api->auth, c->cfg, c->conn, c->user->id, old, e) != 0) {
        err_context(e, "old_password");
        return -1;
    }
    if (str_eq(old, password)) {
        err_set(e, ERR_INVALID, "password: must differ from the old one");
        return -1;
    }
    if (auth_password_check_user(c->cfg, c->conn, c->user->id, c->user->username, password, e) != 0)
        return -1;
    return auth_password_change(c->api->auth, c->conn, c->user->id, password, auth_family(c->user),
                                e);
}

static int write_members(struct api_call *c, struct err *e)
{
    struct user_sets s = {.n = 1};

    s.args[0] = DB_INT(c->user->id);
    if (user_sets_read(c, USER_SELF, &s, e) != 0 || user_sets_store(c, &s, e) != 0)
        return -1;
    return user_token_write(c, c->user->id, e);
}

int me_put(struct api_call *c, struct err *e)
{
    struct str two_fa = STR("none");

    if (api_body_text(c, "two_fa_option", 10, &two_fa, e) != 0)
        return -1;
    if (!str_eq_c(two_fa, "none") && two_fa.len > 0) {
        err_set(e, ERR_INVALID, "two_fa_option: second factors are not available on this platform");
        return -1;
    }
    if (!val_is_none(val_get(c->body, "password")) && change_password(c, e) != 0)
        return -1;
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (write_members(c, e) != 0 || db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    user_told(c);
    platform_password_changed(c, "gui.change_password_workflow", c->user->username,
                              val_get_text(c->body, "password", STR("")));
    c->result = val_dict_new(c->a, 0);
    return 0;
}
