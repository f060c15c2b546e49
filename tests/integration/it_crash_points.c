/*
 * Every point at which the storing of a run can end, one after the other: behind each statement of
 * each of its transactions the process dies, or loses its connection; behind the last one, when the
 * server has committed and nobody has heard so, too.
 *
 * The run is the same each time: parallel branches, one with a call, then a park and a second
 * stretch with a workflow inside, which calls too.  The points are counted by going on until one is not reached any more.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "integration/env_api.h"
#include "support/crash_ledger.h"
#include "support/fcgi_client.h"

enum { POINTS_MAX = 200, POINTS_MIN = 15, AT_ONCE_MS = 2000 /* less than the lease of a test build */ };

static struct env *env;
static struct ledger *ledger;
static pid_t core;

#define SET(name)                                                                                  \
    CELL(name, "context_setter", "\"key\":\"" name "\",\"value\":\"{{ (context." name              \
         " | default('')) ~ 'x' }}\"", "\"ok\"")

#define CALL                                                                                       \
    CELL("call", "http_call",                                                                      \
         "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":\"{\\\"guid\\\":\\\"{{ "      \
         "instance.guid }}\\\",\\\"cell\\\":\\\"call\\\"}\"",                                      \
         "\"success\",\"error\"")

static void start_core(const char *fault)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)),
                          arena_printf(env_arena(env), "SLUICE_FAULT=%s", fault), NULL};
    struct fcgi_request r = {.uri = "/api/v01/health"};

    core = env_app_start_with(env, "sluice-core", "core.sock",
                              (const char *const[]){"-workflows", NULL}, vars);
    ENV_WAIT(env, 20000, !env_running(env, core) ||
                             fcgi_call(env_path(env, "core.sock"), &r, env_arena(env)).status == 200);
}

static int faults(void)
{
    int n = 0;

    for (const char *at = env_log(env, "core.sock"); (at = strstr(at, "fault: ")) != NULL; at++)
        n++;
    return n;
}

static struct fcgi_answer start_run(void)
{
    struct fcgi_request r = {.method = "POST", .uri = "/api/v01/public/points", .body = STR("{}"),
                             .content_type = "application/json"};

    return fcgi_call(env_path(env, "core.sock"), &r, env_arena(env));
}

static void set_up(void **state)
{
    struct arena *a = env_arena(env);
    int64_t id;

    (void)state;
    api_admin(env);
    (void)api_activity(env, "inside",
                       arena_printf(a,
                                    DEFINITION(CALL ",", LINE("start.ok", "call") ","
                                                         LINE("call.success", "end")),
                                    ledger_port(ledger)));
    id = api_activity(env, "points",
                      arena_printf(a,
                                   DEFINITION(CALL "," SET("beside") "," SET("after") ","
                                              CELL("inner", "macro", "\"workflow\":\"inside\"", "\"ok\"") ","
                                              CELL("join", "sync_outputs", "", "\"ok\"") ","
                                              CELL("wait", "timer", "\"timeout\":\"0 seconds\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                              LINE("start.ok", "call") "," LINE("start.ok", "beside") ","
                                              LINE("call.success", "join") "," LINE("beside.ok", "join") ","
                                              LINE("join.ok", "wait") "," LINE("wait.ok", "after") "," LINE("after.ok", "inner") "," LINE("inner.ok", "end")),
                                   ledger_port(ledger)));
    api_route(env, "post", "/points", id, ",\"public\":true");
    ENV_WAIT(env, 5000, start_run().status == 200);
    ENV_WAIT(env, 5000, strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status <> 'ACTIVE'"), "2") == 0);
}

/* Nothing may be found by these. */
static const struct law {
    const char *name, *sql;
} laws[] = {
    {"runs that did not end well", "SELECT id FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'"},
    {"requests that do not say so",
     "SELECT id FROM requests WHERE instance_id IS NOT NULL AND (status <> 'SUCCESS' OR instance_status <> 'CLOSED_IN_SUCCESS')"},
    {"cells without exactly one task in OK",
     "SELECT i.id FROM instances i CROSS JOIN unnest(CASE WHEN parent_instance_id IS NULL THEN "
     "'{start,call,beside,join,wait,after,inner,end}' ELSE '{start,call,end}' END::text[]) c LEFT JOIN tasks t ON "
     "t.instance_id = i.id AND t.cell_id = c GROUP BY i.id, c HAVING count(t.id) <> 1 OR bool_or(t.status <> 'OK')"},
    {"contexts that were written twice",
     "SELECT i.id FROM instances i LEFT JOIN contexts c ON c.instance_id = i.id AND c.key IN ('beside', 'after') AND c.value::text = '\"x\"' "
     "WHERE i.parent_instance_id IS NULL GROUP BY i.id HAVING count(c.id) <> 2"},
    {"instances inside that were not run once",
     "SELECT i.id FROM instances i LEFT JOIN instances c ON c.parent_instance_id = i.id WHERE i.parent_instance_id IS NULL "
     "GROUP BY i.id HAVING count(*) FILTER (WHERE c.kind = 'sub') <> 1"},
    {"timers that wait", "SELECT id FROM timers WHERE status = 'WAIT'"},
    {"jobs, states and signals left behind",
     "SELECT id FROM jobs UNION ALL SELECT instance_id FROM instance_states UNION ALL SELECT instance_id FROM instance_signals"},
};

static void judge(const char *point)
{
    size_t n = ledger_count(ledger);

    for (size_t i = 0; i < COUNT_OF(laws); i++) {
        const char *bad = env_psql(env, arena_printf(env_arena(env), "SELECT string_agg(x::text, ', ') FROM (%s) x", laws[i].sql));

        if (bad[0] != '\0')
            env_fail(env, "%s: %s: %s", point, laws[i].name, bad);
    }
    for (size_t i = 0; i < n; i++) {
        struct ledger_call c = ledger_get(ledger, i);
        int same = 0;

        for (size_t k = 0; k < n; k++) {
            struct ledger_call d = ledger_get(ledger, k);

            same += strcmp(c.key, d.key) == 0;
            if ((strcmp(c.guid, d.guid) == 0) != (strcmp(c.key, d.key) == 0))
                env_fail(env, "%s: the keys of a call differ: %s, %s", point, c.key, d.key);
        }
        if (c.key[0] == '\0' || same > 2)
            env_fail(env, "%s: %d calls with key \"%s\"", point, same, c.key);
        if (strcmp(env_psql(env, arena_printf(env_arena(env), "SELECT count(*) FROM instances WHERE guid = '%s'", c.guid)), "1") != 0)
            env_fail(env, "%s: a call of no run", point);
    }
}

/* One run that is struck at the nth passage of a point; false when it was not reached.  at_once: its
 * owner goes on, nobody waits for the end of its lease. */
static bool strike(const char *kind, int nth, bool at_once)
{
    const char *point = arena_printf(env_arena(env), "%s:%d", kind, nth);
    struct fcgi_answer got;
    int before = faults();
    int64_t from_ms;

    ledger_clear(ledger);
    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers");
    start_core(point);
    from_ms = clock_mono_ms(&clock_system);
    got = start_run();
    ENV_WAIT(env, 10000, !env_running(env, core) ||
                             strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'"), "0") == 0);
    if (!env_running(env, core))
        start_core("");
    ENV_WAIT(env, 20000, strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'"), "0") == 0);
    if (got.status == 200 && strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE parent_instance_id IS NULL"), "1") != 0)
        env_fail(env, "%s: what was acknowledged is gone", point);
    judge(point);
    if (at_once && got.status == 200 && clock_mono_ms(&clock_system) - from_ms > AT_ONCE_MS)
        env_fail(env, "%s: it took the end of the lease", point);
    (void)env_kill(env, core, SIGKILL);
    return faults() > before;
}

static void all_points(const char *kind, int at_least, bool at_once)
{
    int n = 0;

    (void)env_kill(env, core, SIGTERM);
    while (n < POINTS_MAX && strike(kind, n + 1, at_once))
        n++;
    start_core("");
    printf("%s: %d points\n", kind, n);
    assert_in_range(n, at_least, POINTS_MAX - 1);
}

static void dies_behind_each_statement(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.die", POINTS_MIN, false);
}

static void loses_the_connection_behind_each_statement(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.cut", POINTS_MIN, true);
}

/* The server commits; the answer is lost. */
static void loses_each_commit(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.commit", 3, true);
}

static void ends_cleanly(void **state)
{
    (void)state;
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    assert_null(strstr(env_log(env, "core.sock"), "runtime error"));
    assert_null(strstr(env_log(env, "core.sock"), "AddressSanitizer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        cmocka_unit_test(dies_behind_each_statement),
        cmocka_unit_test(loses_the_connection_behind_each_statement),
        cmocka_unit_test(loses_each_commit),
        cmocka_unit_test(ends_cleanly),
    };
    int failed;

    env = env_start();
    ledger = ledger_new(0);
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    ledger_free(ledger);
    return failed;
}
