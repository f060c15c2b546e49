/*
 * Many migrators on one database, and migrators that die: together, killed, waiting for each other, for tables, for the
 * server (migration.md 8.3, 8.5, 11.2, 11.3, 11.6).
 */
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "integration/env_schema.h"

static struct env *env;

static const char *sql(const char *uri, const char *text)
{
    return env_psql_at(env, uri, text);
}

/* ---- together ----------------------------------------------------------------------------- */

static void item_2_ten_at_once(void **state)
{
    const char *uri = schema_empty(env);
    pid_t pids[10];

    (void)state;
    for (int i = 0; i < 10; i++)
        pids[i] = schema_process(NULL, uri, i % 2 == 0, 30000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(schema_exit_of(pids[i]), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

/* Always the same moments, so that a failure comes again. */
static unsigned dice = 20261123;

static unsigned roll(int64_t below)
{
    dice = dice * 1103515245U + 12345U;
    return (unsigned)((dice >> 16) * below / 65536);
}

#define INDEX_STEP                                                                                                              \
    "-- additive: yes\n-- transaction: no\n-- index: audit_summary\n--\n-- audit by text: full scan\n"                          \
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_summary ON audit (summary);\n"

/* How many migrations are done; 0: nothing is there yet. */
static long reached(const char *uri)
{
    if (*sql(uri, "SELECT to_regclass('schema_versions')::text") == '\0')
        return 0;
    return strtol(sql(uri, "SELECT count(*)::text FROM schema_versions WHERE state = 'done'"), NULL, 10);
}

/* Ten begin together, five of them only wait; whoever migrates is killed, thrice: the others do what is left. */
static void killed_among_ten(const struct migration *step, int64_t whole_us)
{
    const char *uri = schema_empty(env);
    pid_t pids[10];

    for (int i = 0; i < 10; i++)
        pids[i] = schema_process(step, uri, i % 2 == 0, 30000);
    for (int i = 0; i < 3; i++) {
        usleep(roll(whole_us / 3));
        kill(pids[2 * i], SIGKILL);
    }
    for (int i = 0; i < 10; i++) {
        int status = schema_exit_of(pids[i]);

        if (i % 2 != 0 || i >= 6)
            assert_int_equal(status, 0);
    }
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM schema_versions WHERE state <> 'done'"), "0");
    (void)sql(uri, "DROP INDEX audit_summary");
    assert_string_equal(schema_dump(env, uri), schema_file(env));
}

/* Twenty times killed at any moment, also within a step outside of a transaction: whoever comes next ends at the same schema. */
static void item_3_killed_migrators(void **state)
{
    enum { DATABASES = 5, KILLS = 4 };
    const struct migration *step = schema_with(env, "audit_summary", INDEX_STEP, true);
    int64_t begun = clock_mono_us(&clock_system), whole_us;
    int halfway = 0;

    (void)state;
    schema_must(env, step, schema_empty(env));
    whole_us = clock_mono_us(&clock_system) - begun;
    for (int d = 0; d < DATABASES; d++) {
        const char *uri = schema_empty(env);

        for (int i = 0; i < KILLS; i++) {
            pid_t pid = schema_process(step, uri, true, 0);
            long done;

            usleep(roll(whole_us));
            kill(pid, SIGKILL);
            (void)schema_exit_of(pid);
            done = reached(uri);
            halfway += done > 0 && done <= migrate_target() ? 1 : 0;
        }
        schema_must(env, step, uri);
        assert_string_equal(sql(uri, "SELECT count(*)::text FROM schema_versions WHERE state <> 'done'"), "0");
        assert_string_equal(sql(uri, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"), "true");
        (void)sql(uri, "DROP INDEX audit_summary");
        assert_string_equal(schema_dump(env, uri), schema_file(env));
    }
    assert_true(halfway > 0); /* else nobody was killed in the middle */
    for (int i = 0; i < 3; i++)
        killed_among_ten(step, whole_us);
}

static void waits_for_the_core(void **state)
{
    const char *uri = schema_empty(env);
    pid_t waiting = schema_process(NULL, uri, false, 30000);

    (void)state;
    usleep(400000); /* several looks */
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "0");
    schema_must(env, NULL, uri);
    assert_int_equal(schema_exit_of(waiting), 0);
}

static void waits_no_longer_than_told(void **state)
{
    const char *uri = schema_empty(env);
    struct err e;

    (void)state;
    assert_int_equal(schema_migrate(NULL, uri, false, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, env_fmt(env,
                                       "the schema is at version 0, this program needs %d; start the core (which "
                                       "migrates) or run sluicectl migrate",
                                       migrate_target()));
    assert_int_equal(schema_migrate(NULL, uri, false, 300, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
}

static void stop_while_waiting(void **state)
{
    const char *uri = schema_empty(env);
    static volatile bool stop;
    const struct migrate_opts o = {
        .run = false, .wait_ms = 60000, .program = "sluice-test", .stop = &stop};
    struct err e;

    (void)state;
    stop = true;
    assert_int_equal(migrate_run(migrations_embedded, uri, "sluice@test", &o, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
}

/* A long transaction holds the table: nothing queues behind the migration, which comes through in
 * the end. */
static void busy_table(void **state)
{
    const char *uri = schema_ready(env);
    PGconn *other;
    pid_t pid;

    (void)state;
    other = PQconnectdb(uri);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE roles IN ACCESS SHARE MODE"));
    pid = schema_process(schema_with(env, "wide", "ALTER TABLE roles ADD COLUMN color text;\n", true), uri, true, 0);
    usleep(800000); /* beyond several time-outs of the lock */
    (void)sql(uri, "SET statement_timeout = '2s'; SELECT count(*) FROM roles");
    PQclear(PQexec(other, "COMMIT"));
    assert_int_equal(schema_exit_of(pid), 0);
    PQfinish(other);
}

/* Whether somebody of this database waits for a table. */
static bool somebody_waits(PGconn *pg)
{
    PGresult *r = PQexec(pg, "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'");
    bool found = PQntuples(r) > 0;

    PQclear(r);
    return found;
}

/*
 * 0008 changes instances, then jobs.  A request that has used jobs goes on to instances, in the moment in which the migration
 * waits for it: whom the server finds in a circle it fails, and that may be neither of the two.
 */
static void no_circle_with_a_request(void **state)
{
    const char *uri = schema_empty(env);
    const struct migrate_opts until_7 = {.run = true, .to = 7, .program = "sluice-test"};
    PGconn *request, *look;
    struct err e = {0};
    int64_t begun;
    pid_t pid;
    PGresult *r;

    (void)state;
    assert_int_equal(migrate_run(migrations_embedded, uri, "sluice@test", &until_7, &e), 0);
    (void)sql(uri, env_fmt(env, "ALTER DATABASE %s SET deadlock_timeout = '100ms'", schema_last_name(env)));
    request = PQconnectdb(uri);
    look = PQconnectdb(uri);
    PQclear(PQexec(request, "BEGIN; INSERT INTO jobs (id, kind) VALUES (nextval('ids_job'), 'mass')"));
    pid = schema_process(NULL, uri, true, 0);
    for (begun = clock_mono_ms(&clock_system); !somebody_waits(look) && clock_mono_ms(&clock_system) - begun < 10000;)
        usleep(500);
    r = PQexec(request, "INSERT INTO instances (id, created_on, guid, status, definition_id) "
                        "VALUES (1, now(), gen_random_uuid(), 'ACTIVE', 1)");
    assert_string_equal(PQresultErrorMessage(r), "");
    PQclear(r);
    r = PQexec(request, "COMMIT");
    assert_string_equal(PQcmdStatus(r), "COMMIT");
    PQclear(r);
    assert_int_equal(schema_exit_of(pid), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
    PQfinish(look);
    PQfinish(request);
}

/* The longest that the migrator was ready to wait for a table: by the server's log of its statements. */
static long longest_patience(void)
{
    static const char before[] = "SET LOCAL lock_timeout = ";
    const char *at = env_log(env, "postgres");
    long longest = 0;

    while ((at = strstr(at, before)) != NULL) {
        long ms = strtol(at += sizeof before - 1, NULL, 10);

        assert_true(ms > 0); /* 0: without an end */
        longest = ms > longest ? ms : longest;
    }
    return longest;
}

/* Ask for roles; was the migration in the way?  It gave way then, for there is an answer while `holder` goes on. */
static bool waited_for_the_migration(PGconn *request, PGconn *look)
{
    const char *in_the_way = env_fmt(env, "SELECT 1 WHERE pg_blocking_pids(%d) <> '{}'", PQbackendPID(request));
    bool waited = false;
    PGresult *r;

    assert_int_equal(PQsendQuery(request, "SELECT count(*) FROM roles"), 1);
    while (PQconsumeInput(request) == 1 && PQisBusy(request)) {
        r = PQexec(look, in_the_way);
        waited = waited || PQntuples(r) > 0;
        PQclear(r);
    }
    while ((r = PQgetResult(request)) != NULL) {
        assert_string_equal(PQresultErrorMessage(r), "");
        PQclear(r);
    }
    return waited;
}

/* However long somebody holds a table: others wait for the migration for a moment at most, half of deadlock_timeout. */
static void nobody_waits_long(void **state)
{
    const char *uri = schema_ready(env);
    PGconn *holder, *request, *look;
    int64_t patience = env_until(60000);
    pid_t pid;

    (void)state;
    (void)sql(uri, env_fmt(env, "ALTER DATABASE %s SET log_statement = 'all'", schema_last_name(env)));
    (void)sql(uri, env_fmt(env, "ALTER DATABASE %s SET deadlock_timeout = '200ms'", schema_last_name(env)));
    holder = PQconnectdb(uri);
    request = PQconnectdb(uri);
    look = PQconnectdb(uri);
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE roles IN ACCESS SHARE MODE"));
    PQclear(PQexec(request, "SET statement_timeout = '30s'")); /* else a migration that stays fails by never ending */
    pid = schema_process(schema_with(env, "wide", "ALTER TABLE roles ADD COLUMN color text;\n", true), uri, true, 0);
    for (int waits = 0; waits < 6; waits += waited_for_the_migration(request, look) ? 1 : 0)
        assert_true(clock_mono_ms(&clock_system) < patience);
    PQclear(PQexec(holder, "COMMIT"));
    assert_int_equal(schema_exit_of(pid), 0);
    assert_int_equal(longest_patience(), 100);
    PQfinish(look);
    PQfinish(request);
    PQfinish(holder);
}

/* ---- steps outside of a transaction ------------------------------------------------------- */

/* Nine wait while one builds: nobody holds what the index waits for. */
static void item_6_concurrent_index_with_9_waiters(void **state)
{
    const char *uri = schema_ready(env);
    const struct migration *step = schema_with(env, "audit_summary", INDEX_STEP, true);
    int64_t until = clock_mono_ms(&clock_system) + 60000;
    PGconn *slow = PQconnectdb(uri);
    pid_t pids[10];

    (void)state;
    /* the index has to wait for this one, so that the others really wait for the index */
    PQclear(PQexec(slow, "BEGIN; SELECT 1 FROM audit LIMIT 1; LOCK TABLE audit IN ROW EXCLUSIVE MODE"));
    for (int i = 0; i < 10; i++)
        pids[i] = schema_process(step, uri, true, 0);
    ENV_WAIT(env, 20000, strcmp(sql(uri, "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() "
                                         "AND application_name = 'sluice-test'"), "10") == 0);
    assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"), "running");
    PQclear(PQexec(slow, "COMMIT"));
    PQfinish(slow);
    for (int i = 0; i < 10; i++)
        assert_int_equal(schema_exit_of(pids[i]), 0);
    assert_true(clock_mono_ms(&clock_system) < until);
    assert_string_equal(sql(uri, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"), "true");
    assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"), "done");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

static volatile bool stopped;

static void on_stop(int signo)
{
    (void)signo;
    stopped = true;
}

/* A migrator that SIGTERM asks to stop. */
static pid_t stoppable(const struct migration *list, const char *uri, int64_t drain_ms)
{
    const struct migrate_opts o = {.run = true, .program = "sluice-test", .stop = &stopped, .drain_ms = drain_ms};
    struct sigaction stop = {.sa_handler = on_stop};
    pid_t pid = fork();
    struct err e = {0};

    if (pid != 0)
        return pid;
    sigaction(SIGTERM, &stop, NULL);
    _exit(migrate_run(list, uri, "sluice@test", &o, &e) == 0 ? 0 : 10 + (int)e.code);
}

/* A stop lets the step end, and leaves it "running" when that takes too long. */
static void stop_during_a_step(void **state)
{
    const struct migration *step = schema_with(env, "audit_summary", INDEX_STEP, true);

    (void)state;
    for (int round = 0; round < 2; round++) {
        const char *uri = schema_ready(env);
        PGconn *slow = PQconnectdb(uri);
        pid_t pid;

        PQclear(PQexec(slow, "BEGIN; LOCK TABLE audit IN ROW EXCLUSIVE MODE"));
        pid = stoppable(step, uri, round == 0 ? 60000 : 300);
        ENV_WAIT(env, 20000, strcmp(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"), "running") == 0);
        kill(pid, SIGTERM);
        usleep(100000);
        if (round == 0)
            PQclear(PQexec(slow, "COMMIT"));
        assert_int_equal(schema_exit_of(pid), round == 0 ? 0 : 10 + ERR_BUSY);
        assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"),
                            round == 0 ? "done" : "running");
        PQfinish(slow);
        schema_must(env, step, uri);
        assert_string_equal(sql(uri, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"), "true");
    }
}

static void crashed_step(void **state)
{
    const char *uri = schema_ready(env);
    const struct migration *list = schema_with(env, "audit_summary", INDEX_STEP, true);
    int t = migrate_target();
    struct err e;

    (void)state;
    /* what a crash leaves: the row and an index of no use */
    (void)sql(uri, "CREATE INDEX audit_summary ON audit (summary)");
    (void)sql(
        uri, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit_summary'::regclass");
    (void)sql(
        uri,
        arena_printf(
            env_arena(env),
            "INSERT INTO schema_versions VALUES (%d, 'audit_summary', '\\x00', 'running', true, "
            "'2026-03-01 10:02', NULL, '1', 'a', 41)",
            t + 1));
    assert_int_equal(schema_migrate(list, uri, false, 0, &e), -1);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d did not finish (host a, pid 41, 2026-03-01 10:02)", t + 1));
    assert_int_equal(schema_migrate(list, uri, true, 0, &e), 0);
    assert_string_equal(
        sql(uri,
            "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"),
        "true");
    assert_int_equal(schema_migrate(list, uri, false, 0, &e), 0);
}

static void failing_step(void **state)
{
    const char *uri = schema_ready(env);
    const struct migration *list = schema_with(env, "bad_step", "-- transaction: no\nCREATE INDEX CONCURRENTLY x ON audit (nothing);\n", false);
    struct err e;

    (void)state;
    assert_int_equal(schema_migrate(list, uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d bad_step failed at line 2: column \"nothing\" does not exist; the "
                     "schema stays at %d",
                     migrate_target() + 1, migrate_target()));
    assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"),
                        "failed");
}

/* ---- the server goes away ------------------------------------------------------------------ */

static void server_goes_away(void **state)
{
    const char *uri = schema_empty(env);
    pid_t pid;

    (void)state;
    env_pg_stop(env);
    pid = schema_process(NULL, uri, true, 0);
    usleep(500000);
    env_pg_start(env);
    assert_int_equal(schema_exit_of(pid), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

static void lost_in_the_middle(void **state)
{
    const char *uri = schema_empty(env);
    struct err e;

    (void)state;
    NEEDS_FAULT_POINTS();
    fault_arm("migrate.apply", 3);
    assert_int_equal(schema_migrate(NULL, uri, true, 0, &e), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_2_ten_at_once),
        cmocka_unit_test(item_3_killed_migrators),
        cmocka_unit_test(waits_for_the_core),
        cmocka_unit_test(waits_no_longer_than_told),
        cmocka_unit_test(stop_while_waiting),
        cmocka_unit_test(busy_table),
        cmocka_unit_test(no_circle_with_a_request),
        cmocka_unit_test(nobody_waits_long),
        cmocka_unit_test(item_6_concurrent_index_with_9_waiters),
        cmocka_unit_test(stop_during_a_step),
        cmocka_unit_test(crashed_step),
        cmocka_unit_test(failing_step),
        cmocka_unit_test(server_goes_away),
        cmocka_unit_test(lost_in_the_middle),
    };

    log_init("it_migrate_together", LOG_ERROR_LEVEL);
    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
