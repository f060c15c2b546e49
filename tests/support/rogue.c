/*
 * The rogue upstream: plain blocking sockets, a thread per connection.
 */
#include "support/rogue.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 80 * 1024, BLOCK = 64 * 1024, STACK = 256 * 1024 };

struct rogue {
    int fd, port;
    pthread_t thread;
    atomic_bool stopping;
    atomic_long requests, active;
    atomic_int refs; /* the owner and each connection */
    atomic_llong body_bytes, sent_bytes;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open; /* the gate */
};

struct line {
    struct rogue *r;
    int fd;
    char *in; /* HEAD_MAX */
    size_t len;
    char verb[64];
    bool gated, active;
    long arg;
};

static void unref(struct rogue *r)
{
    if (atomic_fetch_sub(&r->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->opened);
    free(r);
}

static void line_free(struct line *l)
{
    close(l->fd);
    free(l->in);
    unref(l->r);
    free(l);
}

static void nap(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    nanosleep(&ts, NULL);
}

static bool put(struct line *l, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        ssize_t sent = send(l->fd, at, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        atomic_fetch_add(&l->r->sent_bytes, sent);
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool say(struct line *l, const char *text)
{
    return put(l, text, strlen(text));
}

static void done(struct line *l)
{
    if (l->active)
        atomic_fetch_sub(&l->r->active, 1);
    l->active = false;
}

/* Who has the answer finds the call over. */
static bool answer(struct line *l, const char *body)
{
    char head[160];

    done(l);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    return say(l, head) && say(l, body);
}

static bool reset(struct line *l)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return false;
}

/* ---- the request body --------------------------------------------------------------------------------- */

/* One byte of what came; -1 at the end. */
static int take(struct line *l, size_t *at)
{
    if (*at == l->len) {
        ssize_t n = recv(l->fd, l->in, HEAD_MAX - 1, 0);

        if (n <= 0)
            return -1;
        l->len = (size_t)n;
        *at = 0;
    }
    return (unsigned char)l->in[(*at)++];
}

static bool skip(struct line *l, size_t *at, long long n, bool slow)
{
    while (n > 0) {
        size_t here = l->len - *at;

        if (here == 0) {
            if (take(l, at) < 0)
                return false;
            (*at)--;
            here = l->len - *at;
            if (slow)
                nap(1);
        }
        if ((long long)here > n)
            here = (size_t)n;
        *at += here;
        n -= (long long)here;
        atomic_fetch_add(&l->r->body_bytes, (long long)here);
    }
    return true;
}

static bool skip_chunks(struct line *l, size_t *at, bool slow)
{
    for (;;) {
        char size[32];
        size_t n = 0;
        long long len;
        int c;

        while ((c = take(l, at)) >= 0 && c != '\n' && n + 1 < sizeof size)
            size[n++] = (char)c;
        size[n] = '\0';
        if (c < 0)
            return false;
        len = strtoll(size, NULL, 16);
        if (len > 0 && !skip(l, at, len, slow))
            return false;
        if (take(l, at) != '\r' || take(l, at) != '\n')
            return false;
        if (len == 0)
            return true;
    }
}

/* Read the body behind the head of `head_len` bytes; false when it breaks off.  *bytes: how long it was. */
static bool read_body(struct line *l, const char *head, size_t head_len, bool slow, long long *bytes)
{
    long long before = atomic_load(&l->r->body_bytes), length = 0;
    const char *at = strcasestr(head, "\r\ncontent-length:");
    bool chunked = strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL, ok;
    size_t from = head_len;

    if (at != NULL)
        length = strtoll(at + 17, NULL, 10);
    ok = chunked ? skip_chunks(l, &from, slow) : skip(l, &from, length, slow);
    *bytes = atomic_load(&l->r->body_bytes) - before;
    l->len -= from < l->len ? from : l->len;
    memmove(l->in, l->in + from, l->len);
    return ok;
}

/* ---- what it does ---------------------------------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\n"
#define BODY "Content-Length: 1000\r\n\r\n0123456789"

static const struct plain {
    const char *verb, *text;
    bool reset; /* else closed in order */
} plain[] = {
    {"reset_now", "", true},
    {"close_now", "", false},
    {"reset_head", "HTTP/1.1 200 O", true},
    {"close_head", OK "Content-Ty", false},
    {"reset_body", OK BODY, true},
    {"close_body", OK BODY, false},
    {"garbage", "\x16\x03\x01 what is this\r\n\r\n", false},
    {"two_lengths", OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", false},
    {"length_and_chunks", OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
    {"bad_chunk", OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n", false},
    {"huge_chunk", OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello", false},
    {"folded", OK "X-A: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}", false},
    {"control_char", OK "X-A: b\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\n{}", false},
    {"unauthorized", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", false},
    {"fail", "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", false},
    {"early", "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{\"error\":\"full\"}", false},
};

static bool many_headers(struct line *l)
{
    bool ok = say(l, OK);

    for (int i = 0; i < 10000 && ok; i++)
        ok = say(l, "X-Many: 1\r\n");
    return ok && say(l, "Content-Length: 2\r\n\r\n{}");
}

static bool big_head(struct line *l)
{
    char block[1024];
    bool ok = say(l, OK "X-Big: ");

    memset(block, 'h', sizeof block);
    for (int i = 0; i < 100 && ok; i++)
        ok = put(l, block, sizeof block);
    return ok && say(l, "\r\nContent-Length: 2\r\n\r\n{}");
}

static bool big(struct line *l)
{
    static char block[BLOCK];
    char head[128];
    bool ok;

    snprintf(head, sizeof head, OK "Content-Type: text/plain\r\nContent-Length: %lld\r\n\r\n", (long long)l->arg * 1024 * 1024);
    ok = say(l, head);
    for (long i = 0; i < l->arg * 16 && ok; i++)
        ok = put(l, block, BLOCK);
    return ok;
}

static bool endless(struct line *l)
{
    static char block[BLOCK];
    bool ok = say(l, OK "Transfer-Encoding: chunked\r\n\r\n");

    while (ok)
        ok = say(l, "10000\r\n") && put(l, block, BLOCK) && say(l, "\r\n");
    return false;
}

static bool drip(struct line *l)
{
    bool ok = say(l, OK "Content-Length: 100000\r\n\r\n");

    while (ok && !atomic_load(&l->r->stopping)) {
        nap(50);
        ok = say(l, "d");
    }
    return false;
}

static bool hang(struct line *l)
{
    char byte;

    while (recv(l->fd, &byte, 1, 0) > 0)
        ;
    return false;
}

static void wait_at_gate(struct rogue *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->open)
        pthread_cond_wait(&r->opened, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static bool is(const struct line *l, const char *verb)
{
    return strcmp(l->verb, verb) == 0;
}

/* True: the connection goes on. */
static bool act(struct line *l, const char *head, size_t head_len)
{
    char text[64];
    long long bytes;

    if (l->gated)
        wait_at_gate(l->r);
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (!is(l, plain[i].verb))
            continue;
        (void)say(l, plain[i].text);
        if (plain[i].reset) {
            nap(20); /* what was said arrives first */
            return reset(l);
        }
        shutdown(l->fd, SHUT_WR);
        nap(100);
        return false;
    }
    if (is(l, "hang"))
        return hang(l);
    if (!read_body(l, head, head_len, is(l, "slow_sink"), &bytes))
        return false;
    if (is(l, "sink") || is(l, "slow_sink")) {
        snprintf(text, sizeof text, "{\"bytes\":%lld}", bytes);
        return answer(l, text);
    }
    if (strncmp(l->verb, "wants_", 6) == 0) {
        snprintf(text, sizeof text, "Authorization: Bearer %.30s\r\n", l->verb + 6);
        return strstr(head, text) != NULL ? answer(l, "{\"ok\":true}") : say(l, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}");
    }
    if (is(l, "echo_head"))
        return answer(l, head);
    if (is(l, "headers_10000"))
        return many_headers(l);
    if (is(l, "big_head"))
        return big_head(l);
    if (is(l, "big"))
        return big(l);
    if (is(l, "endless"))
        return endless(l);
    if (is(l, "drip"))
        return drip(l);
    if (is(l, "short_length"))
        return say(l, OK "Content-Length: 5\r\n\r\nhello and much more than was announced, HTTP/1.1 200 OK\r\n\r\n");
    if (is(l, "continue") && !say(l, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    if (is(l, "sleep"))
        nap(l->arg);
    return answer(l, "{\"ok\":true}");
}

/* "/api/v1/do/big_100/" */
static void read_verb(struct line *l, const char *head)
{
    const char *at = strstr(head, "/do/"), *end = strstr(head, "\r\n");
    size_t n = 0;

    snprintf(l->verb, sizeof l->verb, "ok");
    l->arg = 0;
    l->gated = false;
    if (at == NULL || at > end)
        return;
    for (at += 4; n + 1 < sizeof l->verb && (strchr("abcdefghijklmnopqrstuvwxyz_0123456789", *at) != NULL) && *at != '\0'; at++)
        l->verb[n++] = *at;
    l->verb[n] = '\0';
    l->gated = strncmp(l->verb, "gate", 4) == 0;
    if (strncmp(l->verb, "gate_", 5) == 0)
        memmove(l->verb, l->verb + 5, n - 4);
    if (strncmp(l->verb, "big_", 4) == 0 && is(l, "big_head") == false) {
        l->arg = strtol(l->verb + 4, NULL, 10);
        l->verb[3] = '\0';
    } else if (strncmp(l->verb, "sleep_", 6) == 0) {
        l->arg = strtol(l->verb + 6, NULL, 10);
        l->verb[5] = '\0';
    }
}

/* Have a whole head at the start of l->in; its length, 0 at the end of the connection. */
static size_t read_head(struct line *l)
{
    for (;;) {
        char *end;
        ssize_t n;

        l->in[l->len] = '\0';
        end = strstr(l->in, "\r\n\r\n");
        if (end != NULL)
            return (size_t)(end - l->in) + 4;
        if (l->len >= HEAD_MAX - 1)
            return 0;
        n = recv(l->fd, l->in + l->len, HEAD_MAX - 1 - l->len, 0);
        if (n <= 0)
            return 0;
        l->len += (size_t)n;
    }
}

static void *serve(void *arg)
{
    struct line *l = arg;
    size_t n;

    while ((n = read_head(l)) > 0) {
        char *head = strndup(l->in, n);
        bool on;

        atomic_fetch_add(&l->r->requests, 1);
        atomic_fetch_add(&l->r->active, 1);
        l->active = true;
        read_verb(l, head);
        on = act(l, head, n);
        done(l);
        free(head);
        if (!on)
            break;
    }
    line_free(l);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct rogue *r = arg;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    while (!atomic_load(&r->stopping)) {
        struct line *l;
        pthread_t thread;
        int fd = accept(r->fd, NULL, NULL), one = 1;

        if (fd < 0)
            continue;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* heads go before their bodies, but at once */
        l = calloc(1, sizeof *l);
        if (l == NULL || (l->in = malloc(HEAD_MAX)) == NULL)
            abort();
        l->r = r;
        l->fd = fd;
        atomic_fetch_add(&r->refs, 1);
        if (pthread_create(&thread, &attr, serve, l) != 0)
            line_free(l);
    }
    pthread_attr_destroy(&attr);
    return NULL;
}

struct rogue *rogue_new(void)
{
    struct rogue *r = calloc(1, sizeof *r);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    if (r == NULL)
        abort();
    atomic_init(&r->refs, 1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->opened, NULL);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0 || bind(r->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(r->fd, 2048) != 0 ||
        getsockname(r->fd, (struct sockaddr *)&at, &len) != 0 || pthread_create(&r->thread, NULL, accept_all, r) != 0)
        abort();
    r->port = ntohs(at.sin_port);
    return r;
}

void rogue_free(struct rogue *r)
{
    atomic_store(&r->stopping, true);
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    unref(r);
}

int rogue_port(const struct rogue *r)
{
    return r->port;
}

long rogue_requests(struct rogue *r)
{
    return atomic_load(&r->requests);
}

long long rogue_body_bytes(struct rogue *r)
{
    return atomic_load(&r->body_bytes);
}

long long rogue_sent_bytes(struct rogue *r)
{
    return atomic_load(&r->sent_bytes);
}

long rogue_active(struct rogue *r)
{
    return atomic_load(&r->active);
}

void rogue_gate(struct rogue *r, bool open)
{
    pthread_mutex_lock(&r->lock);
    r->open = open;
    pthread_cond_broadcast(&r->opened);
    pthread_mutex_unlock(&r->lock);
}
