/*
 * Sessions on a gateway shared by all processes: one login serves two proxies, many who need a new one wait for one login, sealed
 * cookies outlive a change of keys, ends are seen by everybody (gateway-proxy.md 6.2, 6.3).
 */
#include "base/arena.h"

#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "integration/env_api.h"
#include "support/fcgi_client.h"

#define GROUP "/api/v01/p1/tenants/acme/groups/sales/"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */

static struct val control(const char *method, const char *path, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http_at(env, method, env_fmt(env, "%s/_control%s", gateway, path), json, body);

    assert_int_equal(a.status, 200);
    return api_json(env, &a);
}

static int64_t logins(void)
{
    return api_int(control("GET", "/counters", NULL), "logins");
}

static struct val sign_in(void)
{
    const char *was = api_as("");
    struct val v = api(env, 200, "POST", "/api/v01/auth/login", "{\"username\":\"gwgroup\",\"password\":\"group-secret\"}");

    api_as(was);
    return v;
}

static int first(const char *path)
{
    return api_raw(env, "GET", path, NULL).status;
}

static struct fcgi_request request_of(const char *path)
{
    const char **params = arena_alloc(env_arena(env), 2 * sizeof *params);

    params[0] = env_fmt(env, "HTTP_AUTHORIZATION=Bearer %s", api_token());
    params[1] = NULL;
    return (struct fcgi_request){.uri = path, .params = params};
}

/* The same call through the second proxy, which stands behind no web server. */
static int second(const char *path)
{
    struct fcgi_request r = request_of(path);

    return fcgi_call(env_path(env, "p2.sock"), &r, env_arena(env)).status;
}

static void log_out(struct val tokens)
{
    unsigned char digest[64];
    size_t n;

    assert_true(crypto_digest("sha1", str_c(api_text(env, tokens, "refresh_token")), digest, &n));
    api(env, 200, "GET", env_fmt(env, "/api/v01/auth/logout?sign=sha1:%s", str_cstr(env_arena(env), crypto_hex(env_arena(env), digest, n))), NULL);
}

static const char *row_of(const char *what)
{
    return env_sql(env, "SELECT %s FROM gateway_logins WHERE token_family IS NOT NULL ORDER BY id DESC LIMIT 1", what);
}

/* ---- users --------------------------------------------------------------------------------------------- */

static void one_login_serves_all(void **state)
{
    struct val v = sign_in();
    int64_t before = logins();

    (void)state;
    api_as(api_text(env, v, "access_token"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(first(GROUP), 200);
        assert_int_equal(second(GROUP), 200);
    }
    assert_int_equal(logins(), before);
    log_out(v);
    ENV_WAIT(env, 3000, first(GROUP) == 401 && second(GROUP) == 401);
    assert_int_equal(logins(), before);
}

/* The gateway forgets him: the proxy that learns it tells the others. */
static void an_end_is_everybodys(void **state)
{
    struct val v = sign_in();

    (void)state;
    api_as(api_text(env, v, "access_token"));
    assert_int_equal(first(GROUP), 200);
    assert_int_equal(second(GROUP), 200);
    control("PUT", "", "{\"forget_sessions\":true}");
    assert_int_equal(second(GROUP), 401);
    ENV_WAIT(env, 3000, first(GROUP) == 401);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins WHERE token_family IS NOT NULL AND user_id = "
                                      "(SELECT id FROM users WHERE username = 'gwgroup')"), "0");
}

/* The account goes, and with it his sessions. */
static void ends_with_the_account(void **state)
{
    struct val v = sign_in();

    (void)state;
    api(env, 200, "DELETE", env_fmt(env, "/api/v01/system/users/%s", env_psql(env, "SELECT id FROM users WHERE username = 'gwgroup'")), NULL);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins WHERE token_family IS NOT NULL"), "0");
    api_as(api_text(env, v, "access_token"));
    ENV_WAIT(env, 3000, first(GROUP) == 401 && second(GROUP) == 401);
}

/* His login is good where it was made. */
static void is_of_one_gateway(void **state)
{
    struct env_answer a;

    (void)state;
    api_as(api_text(env, sign_in(), "access_token"));
    a = api_raw(env, "GET", "/api/v01/p1/edge/tenants/acme/groups/sales/", NULL);
    assert_int_equal(a.status, 401);
    assert_non_null(strstr(a.body, "you are signed in on gateway bwks, not on edge"));
    assert_int_equal(first(GROUP), 200); /* which did not end it */
}

/* A cookie that says how long it is good for is believed; without one a use prolongs it. */
static void cookies_say_when(void **state)
{
    (void)state;
    control("PUT", "", "{\"path\":\"/login/\",\"headers\":{\"Set-Cookie\":\"until=1; Max-Age=3600\"}}");
    sign_in();
    assert_string_equal(row_of("expires_on BETWEEN now() + interval '59 minutes' AND now() + interval '61 minutes'"), "t");
    control("PUT", "", "{\"path\":\"/login/\",\"headers\":{\"Set-Cookie\":\"until=1; Max-Age=1\"}}");
    api_as(api_text(env, sign_in(), "access_token"));
    control("DELETE", "", NULL);
    ENV_WAIT(env, 3000, strcmp(row_of("expires_on < now()"), "t") == 0);
    assert_int_equal(second(GROUP), 401);
    api_as(api_text(env, sign_in(), "access_token"));
    assert_string_equal(row_of("expires_on IS NULL"), "t");
    env_psql(env, "UPDATE gateway_logins SET last_used_on = now() - interval '20 minutes'");
    assert_int_equal(second(GROUP), 200);
    assert_string_equal(row_of("last_used_on > now() - interval '1 minute'"), "t");
}

static void keys(int status, const char *what, const char *which)
{
    const char *name = env_fmt(env, "keys-%s-%d", what, status);
    const char *const vars[] = {env_fmt(env, "DB=%s", env_db(env)), NULL};
    const char *argv[] = {env_program(env, "sluicectl"), "keys", what, which, NULL};

    if (env_wait_exit(env, env_spawn(env, name, argv, vars), 20000) != status)
        env_fail(env, "keys %s: %s", what, env_log(env, name));
}

/* Cookies sealed with the former key are opened as long as it is there; new ones are sealed with the new one. */
static void outlives_a_change_of_keys(void **state)
{
    struct val old = sign_in(), fresh;
    const char *key = env_psql(env, "SELECT id FROM keys WHERE label = 'gateway-logins' AND state = 'active'");

    (void)state;
    keys(0, "rotate", "gateway-logins");
    api_as(api_text(env, old, "access_token"));
    assert_int_equal(second(GROUP), 200); /* it has not opened this one before */
    fresh = sign_in();
    api_as(api_text(env, fresh, "access_token"));
    ENV_WAIT(env, 15000, first(GROUP) == 200); /* a process looks for new keys every ten seconds */
    keys(1, "retire", key); /* the older login is still under it */
    keys(0, "reseal", NULL);
    keys(0, "retire", key);
    api_as(api_text(env, old, "access_token"));
    ENV_WAIT(env, 15000, first(GROUP) == 200);
}

/* ---- the platform ------------------------------------------------------------------------------------------ */

enum { MANY = 24 };

/* Its session is over while many calls come: all are answered, after one login. */
static void many_wait_for_one_login(void **state)
{
    struct fcgi_request r = request_of("/api/v01/p1/tenants/");
    int fds[MANY];
    int64_t before;
    struct buf b;

    (void)state;
    assert_int_equal(first("/api/v01/p1/tenants/"), 200);
    control("PUT", "", "{\"forget_sessions\":true}");
    before = logins();
    buf_init(&b, 64 * 1024, env_arena(env));
    fcgi_put_request(&b, &r);
    for (int i = 0; i < MANY; i++) {
        fds[i] = fcgi_connect(env_path(env, "p1.sock"));
        assert_true(fds[i] >= 0 && fcgi_send(fds[i], buf_str(&b)));
    }
    for (int i = 0; i < MANY; i++) {
        struct fcgi_answer a;

        assert_true(fcgi_receive(fds[i], &a, env_arena(env), 10000));
        assert_int_equal(a.status, 200);
        close(fds[i]);
    }
    assert_int_equal(logins(), before + 1);
}

/* ---- furniture ----------------------------------------------------------------------------------------------- */

static int fresh(void **state)
{
    (void)api_setup(state);
    control("DELETE", "", NULL);
    env_psql(env, "DELETE FROM gateway_logins WHERE token_family IS NOT NULL");
    return 0;
}

#define FRESH(fn) cmocka_unit_test_setup(fn, fresh)

static void start_proxy(const char *socket_name)
{
    env_app_start(env, "sluice-proxy", socket_name,
                  (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks,/api/v01/p1/edge:edge", "-runMigration=false", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(one_login_serves_all), FRESH(an_end_is_everybodys), FRESH(is_of_one_gateway),         FRESH(cookies_say_when),
        FRESH(ends_with_the_account), FRESH(many_wait_for_one_login), FRESH(outlives_a_change_of_keys),
    };
    const char *members = "\"timeout\":5,\"username\":\"gwsystem\",\"password\":\"system-secret\"";
    int port;

    env = env_start();
    port = env_free_port(env);
    gateway = env_fmt(env, "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway", (const char *const[]){env_program(env, "tests/standin_gateway"), env_fmt(env, "-port=%d", port), NULL}, NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    api_configure(env, "gateways", env_fmt(env, "{\"bwks\":{\"url\":\"%s/\",%s},\"edge\":{\"url\":\"%s/\",%s}}", gateway, members, gateway, members));
    api_configure(env, "SSO",
                  "[{\"name\":\"switch\",\"enabled\":true,\"protocol\":\"broadsoft\",\"auto_create_user\":true,"
                  "\"user_creation_rules\":[{\"rule\":\"true\",\"ui_profile\":\"provisioning\"}],"
                  "\"parameters\":{\"proxies\":{\"default\":\"bwks\",\"edge\":\"edge\"}}}]");
    start_proxy("p1.sock");
    start_proxy("p2.sock");
    ENV_WAIT(env, 20000, first("/api/v01/p1/tenants/") == 200 && second("/api/v01/p1/tenants/") == 200);
    ENV_WAIT(env, 5000, api_login(env, "gwgroup", "group-secret") != NULL);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
