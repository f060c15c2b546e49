/*
 * The server as the web server sees it: FastCGI over a unix socket, spoken by the test itself.
 */
#include "unit/http/server_fixture.h"

#include <sys/socket.h>

static struct fixture shared;

/* ---- requests
 * -------------------------------------------------------------------------------------------------
 */

static void a_request_in_full(void **state)
{
    static const char *const params[] = {"HTTP_HOST=h",
                                         "HTTP_COOKIE=a=1",
                                         "HTTP_X_TWICE=1",
                                         "HTTP_COOKIE=b=2",
                                         "HTTP_X_TWICE=2",
                                         "HTTP_CONTENT_LENGTH=99",
                                         "HTTP_X_REQUEST_ID=abc-1",
                                         "SERVER_NAME=zz",
                                         "HTTP_AUTHORIZATION=Bearer null",
                                         NULL};
    static const char want[] =
        "method=POST "
        "2\ntarget=/tell?q=a%20b&auth_token=T%2e1\npath=/tell\nquery=q=a%20b&auth_token=T%2e1\n"
        "type=text/x\nlength=3\naddr=192.0.2.7\nscheme=https\nhost: h\ncookie: a=1; b=2\nx-twice: "
        "1, 2\n"
        "x-request-id: abc-1\nauthorization: Bearer null\ncontent-type: text/x\ncontent-length: 3\n"
        "cookie=a=1; b=2\nparam=a b\nbearer=T.1\nbody=xyz\n";
    struct fcgi_answer r;

    (void)state;
    r = fcgi_call(shared.path,
                  &(struct fcgi_request){.method = "POST",
                                         .uri = "/tell?q=a%20b&auth_token=T%2e1",
                                         .content_type = "text/x",
                                         .body = STR("xyz"),
                                         .params = params},
                  a);
    assert_string_equal(str_cstr(a, r.body), want);
    assert_string_equal(str_cstr(a, fcgi_header(&r, "x-request-id")), "abc-1");
    assert_string_equal(str_cstr(a, fcgi_header(&r, "status")), "200 OK");
}

static void behind_proxies(void **state)
{
    static const char *const params[] = {"HTTP_X_FORWARDED_FOR=1.1.1.1, 198.51.100.1", NULL};
    struct fcgi_request ask = {.method = "GET", .uri = "/tell", .params = params};
    struct ip_net front;
    struct fixture f;
    struct fcgi_answer r;

    (void)state;
    assert_true(ip_net_parse(STR("192.0.2.0/24"), &front));
    r = fcgi_call(shared.path, &ask, a);
    assert_true(str_find(r.body, STR("addr=192.0.2.7\n")) >= 0);
    start(&f, (struct http_server_opts){.trusted = {&front, 1}});
    r = fcgi_call(f.path, &ask, a);
    assert_true(str_find(r.body, STR("addr=198.51.100.1\n")) >= 0);
    finish(&f);
}

static const struct id_row {
    const char *name;
    const char *given;
    const char *want; /* NULL: one of ours */
} ids[] = {
    {"id of nginx", "HTTP_X_REQUEST_ID=0123456789abcdef0123456789abcdef",
     "0123456789abcdef0123456789abcdef"},
    {"uuid", "HTTP_X_REQUEST_ID=12345678-9abc-def0-1234-56789abcdef0",
     "123456789abcdef0123456789abcdef0"},
    {"too long", "HTTP_X_REQUEST_ID=0123456789abcdef0123456789abcdef0", NULL},
    {"36 characters, no uuid", "HTTP_X_REQUEST_ID=123456789abcdef0123456789abcdef01234", NULL},
    {"odd characters", "HTTP_X_REQUEST_ID=a b", NULL},
    {"empty", "HTTP_X_REQUEST_ID=", NULL},
    {"absent", "HTTP_OTHER=1", NULL},
};

static void request_id(const struct id_row *row)
{
    const char *params[] = {row->given, NULL};
    struct fcgi_answer r =
        fcgi_call(shared.path, &(struct fcgi_request){.uri = "/", .params = params}, a);
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
    {"error", "GET", "/err", 403, "{\"error\":\"not \\\"allowed\\\"\",\"error_code\":1}",
     "Content-Type", "application/json"},
    {"head of a stream", "HEAD", "/stream", 200, "", "Content-Type", "application/octet-stream"},
    {"on a worker", "GET", "/worker", 200, "worker", "Content-Length", "6"},
    {"worker and back", "GET", "/back", 200, "loop", "Content-Length", "4"},
    {"other method", "PROPFIND", "/where", 200, "loop", "Content-Length", "4"},
};

static void answers(const struct answer_row *row)
{
    struct fcgi_answer r =
        fcgi_call(shared.path, &(struct fcgi_request){.method = row->method, .uri = row->uri}, a);
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
                  &(struct fcgi_request){
                      .method = "POST", .uri = "/echo", .body = STR("abc"), .announced = "5"},
                  a);
    expect(&r, 400, "{\"error\":\"request body has 3 of the announced 5 bytes\"}");
    r = fcgi_call(
        shared.path,
        &(struct fcgi_request){
            .method = "POST", .uri = "/echo", .body = filled(100000), .announced = "200000"},
        a);
    expect(&r, 400, "{\"error\":\"request body has 100000 of the announced 200000 bytes\"}");
}

static void broken_upload(void **state)
{
    struct buf b =
        records(&(struct fcgi_request){.method = "POST", .uri = "/echo", .body = filled(300000)});
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

/* ---- connections
 * ---------------------------------------------------------------------------------------------- */

static void kept_and_closed(void **state)
{
    int fd = fcgi_connect(shared.path);
    struct fcgi_answer r;

    (void)state;
    for (int i = 0; i < 50; i++) {
        r = ask(fd, &(struct fcgi_request){.uri = i % 3 == 0 ? "/worker" : "/",
                                           .id = (uint16_t)(i + 1)});
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
    expect(&r, 431, "{\"error\":\"request headers are larger than 65536 bytes or more than 512\"}");
}

/* Lengths whose sum no int holds: libfcgi would ask for that much memory. */
static void announced_too_large(void **state)
{
    static const char begin[] = {0, FCGI_RESPONDER, FCGI_KEEP_CONN, 0, 0, 0, 0, 0};
    struct fcgi_answer r;
    struct buf b;
    int fd = fcgi_connect(shared.path);

    (void)state;
    buf_init(&b, MIB, a);
    fcgi_put_record(&b, FCGI_BEGIN_REQUEST, 1, str_make(begin, sizeof(begin)), 0);
    fcgi_put_record(&b, FCGI_PARAMS, 1, str_make("\377\377\377\0\200\377\377\377a", 9), 0);
    fcgi_put_record(&b, FCGI_PARAMS, 1, STR(""), 0);
    fcgi_put_record(&b, FCGI_STDIN, 1, STR(""), 0);
    assert_true(fcgi_send(fd, buf_str(&b)));
    assert_true(fcgi_receive(fd, &r, a, WAIT_MS));
    expect(&r, 431, "{\"error\":\"request headers are larger than 65536 bytes or more than 512\"}");
    close(fd);
}

/* Silent clients, and such that stop in the middle, hold no thread: others are served meanwhile. */
static void silent_clients(void **state)
{
    struct buf b =
        records(&(struct fcgi_request){.method = "POST", .uri = "/echo", .body = filled(5000)});
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

/* ---- large answers and streams
 * ----------------------------------------------------------------------------------- */

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
    assert_string_equal(str_cstr(a, fcgi_header(&r, "x-accel-buffering")), "no");
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

/* ---- many at once
 * -----------------------------------------------------------------------------------------------------
 */

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
            if (!fcgi_send(fd, buf_str(&b)) || !fcgi_receive(fd, &r, mine, WAIT_MS) ||
                r.status != 200)
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_in_full), cmocka_unit_test(short_body),
        cmocka_unit_test(broken_upload),     cmocka_unit_test(kept_and_closed),
        cmocka_unit_test(sent_ahead),        cmocka_unit_test(half_closed),
        cmocka_unit_test(http_on_this_port), cmocka_unit_test(strangers_are_closed),
        cmocka_unit_test(headers_too_large),
        cmocka_unit_test(announced_too_large), cmocka_unit_test(silent_clients),
        cmocka_unit_test(large_answer),      cmocka_unit_test(streams),
        cmocka_unit_test(back_pressure),     cmocka_unit_test(client_leaves_in_the_middle),
        cmocka_unit_test(aborted_answer),    cmocka_unit_test(many_at_once),
        cmocka_unit_test(behind_proxies),
    };
    int failed;

    a = arena_new(0);
    start(&shared, (struct http_server_opts){0});
    failed = CASES(ids, request_id) + CASES(answer_rows, answers) + CASES(body_rows, bodies) +
             cmocka_run_group_tests(tests, NULL, NULL);
    finish(&shared);
    arena_free(a);
    return failed;
}
