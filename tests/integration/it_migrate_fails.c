/*
 * Migrations that fail, and databases that are refused: by the server, for their encoding, for what stands in them.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "integration/env_schema.h"
#include "support/cases.h"

static struct env *env;

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
    const char *uri = schema_empty(env);

    (void)state;
    for (int v = 1; v <= migrate_target(); v++) {
        const char *before = env_psql_at(env, uri, catalogue);
        const struct migration *list;
        struct err e;
        int line;

        list = up_to(v, true, &line);
        assert_int_equal(schema_migrate(list, uri, true, 0, &e), -1);
        assert_int_equal(e.code, ERR_INTERNAL);
        assert_string_equal(e.msg, env_fmt(env, "migration %04d %s failed at line %d: division by zero; the schema stays at %d", v,
                                           list[v - 1].name, line, v - 1));
        assert_string_equal(env_psql_at(env, uri, catalogue), before);
        if (v > 1)
            assert_string_equal(schema_versions(env, uri), env_fmt(env, "%d/%d", v - 1, v - 1));
        schema_must(env, up_to(v, false, NULL), uri);
    }
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

/* What a text holds at its end, of the tables that were there before: migrations.list names these, so that they are taken first. */
static void each_locks_what_the_list_says(void **state)
{
    const char *uri = schema_empty(env);

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

        assert_string_equal(env_psql_at(env, uri, asked), env_psql_at(env, uri, named));
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
    assert_string_equal(env_psql_at(env, uri, "SELECT to_regclass('made_first')::text"), "");
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
    assert_string_equal(env_psql_at(env, uri, "SELECT max(version)::text FROM schema_versions"),
                        arena_printf(env_arena(env), "%d", t + 1));
}

/* ---- refused ----------------------------------------------------------------------------- */

/* One who waits for what an operator is still making, and is told why when nobody does. */
static pid_t expects_refusal(const char *uri, const char *says)
{
    pid_t pid = fork();
    struct err e;

    if (pid != 0)
        return pid;
    if (schema_migrate(NULL, uri, true, 0, &e) == 0 || e.code != ERR_CONFIG || strcmp(e.msg, says) != 0 || strstr(e.detail, "canary7") != NULL) {
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
    (void)env_psql_at(env, env_db(env), "CREATE ROLE pw_user LOGIN PASSWORD 'right'");
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
    const char *uri = schema_empty(env);
    const char *const schema_only[] = {"--schema-only", NULL};
    const char *before, *after;
    struct err e;

    (void)env_psql_at(env, uri, row->make);
    before = env_pg_dump(env, uri, schema_only);
    assert_int_equal(schema_migrate(NULL, uri, true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, row->msg);
    assert_int_equal(schema_migrate(NULL, uri, false, 60000, &e), -1); /* waiting would not help */
    assert_int_equal(e.code, ERR_CONFIG);
    after = env_pg_dump(env, uri, schema_only);
    assert_int_equal(strlen(before), strlen(after));
}

static void own_schema(void **state)
{
    const char *uri = schema_empty(env);
    const char *other = arena_printf(env_arena(env), "%s&options=-csearch_path%%3Dsluice", uri);
    struct err e;

    (void)state;
    (void)env_psql_at(env, uri, "CREATE TABLE orders (a int)");
    assert_int_equal(schema_migrate(NULL, other, true, 0, &e), -1);
    assert_string_equal(e.msg,
                        "no schema of the search path exists; create it, or take it out of DB");
    (void)env_psql_at(env, uri, "CREATE SCHEMA sluice");
    assert_int_equal(schema_migrate(NULL, other, true, 0, &e), 0);
    assert_string_equal(
        env_psql_at(env, uri, "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "1");
    (void)env_psql_at(env, other, "INSERT INTO roles (name) VALUES ('x')");
    assert_string_equal(env_psql_at(env, other, "SELECT n::text FROM generations WHERE topic = 'users'"), "2");
}

static void mixed(void **state)
{
    const char *uri = schema_empty(env);
    struct err e;

    (void)state;
    schema_must(env, NULL, uri);
    (void)env_psql_at(env, uri, "CREATE TABLE alembic_version (version_num text)");
    assert_int_equal(schema_migrate(NULL, uri, true, 0, &e), 0); /* a warning only */
}

static void other_encoding(void **state)
{
    struct err e;

    (void)state;
    (void)env_psql_at(env, env_db_of(env, NULL, "postgres"), "CREATE DATABASE ascii TEMPLATE template0 ENCODING "
                                                "'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    assert_int_equal(schema_migrate(NULL, env_db_of(env, NULL, "ascii"), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, "database \"ascii\" has encoding SQL_ASCII; create it with UTF8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_5_each_made_to_fail), cmocka_unit_test(each_locks_what_the_list_says), cmocka_unit_test(failing_file),
        cmocka_unit_test(refused), cmocka_unit_test(made_while_waiting), cmocka_unit_test(own_schema), cmocka_unit_test(mixed),
        cmocka_unit_test(other_encoding),
    };
    int failed;

    log_init("it_migrate_fails", LOG_ERROR_LEVEL);
    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(foreign, refuses);
    return env_end(env, failed);
}
