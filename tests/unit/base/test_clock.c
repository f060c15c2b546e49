/*
 * The calendar and the form of timestamps.
 */
#include "support/cases.h"

#include "base/clock.h"

static const struct row {
    const char *name;
    int64_t us;
    const char *want;
} rows[] = {
    {"epoch", 0, "1970-01-01T00:00:00.000000Z"},
    {"the API's example", 1613769604389189, "2021-02-19T21:20:04.389189Z"},
    {"before the epoch", -1, "1969-12-31T23:59:59.999999Z"},
    {"leap day", 1709164800000000, "2024-02-29T00:00:00.000000Z"},
    {"no leap day in 2100", 4107542400000000, "2100-03-01T00:00:00.000000Z"},
    {"first year", -62135596800000000, "0001-01-01T00:00:00.000000Z"},
    {"last", 253402300799999999, "9999-12-31T23:59:59.999999Z"},
};

static void formats(const struct row *r)
{
    char out[CLOCK_ISO_MAX];

    clock_iso(r->us, out);
    assert_string_equal(out, r->want);
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Every day of years 1 to 9999, counted independently. */
static void all_days(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = -719162;

    (void)state;
    for (int y = 1; y <= 9999; y++) {
        for (int m = 1; m <= 12; m++) {
            int last = lengths[m - 1] + (m == 2 && leap(y));
            for (int d = 1; d <= last; d++, days++) {
                int got[3];
                clock_civil_from_days(days, &got[0], &got[1], &got[2]);
                if (clock_days_from_civil(y, m, d) != days || got[0] != y || got[1] != m ||
                    got[2] != d)
                    fail_msg("%d-%d-%d", y, m, d);
            }
        }
    }
}

static void system_runs(void **state)
{
    (void)state;
    assert_true(clock_wall_us(&clock_system) > INT64_C(1600000000000000));
    int64_t first = clock_mono_us(&clock_system);
    assert_true(clock_mono_us(&clock_system) >= first);
    assert_true(clock_mono_ms(&clock_system) >= first / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_days), cmocka_unit_test(system_runs)};

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, formats);
}
