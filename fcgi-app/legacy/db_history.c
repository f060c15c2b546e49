/*
 * The past of an old database, page by page: instances by key, what hangs on those of a page, then
 * their documents; each by a cursor.
 *
 * Nothing that has an index on its key is sorted as a whole over there, and a page finds its rows by
 * their columns: an index on those makes it quick, and without one it only takes longer.
 */
#include "base/arena.h"
#include "base/json.h"
#include "legacy/archive_int.h"
#include "legacy/db_int.h"

enum { PAGE = 100, FETCH_ROWS = 200, FETCH_TRACES = 20 /* they are long */ };

struct past {
    struct legacy_db *r;
    struct archiving w;
    struct archive_content content;
    struct err *e;
};

/* ---- statements ------------------------------------------------------------------------------ */

static struct str column(struct past *p, const char *alias, struct str name)
{
    return str_printf(p->r->a, "%s.%.*s", alias, STR_ARG(db_quoted(p->r, name)));
}

static bool is_integer(struct str type)
{
    return str_eq_c(type, "smallint") || str_eq_c(type, "integer") || str_eq_c(type, "bigint");
}

/* Some row of `of` names, or is named by, the row of t, alias t: its column is the one of that. */
static const char *exists(struct past *p, const struct map_table *of, struct str of_column, const struct map_table *t, struct str t_column)
{
    struct str a = db_column_type(p->r, of->table, of_column), b = db_column_type(p->r, t->table, t_column);
    const char *as = str_eq(a, b) || (is_integer(a) && is_integer(b)) ? "" : "::text";

    return arena_printf(p->r->a, "EXISTS (SELECT FROM %.*s o WHERE %.*s%s = %.*s%s)", STR_ARG(db_quoted(p->r, of->table)),
                        STR_ARG(column(p, "o", of_column)), as, STR_ARG(column(p, "t", t_column)), as);
}

/* The row of `of` that t names by this member is there; NULL: it names none. */
static const char *has_named(struct past *p, enum map_archive of, const struct map_table *t, const char *member)
{
    const struct map_member *link = map_member(t, member);

    return p->r->past[of] != NULL && link != NULL ? exists(p, p->r->past[of], p->r->past[of]->key, t, link->column) : NULL;
}

static const char *has_instance(struct past *p, const struct map_table *t)
{
    return has_named(p, MAP_INSTANCES, t, "instance");
}

/* Documents hang on an instance. */
static const char *has_documents(struct past *p)
{
    const struct map_table *docs = p->r->past[MAP_DOCUMENTS], *t = p->r->past[MAP_INSTANCES];

    return exists(p, docs, map_member(docs, "instance")->column, t, t->key);
}

static const char *negated(struct past *p, const char *condition)
{
    return condition != NULL ? arena_printf(p->r->a, "NOT %s", condition) : NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What a row hangs on is found by the text of its key. */
static void name_by_text(struct past *p, struct val list)
{
    static const char *const links[] = {"instance", "task", "request", "parent"};

    for (size_t i = 0; i < val_count(list); i++)
        for (size_t k = 0; k < COUNT_OF(links); k++)
            if (val_is(val_get(val_at(list, i), links[k]), VAL_INT))
                val_dict_set_c(val_at(list, i), links[k], val_str(val_str_of(val_get(val_at(list, i), links[k]), p->r->rows)));
}

/* All rows of a table for which `where` holds, in pages by key; `rows` lives in p->w.a, which is the page's. */
static int each_page(struct past *p, const struct map_table *t, const char *where, int (*rows)(struct past *p, struct val list))
{
    int n = PAGE;

    p->r->rows = p->r->a;
    if (db_declare_all(p->r, t, "pages", where) != 0)
        return -1;
    while (n == PAGE) {
        PGresult *res = NULL;
        struct val list;

        archive_page(&p->w);
        p->r->rows = p->w.a;
        if (db_fetch(p->r, t, "pages", PAGE, &res) != 0)
            return -1;
        n = PQntuples(res);
        list = db_objects(p->r, t, res);
        name_by_text(p, list);
        if (rows(p, list) != 0)
            return -1;
    }
    p->r->rows = p->w.a;
    return db_close(p->r, t, "pages");
}

static struct val keys_of(struct past *p, struct val by_id)
{
    struct val out = val_list_new(p->w.a, val_count(by_id)), key, value;

    for (size_t i = 0; i < val_count(by_id); i++) {
        val_pair_at(by_id, i, &key, &value);
        val_list_add(out, key);
    }
    return out;
}

static int open_cursor(struct past *p, const struct map_table *t, const struct map_member *link, struct val by_id)
{
    struct legacy_db *r = p->r;
    struct arena *a = r->a;
    const struct db_arg args[2] = {DB_STR(db_zone(r)), DB_STR(json_text(keys_of(p, by_id), p->w.a))};
    const char *where;
    int rc;

    r->a = r->rows = p->w.a; /* there are many pages */
    where = arena_printf(r->a, "t.%.*s = ANY (ARRAY(SELECT j::%.*s FROM json_array_elements_text($2::json) j))",
                         STR_ARG(db_quoted(r, link->column)), STR_ARG(db_column_type(r, t->table, link->column)));
    rc = db_declare(r, t, "past", where, args, 2);
    r->a = a;
    return rc;
}

/* Rows of t whose column `link` is one of these keys, `fetch` at a time; they live in w.s until `rows` returns. */
static int each_row(struct past *p, const struct map_table *t, const struct map_member *link, struct val by_id, int fetch,
                    int (*rows)(struct past *p, const struct map_table *t, struct val list))
{
    int n = fetch;

    if (link == NULL || val_count(by_id) == 0)
        return 0;
    if (open_cursor(p, t, link, by_id) != 0)
        return -1;
    p->r->rows = p->w.s;
    while (n == fetch) {
        PGresult *res = NULL;
        struct val list;

        if (db_fetch(p->r, t, "past", fetch, &res) != 0)
            return -1;
        n = PQntuples(res);
        list = db_objects(p->r, t, res);
        name_by_text(p, list);
        if (rows(p, t, list) != 0)
            return -1;
        arena_reset(p->w.s);
    }
    return db_close(p->r, t, "past");
}

static int count(struct past *p, const struct map_table *t, const char *where, int64_t *n)
{
    PGresult *res = NULL;

    p->r->rows = p->r->a;
    if (db_ask(p->r, t, arena_printf(p->r->a, "SELECT count(*) FROM %.*s t%s%s", STR_ARG(db_quoted(p->r, t->table)),
                                     where != NULL ? " WHERE " : "", where != NULL ? where : ""), NULL, 0, &res) != 0)
        return -1;
    *n = db_int(res, 0, 0);
    return 0;
}

/* ---- what hangs on a page -------------------------------------------------------------------- */

static const struct {
    enum map_archive table;
    enum archive_part part;
    int fetch;
} parts[] = {
    {MAP_TASKS, ARCHIVE_TASKS, FETCH_ROWS}, {MAP_ERRORS, ARCHIVE_ERRORS, FETCH_ROWS}, {MAP_TRACES, ARCHIVE_TRACES, FETCH_TRACES},
};

static int put_rows(struct past *p, const struct map_table *t, struct val list)
{
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].table == t->archive)
            return archive_rows(&p->w, parts[i].part, list, p->e);
    return 0;
}

static int put_parts(struct past *p)
{
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const struct map_table *t = p->r->past[parts[i].table];

        if (t != NULL && each_row(p, t, map_member(t, "instance"), p->w.coming, parts[i].fetch, put_rows) != 0)
            return -1;
    }
    return 0;
}

/* Requests are few, and their page needs them at once. */
static int gather_requests(struct past *p, const struct map_table *t, struct val list)
{
    (void)t;
    return archive_choose_requests(&p->w, val_copy(list, p->w.a), p->e);
}

/* ---- documents ------------------------------------------------------------------------------- */

static int put_documents(struct past *p, const struct map_table *t, struct val list)
{
    (void)t;
    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);
        struct str key = str_printf(p->w.a, "%.*s/%.*s", STR_ARG(val_get_text(item, "instance", STR(""))),
                                    STR_ARG(doc_base_name(val_get_text(item, "name", STR("")))));
        bool twin = val_is(val_get_str(p->w.tasks, key), VAL_BOOL); /* the second would take the place of the first */

        val_dict_set_str(p->w.tasks, key, val_bool(true));
        if (archive_token(&p->w, &p->content, item, twin, p->e) != 0)
            return -1;
    }
    return 0;
}

static int lost_documents(struct past *p, struct val list)
{
    return put_documents(p, p->r->past[MAP_DOCUMENTS], list);
}

/* How the bytes of one document are asked for: there may be many, and they may be large. */
static void prepare_documents(struct past *p, const struct map_table *t)
{
    struct legacy_db *r = p->r;
    struct str col = column(p, "t", t->content->column), type = db_column_type(r, t->table, t->key);
    bool bytes = str_eq_c(db_column_type(r, t->table, t->content->column), "bytea");
    const char *value = bytes ? str_cstr(r->a, col) : arena_printf(r->a, "convert_to(%.*s::text, 'UTF8')", STR_ARG(col));
    const char *row = arena_printf(r->a, "FROM %.*s t WHERE t.%.*s = $1::text::%.*s", STR_ARG(db_quoted(r, t->table)),
                                   STR_ARG(db_quoted(r, t->key)), STR_ARG(type));

    p->content = (struct archive_content){
        .c = r->c, .table = t->table, .key = t->key, .size_sql = arena_printf(r->a, "SELECT octet_length(%s) %s", value, row),
        .piece_sql = arena_printf(r->a, "SELECT substring(%s from $2::integer for $3::integer) %s", value, row)};
}

/* ---- pages ----------------------------------------------------------------------------------- */

static int put_page(struct past *p, struct val list)
{
    const struct map_table *requests = p->r->past[MAP_REQUESTS], *docs = p->r->past[MAP_DOCUMENTS];

    if (archive_choose(&p->w, list, p->e) != 0)
        return -1;
    if (requests != NULL && each_row(p, requests, map_member(requests, "instance"), p->w.coming, FETCH_TRACES, gather_requests) != 0)
        return -1;
    if (archive_open_page(&p->w, p->e) != 0 || put_parts(p) != 0 || archive_commit_page(&p->w, p->e) != 0)
        return -1;
    p->w.tasks = val_dict_new(p->w.a, 16);
    return docs == NULL || p->w.ar->no_documents ? 0 : each_row(p, docs, map_member(docs, "instance"), p->w.instances, FETCH_ROWS, put_documents);
}

/* Requests that no instance belongs to: they were passed on, or refused. */
static int put_requests(struct past *p, struct val list)
{
    const struct map_table *traces = p->r->past[MAP_TRACES];

    for (size_t i = 0; i < val_count(list); i++)
        val_dict_set_c(val_at(list, i), "instance", val_null());
    if (archive_choose_requests(&p->w, list, p->e) != 0 || archive_open_page(&p->w, p->e) != 0)
        return -1;
    if (traces != NULL && each_row(p, traces, map_member(traces, "request"), p->w.coming_requests, FETCH_TRACES, put_rows) != 0)
        return -1;
    return archive_commit_page(&p->w, p->e);
}

static int past_instances(struct past *p, const struct map_table *t, bool with_documents)
{
    const char *some = with_documents ? has_documents(p) : NULL;
    int64_t rest = 0;

    if (!p->w.ar->history && count(p, t, negated(p, some), &rest) != 0)
        return -1;
    if (rest > 0)
        plan_note(&p->w.pl, "not imported: %lld instances without documents; --history brings those that are closed", (long long)rest);
    return p->w.ar->history ? each_page(p, t, NULL, put_page) : some != NULL ? each_page(p, t, some, put_page) : 0;
}

/* ---- sub-instances --------------------------------------------------------------------------- */

static int gather_parents(struct past *p, const struct map_table *t, struct val list)
{
    (void)t;
    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_copy(val_at(list, i), p->w.a);

        val_dict_set_str(p->w.coming, val_get_text(item, "id", STR("?")), item);
    }
    return 0;
}

/* Each under the instance that started it, when both are here: only now are all of them. */
static int put_parents(struct past *p, struct val list)
{
    const struct map_table *t = p->r->past[MAP_INSTANCES];
    const struct map_member by_key = {.column = t->key};
    struct val keys = val_dict_new(p->w.a, val_count(list)), children = val_list_new(p->w.a, val_count(list)), parents = val_list_new(p->w.a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++)
        val_dict_set_str(keys, val_get_text(val_at(list, i), "parent", STR("")), val_bool(true));
    if (each_row(p, t, &by_key, keys, FETCH_ROWS, gather_parents) != 0)
        return -1;
    for (size_t i = 0; i < val_count(list); i++) {
        struct val child = val_at(list, i), parent = val_get_str(p->w.coming, val_get_text(child, "parent", STR("")));

        if (!val_is(parent, VAL_DICT) || archive_time_fault(val_get_text(child, "created_on", STR(""))) != NULL ||
            archive_time_fault(val_get_text(parent, "created_on", STR(""))) != NULL)
            continue;
        val_list_add(children, child);
        val_list_add(parents, parent);
    }
    return archive_parents(&p->w, children, parents, p->e);
}

static int past_parents(struct past *p, const struct map_table *t)
{
    const struct map_member *link = map_member(t, "parent");

    if (link == NULL || p->w.t->dry)
        return 0;
    return each_page(p, t, arena_printf(p->r->a, "%.*s IS NOT NULL", STR_ARG(column(p, "t", link->column))), put_parents);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Rows that belong to nothing come with nothing: how many there are. */
static int past_lost(struct past *p)
{
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const struct map_table *t = p->r->past[parts[i].table];
        const char *of_instance = t != NULL ? has_named(p, MAP_INSTANCES, t, "instance") : NULL;
        const char *of_request = t != NULL && parts[i].table == MAP_TRACES ? has_named(p, MAP_REQUESTS, t, "request") : NULL;
        int64_t n = 0;

        if (of_instance == NULL && of_request == NULL)
            continue;
        if (count(p, t, arena_printf(p->r->a, "NOT (%s OR %s)", of_instance != NULL ? of_instance : "false", of_request != NULL ? of_request : "false"), &n) != 0)
            return -1;
        if (n > 0)
            plan_note(&p->w.pl, "not imported: %lld of table %.*s, since what they hang on is not there", (long long)n, STR_ARG(t->table));
    }
    return 0;
}

static int past_requests(struct past *p, const struct map_table *t)
{
    const char *alone = negated(p, has_instance(p, t));
    int64_t rest = 0;

    if (p->w.ar->history)
        return each_page(p, t, alone, put_requests);
    if (count(p, t, alone, &rest) != 0)
        return -1;
    if (rest > 0)
        plan_note(&p->w.pl, "not imported: %lld requests without instance; --history brings them", (long long)rest);
    return 0;
}

static int all(struct past *p)
{
    const struct map_table *const *past = p->r->past, *docs = p->w.ar->no_documents ? NULL : past[MAP_DOCUMENTS];

    if (docs != NULL)
        prepare_documents(p, docs);
    if (past[MAP_INSTANCES] != NULL &&
        (past_instances(p, past[MAP_INSTANCES], docs != NULL) != 0 || past_parents(p, past[MAP_INSTANCES]) != 0))
        return -1;
    if ((past[MAP_REQUESTS] != NULL && past_requests(p, past[MAP_REQUESTS]) != 0) || (p->w.ar->history && past_lost(p) != 0))
        return -1;
    return docs != NULL ? each_page(p, docs, negated(p, has_instance(p, docs)), lost_documents) : 0;
}

int legacy_db_history(struct legacy_db *old, struct legacy_archive *ar, const struct legacy_archive_target *t,
                      struct legacy_plan *plan, struct err *e)
{
    struct past p = {.r = old, .e = e};
    int rc;

    archive_begin(&p.w, ar, t, plan);
    old->e = e;
    rc = all(&p);
    archive_free(&p.w);
    old->rows = old->a;
    return rc;
}
