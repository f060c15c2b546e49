/*
 * Documents and keys while the database fails at every statement in turn: what is stored is the former thing or the new one,
 * never half of it (migration.md 7.6, 7.7).
 */
#include "base/arena.h"
#include "base/fault.h"
#include "base/log.h"
#include "config/config.h"
#include "engine/documents.h"
#include "integration/env_api.h"
#include "integration/env_schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { POINTS_MAX = 60, INSTANCE = 7 };

static struct env *env;
static struct db *db;
static struct cfg_store *cfg;
static struct documents *docs;
static int n_runs;

static struct str text_of(size_t n, char c)
{
    char *p = arena_alloc(env_arena(env), n);

    memset(p, c, n);
    return str_make(p, n);
}

/* What the instance has under the name, all of it; fails when that does not open. */
static struct str stored(const char *name)
{
    struct document doc;
    struct str bytes;
    struct err e = {0};

    if (doc_find(docs, INSTANCE, str_c(name), &doc, env_arena(env), &e) != 0 ||
        doc_read_all(docs, doc.id, &doc, &bytes, env_arena(env), &e) != 0)
        env_fail(env, "%s: %s (%s)", name, e.msg, e.detail);
    return bytes;
}

static int put(const char *name, struct str bytes, struct err *e)
{
    const struct doc_new n = {.instance_id = INSTANCE, .instance_us = 1700000000000000, .name = str_c(name)};

    return doc_put(docs, &n, bytes, NULL, e);
}

static void replaces_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *name;
        size_t len;
    } sizes[] = {{"small", 100}, {"large", 700000}};

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char last = 'a';
        unsigned n = 1;
        int rc = -1;
        struct err e = {0};

        assert_int_equal(put(sizes[i].name, text_of(sizes[i].len, last), &e), 0);
        for (; rc != 0 && n < POINTS_MAX; n++) {
            char next = (char)('b' + n % 20);

            fault_arm("db.query", n);
            rc = put(sizes[i].name, text_of(sizes[i].len, next), &e);
            fault_arm("db.query", 0);
            if (rc == 0)
                last = next;
            assert_true(str_eq(stored(sizes[i].name), text_of(sizes[i].len, last)));
            assert_string_equal(env_psql(env, "SELECT count(*) FROM pg_largeobject_metadata"), "0");
        }
        assert_true(rc == 0 && n > 3); /* it failed in several places before */
    }
    assert_string_equal(env_psql(env, "SELECT count(*) FROM documents"), "2");
}

/* One verb of sluicectl keys, failing at its statement `n`; its exit status. */
static int keys(const char *verb, const char *word, unsigned n)
{
    const char *name = env_fmt(env, "keys%d", n_runs++);
    const char *argv[] = {env_program(env, "sluicectl"), "keys", verb, word, NULL};
    const char *vars[] = {env_fmt(env, "DB=%s", env_db(env)), n > 0 ? env_fmt(env, "SLUICE_FAULT=db.query:%u", n) : NULL, NULL};

    return env_wait_exit(env, env_spawn(env, name, argv, vars), 60000);
}

static const char *kek_file(void)
{
    const char *path = env_path(env, "kek");
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
    return env_fmt(env, "-kek=%s", path);
}

static void keys_change_whole_or_not_at_all(void **state)
{
    const char *kek = kek_file();
    static const char *const verbs[] = {"rotate", "reseal", "wrap", "unwrap"};

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        bool wraps = strcmp(verbs[i], "wrap") == 0 || strcmp(verbs[i], "unwrap") == 0;
        int status = -1;
        unsigned n = 1;

        for (; status != 0 && n < POINTS_MAX; n++) {
            status = keys(verbs[i], wraps ? kek : strcmp(verbs[i], "rotate") == 0 ? "document-storage" : NULL, n);
            assert_string_equal(env_psql(env, "SELECT count(DISTINCT coalesce(wrapped_by, '')) FROM keys"), "1");
            assert_string_equal(env_psql(env, "SELECT count(*) FROM (SELECT label FROM keys WHERE state = 'active' GROUP BY label "
                                              "HAVING count(*) > 1) x"), "0");
            assert_string_equal(env_psql(env, "SELECT count(*) FROM documents d LEFT JOIN keys k ON k.id = d.key_id WHERE k.id IS NULL"), "0");
        }
        if (status != 0 || n < 3)
            env_fail(env, "%s: %d after %u", verbs[i], status, n);
    }
    assert_int_equal(keys("verify", NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_whole_or_not_at_all),
        cmocka_unit_test(keys_change_whole_or_not_at_all),
    };
    struct err e = {0};
    int failed;

    log_init("it_half_written", LOG_ERROR_LEVEL);
    env = env_start();
    schema_must(env, NULL, env_db(env));
    db = db_new(env_db(env), "test", NULL);
    if (cfg_store_new(&cfg, db, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    docs = documents_new(db, cfg);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    documents_free(docs);
    cfg_store_free(cfg);
    db_free(db);
    return env_end(env, failed);
}
