/*
 * What must hold after a round of blows: statements that find breaches.
 *
 * They read the tables of the engine and schema "proof", which it_crash makes:
 *     cells   what each workflow holds: tasks of a cell, their status and output, calls, the context
 *             key it must leave with which text, instances it runs, whom it asks
 *     ends    with which status its runs must end
 *     acked   what clients were answered
 *     calls   the ledger
 *     said    what came from outside, and how it was answered
 *     blows   what was struck, from when to when
 * `mine` are the instances of the round, acknowledged or not, `made` its calls; $R stands for the round,
 * $S for its start in seconds since 1970, $L for the microseconds that a blow may have an effect
 * beyond its end.
 */
#ifndef SLUICE_TESTS_CRASH_LAWS_H
#define SLUICE_TESTS_CRASH_LAWS_H

#include "base/str.h"

struct crash_law {
    const char *name; /* of the breach */
    const char *show; /* text of a row found */
    const char *find; /* what follows SELECT */
};

/* Makes schema "proof". */
extern const char crash_tables_sql[];
extern const struct crash_law crash_laws[];
extern const size_t crash_laws_n;
/* Not a breach before everybody had time: runs of the round that are still open. */
extern const struct crash_law crash_law_open;
/* Nor this: tasks that a person must replay, because the owners of the run died too often. */
extern const struct crash_law crash_law_left_alone;

/* The statement, giving one text: the first breaches, "" when there are none. */
const char *crash_law_sql(const struct crash_law *law, int round, int64_t start_us,
                          int64_t slack_us, struct arena *a);

#endif
