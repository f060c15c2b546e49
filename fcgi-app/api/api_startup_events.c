/*
 * Startup events: named triggers and the workflow behind each (http-api.md 5.13, workflow-engine.md 5.1.7).
 *
 * The platform defines none of its own; those a former platform had come with its import.
 */
#include "api/api.h"
#include "base/arena.h"

static const struct db_stmt stmt_list = {
    "api_startup_events_list",
    "SELECT json_build_object('events', coalesce(json_agg(json_build_object('name', name, 'activity_id', activity_id) "
    "ORDER BY name), '[]'))::text FROM startup_events",
    0,
};

static const struct db_stmt stmt_put = {
    "api_startup_event_put",
    "UPDATE startup_events SET activity_id = $2, updated_on = now() WHERE name = $1",
    2,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_put};
const struct db_stmts api_startup_events_stmts = {"api_startup_events", all, COUNT_OF(all)};

int startup_events_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

/* The interface sends a text, "" to clear. */
static int read_activity(struct api_call *c, int64_t *out, struct err *e)
{
    struct val v = val_get(c->body, "activity_id");

    *out = 0;
    if (val_is_undef(v)) {
        err_set(e, ERR_INVALID, "activity_id is required");
        return -1;
    }
    if (val_is(v, VAL_STR) && (val_text(v).len == 0 || str_to_int(val_text(v), out)))
        return 0;
    return api_body_int(c, "activity_id", out, e);
}

int startup_event_put(struct api_call *c, struct err *e)
{
    int64_t activity_id, n;

    if (read_activity(c, &activity_id, e) != 0)
        return -1;
    if (db_exec(c->conn, &stmt_put, DB_ARGS(DB_STR(c->params[0]), DB_INT_OR_NULL(activity_id)), &n, e) != 0) {
        if (e->code == ERR_CONFLICT || strstr(e->detail, "22003") != NULL) /* no such row, or beyond its type */
            err_set(e, ERR_INVALID, "activity_id: there is no activity %lld", (long long)activity_id);
        return -1;
    }
    if (n == 0) {
        err_set(e, ERR_NOT_FOUND, "no such startup event");
        return -1;
    }
    api_audit(c, "update", "Startup Event", c->params[0]);
    return 0;
}
