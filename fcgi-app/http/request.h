/*
 * One HTTP request that came in through FastCGI, and its one answer.
 *
 * Nothing else in the program knows what a FCGX_Request is.  The reply is an action, not a return:
 * whoever is finished calls http_reply() exactly once, from any thread, and must not touch the
 * request afterwards.
 */
#ifndef SLUICE_HTTP_REQUEST_H
#define SLUICE_HTTP_REQUEST_H

#include "base/value.h"

struct http_server;
struct loop;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_OTHER
};

struct http_header {
    struct str name; /* as sent to the client; incoming ones in lower case ("content-type") */
    struct str value;
};

struct http_req {
    struct arena *a; /* dies with the reply */
    struct http_server *server;
    struct loop *loop; /* the loop that owns the connection; not necessarily the calling thread */
    enum http_method method;
    struct str method_name; /* "GET" */
    struct str target;      /* REQUEST_URI as received, with query */
    struct str path;        /* its raw path */
    struct str query;       /* without '?', empty when absent */
    struct str content_type;
    struct str remote_addr; /* the client as nginx saw it, or behind trusted proxies: ip_client() */
    struct str scheme;      /* "http" or "https" */
    uint64_t content_length;
    struct str body;   /* complete when !body_pending */
    bool body_pending; /* still on the connection: http_req_body() or http_req_read() */
    bool on_worker;    /* the handler runs on a worker and may block */
    char id[33];       /* X-Request-Id: the client's when sane, else ours */
    int64_t start_us;  /* monotonic */
    int64_t wall_us;
};

/* Header by lower-case name ("authorization"), empty when absent.  Repeated ones are joined by
 * comma and blank, cookies by semicolon and blank. */
struct str http_req_header(const struct http_req *r, const char *name);
/* All headers, living in r->a. */
size_t http_req_headers(struct http_req *r, struct http_header **out);
/* First value of a query parameter, percent-decoded into r->a; .p NULL when absent. */
struct str http_req_param(struct http_req *r, const char *name);
/* Bearer token of the Authorization header, else the auth_token parameter; empty when absent,
 * "null" or "undefined" (what the interface sends before a login, http-api.md 1). */
struct str http_req_bearer(struct http_req *r);

/* Read the whole pending body; workers only.  ERR_LIMIT beyond `max`, ERR_INVALID when it is
 * shorter than announced. */
MUST_CHECK int http_req_body(struct http_req *r, size_t max, struct err *e);
/* Read up to n bytes of the pending body; 0 at its end (and when !body_pending), -1 when the client
 * broke off or paused for 30 s.  Workers only. */
MUST_CHECK ptrdiff_t http_req_read(struct http_req *r, char *buf, size_t n);

enum { HTTP_NOT_YET = -2 };
/* The same without waiting, on the loop: HTTP_NOT_YET when nothing is there just now. */
MUST_CHECK ptrdiff_t http_req_read_now(struct http_req *r, char *buf, size_t n);
/*
 * Call fn(arg) once, on the loop, when http_req_read_now() has something to say again.  NULL: not any
 * more, which is due before the request goes to a worker.  Loop thread only.
 */
void http_req_on_body(struct http_req *r, void (*fn)(void *arg), void *arg);

/* ---- answering ---------------------------------------------------------------------------- */

/* Add a header to the coming answer; CR, LF and NUL in its value are dropped.  Both are copied.
 * Content-Type replaces the one of http_reply; Content-Length counts for streams and HEAD only;
 * Status, X-Request-Id, X-Accel-* (orders to nginx) and what is no name are not taken. */
void http_reply_header(struct http_req *r, struct str name, struct str value);
/* The whole answer at once.  The bytes are copied or sent before it returns. */
void http_reply(struct http_req *r, int status, struct str content_type, struct str body);
/* Compact JSON. */
void http_reply_json(struct http_req *r, int status, struct val v);
/* {"error": msg[, "error_code": n][, "request_id": id]} with the status of e->code
 * (http_status_of), Retry-After on 503. The request id stands in answers from 500 on, where it
 * helps to find the log line. */
void http_reply_error(struct http_req *r, const struct err *e);
/* The same with the id of the request whatever the status: what a proxy refuses or fails (gateway-proxy.md 2.5). */
void http_reply_failure(struct http_req *r, const struct err *e);
int http_status_of(enum err_code code);
const char *http_status_text(int status);

/* A streamed answer: begin, any number of writes, end.  From one thread at a time. */
void http_stream_begin(struct http_req *r, int status);
/*
 * Queue bytes; returns what is queued and not yet taken by nginx.  When it passes what you like,
 * stop and wait for the call of http_stream_on_drain().  SIZE_MAX: the client is gone, and that
 * call is on its way.
 */
size_t http_stream_write(struct http_req *r, const char *p, size_t n);
/*
 * fn(arg) on the loop thread each time everything queued was taken; also, once, when the client is
 * gone (then gone = true; http_stream_end() is still due).  It may be set before the answer begins, to
 * hear of that only.  It is not called any more once http_stream_end() or http_reply() returned; who
 * calls those from another thread must not hold a lock that fn takes.
 */
void http_stream_on_drain(struct http_req *r, void (*fn)(void *arg, bool gone), void *arg);
/* Finish; aborted = the answer is incomplete and nginx must be told (the connection is cut).  Do
 * not touch r afterwards. */
void http_stream_end(struct http_req *r, bool aborted);

/* ---- where to run --------------------------------------------------------------------------- */

/*
 * Go on with the request on a worker, which may block.  When the pool is full the request is
 * answered with 503 and Retry-After and -1 returns: do not touch the request any more.
 */
MUST_CHECK int http_to_worker(struct http_req *r, void (*fn)(struct http_req *r, void *arg),
                              void *arg);
/* Go on on the loop that owns the connection. */
void http_to_loop(struct http_req *r, void (*fn)(struct http_req *r, void *arg), void *arg);

#endif
