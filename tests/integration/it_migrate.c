/*
 * Schema migrations against a real server: fresh, together, behind, ahead, changed, foreign,
 * without rights.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "db/migrate_int.h"
#include "integration/env.h"
#include "support/cases.h"

static struct env *env;

/* ---- helpers ----------------------------------------------------------------------------- */

static int n_databases;

/* Address of a new, empty database. */
static const char *fresh(void)
{
    const char *name = arena_printf(env_arena(env), "m%d", ++n_databases);

    env_new_database(env, name);
    return env_db_of(env, NULL, name);
}

static const char *sql(const char *uri, const char *text)
{
    return env_psql_at(env, uri, text);
}

static int start_list(const struct migration *list, const char *uri, bool run, int64_t wait_ms,
                      struct err *e)
{
    const struct migrate_opts o = {.run = run, .wait_ms = wait_ms, .program = "sluice-test"};

    memset(e, 0, sizeof *e);
    return migrate_run(list, uri, "sluice@test", &o, e);
}

static int start(const char *uri, bool run, int64_t wait_ms, struct err *e)
{
    return start_list(migrations_embedded, uri, run, wait_ms, e);
}

static void must_start(const char *uri)
{
    struct err e;

    if (start(uri, true, 0, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
}

static const char *target_text(void)
{
    return arena_printf(env_arena(env), "%d", migrate_target());
}

static const char *versions(const char *uri)
{
    return sql(uri,
               "SELECT count(*) || '/' || max(version) FROM schema_versions WHERE state = 'done'");
}

static const char *versions_wanted(void)
{
    return arena_printf(env_arena(env), "%d/%d", migrate_target(), migrate_target());
}

/* The embedded migrations and one more, in a static list. */
static const struct migration *with_extra(const char *name, const char *text, int additive)
{
    static struct migration list[64];
    size_t n = (size_t)migrate_target();

    memcpy(list, migrations_embedded, n * sizeof list[0]);
    list[n] = (struct migration){migrate_target() + 1, name, text, strlen(text), additive};
    list[n + 1] = (struct migration){0};
    return list;
}

/* ---- fresh and again --------------------------------------------------------------------- */

static void fresh_install(void **state)
{
    const char *uri = fresh();
    int64_t before;
    struct err e;

    (void)state;
    must_start(uri);
    assert_string_equal(versions(uri), versions_wanted());
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relname ~ '^requests_p[0-9]{6}$'"),
        "3");
    before = clock_mono_ms(&clock_system);
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_true(clock_mono_ms(&clock_system) - before < 1000);
    assert_int_equal(start(uri, false, 0, &e), 0);
    assert_string_equal(versions(uri), versions_wanted());
}

/* sql/schema.sql is what a review reads: it must be what the migrations make. */
static void same_as_schema_file(void **state)
{
    const char *uri = fresh();
    const char *dump;
    FILE *f;
    struct buf lines;
    struct str rest;

    (void)state;
    must_start(uri);
    dump = env_pg_dump(env, uri,
                       (const char *const[]){"--schema-only", "--no-owner", "--no-privileges",
                                             "--exclude-table=*_p[0-9][0-9][0-9][0-9][0-9][0-9]",
                                             NULL});
    buf_init(&lines, 4 * MIB, env_arena(env));
    buf_add_c(
        &lines,
        "-- Made by pg_dump from a freshly migrated database; the migrations are the truth.\n"
        "-- tests/integration/it_migrate.c compares; SLUICE_WRITE_SCHEMA=1 writes it anew.\n");
    rest = str_c(dump);
    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');

        /* versions of the tools, and what newer ones add */
        if (str_starts(line, STR("--")) || str_starts(line, STR("SET ")) ||
            str_starts(line, STR("\\")) || str_starts(line, STR("SELECT pg_catalog.set_config")) ||
            line.len == 0)
            continue;
        buf_add_str(&lines, line);
        buf_putc(&lines, '\n');
        if (line.p[line.len - 1] == ';' && line.p[0] != ' ')
            buf_putc(&lines, '\n');
    }
    if (getenv("SLUICE_WRITE_SCHEMA") != NULL) {
        f = fopen(SLUICE_SOURCE_DIR "/sql/schema.sql", "w");
        assert_non_null(f);
        assert_true(fputs(buf_cstr(&lines), f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
    f = fopen(SLUICE_SOURCE_DIR "/sql/schema.sql", "r");
    assert_non_null(f);
    {
        struct buf have;
        char chunk[4096];
        size_t n;

        buf_init(&have, 4 * MIB, env_arena(env));
        while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
            buf_add(&have, chunk, n);
        fclose(f);
        if (!str_eq(buf_str(&have), buf_str(&lines))) {
            size_t at = 0;

            while (at < have.len && at < lines.len && have.p[at] == lines.p[at])
                at++;
            env_fail(env,
                     "sql/schema.sql is not what the migrations make, from: %.200s (see "
                     "SLUICE_WRITE_SCHEMA)",
                     buf_cstr(&lines) + at);
        }
    }
}

/* ---- many together ----------------------------------------------------------------------- */

static pid_t start_process(const char *uri, bool run, int64_t wait_ms)
{
    pid_t pid = fork();
    struct err e;

    if (pid != 0)
        return pid;
    _exit(start(uri, run, wait_ms, &e) == 0 ? 0 : 10 + (int)e.code);
}

static int exit_of(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void ten_at_once(void **state)
{
    const char *uri = fresh();
    pid_t pids[10];

    (void)state;
    for (int i = 0; i < 10; i++)
        pids[i] = start_process(uri, i % 2 == 0, 30000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(exit_of(pids[i]), 0);
    assert_string_equal(versions(uri), versions_wanted());
}

/* Killed at various moments: whoever comes next ends at the same schema. */
static void killed_migrators(void **state)
{
    const char *uri = fresh();

    (void)state;
    for (int i = 0; i < 8; i++) {
        pid_t pid = start_process(uri, true, 0);

        usleep((useconds_t)(3000 + i * 9000));
        kill(pid, SIGKILL);
        (void)exit_of(pid);
    }
    must_start(uri);
    assert_string_equal(versions(uri), versions_wanted());
}

/* ---- -runMigration=false ----------------------------------------------------------------- */

static void waits_for_the_core(void **state)
{
    const char *uri = fresh();
    pid_t waiting = start_process(uri, false, 30000);

    (void)state;
    usleep(1500000);
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "0");
    must_start(uri);
    assert_int_equal(exit_of(waiting), 0);
}

static void waits_no_longer_than_told(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
    assert_int_equal(start(uri, false, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "the schema is at version 0, this program needs %s; start the core (which "
                     "migrates) or run sluicectl migrate",
                     target_text()));
    assert_int_equal(start(uri, false, 2000, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
}

static void stop_while_waiting(void **state)
{
    const char *uri = fresh();
    static volatile bool stop;
    const struct migrate_opts o = {
        .run = false, .wait_ms = 60000, .program = "sluice-test", .stop = &stop};
    struct err e;

    (void)state;
    stop = true;
    assert_int_equal(migrate_run(migrations_embedded, uri, "sluice@test", &o, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
}

static void dml_role(void **state)
{
    const char *uri = fresh();
    const char *name = arena_printf(env_arena(env), "m%d", n_databases);
    struct err e;

    (void)state;
    (void)sql(uri, "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN "
                   "CREATE ROLE reader LOGIN; END IF; END $$");
    /* may not create: told so, with what to do */
    assert_int_equal(start(env_db_of(env, "reader", name), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migrations 1 to %s are needed, but role \"reader\" may not create in schema "
                     "\"public\"; make it the owner of the database, or run sluicectl migrate as "
                     "the owner and start with -runMigration=false",
                     target_text()));
    must_start(uri);
    (void)sql(uri, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader");
    (void)sql(uri,
              arena_printf(env_arena(env),
                           "DO $$ BEGIN EXECUTE 'DROP TABLE errors_p' || to_char(now() + interval "
                           "'2 months', 'YYYYMM'); END $$"));
    assert_int_equal(start(env_db_of(env, "reader", name), false, 0, &e), 0);
    /* partitions are made for it all the same */
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relname ~ '^errors_p[0-9]{6}$'"), "3");
}

/* ---- other versions ---------------------------------------------------------------------- */

static void add_version(const char *uri, int version, bool additive)
{
    (void)sql(
        uri,
        arena_printf(env_arena(env),
                     "INSERT INTO schema_versions VALUES (%d, 'later', '\\x00', 'done', %s, now(), "
                     "'2026-03-01 10:02', '2.3.0', 'b', 1)",
                     version, additive ? "true" : "false"));
}

static void newer_additive(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
    must_start(uri);
    add_version(uri, migrate_target() + 1, true);
    add_version(uri, migrate_target() + 2, true);
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_int_equal(start(uri, false, 0, &e), 0);
}

static void newer_not_additive(void **state)
{
    const char *uri = fresh();
    int t = migrate_target();
    struct err e;

    (void)state;
    must_start(uri);
    add_version(uri, t + 1, false);
    add_version(uri, t + 2, true);
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "the schema is at version %d, this program knows %d and %d is not compatible "
                     "with it; install a program of version \xe2\x89\xa5 2.3.0 (migrated by 2.3.0 "
                     "on host b, 2026-03-01 10:02)",
                     t + 2, t, t + 1));
    assert_int_equal(start(uri, false, 0, &e), -1);
}

static void changed_text(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
    must_start(uri);
    (void)sql(uri, "UPDATE schema_versions SET sha256 = '\\xab12cd3400' WHERE version = 2");
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(
        e.msg, "migration 0002 was changed after it ran here (recorded ab12cd34, program has "));
    assert_int_equal(start(uri, false, 0, &e), 0);
}

static void gap(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
    must_start(uri);
    (void)sql(uri, "DELETE FROM schema_versions WHERE version = 3");
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg,
                        arena_printf(env_arena(env),
                                     "migration 3 is missing in the database although %d is done",
                                     migrate_target()));
}

static void failing_file(void **state)
{
    const char *uri = fresh();
    int t = migrate_target();
    struct err e;

    (void)state;
    must_start(uri);
    assert_int_equal(start_list(with_extra("broken",
                                           "-- additive: no\nCREATE TABLE made_first (a int);\n\n"
                                           "ALTER TABLE not_there\n  ADD b int;\n",
                                           0),
                                uri, true, 0, &e),
                     -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d broken failed: relation \"not_there\" does not exist; the "
                     "schema stays at %d",
                     t + 1, t));
    assert_string_equal(sql(uri, "SELECT to_regclass('made_first')::text"), "");
    assert_int_equal(
        start_list(with_extra("typo",
                              "-- additive: no\nCREATE TABLE a (a int);\nCRATE TABLE b (b int);\n",
                              0),
                   uri, true, 0, &e),
        -1);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d typo failed at line 3: syntax error at or near \"CRATE\"; the "
                     "schema stays at %d",
                     t + 1, t));
    assert_string_equal(versions(uri), versions_wanted());
    /* and the next attempt with a good text goes through */
    assert_int_equal(
        start_list(with_extra("good", "-- additive: yes\nCREATE TABLE made_first (a int);\n", 1),
                   uri, true, 0, &e),
        0);
    assert_string_equal(sql(uri, "SELECT max(version)::text FROM schema_versions"),
                        arena_printf(env_arena(env), "%d", t + 1));
}

/* A long transaction holds the table: nothing queues behind the migration, which comes through in
 * the end. */
static void busy_table(void **state)
{
    const char *uri = fresh();
    PGconn *other;
    pid_t pid;

    (void)state;
    must_start(uri);
    other = PQconnectdb(uri);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE roles IN ACCESS SHARE MODE"));
    pid = fork();
    if (pid == 0) {
        struct err e;

        _exit(start_list(with_extra("wide", "ALTER TABLE roles ADD COLUMN color text;\n", 1), uri,
                         true, 0, &e) == 0
                  ? 0
                  : 1);
    }
    sleep(5); /* beyond the lock's time-out */
    (void)sql(uri, "SET statement_timeout = '2s'; SELECT count(*) FROM roles");
    PQclear(PQexec(other, "COMMIT"));
    assert_int_equal(exit_of(pid), 0);
    PQfinish(other);
}

/* ---- steps outside of a transaction ------------------------------------------------------- */

#define INDEX_STEP                                                                                 \
    "-- additive: yes\n-- transaction: no\n-- index: audit_summary\n--\n-- audit by text: full "   \
    "scan\n"                                                                                       \
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_summary ON audit (summary);\n"

static void concurrent_index(void **state)
{
    const char *uri = fresh();
    pid_t pids[6];

    (void)state;
    must_start(uri);
    for (int i = 0; i < 6; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct err e;

            _exit(start_list(with_extra("audit_summary", INDEX_STEP, 1), uri, true, 0, &e) == 0
                      ? 0
                      : 1);
        }
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(exit_of(pids[i]), 0);
    assert_string_equal(
        sql(uri,
            "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"),
        "true");
    assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"),
                        "done");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'"),
                        "0");
}

static void crashed_step(void **state)
{
    const char *uri = fresh();
    const struct migration *list = with_extra("audit_summary", INDEX_STEP, 1);
    int t = migrate_target();
    struct err e;

    (void)state;
    must_start(uri);
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
    assert_int_equal(start_list(list, uri, false, 0, &e), -1);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d did not finish (host a, pid 41, 2026-03-01 10:02)", t + 1));
    assert_int_equal(start_list(list, uri, true, 0, &e), 0);
    assert_string_equal(
        sql(uri,
            "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'audit_summary'::regclass"),
        "true");
    assert_int_equal(start_list(list, uri, false, 0, &e), 0);
}

static void failing_step(void **state)
{
    const char *uri = fresh();
    const struct migration *list = with_extra(
        "bad_step", "-- transaction: no\nCREATE INDEX CONCURRENTLY x ON audit (nothing);\n", 0);
    struct err e;

    (void)state;
    must_start(uri);
    assert_int_equal(start_list(list, uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d bad_step failed: column \"nothing\" does not exist; the "
                     "schema stays at %d",
                     migrate_target() + 1, migrate_target()));
    assert_string_equal(sql(uri, "SELECT state FROM schema_versions ORDER BY version DESC LIMIT 1"),
                        "failed");
}

static void fits_and_accepts(void **state)
{
    const char *uri = fresh();
    struct db *db = db_new(uri, "test", NULL);
    struct db_conn *c = NULL;
    struct err e;
    int version = -1;

    (void)state;
    assert_int_equal(db_get(db, &c, &e), 0);
    assert_int_equal(migrate_current(c, &version, &e), 0);
    assert_int_equal(version, 0);
    must_start(uri);
    assert_int_equal(migrate_current(c, &version, &e), 0);
    assert_int_equal(version, migrate_target());
    assert_int_equal(migrate_fits(c, &e), 0);
    (void)sql(uri, "UPDATE schema_versions SET sha256 = '\\x00' WHERE version = 1");
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(migrate_accept(c, 1, &e), 0);
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_int_equal(migrate_accept(c, 999, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    add_version(uri, migrate_target() + 1, false);
    assert_int_equal(migrate_fits(c, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    db_put(db, c);
    db_free(db);
}

static void server_goes_away(void **state)
{
    const char *uri = fresh();
    pid_t pid;

    (void)state;
    env_pg_stop(env);
    pid = start_process(uri, true, 0);
    usleep(500000);
    env_pg_start(env);
    assert_int_equal(exit_of(pid), 0);
    assert_string_equal(versions(uri), versions_wanted());
}

/* Refused: waited for a while, since a new container may still be making the role and the database.
 */
static void refused(void **state)
{
#if defined(SLUICE_TEST_BUILD)
    struct err e;
    const char *uri;

    (void)sql(env_db(env), "CREATE ROLE pw_user LOGIN PASSWORD 'right'");
    uri = arena_printf(env_arena(env), "postgresql://pw_user:canary7@/sluice?host=%s",
                       env_path(env, "."));
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, "the database refused user \"sluice\": password authentication "
                               "failed for user \"pw_user\"");
    assert_null(strstr(e.detail, "canary7"));
    assert_int_equal(start(env_db_of(env, NULL, "not_there"), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(
        e.msg, "the database refused user \"sluice\": database \"not_there\" does not exist");
    assert_int_equal(start(env_db_of(env, "nobody", NULL), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg,
                        "the database refused user \"sluice\": role \"nobody\" does not exist");
#endif
    (void)state;
}

static void made_while_waiting(void **state)
{
    pid_t pid = start_process(env_db_of(env, NULL, "late"), true, 0);

    (void)state;
    usleep(300000);
    env_new_database(env, "late");
    assert_int_equal(exit_of(pid), 0);
    assert_string_equal(versions(env_db_of(env, NULL, "late")), versions_wanted());
}

static void lost_in_the_middle(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
#if defined(SLUICE_TEST_BUILD)
    fault_arm("migrate.apply", 3);
#endif
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_string_equal(versions(uri), versions_wanted());
}

/* ---- structures that are not ours -------------------------------------------------------- */

static const struct foreign {
    const char *name, *make, *msg;
} foreign[] = {
    {"somebody's tables", "CREATE TABLE orders (a int); CREATE TABLE parts (a int)",
     "schema \"public\" holds 2 tables that are not ours (first: orders); give DB an empty "
     "database or another "
     "search_path"},
    {"a type only", "CREATE TYPE mood AS ENUM ('sad')",
     "schema \"public\" holds 1 table that is not ours (first: mood); give DB an empty database or "
     "another search_path"},
    {"0.x",
     "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES "
     "('1a2b'); CREATE TABLE "
     "keys (label text)",
     "the database holds the structure of APIO core 0.x (revision 1a2b); it is not changed: create "
     "an empty database for "
     "DB and run sluicectl import-legacy --from-db=DSN-FILE. Only 0.23.2, the last of the 0.x "
     "branch, can be imported: "
     "upgrade an older platform to it first"},
    {"2.x",
     "CREATE TABLE goose_db_version (id int); CREATE TABLE keys (a int); CREATE TABLE users (a "
     "int); CREATE TABLE "
     "requests (a int)",
     "the database holds the structure of APIO core 2.x; it is not changed: create an empty "
     "database for DB and run "
     "sluicectl import-legacy --from-db=DSN-FILE"},
    {"unknown version",
     "CREATE TABLE keys (a int); CREATE TABLE users (a int); CREATE TABLE requests (a int)",
     "the database looks like APIO core of unknown version (keys, users, requests); it is not "
     "changed: create an empty "
     "database for DB and run sluicectl import-legacy --from-db=DSN-FILE; if it is 0.23.2, say "
     "--structure=0.23.2"},
    {"another schema_versions", "CREATE TABLE schema_versions (version int)",
     "schema \"public\" holds 1 table that is not ours (first: schema_versions); give DB an empty "
     "database or another "
     "search_path"},
};

static void refuses(const struct foreign *row)
{
    const char *uri = fresh();
    const char *const schema_only[] = {"--schema-only", NULL};
    const char *before, *after;
    struct err e;

    (void)sql(uri, row->make);
    before = env_pg_dump(env, uri, schema_only);
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, row->msg);
    assert_int_equal(start(uri, false, 60000, &e), -1); /* waiting would not help */
    assert_int_equal(e.code, ERR_CONFIG);
    after = env_pg_dump(env, uri, schema_only);
    assert_int_equal(strlen(before), strlen(after));
}

static void own_schema(void **state)
{
    const char *uri = fresh();
    const char *other = arena_printf(env_arena(env), "%s&options=-csearch_path%%3Dsluice", uri);
    struct err e;

    (void)state;
    (void)sql(uri, "CREATE TABLE orders (a int)");
    assert_int_equal(start(other, true, 0, &e), -1);
    assert_string_equal(e.msg,
                        "no schema of the search path exists; create it, or take it out of DB");
    (void)sql(uri, "CREATE SCHEMA sluice");
    assert_int_equal(start(other, true, 0, &e), 0);
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "1");
    (void)sql(other, "INSERT INTO roles (name) VALUES ('x')");
    assert_string_equal(sql(other, "SELECT n::text FROM generations WHERE topic = 'users'"), "2");
}

static void mixed(void **state)
{
    const char *uri = fresh();
    struct err e;

    (void)state;
    must_start(uri);
    (void)sql(uri, "CREATE TABLE alembic_version (version_num text)");
    assert_int_equal(start(uri, true, 0, &e), 0); /* a warning only */
}

static void other_encoding(void **state)
{
    struct err e;

    (void)state;
    (void)sql(env_db_of(env, NULL, "postgres"), "CREATE DATABASE ascii TEMPLATE template0 ENCODING "
                                                "'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    assert_int_equal(start(env_db_of(env, NULL, "ascii"), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, "database \"ascii\" has encoding SQL_ASCII; create it with UTF8");
}

/* ---- rules of the schema ----------------------------------------------------------------- */

static void rename_of_keys(void **state)
{
    const char *uri = fresh();

    (void)state;
    must_start(uri);
    (void)sql(uri, "INSERT INTO keys (label, material) VALUES ('document-storage', '\\x01'), "
                   "('document-storage', '\\x02')");
    for (int i = 0; i < 2; i++)
        (void)sql(
            uri, "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'");
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM keys WHERE label = 'document-storage-old'"), "2");
}

static void partitions(void **state)
{
    const char *uri = fresh();

    (void)state;
    must_start(uri);
    (void)sql(uri, "INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, created_on) "
                   "SELECT g, 7, '2031-05-10', 'a', 'OK', now() FROM generate_series(1, 100) g");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_default"), "100");
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-31 23:59:59')::text"), "7");
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-01')::text"), "0");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_default"), "0");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_p203105"), "100");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks"), "100");
}

/* Old months go; what belongs to an instance that still runs stays when asked to. */
static void removal(void **state)
{
    const char *uri = fresh();
    const char *left =
        "SELECT (SELECT string_agg(id::text, ',' ORDER BY id) FROM instances) || ' ' || "
        "(SELECT string_agg(instance_id::text, ',' ORDER BY id) FROM tasks) || ' ' || "
        "(SELECT string_agg(id::text, ',' ORDER BY id) FROM requests) || ' ' || "
        "(SELECT string_agg(id::text, ',' ORDER BY id) FROM timers)";

    (void)state;
    must_start(uri);
    (void)sql(uri,
              "SELECT history_make('2024-02-01'), history_make('2024-03-01');"
              "INSERT INTO instances (id, created_on, guid, status, definition_id) VALUES "
              "(1, '2024-02-10', gen_random_uuid(), 'CLOSED_IN_SUCCESS', 1), "
              "(2, '2024-02-11', gen_random_uuid(), 'ACTIVE', 1), "
              "(3, '2024-03-01', gen_random_uuid(), 'CLOSED_IN_ERROR', 1);"
              "INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, created_on) "
              "SELECT id, id, created_on, 'start', 'OK', created_on FROM instances;"
              "INSERT INTO requests (id, created_on, status, instance_id, instance_on) "
              "SELECT id, created_on, 'SUCCESS', id, created_on FROM instances;"
              "INSERT INTO requests (id, created_on, status) VALUES (4, '2024-02-12', 'SUCCESS');"
              "INSERT INTO timers (id, instance_id, instance_on, at) SELECT id, id, created_on, "
              "now() FROM instances");
    assert_string_equal(sql(uri, left), "1,2,3 1,2,3 1,2,3,4 1,2,3");
    (void)sql(uri, "SELECT history_remove('2024-02-01', true)");
    assert_string_equal(sql(uri, left), "2,3 2,3 2,3 2,3");
    (void)sql(uri, "SELECT history_remove('2024-02-01', false)");
    assert_string_equal(sql(uri, left), "3 3 3 3");
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relname LIKE '%p202402'"), "0");
    assert_string_equal(sql(uri, "SELECT history_months('2024-04-01')::text"), "2024-03-01");
}

/* A role with few rights cannot make the owner's functions look at tables of its own. */
static void owner_functions_trust_nobody(void **state)
{
    const char *uri = fresh();
    const char *name = arena_printf(env_arena(env), "m%d", n_databases);

    (void)state;
    must_start(uri);
    (void)sql(env_db_of(env, "reader", name),
              "CREATE TEMP TABLE history_tables (name text, part_key text, fill integer);"
              "INSERT INTO history_tables VALUES ('keys', 'created_on', 100);"
              "SELECT history_make('2033-01-01')");
    assert_string_equal(sql(uri, "SELECT coalesce(to_regclass('keys_p203301')::text, 'none')"),
                        "none");
    assert_string_equal(sql(uri, "SELECT to_regclass('requests_p203301')::text"),
                        "requests_p203301");
}

static void generations_count(void **state)
{
    const char *uri = fresh();
    const char *users = "SELECT n::text FROM generations WHERE topic = 'users'";
    const char *before;

    (void)state;
    must_start(uri);
    (void)sql(uri, "INSERT INTO users (username) VALUES ('ann')");
    before = sql(uri, users);
    (void)sql(uri, "UPDATE users SET last_use = now(), failed_logins = 1");
    assert_string_equal(sql(uri, users), before);
    (void)sql(uri, "UPDATE users SET status = 'REVOKED'");
    assert_string_not_equal(sql(uri, users), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_install),
        cmocka_unit_test(same_as_schema_file),
        cmocka_unit_test(ten_at_once),
        cmocka_unit_test(killed_migrators),
        cmocka_unit_test(waits_for_the_core),
        cmocka_unit_test(waits_no_longer_than_told),
        cmocka_unit_test(stop_while_waiting),
        cmocka_unit_test(dml_role),
        cmocka_unit_test(newer_additive),
        cmocka_unit_test(newer_not_additive),
        cmocka_unit_test(changed_text),
        cmocka_unit_test(gap),
        cmocka_unit_test(failing_file),
        cmocka_unit_test(busy_table),
        cmocka_unit_test(concurrent_index),
        cmocka_unit_test(crashed_step),
        cmocka_unit_test(failing_step),
        cmocka_unit_test(fits_and_accepts),
        cmocka_unit_test(server_goes_away),
        cmocka_unit_test(refused),
        cmocka_unit_test(made_while_waiting),
        cmocka_unit_test(lost_in_the_middle),
        cmocka_unit_test(own_schema),
        cmocka_unit_test(mixed),
        cmocka_unit_test(other_encoding),
        cmocka_unit_test(rename_of_keys),
        cmocka_unit_test(partitions),
        cmocka_unit_test(removal),
        cmocka_unit_test(owner_functions_trust_nobody),
        cmocka_unit_test(generations_count),
    };
    int failed;

    log_init("it_migrate", LOG_ERROR_LEVEL);
    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(foreign, refuses);
    return env_end(env, failed);
}
