/*
 * Rules the schema itself keeps: labels of keys, months of the history, whom its functions trust, counted changes.
 */
#include "base/log.h"
#include "db/locks.h"
#include "integration/env_schema.h"

static struct env *env;

static const char *sql(const char *uri, const char *text)
{
    return env_psql_at(env, uri, text);
}

static void rename_of_keys(void **state)
{
    const char *uri = schema_ready(env);

    (void)state;
    (void)sql(uri, "INSERT INTO keys (label, material) VALUES ('document-storage', '\\x01'), "
                   "('document-storage', '\\x02')");
    for (int i = 0; i < 2; i++)
        (void)sql(
            uri, "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'");
    assert_string_equal(
        sql(uri, "SELECT count(*)::text FROM keys WHERE label = 'document-storage-old'"), "2");
}

/* Advisory locks: two that were alike would keep each other out. */
static void locks_differ(void **state)
{
    static const char *const locks[] = DB_LOCKS;
    const char *uri = schema_empty(env);
    const char *values = "";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(locks); i++)
        values = env_fmt(env, "%s%s(%s)", values, i > 0 ? ", " : "", locks[i]);
    assert_string_equal(sql(uri, env_fmt(env, "SELECT count(DISTINCT (a, b))::text FROM (VALUES %s) AS v (a, b)", values)),
                        env_fmt(env, "%zu", COUNT_OF(locks)));
}

/* db/locks.h names them all; beside it there are only the migrations, which never change. */
static void locks_have_one_place(void **state)
{
    static const char elsewhere[] =
        "cd " SLUICE_SOURCE_DIR " && { grep -rnE 'advisory[a-z_]*\\(|1399616867' fcgi-app proxy-module | "
        "grep -vE '^fcgi-app/db/locks.h:|\\(\" DB_LOCK_[A-Z_]+ \"\\)'; "
        "grep -rn advisory sql/migrations | grep -vF 'pg_try_advisory_xact_lock(" DB_LOCK_HISTORY ")'; }";
    char line[300];
    FILE *found = popen(elsewhere, "r");

    (void)state;
    assert_non_null(found);
    if (fgets(line, sizeof line, found) != NULL)
        fail_msg("%s", line);
    (void)pclose(found);
}

static void partitions(void **state)
{
    const char *uri = schema_ready(env);

    (void)state;
    (void)sql(uri, "INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, created_on) "
                   "SELECT g, 7, '2031-05-10', 'a', 'OK', now() FROM generate_series(1, 100) g");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_default"), "100");
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-31 23:59:59')::text"), "7");
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-01')::text"), "0");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_default"), "0");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks_p203105"), "100");
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM tasks"), "100");
}

/* All months are passed over seldom, older ones from the next call on that finds no pass under way. */
static void passes_are_seldom(void **state)
{
    static const char without[] = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '_p[0-9]{6}$' AND relkind = 'r' AND NOT "
                                  "coalesce(reloptions @> '{autovacuum_vacuum_insert_threshold=1000000,autovacuum_vacuum_insert_scale_factor=1}', false)";
    const char *uri = schema_ready(env);
    PGconn *pass;

    (void)state;
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-31')::text"), "7");
    assert_string_equal(sql(uri, without), "");
    (void)sql(uri, "ALTER TABLE tasks_p203105 RESET (autovacuum_vacuum_insert_threshold, autovacuum_vacuum_insert_scale_factor);"
                   "ALTER TABLE traces_p203105 RESET (autovacuum_vacuum_insert_threshold, autovacuum_vacuum_insert_scale_factor)");
    pass = PQconnectdb(uri);
    PQclear(PQexec(pass, "BEGIN; LOCK TABLE tasks_p203105 IN SHARE UPDATE EXCLUSIVE MODE"));
    assert_int_equal(PQtransactionStatus(pass), PQTRANS_INTRANS);
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-31')::text"), "0");
    assert_string_equal(sql(uri, without), "tasks_p203105");
    PQfinish(pass);
    assert_string_equal(sql(uri, "SELECT history_make('2031-05-31')::text"), "0");
    assert_string_equal(sql(uri, without), "");
}

/* Old months go; what belongs to an instance that still runs stays when asked to. */
static void removal(void **state)
{
    const char *uri = schema_ready(env);
    const char *left =
        "SELECT (SELECT string_agg(id::text, ',' ORDER BY id) FROM instances) || ' ' || "
        "(SELECT string_agg(instance_id::text, ',' ORDER BY id) FROM tasks) || ' ' || "
        "(SELECT string_agg(id::text, ',' ORDER BY id) FROM requests) || ' ' || "
        "(SELECT string_agg(id::text, ',' ORDER BY id) FROM timers)";

    (void)state;
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
    const char *uri = schema_ready(env);
    const char *name = schema_last_name(env);

    (void)state;
    (void)sql(uri, "CREATE ROLE reader LOGIN");
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
    const char *uri = schema_ready(env);
    const char *users = "SELECT n::text FROM generations WHERE topic = 'users'";
    const char *before;

    (void)state;
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
        cmocka_unit_test(rename_of_keys),
        cmocka_unit_test(locks_differ),
        cmocka_unit_test(locks_have_one_place),
        cmocka_unit_test(partitions),
        cmocka_unit_test(passes_are_seldom),
        cmocka_unit_test(removal),
        cmocka_unit_test(owner_functions_trust_nobody),
        cmocka_unit_test(generations_count),
    };

    log_init("it_schema", LOG_ERROR_LEVEL);
    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
