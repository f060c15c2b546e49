/*
 * The programs as somebody starts them: options, environment, what they say and how they end (migration.md 2.2, 3, 9).
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "integration/env.h"
#include "support/cases.h"

#define CANARY "hunter2-canary"

static struct env *env;

/* Run to the end; the output. */
static const char *run(const char *program, const char *const *args, const char *const *vars, int *status)
{
    static int n;
    const char *argv[12] = {env_program(env, program)};
    const char *log = arena_printf(env_arena(env), "run%d", n++);

    for (size_t i = 0; args != NULL && args[i] != NULL && i < COUNT_OF(argv) - 2; i++)
        argv[1 + i] = args[i];
    *status = env_wait_exit(env, env_spawn(env, log, argv, vars), 20000);
    return env_log(env, log);
}

/* ---- the command line -------------------------------------------------------------------------- */

static const struct option_row {
    const char *name, *program;
    const char *args[3];
    const char *want;
} option_rows[] = {
    {"typo", "sluice-core", {"-runMigrations=false"}, "sluice-core: unknown option -runMigrations (did you mean -runMigration?)\n"},
    {"port", "sluice-core", {"-port=5000x"}, "sluice-core: -port: expected a number from 1 to 65535, got \"5000x\"\n"},
    {"host", "sluice-core", {"-host=local host"}, "sluice-core: -host: \"local host\" is not an address or host name\n"},
    {"word", "sluice-core", {"-cleanup", "yes"}, "sluice-core: unexpected word \"yes\" after -cleanup\n"},
    {"no mapping", "sluice-proxy", {NULL}, "sluice-proxy: sluice-proxy needs -proxy=PREFIX:GATEWAY\n"},
    {"mapping", "sluice-proxy", {"-proxy=/api/v01:x"}, "sluice-proxy: -proxy: \"/api/v01\" would hide the core API\n"},
    {"secret",
     "sluice-core",
     {"-DB=postgresql://u:" CANARY "@h/d"},
     "sluice-core: unknown option -DB (the database address is the environment variable DB)\n"},
    {"all of them",
     "sluice-core",
     {"-port=0", "-socketMode=9"},
     "sluice-core: -port: expected a number from 1 to 65535, got \"0\"\n"
     "sluice-core: -socketMode: expected octal permissions such as 0660, got \"9\"\n"},
};

/* Mistakes are told before anything else happens: DB is not even looked at. */
static void refuses_options(const struct option_row *r)
{
    int status;
    const char *log = run(r->program, r->args, NULL, &status);

    assert_string_equal(log, r->want);
    assert_int_equal(status, 2);
}

static void prints_help_and_version(void **state)
{
    const char *log;
    int status;

    (void)state;
    log = run("sluice-core", (const char *const[]){"-help", NULL}, NULL, &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(log, "-newsuperuser"));
    assert_non_null(strstr(log, "exit status"));
    log = run("sluice-proxy", (const char *const[]){"--version", NULL}, NULL, &status);
    assert_int_equal(status, 0);
    assert_true(str_starts(str_c(log), STR("sluice-proxy ")));
}

/* ---- the environment -------------------------------------------------------------------------------- */

static const struct env_row {
    const char *name;
    const char *vars[3];
    const char *want; /* in the last line */
} env_rows[] = {
    {"nothing", {NULL}, "DB is not set; expected postgresql://user:password@host/database"},
    {"empty", {"DB="}, "DB is not set; expected postgresql://user:password@host/database"},
    {"blanks", {"DB=  "}, "DB is not set; expected postgresql://user:password@host/database"},
    {"lower case", {"db=postgresql://u:" CANARY "@h/d"}, "DB is not set; \"db\" is set, but the name must be upper case"},
    {"scheduler", {"SCH_DB=postgresql://u:" CANARY "@h/d"}, "DB is not set (SCH_DB is read by the scheduler command only)"},
    {"webhooks", {"WHK_DB=postgresql://u:" CANARY "@h/d"}, "DB is not set (WHK_DB is read by the webhooks command only)"},
    {"quotes", {"DB=\"postgresql://u:" CANARY "@h/d\""}, "DB starts with a quote character; remove the quotes"},
    {"scheme", {"DB=mysql://u:" CANARY "@h/d"}, "DB: scheme \"mysql\" is not supported (postgresql://)"},
    {"slash in the password", {"DB=postgresql://u:" CANARY "/x@h/d"}, "DB: the part before \"@\" contains \"/\" or \"?\""},
    {"percent in the password", {"DB=postgresql://u:" CANARY "%ss@h/d"}, "DB: \"%\" in the password must be written %25"},
    {"NUL in the password", {"DB=postgresql://u:" CANARY "%00@h/d"}, "DB: \"%\" in the password must be written %25"},
    {"unknown parameter", {"DB=postgresql://u:" CANARY "@h/d?foo=1"}, "DB: unknown parameter \"foo\""},
    {"no database", {"DB=postgresql://u:" CANARY "@h/"}, "DB: no database name"},
    {"no address at all", {"DB=" CANARY}, "DB: expected postgresql://user:password@host/database"},
    {"nowhere to listen", {"DB=postgresql://u:" CANARY "@h/d"}, "nothing to listen on: give -port or -socket"},
};

static void refuses_environment(const struct env_row *r)
{
    int status;
    const char *log = run("sluice-core", NULL, r->vars, &status);

    if (strstr(log, r->want) == NULL)
        fail_msg("%s", log);
    assert_null(strstr(log, CANARY));
    assert_int_equal(status, 2);
}

/* ---- starting ------------------------------------------------------------------------------------------ */

static pid_t start(const char *name, const char *const *args, const char *const *vars)
{
    const char *argv[12] = {env_program(env, "sluice-core"),
                            arena_printf(env_arena(env), "-socket=%s", env_path(env, arena_printf(env_arena(env), "%s.sock", name)))};

    for (size_t i = 0; args != NULL && args[i] != NULL && i < 8; i++)
        argv[2 + i] = args[i];
    return env_spawn(env, name, argv, vars);
}

static bool logged(const char *name, const char *text)
{
    return strstr(env_log(env, name), text) != NULL;
}

/* settings of the old product are named and ignored, their values never shown. */
static void ignores_old_settings(void **state)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), "db=" CANARY, "APIO_CONFIG_FILE=/does/not/exist",
                          "APIO_OPENID_AUTH=n", "proxy_password=" CANARY, "PGOPTIONS=-c geqo=off", "PGPASSWORD=" CANARY, NULL};
    pid_t pid = start("old", NULL, vars);

    (void)state;
    ENV_WAIT(env, 20000, logged("old", "app.ready") || !env_running(env, pid));
    assert_true(logged("old", "APIO_CONFIG_FILE, db, proxy_password"));
    assert_true(logged("old", "APIO_OPENID_AUTH is ignored; single sign-on is in the configuration (SSO)"));
    assert_true(logged("old", "PGPASSWORD"));
    assert_true(logged("old", "PGOPTIONS"));
    assert_false(logged("old", "geqo")); /* names, no values */
    assert_false(logged("old", CANARY));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
}

/* schemes and drivers of other stacks, the documented command line (with a free port). */
static void starts_as_documented(void **state)
{
    const char *uri = strstr(env_db(env), "://");
    const char *port = arena_printf(env_arena(env), "-port=%d", env_free_port(env));
    const char *vars[] = {arena_printf(env_arena(env), "DB= PostgreSQL+psycopg2%s&pool_max_conns=5", uri), NULL};
    const char *args[] = {"-workflows", port, "-host=0.0.0.0", "-cleanup", NULL};
    pid_t pid = start("documented", args, vars);

    (void)state;
    ENV_WAIT(env, 20000, logged("documented", "app.ready") || !env_running(env, pid));
    assert_true(logged("documented", "pool_max_conns"));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
}

static void listens_on_a_port(void **state)
{
    int port = env_free_port(env);
    const char *argv[] = {env_program(env, "sluice-core"), arena_printf(env_arena(env), "-port=%d", port), NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};
    pid_t pid = env_spawn(env, "port", argv, vars), second;

    (void)state;
    ENV_WAIT(env, 20000, env_port_open(port));
    second = env_spawn(env, "port2", argv, vars);
    assert_int_equal(env_wait_exit(env, second, 20000), 1);
    assert_true(logged("port2", "in use"));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
}

static void serves_measurements(void **state)
{
    int port = env_free_port(env);
    const char *args[] = {"-metrics", arena_printf(env_arena(env), "-metricsPort=%d", port), NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};
    pid_t pid = start("metrics", args, vars);
    struct env_answer a;

    (void)state;
    ENV_WAIT(env, 20000, env_port_open(port));
    a = env_http_at(env, "GET", arena_printf(env_arena(env), "http://127.0.0.1:%d/metrics", port), NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "apio_requests_total "));
    assert_non_null(strstr(a.body, "apio_active_instances_total 0\n"));
    assert_non_null(strstr(a.body, "sluice_database_up 1\n"));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
}

/* ---- refusals of the database -------------------------------------------------------------------------- */

static void ends_when_refused(void **state)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=postgresql://nobody:" CANARY "@/sluice?host=%s", env_path(env, ".")),
                          NULL};
    pid_t pid = start("refused", NULL, vars);

    (void)state;
    assert_int_equal(env_wait_exit(env, pid, 20000), 78);
    assert_true(logged("refused", "the database refused"));
    assert_true(logged("refused", "nobody"));
    assert_false(logged("refused", CANARY));
}

static void ends_without_database(void **state)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db_of(env, NULL, "absent")), NULL};
    pid_t pid = start("absent", NULL, vars);

    (void)state;
    assert_int_equal(env_wait_exit(env, pid, 20000), 78);
    assert_true(logged("absent", "absent"));
}

/* A proxy whose role may not create anything: -runMigration=false sends no DDL. */
static void proxy_needs_no_rights(void **state)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db_of(env, "reader", NULL)), NULL};
    pid_t pid;

    (void)state;
    env_psql(env, "CREATE ROLE reader LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader; "
                  "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO reader");
    pid = start("reader", (const char *const[]){"-runMigration=false", NULL}, vars);
    ENV_WAIT(env, 20000, logged("reader", "app.ready") || !env_running(env, pid));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
}

static void ends_for_a_newer_schema(void **state)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db_of(env, NULL, "newer")), NULL};
    const char *uri = env_db_of(env, NULL, "newer");
    pid_t pid;

    (void)state;
    env_new_database(env, "newer");
    pid = start("newer1", NULL, vars);
    ENV_WAIT(env, 20000, logged("newer1", "app.ready") || !env_running(env, pid));
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    env_psql_at(env, uri,
                "INSERT INTO schema_versions SELECT (jsonb_populate_record(s, jsonb_build_object('version', s.version + 1, "
                "'name', 'later', 'additive', 0))).* FROM schema_versions s ORDER BY s.version DESC LIMIT 1");
    pid = start("newer2", NULL, vars);
    assert_int_equal(env_wait_exit(env, pid, 20000), 78);
    assert_true(logged("newer2", "is not compatible with it; install a program"));
}

/* ---- the first administrator ------------------------------------------------------------------------------ */

static const char *superuser(const char *option, int *status)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};

    return run("sluice-core", (const char *const[]){option, NULL}, vars, status);
}

static void item_20_creates_the_superuser_once(void **state)
{
    const char *log;
    int status;

    (void)state;
    log = superuser("-newsuperuser", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(log, "user admin password "));
    log = superuser("-newsuperuser", &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(log, "user \"admin\" exists; nothing changed (give -newsuperuser=NAME, or reset with sluicectl passwd admin)"));
    log = superuser("-newsuperuser=netaxis", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(log, "user netaxis password "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_help_and_version),   cmocka_unit_test(ignores_old_settings),
        cmocka_unit_test(starts_as_documented),      cmocka_unit_test(listens_on_a_port),
        cmocka_unit_test(serves_measurements),
        cmocka_unit_test(ends_when_refused),         cmocka_unit_test(ends_without_database),
        cmocka_unit_test(proxy_needs_no_rights),     cmocka_unit_test(ends_for_a_newer_schema),
        cmocka_unit_test(item_20_creates_the_superuser_once),
    };

    env = env_start();
    return env_end(env, CASES(option_rows, refuses_options) + CASES(env_rows, refuses_environment) +
                            cmocka_run_group_tests(tests, NULL, NULL));
}
