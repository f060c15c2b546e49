/*
 * Moving in from a former platform with sluicectl import-legacy: the migrations page's own example,
 * bad input, repeating, conflicts, interruption (migration.md 4, 5, 6.3, 11.12, 11.13; R-12 to
 *
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

static struct env *env;

#define printed(...) moving_printed(env, __VA_ARGS__)
#define file(name, text) moving_file(env, name, text)
#define says(output, part) moving_says(env, output, part)

static const char *import(int status, const char *db, const char *const *args)
{
    const char *all[24] = {"import-legacy"};

    for (size_t n = 0; args[n] != NULL && n + 1 < COUNT_OF(all) - 1; n++)
        all[n + 1] = args[n];
    return moving_ctl(env, status, db, all);
}

/* Member of the latest configuration version as text. */
static const char *stored(const char *db, const char *path)
{
    return env_psql_at(env, db, printed("SELECT content #>> '{%s}' FROM configuration ORDER BY id DESC LIMIT 1", path));
}

static const char *versions(const char *db)
{
    return env_psql_at(env, db, "SELECT count(*) FROM configuration WHERE comment LIKE 'import%'");
}

/* ---- the page's own example (5.4) -------------------------------------------------------------- */

#define COMPOSE                                                                                    \
    "services:\n"                                                                                  \
    "  postgres:\n    image: postgres:11\n    command: postgres\n"                                  \
    "  apiocore:\n"                                                                                \
    "    command: python3 -m apio_core.api.server\n"                                               \
    "    environment:\n"                                                                           \
    "      - host=0.0.0.0\n"                                                                       \
    "      - db=postgresql://apio:" CANARY "@postgres/apio\n"                                       \
    "      - proxy_login_url=default=https://1.2.3.4:8443/api/v1/login/,p1=https://10.0.2.3/api/v1/login/\n" \
    "  px1n:\n"                                                                                    \
    "    command: [python3, -m, apio_core.api.server_proxy]\n"                                     \
    "    environment:\n"                                                                           \
    "      host: 0.0.0.0\n      port: \"5001\"\n"                                                   \
    "      db: postgresql://apio:" CANARY "@postgres/apio\n"                                        \
    "      proxy_url: https://10.0.1.2/api/v1/\n"                                                  \
    "      proxy_username: provisioner\n      proxy_password: " CANARY "\n"                        \
    "      proxy_prefix: /api/v01/p1\n      proxy_name: p1\n"

static void R_13_the_page_example(void **state)
{
    const char *db = moving_base(env), *compose = file("compose.yaml", COMPOSE), *out;

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--compose=%s", compose), "--gateway=p1=bwks"));
    says(out, "dry run, nothing was written");
    says(out, "gateways.bwks.url: - -> \"https://10.0.1.2/\"");
    says(out, "gateways.bwks.password: - -> (set)");
    says(out, "gateways.bwks.login_url: - -> \"https://10.0.2.3/api/v1/login/\"");
    says(out, "service postgres is not one of the old modules; left out");
    says(out, "sluice-core -workflows -cleanup\n");
    says(out, "sluice-proxy -workflows -proxy=/api/v01/p1:bwks -runMigration=false\n");
    says(out, "nginx: replace px1n:5001 by px1:5000\n"); /* */
    assert_string_equal(versions(db), "0");

    out = import(0, db, ARGS(printed("--compose=%s", compose), "--gateway=p1=bwks"));
    says(out, "imported: ");
    assert_string_equal(versions(db), "1");
    assert_string_equal(stored(db, "gateways,bwks,url"), "https://10.0.1.2/");
    assert_string_equal(stored(db, "gateways,bwks,username"), "provisioner");
    assert_string_equal(stored(db, "gateways,bwks,session_holder"), "bwks");
    assert_string_equal(stored(db, "gateways,bwks,timeout"), "10");
    assert_true(strncmp(stored(db, "gateways,bwks,password"), "sealed:", 7) == 0);
    assert_string_equal(stored(db, "gateways,default,url"), "https://1.2.3.4:8443/");
    assert_string_equal(stored(db, "gateways,default,login_url"), "/api/v1/login/");
    assert_string_equal(stored(db, "SSO,0,parameters,proxies,p1"), "bwks");
    assert_string_equal(stored(db, "SSO,0,parameters,proxies,default"), "default");
    assert_string_equal(stored(db, "SSO,0,protocol"), "broadsoft");
    assert_string_equal(stored(db, "provisioning,gateways,0,prefix"), "/api/v01/p1");
    assert_string_equal(env_psql_at(env, db, "SELECT comment FROM configuration ORDER BY id DESC LIMIT 1"),
                        "import from apiocore, px1n");
    assert_string_equal(env_psql_at(env, db, "SELECT count(*) FROM imports WHERE finished_on IS NOT NULL"), "1");

    /* twice: the same; without --apply only said, since there is a configuration now */
    out = import(0, db, ARGS(printed("--compose=%s", compose), "--gateway=p1=bwks"));
    says(out, "gateways.bwks: unchanged");
    says(out, "nothing was written (--apply writes)");
    out = import(0, db, ARGS("--apply", printed("--compose=%s", compose), "--gateway=p1=bwks"));
    says(out, "0 added, 0 replaced, 0 kept, 4 unchanged");
    assert_string_equal(versions(db), "1");
    /* the canary is nowhere in the database but sealed */
    moving_sealed(env, db);
}

static void R_19_supervisord(void **state)
{
    const char *db = moving_base(env), *out;
    const char *core = file("apio.yml", "proxy_login_url: p1=https://10.0.1.2/api/v1/login/\nSSO:\n  - name: corp\n    protocol: oidc\n"
                                        "    enabled: y\n    parameters:\n      client_secret: " CANARY "\nsmtp:\n  host: mail\n  port: 025\n");
    const char *p1 = file("apio_p1.yml", "proxy-url: https://10.0.1.2/api/v1/\nproxy_name: p1\nproxy_prefix: /api/v01/p1\n"
                                         "ldap:\n  bind_dn: cn=x\n  password: " CANARY "\n");
    const char *conf = file("supervisord.conf",
                            printed("[supervisord]\nnodaemon=true\n[program:api_server]\nenvironment=APIO_CONFIG_FILE=%s,APIO_OPENID_AUTH=n\n"
                                    "command=/opt/venv/bin/python -m apio_core.api.server\n\n[program:proxy_server] ; the proxy\n"
                                    "environment=APIO_CONFIG_FILE=\"%s\",APIO_OPENID_AUTH=n,\n  proxy_username=u\n"
                                    "command=/opt/venv/bin/python -m apio_core.api.server_proxy\n", core, p1));

    (void)state;
    out = import(0, db, ARGS(printed("--supervisord=%s", conf)));
    says(out, "not imported: line 5 ldap.bind_dn");
    says(out, "gateway p1: user name without password; calls will go out unauthenticated");
    says(out, "environment=DB=\"postgresql://");
    assert_string_equal(stored(db, "gateways,p1,login_url"), "/api/v1/login/");
    assert_string_equal(stored(db, "smtp,port"), "25");
    assert_string_equal(env_psql_at(env, db, "SELECT e ->> 'enabled' FROM configuration, json_array_elements(content -> 'SSO') e "
                                             "WHERE e ->> 'name' = 'corp' ORDER BY id DESC LIMIT 1"), "false");
}

static void environment_wins_and_map(void **state)
{
    const char *db = moving_base(env), *out;
    const char *yml = file("one.yml", "proxy_url: https://old.example/api/v2/\nproxy_name: p2\nproxy_prefix: /api/v01/p2\nmail:\n  relay: mx\n");
    const char *vars = file("p2.env", "# the proxy\nexport proxy_url='https://new.example/api/v2/'\nAPIO_CONFIG_FILE=/does/not/exist\n"
                                      "APIO_OPENID_AUTH=y\n");
    const char *map = file("map", "mail.relay=smtp.host\n");

    (void)state;
    out = import(0, db, ARGS(printed("--file=p2:%s", yml), printed("--map=%s", map)));
    assert_string_equal(stored(db, "smtp,host"), "mx");
    assert_string_equal(stored(db, "gateways,p2,api_root"), "/api/v2");
    assert_string_equal(stored(db, "gateways,p2,url"), "https://old.example/");
    assert_null(strstr(out, "not imported"));
    out = import(3, db, ARGS("--dry-run", printed("--env-file=%s", vars)));
    says(out, "cannot read /does/not/exist: no such file or directory; give it with --file");
    says(out, "OpenID was on but no provider was found; add it under SSO");
}

/* ---- conflicts --------------------------------------------------------------------------------- */

static void conflicts(void **state)
{
    const char *db = moving_base(env);
    const char *one = file("c1.env", "proxy_url=https://a.example/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_login_url=p1=https://a.example/login\n");
    const char *two = file("c2.env", "proxy_url=https://b.example/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\n");
    const char *other = file("c3.env", "proxy_url=https://c.example/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_login_url=p1=https://c.example/login\n");

    (void)state;
    import(0, db, ARGS(printed("--env-file=%s", one)));
    says(import(0, db, ARGS("--apply", printed("--env-file=%s", two))), "gateways.p1: kept as it is");
    assert_string_equal(stored(db, "gateways,p1,url"), "https://a.example/");
    says(import(1, db, ARGS("--apply", "--on-conflict=fail", printed("--env-file=%s", two))), "conflict: gateways.p1 differs");
    assert_string_equal(versions(db), "1");
    import(0, db, ARGS("--apply", "--on-conflict=replace", printed("--env-file=%s", two)));
    assert_string_equal(stored(db, "gateways,p1,url"), "https://b.example/");
    says(import(1, db, ARGS("--apply", "--gateway=p1=fresh", printed("--env-file=%s", other))),
         "conflict: proxy name \"p1\" is mapped to \"p1\"; choose --on-conflict=keep or replace");
    assert_string_equal(versions(db), "2");
}

static void one_import_at_a_time(void **state)
{
    const char *db = moving_base(env), *path = file("lock.env", "proxy_url=https://a.example/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\n");
    const char *argv[] = {"/usr/bin/env", "psql", db, "-c", "SELECT pg_advisory_lock(1399616867, 3)", "-c", "SELECT pg_sleep(30)", NULL};
    pid_t holder;

    (void)state;
    import(0, db, ARGS("--dry-run", printed("--env-file=%s", path)));
    env_psql_at(env, db, "INSERT INTO imports (who, sources, started_on) VALUES ('host a, pid 41', '[]', '2026-03-01 10:02Z')");
    holder = env_spawn(env, "holder", argv, NULL);
    ENV_WAIT(env, 5000, strcmp(env_psql_at(env, db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 3"), "1") == 0);
    says(import(75, db, ARGS(printed("--env-file=%s", path))), "an import is running since 10:02 (host a, pid 41)");
    env_kill(env, holder, SIGKILL);
}

static void killed_and_started_again(void **state)
{
    const char *compose = file("compose.yaml", COMPOSE);

    (void)state;
    for (int i = 0; i < 6; i++) {
        const char *db = moving_base(env);
        pid_t pid = moving_start(env, "killed", db, ARGS("import-legacy", printed("--compose=%s", compose), "--gateway=p1=bwks", "--apply"), NULL);

        usleep((useconds_t)(150000 + 60000 * i));
        env_kill(env, pid, SIGKILL);
        import(0, db, ARGS(printed("--compose=%s", compose), "--gateway=p1=bwks", "--apply"));
        assert_string_equal(versions(db), "1");
        assert_string_equal(stored(db, "gateways,bwks,url"), "https://10.0.1.2/");
    }
}

/* ---- bad input --------------------------------------------------------------------------------- */

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
    {"unreadable", NULL, NULL, "cannot read /does/not/exist.yml: no such file or directory"},
};

static const char *bad_base;

static void refuses(const struct row *r)
{
    const char *arg = "--file=/does/not/exist.yml";

    if (r->env != NULL)
        arg = printed("--env-file=%s", file("bad.env", r->env));
    else if (r->yaml != NULL)
        arg = printed("--file=p1:%s", file("bad.yml", r->yaml));
    says(import(2, bad_base, ARGS(arg)), r->says);
    assert_string_equal(versions(bad_base), "0");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R_13_the_page_example), cmocka_unit_test(R_19_supervisord),
        cmocka_unit_test(environment_wins_and_map), cmocka_unit_test(conflicts),
        cmocka_unit_test(one_import_at_a_time), cmocka_unit_test(killed_and_started_again),
        cmocka_unit_test(wrong_arguments),
    };
    int failed;

    env = env_start();
    bad_base = moving_base(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, refuses);
    return env_end(env, failed);
}
