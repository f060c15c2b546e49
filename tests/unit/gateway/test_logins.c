/*
 * Entries that send users to a gateway, and signing in there.
 */
#include "gateway/logins.h"

#include "base/json.h"
#include "support/cases.h"
#include "support/peer.h"

/* ---- entries -------------------------------------------------------------------------------------- */

#define ENTRY(more) "{\"name\": \"switch\", \"protocol\": \"broadsoft\", \"enabled\": true, \"parameters\": {\"proxies\": " more "}}"

static const struct entry_row {
    const char *name, *sso, *proxy;
    const char *want[4]; /* gateways to try; none: no entry applies */
} entry_rows[] = {
    {"the default", "[" ENTRY("{\"p1\": \"a\", \"default\": \"b\"}") "]", "", {"b"}},
    {"the one asked for", "[" ENTRY("{\"p1\": \"a\", \"default\": \"b\"}") "]", "p1", {"a"}},
    {"an unknown one", "[" ENTRY("{\"p1\": \"a\", \"default\": \"b\"}") "]", "p9", {NULL}},
    {"in order without default", "[" ENTRY("{\"p1\": \"c\", \"p2\": \"a\"}") "]", "", {"c", "a"}},
    {"three at most", "[" ENTRY("{\"1\": \"a\", \"2\": \"b\", \"3\": \"c\", \"4\": \"d\"}") "]", "", {"a", "b", "c"}},
    {"a list of names", "[" ENTRY("[\"b\", \"a\"]") "]", "a", {"a"}},
    {"a gateway that is gone", "[" ENTRY("{\"p1\": \"x\", \"p2\": \"a\"}") "]", "", {"a"}},
    {"entries may be null", "[null, " ENTRY("{\"default\": \"a\"}") "]", "", {"a"}},
    {"another protocol", "[{\"name\": \"o\", \"protocol\": \"oidc\", \"enabled\": true}]", "", {NULL}},
    {"not enabled", "[{\"name\": \"s\", \"protocol\": \"broadsoft\", \"parameters\": {\"proxies\": {\"default\": \"a\"}}}]", "", {NULL}},
    {"the second entry", "[" ENTRY("{\"p1\": \"a\"}") ", " ENTRY("{\"p2\": \"b\"}") "]", "p2", {"b"}},
    {"no list", "{}", "", {NULL}},
};

static struct cfg config(const char *sso, struct arena *a)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct cfg_gateway *gateways = ARENA_ARRAY(a, struct cfg_gateway, COUNT_OF(names));
    struct cfg cfg = {.gateways = gateways, .n_gateways = COUNT_OF(names), .doc = val_dict_new(a, 1)};
    struct err e = {0};
    struct val v;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        gateways[i] = (struct cfg_gateway){.name = str_c(names[i])};
    assert_int_equal(json_parse(str_c(sso), &v, a, &e), 0);
    val_dict_set_c(cfg.doc, "SSO", v);
    return cfg;
}

static void entries(const struct entry_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg cfg = config(r->sso, a);
    struct gw_entry out;

    assert_int_equal(gw_entry_find(&cfg, str_c(r->proxy), &out), r->want[0] != NULL);
    for (size_t i = 0; i < COUNT_OF(r->want) && r->want[i] != NULL; i++) {
        assert_true(i < out.n_gateways);
        assert_string_equal(str_cstr(a, out.gateways[i]->name), r->want[i]);
    }
    arena_free(a);
}

static const struct own_row {
    const char *name, *provider;
    bool want;
} own_rows[] = {
    {"a local account", "", false},
    {"from the gateway", "switch", true},
    {"from elsewhere", "office", false},
    {"from an entry that is gone", "former", true},
};

static void own_login(const struct own_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg cfg = config("[" ENTRY("{}") ", {\"name\": \"office\", \"protocol\": \"saml\"}]", a);

    assert_int_equal(gw_entry_own_login(&cfg, str_c(r->provider)), r->want);
    arena_free(a);
}

/* ---- signing in ------------------------------------------------------------------------------------- */

enum { NOW_S = 1700000000 };

static const struct login_row {
    const char *name;
    struct peer_step step;
    const char *cookies; /* NULL: no session */
    int64_t expires_s;
    const char *error;
    bool refused;
} login_rows[] = {
    {"cookies of the session", {.kind = PEER_ANSWER, .headers = "Set-Cookie: s=1; Path=/\r\nSet-Cookie: lb=2\r\n", .body = "{}"},
     "s=1; lb=2", 0, NULL, false},
    {"the first one to end counts",
     {.kind = PEER_ANSWER, .headers = "Set-Cookie: s=1; Max-Age=600\r\nSet-Cookie: lb=2; max-age=60\r\n", .body = "{}"},
     "s=1; lb=2", NOW_S + 60, NULL, false},
    {"a date", {.kind = PEER_ANSWER, .headers = "Set-Cookie: s=1; Expires=Wed, 15 Nov 2023 22:13:20 GMT\r\n", .body = "{}"},
     "s=1", 1700086400, NULL, false},
    {"the age is stronger than the date",
     {.kind = PEER_ANSWER, .headers = "Set-Cookie: s=1; Max-Age=5; Expires=Wed, 15 Nov 2023 22:13:20 GMT\r\n", .body = "{}"},
     "s=1", NOW_S + 5, NULL, false},
    {"refused", {.kind = PEER_ANSWER, .status = 401, .body = "{}"}, NULL, 0, "wrong user name or password", true},
    {"forbidden", {.kind = PEER_ANSWER, .status = 403, .body = "{}"}, NULL, 0, "wrong user name or password", true},
    {"broken", {.kind = PEER_ANSWER, .status = 500}, NULL, 0, "gateway g: login answered 500 without a session", false},
    {"no cookie", {.kind = PEER_ANSWER, .body = "{}"}, NULL, 0, "gateway g: login answered 200 without a session", false},
    {"no JSON", {.kind = PEER_ANSWER, .headers = "Set-Cookie: s=1\r\n", .body = "hello"}, NULL, 0,
     "gateway g: login answered 200 without a session", false},
};

static void logins(const struct login_row *r)
{
    struct arena *a = arena_new(0);
    struct http_client_pool *clients = http_client_pool_new();
    struct gw_sessions *s = gw_sessions_new(clients, NULL);
    struct peer *peer = peer_new(&r->step, 1);
    struct cfg_gateway g = {.name = STR("g"), .timeout_s = 5, .auth = GW_AUTH_OAUTH2, .login_url = STR("http://127.0.0.1:1/token")};
    struct gw_user_login out;
    struct err e = {0};
    bool refused;
    int rc;

    g.url = str_printf(a, "http://127.0.0.1:%d/base", peer_port(peer));
    rc = gw_user_login(clients, s, &g, STR("u\"1"), STR("p"), (int64_t)NOW_S * 1000000, &out, &refused, a, &e);
    assert_int_equal(rc, r->cookies != NULL ? 0 : -1);
    assert_int_equal(refused, r->refused);
    if (rc == 0) {
        assert_string_equal(str_cstr(a, out.cookies), r->cookies);
        assert_int_equal(out.expires_us, r->expires_s * 1000000);
        assert_true(str_eq(out.url, g.url));
    } else {
        assert_string_equal(e.msg, r->error);
    }
    assert_true(str_starts(peer_request(peer, 0), STR("POST /api/v1/login/ HTTP/1.1\r\n")));
    assert_true(str_ends(peer_request(peer, 0), STR("{\"username\":\"u\\\"1\",\"password\":\"p\"}")));
    peer_free(peer);
    gw_sessions_free(s);
    http_client_pool_free(clients);
    arena_free(a);
}

int main(void)
{
    http_client_init();
    return CASES(entry_rows, entries) + CASES(own_rows, own_login) + CASES(login_rows, logins);
}
