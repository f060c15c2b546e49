/*
 * Documents and history through the old platform's API (migration.md 6.1, 6.3): what comes along with
 * documents, what only when asked for, answers that make no sense, repeating, kills, a platform that
 * is busy, slow pages, one that goes away; throttling, and memory that does not grow with the rows.
 */
#include "integration/env_moving.h"
#include "integration/env_schema.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

static struct env *env;
static const char *url, *token;
static int old_port;

#define FROM(...) ARGS(url, token, "--rate=5000/s", __VA_ARGS__)

static int64_t number(const char *sql)
{
    return atoll(env_psql(env, sql));
}

/* ---- documents ------------------------------------------------------------------------------- */

static void downloads(const char *name, const char *type, const char *content)
{
    int64_t id = number(printed("SELECT id FROM documents WHERE name = '%s'", name));
    int64_t instance = number(printed("SELECT instance_id FROM documents WHERE name = '%s'", name));
    struct env_answer a = api_raw(env, "GET", printed("/api/v01/transactions/%lld/documents/%lld", (long long)instance, (long long)id), NULL);

    if (a.status != 200 || strcmp(a.body, content) != 0 || strcmp(env_header(env, &a, "Content-Type"), type) != 0)
        env_fail(env, "%s: %d %s %s", name, a.status, env_header(env, &a, "Content-Type"), a.body);
}

static void documents_and_their_instances(void **state)
{
    const char *db = env_db(env), *out;

    (void)state;
    out = import(3, db, FROM("--dry-run"));
    says(out, "documents: 3 read, 3 added, ");
    is(db, "SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM instances)", "0");
    says(import(3, db, FROM("--dry-run", "--no-documents")), "not imported: 4 instances without documents");
    out = import(3, db, FROM("--apply"));
    says(out, "documents of transaction 77: \"gone.txt\": the old platform: GET /api/v01/transactions/77/documents/3 answered 404");
    says(out, "requests id 74: created_on is not a time");
    says(out, "not imported: 3 instances without documents; --history brings those that are closed");
    says(out, "not imported: 1 requests without instance; --history brings them");
    says(out, "instances: 3 read, 2 added, 0 unchanged, 1 running, 0 left out\n");
    says(out, "documents: 3 read, 2 added, 0 replaced, 0 kept, 0 unchanged, 0 unreadable, 1 left out\n");
    downloads("a.csv", "text/csv", "a;b\n1;2\n");
    downloads("up.txt", "text/plain", "up " CANARY);
    is(db, "SELECT string_agg(concat_ws(' ', d.name, d.description, i.label, d.instance_on = i.created_on, k.label, k.algorithm), ', ' ORDER BY d.name) FROM documents d "
           "JOIN instances i ON i.id = d.instance_id JOIN keys k ON k.id = d.key_id",
       "a.csv first imported 77 t document-storage aes-256-gcm, up.txt  imported 77 t document-storage aes-256-gcm");
    is(db, "SELECT string_agg(concat_ws(' ', i.label, i.kind, p.label), ', ' ORDER BY i.label) FROM instances i LEFT JOIN instances p ON p.id = i.parent_instance_id",
       "imported 77 request, imported 83 sub imported 77");
    moving_sealed(env, db);
}

/* ---- history --------------------------------------------------------------------------------- */

static void picture(const char *db)
{
    is(db, "SELECT string_agg(concat_ws(' ', i.label, i.kind, i.status, a.name, i.owner, p.label), ', ' ORDER BY i.label) FROM instances i LEFT JOIN instances p ON "
           "p.id = i.parent_instance_id LEFT JOIN activities a ON a.id = i.activity_id",
       "imported 77 request CLOSED_IN_SUCCESS hello ann, imported 78 run CLOSED_IN_SUCCESS tidy, imported 80 request CLOSED_IN_ERROR hello, "
       "imported 83 sub CLOSED_IN_SUCCESS tidy imported 77");
    is(db, "SELECT string_agg(concat_ws(' ', r.extra #>> '{imported,id}', r.method, r.url, r.status, r.response_status, r.owner, r.tenant_id, i.label), ', ' ORDER BY "
           "r.created_on) FROM requests r LEFT JOIN instances i ON i.id = r.instance_id AND i.created_on = r.instance_on",
       "70 post /api/v01/custom/hello?token=******** SUCCESS 200 ann acme imported 77, 71 get /api/v01/p1/tenants/ ERROR, 73   ERROR imported 80");
    is(db, "SELECT string_agg(concat_ws(' ', i.label, t.cell_id, t.status, t.runtime), ', ' ORDER BY t.created_on, t.id) FROM tasks t JOIN instances i ON i.id = t.instance_id",
       "imported 77 start OK 0.5, imported 77 ask OK, imported 80 start ERROR");
    is(db, "SELECT string_agg(concat_ws(' ', x.label, t.cell_id, r.extra #>> '{imported,id}', x.status, x.input, x.output), ', ' ORDER BY x.created_on) FROM traces x "
           "LEFT JOIN tasks t ON t.id = x.task_id LEFT JOIN requests r ON r.id = x.request_id",
       "ask ask 70 200 {\"password\":\"********\"} {\"token\":\"********\"}, passed on 71 502  ");
    is(db, "SELECT string_agg(concat_ws(' ', i.label, x.cell_id, x.description), ', ') FROM errors x JOIN instances i ON i.id = x.instance_id", "imported 80 start it broke");
    is(db, "SELECT string_agg(name || size_in_bytes, ' ' ORDER BY name) FROM documents", printed("a.csv8 up.txt%zu", strlen("up " CANARY)));
    is(db, "SELECT d.definition::json #>> '{cells,start,x}' FROM instances i JOIN definitions d ON d.id = i.definition_id WHERE i.label = 'imported 77'", "77");
    is(db, "SELECT count(*) FROM contexts", "0");
}

static void history_on_demand(void **state)
{
    const char *db = env_db(env), *out;
    struct val v;

    (void)state;
    out = import(3, db, FROM("--apply", "--history"));
    says(out, "the old platform: GET /api/v01/transactions/80/traces answered 500");
    says(out, "the old platform: GET /api/v01/transactions/82 answered 403");
    says(out, "tasks id 504: its status is none of OK, ERROR, WAIT, RUN, QUEUED");
    says(out, "instances id 79: it still runs and is not moved: let it finish or close it, then import again");
    says(out, "requests: 4 read, 2 added, 1 unchanged, 0 running, 1 left out\n");
    picture(db);
    moving_sealed(env, db);
    v = api(env, 200, "GET", printed("/api/v01/transactions/%lld", (long long)number("SELECT id FROM instances WHERE label = 'imported 80'")), NULL);
    assert_string_equal(api_text(env, v, "errors.0.description"), "it broke");
    says(import(3, db, FROM("--apply", "--history")), "instances: 6 read, 0 added, 4 unchanged, 1 running, 1 left out\n");
    picture(db);
}

/* What is whole is not asked for again. */
static int calls(const char *log, const char *path)
{
    int n = 0;

    for (const char *p = log; (p = strstr(p, path)) != NULL; p += strlen(path))
        n++;
    return n;
}

static void goes_on_with_what_is_missing(void **state)
{
    static const char *const points[] = {"page:1", "instances:1", "documents:1", "documents:1", "instances:1", "page:1"};
    const char *db = schema_ready(env), *log = printed("old platform %d", old_port);
    int before;

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, db, ARGS("import-legacy", url, token, "--rate=5000/s", "--apply", "--history"),
                        ARGS(printed("SLUICE_FAULT=import.%s", points[i])));
    import(3, db, FROM("--apply", "--history"));
    picture(db);
    before = calls(env_log(env, log), "GET /api/v01/transactions/78");
    import(3, db, FROM("--apply", "--history"));
    assert_int_equal(calls(env_log(env, log), "GET /api/v01/transactions/78"), before);
    picture(db);
}

static void conflicts(void **state)
{
    const char *db = schema_ready(env), *out;

    (void)state;
    import(3, db, FROM("--apply"));
    env_psql_at(env, db, "UPDATE documents SET name = 'x' WHERE name = 'up.txt'; UPDATE documents SET name = 'up.txt' WHERE name = 'a.csv'; "
                         "UPDATE documents SET name = 'a.csv' WHERE name = 'x'");
    out = import(1, db, FROM("--apply", "--on-conflict=fail"));
    says(out, "conflict: document \"a.csv\" differs from what is there; choose --on-conflict=keep or replace");
    out = import(3, db, FROM("--apply"));
    says(out, "documents of transaction 77: \"../up.txt\": another document of that name is here and stays (--on-conflict=replace takes the imported one)");
    out = import(3, db, FROM("--apply", "--on-conflict=replace"));
    says(out, "documents: 3 read, 0 added, 2 replaced, 0 kept, 0 unchanged, 0 unreadable, 1 left out\n");
    out = import(3, db, FROM("--apply", "--on-conflict=replace"));
    says(out, "documents: 3 read, 0 added, 0 replaced, 0 kept, 2 unchanged, 0 unreadable, 1 left out\n");
}

/* ---- the platform ---------------------------------------------------------------------------- */

static const char *another(pid_t *pid, const char *const *options)
{
    return printed("--from-api=http://127.0.0.1:%d/api/v01/", moving_old_api_with(env, pid, options));
}

/* A row a page, every third call refused for a moment: all the same. */
static void busy_and_in_small_pages(void **state)
{
    const char *db = schema_ready(env), *there;
    pid_t pid;

    (void)state;
    there = another(&pid, ARGS("-page=1"));
    import(3, db, ARGS(there, token, "--apply", "--rate=5000/s"));
    is(db, "SELECT count(*) FROM users WHERE username IN ('ann', 'Bob', 'robot')", "3");
    env_kill(env, pid, SIGTERM);
    there = another(&pid, ARGS("-page=2", "-history=30"));
    import(3, db, ARGS(there, token, "--apply", "--rate=5000/s", "--history"));
    is(db, "SELECT count(*) FROM instances", "33"); /* 77 and 83 came before; 78 */
    env_kill(env, pid, SIGTERM);
}

static void not_faster_than_allowed(void **state)
{
    const char *db = schema_ready(env), *there;
    int64_t start;
    pid_t pid;

    (void)state;
    there = another(&pid, ARGS("-history=10"));
    start = clock_mono_ms(&clock_system);
    import(3, db, ARGS(there, token, "--apply", "--rate=40/s", "--history"));
    /* a search, and five calls for each of ten */
    if (clock_mono_ms(&clock_system) - start < 51 * 1000 / 40)
        env_fail(env, "it took %lld ms only", (long long)(clock_mono_ms(&clock_system) - start));
    env_kill(env, pid, SIGTERM);
}

/* What is no document that can be stored here is told, and takes no place. */
static void too_large_to_store(void **state)
{
    const char *db = schema_ready(env), *there;
    pid_t pid;

    (void)state;
    there = another(&pid, ARGS("-history=10", "-document=22000000"));
    says(import(3, db, ARGS(there, token, "--apply", "--rate=5000/s")), "documents of transaction 10: \"a.txt\": document \"a.txt\" is larger than 20 MB\n");
    is(db, "SELECT count(*) FROM documents", "0");
    env_kill(env, pid, SIGTERM);
}

/* It goes away: what came stays, and the rest comes when it is back. */
static void away_in_between(void **state)
{
    const char *db = schema_ready(env), *there, *log;
    pid_t pid, tool;

    (void)state;
    there = another(&pid, ARGS("-history=300"));
    tool = moving_start(env, "away", db, ARGS("import-legacy", there, token, "--apply", "--rate=5000/s", "--history"), NULL);
    ENV_WAIT(env, 20000, strcmp(env_psql_at(env, db, "SELECT count(*) > 20 FROM pg_tables WHERE tablename = 'instances'"), "") != 0 &&
                             strcmp(env_psql_at(env, db, "SELECT to_regclass('instances') IS NOT NULL"), "t") == 0 &&
                             atoll(env_psql_at(env, db, "SELECT count(*) FROM instances")) > 5);
    env_kill(env, pid, SIGKILL);
    assert_int_equal(env_wait_exit(env, tool, 30000), 1);
    log = env_log(env, "away");
    says(log, "import-legacy: the old platform: connection to 127.0.0.1:");
    there = another(&pid, ARGS("-history=300"));
    import(3, db, ARGS(there, token, "--apply", "--rate=5000/s", "--history"));
    is(db, "SELECT count(*) || ' ' || count(DISTINCT label) FROM instances WHERE kind = 'request'", "300 300");
    env_kill(env, pid, SIGTERM);
}

static long peak_of_import(const char *rows, const char *document)
{
    const char *db = schema_ready(env), *there;
    long peak;
    pid_t pid;

    there = another(&pid, ARGS(rows, document));
    moving_measured(env, 3, db, ARGS("import-legacy", there, token, "--apply", "--rate=100000/s", "--history"), &peak);
    env_kill(env, pid, SIGTERM);
    return peak;
}

static void memory_stands_still(void **state)
{
    long few = peak_of_import("-history=100", "-document=4000"), many = peak_of_import("-history=600", "-document=4000");
    long large = peak_of_import("-history=10", "-document=18000000");

    (void)state;
    print_message("peak of 100 instances: %ld KB, of 600: %ld KB, of a document of 18 MB: %ld KB\n", few, many, large);
    if (many > few + 6 * 1024)
        env_fail(env, "100 instances took %ld KB, 600 took %ld", few, many);
    if (large > few + 6 * 1024)
        env_fail(env, "small documents took %ld KB, one of 18 MB %ld", few, large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(documents_and_their_instances), API_TEST(history_on_demand),       API_TEST(goes_on_with_what_is_missing),
        API_TEST(conflicts),                     API_TEST(busy_and_in_small_pages), API_TEST(not_faster_than_allowed),
        API_TEST(too_large_to_store),            API_TEST(away_in_between),         API_TEST(memory_stands_still),
    };
    pid_t old;
    int failed;

    env = env_start();
    old_port = moving_old_api_with(env, &old, ARGS("-verbose", "-busy=3"));
    url = printed("--from-api=http://127.0.0.1:%d/", old_port);
    token = printed("--token-file=%s", file("token", CANARY "\n"));
    (void)env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    env_kill(env, old, SIGTERM);
    return env_end(env, failed);
}
