/*
 * Dates and times to text: strftime.  From text: datetime_read.c.
 *
 * English names, whatever the process's locale says.
 */
#include "template/datetime_int.h"

const char *const dt_day_names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                    "Friday", "Saturday", "Sunday"};
const char *const dt_month_names[] = {"January",   "February", "March",    "April",
                                      "May",       "June",     "July",     "August",
                                      "September", "October",  "November", "December"};

void dt_iso_week(const struct dt_fields *f, int *year, int *week)
{
    int64_t thursday = f->days - f->weekday + 3; /* the week belongs to the year of its Thursday */
    int month;
    int day;

    clock_civil_from_days(thursday, year, &month, &day);
    *week = (int)((thursday - clock_days_from_civil(*year, 1, 1)) / 7) + 1;
}

/* ---- strftime ------------------------------------------------------------------------------- */

static void put_zone_offset(const struct dt *d, bool colon, struct buf *out)
{
    int32_t s = d->offset_s < 0 ? -d->offset_s : d->offset_s;

    if (d->zone == NULL)
        return;
    buf_addf(out, "%c%02d%s%02d", d->offset_s < 0 ? '-' : '+', s / 3600, colon ? ":" : "",
             s / 60 % 60);
    if (s % 60 != 0)
        buf_addf(out, "%s%02d", colon ? ":" : "", s % 60);
}

static void put_zone_name(const struct dt *d, struct buf *out)
{
    const char *abbreviation = "";

    if (d->zone == NULL)
        return;
    zone_offset(d->zone, dt_floor_div(dt_utc_us(d), SECOND_US), &abbreviation, NULL);
    buf_add_c(out, abbreviation);
}

static void put_format(const struct dt *d, const struct dt_fields *f, struct str format,
                       struct buf *out);

static int hour12(const struct dt_fields *f)
{
    return f->hour % 12 == 0 ? 12 : f->hour % 12;
}

const char *dt_composite(char code)
{
    switch (code) {
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'r':
        return "%I:%M:%S %p";
    case 'R':
        return "%H:%M";
    case 'T':
    case 'X':
        return "%H:%M:%S";
    case 'h':
        return "%b";
    case 'n':
        return "\n";
    case 't':
        return "\t";
    default:
        return NULL;
    }
}

/* Numbers with the width and fill strftime gives them; false when `code` is none. */
static bool put_number(const struct dt *d, const struct dt_fields *f, char code, char flag,
                       struct buf *out)
{
    int iso_year;
    int iso_week;
    int64_t n;
    int width = 2;
    bool blank = false;

    dt_iso_week(f, &iso_year, &iso_week);
    switch (code) {
    case 'd':
        n = f->day;
        break;
    case 'e':
        n = f->day;
        blank = true;
        break;
    case 'H':
        n = f->hour;
        break;
    case 'k':
        n = f->hour;
        blank = true;
        break;
    case 'I':
        n = hour12(f);
        break;
    case 'l':
        n = hour12(f);
        blank = true;
        break;
    case 'j':
        n = f->yday;
        width = 3;
        break;
    case 'm':
        n = f->month;
        break;
    case 'M':
        n = f->minute;
        break;
    case 'S':
        n = f->second;
        break;
    case 'f':
        n = f->us;
        width = 6;
        break;
    case 'u':
        n = f->weekday + 1;
        width = 1;
        break;
    case 'w':
        n = (f->weekday + 1) % 7;
        width = 1;
        break;
    case 'U':
        n = (f->yday - 1 + 7 - (f->weekday + 1) % 7) / 7;
        break;
    case 'W':
        n = (f->yday - 1 + 7 - f->weekday) / 7;
        break;
    case 'V':
        n = iso_week;
        break;
    case 'G':
        n = iso_year;
        width = 1;
        break;
    case 'g':
        n = iso_year % 100;
        break;
    case 'y':
        n = f->year % 100;
        break;
    case 'Y':
        n = f->year;
        width = 1;
        break;
    case 'C':
        n = f->year / 100;
        break;
    case 's':
        n = dt_floor_div(dt_utc_us(d), SECOND_US);
        width = 1;
        break;
    default:
        return false;
    }
    if (flag == '-')
        buf_addf(out, "%lld", (long long)n);
    else if (flag == '_' || (blank && flag != '0'))
        buf_addf(out, "%*lld", width, (long long)n);
    else
        buf_addf(out, "%0*lld", width, (long long)n);
    return true;
}

static bool put_name(const struct dt *d, const struct dt_fields *f, char code, struct buf *out)
{
    switch (code) {
    case 'a':
        buf_add(out, dt_day_names[f->weekday], 3);
        return true;
    case 'A':
        buf_add_c(out, dt_day_names[f->weekday]);
        return true;
    case 'b':
        buf_add(out, dt_month_names[f->month - 1], 3);
        return true;
    case 'B':
        buf_add_c(out, dt_month_names[f->month - 1]);
        return true;
    case 'p':
        buf_add_c(out, f->hour < 12 ? "AM" : "PM");
        return true;
    case 'P':
        buf_add_c(out, f->hour < 12 ? "am" : "pm");
        return true;
    case 'z':
        put_zone_offset(d, false, out);
        return true;
    case 'Z':
        put_zone_name(d, out);
        return true;
    case '%':
        buf_putc(out, '%');
        return true;
    default:
        return false;
    }
}

static void put_format(const struct dt *d, const struct dt_fields *f, struct str format,
                       struct buf *out)
{
    for (size_t i = 0; i < format.len; i++) {
        size_t from = i;
        char flag = 0;
        char code;

        if (format.p[i] != '%' || i + 1 == format.len) {
            buf_putc(out, format.p[i]);
            continue;
        }
        code = format.p[++i];
        if ((code == '-' || code == '_' || code == '0' || code == ':') && i + 1 < format.len) {
            flag = code;
            code = format.p[++i];
        }
        if (flag == ':' && code == 'z')
            put_zone_offset(d, true, out);
        else if (flag != ':' && dt_composite(code) != NULL)
            put_format(d, f, str_c(dt_composite(code)), out);
        else if (flag == ':' || (!put_number(d, f, code, flag, out) && !put_name(d, f, code, out)))
            buf_add(out, format.p + from, i - from + 1);
    }
}

int dt_strftime(struct call *c, const struct dt *d, struct str format, struct val *out)
{
    struct dt_fields f;
    struct buf b;

    dt_fields(d, &f);
    if (d->kind == DT_TIME) { /* Python shows a time on the first of January 1900 */
        struct dt on_day = *d;

        on_day.local_us += clock_days_from_civil(1900, 1, 1) * DAY_US;
        dt_fields(&on_day, &f);
    }
    lib_buf(c, &b);
    put_format(d, &f, format, &b);
    return lib_finish(c, &b, 0, out);
}
