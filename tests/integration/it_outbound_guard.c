/*
 * Where workflows may call: hosts the configuration allows, addresses looked at when connecting.
 */
#include "base/arena.h"

#include <string.h>

#include "integration/env_api.h"
#include "support/cases.h"
#include "support/peer.h"

static struct env *env;
static struct peer *peer;
static int metrics_port, ws_port, other_metrics_port, fcgi_port;

#define FINE "success"
#define METADATA " must not be called: it is a link-local address"
#define OURS " must not be called: it is an address of this platform"

static const struct peer_step fine[] = {{.kind = PEER_ANSWER, .body = "fine"}};
static const struct peer_step moved[] = {{.kind = PEER_ANSWER, .status = 307, .headers = "Location: http://169.254.169.254/\r\n"}};

static struct arena *mem(void)
{
    return env_arena(env);
}

/* %P, %M, %W and %D are ports: of the peer, the metrics, the live views, the database; %O and %F of another process: metrics, FastCGI. */
static const char *with_ports(const char *s)
{
    struct buf b;

    buf_init(&b, 4096, mem());
    for (; *s != '\0'; s++) {
        if (s[0] != '%' || strchr("PMWDOF", s[1]) == NULL) {
            buf_putc(&b, *s);
            continue;
        }
        s++;
        if (*s == 'D')
            buf_add_c(&b, env_psql(env, "SELECT current_setting('port')"));
        else
            buf_addf(&b, "%d",
                     *s == 'P'   ? peer_port(peer)
                     : *s == 'M' ? metrics_port
                     : *s == 'W' ? ws_port
                     : *s == 'O' ? other_metrics_port
                                 : fcgi_port);
    }
    return buf_cstr(&b);
}

static const char *called(const char *holder, const char *url)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http(env, "POST", arena_printf(mem(), "/api/v01/public/%s", holder), json,
                                   arena_printf(mem(), "{\"url\":\"%s\"}", with_ports(url)));

    if (a.status != 200 && a.status != 500)
        env_fail(env, "answered %d: %.300s", a.status, a.body);
    return env_psql(env, "SELECT coalesce((SELECT string_agg(e.description, ' / ') FROM errors e WHERE e.instance_id = i.id), 'success') "
                         "FROM instances i ORDER BY i.id DESC LIMIT 1");
}

static void expect(const char *got, const char *want)
{
    if (strstr(got, with_ports(want)) == NULL)
        env_fail(env, "expected: %s\n     got: %s", with_ports(want), got);
}

static const struct row {
    const char *name, *holder, *url, *want;
} rows[] = {
    {"a server of nobody's", "plain", "http://localhost:%P/", FINE},
    {"the server of a gateway", "plain", "http://127.0.0.1:%P/", FINE},
    {"another loopback address", "plain", "http://127.0.0.2:%P/", "127.0.0.2:"}, /* refused there, not by us */
    {"metadata", "plain", "http://169.254.169.254/latest", "169.254.169.254:80" METADATA},
    {"metadata as one number", "plain", "http://2852039166/", METADATA},
    {"metadata in octal", "plain", "http://0251.0376.0251.0376/", METADATA},
    {"metadata mapped into IPv6", "plain", "http://[::ffff:169.254.169.254]/", METADATA},
    {"unspecified", "plain", "http://0.0.0.0:%P/", " must not be called: it is an unspecified address"},
    {"unspecified IPv6", "plain", "http://[::]:%P/", " must not be called: it is an unspecified address"},
    {"multicast", "plain", "http://224.0.0.1/", " must not be called: it is a multicast address"},
    {"our metrics", "plain", "http://127.0.0.1:%M/metrics", "127.0.0.1:%M" OURS},
    {"by name", "plain", "http://localhost:%M/metrics", "localhost:%M" OURS},
    {"by another loopback address", "plain", "http://127.0.0.9:%M/metrics", OURS},
    {"mapped", "plain", "http://[::ffff:127.0.0.1]:%M/metrics", OURS},
    {"our live views", "plain", "http://127.0.0.1:%W/", OURS},
    {"metrics of another process", "plain", "http://127.0.0.1:%O/metrics", OURS},
    {"by name", "plain", "http://localhost:%O/metrics", OURS},
    {"mapped", "plain", "http://[::ffff:7f00:1]:%O/metrics", OURS},
    {"its FastCGI port", "plain", "http://127.0.0.1:%F/", OURS},
    {"the database", "plain", "http://127.0.0.1:%D/", OURS},
    {"a gateway with a wrong address", "wrong", "/latest", "169.254.169.254:80" METADATA},
    {"a gateway at home", "home", "/x", FINE},
};

static void guards(const struct row *r)
{
    peer_script(peer, fine, 1);
    expect(called(r->holder, r->url), r->want);
    assert_int_equal(peer_requests(peer), strcmp(r->want, FINE) == 0 ? 1 : 0);
}

/* Nothing follows, so nothing of ours reaches another origin. */
static void redirects_are_answers(void **state)
{
    (void)state;
    peer_script(peer, moved, 1);
    expect(called("plain", "http://localhost:%P/"), FINE);
    expect(called("home", "/"), FINE);
    assert_int_equal(peer_requests(peer), 2);
}

/* A kept connection of the gateway is of no use to who may not call its address. */
static void configuration_allows(void **state)
{
    (void)state;
    peer_script(peer, fine, 1);
    api_configure(env, "outbound", "{\"hosts\":[]}");
    ENV_WAIT(env, 5000, strstr(called("plain", "http://localhost:%P/"), "host \"localhost\" is no gateway's and not in outbound.hosts") != NULL);
    peer_script(peer, fine, 1);
    expect(called("plain", "http://127.0.0.1:%P/"), FINE);
    expect(called("home", "/x"), FINE);
    assert_int_equal(peer_requests(peer), 2);
    api_configure(env, "outbound", "{\"hosts\":[\"*.example.org\",\"LocalHost\"]}");
    ENV_WAIT(env, 5000, strcmp(called("plain", "http://localhost:%P/"), FINE) == 0);
    expect(called("plain", "http://example.org/"), "host \"example.org\" is no gateway's");
    expect(called("plain", "http://localhost.evil/"), "host \"localhost.evil\" is no gateway's");
    api_configure(env, "outbound", "{\"hosts\":[\"*\"]}");
    ENV_WAIT(env, 5000, strstr(called("plain", "http://0.0.0.0/"), "unspecified") != NULL);
}

static void workflow(const char *name, const char *holder)
{
    const char *path = arena_printf(mem(), "/api/v01/public/%s", name);
    int64_t id = api_activity(env, name,
                              arena_printf(mem(),
                                           "{\"cells\":{" START "," END ",\"a\":{\"original_name\":\"http_call\",\"outputs\":[\"success\"],\"params\":"
                                           "{%s\"url\":\"{{ request.body.url }}\"},\"x\":0,\"y\":0}},\"entities\":[],\"transitions\":"
                                           "[[\"start.ok\",\"a\"],[\"a.success\",\"end\"]]}",
                                           holder));

    api_route(env, "post", arena_printf(mem(), "/%s", name), id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, env_http(env, "GET", path, NULL, NULL).status == 405);
}

/* A process that listens on TCP; the core hears of it. */
static void start_another(void)
{
    other_metrics_port = env_free_port(env);
    fcgi_port = env_free_port(env);
    env_spawn(env, "p1",
              (const char *const[]){env_program(env, "sluice-proxy"), "-proxy=/api/v01/p1:home", "-runMigration=false", "-metrics",
                                    arena_printf(mem(), "-metricsPort=%d", other_metrics_port), arena_printf(mem(), "-port=%d", fcgi_port), NULL},
              (const char *const[]){arena_printf(mem(), "DB=%s", env_db(env)), NULL});
    ENV_WAIT(env, 20000, env_port_open(other_metrics_port));
    ENV_WAIT(env, 10000, strstr(called("plain", "http://127.0.0.1:%O/metrics"), "this platform") != NULL);
}

int main(void)
{
    const struct CMUnitTest more[] = {API_TEST(redirects_are_answers), API_TEST(configuration_allows)};
    int failed;

    env = env_start();
    peer = peer_new(fine, 1);
    metrics_port = env_free_port(env);
    ws_port = env_free_port(env);
    env_app_start(env, "sluice-core", "core.sock",
                  (const char *const[]){"-workflows", "-metrics", arena_printf(mem(), "-metricsPort=%d", metrics_port),
                                        arena_printf(mem(), "-wsPort=%d", ws_port), NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    api_configure(env, "gateways",
                  arena_printf(mem(), "{\"home\":{\"url\":\"http://127.0.0.1:%d\",\"auth\":\"\"},\"wrong\":{\"url\":\"http://169.254.169.254\",\"auth\":\"\"}}",
                               peer_port(peer)));
    workflow("plain", "");
    workflow("home", "\"session_holder\":\"home\",");
    workflow("wrong", "\"session_holder\":\"wrong\",");
    start_another();
    failed = CASES(rows, guards);
    failed += cmocka_run_group_tests(more, NULL, NULL);
    peer_free(peer);
    return env_end(env, failed);
}
