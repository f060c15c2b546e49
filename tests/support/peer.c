/*
 * The scripted HTTP peer: one thread that polls its connections.
 */
#include "support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS = 64, REQUESTS = 1024, STEPS = 32 };

struct peer_conn {
    int fd; /* -1: free */
    char *in;
    size_t len, cap;
};

struct peer {
    int listen_fd;
    int stop_pipe[2];
    int port;
    pthread_t thread;
    atomic_bool stopping, held;
    struct peer_conn conns[CONNS];
    pthread_mutex_t lock; /* the rest */
    struct peer_step steps[STEPS];
    size_t n_steps, next_step;
    struct str requests[REQUESTS];
    size_t n_requests, n_connections;
};

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* Bound to a free port; nobody else is given it while this is open. */
static int bind_somewhere(int *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        abort();
    *port = ntohs(addr.sin_port);
    return fd;
}

static int listen_somewhere(int *port)
{
    int fd = bind_somewhere(port);

    if (listen(fd, 64) != 0)
        abort();
    return fd;
}

int peer_closed_port(void)
{
    int port;

    (void)bind_somewhere(&port); /* kept to the end: a port given back is given to somebody */
    return port;
}

/* ---- one request
 * ------------------------------------------------------------------------------------- */

static size_t content_length(struct str head)
{
    while (head.len > 0) {
        struct str value = str_cut(&head, '\n');
        struct str name = str_cut(&value, ':');
        int64_t n = 0;

        if (str_ieq(name, STR("content-length")) && str_to_int(str_trim(value), &n) && n > 0)
            return (size_t)n;
    }
    return 0;
}

/* Length of the first whole request in the buffer, 0 when it is not there yet. */
static size_t whole_request(const struct peer_conn *c, size_t *head_len)
{
    struct str text = str_make(c->in, c->len);
    ptrdiff_t end = str_find(text, STR("\r\n\r\n"));
    size_t total;

    if (end < 0)
        return 0;
    *head_len = (size_t)end + 4;
    total = *head_len + content_length(str_slice(text, 0, *head_len));
    return total <= c->len ? total : 0;
}

static struct peer_step record(struct peer *p, struct str request)
{
    struct peer_step step;

    pthread_mutex_lock(&p->lock);
    if (p->n_requests < REQUESTS) {
        char *copy = must(malloc(request.len + 1));

        memcpy(copy, request.p, request.len);
        copy[request.len] = '\0';
        p->requests[p->n_requests++] = str_make(copy, request.len);
    }
    step = p->steps[p->next_step];
    if (p->next_step + 1 < p->n_steps)
        p->next_step++;
    pthread_mutex_unlock(&p->lock);
    return step;
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

static void put_filler(int fd, size_t n)
{
    char block[16384];

    memset(block, 'x', sizeof(block));
    while (n > 0) {
        size_t part = n < sizeof(block) ? n : sizeof(block);

        if (!put(fd, block, part))
            return;
        n -= part;
    }
}

static void put_head(int fd, const struct peer_step *s, size_t body_len)
{
    char head[512];
    int status = s->status != 0 ? s->status : 200;
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s",
                     status, body_len, s->close ? "Connection: close\r\n" : "");

    (void)(put(fd, head, (size_t)n) &&
           (s->headers == NULL || put(fd, s->headers, strlen(s->headers))) && put(fd, "\r\n", 2));
}

/* Waits in small steps, so that the peer can be stopped. */
static void pause_ms(struct peer *p, int ms)
{
    for (; (ms > 0 || atomic_load(&p->held)) && !atomic_load(&p->stopping); ms -= 5) {
        struct timespec ts = {.tv_nsec = 5000000};

        nanosleep(&ts, NULL);
    }
}

/* True when the connection stays. */
static bool answer(struct peer *p, int fd, const struct peer_step *s, struct str head,
                   struct str body)
{
    struct str text = str_c(s->body);
    bool no_body = str_starts(head, STR("HEAD "));

    pause_ms(p, s->delay_ms);
    switch (s->kind) {
    case PEER_ANSWER:
        put_head(fd, s, text.len);
        if (!no_body)
            (void)put(fd, text.p, text.len);
        return !s->close;
    case PEER_ECHO:
        put_head(fd, s, body.len);
        (void)put(fd, body.p, body.len);
        return !s->close;
    case PEER_BIG:
        put_head(fd, s, s->size);
        put_filler(fd, s->size);
        return !s->close;
    case PEER_CLOSE_MID:
        put_head(fd, s, s->size);
        put_filler(fd, s->size / 2);
        return false;
    case PEER_GARBAGE:
        (void)put(fd, "\x16\x03\x01 nonsense\r\n\r\n", 16);
        return false;
    case PEER_BIG_HEAD:
        (void)put(fd, "HTTP/1.1 200 OK\r\nX-Long: ", 25);
        put_filler(fd, s->size);
        (void)put(fd, "\r\n\r\n", 4);
        return false;
    case PEER_HANG:
        return true;
    case PEER_CLOSE:
        return false;
    }
    return false;
}

/* ---- the thread
 * ------------------------------------------------------------------------------------------ */

static void drop(struct peer_conn *c)
{
    close(c->fd);
    c->fd = -1;
    free(c->in);
    c->in = NULL;
    c->len = c->cap = 0;
}

static void serve(struct peer *p, struct peer_conn *c)
{
    ssize_t n;
    size_t head_len, total;

    if (c->cap - c->len < 16384) {
        c->cap = c->cap == 0 ? 32768 : 2 * c->cap;
        c->in = must(realloc(c->in, c->cap));
    }
    n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
    if (n <= 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    while ((total = whole_request(c, &head_len)) > 0) {
        struct str text = str_make(c->in, total);
        struct peer_step s = record(p, text);

        if (!answer(p, c->fd, &s, str_slice(text, 0, head_len), str_slice(text, head_len, total))) {
            drop(c);
            return;
        }
        memmove(c->in, c->in + total, c->len - total);
        c->len -= total;
    }
}

static void welcome(struct peer *p)
{
    int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC), one = 1;

    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* an answer goes in parts, but at once */
    pthread_mutex_lock(&p->lock);
    p->n_connections++;
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < CONNS; i++) {
        if (p->conns[i].fd < 0) {
            p->conns[i].fd = fd;
            return;
        }
    }
    close(fd);
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;

    while (!atomic_load(&p->stopping)) {
        struct pollfd set[CONNS + 2];

        for (size_t i = 0; i < CONNS; i++)
            set[i] = (struct pollfd){.fd = p->conns[i].fd, .events = POLLIN};
        set[CONNS] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
        set[CONNS + 1] = (struct pollfd){.fd = p->stop_pipe[0], .events = POLLIN};
        if (poll(set, CONNS + 2, -1) < 0)
            continue;
        for (size_t i = 0; i < CONNS; i++) {
            if (set[i].fd >= 0 && set[i].revents != 0)
                serve(p, &p->conns[i]);
        }
        if (set[CONNS].revents != 0)
            welcome(p);
    }
    return NULL;
}

/* ---- life
 * ---------------------------------------------------------------------------------------------------
 */

static void forget(struct peer *p)
{
    for (size_t i = 0; i < p->n_requests; i++)
        free((void *)(uintptr_t)p->requests[i].p);
    p->n_requests = p->n_connections = 0;
}

static void set_script(struct peer *p, const struct peer_step *steps, size_t n)
{
    if (n == 0 || n > STEPS)
        abort();
    memcpy(p->steps, steps, n * sizeof(*steps));
    p->n_steps = n;
    p->next_step = 0;
}

struct peer *peer_new(const struct peer_step *steps, size_t n)
{
    struct peer *p = must(calloc(1, sizeof(*p)));

    for (size_t i = 0; i < CONNS; i++)
        p->conns[i].fd = -1;
    pthread_mutex_init(&p->lock, NULL);
    set_script(p, steps, n);
    p->listen_fd = listen_somewhere(&p->port);
    if (pipe(p->stop_pipe) != 0 || pthread_create(&p->thread, NULL, peer_main, p) != 0)
        abort();
    return p;
}

void peer_free(struct peer *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->stopping, true);
    (void)!write(p->stop_pipe[1], "", 1);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < CONNS; i++) {
        if (p->conns[i].fd >= 0)
            drop(&p->conns[i]);
    }
    close(p->listen_fd);
    close(p->stop_pipe[0]);
    close(p->stop_pipe[1]);
    forget(p);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int peer_port(const struct peer *p)
{
    return p->port;
}

void peer_script(struct peer *p, const struct peer_step *steps, size_t n)
{
    pthread_mutex_lock(&p->lock);
    forget(p);
    set_script(p, steps, n);
    pthread_mutex_unlock(&p->lock);
}

void peer_hold(struct peer *p, bool hold)
{
    atomic_store(&p->held, hold);
}

size_t peer_requests(struct peer *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->n_requests;
    pthread_mutex_unlock(&p->lock);
    return n;
}

size_t peer_connections(struct peer *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->n_connections;
    pthread_mutex_unlock(&p->lock);
    return n;
}

struct str peer_request(struct peer *p, size_t i)
{
    struct str text = STR("");

    pthread_mutex_lock(&p->lock);
    if (i < p->n_requests)
        text = p->requests[i];
    pthread_mutex_unlock(&p->lock);
    return text;
}

struct str peer_header(struct peer *p, size_t i, const char *name)
{
    struct str rest = peer_request(p, i);

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str key = str_cut(&value, ':');

        if (key.len == 0 || str_eq_c(key, "\r"))
            break;
        if (str_eq_c(key, name))
            return str_trim(value);
    }
    return STR("");
}
