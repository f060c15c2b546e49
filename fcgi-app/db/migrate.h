/*
 * Schema migrations: migration.md section 8, and what kind of structure a database holds (6.2).
 */
#ifndef SLUICE_DB_MIGRATE_H
#define SLUICE_DB_MIGRATE_H

#include "db/db.h"

struct migration {
    int version;
    const char *name;
    const char *sql;
    size_t sql_len;
    int additive;
    const char *locks; /* tables of earlier migrations that it changes, by commas; "": none */
};

/* Ends with version 0. */
extern const struct migration migrations_embedded[];

/* Highest version this program knows. */
int migrate_target(void);

struct migrate_opts {
    bool run;                  /* -runMigration */
    int64_t wait_ms;           /* -migrationWait, used when !run */
    int64_t drain_ms;          /* a stop waits that long for a step outside of a transaction */
    int to;                    /* migrate up to this version only; 0: all.  For tests */
    const char *program;       /* for schema_versions.program_version and messages */
    const volatile bool *stop; /* set by SIGTERM */
    /* told what we wait for, for /health; may be NULL */
    void (*progress)(void *arg, const char *why, int schema, int needed);
    void *arg;
};

/*
 * Bring the schema to where the program needs it, or wait for somebody who does, waiting for the
 * database itself as migration.md 3.3 says.
 *
 * Fails with ERR_CONFIG (exit 78), ERR_INTERNAL (exit 1: a migration failed), ERR_BUSY when *stop
 * was set.
 */
MUST_CHECK int migrate_start(const char *uri, const char *shown, const struct migrate_opts *o,
                             struct err *e);

/*
 * May this program go on with the schema as it is now?  For topic "schema" of the listener:
 * ERR_CONFIG says that a newer program migrated it to something we do not know (finish the
 * requests, exit 78); ERR_DB says nothing about it.
 */
MUST_CHECK int migrate_fits(struct db_conn *c, struct err *e);

/* The migrations the database behind `c` still needs, from the first missing one on. */
MUST_CHECK int migrate_pending(struct db_conn *c, const struct migration **first, struct err *e);

/* Record the text this program has as the one that ran (sluicectl migrate --accept-checksum);
 * ERR_NOT_FOUND. */
MUST_CHECK int migrate_accept(struct db_conn *c, int version, struct err *e);
extern const struct db_stmts migrate_stmts;

/* Current version of the database behind `c` (0 = empty); ERR_CONFIG for a foreign structure. */
MUST_CHECK int migrate_current(struct db_conn *c, int *version, struct err *e);

#endif
