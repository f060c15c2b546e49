/*
 * Nobody waits for somebody who waits for him: where the writer and another wait for rows of each other, the order of what they do
 * keeps that from becoming a circle, which PostgreSQL would see late or not at all.
 *
 * The moments are made: what both need is locked from outside until they stand as they are to stand.
 */
#include "base/arena.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "db/locks.h"
#include "integration/env_api.h"
#include "support/fcgi_client.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)
#define CRON "/api/v01/timers/cron"

enum { WAIT_MS = 15000 };

static struct env *env;
static int metrics;
static int64_t plain; /* an activity */

/* ---- standing still ------------------------------------------------------------------------- */

static PGconn *holding(const char *lock)
{
    PGconn *c = PQconnectdb(env_db(env));

    PQclear(PQexec(c, "BEGIN"));
    PQclear(PQexec(c, lock));
    assert_int_equal(PQtransactionStatus(c), PQTRANS_INTRANS);
    return c;
}

static void let_go(PGconn *c)
{
    PQclear(PQexec(c, "COMMIT"));
    assert_int_equal(PQtransactionStatus(c), PQTRANS_IDLE);
    PQfinish(c);
}

static bool waits(const char *statement)
{
    return strcmp(sql("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%s%%'", statement), "t") == 0;
}

/* Somebody waits for who is in a transaction and asks nothing. */
static bool stands(void)
{
    return strcmp(sql("SELECT count(*) > 0 FROM pg_stat_activity w JOIN pg_stat_activity t ON t.pid = ANY (pg_blocking_pids(w.pid)) "
                      "WHERE t.state = 'idle in transaction'"),
                  "t") == 0;
}

/* What lies with the writer and is not yet on its way. */
static long long queued(void)
{
    struct env_answer a = env_http_at(env, "GET", fmt("http://127.0.0.1:%d/metrics", metrics), NULL, NULL);
    const char *name = "\nsluice_writer_queue_bytes ", *at = strstr(a.body, name);

    return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

struct sender {
    pthread_t thread;
    struct arena *a;
    struct fcgi_request r;
    const char *params[2], *path;
    struct fcgi_answer got;
};

static struct sender senders[2]; /* they may outlive a test that failed */

static void *sender_main(void *arg)
{
    struct sender *s = arg;

    s->got = fcgi_call(s->path, &s->r, s->a);
    return NULL;
}

static void sender_start(struct sender *s, const char *socket, const char *method, const char *uri, const char *body)
{
    s->a = arena_new(0);
    s->params[0] = fmt("HTTP_AUTHORIZATION=Bearer %s", api_token());
    s->path = env_path(env, socket);
    s->r = (struct fcgi_request){.method = method, .uri = uri, .params = s->params, .body = str_c(body), .content_type = "application/json"};
    assert_int_equal(pthread_create(&s->thread, NULL, sender_main, s), 0);
}

static int sender_end(struct sender *s)
{
    pthread_join(s->thread, NULL);
    arena_free(s->a);
    return s->got.status;
}

/* ---- jobs that are due ---------------------------------------------------------------------- */

static long long job(const char *name, const char *field)
{
    return api_int(api(env, 200, "POST", CRON,
                       fmt("{\"job_id\":\"%s\",\"activity_id\":%lld,\"%s\":\"*\",\"enabled\":false}", name, (long long)plain, field)),
                   "id");
}

static bool has_run(const char *name)
{
    return strcmp(sql("SELECT count(*) > 0 FROM instances WHERE label = '%s'", name), "t") == 0;
}

/*
 * One job was missed and is to be moved on, the next is due and is to be started, which waits for the writer; the writer's next
 * batch holds a run of the first one that somebody began by hand, and needs its row.
 */
static void of_a_round_of_jobs(void **state)
{
    long long missed = job("missed", "minute"), due = job("due", "second"), before;
    PGconn *turn = holding("SELECT pg_advisory_xact_lock(" DB_LOCK_SCHEDULE ")"), *table = holding("LOCK TABLE instances IN SHARE MODE");

    (void)state;
    sender_start(&senders[0], "core.sock", "POST", fmt("/api/v01/activities/%lld/run", (long long)plain), "{}");
    ENV_WAIT(env, WAIT_MS, waits("INSERT INTO instances"));
    sender_start(&senders[1], "core.sock", "POST", fmt(CRON "/%lld/run", missed), "{}");
    ENV_WAIT(env, WAIT_MS, (before = queued()) > 0);
    (void)sql("UPDATE timers_cron SET enabled = true, next_on = CASE id WHEN %lld THEN date_trunc('minute', now()) - interval '3 min' "
              "ELSE date_trunc('second', now()) END WHERE id IN (%lld, %lld)",
              missed, missed, due);
    let_go(turn);
    ENV_WAIT(env, WAIT_MS, queued() > before);
    let_go(table);
    ENV_WAIT(env, WAIT_MS, has_run("due") || stands());
    assert_false(stands());
    assert_int_equal(sender_end(&senders[0]), 200);
    assert_int_equal(sender_end(&senders[1]), 200);
    assert_true(has_run("missed"));
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT next_on > now() FROM timers_cron WHERE id = %lld", missed), "t") == 0);
    (void)api(env, 200, "DELETE", fmt(CRON "/%lld", due), NULL);
}

/* ---- a parent and its child ----------------------------------------------------------------- */

#define TIMER(name, time) CELL(name, "timer", "\"timeout\":\"" time "\",\"discard_idle_limit\":\"true\"", "\"ok\"")

/*
 * Two processes close a parent and its child.  Who closes the parent needs the child's job at the end, to tell it; who closes the
 * child needs the parent's, and has not taken that of the child before.
 */
static void of_a_family(void **state)
{
    static const char closes[] = "{\"status\":\"CLOSE_IN_ERROR\"}";
    struct fcgi_request r = {.uri = "/api/v01/health"};
    const char *parent, *child;
    PGconn *row;
    int64_t id;

    (void)state;
    /* ids come in blocks, one for each process: a child may have a lower one than its parent */
    env_app_start(env, "sluice-core", "people.sock", NULL);
    ENV_WAIT(env, WAIT_MS, fcgi_call(env_path(env, "people.sock"), &r, env_arena(env)).status == 200);
    (void)api_activity(env, "child", DEFINITION(TIMER("hour", "1 hour") ",", LINE("start.ok", "hour") "," LINE("hour.ok", "end")));
    id = api_activity(env, "parent",
                      DEFINITION(TIMER("wait", "0 seconds") ","
                                 CELL("spawn", "trigger_subworkflows", "\"workflow\":\"child\",\"source\":\"[{}]\"", "\"ok\"") ",",
                                 LINE("start.ok", "wait") "," LINE("wait.ok", "spawn") "," LINE("spawn.ok", "end")));
    sender_start(&senders[0], "people.sock", "POST", fmt("/api/v01/activities/%lld/run", (long long)id), "{}");
    assert_int_equal(sender_end(&senders[0]), 200);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT count(*) FROM timers t JOIN instances i ON i.id = t.instance_id WHERE i.kind = 'child'"), "1") == 0);
    child = sql("SELECT id FROM instances WHERE kind = 'child'");
    parent = sql("SELECT parent_instance_id FROM instances WHERE kind = 'child'");
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT count(*) FROM jobs WHERE ref_id IN (%s, %s) AND state = 'leased'", parent, child), "0") == 0);
    assert_true(strtoll(child, NULL, 10) < strtoll(parent, NULL, 10));

    row = holding(fmt("SELECT FROM instances WHERE id = %s FOR NO KEY UPDATE", parent));
    sender_start(&senders[0], "core.sock", "PUT", fmt("/api/v01/transactions/%s", parent), closes);
    ENV_WAIT(env, WAIT_MS, waits("UPDATE instances"));
    sender_start(&senders[1], "people.sock", "PUT", fmt("/api/v01/transactions/%s", child), closes);
    ENV_WAIT(env, WAIT_MS, waits("SELECT CASE WHEN l.fence"));
    assert_string_equal(sql("SELECT count(*) FROM (SELECT FROM jobs WHERE ref_id = %s FOR UPDATE SKIP LOCKED) free", child), "1");
    let_go(row);
    assert_int_equal(sender_end(&senders[0]), 200);
    assert_int_equal(sender_end(&senders[1]), 200);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT count(*) FROM jobs WHERE ref_id IN (%s, %s)", parent, child), "0") == 0);
    assert_string_equal(sql("SELECT string_agg(status, ' ') FROM instances WHERE id IN (%s, %s)", parent, child),
                        "CLOSED_IN_ERROR CLOSED_IN_ERROR");
    assert_string_equal(sql("SELECT count(*) FROM instance_logs WHERE message LIKE 'closed by %%' AND instance_id IN (%s, %s)", parent, child), "2");
    assert_string_equal(sql("SELECT count(*) FROM instance_signals"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(of_a_round_of_jobs), API_TEST(of_a_family)};

    env = env_start();
    metrics = env_free_port(env);
    env_app_start(env, "sluice-core", "core.sock",
                  (const char *const[]){"-workflows", "-metrics", fmt("-metricsPort=%d", metrics), NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    plain = api_activity(env, "plain", DEFINITION("", LINE("start.ok", "end")));
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
