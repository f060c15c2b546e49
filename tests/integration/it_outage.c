/*
 * The database is away for long: at boot and in service, for the core and the proxy (migration.md 3.3, 11.10).  Test builds
 * wait a twentieth of what programs wait, so that fifteen seconds stand for five minutes.
 */
#include "integration/env_api.h"
#include "support/fcgi_client.h"

#include <libpq-fe.h>
#include <signal.h>
#include <string.h>

enum { AWAY_MS = 15000, BACK_MS = 30000 };

static struct env *env;

#define PROGRAMS 4
static const struct program {
    const char *name, *program, *option;
    bool in_service; /* when the database goes */
} programs[PROGRAMS] = {
    {"core", "sluice-core", "-workflows", true},
    {"p1", "sluice-proxy", "-proxy=/api/v01/p1:bwks", true},
    {"core-boots", "sluice-core", "-workflows", false},
    {"p1-boots", "sluice-proxy", "-proxy=/api/v01/p1:bwks", false},
};
static pid_t pids[PROGRAMS];

static void start(size_t i)
{
    pids[i] = env_app_start(env, programs[i].program, env_fmt(env, "%s.sock", programs[i].name),
                            (const char *const[]){programs[i].option, NULL});
}

static struct fcgi_answer ask(size_t i, const char *uri)
{
    const char *const params[] = {env_fmt(env, "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};

    return fcgi_call(env_path(env, env_fmt(env, "%s.sock", programs[i].name)),
                     &(struct fcgi_request){.uri = uri, .params = params}, env_arena(env));
}

/* What needs the database; the proxy in service goes on with what it has. */
static bool is_503(size_t i)
{
    return i == 1 || ask(i, "/api/v01/activities").status == 503;
}

static bool all_serve(void)
{
    for (size_t i = 0; i < PROGRAMS; i++)
        if (ask(i, "/api/v01/health").status != 200)
            return false;
    return true;
}

/* A line for each change of the cause, not for each attempt. */
static void told_once(size_t i)
{
    const char *log = env_log(env, env_fmt(env, "%s.sock", programs[i].name));
    int n = 0;

    for (const char *p = log; (p = strstr(p, "could not reach the database")) != NULL; p += 10)
        n++;
    if (n < 1 || n > 3)
        env_fail(env, "%s says %d times that the database is away: %s", programs[i].name, n, log);
}

static void item_10_the_database_is_away(void **state)
{
    int64_t until;

    (void)state;
    env_pg_stop(env);
    for (size_t i = 0; i < PROGRAMS; i++)
        if (!programs[i].in_service)
            start(i);
    until = clock_mono_ms(&clock_system) + AWAY_MS;
    while (clock_mono_ms(&clock_system) < until) {
        for (size_t i = 0; i < PROGRAMS; i++)
            if (!env_running(env, pids[i]) || !is_503(i))
                env_fail(env, "%s is not running, or does not answer 503: %s", programs[i].name, env_log(env, programs[i].name));
        for (int k = 0; k < 25; k++)
            env_pause();
    }
    env_pg_start(env);
    ENV_WAIT(env, BACK_MS, all_serve());
    ENV_WAIT(env, BACK_MS, api_raw(env, "GET", "/api/v01/activities", NULL).status == 200);
    for (size_t i = 0; i < PROGRAMS; i++)
        if (!programs[i].in_service)
            told_once(i);
    for (size_t i = 0; i < PROGRAMS; i++)
        assert_int_equal(env_kill(env, pids[i], SIGTERM), 0);
}

/* A run that reads rows of ours does not fail for a connection that breaks: it reads again.  Twice, so that it is seen to. */
static void a_run_reads_again(void **state)
{
    static const char reads[] = "SELECT min(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%i.cnt_tasks_in_error%'";
    PGconn *holder = PQconnectdb(env_db(env));
    const char *before = "", *pid = "";
    int64_t id = api_run(env,
                         "{\"cells\":{" START "," CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":true", "\"ok\"") ","
                         CELL("look", "search_transactions", "\"condition\":\"status = 'ACTIVE'\",\"output_context_key\":\"found\"", "\"ok\",\"error\"") ","
                         END "},\"entities\":[{\"name\":\"boss\",\"original_name\":\"entity\",\"outputs\":[\"go\"],\"params\":{}}],"
                         "\"transitions\":[" LINE("start.ok", "hour") "," LINE("boss.go", "look") "," LINE("look.ok", "end") "]}",
                         "{}");

    (void)state;
    api_until_task(env, id, "hour", "WAIT");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE activities IN ACCESS EXCLUSIVE MODE"));
    (void)env_sql(env, "SELECT signal_instance(%lld, 0, 'entity', '{\"entity\":\"boss\",\"event\":\"go\"}')", (long long)id);
    for (int i = 0; i < 2; i++) {
        ENV_WAIT(env, 20000, strcmp(pid = env_psql(env, reads), before) != 0 && pid[0] != '\0');
        (void)env_sql(env, "SELECT pg_terminate_backend(%s)", pid);
        before = pid;
    }
    PQfinish(holder);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_non_null(strstr(api_context(env, id, "found"), env_sql(env, "SELECT guid FROM instances WHERE id = %lld", (long long)id)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run_reads_again), cmocka_unit_test(item_10_the_database_is_away)};

    env = env_start();
    start(0);
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    api_configure(env, "gateways", env_fmt(env, "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", env_free_port(env)));
    start(1);
    ENV_WAIT(env, 20000, ask(1, "/api/v01/health").status == 200);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
