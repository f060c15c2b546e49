/*
 * Forgotten passwords of people whom a gateway knows (gateway-proxy.md 6.3): finding them there and setting the new one, both under
 * the platform's own session.
 *
 * Users are found by the gateway's search; administrators are not in it, but those who signed in here once left their place
 * behind.  Nobody else's password is touched: system levels change theirs at the switch.
 */
#include "api/login_gateway.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/gw_http.h"
#include "http/url.h"

static const struct db_stmt stmt_known = {
    "reset_gateway_known",
    "SELECT id, status = 'ACTIVE' AND NOT local_user, identity_provider, coalesce(email, ''), properties FROM users "
    "WHERE lower(username) = lower($1)",
    1};

static const struct db_stmt *const all[] = {&stmt_known};
const struct db_stmts reset_gateway_stmts = {"reset_gateway", all, COUNT_OF(all)};

/* Who forgot. */
struct person {
    int64_t user_id; /* 0: not known here */
    bool may;        /* not somebody of ours, nor of another identity provider */
    struct str email;
    struct val properties;
};

static int read_person(struct api_call *c, struct str username, struct person *p, struct err *e)
{
    PGresult *res = NULL;

    *p = (struct person){.may = true, .email = STR(""), .properties = val_undef(NULL)};
    if (db_query_in(c->conn, &stmt_known, DB_ARGS(DB_STR(username)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    p->user_id = db_int(res, 0, 0);
    p->may = db_bool(res, 0, 1) && gw_entry_own_login(c->cfg, db_str(res, 0, 2));
    p->email = db_str(res, 0, 3);
    return json_parse(db_str(res, 0, 4), &p->properties, c->a, e);
}

/* ---- asking the gateway ------------------------------------------------------------------------------- */

/* A call under the platform's session: the status, -1 when no answer came. */
static int ask(struct api_call *c, const struct cfg_gateway *g, const char *method, struct str path, struct val body,
               struct gw_answer *out, struct err *e)
{
    const struct http_header headers[] = {{STR("Accept"), STR("application/json")},
                                          {STR("Content-Type"), STR("application/json")}};
    struct gw_call call = {.gateway = g, .method = str_c(method), .url = path, .headers = headers, .n_headers = 1};

    if (!val_is_undef(body)) {
        call.body = json_text(body, c->a);
        call.n_headers = 2;
    }
    if (gw_http_do(engine_http(c->api->engine), c->cfg, &call, out, c->a, e) != 0) {
        err_context(e, "gateway %.*s", STR_ARG(g->name));
        return -1;
    }
    return out->res.status;
}

/* The object the gateway answers with 200; undefined for everything else, which is one line in the log. */
static struct val read_object(struct api_call *c, const struct cfg_gateway *g, struct str path)
{
    struct val v = val_undef(NULL);
    struct gw_answer out;
    struct err e = {0};
    int status = ask(c, g, "GET", path, val_undef(NULL), &out, &e);

    if (status < 0)
        log_err(LOG_WARN_LEVEL, "auth.reset", &e);
    else if (status != 200)
        log_info("auth.reset", "gateway=" LOG_Q " status=%d", str_cstr(c->a, g->name), status);
    else if (json_parse(out.res.body, &v, c->a, &e) != 0 || !val_is(v, VAL_DICT))
        v = val_undef(NULL);
    return v;
}

/* A user's place by the gateway's search: 1, or 0 when it knows none of exactly this name. */
static bool find_user(struct api_call *c, const struct cfg_gateway *g, struct str username, struct val *ids)
{
    struct val found = val_get(read_object(c, g,
                                           str_printf(c->a, "/search/users/?insensitiveUserIdEquals=%.*s",
                                                      STR_ARG(url_encode(username, "", c->a)))),
                               "users");

    for (size_t i = 0; val_is(found, VAL_LIST) && i < val_count(found); i++) {
        struct val user = val_at(found, i);
        struct str id = val_get_text(user, "userId", STR(""));

        if (!str_ieq(id, username))
            continue;
        *ids = val_dict_new(c->a, 3);
        val_dict_set_c(*ids, "tenant_id", val_get(user, "tenantId"));
        val_dict_set_c(*ids, "group_id", val_get(user, "groupId"));
        val_dict_set_c(*ids, "user_id", val_str(id));
        return true;
    }
    return false;
}

/* An administrator's, by what his log-in left behind. */
static struct val admin_ids(const struct person *p, struct str username, struct arena *a)
{
    struct val ids = val_dict_new(a, 3);

    val_dict_set_c(ids, "tenant_id", val_get(p->properties, "bsft_tenant_id"));
    val_dict_set_c(ids, "group_id", val_get(p->properties, "bsft_group_id"));
    val_dict_set_c(ids, "user_id", val_str(username));
    return ids;
}

/* Where the gateway keeps this person, and his mail address there; .p NULL: it does not know him. */
static struct str find_there(struct api_call *c, const struct cfg_gateway *g, struct str username, struct person *p)
{
    struct val ids, there;
    struct str path;

    if (find_user(c, g, username, &ids))
        path = gateway_account_path(ids, GATEWAY_USER, username, c->a);
    else if (p->user_id == 0)
        return STR_NONE;
    else
        path = gateway_account_path(admin_ids(p, username, c->a),
                                    val_get_text(p->properties, "bsft_group_id", STR("")).len > 0 ? GATEWAY_GROUP_ADMIN
                                                                                                  : GATEWAY_TENANT_ADMIN,
                                    username, c->a);
    there = path.p != NULL ? read_object(c, g, path) : val_undef(NULL);
    if (val_is_undef(there))
        return STR_NONE;
    if (p->email.len == 0)
        p->email = val_get_text(there, "emailAddress", STR(""));
    return path;
}

/* ---- the three steps ------------------------------------------------------------------------------------ */

int reset_gateway_begin(struct api_call *c, struct str username, struct str proxy, struct auth_reset *out, struct err *e)
{
    struct str path = STR_NONE;
    struct gw_entry entry;
    struct val elsewhere;
    struct person p;
    size_t i = 0;

    *out = (struct auth_reset){.token = STR_NONE};
    if (!gw_entry_find(c->cfg, proxy, &entry))
        return 0;
    if (read_person(c, username, &p, e) != 0)
        return -1;
    if (!p.may)
        return 0;
    db_put(c->api->db, c->conn); /* not held while the gateway thinks */
    c->conn = NULL;
    for (; i < entry.n_gateways && path.p == NULL; i++)
        path = find_there(c, entry.gateways[i], username, &p);
    if (db_get(c->api->db, &c->conn, e) != 0)
        return -1;
    if (path.p == NULL)
        return 0;
    elsewhere = val_dict_new(c->a, 3);
    val_dict_set_c(elsewhere, "username", val_str(username));
    val_dict_set_c(elsewhere, "gateway", val_str(entry.gateways[i - 1]->name));
    val_dict_set_c(elsewhere, "path", val_str(path));
    if (auth_reset_begin_elsewhere(c->api->auth, c->conn, p.user_id, elsewhere, out, c->a, e) != 0)
        return -1;
    out->email = p.email;
    return 0;
}

static const struct cfg_gateway *gateway_of(struct api_call *c, struct val elsewhere, struct err *e)
{
    struct str name = val_get_text(elsewhere, "gateway", STR(""));
    const struct cfg_gateway *g = cfg_gateway(c->cfg, name);

    if (g == NULL)
        err_set(e, ERR_FORBIDDEN, "gateway %.*s is not there any more", STR_ARG(name));
    return g;
}

static int set_there(struct api_call *c, const struct cfg_gateway *g, struct val elsewhere, struct str password, struct err *e)
{
    struct val body = val_dict_new(c->a, 1);
    struct gw_answer out;

    val_dict_set_c(body, "password", val_str(password));
    if (ask(c, g, "PUT", val_get_text(elsewhere, "path", STR("")), body, &out, e) < 0)
        return -1;
    return gateway_password_answer(g, &out.res, c->a, e);
}

int reset_gateway_finish(struct api_call *c, struct val elsewhere, struct str password, struct err *e)
{
    const struct cfg_gateway *g = gateway_of(c, elsewhere, e);
    struct gw_login_rows sessions;
    struct err why = {0};
    int64_t user_id;
    int rc;

    /* the token first: it works once, however many come with it at the same time */
    if (g == NULL || auth_reset_take_elsewhere(c->api->auth, c->conn, c->params[0], &user_id, e) != 0)
        return -1;
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    rc = set_there(c, g, elsewhere, password, &why);
    if (db_get(c->api->db, &c->conn, e) != 0)
        return -1;
    if (rc != 0) {
        if (auth_reset_back(c->conn, c->params[0], e) == 0)
            *e = why;
        return -1;
    }
    if (user_id == 0)
        return 0;
    if (gateway_password_changed(c, user_id, e) != 0 ||
        gw_store_of_user(c->conn, c->cfg, user_id, STR(""), &sessions, c->a, e) != 0 ||
        auth_end_others(c->api->auth, c->conn, user_id, STR(""), e) != 0)
        return -1;
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    gw_logins_given_up(c->api->clients, c->cfg, &sessions);
    return db_get(c->api->db, &c->conn, e);
}

struct val reset_gateway_rules(struct api_call *c, struct val elsewhere)
{
    struct str path = val_get_text(elsewhere, "path", STR("")), scope = path;
    const struct cfg_gateway *g;
    struct err e = {0};
    struct val rules;

    if (val_count(elsewhere) == 0 || (g = gateway_of(c, elsewhere, &e)) == NULL)
        return val_dict_new(c->a, 0);
    for (int slashes = 0; scope.len > 0 && slashes < 3;) /* without "users/U/" */
        slashes += scope.p[--scope.len] == '/';
    rules = read_object(c, g, str_printf(c->a, "%.*s/password_rules/", STR_ARG(scope)));
    if (!val_is(rules, VAL_DICT))
        return val_dict_new(c->a, 0);
    (void)val_dict_del(rules, VAL_STR_LIT("_record_internal_id"));
    (void)val_dict_del(rules, VAL_STR_LIT("_internal_record_id"));
    return rules;
}
