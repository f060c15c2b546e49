/*
 * Bad days: the database away, programs killed, stopped or misconfigured while work is in flight.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "integration/env_api.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

static struct env *env;
static struct peer *peer;
static pid_t core;

/* First column of a statement with one number in it. */
static const char *count_of(const char *sql, int64_t id)
{
    return env_psql(env, arena_printf(env_arena(env), "%s %lld", sql, (long long)id));
}

#define RESPOND CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{\\\"ok\\\": true}\"", "\"ok\"")
#define CALL(url) CELL("call", "http_call", "\"method\":\"post\",\"url\":\"" url "\",\"body\":\"{}\"", "\"success\",\"error\"")
#define HOLDER_CALL                                                                                                    \
    CELL("call", "http_call", "\"session_holder\":\"peer\",\"method\":\"get\",\"url\":\"/x\"", "\"success\",\"error\"")

static int status_of(const char *path)
{
    return env_http(env, "GET", path, NULL, NULL).status;
}

static pid_t start_core(const char *socket)
{
    return env_app_start(env, "sluice-core", socket, (const char *const[]){"-workflows", "-drain=20s", NULL});
}

/* ---- the database is away at the start ----------------------------------------------------------- */

static void item_10_waits_for_the_database(void **state)
{
    struct env_answer a;

    (void)state;
    env_pg_stop(env);
    core = start_core("core.sock");
    a = env_http(env, "GET", "/api/v01/health", NULL, NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"error\":\"starting: "));
    assert_non_null(strstr(a.body, "\"status\":\"starting\""));
    assert_string_not_equal(env_header(env, &a, "Retry-After"), "");
    a = env_http(env, "POST", "/api/v01/auth/login", NULL, "{}");
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"error\""));
    env_pg_start(env);
    ENV_WAIT(env, 30000, status_of("/api/v01/health") == 200);
    assert_true(env_running(env, core));
}

static void set_up(void **state)
{
    const char *target = arena_printf(env_arena(env), "http://127.0.0.1:%d/slow", peer_port(peer));
    int64_t id;

    (void)state;
    api_admin(env);
    id = api_activity(env, "plain", DEFINITION(RESPOND ",", LINE("start.ok", "answer") "," LINE("answer.ok", "end")));
    api_route(env, "get", "/plain", id, ",\"sync\":true,\"public\":true");
    id = api_activity(env, "calls",
                      arena_printf(env_arena(env), DEFINITION(CALL("%s") "," RESPOND ",", LINE("start.ok", "call") ","
                                                              LINE("call.success", "answer") "," LINE("answer.ok", "end")),
                                   target));
    api_route(env, "post", "/slow", id, ",\"public\":true");
    api_route(env, "get", "/slow", id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, status_of("/api/v01/public/plain") == 200);
    ENV_WAIT(env, 5000, status_of("/api/v01/public/slow") == 200);
}

/* ---- the database goes while we work ---------------------------------------------------------------- */

static void item_10_survives_the_database(void **state)
{
    struct env_answer a;
    int64_t start;

    (void)state;
    env_pg_stop(env);
    start = clock_mono_ms(&clock_system);
    a = env_http(env, "GET", "/api/v01/public/plain", NULL, NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"error\""));
    a = api_raw(env, "GET", "/api/v01/activities", NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"error\""));
    assert_true(clock_mono_ms(&clock_system) - start < 15000);
    env_pg_start(env);
    ENV_WAIT(env, 20000, status_of("/api/v01/public/plain") == 200);
    ENV_WAIT(env, 20000, api_raw(env, "GET", "/api/v01/activities", NULL).status == 200);
    assert_true(env_running(env, core));
}

/* After a break the listener is back too: changes are seen at once. */
static void listens_again(void **state)
{
    int64_t id;

    (void)state;
    id = api_activity(env, "after", DEFINITION(RESPOND ",", LINE("start.ok", "answer") "," LINE("answer.ok", "end")));
    api_route(env, "get", "/after", id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 10000, status_of("/api/v01/public/after") == 200);
}

/* ---- upstreams ------------------------------------------------------------------------------------------ */

static void copes_with_upstreams(void **state)
{
    static const struct peer_step bad[] = {
        {.kind = PEER_CLOSE}, {.kind = PEER_CLOSE_MID, .size = 1000}, {.kind = PEER_GARBAGE}, {.kind = PEER_BIG_HEAD, .size = 200000},
        {.kind = PEER_BIG, .size = 100 * 1000 * 1000}, {.kind = PEER_ANSWER, .status = 500, .body = "no"},
    };
    static const struct peer_step good[] = {{.kind = PEER_ANSWER, .body = "{}"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct env_answer a;

        peer_script(peer, &bad[i], 1);
        a = env_http(env, "GET", "/api/v01/public/slow", NULL, NULL);
        if (a.status != 500 || strstr(a.body, "\"error\"") == NULL)
            env_fail(env, "step %zu: %d %.300s", i, a.status, a.body);
    }
    peer_script(peer, good, 1);
    assert_int_equal(status_of("/api/v01/public/slow"), 200);
}

/* The timeout of a gateway ends a call that hangs. */
static void gives_up_on_silence(void **state)
{
    static const struct peer_step hang[] = {{.kind = PEER_HANG}};
    static const struct peer_step good[] = {{.kind = PEER_ANSWER, .body = "{}"}};
    int64_t id = api_activity(env, "holder", DEFINITION(HOLDER_CALL "," RESPOND ",", LINE("start.ok", "call") ","
                                                        LINE("call.success", "answer") "," LINE("answer.ok", "end")));
    struct env_answer a;

    (void)state;
    api_configure(env, "gateways",
                  arena_printf(env_arena(env), "{\"peer\":{\"url\":\"http://127.0.0.1:%d/\",\"timeout\":1}}", peer_port(peer)));
    peer_script(peer, good, 1);
    api_route(env, "get", "/holder", id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, status_of("/api/v01/public/holder") == 200);
    peer_script(peer, hang, 1);
    a = env_http(env, "GET", "/api/v01/public/holder", NULL, NULL);
    assert_int_equal(a.status, 500);
    if (strstr(a.body, "did not answer within 1 s") == NULL && strstr(a.body, "did not answer within 1000 ms") == NULL)
        env_fail(env, "%s", a.body);
    assert_int_equal(peer_requests(peer), 1);
}

/* ---- kill -9 ---------------------------------------------------------------------------------------------- */

static bool closed(int64_t id)
{
    return strcmp(count_of("SELECT status FROM instances WHERE id =", id), "CLOSED_IN_SUCCESS") == 0;
}

/* Killed between accepting and completing: completed by the next process, and closed once. */
static void completes_after_kill(void **state)
{
    static const struct peer_step hang[] = {{.kind = PEER_HANG}};
    static const struct peer_step good[] = {{.kind = PEER_ANSWER, .body = "{}"}};
    struct val v;
    int64_t id;

    (void)state;
    peer_script(peer, hang, 1);
    v = api(env, 200, "POST", "/api/v01/public/slow", "{}");
    id = api_int(v, "id");
    ENV_WAIT(env, 10000, peer_requests(peer) == 1);
    (void)env_kill(env, core, SIGKILL);
    assert_int_equal(status_of("/api/v01/health"), 502); /* JSON, from nginx */
    peer_script(peer, good, 1);
    core = start_core("core.sock");
    ENV_WAIT(env, 60000, closed(id)); /* the lease of the dead process runs out first */
    assert_int_equal(peer_requests(peer), 1);
    assert_string_equal(count_of("SELECT count(*) FROM tasks WHERE cell_id = 'answer' AND instance_id =", id), "1");
    assert_string_equal(count_of("SELECT count(*) FROM jobs WHERE ref_id =", id), "0");
}

/* The same with another core beside it, which need not be restarted. */
static void another_core_takes_over(void **state)
{
    static const struct peer_step hang[] = {{.kind = PEER_HANG}};
    static const struct peer_step good[] = {{.kind = PEER_ANSWER, .body = "{}"}};
    pid_t other = start_core("other.sock");
    struct val v;
    int64_t id;

    (void)state;
    ENV_WAIT(env, 20000, status_of("/api/v01/health") == 200);
    peer_script(peer, hang, 1);
    v = api(env, 200, "POST", "/api/v01/public/slow", "{}");
    id = api_int(v, "id");
    ENV_WAIT(env, 10000, peer_requests(peer) == 1);
    (void)env_kill(env, core, SIGKILL);
    peer_script(peer, good, 1);
    ENV_WAIT(env, 60000, closed(id));
    assert_int_equal(peer_requests(peer), 1);
    assert_int_equal(env_kill(env, other, SIGTERM), 0);
    core = start_core("core.sock");
    ENV_WAIT(env, 20000, status_of("/api/v01/health") == 200);
}

/* ---- SIGTERM ------------------------------------------------------------------------------------------------ */

/* A synchronous call in flight is answered before the process ends. */
static void finishes_what_is_in_flight(void **state)
{
    static const struct peer_step slow[] = {{.kind = PEER_ANSWER, .body = "{}", .delay_ms = 1500}};
    struct fcgi_request r = {.uri = "/api/v01/public/slow"};
    struct fcgi_answer f;
    struct buf out;
    int fd;

    (void)state;
    peer_script(peer, slow, 1);
    buf_init(&out, 64 * KIB, env_arena(env));
    fcgi_put_request(&out, &r);
    fd = fcgi_connect(env_path(env, "core.sock"));
    assert_true(fcgi_send(fd, buf_str(&out)));
    ENV_WAIT(env, 10000, peer_requests(peer) == 1);
    kill(core, SIGTERM);
    assert_true(fcgi_receive(fd, &f, env_arena(env), 20000));
    assert_int_equal(f.status, 200);
    assert_true(str_find(f.body, STR("\"ok\"")) >= 0);
    close(fd);
    assert_int_equal(env_wait_exit(env, core, 30000), 0);
    core = start_core("core.sock");
    ENV_WAIT(env, 20000, status_of("/api/v01/health") == 200);
}

/*
 * Send a request that hangs at the peer.  The place of the request before it is given back a moment after its answer left, so
 * with one place only the first try may be refused.
 */
static int send_slow(const char *path, struct str request)
{
    for (;;) {
        int fd = fcgi_connect(path);
        struct fcgi_answer refused;

        assert_true(fcgi_send(fd, request));
        for (int i = 0; i < 100 && peer_requests(peer) == 0; i++)
            env_pause();
        if (peer_requests(peer) == 1)
            return fd;
        assert_true(fcgi_receive(fd, &refused, env_arena(env), 20000));
        assert_int_equal(refused.status, 503);
        close(fd);
    }
}

/* More at once than -maxInFlight allows: refused at once, with a hint when to come again. */
static void refuses_when_full(void **state)
{
    static const struct peer_step slow[] = {{.kind = PEER_ANSWER, .body = "{}", .delay_ms = 3000}};
    pid_t small = env_app_start(env, "sluice-core", "small.sock", (const char *const[]){"-maxInFlight=1", NULL});
    const char *path = env_path(env, "small.sock");
    struct fcgi_request health = {.uri = "/api/v01/health"}, r = {.uri = "/api/v01/public/slow"};
    struct fcgi_answer f;
    struct buf out;
    int fd;

    (void)state;
    ENV_WAIT(env, 20000, fcgi_call(path, &health, env_arena(env)).status == 200);
    peer_script(peer, slow, 1);
    buf_init(&out, 64 * KIB, env_arena(env));
    fcgi_put_request(&out, &r);
    fd = send_slow(path, buf_str(&out));
    r.uri = "/api/v01/public/plain";
    f = fcgi_call(path, &r, env_arena(env));
    assert_int_equal(f.status, 503);
    assert_true(fcgi_header(&f, "Retry-After").len > 0);
    assert_true(str_find(f.body, STR("\"error\"")) >= 0);
    assert_true(fcgi_receive(fd, &f, env_arena(env), 20000));
    assert_int_equal(f.status, 200);
    close(fd);
    ENV_WAIT(env, 5000, fcgi_call(path, &r, env_arena(env)).status == 200);
    assert_int_equal(env_kill(env, small, SIGTERM), 0);
}

/* ---- wrong configuration ----------------------------------------------------------------------------------------- */

static int run_proxy(const char *name, const char *mapping)
{
    const char *argv[] = {env_program(env, "sluice-proxy"), arena_printf(env_arena(env), "-proxy=%s", mapping),
                          arena_printf(env_arena(env), "-socket=%s", env_path(env, "p.sock")), NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};

    return env_wait_exit(env, env_spawn(env, name, argv, vars), 20000);
}

static void names_the_gateways(void **state)
{
    (void)state;
    api_configure(env, "gateways", "{}");
    assert_int_equal(run_proxy("unknown", "/api/v01/p1:bwks"), 78);
    assert_non_null(strstr(env_log(env, "unknown"),
                           "gateway \"bwks\" of proxy /api/v01/p1 is not in the configuration (known: none)"));
    api_configure(env, "gateways", "{\"apio-uat\":{\"url\":\"http://h/\"},\"BWKS\":{\"url\":\"http://h/\"}}");
    assert_int_equal(run_proxy("unknown2", "/api/v01/p1:bwks"), 78);
    assert_non_null(strstr(env_log(env, "unknown2"), "(known: apio-uat, BWKS); did you mean \"BWKS\"?"));
}

/* a prefix of a proxy that nginx sends to the core. */
static void item_19_tells_a_wrong_nginx(void **state)
{
    pid_t other = env_app_start(env, "sluice-core", "mapped.sock", (const char *const[]){"-proxy=/api/v01/p1:apio-uat", NULL});
    const char *path = env_path(env, "mapped.sock");
    struct fcgi_request health = {.uri = "/api/v01/health"}, r = {.uri = "/api/v01/p1/tenants/"};
    struct fcgi_answer f;

    (void)state;
    ENV_WAIT(env, 20000, fcgi_call(path, &health, env_arena(env)).status == 200);
    f = fcgi_call(path, &r, env_arena(env));
    assert_int_equal(f.status, 421);
    assert_true(str_find(f.body, STR("/api/v01/p1 is served by sluice-proxy; check the nginx location")) >= 0);
    assert_int_equal(env_kill(env, other, SIGTERM), 0);
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, core);
    assert_int_equal(status_of("/api/v01/health"), 502);
}

int main(void)
{
    static const struct peer_step good[] = {{.kind = PEER_ANSWER, .body = "{}"}};
    const struct CMUnitTest tests[] = {
        API_TEST(item_10_waits_for_the_database),  API_TEST(set_up),
        API_TEST(item_10_survives_the_database),   API_TEST(listens_again),
        API_TEST(copes_with_upstreams),    API_TEST(gives_up_on_silence),
        API_TEST(completes_after_kill),
        API_TEST(another_core_takes_over), API_TEST(finishes_what_is_in_flight),
        API_TEST(refuses_when_full),
        API_TEST(names_the_gateways),      API_TEST(item_19_tells_a_wrong_nginx),
        API_TEST(ends_cleanly),
    };
    int failed;

    peer = peer_new(good, 1);
    env = env_start();
    env_nginx_start(env, "core.sock", NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed = env_end(env, failed);
    peer_free(peer);
    return failed;
}
