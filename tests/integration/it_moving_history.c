/*
 * History out of an old database (migration.md 6.1, 6.4): requests, tasks, errors and traces with the
 * instance they hang on, requests that have none; what is wrong in a row, secrets in what others
 * recorded, repeating, kills, names that need quotes, and memory that does not grow with the rows.
 */
#include "integration/env_moving.h"
#include "integration/env_schema.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"

static const char past[] =
    "CREATE TABLE \"job\"\"runs\" (id integer PRIMARY KEY, state varchar(40), activity integer, author integer, started timestamp, ended timestamp);"
    "INSERT INTO \"job\"\"runs\" VALUES (41, 'closed_in_success', 5, 8, '2024-03-05 10:00:00', '2024-03-05 10:01:00'),"
    " (42, 'closed_in_error', 5, NULL, '2024-03-31 23:59:59', NULL), (43, 'active', 5, 8, '2024-05-01 10:00:00', NULL),"
    " (44, 'closed_in_success', 6, NULL, '2124-02-29 10:00:00', NULL), (45, 'closed_in_success', 6, NULL, '1024-02-29 10:00:00', NULL);"
    "CREATE TABLE calls (id bigint PRIMARY KEY, \"job\"\"id\" bigint, state varchar(40), verb varchar(8), path text, details text, answer text, code varchar(8),"
    " who integer, tenant varchar(40), at timestamp);"
    "INSERT INTO calls VALUES"
    " (4709, 41, 'SUCCESS', 'POST', '/api/v01/custom/hello?token=" CANARY "&x=1', '{\"body\": {\"name\": \"ann\", \"password\": \"" CANARY "\"}, \"method\": \"post\"}',"
    " '{\"status\": 200, \"body\": \"said\"}', '200', 8, 'acme', '2024-03-05 10:00:00'),"
    " (4710, 42, 'ERROR', 'GET', '/api/v01/custom/hello', '{}', NULL, '500', NULL, NULL, '2024-04-01 00:00:00'),"
    " (4711, 42, 'ERROR', 'GET', '/', '{}', NULL, 'abc', NULL, NULL, '2024-03-06 10:00:00'),"
    " (4712, NULL, 'SUCCESS', 'GET', '/api/v01/p1/tenants/', '{\"method\": \"get\"}', '{}', '200', 8, 'acme', '2024-03-07 10:00:00'),"
    " (4713, 43, 'ACTIVE', 'GET', '/', '{}', NULL, NULL, NULL, NULL, '2024-05-01 10:00:00'),"
    " (4714, 77, 'SUCCESS', 'GET', '/gone', '{}', NULL, '200', NULL, NULL, '2024-03-08 10:00:00'),"
    " (4715, NULL, 'ACTIVE', 'GET', '/waits', '{}', NULL, NULL, NULL, NULL, '2024-03-08 10:00:00');"
    "CREATE TABLE steps (id bigint PRIMARY KEY, job integer, cell varchar(40), state varchar(20), out varchar(40), took float8, at timestamp);"
    "INSERT INTO steps VALUES (11, 41, 'start', 'ok', 'ok', 0.25, '2024-03-05 10:00:00'), (12, 41, 'end', 'ok', NULL, NULL, '2024-03-05 10:00:59'),"
    " (13, 42, 'start', 'error', 'fault', 1, '2024-03-31 23:59:59'), (14, 42, 'end', 'odd', NULL, NULL, '2024-03-31 23:59:59'),"
    " (15, 43, 'start', 'wait', NULL, NULL, '2024-05-01 10:00:00');"
    "CREATE TABLE faults (id bigint PRIMARY KEY, job integer, step bigint, cell varchar(40), short text, long text, at timestamp);"
    "INSERT INTO faults VALUES (1, 42, 13, 'start', 'fault', E'it broke\\non two lines', '2024-03-31 23:59:59');"
    "CREATE TABLE south (id bigint PRIMARY KEY, job integer, step bigint, call bigint, title text, peer text, verb text, address text, code integer, sent text, got text, at timestamp);"
    "INSERT INTO south VALUES (1, 41, 11, 4709, 'ask', 'bwks', 'POST', 'https://10.0.1.2/login?password=" CANARY "', 200,"
    " '{\"user\": \"x\", \"password\": \"" CANARY "\"}', '<a><password>" CANARY "</password></a>', '2024-03-05 10:00:00'),"
    " (2, NULL, NULL, 4712, 'passed on', 'bwks', 'GET', 'https://10.0.1.2/tenants/', 200, '', '[]', '2024-03-07 10:00:00'),"
    " (3, 41, 12, 4709, 'odd', 'bwks', 'GET', 'https://10.0.1.2/', 1000000000, '', '', '2024-03-05 10:00:00')";

static const char map_text[] =
    "version 0.23.2\n"
    "table activities as workflows by id\n  name = title\n"
    "table activity_bodies as versions by id\n  activity_name = activity | lookup activities.id title\n  label = tag\n"
    "  definition = body | json\n  active = live | flag\n"
    "table job\"runs as instances by id\n"
    "  status = state | upper\n  activity_name = activity | lookup activities.id title\n"
    "  username = author | lookup users.id login\n  created_on = started | time\n  closed_on = ended | time\n"
    "table calls as requests by id\n  instance = job\"id\n  status = state\n  method = verb\n  url = path\n  details = details | json\n"
    "  response = answer | json\n  response_status = code | int\n  username = who | lookup users.id login\n  tenant_id = tenant\n  created_on = at | time\n"
    "table steps as tasks by id\n  instance = job | int\n  cell_id = cell\n  status = state\n  output = out\n  runtime = took | number\n  created_on = at | time\n"
    "table faults as errors by id\n  instance = job\n  task = step\n  cell_id = cell\n  output = short\n  description = long\n  created_on = at | time\n"
    "table south as traces by id\n  instance = job\n  task = step\n  request = call\n  label = title\n  session_holder = peer\n  http_method = verb\n"
    "  http_url = address\n  status = code\n  input = sent\n  output = got\n  created_on = at | time\n";

static struct env *env;
static const char *dsn, *map, *old;

#define IMPORT(...) ARGS(dsn, map, "--structure=0.23.2", __VA_ARGS__)

static void one_by_one(const char *out)
{
    says(out, "calls id 4711: code \"abc\" is not a number");
    says(out, "instances id 43: it still runs and is not moved: let it finish or close it, then import again");
    says(out, "instances id 44: created_on lies before the year 2000, or in years to come");
    says(out, "instances id 45: created_on lies before the year 2000, or in years to come");
    says(out, "tasks id 14: its status is none of OK, ERROR, WAIT, RUN, QUEUED");
}

static void counts(const char *out, int added, int unchanged)
{
    says(out, printed("instances: 5 read, %d added, %d unchanged, 1 running, 2 left out\n", added, unchanged));
}

/* ---- through the API ------------------------------------------------------------------------- */

static struct val get(const char *before, const char *id, const char *behind)
{
    return api(env, 200, "GET", printed("/api/v01/%s%s%s", before, id, behind), NULL);
}

static void seen(const char *db)
{
    struct val v;
    const char *call = env_psql_at(env, db, "SELECT id FROM requests WHERE extra #>> '{imported,id}' = '4709'");
    const char *run = env_psql_at(env, db, "SELECT id FROM instances WHERE label = 'imported 41'");
    const char *alone = env_psql_at(env, db, "SELECT id FROM requests WHERE extra #>> '{imported,id}' = '4712'");

    v = get("apio/requests/", call, "");
    assert_string_equal(api_text(env, v, "request.details.body.name"), "ann");
    assert_string_equal(api_text(env, v, "request.details.body.password"), "********");
    assert_string_equal(api_text(env, v, "request.owner"), "ann");
    assert_string_equal(api_text(env, v, "request.created_on"), "2024-03-05T10:00:00.000000Z");
    v = get("transactions/", run, "");
    assert_string_equal(api_text(env, v, "tasks.0.cell_id"), "start");
    assert_string_equal(api_text(env, v, "tasks.1.cell_id"), "end");
    v = get(printed("apio/transactions/%s/tasks/", run),
            env_psql_at(env, db, "SELECT t.id FROM tasks t JOIN instances i ON i.id = t.instance_id WHERE i.label = 'imported 41' AND t.cell_id = 'start'"), "/traces");
    assert_string_equal(api_text(env, v, "traces.0.label"), "ask");
    assert_string_equal(api_text(env, v, "traces.0.output"), "<a><password>********</password></a>");
    v = get("apio/requests/", alone, "/traces");
    assert_string_equal(api_text(env, v, "traces.0.http_url"), "https://10.0.1.2/tenants/");
    v = api(env, 200, "GET", "/api/v01/apio/requests/search?filter=%5B%7B%22field%22%3A%22tenant_id%22%2C%22op%22%3A%22eq%22%2C%22value%22%3A%22acme%22%7D%5D", NULL);
    assert_int_equal(api_int(v, "total_count"), 2);
}

static void picture(const char *db)
{
    is(db, "SELECT string_agg(concat_ws(' ', r.extra #>> '{imported,id}', r.tableoid::regclass, r.status, r.response_status, r.instance_status, i.label, "
           "i.kind, i.original_request_id = r.id), ', ' ORDER BY r.extra #>> '{imported,id}') FROM requests r LEFT JOIN instances i ON i.id = r.instance_id "
           "AND i.created_on = r.instance_on",
       "4709 requests_p202403 SUCCESS 200 CLOSED_IN_SUCCESS imported 41 request t, 4710 requests_p202404 ERROR 500 CLOSED_IN_ERROR imported 42 request t, "
       "4712 requests_p202403 SUCCESS 200, 4714 requests_p202403 SUCCESS 200");
    is(db, "SELECT string_agg(concat_ws(' ', i.label, t.cell_id, t.status, t.output, t.runtime), ', ' ORDER BY t.created_on, t.id) FROM tasks t JOIN instances i "
           "ON i.id = t.instance_id AND i.created_on = t.instance_on",
       "imported 41 start OK ok 0.25, imported 41 end OK, imported 42 start ERROR fault 1");
    is(db, "SELECT concat_ws(' ', t.cell_id, x.output, replace(x.description, E'\\n', '/')) FROM errors x JOIN tasks t ON t.id = x.task_id AND t.instance_id = "
           "x.instance_id", "start fault it broke/on two lines");
    is(db, "SELECT string_agg(concat_ws(' ', x.label, t.cell_id, r.extra #>> '{imported,id}', x.http_url, x.input), ', ' ORDER BY x.created_on, x.id) FROM traces x LEFT "
           "JOIN tasks t ON t.id = x.task_id LEFT JOIN requests r ON r.id = x.request_id",
       "ask start 4709 https://10.0.1.2/login?password=******** {\"user\":\"x\",\"password\":\"********\"}, odd end 4709 https://10.0.1.2/ , "
       "passed on 4712 https://10.0.1.2/tenants/ ");
    is(db, "SELECT bool_and(created_on >= id_from('request', id) AND created_on < id_to('request', id) AND id_to('request', id) < now()) FROM requests", "t");
}

static void the_whole_past(void **state)
{
    const char *db = env_db(env), *before = moving_dump(env, old), *out;

    (void)state;
    out = import(3, db, IMPORT("--dry-run", "--history"));
    one_by_one(out);
    counts(out, 2, 0);
    is(db, "SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM instances) + (SELECT count(*) FROM tasks)", "0");
    out = import(0, db, IMPORT("--apply"));
    says(out, "not imported: 5 instances without documents; --history brings those that are closed");
    says(out, "not imported: 3 requests without instance; --history brings them");
    is(db, "SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM instances)", "0");
    out = import(3, db, IMPORT("--apply", "--history"));
    one_by_one(out);
    counts(out, 2, 0);
    says(out, "requests: 5 read, 4 added, 0 unchanged, 1 running, 0 left out\n");
    says(out, "tasks: 3 added, 1 left out\nerrors: 1 added, 0 left out\ntraces: 3 added, 0 left out\n");
    picture(db);
    seen(db);
    moving_sealed(env, db);
    out = import(3, db, IMPORT("--apply", "--history"));
    counts(out, 0, 2);
    picture(db);
    if (strcmp(before, moving_dump(env, old)) != 0)
        env_fail(env, "the old database was changed");
}

static void killed_on_the_way(void **state)
{
    static const char *const points[] = {"page:1", "instances:1", "page:2"};
    const char *db = moving_base(env);

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, db, ARGS("import-legacy", dsn, map, "--structure=0.23.2", "--apply", "--history"),
                        ARGS(printed("SLUICE_FAULT=import.%s", points[i])));
    import(3, db, IMPORT("--apply", "--history"));
    picture(db);
}

/* What no text of a database can hold is left out, and nothing else with it. */
static void a_row_with_a_nul(void **state)
{
    const char *db = schema_ready(env), *theirs = moving_old_database(env), *from;

    (void)state;
    (void)env_psql_at(env, theirs, past);
    (void)env_psql_at(env, theirs, "INSERT INTO calls VALUES (4716, NULL, 'SUCCESS', 'GET', '/nul', '{\"body\": \"a\\u0000b\"}', NULL, '200', NULL, NULL, "
                                   "'2024-03-09 10:00:00'), (4717, NULL, 'SUCCESS', 'GET', '/behind', '{}', NULL, '200', NULL, NULL, '2024-03-09 10:00:00')");
    from = printed("--from-db=%s", file("nul.dsn", theirs));
    for (int i = 0; i < 2; i++) {
        says(import(3, db, ARGS(from, map, "--structure=0.23.2", "--apply", "--history")), "requests id 4716: the database does not take it");
        is(db, "SELECT count(*) FROM requests WHERE url IN ('/nul', '/behind', '/gone')", "2");
    }
}

/* ---- sub-instances ---------------------------------------------------------------------------- */

static void under_their_parents(const char *db)
{
    is(db, "SELECT string_agg(concat_ws(' ', i.label, i.kind, p.label), ', ' ORDER BY i.label) FROM instances i LEFT JOIN instances p "
           "ON p.id = i.parent_instance_id AND p.created_on = i.parent_on",
       "imported 101 run, imported 102 sub imported 101, imported 103 sub imported 102, imported 105 run, imported 106 run, imported 107 run, "
       "imported 2 sub imported 103");
}

/* Whichever comes first; not what makes a circle, nor those whose parent is not there, or runs. */
static void sub_instances(void **state)
{
    const char *db = schema_ready(env), *theirs = moving_old_database(env), *from, *out, *family;

    (void)state;
    (void)env_psql_at(env, theirs, "CREATE TABLE runs (id integer PRIMARY KEY, state varchar(40), started timestamp, \"by\" integer); INSERT INTO runs VALUES "
        "(2, 'closed_in_success', '2024-05-01 00:00:01', 103), (101, 'closed_in_success', '2024-03-31 23:59:58', NULL), (102, 'closed_in_success', '2024-03-31 23:59:59', 101), "
        "(103, 'closed_in_success', '2024-04-01 00:00:01', 102), (104, 'active', '2024-04-02 00:00:00', 101), (105, 'closed_in_error', '2024-04-02 00:00:01', 104), "
        "(106, 'closed_in_success', '2024-04-03 00:00:01', 106), (107, 'closed_in_success', '2024-04-03 00:00:01', 999);"
        "INSERT INTO runs SELECT n, 'closed_in_success', timestamp '2024-06-01' + n * interval '1 second', CASE WHEN n > 1000 THEN 2001 - n END FROM generate_series(900, 1100) n");
    from = printed("--from-db=%s", file("subs.dsn", theirs));
    family = printed("--structure-map=%s", file("subs.map", "version 0.23.2\ntable runs as instances by id\n  status = state | upper\n  created_on = started | time\n  parent = by\n"));
    out = import(3, db, ARGS(from, family, "--structure=0.23.2", "--apply", "--history"));
    says(out, "instances: 209 read, 208 added, 0 unchanged, 1 running, 0 left out");
    /* over pages of a hundred */
    is(db, "SELECT count(*) || ' ' || count(*) FILTER (WHERE p.label = 'imported ' || 2001 - substr(i.label, 10)::int) FROM instances i JOIN instances p "
           "ON p.id = i.parent_instance_id AND p.created_on = i.parent_on WHERE i.created_on >= '2024-06-01'", "100 100");
    env_psql_at(env, db, "DELETE FROM instances WHERE created_on >= '2024-06-01'");
    (void)env_psql_at(env, theirs, "DELETE FROM runs WHERE id >= 900");
    under_their_parents(db);
    /* those who came when nobody asked for parents get theirs now */
    env_psql_at(env, db, "UPDATE instances SET parent_instance_id = NULL, parent_on = NULL, kind = 'run'");
    out = import(3, db, ARGS(from, family, "--structure=0.23.2", "--apply", "--history"));
    says(out, "instances: 8 read, 0 added, 7 unchanged, 1 running, 0 left out");
    under_their_parents(db);
    family = printed("--structure-map=%s", file("bad.map", "version 0.23.2\ntable runs as instances by id\n  status = state\n  parent = by | upper\n"));
    says(import(2, db, ARGS(from, family, "--structure=0.23.2")), "--structure-map: line 4: parent is a column as it is, without conversion");
}

/* ---- maps ------------------------------------------------------------------------------------ */

static const struct bad_map {
    const char *name, *text, *says;
} bad_maps[] = {
    {"no link", "table steps as tasks by id\n  cell_id = cell\n", "--structure-map: line 2: a member instance is missing, the key of what the rows hang on"},
    {"a link that is converted", "table steps as tasks by id\n  instance = job | lookup activities.id title\n", "--structure-map: line 3: instance is a column as it is, without conversion"},
    {"twice", "table steps as tasks by id\n  instance = job\ntable south as tasks by id\n  instance = job\n", "--structure-map: line 4: another table holds these already"},
    {"traces of nothing", "table south as traces by id\n  label = title\n", "--structure-map: line 2: a member instance is missing, the key of what the rows hang on"},
};

static void maps_that_say_too_little(void **state)
{
    const char *db = schema_ready(env);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_maps); i++)
        says(import(2, db, ARGS(dsn, "--structure=0.23.2", printed("--structure-map=%s", file("bad.map", printed("version 0.23.2\n%s", bad_maps[i].text))))),
             bad_maps[i].says);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static long peak_of_import(const char *from)
{
    const char *db = schema_ready(env);
    long peak;

    moving_measured(env, 0, db, ARGS("import-legacy", from, map, "--structure=0.23.2", "--apply", "--history"), &peak);
    is(db, "SELECT (SELECT count(*) FROM instances) = (SELECT count(*) FROM requests) AND (SELECT count(*) FROM tasks) > 0", "t");
    return peak;
}

static const char *with_rows(int n)
{
    const char *db = moving_old_database(env);

    (void)env_psql_at(env, db, past);
    (void)env_psql_at(env, db, printed("TRUNCATE \"job\"\"runs\", calls, steps, faults, south;"
        "INSERT INTO \"job\"\"runs\" SELECT n, 'closed_in_success', 5, 8, timestamp '2024-01-01' + n * interval '1 minute', NULL FROM generate_series(1, %d) n;"
        "INSERT INTO calls SELECT n, n, 'SUCCESS', 'GET', '/', json_build_object('body', repeat('x', 500)), '{}', '200', 8, NULL, timestamp '2024-01-01' + n * interval '1 minute' "
        "FROM generate_series(1, %d) n;"
        "INSERT INTO steps SELECT n, n, 'start', 'ok', 'ok', 0.5, timestamp '2024-01-01' + n * interval '1 minute' FROM generate_series(1, %d) n;"
        "INSERT INTO south SELECT n, n, n, n, 'ask', 'bwks', 'GET', '/', 200, repeat('y', 2000), repeat('z', 2000), timestamp '2024-01-01' FROM generate_series(1, %d) n;"
        "CREATE INDEX ON calls (\"job\"\"id\"); CREATE INDEX ON steps (job); CREATE INDEX ON south (job); ANALYZE", n, n, n, n));
    return printed("--from-db=%s", file(printed("rows%d.dsn", n), db));
}

/* Ten times the rows: the same memory, within what an allocator does. */
static void memory_stands_still(void **state)
{
    long few = peak_of_import(with_rows(500)), many = peak_of_import(with_rows(5000));

    (void)state;
    print_message("peak of 500 instances: %ld KB, of 5,000: %ld KB\n", few, many);
    if (many > few + 6 * 1024)
        env_fail(env, "500 instances took %ld KB, 5,000 took %ld", few, many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(the_whole_past), API_TEST(killed_on_the_way), API_TEST(a_row_with_a_nul), API_TEST(sub_instances), API_TEST(maps_that_say_too_little), API_TEST(memory_stands_still),
    };

    env = env_start();
    old = moving_old_database(env);
    (void)env_psql_at(env, old, past);
    dsn = printed("--from-db=%s", file("old.dsn", old));
    map = printed("--structure-map=%s", file("past.map", map_text));
    (void)env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
