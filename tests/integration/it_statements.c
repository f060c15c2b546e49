/*
 * Every statement of the program, prepared against the freshly migrated schema: a renamed column
 * fails here and not at a customer.
 */
#include <stdio.h>
#include <string.h>

#include "alarm/alarm.h"
#include "base/log.h"
#include "ctl/ctl_stores.h"
#include "db/ids.h"
#include "db/migrate.h"
#include "engine/callbacks.h"
#include "engine/entity_int.h"
#include "engine/manual.h"
#include "engine/schedule.h"
#include "integration/env.h"
#include "legacy/content.h"
#include "legacy/target.h"
#include "nodes/subworkflow_store.h"
#include "stores.h"

static struct env *env;
static PGconn *pg;

/* Prepare and describe; fails the test with the server's text. */
static void prepare(const char *store, const char *name, const char *sql, int n_params,
                    const Oid *types)
{
    PGresult *r = PQprepare(pg, name, sql, types != NULL ? n_params : 0, types);

    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        env_fail(env, "%s: %s: %s", store, name, PQerrorMessage(pg));
    PQclear(r);
    r = PQdescribePrepared(pg, name);
    if (PQnparams(r) != n_params)
        env_fail(env, "%s: %s has %d parameters, not %d", store, name, PQnparams(r), n_params);
    PQclear(r);
}

static void one_store(const struct db_stmts *s)
{
    for (size_t i = 0; i < s->n; i++) {
        assert_true(strlen(s->stmts[i]->name) <= 60);
        prepare(s->store, s->stmts[i]->name, s->stmts[i]->sql, s->stmts[i]->n_params, NULL);
    }
}

/* Names are unique in the program, which preparing all of them on one connection proves. */
static void all_stores(void **state)
{
    const struct db_stmt *legacy[LEGACY_STMTS_MAX];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < n_stores; i++) {
        one_store(stores[i]);
        n += stores[i]->n;
    }
    for (size_t i = 0; i < n_ctl_stores; i++)
        one_store(ctl_stores[i]);
    one_store(&ids_stmts);
    one_store(&migrate_stmts);
    for (size_t i = legacy_content_stmts(legacy); i > 0; i--)
        prepare("legacy", legacy[i - 1]->name, legacy[i - 1]->sql, legacy[i - 1]->n_params, NULL);
    assert_true(n > 0);
}

/* Array types of the letters of writer_stmt.types. */
static Oid array_type(char letter)
{
    static const struct {
        char letter;
        Oid oid;
    } types[] = {{'i', 1016}, {'t', 1009}, {'b', 1000}, {'f', 1022},
                 {'z', 1185}, {'j', 199},  {'y', 1001}};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (types[i].letter == letter)
            return types[i].oid;
    }
    return 0;
}

static void prepare_all(const struct writer_stmt *const *stmts, size_t n_stmts)
{
    for (size_t i = 0; i < n_stmts; i++) {
        const struct writer_stmt *s = stmts[i];
        Oid types[DB_PARAMS_MAX];
        size_t n = strlen(s->types);

        assert_true(n <= DB_PARAMS_MAX);
        for (size_t k = 0; k < n; k++)
            types[k] = array_type(s->types[k]);
        prepare("writer", s->name, s->sql, (int)n, types);
    }
}

static void writer_statements(void **state)
{
    (void)state;
    prepare_all(engine_writer_stmts, engine_writer_stmts_n);
    prepare_all(manual_writer_stmts, manual_writer_stmts_n);
    prepare_all(callback_writer_stmts, callback_writer_stmts_n);
    prepare_all(entity_writer_stmts, entity_writer_stmts_n);
    prepare_all(schedule_writer_stmts, schedule_writer_stmts_n);
    prepare_all(nodes_writer_stmts, nodes_writer_stmts_n);
    prepare_all(alarm_writer_stmts.stmts, alarm_writer_stmts.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_stores),
                                       cmocka_unit_test(writer_statements)};
    const struct migrate_opts o = {.run = true, .program = "it_statements"};
    struct err e;
    int failed;

    log_init("it_statements", LOG_ERROR_LEVEL);
    env = env_start();
    if (migrate_start(env_db(env), "test", &o, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    pg = PQconnectdb(env_db(env));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(pg);
    return env_end(env, failed);
}
