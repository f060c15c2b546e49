/*
 * Batches of rows between the loops that fill them and the database: what waits, oldest first, and what is given up when that
 * becomes too much.  Knows neither the database nor the loops; history.c moves the batches on.
 */
#ifndef SLUICE_PROXY_HISTORY_INT_H
#define SLUICE_PROXY_HISTORY_INT_H

#include <pthread.h>

#include "history.h"

#if defined(SLUICE_TEST_BUILD)
enum { HISTORY_BATCH_ROWS = 8, HISTORY_THIN_AT = 512 * 1024, HISTORY_DROP_AT = 1024 * 1024 };
#else
enum { HISTORY_BATCH_ROWS = 64, HISTORY_THIN_AT = 16 * 1024 * 1024, HISTORY_DROP_AT = 48 * 1024 * 1024 };
#endif
enum { HISTORY_SPARE_MAX = 24 };

/* Rows that go out together, with the memory they live in. */
struct history_batch {
    struct history_batch *next;
    struct history_queue *q;
    struct arena *a;
    bool kept; /* its memory is used again */
    struct history_row *first, *last;
    size_t n, left; /* left: with the writer, not answered yet */
    size_t bytes;
    bool thin;
    bool has_ids;
    bool by_writer; /* some of it may be stored already */
    struct copier_batch copy;
};

struct history_list {
    struct history_batch *first, *last;
};

struct history_queue {
    struct history *owner;
    const struct history_kind *kind;
    pthread_mutex_t lock;           /* the rest, and what the owner shares between threads */
    struct history_list thin, full; /* waiting; what has lost its detail is the older part */
    bool overloaded;                /* something was given up, and something still waits */
    struct arena *spare[HISTORY_SPARE_MAX]; /* of batches that are gone, the last one first: it is still in the processor's cache */
    size_t n_spare, n_kept;                 /* kept: made so far */
    struct history_stats stats;
    uint64_t thinned_before, dropped_before; /* when that began */
};

/* In place; owner and kind outlive it. */
void history_queue_init(struct history_queue *q, struct history *owner, const struct history_kind *kind);
/* Nothing waits in it any more. */
void history_queue_release(struct history_queue *q);

/* For new rows; takes the lock, the only one here that does.  All others are called with it. */
struct history_batch *history_batch_open(struct history_queue *q);
/* Behind the rows it has; in its memory. */
void history_batch_add(struct history_batch *b, struct history_row *row);
/* The rows marked `again`, in a batch of their own, with their ids; NULL: there are none. */
struct history_batch *history_batch_again(const struct history_batch *done);
void history_batch_free(struct history_batch *b);

/* Behind all others; the bound is not looked at. */
void history_queue_push(struct history_queue *q, struct history_batch *b);
/* Before all others: it was out already. */
void history_queue_push_front(struct history_queue *q, struct history_batch *b);
/* NULL when nothing waits. */
struct history_batch *history_queue_oldest(const struct history_queue *q);
struct history_batch *history_queue_pop(struct history_queue *q);
/* Keep within the bounds: the oldest batches lose their detail above HISTORY_THIN_AT bytes, above HISTORY_DROP_AT they go. */
void history_queue_bound(struct history_queue *q);
/* True once when nothing waits any more after something was given up; then how many rows lost what. */
bool history_queue_relieved(struct history_queue *q, uint64_t *thinned, uint64_t *dropped);

#endif
