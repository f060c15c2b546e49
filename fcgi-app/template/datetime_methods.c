/*
 * Methods of date-times, dates, times and durations.
 */
#include "base/utf8.h"
#include "template/datetime_int.h"
#include "template/methods_int.h"

static const struct dt *self_of(const struct call *c)
{
    return dt_of(c->self);
}

static int no_args(struct call *c)
{
    return call_bind(c, "", NULL);
}

static int dt_date(struct call *c, struct val *out)
{
    if (no_args(c) != 0)
        return -1;
    *out = dt_new(c->a, DT_DATE, dt_floor_div(self_of(c)->local_us, DAY_US) * DAY_US, NULL);
    return 0;
}

static int dt_time(struct call *c, struct val *out)
{
    int64_t us = self_of(c)->local_us;

    if (no_args(c) != 0)
        return -1;
    *out = dt_new(c->a, DT_TIME, us - dt_floor_div(us, DAY_US) * DAY_US, NULL);
    return 0;
}

static int dt_weekday(struct call *c, struct val *out)
{
    struct dt_fields f;

    dt_fields(self_of(c), &f);
    *out = val_int(f.weekday);
    return no_args(c);
}

static int dt_isoweekday(struct call *c, struct val *out)
{
    struct dt_fields f;

    dt_fields(self_of(c), &f);
    *out = val_int(f.weekday + 1);
    return no_args(c);
}

static int dt_isocalendar(struct call *c, struct val *out)
{
    struct dt_fields f;
    int year;
    int week;

    dt_fields(self_of(c), &f);
    dt_iso_week(&f, &year, &week);
    *out = val_tuple_new(c->a, 3);
    val_list_add(*out, val_int(year));
    val_list_add(*out, val_int(week));
    val_list_add(*out, val_int(f.weekday + 1));
    return no_args(c);
}

static int dt_toordinal(struct call *c, struct val *out)
{
    *out = val_int(dt_floor_div(self_of(c)->local_us, DAY_US) + 719163);
    return no_args(c);
}

static int dt_ctime(struct call *c, struct val *out)
{
    return no_args(c) != 0 ? -1 : dt_strftime(c, self_of(c), STR("%a %b %e %H:%M:%S %Y"), out);
}

/* Cut an ISO text at the unit `timespec` names. */
static int cut_iso(struct call *c, struct str spec, struct dt *d, size_t *keep)
{
    static const struct {
        const char *name;
        size_t keep; /* characters of hh:mm:ss.ffffff */
    } specs[] = {
        {"hours", 2}, {"minutes", 5}, {"seconds", 8}, {"milliseconds", 12}, {"microseconds", 15}};

    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (str_eq_c(spec, specs[i].name)) {
            *keep = specs[i].keep;
            if (*keep <= 8)
                d->local_us = dt_floor_div(d->local_us, SECOND_US) * SECOND_US;
            return 0;
        }
    }
    *keep = 0;
    return str_eq_c(spec, "auto") ? 0 : call_raise(c, TMPL_EXC_VALUE, "Unknown timespec value");
}

static int dt_isoformat(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT("T"), VAL_STR_LIT("auto")};
    struct dt d = *self_of(c);
    struct dt_fields f;
    struct str sep;
    size_t keep;
    struct buf b;
    struct buf zone;
    const char *time;

    if (call_bind(c,
                  d.kind == DT_DATE   ? ""
                  : d.kind == DT_TIME ? "timespec="
                                      : "sep=,timespec=",
                  d.kind == DT_TIME ? arg + 1 : arg) != 0 ||
        lib_need_text(c, arg[0], "sep", &sep) != 0 || cut_iso(c, val_text(arg[1]), &d, &keep) != 0)
        return -1;
    if (utf8_len(sep) != 1)
        return call_raise(c, TMPL_EXC_TYPE,
                          "isoformat() argument 1 must be a unicode character, not str");
    lib_buf(c, &b);
    if (keep == 0 || d.kind == DT_DATE) {
        dt_iso(&d, sep.p[0], &b);
        return lib_finish(c, &b, 0, out);
    }
    dt_fields(&d, &f);
    if (d.kind == DT_DATETIME)
        buf_addf(&b, "%04d-%02d-%02d%.*s", f.year, f.month, f.day, STR_ARG(sep));
    time = arena_printf(c->a, "%02d:%02d:%02d.%06d", f.hour, f.minute, f.second, f.us);
    buf_add(&b, time, keep);
    if (d.zone != NULL) {
        struct dt midnight = {.kind = DT_TIME, .zone = d.zone, .offset_s = d.offset_s};

        lib_buf(c, &zone);
        dt_iso(&midnight, 'T', &zone);
        buf_add_str(&b, str_slice(buf_str(&zone), 8, zone.len));
    }
    return lib_finish(c, &b, 0, out);
}

static int dt_strftime_method(struct call *c, struct val *out)
{
    struct val format = val_null();
    struct str s;

    if (call_bind(c, "format", &format) != 0 ||
        lib_need_text(c, format, "strftime() argument 1", &s) != 0)
        return -1;
    return dt_strftime(c, self_of(c), s, out);
}

/* Microseconds since 1970: a naive one stands on the platform's clock. */
static int instant(struct call *c, const struct dt *d, int64_t *utc_us)
{
    const struct zone *zone;

    *utc_us = dt_utc_us(d);
    if (d->zone != NULL)
        return 0;
    if (dt_platform_zone(c, &zone) != 0)
        return -1;
    if (zone != NULL)
        *utc_us -= zone_offset_local(zone, dt_floor_div(d->local_us, SECOND_US)) * SECOND_US;
    return 0;
}

static int dt_timestamp(struct call *c, struct val *out)
{
    int64_t us;

    if (no_args(c) != 0 || instant(c, self_of(c), &us) != 0)
        return -1;
    *out = val_float((double)us / 1e6);
    return 0;
}

static int dt_astimezone(struct call *c, struct val *out)
{
    struct val tz = val_null();
    const struct zone *zone;
    int64_t us;

    if (call_bind(c, "tz=", &tz) != 0 || instant(c, self_of(c), &us) != 0)
        return -1;
    if (val_is_none(tz)) {
        if (dt_platform_zone(c, &zone) != 0)
            return -1;
        if (zone == NULL)
            zone = zone_fixed(0, c->a);
    } else if (dt_zone_arg(c, tz, &zone) != 0) {
        return -1;
    }
    *out = dt_at(c->a, us, zone);
    return 0;
}

static int dt_utcoffset(struct call *c, struct val *out)
{
    *out = self_of(c)->zone == NULL ? val_null()
                                    : dt_delta_new(c->a, self_of(c)->offset_s * SECOND_US);
    return no_args(c);
}

static int dt_tzname(struct call *c, struct val *out)
{
    if (self_of(c)->zone == NULL) {
        *out = val_null();
        return no_args(c);
    }
    return no_args(c) != 0 ? -1 : dt_strftime(c, self_of(c), STR("%Z"), out);
}

static int dt_dst(struct call *c, struct val *out)
{
    const struct dt *d = self_of(c);
    bool dst;

    *out = val_null();
    if (d->zone != NULL) {
        zone_offset(d->zone, dt_floor_div(dt_utc_us(d), SECOND_US), NULL, &dst);
        *out = dt_delta_new(c->a, dst ? 3600 * SECOND_US : 0);
    }
    return no_args(c);
}

static int dt_timetuple(struct call *c, struct val *out)
{
    struct dt_fields f;

    dt_fields(self_of(c), &f);
    *out = val_tuple_new(c->a, 9);
    for (size_t i = 0; i < 9; i++) {
        const int parts[9] = {f.year,   f.month,   f.day,  f.hour, f.minute,
                              f.second, f.weekday, f.yday, -1};

        val_list_add(*out, val_int(parts[i]));
    }
    return no_args(c);
}

static int out_of_range(struct call *c, const char *what)
{
    return call_raise(c, TMPL_EXC_VALUE, "%s", what);
}

static int check_fields(struct call *c, const int64_t n[7])
{
    if (n[0] < 1 || n[0] > 9999)
        return call_raise(c, TMPL_EXC_VALUE, "year %lld is out of range", (long long)n[0]);
    if (n[1] < 1 || n[1] > 12)
        return out_of_range(c, "month must be in 1..12");
    if (n[2] < 1 || n[2] > 31 ||
        (n[2] > 28 &&
         clock_days_from_civil((int)n[0], (int)n[1], (int)n[2]) >=
             clock_days_from_civil((int)n[0] + (n[1] == 12), n[1] == 12 ? 1 : (int)n[1] + 1, 1)))
        return out_of_range(c, "day is out of range for month");
    if (n[3] < 0 || n[3] > 23)
        return out_of_range(c, "hour must be in 0..23");
    if (n[4] < 0 || n[4] > 59)
        return out_of_range(c, "minute must be in 0..59");
    if (n[5] < 0 || n[5] > 59)
        return out_of_range(c, "second must be in 0..59");
    if (n[6] < 0 || n[6] > 999999)
        return out_of_range(c, "microsecond must be in 0..999999");
    return 0;
}

static int dt_replace(struct call *c, struct val *out)
{
    const struct dt *d = self_of(c);
    const struct zone *zone = d->zone;
    struct dt_fields f;
    struct val arg[8];
    int64_t n[7];
    int64_t day;

    dt_fields(d, &f);
    arg[0] = val_int(f.year);
    arg[1] = val_int(f.month);
    arg[2] = val_int(f.day);
    arg[3] = val_int(f.hour);
    arg[4] = val_int(f.minute);
    arg[5] = val_int(f.second);
    arg[6] = val_int(f.us);
    arg[7] = val_undef(NULL);
    if (call_bind(c,
                  d->kind == DT_TIME ? "hour=,minute=,second=,microsecond=,tzinfo="
                  : d->kind == DT_DATE
                      ? "year=,month=,day="
                      : "year=,month=,day=,hour=,minute=,second=,microsecond=,tzinfo=",
                  d->kind == DT_TIME ? arg + 3 : arg) != 0)
        return -1;
    for (size_t i = 0; i < 7; i++) {
        if (lib_int(c, arg[i], &n[i]) != 0)
            return -1;
    }
    if (check_fields(c, n) != 0)
        return -1;
    if (val_is(arg[7], VAL_NULL))
        zone = NULL;
    else if (!val_is_undef(arg[7]) && dt_zone_arg(c, arg[7], &zone) != 0)
        return -1;
    day = clock_days_from_civil((int)n[0], (int)n[1], (int)n[2]);
    *out = dt_new(c->a, d->kind, day * DAY_US + (n[3] * 3600 + n[4] * 60 + n[5]) * SECOND_US + n[6],
                  zone);
    return 0;
}

static int delta_total_seconds(struct call *c, struct val *out)
{
    *out = val_float((double)dt_delta_us(c->self) / 1e6);
    return no_args(c);
}

static const struct method datetime_rows[] = {
    {"astimezone", dt_astimezone, "datetime.astimezone"},
    {"ctime", dt_ctime, "datetime.ctime"},
    {"date", dt_date, "datetime.date"},
    {"dst", dt_dst, "datetime.dst"},
    {"isocalendar", dt_isocalendar, "datetime.isocalendar"},
    {"isoformat", dt_isoformat, "datetime.isoformat"},
    {"isoweekday", dt_isoweekday, "datetime.isoweekday"},
    {"replace", dt_replace, "datetime.replace"},
    {"strftime", dt_strftime_method, "datetime.strftime"},
    {"time", dt_time, "datetime.time"},
    {"timestamp", dt_timestamp, "datetime.timestamp"},
    {"timetuple", dt_timetuple, "datetime.timetuple"},
    {"toordinal", dt_toordinal, "datetime.toordinal"},
    {"tzname", dt_tzname, "datetime.tzname"},
    {"utcoffset", dt_utcoffset, "datetime.utcoffset"},
    {"weekday", dt_weekday, "datetime.weekday"},
};

static const struct method date_rows[] = {
    {"ctime", dt_ctime, "date.ctime"},
    {"isocalendar", dt_isocalendar, "date.isocalendar"},
    {"isoformat", dt_isoformat, "date.isoformat"},
    {"isoweekday", dt_isoweekday, "date.isoweekday"},
    {"replace", dt_replace, "date.replace"},
    {"strftime", dt_strftime_method, "date.strftime"},
    {"timetuple", dt_timetuple, "date.timetuple"},
    {"toordinal", dt_toordinal, "date.toordinal"},
    {"weekday", dt_weekday, "date.weekday"},
};

static const struct method time_rows[] = {
    {"isoformat", dt_isoformat, "time.isoformat"},
    {"replace", dt_replace, "time.replace"},
    {"strftime", dt_strftime_method, "time.strftime"},
};

static const struct method delta_rows[] = {
    {"total_seconds", delta_total_seconds, "timedelta.total_seconds"},
};

static const struct method_table tables[] = {
    [DT_DATETIME] = {datetime_rows, COUNT_OF(datetime_rows)},
    [DT_DATE] = {date_rows, COUNT_OF(date_rows)},
    [DT_TIME] = {time_rows, COUNT_OF(time_rows)},
};
static const struct method_table of_delta = {delta_rows, COUNT_OF(delta_rows)};

bool dt_method(struct val self, struct str name, callable_fn **fn, const char **qualified)
{
    if (dt_is_delta(self))
        return method_in(&of_delta, name, fn, qualified);
    return dt_is(self) && method_in(&tables[dt_of(self)->kind], name, fn, qualified);
}
