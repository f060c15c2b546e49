/*
 * What handlers share: reading members of a body, common answers, audit records.
 */
#include <stdio.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/utf8.h"

static const struct db_stmt stmt_audit = {
    "api_audit",
    "INSERT INTO audit (user_id, username, operation, target_type, target, summary) "
    "VALUES ($1, $2, CASE WHEN $3 IN ('create', 'delete') THEN $3 ELSE 'update' END, $4, $5, "
    "$3 || ' ' || $5 || ' from ' || $6)",
    6,
};

static const struct db_stmt *const all[] = {&stmt_audit};
const struct db_stmts api_help_stmts = {"api_help", all, COUNT_OF(all)};

/* What happens often is counted in bigint columns, the rest in integer ones: no row has a number beyond. */
static int64_t id_max(const char *what)
{
    static const char *const often[] = {"alarm", "document", "event", "operation", "passkey", "request", "task", "timer"};

    for (size_t i = 0; i < COUNT_OF(often); i++)
        if (strcmp(what, often[i]) == 0)
            return INT64_MAX;
    return INT32_MAX;
}

int api_id(const struct api_call *c, int param, const char *what, int64_t *out, struct err *e)
{
    if (str_to_int(c->params[param], out) && *out > 0 && *out <= id_max(what))
        return 0;
    err_set(e, ERR_NOT_FOUND, "no such %s", what);
    return -1;
}

bool api_body_has(const struct api_call *c, const char *name)
{
    return val_is(c->body, VAL_DICT) && !val_is_undef(val_get(c->body, name));
}

static int wrong_type(const char *name, const char *wanted, struct val got, struct err *e)
{
    err_set(e, ERR_INVALID, "%s: expected %s, got %s", name, wanted, val_type_name(got));
    return -1;
}

int api_body_text(const struct api_call *c, const char *name, size_t max_chars, struct str *out, struct err *e)
{
    struct val v = val_get(c->body, name);

    if (val_is_none(v))
        return 0;
    if (!val_is(v, VAL_STR))
        return wrong_type(name, "text", v, e);
    if (utf8_len(val_text(v)) > max_chars) {
        err_set(e, ERR_INVALID, "%s: longer than %zu characters", name, max_chars);
        return -1;
    }
    *out = val_text(v);
    return 0;
}

int api_body_need(const struct api_call *c, const char *name, size_t max_chars, struct str *out, struct err *e)
{
    *out = STR_NONE;
    if (api_body_text(c, name, max_chars, out, e) != 0)
        return -1;
    if (out->len > 0)
        return 0;
    err_set(e, ERR_INVALID, "%s is required", name);
    return -1;
}

int api_body_bool(const struct api_call *c, const char *name, bool *out, struct err *e)
{
    struct val v = val_get(c->body, name);

    if (val_is_none(v))
        return 0;
    if (!val_is(v, VAL_BOOL))
        return wrong_type(name, "true or false", v, e);
    *out = v.u.b;
    return 0;
}

int api_body_int(const struct api_call *c, const char *name, int64_t *out, struct err *e)
{
    struct val v = val_get(c->body, name);

    if (val_is_none(v))
        return 0;
    if (val_is(v, VAL_BIGINT)) {
        err_set(e, ERR_INVALID, "%s: beyond 64 bits", name);
        return -1;
    }
    if (!val_is(v, VAL_INT))
        return wrong_type(name, "an integer", v, e);
    *out = v.u.i;
    return 0;
}

int api_body_only(const struct api_call *c, const char *names, struct err *e)
{
    struct val key, value;

    if (!val_is(c->body, VAL_DICT))
        return wrong_type("request body", "an object", c->body, e);
    for (size_t i = 0; val_pair_at(c->body, i, &key, &value); i++) {
        struct str rest = str_c(names);
        bool known = false;

        while (rest.len > 0 && !known)
            known = str_eq(str_cut(&rest, ','), val_text(key));
        if (!known) {
            err_set(e, ERR_INVALID, "unknown member \"%.*s\"", STR_ARG(val_text(key)));
            return -1;
        }
    }
    return 0;
}

void api_download(struct api_call *c, const char *filename, const char *content_type, struct str bytes)
{
    char *disposition = arena_printf(c->a, "attachment; filename=\"%s\"", filename);

    for (char *p = disposition + sizeof "attachment; filename=\"" - 1; p[1] != '\0'; p++) {
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = '_';
    }
    http_reply_header(c->req, STR("Content-Disposition"), str_c(disposition));
    c->content_type = str_c(content_type);
    c->text = bytes;
}

int api_answer_query(struct api_call *c, const struct db_stmt *s, const struct db_arg *args, size_t n,
                     const char *what, struct err *e)
{
    if (db_text(c->conn, s, args, n, &c->text, c->a, e) == 0)
        return 0;
    if (e->code == ERR_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "no such %s", what);
    return -1;
}

void api_answer_id(struct api_call *c, const char *name, int64_t id)
{
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, name, val_int(id));
}

void api_audit(struct api_call *c, const char *operation, const char *target_type, struct str target)
{
    struct err e = {0};

    if (db_exec(c->conn, &stmt_audit,
                DB_ARGS(c->user != NULL ? DB_INT(c->user->id) : DB_NULL,
                        c->user != NULL ? DB_STR(c->user->username) : DB_NULL, DB_C(operation), DB_C(target_type),
                        DB_STR(target), DB_STR(c->req->remote_addr)),
                NULL, &e) != 0)
        log_err(LOG_WARN_LEVEL, "audit.lost", &e);
}
