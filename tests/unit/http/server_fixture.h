/*
 * What the tests of the server share: a server with its thread, a handler that does a bit of
 * everything, and a client's first steps.
 */
#ifndef SLUICE_TESTS_SERVER_FIXTURE_H
#define SLUICE_TESTS_SERVER_FIXTURE_H

#include "support/cases.h"

#include <fastcgi.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "http/loop.h"
#include "http/server.h"
#include "support/fcgi_client.h"

enum { WAIT_MS = 10000, STREAM_BYTES = 8 * 1024 * 1024, STREAM_PART = 100000 };

/* A server with its thread and its socket. */
struct fixture {
    struct http_server *server;
    pthread_t thread;
    char path[64];
    int rc;
    struct err e;
};

static struct arena *a;
static atomic_int gate;       /* 1: handlers of /gate may answer */
static atomic_int at_gate;    /* how many wait there */
static atomic_int gone_seen;  /* streams that were told */
static atomic_size_t written; /* bytes the streams have written */

static void nap(void)
{
    struct timespec ts = {.tv_nsec = 1000000};

    nanosleep(&ts, NULL);
}

static bool wait_for(const atomic_int *what, int value)
{
    for (int i = 0; i < WAIT_MS && atomic_load(what) != value; i++)
        nap();
    return atomic_load(what) == value;
}

/* ---- the handler
 * ----------------------------------------------------------------------------------------- */

static void reply_text(struct http_req *r, struct str text)
{
    http_reply(r, 200, STR("text/plain"), text);
}

static void on_worker(struct http_req *r, void *arg)
{
    (void)arg;
    reply_text(r, r->on_worker && !loop_is_current(r->loop) ? STR("worker") : STR("loop"));
}

static void back_on_loop(struct http_req *r, void *arg)
{
    (void)arg;
    reply_text(r, !r->on_worker && loop_is_current(r->loop) ? STR("loop") : STR("worker"));
}

static void there_and_back(struct http_req *r, void *arg)
{
    http_to_loop(r, back_on_loop, arg);
}

static void wait_at_gate(struct http_req *r, void *arg)
{
    (void)arg;
    atomic_fetch_add(&at_gate, 1);
    while (atomic_load(&gate) == 0)
        nap();
    atomic_fetch_sub(&at_gate, 1);
    reply_text(r, STR("through"));
}

/* A stream that writes from the loop, a part each time everything was taken. */
struct producer {
    struct http_req *r;
    size_t left;
};

static void produce(void *arg, bool gone)
{
    static char part[STREAM_PART];
    struct producer *p = arg;

    if (gone) {
        atomic_fetch_add(&gone_seen, 1);
        http_stream_end(p->r, true);
        return;
    }
    memset(part, 's', sizeof(part));
    while (p->left > 0) {
        size_t n = p->left < sizeof(part) ? p->left : sizeof(part);

        p->left -= n;
        atomic_fetch_add(&written, n);
        if (http_stream_write(p->r, part, n) > sizeof(part))
            return;
    }
    http_stream_end(p->r, false);
}

static void stream_from_loop(struct http_req *r)
{
    struct producer *p = ARENA_NEW(r->a, struct producer);

    *p = (struct producer){r, STREAM_BYTES};
    http_stream_begin(r, 200);
    http_stream_on_drain(r, produce, p);
    produce(p, false);
}

/* The same from a worker that waits for the loop's word. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool drained, gone;
};

static void wake_waiter(void *arg, bool gone)
{
    struct waiter *w = arg;

    pthread_mutex_lock(&w->lock);
    w->drained = true;
    w->gone = w->gone || gone;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void stream_from_worker(struct http_req *r, void *arg)
{
    static const char part[STREAM_PART] = {'w'};
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    bool gone = false;

    (void)arg;
    http_reply_header(r, STR("Content-Type"), STR("text/x-stream"));
    http_stream_begin(r, 206);
    http_stream_on_drain(r, wake_waiter, &w);
    for (size_t left = STREAM_BYTES; left > 0 && !gone;) {
        size_t n = left < sizeof(part) ? left : sizeof(part);
        bool full;

        pthread_mutex_lock(&w.lock);
        w.drained = false;
        gone = w.gone;
        pthread_mutex_unlock(&w.lock);
        full = http_stream_write(r, part, n) > 0;
        left -= n;
        atomic_fetch_add(&written, n);
        pthread_mutex_lock(&w.lock);
        while (full && !w.drained && !w.gone)
            pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
    }
    if (gone)
        atomic_fetch_add(&gone_seen, 1);
    http_stream_end(r, gone);
}

static void abort_stream(struct http_req *r)
{
    http_reply_header(r, STR("Content-Length"), STR("1000"));
    http_stream_begin(r, 200);
    (void)http_stream_write(r, "part", 4);
    http_stream_end(r, true);
}

static void tell_request(struct http_req *r)
{
    struct http_header *list;
    size_t n = http_req_headers(r, &list);
    struct buf b;

    buf_init(&b, MIB, r->a);
    buf_addf(
        &b,
        "method=%.*s "
        "%d\ntarget=%.*s\npath=%.*s\nquery=%.*s\ntype=%.*s\nlength=%llu\naddr=%.*s\nscheme=%.*s\n",
        STR_ARG(r->method_name), (int)r->method, STR_ARG(r->target), STR_ARG(r->path),
        STR_ARG(r->query), STR_ARG(r->content_type), (unsigned long long)r->content_length,
        STR_ARG(r->remote_addr), STR_ARG(r->scheme));
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%.*s: %.*s\n", STR_ARG(list[i].name), STR_ARG(list[i].value));
    buf_addf(&b, "cookie=%.*s\nparam=%.*s\nbearer=%.*s\nbody=%.*s\n",
             STR_ARG(http_req_header(r, "cookie")), STR_ARG(http_req_param(r, "q")),
             STR_ARG(http_req_bearer(r)), STR_ARG(r->body));
    reply_text(r, buf_str(&b));
}

static void sum_body(struct http_req *r, void *arg)
{
    uint64_t n = 0;
    ptrdiff_t got;
    char part[5000];

    (void)arg;
    while ((got = http_req_read(r, part, sizeof(part))) > 0)
        n += (uint64_t)got;
    if (got < 0)
        reply_text(r, STR("broken"));
    else
        reply_text(r, str_printf(r->a, "%llu", (unsigned long long)n));
}

static void reply_err(struct http_req *r)
{
    struct err e;

    err_set(&e, ERR_FORBIDDEN, "not \"allowed\"");
    e.app_code = 1;
    http_reply_error(r, &e);
}

static void big_answer(struct http_req *r)
{
    size_t n = 3 * MIB + 17;
    char *p = arena_alloc(r->a, n);

    memset(p, 'B', n);
    reply_text(r, str_make(p, n));
}

static void send_to_worker(struct http_req *r, void (*fn)(struct http_req *r, void *arg))
{
    if (http_to_worker(r, fn, NULL) != 0)
        return; /* answered with 503 */
}

static void handler(struct http_req *r, void *ctx)
{
    (void)ctx;
    if (str_eq_c(r->path, "/tell"))
        tell_request(r);
    else if (str_eq_c(r->path, "/echo"))
        http_reply(r, 200, STR("application/x-echo"), r->body);
    else if (str_eq_c(r->path, "/where"))
        reply_text(r, r->on_worker ? STR("worker") : STR("loop"));
    else if (str_eq_c(r->path, "/worker"))
        send_to_worker(r, on_worker);
    else if (str_eq_c(r->path, "/back"))
        send_to_worker(r, there_and_back);
    else if (str_eq_c(r->path, "/gate"))
        send_to_worker(r, wait_at_gate);
    else if (str_eq_c(r->path, "/big"))
        big_answer(r);
    else if (str_eq_c(r->path, "/stream"))
        stream_from_loop(r);
    else if (str_eq_c(r->path, "/wstream"))
        send_to_worker(r, stream_from_worker);
    else if (str_eq_c(r->path, "/abort"))
        abort_stream(r);
    else if (str_eq_c(r->path, "/sum"))
        send_to_worker(r, sum_body);
    else if (str_eq_c(r->path, "/ignore"))
        reply_text(r, STR("ignored"));
    else if (str_eq_c(r->path, "/err"))
        reply_err(r);
    else if (str_eq_c(r->path, "/nothing"))
        http_reply(r, 204, STR("text/plain"), STR("dropped"));
    else
        reply_text(r, STR("ok"));
}

/* ---- the fixture
 * -------------------------------------------------------------------------------------------- */

static void *serve(void *arg)
{
    struct fixture *f = arg;

    f->rc = http_server_run(f->server, &f->e);
    return NULL;
}

static void start(struct fixture *f, struct http_server_opts o)
{
    static int count;

    memset(f, 0, sizeof(*f));
    atomic_store(&gate, 0);
    atomic_store(&gone_seen, 0);
    atomic_store(&written, 0);
    snprintf(f->path, sizeof(f->path), "server-test-%d-%d.sock", (int)getpid(), count++);
    assert_int_equal(http_listen_unix(f->path, 0600, &o.listen_fd, &f->e), 0);
    /* As process managers hand it over. */
    assert_int_equal(fcntl(o.listen_fd, F_SETFL, 0), 0);
    o.loops = o.loops != 0 ? o.loops : 2;
    f->server = http_server_new(&o, handler, NULL);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void join(struct fixture *f)
{
    pthread_join(f->thread, NULL);
    assert_int_equal(f->rc, 0);
    assert_int_equal(http_server_stats(f->server).in_flight, 0);
    assert_int_equal(http_server_stats(f->server).connections, 0);
    http_server_free(f->server);
    unlink(f->path);
}

static void finish(struct fixture *f)
{
    http_server_stop(f->server);
    join(f);
}

static struct buf records(const struct fcgi_request *r)
{
    struct buf b;

    buf_init(&b, 64 * MIB, a);
    fcgi_put_request(&b, r);
    return b;
}

static struct fcgi_answer ask(int fd, const struct fcgi_request *r)
{
    struct buf b = records(r);
    struct fcgi_answer answer = {0};

    if (fcgi_send(fd, buf_str(&b)) && !fcgi_receive(fd, &answer, a, WAIT_MS))
        fail_msg("no answer to %s", r->uri);
    return answer;
}

static struct str filled(size_t n)
{
    char *p = arena_alloc(a, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + i % 23);
    return str_make(p, n);
}

static void expect(const struct fcgi_answer *got, int status, const char *body)
{
    if (got->status != status || !str_eq_c(got->body, body))
        fail_msg("%d %.*s", got->status, (int)(got->body.len < 200 ? got->body.len : 200),
                 got->body.p);
    assert_true(got->ended);
}

#endif
