/*
 * A gateway's user changes his own password: it is the gateway's to keep (gateway-proxy.md 6.3).
 *
 * He confirms the old one by signing in with it there, and changes it under that very session: what he may do stays the gateway's
 * decision.
 */
#include "api/login_gateway.h"

#include "base/json.h"
#include "gateway/logins.h"
#include "http/url.h"

static const struct db_stmt stmt_changed = {
    "password_gateway_changed", "UPDATE users SET need_password_change = false WHERE id = $1 AND need_password_change", 1};

static const struct db_stmt *const all[] = {&stmt_changed};
const struct db_stmts password_gateway_stmts = {"password_gateway", all, COUNT_OF(all)};

struct str gateway_account_path(struct val ids, int64_t level, struct str username, struct arena *a)
{
    struct str tenant = url_encode(val_get_text(ids, "tenant_id", STR("")), "", a);
    struct str group = url_encode(val_get_text(ids, "group_id", STR("")), "", a);
    struct str user = url_encode(val_get_text(ids, "user_id", username), "@", a);

    if (tenant.len == 0 || (level != GATEWAY_TENANT_ADMIN && group.len == 0))
        return STR_NONE;
    switch (level) {
    case GATEWAY_USER:
        return str_printf(a, "/tenants/%.*s/groups/%.*s/users/%.*s/", STR_ARG(tenant), STR_ARG(group), STR_ARG(user));
    case GATEWAY_GROUP_ADMIN:
        return str_printf(a, "/tenants/%.*s/groups/%.*s/admins/%.*s/", STR_ARG(tenant), STR_ARG(group), STR_ARG(user));
    case GATEWAY_TENANT_ADMIN:
        return str_printf(a, "/tenants/%.*s/admins/%.*s/", STR_ARG(tenant), STR_ARG(user));
    default:
        return STR_NONE;
    }
}

/* What the gateway says about a refusal, when it says something short. */
static struct str reason_of(struct str body, struct arena *a)
{
    struct err ignored = {0};
    struct val v;

    if (json_parse(body, &v, a, &ignored) != 0)
        return STR("");
    return str_slice(val_get_text(val_at(val_get(v, "errors"), 0), "message", val_get_text(v, "details", STR(""))), 0, 200);
}

int gateway_password_answer(const struct cfg_gateway *g, const struct http_result *res, struct arena *a, struct err *e)
{
    struct str why;

    if (res->status >= 200 && res->status <= 299 && res->status != 207)
        return 0;
    why = reason_of(res->body, a);
    err_set(e, res->status >= 500 ? ERR_UPSTREAM : ERR_INVALID, "password: gateway %.*s answered %d%s%.*s", STR_ARG(g->name),
            res->status, why.len > 0 ? ": " : "", STR_ARG(why));
    return -1;
}

int gateway_password_changed(struct api_call *c, int64_t user_id, struct err *e)
{
    return db_exec(c->conn, &stmt_changed, DB_ARGS(DB_INT(user_id)), NULL, e);
}

static int put_password(struct api_call *c, const struct cfg_gateway *g, const struct gw_user_login *l, struct str password,
                        struct err *e)
{
    struct str path = gateway_account_path(val_get(l->auth, "ids"), val_get_int(val_get(l->auth, "profile"), "user_level", -1),
                                           c->user->username, c->a);
    struct http_header headers[] = {{STR("Cookie"), l->cookies}, {STR("Content-Type"), STR("application/json")}};
    struct val body = val_dict_new(c->a, 1);
    struct http_result res;
    struct http_call call;

    if (path.p == NULL) {
        err_set(e, ERR_INVALID, "password: this account changes it on gateway %.*s itself", STR_ARG(g->name));
        return -1;
    }
    call = gw_own_call(g, "PUT", str_printf(c->a, "%.*s%.*s%.*s", STR_ARG(l->url), STR_ARG(g->api_root), STR_ARG(path)));
    val_dict_set_c(body, "password", val_str(password));
    call.body = json_text(body, c->a);
    call.headers = headers;
    call.n_headers = COUNT_OF(headers);
    if (http_client_do(c->api->clients, &call, &res, c->a, e) != 0) {
        err_context(e, "gateway %.*s", STR_ARG(g->name));
        return -1;
    }
    return gateway_password_answer(g, &res, c->a, e);
}

/* On the gateway: confirm, change, and a session that goes on after it. */
static int change_there(struct api_call *c, const struct cfg_gateway *g, struct str old, struct str password,
                        struct gw_user_login *session, struct err *e)
{
    struct gw_sessions *s = engine_sessions(c->api->engine);
    int64_t now_us = clock_wall_us(c->api->clock);
    struct gw_user_login fresh;
    struct err ignored = {0};
    bool refused;

    if (gw_user_login(c->api->clients, s, g, c->user->username, old, now_us, session, &refused, c->a, e) != 0) {
        if (refused)
            err_set(e, ERR_INVALID, "old_password: wrong password");
        return -1;
    }
    if (put_password(c, g, session, password, e) != 0) {
        (void)gw_user_logout(c->api->clients, g, session->url, session->cookies);
        return -1;
    }
    /* sessions from before may have ended with the old password */
    if (gw_user_login(c->api->clients, s, g, c->user->username, password, now_us, &fresh, &refused, c->a, &ignored) == 0) {
        (void)gw_user_logout(c->api->clients, g, session->url, session->cookies);
        *session = fresh;
    }
    return 0;
}

int password_by_gateway(struct api_call *c, struct str old, struct str password, struct err *e)
{
    struct str family = auth_family(c->user);
    int64_t now_us = clock_wall_us(c->api->clock);
    const struct cfg_gateway *g;
    struct gw_login_rows replaced;
    struct gw_user_login session;
    struct gw_login_row row;
    int rc;

    if (!gw_entry_own_login(c->cfg, c->user->identity_provider))
        return 0;
    if (family.len == 0 || gw_store_use(c->conn, c->cfg, family, now_us, &row, c->a, e) != 0 ||
        gw_store_of_user(c->conn, c->cfg, c->user->id, STR(""), &replaced, c->a, e) != 0 || (g = cfg_gateway(c->cfg, row.gateway)) == NULL)
        return gw_logins_over(e);
    db_put(c->api->db, c->conn); /* not held while the gateway thinks */
    c->conn = NULL;
    rc = change_there(c, g, old, password, &session, e);
    if (db_get(c->api->db, &c->conn, e) != 0 || rc != 0)
        return -1;
    if (gateway_password_changed(c, c->user->id, e) != 0 ||
        gw_user_login_store(c->conn, c->cfg, c->user->id, family, &session, now_us, c->a, e) != 0 ||
        auth_end_others(c->api->auth, c->conn, c->user->id, family, e) != 0)
        return -1;
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    gw_logins_given_up(c->api->clients, c->cfg, &replaced);
    return db_get(c->api->db, &c->conn, e) == 0 ? 1 : -1;
}
