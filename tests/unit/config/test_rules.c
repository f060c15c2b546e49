/*
 * api_rules: first match wins, none refuses (gateway-proxy.md 5).
 */
#include "unit/config/box.h"

#define ALL "{\"method\":\"get\",\"url\":\"/api/v01/p1/*\",\"allowed\":true}"

static const struct row {
    const char *name, *rules;
    enum http_method method;
    const char *path;
    bool want;
} rows[] = {
    {"no rules", "[]", HTTP_GET, "/api/v01/p1/x", false},
    {"star", "[" ALL "]", HTTP_GET, "/api/v01/p1/x", true},
    {"star over slashes", "[" ALL "]", HTTP_GET, "/api/v01/p1/x/y/z", true},
    {"star for nothing", "[" ALL "]", HTTP_GET, "/api/v01/p1/", true},
    {"final slash missing", "[" ALL "]", HTTP_GET, "/api/v01/p1", true},
    {"another method", "[" ALL "]", HTTP_POST, "/api/v01/p1/x", false},
    {"head is get", "[" ALL "]", HTTP_HEAD, "/api/v01/p1/x", true},
    {"upper case method", "[{\"method\":\"GET\",\"url\":\"*\",\"allowed\":true}]", HTTP_GET, "/a",
     true},
    {"any method", "[{\"method\":\"any\",\"url\":\"*\",\"allowed\":true}]", HTTP_DELETE, "/a",
     true},
    {"star as method", "[{\"method\":\"*\",\"url\":\"*\",\"allowed\":true}]", HTTP_PUT, "/a", true},
    {"first one wins: refuse",
     "[{\"method\":\"get\",\"url\":\"/api/v01/p1/secret/*\",\"allowed\":false}," ALL "]", HTTP_GET,
     "/api/v01/p1/secret/x", false},
    {"refusal holds without the slash too",
     "[{\"method\":\"get\",\"url\":\"/api/v01/p1/secret/*\",\"allowed\":false}," ALL "]", HTTP_GET,
     "/api/v01/p1/secret", false},
    {"first one wins: allow", "[" ALL ",{\"method\":\"get\",\"url\":\"*\",\"allowed\":false}]",
     HTTP_GET, "/api/v01/p1/x", true},
    {"without star: equal", "[{\"method\":\"get\",\"url\":\"/a/b\",\"allowed\":true}]", HTTP_GET,
     "/a/b", true},
    {"without star: final slash ignored",
     "[{\"method\":\"get\",\"url\":\"/a/b\",\"allowed\":true}]", HTTP_GET, "/a/b/", true},
    {"rule with final slash", "[{\"method\":\"get\",\"url\":\"/a/b/\",\"allowed\":true}]", HTTP_GET,
     "/a/b", true},
    {"without star: no prefix", "[{\"method\":\"get\",\"url\":\"/a/b\",\"allowed\":true}]",
     HTTP_GET, "/a/b/c", false},
    {"star inside", "[{\"method\":\"get\",\"url\":\"/a/*/c\",\"allowed\":true}]", HTTP_GET,
     "/a/x/y/c", true},
    {"star inside, no end", "[{\"method\":\"get\",\"url\":\"/a/*/c\",\"allowed\":true}]", HTTP_GET,
     "/a/x/y/d", false},
    {"many stars", "[{\"method\":\"get\",\"url\":\"*a*b*c*\",\"allowed\":true}]", HTTP_GET,
     "/xxaxxbxxcxx", true},
    {"unreadable method refuses", "[{\"method\":\"fetch\",\"url\":\"*\",\"allowed\":true}]",
     HTTP_GET, "/a", false},
    {"allowed missing", "[{\"method\":\"get\",\"url\":\"*\"}]", HTTP_GET, "/a", false},
#define GUARDED "[{\"method\":\"get\",\"url\":\"/a/secret/*\",\"allowed\":false},{\"method\":\"get\",\"url\":\"/a/*\",\"allowed\":true}]"
    {"parameters do not hide it", GUARDED, HTTP_GET, "/a/secret;v=1/x", false},
    {"nor before it", GUARDED, HTTP_GET, "/a;v=1/secret/x", false},
    {"nor empty ones", GUARDED, HTTP_GET, "/a/secret;/x", false},
    {"parameters elsewhere", GUARDED, HTTP_GET, "/a/open;v=1/x", true},
    {"an escaped separator does not hide it", GUARDED, HTTP_GET, "/a/secret%2Fx", false},
    {"nor before it", GUARDED, HTTP_GET, "/a%2Fsecret/x", false},
    {"nor an escaped backslash", GUARDED, HTTP_GET, "/a/secret%5Cx", false},
    {"nor a backslash", GUARDED, HTTP_GET, "/a/secret\\x", false},
    {"both", GUARDED, HTTP_GET, "/a%2Fsecret;v=1/x", false},
    {"an id with a separator", GUARDED, HTTP_GET, "/a/b%2Fc/", true},
    {"what is not refused needs no second rule", "[{\"method\":\"get\",\"url\":\"/t/a%2Fb\",\"allowed\":true}]", HTTP_GET, "/t/a%2Fb", true},
    {"escapes made canonical", "[{\"method\":\"get\",\"url\":\"/%61/%2f\",\"allowed\":true}]",
     HTTP_GET, "/a/%2F", true},
};

static void allows(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_profile p = {0};

    rules_read(&p, box_json(r->rules, a), a);
    assert_int_equal(cfg_rules_allow(&p, r->method, str_c(r->path)), r->want);
    arena_free(a);
}

static void without_profile(void **state)
{
    static const struct str names[] = {{"requests", 8}, {"settings.users", 14}};
    const struct cfg_profile p = {.accesses = names, .n_accesses = 2};

    (void)state;
    assert_false(cfg_rules_allow(NULL, HTTP_GET, STR("/a")));
    assert_false(cfg_has_access(NULL, "requests"));
    assert_true(cfg_has_access(&p, "settings.users"));
    assert_false(cfg_has_access(&p, "settings"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_profile)};

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, allows);
}
