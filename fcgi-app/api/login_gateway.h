/*
 * Signing in on a gateway (gateway-proxy.md 6): users whom the platform does not know itself.
 */
#ifndef SLUICE_API_LOGIN_GATEWAY_H
#define SLUICE_API_LOGIN_GATEWAY_H

#include "api/api.h"
#include "http/client.h"

/*
 * Sign in through the enabled broadsoft entry of section SSO: the gateway checks the credentials, rules of the entry look at its
 * answer, the account is made or refreshed, its session on the gateway kept with the tokens.
 *
 * proxy   name the caller chose, may be empty.  c->conn may be NULL.
 * answer  set with the tokens: all the gateway said.
 * Returns 1 with tokens, 0 when this user is a local account or no entry applies (nothing was done), -1 with ERR_UNAUTHORIZED
 * (one text for all reasons, the reason recorded) or the failure of the gateway.
 */
MUST_CHECK int login_by_gateway(struct api_call *c, struct str username, struct str password, struct str proxy,
                                struct auth_tokens *out, struct val *answer, struct err *e);

/*
 * The caller changes his password where he signed in (password_gateway.c): 1 = done, his other log-ins ended; 0 = his password is
 * ours; -1 with ERR_INVALID (wrong old one, refused by the gateway), ERR_UNAUTHORIZED (session over) or the gateway's failure.
 * c->conn is given back and borrowed again.
 */
MUST_CHECK int password_by_gateway(struct api_call *c, struct str old, struct str password, struct err *e);

/* ---- accounts of a gateway (password_gateway.c) --------------------------------------------------------- */

enum { GATEWAY_USER = 0, GATEWAY_GROUP_ADMIN = 8, GATEWAY_TENANT_ADMIN = 12 };

/* Where the gateway keeps an account of this level, below its API root: "/tenants/T/groups/G/users/U/"; .p NULL when the ids do not
 * say, or the level has no such place.  ids: tenant_id, group_id, user_id (username when absent). */
struct str gateway_account_path(struct val ids, int64_t level, struct str username, struct arena *a);
/* Its answer to a new password: 0, or ERR_INVALID (refused) and ERR_UPSTREAM, with what it said. */
MUST_CHECK int gateway_password_answer(const struct cfg_gateway *g, const struct http_result *res, struct arena *a,
                                       struct err *e);
/* He need not change it any more. */
MUST_CHECK int gateway_password_changed(struct api_call *c, int64_t user_id, struct err *e);

/* ---- forgotten passwords (reset_gateway.c); c->conn is given back and borrowed again -------------------------- */

/* Look for the person on the gateways `proxy` may mean and make a token; out->username.p NULL: nobody there, nothing to send. */
MUST_CHECK int reset_gateway_begin(struct api_call *c, struct str username, struct str proxy, struct auth_reset *out,
                                   struct err *e);
/* The token in c->params[0] is used up and the password set where `elsewhere` says; good again when the gateway refuses. */
MUST_CHECK int reset_gateway_finish(struct api_call *c, struct val elsewhere, struct str password, struct err *e);
/* The gateway's own rules for it; an empty object when it does not tell, or the password is ours. */
struct val reset_gateway_rules(struct api_call *c, struct val elsewhere);

extern const struct db_stmts login_gateway_stmts, password_gateway_stmts, reset_gateway_stmts;

#endif
