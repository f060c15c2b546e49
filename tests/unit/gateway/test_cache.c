/*
 * The cache in memory: time, room, prefixes (workflow-engine.md 3.3 "cache", 3.13).
 */
#include "support/cases.h"

#include "gateway/cache.h"

static int64_t fake(struct clock *c)
{
    return c->fake_us;
}

static struct clock now = {.wall_us = fake, .mono_us = fake};
static struct gw_cache *cache;
static struct arena *a;

static int setup(void **state)
{
    (void)state;
    now.fake_us = 1000000;
    a = arena_new(0);
    cache = gw_cache_new(2000, &now);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_cache_free(cache);
    arena_free(a);
    return 0;
}

static void put(const char *key, const char *value, int64_t ttl_s)
{
    struct err e;

    assert_int_equal(gw_cache_put(cache, STR(""), str_c(key), str_c(value), ttl_s, &e), 0);
}

static const char *get(const char *key)
{
    struct str out;
    struct err e;

    assert_int_equal(gw_cache_get(cache, STR("memory://"), str_c(key), &out, a, &e), 0);
    return out.p != NULL ? str_cstr(a, out) : "-";
}

static void drop(const char *key)
{
    struct err e;

    assert_int_equal(gw_cache_drop(cache, STR(""), str_c(key), &e), 0);
}

static void keeps_and_replaces(void **state)
{
    (void)state;
    assert_string_equal(get("k"), "-");
    put("k", "1", 0);
    put("k", "2", 0);
    put("empty", "", 0);
    assert_string_equal(get("k"), "2");
    assert_string_equal(get("empty"), "");
    assert_int_equal(gw_cache_stats(cache).entries, 2);
}

static void forgets_in_time(void **state)
{
    (void)state;
    put("short", "1", 10);
    put("ever", "1", 0);
    now.fake_us += 9999999;
    assert_string_equal(get("short"), "1");
    now.fake_us += 1;
    assert_string_equal(get("short"), "-");
    now.fake_us += INT64_C(86400000000) * 365;
    assert_string_equal(get("ever"), "1");
    assert_int_equal(gw_cache_stats(cache).entries, 1);
}

static void least_used_goes_first(void **state)
{
    char big[700];

    (void)state;
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    put("a", big, 0);
    put("b", big, 0);
    assert_string_equal(get("a"), big); /* b is the oldest now */
    put("c", big, 0);
    assert_string_equal(get("b"), "-");
    assert_string_equal(get("a"), big);
    assert_string_equal(get("c"), big);
    assert_true(gw_cache_stats(cache).bytes <= 2000);
}

static void what_is_too_large_is_not_kept(void **state)
{
    char big[2100];

    (void)state;
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    put("a", "1", 0);
    put("a", big, 0);
    assert_string_equal(get("a"), "-"); /* nor the old value */
    assert_int_equal(gw_cache_stats(cache).bytes, 0);
}

static void drops_by_prefix(void **state)
{
    (void)state;
    put("p1.a", "1", 0);
    put("p1.b", "1", 0);
    put("p10", "1", 0);
    put("q*", "1", 0);
    drop("unknown");
    drop("p1.*");
    assert_string_equal(get("p1.a"), "-");
    assert_string_equal(get("p1.b"), "-");
    assert_string_equal(get("p10"), "1");
    drop("p10");
    assert_string_equal(get("p10"), "-");
    drop("*");
    assert_int_equal(gw_cache_stats(cache).entries, 0);
}

static void refuses(void **state)
{
    struct str out, key = str_make(arena_zalloc(a, GW_CACHE_KEY_MAX + 1), GW_CACHE_KEY_MAX + 1);
    struct err e;

    (void)state;
    assert_int_equal(gw_cache_get(cache, STR("ftp://x"), STR("k"), &out, a, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(gw_cache_get(cache, STR(""), key, &out, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(gw_cache_drop(cache, STR(""), STR(""), &e), -1);
}

/* Nobody listens on port 1; the second time nobody asks. */
static void server_away(void **state)
{
    struct str out;
    struct err e;

    (void)state;
    assert_int_equal(gw_cache_get(cache, STR("redis://127.0.0.1:1/0"), STR("k"), &out, a, &e), -1);
    assert_int_equal(e.code, ERR_UPSTREAM);
    assert_int_equal(gw_cache_get(cache, STR("redis://127.0.0.1:1/0"), STR("k"), &out, a, &e), -1);
    assert_non_null(strstr(e.msg, "a moment ago"));
}

/* The name of a cache server that has become an address no server has: nothing is sent there. */
static void server_elsewhere(void **state)
{
    static const char *const urls[] = {"redis://169.254.169.254/0", "redis://:secret@[::ffff:169.254.169.254]:6379/0", "redis://2852039166/"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct str out;
        struct err e;

        now.fake_us += 10000000;
        assert_int_equal(gw_cache_get(cache, str_c(urls[i]), STR("k"), &out, a, &e), -1);
        assert_string_equal(e.msg, "the cache server cannot be used (it has a link-local address)");
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_and_replaces), TEST(forgets_in_time), TEST(least_used_goes_first),
        TEST(what_is_too_large_is_not_kept), TEST(drops_by_prefix), TEST(refuses), TEST(server_away), TEST(server_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
