/*
 * Schedules: their fields, their defaults, and when they fire in zones with summer time.
 */
#include "support/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/cron.h"
#include "template/datetime.h"
#include "template/zone.h"

/* "hour=5 day=last fri": fields separated by ';'. */
static void split(const char *text, struct str fields[CRON_FIELDS])
{
    struct str rest = str_c(text);

    memset(fields, 0, CRON_FIELDS * sizeof *fields);
    while (rest.len > 0) {
        struct str value = str_cut(&rest, ';');
        struct str name = str_trim(str_cut(&value, '='));
        size_t f = 0;

        while (f < CRON_FIELDS && !str_eq_c(name, cron_names[f]))
            f++;
        assert_true(f < CRON_FIELDS);
        fields[f] = value;
    }
}

static int64_t seconds(const char *iso, struct arena *a)
{
    struct val v;

    assert_true(dt_parse(str_c(iso), a, &v));
    return dt_utc_us(dt_of(v)) / 1000000;
}

/* ---- when ------------------------------------------------------------------------------------- */

static const struct when {
    const char *name, *fields, *zone, *after;
    const char *want; /* UTC, blank-separated; "never" */
} whens[] = {
    /* the table of the contract */
    {"hour=5", "hour=5", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z 2026-01-02T05:00:00Z"},
    {"minute=10", "minute=10", "UTC", "2026-01-01T00:10:00Z", "2026-01-01T01:10:00Z 2026-01-01T02:10:00Z"},
    {"day=1", "day=1", "UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z 2026-03-01T00:00:00Z"},
    {"day_of_week=1", "day_of_week=1", "UTC", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z 2026-01-12T00:00:00Z"},
    {"quarters of office hours", "minute=*/15;hour=8-17;day_of_week=mon-fri", "UTC", "2026-01-02T17:30:00Z",
     "2026-01-02T17:45:00Z 2026-01-05T08:00:00Z 2026-01-05T08:15:00Z"},
    {"nothing", "", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z 2026-01-01T00:02:00Z"},

    /* defaults left and right of what is given */
    {"year only", "year=2030", "UTC", "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z never"},
    {"month only", "month=jun", "UTC", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z 2027-06-01T00:00:00Z"},
    {"week only", "week=1", "UTC", "2026-01-05T00:00:00Z", "2027-01-04T00:00:00Z 2027-01-05T00:00:00Z"},
    {"second", "second=30", "UTC", "2026-01-01T00:00:31Z", "2026-01-01T00:01:30Z"},
    {"a star counts as given", "hour=*", "UTC", "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z 2026-01-01T02:00:00Z"},
    {"every second", "second=*", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z 2026-01-01T00:00:02Z"},
    {"blanks are nothing", "hour=  ;minute= ", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},

    /* expressions */
    {"lists", "hour=1, 3,5-7", "UTC", "2026-01-01T01:00:00Z",
     "2026-01-01T03:00:00Z 2026-01-01T05:00:00Z 2026-01-01T06:00:00Z 2026-01-01T07:00:00Z 2026-01-02T01:00:00Z"},
    {"steps of a range", "minute=10-40/15", "UTC", "2026-01-01T00:00:00Z",
     "2026-01-01T00:10:00Z 2026-01-01T00:25:00Z 2026-01-01T00:40:00Z 2026-01-01T01:10:00Z"},
    {"steps from a value", "minute=50/5", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:50:00Z 2026-01-01T00:55:00Z 2026-01-01T01:50:00Z"},
    {"steps count from the least value", "month=*/5", "UTC", "2026-01-01T00:00:00Z",
     "2026-06-01T00:00:00Z 2026-11-01T00:00:00Z 2027-01-01T00:00:00Z"},
    {"names in any case", "month=FEB;day_of_week=Sun", "UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z 2026-02-08T00:00:00Z"},
    {"7 is Sunday", "day_of_week=7", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
    {"0 is Sunday", "day_of_week=0", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
    {"to the end of the week", "day_of_week=sat-sun", "UTC", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z 2026-01-04T00:00:00Z 2026-01-10T00:00:00Z"},
    {"last day", "day=last", "UTC", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z 2026-03-31T00:00:00Z 2026-04-30T00:00:00Z"},
    {"last day of a leap February", "month=2;day=last", "UTC", "2027-03-01T00:00:00Z", "2028-02-29T00:00:00Z 2029-02-28T00:00:00Z"},
    {"last Friday", "day=last fri", "UTC", "2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z 2026-02-27T00:00:00Z 2026-03-27T00:00:00Z"},
    {"second Monday", "day=2nd mon", "UTC", "2026-01-01T00:00:00Z", "2026-01-12T00:00:00Z 2026-02-09T00:00:00Z"},
    {"fifth Thursday", "day=5th thu", "UTC", "2026-01-01T00:00:00Z", "2026-01-29T00:00:00Z 2026-04-30T00:00:00Z"},
    {"days of several kinds", "day=1,last,3rd wed", "UTC", "2026-01-01T00:00:00Z",
     "2026-01-21T00:00:00Z 2026-01-31T00:00:00Z 2026-02-01T00:00:00Z 2026-02-18T00:00:00Z"},
    {"day and day of the week both", "day=13;day_of_week=fri", "UTC", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00Z 2026-03-13T00:00:00Z 2026-11-13T00:00:00Z"},
    {"29 February", "month=2;day=29", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
    {"29 February over the century", "month=2;day=29", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
    {"week 53", "week=53;day_of_week=mon", "UTC", "2026-01-01T00:00:00Z", "2026-12-28T00:00:00Z 2032-12-27T00:00:00Z"},
    {"week 1 begins in December", "week=1;month=12", "UTC", "2026-01-01T00:00:00Z", "2029-12-31T00:00:00Z"},
    {"a range of years", "year=2026-2027;month=12;day=31", "UTC", "2026-06-01T00:00:00Z", "2026-12-31T00:00:00Z 2027-12-31T00:00:00Z never"},
    {"the last second there is", "year=9999;month=12;day=31;hour=23;minute=59;second=59", "UTC", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z never"},

    /* never */
    {"31 February", "month=2;day=31", "UTC", "2026-01-01T00:00:00Z", "never"},
    {"30 February in a zone", "month=2;day=30", "Europe/Brussels", "2026-01-01T00:00:00Z", "never"},
    {"31st of short months", "month=4,6,9,11;day=31", "UTC", "2026-01-01T00:00:00Z", "never"},
    {"a year gone by", "year=2020", "UTC", "2026-01-01T00:00:00Z", "never"},
    {"week 53 in summer", "week=53;month=7", "UTC", "2026-01-01T00:00:00Z", "never"},
    {"sixth week of the month", "day=5th mon;month=2;year=2026-2027", "UTC", "2026-01-01T00:00:00Z", "never"},
    {"a time that is always skipped", "month=3;day=last sun;hour=2;minute=30", "Europe/Brussels", "2026-01-01T00:00:00Z", "never"},
    {"an hour that is always skipped", "month=3;day=last sun;hour=2;minute=*;second=*", "Europe/Brussels", "2026-01-01T00:00:00Z", "never"},

    /* Europe/Brussels: 2026-03-29 02:00 -> 03:00, 2026-10-25 03:00 -> 02:00 */
    {"Brussels, before and after the gap", "hour=1;minute=30", "Europe/Brussels", "2026-03-28T12:00:00Z",
     "2026-03-29T00:30:00Z 2026-03-29T23:30:00Z"},
    {"Brussels, in the gap", "hour=2;minute=30", "Europe/Brussels", "2026-03-28T00:00:00Z",
     "2026-03-28T01:30:00Z 2026-03-30T00:30:00Z"},
    {"Brussels, first second of the gap", "hour=2", "Europe/Brussels", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z"},
    {"Brussels, end of the gap", "hour=3", "Europe/Brussels", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T01:00:00Z"},
    {"Brussels, every half hour over the gap", "minute=*/30", "Europe/Brussels", "2026-03-29T00:00:00Z",
     "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
    {"Brussels, an hour that comes twice", "hour=2;minute=30", "Europe/Brussels", "2026-10-24T12:00:00Z",
     "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
    {"Brussels, every half hour over the overlap", "minute=*/30", "Europe/Brussels", "2026-10-24T23:59:59Z",
     "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-25T02:00:00Z 2026-10-25T02:30:00Z"},
    {"Brussels, asked in the second passage", "minute=*/30", "Europe/Brussels", "2026-10-25T01:10:00Z", "2026-10-25T02:00:00Z"},
    {"Brussels, beyond the table of the zone", "month=7;day=1;hour=12", "Europe/Brussels", "2090-01-01T00:00:00Z", "2090-07-01T10:00:00Z"},

    /* America/New_York: 2026-03-08 02:00 -> 03:00, 2026-11-01 02:00 -> 01:00 */
    {"New York, in the gap", "hour=2;minute=15", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T06:15:00Z"},
    {"New York, end of the gap", "hour=3", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"},
    {"New York, an hour that comes twice", "hour=1;minute=45", "America/New_York", "2026-10-31T12:00:00Z",
     "2026-11-01T05:45:00Z 2026-11-02T06:45:00Z"},
    {"New York, midnight of the change", "hour=0", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T04:00:00Z 2026-11-02T05:00:00Z"},

    /* Australia/Lord_Howe moves by half an hour: 2026-10-04 02:00 -> 02:30, 2026-04-05 02:00 -> 01:30 */
    {"Lord Howe, in the gap", "hour=2;minute=15", "Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-02T15:45:00Z 2026-10-04T15:15:00Z"},
    {"Lord Howe, end of the gap", "hour=2;minute=30", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:30:00Z"},
    {"Lord Howe, what comes twice", "hour=1;minute=45", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
     "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z"},
    {"Lord Howe, quarters over the overlap", "minute=*/15", "Australia/Lord_Howe", "2026-04-04T14:29:00Z",
     "2026-04-04T14:30:00Z 2026-04-04T14:45:00Z 2026-04-04T15:30:00Z"},

    /* Asia/Kolkata: half an hour off, no summer time */
    {"Kolkata, morning", "hour=9;minute=30", "Asia/Kolkata", "2026-03-28T00:00:00Z", "2026-03-28T04:00:00Z 2026-03-29T04:00:00Z"},
    {"Kolkata, first of the month", "day=1", "Asia/Kolkata", "2026-01-15T00:00:00Z", "2026-01-31T18:30:00Z 2026-02-28T18:30:00Z"},

    /* a day that did not exist */
    {"Apia, the day that was skipped", "hour=12", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-29T22:00:00Z 2011-12-30T22:00:00Z"},
};

static void fires(const struct when *row)
{
    struct arena *a = arena_new(0);
    struct str fields[CRON_FIELDS], want = str_c(row->want);
    const struct zone *z = zone_open(str_c(row->zone), a);
    struct cron c;
    struct err e = {0};
    int64_t at = seconds(row->after, a);

    assert_non_null(z);
    split(row->fields, fields);
    if (cron_parse(&c, fields, &e) != 0)
        fail_msg("%s", e.msg);
    while (want.len > 0) {
        struct str one = str_cut(&want, ' ');
        bool found = cron_next(&c, z, at, &at);
        char got[CLOCK_ISO_MAX] = "never";

        if (found)
            clock_iso(at * 1000000, got);
        if (str_eq_c(one, "never") ? found : !found || at != seconds(str_cstr(a, one), a))
            fail_msg("wanted %.*s, got %s", STR_ARG(one), got);
    }
    arena_free(a);
}

/* ---- what is refused -------------------------------------------------------------------------- */

static const struct wrong {
    const char *name, *fields, *message;
} wrongs[] = {
    {"hour 24", "hour=24", "hour: 24 is not between 0 and 23"},
    {"minute 60", "minute=60", "minute: 60 is not between 0 and 59"},
    {"second 60", "second=60", "second: 60 is not between 0 and 59"},
    {"day 0", "day=0", "day: 0 is not between 1 and 31"},
    {"day 32", "day=1,32", "day: 32 is not between 1 and 31"},
    {"month 13", "month=13", "month: 13 is not between 1 and 12"},
    {"week 54", "week=54", "week: 54 is not between 1 and 53"},
    {"day of week 8", "day_of_week=8", "day_of_week: 8 is not between 0 and 7"},
    {"year 26", "year=26", "year: 26 is not between 1970 and 9999"},
    {"a word", "hour=noon", "hour: \"noon\" is not a value, a range or \"*\""},
    {"a month as a weekday", "day_of_week=jan", "day_of_week: \"jan\" is not a value, a range or \"*\""},
    {"a weekday as a day", "day=mon", "day: \"mon\" is not a day, a range, \"last\", \"last fri\" or \"2nd mon\""},
    {"a sixth Monday", "day=6th mon", "day: \"6th mon\" is not a day, a range, \"last\", \"last fri\" or \"2nd mon\""},
    {"an ordinal alone", "day=2nd", "day: \"2nd\" is not a day, a range, \"last\", \"last fri\" or \"2nd mon\""},
    {"last elsewhere", "hour=last", "hour: \"last\" is not a value, a range or \"*\""},
    {"backwards", "hour=17-8", "hour: \"17-8\" ends before it begins"},
    {"backwards by name", "day_of_week=fri-mon", "day_of_week: \"fri-mon\" ends before it begins"},
    {"step 0", "minute=*/0", "minute: \"*/0\" has no whole number above 0 behind \"/\""},
    {"no step", "minute=*/", "minute: \"*/\" has no whole number above 0 behind \"/\""},
    {"negative step", "minute=*/-5", "minute: \"*/-5\" has no whole number above 0 behind \"/\""},
    {"step by name", "minute=*/x", "minute: \"*/x\" has no whole number above 0 behind \"/\""},
    {"step too large", "minute=*/60", "minute: \"*/60\" has a step larger than its range"},
    {"step beyond 64 bits", "minute=*/99999999999999999999", "minute: \"*/99999999999999999999\" has no whole number above 0 behind \"/\""},
    {"negative", "hour=-1", "hour: \"-1\" is not a value, a range or \"*\""},
    {"a fraction", "hour=1.5", "hour: \"1.5\" is not a value, a range or \"*\""},
    {"half a range", "hour=5-", "hour: \"5-\" is not a value, a range or \"*\""},
    {"two ranges in one", "hour=1-2-3", "hour: \"1-2-3\" is not a value, a range or \"*\""},
    {"two stars", "hour=**", "hour: \"**\" is not a value, a range or \"*\""},
    {"comma at the end", "hour=5,", "hour: \"5,\" ends with a comma"},
    {"comma alone", "hour=,5", "hour: \",5\" has nothing between two commas"},
    {"the first fault is told", "month=13;hour=99", "month: 13 is not between 1 and 12"},
};

static void refuses(const struct wrong *row)
{
    struct str fields[CRON_FIELDS];
    struct cron c;
    struct err e = {0};

    split(row->fields, fields);
    assert_int_equal(cron_parse(&c, fields, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.msg, row->message);
}

/* A field as long as nobody writes one. */
static void refuses_long(void **state)
{
    static char text[4000];
    struct str fields[CRON_FIELDS] = {{0}};
    struct cron c;
    struct err e = {0};

    (void)state;
    memset(text, '1', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = ',';
    fields[CRON_HOUR] = str_make(text, sizeof text);
    assert_int_equal(cron_parse(&c, fields, &e), -1);
    assert_string_equal(e.msg, "hour: longer than 1000 characters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refuses_long)};

    return CASES(whens, fires) + CASES(wrongs, refuses) + cmocka_run_group_tests(tests, NULL, NULL);
}
