/*
 * The rows behind logging in and being known.
 */
#include "auth/auth_int.h"

#include "base/json.h"

#define KNOWN_COLUMNS                                                                              \
    "SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.mobile_number, u.language, "   \
    "u.timezone, u.ui_profile, "                                                                   \
    "u.entity, u.is_system, u.need_password_change, u.profile_id, array_to_json(u.groups), "       \
    "u.properties, "                                                                               \
    "(SELECT json_agg(json_build_array(r.id, r.name) ORDER BY r.name) FROM user_roles ur JOIN "    \
    "roles r ON r.id = ur.role_id "                                                                \
    "WHERE ur.user_id = u.id), "                                                                   \
    "u.with_ip_limits, (SELECT json_agg(l.ip::text) FROM user_ip_limits l WHERE l.user_id = "      \
    "u.id), " DB_TS("u.token_expiry_date") ", "                                                     \
    "CASE WHEN u.local_user THEN NULL ELSE coalesce(u.identity_provider, 'unknown') END "          \
    "FROM users u "

static const struct db_stmt stmt_known_by_claims = {
    "auth_known_by_claims",
    KNOWN_COLUMNS
    "WHERE u.id = $1 AND u.status = 'ACTIVE' AND (u.tokens_valid_from IS NULL OR "
    "u.tokens_valid_from <= $2) "
    "AND NOT EXISTS (SELECT 1 FROM revoked_tokens t WHERE t.jti IN ($3, 'family:' || $4))",
    4};

static const struct db_stmt stmt_known_by_m2m = {
    "auth_known_by_m2m",
    KNOWN_COLUMNS "WHERE u.token_hash = $1 AND u.status = 'ACTIVE' AND (u.token_expiry_date IS "
                  "NULL OR u.token_expiry_date > $2)",
    2};

static const struct db_stmt stmt_login_user = {
    "auth_login_user",
    "SELECT u.id, u.password_hash, u.email, u.ui_profile, u.token_sealed, "
    "coalesce(u.two_fa_option, 'none'), "
    "u.status = 'ACTIVE', u.local_user, u.password_disabled, u.need_password_change, "
    "u.with_ip_limits, "
    "u.token_expiry_date IS NULL OR u.token_expiry_date > $2, "
    "(SELECT json_agg(l.ip::text) FROM user_ip_limits l WHERE l.user_id = u.id), "
    "EXISTS (SELECT 1 FROM one_time_tokens o WHERE o.user_id = u.id "
    "AND o.scope = 'ResetPassword' AND o.used_on IS NULL AND o.expires_on > $2) "
    "FROM users u WHERE lower(u.username) = lower($1)",
    2};

/* One row = this try may look at the password.  The try that reaches the threshold locks the
 * account for those after it; when it was right, store_login_done() unlocks. */
static const struct db_stmt stmt_login_try = {
    "auth_login_try",
    "UPDATE users SET failed_logins = CASE WHEN locked_until IS NULL THEN failed_logins + 1 ELSE 1 "
    "END, "
    "locked_until = CASE WHEN $3 > 0 AND CASE WHEN locked_until IS NULL THEN failed_logins + 1 "
    "ELSE 1 END >= $3 "
    "THEN $2::timestamptz + $4 * interval '1 microsecond' END "
    "WHERE id = $1 AND (locked_until IS NULL OR locked_until <= $2) RETURNING failed_logins",
    4};

static const struct db_stmt stmt_login_reset = {
    "auth_login_reset", "UPDATE users SET failed_logins = 0, locked_until = NULL WHERE id = $1", 1};

static const struct db_stmt stmt_login_failed = {
    "auth_login_failed",
    "INSERT INTO login_attempts (user_id, username, ip, user_agent, success, failure_reason, "
    "created_at) "
    "VALUES ($1, $2, $3::inet, $4, false, $5, $6)",
    6};

static const struct db_stmt stmt_login_done = {
    "auth_login_done",
    "WITH t AS (INSERT INTO refresh_tokens (family, user_id, sha1, sha256, ip, user_agent, "
    "issued_on, expires_on) "
    "VALUES ($5::uuid, $1, $6, $7, $3::inet, $4, $8, $9)), "
    "l AS (INSERT INTO login_attempts (user_id, username, ip, user_agent, success, created_at) "
    "VALUES ($1, $2, $3::inet, $4, true, $8)) "
    "UPDATE users SET failed_logins = 0, locked_until = NULL, last_use = $8 WHERE id = $1",
    9};

static const struct db_stmt stmt_must_change = {
    "auth_must_change",
    "UPDATE users SET need_password_change = true WHERE id = $1 AND NOT need_password_change", 1};

static const struct db_stmt stmt_refresh_find = {
    "auth_refresh_find",
    "SELECT r.id, r.user_id, " DB_TS("r.expires_on") ", " DB_TS(
        "r.replaced_on") ", r.revoked_on IS NULL AND u.status = 'ACTIVE' AND (u.tokens_valid_from "
                         "IS NULL OR u.tokens_valid_from <= r.issued_on), "
                         "u.ui_profile, coalesce(u.email, '') <> '' "
                         "FROM refresh_tokens r JOIN users u ON u.id = r.user_id WHERE r.sha256 = "
                         "$1",
    1};

static const struct db_stmt stmt_refresh_used = {
    "auth_refresh_used", "UPDATE refresh_tokens SET last_use = $2 WHERE id = $1", 2};

static const struct db_stmt stmt_refresh_replace = {
    "auth_refresh_replace",
    "WITH o AS (UPDATE refresh_tokens SET replaced_on = $2, last_use = $2 WHERE id = $1 AND "
    "replaced_on IS NULL "
    "RETURNING family, user_id, ip, user_agent) "
    "INSERT INTO refresh_tokens (family, user_id, sha1, sha256, ip, user_agent, issued_on, "
    "expires_on) "
    "SELECT family, user_id, $3, $4, ip, user_agent, $2, $5 FROM o",
    5};

/* Ends families and, within the life of an access token, the access tokens that came from them. */
#define END_FAMILIES(which)                                                                        \
    "WITH e AS (UPDATE refresh_tokens SET revoked_on = $1 WHERE revoked_on IS NULL AND " which     \
    " RETURNING family, user_id), g AS (DELETE FROM gateway_logins WHERE token_family IN (SELECT " \
    "family FROM e)) "                                                                             \
    "INSERT INTO revoked_tokens (jti, family, user_id, expires_on, revoked_on) "                   \
    "SELECT DISTINCT 'family:' || family, family, user_id, $1::timestamptz + interval '20 "        \
    "minutes', $1::timestamptz FROM e "                                                            \
    "ON CONFLICT (jti) DO NOTHING"

static const struct db_stmt stmt_end_sha1 = {
    "auth_end_sha1",
    END_FAMILIES("family IN (SELECT family FROM refresh_tokens WHERE sha1 = decode($2, 'hex'))"),
    2};
static const struct db_stmt stmt_end_family = {"auth_end_family", END_FAMILIES("family = $2::uuid"),
                                               2};
static const struct db_stmt stmt_end_user = {
    "auth_end_user", END_FAMILIES("user_id = $2 AND family::text <> $3"), 3};

static const struct db_stmt stmt_password = {
    "auth_password", "SELECT username, password_hash FROM users WHERE id = $1", 1};

static const struct db_stmt stmt_password_set = {
    "auth_password_set",
    "WITH h AS (INSERT INTO password_history (user_id, password_hash, created_on) "
    "SELECT id, password_hash, $3 FROM users WHERE id = $1 AND password_hash IS NOT NULL) "
    "UPDATE users SET password_hash = $2, password_changed_on = $3, need_password_change = $4, "
    "failed_logins = 0, "
    "locked_until = NULL, tokens_valid_from = CASE WHEN $5 THEN $3::timestamptz ELSE "
    "tokens_valid_from END, updated_on = $3 "
    "WHERE id = $1",
    5};

static const struct db_stmt stmt_password_history = {
    "auth_password_history",
    "SELECT json_agg(password_hash ORDER BY id DESC) FROM "
    "(SELECT id, password_hash FROM password_history WHERE user_id = $1 ORDER BY id DESC LIMIT $2) "
    "h",
    2};

static const struct db_stmt stmt_password_weak = {
    "auth_password_weak", "SELECT EXISTS (SELECT 1 FROM weak_passwords WHERE password = $1)", 1};

static const struct db_stmt stmt_m2m_set = {
    "auth_m2m_set",
    "UPDATE users SET token_hash = $2, token_sealed = $3, token_expiry_date = $4, updated_on = "
    "now() WHERE id = $1",
    4};

static const struct db_stmt stmt_revoke = {
    "auth_revoke",
    "UPDATE users SET status = 'REVOKED', tokens_valid_from = $2, updated_on = $2 WHERE id = $1",
    2};

static const struct db_stmt stmt_unrevoke = {
    "auth_unrevoke",
    "UPDATE users SET status = 'ACTIVE', failed_logins = 0, locked_until = NULL, updated_on = "
    "now() WHERE id = $1 "
    "RETURNING token_hash IS NOT NULL, " DB_TS("token_expiry_date"),
    1};

static const struct db_stmt stmt_superuser = {
    "auth_superuser",
    "INSERT INTO users (username, password_hash, password_changed_on, is_system, ui_profile) "
    "VALUES ($1, $2, now(), true, 'admin') ON CONFLICT DO NOTHING RETURNING id",
    2};

static const struct db_stmt stmt_reset_begin = {
    "auth_reset_begin",
    "INSERT INTO one_time_tokens (digest, scope, user_id, created_on, expires_on) "
    "SELECT $2, 'ResetPassword', u.id, $3::timestamptz, $5 FROM users u "
    "WHERE lower(u.username) = lower($1) AND u.status = 'ACTIVE' AND u.local_user "
    "AND NOT u.password_disabled AND NOT EXISTS (SELECT 1 FROM one_time_tokens o "
    "WHERE o.user_id = u.id AND o.scope = 'ResetPassword' AND o.created_on > $4) "
    "RETURNING (SELECT username FROM users WHERE id = user_id), "
    "(SELECT coalesce(email, '') FROM users WHERE id = user_id)",
    5};

static const struct db_stmt stmt_reset_elsewhere = {
    "auth_reset_elsewhere",
    "INSERT INTO one_time_tokens (digest, scope, user_id, details, created_on, expires_on) "
    "SELECT $3, 'ResetPassword', $2, $7::json, $4::timestamptz, $6 WHERE NOT EXISTS "
    "(SELECT 1 FROM one_time_tokens o WHERE o.scope = 'ResetPassword' AND o.created_on > $5 "
    "AND lower(o.details->>'username') = lower($1)) RETURNING id",
    7};

static const struct db_stmt stmt_reset_find = {
    "auth_reset_find",
    "SELECT coalesce(user_id, 0), CASE WHEN details->>'gateway' IS NULL THEN '{}' ELSE details::text END "
    "FROM one_time_tokens WHERE digest = $1 AND scope = 'ResetPassword' "
    "AND used_on IS NULL AND expires_on > $2",
    2};

static const struct db_stmt stmt_reset_take_elsewhere = {
    "auth_reset_take_elsewhere",
    "UPDATE one_time_tokens SET used_on = $2 WHERE scope = 'ResetPassword' AND used_on IS NULL "
    "AND lower(details->>'username') = (SELECT lower(details->>'username') FROM one_time_tokens "
    "WHERE digest = $1 AND scope = 'ResetPassword' AND used_on IS NULL AND expires_on > $2 "
    "FOR UPDATE) RETURNING coalesce(user_id, 0)",
    2};

static const struct db_stmt stmt_reset_back = {
    "auth_reset_back",
    "UPDATE one_time_tokens SET used_on = NULL WHERE digest = $1 AND scope = 'ResetPassword'", 1};

static const struct db_stmt stmt_reset_take = {
    "auth_reset_take",
    "UPDATE one_time_tokens SET used_on = $2 WHERE scope = 'ResetPassword' AND used_on IS NULL "
    "AND user_id = (SELECT user_id FROM one_time_tokens WHERE digest = $1 "
    "AND scope = 'ResetPassword' AND used_on IS NULL AND expires_on > $2 FOR UPDATE) "
    "RETURNING user_id",
    2};

static const struct db_stmt *const all[] = {
    &stmt_known_by_claims,  &stmt_known_by_m2m,  &stmt_login_user,      &stmt_login_try,
    &stmt_login_reset,      &stmt_login_failed,  &stmt_login_done,      &stmt_must_change,
    &stmt_refresh_find,     &stmt_refresh_used,  &stmt_refresh_replace, &stmt_end_sha1,
    &stmt_end_family,       &stmt_end_user,      &stmt_password,        &stmt_password_set,
    &stmt_password_history, &stmt_password_weak, &stmt_m2m_set,         &stmt_revoke,
    &stmt_reset_begin,      &stmt_reset_find,    &stmt_reset_take,      &stmt_unrevoke,
    &stmt_superuser,        &stmt_reset_elsewhere, &stmt_reset_take_elsewhere, &stmt_reset_back,
};
const struct db_stmts auth_stmts = {"auth", all, COUNT_OF(all)};

/* ---- who is known
 * -------------------------------------------------------------------------------- */

/* A JSON column; undefined when it is null. */
static int json_column(const PGresult *res, int row, int col, struct val *out, struct arena *a,
                       struct err *e)
{
    *out = val_undef(NULL);
    if (db_is_null(res, row, col))
        return 0;
    return json_parse_copy(db_str(res, row, col), out, a, e);
}

static void read_nets(struct val list, struct known *out)
{
    struct ip_net *nets = ARENA_ARRAY(out->a, struct ip_net, val_count(list) + 1);

    for (size_t i = 0; i < val_count(list); i++)
        if (ip_net_parse(val_text(val_at(list, i)), &nets[out->n_nets]))
            out->n_nets++;
    out->nets = nets;
}

static int read_known(const PGresult *res, struct known *out, struct err *e)
{
    struct principal *p = &out->p;
    struct arena *a = out->a;
    struct str *const texts[] = {&p->username,  &p->email,         &p->first_name,
                                 &p->last_name, &p->mobile_number, &p->language,
                                 &p->timezone,  &p->ui_profile,    &p->entity};
    struct val roles;
    struct val nets;

    p->id = db_int(res, 0, 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = str_dup(a, db_str(res, 0, (int)i + 1));
    p->is_system = db_bool(res, 0, 10);
    p->need_password_change = db_bool(res, 0, 11);
    p->profile_id = db_int(res, 0, 12);
    out->limited = db_bool(res, 0, 16);
    if (json_column(res, 0, 13, &p->groups, a, e) != 0 ||
        json_column(res, 0, 14, &p->properties, a, e) != 0 ||
        json_column(res, 0, 15, &roles, a, e) != 0 || json_column(res, 0, 17, &nets, a, e) != 0)
        return -1;
    p->roles = val_list_new(a, val_count(roles));
    p->role_ids = val_list_new(a, val_count(roles));
    for (size_t i = 0; i < val_count(roles); i++) {
        val_list_add(p->role_ids, val_at(val_at(roles, i), 0));
        val_list_add(p->roles, val_at(val_at(roles, i), 1));
    }
    read_nets(nets, out);
    p->identity_provider = str_dup(a, db_str(res, 0, 19));
    if (!db_is_null(res, 0, 18) && p->token_id.len == 0 && db_time_us(res, 0, 18) < out->until_us)
        out->until_us = db_time_us(res, 0, 18);
    return 0;
}

static int find_known(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                      size_t n, struct known *out, struct err *e)
{
    PGresult *res = NULL;
    int rc = -1;

    if (db_query(c, s, args, n, &res, e) != 0)
        goto out;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_UNAUTHORIZED, "token not valid");
        goto out;
    }
    rc = read_known(res, out, e);
out:
    PQclear(res);
    return rc;
}

int store_known_by_claims(struct db_conn *c, const struct token_claims *t, struct known *out,
                          struct err *e)
{
    out->p.token_id = str_dup(out->a, t->id);
    return find_known(
        c, &stmt_known_by_claims,
        DB_ARGS(DB_INT(t->user_id), DB_TIME(t->issued_us), DB_STR(t->id), DB_STR(t->family)), out,
        e);
}

int store_known_by_m2m(struct db_conn *c, int64_t now_us, struct known *out, struct err *e)
{
    struct str digest = str_make((const char *)out->digest, sizeof out->digest);

    out->p.token_id = STR("");
    return find_known(c, &stmt_known_by_m2m, DB_ARGS(DB_BYTES(digest), DB_TIME(now_us)), out, e);
}

/* ---- logging in
 * ----------------------------------------------------------------------------------- */

int store_login_user(struct db_conn *c, struct str username, int64_t now_us, struct login_user *out,
                     struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    *out = (struct login_user){.nets = val_undef(NULL)};
    if (db_query_in(c, &stmt_login_user, DB_ARGS(DB_STR(username), DB_TIME(now_us)), &res, a, e) !=
        0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    out->id = db_int(res, 0, 0);
    out->hash = db_str(res, 0, 1);
    out->email = db_str(res, 0, 2);
    out->ui_profile = db_str(res, 0, 3);
    out->token_sealed = db_str(res, 0, 4);
    out->two_fa = db_str(res, 0, 5);
    out->active = db_bool(res, 0, 6);
    out->local = db_bool(res, 0, 7);
    out->password_disabled = db_bool(res, 0, 8);
    out->need_change = db_bool(res, 0, 9);
    out->limited = db_bool(res, 0, 10);
    out->token_valid = db_bool(res, 0, 11);
    out->resetting = db_bool(res, 0, 13);
    return json_column(res, 0, 12, &out->nets, a, e);
}

int store_login_try(struct db_conn *c, int64_t user_id, int64_t now_us, int64_t threshold,
                    int64_t lock_us, bool *locked, struct err *e)
{
    PGresult *res = NULL;

    if (db_query(c, &stmt_login_try,
                 DB_ARGS(DB_INT(user_id), DB_TIME(now_us), DB_INT(threshold), DB_INT(lock_us)),
                 &res, e) != 0)
        return -1;
    *locked = PQntuples(res) == 0;
    PQclear(res);
    return 0;
}

int store_login_reset(struct db_conn *c, int64_t user_id, struct err *e)
{
    return db_exec(c, &stmt_login_reset, DB_ARGS(DB_INT(user_id)), NULL, e);
}

/* The address as inet takes it, or null: behind a Unix socket there is none. */
static struct db_arg ip_arg(struct str ip)
{
    struct ip_net net;

    return str_find_char(ip, '/') < 0 && ip_net_parse(ip, &net) ? DB_STR(ip) : DB_NULL;
}

int store_login_failed(struct db_conn *c, const struct login_record *r, struct err *e)
{
    return db_exec(c, &stmt_login_failed,
                   DB_ARGS(DB_INT_OR_NULL(r->user_id), DB_STR(r->username), ip_arg(r->ip),
                           DB_STR(r->user_agent), DB_C(r->reason), DB_TIME(r->now_us)),
                   NULL, e);
}

struct digests {
    unsigned char sha1[64], sha256[64];
    size_t n1, n256;
};

static void digest_token(struct str token, struct digests *d)
{
    if (!crypto_digest("sha1", token, d->sha1, &d->n1) ||
        !crypto_digest("sha256", token, d->sha256, &d->n256))
        d->n1 = d->n256 = 0; /* both names are known */
}

#define DIGEST(d, name, n) DB_BYTES(str_make((const char *)(d).name, (d).n))

int store_login_done(struct db_conn *c, const struct login_record *r, struct str family,
                     struct str refresh_token, int64_t expires_us, struct err *e)
{
    struct digests d;

    digest_token(refresh_token, &d);
    return db_exec(c, &stmt_login_done,
                   DB_ARGS(DB_INT(r->user_id), DB_STR(r->username), ip_arg(r->ip),
                           DB_STR(r->user_agent), DB_STR(family), DIGEST(d, sha1, n1),
                           DIGEST(d, sha256, n256), DB_TIME(r->now_us), DB_TIME(expires_us)),
                   NULL, e);
}

int store_must_change(struct db_conn *c, int64_t user_id, struct err *e)
{
    return db_exec(c, &stmt_must_change, DB_ARGS(DB_INT(user_id)), NULL, e);
}

/* ---- refresh tokens
 * ------------------------------------------------------------------------------- */

int store_refresh_find(struct db_conn *c, struct str token, struct refresh_row *out,
                       struct arena *a, struct err *e)
{
    PGresult *res = NULL;
    struct digests d;

    digest_token(token, &d);
    if (db_query_in(c, &stmt_refresh_find, DB_ARGS(DIGEST(d, sha256, n256)), &res, a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such token");
        return -1;
    }
    *out = (struct refresh_row){
        .id = db_int(res, 0, 0),
        .user_id = db_int(res, 0, 1),
        .expires_us = db_time_us(res, 0, 2),
        .replaced_us = db_time_us(res, 0, 3),
        .usable = db_bool(res, 0, 4),
        .ui_profile = db_str(res, 0, 5),
        .email_set = db_bool(res, 0, 6),
    };
    return 0;
}

int store_refresh_used(struct db_conn *c, int64_t id, int64_t now_us, struct err *e)
{
    return db_exec(c, &stmt_refresh_used, DB_ARGS(DB_INT(id), DB_TIME(now_us)), NULL, e);
}

int store_refresh_replace(struct db_conn *c, const struct refresh_row *old, struct str token,
                          int64_t now_us, int64_t expires_us, bool *replaced, struct err *e)
{
    struct digests d;
    int64_t n = 0;

    digest_token(token, &d);
    if (db_exec(c, &stmt_refresh_replace,
                DB_ARGS(DB_INT(old->id), DB_TIME(now_us), DIGEST(d, sha1, n1),
                        DIGEST(d, sha256, n256), DB_TIME(expires_us)),
                &n, e) != 0)
        return -1;
    *replaced = n > 0;
    return 0;
}

int store_end_sha1(struct db_conn *c, struct str hex, int64_t now_us, struct err *e)
{
    return db_exec(c, &stmt_end_sha1, DB_ARGS(DB_TIME(now_us), DB_STR(hex)), NULL, e);
}

int store_end_family(struct db_conn *c, struct str family, int64_t now_us, struct err *e)
{
    return db_exec(c, &stmt_end_family, DB_ARGS(DB_TIME(now_us), DB_STR(family)), NULL, e);
}

int store_end_user(struct db_conn *c, int64_t user_id, struct str keep, int64_t now_us,
                   struct err *e)
{
    return db_exec(c, &stmt_end_user, DB_ARGS(DB_TIME(now_us), DB_INT(user_id), DB_STR(keep)), NULL,
                   e);
}

/* ---- passwords
 * ------------------------------------------------------------------------------------ */

int store_password(struct db_conn *c, int64_t user_id, struct password_row *out, struct arena *a,
                   struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_password, DB_ARGS(DB_INT(user_id)), &res, a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    *out = (struct password_row){db_str(res, 0, 0), db_str(res, 0, 1)};
    return 0;
}

int store_password_set(struct db_conn *c, int64_t user_id, struct str hash, bool must_change,
                       int64_t now_us, bool void_tokens, struct err *e)
{
    int64_t n = 0;

    if (db_exec(c, &stmt_password_set,
                DB_ARGS(DB_INT(user_id), DB_STR(hash), DB_TIME(now_us), DB_BOOL(must_change),
                        DB_BOOL(void_tokens)),
                &n, e) != 0)
        return -1;
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    return 0;
}

int store_password_history(struct db_conn *c, int64_t user_id, int64_t n, struct val *out,
                           struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_password_history, DB_ARGS(DB_INT(user_id), DB_INT(n)), &res, a, e) !=
        0)
        return -1;
    return json_column(res, 0, 0, out, a, e);
}

int store_password_weak(struct db_conn *c, struct str password, bool *weak, struct arena *a,
                        struct err *e)
{
    struct str t;

    if (db_text(c, &stmt_password_weak, DB_ARGS(DB_STR(password)), &t, a, e) != 0)
        return -1;
    *weak = str_eq_c(t, "t");
    return 0;
}

/* ---- the rest
 * ------------------------------------------------------------------------------------- */

static int one_user(int rc, int64_t n, struct err *e)
{
    if (rc == 0 && n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    return rc;
}

int store_m2m_set(struct db_conn *c, int64_t user_id, struct str digest, struct str sealed,
                  int64_t expiry_us, struct err *e)
{
    int64_t n = 0;
    int rc = db_exec(c, &stmt_m2m_set,
                     DB_ARGS(DB_INT(user_id), digest.p != NULL ? DB_BYTES(digest) : DB_NULL,
                             DB_STR_OR_NULL(sealed), expiry_us != 0 ? DB_TIME(expiry_us) : DB_NULL),
                     &n, e);

    return one_user(rc, n, e);
}

int store_revoke(struct db_conn *c, int64_t user_id, int64_t now_us, struct err *e)
{
    int64_t n = 0;
    int rc = db_exec(c, &stmt_revoke, DB_ARGS(DB_INT(user_id), DB_TIME(now_us)), &n, e);

    return one_user(rc, n, e);
}

int store_unrevoke(struct db_conn *c, int64_t user_id, bool *had_m2m, int64_t *expiry_us,
                   struct err *e)
{
    PGresult *res = NULL;
    int rc = db_query(c, &stmt_unrevoke, DB_ARGS(DB_INT(user_id)), &res, e);

    if (rc == 0)
        rc = one_user(0, PQntuples(res), e);
    if (rc == 0) {
        *had_m2m = db_bool(res, 0, 0);
        *expiry_us = db_time_us(res, 0, 1);
    }
    PQclear(res);
    return rc;
}

int store_reset_begin(struct db_conn *c, struct str username, struct str digest, int64_t now_us,
                      int64_t not_since_us, int64_t until_us, struct auth_reset *out,
                      struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_reset_begin,
                    DB_ARGS(DB_STR(username), DB_BYTES(digest), DB_TIME(now_us),
                            DB_TIME(not_since_us), DB_TIME(until_us)),
                    &res, a, e) != 0)
        return -1;
    if (PQntuples(res) > 0) {
        out->username = db_str(res, 0, 0);
        out->email = db_str(res, 0, 1);
    }
    return 0;
}

static int no_such_link(struct err *e)
{
    err_set(e, ERR_FORBIDDEN, "the link is not valid, or no longer");
    return -1;
}

static int reset_user(struct db_conn *c, const struct db_stmt *s, struct str digest, int64_t now_us,
                      int64_t *user_id, struct err *e)
{
    PGresult *res = NULL;
    int rc = db_query(c, s, DB_ARGS(DB_BYTES(digest), DB_TIME(now_us)), &res, e);

    if (rc == 0 && PQntuples(res) == 0)
        rc = no_such_link(e);
    if (rc == 0)
        *user_id = db_int(res, 0, 0);
    PQclear(res);
    return rc;
}

int store_reset_begin_elsewhere(struct db_conn *c, struct str username, int64_t user_id,
                                struct str digest, struct str details, int64_t now_us,
                                int64_t not_since_us, int64_t until_us, bool *made, struct err *e)
{
    int64_t n = 0;
    int rc = db_exec(c, &stmt_reset_elsewhere,
                     DB_ARGS(DB_STR(username), DB_INT_OR_NULL(user_id), DB_BYTES(digest),
                             DB_TIME(now_us), DB_TIME(not_since_us), DB_TIME(until_us),
                             DB_STR(details)),
                     &n, e);

    *made = n > 0;
    return rc;
}

int store_reset_find(struct db_conn *c, struct str digest, int64_t now_us, int64_t *user_id,
                     struct str *details, struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_reset_find, DB_ARGS(DB_BYTES(digest), DB_TIME(now_us)), &res, a, e) !=
        0)
        return -1;
    if (PQntuples(res) == 0)
        return no_such_link(e);
    *user_id = db_int(res, 0, 0);
    *details = db_str(res, 0, 1);
    return 0;
}

int store_reset_take(struct db_conn *c, struct str digest, int64_t now_us, int64_t *user_id,
                     struct err *e)
{
    return reset_user(c, &stmt_reset_take, digest, now_us, user_id, e);
}

int store_reset_take_elsewhere(struct db_conn *c, struct str digest, int64_t now_us,
                               int64_t *user_id, struct err *e)
{
    return reset_user(c, &stmt_reset_take_elsewhere, digest, now_us, user_id, e);
}

int store_reset_back(struct db_conn *c, struct str digest, struct err *e)
{
    return db_exec(c, &stmt_reset_back, DB_ARGS(DB_BYTES(digest)), NULL, e);
}

int store_superuser(struct db_conn *c, struct str name, struct str hash, bool *made, struct err *e)
{
    PGresult *res = NULL;

    if (db_query(c, &stmt_superuser, DB_ARGS(DB_STR(name), DB_STR(hash)), &res, e) != 0)
        return -1;
    *made = PQntuples(res) > 0;
    PQclear(res);
    return 0;
}
