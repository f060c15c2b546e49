/*
 * What waits to be stored: batches in memory that is used again, and what is given up when they are too many.
 */
#include "history_int.h"

#include "base/log.h"

enum {
    CHUNK = 32 * 1024,
    KEPT_CHUNK = ARENA_POISONS ? CHUNK : 192 * 1024, /* most full batches need no more */
};

void history_queue_init(struct history_queue *q, struct history *owner, const struct history_kind *kind)
{
    *q = (struct history_queue){.owner = owner, .kind = kind};
    pthread_mutex_init(&q->lock, NULL);
}

void history_queue_release(struct history_queue *q)
{
    while (q->n_spare > 0)
        arena_free(q->spare[--q->n_spare]);
    pthread_mutex_destroy(&q->lock);
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static struct history_batch *batch_in(struct history_queue *q, struct arena *a)
{
    struct history_batch *b = ARENA_NEW(a, struct history_batch);

    b->q = q;
    b->a = a;
    return b;
}

static struct history_batch *batch_new(struct history_queue *q)
{
    return batch_in(q, arena_new(CHUNK));
}

/* Memory that was used before, so that the kernel need not give pages for each batch anew. */
struct history_batch *history_batch_open(struct history_queue *q)
{
    struct history_batch *b;
    struct arena *a = NULL;
    bool kept;

    pthread_mutex_lock(&q->lock);
    kept = q->n_spare > 0 || q->n_kept < HISTORY_SPARE_MAX;
    if (q->n_spare > 0)
        a = q->spare[--q->n_spare];
    else if (kept)
        q->n_kept++;
    pthread_mutex_unlock(&q->lock);
    if (a == NULL)
        a = arena_new(kept ? KEPT_CHUNK : CHUNK);
    b = batch_in(q, a);
    b->kept = kept;
    return b;
}

void history_batch_free(struct history_batch *b)
{
    struct history_queue *q = b->q;
    struct arena *a = b->a;

    if (!b->kept) {
        arena_free(a);
        return;
    }
    arena_reset(a);
    q->spare[q->n_spare++] = a;
}

void history_batch_add(struct history_batch *b, struct history_row *row)
{
    row->batch = b;
    row->next = NULL;
    if (b->last != NULL)
        b->last->next = row;
    else
        b->first = row;
    b->last = row;
    b->n++;
}

/* A row with everything it points to, at the end of another batch. */
static void add_copy(struct history_batch *b, const struct history_row *row)
{
    struct history_row *copy = ARENA_NEW(b->a, struct history_row);
    size_t n = b->q->kind->n_args;

    copy->args = arena_dup(b->a, row->args, n * sizeof *row->args);
    for (size_t i = 0; i < n; i++) {
        if (copy->args[i].kind == DB_ARG_TEXT && copy->args[i].s.p != NULL)
            copy->args[i].s = str_dup(b->a, copy->args[i].s);
    }
    history_batch_add(b, copy);
}

struct history_batch *history_batch_again(const struct history_batch *done)
{
    struct history_batch *b = NULL;

    for (const struct history_row *row = done->first; row != NULL; row = row->next) {
        if (!row->again)
            continue;
        if (b == NULL)
            b = batch_new(done->q);
        add_copy(b, row);
    }
    if (b != NULL) {
        b->thin = done->thin;
        b->has_ids = b->by_writer = true;
        b->bytes = arena_used(b->a);
    }
    return b;
}

/* ---- the queue ---------------------------------------------------------------------------------------- */

static void count_in(struct history_queue *q, const struct history_batch *b)
{
    q->stats.waiting += b->n;
    q->stats.bytes += b->bytes;
}

static void count_out(struct history_queue *q, const struct history_batch *b)
{
    q->stats.waiting -= b->n;
    q->stats.bytes -= b->bytes;
}

static void push_back(struct history_queue *q, struct history_list *list, struct history_batch *b)
{
    b->next = NULL;
    if (list->last != NULL)
        list->last->next = b;
    else
        list->first = b;
    list->last = b;
    count_in(q, b);
}

static struct history_batch *pop_of(struct history_queue *q, struct history_list *list)
{
    struct history_batch *b = list->first;

    if (b != NULL) {
        list->first = b->next;
        if (list->first == NULL)
            list->last = NULL;
        count_out(q, b);
    }
    return b;
}

void history_queue_push(struct history_queue *q, struct history_batch *b)
{
    push_back(q, &q->full, b);
}

void history_queue_push_front(struct history_queue *q, struct history_batch *b)
{
    struct history_list *list = b->thin ? &q->thin : &q->full;

    b->next = list->first;
    list->first = b;
    if (list->last == NULL)
        list->last = b;
    count_in(q, b);
}

struct history_batch *history_queue_oldest(const struct history_queue *q)
{
    return q->thin.first != NULL ? q->thin.first : q->full.first;
}

struct history_batch *history_queue_pop(struct history_queue *q)
{
    return pop_of(q, q->thin.first != NULL ? &q->thin : &q->full);
}

/* ---- giving up ---------------------------------------------------------------------------------------- */

/* The same rows in less memory, without their detail. */
static struct history_batch *thin_copy(const struct history_batch *old)
{
    const struct history_kind *kind = old->q->kind;
    struct history_batch *b = batch_new(old->q);

    for (struct history_row *row = old->first; row != NULL; row = row->next) {
        row->args[kind->detail_args[0]] = DB_C(kind->detail_instead);
        row->args[kind->detail_args[1]] = DB_NULL;
        add_copy(b, row);
    }
    b->thin = true;
    b->has_ids = old->has_ids;
    b->by_writer = old->by_writer;
    b->bytes = arena_used(b->a);
    return b;
}

static void overload(struct history_queue *q)
{
    if (q->overloaded)
        return;
    q->overloaded = true;
    log_error("proxy.history_overload", "waiting=%zu bytes=%zu why=" LOG_Q, q->stats.waiting, q->stats.bytes,
              "the database is slow or away; detail of the oldest calls is given up");
}

/* Replace the oldest batch that still has its detail; false when there is none. */
static bool thin_oldest(struct history_queue *q)
{
    struct history_batch *b = pop_of(q, &q->full), *thin;

    if (b == NULL)
        return false;
    thin = thin_copy(b);
    push_back(q, &q->thin, thin);
    q->stats.thinned += thin->n;
    history_batch_free(b);
    return true;
}

void history_queue_bound(struct history_queue *q)
{
    while (q->stats.bytes > HISTORY_THIN_AT) {
        overload(q);
        if (!thin_oldest(q))
            break;
    }
    while (q->stats.bytes > HISTORY_DROP_AT && history_queue_oldest(q) != NULL) {
        struct history_batch *b = history_queue_pop(q);

        q->stats.dropped += b->n;
        history_batch_free(b);
    }
}

bool history_queue_relieved(struct history_queue *q, uint64_t *thinned, uint64_t *dropped)
{
    if (!q->overloaded || history_queue_oldest(q) != NULL)
        return false;
    *thinned = q->stats.thinned - q->thinned_before;
    *dropped = q->stats.dropped - q->dropped_before;
    q->overloaded = false;
    q->thinned_before = q->stats.thinned;
    q->dropped_before = q->stats.dropped;
    log_info("proxy.history_back", "without_detail=%llu dropped=%llu", (unsigned long long)*thinned, (unsigned long long)*dropped);
    return true;
}
