/*
 * What comes in the moment in which a transaction closes: taken with an effect, refused, or marked as
 * taken in vain; never acknowledged and forgotten.
 *
 * The moment is made to last: a row that the writer needs is locked from outside.
 */
#include "base/arena.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <string.h>

#include "integration/env_api.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { WAIT_MS = 15000 };

static struct env *env;
static struct peer *peer;
static pid_t runner;
static PGconn *held;

#define SHOP                                                                                       \
    "{\"name\":\"shop\",\"original_name\":\"entity\",\"outputs\":[\"paid\",\"done\"],\"params\":{}}"

/* It runs workflows; the core that people and other systems speak to runs none. */
static void runner_starts(void)
{
    const char *vars[] = {fmt("DB=%s", env_db(env)), "SLUICE_FAULT=passed", NULL};
    struct fcgi_request r = {.uri = "/api/v01/health"};

    runner = env_app_start_with(env, "sluice-core", "runner.sock",
                                (const char *const[]){"-workflows", NULL}, vars);
    ENV_WAIT(env, WAIT_MS, fcgi_call(env_path(env, "runner.sock"), &r, env_arena(env)).status == 200);
}

/* A run that waits for an hour, an answer, a call-back for the id `name`, and events. */
static const char *parked(const char *name)
{
    const struct peer_step step = {.kind = PEER_ANSWER,
                                   .headers = "Content-Type: application/json\r\n",
                                   .body = fmt("{\"id\":\"%s\"}", name)};
    int64_t id;

    peer_script(peer, &step, 1);
    id = api_run(
        env,
        fmt("{\"cells\":{" START ","
            "\"hour\":{\"original_name\":\"timer\",\"params\":{\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"},\"outputs\":[\"ok\"]},"
            "\"last_%s\":{\"original_name\":\"context_setter\",\"params\":{\"key\":\"k\",\"value\":\"v\"},\"outputs\":[\"ok\"]},"
            "\"ask\":{\"original_name\":\"trigger_manual_action\",\"params\":{\"possible_outputs\":\"yes\"},\"outputs\":[\"yes\"]},"
            "\"call\":{\"original_name\":\"async_json_call\",\"params\":{\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":\"{}\","
            "\"register_async_external_id\":\"id\"},\"outputs\":[\"success\"]},"
            "\"heard\":{\"original_name\":\"context_setter\",\"params\":{\"key\":\"h\",\"value\":\"v\"},\"outputs\":[\"ok\"]}," END
            "},\"entities\":[" SHOP "],\"transitions\":[" LINE("start.ok", "hour") "," LINE("start.ok", "ask") "," LINE("start.ok", "call") ","
            "[\"hour.ok\",\"last_%s\"],[\"last_%s.ok\",\"end\"]," LINE("shop.paid", "heard") "," LINE("shop.done", "end") "]}",
            name, peer_port(peer), name, name),
        "{}");
    ENV_WAIT(env, WAIT_MS,
             strcmp(sql("SELECT count(*) FROM tasks WHERE instance_id = %lld AND status = 'WAIT'", (long long)id), "3") == 0 &&
                 strcmp(sql("SELECT count(*) FROM external_callbacks WHERE instance_id = %lld", (long long)id), "1") == 0);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT state FROM jobs WHERE ref_id = %lld", (long long)id), "ready") == 0);
    return fmt("%lld", (long long)id);
}

static void until_closed(const char *id)
{
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT status FROM instances WHERE id = %s", id), "ACTIVE") != 0);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT count(*) FROM jobs WHERE ref_id = %s", id), "0") == 0);
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = %s", id), "0");
}

/* Whoever needs what this locks waits. */
static void hold(const char *lock)
{
    held = PQconnectdb(env_db(env));
    PQclear(PQexec(held, "BEGIN"));
    PQclear(PQexec(held, lock));
    assert_int_equal(PQtransactionStatus(held), PQTRANS_INTRANS);
}

static int let_go(void **state)
{
    (void)state;
    PQfinish(held);
    held = NULL;
    return 0;
}

static void until_waiting(int n, const char *statement)
{
    ENV_WAIT(env, WAIT_MS,
             strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%s%%'", statement),
                    fmt("%d", n)) == 0);
}

static const char *action_of(const char *id)
{
    return sql("SELECT id FROM manual_actions WHERE instance_id = %s", id);
}

struct sender {
    pthread_t thread;
    struct arena *a;
    struct fcgi_request r;
    const char *params[2];
    const char *path;
    struct fcgi_answer got;
};

static struct sender senders[3]; /* they may outlive a test that failed */

static void *sender_main(void *arg)
{
    struct sender *s = arg;

    s->got = fcgi_call(s->path, &s->r, s->a);
    return NULL;
}

static void sender_start(struct sender *s, const char *socket, const char *uri, const char *body)
{
    s->a = arena_new(0);
    s->params[0] = fmt("HTTP_AUTHORIZATION=Bearer %s", api_token());
    s->path = env_path(env, socket);
    s->r = (struct fcgi_request){
        .method = "POST", .uri = uri, .params = s->params, .body = str_c(body), .content_type = "application/json"};
    assert_int_equal(pthread_create(&s->thread, NULL, sender_main, s), 0);
}

static struct fcgi_answer sender_end(struct sender *s)
{
    struct fcgi_answer got;

    pthread_join(s->thread, NULL);
    got = s->got;
    got.body = str_dup(env_arena(env), got.body);
    arena_free(s->a);
    return got;
}

/* ---- before it ------------------------------------------------------------------------------ */

/* The run has read what there is and is on its way to the writer, which is busy. */
static void before_the_closing(void **state)
{
    int64_t other = api_activity(env, "other", DEFINITION("", LINE("start.ok", "end")));
    const char *id = parked("before"), *ev;

    (void)state;
    NEEDS_FAULT_POINTS();
    hold("LOCK TABLE instances IN SHARE MODE");
    sender_start(&senders[0], "runner.sock", fmt("/api/v01/activities/%lld/run", (long long)other), "{}");
    until_waiting(1, "INSERT INTO instances");
    (void)api(env, 200, "PUT",
              fmt("/api/v01/timers/%s", sql("SELECT id FROM timers WHERE instance_id = %s", id)),
              "{\"at\":\"2020-01-01T00:00:00Z\"}");
    ENV_WAIT(env, WAIT_MS, strstr(env_log(env, "runner.sock"), "passed: node.last_before\n") != NULL);
    ev = api_text(env, api(env, 200, "POST", fmt("/api/v01/transactions/%s/events", id), "{\"key\":\"shop.paid\"}"), "id");
    (void)api(env, 200, "POST", fmt("/api/v01/transactions/%s/manual_actions/%s", id, action_of(id)), "{\"output\":\"yes\"}");
    (void)api(env, 200, "POST", "/api/v01/transactions/callbacks/before", "[1]");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = %s", id), "ACTIVE");
    (void)let_go(NULL);
    assert_int_equal(sender_end(&senders[0]).status, 200);
    until_closed(id);
    assert_string_equal(sql("SELECT status || ': ' || processing_result FROM entity_events WHERE id = %s", ev),
                        "rejected: the transaction closed before the event was taken up");
    /* in the transaction that closed it */
    assert_string_equal(sql("SELECT v.xmin = t.xmin FROM entity_events v, tasks t WHERE v.id = %s AND t.instance_id = %s AND "
                            "t.cell_id = 'end'",
                            ev, id),
                        "t");
    assert_string_equal(sql("SELECT output || ' ' || handled_by_username FROM manual_actions WHERE instance_id = %s", id),
                        "*cancelled* admin");
    assert_string_equal(sql("SELECT status || ' ' || body FROM external_callbacks WHERE instance_id = %s", id), "CONSUMED [1]");
    assert_string_equal(sql("SELECT count(*) FROM tasks WHERE instance_id = %s AND cell_id = 'heard'", id), "0");
}

/* ---- in it ---------------------------------------------------------------------------------- */

/* The closing is being stored: who comes now waits for it, and is refused. */
static void in_the_closing(void **state)
{
    const char *id = parked("in"), *events = fmt("/api/v01/transactions/%s/events", id);

    (void)state;
    hold(fmt("SELECT FROM instances WHERE id = %s FOR UPDATE", id));
    (void)api(env, 200, "POST", events, "{\"key\":\"shop.done\"}");
    until_waiting(1, "UPDATE instances");
    sender_start(&senders[0], "core.sock", events, "{\"key\":\"shop.paid\"}");
    sender_start(&senders[1], "core.sock", fmt("/api/v01/transactions/%s/manual_actions/%s", id, action_of(id)), "{\"output\":\"yes\"}");
    sender_start(&senders[2], "core.sock", "/api/v01/transactions/callbacks/in", "[1]");
    until_waiting(3, "SELECT signal_instance(");
    (void)let_go(NULL);
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        struct fcgi_answer got = sender_end(&senders[i]);

        assert_int_equal(got.status, 409);
        assert_true(str_find(got.body, STR("the transaction is closed")) >= 0);
    }
    until_closed(id);
    assert_string_equal(sql("SELECT string_agg(key || ' ' || status, ',') FROM entity_events WHERE instance_id = %s", id), "done processed");
    assert_string_equal(sql("SELECT output || coalesce(handled_by_username, '') FROM manual_actions WHERE instance_id = %s", id), "*cancelled*");
    assert_string_equal(sql("SELECT status || coalesce(body, '') FROM external_callbacks WHERE instance_id = %s", id), "CONSUMED");
    (void)api(env, 409, "POST", events, "{\"key\":\"shop.paid\"}");
}

/* ---- behind what closes it ------------------------------------------------------------------ */

static const char *inside(const char *id)
{
    return sql("SELECT id FROM instances WHERE parent_instance_id = %s", id);
}

/* Nobody runs it at the moment: whoever does finds that it is to be closed, and the event behind. */
static void behind_a_force_close(void **state)
{
    const char *id = parked("behind"), *outer, *sub, *ids[2];

    (void)state;
    (void)api_activity(env, "inner", "{\"cells\":{" START "," CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"") "," END
                                     "},\"entities\":[" SHOP "],\"transitions\":[" LINE("start.ok", "hour") "," LINE("shop.paid", "end") "]}");
    outer = fmt("%lld", (long long)api_run(env, DEFINITION(CELL("in", "macro", "\"workflow\":\"inner\"", "\"ok\",\"error\"") "," CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                                           LINE("start.ok", "in") "," LINE("in.error", "hour")),
                                           "{}"));
    ENV_WAIT(env, WAIT_MS, inside(outer)[0] != '\0' && strcmp(sql("SELECT count(*) FROM timers WHERE instance_id = %s", inside(outer)), "1") == 0);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT state FROM jobs WHERE ref_id = %s", outer), "ready") == 0);
    sub = ids[0] = inside(outer);
    ids[1] = id;
    env_stop(env, runner);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        (void)sql("SELECT signal_instance(%s, 0, 'close', '\"somebody\"')", ids[i]);
        (void)api(env, 200, "POST", fmt("/api/v01/transactions/%s/events", ids[i]), "{\"key\":\"shop.paid\"}");
    }
    runner_starts();
    until_closed(id);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT status FROM instances WHERE id = %s", sub), "CLOSED_IN_ERROR") == 0);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_string_equal(sql("SELECT status FROM entity_events WHERE instance_id = %s", ids[i]), "rejected");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = %s", outer), "ACTIVE");
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, runner);
}

static void set_up(void **state)
{
    (void)state;
    api_admin(env);
    runner_starts();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        cmocka_unit_test_setup_teardown(before_the_closing, api_setup, let_go),
        cmocka_unit_test_setup_teardown(in_the_closing, api_setup, let_go),
        API_TEST(behind_a_force_close),
        API_TEST(ends_cleanly),
    };
    int failed;

    env = env_start();
    peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    (void)env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(peer);
    return env_end(env, failed);
}
