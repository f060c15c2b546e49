/*
 * Signing in on a gateway (gateway-proxy.md 6): users whom the platform does not know itself.
 */
#ifndef SLUICE_API_LOGIN_GATEWAY_H
#define SLUICE_API_LOGIN_GATEWAY_H

#include "api/api.h"

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

extern const struct db_stmts login_gateway_stmts, password_gateway_stmts;

#endif
