/*
 * Forgotten passwords (http-api.md 5.1): asking for a link, and setting a new password by it.
 *
 * The password of a person whom a gateway knows is set there (reset_gateway.c); who asked cannot tell the two apart.
 *
 * The link travels through the workflow `gui.reset_password_request_workflow`, which gets username,
 * token and email.  Without one nothing can be sent, so nothing is begun; the answer is the same in
 * all cases, so that nobody learns which users exist.
 */
#include "api/login_gateway.h"
#include "api/platform_workflow.h"
#include "api/user_view.h"
#include "base/log.h"

/* Whose link it is; read before the token is used up. */
static const struct db_stmt stmt_username = {
    "api_reset_username",
    "SELECT u.username FROM one_time_tokens t JOIN users u ON u.id = t.user_id "
    "WHERE t.digest = sha256(convert_to($1, 'UTF8'))",
    1,
};

static const struct db_stmt *const all[] = {&stmt_username};
const struct db_stmts api_reset_stmts = {"api_reset", all, COUNT_OF(all)};

/* Hand the link to the workflow; only its own failure is one. */
static int notify(struct api_call *c, const struct auth_reset *r, int64_t activity_id,
                  struct err *e)
{
    struct val request = val_dict_new(c->a, 3);
    char guid[37];
    int64_t id;
    const struct engine_start s = {
        .cfg = c->cfg, .activity_id = activity_id, .request = request, .label = STR("")};

    val_dict_set_c(request, "username", val_str(r->username));
    val_dict_set_c(request, "token", val_str(r->token));
    val_dict_set_c(request, "email", val_str(r->email));
    return engine_launch(c->api->engine, &s, &id, guid, e);
}

/* A password of ours. */
static int begin_here(struct api_call *c, struct str username, int64_t activity_id, bool *begun, struct err *e)
{
    struct auth_reset r;

    if (db_begin(c->conn, e) != 0)
        return -1;
    if (auth_reset_begin(c->api->auth, c->conn, username, &r, c->a, e) != 0 ||
        (r.username.p != NULL && notify(c, &r, activity_id, e) != 0) ||
        db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    *begun = r.username.p != NULL;
    return 0;
}

static int begin(struct api_call *c, struct str username, struct str proxy, int64_t activity_id, struct err *e)
{
    struct auth_reset r;
    bool begun;

    if (begin_here(c, username, activity_id, &begun, e) != 0)
        return -1;
    if (begun)
        return 0;
    if (reset_gateway_begin(c, username, proxy, &r, e) != 0)
        return -1;
    return r.username.p != NULL ? notify(c, &r, activity_id, e) : 0;
}

int reset_password_post(struct api_call *c, struct err *e)
{
    struct str name = cfg_text(c->cfg, "gui.reset_password_request_workflow");
    const struct cfg_activity *activity = cfg_activity_named(c->cfg, name);
    struct str username, proxy = STR("");

    if (api_body_only(c, "username,proxy,ui_id,ui_language", e) != 0 ||
        api_body_need(c, "username", 255, &username, e) != 0 || api_body_text(c, "proxy", 70, &proxy, e) != 0)
        return -1;
    c->result = val_dict_new(c->a, 0);
    if (activity == NULL) {
        log_warn("auth.reset", "why=\"no workflow for reset links\" workflow=" LOG_Q,
                 str_cstr(c->a, name));
        return 0;
    }
    if (begin(c, username, proxy, activity->id, e) != 0) {
        log_err(LOG_ERROR_LEVEL, "auth.reset", e);
        err_clear(e);
    }
    return 0;
}

static int finish_here(struct api_call *c, struct str password, struct str *username, struct err *e)
{
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_username, DB_ARGS(DB_STR(c->params[0])), username, c->a, e) != 0 &&
        e->code != ERR_NOT_FOUND)
        return -1;
    if (auth_reset_finish(c->api->auth, c->cfg, c->conn, c->params[0], password, e) != 0 ||
        db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    return 0;
}

int reset_password_put(struct api_call *c, struct err *e)
{
    struct str password, username = STR("");
    struct val elsewhere;
    int rc;

    if (api_body_need(c, "password", 200, &password, e) != 0)
        return -1;
    rc = auth_reset_check(c->api->auth, c->conn, c->params[0], &elsewhere, c->a, e);
    if (rc == 0 && val_count(elsewhere) > 0) {
        username = val_get_text(elsewhere, "username", STR(""));
        rc = reset_gateway_finish(c, elsewhere, password, e);
    } else if (rc == 0) {
        rc = finish_here(c, password, &username, e);
    }
    if (rc != 0) {
        if (e->code == ERR_FORBIDDEN)
            e->code = ERR_INVALID; /* the form knows 200, 400 and 500 */
        return -1;
    }
    user_told(c);
    platform_password_changed(c, "gui.reset_password_workflow", username, password);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

/* The rules of ours and, where a gateway keeps the password, those of the gateway. */
int reset_rules_get(struct api_call *c, struct err *e)
{
    struct val elsewhere, idp;

    if (auth_reset_check(c->api->auth, c->conn, c->params[0], &elsewhere, c->a, e) != 0 ||
        auth_password_rules_get(c, e) != 0)
        return -1;
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    idp = reset_gateway_rules(c, elsewhere);
    val_dict_set_c(c->result, "idp", idp);
    val_dict_set_c(val_get(c->result, "rules"), "idp", idp);
    return 0;
}
