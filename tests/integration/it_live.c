/*
 * Live views through nginx: who may see what, what comes when something changes, and what FastCGI answers instead.
 */
#include "base/arena.h"
#include "base/json.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/fcgi_client.h"
#include "support/ws_client.h"

static struct env *env;
static struct arena *a;
static int port;

static struct ws open_as(const char *path, const char *token)
{
    struct buf b;

    buf_init(&b, 64 * KIB, a);
    buf_addf(&b, "%s?auth_token=%s", path, token);
    return ws_open(port, buf_cstr(&b), "");
}

static struct str message(struct ws *w)
{
    struct str got = ws_next(w, 10000, a);

    if (got.p == NULL)
        fail_msg("no message; close code %d", w->close_code);
    return got;
}

static void closed(struct ws *w, int code)
{
    assert_true(ws_next(w, 10000, a).p == NULL);
    assert_int_equal(w->close_code, code);
    ws_end(w);
}

static void alarms(void **state)
{
    struct ws w = open_as("/api/v01/alarms/active/ws", api_token());

    (void)state;
    assert_int_equal(w.status, 101);
    assert_true(str_eq_c(message(&w), ""));
    env_psql(env, "INSERT INTO alarms (key, level) VALUES ('a', 'critical'), ('b', 'info'), ('c', 'critical')");
    assert_true(str_eq_c(message(&w), "info=1;critical=2"));
    env_psql(env, "UPDATE alarms SET active = false");
    assert_true(str_eq_c(message(&w), ""));
    ws_end(&w);
}

static struct val instance(struct ws *w)
{
    struct val v;
    struct err e;

    assert_int_equal(json_parse(message(w), &v, a, &e), 0);
    return v;
}

static void a_transaction(void **state)
{
    int64_t activity = api_activity(env, "waits",
                                    DEFINITION(CELL("t", "timer", "\"timeout\":\"10 minutes\"", "\"ok\"") ",",
                                               "[\"start.ok\",\"t\"],[\"t.ok\",\"end\"]"));
    struct val started = api(env, 200, "POST", arena_printf(a, "/api/v01/activities/%lld/run", (long long)activity), "{}");
    const char *id = api_text(env, started, "id");
    struct ws w = open_as(arena_printf(a, "/api/v01/transactions/%s/ws", id), api_token());

    (void)state;
    assert_int_equal(w.status, 101);
    for (int i = 0; i < 5 && strcmp(api_text(env, instance(&w), "tasks.1.status"), "WAIT") != 0; i++)
        ;
    ws_send(&w, "{\"reload\": true}");
    assert_string_equal(api_text(env, instance(&w), "status"), "ACTIVE");
    api(env, 200, "PUT", arena_printf(a, "/api/v01/transactions/%s/context", id), "{\"key\":\"seen\",\"value\":\"1\"}");
    assert_string_equal(api_text(env, instance(&w), "context.0.key"), "seen");
    api(env, 200, "PUT", arena_printf(a, "/api/v01/transactions/%s", id), "{\"status\":\"CLOSED_IN_ERROR\"}");
    assert_string_equal(api_text(env, instance(&w), "status"), "CLOSED_IN_ERROR");
    ws_end(&w);
}

static void refuses(void **state)
{
    struct ws w = open_as("/api/v01/transactions/4711/ws", api_token());

    (void)state;
    closed(&w, 4001);
    w = open_as("/api/v01/alarms/other/ws", api_token());
    closed(&w, 4001);
    w = open_as("/api/v01/alarms/active/ws", "undefined");
    closed(&w, 4002);
    w = ws_open(port, "/api/v01/alarms/active/ws", "");
    closed(&w, 4002);
}

static void a_page_of_another_site(void **state)
{
    struct ws w = ws_open(port, "/api/v01/alarms/active/ws", "Origin: http://elsewhere.example\r\n");

    (void)state;
    assert_int_not_equal(w.status, 101);
    ws_end(&w);
    w = ws_open(port, "/api/v01/alarms/active/ws", arena_printf(a, "Origin: http://127.0.0.1:%d\r\n", port));
    assert_int_equal(w.status, 101);
    ws_end(&w);
}

static void long_messages_end_it(void **state)
{
    struct ws w = open_as("/api/v01/alarms/active/ws", api_token());
    char text[110];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_true(str_eq_c(message(&w), ""));
    ws_send(&w, text); /* no JSON: ignored */
    env_psql(env, "INSERT INTO alarms (key, level) VALUES ('d', 'major')");
    assert_true(str_eq_c(message(&w), "major=1"));
    env_psql(env, "DELETE FROM alarms");
    ws_end(&w);
}

static void without_upgrade(void **state)
{
    struct env_answer r = env_http(env, "GET", "/api/v01/alarms/active/ws", NULL, NULL);

    (void)state;
    assert_int_equal(r.status, 426);
}

static void over_fastcgi(void **state)
{
    struct fcgi_request ask = {.method = "GET", .uri = "/api/v01/transactions/1/ws"};
    struct fcgi_answer r = fcgi_call(env_path(env, "core.sock"), &ask, a);

    (void)state;
    assert_true(str_starts(fcgi_header(&r, "status"), STR("426")));
    assert_true(str_eq_c(r.body, "{\"error\":\"websocket needs the -wsPort listener\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(alarms),          API_TEST(a_transaction),        API_TEST(refuses),
        API_TEST(without_upgrade), API_TEST(long_messages_end_it), API_TEST(over_fastcgi),
        API_TEST(a_page_of_another_site),
    };
    int failed;

    a = arena_new(0);
    env = env_start();
    env_app_start(env, "sluice-core", "core.sock",
                  (const char *const[]){"-workflows", arena_printf(a, "-wsPort=%d", env_live_port(env)), NULL});
    port = env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return env_end(env, failed);
}
