/*
 * The writer: queue, thread and connection of the group commit.
 *
 * While a batch commits, the next one gathers by itself; nobody waits for a timer.  The next batch
 * is sent before the callbacks of the last one run, so that server and callers work at the same
 * time.
 */
#include "db/writer_int.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 500,
    STATEMENT_MS = 30000,
    IDLE_MS = 60000, /* nothing waits in a transaction of ours, unless the process stands still */
    ANSWER_MS = 40000, /* a batch without answer for that long: the connection is dead */
};

struct queue {
    struct writer_item *first, *last;
};

struct writer {
    struct db *db;
    const char *app_name;
    size_t max_bytes;
    int wake; /* eventfd */
    pthread_t thread;

    pthread_mutex_t lock; /* everything of this block */
    struct queue sure;    /* items whose owner waits */
    struct queue loose;   /* droppable ones */
    struct queue dropped; /* callbacks still to be made */
    bool sleeping, stop;
    struct writer_stats stats;

    /* the thread's own */
    struct batch_conn conn;
    int64_t retry_at_ms, retry_ms;
    bool away; /* said so in the log */
    int64_t loose_at_ms; /* droppable items wait until then: the server takes none */
    struct batch batch;
    bool in_flight;
    int64_t sent_ms;
};

/* ---- queues ------------------------------------------------------------------------------ */

static void queue_add(struct queue *q, struct writer_item *it)
{
    it->next = NULL;
    if (q->last != NULL)
        q->last->next = it;
    else
        q->first = it;
    q->last = it;
}

static struct writer_item *queue_take(struct queue *q)
{
    struct writer_item *it = q->first;

    if (it != NULL) {
        q->first = it->next;
        if (q->first == NULL)
            q->last = NULL;
        it->next = NULL;
    }
    return it;
}

static void uncount(struct writer *w, const struct writer_item *it)
{
    w->stats.queued_items--;
    w->stats.queued_bytes -= it->bytes;
}

/* Make room for `bytes` by dropping the oldest loose items; false when that is not enough. */
static bool make_room(struct writer *w, size_t bytes)
{
    while (w->stats.queued_bytes + bytes > w->max_bytes && w->stats.queued_items > 0) {
        struct writer_item *old = queue_take(&w->loose);

        if (old == NULL)
            return false;
        uncount(w, old);
        w->stats.dropped++;
        queue_add(&w->dropped, old);
    }
    return true;
}

static bool has_nul(const struct writer_item *item)
{
    for (const struct writer_row *r = item->rows; r != NULL; r = r->next) {
        for (size_t i = 0; r->stmt->types[i] != '\0'; i++) {
            const struct db_arg *arg = &r->args[i];

            if (arg->kind == DB_ARG_TEXT && arg->s.len > 0 &&
                memchr(arg->s.p, '\0', arg->s.len) != NULL)
                return true;
        }
    }
    return false;
}

static void wake(struct writer *w)
{
    uint64_t one = 1;

    while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

int writer_submit(struct writer *w, struct writer_item *item, struct err *e)
{
    bool must_wake;
    int rc = -1;

    if (has_nul(item)) {
        err_set(e, ERR_INVALID, "text with a NUL character cannot be stored");
        return -1;
    }
    pthread_mutex_lock(&w->lock);
    if (w->stop || !make_room(w, item->bytes)) {
        err_set(e, ERR_BUSY, "the database is too slow at the moment; try again");
    } else {
        queue_add(item->droppable ? &w->loose : &w->sure, item);
        w->stats.queued_items++;
        w->stats.queued_bytes += item->bytes;
        rc = 0;
    }
    must_wake = w->sleeping;
    w->sleeping = false;
    pthread_mutex_unlock(&w->lock);
    if (must_wake)
        wake(w);
    return rc;
}

void writer_add(struct writer_item *item, const struct writer_stmt *stmt, const struct db_arg *args,
                size_t n, struct arena *a)
{
    struct writer_row *row = ARENA_NEW(a, struct writer_row);

    assert(n == strlen(stmt->types));
    row->stmt = stmt;
    row->args = arena_dup(a, args, n * sizeof *args);
    for (size_t i = 0; i < n; i++)
        item->bytes += sizeof *args + args[i].s.len;
    if (item->last != NULL)
        item->last->next = row;
    else
        item->rows = row;
    item->last = row;
}

/* ---- waiting for an item ----------------------------------------------------------------- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done, failed;
    struct err err;
};

static void waiter_done(void *arg, const struct err *e)
{
    struct waiter *wa = arg;

    pthread_mutex_lock(&wa->lock);
    wa->done = true;
    wa->failed = e != NULL;
    if (e != NULL)
        wa->err = *e;
    pthread_cond_signal(&wa->ended);
    pthread_mutex_unlock(&wa->lock);
}

int writer_store(struct writer *w, struct writer_item *item, struct err *e)
{
    struct waiter wa = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

    item->done = waiter_done;
    /* cppcheck-suppress autoVariables ; the item is answered before this function returns */
    item->arg = &wa;
    if (writer_submit(w, item, e) != 0)
        return -1;
    pthread_mutex_lock(&wa.lock);
    while (!wa.done)
        pthread_cond_wait(&wa.ended, &wa.lock);
    pthread_mutex_unlock(&wa.lock);
    if (wa.failed)
        *e = wa.err;
    return wa.failed ? -1 : 0;
}

/* ---- answers ----------------------------------------------------------------------------- */

/* Tell the owners; the items may be gone afterwards.  Counts them. */
static void answer(struct writer *w, struct writer_item *items, const struct err *e,
                   bool count_dropped)
{
    uint64_t n = 0, rows = 0;

    for (struct writer_item *it = items, *next; it != NULL; it = next) {
        next = it->next;
        for (const struct writer_row *r = it->rows; r != NULL; r = r->next)
            rows++;
        n++;
        it->done(it->arg, e);
    }
    pthread_mutex_lock(&w->lock);
    if (e == NULL) {
        w->stats.items += n;
        w->stats.rows += rows;
    } else if (!count_dropped) {
        w->stats.failed += n;
    }
    pthread_mutex_unlock(&w->lock);
}

/* One that the server has decided. */
static void answer_part(struct writer *w, const struct part *p)
{
    for (struct writer_item *it = p->items; it != NULL; it = it->next)
        it->told = p->told;
    answer(w, p->items, p->refused ? &p->err : NULL, false);
}

static void answer_dropped(struct writer *w)
{
    struct writer_item *items;
    struct err e;

    pthread_mutex_lock(&w->lock);
    items = w->dropped.first;
    w->dropped = (struct queue){0};
    pthread_mutex_unlock(&w->lock);
    if (items == NULL)
        return;
    err_set(&e, ERR_BUSY, "the database is too slow at the moment; the record was dropped");
    answer(w, items, &e, true);
}

/* The database is away: who waits hears so at once; droppable items stay for later, unless we stop.
 */
static void answer_away(struct writer *w, const struct err *e)
{
    struct queue gone = {0};
    struct writer_item *it;

    pthread_mutex_lock(&w->lock);
    while ((it = queue_take(&w->sure)) != NULL ||
           (w->stop && (it = queue_take(&w->loose)) != NULL)) {
        uncount(w, it);
        queue_add(&gone, it);
    }
    pthread_mutex_unlock(&w->lock);
    answer(w, gone.first, e, false);
}

/* ---- connection -------------------------------------------------------------------------- */

static void conn_drop(struct writer *w)
{
    PQfinish(w->conn.pg);
    w->conn = (struct batch_conn){0};
    w->retry_at_ms = 0; /* a lost connection is tried again at once, a failed attempt waits */
}

static int conn_open(struct writer *w, struct err *e)
{
    if (clock_mono_ms(&clock_system) < w->retry_at_ms) {
        err_set(e, ERR_DB, "could not reach the database");
        err_detail(e, "%s: tried a moment ago", db_shown(w->db));
        return -1;
    }
    if (db_open(db_uri(w->db), db_shown(w->db), w->app_name, STATEMENT_MS, IDLE_MS, &w->conn.pg,
                &w->conn.pooled, NULL, NULL, e) != 0) {
        if (!w->away)
            log_warn("writer.away", "why=" LOG_Q, e->detail);
        w->away = true;
        w->retry_at_ms = clock_mono_ms(&clock_system) + w->retry_ms;
        w->retry_ms = w->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : w->retry_ms * 2;
        return -1;
    }
    if (!w->conn.pooled && db_plan_by_key(w->conn.pg, e) != 0) {
        conn_drop(w);
        return -1;
    }
    if (PQsetnonblocking(w->conn.pg, 1) != 0 || PQenterPipelineMode(w->conn.pg) != 1) {
        (void)db_error(w->conn.pg, NULL, "writer", e);
        conn_drop(w);
        return -1;
    }
    if (w->away)
        log_info("writer.back", "db=%s", db_shown(w->db));
    w->away = false;
    w->retry_ms = RETRY_FIRST_MS;
    return 0;
}

/* ---- batches ----------------------------------------------------------------------------- */

/* How long droppable items still have to wait; with the lock held. */
static int64_t loose_wait_ms(const struct writer *w)
{
    int64_t left_ms = w->loose_at_ms - clock_mono_ms(&clock_system);

    return w->stop || left_ms < 0 ? 0 : left_ms;
}

/* What waits, up to the size of a batch; owners who wait come first. */
static struct writer_item *gather(struct writer *w)
{
    struct queue got = {0};
    size_t n = 0, bytes = 0;
    struct writer_item *it;
    bool loose_too;

    pthread_mutex_lock(&w->lock);
    loose_too = loose_wait_ms(w) == 0;
    while (n < BATCH_ITEMS && bytes < BATCH_BYTES &&
           ((it = queue_take(&w->sure)) != NULL || (loose_too && (it = queue_take(&w->loose)) != NULL))) {
        uncount(w, it);
        n++;
        bytes += it->bytes;
        queue_add(&got, it);
    }
    if (n > 0)
        w->stats.batches++;
    pthread_mutex_unlock(&w->lock);
    return got.first;
}

/* Items that may or may not be stored: the connection died while their transaction was being
 * decided. */
static void batch_lost(struct writer *w, struct err *e)
{
    struct batch *b = &w->batch;
    struct err unknown = *e;

    conn_drop(w);
    w->in_flight = false;
    err_set(&unknown, ERR_DB,
            "lost the connection to the database; whether it was stored is not known");
    err_detail(&unknown, "%s", e->detail);
    for (size_t i = 0; i < b->n_parts; i++) {
        if (b->parts[i].refused || i < b->done)
            answer_part(w, &b->parts[i]);
        else
            answer(w, b->parts[i].items, b->flushed ? &unknown : e, false);
    }
}

/* Hand to the socket what it takes; -1: connection lost. */
static int batch_flush(struct writer *w, struct err *e)
{
    int rc = PQflush(w->conn.pg);

    if (rc < 0) {
        (void)db_error(w->conn.pg, NULL, "batch", e);
        return -1;
    }
    w->batch.flushed = rc == 0;
    return 0;
}

static int batch_go(struct writer *w, struct err *e)
{
    struct batch *b = &w->batch;

    for (size_t i = 0; i < b->n_parts; i++) {
        if (batch_send(&w->conn, &b->parts[i], b->a, e) != 0)
            return -1;
    }
    if (batch_flush(w, e) != 0)
        return -1;
    if (FAULT("writer.commit")) {
        err_set(e, ERR_DB, "lost the connection to the database");
        return -1;
    }
    return 0;
}

/*
 * The items whose statements are prepared; those the server does not understand are answered here.
 * All are, with ERR_DB, when the connection cannot be had or is lost.
 */
static struct writer_item *prepared(struct writer *w, struct writer_item *items)
{
    struct queue ready = {0};
    struct writer_item *next;
    struct err e = {0};

    if (w->conn.pg == NULL && conn_open(w, &e) != 0) {
        answer(w, items, &e, false);
        answer_away(w, &e);
        return NULL;
    }
    for (; items != NULL; items = next) {
        int rc = batch_prepare(&w->conn, items, &e);

        next = items->next;
        if (rc < 0) {
            conn_drop(w);
            answer(w, items, &e, false);
            answer(w, ready.first, &e, false);
            return NULL;
        }
        items->next = NULL;
        if (rc > 0)
            answer(w, items, &e, false);
        else
            queue_add(&ready, items);
    }
    return ready.first;
}

/* Send items as one part, or each as a part of its own. */
static void batch_start(struct writer *w, struct writer_item *items, bool singly)
{
    struct batch *b = &w->batch;
    struct err e = {0};
    size_t n = 0;

    items = prepared(w, items);
    if (items == NULL)
        return;
    for (const struct writer_item *it = items; it != NULL; it = it->next)
        n++;
    arena_reset(b->a);
    b->n_parts = singly ? n : 1;
    b->parts = ARENA_ARRAY(b->a, struct part, b->n_parts);
    b->done = 0;
    b->flushed = b->last_null = false;
    b->parts[0].items = items;
    for (size_t i = 0; singly && i < n; i++) {
        struct writer_item *next = items->next;

        b->parts[i].items = items;
        items->next = NULL;
        items = next;
    }
    w->in_flight = true;
    w->sent_ms = clock_mono_ms(&clock_system);
    if (batch_go(w, &e) != 0)
        batch_lost(w, &e);
}

/* Start on what waits, if anything does. */
static void batch_next(struct writer *w)
{
    struct writer_item *items = gather(w);

    if (items != NULL)
        batch_start(w, items, false);
}

/* All parts are decided: the next batch goes out first, then the owners hear. */
static void batch_end(struct writer *w)
{
    struct batch *b = &w->batch;
    size_t n = b->n_parts;
    struct arena *a = b->a;
    struct part *parts = b->parts;

    w->in_flight = false;
    if (parts[0].refused && parts[0].err.code == ERR_DB) /* a full disk: nobody is helped by asking at once again */
        w->loose_at_ms = clock_mono_ms(&clock_system) + RETRY_MAX_MS;
    if (n == 1 && parts[0].refused && parts[0].items->next != NULL && parts[0].err.code != ERR_DB) {
        log_debug("writer.refused", "why=" LOG_Q, parts[0].err.detail);
        batch_start(w, parts[0].items, true);
        return;
    }
    b->a = arena_new(64 * KIB);
    batch_next(w);
    for (size_t i = 0; i < n; i++)
        answer_part(w, &parts[i]);
    arena_free(a);
}

static void batch_event(struct writer *w, short revents)
{
    struct err e = {0};
    int rc = 0;

    if (!w->batch.flushed && batch_flush(w, &e) != 0)
        rc = -1;
    if (rc == 0 && (revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        rc = batch_read(&w->conn, &w->batch, &e);
    if (rc < 0)
        batch_lost(w, &e);
    else if (rc > 0)
        batch_end(w);
}

/* ---- the thread -------------------------------------------------------------------------- */

/* Nothing in flight: true when there is nothing to do, and then submit() will wake us. */
static bool may_sleep(struct writer *w)
{
    bool idle;

    pthread_mutex_lock(&w->lock);
    idle = w->sure.first == NULL && w->dropped.first == NULL && !w->stop &&
           (w->loose.first == NULL || w->conn.pg == NULL || loose_wait_ms(w) > 0);
    w->sleeping = idle;
    pthread_mutex_unlock(&w->lock);
    return idle;
}

static bool finished(struct writer *w)
{
    bool yes;

    pthread_mutex_lock(&w->lock);
    yes = w->stop && w->sure.first == NULL && w->loose.first == NULL && w->dropped.first == NULL;
    pthread_mutex_unlock(&w->lock);
    return yes;
}

static bool has_work(struct writer *w, bool *only_loose)
{
    bool yes;

    pthread_mutex_lock(&w->lock);
    yes = w->sure.first != NULL || w->loose.first != NULL;
    *only_loose = w->sure.first == NULL;
    pthread_mutex_unlock(&w->lock);
    return yes;
}

/* Milliseconds until droppable items may be tried, -1: there are none. */
static int64_t until_loose_ms(struct writer *w)
{
    int64_t ms;

    pthread_mutex_lock(&w->lock);
    ms = w->loose.first != NULL ? loose_wait_ms(w) + 1 : -1;
    pthread_mutex_unlock(&w->lock);
    return ms;
}

/* Wait for a wake-up, the socket, or the time to try the database again. */
static void sleep_idle(struct writer *w)
{
    struct pollfd p[2] = {{w->wake, POLLIN, 0}, {-1, POLLIN, 0}};
    bool only_loose;
    int64_t wait_ms = -1;
    uint64_t n;

    if (w->conn.pg != NULL) {
        p[1].fd = PQsocket(w->conn.pg);
        wait_ms = until_loose_ms(w);
    } else if (has_work(w, &only_loose)) {
        wait_ms = w->retry_at_ms - clock_mono_ms(&clock_system);
        wait_ms = wait_ms < 1 ? 1 : wait_ms;
    }
    (void)poll(p, 2, (int)wait_ms);
    if ((p[0].revents & POLLIN) != 0 && read(w->wake, &n, sizeof n) < 0 && errno != EAGAIN)
        log_error("writer.wake", "errno=%d", errno);
    if (p[1].revents != 0 &&
        (PQconsumeInput(w->conn.pg) != 1 || PQstatus(w->conn.pg) != CONNECTION_OK))
        conn_drop(w); /* the server closed an idle connection */
}

static void wait_answer(struct writer *w)
{
    struct pollfd p = {PQsocket(w->conn.pg), (short)(POLLIN | (w->batch.flushed ? 0 : POLLOUT)), 0};
    struct err e;

    if (poll(&p, 1, 1000) > 0) {
        batch_event(w, p.revents);
    } else if (clock_mono_ms(&clock_system) - w->sent_ms > ANSWER_MS) {
        err_set(&e, ERR_DB, "lost the connection to the database");
        err_detail(&e, "no answer for %d ms", ANSWER_MS);
        batch_lost(w, &e);
    }
}

/* Without connection: try when it is time or when somebody waits. */
static void work_away(struct writer *w)
{
    struct err e = {0};
    bool only_loose;

    if (has_work(w, &only_loose) && conn_open(w, &e) != 0)
        answer_away(w, &e);
}

static void *run(void *arg)
{
    struct writer *w = arg;

    for (;;) {
        answer_dropped(w);
        if (w->in_flight) {
            wait_answer(w);
            continue;
        }
        if (w->conn.pg == NULL)
            work_away(w);
        if (w->conn.pg != NULL)
            batch_next(w);
        if (w->in_flight)
            continue;
        if (finished(w))
            break;
        if (may_sleep(w))
            sleep_idle(w);
    }
    return NULL;
}

struct writer *writer_new(struct db *db, size_t max_bytes)
{
    struct writer *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    w->db = db;
    w->app_name = db_app_name(db);
    w->max_bytes = max_bytes;
    w->retry_ms = RETRY_FIRST_MS;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->batch.a = arena_new(64 * KIB);
    pthread_mutex_init(&w->lock, NULL);
    if (w->wake < 0 || pthread_create(&w->thread, NULL, run, w) != 0)
        abort();
    return w;
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    w->sleeping = false;
    pthread_mutex_unlock(&w->lock);
    wake(w);
    pthread_join(w->thread, NULL);
    PQfinish(w->conn.pg);
    arena_free(w->batch.a);
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct writer_stats writer_stats(const struct writer *w)
{
    struct writer *own =
        (struct writer *)(uintptr_t)w; /* the lock is not part of what is promised const */
    struct writer_stats s;

    pthread_mutex_lock(&own->lock);
    s = own->stats;
    pthread_mutex_unlock(&own->lock);
    return s;
}
