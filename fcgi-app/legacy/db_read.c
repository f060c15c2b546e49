/*
 * Reading an old database: which structure it has, whether the map is for it, then its tables.
 */
#include "base/arena.h"
#include "legacy/db_int.h"

static int refuse(struct legacy_db *r, enum err_code code, const char *text)
{
    err_set(r->e, code, "%s", text);
    return -1;
}

/* ---- the database ---------------------------------------------------------------------------- */

static int connect_old(struct legacy_db *r, struct legacy_sources *s)
{
    const struct db_opts o = {.max_conns = 1, .app_name = "sluicectl import-legacy", .statement_ms = 600000, .standby_too = true};
    struct str text, uri, shown;
    struct buf warnings;
    PGresult *res = NULL;

    buf_init(&warnings, 4 * KIB, r->a);
    if (legacy_read_secret(s, r->d->dsn_file, &text, r->e) != 0)
        return -1;
    text = str_trim(str_cut(&text, '\n'));
    if (str_starts(text, STR("DB=")))
        text = str_slice(text, 3, text.len);
    if (db_address_parse(text, "--from-db", &uri, &shown, &warnings, r->a, r->e) != 0)
        return -1;
    r->db = db_new(str_cstr(r->a, uri), str_cstr(r->a, shown), &o);
    if (db_get(r->db, &r->c, r->e) != 0 || db_begin(r->c, r->e) != 0 ||
        db_query_sql(r->c, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, 0, &res, r->a, r->e) != 0 ||
        db_query_sql(r->c, "SET LOCAL idle_in_transaction_session_timeout = 0", NULL, 0, &res, r->a, r->e) != 0) {
        err_context(r->e, "the old database");
        return -1;
    }
    return structure_look_at(r->c, &r->found, r->a, r->e);
}

/* Is it a structure somebody moves from? */
static int check_structure(struct legacy_db *r)
{
    if (r->found.kind == HOLDS_NOTHING)
        return refuse(r, ERR_CONFIG, "--from-db: the database is empty");
    if (r->found.kind == HOLDS_OURS)
        return refuse(r, ERR_CONFIG, "--from-db: the database is one of this product, not of a former platform");
    if (r->found.version != NULL && structure_too_old(r->found.version)) {
        structure_refuse_old(r->found.version, r->e);
        return -1;
    }
    return 0;
}

/* ---- the map --------------------------------------------------------------------------------- */

static bool is_for(const struct legacy_db *r)
{
    for (size_t i = 0; i < val_count(r->map.fingerprints); i++)
        if (str_eq_c(val_text(val_at(r->map.fingerprints, i)), r->found.fingerprint))
            return true;
    return false;
}

static int missing(struct legacy_db *r, struct str table, struct str column)
{
    err_set(r->e, ERR_CONFIG, "--structure=%s was given, but table %.*s has no column %.*s; nothing was imported",
            r->d->structure != NULL ? r->d->structure : "of the map", STR_ARG(table), STR_ARG(column));
    return -1;
}

static int check_member(struct legacy_db *r, const struct map_table *t, const struct map_member *m)
{
    if (m->conversion == MAP_CONSTANT)
        return 0;
    if (db_column_type(r, t->table, m->column).len == 0)
        return missing(r, t->table, m->column);
    if (m->conversion == MAP_LOOKUP && db_column_type(r, m->table, m->key).len == 0)
        return missing(r, m->table, m->key);
    if (m->conversion == MAP_LOOKUP && db_column_type(r, m->table, m->name).len == 0)
        return missing(r, m->table, m->name);
    return 0;
}

/* What hangs on something is looked for by a column of its own. */
static int check_link(struct legacy_db *r, const struct map_table *t, const char *name)
{
    const struct map_member *m = map_member(t, name);

    if (m == NULL || m->conversion == MAP_TEXT || m->conversion == MAP_INT)
        return 0;
    err_set(r->e, ERR_USAGE, "--structure-map: line %d: %s is a column as it is, without conversion", m->line, name);
    return -1;
}

/* Tables of the past: one of each, and it is known what a row hangs on. */
static int check_past(struct legacy_db *r, const struct map_table *t)
{
    if (t->archive <= MAP_KEYS)
        return 0;
    if (r->past[t->archive] != NULL) {
        err_set(r->e, ERR_USAGE, "--structure-map: line %d: another table holds these already", t->line);
        return -1;
    }
    r->past[t->archive] = t;
    if (t->archive == MAP_INSTANCES && check_link(r, t, "parent") != 0)
        return -1;
    if (t->archive == MAP_DOCUMENTS && t->content == NULL)
        return refuse(r, ERR_USAGE, "--structure-map: documents need a member content, the sealed bytes");
    if (t->archive != MAP_INSTANCES && t->archive != MAP_REQUESTS && map_member(t, "instance") == NULL &&
        (t->archive != MAP_TRACES || map_member(t, "request") == NULL)) {
        err_set(r->e, ERR_USAGE, "--structure-map: line %d: a member instance is missing, the key of what the rows hang on", t->line);
        return -1;
    }
    return check_link(r, t, "instance") != 0 || check_link(r, t, "task") != 0 || check_link(r, t, "request") != 0 ? -1 : 0;
}

/* Everything the map names must be there. */
static int check_columns(struct legacy_db *r)
{
    for (const struct map_table *t = r->map.tables; t != NULL; t = t->next) {
        if (db_column_type(r, t->table, t->key).len == 0)
            return missing(r, t->table, t->key);
        for (const struct map_member *m = t->members; m != NULL; m = m->next)
            if (check_member(r, t, m) != 0)
                return -1;
        if (t->content != NULL && check_member(r, t, t->content) != 0)
            return -1;
        if (check_past(r, t) != 0)
            return -1;
    }
    return 0;
}

static int choose_map(struct legacy_db *r, struct legacy_sources *s)
{
    static const char none[] = "no map for this structure; only --file, --env-file and --from-api can be used";
    struct str text;

    if (r->d->map_file == NULL)
        return refuse(r, ERR_CONFIG, none);
    if (legacy_read(s, r->d->map_file, &text, r->e) != 0 ||
        legacy_map_parse(&r->map, text, r->d->map_file, r->a, r->e) != 0)
        return -1;
    if (!is_for(r) && (r->d->structure == NULL || !str_eq_c(r->map.version, r->d->structure)))
        return refuse(r, ERR_CONFIG, none);
    return check_columns(r);
}

/* ---- what was read --------------------------------------------------------------------------- */

static struct val workflow_named(struct legacy_db *r, struct str name)
{
    struct val list = r->x->items[LEGACY_WORKFLOWS];

    for (size_t i = 0; i < val_count(list); i++)
        if (str_eq(val_get_text(val_at(list, i), "name", STR("")), name))
            return val_at(list, i);
    return val_undef(NULL);
}

/* A version without label is the working one. */
static void take_version(struct legacy_db *r, struct val item)
{
    struct val workflow = workflow_named(r, val_get_text(item, "activity_name", STR("")));

    if (val_get_text(item, "label", STR("")).len > 0) {
        legacy_content_add(r->x, LEGACY_VERSIONS, item);
        if (val_is(workflow, VAL_DICT) && !val_is(val_get(workflow, "definition"), VAL_DICT))
            val_dict_set_c(workflow, "definition", val_get(item, "definition"));
    } else if (val_is(workflow, VAL_DICT)) {
        val_dict_set_c(workflow, "definition", val_get(item, "definition"));
        val_dict_set_c(workflow, "active", val_bool(val_get_bool(item, "active", true)));
    }
}

static void take(struct legacy_db *r, const struct map_table *t, struct val item)
{
    if (t->archive == MAP_KEYS)
        legacy_archive_key(r->ar, val_get_text(item, "material", STR("")));
    else if (t->configuration)
        r->configuration = val_get(item, "content");
    else if (t->kind == LEGACY_VERSIONS)
        take_version(r, item);
    else
        legacy_content_add(r->x, t->kind, item);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int read_tables(struct legacy_db *r)
{
    for (const struct map_table *t = r->map.tables; t != NULL; t = t->next) {
        if (t->archive > MAP_KEYS)
            continue;
        if (!t->configuration && t->archive == MAP_NO_ARCHIVE)
            r->x->read[t->kind] = true;
        if (db_rows(r, t, take) != 0)
            return -1;
    }
    return 0;
}

/* Tables nobody named: nothing is left behind without a word. */
static void note_rest(struct legacy_db *r)
{
    struct str rest = r->found.lines, last = STR("");

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n'), table = str_cut(&line, '.');
        bool named = str_eq(table, last);

        for (const struct map_table *t = r->map.tables; t != NULL && !named; t = t->next)
            named = str_eq(t->table, table);
        if (!named)
            plan_note(&r->pl, "not imported: table %.*s is not in the map; it stays readable in the old database", STR_ARG(table));
        last = table;
    }
}

static int read_all(struct legacy_db *r, struct legacy_sources *s)
{
    if (check_structure(r) != 0 || choose_map(r, s) != 0 || db_check_keys(r) != 0 || read_tables(r) != 0)
        return -1;
    legacy_source_add(s, r->d->dsn_file, r->found.fingerprint);
    note_rest(r);
    if (val_is_none(r->configuration))
        return 0;
    return legacy_plan_content(r->pl.p, r->pl.o, r->pl.current, r->configuration, r->a, r->e);
}

int legacy_db_read(const struct legacy_db_options *d, struct legacy_sources *s, const struct legacy_options *o,
                   const struct cfg *current, struct legacy_plan *p, struct legacy_content *x,
                   struct legacy_archive *ar, struct legacy_db **old, struct arena *a, struct err *e)
{
    struct legacy_db *r = *old = ARENA_NEW(a, struct legacy_db);

    *r = (struct legacy_db){.d = d, .x = x, .ar = ar, .pl = {.p = p, .s = s, .o = o, .current = current, .a = a, .e = e},
                            .configuration = val_undef(NULL), .a = a, .rows = a, .e = e};
    return connect_old(r, s) == 0 ? read_all(r, s) : -1;
}

void legacy_db_close(struct legacy_db *old)
{
    if (old == NULL || old->db == NULL)
        return;
    db_put(old->db, old->c); /* rolls back */
    db_free(old->db);
}
