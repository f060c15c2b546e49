/*
 * What a change of the configuration leaves alone: callers that are known, connections to gateways, sessions there, the URL in use;
 * and what ends at once: the access of those who lost it.  Counted, not timed.  That calls go on meanwhile: it_proxy_load.
 */
#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/fcgi_client.h"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */
static int metrics_port, dead_port;

static int64_t at_gateway(const char *what)
{
    struct env_answer a = env_http_at(env, "GET", env_fmt(env, "%s/_control/counters", gateway), NULL, NULL);

    assert_int_equal(a.status, 200);
    return api_int(api_json(env, &a), what);
}

static long metric(const char *name)
{
    const char *text = env_http_at(env, "GET", env_fmt(env, "http://127.0.0.1:%d/metrics", metrics_port), NULL, NULL).body;
    const char *at = strstr(text, env_fmt(env, "\n%s ", name));

    return at != NULL ? strtol(at + strlen(name) + 2, NULL, 10) : -1;
}

/* Times a word stands in the proxy's log. */
static int logged(const char *word)
{
    int n = 0;

    for (const char *at = env_log(env, "p1.sock"); (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

static int call(const char *path)
{
    return api_raw(env, "GET", path, NULL).status;
}

/* `name` is the gateway of the mapping; `more` are further members, others further entries. */
static void gateways(const char *more, const char *others)
{
    api_configure(env, "gateways",
                  env_fmt(env, "{\"bwks\":{\"url\":\"%s/\",\"username\":\"gwsystem\",\"password\":\"system-secret\",\"timeout\":5%s},"
                               "\"twice\":{\"url\":\"http://127.0.0.1:%d/\",\"backup_urls\":[\"%s/\"],\"username\":\"gwsystem\",\"password\":\"system-secret\"}%s}",
                          gateway, more, dead_port, gateway, others));
}

/* ---- kept ---------------------------------------------------------------------------------------------------- */

static void new_profile(void)
{
    api(env, 200, "POST", "/api/v01/system/user_profiles", "{\"name\":\"unrelated\",\"available\":true,\"accesses\":[],\"api_rules\":[]}");
}

static void other_setting(void)
{
    api_configure(env, "gui", "{\"lockout_threshold\":7}");
}

static void other_gateway(void)
{
    gateways("", ",\"another\":{\"url\":\"http://127.0.0.1:9/\"}");
}

/* Attributes that are no part of a connection or a session. */
static void same_gateway(void)
{
    gateways(",\"concurrency\":50,\"headers\":\"[[\\\"X-Round\\\",\\\"1\\\"]]\"", "");
}

static void other_template(void)
{
    env_psql(env, "INSERT INTO templates (key, template) VALUES ('unrelated', 'text')");
}

static void other_route(void)
{
    env_psql(env, "INSERT INTO custom_routes (method, route) VALUES ('get', '/unrelated')");
}

static void other_key(void)
{
    env_psql(env, "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'");
}

static const struct kept {
    const char *name;
    void (*change)(void);
} kept[] = {
    {"a new profile", new_profile},
    {"another setting", other_setting},
    {"another gateway", other_gateway},
    {"attributes of the gateway", same_gateway},
    {"a template", other_template},
    {"a route", other_route},
    {"a key that signs no tokens", other_key},
};

static void keeps(void **state)
{
    const struct kept *k = *state;
    int reads, moves;
    int64_t connections, logins;
    long callers;

    assert_int_equal(call("/api/v01/p1/tenants/"), 200);
    assert_int_equal(call("/api/v01/p1/twice/tenants/"), 200);
    reads = logged("config.read");
    moves = logged("gateway.failover");
    connections = at_gateway("connections");
    logins = at_gateway("logins");
    callers = metric("sluice_callers_read_total");
    k->change();
    ENV_WAIT(env, 5000, logged("config.read") > reads);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call("/api/v01/p1/tenants/"), 200);
        assert_int_equal(call("/api/v01/p1/twice/tenants/"), 200);
    }
    assert_int_equal(metric("sluice_callers_read_total"), callers);
    assert_int_equal(at_gateway("logins"), logins);
    assert_int_equal(at_gateway("connections"), connections);
    assert_int_equal(logged("gateway.failover"), moves);
}

/* The counters themselves would notice. */
static void new_passwords_log_in(void **state)
{
    int64_t logins = at_gateway("logins"), failures = at_gateway("login_failures");

    (void)state;
    gateways(",\"password\":\"wrong\"", "");
    ENV_WAIT(env, 5000, call("/api/v01/p1/tenants/") == 502);
    assert_true(at_gateway("login_failures") > failures);
    gateways("", "");
    ENV_WAIT(env, 5000, call("/api/v01/p1/tenants/") == 200);
    assert_true(at_gateway("logins") > logins);
}

/* ---- ended --------------------------------------------------------------------------------------------------- */

static const char *somebody(const char *name)
{
    api(env, 200, "POST", "/api/v01/system/users",
        env_fmt(env, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\",\"is_system\":true}", name, name));
    return api_login(env, name, "Pass-word-123!");
}

static int call_as(const char *token)
{
    const char *was = api_as(token);
    int status = call("/api/v01/p1/tenants/");

    api_as(was);
    return status;
}

static void delete_user(const char *name)
{
    api(env, 200, "DELETE", env_fmt(env, "/api/v01/system/users/%s", env_sql(env, "SELECT id FROM users WHERE username = '%s'", name)), NULL);
}

static void revoke_user(const char *name)
{
    api(env, 204, "PUT", env_fmt(env, "/api/v01/system/users/%s/revoke", env_sql(env, "SELECT id FROM users WHERE username = '%s'", name)), NULL);
}

/* Somebody without our API, such as another process that is told by the database alone. */
static void deactivate(const char *name)
{
    env_sql(env, "UPDATE users SET status = 'INACTIVE' WHERE username = '%s'", name);
}

static void log_out(const char *name)
{
    env_sql(env, "INSERT INTO revoked_tokens (jti, family, user_id, expires_on, revoked_on) SELECT 'family:' || r.family, r.family, r.user_id, "
                 "now() + interval '20 minutes', now() FROM refresh_tokens r JOIN users u ON u.id = r.user_id WHERE u.username = '%s'", name);
}

static const struct ended {
    const char *name;
    void (*end)(const char *name);
} ended[] = {
    {"deleted", delete_user},
    {"revoked", revoke_user},
    {"inactive", deactivate},
    {"logged_out", log_out},
};

/* A second is what a revocation may take (it is told in milliseconds), and what a busy machine adds. */
static void ends_at_once(void **state)
{
    const struct ended *x = *state;
    const char *token = somebody(x->name);

    assert_int_equal(call_as(token), 200);
    x->end(x->name);
    ENV_WAIT(env, 2500, call_as(token) == 401);
    assert_int_equal(call("/api/v01/p1/tenants/"), 200); /* nobody else */
}

static void retired_keys_end_tokens(void **state)
{
    const char *old = api_token();

    (void)state;
    assert_int_equal(call_as(old), 200);
    env_psql(env, "UPDATE keys SET state = 'retired' WHERE label = 'tokens'");
    ENV_WAIT(env, 2500, call_as(old) == 401);
    ENV_WAIT(env, 5000, api_login(env, "admin", api_admin_password()) != NULL);
    api_as(api_login(env, "admin", api_admin_password()));
    ENV_WAIT(env, 5000, call("/api/v01/p1/tenants/") == 200);
}

/* ---- many at once -------------------------------------------------------------------------------------------- */

enum { CROWD = 12 }; /* fewer than there are workers */

/* A token nobody has seen, on many connections: the database is asked once. */
static void a_crowd_asks_once(void **state)
{
    const char *token = somebody("crowd");
    long callers = metric("sluice_callers_read_total"), joined = metric("sluice_callers_joined_total");
    const char *params[] = {env_fmt(env, "HTTP_AUTHORIZATION=Bearer %s", token), NULL};
    const struct fcgi_request r = {.uri = "/api/v01/p1/tenants/", .params = params};
    PGconn *held = PQconnectdb(env_db(env));
    int fds[CROWD];
    struct buf b;

    (void)state;
    PQclear(PQexec(held, "BEGIN"));
    PQclear(PQexec(held, "LOCK TABLE revoked_tokens"));
    assert_int_equal(PQtransactionStatus(held), PQTRANS_INTRANS);
    buf_init(&b, 64 * 1024, env_arena(env));
    fcgi_put_request(&b, &r);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = fcgi_connect(env_path(env, "p1.sock"));
        assert_true(fds[i] >= 0 && fcgi_send(fds[i], buf_str(&b)));
    }
    ENV_WAIT(env, 5000, metric("sluice_callers_joined_total") == joined + CROWD - 1);
    PQfinish(held);
    for (int i = 0; i < CROWD; i++) {
        struct fcgi_answer a;

        assert_true(fcgi_receive(fds[i], &a, env_arena(env), 10000));
        assert_int_equal(a.status, 200);
        close(fds[i]);
    }
    assert_int_equal(metric("sluice_callers_read_total"), callers + 1);
}

/* ---- furniture ----------------------------------------------------------------------------------------------- */

int main(void)
{
    struct CMUnitTest tests[COUNT_OF(kept) + COUNT_OF(ended) + 3];
    int port, failed;
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(kept); i++)
        tests[n++] = (struct CMUnitTest){kept[i].name, keeps, api_setup, NULL, (void *)(uintptr_t)&kept[i]};
    tests[n++] = (struct CMUnitTest)API_TEST(new_passwords_log_in);
    for (size_t i = 0; i < COUNT_OF(ended); i++)
        tests[n++] = (struct CMUnitTest){ended[i].name, ends_at_once, api_setup, NULL, (void *)(uintptr_t)&ended[i]};
    tests[n++] = (struct CMUnitTest)API_TEST(a_crowd_asks_once);
    tests[n++] = (struct CMUnitTest)API_TEST(retired_keys_end_tokens);
    env = env_start();
    port = env_free_port(env);
    metrics_port = env_free_port(env);
    dead_port = env_free_port(env);
    gateway = env_fmt(env, "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway", (const char *const[]){env_program(env, "tests/standin_gateway"), env_fmt(env, "-port=%d", port), NULL}, NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    gateways("", "");
    env_app_start(env, "sluice-proxy", "p1.sock",
                  (const char *const[]){"-proxy=/api/v01/p1:bwks,/api/v01/p1/twice:twice", "-runMigration=false", "-threads=1", "-metrics",
                                        env_fmt(env, "-metricsPort=%d", metrics_port), NULL});
    ENV_WAIT(env, 20000, call("/api/v01/p1/tenants/") == 200);
    ENV_WAIT(env, 5000, metric("sluice_listening") == 1); /* what a process first hears is all new to it */
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    return env_end(env, failed);
}
