/*
 * Answers: the header block, FCGI_STDOUT and END_REQUEST records of our own, and what happens when
 * the socket is full.
 *
 * A short answer leaves in one system call from whatever thread gives it.  What the socket does not
 * take is queued and written by the home loop.
 */
#include "http/http_int.h"

#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/json.h"
#include "base/log.h"
#include "http/header.h"

enum { OUT_KEEP = 16 * 1024 /* a larger queue is given back when it is empty */ };

/* ---- bytes on their way ------------------------------------------------------------------------
 */

static void queue_bytes(struct out_queue *q, const void *p, size_t n)
{
    if (q->head > 0 && q->cap - q->len < n) {
        memmove(q->p, q->p + q->head, q->len - q->head);
        q->len -= q->head;
        q->head = 0;
    }
    if (q->cap - q->len < n) {
        q->cap = q->cap < 4096 ? 4096 : q->cap;
        while (q->cap - q->len < n)
            q->cap *= 2;
        q->p = realloc(q->p, q->cap);
        if (q->p == NULL)
            abort();
    }
    memcpy(q->p + q->len, p, n);
    q->len += n;
}

static void queue_clear(struct out_queue *q)
{
    q->head = q->len = 0;
    if (q->cap > OUT_KEEP) {
        free(q->p);
        *q = (struct out_queue){0};
    }
}

static ssize_t send_some(struct conn *c, struct iovec *iov, size_t n)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t sent;

    do {
        sent = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    if (errno != EAGAIN)
        atomic_store(&c->gone, true);
    return 0;
}

/* Send what the socket takes, queue the rest; nothing when the peer is gone. */
static void out_send(struct conn *c, struct iovec *iov, size_t n)
{
    size_t sent = 0;

    if (c->out.head == c->out.len && !atomic_load_explicit(&c->gone, memory_order_relaxed))
        sent = (size_t)send_some(c, iov, n);
    if (atomic_load_explicit(&c->gone, memory_order_relaxed))
        return;
    for (size_t i = 0; i < n; i++) {
        if (sent >= iov[i].iov_len) {
            sent -= iov[i].iov_len;
            continue;
        }
        queue_bytes(&c->out, (const char *)iov[i].iov_base + sent, iov[i].iov_len - sent);
        sent = 0;
    }
}

static size_t put_record_header(unsigned char *p, unsigned type, uint16_t id, size_t len)
{
    p[0] = FCGI_VERSION_1;
    p[1] = (unsigned char)type;
    p[2] = (unsigned char)(id >> 8);
    p[3] = (unsigned char)(id & 0xff);
    p[4] = (unsigned char)(len >> 8);
    p[5] = (unsigned char)(len & 0xff);
    p[6] = 0;
    p[7] = 0;
    return FRAME_HEADER_LEN;
}

/* The end of STDOUT and END_REQUEST(0, REQUEST_COMPLETE). */
static size_t put_end(unsigned char *p, uint16_t id)
{
    size_t n = put_record_header(p, FCGI_STDOUT, id, 0);

    n += put_record_header(p + n, FCGI_END_REQUEST, id, sizeof(FCGI_EndRequestBody));
    memset(p + n, 0, sizeof(FCGI_EndRequestBody)); /* FCGI_REQUEST_COMPLETE is 0 */
    return n + sizeof(FCGI_EndRequestBody);
}

static void *unconst(const void *p)
{
    return (void *)(uintptr_t)p; /* struct iovec serves reading and writing */
}

void out_broken(struct conn *c)
{
    static const char no_record[8]; /* of version 0 */
    struct iovec iov = {unconst(no_record), sizeof no_record};

    out_send(c, &iov, 1);
}

void out_stdout(struct conn *c, struct str a, struct str b, bool end)
{
    do {
        unsigned char head[FRAME_HEADER_LEN];
        unsigned char tail[FRAME_HEADER_LEN + sizeof(FCGI_EndRequestRecord)];
        struct str now_a = str_slice(a, 0, FRAME_BODY_MAX);
        struct str now_b = str_slice(b, 0, FRAME_BODY_MAX - now_a.len);
        struct iovec iov[4];
        size_t n = 0;

        a = str_slice(a, now_a.len, a.len);
        b = str_slice(b, now_b.len, b.len);
        if (now_a.len + now_b.len > 0) {
            iov[n++] = (struct iovec){
                head, put_record_header(head, FCGI_STDOUT, c->request_id, now_a.len + now_b.len)};
            iov[n++] = (struct iovec){unconst(now_a.p), now_a.len};
            iov[n++] = (struct iovec){unconst(now_b.p), now_b.len};
        }
        if (end && a.len == 0 && b.len == 0)
            iov[n++] = (struct iovec){tail, put_end(tail, c->request_id)};
        if (n > 0)
            out_send(c, iov, n);
    } while (a.len > 0 || b.len > 0);
}

/* Write what is queued; true when nothing is left. */
static bool out_flush(struct conn *c)
{
    struct out_queue *q = &c->out;

    while (q->head < q->len) {
        struct iovec iov = {q->p + q->head, q->len - q->head};
        size_t sent;

        if (atomic_load_explicit(&c->gone, memory_order_relaxed))
            break;
        sent = (size_t)send_some(c, &iov, 1);
        if (sent == 0 && !atomic_load_explicit(&c->gone, memory_order_relaxed))
            return false;
        q->head += sent;
    }
    queue_clear(q);
    return true;
}

static void progress(struct conn *c, bool from_kick);

static void conn_kicked(void *arg)
{
    progress(arg, true);
}

void conn_kick(struct conn *c)
{
    if (c->kicked)
        return;
    c->kicked = true;
    loop_post(c->home->loop, conn_kicked, c);
}

/* Tell the producer of a stream, without the lock: it will write from there. */
static void tell_drained(struct conn *c)
{
    void (*fn)(void *arg, bool gone) = NULL;
    void *arg;
    bool gone = atomic_load(&c->gone);

    pthread_mutex_lock(&c->calling);
    pthread_mutex_lock(&c->lock);
    arg = c->drain_arg;
    if (c->drain_fn != NULL && gone && !c->gone_told) {
        fn = c->drain_fn;
        c->gone_told = true;
    } else if (c->drain_fn != NULL && !gone && c->drain_due && c->out.head == c->out.len) {
        fn = c->drain_fn;
        c->drain_due = false;
    }
    pthread_mutex_unlock(&c->lock);
    if (fn != NULL)
        fn(arg, gone);
    pthread_mutex_unlock(&c->calling);
}

/* Back to noticing that the peer leaves, while the producer of a stream goes on.  With the lock
 * held, so that nobody finishes meanwhile. */
static void watch_again(struct conn *c)
{
    bool watch = c->at_once && !atomic_load(&c->gone);

    if (c->body_fn != NULL) {
        c->loop_writes = false;
        conn_watch_busy(c);
        return;
    }
    atomic_store(&c->state, watch ? CONN_BUSY : CONN_BUSY_UNWATCHED);
    conn_watch(c, MODE_READ, watch ? EPOLLIN | EPOLLRDHUP : 0);
    c->loop_writes = false;
}

static void progress(struct conn *c, bool from_kick)
{
    bool empty, finish;

    pthread_mutex_lock(&c->lock);
    if (from_kick)
        c->kicked = false;
    empty = out_flush(c);
    finish = empty && c->ended && !c->kicked;
    if (finish)
        c->ended = false;
    if (!empty) {
        c->loop_writes = true;
        conn_watch_busy(c);
    } else if (c->loop_writes && !finish) {
        watch_again(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (finish)
        conn_finish(c);
    else if (empty)
        tell_drained(c);
}

void conn_progress(struct conn *c)
{
    progress(c, false);
}

/* ---- the header block ---------------------------------------------------------------------------
 */

static bool never_a_body(int status)
{
    return status == 204 || status == 304 || status < 200;
}

/* Status would change the answer's, X-Request-Id is ours, and X-Accel-... are orders to nginx: one of them opens
 * locations that nobody outside may ask for. */
static bool not_taken(struct str name)
{
    const struct str orders = STR("x-accel-");

    return !header_is_token(name) || str_ieq(name, STR("status")) ||
           str_ieq(name, STR("x-request-id")) || str_ieq(str_slice(name, 0, orders.len), orders);
}

void http_reply_header(struct http_req *r, struct str name, struct str value)
{
    struct conn *c = conn_of(r);

    if (not_taken(name))
        return;
    if (str_ieq(name, STR("content-type")))
        c->has_type = true;
    if (str_ieq(name, STR("content-length")))
        c->has_reply_length = true;
    if (c->extra.a == NULL)
        buf_init(&c->extra, LIMIT_HEADERS, r->a);
    buf_add_str(&c->extra, name);
    buf_add_c(&c->extra, ": ");
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != '\0')
            buf_putc(&c->extra, value.p[i]);
    buf_add_c(&c->extra, "\r\n");
}

struct str reply_head(struct conn *c, int status, struct str content_type, int64_t body_len)
{
    struct buf b;
    bool bodiless = never_a_body(status);

    if (status >= 500)
        atomic_fetch_add_explicit(&c->home->failed, 1, memory_order_relaxed);
    c->no_body = bodiless || c->req.method == HTTP_HEAD;
    buf_init(&b, 2 * LIMIT_HEADERS, c->req.a);
    buf_add_c(&b, "Status: ");
    buf_add_int(&b, status);
    buf_putc(&b, ' ');
    buf_add_c(&b, http_status_text(status));
    if (!c->has_type && !bodiless) {
        buf_add_c(&b, "\r\nContent-Type: ");
        buf_add_str(&b, content_type.len > 0 ? content_type : STR("application/octet-stream"));
    }
    if (!c->has_reply_length && !bodiless && body_len >= 0) {
        buf_add_c(&b, "\r\nContent-Length: ");
        buf_add_int(&b, body_len);
    }
    if (body_len < 0) /* a piece is not to wait in nginx for the next one, nor a document on its disk */
        buf_add_c(&b, "\r\nX-Accel-Buffering: no");
    buf_add_c(&b, "\r\nX-Request-Id: ");
    buf_add_c(&b, c->req.id);
    buf_add_c(&b, "\r\n");
    if (c->extra.a != NULL)
        buf_add_str(&b, buf_str(&c->extra));
    buf_add_c(&b, "\r\n");
    return buf_str(&b);
}

bool reply_claim(struct conn *c, enum reply_phase to)
{
    int open = REPLY_OPEN;

    if (LIKELY(atomic_compare_exchange_strong(&c->phase, &open, (int)to)))
        return true;
    log_error("http.answered_twice", "id=%s", c->req.id);
#if defined(SLUICE_TEST_BUILD)
    abort();
#else
    return false;
#endif
}

/* ---- answering at once --------------------------------------------------------------------------
 */

void http_reply(struct http_req *r, int status, struct str content_type, struct str body)
{
    struct conn *c = conn_of(r);
    struct str head;
    bool left, told = false;

    if (!reply_claim(c, REPLY_ENDED))
        return;
    if (r->method != HTTP_HEAD)
        c->has_reply_length = false;
    head = reply_head(c, status, content_type, (int64_t)body.len);
    pthread_mutex_lock(&c->lock);
    if (c->drain_fn != NULL) {
        c->drain_fn = NULL;
        told = !loop_is_current(c->home->loop);
    }
    out_stdout(c, head, c->no_body ? STR_NONE : body, true);
    left = c->out.head < c->out.len;
    if (left) {
        c->ended = true;
        conn_kick(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (told) { /* a call-back that runs just now is let finish, as in http_stream_end() */
        pthread_mutex_lock(&c->calling);
        pthread_mutex_unlock(&c->calling);
    }
    if (!left)
        conn_finish(c);
}

static void reply_json_text(struct http_req *r, int status, const struct buf *b)
{
    http_reply(r, status, STR("application/json"), buf_str(b));
}

void http_reply_json(struct http_req *r, int status, struct val v)
{
    struct buf b;

    buf_init(&b, SIZE_MAX / 2, r->a); /* the value is in memory already, so its text may be */
    json_write(v, JSON_COMPACT, 0, &b);
    reply_json_text(r, status, &b);
}

static void reply_error(struct http_req *r, const struct err *e, bool with_id)
{
    int status = http_status_of(e->code);
    struct buf b;

    buf_init(&b, 8 * sizeof(e->msg), r->a);
    buf_add_c(&b, "{\"error\":");
    json_write_string(str_c(e->msg), JSON_COMPACT, &b);
    if (e->app_code != 0) {
        buf_add_c(&b, ",\"error_code\":");
        buf_add_int(&b, e->app_code);
    }
    if (with_id || status >= 500) { /* our side failed: the id finds the log line */
        buf_add_c(&b, ",\"request_id\":");
        json_write_string(str_c(r->id), JSON_COMPACT, &b);
    }
    buf_add_c(&b, "}");
    if (status == 503)
        http_reply_header(r, STR("Retry-After"), str_printf(r->a, "%d", e->retry_s > 0 ? e->retry_s : 1));
    reply_json_text(r, status, &b);
}

void http_reply_error(struct http_req *r, const struct err *e)
{
    reply_error(r, e, false);
}

void http_reply_failure(struct http_req *r, const struct err *e)
{
    reply_error(r, e, true);
}
