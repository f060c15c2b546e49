/*
 * Addresses a user wants to be told at when his requests end (http-api.md 5.4).
 *
 * endpoint_extra may hold credentials, so it is sealed; only its owner and administrators read it
 * back.
 */
#include "api/user_view.h"
#include "base/json.h"
#include "base/log.h"

static const struct db_stmt stmt_list = {
    "api_callbacks_list",
    "SELECT id, endpoint, endpoint_extra, event_category, scope, " DB_ISO("created_on") ", " DB_ISO(
        "updated_on") " FROM user_callbacks WHERE user_id = $1 ORDER BY id",
    1};
static const struct db_stmt stmt_user = {
    "api_callbacks_user", "SELECT CASE WHEN is_system THEN 'system' ELSE '' END FROM users WHERE id = $1", 1};
static const struct db_stmt stmt_insert = {
    "api_callbacks_insert",
    "INSERT INTO user_callbacks (user_id, endpoint, event_category, scope) VALUES ($1, $2, $3, $4) "
    "RETURNING id",
    4};
static const struct db_stmt stmt_update = {
    "api_callbacks_update",
    "UPDATE user_callbacks SET endpoint = coalesce($3, endpoint), event_category = coalesce($4, "
    "event_category), "
    "scope = coalesce($5, scope), updated_on = now() WHERE user_id = $1 AND id = $2",
    5};
static const struct db_stmt stmt_extra = {
    "api_callbacks_extra", "UPDATE user_callbacks SET endpoint_extra = $2 WHERE id = $1", 2};
static const struct db_stmt stmt_delete = {
    "api_callbacks_delete", "DELETE FROM user_callbacks WHERE user_id = $1 AND id = $2", 2};

static const struct db_stmt *const all[] = {&stmt_list,   &stmt_user,  &stmt_insert,
                                            &stmt_update, &stmt_extra, &stmt_delete};
const struct db_stmts api_user_callbacks_stmts = {"api_user_callbacks", all, COUNT_OF(all)};

#define PURPOSE "user_callbacks.endpoint_extra"

/* The user of the path: oneself, or anybody for administrators; system users for their like only. */
static int read_user(struct api_call *c, int64_t *id, struct err *e)
{
    struct str kind;

    if (api_id(c, 0, "user", id, e) != 0 ||
        (*id != c->user->id && api_allowed(c->user, "settings.users", e) != 0))
        return -1;
    if (db_text(c->conn, &stmt_user, DB_ARGS(DB_INT(*id)), &kind, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    if (kind.len == 0 || c->user->is_system || *id == c->user->id)
        return 0;
    err_set(e, ERR_FORBIDDEN, "only a system user may see or change callbacks of a system user");
    return -1;
}

static struct str item(struct api_call *c, int64_t id)
{
    return str_printf(c->a, "%lld", (long long)id);
}

static struct val open_extra(struct api_call *c, int64_t id, struct str text)
{
    const struct cfg_key *k;
    struct secret plain = {NULL, 0};
    struct val v = val_null();
    struct err e = {0};
    struct str sealed;
    uint32_t key_id;

    if (text.len == 0)
        return v;
    if (!crypto_seal_from_text(text, &sealed, c->a)) {
        plain = secret_new(c->a, text.p, text.len); /* stored before it was sealed */
    } else if (crypto_seal_key_id(sealed, &key_id, &e) == 0) {
        k = cfg_key(c->cfg, key_id);
        if (k == NULL || k->material.len != 32)
            err_set(&e, ERR_CONFIG, "key %u is missing", key_id);
        else if (crypto_open(k->material.p, sealed, PURPOSE, item(c, id), &plain, c->a, &e) != 0)
            plain = (struct secret){NULL, 0};
    }
    if (plain.p == NULL || json_parse(secret_text(plain), &v, c->a, &e) != 0) {
        log_err(LOG_ERROR_LEVEL, "users.callback", &e);
        return val_null();
    }
    return v;
}

static int write_extra(struct api_call *c, int64_t id, struct err *e)
{
    const struct cfg_key *k = cfg_key_active(c->cfg, "secrets");
    struct val v = val_get(c->body, "endpoint_extra");
    struct str text = STR_NONE;

    if (!api_body_has(c, "endpoint_extra"))
        return 0;
    if (val_is(v, VAL_DICT) && k != NULL && k->material.len == 32)
        text = cfg_seal_text(k, json_text(v, c->a), PURPOSE, item(c, id), c->a);
    else if (!val_is_none(v)) {
        err_set(e, ERR_INVALID, "endpoint_extra: expected an object");
        return -1;
    }
    return db_exec(c->conn, &stmt_extra, DB_ARGS(DB_INT(id), DB_STR_OR_NULL(text)), NULL, e);
}

struct fields {
    struct str endpoint, category, scope;
};

static int one_of(const char *name, struct str value, const char *const *known, struct err *e)
{
    if (value.p == NULL)
        return 0;
    for (size_t i = 0; known[i] != NULL; i++)
        if (str_eq_c(value, known[i]))
            return 0;
    err_set(e, ERR_INVALID, "%s: unknown value \"%.*s\"", name, STR_ARG(value));
    return -1;
}

static int read_fields(struct api_call *c, struct fields *f, struct err *e)
{
    static const char *const categories[] = {"on_request_success", "on_request_failure",
                                             "on_blocking_error", NULL};
    static const char *const scopes[] = {"user", "group", "platform", NULL};

    *f = (struct fields){STR_NONE, STR_NONE, STR_NONE};
    if (api_body_text(c, "endpoint", 2000, &f->endpoint, e) != 0 ||
        api_body_text(c, "event_category", 40, &f->category, e) != 0 ||
        api_body_text(c, "scope", 20, &f->scope, e) != 0 ||
        one_of("event_category", f->category, categories, e) != 0 ||
        one_of("scope", f->scope, scopes, e) != 0)
        return -1;
    if (f->endpoint.p != NULL && f->endpoint.len < 4) {
        err_set(e, ERR_INVALID, "endpoint: expected 4 to 2000 characters");
        return -1;
    }
    if (f->scope.p == NULL || str_eq_c(f->scope, "user") || api_allowed(c->user, "requests.others_requests", e) == 0)
        return 0;
    /* requests and answers of others are what such a callback gets to know */
    err_set(e, ERR_FORBIDDEN, "scope: needs the right to see requests of others");
    return -1;
}

int user_callbacks_list(struct api_call *c, struct err *e)
{
    static const char *const names[] = {"callback_id", "endpoint",   NULL,        "event_category",
                                        "scope",       "created_on", "updated_on"};
    PGresult *res = NULL;
    struct val list;
    int64_t id;

    if (read_user(c, &id, e) != 0 ||
        db_query_in(c->conn, &stmt_list, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    list = val_list_new(c->a, (size_t)PQntuples(res));
    for (int row = 0; row < PQntuples(res); row++) {
        struct val v = val_dict_new(c->a, 8);

        val_dict_set_c(v, "callback_id", val_int(db_int(res, row, 0)));
        val_dict_set_c(v, "id", val_int(db_int(res, row, 0)));
        val_dict_set_c(v, "user_id", val_int(id));
        for (int k = 1; k < (int)COUNT_OF(names); k++)
            if (names[k] != NULL)
                val_dict_set_c(v, names[k], val_str(db_str(res, row, k)));
        val_dict_set_c(v, "endpoint_extra",
                       open_extra(c, db_int(res, row, 0), db_str(res, row, 2)));
        val_list_add(list, v);
    }
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "callbacks", list);
    return 0;
}

/* Several statements as one change. */
static int in_transaction(struct api_call *c,
                          int (*fn)(struct api_call *c, int64_t user, int64_t *id, struct err *e),
                          int64_t user, int64_t *id, struct err *e)
{
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (fn(c, user, id, e) != 0 || db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    return 0;
}

static int insert(struct api_call *c, int64_t user, int64_t *id, struct err *e)
{
    struct fields f;
    struct str text;

    if (read_fields(c, &f, e) != 0 || api_body_need(c, "endpoint", 2000, &f.endpoint, e) != 0 ||
        api_body_need(c, "event_category", 40, &f.category, e) != 0 ||
        api_body_need(c, "scope", 20, &f.scope, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_insert,
                DB_ARGS(DB_INT(user), DB_STR(f.endpoint), DB_STR(f.category), DB_STR(f.scope)),
                &text, c->a, e) != 0 ||
        !str_to_int(text, id))
        return -1;
    return write_extra(c, *id, e);
}

int user_callbacks_create(struct api_call *c, struct err *e)
{
    int64_t user;
    int64_t id = 0;

    if (read_user(c, &user, e) != 0 || in_transaction(c, insert, user, &id, e) != 0)
        return -1;
    api_audit(c, "create", "callback", item(c, id));
    api_answer_id(c, "id", id);
    return 0;
}

static int update(struct api_call *c, int64_t user, int64_t *id, struct err *e)
{
    struct fields f;
    int64_t n = 0;

    if (read_fields(c, &f, e) != 0 ||
        db_exec(c->conn, &stmt_update,
                DB_ARGS(DB_INT(user), DB_INT(*id), DB_STR_OR_NULL(f.endpoint),
                        DB_STR_OR_NULL(f.category), DB_STR_OR_NULL(f.scope)),
                &n, e) != 0)
        return -1;
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such callback");
        return -1;
    }
    return write_extra(c, *id, e);
}

int user_callback_put(struct api_call *c, struct err *e)
{
    int64_t user;
    int64_t id;

    if (read_user(c, &user, e) != 0 || api_id(c, 1, "callback", &id, e) != 0 ||
        in_transaction(c, update, user, &id, e) != 0)
        return -1;
    api_audit(c, "update", "callback", item(c, id));
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int user_callback_delete(struct api_call *c, struct err *e)
{
    int64_t user;
    int64_t id;
    int64_t n = 0;

    if (read_user(c, &user, e) != 0 || api_id(c, 1, "callback", &id, e) != 0 ||
        db_exec(c->conn, &stmt_delete, DB_ARGS(DB_INT(user), DB_INT(id)), &n, e) != 0)
        return -1;
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such callback");
        return -1;
    }
    api_audit(c, "delete", "callback", item(c, id));
    c->result = val_dict_new(c->a, 0);
    return 0;
}
