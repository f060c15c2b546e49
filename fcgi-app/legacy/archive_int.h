/*
 * Writing the archive, a page at a time.
 *
 * An instance, and whatever hangs on it, is a dictionary shaped as the API shows such things, with
 * its old id as text in "id" and names in place of ids.  Rows of parts name what they hang on by old
 * ids: "instance", "task", "request".  The members OUR_* are set here.
 */
#ifndef SLUICE_LEGACY_ARCHIVE_INT_H
#define SLUICE_LEGACY_ARCHIVE_INT_H

#include "legacy/archive.h"
#include "legacy/plan_int.h"

/* The members a thing gets when it is here, or is about to be. */
#define OUR_ID "our_id"
#define OUR_ON "our_on"             /* its time, as all of ours are written */
#define OUR_INSTANCE "our_instance" /* requests: of the instance; OUR_INSTANCE_ON its time */
#define OUR_INSTANCE_ON "our_instance_on"
#define COMPLETE "complete" /* nothing of it is missing, its documents neither */

/* What the old platform made of the largest document that can be stored. */
#define ARCHIVE_TOKEN_MAX ((LIMIT_DOCUMENT + 128) * 4 / 3 + 8)

/* Ids of rows that their id alone must find: it tells the month. */
struct past_ids {
    const char *kind; /* of id_marks */
    int64_t next, tail;
    char on[40]; /* a time of the month that is open; empty: none is */
};

struct archiving {
    struct legacy_archive *ar;
    const struct legacy_archive_target *t;
    struct planning pl; /* for messages */
    struct past_ids instance_ids, request_ids;
    struct {
        int64_t next, end;
    } row_ids[ARCHIVE_PARTS];
    struct val months;    /* that have their partitions */
    struct arena *months_a;
    int64_t told_ms;      /* when the progress was told */
    struct arena *s; /* what is on its way: gone with each archive_rows() */
    /* the page: gone with the next archive_page() */
    struct arena *a;
    struct val instances; /* by old id: all, those that are here with OUR_ID */
    struct val fresh;     /* list: those that come */
    struct val requests;  /* list: those that come */
    struct val coming, coming_requests, tasks; /* by old id: what this page writes, with OUR_ID */
};

void archive_begin(struct archiving *w, struct legacy_archive *ar, const struct legacy_archive_target *t,
                   struct legacy_plan *p);
void archive_free(struct archiving *w);
/* A page begins. */
void archive_page(struct archiving *w);

/* archive_instances.c */
bool archive_is_running(struct val item);
/*
 * Which instances of a list come: those that are closed and not here yet.
 *
 * Sets OUR_ON, of those that are here OUR_ID and COMPLETE.  ERR_DB.
 */
MUST_CHECK int archive_choose(struct archiving *w, struct val list, struct err *e);
/* What of a list is here already: sets OUR_ON and OUR_* of those.  Each has a time that makes sense. */
MUST_CHECK int archive_find(struct archiving *w, const struct db_stmt *how, struct val list, struct arena *a, struct err *e);
/* The same for requests; their instances have been chosen, or there are none. */
MUST_CHECK int archive_choose_requests(struct archiving *w, struct val list, struct err *e);
/* The transaction of the page begins: the instances and requests that come are written.  With `dry` nothing is. */
MUST_CHECK int archive_open_page(struct archiving *w, struct err *e);
/* Rows of what comes, living in w->s; those of anything else are passed over. */
MUST_CHECK int archive_rows(struct archiving *w, enum archive_part part, struct val list, struct err *e);
MUST_CHECK int archive_commit_page(struct archiving *w, struct err *e);
/* Instances that are here, and those that started them, one for one: whoever is here comes under his parent, unless that is younger. */
MUST_CHECK int archive_parents(struct archiving *w, struct val children, struct val parents, struct err *e);
/* Nothing of this instance is missing any more. */
MUST_CHECK int archive_complete(struct archiving *w, struct val instance, struct err *e);
void archive_progress(struct archiving *w);

/* archive_ids.c */
MUST_CHECK int past_id(struct archiving *w, struct past_ids *ids, struct str on, int64_t *id, struct err *e);
MUST_CHECK int archive_row_id(struct archiving *w, enum archive_part part, int64_t *id, struct err *e);
/* Partitions of the months of these things: each is a change of the structure, committed at once. */
MUST_CHECK int archive_months(struct archiving *w, struct val list, struct err *e);
/* Why this cannot be the time of something that was; NULL: it can. */
const char *archive_time_fault(struct str on);
/* A further time of it: null when it cannot be one, such as the words PostgreSQL knows for times ("infinity", "tomorrow"). */
void archive_time_or_none(struct val item, const char *member);

/* archive_rows.c */
/* All of a list by one statement, $1 of it the list as JSON; what the database refuses is told and left out, the others are written. */
MUST_CHECK int archive_write(struct archiving *w, const struct db_stmt *s, const char *what, struct val list,
                             int64_t *n, struct err *e);
/* What is kept of texts others wrote: secrets masked, cut. */
void archive_mask(struct archiving *w, enum archive_part part, struct val item);

/* archive_documents.c */
enum archive_there { THERE_NOT, THERE_SAME, THERE_OTHER };
/* Is a document to be written, by the rule for conflicts?  Counts and tells. */
MUST_CHECK int archive_decide(struct archiving *w, const char *shown, struct str name, enum archive_there there,
                              bool *take, struct err *e);
/* What is to be stored of a document of an instance that is here. */
struct doc_new archive_document(struct val instance, struct val item);
/* How the content of documents of an old database is asked for: $1 the key; of a piece $2 where it begins, from 1, $3 how long it is. */
struct archive_content {
    struct db_conn *c;
    const char *size_sql, *piece_sql;
    struct str table, key; /* names, for messages */
};
/* A document of an old database; it is among those of instances of the page. */
MUST_CHECK int archive_token(struct archiving *w, const struct archive_content *from, struct val item, bool twin,
                             struct err *e);

/* archive_content.c */
struct old_content {
    const struct archive_content *from;
    struct str id;
    int64_t size; /* -1: there is none */
    struct arena *a;
    struct str window; /* bytes from `at` */
    int64_t at;
};
/* Close it also when this fails. */
MUST_CHECK int old_content_open(struct old_content *o, const struct archive_content *from, struct str id, struct arena *a, struct err *e);
void old_content_close(struct old_content *o);
/* Bytes from `at` < size, at least one, until the next piece is asked for. */
MUST_CHECK int old_content_piece(struct old_content *o, int64_t at, struct str *out, struct err *e);
struct fernet_source old_content_source(struct old_content *o);

extern const struct db_stmt archive_stmt_find, archive_stmt_find_request, archive_stmt_complete, archive_stmt_parents, archive_stmt_instances,
    archive_stmt_parts[ARCHIVE_PARTS], archive_stmt_block, archive_stmt_mark, archive_stmt_rows, archive_stmt_month,
    archive_stmt_document, archive_stmt_document_piece, archive_stmt_large, archive_stmt_large_put, archive_stmt_copy,
    archive_stmt_large_drop;

#endif
