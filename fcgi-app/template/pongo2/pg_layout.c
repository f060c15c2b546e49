/*
 * Go's time layouts: the text that stands for Mon Jan 2 15:04:05 MST 2006.
 *
 * Rule: Go's documentation of package time, "Layout".
 */
#include "template/datetime_int.h"
#include "template/pongo2/pg_flt.h"

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                   "Friday", "Saturday", "Sunday"};

enum part {
    MONTH_NAME,
    MONTH_SHORT,
    MONTH,
    MONTH_2,
    DAY_NAME,
    DAY_SHORT,
    DAY,
    DAY_BLANK,
    DAY_2,
    YDAY_BLANK,
    YDAY_3,
    HOUR_24,
    HOUR_12,
    HOUR_12_2,
    MINUTE,
    MINUTE_2,
    SECOND,
    SECOND_2,
    YEAR,
    YEAR_2,
    UPPER_PM,
    LOWER_PM,
    ZONE_NAME,
    ZONE,
};

/* The longest of those with one beginning stands first. */
static const struct {
    const char *text;
    enum part part;
} parts[] = {
    {"January", MONTH_NAME}, {"Jan", MONTH_SHORT}, {"Monday", DAY_NAME}, {"Mon", DAY_SHORT},
    {"MST", ZONE_NAME},      {"2006", YEAR},       {"_2006", YEAR}, /* the underscore is printed */
    {"__2", YDAY_BLANK},     {"_2", DAY_BLANK},    {"002", YDAY_3},      {"01", MONTH_2},
    {"02", DAY_2},           {"03", HOUR_12_2},    {"04", MINUTE_2},     {"05", SECOND_2},
    {"06", YEAR_2},          {"15", HOUR_24},      {"1", MONTH},         {"2", DAY},
    {"3", HOUR_12},          {"4", MINUTE},        {"5", SECOND},        {"PM", UPPER_PM},
    {"pm", LOWER_PM},        {"-07:00:00", ZONE},  {"-070000", ZONE},    {"-07:00", ZONE},
    {"-0700", ZONE},         {"-07", ZONE},        {"Z07:00:00", ZONE},  {"Z070000", ZONE},
    {"Z07:00", ZONE},        {"Z0700", ZONE},      {"Z07", ZONE},
};

/* "-07:00" and its sisters tell by their looks what is printed. */
static void put_offset(int32_t offset_s, const char *as, struct buf *out)
{
    size_t len = strlen(as);
    bool colons = strchr(as, ':') != NULL;
    int32_t s = offset_s < 0 ? -offset_s : offset_s;
    const char *colon = colons ? ":" : "";

    if (as[0] == 'Z' && offset_s == 0) {
        buf_putc(out, 'Z');
        return;
    }
    buf_addf(out, "%c%02d", offset_s < 0 ? '-' : '+', s / 3600);
    if (len > 3)
        buf_addf(out, "%s%02d", colon, s / 60 % 60);
    if (len > 6)
        buf_addf(out, "%s%02d", colon, s % 60);
}

static void put_zone_name(const struct dt *d, struct buf *out)
{
    const char *abbreviation = "UTC";
    bool dst;

    if (d->zone != NULL)
        (void)zone_offset(d->zone, dt_floor_div(dt_utc_us(d), SECOND_US), &abbreviation, &dst);
    if (abbreviation != NULL && abbreviation[0] != '\0' && strncmp(abbreviation, "UTC+", 4) != 0 &&
        strncmp(abbreviation, "UTC-", 4) != 0)
        buf_add_c(out, abbreviation);
    else
        put_offset(d->offset_s, d->offset_s % 3600 == 0 ? "-07" : "-0700", out);
}

static void put_part(const struct dt *d, const struct dt_fields *f, enum part part, const char *as,
                     struct buf *out)
{
    int hour = f->hour % 12 == 0 ? 12 : f->hour % 12;

    switch (part) {
    case MONTH_NAME:
        buf_add_c(out, months[f->month - 1]);
        break;
    case MONTH_SHORT:
        buf_add(out, months[f->month - 1], 3);
        break;
    case MONTH:
        buf_add_int(out, f->month);
        break;
    case MONTH_2:
        buf_addf(out, "%02d", f->month);
        break;
    case DAY_NAME:
        buf_add_c(out, days[f->weekday]);
        break;
    case DAY_SHORT:
        buf_add(out, days[f->weekday], 3);
        break;
    case DAY:
        buf_add_int(out, f->day);
        break;
    case DAY_BLANK:
        buf_addf(out, "%2d", f->day);
        break;
    case DAY_2:
        buf_addf(out, "%02d", f->day);
        break;
    case YDAY_BLANK:
        buf_addf(out, "%3d", f->yday);
        break;
    case YDAY_3:
        buf_addf(out, "%03d", f->yday);
        break;
    case HOUR_24:
        buf_addf(out, "%02d", f->hour);
        break;
    case HOUR_12:
        buf_add_int(out, hour);
        break;
    case HOUR_12_2:
        buf_addf(out, "%02d", hour);
        break;
    case MINUTE:
        buf_add_int(out, f->minute);
        break;
    case MINUTE_2:
        buf_addf(out, "%02d", f->minute);
        break;
    case SECOND:
        buf_add_int(out, f->second);
        break;
    case SECOND_2:
        buf_addf(out, "%02d", f->second);
        break;
    case YEAR:
        buf_addf(out, as[0] == '_' ? "_%04d" : "%04d", f->year);
        break;
    case YEAR_2:
        buf_addf(out, "%02d", f->year % 100);
        break;
    case UPPER_PM:
        buf_add_c(out, f->hour >= 12 ? "PM" : "AM");
        break;
    case LOWER_PM:
        buf_add_c(out, f->hour >= 12 ? "pm" : "am");
        break;
    case ZONE_NAME:
        put_zone_name(d, out);
        break;
    case ZONE:
        put_offset(d->offset_s, as, out);
        break;
    }
}

/* .000 and .999 behind the seconds: the length of the part, 0 when none stands here. */
static size_t put_fraction(const struct dt_fields *f, struct str rest, struct buf *out)
{
    char digits[16];
    size_t n = 1;

    if (rest.len < 2 || (rest.p[0] != '.' && rest.p[0] != ',') ||
        (rest.p[1] != '0' && rest.p[1] != '9'))
        return 0;
    while (n < rest.len && rest.p[n] == rest.p[1])
        n++;
    if (n > 10 || (n < rest.len && rest.p[n] >= '0' && rest.p[n] <= '9'))
        return 0;
    (void)snprintf(digits, sizeof(digits), "%c%06d000", rest.p[0], f->us);
    digits[n] = '\0';
    if (rest.p[1] == '9') {
        size_t last = n;

        while (last > 1 && digits[last - 1] == '0')
            last--;
        digits[last > 1 ? last : 0] = '\0';
    }
    buf_add_c(out, digits);
    return n;
}

/* "Jan" of "January" in a longer word is one all the same, but "Monday" wants no letter behind
 * "Mon". */
static bool fits(struct str rest, const char *text)
{
    return str_starts(rest, str_c(text)) &&
           !(strcmp(text, "Jan") == 0 && rest.len > 3 && rest.p[3] >= 'a' && rest.p[3] <= 'z') &&
           !(strcmp(text, "Mon") == 0 && rest.len > 3 && rest.p[3] >= 'a' && rest.p[3] <= 'z');
}

void pg_time_format(const struct dt *d, struct str layout, struct buf *out)
{
    struct dt_fields f;

    dt_fields(d, &f);
    while (layout.len > 0) {
        size_t n = put_fraction(&f, layout, out);
        size_t i = 0;

        while (n == 0 && i < COUNT_OF(parts) && !fits(layout, parts[i].text))
            i++;
        if (n == 0 && i < COUNT_OF(parts)) {
            put_part(d, &f, parts[i].part, parts[i].text, out);
            n = strlen(parts[i].text);
        }
        if (n == 0) {
            buf_putc(out, layout.p[0]);
            n = 1;
        }
        layout = str_slice(layout, n, layout.len);
    }
}
