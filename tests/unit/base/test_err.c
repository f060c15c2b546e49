/*
 * Errors: messages, context, cutting at characters.
 */
#include "support/cases.h"

#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

static void sets_and_clears(void **state)
{
    struct err e = {.line = 3, .column = 4, .app_code = 1, .detail = "old"};

    (void)state;
    err_set(&e, ERR_NOT_FOUND, "no workflow \"%s\"", "x");
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.msg, "no workflow \"x\"");
    assert_int_equal(e.line + e.column + e.app_code, 0);
    assert_string_equal(e.detail, "");
    err_detail(&e, "select %d", 1);
    err_context(&e, "loading \"%s\"", "y");
    assert_string_equal(e.msg, "loading \"y\": no workflow \"x\"");
    assert_string_equal(e.detail, "select 1");
    err_set(&e, ERR_INTERNAL, "again: %s", e.msg);
    assert_string_equal(e.msg, "again: loading \"y\": no workflow \"x\"");
    err_clear(&e);
    assert_int_equal(e.code, ERR_NONE);
    assert_string_equal(e.msg, "");
    err_set(NULL, ERR_INVALID, "nobody listens");
    err_context(NULL, "nobody");
}

static void cuts_at_characters(void **state)
{
    struct err e;
    char text[2 * ERR_TEXT_MAX];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        text[sizeof(text) - 5] = '\0';
        err_set(&e, ERR_INVALID, "%s", text);
        size_t len = strlen(e.msg);
        assert_in_range(len, ERR_TEXT_MAX - 5, ERR_TEXT_MAX - 1);
        assert_int_equal(utf8_check(str_c(e.msg)), len);
        err_context(&e, "a");
        assert_int_equal(utf8_check(str_c(e.msg)), strlen(e.msg));
    }
}

/* Such a text could not be stored, nor sent as JSON. */
static void mends_what_is_quoted(void **state)
{
    struct err e;

    (void)state;
    err_set(&e, ERR_INVALID, "\"%.*s\" is no number", 4, "1x\xe2\x82\xac");
    assert_string_equal(e.msg, "\"1x??\" is no number");
    err_context(&e, "\xff\xc3\xa9");
    assert_string_equal(e.msg, "?\xc3\xa9: \"1x??\" is no number");
    err_detail(&e, "a\x80");
    assert_string_equal(e.detail, "a?");
}

static void names(void **state)
{
    (void)state;
    for (enum err_code c = ERR_NONE; c <= ERR_USAGE; c++)
        assert_non_null(err_code_name(c));
    assert_string_equal(err_code_name(ERR_LIMIT), "limit");
    assert_string_equal(err_code_name((enum err_code)999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_clears),
        cmocka_unit_test(cuts_at_characters),
        cmocka_unit_test(mends_what_is_quoted),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
