/*
 * What the migrations page promises about command lines and the environment: its requirements R-1
 * to R-12 each by name, the tables of bad input, and a password that must show up nowhere
 * (migration.md 1 to 3, 11.1).
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/arena.h"

static struct env *env;
static int n_runs;

struct program {
    pid_t pid;
    const char *log, *socket;
};

#define WORDS(...) ARGS(__VA_ARGS__)
#define NOTHING (const char *const[]){NULL}

/* Without a listener of its own among the words it gets a socket. */
static struct program begin(const char *program, bool listens, const char *const *words, const char *const *vars)
{
    const char *argv[24] = {env_program(env, program)};
    struct program p = {.log = printed("run%d", n_runs++)};
    size_t n = 1;

    p.socket = env_path(env, printed("%s.sock", p.log));
    if (!listens)
        argv[n++] = printed("-socket=%s", p.socket);
    for (size_t i = 0; words[i] != NULL && n < COUNT_OF(argv) - 1; i++)
        argv[n++] = words[i];
    p.pid = env_spawn(env, p.log, argv, vars);
    return p;
}

static bool logged(const struct program *p, const char *text)
{
    return strstr(env_log(env, p->log), text) != NULL;
}

static void hides_the_canary(const struct program *p)
{
    moving_hides(env, "the log", env_log(env, p->log));
    moving_hides(env, "the log of PostgreSQL", env_log(env, "postgres"));
}

static void wants(const struct program *p, const char *text)
{
    if (!logged(p, text))
        env_fail(env, "expected \"%s\" in: %s", text, env_log(env, p->log));
}

static void ready(const struct program *p)
{
    ENV_WAIT(env, 30000, logged(p, "app.ready") || !env_running(env, p->pid));
    wants(p, "app.ready");
}

static void stop(const struct program *p)
{
    moving_unlisted(env, p->pid);
    assert_int_equal(env_kill(env, p->pid, SIGTERM), 0);
    hides_the_canary(p);
}

static const char *const *database(const char *more1, const char *more2)
{
    const char **vars = arena_alloc(env_arena(env), 4 * sizeof *vars);

    vars[0] = printed("DB=%s", env_db(env));
    vars[1] = more1;
    vars[2] = more1 != NULL ? more2 : NULL;
    vars[3] = NULL;
    return vars;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

/* ---- requirements ------------------------------------------------------------------------------ */

static void R_1_no_configuration_file(void **state)
{
    struct program p = begin("sluice-core", false, NOTHING, database("APIO_CONFIG_FILE=/does/not/exist", NULL));
    const char *pipe = env_path(env, "apio.yml");

    (void)state;
    ready(&p);
    assert_int_equal(times(env_log(env, p.log), "APIO_CONFIG_FILE"), 1);
    assert_int_equal(times(env_log(env, p.log), " WARN "), 1);
    stop(&p);
    /* whoever opened this one would wait for ever */
    assert_int_equal(mkfifo(pipe, 0600), 0);
    p = begin("sluice-core", false, NOTHING, database(printed("APIO_CONFIG_FILE=%s", pipe), NULL));
    ready(&p);
    stop(&p);
}

static void R_2_the_variable_is_DB(void **state)
{
    struct program p = begin("sluice-core", false, NOTHING, WORDS("db=postgresql://u:" CANARY "@h/d"));

    (void)state;
    assert_int_equal(env_wait_exit(env, p.pid, 20000), 2);
    wants(&p, "DB is not set; \"db\" is set, but the name must be upper case: DB=postgresql://");
    hides_the_canary(&p);
    p = begin("sluice-core", false, NOTHING, database("db=postgresql://u:" CANARY "@h/d", NULL));
    ready(&p);
    assert_int_equal(times(env_log(env, p.log), "environment.ignored"), 1);
    stop(&p);
}

static void R_3_both_schemes(void **state)
{
    const char *rest = strstr(env_db(env), "://");
    const char *query = strchr(rest, '?'), *folder = "";

    (void)state;
    /* and where ports usually stand: the folder of the socket as host */
    for (const char *p = env_path(env, ""); *p != '\0'; p++)
        folder = *p != '/' ? printed("%s%c", folder, *p) : p[1] != '\0' ? printed("%s%%2F", folder) : folder;
    for (int i = 0; i < 2; i++) {
        struct program p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s://sluice@%s:5432/sluice", i == 0 ? "postgresql" : "postgres", folder)));

        ready(&p);
        stop(&p);
    }
    for (int i = 0; i < 4; i++) {
        const char *scheme = i % 2 == 0 ? "postgresql" : "postgres", *port = i < 2 ? "" : "&port=5432";
        struct program p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s%s%s", scheme, rest, query != NULL ? port : "")));

        ready(&p);
        stop(&p);
    }
}

static void R_4_the_core_line(void **state)
{
    int port = env_free_port(env);
    struct program p = begin("sluice-core", true, WORDS("-workflows", printed("-port=%d", port), "-host=0.0.0.0", "-cleanup"),
                             database(NULL, NULL));

    (void)state;
    ready(&p);
    assert_true(env_port_open(port));
    stop(&p);
}

static void make_gateway(void)
{
    env_psql(env, "INSERT INTO configuration (content) SELECT (content::jsonb || "
                  "'{\"gateways\":{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"},\"other\":{\"url\":\"http://127.0.0.1:9/\"}}}')::json "
                  "FROM configuration ORDER BY id DESC LIMIT 1");
}

static void R_5_the_proxy_line(void **state)
{
    int port = env_free_port(env);
    struct program p;

    (void)state;
    make_gateway();
    p = begin("sluice-proxy", true, WORDS("-workflows", printed("-port=%d", port), "-host=0.0.0.0", "-proxy=/api/v01/p1:bwks", "-runMigration=false"),
              database(NULL, NULL));
    ready(&p);
    assert_true(env_port_open(port));
    stop(&p);
    assert_null(strstr(env_log(env, p.log), "cleanup"));
    p = begin("sluice-proxy", false, WORDS("-proxy=/api/v01/p1:bwks", "-cleanup"), database(NULL, NULL));
    assert_int_equal(env_wait_exit(env, p.pid, 20000), 2);
}

static void R_6_both_know_proxy(void **state)
{
    pid_t core;
    struct env_answer a;

    (void)state;
    make_gateway();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-proxy=/api/v01/p1:bwks", NULL});
    env_nginx_start(env, "core.sock", "core.sock"); /* the mistake: the proxy's location leads to the core */
    ENV_WAIT(env, 15000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    a = env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL);
    assert_int_equal(a.status, 421);
    assert_string_equal(api_text(env, api_json(env, &a), "error"), "/api/v01/p1 is served by sluice-proxy; check the nginx location");
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
}

static void R_7_the_gateway_must_exist(void **state)
{
    struct program p;

    (void)state;
    make_gateway();
    p = begin("sluice-proxy", false, WORDS("-proxy=/api/v01/p1:nope"), database(NULL, NULL));
    assert_int_equal(env_wait_exit(env, p.pid, 20000), 78);
    wants(&p, "nope");
    wants(&p, "bwks");
    wants(&p, "other");
}

static void R_8_the_core_migrates(void **state)
{
    const char *uri;
    struct program proxy, core;

    (void)state;
    env_new_database(env, "r8");
    uri = env_db_of(env, NULL, "r8");
    proxy = begin("sluice-core", false, WORDS("-runMigration=false", "-migrationWait=60s"), WORDS(printed("DB=%s", uri)));
    ENV_WAIT(env, 10000, env_socket_open(proxy.socket));
    assert_string_equal(env_psql_at(env, uri, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    core = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s", uri)));
    ready(&core);
    ready(&proxy);
    stop(&core);
    stop(&proxy);
}

/* What was sent to the server by the role whose statements are logged. */
static bool sent(const char *word)
{
    for (const char *p = env_log(env, "postgres"); (p = strstr(p, "LOG:  ")) != NULL; p += 6) {
        const char *end = strchr(p, '\n'), *colon;

        if (strncmp(p + 6, "statement: ", 11) != 0 && strncmp(p + 6, "execute ", 8) != 0)
            continue;
        colon = strstr(p + 6, ": ");
        if (colon != NULL && end != NULL && colon < end && strncmp(colon + 2, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

/* A proxy whose role may not create anything: until the core has made the schema from an old one it only looks. */
static void R_8_the_proxy_never_does(void **state)
{
    static const char *const changes[] = {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "LOCK", "TRUNCATE", "GRANT"};
    const char *uri;
    struct program proxy, core;

    (void)state;
    env_new_database(env, "r8b");
    uri = env_db_of(env, NULL, "r8b");
    moving_ctl(env, 0, uri, ARGS("migrate", "-to=3"));
    env_psql_at(env, uri, "CREATE ROLE r8 LOGIN; ALTER ROLE r8 SET log_statement = 'all'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO r8; "
                          "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO r8; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO r8; "
                          "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO r8");
    proxy = begin("sluice-proxy", false, WORDS("-proxy=/api/v01/p1:bwks", "-proxyWait=120s", "-runMigration=false", "-migrationWait=120s"),
                  WORDS(printed("DB=%s", env_db_of(env, "r8", "r8b"))));
    ENV_WAIT(env, 20000, sent("SELECT") && logged(&proxy, "is at "));
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        if (sent(changes[i]))
            env_fail(env, "%s was sent", changes[i]);
    assert_string_equal(env_psql_at(env, uri, "SELECT max(version) FROM schema_versions"), "3");
    core = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s", uri)));
    ready(&core);
    env_psql_at(env, uri, "INSERT INTO configuration (content) SELECT (content::jsonb || '{\"gateways\":{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}}}')::json "
                          "FROM configuration ORDER BY id DESC LIMIT 1");
    ready(&proxy);
    for (size_t i = 0; i < 3; i++)
        if (sent(changes[i]))
            env_fail(env, "%s was sent", changes[i]);
    stop(&core);
    stop(&proxy);
}

/* One table of the former product is enough to show that nothing is changed; it_migrate_fails has all. */
static void R_9_R_10_a_former_structure_is_left_alone(void **state)
{
    const char *uri, *before;
    struct program p;

    (void)state;
    env_new_database(env, "r9");
    uri = env_db_of(env, NULL, "r9");
    env_psql_at(env, uri, "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abc'); "
                          "CREATE TABLE keys (label text); CREATE TABLE users (id int); CREATE TABLE requests (id int)");
    p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s", uri)));
    assert_int_equal(env_wait_exit(env, p.pid, 20000), 78);
    wants(&p, "it is not changed: create an empty database for DB and run sluicectl import-legacy");
    /* names were looked at, no table was read but that of the version */
    assert_string_equal(env_psql_at(env, uri, "SELECT string_agg(relname || seq_scan, ' ' ORDER BY relname) FROM pg_stat_user_tables"),
                        "alembic_version1 keys0 requests0 users0");
    before = env_pg_dump(env, uri, NOTHING);
    p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s", uri)));
    assert_int_equal(env_wait_exit(env, p.pid, 20000), 78);
    /* newer dumps carry a random word of their own: the rest is compared */
    assert_int_equal(times(before, "CREATE TABLE"), times(env_pg_dump(env, uri, NOTHING), "CREATE TABLE"));
    assert_string_equal(env_psql_at(env, uri, "SELECT version_num FROM alembic_version"), "abc");
}

static void R_11_openid_switch(void **state)
{
    struct program p = begin("sluice-core", false, NOTHING, database("APIO_OPENID_AUTH=n", NULL));

    (void)state;
    ready(&p);
    wants(&p, "APIO_OPENID_AUTH is ignored; single sign-on is in the configuration (SSO)");
    stop(&p);
}

static void R_12_old_names_are_ignored(void **state)
{
    struct program p = begin("sluice-core", false, NOTHING,
                             WORDS(printed("DB=%s", env_db(env)), "host=0.0.0.0", "port=5000", "db=postgresql://u:" CANARY "@h/d",
                                   "proxy_login_url=p1=https://u:" CANARY "@h/", "proxy_url=https://u:" CANARY "@h/", "proxy_username=u",
                                   "proxy_password=" CANARY, "proxy_prefix=/api/v01/p1", "proxy_name=p1"));

    (void)state;
    ready(&p);
    wants(&p, "\"host, port, db, proxy_login_url, proxy_url, proxy_username, proxy_password, proxy_prefix, proxy_name\"");
    assert_int_equal(times(env_log(env, p.log), "environment.ignored"), 1);
    stop(&p);
}

/* ---- bad input --------------------------------------------------------------------------------- */

static const struct line_row {
    const char *name, *program, *words[3], *says;
} lines[] = {
    {"unknown", "sluice-core", {"-runMigrations=false"}, "unknown option -runMigrations (did you mean -runMigration?)"},
    {"case", "sluice-core", {"-runmigration=false"}, "unknown option -runmigration (options are case-sensitive: -runMigration)"},
    {"boolean", "sluice-core", {"-runMigration=no"}, "-runMigration: expected true or false, got \"no\""},
    {"port 0", "sluice-core", {"-port=0"}, "-port: expected a number from 1 to 65535, got \"0\""},
    {"port too large", "sluice-core", {"-port=70000"}, "-port: expected a number from 1 to 65535, got \"70000\""},
    {"port with a letter", "sluice-core", {"-port=5000x"}, "-port: expected a number from 1 to 65535, got \"5000x\""},
    {"no port", "sluice-core", {"-port="}, "-port: expected a number from 1 to 65535, got \"\""},
    {"host", "sluice-core", {"-host=local host"}, "-host: \"local host\" is not an address or host name"},
    {"host that nobody has", "sluice-core", {"-host=no.such.host.invalid"}, "-host: \"no.such.host.invalid\" is not an address or host name"},
    {"word", "sluice-core", {"-cleanup", "yes"}, "unexpected word \"yes\" after -cleanup"},
    {"no mapping", "sluice-proxy", {"-workflows"}, "sluice-proxy needs -proxy=PREFIX:GATEWAY"},
    {"duration", "sluice-core", {"-migrationWait=5x"}, "expected a duration such as 30s or 5m"},
    {"DB", "sluice-core", {"-DB=" CANARY}, "unknown option -DB (the database address is the environment variable DB)"},
    {"password", "sluice-core", {"-password=" CANARY}, "unknown option -password (the database address is the environment variable DB)"},
};

static void refuses_line(const struct line_row *r)
{
    struct program p = begin(r->program, true, WORDS(r->words[0], r->words[1]), WORDS("DB=postgresql://u:" CANARY "@h/d"));

    assert_int_equal(env_wait_exit(env, p.pid, 20000), 2);
    if (times(env_log(env, p.log), printed("%s: ", r->program)) != 1) /* the reason, once */
        env_fail(env, "not one line: %s", env_log(env, p.log));
    wants(&p, r->says);
    hides_the_canary(&p);
}

static const struct address_row {
    const char *name, *db, *says;
} addresses[] = {
    {"quote", "\"postgresql://u:" CANARY "@h/d\"",
     "DB starts with a quote character; remove the quotes (env files and lists in compose files keep them)"},
    {"MySQL", "mysql://u:" CANARY "@h/d", "DB: scheme \"mysql\" is not supported (postgresql://)"},
    {"JDBC", "jdbc:postgresql://u:" CANARY "@h/d", "DB: scheme \"jdbc"},
    {"question mark", "postgresql://u:" CANARY "?ss@h/d", "DB: the part before \"@\" contains \"/\" or \"?\"; percent-encode it"},
    {"slash", "postgresql://u:" CANARY "/ss@h/d",
     "DB: the part before \"@\" contains \"/\" or \"?\"; percent-encode it (/ = %2F, ? = %3F, @ = %40, # = %23, % = %25)"},
    {"percent", "postgresql://u:" CANARY "%ss@h/d", "DB: \"%\" in the password must be written %25"},
    {"NUL", "postgresql://u:" CANARY "%00@h/d", "DB: \"%\" in the password must be written %25"},
    {"parameter", "postgresql://u:" CANARY "@h/d?foo=1", "DB: unknown parameter \"foo\""},
    {"no database", "postgresql://u:" CANARY "@h/", "DB: no database name"},
    {"blanks", "   ", "DB is not set; expected postgresql://user:password@host/database"},
};

static void refuses_address(const struct address_row *r)
{
    static const char *const programs[] = {"sluice-core", "sluicectl"};

    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        struct program p = begin(programs[i], true, i == 0 ? NOTHING : WORDS("migrate", "-status"), WORDS(printed("DB=%s", r->db)));

        assert_int_equal(env_wait_exit(env, p.pid, 20000), 2);
        wants(&p, r->says);
        hides_the_canary(&p);
    }
}

/* What is understood, though nobody is there: said without the password, in the log, on the page and in the process list. */
static const struct address_row waiting[] = {
    {"plain", "postgresql://u:" CANARY "@127.0.0.1:1/d", "could not reach the database u@127.0.0.1:1/d"},
    {"short scheme", "postgres://u:" CANARY "@127.0.0.1:1/d", "could not reach the database u@127.0.0.1:1/d"},
    {"driver of another stack", "postgresql+psycopg2://u:" CANARY "@127.0.0.1:1/d", "could not reach the database u@127.0.0.1:1/d"},
    {"letter case and blanks", "  POSTGRESQL://u:" CANARY "@127.0.0.1:1/d ", "could not reach the database u@127.0.0.1:1/d"},
    {"at sign", "postgresql://u:" CANARY "@" CANARY "@127.0.0.1:1/d", "DB: the password contains \"@\"; write it as %40"},
    {"parameters of other drivers", "postgresql://u:" CANARY "@127.0.0.1:1/d?pool_max_conns=5&timezone=UTC", "pool_max_conns"},
    {"cache of another driver", "postgresql://u:" CANARY "@127.0.0.1:1/d?statement_cache_capacity=5", "statement_cache_capacity"},
    {"mode of another driver", "postgresql://u:" CANARY "@127.0.0.1:1/d?default_query_exec_mode=exec", "default_query_exec_mode"},
    {"zone of another driver", "postgresql://u:" CANARY "@127.0.0.1:1/d?timezone=UTC", "timezone"},
    {"parameters of ours", "postgresql://u:" CANARY "@127.0.0.1:1/d?options=-csearch_path%3Dsluice&sslmode=prefer&sslrootcert=/x&passfile=/y&connect_timeout=3",
     "could not reach the database u@127.0.0.1:1/d"},
    {"password among the parameters", "postgresql://u@127.0.0.1:1/d?password=" CANARY, "could not reach the database u@127.0.0.1:1/d"},
    {"name that nobody has", "postgresql://u:" CANARY "@no.such.host.invalid/d", "could not reach the database u@no.such.host.invalid:5432/d"},
    {"two hosts", "postgresql://u:" CANARY "@127.0.0.1:1,127.0.0.1:2/d?target_session_attrs=read-write",
     "could not reach the database u@127.0.0.1:1,127.0.0.1:2/d"},
};

static void waits_at_address(const struct address_row *r)
{
    struct program p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=%s", r->db)));
    struct env_answer a;

    ENV_WAIT(env, 20000, logged(&p, "could not reach the database"));
    wants(&p, r->says);
    env_nginx_start(env, printed("%s.sock", p.log), NULL);
    a = env_http(env, "GET", "/api/v01/health", NULL, NULL);
    assert_int_equal(a.status, 503);
    moving_hides(env, "the error page", a.body);
    stop(&p);
}

/* What looks for the password finds it where it is. */
static void the_checks_can_fail(void **state)
{
    const char *argv[] = {"tail", "-f", "/dev/null", CANARY, NULL};
    const char *query[] = {"psql", env_db(env), "-c", "SELECT '" CANARY "' FROM nowhere", NULL};
    pid_t pid = env_spawn(env, "shown", argv, NULL);

    (void)state;
    assert_true(moving_listed(env, pid));
    ENV_WAIT(env, 10000, moving_shows(env_log(env, "shown")));
    env_kill(env, pid, SIGKILL);
    assert_false(moving_shows(env_log(env, "postgres")));
    assert_int_not_equal(env_wait_exit(env, env_spawn(env, "failing", query, NULL), 20000), 0);
    ENV_WAIT(env, 10000, moving_shows(env_log(env, "postgres")));
}

/* A password with '@' in it works, is refused where it is wrong, and is seen by nobody. */
static void the_password_is_nowhere(void **state)
{
    const char *query = strchr(env_db(env), '?');
    struct program p;
    struct env_answer a;

    (void)state;
    env_psql(env, "CREATE ROLE pw_user LOGIN SUPERUSER PASSWORD '" CANARY "@x'");
    p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=postgresql://pw_user:" CANARY "@x@/sluice%s", query)));
    ready(&p);
    wants(&p, "%40");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%" CANARY "%' "
                                      "OR query LIKE '%can' || 'ary-2f81-secret@x%'"), "0");
    stop(&p);
    /* wrong: said without it, in the log and on the page */
    p = begin("sluice-core", false, NOTHING, WORDS(printed("DB=postgresql://pw_user:" CANARY "-wrong@/sluice%s", query)));
    ENV_WAIT(env, 10000, env_socket_open(p.socket));
    env_nginx_start(env, printed("%s.sock", p.log), NULL);
    a = env_http(env, "GET", "/api/v01/health", NULL, NULL);
    assert_true(a.status == 503 || a.status == 502);
    moving_hides(env, "the error page", a.body);
    moving_unlisted(env, p.pid);
    env_kill(env, p.pid, SIGTERM);
    hides_the_canary(&p);
}

/* The largest file a crash of the process leaves behind: bytes, or "unlimited". */
static const char *core_limit(pid_t pid)
{
    char line[200] = "", soft[32] = "";
    FILE *f = fopen(printed("/proc/%d/limits", (int)pid), "re");

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && sscanf(line, "Max core file size %31s", soft) != 1)
        ;
    (void)fclose(f);
    return printed("%s", soft);
}

/* Keys in memory are no file after a crash. */
static void no_core_dumps(void **state)
{
    static const struct {
        const char *program, *word;
        bool listens;
    } runs[] = {{"sluice-core", "-workflows", false}, {"sluice-proxy", "-proxy=/api/v01/p1:bwks", false}, {"sluicectl", "migrate", true}};

    struct rlimit here;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &here), 0);
    here.rlim_cur = here.rlim_max; /* what the programs start with */
    assert_int_equal(setrlimit(RLIMIT_CORE, &here), 0);
    if (here.rlim_max == 0)
        skip();
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        struct program p = begin(runs[i].program, runs[i].listens, WORDS(runs[i].word), WORDS("DB=postgresql://u@127.0.0.1:1/d"));
        ENV_WAIT(env, 20000, logged(&p, "could not reach the database"));
        assert_string_equal(core_limit(p.pid), "0");
        env_kill(env, p.pid, SIGTERM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R_1_no_configuration_file),
        cmocka_unit_test(R_2_the_variable_is_DB),
        cmocka_unit_test(R_3_both_schemes),
        cmocka_unit_test(R_4_the_core_line),
        cmocka_unit_test(R_5_the_proxy_line),
        cmocka_unit_test(R_6_both_know_proxy),
        cmocka_unit_test(R_7_the_gateway_must_exist),
        cmocka_unit_test(R_8_the_core_migrates),
        cmocka_unit_test(R_8_the_proxy_never_does),
        cmocka_unit_test(R_9_R_10_a_former_structure_is_left_alone),
        cmocka_unit_test(R_11_openid_switch),
        cmocka_unit_test(R_12_old_names_are_ignored),
        cmocka_unit_test(the_password_is_nowhere),
        cmocka_unit_test(no_core_dumps),
    };
    const struct CMUnitTest last[] = {cmocka_unit_test(the_checks_can_fail)}; /* the log is spoilt for others then */
    int failed;

    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(lines, refuses_line);
    failed += CASES(addresses, refuses_address);
    failed += CASES(waiting, waits_at_address);
    failed += cmocka_run_group_tests(last, NULL, NULL);
    return env_end(env, failed);
}
