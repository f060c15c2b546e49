/*
 * The request body on its way from the client to the gateway, without a thread.
 *
 * A small body is gathered first, so that the call can be repeated after a renewed login; of a larger one nothing is read before
 * the gateway takes it, so the client feels how fast the gateway is.  Signatures over the body need all of it.
 */
#include "base/arena.h"
#include "http/loop.h"
#include "proxy_int.h"

enum { PIECE = 16 * 1024, TURN_MAX = 16 };

static void gather(void *arg);

static size_t largest(const struct call *c)
{
    return (size_t)c->proxy->app->opts.proxy_max_body;
}

static bool needs_all(const struct call *c)
{
    return c->gateway->auth == GW_AUTH_HAWK || c->gateway->auth == GW_AUTH_OAUTH1;
}

/* A session that was obtained may be over without our knowing; a user's own is not renewed. */
static bool session_may_end(const struct call *c)
{
    enum gw_auth auth = c->gateway->auth;

    return !c->own && (auth == GW_AUTH_OAUTH2 || auth == GW_AUTH_ORACLE_SBC || (auth == GW_AUTH_DEFAULT && c->gateway->username.len > 0));
}

/* Hold all of a body that is somewhat larger, to be able to send it twice? */
static bool hold_larger(struct call *c)
{
    size_t n = (size_t)c->r->content_length;

    if (c->r->content_length > REPLAY_BODY || !session_may_end(c))
        return false;
    if (atomic_fetch_add(&c->proxy->replayable, n) + n > REPLAY_TOTAL) {
        atomic_fetch_sub(&c->proxy->replayable, n);
        return false;
    }
    c->held = n;
    return true;
}

void body_error(const struct call *c, struct err *e)
{
    if (c->body_large)
        err_set(e, ERR_LIMIT, "request body larger than %zu bytes", largest(c));
    else
        err_set(e, ERR_INVALID, "request body has %llu of the announced %llu bytes", (unsigned long long)c->body_got,
                (unsigned long long)c->r->content_length);
}

static void stop_waiting(struct call *c)
{
    loop_timer_cancel(c->body_timer);
    c->body_timer = NULL;
    http_req_on_body(c->r, NULL, NULL);
}

static void refuse(struct call *c)
{
    struct err e;

    stop_waiting(c);
    body_error(c, &e);
    finish_error(c, &e);
}

static void on_late(void *arg)
{
    struct call *c = arg;
    struct err e;

    c->body_timer = NULL;
    stop_waiting(c);
    err_set(&e, ERR_INVALID, "the request body stopped coming");
    finish_error(c, &e);
}

/* All of it is here. */
static void whole(struct call *c)
{
    struct http_req *r = c->r;

    if (r->content_length > 0 && c->body_got != r->content_length) {
        refuse(c);
        return;
    }
    stop_waiting(c);
    r->body = buf_str(&c->early);
    r->content_length = r->body.len;
    forward(c);
}

static void stream_rest(struct call *c)
{
    stop_waiting(c);
    c->body_streams = true;
    forward(c);
}

static void wait_for_more(struct call *c)
{
    int64_t left = c->body_until_ms - loop_now_ms(c->r->loop);

    loop_timer_cancel(c->body_timer);
    c->body_timer = loop_timer(c->r->loop, left < UP_CLIENT_MS ? (left > 0 ? left : 0) : UP_CLIENT_MS, on_late, c);
    http_req_on_body(c->r, gather, c);
}

static void on_turn(void *arg)
{
    struct call *c = arg;

    c->body_timer = NULL;
    gather(c);
}

static void go_on(struct call *c)
{
    loop_timer_cancel(c->body_timer);
    http_req_on_body(c->r, NULL, NULL);
    c->body_timer = loop_timer(c->r->loop, 0, on_turn, c);
}

static void gather(void *arg)
{
    struct call *c = arg;
    char piece[PIECE];
    ptrdiff_t n = 0;

    for (int i = 0; i < TURN_MAX && n != HTTP_NOT_YET; i++) {
        if (c->early.len >= GATHER_BODY && c->held == 0 && !needs_all(c)) {
            stream_rest(c);
            return;
        }
        n = http_req_read_now(c->r, piece, sizeof piece);
        if (n == HTTP_NOT_YET)
            continue;
        if (n == 0) {
            whole(c);
            return;
        }
        c->body_got += n > 0 ? (size_t)n : 0;
        c->body_large = c->body_got > largest(c);
        if (n < 0 || c->body_large) {
            refuse(c);
            return;
        }
        buf_add(&c->early, piece, (size_t)n);
    }
    if (n == HTTP_NOT_YET)
        wait_for_more(c);
    else
        go_on(c); /* others have their turn first */
}

void body_read(struct call *c)
{
    struct http_req *r = c->r;
    int64_t total_ms = c->proxy->app->opts.proxy_total_timeout_ms;

    if (!r->body_pending) {
        forward(c);
        return;
    }
    if (r->content_length > GATHER_BODY && !needs_all(c) && !hold_larger(c)) {
        stream_rest(c);
        return;
    }
    buf_init(&c->early, largest(c), r->a);
    if (r->content_length > 0)
        (void)buf_reserve(&c->early, (size_t)r->content_length);
    c->body_until_ms = loop_now_ms(r->loop) + (total_ms > 0 ? total_ms : (int64_t)c->gateway->timeout_s * 10000);
    gather(c);
}

static void on_more(void *arg)
{
    struct call *c = arg;

    if (c->up != NULL)
        upstream_more(c->up);
}

ptrdiff_t body_more(void *arg, char *buf, size_t n)
{
    struct call *c = arg;
    uint64_t announced = c->r->content_length;
    ptrdiff_t got;

    c->body_begun = true;
    got = http_req_read_now(c->r, buf, n);
    if (got == HTTP_NOT_YET)
        http_req_on_body(c->r, on_more, c);
    if (got > 0) {
        c->body_got += (size_t)got;
        c->body_large = c->body_got > largest(c);
        if (c->body_large || (announced > 0 && c->body_got > announced))
            return -1;
    }
    if (got == 0 && announced > 0 && c->body_got != announced)
        return -1;
    return got;
}
