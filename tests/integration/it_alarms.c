/*
 * Alarms: raised once per key and subject, over by themselves or cleared by a person, searched as the interface does.
 */
#include "alarm/alarm.h"
#include "base/arena.h"
#include "integration/env_api.h"
#include "support/cases.h"

static struct env *env;
static struct db *db;

static void raise(const char *key, const char *subject, const char *level, const char *message)
{
    const struct alarm x = {.key = key, .subject = str_c(subject), .level = level, .message = str_c(message)};
    struct db_conn *c;
    struct err e;

    assert_int_equal(db_get(db, &c, &e), 0);
    assert_int_equal(alarm_raise(c, &x, &e), 0);
    db_put(db, c);
}

static void over(const char *key, const char *subject)
{
    struct db_conn *c;
    struct err e;

    assert_int_equal(db_get(db, &c, &e), 0);
    assert_int_equal(alarm_over(c, key, str_c(subject), &e), 0);
    db_put(db, c);
}

/* The page of the interface sends all five criteria, empty ones too, and one object as sorting. */
static struct val page(const char *active)
{
    return api(env, 200, "GET",
               arena_printf(env_arena(env),
                            "/api/v01/alarms?filter=%%7B%%22and%%22:[%%7B%%22field%%22:%%22key%%22,%%22op%%22:%%22like%%22,"
                            "%%22value%%22:%%22%%22%%7D,%%7B%%22field%%22:%%22level%%22,%%22op%%22:%%22eq%%22%%7D,"
                            "%%7B%%22field%%22:%%22active%%22,%%22op%%22:%%22eq%%22,%%22value%%22:%s%%7D]%%7D"
                            "&sorting=%%7B%%22field%%22:%%22key%%22,%%22direction%%22:%%22asc%%22%%7D",
                            active),
               NULL);
}

static void once_per_subject(void **state)
{
    struct val v;

    (void)state;
    raise("disk", "a", ALARM_INFO, "first");
    raise("disk", "b", ALARM_INFO, "other");
    raise("disk", "a", ALARM_CRITICAL, "again");
    v = page("true");
    assert_int_equal(val_count(val_get(v, "alarms")), 2);
    v = api(env, 200, "GET", "/api/v01/alarms?filter=%7B%22field%22:%22level%22,%22op%22:%22eq%22,%22value%22:%22critical%22%7D", NULL);
    assert_string_equal(api_text(env, v, "alarms.0.message"), "again");
    over("disk", "a");
    over("disk", "nothing");
    assert_int_equal(val_count(val_get(page("true"), "alarms")), 1);
    assert_int_equal(val_count(val_get(page("false"), "alarms")), 1);
    raise("disk", "a", ALARM_MAJOR, "new trouble");
    assert_int_equal(val_count(val_get(page("true"), "alarms")), 2);
}

static void a_person_clears(void **state)
{
    struct val v;

    (void)state;
    raise("fan", "", ALARM_MAJOR, "slow");
    v = api(env, 200, "GET", "/api/v01/alarms?filter=%7B%22field%22:%22key%22,%22op%22:%22eq%22,%22value%22:%22fan%22%7D", NULL);
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/alarms/%s", api_text(env, v, "alarms.0.id")), "");
    v = api(env, 200, "GET", "/api/v01/alarms?filter=%7B%22field%22:%22key%22,%22op%22:%22eq%22,%22value%22:%22fan%22%7D", NULL);
    assert_string_equal(api_text(env, v, "alarms.0.active"), "false");
    assert_string_equal(api_text(env, v, "alarms.0.cleared_by"), "admin");
    api(env, 404, "PUT", "/api/v01/alarms/4711", "");
    api(env, 404, "PUT", "/api/v01/alarms/x", "");
    api_as("");
    api(env, 401, "GET", "/api/v01/alarms", NULL);
}

static void knows_keys(void **state)
{
    struct val v = api(env, 200, "GET", "/api/v01/alarms/keys", NULL);

    (void)state;
    assert_string_equal(api_text(env, v, "keys"), "[\"disk\",\"fan\",\"http_south_success_rate\",\"http_success_rate\",\"network_issues\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(once_per_subject), API_TEST(a_person_clears), API_TEST(knows_keys)};
    int failed;

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    db = db_new(env_db(env), "test", &(struct db_opts){.max_conns = 2, .app_name = "it_alarms"});
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return env_end(env, failed);
}
