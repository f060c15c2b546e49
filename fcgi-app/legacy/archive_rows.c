/*
 * Rows of the archive: their statements, many rows each, and what is kept of texts others wrote.
 */
#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "gateway/mask.h"
#include "legacy/archive_int.h"

/* Parts of statements that go over the list $1 as x. */
#define ROWS " FROM json_array_elements($1::json) x "
#define ROWS_IN_ORDER " FROM json_array_elements($1::json) WITH ORDINALITY AS l (x, at) "
#define TEXT(name) "(x ->> '" name "')"
#define TIME(name) TEXT(name) "::timestamptz"
#define NUMBER(name) TEXT(name) "::double precision"
#define ID(name) TEXT(name) "::bigint"
#define OBJECT(name) "CASE WHEN json_typeof(x -> '" name "') IN ('object', 'array') THEN x -> '" name "' END"
#define USER "(SELECT u.id FROM users u WHERE lower(u.username) = lower(" TEXT("username") "))"
/* As all our times are written, so that the same moment is the same text. */
#define AS_OURS(time) "to_char(" time "::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
/* The same for the same old instance, so that it is found again: a UUIDv7 of its time. */
#define GUID(on)                                                                                    \
    "(SELECT (lpad(to_hex(floor(extract(epoch FROM " on "::timestamptz) * 1000)::bigint), 12, '0') || '7' || "   \
    "left(h, 3) || '8' || substr(h, 4, 15))::uuid FROM encode(sha256(convert_to('instances/' || "  \
    TEXT("id") " || '/' || " on ", 'UTF8')), 'hex') h)"
#define IS_COMPLETE "coalesce(i.request #>> '{imported,complete}' = 'true', false)"

const struct db_stmt archive_stmt_find = {
    "archive_find",
    "SELECT n.made, i.id, " IS_COMPLETE ROWS_IN_ORDER "CROSS JOIN LATERAL (SELECT " AS_OURS(TEXT("created_on")) " AS made) n "
    "LEFT JOIN LATERAL (SELECT i.id, i.request FROM instances i WHERE i.guid = " GUID("n.made")
    " AND i.created_on = n.made::timestamptz) i ON true ORDER BY l.at", 1};

const struct db_stmt archive_stmt_find_request = {
    "archive_find_request",
    "SELECT n.made, r.id, " IS_COMPLETE ", r.instance_id, " AS_OURS("r.instance_on") ROWS_IN_ORDER
    "CROSS JOIN LATERAL (SELECT " AS_OURS(TEXT("created_on")) " AS made) n "
    "LEFT JOIN LATERAL (SELECT r.id, r.instance_id, r.instance_on FROM requests r WHERE r.created_on = n.made::timestamptz "
    "AND r.extra #>> '{imported,id}' = " TEXT("id") " LIMIT 1) r ON true "
    "LEFT JOIN LATERAL (SELECT i.request FROM instances i WHERE i.id = r.instance_id AND i.created_on = r.instance_on) i ON true "
    "ORDER BY l.at", 1};

const struct db_stmt archive_stmt_complete = {
    "archive_complete",
    "UPDATE instances SET request = jsonb_set(request::jsonb, '{imported,complete}', 'true')::json "
    "WHERE id = $1::bigint AND created_on = $2::timestamptz", 2};

/* No circle: each is older than what it started. */
const struct db_stmt archive_stmt_parents = {
    "archive_parents",
    "UPDATE instances i SET parent_instance_id = x.parent, parent_on = x.parent_on, kind = 'sub' FROM (SELECT " ID("our_id") " AS id, "
    TIME("our_on") " AS made, " ID("our_parent") " AS parent, " TIME("our_parent_on") " AS parent_on" ROWS ") x "
    "WHERE i.id = x.id AND i.created_on = x.made AND i.parent_instance_id IS NULL AND (x.parent_on, x.parent) < (x.made, x.id)", 1};

const struct db_stmt archive_stmt_instances = {
    "archive_instances",
    "INSERT INTO instances (id, created_on, updated_on, closed_on, guid, status, kind, activity_id, definition_id, label, "
    "user_id, owner, original_request_id, request_on, parent_instance_id, parent_on, request) "
    "SELECT " ID("our_id") ", t.made, t.closed, t.closed, " GUID(TEXT("our_on")) ", upper(" TEXT("status") "), CASE WHEN "
    TEXT("our_parent") " IS NOT NULL THEN 'sub' WHEN " TEXT("our_request") " IS NOT NULL THEN 'request' ELSE 'run' END, a.id, "
    "CASE WHEN " TEXT("definition") " IS NOT NULL THEN definition_put(" TEXT("definition") ") ELSE coalesce((SELECT v.definition_id "
    "FROM activity_versions v WHERE v.activity_id = a.id AND v.active LIMIT 1), "
    "definition_put('{\"cells\":{},\"entities\":[],\"transitions\":[]}')) END, 'imported ' || " TEXT("id") ", " USER ", "
    TEXT("username") ", " ID("our_request") ", " TIME("our_request_on") ", " ID("our_parent") ", " TIME("our_parent_on") ", "
    "json_build_object('imported', json_build_object('id', " TEXT("id") ", 'activity_name', " TEXT("activity_name")
    ", 'complete', " TEXT("complete") "::boolean))" ROWS
    "CROSS JOIN LATERAL (SELECT " TIME("our_on") " AS made, coalesce(" TIME("closed_on") ", " TIME("our_on") ") AS closed) t "
    "LEFT JOIN activities a ON a.name = " TEXT("activity_name"), 1};

const struct db_stmt archive_stmt_parts[ARCHIVE_PARTS] = {
    [ARCHIVE_REQUESTS] =
        {"archive_requests",
         "INSERT INTO requests (id, created_on, updated_on, status, label, method, url, details, response, response_status, "
         "runtime_ms, user_id, owner, activity_id, instance_id, instance_on, instance_status, entity_type, event_id, tenant_id, "
         "site_id, numbers, subscription_id, distributor_id, reseller_id, group_id, extra) "
         "SELECT " ID("our_id") ", " TIME("our_on") ", coalesce(" TIME("updated_on") ", " TIME("our_on") "), coalesce("
         TEXT("status") ", ''), " TEXT("label") ", lower(coalesce(" TEXT("method") ", '')), coalesce(" TEXT("url")
         ", ''), coalesce(" OBJECT("details") ", '{}'), " OBJECT("response") ", " NUMBER("response_status") "::integer, "
         NUMBER("runtime_ms") ", " USER ", " TEXT("username") ", (SELECT a.id FROM activities a WHERE a.name = "
         TEXT("activity_name") "), " ID("our_instance") ", " TIME("our_instance_on") ", upper(" TEXT("instance_status") "), "
         TEXT("entity_type") ", " TEXT("event_id") ", " TEXT("tenant_id") ", " TEXT("site_id") ", " TEXT("numbers") ", "
         TEXT("subscription_id") ", " TEXT("distributor_id") ", " TEXT("reseller_id") ", " TEXT("group_id")
         ", json_build_object('imported', json_build_object('id', " TEXT("id") "))" ROWS, 1},
    [ARCHIVE_TASKS] =
        {"archive_tasks",
         "INSERT INTO tasks (id, instance_id, instance_on, cell_id, status, output, runtime, created_on, updated_on) "
         "SELECT " ID("our_id") ", " ID("our_instance") ", " TIME("our_instance_on") ", " TEXT("cell_id") ", upper("
         TEXT("status") "), " TEXT("output") ", " NUMBER("runtime") ", " TIME("created_on") ", " TIME("updated_on") ROWS, 1},
    [ARCHIVE_ERRORS] =
        {"archive_errors",
         "INSERT INTO errors (id, instance_id, instance_on, task_id, cell_id, output, description, created_on) "
         "SELECT " ID("our_id") ", " ID("our_instance") ", " TIME("our_instance_on") ", " ID("our_task") ", " TEXT("cell_id")
         ", " TEXT("output") ", coalesce(" TEXT("description") ", ''), coalesce(" TIME("created_on") ", " TIME("our_instance_on")
         ")" ROWS, 1},
    [ARCHIVE_TRACES] =
        {"archive_traces",
         "INSERT INTO traces (id, instance_id, instance_on, task_id, request_id, label, session_holder, host, http_method, http_url, "
         "status, input, output, external_id, cache_hit, runtime_ms, created_on, updated_on) "
         "SELECT " ID("our_id") ", " ID("our_instance") ", " TIME("our_instance_on") ", " ID("our_task") ", " ID("our_request")
         ", " TEXT("label") ", " TEXT("session_holder") ", " TEXT("host") ", " TEXT("http_method") ", " TEXT("http_url")
         ", coalesce(" NUMBER("status") "::integer, 0), " TEXT("input") ", " TEXT("output") ", " TEXT("external_id") ", "
         TEXT("cache_hit") "::boolean, " NUMBER("runtime_ms") ", coalesce(" TIME("created_on") ", " TIME("our_instance_on") "), "
         TIME("updated_on") ROWS, 1},
};

/* ---- writing --------------------------------------------------------------------------------- */

static int command(struct archiving *w, const char *sql, struct err *e)
{
    PGresult *res = NULL;

    return db_query_sql(w->t->c, sql, NULL, 0, &res, w->s, e);
}

/* False: the database refuses it, and nothing of it was written. */
static int try_write(struct archiving *w, const struct db_stmt *s, struct val list, bool *taken, struct err *why, struct err *e)
{
    *taken = false;
    if (command(w, "SAVEPOINT rows", e) != 0)
        return -1;
    if (db_exec(w->t->c, s, DB_ARGS(DB_STR(json_text(list, w->s))), NULL, why) == 0) {
        *taken = true;
        return command(w, "RELEASE SAVEPOINT rows", e);
    }
    if (why->code == ERR_DB || why->code == ERR_TIMEOUT) {
        *e = *why;
        return -1;
    }
    return command(w, "ROLLBACK TO SAVEPOINT rows", e);
}

int archive_write(struct archiving *w, const struct db_stmt *s, const char *what, struct val list, int64_t *n, struct err *e)
{
    struct err why = {0};
    bool taken;

    *n = 0;
    if (val_count(list) == 0)
        return 0;
    if (try_write(w, s, list, &taken, &why, e) != 0)
        return -1;
    if (taken) {
        *n = (int64_t)val_count(list);
        return 0;
    }
    for (size_t i = 0; i < val_count(list); i++) {
        struct val one = val_list_new(w->s, 1);

        val_list_add(one, val_at(list, i));
        if (try_write(w, s, one, &taken, &why, e) != 0)
            return -1;
        *n += taken;
        if (taken)
            continue;
        val_dict_del(val_at(list, i), VAL_STR_LIT(OUR_ID));
        plan_gap(&w->pl, "%s id %.*s: the database does not take it (%s)", what,
                 STR_ARG(val_get_text(val_at(list, i), "id", STR("?"))), why.detail[0] != '\0' ? why.detail : why.msg);
    }
    return 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void mask_text(struct archiving *w, struct val item, const char *member)
{
    struct val v = val_get(item, member);

    if (val_is(v, VAL_DICT) || val_is(v, VAL_LIST))
        v = val_str(json_text(v, w->s));
    if (val_is(v, VAL_STR))
        val_dict_set_c(item, member, val_str(mask_body(STR(""), val_text(v), LIMIT_TRACE_BODY, w->s)));
}

static void mask_address(struct archiving *w, struct val item, const char *member)
{
    struct val v = val_get(item, member);

    if (val_is(v, VAL_STR))
        val_dict_set_c(item, member, val_str(mask_url(val_text(v), w->s)));
}

static void mask_headers(struct val headers)
{
    struct val key, value;

    for (size_t i = 0; val_is(headers, VAL_DICT) && i < val_count(headers); i++) {
        val_pair_at(headers, i, &key, &value);
        if (mask_header(val_text(key)))
            val_dict_set(headers, key, VAL_STR_LIT(MASK_SHOWN));
    }
}

/* A request or an answer, as an object. */
static void mask_message(struct archiving *w, struct val item, const char *member)
{
    struct val v = val_copy(mask_value(val_get(item, member), w->s), w->s);

    if (val_is(v, VAL_DICT)) {
        mask_address(w, v, "url");
        mask_headers(val_get(v, "headers"));
        if (val_is(val_get(v, "body"), VAL_STR))
            mask_text(w, v, "body");
    }
    val_dict_set_c(item, member, v);
}

void archive_mask(struct archiving *w, enum archive_part part, struct val item)
{
    if (part == ARCHIVE_TRACES) {
        mask_text(w, item, "input");
        mask_text(w, item, "output");
        mask_address(w, item, "http_url");
    } else if (part == ARCHIVE_REQUESTS) {
        mask_address(w, item, "url");
        mask_message(w, item, "details");
        mask_message(w, item, "response");
    }
}
