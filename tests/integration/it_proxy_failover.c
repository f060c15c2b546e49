/*
 * Two addresses of one gateway: what goes on to the second one, what never does, counted at both (gateway-proxy.md 3, 12 item 6).
 */
#include "base/arena.h"

#include <string.h>

#include "integration/env_api.h"

static struct env *env;
static bool running; /* the proxy */
static const char *urls[2]; /* main, backup: "http://127.0.0.1:N" */

static struct val control(int which, const char *method, const char *path, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http_at(env, method, env_fmt(env, "%s/_control%s", urls[which], path), json, body);

    assert_int_equal(a.status, 200);
    return api_json(env, &a);
}

#define POSTS "POST /api/v1/tenants/"
#define GETS "GET /api/v1/tenants/"

static int64_t earlier[2][2]; /* of each, posts and gets before this test */

static int64_t counted(int which, const char *call)
{
    return val_get_int(val_get(control(which, "GET", "/counters", NULL), "paths"), call, 0);
}

/* How often this call came to one of the two in this test. */
static int64_t came(int which, const char *call)
{
    return counted(which, call) - earlier[which][strcmp(call, GETS) == 0];
}

static void configure(const char *main, const char *more)
{
    api_configure(env, "gateways", env_fmt(env, "{\"bwks\":{\"url\":\"%s/\",\"timeout\":5,\"username\":\"gwsystem\",\"password\":\"system-secret\"%s}}", main, more));
    if (running)
        api_configuration_heard(env, "p1.sock");
}

static int get(void)
{
    return api_raw(env, "GET", "/api/v01/p1/tenants/", NULL).status;
}

static int post(const char *id)
{
    return api_raw(env, "POST", "/api/v01/p1/tenants/", env_fmt(env, "{\"tenantId\":\"%s\"}", id)).status;
}

/* The main URL alone until calls reach it; both behave, and are counted from here.  Their sessions go on: a call that is refused
 * for want of one would come twice. */
static int fresh(void **state)
{
    int64_t before = counted(0, GETS);

    (void)api_setup(state);
    for (int i = 0; i < 2; i++)
        control(i, "PUT", "", "{\"status\":0,\"close_early\":false}");
    configure(urls[0], "");
    ENV_WAIT(env, 5000, get() == 200 && counted(0, GETS) > before);
    for (int i = 0; i < 2; i++) {
        earlier[i][0] = counted(i, POSTS);
        earlier[i][1] = counted(i, GETS);
    }
    return 0;
}

static void with_main(const char *main, const char *more)
{
    configure(main, env_fmt(env, ",\"backup_urls\":[\"%s/\"]%s", urls[1], more));
}

static const char *nobody(void)
{
    return env_fmt(env, "http://127.0.0.1:%d", env_free_port(env));
}

static void item_6_refused_goes_on_within_the_call(void **state)
{
    (void)state;
    with_main(nobody(), "");
    assert_int_equal(post("first"), 201);
    assert_int_equal(came(1, POSTS), 1);
    assert_int_equal(post("second"), 201);
    assert_int_equal(came(1, POSTS), 2);
}

static void item_6_next_leaves_the_first_call(void **state)
{
    (void)state;
    with_main(nobody(), ",\"failover\":\"next\"");
    assert_int_equal(post("third"), 502);
    assert_int_equal(came(1, POSTS), 0);
    assert_int_equal(post("fourth"), 201);
    assert_int_equal(came(1, POSTS), 1);
}

/* Sent and broken: nobody knows what happened, so nobody does it again; later calls take the backup. */
static void item_6_sent_posts_stay_single(void **state)
{
    int64_t before;

    (void)state;
    with_main(urls[0], "");
    control(0, "PUT", "", "{\"close_early\":true}");
    before = came(0, POSTS);
    assert_int_equal(post("fifth"), 502);
    assert_int_equal(came(0, POSTS), before + 1);
    assert_int_equal(came(1, POSTS), 0);
    assert_int_equal(post("sixth"), 201);
    assert_int_equal(came(0, POSTS), before + 1);
    assert_int_equal(came(1, POSTS), 1);
}

/* Nothing can have happened twice: reading goes on within the call. */
static void item_6_reading_goes_on(void **state)
{
    int64_t before;

    (void)state;
    with_main(urls[0], "");
    control(0, "PUT", "", "{\"close_early\":true}");
    before = came(1, GETS);
    assert_int_equal(get(), 200);
    assert_int_equal(came(1, GETS), before + 1);
}

static void item_6_an_answer_of_500_stays(void **state)
{
    int64_t before, got;

    (void)state;
    with_main(urls[0], "");
    control(0, "PUT", "", "{\"status\":500}");
    before = came(0, POSTS);
    assert_int_equal(post("seventh"), 500);
    assert_int_equal(post("eighth"), 500);
    assert_int_equal(came(0, POSTS), before + 2);
    control(0, "PUT", "", "{\"status\":0}");
    got = came(0, GETS);
    assert_int_equal(get(), 200);
    assert_int_equal(came(0, GETS), got + 1);
    assert_int_equal(came(1, GETS) + came(1, POSTS), 0);
}

#define FRESH(fn) cmocka_unit_test_setup(fn, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(item_6_refused_goes_on_within_the_call), FRESH(item_6_next_leaves_the_first_call), FRESH(item_6_sent_posts_stay_single),
        FRESH(item_6_reading_goes_on),                 FRESH(item_6_an_answer_of_500_stays),
    };

    env = env_start();
    for (int i = 0; i < 2; i++) {
        int port = env_free_port(env);

        urls[i] = env_fmt(env, "http://127.0.0.1:%d", port);
        env_spawn(env, env_fmt(env, "gateway%d", i), (const char *const[]){env_program(env, "tests/standin_gateway"), env_fmt(env, "-port=%d", port), NULL}, NULL);
        ENV_WAIT(env, 5000, env_port_open(port));
    }
    env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    configure(urls[0], "");
    env_app_start(env, "sluice-proxy", "p1.sock", (const char *const[]){"-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(env, 20000, get() == 200);
    running = true;
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
