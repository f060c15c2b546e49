/*
 * What the files of date-times share.
 */
#ifndef SLUICE_TEMPLATE_DATETIME_INT_H
#define SLUICE_TEMPLATE_DATETIME_INT_H

#include "template/datetime.h"
#include "template/library_int.h"
#include "template/zone.h"

#define SECOND_US 1000000LL
#define DAY_US (86400 * SECOND_US)

struct dt_fields {
    int64_t days; /* since 1970-01-01 */
    int year, month, day;
    int hour, minute, second, us;
    int weekday; /* Monday = 0 */
    int yday;    /* from 1 */
};

/* In English, from Monday and from January. */
extern const char *const dt_day_names[7], *const dt_month_names[12];
/* What a code of strftime stands for that stands for several others, or NULL. */
const char *dt_composite(char code);

void dt_fields(const struct dt *d, struct dt_fields *f);
int64_t dt_floor_div(int64_t x, int64_t y);
/* Add microseconds on the wall clock; OverflowError outside the years 1 to 9999. */
MUST_CHECK int dt_shift(struct call *c, const struct dt *d, int64_t us, struct val *out);
/* ISO 8601 year and week. */
void dt_iso_week(const struct dt_fields *f, int *year, int *week);

#endif
