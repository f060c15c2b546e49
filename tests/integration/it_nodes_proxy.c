/*
 * proxy_session_call where it belongs: in a workflow that came through a proxy, as the platform and as its owner
 * (workflow-engine.md 3.10, gateway-proxy.md 6).
 */
#include "base/arena.h"

#include <string.h>

#include "base/json.h"
#include "integration/env_api.h"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */

static struct arena *mem(void)
{
    return env_arena(env);
}

static void control(const char *method, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};

    assert_int_equal(env_http_at(env, method, arena_printf(mem(), "%s/_control", gateway), json, body).status, 200);
}

/* A workflow of one proxy_session_call behind /api/v01/p1/<name>. */
static void workflow(const char *name, const char *session, const char *url)
{
    const char *params = arena_printf(mem(), "\"session_holder\":\"%s\",\"url\":\"%s\",\"output_context_key\":\"*response*\"",
                                      session, url);
    int64_t id = api_activity(
        env, name,
        arena_printf(mem(),
                     "{\"cells\":{" START "," END ",\"a\":{\"original_name\":\"proxy_session_call\",\"outputs\":[\"success\"],"
                     "\"params\":{%s}}},\"entities\":[],\"transitions\":[[\"start.ok\",\"a\"],[\"a.success\",\"end\"]]}",
                     params));

    api_route(env, "get", arena_printf(mem(), "/api/v01/{proxy}/%s", name), id, ",\"sync\":true");
}

/* The body of the node's result, a text, read as JSON. */
static struct val body_of(const char *name)
{
    const char *path = arena_printf(mem(), "/api/v01/p1/%s", name);
    struct env_answer a = {0};
    struct val v;
    struct err e;

    ENV_WAIT(env, 10000, (a = api_raw(env, "GET", path, NULL)).status != 404);
    if (a.status != 200)
        env_fail(env, "%s answered %d: %.300s", path, a.status, a.body);
    v = val_path(val_get(val_path(api_json(env, &a), "context"), "*response*"), "body");
    if (!val_is(v, VAL_STR)) /* the route answers with the body of *response* itself */
        v = api_json(env, &a);
    if (val_is(v, VAL_STR) && json_parse(val_text(v), &v, mem(), &e) != 0)
        env_fail(env, "%s in %s", e.msg, a.body);
    return v;
}

/* The account on the gateway an answer was made for, by its audit record. */
static const char *author(struct val answer)
{
    const char *id = api_text(env, answer, "_record_internal_id");
    const char *was = api_as(api_login(env, "admin", api_admin_password()));
    struct val v = api(env, 200, "GET", arena_printf(mem(), "/api/v01/p1/local/audit_records/%s/", id), NULL);

    api_as(was);
    return api_text(env, v, "author_id");
}

static void as_gateway_user(void)
{
    struct val v;

    api_as("");
    v = api(env, 200, "POST", "/api/v01/auth/login", "{\"username\":\"gwgroup\",\"password\":\"group-secret\",\"proxy\":\"default\"}");
    api_as(api_text(env, v, "access_token"));
}

static const char *body_kind(void)
{
    return env_psql(env, "SELECT json_typeof(value->'body') || ' ' || (value->>'status') FROM contexts WHERE key = '*response*' "
                         "ORDER BY updated_on DESC LIMIT 1");
}

static const char *last_error(void)
{
    return env_psql(env, "SELECT description FROM errors ORDER BY created_on DESC, id DESC LIMIT 1");
}

/* ---- every parameter, good and bad ------------------------------------------------------------------------- */

static const struct mode_row {
    const char *name, *params, *outputs, *taken; /* of the node: parameters, outputs, the one that leads to the end */
    const char *want;                            /* "status|body part" of the result, or "!error" */
    const char *sent;                            /* at the gateway; NULL: nothing new */
} modes[] = {
    {"get", "\"session_holder\":\"system\",\"url\":\"tenants/acme\"", "\"success\"", "success", "200|Acme", "GET /api/v1/tenants/acme/"},
    {"query", "\"session_holder\":\"system\",\"url\":\"tenants/acme?a=1&b=/\"", "\"success\"", "success", "200|Acme", "GET /api/v1/tenants/acme/?a=1&b=/"},
    {"absolute", "\"url\":\"/api/v1/tenants/acme/?x=1\"", "\"success\"", "success", "200|Acme", "GET /api/v1/tenants/acme/?x=1"},
    {"post", "\"method\":\"post\",\"url\":\"/tenants/\",\"body\":\"{\\\"tenantId\\\": \\\"nodes\\\"}\",\"headers\":\"{\\\"X-Mark\\\": \\\"m1\\\"}\"",
     "\"success\"", "success", "201|nodes", "POST /api/v1/tenants/"},
    {"put", "\"method\":\"put\",\"url\":\"/tenants/acme/\",\"body\":\"{\\\"name\\\": \\\"Acme\\\"}\"", "\"success\"", "success", "200|Acme", "PUT /api/v1/tenants/acme/"},
    {"delete", "\"method\":\"delete\",\"url\":\"/tenants/nodes/\"", "\"success\"", "success", "200|", "DELETE /api/v1/tenants/nodes/"},
    {"codes", "\"url\":\"/tenants/nosuch/\",\"http_codes\":\"404\"", "\"404\",\"success\"", "404", "404|no such object", "GET /api/v1/tenants/nosuch/"},
    {"patterns", "\"url\":\"/tenants/nosuch/\",\"http_codes\":\"4*\"", "\"4*\",\"success\"", "4*", "404|no such object", "GET /api/v1/tenants/nosuch/"},
    {"unlisted", "\"url\":\"/tenants/nosuch/\"", "\"success\",\"error\"", "error", "404|no such object", "GET /api/v1/tenants/nosuch/"},
    {"emptyurl", "\"url\":\"\"", "\"success\"", "success", "!url", NULL},
    {"oddmethod", "\"method\":\"brew\",\"url\":\"/x\"", "\"success\"", "success", "!method", NULL},
    {"badheaders", "\"url\":\"/tenants/\",\"headers\":\"[1]\"", "\"success\"", "success", "!headers", NULL},
};

static const char *last_call(void)
{
    struct env_answer a = env_http_at(env, "GET", arena_printf(mem(), "%s/_control/requests", gateway), NULL, NULL);
    struct val list = val_get(api_json(env, &a), "requests"), last = val_at(list, val_count(list) - 1);

    return arena_printf(mem(), "%s %s", api_text(env, last, "method"), api_text(env, last, "target"));
}

static void every_parameter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        const struct mode_row *m = &modes[i];
        const char *path = arena_printf(mem(), "/api/v01/p1/mode-%s", m->name), *result;
        int64_t id = api_activity(
            env, arena_printf(mem(), "mode %s", m->name),
            arena_printf(mem(),
                         "{\"cells\":{" START "," END ",\"a\":{\"original_name\":\"proxy_session_call\",\"outputs\":[%s],"
                         "\"params\":{%s,\"output_context_key\":\"out\"}}},\"entities\":[],\"transitions\":[[\"start.ok\",\"a\"],[\"a.%s\",\"end\"]]}",
                         m->outputs, m->params, m->taken));

        api_route(env, "get", arena_printf(mem(), "/api/v01/{proxy}/mode-%s", m->name), id, ",\"sync\":true");
        ENV_WAIT(env, 10000, api_raw(env, "GET", path, NULL).status != 404 &&
                                 strcmp(env_psql(env, arena_printf(mem(), "SELECT count(*) FROM instances WHERE activity_id = %lld", (long long)id)), "0") != 0);
        if (m->want[0] == '!') {
            if (strstr(last_error(), m->want + 1) == NULL)
                env_fail(env, "%s: %s", m->name, last_error());
            continue;
        }
        result = env_psql(env, arena_printf(mem(), "SELECT concat(value->>'status', '|', value->>'body') FROM contexts c JOIN instances i ON i.id = c.instance_id "
                                                   "WHERE i.activity_id = %lld AND c.key = 'out' ORDER BY c.id LIMIT 1", (long long)id));
        if (strncmp(result, m->want, 4) != 0 || strstr(result, m->want + 4) == NULL)
            env_fail(env, "%s: expected %s in %s", m->name, m->want, result);
        if (strncmp(last_call(), m->sent, strlen(m->sent)) != 0)
            env_fail(env, "%s: the gateway saw %s", m->name, last_call());
    }
}

/* ---- tests ------------------------------------------------------------------------------------------------- */

static void calls_as_the_platform(void **state)
{
    (void)state;
    assert_string_equal(author(body_of("assystem")), "gwsystem");
    assert_string_equal(body_kind(), "string 200");
    assert_string_equal(env_psql(env, "SELECT http_method || ' ' || split_part(http_url, '/', 4) || ' ' || status FROM traces "
                                      "WHERE label = 'a' ORDER BY id DESC LIMIT 1"),
                        "GET api 200");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM traces WHERE input ILIKE '%system-secret%' OR output ILIKE '%system-secret%'"),
                        "0");
}

/* The platform's own users have no session there. */
static void falls_back_or_fails(void **state)
{
    (void)state;
    assert_string_equal(author(body_of("usersystem")), "gwsystem");
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/userfail", NULL).status, 500);
    assert_string_equal(last_error(), "the user has no session on gateway \"bwks\"");
}

static void calls_as_the_owner(void **state)
{
    (void)state;
    as_gateway_user();
    assert_string_equal(author(body_of("usersystem")), "gwgroup");
    assert_string_equal(author(body_of("userfail")), "gwgroup");
    assert_string_equal(author(body_of("assystem")), "gwsystem");
}

/* A session that the gateway does not accept any more is no reason to act as the platform. */
static void does_not_fall_back(void **state)
{
    (void)state;
    as_gateway_user();
    control("PUT", "{\"forget_sessions\": true}");
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/usersystem", NULL).status, 500);
    assert_string_equal(body_kind(), "string 401");
}

static void furnish(int port)
{
    api_configure(env, "gateways",
                  arena_printf(mem(), "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\",\"timeout\":20,\"username\":\"gwsystem\","
                                      "\"password\":\"system-secret\"}}", port));
    api_configure(env, "SSO",
                  "[{\"name\":\"switch\",\"enabled\":true,\"protocol\":\"broadsoft\",\"auto_create_user\":true,"
                  "\"user_creation_rules\":[{\"rule\":\"auth.profile.user_level == 8\",\"ui_profile\":\"provisioning\"}],"
                  "\"parameters\":{\"proxies\":{\"default\":\"bwks\"}}}]");
    workflow("assystem", "system", "/api/v1/tenants/acme/groups/sales/");
    workflow("usersystem", "original user or system", "tenants/acme/groups/sales/");
    workflow("userfail", "original user or fail", "/tenants/acme/groups/sales/");
    env_app_start(env, "sluice-proxy", "p1.sock",
                  (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(env, 20000, api_raw(env, "GET", "/api/v01/p1/tenants/", NULL).status == 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(calls_as_the_platform),
        API_TEST(falls_back_or_fails),
        API_TEST(calls_as_the_owner),
        API_TEST(does_not_fall_back),
        API_TEST(every_parameter),
    };
    int port;

    env = env_start();
    port = env_free_port(env);
    gateway = arena_printf(mem(), "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway",
              (const char *const[]){env_program(env, "tests/standin_gateway"), arena_printf(mem(), "-port=%d", port),
                                    "-bearer=none", NULL},
              NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    furnish(port);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
