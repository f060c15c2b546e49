/*
 * Calls to a gateway on an event loop: libcurl makes the connection (names, TLS, outbound proxies), the framing of
 * HTTP/1.1 is ours, connections are kept alive per loop.
 *
 * libcurl's CONNECT_ONLY is taken because its own transfer loop costs twice as much per call; making a connection may block
 * and therefore happens on a worker.  One thread: everything here belongs to one loop.  Memory: a call holds its head, a piece of
 * its body and what has come of the header block, whatever passes through it.
 */
#ifndef SLUICE_PROXY_UPSTREAM_H
#define SLUICE_PROXY_UPSTREAM_H

#include "config/config.h"
#include "http/loop.h"
#include "http/server.h"
#include "http1.h"

struct up_call;

struct up_request {
    const struct cfg_gateway *gateway; /* outlives the call */
    struct str origin;  /* "https://host:port" */
    struct str head;    /* request head for the wire */
    struct str body;    /* the body, or its beginning when `more` is set; may be empty */
    /*
     * The rest of a body that is still on its way: bytes, 0 at the end, -1 when the client broke off (UP_CLIENT), UP_NOT_YET; then
     * upstream_more() is due.  NULL: `body` is all of it.  Never called back before upstream_start() returns.
     */
    ptrdiff_t (*more)(void *arg, char *buf, size_t n);
    bool chunked;       /* `body` is framed already, what `more` gives is sent as chunks */
    bool is_head;
    bool repeatable;    /* GET and HEAD: may be repeated once when a kept connection turns out dead */
    int64_t silence_ms; /* bounds connecting and each wait for bytes */
    int64_t total_ms;
};

enum { UP_NOT_YET = HTTP_NOT_YET };
/* How long a client may pause within his body. */
#if defined(SLUICE_TEST_BUILD)
enum { UP_CLIENT_MS = 3000 };
#else
enum { UP_CLIENT_MS = 30000 };
#endif

/* How far a failed call got: decides what may be repeated elsewhere.  UP_CLIENT: it was not the upstream's fault. */
enum up_stage { UP_CONNECTING, UP_SENDING, UP_WAITING, UP_ANSWERING, UP_CLIENT };

/*
 * Callbacks on the loop's thread; after `end` the call is gone.
 *
 * head   once.  piece  a slice of the body, valid during the call only.
 * flush  nothing more is there right now: pass on what was gathered.
 * end    e == NULL: the answer is complete.
 */
struct up_handler {
    void (*head)(void *arg, const struct http1_head *h);
    void (*piece)(void *arg, struct str bytes);
    void (*flush)(void *arg);
    void (*end)(void *arg, const struct err *e, enum up_stage stage);
};

/* Start; texts and `arg` must live until `end`.  Never calls back before it returns. */
struct up_call *upstream_start(struct loop *loop, struct http_server *server, const struct up_request *q,
                               const struct up_handler *h, void *arg);
/* More of the request body has come.  The call may end inside. */
void upstream_more(struct up_call *c);
/* Stop and go on reading the answer: back-pressure. */
void upstream_pause(struct up_call *c);
void upstream_resume(struct up_call *c);
/* Give up: the connection is closed, no callback follows. */
void upstream_cancel(struct up_call *c);

#endif
