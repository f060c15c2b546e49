/*
 * sluicectl doctor: finds nothing in a sound installation, and what a test has broken in another.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "integration/env_api.h"

/* Clusters of tests do without fsync and full_page_writes: that is found in any case. */
enum { KNOWN = 2 };

static struct env *env;
static pid_t core;

struct told {
    int status;
    struct val findings, all;
};

/* Runs it; the findings from its JSON. */
static struct told doctor(const char *cert)
{
    static int n;
    const char *log = arena_printf(env_arena(env), "doctor%d", ++n);
    const char *argv[] = {env_program(env, "sluicectl"), "doctor", "-json", cert != NULL ? "-cert" : NULL, cert, NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};
    struct told t = {.status = env_wait_exit(env, env_spawn(env, log, argv, vars), 20000)};
    struct str text = str_c(env_log(env, log));
    ptrdiff_t at = str_find(text, STR("{\"ok\""));
    struct err e = {0};

    if (at < 0 || json_parse(str_slice(text, (size_t)at, text.len), &t.all, env_arena(env), &e) != 0)
        env_fail(env, "doctor said: %.*s", STR_ARG(text));
    t.findings = val_get(t.all, "findings");
    return t;
}

/* The problems a check found, "" when it found none. */
static const char *problem(struct told t, const char *check)
{
    const char *all = "";

    for (size_t i = 0; i < val_count(t.findings); i++)
        if (str_eq_c(val_get_text(val_at(t.findings, i), "check", STR("")), check))
            all = arena_printf(env_arena(env), "%s%s%.*s", all, all[0] != '\0' ? "; " : "",
                               STR_ARG(val_get_text(val_at(t.findings, i), "problem", STR(""))));
    return all;
}

static void finds_nothing(void **state)
{
    struct told t;

    (void)state;
    api_admin(env);
    t = doctor(NULL);
    if (val_count(t.findings) != KNOWN || strcmp(problem(t, "durability"), "fsync is off; full_page_writes is off") != 0)
        env_fail(env, "%.*s", STR_ARG(json_text(t.all, env_arena(env))));
    assert_int_equal(t.status, 1);
    assert_int_equal(api_int(t.all, "errors"), KNOWN);
    assert_true(api_int(t.all, "checks") > 20);
}

static const struct row {
    const char *name, *breaks, *repairs, *check, *says;
    int errors; /* beside those known */
} rows[] = {
    {"synchronous_commit off", "ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit",
     "durability", "synchronous_commit is off", 1},
    {"autovacuum off", "ALTER SYSTEM SET autovacuum = off", "ALTER SYSTEM RESET autovacuum", "autovacuum", "autovacuum is off", 1},
    {"time zone", "UPDATE users SET timezone = 'Mars/Base' WHERE username = 'admin'", "UPDATE users SET timezone = NULL",
     "time zone", "does not know the time zone Mars/Base", 1},
    {"an expired lease",
     "INSERT INTO jobs (id, kind, ref_id, ref_on, state, lease_owner, lease_until) VALUES (900001, 'other', NULL, NULL, "
     "'leased', 'host/nobody', now() - interval '1 hour')", "DELETE FROM jobs", "leases", "nobody takes them over", 1},
    {"an overdue job",
     "INSERT INTO jobs (id, kind, due_on) VALUES (900002, 'instance', now() - interval '1 hour')", "DELETE FROM jobs",
     "overdue jobs", "1 jobs are due and nobody starts them", 1},
    {"a failed job", "INSERT INTO jobs (id, kind, ref_id, state, last_error) VALUES (900003, 'x', 7, 'failed', 'no such cell')",
     "DELETE FROM jobs", "failed instances", "transaction 7 cannot be run: no such cell", 0},
    {"a job without instance", "INSERT INTO jobs (id, kind, ref_id, ref_on, due_on) VALUES (900004, 'instance', 8, now(), "
     "now() + interval '1 day')", "DELETE FROM jobs", "orphaned jobs", "of transaction 8, which is gone", 0},
    {"a blocked and a lost instance",
     "INSERT INTO definitions (id, sha256, definition) VALUES (900, '\\x00', '{}') ON CONFLICT DO NOTHING; "
     "INSERT INTO instances (id, created_on, guid, status, definition_id, cnt_tasks_in_error) VALUES "
     "(900010, now() - interval '1 hour', gen_random_uuid(), 'ACTIVE', 900, 1), "
     "(900011, now() - interval '1 hour', gen_random_uuid(), 'ACTIVE', 900, 0)",
     "DELETE FROM instances", "lost instances", "transaction 900011 is active and nothing will move it", 1},
    {"a link that ends",
     "INSERT INTO manual_actions (id, instance_id, instance_on, instance_guid, created_by_task_id, cell_id) VALUES "
     "(900020, 1, now(), gen_random_uuid(), 1, 'ask'); INSERT INTO one_time_tokens (digest, scope, action_id, expires_on) "
     "VALUES ('\\x01', 'ManualAction', 900020, now() + interval '1 hour')",
     "DELETE FROM one_time_tokens; DELETE FROM manual_actions", "one-time links", "the link of manual action 900020", 0},
};

static void finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct told t;

        (void)env_psql(env, r->breaks);
        (void)env_psql(env, "SELECT pg_reload_conf()");
        ENV_WAIT(env, 5000, strstr(problem(t = doctor(NULL), r->check), r->says) != NULL);
        if (api_int(t.all, "errors") != KNOWN + r->errors)
            env_fail(env, "%s: %.*s", r->name, STR_ARG(json_text(t.all, env_arena(env))));
        (void)env_psql(env, r->repairs);
        (void)env_psql(env, "SELECT pg_reload_conf()");
    }
}

static void finds_missing_partitions(void **state)
{
    const char *part = env_psql(env, "SELECT 'tasks_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')");
    struct told t;

    (void)state;
    (void)env_psql(env, arena_printf(env_arena(env), "DROP TABLE %s", part));
    t = doctor(NULL);
    assert_int_equal(t.status, 1);
    assert_string_equal(problem(t, "partitions"), arena_printf(env_arena(env), "the partition %s is missing", part));
    (void)env_psql(env, "SELECT history_prepare()");
    assert_string_equal(problem(doctor(NULL), "partitions"), "");
}

static void looks_at_certificates(void **state)
{
    const char *path = env_path(env, "cert.pem");
    const char *argv[] = {"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=x",
                          "-keyout", env_path(env, "key.pem"), "-out", path, NULL};
    struct told t;

    (void)state;
    assert_int_equal(env_wait_exit(env, env_spawn(env, "openssl", argv, NULL), 20000), 0);
    t = doctor(path);
    assert_int_equal(api_int(t.all, "errors"), KNOWN);
    if (strstr(problem(t, "certificates"), "cert.pem ends in") == NULL)
        env_fail(env, "%.*s", STR_ARG(json_text(t.all, env_arena(env))));
    t = doctor("/nowhere/cert.pem");
    assert_int_equal(api_int(t.all, "errors"), KNOWN + 1);
    assert_string_not_equal(problem(t, "certificates"), "");
}

static void explains_itself(void **state)
{
    const char *argv[] = {env_program(env, "sluicectl"), "doctor", NULL};
    const char *wrong[] = {env_program(env, "sluicectl"), "doctor", "-what", NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};

    (void)state;
    assert_int_equal(env_wait_exit(env, env_spawn(env, "plain", argv, vars), 20000), 1);
    assert_non_null(strstr(env_log(env, "plain"), "error: durability: fsync is off\n    switch it on"));
    assert_non_null(strstr(env_log(env, "plain"), "checks, 2 errors"));
    assert_int_equal(env_wait_exit(env, env_spawn(env, "wrong", wrong, vars), 20000), 2);
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing),
        API_TEST(finds),
        cmocka_unit_test(finds_missing_partitions),
        cmocka_unit_test(looks_at_certificates),
        cmocka_unit_test(explains_itself),
    };

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
