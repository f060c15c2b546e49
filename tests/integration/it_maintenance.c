/*
 * Upkeep of the history: partitions of the coming months are made, old months removed as section `retention` says.
 */
#include "maintenance.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "db/migrate.h"
#include "integration/env.h"

static struct env *env;
static struct db *db;
static struct cfg_store *store;

static void run(bool cleanup)
{
    const struct cfg *cfg = cfg_get(store);
    struct err e = {0};
    int rc = maintenance_run(db, cfg, cleanup, &e);

    cfg_put(cfg);
    if (rc != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
}

static void retain(const char *section)
{
    struct err e = {0};

    env_psql(env, arena_printf(env_arena(env), "INSERT INTO configuration (content, created_by) VALUES "
                                               "(jsonb_build_object('retention', '%s'::jsonb)::json, 'test')", section));
    if (cfg_store_reload(store, &e) != 0)
        env_fail(env, "%s", e.msg);
}

static const char *partitions(const char *table)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT count(*) FROM pg_inherits WHERE inhparent = '%s'::regclass", table));
}

/* Rows of 1, 5 and 14 months ago; those of 5 months ago hold an instance at work when `active`. */
static void fill(bool active)
{
    env_psql(env, "DELETE FROM instances; DELETE FROM requests; DELETE FROM tasks; DELETE FROM definitions;"
                  "SELECT history_make(now() - make_interval(months => m)) FROM unnest(ARRAY[1, 5, 14]) AS m;");
    env_psql(env, arena_printf(env_arena(env),
                               "INSERT INTO definitions (sha256, definition) VALUES (sha256('x'), '{}');"
                               "INSERT INTO instances (id, created_on, guid, status, definition_id) "
                               "SELECT m, now() - make_interval(months => m), gen_random_uuid(), "
                               "CASE WHEN m = 5 AND %s THEN 'ACTIVE' ELSE 'CLOSED_IN_SUCCESS' END, (SELECT id FROM definitions) "
                               "FROM unnest(ARRAY[1, 5, 14]) AS m;"
                               "INSERT INTO requests (id, created_on, status, method, instance_id) "
                               "SELECT m, now() - make_interval(months => m), 'SUCCESS', 'post', m FROM unnest(ARRAY[1, 5, 14]) AS m;"
                               "INSERT INTO requests (id, created_on, status, method) "
                               "SELECT 100 + m, now() - make_interval(months => m), 'SUCCESS', 'get' FROM unnest(ARRAY[1, 5, 14]) AS m",
                               active ? "true" : "false"));
}

static const char *ids(const char *table)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM %s", table));
}

static void makes_partitions(void **state)
{
    (void)state;
    run(false);
    assert_int_equal(strcmp(partitions("requests"), "4"), 0); /* three months and the default one */
    run(false);
    assert_string_equal(partitions("tasks"), "4");
}

static void keeps_all_when_told(void **state)
{
    (void)state;
    retain("{\"default\": 0}");
    fill(false);
    run(true);
    assert_string_equal(ids("instances"), "1,5,14");
    assert_string_equal(ids("requests"), "1,5,14,101,105,114");
}

static void removes_old_months(void **state)
{
    (void)state;
    retain("{\"default\": 3}"); /* as the default document has it */
    fill(false);
    run(false); /* without -cleanup nothing goes */
    assert_string_equal(ids("instances"), "1,5,14");
    run(true);
    assert_string_equal(ids("instances"), "1");
    assert_string_equal(ids("requests"), "1,101");
}

static void keeps_what_is_at_work(void **state)
{
    (void)state;
    retain("{\"default\": 3, \"exclude_active\": true}");
    fill(true);
    run(true);
    assert_string_equal(ids("instances"), "1,5");
    assert_string_equal(ids("requests"), "1,5,101");
    retain("{\"default\": 3, \"exclude_active\": false}");
    run(true);
    assert_string_equal(ids("instances"), "1");
}

/* Reads without a workflow may go earlier. */
static void removes_reads(void **state)
{
    (void)state;
    retain("{\"default\": 0, \"get_requests\": 3}");
    fill(false);
    run(true);
    assert_string_equal(ids("instances"), "1,5,14");
    assert_string_equal(ids("requests"), "1,5,14,101");
}

/* Somebody else's transaction with that statement in it. */
static PGconn *holding(const char *sql)
{
    PGconn *pg = PQconnectdb(env_db(env));

    PQclear(PQexec(pg, env_fmt(env, "BEGIN; %s", sql)));
    return pg;
}

static void release(PGconn *pg)
{
    PQclear(PQexec(pg, "COMMIT"));
    PQfinish(pg);
}

/* A dump reads all tables for hours: upkeep does not wait for it, as requests would wait behind. */
static void gives_way(void **state)
{
    static const char *const reads[] = {"LOCK TABLE requests_default IN ACCESS SHARE MODE", "LOCK TABLE requests IN ACCESS SHARE MODE"};
    const struct cfg *cfg;

    (void)state;
    retain("{\"default\": 3}");
    for (int i = 0; i < 2; i++) {
        PGconn *dump;
        struct err e = {0};
        int64_t begun;

        fill(false);
        if (i == 0)
            env_psql(env, "DO $$ BEGIN EXECUTE 'DROP TABLE requests_p' || to_char(now() + interval '2 months', 'YYYYMM'); END $$");
        dump = holding(reads[i]);
        begun = clock_mono_ms(&clock_system);
        cfg = cfg_get(store);
        assert_int_equal(maintenance_run(db, cfg, true, &e), -1);
        cfg_put(cfg);
        assert_true(clock_mono_ms(&clock_system) - begun >= 50); /* it tried; the dump goes on */
        assert_string_equal(ids("instances"), "1,5,14");
        release(dump);
        run(true);
        assert_string_equal(ids("instances"), "1");
        assert_string_equal(partitions("requests"), partitions("tasks"));
    }
}

/* Nobody is waited for: who looks on may be in the way, and then it is done again. */
static void *clean_up(void *arg)
{
    const struct cfg *cfg = cfg_get(store);
    struct err e = {0};
    int *rc = arg;

    for (int i = 0; i < 50 && (*rc = maintenance_run(db, cfg, true, &e)) != 0; i++)
        ;
    cfg_put(cfg);
    return NULL;
}

/* Months that are gone are gone while the rest goes on: their tables are free again. */
static void months_go_one_by_one(void **state)
{
    PGconn *holder = holding("LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE");
    pthread_t thread;
    int rc = -1;

    (void)state;
    retain("{\"default\": 3}");
    fill(false);
    assert_int_equal(pthread_create(&thread, NULL, clean_up, &rc), 0);
    ENV_WAIT(env, 10000, strcmp(env_psql(env, "SET statement_timeout = '5s'; SELECT string_agg(id::text, ',' ORDER BY id) FROM instances"), "1") == 0);
    release(holder);
    pthread_join(thread, NULL);
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_partitions),      cmocka_unit_test(keeps_all_when_told), cmocka_unit_test(removes_old_months),
        cmocka_unit_test(keeps_what_is_at_work), cmocka_unit_test(removes_reads),       cmocka_unit_test(gives_way),
        cmocka_unit_test(months_go_one_by_one),
    };
    const struct migrate_opts o = {.run = true, .program = "it_maintenance"};
    const struct db_opts opts = {.max_conns = 2, .app_name = "it_maintenance"};
    struct err e = {0};
    int failed;

    log_init("it_maintenance", LOG_ERROR_LEVEL);
    env = env_start();
    if (migrate_start(env_db(env), "test", &o, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    db = db_new(env_db(env), "test", &opts);
    if (cfg_store_new(&store, db, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cfg_store_free(store);
    db_free(db);
    return env_end(env, failed);
}
