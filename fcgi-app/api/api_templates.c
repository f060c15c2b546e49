/*
 * Stored templates: http-api.md 5.11, workflow-engine.md 6.6.
 *
 * Text templates are kept as text, binary ones (spreadsheets) as bytes.
 */
#include "api/api.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/header.h"
#include "http/multipart.h"

static const struct db_stmt stmt_list = {
    "api_templates_list",
    "SELECT json_build_object('templates', coalesce(json_agg(json_build_object('id', id, 'key', key, 'type', type) "
    "ORDER BY key), '[]'))::text FROM templates",
    0,
};

static const struct db_stmt stmt_get = {
    "api_template_get",
    "SELECT key, type, template, content FROM templates WHERE id = $1",
    1,
};

static const struct db_stmt stmt_insert = {
    "api_template_insert",
    "INSERT INTO templates (key, type, template, content) VALUES ($1, $2, $3, $4) RETURNING id",
    4,
};

static const struct db_stmt stmt_update = {
    "api_template_update",
    "UPDATE templates SET key = $2, type = $3, template = $4, content = $5, updated_on = now() WHERE id = $1",
    5,
};

static const struct db_stmt stmt_delete = {
    "api_template_delete",
    "DELETE FROM templates WHERE id = $1 RETURNING key",
    1,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_insert, &stmt_update, &stmt_delete};
const struct db_stmts api_templates_stmts = {"api_templates", all, COUNT_OF(all)};

struct row {
    struct str key, type;
    struct str template; /* .p NULL for binary ones */
    struct str content;  /* .p NULL for text */
};

static bool is_text_type(struct str type)
{
    return str_eq(type, STR("jinja")) || str_eq(type, STR("application/json")) || str_starts(type, STR("text/"));
}

/* Sort the content by its type: text or bytes. */
static int place_content(struct row *row, struct str bytes, struct err *e)
{
    if (bytes.p == NULL)
        bytes = row->template.p != NULL ? row->template : row->content;
    if (bytes.p == NULL)
        bytes = STR("");
    row->template = row->content = STR_NONE;
    if (!is_text_type(row->type)) {
        row->content = bytes;
        return 0;
    }
    if (utf8_check(bytes) < bytes.len || memchr(bytes.p, 0, bytes.len) != NULL) {
        err_set(e, ERR_INVALID, "template: not UTF-8 text");
        return -1;
    }
    row->template = bytes;
    return 0;
}

static int read_multipart(struct api_call *c, struct row *row, struct str *bytes, struct err *e)
{
    struct http_part *parts;
    size_t n;

    if (multipart_parse(c->req->content_type, c->req->body, &parts, &n, c->a, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(parts[i].name, STR("key")))
            row->key = parts[i].value;
        else if (str_eq(parts[i].name, STR("type")) && parts[i].value.len > 0)
            row->type = parts[i].value;
        else if (str_eq(parts[i].name, STR("template")))
            *bytes = parts[i].value;
    }
    return 0;
}

static int read_json(struct api_call *c, struct row *row, struct str *bytes, struct err *e)
{
    if (str_trim(c->req->body).len > 0 && json_parse(c->req->body, &c->body, c->a, e) != 0) {
        err_context(e, "request body");
        return -1;
    }
    if (api_body_text(c, "key", 255, &row->key, e) != 0 || api_body_text(c, "type", 255, &row->type, e) != 0 ||
        api_body_text(c, "template", LIMIT_TMPL_SOURCE, bytes, e) != 0)
        return -1;
    return 0;
}

/* The members of the request over what `row` holds. */
static int read_row(struct api_call *c, struct row *row, struct err *e)
{
    struct str bytes = STR_NONE;
    bool multipart = str_starts(header_media_type(c->req->content_type, c->a), STR("multipart/"));

    c->body = val_dict_new(c->a, 0);
    if ((multipart ? read_multipart(c, row, &bytes, e) : read_json(c, row, &bytes, e)) != 0)
        return -1;
    if (bytes.len > LIMIT_TMPL_SOURCE) {
        err_set(e, ERR_LIMIT, "template: larger than 1 MiB");
        return -1;
    }
    if (row->key.len == 0) {
        err_set(e, ERR_INVALID, "key is required");
        return -1;
    }
    if (utf8_check(row->key) < row->key.len || memchr(row->key.p, 0, row->key.len) != NULL) {
        err_set(e, ERR_INVALID, "key: not UTF-8 text");
        return -1;
    }
    return place_content(row, bytes, e);
}

static int duplicate(const struct row *row, struct err *e)
{
    if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "a template with key \"%.*s\" exists", STR_ARG(row->key));
    return -1;
}

static struct db_arg bytes_or_null(struct str s)
{
    return s.p != NULL ? DB_BYTES(s) : DB_NULL;
}

int templates_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

int templates_create(struct api_call *c, struct err *e)
{
    struct row row = {.type = STR("jinja")};
    PGresult *res = NULL;

    if (read_row(c, &row, e) != 0)
        return -1;
    if (db_query_in(c->conn, &stmt_insert,
                    DB_ARGS(DB_STR(row.key), DB_STR(row.type), DB_STR_OR_NULL(row.template), bytes_or_null(row.content)),
                    &res, c->a, e) != 0)
        return duplicate(&row, e);
    api_audit(c, "create", "templates", row.key);
    api_answer_id(c, "id", db_int(res, 0, 0));
    return 0;
}

static int find(struct api_call *c, int64_t *id, struct row *row, struct err *e)
{
    PGresult *res = NULL;

    if (api_id(c, 0, "template", id, e) != 0 || db_query_in(c->conn, &stmt_get, DB_ARGS(DB_INT(*id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such template");
        return -1;
    }
    row->key = db_str(res, 0, 0);
    row->type = db_str(res, 0, 1);
    row->template = db_str(res, 0, 2);
    row->content = db_is_null(res, 0, 3) ? STR_NONE : db_bytes(res, 0, 3, c->a);
    return 0;
}

static struct val template_object(const struct row *row, struct arena *a)
{
    struct val v = val_dict_new(a, 4);

    val_dict_set_c(v, "key", val_str(row->key));
    val_dict_set_c(v, "template", row->template.p != NULL ? val_str(row->template) : val_str(crypto_b64(a, row->content)));
    val_dict_set_c(v, "type", val_str(row->type));
    return v;
}

static int download(struct api_call *c, const struct row *row, bool raw)
{
    struct val file;

    if (!raw) {
        file = val_dict_new(c->a, 1);
        val_dict_set_c(file, "template", template_object(row, c->a));
        api_download(c, arena_printf(c->a, "%.*s.json", STR_ARG(row->key)), "application/json", json_text(file, c->a));
    } else {
        bool jinja = str_eq(row->type, STR("jinja"));

        api_download(c, str_cstr(c->a, row->key), jinja ? "text/plain; charset=utf-8" : str_cstr(c->a, row->type),
                     row->template.p != NULL ? row->template : row->content);
    }
    return 0;
}

int template_get(struct api_call *c, struct err *e)
{
    struct str as = http_req_param(c->req, "as");
    struct val object;
    struct row row;
    int64_t id;

    if (find(c, &id, &row, e) != 0)
        return -1;
    if (str_eq(as, STR("raw")) || str_eq(as, STR("json")))
        return download(c, &row, str_eq(as, STR("raw")));
    object = template_object(&row, c->a);
    val_dict_set_c(object, "id", val_int(id));
    c->result = val_dict_new(c->a, 4);
    val_dict_set_c(c->result, "template", object);
    val_dict_set_c(c->result, "id", val_int(id));
    val_dict_set_c(c->result, "key", val_str(row.key));
    val_dict_set_c(c->result, "type", val_str(row.type));
    return 0;
}

int template_put(struct api_call *c, struct err *e)
{
    struct row row;
    int64_t id;

    if (find(c, &id, &row, e) != 0 || read_row(c, &row, e) != 0)
        return -1;
    if (db_exec(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR(row.key), DB_STR(row.type), DB_STR_OR_NULL(row.template),
                        bytes_or_null(row.content)),
                NULL, e) != 0)
        return duplicate(&row, e);
    api_audit(c, "update", "templates", row.key);
    api_answer_id(c, "id", id);
    return 0;
}

int template_delete(struct api_call *c, struct err *e)
{
    struct str key;
    int64_t id;

    if (api_id(c, 0, "template", &id, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &key, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such template");
        return -1;
    }
    api_audit(c, "delete", "templates", key);
    api_answer_id(c, "id", id);
    return 0;
}
