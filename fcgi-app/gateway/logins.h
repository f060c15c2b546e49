/*
 * Users' own logins on gateways: made when they sign in through a broadsoft entry of the section SSO, used for every
 * call they make through a proxy.
 *
 * Cookies are kept sealed in table gateway_logins, under the family of the tokens they came with, so that all processes share
 * them and they end with the log-in.  Passwords are never kept.  Rules: gateway-proxy.md 5, 6.1 to 6.3.
 */
#ifndef SLUICE_GATEWAY_LOGINS_H
#define SLUICE_GATEWAY_LOGINS_H

#include "gateway/session.h"

/* ---- which gateways users sign in on -------------------------------------------------------------- */

enum { GW_ENTRY_GATEWAYS = 3 };

struct gw_entry {
    struct str name;  /* of the SSO entry */
    struct val entry; /* of the document */
    const struct cfg_gateway *gateways[GW_ENTRY_GATEWAYS]; /* to try, in order */
    size_t n_gateways;
};

/*
 * The enabled broadsoft entry that answers for `proxy` ("" = none asked for): the gateway of that name, else of "default", else
 * each in order.  False when there is none.
 */
bool gw_entry_find(const struct cfg *cfg, struct str proxy, struct gw_entry *out);
/* Do users of this identity provider call gateways under their own login?  True for all but those of another protocol, so that
 * a removed entry never turns its users into local ones. */
bool gw_entry_own_login(const struct cfg *cfg, struct str identity_provider);

/* ---- signing in ------------------------------------------------------------------------------------- */

struct gw_user_login {
    struct str gateway, url;
    struct str cookies;
    int64_t expires_us; /* by the cookies; 0 = 30 minutes after the last use */
    struct val auth;    /* the gateway's whole answer: ids, profile */
};

/*
 * The gateway's login with a user's credentials.  Workers only.
 *
 * refused  the gateway does not accept them (then the error is ERR_UNAUTHORIZED).
 */
MUST_CHECK int gw_user_login(struct http_client_pool *clients, struct gw_sessions *s, const struct cfg_gateway *g,
                             struct str username, struct str password, int64_t now_us, struct gw_user_login *out,
                             bool *refused, struct arena *a, struct err *e);
/*
 * Tell the gateway that a session is given up, where the gateway has a logout_url: nothing depends on it, so it gets 2 s, and a
 * failure is one line in the log.  Workers only; false when no answer came.
 */
bool gw_user_logout(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url, struct str cookies);
/* Keep it for the log-in `family` of a user, sealed. */
MUST_CHECK int gw_user_login_store(struct db_conn *c, const struct cfg *cfg, int64_t user_id, struct str family,
                                   const struct gw_user_login *l, int64_t now_us, struct arena *a, struct err *e);

/* ---- using it ------------------------------------------------------------------------------------------ */

struct gw_logins; /* opened logins of this process, bounded */

/* The logins of users at their gateways, kept in `db`; both arguments outlive it. */
struct gw_logins *gw_logins_new(struct db *db, struct clock *clock);
/* Takes NULL. */
void gw_logins_free(struct gw_logins *l);

/*
 * The session of a user on a gateway and the URL it belongs to: 1 = set, 0 = ask gw_logins_get() on a worker, -1 = ERR_UNAUTHORIZED:
 * over, or of another gateway.
 */
MUST_CHECK int gw_logins_try(struct gw_logins *l, struct str family, const struct cfg_gateway *g, struct str *url,
                             struct gw_session *out, struct arena *a, struct err *e);
/* Likewise, reading the table (and noting the use, at most once a minute).  Workers only. */
MUST_CHECK int gw_logins_get(struct gw_logins *l, const struct cfg *cfg, struct str family, const struct cfg_gateway *g,
                             struct str *url, struct gw_session *out, struct arena *a, struct err *e);
/* The log-in (family) under which a user used the gateway last; ERR_NOT_FOUND when none of his is good there.  Workers only. */
MUST_CHECK int gw_logins_of_user(struct gw_logins *l, int64_t user_id, const struct cfg_gateway *g, struct str *family,
                                 struct arena *a, struct err *e);
/* The gateway does not accept it any more. */
void gw_logins_forget(struct gw_logins *l, struct str family);
/* The error of a session that is over. */
int gw_logins_over(struct err *e);

/* ---- logins_store.c: rows, and refresh tokens of the platform itself --------------------------------- */

struct gw_store; /* serves struct gw_keep */
struct gw_store *gw_store_new(struct db *db, struct cfg_store *cfg);
void gw_store_free(struct gw_store *s);
struct gw_keep gw_store_keep(struct gw_store *s);

struct gw_login_row {
    struct str gateway, url, cookies; /* opened */
};
struct gw_login_rows {
    struct gw_login_row *items;
    size_t n;
};
/* Read the login of a family and note its use; ERR_NOT_FOUND when it is over. */
MUST_CHECK int gw_store_use(struct db_conn *c, const struct cfg *cfg, struct str family, int64_t now_us,
                            struct gw_login_row *out, struct arena *a, struct err *e);

/* Likewise by user: the family of the login used last on a gateway; ERR_NOT_FOUND. */
MUST_CHECK int gw_store_family(struct db_conn *c, int64_t user_id, struct str gateway, int64_t now_us, struct str *family,
                               struct arena *a, struct err *e);

/*
 * The sessions that end with a log-in, to be read before it ends: of the refresh token a caller signed with SHA-1 (with or without
 * "sha1:"), or of all log-ins of a user but `keep_family`.  Those that cannot be opened are left out.
 */
MUST_CHECK int gw_store_of_sign(struct db_conn *c, const struct cfg *cfg, struct str sign, struct gw_login_rows *out,
                                struct arena *a, struct err *e);
MUST_CHECK int gw_store_of_user(struct db_conn *c, const struct cfg *cfg, int64_t user_id, struct str keep_family,
                                struct gw_login_rows *out, struct arena *a, struct err *e);
/* gw_user_logout() for each, until a gateway does not answer.  Workers only, without a borrowed connection. */
void gw_logins_given_up(struct http_client_pool *clients, const struct cfg *cfg, const struct gw_login_rows *rows);

extern const struct db_stmts gateway_logins_stmts;

#endif
