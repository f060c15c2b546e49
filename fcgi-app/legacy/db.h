/*
 * An old database as source, read with a structure map (migration.md 6.2, 6.4).
 *
 * One transaction, repeatable read and read only, in pages by key: the old platform may go on.
 */
#ifndef SLUICE_LEGACY_DB_H
#define SLUICE_LEGACY_DB_H

#include "legacy/archive.h"
#include "legacy/map.h"

struct legacy_db_options {
    const char *dsn_file;  /* its first line is the address */
    const char *map_file;  /* NULL: none */
    const char *structure; /* --structure=0.23.2; NULL: by fingerprint only */
    const char *timezone;  /* of times without zone; NULL: UTC */
};

/*
 * Read everything the map names: the configuration into the plan, documents and instances into `ar`,
 * which keeps the connection, the rest into `x`.  A row that does not convert is left out and told
 * as a gap.
 *
 * Fails with ERR_USAGE (files, address), ERR_CONFIG (structure, no map for it), ERR_DB.
 */
MUST_CHECK int legacy_db_read(const struct legacy_db_options *d, struct legacy_sources *s,
                              const struct legacy_options *o, const struct cfg *current,
                              struct legacy_plan *p, struct legacy_content *x,
                              struct legacy_archive *ar, struct arena *a,
                              struct err *e);

#endif
