/*
 * Reading an old database in pages loses no row (migration.md 6.4): keys that are not unique, that are missing,
 * texts whose order is not that of their bytes, rows that change meanwhile, a kill on the way; and where a key is
 * what other rows name, it is refused before anything is written.
 */
#include "integration/env_moving.h"

#include <libpq-fe.h>
#include <signal.h>
#include <string.h>

static struct env *env;
static const char *shared, *nothing; /* an old database, and a new one that stays empty */

#define IMPORT(from, map, ...) ARGS(from, map, "--structure=0.23.2", __VA_ARGS__)

/* An old database with these tables. */
static const char *theirs(const char *tables)
{
    (void)env_psql_at(env, shared, printed("DROP TABLE IF EXISTS teams, runs; %s", tables));
    return shared;
}

static const char *from_db(const char *db)
{
    return printed("--from-db=%s", file("pages.dsn", db));
}

static const char *structure(const char *text)
{
    return printed("--structure-map=%s", file("pages.map", printed("version 0.23.2\n%s", text)));
}

/* ---- tables nobody names the rows of --------------------------------------------------------- */

/* More than two pages of roles; the key is what each row makes of its number n. */
static const struct row {
    const char *name, *type, *key;
} rows[] = {
    {"the same for many, over the border of a page", "integer", "n / 7"},
    {"the same for all", "integer", "1"},
    {"missing for some", "integer", "CASE WHEN n % 2 = 0 THEN n END"},
    {"missing for all", "uuid", "NULL::uuid"},
    {"texts of a language", "text COLLATE \"und-x-icu\"", "chr(97 + n % 26) || CASE WHEN n % 3 = 0 THEN '-' ELSE '' END || n"},
    {"texts that differ in what does not count", "text COLLATE blind", "CASE WHEN n % 2 = 0 THEN 'A' ELSE 'a' END || n / 20"},
    {"texts as long as they are declared", "char(9)", "n"},
};

static void all_come(const struct row *r)
{
    const char *db = nothing;
    const char *old = theirs(printed("CREATE TABLE teams (k %s, label text); INSERT INTO teams SELECT %s, 'team ' || n FROM generate_series(1, 603) n", r->type, r->key));
    const char *map = structure("table teams as roles by k\n  name = label\n");

    says(import(0, db, IMPORT(from_db(old), map, "--dry-run")), "roles: 603 read, 603 added, ");
    says(import(0, db, IMPORT(from_db(old), map, "--apply")), "roles: 603 read, 603 added, ");
    is(db, "SELECT count(DISTINCT name) FROM roles WHERE name LIKE 'team %'", "603");
    says(import(0, db, IMPORT(from_db(old), map, "--apply")), "roles: 603 read, 0 added, 0 replaced, 0 kept, 603 unchanged");
    (void)env_psql_at(env, db, "DELETE FROM roles");
}

/* ---- tables whose rows are named by others --------------------------------------------------- */

static const char runs[] = "CREATE TABLE runs (k text, number integer, other text COLLATE blind, label text, state text, started timestamp);"
                           "INSERT INTO runs SELECT chr(97 + n % 26) || CASE WHEN n % 3 = 0 THEN '-' ELSE 'B' END || n, n, 'x' || n, 'l' || n, 'closed_in_success',"
                           " timestamp '2024-03-01' + n * interval '1 second' FROM generate_series(1, 450) n;";

#define RUNS_BY(key) "table runs as instances by " key "\n  status = state | upper\n  created_on = started | time\n"

static const struct refused {
    const char *name, *sql, *map, *says;
} refusals[] = {
    {"two of the same", "UPDATE runs SET number = 7 WHERE number = 300", RUNS_BY("number"),
     "--from-db: table runs: its key, column number, is not unique (\"7\" stands in 2 rows); nothing was imported"},
    {"two of the same, an index for some rows", "UPDATE runs SET number = 7 WHERE number = 300; CREATE UNIQUE INDEX ON runs (number) WHERE number > 7", RUNS_BY("number"),
     "table runs: its key, column number, is not unique (\"7\" stands in 2 rows)"},
    {"two of the same, an index of two columns", "UPDATE runs SET number = 7 WHERE number = 300; CREATE UNIQUE INDEX ON runs (number, k)", RUNS_BY("number"),
     "table runs: its key, column number, is not unique (\"7\" stands in 2 rows)"},
    {"none", "UPDATE runs SET number = NULL WHERE number = 300; CREATE UNIQUE INDEX ON runs (number)", RUNS_BY("number"),
     "table runs: its key, column number, is missing in 1 row; nothing was imported"},
    {"the same but for what does not count", "UPDATE runs SET other = 'X9' WHERE number = 10; CREATE UNIQUE INDEX ON runs (other COLLATE \"C\")", RUNS_BY("other"),
     "table runs: its key, column other, is not unique ("},
    {"requests", "UPDATE runs SET number = 7 WHERE number = 300", "table runs as requests by number\n  status = state\n  created_on = started | time\n",
     "table runs: its key, column number, is not unique (\"7\" stands in 2 rows)"},
    {"tasks", "UPDATE runs SET number = 7 WHERE number = 300", "table runs as tasks by number\n  instance = k\n",
     "table runs: its key, column number, is not unique (\"7\" stands in 2 rows)"},
    {"documents", "UPDATE runs SET number = 7 WHERE number = 300", "table runs as documents by number\n  instance = k\n  name = k\n  content = label\n",
     "table runs: its key, column number, is not unique (\"7\" stands in 2 rows)"},
};

static void refuses(const struct refused *r)
{
    const char *from = from_db(theirs(printed("%s%s", runs, r->sql))), *map = structure(r->map);

    says(import(78, nothing, IMPORT(from, map, "--dry-run")), r->says);
    says(import(78, nothing, IMPORT(from, map, "--apply", "--history")), r->says);
    is(nothing, "SELECT (SELECT count(*) FROM instances) + (SELECT count(*) FROM requests)", "0");
}

/* ---- while it reads -------------------------------------------------------------------------- */

static void whole(const char *db, int n)
{
    is(db, "SELECT count(*) || ' ' || count(DISTINCT label) FROM instances", printed("%d %d", n, n));
}

static PGconn *held(const char *db, const char *sql)
{
    PGconn *c = PQconnectdb(db);

    PQclear(PQexec(c, "BEGIN"));
    PQclear(PQexec(c, sql));
    assert_int_equal(PQtransactionStatus(c), PQTRANS_INTRANS);
    return c;
}

/* The first page is on its way when keys change, rows go and others come: what came is what stood there. */
static void keys_that_change_meanwhile(void **state)
{
    const char *db = moving_base(env), *old = theirs(printed("%sALTER TABLE runs ADD PRIMARY KEY (k)", runs));
    pid_t tool;
    PGconn *c;

    (void)state;
    moving_ctl(env, 0, db, ARGS("migrate"));
    c = held(db, "LOCK TABLE instances IN EXCLUSIVE MODE");
    tool = moving_start(env, "meanwhile", db, ARGS("import-legacy", from_db(old), structure(RUNS_BY("k")), "--structure=0.23.2", "--apply", "--history"), NULL);
    ENV_WAIT(env, 20000, strcmp(env_psql_at(env, db, "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'instances'::regclass AND NOT granted"), "t") == 0);
    (void)env_psql_at(env, old, "UPDATE runs SET k = 'a' || k WHERE number > 200; UPDATE runs SET k = 'z' || k WHERE number <= 100; DELETE FROM runs WHERE number > 440;"
                                "INSERT INTO runs VALUES ('!', 0, '!', '!', 'closed_in_success', '2024-03-01'), ('zzz', 0, 'zzz', '!', 'closed_in_success', '2024-03-01')");
    PQfinish(c);
    assert_int_equal(env_wait_exit(env, tool, 30000), 0);
    says(env_log(env, "meanwhile"), "instances: 450 read, 450 added, ");
    whole(db, 450);
    is(db, "SELECT count(*) FROM instances WHERE label ~ '^imported [a-z][-B][0-9]+$'", "450");
}

/* Killed after each page: each comes once, however the keys are ordered. */
static void killed_between_pages(void **state)
{
    static const char *const points[] = {"page:2", "instances:1", "instances:2", "page:1"};
    const char *db = moving_base(env), *from = from_db(theirs(printed("%sALTER TABLE runs ALTER k TYPE text COLLATE \"und-x-icu\"", runs)));
    const char *map = structure(RUNS_BY("k"));

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, db, ARGS("import-legacy", from, map, "--structure=0.23.2", "--apply", "--history"),
                        ARGS(printed("SLUICE_FAULT=import.%s", points[i])));
    import(0, db, IMPORT(from, map, "--apply", "--history"));
    whole(db, 450);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_change_meanwhile), cmocka_unit_test(killed_between_pages),
    };
    int failed;

    env = env_start();
    nothing = moving_base(env);
    shared = moving_old_database(env);
    (void)env_psql_at(env, shared, "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    moving_ctl(env, 0, nothing, ARGS("migrate"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, all_come);
    failed += CASES(refusals, refuses);
    return env_end(env, failed);
}
