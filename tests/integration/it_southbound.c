/*
 * Calls made to other systems: searched, per request, and who sees which; gateways a user may provision.
 */
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"

static struct env *env;
static const char *anna;

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

#define CALLS "/api/v01/apio/southbound_calls"

/* Two proxied requests, of the administrator (1) and of anna (2), and an instance of hers with its own. */
static void fill(void)
{
    env_psql(env,
             "INSERT INTO requests (id, created_on, status, method, url, user_id, owner) SELECT u.id, now(), 'SUCCESS', 'get', '/x', u.id, u.username "
             "FROM users u;"
             "INSERT INTO definitions (sha256, definition) VALUES (sha256('x'), '{}');"
             "INSERT INTO instances (id, created_on, guid, status, definition_id, user_id) SELECT 50, now(), gen_random_uuid(), 'CLOSED_IN_SUCCESS', "
             "(SELECT max(id) FROM definitions), (SELECT id FROM users WHERE username = 'anna');"
             "INSERT INTO traces (id, instance_id, instance_on, request_id, session_holder, host, http_method, http_url, status, input, output, created_on) "
             "SELECT r.id * 10, NULL, r.created_on, r.id, 'bwks', 'gw' || r.id, 'GET', '/tenants/' || r.id, 200 + r.id, 'in', 'out', now() FROM requests r "
             "UNION ALL SELECT 99, 50, i.created_on, NULL, NULL, 'db', 'SELECT', 'SELECT 1', 0, 'q', '', now() FROM instances i WHERE i.id = 50");
}

static void lists_calls(void **state)
{
    struct val v = api(env, 200, "GET", CALLS "?sorting=%5B%7B%22field%22%3A%22processing_trace_id%22%2C%22direction%22%3A%22asc%22%7D%5D", NULL);

    (void)state;
    assert_int_equal(val_count(val_get(v, "calls")), 3);
    assert_string_equal(text(v, "calls.0.host"), "gw1");
    assert_string_equal(text(v, "calls.0.session_holder"), "bwks");
    assert_string_equal(text(v, "calls.0.status"), "201");
    assert_true(val_is(val_path(v, "calls.0.status"), VAL_STR));
    assert_string_equal(text(v, "calls.0.method"), "GET");
    assert_string_equal(text(v, "calls.0.url"), "/tenants/1");
    assert_string_equal(text(v, "calls.2.status"), "0");
    assert_int_equal(api_int(v, "calls.2.instance_id"), 50);
    assert_int_equal(val_count(val_get(v, "pagination")), 4);
    assert_true(val_is_undef(val_path(v, "calls.0.input")));
}

static int64_t found(const char *filter)
{
    return (int64_t)val_count(val_get(api(env, 200, "GET", arena_printf(env_arena(env), CALLS "?filter=%s", filter), NULL), "calls"));
}

static void filters_calls(void **state)
{
    (void)state;
    assert_int_equal(found("%7B%22field%22%3A%22host%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22gw2%22%7D"), 1);
    assert_int_equal(found("%7B%22field%22%3A%22status%22%2C%22op%22%3A%22ge%22%2C%22value%22%3A202%7D"), 1);
    assert_int_equal(found("%7B%22field%22%3A%22http_url%22%2C%22op%22%3A%22like%22%2C%22value%22%3A%22%25tenants%25%22%7D"), 2);
    /* several methods; a multi-select that was emptied; a value that is not there */
    assert_int_equal(found("%7B%22or%22%3A%5B%7B%22field%22%3A%22http_method%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22select%22%7D%5D%7D"), 1);
    assert_int_equal(found("%5B%7B%22or%22%3A%5B%5D%7D%2C%7B%22field%22%3A%22host%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22%22%7D%5D"), 3);
    api(env, 400, "GET", CALLS "?filter=%7B%22field%22%3A%22input%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A1%7D", NULL);
}

static void shows_traces_of_a_request(void **state)
{
    struct val v = api(env, 200, "GET", "/api/v01/apio/requests/1/traces?details=1", NULL);

    (void)state;
    assert_int_equal(val_count(val_get(v, "traces")), 1);
    assert_int_equal(api_int(v, "traces.0.processing_trace_id"), 10);
    assert_int_equal(api_int(v, "traces.0.id"), 10);
    assert_string_equal(text(v, "traces.0.input"), "in");
    assert_string_equal(val_is(val_path(v, "traces.0.status"), VAL_STR) ? api_text(env, v, "traces.0.status") : "no text", "201");
    api(env, 404, "GET", "/api/v01/apio/requests/777/traces", NULL);
}

/* Who may read requests, but not those of others. */
static void sees_his_own(void **state)
{
    struct val v;

    (void)state;
    api_as(anna);
    v = api(env, 200, "GET", CALLS "?sorting=%5B%7B%22field%22%3A%22processing_trace_id%22%2C%22direction%22%3A%22asc%22%7D%5D", NULL);
    assert_int_equal(val_count(val_get(v, "calls")), 2);
    assert_string_equal(text(v, "calls.0.host"), "gw2");
    assert_string_equal(text(v, "calls.1.host"), "db");
    api(env, 200, "GET", "/api/v01/apio/requests/2/traces", NULL);
    api(env, 403, "GET", "/api/v01/apio/requests/1/traces", NULL);
}

static void lists_what_he_may_provision(void **state)
{
    struct val v;

    (void)state;
    api_configure(env, "provisioning", "{\"gateways\":[{\"name\":\"main\",\"prefix\":\"/api/v01/p1\"},{\"name\":\"lab\",\"prefix\":\"/api/v01/p2\"}]}");
    v = api(env, 200, "GET", "/api/v01/apio/provisioning/gateways", NULL);
    assert_int_equal(val_count(val_get(v, "gateways")), 2);
    assert_string_equal(text(v, "gateways.0.prefix"), "/api/v01/p1");
    api_as(anna);
    v = api(env, 200, "GET", "/api/v01/apio/provisioning/gateways", NULL);
    assert_int_equal(val_count(val_get(v, "gateways")), 1);
    assert_string_equal(text(v, "gateways.0.name"), "lab");
    api_as("");
    api(env, 401, "GET", "/api/v01/apio/provisioning/gateways", NULL);
    api(env, 401, "GET", CALLS, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(lists_calls), API_TEST(filters_calls), API_TEST(shows_traces_of_a_request),
                                       API_TEST(sees_his_own), API_TEST(lists_what_he_may_provision)};
    struct val v;

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    v = api(env, 200, "POST", "/api/v01/system/user_profiles",
            "{\"name\":\"some\",\"available\":true,\"api_rules\":[],\"accesses\":[\"requests\",\"provisioning.lab\"]}");
    api(env, 200, "POST", "/api/v01/system/users",
        arena_printf(env_arena(env), "{\"username\":\"anna\",\"email\":\"anna@example.com\",\"language\":\"en\",\"password\":\"Zu8-lantern-quick\",\"profile_id\":%lld}",
                     (long long)api_int(v, "id")));
    anna = api_login(env, "anna", "Zu8-lantern-quick");
    fill();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
