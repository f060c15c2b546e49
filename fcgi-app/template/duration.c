/*
 * Durations as people and Go write them.
 *
 * Rule: workflow-engine.md 2.10.  Business units move along a calendar, so they need where to count
 * from: days skip Saturday and Sunday, hours count from 9 to 17 on the other days.
 */
#include <math.h>

#include "template/library_int.h"
#include "template/literal.h"
#include "template/zone.h"

#define HOUR_US 3600000000.0
#define DAY_US (24 * HOUR_US)
#define OPENS (9 * HOUR_US)
#define CLOSES (17 * HOUR_US)
#define LONGEST_US 9e18

struct unit {
    const char *name;
    double us;
};

static const struct unit units[] = {
    {"d", DAY_US},
    {"day", DAY_US},
    {"days", DAY_US},
    {"h", HOUR_US},
    {"hour", HOUR_US},
    {"hours", HOUR_US},
    {"m", 60e6},
    {"min", 60e6},
    {"mins", 60e6},
    {"minute", 60e6},
    {"minutes", 60e6},
    {"ms", 1e3},
    {"ns", 1e-3},
    {"s", 1e6},
    {"sec", 1e6},
    {"second", 1e6},
    {"seconds", 1e6},
    {"secs", 1e6},
    {"us", 1},
    {"w", 7 * DAY_US},
    {"week", 7 * DAY_US},
    {"weeks", 7 * DAY_US},
    {"\xC2\xB5s", 1},
    {"\xCE\xBCs", 1},
};

/* Monday = 0; `local_us` is microseconds since 1970 on the platform's clock. */
static int weekday(double local_us)
{
    int64_t days = (int64_t)floor(local_us / DAY_US);

    return (int)(((days + 3) % 7 + 7) % 7);
}

static double day_start(double local_us)
{
    return floor(local_us / DAY_US) * DAY_US;
}

static double add_business_hours(double at, double us)
{
    while (us > 0) {
        double open = day_start(at) + OPENS;
        double left;

        if (weekday(at) >= 5 || at >= day_start(at) + CLOSES) {
            at = day_start(at) + DAY_US;
            continue;
        }
        at = at < open ? open : at;
        left = day_start(at) + CLOSES - at;
        if (us <= left)
            return at + us;
        us -= left;
        at += left;
    }
    return at;
}

static double add_business_days(double at, double days)
{
    double whole = floor(days);
    double weeks;

    while (whole >= 5 && weekday(at) >= 5) { /* count the weeks from a working day */
        at += DAY_US;
        if (weekday(at) < 5)
            whole--;
    }
    weeks = floor(whole / 5);
    at += weeks * 7 * DAY_US;
    for (whole -= weeks * 5; whole > 0;) {
        at += DAY_US;
        whole -= weekday(at) < 5;
    }
    return add_business_hours(at, (days - floor(days)) * (CLOSES - OPENS));
}

static bool letter(char ch)
{
    return ((ch | 32) >= 'a' && (ch | 32) <= 'z') || (unsigned char)ch >= 0x80;
}

static struct str read_word(struct str *s)
{
    struct str word = {s->p, 0};

    while (word.len < s->len && letter(s->p[word.len]))
        word.len++;
    *s = str_slice(*s, word.len, s->len);
    return word;
}

static void skip_blanks(struct str *s)
{
    while (s->len > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        *s = str_slice(*s, 1, s->len);
}

static bool read_number(struct str *s, double *out)
{
    char text[64];
    size_t n = 0;

    while (n < s->len && n + 1 < sizeof text &&
           ((s->p[n] >= '0' && s->p[n] <= '9') || s->p[n] == '.')) {
        text[n] = s->p[n];
        n++;
    }
    text[n] = '\0';
    if (n == 0 || !lib_parse_float(str_make(text, n), out))
        return false;
    *s = str_slice(*s, n, s->len);
    return true;
}

static const struct unit *unit_find(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (str_ieq(word, str_c(units[i].name)))
            return &units[i];
    }
    return NULL;
}

static int bad(struct err *e, struct str text, const char *why)
{
    err_set(e, ERR_INVALID, "cannot read '%.*s' as a duration: %s",
            (int)(text.len > 80 ? 80 : text.len), text.p != NULL ? text.p : "", why);
    return -1;
}

/* One "<number> <unit>" moves *at; a number alone counts seconds. */
static int read_part(struct str text, struct str *rest, double *at, struct err *e)
{
    double n;
    struct str word;
    const struct unit *u;

    if (!read_number(rest, &n))
        return bad(e, text, "expected a number");
    skip_blanks(rest);
    word = read_word(rest);
    if (word.len == 0) {
        if (rest->len > 0)
            return bad(e, text, "expected a unit");
        *at += n * 1e6;
        return 0;
    }
    if (str_ieq(word, STR("business"))) {
        skip_blanks(rest);
        word = read_word(rest);
        if (n > 1e6)
            return bad(e, text, "too long");
        if (str_ieq(word, STR("day")) || str_ieq(word, STR("days")))
            *at = add_business_days(*at, n);
        else if (str_ieq(word, STR("hour")) || str_ieq(word, STR("hours")))
            *at = add_business_hours(*at, n * HOUR_US);
        else
            return bad(e, text, "business counts days or hours");
        return 0;
    }
    u = unit_find(word);
    if (u == NULL)
        return bad(e, text, "unknown unit");
    *at += n * u->us;
    return 0;
}

/* Read all parts, from the moment *at on. */
static int read_parts(struct str text, double *at, struct err *e)
{
    double start = *at;
    struct str rest = str_trim(text);

    if (rest.len == 0)
        return bad(e, text, "empty");
    if (rest.p[0] == '-')
        return bad(e, text, "must not be negative");
    while (rest.len > 0) {
        if (read_part(text, &rest, at, e) != 0)
            return -1;
        skip_blanks(&rest);
        if (!(*at - start < LONGEST_US))
            return bad(e, text, "too long");
    }
    return 0;
}

static bool in_business(struct str text)
{
    struct arena *a = arena_new(KIB);
    bool found = str_find(str_lower(a, text), STR("business")) >= 0;

    arena_free(a);
    return found;
}

/* Along the wall clock of a zone. */
static int read_in_zone(struct str text, int64_t now_us, const struct zone *z, double *us,
                        struct err *e)
{
    const char *name;
    bool dst;
    double start = (double)now_us + zone_offset(z, now_us / 1000000, &name, &dst) * 1e6;
    double at = start;

    if (read_parts(text, &at, e) != 0)
        return -1;
    *us = at - zone_offset_local(z, (int64_t)(at / 1e6)) * 1e6 - (double)now_us;
    if (*us < 0) /* clocks went back meanwhile */
        *us = 0;
    return 0;
}

int duration_parse(struct str text, int64_t now_us, struct str zone, int64_t *ms, struct err *e)
{
    struct arena *a = NULL;
    const struct zone *z = NULL;
    double us = (double)now_us;
    int rc;

    if (zone.len > 0 && in_business(text)) {
        a = arena_new(0);
        z = zone_open(zone, a);
    }
    if (z != NULL) {
        rc = read_in_zone(text, now_us, z, &us, e);
    } else {
        rc = read_parts(text, &us, e);
        us -= (double)now_us;
    }
    arena_free(a);
    if (rc == 0)
        *ms = (int64_t)floor(us / 1e3 + 0.5);
    return rc;
}
