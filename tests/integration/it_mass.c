/*
 * Operations on many transactions: by filter, below a transaction, by their ids; a result each, throttled, cancelled, and going on
 * in another process.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "integration/env_api.h"

#define OPERATIONS "/api/v01/transactions/operations"
enum { RUNS = 5 };

static struct env *env;
static pid_t core;
static int64_t activity;
static const char *filtered; /* path with the filter for our runs */

static const char *count_of(const char *where)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT count(*) FROM instances WHERE activity_id = %lld AND %s",
                                      (long long)activity, where));
}

/* Runs that block until their context says "fixed". */
static void start(int n)
{
    int64_t before;

    assert_true(str_to_int(str_c(count_of("cnt_tasks_in_error = 1 AND status = 'ACTIVE'")), &before));
    for (int i = 0; i < n; i++)
        (void)api(env, 200, "POST", "/api/v01/public/broken", "{}");
    ENV_WAIT(env, 10000, strcmp(count_of("cnt_tasks_in_error = 1 AND status = 'ACTIVE'"),
                                arena_printf(env_arena(env), "%lld", (long long)(before + n))) == 0);
}

static struct val operation(int64_t id)
{
    return api(env, 200, "GET", arena_printf(env_arena(env), OPERATIONS "/%lld", (long long)id), NULL);
}

/* Begin one and wait for its end. */
static struct val operate(const char *path, const char *body)
{
    int64_t id = api_int(api(env, 202, "POST", path, body), "id");

    ENV_WAIT(env, 20000, strcmp(api_text(env, operation(id), "status"), "DONE") == 0);
    return operation(id);
}

static const char *ids(const char *where)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT json_agg(id) FROM instances WHERE activity_id = %lld AND %s",
                                      (long long)activity, where));
}

static void set_up(void **state)
{
    struct arena *a = env_arena(env);

    (void)state;
    api_admin(env);
    activity = api_activity(env, "broken",
                            DEFINITION(CELL("divide", "context_setter",
                                            "\"key\":\"result\",\"value\":\"{{ 10 // (context.fixed | default(0) | int) }}\"",
                                            "\"ok\",\"skip\"") ",",
                                       LINE("start.ok", "divide") "," LINE("divide.ok", "end") "," LINE("divide.skip", "end")));
    api_route(env, "post", "/broken", activity, ",\"public\":true");
    filtered = arena_printf(a,
                            OPERATIONS "?filter=%%7B%%22model%%22:%%22requests%%22,%%22field%%22:%%22activity_id%%22,%%22op%%22:%%22eq"
                                       "%%22,%%22value%%22:%lld%%7D",
                            (long long)activity);
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/public/broken", "no JSON").status != 404);
}

static const struct row {
    const char *path, *body;
    int status;
    const char *says;
} rows[] = {
    {OPERATIONS, "{}", 400, "operation is required"},
    {OPERATIONS, "{\"operation\":\"replay\"}", 400, "is needed, so that not everything is changed"},
    {OPERATIONS, "{\"operation\":\"dance\",\"ids\":[1]}", 400, "expected replay, skip, rollback, close, reopen or context, got \\\"dance\\\""},
    {OPERATIONS, "{\"operation\":\"context\",\"ids\":[1]}", 400, "needs \\\"key\\\" and \\\"value\\\""},
    {OPERATIONS, "{\"operation\":\"close\",\"ids\":[1],\"per_second\":1001}", 400, "per_second: expected 1 to 1000"},
    {OPERATIONS, "{\"operation\":\"close\",\"ids\":[1],\"per_second\":\"all\"}", 400, "per_second: expected a"},
    {OPERATIONS, "{\"operation\":\"close\",\"ids\":[\"1\"]}", 400, "ids: expected a list of numbers"},
    {OPERATIONS, "{\"operation\":\"close\",\"ids\":[99999999]}", 404, "no transaction is found by that"},
    {OPERATIONS, "{\"operation\":\"close\",\"sub_of\":99999999}", 404, "no such transaction"},
    {OPERATIONS, "{\"operation\":\"close\",\"sub_of\":1,\"filter\":\"some\"}", 400, "filter: expected all, active or blocked"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct env_answer a = api_raw(env, "POST", rows[i].path, rows[i].body);

        if (a.status != rows[i].status || strstr(a.body, rows[i].says) == NULL)
            env_fail(env, "%s: %d %s", rows[i].body, a.status, a.body);
    }
    (void)api(env, 404, "GET", OPERATIONS "/12345", NULL);
    (void)api(env, 404, "GET", OPERATIONS "/12345/results", NULL);
    (void)api(env, 404, "DELETE", OPERATIONS "/12345", NULL);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM mass_operations"), "0");
}

static void edits_then_replays(void **state)
{
    struct val v;

    (void)state;
    start(RUNS);
    v = operate(filtered, "{\"operation\":\"replay\",\"per_second\":1000}");
    assert_int_equal(api_int(v, "succeeded"), RUNS); /* they ran again, and failed again */
    assert_string_equal(count_of("cnt_tasks_in_error = 1"), "5");
    v = operate(filtered, "{\"operation\":\"context\",\"key\":\"fixed\",\"value\":5,\"per_second\":1000}");
    assert_int_equal(api_int(v, "succeeded"), RUNS);
    v = operate(filtered, "{\"operation\":\"replay\",\"per_second\":1000}");
    assert_int_equal(api_int(v, "succeeded"), RUNS);
    assert_string_equal(count_of("status = 'CLOSED_IN_SUCCESS'"), "5");
    assert_string_equal(env_psql(env, "SELECT string_agg(DISTINCT value::text, ',') FROM contexts WHERE key = 'result'"), "\"2\"");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM jobs"), "0");
}

static void tells_each_result(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    start(2);
    id = api_int(api(env, 202, "POST", filtered, "{\"operation\":\"skip\",\"per_second\":1000}"), "id");
    ENV_WAIT(env, 20000, strcmp(api_text(env, operation(id), "status"), "DONE") == 0);
    v = api(env, 200, "GET", arena_printf(env_arena(env), OPERATIONS "/%lld/results?status=ERROR", (long long)id), NULL);
    assert_string_equal(api_text(env, v, "results.0.message"), "the transaction is closed");
    assert_int_equal(val_count(val_get(v, "results")), RUNS);
    assert_int_equal(api_int(v, "operation.succeeded"), 2);
    assert_int_equal(api_int(v, "operation.failed"), RUNS);
    v = api(env, 200, "GET", arena_printf(env_arena(env), OPERATIONS "/%lld/results?status=OK", (long long)id), NULL);
    assert_int_equal(val_count(val_get(v, "results")), 2);
    v = api(env, 200, "GET", OPERATIONS, NULL);
    assert_int_equal(api_int(v, "operations.0.id"), id);
    assert_string_equal(api_text(env, v, "operations.0.username"), "admin");
}

static void reopens_and_closes(void **state)
{
    struct arena *a = env_arena(env);
    const char *all = ids("status = 'CLOSED_IN_SUCCESS'");
    struct val v;

    (void)state;
    v = operate(OPERATIONS, arena_printf(a, "{\"operation\":\"reopen\",\"ids\":%s,\"per_second\":1000}", all));
    assert_int_equal(api_int(v, "succeeded"), RUNS + 2);
    assert_string_equal(count_of("status = 'ACTIVE'"), "7");
    v = operate(OPERATIONS, arena_printf(a, "{\"operation\":\"close\",\"ids\":%s,\"per_second\":1000}", all));
    assert_int_equal(api_int(v, "succeeded"), RUNS + 2);
    assert_string_equal(count_of("status = 'CLOSED_IN_ERROR'"), "7");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests WHERE status = 'ACTIVE'"), "0");
}

/* What the interface sends. */
static void closes_by_filter(void **state)
{
    struct val v;

    (void)state;
    (void)api(env, 400, "PUT", "/api/v01/apio/requests/close", "{}");
    start(3);
    v = api(env, 200, "PUT",
            "/api/v01/apio/requests/close?c=0&filter=%7B%22model%22:%22requests%22,%22field%22:%22status%22,%22op%22:%22eq%22,"
            "%22value%22:%22ACTIVE%22%7D",
            "{}");
    assert_int_equal(api_int(v, "updated"), 3);
    assert_string_equal(count_of("status = 'ACTIVE'"), "0");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests WHERE status = 'ACTIVE'"), "0");
}

static void is_throttled_and_cancelled(void **state)
{
    const char *path;
    int64_t id;

    (void)state;
    start(20);
    id = api_int(api(env, 202, "POST", OPERATIONS,
                     arena_printf(env_arena(env), "{\"operation\":\"close\",\"ids\":%s,\"per_second\":1}", ids("status = 'ACTIVE'"))),
                 "id");
    path = arena_printf(env_arena(env), OPERATIONS "/%lld", (long long)id);
    ENV_WAIT(env, 10000, api_int(operation(id), "done") >= 1);
    (void)api(env, 200, "DELETE", path, NULL);
    (void)api(env, 409, "DELETE", path, NULL);
    ENV_WAIT(env, 10000, strcmp(env_psql(env, "SELECT count(*) FROM jobs WHERE kind = 'mass'"), "0") == 0);
    assert_string_equal(api_text(env, operation(id), "status"), "CANCELLED");
    assert_true(api_int(operation(id), "done") < 20);
    assert_string_not_equal(count_of("status = 'ACTIVE'"), "0");
}

/* The process dies in the middle: the rest is done by the next one, and nothing twice. */
static void goes_on_elsewhere(void **state)
{
    int64_t id;

    (void)state;
    start(4);
    id = api_int(api(env, 202, "POST", OPERATIONS,
                     arena_printf(env_arena(env), "{\"operation\":\"close\",\"ids\":%s,\"per_second\":4}", ids("status = 'ACTIVE'"))),
                 "id");
    ENV_WAIT(env, 10000, api_int(operation(id), "done") >= 1);
    (void)env_kill(env, core, SIGKILL);
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    ENV_WAIT(env, 20000, strcmp(api_text(env, operation(id), "status"), "DONE") == 0);
    assert_int_equal(api_int(operation(id), "done"), api_int(operation(id), "total"));
    assert_string_equal(count_of("status = 'ACTIVE'"), "0");
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
        API_TEST(refuses),
        API_TEST(edits_then_replays),
        API_TEST(tells_each_result),
        API_TEST(reopens_and_closes),
        API_TEST(closes_by_filter),
        API_TEST(is_throttled_and_cancelled),
        API_TEST(goes_on_elsewhere),
        cmocka_unit_test(ends_cleanly),
    };

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
