/*
 * Through a pooler in transaction mode (pgbouncer), where every transaction may meet another backend: starting together,
 * killed migrators, and the programs at work (migration.md 8.3, 11.4).
 */
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "integration/env_api.h"
#include "integration/env_int.h"
#include "integration/env_schema.h"

enum { POOL_PORT = 6432, BACKENDS = 3 };

static struct env *env;

/* The database of `uri`, through the pooler. */
static const char *pooled(const char *uri)
{
    return env_fmt(env, "%s&port=%d", uri, POOL_PORT);
}

static const char *sql(const char *uri, const char *text)
{
    return env_psql_at(env, uri, text);
}

static void start_pooler(void)
{
    const char *ini = env_path(env, "pgbouncer.ini");
    const char *argv[] = {"/usr/sbin/pgbouncer", "-q", ini, NULL};

    env_write_file(env, env_path(env, "pgbouncer.users"), "\"sluice\" \"\"\n");
    env_write_file(env, ini,
                   env_fmt(env,
                           "[databases]\n* = host=%s\n[pgbouncer]\nlisten_port = %d\nunix_socket_dir = %s\nauth_type = trust\n"
                           "auth_file = %s\npool_mode = transaction\ndefault_pool_size = %d\nmax_client_conn = 300\n"
                           "log_connections = 0\nlog_disconnections = 0\n",
                           env_path(env, "."), POOL_PORT, env_path(env, "."), env_path(env, "pgbouncer.users"), BACKENDS));
    if (chmod(ini, 0644) != 0 || chmod(env_path(env, "pgbouncer.users"), 0644) != 0) /* it is somebody else who reads them */
        env_fail(env, "chmod %s", ini);
    (void)env_spawn_opts(env, &(struct spawn_opts){"pgbouncer", argv, NULL, true, SIGKILL});
    ENV_WAIT(env, 10000, PQping(pooled(env_db(env))) == PQPING_OK);
}

/* ---- migrators ----------------------------------------------------------------------------- */

static void item_4_ten_at_once(void **state)
{
    const char *uri = schema_empty(env);
    pid_t pids[10];

    (void)state;
    for (int i = 0; i < 10; i++)
        pids[i] = schema_process(NULL, pooled(uri), i % 2 == 0, 30000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(schema_exit_of(pids[i]), 0);
    assert_string_equal(schema_versions(env, uri), schema_all_versions(env));
}

static void item_4_killed_migrators(void **state)
{
    const char *uri = schema_empty(env);

    (void)state;
    for (int i = 0; i < 20; i++) {
        pid_t pid = schema_process(NULL, pooled(uri), true, 0);

        usleep((unsigned)(i * 7919 % 60) * 1000);
        kill(pid, SIGKILL);
        (void)schema_exit_of(pid);
    }
    schema_must(env, NULL, pooled(uri));
    assert_string_equal(schema_dump(env, uri), schema_file(env));
}

/* A step outside of a transaction needs a backend of its own: said so, and nothing stays locked. */
static void item_4_a_step_needs_a_direct_connection(void **state)
{
    const char *uri = schema_ready(env);
    const struct migration *step =
        schema_with(env, "audit_summary", "-- transaction: no\nCREATE INDEX CONCURRENTLY IF NOT EXISTS audit_summary ON audit (summary);\n", true);
    struct err e;

    (void)state;
    assert_int_equal(schema_migrate(step, pooled(uri), true, 0, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, env_fmt(env,
                                       "DB goes through a pooler in transaction mode; migration %04d needs a direct connection "
                                       "(sluicectl migrate with the direct address)",
                                       migrate_target() + 1));
    assert_string_equal(sql(uri, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'"), "0");
    schema_must(env, step, uri);
    schema_must(env, step, pooled(uri));
}

/* ---- the programs -------------------------------------------------------------------------- */

static const char *vars(const char *more)
{
    return env_fmt(env, "DB=%s%s", pooled(env_db(env)), more);
}

static int status_of(const char *path)
{
    return env_http(env, "GET", path, NULL, NULL).status;
}

static void ctl(const char *verb, const char *word)
{
    const char *argv[] = {env_program(env, "sluicectl"), "keys", verb, word, NULL};
    int status = env_wait_exit(env, env_spawn(env, "ctl", argv, (const char *const[]){vars(""), NULL}), 60000);

    if (status != 0)
        env_fail(env, "keys %s: %d %s", verb, status, env_log(env, "ctl"));
}

static void item_4_programs_at_work(void **state)
{
    static const char *const cores[] = {"core.sock", "core2.sock"};
    const char *auth[3] = {NULL};
    struct env_answer a;
    int64_t id, document;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cores); i++)
        (void)env_app_start_with(env, "sluice-core", cores[i], (const char *const[]){"-workflows", "-cleanup", NULL},
                                 (const char *const[]){vars(""), NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    id = api_activity(env, "plain",
                      DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{\\\"ok\\\": true}\"", "\"ok\"") ",",
                                 LINE("start.ok", "answer") "," LINE("answer.ok", "end")));
    api_route(env, "get", "/plain", id, ",\"sync\":true,\"public\":true");
    api_route(env, "post", "/later", id, ",\"public\":true");
    ENV_WAIT(env, 15000, status_of("/api/v01/public/plain") == 200);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(status_of("/api/v01/public/plain"), 200);
        (void)env_http(env, "POST", "/api/v01/public/later", NULL, "{}");
        assert_int_equal(api_raw(env, "GET", "/api/v01/activities", NULL).status, 200);
    }
    ENV_WAIT(env, 15000, strcmp(env_psql(env, "SELECT count(*) >= 120 FROM instances WHERE status = 'CLOSED_IN_SUCCESS'"), "t") == 0);
    /* documents and keys, also renamed under our feet */
    auth[0] = api_auth(env);
    auth[1] = "Content-Type: text/plain";
    a = env_http(env, "POST", env_fmt(env, "/api/v01/transactions/%s/documents?name=a.txt", env_psql(env, "SELECT max(id) FROM instances")),
                 auth, "kept");
    assert_int_equal(a.status, 200);
    document = api_int(api_json(env, &a), "id");
    ctl("rotate", "document-storage");
    ctl("reseal", NULL);
    ctl("verify", NULL);
    a = api_raw(env, "GET",
                env_fmt(env, "/api/v01/transactions/%s/documents/%lld", env_psql(env, "SELECT max(id) FROM instances"), (long long)document),
                NULL);
    assert_string_equal(a.body, "kept");
    /* a change through one core is seen by the other, which cannot be told */
    api_configure(env, "gui", "{\"title\":\"pooled\"}");
    api_configuration_heard(env, "core2.sock");
}

/* What is ours stays with us: other users of the pooler get backends as they were. */
static void item_4_nothing_is_left_in_a_backend(void **state)
{
    const char *uri = pooled(env_db(env));

    (void)state;
    for (int i = 0; i < 40; i++) {
        assert_string_equal(sql(uri, "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
                                     "('enable_seqscan', 'plan_cache_mode', 'statement_timeout', 'lock_timeout')"),
                            "on 0 auto 0");
        assert_string_equal(sql(uri, "SELECT count(*) FROM pg_prepared_statements"), "0");
        assert_string_equal(sql(uri, "SELECT count(*) FROM pg_listening_channels()"), "0");
    }
    assert_null(strstr(env_log(env, "postgres"), "prepared statement"));
    assert_null(strstr(env_log(env, "core.sock"), "lost the connection"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_4_ten_at_once),
        cmocka_unit_test(item_4_killed_migrators),
        cmocka_unit_test(item_4_a_step_needs_a_direct_connection),
        cmocka_unit_test(item_4_programs_at_work),
        cmocka_unit_test(item_4_nothing_is_left_in_a_backend),
    };

    log_init("it_pooler", LOG_ERROR_LEVEL);
    env = env_start();
    start_pooler();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
