/*
 * Which paths the table of routes has, who may use what, and the readers of members that all handlers share.
 */
#include "api/api.h"

#include "base/arena.h"
#include "base/json.h"
#include "support/cases.h"

static const struct path_row {
    const char *name, *path;
    bool known;
} path_rows[] = {
    {"literal", "/api/v01/health", true},
    {"final slash", "/api/v01/health/", true},
    {"placeholder", "/api/v01/activities/5", true},
    {"placeholder inside", "/api/v01/activities/5/versions", true},
    {"literal beside a placeholder", "/api/v01/activities/import", true},
    {"too short", "/api/v01", false},
    {"too long", "/api/v01/health/x", false},
    {"empty placeholder", "/api/v01/activities//versions", false},
    {"other case", "/api/v01/Health", false},
    {"custom area", "/api/v01/custom/x", false},
    {"nothing", "", false},
};

static void knows(const struct path_row *r)
{
    assert_int_equal(api_knows(str_c(r->path)), r->known);
}

static const struct access_row {
    const char *name, *access;
    bool is_system, must_change, allowed;
} access_rows[] = {
    {"everybody", "public", false, false, true},
    {"signed in", "user", false, false, true},
    {"himself", "self", false, false, true},
    {"right missing", "orchestration", false, false, false},
    {"system may", "orchestration", true, false, true},
    {"system only", "system", false, false, false},
    {"system", "system", true, false, true},
    {"password first", "user", false, true, false},
    {"password first, system too", "system", true, true, false},
    {"himself before", "self", false, true, true},
};

static void allows(const struct access_row *r)
{
    const struct cfg_profile none = {0};
    struct principal p = {.profile = &none, .is_system = r->is_system, .need_password_change = r->must_change};
    struct err e = {0};

    assert_int_equal(api_allowed(&p, r->access, &e), r->allowed ? 0 : -1);
    if (!r->allowed) {
        assert_int_equal(e.code, ERR_FORBIDDEN);
        assert_int_equal(e.app_code, r->must_change ? 1 : 0);
    }
}

static const struct id_row {
    const char *name, *what, *text;
    int64_t want; /* 0: refused */
} id_rows[] = {
    {"number", "thing", "12", 12},
    {"nought", "thing", "0", 0},
    {"negative", "thing", "-1", 0},
    {"text", "thing", "x", 0},
    {"empty", "thing", "", 0},
    {"trailing", "thing", "12x", 0},
    {"largest of a column of type integer", "thing", "2147483647", INT32_MAX},
    {"too large for one", "thing", "2147483648", 0},
    {"largest of what is counted in bigint", "task", "9223372036854775807", INT64_MAX},
    {"too large for that", "task", "9223372036854775808", 0},
};

static void reads_ids(const struct id_row *r)
{
    struct api_call c = {.params = {str_c(r->text)}};
    struct err e = {0};
    int64_t id = 0;
    int rc = api_id(&c, 0, r->what, &id, &e);

    assert_int_equal(rc, r->want > 0 ? 0 : -1);
    if (rc == 0) {
        assert_int_equal(id, r->want);
    } else {
        assert_int_equal(e.code, ERR_NOT_FOUND);
        assert_string_equal(e.msg + strlen("no such "), r->what);
    }
}

static struct api_call call_with(const char *body, struct arena *a)
{
    struct api_call c = {.a = a};
    struct err e = {0};

    assert_int_equal(json_parse(str_c(body), &c.body, a, &e), 0);
    return c;
}

static void reads_members(void **state)
{
    struct arena *a = arena_new(0);
    struct api_call c = call_with("{\"t\":\"text\",\"n\":7,\"b\":true,\"z\":null,\"long\":\"\xc3\xa9\xc3\xa9\xc3\xa9\",\"e\":\"\"}", a);
    struct str s = STR("kept");
    int64_t n = 1;
    bool b = false;
    struct err e = {0};

    (void)state;
    assert_int_equal(api_body_text(&c, "t", 10, &s, &e), 0);
    assert_true(str_eq_c(s, "text"));
    assert_int_equal(api_body_text(&c, "z", 10, &s, &e), 0);
    assert_int_equal(api_body_text(&c, "absent", 10, &s, &e), 0);
    assert_true(str_eq_c(s, "text"));
    assert_int_equal(api_body_text(&c, "long", 3, &s, &e), 0); /* characters, not bytes */
    assert_int_equal(api_body_text(&c, "long", 2, &s, &e), -1);
    assert_int_equal(api_body_text(&c, "n", 10, &s, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(api_body_int(&c, "n", &n, &e), 0);
    assert_int_equal(n, 7);
    assert_int_equal(api_body_int(&c, "t", &n, &e), -1);
    assert_int_equal(api_body_bool(&c, "b", &b, &e), 0);
    assert_true(b);
    assert_int_equal(api_body_bool(&c, "t", &b, &e), -1);
    assert_int_equal(api_body_need(&c, "e", 10, &s, &e), -1);
    assert_string_equal(e.msg, "e is required");
    assert_int_equal(api_body_need(&c, "z", 10, &s, &e), -1);
    assert_true(api_body_has(&c, "z"));
    assert_false(api_body_has(&c, "absent"));
    arena_free(a);
}

static void refuses_unknown_members(void **state)
{
    struct arena *a = arena_new(0);
    struct api_call c = call_with("{\"name\":1,\"nam\":2}", a);
    struct err e = {0};

    (void)state;
    assert_int_equal(api_body_only(&c, "id,name", &e), -1);
    assert_string_equal(e.msg, "unknown member \"nam\"");
    assert_int_equal(api_body_only(&c, "nam,name", &e), 0);
    c = call_with("[1]", a);
    assert_int_equal(api_body_only(&c, "id", &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_members), cmocka_unit_test(refuses_unknown_members)};

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(path_rows, knows) + CASES(access_rows, allows) + CASES(id_rows, reads_ids);
}
