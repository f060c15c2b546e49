/*
 * Schema migrations against a real server: fresh, behind, ahead, changed, foreign, without rights.  Many at once and dying
 * ones: it_migrate_together.c; what the schema itself does: it_schema.c.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "integration/env_schema.h"
#include "support/cases.h"

static struct env *env;

/* ---- helpers ----------------------------------------------------------------------------- */

static const char *fresh(void)
{
    return schema_empty(env);
}

static const char *sql(const char *uri, const char *text)
{
    return env_psql_at(env, uri, text);
}

static int start(const char *uri, bool run, int64_t wait_ms, struct err *e)
{
    return schema_migrate(NULL, uri, run, wait_ms, e);
}

static void must_start(const char *uri)
{
    schema_must(env, NULL, uri);
}

/* ---- fresh and again --------------------------------------------------------------------- */

static void fresh_install(void **state)
{
    const char *uri = fresh();
    int64_t before;
    struct err e;

    (void)state;
    must_start(uri);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM pg_class WHERE relname ~ '^requests_p[0-9]{6}$'"),
        "3");
    before = clock_mono_ms(&clock_system);
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_true(clock_mono_ms(&clock_system) - before < 10000);
    assert_int_equal(start(uri, false, 0, &e), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

/* sql/schema.sql is what a review reads: it must be what the migrations make. */
static void same_as_schema_file(void **state)
{
    const char *uri = fresh(), *made, *have;
    size_t at = 0;

    (void)state;
    must_start(uri);
    made = schema_dump(env, uri);
    if (getenv("SLUICE_WRITE_SCHEMA") != NULL) {
        FILE *f = fopen(SLUICE_SOURCE_DIR "/sql/schema.sql", "w");

        assert_non_null(f);
        assert_true(fputs(made, f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
    have = schema_file(env);
    while (have[at] != '\0' && have[at] == made[at])
        at++;
    if (have[at] != made[at])
        env_fail(env, "sql/schema.sql is not what the migrations make, from: %.200s (see SLUICE_WRITE_SCHEMA)", made + at);
}

/* ---- rights ------------------------------------------------------------------------------ */

static void item_9_dml_role(void **state)
{
    const char *uri = fresh();
    const char *name = schema_last_name(env);
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
                     "migrations 1 to %d are needed, but role \"reader\" may not create in schema "
                     "\"public\"; make it the owner of the database, or run sluicectl migrate as "
                     "the owner and start with -runMigration=false",
                     migrate_target()));
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

/* Tables beside those the program's own migrations make. */
static int others(const char *uri)
{
    PGconn *pg = PQconnectdb(uri);
    struct schema_state s;
    struct err e = {0};

    assert_int_equal(migrate_look(pg, migrations_embedded, &s, env_arena(env), &e), 0);
    PQfinish(pg);
    return s.others;
}

/* What a newer program added is not taken for somebody's. */
static void item_7_newer_additive(void **state)
{
    const char *uri = schema_ready(env);
    struct err e;

    (void)state;
    (void)sql(uri, "CREATE TABLE somebodys (a int)");
    assert_int_equal(others(uri), 1);
    (void)sql(uri, "DROP TABLE somebodys; CREATE TABLE added_later (a int)");
    add_version(uri, migrate_target() + 1, true);
    assert_int_equal(others(uri), 0);
    add_version(uri, migrate_target() + 2, true);
    assert_int_equal(start(uri, true, 0, &e), 0);
    assert_int_equal(start(uri, false, 0, &e), 0);
}

static void item_7_newer_not_additive(void **state)
{
    const char *uri = schema_ready(env);
    int t = migrate_target();
    struct err e;

    (void)state;
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
    const char *uri = schema_ready(env);
    struct err e;

    (void)state;
    (void)sql(uri, "UPDATE schema_versions SET sha256 = '\\xab12cd3400' WHERE version = 2");
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(
        e.msg, "migration 0002 was changed after it ran here (recorded ab12cd34, program has "));
    assert_int_equal(start(uri, false, 0, &e), 0);
}

static void gap(void **state)
{
    const char *uri = schema_ready(env);
    struct err e;

    (void)state;
    (void)sql(uri, "DELETE FROM schema_versions WHERE version = 3");
    assert_int_equal(start(uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg,
                        arena_printf(env_arena(env),
                                     "migration 3 is missing in the database although %d is done",
                                     migrate_target()));
}

/* ---- failing ----------------------------------------------------------------------------- */

static const char catalogue[] =
    "SELECT md5((SELECT string_agg(relname::text || relkind::text, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace) "
    "|| (SELECT count(*) FROM pg_attribute) || (SELECT count(*) FROM pg_proc) || (SELECT count(*) FROM pg_trigger) "
    "|| (SELECT count(*) FROM pg_constraint))";

/* The first `version` of the program's migrations, the last of them with a statement that fails at its end. */
static const struct migration *up_to(int version, bool failing, int *line)
{
    struct migration *list = ARENA_ARRAY(env_arena(env), struct migration, (size_t)version + 1);
    struct migration *last = &list[version - 1];

    memcpy(list, migrations_embedded, (size_t)version * sizeof list[0]);
    list[version] = (struct migration){0};
    if (failing) {
        *line = 1;
        for (const char *p = last->sql; *p != '\0'; p++)
            *line += *p == '\n' ? 1 : 0;
        last->sql = env_fmt(env, "%sSELECT 1 / 0;\n", last->sql);
        last->sql_len = strlen(last->sql);
    }
    return list;
}

static void item_5_each_made_to_fail(void **state)
{
    const char *uri = fresh();

    (void)state;
    for (int v = 1; v <= migrate_target(); v++) {
        const char *before = sql(uri, catalogue);
        const struct migration *list;
        struct err e;
        int line;

        list = up_to(v, true, &line);
        assert_int_equal(schema_migrate(list, uri, true, 0, &e), -1);
        assert_int_equal(e.code, ERR_INTERNAL);
        assert_string_equal(e.msg, env_fmt(env, "migration %04d %s failed at line %d: division by zero; the schema stays at %d", v,
                                           list[v - 1].name, line, v - 1));
        assert_string_equal(sql(uri, catalogue), before);
        if (v > 1)
            assert_string_equal(schema_versions(env, uri), env_fmt(env, "%d/%d", v - 1, v - 1));
        schema_must(env, up_to(v, false, NULL), uri);
    }
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

/* What a text holds at its end, of the tables that were there before: migrations.list names these, so that they are taken first. */
static void each_locks_what_the_list_says(void **state)
{
    const char *uri = fresh();

    (void)state;
    for (int v = 1; v <= migrate_target(); v++) {
        const struct migration *mig = &migrations_embedded[v - 1];
        const char *asked = env_fmt(env,
                                    "BEGIN; CREATE TEMP TABLE before AS "
                                    "SELECT c.oid, coalesce(pg_partition_root(t.oid), t.oid)::regclass::text AS name "
                                    "FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON "
                                    "t.oid = coalesce(i.indrelid, c.oid) AND t.relkind IN ('r', 'p') "
                                    "AND t.relnamespace = 'public'::regnamespace; %s\n;"
                                    "SELECT coalesce(string_agg(DISTINCT b.name, ', '), '') "
                                    "FROM pg_locks l JOIN before b ON b.oid = l.relation WHERE l.pid = pg_backend_pid() "
                                    "AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')",
                                    mig->sql);
        const char *named = env_fmt(env, "SELECT coalesce(string_agg(t, ', ' ORDER BY t), '') FROM "
                                         "string_to_table(nullif('%s', ''), ', ') t", mig->locks);

        assert_string_equal(sql(uri, asked), sql(uri, named));
        schema_must(env, up_to(v, false, NULL), uri);
    }
}

static void failing_file(void **state)
{
    const char *uri = schema_ready(env);
    int t = migrate_target();
    struct err e;

    (void)state;
    assert_int_equal(schema_migrate(schema_with(env, "broken", "-- additive: no\nCREATE TABLE made_first (a int);\n\n"
                                           "ALTER TABLE not_there\n  ADD b int;\n", false),
                                uri, true, 0, &e),
                     -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d broken failed at line 4: relation \"not_there\" does not exist; the "
                     "schema stays at %d",
                     t + 1, t));
    assert_string_equal(sql(uri, "SELECT to_regclass('made_first')::text"), "");
    assert_int_equal(
        schema_migrate(schema_with(env, "typo", "-- additive: no\nCREATE TABLE a (a int);\nCRATE TABLE b (b int);\n", false),
                   uri, true, 0, &e),
        -1);
    assert_string_equal(
        e.msg,
        arena_printf(env_arena(env),
                     "migration %04d typo failed at line 3: syntax error at or near \"CRATE\"; the "
                     "schema stays at %d",
                     t + 1, t));
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
    /* and the next attempt with a good text goes through */
    assert_int_equal(
        schema_migrate(schema_with(env, "good", "-- additive: yes\nCREATE TABLE made_first (a int);\n", true),
                   uri, true, 0, &e),
        0);
    assert_string_equal(sql(uri, "SELECT max(version)::text FROM schema_versions"),
                        arena_printf(env_arena(env), "%d", t + 1));
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

/* ---- refused ----------------------------------------------------------------------------- */

/* One who waits for what an operator is still making, and is told why when nobody does. */
static pid_t expects_refusal(const char *uri, const char *says)
{
    pid_t pid = fork();
    struct err e;

    if (pid != 0)
        return pid;
    if (start(uri, true, 0, &e) == 0 || e.code != ERR_CONFIG || strcmp(e.msg, says) != 0 || strstr(e.detail, "canary7") != NULL) {
        (void)fprintf(stderr, "expected \"%s\", got \"%s\" (%s)\n", says, e.msg, e.detail);
        _exit(1);
    }
    _exit(0);
}

static void refused(void **state)
{
    const char *with_password = env_fmt(env, "postgresql://pw_user:canary7@/sluice?host=%s", env_path(env, "."));
    pid_t pids[3];

    (void)state;
    (void)sql(env_db(env), "CREATE ROLE pw_user LOGIN PASSWORD 'right'");
    pids[0] = expects_refusal(with_password, "the database refused user \"sluice\": password authentication failed for user "
                                             "\"pw_user\"");
    pids[1] = expects_refusal(env_db_of(env, NULL, "not_there"),
                              "the database refused user \"sluice\": database \"not_there\" does not exist");
    pids[2] = expects_refusal(env_db_of(env, "nobody", NULL),
                              "the database refused user \"sluice\": role \"nobody\" does not exist");
    for (int i = 0; i < 3; i++)
        assert_int_equal(schema_exit_of(pids[i]), 0);
}

static void made_while_waiting(void **state)
{
    pid_t pid = schema_process(NULL, env_db_of(env, NULL, "late"), true, 0);

    (void)state;
    usleep(300000);
    env_new_database(env, "late");
    assert_int_equal(schema_exit_of(pid), 0);
    assert_string_equal(schema_versions(env, env_db_of(env, NULL, "late")), schema_all_versions(env));
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
     "the database holds the structure of APIO core 2.x (structure unknown); it is not changed: create an empty "
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_install),
        cmocka_unit_test(same_as_schema_file),
        cmocka_unit_test(item_9_dml_role),
        cmocka_unit_test(item_7_newer_additive),
        cmocka_unit_test(item_7_newer_not_additive),
        cmocka_unit_test(changed_text),
        cmocka_unit_test(gap),
        cmocka_unit_test(item_5_each_made_to_fail),
        cmocka_unit_test(each_locks_what_the_list_says),
        cmocka_unit_test(failing_file),
        cmocka_unit_test(fits_and_accepts),
        cmocka_unit_test(refused),
        cmocka_unit_test(made_while_waiting),
        cmocka_unit_test(own_schema),
        cmocka_unit_test(mixed),
        cmocka_unit_test(other_encoding),
    };
    int failed;

    log_init("it_migrate", LOG_ERROR_LEVEL);
    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(foreign, refuses);
    return env_end(env, failed);
}
