/*
 * search_transactions: instances that meet a condition (workflow-engine.md 3.40).
 *
 * It sees what is stored: rows of running instances appear with their next store.
 */
#include "base/json.h"
#include "nodes/condition.h"
#include "nodes/nodes.h"

enum { FOUND_MAX = 250 };

struct cfg {
    struct str condition;
    int64_t limit, offset;
    struct node_key output;
};

static const struct param params[] = {
    {.name = "condition",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, condition),
     .aliases = (const char *const[]){"query", NULL},
     .help = "Such as: status = 'ACTIVE' and activity = 'my_workflow'.  Fields: instance_id, guid, status, activity_id, "
             "activity, user_id, label, created_on, updated_on."},
    {.name = "limit",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, limit),
     .otherwise = "50",
     .help = "How many at most: 50 when empty, never more than 250."},
    {.name = "offset",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, offset),
     .help = "How many to leave out, latest first."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, output),
     .help = "Context key that receives the list."},
    {0},
};

#define FOUND                                                                                                          \
    "SELECT json_build_object('id', i.id, 'guid', i.guid, 'status', i.status, 'activity_id', i.activity_id, "         \
    "'activity', a.name, 'user_id', i.user_id, 'label', i.label, 'original_request_id', i.original_request_id, "      \
    "'callback_task_id', i.callback_task_id, 'errors', i.cnt_tasks_in_error, 'created_on', " DB_ISO("i.created_on")    \
    ", 'updated_on', " DB_ISO("i.updated_on") ") FROM instances i LEFT JOIN activities a ON a.id = i.activity_id "

static int search_once(struct node_run *r, const struct cfg *c, struct condition *where, struct val *found, struct err *e)
{
    int64_t limit = c->limit > FOUND_MAX ? FOUND_MAX : c->limit;
    size_t n = where->n_args;
    struct db_conn *conn = NULL;
    PGresult *res = NULL;
    struct val row;
    int rc = -1;

    where->args[n] = DB_INT(limit);
    where->args[n + 1] = DB_INT(c->offset);
    if (node_db(r, &conn, e) != 0 ||
        db_query_sql(conn,
                     arena_printf(r->a, FOUND "WHERE %.*s ORDER BY i.id DESC LIMIT $%zu::bigint OFFSET $%zu::bigint",
                                  STR_ARG(where->sql), n + 1, n + 2),
                     where->args, n + 2, &res, r->a, e) != 0)
        goto out;
    *found = val_list_new(r->a, (size_t)PQntuples(res));
    for (int i = 0; i < PQntuples(res); i++) {
        if (json_parse(db_str(res, i, 0), &row, r->a, e) != 0)
            goto out;
        val_list_add(*found, row);
    }
    rc = 0;
out:
    node_db_put(r, conn);
    return rc;
}

/* A condition that takes PostgreSQL too long would do so again; what else is wrong with the database passes. */
static int search(struct node_run *r, const struct cfg *c, struct condition *where, struct val *found, struct err *e)
{
    int rc;

    do
        rc = search_once(r, c, where, found, e);
    while (rc != 0 && (e->code == ERR_DB || e->code == ERR_BUSY) && node_try_again(r, e));
    return rc;
}

static enum node_rc search_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct condition *where;
    struct val found;

    if (c->limit < 0 || c->offset < 0) {
        err_set(e, ERR_INVALID, "parameter \"%s\" is negative", c->limit < 0 ? "limit" : "offset");
        return NODE_FAIL;
    }
    if (condition_compile(str_trim(c->condition), &where, r->a, e) != 0 || search(r, c, where, &found, e) != 0 ||
        node_set(r, &c->output, found, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_search_transactions = {
    .name = "search_transactions",
    .group = "data",
    .doc = "Finds instances.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", "error", NULL},
    .flags = NODE_BLOCKING | NODE_PURE,
    .run = search_run,
};
