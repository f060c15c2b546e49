/*
 * The way of a row: open batch of its loop -> waiting, oldest first (history_queue.c) -> with the copier or the writer -> gone.
 *
 * Rows go out by COPY first (db/copier.h), which is cheapest; a batch that it could not store goes to the writer, which tells the bad
 * row from the others.  A row that the writer gave back because the database was lost goes out again under the same id, which the
 * statement ignores when it was stored after all.
 */
#include "history.h"

#include <stdlib.h>

#include "alarm/alarm.h"
#include "base/log.h"
#include "history_int.h"

enum {
    BATCH_BYTES = 512 * 1024,
    FLUSH_MS = 50,    /* a row waits that long for others */
    RETRY_MS = 250,   /* for ids, when the database is away */
    WITH_WRITER = 48, /* batches with the copier or the writer */
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
    struct history_queue queue; /* its lock holds for the rest */
    int with_writer;
    bool stopped;
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
    history_queue_init(&h->queue, h, &h->kind);
    return h;
}

/* ---- to the writer and back ------------------------------------------------------------------------------ */

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
    uint64_t thinned, dropped;
    struct alarm x = {.key = "proxy_history", .subject = STR("history of proxied calls"), .level = ALARM_MAJOR};
    struct err e;

    if (!history_queue_relieved(&h->queue, &thinned, &dropped))
        return;
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

static void pump(struct history *h);

/* Every row of it is answered; with the lock. */
static void batch_answered(struct history *h, struct history_batch *b)
{
    struct history_batch *rest = history_batch_again(b);

    h->with_writer--;
    history_batch_free(b);
    if (rest == NULL)
        return;
    if (h->stopped) {
        h->queue.stats.dropped += rest->n;
        history_batch_free(rest);
        return;
    }
    history_queue_push_front(&h->queue, rest);
    history_queue_bound(&h->queue);
}

static void on_stored(void *arg, const struct err *e)
{
    struct history_row *row = arg;
    struct history_batch *b = row->batch;
    struct history *h = b->q->owner;

    pthread_mutex_lock(&h->queue.lock);
    if (e == NULL) {
        h->queue.stats.stored++;
    } else if (e->code == ERR_DB || e->code == ERR_BUSY) {
        row->again = true;
    } else {
        h->queue.stats.refused++;
        log_err(LOG_WARN_LEVEL, "proxy.history", e);
    }
    if (--b->left == 0) {
        batch_answered(h, b);
        pump(h);
    }
    pthread_mutex_unlock(&h->queue.lock);
}

static bool give_ids(struct history *h, struct history_batch *b)
{
    int64_t ids[HISTORY_BATCH_ROWS];
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
            h->queue.stats.refused++;
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
    struct history *h = b->q->owner;

    pthread_mutex_lock(&h->queue.lock);
    if (e == NULL) {
        h->queue.stats.stored += b->n;
        h->with_writer--;
        history_batch_free(b);
        pump(h);
    } else {
        log_debug("proxy.history_copy", "rows=%zu why=" LOG_Q, b->n, e->msg);
        b->by_writer = true;
        (void)to_writer(h, b);
    }
    pthread_mutex_unlock(&h->queue.lock);
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
    struct history_batch *b;

    while ((b = history_queue_oldest(&h->queue)) != NULL && (h->with_writer < WITH_WRITER || h->stopped) && give_ids(h, b)) {
        if (!submit(h, history_queue_pop(&h->queue)))
            break;
    }
    relieved(h);
}

static void enqueue(struct history *h, struct history_batch *b)
{
    b->bytes = arena_used(b->a);
    pthread_mutex_lock(&h->queue.lock);
    history_queue_push(&h->queue, b);
    pump(h);
    history_queue_bound(&h->queue);
    pthread_mutex_unlock(&h->queue.lock);
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
    pthread_mutex_lock(&h->queue.lock);
    if (history_queue_oldest(&h->queue) != NULL)
        pump(h);
    waits = history_queue_oldest(&h->queue) != NULL;
    pthread_mutex_unlock(&h->queue.lock);
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

    b = open != NULL && *open != NULL ? *open : history_batch_open(&h->queue);
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

    history_batch_add(b, row);
    if (loop == NULL) {
        enqueue(h, b);
        return;
    }
    s = side_of(h, loop);
    if (b->n >= HISTORY_BATCH_ROWS || arena_used(b->a) >= BATCH_BYTES) {
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
            pthread_mutex_lock(&h->queue.lock);
            history_batch_free(s->open);
            pthread_mutex_unlock(&h->queue.lock);
        }
        s->open = NULL;
    }
    pthread_mutex_lock(&h->queue.lock);
    h->stopped = true;
    pump(h);
    while (history_queue_oldest(&h->queue) != NULL) {
        pthread_mutex_unlock(&h->queue.lock);
        if (ids_next(h->ids, IDS_REQUEST, &id, &e) != 0) /* waits for the next ids */
            break;
        pthread_mutex_lock(&h->queue.lock);
        pump(h);
        e.code = ERR_NONE;
    }
    if (e.code != ERR_NONE)
        pthread_mutex_lock(&h->queue.lock);
    if (h->queue.stats.waiting > 0)
        log_error("proxy.history_lost", "rows=%zu why=" LOG_Q, h->queue.stats.waiting, e.msg);
    for (struct history_batch *b; (b = history_queue_pop(&h->queue)) != NULL;) {
        h->queue.stats.dropped += b->n;
        history_batch_free(b);
    }
    copier = h->copier;
    h->copier = NULL;
    pthread_mutex_unlock(&h->queue.lock);
    copier_free(copier); /* what it cannot store goes to the writer meanwhile */
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    history_queue_release(&h->queue);
    free(h);
}

struct history_stats history_stats(struct history *h)
{
    struct history_stats s;

    pthread_mutex_lock(&h->queue.lock);
    s = h->queue.stats;
    pthread_mutex_unlock(&h->queue.lock);
    return s;
}
