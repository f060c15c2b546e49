/*
 * What moves from a former platform beside its configuration: people, workflows, what starts them,
 * and what hangs on them (migration.md 6.1).
 *
 * A source (the old API, an old database) fills lists of objects, shaped as the API of http-api.md
 * shows them, with names in place of ids ("activity_name", "username"); this writes them.  Objects
 * are matched by name, one transaction per kind, so that a killed import, started again, ends in the
 * same state.
 */
#ifndef SLUICE_LEGACY_CONTENT_H
#define SLUICE_LEGACY_CONTENT_H

#include "legacy/plan.h"

/* In the order they are written: what is named stands before what names it. */
enum legacy_kind_id {
    LEGACY_PROFILES,
    LEGACY_ROLES,
    LEGACY_USERS,
    LEGACY_MEMBERS,   /* {"username", "role"} */
    LEGACY_IP_LIMITS, /* {"username", "ip"} */
    LEGACY_CALLBACKS, /* with "username" */
    LEGACY_TEMPLATES, /* binary ones: "content", base64 */
    LEGACY_WORKFLOWS, /* the working version; "active" */
    LEGACY_VERSIONS,  /* labelled ones, with "activity_name" */
    LEGACY_STARTUP,
    LEGACY_ROUTES,
    LEGACY_JOBS,
    LEGACY_EVENTS,
    LEGACY_WEBHOOKS, /* with "subscriptions": the events themselves */
    LEGACY_ACTIONS,
    LEGACY_REPORTS,
    LEGACY_FILTERS, /* with "username", the owner */
    LEGACY_WEAK,    /* {"name", "text"}: a word a line */
    LEGACY_KINDS
};

struct legacy_content {
    struct arena *a;
    struct val items[LEGACY_KINDS]; /* lists of objects */
    bool read[LEGACY_KINDS];        /* the source has such things */
    struct {
        int added, replaced, kept, unchanged, skipped;
    } counts[LEGACY_KINDS];
};

void legacy_content_init(struct legacy_content *x, struct arena *a);
/* An object of a kind. */
void legacy_content_add(struct legacy_content *x, enum legacy_kind_id kind, struct val item);
/* The word that names a kind in maps: "scheduled_jobs"; false: there is none of that name. */
bool legacy_kind_find(struct str word, enum legacy_kind_id *out);

/*
 * Write all of it into the database behind `c`; dry: find out what would be, and take it back.
 *
 * What cannot be written is told as a gap of the plan, an item a line, with what to do.  Fails with
 * ERR_CONFLICT (LEGACY_FAIL), ERR_DB.
 */
MUST_CHECK int legacy_content_write(struct legacy_content *x, struct db_conn *c,
                                    const struct cfg *current, const struct legacy_options *o,
                                    bool dry, struct legacy_plan *p, struct err *e);
void legacy_content_counts(const struct legacy_content *x, struct val counts);
/* One line for each kind the source has, on standard output. */
void legacy_content_tell(const struct legacy_content *x);

/* Statements of all kinds, for the test that prepares them; how many. */
enum { LEGACY_STMTS_MAX = 5 * LEGACY_KINDS };
size_t legacy_content_stmts(const struct db_stmt *out[LEGACY_STMTS_MAX]);

#endif
