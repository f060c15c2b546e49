/*
 * Calling other HTTP servers from a worker: libcurl, a handle per call from a pool, kept-alive
 * connections.
 */
#ifndef SLUICE_HTTP_CLIENT_H
#define SLUICE_HTTP_CLIENT_H

#include "base/ip_guard.h"
#include "http/request.h"

struct http_client_pool;

struct http_part { /* multipart/form-data */
    struct str name;
    struct str value;
    struct str filename; /* .p NULL: a plain field */
    struct str mime;
};

struct http_call {
    struct str method; /* "GET" */
    struct str url;    /* absolute, http or https */
    const struct http_header *headers;
    size_t n_headers;
    struct str body; /* .p NULL: none */
    const struct http_part *parts;
    size_t n_parts;
    int64_t connect_ms;                 /* 0 = 10 s */
    int64_t total_ms;                   /* 0 = 60 s */
    bool tls_insecure;                  /* tls_verify: false */
    struct str tls_ca;                  /* authorities to trust besides the system's, PEM */
    struct str proxy;                   /* outbound proxy URL; never from the environment */
    struct str client_cert, client_key; /* PEM texts */
    size_t max_body;                    /* 0 = LIMIT_UPSTREAM_BODY */
    /* Takes the body of an answer 200 piece by piece, whatever its size; false: no more is wanted, the
     * call fails.  NULL, and for other answers: the body is in the result. */
    bool (*sink)(void *ctx, struct str piece);
    void *sink_ctx;
    enum ip_guard guard; /* which addresses may be connected to; with an outbound proxy: its own */
};

struct http_result {
    int status;
    struct http_header *headers; /* lower-case names, in order */
    size_t n_headers;
    struct str body;
    int64_t elapsed_us;
    struct str primary_ip;
    bool connected; /* on failure: a connection was made, so bytes may have been sent */
};

/* Library-wide initialisation, once from main() before any thread.  Ignores SIGPIPE. */
void http_client_init(void);
struct http_client_pool *http_client_pool_new(void);
void http_client_pool_free(struct http_client_pool *p);

/*
 * Make the call and wait.  Redirects are never followed; GET and HEAD are sent a second time when a
 * kept connection breaks before the first byte of the answer, other methods never
 * (gateway-proxy.md 2.8).
 *
 * out   living in `a`.
 * Fails with ERR_UPSTREAM (name, refused, TLS, reset, answer too large), ERR_TIMEOUT, ERR_INVALID
 * (bad URL; an address the guard refuses: nothing was sent); the message names host and port, never credentials or the query. Threads: any worker;
 * a handle is borrowed for the call.
 */
MUST_CHECK int http_client_do(struct http_client_pool *p, const struct http_call *c,
                              struct http_result *out, struct arena *a, struct err *e);
/* What libcurl says, as our messages are: the first letter small, no full stop.  In `a`. */
struct str http_client_words(const char *text, struct arena *a);
/* Of what libcurl says, why the peer ended TLS ("tlsv13 alert certificate required"); empty when it did not. */
struct str http_client_alert(const char *text, struct arena *a);
struct str http_result_header(const struct http_result *r, const char *name);

#endif
