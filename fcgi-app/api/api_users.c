/*
 * Accounts, for administrators (http-api.md 5.4).
 *
 * Who is not a system user himself may neither make system users nor touch them: the right to
 * manage accounts is not the right to become anybody.
 */
#include "api/search.h"
#include "api/platform_workflow.h"
#include "api/user_view.h"
#include "base/json.h"
#include "gateway/logins.h"

static const struct db_stmt stmt_target = {
    "api_user_target", "SELECT username, is_system, entity IS NOT NULL FROM users WHERE id = $1",
    1};
static const struct db_stmt stmt_delete = {"api_user_delete", "DELETE FROM users WHERE id = $1", 1};
static const struct db_stmt stmt_role_add = {
    "api_user_role_add",
    "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2};
static const struct db_stmt stmt_role_remove = {
    "api_user_role_remove", "DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2", 2};
static const struct db_stmt stmt_ip_add = {"api_user_ip_add",
                                           "INSERT INTO user_ip_limits (user_id, ip) VALUES ($1, "
                                           "network($2::inet)) ON CONFLICT (user_id, ip) "
                                           "DO UPDATE SET ip = EXCLUDED.ip RETURNING id",
                                           2};
static const struct db_stmt stmt_ip_remove = {
    "api_user_ip_remove", "DELETE FROM user_ip_limits WHERE user_id = $1 AND id = $2", 2};
static const struct db_stmt stmt_passkey_remove = {
    "api_user_passkey_remove", "DELETE FROM passkeys WHERE user_id = $1 AND id = $2", 2};
static const struct db_stmt stmt_loc_remove = {
    "api_user_loc_remove", "DELETE FROM trusted_locations WHERE user_id = $1 AND ip = $2::inet", 2};

/* People who can do everything, and log in; held, so that of two who stop being one the second sees the first. */
static const struct db_stmt stmt_system = {
    "api_user_system",
    "SELECT id FROM users WHERE is_system AND status = 'ACTIVE' AND entity IS NULL "
    "AND (NOT password_disabled OR NOT local_user OR token_hash IS NOT NULL) ORDER BY id FOR NO KEY UPDATE",
    0};

static const struct db_stmt *const all[] = {
    &stmt_system, &stmt_target, &stmt_delete,    &stmt_role_add,       &stmt_role_remove,
    &stmt_ip_add, &stmt_ip_remove, &stmt_passkey_remove, &stmt_loc_remove,
};
const struct db_stmts api_users_stmts = {"api_users", all, COUNT_OF(all)};

enum { ADMIN_ATTEMPTS = 15 };

#define STATUS "CASE u.status WHEN 'INACTIVE' THEN 'INATIVE' ELSE u.status END"

static const struct search_field fields[] = {
    {NULL, "id", "u.id", 'i', NULL},
    {NULL, "username", "u.username", 't', NULL},
    {NULL, "email", "coalesce(u.email, '')", 't', NULL},
    {NULL, "first_name", "u.first_name", 't', NULL},
    {NULL, "last_name", "u.last_name", 't', NULL},
    {NULL, "mobile_number", "u.mobile_number", 't', NULL},
    {NULL, "status", STATUS, 't', NULL},
    {NULL, "is_system", "u.is_system", 'b', NULL},
    {NULL, "language", "u.language", 't', NULL},
    {NULL, "ui_profile", "u.ui_profile", 't', NULL},
    {NULL, "created_on", "u.created_on", 'z', NULL},
    {NULL, "updated_on", "u.updated_on", 'z', NULL},
    {NULL, "last_use", "u.last_use", 'z', NULL},
};

static const struct search_spec spec =
    {
        .model = "users",
        .collection = "users",
        .select = "json_build_object('id', u.id, 'username', u.username, 'email', "
                  "coalesce(u.email, ''), 'first_name', "
                  "coalesce(u.first_name, ''), 'last_name', coalesce(u.last_name, ''), "
                  "'mobile_number', "
                  "coalesce(u.mobile_number, ''), 'status', " STATUS
                  ", 'is_system', u.is_system, 'language', u.language, "
                  "'ui_profile', coalesce(u.ui_profile, ''), 'created_on', " DB_ISO(
                      "u.created_on") ", 'updated_on', " DB_ISO("u.updated_on") ", "
                                                                                "'last_use',"
                                                                                " " DB_ISO("u.last_"
                                                                                           "use") ")",
        .from = "users u",
        .count_from = "users u",
        .where = "true",
        .order = "lower(u.username), u.id",
        .tie = "u.id",
        .fields = fields,
        .n_fields = COUNT_OF(fields),
        .skip_empty = true,
};

struct target {
    int64_t id;
    struct str username;
    bool is_system;
};

/* The user a path names, if the caller may touch him. */
static int read_target(struct api_call *c, struct target *t, struct err *e)
{
    PGresult *res = NULL;

    if (api_id(c, 0, "user", &t->id, e) != 0 ||
        db_query_in(c->conn, &stmt_target, DB_ARGS(DB_INT(t->id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    t->username = db_str(res, 0, 0);
    t->is_system = db_bool(res, 0, 1);
    if (t->is_system && !c->user->is_system) {
        err_set(e, ERR_FORBIDDEN, "only a system user may change a system user");
        return -1;
    }
    return 0;
}

static int count_system(struct api_call *c, int *n, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_system, DB_NO_ARGS, &res, c->a, e) != 0)
        return -1;
    *n = PQntuples(res);
    return 0;
}

/*
 * Around a change of `t`, in one transaction: a platform on which nobody can do everything any more is repaired from its machine only.
 * *n is 0 where nothing needs to be looked at.
 */
static int before_change(struct api_call *c, const struct target *t, int *n, struct err *e)
{
    *n = 0;
    return t->is_system ? count_system(c, n, e) : 0;
}

static int after_change(struct api_call *c, const struct target *t, int before, struct err *e)
{
    int n = before;

    if (before == 0 || (count_system(c, &n, e) == 0 && n > 0))
        return 0;
    if (n == 0)
        err_set(e, ERR_CONFLICT, "\"%.*s\" is the only system user who can log in: make another one first", STR_ARG(t->username));
    return -1;
}

static int may_grant_system(const struct api_call *c, struct err *e)
{
    struct val v = val_get(c->body, "is_system");

    if (c->user->is_system || !val_is(v, VAL_BOOL) || !v.u.b)
        return 0;
    err_set(e, ERR_FORBIDDEN, "is_system: only a system user may grant it");
    return -1;
}

static void done(struct api_call *c, const char *operation, struct str username)
{
    api_audit(c, operation, "User", username);
    user_told(c);
}

int users_list(struct api_call *c, struct err *e)
{
    struct search s;

    return search_read(c, &spec, NULL, NULL, &s, e) != 0 ? -1 : search_answer(c, &s, e);
}

int user_get(struct api_call *c, struct err *e)
{
    int64_t id;

    return api_id(c, 0, "user", &id, e) != 0
               ? -1
               : user_view(c, id, ADMIN_ATTEMPTS, false, &c->result, e);
}

/* Constraint violations in words. */
static int refused(struct str username, struct err *e)
{
    if (e->code == ERR_CONFLICT && strstr(e->detail, "23503") != NULL)
        err_set(e, ERR_INVALID, "profile_id: no such profile");
    else if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "a user named \"%.*s\" exists", STR_ARG(username));
    return -1;
}

static int insert(struct api_call *c, struct str username, struct str password, int64_t *id,
                  struct err *e)
{
    struct user_sets s = {0};
    PGresult *res = NULL;
    bool must_change = false;

    if (user_sets_read(c, USER_NEW, &s, e) != 0 ||
        api_body_bool(c, "need_password_change", &must_change, e) != 0)
        return -1;
    if (db_query_sql(c->conn,
                     str_printf(c->a, "INSERT INTO users (%s) VALUES (%s) RETURNING id",
                                buf_cstr(&s.columns), buf_cstr(&s.values))
                         .p,
                     s.args, s.n, &res, c->a, e) != 0)
        return refused(username, e);
    *id = db_int(res, 0, 0);
    if (password.len > 0 &&
        auth_password_set(c->api->auth, c->conn, *id, password, must_change, e) != 0)
        return -1;
    return user_token_write(c, *id, e);
}

int users_create(struct api_call *c, struct err *e)
{
    struct str username;
    struct str email;
    struct str password = STR("");
    int64_t id;

    if (api_body_need(c, "username", 255, &username, e) != 0 ||
        api_body_need(c, "email", 255, &email, e) != 0 ||
        api_body_text(c, "password", 200, &password, e) != 0 || may_grant_system(c, e) != 0)
        return -1;
    if (password.len > 0 &&
        auth_password_check_user(c->cfg, c->conn, 0, username, password, e) != 0)
        return -1;
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (insert(c, username, password, &id, e) != 0 || db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    done(c, "create", username);
    api_answer_id(c, "id", id);
    return 0;
}

/* Second factors are asked for by nobody: only "none" may be stored. */
static int check_two_fa(const struct api_call *c, struct err *e)
{
    struct str two_fa = STR("none");

    if (api_body_text(c, "two_fa_option", 10, &two_fa, e) != 0)
        return -1;
    if (two_fa.len == 0 || str_eq_c(two_fa, "none"))
        return 0;
    err_set(e, ERR_INVALID, "two_fa_option: second factors are not available on this platform");
    return -1;
}

static int update(struct api_call *c, const struct target *t, struct str password, struct err *e)
{
    struct user_sets s = {.n = 1};
    bool must_change = false;

    s.args[0] = DB_INT(t->id);
    if (user_sets_read(c, USER_ADMIN, &s, e) != 0 ||
        api_body_bool(c, "need_password_change", &must_change, e) != 0)
        return -1;
    if (password.len > 0 &&
        auth_password_set(c->api->auth, c->conn, t->id, password, must_change, e) != 0)
        return -1;
    if (user_sets_store(c, &s, e) != 0)
        return refused(val_get_text(c->body, "username", t->username), e);
    return user_token_write(c, t->id, e);
}

int user_put(struct api_call *c, struct err *e)
{
    struct str password = STR("");
    struct target t;
    int before;

    if (read_target(c, &t, e) != 0 || may_grant_system(c, e) != 0 || check_two_fa(c, e) != 0 ||
        api_body_text(c, "password", 200, &password, e) != 0)
        return -1;
    if (password.len > 0 &&
        auth_password_check_user(c->cfg, c->conn, t.id,
                                 val_get_text(c->body, "username", t.username), password, e) != 0)
        return -1;
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (before_change(c, &t, &before, e) != 0 || update(c, &t, password, e) != 0 || after_change(c, &t, before, e) != 0 ||
        db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    done(c, "update", t.username);
    platform_password_changed(c, "gui.change_password_workflow",
                              val_get_text(c->body, "username", t.username), password);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

/* His sessions on gateways went with the log-ins: the gateways hear of it, with nothing held meanwhile. */
static void sessions_over(struct api_call *c, const struct gw_login_rows *sessions)
{
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    gw_logins_given_up(c->api->clients, c->cfg, sessions);
}

int user_delete(struct api_call *c, struct err *e)
{
    struct gw_login_rows sessions;
    struct target t;
    int before;

    if (read_target(c, &t, e) != 0 || gw_store_of_user(c->conn, c->cfg, t.id, STR(""), &sessions, c->a, e) != 0)
        return -1;
    if (t.id == c->user->id) {
        err_set(e, ERR_CONFLICT, "you cannot delete your own account");
        return -1;
    }
    if (db_begin(c->conn, e) != 0 || before_change(c, &t, &before, e) != 0 ||
        db_exec(c->conn, &stmt_delete, DB_ARGS(DB_INT(t.id)), NULL, e) != 0 || after_change(c, &t, before, e) != 0 ||
        db_commit(c->conn, e) != 0)
        return -1;
    done(c, "delete", t.username);
    sessions_over(c, &sessions);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int user_revoke(struct api_call *c, struct err *e)
{
    struct gw_login_rows sessions;
    struct target t;
    int before;

    if (read_target(c, &t, e) != 0 || gw_store_of_user(c->conn, c->cfg, t.id, STR(""), &sessions, c->a, e) != 0 ||
        db_begin(c->conn, e) != 0 || before_change(c, &t, &before, e) != 0 || auth_revoke(c->api->auth, c->conn, t.id, e) != 0 ||
        after_change(c, &t, before, e) != 0 || db_commit(c->conn, e) != 0)
        return -1;
    auth_forget(c->api->auth); /* what was looked up before this was committed */
    done(c, "update", t.username);
    sessions_over(c, &sessions);
    c->status = 204;
    c->text = STR("");
    return 0;
}

int user_unrevoke(struct api_call *c, struct err *e)
{
    struct target t;

    if (read_target(c, &t, e) != 0)
        return -1;
    if (t.id == c->user->id) {
        err_set(e, ERR_FORBIDDEN, "you cannot restore your own account");
        return -1;
    }
    if (auth_unrevoke(c->api->auth, c->cfg, c->conn, t.id, e) != 0)
        return -1;
    done(c, "update", t.username);
    c->status = 204;
    c->text = STR("");
    return 0;
}

/* ---- what hangs on a user
 * ------------------------------------------------------------------------ */

/* Remove the row {id} of a table of the user's; `what` for the message. */
static int remove_part(struct api_call *c, const struct db_stmt *s, const char *what, struct err *e)
{
    struct target t;
    int64_t id;
    int64_t n = 0;

    if (read_target(c, &t, e) != 0 || api_id(c, 1, what, &id, e) != 0 ||
        db_exec(c->conn, s, DB_ARGS(DB_INT(t.id), DB_INT(id)), &n, e) != 0)
        return -1;
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such %s", what);
        return -1;
    }
    done(c, "update", t.username);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int user_role_add(struct api_call *c, struct err *e)
{
    struct target t;
    int64_t id;

    if (read_target(c, &t, e) != 0 || api_id(c, 1, "role", &id, e) != 0)
        return -1;
    if (db_exec(c->conn, &stmt_role_add, DB_ARGS(DB_INT(t.id), DB_INT(id)), NULL, e) != 0) {
        if (e->code == ERR_CONFLICT)
            err_set(e, ERR_NOT_FOUND, "no such role");
        return -1;
    }
    done(c, "update", t.username);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int user_role_remove(struct api_call *c, struct err *e)
{
    return remove_part(c, &stmt_role_remove, "role", e);
}

int user_ip_remove(struct api_call *c, struct err *e)
{
    return remove_part(c, &stmt_ip_remove, "address", e);
}

int user_passkey_remove(struct api_call *c, struct err *e)
{
    return remove_part(c, &stmt_passkey_remove, "passkey", e);
}

int user_ip_add(struct api_call *c, struct err *e)
{
    PGresult *res = NULL;
    struct target t;
    struct str ip;

    if (read_target(c, &t, e) != 0 || api_body_need(c, "ip", 50, &ip, e) != 0)
        return -1;
    if (db_query_in(c->conn, &stmt_ip_add, DB_ARGS(DB_INT(t.id), DB_STR(str_trim(ip))), &res, c->a,
                    e) != 0) {
        if (e->code == ERR_INVALID)
            err_set(e, ERR_INVALID, "ip: expected an address or a network such as 10.0.0.0/8");
        return -1;
    }
    done(c, "update", t.username);
    api_answer_id(c, "id", db_int(res, 0, 0));
    return 0;
}

/* Addresses of one's own need no right; the path may hold "/32" behind the address. */
int user_loc_remove(struct api_call *c, struct err *e)
{
    struct str ip = c->params[1];
    int64_t id;
    int64_t n = 0;

    if (api_id(c, 0, "user", &id, e) != 0 ||
        (id != c->user->id && api_allowed(c->user, "settings.users", e) != 0))
        return -1;
    if (c->params[2].p != NULL)
        ip = str_printf(c->a, "%.*s/%.*s", STR_ARG(ip), STR_ARG(c->params[2]));
    if (db_exec(c->conn, &stmt_loc_remove, DB_ARGS(DB_INT(id), DB_STR(ip)), &n, e) != 0 &&
        e->code != ERR_INVALID)
        return -1;
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such location");
        return -1;
    }
    c->result = val_dict_new(c->a, 0);
    return 0;
}
