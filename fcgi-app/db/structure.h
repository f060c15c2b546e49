/*
 * What a schema holds that we did not make: nothing, a former platform's structure, or somebody
 * else's (migration.md 6.2).
 *
 * Only names and types are read from the catalogue, and the version number a former platform keeps;
 * nothing is ever changed.
 */
#ifndef SLUICE_DB_STRUCTURE_H
#define SLUICE_DB_STRUCTURE_H

#include "db/db.h"

enum structure_kind {
    HOLDS_NOTHING, /* what extensions brought does not count */
    HOLDS_OURS,    /* our versions table */
    HOLDS_LEGACY_0, /* a former platform: 0.x */
    HOLDS_LEGACY_2, /* 2.x */
    HOLDS_LEGACY,   /* looks like it, version unknown */
    HOLDS_FOREIGN,
};

/* Texts live in the arena of the call. */
struct structure_found {
    enum structure_kind kind;
    const char *schema;   /* the first of the search path */
    const char *version;  /* "0.22.1": of the list, by fingerprint or revision; NULL: not known */
    const char *revision; /* what the former platform calls its structure; NULL: nothing */
    const char *names;    /* those of its tables that told: "keys, users, requests" */
    const char *first;    /* object by name */
    int n_objects;
    struct str lines; /* "table.column type", sorted, a line each */
    char fingerprint[65];
};

/*
 * Look at the first schema of the search path.
 *
 * Fails with ERR_CONFIG (no schema of the path exists), ERR_DB.
 */
MUST_CHECK int structure_look(PGconn *pg, struct structure_found *out, struct arena *a, struct err *e);
/* The same behind a borrowed connection. */
MUST_CHECK int structure_look_at(struct db_conn *c, struct structure_found *out, struct arena *a, struct err *e);

/* ERR_CONFIG with what somebody is to do whose DB names a database that is neither empty nor ours. */
void structure_refuse(const struct structure_found *s, struct err *e);
/* Is this version of the former platform one before the last of its 0.x branch? */
bool structure_too_old(const char *version);
/* The text for such a one. */
void structure_refuse_old(const char *version, struct err *e);

/* sql/legacy.list, compiled in. */
extern const char legacy_list_embedded[];

#endif
