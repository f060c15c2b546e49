/*
 * Reading the fields of a schedule.
 */
#include "engine/cron.h"

#include <string.h>

const char *const cron_names[CRON_FIELDS] = {"year",        "month", "day",    "week",
                                             "day_of_week", "hour",  "minute", "second"};

static const struct limits {
    int min, max;
} limits[CRON_FIELDS] = {{CRON_YEAR_MIN, CRON_YEAR_MAX}, {1, 12}, {1, 31}, {1, 53}, {0, 7}, {0, 23}, {0, 59}, {0, 59}};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const char *const ordinals[] = {"last", "1st", "2nd", "3rd", "4th", "5th"};

/* Longest expression of a field: nobody writes more by hand. */
enum { EXPRESSION_MAX = 1000 };

struct reading {
    struct cron *c;
    enum cron_field field;
    struct err *e;
};

static int bad(struct reading *r, struct str item, const char *why)
{
    err_set(r->e, ERR_INVALID, "%s: \"%.*s\" %s", cron_names[r->field], STR_ARG(str_slice(item, 0, 60)), why);
    return -1;
}

static void set_bit(struct cron *c, enum cron_field f, int value)
{
    uint64_t bit = 1ULL << (unsigned)(value % 64);

    switch (f) {
    case CRON_YEAR:
        c->years[(value - CRON_YEAR_MIN) / 64] |= 1ULL << (unsigned)((value - CRON_YEAR_MIN) % 64);
        break;
    case CRON_MONTH:
        c->months |= bit;
        break;
    case CRON_DAY:
        c->days |= bit;
        break;
    case CRON_WEEK:
        c->weeks |= bit;
        break;
    case CRON_DAY_OF_WEEK:
        c->weekdays |= 1ULL << (unsigned)(value % 7); /* 7 is Sunday too */
        break;
    case CRON_HOUR:
        c->hours |= bit;
        break;
    case CRON_MINUTE:
        c->minutes |= bit;
        break;
    case CRON_SECOND:
        c->seconds |= bit;
        break;
    case CRON_FIELDS:
        break;
    }
}

static int index_of(struct str word, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(word, str_c(names[i])))
            return (int)i;
    return -1;
}

/* A number, or the name of a month or day; -1 when it is neither. */
static int value_of(const struct reading *r, struct str word)
{
    int64_t n = 0;
    int i;

    if (word.len > 0 && word.len <= 4 && word.p[0] >= '0' && word.p[0] <= '9')
        return str_to_int(word, &n) ? (int)n : -1;
    if (r->field == CRON_MONTH) {
        i = index_of(word, months, COUNT_OF(months));
        return i < 0 ? -1 : i + 1;
    }
    return r->field == CRON_DAY_OF_WEEK ? index_of(word, weekdays, COUNT_OF(weekdays)) : -1;
}

static int check_value(struct reading *r, struct str item, struct str word, int *out)
{
    const struct limits *l = &limits[r->field];

    *out = value_of(r, word);
    if (*out < 0)
        return bad(r, item, r->field == CRON_DAY ? "is not a day, a range, \"last\", \"last fri\" or \"2nd mon\""
                                                 : "is not a value, a range or \"*\"");
    if (*out >= l->min && *out <= l->max)
        return 0;
    err_set(r->e, ERR_INVALID, "%s: %d is not between %d and %d", cron_names[r->field], *out, l->min, l->max);
    return -1;
}

/* "last", "last fri", "2nd mon". */
static bool day_of_month(struct reading *r, struct str item)
{
    struct str rest = item;
    struct str first = str_cut(&rest, ' ');
    int nth = index_of(first, ordinals, COUNT_OF(ordinals));
    int weekday;

    if (r->field != CRON_DAY || nth < 0)
        return false;
    rest = str_trim(rest);
    if (rest.len == 0 && nth == 0) {
        r->c->last_day = true;
        return true;
    }
    weekday = index_of(rest, weekdays, COUNT_OF(weekdays));
    if (weekday < 0)
        return false;
    r->c->nth[nth] = (uint8_t)(r->c->nth[nth] | 1u << (unsigned)weekday);
    return true;
}

/* "*", "a", "a-b", each with an optional "/n". */
static int read_range(struct reading *r, struct str item)
{
    const struct limits *l = &limits[r->field];
    struct str rest = item;
    struct str range = str_trim(str_cut(&rest, '/'));
    bool has_step = str_find_char(item, '/') >= 0;
    struct str last = range, first = str_trim(str_cut(&last, '-'));
    bool has_last = str_find_char(range, '-') >= 0;
    int from = l->min, to = r->field == CRON_DAY_OF_WEEK ? 6 : l->max;
    int64_t step = 1;

    if (!str_eq_c(range, "*")) {
        int top = to;

        if (check_value(r, item, first, &from) != 0)
            return -1;
        to = has_step ? top : from;
        if (has_last && check_value(r, item, str_trim(last), &to) != 0)
            return -1;
        if (has_last && r->field == CRON_DAY_OF_WEEK && to == 0 && from > 0)
            to = 7; /* "mon-sun" ends with the week */
        if (from > to)
            return bad(r, item, "ends before it begins");
    }
    rest = str_trim(rest);
    if (has_step && (rest.len == 0 || rest.p[0] < '0' || rest.p[0] > '9' || !str_to_int(rest, &step) || step < 1))
        return bad(r, item, "has no whole number above 0 behind \"/\"");
    if (has_step && to > from && step > to - from)
        return bad(r, item, "has a step larger than its range");
    for (int64_t v = from; v <= to; v += step)
        set_bit(r->c, r->field, (int)v);
    return 0;
}

static int read_field(struct reading *r, struct str text)
{
    if (text.len > EXPRESSION_MAX) {
        err_set(r->e, ERR_INVALID, "%s: longer than %d characters", cron_names[r->field], EXPRESSION_MAX);
        return -1;
    }
    if (text.p[text.len - 1] == ',')
        return bad(r, text, "ends with a comma");
    for (struct str rest = text; rest.len > 0;) {
        struct str item = str_trim(str_cut(&rest, ','));

        if (item.len == 0)
            return bad(r, text, "has nothing between two commas");
        if (!day_of_month(r, item) && read_range(r, item) != 0)
            return -1;
    }
    return 0;
}

/* What a field nobody gave stands for. */
static struct str otherwise(enum cron_field f, int least_given)
{
    if ((int)f < least_given || f == CRON_WEEK || f == CRON_DAY_OF_WEEK)
        return STR("*");
    return f == CRON_MONTH || f == CRON_DAY ? STR("1") : STR("0");
}

int cron_parse(struct cron *out, const struct str fields[CRON_FIELDS], struct err *e)
{
    int least = CRON_SECOND; /* nothing given: every minute, not every second */

    *out = (struct cron){0};
    for (int f = CRON_SECOND; f >= 0; f--) {
        if (str_trim(fields[f]).len > 0) {
            least = f;
            break;
        }
    }
    for (int f = 0; f < CRON_FIELDS; f++) {
        struct reading r = {.c = out, .field = (enum cron_field)f, .e = e};
        struct str text = str_trim(fields[f]);

        if (text.len == 0)
            text = otherwise(r.field, least);
        if (f == CRON_WEEK)
            out->any_week = str_eq_c(text, "*");
        if (read_field(&r, text) != 0)
            return -1;
    }
    return 0;
}
