/*
 * What a database holds, seen through its catalogue: nothing, our structure, a former product's, or
 * somebody else's.
 *
 * Only SELECT is sent from here, so that a start with an up-to-date schema needs no lock and no
 * right to create, and a database that is not ours stays as it is.
 */
#include "db/migrate_int.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/structure.h"

/* Tables, views and own types of the first schema of the search path, without what extensions
 * brought. */
static const char objects_sql[] =
    "SELECT c.relname, c.relispartition FROM pg_catalog.pg_class c "
    "WHERE c.relnamespace = "
    "pg_catalog.to_regnamespace(pg_catalog.quote_ident(pg_catalog.current_schema())) "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
    "'pg_catalog.pg_class'::regclass "
    "AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1";

static const char versions_sql[] = "SELECT version, name, pg_catalog.encode(sha256, 'hex'), state, "
                                   "additive, program_version, host, pid, "
                                   "pg_catalog.to_char(coalesce(finished_on, started_on), "
                                   "'YYYY-MM-DD HH24:MI') FROM schema_versions ORDER BY version";

int migrate_last(const struct migration *list)
{
    int last = 0;

    for (; list->version != 0; list++)
        last = list->version;
    return last;
}

int migrate_target(void)
{
    return migrate_last(migrations_embedded);
}

const char *migrate_program_version(void)
{
    return SLUICE_VERSION;
}

void migrate_digest(const struct migration *m, char out[65])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)m->sql, m->sql_len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static const struct db_stmt stmt_accept = {
    "migrate_accept",
    "UPDATE schema_versions SET sha256 = decode($2, 'hex') WHERE version = $1 AND state = 'done'",
    2,
};
static const struct db_stmt *const stmts[] = {&stmt_accept};
const struct db_stmts migrate_stmts = {"migrate", stmts, COUNT_OF(stmts)};

static PGresult *select_sql(PGconn *pg, const char *sql, struct err *e)
{
    PGresult *r = PQexec(pg, sql);

    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        return r;
    if (PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL &&
        strcmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "42501") == 0)
        err_set(e, ERR_CONFIG, "role \"%s\" may not read table \"schema_versions\"; grant it",
                PQuser(pg));
    else
        (void)db_error(pg, r, "schema check", e);
    PQclear(r);
    return NULL;
}

/* ---- structure --------------------------------------------------------------------------- */

/* True when a migration of ours creates a table of this name. */
static bool made_by_us(const struct migration *list, const char *name)
{
    char pattern[80];
    int n = snprintf(pattern, sizeof pattern, " TABLE %s ", name);

    if (strcmp(name, "schema_versions") == 0)
        return true;
    if (n < 0 || (size_t)n >= sizeof pattern)
        return false;
    for (; list->version != 0; list++) {
        if (memmem(list->sql, list->sql_len, pattern, (size_t)n) != NULL)
            return true;
    }
    return false;
}

static void count_others(const PGresult *objects, const struct migration *list,
                         struct schema_state *out, struct arena *a)
{
    for (int i = 0; i < PQntuples(objects); i++) {
        if (*PQgetvalue(objects, i, 1) == 't' || made_by_us(list, PQgetvalue(objects, i, 0)))
            continue;
        if (out->others++ == 0)
            out->first_other = arena_strdup(a, PQgetvalue(objects, i, 0));
    }
}

/* ---- versions ---------------------------------------------------------------------------- */

static int read_versions(PGconn *pg, struct schema_state *out, struct arena *a, struct err *e)
{
    PGresult *r = select_sql(pg, versions_sql, e);
    int n;

    if (r == NULL)
        return -1;
    n = PQntuples(r) < MIGRATE_ROWS_MAX ? PQntuples(r) : MIGRATE_ROWS_MAX;
    out->rows = ARENA_ARRAY(a, struct version_row, (size_t)n + 1);
    out->n_rows = (size_t)n;
    for (int i = 0; i < n; i++) {
        struct version_row *v = &out->rows[i];

        v->version = (int)db_int(r, i, 0);
        v->name = arena_strdup(a, PQgetvalue(r, i, 1));
        v->sha256 = arena_strdup(a, PQgetvalue(r, i, 2));
        v->state = arena_strdup(a, PQgetvalue(r, i, 3));
        v->additive = db_bool(r, i, 4);
        v->program = arena_strdup(a, PQgetvalue(r, i, 5));
        v->host = arena_strdup(a, PQgetvalue(r, i, 6));
        v->pid = arena_strdup(a, PQgetvalue(r, i, 7));
        v->when = arena_strdup(a, PQgetvalue(r, i, 8));
        if (strcmp(v->state, "done") == 0)
            out->current = v->version;
        else if (out->unfinished == 0)
            out->unfinished = v->version;
    }
    PQclear(r);
    return 0;
}

int migrate_look(PGconn *pg, const struct migration *list, struct schema_state *out,
                 struct arena *a, struct err *e)
{
    PGresult *objects = NULL;
    struct structure_found found;
    int rc = -1;

    *out = (struct schema_state){.structure = STRUCTURE_REFUSED};
    if (structure_look(pg, &found, a, e) != 0)
        return -1;
    out->schema = found.schema;
    if (found.kind == HOLDS_NOTHING) {
        out->structure = STRUCTURE_EMPTY;
        return 0;
    }
    if (found.kind != HOLDS_OURS) {
        structure_refuse(&found, e);
        return -1;
    }
    objects = select_sql(pg, objects_sql, e);
    if (objects == NULL)
        return -1;
    out->structure = STRUCTURE_OURS;
    rc = read_versions(pg, out, a, e);
    if (out->current <= migrate_last(list))
        count_others(objects, list, out, a);
    PQclear(objects);
    return rc;
}

/* ---- judgement --------------------------------------------------------------------------- */

static const struct version_row *row_of(const struct schema_state *s, int version)
{
    for (size_t i = 0; i < s->n_rows; i++) {
        if (s->rows[i].version == version)
            return &s->rows[i];
    }
    return NULL;
}

static int check_gaps(const struct schema_state *s, struct err *e)
{
    for (int v = 1; v < s->current; v++) {
        const struct version_row *row = row_of(s, v);

        if (row == NULL || strcmp(row->state, "done") != 0) {
            err_set(e, ERR_CONFIG, "migration %d is missing in the database although %d is done", v,
                    s->current);
            return -1;
        }
    }
    return 0;
}

static int check_texts(const struct schema_state *s, const struct migration *list, bool strict,
                       struct err *e)
{
    for (; list->version != 0; list++) {
        const struct version_row *row = row_of(s, list->version);
        char mine[65];

        if (row == NULL || strcmp(row->state, "done") != 0)
            continue;
        migrate_digest(list, mine);
        if (strcmp(mine, row->sha256) == 0)
            continue;
        err_set(e, ERR_CONFIG,
                "migration %04d was changed after it ran here (recorded %.8s, program has %.8s)",
                list->version, row->sha256, mine);
        if (strict)
            return -1;
        log_warn("migrate.changed", "why=" LOG_Q, e->msg);
    }
    return 0;
}

static int check_newer(const struct schema_state *s, int target, struct err *e)
{
    for (size_t i = 0; i < s->n_rows; i++) {
        const struct version_row *row = &s->rows[i];

        if (row->version <= target || row->additive)
            continue;
        err_set(e, ERR_CONFIG,
                "the schema is at version %d, this program knows %d and %d is not compatible with "
                "it; install a program "
                "of version \xe2\x89\xa5 %s (migrated by %s on host %s, %s)",
                s->current, target, row->version, row->program, row->program, row->host, row->when);
        return -1;
    }
    if (s->current > target)
        log_warn("migrate.newer",
                 "text=\"the schema (%d) is newer than this program (%d); compatible\"", s->current,
                 target);
    return 0;
}

int migrate_judge(const struct schema_state *s, const struct migration *list, bool strict,
                  struct err *e)
{
    if (s->structure != STRUCTURE_OURS)
        return 0;
    if (check_gaps(s, e) != 0 || check_texts(s, list, strict, e) != 0)
        return -1;
    return check_newer(s, migrate_last(list), e);
}

int migrate_current(struct db_conn *c, int *version, struct err *e)
{
    struct arena *a = arena_new(0);
    struct schema_state s;
    int rc = migrate_look(c->pg, migrations_embedded, &s, a, e);

    if (rc == 0)
        *version = s.current;
    arena_free(a);
    return rc;
}

int migrate_pending(struct db_conn *c, const struct migration **first, struct err *e)
{
    const struct migration *m = migrations_embedded;
    int current;

    if (migrate_current(c, &current, e) != 0)
        return -1;
    while (m->version != 0 && m->version <= current)
        m++;
    *first = m;
    return 0;
}

int migrate_fits(struct db_conn *c, struct err *e)
{
    struct arena *a = arena_new(0);
    struct schema_state s;
    int rc = -1;

    if (migrate_look(c->pg, migrations_embedded, &s, a, e) == 0)
        rc = migrate_judge(&s, migrations_embedded, false, e);
    arena_free(a);
    return rc;
}

int migrate_accept(struct db_conn *c, int version, struct err *e)
{
    char digest[65];
    int64_t n = 0;

    for (const struct migration *m = migrations_embedded; m->version != 0; m++) {
        if (m->version != version)
            continue;
        migrate_digest(m, digest);
        if (db_exec(c, &stmt_accept, DB_ARGS(DB_INT(version), DB_C(digest)), &n, e) != 0)
            return -1;
    }
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "migration %d did not run here, or is not known to this program",
                version);
        return -1;
    }
    return 0;
}
