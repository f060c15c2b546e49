/*
 * Call-backs of other systems: those a transaction awaits, and receiving one (http-api.md 5.15,
 * workflow-engine.md 4.11).
 */
#include "api/transaction.h"

#include "base/json.h"
#include "base/utf8.h"
#include "engine/callbacks.h"

static const struct db_stmt stmt_list = {
    "api_external_callbacks",
    "SELECT json_build_object('callbacks', coalesce(json_agg(json_build_object('callback_id', id, "
    "'entity', entity, 'external_id', external_id, 'origin_task_id', origin_task_id, 'status', "
    "status) ORDER BY id), '[]'))::text "
    "FROM external_callbacks WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

static const struct db_stmt *const all[] = {&stmt_list};
const struct db_stmts api_callbacks_stmts = {"api_callbacks", all, COUNT_OF(all)};

int transaction_callbacks(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_list, e);
}

/* JSON as it is, else the text as JSON; what is no text at all in base64. */
static struct str body_json(struct api_call *c)
{
    struct str text = str_trim(c->req->body);
    struct err ignored;
    struct val v;

    if (text.len == 0)
        return STR("null");
    if (json_parse(text, &v, c->a, &ignored) == 0)
        return json_text(v, c->a);
    if (utf8_check(c->req->body) != c->req->body.len)
        return json_text(val_str(crypto_b64(c->a, c->req->body)), c->a);
    return json_text(val_str(c->req->body), c->a);
}

int callback_post(struct api_call *c, struct err *e)
{
    struct str id = str_trim(c->params[0]), body = body_json(c);

    if (id.len == 0 || utf8_len(id) > CALLBACK_ID_MAX) {
        err_set(e, ERR_INVALID, "callback_id: longer than %d characters", CALLBACK_ID_MAX);
        return -1;
    }
    if (body.len > LIMIT_CONTEXT_VALUE) {
        err_set(e, ERR_LIMIT, "request body larger than 8 MiB");
        return -1;
    }
    switch (callback_put(c->conn, id, body, c->user->id, c->user->username, c->a, e)) {
    case CALLBACK_TAKEN:
        engine_wake(c->api->engine);
        return 0;
    case CALLBACK_KEPT:
        c->status = 202;
        return 0;
    case CALLBACK_FAILED:
        break;
    }
    return -1;
}
