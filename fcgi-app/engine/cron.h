/*
 * Schedules in the fields of cron, and when they fire next.
 *
 * The eight fields, their defaults and expressions follow APScheduler's cron trigger, save that
 * Sunday is day 0 of the week (and 7), and that nobody giving a second means second 0.
 *
 * Rules: workflow-engine.md 5.2.
 */
#ifndef SLUICE_ENGINE_CRON_H
#define SLUICE_ENGINE_CRON_H

#include "base/err.h"
#include "base/str.h"

struct zone;

/* From the most to the least significant. */
enum cron_field {
    CRON_YEAR,
    CRON_MONTH,
    CRON_DAY,
    CRON_WEEK,
    CRON_DAY_OF_WEEK,
    CRON_HOUR,
    CRON_MINUTE,
    CRON_SECOND,
    CRON_FIELDS
};
/* "year", "month"...: the names of the API and of the columns. */
extern const char *const cron_names[CRON_FIELDS];

enum { CRON_YEAR_MIN = 1970, CRON_YEAR_MAX = 9999, CRON_YEAR_WORDS = (CRON_YEAR_MAX - CRON_YEAR_MIN) / 64 + 1 };

/* A schedule: a bit per value that fires.  No memory of its own. */
struct cron {
    uint64_t years[CRON_YEAR_WORDS]; /* bit 0 of word 0 is 1970 */
    uint64_t months, days, weeks, weekdays, hours, minutes, seconds; /* bit n is value n */
    bool last_day;
    uint8_t nth[6]; /* [0] last, [1] to [5] first to fifth: a bit per day of the week, Sunday first */
    bool any_week;
};

/*
 * Read the fields; an empty or absent one takes its default.
 *
 * Fails with ERR_INVALID naming field and fault: "hour: 25 is not between 0 and 23".
 */
MUST_CHECK int cron_parse(struct cron *out, const struct str fields[CRON_FIELDS], struct err *e);

/*
 * The first instant after `after_s` (seconds since 1970 UTC) at which the schedule fires on the
 * clocks of `z`; false when there is none until the year 9999.
 *
 * A local time that does not exist is skipped, of one that comes twice the first counts.
 */
bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *out_s);

#endif
