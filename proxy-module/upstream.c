/*
 * Upstream calls: connections of libcurl, framing of ours.
 */
#include "upstream.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"

enum {
    READ_SIZE = 64 * 1024,
    IDLE_MAX = 64,         /* kept connections per loop */
    IDLE_MS = 30 * 1000,
    READS_PER_TURN = 16,   /* then other connections get their turn */
    SPARE_MAX = 256,
};

/* A connection: in use by one call, or idle in the pool of its loop. */
struct conn {
    CURL *easy;
    int fd;
    uint64_t key;            /* where it leads: origin, TLS identity, outbound proxy */
    struct loop_watch *watch;
    uint32_t events;         /* watched now */
    struct up_call *call;    /* NULL while idle */
    struct pool *pool;
    struct conn *next, *prev; /* idle list, most recently used first */
    int64_t idle_since_ms;
};

/* What belongs to one loop. */
struct pool {
    struct loop *loop;
    struct conn *idle;
    size_t n_idle;
    struct up_call *spare; /* finished calls with their arenas, for the next ones */
    size_t n_spare;
    char *buf; /* READ_SIZE */
};

/* Each state says what is true in it. */
enum state {
    CONNECTING, /* a worker makes the connection */
    SENDING,    /* connected; not all of head and body is written */
    READING,    /* everything is written */
};

struct up_call {
    struct pool *pool;
    struct http_server *server;
    struct up_request q;
    struct up_handler h;
    void *arg;
    struct arena *a;
    struct conn *conn;
    enum state state;
    bool reused;    /* the connection was kept: it may be dead without our knowing */
    bool answered;  /* a byte of the answer came */
    bool paused;
    bool cancelled; /* while a worker still connects */
    bool in_read;   /* callbacks are running: freeing waits */
    bool starting;  /* upstream_start() has not returned: failing waits */
    bool ended;
    size_t sent;    /* of head, then body */
    struct buf in;  /* header block so far */
    bool has_head;
    struct http1_head head;
    struct http1_body body;
    struct loop_timer *timer;
    struct loop_timer *kick; /* goes on reading in the next turn */
    int64_t started_ms, active_ms;
    struct err connect_error;
    struct up_call *next; /* in the list of spare ones */
};

static const char pool_key;

static void on_event(void *arg, uint32_t revents);
static void on_readable(struct up_call *c);
static void start_connect(struct up_call *c);

/* ---- connections ------------------------------------------------------------------------------ */

static void conn_free(struct conn *k)
{
    if (k->watch != NULL)
        loop_unwatch(k->watch);
    curl_easy_cleanup(k->easy);
    free(k);
}

static void watch_for(struct conn *k, uint32_t events)
{
    if (k->watch == NULL)
        k->watch = loop_watch(k->pool->loop, k->fd, events, on_event, k);
    else if (k->events != events)
        loop_watch_mod(k->watch, events);
    k->events = events;
}

static void idle_remove(struct conn *k)
{
    if (k->prev != NULL)
        k->prev->next = k->next;
    else
        k->pool->idle = k->next;
    if (k->next != NULL)
        k->next->prev = k->prev;
    k->next = k->prev = NULL;
    k->pool->n_idle--;
}

static void pool_free(void *value)
{
    struct pool *p = value;

    while (p->idle != NULL) {
        struct conn *k = p->idle;

        idle_remove(k);
        conn_free(k);
    }
    while (p->spare != NULL) {
        struct up_call *c = p->spare;

        p->spare = c->next;
        arena_free(c->a);
        free(c);
    }
    free(p->buf);
    free(p);
}

static struct pool *pool_of(struct loop *loop)
{
    struct pool *p = loop_slot(loop, &pool_key);

    if (p != NULL)
        return p;
    p = calloc(1, sizeof *p);
    if (p == NULL || (p->buf = malloc(READ_SIZE)) == NULL)
        abort();
    p->loop = loop;
    loop_slot_set(loop, &pool_key, p, pool_free);
    return p;
}

/* Idle connections older than the limit stand at the end of the list. */
static void drop_old(struct pool *p)
{
    struct conn *k = p->idle, *next;
    int64_t now = loop_now_ms(p->loop);
    size_t i = 0;

    for (; k != NULL; k = next, i++) {
        next = k->next;
        if (i >= IDLE_MAX || now - k->idle_since_ms > IDLE_MS) {
            idle_remove(k);
            conn_free(k);
        }
    }
}

static void conn_keep(struct conn *k)
{
    struct pool *p = k->pool;

    k->call = NULL;
    k->idle_since_ms = loop_now_ms(p->loop);
    watch_for(k, EPOLLIN);
    k->prev = NULL;
    k->next = p->idle;
    if (p->idle != NULL)
        p->idle->prev = k;
    p->idle = k;
    p->n_idle++;
    if (p->n_idle > IDLE_MAX || (p->n_idle & 15) == 0)
        drop_old(p);
}

static struct conn *conn_take(struct pool *p, uint64_t key)
{
    int64_t now = loop_now_ms(p->loop);

    for (struct conn *k = p->idle; k != NULL; k = k->next) {
        if (k->key == key && now - k->idle_since_ms <= IDLE_MS) {
            idle_remove(k);
            return k;
        }
    }
    return NULL;
}

static uint64_t mix(uint64_t h, struct str s)
{
    return (h ^ str_hash(s)) * 0x9e3779b97f4a7c15u;
}

/* Connections are shared by calls for which all of this is the same. */
static uint64_t conn_key(const struct up_request *q)
{
    const struct cfg_gateway *g = q->gateway;
    uint64_t h = mix(g->tls_verify ? 1 : 2, q->origin);

    h = mix(h, g->proxy);
    h = mix(h, g->client_cert);
    return mix(h, secret_text(g->client_key));
}

static void blob(CURL *easy, CURLoption option, struct str text)
{
    struct curl_blob b = {(void *)(uintptr_t)text.p, text.len, CURL_BLOB_COPY};

    if (text.len > 0)
        curl_easy_setopt(easy, option, &b);
}

static CURL *make_handle(const struct up_request *q, struct arena *a)
{
    const struct cfg_gateway *g = q->gateway;
    bool tls = str_starts(q->origin, STR("https:"));
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, str_cstr(a, q->origin));
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)q->silence_ms);
    curl_easy_setopt(easy, CURLOPT_PROXY, str_cstr(a, g->proxy)); /* "" = never from the environment */
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, g->tls_verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, g->tls_verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    blob(easy, CURLOPT_SSLCERT_BLOB, g->client_cert);
    blob(easy, CURLOPT_SSLKEY_BLOB, secret_text(g->client_key));
    return easy;
}

/* ---- the end of a call --------------------------------------------------------------------------- */

static void call_free(struct up_call *c)
{
    loop_timer_cancel(c->timer);
    loop_timer_cancel(c->kick);
    if (c->pool->n_spare < SPARE_MAX) {
        arena_reset(c->a);
        c->next = c->pool->spare;
        c->pool->spare = c;
        c->pool->n_spare++;
        return;
    }
    arena_free(c->a);
    free(c);
}

static struct up_call *call_new(struct pool *p)
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

static void end(struct up_call *c, const struct err *e, bool keep)
{
    enum up_stage stage = c->state == CONNECTING ? UP_CONNECTING
                          : c->answered          ? UP_ANSWERING
                          : c->state == SENDING  ? UP_SENDING
                                                 : UP_WAITING;
    struct conn *k = c->conn;

    c->conn = NULL;
    if (k != NULL && keep)
        conn_keep(k);
    else if (k != NULL)
        conn_free(k);
    c->ended = true;
    c->h.end(c->arg, e, stage);
    if (!c->in_read)
        call_free(c);
}

static void fail(struct up_call *c, enum err_code code, const char *text)
{
    struct err e;

    err_set(&e, code, "%s", text);
    end(c, &e, false);
}

static void on_late_failure(void *arg)
{
    struct up_call *c = arg;

    c->kick = NULL;
    end(c, &c->connect_error, false);
}

/* A kept connection that ended before any byte of the answer: once more on a new one. */
static bool try_again(struct up_call *c)
{
    if (!c->reused || c->answered || !c->q.repeatable)
        return false;
    conn_free(c->conn);
    c->conn = NULL;
    c->reused = false;
    c->sent = 0;
    start_connect(c);
    return true;
}

static void broken(struct up_call *c, const char *why)
{
    if (try_again(c))
        return;
    if (!c->starting) {
        fail(c, ERR_UPSTREAM, why);
        return;
    }
    err_set(&c->connect_error, ERR_UPSTREAM, "%s", why);
    c->kick = loop_timer(c->pool->loop, 0, on_late_failure, c);
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
        if (len == 0) {
            if (c->in.over || c->in.len >= LIMIT_HEADERS)
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
    for (int i = 0; !c->ended && !c->paused; i++) {
        size_t n = 0;
        CURLcode rc;

        if (i == READS_PER_TURN) {
            /* what TLS has decrypted already wakes no epoll: come back by ourselves */
            if (c->kick == NULL)
                c->kick = loop_timer(c->pool->loop, 0, on_kick, c);
            return;
        }
        rc = curl_easy_recv(c->conn->easy, c->pool->buf, READ_SIZE, &n);
        if (rc == CURLE_AGAIN)
            return;
        if (rc != CURLE_OK) {
            broken(c, c->answered ? "broke off its answer" : "closed the connection without an answer");
            return;
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

/* Next bytes of head, then body. */
static struct str unsent(const struct up_call *c)
{
    if (c->sent < c->q.head.len)
        return str_slice(c->q.head, c->sent, c->q.head.len);
    return str_slice(c->q.body, c->sent - c->q.head.len, c->q.body.len);
}

static void write_some(struct up_call *c)
{
    struct str s;

    while ((s = unsent(c)).len > 0) {
        size_t n = 0;
        CURLcode rc = curl_easy_send(c->conn->easy, s.p, s.len, &n);

        if (rc == CURLE_AGAIN) {
            watch_for(c->conn, EPOLLIN | EPOLLOUT);
            return;
        }
        if (rc != CURLE_OK) {
            broken(c, "closed the connection while the request was sent");
            return;
        }
        c->sent += n;
        c->active_ms = loop_now_ms(c->pool->loop);
    }
    c->state = READING;
    watch_for(c->conn, EPOLLIN);
}

/* Join head and body into one write when that is cheap. */
static void join_small_body(struct up_call *c)
{
    struct buf b;

    if (c->q.body.len == 0 || c->q.body.len > 16 * KIB)
        return;
    buf_init(&b, c->q.head.len + c->q.body.len, c->a);
    buf_add_str(&b, c->q.head);
    buf_add_str(&b, c->q.body);
    c->q.head = buf_str(&b);
    c->q.body = STR("");
}

static void on_event(void *arg, uint32_t revents)
{
    struct conn *k = arg;

    if (k->call == NULL) {
        /* idle: the peer closed it, or sent what nobody asked for */
        idle_remove(k);
        conn_free(k);
        return;
    }
    if (k->call->paused) {
        /* hang-ups are reported whatever one watches: look away until somebody reads again */
        loop_unwatch(k->watch);
        k->watch = NULL;
        return;
    }
    if (k->call->state == SENDING && (revents & EPOLLOUT) != 0) {
        write_some(k->call);
        return;
    }
    if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        on_readable(k->call);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static void use_conn(struct up_call *c, struct conn *k)
{
    c->conn = k;
    k->call = c;
    c->state = SENDING;
    write_some(c);
}

static void on_connected(void *arg)
{
    struct up_call *c = arg;
    struct conn *k = c->conn;
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (c->cancelled) {
        curl_easy_cleanup(k->easy);
        free(k);
        call_free(c);
        return;
    }
    if (c->connect_error.code == ERR_NONE &&
        (curl_easy_getinfo(k->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD))
        err_set(&c->connect_error, ERR_UPSTREAM, "connection failed");
    if (c->connect_error.code != ERR_NONE) {
        end(c, &c->connect_error, false);
        return;
    }
    k->fd = (int)fd;
    watch_for(k, EPOLLIN);
    use_conn(c, k);
}

static void connect_error(struct up_call *c, CURLcode rc)
{
    if (rc == CURLE_OPERATION_TIMEDOUT)
        err_set(&c->connect_error, ERR_TIMEOUT, "did not answer within %lld s", (long long)c->q.silence_ms / 1000);
    else
        err_set(&c->connect_error, ERR_UPSTREAM, "connection failed (%s)", curl_easy_strerror(rc));
}

/* On a worker. */
static void connect_now(void *arg)
{
    struct up_call *c = arg;
    CURLcode rc = curl_easy_perform(c->conn->easy);

    if (rc != CURLE_OK)
        connect_error(c, rc);
    loop_post(c->pool->loop, on_connected, c);
}

static void start_connect(struct up_call *c)
{
    struct conn *k = calloc(1, sizeof *k);

    if (k == NULL)
        abort();
    c->state = CONNECTING;
    c->conn = k;
    k->pool = c->pool;
    k->key = conn_key(&c->q);
    k->fd = -1;
    k->easy = make_handle(&c->q, c->a);
    c->connect_error = (struct err){0};
    if (k->easy == NULL) {
        err_set(&c->connect_error, ERR_INTERNAL, "cannot make a connection");
        k->easy = curl_easy_init();
        loop_post(c->pool->loop, on_connected, c);
        return;
    }
    if (http_server_work(c->server, connect_now, c) != 0) {
        err_set(&c->connect_error, ERR_BUSY, "is busy");
        loop_post(c->pool->loop, on_connected, c);
    }
}

static void on_timer(void *arg)
{
    struct up_call *c = arg;
    int64_t now = loop_now_ms(c->pool->loop);
    int64_t silent_at = c->active_ms + c->q.silence_ms, total_at = c->started_ms + c->q.total_ms;
    int64_t due = silent_at < total_at && !c->paused ? silent_at : total_at;
    char text[96];

    c->timer = NULL;
    if (now < due || c->state == CONNECTING) {
        c->timer = loop_timer(c->pool->loop, now < due ? due - now : 1000, on_timer, c);
        return;
    }
    snprintf(text, sizeof text, "did not answer within %lld s",
             (long long)(now >= total_at ? c->q.total_ms : c->q.silence_ms) / 1000);
    fail(c, ERR_TIMEOUT, text);
}

struct up_call *upstream_start(struct loop *loop, struct http_server *server, const struct up_request *q,
                               const struct up_handler *h, void *arg)
{
    struct up_call *c = call_new(pool_of(loop));
    struct conn *kept;

    c->server = server;
    c->q = *q;
    c->h = *h;
    c->arg = arg;
    buf_init(&c->in, LIMIT_HEADERS + READ_SIZE, c->a);
    join_small_body(c);
    c->started_ms = c->active_ms = loop_now_ms(loop);
    c->timer = loop_timer(loop, q->silence_ms, on_timer, c);
    kept = conn_take(c->pool, conn_key(q));
    if (kept != NULL) {
        c->reused = true;
        c->starting = true;
        use_conn(c, kept);
        c->starting = false;
    } else {
        start_connect(c);
    }
    return c;
}

void upstream_pause(struct up_call *c)
{
    c->paused = true;
    if (c->conn != NULL)
        watch_for(c->conn, 0);
}

void upstream_resume(struct up_call *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    c->active_ms = loop_now_ms(c->pool->loop);
    if (c->conn == NULL)
        return;
    watch_for(c->conn, EPOLLIN);
    if (c->kick == NULL && !c->in_read)
        c->kick = loop_timer(c->pool->loop, 0, on_kick, c);
}

void upstream_cancel(struct up_call *c)
{
    c->cancelled = true;
    if (c->state == CONNECTING)
        return; /* on_connected() finishes it */
    c->ended = true;
    if (c->conn != NULL)
        conn_free(c->conn);
    c->conn = NULL;
    if (!c->in_read)
        call_free(c);
}
