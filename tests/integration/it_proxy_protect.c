/*
 * A gateway that does not answer is spared, and so are its callers: the circuit of its address opens, for the proxy and for
 * http_call alike; and what the attributes of this protection may hold.
 */
#include "base/arena.h"
#include "base/json.h"

#include <string.h>
#include <unistd.h>

#include "integration/env_calls.h"
#include "support/cases.h"

static struct house h;
static struct env *env;

#define OPEN "gateway bwks does not answer, the next try is in "

static void gateway(const char *more)
{
    house_gateway(&h, more);
    for (size_t i = 0; i < COUNT_OF(calls_ways); i++)
        calls_expect(env, &calls_ways[i], "GET", "/api/v1/do/ok/", "200");
}

static void open_circuit(const struct calls_way *way)
{
    for (int i = 0; i < 3; i++) {
        const char *got = way->call(env, "POST", "/api/v1/do/close_now/");

        if (strstr(got, "closed the connection") == NULL)
            env_fail(env, "%s, failure %d: %s", way->name, i, got);
    }
}

enum { WAIT_S = 3 };

/* What an open circuit does, and one whose probe failed; false when the machine stalled and the wait may have been over. */
static bool opens(const struct calls_way *way)
{
    int64_t from = clock_mono_ms(&clock_system);
    const char *first[6], *then;
    size_t n = 0;
    long before;

    open_circuit(way);
    before = rogue_requests(h.rogue);
    for (; n < 5; n++)
        first[n] = way->call(env, n % 2 == 0 ? "POST" : "GET", "/api/v1/do/ok/");
    if (way == &calls_ways[1]) /* an absolute URL leads to the same server */
        first[n++] = way->call(env, "GET", arena_printf(env_arena(env), "%s/api/v1/do/ok/", h.upstream));
    if (clock_mono_ms(&clock_system) - from >= WAIT_S * 1000)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strstr(first[i], OPEN) == NULL)
            env_fail(env, "%s: %s", way->name, first[i]);
    assert_int_equal(rogue_requests(h.rogue), before);
    /* the probe fails: as long again */
    ENV_WAIT(env, 4000, (from = clock_mono_ms(&clock_system), strstr(way->call(env, "POST", "/api/v1/do/close_now/"), "closed the connection") != NULL));
    then = way->call(env, "GET", "/api/v1/do/ok/");
    if (clock_mono_ms(&clock_system) - from >= WAIT_S * 1000)
        return false;
    assert_non_null(strstr(then, OPEN));
    assert_int_equal(rogue_requests(h.rogue), before + 1);
    return true;
}

/* Three failures open it, nothing reaches the gateway then; the first call after the wait closes it again. */
static void opens_and_closes(const struct calls_way *way)
{
    int tries = 0;

    api_setup(NULL);
    gateway(env_fmt(env, ",\"breaker_failures\":3,\"breaker_wait\":%d", WAIT_S));
    while (!opens(way)) {
        assert_true(++tries < 5);
        ENV_WAIT(env, 4000, strcmp(way->call(env, "GET", "/api/v1/do/ok/"), "200") == 0);
    }
    ENV_WAIT(env, 4000, strcmp(way->call(env, "GET", "/api/v1/do/ok/"), "200") == 0);
    assert_string_equal(way->call(env, "GET", "/api/v1/do/ok/"), "200");
    /* two failures and an answer: still closed */
    for (int i = 0; i < 4; i++) {
        (void)way->call(env, "POST", "/api/v1/do/close_now/");
        (void)way->call(env, "POST", "/api/v1/do/close_now/");
        assert_string_equal(way->call(env, "GET", "/api/v1/do/ok/"), "200");
    }
}

/* Whoever calls while the probe is under way is refused, and hears when to come again. */
static void one_probe_at_a_time(void **state)
{
    struct fcgi_request r = house_request(&h, "GET", "/api/v01/p1/do/gate/", NULL);
    struct fcgi_answer probe;
    struct env_answer a;
    int64_t from;
    long after;
    int fd, tries = 0;

    (void)state;
    gateway(",\"breaker_failures\":3,\"breaker_wait\":2");
    do {
        assert_true(++tries < 5);
        from = clock_mono_ms(&clock_system);
        open_circuit(&calls_ways[0]);
        a = api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL);
    } while (a.status == 200 && clock_mono_ms(&clock_system) - from >= 2000); /* it stalled: the wait was over */
    assert_int_equal(a.status, 503);
    after = strtol(env_header(env, &a, "retry-after"), NULL, 10);
    assert_in_range(after, 1, 2);
    sleep((unsigned)after);
    fd = house_begin(&h, &r);
    house_body_end(fd);
    ENV_WAIT(env, 1000, rogue_active(h.rogue) == 1);
    for (int i = 0; i < 3; i++) {
        a = api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL);
        assert_int_equal(a.status, 503);
        assert_true(strtol(env_header(env, &a, "retry-after"), NULL, 10) >= 1);
    }
    rogue_gate(h.rogue, true);
    assert_true(fcgi_receive(fd, &probe, env_arena(env), 3000));
    close(fd);
    assert_int_equal(probe.status, 200);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 200);
}

/* Connections refused by the main address: the backup answers and nothing is refused; both away: refused. */
static void the_last_backup_decides(const struct calls_way *way)
{
    struct arena *a = env_arena(env);
    int dead = env_free_port(env), dead_too = env_free_port(env);

    api_setup(NULL);
    api_configure(env, "gateways",
                  arena_printf(a, "{\"bwks\":{\"url\":\"http://127.0.0.1:%d\",\"backup_urls\":[\"%s\"],\"breaker_failures\":2,\"breaker_wait\":600,"
                                  "\"timeout\":20}}", dead, h.upstream));
    for (int i = 0; i < 8; i++)
        calls_expect(env, way, "POST", "/api/v1/do/ok/", "200");
    api_configure(env, "gateways",
                  arena_printf(a, "{\"bwks\":{\"url\":\"http://127.0.0.1:%d\",\"backup_urls\":[\"http://127.0.0.1:%d\"],\"breaker_failures\":2,"
                                  "\"breaker_wait\":600,\"timeout\":20}}", dead, dead_too));
    calls_expect(env, way, "POST", "/api/v1/do/ok/", OPEN "60");
    gateway(""); /* other addresses: nothing is held against them */
}

/* A check that finds the gateway healthy is as good as a probe. */
static void a_health_check_closes(void **state)
{
    (void)state;
    gateway(",\"timeout\":20,\"breaker_failures\":3,\"breaker_wait\":600,\"check\":true,\"check_url\":\"/do/ok\"");
    open_circuit(&calls_ways[0]);
    ENV_WAIT(env, 8000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
}

/* Changed while it is open. */
static void off_is_off(void **state)
{
    (void)state;
    gateway(",\"timeout\":20,\"breaker_failures\":3,\"breaker_wait\":600");
    open_circuit(&calls_ways[0]);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status, 503);
    house_gateway(&h, ",\"timeout\":20,\"breaker_failures\":0");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    for (int i = 0; i < 10; i++)
        assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/close_now/", "{}").status, 502);
    house_gateway(&h, "");
}

static const struct wrong {
    const char *name, *member, *want;
} wrongs[] = {
    {"text", "\"concurrency\":\"many\"", "gateways.bwks.concurrency"},
    {"negative", "\"concurrency\":-1", "gateways.bwks.concurrency"},
    {"too many", "\"concurrency\":100001", "gateways.bwks.concurrency"},
    {"a fraction", "\"concurrency\":1.5", "gateways.bwks.concurrency"},
    {"a list", "\"breaker_failures\":[5]", "gateways.bwks.breaker_failures"},
    {"never again", "\"breaker_wait\":0", "gateways.bwks.breaker_wait"},
};

static void refused_at_save(const struct wrong *w)
{
    struct arena *m = env_arena(env);
    struct val v, doc, gateways;
    struct err e;
    struct env_answer a;

    api_setup(NULL);
    v = api(env, 200, "GET", "/api/v01/system/configuration", NULL);
    doc = val_copy(val_get(v, "content"), m);
    assert_int_equal(json_parse(str_c(arena_printf(m, "{\"bwks\":{\"url\":\"%s\",%s}}", h.upstream, w->member)), &gateways, m, &e), 0);
    val_dict_set_c(doc, "gateways", gateways);
    a = api_raw(env, "PUT", "/api/v01/system/configuration", str_cstr(m, json_text(doc, m)));
    if (a.status != 400 || strstr(a.body, w->want) == NULL)
        env_fail(env, "%s: %d %s", w->name, a.status, a.body);
}

/* The editor of the interface sends numbers as text and empties as "". */
static void accepted_at_save(void **state)
{
    (void)state;
    gateway(",\"concurrency\":\"12\",\"breaker_failures\":\"\",\"breaker_wait\":null");
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, h.proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(one_probe_at_a_time), API_TEST(a_health_check_closes), API_TEST(off_is_off),
                                       API_TEST(accepted_at_save), API_TEST(ends_cleanly)};
    int failed;

    house_start(&h, NULL);
    env = h.env;
    calls_routes(env);
    failed = CASES(calls_ways, opens_and_closes) + CASES(calls_ways, the_last_backup_decides) + CASES(wrongs, refused_at_save) +
             cmocka_run_group_tests(tests, NULL, NULL);
    return house_end(&h, failed);
}
