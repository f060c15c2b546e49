/*
 * The writer: group commit.
 *
 * Whoever has rows to store builds an item in the request's arena and submits it; one thread
 * gathers items, sends one transaction for all of them (one INSERT/UPDATE ... FROM unnest() per
 * statement and batch, one batch in flight: while it commits the next one gathers) and calls each
 * item's `done` at the commit.  Never synchronous_commit = off, never done() before the rows are
 * safe.
 */
#ifndef SLUICE_DB_WRITER_H
#define SLUICE_DB_WRITER_H

#include "db/db.h"

/*
 * A statement over arrays: "INSERT INTO t (a, b) SELECT * FROM unnest($1::bigint[], $2::text[])".
 *
 * The parameters have the types the letters say, so an array of another type is a cast of ours:
 * $3::int[] is not binary int[].  A column of another type than its array needs one too: "SELECT a,
 * b::uuid FROM unnest($1, $2) AS x(a, b)". All rows of a batch run as one statement, whose order of
 * rows is not defined: a row of the database may be touched once per statement and batch only, so
 * submit the next change of a row after done() of the one before.
 *
 * A statement with a true in a column "tell" of what it returns sets `told` of every item of its
 * batch: what it found concerns one of them at least.
 */
struct writer_stmt {
    const char *name; /* unique, as db_stmt */
    const char *sql;
    const char *types; /* one letter per column: i bigint, t text, b bool, f float8, z timestamptz
                          (DB_TIME), j json text, y bytea */
    int rank;          /* statements of a batch run by ascending rank (parents first) */
};

/* Statements a store exports, as struct db_stmts does. */
struct writer_stmts {
    const char *store;
    const struct writer_stmt *const *stmts;
    size_t n;
};

struct writer_row {
    struct writer_row *next;
    const struct writer_stmt *stmt;
    const struct db_arg *args; /* as many as stmt->types has letters */
};

struct writer_item {
    struct writer_item *next; /* the writer's */
    struct writer_row *rows;  /* all of them or none are stored */
    struct writer_row *last;
    size_t bytes;   /* rough size, for the bounds */
    bool droppable; /* history without promise: may be dropped, counted, when the database is slow
                       (proxy), and waits a while where the database has no room */
    bool told;      /* the writer's, for done(); see writer_stmt */
    /* Called once from the writer's thread: e == NULL after the commit, else nothing of it was
     * stored. */
    void (*done)(void *arg, const struct err *e);
    void *arg;
};

struct writer;

struct writer_stats {
    uint64_t items, batches, rows, failed, dropped;
    uint64_t queued_items, queued_bytes;
};

/* Starts the thread; `max_bytes` bounds what waits.  The URI is the pool's. */
struct writer *writer_new(struct db *db, size_t max_bytes);
/* Waits until what was submitted is answered, then stops. */
void writer_free(struct writer *w);

/* Add a row to an item; args are copied (the slices they point to are not) into `a`. */
void writer_add(struct writer_item *item, const struct writer_stmt *stmt, const struct db_arg *args,
                size_t n, struct arena *a);

/*
 * Hand an item over; item, rows and texts must live until done() is called.  Never blocks.
 * When the queue is full: ERR_BUSY and done() is not called.  A batch that PostgreSQL refuses is
 * repeated item by item, so that a bad row fails its own item only; connection trouble fails with
 * ERR_DB (an item whose COMMIT got no answer too: whether it was stored is then unknown, and e->msg
 * says so).
 */
MUST_CHECK int writer_submit(struct writer *w, struct writer_item *item, struct err *e);
/* Submit and wait: for workers. */
MUST_CHECK int writer_store(struct writer *w, struct writer_item *item, struct err *e);
struct writer_stats writer_stats(const struct writer *w);

#endif
