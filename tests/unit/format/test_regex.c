/*
 * Regular expressions: the two dialects, groups, replacing, limits, the shared table.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/cases.h"

#include "format/regex.h"

/* What group 0 matched, "-" for no match, "!message" for an error. */
static struct str try_match(struct str pattern, unsigned flags, struct str subject, struct arena *a)
{
    struct regex *re = NULL;
    struct regex_match m;
    struct err e = {0};
    int rc;

    if (regex_compile(&re, pattern, flags, a, &e) != 0)
        return str_printf(a, "!%s", e.msg);
    rc = regex_exec(re, subject, 0, &m, &e);
    if (rc < 0)
        return str_printf(a, "!%s", e.msg);
    if (rc == 0)
        return STR("-");
    return str_slice(subject, (size_t)m.group[0].from, (size_t)m.group[0].to);
}

static const struct match_row {
    const char *name;
    unsigned flags;
    const char *pattern;
    const char *subject;
    const char *want;
} matches[] = {
    {"named group and back reference", 0, "(?P<q>['\"]).*?(?P=q)", "say 'it' now", "'it'"},
    {"python digits are any script's", 0, "\\d+", "x\u0663\u0664", "\u0663\u0664"},
    {"python ascii flag", 0, "(?a)\\d+", "\u0663", "-"},
    {"python end is the very end", 0, "a\\Z", "a\n", "-"},
    {"python dollar allows a newline", 0, "a$", "a\n", "a"},
    {"python letter of four hex digits", 0, "\\u00e9", "caf\u00e9", "\u00e9"},
    {"python bracket in a class", 0, "[[a]+", "x[a[", "[a["},
    {"python closing bracket first in a class", 0, "[]a]+", "x]a", "]a"},
    {"python open lower bound", 0, "^a{,2}$", "aa", "aa"},
    {"python octal", 0, "\\101\\0", "A", "-"},
    {"python back reference before a digit", 0, "(a)(b)\\2c", "abbc", "abbc"},
    {"python unknown escape", 0, "\\q", "q", "!bad escape \"\\q\""},
    {"python possessive", 0, "a++b", "aab", "aab"},
    {"python comment group", 0, "a(?#[ not a class)b", "ab", "ab"},
    {"python scoped flags", 0, "(?i:A)b", "ab", "ab"},
    {"python unicode flag is dropped", 0, "(?u)a", "a", "a"},
    {"python verbose comment may hold brackets", 0, "(?x) a # [ (\n b", "ab", "ab"},
    {"verbs are refused", 0, "(*UTF)a", "a", "!nothing to repeat at \"*\""},
    {"ignore case", REGEX_ICASE, "\u00c9A", "\u00e9a", "\u00e9a"},
    {"multi-line", REGEX_MULTILINE, "^b$", "a\nb\nc", "b"},
    {"dot and newline", REGEX_DOTALL, "a.b", "a\nb", "a\nb"},
    {"dot stops at newline", 0, "a.b", "a\nb", "-"},
    {"anchored", REGEX_ANCHORED, "b", "ab", "-"},
    {"full takes the alternative that fits", REGEX_FULL, "a|ab", "ab", "ab"},
    {"ecma digits are ascii", REGEX_ECMA, "^\\d$", "\u0663", "-"},
    {"ecma word is ascii", REGEX_ECMA, "^\\w$", "\u00e9", "-"},
    {"ecma space knows the byte order mark", REGEX_ECMA, "^\\s$", "\ufeff", "\ufeff"},
    {"ecma not space in a class", REGEX_ECMA, "^[\\S]$", "\u2003", "-"},
    {"ecma dollar is the end", REGEX_ECMA, "^abc$", "abc\n", "-"},
    {"ecma control letter", REGEX_ECMA, "^\\cC$", "\x03", "\x03"},
    {"ecma long category", REGEX_ECMA, "\\p{Letter}+", "1caf\u00e9", "caf\u00e9"},
    {"ecma category by key", REGEX_ECMA, "\\p{General_Category=Uppercase_Letter}", "aB", "B"},
    {"ecma script", REGEX_ECMA, "\\p{Script=Greek}+", "a\u03b1\u03b2", "\u03b1\u03b2"},
    {"ecma surrogates", REGEX_ECMA, "^\\uD83D\\uDC32*$", "\U0001f432\U0001f432",
     "\U0001f432\U0001f432"},
    {"ecma code point escape", REGEX_ECMA, "^\\u{1F432}$", "\U0001f432", "\U0001f432"},
    {"ecma refuses \\a", REGEX_ECMA, "\\a", "a", "!bad escape \"\\a\""},
    {"ecma refuses \\Z", REGEX_ECMA, "a\\Z", "a", "!bad escape \"\\Z\""},
    {"ecma refuses possessive", REGEX_ECMA, "a++", "a", "!nothing to repeat at \"+\""},
    {"ecma refuses inline flags", REGEX_ECMA, "(?i)a", "a", "!unknown group \"(?i\""},
    {"ecma empty class", REGEX_ECMA, "a[]", "a", "-"},
    {"ecma class of everything", REGEX_ECMA, "a[^]b", "a\nb", "a\nb"},
    {"ecma escaped punctuation", REGEX_ECMA, "\\-\\/\\_", "-/_", "-/_"},
    {"ecma dot and line separator", REGEX_ECMA, "a.b", "a\u2028b", "-"},
    {"unterminated class", 0, "[a", "a", "!unterminated character set \"[a\""},
    {"missing parenthesis", 0, "(a", "a", "!missing closing parenthesis"},
    {"explosion", 0, "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
     "!the regular expression needs too many steps"},
    {"broken pattern", 0, "\xff", "a", "!the regular expression is not UTF-8"},
    {"broken subject", 0, "a", "\xff", "!the text is not UTF-8"},
};

static void match(const struct match_row *r)
{
    struct arena *a = arena_new(0);
    struct str got = try_match(str_c(r->pattern), r->flags, str_c(r->subject), a);

    assert_string_equal(str_cstr(a, got), r->want);
    arena_free(a);
}

static const struct sub_row {
    const char *name;
    const char *pattern;
    const char *with;
    const char *subject;
    int count;
    const char *want;
} subs[] = {
    {"group", "^a.*i(.*)$", "a\\1", "ansible", 0, "able"},
    {"delete", ":80", "", "localhost:80", 0, "localhost"},
    {"named", "(?P<n>\\d)", "<\\g<n>>", "a1b2", 0, "a<1>b<2>"},
    {"numbered before a digit", "(a)", "\\g<1>0", "a", 0, "a0"},
    {"whole match", "b", "[\\g<0>]", "abc", 0, "a[b]c"},
    {"count", "a", "x", "aaa", 2, "xxa"},
    {"empty matches beside others", "x*", "-", "abxd", 0, "-a-b--d-"},
    {"escapes", "a", "\\n\\t\\\\", "a", 0, "\n\t\\"},
    {"octal", "a", "\\101\\0", "a", 0, "A"},
    {"unset group is empty", "(a)|b", "[\\1]", "ab", 0, "[a][]"},
    {"bad reference", "a", "\\2", "a", 0, "!invalid group reference \"2\""},
    {"bad name", "a", "\\g<x>", "a", 0, "!invalid group reference \"x\""},
    {"bad escape", "a", "\\q", "a", 0, "!bad escape \"\\q\" in the replacement"},
    {"nothing matches", "z", "y", "abc", 0, "abc"},
};

static void sub(const struct sub_row *r)
{
    struct arena *a = arena_new(0);
    struct regex *re = NULL;
    struct err e = {0};
    struct buf out;

    buf_init(&out, KIB, a);
    assert_int_equal(regex_compile(&re, str_c(r->pattern), 0, a, &e), 0);
    if (regex_sub(re, str_c(r->with), str_c(r->subject), r->count, &out, &e) != 0) {
        assert_int_equal(r->want[0], '!');
        assert_string_equal(e.msg, r->want + 1);
    } else {
        assert_string_equal(buf_cstr(&out), r->want);
    }
    arena_free(a);
}

static void groups_are_named(void **state)
{
    struct arena *a = arena_new(0);
    struct regex *re = NULL;
    struct regex_match m;
    struct err e = {0};

    (void)state;
    assert_int_equal(regex_compile(&re, STR("(?P<year>\\d+)-(?P<month>\\d+)(x)?"), 0, a, &e), 0);
    assert_int_equal(regex_n_groups(re), 3);
    assert_int_equal(regex_group(re, STR("month")), 2);
    assert_int_equal(regex_group(re, STR("day")), -1);
    assert_int_equal(regex_group(re, STR("year")), 1);
    assert_int_equal(regex_exec(re, STR("at 2024-05."), 0, &m, &e), 1);
    assert_int_equal(m.n_groups, 4);
    assert_int_equal(m.group[2].from, 8);
    assert_int_equal(m.group[2].to, 10);
    assert_int_equal(m.group[3].from, -1);
    arena_free(a);
}

static void column_is_that_of_the_pattern(void **state)
{
    struct arena *a = arena_new(0);
    struct regex *re = NULL;
    struct err e = {0};

    (void)state;
    assert_int_equal(regex_compile(&re, STR("\\u00e9\\s+)"), REGEX_ECMA, a, &e), -1);
    assert_int_equal(e.column, 10);
    arena_free(a);
}

static void next_walks_as_python_does(void **state)
{
    struct arena *a = arena_new(0);
    struct regex_match m = {.n_groups = 0};
    struct regex *re = NULL;
    struct err e = {0};
    char seen[64] = "";
    size_t n = 0;

    (void)state;
    assert_int_equal(regex_compile(&re, STR("b*"), 0, a, &e), 0);
    while (regex_next(re, STR("\u00e9bb\u00e9"), &m, &e) == 1)
        n += (size_t)snprintf(seen + n, sizeof seen - n, "%d-%d ", (int)m.group[0].from,
                              (int)m.group[0].to);
    assert_string_equal(seen, "0-0 2-4 4-4 6-6 ");
    arena_free(a);
}

/* On a long subject: what is quick stays quick, what is slow ends, and the answers are the same. */
static void long_subjects_are_watched(void **state)
{
    struct arena *a = arena_new(0);
    size_t n = 300000;
    char *p = arena_alloc(a, n);
    struct regex *slow = NULL;
    struct regex *quick = NULL;
    struct regex_match m;
    struct err e = {0};
    struct buf out;

    (void)state;
    memset(p, 'a', n);
    memcpy(p + n - 5, "12-34", 5);
    assert_int_equal(regex_compile(&quick, STR("(\\d+)-(?P<to>\\d+)$"), 0, a, &e), 0);
    assert_int_equal(regex_exec(quick, str_make(p, n), 0, &m, &e), 1);
    assert_int_equal(m.group[2].from, n - 2);
    buf_init(&out, MIB, a);
    assert_int_equal(regex_sub(quick, STR("\\2"), str_make(p, n), 0, &out, &e), 0);
    assert_int_equal(out.len, n - 3);
    assert_int_equal(regex_compile(&slow, STR("(a*)(a*)[bc]"), 0, a, &e), 0);
    assert_int_equal(regex_exec(slow, str_make(p, n), 0, &m, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    arena_free(a);
}

/* More expressions than the table holds, from several threads, each used after it was handed out.
 */
static void *use_cache(void *arg)
{
    unsigned seed = *(const unsigned *)arg;

    for (unsigned i = 0; i < 1500; i++) {
        const struct regex *re = NULL;
        struct regex_match m;
        struct err e = {0};
        char pattern[32];
        int n = snprintf(pattern, sizeof pattern, "^%u(x*)$", (i * 7 + seed) % 900);

        if (regex_cached(&re, str_make(pattern, (size_t)n), 0, &e) != 0 ||
            regex_exec(re, str_make(pattern + 1, (size_t)n - 6), 0, &m, &e) != 1)
            return arg;
    }
    return NULL;
}

static void cache_is_shared_and_bounded(void **state)
{
    pthread_t threads[3];
    unsigned seeds[3] = {0, 1, 450};
    const struct regex *one = NULL;
    const struct regex *two = NULL;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, &seeds[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(regex_cached(&one, STR("a"), 0, &e), 0);
    assert_int_equal(regex_cached(&two, STR("a"), 0, &e), 0);
    assert_ptr_equal(one, two);
    assert_int_equal(regex_cached(&two, STR("a"), REGEX_ICASE, &e), 0);
    assert_ptr_not_equal(one, two);
    assert_int_equal(regex_cached(&two, STR("("), 0, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_named),
        cmocka_unit_test(column_is_that_of_the_pattern),
        cmocka_unit_test(next_walks_as_python_does),
        cmocka_unit_test(long_subjects_are_watched),
        cmocka_unit_test(cache_is_shared_and_bounded),
    };

    return CASES(matches, match) + CASES(subs, sub) + cmocka_run_group_tests(tests, NULL, NULL);
}
