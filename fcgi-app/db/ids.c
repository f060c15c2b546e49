/*
 * Row ids from blocks: counted in memory, refilled by a thread ahead of need.
 *
 * A block is thrown away after 23 hours, which is what lets id_to() of the schema tell the month of
 * an id.
 */
#include "db/ids.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/fault.h"

enum {
    WAIT_S = 5,                       /* for a block, when there is none */
    REFILL_AT = IDS_BLOCK / 2,        /* fetch the next block when less is left */
    BLOCK_LIFE_MS = 23 * 3600 * 1000, /* see id_to() in sql/migrations/0001_base.sql */
};

static const char *const kind_names[IDS_KINDS] = {
    [IDS_REQUEST] = "request", [IDS_INSTANCE] = "instance", [IDS_TASK] = "task",
    [IDS_TRACE] = "trace",     [IDS_ERROR] = "error",       [IDS_CONTEXT] = "context",
    [IDS_JOB] = "job",         [IDS_TIMER] = "timer",
};

/* The block and, now and then, the note that the sequence had come that far. */
static const struct db_stmt stmt_block = {
    "ids_block",
    "WITH block AS MATERIALIZED (SELECT nextval(('ids_' || $1::text)::regclass) AS id), "
    "mark AS (INSERT INTO id_marks (kind, first_id) SELECT $1::text, id FROM block "
    "WHERE coalesce((SELECT noted_on < now() - interval '1 hour' FROM id_marks WHERE kind = "
    "$1::text "
    "ORDER BY first_id DESC LIMIT 1), true) ON CONFLICT DO NOTHING) SELECT id FROM block",
    1,
};

static const struct db_stmt *const stmts[] = {&stmt_block};
const struct db_stmts ids_stmts = {"ids", stmts, COUNT_OF(stmts)};

struct block {
    int64_t next, end; /* ids next..end-1 are left */
    int64_t until_ms;  /* monotonic; later they are void */
};

struct kind {
    struct block now, spare;
    bool wanted; /* the thread is asked for a spare block */
};

struct ids {
    struct db *db;
    pthread_mutex_t lock;
    pthread_cond_t asked, arrived;
    struct kind kinds[IDS_KINDS];
    uint64_t rounds; /* finished attempts of the thread, so that waiters see a failed one */
    struct err err;  /* of the last failed attempt */
    bool failed, stop;
    pthread_t thread;
};

static bool has_ids(const struct block *b, int64_t now_ms)
{
    return b->next < b->end && now_ms < b->until_ms;
}

static int fetch(struct ids *ids, enum ids_kind kind, struct block *out, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *r = NULL;
    int64_t asked_ms = clock_mono_ms(&clock_system);
    int rc = -1;

    if (db_get(ids->db, &c, e) != 0)
        goto out;
    if (db_query(c, &stmt_block, DB_ARGS(DB_C(kind_names[kind])), &r, e) != 0)
        goto out;
    *out = (struct block){db_int(r, 0, 0), db_int(r, 0, 0) + IDS_BLOCK, asked_ms + BLOCK_LIFE_MS};
    rc = 0;
out:
    PQclear(r);
    db_put(ids->db, c);
    return rc;
}

static int wanted_kind(const struct ids *ids)
{
    for (int k = 0; k < IDS_KINDS; k++) {
        if (ids->kinds[k].wanted)
            return k;
    }
    return -1;
}

static void *refill(void *arg)
{
    struct ids *ids = arg;

    pthread_mutex_lock(&ids->lock);
    while (!ids->stop) {
        int k = wanted_kind(ids);
        struct block b = {0};
        struct err e = {0};
        int rc;

        if (k < 0) {
            pthread_cond_wait(&ids->asked, &ids->lock);
            continue;
        }
        pthread_mutex_unlock(&ids->lock);
        rc = fetch(ids, (enum ids_kind)k, &b, &e);
        pthread_mutex_lock(&ids->lock);
        ids->kinds[k].wanted = false;
        ids->failed = rc != 0;
        if (rc == 0)
            ids->kinds[k].spare = b;
        else
            ids->err = e;
        ids->rounds++;
        pthread_cond_broadcast(&ids->arrived);
    }
    pthread_mutex_unlock(&ids->lock);
    return NULL;
}

struct ids *ids_new(struct db *db)
{
    struct ids *ids = calloc(1, sizeof *ids);

    if (ids == NULL)
        abort();
    ids->db = db;
    pthread_mutex_init(&ids->lock, NULL);
    clock_cond_init(&ids->asked);
    clock_cond_init(&ids->arrived);
    if (pthread_create(&ids->thread, NULL, refill, ids) != 0)
        abort();
    return ids;
}

void ids_free(struct ids *ids)
{
    if (ids == NULL)
        return;
    pthread_mutex_lock(&ids->lock);
    ids->stop = true;
    pthread_cond_signal(&ids->asked);
    pthread_mutex_unlock(&ids->lock);
    pthread_join(ids->thread, NULL);
    pthread_cond_destroy(&ids->asked);
    pthread_cond_destroy(&ids->arrived);
    pthread_mutex_destroy(&ids->lock);
    free(ids);
}

/* With the lock: wait until the thread has tried. -1: it failed, or took too long. */
static int wait_block(struct ids *ids, struct kind *k, struct err *e)
{
    struct timespec until = clock_in_ms(WAIT_S * 1000);
    uint64_t seen = ids->rounds;

    while (k->spare.next >= k->spare.end) {
        int rc;

        k->wanted = true;
        pthread_cond_signal(&ids->asked);
        rc = pthread_cond_timedwait(&ids->arrived, &ids->lock, &until);
        if (rc != 0) {
            err_set(e, ERR_DB, "could not reach the database");
            return -1;
        }
        if (ids->rounds != seen && ids->failed && !k->wanted) {
            *e = ids->err;
            return -1;
        }
    }
    return 0;
}

int ids_next(struct ids *ids, enum ids_kind kind, int64_t *out, struct err *e)
{
    return ids_next_above(ids, kind, 0, out, e);
}

int ids_next_above(struct ids *ids, enum ids_kind kind, int64_t above, int64_t *out, struct err *e)
{
    struct kind *k = &ids->kinds[kind];
    int64_t now_ms = clock_mono_ms(&clock_system);
    int rc = -1;

    pthread_mutex_lock(&ids->lock);
    while (!has_ids(&k->now, now_ms) || k->now.next <= above) {
        if (!has_ids(&k->spare, now_ms) || k->spare.next <= above) {
            k->spare = (struct block){0};
            if (wait_block(ids, k, e) != 0)
                goto out;
        }
        k->now = k->spare;
        k->spare = (struct block){0};
    }
    *out = k->now.next++;
    if (k->now.end - k->now.next < REFILL_AT && k->spare.next >= k->spare.end && !k->wanted) {
        k->wanted = true;
        pthread_cond_signal(&ids->asked);
    }
    rc = 0;
out:
    pthread_mutex_unlock(&ids->lock);
    return rc;
}

size_t ids_try(struct ids *ids, enum ids_kind kind, int64_t *out, size_t n)
{
    struct kind *k = &ids->kinds[kind];
    int64_t now_ms = clock_mono_ms(&clock_system);
    size_t here, spare;

    pthread_mutex_lock(&ids->lock);
    here = has_ids(&k->now, now_ms) ? (size_t)(k->now.end - k->now.next) : 0;
    spare = has_ids(&k->spare, now_ms) ? (size_t)(k->spare.end - k->spare.next) : 0;
    n = here + spare < n ? 0 : n;
    for (size_t i = 0; i < n; i++) {
        if (i == here) {
            k->now = k->spare;
            k->spare = (struct block){0};
        }
        out[i] = k->now.next++;
    }
    if ((n == 0 || k->now.end - k->now.next < REFILL_AT) && k->spare.next >= k->spare.end && !k->wanted) {
        k->wanted = true;
        pthread_cond_signal(&ids->asked);
    }
    pthread_mutex_unlock(&ids->lock);
    return n;
}

void ids_guid(int64_t wall_ms, char out[37])
{
    uint64_t ms = (uint64_t)wall_ms;
    unsigned char b[16];
    size_t got = 0;

    while (got < sizeof b) {
        ssize_t n = getrandom(b + got, sizeof b - got, 0);

        if (n > 0)
            got += (size_t)n;
    }
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f)); /* version 7 */
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f)); /* variant of RFC 9562 */
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}
