/*
 * The proxy in front of a gateway: nginx, sluice-proxy, core, PostgreSQL and the stand-in gateway (gateway-proxy.md 12).  What goes
 * wrong there: it_proxy_trouble.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "integration/env_standin.h"
#include "support/cases.h"
#include "support/fcgi_client.h"

#define CANARY "canary-5ecret-31bb"

static struct env *env;
static const struct standin *s;

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* ---- paths and headers ------------------------------------------------------------------------------- */

static const struct path_row {
    const char *name, *path, *want; /* target at the gateway; NULL: refused with 400 */
} path_rows[] = {
    {"final slash", "/api/v01/p1/tenants/", "/api/v1/tenants/"},
    {"no final slash", "/api/v01/p1/tenants", "/api/v1/tenants/"},
    {"query", "/api/v01/p1/tenants?available=true&b=%2f&b=+", "/api/v1/tenants/?available=true&b=%2f&b=+"},
    {"our token in the query", "/api/v01/p1/tenants/?a=1&auth_token=" CANARY "&b=2", "/api/v1/tenants/?a=1&b=2"},
    {"escapes stay", "/api/v01/p1/tenants/acme/groups/sales/users/ann%40acme.example/", "/api/v1/tenants/acme/groups/sales/users/ann%40acme.example/"},
    {"escaped slash stays", "/api/v01/p1/tenants/a%2Fb", "/api/v1/tenants/a%2Fb/"},
    {"prefix escaped", "/api/v01/%701/tenants", "/api/v1/tenants/"},
    {"dots", "/api/v01/p1/%2e%2e/%2e%2e/login/", NULL},
    {"two slashes", "/api/v01/p1//tenants", NULL},
    {"NUL", "/api/v01/p1/tenants%00", NULL},
    {"line end", "/api/v01/p1/tenants%0d%0aX:1", NULL},
};

static void maps_paths(const struct path_row *r)
{
    int64_t before;
    int status;

    standin_obeys(NULL);
    before = standin_calls();
    status = standin_get(r->path);
    if (r->want == NULL) {
        assert_int_equal(status, 400);
        assert_int_equal(standin_calls(), before);
    } else {
        assert_true(status == 200 || status == 404);
        assert_string_equal(text(standin_last_call(), "target"), r->want);
    }
}

static void item_1_both_spellings_reach_one_target(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        api_raw(env, methods[i], "/api/v01/p1/tenants/absent?a=b", "{}");
        assert_string_equal(text(standin_last_call(), "method"), methods[i]);
        assert_string_equal(text(standin_last_call(), "target"), "/api/v1/tenants/absent/?a=b");
    }
    assert_int_equal(standin_get("/api/v01/p1/tenants"), 200);
    assert_string_equal(text(standin_last_call(), "target"), "/api/v1/tenants/");
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    assert_string_equal(text(standin_last_call(), "target"), "/api/v1/tenants/");
}

static void item_2_tokens_and_cookies_stay_apart(void **state)
{
    const char *headers[] = {api_auth(env), "Cookie: ours=1; sessionid=stolen", "X-Custom: yes", "Accept-Language: nl",
                             "X-Forwarded-For: 6.6.6.6", "Origin: http://ui", "X-Hop: 1", "If-None-Match: \"e\"", NULL};
    struct env_answer a;
    struct val call;

    (void)state;
    standin_control("PUT", "", "{\"headers\":{\"Set-Cookie\":\"evil=1\",\"X-Gw\":\"seen\",\"Server\":\"gw/1\",\"ETag\":\"\\\"e\\\"\","
                       "\"WWW-Authenticate\":\"Basic\",\"Content-Disposition\":\"inline\",\"X-Accel-Redirect\":\"/api/v01/health\"}}");
    a = env_http(env, "GET", "/api/v01/p1/tenants/", headers, NULL);
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.body, "sluice-")); /* nginx took no order from the gateway */
    assert_string_equal(env_header(env, &a, "X-Gw"), "seen");
    assert_string_equal(env_header(env, &a, "ETag"), "\"e\"");
    assert_string_equal(env_header(env, &a, "Content-Disposition"), "inline");
    assert_string_equal(env_header(env, &a, "Set-Cookie"), "");
    assert_string_equal(env_header(env, &a, "WWW-Authenticate"), "");
    assert_null(strstr(env_header(env, &a, "Server"), "gw/1"));
    call = standin_last_call();
    assert_string_equal(standin_sent_header(call, "Authorization"), "");
    assert_null(strstr(standin_sent_header(call, "Cookie"), "ours"));
    assert_null(strstr(standin_sent_header(call, "Cookie"), "stolen"));
    assert_non_null(strstr(standin_sent_header(call, "Cookie"), "sessionid="));
    assert_non_null(strstr(standin_sent_header(call, "Cookie"), "balancer="));
    assert_string_equal(standin_sent_header(call, "X-Custom"), "yes");
    assert_string_equal(standin_sent_header(call, "Accept-Language"), "nl");
    assert_string_equal(standin_sent_header(call, "If-None-Match"), "\"e\"");
    assert_string_equal(standin_sent_header(call, "Origin"), "");
    assert_string_equal(standin_sent_header(call, "X-Forwarded-For"), "127.0.0.1");
    assert_string_equal(standin_sent_header(call, "Accept-Encoding"), "identity");
    assert_string_not_equal(standin_sent_header(call, "X-Request-Id"), "");
    assert_string_equal(standin_sent_header(call, "Host"), s->url + strlen("http://"));
}

/* Browsers send JSON of DELETE as text/plain. */
static void item_3_json_of_delete(void **state)
{
    const char *headers[] = {api_auth(env), "Content-Type: text/plain;charset=UTF-8", NULL};
    struct val call;

    (void)state;
    env_http(env, "DELETE", "/api/v01/p1/tenants/nobody", headers, "{\"force\":true}");
    call = standin_last_call();
    assert_string_equal(text(call, "method"), "DELETE");
    assert_string_equal(text(call, "body"), "{\"force\":true}");
    assert_string_equal(standin_sent_header(call, "Content-Type"), "application/json");
    env_http(env, "DELETE", "/api/v01/p1/tenants/nobody", headers, "no json at all");
    call = standin_last_call();
    assert_string_equal(text(call, "body"), "no json at all");
    assert_string_equal(standin_sent_header(call, "Content-Type"), "text/plain;charset=UTF-8");
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

static void passes_answers_on(void **state)
{
    struct env_answer a;

    (void)state;
    a = api_raw(env, "GET", "/api/v01/p1/tenants/nobody/", NULL);
    assert_int_equal(a.status, 404);
    assert_non_null(strstr(a.body, "\"error")); /* the gateway's own words */
    standin_control("PUT", "", "{\"status\":207,\"times\":1}");
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 207);
    standin_control("PUT", "", "{\"status\":429,\"times\":1}");
    a = api_raw(env, "GET", "/api/v01/p1/tenants/", NULL);
    assert_int_equal(a.status, 429);
    assert_string_equal(env_header(env, &a, "Retry-After"), "1");
    standin_control("PUT", "", "{\"status\":500,\"times\":1}");
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 500);
    a = api_raw(env, "HEAD", "/api/v01/p1/tenants/", NULL);
    assert_int_equal(a.body_len, 0);
}

static void rewrites_redirects(void **state)
{
    struct env_answer a;

    (void)state;
    standin_control("PUT", "", "{\"status\":302,\"location\":\"/api/v1/tenants/acme/?a=1\",\"times\":1}");
    a = api_raw(env, "GET", "/api/v01/p1/old", NULL);
    assert_int_equal(a.status, 302);
    assert_non_null(strstr(env_header(env, &a, "Location"), "/api/v01/p1/tenants/acme/?a=1"));
    standin_control("PUT", "", "{\"status\":302,\"location\":\"http://evil.example/api/v1/x\",\"times\":1}");
    a = api_raw(env, "GET", "/api/v01/p1/old", NULL);
    assert_int_equal(a.status, 502);
    assert_string_equal(env_header(env, &a, "Location"), "");
    assert_null(strstr(a.body, "evil"));
}

/* ---- sessions ----------------------------------------------------------------------------------------------- */

static int64_t logins(void)
{
    return api_int(standin_control("GET", "/counters", NULL), "logins");
}

/* A login the gateway has forgotten is renewed within the call, once, whatever the method. */
static void item_7_expired_session_is_invisible(void **state)
{
    static const char *const methods[] = {"GET", "PUT"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct env_answer a;
        int64_t before;

        standin_get("/api/v01/p1/tenants/");
        before = logins();
        standin_control("PUT", "", "{\"forget_sessions\":true}");
        a = api_raw(env, methods[i], "/api/v01/p1/tenants/acme/", i == 0 ? NULL : "{\"name\":\"Acme\"}");
        if (a.status != 200)
            env_fail(env, "%s: %d %s", methods[i], a.status, a.body);
        assert_int_equal(logins(), before + 1);
    }
}

/* ---- who ------------------------------------------------------------------------------------------------------ */

static const char *make_user(const char *name, const char *rules)
{
    struct arena *a = env_arena(env);
    struct val v = api(env, 200, "POST", "/api/v01/system/user_profiles",
                       arena_printf(a, "{\"name\":\"%s\",\"available\":true,\"accesses\":[],\"api_rules\":%s}", name, rules));
    const char *token;

    api(env, 200, "POST", "/api/v01/system/users",
        arena_printf(a, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}", name,
                     name, (long long)api_int(v, "id")));
    token = api_login(env, name, "Pass-word-123!");
    if (token == NULL)
        env_fail(env, "%s cannot log in", name);
    return token;
}

/* Older interfaces ask for the gateway's own paths; rules and history see the call under the prefix. */
static void serves_the_old_alias(void **state)
{
    const char *some;
    int64_t before;

    (void)state;
    assert_int_equal(standin_get("/api/v01/apio/sync/api/v1/tenants/acme"), 200);
    ENV_WAIT(env, 5000,
             strcmp(env_psql(env, "SELECT url FROM requests WHERE gateway IS NOT NULL ORDER BY created_on DESC LIMIT 1"),
                    "/api/v01/p1/tenants/acme") == 0);
    some = make_user("aliasrules", "[{\"method\":\"get\",\"url\":\"/api/v01/p1/tenants/acme/*\",\"allowed\":true}]");
    before = standin_calls();
    assert_int_equal(standin_get("/api/v01/apio/sync/health"), 404);
    assert_int_equal(standin_get("/api/v01/apio/sync/api/v1x/tenants/"), 404);
    assert_int_equal(standin_calls(), before);
    api_as(some);
    ENV_WAIT(env, 3000, standin_get("/api/v01/apio/sync/api/v1/tenants/acme/") == 200);
    before = standin_calls();
    assert_int_equal(standin_get("/api/v01/apio/sync/api/v1/tenants/globex/"), 403);
    assert_int_equal(standin_get("/api/v01/apio/sync/%61pi/v1/tenants/globex/"), 403);
    api_as("");
    assert_int_equal(standin_get("/api/v01/apio/sync/api/v1/tenants/acme/"), 401);
    assert_int_equal(standin_calls(), before);
}

static void item_4_no_rule_no_call(void **state)
{
    const char *none, *some;
    struct env_answer a;
    int64_t before;

    (void)state;
    none = make_user("norules", "[]");
    some = make_user("somerules", "[{\"method\":\"get\",\"url\":\"/api/v01/p1/tenants/acme/groups/*\",\"allowed\":false},"
                                  "{\"method\":\"get\",\"url\":\"/api/v01/p1/tenants/*\",\"allowed\":true}]");
    before = standin_calls();
    api_as(none);
    a = api_raw(env, "GET", "/api/v01/p1/tenants/", NULL);
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.body, "\"error\":\"not allowed\""));
    api_as("");
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 401);
    assert_int_equal(standin_calls(), before);
    api_as(some);
    ENV_WAIT(env, 3000, standin_get("/api/v01/p1/tenants/acme/") == 200);
    before = standin_calls();
    assert_int_equal(standin_get("/api/v01/p1/tenants/acme/groups/sales"), 403);
    assert_int_equal(standin_get("/api/v01/p1/tenants/acme/%67roups/sales"), 403);
    assert_int_equal(api_raw(env, "DELETE", "/api/v01/p1/tenants/acme/", NULL).status, 403);
    assert_int_equal(standin_calls(), before);
}

/* ---- custom routes and item_10_replay ------------------------------------------------------------------------------ */

#define RESPOND(body) CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"" body "\"", "\"ok\"")

static void item_8_custom_routes_overload(void **state)
{
    int64_t id = api_activity(env, "over",
                              DEFINITION(RESPOND("{\\\"over\\\": {{ request.match_info|tojson }}, \\\"tail\\\": {{ request.tail|tojson }}}") ",",
                                         LINE("start.ok", "answer") "," LINE("answer.ok", "end")));
    int64_t route = api_route(env, "get", "/api/v01/{proxy}/tenants/{t}/", id, ",\"sync\":true");
    const char *path = arena_printf(env_arena(env), "/api/v01/custom_routes/%lld", (long long)route);
    struct env_answer a;
    int64_t before;

    (void)state;
    ENV_WAIT(env, 3000, strstr(api_raw(env, "GET", "/api/v01/p1/tenants/acme/", NULL).body, "\"over\"") != NULL);
    before = standin_calls();
    a = api_raw(env, "GET", "/api/v01/p1/tenants/acme", NULL);
    assert_string_equal(a.body, "{\"over\":{\"proxy\":\"p1\",\"t\":\"acme\"},\"tail\":\"tenants/acme\"}");
    assert_int_equal(standin_calls(), before);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    assert_int_equal(standin_calls(), before + 1);
    api(env, 200, "PUT", path, "{\"enabled\":false}");
    ENV_WAIT(env, 1500, strstr(api_raw(env, "GET", "/api/v01/p1/tenants/acme/", NULL).body, "\"over\"") == NULL);
    api(env, 200, "PUT", path, "{\"enabled\":true,\"route\":\"/short/{n}\"}"); /* below the prefix of every proxy */
    ENV_WAIT(env, 1500, strstr(api_raw(env, "GET", "/api/v01/p1/short/5", NULL).body, "\"n\":\"5\"") != NULL);
    api(env, 200, "DELETE", path, NULL);
}

/* A run whose call the gateway failed; the id of that task in *task. */
static int64_t blocked(const char **task)
{
    struct val v;

    standin_control("PUT", "", "{\"status\":500}");
    ENV_WAIT(env, 3000, standin_get("/api/v01/p1/replayed") == 500 && strstr(api_raw(env, "GET", "/api/v01/p1/replayed", NULL).body, "guid") != NULL);
    v = api(env, 500, "GET", "/api/v01/p1/replayed", NULL);
    standin_control("DELETE", "", NULL);
    *task = env_sql(env, "SELECT id FROM tasks WHERE cell_id = 'call' AND instance_id = %lld", (long long)api_int(v, "id"));
    return api_int(v, "id");
}

/* A task of a blocked run is replayed, skipped or rolled back through the prefix, which is never forwarded. */
static void item_10_replay(void **state)
{
    static const struct {
        const char *meta;
        bool called;
    } ways[] = {{"", true}, {"?meta=%7B%22replay_behaviour%22:%22skip%22%7D", false}, {"?meta=%7B%22replay_behaviour%22:%22rollback%22%7D", false}};
    int64_t id = api_activity(env, "replayed",
                              DEFINITION(CELL("call", "http_call", "\"session_holder\":\"bwks\",\"method\":\"get\",\"url\":\"/api/v1/tenants/\"",
                                              "\"success\",\"error\",\"skip\",\"rollback\"") "," RESPOND("{}") ",",
                                         LINE("start.ok", "call") "," LINE("call.success", "answer") "," LINE("call.skip", "answer") ","
                                         LINE("call.rollback", "answer") "," LINE("answer.ok", "end")));

    (void)state;
    api_route(env, "get", "/replayed", id, ",\"sync\":true");
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const char *task;
        int64_t instance = blocked(&task), before = standin_calls();

        api(env, 404, "PUT", "/api/v01/p1/transactions/99999999/tasks/1", "{}");
        api(env, 404, "GET", "/api/v01/p1/transactions", NULL);
        api(env, 404, "GET", "/api/v01/p1/transactions/", NULL);
        assert_int_equal(standin_calls(), before);
        api(env, 200, "PUT", env_fmt(env, "/api/v01/p1/transactions/%lld/tasks/%s%s", (long long)instance, task, ways[i].meta), "{}");
        assert_string_equal(api_instance_status(env, instance), "CLOSED_IN_SUCCESS");
        assert_int_equal(standin_calls() > before, ways[i].called);
        if (ways[i].called)
            assert_string_equal(text(standin_last_call(), "target"), "/api/v1/tenants/");
    }
}

/* ---- the history --------------------------------------------------------------------------------------------- */

static void item_9_history_without_secrets(void **state)
{
    const char *path = "/api/v01/p1/tenants/acme/groups/sales/users/?mark=history&auth_token=" CANARY;
    static const char *const logs[] = {"p1.sock", "core.sock", "nginx"};
    struct arena *a = env_arena(env);
    struct val v;
    const char *id, *dump;
    char line[16384];
    FILE *f;

    (void)state;
    api_raw(env, "POST", path, "{\"userId\":\"zoe@acme.example\",\"password\":\"" CANARY "\"}");
    ENV_WAIT(env, 5000, env_psql(env, "SELECT id FROM requests WHERE url LIKE '%mark=history%'")[0] != '\0');
    id = env_psql(env, "SELECT id FROM requests WHERE url LIKE '%mark=history%'");
    v = api(env, 200, "GET", arena_printf(a, "/api/v01/apio/requests/%s", id), NULL);
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT concat_ws('|', method, owner, proxy_gateway_host, gateway, tenant_id, "
                                                      "site_id, instance_id IS NULL) FROM requests WHERE id = %s", id)),
                        "post|admin|/api/v01/p1|bwks|acme|sales|t");
    assert_string_equal(env_psql(env, arena_printf(a, "SELECT response_status >= 200 FROM requests WHERE id = %s", id)), "t");
    assert_null(strstr(json_text(v, a).p, CANARY));
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests r WHERE r::text LIKE '%" CANARY "%'"), "0");
    for (size_t i = 0; i < COUNT_OF(logs); i++) {
        assert_null(strstr(env_log(env, logs[i]), CANARY));
        assert_null(strstr(env_log(env, logs[i]), "system-secret"));
    }
    f = fopen(env_path(env, "nginx/logs/access.log"), "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        assert_null(strstr(line, CANARY));
    if (f != NULL)
        fclose(f);
    dump = env_pg_dump(env, env_db(env), (const char *const[]){"--data-only", NULL});
    assert_null(strstr(dump, CANARY));
    assert_null(strstr(dump, "system-secret"));
}

static bool found(const char *filter)
{
    const char *path = arena_printf(env_arena(env), "/api/v01/apio/requests/search?filter=%s", filter);

    return val_count(val_get(api(env, 200, "GET", path, NULL), "requests")) > 0;
}

static void item_9_search(void **state)
{
    (void)state;
    assert_true(found("%7B%22field%22:%22tenant_id%22,%22op%22:%22eq%22,%22value%22:%22acme%22%7D"));
    assert_true(found("%7B%22field%22:%22proxy_gateway_host%22,%22op%22:%22eq%22,%22value%22:%22%2Fapi%2Fv01%2Fp1%22%7D"));
    assert_true(found("%7B%22field%22:%22response_status%22,%22op%22:%22eq%22,%22value%22:404%7D"));
    assert_true(found("%7B%22field%22:%22activity_id%22,%22op%22:%22is_null%22%7D"));
    assert_true(found("%7B%22field%22:%22numbers%22,%22op%22:%22like%22,%22value%22:%22%25zoe%25%22%7D"));
    assert_true(found("%7B%22field%22:%22request_url%22,%22op%22:%22like%22,%22value%22:%22%25mark=history%25%22%7D"));
    assert_true(found("%7B%22field%22:%22response_status%22,%22op%22:%22eq%22,%22value%22:404%7D"));
    assert_true(found("%7B%22field%22:%22request_method%22,%22op%22:%22eq%22,%22value%22:%22post%22%7D"));
    assert_false(found("%7B%22field%22:%22tenant_id%22,%22op%22:%22eq%22,%22value%22:%22nosuch%22%7D"));
}

/* ---- big and broken answers ------------------------------------------------------------------------------------ */

/* GET through nginx on a socket of our own, read up to `stop` bytes (0: to the end); bytes got. */
static size_t drain(const char *path, size_t stop)
{
    const char *head = arena_printf(env_arena(env), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n", path, api_auth(env));
    int fd = env_connect(s->nginx_port);
    char chunk[65536];
    size_t got = 0;
    ssize_t n;

    assert_true(fd >= 0);
    assert_int_equal(send(fd, head, strlen(head), 0), strlen(head));
    while ((n = env_recv(fd, chunk, sizeof chunk)) > 0) {
        got += (size_t)n;
        if (stop > 0 && got >= stop)
            break;
    }
    close(fd);
    return got;
}

static void streams(void **state)
{
    long before;

    (void)state;
    standin_get("/api/v01/p1/tenants/");
    before = env_peak_kib(env, s->proxy);
    standin_control("PUT", "", "{\"big_mb\":100,\"times\":1}");
    assert_true(drain("/api/v01/p1/tenants/?big=1", 0) > 100 * MIB);
    if (env_peak_kib(env, s->proxy) > before + 40 * 1024)
        env_fail(env, "the proxy grew from %ld to %ld KiB", before, env_peak_kib(env, s->proxy));
    ENV_WAIT(env, 5000, env_psql(env, "SELECT 1 FROM requests WHERE url LIKE '%big=1' AND response::text LIKE '%truncated%'")[0] == '1');
}

static void item_11_clients_leave(void **state)
{
    (void)state;
    standin_control("PUT", "", "{\"big_mb\":100,\"times\":2}");
    assert_true(drain("/api/v01/p1/tenants/", 1 * MIB) >= 1 * MIB);
    assert_true(drain("/api/v01/p1/tenants/", 100) >= 100);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
    assert_true(env_running(env, s->proxy));
}

static void tells_broken_answers(void **state)
{
    struct env_answer a;

    (void)state;
    standin_control("PUT", "", "{\"reset_mid_body\":true,\"big_mb\":1,\"times\":1}");
    a = api_raw(env, "GET", "/api/v01/p1/tenants/", NULL);
    if (a.status != 0 && a.status != 502) /* cut, not complete */
        env_fail(env, "%d %zu %.100s", a.status, a.body_len, a.body);
    standin_control("DELETE", "", NULL);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 200);
}

static void item_11_too_large(void **state)
{
    const char *const params[] = {arena_printf(env_arena(env), "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};
    struct fcgi_request r = {.method = "POST", .uri = "/api/v01/p1/tenants/", .announced = "33554433", .body = STR("{}"),
                             .content_type = "application/json", .params = params};
    struct fcgi_answer f = fcgi_call(env_path(env, "p1.sock"), &r, env_arena(env));

    (void)state;
    assert_int_equal(f.status, 413);
    assert_true(str_find(f.body, STR("request body larger than 33554432 bytes")) >= 0);
}

static void item_11_headers_of_65_kib(void **state)
{
    size_t n = 65 * KIB;
    char *value = arena_alloc(env_arena(env), n + 1);
    const char *params[] = {arena_printf(env_arena(env), "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL, NULL};
    struct fcgi_request r = {.uri = "/api/v01/p1/tenants/", .params = params};
    struct fcgi_answer f;

    (void)state;
    memset(value, 'h', n);
    value[n] = '\0';
    params[1] = arena_printf(env_arena(env), "HTTP_X_BIG=%s", value);
    f = fcgi_call(env_path(env, "p1.sock"), &r, env_arena(env));
    assert_int_equal(f.status, 431);
    value[60 * KIB] = '\0';
    params[1] = arena_printf(env_arena(env), "HTTP_X_BIG=%s", value);
    f = fcgi_call(env_path(env, "p1.sock"), &r, env_arena(env));
    assert_int_equal(f.status, 200);
    assert_true(env_running(env, s->proxy));
}

static void item_11_large_bodies(void **state)
{
    size_t n = 20 * MIB;
    char *body = arena_alloc(env_arena(env), n + 1);
    struct env_answer a;

    (void)state;
    memset(body, 'x', n);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + n - 2, "\"}", 3);
    a = api_raw(env, "PUT", "/api/v01/p1/tenants/acme/", body);
    assert_int_equal(a.status, 200);
}

/* ---- the proxy itself ------------------------------------------------------------------------------------------------- */

static void knows_its_place(void **state)
{
    struct fcgi_request r = {.uri = "/api/v01/activities"}, health = {.uri = "/api/v01/health"};
    struct fcgi_answer f = fcgi_call(env_path(env, "p1.sock"), &r, env_arena(env));

    (void)state;
    assert_int_equal(f.status, 421);
    f = fcgi_call(env_path(env, "p1.sock"), &health, env_arena(env));
    assert_int_equal(f.status, 200);
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, s->proxy);
    assert_int_equal(standin_get("/api/v01/p1/tenants/"), 502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROXY_TEST(item_1_both_spellings_reach_one_target), PROXY_TEST(item_2_tokens_and_cookies_stay_apart), PROXY_TEST(item_3_json_of_delete),
        PROXY_TEST(passes_answers_on), PROXY_TEST(rewrites_redirects), PROXY_TEST(item_7_expired_session_is_invisible),
        PROXY_TEST(item_4_no_rule_no_call), PROXY_TEST(serves_the_old_alias), PROXY_TEST(item_8_custom_routes_overload),
        PROXY_TEST(item_10_replay), PROXY_TEST(item_9_history_without_secrets), PROXY_TEST(item_9_search),
        PROXY_TEST(streams), PROXY_TEST(item_11_clients_leave), PROXY_TEST(tells_broken_answers), PROXY_TEST(item_11_too_large),
        PROXY_TEST(item_11_large_bodies), PROXY_TEST(item_11_headers_of_65_kib), PROXY_TEST(knows_its_place), API_TEST(ends_cleanly),
    };
    int failed;

    s = standin_start();
    env = s->env;
    failed = CASES(path_rows, maps_paths) + cmocka_run_group_tests(tests, NULL, NULL);
    return env_end(env, failed);
}
