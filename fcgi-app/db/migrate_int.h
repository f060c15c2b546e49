/*
 * What migrate.c (running, waiting) and migrate_check.c (looking, SELECT only) share.
 */
#ifndef SLUICE_DB_MIGRATE_INT_H
#define SLUICE_DB_MIGRATE_INT_H

#include "db/db_int.h"
#include "db/migrate.h"

enum { MIGRATE_ROWS_MAX = 2000 };
/* Everything that waits for others is that many times shorter in test builds. */
#if defined(SLUICE_TEST_BUILD)
enum { MIGRATE_HASTE = 20 };
#else
enum { MIGRATE_HASTE = 1 };
#endif

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
    const char *schema; /* the first of the search path */
    int current;        /* highest version done, 0: none */
    int unfinished;     /* version of a row that is running or failed, 0: none */
    size_t n_rows;
    struct version_row *rows;
    int others; /* tables beside ours; not counted when a newer program made some of them */
    const char *first_other;
};

/*
 * Look at the catalogue and the versions table; nothing but SELECT is sent.
 *
 * Fails with ERR_CONFIG for a structure that is not ours (the text for the user) or a table we may
 * not read, ERR_DB for connection trouble.
 */
MUST_CHECK int migrate_look(PGconn *pg, const struct migration *list, struct schema_state *out,
                            struct arena *a, struct err *e);

/* Gaps, changed texts, and versions we do not know: migration.md 8.3 and 8.4.  strict: a changed
 * text is an error. */
MUST_CHECK int migrate_judge(const struct schema_state *s, const struct migration *list,
                             bool strict, struct err *e);

/* Hexadecimal SHA-256 of the text of a migration. */
void migrate_digest(const struct migration *m, char out[65]);
int migrate_last(const struct migration *list);
/* Line on which the text's statement `n` (from 0) begins: comments before it do not count. */
int migrate_statement_line(const char *sql, int n);
const char *migrate_program_version(void);

/* ---- the migrator's connection (migrate_sql.c) --------------------------------------------- */

enum rc { RC_OK, RC_AGAIN, RC_FAIL }; /* AGAIN: the connection was lost, start over */

struct migrator {
    const struct migration *list;
    const char *uri, *shown;
    const struct migrate_opts *o;
    PGconn *pg;
    bool pooled;     /* see db_open() */
    int n_busy;              /* attempts of the present migration that found a table in use */
    struct arena *a;         /* one look at the database */
    char said[ERR_TEXT_MAX]; /* last cause in the log */
};

bool migrator_stopped(const struct migrator *m);
/* Sleep; false when we are to stop. */
bool migrator_pause(const struct migrator *m, int64_t ms);
/* RC_FAIL with ERR_BUSY. */
enum rc migrator_stop(struct err *e);
/* The version to reach: the last of the list, or the one asked for. */
int migrator_goal(const struct migrator *m);
/* Tell health and, once per cause, the log what we wait for. */
void migrator_say(struct migrator *m, const char *why, int schema);
/* Run SQL and wait for it; a stop cancels it.  Returns the first failed or the last result, NULL:
 * connection lost. */
PGresult *migrator_run(const struct migrator *m, const char *sql);
/* The same, and a stop cancels it after `patience_ms` only; *n_done: statements that went through. */
PGresult *migrator_run_patiently(const struct migrator *m, const char *sql, int64_t patience_ms,
                                 int *n_done);
bool migrator_good(const PGresult *r);
/* Without result; false when it failed. */
bool migrator_command(const struct migrator *m, const char *sql);
const char *migrator_state(const PGresult *r); /* SQLSTATE, "" without */
/* First column of the first row, living in m->a; NULL for no row, NULL and failures. */
const char *migrator_text(const struct migrator *m, const char *sql);
/* Who has used a table of ours for longest, and who holds the migrators' lock: for messages; NULL:
 * nobody. */
const char *migrator_table_holder(const struct migrator *m);
const char *migrator_lock_holder(const struct migrator *m);

/* ---- one migration (migrate_apply.c) -------------------------------------------------------- */

enum applied {
    APPLIED,          /* by us, or by somebody else meanwhile */
    APPLY_LOCKED,     /* another migrator is at work: nothing was done */
    APPLY_TABLE_BUSY, /* a table is in use: rolled back */
};

/*
 * Run migration `version` under the migrators' lock.  A step outside of a transaction leaves a row
 * "running" when it dies, and "failed" when it fails; both are started over by the next one.
 */
MUST_CHECK enum rc migrate_apply(struct migrator *m, int version, struct schema_state *s,
                                 enum applied *how, struct err *e);

/* migrate_start() over another list than the embedded one. */
MUST_CHECK int migrate_run(const struct migration *list, const char *uri, const char *shown,
                           const struct migrate_opts *o, struct err *e);

#endif
