/*
 * Bad days of the gateway: it refuses, breaks off at each stage, talks nonsense, lies about its length, never ends; what the
 * client hears, and that nothing is sent twice which could have had an effect (gateway-proxy.md 2.5, 2.8).
 */
#include "base/arena.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "integration/env_proxy.h"
#include "support/cases.h"

static struct house h;
static struct env *env;

static const struct day {
    const char *name, *verb;
    int status; /* 0: the answer is cut */
    const char *want;
} days[] = {
    {"resets at once", "reset_now", 502, "closed the connection without an answer"},
    {"closes at once", "close_now", 502, "closed the connection without an answer"},
    {"resets in the head", "reset_head", 502, "gateway bwks"},
    {"closes in the head", "close_head", 502, "gateway bwks"},
    {"resets in the body", "reset_body", 0, ""},
    {"closes in the body", "close_body", 0, ""},
    {"garbage", "garbage", 502, "gateway bwks sent an invalid answer"},
    {"two lengths", "two_lengths", 502, "gateway bwks sent an invalid answer"},
    {"a length and chunks", "length_and_chunks", 502, "gateway bwks sent an invalid answer"},
    {"folded header", "folded", 502, "gateway bwks sent an invalid answer"},
    {"line end inside a header", "control_char", 502, "gateway bwks sent an invalid answer"},
    {"ten thousand headers", "headers_10000", 502, "gateway bwks sent an invalid answer"},
    {"head of 100 KiB", "big_head", 502, "gateway bwks sent an invalid answer"},
    {"more than announced", "short_length", 200, "hello"},
    {"interim answers", "continue", 200, "{\"ok\":true}"},
    {"401 of a gateway without login", "unauthorized", 401, "{}"},
    {"bad chunk", "bad_chunk", -1, ""},
    {"chunk beyond all numbers", "huge_chunk", -1, ""},
};

/* Those that end when time is up; the others have time enough wherever a machine stalls. */
static const struct day silence[] = {{"silence", "hang", 504, "gateway bwks did not answer within 1 s"}};
static const struct day drip[] = {{"a byte now and then, for ever", "drip", 0, ""}};

static void check(const struct day *d, const char *method, long calls)
{
    const char *path = arena_printf(env_arena(env), "/api/v01/p1/do/%s/", d->verb);
    const char *const headers[] = {api_auth(env), "Content-Type: application/json", NULL};
    long before = rogue_requests(h.rogue);
    struct env_answer a = env_http_once(env, method, path, headers, strcmp(method, "POST") == 0 ? "{}" : NULL);

    /* -1: found out behind the head, whether or not that has gone out yet */
    if (d->status >= 0 ? a.status != d->status : a.status != 502 && a.status != 0)
        env_fail(env, "%s %s: %d %.300s", method, d->verb, a.status, a.body);
    if (d->status > 0 && strstr(a.body, d->want) == NULL)
        env_fail(env, "%s %s: expected \"%s\" in: %.300s", method, d->verb, d->want, a.body);
    if (d->status == 200 && strstr(a.body, "announced") != NULL)
        env_fail(env, "bytes behind the length reached the client");
    if (d->status == 502 || d->status == 504)
        assert_non_null(strstr(a.body, "\"request_id\""));
    assert_string_equal(env_header(env, &a, "Set-Cookie"), "");
    assert_int_equal(rogue_requests(h.rogue) - before, calls);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 200); /* the next call is not touched by it */
}

static bool breaks_without_answer(const struct day *d)
{
    return strcmp(d->verb, "reset_now") == 0 || strcmp(d->verb, "close_now") == 0;
}

static void reports(const struct day *d)
{
    api_setup(NULL);
    check(d, "POST", 1);                                 /* never repeated once it was sent */
    check(d, "GET", breaks_without_answer(d) ? 2 : 1);   /* once more on a new connection: the kept one may have been dead */
}

/* nginx sees the head of the answer and its breaking off at one time, and has told its client nothing yet: it does not ask again. */
static void nginx_is_late(void **state)
{
    static const char *const verbs[] = {"close_body", "reset_body", "bad_chunk"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        const char *ask = env_fmt(env, "GET /api/v01/p1/do/gate_%s/?late=%zu HTTP/1.1\r\nHost: here\r\n%s\r\nConnection: close\r\n\r\n", verbs[i], i,
                                  api_auth(env));
        long before = rogue_requests(h.rogue);
        int fd = env_connect(h.nginx_port);
        char got[4096];
        ssize_t n;

        assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 200); /* a connection is kept */
        rogue_gate(h.rogue, false);
        assert_int_equal(send(fd, ask, strlen(ask), MSG_NOSIGNAL), strlen(ask));
        ENV_WAIT(env, 5000, rogue_requests(h.rogue) - before == 2);
        env_nginx_hold(env, true);
        rogue_gate(h.rogue, true);
        ENV_WAIT(env, 5000, env_sql(env, "SELECT 1 FROM requests WHERE url LIKE '%%late=%zu'", i)[0] == '1');
        env_nginx_hold(env, false);
        while ((n = env_recv(fd, got, sizeof got)) > 0)
            ;
        assert_int_equal(n, 0); /* the end, whatever came before it */
        assert_int_equal(rogue_requests(h.rogue) - before, 2);
        close(fd);
    }
}

static void no_gateway_at_all(void **state)
{
    const char *none = arena_printf(env_arena(env), "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", env_free_port(env));
    struct env_answer a;

    (void)state;
    api_configure(env, "gateways", none);
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 502);
    a = api_raw(env, "POST", "/api/v01/p1/do/ok/", "{}");
    assert_int_equal(a.status, 502);
    assert_non_null(strstr(a.body, "gateway bwks: connection failed ("));
    house_gateway(&h, "");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
}

static void a_name_nobody_has(void **state)
{
    (void)state;
    api_configure(env, "gateways", "{\"bwks\":{\"url\":\"http://no-such-host.invalid/\",\"timeout\":5,\"breaker_failures\":0}}");
    ENV_WAIT(env, 10000, strstr(api_raw(env, "POST", "/api/v01/p1/do/ok/", "{}").body, "gateway bwks: connection failed (could not resolve host") != NULL);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 502);
    house_gateway(&h, "");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
}

/* A host that takes no connection and refuses none: its queue is full. */
static void a_connection_that_is_never_made(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fds[8], full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct env_answer a;

    (void)state;
    assert_int_equal(bind(full, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&at, &len), 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&at, sizeof at);
    }
    api_configure(env, "gateways", arena_printf(env_arena(env), "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\",\"timeout\":1,\"breaker_failures\":0}}",
                                                ntohs(at.sin_port)));
    ENV_WAIT(env, 8000, (a = api_raw(env, "POST", "/api/v01/p1/do/ok/", "{}")).status == 504);
    assert_non_null(strstr(a.body, "gateway bwks did not answer within 1 s"));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    close(full);
    house_gateway(&h, "");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
}

/* The name of a gateway that has become the address of a metadata service. */
static void guarded_addresses(void **state)
{
    static const char *const hosts[] = {"169.254.169.254", "[::ffff:a9fe:a9fe]", "2852039166"};

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        api_configure(env, "gateways", arena_printf(env_arena(env), "{\"bwks\":{\"url\":\"http://%s/\",\"timeout\":1}}", hosts[i]));
        ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).body, "gateway bwks: must not be called: it has a link-local address") != NULL);
        assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/ok/", "{}").status, 502);
        house_gateway(&h, "");
        ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    }
}

/* A connection that closed while it was kept is no trouble of the next call. */
static void kept_connections_die(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 200);
        (void)api_raw(env, "GET", "/api/v01/p1/do/close_body/", NULL);
        assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/ok/", "{}").status, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(nginx_is_late), API_TEST(no_gateway_at_all), API_TEST(a_name_nobody_has), API_TEST(a_connection_that_is_never_made), API_TEST(guarded_addresses), API_TEST(kept_connections_die)};
    int failed;

    house_start(&h, NULL);
    env = h.env;
    failed = CASES(days, reports) + cmocka_run_group_tests(tests, NULL, NULL);
    house_gateway(&h, ",\"timeout\":1");
    failed += CASES(silence, reports);
    env_stop(env, h.proxy);
    h.proxy = env_app_start(env, "sluice-proxy", "p1.sock",
                            (const char *const[]){"-proxy=/api/v01/p1:bwks", "-runMigration=false", "-proxyTotalTimeout=3s", NULL});
    house_gateway(&h, "");
    failed += CASES(drip, reports);
    env_stop(env, h.proxy);
    return house_end(&h, failed);
}
