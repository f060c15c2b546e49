/*
 * What writer.c (queue, thread, connection) and writer_batch.c (rows to arrays, arrays to the
 * server) share.
 */
#ifndef SLUICE_DB_WRITER_INT_H
#define SLUICE_DB_WRITER_INT_H

#include "db/db_int.h"
#include "db/writer.h"

#if defined(SLUICE_TEST_BUILD)
enum { BATCH_ITEMS = 16, BATCH_BYTES = 1 << 20 };
#else
enum { BATCH_ITEMS = 512, BATCH_BYTES = 8 << 20 };
#endif
enum { PREPARED_MAX = 256 }; /* different statements of a program */

/* Items stored by one transaction: all of them, or the one that is repeated alone. */
struct part {
    struct writer_item *items; /* linked by next */
    bool refused;              /* err says why */
    bool told;                 /* a statement returned a true in column "tell" */
    struct err err;
};

struct batch {
    struct part *parts;
    size_t n_parts;
    size_t done;     /* parts whose end the server confirmed; their transactions are decided */
    bool flushed;    /* everything was handed to the socket: the rest may be stored or not */
    bool last_null;  /* libpq's mark between results was seen */
    struct arena *a; /* owns parts and arrays; reset per batch */
};

struct batch_conn {
    PGconn *pg;
    bool pooled; /* see db_open(): nothing is prepared */
    const struct writer_stmt *prepared[PREPARED_MAX];
    size_t n_prepared;
};

/*
 * Prepare what the item needs and is not prepared yet.  Blocking; seldom, since it happens once per
 * statement and connection.  1: the server refuses a statement, so the item cannot be stored; -1:
 * the connection is lost.
 */
MUST_CHECK int batch_prepare(struct batch_conn *c, const struct writer_item *item, struct err *e);
/* Queue the transaction of one part in libpq's buffer; -1: the connection is lost. */
MUST_CHECK int batch_send(struct batch_conn *c, const struct part *p, struct arena *a,
                          struct err *e);
/* Read what has arrived: 1 when all parts are decided, 0 when more must come, -1: the connection is
 * lost. */
MUST_CHECK int batch_read(struct batch_conn *c, struct batch *b, struct err *e);

#endif
