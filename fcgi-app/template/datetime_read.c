/*
 * Dates and times from text: strptime, ISO 8601, epoch seconds.
 */
#include "base/utf8.h"
#include "template/datetime_int.h"
#include "template/text.h"

/* ---- strptime ------------------------------------------------------------------------------- */

struct scan {
    const char *p;
    const char *end;
    struct dt_fields f;
    bool pm;
    bool has_pm;
    bool has_zone;
    int yday;     /* from %j, or -1 */
    int week;     /* from %U, %W, %V, or -1 */
    char week_of; /* which of them */
    int iso_year;
    int weekday; /* Monday = 0, or -1 */
    int32_t offset_s;
};

/* Up to `max` digits between `low` and `high`. */
static bool scan_number(struct scan *s, int max, int low, int high, int *out)
{
    int n = 0;
    int digits = 0;

    while (digits < max && s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        int more = n * 10 + (*s->p - '0');

        if (digits > 0 && more > high)
            break;
        n = more;
        s->p++;
        digits++;
    }
    *out = n;
    return digits > 0 && n >= low && n <= high;
}

static bool two_digits(struct scan *s, int max, int *out)
{
    const char *from = s->p;

    return scan_number(s, 2, 0, max, out) && s->p - from == 2;
}

/* A name of a table, whole or its first three letters. */
static bool scan_name(struct scan *s, const char *const *names, int n, bool whole, int *out)
{
    size_t room = (size_t)(s->end - s->p);

    for (int i = 0; i < n; i++) {
        size_t len = whole ? strlen(names[i]) : 3;

        if (len <= room && strncasecmp(s->p, names[i], len) == 0) {
            s->p += len;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool scan_fraction(struct scan *s)
{
    int digits = 0;

    for (s->f.us = 0; digits < 6 && s->p < s->end && *s->p >= '0' && *s->p <= '9'; digits++)
        s->f.us = s->f.us * 10 + (*s->p++ - '0');
    if (digits == 0)
        return false;
    for (; digits < 6; digits++)
        s->f.us *= 10;
    return true;
}

/* "+hhmm", "+hh:mm[:ss]", "+hh" or "Z" */
static bool scan_zone(struct scan *s)
{
    int sign = 1;
    int h = 0;
    int m = 0;
    int sec = 0;

    if (s->p < s->end && (*s->p == 'Z' || *s->p == 'z')) {
        s->p++;
        s->has_zone = true;
        s->offset_s = 0;
        return true;
    }
    if (s->p >= s->end || (*s->p != '+' && *s->p != '-'))
        return false;
    sign = *s->p++ == '-' ? -1 : 1;
    if (!two_digits(s, 23, &h))
        return false;
    for (int *part = &m; part != NULL; part = part == &m ? &sec : NULL) {
        if (s->p < s->end && *s->p == ':')
            s->p++;
        else if (s->p >= s->end || *s->p < '0' || *s->p > '9')
            break;
        if (!two_digits(s, 59, part))
            return false;
    }
    s->has_zone = true;
    s->offset_s = sign * (h * 3600 + m * 60 + sec);
    return true;
}

static bool scan_zone_name(struct scan *s)
{
    if (s->end - s->p >= 3 &&
        (strncasecmp(s->p, "UTC", 3) == 0 || strncasecmp(s->p, "GMT", 3) == 0))
        s->p += 3;
    return true;
}

static bool scan_half(struct scan *s)
{
    if (s->end - s->p < 2 || (strncasecmp(s->p, "am", 2) != 0 && strncasecmp(s->p, "pm", 2) != 0))
        return false;
    s->pm = (*s->p | 32) == 'p';
    s->has_pm = true;
    s->p += 2;
    return true;
}

static bool scan_week(struct scan *s, char code)
{
    s->week_of = code;
    return scan_number(s, 2, code == 'V' ? 1 : 0, 53, &s->week);
}

static bool scan_year(struct scan *s, int *out)
{
    const char *from = s->p;

    return scan_number(s, 4, 0, 9999, out) && s->p - from == 4;
}

static bool scan_format(struct scan *s, struct str format);

static bool scan_code(struct scan *s, char code)
{
    int n;

    switch (code) {
    case 'a':
        return scan_name(s, dt_day_names, 7, false, &s->weekday);
    case 'A':
        return scan_name(s, dt_day_names, 7, true, &s->weekday);
    case 'b':
    case 'h':
    case 'B':
        if (!scan_name(s, dt_month_names, 12, code == 'B', &n))
            return false;
        s->f.month = n + 1;
        return true;
    case 'd':
    case 'e':
        s->p += s->p < s->end && *s->p == ' ';
        return scan_number(s, 2, 1, 31, &s->f.day);
    case 'f':
        return scan_fraction(s);
    case 'H':
        return scan_number(s, 2, 0, 23, &s->f.hour);
    case 'I':
        return scan_number(s, 2, 1, 12, &s->f.hour);
    case 'j':
        return scan_number(s, 3, 1, 366, &s->yday);
    case 'm':
        return scan_number(s, 2, 1, 12, &s->f.month);
    case 'M':
        return scan_number(s, 2, 0, 59, &s->f.minute);
    case 'p':
        return scan_half(s);
    case 'S':
        return scan_number(s, 2, 0, 61, &s->f.second);
    case 'u':
        if (!scan_number(s, 1, 1, 7, &n))
            return false;
        s->weekday = n - 1;
        return true;
    case 'w':
        if (!scan_number(s, 1, 0, 6, &n))
            return false;
        s->weekday = (n + 6) % 7;
        return true;
    case 'U':
    case 'W':
    case 'V':
        return scan_week(s, code);
    case 'G':
        return scan_year(s, &s->iso_year);
    case 'Y':
        return scan_year(s, &s->f.year);
    case 'y':
        if (s->end - s->p < 2 || !scan_number(s, 2, 0, 99, &n))
            return false;
        s->f.year = n < 69 ? 2000 + n : 1900 + n;
        return true;
    case 'z':
        return scan_zone(s);
    case 'Z':
        return scan_zone_name(s);
    default:
        return dt_composite(code) != NULL && scan_format(s, str_c(dt_composite(code)));
    }
}

static bool scan_format(struct scan *s, struct str format)
{
    for (size_t i = 0; i < format.len; i++) {
        char ch = format.p[i];

        if (ch == '%' && i + 1 < format.len && format.p[i + 1] != '%') {
            if (!scan_code(s, format.p[++i]))
                return false;
            continue;
        }
        i += ch == '%' && i + 1 < format.len;
        if (text_space((unsigned char)ch)) {
            if (s->p >= s->end || !text_space((unsigned char)*s->p))
                return false;
            while (s->p < s->end && text_space((unsigned char)*s->p))
                s->p++;
            while (i + 1 < format.len && text_space((unsigned char)format.p[i + 1]))
                i++;
            continue;
        }
        if (s->p >= s->end || strncasecmp(s->p, &ch, 1) != 0)
            return false;
        s->p++;
    }
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

/* The day the fields name, as days since 1970; false when there is none. */
static bool scan_days(const struct scan *s, int64_t *days)
{
    int64_t first = clock_days_from_civil(s->f.year, 1, 1);
    int weekday = (int)(((first + 3) % 7 + 7) % 7);

    if (s->week >= 0 && s->weekday >= 0 && s->week_of == 'V' && s->iso_year > 0) {
        int64_t fourth = clock_days_from_civil(s->iso_year, 1, 4);

        *days = fourth - ((fourth + 3) % 7 + 7) % 7 + (s->week - 1) * 7 + s->weekday;
        return true;
    }
    if (s->week >= 0 && s->weekday >= 0 && s->week_of != 'V') {
        int start = s->week_of == 'W' ? 0 : 6;          /* weekday the week begins with */
        int lead = (7 - (weekday - start + 7) % 7) % 7; /* days before the first full week */
        int in_week = (s->weekday - start + 7) % 7;

        *days = first + lead + (s->week - 1) * 7 + in_week;
        return true;
    }
    if (s->yday > 0) {
        *days = first + s->yday - 1;
        return true;
    }
    if (s->f.year < 1 || s->f.day > month_days(s->f.year, s->f.month))
        return false;
    *days = clock_days_from_civil(s->f.year, s->f.month, s->f.day);
    return true;
}

static void scan_init(struct scan *s, struct str text)
{
    *s =
        (struct scan){.p = text.p, .end = text.p + text.len, .yday = -1, .week = -1, .weekday = -1};
    s->f.year = 1900;
    s->f.month = 1;
    s->f.day = 1;
}

static bool scan_result(struct scan *s, struct arena *a, struct val *out)
{
    int64_t days;
    const struct zone *zone = s->has_zone ? zone_fixed(s->offset_s, a) : NULL;

    if (!scan_days(s, &days))
        return false;
    if (s->has_pm)
        s->f.hour = s->f.hour % 12 + (s->pm ? 12 : 0);
    *out = dt_new(a, DT_DATETIME,
                  days * DAY_US + (s->f.hour * 3600 + s->f.minute * 60 + s->f.second) * SECOND_US +
                      s->f.us,
                  zone);
    return true;
}

int dt_strptime(struct call *c, struct str text, struct str format, struct val *out)
{
    struct scan s;

    scan_init(&s, text);
    if (!scan_format(&s, format))
        return call_raise(c, TMPL_EXC_VALUE, "time data %.*s does not match format %.*s",
                          STR_ARG(lib_repr(c, val_str(text))),
                          STR_ARG(lib_repr(c, val_str(format))));
    if (s.p < s.end)
        return call_raise(c, TMPL_EXC_VALUE, "unconverted data remains: %.*s", (int)(s.end - s.p),
                          s.p);
    if (s.f.second > 59 || !scan_result(&s, c->a, out))
        return call_raise(c, TMPL_EXC_VALUE, "day is out of range for month");
    return 0;
}

/* ---- ISO 8601 and epoch seconds -------------------------------------------------------------- */

static bool parse_epoch(struct str text, struct arena *a, struct val *out)
{
    double f;

    if (!lib_parse_float(text, &f) || !(f > -62135596800.0 && f < 253402300800.0))
        return false;
    *out = dt_new(a, DT_DATETIME, (int64_t)(f * 1e6 + (f < 0 ? -0.5 : 0.5)), NULL);
    return true;
}

static bool parse_time(struct scan *s)
{
    bool colon;

    if (!two_digits(s, 23, &s->f.hour))
        return false;
    if (s->p >= s->end || *s->p == 'Z' || *s->p == '+' || *s->p == '-')
        return true;
    colon = *s->p == ':';
    s->p += colon;
    if (!two_digits(s, 59, &s->f.minute))
        return false;
    if (s->p < s->end && (colon ? *s->p == ':' : *s->p >= '0' && *s->p <= '9')) {
        s->p += colon;
        if (!two_digits(s, 59, &s->f.second))
            return false;
        if (s->p < s->end && (*s->p == '.' || *s->p == ',')) {
            s->p++;
            if (!scan_fraction(s))
                return false;
            while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
                s->p++; /* nanoseconds are cut */
        }
    }
    return true;
}

bool dt_parse(struct str text, struct arena *a, struct val *out)
{
    struct scan s;
    bool dash;

    text = str_trim(text);
    scan_init(&s, text);
    if (text.len < 8 || !scan_year(&s, &s.f.year))
        return parse_epoch(text, a, out);
    dash = s.p < s.end && *s.p == '-';
    s.p += dash;
    if (!two_digits(&s, 12, &s.f.month) || s.f.month < 1 ||
        (dash && (s.p >= s.end || *s.p++ != '-')) || !two_digits(&s, 31, &s.f.day) || s.f.day < 1 ||
        (!dash && s.p < s.end && *s.p != 'T'))
        return parse_epoch(text, a, out);
    if (s.p < s.end) {
        if (*s.p != 'T' && *s.p != 't' && *s.p != ' ')
            return false;
        while (s.p < s.end && (*s.p == ' ' || (*s.p | 32) == 't'))
            s.p++;
        if (!parse_time(&s))
            return false;
        while (s.p < s.end && *s.p == ' ')
            s.p++;
        if (s.end - s.p == 3 && strncasecmp(s.p, "UTC", 3) == 0) {
            s.p = s.end;
            s.has_zone = true;
        }
        if (s.p < s.end && !scan_zone(&s))
            return false;
    }
    return s.p == s.end && scan_result(&s, a, out);
}
