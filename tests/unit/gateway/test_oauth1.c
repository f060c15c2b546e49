/*
 * OAuth 1.0a: signatures against published and independently computed values.
 */
#include "gateway/southbound.h"

#include "base/json.h"
#include "support/cases.h"

static const struct row {
    const char *name;
    const char *key, *secret, *extras;
    const char *method, *url, *type, *body, *nonce;
    int64_t now_s;
    const char *want; /* header, or what the error holds when it starts with '!' */
} rows[] = {
    {"query, HMAC-SHA1", "key", "secret", "{}", "GET",
     "https://gw.example/api/v1/tenants/?a=r%20b&c%40=", "", "", "n0", 1700000000,
     "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0\", "
     "oauth_signature=\"%2BSvtC1h0UxmQLoeWBZc4vqnyWVc%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"1700000000\", oauth_version=\"1.0\""},
    {"plus is a blank, default port, host in capitals", "key", "secret", "{}", "GET",
     "https://GW.example:443/api/v1/tenants/?a=r+b&c%40", "", "", "n0", 1700000000,
     "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0\", "
     "oauth_signature=\"%2BSvtC1h0UxmQLoeWBZc4vqnyWVc%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"1700000000\", oauth_version=\"1.0\""},
    {"HMAC-SHA256", "key", "secret", "{\"signature_method\": \"HMAC-SHA256\"}", "GET",
     "https://gw.example/api/v1/tenants/?a=r%20b&c%40=", "", "", "n0", 1700000000,
     "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0\", "
     "oauth_signature=\"%2F9g8Wyd4%2FHhOTDJ3ISXyCYMjKtP1QG7viucFH7U6mBw%3D\", "
     "oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", "
     "oauth_version=\"1.0\""},
    {"photos of RFC 5849 1.2: token, realm, no version", "dpf43f3p2l4k3l03", "kd94hf93k423kf44",
     "{\"oauth_token\": \"nnch734d00sl2jdk\", \"oauth_token_secret\": \"pfkkdhi9sl3r4s00\", "
     "\"realm\": \"Photos\", "
     "\"oauth_version\": \"\"}",
     "GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", "", "", "chapoH",
     137131202,
     "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce=\"chapoH\", "
     "oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\", oauth_signature_method=\"HMAC-SHA1\", "
     "oauth_timestamp=\"137131202\", oauth_token=\"nnch734d00sl2jdk\""},
    {"form body is signed", "key", "secret", "{}", "POST", "https://gw.example/f?b=1+2",
     "application/x-www-form-urlencoded; charset=utf-8", "a=x&a=%C3%A9", "n0", 1700000000,
     "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0\", "
     "oauth_signature=\"j75YBSci8QkjUyB4CX0TvbXRpx8%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"1700000000\", oauth_version=\"1.0\""},
    {"JSON body by its hash", "key", "secret", "{\"body_hash\": true}", "POST",
     "https://gw.example/f", "application/json", "{\"x\":1}", "n0", 1700000000,
     "OAuth oauth_body_hash=\"hyT8IWXwQvrL2RlGJ%2BR0i7dXGyc%3D\", oauth_consumer_key=\"key\", "
     "oauth_nonce=\"n0\", "
     "oauth_signature=\"fSR%2F4tWOaCOHqL8H92qMD7Dn%2Bl0%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", "
     "oauth_timestamp=\"1700000000\", oauth_version=\"1.0\""},
    {"PLAINTEXT", "key", "se&cret",
     "{\"signature_method\": \"PLAINTEXT\", \"oauth_token_secret\": \"t\"}", "GET",
     "https://gw.example/", "", "", "n0", 1700000000,
     "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0\", oauth_signature=\"se%2526cret%26t\", "
     "oauth_signature_method=\"PLAINTEXT\", oauth_timestamp=\"1700000000\", oauth_version=\"1.0\""},
    {"PLAINTEXT without TLS", "key", "secret", "{\"signature_method\": \"PLAINTEXT\"}", "GET",
     "http://gw.example/", "", "", "n0", 1700000000,
     "!gateway g: signature method PLAINTEXT is for https only"},
    {"unknown method", "key", "secret", "{\"signature_method\": \"RSA-SHA1\"}", "GET",
     "http://gw.example/", "", "", "n0", 1700000000,
     "!gateway g: unknown signature method \"RSA-SHA1\""},
};

static void headers(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.name = STR("g"), .client_id = str_c(r->key)};
    struct gw_request q = {str_c(r->method), str_c(r->url), str_c(r->type), str_c(r->body)};
    struct err e = {0};
    struct str out = STR("");

    g.client_secret = secret_new(a, r->secret, strlen(r->secret));
    assert_int_equal(json_parse(str_c(r->extras), &g.extra_params, a, &e), 0);
    if (r->want[0] == '!') {
        assert_int_equal(gw_oauth1(&g, &q, str_c(r->nonce), r->now_s, &out, a, &e), -1);
        assert_string_equal(e.msg, r->want + 1);
        assert_int_equal(e.code, ERR_BUSY);
    } else {
        assert_int_equal(gw_oauth1(&g, &q, str_c(r->nonce), r->now_s, &out, a, &e), 0);
        assert_string_equal(str_cstr(a, out), r->want);
    }
    arena_free(a);
}

int main(void)
{
    return CASES(rows, headers);
}
