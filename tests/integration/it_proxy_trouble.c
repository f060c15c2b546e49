/*
 * What goes wrong between the proxy and a gateway: addresses and mappings that lead nowhere, answers that are none, a gateway that
 * dies (gateway-proxy.md 2.5, 3, 12).
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "integration/env_standin.h"
#include "support/cases.h"
#include "support/fcgi_client.h"

static struct env *env;
static const struct standin *s;

static const struct trouble_row {
    const char *name, *method, *control;
    int status;
    const char *want;
} trouble_rows[] = {
    {"closed early", "POST", "{\"close_early\":true}", 502, "gateway bwks"},
    {"nonsense", "GET", "{\"garbage\":true}", 502, "gateway bwks sent an invalid answer"},
    {"silence", "POST", "{\"hang\":true}", 504, "gateway bwks did not answer within 1 s"},
    {"login refused", "GET", "{\"refuse_login\":true,\"forget_sessions\":true}", 502, "gateway bwks refused the system login"},
};

static void reports_trouble(const struct trouble_row *r)
{
    struct env_answer a;
    struct val v;
    int64_t before;

    standin_obeys(NULL);
    standin_control("PUT", "", r->control);
    before = standin_calls();
    a = api_raw(env, r->method, "/api/v01/p1/tenants/", strcmp(r->method, "POST") == 0 ? "{}" : NULL);
    if (a.status != r->status)
        env_fail(env, "expected %d, got %d: %.300s", r->status, a.status, a.body);
    v = api_json(env, &a);
    if (strstr(api_text(env, v, "error"), r->want) == NULL)
        env_fail(env, "expected \"%s\" in: %s", r->want, a.body);
    assert_string_not_equal(api_text(env, v, "request_id"), "");
    if (strcmp(r->method, "POST") == 0)
        assert_int_equal(standin_calls(), before + 1); /* never repeated once it was sent */
}

/* ---- failover and configuration ---------------------------------------------------------------------------------- */

static void item_6_within_the_call(void **state)
{
    const char *dead = arena_printf(env_arena(env), "http://127.0.0.1:%d", env_free_port(env));
    const char *backup = arena_printf(env_arena(env), ",\"backup_urls\":[\"%s/\"]", s->url);
    int64_t before;

    (void)state;
    standin_configure(dead, "");
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 502);
    standin_configure(dead, backup);
    /* a call whose connection could not be opened goes on within itself, whatever its method; each URL once */
    ENV_WAIT(env, 20000, api_raw(env, "PUT", "/api/v01/p1/tenants/acme/", "{\"name\":\"Acme\"}").status == 200);
    before = standin_calls();
    assert_int_equal(api_raw(env, "PUT", "/api/v01/p1/tenants/acme/", "{\"name\":\"Acme\"}").status, 200);
    assert_int_equal(standin_calls(), before + 1);
    standin_configure(s->url, "");
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 200);
}

/* What was sent is never sent again, to nobody; an error that the gateway answers moves nothing. */
static void item_6_sent_posts_stay_single(void **state)
{
    int64_t before;

    (void)state;
    standin_configure(s->url, arena_printf(env_arena(env), ",\"backup_urls\":[\"%s/\"]", s->url));
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 200);
    standin_control("PUT", "", "{\"close_early\":true,\"times\":1}");
    before = standin_calls();
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/tenants/", "{}").status, 502);
    assert_int_equal(standin_calls(), before + 1);
    standin_control("PUT", "", "{\"status\":500,\"times\":1}");
    before = standin_calls();
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/tenants/", "{}").status, 500);
    assert_int_equal(standin_calls(), before + 1);
    standin_configure(s->url, "");
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 200);
}

/* With failover "next" the failing call fails; the following ones take the backup. */
static void item_6_next_only(void **state)
{
    const char *dead = arena_printf(env_arena(env), "http://127.0.0.1:%d", env_free_port(env));

    (void)state;
    standin_configure(dead, arena_printf(env_arena(env), ",\"failover\":\"next\",\"backup_urls\":[\"%s/\"]", s->url));
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 502);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    standin_configure(s->url, "");
    ENV_WAIT(env, 20000, standin_get("/api/v01/p1/tenants/") == 200);
}

/* What the proxy says of itself: nginx asks a core. */
static const char *health(void)
{
    struct fcgi_request r = {.uri = "/api/v01/health"};
    struct fcgi_answer f = fcgi_call(env_path(env, "p1.sock"), &r, env_arena(env));
    struct err e = {0};
    struct val v;

    assert_int_equal(f.status, 200);
    assert_int_equal(json_parse(f.body, &v, env_arena(env), &e), 0);
    return api_text(env, v, "status");
}

static void item_5_the_last_good_gateway_stays(void **state)
{
    const char *first;

    (void)state;
    assert_string_equal(health(), "ok");
    api_configure(env, "gateways", "{\"other\":{\"url\":\"http://127.0.0.1:9/\"}}");
    ENV_WAIT(env, 20000, strstr(env_log(env, "p1.sock"), "gateway \\\"bwks\\\" of proxy /api/v01/p1 is not in the configuration") != NULL);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    ENV_WAIT(env, 5000, env_psql(env, "SELECT 1 FROM alarms WHERE key = 'proxy_gateway' AND subject = '/api/v01/p1' AND active")[0] == '1');
    assert_string_equal(health(), "degraded");
    api_configure(env, "gui", "{\"label\":\"changed\"}"); /* something else: nothing new to say */
    api_configuration_heard(env, "p1.sock");
    first = strstr(env_log(env, "p1.sock"), "proxy.gateway");
    assert_non_null(first);
    assert_null(strstr(first + 1, "proxy.gateway"));
    standin_configure(s->url, "");
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    ENV_WAIT(env, 5000, env_psql(env, "SELECT 1 FROM alarms WHERE key = 'proxy_gateway' AND active")[0] == '\0');
    assert_string_equal(health(), "ok");
}

/* At the start an unknown gateway is a clear error. */
static void item_5_unknown_at_the_start(void **state)
{
    const char *const argv[] = {env_program(env, "sluice-proxy"), "-proxy=/api/v01/p9:nosuch", "-runMigration=false",
                                arena_printf(env_arena(env), "-socket=%s", env_path(env, "p9.sock")), NULL};
    const char *const vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};

    (void)state;
    assert_int_equal(env_wait_exit(env, env_spawn(env, "unknown", argv, vars), 15000), 78);
    assert_non_null(strstr(env_log(env, "unknown"), "gateway \"nosuch\" of proxy /api/v01/p9 is not in the configuration (known: bwks"));
}

static void item_11_the_gateway_is_killed(void **state)
{
    (void)state;
    (void)env_kill(env, s->gateway, SIGKILL);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 502);
    assert_int_equal(api_raw(env, "PUT", "/api/v01/p1/tenants/acme/", "{}").status, 502);
    assert_true(env_running(env, s->proxy));
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, s->proxy);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROXY_TEST(item_6_within_the_call), PROXY_TEST(item_6_sent_posts_stay_single), PROXY_TEST(item_6_next_only),
        PROXY_TEST(item_5_unknown_at_the_start), PROXY_TEST(item_5_the_last_good_gateway_stays),
    };
    const struct CMUnitTest last[] = {PROXY_TEST(item_11_the_gateway_is_killed), API_TEST(ends_cleanly)};
    int failed;

    s = standin_start();
    env = s->env;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)api_setup(NULL);
    standin_configure(s->url, ",\"timeout\":1");
    failed += CASES(trouble_rows, reports_trouble) + cmocka_run_group_tests(last, NULL, NULL);
    return env_end(env, failed);
}
