/*
 * Text to data: relaxed literals and durations (workflow-engine.md 2.8 and 2.10).
 */
#ifndef SLUICE_TEMPLATE_LITERAL_H
#define SLUICE_TEMPLATE_LITERAL_H

#include "base/value.h"

enum { LITERAL_ROWS_WITHOUT_COMMA = 1 }; /* tolerate "] [" between rows, for `inputs` of the file nodes */

/*
 * Read JSON, Python literals, or any mixture of the two; never evaluates.
 *
 * Fails with ERR_INVALID quoting at most 200 characters around the offending place, line and column set;
 * ERR_LIMIT when nested too deep.
 */
MUST_CHECK int literal_parse(struct str text, unsigned flags, struct val *out, struct arena *a, struct err *e);

/* "10 minutes", "3 min 10 sec", "1h30m", "5 business days", "20" (seconds) -> milliseconds.
 * Business units need where to count from: now_us (UTC) and the name of the platform's time zone; "" and a zone
 * nobody knows count by UTC.  Days then begin when they do there, through changes of its clocks. */
MUST_CHECK int duration_parse(struct str text, int64_t now_us, struct str zone, int64_t *ms, struct err *e);

#endif
