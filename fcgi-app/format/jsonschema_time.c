/*
 * Formats of dates and times.
 *
 * Rules: RFC 3339 section 5.6 and 5.7 (leap seconds), appendix A (durations).
 */
#include "format/jsonschema_int.h"
#include "base/ascii.h"

/* Two digits at `at`, or -1. */
static int two(struct str s, size_t at)
{
    if (at + 2 > s.len || !ascii_is_digit(s.p[at]) || !ascii_is_digit(s.p[at + 1]))
        return -1;
    return (s.p[at] - '0') * 10 + (s.p[at + 1] - '0');
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (leap && month == 2);
}

bool js_is_date(struct str s, struct arena *a)
{
    int century = two(s, 0);
    int rest = two(s, 2);
    int month = two(s, 5);
    int day = two(s, 8);

    (void)a;
    return s.len == 10 && century >= 0 && rest >= 0 && s.p[4] == '-' && s.p[7] == '-' &&
           month >= 1 && month <= 12 && day >= 1 &&
           day <= days_of_month(century * 100 + rest, month);
}

/* "Z", "+01:00": minutes in *out. */
static bool offset(struct str s, int *out)
{
    int hours;
    int minutes;

    *out = 0;
    if (s.len == 1)
        return s.p[0] == 'Z' || s.p[0] == 'z';
    hours = two(s, 1);
    minutes = two(s, 4);
    if (s.len != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' || hours < 0 ||
        hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *out = (hours * 60 + minutes) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

bool js_is_time(struct str s, struct arena *a)
{
    enum { DAY = 24 * 60, LAST = DAY - 1 };
    int hour = two(s, 0);
    int minute = two(s, 3);
    int second = two(s, 6);
    int minutes = 0;
    size_t i = 8;

    (void)a;
    if (s.len < 9 || hour < 0 || hour > 23 || s.p[2] != ':' || minute < 0 || minute > 59 ||
        s.p[5] != ':' || second < 0 || second > 60)
        return false;
    if (s.p[i] == '.') {
        for (i++; i < s.len && ascii_is_digit(s.p[i]); i++)
            ;
        if (i == 9)
            return false;
    }
    if (!offset(str_slice(s, i, s.len), &minutes))
        return false;
    /* a leap second is the last one of a day in UTC */
    return second < 60 || (hour * 60 + minute - minutes + 2 * DAY) % DAY == LAST;
}

bool js_is_date_time(struct str s, struct arena *a)
{
    return s.len > 11 && (s.p[10] == 'T' || s.p[10] == 't') && js_is_date(str_slice(s, 0, 10), a) &&
           js_is_time(str_slice(s, 11, s.len), a);
}

/* Numbers, each with one of `units` behind it, none left out between two; returns how many. */
static size_t quantities(struct str *s, const char *units)
{
    size_t n = 0;

    while (s->len > 0 && ascii_is_digit(s->p[0])) {
        const char *unit;
        size_t i = 0;

        while (i < s->len && ascii_is_digit(s->p[i]))
            i++;
        unit = i < s->len && s->p[i] != '\0' ? strchr(units, s->p[i]) : NULL;
        if (unit == NULL || (n > 0 && unit != units))
            return 0;
        units = unit + 1;
        *s = str_slice(*s, i + 1, s->len);
        n++;
    }
    return n;
}

/* No unit may be left out in the middle (PT1H5S): the grammar of the RFC is stricter than ISO 8601.
 */
bool js_is_duration(struct str s, struct arena *a)
{
    size_t n;

    (void)a;
    if (s.len < 3 || s.p[0] != 'P')
        return false;
    s = str_slice(s, 1, s.len);
    if (s.p[s.len - 1] == 'W')
        return quantities(&s, "W") == 1 && s.len == 0;
    n = quantities(&s, "YMD");
    if (s.len == 0)
        return n > 0;
    if (s.p[0] != 'T')
        return false;
    s = str_slice(s, 1, s.len);
    return quantities(&s, "HMS") > 0 && s.len == 0;
}
