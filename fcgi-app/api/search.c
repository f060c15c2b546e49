/*
 * Compiling and running searches.
 */
#include "api/search.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "format/csv.h"

enum {
    PAGE_SIZE = 50,
    COUNT_EXACT = 10000, /* beyond, totals are estimates: counting must not grow with the history */
    CSV_ROWS_MAX = 1000000,
    CRITERIA_MAX = 40,
    NESTING_MAX = 10,
};

/* ---- filter -------------------------------------------------------------------------------- */

struct op {
    const char *name;
    const char *sql; /* %s operand, then the parameter; NULL tests have none */
    bool takes_value;
};

static const struct op ops[] = {
    {"eq", "=", true},           {"==", "=", true},          {"ne", "IS DISTINCT FROM", true}, {"!=", "IS DISTINCT FROM", true},
    {"gt", ">", true},           {">", ">", true},           {"ge", ">=", true},               {">=", ">=", true},
    {"lt", "<", true},           {"<", "<", true},           {"le", "<=", true},               {"<=", "<=", true},
    {"like", "LIKE", true},      {"ilike", "ILIKE", true},   {"not_like", "NOT LIKE", true},   {"not_ilike", "NOT ILIKE", true},
    {"is_null", "IS NULL", false}, {"is_not_null", "IS NOT NULL", false},
    {"in", "= ANY", true},       {"not_in", "<> ALL", true},
};

static const struct op *find_op(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (str_eq_c(name, ops[i].name))
            return &ops[i];
    }
    return NULL;
}

/* A field by model and name; the main model's when the model has no such field. */
static const struct search_field *find_field(const struct search_spec *spec, struct str model, struct str name)
{
    const struct search_field *fallback = NULL;

    for (size_t i = 0; i < spec->n_fields; i++) {
        const struct search_field *f = &spec->fields[i];

        if (!str_eq_c(name, f->name))
            continue;
        if (model.len > 0 && f->model != NULL && str_eq_c(model, f->model))
            return f;
        if (f->model == NULL || str_eq_c(str_c(f->model), spec->model))
            fallback = f;
    }
    return fallback;
}

static const char *cast_of(char type)
{
    switch (type) {
    case 'i':
        return "::bigint";
    case 'b':
        return "::boolean";
    case 'z':
        return "::timestamptz";
    default:
        return "::text";
    }
}

/* The value as a parameter text; ERR_INVALID when it cannot be one. */
static int value_text(struct api_call *c, const struct search_field *f, struct val v, struct str *out, struct err *e)
{
    int64_t n;

    if (val_is(v, VAL_LIST) || val_is(v, VAL_DICT)) {
        err_set(e, ERR_INVALID, "filter: value of \"%s\" is no scalar", f->name);
        return -1;
    }
    if (val_is(v, VAL_BOOL))
        *out = v.u.b ? STR("true") : STR("false");
    else
        *out = str_trim(val_str_of(v, c->a));
    if (f->type == 'i' && !str_to_int(*out, &n)) {
        err_set(e, ERR_INVALID, "filter: value of \"%s\" is no integer", f->name);
        return -1;
    }
    return 0;
}

static int add_arg(struct search *s, struct db_arg arg, struct err *e)
{
    if (s->n_args == CRITERIA_MAX) {
        err_set(e, ERR_LIMIT, "filter: more than %d criteria", CRITERIA_MAX);
        return -1;
    }
    s->args[s->n_args++] = arg;
    return 0;
}

/* PostgreSQL array text of a list: {"a","b"}. */
static struct str array_text(struct val list, struct arena *a)
{
    struct buf b;

    buf_init(&b, 1 * MIB, a);
    buf_putc(&b, '{');
    for (size_t i = 0; i < val_count(list); i++) {
        struct str item = val_str_of(val_at(list, i), a);

        buf_add_c(&b, i > 0 ? ",\"" : "\"");
        for (size_t k = 0; k < item.len; k++) {
            if (item.p[k] == '"' || item.p[k] == '\\')
                buf_putc(&b, '\\');
            buf_putc(&b, item.p[k]);
        }
        buf_putc(&b, '"');
    }
    buf_putc(&b, '}');
    return buf_str(&b);
}

/* The parameter added last, as what texts are compared with: "text" or "text[]". */
static const char *text_arg(struct api_call *c, const struct search *s, const struct search_field *f, const char *type)
{
    return f->type == 'l' ? arena_printf(c->a, "lower($%zu::text)::%s", s->n_args, type)
                          : arena_printf(c->a, "$%zu::%s", s->n_args, type);
}

static int condition(struct api_call *c, struct search *s, const struct search_field *f, const struct op *op, struct val v,
                     struct buf *out, struct err *e)
{
    bool pattern = strstr(op->sql, "LIKE") != NULL, list = strstr(op->sql, "ANY") != NULL || strstr(op->sql, "ALL") != NULL;
    struct str text;

    if (!op->takes_value) {
        buf_addf(out, "%s %s", f->sql, op->sql);
        return 0;
    }
    if (list) {
        if (!val_is(v, VAL_LIST)) {
            err_set(e, ERR_INVALID, "filter: value of \"%s\" is no list", f->name);
            return -1;
        }
        text = array_text(v, c->a);
    } else if (value_text(c, pattern ? &(struct search_field){.name = f->name, .type = 't'} : f, v, &text, e) != 0) {
        return -1;
    }
    if (add_arg(s, DB_STR(text), e) != 0)
        return -1;
    if (list)
        buf_addf(out, "%s%s %s (%s)", f->sql, f->type == 't' ? "" : "::text", op->sql,
                 text_arg(c, s, f, "text[]"));
    else if (pattern || f->type == 'l')
        buf_addf(out, "%s::text %s %s", f->sql, op->sql, text_arg(c, s, f, "text"));
    else
        buf_addf(out, "%s %s $%zu%s", f->sql, op->sql, s->n_args, cast_of(f->type));
    return 0;
}

static int criterion(struct api_call *c, struct search *s, struct val v, struct buf *out, struct err *e)
{
    struct str field = val_get_text(v, "field", STR("")), op_name = val_get_text(v, "op", STR("eq"));
    const struct search_field *f = find_field(s->spec, val_get_text(v, "model", STR("")), field);
    const struct op *op = find_op(op_name);
    struct val value = val_get(v, "value");
    struct buf inner;

    if (f == NULL) {
        err_set(e, ERR_INVALID, "filter: unknown field \"%.*s\"", STR_ARG(field));
        return -1;
    }
    if (op == NULL) {
        err_set(e, ERR_INVALID, "filter: unknown op \"%.*s\"", STR_ARG(op_name));
        return -1;
    }
    if (op->takes_value && (val_is_none(value) || (s->spec->skip_empty && val_is(value, VAL_STR) && val_text(value).len == 0))) {
        buf_add_c(out, "true");
        return 0;
    }
    if (f->within == NULL)
        return condition(c, s, f, op, value, out, e);
    buf_init(&inner, 4096, c->a);
    if (condition(c, s, f, op, value, &inner, e) != 0)
        return -1;
    buf_add_str(out, str_slice(str_c(f->within), 0, (size_t)str_find(str_c(f->within), STR("%s"))));
    buf_add_str(out, buf_str(&inner));
    buf_add_c(out, strstr(f->within, "%s") + 2);
    return 0;
}

static int group(struct api_call *c, struct search *s, struct val list, const char *glue, struct buf *out, int depth, struct err *e);

static int filter(struct api_call *c, struct search *s, struct val v, struct buf *out, int depth, struct err *e)
{
    struct val inner;

    if (depth > NESTING_MAX) {
        err_set(e, ERR_LIMIT, "filter: nested deeper than %d", NESTING_MAX);
        return -1;
    }
    if (val_is(v, VAL_LIST))
        return group(c, s, v, " AND ", out, depth, e);
    if (!val_is(v, VAL_DICT)) {
        err_set(e, ERR_INVALID, "filter: expected an object or a list, got %s", val_type_name(v));
        return -1;
    }
    if (val_is(inner = val_get(v, "and"), VAL_LIST))
        return group(c, s, inner, " AND ", out, depth, e);
    if (val_is(inner = val_get(v, "or"), VAL_LIST))
        return group(c, s, inner, " OR ", out, depth, e);
    if (!val_is_undef(inner = val_get(v, "not"))) {
        buf_add_c(out, "NOT (");
        if (filter(c, s, inner, out, depth + 1, e) != 0)
            return -1;
        buf_putc(out, ')');
        return 0;
    }
    if (val_count(v) == 0) {
        buf_add_c(out, "true");
        return 0;
    }
    s->filtered = true;
    return criterion(c, s, s->spec->translate != NULL ? s->spec->translate(c, v) : v, out, e);
}

/* Empty groups do not restrict. */
static int group(struct api_call *c, struct search *s, struct val list, const char *glue, struct buf *out, int depth, struct err *e)
{
    if (val_count(list) == 0) {
        buf_add_c(out, "true");
        return 0;
    }
    buf_putc(out, '(');
    for (size_t i = 0; i < val_count(list); i++) {
        if (i > 0)
            buf_add_c(out, glue);
        if (filter(c, s, val_at(list, i), out, depth + 1, e) != 0)
            return -1;
    }
    buf_putc(out, ')');
    return 0;
}

/* ---- paging and sorting ----------------------------------------------------------------------- */

/* A query parameter that holds JSON; undefined when absent or empty. */
static int json_param(struct api_call *c, const char *name, struct val *out, struct err *e)
{
    struct str text = str_trim(http_req_param(c->req, name));

    *out = val_undef(NULL);
    if (text.len == 0)
        return 0;
    if (json_parse(text, out, c->a, e) == 0)
        return 0;
    err_context(e, "%s", name);
    return -1;
}

static int paging(struct api_call *c, struct search *s, struct err *e)
{
    struct val v;

    if (json_param(c, "paging", &v, e) != 0)
        return -1;
    s->page = val_get_int(v, "page_number", 1);
    s->size = val_get_int(v, "page_size", PAGE_SIZE);
    if (s->page < 1)
        s->page = 1;
    if (s->size < 1 || s->size > LIMIT_PAGE_SIZE)
        s->size = s->size < 1 ? PAGE_SIZE : LIMIT_PAGE_SIZE;
    if (s->page > INT32_MAX)
        s->page = INT32_MAX;
    return 0;
}

/* Unknown fields are ignored; what was applied is echoed. */
static void sort_by(struct api_call *c, struct search *s, struct val v)
{
    const struct search_field *f =
        find_field(s->spec, val_get_text(v, "model", STR("")), val_get_text(v, "field", STR("")));
    bool descending = str_ieq(val_get_text(v, "direction", STR("asc")), STR("desc"));
    struct val echo;

    if (f == NULL || f->within != NULL)
        return;
    /* only texts may be null here; anything else would keep the indexes from serving the order */
    buf_addf(&s->order, "%s%s %s%s", s->order.len > 0 ? ", " : "", f->sql, descending ? "DESC" : "ASC",
             f->type == 't' || f->type == 'l' ? " NULLS LAST" : "");
    echo = val_dict_new(c->a, 2);
    val_dict_set_c(echo, "field", val_str_c(f->name));
    val_dict_set_c(echo, "direction", val_str_c(descending ? "desc" : "asc"));
    val_list_add(s->sorting, echo);
}

static int sorting(struct api_call *c, struct search *s, struct err *e)
{
    struct val v;

    if (json_param(c, "sorting", &v, e) != 0)
        return -1;
    s->sorting = val_list_new(c->a, 1);
    buf_init(&s->order, 4096, c->a);
    if (val_is(v, VAL_DICT))
        sort_by(c, s, v);
    for (size_t i = 0; val_is(v, VAL_LIST) && i < val_count(v) && i < 8; i++)
        sort_by(c, s, val_at(v, i));
    if (s->order.len == 0)
        buf_add_c(&s->order, s->spec->order);
    else
        buf_addf(&s->order, ", %s", s->spec->tie);
    return 0;
}

int search_read(struct api_call *c, const struct search_spec *spec, const char *extra, const struct db_arg *extra_arg,
                struct search *s, struct err *e)
{
    struct val v;

    *s = (struct search){.spec = spec, .args = ARENA_ARRAY(c->a, struct db_arg, CRITERIA_MAX)};
    s->count = !str_eq(http_req_param(c->req, "c"), STR("0"));
    buf_init(&s->where, 64 * KIB, c->a);
    buf_add_c(&s->where, spec->where);
    if (extra != NULL) {
        buf_addf(&s->where, " AND %s", extra);
        s->filtered = true;
        if (extra_arg != NULL && add_arg(s, *extra_arg, e) != 0)
            return -1;
    }
    if (json_param(c, "filter", &v, e) != 0)
        return -1;
    if (!val_is_none(v)) {
        buf_add_c(&s->where, " AND ");
        if (filter(c, s, v, &s->where, 0, e) != 0)
            return -1;
    }
    if (s->where.over) {
        err_set(e, ERR_LIMIT, "filter: too long");
        return -1;
    }
    return paging(c, s, e) != 0 || sorting(c, s, e) != 0 ? -1 : 0;
}

int search_arg(struct search *s, struct db_arg arg, size_t *n, struct err *e)
{
    if (add_arg(s, arg, e) != 0)
        return -1;
    *n = s->n_args;
    return 0;
}

/* ---- running ----------------------------------------------------------------------------------- */

static int query_text(struct api_call *c, struct search *s, const char *sql, struct str *out, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_sql(c->conn, sql, s->args, s->n_args, &res, c->a, e) != 0)
        return -1;
    *out = db_str(res, 0, 0);
    return 0;
}

static int rows_text(struct api_call *c, struct search *s, int64_t limit, int64_t offset, struct str *out, struct err *e)
{
    return query_text(c, s,
                      arena_printf(c->a,
                                   "SELECT coalesce(json_agg(x.o), '[]')::text FROM (SELECT %s AS o FROM %s WHERE %s ORDER BY %s "
                                   "LIMIT %lld OFFSET %lld) x",
                                   s->spec->select, s->spec->from, buf_cstr(&s->where), buf_cstr(&s->order),
                                   (long long)limit, (long long)offset),
                      out, e);
}

int search_count(struct api_call *c, struct search *s, int64_t *out, struct err *e)
{
    struct str text;

    if (query_text(c, s,
                   arena_printf(c->a, "SELECT count(*) FROM (SELECT FROM %s WHERE %s LIMIT %d) x", s->spec->count_from,
                                buf_cstr(&s->where), COUNT_EXACT + 1),
                   &text, e) != 0 ||
        !str_to_int(text, out))
        return -1;
    if (*out <= COUNT_EXACT || s->filtered || s->spec->estimate == NULL)
        return 0;
    if (query_text(c, &(struct search){.spec = s->spec},
                   arena_printf(c->a,
                                "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i "
                                "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '%s'::regclass",
                                s->spec->estimate),
                   &text, e) != 0)
        return -1;
    if (!str_to_int(text, out) || *out <= COUNT_EXACT)
        *out = COUNT_EXACT + 1;
    return 0;
}

int search_rows(struct api_call *c, struct search *s, int64_t max, struct val *out, struct err *e)
{
    struct str text;

    if (rows_text(c, s, max, 0, &text, e) != 0)
        return -1;
    return json_parse(text, out, c->a, e);
}

int search_answer(struct api_call *c, struct search *s, struct err *e)
{
    int64_t offset = (s->page - 1) * s->size, total = 0, pages;
    struct str rows;
    struct buf out;

    if (rows_text(c, s, s->size, offset, &rows, e) != 0 || (s->count && search_count(c, s, &total, e) != 0))
        return -1;
    if (!s->count)
        total = offset + (str_eq(rows, STR("[]")) ? 0 : s->size);
    pages = total > 0 ? (total + s->size - 1) / s->size : 1;
    buf_init(&out, 2 * rows.len + 4096, c->a);
    buf_addf(&out, "{\"%s\":", s->spec->collection);
    buf_add_str(&out, rows);
    if (s->spec->also != NULL) {
        buf_addf(&out, ",\"%s\":", s->spec->also);
        buf_add_str(&out, rows);
    }
    buf_addf(&out, ",\"pagination\":[%lld,%lld,%lld,%lld],\"sorting\":", (long long)s->page, (long long)s->size,
             (long long)pages, (long long)total);
    json_write(s->sorting, JSON_COMPACT, 0, &out);
    buf_addf(&out, ",\"total_count\":%lld,\"limit\":%lld,\"offset\":%lld}", (long long)total, (long long)s->size,
             (long long)offset);
    c->text = buf_str(&out);
    return 0;
}

static void add_cell(struct buf *out, struct val v, struct arena *a)
{
    struct str s = val_is_none(v)                                ? STR("")
                   : val_is(v, VAL_LIST) || val_is(v, VAL_DICT) ? json_text(v, a)
                   : val_is(v, VAL_BOOL)                         ? (v.u.b ? STR("true") : STR("false"))
                                                                 : val_str_of(v, a);

    csv_add_cell(out, s);
}

int search_csv(struct api_call *c, struct search *s, const char *filename, const char *columns, struct err *e)
{
    struct val rows;
    struct buf out;

    if (search_rows(c, s, CSV_ROWS_MAX, &rows, e) != 0)
        return -1;
    buf_init(&out, 512 * MIB, c->a);
    buf_add_c(&out, columns);
    buf_putc(&out, '\n');
    for (size_t i = 0; i < val_count(rows); i++) {
        struct str rest = str_c(columns);

        while (rest.len > 0) {
            add_cell(&out, val_get_str(val_at(rows, i), str_cut(&rest, ',')), c->a);
            buf_putc(&out, rest.len > 0 ? ',' : '\n');
        }
    }
    api_download(c, filename, "text/csv", buf_str(&out));
    return 0;
}
