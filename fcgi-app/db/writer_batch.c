/*
 * A batch: the rows of many items as one statement over arrays per kind of row, in one pipeline.
 *
 * Arrays go in PostgreSQL's binary form: no quoting here, no parsing there.  A part is what stands
 * between two synchronisation points, which is one (implicit) transaction: it commits when the
 * server reaches the second point.
 */
#include "db/pg_binary.h"
#include "db/writer_int.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"

/* ---- encoding ---------------------------------------------------------------------------- */

/* Column `col` of n rows as a one-dimensional array. */
static char *encode_column(const struct writer_row *const *rows, size_t n, size_t col, char letter,
                           size_t *len, struct arena *a)
{
    size_t size = 20;
    bool has_null = false;
    char *start, *p;

    for (size_t i = 0; i < n; i++) {
        size += pg_value_size(letter, &rows[i]->args[col]);
        has_null = has_null || rows[i]->args[col].kind == DB_ARG_NULL;
    }
    start = p = arena_alloc(a, size);
    p = pg_put32(p, 1); /* dimensions */
    p = pg_put32(p, has_null ? 1 : 0);
    p = pg_put32(p, pg_type_of(letter)->oid);
    p = pg_put32(p, (uint32_t)n);
    p = pg_put32(p, 1); /* lower bound */
    for (size_t i = 0; i < n; i++)
        p = pg_put_value(p, letter, &rows[i]->args[col]);
    *len = size;
    return start;
}

/* ---- grouping ---------------------------------------------------------------------------- */

struct group {
    const struct writer_stmt *stmt;
    size_t n, filled;
    const struct writer_row **rows;
};

struct groups {
    struct group list[PREPARED_MAX];
    size_t n;
};

static struct group *group_of(struct groups *g, const struct writer_stmt *stmt)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->list[i].stmt == stmt)
            return &g->list[i];
    }
    if (g->n == PREPARED_MAX)
        abort(); /* cannot be: only prepared statements come here */
    g->list[g->n] = (struct group){.stmt = stmt};
    return &g->list[g->n++];
}

static int by_rank(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return x->stmt->rank != y->stmt->rank ? (x->stmt->rank < y->stmt->rank ? -1 : 1)
                                          : strcmp(x->stmt->name, y->stmt->name);
}

/* The rows of a part by statement, in the order the statements run. */
static void groups_build(const struct writer_item *items, struct groups *g, struct arena *a)
{
    struct group *at;

    g->n = 0;
    for (const struct writer_item *it = items; it != NULL; it = it->next) {
        for (const struct writer_row *r = it->rows; r != NULL; r = r->next)
            group_of(g, r->stmt)->n++;
    }
    qsort(g->list, g->n, sizeof g->list[0], by_rank);
    for (size_t i = 0; i < g->n; i++)
        g->list[i].rows = arena_alloc(a, g->list[i].n * sizeof(struct writer_row *));
    for (const struct writer_item *it = items; it != NULL; it = it->next) {
        for (const struct writer_row *r = it->rows; r != NULL; r = r->next) {
            at = group_of(g, r->stmt);
            if (at->rows != NULL) /* always: the same statements as above */
                at->rows[at->filled++] = r;
        }
    }
}

/* ---- talking to the server --------------------------------------------------------------- */

static int lost(PGconn *pg, const char *what, struct err *e)
{
    (void)db_error(pg, NULL, what, e);
    return -1;
}

/* Types of the parameters; returns how many. */
static int param_types(const struct writer_stmt *s, Oid oids[DB_PARAMS_MAX])
{
    size_t n = strlen(s->types);

    assert(n <= DB_PARAMS_MAX);
    for (size_t i = 0; i < n; i++)
        oids[i] = pg_type_of(s->types[i])->array_oid;
    return (int)n;
}

/* As batch_prepare, for one statement and outside of pipeline mode. */
static int prepare_one(struct batch_conn *c, const struct writer_stmt *s, struct err *e)
{
    Oid oids[DB_PARAMS_MAX];
    PGresult *r;
    int n = param_types(s, oids), rc = 0;

    if (c->n_prepared == PREPARED_MAX)
        abort(); /* the program has more statements than foreseen: raise PREPARED_MAX */
    r = PQprepare(c->pg, s->name, s->sql, n, oids);
    if (PQresultStatus(r) == PGRES_COMMAND_OK)
        c->prepared[c->n_prepared++] = s;
    else
        rc = db_error(c->pg, r, s->name, e) ? -1 : 1;
    PQclear(r);
    return rc;
}

static bool is_prepared(const struct batch_conn *c, const struct writer_stmt *s)
{
    for (size_t i = 0; i < c->n_prepared; i++) {
        if (c->prepared[i] == s)
            return true;
    }
    return false;
}

int batch_prepare(struct batch_conn *c, const struct writer_item *item, struct err *e)
{
    int rc = 0;

    for (const struct writer_row *r = item->rows; r != NULL && rc == 0; r = r->next) {
        if (c->pooled || is_prepared(c, r->stmt))
            continue;
        if (PQexitPipelineMode(c->pg) != 1)
            return lost(c->pg, "leaving pipeline mode", e);
        rc = prepare_one(c, r->stmt, e);
        if (rc >= 0 && PQenterPipelineMode(c->pg) != 1)
            return lost(c->pg, "entering pipeline mode", e);
    }
    return rc;
}

static int send_group(struct batch_conn *c, const struct group *g, struct arena *a, struct err *e)
{
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
    int formats[DB_PARAMS_MAX];
    Oid oids[DB_PARAMS_MAX];
    int n = param_types(g->stmt, oids), sent;

    for (int col = 0; col < n; col++) {
        size_t len;

        values[col] =
            encode_column(g->rows, g->n, (size_t)col, g->stmt->types[col], &len, a);
        lengths[col] = (int)len;
        formats[col] = 1;
    }
    sent = c->pooled
               ? PQsendQueryParams(c->pg, g->stmt->sql, n, oids, values, lengths, formats, 1)
               : PQsendQueryPrepared(c->pg, g->stmt->name, n, values, lengths, formats, 1);
    if (sent != 1)
        return lost(c->pg, g->stmt->name, e);
    return 0;
}

/*
 * The two ends a transaction can have between any two of its statements: the connection is lost, or
 * the process dies.  The server has seen what was sent until there, s last.  Behind the last one
 * (NULL) it commits; writer.commit loses the connection then.
 */
static int interrupted(struct batch_conn *c, const struct writer_stmt *s, struct err *e)
{
    bool cut = s != NULL && FAULT("writer.cut");
    bool die = FAULT("writer.die") || (s != NULL && FAULT_AT("behind", str_c(s->name)));

    if (!cut && !die)
        return 0;
    while (PQflush(c->pg) == 1)
        usleep(1000);
    usleep(20 * 1000); /* the server works on it meanwhile */
    if (die)
        (void)raise(SIGKILL);
    err_set(e, ERR_DB, "lost the connection to the database");
    return -1;
}

int batch_send(struct batch_conn *c, const struct part *p, struct arena *a, struct err *e)
{
    struct groups g;

    if (FAULT("writer.send")) {
        err_set(e, ERR_DB, "lost the connection to the database");
        return -1;
    }
    groups_build(p->items, &g, a);
    for (size_t i = 0; i < g.n; i++) {
        if (send_group(c, &g.list[i], a, e) != 0 || interrupted(c, g.list[i].stmt, e) != 0)
            return -1;
    }
    if (PQpipelineSync(c->pg) != 1)
        return lost(c->pg, "sync", e);
    return interrupted(c, NULL, e);
}

/* Results come in binary form. */
static bool tells(const PGresult *r)
{
    int col = PQfnumber(r, "tell");
    bool yes = false;

    for (int row = 0; col >= 0 && row < PQntuples(r) && !yes; row++)
        yes = PQgetlength(r, row, col) == 1 && PQgetvalue(r, row, col)[0] != 0;
    return yes;
}

/* One result of the running part; true: the connection is of no more use. */
static bool take_result(struct batch_conn *c, struct batch *b, const PGresult *r)
{
    struct part *p = &b->parts[b->done];

    switch (PQresultStatus(r)) {
    case PGRES_PIPELINE_SYNC:
        b->done++;
        return false;
    case PGRES_TUPLES_OK:
        p->told = p->told || tells(r);
        return false;
    case PGRES_COMMAND_OK:
    case PGRES_PIPELINE_ABORTED:
        return false;
    default:
        if (p->refused)
            return PQstatus(c->pg) != CONNECTION_OK;
        p->refused = true;
        return db_error(c->pg, r, "batch", &p->err);
    }
}

int batch_read(struct batch_conn *c, struct batch *b, struct err *e)
{
    bool dead = false;

    if (PQconsumeInput(c->pg) != 1)
        return lost(c->pg, "batch", e);
    while (b->done < b->n_parts && !dead && PQisBusy(c->pg) == 0) {
        PGresult *r = PQgetResult(c->pg);

        if (r == NULL) {
            if (b->last_null) /* two in a row: libpq expects nothing more, we do */
                return lost(c->pg, "batch", e);
            b->last_null = true;
            continue;
        }
        b->last_null = false;
        dead = take_result(c, b, r);
        PQclear(r);
    }
    if (dead) {
        *e = b->parts[b->done < b->n_parts ? b->done : b->n_parts - 1].err;
        return -1;
    }
    return b->done == b->n_parts ? 1 : 0;
}
