/*
 * Jobs: started when they are due, fair between workflows, taken up by others, and left alone when
 * they take their process down each time.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "integration/env_api.h"
#include "support/crash_ledger.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

/* Deaths: three until it is watched step by step, then those of the step. */
enum { FLOOD = 250, DELAY_MS = 60, DEATHS = 9, CLAIMS = 7 };

static struct env *env;
static struct ledger *ledger;
static struct peer *slow_peer, *quick_peer;
static pid_t core;

#define SET(name)                                                                                  \
    CELL(name, "context_setter", "\"key\":\"" name "\",\"value\":\"{{ (context." name              \
         " | default('')) ~ 'x' }}\"", "\"ok\"")

/* An instance with it is not over where it is accepted. */
#define CALL                                                                                       \
    CELL("call", "http_call", "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":"     \
         "\"{\\\"guid\\\":\\\"{{ instance.guid }}\\\",\\\"cell\\\":\\\"call\\\"}\"",           \
         "\"success\",\"error\"")
#define ASK CELL("ask", "http_call", "\"url\":\"http://127.0.0.1:%d/\",\"timeout\":\"120\"", "\"success\"")

/* '#' stands for the id. */
static const char *psql(const char *sql, int64_t id)
{
    struct str rest = str_c(sql), head = str_cut(&rest, '#');

    return env_psql(env, arena_printf(env_arena(env), "%.*s%lld%.*s", STR_ARG(head), (long long)id, STR_ARG(rest)));
}

static const char *status_of(int64_t id)
{
    return psql("SELECT status FROM instances WHERE id = #", id);
}

static bool closed(int64_t id)
{
    return strcmp(status_of(id), "CLOSED_IN_SUCCESS") == 0;
}

static int64_t start(const char *route)
{
    return api_int(api(env, 200, "POST", arena_printf(env_arena(env), "/api/v01/public/%s", route),
                       "{}"), "id");
}

/* A core with something that is to go wrong in it ("" for nothing). */
static pid_t start_core(const char *fault)
{
    const char *path = env_path(env, "core.sock");
    const char *argv[] = {env_program(env, "sluice-core"), "-workflows",
                          arena_printf(env_arena(env), "-socket=%s", path), "-socketMode=0666",
                          NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)),
                          arena_printf(env_arena(env), "SLUICE_FAULT=%s", fault), NULL};
    pid_t pid;

    (void)unlink(path);
    pid = env_spawn(env, "core.sock", argv, vars);
    ENV_WAIT(env, 20000, env_socket_open(path) || !env_running(env, pid));
    return pid;
}

static int health(void)
{
    return env_http(env, "GET", "/api/v01/health", NULL, NULL).status;
}

static void set_up(void **state)
{
    struct arena *a = env_arena(env);
    int64_t id;

    (void)state;
    api_admin(env);
    id = api_activity(env, "slow", arena_printf(a, DEFINITION(ASK ",", LINE("start.ok", "ask") "," LINE("ask.success", "end")),
                                                peer_port(slow_peer)));
    api_route(env, "post", "/slow", id, ",\"public\":true");
    id = api_activity(env, "quick", arena_printf(a, DEFINITION(ASK "," SET("one") ",", LINE("start.ok", "ask") ","
                                                               LINE("ask.success", "one") "," LINE("one.ok", "end")),
                                                 peer_port(quick_peer)));
    api_route(env, "post", "/quick", id, ",\"public\":true");
    id = api_activity(env, "whole", DEFINITION(SET("one") ",", LINE("start.ok", "one") "," LINE("one.ok", "end")));
    api_route(env, "post", "/whole", id, ",\"public\":true");
    id = api_activity(env, "later",
                      DEFINITION(SET("one") "," CELL("wait", "timer", "\"timeout\":\"1 second\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                 LINE("start.ok", "one") "," LINE("one.ok", "wait") "," LINE("wait.ok", "end")));
    api_route(env, "post", "/later", id, ",\"public\":true");
    id = api_activity(env, "poison", arena_printf(a, DEFINITION(CALL "," SET("before") "," SET("deadly") "," SET("beside") ",",
                                                                LINE("start.ok", "call") "," LINE("call.success", "before") ","
                                                                LINE("before.ok", "deadly") "," LINE("deadly.ok", "end")),
                                                  ledger_port(ledger)));
    api_route(env, "post", "/poison", id, ",\"public\":true");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/public/poison", "no JSON").status != 404);
}

/*
 * Nodes that cannot block run before the acknowledgement: one commit stores it all.  A core that gets no processor for as long as
 * that may take gives the run to its workers instead, so one of many is looked for.
 */
static void short_runs_are_stored_as_a_whole(void **state)
{
    int64_t id = start("whole");

    (void)state;
    for (int i = 0; i < 100 && !closed(id); i++)
        id = start("whole");
    assert_true(closed(id));
    assert_string_equal(psql("SELECT count(*) FROM jobs WHERE ref_id = #", id), "0");
    assert_string_equal(psql("SELECT string_agg(cell_id || ' ' || status, ',' ORDER BY id) FROM tasks WHERE instance_id = #", id),
                        "start OK,one OK,end OK");
    assert_string_equal(psql("SELECT r.status || ' ' || r.instance_status FROM requests r JOIN instances i ON i.original_request_id = r.id "
                             "WHERE i.id = #", id), "SUCCESS CLOSED_IN_SUCCESS");
}

/* How late the first of eight started, which were due together. */
static int64_t least_late_ms(void)
{
    int64_t ids[8], best_ms = INT64_MAX;

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = start("later");
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        int64_t late_ms;

        ENV_WAIT(env, 10000, closed(ids[i]));
        assert_true(str_to_int(str_c(psql("SELECT (extract(epoch FROM i.closed_on - t.at) * 1000)::int FROM timers t "
                                          "JOIN instances i ON i.id = t.instance_id WHERE t.instance_id = #", ids[i])),
                               &late_ms));
        assert_true(late_ms >= 0);
        best_ms = late_ms < best_ms ? late_ms : best_ms;
    }
    return best_ms;
}

/* From the moment it is due, not from the next look every half second.  A machine with other work has its own pauses: three tries. */
static void starts_when_due(void **state)
{
    (void)state;
    assert_true(least_late_ms() < 50 || least_late_ms() < 50 || least_late_ms() < 50);
}

static int64_t n_open(void)
{
    int64_t n;

    assert_true(str_to_int(str_c(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'")), &n));
    return n;
}

/* Slow ones wait for their answer, so none of them ends: this one ends beside them or not at all. */
static void ends_beside_them(int64_t one)
{
    ENV_WAIT(env, 30000, closed(one));
    assert_string_equal(env_psql(env, env_fmt(env, "SELECT count(*) >= %d FROM instances i JOIN activities a ON a.id = i.activity_id WHERE "
                                                   "a.name = 'slow' AND i.status = 'ACTIVE'", FLOOD)),
                        "t");
    peer_hold(slow_peer, false);
    ENV_WAIT(env, 60000, n_open() == 0);
}

static void flood(void)
{
    peer_hold(slow_peer, true);
    for (int i = 0; i < FLOOD; i++)
        (void)start("slow");
}

static void is_fair(void **state)
{
    (void)state;
    flood();
    ends_beside_them(start("quick"));
}

/* The same from the table: another process finds them there, more than it can run at once. */
static void is_fair_after_a_crash(void **state)
{
    int64_t one;

    (void)state;
    flood();
    peer_hold(quick_peer, true);
    one = start("quick");
    (void)env_kill(env, core, SIGKILL);
    peer_hold(quick_peer, false);
    (void)env_psql(env, arena_printf(env_arena(env), "UPDATE jobs SET due_on = now() - interval '1 hour' WHERE ref_id <> %lld",
                                     (long long)one));
    core = start_core("");
    ends_beside_them(one);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM jobs"), "0");
}

/* Processes that die before they come to what they claimed say nothing about it. */
static void claims_alone_do_no_harm(void **state)
{
    int64_t id = start("later");

    (void)state;
    NEEDS_FAULT_POINTS();
    ENV_WAIT(env, 5000, strcmp(psql("SELECT count(*) FROM timers WHERE status = 'WAIT' AND instance_id = #", id), "1") == 0);
    for (int i = 0; i < CLAIMS; i++) {
        (void)env_kill(env, core, SIGKILL);
        (void)psql("UPDATE jobs SET due_on = now() WHERE ref_id = #", id);
        core = start_core("jobs.claimed:1");
        ENV_WAIT(env, 10000, !env_running(env, core));
    }
    core = start_core("");
    ENV_WAIT(env, 10000, closed(id) || strcmp(psql("SELECT count(*) FROM errors WHERE instance_id = #", id), "0") != 0);
    assert_true(closed(id));
}

/* A node that kills its process: after a few deaths it is left alone, and others never are. */
static void leaves_poison_alone(void **state)
{
    int64_t id, beside;
    int deaths = 0;
    struct val v;

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGKILL);
    core = start_core("node.deadly:1");
    ENV_WAIT(env, 20000, health() == 200);
    beside = start("later");
    id = start("poison");
    while (deaths < 20) {
        int64_t until = env_until(4000);

        while (env_running(env, core) && clock_mono_ms(&clock_system) < until &&
               strcmp(psql("SELECT cnt_tasks_in_error FROM instances WHERE id = #", id), "0") == 0)
            env_pause();
        if (env_running(env, core))
            break;
        deaths++;
        core = start_core("node.deadly:1");
    }
    if (deaths < DEATHS || deaths > DEATHS + 1)
        env_fail(env, "%d processes died", deaths);
    ENV_WAIT(env, 10000, closed(beside));
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/transactions/%lld", (long long)id), NULL);
    assert_string_equal(api_text(env, v, "status"), "ACTIVE");
    assert_string_equal(api_text(env, v, "errors.0.cell_id"), "deadly");
    assert_string_equal(api_text(env, v, "errors.0.output"), "its process died too often");
    assert_non_null(strstr(api_text(env, v, "errors.0.description"), "died 5 times in a row"));
    assert_string_equal(psql("SELECT count(*) FROM jobs WHERE ref_id = #", id), "0");
    assert_string_equal(psql("SELECT status FROM tasks WHERE instance_id = # AND cell_id = 'deadly'", id), "ERROR");
    assert_true(env_running(env, core));
}

/* Nor does an operation on many runs come back to it for ever. */
static void an_operation_leaves_it_too(void **state)
{
    struct arena *a = env_arena(env);
    const char *poison = env_psql(env, "SELECT id FROM instances WHERE status = 'ACTIVE'");
    int deaths = 0;

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)api(env, 202, "POST", "/api/v01/transactions/operations",
              arena_printf(a, "{\"operation\":\"replay\",\"ids\":[%s,%s]}", poison,
                           env_psql(env, "SELECT max(id) FROM instances WHERE status <> 'ACTIVE'")));
    while (deaths < 10 && strcmp(env_psql(env, "SELECT status FROM mass_operations"), "DONE") != 0) {
        env_pause();
        if (env_running(env, core))
            continue;
        deaths++;
        core = start_core("node.deadly:1");
    }
    assert_string_equal(env_psql(env, "SELECT string_agg(status || ' ' || message, ', ' ORDER BY instance_id) FROM mass_items"),
                        "ERROR the transaction is closed, ERROR the process at work on it died 5 times in a row");
    assert_int_equal(deaths, 5);
    assert_true(env_running(env, core));
}

/* What made it deadly is gone: a replay takes it up where it was. */
static void poison_is_replayed(void **state)
{
    struct arena *a = env_arena(env);
    const char *id = env_psql(env, "SELECT id FROM instances WHERE status = 'ACTIVE'");
    const char *task = env_psql(env, "SELECT id FROM tasks WHERE cell_id = 'deadly' AND status = 'ERROR'");

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGKILL);
    core = start_core("");
    ENV_WAIT(env, 20000, health() == 200);
    (void)api(env, 200, "PUT", arena_printf(a, "/api/v01/transactions/%s/tasks/%s", id, task), "{}");
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT status FROM instances WHERE id = %s", id)), "CLOSED_IN_SUCCESS");
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT string_agg(key || value::text, ',' ORDER BY key) FROM contexts WHERE instance_id = %s", id)),
                        "before\"x\",deadly\"x\"");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM jobs"), "0");
}

/* A core that does not run workflows tells those that do. */
static void others_are_told(void **state)
{
    const char *path = env_path(env, "front.sock");
    pid_t front = env_app_start(env, "sluice-core", "front.sock", NULL);
    struct fcgi_request r = {.method = "POST", .uri = "/api/v01/public/quick", .body = STR("{}"), .content_type = "application/json"};
    struct fcgi_request h = {.uri = "/api/v01/health"};

    (void)state;
    ENV_WAIT(env, 20000, fcgi_call(path, &h, env_arena(env)).status == 200);
    for (int i = 0; i < 5; i++) {
        struct fcgi_answer got = fcgi_call(path, &r, env_arena(env));

        assert_int_equal(got.status, 200);
    }
    ENV_WAIT(env, 10000, strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'"), "0") == 0);
    assert_int_equal(env_kill(env, front, SIGTERM), 0);
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        API_TEST(short_runs_are_stored_as_a_whole),
        API_TEST(starts_when_due),
        API_TEST(is_fair),
        API_TEST(is_fair_after_a_crash),
        API_TEST(claims_alone_do_no_harm),
        API_TEST(leaves_poison_alone),
        API_TEST(an_operation_leaves_it_too),
        API_TEST(poison_is_replayed),
        API_TEST(others_are_told),
        cmocka_unit_test(ends_cleanly),
    };
    int failed;

    env = env_start();
    ledger = ledger_new(DELAY_MS);
    slow_peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    quick_peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    core = start_core("");
    env_nginx_start(env, "core.sock", NULL);
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    ledger_free(ledger);
    peer_free(slow_peer);
    peer_free(quick_peer);
    return failed;
}
