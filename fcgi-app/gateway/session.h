/*
 * Which URL of a gateway is in use, and the session this process holds there as the platform itself.
 *
 * A session is what must be added to each call: nothing, Basic credentials, or the cookies of the gateway's own
 * login.  One login is in flight per gateway and URL; everybody else waits for it.
 *
 * Rules: gateway-proxy.md 3 (backup_urls), 4 (auth), 6.2 (system login).
 */
#ifndef SLUICE_GATEWAY_SESSION_H
#define SLUICE_GATEWAY_SESSION_H

#include "config/config.h"
#include "http/client.h"

struct gw_sessions;

struct gw_sessions *gw_sessions_new(struct http_client_pool *clients, struct clock *clock);
void gw_sessions_free(struct gw_sessions *s);

/* The URL to call now (main or backup), living in the snapshot. */
struct str gw_url(struct gw_sessions *s, const struct cfg_gateway *g);
/* A network error at `url`: later calls use the next one.  Ignored when `url` is not in use any more. */
void gw_url_failed(struct gw_sessions *s, const struct cfg_gateway *g, struct str url);

struct gw_session {
    struct http_header *headers; /* to add, living in the arena given */
    size_t n_headers;
    uint64_t stamp; /* which login it was, for gw_session_refused() */
    bool renewable; /* a refused session can be replaced by a new login */
};

/* The session if it is there without waiting: 1 = *out is set, 0 = ask gw_session() on a worker, -1 = error as there. */
MUST_CHECK int gw_session_try(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                              struct arena *a, struct err *e);
/*
 * The session, logging in when needed.  Workers only.
 *
 * Fails with ERR_BUSY (unknown auth; two refused logins: waits 30 s), ERR_UPSTREAM, ERR_TIMEOUT.
 */
MUST_CHECK int gw_session(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                          struct arena *a, struct err *e);
/* A call with this session was answered 401: forget it, unless somebody already did. */
void gw_session_refused(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, uint64_t stamp);

/* Every cookie of a Set-Cookie list as one Cookie header value: the last of a name wins, emptied ones go. */
struct str gw_cookies(const struct http_header *headers, size_t n, struct arena *a);

#endif
