/*
 * What a stranger may send: each is answered with JSON and the right status, and the core goes on.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/fcgi_client.h"

static struct env *env;
static pid_t core;

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

#define RESPOND(body) CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"" body "\"", "\"ok\"")
#define ANSWERING(body) DEFINITION(RESPOND(body) ",", LINE("start.ok", "answer") "," LINE("answer.ok", "end"))

#define BARE "{\"cells\":{" START "," END "},\"transitions\":[]}"
#define INLINE "\"method\":\"get\",\"route\":\"/inline"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X300 X50 X50 X50 X50 X50 X50

/* ---- bodies -------------------------------------------------------------------------------------- */

static const struct body_row {
    const char *name, *method, *path, *body;
    int status;
    const char *want; /* part of the error */
} body_rows[] = {
    {"not JSON", "POST", "/api/v01/activities", "{\"name\":", 400, "request body, line 1"},
    {"not JSON, second line", "POST", "/api/v01/activities", "{\n\"name\" 5}", 400, "request body, line 2"},
    {"trailing text", "POST", "/api/v01/activities", "{} x", 400, "request body"},
    {"single quotes", "POST", "/api/v01/activities", "{'name':1}", 400, "request body"},
    {"lone surrogate", "POST", "/api/v01/activities", "{\"name\":\"\\ud800\"}", 400, ""},
    {"NUL in a text", "POST", "/api/v01/activities",
     "{\"name\":\"a\\u0000b\",\"definition\":" ANSWERING("x") "}", 400, ""},
    {"broken UTF-8", "POST", "/api/v01/activities", "{\"name\":\"\xff\xfe\"}", 400, "request body"},
    {"overlong UTF-8", "POST", "/api/v01/activities", "{\"name\":\"\xc0\xaf\"}", 400, "request body"},
    {"a list", "POST", "/api/v01/activities", "[1,2]", 400, ""},
    {"a text", "POST", "/api/v01/activities", "\"x\"", 400, ""},
    {"number as name", "POST", "/api/v01/activities", "{\"name\":5}", 400, "name"},
    {"list as name", "POST", "/api/v01/activities", "{\"name\":[\"x\"]}", 400, "name"},
    {"no name", "POST", "/api/v01/activities", "{}", 400, "name"},
    {"long name", "POST", "/api/v01/activities", NULL, 400, "name"},
    {"label of another type", "POST", "/api/v01/activities/1/versions", "{\"label\":{}}", 400, "label"},
    {"route without method", "POST", "/api/v01/custom_routes", "{\"route\":\"/xxxx\"}", 400, "method"},
    {"import: name of blanks", "POST", "/api/v01/activities/import?name=%20", BARE, 400, "name: must not be empty"},
    {"import: no name inside", "POST", "/api/v01/activities/import",
     "{\"name\":\"imported\",\"definition\":" BARE ",\"sub_activities\":[{\"definition\":" BARE "}]}", 400, "name: must not be empty"},
    {"import: others as an object", "POST", "/api/v01/activities/import",
     "{\"name\":\"imported\",\"definition\":" BARE ",\"sub_activities\":{}}", 400, "sub_activities: expected a list"},
    {"import: other as a number", "POST", "/api/v01/activities/import",
     "{\"name\":\"imported\",\"definition\":" BARE ",\"sub_activities\":[7]}", 400, "sub_activities.0: expected an object"},
    {"import: long label", "POST", "/api/v01/activities/import?commitCurrentWorkingVersion=true&commitCurrentWorkingVersionLabel=" X300, BARE, 400,
     "commitCurrentWorkingVersionLabel: longer than 255 characters"},
    {"import: long name", "POST", "/api/v01/activities/import?name=" X300, BARE, 400, "name: longer than 255 characters"},
    {"name of blanks", "POST", "/api/v01/activities", "{\"name\":\"  \",\"definition\":" BARE "}", 400, "name: must not be empty"},
    {"definition in a route, no name", "POST", "/api/v01/custom_routes/import", "{" INLINE "/one\",\"definition\":" BARE "}", 400,
     "routes.0: definition: it has no name"},
    {"definition in one of two routes", "POST", "/api/v01/custom_routes/import?name=x",
     "[{" INLINE "/one\"},{" INLINE "/two\",\"definition\":" BARE "}]", 400, "routes.1: definition: it has no name"},
    {"two definitions of a route", "POST", "/api/v01/custom_routes/import?name=x",
     "{" INLINE "/one\",\"definition\":" BARE ",\"activity\":{\"name\":\"y\",\"definition\":" BARE "}}", 400,
     "definition: the route has an \"activity\" already"},
    {"job with a name of blanks", "POST", "/api/v01/timers/cron", "{\"job_id\":\" \",\"activity_id\":1}", 400, "job_id is required"},
    {"job of an activity beyond", "POST", "/api/v01/timers/cron", "{\"job_id\":\"j\",\"activity_id\":99999999999999999999999}", 400,
     "activity_id: beyond 64 bits"},
    {"schema as a list", "POST", "/api/v01/custom_routes", "{\"route\":\"/xxxx\",\"method\":\"get\",\"schema\":[]}", 400, "schema"},
    {"login without password", "POST", "/api/v01/auth/login", "{\"username\":\"admin\"}", 400, "password"},
    {"login with numbers", "POST", "/api/v01/auth/login", "{\"username\":1,\"password\":2}", 400, "username"},
    {"configuration as text", "PUT", "/api/v01/system/configuration", "\"x\"", 400, ""},
    {"gateway as a list", "PUT", "/api/v01/system/configuration", "{\"gateways\":[]}", 400, "gateways"},
    {"unknown failover", "PUT", "/api/v01/system/configuration", "{\"gateways\":{\"a\":{\"failover\":\"x\"}}}", 400, "gateways.a.failover: expected"},
    {"unknown time zone", "PUT", "/api/v01/system/configuration", "{\"timezone\":\"Nowhere/Land\"}", 400, "there is no time zone"},
    {"empty name", "POST", "/api/v01/activities", "{\"name\":\"\"}", 400, "name"},
    {"transaction status", "PUT", "/api/v01/transactions/999999", "{\"status\":\"NOPE\"}", 404, ""},
    {"unknown activity", "GET", "/api/v01/activities/999999", NULL, 404, "no such activity"},
    {"unknown template", "GET", "/api/v01/templates/999999", NULL, 404, "no such template"},
    {"unknown route", "DELETE", "/api/v01/custom_routes/999999", NULL, 404, "no such route"},
    {"unknown user", "GET", "/api/v01/system/users/999999", NULL, 404, "no such user"},
    {"id is no number", "GET", "/api/v01/activities/abc", NULL, 404, ""},
    {"id too large", "GET", "/api/v01/activities/99999999999999999999", NULL, 404, ""},
    {"activity beyond 32 bits", "GET", "/api/v01/activities/99999999999999", NULL, 404, "no such activity"},
    {"job beyond 32 bits", "DELETE", "/api/v01/timers/cron/99999999999999", NULL, 404, "no such job"},
    {"user beyond 32 bits", "DELETE", "/api/v01/system/users/99999999999/roles/1", NULL, 404, "no such user"},
    {"role beyond 32 bits", "DELETE", "/api/v01/system/users/1/roles/99999999999", NULL, 404, "no such role"},
    {"transaction beyond 32 bits", "GET", "/api/v01/transactions/99999999999999", NULL, 404, "no such transaction"},
    {"id negative", "GET", "/api/v01/activities/-1", NULL, 404, ""},
    {"injection", "GET", "/api/v01/activities/1%27%20OR%201=1", NULL, 404, ""},
    {"filter not JSON", "GET", "/api/v01/apio/requests?filter=%7Bx", NULL, 400, "filter"},
    {"unknown operator", "GET", "/api/v01/apio/requests?filter=%7B%22field%22:%22owner%22,%22op%22:%22zap%22,%22value%22:1%7D", NULL, 400, "zap"},
    {"huge page", "GET", "/api/v01/apio/requests?paging=%7B%22page_number%22:99999999,%22page_size%22:50%7D", NULL, 200, ""},
    {"method", "DELETE", "/api/v01/health", NULL, 405, "not allowed"},
    {"unknown method", "BREW", "/api/v01/health", NULL, 405, ""},
    {"wrong area", "GET", "/api/v01/nope", NULL, 404, "no such path"},
    {"a proxy nobody started", "GET", "/api/v01/p9/tenants/", NULL, 404, "no proxy serves /api/v01/p9"},
};

static void refuses(const struct body_row *r)
{
    const char *body = r->body;
    struct env_answer a;
    struct val v;

    if (strcmp(r->name, "long name") == 0) {
        char *name = arena_alloc(env_arena(env), 301);

        memset(name, 'x', 300);
        name[300] = '\0';
        body = arena_printf(env_arena(env), "{\"name\":\"%s\",\"definition\":%s}", name, ANSWERING("x"));
    }
    a = api_raw(env, r->method, r->path, body);
    if (a.status != r->status)
        env_fail(env, "expected %d, got %d: %.300s", r->status, a.status, a.body);
    v = api_json(env, &a);
    if (r->status >= 400) {
        assert_string_not_equal(text(v, "error"), "");
        if (strstr(text(v, "error"), r->want) == NULL)
            env_fail(env, "expected \"%s\" in: %s", r->want, a.body);
    }
}

/* ---- paths ------------------------------------------------------------------------------------------- */

static const struct path_row {
    const char *name, *path;
    int status;
} path_rows[] = {
    {"dots, escaped", "/api/v01/public/%2e%2e/custom/secret", 400},
    {"dots, half escaped", "/api/v01/public/.%2e/custom/secret", 400},
    {"one dot, escaped", "/api/v01/public/%2e/open", 400},
    {"NUL", "/api/v01/public/open%00", 400},
    {"line feed", "/api/v01/public/open%0a", 400},
    {"carriage return", "/api/v01/public/%0dopen", 400},
    {"two slashes", "/api/v01/public//open", 400},
    {"escaped slash is no border", "/api/v01/public%2Fopen", 404},
    {"escaped slash in a segment", "/api/v01/public/any/a%2Fb", 200},
    {"broken escape", "/api/v01/public/open%zz", 400},
    {"cut escape", "/api/v01/public/open%2", 400},
    {"escaped letters", "/api/v01/p%75blic/op%65n", 200},
    {"broken UTF-8, escaped", "/api/v01/public/any/%ff", 200}, /* repaired */
    {"without login it stays shut", "/api/v01/custom/secret", 401},
    {"escaped letters stay shut too", "/api/v01/c%75stom/s%65cret", 401},
    {"final slash", "/api/v01/public/open/", 200},
};

static void reads_paths(const struct path_row *r)
{
    struct env_answer a;

    api_as("");
    a = api_raw(env, "GET", r->path, NULL);
    api_setup(NULL);
    if (a.status != r->status)
        env_fail(env, "expected %d, got %d: %.300s", r->status, a.status, a.body);
    if (r->status != 200)
        assert_non_null(strstr(a.body, "\"error\""));
}

static void bounds_targets(void **state)
{
    char *path = arena_alloc(env_arena(env), 9001);
    struct env_answer a;

    (void)state;
    memset(path, 'x', 9000);
    memcpy(path, "/api/v01/public/any/", 20);
    path[9000] = '\0';
    a = api_raw(env, "GET", path, NULL);
    assert_true(a.status == 400 || a.status == 414);
    assert_non_null(strstr(a.body, "\"error\""));
}

/* ---- sizes ---------------------------------------------------------------------------------------------- */

static void refuses_large_bodies(void **state)
{
    struct fcgi_request direct = {.method = "POST", .uri = "/api/v01/public/echo", .announced = "33554433",
                                  .content_type = "application/json", .body = STR("{}")};
    size_t n = 33 * MIB;
    char *body = arena_alloc(env_arena(env), n + 1);
    struct fcgi_answer f;
    struct env_answer a;

    (void)state;
    memset(body, ' ', n);
    body[n] = '\0';
    a = api_raw(env, "POST", "/api/v01/public/echo", body); /* nginx says no */
    assert_int_equal(a.status, 413);
    assert_non_null(strstr(a.body, "{\"error\":\"request body larger than 32 MiB\"}"));
    f = fcgi_call(env_path(env, "core.sock"), &direct, env_arena(env)); /* and so do we */
    assert_int_equal(f.status, 413);
    assert_true(str_find(f.body, STR("\"error\"")) >= 0);
}

static void takes_bodies_up_to_the_limit(void **state)
{
    size_t n = 8 * MIB;
    char *body = arena_alloc(env_arena(env), n + 1);
    struct env_answer a;

    (void)state;
    memset(body, 'x', n);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + n - 2, "\"}", 3);
    a = api_raw(env, "POST", "/api/v01/public/echo", body);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, arena_printf(env_arena(env), "%zu", n - 8));
}

/* ---- files ---------------------------------------------------------------------------------------------- */

/* As older platforms export them: with ?name= the definition becomes a workflow. */
static void imports_definitions_of_routes(void **state)
{
    struct env_answer a;

    (void)state;
    api(env, 200, "POST", "/api/v01/custom_routes/import?name=inline",
        "{" INLINE "/three\",\"public\":true,\"sync\":true,\"definition\":" ANSWERING("inline") "}");
    ENV_WAIT(env, 5000, (a = api_raw(env, "GET", "/api/v01/public/inline/three", NULL)).status == 200);
    assert_string_equal(a.body, "inline");
}

/* ---- methods --------------------------------------------------------------------------------------------- */

static void answers_head_and_options(void **state)
{
    struct env_answer a;

    (void)state;
    a = api_raw(env, "HEAD", "/api/v01/health", NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 0);
    a = api_raw(env, "HEAD", "/api/v01/public/open", NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 0);
    a = api_raw(env, "OPTIONS", "/api/v01/public/open", NULL);
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(env_header(env, &a, "Allow"), "GET"));
    a = api_raw(env, "OPTIONS", "/api/v01/activities", NULL);
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(env_header(env, &a, "Allow"), "POST"));
}

/* ---- bodies of routes ------------------------------------------------------------------------------------- */

static void refuses_bodies_of_routes(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a;

    (void)state;
    a = env_http(env, "POST", "/api/v01/public/echo", json, "{\"a\":");
    assert_int_equal(a.status, 400);
    a = env_http(env, "POST", "/api/v01/public/echo", json, "{\"a\":\"\xff\"}");
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(a.body, "\"error\""));
}

/* ---- workflows gone wrong ---------------------------------------------------------------------------------- */

/* A public synchronous route; its first answer. */
static struct env_answer serve(const char *route, const char *definition)
{
    const char *path = arena_printf(env_arena(env), "/api/v01/public%s", route);
    struct env_answer a;

    api_route(env, "get", route, api_activity(env, route, definition), ",\"public\":true,\"sync\":true");
    ENV_WAIT(env, 5000, (a = api_raw(env, "GET", path, NULL)).status != 404);
    return a;
}

static void reports_template_errors(void **state)
{
    struct env_answer a;
    struct val v;

    (void)state;
    serve("/broken/template", ANSWERING("{{ 1 / (request.params.x|default(0)|int) }}"));
    v = api(env, 500, "GET", "/api/v01/public/broken/template", NULL);
    assert_non_null(strstr(text(v, "error"), "division by zero"));
    assert_int_equal(strlen(text(v, "guid")), 36);
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/transactions/%s", text(v, "guid")), NULL);
    assert_non_null(strstr(text(v, "errors"), "division by zero"));
    serve("/broken/syntax", ANSWERING("{{ 1 + }}"));
    v = api(env, 500, "GET", "/api/v01/public/broken/syntax", NULL);
    assert_string_not_equal(text(v, "error"), "");
    a = serve("/broken/range", ANSWERING("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"));
    assert_int_equal(a.status, 500); /* out of time */
    assert_non_null(strstr(a.body, "\"error\""));
}

#define STEP(name) CELL(name, "context_setter", "\"key\":\"k\",\"value\":\"v\"", "\"ok\"")

/* A circle in the graph ends at the limit of tasks, one of gotos at theirs. */
static void stops_endless_loops(void **state)
{
    struct val v;

    (void)state;
    serve("/loop/graph",
          DEFINITION(STEP("a") "," STEP("b") ",", LINE("start.ok", "a") "," LINE("a.ok", "b") "," LINE("b.ok", "a")));
    v = api(env, 500, "GET", "/api/v01/public/loop/graph", NULL);
    if (strstr(text(v, "error"), "10000") == NULL)
        env_fail(env, "%s", text(v, "error"));
    serve("/loop/goto",
          DEFINITION(STEP("a") "," CELL("back", "goto", "\"task\":\"a\"", "") ",", LINE("start.ok", "a") "," LINE("a.ok", "back")));
    v = api(env, 500, "GET", "/api/v01/public/loop/goto", NULL);
    assert_string_not_equal(text(v, "error"), "");
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/transactions/%s", text(v, "guid")), NULL);
    assert_string_not_equal(text(v, "errors"), "[]");
}

static void unknown_nodes_fail(void **state)
{
    struct val v;

    (void)state;
    serve("/odd/node", DEFINITION(CELL("odd", "frobnicate", "", "\"ok\"") ",", LINE("start.ok", "odd") "," LINE("odd.ok", "end")));
    v = api(env, 500, "GET", "/api/v01/public/odd/node", NULL);
    assert_non_null(strstr(text(v, "error"), "unknown node type"));
}

#define SHOP "{\"name\":\"shop\",\"original_name\":\"entity\",\"params\":{\"events\":\"paid,done\"},\"outputs\":[\"paid\",\"done\"]}"

static const char *nested(size_t n)
{
    char *text = arena_alloc(env_arena(env), 2 * n + 1);

    memset(text, '[', n);
    memset(text + n, ']', n);
    text[2 * n] = '\0';
    return text;
}

/* As deep as a text may be, it stands in a request, an event or a context deeper still: the run goes on. */
static void deep_values_stop_no_run(void **state)
{
    struct arena *m = env_arena(env);
    const char *definition = "{\"cells\":{" START "," STEP("kept") "," END "},\"entities\":[" SHOP "],\"transitions\":["
                             LINE("shop.paid", "kept") "," LINE("shop.done", "end") "]}";
    const char *run, *events;
    struct val v;

    (void)state;
    api_route(env, "post", "/deep", api_activity(env, "deep", definition), "");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/custom/deep", nested(LIMIT_JSON_DEPTH + 1)).status == 400);
    v = api(env, 200, "POST", "/api/v01/custom/deep", nested(LIMIT_JSON_DEPTH));
    run = arena_printf(m, "/api/v01/transactions/%s", text(v, "guid"));
    events = arena_printf(m, "%s/events", run);
    api(env, 200, "POST", events, arena_printf(m, "{\"key\":\"shop.paid\",\"value\":%s}", nested(LIMIT_JSON_DEPTH - 1)));
    api(env, 200, "POST", events, arena_printf(m, "{\"key\":\"shop.paid\",\"value\":\"%s\"}", nested(LIMIT_JSON_DEPTH)));
    api(env, 200, "PUT", arena_printf(m, "%s/context", run), arena_printf(m, "{\"key\":\"deep\",\"value\":%s}", nested(LIMIT_JSON_DEPTH - 1)));
    /* what comes back is deeper than texts from outside may be */
    assert_int_equal(api_raw(env, "GET", arena_printf(m, "%s/template_context", run), NULL).status, 200);
    api(env, 200, "POST", events, "{\"key\":\"shop.done\"}");
    ENV_WAIT(env, 10000, strcmp(text(api(env, 200, "GET", run, NULL), "status"), "CLOSED_IN_SUCCESS") == 0);
    v = api(env, 200, "GET", run, NULL);
    assert_string_equal(text(v, "errors"), "[]");
    assert_int_equal(api_raw(env, "GET", arena_printf(m, "/api/v01/apio/requests/%s", text(v, "original_request_id")), NULL).status, 200);
}

/* ---- the wire ------------------------------------------------------------------------------------------------ */

/* Whoever reaches the socket past nginx. */
static void survives_nonsense(void **state)
{
    const char *path = env_path(env, "core.sock");
    struct fcgi_request r = {.uri = "/api/v01/health"};
    struct fcgi_answer f;
    int fd;

    (void)state;
    fd = fcgi_connect(path);
    assert_true(fcgi_send(fd, STR("GET /api/v01/health HTTP/1.1\r\nHost: x\r\n\r\n")));
    close(fd);
    fd = fcgi_connect(path);
    assert_true(fcgi_send(fd, STR("\x01\x01\x00\x01\xff\xff\x00\x00")));
    close(fd);
    r.announced = "5"; /* shorter than announced */
    r.method = "POST";
    f = fcgi_call(path, &r, env_arena(env));
    assert_true(f.status == 400 || f.status == 0 || f.status == 405);
    r = (struct fcgi_request){.uri = "/api/v01/health"};
    f = fcgi_call(path, &r, env_arena(env));
    assert_int_equal(f.status, 200);
}

static void is_still_there(void **state)
{
    (void)state;
    assert_true(env_running(env, core));
    api(env, 200, "GET", "/api/v01/health", NULL);
    assert_null(strstr(env_log(env, "core.sock"), "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(bounds_targets),           API_TEST(refuses_large_bodies),    API_TEST(takes_bodies_up_to_the_limit),
        API_TEST(imports_definitions_of_routes), API_TEST(answers_head_and_options), API_TEST(refuses_bodies_of_routes), API_TEST(reports_template_errors),
        API_TEST(stops_endless_loops),      API_TEST(unknown_nodes_fail),       API_TEST(deep_values_stop_no_run),
               API_TEST(survives_nonsense),
        API_TEST(is_still_there),
    };
    int failed;

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    serve("/open", ANSWERING("open"));
    api_route(env, "get", "/any/{x}", api_activity(env, "any", ANSWERING("any")), ",\"sync\":true,\"public\":true");
    api_route(env, "get", "/secret", api_activity(env, "secret", ANSWERING("secret")), ",\"sync\":true");
    api_route(env, "post", "/echo", api_activity(env, "echo", ANSWERING("{{ request.body.a|length }}")),
              ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/public/echo", "{\"a\":\"\"}").status == 200);
    failed = CASES(body_rows, refuses) + CASES(path_rows, reads_paths) + cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0 && env_kill(env, core, SIGTERM) != 0)
        failed = 1; /* leaks are told at the end */
    return env_end(env, failed);
}
