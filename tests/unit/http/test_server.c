/*
 * The server as the web server sees it: FastCGI over a unix socket, spoken by the test itself.
 */
#include "support/cases.h"

#include <fastcgi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

/* ---- the handler ----------------------------------------------------------------------------------------- */

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
    buf_addf(&b, "method=%.*s %d\ntarget=%.*s\npath=%.*s\nquery=%.*s\ntype=%.*s\nlength=%llu\naddr=%.*s\nscheme=%.*s\n",
             STR_ARG(r->method_name), (int)r->method, STR_ARG(r->target), STR_ARG(r->path), STR_ARG(r->query),
             STR_ARG(r->content_type), (unsigned long long)r->content_length, STR_ARG(r->remote_addr),
             STR_ARG(r->scheme));
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%.*s: %.*s\n", STR_ARG(list[i].name), STR_ARG(list[i].value));
    buf_addf(&b, "cookie=%.*s\nparam=%.*s\nbearer=%.*s\nbody=%.*s\n", STR_ARG(http_req_header(r, "cookie")),
             STR_ARG(http_req_param(r, "q")), STR_ARG(http_req_bearer(r)), STR_ARG(r->body));
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

/* ---- the fixture -------------------------------------------------------------------------------------------- */

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
        fail_msg("%d %.*s", got->status, (int)(got->body.len < 200 ? got->body.len : 200), got->body.p);
    assert_true(got->ended);
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static void a_request_in_full(void **state)
{
    static const char *const params[] = {"HTTP_HOST=h",         "HTTP_COOKIE=a=1",    "HTTP_X_TWICE=1",
                                         "HTTP_COOKIE=b=2",     "HTTP_X_TWICE=2",     "HTTP_CONTENT_LENGTH=99",
                                         "HTTP_X_REQUEST_ID=abc-1", "SERVER_NAME=zz", "HTTP_AUTHORIZATION=Bearer null",
                                         NULL};
    static const char want[] = "method=POST 2\ntarget=/tell?q=a%20b&auth_token=T%2e1\npath=/tell\nquery=q=a%20b&auth_token=T%2e1\n"
                               "type=text/x\nlength=3\naddr=192.0.2.7\nscheme=https\nhost: h\ncookie: a=1; b=2\nx-twice: 1, 2\n"
                               "x-request-id: abc-1\nauthorization: Bearer null\ncontent-type: text/x\ncontent-length: 3\n"
                               "cookie=a=1; b=2\nparam=a b\nbearer=T.1\nbody=xyz\n";
    struct fixture f;
    struct fcgi_answer r;

    (void)state;
    start(&f, (struct http_server_opts){0});
    r = fcgi_call(f.path,
                  &(struct fcgi_request){.method = "POST",
                                         .uri = "/tell?q=a%20b&auth_token=T%2e1",
                                         .content_type = "text/x",
                                         .body = STR("xyz"),
                                         .params = params},
                  a);
    assert_string_equal(str_cstr(a, r.body), want);
    assert_string_equal(str_cstr(a, fcgi_header(&r, "x-request-id")), "abc-1");
    assert_string_equal(str_cstr(a, fcgi_header(&r, "status")), "200 OK");
    finish(&f);
}

static const struct id_row {
    const char *name;
    const char *given;
    const char *want; /* NULL: one of ours */
} ids[] = {
    {"id of nginx", "HTTP_X_REQUEST_ID=0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"},
    {"uuid", "HTTP_X_REQUEST_ID=12345678-9abc-def0-1234-56789abcdef0", "123456789abcdef0123456789abcdef0"},
    {"too long", "HTTP_X_REQUEST_ID=0123456789abcdef0123456789abcdef0", NULL},
    {"36 characters, no uuid", "HTTP_X_REQUEST_ID=123456789abcdef0123456789abcdef01234", NULL},
    {"odd characters", "HTTP_X_REQUEST_ID=a b", NULL},
    {"empty", "HTTP_X_REQUEST_ID=", NULL},
    {"absent", "HTTP_OTHER=1", NULL},
};

static struct fixture shared;

static void request_id(const struct id_row *row)
{
    const char *params[] = {row->given, NULL};
    struct fcgi_answer r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/", .params = params}, a);
    struct str id = fcgi_header(&r, "x-request-id");

    assert_int_equal(r.status, 200);
    if (row->want != NULL)
        assert_string_equal(str_cstr(a, id), row->want);
    else
        assert_int_equal(id.len, 32);
}

static const struct answer_row {
    const char *name;
    const char *method;
    const char *uri;
    int status;
    const char *body;
    const char *header;
    const char *value; /* NULL: absent */
} answer_rows[] = {
    {"plain", "GET", "/", 200, "ok", "Content-Length", "2"},
    {"type", "GET", "/", 200, "ok", "Content-Type", "text/plain"},
    {"head keeps the length", "HEAD", "/", 200, "", "Content-Length", "2"},
    {"no content", "GET", "/nothing", 204, "", "Content-Length", NULL},
    {"no content has no type", "GET", "/nothing", 204, "", "Content-Type", NULL},
    {"error", "GET", "/err", 403, "{\"error\":\"not \\\"allowed\\\"\",\"error_code\":1}", "Content-Type", "application/json"},
    {"head of a stream", "HEAD", "/stream", 200, "", "Content-Type", "application/octet-stream"},
    {"on a worker", "GET", "/worker", 200, "worker", "Content-Length", "6"},
    {"worker and back", "GET", "/back", 200, "loop", "Content-Length", "4"},
    {"other method", "PROPFIND", "/where", 200, "loop", "Content-Length", "4"},
};

static void answers(const struct answer_row *row)
{
    struct fcgi_answer r = fcgi_call(shared.path, &(struct fcgi_request){.method = row->method, .uri = row->uri}, a);
    struct str value = fcgi_header(&r, row->header);

    expect(&r, row->status, row->body);
    if (row->value == NULL)
        assert_null(value.p);
    else
        assert_string_equal(str_cstr(a, value), row->value);
}

static const struct body_row {
    const char *name;
    size_t size;
    size_t record;
    uint8_t padding;
    const char *announced;
    size_t piece; /* bytes sent at once; 0: all */
} body_rows[] = {
    {"empty", 0, 0, 0, NULL, 0},
    {"one byte", 1, 0, 0, NULL, 0},
    {"within one look", 10000, 0, 0, NULL, 0},
    {"more than one look", 20000, 0, 0, NULL, 0},
    {"largest read on the loop", 65536, 0, 0, NULL, 0},
    {"smallest read by a worker", 65537, 0, 0, NULL, 0},
    {"large", 3000000, 0, 0, NULL, 0},
    {"large, odd records", 300000, 999, 5, NULL, 0},
    {"without length", 5000, 0, 0, "", 0},
    {"large without length", 500000, 0, 0, "", 0},
    {"byte by byte", 100, 10, 1, NULL, 1},
    {"in pieces", 60000, 5000, 3, NULL, 777},
    {"large in pieces", 200000, 0, 0, NULL, 1999},
    {"records of one byte", 40000, 1, 0, NULL, 0},
};

static void bodies(const struct body_row *row)
{
    struct str body = filled(row->size);
    struct buf b = records(&(struct fcgi_request){.method = "POST",
                                                  .uri = "/echo",
                                                  .body = body,
                                                  .record = row->record,
                                                  .padding = row->padding,
                                                  .announced = row->announced});
    int fd = fcgi_connect(shared.path);

    for (int i = 0; i < 2; i++) { /* the second on the kept connection */
        struct fcgi_answer r;

        for (size_t at = 0, n; at < b.len; at += n) {
            n = row->piece != 0 && row->piece < b.len - at ? row->piece : b.len - at;
            assert_true(fcgi_send(fd, str_make(b.p + at, n)));
        }
        assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
        assert_int_equal(r.status, 200);
        assert_true(str_eq(r.body, body));
    }
    close(fd);
}

static void short_body(void **state)
{
    struct fcgi_answer r;

    (void)state;
    r = fcgi_call(shared.path,
                  &(struct fcgi_request){.method = "POST", .uri = "/echo", .body = STR("abc"), .announced = "5"}, a);
    expect(&r, 400, "{\"error\":\"request body has 3 of the announced 5 bytes\"}");
    r = fcgi_call(shared.path,
                  &(struct fcgi_request){
                      .method = "POST", .uri = "/echo", .body = filled(100000), .announced = "200000"},
                  a);
    expect(&r, 400, "{\"error\":\"request body has 100000 of the announced 200000 bytes\"}");
}

static void broken_upload(void **state)
{
    struct buf b = records(&(struct fcgi_request){.method = "POST", .uri = "/echo", .body = filled(300000)});
    struct fcgi_answer r;
    int fd = fcgi_connect(shared.path);

    (void)state;
    assert_true(fcgi_send(fd, str_make(b.p, 200000)));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
    assert_int_equal(r.status, 400);
    assert_true(fcgi_closed(fd, WAIT_MS));
    close(fd);
}

/* ---- connections ---------------------------------------------------------------------------------------------- */

static void kept_and_closed(void **state)
{
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r;

    (void)state;
    for (int i = 0; i < 50; i++) {
        r = ask(fd, &(struct fcgi_request){.uri = i % 3 == 0 ? "/worker" : "/", .id = (uint16_t)(i + 1)});
        expect(&r, 200, i % 3 == 0 ? "worker" : "ok");
    }
    r = ask(fd, &(struct fcgi_request){.uri = "/", .close = true});
    expect(&r, 200, "ok");
    assert_true(fcgi_closed(fd, WAIT_MS));
    close(fd);
}

static void sent_ahead(void **state)
{
    struct buf b;
    int fd = fcgi_connect(shared.path);

    (void)state;
    buf_init(&b, MIB, a);
    for (int i = 0; i < 20; i++)
        fcgi_put_request(&b, &(struct fcgi_request){.method = "POST",
                                                    .uri = i % 2 == 0 ? "/echo" : "/worker",
                                                    .body = filled((size_t)(i * 700 + 1))});
    assert_true(fcgi_send(fd, buf_str(&b)));
    for (int i = 0; i < 20; i++) {
        struct fcgi_answer r;

        assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
        assert_int_equal(r.status, 200);
        if (i % 2 == 0)
            assert_true(str_eq(r.body, filled((size_t)(i * 700 + 1))));
        else
            expect(&r, 200, "worker");
    }
    close(fd);
}

static void half_closed(void **state)
{
    struct buf b = records(&(struct fcgi_request){.uri = "/worker"});
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r;

    (void)state;
    assert_true(fcgi_send(fd, buf_str(&b)));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
    expect(&r, 200, "worker");
    assert_true(fcgi_closed(fd, WAIT_MS));
    close(fd);
}

static void http_on_this_port(void **state)
{
    int fd = fcgi_connect(shared.path);
    char text[300] = "";
    size_t n = 0;

    (void)state;
    assert_true(fcgi_send(fd, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    for (ssize_t got = 1; got > 0 && n < sizeof(text) - 1;) {
        got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    assert_non_null(strstr(text, "HTTP/1.0 400 "));
    assert_non_null(strstr(text, "this port speaks FastCGI; use fastcgi_pass in nginx"));
    close(fd);
}

static void strangers_are_closed(void **state)
{
    struct buf b;
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r;

    (void)state;
    buf_init(&b, MIB, a);
    fcgi_put_record(&b, FCGI_GET_VALUES, 0, STR("\x0e\0FCGI_MAX_CONNS"), 0);
    assert_true(fcgi_send(fd, buf_str(&b)));
    assert_true(fcgi_closed(fd, WAIT_MS));
    close(fd);
    /* A parameter list that says less than it promises. */
    fd = fcgi_connect(shared.path);
    b.len = 0;
    fcgi_put_record(&b, FCGI_BEGIN_REQUEST, 1, STR("\0\1\1\0\0\0\0\0"), 0);
    fcgi_put_record(&b, FCGI_PARAMS, 1, STR("\x7f\x7fNAME"), 0);
    fcgi_put_record(&b, FCGI_PARAMS, 1, STR(""), 0);
    fcgi_put_record(&b, FCGI_STDIN, 1, STR(""), 0);
    assert_true(fcgi_send(fd, buf_str(&b)));
    assert_true(fcgi_closed(fd, WAIT_MS));
    close(fd);
    r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/"}, a);
    expect(&r, 200, "ok");
}

static void headers_too_large(void **state)
{
    char *big = arena_alloc(a, 40001);
    const char *params[] = {big, NULL, NULL};
    struct fcgi_answer r;

    (void)state;
    memset(big, 'x', 40000);
    memcpy(big, "HTTP_X=", 7);
    big[40000] = '\0';
    r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/", .params = params}, a);
    expect(&r, 200, "ok");
    params[1] = big;
    r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/", .params = params}, a);
    expect(&r, 431, "{\"error\":\"request headers are larger than 65536 bytes\"}");
}

/* Silent clients, and such that stop in the middle, hold no thread: others are served meanwhile. */
static void silent_clients(void **state)
{
    struct buf b = records(&(struct fcgi_request){.method = "POST", .uri = "/echo", .body = filled(5000)});
    struct fcgi_answer r;
    int silent[40];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(silent); i++) {
        silent[i] = fcgi_connect(shared.path);
        assert_true(silent[i] >= 0);
        assert_true(fcgi_send(silent[i], str_make(b.p, i * 100)));
    }
    for (int i = 0; i < 10; i++) {
        r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/worker"}, a);
        expect(&r, 200, "worker");
    }
    for (size_t i = 0; i < COUNT_OF(silent); i++) {
        assert_true(fcgi_send(silent[i], str_make(b.p + i * 100, b.len - i * 100)));
        assert_true(fcgi_receive(silent[i], &r, a, WAIT_MS));
        assert_int_equal(r.status, 200);
        close(silent[i]);
    }
}

/* ---- large answers and streams ----------------------------------------------------------------------------------- */

static void large_answer(void **state)
{
    int fd = fcgi_connect(shared.path);

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fcgi_answer r = ask(fd, &(struct fcgi_request){.uri = "/big"});

        assert_int_equal(r.status, 200);
        assert_int_equal(r.body.len, 3 * MIB + 17);
        assert_true(r.body.p[0] == 'B' && r.body.p[r.body.len - 1] == 'B');
        r = ask(fd, &(struct fcgi_request){.uri = "/"});
        expect(&r, 200, "ok");
    }
    close(fd);
}

static void streams(void **state)
{
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r;

    (void)state;
    r = ask(fd, &(struct fcgi_request){.uri = "/stream"});
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, STREAM_BYTES);
    assert_null(fcgi_header(&r, "content-length").p);
    r = ask(fd, &(struct fcgi_request){.uri = "/wstream"});
    assert_int_equal(r.status, 206);
    assert_int_equal(r.body.len, STREAM_BYTES);
    assert_string_equal(str_cstr(a, fcgi_header(&r, "content-type")), "text/x-stream");
    r = ask(fd, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    close(fd);
}

static void back_pressure(void **state)
{
    static const char *const uris[] = {"/stream", "/wstream"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        struct buf b = records(&(struct fcgi_request){.uri = uris[i]});
        struct fcgi_answer r;
        size_t before = 1;
        int fd = fcgi_connect(shared.path);

        atomic_store(&written, 0);
        assert_true(fcgi_send(fd, buf_str(&b)));
        while (atomic_load(&written) != before) { /* until the producer stands still */
            before = atomic_load(&written);
            for (int k = 0; k < 50; k++)
                nap();
        }
        assert_true(before > 0 && before < STREAM_BYTES / 4);
        assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
        assert_int_equal(r.body.len, STREAM_BYTES);
        close(fd);
    }
}

static void client_leaves_in_the_middle(void **state)
{
    static const char *const uris[] = {"/stream", "/wstream", "/big"};
    struct fcgi_answer r;

    (void)state;
    atomic_store(&gone_seen, 0);
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        struct buf b = records(&(struct fcgi_request){.uri = uris[i]});
        int fd = fcgi_connect(shared.path);
        char some[1000];

        assert_true(fcgi_send(fd, buf_str(&b)));
        assert_true(recv(fd, some, sizeof(some), 0) > 0);
        close(fd);
    }
    assert_true(wait_for(&gone_seen, 2));
    r = fcgi_call(shared.path, &(struct fcgi_request){.uri = "/"}, a);
    expect(&r, 200, "ok");
}

static void aborted_answer(void **state)
{
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r = ask(fd, &(struct fcgi_request){.uri = "/abort"});

    (void)state;
    assert_int_equal(r.status, 200);
    assert_string_equal(str_cstr(a, r.body), "part");
    assert_string_equal(str_cstr(a, fcgi_header(&r, "content-length")), "1000");
    assert_false(r.ended);
    assert_true(r.closed);
    close(fd);
}

/* ---- limits --------------------------------------------------------------------------------------------------------- */

static void too_large_bodies(void **state)
{
    static const size_t sizes[] = {1001, 60000, 300000, 3000000};
    static const char *const lengths[] = {NULL, ""};
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_opts){.max_body = 1000});
    for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(lengths); i++) {
        int fd = fcgi_connect(f.path);
        struct fcgi_answer r = ask(fd, &(struct fcgi_request){.method = "POST",
                                                              .uri = "/echo",
                                                              .body = filled(sizes[i / 2]),
                                                              .announced = lengths[i % 2]});

        expect(&r, 413, "{\"error\":\"request body larger than 1000 bytes\"}");
        /* The rest was read away: the connection goes on. */
        r = ask(fd, &(struct fcgi_request){.method = "POST", .uri = "/echo", .body = STR("next")});
        expect(&r, 200, "next");
        close(fd);
    }
    finish(&f);
}

static void streamed_bodies(void **state)
{
    struct fixture f;
    struct fcgi_answer r;
    int fd;

    (void)state;
    start(&f, (struct http_server_opts){.stream_bodies = true});
    fd = fcgi_connect(f.path);
    r = ask(fd, &(struct fcgi_request){.method = "POST", .uri = "/where", .body = filled(100)});
    expect(&r, 200, "loop");
    r = ask(fd, &(struct fcgi_request){.method = "POST", .uri = "/sum", .body = filled(5000000), .padding = 3});
    expect(&r, 200, "5000000");
    /* A handler may leave it unread. */
    r = ask(fd, &(struct fcgi_request){.method = "POST", .uri = "/ignore", .body = filled(5000000)});
    expect(&r, 200, "ignored");
    r = ask(fd, &(struct fcgi_request){.method = "POST", .uri = "/sum", .body = filled(70000), .announced = ""});
    expect(&r, 200, "70000");
    close(fd);
    finish(&f);
}

static void full_house(void **state)
{
    struct fixture f;
    struct fcgi_answer r;
    int fds[2];

    (void)state;
    start(&f, (struct http_server_opts){.max_in_flight = 2});
    for (int i = 0; i < 2; i++) {
        struct buf b = records(&(struct fcgi_request){.uri = "/gate"});

        fds[i] = fcgi_connect(f.path);
        assert_true(fcgi_send(fds[i], buf_str(&b)));
        assert_true(wait_for(&at_gate, i + 1));
    }
    r = fcgi_call(f.path, &(struct fcgi_request){.uri = "/"}, a);
    assert_int_equal(r.status, 503);
    assert_string_equal(str_cstr(a, fcgi_header(&r, "retry-after")), "1");
    assert_true(str_starts(r.body, STR("{\"error\":\"too many requests")));
    assert_int_equal(http_server_stats(f.server).rejected, 1);
    for (int i = 0; i < WAIT_MS && http_server_stats(f.server).in_flight != 2; i++)
        nap(); /* a request counts until its connection is parked again */
    assert_int_equal(http_server_stats(f.server).in_flight, 2);
    atomic_store(&gate, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(fcgi_receive(fds[i], &r, a, WAIT_MS));
        expect(&r, 200, "through");
        close(fds[i]);
    }
    r = fcgi_call(f.path, &(struct fcgi_request){.uri = "/"}, a);
    expect(&r, 200, "ok");
    finish(&f);
}

static void full_workers(void **state)
{
    struct fixture f;
    struct fcgi_answer r;
    int fds[2];

    (void)state;
    start(&f, (struct http_server_opts){.workers = 1, .worker_queue = 1});
    for (int i = 0; i < 2; i++) {
        struct buf b = records(&(struct fcgi_request){.uri = "/gate"});

        fds[i] = fcgi_connect(f.path);
        assert_true(fcgi_send(fds[i], buf_str(&b)));
        for (int k = 0; k < WAIT_MS && (i == 0 ? atomic_load(&at_gate) != 1
                                               : http_server_stats(f.server).worker_queue != 1);
             k++)
            nap();
    }
    r = fcgi_call(f.path, &(struct fcgi_request){.uri = "/worker"}, a);
    assert_int_equal(r.status, 503);
    assert_string_equal(str_cstr(a, fcgi_header(&r, "retry-after")), "1");
    r = fcgi_call(f.path, &(struct fcgi_request){.uri = "/"}, a); /* loops go on */
    expect(&r, 200, "ok");
    atomic_store(&gate, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(fcgi_receive(fds[i], &r, a, WAIT_MS));
        expect(&r, 200, "through");
        close(fds[i]);
    }
    finish(&f);
}

/* ---- start and stop --------------------------------------------------------------------------------------------------- */

/* Nobody is let in any more, as soon as every loop has heard of the stop. */
static bool refuses(const char *path)
{
    int fd = -1;

    for (int i = 0; i < WAIT_MS && (fd = fcgi_connect(path)) >= 0; i++) {
        close(fd);
        nap();
    }
    return fd < 0;
}

static void stop_finishes_what_is_in_flight(void **state)
{
    struct fixture f;
    struct buf b = records(&(struct fcgi_request){.uri = "/gate"});
    struct fcgi_answer r;
    int busy, idle;

    (void)state;
    start(&f, (struct http_server_opts){0});
    idle = fcgi_connect(f.path);
    r = ask(idle, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    busy = fcgi_connect(f.path);
    assert_true(fcgi_send(busy, buf_str(&b)));
    assert_true(wait_for(&at_gate, 1));
    http_server_stop(f.server);
    http_server_stop(f.server);
    assert_true(fcgi_closed(idle, WAIT_MS)); /* the idle one goes at once */
    assert_true(refuses(f.path));
    atomic_store(&gate, 1);
    assert_true(fcgi_receive(busy, &r, a, WAIT_MS));
    expect(&r, 200, "through");
    assert_true(fcgi_closed(busy, WAIT_MS));
    close(idle);
    close(busy);
    join(&f);
}

static void stop_does_not_wait_for_ever(void **state)
{
    struct fixture f;
    struct buf b = records(&(struct fcgi_request){.uri = "/gate"});
    int busy;

    (void)state;
    start(&f, (struct http_server_opts){.drain_ms = 50});
    busy = fcgi_connect(f.path);
    assert_true(fcgi_send(busy, buf_str(&b)));
    assert_true(wait_for(&at_gate, 1));
    http_server_stop(f.server);
    for (int i = 0; i < 200; i++)
        nap();
    atomic_store(&gate, 1); /* within the second the workers are given */
    pthread_join(f.thread, NULL);
    assert_int_equal(f.rc, 0);
    close(busy);
    http_server_free(f.server);
    unlink(f.path);
}

static void starting(struct http_req *r, void *ctx)
{
    http_reply(r, 503, STR("text/plain"), str_c(ctx));
}

static void handler_is_replaced(void **state)
{
    struct fixture f;
    struct fcgi_answer r;
    int fd;

    (void)state;
    start(&f, (struct http_server_opts){0});
    fd = fcgi_connect(f.path);
    http_server_handler(f.server, starting, "starting");
    r = ask(fd, &(struct fcgi_request){.uri = "/"});
    expect(&r, 503, "starting");
    http_server_handler(f.server, handler, NULL);
    r = ask(fd, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    close(fd);
    finish(&f);
}

static atomic_int worked;

static void work(void *arg)
{
    (void)arg;
    atomic_fetch_add(&worked, 1);
}

static void work_outside_requests(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_opts){0});
    assert_int_equal(http_server_n_loops(f.server), 2);
    for (int i = 0; i < 100; i++)
        assert_int_equal(http_server_work(f.server, work, NULL), 0);
    finish(&f);
    assert_int_equal(atomic_load(&worked), 100);
}

static void sockets(void **state)
{
    char path[64];
    int fd = -1;
    int second = -1;
    struct err e;

    (void)state;
    snprintf(path, sizeof(path), "server-test-%d-listen.sock", (int)getpid());
    assert_int_equal(http_listen_unix(path, 0600, &fd, &e), 0);
    assert_int_equal(http_listen_unix(path, 0600, &second, &e), -1);
    assert_non_null(strstr(e.msg, "address in use"));
    close(fd);
    assert_int_equal(http_listen_unix(path, 0600, &fd, &e), 0); /* what a crash left behind */
    close(fd);
    unlink(path);
    assert_int_equal(http_listen_unix("", 0600, &fd, &e), -1);
    assert_int_equal(http_listen_unix("/nowhere/x.sock", 0600, &fd, &e), -1);
    assert_int_equal(http_listen_tcp("127.0.0.1", 0, &fd, &e), 0);
    close(fd);
    assert_int_equal(http_listen_tcp("127.0.0.1", 65536, &fd, &e), -1);
    assert_int_equal(http_listen_tcp("no such host", 5000, &fd, &e), -1);
    assert_int_equal(http_listen_inherited(), -1);
}

/* ---- many at once ----------------------------------------------------------------------------------------------------- */

static void *hammer(void *arg)
{
    static const char *const uris[] = {"/", "/worker", "/back", "/echo", "/tell?q=1", "/big"};
    struct arena *mine = arena_new(0);
    intptr_t seed = (intptr_t)arg;
    intptr_t bad = 0;

    for (int i = 0; i < 12 && bad == 0; i++) {
        int fd = fcgi_connect(shared.path);

        for (int k = 0; k < 12; k++) {
            struct fcgi_answer r = {0};
            struct buf b;
            struct fcgi_request q = {.uri = uris[(size_t)(seed + i + k) % COUNT_OF(uris)]};
            char body[5000];

            memset(body, 'h', sizeof(body));
            q.body = str_make(body, k % 3 == 0 ? sizeof(body) : 0);
            buf_init(&b, MIB, mine);
            fcgi_put_request(&b, &q);
            if (!fcgi_send(fd, buf_str(&b)) || !fcgi_receive(fd, &r, mine, WAIT_MS) || r.status != 200)
                bad++;
        }
        close(fd);
        arena_reset(mine);
    }
    arena_free(mine);
    return (void *)bad;
}

static void many_at_once(void **state)
{
    pthread_t threads[6];

    (void)state;
    for (intptr_t i = 0; i < (intptr_t)COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

int main(void)
{
    const struct CMUnitTest with_shared[] = {
        cmocka_unit_test(short_body),          cmocka_unit_test(broken_upload),
        cmocka_unit_test(kept_and_closed),     cmocka_unit_test(sent_ahead),
        cmocka_unit_test(half_closed),         cmocka_unit_test(http_on_this_port),
        cmocka_unit_test(strangers_are_closed), cmocka_unit_test(headers_too_large),
        cmocka_unit_test(silent_clients),      cmocka_unit_test(large_answer),
        cmocka_unit_test(streams),             cmocka_unit_test(back_pressure),
        cmocka_unit_test(client_leaves_in_the_middle), cmocka_unit_test(aborted_answer),
        cmocka_unit_test(many_at_once),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_request_in_full),
        cmocka_unit_test(too_large_bodies),
        cmocka_unit_test(streamed_bodies),
        cmocka_unit_test(full_house),
        cmocka_unit_test(full_workers),
        cmocka_unit_test(stop_finishes_what_is_in_flight),
        cmocka_unit_test(stop_does_not_wait_for_ever),
        cmocka_unit_test(handler_is_replaced),
        cmocka_unit_test(work_outside_requests),
        cmocka_unit_test(sockets),
    };
    int failed;

    a = arena_new(0);
    start(&shared, (struct http_server_opts){0});
    failed = CASES(ids, request_id) + CASES(answer_rows, answers) + CASES(body_rows, bodies) +
             cmocka_run_group_tests(with_shared, NULL, NULL);
    finish(&shared);
    failed += cmocka_run_group_tests(alone, NULL, NULL);
    arena_free(a);
    return failed;
}
