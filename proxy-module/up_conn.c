/*
 * Connections to upstreams: made by libcurl on a worker, kept per loop, lent to one call at a time.
 *
 * A few connections to one place are made at a time, however many calls wait: a gateway that swallows connections must not take
 * every worker, and a connection that comes free meanwhile serves whoever waits longest.  Without TLS nothing of libcurl stays
 * behind but the socket, so that a thousand waiting calls weigh little.
 */
#include "up_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ip_guard.h"
#include "http/client.h"

enum {
    IDLE_MAX = 64, /* kept connections per loop */
    IDLE_MS = 30 * 1000,
    CONNECTS_MAX = 4, /* made at a time for one place */
};

static const char pool_key;

/* One connection in the making: the loop's, then a worker's, then the loop's again. */
struct errand {
    struct up_pool *pool;
    uint64_t key;
    CURL *easy;
    bool tls;
    int64_t silence_ms;
    struct err error; /* code ERR_NONE: connected */
    const char *refused; /* why the guard did not let us connect */
    char why[CURL_ERROR_SIZE];
};

static void connect_more(struct up_pool *p, struct up_site *s);

/* ---- bytes ----------------------------------------------------------------------------------------- */

enum up_io up_conn_send(struct up_conn *k, const char *p, size_t n, size_t *done)
{
    ssize_t sent;

    if (k->easy != NULL) {
        CURLcode rc = curl_easy_send(k->easy, p, n, done);

        return rc == CURLE_OK ? IO_DONE : rc == CURLE_AGAIN ? IO_AGAIN : IO_FAILED;
    }
    do {
        sent = send(k->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
    *done = (size_t)sent;
    return IO_DONE;
}

enum up_io up_conn_recv(struct up_conn *k, char *p, size_t n, size_t *done)
{
    ssize_t got;

    if (k->easy != NULL) {
        CURLcode rc = curl_easy_recv(k->easy, p, n, done);

        return rc == CURLE_OK ? IO_DONE : rc == CURLE_AGAIN ? IO_AGAIN : IO_FAILED;
    }
    do {
        got = recv(k->fd, p, n, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
    *done = (size_t)got;
    return IO_DONE;
}

/* ---- the pool ------------------------------------------------------------------------------------- */

static void idle_remove(struct up_conn *k)
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

static void on_event(void *arg, uint32_t revents)
{
    struct up_conn *k = arg;

    if (k->call != NULL) {
        up_call_event(k->call, revents);
        return;
    }
    /* idle: the peer closed it, or sent what nobody asked for */
    idle_remove(k);
    up_conn_free(k);
}

void up_conn_watch(struct up_conn *k, uint32_t events)
{
    if (k->watch == NULL)
        k->watch = loop_watch(k->pool->loop, k->fd, events, on_event, k);
    else if (k->events != events)
        loop_watch_mod(k->watch, events);
    k->events = events;
}

void up_conn_free(struct up_conn *k)
{
    if (k->watch != NULL)
        loop_unwatch(k->watch);
    if (k->easy != NULL)
        curl_easy_cleanup(k->easy);
    else if (k->fd >= 0)
        close(k->fd);
    free(k->why);
    free(k);
}

struct str up_conn_alert(const struct up_conn *k, struct arena *a)
{
    return k->why != NULL ? http_client_alert(k->why, a) : STR("");
}

static void pool_free(void *value)
{
    struct up_pool *p = value;

    while (p->idle != NULL) {
        struct up_conn *k = p->idle;

        idle_remove(k);
        up_conn_free(k);
    }
    while (p->spare != NULL) {
        struct up_call *c = p->spare;

        p->spare = c->next;
        up_call_destroy(c);
    }
    while (p->sites != NULL) {
        struct up_site *s = p->sites;

        p->sites = s->next;
        free(s);
    }
    free(p->buf);
    free(p);
}

struct up_pool *up_pool_of(struct loop *loop)
{
    struct up_pool *p = loop_slot(loop, &pool_key);

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
static void drop_old(struct up_pool *p)
{
    struct up_conn *k = p->idle, *next;
    int64_t now = loop_now_ms(p->loop);
    size_t i = 0;

    for (; k != NULL; k = next, i++) {
        next = k->next;
        if (i >= IDLE_MAX || now - k->idle_since_ms > IDLE_MS) {
            idle_remove(k);
            up_conn_free(k);
        }
    }
}

static struct up_site *find_site(struct up_pool *p, uint64_t key)
{
    struct up_site *s = p->sites;

    while (s != NULL && s->key != key)
        s = s->next;
    return s;
}

void up_conn_keep(struct up_conn *k)
{
    struct up_pool *p = k->pool;
    struct up_site *s = find_site(p, k->key);

    k->call = NULL;
    if (s != NULL && s->first != NULL) {
        struct up_call *c = s->first;

        c->reused = true;
        up_connect_leave(c);
        up_call_connected(c, k);
        return;
    }
    k->idle_since_ms = loop_now_ms(p->loop);
    up_conn_watch(k, EPOLLIN);
    k->prev = NULL;
    k->next = p->idle;
    if (p->idle != NULL)
        p->idle->prev = k;
    p->idle = k;
    p->n_idle++;
    if (p->n_idle > IDLE_MAX || (p->n_idle & 15) == 0)
        drop_old(p);
}

struct up_conn *up_conn_take(struct up_pool *p, uint64_t key)
{
    int64_t now = loop_now_ms(p->loop);

    for (struct up_conn *k = p->idle; k != NULL; k = k->next) {
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

uint64_t up_conn_key(const struct up_request *q)
{
    const struct cfg_gateway *g = q->gateway;
    uint64_t h = mix(g->tls_verify ? 1 : 2, q->origin);

    h = mix(h, g->proxy);
    h = mix(h, g->tls_ca);
    h = mix(h, g->client_cert);
    return mix(h, secret_text(g->client_key));
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static void blob(CURL *easy, CURLoption option, struct str text)
{
    struct curl_blob b = {(void *)(uintptr_t)text.p, text.len, CURL_BLOB_COPY};

    if (text.len > 0)
        curl_easy_setopt(easy, option, &b);
}

/* A name may have become an address that no gateway has. */
static curl_socket_t guarded_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct errand *j = arg;

    (void)purpose;
    return ip_guard_socket(IP_GUARD_NAMED, &to->addr, to->socktype, to->protocol, &j->refused);
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
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, guarded_socket);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* as for the proxy: nothing from the environment */
    blob(easy, CURLOPT_CAINFO_BLOB, g->tls_ca);
    blob(easy, CURLOPT_SSLCERT_BLOB, g->client_cert);
    blob(easy, CURLOPT_SSLKEY_BLOB, secret_text(g->client_key));
    return easy;
}

/* The connection of a finished errand; NULL when it has no socket after all. */
static struct up_conn *conn_of(struct errand *j)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct up_conn *k;

    if (curl_easy_getinfo(j->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return NULL;
    if (!j->tls) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return NULL;
        curl_easy_cleanup(j->easy);
        j->easy = NULL;
    }
    k = calloc(1, sizeof *k);
    if (k == NULL)
        abort();
    k->pool = j->pool;
    k->key = j->key;
    k->fd = fd;
    k->easy = j->easy;
    if (k->easy != NULL) {
        k->why = calloc(1, CURL_ERROR_SIZE);
        if (k->why == NULL)
            abort();
        curl_easy_setopt(k->easy, CURLOPT_ERRORBUFFER, k->why); /* the errand's own ends here */
    }
    j->easy = NULL;
    return k;
}

static void site_free_if_done(struct up_pool *p, uint64_t key)
{
    for (struct up_site **at = &p->sites; *at != NULL; at = &(*at)->next) {
        struct up_site *s = *at;

        if (s->key != key)
            continue;
        if (s->first == NULL && s->connecting == 0) {
            *at = s->next;
            free(s);
        }
        return;
    }
}

/* Whoever waits for this place would meet the same. */
static void fail_all(struct up_pool *p, uint64_t key, const struct err *e)
{
    struct up_site *s = find_site(p, key);
    int n = s != NULL ? s->waiting : 0; /* not those who come back meanwhile */

    while (n-- > 0 && (s = find_site(p, key)) != NULL && s->first != NULL) {
        struct up_call *c = s->first;

        up_connect_leave(c);
        up_call_unconnected(c, e);
    }
}

static void on_connected(void *arg)
{
    struct errand *j = arg;
    struct up_pool *p = j->pool;
    struct up_site *s = find_site(p, j->key); /* exists: it counts this errand */
    struct up_conn *k = NULL;

    s->connecting--;
    if (j->error.code == ERR_NONE && (k = conn_of(j)) == NULL)
        err_set(&j->error, ERR_UPSTREAM, "connection failed");
    if (k == NULL) {
        fail_all(p, j->key, &j->error);
    } else if (s->first != NULL) {
        struct up_call *c = s->first;

        up_connect_leave(c);
        up_conn_watch(k, EPOLLIN);
        up_call_connected(c, k);
    } else {
        up_conn_keep(k);
    }
    s = find_site(p, j->key);
    if (s != NULL)
        connect_more(p, s);
    site_free_if_done(p, j->key);
    if (j->easy != NULL)
        curl_easy_cleanup(j->easy);
    free(j);
}

/* On a worker. */
static void connect_now(void *arg)
{
    struct errand *j = arg;
    CURLcode rc = curl_easy_perform(j->easy);

    if (rc == CURLE_OPERATION_TIMEDOUT)
        err_set(&j->error, ERR_TIMEOUT, "did not answer within %lld s", (long long)j->silence_ms / 1000);
    else if (rc != CURLE_OK && j->refused != NULL)
        err_set(&j->error, ERR_UPSTREAM, "must not be called: it has %s", j->refused);
    else if (rc != CURLE_OK) {
        struct arena *a = arena_new(0);

        err_set(&j->error, ERR_UPSTREAM, "connection failed (%.*s)",
                STR_ARG(http_client_words(j->why[0] != '\0' ? j->why : curl_easy_strerror(rc), a)));
        arena_free(a);
    }
    loop_post(j->pool->loop, on_connected, j);
}

/* Another connection while more calls wait than connections are being made. */
static void connect_more(struct up_pool *p, struct up_site *s)
{
    while (s->connecting < CONNECTS_MAX && s->connecting < s->waiting) {
        struct up_call *c = s->first; /* every call of a site would connect alike */
        struct errand *j = calloc(1, sizeof *j);

        if (j == NULL)
            abort();
        s->connecting++;
        j->pool = p;
        j->key = s->key;
        j->tls = str_starts(c->q.origin, STR("https:"));
        j->silence_ms = c->q.silence_ms;
        j->easy = make_handle(&c->q, c->a);
        if (j->easy != NULL) {
            curl_easy_setopt(j->easy, CURLOPT_OPENSOCKETDATA, j);
            curl_easy_setopt(j->easy, CURLOPT_ERRORBUFFER, j->why);
        }
        if (j->easy != NULL && http_server_work(c->server, connect_now, j) == 0)
            continue; /* the worker's now */
        if (j->easy == NULL)
            err_set(&j->error, ERR_INTERNAL, "cannot make a connection");
        else
            err_set(&j->error, ERR_BUSY, "is busy");
        loop_post(p->loop, on_connected, j);
        return;
    }
}

void up_connect(struct up_call *c, uint64_t key)
{
    struct up_pool *p = c->pool;
    struct up_site *s = find_site(p, key);

    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL)
            abort();
        s->key = key;
        s->next = p->sites;
        p->sites = s;
    }
    c->site = s;
    c->next = NULL;
    c->prev = s->last;
    if (s->last != NULL)
        s->last->next = c;
    else
        s->first = c;
    s->last = c;
    s->waiting++;
    connect_more(p, s);
}

void up_connect_leave(struct up_call *c)
{
    struct up_site *s = c->site;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        s->first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        s->last = c->prev;
    c->next = c->prev = NULL;
    c->site = NULL;
    s->waiting--;
}
