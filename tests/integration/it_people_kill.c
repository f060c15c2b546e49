/*
 * Questions and call-backs under failure: the database fails at each statement of an answer, and
 * the program dies between the statements that park a run.
 *
 * Law: an answer is there with its signal and its used token, or not at all; a run that was
 * acknowledged asks once and goes on once.
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/fault.h"
#include "db/db.h"
#include "engine/manual.h"
#include "integration/env_api.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

static struct env *env;
static struct peer *peer;
static pid_t core;

static void start_core(const char *fault)
{
    const char *path = env_path(env, "core.sock");
    const char *argv[] = {env_program(env, "sluice-core"), fmt("-socket=%s", path), "-workflows",
                          NULL};
    const char *vars[] = {fmt("DB=%s", env_db(env)), fmt("SLUICE_FAULT=%s", fault), NULL};

    core = env_spawn(env, "core.sock", argv, vars);
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
}

static int64_t activity(const char *name)
{
    return api_activity(
        env, name,
        fmt("{\"cells\":{" START ",\"call\":{\"original_name\":\"async_json_call\",\"params\":{"
                                 "\"method\":\"post\",\"url\":"
            "\"http://127.0.0.1:%d/"
            "jobs\",\"body\":\"{}\",\"register_async_external_id\":\"id\",\"async_output_context_"
            "key\":\"async\"},"
            "\"outputs\":[\"success\"]}," CELL("token", "generate_ott", "\"scope\":\"ManualAction\",\"output_context_key\":\"link\"", "\"ok\"") "," CELL(
                "ask", "trigger_manual_action",
                "\"link_ott_context_key\":\"link\",\"possible_outputs\":\"yes\"",
                "\"yes\"") "," CELL("both", "sync_outputs", "",
                                    "\"ok\"") "," END
                                              "},\"entities\":[],\"transitions\":[" LINE("start.ok", "call") "," LINE(
                                                  "start.ok",
                                                  "token") "," LINE("token.ok",
                                                                    "ask") "," LINE("ask.yes",
                                                                                    "both") "," LINE("call.success",
                                                                                                     "both") "," LINE("both.ok",
                                                                                                                      "end") "]}",
            peer_port(peer)));
}

static const char *question(const char *id)
{
    return sql("SELECT id FROM manual_actions WHERE instance_id = %s AND output IS NULL", id);
}

/* The call-back has come before; the answer is what is missing. */
static const char *run(int64_t what, const char *external_id)
{
    const struct peer_step step = {.kind = PEER_ANSWER,
                                   .headers = "Content-Type: application/json\r\n",
                                   .body = fmt("{\"id\":\"%s\"}", external_id)};
    struct env_answer a;

    peer_script(peer, &step, 1);
    api(env, 202, "POST", fmt("/api/v01/transactions/callbacks/%s", external_id), "[7]");
    a = api_raw(env, "POST", fmt("/api/v01/activities/%lld/run", (long long)what), "{}");
    return a.status == 200 ? api_text(env, api_json(env, &a), "id") : NULL;
}

static void ends_well(const char *id, const char *external_id)
{
    assert_string_equal(api_instance_status(env, strtoll(id, NULL, 10)), "CLOSED_IN_SUCCESS");
    assert_string_equal(sql("SELECT string_agg(cell_id || ' ' || output, ', ' ORDER BY cell_id) "
                            "FROM tasks WHERE instance_id = %s",
                            id),
                        "ask yes, both ok, call success, end ok, start ok, token ok");
    assert_string_equal(
        sql("SELECT string_agg(output, ' ') FROM manual_actions WHERE instance_id = %s", id),
        "yes");
    assert_string_equal(
        sql("SELECT string_agg(status, ' ') FROM external_callbacks WHERE external_id = '%s'",
            external_id),
        "CONSUMED");
    assert_string_equal(
        sql("SELECT value FROM contexts WHERE instance_id = %s AND key = 'async'", id), "[7]");
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = %s", id),
                        "0");
    /* the call may have been made twice: under one key */
    for (size_t i = 0; i < peer_requests(peer); i++) {
        struct str r = peer_request(peer, i), key = STR("dempotency-Key: ");
        ptrdiff_t at = str_find(r, key), first = str_find(peer_request(peer, 0), key);

        assert_true(at > 0 && first > 0);
        assert_true(strncmp(r.p + at, peer_request(peer, 0).p + first, 60) == 0);
    }
}

/* ---- the database fails at the nth statement ------------------------------------------------ */

static void answers_whole_or_not(void **state)
{
    struct db *db =
        db_new(env_db(env), "test", &(struct db_opts){.max_conns = 2, .app_name = "test"});
    const char *id = run(activity("whole or not"), "whole"), *token;
    struct arena *a = env_arena(env);
    struct manual_action m;
    unsigned nth = 1;
    int rc = -1;

    (void)state;
    NEEDS_FAULT_POINTS();
    ENV_WAIT(env, 10000, question(id)[0] != '\0');
    token = sql("SELECT value FROM contexts WHERE instance_id = %s AND key = 'link'", id);
    ENV_WAIT(
        env, 10000,
        sql("SELECT 1 FROM tasks WHERE instance_id = %s AND cell_id = 'call' AND status = 'OK'",
            id)[0] == '1');
    (void)env_kill(env, core, SIGKILL);
    for (; rc != 0 && nth < 20; nth++) {
        struct db_conn *c = NULL;
        struct err e = {0};

        assert_int_equal(db_get(db, &c, &e), 0);
        assert_int_equal(manual_find_token(c, str_slice(str_c(token), 1, 44), &m, a, &e), 0);
        fault_arm("db.query", nth);
        rc = manual_answer(c, &m, NULL, STR("yes"), val_undef(NULL), a, &e);
        fault_arm("db.query", 0);
        db_put(db, c);
        if (rc != 0)
            assert_string_equal(sql("SELECT (SELECT count(*) FROM manual_actions WHERE output IS "
                                    "NOT NULL) || ' ' || (SELECT count(*) FROM "
                                    "instance_signals) || ' ' || (SELECT count(*) FROM "
                                    "one_time_tokens WHERE used_on IS NOT NULL)"),
                                "0 0 0");
    }
    assert_int_equal(rc, 0);
    assert_true(nth > 3);
    assert_string_equal(sql("SELECT kind FROM instance_signals"), "answer");
    db_free(db);
    start_core("");
    ends_well(id, "whole");
}

/* ---- the program dies between two statements ------------------------------------------------- */

static void asks_once(void **state)
{
    int64_t what = activity("dies");
    int died = 0;

    (void)state;
    NEEDS_FAULT_POINTS();
    for (unsigned nth = 4; nth <= 18; nth += 2) {
        const char *external_id = fmt("dies-%u", nth), *id;

        (void)env_kill(env, core, SIGTERM);
        start_core(fmt("writer.die:%u", nth));
        id = run(what, external_id);
        ENV_WAIT(env, 10000, !env_running(env, core) || (id != NULL && question(id)[0] != '\0'));
        if (!env_running(env, core)) {
            died++;
            start_core("");
        }
        if (id == NULL) /* nobody was told that it runs */
            continue;
        ENV_WAIT(env, 10000, question(id)[0] != '\0');
        if (!env_running(env, core)) {
            died++;
            start_core("");
        }
        api_raw(env, "POST", fmt("/api/v01/transactions/%s/manual_actions/%s", id, question(id)),
                "{\"output\":\"yes\"}");
        ENV_WAIT(env, 10000,
                 !env_running(env, core) ||
                     sql("SELECT 1 FROM instances WHERE id = %s AND status <> 'ACTIVE'", id)[0] ==
                         '1');
        if (!env_running(env, core)) {
            died++;
            start_core("");
        }
        if (question(id)[0] != '\0')
            api(env, 200, "POST",
                fmt("/api/v01/transactions/%s/manual_actions/%s", id, question(id)),
                "{\"output\":\"yes\"}");
        ends_well(id, external_id);
    }
    assert_true(died > 3);
}

/* ---- left alone with an answer --------------------------------------------------------------- */

/*
 * A call-back was taken, and whoever was to go on with it died too often: the replay goes on with it.
 * The call is not made again, and no other call-back is taken for it.
 */
static void keeps_what_was_taken(void **state)
{
    const struct peer_step step = {.kind = PEER_ANSWER,
                                   .headers = "Content-Type: application/json\r\n",
                                   .body = "{\"id\":\"taken\"}"};
    const char *id, *row = "SELECT string_agg(status, ' ') FROM external_callbacks WHERE external_id = 'taken'";

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGTERM);
    start_core("");
    peer_script(peer, &step, 1);
    id = api_text(env, api(env, 200, "POST", fmt("/api/v01/activities/%lld/run", (long long)activity("taken")), "{}"), "id");
    ENV_WAIT(env, 10000, strcmp(sql("%s", row), "WAIT") == 0 && question(id)[0] != '\0');
    (void)env_kill(env, core, SIGKILL);
    start_core("node.call:1");
    (void)api_raw(env, "POST", "/api/v01/transactions/callbacks/taken", "[7]");
    ENV_WAIT(env, 10000, !env_running(env, core));
    assert_string_equal(sql("%s", row), "LOCKED");
    sql("UPDATE jobs SET attempts = 6 WHERE ref_id = %s", id);
    start_core("");
    ENV_WAIT(env, 10000, sql("SELECT 1 FROM tasks WHERE instance_id = %s AND cell_id = 'call' AND status = 'ERROR'", id)[0] == '1');
    api(env, 409, "POST", "/api/v01/transactions/callbacks/taken", "[8]");
    api(env, 200, "PUT", fmt("/api/v01/transactions/%s/tasks/%s", id, sql("SELECT id FROM tasks WHERE instance_id = %s AND cell_id = 'call'", id)), "{}");
    api(env, 409, "POST", "/api/v01/transactions/callbacks/taken", "[9]");
    api(env, 200, "POST", fmt("/api/v01/transactions/%s/manual_actions/%s", id, question(id)), "{\"output\":\"yes\"}");
    ends_well(id, "taken");
    assert_int_equal(peer_requests(peer), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(answers_whole_or_not), API_TEST(asks_once),
                                       API_TEST(keeps_what_was_taken)};
    const struct peer_step step = {.kind = PEER_ANSWER, .body = "{}"};
    int failed;

    env = env_start();
    peer = peer_new(&step, 1);
    core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(peer);
    return env_end(env, failed);
}
