/*
 * The transaction of a path.
 */
#include "api/transaction.h"

static const struct db_stmt stmt_find = {
    "api_transaction_find",
    "SELECT i.id, i.user_id, i.created_on::text, i.guid, i.status = 'ACTIVE' FROM instances i "
    "WHERE ($1::bigint > 0 AND i.id = $1 AND i.created_on >= id_from('instance', $1) AND "
    "i.created_on < id_to('instance', $1)) OR ($1::bigint = 0 AND i.guid = $2::uuid)",
    2,
};

static const struct db_stmt *const all[] = {&stmt_find};
const struct db_stmts api_transaction_stmts = {"api_transaction", all, COUNT_OF(all)};

int transaction_find(struct api_call *c, struct transaction *t, struct err *e)
{
    struct str key = c->params[0];
    PGresult *res = NULL;
    int64_t id = 0;

    if (!str_is_guid(key) && (!str_to_int(key, &id) || id <= 0)) {
        err_set(e, ERR_NOT_FOUND, "no such transaction");
        return -1;
    }
    if (db_query_in(c->conn, &stmt_find, DB_ARGS(DB_INT(id), id == 0 ? DB_STR(key) : DB_NULL), &res,
                    c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such transaction");
        return -1;
    }
    *t = (struct transaction){
        .id = db_int(res, 0, 0),
        .user_id = db_int(res, 0, 1),
        .on = db_str(res, 0, 2),
        .guid = db_str(res, 0, 3),
        .active = db_bool(res, 0, 4),
    };
    return 0;
}

int transaction_seen(const struct api_call *c, const struct transaction *t, struct err *e)
{
    if (c->user->is_system || cfg_has_access(c->user->profile, "requests.others_requests") ||
        (t->user_id != 0 && t->user_id == c->user->id))
        return 0;
    err_set(e, ERR_FORBIDDEN, "this transaction belongs to somebody else");
    return -1;
}

int transaction_open(struct api_call *c, struct transaction *t, struct err *e)
{
    return transaction_find(c, t, e) != 0 || transaction_seen(c, t, e) != 0 ? -1 : 0;
}

int transaction_answer(struct api_call *c, const struct db_stmt *s, struct err *e)
{
    struct transaction t;

    if (transaction_open(c, &t, e) != 0)
        return -1;
    return api_answer_query(c, s, DB_ARGS(DB_INT(t.id), DB_STR(t.on)), "transaction", e);
}
