/*
 * Scheduled jobs, timers and startup events through nginx, with two cores at work: each run once, what was missed,
 * what is refused.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "support/bad_day.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)

static struct env *env;
static struct bad_day *database;
static pid_t cores[2];

#define CRON "/api/v01/timers/cron"
#define KEEP_BODY                                                                                                      \
    DEFINITION(CELL("keep", "context_setter",                                                                          \
                    "\"key\":\"{\\\"key\\\":\\\"seen\\\",\\\"cleanup\\\":false}\",\"value\":\"{{ request|tojson }}\"", "\"ok\"") ",", \
               "[\"start.ok\",\"keep\"],[\"keep.ok\",\"end\"]")
#define TIMER                                                                                                          \
    DEFINITION(CELL("wait", "timer", "\"timeout\":\"%s\"", "\"ok\"") ",", "[\"start.ok\",\"wait\"],[\"wait.ok\",\"end\"]")

static int64_t keeper;

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* A job of the activity `keeper`; `more` are members of the body. */
static int64_t job(const char *name, const char *more)
{
    struct val v = api(env, 200, "POST", CRON,
                       fmt("{\"job_id\":\"%s\",\"activity_id\":%lld%s}", name, (long long)keeper, more));

    return api_int(v, "id");
}

static long long count(const char *sql)
{
    return strtoll(env_psql(env, sql), NULL, 10);
}

static long long runs(const char *name)
{
    return count(fmt("SELECT count(*) FROM instances WHERE label = '%s' AND kind = 'schedule'", name));
}

/* The job with this id in the list. */
static struct val listed(int64_t id)
{
    struct val v = val_get(api(env, 200, "GET", CRON, NULL), "timers");

    for (size_t i = 0; i < val_count(v); i++)
        if (api_int(val_at(v, i), "id") == id)
            return val_at(v, i);
    return val_undef(NULL);
}

/* ---- the list ------------------------------------------------------------------------------------ */

static void keeps_what_is_given(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    id = job("monthly report", ",\"day\":\"last fri\",\"hour\":6,\"minute\":\"\",\"request_body\":\"{\\\"body\\\":{\\\"a\\\":1}}\"");
    v = listed(id);
    assert_string_equal(text(v, "job_id"), "monthly report");
    assert_string_equal(text(v, "day"), "last fri");
    assert_string_equal(text(v, "hour"), "6");
    assert_string_equal(text(v, "minute"), "null");
    assert_string_equal(text(v, "enabled"), "true");
    assert_string_equal(text(v, "request_body"), "{\"body\":{\"a\":1}}");
    assert_int_equal(api_int(v, "activity_id"), keeper);
    assert_non_null(strstr(text(v, "next_on"), "T06:00:00.000000Z"));

    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":false,\"hour\":\"7\",\"activity_id\":null}");
    v = listed(id);
    assert_string_equal(text(v, "enabled"), "false");
    assert_string_equal(text(v, "hour"), "7");
    assert_string_equal(text(v, "day"), "last fri");
    assert_string_equal(text(v, "activity_id"), "null");
    assert_string_equal(text(v, "next_on"), "null");

    api(env, 200, "DELETE", fmt(CRON "/%lld", (long long)id), NULL);
    assert_true(val_is_undef(listed(id)));
    api(env, 404, "DELETE", fmt(CRON "/%lld", (long long)id), NULL);
    api(env, 404, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":true}");
    api(env, 404, "POST", fmt(CRON "/%lld/run", (long long)id), NULL);
    assert_int_equal(count("SELECT count(*) FROM audit WHERE target_type = 'scheduled_job' AND target = 'monthly report'"), 3);
}

static void refuses(const char *body, const char *why)
{
    struct val v = api(env, 400, "POST", CRON, body);

    if (strstr(text(v, "error"), why) == NULL)
        env_fail(env, "%s: wanted \"%s\", got \"%s\"", body, why, text(v, "error"));
}

static void refuses_what_never_fires(void **state)
{
    int64_t id;

    (void)state;
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"month\":\"2\",\"day\":\"31\"}", "never fires");
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"year\":\"2020\"}", "never fires");
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"hour\":\"24\"}", "hour: 24 is not between 0 and 23");
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"day_of_week\":\"fri-mon\"}", "day_of_week: \"fri-mon\" ends before it begins");
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"minute\":\"*/0\"}", "minute");
    refuses("{\"job_id\":\"x\",\"activity_id\":1,\"minute\":true}", "minute: expected text, got bool");
    refuses("{\"activity_id\":1}", "job_id is required");
    refuses("{\"job_id\":\"x\"}", "activity_id is required");
    refuses("{\"job_id\":\"x\",\"activity_id\":999999}", "activity_id: there is no activity 999999");
    refuses("{\"job_id\":\"x\",\"activity_id\":99999999999}", "activity_id: there is no activity 99999999999");
    refuses("{\"job_id\":\"x\",\"activity_id\":\"none\"}", "activity_id");
    refuses("[]", "expected an object");
    id = job("once", ",\"year\":\"2999\"");
    api(env, 400, "PUT", fmt(CRON "/%lld", (long long)id), "{\"year\":\"2001\"}");
    env_psql(env, fmt("UPDATE timers_cron SET year = '2001' WHERE id = %lld", (long long)id)); /* its year went by */
    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":false}");
    api(env, 400, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":true}");
    api(env, 200, "DELETE", fmt(CRON "/%lld", (long long)id), NULL);
}

/* ---- running -------------------------------------------------------------------------------------- */

/* A job for each second from the next one on; *first is that one. */
static int64_t each_second(const char *name, long long *first)
{
    int64_t id = job(name, ",\"second\":\"*\",\"enabled\":false,\"request_body\":\"{\\\"body\\\":{\\\"n\\\":7}}\"");

    *first = count(fmt("UPDATE timers_cron SET enabled = true, next_on = date_trunc('second', now()) + interval '1 s' "
                       "WHERE id = %lld RETURNING extract(epoch FROM next_on)::bigint", (long long)id));
    return id;
}

/* Each second from the first to that of the last run has one instance, and all of them ended well. */
static void check_each_second(const char *name, long long first)
{
    ENV_WAIT(env, 20000, count(fmt("SELECT count(*) FROM instances WHERE label = '%s' AND status = 'ACTIVE'", name)) == 0);
    assert_int_equal(count(fmt("SELECT extract(epoch FROM last_on)::bigint FROM timers_cron WHERE job_id = '%s'", name)) - first + 1,
                     runs(name));
    assert_int_equal(count(fmt("SELECT count(*) FROM instances WHERE label = '%s' AND status <> 'CLOSED_IN_SUCCESS'", name)), 0);
}

/* Two cores look at the same jobs, one of them is killed on the way: no second is missed and none runs twice. */
static void runs_once(void **state)
{
    long long first;
    int64_t id = each_second("every second", &first);

    (void)state;
    ENV_WAIT(env, 15000, runs("every second") >= 2);
    env_kill(env, cores[1], SIGKILL);
    ENV_WAIT(env, 15000, runs("every second") >= 4);
    cores[1] = env_app_start(env, "sluice-core", "core2.sock", (const char *const[]){"-workflows", NULL});
    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":false}");
    check_each_second("every second", first);
    assert_int_equal(count("SELECT count(*) FROM instances WHERE label = 'every second' AND (owner IS NOT NULL OR user_id IS NOT NULL "
                           "OR original_request_id IS NOT NULL)"), 0);
    assert_int_equal(count("SELECT count(*) FROM contexts k JOIN instances i ON i.id = k.instance_id WHERE i.label = 'every second' "
                           "AND k.key = 'seen' AND k.value::text LIKE '%7%'"),
                     runs("every second"));
}

/* The database is cut off and comes back: what was due meanwhile is started late, once. */
static void makes_up_for_an_outage(void **state)
{
    long long before, first;
    int64_t id = each_second("over an outage", &first);

    (void)state;
    ENV_WAIT(env, 15000, runs("over an outage") >= 2);
    before = runs("over an outage");
    env_pg_stop(env);
    for (int i = 0; i < 60; i++)
        env_pause(); /* more than a second goes by without a database */
    env_pg_start(env);
    ENV_WAIT(env, 30000, runs("over an outage") >= before + 3);
    ENV_WAIT(env, 30000, api_raw(env, "PUT", fmt(CRON "/%lld", (long long)id), "{\"enabled\":false}").status == 200);
    check_each_second("over an outage", first);
}

#define TWO_HOURS ((int64_t)2 * 3600 * 1000000)

/* The runs of a job, and the second of the last one by the database's clock: of one moment. */
static long long runs_until(const char *name, long long *last_s)
{
    const char *both = env_psql(env, fmt("SELECT (SELECT count(*) FROM instances WHERE label = '%s') || ' ' || "
                                         "extract(epoch FROM last_on)::bigint FROM timers_cron WHERE job_id = '%s'", name, name));
    char *end;
    long long n = strtoll(both, &end, 10);

    *last_s = strtoll(end, NULL, 10);
    return n;
}

/* The database's clock jumps: jobs neither flood nor stand still, and no second has two runs. */
static void goes_on_when_the_clock_jumps(void **state)
{
    static const char name[] = "over a jump";
    long long first, n, before, last_s, before_s;
    int64_t id = each_second(name, &first);

    (void)state;
    ENV_WAIT(env, 15000, runs(name) >= 1);
    /* ahead: what is older than a minute is dropped */
    before = runs_until(name, &before_s);
    database->clock_us = TWO_HOURS;
    ENV_WAIT(env, 30000, count(fmt("SELECT (last_on > now() - interval '2 s')::int FROM timers_cron WHERE id = %lld", (long long)id)) == 1);
    n = runs_until(name, &last_s);
    assert_true(last_s - before_s > 7100 && n - before <= 60 + 30);
    /* a little back: the seconds that come again have had their runs */
    before = runs_until(name, &before_s);
    database->clock_us -= 3000000;
    ENV_WAIT(env, 15000, runs(name) >= before + 2);
    n = runs_until(name, &last_s);
    assert_true(n - before <= last_s - before_s);
    /* far back: the new time counts */
    database->clock_us = 0;
    ENV_WAIT(env, 15000, count(fmt("SELECT (last_on < now() + interval '1 hour')::int FROM timers_cron WHERE id = %lld", (long long)id)) == 1);
    n = runs(name);
    ENV_WAIT(env, 15000, runs(name) >= n + 1);
    api(env, 200, "DELETE", fmt(CRON "/%lld", (long long)id), NULL);
}

static void is_found_in_the_history(void **state)
{
    struct val v = api(env, 200, "GET",
                       "/api/v01/custom_instances/search?filter=%5B%7B%22model%22%3A%22instances%22%2C%22field%22%3A%22label%22%2C"
                       "%22op%22%3A%22eq%22%2C%22value%22%3A%22every%20second%22%7D%5D",
                       NULL);

    (void)state;
    assert_string_equal(text(v, "instances.0.label"), "every second");
    assert_string_equal(text(v, "instances.0.status"), "CLOSED_IN_SUCCESS");
    assert_int_equal(api_int(v, "instances.0.activity_id"), keeper);
}

/* Put next_on into the past by hand, as if everything had been down: the trigger does not tell, the next look finds it. */
static void late_by(int64_t id, int seconds)
{
    env_psql(env, arena_printf(env_arena(env),
                               "UPDATE timers_cron SET next_on = date_trunc('minute', now()) - interval '%d s' WHERE id = %lld",
                               seconds, (long long)id));
}

static void drops_what_was_missed(void **state)
{
    int64_t id = job("missed", ",\"minute\":\"*\"");
    const char *due = fmt("SELECT next_on > now() FROM timers_cron WHERE id = %lld", (long long)id);

    (void)state;
    late_by(id, 180);
    ENV_WAIT(env, 15000, strcmp(env_psql(env, due), "t") == 0);
    /* runs of more than a minute ago are gone; that of the minute before, if it is younger, is not */
    assert_true(runs("missed") <= 2);
    assert_int_equal(count("SELECT count(*) FROM timers_cron WHERE job_id = 'missed' AND last_on < now() - interval '90 s'"), 0);
    api(env, 200, "DELETE", fmt(CRON "/%lld", (long long)id), NULL);
}

static void runs_now(void **state)
{
    int64_t id = job("by hand", ",\"year\":\"2990\",\"enabled\":false,\"request_body\":\"not json\"");
    struct val v = api(env, 200, "POST", fmt(CRON "/%lld/run", (long long)id), NULL);

    (void)state;
    assert_string_equal(api_instance_status(env, api_int(v, "id")), "CLOSED_IN_SUCCESS");
    assert_int_equal(strlen(text(v, "guid")), 36);
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld", (long long)api_int(v, "id")), NULL);
    assert_string_equal(text(v, "label"), "by hand");
    assert_non_null(strstr(text(v, "context.0.value"), "not json"));
    assert_non_null(strstr(text(v, "context.0.value"), "\"body\""));
    assert_string_not_equal(text(listed(id), "last_on"), "null");
    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)id), "{\"activity_id\":\"\"}");
    v = api(env, 409, "POST", fmt(CRON "/%lld/run", (long long)id), NULL);
    assert_string_equal(text(v, "error"), "the job has no activity");
}

static void alarms_without_activity(void **state)
{
    int64_t gone = api_activity(env, "goes away", KEEP_BODY);
    struct val v = api(env, 200, "POST", CRON,
                       fmt("{\"job_id\":\"lonely\",\"activity_id\":%lld,\"second\":\"*\",\"enabled\":false}",
                                    (long long)gone));

    (void)state;
    api(env, 200, "DELETE", fmt("/api/v01/activities/%lld?force=1", (long long)gone), NULL);
    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)api_int(v, "id")), "{\"enabled\":true}");
    ENV_WAIT(env, 15000, count("SELECT count(*) FROM alarms WHERE key = 'scheduled_job' AND subject = 'lonely' AND active") == 1);
    assert_int_equal(runs("lonely"), 0);
    api(env, 200, "PUT", fmt(CRON "/%lld", (long long)api_int(v, "id")),
        fmt("{\"activity_id\":%lld}", (long long)keeper));
    ENV_WAIT(env, 15000, runs("lonely") > 0);
    ENV_WAIT(env, 15000, count("SELECT count(*) FROM alarms WHERE key = 'scheduled_job' AND subject = 'lonely' AND active") == 0);
    api(env, 200, "DELETE", fmt(CRON "/%lld", (long long)api_int(v, "id")), NULL);
}

/* Rows of an import have no next_on; some hold what nobody can read. */
static void plans_imported_rows(void **state)
{
    (void)state;
    env_psql(env, arena_printf(env_arena(env),
                               "INSERT INTO timers_cron (job_id, activity_id, second, request_body) VALUES ('imported', %lld, '*', '[1,2]');"
                               "INSERT INTO timers_cron (job_id, activity_id, hour) VALUES ('unreadable', %lld, 'noon'), "
                               "('unreadable and long', %lld, 'x' || repeat('\xc3\xa9', 40))",
                               (long long)keeper, (long long)keeper, (long long)keeper));
    ENV_WAIT(env, 15000, runs("imported") > 0);
    ENV_WAIT(env, 15000, count("SELECT count(*) FROM alarms WHERE subject = 'unreadable' AND active AND message LIKE 'hour: %'") == 1);
    ENV_WAIT(env, 15000, count("SELECT count(*) FROM alarms WHERE subject = 'unreadable and long' AND active") == 1);
    assert_string_equal(env_psql(env, "SELECT coalesce(next_on::text, 'never') FROM timers_cron WHERE job_id = 'unreadable'"), "never");
    env_psql(env, "DELETE FROM timers_cron WHERE job_id IN ('imported', 'unreadable', 'unreadable and long')");
}

/* ---- zones ---------------------------------------------------------------------------------------- */

static void follows_the_zone(void **state)
{
    int64_t id = job("zoned", ",\"month\":\"1\",\"day\":\"15\",\"hour\":\"5\"");
    struct val v;

    (void)state;
    assert_non_null(strstr(text(listed(id), "next_on"), "-01-15T05:00:00"));
    api_configure(env, "timezone", "\"Europe/Brussels\"");
    ENV_WAIT(env, 10000, strstr(text(listed(id), "next_on"), "-01-15T04:00:00") != NULL);
    api_configure(env, "timezone", "\"Asia/Kolkata\"");
    ENV_WAIT(env, 10000, strstr(text(listed(id), "next_on"), "-01-14T23:30:00") != NULL);
    assert_string_equal(text(api(env, 200, "GET", CRON, NULL), "timezone"), "Asia/Kolkata");
    api_configure(env, "timezone", "\"UTC\"");
    ENV_WAIT(env, 10000, strstr(text(listed(id), "next_on"), "-01-15T05:00:00") != NULL);
    v = api(env, 400, "PUT", "/api/v01/system/configuration", "{\"gateways\":{},\"gui\":{},\"smtp\":{},\"timezone\":\"Europe/Atlantis\"}");
    assert_string_equal(text(v, "error"), "timezone: there is no time zone \"Europe/Atlantis\"");
}

static void refuses_an_unknown_zone_at_start(void **state)
{
    const char *argv[] = {env_program(env, "sluice-core"), "-workflows", "-socket", env_path(env, "zone.sock"), NULL};
    const char *vars[] = {fmt("DB=%s", env_db(env)), "APIO_TIMEZONE=Mars/Olympus", NULL};

    (void)state;
    assert_int_equal(env_wait_exit(env, env_spawn(env, "zone", argv, vars), 30000), 2);
    assert_non_null(strstr(env_log(env, "zone"), "APIO_TIMEZONE: there is no time zone \"Mars/Olympus\""));
}

/* ---- timers --------------------------------------------------------------------------------------- */

static struct val timer_of(int64_t instance)
{
    const char *path = fmt("/api/v01/transactions/%lld/timers", (long long)instance);

    ENV_WAIT(env, 10000, val_count(val_get(api(env, 200, "GET", path, NULL), "timers")) == 1);
    return val_at(val_get(api(env, 200, "GET", path, NULL), "timers"), 0);
}

static int64_t start_waiting(const char *name)
{
    int64_t activity = api_activity(env, name, fmt(TIMER, "3600"));

    return api_int(api(env, 200, "POST", fmt("/api/v01/activities/%lld/run", (long long)activity), NULL), "id");
}

static void moves_timers(void **state)
{
    int64_t instance = start_waiting("waits for long");
    struct val v = timer_of(instance);
    int64_t id = api_int(v, "id");
    const char *path = fmt("/api/v01/timers/%lld", (long long)id);

    (void)state;
    assert_string_equal(text(v, "status"), "WAIT");
    api(env, 200, "PUT", path, "{\"at\":\"2999-01-01T00:00:00Z\"}");
    assert_string_equal(text(timer_of(instance), "at"), "2999-01-01T00:00:00.000000Z");
    api(env, 400, "PUT", path, "{\"at\":\"soon\"}");
    api(env, 400, "PUT", path, "{}");
    api(env, 404, "PUT", "/api/v01/timers/999999999", "{\"at\":\"2999-01-01T00:00:00Z\"}");
    api(env, 200, "PUT", path, "{\"at\":\"2020-01-01T00:00:00\"}"); /* in the past: now */
    assert_string_equal(api_instance_status(env, instance), "CLOSED_IN_SUCCESS");
    assert_string_equal(text(timer_of(instance), "status"), "STOP");
    api(env, 409, "PUT", path, "{\"at\":\"2999-01-01T00:00:00Z\"}");
    api(env, 409, "DELETE", path, NULL);
}

static void cancels_timers(void **state)
{
    int64_t instance = start_waiting("waits in vain");
    struct val v = timer_of(instance);
    const char *task, *path = fmt("/api/v01/timers/%lld", (long long)api_int(v, "id"));

    (void)state;
    api(env, 200, "DELETE", path, NULL);
    assert_string_equal(text(timer_of(instance), "status"), "CANCEL");
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld", (long long)instance), NULL);
    assert_string_equal(text(v, "status"), "ACTIVE");
    assert_string_equal(text(v, "errors.0.output"), "timer cancelled by admin");
    assert_string_equal(text(v, "tasks.1.status"), "ERROR");
    task = fmt("/api/v01/transactions/%lld/tasks/", (long long)instance);
    api(env, 200, "PUT", fmt("%s%lld", task, (long long)api_int(v, "tasks.1.id")), NULL); /* replay arms it again */
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld/timers", (long long)instance), NULL);
    assert_int_equal(val_count(val_get(v, "timers")), 2);
    assert_string_equal(text(v, "timers.1.status"), "WAIT");
}

static void searches_timers(void **state)
{
    struct val v;

    (void)state;
    v = api(env, 200, "GET", "/api/v01/timers/search?filter=%7B%22field%22%3A%22status%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22CANCEL%22%7D", NULL);
    assert_int_equal(val_count(val_get(v, "timers")), 1);
    assert_string_equal(text(v, "timers.0.status"), "CANCEL");
    assert_string_equal(text(v, "timers.0.name"), "wait");
    assert_int_equal(val_count(val_get(v, "pagination")), 4);
    assert_int_equal(api_int(v, "total_count"), 1);
    /* un-encoded braces, empty criteria, and what the interface sends for a like without % */
    v = api(env, 200, "GET", "/api/v01/timers?filter=%5B%7B%22field%22%3A%22key%22%2C%22op%22%3A%22like%22%2C%22value%22%3A%22%25NaN%22%7D%2C"
                             "%7B%22field%22%3A%22status%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22%22%7D%5D", NULL);
    assert_int_equal(api_int(v, "total_count"), 0);
    v = api(env, 200, "GET", "/api/v01/timers?paging=%7B%22page_number%22%3A1%2C%22page_size%22%3A1%7D&sorting=%5B%7B%22field%22%3A%22at%22%2C%22direction%22%3A%22desc%22%7D%5D", NULL);
    assert_int_equal(val_count(val_get(v, "timers")), 1);
    assert_true(api_int(v, "total_count") >= 3);
    api(env, 400, "GET", "/api/v01/timers?filter=%7B%22field%22%3A%22secret%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A1%7D", NULL);
}

/* ---- startup events -------------------------------------------------------------------------------- */

static void binds_startup_events(void **state)
{
    struct val v = api(env, 200, "GET", "/api/v01/transactions/startup_events", NULL);

    (void)state;
    assert_int_equal(val_count(val_get(v, "events")), 0); /* none of our own: the panel hides */
    api(env, 404, "PUT", "/api/v01/transactions/startup_events/nothing", "{\"activity_id\":\"\"}");
    env_psql(env, "INSERT INTO startup_events (name) VALUES ('number moved')");
    api(env, 200, "PUT", "/api/v01/transactions/startup_events/number%20moved", fmt("{\"activity_id\":\"%lld\"}", (long long)keeper));
    v = api(env, 200, "GET", "/api/v01/transactions/startup_events", NULL);
    assert_string_equal(text(v, "events.0.name"), "number moved");
    assert_int_equal(api_int(v, "events.0.activity_id"), keeper);
    api(env, 400, "PUT", "/api/v01/transactions/startup_events/number%20moved", "{\"activity_id\":\"999999\"}");
    api(env, 400, "PUT", "/api/v01/transactions/startup_events/number%20moved", "{}");
    api(env, 200, "PUT", "/api/v01/transactions/startup_events/number%20moved", "{\"activity_id\":\"\"}");
    assert_string_equal(text(api(env, 200, "GET", "/api/v01/transactions/startup_events", NULL), "events.0.activity_id"), "null");
}

/* ---- rights ------------------------------------------------------------------------------------------ */

static void asks_for_rights(void **state)
{
    (void)state;
    api_as("");
    api(env, 401, "GET", CRON, NULL);
    api(env, 401, "POST", CRON, "{}");
    api(env, 401, "GET", "/api/v01/timers", NULL);
    api(env, 401, "DELETE", "/api/v01/timers/1", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(keeps_what_is_given), API_TEST(refuses_what_never_fires), API_TEST(runs_once), API_TEST(makes_up_for_an_outage),
        API_TEST(goes_on_when_the_clock_jumps),
        API_TEST(is_found_in_the_history), API_TEST(drops_what_was_missed), API_TEST(runs_now),
        API_TEST(alarms_without_activity), API_TEST(plans_imported_rows), API_TEST(follows_the_zone),
        API_TEST(refuses_an_unknown_zone_at_start), API_TEST(moves_timers), API_TEST(cancels_timers),
        API_TEST(searches_timers), API_TEST(binds_startup_events), API_TEST(asks_for_rights),
    };

    env = env_start_with(NULL, &database);
    cores[0] = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    cores[1] = env_app_start(env, "sluice-core", "core2.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    keeper = api_activity(env, "keeps what it gets", KEEP_BODY);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
