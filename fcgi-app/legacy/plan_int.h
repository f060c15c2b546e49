/*
 * What the parts of planning share.
 */
#ifndef SLUICE_LEGACY_PLAN_INT_H
#define SLUICE_LEGACY_PLAN_INT_H

#include "legacy/plan.h"

struct planning {
    struct legacy_plan *p;
    struct legacy_sources *s;
    const struct legacy_options *o;
    const struct cfg *current;
    bool secret; /* what is put now is not to be shown */
    struct arena *a;
    struct err *e;
};

/* Put an entry into a map of the document ("gateways", "bwks"), by the rule for conflicts. */
MUST_CHECK int plan_put(struct planning *pl, const char *map, struct str name, struct val entry);
/* Put an entry into a list whose items are known by "name" ("SSO", "provisioning.gateways"). */
MUST_CHECK int plan_put_named(struct planning *pl, const char *list, struct val entry);
void plan_note(struct planning *pl, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, and the import has a gap. */
void plan_gap(struct planning *pl, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A text that stands for a value the source does not show. */
bool plan_masked(struct str text);

/* plan_proxies.c */
MUST_CHECK int plan_proxies(struct planning *pl);
/* plan_file.c */
MUST_CHECK int plan_files(struct planning *pl);

#endif
