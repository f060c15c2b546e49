/*
 * Rows of subworkflow_items.
 */
#include "nodes/subworkflow_store.h"

#include "base/json.h"

/* Where the instance is closed in the same transaction nothing is left to be started, and it has no state. */
static const struct writer_stmt w_put = {
    "subworkflow_put",
    "INSERT INTO subworkflow_items (instance_id, task_id, n, label, request) "
    "SELECT u.instance_id, u.task_id, u.n, u.label, u.request "
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::json[]) "
    "AS u(instance_id, task_id, n, label, request) JOIN instance_states s ON s.instance_id = u.instance_id "
    "ON CONFLICT (instance_id, task_id, n) DO UPDATE SET label = EXCLUDED.label, request = EXCLUDED.request",
    "iiitj", 60};

static const struct writer_stmt w_drop = {
    "subworkflow_drop",
    "DELETE FROM subworkflow_items s USING unnest($1::bigint[], $2::bigint[]) AS u(instance_id, task_id) "
    "WHERE s.instance_id = u.instance_id AND s.task_id = u.task_id",
    "ii", 61};

static const struct db_stmt stmt_read = {
    "subworkflow_read",
    "SELECT label, request FROM subworkflow_items WHERE instance_id = $1 AND task_id = $2 AND n >= $3 ORDER BY n LIMIT $4",
    4};

static const struct db_stmt *const all[] = {&stmt_read};
const struct db_stmts nodes_stmts = {"nodes", all, COUNT_OF(all)};
const struct writer_stmt *const nodes_writer_stmts[] = {&w_put, &w_drop};
const size_t nodes_writer_stmts_n = COUNT_OF(nodes_writer_stmts);

void subworkflow_put(struct node_run *r, int64_t n, const struct subworkflow_item *item)
{
    node_store(r, &w_put,
               DB_ARGS(DB_INT(node_instance_id(r)), DB_INT(node_task_id(r)), DB_INT(n), DB_STR(item->label),
                       DB_STR(json_text(item->request, r->a))));
}

void subworkflow_drop(struct node_run *r)
{
    node_store(r, &w_drop, DB_ARGS(DB_INT(node_instance_id(r)), DB_INT(node_task_id(r))));
}

static int read_some(struct node_run *r, int64_t from, int64_t max, struct subworkflow_item **out, size_t *n,
                     struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    *n = 0;
    if (node_db(r, &c, e) != 0 ||
        db_query_in(c, &stmt_read,
                    DB_ARGS(DB_INT(node_instance_id(r)), DB_INT(node_task_id(r)), DB_INT(from), DB_INT(max)), &res, r->a,
                    e) != 0)
        goto out;
    *out = ARENA_ARRAY(r->a, struct subworkflow_item, (size_t)PQntuples(res));
    for (int i = 0; i < PQntuples(res); i++) {
        struct subworkflow_item *item = &(*out)[*n];

        item->label = db_str(res, i, 0);
        if (json_parse_kept(db_str(res, i, 1), &item->request, r->a, e) != 0)
            goto out;
        (*n)++;
    }
    rc = 0;
out:
    node_db_put(r, c);
    return rc;
}

int subworkflow_read(struct node_run *r, int64_t from, int64_t max, struct subworkflow_item **out, size_t *n,
                     struct err *e)
{
    int rc;

    do
        rc = read_some(r, from, max, out, n, e);
    while (rc != 0 && node_try_again(r, e));
    return rc;
}
