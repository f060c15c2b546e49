/*
 * What migrate.c (running, waiting) and migrate_check.c (looking, SELECT only) share.
 */
#ifndef SLUICE_DB_MIGRATE_INT_H
#define SLUICE_DB_MIGRATE_INT_H

#include "db/db_int.h"
#include "db/migrate.h"

enum { MIGRATE_LOCK_CLASS = 1399616867, MIGRATE_LOCK = 1 }; /* the advisory lock all migrators take */
enum { MIGRATE_ROWS_MAX = 2000 };

/* A row of schema_versions. */
struct version_row {
    int version;
    const char *name, *sha256, *state, *program, *host, *pid, *when;
    bool additive;
};

enum structure { STRUCTURE_EMPTY, STRUCTURE_OURS, STRUCTURE_REFUSED };

/* What a database holds; texts live in the arena of the call. */
struct schema_state {
    enum structure structure;
    const char *schema;     /* the first of the search path */
    int current;            /* highest version done, 0: none */
    int unfinished;         /* version of a row that is running or failed, 0: none */
    size_t n_rows;
    struct version_row *rows;
    int others;             /* tables beside ours */
    const char *first_other;
};

/*
 * Look at the catalogue and the versions table; nothing but SELECT is sent.
 *
 * Fails with ERR_CONFIG for a structure that is not ours (the text for the user) or a table we may not read,
 * ERR_DB for connection trouble.
 */
MUST_CHECK int migrate_look(PGconn *pg, const struct migration *list, struct schema_state *out, struct arena *a,
                            struct err *e);

/* Gaps, changed texts, and versions we do not know: migration.md 8.3 and 8.4.  strict: a changed text is an error. */
MUST_CHECK int migrate_judge(const struct schema_state *s, const struct migration *list, bool strict, struct err *e);

/* Hexadecimal SHA-256 of the text of a migration. */
void migrate_digest(const struct migration *m, char out[65]);
int migrate_last(const struct migration *list);
const char *migrate_program_version(void);

/* migrate_start() over another list than the embedded one. */
MUST_CHECK int migrate_run(const struct migration *list, const char *uri, const char *shown,
                           const struct migrate_opts *o, struct err *e);

#endif
