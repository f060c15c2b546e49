/*
 * First light: nginx, core and PostgreSQL together; logging in, the configuration, activities with versions, templates.
 */
#include "base/arena.h"

#include <string.h>

#include "base/json.h"
#include "crypto/crypto.h"
#include "integration/env_api.h"
#include "support/cases.h"

#define CANARY "canary-5ecret-9d1f"

static struct env *env;

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* ---- without logging in ------------------------------------------------------------------------- */

static void answers_everybody(void **state)
{
    const char *was = api_as("");
    struct val v;

    (void)state;
    v = api(env, 200, "GET", "/api/v01/health", NULL);
    assert_true(val_is(v, VAL_DICT));
    v = api(env, 200, "GET", "/api/v01/system/configuration/public", NULL);
    assert_true(val_is(val_get(v, "password"), VAL_DICT));
    assert_true(val_is(val_path(v, "auth.SSO"), VAL_LIST));
    v = api(env, 200, "GET", "/api/v01/system/database/status", NULL);
    assert_true(val_is(v, VAL_DICT));
    api(env, 401, "GET", "/api/v01/activities", NULL);
    api(env, 401, "GET", "/api/v01/system/configuration", NULL);
    v = api(env, 404, "GET", "/api/v01/nowhere", NULL);
    assert_string_not_equal(text(v, "error"), "");
    api_as(was);
}

static void serves_the_interface(void **state)
{
    struct env_answer a = env_http(env, "GET", "/", NULL, NULL);

    (void)state;
    assert_int_equal(a.status, 200);
    assert_string_equal(env_header(env, &a, "X-Content-Type-Options"), "nosniff");
    assert_int_equal(env_http(env, "GET", "/some/page", NULL, NULL).status, 200);
}

/* ---- logging in ------------------------------------------------------------------------------------ */

static void logs_in_and_out(void **state)
{
    const char *body = arena_printf(env_arena(env), "{\"username\":\"admin\",\"password\":%s}",
                                    api_quoted(env, api_admin_password()));
    const char *was = api_as(""), *refresh, *access;
    unsigned char digest[64];
    struct env_answer pem;
    struct str sign;
    struct val v;
    size_t n;

    (void)state;
    v = api(env, 401, "POST", "/api/v01/auth/login", "{\"username\":\"admin\",\"password\":\"wrong\"}");
    assert_string_not_equal(text(v, "error"), "");
    v = api(env, 401, "POST", "/api/v01/auth/login", "{\"username\":\"nobody\",\"password\":\"wrong\"}");
    v = api(env, 200, "POST", "/api/v01/auth/login", body);
    refresh = text(v, "refresh_token");
    assert_string_not_equal(refresh, "");
    api_as(refresh);
    api(env, 401, "GET", "/api/v01/system/users/local", NULL); /* a refresh token renews and does nothing else */
    v = api(env, 200, "GET", "/api/v01/auth/access_token", NULL);
    access = text(v, "access_token");
    api_as(access);
    v = api(env, 200, "GET", "/api/v01/system/users/local", NULL);
    assert_string_equal(text(v, "username"), "admin");
    assert_true(val_is(val_get(v, "modules"), VAL_LIST));
    pem = api_raw(env, "GET", "/api/v01/auth/session_token_public_key", NULL);
    assert_int_equal(pem.status, 200);
    assert_non_null(strstr(pem.body, "-----BEGIN PUBLIC KEY-----"));
    assert_true(crypto_digest("sha1", str_c(refresh), digest, &n));
    sign = crypto_hex(env_arena(env), digest, n);
    api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/auth/logout?sign=sha1:%.*s", STR_ARG(sign)), NULL);
    api_as(refresh);
    api(env, 401, "GET", "/api/v01/auth/access_token", NULL);
    api_as(was);
}

static void takes_tokens_as_documented(void **state)
{
    const char *good = api_token();
    const char *path = arena_printf(env_arena(env), "/api/v01/system/users/local?auth_token=%s", good);
    char *forged = arena_strdup(env_arena(env), good);
    const char *was = api_as("");

    (void)state;
    api(env, 200, "GET", path, NULL);
    forged[strlen(forged) / 2] = forged[strlen(forged) / 2] == 'A' ? 'B' : 'A';
    api_as(forged);
    api(env, 401, "GET", "/api/v01/system/users/local", NULL);
    api_as("null");
    api(env, 401, "GET", "/api/v01/system/users/local", NULL);
    api_as(was);
}

/* ---- the configuration ---------------------------------------------------------------------------------- */

static bool label_is(const char *want)
{
    struct env_answer a = api_raw(env, "GET", "/api/v01/system/configuration/public", NULL);
    struct val v = api_json(env, &a);

    return strcmp(text(v, "gui.label"), want) == 0;
}

static void keeps_the_configuration(void **state)
{
    struct val v;

    (void)state;
    api_configure(env, "gateways",
                  "{\"bwks\":{\"url\":\"http://127.0.0.1:9/\",\"username\":\"u\",\"password\":\"" CANARY "\"}}");
    v = api(env, 200, "GET", "/api/v01/system/configuration", NULL);
    assert_string_equal(text(v, "content.gateways.bwks.url"), "http://127.0.0.1:9/");
    assert_string_equal(text(v, "content.gateways.bwks.password"), "## SECRET ##");
    api_configure(env, "gui", "{\"label\":\"second\"}"); /* the masked password comes back and stays */
    v = api(env, 200, "GET", "/api/v01/system/configuration?r=true", NULL);
    assert_string_equal(text(v, "content.gateways.bwks.password"), CANARY);
    v = api(env, 200, "GET", "/api/v01/system/configuration/history", NULL);
    assert_true(val_count(val_get(v, "list")) >= 3 || val_count(v) >= 3);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM configuration WHERE content::text LIKE '%" CANARY "%'"), "0");
    assert_null(strstr(env_log(env, "core.sock"), CANARY));
    v = api(env, 400, "PUT", "/api/v01/system/configuration",
            "{\"gateways\":{\"other\":{\"url\":\"http://h/\",\"password\":\"## SECRET ##\"}}}");
    assert_non_null(strstr(text(v, "error"), "gateways.other.password"));
    v = api(env, 400, "PUT", "/api/v01/system/configuration", "{\"gateways\":{\"bwks\":{\"url\":\"ftp://h/\"}}}");
    assert_non_null(strstr(text(v, "error"), "gateways.bwks.url"));
    api(env, 400, "PUT", "/api/v01/system/configuration", "[1]");
}

/* A change made beside us is in force within a second. */
static void reloads_live(void **state)
{
    (void)state;
    assert_true(label_is("second"));
    env_psql(env, "INSERT INTO configuration (content, created_by) SELECT replace(content::text, '\"second\"', "
                  "'\"beside\"')::json, 'test' FROM configuration ORDER BY id DESC LIMIT 1");
    ENV_WAIT(env, 1000, label_is("beside"));
}

/* ---- activities --------------------------------------------------------------------------------------------- */

/* Odd numbers, an odd order of members, texts of all kinds: the same value comes back. */
#define ODD                                                                                                            \
    "{\"transitions\":[[\"start.ok\",\"the end\"]],\"cells\":{\"the end\":{\"outputs\":[],\"params\":{},\"original_name\":"   \
    "\"end\",\"x\":10.50,\"y\":1e2,\"extra\":{\"z\":1,\"a\":[null,true,\"\\u00e9\\/\"]}},\"start\":{\"original_name\":"        \
    "\"start\",\"outputs\":[\"ok\"],\"params\":[],\"x\":0,\"y\":-0.0}},\"entities\":[],\"unknown\":12345678901234567890}"

static void keeps_definitions(void **state)
{
    struct arena *a = env_arena(env);
    struct val v, sent;
    struct env_answer got;
    struct err e;
    int64_t id;
    const char *path;

    (void)state;
    v = api(env, 200, "POST", "/api/v01/activities",
            arena_printf(a, "{\"name\":\"object\",\"description\":\"d\",\"definition\":%s}", ODD));
    id = api_int(v, "id");
    path = arena_printf(a, "/api/v01/activities/%lld", (long long)id);
    got = api_raw(env, "GET", path, NULL);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.body, "12345678901234567890"));
    v = api_json(env, &got);
    assert_int_equal(json_parse(STR(ODD), &sent, a, &e), 0);
    assert_true(val_eq(val_path(v, "activity.definition"), sent));
    assert_string_equal(text(v, "activity.name"), "object");
    assert_true(val_is(val_path(v, "activity.definition"), VAL_DICT));
    assert_string_equal(text(v, "activity.definition.cells.the end.extra.a.2"), "\xc3\xa9/");
    v = api(env, 200, "POST", "/api/v01/activities",
            arena_printf(a, "{\"name\":\"text\",\"definition\":%s}", api_quoted(env, ODD)));
    path = arena_printf(a, "/api/v01/activities/%lld", (long long)api_int(v, "id"));
    v = api(env, 200, "GET", path, NULL);
    assert_true(val_is(val_path(v, "activity.definition.cells"), VAL_DICT));
    api(env, 409, "POST", "/api/v01/activities", arena_printf(a, "{\"name\":\"text\",\"definition\":%s}", ODD));
    api(env, 400, "POST", "/api/v01/activities", arena_printf(a, "{\"name\":\"\",\"definition\":%s}", ODD));
    v = api(env, 200, "GET", "/api/v01/activities", NULL);
    assert_true(val_count(val_get(v, "activities")) >= 2);
    assert_true(val_is_undef(val_path(v, "activities.0.definition")));
}

static const struct reject_row {
    const char *name, *definition;
    const char *path; /* of errors[0] */
} reject_rows[] = {
    {"V1 not JSON", "\"{\\\"cells\\\":\"", NULL},
    {"V1 cells", "{\"cells\":[1],\"transitions\":[]}", "cells"},
    {"V1 transitions", "{\"cells\":{" START "},\"transitions\":{}}", "transitions"},
    {"V1 original_name", "{\"cells\":{" START ",\"a\":{}},\"transitions\":[]}", "cells.a.original_name"},
    {"V1 outputs", "{\"cells\":{" START ",\"a\":{\"original_name\":\"end\",\"outputs\":[1]}},\"transitions\":[]}",
     "cells.a.outputs"},
    {"V1 transition", "{\"cells\":{" START "},\"transitions\":[[\"start.ok\"]]}", "transitions.0"},
    {"V3 two starts", "{\"cells\":{" START "," CELL("s2", "start", "", "\"ok\"") "},\"transitions\":[]}", "cells"},
    {"V4 no start", "{\"cells\":{" END "},\"transitions\":[]}", "cells"},
    {"V11 entity twice",
     "{\"cells\":{" START "},\"entities\":[{\"name\":\"e\",\"original_name\":\"entity\"},{\"name\":\"e\",\"original_name\":"
     "\"entity\"}],\"transitions\":[]}",
     "entities.1"},
    {"V12 cell and entity",
     "{\"cells\":{" START "},\"entities\":[{\"name\":\"start\",\"original_name\":\"entity\"}],\"transitions\":[]}",
     "entities.0"},
    {"a number", "5", NULL},
    {"nothing", "null", NULL},
};

static void rejects_definitions(const struct reject_row *r)
{
    struct val v = api(env, 400, "POST", "/api/v01/activities",
                       arena_printf(env_arena(env), "{\"name\":\"rejected\",\"definition\":%s}", r->definition));

    assert_string_not_equal(text(v, "error"), "");
    if (r->path != NULL) {
        assert_string_equal(text(v, "errors.0.path"), r->path);
        assert_string_not_equal(text(v, "errors.0.message"), "");
    }
}

static void warns(void **state)
{
    struct val v = api(env, 200, "POST", "/api/v01/activities",
                       "{\"name\":\"warned\",\"definition\":{\"cells\":{" START "," CELL("odd", "frobnicate", "", "\"ok\"") "},"
                       "\"transitions\":[[\"start.ok\",\"missing\"]]}}");
    const char *path = arena_printf(env_arena(env), "/api/v01/activities/%lld/versions", (long long)api_int(v, "id"));
    const char *warnings = text(v, "warnings");

    (void)state;
    assert_non_null(strstr(warnings, "\"V5\""));
    assert_non_null(strstr(warnings, "\"V7\""));
    assert_non_null(strstr(warnings, "\"V8\""));
    assert_non_null(strstr(warnings, "\"V9\""));
    v = api(env, 400, "POST", path, "{\"label\":\"1\"}"); /* what is warned of on saving is refused when committing */
    assert_string_equal(text(v, "errors.0.path"), "transitions.0");
}

/* The editor and the viewer read the outputs of every cell: wherever a definition is read, they are there. */
static void completes_what_is_read(void **state)
{
    int64_t id = api_activity(env, "sparse", "{\"cells\":{\"start\":{\"original_name\":\"start\"},\"end\":{\"original_name\":\"end\"}},"
                                             "\"transitions\":[[\"start.ok\",\"end\"]]}");
    const char *base = arena_printf(env_arena(env), "/api/v01/activities/%lld", (long long)id);
    const char *end = "\"end\":{\"original_name\":\"end\",\"outputs\":[],\"x\":0,\"y\":0,\"params\":{}}";
    struct val v;

    (void)state;
    v = api(env, 200, "GET", arena_printf(env_arena(env), "%s/versions", base), NULL);
    assert_non_null(strstr(text(v, "versions.0.definition"), end));
    v = api(env, 200, "POST", arena_printf(env_arena(env), "%s/run", base), "{}");
    v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/transactions/%lld", (long long)api_int(v, "id")), NULL);
    assert_non_null(strstr(text(v, "definition"), end));
}

static void commits_versions(void **state)
{
    struct arena *a = env_arena(env);
    int64_t id = api_activity(env, "versions", DEFINITION("", "[\"start.ok\",\"end\"]")), route;
    const char *base = arena_printf(a, "/api/v01/activities/%lld", (long long)id);
    const char *versions = arena_printf(a, "%s/versions", base);
    struct val v;

    (void)state;
    v = api(env, 200, "GET", versions, NULL);
    assert_int_equal(val_count(val_get(v, "activity_versions")), 2);
    assert_true(val_is(val_path(v, "activity_versions.0.definition"), VAL_STR));
    assert_string_equal(text(v, "versions.1.label"), "1");
    assert_string_equal(text(v, "versions.1.active"), "true");
    assert_string_equal(text(v, "versions.0.label"), "null");
    api(env, 409, "POST", versions, "{\"label\":\"1\"}");
    api(env, 400, "POST", versions, "{\"label\":\"\"}");
    api(env, 400, "POST", versions, "{}");
    v = api(env, 200, "POST", versions, "{\"label\":\"2\",\"message\":\"second\"}");
    api(env, 200, "PUT", arena_printf(a, "%s/%s", versions, text(v, "id")), "{\"label\":\"two\"}");
    api(env, 200, "DELETE", arena_printf(a, "%s/%s", versions, text(v, "id")), NULL);
    v = api(env, 200, "GET", base, NULL);
    api(env, 409, "DELETE", arena_printf(a, "%s/%s", versions, text(v, "activity.version_id")), NULL);
    api(env, 404, "DELETE", arena_printf(a, "%s/999999", versions), NULL);
    route = api_route(env, "get", "/versions", id, "");
    v = api(env, 200, "GET", arena_printf(a, "%s/usage", base), NULL);
    assert_string_equal(text(v, "routes.0.route"), "/versions");
    assert_string_equal(text(v, "routes.0.method"), "get");
    v = api(env, 409, "DELETE", base, NULL);
    assert_non_null(strstr(text(v, "error"), "force=1"));
    api(env, 200, "DELETE", arena_printf(a, "%s?force=1", base), NULL);
    api(env, 404, "GET", base, NULL);
    api(env, 200, "DELETE", arena_printf(a, "/api/v01/custom_routes/%lld", (long long)route), NULL);
}

static void runs_and_counts(void **state)
{
    struct arena *a = env_arena(env);
    int64_t id = api_activity(env, "run now", DEFINITION("", "[\"start.ok\",\"end\"]"));
    struct val v = api(env, 200, "POST", arena_printf(a, "/api/v01/activities/%lld/run", (long long)id), "{\"body\":{\"a\":1}}");

    (void)state;
    assert_int_equal(strlen(text(v, "guid")), 36);
    assert_string_equal(api_instance_status(env, api_int(v, "id")), "CLOSED_IN_SUCCESS");
    v = api(env, 200, "GET", arena_printf(a, "/api/v01/activities/%lld/stats", (long long)id), NULL);
    assert_true(val_is(v, VAL_DICT));
}

static void lists_cells(void **state)
{
    struct env_answer a = api_raw(env, "GET", "/api/v01/cells", NULL);

    (void)state;
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "context_setter"));
    assert_non_null(strstr(a.body, "http_call"));
}

/* ---- templates ------------------------------------------------------------------------------------------------ */

static void keeps_templates(void **state)
{
    struct arena *a = env_arena(env);
    struct env_answer raw;
    struct val v;
    const char *path;

    (void)state;
    v = api(env, 200, "POST", "/api/v01/templates", "{\"key\":\"hello\",\"template\":\"hello, {{ name }}\"}");
    path = arena_printf(a, "/api/v01/templates/%s", text(v, "id"));
    api(env, 409, "POST", "/api/v01/templates", "{\"key\":\"hello\",\"template\":\"\"}");
    v = api(env, 200, "GET", path, NULL);
    assert_string_equal(text(v, "template.template"), "hello, {{ name }}");
    api(env, 200, "PUT", path, "{\"template\":\"bye, {{ name }}\"}");
    raw = api_raw(env, "GET", arena_printf(a, "%s?as=raw", path), NULL);
    assert_string_equal(raw.body, "bye, {{ name }}");
    ENV_WAIT(env, 5000, strstr(api_raw(env, "POST", "/api/v01/templates/playground",
                                       "{\"template\":\"{% include 'hello' %}!\",\"context\":{\"name\":\"Ada\"}}").body,
                               "bye, Ada!") != NULL);
    api(env, 200, "DELETE", path, NULL);
    api(env, 404, "GET", path, NULL);
    v = api(env, 200, "GET", "/api/v01/templates", NULL);
    assert_int_equal(val_count(val_get(v, "templates")), 0);
}

static void plays(void **state)
{
    struct val v = api(env, 200, "POST", "/api/v01/templates/playground",
                       "{\"template\":\"{% for x in list %}{{ loop.index }}{{ x|upper }}{% if not loop.last %},{% endif %}"
                       "{% endfor %}\",\"context\":{\"list\":[\"a\",\"b\"]}}");

    (void)state;
    assert_string_equal(text(v, "output"), "1A,2B");
    v = api(env, 200, "POST", "/api/v01/templates/playground", "{\"template\":\"{{ {'a': 1}|tojson }}\"}");
    assert_string_equal(text(v, "output"), "{\"a\": 1}");
    assert_non_null(strstr(text(v, "json_form"), "\"a\": 1"));
    v = api(env, 200, "POST", "/api/v01/templates/playground?debug=1",
            "{\"lang\":\"pongo2\",\"template\":\"{% for x in l %}{{ x|add:1 }}{{ forloop.Counter }}{% endfor %}\","
            "\"context\":{\"l\":[4,5]}}");
    assert_string_equal(text(v, "output"), "5162");
    assert_int_equal(val_count(val_path(v, "trace.steps")), 4);
    assert_int_equal(val_count(val_path(v, "trace.variables_read")), 3);
    api(env, 400, "POST", "/api/v01/templates/playground", "{\"lang\":\"nope\",\"template\":\"\"}");
    v = api(env, 400, "POST", "/api/v01/templates/playground", "{\"template\":\"a\\n{% if %}\"}");
    assert_int_equal(api_int(v, "line"), 2);
    assert_non_null(strstr(text(v, "error"), "TemplateSyntaxError"));
    v = api(env, 400, "POST", "/api/v01/templates/playground", "{\"template\":\"{{ 1/0 }}\"}");
    assert_non_null(strstr(text(v, "error"), "ZeroDivisionError"));
    v = api(env, 400, "POST", "/api/v01/templates/playground", "{\"template\":\"\",\"context\":[]}");
    assert_non_null(strstr(text(v, "error"), "context"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(answers_everybody),    API_TEST(serves_the_interface),
        API_TEST(logs_in_and_out),      API_TEST(takes_tokens_as_documented),
        API_TEST(keeps_the_configuration), API_TEST(reloads_live),
        API_TEST(keeps_definitions),    API_TEST(warns),
        API_TEST(commits_versions),     API_TEST(completes_what_is_read), API_TEST(runs_and_counts),
        API_TEST(lists_cells),          API_TEST(keeps_templates),
        API_TEST(plays),
    };

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL) + CASES(reject_rows, rejects_definitions));
}
