/*
 * PostgreSQL: a bounded pool of connections and prepared statements.
 *
 * Blocking calls, for workers; the hot path writes through db/writer.h.  A statement is a constant
 * of a *_store.c file; it is prepared on a connection the first time it is used there.
 *
 * Every connection sets UTC, its application_name and statement_timeout itself (migration.md 3.3).
 */
#ifndef SLUICE_DB_DB_H
#define SLUICE_DB_DB_H

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/value.h"

struct db;
struct db_conn;

struct db_stmt {
    const char *name; /* unique in the program, at most 60 characters */
    const char *sql;  /* $1 parameters, explicit columns */
    int n_params;
};

enum { DB_PARAMS_MAX = 48 };

/* One parameter, sent as text; make it with the DB_* macros. */
struct db_arg {
    enum {
        DB_ARG_NULL,
        DB_ARG_INT,
        DB_ARG_BOOL,
        DB_ARG_FLOAT,
        DB_ARG_TEXT,
        DB_ARG_BYTES,
        DB_ARG_TIME
    } kind;
    int64_t i; /* DB_ARG_TIME: microseconds since 1970, sent as timestamptz text */
    double f;
    struct str s; /* not copied; a NUL inside text is refused with ERR_INVALID */
};

#define DB_NULL ((struct db_arg){.kind = DB_ARG_NULL})
#define DB_INT(v) ((struct db_arg){.kind = DB_ARG_INT, .i = (v)})
#define DB_BOOL(v) ((struct db_arg){.kind = DB_ARG_BOOL, .i = (v) ? 1 : 0})
#define DB_FLOAT(v) ((struct db_arg){.kind = DB_ARG_FLOAT, .f = (v)})
#define DB_STR(v) ((struct db_arg){.kind = DB_ARG_TEXT, .s = (v)})
/* NULL when the slice has no pointer */
#define DB_STR_OR_NULL(v) ((v).p != NULL ? DB_STR(v) : DB_NULL)
#define DB_C(v) ((struct db_arg){.kind = DB_ARG_TEXT, .s = str_c(v)})
#define DB_BYTES(v) ((struct db_arg){.kind = DB_ARG_BYTES, .s = (v)})
#define DB_TIME(us) ((struct db_arg){.kind = DB_ARG_TIME, .i = (us)})
#define DB_INT_OR_NULL(v) ((v) != 0 ? DB_INT(v) : DB_NULL)
/* db_query(c, &stmt, DB_ARGS(DB_INT(1), DB_STR(s)), &res, e); no parameters: DB_NO_ARGS */
#define DB_ARGS(...)                                                                               \
    (const struct db_arg[]){__VA_ARGS__},                                                          \
        (sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg))
#define DB_NO_ARGS NULL, 0

struct db_opts {
    int max_conns;          /* default 16 */
    int64_t get_timeout_ms; /* how long db_get waits for a free one, default 5000 */
    int64_t statement_ms;   /* statement_timeout, default 30000 */
    int64_t idle_ms;        /* idle_in_transaction_session_timeout, default 0: none */
    const char *app_name;   /* application_name */
    bool standby_too;       /* a standby will do, for reading; else it counts as away */
    bool by_key; /* for statements that find rows by key or in the order of an index: plans are made
                    once, and of index look-ups */
};

/*
 * Read and normalise the address (migration.md 3.2): scheme, driver suffix, '@' in the password,
 * foreign parameters; refuses what libpq would leak.
 *
 * text  the value of the environment variable; label names it in messages ("DB",
 * "datastores[2].dsn"). uri   for libpq, living in `a`; shown: "user@host:port/database", the only
 * form ever logged. warn  receives one line per oddity that was coped with; may be NULL. Fails with
 * ERR_USAGE and a text without any part of a password.
 */
MUST_CHECK int db_address_parse(struct str text, const char *label, struct str *uri,
                                struct str *shown, struct buf *warn, struct arena *a,
                                struct err *e);

/* A pool; connects when first used, so it never fails for a database that is away. */
struct db *db_new(const char *uri, const char *shown, const struct db_opts *o);
void db_free(struct db *db);
const char *db_shown(const struct db *db);
const char *db_uri(const struct db *db);

/*
 * Borrow a connection, waiting up to get_timeout_ms; a broken one is replaced.
 * Fails with ERR_DB ("could not reach the database"), ERR_BUSY (all in use).  Threads: any.
 */
MUST_CHECK int db_get(struct db *db, struct db_conn **out, struct err *e);
/* Give it back; an open transaction is rolled back.  Takes NULL. */
void db_put(struct db *db, struct db_conn *c);

/*
 * Run one statement.  `res` is tied to the arena of the call when `a` is given at db_query_in, else
 * the caller clears it with PQclear (takes NULL).
 *
 * Errors: ERR_DB for connection trouble (the connection is thrown away at db_put), ERR_CONFLICT for
 * unique violations (23505) and foreign keys (23503), ERR_INVALID for values PostgreSQL refuses
 * (22xxx), ERR_TIMEOUT, else ERR_INTERNAL; SQLSTATE, message and statement name go to e->detail.
 */
MUST_CHECK int db_query(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                        size_t n_args, PGresult **res, struct err *e);
MUST_CHECK int db_query_in(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                           size_t n_args, PGresult **res, struct arena *a, struct err *e);
/* Several statements that take the same parameters, in one round trip; `res` has room for n results,
 * which are tied to `a`.  When one fails none has been of use. */
MUST_CHECK int db_query_all(struct db_conn *c, const struct db_stmt *const *s, size_t n,
                            const struct db_arg *args, size_t n_args, PGresult **res,
                            struct arena *a, struct err *e);
/* Without result; *affected may be NULL. */
MUST_CHECK int db_exec(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                       size_t n_args, int64_t *affected, struct err *e);
/* First column of the first row as text in `a`; ERR_NOT_FOUND without row. */
MUST_CHECK int db_text(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args,
                       size_t n_args, struct str *out, struct arena *a, struct err *e);
/*
 * For SQL put together from parts (searches): never contains a value, only column names and $n of
 * our own tables.  Not prepared.
 */
MUST_CHECK int db_query_sql(struct db_conn *c, const char *sql, const struct db_arg *args,
                            size_t n_args, PGresult **res, struct arena *a, struct err *e);

/* Open a transaction on a borrowed connection; db_put() rolls back what was not committed. */
MUST_CHECK int db_begin(struct db_conn *c, struct err *e);
/* Commit it; ERR_DB when the connection was lost, then whether it was stored is unknown. */
MUST_CHECK int db_commit(struct db_conn *c, struct err *e);
/* Give it up; never fails. */
void db_rollback(struct db_conn *c);

/* Reading a result.  Slices point into it. */
struct str db_str(const PGresult *r, int row, int col); /* NULL column: STR_NONE */
bool db_is_null(const PGresult *r, int row, int col);
int64_t db_int(const PGresult *r, int row, int col); /* NULL: 0 */
bool db_bool(const PGresult *r, int row, int col);
int64_t db_time_us(const PGresult *r, int row,
                   int col); /* of extract(epoch)*1e6 as bigint, see DB_TS */
/* column -> bigint microseconds, for select lists: DB_TS("created_on") */
#define DB_TS(col) "(extract(epoch from " col ") * 1000000)::bigint"
/* column -> the API's timestamp text inside json_build_object(): DB_ISO("created_on") */
#define DB_ISO(col) "to_char(" col " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
/* bytea column, decoded into `a` */
struct str db_bytes(const PGresult *r, int row, int col, struct arena *a);

/* Statements a store exports, so that a test can prepare all of them against the schema. */
struct db_stmts {
    const char *store;
    const struct db_stmt *const *stmts;
    size_t n;
};

#endif
