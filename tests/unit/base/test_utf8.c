/*
 * UTF-8: what is well-formed, walking, repairing.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/utf8.h"

static const struct check_row {
    const char *name;
    const char *in;
    size_t want;          /* bytes that are fine */
    const char *repaired; /* "?" stands for U+FFFD */
} checks[] = {
    {"empty", "", 0, ""},
    {"ascii", "hello, world 0123456789", 23, "hello, world 0123456789"},
    {"two to four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"bad byte behind eight good ones", "12345678\xff", 8, "12345678?"},
    {"lone continuation", "a\x80", 1, "a?"},
    {"shorter form, two bytes", "\xc0\xaf", 0, "??"},
    {"shorter form, three bytes", "\xe0\x80\xaf", 0, "???"},
    {"shorter form, four bytes", "\xf0\x80\x80\xaf", 0, "????"},
    {"surrogate", "\xed\xa0\x80", 0, "???"},
    {"last before the surrogates", "\xed\x9f\xbf", 3, "\xed\x9f\xbf"},
    {"beyond U+10FFFF", "\xf4\x90\x80\x80", 0, "????"},
    {"last of all", "\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
    {"cut short", "ab\xe2\x82", 2, "ab?"},
    {"cut short in the middle", "\xf0\x9f\x98xyz", 0, "?xyz"},
    {"lead after lead", "\xc3\xc3\xa9", 0, "?\xc3\xa9"},
    {"old five byte form", "\xf8\x88\x80\x80\x80", 0, "?????"},
};

static void check(const struct check_row *r)
{
    struct arena *a = arena_new(0);
    struct str s = str_c(r->in);
    struct str got = utf8_repair(a, s);
    size_t at = 0;

    assert_int_equal(utf8_check(s), r->want);
    for (const char *p = r->repaired; *p != '\0'; p++) {
        if (*p == '?') {
            assert_memory_equal(got.p + at, "\xef\xbf\xbd", 3);
            at += 3;
        } else {
            assert_int_equal(got.p[at], *p);
            at++;
        }
    }
    assert_int_equal(at, got.len);
    assert_int_equal(utf8_check(got), got.len);
    arena_free(a);
}

/* Every code point there and back; the checker takes exactly those that are not surrogates. */
static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        char text[4];
        size_t n = utf8_put(text, cp);
        const char *p = text;
        bool fine = utf8_check(str_make(text, n)) == n;
        if (fine != (cp < 0xd800 || cp > 0xdfff) || utf8_next(&p, text + n) != cp || p != text + n)
            fail_msg("U+%04X", cp);
    }
}

static void walks(void **state)
{
    struct str s = STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");

    (void)state;
    assert_int_equal(utf8_len(s), 5);
    assert_int_equal(utf8_offset(s, 0), 0);
    assert_int_equal(utf8_offset(s, 2), 3);
    assert_int_equal(utf8_offset(s, 4), 10);
    assert_int_equal(utf8_offset(s, 5), 11);
    assert_int_equal(utf8_offset(s, 99), 11);
    assert_true(utf8_is_ascii(STR("0123456789")));
    assert_true(utf8_is_ascii(STR_NONE));
    assert_false(utf8_is_ascii(s));
    assert_false(utf8_is_ascii(STR("0123456\xc3\xa9")));
}

static void printable(void **state)
{
    (void)state;
    assert_true(utf8_printable(' '));
    assert_true(utf8_printable('~'));
    assert_false(utf8_printable(0x7f));
    assert_false(utf8_printable('\n'));
    assert_false(utf8_printable(0xa0));
    assert_true(utf8_printable(0xa1));
    assert_false(utf8_printable(0xad));
    assert_true(utf8_printable(0xe9));
    assert_false(utf8_printable(0x200b));
    assert_false(utf8_printable(0x2028));
    assert_true(utf8_printable(0x20ac));
    assert_false(utf8_printable(0xe000));
    assert_true(utf8_printable(0x1f600));
    assert_true(utf8_printable(0xe0100));
    assert_false(utf8_printable(0x10ffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(walks),
        cmocka_unit_test(printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(checks, check);
}
