/*
 * Signing in on a gateway: relaying credentials, rules on the answer, the account that stands for the user here.
 *
 * A local account always wins over one of the same name on a gateway: a gateway's administrator must not become ours by
 * choosing a name.
 */
#include "api/login_gateway.h"

#include <arpa/inet.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/logins.h"

static const struct db_stmt stmt_find = {
    "login_gateway_find",
    "SELECT id, local_user, need_password_change, properties, identity_provider, is_system FROM users "
    "WHERE lower(username) = lower($1)",
    1};

static const struct db_stmt stmt_make = {
    "login_gateway_make",
    "INSERT INTO users (username, local_user, identity_provider, profile_id, ui_profile, need_password_change, properties) "
    "VALUES ($1, false, $2, $3, $4, $5, $6::json) ON CONFLICT DO NOTHING",
    6};

static const struct db_stmt stmt_refresh = {
    "login_gateway_refresh",
    "UPDATE users SET need_password_change = $2, properties = $3::json, identity_provider = $4, updated_on = now() "
    "WHERE id = $1 AND NOT local_user",
    4};

static const struct db_stmt *const all[] = {&stmt_find, &stmt_make, &stmt_refresh};
const struct db_stmts login_gateway_stmts = {"login_gateway", all, COUNT_OF(all)};

/* One attempt. */
struct attempt {
    struct api_call *c;
    struct str username, password;
    struct gw_entry entry;
    struct gw_user_login login;
    int64_t user_id; /* 0: not known here */
    bool local, is_system;
    bool need_change;
    struct str provider;
    struct val properties;
};

static int turned_away(struct attempt *t, const char *reason, struct err *e)
{
    struct http_req *r = t->c->req;

    return auth_login_turned_away(t->c->api->auth, t->username, r->remote_addr, http_req_header(r, "user-agent"), reason, e);
}

static int find_user(struct attempt *t, struct db_conn *conn, struct err *e)
{
    PGresult *res = NULL;

    t->properties = val_dict_new(t->c->a, 0);
    if (db_query_in(conn, &stmt_find, DB_ARGS(DB_STR(t->username)), &res, t->c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    t->user_id = db_int(res, 0, 0);
    t->local = db_bool(res, 0, 1);
    t->need_change = db_bool(res, 0, 2);
    t->provider = db_str(res, 0, 4);
    t->is_system = db_bool(res, 0, 5);
    return json_parse_copy(db_str(res, 0, 3), &t->properties, t->c->a, e);
}

/* ---- the gateway ------------------------------------------------------------------------------------ */

/* The first gateway that accepts; one that is away does not hide that another refused. */
static int relay(struct attempt *t, struct err *e)
{
    struct api *api = t->c->api;
    int64_t now_us = clock_wall_us(api->clock);
    bool any_refused = false;

    for (size_t i = 0; i < t->entry.n_gateways; i++) {
        bool refused;

        if (gw_user_login(api->clients, engine_sessions(api->engine), t->entry.gateways[i], t->username, t->password, now_us,
                          &t->login, &refused, t->c->a, e) == 0)
            return 0;
        any_refused |= refused;
    }
    return any_refused ? turned_away(t, "refused by the gateway", e) : -1;
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

static bool ip_private(struct str ip, struct arena *a)
{
    static const struct {
        uint32_t net, mask;
    } nets[] = {{0x0a000000, 0xff000000}, {0xac100000, 0xfff00000}, {0xc0a80000, 0xffff0000},
                {0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000}};
    unsigned char six[16];
    struct in_addr four;
    uint32_t host;

    if (inet_pton(AF_INET, str_cstr(a, ip), &four) == 1) {
        host = ntohl(four.s_addr);
        for (size_t i = 0; i < COUNT_OF(nets); i++)
            if ((host & nets[i].mask) == nets[i].net)
                return true;
        return false;
    }
    if (str_starts(ip, STR("::ffff:")) && str_find_char(ip, '.') > 0)
        return ip_private(str_slice(ip, 7, ip.len), a);
    if (inet_pton(AF_INET6, str_cstr(a, ip), six) != 1)
        return str_starts(ip, STR("unix:"));
    return (six[0] & 0xfe) == 0xfc || (six[0] == 0xfe && (six[1] & 0xc0) == 0x80) || str_eq_c(ip, "::1");
}

static struct val rule_vars(struct attempt *t)
{
    struct arena *a = t->c->a;
    struct str ip = t->c->req->remote_addr;
    struct val vars = val_dict_new(a, 6), level = val_get(val_get(t->login.auth, "profile"), "user_level");

    val_dict_set_c(vars, "auth", t->login.auth);
    val_dict_set_c(vars, "client_ip", val_str(ip));
    val_dict_set_c(vars, "is_client_ip_private", val_bool(ip_private(ip, a)));
    val_dict_set_c(vars, "is_system", val_bool(t->is_system || (val_is(level, VAL_INT) && val_eq(level, val_int(16)))));
    val_dict_set_c(vars, "qs", val_dict_new(a, 0));
    return vars;
}

/* A rule that cannot be read or evaluated does not hold. */
static bool holds(struct attempt *t, struct str rule, struct val vars)
{
    struct tmpl_run run = {.vars = vars, .clock = t->c->api->clock};
    struct tmpl *compiled = NULL;
    struct val v = val_bool(false);
    struct err e = {0};
    bool ok;

    ok = tmpl_cache_expr(t->c->api->templates, rule, &compiled, &e) == 0 && tmpl_eval(compiled, &run, &v, t->c->a, &e) == 0;
    if (compiled != NULL)
        tmpl_unref(compiled);
    if (!ok)
        log_err(LOG_WARN_LEVEL, "auth.rule", &e);
    return ok && val_truth(v);
}

static bool extra_rules_hold(struct attempt *t, struct val vars)
{
    struct val rules = val_get(t->entry.entry, "extra_auth_rules");

    for (size_t i = 0; val_is(rules, VAL_LIST) && i < val_count(rules); i++) {
        struct str rule = str_trim(val_text(val_at(rules, i)));

        if (rule.len > 0 && !holds(t, rule, vars))
            return false;
    }
    return true;
}

/* ---- the account ---------------------------------------------------------------------------------------- */

/* What the gateway says about the user, over what is there; preset searches use these two. */
static struct val new_properties(struct attempt *t)
{
    static const char *const names[][2] = {{"tenant_id", "bsft_tenant_id"}, {"group_id", "bsft_group_id"}};
    struct val ids = val_get(t->login.auth, "ids"), out = val_dict_new(t->c->a, 8), key, value;

    for (size_t i = 0; val_is(t->properties, VAL_DICT) && i < val_count(t->properties); i++)
        if (val_pair_at(t->properties, i, &key, &value))
            val_dict_set(out, key, value);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct str id = val_get_text(ids, names[i][0], STR(""));

        if (id.len > 0)
            val_dict_set_c(out, names[i][1], val_str(id));
        else
            val_dict_del(out, val_str_c(names[i][1]));
    }
    return out;
}

static bool first_login(const struct attempt *t)
{
    return val_get_bool(val_get(t->login.auth, "profile"), "is_first_login", false);
}

static int refresh_user(struct attempt *t, struct db_conn *conn, struct err *e)
{
    struct val properties = new_properties(t);

    if (val_eq(properties, t->properties) && t->need_change == first_login(t) && str_eq(t->provider, t->entry.name))
        return 0; /* each change makes every process read its users again */
    return db_exec(conn, &stmt_refresh,
                   DB_ARGS(DB_INT(t->user_id), DB_BOOL(first_login(t)), DB_STR(json_text(properties, t->c->a)),
                           DB_STR(t->entry.name)),
                   NULL, e);
}

/* The creation rule that applies: 1 = *out (empty when the entry has no rules), 0 = none. */
static bool creation_rule(struct attempt *t, struct val vars, struct val *out)
{
    struct val rules = val_get(t->entry.entry, "user_creation_rules");

    *out = val_dict_new(t->c->a, 0);
    if (!val_is(rules, VAL_LIST) || val_count(rules) == 0)
        return true;
    for (size_t i = 0; i < val_count(rules); i++) {
        struct str rule = str_trim(val_get_text(val_at(rules, i), "rule", STR("")));

        if (rule.len > 0 && holds(t, rule, vars)) {
            *out = val_at(rules, i);
            return true;
        }
    }
    return false;
}

/* Never as a system user, whatever the rule says: who is one on a gateway is not ours by that (product docs, "SSO"). */
static int make_user(struct attempt *t, struct db_conn *conn, struct val rule, struct err *e)
{
    struct str profile = val_get_text(rule, "user_profile", STR("")), ui = val_get_text(rule, "ui_profile", STR(""));
    const struct cfg *cfg = t->c->cfg;
    int64_t profile_id = 0;

    for (size_t i = 0; i < cfg->n_profiles && profile.len > 0; i++)
        if (str_eq(cfg->profiles[i].name, profile))
            profile_id = cfg->profiles[i].id;
    return db_exec(conn, &stmt_make,
                   DB_ARGS(DB_STR(t->username), DB_STR(t->entry.name), DB_INT_OR_NULL(profile_id),
                           DB_STR(ui.len > 0 ? ui : STR("provisioning")), DB_BOOL(first_login(t)), DB_STR(json_text(new_properties(t), t->c->a))),
                   NULL, e);
}

/* The account, made or brought up to date; *reason is set when the user may not have one. */
static int account(struct attempt *t, struct db_conn *conn, struct val vars, const char **reason, struct err *e)
{
    struct val rule;

    if (t->user_id != 0)
        return refresh_user(t, conn, e);
    if (!val_get_bool(t->entry.entry, "auto_create_user", false))
        *reason = "unknown user";
    else if (!creation_rule(t, vars, &rule))
        *reason = "no creation rule applies";
    return *reason != NULL ? 0 : make_user(t, conn, rule, e);
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static int keep_login(struct attempt *t, const struct auth_tokens *tokens, struct err *e)
{
    struct db_conn *conn = NULL;
    int rc = -1;

    if (db_get(t->c->api->db, &conn, e) == 0)
        rc = gw_user_login_store(conn, t->c->cfg, tokens->user_id, tokens->family, &t->login,
                                 clock_wall_us(t->c->api->clock), t->c->a, e);
    db_put(t->c->api->db, conn);
    return rc;
}

static int accepted(struct attempt *t, struct auth_tokens *out, struct err *e)
{
    struct api_call *c = t->c;
    struct val vars = rule_vars(t);
    struct db_conn *conn = NULL;
    const char *reason = NULL;
    int rc = -1;

    if (!extra_rules_hold(t, vars))
        return turned_away(t, "an extra rule does not hold", e);
    if (db_get(c->api->db, &conn, e) == 0)
        rc = account(t, conn, vars, &reason, e);
    db_put(c->api->db, conn);
    if (rc != 0)
        return -1;
    if (reason != NULL)
        return turned_away(t, reason, e);
    if (auth_login_foreign(c->api->auth, c->cfg, t->username, c->req->remote_addr, http_req_header(c->req, "user-agent"), out,
                           c->a, e) != 0 ||
        keep_login(t, out, e) != 0)
        return -1;
    return 1;
}

int login_by_gateway(struct api_call *c, struct str username, struct str password, struct str proxy,
                     struct auth_tokens *out, struct val *answer, struct err *e)
{
    struct attempt t = {.c = c, .username = username, .password = password};
    struct db_conn *conn = NULL;
    int rc = -1;

    if (!gw_entry_find(c->cfg, proxy, &t.entry))
        return 0;
    if (db_get(c->api->db, &conn, e) == 0)
        rc = find_user(&t, conn, e);
    db_put(c->api->db, conn);
    if (rc != 0)
        return -1;
    if (t.local)
        return 0;
    if (relay(&t, e) != 0)
        return -1;
    rc = accepted(&t, out, e);
    if (rc == 1)
        *answer = t.login.auth;
    else
        (void)gw_user_logout(c->api->clients, cfg_gateway(c->cfg, t.login.gateway), t.login.url, t.login.cookies);
    return rc;
}
