/*
 * Latencies by gateway and route: what a route is, how calls are counted, how many rows there may be.
 */
#include "stats.h"

#include <stdio.h>

#include "base/arena.h"
#include "support/cases.h"

static const struct route_row {
    const char *name, *rest, *want;
} route_rows[] = {
    {"the prefix alone", "", "/"},
    {"slash", "/", "/"},
    {"collection", "/tenants", "/tenants"},
    {"final slash", "/tenants/", "/tenants"},
    {"item", "/tenants/acme", "/tenants/{}"},
    {"collection of an item", "/tenants/acme/groups/", "/tenants/{}/groups"},
    {"item with escapes", "/tenants/a%2Fb/groups/x%20y/users/", "/tenants/{}/groups/{}/users"},
    {"number where a collection was expected", "/tenants/acme/32485", "/tenants/{}/{}"},
    {"capitals are no collection", "/tenants/acme/Groups", "/tenants/{}/{}"},
    {"long names are no collection", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/{}"},
    {"as long as may be", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"a quote cannot leave its label", "/\"} evil 1", "/{}"},
    {"too deep", "/a/b/a/b/a/b/a/b/a/b/a/b/a/b", "/a/{}/a/{}/a/{}/a/{}/a/{}/a/{}/..."},
    {"too long", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/x/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/x/cccccccccccccccccccccccccccccccc/x/dddddddddddddd",
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/{}/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/{}/cccccccccccccccccccccccccccccccc/{}/..."},
};

static void routes(const struct route_row *r)
{
    struct arena *a = arena_new(0);

    assert_string_equal(str_cstr(a, stats_route(str_c(r->rest), a)), r->want);
    arena_free(a);
}

static const char *rendered(struct stats *s, struct arena *a)
{
    struct buf b;

    buf_init(&b, 4 * 1024 * 1024, a);
    stats_render(s, &b);
    return buf_cstr(&b);
}

static size_t lines_with(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part))
        n++;
    return n;
}

#define ROW(name) "sluice_proxy_" name "{gateway=\"bwks\",method=\"GET\",route=\"/tenants/{}\""

static void counts_calls(void **state)
{
    struct arena *a = arena_new(0);
    struct stats *s = stats_new();
    const char *text;

    (void)state;
    stats_call(s, STR("bwks"), STR("GET"), STR("/tenants/a/"), 200, 500, 400);
    stats_call(s, STR("bwks"), STR("GET"), STR("/tenants/b"), 204, 501, 300);
    stats_call(s, STR("bwks"), STR("GET"), STR("/tenants/c"), 404, 45000000, 100);
    stats_call(s, STR("bwks"), STR("GET"), STR("/tenants/d"), 0, -5, -5);
    stats_call(s, STR("bwks"), STR("GET"), STR("/tenants/e"), 777, 1, 0);
    text = rendered(s, a);
    assert_non_null(strstr(text, "# TYPE sluice_proxy_seconds histogram\n"));
    assert_non_null(strstr(text, ROW("seconds_bucket") ",le=\"0.0005\"} 3\n"));
    assert_non_null(strstr(text, ROW("seconds_bucket") ",le=\"0.001\"} 4\n"));
    assert_non_null(strstr(text, ROW("seconds_bucket") ",le=\"30\"} 4\n"));
    assert_non_null(strstr(text, ROW("seconds_bucket") ",le=\"+Inf\"} 5\n"));
    assert_non_null(strstr(text, ROW("seconds_count") "} 5\n"));
    assert_non_null(strstr(text, ROW("seconds_sum") "} 45.001002\n"));
    assert_non_null(strstr(text, ROW("gateway_seconds_sum") "} 0.000800\n"));
    assert_non_null(strstr(text, ROW("calls_total") ",status=\"2xx\"} 2\n"));
    assert_non_null(strstr(text, ROW("calls_total") ",status=\"4xx\"} 1\n"));
    assert_non_null(strstr(text, ROW("calls_total") ",status=\"none\"} 2\n"));
    assert_null(strstr(text, "status=\"5xx\""));
    stats_free(s);
    arena_free(a);
}

/* Methods that are not known, and routes beyond the table, count together. */
static void stays_small(void **state)
{
    struct arena *a = arena_new(0);
    struct stats *s = stats_new();
    const char *text;
    char path[32];

    (void)state;
    stats_call(s, STR("bwks"), STR("BREW\"x"), STR("/tenants"), 200, 1, 1);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/c%d-x", i);
        stats_call(s, STR("bwks"), STR("GET"), str_c(path), 200, 1, 1);
        stats_call(s, STR("bwks"), STR("GET"), str_c(path), 200, 1, 1);
    }
    text = rendered(s, a);
    assert_int_equal(lines_with(text, "sluice_proxy_seconds_count{"), 256);
    assert_non_null(strstr(text, "sluice_proxy_seconds_count{gateway=\"bwks\",method=\"other\",route=\"/tenants\"} 1\n"));
    assert_non_null(strstr(text, "sluice_proxy_seconds_count{gateway=\"bwks\",method=\"GET\",route=\"/c253-x\"} 2\n"));
    assert_non_null(strstr(text, "sluice_proxy_seconds_count{gateway=\"other\",method=\"other\",route=\"other\"} 1492\n"));
    assert_null(strstr(text, "BREW"));
    stats_free(s);
    stats_free(NULL);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_calls), cmocka_unit_test(stays_small)};

    return CASES(route_rows, routes) + cmocka_run_group_tests(tests, NULL, NULL);
}
