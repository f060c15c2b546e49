/*
 * The server with the ledger.
 */
#include "support/crash_ledger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { CONNS = 256, REQUEST_MAX = 16 * 1024 };

struct conn {
    struct ledger *l;
    pthread_t thread;
    int fd;
    bool used, ended; /* ended: to be joined */
};

struct ledger {
    int fd, port, delay_ms;
    int stop_pipe[2];
    pthread_t thread;
    pthread_mutex_t lock; /* the rest */
    struct conn conns[CONNS];
    struct ledger_call *calls;
    size_t n, cap;
};

/* ---- a call --------------------------------------------------------------------------------- */

static void copy(char *to, size_t size, struct str from)
{
    (void)snprintf(to, size, "%.*s", STR_ARG(from));
}

/* The text of a member; names and texts of a call need no escapes. */
static struct str member(struct str body, struct str name)
{
    ptrdiff_t at = str_find(body, name);
    struct str rest;

    if (at < 0)
        return STR_NONE;
    rest = str_slice(body, (size_t)at + name.len, body.len);
    return str_cut(&rest, '"');
}

static struct str header(struct str head, struct str name)
{
    while (head.len > 0) {
        struct str value = str_cut(&head, '\n');

        if (str_ieq(str_cut(&value, ':'), name))
            return str_trim(value);
    }
    return STR_NONE;
}

/* Length of the whole request at the start of the text, 0: not there yet. */
static size_t whole(struct str text, size_t *head_len)
{
    ptrdiff_t end = str_find(text, STR("\r\n\r\n"));
    int64_t n = 0;

    if (end < 0)
        return 0;
    *head_len = (size_t)end + 4;
    if (!str_to_int(header(str_slice(text, 0, *head_len), STR("content-length")), &n) || n < 0)
        n = 0;
    return *head_len + (size_t)n <= text.len ? *head_len + (size_t)n : 0;
}

/* Returns how long the answer is to take. */
static int write_down(struct ledger *l, const struct ledger_call *call)
{
    int delay;

    pthread_mutex_lock(&l->lock);
    if (l->n == l->cap) {
        l->cap = l->cap > 0 ? l->cap * 2 : 1024;
        l->calls = realloc(l->calls, l->cap * sizeof *l->calls);
        if (l->calls == NULL)
            abort();
    }
    l->calls[l->n++] = *call;
    delay = l->delay_ms > 0 ? (int)(l->n * 7 % (size_t)(l->delay_ms + 1)) : 0;
    pthread_mutex_unlock(&l->lock);
    return delay;
}

static bool answer(struct conn *c, struct str request, size_t head_len)
{
    struct str head = str_slice(request, 0, head_len);
    struct str body = str_slice(request, head_len, request.len);
    struct ledger_call call = {.at_us = clock_wall_us(&clock_system)};
    char text[400], json[128];
    int n;

    copy(call.key, sizeof call.key, header(head, STR("idempotency-key")));
    copy(call.guid, sizeof call.guid, member(body, STR("\"guid\":\"")));
    copy(call.cell, sizeof call.cell, member(body, STR("\"cell\":\"")));
    usleep((useconds_t)write_down(c->l, &call) * 1000);
    n = snprintf(json, sizeof json, "{\"cell\":\"%s\",\"id\":\"%s-%s\"}", call.cell, call.guid,
                 call.cell);
    n = snprintf(
        text, sizeof text,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n,
        json);
    return send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static void *serve(void *arg)
{
    struct conn *c = arg;
    char *in = malloc(REQUEST_MAX);
    size_t len = 0;

    if (in == NULL)
        abort();
    for (;;) {
        size_t head_len = 0, n = whole(str_make(in, len), &head_len);
        ssize_t got;

        if (n > 0) {
            if (!answer(c, str_make(in, n), head_len))
                break;
            len -= n;
            memmove(in, in + n, len);
            continue;
        }
        got = len < REQUEST_MAX ? recv(c->fd, in + len, REQUEST_MAX - len, 0) : 0;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    free(in);
    pthread_mutex_lock(&c->l->lock);
    close(c->fd);
    c->fd = -1;
    c->ended = true;
    pthread_mutex_unlock(&c->l->lock);
    return NULL;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void take(struct ledger *l, int fd)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < CONNS && fd >= 0; i++) {
        struct conn *c = &l->conns[i];

        if (c->used && !c->ended)
            continue;
        if (c->used)
            (void)pthread_join(c->thread, NULL); /* it holds nothing any more */
        *c = (struct conn){.l = l, .fd = fd, .used = true};
        if (pthread_create(&c->thread, NULL, serve, c) != 0)
            abort();
        fd = -1;
    }
    pthread_mutex_unlock(&l->lock);
    if (fd >= 0)
        close(fd);
}

static void *listen_loop(void *arg)
{
    struct ledger *l = arg;
    struct pollfd p[2] = {{l->fd, POLLIN, 0}, {l->stop_pipe[0], POLLIN, 0}};

    while (poll(p, 2, -1) >= 0 && p[1].revents == 0) {
        int fd = p[0].revents != 0 ? accept4(l->fd, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd >= 0)
            take(l, fd);
    }
    return NULL;
}

struct ledger *ledger_new(int delay_ms)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct ledger *l = calloc(1, sizeof *l);

    if (l == NULL)
        abort();
    l->delay_ms = delay_ms;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(l->fd, 128) != 0 || getsockname(l->fd, (struct sockaddr *)&at, &len) != 0 ||
        pipe(l->stop_pipe) != 0)
        abort();
    l->port = ntohs(at.sin_port);
    pthread_mutex_init(&l->lock, NULL);
    if (pthread_create(&l->thread, NULL, listen_loop, l) != 0)
        abort();
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    if (write(l->stop_pipe[1], "x", 1) != 1)
        abort();
    pthread_join(l->thread, NULL);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < CONNS; i++)
        if (l->conns[i].used && !l->conns[i].ended)
            (void)shutdown(l->conns[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < CONNS; i++)
        if (l->conns[i].used)
            pthread_join(l->conns[i].thread, NULL);
    close(l->fd);
    close(l->stop_pipe[0]);
    close(l->stop_pipe[1]);
    pthread_mutex_destroy(&l->lock);
    free(l->calls);
    free(l);
}

int ledger_port(const struct ledger *l)
{
    return l->port;
}

size_t ledger_count(struct ledger *l)
{
    size_t n;

    pthread_mutex_lock(&l->lock);
    n = l->n;
    pthread_mutex_unlock(&l->lock);
    return n;
}

struct ledger_call ledger_get(struct ledger *l, size_t i)
{
    struct ledger_call call = {0};

    pthread_mutex_lock(&l->lock);
    if (i < l->n)
        call = l->calls[i];
    pthread_mutex_unlock(&l->lock);
    return call;
}

void ledger_clear(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    l->n = 0;
    pthread_mutex_unlock(&l->lock);
}
