/*
 * Bodies through the proxy: streamed both ways at the pace of the slower side, in memory that does not grow with them, and given
 * up with whoever leaves.
 */
#include "base/arena.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "integration/env_proxy.h"
#include "support/cases.h"

enum { LARGE_MIB = 256, HELD_MAX = 12 * 1024 * 1024 };

static struct house h;
static struct env *env;

static int start(void **state)
{
    (void)api_setup(state);
    ENV_WAIT(env, 8000, rogue_active(h.rogue) == 0); /* what the test before left */
    return 0;
}

#define STREAM_TEST(fn) cmocka_unit_test_setup(fn, start)

static struct fcgi_answer answer_of(int fd, int ms)
{
    struct fcgi_answer a = {0};

    if (!fcgi_receive(fd, &a, env_arena(env), ms))
        env_fail(env, "no answer within %d ms", ms);
    close(fd);
    return a;
}

static int upload(const char *method, const char *uri, const char *announced)
{
    struct fcgi_request r = house_request(&h, method, uri, NULL);

    r.announced = announced;
    r.content_type = "application/octet-stream";
    return house_begin(&h, &r);
}

static void large_uploads_take_no_memory(void **state)
{
    size_t n = (size_t)LARGE_MIB * MIB;
    long before = env_peak_kib(env, h.proxy);
    long long got = rogue_body_bytes(h.rogue);
    int fd = upload("PUT", "/api/v01/p1/do/sink/", arena_printf(env_arena(env), "%zu", n));
    struct fcgi_answer a;

    (void)state;
    assert_int_equal(house_body(fd, n, 60000), n);
    house_body_end(fd);
    a = answer_of(fd, 10000);
    assert_int_equal(a.status, 200);
    assert_true(str_eq_c(a.body, arena_printf(env_arena(env), "{\"bytes\":%zu}", n)));
    assert_int_equal(rogue_body_bytes(h.rogue) - got, n);
    if (env_peak_kib(env, h.proxy) > before + house_growth_kib(8 * 1024))
        env_fail(env, "the proxy grew from %ld to %ld KiB", before, env_peak_kib(env, h.proxy));
}

/* Nothing was announced: chunks towards the gateway. */
static void uploads_without_length(void **state)
{
    int fd = upload("POST", "/api/v01/p1/do/sink/", "");
    struct fcgi_answer a;

    (void)state;
    assert_int_equal(house_body(fd, 8 * MIB, 10000), 8 * MIB);
    house_body_end(fd);
    a = answer_of(fd, 10000);
    assert_int_equal(a.status, 200);
    assert_true(str_eq_c(a.body, "{\"bytes\":8388608}"));
    fd = upload("POST", "/api/v01/p1/do/echo_head/", ""); /* a small one is known before it is sent */
    assert_int_equal(house_body(fd, 96 * KIB, 10000), 96 * KIB);
    house_body_end(fd);
    a = answer_of(fd, 10000);
    assert_true(str_find(a.body, STR("Content-Length: 98304\r\n")) > 0);
    assert_true(str_find(a.body, STR("Transfer-Encoding")) < 0);
}

static void slow_gateways_slow_the_client(void **state)
{
    long long before = rogue_body_bytes(h.rogue);
    int fd = upload("PUT", "/api/v01/p1/do/slow_sink/", "500000000");
    size_t sent = house_body(fd, 400 * MIB, 700);
    long long got = rogue_body_bytes(h.rogue) - before;

    (void)state;
    close(fd);
    if ((long long)sent - got > HELD_MAX)
        env_fail(env, "%zu bytes were taken, the gateway got %lld", sent, got);
    ENV_WAIT(env, 5000, rogue_active(h.rogue) == 0); /* the client is gone in the middle of his body: so is the call */
}

static void large_answers_take_no_memory(void **state)
{
    struct fcgi_request r = house_request(&h, "GET", arena_printf(env_arena(env), "/api/v01/p1/do/big_%d/", LARGE_MIB), NULL);
    long before = env_peak_kib(env, h.proxy);
    int fd = house_begin(&h, &r);
    static char block[64 * KIB];
    size_t got = 0;
    ssize_t n;

    (void)state;
    house_body_end(fd);
    while (got < (size_t)LARGE_MIB * MIB && (n = recv(fd, block, sizeof block, 0)) > 0)
        got += (size_t)n;
    close(fd);
    assert_true(got >= (size_t)LARGE_MIB * MIB);
    if (env_peak_kib(env, h.proxy) > before + house_growth_kib(8 * 1024))
        env_fail(env, "the proxy grew from %ld to %ld KiB", before, env_peak_kib(env, h.proxy));
}

static void slow_clients_slow_the_gateway(void **state)
{
    struct fcgi_request r = house_request(&h, "GET", "/api/v01/p1/do/endless/", NULL);
    long long before = rogue_sent_bytes(h.rogue), sent;
    int fd = house_begin(&h, &r);

    (void)state;
    house_body_end(fd);
    ENV_WAIT(env, 5000, rogue_sent_bytes(h.rogue) - before > 100000);
    usleep(500 * 1000);
    sent = rogue_sent_bytes(h.rogue) - before;
    if (sent > HELD_MAX)
        env_fail(env, "the gateway could send %lld bytes that nobody read", sent);
    close(fd);
    ENV_WAIT(env, 5000, rogue_active(h.rogue) == 0);
}

/* A client who leaves while the gateway thinks: calls without effect are cancelled, changes go on to their end. */
static void clients_leave(void **state)
{
    struct fcgi_request get = house_request(&h, "GET", "/api/v01/p1/do/hang/?gone=get", NULL);
    struct fcgi_request put = house_request(&h, "PUT", "/api/v01/p1/do/sleep_700/?gone=put", NULL);
    int fd = house_begin(&h, &get);

    (void)state;
    house_body_end(fd);
    ENV_WAIT(env, 5000, rogue_active(h.rogue) == 1);
    close(fd);
    ENV_WAIT(env, 1000, rogue_active(h.rogue) == 0);
    put.body = STR("{}");
    fd = house_begin(&h, &put);
    house_body_end(fd);
    ENV_WAIT(env, 5000, rogue_active(h.rogue) == 1);
    close(fd);
    ENV_WAIT(env, 5000, env_psql(env, "SELECT 1 FROM requests WHERE url LIKE '%gone=put' AND response_status = 200")[0] == '1');
    assert_string_equal(env_psql(env, "SELECT response_status FROM requests WHERE url LIKE '%gone=get'"), "0");
}

static void item_11_32_mib_through_nginx(void **state)
{
    size_t n = 32 * MIB; /* the most nginx takes */
    char *body = arena_alloc(env_arena(env), n + 1);
    struct env_answer a;
    const char *text;

    (void)state;
    memset(body, 'x', n);
    body[n] = '\0';
    a = api_raw(env, "POST", "/api/v01/p1/do/sink/", body);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"bytes\":33554432}");
    text = house_raw(&h,
                     arena_printf(env_arena(env),
                                  "POST /api/v01/p1/do/sink/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n",
                                  api_auth(env)),
                     5000);
    if (strstr(text, "{\"bytes\":12}") == NULL)
        env_fail(env, "%s", text);
}

/* ---- what is wrong with a body ------------------------------------------------------------------------- */

static const struct body_row {
    const char *name, *announced;
    size_t sends; /* bytes, then the end unless `stops` */
    bool stops;
    int status;
    const char *want;
} body_rows[] = {
    {"larger than announced allows", "600000000", 0, false, 413, "request body larger than 536870912 bytes"},
    {"shorter than announced", "1048576", 524288, false, 400, "shorter than announced"},
    {"small and shorter", "131072", 98304, false, 400, "has 98304 of the announced 131072 bytes"},
    {"stops in the middle", "1048576", 524288, true, 400, "the request body stopped coming"},
    {"stops while it is small", "131072", 98304, true, 400, "the request body stopped coming"},
};

static void refuses_bodies(const struct body_row *r)
{
    int fd;
    struct fcgi_answer a;

    start(NULL);
    fd = upload("PUT", "/api/v01/p1/do/sink/", r->announced);
    if (r->sends > 0)
        assert_int_equal(house_body(fd, r->sends, 5000), r->sends);
    if (!r->stops)
        house_body_end(fd);
    a = answer_of(fd, 8000);
    if (a.status != r->status || str_find(a.body, str_c(r->want)) < 0)
        env_fail(env, "%d %.*s", a.status, STR_ARG(a.body));
    assert_true(env_running(env, h.proxy));
}

/* The gateway says no before it has the body. */
static void early_answers(void **state)
{
    int fd = upload("PUT", "/api/v01/p1/do/early/", "209715200");
    struct fcgi_answer a;

    (void)state;
    (void)house_body(fd, 200 * MIB, 1000);
    a = answer_of(fd, 5000);
    assert_int_equal(a.status, 413);
    assert_true(str_eq_c(a.body, "{\"error\":\"full\"}"));
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, h.proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(large_uploads_take_no_memory),  STREAM_TEST(uploads_without_length),       STREAM_TEST(slow_gateways_slow_the_client),
        STREAM_TEST(large_answers_take_no_memory),  STREAM_TEST(slow_clients_slow_the_gateway), STREAM_TEST(clients_leave),
        STREAM_TEST(item_11_32_mib_through_nginx),                 STREAM_TEST(early_answers),
    };
    const struct CMUnitTest last[] = {STREAM_TEST(ends_cleanly)};
    int failed;

    house_start(&h, (const char *const[]){"-proxyMaxBody=536870912", NULL});
    env = h.env;
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(body_rows, refuses_bodies);
    failed += cmocka_run_group_tests(last, NULL, NULL);
    return house_end(&h, failed);
}
