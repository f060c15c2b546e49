/*
 * Documents and closed instances out of an old database (migration.md 6.1, 7.3): the same bytes and
 * type through the API, what no key opens, what still runs, repeating, a kill on the way; the rows lie
 * where search, details and retention find them.
 */
#include "integration/env_moving.h"
#include "integration/env_schema.h"

#include <libpq-fe.h>
#include <openssl/evp.h>
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "crypto/fernet.h"

/* 1 and 2 stand in the old table of keys, 3 in a file; 4 is lost. */
#define KEY_2 "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define KEY_3 "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2A="
#define KEY_4 "gYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6A="
#define TOKEN_1 "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define TOKEN_2 "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0OD_wsksDkNtH3FB0oJdxdP9RErNf2cK8LL2wi2PmQjlledBsdvcaYSlBzWP2ZhqG5RA=="
#define TOKEN_3 "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODwYSc5PyTFqvk8qbs5dPeiieXV7ng71SohHvLHr3ZA4KieP-YMdCUy842q6k48craLQc2kQ9mPljnmFA0w5DLZQ="
#define TOKEN_4 "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODyUXNoeHR9Ca8aNpRpc0QbUXhRyfJwF5Mt363q4IgpJl0C1gqtnMA5DmmhDrmIJonw=="

static const char past[] =
    "INSERT INTO keys (label, secret) VALUES ('document-storage', '" KEY_2 "'), ('other', 'not a key at all');"
    "CREATE TABLE job_runs (id integer PRIMARY KEY, state varchar(40), activity integer, author integer, started timestamp, ended timestamp);"
    "INSERT INTO job_runs VALUES (41, 'closed_in_success', 5, 8, '2024-03-05 10:00:00', '2024-03-05 10:01:00'),"
    " (42, 'closed_in_error', NULL, NULL, '2024-04-30 23:59:59.5', NULL), (43, 'active', 5, 8, '2024-05-01 10:00:00', NULL),"
    " (44, 'closed_in_success', 6, NULL, '2024-02-29 10:00:00', '2024-03-01 10:00:00'), (45, 'lost', 6, NULL, '2024-05-02 10:00:00', NULL),"
    " (46, 'closed_in_success', 6, NULL, '2024-03-31 22:00:00', NULL);"
    "CREATE TABLE files (id integer PRIMARY KEY, job integer, file varchar(80), mime varchar(80), author integer, sealed bytea);"
    "INSERT INTO files VALUES (1, 41, 'a.csv', 'text/csv', 8, '" TOKEN_1 "'), (2, 42, 'b.csv', 'text/csv; charset=utf-8', NULL, '" TOKEN_2 "'),"
    " (3, 41, 'c.bin', 'application/x-odd', NULL, '" TOKEN_3 "'), (4, 41, 'd.bin', NULL, NULL, '" TOKEN_4 "'), (5, 43, 'e.csv', NULL, NULL, '" TOKEN_1 "'),"
    " (6, 77, 'f.csv', NULL, NULL, '" TOKEN_1 "'), (7, 41, 'a.csv', 'text/csv', NULL, '" TOKEN_2 "'), (8, 42, 'g.csv', NULL, NULL, NULL)";

static const char map_text[] =
    "version 0.23.2\n"
    "table keys as keys by id\n  material = secret\n"
    "table activities as workflows by id\n  name = title\n"
    "table activity_bodies as versions by id\n  activity_name = activity | lookup activities.id title\n  label = tag\n"
    "  definition = body | json\n  active = live | flag\n"
    "table job_runs as instances by id\n  status = state | upper\n  activity_name = activity | lookup activities.id title\n"
    "  username = author | lookup users.id login\n  created_on = started | time\n  closed_on = ended | time\n"
    "table files as documents by id\n  instance = job\n  name = file\n  mime_type = mime\n  username = author | lookup users.id login\n"
    "  content = sealed\n";

static struct env *env;
static const char *dsn, *map, *keys, *old;

#define IMPORT(...) ARGS("import-legacy", dsn, map, keys, "--structure=0.23.2", __VA_ARGS__)

static const char *run(int status, const char *db, const char *const *args)
{
    const char *out = moving_ctl(env, status, db, args);

    if (strstr(out, KEY_2) != NULL || strstr(out, KEY_3) != NULL)
        env_fail(env, "a key is shown: %s", out);
    return out;
}

static void one_by_one(const char *out)
{
    moving_says(env, out, "files id 4: no key in \"keys\" opens it (tried 3 keys); copied as is, state unreadable");
    moving_says(env, out, "files id 5: the instance it belongs to still runs: let it finish or close it, then import again");
    moving_says(env, out, "files id 6: the instance it belongs to is not among those that were read");
    moving_says(env, out, "files id 7: its instance has another document of that name");
    moving_says(env, out, "files id 8: it has no content");
}

/* ---- through the API ------------------------------------------------------------------------- */

static int64_t number(const char *sql)
{
    return atoll(env_psql(env, sql));
}

static void downloads(const char *name, const char *type, const char *content)
{
    int64_t instance = number(moving_printed(env, "SELECT instance_id FROM documents WHERE name = '%s'", name));
    int64_t id = number(moving_printed(env, "SELECT id FROM documents WHERE name = '%s'", name));
    struct env_answer a = api_raw(env, "GET", moving_printed(env, "/api/v01/transactions/%lld/documents/%lld", (long long)instance, (long long)id), NULL);

    if (a.status != 200 || strcmp(a.body, content) != 0 || strcmp(env_header(env, &a, "Content-Type"), type) != 0)
        env_fail(env, "%s: %d %s %s", name, a.status, env_header(env, &a, "Content-Type"), a.body);
}

static void documents_of_closed_instances(void **state)
{
    const char *db = env_db(env), *before = moving_dump(env, old), *out;

    (void)state;
    out = run(3, db, IMPORT("--dry-run"));
    one_by_one(out);
    moving_says(env, out, "documents: 8 read, 3 added, 0 replaced, 0 kept, 0 unchanged, 1 unreadable, 4 left out");
    is(db, "SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM instances)", "0");
    out = run(3, db, IMPORT("--apply"));
    one_by_one(out);
    moving_says(env, out, "not imported: 3 instances without documents; --history brings those that are closed");
    moving_says(env, out, "instances id 43: it still runs and is not moved");
    downloads("a.csv", "text/csv", "hello");
    downloads("b.csv", "text/csv; charset=utf-8", "a;b\n1;2\n");
    downloads("c.bin", "application/x-odd", CANARY " in a file");
    moving_sealed(env, db);
    is(db, "SELECT count(*) FROM documents d JOIN keys k ON k.id = d.key_id WHERE k.algorithm = 'aes-256-gcm' AND d.head IS NOT NULL", "3");
    is(db, "SELECT convert_from(content, 'UTF8') FROM documents WHERE head IS NULL", TOKEN_4);
    is(db, "SELECT string_agg(label || ' ' || status, ', ' ORDER BY label) FROM instances", "imported 41 CLOSED_IN_SUCCESS, imported 42 CLOSED_IN_ERROR");
    out = run(3, db, IMPORT("--apply"));
    one_by_one(out);
    moving_says(env, out, "documents: 8 read, 0 added, 0 replaced, 0 kept, 3 unchanged, 1 unreadable, 4 left out");
    moving_says(env, out, "instances: 3 read, 0 added, 2 unchanged, 1 running, 0 left out");
    is(db, "SELECT count(*) FROM documents", "4");
    if (strcmp(before, moving_dump(env, old)) != 0)
        env_fail(env, "the old database was changed");
}

/* Who finds the key later imports again with it. */
static void a_key_that_comes_later(void **state)
{
    const char *more = moving_printed(env, "--keys=%s", moving_file(env, "more.keys", KEY_3 "\n" KEY_4 "\n"));
    const char *out = run(3, env_db(env), ARGS("import-legacy", dsn, map, more, "--structure=0.23.2", "--apply"));

    (void)state;
    moving_says(env, out, "documents: 8 read, 0 added, 1 replaced, 0 kept, 3 unchanged, 0 unreadable, 4 left out");
    downloads("d.bin", "application/octet-stream", "nobody opens it");
}

static void history_on_demand(void **state)
{
    const char *db = env_db(env), *out;
    struct env_answer a;
    struct val v;
    int64_t id;

    (void)state;
    out = run(3, db, IMPORT("--apply", "--history"));
    moving_says(env, out, "instances id 45: its status is none of ACTIVE, CLOSED_IN_SUCCESS, CLOSED_IN_ERROR");
    moving_says(env, out, "instances: 6 read, 2 added, 2 unchanged, 1 running, 1 left out");
    is(db, "SELECT string_agg(concat_ws(' ', i.label, i.tableoid::regclass, a.name, i.owner), ', ' ORDER BY i.label) FROM instances i "
           "LEFT JOIN activities a ON a.id = i.activity_id",
       "imported 41 instances_p202403 hello ann, imported 42 instances_p202404, imported 44 instances_p202402 tidy, imported 46 instances_p202403 tidy");
    /* an id tells the month; nothing runs them */
    is(db, "SELECT bool_and(created_on >= id_from('instance', id) AND created_on < id_to('instance', id) AND id_to('instance', id) < now()) FROM instances", "t");
    is(db, "SELECT (SELECT count(*) FROM jobs WHERE kind = 'instance') + (SELECT count(*) FROM instance_states)", "0");
    id = number("SELECT id FROM instances WHERE label = 'imported 44'");
    a = api_raw(env, "GET", moving_printed(env, "/api/v01/transactions/%lld", (long long)id), NULL);
    if (a.status != 200 || strstr(a.body, "imported 44") == NULL || strstr(a.body, "2024-02-29T10:00:00") == NULL)
        env_fail(env, "details: %d %s", a.status, a.body);
    v = api(env, 200, "GET",
            "/api/v01/custom_instances/search?filter=%5B%7B%22model%22%3A%22instances%22%2C%22field%22%3A%22label%22%2C"
                "%22op%22%3A%22eq%22%2C%22value%22%3A%22imported%2044%22%7D%5D", NULL);
    assert_int_equal(api_int(v, "instances.0.id"), id);
}

/* Ids that processes use on both sides of the archive still tell their time. */
static void ids_of_today(void **state)
{
    (void)state;
    is(env_db(env), "SELECT bool_and(id_from('instance', i) > now() - interval '1 day' AND id_to('instance', i) > now()) "
                    "FROM (SELECT nextval('ids_instance') AS i FROM generate_series(1, 2)) n", "t");
}

static void goes_with_its_month(void **state)
{
    (void)state;
    env_psql(env, "SELECT history_remove('2024-03-01', true)");
    is(env_db(env), "SELECT string_agg(label, ' ' ORDER BY label) FROM instances", "imported 42 imported 44");
    is(env_db(env), "SELECT string_agg(name, ' ') FROM documents", "b.csv");
}

/* Another document of that name is here. */
static void conflicts(void **state)
{
    const char *db = moving_base(env), *out;

    (void)state;
    run(3, db, IMPORT("--apply"));
    env_psql_at(env, db, "UPDATE documents SET mime_type = 'text/plain' WHERE name = 'a.csv'");
    says(run(1, db, IMPORT("--apply", "--on-conflict=fail")), "conflict: document \"a.csv\" differs from what is there; choose --on-conflict=keep or replace");
    out = run(3, db, IMPORT("--apply", "--on-conflict=keep"));
    says(out, "files id 1: another document of that name is here and stays (--on-conflict=replace takes the imported one)");
    is(db, "SELECT mime_type FROM documents WHERE name = 'a.csv'", "text/plain");
    says(run(3, db, IMPORT("--apply", "--on-conflict=replace")), "documents: 8 read, 0 added, 1 replaced, 0 kept, 2 unchanged, 1 unreadable, 4 left out");
    is(db, "SELECT mime_type FROM documents WHERE name = 'a.csv'", "text/csv");
}

/* Its size is seen before its bytes are fetched. */
static void too_large_to_store(void **state)
{
    const char *db = schema_ready(env), *large = moving_old_database(env);
    const char *from = printed("--from-db=%s", file("large.dsn", large));

    (void)state;
    (void)env_psql_at(env, large, past);
    (void)env_psql_at(env, large, "UPDATE files SET sealed = convert_to('gAAAA' || repeat('x', 29000000), 'UTF8') WHERE id = 1");
    says(run(3, db, ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--apply")), "files id 1: it is larger than 20 MB\n");
    says(run(0, moving_base(env), ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--no-documents")), "not imported: 6 instances without documents");
}

/* ---- in pieces ------------------------------------------------------------------------------- */

/* A token as the former product made them; padded: as it should be. */
static struct str token_of(const char *key, size_t n, bool padded)
{
    size_t sealed = padded ? n / 16 * 16 + 16 : n, n_mac;
    unsigned char *t = arena_zalloc(env_arena(env), 25 + sealed + 64);
    char *plain = arena_zalloc(env_arena(env), n);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct fernet_key readings[FERNET_READINGS_MAX], k;
    int got = 0, last = 0;

    assert_true(fernet_readings(str_c(key), readings) > 0);
    k = readings[0];
    for (size_t i = 0; i < n; i++)
        plain[i] = (char)(i * 31 + i / 4093);
    t[0] = 0x80;
    assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_cbc(), NULL, k.encrypt, t + 9), 1);
    EVP_CIPHER_CTX_set_padding(c, padded ? 1 : 0);
    assert_int_equal(EVP_EncryptUpdate(c, t + 25, &got, (unsigned char *)plain, (int)n), 1);
    assert_int_equal(EVP_EncryptFinal_ex(c, t + 25 + got, &last), 1);
    EVP_CIPHER_CTX_free(c);
    assert_true(crypto_hmac("sha256", str_make((const char *)k.sign, 16), str_make((const char *)t, 25 + sealed), t + 25 + sealed, &n_mac));
    return crypto_b64url(env_arena(env), str_make((const char *)t, 25 + sealed + 32));
}

/* An old database with these two as the content of a.csv and d.bin. */
static const char *with_tokens(struct str a_csv, struct str d_bin)
{
    const char *db = moving_old_database(env);
    const struct str tokens[] = {a_csv, d_bin};
    PGconn *pg;

    (void)env_psql_at(env, db, past);
    pg = PQconnectdb(db);
    for (int i = 0; i < 2; i++) {
        const char *values[] = {tokens[i].p, i == 0 ? "1" : "4"};
        int lengths[] = {(int)tokens[i].len, 0}, formats[] = {1, 0};
        PGresult *r = PQexecParams(pg, "UPDATE files SET sealed = $1::bytea WHERE id = $2", 2, NULL, values, lengths, formats, 0);

        assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
        PQclear(r);
    }
    PQfinish(pg);
    return db;
}

static const char *at(const char *name, const char *db)
{
    return printed("--from-db=%s", file(name, db));
}

/* Neither what is opened nor what nobody opens is ever in memory as a whole; the same when it is there already. */
static void large_ones_in_little_memory(void **state)
{
    enum { LARGE = 5 * 1024 * 1024, ROOM_KB = 10 * 1024 };
    static const char md5[] = "SELECT md5(content) FROM documents WHERE name = 'd.bin'", lobs[] = "SELECT count(*) FROM pg_largeobject_metadata";
    const char *small_from = at("small.dsn", with_tokens(token_of(KEY_2, 100, true), token_of(KEY_4, 100, true)));
    const char *old_db = with_tokens(token_of(KEY_2, LARGE, true), token_of(KEY_4, LARGE, true)), *from = at("large.dsn", old_db), *db = schema_ready(env), *out;
    const char *there = env_psql_at(env, old_db, "SELECT md5(sealed) FROM files WHERE id = 4");
    long small, large, again;

    (void)state;
    moving_measured(env, 3, schema_ready(env), ARGS("import-legacy", small_from, map, keys, "--structure=0.23.2", "--apply"), &small);
    moving_measured(env, 3, db, ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--apply"), &large);
    is(db, "SELECT size_in_bytes FROM documents WHERE name = 'a.csv'", printed("%d", LARGE));
    is(db, md5, there);
    out = moving_measured(env, 3, db, ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--apply"), &again);
    says(out, "documents: 8 read, 0 added, 0 replaced, 0 kept, 3 unchanged, 1 unreadable, 4 left out");
    print_message("peak of documents of 100 bytes: %ld KB, of 5 MB: %ld KB, again: %ld KB\n", small, large, again);
    if (large > small + ROOM_KB || again > small + ROOM_KB)
        env_fail(env, "documents of 5 MB take %ld and %ld KB, small ones %ld", large, again, small);
    /* another byte at its end */
    (void)env_psql_at(env, old_db, "UPDATE files SET sealed = set_byte(sealed, octet_length(sealed) - 3, get_byte(sealed, octet_length(sealed) - 3) # 1) WHERE id = 4");
    says(run(3, db, ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--apply")),
         "files id 4: no key in \"keys\" opens it (tried 3 keys); what is here of that name stays");
    is(db, md5, there);
    is(db, lobs, "0");
}

/* Signed rightly, and yet no document: it shows at its end only, when most of it came. */
static void a_bad_end(void **state)
{
    const char *from = at("end.dsn", with_tokens(token_of(KEY_2, 1600000, false), token_of(KEY_4, 100, true))), *db = schema_ready(env);

    (void)state;
    for (int i = 0; i < 2; i++) {
        says(run(3, db, ARGS("import-legacy", from, map, keys, "--structure=0.23.2", "--apply")),
             "files id 1: no key in \"keys\" opens it (tried 3 keys); copied as is, state unreadable");
        is(db, "SELECT count(*) FROM documents WHERE name = 'a.csv' AND head IS NULL AND octet_length(content) > 2000000", "1");
    }
}

static void killed_on_the_way(void **state)
{
    static const char *const points[] = {"instances:1", "documents:1", "documents:3"};
    const char *db = schema_ready(env);

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, db, IMPORT("--apply", "--history"), ARGS(moving_printed(env, "SLUICE_FAULT=import.%s", points[i])));
    run(3, db, IMPORT("--apply", "--history"));
    is(db, "SELECT string_agg(name || size_in_bytes, ' ' ORDER BY name) FROM documents", "a.csv5 b.csv8 c.bin28 d.bin0");
    is(db, "SELECT count(*) || ' ' || count(DISTINCT guid) FROM instances", "4 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(documents_of_closed_instances), API_TEST(a_key_that_comes_later), API_TEST(history_on_demand),
        API_TEST(ids_of_today), API_TEST(goes_with_its_month), API_TEST(conflicts), API_TEST(too_large_to_store),
        API_TEST(large_ones_in_little_memory), API_TEST(a_bad_end), API_TEST(killed_on_the_way),
    };

    env = env_start();
    old = moving_old_database(env);
    (void)env_psql_at(env, old, past);
    dsn = moving_printed(env, "--from-db=%s", moving_file(env, "old.dsn", old));
    map = moving_printed(env, "--structure-map=%s", moving_file(env, "past.map", map_text));
    keys = moving_printed(env, "--keys=%s", moving_file(env, "old.keys", KEY_3 "\n"));
    (void)env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
