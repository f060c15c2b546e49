/*
 * Scheduled jobs (http-api.md 5.17, workflow-engine.md 5.2).
 */
#include "api/api.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/schedule.h"
#include "template/zone.h"

static const struct db_stmt stmt_list = {
    "api_cron_list",
    "SELECT json_build_object('timers', coalesce(json_agg(json_build_object('id', id, 'job_id', job_id, 'enabled', enabled, "
    "'year', year, 'month', month, 'day', day, 'week', week, 'day_of_week', day_of_week, 'hour', hour, 'minute', minute, "
    "'second', second, 'activity_id', activity_id, 'request_body', request_body, 'next_on', "
    "CASE WHEN enabled THEN " DB_ISO("next_on") " END, 'last_on', " DB_ISO("last_on") ", "
    "'created_on', " DB_ISO("created_on") ", 'updated_on', " DB_ISO("updated_on") ") ORDER BY id), '[]'), 'timezone', $1::text)::text "
    "FROM timers_cron",
    1,
};

/* With the row's lock: two changes of one job come one after the other. */
static const struct db_stmt stmt_get = {
    "api_cron_get",
    "SELECT job_id, enabled, activity_id, request_body, year, month, day, week, day_of_week, hour, minute, second "
    "FROM timers_cron WHERE id = $1 FOR UPDATE",
    1,
};

static const struct db_stmt stmt_insert = {
    "api_cron_insert",
    "INSERT INTO timers_cron (job_id, enabled, activity_id, request_body, year, month, day, week, day_of_week, hour, minute, "
    "second, next_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id",
    13,
};

static const struct db_stmt stmt_update = {
    "api_cron_update",
    "UPDATE timers_cron SET job_id = $1, enabled = $2, activity_id = $3, request_body = $4, year = $5, month = $6, day = $7, "
    "week = $8, day_of_week = $9, hour = $10, minute = $11, second = $12, next_on = $13, updated_on = now() WHERE id = $14",
    14,
};

static const struct db_stmt stmt_delete = {
    "api_cron_delete",
    "DELETE FROM timers_cron WHERE id = $1 RETURNING job_id",
    1,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_insert, &stmt_update, &stmt_delete};
const struct db_stmts api_cron_stmts = {"api_cron", all, COUNT_OF(all)};

enum { ROW_ARGS = 13, FIELD_CHARS = 255 };

/* A row as it will be stored. */
struct row {
    struct str job_id, request_body;
    bool enabled;
    int64_t activity_id; /* 0 = none */
    struct str fields[CRON_FIELDS];
    bool changed; /* some field is not what it was */
    bool fires;
    int64_t next_us;
};

static struct db_arg field_arg(struct str s)
{
    return s.len > 0 ? DB_STR(s) : DB_NULL;
}

static void row_args(const struct row *row, struct db_arg args[ROW_ARGS])
{
    args[0] = DB_STR(row->job_id);
    args[1] = DB_BOOL(row->enabled);
    args[2] = DB_INT_OR_NULL(row->activity_id);
    args[3] = DB_STR_OR_NULL(row->request_body);
    for (size_t f = 0; f < CRON_FIELDS; f++)
        args[4 + f] = field_arg(row->fields[f]);
    args[4 + CRON_FIELDS] = row->fires ? DB_TIME(row->next_us) : DB_NULL;
}

/* ---- reading a body ----------------------------------------------------------------------------- */

/* Text; numbers are taken too, since that is what people write into scripts. */
static int read_field(struct api_call *c, enum cron_field f, struct row *row, struct err *e)
{
    struct val v = val_get(c->body, cron_names[f]);
    struct str text = STR("");

    if (val_is_undef(v))
        return 0;
    if (val_is(v, VAL_INT))
        text = str_printf(c->a, "%lld", (long long)v.u.i);
    else if (api_body_text(c, cron_names[f], FIELD_CHARS, &text, e) != 0)
        return -1;
    text = str_trim(text);
    row->changed = row->changed || !str_eq(text, row->fields[f]);
    row->fields[f] = text;
    return 0;
}

/* A number, or a text holding one; null and "" clear it. */
static int read_activity(struct api_call *c, struct row *row, struct err *e)
{
    struct val v = val_get(c->body, "activity_id");

    if (val_is_undef(v))
        return 0;
    row->activity_id = 0;
    if (val_is(v, VAL_STR) && (val_text(v).len == 0 || str_to_int(val_text(v), &row->activity_id)))
        return 0;
    return api_body_int(c, "activity_id", &row->activity_id, e);
}

static int read_request(struct api_call *c, struct row *row, struct err *e)
{
    struct val v = val_get(c->body, "request_body");

    if (val_is_undef(v))
        return 0;
    row->request_body = STR_NONE;
    if (val_is(v, VAL_DICT) || val_is(v, VAL_LIST)) {
        row->request_body = json_text(v, c->a);
        return 0;
    }
    return api_body_text(c, "request_body", LIMIT_CONTEXT_VALUE, &row->request_body, e);
}

/* When it fires next; a job that is on, or that is given another plan, must fire some time. */
static int plan(struct api_call *c, struct row *row, struct err *e)
{
    const struct zone *z = schedule_zone(c->cfg, c->a);
    struct cron cron;
    int64_t next = 0;

    if (cron_parse(&cron, row->fields, e) != 0)
        return -1;
    row->fires = cron_next(&cron, z, clock_wall_us(c->api->clock) / 1000000, &next);
    row->next_us = next * 1000000;
    if (row->fires || (!row->enabled && !row->changed))
        return 0;
    err_set(e, ERR_INVALID, "the job never fires: from now until the year %d no time fits all its fields in zone \"%.*s\"",
            CRON_YEAR_MAX, STR_ARG(c->cfg->timezone));
    return -1;
}

static int read_row(struct api_call *c, struct row *row, struct err *e)
{
    if (!val_is(c->body, VAL_DICT)) {
        err_set(e, ERR_INVALID, "request body: expected an object");
        return -1;
    }
    if (api_body_text(c, "job_id", 255, &row->job_id, e) != 0 || api_body_bool(c, "enabled", &row->enabled, e) != 0 ||
        read_activity(c, row, e) != 0 || read_request(c, row, e) != 0)
        return -1;
    for (int f = 0; f < CRON_FIELDS; f++)
        if (read_field(c, (enum cron_field)f, row, e) != 0)
            return -1;
    if (row->job_id.len == 0 || (api_body_has(c, "job_id") && str_trim(row->job_id).len == 0)) {
        err_set(e, ERR_INVALID, "job_id is required");
        return -1;
    }
    return plan(c, row, e);
}

static int refused(const struct row *row, struct err *e)
{
    if (e->code == ERR_CONFLICT || strstr(e->detail, "22003") != NULL) /* no such row, or beyond its type */
        err_set(e, ERR_INVALID, "activity_id: there is no activity %lld", (long long)row->activity_id);
    return -1;
}

/* ---- handlers ----------------------------------------------------------------------------------- */

int cron_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_ARGS(DB_STR(c->cfg->timezone)), "list", e);
}

int cron_create(struct api_call *c, struct err *e)
{
    struct row row = {.job_id = STR(""), .request_body = STR_NONE, .enabled = true, .changed = true};
    struct db_arg args[ROW_ARGS];
    PGresult *res = NULL;
    int64_t id;

    if (read_row(c, &row, e) != 0)
        return -1;
    if (row.activity_id == 0) {
        err_set(e, ERR_INVALID, "activity_id is required");
        return -1;
    }
    row_args(&row, args);
    if (db_query_in(c->conn, &stmt_insert, args, COUNT_OF(args), &res, c->a, e) != 0)
        return refused(&row, e);
    id = db_int(res, 0, 0);
    api_audit(c, "create", "scheduled_job", row.job_id);
    api_answer_id(c, "id", id);
    return 0;
}

static int read_stored(struct api_call *c, int64_t id, struct row *row, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_get, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such job");
        return -1;
    }
    *row = (struct row){
        .job_id = db_str(res, 0, 0),
        .enabled = db_bool(res, 0, 1),
        .activity_id = db_int(res, 0, 2),
        .request_body = db_str(res, 0, 3),
    };
    for (int f = 0; f < CRON_FIELDS; f++)
        row->fields[f] = db_str(res, 0, 4 + f);
    return 0;
}

int cron_put(struct api_call *c, struct err *e)
{
    struct db_arg args[ROW_ARGS + 1];
    struct row row;
    int64_t id;

    if (api_id(c, 0, "job", &id, e) != 0 || db_begin(c->conn, e) != 0 || read_stored(c, id, &row, e) != 0 ||
        read_row(c, &row, e) != 0)
        return -1;
    row_args(&row, args);
    args[ROW_ARGS] = DB_INT(id);
    if (db_exec(c->conn, &stmt_update, args, COUNT_OF(args), NULL, e) != 0)
        return refused(&row, e);
    if (db_commit(c->conn, e) != 0)
        return -1;
    api_audit(c, "update", "scheduled_job", row.job_id);
    api_answer_id(c, "id", id);
    return 0;
}

int cron_delete(struct api_call *c, struct err *e)
{
    struct str name;
    int64_t id;

    if (api_id(c, 0, "job", &id, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &name, c->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no such job");
        return -1;
    }
    api_audit(c, "delete", "scheduled_job", name);
    api_answer_id(c, "id", id);
    return 0;
}

int cron_run(struct api_call *c, struct err *e)
{
    const struct cfg *newest;
    int64_t id, instance_id;
    char guid[37];
    int rc;

    /* the activity may have been changed a moment ago */
    if (api_id(c, 0, "job", &id, e) != 0 || cfg_store_reload(c->api->cfg, e) != 0)
        return -1;
    newest = cfg_get(c->api->cfg);
    rc = schedule_run_now(c->api->engine, newest, c->conn, id, &instance_id, guid, e);
    cfg_put(newest);
    if (rc != 0)
        return -1;
    api_audit(c, "run", "scheduled_job", c->params[0]);
    api_answer_id(c, "id", instance_id);
    val_dict_set_c(c->result, "guid", val_str_dup(c->a, str_c(guid)));
    return 0;
}
