/*
 * Starting scheduled jobs, and computing when they are due.
 */
#include "engine/schedule.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "db/locks.h"
#include "template/zone.h"

enum {
    MISSED_S = 60,       /* runs older than that are dropped */
    BACK_S = 3600,       /* a clock set back by less: jobs wait until it is where it was */
    LOOK_MS = 5000,      /* how long nothing is looked at when nothing is due */
    TURN_MS = 200,       /* somebody else has the turn */
    AWAY_MS = 1000,      /* the database is away */
    ROUND_MAX = 100,     /* jobs of one round */
};

/* ---- statements ----------------------------------------------------------------------------- */

#define FIELDS "year, month, day, week, day_of_week, hour, minute, second"

static const struct db_stmt stmt_jobs = {
    "schedule_jobs",
    "SELECT id, job_id, " FIELDS ", " DB_TS("next_on") ", xmin::text, floor(extract(epoch from clock_timestamp()))::bigint, "
    DB_TS("last_on") " FROM timers_cron WHERE enabled",
    0,
};

/* Only if nobody changed the row meanwhile: a run that was taken may not come back. */
static const struct db_stmt stmt_plan = {
    "schedule_plan",
    "UPDATE timers_cron SET next_on = $2 WHERE id = $1 AND xmin::text = $3",
    3,
};

static const struct db_stmt stmt_turn = {
    "schedule_turn",
    "SELECT pg_try_advisory_xact_lock(" DB_LOCK_SCHEDULE ")",
    0,
};

static const struct db_stmt stmt_due = {
    "schedule_due",
    "SELECT id, job_id, " FIELDS ", activity_id, request_body, " DB_TS("next_on") ", "
    "floor(extract(epoch from clock_timestamp()))::bigint FROM timers_cron "
    "WHERE enabled AND next_on <= clock_timestamp() ORDER BY next_on, id LIMIT $1",
    1,
};

static const struct db_stmt stmt_wait = {
    "schedule_wait",
    "SELECT ceil(extract(epoch from min(next_on) - clock_timestamp()) * 1000)::bigint, "
    "(extract(epoch from clock_timestamp()) * 1000)::bigint FROM timers_cron WHERE enabled AND next_on IS NOT NULL",
    0,
};

static const struct db_stmt stmt_move = {
    "schedule_move",
    "UPDATE timers_cron SET next_on = $3 WHERE id = $1 AND next_on = $2",
    3,
};

static const struct db_stmt stmt_job = {
    "schedule_job",
    "SELECT job_id, activity_id, request_body FROM timers_cron WHERE id = $1",
    1,
};

static const struct db_stmt *const all[] = {&stmt_jobs, &stmt_plan, &stmt_turn, &stmt_due, &stmt_wait, &stmt_move, &stmt_job};
const struct db_stmts schedule_stmts = {"schedule", all, COUNT_OF(all)};

/* Beside the instance of a run: 1/0 fails the whole when another process took the run, or the job was changed. */
static const struct writer_stmt w_taken = {
    "schedule_taken",
    "WITH u AS (SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS x(id, due, next)), "
    "moved AS (UPDATE timers_cron t SET next_on = u.next, last_on = u.due FROM u "
    "WHERE t.id = u.id AND t.next_on = u.due AND t.enabled RETURNING t.id) "
    "SELECT 1 / ((SELECT count(*) FROM moved) = (SELECT count(*) FROM u))::int",
    "izz", 5};

static const struct writer_stmt w_ran = {
    "schedule_ran",
    "UPDATE timers_cron t SET last_on = now() FROM unnest($1::bigint[]) AS u(id) WHERE t.id = u.id", "i", 5};

const struct writer_stmt *const schedule_writer_stmts[] = {&w_taken, &w_ran};
const size_t schedule_writer_stmts_n = COUNT_OF(schedule_writer_stmts);

/* ---- jobs ------------------------------------------------------------------------------------ */

struct schedule {
    struct db *db;
    struct cfg_store *cfg;
    struct engine *en;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool asked, stop;
    /* the thread's own */
    bool plan;        /* jobs are to be looked at since that has not succeeded yet */
    int64_t ahead_ms; /* of PostgreSQL's clock before our monotonic one, at the last look */
};

/* A job that is due. */
struct job {
    int64_t id, activity_id; /* 0 = none */
    struct str name, body;
    int64_t due_us, now_s;
    bool has_next;
    int64_t next_us;
    const char *broken; /* why it cannot be started, or NULL */
    bool started;
};

const struct zone *schedule_zone(const struct cfg *cfg, struct arena *a)
{
    const struct zone *z = zone_open(cfg->timezone, a);

    return z != NULL ? z : zone_fixed(0, a);
}

/* Variable `request` of a run, from the text of the job: a JSON object is taken whole, other JSON
 * and other text become its "body". */
static struct val schedule_request(struct str body, struct arena *a)
{
    struct val request, v;
    struct err e;

    body = str_trim(body);
    if (body.len == 0)
        return val_dict_new(a, 0);
    if (json_parse_copy(body, &v, a, &e) != 0)
        v = val_str_dup(a, body);
    if (val_is(v, VAL_DICT))
        return v;
    request = val_dict_new(a, 1);
    val_dict_set_c(request, "body", v);
    return request;
}

/* The eight columns from `col` on. */
static int read_fields(struct cron *out, const PGresult *res, int row, int col, struct err *e)
{
    struct str fields[CRON_FIELDS];

    for (int f = 0; f < CRON_FIELDS; f++)
        fields[f] = db_str(res, row, col + f);
    return cron_parse(out, fields, e);
}

static struct db_arg time_or_null(bool has, int64_t us)
{
    return has ? DB_TIME(us) : DB_NULL;
}

/* ---- planning --------------------------------------------------------------------------------- */

/*
 * From when on the next run is looked for: from now.  Where the clock was set back since the last run, from that one, so that none
 * runs twice; but when it would have to be waited for too long, the new time counts.
 */
static int64_t plan_from(int64_t last_s, int64_t now_s)
{
    return last_s > now_s && last_s - now_s <= BACK_S ? last_s : now_s;
}

/*
 * Is next_on what the fields say?  A run that is due stays due; one in the future must be the first
 * that is still to come.  It is not when somebody changed the row by hand, or the zone of the platform.
 */
static bool is_planned(const struct cron *cron, const struct zone *z, bool has_next, int64_t next_us, int64_t now_s,
                       bool fires, int64_t first_s)
{
    int64_t at_s = next_us / 1000000, again;

    if (!has_next)
        return !fires;
    if (at_s > now_s)
        return fires && first_s == at_s && next_us % 1000000 == 0;
    return cron_next(cron, z, at_s - 1, &again) && again == at_s;
}

static const char alarm_key[] = "scheduled_job";

static int job_alarm(struct db_conn *c, struct str job, const char *why, struct err *e)
{
    const struct alarm x = {.key = alarm_key, .subject = job, .level = ALARM_MAJOR, .message = str_c(why)};

    return alarm_raise(c, &x, e);
}

/* A job whose fields nobody can read never fires, until they are changed. */
static int plan_row(struct db_conn *c, const struct zone *z, const PGresult *res, int row, struct err *e)
{
    int col = 2 + CRON_FIELDS;
    int64_t now_s = db_int(res, row, col + 2), first = 0;
    bool has_next = !db_is_null(res, row, col), fires = false;
    struct cron cron;

    if (read_fields(&cron, res, row, 2, e) != 0) {
        if (job_alarm(c, db_str(res, row, 1), e->msg, e) != 0)
            return -1;
        if (!has_next)
            return 0;
    } else {
        fires = cron_next(&cron, z, plan_from(db_time_us(res, row, col + 3) / 1000000, now_s), &first);
        if (is_planned(&cron, z, has_next, db_time_us(res, row, col), now_s, fires, first))
            return 0;
    }
    return db_exec(c, &stmt_plan,
                   DB_ARGS(DB_INT(db_int(res, row, 0)), time_or_null(fires, first * 1000000),
                           DB_STR(db_str(res, row, col + 1))),
                   NULL, e);
}

static int plan_all(struct schedule *s, const struct cfg *cfg, struct db_conn *c, struct arena *a, struct err *e)
{
    const struct zone *z = schedule_zone(cfg, a);
    PGresult *res = NULL;

    if (zone_open(cfg->timezone, a) == NULL)
        log_warn("schedule.zone", "zone=\"%.*s\" is not known here: jobs run by UTC", STR_ARG(cfg->timezone));
    if (db_query_in(c, &stmt_jobs, DB_NO_ARGS, &res, a, e) != 0)
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        if (plan_row(c, z, res, row, e) != 0)
            return -1;
    s->plan = false;
    return 0;
}

/* ---- starting --------------------------------------------------------------------------------- */

static void read_job(struct job *j, const struct zone *z, const PGresult *res, int row, struct arena *a)
{
    int rest = 2 + CRON_FIELDS;
    struct cron cron;
    struct err e;
    int64_t due_s, from, next;

    *j = (struct job){
        .id = db_int(res, row, 0),
        .name = db_str(res, row, 1),
        .activity_id = db_int(res, row, rest),
        .body = db_str(res, row, rest + 1),
        .due_us = db_time_us(res, row, rest + 2),
        .now_s = db_int(res, row, rest + 3),
    };
    if (read_fields(&cron, res, row, 2, &e) != 0) {
        j->broken = arena_strdup(a, e.msg);
        return;
    }
    due_s = j->due_us / 1000000;
    from = due_s < j->now_s - MISSED_S ? j->now_s - MISSED_S - 1 : due_s;
    j->has_next = cron_next(&cron, z, from, &next);
    if (j->has_next)
        j->next_us = next * 1000000;
}

static void add_taken(void *arg, struct writer_item *item, int64_t instance_id, struct arena *a)
{
    const struct job *j = arg;

    (void)instance_id;
    writer_add(item, &w_taken, DB_ARGS(DB_INT(j->id), DB_TIME(j->due_us), time_or_null(j->has_next, j->next_us)), a);
}

/* The snapshot may be older than the job. */
static int launch(struct schedule *s, struct engine_start *start, int64_t *id, char guid[37], struct err *e)
{
    int rc;

    if (cfg_activity(start->cfg, start->activity_id) != NULL)
        return engine_launch(s->en, start, id, guid, e);
    if (cfg_store_reload(s->cfg, e) != 0)
        return -1;
    start->cfg = cfg_get(s->cfg);
    rc = engine_launch(s->en, start, id, guid, e);
    cfg_put(start->cfg);
    return rc;
}

static bool for_a_while(const struct err *e)
{
    return e->code == ERR_DB || e->code == ERR_BUSY || e->code == ERR_TIMEOUT;
}

/* Nothing was started: tell, and go on to the next run. */
static int give_up(struct db_conn *c, const struct job *j, struct err *e)
{
    log_warn("schedule.failed", "job=\"%.*s\" why=" LOG_Q, STR_ARG(j->name), j->broken);
    if (job_alarm(c, j->name, j->broken, e) != 0)
        return -1;
    return db_exec(c, &stmt_move,
                   DB_ARGS(DB_INT(j->id), DB_TIME(j->due_us), time_or_null(j->has_next, j->next_us)), NULL, e);
}

/* Sets started or broken, or neither when somebody else was faster.  -1: not now, try again later. */
static int start_job(struct schedule *s, const struct cfg *cfg, struct job *j, struct arena *a, struct err *e)
{
    struct engine_start start = {
        .cfg = cfg,
        .activity_id = j->activity_id,
        .request = schedule_request(j->body, a),
        .label = j->name,
        .kind = "schedule",
        .also = add_taken,
        .also_arg = j,
    };
    char guid[37];
    int64_t id;

    if (j->activity_id == 0) {
        j->broken = "the job has no activity";
        return 0;
    }
    if (launch(s, &start, &id, guid, e) == 0) {
        j->started = true;
        return 0;
    }
    if (e->code == ERR_INVALID && strstr(e->detail, "22012") != NULL) {
        log_debug("schedule.taken", "job=\"%.*s\" by another process, or changed", STR_ARG(j->name));
        return 0;
    }
    if (for_a_while(e))
        return -1;
    j->broken = arena_strdup(a, e->msg);
    return 0;
}

static bool is_missed(const struct job *j)
{
    return j->due_us / 1000000 < j->now_s - MISSED_S;
}

static int settle_job(struct db_conn *c, const struct job *j, struct err *e)
{
    if (j->broken != NULL)
        return give_up(c, j, e);
    if (!is_missed(j))
        return j->started ? alarm_over(c, alarm_key, j->name, e) : 0;
    log_warn("schedule.missed", "job=\"%.*s\" late_s=%lld its runs until a minute ago are dropped", STR_ARG(j->name),
             (long long)(j->now_s - j->due_us / 1000000));
    return db_exec(c, &stmt_move,
                   DB_ARGS(DB_INT(j->id), DB_TIME(j->due_us), time_or_null(j->has_next, j->next_us)), NULL, e);
}

/*
 * Start and settle what is due.  All are started before any row is written here: a start waits for the writer, which may wait for such a
 * row, and neither PostgreSQL nor anybody else would see that circle.
 */
static int serve_jobs(struct schedule *s, const struct cfg *cfg, struct db_conn *c, struct job *jobs, int n, struct arena *a,
                      struct err *e)
{
    for (int i = 0; i < n; i++)
        if (jobs[i].broken == NULL && !is_missed(&jobs[i]) && start_job(s, cfg, &jobs[i], a, e) != 0)
            return -1;
    for (int i = 0; i < n; i++)
        if (settle_job(c, &jobs[i], e) != 0)
            return -1;
    return 0;
}

/* Start what is due, if it is our turn.  *n is the number of jobs looked at. */
static int serve_due(struct schedule *s, const struct cfg *cfg, struct db_conn *c, const struct zone *z, int *n,
                     struct arena *a, struct err *e)
{
    PGresult *turn = NULL, *res = NULL;
    struct job *jobs;

    *n = 0;
    if (db_begin(c, e) != 0 || db_query_in(c, &stmt_turn, DB_NO_ARGS, &turn, a, e) != 0)
        return -1;
    if (!db_bool(turn, 0, 0)) {
        db_rollback(c);
        return 0;
    }
    if (db_query_in(c, &stmt_due, DB_ARGS(DB_INT(ROUND_MAX)), &res, a, e) != 0)
        return -1;
    jobs = ARENA_ARRAY(a, struct job, (size_t)PQntuples(res) + 1);
    for (int row = 0; row < PQntuples(res); row++)
        read_job(&jobs[row], z, res, row, a);
    if (serve_jobs(s, cfg, c, jobs, PQntuples(res), a, e) != 0)
        return -1;
    *n = PQntuples(res);
    return db_commit(c, e);
}

/* Was PostgreSQL's clock set back since the last look, or is it that of another server?  Then jobs may be planned for too late. */
static bool set_back(struct schedule *s, int64_t now_ms)
{
    int64_t ahead_ms = now_ms - clock_mono_ms(&clock_system);
    bool back = s->ahead_ms - ahead_ms > LOOK_MS;

    s->ahead_ms = ahead_ms;
    return back;
}

/* One round; milliseconds until the next. */
static int64_t look(struct schedule *s)
{
    struct arena *a = arena_new(0);
    const struct cfg *cfg = cfg_get(s->cfg);
    const struct zone *z = schedule_zone(cfg, a);
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int64_t wait = TURN_MS;
    struct err e;
    int n = 0;

    if (db_get(s->db, &c, &e) != 0)
        goto out;
    if ((s->plan && plan_all(s, cfg, c, a, &e) != 0) || serve_due(s, cfg, c, z, &n, a, &e) != 0 ||
        db_query_in(c, &stmt_wait, DB_NO_ARGS, &res, a, &e) != 0) {
        log_err(for_a_while(&e) ? LOG_DEBUG_LEVEL : LOG_WARN_LEVEL, "schedule.round", &e);
        wait = AWAY_MS;
        goto out;
    }
    if (set_back(s, db_int(res, 0, 1))) {
        s->plan = true;
        wait = 0;
        goto out;
    }
    wait = db_is_null(res, 0, 0) || db_int(res, 0, 0) > LOOK_MS ? LOOK_MS : db_int(res, 0, 0);
    if (wait <= 0)
        wait = n == 0 ? TURN_MS : 0; /* due, but somebody else is at it */
out:
    db_put(s->db, c);
    cfg_put(cfg);
    arena_free(a);
    return wait;
}

/* ---- the thread ------------------------------------------------------------------------------- */

/* Until it is time, or somebody asks; true when jobs may have changed. */
static bool sleep_until(struct schedule *s, int64_t ms)
{
    struct timespec until = clock_in_ms(ms);
    bool asked;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    while (!s->stop && !s->asked && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&s->wake, &s->lock, &until);
    asked = s->asked;
    s->asked = false;
    pthread_mutex_unlock(&s->lock);
    return asked;
}

static bool stopped(struct schedule *s)
{
    bool stop;

    pthread_mutex_lock(&s->lock);
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return stop;
}

static void *schedule_main(void *arg)
{
    struct schedule *s = arg;

    log_context("schedule");
    s->plan = true;
    while (!stopped(s)) {
        if (sleep_until(s, look(s)))
            s->plan = true;
    }
    return NULL;
}

struct schedule *schedule_new(struct db *db, struct cfg_store *cfg, struct engine *en)
{
    struct schedule *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->db = db;
    s->cfg = cfg;
    s->en = en;
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->wake);
    if (pthread_create(&s->thread, NULL, schedule_main, s) != 0)
        abort();
    return s;
}

void schedule_wake(struct schedule *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->asked = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void schedule_free(struct schedule *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- by hand ---------------------------------------------------------------------------------- */

static void add_ran(void *arg, struct writer_item *item, int64_t instance_id, struct arena *a)
{
    const int64_t *id = arg;

    (void)instance_id;
    writer_add(item, &w_ran, DB_ARGS(DB_INT(*id)), a);
}

int schedule_run_now(struct engine *en, const struct cfg *cfg, struct db_conn *c, int64_t id, int64_t *instance_id,
                     char guid[37], struct err *e)
{
    struct arena *a = arena_new(0);
    struct engine_start start = {.cfg = cfg, .kind = "schedule", .also = add_ran, .also_arg = &id};
    PGresult *res = NULL;
    int rc = -1;

    if (db_query_in(c, &stmt_job, DB_ARGS(DB_INT(id)), &res, a, e) != 0)
        goto out;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such job");
        goto out;
    }
    start.label = db_str(res, 0, 0);
    start.activity_id = db_int(res, 0, 1);
    start.request = schedule_request(db_str(res, 0, 2), a);
    if (start.activity_id == 0)
        err_set(e, ERR_CONFLICT, "the job has no activity");
    else
        rc = engine_launch(en, &start, instance_id, guid, e);
    if (rc != 0 && e->code == ERR_NOT_FOUND)
        e->code = ERR_CONFLICT;
out:
    arena_free(a);
    return rc;
}
