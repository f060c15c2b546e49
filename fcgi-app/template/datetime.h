/*
 * Dates, times and durations of templates, with Python's datetime as model.
 *
 * A date-time is naive (no zone) or aware (a zone of the system's database, or a fixed offset); the
 * calendar is proleptic Gregorian, years 1 to 9999, microseconds.
 */
#ifndef SLUICE_TEMPLATE_DATETIME_H
#define SLUICE_TEMPLATE_DATETIME_H

#include "template/callable.h"

struct zone; /* rules of a time zone, see zone.h */

enum dt_kind { DT_DATETIME, DT_DATE, DT_TIME };

struct dt {
    struct val_obj obj;
    enum dt_kind kind;
    int64_t local_us;        /* wall clock, microseconds since 1970-01-01 00:00 on it */
    const struct zone *zone; /* NULL = naive */
    int32_t offset_s;        /* east of Greenwich, when aware */
};

bool dt_is(struct val v);       /* a date-time, date or time */
bool dt_is_delta(struct val v); /* a duration */
const struct dt *dt_of(struct val v);
int64_t dt_delta_us(struct val v);

/* A timedelta of that many microseconds. */
struct val dt_delta_new(struct arena *a, int64_t us);
/* A date or date-time from local microseconds since 1970; zone NULL = naive. */
struct val dt_new(struct arena *a, enum dt_kind kind, int64_t local_us, const struct zone *zone);
/* The instant `utc_us` on the clock of `zone` (NULL = naive UTC). */
struct val dt_at(struct arena *a, int64_t utc_us, const struct zone *zone);
/* Microseconds since 1970 UTC; naive ones are taken as UTC. */
int64_t dt_utc_us(const struct dt *d);

/* strftime of Python; *out is text.  Unknown codes stay as they are. */
MUST_CHECK int dt_strftime(struct call *c, const struct dt *d, struct str format, struct val *out);
/* datetime.strptime: the whole text must follow the format; raises ValueError in Python's words. */
MUST_CHECK int dt_strptime(struct call *c, struct str text, struct str format, struct val *out);
/* ISO 8601, "2021-01-01[ T]12:00[:00[.5]][Z|+01:00]", or epoch seconds; false when it is none of
 * them. */
bool dt_parse(struct str text, struct arena *a, struct val *out);
/* ISO form, as isoformat(). */
void dt_iso(const struct dt *d, char sep, struct buf *out);
/* A duration from days=, seconds=, ... as timedelta(); positional ones in Python's order. */
MUST_CHECK int dt_delta_args(struct call *c, struct val *out);
/* tz(name) as a value, and back: a zone value or a name; raises ValueError for an unknown one. */
struct val dt_zone_new(struct arena *a, const struct zone *zone);
MUST_CHECK int dt_zone_arg(struct call *c, struct val v, const struct zone **out);
/* The platform's zone; NULL when it is UTC by default. */
MUST_CHECK int dt_platform_zone(struct call *c, const struct zone **out);
/* Methods of date-times and durations; false when there is none of that name. */
bool dt_method(struct val self, struct str name, callable_fn **fn, const char **qualified);

#endif
