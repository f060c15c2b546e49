/*
 * What the files that read old databases share.
 */
#ifndef SLUICE_LEGACY_DB_INT_H
#define SLUICE_LEGACY_DB_INT_H

#include "db/structure.h"
#include "legacy/db.h"
#include "legacy/plan_int.h"

struct db_reading {
    const struct legacy_db_options *d;
    struct legacy_map map;
    struct structure_found found;
    struct db_conn *c;
    struct legacy_content *x;
    struct legacy_archive *ar;
    struct val configuration; /* undefined: the map names none */
    struct planning pl;
    struct arena *a;
    struct err *e;
};

/* Type of a column of theirs, "" when there is no such column. */
struct str db_column_type(const struct db_reading *r, struct str table, struct str column);
/* A name as SQL wants it. */
struct str db_quoted(const struct db_reading *r, struct str name);
/* Rows of one table; each object goes to `take`. */
MUST_CHECK int db_rows(struct db_reading *r, const struct map_table *t,
                       void (*take)(struct db_reading *r, const struct map_table *t, struct val item));

#endif
