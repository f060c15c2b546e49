/*
 * What the files of db/ share: opening a connection, sending parameters, telling errors apart.
 */
#ifndef SLUICE_DB_DB_INT_H
#define SLUICE_DB_DB_INT_H

#include <pthread.h>

#include "base/map.h"
#include "db/db.h"

struct db_conn {
    PGconn *pg;
    struct db *db;
    struct db_conn *next;  /* in the pool's list of idle ones */
    struct arena *names;   /* lives as long as the connection: what `prepared` holds */
    struct map prepared;   /* statement name -> the statement */
    struct arena *scratch; /* NUL-terminated copies of parameters, during one call */
    bool pooled;           /* see db_open() */
    bool broken;           /* not to be given out again */
};

/*
 * A connection with our settings (UTC, UTF-8, application_name, statement_timeout, how long a transaction may
 * do nothing before PostgreSQL ends it; 0: for ever), or -1 with ERR_DB.  Blocking. sqlstate, when not NULL, gets the SQLSTATE of a server that refused us, else
 * "".
 *
 * *pooled, when not NULL: a pooler stands between, which may give every transaction another
 * backend.  What lives in a backend (prepared statements, LISTEN, advisory locks of a session,
 * SET) is then not to be used, as it would reach or stay with somebody else; the two times
 * are not set, the role's own count.
 *
 * *standby, when not NULL: the server only repeats what another one does.  When NULL such a server is refused: it takes no writes,
 * and what it would answer is old.
 */
MUST_CHECK int db_open(const char *uri, const char *shown, const char *app_name,
                       int64_t statement_ms, int64_t idle_ms, PGconn **out, bool *pooled, bool *standby,
                       char sqlstate[6], struct err *e);
/*
 * Plans are made once, and of index look-ups (db_opts.by_key).  Planned while a table is still small,
 * a statement would read the whole of it, and keep doing so until the next ANALYZE; and with
 * partitions planning takes many times as long as finding a row.
 */
MUST_CHECK int db_plan_by_key(PGconn *pg, struct err *e);
const char *db_app_name(const struct db *db);

/* The first line of libpq's text in `out`, without its final full stop or line feed. */
void db_first_line(const char *text, char *out, size_t out_len);
/* Fill `e` from a failed result (or NULL) of `pg`.  True: the connection cannot be used any more.
 */
bool db_error(PGconn *pg, const PGresult *r, const char *what, struct err *e);
/* Microseconds since 1970 as text that PostgreSQL reads as timestamptz; at most 40 bytes. */
void db_time_text(int64_t us, char out[40]);

#endif
