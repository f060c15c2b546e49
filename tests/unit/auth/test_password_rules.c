/*
 * Rules for passwords that need no database (http-api.md 6.2, section password).
 */
#include "auth/auth.h"
#include "unit/config/box.h"

static const struct row {
    const char *name, *rules, *password, *want; /* NULL: accepted */
} rows[] = {
    {"default length", "{}", "1234567", "password: needs at least 8 characters"},
    {"long enough", "{}", "12345678", NULL},
    {"characters, not bytes", "{}", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
     "password: needs at least 8 characters"},
    {"length as text", "{\"min_length\":\"4\"}", "abcd", NULL},
    {"empty setting is the default", "{\"min_length\":\"\"}", "abcd",
     "password: needs at least 8 characters"},
    {"digits counted", "{\"digits\":2}", "abcdefg1", "password: needs at least 2 digits"},
    {"digits as bool", "{\"digits\":true}", "abcdefgh", "password: needs at least 1 digits"},
    {"upper case", "{\"uppercase\":1}", "abcdefgh",
     "password: needs at least 1 upper case letters"},
    {"lower case", "{\"lowercase\":1}", "ABCDEFGH",
     "password: needs at least 1 lower case letters"},
    {"special", "{\"special_chars\":1}", "abcdefgh",
     "password: needs at least 1 special characters"},
    {"special of the settings help", "{\"special_chars\":4}", "abcd%[]_", NULL},
    {"special of the reset form", "{\"special_chars\":4}", "abcd!@#$", NULL},
    {"entropy too small", "{\"min_entropy\":60}", "abcdefghijkl",
     "password: too easy to guess; make it longer or use more kinds of characters"},
    {"entropy of four alphabets", "{\"min_entropy\":60}", "abCD12%%xy", NULL},
    {"name inside", "{\"cannot_contain_username\":true}", "xxALICExx",
     "password: must not contain the user name"},
    {"name inside, allowed", "{}", "xxALICExx", NULL},
    {"empty", "{\"min_length\":0}", "", "password: must be text"},
    {"not UTF-8", "{}", "abcdefgh\xff", "password: must be text"},
};

static void checks(const struct row *r)
{
    struct cfg_box *b = box_new("{}");
    struct err e = {0};
    int rc;

    b->c.doc = val_dict_new(b->c.a, 1);
    val_dict_set_c(b->c.doc, "password", box_json(r->rules, b->c.a));
    rc = auth_password_check(&b->c, STR("alice"), str_c(r->password), &e);
    if (r->want == NULL) {
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.msg, r->want);
    }
    cfg_put(&b->c);
}

/* What we generate passes the strictest rules we offer. */
static void generated_ones_pass(void **state)
{
    struct cfg_box *b =
        box_new("{\"password\":{\"min_length\":16,\"lowercase\":1,\"uppercase\":1,\"digits\":1,"
                "\"special_chars\":1,\"min_entropy\":90}}");

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct err e = {0};

        if (auth_password_check(&b->c, STR("alice"), password_generate(16, true, b->c.a), &e) != 0)
            fail_msg("%s", e.msg);
    }
    cfg_put(&b->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generated_ones_pass)};

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, checks);
}
