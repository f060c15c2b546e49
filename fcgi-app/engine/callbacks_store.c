/*
 * Statements of call-backs.
 *
 * Those of nodes run in the batch that stores the task (db/writer.h), behind everything that gives
 * a lease back.
 */
#include "engine/callbacks_int.h"

/* Rows that hold an id which is to be awaited again let go of it; not one of the same task whose
 * call-back is on its way to it. */
const struct writer_stmt callback_w_free = {
    "callback_free",
    "UPDATE external_callbacks c SET current = false, updated_on = now(), "
    "status = CASE c.status WHEN 'READY' THEN 'CONSUMED' ELSE c.status END "
    "FROM (SELECT external_id, min(task_id) AS task_id FROM unnest($1::bigint[], $2::text[]) AS "
    "x(task_id, external_id) GROUP BY 1) AS u "
    "WHERE c.external_id = u.external_id AND c.current AND (c.status = 'CONSUMED' OR "
    "(c.status = 'LOCKED' AND c.origin_task_id IS DISTINCT FROM u.task_id) OR "
    "(c.status = 'READY' AND c.expires_on <= now()))",
    "it", 60};

/* Await; what has come already is handed over at once.  A batch whose commit got no answer may come
 * again: the row of the task itself is none of another. */
const struct writer_stmt callback_w_await = {
    "callback_await",
    "WITH u AS (SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], "
    "$5::text[]) AS u(instance_id, instance_on, task_id, entity, external_id) WHERE EXISTS (SELECT "
    "FROM instances i JOIN tasks t ON t.instance_id = i.id AND t.instance_on = i.created_on WHERE "
    "i.id = u.instance_id AND i.created_on = u.instance_on AND i.status = 'ACTIVE' AND t.id = "
    "u.task_id AND t.status = 'WAIT')), "
    "put AS (INSERT INTO external_callbacks AS c (instance_id, instance_on, origin_task_id, "
    "entity, external_id) "
    "SELECT DISTINCT ON (external_id) instance_id, instance_on, task_id, entity, external_id FROM "
    "u ORDER BY external_id, task_id "
    "ON CONFLICT (external_id) WHERE current DO UPDATE SET instance_id = EXCLUDED.instance_id, "
    "instance_on = EXCLUDED.instance_on, origin_task_id = EXCLUDED.origin_task_id, entity = "
    "EXCLUDED.entity, status = CASE c.status WHEN 'READY' THEN 'LOCKED' ELSE c.status END, "
    "expires_on = NULL, updated_on = now() "
    "WHERE c.status = 'READY' OR (c.status IN ('WAIT', 'LOCKED') AND c.origin_task_id = "
    "EXCLUDED.origin_task_id) RETURNING c.id, c.origin_task_id, c.status, c.body, c.user_id) "
    "SELECT signal_instance(x.instance_id, x.task_id, x.kind, x.payload) FROM ("
    "SELECT u.instance_id, u.task_id, 'callback' AS kind, json_build_object('callback_id', put.id, "
    "'external_id', u.external_id, 'body', put.body::json, 'username', (SELECT username FROM users "
    "WHERE users.id = put.user_id)) AS payload FROM u JOIN put ON "
    "put.origin_task_id = u.task_id WHERE "
    "put.status = 'LOCKED' "
    "UNION ALL SELECT u.instance_id, u.task_id, 'refused', json_build_object('error', "
    "format('external id \"%s\" is awaited by another task', u.external_id)) FROM u WHERE NOT "
    "EXISTS (SELECT FROM put WHERE put.origin_task_id = u.task_id)) x",
    "izitt", 61};

const struct writer_stmt *const callback_writer_stmts[] = {&callback_w_free, &callback_w_await};
const size_t callback_writer_stmts_n = COUNT_OF(callback_writer_stmts);

const struct db_stmt callback_stmt_find = {
    "callback_find",
    "SELECT instance_id, origin_task_id, id FROM external_callbacks WHERE external_id = $1 AND "
    "current AND status = 'WAIT'",
    1};

const struct db_stmt callback_stmt_take = {
    "callback_take",
    "UPDATE external_callbacks SET status = 'LOCKED', body = $2, user_id = $3, updated_on = now() "
    "WHERE id = $1 AND current AND status = 'WAIT'",
    3};

/* A row that expired unread is as good as none. */
const struct db_stmt callback_stmt_keep = {
    "callback_keep",
    "INSERT INTO external_callbacks AS c (external_id, status, body, user_id, expires_on) "
    "VALUES ($1, 'READY', $2, $3, now() + interval '1 day') "
    "ON CONFLICT (external_id) WHERE current DO UPDATE SET body = EXCLUDED.body, user_id = "
    "EXCLUDED.user_id, expires_on = EXCLUDED.expires_on, updated_on = now() "
    "WHERE c.status = 'READY' AND c.expires_on <= now()",
    3};

static const struct db_stmt *const all[] = {&callback_stmt_find, &callback_stmt_take,
                                            &callback_stmt_keep};
const struct db_stmts callback_stmts = {"callbacks", all, COUNT_OF(all)};
