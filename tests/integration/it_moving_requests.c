/*
 * Several requests of one instance (migration.md 6.1): each comes, under its instance, whichever page it stands on,
 * whether it was there when the instance came or later, and once.
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>

static struct env *env;

/* Requests 70, 72 and 75 of instance 77, whose document comes along; 73 and 74 of 78, which has none; 71 of a running one. */
static const char answers[] =
    "\"/api/v01/system/configuration\": {\"id\": 7, \"content\": {\"gui\": {}}},"
    "\"/api/v01/apio/requests/70\": {\"request\": {\"request_id\": 70, \"details\": {\"method\": \"post\", \"url\": \"/first\"}}},"
    "\"/api/v01/apio/requests/72\": {\"request\": {\"request_id\": 72, \"details\": {\"method\": \"put\", \"url\": \"/second?token=" CANARY "\", \"body\": {\"password\": \"" CANARY "\"}}}},"
    "\"/api/v01/apio/requests/73\": {\"request\": {\"request_id\": 73, \"details\": {\"method\": \"get\", \"url\": \"/third\"}}},"
    "\"/api/v01/apio/requests/74\": {\"request\": {\"request_id\": 74, \"details\": {\"method\": \"get\", \"url\": \"/fourth\"}}},"
    "\"/api/v01/apio/requests/75\": {\"request\": {\"request_id\": 75, \"details\": {\"method\": \"delete\", \"url\": \"/late\"}}},"
    "\"/api/v01/custom_instances/search\": {\"instances\": [{\"instance_id\": 77, \"status\": \"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-03-05T10:00:00Z\"}]},"
    "\"/api/v01/transactions/77\": {\"id\": 77, \"status\": \"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-03-05T10:00:00Z\", \"updated_on\": \"2024-03-05T10:01:00Z\", \"tasks\": [], \"errors\": []},"
    "\"/api/v01/transactions/77/traces\": {\"traces\": []}, \"/api/v01/transactions/77/sub_transactions\": {\"instances\": []},"
    "\"/api/v01/transactions/77/documents\": {\"documents\": [{\"id\": 1, \"name\": \"a.txt\", \"mime_type\": \"text/plain\"}]},"
    "\"/api/v01/transactions/77/documents/1\": {\"$text\": \"hello\"},"
    "\"/api/v01/transactions/78\": {\"id\": 78, \"status\": \"CLOSED_IN_ERROR\", \"created_on\": \"2024-04-01T00:00:00Z\", \"tasks\": [], \"errors\": []},"
    "\"/api/v01/transactions/78/traces\": {\"traces\": []}, \"/api/v01/transactions/78/sub_transactions\": {\"instances\": []},"
    "\"/api/v01/transactions/78/documents\": {\"documents\": []}";

#define ROW(id, instance, status, on) "{\"request_id\": " id ", \"instance_id\": " instance ", \"status\": \"SUCCESS\", \"instance_status\": \"" status "\", \"created_on\": \"" on "\"}"
#define ROWS                                                                                                            \
    ROW("70", "77", "CLOSED_IN_SUCCESS", "2024-03-05T10:00:00Z") "," ROW("71", "79", "ACTIVE", "2024-03-05T10:00:05Z") \
    "," ROW("72", "77", "CLOSED_IN_SUCCESS", "2024-03-31T23:59:59Z") "," ROW("73", "78", "CLOSED_IN_ERROR", "2024-04-01T00:00:00Z") \
    "," ROW("74", "78", "CLOSED_IN_ERROR", "2024-04-01T00:00:01Z")
#define LATE "," ROW("75", "77", "CLOSED_IN_SUCCESS", "2024-05-01T10:00:00Z")

static const char *platform(pid_t *pid, const char *late, const char *option)
{
    const char *data = file("requests.json", printed("{%s, \"/api/v01/apio/requests/search\": {\"requests\": [%s%s]}}", answers, ROWS, late));

    return printed("--from-api=http://127.0.0.1:%d/", moving_old_api_with(env, pid, ARGS(printed("-data=%s", data), option)));
}

#define FROM(url, ...) ARGS(url, printed("--token-file=%s", file("token", CANARY "\n")), "--rate=5000/s", __VA_ARGS__)

static void requests(const char *db, const char *want)
{
    is(db, "SELECT string_agg(concat_ws(' ', r.extra #>> '{imported,id}', r.method, r.url, i.label, r.instance_status, r.id = i.original_request_id), ', ' "
           "ORDER BY r.extra #>> '{imported,id}') FROM requests r LEFT JOIN instances i ON i.id = r.instance_id AND i.created_on = r.instance_on", want);
}

static const char all[] =
    "70 post /first imported 77 CLOSED_IN_SUCCESS t, 72 put /second?token=******** imported 77 CLOSED_IN_SUCCESS f, "
    "73 get /third imported 78 CLOSED_IN_ERROR t, 74 get /fourth imported 78 CLOSED_IN_ERROR f";

static void counted(const char *out, int instances, int n, int added)
{
    says(out, printed("instances: %d read, ", instances));
    says(out, printed("requests: %d read, %d added, %d unchanged, ", n, added, n - added));
}

static void each_comes(void **state)
{
    const char *db = moving_base(env), *url, *out;
    pid_t pid;

    (void)state;
    url = platform(&pid, "", NULL);
    out = import(3, db, FROM(url, "--dry-run", "--history"));
    counted(out, 3, 4, 4);
    says(out, "documents: 1 read, 1 added, ");
    out = import(3, db, FROM(url, "--apply", "--history"));
    counted(out, 3, 4, 4);
    says(out, "documents: 1 read, 1 added, ");
    requests(db, all);
    moving_sealed(env, db);
    out = import(3, db, FROM(url, "--apply", "--history"));
    counted(out, 3, 4, 0);
    requests(db, all);
    env_kill(env, pid, SIGTERM);
    url = platform(&pid, LATE, "-page=1");
    out = import(3, db, FROM(url, "--apply", "--history"));
    counted(out, 3, 5, 1);
    requests(db, printed("%s, 75 delete /late imported 77 CLOSED_IN_SUCCESS f", all));
    env_kill(env, pid, SIGTERM);
}

/* Without --history: those of instances that documents bring. */
static void along_with_documents(void **state)
{
    const char *db = moving_base(env), *url, *out;
    pid_t pid;

    (void)state;
    url = platform(&pid, "", NULL);
    counted(import(0, db, FROM(url, "--dry-run")), 2, 2, 2);
    out = import(0, db, FROM(url, "--apply"));
    counted(out, 2, 2, 2);
    says(out, "not imported: 1 instances without documents");
    requests(db, "70 post /first imported 77 CLOSED_IN_SUCCESS t, 72 put /second?token=******** imported 77 CLOSED_IN_SUCCESS f");
    env_kill(env, pid, SIGTERM);
}

static void killed_on_the_way(void **state)
{
    const char *db = moving_base(env), *url;
    pid_t pid;

    (void)state;
    NEEDS_FAULT_POINTS();
    url = platform(&pid, "", NULL);
    for (int i = 1; i <= 3; i++)
        moving_ctl_with(env, 256 + SIGKILL, db, ARGS("import-legacy", url, printed("--token-file=%s", file("token", CANARY "\n")), "--apply", "--history"),
                        ARGS(printed("SLUICE_FAULT=import.page:%d", i == 3 ? 1 : 2)));
    import(3, db, FROM(url, "--apply", "--history"));
    requests(db, all);
    env_kill(env, pid, SIGTERM);
}

/* Out of a database: the first is the one the instance began with, and a trace hangs on its own. */
static void out_of_a_database(void **state)
{
    const char *db = moving_base(env), *old = moving_old_database(env), *map;

    (void)state;
    (void)env_psql_at(env, old, "CREATE TABLE runs (id integer PRIMARY KEY, state text, at timestamp); INSERT INTO runs VALUES (77, 'closed_in_success', '2024-03-05');"
        "CREATE TABLE calls (id integer PRIMARY KEY, run integer, verb text, path text, at timestamp); INSERT INTO calls VALUES (69, 77, 'put', '/second', '2024-03-31 23:59:59'), "
        "(70, 77, 'post', '/first', '2024-03-05');"
        "CREATE TABLE south (id integer PRIMARY KEY, run integer, call integer, title text, at timestamp); INSERT INTO south VALUES (1, 77, 69, 'of the second', '2024-03-31 23:59:59'), "
        "(2, 77, NULL, 'of none', '2024-03-05'), "
        "(3, 99, NULL, 'lost', '2024-03-05'), (4, NULL, NULL, 'lost', '2024-03-05')");
    map = printed("--structure-map=%s", file("requests.map", "version 0.23.2\ntable runs as instances by id\n  status = state\n  created_on = at | time\n"
        "table calls as requests by id\n  instance = run\n  method = verb\n  url = path\n  created_on = at | time\n"
        "table south as traces by id\n  instance = run\n  request = call\n  label = title\n  created_on = at | time\n"));
    says(import(0, db, ARGS(printed("--from-db=%s", file("requests.dsn", old)), map, "--structure=0.23.2", "--apply", "--history")),
         "not imported: 2 of table south, since what they hang on is not there\n");
    requests(db, "69 put /second imported 77 CLOSED_IN_SUCCESS f, 70 post /first imported 77 CLOSED_IN_SUCCESS t");
    is(db, "SELECT string_agg(concat_ws(' ', x.label, r.extra #>> '{imported,id}'), ', ' ORDER BY x.label) FROM traces x LEFT JOIN requests r ON r.id = x.request_id",
       "of none 70, of the second 69");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes), cmocka_unit_test(along_with_documents), cmocka_unit_test(killed_on_the_way), cmocka_unit_test(out_of_a_database),
    };

    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
