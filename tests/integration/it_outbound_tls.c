/*
 * TLS towards gateways and outbound proxies, the same for the proxy and for http_call: who is trusted, what is shown, what the caller hears,
 * and that nothing is sent to anybody who cannot prove who he is (gateway-proxy.md 2.5, 2.7, 4.7).
 */
#include "base/arena.h"
#include "base/json.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "integration/env_calls.h"
#include "support/cases.h"
#include "support/tls_peer.h"

static struct house h;
static struct env *env;
static struct tls_peer *peer;
static struct connect_peer *hop;
static int dead;

static struct pki *ca, *other_ca;
static struct pki *good, *wrong_host, *expired, *future, *self_signed, *unknown, *by_ip;
static struct pki *client, *client_of_nobody;

static struct arena *mem(void)
{
    return env_arena(env);
}

/* A PEM text, in JSON. */
static const char *pem(const char *text)
{
    return api_quoted(env, text);
}

static void gateway(const char *host, const char *more)
{
    api_configure(env, "gateways",
                  arena_printf(mem(), "{\"bwks\":{\"url\":\"https://%s:%d/\",\"timeout\":20,\"breaker_failures\":0%s}}", host, tls_peer_port(peer), more));
    house_until_used(&h);
}

static const char *trusting(const char *more)
{
    return arena_printf(mem(), ",\"tls_ca\":%s%s", pem(ca->cert_pem), more);
}

/* ---- certificates of the server ----------------------------------------------------------------------------- */

static const struct row {
    const char *name, *host;
    struct pki **shows;
    bool trusts, insecure;
    const char *want; /* of both ways; "200": it works */
} rows[] = {
    {"good", "localhost", &good, true, false, "200"},
    {"good, by address", "127.0.0.1", &by_ip, true, false, "200"},
    {"another host", "localhost", &wrong_host, true, false, "cert"},
    {"an address that is not in it", "127.0.0.1", &good, true, false, "cert"},
    {"expired", "localhost", &expired, true, false, "certificate has expired"},
    {"not valid yet", "localhost", &future, true, false, "certificate is not yet valid"},
    {"signed by itself", "localhost", &self_signed, true, false, "self-signed certificate"},
    {"of an unknown authority", "localhost", &unknown, true, false, "unable to get local issuer certificate"},
    {"authority not named", "localhost", &good, false, false, "unable to get local issuer certificate"},
    {"not checked: signed by itself", "localhost", &self_signed, false, true, "200"},
    {"not checked: another host", "127.0.0.1", &wrong_host, false, true, "200"},
    {"not checked: expired", "localhost", &expired, false, true, "200"},
};

static void server_certificates(const struct row *r)
{
    api_setup(NULL);
    tls_peer_show(peer, *r->shows, NULL);
    /* another path each time, so that an older answer is none: connections are kept per identity and host */
    gateway(r->host, arena_printf(mem(), "%s%s,\"headers\":\"[[\\\"X-Row\\\",\\\"%s\\\"]]\"", r->trusts ? trusting("") : "",
                                  r->insecure ? ",\"tls_verify\":false" : "", r->name));
    for (size_t i = 0; i < COUNT_OF(calls_ways); i++) {
        long before = tls_peer_requests(peer);
        const char *got;

        calls_expect(env, &calls_ways[i], "POST", "/api/v1/x/", r->want);
        got = calls_ways[i].call(env, "POST", "/api/v1/x/");
        if (strstr(got, r->want) == NULL)
            env_fail(env, "%s: expected %s, got %s", calls_ways[i].name, r->want, got);
        if (strcmp(r->want, "200") != 0)
            assert_int_equal(tls_peer_requests(peer), before);
    }
    if (strcmp(r->want, "200") != 0) {
        struct env_answer a = api_raw(env, "GET", "/api/v01/p1/x/", NULL);

        assert_int_equal(a.status, 502);
        assert_non_null(strstr(a.body, "gateway bwks: connection failed ("));
        assert_non_null(strstr(a.body, "\"request_id\""));
    }
}

static void shows_the_host_name(void **state)
{
    (void)state;
    tls_peer_show(peer, good, NULL);
    gateway("localhost", trusting(""));
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/sni/", NULL).body, "\"sni\":\"localhost\"") != NULL);
}

/* ---- certificates of ours --------------------------------------------------------------------------------------- */

static const char *with_client(const struct pki *cert, const struct pki *key)
{
    return trusting(arena_printf(mem(), ",\"client_tls_cert\":%s,\"client_tls_key\":%s", pem(cert->cert_pem), pem(key->key_pem)));
}

static void client_certificates(const struct calls_way *way)
{
    api_setup(NULL);
    tls_peer_show(peer, good, ca);
    gateway("localhost", with_client(client, client));
    calls_expect(env, way, "POST", "/api/v1/with/", "200");
    gateway("localhost", trusting(""));
    calls_expect(env, way, "POST", "/api/v1/without/", "certificate required");
    gateway("localhost", with_client(client_of_nobody, client_of_nobody));
    calls_expect(env, way, "POST", "/api/v1/nobody/", "unknown ca");
    gateway("localhost", with_client(client, client));
    calls_expect(env, way, "POST", "/api/v1/with/", "200");
}

static void client_certificate_is_shown(void **state)
{
    (void)state;
    tls_peer_show(peer, good, ca);
    gateway("localhost", with_client(client, client));
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/who/", NULL).body, "\"client\":\"platform\"") != NULL);
}

static void refused_at_save(void **state)
{
    const struct {
        const char *member, *want;
    } wrongs[] = {
        {arena_printf(mem(), "\"client_tls_cert\":%s,\"client_tls_key\":%s", pem(client->cert_pem), pem(client_of_nobody->key_pem)),
         "gateways.bwks.client_tls_key: TLS client key does not match the certificate"},
        {"\"tls_ca\":\"nonsense\"", "gateways.bwks.tls_ca: expected certificates in PEM form"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
        struct val v = api(env, 200, "GET", "/api/v01/system/configuration", NULL), doc = val_copy(val_get(v, "content"), mem()), gateways;
        struct err e;
        struct env_answer a;

        assert_int_equal(json_parse(str_c(arena_printf(mem(), "{\"bwks\":{\"url\":\"https://localhost/\",%s}}", wrongs[i].member)), &gateways, mem(), &e), 0);
        val_dict_set_c(doc, "gateways", gateways);
        a = api_raw(env, "PUT", "/api/v01/system/configuration", str_cstr(mem(), json_text(doc, mem())));
        if (a.status != 400 || strstr(a.body, wrongs[i].want) == NULL)
            env_fail(env, "%d %s", a.status, a.body);
    }
}

/* ---- outbound proxies ---------------------------------------------------------------------------------------------- */

static const char *through(const char *user_password, int port)
{
    return trusting(arena_printf(mem(), ",\"proxies\":\"http://%s127.0.0.1:%d/\",\"auth\":\"basic\",\"username\":\"u\",\"password\":\"inner-secret\"",
                                 user_password, port));
}

static void tunnels(const struct calls_way *way)
{
    long before;

    api_setup(NULL);
    tls_peer_show(peer, good, NULL);
    connect_peer_want(hop, NULL, 200);
    before = connect_peer_tunnels(hop);
    gateway("localhost", through("", connect_peer_port(hop)));
    ENV_WAIT(env, 5000, strcmp(way->call(env, "POST", "/api/v1/x/"), "200") == 0 && connect_peer_tunnels(hop) > before);
    assert_false(connect_peer_saw(hop, "\nAuthorization:")); /* what is for the gateway goes inside */
    connect_peer_want(hop, "me:p@ss/word", 200);
    tls_peer_show(peer, good, NULL); /* kept connections end */
    gateway("localhost", through("me:p%40ss%2Fword@", connect_peer_port(hop)));
    before = connect_peer_tunnels(hop);
    calls_expect(env, way, "POST", "/api/v1/x/", "200");
    assert_true(connect_peer_tunnels(hop) > before);
    tls_peer_show(peer, good, NULL);
    gateway("localhost", through("me:wrong@", connect_peer_port(hop)));
    calls_expect(env, way, "POST", "/api/v1/x/", "407");
    connect_peer_want(hop, NULL, 403);
    tls_peer_show(peer, good, NULL);
    gateway("localhost", through("", connect_peer_port(hop)));
    calls_expect(env, way, "POST", "/api/v1/x/", "403");
    gateway("localhost", through("", dead));
    calls_expect(env, way, "POST", "/api/v1/x/", "failed");
    tls_peer_show(peer, wrong_host, NULL); /* a tunnel proves nothing */
    connect_peer_want(hop, NULL, 200);
    gateway("localhost", through("", connect_peer_port(hop)));
    calls_expect(env, way, "POST", "/api/v1/x/", "cert");
    assert_false(connect_peer_saw(hop, "inner-secret"));
}

/* Without TLS there is no tunnel: the outbound proxy sees the whole request, and its own credentials. */
static void plain_through_a_proxy(const struct calls_way *way)
{
    long before = connect_peer_plain(hop);

    api_setup(NULL);
    connect_peer_want(hop, "me:p@ss/word", 200);
    api_configure(env, "gateways",
                  arena_printf(mem(), "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\",\"breaker_failures\":0,\"proxies\":\"http://me:p%%40ss%%2Fword@127.0.0.1:%d/\"}}",
                               rogue_port(h.rogue), connect_peer_port(hop)));
    ENV_WAIT(env, 5000, strcmp(way->call(env, "POST", "/api/v1/do/ok/"), "200") == 0 && connect_peer_plain(hop) > before);
}

/* http_proxy and no_proxy of the environment, and the Proxy header of a client, change nothing. */
static void only_the_configuration_counts(void **state)
{
    static const char *const proxy_header[] = {"HTTP_PROXY=http://127.0.0.1:1/", NULL};
    long before;
    struct fcgi_request r;
    struct fcgi_answer a;
    int fd;

    (void)state;
    tls_peer_show(peer, good, NULL);
    connect_peer_want(hop, NULL, 200);
    gateway("localhost", trusting(""));
    ENV_WAIT(env, 5000, strstr(api_raw(env, "GET", "/api/v01/p1/direct/", NULL).body, "\"sni\":\"localhost\"") != NULL);
    r = house_request(&h, "GET", "/api/v01/p1/direct/", proxy_header);
    fd = house_begin(&h, &r);
    house_body_end(fd);
    assert_true(fcgi_receive(fd, &a, mem(), 3000));
    close(fd);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < COUNT_OF(calls_ways); i++) { /* no_proxy names localhost */
        before = connect_peer_tunnels(hop);
        gateway("localhost", arena_printf(mem(), "%s,\"headers\":\"[[\\\"X-Round\\\",\\\"%zu\\\"]]\"", through("", connect_peer_port(hop)), i));
        ENV_WAIT(env, 5000, strcmp(calls_ways[i].call(env, "POST", "/api/v1/x/"), "200") == 0 && connect_peer_tunnels(hop) > before);
        gateway("localhost", trusting(""));
    }
}

static void keeps_secrets(void **state)
{
    (void)state;
    assert_int_equal(env_kill(env, h.proxy, SIGTERM), 0);
    assert_int_equal(env_kill(env, h.core, SIGTERM), 0);
    for (const char *const *log = (const char *const[]){"p1.sock", "core.sock", NULL}; *log != NULL; log++) {
        assert_null(strstr(env_log(env, *log), "runtime error"));
        assert_null(strstr(env_log(env, *log), "inner-secret"));
        assert_null(strstr(env_log(env, *log), "ss%2Fword"));
        assert_null(strstr(env_log(env, *log), "PRIVATE KEY"));
    }
    assert_string_equal(env_psql(env, "SELECT count(*) FROM configuration WHERE content::text LIKE '%PRIVATE KEY%' OR content::text LIKE '%inner-secret%'"), "0");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM traces WHERE input LIKE '%inner-secret%' OR output LIKE '%inner-secret%'"), "0");
}

static void make_certificates(void)
{
    ca = pki_authority("Test authority");
    other_ca = pki_authority("Another authority");
    good = pki_leaf(ca, &(struct pki_want){.name = "gateway", .host = "localhost"});
    by_ip = pki_leaf(ca, &(struct pki_want){.name = "gateway", .ip = "127.0.0.1"});
    wrong_host = pki_leaf(ca, &(struct pki_want){.name = "localhost", .host = "elsewhere.example"});
    expired = pki_leaf(ca, &(struct pki_want){.name = "gateway", .host = "localhost", .from_days = -20, .days = 10});
    future = pki_leaf(ca, &(struct pki_want){.name = "gateway", .host = "localhost", .from_days = 10});
    self_signed = pki_leaf(NULL, &(struct pki_want){.name = "gateway", .host = "localhost"});
    unknown = pki_leaf(other_ca, &(struct pki_want){.name = "gateway", .host = "localhost"});
    client = pki_leaf(ca, &(struct pki_want){.name = "platform"});
    client_of_nobody = pki_leaf(other_ca, &(struct pki_want){.name = "nobody"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(shows_the_host_name), API_TEST(client_certificate_is_shown), API_TEST(refused_at_save),
                                       API_TEST(only_the_configuration_counts), API_TEST(keeps_secrets)};
    int failed;

    /* the programs inherit these; they must not count */
    house_start_with(&h, NULL, (const char *const[]){"http_proxy=http://127.0.0.1:1/", "https_proxy=http://127.0.0.1:1/",
                                                     "ALL_PROXY=http://127.0.0.1:1/", "no_proxy=localhost,127.0.0.1", NULL});
    env = h.env;
    make_certificates();
    peer = tls_peer_new();
    hop = connect_peer_new();
    dead = env_free_port(env);
    calls_routes(env);
    failed = CASES(rows, server_certificates) + CASES(calls_ways, client_certificates) + CASES(calls_ways, tunnels) +
             CASES(calls_ways, plain_through_a_proxy) + cmocka_run_group_tests(tests, NULL, NULL);
    tls_peer_free(peer);
    connect_peer_free(hop);
    return house_end(&h, failed);
}
