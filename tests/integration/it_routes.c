/*
 * Custom routes through nginx: answers, matching, schemas, who may call; instances read back; calls of http_call.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "integration/env_api.h"
#include "support/cases.h"

#define CANARY "canary-5ecret-77aa"

static struct env *env;
static const char *gateway; /* URL of the stand-in */

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* Values of parameters as the editor stores them. */
#define SET(name, key, value)                                                                                          \
    CELL(name, "context_setter", "\"key\":\"{\\\"key\\\":\\\"" key "\\\",\\\"cleanup\\\":false}\",\"value\":\"" value "\"", "\"ok\"")
#define RESPOND(body) CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"" body "\"", "\"ok\"")
#define STRAIGHT LINE("start.ok", "answer") "," LINE("answer.ok", "end")
#define ANSWERING(body) DEFINITION(RESPOND(body) ",", STRAIGHT)

/* A route of its own activity, served when this returns. */
static void serve(const char *method, const char *route, const char *definition, const char *more)
{
    static int n;
    const char *name = arena_printf(env_arena(env), "activity %d", n++);

    api_route(env, method, route, api_activity(env, name, definition), more);
}

static void until_served(const char *method, const char *path)
{
    ENV_WAIT(env, 5000, api_raw(env, method, path, NULL).status != 404);
}

/* ---- changes ------------------------------------------------------------------------------------ */

static struct val profile(const char *path, int allowed)
{
    return api(env, 200, "POST", "/api/v01/system/user_profiles",
               env_fmt(env, "{\"name\":\"for %s\",\"available\":true,\"accesses\":[],\"api_rules\":"
                            "[{\"method\":\"get\",\"url\":\"/api/v01/custom%s\",\"allowed\":%s}]}", path, path, allowed ? "true" : "false"));
}

/* Whoever was answered need not wait: routes, profiles. */
static void changes_are_in_use_when_answered(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        const char *path = env_fmt(env, "/changes/%d", i), *whole = env_fmt(env, "/api/v01/custom%s", path), *was;
        struct val p = profile(path, i % 2);

        serve("get", path, ANSWERING("{}"), ",\"sync\":true");
        assert_int_equal(api_raw(env, "GET", whole, NULL).status, 200);
        api(env, 200, "POST", "/api/v01/system/users",
            env_fmt(env, "{\"username\":\"changes%d\",\"email\":\"changes%d@example.org\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}",
                    i, i, (long long)api_int(p, "id")));
        was = api_as(api_login(env, env_fmt(env, "changes%d", i), "Pass-word-123!"));
        assert_int_equal(api_raw(env, "GET", whole, NULL).status, i % 2 ? 200 : 403);
        api_as(was);
        api(env, 200, "DELETE", env_fmt(env, "/api/v01/custom_routes/%s", env_sql(env, "SELECT id FROM custom_routes WHERE route = '%s'", path)), NULL);
        assert_int_equal(api_raw(env, "GET", whole, NULL).status, 404);
    }
}

/* ---- synchronous answers ------------------------------------------------------------------------ */

static void answers_json(void **state)
{
    struct env_answer a;

    (void)state;
    serve("get", "/json/{name}", ANSWERING("{\\\"hello\\\": {{ request.match_info.name|tojson }}, \\\"q\\\": {{ request.params|tojson }}}"),
          ",\"sync\":true");
    until_served("GET", "/api/v01/custom/json/x");
    a = api_raw(env, "GET", "/api/v01/custom/json/caf%C3%A9%2Fx?a=1&b=%20", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"hello\":\"caf\xc3\xa9/x\",\"q\":{\"a\":\"1\",\"b\":\" \"}}");
    assert_string_equal(env_header(env, &a, "Content-Type"), "application/json");
}

static void answers_text_and_headers(void **state)
{
    struct env_answer a;

    (void)state;
    serve("post", "/text",
          DEFINITION(CELL("answer", "sync_response",
                          "\"status\":\"{{ request.body.status }}\",\"body\":\"plain {{ request.body.word }}\",\"headers\":"
                          "\"[[\\\"X-Word\\\",\\\"{{ request.body.word }}\\\"],[\\\"Cache-Control\\\",\\\"no-store\\\"],"
                          "[\\\"X-Accel-Redirect\\\",\\\"/api/v01/health\\\"],[\\\"\\\\rX-Accel-Redirect\\\",\\\"/api/v01/health\\\"]]\"",
                          "\"ok\"") ",",
                     STRAIGHT),
          ",\"sync\":true");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/custom/text", "{\"status\":201,\"word\":\"w\"}").status != 404);
    a = api_raw(env, "POST", "/api/v01/custom/text", "{\"status\":418,\"word\":\"tea\"}");
    assert_int_equal(a.status, 418);
    assert_string_equal(a.body, "plain tea");
    assert_string_equal(env_header(env, &a, "Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(env_header(env, &a, "X-Word"), "tea");
    assert_string_equal(env_header(env, &a, "Cache-Control"), "no-store");
    a = api_raw(env, "POST", "/api/v01/custom/text", "{\"status\":99,\"word\":\"x\"}");
    assert_int_equal(a.status, 500);
    assert_non_null(strstr(a.body, "between 100 and 599"));
    assert_non_null(strstr(a.body, "guid"));
}

/* What a template divides to is no whole number to it, but to everybody else. */
static void answers_with_a_status_that_was_computed(void **state)
{
    static const struct {
        const char *status;
        int want;
    } rows[] = {{"400 / 2", 200}, {"418.0", 418}, {"401 / 2", 500}, {"99.0", 500}, {"600.0", 500}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *path = env_fmt(env, "/computed/%zu", i);

        serve("get", path,
              env_fmt(env, DEFINITION(SET("answer", "*response*", "{\\\"status\\\": {{ %s }}, \\\"body\\\": \\\"b\\\"}") ",", STRAIGHT),
                      rows[i].status),
              ",\"sync\":true");
        assert_int_equal(api_raw(env, "GET", env_fmt(env, "/api/v01/custom%s", path), NULL).status, rows[i].want);
    }
}

static void branches(void **state)
{
    struct val v;

    (void)state;
    serve("get", "/branch/{n:[0-9]+}",
          DEFINITION(SET("set", "kind", "{{ 'even' if request.match_info.n|int % 2 == 0 else 'odd' }}") ","
                     CELL("which", "switch", "\"expressions\":\"[[\\\"context.kind == 'even'\\\",\\\"even\\\"]]\"",
                          "\"default\",\"even\"") ","
                     SET("e", "word", "is even") "," SET("o", "word", "is odd") ","
                     CELL("join", "or_outputs", "", "\"ok\"") ","
                     RESPOND("{\\\"r\\\": \\\"{{ context.word }}\\\"}") ",",
                     LINE("start.ok", "set") "," LINE("set.ok", "which") "," LINE("which.even", "e") "," LINE("which.default", "o") ","
                     LINE("e.ok", "join") "," LINE("o.ok", "join") "," LINE("join.ok", "answer") "," LINE("answer.ok", "end")),
          ",\"sync\":true");
    until_served("GET", "/api/v01/custom/branch/1");
    v = api(env, 200, "GET", "/api/v01/custom/branch/4", NULL);
    assert_string_equal(text(v, "r"), "is even");
    v = api(env, 200, "GET", "/api/v01/custom/branch/7", NULL);
    assert_string_equal(text(v, "r"), "is odd");
    api(env, 404, "GET", "/api/v01/custom/branch/x", NULL); /* the regular expression does not fit */
}

/* ---- which route ----------------------------------------------------------------------------------- */

static void knows_methods(void **state)
{
    struct env_answer a;

    (void)state;
    serve("get", "/methods", ANSWERING("g"), ",\"sync\":true");
    serve("put", "/methods", ANSWERING("p"), ",\"sync\":true");
    until_served("GET", "/api/v01/custom/methods");
    ENV_WAIT(env, 5000, api_raw(env, "PUT", "/api/v01/custom/methods", "{}").status == 200);
    a = api_raw(env, "DELETE", "/api/v01/custom/methods", NULL);
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(env_header(env, &a, "Allow"), "GET"));
    assert_non_null(strstr(env_header(env, &a, "Allow"), "PUT"));
    assert_non_null(strstr(a.body, "\"error\""));
    a = api_raw(env, "GET", "/api/v01/custom/methods/", NULL); /* the other form of the slash is tried too */
    assert_int_equal(a.status, 200);
    api(env, 409, "POST", "/api/v01/custom_routes", "{\"route\":\"/methods\",\"method\":\"GET\"}");
    api(env, 409, "POST", "/api/v01/custom_routes", "{\"route\":\"/api/v01/activities\",\"method\":\"get\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"relative\",\"method\":\"get\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/a/../b\",\"method\":\"get\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/a/{b:[}\",\"method\":\"get\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/a/{b}/{b}\",\"method\":\"get\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/methods2\",\"method\":\"trace\"}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/methods2\",\"method\":\"get\",\"activity_id\":999999}");
    api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/methods2\",\"method\":\"get\",\"sync\":\"maybe\"}");
    api(env, 404, "PUT", "/api/v01/custom_routes/999999", "{\"sync\":true}");
}

static void enables_and_disables(void **state)
{
    int64_t activity = api_activity(env, "toggled", ANSWERING("on"));
    int64_t id = api_route(env, "get", "/toggled", activity, ",\"sync\":true");
    const char *path = arena_printf(env_arena(env), "/api/v01/custom_routes/%lld", (long long)id);
    struct val v;

    (void)state;
    until_served("GET", "/api/v01/custom/toggled");
    api(env, 200, "PUT", path, "{\"enabled\":false}");
    ENV_WAIT(env, 1500, api_raw(env, "GET", "/api/v01/custom/toggled", NULL).status == 404);
    api(env, 200, "PUT", path, "{\"enabled\":true,\"public\":true}");
    ENV_WAIT(env, 1500, api_raw(env, "GET", "/api/v01/public/toggled", NULL).status == 200);
    api_as("");
    assert_int_equal(api_raw(env, "GET", "/api/v01/public/toggled", NULL).status, 200);
    assert_int_equal(api_raw(env, "GET", "/api/v01/custom/toggled", NULL).status, 404);
    api_setup(NULL);
    v = api(env, 200, "GET", "/api/v01/custom_routes", NULL);
    assert_non_null(strstr(json_text(v, env_arena(env)).p, "\"/toggled\""));
    api(env, 200, "DELETE", path, NULL);
    ENV_WAIT(env, 1500, api_raw(env, "GET", "/api/v01/public/toggled", NULL).status == 404);
}

static void checks_schemas(void **state)
{
    struct val v;

    (void)state;
    serve("post", "/schema", ANSWERING("fine"),
          ",\"sync\":true,\"schema\":{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},"
          "\"n\":{\"type\":\"integer\",\"minimum\":1}}}");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/custom/schema", "{\"name\":\"x\"}").status == 200);
    v = api(env, 400, "POST", "/api/v01/custom/schema", "{\"n\":0}");
    assert_string_not_equal(text(v, "error"), "");
    assert_non_null(strstr(text(v, "errors"), "name"));
    assert_non_null(strstr(text(v, "errors"), "\"path\":\"n\"") != NULL ? "" : strstr(text(v, "errors"), "/n"));
    api(env, 400, "POST", "/api/v01/custom/schema", NULL); /* no body is null */
    v = api(env, 400, "POST", "/api/v01/custom_routes", "{\"route\":\"/schema2\",\"method\":\"get\",\"schema\":{\"type\":7}}");
    assert_non_null(strstr(text(v, "error"), "schema"));
}

/* ---- asynchronous ------------------------------------------------------------------------------------- */

static void runs_asynchronously(void **state)
{
    struct arena *a = env_arena(env);
    const char *path;
    struct val v, t;
    int64_t id;

    (void)state;
    serve("post", "/async",
          DEFINITION(SET("keep", "note", "n={{ request.body.n }}") "," SET("hide", "password", "{{ request.body.password }}") ",",
                     LINE("start.ok", "keep") "," LINE("keep.ok", "hide") "," LINE("hide.ok", "end")),
          "");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/custom/async", "{}").status == 200);
    v = api(env, 200, "POST", "/api/v01/custom/async", "{\"n\":7,\"password\":\"" CANARY "\"}");
    id = api_int(v, "id");
    assert_int_equal(strlen(text(v, "guid")), 36);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    path = arena_printf(a, "/api/v01/transactions/%s", text(v, "guid"));
    t = api(env, 200, "GET", path, NULL);
    path = arena_printf(a, "/api/v01/transactions/%lld", (long long)id);
    t = api(env, 200, "GET", path, NULL);
    assert_string_equal(text(t, "status"), "CLOSED_IN_SUCCESS");
    assert_string_equal(text(t, "guid"), text(v, "guid"));
    assert_int_equal(val_count(val_get(t, "tasks")), 4);
    assert_non_null(strstr(text(t, "context"), "n=7"));
    if (strstr(json_text(t, a).p, CANARY) != NULL)
        env_fail(env, "a secret shows: %.120s", strstr(json_text(t, a).p, CANARY) - 80);
    assert_true(val_is(val_get(t, "definition"), VAL_STR));
    v = api(env, 200, "GET", arena_printf(a, "%s/traces", path), NULL);
    assert_true(val_is(v, VAL_DICT));
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT count(*) FROM tasks WHERE instance_id = %lld AND status = 'OK'",
                                                   (long long)id)),
                        "4");
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT count(*) FROM jobs WHERE ref_id = %lld", (long long)id)), "0");
    api(env, 404, "GET", "/api/v01/transactions/99999999", NULL);
    api(env, 404, "GET", "/api/v01/transactions/00000000-0000-4000-8000-000000000000", NULL);
    api(env, 404, "GET", "/api/v01/transactions/nonsense", NULL);
}

/* ---- searching ---------------------------------------------------------------------------------------- */

static void searches_requests(void **state)
{
    struct val v, all;
    const char *filter;

    (void)state;
    serve("get", "/found", ANSWERING("found"), ",\"sync\":true");
    until_served("GET", "/api/v01/custom/found");
    api_raw(env, "GET", "/api/v01/custom/found?mark=1&auth_token=" CANARY, NULL);
    all = api(env, 200, "GET", "/api/v01/apio/requests", NULL);
    assert_true(val_count(val_get(all, "requests")) > 0);
    assert_true(api_int(all, "pagination.3") >= 1);
    assert_null(strstr(json_text(all, env_arena(env)).p, CANARY));
    filter = "%7B%22field%22%3A%22request_url%22%2C%22op%22%3A%22like%22%2C%22value%22%3A%22%25mark%3D1%25%22%2C%22model%22%3A%22requests%22%7D";
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/apio/requests/search?filter=%%5B%s%%5D", filter), NULL);
    assert_int_equal(val_count(val_get(v, "requests")), 1);
    v = api(env, 200, "GET", "/api/v01/apio/requests/search?paging=%7B%22page_number%22%3A1,%22page_size%22%3A2%7D", NULL);
    assert_int_equal(val_count(val_get(v, "requests")), 2);
    v = api(env, 200, "GET", "/api/v01/apio/requests_count", NULL);
    assert_true(val_is(v, VAL_DICT));
    v = api(env, 400, "GET", "/api/v01/apio/requests/search?filter=%5B%7B%22field%22%3A%22nope%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A1%7D%5D", NULL);
    assert_non_null(strstr(text(v, "error"), "nope"));
    v = api(env, 400, "GET", "/api/v01/apio/requests/search?filter=%7B", NULL);
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/apio/requests/%s", text(all, "requests.0.request_id")[0] != '\0'
                                                                                           ? text(all, "requests.0.request_id")
                                                                                           : text(all, "requests.0.id")),
            NULL);
    api(env, 404, "GET", "/api/v01/apio/requests/99999999", NULL);
}

/* ---- who ----------------------------------------------------------------------------------------------- */

static const char *make_user(const char *name, const char *rules)
{
    struct arena *a = env_arena(env);
    struct val v = api(env, 200, "POST", "/api/v01/system/user_profiles",
                       arena_printf(a, "{\"name\":\"%s\",\"available\":true,\"accesses\":[],\"api_rules\":%s}", name, rules));
    int64_t profile = api_int(v, "id");

    api(env, 200, "POST", "/api/v01/system/users",
        arena_printf(a, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}", name,
                     name, (long long)profile));
    return api_login(env, name, "Pass-word-123!");
}

static void enforces_rules(void **state)
{
    const char *token;

    (void)state;
    serve("get", "/ruled/a", ANSWERING("a"), ",\"sync\":true");
    serve("get", "/ruled/b", ANSWERING("b"), ",\"sync\":true");
    until_served("GET", "/api/v01/custom/ruled/b");
    token = make_user("ruled", "[{\"method\":\"get\",\"url\":\"/api/v01/custom/ruled/b\",\"allowed\":false},"
                               "{\"method\":\"get\",\"url\":\"/api/v01/custom/ruled/*\",\"allowed\":true}]");
    assert_non_null(token);
    ENV_WAIT(env, 3000, (api_as(token), api_raw(env, "GET", "/api/v01/custom/ruled/a", NULL).status == 200));
    assert_int_equal(api_raw(env, "GET", "/api/v01/custom/ruled/b", NULL).status, 403);
    assert_int_equal(api_raw(env, "GET", "/api/v01/custom/ruled/%62", NULL).status, 403); /* another spelling of b */
    assert_int_equal(api_raw(env, "GET", "/api/v01/custom/methods", NULL).status, 403);
    api(env, 403, "GET", "/api/v01/system/users", NULL);
    api(env, 403, "POST", "/api/v01/activities", "{\"name\":\"x\"}");
    api(env, 403, "GET", "/api/v01/system/configuration", NULL);
    api(env, 200, "GET", "/api/v01/system/users/local", NULL);
    api_as("");
    assert_int_equal(api_raw(env, "GET", "/api/v01/custom/ruled/a", NULL).status, 401);
}

/* ---- http_call -------------------------------------------------------------------------------------------- */

#define CALL(url, more)                                                                                                \
    CELL("call", "http_call",                                                                                          \
         "\"session_holder\":\"bwks\",\"method\":\"get\",\"url\":\"" url "\",\"output_context_key\":\"{\\\"key\\\":\\\"out\\\"," \
         "\\\"cleanup\\\":false}\"" more,                                                                                \
         "\"success\",\"error\",\"404\"")
#define CALLING(url, more)                                                                                             \
    DEFINITION(CALL(url, more) "," SET("bad", "why", "not found") "," CELL("join", "or_outputs", "", "\"ok\"") ","          \
               RESPOND("{\\\"status\\\": {{ context.out.status|default(0) }}, \\\"error\\\": {{ context.out.error|default(none)|tojson }}, \\\"why\\\": {{ context.why|default('')|tojson }}, " \
                       "\\\"body\\\": {{ context.out.body|default('')|tojson }}}") ",",                                     \
               LINE("start.ok", "call") "," LINE("call.success", "join") "," LINE("call.404", "bad") "," LINE("bad.ok", "join") "," \
               LINE("call.error", "join") "," LINE("join.ok", "answer") "," LINE("answer.ok", "end"))

static void calls_gateways(void **state)
{
    struct arena *a = env_arena(env);
    struct val v;

    (void)state;
    api_configure(env, "gateways",
                  arena_printf(a, "{\"bwks\":{\"url\":\"%s/\",\"auth\":\"default\",\"login_url\":\"/api/v1/login/\",\"username\":\"gwsystem\","
                                  "\"password\":\"system-secret\"},\"dead\":{\"url\":\"http://127.0.0.1:%d/\"}}",
                               gateway, env_free_port(env)));
    serve("get", "/call/ok", CALLING("/api/v1/tenants/", ",\"http_codes\":\"404\""), ",\"sync\":true");
    serve("get", "/call/missing", CALLING("/api/v1/tenants/nobody/", ",\"http_codes\":\"404\""), ",\"sync\":true");
    until_served("GET", "/api/v01/custom/call/missing");
    v = api(env, 200, "GET", "/api/v01/custom/call/ok", NULL);
    if (!val_is(val_path(v, "body.tenants"), VAL_LIST))
        env_fail(env, "%s", json_text(v, a).p);
    assert_int_equal(api_int(v, "status"), 200);
    v = api(env, 200, "GET", "/api/v01/custom/call/missing", NULL);
    assert_int_equal(api_int(v, "status"), 404);
    assert_string_equal(text(v, "why"), "not found");
    assert_string_not_equal(env_psql(env, "SELECT count(*) FROM traces"), "0");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM traces WHERE traces::text LIKE '%system-secret%'"), "0");
}

static void takes_the_error_output(void **state)
{
    struct val v, t;

    (void)state;
    serve("get", "/call/dead",
          DEFINITION(CELL("call", "http_call", "\"session_holder\":\"dead\",\"method\":\"get\",\"url\":\"/x\"", "\"success\",\"error\"") ","
                     RESPOND("{\\\"failed\\\": true}") ",",
                     LINE("start.ok", "call") "," LINE("call.error", "answer") "," LINE("answer.ok", "end")),
          ",\"sync\":true");
    until_served("GET", "/api/v01/custom/call/dead");
    v = api(env, 200, "GET", "/api/v01/custom/call/dead", NULL);
    assert_string_equal(text(v, "failed"), "true");
    t = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/transactions/%s", env_psql(env, "SELECT max(id) FROM instances")), NULL);
    assert_string_equal(text(t, "errors.0.handled"), "true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(changes_are_in_use_when_answered), API_TEST(answers_json),       API_TEST(answers_text_and_headers),
        API_TEST(answers_with_a_status_that_was_computed), API_TEST(branches),       API_TEST(knows_methods),
        API_TEST(enables_and_disables), API_TEST(checks_schemas),         API_TEST(runs_asynchronously),
        API_TEST(searches_requests),  API_TEST(enforces_rules),           API_TEST(calls_gateways), API_TEST(takes_the_error_output),
    };
    int port;

    env = env_start();
    port = env_free_port(env);
    gateway = arena_printf(env_arena(env), "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway",
              (const char *const[]){env_program(env, "tests/standin_gateway"), arena_printf(env_arena(env), "-port=%d", port), NULL}, NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
