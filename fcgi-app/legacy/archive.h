/*
 * What a former platform holds of the past: closed instances with their requests, tasks, errors and
 * traces, and the documents of instances (migration.md 6.1, 6.4, 7.3).
 *
 * Documents bring the instance they hang on; everything else comes only when asked for.  An instance
 * comes whole, in one transaction, or not at all: who finds it here knows that nothing of it is
 * missing, so an import that was killed goes on with the next one.  It is closed, has no job and no
 * state: nothing runs it.  It is labelled "imported OLD-ID", lies in the month of its time and goes
 * with that month.  Running ones are never taken: the engine differs.
 *
 * Sources give it page by page (legacy/db.h, legacy/api.h); no more than a page is in memory.
 */
#ifndef SLUICE_LEGACY_ARCHIVE_H
#define SLUICE_LEGACY_ARCHIVE_H

#include "crypto/fernet.h"
#include "engine/documents.h"
#include "legacy/plan.h"

enum archive_part { ARCHIVE_REQUESTS, ARCHIVE_TASKS, ARCHIVE_ERRORS, ARCHIVE_TRACES, ARCHIVE_PARTS };

struct archive_counts {
    int64_t read, added, replaced, kept, unchanged, running, unreadable, skipped;
};

struct legacy_archive {
    struct arena *a;
    bool history;             /* what no document hangs on too */
    bool no_documents;        /* documents stay */
    struct fernet_key *keys;  /* all readings of all keys */
    size_t n_keys, room_keys; /* of readings */
    int n_rows;               /* keys that can be tried */
    struct archive_counts instances, documents;
    struct archive_counts parts[ARCHIVE_PARTS]; /* requests, also those without instance; tasks, errors and traces */
};

struct legacy_archive_target {
    struct db_conn *c;
    struct documents *documents;
    enum legacy_conflict conflict;
    bool dry; /* reads, decides and counts; writes nothing */
};

void legacy_archive_init(struct legacy_archive *ar, bool history, struct arena *a);
/* Wipes the keys. */
void legacy_archive_close(struct legacy_archive *ar);
/* One old key, in any of the forms of fernet_readings(). */
void legacy_archive_key(struct legacy_archive *ar, struct str material);
/* Old keys of a file, one a line.  ERR_USAGE naming the file. */
MUST_CHECK int legacy_archive_keys(struct legacy_archive *ar, struct legacy_sources *s, const char *path,
                                   struct err *e);
void legacy_archive_counts(const struct legacy_archive *ar, struct val counts);
void legacy_archive_tell(const struct legacy_archive *ar);

extern const struct db_stmts legacy_archive_stmts;

#endif
