/*
 * What a gateway is shown of who calls: each way of `auth`, as it arrives through the proxy (gateway-proxy.md 4; item 12 of the acceptance
 * list; the vectors themselves: tests/unit/gateway).
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "integration/env_proxy.h"
#include "support/cases.h"
#include "support/peer.h"

static struct house h;
static struct env *env;

/* The head the gateway got, once this Authorization arrives. */
static const char *head(const char *more, const char *method, const char *path, const char *body, const char *want)
{
    const char *got = "";

    house_gateway(&h, more);
    ENV_WAIT(env, 5000, strstr(got = api_raw(env, method, path, body).body, want) != NULL);
    return got;
}

static const char *value_of(const char *head_text, const char *name)
{
    const char *at = strstr(head_text, arena_printf(env_arena(env), "%s=\"", name)), *end;

    if (at == NULL)
        return "";
    at += strlen(name) + 2;
    end = strchr(at, '"');
    return arena_strndup(env_arena(env), at, (size_t)(end - at));
}

static const char *mac(const char *algorithm, const char *key, const char *text)
{
    unsigned char out[64];
    size_t n = 0;

    assert_true(crypto_hmac(algorithm, str_c(key), str_c(text), out, &n));
    return str_cstr(env_arena(env), crypto_b64(env_arena(env), str_make((const char *)out, n)));
}

static void item_12_basic(void **state)
{
    const char *got = head(",\"auth\":\"basic\",\"username\":\"Aladdin\",\"password\":\"open sesame\"", "GET", "/api/v01/p1/do/echo_head/", NULL,
                           "Authorization: ");

    (void)state;
    assert_non_null(strstr(got, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
}

static void item_12_bearer_by_headers(void **state)
{
    const char *got = head(",\"headers\":\"[[\\\"Authorization\\\",\\\"Bearer fixed-token\\\"]]\"", "GET", "/api/v01/p1/do/echo_head/", NULL,
                           "Bearer fixed-token");

    (void)state;
    assert_null(strstr(got, "Basic"));
    assert_null(strstr(got, api_token()));
}

/* The signature covers what has arrived: method, target, host, body. */
static void item_12_hawk(void **state)
{
    const char *got = head(",\"auth\":\"hawk\",\"id\":\"me\",\"key\":\"werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn\",\"algorithm\":\"sha256\"", "POST",
                           "/api/v01/p1/do/echo_head/?b=1&a=2", "{\"x\":1}", "Hawk id=\"me\"");
    const char *text = arena_printf(env_arena(env), "hawk.1.header\n%s\n%s\nPOST\n/api/v1/do/echo_head/?b=1&a=2\n127.0.0.1\n%d\n%s\n\n",
                                    value_of(got, "ts"), value_of(got, "nonce"), rogue_port(h.rogue), value_of(got, "hash"));

    (void)state;
    assert_string_not_equal(value_of(got, "hash"), "");
    assert_string_equal(value_of(got, "mac"), mac("sha256", "werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn", text));
}

/* A body of many pieces is signed as a whole. */
static void item_12_hawk_signs_large_bodies(void **state)
{
    size_t n = 900 * 1000;
    char *body = arena_alloc(env_arena(env), n + 1);
    long long before = rogue_body_bytes(h.rogue);

    (void)state;
    memset(body, 'x', n);
    body[0] = body[n - 1] = '"';
    body[n] = '\0';
    house_gateway(&h, ",\"auth\":\"hawk\",\"id\":\"me\",\"key\":\"k\",\"algorithm\":\"sha256\"");
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/sink/", body).status, 200);
    assert_int_equal(rogue_body_bytes(h.rogue) - before, n);
}

static void item_12_oauth1(void **state)
{
    struct arena *a = env_arena(env);
    const char *got = head(",\"auth\":\"oauth1\",\"client_id\":\"key\",\"client_secret\":\"secret\"", "GET", "/api/v01/p1/do/echo_head/?a=r%20b&c%40=", NULL,
                           "OAuth ");
    const char *base = arena_printf(a,
                                    "GET&http%%3A%%2F%%2F127.0.0.1%%3A%d%%2Fapi%%2Fv1%%2Fdo%%2Fecho_head%%2F&a%%3Dr%%2520b%%26c%%2540%%3D%%26oauth_consumer_key%%3D"
                                    "key%%26oauth_nonce%%3D%s%%26oauth_signature_method%%3DHMAC-SHA1%%26oauth_timestamp%%3D%s%%26oauth_version%%3D1.0",
                                    rogue_port(h.rogue), value_of(got, "oauth_nonce"), value_of(got, "oauth_timestamp"));
    const char *signature = mac("sha1", "secret&", base);
    struct buf escaped;

    (void)state;
    buf_init(&escaped, 256, a);
    for (const char *p = signature; *p != '\0'; p++) {
        if (strchr("+/=", *p) != NULL)
            buf_addf(&escaped, "%%%02X", (unsigned)*p);
        else
            buf_putc(&escaped, *p);
    }
    assert_string_equal(value_of(got, "oauth_signature"), buf_cstr(&escaped));
}

/* ---- OAuth 2.0: the token comes from elsewhere, once for all who wait for it ------------------------------------ */

static struct peer *endpoint;

static void token_gateway(const char *more)
{
    house_gateway(&h, arena_printf(env_arena(env), ",\"auth\":\"oauth2\",\"login_url\":\"http://127.0.0.1:%d/token\",\"client_id\":\"me\","
                                                   "\"client_secret\":\"client-canary\"%s", peer_port(endpoint), more));
}

#define TOKEN(name, life) {.kind = PEER_ANSWER, .body = "{\"access_token\":\"" name "\",\"token_type\":\"Bearer\",\"expires_in\":" life "}"}

static const struct grant {
    const char *name, *more, *body;
} grants[] = {
    {"client credentials", ",\"extra_params\":{\"scope\":\"a b\"}", "grant_type=client_credentials&scope=a%20b"},
    {"password", ",\"username\":\"joe\",\"password\":\"pass-canary\"", "grant_type=password&username=joe&password=pass-canary"},
    {"refresh token", ",\"grant_type\":\"refresh_token\",\"refresh_token\":\"refresh-canary\"", "grant_type=refresh_token&refresh_token=refresh-canary"},
};

static void item_12_oauth2(const struct grant *g)
{
    static const struct peer_step steps[] = {TOKEN("t1", "3600")};

    api_setup(NULL);
    peer_script(endpoint, steps, COUNT_OF(steps));
    token_gateway(g->more);
    ENV_WAIT(env, 5000, strstr(api_raw(env, "POST", "/api/v01/p1/do/echo_head/", "{}").body, "Authorization: Bearer t1\r\n") != NULL &&
                            peer_requests(endpoint) > 0);
    assert_int_equal(peer_requests(endpoint), 1);
    assert_true(str_find(peer_request(endpoint, 0), str_c(g->body)) > 0);
    assert_true(str_find(peer_request(endpoint, 0), STR("Authorization: Basic bWU6Y2xpZW50LWNhbmFyeQ==\r\n")) > 0);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/wants_t1/", NULL).status, 200);
    assert_int_equal(peer_requests(endpoint), 1);
}

/* A new one is there before the old one ends: the gateway never says 401. */
static void item_12_renewed_before_its_end(void **state)
{
    static const struct peer_step steps[] = {TOKEN("first", "3600"), TOKEN("short1", "8"), TOKEN("short2", "3600")};

    (void)state;
    peer_script(endpoint, steps, COUNT_OF(steps));
    token_gateway(",\"extra_params\":{\"scope\":\"one\"}");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/wants_first/", NULL).status == 200);
    token_gateway(",\"username\":\"somebody else\"");
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer short1") != NULL);
    /* after half of its life */
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer short2") != NULL);
    assert_int_equal(peer_requests(endpoint), 3);
}

/* A token the gateway refuses: one new token and the call once more, whatever its method; refused again, the client hears it. */
static void item_12_refused_and_repeated(void **state)
{
    static const struct peer_step steps[] = {TOKEN("stale", "3600"), TOKEN("fresh", "3600")};
    long before;

    (void)state;
    peer_script(endpoint, steps, COUNT_OF(steps));
    token_gateway(",\"username\":\"another\"");
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer stale") != NULL);
    before = rogue_requests(h.rogue);
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/wants_fresh/", "{\"a\":1}").status, 200);
    assert_int_equal(rogue_requests(h.rogue) - before, 2);
    assert_int_equal(peer_requests(endpoint), 2);
    before = rogue_requests(h.rogue);
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/wants_nothing_we_have/", "{}").status, 401);
    assert_int_equal(rogue_requests(h.rogue) - before, 2);
}

/* Until no call asks the token endpoint any more. */
static void without_auth(void)
{
    house_gateway(&h, ",\"auth\":\"\"");
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer") == NULL);
}

/*
 * A body that has gone by already when the login turns out to be over: up to 1 MiB it goes out again, of a larger one the client is
 * asked for it, and finds a new login then.
 */
static void bodies_and_a_login_that_is_over(void **state)
{
    static const struct peer_step steps[] = {TOKEN("dead1", "3600"), TOKEN("live1", "3600"), TOKEN("live2", "3600")};
    struct arena *a = env_arena(env);
    size_t small = 1000 * 1000, large = 3 * 1000 * 1000;
    char *body = arena_alloc(a, large + 1);
    struct env_answer got;
    long long before;
    long calls;

    (void)state;
    memset(body, 'x', large);
    body[0] = body[small - 1] = '"';
    body[small] = '\0';
    without_auth();
    peer_script(endpoint, steps, COUNT_OF(steps));
    token_gateway(",\"username\":\"sender\"");
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer dead1") != NULL);
    before = rogue_body_bytes(h.rogue);
    got = api_raw(env, "POST", "/api/v01/p1/do/wants_live1/", body);
    if (got.status != 200)
        env_fail(env, "%d %s", got.status, got.body);
    assert_int_equal(rogue_body_bytes(h.rogue) - before, 2 * small);
    body[small - 1] = body[small] = 'x';
    body[large - 1] = '"';
    body[large] = '\0';
    calls = rogue_requests(h.rogue);
    got = api_raw(env, "PUT", "/api/v01/p1/do/wants_live2/", body);
    assert_int_equal(got.status, 503);
    assert_string_equal(env_header(env, &got, "retry-after"), "1");
    assert_non_null(strstr(got.body, "gateway bwks wants a new login, send the request again"));
    assert_int_equal(rogue_requests(h.rogue) - calls, 1);
    assert_int_equal(api_raw(env, "PUT", "/api/v01/p1/do/wants_live2/", body).status, 200);
}

enum { PARALLEL = 50 };

static void item_12_fifty_wait_for_one_token(void **state)
{
    static const struct peer_step steps[] = {{.kind = PEER_ANSWER, .body = "{\"access_token\":\"once\",\"expires_in\":3600}", .delay_ms = 800}};
    struct fcgi_request r;
    int fds[PARALLEL];

    (void)state;
    without_auth();
    peer_script(endpoint, steps, COUNT_OF(steps));
    token_gateway(",\"username\":\"crowd\"");
    r = house_request(&h, "POST", "/api/v01/p1/do/wants_once/", NULL);
    for (size_t i = 0; i < PARALLEL; i++) {
        fds[i] = house_begin(&h, &r);
        house_body_end(fds[i]);
    }
    for (size_t i = 0; i < PARALLEL; i++) {
        struct fcgi_answer a = {0};

        assert_true(fcgi_receive(fds[i], &a, env_arena(env), 8000));
        close(fds[i]);
        if (a.status != 200)
            env_fail(env, "%zu: %d %.*s", i, a.status, STR_ARG(a.body));
    }
    assert_int_equal(peer_requests(endpoint), 1);
}

static const struct refusal {
    const char *name;
    struct peer_step step;
    int status;
    const char *want;
} refusals[] = {
    {"the client", {.kind = PEER_ANSWER, .status = 401, .body = "{\"error\":\"invalid_client\"}"}, 502, "gateway bwks: token endpoint answered invalid_client"},
    {"nonsense", {.kind = PEER_ANSWER, .body = "<html>"}, 502, "gateway bwks: token endpoint sent no bearer token"},
    {"elsewhere", {.kind = PEER_ANSWER, .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"}, 502, "gateway bwks: token endpoint answered 302"},
    {"nobody there", {.kind = PEER_CLOSE}, 502, "gateway bwks: "},
};

static void item_12_no_token(const struct refusal *r)
{
    long before;
    struct env_answer a;

    api_setup(NULL);
    without_auth();
    peer_script(endpoint, &r->step, 1);
    token_gateway(arena_printf(env_arena(env), ",\"username\":\"%s\"", r->name));
    ENV_WAIT(env, 5000, (before = rogue_requests(h.rogue), a = api_raw(env, "POST", "/api/v01/p1/do/echo_head/", "{}"), peer_requests(endpoint) > 0));
    if (a.status != r->status || strstr(a.body, r->want) == NULL)
        env_fail(env, "%s: %d %s", r->name, a.status, a.body);
    assert_int_equal(rogue_requests(h.rogue) - before, 0);
    assert_null(strstr(a.body, "canary"));
}

static void item_12_oracle_sbc(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .headers = "Content-Type: application/xml\r\n",
         .body = "<?xml version=\"1.0\"?><response><data><token><accessToken>sbc1</accessToken></token></data></response>"},
        {.kind = PEER_ANSWER, .body = "{\"data\":{\"token\":{\"accessToken\":\"sbc2\"}}}"},
    };

    (void)state;
    without_auth();
    peer_script(endpoint, steps, COUNT_OF(steps));
    house_gateway(&h, arena_printf(env_arena(env), ",\"auth\":\"oracle-sbc\",\"login_url\":\"http://127.0.0.1:%d/rest/v1.1/auth/token\","
                                                   "\"username\":\"u\",\"password\":\"p\"", peer_port(endpoint)));
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/do/echo_head/", NULL).body, "Bearer sbc1") != NULL);
    assert_true(str_find(peer_request(endpoint, 0), STR("POST /rest/v1.1/auth/token ")) == 0);
    assert_true(str_find(peer_request(endpoint, 0), STR("Authorization: Basic dTpw\r\n")) > 0);
    assert_int_equal(api_raw(env, "POST", "/api/v01/p1/do/wants_sbc2/", "{}").status, 200); /* renewed within the call */
    assert_int_equal(peer_requests(endpoint), 2);
}

static void item_12_secrets_stay_out_of_logs(void **state)
{
    (void)state;
    house_gateway(&h, ",\"auth\":\"\"");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    assert_int_equal(env_kill(env, h.proxy, SIGTERM), 0);
    assert_null(strstr(env_log(env, "p1.sock"), "open sesame"));
    assert_null(strstr(env_log(env, "p1.sock"), "fixed-token"));
    assert_null(strstr(env_log(env, "p1.sock"), "canary"));
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests WHERE details::text LIKE '%canary%'"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(item_12_basic), API_TEST(item_12_bearer_by_headers), API_TEST(item_12_hawk), API_TEST(item_12_hawk_signs_large_bodies), API_TEST(item_12_oauth1), API_TEST(item_12_renewed_before_its_end),
        API_TEST(item_12_refused_and_repeated), API_TEST(item_12_fifty_wait_for_one_token), API_TEST(bodies_and_a_login_that_is_over), API_TEST(item_12_oracle_sbc),
        API_TEST(item_12_secrets_stay_out_of_logs),
    };
    static const struct peer_step nothing = {.kind = PEER_CLOSE};
    int failed;

    endpoint = peer_new(&nothing, 1);
    house_start(&h, NULL);
    env = h.env;
    failed = CASES(grants, item_12_oauth2) + CASES(refusals, item_12_no_token);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(endpoint);
    return house_end(&h, failed);
}
