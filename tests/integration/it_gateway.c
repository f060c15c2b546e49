/*
 * Gateways seen from outside: how they are (GET /gateways), who asks them, the way back to a main
 * URL, and the credentials that proxied calls and calls of nodes carry (gateway-proxy.md 3 and 4,
 * http-api.md 5.9).
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "integration/env_api.h"
#include "support/cases.h"
#include "support/peer.h"

static struct env *env;
static struct peer *watched, *backup,
    *guarded;      /* checked; its second URL; one that wants credentials */
static int nobody; /* a port where nobody listens */
static pid_t core, proxy;
static int timeout_s = 30; /* of "main": nothing here may depend on an answer in time, short only where none comes */

static const struct peer_step fine[] = {
    {.kind = PEER_ANSWER, .body = "{\"gateway_connected\": true, \"from\": \"main\"}"}};
static const struct peer_step failing[] = {{.kind = PEER_ANSWER, .status = 503, .body = "{}"}};
static const struct peer_step away[] = {{.kind = PEER_CLOSE}};
static const struct peer_step second[] = {{.kind = PEER_ANSWER, .body = "{\"from\": \"backup\"}"}};

static void configure(const char *guarded_members)
{
    api_configure(
        env, "gateways",
        arena_printf(env_arena(env),
                     "{\"main\":{\"url\":\"http://127.0.0.1:%d/\",\"check\":true,\"timeout\":%d,"
                     "\"backup_urls\":[\"http://127.0.0.1:%d/\"]},"
                     "\"gone\":{\"url\":\"http://127.0.0.1:%d\",\"check\":true,\"timeout\":30},"
                     "\"plain\":{\"url\":\"http://127.0.0.1:%d\"},"
                     "\"guarded\":{\"url\":\"http://127.0.0.1:%d\",\"api_root\":\"\"%s}}",
                     peer_port(watched), timeout_s, peer_port(backup), nobody, nobody, peer_port(guarded),
                     guarded_members));
}

/* One gateway of the list. */
static struct val gateway(const char *name)
{
    struct val list = val_get(api(env, 200, "GET", "/api/v01/gateways", NULL), "gateways");

    for (size_t i = 0; i < val_count(list); i++)
        if (str_eq_c(val_text(val_get(val_at(list, i), "name")), name))
            return val_at(list, i);
    env_fail(env, "no gateway %s", name);
}

static bool flag(const char *name, const char *member)
{
    return val_get_bool(gateway(name), member, false);
}

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* By whoever asks at the moment. */
static bool logged(const char *line)
{
    return strstr(env_log(env, "core.sock"), line) != NULL ||
           strstr(env_log(env, "p1.sock"), line) != NULL;
}

static void start_core(void)
{
    core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
}

static void start_proxy(void)
{
    proxy =
        env_app_start(env, "sluice-proxy", "p1.sock",
                      (const char *const[]){"-proxy=/api/v01/p1:main,/api/v01/p1/guarded:guarded",
                                            "-runMigration=false", NULL});
}

/* ---- the list
 * ------------------------------------------------------------------------------------ */

static void lists_gateways(void **state)
{
    struct val v;

    (void)state;
    ENV_WAIT(env, 10000, flag("main", "is_healthy"));
    v = gateway("main");
    assert_string_equal(text(v, "url"),
                        arena_printf(env_arena(env), "http://127.0.0.1:%d", peer_port(watched)));
    assert_string_equal(text(v, "checked"), "true");
    assert_string_equal(text(v, "is_connected"), "true");
    ENV_WAIT(env, 20000, flag("main", "is_gateway")); /* mapped in another process, which says so now and then */
    assert_string_equal(text(v, "gateway_status"), "inter-connected");
    assert_true(str_starts(str_c(text(v, "summary")), STR("answered 200 in ")));
    assert_int_equal(strlen(text(v, "ts")), 27);
    assert_string_equal(text(v, "connected"), "true");
    assert_string_equal(text(v, "active"), "true");
    assert_string_equal(text(v, "gateway_connected"), "true");
    assert_string_equal(text(v, "error"), "");

    v = gateway("gone");
    assert_string_equal(text(v, "is_gateway"), "false");
    assert_string_equal(text(v, "is_connected"), "false");
    assert_string_equal(text(v, "connected"), "false");
    assert_string_equal(text(v, "gateway_status"), "");
    assert_string_not_equal(text(v, "error"), "");

    v = gateway("plain");
    assert_string_equal(text(v, "checked"), "false");
    assert_string_equal(text(v, "is_healthy"), "false");
    assert_true(
        val_is_undef(val_get(v, "connected"))); /* else the dashboard counts it as in trouble */
    assert_true(val_is(val_get(v, "ts"), VAL_NULL));

    (void)api_as("");
    assert_int_equal(api_raw(env, "GET", "/api/v01/gateways", NULL).status, 401);
}

static void sees_changes(void **state)
{
    (void)state;
    peer_script(watched, failing, 1);
    ENV_WAIT(env, 10000, !flag("main", "is_healthy"));
    assert_true(flag("main", "is_connected"));
    assert_true(str_starts(str_c(text(gateway("main"), "error")), STR("answered 503")));
    peer_script(watched, fine, 1);
    ENV_WAIT(env, 10000, flag("main", "is_healthy"));
    ENV_WAIT(env, 5000, logged("gateway.unhealthy gateway=\"main\""));
    ENV_WAIT(env, 5000, logged("gateway.healthy gateway=\"main\""));
}

/* A login of sign-on names a gateway too. */
static void knows_gateways_of_sign_on(void **state)
{
    (void)state;
    api_configure(env, "SSO",
                  "[{\"name\":\"switch\",\"enabled\":true,\"protocol\":\"broadsoft\","
                  "\"parameters\":{\"proxies\":{\"p1\":\"plain\"}}}]");
    ENV_WAIT(env, 5000, flag("plain", "is_gateway"));
    assert_false(flag("gone", "is_gateway"));
    api_configure(env, "SSO", "[]");
}

/* ---- who asks
 * ------------------------------------------------------------------------------------ */

#define IS_OURS "objid::bigint = (hashtext('gw-check')::bigint & 4294967295)"

static void one_process_asks(void **state)
{
    const char *locks =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND " IS_OURS;
    int64_t start = clock_mono_ms(&clock_system);
    size_t asked;

    (void)state;
    peer_script(watched, fine, 1);
    ENV_WAIT(env, 20000, peer_requests(watched) >= 6); /* the proxy runs beside the core */
    asked = peer_requests(watched);
    assert_true((int64_t)asked <= (clock_mono_ms(&clock_system) - start) / 900 + 2); /* one of them may come late */
    assert_true(strcmp(env_psql(env, locks), "1") <= 0); /* while it asks */
    assert_true(str_starts(peer_request(watched, 0), STR("GET /health HTTP/1.1\r\n")));
}

static void another_takes_over(void **state)
{
    static const struct peer_step slow[] = {{.kind = PEER_HANG}};
    const char *holder = "";
    bool by_core;

    (void)state;
    timeout_s = 2;
    configure("");
    peer_script(watched, slow, 1); /* somebody is at it for long enough to be seen */
    ENV_WAIT(env, 20000,
             *(holder = env_psql(env, "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
                                      "WHERE l.locktype = 'advisory' AND l.granted AND " IS_OURS)) != '\0');
    by_core = strcmp(holder, "sluice-core") == 0;
    (void)env_kill(env, by_core ? core : proxy, SIGKILL);
    peer_script(watched, fine, 1);
    ENV_WAIT(env, 20000, peer_requests(watched) >= 2);
    if (by_core)
        start_core();
    else
        start_proxy();
    timeout_s = 30;
    configure("");
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    ENV_WAIT(env, 20000, flag("main", "is_healthy"));
}

/* ---- the way back
 * ----------------------------------------------------------------------------------- */

static const char *served_by(void)
{
    struct env_answer a = api_raw(env, "GET", "/api/v01/p1/tenants/", NULL);

    return a.status == 200 ? text(api_json(env, &a), "from") : "";
}

static void goes_back_to_a_healthy_main_url(void **state)
{
    (void)state;
    ENV_WAIT(env, 20000, strcmp(served_by(), "main") == 0);
    peer_script(watched, away, 1);
    ENV_WAIT(env, 10000, strcmp(served_by(), "backup") == 0);
    ENV_WAIT(env, 10000, !flag("main", "is_connected"));
    assert_string_equal(served_by(), "backup");
    peer_script(watched, fine, 1);
    ENV_WAIT(env, 10000, strcmp(served_by(), "main") == 0);
    ENV_WAIT(env, 5000, logged("gateway.back gateway=\"main\""));
}

/* ---- credentials
 * --------------------------------------------------------------------------------------- */

#define TOKEN_STEP                                                                                 \
    {                                                                                              \
        .kind = PEER_ANSWER, .headers = "Content-Type: application/json\r\n",                      \
        .body = "{\"access_token\":\"t0ken\",\"token_type\":\"bearer\",\"expires_in\":3600}"       \
    }

static const struct auth_row {
    const char *name, *members;
    struct peer_step
        first;          /* what the gateway answers before its `{}`; status -1: nothing special */
    size_t calls;       /* it gets in all */
    const char *header; /* of the last one */
} auth_rows[] = {
    {"basic",
     ",\"auth\":\"basic\",\"username\":\"u\",\"password\":\"p\"",
     {.status = -1},
     1,
     "\r\nAuthorization: Basic dTpw\r\n"},
    {"oauth1",
     ",\"auth\":\"oauth1\",\"client_id\":\"key\",\"client_secret\":\"secret\"",
     {.status = -1},
     1,
     "\r\nAuthorization: OAuth "},
    {"hawk",
     ",\"auth\":\"hawk\",\"id\":\"me\",\"key\":\"k3y\",\"algorithm\":\"sha256\"",
     {.status = -1},
     1,
     "\r\nAuthorization: Hawk id=\"me\""},
    {"oauth2",
     ",\"auth\":\"oauth2\",\"client_id\":\"id\",\"client_secret\":\"secret\",\"login_url\":\"/"
     "token\"",
     TOKEN_STEP, 2, "\r\nAuthorization: Bearer t0ken\r\n"},
    {"fixed bearer",
     ",\"headers\":{\"Authorization\":\"Bearer fixed\"}",
     {.status = -1},
     1,
     "\r\nAuthorization: Bearer fixed\r\n"},
};

static void script_guarded(const struct auth_row *r)
{
    const struct peer_step ok = {
        .kind = PEER_ANSWER, .headers = "Content-Type: application/json\r\n", .body = "{}"};
    struct peer_step steps[2] = {r->first, ok};

    if (r->first.status == -1)
        peer_script(guarded, &ok, 1);
    else
        peer_script(guarded, steps, 2);
}

static bool carried(const struct auth_row *r)
{
    struct str last = peer_request(guarded, r->calls - 1);

    return peer_requests(guarded) == r->calls && str_find(last, str_c(r->header)) > 0;
}

/* Through the proxy, then from a node of the core: the same credentials. */
static void carries_credentials(const struct auth_row *r)
{
    api_setup(NULL);
    configure(r->members);
    ENV_WAIT(
        env, 10000,
        (script_guarded(r),
         api_raw(env, "GET", "/api/v01/p1/guarded/things/", NULL).status == 200 && carried(r)));
    ENV_WAIT(env, 10000,
             (script_guarded(r),
              api_raw(env, "GET", "/api/v01/custom/guarded", NULL).status == 200 && carried(r)));
}

static void names_an_unknown_way(void **state)
{
    struct env_answer a;

    (void)state;
    configure(",\"auth\":\"basic\",\"username\":\"u\"");
    /* what the API refuses may stand in a database filled otherwise */
    env_psql(env, "INSERT INTO configuration (content) SELECT replace(content::text, '\"basic\"', "
                  "'\"kerberos\"')::json "
                  "FROM configuration ORDER BY id DESC LIMIT 1");
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/p1/guarded/things/", NULL).status == 503);
    a = api_raw(env, "GET", "/api/v01/p1/guarded/things/", NULL);
    assert_string_equal(text(api_json(env, &a), "error"),
                        "gateway guarded: unknown auth \"kerberos\"");
}

/* ---- all of it
 * --------------------------------------------------------------------------------------- */

static void set_up(void **state)
{
    int64_t id;

    (void)state;
    configure("");
    id = api_activity(
        env, "guarded",
        DEFINITION(CELL("call", "http_call",
                        "\"method\":\"get\",\"url\":\"/things/\",\"session_holder\":\"guarded\"",
                        "\"success\",\"error\"") "," CELL("answer", "sync_response",
                                                          "\"status\":\"200\",\"body\":\"{}\"",
                                                          "\"ok\"") ",",
                   LINE("start.ok", "call") "," LINE("call.success", "answer") "," LINE("answer.ok",
                                                                                        "end")));
    api_route(env, "get", "/guarded", id, ",\"sync\":true");
    start_proxy();
}

/* In the middle of a check that gets no answer. */
static void ends_cleanly(void **state)
{
    static const struct peer_step hang[] = {{.kind = PEER_HANG}};

    (void)state;
    timeout_s = 2;
    configure("");
    peer_script(watched, hang, 1);
    ENV_WAIT(env, 10000, peer_requests(watched) > 0);
    env_stop(env, core);
    peer_script(watched, hang, 1);
    ENV_WAIT(env, 10000, peer_requests(watched) > 0); /* the proxy asks, now at the latest */
    env_stop(env, proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(set_up),
        API_TEST(lists_gateways),
        API_TEST(sees_changes),
        API_TEST(knows_gateways_of_sign_on),
        API_TEST(one_process_asks),
        API_TEST(another_takes_over),
        API_TEST(goes_back_to_a_healthy_main_url),
        API_TEST(names_an_unknown_way),
    };
    const struct CMUnitTest last[] = {API_TEST(ends_cleanly)};
    int failed;

    watched = peer_new(fine, 1);
    backup = peer_new(second, 1);
    guarded = peer_new(fine, 1);
    nobody = peer_closed_port();
    env = env_start();
    env_nginx_start(env, "core.sock", "p1.sock");
    start_core();
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(auth_rows, carries_credentials);
    failed += cmocka_run_group_tests(last, NULL, NULL);
    failed = env_end(env, failed);
    peer_free(watched);
    peer_free(backup);
    peer_free(guarded);
    return failed;
}
