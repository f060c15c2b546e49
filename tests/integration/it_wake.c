/*
 * Nothing waits until somebody happens to look.
 *
 * The core that runs workflows never looks for jobs by itself here (fault point "jobs.poll"), and the
 * core people and other systems speak to runs none.  So whatever goes on was woken.
 */
#include "base/arena.h"

#include <string.h>

#include "integration/env_api.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { CALL_MS = 700, WAIT_MS = 10000 };

static struct env *env;
static struct peer *peer;
static pid_t runner;

/* A call that takes a while: its run stays with the core meanwhile. */
#define SLOW                                                                                       \
    "\"slow\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\",\"url\":"           \
    "\"http://127.0.0.1:%d/\"},\"outputs\":[\"success\"]}"
#define HOUR CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"")
#define DONE CELL("done", "context_setter", "\"key\":\"done\",\"value\":\"yes\"", "\"ok\"")

static void runner_starts(void)
{
    const char *vars[] = {fmt("DB=%s", env_db(env)), "SLUICE_FAULT=jobs.poll", NULL};
    struct fcgi_request r = {.uri = "/api/v01/health"};

    runner = env_app_start_with(env, "sluice-core", "runner.sock",
                                (const char *const[]){"-workflows", NULL}, vars);
    ENV_WAIT(env, 20000, fcgi_call(env_path(env, "runner.sock"), &r, env_arena(env)).status == 200);
}

static const char *newest(void)
{
    return sql("SELECT max(id) FROM instances WHERE parent_instance_id IS NULL");
}

/* A run that the first core starts and holds, in the middle of its slow call; further ones are quick. */
static const char *in_the_call(const char *name, const char *definition)
{
    const struct peer_step step = {.kind = PEER_ANSWER,
                             .headers = "Content-Type: application/json\r\n",
                             .body = "{\"id\":\"known\"}",
                             .delay_ms = CALL_MS};
    const struct peer_step steps[] = {step, {.kind = PEER_ANSWER}};
    const char *uri = fmt("/api/v01/public/%s", name);
    struct fcgi_request r = {
        .method = "POST", .uri = uri, .body = STR("{}"), .content_type = "application/json"};
    struct fcgi_answer got = {0};

    api_route(env, "post", fmt("/%s", name), api_activity(env, name, definition), ",\"public\":true");
    peer_script(peer, steps, COUNT_OF(steps));
    ENV_WAIT(env, 5000,
             (got = fcgi_call(env_path(env, "runner.sock"), &r, env_arena(env))).status == 200);
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) == 1);
    return newest();
}

static void until_closed(const char *id, const char *status)
{
    ENV_WAIT(env, WAIT_MS,
             strcmp(sql("SELECT status FROM instances WHERE id = %s", id), status) == 0);
}

/* ---- what comes while the run is held ------------------------------------------------------- */

static void an_event(void **state)
{
    const char *id;

    (void)state;
    id = in_the_call(
        "event", fmt("{\"cells\":{" START "," SLOW "," HOUR "," END
                     "},\"entities\":[{\"name\":\"shop\",\"original_name\":\"entity\",\"outputs\":"
                     "[\"paid\"],\"params\":{}}],\"transitions\":[" LINE("start.ok", "slow") "," LINE(
                         "slow.success", "hour") "," LINE("shop.paid", "end") "]}",
                     peer_port(peer)));
    (void)api(env, 200, "POST", fmt("/api/v01/transactions/%s/events", id),
              "{\"key\":\"shop.paid\"}");
    until_closed(id, "CLOSED_IN_SUCCESS");
}

static void an_answer(void **state)
{
    const char *id, *action;

    (void)state;
    id = in_the_call(
        "answer",
        fmt("{\"cells\":{" START "," SLOW "," CELL("ask", "trigger_manual_action",
                                                   "\"role\":\"askers\",\"description\":\"?\","
                                                   "\"possible_outputs\":\"yes\"",
                                                   "\"yes\"") "," END
            "},\"entities\":[],\"transitions\":[" LINE("start.ok", "ask") "," LINE(
                "start.ok", "slow") "," LINE("ask.yes", "end") "]}",
            peer_port(peer)));
    ENV_WAIT(env, WAIT_MS,
             strcmp(sql("SELECT count(*) FROM manual_actions WHERE instance_id = %s", id),
                    "1") == 0);
    action = sql("SELECT id FROM manual_actions WHERE instance_id = %s", id);
    (void)api(env, 200, "POST",
              fmt("/api/v01/transactions/%s/manual_actions/%s", id, action),
              "{\"output\":\"yes\"}");
    until_closed(id, "CLOSED_IN_SUCCESS");
}

static void a_call_back(void **state)
{
    const char *id;

    (void)state;
    id = in_the_call(
        "back",
        fmt("{\"cells\":{" START ",\"slow\":{\"original_name\":\"async_json_call\",\"params\":{"
            "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":\"{}\","
            "\"register_async_external_id\":\"id\",\"timeout\":\"1 hour\"},\"outputs\":["
            "\"success\"]}," END "},\"entities\":[],\"transitions\":[" LINE("start.ok", "slow") "," LINE(
                "slow.success", "end") "]}",
            peer_port(peer)));
    (void)api(env, 202, "POST", "/api/v01/transactions/callbacks/known", "{}");
    until_closed(id, "CLOSED_IN_SUCCESS");
}

/* A parent that ends has its children closed; the core is in the middle of one. */
static void a_closing_parent(void **state)
{
    const char *id;

    (void)state;
    (void)api_activity(env, "child",
                       fmt(DEFINITION(SLOW "," HOUR ",", LINE("start.ok", "slow") "," LINE(
                                          "slow.success", "hour")),
                           peer_port(peer)));
    id = in_the_call(
        "parent",
        "{\"cells\":{" START "," CELL("run", "trigger_subworkflows",
                                      "\"workflow\":\"child\",\"source\":\"[{}]\"",
                                      "\"ok\",\"error\"") "," END
        "},\"entities\":[{\"name\":\"shop\",\"original_name\":\"entity\",\"outputs\":[\"paid\"],"
        "\"params\":{}}],\"transitions\":[" LINE("start.ok", "run") "," LINE("shop.paid", "end") "]}");
    (void)api(env, 200, "POST", fmt("/api/v01/transactions/%s/events", id),
              "{\"key\":\"shop.paid\"}");
    until_closed(id, "CLOSED_IN_SUCCESS");
    until_closed(sql("SELECT id FROM instances WHERE parent_instance_id = %s", id),
                 "CLOSED_IN_ERROR");
}

/* ---- force close ---------------------------------------------------------------------------- */

static const char *const calls_for_ever = "{\"cells\":{" START "," SLOW "," DONE "," END
                                          "},\"entities\":[],\"transitions\":[" LINE("start.ok", "slow") "," LINE(
                                              "slow.success", "done") "," LINE("done.ok", "slow") "]}";

static void close_it(const char *id)
{
    (void)api(env, 200, "PUT", fmt("/api/v01/transactions/%s", id), "{\"status\":\"CLOSED_IN_ERROR\"}");
}

/* The node that runs finishes, nothing follows. */
static void closed_in_a_call(void **state)
{
    const char *id;

    (void)state;
    id = in_the_call("closed", fmt(calls_for_ever, peer_port(peer)));
    close_it(id);
    until_closed(id, "CLOSED_IN_ERROR");
    assert_string_equal(sql("SELECT string_agg(cell_id || ' ' || status, ',' ORDER BY id) FROM tasks WHERE instance_id = %s", id),
                        "start OK,slow OK,done ERROR");
    assert_string_equal(sql("SELECT count(*) FROM instance_logs WHERE instance_id = %s AND message = 'closed by admin'", id), "1");
    assert_string_equal(sql("SELECT count(*) FROM audit WHERE target = '%s' AND summary = 'closed'", id), "1");
    assert_string_equal(sql("SELECT count(*) FROM instance_signals WHERE instance_id = %s", id), "0");
    assert_string_equal(sql("SELECT count(*) FROM jobs WHERE ref_id = %s", id), "0");
}

/* A run that never parks is reached between two of its nodes. */
static void closed_while_it_goes_on(void **state)
{
    const char *id;

    (void)state;
    id = in_the_call("goes_on", fmt(calls_for_ever, peer_port(peer)));
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) > 3);
    close_it(id);
    assert_string_equal(sql("SELECT status FROM instances WHERE id = %s", id), "CLOSED_IN_ERROR");
}

/* So is one of which two branches call all the time: none of them begins another node. */
static void closed_while_branches_go_on(void **state)
{
    const char *id;

    (void)state;
    id = in_the_call("branches",
                     fmt("{\"cells\":{" START "," SLOW ",\"beside\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\","
                         "\"url\":\"http://127.0.0.1:%d/\"},\"outputs\":[\"success\"]}," END "},\"entities\":[],\"transitions\":["
                         LINE("start.ok", "slow") "," LINE("start.ok", "beside") "," LINE("slow.success", "slow") ","
                         LINE("beside.success", "beside") "]}",
                         peer_port(peer), peer_port(peer)));
    ENV_WAIT(env, WAIT_MS, peer_requests(peer) > 8);
    close_it(id);
    until_closed(id, "CLOSED_IN_ERROR");
    assert_string_equal(sql("SELECT count(*) FROM tasks WHERE instance_id = %s AND status NOT IN ('OK', 'ERROR')", id), "0");
    assert_string_equal(sql("SELECT count(*) FROM tasks WHERE instance_id = %s AND status = 'ERROR'", id), "2");
}

/* The sub-instance alone: its parent goes on. */
static void a_sub_instance_is_closed(void **state)
{
    const char *id, *sub;

    (void)state;
    (void)api_activity(env, "endless", fmt(calls_for_ever, peer_port(peer)));
    id = in_the_call("around", "{\"cells\":{" START "," CELL("inner", "macro", "\"workflow\":\"endless\"", "\"ok\",\"error\"") "," DONE "," END
                               "},\"entities\":[],\"transitions\":[" LINE("start.ok", "inner") "," LINE("inner.error", "done") "," LINE("done.ok", "end") "]}");
    sub = sql("SELECT id FROM instances WHERE parent_instance_id = %s", id);
    close_it(sub);
    until_closed(sub, "CLOSED_IN_ERROR");
    until_closed(id, "CLOSED_IN_SUCCESS");
}

/* ---- what others leave ---------------------------------------------------------------------- */

/* A caller who waits is told that it goes on; the children start at once. */
static void children_of_a_synchronous_run(void **state)
{
    int64_t parent = api_activity(env, "waited for",
                                  DEFINITION(CELL("run", "trigger_subworkflows",
                                                  "\"workflow\":\"quick\",\"source\":\"[{},{}]\"",
                                                  "\"ok\",\"error\"") ",",
                                             LINE("start.ok", "run") "," LINE("run.ok", "end")));
    struct fcgi_request r = {.method = "POST",
                             .uri = "/api/v01/public/waited",
                             .body = STR("{}"),
                             .content_type = "application/json"};
    struct fcgi_answer got = {0};

    (void)state;
    (void)api_activity(env, "quick", DEFINITION(DONE ",", LINE("start.ok", "done") "," LINE("done.ok", "end")));
    api_route(env, "post", "/waited", parent, ",\"public\":true,\"sync\":true");
    ENV_WAIT(env, 5000,
             (got = fcgi_call(env_path(env, "runner.sock"), &r, env_arena(env))).status != 404);
    assert_int_equal(got.status, 202);
    until_closed(newest(), "CLOSED_IN_SUCCESS");
}

/* The core that takes the request runs nothing itself. */
static void a_start_elsewhere(void **state)
{
    struct env_answer got = {0};

    (void)state;
    api_route(env, "post", "/elsewhere",
              api_activity(env, "elsewhere", DEFINITION(DONE ",", LINE("start.ok", "done") "," LINE("done.ok", "end"))), "");
    ENV_WAIT(env, 5000, (got = api_raw(env, "POST", "/api/v01/custom/elsewhere", "{}")).status != 404);
    until_closed(api_text(env, api_json(env, &got), "id"), "CLOSED_IN_SUCCESS");
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, runner);
}

static void set_up(void **state)
{
    struct val role;

    (void)state;
    api_admin(env);
    role = api(env, 200, "POST", "/api/v01/system/user_roles", "{\"name\":\"askers\"}");
    (void)api(env, 200, "POST",
              fmt("/api/v01/system/users/%s/roles/%s",
                  env_psql(env, "SELECT id FROM users WHERE username = 'admin'"),
                  api_text(env, role, "id")),
              NULL);
    runner_starts();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        API_TEST(an_event),
        API_TEST(an_answer),
        API_TEST(a_call_back),
        API_TEST(a_closing_parent),
        API_TEST(closed_in_a_call),
        API_TEST(closed_while_it_goes_on),
        API_TEST(closed_while_branches_go_on),
        API_TEST(a_sub_instance_is_closed),
        API_TEST(children_of_a_synchronous_run),
        API_TEST(a_start_elsewhere),
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
