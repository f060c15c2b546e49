/*
 * PostgreSQL fails over: the primary is killed in the middle of work, its standby, which had confirmed all that was acknowledged,
 * takes over, and the former primary comes back as a standby of it.  No program is started again (fcgi-app/engine/PROMISES.md).
 */
#include "base/arena.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "integration/env_api.h"
#include "support/crash_ledger.h"
#include "support/fcgi_client.h"
#include "support/rogue.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { CORES = 2, WAIT_MS = 30000, CLIENTS = 2, ACKS_MAX = 2000, PAUSE_MS = 10, CALL_MS = 40 };

static const char *const sockets[CORES] = {"a.sock", "b.sock"};
static struct env *env;
static struct ledger *ledger;
static struct rogue *upstream;
static pid_t cores[CORES], proxy, lone; /* the last one knows of server 0 only */
static const char *auth; /* of the administrator, as a parameter of FastCGI */

/* What clients ask for while the servers change their parts. */
static struct load {
    atomic_bool stop;
    atomic_int acked, refused, odd, proxied;
    pthread_t threads[CLIENTS + 1];
    const char *paths[CORES], *proxy;
    char guids[ACKS_MAX][40];
} load;

/* ---- clients -------------------------------------------------------------------------------------- */

static void note_answer(const struct fcgi_answer *got, struct arena *a)
{
    struct err e;
    struct val v;
    int n;

    if (got->status == 503 && fcgi_header(got, "Retry-After").p != NULL) {
        load.refused++;
    } else if (got->status == 200 && json_parse(got->body, &v, a, &e) == 0 && (n = load.acked++) < ACKS_MAX) {
        (void)snprintf(load.guids[n], sizeof load.guids[n], "%.*s", STR_ARG(val_get_text(v, "guid", STR(""))));
    } else {
        fprintf(stderr, "odd answer: %d %.*s\n", got->status, STR_ARG(got->body));
        load.odd++;
    }
}

static void *client_main(void *arg)
{
    const char *path = arg;
    struct arena *a = arena_new(0);

    while (!load.stop && load.acked < ACKS_MAX) {
        struct fcgi_answer got = fcgi_call(path, &(struct fcgi_request){.method = "POST", .uri = "/api/v01/public/order",
                                                                       .body = STR("{}"), .content_type = "application/json"}, a);

        note_answer(&got, a);
        arena_reset(a);
        usleep(PAUSE_MS * 1000);
    }
    arena_free(a);
    return NULL;
}

/* Calls that only pass through: none may fail. */
static void *proxied_main(void *arg)
{
    const char *const params[] = {auth, NULL};
    struct arena *a = arena_new(0);

    (void)arg;
    while (!load.stop) {
        struct fcgi_answer got = fcgi_call(load.proxy, &(struct fcgi_request){.uri = "/api/v01/p1/do/ok/", .params = params}, a);

        if (got.status == 200)
            load.proxied++;
        else
            load.odd++;
        if (got.status != 200)
            fprintf(stderr, "odd answer of the proxy: %d %.*s\n", got.status, STR_ARG(got.body));
        arena_reset(a);
        usleep(PAUSE_MS * 1000);
    }
    arena_free(a);
    return NULL;
}

static void begin_load(void)
{
    load.stop = false;
    for (int i = 0; i < CLIENTS; i++)
        if (pthread_create(&load.threads[i], NULL, client_main, (void *)(uintptr_t)load.paths[i % CORES]) != 0)
            abort();
    if (pthread_create(&load.threads[CLIENTS], NULL, proxied_main, NULL) != 0)
        abort();
}

static void end_load(void)
{
    load.stop = true;
    for (int i = 0; i <= CLIENTS; i++)
        pthread_join(load.threads[i], NULL);
}

static struct fcgi_answer ask_at(const char *path, const char *method, const char *uri)
{
    const char *const params[] = {auth, NULL};

    return fcgi_call(path, &(struct fcgi_request){.method = method, .uri = uri, .params = params, .body = STR("{}"),
                                                  .content_type = "application/json"}, env_arena(env));
}

static struct fcgi_answer ask(int core, const char *method, const char *uri)
{
    return ask_at(load.paths[core], method, uri);
}

static int asks_database(const char *socket)
{
    return ask_at(env_path(env, socket), "GET", "/api/v01/activities").status;
}

static long long number(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* ---- the servers ------------------------------------------------------------------------------------ */

/* Nothing is acknowledged from here on that the standby has not got. */
static void confirm_with_standby(int primary)
{
    const char *at = env_db_at(env, primary);

    (void)env_psql_at(env, at, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    (void)env_psql_at(env, at, "SELECT pg_reload_conf()");
    ENV_WAIT(env, WAIT_MS, strcmp(env_psql_at(env, at, "SELECT string_agg(sync_state, ' ') FROM pg_stat_replication"), "sync") == 0);
}

/* As somebody or something that watches the servers would: the old one is dead, the new one waits for nobody. */
static void fail_over(int from, int to)
{
    env_pg_stop_one(env, from);
    for (int i = 0; i < 25; i++)
        env_pause(); /* half a second without a primary: what is asked meanwhile is refused */
    env_pg_promote(env, to);
}

/* ---- judging ------------------------------------------------------------------------------------------ */

static void hand_in(void)
{
    struct arena *a = env_arena(env);
    struct buf b;

    buf_init(&b, 64 * MIB, a);
    buf_add_c(&b, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS proof CASCADE; CREATE SCHEMA proof; CREATE TABLE proof.acked (guid uuid); "
                  "CREATE TABLE proof.calls (guid uuid, cell text, key text, at timestamptz)");
    for (int i = 0; i < load.acked; i++)
        buf_addf(&b, "; INSERT INTO proof.acked VALUES ('%s')", load.guids[i]);
    for (size_t i = 0; i < ledger_count(ledger); i++) {
        struct ledger_call c = ledger_get(ledger, i);

        buf_addf(&b, "; INSERT INTO proof.calls VALUES ('%s', '%s', '%s', to_timestamp(%lld / 1000000.0))", c.guid, c.cell, c.key,
                 (long long)c.at_us);
    }
    (void)env_psql(env, buf_cstr(&b));
}

/* The first row of what must not be there. */
static void none(const char *what, const char *select)
{
    const char *found = env_psql(env, select);

    if (found[0] != '\0')
        env_fail(env, "%s: %s", what, found);
}

static void judge(void)
{
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'ACTIVE'")) == 0);
    hand_in();
    none("acknowledged and lost", "SELECT guid FROM proof.acked WHERE guid NOT IN (SELECT guid FROM instances)");
    none("not closed well", "SELECT guid FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'");
    none("cells without their one task", "SELECT i.guid FROM instances i LEFT JOIN tasks t ON t.instance_id = i.id GROUP BY i.guid "
         "HAVING count(*) FILTER (WHERE t.status = 'OK') <> 5 OR count(*) <> 5 OR count(DISTINCT t.cell_id) <> 5");
    none("left behind", "SELECT id FROM jobs WHERE kind = 'instance'");
    none("a call without a task", "SELECT c.guid || ' ' || c.cell FROM proof.calls c LEFT JOIN instances i ON i.guid = c.guid "
         "LEFT JOIN tasks t ON t.instance_id = i.id AND t.cell_id = c.cell WHERE t.id IS NULL");
    none("a task without a call", "SELECT t.id FROM tasks t JOIN instances i ON i.id = t.instance_id LEFT JOIN proof.calls c ON "
         "c.guid = i.guid AND c.cell = t.cell_id WHERE t.cell_id IN ('first', 'second') AND c.key IS NULL");
    none("another key", "SELECT guid FROM proof.calls GROUP BY guid, cell HAVING count(DISTINCT key) <> 1 OR min(key) = ''");
    none("a completed task called again", "SELECT c.guid FROM proof.calls c JOIN instances i ON i.guid = c.guid "
         "JOIN tasks t ON t.instance_id = i.id AND t.cell_id = c.cell WHERE c.at > t.updated_on");
    assert_int_equal(load.odd, 0);
}

/* Every proxied call has its row, once. */
static void history_is_whole(void)
{
    const char *rows = "SELECT count(*) FROM requests WHERE gateway IS NOT NULL";

    ENV_WAIT(env, WAIT_MS, number(sql("%s", rows)) >= load.proxied);
    assert_int_equal(number(sql("%s", rows)), load.proxied);
}

/* ---- tests ----------------------------------------------------------------------------------------------- */

/* Changes are heard of again, in all programs. */
static void hears_changes(const char *title)
{
    int64_t version;

    api_configure(env, "gui", fmt("{\"title\":\"%s\"}", title));
    version = number(sql("SELECT max(id) FROM configuration"));
    for (int i = 0; i < CORES + 1; i++)
        ENV_WAIT(env, WAIT_MS,
                 strstr(env_log(env, i < CORES ? sockets[i] : "p1.sock"), fmt("config.read version=%lld ", (long long)version)) != NULL);
}

static void work_goes_on(int from, int to, const char *title)
{
    int before, refused = load.refused;

    begin_load();
    before = load.acked;
    ENV_WAIT(env, WAIT_MS, load.acked >= before + 40);
    fail_over(from, to);
    before = load.acked;
    ENV_WAIT(env, WAIT_MS, load.acked >= before + 40);
    end_load();
    assert_true(load.refused > refused);
    judge();
    history_is_whole();
    hears_changes(title);
    for (int i = 0; i < CORES; i++)
        assert_true(env_running(env, cores[i]));
    assert_true(env_running(env, proxy));
}

static void the_standby_takes_over(void **state)
{
    (void)state;
    work_goes_on(0, 1, "failed over");
}

static int connected_to(int server)
{
    return (int)number(env_psql_at(env, env_db_at(env, server),
                                   "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'"));
}

/* The former primary is back, stands first in the address and answers with what it had a while ago. */
static void nothing_is_asked_of_a_standby(void **state)
{
    pid_t late;

    (void)state;
    env_pg_follow(env, 0);
    (void)env_psql_at(env, env_db_at(env, 0), "SELECT pg_wal_replay_pause()");
    hears_changes("before they look around");
    (void)sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%%'");
    ENV_WAIT(env, WAIT_MS, ask(0, "GET", "/api/v01/activities").status == 200 && ask(1, "GET", "/api/v01/activities").status == 200);
    hears_changes("after it");
    begin_load();
    ENV_WAIT(env, WAIT_MS, load.acked >= 100);
    end_load();
    judge();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(asks_database("lone.sock"), 503);
        env_pause();
    }
    assert_int_equal(connected_to(0), 0);
    /* one that begins only now, and one that is told of the standby alone */
    late = env_app_start_with(env, "sluice-core", "late.sock", NULL, (const char *const[]){fmt("DB=%s", env_db_both(env, "")), NULL});
    ENV_WAIT(env, WAIT_MS, asks_database("late.sock") == 200);
    env_stop(env, late);
    late = env_app_start_with(env, "sluice-core", "late.sock", NULL, (const char *const[]){fmt("DB=%s", env_db_at(env, 0)), NULL});
    ENV_WAIT(env, WAIT_MS, strstr(env_log(env, "late.sock"), "connected to a standby (read-only); waiting for a primary") != NULL);
    assert_int_equal(asks_database("late.sock"), 503);
    env_stop(env, late);
    (void)env_psql_at(env, env_db_at(env, 0), "SELECT pg_wal_replay_resume()");
}

/* And back again, the other way round. */
static void the_first_one_takes_over_again(void **state)
{
    (void)state;
    confirm_with_standby(1);
    work_goes_on(1, 0, "back again");
    ENV_WAIT(env, WAIT_MS, asks_database("lone.sock") == 200);
}

/* A primary that takes no writes for a while, as when somebody moves it or its disk fills up. */
static void a_read_only_primary_is_away(void **state)
{
    const char *at = env_db_at(env, 0);
    int before = load.refused;

    (void)state;
    begin_load();
    (void)env_psql_at(env, at, "ALTER SYSTEM SET default_transaction_read_only = on");
    (void)env_psql_at(env, at, "SELECT pg_reload_conf()");
    ENV_WAIT(env, WAIT_MS, load.refused >= before + 10);
    (void)env_psql_at(env, at, "ALTER SYSTEM RESET default_transaction_read_only");
    (void)env_psql_at(env, at, "SELECT pg_reload_conf()");
    before = load.acked;
    ENV_WAIT(env, WAIT_MS, load.acked >= before + 40);
    end_load();
    judge();
    history_is_whole();
}

static void ends_cleanly(void **state)
{
    (void)state;
    for (int i = 0; i < CORES; i++)
        env_stop(env, cores[i]);
    env_stop(env, proxy);
    env_stop(env, lone);
}

/* ---- the house --------------------------------------------------------------------------------------------- */

#define CALL(name)                                                                                                     \
    "\"" name "\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":" \
    "\"{\\\"guid\\\":\\\"{{ instance.guid }}\\\",\\\"cell\\\":\\\"" name "\\\"}\"},\"outputs\":[\"success\"]}"

static void set_up(void)
{
    const char *both = fmt("DB=%s", env_db_both(env, ""));
    const char *const vars[] = {both, NULL};
    int port = ledger_port(ledger);

    env_pg_follow(env, 1);
    confirm_with_standby(0);
    for (int i = 0; i < CORES; i++) {
        load.paths[i] = env_path(env, sockets[i]);
        cores[i] = env_app_start_with(env, "sluice-core", sockets[i], (const char *const[]){"-workflows", NULL}, vars);
        if (i == 0)
            env_nginx_start(env, sockets[0], "p1.sock");
        if (i == 0)
            api_admin(env);
    }
    auth = fmt("HTTP_AUTHORIZATION=Bearer %s", api_token());
    api_configure(env, "gateways", fmt("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", rogue_port(upstream)));
    api_route(env, "post", "/order",
              api_activity(env, "order", fmt(DEFINITION(CALL("first") "," CELL("pause", "timer", "\"timeout\":\"600 ms\",\"discard_idle_limit\":\"true\"", "\"ok\"") "," CALL("second") ",",
                                                       LINE("start.ok", "first") "," LINE("first.success", "pause") ","
                                                       LINE("pause.ok", "second") "," LINE("second.success", "end")), port, port)),
              ",\"public\":true");
    load.proxy = env_path(env, "p1.sock");
    lone = env_app_start_with(env, "sluice-core", "lone.sock", NULL, (const char *const[]){fmt("DB=%s", env_db_at(env, 0)), NULL});
    proxy = env_app_start_with(env, "sluice-proxy", "p1.sock", (const char *const[]){"-proxy=/api/v01/p1:bwks", NULL}, vars);
    ENV_WAIT(env, WAIT_MS, ask_at(load.proxy, "GET", "/api/v01/health").status == 200);
    ENV_WAIT(env, WAIT_MS, ask(0, "POST", "/api/v01/public/order").status == 200);
    ENV_WAIT(env, WAIT_MS, ask(1, "POST", "/api/v01/public/order").status == 200);
    ENV_WAIT(env, WAIT_MS, asks_database("lone.sock") == 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standby_takes_over),
        cmocka_unit_test(nothing_is_asked_of_a_standby),
        cmocka_unit_test(the_first_one_takes_over_again),
        cmocka_unit_test(a_read_only_primary_is_away),
        cmocka_unit_test(ends_cleanly),
    };
    int failed;

    ledger = ledger_new(CALL_MS);
    upstream = rogue_new();
    env = env_start();
    set_up();
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    rogue_free(upstream);
    ledger_free(ledger);
    return failed;
}
