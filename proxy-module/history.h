/*
 * Rows of the history behind their answers: gathered per loop, stored by group commit, bounded when the database is
 * slow or away.
 *
 * Then what waits first loses its detail (bodies and headers), oldest first; only when the bare rows themselves pass their bound are
 * the oldest dropped.  Both are counted, said once in the log and kept as an alarm.  No call ever waits for its row, or fails for
 * it.
 */
#ifndef SLUICE_PROXY_HISTORY_H
#define SLUICE_PROXY_HISTORY_H

#include "db/copier.h"
#include "db/ids.h"
#include "db/writer.h"
#include "http/loop.h"
#include "http/server.h"

struct history;

/* A row before it is stored. */
struct history_row {
    struct history_row *next;
    struct history_batch *batch;
    struct writer_item item;
    struct db_arg *args;
    bool again; /* the database was lost under it */
};

/* What a row's statement is made of; one per program. */
struct history_kind {
    const struct writer_stmt *stmt;
    struct copier_stmt copy; /* the same columns, tried first; without text: not at all */
    size_t n_args;
    size_t id_arg;               /* filled in when an id is at hand */
    size_t detail_args[2];       /* texts that may be given up... */
    const char *detail_instead;  /* ...for this in the first one, NULL in the second */
};

struct history_stats {
    uint64_t stored, thinned, dropped, refused;
    size_t waiting, bytes;
};

/* Pointers outlive it; it has a connection of its own to `db`. */
struct history *history_new(struct db *db, struct writer *w, struct ids *ids, struct http_server *server,
                            const struct history_kind *kind);
/* Hand everything that waits to the writer.  No loop runs any more; the writer ends after this. */
void history_stop(struct history *h);
/* After the writer; takes NULL. */
void history_free(struct history *h);

/*
 * Begin a row: memory for it and what it points to, and kind->n_args arguments to fill.  Give it to history_put() before the
 * next one is begun on the same thread.
 *
 * loop  of the calling thread, or NULL on a worker.
 */
struct history_row *history_begin(struct history *h, struct loop *loop, struct arena **a);
void history_put(struct history *h, struct loop *loop, struct history_row *row);
struct history_stats history_stats(struct history *h);

#endif
