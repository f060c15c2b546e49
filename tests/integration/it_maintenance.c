/*
 * Upkeep of the history: partitions of the coming months are made, old months removed as section `retention` says.
 */
#include "maintenance.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_partitions),      cmocka_unit_test(keeps_all_when_told), cmocka_unit_test(removes_old_months),
        cmocka_unit_test(keeps_what_is_at_work), cmocka_unit_test(removes_reads),
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
