/*
 * The writer against a real server: batches, bad rows, order, bounds, and a database that dies
 * under it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "db/writer.h"
#include "integration/env.h"
#include "support/ending.h"

static struct env *env;
static struct db *db;

static const struct writer_stmt put_item = {
    "t_item", "INSERT INTO items (id, name) SELECT * FROM unnest($1::bigint[], $2::text[])", "it",
    0};
static const struct writer_stmt put_part = {
    "t_part", "INSERT INTO parts (id, item_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
    "ii", 5};
static const struct writer_stmt put_kinds = {
    "t_kinds",
    "INSERT INTO kinds (i, t, b, f, z, j, y) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)",
    "itbfzjy", 0};
static const struct writer_stmt set_name = {
    "t_name",
    "UPDATE items SET name = x.name FROM unnest($1::bigint[], $2::text[]) AS x(id, name) WHERE "
    "items.id = x.id",
    "it", 1};
static const struct writer_stmt no_table = {
    "t_none", "INSERT INTO nowhere SELECT * FROM unnest($1::bigint[])", "i", 0};

/* An item, its memory and its end. */
struct job {
    struct writer_item item;
    struct arena *a;
    struct ending end;
};

static void job_init(struct job *j)
{
    memset(j, 0, sizeof *j);
    ending_init(&j->end);
    j->a = arena_new(512);
    j->item.done = ending_tell;
    j->item.arg = &j->end;
}

static void job_item(struct job *j, int64_t id, const char *name)
{
    writer_add(&j->item, &put_item, (const struct db_arg[]){DB_INT(id), DB_C(name)}, 2, j->a);
}

static void job_free(struct job *j)
{
    arena_free(j->a);
    ending_release(&j->end);
}

static void submit(struct writer *w, struct job *j)
{
    struct err e;

    if (writer_submit(w, &j->item, &e) != 0)
        env_fail(env, "submit: %s", e.msg);
}

static int clear_tables(void **state)
{
    (void)state;
    (void)env_psql(env, "TRUNCATE items, parts, kinds");
    return 0;
}

/* ------------------------------------------------------------------------------------------ */

static void every_type(void **state)
{
    struct writer *w = writer_new(db, MIB);
    struct job j;
    struct err e;

    (void)state;
    job_init(&j);
    writer_add(&j.item, &put_kinds,
               (const struct db_arg[]){DB_INT(INT64_MIN), DB_C("h\xc3\xa9 \"{},\\'"), DB_BOOL(true),
                                       DB_FLOAT(0.1), DB_TIME(-1),
                                       DB_C("{\"b\": 1,  \"a\": 12345678901234567890}"),
                                       DB_BYTES(str_make("\0\xff", 2))},
               7, j.a);
    writer_add(
        &j.item, &put_kinds,
        (const struct db_arg[]){DB_NULL, DB_NULL, DB_NULL, DB_NULL, DB_NULL, DB_NULL, DB_NULL}, 7,
        j.a);
    writer_add(&j.item, &put_kinds,
               (const struct db_arg[]){DB_INT(0), DB_C(""), DB_BOOL(false), DB_INT(3),
                                       DB_TIME(1700000000123456), DB_C("null"), DB_BYTES(STR(""))},
               7, j.a);
    if (writer_store(w, &j.item, &e) != 0)
        env_fail(env, "%s %s", e.msg, e.detail);
    assert_string_equal(
        env_psql(env,
                 "SELECT string_agg(concat_ws('|', i, t, b, f, z, j::text, y), E'\\n' ORDER BY i) "
                 "FROM kinds WHERE i IS NOT NULL"),
        "-9223372036854775808|h\xc3\xa9 \"{},\\'|t|0.1|1969-12-31 23:59:59.999999+00|{\"b\": 1,  "
        "\"a\": "
        "12345678901234567890}|\\x00ff\n0||f|3|2023-11-14 22:13:20.123456+00|null|\\x");
    assert_string_equal(
        env_psql(env,
                 "SELECT count(*)::text FROM kinds WHERE i IS NULL AND t IS NULL AND b IS NULL AND "
                 "f IS NULL AND z IS NULL AND j IS NULL AND y IS NULL"),
        "1");
    job_free(&j);
    writer_free(w);
}

static void many_items_few_batches(void **state)
{
    enum { N = 2000 };
    struct writer *w = writer_new(db, 16 * MIB);
    static struct job jobs[N];
    struct writer_stats s;

    (void)state;
    for (int i = 0; i < N; i++) {
        job_init(&jobs[i]);
        job_item(&jobs[i], i, "x");
        /* the child's statement has the higher rank, whatever the order of adding */
        writer_add(&jobs[i].item, &put_part, (const struct db_arg[]){DB_INT(i), DB_INT(i)}, 2,
                   jobs[i].a);
    }
    for (int i = 0; i < N; i++)
        submit(w, &jobs[i]);
    for (int i = 0; i < N; i++)
        ENV_WAIT(env, 20000, ending_done(&jobs[i].end));
    s = writer_stats(w);
    assert_int_equal(s.items, N);
    assert_int_equal(s.rows, 2 * N);
    assert_int_equal(s.failed, 0);
    assert_int_equal(s.queued_items, 0);
    assert_int_equal(s.queued_bytes, 0);
    assert_true(s.batches < N);
    assert_string_equal(env_psql(env, "SELECT count(*)::text FROM parts"), "2000");
    for (int i = 0; i < N; i++) {
        assert_true(jobs[i].end.stored);
        job_free(&jobs[i]);
    }
    writer_free(w);
}

static void bad_row_fails_alone(void **state)
{
    enum { N = 30 };
    struct writer *w = writer_new(db, MIB);
    struct job jobs[N];
    struct err e;

    (void)state;
    (void)env_psql(env, "INSERT INTO items VALUES (7, 'there')");
    for (int i = 0; i < N; i++) {
        job_init(&jobs[i]);
        job_item(&jobs[i], i, i == 9 ? "bad \xff" : "x");
        if (i == 11)
            writer_add(&jobs[i].item, &no_table, (const struct db_arg[]){DB_INT(1)}, 1, jobs[i].a);
        if (i == 13) /* no such parent */
            writer_add(&jobs[i].item, &put_part, (const struct db_arg[]){DB_INT(1), DB_INT(999)}, 2,
                       jobs[i].a);
    }
    for (int i = 0; i < N; i++)
        submit(w, &jobs[i]);
    for (int i = 0; i < N; i++)
        ENV_WAIT(env, 20000, ending_done(&jobs[i].end));
    for (int i = 0; i < N; i++)
        assert_int_equal(jobs[i].end.stored, i != 7 && i != 9 && i != 11 && i != 13);
    assert_int_equal(jobs[7].end.err.code, ERR_CONFLICT);
    assert_int_equal(jobs[9].end.err.code, ERR_INVALID);
    assert_int_equal(jobs[11].end.err.code, ERR_INTERNAL);
    assert_int_equal(jobs[13].end.err.code, ERR_CONFLICT);
    /* all rows of an item or none */
    assert_string_equal(env_psql(env, "SELECT count(*)::text FROM items"), "27");
    assert_string_equal(env_psql(env, "SELECT name FROM items WHERE id = 7"), "there");
    assert_int_equal(writer_stats(w).failed, 4);

    for (int i = 0; i < N; i++)
        job_free(&jobs[i]);
    job_init(&jobs[0]);
    writer_add(&jobs[0].item, &put_item,
               (const struct db_arg[]){DB_INT(100), DB_STR(str_make("a\0b", 3))}, 2, jobs[0].a);
    assert_int_equal(writer_submit(w, &jobs[0].item, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(jobs[0].end.done);
    job_free(&jobs[0]);
    writer_free(w);
}

static void updates(void **state)
{
    struct writer *w = writer_new(db, MIB);
    struct job j;
    struct err e;

    (void)state;
    job_init(&j);
    job_item(&j, 1, "one");
    job_item(&j, 2, "two");
    writer_add(&j.item, &set_name, (const struct db_arg[]){DB_INT(2), DB_C("deux")}, 2, j.a);
    assert_int_equal(writer_store(w, &j.item, &e), 0);
    assert_string_equal(env_psql(env, "SELECT string_agg(name, ',' ORDER BY id) FROM items"),
                        "one,deux");
    job_free(&j);
    writer_free(w);
}

/* ---- a database that dies ----------------------------------------------------------------- */

struct submitter {
    struct writer *w;
    pthread_t thread;
    int64_t first, stored, unknown, refused;
    unsigned char *outcome; /* per id: 1 stored, 2 unknown, 3 not stored */
    atomic_bool *stop;
};

enum { IDS_EACH = 200000 };

static void *submit_on(void *arg)
{
    struct submitter *s = arg;

    for (int64_t i = 0; i < IDS_EACH && !atomic_load(s->stop); i++) {
        struct arena *a = arena_new(0);
        struct writer_item item = {0};
        struct err e = {0};

        writer_add(&item, &put_item, (const struct db_arg[]){DB_INT(s->first + i), DB_C("x")}, 2,
                   a);
        if (writer_store(s->w, &item, &e) == 0) {
            s->stored++;
            s->outcome[i] = 1;
        } else if (strstr(e.msg, "not known") != NULL) {
            s->unknown++;
            s->outcome[i] = 2;
        } else {
            s->refused++;
            s->outcome[i] = 3;
            assert_int_equal(e.code, ERR_DB);
            usleep(2000);
        }
        arena_free(a);
    }
    return NULL;
}

static void database_dies_and_comes_back(void **state)
{
    enum { THREADS = 4 };
    struct writer *w = writer_new(db, MIB);
    struct submitter s[THREADS] = {0};
    atomic_bool stop = false;
    int64_t stored = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct submitter){.w = w, .first = (int64_t)i * IDS_EACH, .stop = &stop};
        s[i].outcome = calloc(IDS_EACH, 1);
        assert_non_null(s[i].outcome);
        assert_int_equal(pthread_create(&s[i].thread, NULL, submit_on, &s[i]), 0);
    }
    for (int round = 0; round < 3; round++) {
        uint64_t before = writer_stats(w).items;

        ENV_WAIT(env, 20000, writer_stats(w).items > before + 200);
        env_pg_stop(env);
        usleep(300000);
        env_pg_start(env);
        before = writer_stats(w).items;
        ENV_WAIT(env, 20000, writer_stats(w).items > before + 200); /* it found its way back */
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(s[i].thread, NULL);
        stored += s[i].stored;
        assert_true(s[i].refused > 0);
    }
    writer_free(w);
    /* what was acknowledged is there, what was refused is not */
    for (int i = 0; i < THREADS; i++) {
        PGconn *pg = PQconnectdb(env_db(env));
        PGresult *r = PQexec(
            pg, arena_printf(env_arena(env), "SELECT id FROM items WHERE id >= %lld AND id < %lld",
                             (long long)s[i].first, (long long)s[i].first + IDS_EACH));
        int64_t found = 0;

        for (int row = 0; row < PQntuples(r); row++) {
            unsigned char outcome = s[i].outcome[db_int(r, row, 0) - s[i].first];

            assert_int_not_equal(outcome, 3);
            found += outcome == 1;
        }
        assert_int_equal(found, s[i].stored);
        PQclear(r);
        PQfinish(pg);
        free(s[i].outcome);
    }
    assert_true(stored > 0);
}

static void idle_connection_closed(void **state)
{
    struct writer *w = writer_new(db, MIB);
    struct job j[2];
    struct err e;

    (void)state;
    for (int i = 0; i < 2; i++) {
        job_init(&j[i]);
        job_item(&j[i], i, "x");
        if (writer_store(w, &j[i].item, &e) != 0)
            env_fail(env, "%s %s", e.msg, e.detail);
        (void)env_psql(env, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                            "pg_backend_pid() AND "
                            "application_name = 'it_writer'");
        ENV_WAIT(env, 5000,
                 strcmp(env_psql(env, "SELECT count(*)::text FROM pg_stat_activity WHERE "
                                      "application_name = 'it_writer'"),
                        "0") == 0);
        usleep(50000); /* for the news to arrive */
        job_free(&j[i]);
    }
    writer_free(w);
}

/* The connection breaks at the nth batch, for many n: never both told and not stored, nor refused
 * and stored. */
static void faults(void **state)
{
    static const char *const points[] = {"writer.send", "writer.commit", "db.connect"};
    struct writer *w;
    int64_t id = 0;

    (void)state;
    NEEDS_FAULT_POINTS();
    w = writer_new(db, MIB);
    for (size_t p = 0; p < COUNT_OF(points); p++) {
        for (unsigned nth = 1; nth <= 6; nth++) {
            struct job jobs[40];
            int64_t first = id;

            fault_arm(points[p], nth);
            for (size_t i = 0; i < COUNT_OF(jobs); i++) {
                job_init(&jobs[i]);
                job_item(&jobs[i], id++, "x");
                submit(w, &jobs[i]);
            }
            for (size_t i = 0; i < COUNT_OF(jobs); i++)
                ENV_WAIT(env, 5000, ending_done(&jobs[i].end));
            fault_arm(points[p], 0);
            for (size_t i = 0; i < COUNT_OF(jobs); i++) {
                const char *there =
                    env_psql(env, arena_printf(env_arena(env),
                                               "SELECT count(*)::text FROM items WHERE id = %lld",
                                               (long long)first + (long long)i));

                if (jobs[i].end.stored)
                    assert_string_equal(there, "1");
                else if (strstr(jobs[i].end.err.msg, "not known") == NULL)
                    assert_string_equal(there, "0");
                job_free(&jobs[i]);
            }
        }
    }
    writer_free(w);
}

static void bounds(void **state)
{
    struct db *nowhere = db_new("postgresql://u@/d?host=/nonexistent", "u@/nonexistent", NULL);
    struct writer *w = writer_new(nowhere, 2000);
    struct job loose[30], sure;
    char text[100];
    size_t n_done = 0, each;
    struct err e;

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(loose); i++) {
        job_init(&loose[i]);
        loose[i].item.droppable = true;
        writer_add(&loose[i].item, &put_item,
                   (const struct db_arg[]){DB_INT((int64_t)i), DB_STR(str_make(text, sizeof text))},
                   2, loose[i].a);
        submit(w, &loose[i]);
    }
    each = loose[0].item.bytes;
    ENV_WAIT(env, 5000, writer_stats(w).dropped == COUNT_OF(loose) - 2000 / each);
    /* the oldest go */
    ENV_WAIT(env, 5000, ending_done(&loose[0].end) && ending_done(&loose[10].end));
    assert_false(ending_done(&loose[29].end));
    assert_int_equal(loose[0].end.err.code, ERR_BUSY);
    /* who waits hears at once that the database is away */
    job_init(&sure);
    job_item(&sure, 1, "x");
    assert_int_equal(writer_store(w, &sure.item, &e), -1);
    assert_int_equal(e.code, ERR_DB);
    assert_string_equal(e.msg, "could not reach the database");
    writer_free(w);
    for (size_t i = 0; i < COUNT_OF(loose); i++) {
        n_done += loose[i].end.done ? 1 : 0;
        job_free(&loose[i]);
    }
    assert_int_equal(n_done, COUNT_OF(loose)); /* every callback came */
    job_free(&sure);
    db_free(nowhere);
}

/* Larger than what the sockets take at once, so that sending and reading take turns. */
static void large_rows(void **state)
{
    struct writer *w = writer_new(db, 64 * MIB);
    struct job jobs[6];
    size_t len = 3 * MIB;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    for (int i = 0; i < 6; i++) {
        job_init(&jobs[i]);
        writer_add(&jobs[i].item, &put_item,
                   (const struct db_arg[]){DB_INT(i), DB_STR(str_make(text, len))}, 2, jobs[i].a);
        submit(w, &jobs[i]);
    }
    for (int i = 0; i < 6; i++) {
        ENV_WAIT(env, 30000, ending_done(&jobs[i].end));
        assert_true(jobs[i].end.stored);
        job_free(&jobs[i]);
    }
    assert_string_equal(env_psql(env, "SELECT sum(length(name))::text FROM items"), "18874368");
    free(text);
    writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_type, clear_tables),
        cmocka_unit_test_setup(many_items_few_batches, clear_tables),
        cmocka_unit_test_setup(bad_row_fails_alone, clear_tables),
        cmocka_unit_test_setup(updates, clear_tables),
        cmocka_unit_test_setup(large_rows, clear_tables),
        cmocka_unit_test_setup(idle_connection_closed, clear_tables),
        cmocka_unit_test_setup(database_dies_and_comes_back, clear_tables),
        cmocka_unit_test_setup(faults, clear_tables),
        cmocka_unit_test(bounds),
    };
    int failed;

    log_init("it_writer", LOG_ERROR_LEVEL);
    env = env_start();
    (void)env_psql(
        env, "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL);"
             "CREATE TABLE parts (id bigint PRIMARY KEY, item_id bigint NOT NULL REFERENCES items);"
             "CREATE TABLE kinds (i bigint, t text, b boolean, f double precision, z timestamptz, "
             "j json, y bytea)");
    db = db_new(env_db(env), "test", &(struct db_opts){.app_name = "it_writer"});
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return env_end(env, failed);
}
