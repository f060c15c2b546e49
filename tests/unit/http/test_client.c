/*
 * The HTTP client against a scripted peer.
 */
#include "support/cases.h"

#include <stdio.h>

#include "http/client.h"
#include "support/peer.h"

static struct arena *a;
static struct http_client_pool *pool;

static struct str url_of(struct peer *p, const char *path)
{
    return str_printf(a, "http://127.0.0.1:%d%s", peer_port(p), path);
}

static struct http_call get(struct peer *p, const char *path)
{
    return (struct http_call){.method = STR("GET"), .url = url_of(p, path), .total_ms = 5000};
}

static bool says(struct str text, const char *part)
{
    return str_find(text, str_c(part)) >= 0;
}

struct taken {
    size_t n, most;
};

static bool take(void *ctx, struct str piece)
{
    struct taken *t = ctx;

    t->n += piece.len;
    return t->n <= t->most;
}

/* A body that goes elsewhere is not kept, nor bounded; what is no answer 200 is. */
static void bodies_in_pieces(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .status = 200, .body = "0123456789"},
        {.kind = PEER_ANSWER, .status = 404, .body = "no"},
        {.kind = PEER_ANSWER, .status = 200, .body = "0123456789"}};
    struct peer *p = peer_new(steps, 3);
    struct taken t = {.most = 10};
    struct http_call c = get(p, "/");
    struct http_result r;
    struct err e;

    (void)state;
    c.max_body = 4;
    c.sink = take;
    c.sink_ctx = &t;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(t.n, 10);
    assert_int_equal(r.body.len, 0);
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(t.n, 10);
    assert_string_equal(str_cstr(a, r.body), "no");
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    peer_free(p);
}

static void answers(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER,
         .status = 201,
         .headers = "X-A: 1\r\nContent-Type:  text/x \r\nX-A: 2\r\n",
         .body = "hi"}};
    struct peer *p = peer_new(steps, 1);
    struct http_header headers[] = {{STR("X-Test"), STR(" v ")}, {STR("X-Empty"), STR("")}};
    struct http_call c = get(p, "/a/../b?x=1#f");
    struct http_result r;
    struct err e;

    (void)state;
    c.headers = headers;
    c.n_headers = 2;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(r.status, 201);
    assert_string_equal(str_cstr(a, r.body), "hi");
    assert_string_equal(str_cstr(a, http_result_header(&r, "content-type")), "text/x");
    assert_string_equal(str_cstr(a, http_result_header(&r, "x-a")), "1");
    assert_int_equal(r.n_headers, 4);
    assert_string_equal(str_cstr(a, r.primary_ip), "127.0.0.1");
    assert_true(r.connected);
    assert_true(r.elapsed_us > 0);
    assert_true(says(peer_request(p, 0), "GET /a/../b?x=1 HTTP/1.1\r\n"));
    assert_true(says(peer_request(p, 0), "X-Test: v\r\n"));
    assert_true(says(peer_request(p, 0), "X-Empty:\r\n"));
    assert_false(says(peer_request(p, 0), "Content-Type"));
    peer_free(p);
}

static const struct body_row {
    const char *name;
    const char *method;
    const char *body; /* NULL: none */
    const char *type;
    const char *want; /* in the request */
    const char *want_not;
} bodies[] = {
    {"post", "POST", "{}", "application/json", "Content-Type: application/json\r\n", "Expect"},
    {"post without body", "POST", NULL, NULL, "Content-Length: 0\r\n", "Content-Type"},
    {"put without body", "PUT", NULL, NULL, "Content-Length: 0\r\n", "Content-Type"},
    {"delete with body", "DELETE", "{\"a\":1}", "text/plain", "\r\n\r\n{\"a\":1}", "urlencoded"},
    {"delete without body", "DELETE", NULL, NULL, "DELETE /x HTTP/1.1", "Content-Length"},
    {"get with body", "GET", "q", NULL, "Content-Length: 1\r\n", "urlencoded"},
    {"patch", "PATCH", "[]", NULL, "PATCH /x", "Content-Type"},
    {"user agent", "GET", NULL, NULL, "User-Agent: sluice/", "Content-Type"},
    {"own method", "PROPFIND", NULL, NULL, "PROPFIND /x", "GET"},
};

static void body(const struct body_row *row)
{
    static const struct peer_step echo[] = {{.kind = PEER_ECHO}};
    struct peer *p = peer_new(echo, 1);
    struct http_call c = get(p, "/x");
    struct http_header h = {STR("Content-Type"), str_c(row->type)};
    struct http_result r;
    struct err e;

    c.method = str_c(row->method);
    c.body = str_c(row->body);
    if (row->type != NULL) {
        c.headers = &h;
        c.n_headers = 1;
    }
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_string_equal(str_cstr(a, r.body), row->body != NULL ? row->body : "");
    if (!says(peer_request(p, 0), row->want) || says(peer_request(p, 0), row->want_not))
        fail_msg("%s", peer_request(p, 0).p);
    peer_free(p);
}

static void head_has_no_body(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER, .body = "12345"}};
    struct peer *p = peer_new(steps, 1);
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    c.method = STR("HEAD");
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(r.body.len, 0);
    assert_string_equal(str_cstr(a, http_result_header(&r, "content-length")), "5");
    peer_free(p);
}

static void parts(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ECHO}};
    struct peer *p = peer_new(steps, 1);
    struct http_part list[] = {{STR("a"), STR("1"), STR_NONE, STR_NONE},
                               {STR("f"), STR("x\0y"), STR("n.bin"), STR("app/x")}};
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    c.method = STR("POST");
    c.parts = list;
    c.n_parts = 2;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_true(says(peer_request(p, 0), "Content-Type: multipart/form-data; boundary="));
    assert_true(says(r.body, "name=\"a\"\r\n\r\n1\r\n"));
    assert_true(says(r.body, "name=\"f\"; filename=\"n.bin\"\r\nContent-Type: app/x\r\n\r\n"));
    assert_true(str_find(r.body, STR("x\0y")) >= 0);
    peer_free(p);
}

static void connections_are_kept(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER, .body = "x"}};
    struct peer *p = peer_new(steps, 1);
    struct peer *other = peer_new(steps, 1);
    struct http_call c = get(p, "/x");
    struct http_call d = get(other, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
        assert_int_equal(http_client_do(pool, &d, &r, a, &e), 0);
    }
    assert_int_equal(peer_requests(p), 5);
    assert_int_equal(peer_connections(p), 1);
    assert_int_equal(peer_connections(other), 1);
    peer_free(p);
    peer_free(other);
}

static void redirects_are_not_followed(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .status = 302, .headers = "Location: /y\r\n"}};
    struct peer *p = peer_new(steps, 1);
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(r.status, 302);
    assert_int_equal(peer_requests(p), 1);
    peer_free(p);
}

static void environment_has_no_say(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER, .body = "x"}};
    struct peer *p = peer_new(steps, 1);
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    /* And the other way round: no_proxy does not switch off what the configuration asks for. */
    setenv("no_proxy", "*", 1);
    c.url = STR("http://gateway.invalid/x");
    c.proxy = url_of(p, "/");
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_true(says(peer_request(p, 1), "GET http://gateway.invalid/x HTTP/1.1"));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    unsetenv("no_proxy");
    peer_free(p);
}

/* ---- failures
 * ------------------------------------------------------------------------------------------- */

static const struct fail_row {
    const char *name;
    struct peer_step step;
    const char *method;
    enum err_code code;
    const char *says;
    size_t max_body;
    size_t requests; /* the peer must have seen */
} fails[] = {
    {"closes at once",
     {.kind = PEER_CLOSE},
     "GET",
     ERR_UPSTREAM,
     "without a complete answer",
     0,
     1},
    {"closes in the middle",
     {.kind = PEER_CLOSE_MID, .size = 1000},
     "GET",
     ERR_UPSTREAM,
     "in the middle",
     0,
     1},
    {"never answers",
     {.kind = PEER_HANG},
     "GET",
     ERR_TIMEOUT,
     "did not answer within 300 ms",
     0,
     1},
    {"nonsense", {.kind = PEER_GARBAGE}, "GET", ERR_UPSTREAM, "invalid answer", 0, 1},
    {"larger than allowed",
     {.kind = PEER_BIG, .size = 100000},
     "GET",
     ERR_UPSTREAM,
     "larger than 65536 bytes",
     65536,
     1},
    {"headers too large",
     {.kind = PEER_BIG_HEAD, .size = 70000},
     "GET",
     ERR_UPSTREAM,
     "headers",
     0,
     1},
    {"post is not repeated",
     {.kind = PEER_CLOSE},
     "POST",
     ERR_UPSTREAM,
     "without a complete answer",
     0,
     1},
};

static void fails_with(const struct fail_row *row)
{
    struct peer *p = peer_new(&row->step, 1);
    struct http_call c = get(p, "/x?secret=1");
    struct http_result r;
    struct err e;

    c.method = str_c(row->method);
    c.max_body = row->max_body;
    c.total_ms = 300;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    if (e.code != row->code || strstr(e.msg, row->says) == NULL ||
        strstr(e.msg, "127.0.0.1:") == NULL || strstr(e.msg, "secret") != NULL)
        fail_msg("%s: %s (%s)", err_code_name(e.code), e.msg, e.detail);
    assert_true(r.connected);
    assert_int_equal(peer_requests(p), row->requests);
    peer_free(p);
}

static void exactly_the_ceiling(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_BIG, .size = 1000000}};
    struct peer *p = peer_new(steps, 1);
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    c.max_body = 1000000;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(r.body.len, 1000000);
    c.max_body = 999999;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    peer_free(p);
}

/* A kept connection that breaks when it is used again: GET goes out once more, POST does not. */
static void kept_connection_breaks(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER, .body = "1"},
                                             {.kind = PEER_CLOSE},
                                             {.kind = PEER_ANSWER, .body = "2"}};
    struct peer *p = peer_new(steps, 3);
    struct http_call c = get(p, "/x");
    struct http_result r;
    struct err e;

    (void)state;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_string_equal(str_cstr(a, r.body), "2");
    assert_int_equal(peer_requests(p), 3);
    peer_script(p, steps, 3);
    c.method = STR("POST");
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), 0);
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    assert_int_equal(e.code, ERR_UPSTREAM);
    assert_true(r.connected);
    assert_int_equal(peer_requests(p), 2);
    peer_free(p);
}

static void refused(void **state)
{
    struct http_call c = {.method = STR("GET")};
    int port = peer_closed_port();
    struct http_result r;
    struct err e;
    char want[100];

    (void)state;
    c.url = str_printf(a, "http://127.0.0.1:%d/x", port);
    snprintf(want, sizeof(want), "connection to 127.0.0.1:%d failed (connection refused)", port);
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    assert_int_equal(e.code, ERR_UPSTREAM);
    assert_string_equal(e.msg, want);
    assert_false(r.connected);
}

static const struct bad_row {
    const char *name;
    const char *method;
    const char *url;
    const char *header;
    const char *value;
    const char *says;
} bads[] = {
    {"scheme", "GET", "ftp://127.0.0.1/x", NULL, NULL, "neither http nor https"},
    {"file", "GET", "file:///etc/passwd", NULL, NULL, "host"},
    {"relative", "GET", "/x", NULL, NULL, "scheme"},
    {"blank", "GET", "http://127.0.0.1/a b", NULL, NULL, "blank"},
    {"method", "GE T", "http://127.0.0.1/", NULL, NULL, "method \"GE T\""},
    {"method with line break", "GET\r\nX: y", "http://127.0.0.1/", NULL, NULL, "not valid"},
    {"header name", "GET", "http://127.0.0.1/", "X y", "1", "header \"X y\" is not a valid name"},
    {"empty header name", "GET", "http://127.0.0.1/", "", "1", "not a valid name"},
    {"header value", "GET", "http://127.0.0.1/", "X", "1\r\nY: 2", "control character"},
};

static void bad_call(const struct bad_row *row)
{
    struct http_header h = {str_c(row->header), str_c(row->value)};
    struct http_call c = {.method = str_c(row->method), .url = str_c(row->url), .headers = &h};
    struct http_result r;
    struct err e;

    c.n_headers = row->header != NULL ? 1 : 0;
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    if (strstr(e.msg, row->says) == NULL)
        fail_msg("%s", e.msg);
}

static void tls_against_plain(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER}};
    struct peer *p = peer_new(steps, 1);
    struct http_call c = {.method = STR("GET"), .total_ms = 1000};
    struct http_result r;
    struct err e;

    (void)state;
    c.url = str_printf(a, "https://127.0.0.1:%d/", peer_port(p));
    assert_int_equal(http_client_do(pool, &c, &r, a, &e), -1);
    assert_true(e.code == ERR_UPSTREAM || e.code == ERR_TIMEOUT);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers), cmocka_unit_test(bodies_in_pieces),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(parts),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(environment_has_no_say),
        cmocka_unit_test(exactly_the_ceiling),
        cmocka_unit_test(kept_connection_breaks),
        cmocka_unit_test(refused),
        cmocka_unit_test(tls_against_plain),
    };
    int failed;

    a = arena_new(0);
    http_client_init();
    pool = http_client_pool_new();
    failed = CASES(bodies, body) + CASES(fails, fails_with) + CASES(bads, bad_call) +
             cmocka_run_group_tests(tests, NULL, NULL);
    http_client_pool_free(pool);
    arena_free(a);
    return failed;
}
