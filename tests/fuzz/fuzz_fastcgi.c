/*
 * What a web server's connection may bring: the input is its bytes, to a real server of one loop.
 *
 * They are sent twice, in pieces as large as one read takes and cut at places that follow from the input.  The handler must have seen
 * the same requests both times.  A socket that keeps the borders of what is sent makes each piece one read of the server.  Targets that
 * begin with "/s" have large bodies streamed to the handler, those with "/i" are answered unread; what is broken off counts as not seen.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/server.h"

enum { READ_MAX = 16 * 1024 /* what every read of the server has room for */, SIZE_LIMIT = 200 * 1024, PIECES = 256 };

static struct http_server *server;
static struct sockaddr_un address;
static socklen_t address_len = sizeof(address);
static struct buf *seen; /* by one thread at a time: the requests of a connection come one after the other */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* ---- the server's side ---- */

static void note(struct str s)
{
    buf_addf(seen, "%zu:", s.len);
    buf_add_str(seen, s);
    buf_putc(seen, '\n');
}

/* Whatever a handler may ask of a request, save what is made up for it. */
static void note_head(struct http_req *r)
{
    struct http_header *headers;
    size_t n = http_req_headers(r, &headers);

    note(r->method_name);
    note(r->target);
    note(r->path);
    note(r->query);
    note(r->content_type);
    note(r->remote_addr);
    note(r->scheme);
    note(http_req_bearer(r));
    for (size_t i = 0; i < n; i++) {
        note(headers[i].name);
        note(headers[i].value);
    }
}

struct streamed {
    struct http_req *r;
    size_t start; /* of the request in what was seen */
};

static void done(struct http_req *r)
{
    buf_add_c(seen, "\n--\n");
    http_reply(r, 200, STR("text/plain"), STR("ok"));
}

static void more_body(void *arg)
{
    struct streamed *s = arg;

    for (;;) {
        char part[777];
        ptrdiff_t n = http_req_read_now(s->r, part, sizeof(part));

        if (n == HTTP_NOT_YET) {
            http_req_on_body(s->r, more_body, s);
            return;
        }
        if (n == 0)
            break;
        if (n < 0) {
            seen->len = s->start;
            http_reply(s->r, 400, STR("text/plain"), STR("broken off"));
            return;
        }
        buf_add(seen, part, (size_t)n);
    }
    done(s->r);
}

static void handler(struct http_req *r, void *ctx)
{
    struct streamed *s;

    (void)ctx;
    if (str_starts(r->target, STR("/i"))) {
        http_reply(r, 200, STR("text/plain"), STR("unread"));
        return;
    }
    s = ARENA_NEW(r->a, struct streamed);
    *s = (struct streamed){r, seen->len};
    note_head(r);
    if (r->body_pending) {
        more_body(s);
        return;
    }
    buf_add_str(seen, r->body);
    done(r);
}

static bool is_streamed(const struct http_req *r)
{
    return str_starts(r->target, STR("/s")) || str_starts(r->target, STR("/i"));
}

static void *serve(void *arg)
{
    struct err e;

    (void)arg;
    if (http_server_run(server, &e) != 0)
        abort();
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    pthread_t thread;

    (void)argc;
    (void)argv;
    address.sun_family = AF_UNIX;
    /* without a name the kernel finds one, which is no file */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) != 0)
        abort();
    server = http_server_new(&(struct http_server_opts){.listen_fd = fd, .loops = 1, .workers = 1, .stream_this = is_streamed},
                             handler, NULL);
    if (pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    return 0;
}

/* ---- the web server's side ---- */

struct cuts {
    uint32_t random; /* 0: as large as can be */
    size_t most;
};

static struct cuts cuts_of(struct str bytes)
{
    static const size_t mosts[] = {1, 2, 9, 40, 300, 5000, READ_MAX};
    struct cuts c = {.random = 2166136261U};
    size_t least = bytes.len / PIECES + 1;

    for (size_t i = 0; i < bytes.len; i++)
        c.random = (c.random ^ (unsigned char)bytes.p[i]) * 16777619U;
    c.most = mosts[c.random % COUNT_OF(mosts)];
    c.most = c.most > least ? c.most : least;
    c.random |= 1;
    return c;
}

static size_t next_piece(struct cuts *c, size_t left)
{
    size_t n = READ_MAX;

    if (c->random != 0) {
        c->random ^= c->random << 13;
        c->random ^= c->random >> 17;
        c->random ^= c->random << 5;
        n = 1 + c->random % c->most;
    }
    return n < left ? n : left;
}

/* As much as the socket takes; false when there is no more to send, or the server takes nothing any more. */
static bool send_some(int fd, struct str *bytes, size_t *piece, struct cuts *cuts)
{
    while (bytes->len > 0) {
        ssize_t n;

        if (*piece == 0)
            *piece = next_piece(cuts, bytes->len);
        n = send(fd, bytes->p, *piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        *bytes = str_slice(*bytes, (size_t)n, bytes->len);
        *piece = 0;
    }
    return false;
}

/* Send everything and take the answers until the server closes. */
static void converse(int fd, struct str bytes, struct cuts cuts)
{
    bool open = true;
    size_t piece = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (open ? POLLOUT : 0))};
        char answer[4096];

        (void)poll(&p, 1, -1);
        if ((p.revents & ~POLLOUT) != 0) {
            ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                return;
        }
        if (open && (p.revents & POLLOUT) != 0) {
            open = send_some(fd, &bytes, &piece, &cuts);
            if (!open)
                (void)shutdown(fd, SHUT_WR);
        }
    }
}

static struct buf what_is_seen(struct str bytes, struct cuts cuts, struct arena *a)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct buf b;

    buf_init(&b, 64 * MIB, a);
    seen = &b;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_len) != 0)
        abort();
    converse(fd, bytes, cuts);
    close(fd);
    while (http_server_stats(server).connections > 0)
        sched_yield();
    seen = NULL;
    return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make((const char *)data, size);
    struct arena *a;
    struct buf whole, cut;

    if (size > SIZE_LIMIT) /* heads longer than what is gathered at all: where that ends depends on the pieces */
        return 0;
    a = arena_new(0);
    whole = what_is_seen(bytes, (struct cuts){0}, a);
    cut = what_is_seen(bytes, cuts_of(bytes), a);
    if (!str_eq(buf_str(&whole), buf_str(&cut))) {
        fprintf(stderr, "whole:\n%.*s\ncut:\n%.*s\n", STR_ARG(buf_str(&whole)), STR_ARG(buf_str(&cut)));
        abort();
    }
    arena_free(a);
    return 0;
}
