/*
 * Reading a stored instance back into memory.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"

/* ---- statements ----------------------------------------------------------------------------- */

#define SIGNALS_OF(id)                                                                             \
    "(SELECT json_agg(json_build_array(g.id, g.target_id, g.task_id, g.kind, g.payload) "          \
    "ORDER BY g.id) FROM instance_signals g WHERE g.instance_id = " id ")"

const struct db_stmt load_stmt_instance = {
    "load_instance",
    "SELECT i.guid::text, i.status, i.kind, i.activity_id, i.version_id, i.definition_id, "
    /* clang-format off: one column list */
    "i.label, i.user_id, i.owner, i.original_request_id, " DB_TS("i.request_on") ", "
    "coalesce(i.request, r.details), i.request_status, i.parent_instance_id, " DB_TS("i.parent_on") ", "
    "i.callback_task_id, i.depth, i.proxy, i.durability, i.sync, d.definition, s.state, "
    DB_TS("i.closed_on") ", r.proxy_gateway_host, " DB_TS("i.updated_on") ", r.route_id, "
    /* clang-format on */
    "j.signals, " SIGNALS_OF("i.id") " "
    "FROM instances i JOIN definitions d ON d.id = i.definition_id "
    "LEFT JOIN requests r ON r.id = i.original_request_id AND r.created_on = i.request_on "
    "LEFT JOIN instance_states s ON s.instance_id = i.id "
    "LEFT JOIN jobs j ON j.kind = 'instance' AND j.ref_id = i.id "
    "WHERE i.id = $1 AND i.created_on = $2",
    2};

const struct db_stmt load_stmt_signals = {
    "load_signals",
    "SELECT j.signals, " SIGNALS_OF("j.ref_id") " FROM jobs j WHERE j.id = $1 AND j.fence = $2", 2};

const struct db_stmt load_stmt_tasks = {
    "load_tasks",
    "SELECT id, cell_id, status, output, runtime, " DB_TS("created_on") ", " DB_TS(
        "updated_on") " "
                      "FROM tasks WHERE instance_id = $1 AND instance_on = $2 ORDER BY id",
    2};

const struct db_stmt load_stmt_contexts = {
    "load_contexts",
    "SELECT id, key, value, cleanup, sensitive FROM contexts WHERE instance_id = $1 AND "
    "instance_on = $2 ORDER BY id",
    2};

const struct db_stmt load_stmt_timers = {
    "load_timers",
    "SELECT id, task_id, name, key, type, " DB_TS("at") ", output, " DB_TS(
        "created_on") " "
                      "FROM timers WHERE instance_id = $1 AND instance_on = $2 AND status = 'WAIT' "
                      "ORDER BY id",
    2};

/* Children run by themselves; of those that closed the task that launched them tells. */
const struct db_stmt load_stmt_errors = {
    "load_errors",
    "WITH RECURSIVE tree AS (SELECT $1::bigint AS id, $2::timestamptz AS created_on UNION ALL "
    "SELECT i.id, i.created_on FROM tree JOIN instances i ON i.parent_instance_id = tree.id AND i.parent_on = tree.created_on "
    "WHERE i.status = 'ACTIVE' AND i.kind <> 'error_handler') "
    "SELECT coalesce(json_agg(json_build_object('cell_id', e.cell_id, 'output', e.output, 'description', e.description, "
    "'created_on', " DB_ISO("e.created_on") ", 'instance_id', e.instance_id) ORDER BY e.created_on, e.id), '[]') "
    "FROM (SELECT x.* FROM tree JOIN errors x ON x.instance_id = tree.id AND x.instance_on = tree.created_on "
    "ORDER BY x.created_on DESC, x.id DESC LIMIT 1000) e",
    2};

const struct db_stmt load_stmt_user = {
    "load_user",
    "SELECT json_build_object('id', u.id, 'username', u.username, 'email', u.email, 'first_name', "
    "u.first_name, "
    "'last_name', u.last_name, 'firstname', u.first_name, 'lastname', u.last_name, "
    "'mobile_number', u.mobile_number, "
    "'language', u.language, 'timezone', u.timezone, 'is_system', u.is_system, 'ui_profile', "
    "u.ui_profile, "
    "'profile_id', u.profile_id, 'profile', p.name, 'roles', coalesce((SELECT json_agg(r.name "
    "ORDER BY r.id) "
    "FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id), '[]'::json), "
    "'groups', u.groups, 'properties', u.properties, 'entity', u.entity) "
    "FROM instances i JOIN users u ON u.id = i.user_id LEFT JOIN user_profiles p ON p.id = "
    "u.profile_id WHERE i.id = $1 AND i.created_on = $2",
    2};

const struct db_stmt load_stmt_top = {
    "load_instance_top", "SELECT id, " DB_TS("created_on") " FROM instance_holder($1)", 1};

const struct db_stmt load_stmt_when = {
    "load_instance_when",
    "SELECT " DB_TS("created_on") " FROM instances WHERE id = $1 "
                                  "AND created_on >= id_from('instance', $1) AND created_on < "
                                  "id_to('instance', $1)",
    1};

/* What is read of an instance, in one round trip. */
enum { HEAD, TASKS, CONTEXTS, TIMERS, USER, PARTS };
static const struct db_stmt *const parts[PARTS] = {
    [HEAD] = &load_stmt_instance, [TASKS] = &load_stmt_tasks, [CONTEXTS] = &load_stmt_contexts,
    [TIMERS] = &load_stmt_timers, [USER] = &load_stmt_user};

/* ---- reading -------------------------------------------------------------------------------- */

static void free_arena(void *a)
{
    arena_free(a);
}

static struct str col(const PGresult *res, int row, int c, struct arena *a)
{
    struct str s = db_str(res, row, c);

    return s.p != NULL ? str_dup(a, s) : STR_NONE;
}

static enum instance_status status_of(struct str s)
{
    return str_eq_c(s, "ACTIVE")              ? INSTANCE_ACTIVE
           : str_eq_c(s, "CLOSED_IN_SUCCESS") ? INSTANCE_SUCCESS
                                              : INSTANCE_ERROR;
}

static enum task_status task_status_of(struct str s)
{
    return str_eq_c(s, "OK")      ? TASK_OK
           : str_eq_c(s, "ERROR") ? TASK_ERROR
           : str_eq_c(s, "WAIT")  ? TASK_WAIT
                                  : TASK_QUEUED;
}

static int read_request(struct instance *in, struct str text, struct err *e)
{
    in->request = val_dict_new(in->a, 0);
    return text.len > 0 ? json_parse_kept(text, &in->request, in->a, e) : 0;
}

static int read_head(struct run *r, const PGresult *res, int64_t id, int64_t created_us,
                     struct arena *scratch, struct instance **out, struct str *state, struct err *e)
{
    const struct instance_env env = run_env(r);
    struct workflow *wf;
    struct instance *in;

    if (wf_cache_get(r->en->workflows, db_str(res, 0, 20), &wf, e) != 0)
        return -1;
    in = *out = instance_empty(wf, &env, r->a, scratch);
    wf_unref(wf);
    in->id = id;
    in->created_us = created_us;
    memcpy(in->guid, str_cstr(r->a, db_str(res, 0, 0)), 36);
    in->status = status_of(db_str(res, 0, 1));
    in->kind = str_cstr(r->a, db_str(res, 0, 2));
    in->activity_id = db_int(res, 0, 3);
    in->version_id = db_int(res, 0, 4);
    in->definition_id = db_int(res, 0, 5);
    in->label = col(res, 0, 6, r->a);
    in->user_id = db_int(res, 0, 7);
    in->owner = col(res, 0, 8, r->a);
    in->request_id = db_int(res, 0, 9);
    in->request_us = db_time_us(res, 0, 10);
    in->request_status = col(res, 0, 12, r->a);
    in->parent_id = db_int(res, 0, 13);
    in->parent_us = db_time_us(res, 0, 14);
    in->callback_task_id = db_int(res, 0, 15);
    in->depth = (int)db_int(res, 0, 16);
    in->proxy_name = col(res, 0, 17, r->a);
    in->step_durable = str_eq_c(db_str(res, 0, 18), "step");
    in->sync = db_bool(res, 0, 19);
    *state = col(res, 0, 21, r->a);
    in->closed_us = db_time_us(res, 0, 22);
    in->updated_us = db_time_us(res, 0, 24);
    in->stored = in->loaded = true;
    in->told = in->status != INSTANCE_ACTIVE;
    in->signals_seen = db_int(res, 0, 26);
    return read_request(in, col(res, 0, 11, r->a), e);
}

static void read_tasks(struct instance *in, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        struct task *t = ARENA_NEW(in->a, struct task);
        const struct wf_cell *c;

        t->id = db_int(res, row, 0);
        t->cell_name = col(res, row, 1, in->a);
        t->status = task_status_of(db_str(res, row, 2));
        t->output = col(res, row, 3, in->a);
        t->spent_us = (int64_t)(strtod(PQgetvalue(res, row, 4), NULL) * 1e6);
        t->created_us = db_time_us(res, row, 5);
        t->updated_us = db_time_us(res, row, 6);
        t->stored = true;
        c = wf_cell_find(in->wf, t->cell_name);
        t->cell = c != NULL ? (int32_t)(c - in->wf->cells) : WF_NO_CELL;
        task_append(in, t);
    }
}

static int read_contexts(struct instance *in, const PGresult *res, struct err *e)
{
    for (int row = 0; row < PQntuples(res); row++) {
        struct ctx_entry *c = context_entry(in, db_str(res, row, 1));

        c->id = db_int(res, row, 0);
        c->json = col(res, row, 2, in->a);
        /* large structures are read when somebody looks inside */
        if (json_lazy_kept(c->json, &c->v, in->a, e) != 0)
            return -1;
        c->cleanup = db_bool(res, row, 3);
        c->sensitive = db_bool(res, row, 4);
        c->present = c->stored = true;
        c->bytes = c->json.len;
        in->ctx_bytes += c->bytes;
    }
    return 0;
}

static void read_timers(struct instance *in, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        struct timer_row *t = ARENA_NEW(in->a, struct timer_row);

        t->id = db_int(res, row, 0);
        t->task_id = db_int(res, row, 1);
        t->name = col(res, row, 2, in->a);
        t->key = col(res, row, 3, in->a);
        t->type = col(res, row, 4, in->a);
        t->at_us = db_time_us(res, row, 5);
        t->output = col(res, row, 6, in->a);
        t->created_us = db_time_us(res, row, 7);
        t->stored = true;
        t->next = in->timers;
        in->timers = t;
    }
}

static int read_user(struct instance *in, const PGresult *res, struct err *e)
{
    if (PQntuples(res) == 0) /* nobody's, or deleted since */
        return 0;
    return json_parse(col(res, 0, 0, in->a), &in->user, in->a, e);
}

/* A child sees the context of its parent, which is elsewhere. */
static int read_parent(struct instance *in, struct db_conn *c, struct err *e)
{
    PGresult *res = NULL;
    struct val v;

    if (!instance_is_child(in))
        return 0;
    if (db_query_in(c, &load_stmt_contexts, DB_ARGS(DB_INT(in->parent_id), DB_TIME(in->parent_us)),
                    &res, in->a, e) != 0)
        return -1;
    in->v_parent_context = val_dict_new(in->a, (size_t)PQntuples(res));
    in->v_parent_secrets = val_list_new(in->a, 0);
    for (int row = 0; row < PQntuples(res); row++) {
        if (json_lazy_kept(col(res, row, 2, in->a), &v, in->a, e) != 0)
            return -1;
        val_dict_set_str(in->v_parent_context, col(res, row, 1, in->a), v);
        if (db_bool(res, row, 4))
            val_list_add(in->v_parent_secrets, v);
    }
    return 0;
}

/* Acknowledged, but never run: its start is still to come. */
static int queue_start(struct instance *in, struct err *e)
{
    struct task *t = task_new(in, in->wf->start, in->wf->cells[in->wf->start].name, NULL);

    if (t == NULL) {
        err_set(e, ERR_DB, "could not get a task id");
        return -1;
    }
    queue_push(in, t);
    return 0;
}

static int load(struct run *r, struct db_conn *c, int64_t id, int64_t created_us,
                struct arena *scratch, struct instance **out, struct err *e);

/* Sub-instances come with their parent. */
static int load_subs(struct run *r, struct db_conn *c, struct instance *in, struct err *e)
{
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        struct task *t = in->tasks[i];
        struct arena *scratch;
        struct instance *child;

        if (t->sub == NULL || t->sub->closed)
            continue;
        scratch = arena_new(0);
        arena_defer(in->a, free_arena, scratch);
        if (load(r, c, t->sub->instance_id, t->sub->instance_us, scratch, &child, e) != 0)
            return -1;
        sub_attach(in, t, child);
    }
    return 0;
}

static int load(struct run *r, struct db_conn *c, int64_t id, int64_t created_us,
                struct arena *scratch, struct instance **out, struct err *e)
{
    struct instance *in = NULL;
    PGresult *res[PARTS];
    struct str state;

    if (db_query_all(c, parts, PARTS, DB_ARGS(DB_INT(id), DB_TIME(created_us)), res, r->a, e) != 0)
        return -1;
    if (PQntuples(res[HEAD]) == 0) {
        err_set(e, ERR_NOT_FOUND, "there is no transaction %lld", (long long)id);
        return -1;
    }
    if (read_head(r, res[HEAD], id, created_us, scratch, &in, &state, e) != 0)
        goto fail;
    if (in->parent_id == 0 || instance_is_child(in)) {
        r->gateway_host = col(res[HEAD], 0, 23, r->a);
        r->route_id = db_int(res[HEAD], 0, 25);
    }
    read_tasks(in, res[TASKS]);
    read_timers(in, res[TIMERS]);
    if (signals_read(in, col(res[HEAD], 0, 27, r->a), e) != 0 || read_parent(in, c, e) != 0 ||
        read_user(in, res[USER], e) != 0 || read_contexts(in, res[CONTEXTS], e) != 0 ||
        (state.p != NULL && instance_state_read(in, state, e) != 0))
        goto fail;
    if (in->n_tasks == 0 && in->status == INSTANCE_ACTIVE && queue_start(in, e) != 0)
        goto fail;
    if (load_subs(r, c, in, e) != 0)
        goto fail;
    *out = in;
    return 0;
fail:
    instance_release(in);
    return -1;
}

int run_load(struct run *r, int64_t id, int64_t created_us, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(r->en->o.key_db, &c, e);

    if (rc == 0)
        rc = load(r, c, id, created_us, r->scratch, &r->in, e);
    db_put(r->en->o.key_db, c);
    if (rc == 0 && r->job_id != 0)
        signals_deliver(r->in);
    return rc;
}

void run_signals(struct run *r)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct err e;
    int rc;

    r->unread = false;
    rc = db_get(r->en->o.key_db, &c, &e);
    if (rc == 0)
        rc = db_query(c, &load_stmt_signals, DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence)), &res, &e);
    db_put(r->en->o.key_db, c);
    if (rc == 0 && PQntuples(res) > 0)
        rc = signals_read(r->in, col(res, 0, 1, r->a), &e);
    if (rc != 0) {
        log_err(LOG_WARN_LEVEL, "run.signals", &e);
    } else if (PQntuples(res) > 0) {
        r->in->signals_seen = db_int(res, 0, 0);
        r->ungiven = true;
    }
    PQclear(res);
}

int run_errors(struct run *r, struct val *out, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = db_get(r->en->o.key_db, &c, e);

    if (rc == 0)
        rc = db_query(c, &load_stmt_errors, DB_ARGS(DB_INT(r->in->id), DB_TIME(r->in->created_us)), &res, e);
    db_put(r->en->o.key_db, c);
    if (rc == 0)
        rc = json_parse_kept(col(res, 0, 0, r->a), out, r->a, e);
    PQclear(res);
    return rc;
}

int instance_when(struct engine *en, int64_t id, int64_t *created_us, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    if (db_get(en->o.key_db, &c, e) != 0)
        goto out;
    if (db_query(c, &load_stmt_when, DB_ARGS(DB_INT(id)), &res, e) != 0)
        goto out;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "there is no transaction %lld", (long long)id);
        goto out;
    }
    *created_us = db_time_us(res, 0, 0);
    rc = 0;
out:
    PQclear(res);
    db_put(en->o.key_db, c);
    return rc;
}

int instance_top_of(struct engine *en, int64_t *id, int64_t *created_us, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    if (db_get(en->o.key_db, &c, e) != 0 ||
        db_query(c, &load_stmt_top, DB_ARGS(DB_INT(*id)), &res, e) != 0)
        goto out;
    if (PQntuples(res) > 0) { /* else the parent is gone: it stands alone */
        *id = db_int(res, 0, 0);
        *created_us = db_time_us(res, 0, 1);
    }
    rc = 0;
out:
    PQclear(res);
    db_put(en->o.key_db, c);
    return rc;
}
