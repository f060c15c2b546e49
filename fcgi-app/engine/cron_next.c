/*
 * When a schedule fires next.
 *
 * Searched on the wall clock: the next matching date, then the next matching time of that day, then
 * the instant the zone gives it.  Going forward on the wall clock is going forward in time as long
 * as an hour that comes twice counts as its first passage only.
 */
#include "base/clock.h"
#include "engine/cron.h"
#include "template/zone.h"

enum { DAY_S = 86400, CYCLE_YEARS = 400 };

static int64_t day_number(int64_t local_s)
{
    return local_s >= 0 ? local_s / DAY_S : -((-local_s + DAY_S - 1) / DAY_S);
}

static bool has(uint64_t set, int value)
{
    return (set >> (unsigned)value & 1) != 0;
}

static bool has_year(const struct cron *c, int year)
{
    return has(c->years[(year - CRON_YEAR_MIN) / 64], (year - CRON_YEAR_MIN) % 64);
}

/* Sunday = 0. */
static int weekday_of(int64_t day)
{
    return (int)(((day + 4) % 7 + 7) % 7);
}

static int iso_week(int64_t day)
{
    int64_t thursday = day - (weekday_of(day) + 6) % 7 + 3;
    int year, month, date;

    clock_civil_from_days(thursday, &year, &month, &date);
    return (int)((thursday - clock_days_from_civil(year, 1, 1)) / 7) + 1;
}

static bool day_fits(const struct cron *c, int64_t day, int date, int month_len)
{
    int weekday = weekday_of(day);
    bool fits = has(c->days, date) || (c->last_day && date == month_len) ||
                has(c->nth[(date - 1) / 7 + 1], weekday) || (date + 7 > month_len && has(c->nth[0], weekday));

    return fits && has(c->weekdays, weekday) && (c->any_week || has(c->weeks, iso_week(day)));
}

static int month_length(int year, int month)
{
    int64_t next = month == 12 ? clock_days_from_civil(year + 1, 1, 1) : clock_days_from_civil(year, month + 1, 1);

    return (int)(next - clock_days_from_civil(year, month, 1));
}

/* The first matching day of a year from a month and date on. */
static bool day_of_year(const struct cron *c, int year, int month, int date, int64_t *out)
{
    for (; month <= 12; month++, date = 1) {
        int len = month_length(year, month);
        int64_t first = clock_days_from_civil(year, month, 1);

        if (!has(c->months, month))
            continue;
        for (; date <= len; date++) {
            if (day_fits(c, first + date - 1, date, len)) {
                *out = first + date - 1;
                return true;
            }
        }
    }
    return false;
}

/* The first matching day from `day` on.  The calendar repeats every 400 years: a year like one that had no such day has none. */
static bool next_day(const struct cron *c, int64_t day, int64_t *out)
{
    uint64_t none[CYCLE_YEARS / 64 + 1] = {0};
    int first, month, date;

    if (day < clock_days_from_civil(CRON_YEAR_MIN, 1, 1))
        day = clock_days_from_civil(CRON_YEAR_MIN, 1, 1);
    clock_civil_from_days(day, &first, &month, &date);
    for (int year = first; year <= CRON_YEAR_MAX; year++, month = 1, date = 1) {
        int like = year % CYCLE_YEARS;

        if (!has_year(c, year) || has(none[like / 64], like % 64))
            continue;
        if (day_of_year(c, year, month, date, out))
            return true;
        if (month == 1 && date == 1)
            none[like / 64] |= 1ULL << (unsigned)(like % 64);
    }
    return false;
}

/* The first member of a set from `from` on, or -1. */
static int next_member(uint64_t set, int from)
{
    if (from > 63 || set >> (unsigned)from == 0)
        return -1;
    return from + __builtin_ctzll(set >> (unsigned)from);
}

/* The first matching second of a day from `from` on, or -1. */
static int next_time(const struct cron *c, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    int h = next_member(c->hours, hour), m, s;

    for (; h >= 0; h = next_member(c->hours, h + 1)) {
        if (h > hour)
            minute = second = 0;
        for (m = next_member(c->minutes, minute); m >= 0; m = next_member(c->minutes, m + 1)) {
            s = next_member(c->seconds, h == hour && m == minute ? second : 0);
            if (s >= 0)
                return h * 3600 + m * 60 + s;
        }
    }
    return -1;
}

/* The first matching wall-clock second from `from` on. */
static bool next_local(const struct cron *c, int64_t from, int64_t *out)
{
    int64_t day = day_number(from);
    int second = (int)(from - day * DAY_S);
    int64_t found;
    int at;

    while (next_day(c, day, &found)) {
        at = next_time(c, found == day ? second : 0);
        if (at >= 0) {
            *out = found * DAY_S + at;
            return true;
        }
        day = found + 1;
        second = 0;
    }
    return false;
}

bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *out_s)
{
    int64_t from = after_s + zone_offset(z, after_s, NULL, NULL) + 1;
    int64_t local;

    while (next_local(c, from, &local)) {
        int32_t offset = zone_offset_local(z, local);
        int64_t utc = local - offset;
        int32_t real = zone_offset(z, utc, NULL, NULL);

        if (real != offset) { /* the clocks jump over it: go on where they land */
            from = utc + real > local ? utc + real : local + 1;
        } else if (utc <= after_s) { /* its first passage is over */
            from = local + 1;
        } else {
            *out_s = utc;
            return true;
        }
    }
    return false;
}
