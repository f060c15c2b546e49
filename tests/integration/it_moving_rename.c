/*
 * The statement of the migrations page while core and proxy run: no request fails, no document is lost, instances that wait over it
 * have their documents (migration.md 7.3, 11.14, R-20, R-21).
 *
 * The core only serves here: what a workflow does with documents happens in the proxy.
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "support/peer.h"

#define RENAME "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'"
#define BACK "UPDATE keys SET label = 'document-storage' WHERE label = 'document-storage-old'"
/* migration.md 7.2 */
#define ONLY_A_TOKEN_KEY                                                                                                        \
    RENAME "; UPDATE keys SET state = 'decrypt' WHERE label = 'document-storage-old'; INSERT INTO keys (label, algorithm, material) " \
           "VALUES ('document-storage', 'fernet', convert_to('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'UTF8'))"
#define WRITING_KEY                                                                                                             \
    "(SELECT max(id) FROM keys WHERE label = 'document-storage' AND state = 'active' AND algorithm = 'aes-256-gcm')"

static struct env *env;
static struct peer *called, *gateway; /* by workflows; behind the proxy */
static int64_t activity;
static int n_parked, nginx_port;
static pid_t proxy;

static const char *psql(const char *sql)
{
    return env_psql(env, sql);
}

/* Makes a document, waits for a call-back, sends the document and makes another one. */
static int64_t workflow(void)
{
    return api_activity(
        env, "over the rename",
        printed("{\"cells\":{" START "," CELL("first", "create_csv", "\"filename\":\"first.csv\",\"inputs\":\"[[1,2]]\"", "\"ok\"") ","
                CELL("call", "async_json_call", "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/jobs\",\"body\":\"{}\","
                     "\"register_async_external_id\":\"job.id\",\"timeout\":\"1 hour\"", "\"success\"") ","
                CELL("send", "http_call", "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/up\",\"body#format\":\"multipart\","
                     "\"body#multipart\":[[\"file\",\"# documents.first.csv\"]]", "\"success\"") ","
                CELL("second", "create_csv", "\"filename\":\"second.csv\",\"inputs\":\"[[3,4]]\"", "\"ok\"") "," END
                "},\"entities\":[],\"transitions\":[" LINE("start.ok", "first") "," LINE("first.ok", "call") "," LINE("call.success", "send") ","
                LINE("send.success", "second") "," LINE("second.ok", "end") "]}", peer_port(called), peer_port(called)));
}

static void start_proxy(void)
{
    proxy = env_app_start(env, "sluice-proxy", "p1.sock", (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(env, 20000, api_raw(env, "GET", "/api/v01/p1/tenants/", NULL).status == 200);
}

static int64_t park(void)
{
    const struct peer_step script[] = {
        {.kind = PEER_ANSWER, .headers = "Content-Type: application/json\r\n", .body = printed("{\"job\":{\"id\":\"rename-%d\"}}", ++n_parked)},
        {.kind = PEER_ANSWER}};
    int64_t id;

    peer_script(called, script, COUNT_OF(script));
    id = api_int(api(env, 200, "POST", printed("/api/v01/activities/%lld/run", (long long)activity), "{}"), "id");
    ENV_WAIT(env, 15000, strcmp(psql(printed("SELECT status FROM tasks WHERE instance_id = %lld AND cell_id = 'call'", (long long)id)), "WAIT") == 0);
    return id;
}

static void go_on(int64_t id)
{
    struct str sent;

    api(env, 200, "POST", printed("/api/v01/transactions/callbacks/rename-%d", n_parked), "{}");
    if (strcmp(api_instance_status(env, id), "CLOSED_IN_SUCCESS") != 0)
        env_fail(env, "instance %lld: %s", (long long)id, psql(printed("SELECT string_agg(description, ' ') FROM errors WHERE instance_id = %lld", (long long)id)));
    sent = peer_request(called, 1);
    assert_non_null(memmem(sent.p, sent.len, "filename=\"first.csv\"", 20));
    assert_non_null(memmem(sent.p, sent.len, "\r\n\r\n1,2\n", 8));
}

/* Whole, of its type. */
static void holds(int64_t id, const char *name, const char *content)
{
    const char *document = psql(printed("SELECT id FROM documents WHERE instance_id = %lld AND name = '%s'", (long long)id, name));
    struct env_answer a = api_raw(env, "GET", printed("/api/v01/transactions/%lld/documents/%s", (long long)id, document), NULL);

    if (a.status != 200 || strcmp(a.body, content) != 0)
        env_fail(env, "%s of %lld: %d %s", name, (long long)id, a.status, a.body);
    assert_string_equal(env_header(env, &a, "content-type"), "text/csv");
}

static void is_new(int64_t id, const char *name)
{
    assert_string_equal(psql(printed("SELECT (key_id = " WRITING_KEY ")::text FROM documents WHERE instance_id = %lld AND name = '%s'",
                                     (long long)id, name)), "true");
}

static void upload(int64_t id)
{
    const char *headers[] = {api_auth(env), "Content-Type: text/csv", NULL};
    struct env_answer a = env_http(env, "POST", printed("/api/v01/transactions/%lld/documents?name=up.csv", (long long)id), headers, "5,6\n");

    assert_int_equal(a.status, 200);
}

/* Calls through the proxy all the while; what came back, a status a line. */
static pid_t call_all_the_time(void)
{
    const char *argv[] = {"/bin/sh", "-c",
                          printed("while curl -s -o /dev/null -w '%%{http_code}\\n' -H '%s' http://127.0.0.1:%d/api/v01/p1/tenants/; do :; done",
                                  api_auth(env), nginx_port), NULL};

    return env_spawn(env, "calls", argv, NULL);
}

static void item_14_R_20_R_21_core_and_proxy_running(void **state)
{
    static const char *const statements[] = {RENAME, RENAME, BACK, RENAME, ONLY_A_TOKEN_KEY};
    int64_t ids[COUNT_OF(statements)];
    pid_t calls = call_all_the_time();
    const char *statuses;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        ids[i] = park();
        psql(statements[i]);
        /* either of the two may be the first that writes */
        if (i % 2 == 0)
            upload(ids[i]);
        go_on(ids[i]);
        if (i % 2 != 0)
            upload(ids[i]);
        is_new(ids[i], "second.csv");
        is_new(ids[i], "up.csv");
        for (size_t j = 0; j <= i; j++) {
            holds(ids[j], "first.csv", "1,2\n");
            holds(ids[j], "second.csv", "3,4\n");
            holds(ids[j], "up.csv", "5,6\n");
        }
    }
    env_kill(env, calls, SIGKILL);
    statuses = env_log(env, "calls");
    assert_true(strlen(statuses) >= 4 * 10);
    for (; strlen(statuses) >= 4; statuses += 4)
        assert_memory_equal(statuses, "200\n", 4);
    assert_string_equal(psql("SELECT count(*) FROM errors"), "0");
    /* a key for each statement that left none to write, and no more */
    assert_string_equal(psql("SELECT count(*) FROM keys WHERE algorithm = 'aes-256-gcm' AND label LIKE 'document-storage%'"), "5");
}

/* The core of this test runs nothing: what went on above went on in the proxy. */
static void the_proxy_did_the_work(void **state)
{
    int64_t id = park();

    (void)state;
    env_kill(env, proxy, SIGTERM);
    api(env, 200, "POST", printed("/api/v01/transactions/callbacks/rename-%d", n_parked), "{}");
    usleep(1000000);
    assert_int_equal(peer_requests(called), 1);
    start_proxy();
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    holds(id, "second.csv", "3,4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(item_14_R_20_R_21_core_and_proxy_running),
        API_TEST(the_proxy_did_the_work),
    };
    static const struct peer_step ok = {.kind = PEER_ANSWER, .headers = "Content-Type: application/json\r\n", .body = "[]"};
    int failed;

    called = peer_new(&ok, 1);
    gateway = peer_new(&ok, 1);
    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", NULL);
    nginx_port = env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    api_configure(env, "gateways", printed("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", peer_port(gateway)));
    start_proxy();
    activity = workflow();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(called);
    peer_free(gateway);
    return env_end(env, failed);
}
