/*
 * Moving in with sluicectl import-legacy: what is refused, one row for each line of the contract's
 * tables of bad input, and the switch of OpenID (migration.md 4, 11.13).
 */
#include "integration/env_moving.h"
#include "support/cases.h"
#include "support/tls_peer.h"

#include <stdio.h>
#include <string.h>

static struct env *env;

static const struct row {
    const char *name;
    const char *env;  /* an env file */
    const char *yaml; /* or a file of the proxy p1 */
    const char *says;
} rows[] = {
    {"not http", "proxy_url=ftp://10.0.1.2/", NULL, "proxy_url: \"ftp://\xe2\x80\xa6\" is not an http(s) URL"},
    {"credentials", "proxy_url=https://u:" CANARY "@10.0.1.2/", NULL, "proxy_url: credentials in the URL are not imported; use proxy_username"},
    {"query", "proxy_url=https://10.0.1.2/?k=" CANARY, NULL, "proxy_url: the URL has a query or a fragment"},
    {"pair without URL", "proxy_login_url=p1", NULL, "proxy_login_url: pair 1 (\"p1\") has no URL"},
    {"second pair without URL", "proxy_login_url=default=https://a/login,p1=", NULL, "proxy_login_url: pair 2 (\"p1\") has no URL"},
    {"name twice", "proxy_login_url=p1=https://a/,p1=https://b/", NULL, "proxy_login_url: \"p1\" appears twice"},
    {"prefix", "proxy_url=https://a/\nproxy_prefix=api/v01/p1", NULL, "proxy_prefix: \"api/v01/p1\" must start with \"/\""},
    {"no pair", "proxy_url", NULL, "expected NAME=value"},
    {"tab", NULL, "smtp:\n\thost: x\n", ":2:1: not valid YAML: found a tab where indentation was expected"},
    {"broken", NULL, "smtp: {host: x\nport\n", "not valid YAML: "},
    {"a list", NULL, "- a\n- b\n", ": expected names and values at the top level"},
    {"empty", NULL, "# nothing\n", ": expected names and values at the top level"},
    {"Latin-1", NULL, "gui:\n  label: caf\xe9\n", ":2: not UTF-8 (byte 0xe9); convert it, for example with iconv"},
    {"number", NULL, "smtp:\n  port: twenty-five\n", "line 2: smtp.port: expected a number, got \"twenty-five\""},
    {"twice", NULL, "smtp:\n  port: 1\n  port: 2\n", ":3:3: \"port\" appears twice"},
    {"two documents", NULL, "smtp: {}\n---\nsmtp: {}\n", "a second document is not read"},
    {"tag", NULL, "smtp: !!python/object:os.system {a: b}\n", ":1:7: tags are not read"},
    {"aliases without end", NULL, "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
     "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d]\n", "more than 10000 values"},
    {"sections of another shape", NULL, "smtp: text\n", "line 1: smtp: expected names and values"},
    {"fragment", "proxy_url=https://10.0.1.2/#x", NULL, "proxy_url: the URL has a query or a fragment"},
    {"no host", "proxy_url=https:///x", NULL, "proxy_url: the URL names no host"},
    {"login with credentials", "proxy_login_url=p1=https://u:" CANARY "@10.0.1.2/", NULL, "proxy_login_url: credentials in the URL are not imported; use proxy_username"},
    {"prefix with a double slash", "proxy_url=https://a/\nproxy_prefix=/api//p1", NULL, "proxy_prefix: \"/api//p1\" is not a path prefix"},
    {"prefix that goes up", "proxy_url=https://a/\nproxy_prefix=/api/../p1", NULL, "proxy_prefix: \"/api/../p1\" is not a path prefix"},
    {"prefix with a blank", "proxy_url=https://a/\nproxy_prefix=/api/p 1", NULL, "proxy_prefix: \"/api/p 1\" is not a path prefix"},
    {"prefix that is all", "proxy_url=https://a/\nproxy_prefix=/", NULL, "proxy_prefix: \"/\" is not a path prefix"},
    {"boolean", NULL, "gui:\n  prod: perhaps\n", "line 2: gui.prod: expected true or false, got \"perhaps\""},
    {"a list where names are wanted", NULL, "gateways:\n  - a\n", "line 1: gateways: expected names and values"},
    {"names where a list is wanted", NULL, "SSO:\n  a: b\n", "line 1: SSO: expected a list"},
    {"anchor without end", NULL, "a: *nowhere\n", ":1:4: an alias without its anchor"},
    {"alias of the list it stands in", NULL, "a: &a [1, *a]\n", ":1:11: an alias within what it stands for"},
    {"alias of a section it stands in", NULL, "smtp: &a\n  host: {deep: [*a]}\n", ":2:17: an alias within what it stands for"},
    {"deep by aliases", NULL, "a: &a [[[[[[[[[[1]]]]]]]]]]\nb: &b [[[[[[[[[[*a]]]]]]]]]]\nc: &c [[[[[[[[[[*b]]]]]]]]]]\nd: [[[*c]]]\n", ":4:7: nested deeper than 32"},
    {"URL with a blank", "proxy_url=https://10.0.1.2/api v1/", NULL, "proxy_url: the URL holds a blank or a control character"},
    {"login with a blank", "proxy_login_url=p1=https://10.0.1.2/login p2:https://b/", NULL, "proxy_login_url: the URL holds a blank or a control character"},
    {"login without a host", "proxy_login_url=p1=https://?a=b", NULL, "proxy_login_url: the URL has a query or a fragment"},
    {"login with a fragment", "proxy_login_url=p1=https://a/x#y", NULL, "proxy_login_url: the URL has a query or a fragment"},
    {"a folder", NULL, "@FOLDER@", "cannot read "},
    {"unreadable", NULL, NULL, "cannot read /does/not/exist.yml: no such file or directory"},
};

static const char *bad_base;

/* Every row of the tables of 4.2 and 4.3, each beside a password. */
static void item_13_refuses(const struct row *r)
{
    const char *arg = "--file=/does/not/exist.yml";
    const char *secret = printed("--env-file=%s", file("secret.env", "proxy_username=u\nproxy_password=" CANARY "\n"));

    if (r->env != NULL)
        secret = printed("--env-file=%s", file("bad.env", printed("proxy_username=u\nproxy_password=" CANARY "\n%s", r->env)));
    else if (r->yaml != NULL && strcmp(r->yaml, "@FOLDER@") == 0)
        arg = "--file=p1:/";
    else if (r->yaml != NULL)
        arg = printed("--file=p1:%s", file("bad.yml", r->yaml));
    says(import(2, bad_base, r->env != NULL ? ARGS(secret) : ARGS(secret, arg)), r->says);
    assert_string_equal(versions(bad_base), "0");
}

/* What is large, deep or endless. */
static void item_13_limits(void **state)
{
    static char large[(1 << 20) + 64], deep[256], wide[64 * 1024];
    size_t n;

    (void)state;
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "smtp:\n  host: x #", 17);
    says(import(2, bad_base, ARGS(printed("--file=p1:%s", file("large.yml", large)))), "larger than 1 MiB");
    for (n = 0; n < 33; n++)
        deep[n] = '[';
    (void)snprintf(deep + n, sizeof deep - n, "]");
    says(import(2, bad_base, ARGS(printed("--file=p1:%s", file("deep.yml", printed("a: %s", deep))))), "deeper than 32");
    for (n = 0; n + 8 < sizeof wide && n < 8 * 1001; n += 8)
        (void)snprintf(wide + n, sizeof wide - n, "- *a    ");
    for (size_t i = 7; i < n; i += 8)
        wide[i] = '\n';
    says(import(2, bad_base, ARGS(printed("--file=p1:%s", file("wide.yml", printed("x: &a 1\ny:\n%s", wide))))), "aliases");
    assert_string_equal(versions(bad_base), "0");
}

/* One half of an account: taken, and said. */
static void item_13_half_an_account(void **state)
{
    const char *db = moving_base(env), *out;
    const char *user = file("user.env", "proxy_url=https://a/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_username=u\n");
    const char *password = file("password.env", "proxy_url=https://a/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_password=" CANARY "\n");

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--env-file=%s", user)));
    says(out, "gateway p1: user name without password; calls will go out unauthenticated");
    says(out, "gateways.p1.username: - -> \"u\"\n");
    out = import(0, db, ARGS("--dry-run", printed("--env-file=%s", password)));
    says(out, "gateway p1: password without user name; calls will go out unauthenticated");
    says(out, "gateways.p1.password: - -> (set)\n");
}

/* A map cannot put a value where the configuration has a list, nor at the top: known before anything is written, by a dry run too. */
static void item_13_maps(void **state)
{
    static const struct {
        const char *map, *says;
    } wrong[] = {
        {"mail.relay=SSO.x.y\n", "SSO"}, {"mail.relay=smtp\n", "--map: \"smtp\" is not a place inside a section"},
        {"mail.relay\n", "--map: line 1: expected old.path=new.path"}, {"mail.relay=smtp.port\n", "line 4: smtp.port: expected a number, got \"mx\""},
    };
    const char *yml = file("mapped.yml", "SSO:\n  - {name: corp, protocol: oidc}\nmail:\n  relay: mx\n");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *map = printed("--map=%s", file("wrong.map", wrong[i].map));

        says(import(2, bad_base, ARGS("--dry-run", printed("--file=%s", yml), map)), wrong[i].says);
        says(import(2, bad_base, ARGS("--apply", printed("--file=%s", yml), map)), wrong[i].says);
    }
    assert_string_equal(env_psql_at(env, bad_base, "SELECT count(*) FROM imports"), "0"); /* nothing was begun */
    assert_string_equal(versions(bad_base), "0");
}

static const struct openid {
    const char *name, *value, *enabled;
} switches[] = {
    {"n", "n", "false"}, {"0", "0", "false"}, {"no", "no", "false"}, {"NO", "NO", "false"}, {"false", "False", "false"}, {"off", "off", "false"},
    {"empty", "\"\"", "false"}, {"y", "y", "true"}, {"1", "1", "true"}, {"not set", NULL, "true"},
};

/* APIO_OPENID_AUTH decides over entries of the file. */
static void item_13_openid_switch(const struct openid *o)
{
    const char *yml = file("openid.yml", "SSO:\n  - name: corp\n    protocol: oidc\n    enabled: true\n");
    const char *vars = file("openid.env", printed("APIO_CONFIG_FILE=%s\n%s%s\n", yml, o->value != NULL ? "APIO_OPENID_AUTH=" : "#", o->value != NULL ? o->value : ""));
    const char *out = import(0, bad_base, ARGS("--dry-run", printed("--env-file=%s", vars)));

    says(out, printed("SSO.corp.enabled: - -> %s\n", o->enabled));
}

static void wrong_arguments(void **state)
{
    (void)state;
    import(2, bad_base, ARGS("--nonsense"));
    import(2, bad_base, ARGS("--on-conflict=maybe", "--file=x"));
    import(2, bad_base, ARGS("--dry-run"));
    says(import(2, bad_base, ARGS("--from-db=/does/not/exist")), "cannot read /does/not/exist: no such file or directory");
    says(import(2, bad_base, ARGS("--from-api=http://127.0.0.1:1", "--token-file=/does/not/exist")), "cannot read /does/not/exist");
    says(import(1, bad_base, ARGS("--from-api=http://127.0.0.1:1", printed("--token-file=%s", file("token", CANARY)))), "the old platform: ");
}

/* Nothing that a section holds as a secret is shown, however deep and whatever its name. */
static void secrets_of_a_dry_run(void **state)
{
    const char *yml = file("secrets.yml", "smtp:\n  host: mail\n  password: " CANARY "\n"
                                          "datastores:\n  - name: crm\n    dsn: postgresql://u:" CANARY "@h/d\n"
                                          "gateways:\n  sbc:\n    url: https://10.0.0.9/\n    auth: hawk\n    key: " CANARY "\n    proxies: http://u:" CANARY "@proxy:3128/\n"
                                          "SSO:\n  - name: corp\n    protocol: oidc\n    parameters:\n      client_secret: " CANARY "\n      more:\n        - {password: " CANARY "}\n"
                                          "env:\n  list: [{token: " CANARY "}]\n");
    const char *db = moving_base(env), *out;

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--file=%s", yml)));
    says(out, "smtp.password: - -> (set)\n");
    says(out, "gateways.sbc.key: - -> (set)\n");
    says(out, "SSO.corp.parameters.client_secret: - -> (set)\n");
    says(out, "env.list: - -> [{\"token\":\"********\"}]\n");
    says(out, "datastores.crm.dsn: - -> (set)\n");
}

static const struct address {
    const char *name, *url, *says;
} addresses[] = {
    {"no scheme", "old.example", "--from-api: "},
    {"another scheme", "ftp://old.example/", "--from-api: \"ftp://\xe2\x80\xa6\" is not an http(s) URL"},
    {"credentials", "https://u:" CANARY "@old.example/", "--from-api: credentials in the URL are not taken; use --token-file"},
    {"query", "https://old.example/?k=" CANARY, "--from-api: the URL has a query or a fragment"},
    {"fragment", "https://old.example/#x", "--from-api: the URL has a query or a fragment"},
};

static void refuses_address(const struct address *a)
{
    const char *db = bad_base, *log = printed("address %s", a->name), *from = printed("--from-api=%s", a->url);
    const char *argv[] = {env_program(env, "sluicectl"), "import-legacy", from, printed("--token-file=%s", file("token", "x")), NULL};
    const char *vars[] = {printed("DB=%s", db), NULL};

    /* what is on the command line is everybody's; only what we print counts here */
    assert_int_equal(env_wait_exit(env, env_spawn(env, log, argv, vars), 30000), 2);
    says(env_log(env, log), a->says);
    moving_hides(env, "the output", env_log(env, log));
}

/* Certificates are checked, at gateways that were imported and at the old platform. */
static void a_certificate_nobody_signed(void **state)
{
    struct pki *ca = pki_authority("nobody"), *leaf = pki_leaf(ca, &(struct pki_want){.name = "gateway", .host = "127.0.0.1"});
    static struct tls_peer *peer; /* its threads keep it */
    const char *db = moving_base(env), *url, *vars, *out;

    (void)state;
    peer = tls_peer_new();
    url = printed("https://127.0.0.1:%d/", tls_peer_port(peer));
    vars = file("tls.env", printed("proxy_url=%s\nproxy_prefix=/api/v01/p1\nproxy_name=p1\n", url));
    tls_peer_show(peer, leaf, NULL);
    says(import(0, db, ARGS("--dry-run", "--check", printed("--env-file=%s", vars))),
         "gateway p1: certificate not trusted (self-signed); add the CA to the system, or set tls_verify to false\n");
    out = import(1, db, ARGS(printed("--from-api=%s", url), printed("--token-file=%s", file("token", CANARY))));
    says(out, "import-legacy: the old platform: tls with 127.0.0.1:");
    says(out, "; add its CA to the system\n");
    assert_int_equal(tls_peer_requests(peer), 0);
    tls_peer_free(peer);
    pki_free(leaf);
    pki_free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(item_13_limits),
        cmocka_unit_test(item_13_half_an_account),
        cmocka_unit_test(item_13_maps),
        cmocka_unit_test(secrets_of_a_dry_run),
        cmocka_unit_test(a_certificate_nobody_signed),
    };
    int failed;

    env = env_start();
    bad_base = moving_base(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, item_13_refuses);
    failed += CASES(addresses, refuses_address);
    failed += CASES(switches, item_13_openid_switch);
    return env_end(env, failed);
}
