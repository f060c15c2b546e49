/*
 * Running a statement on a borrowed connection, and reading its result.
 */
#include "db/db_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/fault.h"

/* Parameters in the form libpq wants; texts live in the connection's scratch arena. */
struct params {
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
    int formats[DB_PARAMS_MAX];
    int n;
};

static int param_text(const struct db_arg *arg, const char **out, struct arena *a, struct err *e)
{
    if (arg->s.len > INT32_MAX || (arg->s.len > 0 && memchr(arg->s.p, '\0', arg->s.len) != NULL)) {
        err_set(e, ERR_INVALID, "text with a NUL character cannot be stored");
        return -1;
    }
    *out = arena_strndup(a, arg->s.p != NULL ? arg->s.p : "", arg->s.len);
    return 0;
}

static int params_build(const struct db_arg *args, size_t n, struct params *p, struct arena *a,
                        struct err *e)
{
    assert(n <= DB_PARAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        char *text;

        p->values[i] = NULL;
        p->lengths[i] = 0;
        p->formats[i] = 0;
        switch (args[i].kind) {
        case DB_ARG_NULL:
            break;
        case DB_ARG_INT:
            p->values[i] = arena_printf(a, "%lld", (long long)args[i].i);
            break;
        case DB_ARG_BOOL:
            p->values[i] = args[i].i != 0 ? "t" : "f";
            break;
        case DB_ARG_FLOAT:
            p->values[i] = arena_printf(a, "%.17g", args[i].f);
            break;
        case DB_ARG_TEXT:
            if (param_text(&args[i], &p->values[i], a, e) != 0)
                return -1;
            break;
        case DB_ARG_BYTES:
            if (args[i].s.len > INT32_MAX) {
                err_set(e, ERR_LIMIT, "more bytes than the database takes");
                return -1;
            }
            p->values[i] = args[i].s.p != NULL ? args[i].s.p : "";
            p->lengths[i] = (int)args[i].s.len;
            p->formats[i] = 1;
            break;
        case DB_ARG_TIME:
            text = arena_alloc(a, 40);
            db_time_text(args[i].i, text);
            p->values[i] = text;
            break;
        }
    }
    p->n = (int)n;
    return 0;
}

static int finish(struct db_conn *c, PGresult *r, const char *what, PGresult **res, struct err *e)
{
    ExecStatusType status = PQresultStatus(r);

    arena_reset(c->scratch);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        FAULT_DIE("behind", str_c(what));
        *res = r;
        return 0;
    }
    if (db_error(c->pg, r, what, e))
        c->broken = true;
    PQclear(r);
    return -1;
}

static int prepare(struct db_conn *c, const struct db_stmt *s, struct err *e)
{
    PGresult *r;

    if (map_find(&c->prepared, str_c(s->name)) == (const void *)s)
        return 0;
    r = PQprepare(c->pg, s->name, s->sql, 0, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        if (db_error(c->pg, r, s->name, e))
            c->broken = true;
        PQclear(r);
        return -1;
    }
    PQclear(r);
    map_set(&c->prepared, str_c(s->name), (void *)(uintptr_t)s);
    return 0;
}

static bool struck(struct db_conn *c, struct err *e)
{
    if (!FAULT("db.query"))
        return false;
    err_set(e, ERR_DB, "lost the connection to the database");
    c->broken = true;
    return true;
}

int db_query(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args, size_t n_args,
             PGresult **res, struct err *e)
{
    struct params p;

    *res = NULL;
    assert((size_t)s->n_params == n_args);
    if (struck(c, e) || params_build(args, n_args, &p, c->scratch, e) != 0)
        return -1;
    if (c->pooled)
        return finish(c, PQexecParams(c->pg, s->sql, p.n, NULL, p.values, p.lengths, p.formats, 0),
                      s->name, res, e);
    if (prepare(c, s, e) != 0)
        return -1;
    return finish(c, PQexecPrepared(c->pg, s->name, p.n, p.values, p.lengths, p.formats, 0),
                  s->name, res, e);
}

static void clear_result(void *r)
{
    PQclear(r);
}

int db_query_in(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                size_t n_args, PGresult **res, struct arena *a, struct err *e)
{
    if (db_query(c, s, args, n_args, res, e) != 0)
        return -1;
    arena_defer(a, clear_result, *res);
    return 0;
}

static int send_all(struct db_conn *c, const struct db_stmt *const *s, size_t n,
                    const struct params *p, struct err *e)
{
    bool sent = PQenterPipelineMode(c->pg) == 1;

    for (size_t i = 0; i < n && sent; i++)
        sent = PQsendQueryPrepared(c->pg, s[i]->name, p->n, p->values, p->lengths, p->formats,
                                   0) == 1;
    if (sent && PQpipelineSync(c->pg) == 1)
        return 0;
    (void)db_error(c->pg, NULL, s[0]->name, e);
    c->broken = true;
    return -1;
}

/* Behind each result libpq has a mark, and behind all of them the end of the pipeline. */
static int read_all(struct db_conn *c, const struct db_stmt *const *s, size_t n, PGresult **res,
                    struct arena *a, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        PGresult *r = PQgetResult(c->pg);

        if (rc != 0)
            PQclear(r);
        else if (finish(c, r, s[i]->name, &res[i], e) != 0)
            rc = -1;
        else
            arena_defer(a, clear_result, res[i]);
        PQclear(PQgetResult(c->pg));
    }
    PQclear(PQgetResult(c->pg));
    if (PQexitPipelineMode(c->pg) != 1)
        c->broken = true;
    return rc;
}

int db_query_all(struct db_conn *c, const struct db_stmt *const *s, size_t n,
                 const struct db_arg *args, size_t n_args, PGresult **res, struct arena *a,
                 struct err *e)
{
    struct params p;

    for (size_t i = 0; i < n && c->pooled; i++)
        if (db_query_in(c, s[i], args, n_args, &res[i], a, e) != 0)
            return -1;
    if (c->pooled)
        return 0;
    for (size_t i = 0; i < n; i++) {
        assert((size_t)s[i]->n_params == n_args);
        if (prepare(c, s[i], e) != 0)
            return -1;
    }
    if (struck(c, e) || params_build(args, n_args, &p, c->scratch, e) != 0 ||
        send_all(c, s, n, &p, e) != 0)
        return -1;
    return read_all(c, s, n, res, a, e);
}

int db_exec(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args, size_t n_args,
            int64_t *affected, struct err *e)
{
    PGresult *r = NULL;

    if (db_query(c, s, args, n_args, &r, e) != 0)
        return -1;
    if (affected != NULL && !str_to_int(str_c(PQcmdTuples(r)), affected))
        *affected = 0;
    PQclear(r);
    return 0;
}

int db_text(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args, size_t n_args,
            struct str *out, struct arena *a, struct err *e)
{
    PGresult *r = NULL;
    int rc = -1;

    if (db_query(c, s, args, n_args, &r, e) != 0)
        return -1;
    if (PQntuples(r) == 0) {
        err_set(e, ERR_NOT_FOUND, "not found");
        goto out;
    }
    *out = db_is_null(r, 0, 0) ? STR_NONE : str_dup(a, db_str(r, 0, 0));
    rc = 0;
out:
    PQclear(r);
    return rc;
}

int db_query_sql(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n_args,
                 PGresult **res, struct arena *a, struct err *e)
{
    struct params p;

    *res = NULL;
    if (struck(c, e) || params_build(args, n_args, &p, c->scratch, e) != 0)
        return -1;
    if (finish(c, PQexecParams(c->pg, sql, p.n, NULL, p.values, p.lengths, p.formats, 0), "search",
               res, e) != 0)
        return -1;
    arena_defer(a, clear_result, *res);
    return 0;
}

static int command(struct db_conn *c, const char *sql, struct err *e)
{
    PGresult *r = NULL;

    if (finish(c, PQexec(c->pg, sql), sql, &r, e) != 0)
        return -1;
    PQclear(r);
    return 0;
}

int db_begin(struct db_conn *c, struct err *e)
{
    return command(c, "BEGIN", e);
}

int db_commit(struct db_conn *c, struct err *e)
{
    if (PQtransactionStatus(c->pg) == PQTRANS_INERROR) {
        db_rollback(c); /* COMMIT would answer ROLLBACK and look like success */
        err_set(e, ERR_INTERNAL, "a database statement failed");
        return -1;
    }
    return command(c, "COMMIT", e);
}

void db_rollback(struct db_conn *c)
{
    PGresult *r = PQexec(c->pg, "ROLLBACK");

    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        c->broken = true;
    PQclear(r);
}

/* ---- results ----------------------------------------------------------------------------- */

bool db_is_null(const PGresult *r, int row, int col)
{
    return PQgetisnull(r, row, col) == 1;
}

struct str db_str(const PGresult *r, int row, int col)
{
    if (PQgetisnull(r, row, col) == 1)
        return STR_NONE;
    return str_make(PQgetvalue(r, row, col), (size_t)PQgetlength(r, row, col));
}

int64_t db_int(const PGresult *r, int row, int col)
{
    int64_t v = 0;

    return str_to_int(db_str(r, row, col), &v) ? v : 0;
}

bool db_bool(const PGresult *r, int row, int col)
{
    return str_eq_c(db_str(r, row, col), "t");
}

int64_t db_time_us(const PGresult *r, int row, int col)
{
    return db_int(r, row, col);
}

struct str db_bytes(const PGresult *r, int row, int col, struct arena *a)
{
    struct str hex = db_str(r, row, col);
    char *out;
    size_t n;

    if (hex.p == NULL || hex.len < 2)
        return STR_NONE;
    n = (hex.len - 2) /
        2; /* "\x" and two digits a byte: bytea_output = hex is the server's default */
    out = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(ascii_hex(hex.p[2 + 2 * i]) * 16 + ascii_hex(hex.p[3 + 2 * i]));
    out[n] = '\0';
    return str_make(out, n);
}
