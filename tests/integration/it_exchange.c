/*
 * Custom routes as a whole: groups, moving routes with their workflows to another platform and back, error handlers.
 */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "integration/env_api.h"

static struct env *env;

#define ANSWERING(word)                                                                                                \
    DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"" word "\"", "\"ok\"") ",",              \
               LINE("start.ok", "answer") "," LINE("answer.ok", "end"))
#define CALLING(name)                                                                                                  \
    DEFINITION(CELL("call", "macro", "\"workflow\":\"" name "\",\"terminations\":\"end\"", "\"end\"") "," CELL("answer", "sync_response",       \
               "\"status\":\"200\",\"body\":\"called\"", "\"ok\"") ",",                                               \
               LINE("start.ok", "call") "," LINE("call.end", "answer") "," LINE("answer.ok", "end"))
/* fails in a template, before it answers */
#define FAILING                                                                                                        \
    DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{{ 1 / 0 }}\"", "\"ok\"") ",",           \
               LINE("start.ok", "answer") "," LINE("answer.ok", "end"))
#define HANDLING                                                                                                       \
    DEFINITION(CELL("answer", "sync_response", "\"status\":\"503\",\"body\":\"failed in {{ request.errors[0].cell_id }} of {{ request.request.url }}\"", "\"ok\"") ",", \
               LINE("start.ok", "answer") "," LINE("answer.ok", "end"))

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

static struct val parsed(const char *json)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (json_parse(str_c(json), &v, env_arena(env), &e) != 0)
        env_fail(env, "not JSON: %s", json);
    return v;
}

static struct env_answer download(const char *path)
{
    struct env_answer a = api_raw(env, "GET", path, NULL);

    assert_int_equal(a.status, 200);
    assert_non_null(strstr(env_header(env, &a, "Content-Disposition"), "attachment"));
    return a;
}

static const char *count(const char *table)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT count(*) FROM %s", table));
}

static void forget_all(void)
{
    env_psql(env, "DELETE FROM custom_routes; DELETE FROM activities");
}

/* ---- groups ------------------------------------------------------------------------------------------ */

static void groups_are_renamed(void **state)
{
    int64_t activity = api_activity(env, "one", ANSWERING("one")), id;
    struct val v;

    (void)state;
    id = api_route(env, "get", "/grouped/a", activity, ",\"group\":\"tenants & more\",\"unheard of\":1"); /* members nobody knows are ignored */
    api_route(env, "get", "/grouped/b", activity, ",\"group\":\"tenants & more\"");
    api(env, 200, "PUT", "/api/v01/custom_routes/groups/tenants%20%26%20more", "{\"name\":\"tenants\"}");
    v = api(env, 200, "GET", "/api/v01/custom_routes", NULL);
    assert_string_equal(text(v, "routes.0.group"), "tenants");
    assert_string_equal(text(v, "routes.1.group"), "tenants");
    api(env, 404, "PUT", "/api/v01/custom_routes/groups/nobody", "{\"name\":\"x\"}");
    api(env, 400, "PUT", "/api/v01/custom_routes/groups/tenants", "{}");
    api(env, 400, "PUT", arena_printf(env_arena(env), "/api/v01/custom_routes/%lld", (long long)id), "[1]");
    /* dropped on the unnamed group */
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/custom_routes/%lld", (long long)id), "{\"group\":\"\"}");
    v = api(env, 200, "GET", "/api/v01/custom_routes", NULL);
    assert_string_equal(text(v, "routes.0.group"), "null");
    forget_all();
}

/* ---- export and import --------------------------------------------------------------------------------- */

static const char *import_path = "/api/v01/custom_routes/import";

static void moves_a_group(void **state)
{
    int64_t top, handler;
    struct env_answer file;
    struct val v;

    (void)state;
    api_activity(env, "deep", ANSWERING("deep"));
    api_activity(env, "below", CALLING("deep"));
    top = api_activity(env, "top", CALLING("below"));
    handler = api_activity(env, "handler", HANDLING);
    api_route(env, "get", "/moved/{id:[0-9]+}", top,
              arena_printf(env_arena(env), ",\"group\":\"g\",\"sync\":true,\"public\":true,\"err_activity_id\":%lld,\"schema\":{\"type\":\"null\"},"
                                           "\"output_schema\":{\"200\":{\"description\":\"d\"}},\"bulk_options\":\"{\\\"a\\\":{\\\"infer_type\\\":true}}\"",
                           (long long)handler));
    api_route(env, "post", "/moved", top, ",\"group\":\"g\",\"enabled\":false");
    api_route(env, "post", "/stays", top, "");
    file = download("/api/v01/custom_routes/groups/g/export");
    v = parsed(file.body);
    assert_int_equal(val_count(val_get(v, "routes")), 2);
    assert_string_equal(text(v, "routes.0.route"), "/moved/{id:[0-9]+}");
    assert_true(val_is_undef(val_path(v, "routes.0.route_id")));
    assert_true(val_is_undef(val_path(v, "routes.0.activity_id")));
    assert_string_equal(text(v, "routes.0.activity.name"), "top");
    assert_int_equal(val_count(val_path(v, "routes.0.activity.sub_activities")), 2);
    assert_string_equal(text(v, "routes.0.err_activity.name"), "handler");
    assert_string_equal(text(v, "routes.1.err_activity"), "null");
    api(env, 404, "GET", "/api/v01/custom_routes/groups/none/export", NULL);
    api(env, 404, "GET", "/api/v01/custom_routes/999999/export", NULL);

    forget_all();
    v = api(env, 200, "POST", import_path, file.body);
    assert_int_equal(val_count(val_get(v, "route_ids")), 2);
    assert_string_equal(count("activities"), "4");
    v = api(env, 200, "GET", "/api/v01/custom_routes", NULL);
    assert_int_equal(val_count(val_get(v, "routes")), 2);
    assert_string_equal(text(v, "routes.0.schema.type"), "null");
    assert_string_equal(text(v, "routes.0.bulk_options.a.infer_type"), "true");
    assert_string_equal(text(v, "routes.0.public"), "true");
    assert_string_equal(text(v, "routes.1.enabled"), "false");
    assert_string_equal(text(v, "routes.1.group"), "g");
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/public/moved/7", NULL).status == 200);
    assert_string_equal(api_raw(env, "GET", "/api/v01/public/moved/7", NULL).body, "called");

    api(env, 200, "POST", import_path, file.body); /* the same again changes nothing */
    assert_string_equal(count("activities"), "4");
    assert_string_equal(count("custom_routes"), "2");
    assert_string_not_equal(env_psql(env, "SELECT count(*) FROM audit WHERE target_type = 'custom_routes' AND summary LIKE 'import %'"), "0");
}

/* Uses what the test before left. */
static void asks_before_replacing(void **state)
{
    const char *theirs = "{\"routes\":[{\"route\":\"/moved\",\"method\":\"POST\",\"sync\":true,\"group\":\"\",\"activity\":{\"name\":\"top\",\"definition\":" ANSWERING(
        "theirs") "}}]}";
    struct val v = api(env, 409, "POST", import_path, theirs);

    (void)state;
    assert_non_null(strstr(text(v, "error"), "activity \"top\" exists with another definition"));
    assert_non_null(strstr(text(v, "error"), "routes.0"));
    assert_string_equal(env_psql(env, "SELECT sync FROM custom_routes WHERE route = '/moved'"), "f"); /* nothing of it was taken */
    api(env, 400, "POST", "/api/v01/custom_routes/import?replaceWorkingVersion=true&commitCurrentWorkingVersion=true", theirs);
    api(env, 200, "POST",
        "/api/v01/custom_routes/import?replaceWorkingVersion=true&commitCurrentWorkingVersion=true&commitCurrentWorkingVersionLabel=before", theirs);
    assert_string_equal(env_psql(env, "SELECT sync FROM custom_routes WHERE route = '/moved'"), "t");
    assert_string_equal(env_psql(env, "SELECT group_name IS NULL FROM custom_routes WHERE route = '/moved'"), "t");
    /* the version of before was kept under its label and is the one that answers */
    assert_string_equal(env_psql(env, "SELECT v.label FROM activity_versions v JOIN activities a ON a.id = v.activity_id WHERE a.name = 'top' AND v.active"), "before");
    api(env, 200, "POST", "/api/v01/custom_routes/import?replaceWorkingVersion=true&activateNewVersion=true",
        "{\"route\":\"/moved\",\"method\":\"post\",\"sync\":true,\"activity\":{\"name\":\"top\",\"definition\":" ANSWERING("newest") "}}");
    ENV_WAIT(env, 10000, strcmp(api_raw(env, "POST", "/api/v01/custom/moved", "{}").body, "newest") == 0);
}

static void is_read_by_older_platforms(void **state)
{
    struct val v = api(env, 200, "GET", "/api/v01/custom_routes", NULL);
    const char *one = arena_printf(env_arena(env), "/api/v01/custom_routes/%lld/export?compat=1", (long long)api_int(v, "routes.0.route_id"));

    (void)state;
    v = parsed(download(one).body);
    assert_string_equal(text(v, "route"), "/moved/{id:[0-9]+}");
    assert_true(val_is(val_path(v, "activity.definition.cells"), VAL_DICT));
    assert_true(val_is_undef(val_path(v, "activity.sub_activities")));
    v = parsed(download("/api/v01/custom_routes/groups/g/export?compat=1").body);
    assert_true(val_is(v, VAL_LIST));
    v = api(env, 200, "POST", import_path, json_text(v, env_arena(env)).p); /* a list is taken too */
    assert_int_equal(val_count(val_get(v, "route_ids")), 1);
}

static void refuses_files(void **state)
{
    static const struct {
        int status;
        const char *body, *why;
    } rows[] = {
        {400, "{}", "route: expected a path"},
        {400, "{\"routes\":[7]}", "routes.0"},
        {400, "{\"routes\":[{\"route\":\"/x/{a\",\"method\":\"get\"}]}", "routes.0"},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\"},{\"route\":\"/other\",\"method\":\"patch\"}]}", "routes.1"},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\",\"activity\":{\"name\":\"bad\",\"definition\":{\"cells\":{}}}}]}", "activity \"bad\""},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\",\"activity\":5}]}", "activity: expected an object, got int"},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\",\"schema\":{\"type\":7}}]}", "schema"},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\",\"bulk_options\":\"{\"}]}", "bulk_options"},
        {400, "{\"routes\":[{\"route\":\"/fine\",\"method\":\"get\",\"output_schema\":[1]}]}", "output_schema"},
        {409, "{\"routes\":[{\"route\":\"/api/v01/activities\",\"method\":\"get\"}]}", "belongs to the platform"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct val v = api(env, rows[i].status, "POST", import_path, rows[i].body);

        if (strstr(text(v, "error"), rows[i].why) == NULL)
            env_fail(env, "%s: wanted \"%s\", got \"%s\"", rows[i].body, rows[i].why, text(v, "error"));
    }
    assert_string_equal(env_psql(env, "SELECT count(*) FROM custom_routes WHERE route = '/fine'"), "0");
    forget_all();
}

/* ---- error handler ---------------------------------------------------------------------------------------- */

static void error_handlers_answer(void **state)
{
    int64_t failing = api_activity(env, "fails", FAILING), handler = api_activity(env, "handles", HANDLING);
    struct env_answer a;

    (void)state;
    api_route(env, "get", "/fails/alone", failing, ",\"sync\":true");
    api_route(env, "get", "/fails/handled", failing,
              arena_printf(env_arena(env), ",\"sync\":true,\"err_activity_id\":%lld", (long long)handler));
    api_route(env, "get", "/fails/twice", failing,
              arena_printf(env_arena(env), ",\"sync\":true,\"err_activity_id\":%lld", (long long)failing));
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/custom/fails/twice", NULL).status == 500);
    a = api_raw(env, "GET", "/api/v01/custom/fails/alone", NULL);
    assert_int_equal(a.status, 500);
    assert_non_null(strstr(a.body, "\"guid\""));
    a = api_raw(env, "GET", "/api/v01/custom/fails/handled", NULL);
    assert_int_equal(a.status, 503);
    assert_string_equal(a.body, "failed in answer of /api/v01/custom/fails/handled");
    /* the instance stays open and blocked: an operator can replay it */
    assert_string_equal(env_psql(env, "SELECT i.status FROM instances i JOIN requests r ON r.instance_id = i.id "
                                      "WHERE r.url LIKE '%/fails/handled' ORDER BY i.id DESC LIMIT 1"), "ACTIVE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(groups_are_renamed), API_TEST(moves_a_group), API_TEST(asks_before_replacing),
        API_TEST(is_read_by_older_platforms), API_TEST(refuses_files), API_TEST(error_handlers_answer),
    };

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
