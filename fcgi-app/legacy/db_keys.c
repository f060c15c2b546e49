/*
 * Keys of an old database that tell rows apart: what hangs on an instance names it by its key, what was
 * imported is found again by it, the content of a document is fetched by it, and the newest row of the
 * configuration is the one with the last.  Two rows of one key would be taken for one.
 */
#include "base/arena.h"
#include "legacy/db_int.h"

/* An index says so: of this column alone, of all rows, and it compares as the column does. */
static const char indexed_sql[] =
    "SELECT a.attnotnull AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
    "AND i.indnatts = 1 AND i.indkey[0] = a.attnum AND i.indcollation[0] = a.attcollation) "
    "FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attname = $2";

static bool tells_apart(const struct map_table *t)
{
    return t->configuration || t->archive == MAP_INSTANCES || t->archive == MAP_DOCUMENTS || t->archive == MAP_REQUESTS || t->archive == MAP_TASKS;
}

static int check_key(struct legacy_db *r, const struct map_table *t)
{
    struct str table = db_quoted(r, t->table), key = db_quoted(r, t->key);
    const struct db_arg args[2] = {DB_STR(table), DB_STR(t->key)};
    PGresult *res = NULL;
    int64_t none;

    if (db_ask(r, t, indexed_sql, args, 2, &res) != 0)
        return -1;
    if (PQntuples(res) == 1 && db_bool(res, 0, 0))
        return 0;
    if (db_ask(r, t, arena_printf(r->a, "SELECT count(*) FROM %.*s t WHERE t.%.*s IS NULL", STR_ARG(table), STR_ARG(key)), NULL, 0, &res) != 0)
        return -1;
    none = db_int(res, 0, 0);
    if (none > 0) {
        err_set(r->e, ERR_CONFIG, "--from-db: table %.*s: its key, column %.*s, is missing in %lld row%s; nothing was imported", STR_ARG(t->table),
                STR_ARG(t->key), (long long)none, none == 1 ? "" : "s");
        return -1;
    }
    if (db_ask(r, t, arena_printf(r->a, "SELECT left(min(t.%.*s::text), 60), count(*) FROM %.*s t GROUP BY t.%.*s HAVING count(*) > 1 LIMIT 1", STR_ARG(key),
                                  STR_ARG(table), STR_ARG(key)), NULL, 0, &res) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    err_set(r->e, ERR_CONFIG, "--from-db: table %.*s: its key, column %.*s, is not unique (\"%.*s\" stands in %lld rows); nothing was imported",
            STR_ARG(t->table), STR_ARG(t->key), STR_ARG(db_str(res, 0, 0)), (long long)db_int(res, 0, 1));
    return -1;
}

int db_check_keys(struct legacy_db *r)
{
    for (const struct map_table *t = r->map.tables; t != NULL; t = t->next)
        if (tells_apart(t) && check_key(r, t) != 0)
            return -1;
    return 0;
}
