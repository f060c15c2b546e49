/*
 * Upstream calls: framing and timing of one call on a connection; connections themselves: up_conn.c.
 */
#include "up_int.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "base/limits.h"

enum {
    TURN_MAX = 16,          /* pieces read or written in a row; then other connections get their turn */
    SPARE_MAX = 256,
    OUT_SIZE = 16 * 1024,   /* of a streamed body at a time */
    FRAME_MAX = 16,         /* around one piece: "4000\r\n" and "\r\n" */
};

static void on_readable(struct up_call *c);

/* ---- the end of a call --------------------------------------------------------------------------- */

void up_call_destroy(struct up_call *c)
{
    arena_free(c->a);
    free(c);
}

static void call_free(struct up_call *c)
{
    loop_timer_cancel(c->timer);
    loop_timer_cancel(c->kick);
    if (c->pool->n_spare >= SPARE_MAX) {
        up_call_destroy(c);
        return;
    }
    arena_reset(c->a);
    c->next = c->pool->spare;
    c->pool->spare = c;
    c->pool->n_spare++;
}

static struct up_call *call_new(struct up_pool *p)
{
    struct up_call *c = p->spare;

    if (c != NULL) {
        struct arena *a = c->a;

        p->spare = c->next;
        p->n_spare--;
        *c = (struct up_call){.pool = p, .a = a};
        return c;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->pool = p;
    c->a = arena_new(0);
    return c;
}

static void end_at(struct up_call *c, const struct err *e, enum up_stage stage, bool keep)
{
    struct up_conn *k = c->conn;

    c->conn = NULL;
    if (c->site != NULL)
        up_connect_leave(c);
    c->ended = true;
    if (k != NULL && keep)
        up_conn_keep(k);
    else if (k != NULL)
        up_conn_free(k);
    c->h.end(c->arg, e, stage);
    if (!c->in_read)
        call_free(c);
}

static void end(struct up_call *c, const struct err *e, bool keep)
{
    enum up_stage stage = c->state == CONNECTING ? UP_CONNECTING
                          : c->answered          ? UP_ANSWERING
                          : c->state == SENDING  ? UP_SENDING
                                                 : UP_WAITING;

    end_at(c, e, stage, keep);
}

static void fail(struct up_call *c, enum err_code code, const char *text)
{
    struct err e;

    err_set(&e, code, "%s", text);
    end(c, &e, false);
}

static void blame_client(struct up_call *c, const char *text)
{
    struct err e;

    err_set(&e, ERR_INVALID, "%s", text);
    end_at(c, &e, UP_CLIENT, false);
}

/* A kept connection that ended before any byte of the answer: once more on a new one. */
static bool try_again(struct up_call *c)
{
    if (!c->reused || c->answered || !c->q.repeatable || c->q.more != NULL)
        return false;
    up_conn_free(c->conn);
    c->conn = NULL;
    c->reused = c->deaf = false;
    c->sent = 0;
    c->state = CONNECTING;
    up_connect(c, up_conn_key(&c->q));
    return true;
}

static void broken(struct up_call *c, const char *why)
{
    if (!try_again(c))
        fail(c, ERR_UPSTREAM, why);
}

static const char *how_it_failed(const struct up_call *c)
{
    struct str alert = up_conn_alert(c->conn, c->a);

    if (alert.len > 0)
        return arena_printf(c->a, "connection failed (%.*s)", STR_ARG(alert));
    return c->answered ? "broke off its answer" : "closed the connection without an answer";
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void deliver(struct up_call *c, struct str bytes)
{
    struct str piece;
    int rc;

    while (!c->ended && (rc = http1_body_next(&c->body, &bytes, &piece)) != 0) {
        if (rc < 0) {
            fail(c, ERR_UPSTREAM, "sent an invalid answer");
            return;
        }
        c->h.piece(c->arg, piece);
    }
    if (!c->ended && c->body.done)
        end(c, NULL, c->head.keep_alive && bytes.len == 0 && c->state == READING);
}

/* Bytes of the header block; what stands behind it is body. */
static void take_head(struct up_call *c, struct str bytes)
{
    struct err e = {0};
    size_t len;

    buf_add_str(&c->in, bytes);
    for (;;) {
        len = http1_head_end(buf_str(&c->in));
        if (len == 0 || len > LIMIT_HEADERS) {
            if (len > 0 || c->in.over || c->in.len >= LIMIT_HEADERS)
                fail(c, ERR_UPSTREAM, "sent an invalid answer");
            return;
        }
        if (http1_head_read(str_slice(buf_str(&c->in), 0, len), c->q.is_head, &c->head, c->a, &e) != 0) {
            end(c, &e, false);
            return;
        }
        if (c->head.status >= 200)
            break;
        /* 100-continue and its like are not for the client */
        memmove(c->in.p, c->in.p + len, c->in.len - len);
        c->in.len -= len;
    }
    c->has_head = true;
    http1_body_start(&c->body, &c->head);
    c->h.head(c->arg, &c->head);
    if (!c->ended)
        deliver(c, str_slice(buf_str(&c->in), len, c->in.len));
}

static void at_eof(struct up_call *c)
{
    if (c->has_head && c->body.framing == HTTP1_CLOSE)
        end(c, NULL, false);
    else if (c->answered)
        fail(c, ERR_UPSTREAM, "closed the connection in the middle of its answer");
    else
        broken(c, "closed the connection without an answer");
}

static void on_kick(void *arg)
{
    struct up_call *c = arg;

    c->kick = NULL;
    if (!c->paused)
        on_readable(c);
}

static void read_some(struct up_call *c)
{
    for (int i = 0; !c->ended && c->conn != NULL && !c->paused; i++) {
        size_t n = 0;

        if (i == TURN_MAX) {
            /* what TLS has decrypted already wakes no epoll: come back by ourselves */
            if (c->kick == NULL)
                c->kick = loop_timer(c->pool->loop, 0, on_kick, c);
            return;
        }
        switch (up_conn_recv(c->conn, c->pool->buf, READ_SIZE, &n)) {
        case IO_AGAIN:
            return;
        case IO_FAILED:
            broken(c, how_it_failed(c));
            return;
        case IO_DONE:
            break;
        }
        if (n == 0) {
            at_eof(c);
            return;
        }
        c->answered = true;
        c->active_ms = loop_now_ms(c->pool->loop);
        if (c->has_head)
            deliver(c, str_make(c->pool->buf, n));
        else
            take_head(c, str_make(c->pool->buf, n));
        if (n < READ_SIZE && c->conn != NULL && c->conn->easy == NULL)
            return; /* the socket is empty: epoll tells when it is not */
    }
}

static void on_readable(struct up_call *c)
{
    c->in_read = true;
    read_some(c);
    if (!c->ended && c->conn != NULL && c->has_head)
        c->h.flush(c->arg);
    c->in_read = false;
    if (c->ended)
        call_free(c);
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* Next bytes of head, then body, then the piece at hand. */
static struct str unsent(const struct up_call *c)
{
    size_t fixed = c->q.head.len + c->q.body.len;

    if (c->sent < c->q.head.len)
        return str_slice(c->q.head, c->sent, c->q.head.len);
    if (c->sent < fixed)
        return str_slice(c->q.body, c->sent - c->q.head.len, c->q.body.len);
    return c->out != NULL ? str_make(c->out + c->out_at, c->out_len - c->out_at) : STR("");
}

static void note_sent(struct up_call *c, size_t n)
{
    if (c->sent < c->q.head.len + c->q.body.len)
        c->sent += n;
    else
        c->out_at += n;
    c->active_ms = loop_now_ms(c->pool->loop);
}

static void frame_chunk(struct up_call *c, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *p = c->out;

    for (int i = 0; i < 4; i++)
        p[i] = digits[(n >> (12 - 4 * i)) & 15];
    p[4] = '\r';
    p[5] = '\n';
    memcpy(p + 6 + n, "\r\n", 2);
    c->out_len = n + 8;
}

/* The next piece of the body: 1, 0 when it is complete, -1 when there is nothing to send for now or the call has ended. */
static int refill(struct up_call *c)
{
    ptrdiff_t n;

    if (c->body_done)
        return 0;
    if (c->out == NULL)
        c->out = arena_alloc(c->a, OUT_SIZE + FRAME_MAX);
    n = c->q.more(c->arg, c->out + (c->q.chunked ? 6 : 0), OUT_SIZE);
    c->out_at = c->out_len = 0;
    if (n == UP_NOT_YET) {
        c->starving = true;
        c->active_ms = loop_now_ms(c->pool->loop);
        if (c->q.silence_ms > UP_CLIENT_MS && c->timer != NULL)
            loop_timer_again(c->timer, UP_CLIENT_MS); /* else it comes round often enough */
        up_conn_watch(c->conn, c->paused ? 0 : EPOLLIN);
        return -1;
    }
    if (n < 0) {
        blame_client(c, "the request body is shorter than announced");
        return -1;
    }
    c->body_done = n == 0;
    if (c->q.chunked && n > 0) {
        frame_chunk(c, (size_t)n);
    } else if (c->q.chunked) {
        memcpy(c->out, "0\r\n\r\n", 5);
        c->out_len = 5;
    } else {
        c->out_len = (size_t)n;
    }
    return c->out_len > 0;
}

static void write_some(struct up_call *c)
{
    for (int i = 0;;) {
        struct str s = unsent(c);
        size_t n = 0;
        int rc;

        if (s.len == 0) {
            rc = c->q.more == NULL ? 0 : i++ < TURN_MAX ? refill(c) : 2;
            if (rc < 0)
                return;
            if (rc == 0)
                break;
            if (rc == 1)
                continue;
            up_conn_watch(c->conn, EPOLLIN | EPOLLOUT);
            return;
        }
        switch (up_conn_send(c->conn, s.p, s.len, &n)) {
        case IO_AGAIN:
            up_conn_watch(c->conn, EPOLLIN | EPOLLOUT);
            return;
        case IO_FAILED:
            /* its last word may wait for us: reading tells, in the next turn */
            c->deaf = true;
            up_conn_watch(c->conn, EPOLLIN);
            return;
        case IO_DONE:
            note_sent(c, n);
        }
    }
    c->state = READING;
    up_conn_watch(c->conn, c->paused ? 0 : EPOLLIN);
}

void upstream_more(struct up_call *c)
{
    if (!c->starving || c->deaf || c->state != SENDING)
        return;
    c->starving = false;
    c->active_ms = loop_now_ms(c->pool->loop);
    write_some(c);
}

/* Join head and body into one write when that is cheap. */
static void join_small_body(struct up_call *c)
{
    struct buf b;

    if (c->q.body.len == 0 || c->q.body.len > 16 * KIB)
        return;
    buf_init(&b, c->q.head.len + c->q.body.len, c->a);
    (void)buf_reserve(&b, c->q.head.len + c->q.body.len);
    buf_add_str(&b, c->q.head);
    buf_add_str(&b, c->q.body);
    c->q.head = buf_str(&b);
    c->q.body = STR("");
}

void up_call_event(struct up_call *c, uint32_t revents)
{
    if (c->state == SENDING && !c->deaf && (revents & EPOLLOUT) != 0) {
        write_some(c);
        return;
    }
    if (c->paused) {
        /* hang-ups are reported whatever one watches: look away until somebody reads again */
        loop_unwatch(c->conn->watch);
        c->conn->watch = NULL;
        return;
    }
    if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        on_readable(c);
}

/* ---- beginning ----------------------------------------------------------------------------------- */

void up_call_connected(struct up_call *c, struct up_conn *k)
{
    c->conn = k;
    k->call = c;
    c->state = SENDING;
    c->active_ms = loop_now_ms(c->pool->loop);
    write_some(c);
}

void up_call_unconnected(struct up_call *c, const struct err *e)
{
    end(c, e, false);
}

static void on_timer(void *arg)
{
    struct up_call *c = arg;
    int64_t now = loop_now_ms(c->pool->loop);
    int64_t patience = c->starving ? UP_CLIENT_MS : c->q.silence_ms;
    int64_t silent_at = c->active_ms + patience, total_at = c->started_ms + c->q.total_ms;
    int64_t due = silent_at < total_at && !c->paused ? silent_at : total_at;
    char text[96];

    c->timer = NULL;
    if (now < due) {
        c->timer = loop_timer(c->pool->loop, due - now, on_timer, c);
        return;
    }
    if (c->starving && now < total_at) {
        blame_client(c, "the request body stopped coming");
        return;
    }
    snprintf(text, sizeof text, "did not answer within %lld s",
             (long long)(now >= total_at ? c->q.total_ms : c->q.silence_ms) / 1000);
    fail(c, ERR_TIMEOUT, text);
}

struct up_call *upstream_start(struct loop *loop, struct http_server *server, const struct up_request *q,
                               const struct up_handler *h, void *arg)
{
    struct up_call *c = call_new(up_pool_of(loop));
    uint64_t key = up_conn_key(q);
    struct up_conn *kept;

    c->server = server;
    c->q = *q;
    c->h = *h;
    c->arg = arg;
    buf_init(&c->in, LIMIT_HEADERS + READ_SIZE, c->a);
    join_small_body(c);
    c->started_ms = c->active_ms = loop_now_ms(loop);
    c->timer = loop_timer(loop, q->silence_ms < q->total_ms ? q->silence_ms : q->total_ms, on_timer, c);
    kept = q->more == NULL ? up_conn_take(c->pool, key) : NULL; /* a body can be streamed once: not into a dead connection */
    if (kept != NULL) {
        c->reused = true;
        up_call_connected(c, kept);
    } else {
        c->state = CONNECTING;
        up_connect(c, key);
    }
    return c;
}

void upstream_pause(struct up_call *c)
{
    c->paused = true;
    if (c->conn != NULL)
        up_conn_watch(c->conn, c->state == SENDING && !c->starving && !c->deaf ? EPOLLOUT : 0);
}

void upstream_resume(struct up_call *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    c->active_ms = loop_now_ms(c->pool->loop);
    if (c->conn == NULL)
        return;
    up_conn_watch(c->conn, c->state == SENDING && !c->starving && !c->deaf ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (c->kick == NULL && !c->in_read)
        c->kick = loop_timer(c->pool->loop, 0, on_kick, c);
}

void upstream_cancel(struct up_call *c)
{
    c->ended = true;
    if (c->site != NULL)
        up_connect_leave(c);
    if (c->conn != NULL)
        up_conn_free(c->conn);
    c->conn = NULL;
    if (!c->in_read)
        call_free(c);
}
