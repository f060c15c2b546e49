/*
 * Sub-workflows and what people, and other nodes, do with the tasks that started them: nothing runs twice, nothing runs on for
 * nobody, and no task says "ok" for what never began.
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)
#define is(want, ...) (strcmp(sql(__VA_ARGS__), want) == 0)

static struct env *env;
static pid_t core;

static void start_core(const char *fault)
{
    const char *vars[] = {fmt("DB=%s", env_db(env)), fmt("SLUICE_FAULT=%s", fault), NULL};

    core = env_app_start_with(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL}, vars);
    ENV_WAIT(env, 20000, !env_running(env, core) || env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
}

/* The workflow of an item waits until `done`. */
#define ITEM                                                                                                           \
    "{\"cells\":{" START "," CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"") "," END \
    "},\"entities\":[{\"name\":\"boss\",\"original_name\":\"entity\",\"outputs\":[\"done\"],\"params\":{}}],"            \
    "\"transitions\":[" LINE("start.ok", "hour") "," LINE("boss.done", "end") "]}"

#define SPAWN(outputs)                                                                                                 \
    CELL("spawn", "trigger_subworkflows",                                                                              \
         "\"workflow\":\"item\",\"source\":\"{{ context.list | default([{}, {}, {}]) }}\","                             \
         "\"parallel_factor\":\"{{ context.factor | default(1) }}\"", outputs)
#define MARK(cell) CELL("mark", "set_task_status", "\"target_id\":\"" cell "\",\"status\":\"ERROR\",\"message\":\"too slow\"", "\"ok\"")
#define HOUR CELL("pause", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"")

/* Three items, one at a time. */
static int64_t three(void)
{
    int64_t id = api_run(env, DEFINITION(SPAWN("\"ok\",\"error\",\"skip\",\"rollback\"") "," HOUR ",",
                                         LINE("start.ok", "spawn") "," LINE("spawn.ok", "end") "," LINE("spawn.skip", "pause")),
                         "{}");

    ENV_WAIT(env, 10000, is("1", "SELECT count(*) FROM instances WHERE parent_instance_id = %lld", (long long)id));
    return id;
}

/* The same, and its task is put in error while the first one runs. */
static int64_t marked(void)
{
    int64_t id = api_run(env, DEFINITION(SPAWN("\"ok\",\"error\",\"skip\",\"rollback\"") "," HOUR "," MARK("spawn") ",",
                                         LINE("start.ok", "spawn") "," LINE("start.ok", "mark") "," LINE("spawn.ok", "end") ","
                                         LINE("spawn.skip", "pause")),
                         "{}");

    ENV_WAIT(env, 10000, strncmp(api_task(env, id, "spawn"), "ERROR", 5) == 0);
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE parent_instance_id = %lld", (long long)id), "1");
    return id;
}

static const char *run_path(int64_t id)
{
    return fmt("/api/v01/transactions/%lld", (long long)id);
}

static const char *task_path(int64_t id, const char *cell, const char *how)
{
    const char *task = sql("SELECT max(id) FROM tasks WHERE instance_id = %lld AND cell_id = '%s'", (long long)id, cell);

    return how[0] == '\0' ? fmt("%s/tasks/%s", run_path(id), task)
                          : fmt("%s/tasks/%s?meta={\"replay_behaviour\":\"%s\"}", run_path(id), task, how);
}

static const char *open_items(int64_t id)
{
    return sql("SELECT count(*) FROM instances WHERE parent_instance_id = %lld AND status = 'ACTIVE'", (long long)id);
}

static const char *labels(int64_t id)
{
    return sql("SELECT string_agg(label, ' ' ORDER BY created_on, id) FROM instances WHERE parent_instance_id = %lld", (long long)id);
}

/* The only item that runs closes in success. */
static void item_done(int64_t id)
{
    const char *item;

    ENV_WAIT(env, 10000, strcmp(open_items(id), "1") == 0);
    item = sql("SELECT id FROM instances WHERE parent_instance_id = %lld AND status = 'ACTIVE'", (long long)id);
    assert_string_equal(sql("SELECT signal_instance(%s, 0, 'entity', '{\"entity\":\"boss\",\"event\":\"done\"}')", item), "t");
    ENV_WAIT(env, 10000, is("CLOSED_IN_SUCCESS", "SELECT status FROM instances WHERE id = %s", item));
}

static void replay(int64_t id, const char *cell)
{
    api(env, 200, "PUT", task_path(id, cell, ""), "{}");
}

/* ---- replays ------------------------------------------------------------------------------------- */

/* Not while the first one still runs; then all of them, in order, as the list is now. */
static void a_replay_waits_for_what_runs(void **state)
{
    int64_t id = marked(), operation;
    struct val v;

    (void)state;
    v = api(env, 409, "PUT", task_path(id, "spawn", ""), "{}");
    assert_non_null(strstr(api_text(env, v, "error"), "1 sub-workflows of \"spawn\" still run"));
    operation = api_int(api(env, 202, "POST", "/api/v01/transactions/operations", fmt("{\"operation\":\"replay\",\"ids\":[%lld]}", (long long)id)), "id");
    ENV_WAIT(env, 10000, is("DONE", "SELECT status FROM mass_operations WHERE id = %lld", (long long)operation));
    assert_non_null(strstr(sql("SELECT message FROM mass_items WHERE operation_id = %lld", (long long)operation), "still run"));
    item_done(id);
    assert_string_equal(labels(id), "1");
    replay(id, "spawn");
    for (int i = 0; i < 3; i++)
        item_done(id);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(labels(id), "1 1 2 3");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0");
}

/* Nothing of the longer list before is started. */
static void a_replay_takes_the_list_as_it_is(void **state)
{
    int64_t id = marked();

    (void)state;
    item_done(id);
    api(env, 200, "PUT", fmt("%s/context", run_path(id)), "{\"key\":\"list\",\"value\":[{\"new\":1},{\"new\":2}]}");
    api(env, 200, "PUT", fmt("%s/context", run_path(id)), "{\"key\":\"factor\",\"value\":5}");
    replay(id, "spawn");
    ENV_WAIT(env, 10000, strcmp(open_items(id), "2") == 0);
    (void)sql("SELECT signal_instance(id, 0, 'entity', '{\"entity\":\"boss\",\"event\":\"done\"}') FROM instances WHERE "
              "parent_instance_id = %lld AND status = 'ACTIVE'", (long long)id);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(sql("SELECT string_agg(request::text, ' ' ORDER BY request::text) FROM instances WHERE parent_instance_id = %lld",
                            (long long)id),
                        "{\"new\":1} {\"new\":2} {}");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0");
}

/* ---- skips ---------------------------------------------------------------------------------------- */

static void nothing_is_left(int64_t id)
{
    ENV_WAIT(env, 10000, strcmp(open_items(id), "0") == 0);
    assert_string_equal(labels(id), "1");
    assert_string_equal(sql("SELECT count(*) FROM subworkflow_items WHERE instance_id = %lld", (long long)id), "0");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = %lld", (long long)id), "ACTIVE");
    api(env, 200, "PUT", run_path(id), "{\"status\":\"CLOSE_IN_ERROR\"}");
}

static void a_skip_ends_what_was_begun(void **state)
{
    int64_t id = three();

    (void)state;
    api(env, 200, "PUT", task_path(id, "spawn", "skip"), "{}");
    assert_string_equal(api_task(env, id, "spawn"), "OK skip");
    nothing_is_left(id);
    id = marked();
    api(env, 200, "PUT", task_path(id, "spawn", "skip"), "{}");
    nothing_is_left(id);
}

static void a_skipped_macro_ends_its_sub_workflow(void **state)
{
    int64_t id = api_run(env, DEFINITION(CELL("in", "macro", "\"workflow\":\"item\"", "\"ok\",\"error\",\"skip\"") "," HOUR ",",
                                         LINE("start.ok", "in") "," LINE("in.ok", "end") "," LINE("in.skip", "pause")),
                         "{}");

    (void)state;
    api_until_task(env, id, "in", "WAIT");
    api(env, 200, "PUT", task_path(id, "in", "skip"), "{}");
    assert_string_equal(open_items(id), "0");
    assert_string_equal(sql("SELECT count(*) FROM timers t JOIN instances i ON i.id = t.instance_id WHERE t.status = 'WAIT' AND "
                            "i.parent_instance_id = %lld", (long long)id),
                        "0");
    assert_string_equal(api_task(env, id, "pause"), "WAIT");
    api(env, 200, "PUT", run_path(id), "{\"status\":\"CLOSE_IN_ERROR\"}");
}

/* ---- closed and opened again ------------------------------------------------------------------------ */

/* What waited waits for nothing any more: it is in error, and a replay runs it again. */
static void an_opened_run_goes_on_by_replay(void **state)
{
    int64_t id = three();

    (void)state;
    api(env, 200, "PUT", run_path(id), "{\"status\":\"CLOSE_IN_ERROR\"}");
    ENV_WAIT(env, 10000, strcmp(open_items(id), "0") == 0);
    api(env, 200, "PUT", run_path(id), "{\"status\":\"ACTIVE\"}");
    assert_string_equal(api_task(env, id, "spawn"), "ERROR");
    assert_string_equal(sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id),
                        "what this task waited for ended when the transaction was closed");
    replay(id, "spawn");
    for (int i = 0; i < 3; i++)
        item_done(id);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(labels(id), "1 1 2 3");
}

/* ---- what must not be said ---------------------------------------------------------------------------- */

/* Items that are gone were not run. */
static void items_that_are_gone_are_missed(void **state)
{
    int64_t id = three();

    (void)state;
    (void)sql("DELETE FROM subworkflow_items WHERE instance_id = %lld", (long long)id);
    item_done(id);
    ENV_WAIT(env, 10000, strncmp(api_task(env, id, "spawn"), "WAIT", 4) != 0);
    assert_string_equal(api_task(env, id, "spawn"), "ERROR");
    assert_non_null(strstr(sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id),
                           "only 1 of 3 sub-workflows could be started"));
    api(env, 200, "PUT", run_path(id), "{\"status\":\"CLOSE_IN_ERROR\"}");
}

/* Its status is set while it stands in line: it does not run for all that. */
static void a_task_in_line_is_put_in_error(void **state)
{
    int64_t id = api_run(env, DEFINITION(CELL("late", "context_setter", "\"key\":\"late\",\"value\":\"1\"", "\"ok\"") "," MARK("late") ",",
                                         LINE("start.ok", "mark") "," LINE("start.ok", "late") "," LINE("late.ok", "end")),
                         "{}");

    (void)state;
    ENV_WAIT(env, 10000, strncmp(api_task(env, id, "mark"), "OK", 2) == 0 && is("0", "SELECT count(*) FROM jobs WHERE ref_id = %lld", (long long)id));
    assert_string_equal(api_task(env, id, "late"), "ERROR");
    replay(id, "late");
    assert_string_equal(api_context(env, id, "late"), "\"1\"");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = %lld", (long long)id), "CLOSED_IN_SUCCESS");
}

/* ---- left alone -------------------------------------------------------------------------------------- */

/* Whoever was to be woken by the first item died too often; what the other items tell meanwhile is kept for the replay. */
static void nothing_told_to_a_run_left_alone_is_lost(void **state)
{
    int64_t id;

    (void)state;
    NEEDS_FAULT_POINTS();
    id = api_run(env, DEFINITION(CELL("spawn", "trigger_subworkflows", "\"workflow\":\"item\",\"source\":\"[{}, {}, {}]\"", "\"ok\"") ",",
                                 LINE("start.ok", "spawn") "," LINE("spawn.ok", "end")), "{}");
    ENV_WAIT(env, 10000, strcmp(open_items(id), "3") == 0);
    (void)env_kill(env, core, SIGKILL);
    start_core("node.spawn:1");
    (void)sql("SELECT signal_instance(min(id), 0, 'entity', '{\"entity\":\"boss\",\"event\":\"done\"}') FROM instances WHERE "
              "parent_instance_id = %lld", (long long)id);
    ENV_WAIT(env, 10000, !env_running(env, core));
    (void)sql("UPDATE jobs SET attempts = 6 WHERE ref_id = %lld", (long long)id);
    start_core("");
    ENV_WAIT(env, 10000, strncmp(api_task(env, id, "spawn"), "ERROR", 5) == 0);
    (void)sql("SELECT signal_instance(id, 0, 'entity', '{\"entity\":\"boss\",\"event\":\"done\"}') FROM instances WHERE "
              "parent_instance_id = %lld AND status = 'ACTIVE'", (long long)id);
    ENV_WAIT(env, 10000, strcmp(open_items(id), "0") == 0 && is("0", "SELECT count(*) FROM jobs WHERE ref_id = %lld", (long long)id));
    replay(id, "spawn");
    ENV_WAIT(env, 10000, strncmp(api_task(env, id, "spawn"), "OK", 2) == 0);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(labels(id), "1 2 3");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instance_signals"), "0");
}

/* ---- at once ------------------------------------------------------------------------------------------- */

/* A run that is over before it was stored leaves no items behind. */
static void a_run_may_end_beside_its_items(void **state)
{
    int64_t activity = api_activity(env, "beside", DEFINITION(SPAWN("\"ok\"") ",", LINE("start.ok", "spawn") "," LINE("start.ok", "end")));

    (void)state;
    api_route(env, "post", "/beside", activity, ",\"sync\":true");
    ENV_WAIT(env, 5000, env_http(env, "GET", "/api/v01/custom/beside", NULL, NULL).status != 404);
    (void)api(env, 200, "POST", "/api/v01/custom/beside", "{}");
    assert_string_equal(sql("SELECT status FROM instances WHERE activity_id = %lld", (long long)activity), "CLOSED_IN_SUCCESS");
    ENV_WAIT(env, 10000, is("1 0", "SELECT count(*) || ' ' || count(*) FILTER (WHERE i.status = 'ACTIVE') FROM instances i JOIN instances p ON "
                                  "p.id = i.parent_instance_id WHERE p.activity_id = %lld", (long long)activity));
    assert_string_equal(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(a_replay_waits_for_what_runs),
        API_TEST(a_replay_takes_the_list_as_it_is),
        API_TEST(a_skip_ends_what_was_begun),
        API_TEST(a_skipped_macro_ends_its_sub_workflow),
        API_TEST(an_opened_run_goes_on_by_replay),
        API_TEST(items_that_are_gone_are_missed),
        API_TEST(a_task_in_line_is_put_in_error),
        API_TEST(nothing_told_to_a_run_left_alone_is_lost),
        API_TEST(a_run_may_end_beside_its_items),
    };
    int failed;

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    (void)api_activity(env, "item", ITEM);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    env_stop(env, core);
    return env_end(env, failed);
}
