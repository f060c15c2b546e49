/*
 * Who calls, and what he may do.
 *
 * Identifying a bearer token is a cache hit on the loop in nearly all cases; the first time, after a
 * change of users, and for one request each 45 s, it takes a worker.  Rules: http-api.md 3 and 4, gateway-proxy.md 5.
 */
#ifndef SLUICE_AUTH_AUTH_H
#define SLUICE_AUTH_AUTH_H

#include "config/config.h"

/* The user behind a request; lives in the arena it was asked for, texts included. */
struct principal {
    int64_t id;
    struct str username, email, first_name, last_name, mobile_number, language, timezone,
        ui_profile, entity;
    bool is_system;
    bool need_password_change;
    int64_t profile_id;
    const struct cfg_profile *profile; /* of the snapshot given; NULL = none */
    struct val roles;                  /* list of names */
    struct val role_ids;               /* list of ids */
    struct val groups;
    struct val properties;
    struct str token_id; /* jti, "" for an M2M token */
    struct str identity_provider; /* SSO entry he comes from, "" for a local account */
};

/* The log-in a caller's token comes from (a UUID; refresh_tokens.family,
 * gateway_logins.token_family), "" for an M2M token. */
struct str auth_family(const struct principal *p);

struct auth;

/* Everything given outlives it. */
struct auth *auth_new(struct db *db, struct cfg_store *cfg, struct clock *clock);
/* Takes NULL. */
void auth_free(struct auth *a);
/* Forget cached principals: users, roles or tokens changed.  (Profiles and the keys of tokens need none of it: the
 * snapshot a caller is identified with says both.) */
void auth_forget(struct auth *a);

struct auth_counts {
    uint64_t read;   /* times a caller's rows were asked for */
    uint64_t joined; /* requests that waited for somebody else's asking */
};
struct auth_counts auth_counts(struct auth *au);

enum auth_rc {
    AUTH_OK,
    AUTH_REFUSED, /* e is set: 401, or 403 */
    AUTH_ASK,     /* not known yet: call again from a worker */
};

/*
 * Identify the caller by an access or M2M token.
 *
 * may_block  true on a worker: then AUTH_ASK is never returned.
 * client_ip  for accounts with an IP whitelist.
 * A missing or unusable token is ERR_UNAUTHORIZED; a revoked user too; refresh tokens are refused.
 */
enum auth_rc auth_identify(struct auth *au, const struct cfg *cfg, struct str bearer,
                           struct str client_ip, bool may_block, struct principal *out,
                           struct arena *a, struct err *e);

struct auth_tokens {
    struct str access_token, refresh_token, token /* M2M, or empty */, ui_profile;
    struct str family; /* of auth_login() and auth_login_foreign() only */
    bool email_set;
    int64_t user_id;
};

/* Password login of a local user: lockout, argon2id, attempt recorded.  Workers only.
 * ERR_UNAUTHORIZED with one text for all reasons; app_code 0. */
MUST_CHECK int auth_login(struct auth *au, const struct cfg *cfg, struct str username,
                          struct str password, struct str client_ip, struct str user_agent,
                          struct auth_tokens *out, struct arena *a, struct err *e);
/* Tokens for a user of an identity provider that has just accepted him: the account must be active, not
 * local, and used from an allowed place; else the error of auth_login().  Workers only. */
MUST_CHECK int auth_login_foreign(struct auth *au, const struct cfg *cfg, struct str username,
                                  struct str client_ip, struct str user_agent,
                                  struct auth_tokens *out, struct arena *a, struct err *e);
/* Record that the identity provider, or a rule on its answer, turned somebody away: always the error
 * of auth_login(), and `reason` in login_attempts. */
int auth_login_turned_away(struct auth *au, struct str username, struct str client_ip,
                           struct str user_agent, const char *reason, struct err *e);
/* A new access token for a refresh token (and a new refresh token when the old one is about to
 * expire). */
MUST_CHECK int auth_refresh(struct auth *au, const struct cfg *cfg, struct str refresh_token,
                            struct auth_tokens *out, struct arena *a, struct err *e);
/* Forget the refresh token whose SHA-1 is `hex` (with or without "sha1:"), and its family.  Never
 * fails for unknown ones. */
MUST_CHECK int auth_logout(struct auth *au, struct str hex, struct err *e);
/* End one log-in with all its tokens and gateway sessions (auth_family()). */
MUST_CHECK int auth_end(struct auth *au, struct str family, struct err *e);
/* End all log-ins of a user but `keep_family`: his password changed elsewhere. */
MUST_CHECK int auth_end_others(struct auth *au, struct db_conn *c, int64_t user_id,
                               struct str keep_family, struct err *e);
/* PEM of the verifying key. */
struct str auth_public_key(const struct cfg *cfg, struct arena *a);

/* Password rules of section `password` of the document; ERR_INVALID says which one is broken. */
MUST_CHECK int auth_password_check(const struct cfg *cfg, struct str username, struct str password,
                                   struct err *e);
/* The same and what needs the database: former passwords, the old one backwards, weak ones. user_id
 * 0: a new user. */
MUST_CHECK int auth_password_check_user(const struct cfg *cfg, struct db_conn *c, int64_t user_id,
                                        struct str username, struct str password, struct err *e);
/* Is it the user's password?  Counts towards the lockout as a log-in does; ERR_INVALID "wrong
 * password". */
MUST_CHECK int auth_password_confirm(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                                     int64_t user_id, struct str password, struct err *e);
/* Set a password (hash stored, refresh tokens of the user ended, must-change flag set as told). */
MUST_CHECK int auth_password_set(struct auth *au, struct db_conn *c, int64_t user_id,
                                 struct str password, bool must_change, struct err *e);
/* As auth_password_set for the caller's own password: the log-in `keep_family` goes on, all others
 * end. */
MUST_CHECK int auth_password_change(struct auth *au, struct db_conn *c, int64_t user_id,
                                    struct str password, struct str keep_family, struct err *e);

/*
 * M2M tokens: opaque, one per user, shown again to its owner.
 *
 * auth_m2m_new makes one (replacing) valid until expiry_us (0 = for ever); auth_m2m_drop removes
 * it; auth_m2m_show opens users.token_sealed, giving "" when it is empty.
 */
MUST_CHECK int auth_m2m_new(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                            int64_t user_id, int64_t expiry_us, struct str *out, struct arena *a,
                            struct err *e);
MUST_CHECK int auth_m2m_drop(struct auth *au, struct db_conn *c, int64_t user_id, struct err *e);
MUST_CHECK int auth_m2m_show(const struct cfg *cfg, int64_t user_id, struct str sealed,
                             struct str *out, struct arena *a, struct err *e);

/* Take a user's access away at once (status REVOKED, tokens void), and give it back with a new M2M
 * token if there was one. ERR_NOT_FOUND "no such user". */
MUST_CHECK int auth_revoke(struct auth *au, struct db_conn *c, int64_t user_id, struct err *e);
MUST_CHECK int auth_unrevoke(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                             int64_t user_id, struct err *e);
/* A password reset that began; .username.p NULL: nothing is to be sent. */
struct auth_reset {
    struct str username, email, token;
};

/*
 * Resets of forgotten passwords (http-api.md 3.4); the caller holds the transaction.
 *
 * auth_reset_begin  makes a token for a local user, at most every 5 minutes, valid for 20; gives
 *                   nothing for others, without an error.
 * auth_reset_check  ERR_FORBIDDEN "the link is not valid, or no longer"; *elsewhere as for
 *                   auth_reset_begin_elsewhere(), an empty object for a password of ours.
 * auth_reset_finish uses the token up and sets the password; ERR_FORBIDDEN, or ERR_INVALID when the
 *                   password breaks a rule (roll back: the token stays good).
 */
MUST_CHECK int auth_reset_begin(struct auth *au, struct db_conn *c, struct str username,
                                struct auth_reset *out, struct arena *a, struct err *e);
MUST_CHECK int auth_reset_check(struct auth *au, struct db_conn *c, struct str token,
                                struct val *elsewhere, struct arena *a, struct err *e);
MUST_CHECK int auth_reset_finish(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                                 struct str token, struct str password, struct err *e);
/*
 * Resets of passwords that somebody else keeps: an identity provider.
 *
 * begin  as auth_reset_begin(), for a name that need not be known here (user_id 0); `elsewhere` is an object that says where,
 *        with the member "username".
 * take   uses the token up, and others of that name; *user_id as given.
 * back   the other one refused: the token is good again.
 */
MUST_CHECK int auth_reset_begin_elsewhere(struct auth *au, struct db_conn *c, int64_t user_id,
                                          struct val elsewhere, struct auth_reset *out,
                                          struct arena *a, struct err *e);
MUST_CHECK int auth_reset_take_elsewhere(struct auth *au, struct db_conn *c, struct str token,
                                         int64_t *user_id, struct err *e);
MUST_CHECK int auth_reset_back(struct db_conn *c, struct str token, struct err *e);

/* -newsuperuser (migration.md 2.1): ERR_CONFLICT with the documented text when the name exists. */
MUST_CHECK int auth_new_superuser(struct db_conn *c, struct str name, struct str password,
                                  struct err *e);
/*
 * The same, telling standard output "user NAME password PASSWORD": who cannot be told gets no user.
 * auth_can_tell() comes before anything is opened, since a file or connection opened afterwards
 * would take the number of a closed output; ERR_INTERNAL.
 */
MUST_CHECK int auth_can_tell(struct err *e);
MUST_CHECK int auth_tell_superuser(struct db_conn *c, struct str name, struct str password,
                                   struct err *e);

extern const struct db_stmts auth_stmts;

#endif
