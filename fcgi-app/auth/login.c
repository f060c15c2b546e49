/*
 * Logging in by password, renewing, logging out (http-api.md 3, 5.1).
 *
 * Whatever is wrong, the caller learns one thing and waits equally long; the reason stands in
 * login_attempts.
 */
#include "auth/auth_int.h"

#include "base/log.h"

enum {
    PASSWORD_MAX = 1000,          /* bytes */
    NAME_KEPT = 200,              /* bytes of a user name or agent that are recorded */
    REPLACED_GRACE_US = 60000000, /* two windows of one browser may renew at the same time */
};

/* Verified for users who do not exist, so that they take as long as others; no password fits. */
static const char dummy_hash[] = "$argon2id$v=19$m=19456,t=2,p=1$c2x1aWNlLW5vLW9uZSEhIQ$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static int refused(struct err *e, const char *reason)
{
    err_set(e, ERR_UNAUTHORIZED, "wrong user name or password");
    err_detail(e, "%s", reason);
    return -1;
}

static bool from_allowed_place(const struct login_user *u, struct str client_ip)
{
    for (size_t i = 0; u->limited && i < val_count(u->nets); i++) {
        struct ip_net net;

        if (ip_net_parse(val_text(val_at(u->nets, i)), &net) && ip_net_has(&net, client_ip))
            return true;
    }
    return !u->limited;
}

/* Why this user cannot log in by any password, or NULL. */
static const char *obstacle(const struct cfg *cfg, const struct login_user *u, struct str client_ip)
{
    if (u->id == 0)
        return "unknown user";
    if (!u->active)
        return "revoked or not active";
    if (!u->local || u->password_disabled || u->hash.len == 0)
        return "no password login";
    if (u->resetting)
        return "password is being reset";
    if (!from_allowed_place(u, client_ip))
        return "address not allowed";
    if (str_eq_c(u->two_fa, "email") || str_eq_c(u->two_fa, "totp") ||
        (cfg_bool(cfg, "gui.2fa.active") && u->email.len > 0))
        return "second factor needed"; /* never let in on the password alone */
    return NULL;
}

/* First half: who is it, and may the password be looked at?  *why is NULL then. */
static int begin(struct auth *au, const struct cfg *cfg, struct str username, struct str client_ip,
                 int64_t now_us, struct login_user *u, const char **why, struct arena *a,
                 struct err *e)
{
    struct db_conn *c = NULL;
    bool locked = false;
    int rc = -1;

    if (db_get(au->db, &c, e) != 0 || store_login_user(c, username, now_us, u, a, e) != 0)
        goto out;
    *why = obstacle(cfg, u, client_ip);
    if (*why == NULL) {
        if (store_login_try(c, u->id, now_us, cfg_int(cfg, "gui.lockout_threshold"),
                            cfg_int(cfg, "gui.lockout_duration") * 60 * 1000000, &locked, e) != 0)
            goto out;
        if (locked)
            *why = "locked";
    }
    rc = 0;
out:
    db_put(au->db, c);
    return rc;
}

static int record_failure(struct auth *au, const struct login_record *r, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = -1;

    if (db_get(au->db, &c, e) == 0 && store_login_failed(c, r, e) == 0) {
        log_info("auth.refused", "user_id=%lld ip=%.*s reason=" LOG_Q, (long long)r->user_id,
                 STR_ARG(r->ip), r->reason);
        rc = refused(e, r->reason);
    }
    db_put(au->db, c);
    return rc;
}

/* Second half: tokens. */
static int finish(struct auth *au, const struct cfg *cfg, const struct login_user *u,
                  const struct login_record *r, struct str password, struct auth_tokens *out,
                  struct arena *a, struct err *e)
{
    struct db_conn *c = NULL;
    struct err broken = {0};
    struct str family;
    char text[FAMILY_LEN + 1];
    bool must_change;
    int rc = -1;

    token_family_new(text);
    out->family = family = str_dup(a, str_c(text));
    if (token_issue(au, cfg, TOKEN_ACCESS, u->id, family, &out->access_token, a, e) != 0 ||
        token_issue(au, cfg, TOKEN_REFRESH, u->id, family, &out->refresh_token, a, e) != 0)
        return -1;
    must_change = password.p != NULL && !u->need_change &&
                  cfg_bool(cfg, "password.force_change_password_if_dont_match") &&
                  auth_password_check(cfg, r->username, password, &broken) != 0;
    if (db_get(au->db, &c, e) != 0)
        goto out;
    if (must_change && store_must_change(c, u->id, e) != 0)
        goto out;
    if (store_login_done(c, r, family, out->refresh_token,
                         r->now_us + (int64_t)REFRESH_LIFE_S * 1000000, e) != 0)
        goto out;
    rc = 0;
out:
    db_put(au->db, c);
    return rc;
}

int auth_login(struct auth *au, const struct cfg *cfg, struct str username, struct str password,
               struct str client_ip, struct str user_agent, struct auth_tokens *out,
               struct arena *a, struct err *e)
{
    struct login_record r = {.username = str_slice(username, 0, NAME_KEPT),
                             .ip = client_ip,
                             .user_agent = str_slice(user_agent, 0, NAME_KEPT),
                             .now_us = clock_wall_us(au->clock)};
    struct login_user u;
    bool right;

    if (begin(au, cfg, username, client_ip, r.now_us, &u, &r.reason, a, e) != 0)
        return -1;
    right = password_verify(r.reason == NULL ? u.hash : str_c(dummy_hash),
                            str_slice(password, 0, PASSWORD_MAX));
    if (r.reason == NULL && (!right || password.len > PASSWORD_MAX))
        r.reason = "wrong password";
    r.user_id = u.id;
    if (r.reason != NULL)
        return record_failure(au, &r, e);
    *out = (struct auth_tokens){
        .ui_profile = u.ui_profile, .email_set = u.email.len > 0, .user_id = u.id};
    if (u.token_valid && auth_m2m_show(cfg, u.id, u.token_sealed, &out->token, a, e) != 0) {
        log_err(LOG_ERROR_LEVEL, "auth.m2m", e); /* no reason to keep him out */
        err_clear(e);
        out->token = STR("");
    }
    return finish(au, cfg, &u, &r, password, out, a, e);
}

/* ---- users of identity providers ------------------------------------------------------------- */

static struct login_record record_of(struct auth *au, struct str username, struct str client_ip,
                                     struct str user_agent)
{
    return (struct login_record){.username = str_slice(username, 0, NAME_KEPT),
                                 .ip = client_ip,
                                 .user_agent = str_slice(user_agent, 0, NAME_KEPT),
                                 .now_us = clock_wall_us(au->clock)};
}

int auth_login_foreign(struct auth *au, const struct cfg *cfg, struct str username,
                       struct str client_ip, struct str user_agent, struct auth_tokens *out,
                       struct arena *a, struct err *e)
{
    struct login_record r = record_of(au, username, client_ip, user_agent);
    struct db_conn *c = NULL;
    struct login_user u;
    int rc = -1;

    if (db_get(au->db, &c, e) == 0)
        rc = store_login_user(c, username, r.now_us, &u, a, e);
    db_put(au->db, c);
    if (rc != 0)
        return -1;
    if (u.id == 0 || u.local)
        r.reason = "no account of an identity provider";
    else if (!u.active)
        r.reason = "revoked or not active";
    else if (!from_allowed_place(&u, client_ip))
        r.reason = "address not allowed";
    r.user_id = u.id;
    if (r.reason != NULL)
        return record_failure(au, &r, e);
    *out = (struct auth_tokens){
        .ui_profile = u.ui_profile, .email_set = u.email.len > 0, .user_id = u.id};
    return finish(au, cfg, &u, &r, STR_NONE, out, a, e);
}

int auth_login_turned_away(struct auth *au, struct str username, struct str client_ip,
                           struct str user_agent, const char *reason, struct err *e)
{
    struct login_record r = record_of(au, username, client_ip, user_agent);

    r.reason = reason;
    return record_failure(au, &r, e);
}

int auth_end(struct auth *au, struct str family, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = -1;

    if (db_get(au->db, &c, e) == 0 &&
        store_end_family(c, family, clock_wall_us(au->clock), e) == 0) {
        auth_forget(au);
        rc = 0;
    }
    db_put(au->db, c);
    return rc;
}

int auth_end_others(struct auth *au, struct db_conn *c, int64_t user_id, struct str keep_family,
                    struct err *e)
{
    if (store_end_user(c, user_id, keep_family, clock_wall_us(au->clock), e) != 0)
        return -1;
    auth_forget(au);
    return 0;
}

/* ---- renewing
 * ------------------------------------------------------------------------------------ */

/* A new refresh token when less than a third of the old one's life is left. */
static int maybe_replace(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                         const struct refresh_row *row, struct str family, int64_t now_us,
                         struct auth_tokens *out, struct arena *a, struct err *e)
{
    int64_t life_us = (int64_t)REFRESH_LIFE_S * 1000000;
    struct str token;
    bool replaced = false;

    if (row->replaced_us != 0 || row->expires_us - now_us > life_us / 3)
        return store_refresh_used(c, row->id, now_us, e);
    if (token_issue(au, cfg, TOKEN_REFRESH, row->user_id, family, &token, a, e) != 0 ||
        store_refresh_replace(c, row, token, now_us, now_us + life_us, &replaced, e) != 0)
        return -1;
    if (replaced)
        out->refresh_token = token;
    return 0;
}

/* The row of a refresh token that may still be used. */
static int usable_row(struct db_conn *c, struct str token, const struct token_claims *t,
                      int64_t now_us, struct refresh_row *row, struct arena *a, struct err *e)
{
    if (store_refresh_find(c, token, row, a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_UNAUTHORIZED, "token not valid");
        return -1;
    }
    if (row->usable && row->replaced_us != 0 && now_us - row->replaced_us > REPLACED_GRACE_US) {
        /* somebody holds a token that was given up: end the log-in it came from */
        log_warn("auth.reused", "user_id=%lld family=%.*s", (long long)row->user_id,
                 STR_ARG(t->family));
        if (store_end_family(c, t->family, now_us, e) != 0)
            return -1;
        row->usable = false;
    }
    if (!row->usable || row->user_id != t->user_id || row->expires_us <= now_us) {
        err_set(e, ERR_UNAUTHORIZED, "token not valid");
        return -1;
    }
    return 0;
}

int auth_refresh(struct auth *au, const struct cfg *cfg, struct str refresh_token,
                 struct auth_tokens *out, struct arena *a, struct err *e)
{
    int64_t now_us = clock_wall_us(au->clock);
    struct db_conn *c = NULL;
    struct token_claims t;
    struct refresh_row row;
    int rc = -1;

    *out = (struct auth_tokens){0};
    if (token_read(au, cfg, TOKEN_REFRESH, refresh_token, &t, a, e) != 0)
        return -1;
    if (db_get(au->db, &c, e) != 0 || usable_row(c, refresh_token, &t, now_us, &row, a, e) != 0)
        goto out;
    if (token_issue(au, cfg, TOKEN_ACCESS, row.user_id, t.family, &out->access_token, a, e) != 0 ||
        maybe_replace(au, cfg, c, &row, t.family, now_us, out, a, e) != 0)
        goto out;
    out->ui_profile = row.ui_profile;
    out->email_set = row.email_set;
    out->user_id = row.user_id;
    rc = 0;
out:
    db_put(au->db, c);
    return rc;
}

int auth_logout(struct auth *au, struct str hex, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = -1;

    if (str_starts(hex, STR("sha1:")))
        hex = str_slice(hex, 5, hex.len);
    if (hex.len != 40)
        return 0;
    for (size_t i = 0; i < hex.len; i++)
        if (strchr("0123456789abcdefABCDEF", hex.p[i]) == NULL || hex.p[i] == '\0')
            return 0;
    if (db_get(au->db, &c, e) == 0 && store_end_sha1(c, hex, clock_wall_us(au->clock), e) == 0) {
        auth_forget(au);
        rc = 0;
    }
    db_put(au->db, c);
    return rc;
}
