/*
 * The store of the configuration against a real database: what a new one gets, what a change does,
 * what a bad one leaves alone, keys that are renamed or wrapped.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "config/config_int.h"
#include "db/migrate.h"
#include "integration/env.h"

static struct env *env;
static struct db *db;
static struct cfg_store *store;

static void reload(void)
{
    struct err e = {0};

    if (cfg_store_reload(store, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
}

static void poll_keys(void)
{
    struct err e = {0};

    if (cfg_store_poll(store, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
}

static void new_database(void **state)
{
    struct cfg_store *other;
    const struct cfg *c;
    struct err e = {0};

    (void)state;
    if (cfg_store_new(&store, db, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    c = cfg_get(store);
    assert_int_equal(c->n_keys, 4);
    assert_true(str_eq_c(cfg_key_active(c, "tokens")->algorithm, "rs256"));
    assert_int_equal(cfg_key_active(c, "secrets")->material.len, 32);
    assert_int_equal(cfg_int(c, "retention.default"), 3);
    cfg_put(c);
    if (cfg_store_new(&other, db, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    cfg_store_free(other);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM keys"), "4");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM configuration"), "1");
}

static void rows_of_all_kinds(void **state)
{
    const struct cfg *c;

    (void)state;
    env_psql(env, "INSERT INTO activities (name) VALUES ('w1'), ('w2')");
    env_psql(
        env,
        "INSERT INTO activity_versions (activity_id, label, definition_id, active) "
        "SELECT id, '1', definition_put('{\"name\":\"' || name || '\"}'), true FROM activities");
    env_psql(
        env,
        "INSERT INTO custom_routes (method, route, activity_id, schema) "
        "VALUES ('get', '/x/{id}', 1, '{\"type\":\"object\"}'), ('post', '/broken/{', 1, NULL)");
    env_psql(env, "INSERT INTO templates (key, template) VALUES ('a.*', 'T1'), ('a.b', 'T2')");
    env_psql(env, "INSERT INTO user_profiles (name, accesses, api_rules) VALUES "
                  "('p', '{requests,bulks}', "
                  "'[{\"method\":\"get\",\"url\":\"/api/v01/p1/*\",\"allowed\":true}]')");
    reload();
    c = cfg_get(store);
    assert_true(str_eq_c(cfg_activity_named(c, STR("w2"))->definition, "{\"name\":\"w2\"}"));
    assert_int_equal(cfg_activity(c, 2)->id, 2);
    assert_null(cfg_activity(c, 3));
    assert_int_equal(c->n_routes, 1); /* the broken one is left out, the other answers */
    assert_non_null(c->routes[0].schema);
    assert_true(str_eq_c(c->routes[0].path, "/api/v01/custom/x/{id}"));
    assert_true(str_eq_c(cfg_template(c, STR("a.c"))->source, "T1"));
    assert_true(cfg_rules_allow(cfg_profile(c, 1), HTTP_GET, STR("/api/v01/p1/x")));
    assert_true(cfg_has_access(cfg_profile(c, 1), "bulks"));
    cfg_put(c);
}

/* Old work goes on with what it took; unchanged definitions are not copied. */
static void old_snapshots_stay(void **state)
{
    const struct cfg *old = cfg_get(store);
    const struct cfg *now;
    struct str definition = cfg_activity(old, 1)->definition;

    (void)state;
    env_psql(env, "UPDATE activity_versions SET definition_id = definition_put('{\"new\":1}') "
                  "WHERE activity_id = 2");
    reload();
    now = cfg_get(store);
    assert_true(now->generation > old->generation);
    assert_ptr_equal(cfg_activity(now, 1)->definition.p, definition.p);
    assert_true(str_eq_c(cfg_activity(now, 2)->definition, "{\"new\":1}"));
    assert_true(str_eq_c(cfg_activity(old, 2)->definition, "{\"name\":\"w2\"}"));
    cfg_put(now);
    cfg_put(old);
}

static void bad_change(void **state)
{
    const struct cfg *c = cfg_get(store);
    uint64_t generation = c->generation;
    struct err e = {0};

    (void)state;
    cfg_put(c);
    env_psql(env, "INSERT INTO configuration (content) VALUES "
                  "('{\"smtp\":{\"password\":\"sealed:"
                  "AQEAAABjAAECAwQFBgcICQoLNDcxyyV2HmGeNeJcBi1wPnQ58S2v\"}}')");
    assert_int_equal(cfg_store_reload(store, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(
        strstr(e.msg, "secret /smtp/password cannot be opened: its key (id 99) is missing"));
    c = cfg_get(store);
    assert_int_equal(c->generation, generation);
    cfg_put(c);
    env_psql(env, "DELETE FROM configuration WHERE id > 1");
    reload();
}

static void keys_by_hand(void **state)
{
    const struct cfg *c;
    struct err e = {0};

    (void)state;
    env_psql(env,
             "UPDATE keys SET wrapped_by = '630dcd2966c43366' WHERE label = 'document-storage'");
    assert_int_equal(cfg_store_poll(store, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(
        e.msg, "(document-storage) is wrapped by 630dcd2966c43366; give that key with -kek=FILE"));
    env_psql(env, "UPDATE keys SET wrapped_by = NULL");
    poll_keys();
    /* the operator's statement: a fresh key appears, the old one opens what it sealed; twice does
     * no harm */
    for (int i = 0; i < 2; i++) {
        env_psql(env,
                 "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'");
        poll_keys();
    }
    c = cfg_get(store);
    assert_int_equal(c->n_keys, 6);
    assert_int_equal(cfg_key_active(c, "document-storage")->id, 6);
    assert_non_null(cfg_key(c, 2));
    cfg_put(c);
}

static const char *told(const char *topic)
{
    return env_psql(env, arena_printf(env_arena(env), "SELECT n FROM generations WHERE topic = '%s'", topic));
}

/* They belong to the snapshot: nobody who is known needs to be read again for them. */
static void profiles_are_configuration(void **state)
{
    const char *config = told("config"), *users = told("users");
    const struct cfg *c;

    (void)state;
    env_psql(env, "UPDATE user_profiles SET accesses = '{dashboard}'");
    assert_string_not_equal(told("config"), config);
    assert_string_equal(told("users"), users);
    reload();
    c = cfg_get(store);
    assert_true(cfg_has_access(cfg_profile(c, 1), "dashboard"));
    cfg_put(c);
}

/* What was replaced while somebody worked with it is freed by the next reading, not by who gives it back. */
static void freed_by_the_store(void **state)
{
    const struct cfg *old = cfg_get(store);

    (void)state;
    reload();
    cfg_put(old);
    assert_int_equal(atomic_load((atomic_int *)(uintptr_t)&cfg_box_of(old)->refs), 1);
    poll_keys();
}

static uint64_t token_keys(void)
{
    const struct cfg *c = cfg_get(store);
    uint64_t number = c->token_keys;

    cfg_put(c);
    return number;
}

/* Tokens stay known until the keys that sign them are others. */
static void numbers_token_keys(void **state)
{
    static const char *const others[] = {
        "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'",
        "INSERT INTO configuration (content) SELECT content FROM configuration ORDER BY id DESC LIMIT 1",
        "INSERT INTO user_profiles (name) VALUES ('another')",
    };
    static const char *const ours[] = {
        "UPDATE keys SET state = 'retired' WHERE label = 'tokens'", /* a new one is made */
        "INSERT INTO keys (label, algorithm, material, state) SELECT label, algorithm, material, 'decrypt' FROM keys WHERE label = 'tokens' LIMIT 1",
        "DELETE FROM keys WHERE label = 'tokens' AND state = 'decrypt'",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        uint64_t before = token_keys();

        env_psql(env, others[i]);
        reload();
        assert_int_equal(token_keys(), before);
    }
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        uint64_t before = token_keys();

        env_psql(env, ours[i]);
        poll_keys();
        assert_true(token_keys() > before);
    }
}

static atomic_bool stop;

static void *reader(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        const struct cfg *c = cfg_get(store);

        if (cfg_activity(c, 1) == NULL || cfg_activity(c, 1)->definition.len == 0)
            abort();
        cfg_put(c);
    }
    return NULL;
}

static void readers_while_reloading(void **state)
{
    pthread_t threads[3];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
    for (int i = 0; i < 30; i++)
        reload();
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_database),
        cmocka_unit_test(rows_of_all_kinds),
        cmocka_unit_test(old_snapshots_stay),
        cmocka_unit_test(bad_change),
        cmocka_unit_test(keys_by_hand),
        cmocka_unit_test(profiles_are_configuration),
        cmocka_unit_test(freed_by_the_store),
        cmocka_unit_test(numbers_token_keys),
        cmocka_unit_test(readers_while_reloading),
    };
    const struct migrate_opts o = {.run = true, .program = "it_config"};
    const struct db_opts pool = {.max_conns = 4, .app_name = "it_config"};
    struct err e = {0};
    int failed;

    log_init("it_config", LOG_ERROR_LEVEL);
    env = env_start();
    if (migrate_start(env_db(env), "test", &o, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    db = db_new(env_db(env), "test", &pool);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cfg_store_free(store);
    db_free(db);
    return env_end(env, failed);
}
