/*
 * What Sluice does with a database that is not its own: look-alikes, one per row of the contract
 * (migration.md 6.2, 11.11), and sluicectl doctor -structure.
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"

static struct env *env;

#define SECRET_ROW "CREATE TABLE keys (id serial, label text, secret text); INSERT INTO keys (label, secret) VALUES ('document-storage', '" CANARY "'); "
#define SEVEN                                                                                                          \
    SECRET_ROW "CREATE TABLE users (id int, name text); CREATE TABLE requests (id int, url text); "                    \
               "CREATE TABLE activities (id int); CREATE TABLE instances (id int); CREATE TABLE custom_routes (id int); " \
               "CREATE TABLE user_profiles (id int)"
#define UNTOUCHED "it is not changed: create an empty database for DB and run sluicectl import-legacy --from-db=DSN-FILE"
#define KNOWN "revision 0022 0.22.1\nrevision 0232 0.23.2\n"

static const struct row {
    const char *name, *make;
    const char *list; /* NULL: the one that is shipped */
    const char *says;
} rows[] = {
    {"item_11_older_than_0.23.2", SEVEN "; CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('0022')", KNOWN,
     "the database holds the structure of APIO core 0.22.1; only 0.23.2, the last of the 0.x branch, can be imported: upgrade the old "
     "platform to 0.23.2 first, then create an empty database for DB and run sluicectl import-legacy"},
    {"item_11_0.23.2", SEVEN "; CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('0232')", KNOWN,
     "the database holds the structure of APIO core 0.23.2; " UNTOUCHED},
    {"item_11_a_revision_nobody_knows", "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('beef')", NULL,
     "the database holds the structure of APIO core 0.x (revision beef); " UNTOUCHED},
    {"item_11_2.x_by_goose", SEVEN "; CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean); INSERT INTO goose_db_version "
     "(version_id, is_applied) VALUES (41, true), (42, true)", NULL, "the database holds the structure of APIO core 2.x (structure 42); " UNTOUCHED},
    {"item_11_2.x_by_schema_migrations", SEVEN "; CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (17, false)",
     NULL, "the database holds the structure of APIO core 2.x (structure 17); " UNTOUCHED},
    {"item_11_2.x_by_gorp", SEVEN "; CREATE TABLE gorp_migrations (id text, applied_at timestamptz); INSERT INTO gorp_migrations VALUES ('0009.sql', now())",
     NULL, "the database holds the structure of APIO core 2.x (structure 0009.sql); " UNTOUCHED},
    {"item_11_2.x_by_migrations", SEVEN "; CREATE TABLE migrations (name text)", NULL, "the database holds the structure of APIO core 2.x (structure unknown); " UNTOUCHED},
    {"item_11_version_unknown", SECRET_ROW "CREATE TABLE users (id int); CREATE TABLE requests (id int)", NULL,
     "the database looks like APIO core of unknown version (keys, users, requests); " UNTOUCHED "; if it is 0.23.2, say --structure=0.23.2"},
    {"item_11_two_names_are_not_enough", SECRET_ROW "CREATE TABLE users (id int); CREATE TABLE schema_migrations (version bigint, dirty boolean)", NULL,
     "schema \"public\" holds 3 tables that are not ours (first: keys); give DB an empty database or another search_path"},
    {"item_11_foreign", "CREATE TABLE orders (id int, card text); INSERT INTO orders VALUES (1, '" CANARY "'); CREATE VIEW v AS SELECT 1 AS x", NULL,
     "schema \"public\" holds 2 tables that are not ours (first: orders); give DB an empty database or another search_path"},
    {"item_11_a_type_only", "CREATE TYPE mood AS ENUM ('sad')", NULL,
     "schema \"public\" holds 1 table that is not ours (first: mood); give DB an empty database or another search_path"},
};

/* Every program, with and without the right to migrate, at once and without a change. */
static void refused(const struct row *r)
{
    static const struct {
        const char *program, *word;
    } runs[] = {{"sluice-core", "-workflows"}, {"sluice-core", "-runMigration=false"}, {"sluice-proxy", "-proxy=/api/v01/p1:bwks"},
                {"sluicectl", "migrate"}, {"sluicectl", "newsuperuser"}};
    const char *db = moving_base(env), *before;
    const char *list = r->list != NULL ? moving_printed(env, "SLUICE_LEGACY_LIST=%s", moving_file(env, "known.list", r->list)) : NULL;

    env_psql_at(env, db, r->make);
    before = moving_dump(env, db);
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        const char *log = moving_printed(env, "refused%zu", i);
        const char *listens = strcmp(runs[i].program, "sluicectl") == 0 ? NULL : moving_printed(env, "-socket=%s", env_path(env, "refused.sock"));
        const char *argv[] = {env_program(env, runs[i].program), runs[i].word, listens, NULL};
        const char *vars[] = {moving_printed(env, "DB=%s", db), list, NULL};
        int got = env_wait_exit(env, env_spawn(env, log, argv, vars), 30000);

        if (got != 78)
            env_fail(env, "%s %s: exit %d: %s", runs[i].program, runs[i].word, got, env_log(env, log));
        moving_says(env, env_log(env, log), r->says);
        moving_hides(env, "the log", env_log(env, log));
    }
    if (strcmp(before, moving_dump(env, db)) != 0)
        env_fail(env, "the database was changed");
}

static void item_11_extensions_do_not_count(void **state)
{
    const char *db = moving_base(env);

    (void)state;
    env_psql_at(env, db, "CREATE EXTENSION pg_stat_statements");
    moving_says(env, moving_ctl(env, 0, db, ARGS("migrate")), "up to date");
}

static void item_11_ours_and_theirs(void **state)
{
    const char *db = moving_base(env), *out, *before, *socket = env_path(env, "mixed.sock");
    const char *argv[] = {env_program(env, "sluice-core"), moving_printed(env, "-socket=%s", socket), NULL};
    pid_t pid;

    (void)state;
    moving_ctl(env, 0, db, ARGS("migrate"));
    env_psql_at(env, db, "CREATE TABLE alembic_version (version_num text); CREATE TABLE zebras (id int); INSERT INTO zebras VALUES (7)");
    before = moving_dump(env, db);
    out = moving_ctl(env, 0, db, ARGS("migrate"));
    moving_says(env, out, "holds our tables and 2 others (first: alembic_version); nothing was changed");
    assert_string_equal(before, moving_dump(env, db));
    /* a warning: it starts */
    pid = env_spawn(env, "mixed", argv, ARGS(moving_printed(env, "DB=%s", db)));
    ENV_WAIT(env, 30000, strstr(env_log(env, "mixed"), "app.ready") != NULL || !env_running(env, pid));
    moving_says(env, env_log(env, "mixed"), "holds our tables and 2 others (first: alembic_version); nothing was changed");
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    assert_string_equal(env_psql_at(env, db, "SELECT string_agg(id::text, ' ') FROM zebras"), "7");
}

static void doctor_prints_the_structure(void **state)
{
    const char *db = moving_base(env), *out, *before;

    (void)state;
    env_psql_at(env, db, SEVEN "; CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES ('beef')");
    before = moving_dump(env, db);
    out = moving_ctl(env, 0, db, ARGS("doctor", "--structure"));
    moving_says(env, out, "# schema \"public\": APIO core 0.x, version not known (revision beef)\n");
    moving_says(env, out, "\nalembic_version.version_num character varying(32)\ncustom_routes.id integer\n");
    moving_says(env, out, "\nkeys.secret text\n");
    moving_says(env, out, "# for sql/legacy.list:\nfingerprint ");
    assert_string_equal(before, moving_dump(env, db));
    /* what it prints makes the structure known */
    out = strstr(out, "fingerprint ");
    out = moving_printed(env, "%.76s 0.23.2\n", out);
    out = moving_printed(env, "SLUICE_LEGACY_LIST=%s", moving_file(env, "contributed.list", out));
    moving_says(env, moving_ctl_with(env, 0, db, ARGS("doctor", "--structure"), ARGS(out)), "APIO core 0.x, 0.23.2 (revision beef)");
    moving_says(env, moving_ctl_with(env, 78, db, ARGS("migrate"), ARGS(out)), "the database holds the structure of APIO core 0.23.2; ");
    moving_says(env, moving_ctl(env, 0, moving_base(env), ARGS("doctor", "-structure")), "# schema \"public\": empty\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_11_extensions_do_not_count),
        cmocka_unit_test(item_11_ours_and_theirs),
        cmocka_unit_test(doctor_prints_the_structure),
    };
    int failed;

    env = env_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, refused);
    return env_end(env, failed);
}
