/*
 * Connections from the web server: accept, find out what arrived, start the request, park or close.
 *
 * The common case is one read that brings one whole request.  Everything else goes through intake.c.
 */
#include "http/http_int.h"

#include <errno.h>
#include <fastcgi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "http/feed.h"

enum {
    CONNS_MAX = 4096,  /* per loop */
    REQUEST_CHUNK = ARENA_POISONS ? 0 : 32 * 1024, /* most requests need no second block */
    INTAKE_MS = 30000, /* for a request to arrive; also one wait for body bytes on a worker */
    DISCARD_MS = 10000,
    LINGER_MS = 2000,
    ACCEPT_PAUSE_MS = 100,
    COMPLAIN_MS = 60000,
};
#define DISCARD_MAX (64 * MIB)

static void conn_event(void *arg, uint32_t revents);
static void conn_read(struct conn *c);

static bool has_bytes(const struct conn *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* ---- life of the struct ------------------------------------------------------------------------
 */

static struct conn *conn_take(struct home *h)
{
    struct conn *c = h->spare;

    if (c != NULL) {
        h->spare = c->next;
    } else {
        c = calloc(1, sizeof(*c));
        if (c == NULL)
            abort();
        c->home = h;
        c->req.a = arena_new(REQUEST_CHUNK);
        c->req.server = h->server;
        c->req.loop = h->loop;
        pthread_mutex_init(&c->lock, NULL);
        pthread_mutex_init(&c->calling, NULL);
    }
    c->watch = NULL;
    c->timer = NULL;
    atomic_store_explicit(&c->gone, false, memory_order_relaxed);
    intake_init(&c->in);
    return c;
}

static void conn_free(struct conn *c)
{
    arena_free(c->req.a);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->calling);
    free(c->out.p);
    intake_release(&c->in);
    free(c);
}

static void tell_if_empty(struct home *h)
{
    if (!h->stopping || h->empty_told || atomic_load(&h->n_conns) > 0)
        return;
    h->empty_told = true;
    if (atomic_fetch_sub(&h->server->homes_left, 1) != 1)
        return;
    for (int i = 0; i < h->server->n_homes; i++)
        loop_stop(h->server->homes[i].loop);
}

static void stop_timer(struct conn *c)
{
    loop_timer_cancel(c->timer);
    c->timer = NULL;
}

static void conn_close(struct conn *c)
{
    struct home *h = c->home;

    stop_timer(c);
    loop_unwatch(c->watch);
    c->watch = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    intake_release(&c->in);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        h->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->prev = NULL;
    c->next = h->spare;
    h->spare = c;
    atomic_fetch_sub(&h->n_conns, 1);
    tell_if_empty(h);
}

void conn_watch(struct conn *c, enum conn_mode mode, uint32_t events)
{
    c->mode = mode;
    if (events == 0) {
        loop_unwatch(c->watch);
        c->watch = NULL;
    } else if (c->watch == NULL) {
        c->watch = loop_watch(c->home->loop, c->fd, events, conn_event, c);
    } else if (c->watched != events) {
        loop_watch_mod(c->watch, events);
    }
    c->watched = events;
}

static void parted(void *arg)
{
    struct conn *c = arg;

    c->timer = NULL;
    if (has_bytes(c))
        conn_read(c);
    else
        conn_close(c);
}

/* An idle connection at a stop: closed at once it would cost the request its peer is just sending. */
static void conn_part(struct conn *c)
{
    c->timer = loop_timer(c->home->loop, c->home->server->o.part_ms, parted, c);
}

static void conn_open(struct home *h, int fd)
{
    struct conn *c = conn_take(h);

    c->fd = fd;
    c->prev = NULL;
    c->next = h->conns;
    if (h->conns != NULL)
        h->conns->prev = c;
    h->conns = c;
    atomic_store_explicit(&c->state, CONN_IDLE, memory_order_relaxed);
    conn_watch(c, MODE_READ, EPOLLIN | EPOLLRDHUP);
    if (h->stopping)
        conn_part(c);
}

/* ---- strangers ---------------------------------------------------------------------------------
 */

static bool may_complain(struct home *h)
{
    int64_t now = loop_now_ms(h->loop);
    int_fast64_t last = atomic_load(&h->server->complained_ms);

    return (last == 0 || now - last >= COMPLAIN_MS) && atomic_compare_exchange_strong(&h->server->complained_ms, &last, now);
}

static void discard_late(void *arg)
{
    struct conn *c = arg;

    c->timer = NULL;
    conn_close(c);
}

/* Close once the peer has seen what was sent: closing with unread bytes would throw the answer
 * away. */
static void conn_linger(struct conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
    stop_timer(c);
    c->timer = loop_timer(c->home->loop, LINGER_MS, discard_late, c);
    c->close_after = true;
    c->discarded = 0;
    conn_watch(c, MODE_DISCARD, EPOLLIN | EPOLLRDHUP);
}

static bool looks_like_http(const char *p, size_t n)
{
    static const char *const methods[] = {"GET ",   "HEAD ",  "POST ",    "PUT ",   "DELETE ",
                                          "PATCH ", "TRACE ", "OPTIONS ", "PRI * ", "CONNECT "};

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        size_t len = strlen(methods[i]);

        if (n >= len && memcmp(p, methods[i], len) == 0)
            return true;
    }
    return false;
}

static void refuse_stranger(struct conn *c, const char *p, size_t n)
{
    static const char answer[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Connection: close\r\n\r\n"
                                 "this port speaks FastCGI; use fastcgi_pass in nginx\n";

    if (looks_like_http(p, n)) {
        if (may_complain(c->home))
            log_warn("http.not_fastcgi", "why=" LOG_Q,
                     "a client speaks HTTP to the FastCGI port; use fastcgi_pass in nginx");
        (void)send(c->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        conn_linger(c);
        return;
    }
    if (may_complain(c->home))
        log_warn("http.protocol", "why=" LOG_Q, "a client sent what is not a FastCGI request");
    conn_close(c);
}

/* ---- reading requests --------------------------------------------------------------------------
 */

static void intake_late(void *arg)
{
    struct conn *c = arg;

    c->timer = NULL;
    log_debug("http.slow_request", "bytes=%zu", c->in.len);
    conn_close(c);
}

/* libfcgi could not use the head, or it is no request of a web server. */
static void conn_bad_head(struct conn *c)
{
    if (may_complain(c->home))
        log_warn("http.protocol", "why=" LOG_Q, "the parameters of a request cannot be read");
    FCGX_Free(&c->fcgi, 0);
    conn_close(c);
}

static void conn_start(struct conn *c, bool whole, uint64_t body_len)
{
    struct err e;

    if (request_build(c) != 0) {
        conn_bad_head(c);
        return;
    }
    atomic_store_explicit(&c->state, whole ? CONN_BUSY : CONN_BUSY_UNWATCHED, memory_order_relaxed);
    if (!whole)
        conn_watch(c, MODE_READ,
                   0); /* a worker may wait on the socket: its bytes are not the loop's business */
    atomic_fetch_add_explicit(&c->home->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->home->server->in_flight, 1, memory_order_relaxed);
    if (whole && request_inline_body(c, body_len, &e) != 0) {
        http_reply_error(&c->req, &e);
        return;
    }
    request_dispatch(c, whole, body_len);
}

static void intake_start(struct conn *c)
{
    bool whole = frame_complete(&c->in.scan) && c->in.scan.body_len <= LIMIT_BODY_INLINE;

    stop_timer(c);
    c->at_once = false;
    if (intake_accept(c) != 0) {
        conn_bad_head(c);
        return;
    }
    c->request_id = c->in.scan.request_id;
    conn_watch(c, MODE_READ, EPOLLIN | EPOLLRDHUP);
    conn_start(c, whole, c->in.scan.body_len);
}

/* Answer without libfcgi: the parameters are more than it is given to read. */
static void refuse_head(struct conn *c)
{
    static const char text[] = "Status: 431 Request Header Fields Too Large\r\n"
                               "Content-Type: application/json\r\n\r\n"
                               "{\"error\":\"request headers are larger than 65536 bytes or more than 512\"}";

    if (!c->in.scan.too_large) {
        refuse_stranger(c, c->in.p, c->in.len);
        return;
    }
    c->request_id = c->in.scan.request_id;
    pthread_mutex_lock(&c->lock);
    out_stdout(c, str_c(text), STR_NONE, true);
    c->out.len = c->out.head = 0;
    pthread_mutex_unlock(&c->lock);
    conn_linger(c);
}

/* Look at what was gathered: start, wait for more, or refuse. */
static void intake_step(struct conn *c)
{
    if (intake_ready(&c->in)) {
        if (c->in.head_end == 0)
            refuse_head(c);
        else
            intake_start(c);
        return;
    }
    if (c->in.scan.state == FRAME_BAD) {
        refuse_head(c);
        return;
    }
    if (c->timer == NULL)
        c->timer = loop_timer(c->home->loop, c->home->stopping ? LINGER_MS : INTAKE_MS, intake_late, c);
    conn_watch(c, MODE_INTAKE, EPOLLIN | EPOLLRDHUP);
}

static void conn_intake(struct conn *c)
{
    int rc = intake_fill(&c->in, c->fd);

    if (rc < 0)
        conn_close(c);
    else if (rc > 0)
        intake_step(c);
}

/* Bytes for an idle connection: usually one whole request and nothing else. */
static void conn_read(struct conn *c)
{
    struct home *h = c->home;
    struct frame f;
    size_t followed;
    ssize_t n = recv(c->fd, h->scratch, sizeof(h->scratch), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    stop_timer(c);
    frame_init(&f);
    followed = frame_feed(&f, h->scratch, (size_t)n, false);
    if (f.state == FRAME_BAD && !f.too_large) {
        refuse_stranger(c, h->scratch, (size_t)n);
        return;
    }
    if (!frame_complete(&f) || followed != (size_t)n) {
        intake_add(&c->in, h->scratch, (size_t)n);
        intake_step(c);
        return;
    }
    c->at_once = true;
    feed_give(h->scratch, (size_t)n);
    if (feed_accept(&c->fcgi) != 0) {
        conn_bad_head(c);
        return;
    }
    c->request_id = f.request_id;
    conn_start(c, true, f.body_len);
}

/* ---- after the answer --------------------------------------------------------------------------
 */

static void discard_done(struct conn *c)
{
    stop_timer(c);
    intake_next(&c->in);
    atomic_store(&c->state, CONN_IDLE);
    conn_watch(c, MODE_READ, EPOLLIN | EPOLLRDHUP);
    if (c->in.len > 0)
        intake_step(c);
}

/* Read away the rest of a request nobody wants, so that the next one starts where it should. */
static void conn_discard(struct conn *c)
{
    struct intake *in = &c->in;

    for (;;) {
        if (c->close_after) {
            intake_drop(in);
        } else {
            in->fed += frame_feed(&in->fed_frame, in->p + in->fed, in->len - in->fed, false);
            if (intake_body_done(in)) {
                discard_done(c);
                return;
            }
            if (in->fed_frame.state == FRAME_BAD)
                break;
            c->discarded += in->len;
            intake_drop(in);
        }
        switch (intake_fill(in, c->fd)) {
        case 0:
            return;
        case 1:
            break;
        default:
            conn_close(c);
            return;
        }
        if (c->discarded > DISCARD_MAX)
            break;
    }
    conn_close(c);
}

static void conn_resume(void *arg);

/* Loop thread: the request is over and the connection could not simply be parked. */
static void conn_after(struct conn *c)
{
    bool stopping = c->home->stopping;

    if (c->cut || c->gone || !c->fcgi.keepConnection) {
        if (!c->cut && !c->gone && !c->at_once && !intake_body_done(&c->in))
            conn_linger(c);
        else
            conn_close(c);
        return;
    }
    if (!c->at_once && !intake_body_done(&c->in)) {
        c->close_after = false;
        c->discarded = 0;
        c->timer = loop_timer(c->home->loop, DISCARD_MS, discard_late, c);
        conn_watch(c, MODE_DISCARD, EPOLLIN | EPOLLRDHUP);
        conn_discard(c);
        return;
    }
    if (!c->at_once)
        intake_next(&c->in);
    if (stopping && c->in.len == 0) {
        conn_close(c);
        return;
    }
    atomic_store(&c->state, CONN_IDLE);
    conn_watch(c, MODE_READ, EPOLLIN | EPOLLRDHUP);
    if (c->in.len > 0)
        intake_step(c);
}

static void conn_resume(void *arg)
{
    conn_after(arg);
}

void conn_finish(struct conn *c)
{
    struct http_server *s = c->req.server;
    struct loop *l = c->req.loop;
    bool here = loop_is_current(l);
    bool plain;
    int expected = CONN_BUSY;

    if (here)
        c->body_fn = NULL;
    /* Only the flags of libfcgi's struct are looked at from here on. */
    FCGX_Free(&c->fcgi, 0);
    arena_reset(c->req.a);
    atomic_fetch_sub_explicit(&s->in_flight, 1, memory_order_relaxed);
    plain = c->at_once && c->fcgi.keepConnection && !c->cut && !c->gone &&
            !atomic_load_explicit(&s->stopping, memory_order_relaxed);
    if (plain && here && c->watched != (EPOLLIN | EPOLLRDHUP))
        plain = false; /* it was watched for writing */
    if (plain && atomic_compare_exchange_strong(&c->state, &expected, CONN_IDLE))
        return;
    /* A next request that waits behind this one is started from the loop, not from inside this
     * one's handler. */
    if (here && (c->at_once || c->in.len == c->in.fed))
        conn_after(c);
    else
        loop_post(l, conn_resume, c);
}

/* ---- events ------------------------------------------------------------------------------------
 */

/* Something happened while the request is with its handler: stop watching, and see whether the peer
 * left. */
static void conn_busy_event(struct conn *c, uint32_t revents)
{
    conn_watch(c, c->mode, 0);
    if ((revents & (EPOLLHUP | EPOLLERR)) == 0)
        return; /* it closed its side only, or sends ahead: the answer is still wanted */
    atomic_store(&c->gone, true);
    conn_progress(c);
}

void conn_watch_busy(struct conn *c)
{
    conn_watch(c, MODE_WRITE,
               (c->loop_writes ? (uint32_t)EPOLLOUT : 0) |
                   (c->body_fn != NULL ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0));
}

void http_req_on_body(struct http_req *r, void (*fn)(void *arg), void *arg)
{
    struct conn *c = conn_of(r);

    if (fn == NULL && c->body_fn == NULL)
        return;
    c->body_fn = fn;
    c->body_arg = arg;
    conn_watch_busy(c);
}

void conn_body_read(struct conn *c)
{
    if (c->loop_writes || atomic_load(&c->gone) || c->in.fed < c->in.len)
        return; /* the next request is here already */
    atomic_store(&c->state, CONN_BUSY);
    conn_watch(c, MODE_READ, EPOLLIN | EPOLLRDHUP);
}

/* Body bytes, or the end of the connection, for who waits for them. */
static void conn_body_event(struct conn *c, uint32_t revents)
{
    void (*fn)(void *arg) = c->body_fn;

    c->body_fn = NULL;
    if ((revents & EPOLLOUT) != 0) { /* its turn comes too */
        pthread_mutex_lock(&c->lock);
        conn_kick(c);
        pthread_mutex_unlock(&c->lock);
    }
    conn_watch_busy(c);
    fn(c->body_arg);
}

static void conn_event(void *arg, uint32_t revents)
{
    struct conn *c = arg;
    int expected = CONN_BUSY;

    switch (c->mode) {
    case MODE_WRITE:
        if (c->body_fn != NULL && (revents & ~(uint32_t)EPOLLOUT) != 0)
            conn_body_event(c, revents);
        else
            conn_progress(c);
        return;
    case MODE_INTAKE:
        conn_intake(c);
        return;
    case MODE_DISCARD:
        conn_discard(c);
        return;
    case MODE_READ:
        break;
    }
    if (atomic_compare_exchange_strong(&c->state, &expected, CONN_BUSY_UNWATCHED))
        conn_busy_event(c, revents);
    else if (expected == CONN_IDLE)
        conn_read(c);
}

/* ---- accepting ---------------------------------------------------------------------------------
 */

struct newcomer {
    struct home *home;
    int fd;
};

static void newcomer_open(void *arg)
{
    struct newcomer *n = arg;

    conn_open(n->home, n->fd);
    free(n);
}

/* Connections live long, so the loop with the fewest takes it, not the one that woke first. */
static struct home *home_with_room(struct home *h)
{
    struct home *best = h;
    size_t least = atomic_load_explicit(&h->n_conns, memory_order_relaxed);

    for (int i = 0; i < h->server->n_homes; i++) {
        struct home *other = &h->server->homes[i];
        size_t n = atomic_load_explicit(&other->n_conns, memory_order_relaxed);

        if (n < least) {
            best = other;
            least = n;
        }
    }
    return least < CONNS_MAX ? best : NULL;
}

static void set_options(int fd)
{
    struct timeval wait = {.tv_sec = INTAKE_MS / 1000};
    int one = 1;
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof(addr);

    /* Only a worker that reads a body waits on the socket, and not for ever. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
}

static void place(struct home *h, int fd)
{
    struct home *to = atomic_load(&h->server->stopping) ? h : home_with_room(h);
    struct newcomer *n;

    if (to == NULL) {
        if (may_complain(h))
            log_warn("http.full", "connections=%d", CONNS_MAX * h->server->n_homes);
        close(fd);
        return;
    }
    set_options(fd);
    atomic_fetch_add(&to->n_conns, 1);
    if (to == h) {
        conn_open(h, fd);
        return;
    }
    n = malloc(sizeof(*n));
    if (n == NULL)
        abort();
    *n = (struct newcomer){to, fd};
    loop_post(to->loop, newcomer_open, n);
}

static void accept_event(void *arg, uint32_t revents);

static void accept_again(void *arg)
{
    struct home *h = arg;

    h->accept_pause = NULL;
    home_listen(h);
}

/* Take one, or with `all` whatever waits. */
static void accept_some(struct home *h, bool all)
{
    do {
        int fd = accept4(h->server->o.listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            place(h, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        if (may_complain(h))
            log_error("http.accept", "errno=%d why=" LOG_Q, errno, strerror(errno));
        /* Out of descriptors, most likely: the socket stays readable, so look away for a moment. */
        loop_unwatch(h->listening);
        h->listening = NULL;
        if (!h->stopping)
            h->accept_pause = loop_timer(h->loop, ACCEPT_PAUSE_MS, accept_again, h);
        return;
    } while (all);
}

static void accept_event(void *arg, uint32_t revents)
{
    (void)revents;
    accept_some(arg, false);
}

void home_listen(struct home *h)
{
    if (h->stopping || h->listening != NULL || h->accept_pause != NULL)
        return;
    h->listening =
        loop_watch(h->loop, h->server->o.listen_fd, EPOLLIN | EPOLLEXCLUSIVE, accept_event, h);
}

void home_stop(struct home *h)
{
    struct conn *next;

    if (h->stopping)
        return;
    if (h->listening != NULL)
        accept_some(h, true); /* who waits already is still served, if its request is here */
    h->stopping = true;
    loop_unwatch(h->listening);
    h->listening = NULL;
    if (atomic_fetch_sub(&h->server->listening, 1) == 1)
        close(h->server->o.listen_fd);
    loop_timer_cancel(h->accept_pause);
    h->accept_pause = NULL;
    for (struct conn *c = h->conns; c != NULL; c = next) {
        next = c->next;
        if (c->timer != NULL)
            loop_timer_again(c->timer, LINGER_MS); /* a request on its way has that much left */
        if (c->mode == MODE_READ && atomic_load(&c->state) == CONN_IDLE) {
            if (has_bytes(c))
                conn_read(c); /* a request that is just here */
            else
                conn_part(c);
        }
    }
    tell_if_empty(h);
}

void home_free(struct home *h)
{
    while (h->conns != NULL) {
        FCGX_Free(&h->conns->fcgi, 0);
        conn_close(h->conns);
    }
    while (h->spare != NULL) {
        struct conn *c = h->spare;

        h->spare = c->next;
        conn_free(c);
    }
}
