/*
 * Checking one gateway, and the way back to a main URL found healthy.
 */
#include "gateway/health.h"

#include "support/cases.h"
#include "support/peer.h"

static const struct row {
    struct peer_step step;
    bool is_connected, is_healthy;
    const char *link;
    const char *summary; /* how it begins */
} rows[] = {
    {{.kind = PEER_ANSWER, .body = "fine"}, true, true, "", "answered 200 in "},
    {{.kind = PEER_ANSWER, .status = 204}, true, true, "", "answered 204 in "},
    {{.kind = PEER_ANSWER, .status = 302, .headers = "Location: /login\r\n"},
     true,
     true,
     "",
     "answered 302 in "},
    {{.kind = PEER_ANSWER, .status = 404}, true, false, "", "answered 404 in "},
    {{.kind = PEER_ANSWER, .status = 503}, true, false, "", "answered 503 in "},
    {{.kind = PEER_ANSWER, .body = "{\"gateway_connected\": true}"},
     true,
     true,
     "inter-connected",
     "answered 200"},
    {{.kind = PEER_ANSWER, .body = "{\"inter_connected\": false}"},
     true,
     true,
     "not inter-connected",
     "answered 200"},
    {{.kind = PEER_ANSWER, .status = 500, .body = "{\"gateway_status\": \"not inter-connected\"}"},
     true,
     false,
     "not inter-connected",
     "answered 500"},
    {{.kind = PEER_ANSWER, .body = "{\"gateway_status\": \"odd\"}"},
     true,
     true,
     "",
     "answered 200"},
    {{.kind = PEER_ANSWER, .body = "{\"gateway_connected\": \"yes\"}"},
     true,
     true,
     "",
     "answered 200"},
    {{.kind = PEER_ANSWER, .body = "[true]"}, true, true, "", "answered 200"},
    {{.kind = PEER_CLOSE}, false, false, "", ""},
    {{.kind = PEER_GARBAGE}, false, false, "", ""},
    {{.kind = PEER_HANG}, false, false, "", ""},
};

static struct cfg_gateway gateway_at(struct arena *a, int port)
{
    return (struct cfg_gateway){
        .name = STR("g"),
        .url = str_printf(a, "http://127.0.0.1:%d/base", port),
        .timeout_s = 1,
        .tls_verify = true,
        .check = true,
        .check_url = STR("/health?deep=1"),
        .username = STR("u"),
        .password = secret_new(a, "s3cret", 6),
    };
}

static void asks_once(void **state)
{
    struct http_client_pool *clients = http_client_pool_new();
    struct arena *a = arena_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct peer *peer = peer_new(&rows[i].step, 1);
        struct cfg_gateway g = gateway_at(a, peer_port(peer));
        struct gw_check c;

        gw_check(clients, &g, &c, a);
        assert_true(str_eq_c(c.gateway, "g"));
        assert_true(str_eq(c.url, g.url));
        assert_int_equal(c.is_connected, rows[i].is_connected);
        assert_int_equal(c.is_healthy, rows[i].is_healthy);
        assert_string_equal(str_cstr(a, c.link), rows[i].link);
        assert_true(str_starts(c.summary, str_c(rows[i].summary)));
        assert_true(c.summary.len > 0);
        peer_free(peer);
    }
    http_client_pool_free(clients);
    arena_free(a);
}

/* A path from the root of the host, or below the URL, or an address of its own; never with
 * credentials. */
static void asks_the_right_address(void **state)
{
    static const struct peer_step ok[] = {{.kind = PEER_ANSWER}};
    static const struct {
        const char *check_url, *line;
    } urls[] = {{"/health?deep=1", "GET /health?deep=1 HTTP/1.1\r\n"},
                {"up", "GET /base/up HTTP/1.1\r\n"}};
    struct http_client_pool *clients = http_client_pool_new();
    struct arena *a = arena_new(0);
    struct peer *peer = peer_new(ok, 1);
    struct cfg_gateway g = gateway_at(a, peer_port(peer));
    const struct http_header secret = {STR("Authorization"), STR("Bearer t0ken")};
    struct gw_check c;

    (void)state;
    g.headers = &secret;
    g.n_headers = 1;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        g.check_url = str_c(urls[i].check_url);
        gw_check(clients, &g, &c, a);
        assert_true(str_starts(peer_request(peer, i), str_c(urls[i].line)));
        assert_true(str_find(peer_request(peer, i), STR("Authorization")) < 0);
    }
    g.check_url = str_printf(a, "http://127.0.0.1:%d/elsewhere", peer_port(peer));
    g.url = STR("http://127.0.0.1:1");
    gw_check(clients, &g, &c, a);
    assert_true(c.is_healthy);
    assert_true(str_starts(peer_request(peer, 2), STR("GET /elsewhere ")));
    peer_free(peer);
    http_client_pool_free(clients);
    arena_free(a);
}

static void finds_results_of_this_url_only(void **state)
{
    const struct gw_check checks[] = {{.gateway = STR("a"), .url = STR("http://1")},
                                      {.gateway = STR("b"), .url = STR("http://2")}};
    const struct cfg_gateway a = {.name = STR("a"), .url = STR("http://1")},
                             moved = {.name = STR("b"), .url = STR("http://3")};

    (void)state;
    assert_ptr_equal(gw_check_find(checks, 2, &a), &checks[0]);
    assert_null(gw_check_find(checks, 2, &moved));
    assert_null(gw_check_find(NULL, 0, &a));
}

static int64_t fake_us(struct clock *c)
{
    return c->fake_us;
}

static void returns_to_a_healthy_main_url(void **state)
{
    const struct str backups[] = {STR("http://b")};
    const struct cfg_gateway g = {.name = STR("g"),
                                  .url = STR("http://a"),
                                  .backup_urls = backups,
                                  .n_backup_urls = 1,
                                  .check = true};
    struct clock clock = {fake_us, fake_us, 1000000000};
    struct gw_sessions *s = gw_sessions_new(NULL, &clock);

    (void)state;
    gw_url_failed(s, &g, g.url);
    assert_true(str_eq_c(gw_url(s, &g), "http://b"));
    clock.fake_us += 120 * 1000000LL; /* with checks, time alone does not lead back */
    assert_true(str_eq_c(gw_url(s, &g), "http://b"));
    gw_url_healthy(s, &g, 121000); /* it was healthy before it was left */
    assert_true(str_eq_c(gw_url(s, &g), "http://b"));
    gw_url_healthy(s, &g, 10);
    assert_true(str_eq_c(gw_url(s, &g), "http://a"));
    gw_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_once),
        cmocka_unit_test(asks_the_right_address),
        cmocka_unit_test(finds_results_of_this_url_only),
        cmocka_unit_test(returns_to_a_healthy_main_url),
    };

    http_client_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
