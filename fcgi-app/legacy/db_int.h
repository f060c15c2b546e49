/*
 * What the files that read old databases share.
 */
#ifndef SLUICE_LEGACY_DB_INT_H
#define SLUICE_LEGACY_DB_INT_H

#include "db/structure.h"
#include "legacy/db.h"
#include "legacy/plan_int.h"

struct legacy_db {
    const struct legacy_db_options *d;
    struct legacy_map map;
    const struct map_table *past[MAP_ARCHIVES]; /* NULL: the map names none */
    struct structure_found found;
    struct db *db;
    struct db_conn *c;
    struct legacy_content *x;
    struct legacy_archive *ar;
    struct val configuration; /* undefined: the map names none */
    struct planning pl;
    struct arena *a;    /* statements, messages */
    struct arena *rows; /* what is read */
    struct err *e;
};

/* Type of a column of theirs, "" when there is no such column. */
struct str db_column_type(const struct legacy_db *r, struct str table, struct str column);
/* A name as SQL wants it. */
struct str db_quoted(const struct legacy_db *r, struct str name);
/*
 * A cursor over what the map asks for of a table: the key as text, then its members, $1 the zone of times
 * that name none; by key.  No page is found by what stood in the one before: two rows of one key, rows without
 * any, and an order that is not that of a comparison lose nothing.
 *
 * where  what is to hold besides, NULL: nothing; its parameters begin with $2.
 */
MUST_CHECK int db_declare(struct legacy_db *r, const struct map_table *t, const char *name, const char *where,
                          const struct db_arg *args, size_t n);
/* The same for all rows: by an index on the key where there is one, so that nothing is sorted as a whole. */
MUST_CHECK int db_declare_all(struct legacy_db *r, const struct map_table *t, const char *name, const char *where);
/* The next n rows; fewer: the last. */
MUST_CHECK int db_fetch(struct legacy_db *r, const struct map_table *t, const char *name, int n, PGresult **res);
MUST_CHECK int db_close(struct legacy_db *r, const struct map_table *t, const char *name);
/* Each row whose key other rows name, or that it is fetched by, has one of its own.  ERR_CONFIG naming table and column. */
MUST_CHECK int db_check_keys(struct legacy_db *r);
/* Rows of a result as objects in r->rows; what does not convert is told. */
struct val db_objects(struct legacy_db *r, const struct map_table *t, const PGresult *res);
MUST_CHECK int db_ask(struct legacy_db *r, const struct map_table *t, const char *sql, const struct db_arg *args, size_t n,
                      PGresult **res);
/* Rows of one table; each object goes to `take`. */
MUST_CHECK int db_rows(struct legacy_db *r, const struct map_table *t,
                       void (*take)(struct legacy_db *r, const struct map_table *t, struct val item));
/* The zone of times that name none. */
struct str db_zone(const struct legacy_db *r);

#endif
