/*
 * The copier against a real server: every type, batches that the server refuses, and a connection that is lost.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "db/copier.h"
#include "integration/env.h"
#include "support/ending.h"

static struct env *env;
static struct db *db;

static const struct copier_stmt kinds = {"COPY kinds (i, k, t, b, f, z, j, n) FROM STDIN (FORMAT binary)", "iktbfzjn"};
static const struct copier_stmt items = {"COPY items (id, name) FROM STDIN (FORMAT binary)", "it"};

enum { ROWS = 10 };

/* A batch, its rows and its end. */
struct job {
    struct copier_batch batch;
    struct db_arg args[ROWS][8];
    const struct db_arg *rows[ROWS];
    struct ending end;
};

static void job_init(struct job *j, const struct copier_stmt *stmt, size_t n)
{
    *j = (struct job){.batch = {.stmt = stmt, .rows = j->rows, .n = n, .done = ending_tell, .arg = &j->end}};
    ending_init(&j->end);
    for (size_t i = 0; i < n; i++)
        j->rows[i] = j->args[i];
}

/* Rows first..first+n-1. */
static void job_items(struct job *j, int64_t first, size_t n, struct str name)
{
    job_init(j, &items, n);
    for (size_t i = 0; i < n; i++) {
        j->args[i][0] = DB_INT(first + (int64_t)i);
        j->args[i][1] = DB_STR(name);
    }
}

static void run(struct copier *c, struct job *j)
{
    copier_submit(c, &j->batch);
    ENV_WAIT(env, 10000, ending_done(&j->end));
}

static int clear_tables(void **state)
{
    (void)state;
    (void)env_psql(env, "TRUNCATE items, kinds");
    return 0;
}

/* ------------------------------------------------------------------------------------------ */

static void every_type(void **state)
{
    struct copier *c = copier_new(db);
    struct job j;

    (void)state;
    job_init(&j, &kinds, 3);
    memcpy(j.args[0], (const struct db_arg[8]){DB_INT(INT64_MIN), DB_INT(-7), DB_C("h\xc3\xa9 \"{},\\'\t\n\\N"), DB_BOOL(true), DB_FLOAT(0.1),
                                               DB_TIME(-1), DB_C("{\"b\": 1,  \"a\": 12345678901234567890}"), DB_C("192.0.2.7")},
           sizeof j.args[0]);
    memcpy(j.args[1], (const struct db_arg[8]){DB_INT(1), DB_INT(INT32_MAX), DB_C(""), DB_BOOL(false), DB_INT(2), DB_TIME(0), DB_C("[]"),
                                               DB_C("2001:db8::1")},
           sizeof j.args[1]);
    for (size_t i = 0; i < 8; i++)
        j.args[2][i] = DB_NULL;
    run(c, &j);
    assert_true(j.end.stored);
    assert_string_equal(env_psql(env, "SELECT concat_ws('|', i, k, t = E'h\\u00e9 \"{},\\\\''\\t\\n\\\\N', b, f, z, j, n) FROM kinds WHERE k < 0"),
                        "-9223372036854775808|-7|t|t|0.1|1969-12-31 23:59:59.999999+00|{\"b\": 1,  \"a\": 12345678901234567890}|192.0.2.7");
    assert_string_equal(env_psql(env, "SELECT concat_ws('|', i, k, t, b, f, z, j, n) FROM kinds WHERE i = 1"),
                        "1|2147483647||f|2|1970-01-01 00:00:00+00|[]|2001:db8::1");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM kinds WHERE num_nulls(i, k, t, b, f, z, j, n) = 8"), "1");
    copier_free(c);
}

/* Nothing of a refused batch is there, and the next one is stored on the same connection. */
static void refused(void **state)
{
    struct copier *c = copier_new(db);
    struct job j, good;
    const char *pid;

    (void)state;
    job_items(&good, 0, 3, STR("good"));
    run(c, &good);
    pid = env_psql(env, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%'");
    job_items(&j, 1, 3, STR("twice")); /* 1 and 2 are there */
    run(c, &j);
    assert_int_equal(j.end.err.code, ERR_CONFLICT);
    job_items(&j, 100, 3, str_make("a\0b", 3));
    run(c, &j);
    assert_false(j.end.stored);
    assert_int_not_equal(j.end.err.code, ERR_DB);
    for (int i = 0; i < 2; i++) {
        job_init(&j, &kinds, 2);
        for (size_t k = 0; k < 16; k++)
            j.args[k / 8][k % 8] = DB_NULL;
        if (i == 0)
            j.args[1][7] = DB_C("unix:");
        else
            j.args[1][1] = DB_INT(INT64_MAX);
        run(c, &j);
        assert_int_equal(j.end.err.code, ERR_INVALID);
    }
    job_items(&j, 200, 3, STR("good"));
    run(c, &j);
    assert_true(j.end.stored);
    assert_string_equal(env_psql(env, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM items"), "0 1 2 200 201 202");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM kinds"), "0");
    assert_string_equal(env_psql(env, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%'"), pid);
    copier_free(c);
}

/* More than a socket takes; the end waits for what was handed over. */
static void many_and_large(void **state)
{
    enum { JOBS = 40 };
    struct job *j = calloc(JOBS, sizeof *j);
    size_t len = 100000;
    char *text = malloc(len);
    struct copier *c = copier_new(db);

    (void)state;
    assert_true(j != NULL && text != NULL);
    memset(text, 'x', len);
    for (int i = 0; i < JOBS; i++) {
        job_items(&j[i], i * ROWS, ROWS, str_make(text, len));
        copier_submit(c, &j[i].batch);
    }
    copier_free(c);
    for (int i = 0; i < JOBS; i++)
        assert_true(j[i].end.stored);
    assert_string_equal(env_psql(env, "SELECT count(*) || ' ' || sum(length(name)) FROM items"), "400 40000000");
    free(text);
    free(j);
}

/* A lost connection is told as such, and the next batch goes over a new one. */
static void lost(void **state)
{
    struct copier *c = copier_new(db);
    struct job j;

    (void)state;
    job_items(&j, 0, 1, STR("first"));
    run(c, &j);
    assert_true(j.end.stored);
    (void)env_psql(env, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'");
    env_pause();
    job_items(&j, 1, 1, STR("lost"));
    run(c, &j);
    assert_int_equal(j.end.err.code, ERR_DB);
    job_items(&j, 2, 1, STR("again"));
    run(c, &j);
    assert_true(j.end.stored);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM items WHERE id IN (0, 2)"), "2");
    copier_free(c);
}

static void lost_at_commit(void **state)
{
    struct copier *c;
    struct job j;

    (void)state;
    NEEDS_FAULT_POINTS();
    c = copier_new(db);
    fault_arm("copier.commit", 1);
    job_items(&j, 3, 1, STR("unknown"));
    run(c, &j);
    fault_arm("copier.commit", 0);
    assert_int_equal(j.end.err.code, ERR_DB);
    copier_free(c);
}

static void away(void **state)
{
    struct db *nowhere = db_new("postgresql://u@/d?host=/nonexistent", "u@/nonexistent", NULL);
    struct copier *c = copier_new(nowhere);
    struct job j;

    (void)state;
    for (int i = 0; i < 3; i++) {
        job_items(&j, i, 1, STR("x"));
        run(c, &j);
        assert_int_equal(j.end.err.code, ERR_DB);
        assert_string_equal(j.end.err.msg, "could not reach the database");
    }
    copier_free(c);
    copier_free(NULL);
    db_free(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_type, clear_tables),
        cmocka_unit_test_setup(refused, clear_tables),
        cmocka_unit_test_setup(many_and_large, clear_tables),
        cmocka_unit_test_setup(lost, clear_tables),
        cmocka_unit_test_setup(lost_at_commit, clear_tables),
        cmocka_unit_test(away),
    };
    int failed;

    log_init("it_copier", LOG_ERROR_LEVEL);
    env = env_start();
    (void)env_psql(env, "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL);"
                        "CREATE TABLE kinds (i bigint, k integer, t text, b boolean, f double precision, z timestamptz, j json, n inet)");
    db = db_new(env_db(env), "test", &(struct db_opts){.app_name = "it_copier"});
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return env_end(env, failed);
}
