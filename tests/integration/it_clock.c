/*
 * Clocks that jump by hours, forwards and backwards: PostgreSQL's, that of each core, all of them (fcgi-app/engine/PROMISES.md).
 */
#include "base/arena.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "crypto/crypto.h"
#include "integration/env_api.h"
#include "support/bad_day.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { CORES = 2, WAIT_MS = 20000, CALL_MS = 800 };
#define HOURS(n) ((int64_t)(n) * 3600 * 1000000)

static const char *const sockets[CORES] = {"a.sock", "b.sock"};
static struct env *env;
static struct peer *peer;
static struct bad_day *database, *clocks[CORES];
static pid_t cores[CORES];

static void core_start(int i)
{
    const char *vars[] = {fmt("DB=%s", env_db(env)), fmt("SLUICE_CLOCK=%s", env_path(env, fmt("%s.day", sockets[i]))), NULL};

    cores[i] = env_app_start_with(env, "sluice-core", sockets[i], (const char *const[]){"-workflows", NULL}, vars);
}

static struct fcgi_answer ask(int i, const char *method, const char *uri, const char *header)
{
    const char *params[] = {header != NULL ? header : fmt("HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};

    return fcgi_call(env_path(env, sockets[i]),
                     &(struct fcgi_request){.method = method, .uri = uri, .params = params, .body = STR("{}"),
                                            .content_type = "application/json"},
                     env_arena(env));
}

static void set_clocks(int64_t us)
{
    database->clock_us = us;
    for (int i = 0; i < CORES; i++)
        clocks[i]->clock_us = us;
}

static long long number(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* A run of the workflow behind the route, started by the first core. */
static const char *start(const char *route)
{
    struct fcgi_answer got = {0};

    ENV_WAIT(env, WAIT_MS, (got = ask(0, "POST", fmt("/api/v01/public/%s", route), NULL)).status == 200);
    return sql("SELECT max(id) FROM instances");
}

static bool closed(const char *id)
{
    return strcmp(sql("SELECT status FROM instances WHERE id = %s", id), "CLOSED_IN_SUCCESS") == 0;
}

/* Each cell of the run has one task, in OK, and nothing is left of it. */
static void is_whole(const char *id, int tasks)
{
    ENV_WAIT(env, WAIT_MS, closed(id));
    assert_int_equal(number(sql("SELECT count(*) FROM tasks WHERE instance_id = %s AND status = 'OK'", id)), tasks);
    assert_int_equal(number(sql("SELECT count(*) FROM tasks WHERE instance_id = %s", id)), tasks);
    assert_int_equal(number(sql("SELECT count(*) FROM jobs WHERE ref_id = %s", id)), 0);
}

static void answers_after(int ms)
{
    const struct peer_step step = {.kind = PEER_ANSWER, .delay_ms = ms};

    peer_script(peer, &step, 1);
}

/* ---- leases ---------------------------------------------------------------------------------------- */

/* What the clocks of the cores say is no matter for who runs what. */
static void leases_go_by_the_database(void **state)
{
    const char *id;

    (void)state;
    answers_after(CALL_MS);
    id = start("calls");
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) == 1);
    clocks[1]->clock_us = HOURS(5);
    clocks[0]->clock_us = HOURS(-5);
    is_whole(id, 3);
    assert_int_equal(peer_requests(peer), 1);
    set_clocks(0);
}

static struct str key_of(size_t i)
{
    struct str key = peer_header(peer, i, "Idempotency-Key");

    assert_true(key.len > 0);
    return key;
}

/* The database's clock jumps over the end of the lease: whoever calls again has the same key, and one of them stores. */
static void leases_end_by_a_jump(void **state)
{
    const char *id;

    (void)state;
    answers_after(CALL_MS);
    id = start("calls");
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) == 1);
    set_clocks(HOURS(5));
    is_whole(id, 3);
    assert_in_range(peer_requests(peer), 1, 2);
    if (peer_requests(peer) == 2)
        assert_true(str_eq(key_of(0), key_of(1)));
    id = start("calls");
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) >= 2);
    set_clocks(0);
    is_whole(id, 3);
}

/* The owner is gone with a host nobody can look at, and its lease ends in five hours by the clock that was set back. */
static void leases_do_not_outlast_a_jump_back(void **state)
{
    const char *id;

    (void)state;
    answers_after(0);
    id = start("waits");
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT state FROM jobs WHERE ref_id = %s", id), "ready") == 0);
    (void)sql("UPDATE timers SET at = now() WHERE instance_id = %s; UPDATE jobs SET state = 'leased', lease_owner = 'far away', "
              "lease_until = now() + interval '5 hours', fence = fence + 1, due_on = now() WHERE ref_id = %s",
              id, id);
    is_whole(id, 4);
    assert_int_equal(peer_requests(peer), 1);
}

/* ---- timers ---------------------------------------------------------------------------------------- */

static void timers_fire_once(void **state)
{
    enum { RUNS = 5 };
    const char *ids[RUNS], *later;

    (void)state;
    answers_after(0);
    for (int i = 0; i < RUNS; i++)
        ids[i] = start("waits");
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM jobs WHERE state = 'ready'")) == RUNS);
    set_clocks(HOURS(2));
    for (int i = 0; i < RUNS; i++)
        is_whole(ids[i], 4);
    assert_int_equal(peer_requests(peer), RUNS);

    /* one hour ahead of what is now two hours back; what starts after the jump goes by the new time */
    ids[0] = start("waits");
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM jobs WHERE state = 'ready'")) == 1);
    set_clocks(0);
    later = start("moment");
    is_whole(later, 4);
    assert_int_equal(peer_requests(peer), RUNS + 1);
    assert_false(closed(ids[0]));
    set_clocks(HOURS(4));
    is_whole(ids[0], 4);
    assert_int_equal(peer_requests(peer), RUNS + 2);
    set_clocks(0);
}

/* A caller waits in memory for a moment, whatever the clock says meanwhile. */
static void callers_wait_as_long_as_they_should(void **state)
{
    int64_t from = clock_mono_ms(&clock_system), took;

    (void)state;
    set_clocks(HOURS(-2));
    assert_int_equal(ask(0, "GET", "/api/v01/public/sync", NULL).status, 200);
    set_clocks(HOURS(2));
    assert_int_equal(ask(0, "GET", "/api/v01/public/sync", NULL).status, 200);
    set_clocks(0);
    took = clock_mono_ms(&clock_system) - from;
    assert_true(took >= 2 * CALL_MS && took < WAIT_MS);
}

/* ---- tokens ---------------------------------------------------------------------------------------- */

static struct val login(int core, struct fcgi_answer *got)
{
    struct env_answer a;

    *got = fcgi_call(env_path(env, sockets[core]),
                     &(struct fcgi_request){.method = "POST",
                                            .uri = "/api/v01/auth/login",
                                            .body = str_c(fmt("{\"username\":\"admin\",\"password\":%s}",
                                                              api_quoted(env, api_admin_password()))),
                                            .content_type = "application/json"},
                     env_arena(env));
    assert_int_equal(got->status, 200);
    a = (struct env_answer){.status = 200, .body = str_cstr(env_arena(env), got->body), .body_len = got->body.len};
    return api_json(env, &a);
}

static int with_token(int core, const char *token)
{
    return ask(core, "GET", "/api/v01/activities", fmt("HTTP_AUTHORIZATION=Bearer %s", token)).status;
}

static void tokens_expire_by_the_clock(void **state)
{
    struct fcgi_answer got;
    struct val v = login(0, &got);
    const char *token = api_text(env, v, "access_token");
    unsigned char digest[64];
    size_t n;

    (void)state;
    assert_int_equal(with_token(0, token), 200);
    clocks[0]->clock_us = HOURS(1);
    assert_int_equal(with_token(0, token), 401);
    assert_int_equal(with_token(1, token), 200); /* whose clock is right */
    clocks[0]->clock_us = HOURS(-1);
    assert_int_equal(with_token(0, token), 200);
    /* who is logged out where the clock is wrong is so everywhere */
    assert_true(crypto_digest("sha1", str_c(api_text(env, v, "refresh_token")), digest, &n));
    assert_int_equal(ask(0, "GET", fmt("/api/v01/auth/logout?sign=sha1:%s", crypto_hex(env_arena(env), digest, n).p), "X=").status, 200);
    ENV_WAIT(env, WAIT_MS, with_token(1, token) == 401);
    clocks[0]->clock_us = 0;
    assert_int_equal(with_token(0, token), 401);
}

/* A caller who is known is read again after a while also when the clock was set back in between. */
static void callers_are_not_known_for_hours(void **state)
{
    struct fcgi_answer got;
    const char *token;

    (void)state;
    clocks[0]->clock_us = HOURS(1);
    token = api_text(env, login(0, &got), "access_token");
    assert_int_equal(with_token(0, token), 200);
    /* nobody is told of this */
    (void)sql("SET session_replication_role = replica; UPDATE users SET status = 'REVOKED' WHERE username = 'admin'");
    clocks[0]->clock_us = 0;
    assert_int_equal(with_token(0, token), 401);
    (void)sql("SET session_replication_role = replica; UPDATE users SET status = 'ACTIVE' WHERE username = 'admin'");
}

/* ---- the house ------------------------------------------------------------------------------------- */

static void add_route(const char *name, const char *method, const char *more, const char *definition)
{
    api_route(env, method, fmt("/%s", name), api_activity(env, name, definition), more);
}

#define CALL "\"call\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\"}," \
             "\"outputs\":[\"success\"]}"
#define TIMER(time) CELL("wait", "timer", "\"timeout\":\"" time "\",\"discard_idle_limit\":\"true\"", "\"ok\"")
#define RESPOND CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{}\"", "\"ok\"")

static void set_up(void **state)
{
    int port = peer_port(peer);

    (void)state;
    api_admin(env);
    add_route("calls", "post", ",\"public\":true",
              fmt(DEFINITION(CALL ",", LINE("start.ok", "call") "," LINE("call.success", "end")), port));
    add_route("waits", "post", ",\"public\":true",
              fmt(DEFINITION(TIMER("1 hour") "," CALL ",", LINE("start.ok", "wait") "," LINE("wait.ok", "call") ","
                             LINE("call.success", "end")), port));
    add_route("moment", "post", ",\"public\":true",
              fmt(DEFINITION(TIMER("1 s") "," CALL ",", LINE("start.ok", "wait") "," LINE("wait.ok", "call") ","
                             LINE("call.success", "end")), port));
    add_route("sync", "get", ",\"public\":true,\"sync\":true",
              DEFINITION(CELL("wait", "timer", "\"timeout\":\"800 ms\"", "\"ok\"") "," RESPOND ",",
                         LINE("start.ok", "wait") "," LINE("wait.ok", "answer") "," LINE("answer.ok", "end")));
    core_start(1);
    ENV_WAIT(env, WAIT_MS, ask(1, "GET", "/api/v01/health", NULL).status == 200);
    ENV_WAIT(env, WAIT_MS, ask(0, "GET", "/api/v01/public/sync", NULL).status == 200);
}

static void ends_cleanly(void **state)
{
    (void)state;
    for (int i = 0; i < CORES; i++)
        env_stop(env, cores[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        API_TEST(leases_go_by_the_database),
        API_TEST(leases_end_by_a_jump),
        API_TEST(leases_do_not_outlast_a_jump_back),
        API_TEST(timers_fire_once),
        API_TEST(callers_wait_as_long_as_they_should),
        API_TEST(tokens_expire_by_the_clock),
        API_TEST(callers_are_not_known_for_hours),
        API_TEST(ends_cleanly),
    };
    int failed;

    if (!FAULT_POINTS) {
        fprintf(stderr, "left out: the clocks of our programs can be set in test builds only\n");
        return 0;
    }
    peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    env = env_start_with(NULL, &database);
    for (int i = 0; i < CORES; i++)
        clocks[i] = bad_day_new(env_path(env, fmt("%s.day", sockets[i])));
    core_start(0);
    env_nginx_start(env, sockets[0], NULL);
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    peer_free(peer);
    return failed;
}
