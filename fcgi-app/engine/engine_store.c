/*
 * How runs get into the database: one statement per table and kind of change, over arrays, sent by
 * the writer.
 *
 * A row of history is written once in most runs; what parks is updated later.  The partition key of
 * everything that belongs to an instance is its creation time (0004_history.sql).
 */
#include "engine/engine_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "engine/entity_int.h"
#include "engine/signal.h"

/* ---- statements ----------------------------------------------------------------------------- */

/*
 * Fails the item when the job is not ours any more: 1/0 where the fence differs or the row is gone.
 * Without a fence: the job of whoever holds that instance is only locked, since it will be
 * signalled.  All in one order, the older instance first, so that two writers do not wait for each
 * other: a child locks its parent before itself, as who closes the parent does with the children he
 * tells (children_close).  Ids would not do, each process takes them from a block of its own.
 */
static const struct writer_stmt w_job_fence = {
    "job_fence",
    "SELECT CASE WHEN l.fence <> 0 THEN l.fence / coalesce(l.locked & 1, 0) END, l.fence <> 0 AND "
    "l.locked > 1 AS tell FROM (SELECT u.fence, (SELECT (j.id = u.id AND j.fence = u.fence)::int + "
    "2 * (j.signals <> u.signals)::int FROM jobs j WHERE j.kind = 'instance' AND j.ref_id = u.ref "
    "FOR UPDATE) AS locked "
    "FROM (SELECT coalesce(y.holder[1], y.created_us), coalesce(y.holder[2], y.ref) AS ref, y.id, "
    "y.fence, y.signals FROM (SELECT x.*, CASE WHEN x.fence = 0 THEN (SELECT ARRAY[(extract(epoch "
    "FROM h.created_on) * 1000000)::bigint, h.id] FROM instance_holder(x.ref) h) END AS holder "
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS x(ref, "
    "created_us, id, fence, signals) OFFSET 0) y ORDER BY 1, 2) u OFFSET 0) l",
    "iiiii", 0};

static const struct writer_stmt w_request_insert = {
    "request_insert",
    "INSERT INTO requests (id, created_on, updated_on, status, method, url, details, response, "
    "response_status, "
    "runtime_ms, user_id, owner, client_ip, activity_id, route_id, instance_id, instance_on, "
    "instance_status, "
    "proxy_gateway_host, gateway) "
    "SELECT u.id, u.created_on, u.updated_on, u.status, u.method, u.url, u.details, u.response, "
    "u.response_status, "
    "u.runtime_ms, u.user_id, u.owner, u.client_ip::inet, u.activity_id, u.route_id, "
    "u.instance_id, u.instance_on, "
    "u.instance_status, u.proxy_gateway_host, u.gateway "
    "FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], "
    "$6::text[], $7::json[], "
    "$8::json[], $9::bigint[], $10::float8[], $11::bigint[], $12::text[], $13::text[], "
    "$14::bigint[], $15::bigint[], "
    "$16::bigint[], $17::timestamptz[], $18::text[], $19::text[], $20::text[]) "
    "AS u(id, created_on, updated_on, status, method, url, details, response, response_status, "
    "runtime_ms, user_id, "
    "owner, client_ip, activity_id, route_id, instance_id, instance_on, instance_status, "
    "proxy_gateway_host, gateway)",
    "izztttjjifittiiizttt", 10};

static const struct writer_stmt w_request_update = {
    "request_update",
    "UPDATE requests r SET status = u.status, instance_status = u.instance_status, updated_on = "
    "u.updated_on, "
    "response = coalesce(u.response, r.response), response_status = coalesce(u.response_status, "
    "r.response_status), "
    "runtime_ms = u.runtime_ms "
    "FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], "
    "$6::json[], $7::bigint[], "
    "$8::float8[]) AS u(id, created_on, status, instance_status, updated_on, response, "
    "response_status, runtime_ms) "
    "WHERE r.id = u.id AND r.created_on = u.created_on",
    "izttzjif", 11};

static const struct writer_stmt w_request_proxied = {
    "request_proxied",
    "INSERT INTO requests (id, created_on, updated_on, status, label, method, url, details, "
    "response_status, runtime_ms, "
    "user_id, owner, activity_id, instance_id, proxy_gateway_host, entity_type, tenant_id, "
    "site_id, numbers) "
    "SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[], "
    "$5::text[], $6::text[], "
    "$7::text[], $8::json[], $9::bigint[], $10::float8[], $11::bigint[], $12::text[], "
    "$13::bigint[], $14::bigint[], $15::text[], "
    "$16::text[], $17::text[], $18::text[], $19::text[])",
    "izzttttjifitiittttt", 10};

static const struct writer_stmt w_instance_insert = {
    "instance_insert",
    "INSERT INTO instances (id, created_on, updated_on, closed_on, guid, status, kind, "
    "activity_id, version_id, "
    "definition_id, label, user_id, owner, original_request_id, request_on, request, "
    "request_status, "
    "parent_instance_id, parent_on, callback_task_id, depth, proxy, durability, sync, "
    "cnt_tasks_in_error, "
    "end_task_in_error) "
    "SELECT u.id, u.created_on, u.updated_on, u.closed_on, u.guid::uuid, u.status, u.kind, "
    "u.activity_id, u.version_id, "
    "u.definition_id, u.label, u.user_id, u.owner, u.request_id, u.request_on, u.request, "
    "u.request_status, u.parent_id, "
    "u.parent_on, u.task_id, u.depth, u.proxy, u.durability, u.sync, u.errors, u.end_failed "
    "FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], "
    "$5::text[], $6::text[], "
    "$7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], "
    "$13::text[], $14::bigint[], "
    "$15::timestamptz[], $16::json[], $17::text[], $18::bigint[], $19::timestamptz[], "
    "$20::bigint[], $21::bigint[], "
    "$22::text[], $23::text[], $24::boolean[], $25::bigint[], $26::boolean[]) "
    "AS u(id, created_on, updated_on, closed_on, guid, status, kind, activity_id, version_id, "
    "definition_id, label, "
    "user_id, owner, request_id, request_on, request, request_status, parent_id, parent_on, "
    "task_id, depth, proxy, "
    "durability, sync, errors, end_failed)",
    "izzztttiiititizjtiziittbib", 20};

static const struct writer_stmt w_instance_update = {
    "instance_update",
    "UPDATE instances i SET status = u.status, updated_on = u.updated_on, closed_on = u.closed_on, "
    "request_status = u.request_status, cnt_tasks_in_error = u.errors, end_task_in_error = "
    "u.end_failed "
    "FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[], "
    "$5::timestamptz[], $6::text[], "
    "$7::bigint[], $8::boolean[]) AS u(id, created_on, status, updated_on, closed_on, "
    "request_status, errors, end_failed) "
    "WHERE i.id = u.id AND i.created_on = u.created_on",
    "iztzztib", 21};

static const struct writer_stmt w_task_insert = {
    "task_insert",
    "INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, output, runtime, "
    "created_on, updated_on) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], "
    "$6::text[], $7::float8[], "
    "$8::timestamptz[], $9::timestamptz[])",
    "iiztttfzz", 30};

static const struct writer_stmt w_task_update = {
    "task_update",
    "UPDATE tasks t SET status = u.status, output = u.output, runtime = u.runtime, updated_on = "
    "u.updated_on "
    "FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], "
    "$6::float8[], $7::timestamptz[]) "
    "AS u(id, instance_id, instance_on, status, output, runtime, updated_on) "
    "WHERE t.instance_id = u.instance_id AND t.id = u.id AND t.instance_on = u.instance_on",
    "iizttfz", 31};

static const struct writer_stmt w_context_insert = {
    "context_insert",
    "INSERT INTO contexts (id, instance_id, instance_on, key, value, cleanup, sensitive, "
    "updated_on) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::json[], "
    "$6::boolean[], "
    "$7::boolean[], $8::timestamptz[])",
    "iiztjbbz", 32};

static const struct writer_stmt w_context_update = {
    "context_update",
    "UPDATE contexts c SET value = u.value, cleanup = u.cleanup, sensitive = u.sensitive, "
    "updated_on = u.updated_on "
    "FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::json[], $5::boolean[], "
    "$6::boolean[], "
    "$7::timestamptz[]) AS u(instance_id, instance_on, key, value, cleanup, sensitive, updated_on) "
    "WHERE c.instance_id = u.instance_id AND c.key = u.key AND c.instance_on = u.instance_on",
    "iztjbbz", 33};

static const struct writer_stmt w_context_delete = {
    "context_delete",
    "DELETE FROM contexts c USING unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS "
    "u(instance_id, instance_on, key) "
    "WHERE c.instance_id = u.instance_id AND c.key = u.key AND c.instance_on = u.instance_on",
    "izt", 34};

static const struct writer_stmt w_error_insert = {
    "error_insert",
    "INSERT INTO errors (id, instance_id, instance_on, task_id, cell_id, output, description, "
    "advanced, created_on) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[], "
    "$6::text[], $7::text[], "
    "$8::boolean[], $9::timestamptz[])",
    "iizitttbz", 35};

static const struct writer_stmt w_trace_insert = {
    "trace_insert",
    "INSERT INTO traces (id, instance_id, instance_on, task_id, request_id, label, session_holder, "
    "host, http_method, "
    "http_url, status, input, output, external_id, cache_hit, runtime_ms, created_on, updated_on) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], "
    "$5::bigint[], $6::text[], "
    "$7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], "
    "$14::text[], $15::boolean[], "
    "$16::float8[], $17::timestamptz[], $18::timestamptz[])",
    "iiziitttttitttbfzz", 36};

static const struct writer_stmt w_log_insert = {
    "instance_log_insert",
    "INSERT INTO instance_logs (instance_id, instance_on, source, message, created_on) "
    "SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], "
    "$5::timestamptz[])",
    "izttz", 37};

static const struct writer_stmt w_timer_insert = {
    "timer_insert",
    "INSERT INTO timers (id, instance_id, instance_on, task_id, name, key, type, status, at, "
    "output, created_on) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[], "
    "$6::text[], $7::text[], "
    "$8::text[], $9::timestamptz[], $10::text[], $11::timestamptz[])",
    "iizittttztz", 38};

static const struct writer_stmt w_timer_update = {
    "timer_update",
    "UPDATE timers t SET status = u.status, at = u.at, updated_on = now() "
    "FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS u(id, status, at) WHERE t.id = "
    "u.id",
    "itz", 39};

static const struct writer_stmt w_state_put = {
    "state_put",
    "INSERT INTO instance_states (instance_id, instance_on, state) "
    "SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::json[]) "
    "ON CONFLICT (instance_id) DO UPDATE SET state = EXCLUDED.state, step = instance_states.step + "
    "1, updated_on = now()",
    "izj", 40};

static const struct writer_stmt w_state_delete = {
    "state_delete", "DELETE FROM instance_states WHERE instance_id = ANY ($1::bigint[])", "i", 41};

static const struct writer_stmt w_job_insert = {
    "job_insert",
    "INSERT INTO jobs (id, kind, ref_id, ref_on, state, due_on, lease_owner, lease_until, fence, "
    "lane) "
    "SELECT u.id, 'instance', u.ref_id, u.ref_on, u.state, u.due_on, u.owner, now() + u.lease * "
    "interval '1 ms', u.fence, u.lane "
    "FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::timestamptz[], "
    "$6::text[], $7::bigint[], "
    "$8::bigint[], $9::bigint[]) AS u(id, ref_id, ref_on, state, due_on, owner, lease, fence, "
    "lane) "
    "ON CONFLICT (kind, ref_id) WHERE ref_id IS NOT NULL DO UPDATE SET due_on = least(jobs.due_on, "
    "EXCLUDED.due_on)",
    "iiztztiii", 50};

/* Something was stored: the count of owners that died begins again. */
static const struct writer_stmt w_job_progress = {
    "job_progress",
    "UPDATE jobs j SET attempts = 0 FROM unnest($1::bigint[], $2::bigint[]) AS u(id, fence) "
    "WHERE j.id = u.id AND j.fence = u.fence",
    "ii", 50};

/* Given back: to be run again at a time, or at once when there are signals nobody has read, which is
 * told (store_wake). */
static const struct writer_stmt w_job_park = {
    "job_park",
    "UPDATE jobs j SET state = 'ready', due_on = CASE WHEN j.signals = u.signals THEN u.due_on "
    "ELSE least(u.due_on, now()) END, lease_owner = NULL, lease_until = NULL, attempts = 0 "
    "FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS u(id, fence, "
    "due_on, signals) WHERE j.id = u.id AND j.fence = u.fence RETURNING j.signals <> u.signals AS "
    "tell",
    "iizi", 51};

static const struct writer_stmt w_job_delete = {
    "job_delete",
    "DELETE FROM jobs j USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u(id, fence, "
    "signals) WHERE j.id = u.id AND j.fence = u.fence AND j.signals = u.signals",
    "iii", 52};

/* It was not deleted, for there are signals nobody has read. */
static const struct writer_stmt w_job_again = {
    "job_again",
    "UPDATE jobs j SET state = 'ready', due_on = now(), lease_owner = NULL, lease_until = NULL, "
    "attempts = 0 FROM unnest($1::bigint[], $2::bigint[]) AS u(id, fence) WHERE j.id = u.id AND "
    "j.fence = u.fence RETURNING true AS tell",
    "ii", 53};

static const struct writer_stmt w_signal_delete = {
    "signal_delete", "DELETE FROM instance_signals WHERE id = ANY ($1::bigint[])", "i", 42};

static const struct writer_stmt w_signal = {
    "signal_put",
    "SELECT signal_instance(u.id, u.task, u.kind, u.payload) FROM (SELECT * FROM "
    "unnest($1::bigint[], $2::bigint[], $3::text[], $4::json[]) AS x(id, task, kind, payload) "
    "ORDER BY 1) u",
    "iitj", 60};

/* The children of a task, or of an instance that closes (0). */
const struct writer_stmt child_w_close = {
    "children_close",
    "SELECT signal_instance(c.id, 0, 'close', NULL) FROM (SELECT i.id FROM unnest($1::bigint[], "
    "$2::bigint[]) AS u(id, task) JOIN instances i ON i.parent_instance_id = u.id AND i.status = "
    "'ACTIVE' AND i.kind = 'child' AND u.task IN (0, i.callback_task_id) ORDER BY i.created_on, 1) c",
    "ii", 61};

const struct writer_stmt *const engine_writer_stmts[] = {
    &w_job_fence,       &w_request_insert,  &w_request_update, &w_request_proxied,
    &w_instance_insert, &w_instance_update, &w_task_insert,    &w_task_update,
    &w_context_insert,  &w_context_update,  &w_context_delete, &w_error_insert,
    &w_trace_insert,    &w_log_insert,      &w_timer_insert,   &w_timer_update,
    &w_state_put,       &w_state_delete,    &w_job_insert,     &w_job_park,
    &w_job_delete,      &w_job_progress,      &w_job_again,       &w_signal_delete,  &w_signal,
    &child_w_close,  &key_w_expired,     &key_w_sweep,      &key_w_insert,
    &key_w_answer,      &op_w_replayed,     &op_w_definition,  &op_w_audit,
};
const size_t engine_writer_stmts_n = COUNT_OF(engine_writer_stmts);

/* Those of the other files too, so that one test prepares all of them. */
static const struct db_stmt *const all[] = {
    &load_stmt_top,    &load_stmt_instance, &load_stmt_tasks,  &load_stmt_contexts,
    &load_stmt_timers, &load_stmt_user,     &load_stmt_when,   &load_stmt_signals, &load_stmt_errors,
    &job_stmt_owners,  &op_stmt_close,     &op_stmt_children,
    &job_stmt_orphan,  &job_stmt_claim,     &job_stmt_prolong, &job_stmt_take,
    &job_stmt_return,  &job_stmt_fail,      &op_stmt_timer,    &signal_stmt,      &signal_stmt_open,
    &key_stmt_find,
    &job_stmt_expire,  &job_stmt_claim_fair, &job_stmt_start, &job_stmt_notify, &run_stmt_stored,
    &mass_stmt_insert, &mass_stmt_job,      &mass_stmt_head,   &mass_stmt_items,
    &mass_stmt_result, &mass_stmt_end,       &responses_stmt,
};
const struct db_stmts engine_stmts = {"engine", all, COUNT_OF(all)};

/* ---- rows ----------------------------------------------------------------------------------- */

static const char *const task_states[] = {"QUEUED", "QUEUED", "WAIT", "OK", "ERROR"};
static const char *const timer_states[] = {"WAIT", "STOP", "CANCEL"};

#define ADD(stmt, ...) writer_add(&r->item, stmt, DB_ARGS(__VA_ARGS__), r->a)
#define TIME_OR_NULL(us) ((us) != 0 ? DB_TIME(us) : DB_NULL)

static struct str request_state(const struct instance *in)
{
    if (in->request_status.p != NULL)
        return in->request_status;
    return in->status == INSTANCE_ACTIVE    ? STR("ACTIVE")
           : in->status == INSTANCE_SUCCESS ? STR("SUCCESS")
                                            : STR("ERROR");
}

static struct db_arg response_arg(struct run *r)
{
    return val_is_undef(r->answer.kept) ? DB_NULL
                                        : DB_STR(instance_hide(r->in, json_text(r->answer.kept, r->a), r->a));
}

static void add_request(struct run *r)
{
    const struct instance *in = r->in;
    double ms = (double)(in->updated_us - in->request_us) / 1000.0;
    struct db_arg status = r->answer.status != 0 ? DB_INT(r->answer.status) : DB_NULL;

    if (in->request_id == 0)
        return;
    if (!in->stored)
        ADD(&w_request_insert, DB_INT(in->request_id), DB_TIME(in->request_us),
            DB_TIME(in->updated_us), DB_STR(request_state(in)), DB_STR(r->method), DB_STR(r->url),
            DB_STR(json_text(in->request, r->a)), response_arg(r), status, DB_FLOAT(ms),
            DB_INT_OR_NULL(in->user_id), DB_STR_OR_NULL(in->owner),
            r->client_ip.len > 0 ? DB_STR(r->client_ip) : DB_NULL, DB_INT_OR_NULL(in->activity_id),
            DB_INT_OR_NULL(r->route_id), DB_INT(in->id), DB_TIME(in->created_us),
            DB_C(instance_status_name(in->status)), DB_STR_OR_NULL(r->gateway_host),
            DB_STR_OR_NULL(r->gateway));
    else
        ADD(&w_request_update, DB_INT(in->request_id), DB_TIME(in->request_us),
            DB_STR(request_state(in)), DB_C(instance_status_name(in->status)),
            DB_TIME(in->updated_us), response_arg(r), status, DB_FLOAT(ms));
}

static void add_instance(struct run *r, const struct instance *in)
{
    int64_t errors = instance_errors(in);

    if (!in->dirty)
        return;
    if (in->stored) {
        ADD(&w_instance_update, DB_INT(in->id), DB_TIME(in->created_us),
            DB_C(instance_status_name(in->status)), DB_TIME(in->updated_us),
            TIME_OR_NULL(in->closed_us), DB_STR_OR_NULL(in->request_status), DB_INT(errors),
            DB_BOOL(instance_end_failed(in)));
        if (in->wf->has_entities && in->status != INSTANCE_ACTIVE && !in->told)
            ADD(&entity_w_close, DB_INT(in->id));
        return;
    }
    ADD(&w_instance_insert, DB_INT(in->id), DB_TIME(in->created_us), DB_TIME(in->updated_us),
        TIME_OR_NULL(in->closed_us), DB_C(in->guid), DB_C(instance_status_name(in->status)),
        DB_C(in->kind), DB_INT_OR_NULL(in->activity_id), DB_INT_OR_NULL(in->version_id),
        DB_INT(in->definition_id), DB_STR_OR_NULL(in->label), DB_INT_OR_NULL(in->user_id),
        DB_STR_OR_NULL(in->owner), DB_INT_OR_NULL(in->request_id), TIME_OR_NULL(in->request_us),
        in->request_id != 0 ? DB_NULL : DB_STR(json_text(in->request, r->a)),
        DB_STR_OR_NULL(in->request_status), DB_INT_OR_NULL(in->parent_id),
        TIME_OR_NULL(in->parent_us), DB_INT_OR_NULL(in->callback_task_id), DB_INT(in->depth),
        in->proxy_name.len > 0 ? DB_STR(in->proxy_name) : DB_NULL,
        DB_C(in->step_durable ? "step" : "park"), DB_BOOL(in->sync), DB_INT(errors),
        DB_BOOL(instance_end_failed(in)));
}

static void add_tasks(struct run *r, const struct instance *in)
{
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        double spent = (double)t->spent_us / 1e6;

        if (!t->dirty)
            continue;
        r->mark.instance_id = in->id;
        r->mark.instance_us = in->created_us;
        r->mark.task_id = t->id;
        r->mark.updated_us = t->updated_us;
        r->mark.status = task_states[t->status];
        if (t->stored)
            ADD(&w_task_update, DB_INT(t->id), DB_INT(in->id), DB_TIME(in->created_us),
                DB_C(task_states[t->status]), DB_STR_OR_NULL(t->output), DB_FLOAT(spent),
                DB_TIME(t->updated_us));
        else
            ADD(&w_task_insert, DB_INT(t->id), DB_INT(in->id), DB_TIME(in->created_us),
                DB_STR(t->cell_name), DB_C(task_states[t->status]), DB_STR_OR_NULL(t->output),
                DB_FLOAT(spent), DB_TIME(t->created_us), DB_TIME(t->updated_us));
    }
}

static void add_context(struct run *r, const struct instance *in)
{
    for (uint32_t i = 0; i < in->n_ctx; i++) {
        struct ctx_entry *c = &in->ctx[i];

        if (!c->dirty)
            continue;
        if (!c->present) {
            if (c->stored)
                ADD(&w_context_delete, DB_INT(in->id), DB_TIME(in->created_us), DB_STR(c->key));
            continue;
        }
        if (c->json.p == NULL)
            c->json = json_text(c->v, r->a);
        if (c->stored)
            ADD(&w_context_update, DB_INT(in->id), DB_TIME(in->created_us), DB_STR(c->key),
                DB_STR(c->json), DB_BOOL(c->cleanup), DB_BOOL(c->sensitive),
                DB_TIME(in->updated_us));
        else
            ADD(&w_context_insert, DB_INT(c->id), DB_INT(in->id), DB_TIME(in->created_us),
                DB_STR(c->key), DB_STR(c->json), DB_BOOL(c->cleanup), DB_BOOL(c->sensitive),
                DB_TIME(in->updated_us));
    }
}

static void add_told(struct run *r, const struct instance *in)
{
    for (const struct error_row *x = in->errors; x != NULL; x = x->next)
        ADD(&w_error_insert, DB_INT(x->id), DB_INT(in->id), DB_TIME(in->created_us),
            DB_INT(x->task_id), DB_STR(x->cell), DB_STR(x->output), DB_STR(x->description),
            DB_BOOL(x->advanced), DB_TIME(x->created_us));
    for (const struct trace_row *x = in->traces; x != NULL; x = x->next)
        ADD(&w_trace_insert, DB_INT(x->id), DB_INT(in->id), DB_TIME(in->created_us),
            DB_INT(x->task_id), DB_INT_OR_NULL(in->request_id), DB_STR(x->label),
            DB_STR_OR_NULL(x->t.session_holder), DB_STR_OR_NULL(x->t.host),
            DB_STR_OR_NULL(x->t.method), DB_STR_OR_NULL(x->t.url), DB_INT(x->t.status),
            DB_STR_OR_NULL(x->t.input), DB_STR_OR_NULL(x->t.output),
            DB_STR_OR_NULL(x->t.external_id), DB_BOOL(x->t.cache_hit),
            DB_FLOAT((double)(x->t.ended_us - x->t.started_us) / 1000.0), DB_TIME(x->t.started_us),
            DB_TIME(x->t.ended_us));
    for (const struct log_row *x = in->logs; x != NULL; x = x->next)
        ADD(&w_log_insert, DB_INT(in->id), DB_TIME(in->created_us), DB_STR(x->source),
            DB_STR(x->message), DB_TIME(x->created_us));
    for (const struct timer_row *x = in->timers; x != NULL; x = x->next) {
        if (!x->dirty)
            continue;
        if (x->stored)
            ADD(&w_timer_update, DB_INT(x->id), DB_C(timer_states[x->status]), DB_TIME(x->at_us));
        else
            ADD(&w_timer_insert, DB_INT(x->id), DB_INT(in->id), DB_TIME(in->created_us),
                DB_INT(x->task_id), DB_STR(x->name), x->key.len > 0 ? DB_STR(x->key) : DB_NULL,
                DB_STR(x->type), DB_C(timer_states[x->status]), DB_TIME(x->at_us),
                DB_STR(x->output), DB_TIME(x->created_us));
    }
}

static void add_state(struct run *r, const struct instance *in)
{
    struct str state;

    if (instance_state_write(in, &state, r->a))
        ADD(&w_state_put, DB_INT(in->id), DB_TIME(in->created_us), DB_STR(state));
    else if (in->state_stored)
        ADD(&w_state_delete, DB_INT(in->id));
}

/* Of two times, 0 being never. */
static int64_t earlier(int64_t x, int64_t y)
{
    return x == 0 || (y != 0 && y < x) ? y : x;
}

/* When the instance has something to do by itself: now, at its next timer, or never (0). */
static int64_t due_us(const struct instance *in)
{
    int64_t due = 0;

    if (in->status != INSTANCE_ACTIVE)
        return 0;
    if (instance_runnable(in))
        return in->updated_us;
    for (const struct timer_row *t = in->timers; t != NULL; t = t->next)
        if (t->status == TIMER_WAIT)
            due = earlier(due, t->at_us);
    for (uint32_t i = 0; i < in->n_tasks && in->n_live_subs > 0; i++)
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL)
            due = earlier(due, due_us(in->tasks[i]->sub->inst));
    return due;
}

static int add_new_job(struct run *r, const struct instance *in, bool leased, int64_t due,
                       struct err *e)
{
    int64_t id;

    if (leased && r->job_id != 0)
        id = r->job_id; /* again: the database was away */
    else if (ids_next(r->en->o.ids, IDS_JOB, &id, e) != 0)
        return -1;
    ADD(&w_job_insert, DB_INT(id), DB_INT(in->id), DB_TIME(in->created_us),
        DB_C(leased ? "leased" : "ready"), DB_TIME(due), leased ? DB_C(r->en->owner) : DB_NULL,
        leased ? DB_INT(r->en->o.lease_ms) : DB_NULL, DB_INT(leased ? 1 : 0),
        DB_INT(in->activity_id));
    if (leased) {
        r->job_id = id;
        r->fence = 1;
    }
    return 0;
}

static int add_lease(struct run *r, enum lease_end lease, struct err *e)
{
    int64_t due = due_us(r->in);
    bool held = r->job_id != 0 && r->job_stored;

    if (held)
        ADD(&w_job_fence, DB_INT(r->in->id), DB_INT(r->in->created_us), DB_INT(r->job_id),
            DB_INT(r->fence), DB_INT(r->in->signals_seen));
    r->due_us = due;
    if (lease == LEASE_KEEP && r->attempts > 1 && !r->progress)
        ADD(&w_job_progress, DB_INT(r->job_id), DB_INT(r->fence));
    if (lease == LEASE_KEEP) /* a run that began without a lease takes one with its first rows */
        return held ? 0 : add_new_job(r, r->in, true, r->in->created_us, e);
    if (!held)
        return due != 0 ? add_new_job(r, r->in, false, due, e) : 0;
    if (due != 0) {
        ADD(&w_job_park, DB_INT(r->job_id), DB_INT(r->fence), DB_TIME(due),
            DB_INT(r->in->signals_seen));
        return 0;
    }
    ADD(&w_job_delete, DB_INT(r->job_id), DB_INT(r->fence), DB_INT(r->in->signals_seen));
    ADD(&w_job_again, DB_INT(r->job_id), DB_INT(r->fence));
    return 0;
}

/* Signals that were worked on go; those for a closed instance too. */
static void add_signals(struct run *r)
{
    if (r->in->status != INSTANCE_ACTIVE)
        signals_drop(r->in);
    for (const struct signal_row *s = r->in->signals; s != NULL; s = s->next)
        if (s->taken)
            ADD(&w_signal_delete, DB_INT(s->id));
}

static void tell_parent(struct run *r, const struct instance *in, int64_t task, const char *kind,
                        struct val payload)
{
    ADD(&w_job_fence, DB_INT(in->parent_id), DB_INT(0), DB_INT(0), DB_INT(0), DB_INT(0));
    ADD(&w_signal, DB_INT(in->parent_id), DB_INT(task), DB_C(kind),
        DB_STR(json_text(payload, r->a)));
}

/* A child tells its parent how it ended, and that it is blocked. */
static void add_child(struct run *r)
{
    const struct instance *in = r->in;
    struct val v;

    if (!instance_is_child(in))
        return;
    if (in->n_errors > in->errors_told)
        tell_parent(r, in, 0, "blocked", val_str(in->last_error));
    if (in->told || in->status == INSTANCE_ACTIVE)
        return;
    v = val_dict_new(r->a, 5);
    val_dict_set_c(v, "instance_id", val_int(in->id));
    val_dict_set_c(v, "status", val_str_c(instance_status_name(in->status)));
    val_dict_set_c(v, "end", val_str(in->end_name));
    val_dict_set_c(v, "answer", val_is_undef(in->cb_response) ? val_null() : in->cb_response);
    if (in->request_status.p != NULL)
        val_dict_set_c(v, "request_status", val_str(in->request_status));
    tell_parent(r, in, in->callback_task_id, "child", v);
}

static void add_launched(struct run *r, const struct instance *in)
{
    for (const struct child_row *x = in->children; x != NULL; x = x->next) {
        ADD(&w_instance_insert, DB_INT(x->id), DB_TIME(x->created_us), DB_TIME(x->created_us),
            DB_NULL, DB_C(x->guid), DB_C("ACTIVE"), DB_C("child"), DB_INT_OR_NULL(x->activity_id),
            DB_INT_OR_NULL(x->version_id), DB_INT(x->definition_id), DB_STR_OR_NULL(x->label),
            DB_INT_OR_NULL(in->user_id), DB_STR_OR_NULL(in->owner), DB_NULL, DB_NULL,
            DB_STR(x->request), DB_NULL, DB_INT(in->id), DB_TIME(in->created_us),
            DB_INT(x->task_id), DB_INT(in->depth + 1),
            in->proxy_name.len > 0 ? DB_STR(in->proxy_name) : DB_NULL, DB_C("step"), DB_BOOL(false),
            DB_INT(0), DB_BOOL(false));
        ADD(&w_job_insert, DB_INT(x->job_id), DB_INT(x->id), DB_TIME(x->created_us), DB_C("ready"),
            DB_TIME(x->created_us), DB_NULL, DB_NULL, DB_INT(0), DB_INT(x->activity_id));
    }
    if (in->launched && in->status != INSTANCE_ACTIVE && !in->told)
        ADD(&child_w_close, DB_INT(in->id), DB_INT(0));
    for (const struct extra_row *x = in->extras; x != NULL; x = x->next)
        writer_add(&r->item, x->stmt, x->args, x->n, r->a);
}

/* A sub-instance that runs with its parent is stored with it. */
static int add_tree(struct run *r, struct instance *in, struct err *e)
{
    add_instance(r, in);
    add_tasks(r, in);
    add_context(r, in);
    add_told(r, in);
    add_launched(r, in);
    if (in->status == INSTANCE_ACTIVE || in->state_stored)
        add_state(r, in);
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL &&
            add_tree(r, in->tasks[i]->sub->inst, e) != 0)
            return -1;
    return 0;
}

/* Where the client may ask again: what it is to hear, also when another process began the run. */
static void add_answer(struct run *r)
{
    struct answer told = r->answer;

    if (!r->in->sync || r->route_id == 0 || (r->key == NULL && !r->job_stored))
        return;
    answer_make(r);
    key_add_answer(r);
    r->answer = told;
}

int store_collect(struct run *r, enum lease_end lease, struct err *e)
{
    r->item = (struct writer_item){0};
    r->mark.task_id = 0;
    if (r->broken) {
        err_set(e, ERR_DB, "could not reach the database");
        return -1;
    }
    if (add_lease(r, lease, e) != 0)
        return -1;
    add_request(r);
    if (lease == LEASE_RELEASE)
        add_answer(r);
    add_signals(r);
    add_child(r);
    return add_tree(r, r->in, e);
}

int store_new(struct run *r, bool leased, struct err *e)
{
    r->item = (struct writer_item){0};
    add_request(r);
    add_instance(r, r->in);
    if (r->key != NULL)
        key_add(r);
    return add_new_job(r, r->in, leased, r->in->created_us, e);
}

void store_new_committed(struct run *r)
{
    r->in->stored = true;
    r->in->dirty = false;
    r->job_stored = r->job_id != 0;
}

static void committed(struct instance *in)
{
    in->stored = true;
    in->dirty = false;
    in->state_stored = in->status == INSTANCE_ACTIVE;
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        in->tasks[i]->stored = true;
        in->tasks[i]->dirty = false;
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL)
            committed(in->tasks[i]->sub->inst);
    }
    for (uint32_t i = 0; i < in->n_ctx; i++) {
        in->ctx[i].stored = in->ctx[i].present;
        in->ctx[i].dirty = false;
    }
    for (struct timer_row *t = in->timers; t != NULL; t = t->next) {
        t->stored = true;
        t->dirty = false;
    }
    in->errors = NULL;
    in->errors_tail = &in->errors;
    in->traces = NULL;
    in->traces_tail = &in->traces;
    in->logs = NULL;
    in->logs_tail = &in->logs;
    in->extras = NULL;
    in->extras_tail = &in->extras;
    in->children = NULL;
    in->children_tail = &in->children;
    in->told = in->status != INSTANCE_ACTIVE;
    in->errors_told = in->n_errors;
}

void store_wake(struct run *r, enum lease_end lease)
{
    bool told = r->item.told;

    r->unread = told && lease == LEASE_KEEP;
    if ((told && lease == LEASE_RELEASE) || r->in->launched ||
        (instance_is_child(r->in) && r->in->status != INSTANCE_ACTIVE))
        engine_wake(r->en);
}

void store_committed(struct run *r, enum lease_end lease)
{
    committed(r->in);
    signals_forget(r->in);
    r->job_stored = r->job_id != 0;
    store_wake(r, lease);
}

/* ---- requests without instance -------------------------------------------------------------- */

int engine_request_add(struct engine *en, struct writer_item *item, struct engine_request *q,
                       struct arena *a, struct err *e)
{
    if (q->id == 0 && ids_next(en->o.ids, IDS_REQUEST, &q->id, e) != 0)
        return -1;
    writer_add(item, &w_request_proxied,
               DB_ARGS(DB_INT(q->id), DB_TIME(q->created_us), TIME_OR_NULL(q->updated_us),
                       DB_STR(q->status), DB_STR_OR_NULL(q->label), DB_STR(str_lower(a, q->method)),
                       DB_STR(q->url), DB_STR(q->details.p != NULL ? q->details : STR("{}")),
                       q->response_status >= 0 ? DB_INT(q->response_status) : DB_NULL,
                       q->updated_us != 0
                           ? DB_FLOAT((double)(q->updated_us - q->created_us) / 1000.0)
                           : DB_NULL,
                       DB_INT_OR_NULL(q->user_id), DB_STR_OR_NULL(q->owner),
                       DB_INT_OR_NULL(q->activity_id), DB_INT_OR_NULL(q->instance_id),
                       DB_STR_OR_NULL(q->gateway_host), DB_STR_OR_NULL(q->entity_type),
                       DB_STR_OR_NULL(q->tenant_id), DB_STR_OR_NULL(q->site_id),
                       DB_STR_OR_NULL(q->numbers)),
               a);
    return 0;
}
