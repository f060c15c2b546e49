/*
 * Which URL of a gateway is in use, and the session this process holds there as the platform itself.
 *
 * A session is what must be added to each call: nothing, Basic credentials, the cookies of the gateway's own login, a token,
 * or a signature over the call itself.  One login is in flight per gateway and URL; everybody else waits for it.
 *
 * Rules: gateway-proxy.md 3 (backup_urls), 4 (auth), 6.2 (system login).
 */
#ifndef SLUICE_GATEWAY_SESSION_H
#define SLUICE_GATEWAY_SESSION_H

#include "gateway/southbound.h"

struct gw_sessions;

/* No session yet; both arguments outlive it. */
struct gw_sessions *gw_sessions_new(struct http_client_pool *clients, struct clock *clock);
/* Forgets all sessions, wiping what is secret.  Takes NULL. */
void gw_sessions_free(struct gw_sessions *s);

/* ---- which URL (urls.c); any thread, never blocks ------------------------------------------------------------ */

/* The URL in use (main or backup), living in the snapshot. */
struct str gw_url(struct gw_sessions *s, const struct cfg_gateway *g);
/*
 * The URL a new call goes to: the one in use, or another one when its circuit is open (gateway/breaker.h).  All of them open:
 * ERR_BUSY, e->retry_s says when it is worth asking again.  Follow a yes by gw_url_answered() or gw_url_failed(); a call given up
 * by its client needs neither.
 */
MUST_CHECK int gw_url_take(struct gw_sessions *s, const struct cfg_gateway *g, struct str *url, struct err *e);
/* The same for a call that can only go to `url`. */
MUST_CHECK int gw_url_admit(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct err *e);
/* An answer came from `url`, whatever it says. */
void gw_url_answered(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, int status);
/* A network error at `url`: later calls use the next one, if this is the one in use. */
void gw_url_failed(struct gw_sessions *s, const struct cfg_gateway *g, struct str url);
/* A check that began age_ms ago found the main URL healthy: back to it, unless it failed after that. */
void gw_url_healthy(struct gw_sessions *s, const struct cfg_gateway *g, int64_t age_ms);

enum { GW_CIRCUIT_NAME = 128 };

struct gw_circuit {
    char gateway[GW_CIRCUIT_NAME];
    bool open;         /* calls are refused: every URL failed too often */
    uint64_t failures; /* network errors since the start */
};

/* Gateways that had a network error or have backups, at most `max`; how many. */
size_t gw_circuits(struct gw_sessions *s, struct gw_circuit *out, size_t max);
/* Answers of gateways since the start, and those of them with status 500 and above. */
void gw_answers(struct gw_sessions *s, uint64_t *all, uint64_t *bad);

/* ---- sessions -------------------------------------------------------------------------------------------------- */
/* -1 with ERR_BUSY `gateway "x" is disabled`: nothing may be sent to it. */
MUST_CHECK int gw_enabled(const struct cfg_gateway *g, struct err *e);

struct gw_session {
    struct http_header *headers; /* to add, living in the arena given */
    size_t n_headers;
    uint64_t stamp; /* which login it was, for gw_session_refused() */
    bool renewable; /* a refused session can be replaced by a new login */
    bool signs;     /* each request needs gw_session_sign() */
    bool unreachable; /* gw_session() failed because no answer came: another URL may do better */
};

/* The session if it is there without waiting: 1 = *out is set, 0 = ask gw_session() on a worker, -1 = error as there. */
MUST_CHECK int gw_session_try(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                              struct arena *a, struct err *e);
/*
 * The session, logging in when needed.  Workers only.
 *
 * Fails with ERR_BUSY (unknown auth; two refused logins: waits 30 s), ERR_UPSTREAM (away, or "gateway X refused the system
 * login"), ERR_TIMEOUT.
 */
MUST_CHECK int gw_session(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                          struct arena *a, struct err *e);
/*
 * Sign one request where session->signs says so (oauth1, hawk); else nothing happens.  Any thread, never blocks.  What `q` says
 * must go out as it is.  ERR_BUSY: the configuration does not allow it.
 */
MUST_CHECK int gw_session_sign(struct gw_sessions *s, const struct cfg_gateway *g, const struct gw_request *q,
                               struct gw_session *session, struct arena *a, struct err *e);
/*
 * A call with this session was answered 401: is it worth a repetition?  challenge: its WWW-Authenticate, from which the clock of a
 * hawk server is learnt.  Follow a yes by gw_session_refused().
 */
bool gw_session_again(struct gw_sessions *s, const struct cfg_gateway *g, const struct gw_session *session,
                      struct str challenge, struct arena *a);
/* A call with this session was answered 401: forget it, unless somebody already did. */
void gw_session_refused(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, uint64_t stamp);

/* Where refresh tokens survive a restart.  Called on workers, without a lock; a failure is the callee's to log. */
struct gw_keep {
    void *arg;
    struct str (*load)(void *arg, const struct cfg_gateway *g, struct str url, struct arena *a); /* empty: none */
    void (*save)(void *arg, const struct cfg_gateway *g, struct str url, struct str token); /* empty: forget it */
};
/* Before the first call; the pointers must outlive the sessions. */
void gw_sessions_keep(struct gw_sessions *s, const struct gw_keep *keep);

#endif
