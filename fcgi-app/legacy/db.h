/*
 * An old database as source, read with a structure map (migration.md 6.2, 6.4).
 *
 * One transaction, repeatable read and read only, page by page from cursors: the old platform may go on,
 * and what it changes meanwhile makes no row come twice or not at all.
 */
#ifndef SLUICE_LEGACY_DB_H
#define SLUICE_LEGACY_DB_H

#include "legacy/archive.h"
#include "legacy/map.h"

struct legacy_db; /* an old database that is open */

struct legacy_db_options {
    const char *dsn_file;  /* its first line is the address */
    const char *map_file;  /* NULL: none */
    const char *structure; /* --structure=0.23.2; NULL: by fingerprint only */
    const char *timezone;  /* of times without zone; NULL: UTC */
};

/*
 * Read what the map names, but for the past: the configuration into the plan, old keys into `ar`, the
 * rest into `x`.  A row that does not convert is left out and told as a gap.
 *
 * *old  stays open for legacy_db_history(), also when this fails; NULL: it could not be opened.
 * Fails with ERR_USAGE (files, address), ERR_CONFIG (structure, no map for it, a key that is not unique), ERR_DB.
 */
MUST_CHECK int legacy_db_read(const struct legacy_db_options *d, struct legacy_sources *s,
                              const struct legacy_options *o, const struct cfg *current,
                              struct legacy_plan *p, struct legacy_content *x,
                              struct legacy_archive *ar, struct legacy_db **old, struct arena *a,
                              struct err *e);
/*
 * Instances, what hangs on them, and documents: read in pages and written as they come.
 *
 * Each page is a transaction, each document one of its own; what cannot come is told as a gap, a
 * line each; a document that no key opens is copied as it is.  Fails with ERR_DB, ERR_CONFIG (no key
 * to seal with), ERR_CONFLICT (LEGACY_FAIL).
 */
MUST_CHECK int legacy_db_history(struct legacy_db *old, struct legacy_archive *ar,
                                 const struct legacy_archive_target *t, struct legacy_plan *p,
                                 struct err *e);
void legacy_db_close(struct legacy_db *old); /* takes NULL */

#endif
