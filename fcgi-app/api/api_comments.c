/*
 * Comments of people on a transaction (http-api.md 5.15).
 */
#include "api/transaction.h"

enum { COMMENT_MAX = 10000 };

static const struct db_stmt stmt_list = {
    "api_comments_list",
    "SELECT json_build_object('comments', coalesce(json_agg(json_build_object('id', id, 'content', "
    "content, 'created_on', " DB_ISO(
        "created_on") ", 'user', json_build_object('id', user_id, "
                      "'username', username)) ORDER BY id), '[]'))::text FROM instance_comments "
                      "WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_add = {
    "api_comments_add",
    "INSERT INTO instance_comments (instance_id, instance_on, user_id, username, content) "
    "VALUES ($1, $2::timestamptz, $3, $4, $5) RETURNING id",
    5,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_add};
const struct db_stmts api_comments_stmts = {"api_comments", all, COUNT_OF(all)};

int transaction_comments(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_list, e);
}

int transaction_comment(struct api_call *c, struct err *e)
{
    struct transaction t;
    PGresult *res = NULL;
    struct str text;

    if (transaction_open(c, &t, e) != 0 ||
        api_body_need(c, "comment", COMMENT_MAX, &text, e) != 0 ||
        db_query_in(c->conn, &stmt_add,
                    DB_ARGS(DB_INT(t.id), DB_STR(t.on), DB_INT(c->user->id),
                            DB_STR(c->user->username), DB_STR(text)),
                    &res, c->a, e) != 0)
        return -1;
    api_answer_id(c, "id", db_int(res, 0, 0));
    return 0;
}
