/*
 * Statements of manual actions and one-time tokens.
 *
 * Those of nodes run in the batch that stores the task (db/writer.h), behind everything that gives
 * a lease back: what they signal makes the instance due again.
 */
#include "engine/manual_int.h"

/* A token made by generate_ott; with a user name, it is for that user. */
const struct writer_stmt manual_w_token = {
    "token_insert",
    "INSERT INTO one_time_tokens (digest, scope, user_id, instance_id, instance_on, details, "
    "expires_on) "
    "SELECT u.digest, u.scope, CASE WHEN u.username IS NULL THEN u.user_id ELSE (SELECT s.id FROM "
    "users s WHERE lower(s.username) = lower(u.username)) END, u.instance_id, u.instance_on, "
    "u.details, u.expires_on "
    "FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], "
    "$6::timestamptz[], $7::json[], $8::timestamptz[]) "
    "AS u(digest, scope, user_id, username, instance_id, instance_on, details, expires_on)",
    "ytitizjz", 60};

/*
 * The question, unless what it names does not exist or its instance has been closed by another
 * branch meanwhile; the token its link carries; what the task is told.
 */
const struct writer_stmt manual_w_ask = {
    "manual_ask",
    "WITH u AS (SELECT u.*, r.id AS role_id, o.id AS token_id, "
    "EXISTS (SELECT FROM instances i JOIN tasks t ON t.instance_id = i.id AND t.instance_on = "
    "i.created_on WHERE i.id = u.instance_id AND i.created_on = u.instance_on AND i.status = "
    "'ACTIVE' AND t.id = u.task_id AND t.status = 'WAIT') AS waits "
    "FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::bigint[], "
    "$6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[], "
    "$13::bytea[], $14::json[]) "
    "AS u(guid, instance_id, instance_on, instance_guid, task_id, cell, kind, role, user_id, "
    "description, outputs, form, digest, notify) "
    "LEFT JOIN roles r ON r.name = u.role "
    "LEFT JOIN one_time_tokens o ON o.digest = u.digest AND o.scope = 'ManualAction' "
    "AND o.used_on IS NULL AND o.expires_on > now()), "
    "put AS (INSERT INTO manual_actions (guid, instance_id, instance_on, instance_guid, "
    "created_by_task_id, cell_id, kind, role_id, user_id, anyone, description, possible_outputs, "
    "input_form, output) "
    "SELECT guid::uuid, instance_id, instance_on, instance_guid::uuid, task_id, cell, kind, "
    "role_id, user_id, role IS NULL AND user_id IS NULL, description, outputs, form, "
    "CASE WHEN NOT waits THEN '*cancelled*' END "
    "FROM u WHERE (role IS NULL OR role_id IS NOT NULL) AND (digest IS NULL OR token_id IS NOT "
    "NULL) RETURNING id, guid, role_id, user_id), "
    "bound AS (UPDATE one_time_tokens o SET action_id = put.id FROM put JOIN u ON u.guid::uuid = "
    "put.guid WHERE o.id = u.token_id) "
    "SELECT signal_instance(x.instance_id, x.task_id, x.kind, x.payload) FROM ("
    "SELECT instance_id, task_id, 'refused' AS kind, json_build_object('error', CASE WHEN role IS "
    "NOT NULL AND role_id IS NULL THEN format('unknown role \"%s\"', role) ELSE 'the context key "
    "for the link holds no valid token' END) AS payload "
    "FROM u WHERE waits AND ((role IS NOT NULL AND role_id IS NULL) OR (digest IS NOT NULL AND "
    "token_id IS NULL)) "
    "UNION ALL SELECT u.instance_id, u.task_id, 'notify', (u.notify::jsonb || "
    "jsonb_build_object('action_id', put.id, 'guid', put.guid, 'to', (SELECT "
    "coalesce(jsonb_agg(DISTINCT s.email), '[]') FROM users s WHERE s.status = 'ACTIVE' AND "
    "s.email <> '' AND (s.id = put.user_id OR EXISTS (SELECT FROM user_roles ur WHERE ur.user_id = "
    "s.id AND ur.role_id = put.role_id)))))::json "
    "FROM u JOIN put ON put.guid = u.guid::uuid WHERE u.waits AND u.notify IS NOT NULL) x",
    "tiztitttitttyj", 61};

/* An answer that came too late for its task; who gave it stays to be seen. */
const struct writer_stmt manual_w_unused = {
    "manual_unused",
    "UPDATE manual_actions SET output = '*cancelled*', updated_on = now() WHERE id = ANY "
    "($1::bigint[])",
    "i", 62};

const struct writer_stmt *const manual_writer_stmts[] = {&manual_w_token, &manual_w_ask,
                                                         &manual_w_unused};
const size_t manual_writer_stmts_n = COUNT_OF(manual_writer_stmts);

#define ACTION                                                                                     \
    "SELECT m.id, m.guid, m.instance_id, m.instance_guid, m.created_by_task_id, m.role_id, "       \
    "m.user_id, m.kind, m.description, m.possible_outputs, m.input_form, m.output, m.anyone, "     \
    "coalesce(i.status = 'ACTIVE', false)"
#define ACTION_FROM                                                                                \
    " manual_actions m LEFT JOIN instances i ON i.id = m.instance_id AND i.created_on = "          \
    "m.instance_on "

const struct db_stmt manual_stmt_find = {
    "manual_find",
    ACTION " FROM" ACTION_FROM "WHERE (m.id = $1 OR m.guid = $2::uuid) AND (m.instance_id = $3 OR "
           "m.instance_guid = $4::uuid)",
    4};

const struct db_stmt manual_stmt_token = {
    "manual_token",
    ACTION ", o.digest FROM one_time_tokens o JOIN" ACTION_FROM
           "ON m.id = o.action_id WHERE o.digest = $1 AND o.scope = 'ManualAction' AND o.used_on "
           "IS NULL AND o.expires_on > now()",
    1};

const struct db_stmt manual_stmt_answer = {
    "manual_answer",
    "UPDATE manual_actions SET output = $2, form_values = $3, handled_by_user_id = $4, "
    "handled_by_username = $5, updated_on = now() WHERE id = $1 AND output IS NULL",
    5};

const struct db_stmt manual_stmt_use = {
    "manual_use",
    "UPDATE one_time_tokens SET used_on = now() WHERE digest = $1 AND scope = 'ManualAction' AND "
    "used_on IS NULL AND expires_on > now()",
    1};

static const struct db_stmt *const all[] = {&manual_stmt_find, &manual_stmt_token,
                                            &manual_stmt_answer, &manual_stmt_use};
const struct db_stmts manual_stmts = {"manual", all, COUNT_OF(all)};
