/*
 * Secrets a run knows do what they are for, and stand nowhere people read what was: a one-time token in the text of a mail, in an
 * address, in a body, in an error, in an answer.
 */
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "support/peer.h"
#include "support/smtp.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

static struct env *env;
static struct peer *peer;
static struct smtp_peer *mail;

#define TOKEN CELL("token", "generate_ott", "\"scope\":\"ManualAction\",\"output_context_key\":\"link\"", "\"ok\"")
#define MAIL CELL("mail", "send_email_template", "\"template\":\"mails.link\",\"to\":\"a@example.org\"", "\"ok\"")
#define CALL(name, secret)                                                                                             \
    CELL(name, "http_call",                                                                                            \
         "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/" name "/{{ " secret " }}?x={{ " secret " }}\","            \
         "\"body\":\"go to {{ " secret " }}\"", "\"success\"")
#define MARK CELL("mark", "set_task_status", "\"target_id\":\"call\",\"status\":\"ERROR\",\"message\":\"{{ context.link }} is bad\"", "\"ok\"")
#define RESPOND CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{\\\"open\\\": \\\"{{ context.link }}\\\"}\"", "\"ok\"")

static const char *token_of(int64_t id)
{
    const char *quoted = api_context(env, id, "link");

    assert_int_equal(strlen(quoted), 45);
    return arena_strndup(env_arena(env), quoted + 1, 43);
}

/* In what was said to the outside, in errors and logs, in what requests were answered and instances were started with. */
static void stands_nowhere(const char *token)
{
    assert_string_equal(sql("SELECT string_agg(x, ' ') FROM ("
                            "SELECT 'trace of ' || label FROM traces WHERE concat(input, output, http_url, external_id) LIKE '%%%s%%' UNION ALL "
                            "SELECT 'error' FROM errors WHERE concat(output, description) LIKE '%%%s%%' UNION ALL "
                            "SELECT 'log' FROM instance_logs WHERE message LIKE '%%%s%%' UNION ALL "
                            "SELECT 'answer' FROM requests WHERE response::text LIKE '%%%s%%' UNION ALL "
                            "SELECT 'request' FROM instances WHERE request::text LIKE '%%%s%%') f(x)",
                            token, token, token, token, token),
                        "");
}

static void is_sent_and_not_kept(void **state)
{
    const char *token;
    int64_t id;

    (void)state;
    (void)api_activity(env, "child",
                       fmt(DEFINITION(CALL("below", "parent_instance_context.link") ",", LINE("start.ok", "below") "," LINE("below.success", "end")),
                           peer_port(peer)));
    id = api_run(env,
                 fmt(DEFINITION(TOKEN "," CELL("nap", "timer", "\"timeout\":\"0 seconds\",\"discard_idle_limit\":true", "\"ok\"") "," MAIL ","
                                CALL("call", "context.link") "," CELL("beside", "trigger_subworkflows", "\"workflow\":\"child\",\"source\":\"[{}]\"", "\"ok\"") ","
                                CELL("inside", "macro", "\"workflow\":\"child\"", "\"ok\"") "," MARK ",",
                                LINE("start.ok", "token") "," LINE("token.ok", "nap") "," LINE("nap.ok", "mail") "," LINE("mail.ok", "call") ","
                                LINE("call.success", "beside") "," LINE("beside.ok", "inside") "," LINE("inside.ok", "mark") "," LINE("mark.ok", "end")),
                     peer_port(peer)),
                 "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_ERROR");
    token = token_of(id);
    assert_int_equal(smtp_peer_count(mail), 1);
    assert_non_null(strstr(smtp_peer_message(mail, 0), token));
    assert_int_equal(peer_requests(peer), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(str_find(peer_request(peer, i), str_c(token)) > 0);
    stands_nowhere(token);
    assert_string_equal(sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id), "******** is bad");
    assert_string_equal(sql("SELECT count(*) FROM traces WHERE concat(input, http_url) LIKE '%%********%%'"), "4");
}

#define COPY CELL("copy", "context_setter", "\"key\":\"copied\",\"value\":\"open /a?ott={{ context.link }} or not\"", "\"ok\"")
#define CUT                                                                                                            \
    CELL("cut", "http_call",                                                                                           \
         "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/cut\",\"body\":\"{{ 'x' * 1048556 }}{{ context.link }}\"", "\"success\"")

/* Copied into another key, and where a body is cut in its middle. */
static void is_not_kept_in_copies(void **state)
{
    const char *token;
    struct val v;
    int64_t id;

    (void)state;
    id = api_run(env,
                 fmt(DEFINITION(TOKEN "," COPY "," CUT ",", LINE("start.ok", "token") "," LINE("token.ok", "copy") "," LINE("copy.ok", "cut") ","
                                LINE("cut.success", "end")),
                     peer_port(peer)),
                 "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    token = token_of(id);
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld", (long long)id), NULL);
    assert_string_equal(api_text(env, v, "context.0.value"), "********");
    assert_string_equal(api_text(env, v, "context.1.key"), "copied");
    assert_string_equal(api_text(env, v, "context.1.value"), "open /a?ott=******** or not");
    assert_string_equal(sql("SELECT position('%.10s' in input) > 0 FROM traces WHERE instance_id = %lld", token, (long long)id), "f");
}

/* The caller gets it; its handler, where one goes wrong, sees it as every workflow below another does. */
static void is_answered_and_not_kept(void **state)
{
    int64_t handler, id;
    const char *token;
    struct val v;

    (void)state;
    api_route(env, "post", "/answers", api_activity(env, "answers", DEFINITION(TOKEN "," RESPOND ",", LINE("start.ok", "token") "," LINE("token.ok", "answer") "," LINE("answer.ok", "end"))),
              ",\"sync\":true");
    handler = api_activity(env, "handler", DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{\\\"seen\\\": \\\"{{ request.context.link }}\\\", "
                                                           "\\\"id\\\": {{ request.instance.id }}, \\\"same\\\": \\\"{{ parent_instance_context.link }}\\\"}\"", "\"ok\"") ",",
                                                      LINE("start.ok", "answer") "," LINE("answer.ok", "end")));
    api_route(env, "post", "/fails", api_activity(env, "fails", DEFINITION(TOKEN "," CELL("bad", "http_call", "\"url\":\"nowhere\"", "\"success\"") ",", LINE("start.ok", "token") "," LINE("token.ok", "bad"))),
              fmt(",\"sync\":true,\"err_activity_id\":%lld", (long long)handler));
    ENV_WAIT(env, 5000, env_http(env, "GET", "/api/v01/custom/fails", NULL, NULL).status != 404);
    v = api(env, 200, "POST", "/api/v01/custom/answers", "{}");
    token = api_text(env, v, "open");
    assert_int_equal(strlen(token), 43);
    stands_nowhere(token);
    v = api(env, 200, "POST", "/api/v01/custom/fails", "{}");
    id = api_int(v, "id");
    token = token_of(id);
    assert_string_equal(api_text(env, v, "seen"), "********");
    assert_string_equal(api_text(env, v, "same"), token);
    stands_nowhere(token);
}

/* The workflow that sends links for new passwords is given the token in its request. */
static void named_so_in_the_request(void **state)
{
    int64_t id;

    (void)state;
    api(env, 200, "POST", "/api/v01/templates", "{\"key\":\"mails.reset\",\"type\":\"jinja\",\"template\":\"Subject: go\\n\\nto /reset/{{ request.token }}\"}");
    id = api_run(env, DEFINITION(CELL("mail", "send_email_template", "\"template\":\"mails.reset\",\"to\":\"a@example.org\"", "\"ok\"") ",", LINE("start.ok", "mail") "," LINE("mail.ok", "end")),
                 "{\"token\":\"0123456789abcdefghijklm\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_non_null(strstr(smtp_peer_message(mail, smtp_peer_count(mail) - 1), "0123456789abcdefghijklm"));
    assert_string_equal(sql("SELECT count(*) FROM traces WHERE input LIKE '%%0123456789abcdefghijklm%%'"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(is_sent_and_not_kept), API_TEST(is_not_kept_in_copies), API_TEST(is_answered_and_not_kept), API_TEST(named_so_in_the_request)};
    int failed;

    env = env_start();
    peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    mail = smtp_peer_new();
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    api(env, 200, "POST", "/api/v01/templates",
        "{\"key\":\"mails.link\",\"type\":\"jinja\",\"template\":\"Subject: please\\n\\nopen https://x.example/a?ott={{ context.link }} or not\"}");
    api_configure(env, "smtp", fmt("{\"host\":\"127.0.0.1\",\"port\":%d,\"from\":\"a@example.org\"}", smtp_peer_port(mail)));
    api_configuration_heard(env, "core.sock");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    smtp_peer_free(mail);
    peer_free(peer);
    return env_end(env, failed);
}
