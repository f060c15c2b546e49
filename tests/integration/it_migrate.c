/*
 * Schema migrations against a real server: fresh, behind, ahead, changed, without rights.  Those that fail and databases that are
 * refused: it_migrate_fails.c; many at once and dying ones: it_migrate_together.c; what the schema itself does: it_schema.c.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_install),         cmocka_unit_test(same_as_schema_file),       cmocka_unit_test(item_9_dml_role),
        cmocka_unit_test(item_7_newer_additive), cmocka_unit_test(item_7_newer_not_additive), cmocka_unit_test(changed_text),
        cmocka_unit_test(gap),                   cmocka_unit_test(fits_and_accepts),
    };

    log_init("it_migrate", LOG_ERROR_LEVEL);
    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
