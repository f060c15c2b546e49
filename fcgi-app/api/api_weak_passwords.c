/*
 * The list of passwords nobody may choose (http-api.md 5.8).
 */
#include "api/user_view.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "http/multipart.h"

static const struct db_stmt stmt_count = {
    "api_weak_count", "SELECT json_build_object('count', count(*))::text FROM weak_passwords", 0};
static const struct db_stmt stmt_list = {"api_weak_list",
                                         "SELECT coalesce(string_agg(password, E'\\n' ORDER BY "
                                         "password) || E'\\n', '') FROM weak_passwords",
                                         0};
static const struct db_stmt stmt_clear = {"api_weak_clear", "DELETE FROM weak_passwords", 0};
static const struct db_stmt stmt_add = {"api_weak_add",
                                        "INSERT INTO weak_passwords (password) SELECT DISTINCT "
                                        "json_array_elements_text($1::json) ON CONFLICT DO NOTHING",
                                        1};

static const struct db_stmt *const all[] = {&stmt_count, &stmt_list, &stmt_clear, &stmt_add};
const struct db_stmts api_weak_passwords_stmts = {"api_weak_passwords", all, COUNT_OF(all)};

enum { LINE_MAX_BYTES = 800, BATCH = 5000 };

int weak_passwords_count(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_count, DB_NO_ARGS, "list", e);
}

int weak_passwords_get(struct api_call *c, struct err *e)
{
    struct str text;

    if (db_text(c->conn, &stmt_list, DB_NO_ARGS, &text, c->a, e) != 0)
        return -1;
    api_download(c, "weak_passwords.txt", "text/plain; charset=utf-8", text);
    return 0;
}

int weak_passwords_delete(struct api_call *c, struct err *e)
{
    if (db_exec(c->conn, &stmt_clear, DB_NO_ARGS, NULL, e) != 0)
        return -1;
    api_audit(c, "delete", "Configuration", STR("weak passwords"));
    c->result = val_dict_new(c->a, 0);
    return 0;
}

static int add_batch(struct api_call *c, struct val list, struct err *e)
{
    return val_count(list) == 0
               ? 0
               : db_exec(c->conn, &stmt_add, DB_ARGS(DB_STR(json_text(list, c->a))), NULL, e);
}

static int add_lines(struct api_call *c, struct str text, struct err *e)
{
    struct val list = val_list_new(c->a, BATCH);

    while (text.len > 0) {
        struct str line = str_cut(&text, '\n');

        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.len > LINE_MAX_BYTES || utf8_check(line) != line.len ||
            str_find_char(line, '\0') >= 0)
            continue; /* no password could be equal to it */
        val_list_add(list, val_str(line));
        if (val_count(list) == BATCH) {
            if (add_batch(c, list, e) != 0)
                return -1;
            list = val_list_new(c->a, BATCH);
        }
    }
    return add_batch(c, list, e);
}

int weak_passwords_put(struct api_call *c, struct err *e)
{
    struct http_part *parts;
    struct str file = STR_NONE;
    size_t n;

    if (c->req->body_pending && http_req_body(c->req, LIMIT_BODY, e) != 0)
        return -1;
    if (multipart_parse(c->req->content_type, c->req->body, &parts, &n, c->a, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(parts[i].name, "file"))
            file = parts[i].value;
    if (file.p == NULL) {
        err_set(e, ERR_INVALID, "file is required");
        return -1;
    }
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (add_lines(c, file, e) != 0 || db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    api_audit(c, "update", "Configuration", STR("weak passwords"));
    c->result = val_dict_new(c->a, 0);
    return 0;
}
