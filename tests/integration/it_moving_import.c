/*
 * Moving in from a former platform with sluicectl import-legacy: the migrations page's own example,
 * repeating, conflicts, interruption (migration.md 4, 5, 6.3, 11.12; R-13, R-14, R-19).
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "db/locks.h"

static struct env *env;

/* Member of the latest configuration version as text. */
static const char *stored(const char *db, const char *path)
{
    return env_psql_at(env, db, printed("SELECT content #>> '{%s}' FROM configuration ORDER BY id DESC LIMIT 1", path));
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

/* The service was renamed, its port changed: the lines of nginx are said. */
static void R_14_the_renamed_proxy(void **state)
{
    const char *db = moving_base(env), *compose = file("compose.yaml", COMPOSE), *out;

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--compose=%s", compose)));
    says(out, "nginx: replace px1n:5001 by px1:5000\n");
}

/* ---- the page's examples, whole (11.12) ---------------------------------------------------------- */

/* What a file of tests/cases/moving says; SLUICE_WRITE_EXPECTED=1 writes it. */
static void like_the_file(const char *name, const char *got)
{
    const char *path = printed(SLUICE_SOURCE_DIR "/tests/cases/moving/%s", name);
    static char want[64 * 1024];
    int fd = open(path, getenv("SLUICE_WRITE_EXPECTED") != NULL ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644);
    ssize_t n;

    if (fd < 0)
        env_fail(env, "cannot open %s", path);
    if (getenv("SLUICE_WRITE_EXPECTED") != NULL) {
        assert_int_equal(write(fd, got, strlen(got)), strlen(got));
        close(fd);
        return;
    }
    n = read(fd, want, sizeof want - 1);
    close(fd);
    want[n > 0 ? n : 0] = '\0';
    if (strcmp(want, got) != 0)
        env_fail(env, "%s is not what came: %s", path, got);
}

/* Lines of the log and the address of the test's database are not of the page. */
static const char *without_log(const char *text)
{
    const char *out = "", *folder = env_path(env, "");

    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if (strncmp(text, folder, strlen(folder)) == 0)
            text += strlen(folder);
        if (strncmp(text, "20", 2) != 0 && strncmp(text, "environment=DB=", 15) != 0)
            out = printed("%s%.*s\n", out, (int)(end - text), text);
    }
    return out;
}

static const struct page {
    const char *name, *option, *text, *gateway;
} pages[] = {
    {"compose", "compose", COMPOSE, "--gateway=p1=bwks"},
    {"supervisord", "supervisord",
     "[program:api_server]\nenvironment=APIO_CONFIG_FILE=@CORE@,APIO_OPENID_AUTH=n\n"
     "command=/opt/venv/bin/python -m apio_core.api.server\n"
     "[program:proxy_server]\nenvironment=APIO_CONFIG_FILE=@P1@,APIO_OPENID_AUTH=n\n"
     "command=/opt/venv/bin/python -m apio_core.api.server_proxy\n", "--gateway=p1=bwks"},
};

static const char *page_file(const struct page *p)
{
    const char *core = file("page_core.yml", "proxy_login_url: default=https://1.2.3.4:8443/api/v1/login/,p1=https://10.0.2.3/api/v1/login/\n"
                                             "SSO:\n  - name: corp\n    protocol: oidc\n    enabled: true\n    parameters:\n      client_secret: " CANARY "\n");
    const char *p1 = file("page_p1.yml", "proxy_url: https://10.0.1.2/api/v1/\nproxy_username: provisioner\nproxy_password: " CANARY "\n"
                                         "proxy_prefix: /api/v01/p1\nproxy_name: p1\n");
    const char *at = strstr(p->text, "@CORE@"), *then = strstr(p->text, "@P1@");

    if (at == NULL)
        return file("page.conf", p->text);
    return file("page.conf", printed("%.*s%s%.*s%s%s", (int)(at - p->text), p->text, core, (int)(then - at - 6), at + 6, p1, then + 4));
}

static void item_12_page_example(const struct page *p)
{
    static const char *const points[] = {"begin", "routes", "configuration"}; /* the others hold nothing here */
    const char *db = moving_base(env), *again = moving_base(env), *source = printed("--%s=%s", p->option, page_file(p));
    static const char sections[] = "SELECT jsonb_pretty(jsonb_build_object('gateways', c -> 'gateways', 'SSO', c -> 'SSO', 'provisioning', "
                                   "c -> 'provisioning')) FROM (SELECT regexp_replace(content::text, 'sealed:[A-Za-z0-9_-]+', 'sealed', 'g')::jsonb "
                                   "AS c FROM configuration ORDER BY id DESC LIMIT 1) x";

    like_the_file(printed("%s.out", p->name), without_log(import(0, db, ARGS("--apply", source, p->gateway))));
    like_the_file(printed("%s.json", p->name), printed("%s\n", env_psql_at(env, db, sections)));
    like_the_file(printed("%s.again", p->name), without_log(import(0, db, ARGS("--apply", source, p->gateway))));
    assert_string_equal(versions(db), "1");
    for (size_t i = 0; FAULT_POINTS && i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, again, ARGS("import-legacy", "--apply", source, p->gateway), ARGS(printed("SLUICE_FAULT=import.%s:1", points[i])));
    import(0, again, ARGS("--apply", source, p->gateway));
    like_the_file(printed("%s.json", p->name), printed("%s\n", env_psql_at(env, again, sections)));
    assert_string_equal(versions(again), "1");
    moving_sealed(env, again);
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

static void the_map(void **state)
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

/* Where both say something, and differ: that is told. */
static void environment_wins(void **state)
{
    const char *db = moving_base(env), *out;
    const char *yml = file("both.yml", "proxy_url: https://old.example/\nproxy_name: p2\nproxy_prefix: /api/v01/p2\nproxy_password: " CANARY "\n");
    const char *vars = file("both.env", printed("APIO_CONFIG_FILE=%s\nproxy_url=https://new.example/\nproxy_name=p2\nproxy_username=u\nproxy_password=" CANARY "-2\n", yml));

    (void)state;
    out = import(0, db, ARGS(printed("--env-file=%s", vars)));
    says(out, printed("proxy_url: the environment differs from line 1 of %s; the environment is taken\n", yml));
    says(out, printed("proxy_password: the environment differs from line 4 of %s; the environment is taken\n", yml));
    assert_null(strstr(out, "proxy_name: the environment differs"));
    assert_string_equal(stored(db, "gateways,p2,url"), "https://new.example/");
    assert_string_equal(stored(db, "provisioning,gateways,0,prefix"), "/api/v01/p2");
    moving_sealed(env, db);
}

/* YAML would make something else of these. */
static void scalars_stay_text(void **state)
{
    const char *db = moving_base(env);
    const char *yml = file("scalars.yml", "env:\n  a: n\n  b: 0123\n  c: 12:30\n  d: 1e3\n  e: 2024-01-02\n  f: 'null'\n  g: off\nsmtp:\n  host: 010\n  port: 0587\n"
                                          "odd:\n  password: " CANARY "\n");

    (void)state;
    says(import(0, db, ARGS(printed("--file=%s", yml))), "not imported: line 13 odd.password\n");
    is(db, "SELECT string_agg(key || json_typeof(value) || (value #>> '{}'), ' ' ORDER BY key) FROM json_each((SELECT content -> 'env' FROM configuration ORDER BY id DESC LIMIT 1))",
       "astringn bstring0123 cstring12:30 dstring1e3 estring2024-01-02 fstringnull gstringoff");
    is(db, "SELECT (content #> '{smtp,host}') || ' ' || (content #> '{smtp,port}') FROM configuration ORDER BY id DESC LIMIT 1", "\"010\" 587");
    is(db, "SELECT count(*) FROM configuration WHERE content::text LIKE '%odd%'", "0");
    moving_sealed(env, db); /* what is not imported is copied nowhere */
}

/* ---- names of gateways, pairs of logins (4.2) --------------------------------------------------- */

static void the_name_a_file_has_for_it(void **state)
{
    const char *db = moving_base(env), *out;
    const char *core = file("named_core.yml", "gateways:\n  sbc:\n    url: https://10.0.1.2:8443/\n  bwks:\n    url: https://10.0.1.2/api/v1/\n  near:\n    url: https://10.0.1.20/\n");
    const char *p1 = file("named_p1.env", "proxy_url=https://10.0.1.2/api/v1/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_login_url=p1=https://10.0.1.2/login\n");

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--file=%s", core), printed("--env-file=%s", p1)));
    says(out, "sluice-proxy -workflows -proxy=/api/v01/p1:bwks -runMigration=false\n");
    says(out, "SSO.broadsoft.parameters.proxies.p1: - -> \"bwks\"\n");
    out = import(0, db, ARGS("--dry-run", "--gateway=p1=mine", printed("--file=%s", core), printed("--env-file=%s", p1)));
    says(out, "sluice-proxy -workflows -proxy=/api/v01/p1:mine -runMigration=false\n");
}

static void pairs_of_logins(void **state)
{
    const char *db = moving_base(env), *out;
    const char *vars = file("pairs.env", "proxy_url=https://a.example/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\n"
                                         "proxy_login_url= https://first.example/login , p1 = https://a.example/x=1,y/login?realm=r&token=" CANARY " ,p-2_X=https://b.example\n");

    (void)state;
    out = import(0, db, ARGS(printed("--env-file=%s", vars)));
    assert_string_equal(stored(db, "SSO,0,parameters,proxies"), "{\"default\":\"default\",\"p1\":\"p1\",\"p-2_X\":\"p-2_X\"}");
    assert_string_equal(stored(db, "gateways,default,url"), "https://first.example/");
    assert_string_equal(stored(db, "gateways,p1,login_url"), "/x=1,y/login?realm=r&token=" CANARY);
    assert_string_equal(stored(db, "gateways,p-2_X,login_url"), "/");
    says(out, "gateways.p1.login_url: - -> \"/x=1,y/login?realm=r&token=********\"\n");
}

/* --merge: one gateway for what is one, and still two mappings. */
static void two_proxies_of_one_gateway(void **state)
{
    static const char *const urls = "SELECT string_agg(k, ' ' ORDER BY k) FROM json_object_keys((SELECT content -> 'gateways' FROM configuration ORDER BY id DESC LIMIT 1)) k";
    const char *p1 = file("m1.env", "proxy_url=https://a.example/api/v1\nproxy_prefix=/api/v01/p1\nproxy_name=p1\nproxy_username=u\nproxy_password=" CANARY "\n");
    const char *p2 = file("m2.env", "proxy_url=https://a.example/api/v1/\nproxy_prefix=/api/v01/p2\nproxy_name=p2\nproxy_username=u\nproxy_password=" CANARY "\n");
    const char *p3 = file("m3.env", "proxy_url=https://a.example/api/v1/\nproxy_prefix=/api/v01/p3\nproxy_name=p3\nproxy_username=another\nproxy_password=" CANARY "\n");
    const char *db = moving_base(env), *merged = moving_base(env), *out;

    (void)state;
    import(0, db, ARGS(printed("--env-file=%s", p1), printed("--env-file=%s", p2), printed("--env-file=%s", p3)));
    is(db, urls, "p1 p2 p3");
    out = import(0, merged, ARGS("--merge", printed("--env-file=%s", p1), printed("--env-file=%s", p2), printed("--env-file=%s", p3)));
    is(merged, urls, "p1 p3");
    is(merged, "SELECT json_array_length(content #> '{provisioning,gateways}') FROM configuration ORDER BY id DESC LIMIT 1", "3");
    says(out, "-proxy=/api/v01/p1:p1 ");
    says(out, "-proxy=/api/v01/p2:p1 ");
    says(out, "-proxy=/api/v01/p3:p3 ");
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
    const char *argv[] = {"/usr/bin/env", "psql", db, "-c", "SELECT pg_advisory_lock(" DB_LOCK_IMPORT ")", "-c", "SELECT pg_sleep(30)", NULL};
    pid_t holder;

    (void)state;
    import(0, db, ARGS("--dry-run", printed("--env-file=%s", path)));
    env_psql_at(env, db, "INSERT INTO imports (who, sources, started_on) VALUES ('host a, pid 41', '[]', '2026-03-01 10:02Z')");
    holder = env_spawn(env, "holder", argv, NULL);
    ENV_WAIT(env, 5000, strcmp(env_psql_at(env, db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid) = (" DB_LOCK_IMPORT ")"), "1") == 0);
    says(import(75, db, ARGS(printed("--env-file=%s", path))), "an import is running since 10:02 (host a, pid 41)");
    env_kill(env, holder, SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R_13_the_page_example), cmocka_unit_test(R_14_the_renamed_proxy),
        cmocka_unit_test(R_19_supervisord),
        cmocka_unit_test(the_map), cmocka_unit_test(environment_wins), cmocka_unit_test(scalars_stay_text),
        cmocka_unit_test(the_name_a_file_has_for_it), cmocka_unit_test(pairs_of_logins), cmocka_unit_test(two_proxies_of_one_gateway),
        cmocka_unit_test(conflicts),
        cmocka_unit_test(one_import_at_a_time),
    };
    int failed;

    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(pages, item_12_page_example);
    return env_end(env, failed);
}
