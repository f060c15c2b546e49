/*
 * How a gateway learns who calls: one file auth_<way>.c per value of the attribute `auth`.
 *
 * Two kinds.  Ways that compute an Authorization header from the request itself (basic, oauth1, hawk): no state but a clock.
 * Ways that obtain something first (default, oauth2, oracle-sbc): one call to the gateway, whose result session.c keeps.
 *
 * Rules: gateway-proxy.md 4 and 6.1.
 */
#ifndef SLUICE_GATEWAY_SOUTHBOUND_H
#define SLUICE_GATEWAY_SOUTHBOUND_H

#include "config/config.h"
#include "http/client.h"

/* What a signature covers: the request as it goes out. */
struct gw_request {
    struct str method;       /* upper case */
    struct str url;          /* absolute; path and query as sent */
    struct str content_type; /* may be empty */
    struct str body;         /* may be empty */
};

/* ---- headers computed from the request; values living in `a` ----------------------------------- */

/* "Basic ..." (RFC 7617, UTF-8). */
struct str gw_basic(struct str user, struct str password, struct arena *a);

/*
 * "OAuth ..." (RFC 5849).  `extra_params` may hold realm, signature_method, body_hash, oauth_token, oauth_token_secret and other
 * oauth_* parameters; an empty text leaves a parameter out.
 *
 * ERR_BUSY: unknown signature method, PLAINTEXT without https.
 */
MUST_CHECK int gw_oauth1(const struct cfg_gateway *g, const struct gw_request *q, struct str nonce, int64_t now_s,
                         struct str *out, struct arena *a, struct err *e);

/* "Hawk ...", payload hash included when there is a body; ext, app and dlg from `extra_params`.  ERR_BUSY: values that do not
 * fit into the header, unknown algorithm. */
MUST_CHECK int gw_hawk(const struct cfg_gateway *g, const struct gw_request *q, struct str nonce, int64_t now_s,
                       struct str *out, struct arena *a, struct err *e);
/* The clock of the server from the WWW-Authenticate of a 401; false when it tells none or its proof is wrong. */
bool gw_hawk_time(const struct cfg_gateway *g, struct str challenge, int64_t *server_s, struct arena *a);

/* ---- credentials obtained by a call; workers only ------------------------------------------------ */

struct gw_credential {
    const char *header;   /* "Cookie" or "Authorization" */
    struct str value;     /* empty: nothing to add */
    int64_t life_s;       /* how long it may be used; 0 = until it is refused */
    struct str refresh;   /* OAuth 2: to use for the next one; empty = none */
    bool refused;         /* on failure: the gateway does not accept the credentials */
    bool unreachable;     /* on failure: no answer came */
};

/* The gateway's own login: all cookies of the answer. */
MUST_CHECK int gw_default_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                                struct gw_credential *out, struct arena *a, struct err *e);
/* OAuth 2.0 (RFC 6749): with the refresh token when there is one, else with the grant of the configuration. */
MUST_CHECK int gw_oauth2_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                               struct str refresh, struct gw_credential *out, struct arena *a, struct err *e);
MUST_CHECK int gw_oracle_sbc_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                                   struct gw_credential *out, struct arena *a, struct err *e);

/* ---- shared by the above --------------------------------------------------------------------------- */

/* A call of our own to a gateway: its timeouts, TLS settings and outbound proxy. */
struct http_call gw_own_call(const struct cfg_gateway *g, const char *method, struct str url);
/* login_url or check_url made absolute: a path with a slash in front counts from the root of the host of `url`. */
struct str gw_own_url(struct str url, struct str path, struct arena *a);
struct str gw_login_url(const struct cfg_gateway *g, struct str url, struct arena *a);
/* The gateway's own login for anybody: POST {username, password}. */
MUST_CHECK int gw_login_post(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                             struct str username, struct str password, struct http_result *res, struct gw_credential *out,
                             struct arena *a, struct err *e);
/* Make a login call; fills out->unreachable and the error when no answer came. */
MUST_CHECK int gw_login_do(struct http_client_pool *clients, const struct cfg_gateway *g, const struct http_call *call,
                           struct http_result *res, struct gw_credential *out, struct arena *a, struct err *e);
/* An answer that is no success: the error, and whether the credentials were refused. */
int gw_login_refused(const struct cfg_gateway *g, const struct http_result *res, struct gw_credential *out, struct err *e);

/* A received token that may stand in a header: not empty, visible ASCII. */
bool gw_header_safe(struct str token);
/* Every cookie of a Set-Cookie list as one Cookie header value: the last of a name wins, emptied ones go. */
struct str gw_cookies(const struct http_header *headers, size_t n, struct arena *a);

#endif
