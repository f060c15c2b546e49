/*
 * What resources share that do something with many transactions at once (engine: mass.c).
 */
#ifndef SLUICE_API_MASS_H
#define SLUICE_API_MASS_H

#include "api/search.h"

/* The search of requests as /apio/requests reads it, with what the caller may see. */
MUST_CHECK int requests_search_read(struct api_call *c, struct search *s, struct err *e);

struct mass_made {
    int64_t id, total; /* no operation is left when total is 0 */
    int64_t done, failed;
};

/* Begin an operation on the transactions of the requests a search finds. */
MUST_CHECK int mass_of_search(struct api_call *c, const struct engine_mass *m, const struct search *s,
                              struct mass_made *out, struct err *e);
/* Give it some time, and see how far it got. */
MUST_CHECK int mass_wait(struct api_call *c, struct mass_made *m, int64_t ms, struct err *e);

#endif
