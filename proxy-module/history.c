/*
 * The queue of the history: open batches of the loops -> waiting, oldest first -> with the copier or the writer -> gone.
 *
 * Rows go out by COPY first (db/copier.h), which is cheapest; a batch that it could not store goes to the writer, which tells the bad
 * row from the others.  A row that the writer gave back because the database was lost goes out again under the same id, which the
 * statement ignores when it was stored after all.
 */
#include "history.h"

#include <pthread.h>
#include <stdlib.h>

#include "alarm/alarm.h"
#include "base/log.h"

#if defined(SLUICE_TEST_BUILD)
enum { BATCH_ROWS = 8, THIN_AT = 512 * 1024, DROP_AT = 1024 * 1024 };
#else
enum { BATCH_ROWS = 64, THIN_AT = 16 * 1024 * 1024, DROP_AT = 48 * 1024 * 1024 };
#endif
enum {
    BATCH_BYTES = 512 * 1024,
    FLUSH_MS = 50,     /* a row waits that long for others */
    RETRY_MS = 250,    /* for ids, when the database is away */
    WITH_WRITER = 48,  /* batches with the copier or the writer */
    CHUNK = 32 * 1024,
    KEPT_CHUNK = ARENA_POISONS ? CHUNK : 192 * 1024, /* most full batches need no more */
    KEPT_MAX = 24,
};

struct history_batch {
    struct history_batch *next;
    struct history *h;
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

struct queue {
    struct history_batch *first, *last;
};

/* One loop's side. */
struct side {
    struct history *h;
    struct loop *loop;
    struct history_batch *open;
    struct loop_timer *timer;
};

struct history {
    struct writer *writer;
    struct copier *copier; /* until the end begins */
    struct ids *ids;
    struct http_server *server;
    struct history_kind kind;
    pthread_mutex_t lock; /* the rest */
    struct queue thin, full; /* waiting; what has lost its detail is the older part */
    int with_writer;
    bool overloaded; /* something was given up, and something still waits */
    bool stopped;
    struct arena *spare[KEPT_MAX]; /* of batches that are gone, the last one first: it is still in the processor's cache */
    size_t n_spare, n_kept;        /* kept: made so far */
    struct history_stats stats;
    uint64_t thinned_before, dropped_before; /* when that began */
};

static const char side_key;

struct history *history_new(struct db *db, struct writer *w, struct ids *ids, struct http_server *server,
                            const struct history_kind *kind)
{
    struct history *h = calloc(1, sizeof *h);

    if (h == NULL)
        abort();
    h->writer = w;
    h->copier = kind->copy.sql != NULL ? copier_new(db) : NULL;
    h->ids = ids;
    h->server = server;
    h->kind = *kind;
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static struct history_batch *batch_in(struct history *h, struct arena *a)
{
    struct history_batch *b = ARENA_NEW(a, struct history_batch);

    b->h = h;
    b->a = a;
    return b;
}

static struct history_batch *batch_new(struct history *h)
{
    return batch_in(h, arena_new(CHUNK));
}

/* For new rows: in memory that was used before, so that the kernel need not give pages for each batch anew. */
static struct history_batch *batch_open(struct history *h)
{
    struct history_batch *b;
    struct arena *a = NULL;
    bool kept;

    pthread_mutex_lock(&h->lock);
    kept = h->n_spare > 0 || h->n_kept < KEPT_MAX;
    if (h->n_spare > 0)
        a = h->spare[--h->n_spare];
    else if (kept)
        h->n_kept++;
    pthread_mutex_unlock(&h->lock);
    if (a == NULL)
        a = arena_new(kept ? KEPT_CHUNK : CHUNK);
    b = batch_in(h, a);
    b->kept = kept;
    return b;
}

/* With the lock. */
static void batch_free(struct history_batch *b)
{
    struct history *h = b->h;
    struct arena *a = b->a;

    if (!b->kept) {
        arena_free(a);
        return;
    }
    arena_reset(a);
    h->spare[h->n_spare++] = a;
}

static void batch_add(struct history_batch *b, struct history_row *row)
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

/* With the lock. */
static void count_in(struct history *h, const struct history_batch *b)
{
    h->stats.waiting += b->n;
    h->stats.bytes += b->bytes;
}

static void count_out(struct history *h, const struct history_batch *b)
{
    h->stats.waiting -= b->n;
    h->stats.bytes -= b->bytes;
}

static void push_back(struct history *h, struct queue *q, struct history_batch *b)
{
    b->next = NULL;
    if (q->last != NULL)
        q->last->next = b;
    else
        q->first = b;
    q->last = b;
    count_in(h, b);
}

static void push_front(struct history *h, struct history_batch *b)
{
    struct queue *q = b->thin ? &h->thin : &h->full;

    b->next = q->first;
    q->first = b;
    if (q->last == NULL)
        q->last = b;
    count_in(h, b);
}

static struct history_batch *pop_of(struct history *h, struct queue *q)
{
    struct history_batch *b = q->first;

    if (b != NULL) {
        q->first = b->next;
        if (q->first == NULL)
            q->last = NULL;
        count_out(h, b);
    }
    return b;
}

static struct history_batch *oldest(const struct history *h)
{
    return h->thin.first != NULL ? h->thin.first : h->full.first;
}

static struct history_batch *pop(struct history *h)
{
    return pop_of(h, h->thin.first != NULL ? &h->thin : &h->full);
}

/* ---- giving up ---------------------------------------------------------------------------------------- */

static struct db_arg *copy_args(const struct history *h, const struct db_arg *from, struct arena *a)
{
    struct db_arg *to = arena_dup(a, from, h->kind.n_args * sizeof *from);

    for (size_t i = 0; i < h->kind.n_args; i++) {
        if (to[i].kind == DB_ARG_TEXT && to[i].s.p != NULL)
            to[i].s = str_dup(a, to[i].s);
    }
    return to;
}

/* The same rows in less memory, without their detail. */
static struct history_batch *thin_copy(struct history *h, struct history_batch *old)
{
    struct history_batch *b = batch_new(h);

    for (struct history_row *row = old->first; row != NULL; row = row->next) {
        struct history_row *copy = ARENA_NEW(b->a, struct history_row);

        row->args[h->kind.detail_args[0]] = DB_C(h->kind.detail_instead);
        row->args[h->kind.detail_args[1]] = DB_NULL;
        copy->args = copy_args(h, row->args, b->a);
        batch_add(b, copy);
    }
    b->thin = true;
    b->has_ids = old->has_ids;
    b->by_writer = old->by_writer;
    b->bytes = arena_used(b->a);
    return b;
}

static void overload(struct history *h)
{
    if (h->overloaded)
        return;
    h->overloaded = true;
    log_error("proxy.history_overload", "waiting=%zu bytes=%zu why=" LOG_Q, h->stats.waiting, h->stats.bytes,
              "the database is slow or away; detail of the oldest calls is given up");
}

/* Replace the oldest batch that still has its detail; false when there is none. */
static bool thin_oldest(struct history *h)
{
    struct history_batch *b = pop_of(h, &h->full), *thin;

    if (b == NULL)
        return false;
    thin = thin_copy(h, b);
    push_back(h, &h->thin, thin);
    h->stats.thinned += thin->n;
    batch_free(b);
    return true;
}

/* Keep within the bounds, with the lock. */
static void bound(struct history *h)
{
    while (h->stats.bytes > THIN_AT) {
        overload(h);
        if (!thin_oldest(h))
            break;
    }
    while (h->stats.bytes > DROP_AT && oldest(h) != NULL) {
        struct history_batch *b = pop(h);

        h->stats.dropped += b->n;
        batch_free(b);
    }
}

struct told {
    struct arena *a;
    struct writer_item item;
};

static void alarm_stored(void *arg, const struct err *e)
{
    struct told *al = arg;

    if (e != NULL)
        log_err(LOG_WARN_LEVEL, "proxy.history_alarm", e);
    arena_free(al->a);
}

/* Everything waiting is on its way again: say what is missing. */
static void relieved(struct history *h)
{
    struct arena *a;
    struct told *al;
    uint64_t thinned = h->stats.thinned - h->thinned_before, dropped = h->stats.dropped - h->dropped_before;
    struct alarm x = {.key = "proxy_history", .subject = STR("history of proxied calls"), .level = ALARM_MAJOR};
    struct err e;

    if (!h->overloaded || oldest(h) != NULL)
        return;
    h->overloaded = false;
    h->thinned_before = h->stats.thinned;
    h->dropped_before = h->stats.dropped;
    log_info("proxy.history_back", "without_detail=%llu dropped=%llu", (unsigned long long)thinned, (unsigned long long)dropped);
    a = arena_new(1024);
    al = ARENA_NEW(a, struct told);
    x.message = str_printf(a, "the database was slow or away: %llu calls are in the history without detail, %llu are missing",
                         (unsigned long long)thinned, (unsigned long long)dropped);
    x.value = str_printf(a, "%llu", (unsigned long long)(thinned + dropped));
    al->a = a;
    al->item.droppable = true;
    al->item.done = alarm_stored;
    al->item.arg = al;
    alarm_add(&al->item, &x, a);
    if (writer_submit(h->writer, &al->item, &e) != 0)
        alarm_stored(al, &e);
}

/* ---- to the writer ---------------------------------------------------------------------------------------- */

static void pump(struct history *h);

/* The rows that must go out once more, in a batch of their own; NULL: none. */
static struct history_batch *again(struct history *h, struct history_batch *done)
{
    struct history_batch *b = NULL;

    for (struct history_row *row = done->first; row != NULL; row = row->next) {
        struct history_row *copy;

        if (!row->again)
            continue;
        if (b == NULL)
            b = batch_new(h);
        copy = ARENA_NEW(b->a, struct history_row);
        copy->args = copy_args(h, row->args, b->a);
        batch_add(b, copy);
    }
    if (b != NULL) {
        b->thin = done->thin;
        b->has_ids = b->by_writer = true;
        b->bytes = arena_used(b->a);
    }
    return b;
}

/* Every row of it is answered; with the lock. */
static void batch_answered(struct history *h, struct history_batch *b)
{
    struct history_batch *rest = again(h, b);

    h->with_writer--;
    batch_free(b);
    if (rest == NULL)
        return;
    if (h->stopped) {
        h->stats.dropped += rest->n;
        batch_free(rest);
        return;
    }
    push_front(h, rest);
    bound(h);
}

static void on_stored(void *arg, const struct err *e)
{
    struct history_row *row = arg;
    struct history_batch *b = row->batch;
    struct history *h = b->h;

    pthread_mutex_lock(&h->lock);
    if (e == NULL) {
        h->stats.stored++;
    } else if (e->code == ERR_DB || e->code == ERR_BUSY) {
        row->again = true;
    } else {
        h->stats.refused++;
        log_err(LOG_WARN_LEVEL, "proxy.history", e);
    }
    if (--b->left == 0) {
        batch_answered(h, b);
        pump(h);
    }
    pthread_mutex_unlock(&h->lock);
}

static bool give_ids(struct history *h, struct history_batch *b)
{
    int64_t ids[BATCH_ROWS];
    size_t i = 0;

    if (b->has_ids)
        return true;
    if (ids_try(h->ids, IDS_REQUEST, ids, b->n) == 0)
        return false;
    for (struct history_row *row = b->first; row != NULL; row = row->next, i++)
        row->args[h->kind.id_arg] = DB_INT(ids[i]);
    b->has_ids = true;
    return true;
}

/* False: the writer takes nothing more for now. */
static bool to_writer(struct history *h, struct history_batch *b)
{
    bool open = true;

    b->left = b->n + 1; /* one for this function */
    for (struct history_row *row = b->first, *next; row != NULL; row = next) {
        struct err e;

        next = row->next;
        row->item = (struct writer_item){.bytes = sizeof *row, .droppable = true, .done = on_stored, .arg = row};
        writer_add(&row->item, h->kind.stmt, row->args, h->kind.n_args, b->a);
        if (open && writer_submit(h->writer, &row->item, &e) == 0)
            continue;
        if (open && e.code == ERR_INVALID) {
            h->stats.refused++;
        } else {
            open = false;
            row->again = true;
        }
        b->left--;
    }
    if (--b->left == 0)
        batch_answered(h, b);
    return open;
}

/* What COPY could not store, the writer can, or says why not. */
static void on_copied(void *arg, const struct err *e)
{
    struct history_batch *b = arg;
    struct history *h = b->h;

    pthread_mutex_lock(&h->lock);
    if (e == NULL) {
        h->stats.stored += b->n;
        h->with_writer--;
        batch_free(b);
        pump(h);
    } else {
        log_debug("proxy.history_copy", "rows=%zu why=" LOG_Q, b->n, e->msg);
        b->by_writer = true;
        (void)to_writer(h, b);
    }
    pthread_mutex_unlock(&h->lock);
}

static void to_copier(struct history *h, struct history_batch *b)
{
    const struct db_arg **rows = ARENA_ARRAY(b->a, const struct db_arg *, b->n);
    size_t n = 0;

    for (struct history_row *row = b->first; row != NULL; row = row->next)
        rows[n++] = row->args;
    b->copy = (struct copier_batch){.stmt = &h->kind.copy, .rows = rows, .n = n, .done = on_copied, .arg = b};
    copier_submit(h->copier, &b->copy);
}

/* False: nothing more is taken for now. */
static bool submit(struct history *h, struct history_batch *b)
{
    h->with_writer++;
    if (b->by_writer || h->copier == NULL)
        return to_writer(h, b);
    to_copier(h, b);
    return true;
}

/* With the lock. */
static void pump(struct history *h)
{
    while (oldest(h) != NULL && (h->with_writer < WITH_WRITER || h->stopped) && give_ids(h, oldest(h))) {
        if (!submit(h, pop(h)))
            break;
    }
    relieved(h);
}

static void enqueue(struct history *h, struct history_batch *b)
{
    b->bytes = arena_used(b->a);
    pthread_mutex_lock(&h->lock);
    push_back(h, &h->full, b);
    pump(h);
    bound(h);
    pthread_mutex_unlock(&h->lock);
}

/* ---- a loop's side ---------------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    struct side *s = arg;
    struct history *h = s->h;
    bool waits;

    s->timer = NULL;
    if (s->open != NULL) {
        enqueue(h, s->open);
        s->open = NULL;
    }
    pthread_mutex_lock(&h->lock);
    if (oldest(h) != NULL)
        pump(h);
    waits = oldest(h) != NULL;
    pthread_mutex_unlock(&h->lock);
    if (waits) /* nobody else would try again when no more calls come */
        s->timer = loop_timer(s->loop, RETRY_MS, on_timer, s);
}

static struct side *side_of(struct history *h, struct loop *loop)
{
    struct side *s = loop_slot(loop, &side_key);

    if (s != NULL)
        return s;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->h = h;
    s->loop = loop;
    loop_slot_set(loop, &side_key, s, free);
    return s;
}

struct history_row *history_begin(struct history *h, struct loop *loop, struct arena **a)
{
    struct history_batch **open = loop != NULL ? &side_of(h, loop)->open : NULL, *b;
    struct history_row *row;

    b = open != NULL && *open != NULL ? *open : batch_open(h);
    if (open != NULL)
        *open = b;
    row = ARENA_NEW(b->a, struct history_row);
    row->batch = b;
    row->args = ARENA_ARRAY(b->a, struct db_arg, h->kind.n_args);
    *a = b->a;
    return row;
}

void history_put(struct history *h, struct loop *loop, struct history_row *row)
{
    struct history_batch *b = row->batch;
    struct side *s;

    batch_add(b, row);
    if (loop == NULL) {
        enqueue(h, b);
        return;
    }
    s = side_of(h, loop);
    if (b->n >= BATCH_ROWS || arena_used(b->a) >= BATCH_BYTES) {
        s->open = NULL;
        enqueue(h, b);
    }
    if (s->timer == NULL)
        s->timer = loop_timer(loop, FLUSH_MS, on_timer, s);
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

void history_stop(struct history *h)
{
    struct copier *copier;
    struct err e = {0};
    int64_t id;

    for (int i = 0; i < http_server_n_loops(h->server); i++) {
        struct side *s = loop_slot(http_server_loop(h->server, i), &side_key);

        if (s == NULL || s->open == NULL)
            continue;
        if (s->open->n > 0) {
            enqueue(h, s->open);
        } else {
            pthread_mutex_lock(&h->lock);
            batch_free(s->open);
            pthread_mutex_unlock(&h->lock);
        }
        s->open = NULL;
    }
    pthread_mutex_lock(&h->lock);
    h->stopped = true;
    pump(h);
    while (oldest(h) != NULL) {
        pthread_mutex_unlock(&h->lock);
        if (ids_next(h->ids, IDS_REQUEST, &id, &e) != 0) /* waits for the next ids */
            break;
        pthread_mutex_lock(&h->lock);
        pump(h);
        e.code = ERR_NONE;
    }
    if (e.code != ERR_NONE)
        pthread_mutex_lock(&h->lock);
    if (h->stats.waiting > 0)
        log_error("proxy.history_lost", "rows=%zu why=" LOG_Q, h->stats.waiting, e.msg);
    for (struct history_batch *b; (b = pop(h)) != NULL;) {
        h->stats.dropped += b->n;
        batch_free(b);
    }
    copier = h->copier;
    h->copier = NULL;
    pthread_mutex_unlock(&h->lock);
    copier_free(copier); /* what it cannot store goes to the writer meanwhile */
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    while (h->n_spare > 0)
        arena_free(h->spare[--h->n_spare]);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

struct history_stats history_stats(struct history *h)
{
    struct history_stats s;

    pthread_mutex_lock(&h->lock);
    s = h->stats;
    pthread_mutex_unlock(&h->lock);
    return s;
}
