/*
 * Dates and zones: arithmetic, comparison, both hours of the clock change, forms that are read.
 */
#include "template/datetime.h"
#include "template/zone.h"
#include "unit/template/renders.h"

static const struct render_row rows[] = {
    {"add and subtract",
     "{% set d = '2021-01-31'|to_datetime %}{{ d + timedelta(days=1) }} {{ d - timedelta(hours=1) "
     "}}",
     "2021-02-01 00:00:00 2021-01-30 23:00:00", NULL},
    {"difference", "{{ '2021-03-01'|to_datetime - '2020-03-01'|to_datetime }}", "365 days, 0:00:00",
     NULL},
    {"difference over zones",
     "{{ '2021-01-01T00:00:00+01:00'|to_datetime - '2021-01-01T00:00:00Z'|to_datetime }}",
     "-1 day, 23:00:00", NULL},
    {"order", "{{ '2021-01-02'|to_datetime > '2021-01-01'|to_datetime }}{{ now() == now() }}",
     "TrueTrue", NULL},
    {"naive and aware have no order", "{{ now() < now('UTC') }}", "! TypeError", NULL},
    {"naive and aware are not equal", "{{ utcnow() == now('UTC') }}", "False", NULL},
    {"a date and a text", "{{ now() + 'x' }}", "! TypeError", NULL},
    {"beyond the calendar", "{{ '9999-12-31'|to_datetime + timedelta(days=1) }}", "! OverflowError",
     NULL},
    {"summer begins",
     "{{ ('2021-03-28T00:59:59Z'|to_datetime).astimezone(tz('Europe/Paris')) }} "
     "{{ ('2021-03-28T01:00:00Z'|to_datetime).astimezone(tz('Europe/Paris')) }}",
     "2021-03-28 01:59:59+01:00 2021-03-28 03:00:00+02:00", NULL},
    {"summer ends",
     "{{ ('2021-10-31T00:30:00Z'|to_datetime).astimezone(tz('Europe/Paris')) }} "
     "{{ ('2021-10-31T01:30:00Z'|to_datetime).astimezone(tz('Europe/Paris')) }}",
     "2021-10-31 02:30:00+02:00 2021-10-31 02:30:00+01:00", NULL},
    {"far years follow the rule",
     "{{ ('2090-07-01T00:00:00Z'|to_datetime).astimezone(tz('Europe/Paris')) }}",
     "2090-07-01 02:00:00+02:00", NULL},
    {"wall clock arithmetic",
     "{{ ('2021-03-27T12:00:00Z'|to_datetime).astimezone(tz('Europe/Paris')) + timedelta(days=1) "
     "}}",
     "2021-03-28 13:00:00+02:00", NULL},
    {"reprs",
     "{{ ['2021-01-02T03:04:00'|to_datetime, ('2021-01-02'|to_datetime).date(), "
     "timedelta(hours=25)] }}",
     "[datetime.datetime(2021, 1, 2, 3, 4), datetime.date(2021, 1, 2), datetime.timedelta(days=1, "
     "seconds=3600)]",
     NULL},
    {"keys and sets", "{{ [now(), now()]|unique|length }}{{ {now(): 1}[now()] }}", "11", NULL},
    {"sorting", "{{ ['2021-02-01', '2021-01-01']|map('to_datetime')|sort|first }}",
     "2021-01-01 00:00:00", NULL},
    {"JSON", "{{ {'d': now()}|pp_dict }}", "{\"d\": \"2021-02-19T22:20:04.389189\"}", NULL},
    {"replace", "{{ now().replace(hour=0, minute=0, second=0, microsecond=0) }}",
     "2021-02-19 00:00:00", NULL},
    {"replace out of range", "{{ now().replace(month=2, day=30) }}", "! ValueError", NULL},
    {"parts",
     "{{ now().date() }} {{ now().time() }} {{ now().weekday() }} {{ now().isocalendar() }}",
     "2021-02-19 22:20:04.389189 4 (2021, 7, 5)", NULL},
    {"dates subtract", "{{ (now().date() - utcnow().date()).days }}", "0", NULL},
    {"zone names",
     "{{ now('Europe/Paris').tzname() }} {{ now('Europe/Paris').utcoffset() }} {{ now().tzinfo }}",
     "CET 1:00:00 None", NULL},
};

static const struct read_row {
    const char *name; /* what is read */
    const char *want; /* NULL: not a date */
} forms[] = {
    {"2021-02-03", "2021-02-03 00:00:00"},
    {"20210203", "2021-02-03 00:00:00"},
    {"2021-02-03 04:05", "2021-02-03 04:05:00"},
    {"2021-02-03T04:05:06", "2021-02-03 04:05:06"},
    {"2021-02-03T04:05:06.5Z", "2021-02-03 04:05:06.500000+00:00"},
    {"2021-02-03 04:05:06.123456789+0200", "2021-02-03 04:05:06.123456+02:00"},
    {"2021-02-03 04:05:06 -03:30", "2021-02-03 04:05:06-03:30"},
    {"2021-02-03 04:05:06 UTC", "2021-02-03 04:05:06+00:00"},
    {"20210203T040506Z", "2021-02-03 04:05:06+00:00"},
    {" 2021-02-03 ", "2021-02-03 00:00:00"},
    {"1613769604", "2021-02-19 21:20:04"},
    {"1613769604.5", "2021-02-19 21:20:04.500000"},
    {"-1", "1969-12-31 23:59:59"},
    {"0001-01-01", "0001-01-01 00:00:00"},
    {"9999-12-31T23:59:59", "9999-12-31 23:59:59"},
    {"2021-02-29", NULL},
    {"2021-13-01", NULL},
    {"2021-02-03T25:00", NULL},
    {"2021-02-03T04:05:06+25:00", NULL},
    {"2021-02-03x", NULL},
    {"0000-01-01", NULL},
    {"tomorrow", NULL},
    {"", NULL},
    {"1e30", NULL},
};

static void reads(const struct read_row *r)
{
    struct arena *a = arena_new(0);
    struct val v;
    bool ok = dt_parse(str_c(r->name), a, &v);

    assert_int_equal(ok, r->want != NULL);
    if (ok)
        assert_string_equal(str_cstr(a, val_str_of(v, a)), r->want);
    arena_free(a);
}

static const struct zone_row {
    const char *name;
    bool known;
} zones[] = {
    {"Europe/Paris", true}, {"UTC", true},     {"Etc/GMT+5", true},
    {"Mars/Base", false},   {"", false},       {"../zone.tab", false},
    {"/etc/passwd", false}, {"Europe", false}, {"zone.tab", false},
    {"a\nb", false},
};

static void opens(const struct zone_row *r)
{
    struct arena *a = arena_new(0);
    const struct zone *z = zone_open(str_c(r->name), a);

    assert_int_equal(z != NULL, r->known);
    if (z != NULL)
        assert_string_equal(zone_name(z).p, r->name);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, renders) + CASES(forms, reads) + CASES(zones, opens);
}
