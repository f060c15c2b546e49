/*
 * What clients of the platform rely on and no other test asks for: members that go by two names, values that come in several forms,
 * tokens in queries, documents that lack sections (http-api.md 1 to 6).
 */
#include "base/arena.h"
#include "base/json.h"
#include "integration/env_api.h"

#define PASSWORD "Kn0tty-rope-55"
#define STRAIGHT DEFINITION("", LINE("start.ok", "end"))

static struct env *env;

static const char *refusal(const char *method, const char *path, const char *body, int status)
{
    return api_text(env, api(env, status, method, path, body), "error");
}

/* ---- users ------------------------------------------------------------------------------------------------ */

static int64_t user(const char *name, const char *more)
{
    return api_int(api(env, 200, "POST", "/api/v01/system/users",
                       env_fmt(env, "{\"username\":\"%s\",\"email\":\"x@example.com\",\"language\":\"en\",\"password\":\"" PASSWORD "\"%s}", name, more)),
                   "id");
}

static void users_are_one_line(void **state)
{
    (void)state;
    assert_string_equal(refusal("POST", "/api/v01/system/users",
                                "{\"username\":\"victor\",\"email\":\"v@example.com\\r\\nBcc: w@example.com\",\"language\":\"en\"}", 400),
                        "email: expected no control characters");
    assert_string_equal(refusal("POST", "/api/v01/system/users", "{\"username\":\"vic\\ntor\",\"email\":\"v@example.com\",\"language\":\"en\"}", 400),
                        "username: expected no control characters");
    assert_string_equal(refusal("PUT", "/api/v01/system/users/1", "{\"first_name\":\"a\\u0007\"}", 400), "first_name: expected no control characters");
}

static void areas_have_a_level(void **state)
{
    static const char *const wrong[] = {"[5]", "[{\"reference\":\"t1\"}]", "[{\"level\":\"galaxy\",\"reference\":\"t1\"}]",
                                        "[{\"level\":\"tenant\",\"reference\":5}]"};
    const char *path = env_fmt(env, "/api/v01/system/users/%lld", (long long)user("walter", ""));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_string_equal(refusal("PUT", path, env_fmt(env, "{\"admin_of\":%s}", wrong[i]), 400),
                            "admin_of: expected a list of {level, reference}");
    api(env, 200, "PUT", path, "{\"admin_of\":[{\"level\":\"tenant\",\"reference\":\"t1\"},{\"level\":\"system\",\"reference\":null}]}");
    assert_string_equal(api_text(env, api(env, 200, "GET", path, NULL), "admin_of.0.reference"), "t1");
}

/* Who may manage accounts must not find the token of one that may do everything. */
static void tokens_of_system_users(void **state)
{
    int64_t profile = api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                                  "{\"name\":\"clerks\",\"available\":true,\"api_rules\":[],\"accesses\":[\"settings.users\"]}"),
                              "id");
    const char *system = env_fmt(env, "/api/v01/system/users/%lld", (long long)user("machine1", ",\"entity\":\"m1\",\"is_system\":true"));
    const char *plain = env_fmt(env, "/api/v01/system/users/%lld", (long long)user("machine2", ",\"entity\":\"m2\""));

    (void)state;
    user("clerk", env_fmt(env, ",\"profile_id\":%lld", (long long)profile));
    api(env, 200, "PUT", system, "{\"token\":true}");
    api(env, 200, "PUT", plain, "{\"token\":true}");
    assert_true(strlen(api_text(env, api(env, 200, "GET", system, NULL), "token")) > 20);
    api_as(api_login(env, "clerk", PASSWORD));
    assert_string_equal(api_text(env, api(env, 200, "GET", system, NULL), "token"), "true");
    assert_true(strlen(api_text(env, api(env, 200, "GET", plain, NULL), "token")) > 20);
}

#define BODY "{\"endpoint\":\"http://x.example/\",\"event_category\":\"on_request_success\",\"scope\":\"%s\"}"

/* A callback is told requests and answers: its scope goes as far as its owner may see, and nobody hangs one on a system user. */
static void callbacks_go_no_further(void **state)
{
    int64_t profile = api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                                  "{\"name\":\"keepers\",\"available\":true,\"api_rules\":[],\"accesses\":[\"settings.users\"]}"),
                              "id");
    const char *own = env_fmt(env, "/api/v01/system/users/%lld/callbacks", (long long)user("keeper", env_fmt(env, ",\"profile_id\":%lld", (long long)profile)));
    const char *const wide[] = {"group", "platform"};
    int64_t id;

    (void)state;
    api(env, 200, "POST", own, env_fmt(env, BODY, "platform"));
    api_as(api_login(env, "keeper", PASSWORD));
    id = api_int(api(env, 200, "POST", own, env_fmt(env, BODY, "user")), "id");
    for (size_t i = 0; i < COUNT_OF(wide); i++) {
        assert_string_equal(refusal("POST", own, env_fmt(env, BODY, wide[i]), 403), "scope: needs the right to see requests of others");
        api(env, 403, "PUT", env_fmt(env, "%s/%lld", own, (long long)id), env_fmt(env, "{\"scope\":\"%s\"}", wide[i]));
    }
    api(env, 200, "PUT", env_fmt(env, "%s/%lld", own, (long long)id), "{\"endpoint\":\"http://y.example/\"}");
    api(env, 403, "GET", "/api/v01/system/users/1/callbacks", NULL);
    api(env, 403, "POST", "/api/v01/system/users/1/callbacks", env_fmt(env, BODY, "user"));
    api(env, 404, "GET", "/api/v01/system/users/4711/callbacks", NULL);
}

/* ---- profiles --------------------------------------------------------------------------------------------- */

/* The tester of rules takes what stands behind the prefix as well as a whole path. */
static void tries_paths(void **state)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/users/1", "true"},           {"/users", "true"}, {"/user", "false"},
        {"/secret/1", "false"},         {"/%73ecret/1", "false"},
        {"/api/v01/p1/users/1", "true"}, {"/api/v01/p2/users/1", "false"},
        {"/custom", "true"},            {"/users/../x", "false"},
        {"", "false"},
    };
    int64_t id = api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                             "{\"name\":\"tried\",\"available\":true,\"accesses\":[],\"api_rules\":["
                             "{\"method\":\"get\",\"url\":\"/api/v01/p1/secret/*\",\"allowed\":false},"
                             "{\"method\":\"get\",\"url\":\"/api/v01/p1/users/*\",\"allowed\":true},"
                             "{\"method\":\"post\",\"url\":\"/custom\",\"allowed\":true}]}"),
                         "id");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(api_text(env,
                                     api(env, 200, "GET",
                                         env_fmt(env, "/api/v01/system/user_profiles/%lld/check_path?p=%s", (long long)id, rows[i].path), NULL),
                                     "valid"),
                            rows[i].want);
}

/* ---- the configuration ------------------------------------------------------------------------------------ */

/* The interface reads these without asking whether they are there. */
static void configuration_is_complete(void **state)
{
    static const char *const sections[] = {"gateways", "gateways_tcp", "datastores", "gui", "smtp", "smpp", "provisioning.gateways",
                                           "logs", "password", "SSO", "env", "retention"};
    const char *before = json_text(val_get(api(env, 200, "GET", "/api/v01/system/configuration?r=true", NULL), "content"), env_arena(env)).p;
    struct val content;

    (void)state;
    api(env, 200, "PUT", "/api/v01/system/configuration", "{\"gui\":{\"label\":\"L\"},\"own\":{\"kept\":1}}");
    content = val_get(api(env, 200, "GET", "/api/v01/system/configuration", NULL), "content");
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        assert_string_not_equal(api_text(env, content, sections[i]), "");
    assert_string_equal(api_text(env, content, "alarms.alarms.network_issues.thresholds.2.level"), "critical");
    assert_string_equal(api_text(env, content, "gui"), "{\"label\":\"L\"}");
    assert_string_equal(api_text(env, content, "own.kept"), "1");
    assert_string_equal(env_sql(env, "SELECT content FROM configuration ORDER BY id DESC LIMIT 1"), "{\"gui\":{\"label\":\"L\"},\"own\":{\"kept\":1}}");
    assert_string_equal(refusal("PUT", "/api/v01/system/configuration", "", 400), "the configuration document is missing");
    api(env, 200, "PUT", "/api/v01/system/configuration", before);
}

/* Fixed headers of gateways may hold tokens: who draws workflows gets the names he needs, not these. */
static void headers_of_gateways(void **state)
{
    int64_t profile = api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                                  "{\"name\":\"drawers\",\"available\":true,\"api_rules\":[],\"accesses\":[\"orchestration\"]}"),
                              "id");
    struct val v;
    int64_t run;

    (void)state;
    api_configure(env, "gateways", "{\"main\":{\"url\":\"http://127.0.0.1:9/\",\"timeout\":0,"
                                   "\"headers\":\"[[\\\"Authorization\\\",\\\"Bearer canary\\\"]]\"}}");
    assert_non_null(strstr(api_raw(env, "GET", "/api/v01/system/configuration", NULL).body, "canary"));
    run = api_run(env, STRAIGHT, "{}"); /* nor do his templates */
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/transactions/%lld/template_context", (long long)run), NULL);
    assert_string_equal(api_text(env, v, "settings.gateways.main.url"), "http://127.0.0.1:9/");
    assert_null(strstr(json_text(v, env_arena(env)).p, "canary"));
    user("drawer", env_fmt(env, ",\"profile_id\":%lld", (long long)profile));
    api_as(api_login(env, "drawer", PASSWORD));
    v = api(env, 200, "GET", "/api/v01/system/configuration", NULL);
    assert_string_equal(api_text(env, v, "content.gateways.main.url"), "http://127.0.0.1:9/");
    assert_null(strstr(json_text(v, env_arena(env)).p, "canary"));
}

/* ---- lists ------------------------------------------------------------------------------------------------ */

static int64_t found(const char *path, const char *filter)
{
    struct val v = api(env, 200, "GET", env_fmt(env, "%s?filter=%s", path, filter), NULL);

    return api_int(v, "total_count");
}

/* Methods are shown in capitals here and in small letters there: filters take both. */
static void methods_in_any_case(void **state)
{
    static const struct {
        const char *path, *field;
    } lists[] = {
        {"/api/v01/apio/southbound_calls", "http_method"},
        {"/api/v01/apio/requests/search", "request_method"},
        {"/api/v01/system/users/activity", "method"},
    };

    (void)state;
    env_psql(env, "INSERT INTO traces (id, instance_id, instance_on, host, http_method, http_url, status, created_on) "
                  "VALUES (7, 1, now(), 'h', 'PUT', 'http://h/', 200, now())");
    env_psql(env, "INSERT INTO requests (id, created_on, status, method, url) VALUES (9, now(), 'SUCCESS', 'put', '/x')");
    env_psql(env, "INSERT INTO user_activity (hour, username, service, method, calls) VALUES (date_trunc('hour', now()), 'admin', 's', 'put', 1)");
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t k = 0; k < 2; k++) {
            const char *value = k == 0 ? "PUT" : "put";

            assert_int_equal(found(lists[i].path, env_fmt(env, "%%7B%%22field%%22:%%22%s%%22,%%22op%%22:%%22eq%%22,%%22value%%22:%%22%s%%22%%7D",
                                                          lists[i].field, value)),
                             1);
            assert_int_equal(found(lists[i].path, env_fmt(env, "%%7B%%22field%%22:%%22%s%%22,%%22op%%22:%%22in%%22,%%22value%%22:%%5B%%22%s%%22%%5D%%7D",
                                                          lists[i].field, value)),
                             1);
        }
    }
    env_psql(env, "DELETE FROM traces; DELETE FROM requests");
}

static void activity_goes_by_two_names(void **state)
{
    struct val v = api(env, 200, "GET", "/api/v01/system/users/activity", NULL);

    (void)state;
    assert_int_equal(val_count(val_get(v, "recs")), 1);
    assert_int_equal(val_count(val_get(v, "records")), 1);
    assert_string_equal(api_text(env, v, "records.0.timestamp"), api_text(env, v, "recs.0.ts"));
}

/* ---- runs ------------------------------------------------------------------------------------------------- */

/* A token in the query is the caller's: neither the workflow nor the history gets it. */
static void tokens_in_queries(void **state)
{
    int64_t id = api_activity(env, "echo",
                              DEFINITION(CELL("say", "sync_response", "\"status\":\"200\",\"body\":\"{{ request.params|tojson }}\"", "\"ok\"") ",",
                                         LINE("start.ok", "say") "," LINE("say.ok", "end")));
    struct env_answer a;

    (void)state;
    api_route(env, "get", "/echo", id, ",\"sync\":true");
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/custom/echo", NULL).status == 200);
    a = env_http(env, "GET", env_fmt(env, "/api/v01/custom/echo?a=1&auth_token=%s&b=2", api_token()), NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(json_text(api_json(env, &a), env_arena(env)).p, "{\"a\":\"1\",\"b\":\"2\"}");
    assert_string_equal(env_sql(env, "SELECT count(*) FROM requests WHERE details::text LIKE '%%auth_token%%' OR url LIKE '%%auth_token%%'"), "0");
}

static void definitions_in_all_forms(void **state)
{
    int64_t id = api_run(env, STRAIGHT, "{}");
    const char *path = env_fmt(env, "/api/v01/transactions/%lld", (long long)id);
    const char *text = api_quoted(env, STRAIGHT);
    int64_t profile;

    (void)state;
    api(env, 200, "PUT", path, env_fmt(env, "{\"definition\":%s}", STRAIGHT));
    api(env, 200, "PUT", path, env_fmt(env, "{\"definition\":%s}", text));
    api(env, 200, "PUT", path, env_fmt(env, "{\"definition\":%s}", api_quoted(env, text)));
    assert_string_equal(api_text(env, api(env, 200, "GET", path, NULL), "definition"), STRAIGHT);
    assert_string_equal(refusal("PUT", path, "{\"definition\":\"x\"}", 400), "definition: expected a value");

    /* a definition says what is run: seeing requests is not enough to write one */
    profile = api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                          "{\"name\":\"watchers\",\"available\":true,\"api_rules\":[],\"accesses\":[\"requests\",\"requests.others_requests\"]}"),
                      "id");
    user("watcher", env_fmt(env, ",\"profile_id\":%lld", (long long)profile));
    api_as(api_login(env, "watcher", PASSWORD));
    assert_string_equal(refusal("PUT", path, env_fmt(env, "{\"definition\":%s}", STRAIGHT), 403), "not allowed");
    api(env, 200, "PUT", path, "{\"status\":\"ACTIVE\"}");
}

/* ---- what is not there ------------------------------------------------------------------------------------ */

static void says_what_is_missing(void **state)
{
    static const char *const forms[] = {"{\"id\":\"x\"}", "", "no JSON"};

    (void)state;
    assert_string_equal(refusal("GET", "/api/v01/activities/4711/stats", NULL, 404), "no such activity");
    api_as(""); /* before anybody is signed in: never 401, whatever comes (http-api.md 1) */
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        assert_string_equal(refusal("POST", "/api/v01/auth/webauthn?cred_id=x", forms[i], 503), "passkeys are off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(users_are_one_line),  API_TEST(areas_have_a_level),        API_TEST(tokens_of_system_users), API_TEST(tries_paths), API_TEST(callbacks_go_no_further),
        API_TEST(methods_in_any_case), API_TEST(activity_goes_by_two_names), API_TEST(tokens_in_queries),      API_TEST(definitions_in_all_forms),
        API_TEST(says_what_is_missing), API_TEST(configuration_is_complete), API_TEST(headers_of_gateways),
    };

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
