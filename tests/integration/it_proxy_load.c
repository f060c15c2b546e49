/*
 * The proxy with many calls at once: places by user, a thousand calls that wait, a history whose database is away, changes of the
 * configuration under load, and what is measured.
 */
#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "integration/env_proxy.h"
#include "support/cases.h"

enum { PLACES = 8, MANY = 500, WORKERS = 16 /* the option's default: threads that start when something can only block */ };

static struct house h;
static struct env *env;
static int metrics_port;

static int start(void **state)
{
    (void)api_setup(state);
    ENV_WAIT(env, 10000, rogue_active(h.rogue) == 0);
    return 0;
}

#define LOAD_TEST(fn) cmocka_unit_test_setup(fn, start)

/* A call on a connection of its own; its answer is for answer_of(). */
static int begin(const char *method, const char *uri, const char *const *more)
{
    struct fcgi_request r = house_request(&h, method, uri, more);
    int fd = house_begin(&h, &r);

    house_body_end(fd);
    return fd;
}

static struct fcgi_answer answer_of(int fd, int ms)
{
    struct fcgi_answer a = {0};

    if (!fcgi_receive(fd, &a, env_arena(env), ms))
        env_fail(env, "no answer within %d ms", ms);
    close(fd);
    return a;
}

static const char *metrics(void)
{
    return env_http_at(env, "GET", arena_printf(env_arena(env), "http://127.0.0.1:%d/metrics", metrics_port), NULL, NULL).body;
}

static long long metric(const char *name)
{
    const char *at = strstr(metrics(), arena_printf(env_arena(env), "\n%s ", name));

    return at != NULL ? strtoll(at + strlen(name) + 2, NULL, 10) : -1;
}

static long long number_of(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* ---- places ---------------------------------------------------------------------------------------------- */

static const char *make_user(const char *name)
{
    struct arena *a = env_arena(env);

    api(env, 200, "POST", "/api/v01/system/users",
        arena_printf(a, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\",\"is_system\":true}", name, name));
    return api_login(env, name, "Pass-word-123!");
}

/* A bulk of one user fills what he may have and a part of the queue; another one is served at once, and in turn. */
static void a_bulk_starves_nobody(void **state)
{
    const char *bulk = make_user("bulk"), *other = make_user("other");
    int fds[PLACES + 8], refused = 0;
    struct fcgi_answer a;

    (void)state;
    house_gateway(&h, arena_printf(env_arena(env), ",\"concurrency\":%d", PLACES));
    api_as(bulk);
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = begin("GET", "/api/v01/p1/do/gate/?mark=bulk", NULL);
    ENV_WAIT(env, 3000, rogue_active(h.rogue) == PLACES - 1); /* never the last one */
    usleep(600 * 1000); /* they wait */
    assert_int_equal(rogue_active(h.rogue), PLACES - 1);
    api_as(other);
    a = answer_of(begin("GET", "/api/v01/p1/do/ok/", NULL), 1000); /* no place of the bulk comes free before */
    assert_int_equal(a.status, 200);
    rogue_gate(h.rogue, true);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        a = answer_of(fds[i], 10000);
        if (a.status == 429) {
            assert_true(str_eq_c(fcgi_header(&a, "Retry-After"), "1"));
            refused++;
        } else {
            assert_int_equal(a.status, 200);
        }
    }
    assert_int_equal(refused, COUNT_OF(fds) - (PLACES - 1) - 2); /* a quarter of the places may wait */
    ENV_WAIT(env, 5000, strtod(env_psql(env, "SELECT max((details->'timing'->>'queue_ms')::float8) FROM requests WHERE url LIKE '%mark=bulk'"), NULL) > 500);
    house_gateway(&h, "");
    rogue_gate(h.rogue, false);
}

/* Who finds no place to wait in hears that the gateway is busy, and so does who waits for too long. */
static void busy_gateways_say_so(void **state)
{
    int fds[3];
    struct fcgi_answer a;

    (void)state;
    house_gateway(&h, ",\"concurrency\":1,\"timeout\":60");
    fds[0] = begin("PUT", "/api/v01/p1/do/gate/", NULL);
    ENV_WAIT(env, 3000, rogue_active(h.rogue) == 1);
    fds[1] = begin("GET", "/api/v01/p1/do/ok/", NULL);
    ENV_WAIT(env, 1500, metric("sluice_proxy_waiting{proxy=\"p1\"}") == 1);
    fds[2] = begin("GET", "/api/v01/p1/do/ok/", NULL);
    a = answer_of(fds[2], 1000);
    assert_int_equal(a.status, 503);
    assert_true(str_find(a.body, STR("gateway bwks is busy")) > 0 && str_eq_c(fcgi_header(&a, "Retry-After"), "1"));
    rogue_gate(h.rogue, true);
    assert_int_equal(answer_of(fds[0], 5000).status, 200);
    assert_int_equal(answer_of(fds[1], 5000).status, 200);
    rogue_gate(h.rogue, false);
    house_gateway(&h, ",\"concurrency\":1,\"timeout\":2");
    fds[0] = begin("PUT", "/api/v01/p1/do/hang/", NULL);
    ENV_WAIT(env, 3000, rogue_active(h.rogue) == 1);
    a = answer_of(begin("GET", "/api/v01/p1/do/ok/", NULL), 5000); /* has its place when the first gives up after 2 s, or gives up itself */
    assert_true(a.status == 200 || a.status == 503);
    assert_int_equal(answer_of(fds[0], 5000).status, 504);
    house_gateway(&h, "");
}

static long threads_of(pid_t pid)
{
    char path[64], line[256];
    long n = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "Threads: %ld", &n) == 1)
            break;
    }
    if (f != NULL)
        fclose(f);
    return n;
}

/* Calls that wait for a slow gateway cost no threads but those that connect, and nobody waits behind them. */
static void many_wait(void **state)
{
    static int fds[MANY];
    long before;

    (void)state;
    (void)answer_of(begin("GET", "/api/v01/p1/do/ok/", NULL), 1000);
    before = threads_of(h.proxy);
    for (size_t i = 0; i < MANY; i++)
        fds[i] = begin("GET", "/api/v01/p1/do/gate/", NULL);
    ENV_WAIT(env, 20000, rogue_active(h.rogue) == MANY);
    for (int i = 0; i < 50; i++)
        assert_int_equal(answer_of(begin("GET", "/api/v01/p1/do/ok/", NULL), 2000).status, 200);
    assert_true(rogue_active(h.rogue) >= MANY); /* still: nobody waited for them */
    if (threads_of(h.proxy) > before + WORKERS)
        env_fail(env, "%ld threads were %ld before", threads_of(h.proxy), before);
    rogue_gate(h.rogue, true);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answer_of(fds[i], 8000).status, 200);
}

/* ---- the history and its database -------------------------------------------------------------------------- */

static void the_database_is_away(void **state)
{
    const char *fill = arena_alloc(env_arena(env), 20001);
    struct fcgi_request r = house_request(&h, "POST", "/api/v01/p1/do/echo_head/?mark=away", NULL);
    long before = env_peak_kib(env, h.proxy);
    int fd = fcgi_connect(env_path(env, "p1.sock"));
    struct buf out;
    long long thinned, dropped;
    int total = 0;

    (void)state;
    ENV_WAIT(env, 20000, metric("sluice_proxy_history_waiting") == 0);
    thinned = metric("sluice_proxy_history_without_detail_total");
    dropped = metric("sluice_proxy_history_dropped_total");
    memset((char *)(uintptr_t)fill, 'x', 20000);
    ((char *)(uintptr_t)fill)[20000] = '\0';
    r.body = str_printf(env_arena(env), "{\"a\":\"%s\"}", fill);
    buf_init(&out, MIB, env_arena(env));
    fcgi_put_request(&out, &r);
    env_pg_stop(env);
    for (; total < 600; total++) {
        struct fcgi_answer a = {0};
        int64_t began = clock_mono_ms(&clock_system);

        if (!fcgi_send(fd, buf_str(&out)) || !fcgi_receive(fd, &a, env_arena(env), 5000) || a.status != 200)
            env_fail(env, "call %d: %d %.*s", total, a.status, STR_ARG(a.body));
        if (clock_mono_ms(&clock_system) - began > 5000)
            env_fail(env, "call %d took %lld ms", total, (long long)(clock_mono_ms(&clock_system) - began));
    }
    close(fd);
    if (env_peak_kib(env, h.proxy) > before + house_growth_kib(16 * 1024))
        env_fail(env, "the proxy grew from %ld to %ld KiB", before, env_peak_kib(env, h.proxy));
    assert_true(metric("sluice_proxy_history_without_detail_total") > thinned);
    assert_non_null(strstr(env_log(env, "p1.sock"), "proxy.history_overload"));
    env_pg_start(env);
    ENV_WAIT(env, 20000, number_of(env_psql(env, "SELECT count(*) FROM requests WHERE url LIKE '%mark=away'")) + metric("sluice_proxy_history_dropped_total") - dropped >= total);
    assert_true(number_of(env_psql(env, "SELECT count(*) FROM requests WHERE url LIKE '%mark=away' AND details::text LIKE '%dropped%'")) > 0);
    assert_true(number_of(env_psql(env, "SELECT count(*) FROM requests WHERE url LIKE '%mark=away' AND details::text LIKE '%xxxx%'")) > 0);
    ENV_WAIT(env, 10000, env_psql(env, "SELECT 1 FROM alarms WHERE key = 'proxy_history' AND active")[0] == '1');
    assert_string_equal(env_psql(env, "SELECT count(*) - count(DISTINCT id) FROM requests"), "0");
}

/* ---- what is measured -------------------------------------------------------------------------------------- */

static void traces_and_counts(void **state)
{
    static const char given[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct fcgi_answer a = answer_of(begin("GET", "/api/v01/p1/do/echo_head/?mark=trace",
                                           (const char *const[]){"HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                                                 "HTTP_TRACESTATE=a=b", "HTTP_X_REQUEST_ID=my-own-id", NULL}),
                                     5000);
    const char *text;

    (void)state;
    assert_true(str_find(a.body, STR("traceparent: 00-0af7651916cd43dd8448eb211c80319c-")) > 0); /* the same trace... */
    assert_true(str_find(a.body, str_c(given)) < 0);                                           /* ...another span */
    assert_true(str_find(a.body, STR("tracestate: a=b")) > 0);
    assert_true(str_find(a.body, STR("X-Request-Id: my-own-id")) > 0);
    assert_true(str_eq_c(fcgi_header(&a, "X-Request-Id"), "my-own-id"));
    a = answer_of(begin("GET", "/api/v01/p1/do/echo_head/", (const char *const[]){"HTTP_TRACEPARENT=00-0000-zz", "HTTP_X_REQUEST_ID=bad id\r\n", NULL}), 5000);
    assert_true(str_find(a.body, STR("traceparent: 00-")) > 0 && str_find(a.body, STR("0000-zz")) < 0);
    ENV_WAIT(env, 5000, env_psql(env, "SELECT 1 FROM requests WHERE url LIKE '%mark=trace'")[0] == '1');
    assert_string_equal(env_psql(env, "SELECT concat_ws('|', details->>'trace_id', details->>'request_id', (details->'timing'->>'gateway_ms')::float8 > 0, "
                                      "(details->'timing'->>'total_ms')::float8 >= (details->'timing'->>'gateway_ms')::float8) FROM requests "
                                      "WHERE url LIKE '%mark=trace'"),
                        "0af7651916cd43dd8448eb211c80319c|my-own-id|t|t");
    text = metrics();
    if (strstr(text, "sluice_proxy_seconds_bucket{gateway=\"bwks\",method=\"GET\",route=\"/do/{}\",le=\"+Inf\"} ") == NULL ||
        strstr(text, "sluice_proxy_calls_total{gateway=\"bwks\",method=\"GET\",route=\"/do/{}\",status=\"2xx\"} ") == NULL ||
        strstr(text, "sluice_proxy_gateway_seconds_sum{gateway=\"bwks\"") == NULL)
        env_fail(env, "%.2000s", text);
    assert_true(metric("sluice_proxy_history_stored_total") > 0);
}

/* nginx that listens on a unix socket names no address. */
static void callers_without_an_address(void **state)
{
    struct fcgi_answer a = answer_of(begin("GET", "/api/v01/p1/do/echo_head/?mark=unix", (const char *const[]){"REMOTE_ADDR=unix:", NULL}), 5000);

    (void)state;
    assert_int_equal(a.status, 200);
    ENV_WAIT(env, 5000, env_psql(env, "SELECT client_ip IS NULL FROM requests WHERE url LIKE '%mark=unix'")[0] == 't');
}

/* ---- changes under load -------------------------------------------------------------------------------------- */

enum { SLOW_MS = 5000 };

struct caller {
    pthread_t thread;
    const char *socket;
    struct fcgi_request r;
    atomic_bool *stop;
    long calls, failed, slow;
    char why[200];
};

/* The same call through nginx, each on a connection of its own: the whole answer, or what came of it. */
static size_t call_nginx(const char *request, char *answer, size_t max)
{
    int fd = env_connect(h.nginx_port);
    ssize_t got;
    size_t n = 0;

    if (fd >= 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
        while (n + 1 < max && (got = env_recv(fd, answer + n, max - 1 - n)) > 0)
            n += (size_t)got;
    answer[n] = '\0';
    if (fd >= 0)
        close(fd);
    return n;
}

static void *call_through_nginx(void *arg)
{
    struct caller *c = arg;
    char answer[4096];

    while (!atomic_load(c->stop)) {
        int64_t began = clock_mono_ms(&clock_system);

        (void)call_nginx(c->r.uri, answer, sizeof answer);
        if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || strstr(answer, "{\"ok\":true}") == NULL) {
            c->failed++;
            snprintf(c->why, sizeof c->why, "%.190s", answer);
        }
        c->calls++;
        c->slow += clock_mono_ms(&clock_system) - began > SLOW_MS;
    }
    return NULL;
}

static void *call_on(void *arg)
{
    struct caller *c = arg;
    int fd = -1;

    while (!atomic_load(c->stop)) {
        struct arena *a = arena_new(0);
        struct fcgi_answer got = {0};
        struct buf out;
        int64_t began = clock_mono_ms(&clock_system);

        buf_init(&out, 64 * 1024, a);
        fcgi_put_request(&out, &c->r);
        if (fd < 0)
            fd = fcgi_connect(c->socket);
        if (!fcgi_send(fd, buf_str(&out)) || !fcgi_receive(fd, &got, a, 5000) || got.status != 200) {
            c->failed++;
            snprintf(c->why, sizeof c->why, "%d %.*s", got.status, STR_ARG(got.body));
        }
        if (got.closed || !got.ended) {
            close(fd);
            fd = -1;
        }
        c->calls++;
        c->slow += clock_mono_ms(&clock_system) - began > SLOW_MS;
        arena_free(a);
    }
    close(fd);
    return NULL;
}

/* A user of the platform whose rules change while he calls: what he calls is allowed by each of them. */
static const char *ruled_user(long long *profile)
{
    struct arena *a = env_arena(env);
    struct val v = api(env, 200, "POST", "/api/v01/system/user_profiles",
                       "{\"name\":\"ruled\",\"available\":true,\"accesses\":[],\"api_rules\":[{\"method\":\"*\",\"url\":\"/api/v01/p1/do/*\",\"allowed\":true}]}");

    *profile = (long long)api_int(v, "id");
    api(env, 200, "POST", "/api/v01/system/users",
        arena_printf(a, "{\"username\":\"ruled\",\"email\":\"ruled@example.org\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}", *profile));
    return api_login(env, "ruled", "Pass-word-123!");
}

/* Round i: another address and other attributes of the gateway, another order of rules, the route on or off; sometimes the mapping's
 * gateway is gone for a while. */
static void change_all(int i, long long profile, int64_t route, const char *const *urls)
{
    static const char *const rules[] = {
        "{\"method\":\"any\",\"url\":\"/api/v01/p1/do/ok/\",\"allowed\":true},{\"method\":\"*\",\"url\":\"*\",\"allowed\":false}",
        "{\"method\":\"get\",\"url\":\"/api/v01/p1/tenants/*\",\"allowed\":false},{\"method\":\"get\",\"url\":\"/api/v01/p1/*\",\"allowed\":true}",
    };
    struct arena *a = env_arena(env);

    h.upstream = urls[i % 2];
    house_gateway(&h, arena_printf(a, ",\"timeout\":%d,\"concurrency\":%d,\"headers\":\"[[\\\"X-Round\\\",\\\"%d\\\"]]\"", 5 + i, 200 + i, i));
    api(env, 200, "PUT", arena_printf(a, "/api/v01/system/user_profiles/%lld", profile),
        arena_printf(a, "{\"name\":\"ruled\",\"available\":true,\"accesses\":[],\"api_rules\":[%s]}", rules[i % 2]));
    api(env, 200, "PUT", arena_printf(a, "/api/v01/custom_routes/%lld", (long long)route),
        arena_printf(a, "{\"enabled\":%s}", i % 2 == 0 ? "false" : "true"));
    if (i % 3 == 2) {
        api_configure(env, "gateways", "{\"elsewhere\":{\"url\":\"http://127.0.0.1:1/\"}}"); /* the last good entry serves */
        usleep(200 * 1000);
        house_gateway(&h, arena_printf(a, ",\"headers\":\"[[\\\"X-Round\\\",\\\"%d\\\"]]\"", i));
    }
}

/* Gateways and their addresses, mappings, rules, routes and profiles change all the time: no call is dropped or slow, through nginx
 * neither. */
static void changes_under_load(void **state)
{
    static const char *const uris[] = {"/api/v01/p1/do/ok/", "/api/v01/p1/do/ok/", "/api/v01/p1/do/over/", "/api/v01/p1/do/ok/"};
    static struct rogue *other; /* its threads may look at it until the end */
    const char *urls[] = {NULL, h.upstream};
    struct caller callers[7];
    atomic_bool stop = false;
    long calls = 0;
    long long profile;
    const char *ruled = ruled_user(&profile);
    int64_t route = api_route(env, "get", "/do/over",
                              api_activity(env, "over", DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{}\"", "\"ok\"") ",",
                                                                 "[\"start.ok\",\"answer\"],[\"answer.ok\",\"end\"]")), ",\"sync\":true");

    (void)state;
    other = rogue_new();
    urls[0] = arena_printf(env_arena(env), "http://127.0.0.1:%d", rogue_port(other));
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        if (i == 4)
            api_as(ruled);
        if (i >= 5) {
            api_setup(NULL);
            callers[i] = (struct caller){.stop = &stop};
            callers[i].r.uri = arena_printf(env_arena(env), "%s /api/v01/p1/do/ok/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s", i == 5 ? "GET" : "PUT",
                                            api_auth(env), i == 5 ? "\r\n" : "Content-Length: 7\r\n\r\n{\"a\":1}");
            assert_int_equal(pthread_create(&callers[i].thread, NULL, call_through_nginx, &callers[i]), 0);
            continue;
        }
        callers[i] = (struct caller){.socket = env_path(env, "p1.sock"), .r = house_request(&h, "GET", uris[i % COUNT_OF(uris)], NULL), .stop = &stop};
        if (i % 2 == 1) {
            callers[i].r.method = "POST";
            callers[i].r.body = STR("{\"a\":1}");
        }
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_on, &callers[i]), 0);
    }
    api_setup(NULL);
    for (int i = 0; i < 6; i++) {
        change_all(i, profile, route, urls);
        usleep(300 * 1000);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        pthread_join(callers[i].thread, NULL);
        calls += callers[i].calls;
        if (callers[i].failed > 0 || callers[i].slow > 0)
            env_fail(env, "caller %zu: %ld of %ld calls failed, %ld were slow: %s", i, callers[i].failed, callers[i].calls, callers[i].slow, callers[i].why);
    }
    assert_true(calls > 100 && rogue_requests(other) > 10);
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "X-Round: 5") != NULL);
    assert_ptr_equal(h.upstream, urls[1]);
    rogue_free(other);
}

static void ends_cleanly(void **state)
{
    const char *rows = "SELECT count(*) FROM requests WHERE url LIKE '%mark=last'";

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(answer_of(begin("GET", "/api/v01/p1/do/ok/?mark=last", NULL), 2000).status, 200);
    env_stop(env, h.proxy); /* stores what it has */
    assert_string_equal(env_psql(env, rows), "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOAD_TEST(traces_and_counts), LOAD_TEST(callers_without_an_address), LOAD_TEST(a_bulk_starves_nobody), LOAD_TEST(busy_gateways_say_so), LOAD_TEST(many_wait),
        LOAD_TEST(changes_under_load), LOAD_TEST(the_database_is_away), LOAD_TEST(ends_cleanly),
    };
    struct rlimit files = {4096, 4096};
    int failed;

    (void)setrlimit(RLIMIT_NOFILE, &files);
    house_start(&h, (const char *const[]){"-metrics", HOUSE_METRICS, NULL});
    env = h.env;
    metrics_port = h.metrics_port;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    return house_end(&h, failed);
}
