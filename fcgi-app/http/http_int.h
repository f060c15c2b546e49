/*
 * What the files of the server share: connection, loop-side state, server.  Not for other folders.
 *
 * A connection lives on one loop (its home).  Its state says who may touch it:
 *
 * - CONN_IDLE: the home loop; bytes that arrive are a request.
 *
 * - CONN_BUSY: whoever holds the request; the loop still watches.
 *
 * - CONN_BUSY_UNWATCHED: likewise, and the loop stopped watching, so whoever finishes must send the
 *   connection back to the loop.
 *
 * So an ordinary request costs no epoll_ctl and no hand-off.
 */
#ifndef SLUICE_HTTP_HTTP_INT_H
#define SLUICE_HTTP_HTTP_INT_H

#include <fcgiapp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "http/frame.h"
#include "http/loop.h"
#include "http/server.h"

enum conn_state { CONN_IDLE, CONN_BUSY, CONN_BUSY_UNWATCHED };

/* What an event of the connection means to its loop. */
enum conn_mode {
    MODE_READ,    /* waiting for a request */
    MODE_INTAKE,  /* a part of one has arrived */
    MODE_WRITE,   /* waiting until the socket takes more of the answer, or brings more of the body */
    MODE_DISCARD, /* reading away what nobody wants, then again MODE_READ or closing */
};

enum reply_phase { REPLY_OPEN, REPLY_STREAMING, REPLY_ENDED };

/* Bytes of requests that did not arrive in one piece. */
struct intake {
    char *p;
    size_t len, cap;
    size_t head_end;   /* the border between head and body; 0 = not seen yet */
    size_t scanned;    /* bytes the scan has followed */
    size_t fed;        /* bytes given to libfcgi or thrown away */
    size_t taken;      /* of those, bytes it has read */
    struct frame scan; /* while it gathers */
    struct frame fed_frame;
    uint64_t unread; /* body bytes given to libfcgi and not yet read from it */
};

struct out_queue { /* bytes the socket did not take */
    char *p;
    size_t head, len, cap;
};

struct env_header {
    struct str name; /* "X_FORWARDED_FOR" */
    struct str value;
};

struct home;

struct conn {
    struct http_req req;
    struct home *home;
    int fd;
    FCGX_Request fcgi;
    atomic_int state; /* enum conn_state */
    atomic_bool gone; /* the peer closed, or a write failed */

    /* the request, by whoever holds it */
    struct env_header *headers;
    size_t n_headers;
    uint16_t request_id;
    bool has_length; /* CONTENT_LENGTH was given */
    bool at_once;    /* arrived in one piece: the intake is not used */
    struct intake in;
    atomic_int phase; /* enum reply_phase */
    struct buf extra; /* added headers, as text */
    bool has_type, has_reply_length;
    bool no_body; /* HEAD, 204, 304: body bytes are dropped */
    bool cut;     /* close without ending the request */

    /* the home loop only */
    struct loop_watch *watch;
    uint32_t watched;
    enum conn_mode mode;
    bool close_after; /* MODE_DISCARD: until the peer closes */
    uint64_t discarded;
    struct loop_timer *timer;
    struct conn *prev, *next;
    void (*body_fn)(void *arg); /* waits for more of the body */
    void *body_arg;

    pthread_mutex_t lock; /* the rest */
    struct out_queue out;
    bool ended;       /* nothing more comes behind what is queued: the loop finishes */
    bool kicked;      /* conn_progress was posted and did not run yet */
    bool loop_writes; /* the loop waits for the socket to take more, so it finishes too */
    bool drain_due;   /* drain_fn is to be told that everything was taken */
    bool gone_told;
    void (*drain_fn)(void *arg, bool gone);
    void *drain_arg;
    pthread_mutex_t calling; /* held while drain_fn runs */
};

struct home { /* one loop's side of the server */
    struct http_server *server;
    struct loop *loop;
    pthread_t thread;
    bool has_thread;
    struct loop_watch *listening;
    struct loop_timer *accept_pause;
    struct conn *conns; /* all open ones */
    struct conn *spare;
    atomic_size_t n_conns;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t rejected;
    atomic_uint_fast64_t failed; /* answers of 500 and above */
    bool stopping;
    bool empty_told;
    uint64_t random[2];
    char scratch[16 * 1024];
};

struct handler {
    http_handler *fn;
    void *ctx;
    struct handler *next; /* former ones: a request may just be entering them */
};

struct workers;

struct http_server {
    struct http_server_opts o;
    struct home *homes;
    int n_homes;
    _Atomic(struct handler *) handler;
    pthread_mutex_t handler_lock;
    struct workers *workers;
    int stop_fd;
    struct loop_watch *stop_watch;
    atomic_int_fast64_t complained_ms; /* last time a stray client was logged */
    atomic_bool stopping;
    atomic_int homes_left; /* still having connections after a stop */
    atomic_int listening;  /* homes that watch listen_fd */
    atomic_size_t in_flight;
};

static inline struct conn *conn_of(const struct http_req *r)
{
    return (struct conn *)(uintptr_t)r; /* req is the first member */
}

/* ---- conn.c ---- */
void home_listen(struct home *h); /* again: no effect; nor in one that stops */
void home_stop(struct home *h);
void home_free(struct home *h);
/* Loop thread: be called for `events` (EPOLLIN...), 0 = not at all. */
void conn_watch(struct conn *c, enum conn_mode mode, uint32_t events);
/* The answer is out (or given up): park, go on with what waits, or close.  Any thread; c is not the
 * caller's afterwards. */
void conn_finish(struct conn *c);
/* Loop thread, while a request is worked on: watch for what is waited for, nothing else. */
void conn_watch_busy(struct conn *c);
/* Loop thread: the body was read to its end; notice from now on that the peer leaves. */
void conn_body_read(struct conn *c);

/* ---- intake.c ---- */
void intake_init(struct intake *in);
void intake_release(struct intake *in);
/* Take what the socket holds without waiting: 1 something, 0 nothing, -1 closed or failed. */
int intake_fill(struct intake *in, int fd);
/* Take bytes that were read already. */
void intake_add(struct intake *in, const char *p, size_t n);
/* Follow what has been gathered; true when the request can start (whole, or larger than what is
 * read on a loop), or when its head is too long to wait for (head_end 0). */
bool intake_ready(struct intake *in);
/* Let libfcgi read the head; 0, or -1. */
int intake_accept(struct conn *c);
/* Body bytes through libfcgi; waits on the socket when `wait`.  0 at the end, -1 broken off; HTTP_NOT_YET: none there, and
 * not waited. */
ptrdiff_t intake_read(struct conn *c, char *buf, size_t n, bool wait);
bool intake_body_done(const struct intake *in);
/* The request is over: keep only what arrived behind it. */
void intake_next(struct intake *in);
/* Throw away what was gathered. */
void intake_drop(struct intake *in);

/* ---- request.c ---- */
/* Fill c->req from what libfcgi read; -1 when it is no HTTP request. */
int request_build(struct conn *c);
/* Read the body of a request that is at hand as a whole; -1 with e. */
int request_inline_body(struct conn *c, uint64_t len, struct err *e);
/* Handler or worker or refusal. */
void request_dispatch(struct conn *c, bool whole, uint64_t body_len);

/* ---- reply.c ---- */
/* Loop thread: write what is queued, tell who waits, finish when all is out. */
void conn_progress(struct conn *c);
/* Have conn_progress called on the loop; with c->lock held. */
void conn_kick(struct conn *c);
/* Send or queue one STDOUT record holding a and b; with c->lock held. */
void out_stdout(struct conn *c, struct str a, struct str b, bool end);
/* Send or queue what is no FastCGI: nginx takes the mere end of the connection for the end of an answer without length,
 * and hands its client a cut one as complete; with c->lock held. */
void out_broken(struct conn *c);
/* The header block of the answer. */
struct str reply_head(struct conn *c, int status, struct str content_type, int64_t body_len);
/* Claim the one answer; false when there was one. */
bool reply_claim(struct conn *c, enum reply_phase to);

/* ---- workers.c ---- */
struct workers *workers_new(int max_threads, int max_queue);
/* -1 when the queue is full. */
int workers_add(struct workers *w, void (*fn)(void *arg), void *arg);
size_t workers_queued(struct workers *w);
/* Finish what is queued, at most until `deadline_ms` (monotonic); false when threads had to be left
 * behind. */
bool workers_stop(struct workers *w, int64_t deadline_ms);
void workers_free(struct workers *w);

#endif
