/*
 * Durations: units, Go forms, business time.
 */
#include "template/literal.h"

#include "support/cases.h"

static const struct row {
    const char *name; /* the text */
    int64_t ms;       /* -1: refused */
} rows[] = {
    {"2 sec", 2000},
    {"3 min", 180000},
    {"10 minutes", 600000},
    {"2 hours", 7200000},
    {"2 s", 2000},
    {"3 min 10 sec", 190000},
    {"3min10sec", 190000},
    {"1h30m", 5400000},
    {"1.5h", 5400000},
    {"100us", 0},
    {"1500us", 2},
    {"5ns", 0},
    {"5ms", 5},
    {"20", 20000},
    {"0.5", 500},
    {"0", 0},
    {"1 d", 86400000},
    {"2 weeks", 1209600000},
    {" 1 day ", 86400000},
    {"1 Minute", 60000},
    {"1 w 2 d 3 h 4 m 5 s 6 ms", 788645006},
    {"", -1},
    {"  ", -1},
    {"-5 s", -1},
    {"5 parsecs", -1},
    {"1 month", -1},
    {"1 year", -1},
    {"soon", -1},
    {"5 s later", -1},
    {"5 5.5.5", -1},
    {"1..5 s", -1},
    {"99999999999999999999 weeks", -1},
    {"5 business", -1},
    {"5 business weeks", -1},
    {"1,5 h", -1},
    {"+5 s", -1},
};

static void reads(const struct row *r)
{
    struct err e = {0};
    int64_t ms = -1;

    assert_int_equal(duration_parse(str_c(r->name), 0, STR(""), &ms, &e), r->ms >= 0 ? 0 : -1);
    assert_int_equal(ms, r->ms);
    assert_int_equal(e.code, r->ms >= 0 ? ERR_NONE : ERR_INVALID);
}

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };

/* 2021-02-19 was a Friday. */
#define FRIDAY_10H 1613728800000000
static const struct business_row {
    const char *name;
    int64_t now_us;
    const char *zone;
    int64_t ms;
} business[] = {
    {"1 business day", FRIDAY_10H, "", 3 * DAY},
    {"5 business days", FRIDAY_10H, "", 7 * DAY},
    {"10 business days", FRIDAY_10H, "", 14 * DAY},
    {"4 business days", FRIDAY_10H, "", 6 * DAY},
    {"1 business day", FRIDAY_10H + (int64_t)DAY * 1000, "", 2 * DAY},
    {"6 business days", FRIDAY_10H + (int64_t)DAY * 1000, "", 9 * DAY},
    {"2 business hours", FRIDAY_10H, "", 2 * HOUR},
    {"7 business hours", FRIDAY_10H, "", 7 * HOUR},
    {"8 business hours", FRIDAY_10H, "", 3 * DAY},
    {"16 business hours", FRIDAY_10H, "", 4 * DAY},
    {"1 business hour", FRIDAY_10H + (int64_t)12 * HOUR * 1000, "", 2 * DAY + 12 * HOUR},
    {"1 business hour", FRIDAY_10H, "Asia/Shanghai", 2 * DAY + 16 * HOUR},
    {"1 business day 2 hours", FRIDAY_10H, "", 3 * DAY + 2 * HOUR},
    {"0 business days", FRIDAY_10H, "", 0},
    {"1 business day", FRIDAY_10H, "Europe/Paris", 3 * DAY},
    /* clocks go forward on Sunday: the Monday comes an hour earlier, the wall clock shows the same */
    {"1 business day", FRIDAY_10H + (int64_t)35 * DAY * 1000, "Europe/Paris", 3 * DAY - HOUR},
    {"6 business hours", FRIDAY_10H + (int64_t)35 * DAY * 1000, "Europe/Paris", 6 * HOUR},
    {"7 BUSINESS hours", FRIDAY_10H + (int64_t)35 * DAY * 1000, "Europe/Paris", 3 * DAY - 2 * HOUR},
    {"1 day", FRIDAY_10H + (int64_t)35 * DAY * 1000, "Europe/Paris", DAY},
    {"1 business day", FRIDAY_10H, "Nowhere/Land", 3 * DAY},
};

static void counts(const struct business_row *r)
{
    struct err e = {0};
    int64_t ms = -1;

    assert_int_equal(duration_parse(str_c(r->name), r->now_us, str_c(r->zone), &ms, &e), 0);
    assert_int_equal(ms, r->ms);
}

int main(void)
{
    return CASES(rows, reads) + CASES(business, counts);
}
