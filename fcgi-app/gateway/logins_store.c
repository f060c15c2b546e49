/*
 * Table gateway_logins: users' cookies under the family of their tokens, and the platform's own refresh tokens.
 *
 * What is sealed is bound to its identity and gateway, so a row cannot be passed off as another's.
 */
#include "gateway/logins.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"

#define PURPOSE "gateway_logins.cookies"
#define LIVE "(CASE WHEN expires_on IS NULL THEN last_used_on + interval '30 minutes' ELSE expires_on END) > $2"

static const struct db_stmt stmt_keep = {
    "gateway_login_keep",
    "INSERT INTO gateway_logins (user_id, identity, gateway, url, cookies, ids, profile, token_family, created_on, "
    "last_used_on, expires_on) VALUES ($1, $2, $3, $4, $5, $6::json, $7::json, $8::uuid, $9, $9, $10) "
    "ON CONFLICT (identity, gateway) DO UPDATE SET url = excluded.url, cookies = excluded.cookies, ids = excluded.ids, "
    "profile = excluded.profile, last_used_on = excluded.last_used_on, expires_on = excluded.expires_on",
    10};

static const struct db_stmt stmt_use = {
    "gateway_login_use",
    "UPDATE gateway_logins SET last_used_on = $2 WHERE identity = $1 AND " LIVE " RETURNING gateway, url, cookies", 2};

static const struct db_stmt stmt_family = {
    "gateway_login_family",
    "SELECT identity FROM gateway_logins WHERE user_id = $1 AND " LIVE " AND gateway = $3 AND token_family IS NOT NULL "
    "ORDER BY last_used_on DESC LIMIT 1",
    3};

static const struct db_stmt stmt_system = {
    "gateway_login_system", "SELECT cookies FROM gateway_logins WHERE identity = $1 AND gateway = $2 AND url = $3", 3};

static const struct db_stmt stmt_drop = {"gateway_login_drop",
                                         "DELETE FROM gateway_logins WHERE identity = $1 AND gateway = $2", 2};

/* Rows nobody will use again go with the next login. */
static const struct db_stmt stmt_clean = {
    "gateway_login_clean",
    "DELETE FROM gateway_logins WHERE token_family IS NOT NULL AND "
    "(CASE WHEN expires_on IS NULL THEN last_used_on + interval '30 minutes' ELSE expires_on END) <= $1",
    1};

static const struct db_stmt stmt_of_sign = {
    "gateway_login_of_sign",
    "SELECT l.identity, l.gateway, l.url, l.cookies FROM gateway_logins l WHERE l.token_family IN (SELECT family FROM "
    "refresh_tokens WHERE sha1 = decode(substring($1 from '^(?:sha1:)?([0-9A-Fa-f]{40})$'), 'hex')) LIMIT 8",
    1};

static const struct db_stmt stmt_of_user = {
    "gateway_login_of_user",
    "SELECT l.identity, l.gateway, l.url, l.cookies FROM gateway_logins l WHERE l.user_id = $1 AND l.token_family IS NOT NULL "
    "AND l.token_family::text <> $2 ORDER BY l.last_used_on DESC LIMIT 8",
    2};

static const struct db_stmt *const all[] = {&stmt_keep, &stmt_use,  &stmt_family,  &stmt_system,
                                            &stmt_drop, &stmt_clean, &stmt_of_sign, &stmt_of_user};
const struct db_stmts gateway_logins_stmts = {"gateway_logins", all, COUNT_OF(all)};

static struct str item_of(struct str identity, struct str gateway, struct arena *a)
{
    return str_printf(a, "%.*s@%.*s", STR_ARG(identity), STR_ARG(gateway));
}

static int seal(const struct cfg *cfg, struct str identity, struct str gateway, struct str plain, struct str *out,
                struct arena *a, struct err *e)
{
    const struct cfg_key *k = cfg_key_active(cfg, "gateway-logins");

    if (k == NULL || k->material.len != 32) {
        err_set(e, ERR_CONFIG, "there is no usable key \"gateway-logins\"");
        return -1;
    }
    *out = cfg_seal_text(k, plain, PURPOSE, item_of(identity, gateway, a), a);
    return 0;
}

static int open_sealed(const struct cfg *cfg, struct str identity, struct str gateway, struct str text, struct str *out,
                       struct arena *a, struct err *e)
{
    const struct cfg_key *k = NULL;
    struct secret plain;
    struct str sealed;
    uint32_t id;

    if (!crypto_seal_from_text(text, &sealed, a) || crypto_seal_key_id(sealed, &id, e) != 0 ||
        (k = cfg_key(cfg, id)) == NULL || k->material.len != 32) {
        err_set(e, ERR_CONFIG, "a gateway login was sealed with a key that is not there");
        return -1;
    }
    if (crypto_open(k->material.p, sealed, PURPOSE, item_of(identity, gateway, a), &plain, a, e) != 0)
        return -1;
    *out = secret_text(plain);
    return 0;
}

/* ---- users ---------------------------------------------------------------------------------------- */

int gw_user_login_store(struct db_conn *c, const struct cfg *cfg, int64_t user_id, struct str family,
                        const struct gw_user_login *l, int64_t now_us, struct arena *a, struct err *e)
{
    struct val ids = val_get(l->auth, "ids"), profile = val_get(l->auth, "profile");
    struct str sealed;

    if (db_exec(c, &stmt_clean, DB_ARGS(DB_TIME(now_us)), NULL, e) != 0 ||
        seal(cfg, family, l->gateway, l->cookies, &sealed, a, e) != 0)
        return -1;
    return db_exec(c, &stmt_keep,
                   DB_ARGS(DB_INT(user_id), DB_STR(family), DB_STR(l->gateway), DB_STR(l->url), DB_STR(sealed),
                           DB_STR(val_is(ids, VAL_DICT) ? json_text(ids, a) : STR("{}")), DB_STR(json_text(profile, a)),
                           DB_STR(family), DB_TIME(now_us), l->expires_us != 0 ? DB_TIME(l->expires_us) : DB_NULL),
                   NULL, e);
}

int gw_store_use(struct db_conn *c, const struct cfg *cfg, struct str family, int64_t now_us, struct gw_login_row *out,
                 struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_use, DB_ARGS(DB_STR(family), DB_TIME(now_us)), &res, a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no gateway login");
        return -1;
    }
    out->gateway = db_str(res, 0, 0);
    out->url = db_str(res, 0, 1);
    return open_sealed(cfg, family, out->gateway, db_str(res, 0, 2), &out->cookies, a, e);
}

int gw_store_family(struct db_conn *c, int64_t user_id, struct str gateway, int64_t now_us, struct str *family,
                    struct arena *a, struct err *e)
{
    return db_text(c, &stmt_family, DB_ARGS(DB_INT(user_id), DB_TIME(now_us), DB_STR(gateway)), family, a, e);
}

static void read_rows(PGresult *res, const struct cfg *cfg, struct gw_login_rows *out, struct arena *a)
{
    int n = PQntuples(res);

    *out = (struct gw_login_rows){ARENA_ARRAY(a, struct gw_login_row, (size_t)n + 1), 0};
    for (int i = 0; i < n; i++) {
        struct gw_login_row *row = &out->items[out->n];
        struct err e = {0};

        row->gateway = db_str(res, i, 1);
        row->url = db_str(res, i, 2);
        if (open_sealed(cfg, db_str(res, i, 0), row->gateway, db_str(res, i, 3), &row->cookies, a, &e) == 0)
            out->n++;
        else
            log_err(LOG_WARN_LEVEL, "gateway.logout", &e);
    }
}

int gw_store_of_sign(struct db_conn *c, const struct cfg *cfg, struct str sign, struct gw_login_rows *out, struct arena *a,
                     struct err *e)
{
    PGresult *res = NULL;

    *out = (struct gw_login_rows){0};
    if (db_query_in(c, &stmt_of_sign, DB_ARGS(DB_STR(sign)), &res, a, e) != 0)
        return -1;
    read_rows(res, cfg, out, a);
    return 0;
}

int gw_store_of_user(struct db_conn *c, const struct cfg *cfg, int64_t user_id, struct str keep_family,
                     struct gw_login_rows *out, struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    *out = (struct gw_login_rows){0};
    if (db_query_in(c, &stmt_of_user, DB_ARGS(DB_INT(user_id), DB_STR(keep_family)), &res, a, e) != 0)
        return -1;
    read_rows(res, cfg, out, a);
    return 0;
}

/* ---- the platform's refresh tokens ------------------------------------------------------------------ */

#define SYSTEM STR("system")

struct gw_store {
    struct db *db;
    struct cfg_store *cfg;
};

struct gw_store *gw_store_new(struct db *db, struct cfg_store *cfg)
{
    struct gw_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->db = db;
    s->cfg = cfg;
    return s;
}

void gw_store_free(struct gw_store *s)
{
    free(s);
}

static struct str keep_load(void *arg, const struct cfg_gateway *g, struct str url, struct arena *a)
{
    struct gw_store *s = arg;
    const struct cfg *cfg = cfg_get(s->cfg);
    struct str sealed = STR(""), token = STR("");
    struct db_conn *c = NULL;
    struct err e = {0};

    if ((db_get(s->db, &c, &e) != 0 ||
         db_text(c, &stmt_system, DB_ARGS(DB_STR(SYSTEM), DB_STR(g->name), DB_STR(url)), &sealed, a, &e) != 0 ||
         open_sealed(cfg, SYSTEM, g->name, sealed, &token, a, &e) != 0) &&
        e.code != ERR_NOT_FOUND)
        log_err(LOG_WARN_LEVEL, "gateway.refresh_token", &e);
    db_put(s->db, c);
    cfg_put(cfg);
    return token;
}

static int save_token(struct db_conn *c, const struct cfg *cfg, const struct cfg_gateway *g, struct str url,
                      struct str token, struct arena *a, struct err *e)
{
    struct str sealed;

    if (token.len == 0)
        return db_exec(c, &stmt_drop, DB_ARGS(DB_STR(SYSTEM), DB_STR(g->name)), NULL, e);
    if (seal(cfg, SYSTEM, g->name, token, &sealed, a, e) != 0)
        return -1;
    return db_exec(c, &stmt_keep,
                   DB_ARGS(DB_NULL, DB_STR(SYSTEM), DB_STR(g->name), DB_STR(url), DB_STR(sealed), DB_C("{}"), DB_NULL,
                           DB_NULL, DB_TIME(clock_wall_us(&clock_system)), DB_NULL),
                   NULL, e);
}

static void keep_save(void *arg, const struct cfg_gateway *g, struct str url, struct str token)
{
    struct gw_store *s = arg;
    const struct cfg *cfg = cfg_get(s->cfg);
    struct arena *a = arena_new(0);
    struct db_conn *c = NULL;
    struct err e = {0};

    if (db_get(s->db, &c, &e) != 0 || save_token(c, cfg, g, url, token, a, &e) != 0)
        log_err(LOG_WARN_LEVEL, "gateway.refresh_token", &e);
    db_put(s->db, c);
    arena_free(a);
    cfg_put(cfg);
}

struct gw_keep gw_store_keep(struct gw_store *s)
{
    return (struct gw_keep){s, keep_load, keep_save};
}
