/*
 * Pool, statements, ids and listener against a real server.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "db/ids.h"
#include "db/listen.h"
#include "db/migrate.h"
#include "integration/env.h"

static struct env *env;
static struct db *db;

static const struct db_stmt stmt_sum = {"t_sum", "SELECT $1::bigint + $2::bigint", 2};
static const struct db_stmt stmt_divide = {"t_divide", "SELECT 1 / $1::int", 1};
static const struct db_stmt stmt_ratio = {"t_ratio", "SELECT $1::bigint / $2::bigint", 2};
static const struct db_stmt stmt_role = {
    "t_role", "INSERT INTO roles (name, description) VALUES ($1, $2)", 2};
static const struct db_stmt stmt_member = {
    "t_member", "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2)", 2};
static const struct db_stmt stmt_find = {"t_find", "SELECT description FROM roles WHERE name = $1",
                                         1};
static const struct db_stmt stmt_back = {
    "t_back",
    "SELECT $1::text, $2::boolean, $3::double precision, $4::bytea, " DB_TS(
        "$5::timestamptz") ", " DB_ISO("$5::timestamptz") ", $6::int",
    6};
static const struct db_stmt stmt_sleep = {"t_sleep", "SELECT pg_sleep($1)", 1};
static const struct db_stmt stmt_wrong = {"t_wrong", "SELECT nothing FROM nowhere", 0};

static struct db_conn *borrow(void)
{
    struct db_conn *c = NULL;
    struct err e;

    if (db_get(db, &c, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    return c;
}

static void round_trip(void **state)
{
    struct arena *a = arena_new(0);
    struct db_conn *c = borrow();
    PGresult *r = NULL;
    struct err e = {0};
    struct str bytes;

    (void)state;
    assert_int_equal(db_query_in(c, &stmt_sum, DB_ARGS(DB_INT(40), DB_INT(2)), &r, a, &e), 0);
    assert_int_equal(db_int(r, 0, 0), 42);
    assert_int_equal(
        db_query_in(c, &stmt_back,
                    DB_ARGS(DB_STR(str_make("h\xc3\xa9llo!", 6)), DB_BOOL(true), DB_FLOAT(0.1),
                            DB_BYTES(str_make("\0\1\xff", 3)), DB_TIME(-1500000), DB_NULL),
                    &r, a, &e),
        0);
    assert_true(str_eq_c(db_str(r, 0, 0), "h\xc3\xa9llo"));
    assert_true(db_bool(r, 0, 1));
    assert_true(str_eq_c(db_str(r, 0, 2), "0.1"));
    bytes = db_bytes(r, 0, 3, a);
    assert_int_equal(bytes.len, 3);
    assert_memory_equal(bytes.p, "\0\1\xff", 3);
    assert_int_equal(db_time_us(r, 0, 4), -1500000);
    assert_true(str_eq_c(db_str(r, 0, 5), "1969-12-31T23:59:58.500000Z"));
    assert_true(db_is_null(r, 0, 6));
    assert_null(db_str(r, 0, 6).p);
    assert_int_equal(db_query(c, &stmt_find, DB_ARGS(DB_STR(str_make("a\0b", 3))), &r, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(db_query_sql(c, "SELECT name FROM roles WHERE name = $1",
                                  DB_ARGS(DB_C("nobody")), &r, a, &e),
                     0);
    assert_int_equal(PQntuples(r), 0);
    db_put(db, c);
    arena_free(a);
}

static void errors(void **state)
{
    struct arena *a = arena_new(0);
    struct db_conn *c = borrow();
    PGresult *r = NULL;
    struct err e = {0};
    struct str text;
    int64_t n = 0;

    (void)state;
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("boss"), DB_NULL), &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("boss"), DB_NULL), NULL, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.detail, "t_role: 23505"));
    assert_non_null(strstr(e.detail, "roles_name"));
    assert_int_equal(db_exec(c, &stmt_member, DB_ARGS(DB_INT(1), DB_INT(99)), NULL, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(db_exec(c, &stmt_divide, DB_ARGS(DB_INT(0)), NULL, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(db_exec(c, &stmt_divide, DB_ARGS(DB_C("x")), NULL, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.msg, "invalid input syntax for type integer: \"x\"");
    assert_int_equal(db_query(c, &stmt_wrong, DB_NO_ARGS, &r, &e), -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_null(r);
    assert_int_equal(db_text(c, &stmt_find, DB_ARGS(DB_C("nobody")), &text, a, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(db_text(c, &stmt_find, DB_ARGS(DB_C("boss")), &text, a, &e), 0);
    assert_null(text.p);
    /* the connection is as good as before */
    assert_int_equal(db_text(c, &stmt_sum, DB_ARGS(DB_INT(1), DB_INT(1)), &text, a, &e), 0);
    assert_true(str_eq_c(text, "2"));
    db_put(db, c);
    arena_free(a);
}

/* One that fails takes the others of its round trip along, and leaves the connection as it was. */
static void several_in_one_round_trip(void **state)
{
    const struct db_stmt *const calls[] = {&stmt_sum, &stmt_ratio, &stmt_sum};
    struct arena *a = arena_new(0);
    struct db_conn *c = borrow();
    PGresult *r[COUNT_OF(calls)];
    struct err e = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(db_query_all(c, calls, COUNT_OF(calls), DB_ARGS(DB_INT(42), DB_INT(2)), r, a, &e), 0);
        assert_int_equal(db_int(r[0], 0, 0), 44);
        assert_int_equal(db_int(r[1], 0, 0), 21);
        assert_int_equal(db_int(r[2], 0, 0), 44);
        assert_int_equal(db_query_all(c, calls, COUNT_OF(calls), DB_ARGS(DB_INT(42), DB_INT(0)), r, a, &e), -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.detail, "t_ratio: 22012"));
    }
    db_put(db, c);
    arena_free(a);
}

static void statement_timeout(void **state)
{
    struct db *slow =
        db_new(env_db(env), "test", &(struct db_opts){.statement_ms = 100, .app_name = "t"});
    struct db_conn *c = NULL;
    struct err e;

    (void)state;
    assert_int_equal(db_get(slow, &c, &e), 0);
    assert_int_equal(db_exec(c, &stmt_sleep, DB_ARGS(DB_INT(5)), NULL, &e), -1);
    assert_int_equal(e.code, ERR_TIMEOUT);
    db_put(slow, c);
    db_free(slow);
}

/* Who stands still in a transaction keeps others waiting no longer than agreed, and goes on with another connection. */
static void idle_transactions_end(void **state)
{
    struct db *still = db_new(env_db(env), "test", &(struct db_opts){.idle_ms = 100, .max_conns = 1, .app_name = "still"});
    struct db_conn *c = NULL;
    struct err e;

    (void)state;
    assert_int_equal(db_get(still, &c, &e), 0);
    assert_int_equal(db_begin(c, &e), 0);
    ENV_WAIT(env, 30000, strcmp(env_psql(env, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'still'"), "0") == 0);
    assert_int_equal(db_exec(c, &stmt_sleep, DB_ARGS(DB_INT(0)), NULL, &e), -1);
    assert_int_equal(e.code, ERR_DB);
    db_put(still, c);
    assert_int_equal(db_get(still, &c, &e), 0);
    assert_int_equal(db_exec(c, &stmt_sleep, DB_ARGS(DB_INT(0)), NULL, &e), 0);
    db_put(still, c);
    db_free(still);
}

static void transactions(void **state)
{
    struct db_conn *c = borrow();
    struct err e;

    (void)state;
    assert_int_equal(db_begin(c, &e), 0);
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("left open"), DB_NULL), NULL, &e), 0);
    db_put(db, c); /* forgotten: rolled back */
    assert_string_equal(env_psql(env, "SELECT count(*)::text FROM roles WHERE name = 'left open'"),
                        "0");

    c = borrow();
    assert_int_equal(db_begin(c, &e), 0);
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("kept"), DB_NULL), NULL, &e), 0);
    assert_int_equal(db_commit(c, &e), 0);
    assert_int_equal(db_begin(c, &e), 0);
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("not kept"), DB_NULL), NULL, &e), 0);
    assert_int_equal(db_exec(c, &stmt_role, DB_ARGS(DB_C("kept"), DB_NULL), NULL, &e), -1);
    assert_int_equal(db_commit(c, &e), -1); /* a failed transaction never looks committed */
    db_put(db, c);
    assert_string_equal(
        env_psql(env, "SELECT string_agg(name, ',') FROM roles WHERE name LIKE '%kept'"), "kept");
}

static void bounded(void **state)
{
    struct db *two =
        db_new(env_db(env), "test", &(struct db_opts){.max_conns = 2, .get_timeout_ms = 200});
    struct db_conn *c[3] = {0};
    struct err e;

    (void)state;
    assert_int_equal(db_get(two, &c[0], &e), 0);
    assert_int_equal(db_get(two, &c[1], &e), 0);
    assert_int_equal(db_get(two, &c[2], &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_null(c[2]);
    db_put(two, c[0]);
    assert_int_equal(db_get(two, &c[2], &e), 0);
    assert_ptr_equal(c[2], c[0]);
    db_put(two, c[1]);
    db_put(two, c[2]);
    db_put(two, NULL);
    db_free(two);
}

static void comes_back(void **state)
{
    struct db_conn *c = borrow();
    struct db_conn *idle = borrow();
    struct err e;

    (void)state;
    db_put(db, idle);
    env_pg_stop(env);
    assert_int_equal(db_exec(c, &stmt_sum, DB_ARGS(DB_INT(1), DB_INT(1)), NULL, &e), -1);
    assert_int_equal(e.code, ERR_DB);
    db_put(db, c);
    assert_int_equal(db_get(db, &c, &e), -1);
    assert_int_equal(e.code, ERR_DB);
    assert_string_equal(e.msg, "could not reach the database");
    env_pg_start(env);
    ENV_WAIT(env, 5000, db_get(db, &c, &e) == 0);
    assert_int_equal(db_exec(c, &stmt_sum, DB_ARGS(DB_INT(1), DB_INT(1)), NULL, &e), 0);
    db_put(db, c);
}

/* ---- ids --------------------------------------------------------------------------------- */

enum { ID_THREADS = 4, IDS_EACH = 5000 };

struct taker {
    struct ids *ids;
    pthread_t thread;
    int64_t got[IDS_EACH];
};

static void *take_ids(void *arg)
{
    struct taker *t = arg;
    struct err e;

    for (int i = 0; i < IDS_EACH; i++) {
        if (ids_next(t->ids, IDS_REQUEST, &t->got[i], &e) != 0)
            t->got[i] = 0;
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void ids_are_unique(void **state)
{
    static struct taker takers[ID_THREADS];
    static int64_t all[ID_THREADS * IDS_EACH];
    struct ids *ids[2] = {ids_new(db), ids_new(db)}; /* two processes, as it were */
    size_t n = 0;

    (void)state;
    for (int i = 0; i < ID_THREADS; i++) {
        takers[i].ids = ids[i % 2];
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_ids, &takers[i]), 0);
    }
    for (int i = 0; i < ID_THREADS; i++) {
        pthread_join(takers[i].thread, NULL);
        for (int k = 0; k < IDS_EACH; k++)
            all[n++] = takers[i].got[k];
    }
    qsort(all, n, sizeof all[0], by_value);
    assert_true(all[0] > 0);
    for (size_t i = 1; i < n; i++)
        assert_true(all[i] != all[i - 1]);
    ids_free(ids[0]);
    ids_free(ids[1]);
    assert_string_equal(env_psql(env, "SELECT count(*) IN (1, 2) FROM id_marks WHERE kind = 'request'"), "t"); /* a day may end meanwhile */
}

/* A row goes from one process to the other and back: its ids rise all the same. */
static void ids_rise_in_turns(void **state)
{
    struct ids *ids[2] = {ids_new(db), ids_new(db)};
    int64_t last = 0, id = 0;
    struct err e;

    (void)state;
    for (int i = 0; i < 2; i++) /* both have blocks, and spare ones */
        assert_int_equal(ids_next(ids[i], IDS_TASK, &id, &e), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ids_next_above(ids[(i + 1) % 2], IDS_TASK, last, &id, &e), 0);
        assert_true(id > last);
        last = id;
    }
    ids_free(ids[0]);
    ids_free(ids[1]);
}

static void id_tells_the_month(void **state)
{
    (void)state;
    (void)env_psql(
        env, "DELETE FROM id_marks; INSERT INTO id_marks VALUES ('task', 1, '2026-01-10 00:00'), "
             "('task', 5001, '2026-02-20 00:00'), ('task', 9001, '2026-03-20 00:00')");
    assert_string_equal(env_psql(env, "SELECT id_from('task', 6000) || ' ' || id_to('task', 6000)"),
                        "2026-02-19 23:00:00+00 2026-03-21 01:00:00+00");
    assert_string_equal(env_psql(env, "SELECT id_from('task', 9500) || ' ' || id_to('task', 9500)"),
                        "2026-03-19 23:00:00+00 infinity");
    assert_string_equal(env_psql(env, "SELECT id_from('other', 1) || ' ' || id_to('other', 1)"),
                        "-infinity infinity");
}

static void ids_without_database(void **state)
{
    struct db *nowhere = db_new("postgresql://u@/d?host=/nonexistent", "nowhere", NULL);
    struct ids *ids = ids_new(nowhere);
    int64_t id;
    struct err e;

    (void)state;
    assert_int_equal(ids_next(ids, IDS_TASK, &id, &e), -1);
    assert_int_equal(e.code, ERR_DB);
    ids_free(ids);
    db_free(nowhere);
}

static void guids(void **state)
{
    char a[37], b[37];
    int64_t ms = 1700000000123;

    (void)state;
    ids_guid(ms, a);
    ids_guid(ms, b);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "018bcfe5-687b-7", 15);
    assert_non_null(strchr("89ab", a[19]));
    assert_string_equal(
        env_psql(env, arena_printf(env_arena(env), "SELECT guid_time('%s')::text", a)),
        "2023-11-14 22:13:20.123+00");
}

/* ---- listener ---------------------------------------------------------------------------- */

struct heard {
    atomic_int config, users, keys, jobs;
};

static void on_topic(void *arg, const char *topic)
{
    struct heard *h = arg;

    if (strcmp(topic, "config") == 0)
        atomic_fetch_add(&h->config, 1);
    if (strcmp(topic, "users") == 0)
        atomic_fetch_add(&h->users, 1);
    if (strcmp(topic, "keys") == 0)
        atomic_fetch_add(&h->keys, 1);
    if (strcmp(topic, "jobs") == 0)
        atomic_fetch_add(&h->jobs, 1);
}

static void listens(void **state)
{
    static struct heard h;
    struct listener *l = listener_new(db, 300, on_topic, &h);
    int n;

    (void)state;
    ENV_WAIT(env, 5000, listener_connected(l));
    assert_int_equal(h.config, 1); /* at start */
    assert_int_equal(h.users, 1);
    (void)env_psql(env, "INSERT INTO configuration (content) VALUES ('{}')");
    ENV_WAIT(env, 1000, h.config == 2);
    (void)env_psql(env, "NOTIFY sluice, 'jobs'");
    ENV_WAIT(env, 1000, h.jobs == 1);
    n = h.keys;
    (void)env_psql(env, "INSERT INTO keys (label, material) VALUES ('document-storage', '\\x01')");
    ENV_WAIT(env, 2000, h.keys == n + 1);
    (void)env_psql(
        env, "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'");
    ENV_WAIT(env, 2000, h.keys == n + 2);
    /* a restored dump goes back, without any NOTIFY */
    (void)env_psql(env, "UPDATE generations SET n = 1 WHERE topic = 'config'");
    ENV_WAIT(env, 2000, h.config == 3);
    env_pg_stop(env);
    ENV_WAIT(env, 2000, !listener_connected(l));
    env_pg_start(env);
    ENV_WAIT(env, 8000, listener_connected(l));
    assert_int_equal(h.config, 3); /* nothing changed meanwhile */
    (void)env_psql(env, "INSERT INTO configuration (content) VALUES ('{}')");
    ENV_WAIT(env, 1000, h.config == 4);
    listener_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(errors),
        cmocka_unit_test(several_in_one_round_trip),
        cmocka_unit_test(statement_timeout),
        cmocka_unit_test(idle_transactions_end), cmocka_unit_test(transactions),
        cmocka_unit_test(bounded),
        cmocka_unit_test(ids_are_unique), cmocka_unit_test(ids_rise_in_turns),
        cmocka_unit_test(id_tells_the_month),
        cmocka_unit_test(guids),
        cmocka_unit_test(ids_without_database),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(listens),
    };
    const struct migrate_opts o = {.run = true, .program = "it_db"};
    struct err e;
    int failed;

    log_init("it_db", LOG_ERROR_LEVEL);
    env = env_start();
    if (migrate_start(env_db(env), "test", &o, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    db = db_new(env_db(env), "test", &(struct db_opts){.app_name = "it_db", .max_conns = 4});
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return env_end(env, failed);
}
