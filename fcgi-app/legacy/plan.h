/*
 * From the settings of a former platform to the configuration document: what is new, what is
 * there already, what contradicts (migration.md 4, 6.3).  Nothing is written here.
 */
#ifndef SLUICE_LEGACY_PLAN_H
#define SLUICE_LEGACY_PLAN_H

#include "config/config.h"
#include "legacy/sources.h"

enum legacy_conflict { LEGACY_KEEP, LEGACY_REPLACE, LEGACY_FAIL };

struct legacy_options {
    enum legacy_conflict conflict;
    bool conflict_given;         /* said on the command line */
    bool merge;                  /* proxies of one origin and account share a gateway */
    const char *const *gateways; /* "p1=bwks": NULL-ended */
    struct str map;              /* lines old.path=new.path */
    struct str secrets;          /* lines path=value, for what a source masks */
};

struct legacy_plan {
    struct val doc;      /* the document to store; secrets plain or masked as "kept" */
    bool changed;        /* it differs from the one in force */
    bool gaps;           /* something could not be imported */
    struct buf changes;  /* "gateways.bwks.url: - -> ..." one line each, secrets as (set) */
    struct buf notes;    /* what was left out, and why */
    struct buf lines;    /* option lines for the new process manager, hints for nginx */
    int64_t unsaid;      /* notes beyond 2 MiB of them */
    int added, unchanged, kept, replaced;
    struct val skipped;  /* list of texts for the record */
};

/*
 * s        notes of the sources go to plan->notes: give that buffer to legacy_sources_init().
 * current  the configuration in force.
 * shown    the target, for the printed lines: "user@host:port/database".
 * Fails with ERR_USAGE (bad values, with the words of migration.md 4.2), ERR_CONFLICT
 * (LEGACY_FAIL, or a proxy name in use by another gateway).
 */
MUST_CHECK int legacy_plan_make(struct legacy_plan *p, struct legacy_sources *s,
                                const struct legacy_options *o, const struct cfg *current,
                                struct arena *a, struct err *e);

/* A text that is printed: what a terminal obeys, and line ends, become blanks; names others gave may hold anything. */
char *plan_shown(char *text);

/*
 * The document of a former platform's API on top of the plan: sections by name, masked values from
 * o->secrets, else left out as a gap.
 */
MUST_CHECK int legacy_plan_content(struct legacy_plan *p, const struct legacy_options *o,
                                   const struct cfg *current, struct val content, struct arena *a,
                                   struct err *e);

#endif
