/*
 * Call-backs: a task awaits one, another system sends one.
 */
#include "engine/callbacks_int.h"

#include "base/json.h"
#include "base/utf8.h"
#include "engine/instance_int.h"
#include "engine/signal.h"

enum { TURNS = 5 }; /* the row changed hands while we looked: look again */

enum node_rc callback_await(struct node_run *r, struct str external_id, struct str entity,
                            int64_t until_us, struct err *e)
{
    enum node_rc rc;

    if (utf8_len(external_id) > CALLBACK_ID_MAX || !node_storable(external_id)) {
        err_set(e, ERR_INVALID, "the external id has more than %d characters, or a NUL",
                CALLBACK_ID_MAX);
        return NODE_FAIL;
    }
    node_store(r, &callback_w_free, DB_ARGS(DB_INT(node_task_id(r)), DB_STR(external_id)));
    node_store(r, &callback_w_await,
               DB_ARGS(DB_INT(node_instance_id(r)), DB_TIME(node_instance_on_us(r)),
                       DB_INT(node_task_id(r)), entity.len > 0 ? DB_STR(entity) : DB_NULL,
                       DB_STR(external_id)));
    rc = node_wait_signal(r, until_us);
    for (struct timer_row *t = r->inst->timers; t != NULL; t = t->next)
        if (t->task_id == r->task->id && t->status == TIMER_WAIT)
            t->type = STR("async_timeout");
    return rc;
}

static struct str payload_of(int64_t id, struct str external_id, struct str body, struct str username,
                             struct arena *a)
{
    return str_printf(a, "{\"callback_id\":%lld,\"external_id\":%.*s,\"body\":%.*s,\"username\":%.*s}", (long long)id,
                      STR_ARG(json_text(val_str(external_id), a)), STR_ARG(body), STR_ARG(json_text(val_str(username), a)));
}

/* Hand it to the task that waits: 1 done, 0 somebody was faster.  The signal first, as everywhere
 * (manual_answer.c). */
static int take(struct db_conn *c, const PGresult *found, struct str external_id, struct str body,
                int64_t user_id, struct str username, struct arena *a, struct err *e)
{
    int64_t id = db_int(found, 0, 2), n = 0;

    if (db_begin(c, e) != 0)
        return -1;
    if (engine_signal(c, db_int(found, 0, 0), db_int(found, 0, 1), "callback",
                      payload_of(id, external_id, body, username, a), e) != 0 ||
        db_exec(c, &callback_stmt_take, DB_ARGS(DB_INT(id), DB_STR(body), DB_INT_OR_NULL(user_id)),
                &n, e) != 0 ||
        (n > 0 && db_commit(c, e) != 0)) {
        db_rollback(c);
        return -1;
    }
    if (n == 0)
        db_rollback(c);
    return n > 0;
}

enum callback_rc callback_put(struct db_conn *c, struct str external_id, struct str body,
                              int64_t user_id, struct str username, struct arena *a, struct err *e)
{
    for (int turn = 0; turn < TURNS; turn++) {
        PGresult *res = NULL;
        int64_t n = 0;
        int rc;

        if (db_query_in(c, &callback_stmt_find, DB_ARGS(DB_STR(external_id)), &res, a, e) != 0)
            return CALLBACK_FAILED;
        if (PQntuples(res) > 0) {
            rc = take(c, res, external_id, body, user_id, username, a, e);
            if (rc != 0)
                return rc > 0 ? CALLBACK_TAKEN : CALLBACK_FAILED;
            continue;
        }
        if (db_exec(c, &callback_stmt_keep,
                    DB_ARGS(DB_STR(external_id), DB_STR(body), DB_INT_OR_NULL(user_id)), &n,
                    e) != 0)
            return CALLBACK_FAILED;
        if (n > 0)
            return CALLBACK_KEPT;
        /* held: by a task that has just begun to wait, or by a call-back that came before */
        if (db_query_in(c, &callback_stmt_find, DB_ARGS(DB_STR(external_id)), &res, a, e) != 0)
            return CALLBACK_FAILED;
        if (PQntuples(res) == 0)
            break;
    }
    err_set(e, ERR_CONFLICT,
            "a call-back for this id came before, or nobody waits for it any more");
    return CALLBACK_FAILED;
}
