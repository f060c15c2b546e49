/*
 * Telling structures apart by the catalogue.
 */
#include "db/structure.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "db/db_int.h"

/* What an extension brought. */
#define OF_EXTENSION(catalogue, oid)                                                               \
    "EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog." catalogue          \
    "'::regclass AND d.objid = " oid " AND d.deptype = 'e')"
#define SCHEMA                                                                                     \
    "pg_catalog.to_regnamespace(pg_catalog.quote_ident(pg_catalog.current_schema()))"

/* Tables, views and own types; partitions are no objects of their own. */
static const char objects_sql[] =
    "SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = " SCHEMA
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT " OF_EXTENSION("pg_class", "c.oid")
    " UNION ALL SELECT t.typname FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class k ON k.oid = t.typrelid "
    "WHERE t.typnamespace = " SCHEMA " AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND k.relkind = 'c')) "
    "AND NOT " OF_EXTENSION("pg_type", "t.oid") " ORDER BY 1";

static const char lines_sql[] =
    "SELECT line FROM (SELECT c.relname || '.' || a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) AS line "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relnamespace = " SCHEMA " AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
    "AND a.attnum > 0 AND NOT a.attisdropped AND NOT " OF_EXTENSION("pg_class", "c.oid")
    ") x ORDER BY line COLLATE \"C\"";

static const char ours_sql[] =
    "SELECT count(*) = 4 FROM pg_catalog.pg_attribute WHERE attrelid = "
    "pg_catalog.to_regclass('schema_versions') "
    "AND attname IN ('version', 'sha256', 'state', 'additive') AND NOT attisdropped";

/* Names of the former product that tell it from others. */
static const char *const legacy_names[] = {
    "keys", "users", "requests", "activities", "instances", "custom_routes", "user_profiles"};
enum { LEGACY_ENOUGH = 3 };

/* Where tools that migrate keep the version. */
static const struct runner {
    const char *table, *sql;
} runners[] = {
    {"goose_db_version", "SELECT version_id::text FROM goose_db_version WHERE is_applied ORDER BY id DESC LIMIT 1"},
    {"schema_migrations", "SELECT max(version)::text FROM schema_migrations"},
    {"gorp_migrations", "SELECT max(id)::text FROM gorp_migrations"},
    {"migrations", "SELECT max(version)::text FROM migrations"},
};

static PGresult *ask(PGconn *pg, const char *sql, struct err *e)
{
    PGresult *r = PQexec(pg, sql);

    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        return r;
    (void)db_error(pg, r, "structure", e);
    PQclear(r);
    return NULL;
}

/* One value of a table that may look otherwise than expected; NULL then. */
static const char *peek(PGconn *pg, const char *sql, struct arena *a)
{
    PGresult *r = PQexec(pg, sql);
    char line[80] = "";

    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1 && !PQgetisnull(r, 0, 0))
        db_first_line(PQgetvalue(r, 0, 0), line, sizeof line);
    PQclear(r);
    return line[0] != '\0' ? arena_strdup(a, line) : NULL;
}

static bool has_name(const PGresult *objects, const char *name)
{
    for (int i = 0; i < PQntuples(objects); i++)
        if (strcmp(PQgetvalue(objects, i, 0), name) == 0)
            return true;
    return false;
}

/* ---- the list of known structures ------------------------------------------------------------ */

/* Test builds may bring a list of their own. */
static struct str known_list(struct arena *a)
{
#if defined(SLUICE_TEST_BUILD)
    const char *path = getenv("SLUICE_LEGACY_LIST");
    FILE *f = path != NULL ? fopen(path, "re") : NULL;
    char *text = arena_alloc(a, 16 * KIB);

    if (f != NULL) {
        size_t n = fread(text, 1, 16 * KIB, f);

        (void)fclose(f);
        return str_make(text, n);
    }
#endif
    (void)a;
    return str_c(legacy_list_embedded);
}

/* The version of the line "<kind> <value> <version>". */
static const char *known(const char *kind, const char *value, struct arena *a)
{
    struct str rest = known_list(a);

    while (value != NULL && rest.len > 0) {
        struct str version = str_trim(str_cut(&rest, '\n')), what = str_cut(&version, ' ');
        struct str which = str_cut(&version, ' ');

        if (str_eq_c(what, kind) && str_eq_c(which, value) && version.len > 0)
            return str_cstr(a, str_trim(version));
    }
    return NULL;
}

/* ---- looking --------------------------------------------------------------------------------- */

static int read_lines(PGconn *pg, struct structure_found *out, struct arena *a, struct err *e)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    PGresult *r = ask(pg, lines_sql, e);
    struct buf b;

    if (r == NULL)
        return -1;
    buf_init(&b, 16 * MIB, a);
    for (int i = 0; i < PQntuples(r); i++)
        buf_addf(&b, "%s\n", PQgetvalue(r, i, 0));
    PQclear(r);
    out->lines = buf_str(&b);
    SHA256((const unsigned char *)out->lines.p, out->lines.len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(out->fingerprint + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

static void judge(PGconn *pg, const PGresult *objects, struct structure_found *out, struct arena *a)
{
    int n_found = 0;
    bool runner = false;

    out->names = "";
    for (size_t i = 0; i < COUNT_OF(legacy_names); i++)
        if (has_name(objects, legacy_names[i]))
            out->names = arena_printf(a, "%s%s%s", out->names, n_found++ > 0 ? ", " : "", legacy_names[i]);
    for (size_t i = 0; i < COUNT_OF(runners) && !runner; i++) {
        runner = has_name(objects, runners[i].table);
        if (runner && n_found >= LEGACY_ENOUGH)
            out->revision = peek(pg, runners[i].sql, a);
    }
    out->version = known("fingerprint", out->fingerprint, a);
    if (has_name(objects, "alembic_version")) {
        out->kind = HOLDS_LEGACY_0;
        out->revision = peek(pg, "SELECT version_num FROM alembic_version LIMIT 1", a);
        if (out->version == NULL)
            out->version = known("revision", out->revision, a);
    } else if (n_found >= LEGACY_ENOUGH) {
        out->kind = runner ? HOLDS_LEGACY_2 : HOLDS_LEGACY;
    } else {
        out->kind = HOLDS_FOREIGN;
    }
}

static int look_inside(PGconn *pg, struct structure_found *out, struct arena *a, struct err *e)
{
    PGresult *objects = ask(pg, objects_sql, e), *ours = NULL;
    int rc = -1;

    if (objects == NULL)
        return -1;
    out->n_objects = PQntuples(objects);
    if (out->n_objects == 0) {
        rc = 0;
        goto out;
    }
    out->first = arena_strdup(a, PQgetvalue(objects, 0, 0));
    if ((ours = ask(pg, ours_sql, e)) == NULL)
        goto out;
    if (has_name(objects, "schema_versions") && db_bool(ours, 0, 0)) {
        out->kind = HOLDS_OURS;
        rc = 0;
    } else if (read_lines(pg, out, a, e) == 0) {
        judge(pg, objects, out, a);
        rc = 0;
    }
out:
    PQclear(objects);
    PQclear(ours);
    return rc;
}

int structure_look(PGconn *pg, struct structure_found *out, struct arena *a, struct err *e)
{
    PGresult *schema = ask(pg, "SELECT pg_catalog.current_schema()", e);
    bool missing;

    *out = (struct structure_found){.kind = HOLDS_NOTHING, .schema = ""};
    if (schema == NULL)
        return -1;
    missing = PQgetisnull(schema, 0, 0) != 0;
    if (!missing)
        out->schema = arena_strdup(a, PQgetvalue(schema, 0, 0));
    PQclear(schema);
    if (missing) {
        err_set(e, ERR_CONFIG, "no schema of the search path exists; create it, or take it out of DB");
        return -1;
    }
    return look_inside(pg, out, a, e);
}

int structure_look_at(struct db_conn *c, struct structure_found *out, struct arena *a, struct err *e)
{
    return structure_look(c->pg, out, a, e);
}

/* ---- refusing -------------------------------------------------------------------------------- */

#define NOT_CHANGED                                                                                \
    "it is not changed: create an empty database for DB and run sluicectl import-legacy "          \
    "--from-db=DSN-FILE"

/* Is "0.22.1" before 0.23.2? */
bool structure_too_old(const char *version)
{
    static const int last[3] = {0, 23, 2};
    struct str rest = str_c(version);

    for (size_t i = 0; i < COUNT_OF(last); i++) {
        int64_t n = 0;

        if (!str_to_int(str_cut(&rest, '.'), &n))
            n = 0;
        if (n != last[i])
            return n < last[i];
    }
    return false;
}

void structure_refuse_old(const char *version, struct err *e)
{
    err_set(e, ERR_CONFIG,
            "the database holds the structure of APIO core %s; only 0.23.2, the last of the 0.x branch, can be imported: "
            "upgrade the old platform to 0.23.2 first, then create an empty database for DB and run sluicectl import-legacy",
            version);
}

static void refuse_known(const struct structure_found *s, struct err *e)
{
    if (structure_too_old(s->version))
        structure_refuse_old(s->version, e);
    else
        err_set(e, ERR_CONFIG, "the database holds the structure of APIO core %s; " NOT_CHANGED, s->version);
}

void structure_refuse(const struct structure_found *s, struct err *e)
{
    const char *revision = s->revision != NULL ? s->revision : "unknown";

    if (s->version != NULL && s->kind != HOLDS_FOREIGN) {
        refuse_known(s, e);
        return;
    }
    switch (s->kind) {
    case HOLDS_LEGACY_0:
        err_set(e, ERR_CONFIG,
                "the database holds the structure of APIO core 0.x (revision %s); " NOT_CHANGED ". Only 0.23.2, the last of "
                "the 0.x branch, can be imported: upgrade an older platform to it first", revision);
        return;
    case HOLDS_LEGACY_2:
        err_set(e, ERR_CONFIG, "the database holds the structure of APIO core 2.x (structure %s); " NOT_CHANGED, revision);
        return;
    case HOLDS_LEGACY:
        err_set(e, ERR_CONFIG, "the database looks like APIO core of unknown version (%s); " NOT_CHANGED
                               "; if it is 0.23.2, say --structure=0.23.2", s->names);
        return;
    case HOLDS_NOTHING:
    case HOLDS_OURS:
    case HOLDS_FOREIGN:
        err_set(e, ERR_CONFIG,
                "schema \"%s\" holds %d table%s that %s not ours (first: %s); give DB an empty database or another search_path",
                s->schema, s->n_objects, s->n_objects == 1 ? "" : "s", s->n_objects == 1 ? "is" : "are",
                s->first != NULL ? s->first : "none");
        return;
    }
}
