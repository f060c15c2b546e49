/*
 * Alarms about rates: raised when a threshold of the configuration is crossed, over when the window has slid on; of all processes
 * together, so that what one sees is not taken back by another.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "integration/env_calls.h"
#include "support/cases.h"

static struct house h;
static struct env *env;

#define LEVELS(info, major, critical)                                                                                              \
    "\"thresholds\":[{\"level\":\"info\",\"threshold\":" info "},{\"level\":\"major\",\"threshold\":" major                         \
    "},{\"level\":\"critical\",\"threshold\":" critical "}]"

/* "level value cleared_by" of the newest alarm of this key; by: still active. */
static const char *newest(const char *key, const char *subject)
{
    return env_psql(env, arena_printf(env_arena(env),
                                      "SELECT concat_ws(' ', CASE WHEN active THEN 'active' ELSE 'over' END, level, cleared_by) FROM alarms "
                                      "WHERE key = '%s' AND subject = '%s' ORDER BY id DESC LIMIT 1", key, subject));
}

static void expect(const char *key, const char *subject, const char *want)
{
    int64_t until = env_until(0);
    const char *got;

    while (strcmp(got = newest(key, subject), want) != 0) {
        if (clock_mono_ms(&clock_system) > until)
            env_fail(env, "%s of \"%s\": expected \"%s\", got \"%s\"", key, subject, want, got);
        env_pause();
    }
}

static void thresholds(const char *north, const char *south, const char *network)
{
    api_configure(env, "alarms",
                  arena_printf(env_arena(env),
                               "{\"default_handler\":{},\"alarms\":{\"http_success_rate\":{\"system_clear\":true,%s},\"http_south_success_rate\":"
                               "{\"system_clear\":true,%s},\"network_issues\":{\"system_clear\":false,%s}}}", north, south, network));
    house_until_used(&h);
}

static void many(int n, const char *method, const char *path, int status)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(api_raw(env, method, path, strcmp(method, "POST") == 0 ? "{}" : NULL).status, status);
}

/* Such calls go on until it is so: the window slides on under what was made before, and a busy machine makes few. */
static void calls_until(const char *key, const char *subject, const char *want, const char *method, const char *path, int status)
{
    int64_t until = env_until(0);
    const char *got;

    while (strcmp(got = newest(key, subject), want) != 0) {
        if (clock_mono_ms(&clock_system) > until)
            env_fail(env, "%s of \"%s\": expected \"%s\", got \"%s\"", key, subject, want, got);
        many(4, method, path, status);
    }
}

static bool is_over(const char *alarm)
{
    return str_starts(str_c(alarm), STR("over ")) && str_ends(str_c(alarm), STR(" system"));
}

/* Until the window of every process has slid on, with calls that succeed.  On its way down the level may be a lower one for a moment. */
static void calm(const char *key, const char *subject)
{
    int64_t until = env_until(0);

    while (!is_over(newest(key, subject))) {
        if (clock_mono_ms(&clock_system) > until)
            env_fail(env, "%s of \"%s\" is \"%s\"", key, subject, newest(key, subject));
        many(1, "GET", "/api/v01/p1/do/ok/", 200);
        usleep(300 * 1000);
    }
}

static void gateways_that_fail(void **state)
{
    struct val v;

    (void)state;
    thresholds(LEVELS("\"\"", "\"\"", "\"\""), LEVELS("99", "60", "\"\""), LEVELS("\"\"", "\"\"", "\"\""));
    for (int i = 0; strcmp(newest("http_south_success_rate", ""), "") == 0 && i < 1000; i++) {
        many(20, "GET", "/api/v01/p1/do/ok/", 200);
        many(5, "GET", "/api/v01/p1/do/fail/", 500);
    }
    assert_string_equal(newest("http_south_success_rate", ""), "active info");
    calls_until("http_south_success_rate", "", "active major", "GET", "/api/v01/p1/do/fail/", 500);
    assert_string_equal(newest("http_success_rate", ""), ""); /* no threshold, no alarm */
    v = api(env, 200, "GET", "/api/v01/alarms?filter=%7B%22field%22:%22key%22,%22op%22:%22eq%22,%22value%22:%22http_south_success_rate%22%7D", NULL);
    assert_non_null(strstr(api_text(env, v, "alarms.0.message"), "calls of gateways within 3 s failed"));
    calm("http_south_success_rate", "");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM alarms WHERE key = 'http_south_success_rate'"), "1");
}

static void answers_of_ours(void **state)
{
    (void)state;
    thresholds(LEVELS("\"\"", "\"\"", "80"), LEVELS("\"\"", "\"\"", "\"\""), LEVELS("\"\"", "\"\"", "\"\""));
    house_gateway(&h, ",\"breaker_failures\":0");
    calls_until("http_success_rate", "", "active critical", "POST", "/api/v01/p1/do/close_now/", 502);
    calm("http_success_rate", "");
}

static void no_failures_in_the_window(void)
{
    ENV_WAIT(env, 20000, env_psql(env, "SELECT sum(bad) FROM vitals WHERE kind = 'network'")[0] == '0');
}

/* Three of the proxy and one of the core: the first threshold.  The window may slide on meanwhile. */
static bool add_up(void)
{
    int64_t until = clock_mono_ms(&clock_system) + 4000;

    no_failures_in_the_window();
    many(3, "POST", "/api/v01/p1/do/close_now/", 502);
    usleep(600 * 1000);
    assert_string_equal(newest("network_issues", "bwks"), "");
    assert_non_null(strstr(calls_node(env, "POST", "/api/v1/do/close_now/"), "closed"));
    while (strcmp(newest("network_issues", "bwks"), "active info") != 0) {
        if (clock_mono_ms(&clock_system) > until)
            return false;
        env_pause();
    }
    return true;
}

/* Failures of the core's own calls and of the proxy's add up; "system_clear": false leaves the end to people. */
static void networks_that_fail(void **state)
{
    struct val v;
    int tries = 0;

    (void)state;
    no_failures_in_the_window();
    thresholds(LEVELS("\"\"", "\"\"", "\"\""), LEVELS("\"\"", "\"\"", "\"\""), LEVELS("4", "8", "\"\""));
    while (!add_up())
        assert_true(++tries < 10);
    calls_until("network_issues", "bwks", "active major", "POST", "/api/v01/p1/do/close_now/", 502);
    no_failures_in_the_window();
    usleep(600 * 1000);
    assert_memory_equal(newest("network_issues", "bwks"), "active", 6);
    v = api(env, 200, "GET", "/api/v01/alarms?filter=%7B%22field%22:%22key%22,%22op%22:%22eq%22,%22value%22:%22network_issues%22%7D", NULL);
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/alarms/%s", api_text(env, v, "alarms.0.id")), "");
    usleep(600 * 1000);
    assert_non_null(strstr(newest("network_issues", "bwks"), "over "));
    assert_non_null(strstr(newest("network_issues", "bwks"), " admin"));
}

static void circuits(void **state)
{
    (void)state;
    house_gateway(&h, ",\"breaker_failures\":5,\"breaker_wait\":5");
    many(5, "POST", "/api/v01/p1/do/close_now/", 502);
    many(1, "GET", "/api/v01/p1/do/ok/", 503);
    expect("gateway_circuit", "bwks", "active critical");
    ENV_WAIT(env, 6000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    expect("gateway_circuit", "bwks", "over critical system");
}

/* What a killed process saw is forgotten. */
static void a_dead_process_tells_nothing(void **state)
{
    (void)state;
    house_gateway(&h, ",\"breaker_failures\":5,\"breaker_wait\":600");
    many(5, "POST", "/api/v01/p1/do/close_now/", 502);
    expect("gateway_circuit", "bwks", "active critical");
    (void)env_kill(env, h.proxy, SIGKILL);
    expect("gateway_circuit", "bwks", "over critical system");
    assert_int_equal(env_kill(env, h.core, SIGTERM), 0);
    assert_null(strstr(env_log(env, "core.sock"), "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(gateways_that_fail), API_TEST(answers_of_ours), API_TEST(networks_that_fail), API_TEST(circuits),
                                       API_TEST(a_dead_process_tells_nothing)};
    int failed;

    house_start(&h, NULL);
    env = h.env;
    calls_routes(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    return house_end(&h, failed);
}
