/*
 * Cookies of a login and the URLs of calls (gateway-proxy.md 6.1, workflow-engine.md 3.3).
 */
#include "support/cases.h"

#include "base/arena.h"
#include "gateway/gw_http.h"

static const struct row {
    const char *name;
    const char *set[4];
    const char *want;
} rows[] = {
    {"none", {NULL}, ""},
    {"attributes go", {"sessionid=abc; Path=/; HttpOnly"}, "sessionid=abc"},
    {"all are kept", {"sessionid=abc", "lb=1; Secure"}, "sessionid=abc; lb=1"},
    {"the last of a name wins", {"a=1", "b=2", "a=3"}, "a=3; b=2"},
    {"an emptied one goes", {"a=1", "b=2", "a=; Max-Age=0"}, "b=2"},
    {"names that start alike", {"ab=1", "a=2"}, "ab=1; a=2"},
    {"values with equal signs", {"a=b=c"}, "a=b=c"},
};

static void cookies(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct http_header headers[5] = {{STR("content-type"), STR("text/plain")}};
    size_t n = 1;

    for (size_t i = 0; i < 4 && r->set[i] != NULL; i++)
        headers[n++] = (struct http_header){STR("set-cookie"), str_c(r->set[i])};
    assert_string_equal(str_cstr(a, gw_cookies(headers, n, a)), r->want);
    arena_free(a);
}

static const struct join {
    const char *name;
    const char *base;
    const char *path;
    const char *want;
} joins[] = {
    {"no slash", "http://h/api", "x", "http://h/api/x"},
    {"one slash", "http://h/api", "/x", "http://h/api/x"},
    {"two slashes", "http://h/api/", "/x", "http://h/api/x"},
    {"query stays", "http://h", "x?a=/b", "http://h/x?a=/b"},
    {"final slash stays", "http://h", "/x/", "http://h/x/"},
};

static void joined(const struct join *j)
{
    struct arena *a = arena_new(0);

    assert_string_equal(str_cstr(a, gw_url_join(str_c(j->base), str_c(j->path), a)), j->want);
    arena_free(a);
}

/* A network error moves later calls to the next URL, in a circle, and only from the URL in use. */
static void failover(void **state)
{
    const struct str backups[] = {STR("http://b"), STR("http://c")};
    const struct cfg_gateway g = {
        .name = STR("g"), .url = STR("http://a"), .backup_urls = backups, .n_backup_urls = 2};
    struct clock clock = clock_system;
    struct gw_sessions *s = gw_sessions_new(NULL, &clock);

    (void)state;
    assert_true(str_eq_c(gw_url(s, &g), "http://a"));
    gw_url_failed(s, &g, STR("http://a"));
    assert_true(str_eq_c(gw_url(s, &g), "http://b"));
    gw_url_failed(s, &g, STR("http://a"));
    assert_true(str_eq_c(gw_url(s, &g), "http://b"));
    gw_url_failed(s, &g, STR("http://b"));
    assert_true(str_eq_c(gw_url(s, &g), "http://c"));
    gw_url_failed(s, &g, STR("http://c"));
    assert_true(str_eq_c(gw_url(s, &g), "http://a"));
    gw_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failover)};

    return CASES(rows, cookies) + CASES(joins, joined) + cmocka_run_group_tests(tests, NULL, NULL);
}
