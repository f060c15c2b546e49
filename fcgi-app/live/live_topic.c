/*
 * Topics: the active alarms as counts, a transaction as the API shows it.
 */
#include "live/live_topic.h"

#include "api/transaction.h"
#include "base/json.h"
#include "live/live.h"

/* ---- statements ----------------------------------------------------------------------------- */

static const struct db_stmt stmt_alarms = {
    "live_alarms",
    "SELECT coalesce(string_agg(level || '=' || n, ';' ORDER BY place), '') FROM (SELECT level, count(*) AS n, "
    "array_position(ARRAY['info', 'major', 'critical'], level) AS place FROM alarms WHERE active GROUP BY level) x",
    0,
};

static const struct db_stmt stmt_transaction = {
    "live_transaction",
    "SELECT coalesce(updated_on, created_on)::text || ' ' || status FROM instances "
    "WHERE id = $1 AND created_on = $2::timestamptz",
    2,
};

static const struct db_stmt *const all[] = {&stmt_alarms, &stmt_transaction};
const struct db_stmts live_stmts = {"live", all, COUNT_OF(all)};

/* ---- topics --------------------------------------------------------------------------------- */

static int alarms(struct api_call *c, struct str *text, struct err *e)
{
    return db_text(c->conn, &stmt_alarms, DB_NO_ARGS, text, c->a, e);
}

static int transaction_stamp(struct api_call *c, struct str *stamp, struct err *e)
{
    struct transaction t;

    if (transaction_open(c, &t, e) != 0)
        return -1;
    return db_text(c->conn, &stmt_transaction, DB_ARGS(DB_INT(t.id), DB_STR(t.on)), stamp, c->a, e);
}

static int transaction_show(struct api_call *c, struct str *text, struct err *e)
{
    if (transaction_get(c, e) != 0)
        return -1;
    *text = json_text(c->result, c->a);
    return 0;
}

static const struct live_topic topics[] = {
    {"/api/v01/alarms/active/ws", NULL, alarms, alarms},
    {"/api/v01/transactions/", "/ws", transaction_stamp, transaction_show},
};

const struct live_topic *live_topic_find(struct str path, struct str *param)
{
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        struct str before = str_c(topics[i].before), after = str_c(topics[i].after);

        *param = STR("");
        if (topics[i].after == NULL) {
            if (str_eq(path, before))
                return &topics[i];
            continue;
        }
        if (path.len <= before.len + after.len || !str_starts(path, before) || !str_ends(path, after))
            continue;
        *param = str_slice(path, before.len, path.len - after.len);
        if (str_find_char(*param, '/') < 0)
            return &topics[i];
    }
    return NULL;
}
