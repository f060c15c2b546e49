/*
 * What other systems send to a running workflow: call-backs, early, in time, late, twice and for
 * nobody; events of entities; comments of people.
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "integration/env_api.h"
#include "integration/env_int.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

static struct env *env;
static struct peer *peer;
static int port;                         /* of nginx */
static const char *crm, *erp, *stranger; /* users of entities; somebody without rights */

#define SAID(name) CELL(name, "context_setter", "\"key\":\"said\",\"value\":\"" name "\"", "\"ok\"")

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* ---- call-backs ----------------------------------------------------------------------------- */

static const char *call_of(const char *more, const char *edges)
{
    return fmt(
        "{\"cells\":{" START
        ",\"call\":{\"original_name\":\"async_json_call\",\"params\":{\"method\":\"post\",\"url\":"
        "\"http://127.0.0.1:%d/jobs\",\"body\":\"{}\",\"output_context_key\":\"sync\","
        "\"register_async_external_id\":\"job.id\",\"async_output_context_key\":\"async\"%s},"
        "\"outputs\":[\"success\",\"timeout\",\"error\",\"skip\",\"4*\"]}," SAID("timeout") ","
        CELL("seen", "context_setter", "\"key\":\"event\",\"value\":\"{{ event|pp_dict }}\"", "\"ok\"") "," SAID(
            "refused") "," END
                       "},\"entities\":[],\"transitions\":[" LINE("start.ok", "call") "," LINE(
                           "call.success", "seen") "," LINE("seen.ok", "end") "," LINE("timeout.ok",
                                                           "end") "," LINE("refused.ok",
                                                                           "end") "%s]}",
        peer_port(peer), more, edges);
}

static void answers(const char *body, int status)
{
    const struct peer_step step = {.kind = PEER_ANSWER,
                                   .status = status,
                                   .headers = "Content-Type: application/json\r\n",
                                   .body = body};

    peer_script(peer, &step, 1);
}

static const char *row(const char *external_id)
{
    return sql("SELECT string_agg(status, ' ' ORDER BY id) FROM external_callbacks WHERE "
               "external_id = '%s'",
               external_id);
}

static int post(const char *external_id, const char *body)
{
    return api_raw(env, "POST", fmt("/api/v01/transactions/callbacks/%s", external_id), body)
        .status;
}

static void in_time(void **state)
{
    const char *was;
    struct val v;
    int64_t id;

    (void)state;
    answers("{\"job\":{\"id\":\"in-time\"}}", 202);
    id = api_run(env, call_of(",\"timeout\":\"1 hour\"", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    v = api(env, 200, "GET", fmt("/api/v01/apio/transactions/%lld/callbacks", (long long)id), NULL);
    assert_string_equal(text(v, "callbacks.0.external_id"), "in-time");
    assert_string_equal(text(v, "callbacks.0.status"), "WAIT");
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld/timers", (long long)id), NULL);
    assert_string_equal(text(v, "timers.0.name"), "call");
    assert_string_equal(text(v, "timers.0.type"), "async_timeout");
    was = api_as("");
    assert_int_equal(post("in-time", "{}"), 401);
    api_as(was);
    v = api(env, 200, "POST", "/api/v01/transactions/callbacks/in-time",
            "{\"state\": \"done\", \"n\": [1, 2]}");
    assert_int_equal(val_count(v), 0);
    assert_int_equal(post("in-time", "{}"), 409); /* twice */
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_task(env, id, "call"), "OK success");
    assert_string_equal(api_context(env, id, "async"), "{\"state\":\"done\",\"n\":[1,2]}");
    assert_string_equal(api_context(env, id, "sync"),
                        "{\"status\":202,\"body\":{\"job\":{\"id\":\"in-time\"}}}");
    assert_string_equal(api_context(env, id, "event"),
                        "{\"event\":\"in-time\",\"value\":{\"state\":\"done\",\"n\":[1,2]},\"username\":\"admin\"}");
    assert_string_equal(row("in-time"), "CONSUMED");
    assert_int_equal(post("in-time", "{}"), 409);
    assert_string_equal(sql("SELECT http_method || external_id || label FROM traces WHERE "
                            "instance_id = %lld ORDER BY id DESC LIMIT 1",
                            (long long)id),
                        "CALLBACKin-timecall");
    assert_string_equal(sql("SELECT status FROM timers WHERE instance_id = %lld", (long long)id),
                        "CANCEL");
}

static void early(void **state)
{
    struct val v;
    int64_t id;

    (void)state;
    v = api(env, 202, "POST", "/api/v01/transactions/callbacks/77", "not JSON");
    assert_int_equal(val_count(v), 0);
    assert_string_equal(row("77"), "READY");
    assert_int_equal(post("77", "second"), 409); /* the first one stands */
    v = api(env, 400, "POST", "/api/v01/transactions/callbacks/%ff", "{}");
    assert_string_equal(text(v, "error"), "path: not UTF-8");
    answers("{\"job\":{\"id\":77}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "async"), "\"not JSON\"");
    assert_string_equal(api_context(env, id, "event"), "{\"event\":\"77\",\"value\":\"not JSON\",\"username\":\"admin\"}");
    assert_string_equal(row("77"), "CONSUMED");
    /* the id may be given again */
    id = api_run(env, call_of("", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    assert_string_equal(row("77"), "CONSUMED WAIT");
    assert_int_equal(post("77", "[]"), 200);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "async"), "[]");
    /* one that nobody fetched in time is as if it had not come */
    assert_int_equal(post("88", "1"), 202);
    sql("UPDATE external_callbacks SET expires_on = now() - interval '1 s' WHERE external_id = "
        "'88'");
    answers("{\"job\":{\"id\":\"88\"}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    assert_int_equal(post("88", "2"), 200);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "async"), "2");
    assert_int_equal(post("99", "1"), 202);
    sql("UPDATE external_callbacks SET expires_on = now() - interval '1 s' WHERE external_id = "
        "'99'");
    assert_int_equal(post("99", "2"), 202);
}

static void late(void **state)
{
    int64_t id;

    (void)state;
    answers("{\"job\":{\"id\":\"late\"}}", 200);
    id = api_run(env, call_of(",\"timeout\":\"1 s\"", "," LINE("call.timeout", "timeout")), "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"timeout\"");
    assert_int_equal(post("late", "{}"), 409);
    /* without a way out the task is in error */
    answers("{\"job\":{\"id\":\"later\"}}", 200);
    id = api_run(env, call_of(",\"timeout\":\"1 s\"", ""), "{}");
    api_until_task(env, id, "call", "ERROR");
    assert_string_equal(
        sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id),
        "no call-back came in time");
    assert_int_equal(post("later", "{}"), 409);
    /* a closed instance awaits nothing */
    answers("{\"job\":{\"id\":\"closed\"}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    api(env, 200, "PUT", fmt("/api/v01/transactions/%lld", (long long)id),
        "{\"status\":\"CLOSED_IN_ERROR\"}");
    assert_int_equal(post("closed", "{}"), 409);
    /* nor does a skipped task */
    answers("{\"job\":{\"id\":\"skipped\"}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    api(env, 200, "PUT",
        fmt("/api/v01/transactions/%lld/tasks/%s?meta={\"replay_behaviour\":\"skip\"}",
            (long long)id,
            sql("SELECT id FROM tasks WHERE instance_id = %lld AND cell_id = 'call'",
                (long long)id)),
        "{}");
    assert_int_equal(post("skipped", "{}"), 409);
}

static void two_for_one_id(void **state)
{
    int64_t one, two;

    (void)state;
    answers("{\"job\":{\"id\":\"same\"}}", 200);
    one = api_run(env, call_of("", ""), "{}");
    api_until_task(env, one, "call", "WAIT");
    two = api_run(env, call_of("", ""), "{}");
    api_until_task(env, two, "call", "ERROR");
    assert_string_equal(
        sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)two),
        "external id \"same\" is awaited by another task");
    assert_int_equal(post("same", "{}"), 200);
    assert_string_equal(api_instance_status(env, one), "CLOSED_IN_SUCCESS");
}

/* The immediate answer: a listed code, an unlisted one, no id, an id that is none. */
static void immediate_errors(void **state)
{
    static const struct {
        const char *body, *error;
        int status;
    } rows[] = {
        {"{}", "the answer has no external id at \"job.id\"", 200},
        {"{\"job\":{\"id\":null}}", "the answer has no external id at \"job.id\"", 200},
        {"{\"job\":{\"id\":\"\"}}", "the answer has no external id at \"job.id\"", 200},
        {"{\"job\":{\"id\":[1]}}", "the answer has no external id at \"job.id\"", 200},
        {"no", "the server answered 500", 500},
    };
    int64_t id;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answers(rows[i].body, rows[i].status);
        id = api_run(env, call_of("", ""), "{}");
        api_until_task(env, id, "call", "ERROR");
        assert_string_equal(
            sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id),
            rows[i].error);
    }
    answers("{\"why\":\"full\"}", 429);
    id = api_run(env, call_of(",\"http_error_codes\":\"4*\"", "," LINE("call.4*", "refused")), "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"refused\"");
    assert_string_equal(api_context(env, id, "sync"), "{\"status\":429,\"body\":{\"why\":\"full\"}}");
    id = api_run(env, call_of(",\"timeout\":\"soon\"", ""), "{}");
    api_until_task(env, id, "call", "ERROR");
    assert_int_equal(post(fmt("%0300d", 1), "{}"), 400);
}

/* More than a context value can hold: refused, early and in time, and the task goes on waiting. */
static void too_large(void **state)
{
    char *large = arena_alloc(env_arena(env), LIMIT_CONTEXT_VALUE + 2);
    int64_t id;

    (void)state;
    memset(large, '1', LIMIT_CONTEXT_VALUE + 1);
    large[LIMIT_CONTEXT_VALUE + 1] = '\0';
    assert_int_equal(post("large", large), 413);
    assert_string_equal(row("large"), "");
    answers("{\"job\":{\"id\":\"large\"}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    api_until_task(env, id, "call", "WAIT");
    assert_int_equal(post("large", large), 413);
    assert_string_equal(row("large"), "WAIT");
    assert_int_equal(post("large", "{}"), 200);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
}

/* Many at once for one id: exactly one is taken. */
static void taken_once(void **state)
{
    int taken = 0, refused = 0;
    int64_t id;

    (void)state;
    answers("{\"job\":{\"id\":\"once\"}}", 200);
    id = api_run(env, call_of("", ""), "{}");
    for (int i = 0; i < 20; i++) { /* before, while and after the task begins to wait */
        int status = post("once", fmt("%d", i));

        taken += status == 200 || status == 202;
        refused += status == 409;
    }
    assert_int_equal(taken, 1);
    assert_int_equal(refused, 19);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "async"), "0");
}

/* The same at the same moment, by many at once and while the task begins to wait. */
static void many_at_the_same_moment(void **state)
{
    const char *script = env_path(env, "many.sh"), *codes;
    int ok = 0, refused = 0;
    int64_t id;
    pid_t pid;

    (void)state;
    answers("{\"job\":{\"id\":\"many\"}}", 200);
    env_write_file(env, script,
                   fmt("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do\n  curl -s -o /dev/null -w "
                       "'%%{http_code}\\n' -X POST -H '%s' -d $i "
                       "http://127.0.0.1:%d/api/v01/transactions/callbacks/many &\ndone\nwait\n",
                       api_auth(env), port));
    pid = env_spawn(env, "many", (const char *const[]){"/bin/bash", script, NULL}, NULL);
    id = api_run(env, call_of("", ""), "{}");
    assert_int_equal(env_wait_exit(env, pid, 20000), 0);
    codes = env_log(env, "many");
    for (const char *at = codes; (at = strstr(at, "20")) != NULL; at += 2)
        ok++;
    for (const char *at = codes; (at = strstr(at, "409")) != NULL; at += 3)
        refused++;
    if (ok != 1 || refused != 11)
        env_fail(env, "%s", codes);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(row("many"), "CONSUMED");
}

/* ---- events --------------------------------------------------------------------------------- */

#define ENTITIES                                                                                   \
    "{\"cells\":{" START "," SAID("accepted") "," SAID(                                            \
        "refused") "," END "},\"entities\":["                                                      \
                   "{\"name\":\"CRM\",\"original_name\":\"entity\",\"params\":{\"events\":"        \
                   "\"accept,refuse,a.b\"},"                                                       \
                   "\"outputs\":[\"accept\",\"refuse\",\"a.b\"],\"x\":0,\"y\":0},"                 \
                   "{\"name\":\"ERP\",\"original_name\":\"entity\",\"params\":{\"events\":"        \
                   "\"done\"},\"outputs\":[\"done\"],\"x\":0,\"y\":0}],"                           \
                   "\"transitions\":[" LINE("CRM.accept", "accepted") "," LINE(                    \
                       "CRM.refuse", "refused") "," LINE("ERP.done", "end") "]}"

static void events_of_entities(void **state)
{
    int64_t id = api_run(env, ENTITIES, "{}"), event;
    const char *path = fmt("/api/v01/transactions/%lld/events", (long long)id);
    const char *admin = api_token();
    struct env_answer a;
    struct val v;

    (void)state;
    ENV_WAIT(env, 5000, strcmp(api_task(env, id, "start"), "OK ok") == 0);
    /* the entity is the caller's */
    api_as(crm);
    v = api(env, 200, "POST", path,
            "{\"key\":\"accept\",\"value\":\"{\\\"n\\\": 1}\",\"ref\":\"x\"}");
    event = api_int(v, "id");
    api_until_task(env, id, "accepted", "OK ok");
    assert_string_equal(api_task(env, id, "CRM"), "OK accept");
    assert_string_equal(api_context(env, id, "CRM"),
                        "{\"event\":\"accept\",\"value\":{\"n\":1},\"username\":\"crm-user\"}");
    ENV_WAIT(env, 5000,
             strcmp(sql("SELECT status FROM entity_events WHERE id = %lld", (long long)event),
                    "processed") == 0);
    api(env, 200, "POST", path, "{\"trigger_type\":\"CRM.refuse\",\"value\":null}");
    api_until_task(env, id, "refused", "OK ok");
    api(env, 200, "POST", path, "{\"key\":\"accept\"}"); /* the same again is another activation */
    ENV_WAIT(
        env, 5000,
        strcmp(sql("SELECT count(*) FROM tasks WHERE instance_id = %lld AND cell_id = 'accepted'",
                   (long long)id),
               "2") == 0);
    api(env, 200, "POST", path, "{\"key\":\"a.b\"}");
    api(env, 403, "POST", path, "{\"key\":\"ERP.done\"}");
    v = api(env, 400, "POST", path, "{\"key\":\"dance\"}");
    assert_string_equal(text(v, "error"), "key: unknown event \"dance\"");
    assert_string_equal(sql("SELECT status || processing_result FROM entity_events WHERE "
                            "instance_id = %lld AND key = 'dance'",
                            (long long)id),
                        "rejectedunknown event");
    v = api(env, 400, "POST", path, "{\"value\":1}");
    assert_string_equal(text(v, "error"), "key is required");
    api(env, 400, "POST", path, "[1]");
    api(env, 413, "POST", path, fmt("{\"key\":\"accept\",\"value\":\"%01100000d\"}", 1));
    api(env, 404, "POST", "/api/v01/transactions/999999999/events", "{\"key\":\"accept\"}");
    api_as("");
    api(env, 401, "POST", path, "{\"key\":\"accept\"}");
    api_as(stranger);
    api(env, 403, "POST", path, "{\"key\":\"CRM.accept\"}");
    /* people with the right name the entity */
    api_as(admin);
    api(env, 400, "POST", path, "{\"key\":\"accept\"}");
    api(env, 400, "POST", path, "{\"key\":\"CRM.fly\"}");
    v = api(env, 200, "GET", path, NULL);
    assert_string_equal(text(v, "events.0.source_entity"), "CRM");
    assert_string_equal(text(v, "events.0.content"), "{\"n\": 1}");
    assert_string_equal(text(v, "events.0.extra"), "{\"ref\":\"x\"}");
    assert_string_equal(text(v, "events.0.username"), "crm-user");
    a = api_raw(env, "GET", fmt("%s/%lld?as=csv", path, (long long)event), NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(env_header(env, &a, "Content-Disposition"), "attachment"));
    api(env, 404, "GET", fmt("%s/%lld", path, (long long)event + 100000), NULL);
    api_as(erp);
    api(env, 200, "POST", path, "{\"key\":\"done\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    api(env, 409, "POST", path, "{\"key\":\"done\"}");
}

/* ---- comments ------------------------------------------------------------------------------- */

static void comments(void **state)
{
    int64_t id = api_run(env, DEFINITION("", LINE("start.ok", "end")), "{}");
    const char *path = fmt("/api/v01/transactions/%lld/comments", (long long)id);
    struct val v;

    (void)state;
    api(env, 400, "POST", path, "{}");
    api(env, 400, "POST", path, "{\"comment\":7}");
    api(env, 404, "POST", "/api/v01/transactions/999999999/comments", "{\"comment\":\"x\"}");
    v = api(env, 200, "POST", path, "{\"comment\":\"looks <b>fine</b>\"}");
    assert_true(api_int(v, "id") > 0);
    v = api(env, 200, "GET", fmt("%s?load_user_info=1", path), NULL);
    assert_string_equal(text(v, "comments.0.content"), "looks <b>fine</b>");
    assert_string_equal(text(v, "comments.0.user.username"), "admin");
    api_as(stranger);
    api(env, 403, "POST", path, "{\"comment\":\"x\"}");
    api(env, 403, "GET", path, NULL);
}

/* ---- start ---------------------------------------------------------------------------------- */

static const char *user(const char *name, const char *entity)
{
    api(env, 200, "POST", "/api/v01/system/users",
        fmt("{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\"%s}",
            name, name, entity));
    return api_login(env, name, "Pass-word-123!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(in_time),
        API_TEST(early),
        API_TEST(late),
        API_TEST(two_for_one_id),
        API_TEST(immediate_errors),
        API_TEST(too_large), API_TEST(taken_once),
        API_TEST(many_at_the_same_moment),
        API_TEST(events_of_entities),
        API_TEST(comments),
    };
    const struct peer_step step = {.kind = PEER_ANSWER, .status = 200, .body = "{}"};
    int failed;

    env = env_start();
    peer = peer_new(&step, 1);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    port = env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    crm = user("crm-user", ",\"entity\":\"CRM\"");
    erp = user("erp-user", ",\"entity\":\"ERP\"");
    stranger = user("stranger", "");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(peer);
    return env_end(env, failed);
}
