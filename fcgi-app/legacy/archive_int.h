/*
 * What the parts of the archive share.
 */
#ifndef SLUICE_LEGACY_ARCHIVE_INT_H
#define SLUICE_LEGACY_ARCHIVE_INT_H

#include "legacy/archive.h"
#include "legacy/plan_int.h"

struct archiving {
    struct legacy_archive *ar;
    const struct legacy_archive_target *t;
    struct planning pl; /* for messages */
    struct val by_id;   /* old instances by their id */
};

/* The members an instance gets when it is here. */
#define OUR_ID "our_id"
#define OUR_ON "our_on"
#define WANTED "wanted"

bool archive_is_running(struct val instance);
/* archive_instances.c, archive_documents.c */
MUST_CHECK int archive_instances(struct archiving *w, struct err *e);
MUST_CHECK int archive_documents(struct archiving *w, struct err *e);

extern const struct db_stmt archive_stmt_find, archive_stmt_put, archive_stmt_block, archive_stmt_mark,
    archive_stmt_month, archive_stmt_document, archive_stmt_copy;

#endif
