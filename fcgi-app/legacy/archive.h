/*
 * What an old database holds of the past: closed instances, and the documents of instances with the
 * keys that open them (migration.md 6.1, 7.3).
 *
 * Documents bring the instance they hang on; all other closed instances come only when asked for.
 * An instance of the archive is closed, has no job and no state: nothing runs it.  It is labelled
 * "imported OLD-ID", lies in the month of its time and goes with that month.  Running ones are never
 * taken: the engine differs.
 */
#ifndef SLUICE_LEGACY_ARCHIVE_H
#define SLUICE_LEGACY_ARCHIVE_H

#include "crypto/fernet.h"
#include "engine/documents.h"
#include "legacy/plan.h"

struct legacy_archive {
    struct arena *a;
    bool history;             /* closed instances without documents too */
    struct fernet_key *keys;  /* all readings of all keys */
    size_t n_keys, room_keys; /* of readings */
    int n_rows;               /* keys that can be tried */
    struct val instances;     /* [{"id", "status", "activity_name", "username", "created_on", "closed_on"}] */
    struct val documents;     /* [{"id", "instance", "name", "mime_type", "description", "username"}] */
    struct str table, key;    /* the old documents: names, for messages */
    const char *content_sql;  /* the bytes of one, $1 its key; NULL: the map names no documents */
    struct db *db;            /* the old database, open as long as this */
    struct db_conn *c;
    struct {
        int added, replaced, kept, unchanged, skipped, running, unreadable;
    } instance_counts, document_counts;
};

struct legacy_archive_target {
    struct db_conn *c;
    struct documents *documents;
    enum legacy_conflict conflict;
    bool dry;
};

void legacy_archive_init(struct legacy_archive *ar, bool history, struct arena *a);
/* Wipes the keys, leaves the old database. */
void legacy_archive_close(struct legacy_archive *ar);
/* One old key, in any of the forms of fernet_readings(). */
void legacy_archive_key(struct legacy_archive *ar, struct str material);
/* Old keys of a file, one a line.  ERR_USAGE naming the file. */
MUST_CHECK int legacy_archive_keys(struct legacy_archive *ar, struct legacy_sources *s, const char *path,
                                   struct err *e);
/*
 * Write instances, in one transaction, then each document in one of its own.
 *
 * dry: opens every document and counts, writes nothing.  What cannot come is told as a gap, one line
 * each; a document that no key opens is copied as it is.  Fails with ERR_DB, ERR_CONFIG (no key to
 * seal with), ERR_CONFLICT (LEGACY_FAIL).
 */
MUST_CHECK int legacy_archive_write(struct legacy_archive *ar, const struct legacy_archive_target *t,
                                    struct legacy_plan *p, struct err *e);
void legacy_archive_counts(const struct legacy_archive *ar, struct val counts);
void legacy_archive_tell(const struct legacy_archive *ar);

extern const struct db_stmts legacy_archive_stmts;

#endif
