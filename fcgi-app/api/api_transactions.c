/*
 * Transactions (instances of workflows): reading them, and what people do with them (http-api.md 5.15).
 */
#include "api/transaction.h"
#include "api/trace_view.h"
#include "base/arena.h"
#include "base/json.h"
#include "engine/workflow.h"
#include "gateway/mask.h"

#define TASK_STATUS "CASE t.status WHEN 'QUEUED' THEN 'RUN' ELSE t.status END"
/* A failure that left by the output "error": nobody has to act. */
#define ERROR_HANDLED "NOT x.replayed AND coalesce(t.status = 'OK' AND t.output = 'error', false)"

/* Everything of one instance in one round trip; each part a JSON text. */
static const struct db_stmt stmt_get = {
    "api_transaction_get",
    "SELECT json_build_object('id', i.id, 'guid', i.guid, 'activity_id', i.activity_id, 'status', i.status, 'username', i.owner, "
    "'user_id', i.user_id, 'label', i.label, 'original_request_id', i.original_request_id, 'callback_task_id', "
    "i.callback_task_id, 'proxy', i.proxy, 'created_on', " DB_ISO("i.created_on") ", 'updated_on', "
    DB_ISO("coalesce(i.updated_on, i.created_on)") ", 'definition', d.definition, "
    "'tasks', (SELECT coalesce(json_agg(json_build_object('id', t.id, 'cell_id', t.cell_id, 'status', "
    TASK_STATUS ", 'output', t.output, 'runtime', t.runtime, 'created_on', "
    DB_ISO("t.created_on") ", 'updated_on', " DB_ISO("coalesce(t.updated_on, t.created_on)") ") ORDER BY t.id), '[]') "
    "FROM tasks t WHERE t.instance_id = i.id AND t.instance_on = i.created_on), "
    "'errors', (SELECT coalesce(json_agg(json_build_object('id', x.id, 'cell_id', x.cell_id, 'output', x.output, 'description', "
    "x.description, 'advanced', x.advanced, 'replayed', x.replayed, 'handled', " ERROR_HANDLED ", 'created_on', " DB_ISO("x.created_on") ") ORDER BY x.id), '[]') "
    "FROM errors x LEFT JOIN tasks t ON t.instance_id = i.id AND t.id = x.task_id AND t.instance_on = i.created_on "
    "WHERE x.instance_id = i.id AND x.instance_on = i.created_on), "
    "'super_instance', CASE WHEN i.parent_instance_id IS NULL THEN NULL ELSE json_build_object('id', i.parent_instance_id) END"
    ")::text, "
    "(SELECT coalesce(json_agg(json_build_object('id', k.id, 'key', k.key, 'value', k.value, 'sensitive', k.sensitive) "
    "ORDER BY k.id), '[]')::text FROM contexts k WHERE k.instance_id = i.id AND k.instance_on = i.created_on) "
    "FROM instances i LEFT JOIN definitions d ON d.id = i.definition_id WHERE i.id = $1 AND i.created_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_chain = {
    "api_transaction_chain",
    "WITH RECURSIVE up AS (SELECT p.id, p.status, p.parent_instance_id, p.parent_on, 1 AS n FROM instances i "
    "JOIN instances p ON p.id = i.parent_instance_id AND p.created_on = i.parent_on "
    "WHERE i.id = $1 AND i.created_on = $2::timestamptz "
    "UNION ALL SELECT p.id, p.status, p.parent_instance_id, p.parent_on, up.n + 1 FROM up "
    "JOIN instances p ON p.id = up.parent_instance_id AND p.created_on = up.parent_on WHERE up.n < 50) "
    "SELECT coalesce(json_agg(json_build_object('id', id, 'status', status) ORDER BY n), '[]')::text FROM up",
    2,
};

static const struct db_stmt stmt_traces = {
    "api_transaction_traces",
    "SELECT json_build_object('traces', coalesce(json_agg(" TRACE_OBJECT " ORDER BY t.id), '[]'))::text FROM traces t "
    "WHERE t.instance_id = $1 AND t.instance_on = $2::timestamptz AND ($3::bigint = 0 OR t.task_id = $3)",
    3,
};

static const struct db_stmt stmt_logs = {
    "api_transaction_logs",
    "SELECT json_build_object('logs', coalesce(json_agg(json_build_object('log_id', id, 'source', source, 'message', message, "
    "'created_on', " DB_ISO("created_on") ") ORDER BY id), '[]'))::text FROM instance_logs "
    "WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_timers = {
    "api_transaction_timers",
    "SELECT json_build_object('timers', coalesce(json_agg(json_build_object('id', id, 'instance_id', instance_id, 'name', name, "
    "'status', status, 'at', " DB_ISO("at") ", 'type', type, 'key', coalesce(key, ''), 'output', output, 'created_on', "
    DB_ISO("created_on") ") ORDER BY id), '[]'))::text FROM timers WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_documents = {
    "api_transaction_documents",
    "SELECT json_build_object('documents', coalesce(json_agg(json_build_object('id', id, 'name', name, 'description', "
    "description, 'mime_type', mime_type, 'size_in_bytes', size_in_bytes, 'created_by', created_by, 'created_on', "
    DB_ISO("created_on") ") ORDER BY id), '[]'))::text FROM documents WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

#define SUB_OBJECT                                                                                 \
    "'id', s.id, 'guid', s.guid, 'original_request_id', s.original_request_id, 'status', s.status, 'activity_id', s.activity_id, " \
    "'callback_task_id', s.callback_task_id, 'label', s.label, 'error_count', s.cnt_tasks_in_error, 'errors', "       \
    "s.cnt_tasks_in_error, 'tasks', (SELECT coalesce(json_agg(json_build_object('id', t.id, 'task_id', t.id, 'status', " \
    TASK_STATUS ", 'cell_id', t.cell_id) ORDER BY t.id), '[]') FROM tasks t WHERE t.instance_id = s.id AND t.instance_on = s.created_on)"
#define SUB_ROWS                                                                                   \
    "FROM instances s WHERE s.parent_instance_id = $1 AND s.parent_on = $2::timestamptz AND ($3 = 'all' OR s.status = 'ACTIVE') " \
    "AND ($3 <> 'blocked' OR s.cnt_tasks_in_error > 0)"

static const struct db_stmt stmt_subs = {
    "api_transaction_subs",
    "SELECT coalesce(json_agg(x.o), '[]')::text FROM (SELECT json_build_object(" SUB_OBJECT ") AS o " SUB_ROWS
    " ORDER BY s.id LIMIT $4 OFFSET $5) x",
    5,
};

static const struct db_stmt stmt_sub_requests = {
    "api_transaction_sub_requests",
    "SELECT coalesce(json_agg(x.o), '[]')::text FROM (SELECT json_build_object('request', json_build_object('status', "
    "s.request_status, 'label', coalesce(s.label, '')), 'instance', json_build_object(" SUB_OBJECT ")) AS o " SUB_ROWS
    " ORDER BY s.id LIMIT $4 OFFSET $5) x",
    5,
};

static const struct db_stmt stmt_sub_count = {
    "api_transaction_sub_count",
    "SELECT count(*) " SUB_ROWS,
    3,
};

static const struct db_stmt *const all[] = {
    &stmt_get,  &stmt_chain,        &stmt_traces,    &stmt_logs, &stmt_timers, &stmt_documents,
    &stmt_subs, &stmt_sub_requests, &stmt_sub_count};
const struct db_stmts api_transactions_stmts = {"api_transactions", all, COUNT_OF(all)};

/* Context values as text, what is secret as asterisks (workflow-engine.md 4.7). */
static struct val shown_context(struct api_call *c, struct val rows)
{
    struct val out = val_list_new(c->a, val_count(rows)), secrets = val_list_new(c->a, 0);

    for (size_t i = 0; i < val_count(rows); i++)
        if (val_get_bool(val_at(rows, i), "sensitive", false))
            val_list_add(secrets, val_get(val_at(rows, i), "value"));
    for (size_t i = 0; i < val_count(rows); i++) {
        struct val row = val_at(rows, i), shown = val_dict_new(c->a, 3);
        bool secret = val_get_bool(row, "sensitive", false) || mask_key(val_get_text(row, "key", STR("")));

        val_dict_set_c(shown, "id", val_get(row, "id"));
        val_dict_set_c(shown, "key", val_get(row, "key"));
        val_dict_set_c(shown, "value", val_str(engine_hide(engine_context_shown(val_get(row, "value"), secret, c->a), secrets, c->a)));
        val_list_add(out, shown);
    }
    return out;
}

int transaction_get(struct api_call *c, struct err *e)
{
    struct val context, chain;
    PGresult *res = NULL;
    struct str chain_text;
    struct transaction f;

    if (transaction_open(c, &f, e) != 0 || db_query_in(c->conn, &stmt_get, DB_ARGS(DB_INT(f.id), DB_STR(f.on)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such transaction");
        return -1;
    }
    if (json_parse_kept(db_str(res, 0, 0), &c->result, c->a, e) != 0 || json_parse_kept(db_str(res, 0, 1), &context, c->a, e) != 0)
        return -1;
    if (val_is(val_get(c->result, "definition"), VAL_STR))
        val_dict_set_c(c->result, "definition", val_str(wf_served_text(val_text(val_get(c->result, "definition")), c->a)));
    val_dict_set_c(c->result, "context", shown_context(c, context));
    chain = val_list_new(c->a, 0);
    if (!val_is_none(val_get(c->result, "super_instance")) &&
        (db_text(c->conn, &stmt_chain, DB_ARGS(DB_INT(f.id), DB_STR(f.on)), &chain_text, c->a, e) != 0 ||
         json_parse(chain_text, &chain, c->a, e) != 0))
        return -1;
    val_dict_set_c(c->result, "super_instance_chain", chain);
    return 0;
}

/* The text of a definition that comes as an object, as JSON text, or as JSON text within JSON text (http-api.md 5.15). */
static struct str definition_text(struct api_call *c, struct val v)
{
    struct err ignored = {0};
    struct val inner;

    if (!val_is(v, VAL_STR))
        return json_text(v, c->a);
    if (json_parse(val_text(v), &inner, c->a, &ignored) == 0 && val_is(inner, VAL_STR))
        return val_text(inner);
    return val_text(v);
}

/* Who replaces a definition decides what is run: the right to see requests is not enough. */
static int replace_definition(struct api_call *c, int64_t id, struct val definition, struct err *e)
{
    if (api_allowed(c->user, "orchestration", e) != 0)
        return -1;
    if (engine_set_definition(c->api->engine, id, definition_text(c, definition), c->user, e) == 0)
        return 0;
    if (e->code == ERR_INVALID)
        err_context(e, "definition");
    return -1;
}

int transaction_put(struct api_call *c, struct err *e)
{
    struct val definition = val_get(c->body, "definition");
    struct str status = STR_NONE;
    struct transaction f;

    if (transaction_open(c, &f, e) != 0 || api_body_text(c, "status", 40, &status, e) != 0)
        return -1;
    if (status.len == 0 && val_is_none(definition)) {
        err_set(e, ERR_INVALID, "status or definition is required");
        return -1;
    }
    if (!val_is_none(definition) && replace_definition(c, f.id, definition, e) != 0)
        return -1;
    if (status.len > 0 && engine_set_status(c->api->engine, f.id, status, c->user, e) != 0)
        return -1;
    api_answer_id(c, "id", f.id);
    return 0;
}

/* meta={"replay_behaviour":"skip"|"rollback"}; without it the task is replayed. */
static int read_act(struct api_call *c, enum engine_act *act, struct err *e)
{
    struct str meta = http_req_param(c->req, "meta"), how;
    struct val v;

    *act = ENGINE_REPLAY;
    if (meta.len == 0)
        return 0;
    if (json_parse(meta, &v, c->a, e) != 0) {
        err_context(e, "meta");
        return -1;
    }
    if (!val_is(v, VAL_DICT)) {
        err_set(e, ERR_INVALID, "meta: expected an object, got %s", val_type_name(v));
        return -1;
    }
    v = val_get(v, "replay_behaviour");
    how = val_is_none(v) ? STR("replay") : val_is(v, VAL_STR) ? val_text(v) : json_text(v, c->a);
    if (str_eq(how, STR("skip"))) {
        *act = ENGINE_SKIP;
    } else if (str_eq(how, STR("rollback"))) {
        *act = ENGINE_ROLLBACK;
    } else if (!str_eq(how, STR("replay"))) {
        err_set(e, ERR_INVALID, "meta: replay_behaviour: expected skip or rollback, got \"%.*s\"", STR_ARG(how));
        return -1;
    }
    return 0;
}

int transaction_task_put(struct api_call *c, struct err *e)
{
    enum engine_act act;
    struct transaction f;
    int64_t task;

    if (transaction_open(c, &f, e) != 0 || api_id(c, 1, "task", &task, e) != 0 || read_act(c, &act, e) != 0 ||
        engine_task_act(c->api->engine, f.id, task, act, c->user, e) != 0)
        return -1;
    api_answer_id(c, "id", task);
    return 0;
}

int transaction_context_put(struct api_call *c, struct err *e)
{
    struct val value = val_get(c->body, "value");
    struct transaction f;
    struct str key;

    if (transaction_open(c, &f, e) != 0 || api_body_need(c, "key", LIMIT_CONTEXT_KEY, &key, e) != 0)
        return -1;
    if (val_is_undef(value)) {
        err_set(e, ERR_INVALID, "value is required");
        return -1;
    }
    if (engine_set_context(c->api->engine, f.id, key, value, c->user, e) != 0)
        return -1;
    return 0;
}

int transaction_template_context(struct api_call *c, struct err *e)
{
    struct transaction f;

    if (transaction_open(c, &f, e) != 0 || engine_template_context(c->api->engine, f.id, &c->result, c->a, e) != 0)
        return -1;
    /* platform workflows get passwords and one-time tokens as their request (5.6) */
    val_dict_set_c(c->result, "request", mask_value(val_get(c->result, "request"), c->a));
    return 0;
}

/* ---- lists of one instance --------------------------------------------------------------------------- */

int transaction_logs(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_logs, e);
}

int transaction_timers(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_timers, e);
}

int transaction_documents(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_documents, e);
}

int transaction_traces(struct api_call *c, struct err *e)
{
    struct transaction f;
    int64_t task = 0;

    if (transaction_open(c, &f, e) != 0 || (c->params[1].p != NULL && api_id(c, 1, "task", &task, e) != 0))
        return -1;
    if (api_answer_query(c, &stmt_traces, DB_ARGS(DB_INT(f.id), DB_STR(f.on), DB_INT(task)), "transaction", e) != 0)
        return -1;
    return traces_with_details(c, e);
}

/* ---- sub-instances -------------------------------------------------------------------------------------- */

static int read_filter(struct api_call *c, struct str *filter, struct err *e)
{
    *filter = http_req_param(c->req, "filter");
    if (filter->len == 0)
        *filter = STR("all");
    if (str_eq(*filter, STR("all")) || str_eq(*filter, STR("active")) || str_eq(*filter, STR("blocked")))
        return 0;
    err_set(e, ERR_INVALID, "filter: expected all, active or blocked");
    return -1;
}

static int answer_subs(struct api_call *c, const struct db_stmt *s, const char *collection, struct err *e)
{
    struct str paging = http_req_param(c->req, "paging"), filter, rows, count_text;
    int64_t page = 1, size = LIMIT_PAGE_SIZE, count, pages;
    struct transaction f;
    struct val v;

    if (transaction_open(c, &f, e) != 0 || read_filter(c, &filter, e) != 0)
        return -1;
    if (paging.len > 0) {
        if (json_parse(paging, &v, c->a, e) != 0) {
            err_context(e, "paging");
            return -1;
        }
        page = val_get_int(v, "page_number", 1);
        size = val_get_int(v, "page_size", 25);
    }
    page = page < 1 || page > INT32_MAX ? 1 : page;
    size = size < 1 || size > LIMIT_PAGE_SIZE ? LIMIT_PAGE_SIZE : size;
    if (db_text(c->conn, s, DB_ARGS(DB_INT(f.id), DB_STR(f.on), DB_STR(filter), DB_INT(size), DB_INT((page - 1) * size)), &rows,
                c->a, e) != 0 ||
        db_text(c->conn, &stmt_sub_count, DB_ARGS(DB_INT(f.id), DB_STR(f.on), DB_STR(filter)), &count_text, c->a, e) != 0 ||
        !str_to_int(count_text, &count))
        return -1;
    pages = count > 0 ? (count + size - 1) / size : 1;
    c->text = str_printf(c->a,
                         "{\"%s\":%.*s,\"pagination\":[%lld,%lld,%lld,%lld],\"filter\":\"%.*s\",\"total_count\":%lld,\"limit\":%lld,"
                         "\"offset\":%lld}",
                         collection, STR_ARG(rows), (long long)page, (long long)size, (long long)pages, (long long)count,
                         STR_ARG(filter), (long long)count, (long long)size, (long long)((page - 1) * size));
    return 0;
}

int transaction_subs(struct api_call *c, struct err *e)
{
    return answer_subs(c, &stmt_subs, "instances", e);
}

int transaction_sub_requests(struct api_call *c, struct err *e)
{
    return answer_subs(c, &stmt_sub_requests, "requests", e);
}
