/*
 * The server's limits, its start and its stop.
 */
#include <poll.h>

#include "unit/http/server_fixture.h"

/* ---- limits
 * ---------------------------------------------------------------------------------------------------------
 */

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
    r = ask(fd, &(struct fcgi_request){
                    .method = "POST", .uri = "/sum", .body = filled(5000000), .padding = 3});
    expect(&r, 200, "5000000");
    /* A handler may leave it unread. */
    r = ask(fd,
            &(struct fcgi_request){.method = "POST", .uri = "/ignore", .body = filled(5000000)});
    expect(&r, 200, "ignored");
    r = ask(fd, &(struct fcgi_request){
                    .method = "POST", .uri = "/sum", .body = filled(70000), .announced = ""});
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

/* ---- start and stop
 * ---------------------------------------------------------------------------------------------------
 */

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
    assert_true(fcgi_closed(idle, WAIT_MS)); /* the idle one goes soon */
    assert_true(refuses(f.path));
    atomic_store(&gate, 1);
    assert_true(fcgi_receive(busy, &r, a, WAIT_MS));
    expect(&r, 200, "through");
    assert_true(fcgi_closed(busy, WAIT_MS));
    close(idle);
    close(busy);
    join(&f);
}

/* What nginx is just sending on a connection it kept, and on a new one, while the server is told to stop. */
static void stop_answers_who_is_sending(void **state)
{
    struct fixture f;
    struct fcgi_answer r;
    struct buf b = records(&(struct fcgi_request){.uri = "/"});
    int kept, new, half;

    (void)state;
    start(&f, (struct http_server_opts){.part_ms = WAIT_MS});
    kept = fcgi_connect(f.path);
    r = ask(kept, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    new = fcgi_connect(f.path);
    half = fcgi_connect(f.path);
    http_server_stop(f.server);
    assert_true(refuses(f.path));
    r = ask(kept, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    assert_true(fcgi_closed(kept, WAIT_MS)); /* behind its answer */
    r = ask(new, &(struct fcgi_request){.uri = "/"});
    expect(&r, 200, "ok");
    assert_true(fcgi_closed(new, WAIT_MS));
    assert_true(fcgi_send(half, str_make(b.p, 20))); /* and no more: that holds up nobody */
    assert_true(fcgi_closed(half, WAIT_MS));
    close(half);
    close(kept);
    close(new);
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

/* A request that is half here gets its chance, and does not hold up the stop. */
static void stop_with_half_a_request(void **state)
{
    struct fixture f;
    struct buf b = records(&(struct fcgi_request){.uri = "/worker"});
    struct fcgi_answer r;
    int quick, never;

    (void)state;
    start(&f, (struct http_server_opts){0});
    quick = fcgi_connect(f.path);
    never = fcgi_connect(f.path);
    assert_true(fcgi_send(quick, str_make(b.p, 20)));
    assert_true(fcgi_send(never, str_make(b.p, 20)));
    for (int i = 0; i < WAIT_MS && http_server_stats(f.server).connections != 2; i++)
        nap();
    for (int i = 0; i < 20; i++)
        nap();
    http_server_stop(f.server);
    assert_true(refuses(f.path));
    assert_true(fcgi_send(quick, str_make(b.p + 20, b.len - 20)));
    assert_true(fcgi_receive(quick, &r, a, WAIT_MS));
    expect(&r, 200, "worker");
    assert_true(fcgi_closed(never, WAIT_MS));
    close(quick);
    close(never);
    join(&f);
}

static void starting(struct http_req *r, void *ctx)
{
    http_reply(r, 503, STR("text/plain"), str_c(ctx));
}

/* Who comes before that is answered then. */
static void nobody_is_let_in_before_it_opens(void **state)
{
    struct buf b = records(&(struct fcgi_request){.uri = "/"});

    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        struct fixture f;
        struct fcgi_answer r;
        int fd;

        start(&f, (struct http_server_opts){.hold_ms = opened ? WAIT_MS * 100 : 100});
        fd = fcgi_connect(f.path);
        assert_true(fcgi_send(fd, buf_str(&b)));
        if (opened) {
            assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 100), 0);
            http_server_open(f.server);
            http_server_open(f.server);
        }
        assert_true(fcgi_receive(fd, &r, a, WAIT_MS)); /* opened, or the time is over */
        expect(&r, 200, "ok");
        close(fd);
        finish(&f);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_large_bodies),
        cmocka_unit_test(streamed_bodies),
        cmocka_unit_test(full_house),
        cmocka_unit_test(full_workers),
        cmocka_unit_test(stop_finishes_what_is_in_flight),
        cmocka_unit_test(stop_answers_who_is_sending),
        cmocka_unit_test(nobody_is_let_in_before_it_opens),
        cmocka_unit_test(stop_does_not_wait_for_ever),
        cmocka_unit_test(stop_with_half_a_request),
        cmocka_unit_test(handler_is_replaced),
        cmocka_unit_test(work_outside_requests),
        cmocka_unit_test(sockets),
    };
    int failed;

    a = arena_new(0);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
