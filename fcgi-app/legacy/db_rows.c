/*
 * Rows of an old database as objects: the statement a map asks for, and its conversions.
 */
#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "legacy/db_int.h"

enum { PAGE = 500, TEXT_MAX = LIMIT_TRACE_BODY /* characters of one value of the past */ };

struct str db_column_type(const struct legacy_db *r, struct str table, struct str column)
{
    struct str rest = r->found.lines, want = str_printf(r->a, "%.*s.%.*s ", STR_ARG(table), STR_ARG(column));

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');

        if (str_starts(line, want))
            return str_slice(line, want.len, line.len);
    }
    return STR("");
}

/* ---- the statement --------------------------------------------------------------------------- */

struct str db_quoted(const struct legacy_db *r, struct str name)
{
    struct buf b;

    buf_init(&b, 4 * KIB, r->a);
    buf_add_c(&b, "\"");
    for (size_t i = 0; i < name.len; i++)
        buf_addf(&b, "%s%c", name.p[i] == '"' ? "\"" : "", name.p[i]);
    buf_add_c(&b, "\"");
    return buf_str(&b);
}

/* $1 is the zone of times that name none. */
static void add_time(struct legacy_db *r, struct buf *b, struct str type, struct str column)
{
    static const char form[] = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";

    if (str_starts(type, STR("timestamp")) && str_ends(type, STR("without time zone")))
        buf_addf(b, "to_char((t.%.*s AT TIME ZONE $1) AT TIME ZONE 'UTC', %s)", STR_ARG(db_quoted(r, column)), form);
    else if (str_starts(type, STR("timestamp")))
        buf_addf(b, "to_char(t.%.*s AT TIME ZONE 'UTC', %s)", STR_ARG(db_quoted(r, column)), form);
    else
        buf_addf(b, "t.%.*s::text", STR_ARG(db_quoted(r, column)));
}

static void add_column(struct legacy_db *r, struct buf *b, const struct map_table *t, const struct map_member *m)
{
    struct str type = db_column_type(r, t->table, m->column), column = db_quoted(r, m->column);

    buf_add_c(b, ", ");
    if (m->conversion == MAP_CONSTANT)
        buf_add_c(b, "NULL::text");
    else if (m->conversion == MAP_LOOKUP)
        buf_addf(b, "(SELECT l.%.*s::text FROM %.*s l WHERE l.%.*s = t.%.*s LIMIT 1)", STR_ARG(db_quoted(r, m->name)),
                 STR_ARG(db_quoted(r, m->table)), STR_ARG(db_quoted(r, m->key)), STR_ARG(column));
    else if (m->conversion == MAP_TIME)
        add_time(r, b, type, m->column);
    else if (m->conversion == MAP_UPPER || m->conversion == MAP_LOWER)
        buf_addf(b, "%s(t.%.*s::text)", m->conversion == MAP_UPPER ? "upper" : "lower", STR_ARG(column));
    else if (m->conversion == MAP_BASE64 && str_eq_c(type, "bytea"))
        buf_addf(b, "encode(t.%.*s, 'base64')", STR_ARG(column));
    else if (m->conversion == MAP_LIST && str_ends(type, STR("[]")))
        buf_addf(b, "array_to_json(t.%.*s)::text", STR_ARG(column));
    else if (t->archive >= MAP_REQUESTS) /* one more tells that it was cut: JSON does not convert then */
        buf_addf(b, "left(t.%.*s::text, %d)", STR_ARG(column), TEXT_MAX + 1);
    else
        buf_addf(b, "t.%.*s::text", STR_ARG(column));
}

static const char *statement(struct legacy_db *r, const struct map_table *t, const char *where)
{
    struct str key = db_quoted(r, t->key);
    struct buf b;

    buf_init(&b, 256 * KIB, r->a);
    buf_addf(&b, "SELECT t.%.*s::text", STR_ARG(key));
    for (const struct map_member *m = t->members; m != NULL; m = m->next)
        add_column(r, &b, t, m);
    buf_addf(&b, " FROM %.*s t WHERE $1::text IS NOT NULL", STR_ARG(db_quoted(r, t->table)));
    if (where != NULL)
        buf_addf(&b, " AND %s", where);
    buf_addf(&b, " ORDER BY t.%.*s", STR_ARG(key));
    return buf_cstr(&b);
}

/* ---- conversions ----------------------------------------------------------------------------- */

static bool to_flag(struct str s, struct val *out)
{
    static const char *const words[2][5] = {{"f", "false", "0", "no", "n"}, {"t", "true", "1", "yes", "y"}};

    for (int is = 0; is < 2; is++) {
        for (size_t i = 0; i < COUNT_OF(words[0]); i++) {
            if (!str_ieq(s, str_c(words[is][i])))
                continue;
            *out = val_bool(is == 1);
            return true;
        }
    }
    return false;
}

/* A list written as JSON, as an array of PostgreSQL's would be, or with commas. */
static bool to_list(struct legacy_db *r, struct str s, struct val *out)
{
    struct err why;

    if (s.len > 0 && s.p[0] == '[')
        return json_parse(s, out, r->rows, &why) == 0;
    *out = val_list_new(r->rows, 4);
    while (s.len > 0) {
        struct str one = str_trim(str_cut(&s, ','));

        if (one.len > 0)
            val_list_add(*out, val_str(one));
    }
    return true;
}

/* NULL, or what the text is not. */
static const char *convert(struct legacy_db *r, enum map_conversion how, struct str s, struct val *out)
{
    struct err why;
    int64_t n;

    switch (how) {
    case MAP_INT:
        *out = str_to_int(str_trim(s), &n) ? val_int(n) : val_undef(NULL);
        return val_is_undef(*out) ? "a number" : NULL;
    case MAP_NUMBER:
        return json_parse(str_trim(s), out, r->rows, &why) == 0 && (val_is(*out, VAL_INT) || val_is(*out, VAL_FLOAT)) ? NULL : "a number";
    case MAP_FLAG:
        return to_flag(str_trim(s), out) ? NULL : "true or false";
    case MAP_JSON:
        return json_parse(s, out, r->rows, &why) == 0 ? NULL : "JSON";
    case MAP_LIST:
        return to_list(r, s, out) ? NULL : "a list";
    case MAP_UPPER:
    case MAP_LOWER:
    case MAP_TEXT:
    case MAP_TIME:
    case MAP_BASE64:
    case MAP_LOOKUP:
    case MAP_CONSTANT:
        *out = val_str(str_dup(r->rows, s));
        return NULL;
    }
    return NULL;
}

/* "profile.name": inside an object. */
static void put_member(struct legacy_db *r, struct val item, struct str path, struct val v)
{
    while (str_find_char(path, '.') >= 0) {
        struct str name = str_cut(&path, '.');

        if (!val_is(val_get_str(item, name), VAL_DICT))
            val_dict_set_str(item, name, val_dict_new(r->rows, 2));
        item = val_get_str(item, name);
    }
    val_dict_set_str(item, path, v);
}

/* What a message may show of a value: columns may hold secrets, long ones are cut. */
static const char *shown(struct legacy_db *r, struct str s)
{
    return s.len <= 40 ? arena_printf(r->rows, "\"%.*s\"", STR_ARG(s)) : arena_printf(r->rows, "a text of %zu bytes", s.len);
}

/* False: the row does not convert, and that was said. */
static bool row_object(struct legacy_db *r, const struct map_table *t, const PGresult *res, int row, struct val *out)
{
    int col = 1;

    *out = val_dict_new(r->rows, 16);
    if (t->archive != MAP_NO_ARCHIVE)
        val_dict_set_c(*out, "id", val_str(db_str(res, row, 0)));
    for (const struct map_member *m = t->members; m != NULL; m = m->next, col++) {
        struct val v = val_null();
        struct str s = m->conversion == MAP_CONSTANT ? m->column : db_str(res, row, col);
        const char *wanted = s.p == NULL ? NULL : convert(r, m->conversion, s, &v);

        if (wanted != NULL) {
            plan_gap(&r->pl, "%.*s %.*s %.*s: %.*s %s is not %s", STR_ARG(t->table), STR_ARG(t->key),
                     STR_ARG(db_str(res, row, 0)), STR_ARG(m->column), shown(r, s), wanted);
            return false;
        }
        put_member(r, *out, m->member, v);
    }
    return true;
}

struct val db_objects(struct legacy_db *r, const struct map_table *t, const PGresult *res)
{
    struct val list = val_list_new(r->rows, (size_t)PQntuples(res)), item;

    for (int i = 0; i < PQntuples(res); i++)
        if (row_object(r, t, res, i, &item))
            val_list_add(list, item);
    return list;
}

struct str db_zone(const struct legacy_db *r)
{
    return str_c(r->d->timezone != NULL ? r->d->timezone : "UTC");
}

int db_ask(struct legacy_db *r, const struct map_table *t, const char *sql, const struct db_arg *args, size_t n, PGresult **res)
{
    if (db_query_sql(r->c, sql, args, n, res, r->rows, r->e) == 0)
        return 0;
    err_context(r->e, "table \"%.*s\" of the old database", STR_ARG(t->table));
    return -1;
}

static int command(struct legacy_db *r, const struct map_table *t, const char *sql)
{
    PGresult *res = NULL;

    return db_ask(r, t, sql, NULL, 0, &res);
}

int db_declare(struct legacy_db *r, const struct map_table *t, const char *name, const char *where, const struct db_arg *args, size_t n)
{
    PGresult *res = NULL;

    return db_ask(r, t, arena_printf(r->a, "DECLARE %s NO SCROLL CURSOR FOR %s", name, statement(r, t, where)), args, n, &res);
}

int db_declare_all(struct legacy_db *r, const struct map_table *t, const char *name, const char *where)
{
    const struct db_arg args[1] = {DB_STR(db_zone(r))};

    return command(r, t, "SET LOCAL enable_sort = off") != 0 || db_declare(r, t, name, where, args, 1) != 0 ||
                   command(r, t, "SET LOCAL enable_sort TO DEFAULT") != 0 ? -1 : 0;
}

int db_fetch(struct legacy_db *r, const struct map_table *t, const char *name, int n, PGresult **res)
{
    return db_ask(r, t, arena_printf(r->rows, "FETCH %d FROM %s", n, name), NULL, 0, res);
}

int db_close(struct legacy_db *r, const struct map_table *t, const char *name)
{
    return command(r, t, arena_printf(r->rows, "CLOSE %s", name));
}

int db_rows(struct legacy_db *r, const struct map_table *t,
            void (*take)(struct legacy_db *r, const struct map_table *t, struct val item))
{
    int n = PAGE;

    if (db_declare_all(r, t, "pages", NULL) != 0)
        return -1;
    while (n == PAGE) {
        PGresult *res = NULL;
        struct val list;

        if (db_fetch(r, t, "pages", PAGE, &res) != 0)
            return -1;
        n = PQntuples(res);
        list = db_objects(r, t, res);
        for (size_t i = 0; i < val_count(list); i++)
            take(r, t, val_at(list, i));
    }
    return db_close(r, t, "pages");
}
