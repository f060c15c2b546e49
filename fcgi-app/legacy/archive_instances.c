/*
 * Closed instances of an old database, as rows nobody runs.
 *
 * An id tells the month of its row by the notes in id_marks (sql/migrations/0001_base.sql).  Ids of
 * the archive come from blocks of the usual sequence whose ends are noted as of now, so that ids of
 * running processes on both sides keep their meaning; inside, each month is noted at its own time.
 */
#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"
#include "db/ids.h"
#include "legacy/archive_int.h"
#include "legacy/content_int.h"

#define ON TEXT("created_on") "::timestamptz"
/* The same for the same old instance, so that it is found again: a UUIDv7 of its time. */
#define GUID                                                                                       \
    "(SELECT (lpad(to_hex(floor(extract(epoch FROM " ON ") * 1000)::bigint), 12, '0') || '7' || "    \
    "left(h, 3) || '8' || substr(h, 4, 15))::uuid FROM encode(sha256(convert_to('instances/' || "  \
    TEXT("id") " || '/' || " TEXT("created_on") ", 'UTF8')), 'hex') h)"

const struct db_stmt archive_stmt_find = {
    "archive_find", "SELECT id, created_on::text FROM instances WHERE guid = " GUID " AND created_on = " ON, 1};
const struct db_stmt archive_stmt_put = {
    "archive_put",
    "INSERT INTO instances (id, created_on, updated_on, closed_on, guid, status, kind, activity_id, definition_id, label, "
    "user_id, owner, request) SELECT $2::bigint, x.made, x.closed, x.closed, " GUID ", $3::text, 'run', a.id, "
    "coalesce((SELECT v.definition_id FROM activity_versions v WHERE v.activity_id = a.id AND v.active LIMIT 1), "
    "definition_put('{\"cells\":{},\"entities\":[],\"transitions\":[]}')), 'imported ' || " TEXT("id") ", "
    "(SELECT u.id FROM users u WHERE lower(u.username) = lower(" TEXT("username") ")), " TEXT("username") ", "
    "json_build_object('imported', json_build_object('id', " TEXT("id") ", 'activity_name', " TEXT("activity_name") ")) "
    "FROM (SELECT " ON " AS made, coalesce(" TEXT("closed_on") "::timestamptz, " ON ") AS closed) x "
    "LEFT JOIN activities a ON a.name = " TEXT("activity_name") " RETURNING created_on::text", 3};
const struct db_stmt archive_stmt_block = {
    "archive_block",
    "WITH block AS MATERIALIZED (SELECT nextval('ids_instance') AS id), marks AS (INSERT INTO id_marks (kind, first_id, noted_on) "
    "SELECT 'instance', id + k, clock_timestamp() FROM block, unnest(ARRAY[0, $1::integer]) k) SELECT id FROM block", 1};
/* $2: a time in that month; $3: its end, else its beginning. */
const struct db_stmt archive_stmt_mark = {
    "archive_mark",
    "INSERT INTO id_marks (kind, first_id, noted_on) SELECT 'instance', $1::bigint, CASE WHEN $3::boolean THEN m + interval '1 month' "
    "ELSE m + interval '1 hour' END FROM date_trunc('month', $2::timestamptz, 'UTC') m", 3};
const struct db_stmt archive_stmt_month = {"archive_month", "SELECT history_make($1::timestamptz)", 1};

enum { MONTH = 7 /* characters of "2024-03" */ };

struct block {
    int64_t next, end;
    struct str on; /* a time of the month that is open; empty: none is */
};

static bool is_time(struct str s)
{
    return s.len >= 20 && s.p[4] == '-' && s.p[7] == '-' && s.p[10] == 'T' && s.p[s.len - 1] == 'Z';
}

/* NULL: it can come. */
static const char *unfit(struct val item)
{
    struct str status = val_get_text(item, "status", STR(""));

    if (!is_time(val_get_text(item, "created_on", STR(""))))
        return "created_on is not a time";
    if (!str_ieq(status, STR("CLOSED_IN_SUCCESS")) && !str_ieq(status, STR("CLOSED_IN_ERROR")))
        return "its status is none of ACTIVE, CLOSED_IN_SUCCESS, CLOSED_IN_ERROR";
    return NULL;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static int mark(struct archiving *w, struct block *b, bool end, struct err *e)
{
    int64_t id = b->next++;

    return db_exec(w->t->c, &archive_stmt_mark,
                   DB_ARGS(DB_INT(id), DB_STR(b->on), DB_C(end ? "true" : "false")), NULL, e);
}

static int close_month(struct archiving *w, struct block *b, struct err *e)
{
    int rc = b->on.len > 0 && b->next < b->end ? mark(w, b, true, e) : 0;

    b->on = STR("");
    return rc;
}

static int next_block(struct archiving *w, struct block *b, struct err *e)
{
    struct str text;

    if (close_month(w, b, e) != 0 ||
        db_text(w->t->c, &archive_stmt_block, DB_ARGS(DB_INT(IDS_BLOCK - 1)), &text, w->ar->a, e) != 0)
        return -1;
    if (!str_to_int(text, &b->next))
        return -1;
    b->end = b->next + IDS_BLOCK - 1;
    b->next++;
    return 0;
}

/* An id for a row of that time. */
static int next_id(struct archiving *w, struct block *b, struct str on, int64_t *id, struct err *e)
{
    if (b->on.len > 0 && !str_eq(str_slice(b->on, 0, MONTH), str_slice(on, 0, MONTH)) && close_month(w, b, e) != 0)
        return -1;
    if (b->next + 2 >= b->end && next_block(w, b, e) != 0)
        return -1;
    if (b->on.len == 0) {
        b->on = on;
        if (mark(w, b, false, e) != 0)
            return -1;
    }
    *id = b->next++;
    return 0;
}

/* ---- one ------------------------------------------------------------------------------------- */

static int find(struct archiving *w, struct val item, bool *found, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(w->t->c, &archive_stmt_find, DB_ARGS(DB_STR(json_text(item, w->ar->a))), &res, w->ar->a, e) != 0)
        return -1;
    *found = PQntuples(res) > 0;
    if (*found) {
        val_dict_set_c(item, OUR_ID, val_int(db_int(res, 0, 0)));
        val_dict_set_c(item, OUR_ON, val_str(db_str(res, 0, 1)));
    }
    return 0;
}

static int put(struct archiving *w, struct block *b, struct val item, struct err *e)
{
    struct str on = val_get_text(item, "created_on", STR("")), stored;
    bool failed = str_ieq(val_get_text(item, "status", STR("")), STR("CLOSED_IN_ERROR"));
    int64_t id;

    if (next_id(w, b, on, &id, e) != 0 ||
        db_text(w->t->c, &archive_stmt_put, DB_ARGS(DB_STR(json_text(item, w->ar->a)), DB_INT(id), DB_C(failed ? "CLOSED_IN_ERROR" : "CLOSED_IN_SUCCESS")),
                &stored, w->ar->a, e) != 0)
        return -1;
    val_dict_set_c(item, OUR_ID, val_int(id));
    val_dict_set_c(item, OUR_ON, val_str(stored));
    return 0;
}

static void say(struct archiving *w, struct val item, const char *text)
{
    plan_gap(&w->pl, "instances id %.*s: %s", STR_ARG(val_get_text(item, "id", STR("?"))), text);
}

static int one(struct archiving *w, struct block *b, struct val item, struct err *e)
{
    const char *why;
    bool found;

    if (archive_is_running(item)) {
        w->ar->instance_counts.running++;
        if (val_get_bool(item, WANTED, false))
            say(w, item, "it still runs and is not moved: let it finish or close it, then import again");
        return 0;
    }
    if (!val_get_bool(item, WANTED, false))
        return 0;
    why = unfit(item);
    if (why != NULL) {
        w->ar->instance_counts.skipped++;
        say(w, item, why);
        return 0;
    }
    if (find(w, item, &found, e) != 0)
        return -1;
    if (found)
        w->ar->instance_counts.unchanged++;
    else
        w->ar->instance_counts.added++;
    return found || w->t->dry ? 0 : put(w, b, item, e);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Partitions first: each is a change of the structure, committed at once. */
static int make_months(struct archiving *w, struct err *e)
{
    struct val made = val_dict_new(w->ar->a, 16);
    struct str ignored;

    for (size_t i = 0; i < val_count(w->ar->instances) && !w->t->dry; i++) {
        struct val item = val_at(w->ar->instances, i);
        struct str on = val_get_text(item, "created_on", STR(""));

        if (!val_get_bool(item, WANTED, false) || archive_is_running(item) || unfit(item) != NULL ||
            val_is(val_get_str(made, str_slice(on, 0, MONTH)), VAL_BOOL))
            continue;
        val_dict_set_str(made, str_slice(on, 0, MONTH), val_bool(true));
        if (db_text(w->t->c, &archive_stmt_month, DB_ARGS(DB_STR(on)), &ignored, w->ar->a, e) != 0)
            return -1;
    }
    return 0;
}

static void note_rest(struct archiving *w)
{
    size_t rest = 0;

    for (size_t i = 0; i < val_count(w->ar->instances); i++)
        if (!val_get_bool(val_at(w->ar->instances, i), WANTED, false))
            rest++;
    if (rest > 0)
        plan_note(&w->pl, "not imported: %zu instances without documents; --history brings those that are closed", rest);
}

int archive_instances(struct archiving *w, struct err *e)
{
    struct block b = {.on = STR("")};

    if (val_count(w->ar->instances) == 0)
        return 0;
    note_rest(w);
    if (make_months(w, e) != 0 || (!w->t->dry && db_begin(w->t->c, e) != 0))
        return -1;
    for (size_t i = 0; i < val_count(w->ar->instances); i++)
        if (one(w, &b, val_at(w->ar->instances, i), e) != 0)
            return -1;
    if (w->t->dry)
        return 0;
    if (close_month(w, &b, e) != 0 || db_commit(w->t->c, e) != 0)
        return -1;
    FAULT_DIE("import", STR("instances"));
    return 0;
}
