/*
 * The copier: many rows of one kind by COPY, for what is stored behind its answer.
 *
 * COPY in binary form costs the server two thirds of what INSERT ... FROM unnest() costs (writer.h), but it knows no conflicts and
 * stands in no transaction with other statements.  So it has a connection and a thread of its own, and what it could not store goes to
 * the writer, by whoever handed it over: that one repeats a batch row by row, and says so when a row was stored already.
 */
#ifndef SLUICE_DB_COPIER_H
#define SLUICE_DB_COPIER_H

#include "db/db.h"

struct copier_stmt {
    const char *sql;   /* "COPY t (a, b) FROM STDIN (FORMAT binary)" */
    const char *types; /* one letter per column, the type of the column itself: i bigint, k integer, t text, b bool, f float8,
                          z timestamptz (DB_TIME), j json text, n inet (text) */
};

struct copier_batch {
    struct copier_batch *next; /* the copier's */
    const struct copier_stmt *stmt;
    const struct db_arg *const *rows; /* each as many as stmt->types has letters */
    size_t n;
    /* Called once, on the copier's thread: e == NULL after the commit; else all may be handed to the writer, whose statement must
     * ignore what is there already: with ERR_DB it is not known whether the rows were stored. */
    void (*done)(void *arg, const struct err *e);
    void *arg;
};

struct copier;

/* Starts the thread; connects when the first batch comes. */
struct copier *copier_new(struct db *db);
/* Waits until what was handed over is answered, then stops.  Takes NULL. */
void copier_free(struct copier *c);
/* Never blocks.  The batch and what it points to must live until done().  Whoever hands over bounds how much that is. */
void copier_submit(struct copier *c, struct copier_batch *b);

#endif
