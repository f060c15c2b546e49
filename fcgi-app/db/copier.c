/*
 * The copier's queue, thread and connection.  What gathers while one COPY commits goes with the next one.
 */
#include "db/copier.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/log.h"
#include "db/db_int.h"
#include "db/pg_binary.h"

enum {
    ROWS_MAX = 2048, /* of one COPY */
    STATEMENT_MS = 30000,
    ANSWER_MS = 40000,
    AWAY_MS = 1000, /* no new attempt to connect for that long: the writer tries too */
    PIECE = 64 * 1024,
};

struct copier {
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock; /* the queue */
    pthread_cond_t more;
    struct copier_batch *first, *last;
    bool stop;

    /* the thread's own */
    PGconn *pg;
    int64_t retry_at_ms;
    struct arena *a; /* of one COPY */
};

/* ---- rows -------------------------------------------------------------------------------------------------- */

/* Bytes of a row at most. */
static size_t row_size(const char *types, const struct db_arg *args)
{
    size_t n = 2;

    for (size_t i = 0; types[i] != '\0'; i++)
        n += types[i] == 'n' ? PG_INET_MAX : pg_value_size(types[i], &args[i]);
    return n;
}

/* False: a value that only the server can refuse in its own words. */
static bool put_row(struct buf *out, const char *types, const struct db_arg *args)
{
    char *start = buf_reserve(out, row_size(types, args)), *p = start;

    if (p == NULL)
        return false;
    p = pg_put16(p, (uint16_t)strlen(types));
    for (size_t i = 0; types[i] != '\0'; i++) {
        const struct db_arg *arg = &args[i];

        if (types[i] == 'k' && arg->kind != DB_ARG_NULL && (arg->i < INT32_MIN || arg->i > INT32_MAX))
            return false;
        if (types[i] != 'n' || arg->kind == DB_ARG_NULL)
            p = pg_put_value(p, types[i], arg);
        else if (!pg_put_inet(p, arg->s, &p))
            return false;
    }
    out->len += (size_t)(p - start);
    return true;
}

/* ---- the connection ---------------------------------------------------------------------------------------- */

static void drop(struct copier *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
}

static int lost(struct copier *c, struct err *e)
{
    (void)db_error(c->pg, NULL, "copy", e);
    e->code = ERR_DB;
    drop(c);
    return -1;
}

static int connected(struct copier *c, struct err *e)
{
    if (c->pg != NULL)
        return 0;
    if (clock_mono_ms(&clock_system) < c->retry_at_ms) {
        err_set(e, ERR_DB, "could not reach the database");
        return -1;
    }
    if (db_open(db_uri(c->db), db_shown(c->db), db_app_name(c->db), STATEMENT_MS, 0, &c->pg, NULL, NULL, NULL,
                e) != 0) {
        c->retry_at_ms = clock_mono_ms(&clock_system) + AWAY_MS;
        return -1;
    }
    return PQsetnonblocking(c->pg, 1) == 0 ? 0 : lost(c, e);
}

/* Until the socket may be read, or written too; what has come is taken in. */
static int wait_socket(struct copier *c, bool write, int64_t until_ms, struct err *e)
{
    struct pollfd p = {PQsocket(c->pg), (short)(POLLIN | (write ? POLLOUT : 0)), 0};
    int64_t left = until_ms - clock_mono_ms(&clock_system);

    if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
        return lost(c, e);
    if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && PQconsumeInput(c->pg) != 1)
        return lost(c, e);
    return 0;
}

static int put(struct copier *c, struct str bytes, int64_t until_ms, struct err *e)
{
    int rc;

    while ((rc = PQputCopyData(c->pg, bytes.p, (int)bytes.len)) == 0) {
        if (wait_socket(c, true, until_ms, e) != 0)
            return -1;
    }
    return rc < 0 ? lost(c, e) : 0;
}

/* The results of what was sent; -1 when one is none of those expected, or the connection is lost. */
static int results(struct copier *c, ExecStatusType expected, int64_t until_ms, struct err *e)
{
    bool refused = false, dead = false;
    int flushed;

    while ((flushed = PQflush(c->pg)) == 1) {
        if (wait_socket(c, true, until_ms, e) != 0)
            return -1;
    }
    if (flushed < 0)
        return lost(c, e);
    for (;;) {
        ExecStatusType status;
        PGresult *r;

        while (PQisBusy(c->pg) != 0) {
            if (wait_socket(c, false, until_ms, e) != 0)
                return -1;
        }
        r = PQgetResult(c->pg);
        if (r == NULL)
            break;
        status = PQresultStatus(r);
        if (status != expected && !refused) {
            refused = true;
            dead = db_error(c->pg, r, "copy", e);
        }
        PQclear(r);
        if (status == PGRES_COPY_IN)
            return refused ? lost(c, e) : 0; /* the server reads rows now */
    }
    if (dead)
        drop(c);
    return refused ? -1 : 0;
}

/* ---- one COPY ---------------------------------------------------------------------------------------------- */

static int put_rows(struct copier *c, const struct copier_batch *first, int64_t until_ms, struct err *e)
{
    static const char head[19] = "PGCOPY\n\377\r\n"; /* the signature; flags and the length of an extension are 0 */
    static const char end[2] = "\377\377";
    struct buf out;

    buf_init(&out, SIZE_MAX / 2, c->a);
    buf_add(&out, head, sizeof head);
    for (const struct copier_batch *b = first; b != NULL; b = b->next) {
        for (size_t i = 0; i < b->n; i++) {
            if (!put_row(&out, b->stmt->types, b->rows[i])) {
                err_set(e, ERR_INVALID, "a value that COPY cannot carry");
                return -1;
            }
            if (out.len >= PIECE) {
                if (put(c, buf_str(&out), until_ms, e) != 0)
                    return -1;
                out.len = 0;
            }
        }
    }
    buf_add(&out, end, sizeof end);
    return put(c, buf_str(&out), until_ms, e);
}

static int end_copy(struct copier *c, const char *why, int64_t until_ms, struct err *e)
{
    int rc;

    while ((rc = PQputCopyEnd(c->pg, why)) == 0) {
        if (wait_socket(c, true, until_ms, e) != 0)
            return -1;
    }
    return rc < 0 ? lost(c, e) : 0;
}

static int copy(struct copier *c, const struct copier_batch *first, struct err *e)
{
    int64_t until_ms = clock_mono_ms(&clock_system) + ANSWER_MS;
    struct err late;

    if (connected(c, e) != 0)
        return -1;
    if (PQsendQuery(c->pg, first->stmt->sql) != 1)
        return lost(c, e);
    if (results(c, PGRES_COPY_IN, until_ms, e) != 0)
        return -1;
    if (put_rows(c, first, until_ms, e) != 0) {
        if (c->pg != NULL && end_copy(c, "given up", until_ms, &late) == 0)
            (void)results(c, PGRES_COMMAND_OK, until_ms, &late);
        return -1;
    }
    if (end_copy(c, NULL, until_ms, e) != 0 || results(c, PGRES_COMMAND_OK, until_ms, e) != 0)
        return -1;
    if (FAULT("copier.commit")) { /* as if the connection had been lost before the answer came */
        drop(c);
        err_set(e, ERR_DB, "lost the connection to the database");
        return -1;
    }
    return 0;
}

/* ---- the thread -------------------------------------------------------------------------------------------- */

/* What goes into the next COPY; waits for it.  NULL: the end. */
static struct copier_batch *gather(struct copier *c)
{
    struct copier_batch *first, *b;
    size_t rows;

    pthread_mutex_lock(&c->lock);
    while (c->first == NULL && !c->stop)
        pthread_cond_wait(&c->more, &c->lock);
    first = b = c->first;
    if (b != NULL) {
        for (rows = b->n; b->next != NULL && b->next->stmt == first->stmt && rows + b->next->n <= ROWS_MAX; b = b->next)
            rows += b->next->n;
        c->first = b->next;
        if (c->first == NULL)
            c->last = NULL;
        b->next = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return first;
}

static void *run(void *arg)
{
    struct copier *c = arg;
    struct copier_batch *b, *next;

    while ((b = gather(c)) != NULL) {
        struct err e = {0};
        int rc = copy(c, b, &e);

        arena_reset(c->a);
        for (; b != NULL; b = next) {
            next = b->next;
            b->done(b->arg, rc == 0 ? NULL : &e);
        }
    }
    return NULL;
}

struct copier *copier_new(struct db *db)
{
    struct copier *c = calloc(1, sizeof *c);

    if (c == NULL)
        abort();
    c->db = db;
    c->a = arena_new(2 * PIECE);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        abort();
    return c;
}

void copier_free(struct copier *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    PQfinish(c->pg);
    arena_free(c->a);
    pthread_cond_destroy(&c->more);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void copier_submit(struct copier *c, struct copier_batch *b)
{
    bool idle;

    b->next = NULL;
    pthread_mutex_lock(&c->lock);
    idle = c->first == NULL;
    if (idle)
        c->first = b;
    else
        c->last->next = b;
    c->last = b;
    if (idle)
        pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}
