/*
 * What a gateway is shown of who calls: each way of `auth`, as it arrives through the proxy (gateway-proxy.md 4; item 12 of the acceptance
 * list; the vectors themselves: tests/unit/gateway).
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "crypto/crypto.h"
#include "integration/env_proxy.h"
#include "support/cases.h"

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

static void item_12_secrets_stay_out_of_logs(void **state)
{
    (void)state;
    house_gateway(&h, ",\"auth\":\"\"");
    ENV_WAIT(env, 5000, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    assert_int_equal(env_kill(env, h.proxy, SIGTERM), 0);
    assert_null(strstr(env_log(env, "p1.sock"), "open sesame"));
    assert_null(strstr(env_log(env, "p1.sock"), "fixed-token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(item_12_basic), API_TEST(item_12_bearer_by_headers), API_TEST(item_12_hawk), API_TEST(item_12_oauth1), API_TEST(item_12_secrets_stay_out_of_logs),
    };
    int failed;

    house_start(&h, NULL);
    env = h.env;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    return house_end(&h, failed);
}
