/*
 * Row ids known before the row is written.
 *
 * Each sequence hands out blocks (its INCREMENT BY is the block size); a process counts inside its
 * block and fetches the next one ahead of need, so that the hot path never asks the database.
 */
#ifndef SLUICE_DB_IDS_H
#define SLUICE_DB_IDS_H

#include "db/db.h"

enum ids_kind {
    IDS_REQUEST,
    IDS_INSTANCE,
    IDS_TASK,
    IDS_TRACE,
    IDS_ERROR,
    IDS_CONTEXT,
    IDS_JOB,
    IDS_TIMER,
    IDS_KINDS
};
enum { IDS_BLOCK = 1000 }; /* the sequences ids_request, ids_instance, ... have INCREMENT BY 1000 */

struct ids;

extern const struct db_stmts ids_stmts;

/* Starts the thread that fetches blocks; none is fetched before the first ids_next() of a kind. */
struct ids *ids_new(struct db *db);
void ids_free(struct ids *ids);
/* Next id.  Waits only when the prefetched block is used up; ERR_DB when the database is away then.
 */
MUST_CHECK int ids_next(struct ids *ids, enum ids_kind kind, int64_t *out, struct err *e);
/* One that is larger than `above`, an id of the kind; what is left of the block is thrown away for it. */
MUST_CHECK int ids_next_above(struct ids *ids, enum ids_kind kind, int64_t above, int64_t *out, struct err *e);
/* n ids at once if they are at hand, else none: 0, and the thread is asked for more.  Never waits; n at most IDS_BLOCK. */
size_t ids_try(struct ids *ids, enum ids_kind kind, int64_t *out, size_t n);
/* UUIDv7 (RFC 9562) text of 36 characters: its first 48 bits are the time, so it names its
 * partition. */
void ids_guid(int64_t wall_ms, char out[37]);

#endif
