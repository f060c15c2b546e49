/*
 * The stand-in gateway's wire: HTTP/1.1 with kept connections, a thread each, and its ways to
 * break.
 */
#include "support/gateway.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf8.h"
#include "http/request.h"

enum { HEADERS = 128, HEAD_MAX = 64 * 1024, READ_STEP = 64 * 1024 };
#define BODY_MAX (256 * MIB)

struct line {
    int fd;
    struct gateway *g;
    struct arena *a; /* one request */
    char *in;        /* received and not yet used */
    size_t len, cap;
};

/* ---- reading
 * ------------------------------------------------------------------------------------- */

static bool receive(struct line *l)
{
    ssize_t n;

    if (l->cap - l->len < READ_STEP) {
        l->cap = l->cap == 0 ? READ_STEP : 2 * l->cap;
        l->in = realloc(l->in, l->cap);
        if (l->in == NULL)
            abort();
        return receive(l);
    }
    do {
        n = recv(l->fd, l->in + l->len, l->cap - l->len, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    l->len += (size_t)n;
    return true;
}

static void use_up(struct line *l, size_t n)
{
    memmove(l->in, l->in + n, l->len - n);
    l->len -= n;
}

/* Up to and with `end`, copied into the arena; .p NULL when the peer closed or sent too much. */
static struct str receive_until(struct line *l, struct str end, size_t max)
{
    struct str out;
    ptrdiff_t at;

    while ((at = str_find(str_make(l->in, l->len), end)) < 0) {
        if (l->len > max || !receive(l))
            return STR_NONE;
    }
    out = str_dup(l->a, str_make(l->in, (size_t)at + end.len));
    use_up(l, out.len);
    return out;
}

static bool receive_bytes(struct line *l, size_t n, struct buf *to)
{
    while (n > 0) {
        size_t part;

        if (l->len == 0 && !receive(l))
            return false;
        part = n < l->len ? n : l->len;
        buf_add(to, l->in, part);
        use_up(l, part);
        n -= part;
    }
    return !to->over;
}

static bool receive_chunks(struct line *l, struct buf *to)
{
    for (;;) {
        struct str size = receive_until(l, STR("\r\n"), 1000);
        unsigned long n;

        if (size.p == NULL)
            return false;
        n = strtoul(size.p, NULL, 16); /* NUL-terminated copy */
        if (n == 0)
            break;
        if (n > BODY_MAX || !receive_bytes(l, n, to) || receive_until(l, STR("\r\n"), 10).p == NULL)
            return false;
    }
    for (;;) { /* trailers */
        struct str trailer = receive_until(l, STR("\r\n"), HEAD_MAX);

        if (trailer.len <= 2)
            return trailer.p != NULL;
    }
}

static bool put(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool receive_body(struct line *l, struct gw_request *r)
{
    struct str length = gw_header(r, "content-length");
    struct buf body;
    int64_t n = 0;
    bool ok = true;

    if (str_ieq(gw_header(r, "expect"), STR("100-continue")))
        ok = put(l->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    buf_init(&body, BODY_MAX, l->a);
    if (str_ieq(gw_header(r, "transfer-encoding"), STR("chunked")))
        ok = ok && receive_chunks(l, &body);
    else if (length.len > 0)
        ok = ok && str_to_int(length, &n) && n >= 0 && (uint64_t)n <= BODY_MAX &&
             receive_bytes(l, (size_t)n, &body);
    r->body = buf_str(&body);
    return ok;
}

/* One request; false at the end of the connection. */
static bool receive_request(struct line *l, struct gw_request *r)
{
    struct str head = receive_until(l, STR("\r\n\r\n"), HEAD_MAX);
    struct str line;

    *r = (struct gw_request){.a = l->a};
    if (head.p == NULL)
        return false;
    if (utf8_check(head) < head.len)
        head = utf8_repair(l->a, head);
    line = str_trim(str_cut(&head, '\n'));
    r->method = str_cut(&line, ' ');
    r->target = str_cut(&line, ' ');
    r->query = r->target;
    r->path = str_cut(&r->query, '?');
    r->headers = ARENA_ARRAY(l->a, struct gw_header, HEADERS);
    while (head.len > 2 && r->n_headers < HEADERS) {
        struct str value = str_cut(&head, '\n');
        struct str name = str_cut(&value, ':');

        r->headers[r->n_headers++] = (struct gw_header){name, str_trim(value)};
    }
    return receive_body(l, r);
}

/* ---- answering
 * ------------------------------------------------------------------------------------- */

static void pause_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};

    nanosleep(&ts, NULL);
}

static void wait_for_close(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

/* The peer is to see a reset, not a tidy end. */
static void make_close_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* True when the connection goes on. */
static bool send_answer(struct line *l, const struct gw_request *r, const struct gw_answer *out)
{
    bool keep = !str_ieq(gw_header(r, "connection"), STR("close"));
    bool bodiless = str_eq_c(r->method, "HEAD") || out->status == 204 || out->status == 304;
    struct str body = json_text(out->body, l->a);
    struct buf b;

    buf_init(&b, 2 * BODY_MAX, l->a);
    buf_addf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nServer: stand-in\r\n",
             out->status, http_status_text(out->status));
    if (out->status != 204 && out->status != 304)
        buf_addf(&b, "Content-Length: %zu\r\n", body.len);
    buf_add_str(&b, buf_str(&out->headers));
    buf_add_c(&b, keep ? "\r\n" : "Connection: close\r\n\r\n");
    if (out->fault == GW_RESET_MID_BODY) {
        buf_add_str(&b, str_slice(body, 0, body.len / 2));
        (void)put(l->fd, b.p, b.len);
        pause_ms(20); /* a reset overtakes what was not read */
        make_close_reset(l->fd);
        return false;
    }
    if (!bodiless)
        buf_add_str(&b, body);
    return put(l->fd, b.p, b.len) && keep;
}

static bool respond(struct line *l, const struct gw_request *r)
{
    struct gw_answer out;

    gateway_handle(l->g, r, &out);
    if (out.delay_ms > 0)
        pause_ms(out.delay_ms);
    switch (out.fault) {
    case GW_CLOSE_EARLY:
        return false;
    case GW_HANG:
        wait_for_close(l->fd);
        return false;
    case GW_GARBAGE:
        (void)put(l->fd, "\x15\x03 this is not http\r\n\r\n", 23);
        return false;
    case GW_ANSWER:
    case GW_RESET_MID_BODY:
        break;
    }
    return send_answer(l, r, &out);
}

/* ---- connections
 * ---------------------------------------------------------------------------------------- */

static void *line_main(void *arg)
{
    struct line *l = arg;
    struct gw_request r;

    gateway_connected(l->g);
    while (receive_request(l, &r) && respond(l, &r))
        arena_reset(l->a);
    close(l->fd);
    arena_free(l->a);
    free(l->in);
    free(l);
    return NULL;
}

int gateway_serve(struct gateway *g, int listen_fd)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * KIB);
    for (;;) {
        int fd = accept(listen_fd, NULL, NULL);
        struct pollfd readable = {.fd = listen_fd, .events = POLLIN};
        struct line *l;
        pthread_t thread;
        int one = 1;

        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) {
            (void)poll(&readable, 1, -1);
            continue;
        }
        if (fd < 0)
            return -1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        l = calloc(1, sizeof(*l));
        if (l == NULL)
            abort();
        *l = (struct line){.fd = fd, .g = g, .a = arena_new(0)};
        if (pthread_create(&thread, &attr, line_main, l) != 0) {
            close(fd);
            arena_free(l->a);
            free(l);
        }
    }
}
