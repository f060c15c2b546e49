/*
 * Runs as the engine promises them (fcgi-app/engine/PROMISES.md): signals from the database, branches at the same time, answers
 * that come too late, requests that are repeated, gates that go on.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

static struct env *env;
static struct peer *peers[3];
static pid_t core;
static int port; /* of nginx */

static const char *const core_args[] = {"-workflows", "-syncTimeout=3s", NULL};

#define CALL(name, peer)                                                                                               \
    CELL(name, "http_call", "\"method\":\"get\",\"url\":\"{{ request.body." peer " }}/x\"", "\"success\"")
#define POST(name)                                                                                                     \
    CELL(name, "http_call", "\"method\":\"post\",\"url\":\"{{ request.body.a }}/x\"", "\"success\"")
#define SET(name, key, value)                                                                                          \
    CELL(name, "context_setter", "\"key\":\"{\\\"key\\\":\\\"" key "\\\",\\\"cleanup\\\":false}\",\"value\":\"" value "\"", "\"ok\"")
#define RESPOND(name, body) CELL(name, "sync_response", "\"status\":\"200\",\"body\":\"" body "\"", "\"ok\"")
#define JOIN(name) CELL(name, "sync_outputs", "", "\"ok\"")
#define TIMER_OF(timeout) CELL("t", "timer", "\"timeout\":\"" timeout "\"", "\"ok\"")
#define TIMER(name, timeout) CELL(name, "timer", "\"timeout\":\"" timeout "\",\"discard_idle_limit\":true", "\"ok\"")

/* `text` with the id for each '$'. */
static const char *sql(const char *text, int64_t id)
{
    const char *number = arena_printf(env_arena(env), "%lld", (long long)id);
    struct buf b;

    buf_init(&b, 64 * KIB, env_arena(env));
    for (; *text != '\0'; text++)
        if (*text == '$')
            buf_add_c(&b, number);
        else
            buf_putc(&b, *text);
    return env_psql(env, buf_cstr(&b));
}

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* The body of requests to these routes: where the peers listen. */
static const char *body(void)
{
    return arena_printf(env_arena(env), "{\"a\":\"http://127.0.0.1:%d\",\"b\":\"http://127.0.0.1:%d\",\"c\":\"http://127.0.0.1:%d\"}",
                        peer_port(peers[0]), peer_port(peers[1]), peer_port(peers[2]));
}

/* The `nth` request to the first peer (from 0) is answered late. */
static void slow_at(size_t nth, int delay_ms)
{
    struct peer_step steps[3] = {{.kind = PEER_ANSWER}, {.kind = PEER_ANSWER}, {.kind = PEER_ANSWER}};

    steps[nth].delay_ms = delay_ms;
    peer_script(peers[0], steps, nth + 2);
}

static void route(const char *path, const char *definition, const char *more)
{
    api_route(env, "post", path, api_activity(env, path + 1, definition), more);
    ENV_WAIT(env, 5000, env_http(env, "GET", arena_printf(env_arena(env), "/api/v01/custom%s", path), NULL, NULL).status != 404);
}

static struct env_answer keyed(const char *path, const char *key, const char *what)
{
    const char *url = arena_printf(env_arena(env), "/api/v01/custom%s", path);
    const char *headers[] = {api_auth(env), "Content-Type: application/json",
                             arena_printf(env_arena(env), "Idempotency-Key: %s", key), NULL};

    return env_http(env, "POST", url, headers, what);
}

/* Of a request to the first peer. */
static struct str idempotency_key(size_t i)
{
    struct str key = peer_header(peers[0], i, "Idempotency-Key");

    assert_true(key.len > 0);
    return key;
}

static void core_starts(void)
{
    core = env_app_start(env, "sluice-core", "core.sock", core_args);
}

/* ---- signals ------------------------------------------------------------------------------------ */

static void signals_reach_a_parked_run(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    route("/parked",
          "{\"cells\":{" START "," TIMER("t", "1 hour") "," SET("s", "heard", "{{ context.shop.value.sum }}") "," END
          "},\"entities\":[{\"name\":\"shop\",\"original_name\":\"entity\",\"outputs\":[\"paid\",\"sent\"],\"params\":{}}],"
          "\"transitions\":[" LINE("start.ok", "t") "," LINE("shop.paid", "s") "," LINE("shop.sent", "end") "]}",
          "");
    v = api(env, 200, "POST", "/api/v01/custom/parked", body());
    id = api_int(v, "id");
    ENV_WAIT(env, 5000, strcmp(sql("SELECT count(*) FROM timers WHERE instance_id = $", id), "1") == 0);
    assert_string_equal(sql("SELECT signal_instance($, 0, 'entity', '{\"entity\":\"shop\",\"event\":\"paid\",\"value\":{\"sum\":3},"
                            "\"username\":\"u\"}')",
                            id),
                        "t");
    ENV_WAIT(env, 5000, strcmp(sql("SELECT value FROM contexts WHERE instance_id = $ AND key = 'heard'", id), "\"3\"") == 0);
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = $", id), "0");
    sql("SELECT signal_instance($, 0, 'entity', '{\"entity\":\"shop\",\"event\":\"sent\"}')", id);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(sql("SELECT status FROM timers WHERE instance_id = $", id), "CANCEL");
    /* what comes now is for nobody */
    assert_string_equal(sql("SELECT signal_instance($, 1, 'late', NULL)", id), "t");
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = $", id), "0");
    assert_string_equal(sql("SELECT count(*) FROM instance_logs WHERE instance_id = $ AND message LIKE '%after the closing'", id),
                        "1");
    assert_string_equal(env_psql(env, "SELECT signal_instance(987654321, 0, 'x', NULL)"), "f");
}

/* Each arrives while the one before is worked on, or while the lease is being given back. */
static void no_signal_is_lost_in_a_crowd(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    route("/crowd",
          "{\"cells\":{" START "," TIMER("t", "1 hour") "," SET("s", "n", "{{ context.n|default(0)|int + 1 }}") "," END
          "},\"entities\":[{\"name\":\"shop\",\"original_name\":\"entity\",\"outputs\":[\"paid\"],\"params\":{}}],"
          "\"transitions\":[" LINE("start.ok", "t") "," LINE("shop.paid", "s") "," LINE("t.ok", "end") "]}",
          "");
    v = api(env, 200, "POST", "/api/v01/custom/crowd", body());
    id = api_int(v, "id");
    for (int i = 0; i < 60; i++)
        sql("SELECT signal_instance($, 0, 'entity', '{\"entity\":\"shop\",\"event\":\"paid\"}')", id);
    ENV_WAIT(env, 15000, strcmp(sql("SELECT value FROM contexts WHERE instance_id = $ AND key = 'n'", id), "\"60\"") == 0);
    ENV_WAIT(env, 5000, strcmp(sql("SELECT state FROM jobs WHERE ref_id = $", id), "ready") == 0);
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = $", id), "0");
    assert_string_equal(sql("SELECT count(*) FROM tasks WHERE instance_id = $ AND cell_id = 's'", id), "60");
}

/* ---- timers while somebody waits ---------------------------------------------------------------- */

/* Shorter than 20 s is slept: 504 when the caller's time is over; else it is stored at once. */
static void short_timers_are_slept(void **state)
{
    static const struct {
        const char *path, *definition;
        int status;
    } rows[] = {
        {"/nap", DEFINITION(TIMER_OF("0.2 s") ",", LINE("start.ok", "t") "," LINE("t.ok", "end")), 200},
        {"/nap_stored", DEFINITION(TIMER("t", "0.2 s") ",", LINE("start.ok", "t") "," LINE("t.ok", "end")), 202},
        {"/nap_20", DEFINITION(TIMER_OF("20 s") ",", LINE("start.ok", "t") "," LINE("t.ok", "end")), 202},
        {"/nap_19", DEFINITION(TIMER_OF("19.9 s") ",", LINE("start.ok", "t") "," LINE("t.ok", "end")), 504},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        route(rows[i].path, rows[i].definition, ",\"sync\":true");
        (void)api(env, rows[i].status, "POST", arena_printf(env_arena(env), "/api/v01/custom%s", rows[i].path), "{}");
    }
}

/* ---- rounds ------------------------------------------------------------------------------------- */

/* What is stored between two rounds counts in the context as what was written. */
static void a_small_context_is_overwritten(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    route("/rounds",
          DEFINITION(POST("call") "," SET("s", "n", "{{ context.n|default(0)|int + 1 }}") ","
                     CELL("more", "boolean_expression", "\"expression\":\"{{ context.n }} < 9\"", "\"true\",\"false\"") ",",
                     LINE("start.ok", "call") "," LINE("call.success", "s") "," LINE("s.ok", "more") ","
                     LINE("more.true", "call") "," LINE("more.false", "end")),
          "");
    v = api(env, 200, "POST", "/api/v01/custom/rounds", body());
    id = api_int(v, "id");
    ENV_WAIT(env, 10000, strcmp(sql("SELECT status FROM instances WHERE id = $", id), "ACTIVE") != 0 ||
                             strcmp(sql("SELECT count(*) FROM errors WHERE instance_id = $", id), "0") != 0);
    assert_string_equal(sql("SELECT string_agg(description, ', ') FROM errors WHERE instance_id = $", id), "");
    assert_string_equal(sql("SELECT value FROM contexts WHERE instance_id = $ AND key = 'n'", id), "\"9\"");
}

/* ---- branches ----------------------------------------------------------------------------------- */

static void hold_peers(bool hold)
{
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_hold(peers[i], hold);
}

/* None is answered before all are asked. */
static void branches_call_at_the_same_time(void **state)
{
    const char *params[] = {env_fmt(env, "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};
    struct fcgi_request r = {.method = "POST", .uri = "/api/v01/custom/branches", .body = str_c(body()), .content_type = "application/json", .params = params};
    struct fcgi_answer got;
    struct buf out;
    int fd;

    (void)state;
    route("/branches",
          DEFINITION(CALL("a", "a") "," CALL("b", "b") "," CALL("c", "c") "," JOIN("j") ","
                     RESPOND("r", "{\\\"done\\\": true}") ",",
                     LINE("start.ok", "a") "," LINE("start.ok", "b") "," LINE("start.ok", "c") ","
                     LINE("a.success", "j") "," LINE("b.success", "j") "," LINE("c.success", "j") ","
                     LINE("j.ok", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_script(peers[i], &(struct peer_step){.kind = PEER_ANSWER}, 1);
    hold_peers(true);
    buf_init(&out, MIB, env_arena(env));
    fcgi_put_request(&out, &r);
    fd = fcgi_connect(env_path(env, "core.sock"));
    assert_true(fd >= 0 && fcgi_send(fd, buf_str(&out)));
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        ENV_WAIT(env, 5000, peer_requests(peers[i]) == 1);
    hold_peers(false);
    assert_true(fcgi_receive(fd, &got, env_arena(env), 5000));
    close(fd);
    if (got.status != 504) /* a busy machine has let him wait for too long */
        assert_true(got.status == 200 && str_find(got.body, STR("\"done\"")) >= 0);
    ENV_WAIT(env, 5000, strcmp(env_psql(env, "SELECT status FROM instances ORDER BY id DESC LIMIT 1"), "CLOSED_IN_SUCCESS") == 0);
}

/* ---- a run whose caller does not wait any longer ------------------------------------------------ */

static void a_late_run_survives_its_process(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    route("/late",
          DEFINITION(POST("before") "," POST("slow") "," SET("s", "k", "v") "," RESPOND("r", "{}") ",",
                     LINE("start.ok", "before") "," LINE("before.success", "slow") ","
                     LINE("slow.success", "s") "," LINE("s.ok", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    slow_at(1, 9000);
    v = api(env, 504, "POST", "/api/v01/custom/late", body());
    id = api_int(v, "id");
    assert_int_equal(strlen(text(v, "guid")), 36);
    assert_string_equal(sql("SELECT state FROM jobs WHERE ref_id = $", id), "leased"); /* before the 504 left */
    assert_string_equal(sql("SELECT string_agg(cell_id || '=' || status, ' ' ORDER BY id) FROM tasks WHERE instance_id = $", id),
                        "start=OK before=OK slow=QUEUED");
    env_kill(env, core, SIGKILL);
    core_starts();
    ENV_WAIT(env, 20000, strcmp(sql("SELECT status FROM instances WHERE id = $", id), "CLOSED_IN_SUCCESS") == 0);
    assert_string_equal(sql("SELECT count(*) FROM tasks WHERE instance_id = $ AND cell_id = 'before'", id), "1");
    assert_int_equal(peer_requests(peers[0]), 3); /* the slow one twice */
    assert_true(str_eq(idempotency_key(1), idempotency_key(2)));
    assert_false(str_eq(idempotency_key(0), idempotency_key(1)));
}

/* ---- requests that are repeated ------------------------------------------------------------------ */

static void the_first_answer_comes_again(void **state)
{
    struct env_answer a, b;

    (void)state;
    route("/once",
          DEFINITION(CELL("r", "sync_response",
                          "\"status\":\"201\",\"body\":\"{\\\"id\\\": \\\"{{ instance.guid }}\\\"}\",\"headers\":"
                          "\"[[\\\"X-Word\\\",\\\"w\\\"]]\"",
                          "\"ok\"") ",",
                     LINE("start.ok", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    a = keyed("/once", "k-1", "{\"n\":1}");
    assert_int_equal(a.status, 201);
    assert_string_equal(env_header(env, &a, "idempotency-replayed"), "");
    b = keyed("/once", "k-1", "{\"n\":1}");
    assert_int_equal(b.status, 201);
    assert_string_equal(a.body, b.body);
    assert_string_equal(env_header(env, &b, "idempotency-replayed"), "true");
    assert_string_equal(env_header(env, &b, "x-word"), "w");
    assert_string_equal(env_header(env, &b, "content-type"), env_header(env, &a, "content-type"));
    b = keyed("/once", "k-1", "{\"n\":2}");
    assert_int_equal(b.status, 422);
    b = keyed("/once", "k-2", "{\"n\":2}");
    assert_int_equal(b.status, 201);
    assert_string_not_equal(a.body, b.body);
    b = keyed("/once", "two words", "{\"n\":2}");
    assert_int_equal(b.status, 400);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM request_keys"), "2");
    env_psql(env, "UPDATE request_keys SET expires_on = now() - interval '1 second'");
    b = keyed("/once", "k-1", "{\"n\":3}");
    assert_int_equal(b.status, 201);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM request_keys"), "1"); /* the others were swept */
}

static void an_asynchronous_start_is_one_start(void **state)
{
    struct env_answer a, b;

    (void)state;
    route("/start", DEFINITION(SET("s", "k", "v") ",", LINE("start.ok", "s") "," LINE("s.ok", "end")), "");
    a = keyed("/start", "s-1", "{}");
    assert_int_equal(a.status, 200);
    b = keyed("/start", "s-1", "{}");
    assert_int_equal(b.status, 200);
    assert_string_equal(a.body, b.body);
    assert_string_equal(api_instance_status(env, api_int(api_json(env, &a), "id")), "CLOSED_IN_SUCCESS");
    /* a public route knows nobody: its keys are apart */
    assert_string_equal(env_psql(env, "SELECT caller <> '' FROM request_keys WHERE key = 's-1'"), "t");
}

static void a_key_finds_its_answer_after_a_crash(void **state)
{
    struct env_answer a;
    int64_t id;

    (void)state;
    route("/sure",
          DEFINITION(POST("slow") "," RESPOND("r", "{\\\"sure\\\": true}") ",",
                     LINE("start.ok", "slow") "," LINE("slow.success", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    slow_at(0, 9000);
    a = keyed("/sure", "sure-1", body()); /* 504 after three seconds */
    assert_int_equal(a.status, 504);
    id = api_int(api_json(env, &a), "id");
    a = keyed("/sure", "sure-1", body());
    assert_int_equal(a.status, 409);
    assert_int_equal(api_int(api_json(env, &a), "id"), id);
    assert_string_equal(env_header(env, &a, "retry-after"), "1");
    env_kill(env, core, SIGKILL);
    core_starts();
    ENV_WAIT(env, 20000, keyed("/sure", "sure-1", body()).status == 200);
    a = keyed("/sure", "sure-1", body());
    assert_string_equal(a.body, "{\"sure\":true}");
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE id >= $ AND kind = 'request'", id), "1");
}

/* Somebody who calls the route meanwhile, and writes what he hears into the log "first"; once his run is stored. */
static pid_t first_caller(const char *path, const char *key)
{
    const char *header = arena_printf(env_arena(env), "Idempotency-Key: %s", key);
    const char *url = arena_printf(env_arena(env), "http://127.0.0.1:%d/api/v01/custom%s", port, path);
    const char *known = arena_printf(env_arena(env), "SELECT count(*) FROM request_keys WHERE key = '%s'", key);
    pid_t first = env_spawn(env, "first",
                            (const char *const[]){"/usr/bin/curl", "-s", "-m", "20", "-X", "POST", "-H", api_auth(env), "-H",
                                                  "Content-Type: application/json", "-H", header, "-d", body(), url, NULL},
                            NULL);

    ENV_WAIT(env, 5000, strcmp(env_psql(env, known), "1") == 0);
    return first;
}

static void slow_route(const char *path)
{
    route(path,
          DEFINITION(POST("slow") "," RESPOND("r", "{{ instance.guid }}") ",",
                     LINE("start.ok", "slow") "," LINE("slow.success", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    slow_at(0, 1000);
}

/* Who repeats a request whose first run is still at it waits for its answer. */
static void a_repeated_request_waits(void **state)
{
    struct env_answer a;
    pid_t first;

    (void)state;
    slow_route("/waits");
    first = first_caller("/waits", "w-1");
    a = keyed("/waits", "w-1", body());
    assert_int_equal(a.status, 200);
    assert_string_equal(env_header(env, &a, "idempotency-replayed"), "true");
    assert_int_equal(env_wait_exit(env, first, 5000), 0);
    assert_string_equal(env_log(env, "first"), a.body);
}

/* The run was taken over while its node called out: its caller is told, and hears the answer when he asks again. */
static void a_caller_is_told_that_his_run_is_elsewhere(void **state)
{
    struct env_answer a;
    pid_t first;

    (void)state;
    slow_route("/elsewhere");
    peer_hold(peers[0], true);
    first = first_caller("/elsewhere", "w-2");
    env_psql(env, "UPDATE jobs SET fence = fence + 1, lease_owner = 'another', lease_until = now() + interval '1500 ms' "
                  "WHERE ref_id = (SELECT instance_id FROM request_keys WHERE key = 'w-2')");
    peer_hold(peers[0], false);
    assert_int_equal(env_wait_exit(env, first, 10000), 0);
    assert_non_null(strstr(env_log(env, "first"), "another process has it"));
    ENV_WAIT(env, 5000, (a = keyed("/elsewhere", "w-2", body())).status == 200);
    assert_string_equal(a.body, env_psql(env, "SELECT guid FROM request_keys WHERE key = 'w-2'"));
}

/* An answer of a mebibyte is kept, a larger one is not; nor is the run started again. */
static void large_answers_are_not_kept(void **state)
{
    struct env_answer a;
    int64_t id;

    (void)state;
    route("/large",
          DEFINITION(RESPOND("r", "{{ 'x' * (request.body.n | int) }}") ",", LINE("start.ok", "r") "," LINE("r.ok", "end")),
          ",\"sync\":true");
    for (int i = 0; i < 2; i++) {
        a = keyed("/large", "l-1", "{\"n\":1048576}");
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body_len, 1048576);
    }
    a = keyed("/large", "l-2", "{\"n\":1048577}");
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 1048577);
    id = strtoll(env_psql(env, "SELECT instance_id FROM request_keys WHERE key = 'l-2'"), NULL, 10);
    a = keyed("/large", "l-2", "{\"n\":1048577}");
    assert_int_equal(a.status, 409);
    assert_int_equal(api_int(api_json(env, &a), "id"), id);
    assert_string_equal(text(api_json(env, &a), "error"), "the first answer to this Idempotency-Key was too large to be kept");
    assert_string_equal(env_psql(env, "SELECT max(octet_length(body)) FROM request_keys"), "1048576");
}

/* ---- gates --------------------------------------------------------------------------------------- */

/* A join that could not complete goes on when the branch it missed comes after all. */
static void a_join_waits_for_a_replayed_branch(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    route("/gate",
          DEFINITION(SET("a", "a", "1") "," CELL("b", "context_setter",
                                                 "\"key\":\"{\\\"key\\\":\\\"b\\\",\\\"cleanup\\\":false}\",\"value\":\"{{ context.fix.x }}\"",
                                                 "\"ok\"") ","
                     JOIN("j") ",",
                     LINE("start.ok", "a") "," LINE("start.ok", "b") "," LINE("a.ok", "j") "," LINE("b.ok", "j") "," LINE("j.ok", "end")),
          "");
    v = api(env, 200, "POST", "/api/v01/custom/gate", body());
    id = api_int(v, "id");
    ENV_WAIT(env, 5000,
             strcmp(sql("SELECT string_agg(cell_id || '=' || status, ' ' ORDER BY id) FROM tasks WHERE instance_id = $", id),
                    "start=OK a=OK b=ERROR j=ERROR") == 0);
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/transactions/%lld/context", (long long)id),
        "{\"key\":\"fix\",\"value\":{\"x\":1}}");
    api(env, 200, "PUT",
        arena_printf(env_arena(env), "/api/v01/transactions/%lld/tasks/%s", (long long)id,
                     sql("SELECT id FROM tasks WHERE instance_id = $ AND cell_id = 'b'", id)),
        "{}");
    assert_string_equal(sql("SELECT string_agg(cell_id || '=' || status, ' ' ORDER BY id) FROM tasks WHERE instance_id = $", id),
                        "start=OK a=OK b=OK j=OK end=OK");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = $", id), "CLOSED_IN_SUCCESS");
}

/* ---- error handlers ------------------------------------------------------------------------------- */

#define BAD(name) CELL(name, "context_setter", "\"key\":\"{\\\"key\\\":\\\"b\\\",\\\"cleanup\\\":false}\",\"value\":\"{{ context.fix.x }}\"", "\"ok\"")

static int64_t blocked_route(const char *path, const char *handler, const char *more)
{
    int64_t id = handler != NULL ? api_activity(env, arena_printf(env_arena(env), "handler of %s", path + 1), handler) : 0;

    route(path,
          DEFINITION(RESPOND("r", "{\\\"r\\\": 1}") "," BAD("b") ",",
                     LINE("start.ok", "r") "," LINE("r.ok", "b") "," LINE("b.ok", "end")),
          arena_printf(env_arena(env), "%s%s", id != 0 ? arena_printf(env_arena(env), ",\"err_activity_id\":%lld", (long long)id) : "", more));
    return id;
}

static void handlers_answer(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    blocked_route("/handled",
                  DEFINITION(RESPOND("h", "{\\\"cell\\\": {{ request.errors[0].cell_id|tojson }}, \\\"id\\\": {{ request.instance.id }}}") ",",
                             LINE("start.ok", "h") "," LINE("h.ok", "end")),
                  ",\"sync\":true");
    v = api(env, 200, "POST", "/api/v01/custom/handled", body()); /* its answer, not the one of the workflow */
    assert_string_equal(text(v, "cell"), "b");
    id = api_int(v, "id");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = $", id), "ACTIVE");
    assert_string_equal(sql("SELECT kind || ' ' || label || ' ' || status FROM instances WHERE parent_instance_id = $", id),
                        "error_handler error handling CLOSED_IN_SUCCESS");
    assert_string_equal(sql("SELECT t.cell_id FROM instances i JOIN tasks t ON t.id = i.callback_task_id WHERE i.parent_instance_id = $", id),
                        "start");
}

/* A handler is told of what failed, stored or not, in the workflow of the route or in what it started. */
static void handlers_are_told_what_failed(void **state)
{
    static const char *const below[] = {"\"workflow\":\"failing below\"", "\"workflow\":\"failing below\",\"source\":\"[{}]\""};
    static const char *const types[] = {"macro", "trigger_subworkflows"};
    const char *failing = DEFINITION(CELL("call", "http_call", "\"method\":\"get\",\"url\":\"http://127.0.0.1:1/\"", "\"success\"") ",",
                                     LINE("start.ok", "call") "," LINE("call.success", "end"));
    int64_t handler = api_activity(env, "listens", DEFINITION(SET("h", "heard", "{{ request.errors|map(attribute='cell_id')|join(',') }}") ",",
                                                            LINE("start.ok", "h") "," LINE("h.ok", "end")));
    const char *more = arena_printf(env_arena(env), ",\"err_activity_id\":%lld", (long long)handler);
    const char *heard = "SELECT string_agg(c.value #>> '{}', ' ' ORDER BY c.id) FROM instances i JOIN contexts c ON c.instance_id = i.id "
                        "WHERE i.kind = 'error_handler' AND i.parent_instance_id = $";
    int64_t id;

    (void)state;
    (void)api_activity(env, "failing below", failing);
    route("/hears", failing, more);
    id = api_int(api(env, 200, "POST", "/api/v01/custom/hears", body()), "id");
    ENV_WAIT(env, 10000, strcmp(sql(heard, id), "call") == 0);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const char *path = arena_printf(env_arena(env), "/hears_%s", types[i]);

        route(path,
              arena_printf(env_arena(env),
                           DEFINITION("\"m\":{\"original_name\":\"%s\",\"outputs\":[\"ok\"],\"params\":{%s}},",
                                      LINE("start.ok", "m") "," LINE("m.ok", "end")),
                           types[i], below[i]),
              more);
        id = api_int(api(env, 200, "POST", arena_printf(env_arena(env), "/api/v01/custom%s", path), body()), "id");
        ENV_WAIT(env, 10000, strcmp(sql(heard, id), "call") == 0);
    }
}

static void failing_handlers_change_nothing(void **state)
{
    struct val v;

    (void)state;
    blocked_route("/handled-badly", DEFINITION(BAD("h") ",", LINE("start.ok", "h") "," LINE("h.ok", "end")), ",\"sync\":true");
    v = api(env, 500, "POST", "/api/v01/custom/handled-badly", body());
    assert_non_null(strstr(text(v, "error"), "b: "));
    assert_int_equal(strlen(text(v, "guid")), 36);
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE parent_instance_id = $", api_int(v, "id")), "1"); /* never two */
}

/* ---- what people do with runs (4.15) --------------------------------------------------------------- */

static const char *task_path(int64_t id, const char *cell, const char *meta)
{
    return arena_printf(env_arena(env), "/api/v01/transactions/%lld/tasks/%s%s", (long long)id,
                        env_psql(env, arena_printf(env_arena(env), "SELECT min(id) FROM tasks WHERE instance_id = %lld AND cell_id = '%s'",
                                                   (long long)id, cell)),
                        meta);
}

/* Of a cell that failed twice the later row is replayed; rollback and skip lead on by their outputs. */
static void rolls_back_and_skips_the_latest(void **state)
{
    const char *b = "\"b\":{\"original_name\":\"context_setter\",\"outputs\":[\"ok\",\"skip\",\"rollback\"],\"params\":{\"key\":\"\"}},";
    static const char *const ways[] = {"skip", "rollback"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const char *path = arena_printf(env_arena(env), "/leads_on_%s", ways[i]), *latest;
        int64_t id;

        route(path,
              arena_printf(env_arena(env),
                           DEFINITION("%s" SET("p", "p", "1") "," SET("q", "q", "1") "," SET("skipped", "way", "skip") ","
                                      SET("back", "way", "rollback") ",",
                                      LINE("start.ok", "p") "," LINE("start.ok", "q") "," LINE("p.ok", "b") "," LINE("q.ok", "b") ","
                                      LINE("b.skip", "skipped") "," LINE("b.rollback", "back")),
                           b),
              "");
        id = api_int(api(env, 200, "POST", arena_printf(env_arena(env), "/api/v01/custom%s", path), body()), "id");
        ENV_WAIT(env, 10000, strcmp(sql("SELECT count(*) FROM tasks WHERE instance_id = $ AND cell_id = 'b' AND status = 'ERROR'", id), "2") == 0);
        for (size_t k = 0; k < COUNT_OF(ways); k++)
            api(env, 409, "PUT", task_path(id, "b", arena_printf(env_arena(env), "?meta={\"replay_behaviour\":\"%s\"}", ways[k])), "{}");
        api(env, 409, "PUT", task_path(id, "b", ""), "{}");
        latest = sql("SELECT max(id) FROM tasks WHERE instance_id = $ AND cell_id = 'b'", id);
        api(env, 200, "PUT",
            arena_printf(env_arena(env), "/api/v01/transactions/%lld/tasks/%s?meta={\"replay_behaviour\":\"%s\"}", (long long)id, latest, ways[i]),
            "{}");
        assert_string_equal(env_psql(env, arena_printf(env_arena(env), "SELECT status || ' ' || output FROM tasks WHERE id = %s", latest)),
                            arena_printf(env_arena(env), "OK %s", ways[i]));
        assert_string_equal(sql("SELECT value #>> '{}' FROM contexts WHERE instance_id = $ AND key = 'way'", id), ways[i]);
    }
}

static void replays_closes_and_reopens(void **state)
{
    const char *path;
    struct val v;
    int64_t id;

    (void)state;
    blocked_route("/replayed", NULL, "");
    v = api(env, 200, "POST", "/api/v01/custom/replayed", body());
    id = api_int(v, "id");
    path = arena_printf(env_arena(env), "/api/v01/transactions/%lld", (long long)id);
    ENV_WAIT(env, 5000, strcmp(sql("SELECT status FROM tasks WHERE instance_id = $ AND cell_id = 'b'", id), "ERROR") == 0);
    api(env, 409, "PUT", task_path(id, "r", ""), "{}"); /* it is OK */
    api(env, 400, "PUT", task_path(id, "b", "?meta={\"replay_behaviour\":\"skip\"}"), "{}"); /* it shows no such output */
    api(env, 400, "PUT", task_path(id, "b", "?meta={\"replay_behaviour\":5}"), "{}");
    api(env, 400, "PUT", task_path(id, "b", "?meta=[]"), "{}");
    api(env, 200, "PUT", task_path(id, "b", ""), "{}"); /* the same row, in error again */
    assert_string_equal(sql("SELECT count(*) || ' ' || min(status) FROM tasks WHERE instance_id = $ AND cell_id = 'b'", id), "1 ERROR");
    assert_string_equal(sql("SELECT count(*) || ' ' || count(*) FILTER (WHERE replayed) FROM errors WHERE instance_id = $", id), "2 1");
    api(env, 200, "PUT", path, "{\"status\":\"CLOSE_IN_ERROR\"}");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = $", id), "CLOSED_IN_ERROR");
    api(env, 409, "PUT", task_path(id, "b", ""), "{}");
    api(env, 200, "PUT", path, "{\"status\":\"ACTIVE\"}");
    api(env, 200, "PUT", arena_printf(env_arena(env), "%s/context", path), "{\"key\":\"fix\",\"value\":{\"x\":1}}");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = $", id), "ACTIVE"); /* nothing starts by itself */
    api(env, 200, "PUT", task_path(id, "b", ""), "{}");
    assert_string_equal(sql("SELECT status FROM instances WHERE id = $", id), "CLOSED_IN_SUCCESS");
}

/* Somebody else set the status of its task; a second one beside the first would be nobody's. */
static void a_sub_workflow_that_runs_is_not_started_again(void **state)
{
    const char *sub;
    int64_t id;

    (void)state;
    (void)api_activity(env, "for an hour", DEFINITION(CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                                      LINE("start.ok", "hour") "," LINE("hour.ok", "end")));
    id = api_run(env, DEFINITION(CELL("in", "macro", "\"workflow\":\"for an hour\"", "\"ok\",\"error\"") ","
                                 CELL("mark", "set_task_status", "\"target_id\":\"in\",\"status\":\"ERROR\",\"message\":\"too slow\"", "\"ok\"") ",",
                                 LINE("start.ok", "in") "," LINE("start.ok", "mark") "," LINE("in.ok", "end")), "{}");
    ENV_WAIT(env, 5000, strcmp(sql("SELECT status FROM tasks WHERE instance_id = $ AND cell_id = 'in'", id), "ERROR") == 0);
    api(env, 409, "PUT", task_path(id, "in", ""), "{}");
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE parent_instance_id = $", id), "1");
    sub = sql("SELECT id FROM instances WHERE parent_instance_id = $", id);
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/transactions/%s", sub), "{\"status\":\"CLOSE_IN_ERROR\"}");
    ENV_WAIT(env, 5000, api_raw(env, "PUT", task_path(id, "in", ""), "{}").status == 200);
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE parent_instance_id = $", id), "2");
    api(env, 200, "PUT", arena_printf(env_arena(env), "/api/v01/transactions/%lld", (long long)id), "{\"status\":\"CLOSE_IN_ERROR\"}");
    assert_string_equal(sql("SELECT count(*) FROM instances WHERE parent_instance_id = $ AND status = 'ACTIVE'", id), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(signals_reach_a_parked_run),      API_TEST(no_signal_is_lost_in_a_crowd),
        API_TEST(a_small_context_is_overwritten), API_TEST(branches_call_at_the_same_time),  API_TEST(a_late_run_survives_its_process),
        API_TEST(the_first_answer_comes_again),    API_TEST(an_asynchronous_start_is_one_start),
        API_TEST(a_key_finds_its_answer_after_a_crash),
        API_TEST(a_repeated_request_waits),
        API_TEST(a_caller_is_told_that_his_run_is_elsewhere), API_TEST(large_answers_are_not_kept), API_TEST(a_join_waits_for_a_replayed_branch),
        API_TEST(handlers_answer), API_TEST(handlers_are_told_what_failed), API_TEST(failing_handlers_change_nothing), API_TEST(rolls_back_and_skips_the_latest), API_TEST(replays_closes_and_reopens),
        API_TEST(a_sub_workflow_that_runs_is_not_started_again), API_TEST(short_timers_are_slept),
    };
    int failed;

    env = env_start();
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peers[i] = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    core_starts();
    port = env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_free(peers[i]);
    return env_end(env, failed);
}
