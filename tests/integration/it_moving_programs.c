/*
 * What the two programs leave alone (migration.md 1): the proxy's line of R-5 removes nothing at night although it
 * would be due, and neither program ever reads a table of a former platform, in a database of its own or
 * beside our tables.
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "support/bad_day.h"

static struct env *env;
static struct bad_day *database;

#define CORE_LINE "-workflows", "-cleanup"
#define PROXY_LINE "-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false"

static pid_t begin(const char *program, const char *log, const char *db, const char *const *words)
{
    const char *argv[12] = {env_program(env, program), printed("-socket=%s", env_path(env, printed("%s.sock", log)))};
    size_t n = 2;

    for (size_t i = 0; words[i] != NULL && n < COUNT_OF(argv) - 1; i++)
        argv[n++] = words[i];
    return env_spawn(env, log, argv, ARGS(printed("DB=%s", db)));
}

static void ready(const char *log, pid_t pid)
{
    ENV_WAIT(env, 30000, strstr(env_log(env, log), "app.ready") != NULL || !env_running(env, pid));
    says(env_log(env, log), "app.ready");
}

/* ---- R-5 --------------------------------------------------------------------------------------- */

/* The clock of the database says ten past three, when clean-ups are due. */
static void make_it_night(void)
{
    const int64_t day = 86400 * (int64_t)1000000, now = clock_wall_us(&clock_system);

    database->clock_us = now / day * day + (3 * 3600 + 600) * (int64_t)1000000 - now;
}

static void R_5_nothing_is_removed_by_a_proxy(void **state)
{
    const char *db = moving_base(env);
    pid_t pid;

    (void)state;
    moving_ctl(env, 0, db, ARGS("migrate"));
    env_psql_at(env, db, "INSERT INTO configuration (content) VALUES ('{\"gateways\":{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}},\"retention\":{\"default\":3}}');"
                         "SELECT history_make(now() - interval '14 months'); INSERT INTO requests (id, created_on, status, method) VALUES (14, now() - interval '14 months', "
                         "'SUCCESS', 'post'); SELECT history_prepare()");
    make_it_night();
    is(db, "SELECT extract(hour FROM now() AT TIME ZONE 'UTC')", "3");
    /* its round of upkeep has begun when the month is there again, and is over when it has ended */
    env_psql_at(env, db, "DO $$ BEGIN EXECUTE 'DROP TABLE ' || (SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'requests'::regclass "
                         "AND inhrelid::regclass::text LIKE 'requests_p%'); END $$");
    pid = begin("sluice-proxy", "r5 proxy", db, ARGS(PROXY_LINE));
    ready("r5 proxy", pid);
    ENV_WAIT(env, 20000, strcmp(env_psql_at(env, db, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'requests'::regclass AND inhrelid::regclass::text = "
                                                     "to_char(now() AT TIME ZONE 'UTC' + interval '2 months', '\"requests_p\"YYYYMM')"), "1") == 0);
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    is(db, "SELECT count(*) FROM requests WHERE id = 14", "1");
    /* it was due: the core's line does it */
    pid = begin("sluice-core", "r5 core", db, ARGS(CORE_LINE));
    ENV_WAIT(env, 20000, strcmp(env_psql_at(env, db, "SELECT count(*) FROM requests WHERE id = 14"), "0") == 0);
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    database->clock_us = 0;
}

/* ---- R-10 -------------------------------------------------------------------------------------- */

/* Tables of a former platform somebody read, by the counts PostgreSQL keeps; written when a session ends. */
static const char read_tables[] = "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '-') FROM pg_stat_user_tables WHERE seq_scan + coalesce(idx_scan, 0) > 0";

static void nobody_is_connected(const char *db)
{
    ENV_WAIT(env, 20000, strcmp(env_psql_at(env, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice-%'"), "0") == 0);
}

static void R_10_no_program_reads_a_former_database(void **state)
{
    static const struct {
        const char *program, *words[5];
    } lines[] = {
        {"sluice-core", {CORE_LINE}}, {"sluice-core", {"-workflows", "-runMigration=false"}}, {"sluice-proxy", {PROXY_LINE}}, {"sluice-proxy", {"-proxy=/api/v01/p1:bwks"}},
    };
    const char *old = moving_old_database(env), *before = moving_dump(env, old);

    (void)state;
    nobody_is_connected(old);
    env_psql_at(env, old, "SELECT pg_stat_reset()");
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        const char *log = printed("r10 %zu", i);

        assert_int_equal(env_wait_exit(env, begin(lines[i].program, log, old, lines[i].words), 30000), 78);
        says(env_log(env, log), "it is not changed: create an empty database for DB and run sluicectl import-legacy");
    }
    nobody_is_connected(old);
    is(old, read_tables, "alembic_version"); /* its revision: which structure it is */
    if (strcmp(before, moving_dump(env, old)) != 0)
        env_fail(env, "the old database was changed");
}

/* Somebody restored parts of it over ours: both serve, and look at none of them. */
static void R_10_nor_its_tables_beside_ours(void **state)
{
    const char *db = env_db(env);
    pid_t core, proxy;
    struct env_answer a;

    (void)state;
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){CORE_LINE, NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    api_configure(env, "gateways", "{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}}");
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    env_psql_at(env, db, "CREATE TABLE alembic_version (version_num text); CREATE TABLE goose_db_version (id int, version_id bigint); CREATE TABLE activity_bodies (id int PRIMARY KEY, body text);"
                         "CREATE TABLE schedule (id int PRIMARY KEY, title text); CREATE TABLE settings (id int PRIMARY KEY, document text); CREATE TABLE audit_log (id bigint PRIMARY KEY);"
                         "INSERT INTO alembic_version VALUES ('9f3c2a71d0e4'); INSERT INTO settings VALUES (1, '{}'); INSERT INTO schedule VALUES (1, 'x')");
    env_psql_at(env, db, "SELECT pg_stat_reset()");
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){CORE_LINE, NULL});
    proxy = env_app_start(env, "sluice-proxy", "p1.sock", (const char *const[]){PROXY_LINE, NULL});
    ENV_WAIT(env, 30000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    ENV_WAIT(env, 30000, env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL).status == 401);
    assert_string_equal(api_instance_status(env, api_run(env, DEFINITION("", LINE("start.ok", "end")), "{}")), "CLOSED_IN_SUCCESS");
    a = api_raw(env, "GET", "/api/v01/p1/tenants/", NULL);
    assert_int_equal(a.status, 502); /* nobody is at the gateway: it was asked for */
    api(env, 200, "GET", "/api/v01/apio/requests/search", NULL);
    assert_int_equal(env_kill(env, proxy, SIGTERM), 0);
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    nobody_is_connected(db);
    is(db, "SELECT coalesce(string_agg(relname, ' '), '-') FROM pg_stat_user_tables WHERE seq_scan + coalesce(idx_scan, 0) > 0 AND relname IN "
           "('alembic_version', 'goose_db_version', 'activity_bodies', 'schedule', 'settings', 'audit_log')", "-");
    is(db, "SELECT count(*) > 0 FROM pg_stat_user_tables WHERE seq_scan + coalesce(idx_scan, 0) > 0 AND relname = 'configuration'", "t"); /* such counts are kept */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R_5_nothing_is_removed_by_a_proxy), cmocka_unit_test(R_10_no_program_reads_a_former_database), API_TEST(R_10_nor_its_tables_beside_ours),
    };

    env = env_start_with(NULL, &database);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
