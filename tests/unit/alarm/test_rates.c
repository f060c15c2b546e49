/*
 * Windows that slide, and what the thresholds of the configuration make of them; time is given.
 */
#include "support/cases.h"

#include "alarm/rates.h"
#include "base/arena.h"
#include "base/json.h"

enum { SLOT = 30000 };

static void slides(void **state)
{
    struct rate r = {0};
    uint64_t calls, bad;
    int64_t now = 1700000000000;

    (void)state;
    rate_totals(&r, now, SLOT, 1000, 500); /* what was before does not count */
    rate_window(&r, now, SLOT, &calls, &bad);
    assert_int_equal(calls, 0);
    for (uint64_t i = 1; i <= 20; i++) /* ten calls, one of them bad, each half minute */
        rate_totals(&r, now + (int64_t)i * SLOT, SLOT, 1000 + i * 10, 500 + i);
    rate_window(&r, now + 20 * SLOT, SLOT, &calls, &bad);
    assert_int_equal(calls, 100);
    assert_int_equal(bad, 10);
    rate_window(&r, now + 25 * SLOT, SLOT, &calls, &bad);
    assert_int_equal(calls, 50);
    rate_window(&r, now + 30 * SLOT, SLOT, &calls, &bad);
    assert_int_equal(calls, 0);
    rate_totals(&r, now + 31 * SLOT, SLOT, 5, 0); /* another count from the start */
    rate_totals(&r, now + 31 * SLOT, SLOT, 7, 1);
    rate_window(&r, now + 31 * SLOT, SLOT, &calls, &bad);
    assert_int_equal(calls, 2);
    assert_int_equal(bad, 1);
}

#define RULE(info, major, critical)                                                                                                    \
    "{\"system_clear\":true,\"thresholds\":[{\"level\":\"info\",\"threshold\":" info "},{\"level\":\"major\",\"threshold\":" major     \
    "},{\"level\":\"critical\",\"threshold\":" critical "}]}"

static const struct row {
    const char *name, *rule;
    uint64_t calls, bad;
    enum rate_verdict success, count;
    const char *success_level, *count_level;
} rows[] = {
    {"no rule", "{}", 100, 100, RATE_UNKNOWN, RATE_UNKNOWN, NULL, NULL},
    {"nothing filled in", RULE("\"\"", "\"\"", "null"), 100, 100, RATE_UNKNOWN, RATE_UNKNOWN, NULL, NULL},
    {"all is well", RULE("95", "90", "50"), 100, 5, RATE_FINE, RATE_FINE, NULL, NULL},
    {"a little", RULE("95", "90", "50"), 100, 6, RATE_BAD, RATE_FINE, "info", NULL},
    {"more", RULE("95", "90", "50"), 100, 11, RATE_BAD, RATE_FINE, "major", NULL},
    {"much", RULE("95", "90", "50"), 100, 51, RATE_BAD, RATE_BAD, "critical", "critical"},
    {"one level only", RULE("\"\"", "90", "\"\""), 100, 60, RATE_BAD, RATE_FINE, "major", NULL},
    {"numbers as text", RULE("\"95\"", "\"\"", "\"50.5\""), 100, 50, RATE_BAD, RATE_FINE, "critical", NULL},
    {"too few to say", RULE("95", "90", "50"), 9, 9, RATE_UNKNOWN, RATE_FINE, NULL, NULL},
    {"few, but fine", RULE("95", "90", "50"), 1, 0, RATE_FINE, RATE_FINE, NULL, NULL},
    {"no calls", RULE("95", "90", "50"), 0, 0, RATE_UNKNOWN, RATE_FINE, NULL, NULL},
    {"counts by level", RULE("1", "5", "20"), 0, 5, RATE_UNKNOWN, RATE_BAD, NULL, "major"},
};

static void judges(const struct row *r)
{
    struct arena *a = arena_new(0);
    const char *level = NULL;
    double percent;
    struct val rule;
    struct err e;

    assert_int_equal(json_parse(str_c(r->rule), &rule, a, &e), 0);
    assert_int_equal(rate_judge_success(rule, r->calls, r->bad, &percent, &level), r->success);
    if (r->success_level != NULL)
        assert_string_equal(level, r->success_level);
    assert_int_equal(rate_judge_count(rule, r->bad, &level), r->count);
    if (r->count_level != NULL)
        assert_string_equal(level, r->count_level);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slides)};

    return CASES(rows, judges) + cmocka_run_group_tests(tests, NULL, NULL);
}
