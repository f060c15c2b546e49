/*
 * The disk of PostgreSQL is full: first no table can grow, then no file of the write-ahead log, which PostgreSQL does not survive
 * (fcgi-app/engine/PROMISES.md).  When there is room again all goes on, and no program of ours was started again.
 */
#include "base/arena.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "integration/env_api.h"
#include "support/bad_day.h"
#include "support/fcgi_client.h"
#include "support/peer.h"
#include "support/rogue.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { WAIT_MS = 20000, BODY = 20000, CALL_MS = 1000, PROXIED = 600, COMPLAINTS_PER_S = 100 };

static struct env *env;
static struct bad_day *disk;
static struct peer *peer;
static struct rogue *upstream;
static pid_t core, proxy;
static int metrics, runs, proxied; /* acknowledged runs, answered calls */
static const char *auth, *large;

static long long number(const char *text)
{
    return strtoll(text, NULL, 10);
}

static struct fcgi_answer ask(const char *socket, const char *method, const char *uri, const char *body)
{
    const char *const params[] = {auth, NULL};

    return fcgi_call(env_path(env, socket),
                     &(struct fcgi_request){.method = method, .uri = uri, .params = params, .body = str_c(body), .content_type = "application/json"},
                     env_arena(env));
}

/* What the route answers to this request; an acknowledged run is one more that must not be lost. */
static int start(const char *route)
{
    struct fcgi_answer got = ask("core.sock", "POST", fmt("/api/v01/public/%s", route), large);

    runs += got.status == 200;
    if (got.status != 200 && (got.status != 503 || fcgi_header(&got, "Retry-After").p == NULL || str_find(got.body, STR("\"error\"")) < 0))
        env_fail(env, "%s: %d %.*s %.*s", route, got.status, STR_ARG(got.head), STR_ARG(got.body));
    return got.status;
}

/* Proxied calls never fail for their history. */
static void call_through(int n)
{
    for (int i = 0; i < n; i++, proxied++) {
        struct fcgi_answer got = ask("p1.sock", "POST", "/api/v01/p1/do/ok/", large);

        if (got.status != 200)
            env_fail(env, "call %d: %d %.*s", i, got.status, STR_ARG(got.body));
    }
}

static long long metric(const char *name)
{
    struct env_answer a = env_http_at(env, "GET", fmt("http://127.0.0.1:%d/metrics", metrics), NULL, NULL);
    const char *at = strstr(a.body, fmt("\n%s ", name));

    return at != NULL ? number(at + strlen(name) + 2) : -1;
}

/* All that was acknowledged is whole, each call has one key, and the programs are those of the beginning. */
static void is_whole(void)
{
    ENV_WAIT(env, WAIT_MS, start("plain") == 200);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'ACTIVE'")) == 0);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'CLOSED_IN_SUCCESS'")) >= runs);
    assert_int_equal(number(sql("SELECT count(*) FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'")), 0);
    assert_int_equal(number(sql("SELECT count(*) FROM (SELECT 1 FROM tasks GROUP BY instance_id, cell_id HAVING count(*) > 1) x")), 0);
    assert_int_equal(number(sql("SELECT count(*) FROM jobs WHERE kind = 'instance'")), 0);
    assert_true(env_running(env, core) && env_running(env, proxy));
}

/* The history has every call, but for those that were given up and counted. */
static void history_is_accounted_for(void)
{
    ENV_WAIT(env, WAIT_MS,
             number(sql("SELECT count(*) FROM requests WHERE gateway IS NOT NULL")) + metric("sluice_proxy_history_dropped_total") >= proxied);
    assert_int_equal(number(sql("SELECT count(*) FROM requests WHERE gateway IS NOT NULL")) + metric("sluice_proxy_history_dropped_total"), proxied);
}

static int complaints(void)
{
    int n = 0;

    for (const char *at = env_log(env, "postgres"); (at = strstr(at, "No space left")) != NULL; at++)
        n++;
    return n;
}

/* A run in a call, which takes a while, and one that waits for a timer. */
static void begin_runs(void)
{
    const struct peer_step slow = {.kind = PEER_ANSWER, .delay_ms = CALL_MS};

    peer_script(peer, &slow, 1);
    assert_int_equal(start("calls"), 200);
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) == 1);
    assert_int_equal(start("waits"), 200);
}

static struct str key_of(size_t i)
{
    struct str key = peer_header(peer, i, "Idempotency-Key");

    assert_true(key.len > 0);
    return key;
}

/* Each of the two runs has made its call, again under its key where the lease ran out meanwhile. */
static void called_with_one_key(void)
{
    size_t keys = 0;

    for (size_t i = 0; i < peer_requests(peer); i++) {
        bool known = false;

        for (size_t j = 0; j < i; j++)
            known = known || str_eq(key_of(i), key_of(j));
        keys += !known;
    }
    assert_int_equal(keys, 2);
}

static void no_table_can_grow(void **state)
{
    int64_t from_ms;
    int before;

    (void)state;
    begin_runs();
    disk->full = DAY_DATA_FULL;
    for (int i = 0; start("plain") == 200 && i < 200; i++)
        ;
    assert_int_equal(start("plain"), 503);
    assert_int_equal(start("calls"), 503);
    assert_int_equal(start("sync"), 503);
    assert_int_equal(ask("core.sock", "GET", "/api/v01/activities", "").status, 200);
    from_ms = clock_mono_ms(&clock_system);
    before = complaints();
    call_through(PROXIED);
    while (clock_mono_ms(&clock_system) < from_ms + 2000)
        env_pause(); /* what is asked of a full disk again and again */
    if (complaints() - before > COMPLAINTS_PER_S * (clock_mono_ms(&clock_system) - from_ms) / 1000)
        env_fail(env, "%d complaints in %lld ms", complaints() - before, (long long)(clock_mono_ms(&clock_system) - from_ms));
    disk->full = 0;
    is_whole();
    called_with_one_key();
    history_is_accounted_for();
    if (!FAULT_POINTS)
        return; /* so few calls are too much for the bounds of a test build only */
    assert_non_null(strstr(env_log(env, "p1.sock"), "proxy.history_overload"));
    assert_true(metric("sluice_proxy_history_without_detail_total") > 0);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM alarms WHERE key = 'proxy_history' AND active")) == 1);
}

/* PostgreSQL ends itself, and cannot begin again before there is room. */
static void the_log_cannot_grow(void **state)
{
    PGconn *pg;

    (void)state;
    disk->full = 0;
    begin_runs();
    disk->full = DAY_WAL_FULL;
    pg = PQconnectdb(env_db(env));
    PQclear(PQexec(pg, "SELECT pg_switch_wal()"));
    PQfinish(pg);
    for (int i = 0; start("plain") == 200 && i < 200; i++)
        ;
    ENV_WAIT(env, WAIT_MS, strstr(env_log(env, "postgres"), "PANIC") != NULL);
    assert_int_equal(start("plain"), 503);
    assert_int_equal(start("sync"), 503);
    call_through(10);
    (void)env_wait_exit(env, env_pg_pid(env), WAIT_MS);
    disk->full = 0;
    env_pg_start(env);
    is_whole();
    called_with_one_key();
    history_is_accounted_for();
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, core);
    env_stop(env, proxy);
}

static void set_up(void)
{
    const char *call = fmt("\"call\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\"},"
                           "\"outputs\":[\"success\"]}", peer_port(peer));
    const char *wait = CELL("wait", "timer", "\"timeout\":\"500 ms\",\"discard_idle_limit\":\"true\"", "\"ok\"");
    const char *answer = CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{}\"", "\"ok\"");
    const char *plain = fmt(DEFINITION("%s,", LINE("start.ok", "answer") "," LINE("answer.ok", "end")), answer);
    char *body = arena_alloc(env_arena(env), BODY + 1);

    memset(body, 'x', BODY);
    body[BODY] = '\0';
    large = fmt("{\"a\":\"%s\"}", body);
    metrics = env_free_port(env);
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    auth = fmt("HTTP_AUTHORIZATION=Bearer %s", api_token());
    api_configure(env, "gateways", fmt("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", rogue_port(upstream)));
    api_route(env, "post", "/plain", api_activity(env, "plain", plain), ",\"public\":true");
    api_route(env, "post", "/sync", api_activity(env, "sync", plain), ",\"public\":true,\"sync\":true");
    api_route(env, "post", "/calls", api_activity(env, "calls", fmt(DEFINITION("%s,", LINE("start.ok", "call") "," LINE("call.success", "end")), call)),
              ",\"public\":true");
    api_route(env, "post", "/waits", api_activity(env, "waits", fmt(DEFINITION("%s,%s,", LINE("start.ok", "wait") "," LINE("wait.ok", "call") ","
                                                                               LINE("call.success", "end")), wait, call)),
              ",\"public\":true");
    proxy = env_app_start(env, "sluice-proxy", "p1.sock",
                          (const char *const[]){"-proxy=/api/v01/p1:bwks", "-metrics", fmt("-metricsPort=%d", metrics), NULL});
    ENV_WAIT(env, WAIT_MS, ask("p1.sock", "GET", "/api/v01/health", "").status == 200 && ask("core.sock", "POST", "/api/v01/public/sync", "{}").status == 200);
    ENV_WAIT(env, WAIT_MS, ask("core.sock", "POST", "/api/v01/public/waits", "{}").status == 200);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'ACTIVE'")) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_table_can_grow),
        cmocka_unit_test(the_log_cannot_grow),
        cmocka_unit_test(ends_cleanly),
    };
    int failed;

    peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    upstream = rogue_new();
    env = env_start_with(NULL, &disk);
    set_up();
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    rogue_free(upstream);
    peer_free(peer);
    return failed;
}
