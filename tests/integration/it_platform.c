/*
 * What the platform does beside requests: workflows told of new passwords, use of services counted, filters kept.
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "integration/env_api.h"

static struct env *env;
static pid_t core;
static const char *anna; /* her token */

#define STRAIGHT DEFINITION("", "[\"start.ok\",\"end\"]")
#define PASSWORD "Zu8-lantern-quick"
#define SECOND "Yt7-lantern-brown"

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* The request of the newest instance with this label. */
static const char *request_of(const char *label)
{
    const char *sql = arena_printf(env_arena(env), "SELECT request FROM instances WHERE label = '%s' ORDER BY id DESC LIMIT 1", label);
    const char *found = "";

    ENV_WAIT(env, 10000, (found = env_psql(env, sql))[0] != '\0');
    return found;
}

static void until_set(const char *member, const char *value)
{
    struct val v = api(env, 200, "GET", "/api/v01/system/configuration", NULL);

    assert_string_equal(text(v, member), value);
}

/* ---- platform workflows ------------------------------------------------------------------------------ */

static void tells_of_changed_passwords(void **state)
{
    struct val v;

    (void)state;
    api_activity(env, "on change", STRAIGHT);
    api_activity(env, "on reset", STRAIGHT);
    api_activity(env, "send link", STRAIGHT);
    api_configure(env, "gui",
                  "{\"modules\":[\"orchestration\"],\"change_password_workflow\":\"on change\",\"reset_password_workflow\":\"on reset\","
                  "\"reset_password_request_workflow\":\"send link\"}");
    until_set("content.gui.change_password_workflow", "on change");
    api_as(anna);
    api(env, 400, "PUT", "/api/v01/system/users/local", "{\"password\":\"" SECOND "\",\"old_password\":\"wrong\"}");
    api(env, 200, "PUT", "/api/v01/system/users/local", "{\"language\":\"en\"}");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instances WHERE label = 'gui.change_password_workflow'"), "0");
    api(env, 200, "PUT", "/api/v01/system/users/local", "{\"password\":\"" SECOND "\",\"old_password\":\"" PASSWORD "\"}");
    assert_string_equal(request_of("gui.change_password_workflow"), "{\"username\":\"anna\",\"password\":\"" SECOND "\"}");
    api_as(api_login(env, "admin", api_admin_password()));
    v = api(env, 200, "GET",
            arena_printf(env_arena(env), "/api/v01/transactions/%s/template_context",
                         env_psql(env, "SELECT id FROM instances WHERE label = 'gui.change_password_workflow'")),
            NULL);
    assert_string_equal(text(v, "request.username"), "anna");
    assert_string_equal(text(v, "request.password"), "********");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instances WHERE label LIKE 'gui.%' AND user_id IS NOT NULL"), "0");
}

static void tells_of_reset_passwords(void **state)
{
    struct val link;
    struct err e;

    (void)state;
    api_as("");
    api(env, 200, "POST", "/api/v01/auth/reset-password", "{\"username\":\"anna\"}");
    ENV_WAIT(env, 10000, strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE request ->> 'token' IS NOT NULL"), "1") == 0);
    assert_int_equal(json_parse(str_c(env_psql(env, "SELECT request FROM instances WHERE request ->> 'token' IS NOT NULL")), &link,
                                env_arena(env), &e), 0);
    assert_string_equal(text(link, "username"), "anna");
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/auth/reset-password/%s", text(link, "token")), "{\"password\":\"Xs6-lantern-fox\"}");
    assert_string_equal(request_of("gui.reset_password_workflow"), "{\"username\":\"anna\",\"password\":\"Xs6-lantern-fox\"}");
    api(env, 400, "PUT", arena_printf(env_arena(env), "/api/v01/auth/reset-password/%s", text(link, "token")), "{\"password\":\"Ws5-lantern-box\"}");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instances WHERE label = 'gui.reset_password_workflow'"), "1");
    anna = api_login(env, "anna", "Xs6-lantern-fox");
    assert_non_null(anna);
}

/* It can neither change nor refuse the password. */
static void goes_on_without_workflow(void **state)
{
    (void)state;
    api_configure(env, "gui", "{\"modules\":[\"orchestration\"],\"change_password_workflow\":\"no such workflow\"}");
    until_set("content.gui.change_password_workflow", "no such workflow");
    api_as(anna);
    api(env, 200, "PUT", "/api/v01/system/users/local", "{\"password\":\"Vr4-lantern-sun\",\"old_password\":\"Xs6-lantern-fox\"}");
    ENV_WAIT(env, 5000, strstr(env_log(env, "core.sock"), "there is no such workflow") != NULL);
    anna = api_login(env, "anna", "Vr4-lantern-sun");
    assert_non_null(anna);
}

/* ---- use of services ------------------------------------------------------------------------------------ */

static void counts_services(void **state)
{
    int64_t activity = api_activity(env, "service", STRAIGHT);
    struct val v;

    (void)state;
    api_route(env, "get", "/tenants/{t}/services/{s}/", activity, "");
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/custom/tenants/t1/services/first/", NULL).status == 200);
    for (int i = 0; i < 3; i++)
        api(env, 200, "GET", "/api/v01/custom/tenants/t1/services/call%20waiting/", NULL);
    api_as("");
    api(env, 401, "GET", "/api/v01/custom/tenants/t1/services/refused/", NULL);
    assert_int_equal(env_kill(env, core, SIGTERM), 0); /* a stop writes what was counted */
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    api_as(api_login(env, "admin", api_admin_password()));
    v = api(env, 200, "GET", "/api/v01/system/users/activity?sorting=%5B%7B%22field%22%3A%22service%22%2C%22direction%22%3A%22asc%22%7D%5D", NULL);
    assert_int_equal(val_count(val_get(v, "recs")), 2);
    assert_string_equal(text(v, "recs.0.service"), "call waiting");
    assert_string_equal(text(v, "recs.0.method"), "get");
    assert_string_equal(text(v, "recs.0.username"), "admin");
    assert_non_null(strstr(text(v, "recs.0.ts"), ":00:00.000000Z"));
    assert_string_equal(env_psql(env, "SELECT calls FROM user_activity WHERE service = 'call waiting'"), "3");
}

/* ---- saved filters ------------------------------------------------------------------------------------------ */

static int64_t save(const char *more)
{
    return api_int(api(env, 200, "POST", "/api/v01/filters",
                       arena_printf(env_arena(env), "{\"name\":\"mine\",\"filter\":{\"status\":{\"op\":\"eq\",\"value\":\"ERROR\"}}%s}", more)),
                   "id");
}

static void keeps_filters(void **state)
{
    const char *path;
    struct val v;
    int64_t own, shared;

    (void)state;
    own = save(",\"entity\":\"request\",\"columns\":[\"status\",\"label\"]");
    shared = save(",\"visibility\":\"system\"");
    v = api(env, 200, "GET", "/api/v01/filters", NULL);
    assert_int_equal(val_count(val_get(v, "filters")), 2);
    assert_string_equal(text(v, "filters.0.filter.status.value"), "ERROR");
    assert_string_equal(text(v, "filters.0.columns.1"), "label");
    assert_string_equal(text(v, "filters.0.visibility"), "user");
    assert_string_equal(text(v, "filters.0.created_by"), "admin");

    api_as(anna); /* sees what is shared, and changes neither */
    v = api(env, 200, "GET", "/api/v01/filters", NULL);
    assert_int_equal(val_count(val_get(v, "filters")), 1);
    path = arena_printf(env_arena(env), "/api/v01/filters/%lld", (long long)shared);
    assert_string_equal(text(api(env, 200, "GET", path, NULL), "filter.name"), "mine");
    api(env, 403, "PUT", path, "{\"name\":\"hers\"}");
    api(env, 403, "DELETE", path, NULL);
    path = arena_printf(env_arena(env), "/api/v01/filters/%lld", (long long)own);
    api(env, 404, "GET", path, NULL);
    api(env, 404, "PUT", path, "{\"name\":\"hers\"}");

    api_as(api_login(env, "admin", api_admin_password()));
    api(env, 200, "PUT", path, "{\"name\":\"renamed\",\"columns\":null}");
    v = api(env, 200, "GET", path, NULL);
    assert_string_equal(text(v, "filter.name"), "renamed");
    assert_string_equal(text(v, "filter.columns"), "null");
    assert_string_equal(text(v, "filter.filter.status.op"), "eq");
    api(env, 400, "PUT", path, "{\"name\":\"\"}");
    api(env, 400, "PUT", path, "{\"filter\":null}");
    api(env, 400, "PUT", path, "{\"visibility\":\"world\"}");
    api(env, 400, "POST", "/api/v01/filters", "{\"name\":\"x\"}");
    api(env, 400, "POST", "/api/v01/filters", "{\"name\":\"x\",\"filter\":\"text\"}");
    api(env, 200, "DELETE", path, NULL);
    api(env, 404, "DELETE", path, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(tells_of_changed_passwords), API_TEST(tells_of_reset_passwords),
                                       API_TEST(goes_on_without_workflow), API_TEST(counts_services), API_TEST(keeps_filters)};

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    api(env, 200, "POST", "/api/v01/system/users",
        "{\"username\":\"anna\",\"email\":\"anna@example.com\",\"language\":\"en\",\"password\":\"" PASSWORD "\"}");
    anna = api_login(env, "anna", PASSWORD);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
