/*
 * People in workflows: questions to roles and owners, answered by users, by links and by one-time
 * tokens; taken back; who may not; and a kill between the answer and what follows it.
 */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "support/smtp.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

static struct env *env;
static const char *alice, *bob, *carol; /* holds the role; does not; may not see others' requests */
static int64_t role;

#define FORM                                                                                       \
    "{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"name\\\":{\\\"type\\\":\\\"string\\\","  \
    "\\\"minLength\\\":1}},\\\"required\\\":[\\\"name\\\"],\\\"additionalProperties\\\":false}"
#define ASK(role, more)                                                                            \
    CELL("ask", "trigger_manual_action",                                                           \
         "\"description\":\"may {{ request.who }} go\",\"role\":\"" role                           \
         "\",\"possible_outputs\":\"yes,no\"" more,                                                \
         "\"yes\",\"no\",\"skip\"")
#define SAID(name) CELL(name, "context_setter", "\"key\":\"said\",\"value\":\"" name "\"", "\"ok\"")
#define ASKING(role, more)                                                                         \
    DEFINITION(                                                                                    \
        ASK(role, more) "," SAID("yes") "," SAID("no") ",",                                        \
        LINE("start.ok", "ask") "," LINE("ask.yes", "yes") "," LINE("ask.no", "no") "," LINE(      \
            "yes.ok", "end") "," LINE("no.ok", "end") "," LINE("ask.skip", "end"))

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

/* The pending question of an instance, once it is stored. */
static int64_t asked(int64_t id)
{
    const char *q = fmt("SELECT id FROM manual_actions WHERE instance_id = %lld AND output IS NULL",
                        (long long)id);

    ENV_WAIT(env, 10000, env_psql(env, q)[0] != '\0');
    return strtoll(env_psql(env, q), NULL, 10);
}

static const char *answer_path(int64_t id, int64_t action)
{
    return fmt("/api/v01/transactions/%lld/manual_actions/%lld", (long long)id, (long long)action);
}

/* ---- users ---------------------------------------------------------------------------------- */

static void answered_by_a_role(void **state)
{
    int64_t id = api_run(env, ASKING("approvers", ",\"form_input\":\"" FORM "\""), "{\"who\":\"ann\"}");
    int64_t action = asked(id);
    const char *path = answer_path(id, action), *guid;
    struct val v;

    (void)state;
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld/manual_actions", (long long)id), NULL);
    assert_string_equal(text(v, "manual_actions.0.description"), "may ann go");
    assert_string_equal(text(v, "manual_actions.0.possible_outputs"), "yes,no");
    assert_int_equal(api_int(v, "manual_actions.0.role_id"), role);
    assert_string_equal(text(v, "manual_actions.0.output"), "null");
    assert_string_equal(sql("SELECT roles FROM instances WHERE id = %lld", (long long)id),
                        fmt(".%lld.", (long long)role));
    /* who may not, and what is wrong */
    api(env, 403, "POST", path, "{\"output\":\"yes\",\"form\":{\"name\":\"x\"}}");
    api_as(bob);
    v = api(env, 403, "POST", path, "{\"output\":\"yes\",\"form\":{\"name\":\"x\"}}");
    assert_non_null(strstr(text(v, "error"), "somebody else"));
    api_as("");
    api(env, 401, "POST", path, "{\"output\":\"yes\"}");
    api_as(carol);
    api(env, 403, "GET", fmt("/api/v01/transactions/%lld/manual_actions", (long long)id), NULL);
    api_as(alice);
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld/manual_actions", (long long)id), NULL);
    assert_int_equal(api_int(v, "manual_actions.0.id"), action);
    v = api(env, 200, "GET", "/api/v01/system/users/local/manual_actions?pending=1", NULL);
    assert_int_equal(api_int(v, "manual_actions_per_role.approvers.0.id"), action);
    api(env, 404, "POST", answer_path(id, action + 1000), "{\"output\":\"yes\"}");
    api(env, 404, "POST", answer_path(id + 1, action), "{\"output\":\"yes\"}");
    api(env, 404, "POST", answer_path(0, action), "{\"output\":\"yes\"}");
    v = api(env, 400, "POST", path, "{}");
    assert_string_equal(text(v, "error"), "output is required");
    v = api(env, 400, "POST", path, "{\"output\":\"maybe\",\"form\":{\"name\":\"x\"}}");
    assert_string_equal(text(v, "error"), "output: expected one of yes,no");
    v = api(env, 400, "POST", path, "{\"output\":\"yes\"}");
    assert_non_null(strstr(text(v, "error"), "form.name"));
    v = api(env, 400, "POST", path, "{\"output\":\"yes\",\"form\":{\"name\":\"\",\"age\":1}}");
    assert_non_null(strstr(text(v, "error"), "form.name"));
    assert_non_null(strstr(text(v, "error"), "age"));
    api(env, 400, "POST", path, "{\"output\":\"yes\",\"form\":[1]}");
    /* ids and guids */
    guid = sql(
        "SELECT instance_guid || '/manual_actions/' || guid FROM manual_actions WHERE id = %lld",
        (long long)action);
    v = api(env, 200, "POST", fmt("/api/v01/transactions/%s", guid),
            "{\"output\":\"yes\",\"form\":{\"name\":\"Zo\xc3\xab\"}}");
    assert_string_equal(text(v, "output"), "yes");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"yes\"");
    assert_string_equal(api_context(env, id, "ask"), "{\"name\":\"Zo\xc3\xab\"}");
    assert_string_equal(api_task(env, id, "ask"), "OK yes");
    v = api(env, 409, "POST", path, "{\"output\":\"yes\",\"form\":{\"name\":\"x\"}}");
    assert_string_equal(text(v, "error"), "the action was answered already");
    assert_string_equal(sql("SELECT roles || handled_by_username FROM instances i JOIN "
                            "manual_actions m ON m.instance_id = "
                            "i.id WHERE i.id = %lld",
                            (long long)id),
                        "alice");
    v = api(env, 200, "GET", "/api/v01/system/users/local/manual_actions?pending=1", NULL);
    assert_int_equal(val_count(val_get(v, "manual_actions_per_role")), 0);
}

static void without_role_anybody_on_requests(void **state)
{
    int64_t id = api_run(env, ASKING("", ""), "{\"who\":\"ann\"}"), action = asked(id);

    (void)state;
    api_as(carol);
    api(env, 403, "POST", answer_path(id, action), "{\"output\":\"no\"}");
    api_as(bob);
    api(env, 400, "POST", answer_path(id, action), "{\"output\":\"no\",\"form\":{\"x\":1}}");
    api(env, 200, "POST", answer_path(id, action), "{\"output\":\"no\",\"form\":{}}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"no\"");
}

/* The task is in error until the role exists; then a replay asks again. */
static void unknown_role_is_replayed(void **state)
{
    int64_t id = api_run(env, ASKING("captains", ""), "{\"who\":\"ann\"}"), action, t;

    (void)state;
    api_until_task(env, id, "ask", "ERROR");
    assert_string_equal(
        sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id),
        "unknown role \"captains\"");
    assert_string_equal(
        sql("SELECT count(*) FROM manual_actions WHERE instance_id = %lld", (long long)id), "0");
    api(env, 200, "POST", "/api/v01/system/user_roles", "{\"name\":\"captains\"}");
    t = strtoll(
        sql("SELECT id FROM tasks WHERE instance_id = %lld AND cell_id = 'ask'", (long long)id),
        NULL, 10);
    api(env, 200, "PUT", fmt("/api/v01/transactions/%lld/tasks/%lld", (long long)id, (long long)t),
        "{}");
    action = asked(id);
    /* skipped: nobody is asked any more */
    api(env, 200, "PUT",
        fmt("/api/v01/transactions/%lld/tasks/%lld?meta={\"replay_behaviour\":\"skip\"}",
            (long long)id, (long long)t),
        "{}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(sql("SELECT output FROM manual_actions WHERE id = %lld", (long long)action),
                        "*cancelled*");
    assert_string_equal(sql("SELECT roles FROM instances WHERE id = %lld", (long long)id), "");
    /* a deleted role leaves nobody who may answer, not everybody */
    id = api_run(env, ASKING("captains", ""), "{\"who\":\"ann\"}");
    action = asked(id);
    sql("DELETE FROM roles WHERE name = 'captains'");
    api(env, 403, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    api(env, 200, "PUT", fmt("/api/v01/transactions/%lld", (long long)id),
        "{\"status\":\"CLOSED_IN_ERROR\"}");
    assert_string_equal(sql("SELECT output FROM manual_actions WHERE id = %lld", (long long)action),
                        "*cancelled*");
    api_as(alice);
    api(env, 409, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
}

/* A question of a sub-instance: answered there, and the parent goes on. */
static void asked_below(void **state)
{
    int64_t id, action, child;

    (void)state;
    api_activity(env, "asks below", ASKING("approvers", ""));
    id = api_run(env, 
        DEFINITION(CELL("sub", "macro", "\"workflow\":\"asks below\",\"input\":\"{'who':'ann'}\"",
                        "\"ok\"") ",",
                   LINE("start.ok", "sub") "," LINE("sub.ok", "end")),
        "{}");
    ENV_WAIT(env, 10000,
             sql("SELECT 1 FROM manual_actions m JOIN instances i ON i.id = m.instance_id WHERE "
                 "i.parent_instance_id = %lld",
                 (long long)id)[0] == '1');
    child = strtoll(sql("SELECT id FROM instances WHERE parent_instance_id = %lld", (long long)id),
                    NULL, 10);
    action = asked(child);
    api_as(alice);
    api(env, 404, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    api(env, 200, "POST", answer_path(child, action), "{\"output\":\"yes\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, child, "said"), "\"yes\"");
}

/* ---- taking back ---------------------------------------------------------------------------- */

static void takes_back(void **state)
{
    int64_t id, action;
    struct val v;

    (void)state;
    /* two questions, one of them taken back; the other one ends with the instance */
    id = api_run(env, 
        DEFINITION(
            ASK("approvers", "") "," CELL(
                "other", "trigger_manual_action", "\"description\":\"other\"",
                "\"ok\"") "," CELL("wait", "timer", "\"timeout\":\"1500 ms\"",
                                   "\"ok\"") "," CELL("back", "cancel_manual_action",
                                                      "\"description\":\"may {{ request.who }} "
                                                      "go\"",
                                                      "\"ok\"") "," CELL("last", "timer",
                                                                         "\"timeout\":\"1500 ms\"",
                                                                         "\"ok\"") ",",
            LINE("start.ok", "ask") "," LINE("start.ok", "other") "," LINE(
                "start.ok", "wait") "," LINE("wait.ok", "back") "," LINE("back.ok",
                                                                         "last") "," LINE("last.ok",
                                                                                          "end")),
        "{\"who\":\"ann\"}");
    action = asked(id);
    api_until_task(env, id, "ask", "OK cancelled");
    assert_string_equal(sql("SELECT output FROM manual_actions WHERE instance_id = %lld AND "
                            "description = 'may ann go'",
                            (long long)id),
                        "*cancelled*");
    assert_string_equal(api_task(env, id, "other"), "WAIT");
    api_as(alice);
    action = strtoll(
        sql("SELECT id FROM manual_actions WHERE instance_id = %lld AND description = 'may ann go'",
            (long long)id),
        NULL, 10);
    v = api(env, 409, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    assert_string_equal(text(v, "error"), "the action was cancelled");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(
        sql("SELECT output FROM manual_actions WHERE instance_id = %lld AND description = 'other'",
            (long long)id),
        "*cancelled*");
}

/* A branch that reaches the end before anything was stored leaves no open question. */
static void closes_at_once(void **state)
{
    int64_t id = api_run(env, 
        DEFINITION(ASK("approvers", "") ",", LINE("start.ok", "ask") "," LINE("start.ok", "end")),
        "{\"who\":\"x\"}");

    (void)state;
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(
        sql("SELECT output FROM manual_actions WHERE instance_id = %lld", (long long)id),
        "*cancelled*");
}

/* ---- one-time links ------------------------------------------------------------------------- */

#define LINKED                                                                                          \
    DEFINITION(                                                                                         \
        CELL(                                                                                           \
            "token", "generate_ott",                                                                    \
            "\"scope\":\"ManualAction\",\"output_context_key\":\"link\",\"expiry_date\":"               \
            "\"{{ request.life }}\"",                                                                   \
            "\"ok\"") "," ASK("approvers",                                                              \
                              ",\"link_ott_context_key\":\"link\"") "," SAID("yes") "," SAID("no") ",", \
        LINE("start.ok", "token") "," LINE("token.ok", "ask") "," LINE("ask.yes", "yes") "," LINE(      \
            "ask.no", "no") "," LINE("yes.ok", "end") "," LINE("no.ok", "end"))

static const char *token_of(int64_t id)
{
    const char *quoted = api_context(env, id, "link");

    assert_int_equal(strlen(quoted), 45);
    return arena_strndup(env_arena(env), quoted + 1, 43);
}

static const char *link_of(const char *token, const char *output)
{
    return fmt("/api/v01/transactions/manual_actions?output=%s&ott=%s", output, token);
}

static void answered_by_link(void **state)
{
    int64_t id = api_run(env, LINKED, "{\"who\":\"ann\",\"life\":\"1h30m\"}"), action = asked(id);
    const char *html[] = {"Accept: text/html,*/*", NULL}, *token = token_of(id);
    struct env_answer a;
    struct val v;

    (void)state;
    /* only the digest is kept, and nobody is shown the token */
    assert_string_equal(sql("SELECT octet_length(digest) || scope || action_id FROM "
                            "one_time_tokens WHERE instance_id = %lld",
                            (long long)id),
                        fmt("32ManualAction%lld", (long long)action));
    v = api(env, 200, "GET", fmt("/api/v01/transactions/%lld", (long long)id), NULL);
    assert_string_equal(text(v, "context.0.value"), "********");
    api_as("");
    api(env, 410, "GET", link_of("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "yes"), NULL);
    api(env, 400, "GET", "/api/v01/transactions/manual_actions?output=yes", NULL);
    v = api(env, 400, "GET", link_of(token, "perhaps"), NULL);
    assert_string_equal(text(v, "error"), "output: expected one of yes,no");
    api(env, 400, "GET", fmt("/api/v01/transactions/manual_actions?ott=%s", token), NULL);
    /* looking is not answering */
    a = env_http(env, "GET", link_of(token, "yes"), html, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "may ann go"));
    assert_non_null(strstr(a.body, "<form method=\"post\">"));
    assert_string_equal(env_header(env, &a, "Cache-Control"), "no-store");
    assert_int_equal(env_http(env, "HEAD", link_of(token, "yes"), NULL, NULL).status, 200);
    assert_string_equal(api_task(env, id, "ask"), "WAIT");
    a = env_http(env, "POST", link_of(token, "yes"), html, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "Thank you"));
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"yes\"");
    api(env, 410, "GET", link_of(token, "yes"), NULL);
    /* without a browser at once, with a form as JSON */
    api_setup(NULL);
    id = api_run(env, LINKED, "{\"who\":\"ben\",\"life\":\"60\"}");
    asked(id);
    token = token_of(id);
    api_as("");
    v = api(env, 200, "POST", fmt("/api/v01/transactions/manual_actions?ott=%s", token),
            "{\"output\":\"no\",\"form\":{}}");
    assert_string_equal(text(v, "output"), "no");
    api(env, 410, "POST", link_of(token, "no"), NULL);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
}

static void refuses_wrong_tokens(void **state)
{
    int64_t id, action;
    const char *token;

    (void)state;
    api_setup(NULL);
    id = api_run(env, LINKED, "{\"who\":\"ann\",\"life\":\"1h\"}");
    action = asked(id);
    token = token_of(id);
    /* late */
    sql("UPDATE one_time_tokens SET expires_on = now() - interval '1 s' WHERE action_id = %lld",
        (long long)action);
    api(env, 410, "GET", link_of(token, "yes"), NULL);
    /* for something else */
    sql("UPDATE one_time_tokens SET expires_on = now() + interval '1 h', scope = 'ResetPassword' "
        "WHERE action_id = %lld",
        (long long)action);
    api(env, 410, "GET", link_of(token, "yes"), NULL);
    sql("UPDATE one_time_tokens SET scope = 'ManualAction' WHERE action_id = %lld",
        (long long)action);
    /* answered by somebody else first */
    api_as(alice);
    api(env, 200, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    api(env, 409, "GET", link_of(token, "yes"), NULL);
    /* errors of the node */
    api_setup(NULL);
    id = api_run(env, LINKED, "{\"who\":\"ann\",\"life\":\"2001-01-01 00:00:00\"}");
    api_until_task(env, id, "token", "ERROR");
    id = api_run(env, LINKED, "{\"who\":\"ann\",\"life\":\"soon\"}");
    api_until_task(env, id, "token", "ERROR");
    id = api_run(env, LINKED, "{\"who\":\"ann\",\"life\":\"2999-01-01 00:00:00\"}");
    asked(id);
    assert_string_equal(
        sql("SELECT expires_on AT TIME ZONE 'UTC' FROM one_time_tokens WHERE instance_id = %lld",
            (long long)id),
        "2999-01-01 00:00:00");
    id = api_run(env, ASKING("approvers", ",\"link_ott_context_key\":\"link\""), "{\"who\":\"ann\"}");
    api_until_task(env, id, "ask", "ERROR");
    id = api_run(env, 
        DEFINITION(CELL("set", "context_setter", "\"key\":\"link\",\"value\":\"made up\"",
                        "\"ok\"") "," ASK("approvers", ",\"link_ott_context_key\":\"link\"") ",",
                   LINE("start.ok", "set") "," LINE("set.ok", "ask")),
        "{\"who\":\"ann\"}");
    api_until_task(env, id, "ask", "ERROR");
    assert_string_equal(
        sql("SELECT count(*) FROM manual_actions WHERE instance_id = %lld", (long long)id), "0");
}

static void tokens_for_passwords(void **state)
{
    int64_t id = api_run(env, DEFINITION(CELL("token", "generate_ott",
                                     "\"scope\":\"ResetPassword\",\"output_context_key\":\"link\","
                                     "\"details\":\"{'username': 'carol'}\"",
                                     "\"ok\"") ",",
                                LINE("start.ok", "token") "," LINE("token.ok", "end")),
                     "{}");

    (void)state;
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    api_as("");
    api(env, 200, "PUT", fmt("/api/v01/auth/reset-password/%s", token_of(id)),
        "{\"password\":\"Other-word-456!\"}");
    assert_non_null(api_login(env, "carol", "Other-word-456!"));
}

/* Whoever tries many tokens is slowed down before the program sees him. */
static void tokens_are_not_tried_in_bulk(void **state)
{
    int gone = 0, slowed = 0;
    struct env_answer a = {0};

    (void)state;
    api_as("");
    for (int i = 0; i < 60; i++) {
        a = api_raw(env, "GET", link_of("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "yes"),
                    NULL);
        gone += a.status == 410;
        if (a.status == 429) {
            slowed++;
            assert_non_null(strstr(a.body, "\"error\""));
        }
    }
    assert_true(gone > 0);
    assert_true(slowed > 0);
    assert_int_equal(gone + slowed, 60);
}

/* ---- approvals ------------------------------------------------------------------------------ */

#define APPROVAL(more)                                                                                                  \
    DEFINITION(                                                                                                         \
        CELL("ask", "user_approval", "\"description\":\"pay\"" more, "\"approved\",\"declined\",\"timeout\"") "," SAID( \
            "approved") "," SAID("declined") "," SAID("timeout") ",",                                                   \
        LINE("start.ok", "ask") "," LINE("ask.approved", "approved") "," LINE(                                          \
            "ask.declined",                                                                                             \
            "declined") "," LINE("ask.timeout",                                                                         \
                                 "timeout") "," LINE("approved.ok",                                                     \
                                                     "end") "," LINE("declined.ok",                                     \
                                                                     "end") "," LINE("timeout.ok",                      \
                                                                                     "end"))

static void approved_by_owner(void **state)
{
    const char *html[] = {"Accept: text/html", NULL};
    int64_t id = api_run(env, APPROVAL(""), "{}");
    const char *path;
    struct env_answer a;
    struct val v;

    (void)state;
    asked(id);
    path = fmt("/api/v01/transactions/%s", sql("SELECT instance_guid || '/actions/' || guid FROM "
                                               "manual_actions WHERE instance_id = %lld",
                                               (long long)id));
    v = api(env, 200, "GET", "/api/v01/system/users/local/manual_actions?pending=1", NULL);
    assert_string_equal(text(v, "manual_actions.0.description"), "pay");
    api_as(alice);
    api(env, 403, "GET", fmt("%s?output=approved", path), NULL);
    api(env, 403, "POST", path, "{\"output\":\"approved\"}");
    api_as("");
    api(env, 401, "GET", fmt("%s?output=approved", path), NULL);
    api(env, 401, "POST", path, "{\"output\":\"approved\"}");
    /* from a mail client: the interface signs him in */
    a = env_http(env, "GET", fmt("%s?output=approved", path), html, NULL);
    assert_int_equal(a.status, 302);
    assert_non_null(strstr(env_header(env, &a, "Location"), "?o=approved"));
    api_setup(NULL);
    api(env, 400, "GET", fmt("%s?output=skip", path), NULL);
    v = api(env, 200, "GET", fmt("%s?output=approved", path), NULL);
    assert_string_equal(text(v, "output"), "approved");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"approved\"");
    api(env, 409, "POST", path, "{\"output\":\"declined\"}");
    /* declined by the holder of a role */
    id = api_run(env, APPROVAL(",\"approbation_role\":\"approvers\""), "{}");
    api_as(alice);
    api(env, 200, "POST", answer_path(id, asked(id)), "{\"output\":\"declined\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"declined\"");
}

static void approval_in_time(void **state)
{
    int64_t id = api_run(env, APPROVAL(",\"timeout\":\"1500 ms\""), "{}"), action = asked(id);

    (void)state;
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"timeout\"");
    assert_string_equal(sql("SELECT output FROM manual_actions WHERE id = %lld", (long long)action),
                        "*cancelled*");
    api(env, 409, "POST", answer_path(id, action), "{\"output\":\"approved\"}");
    /* nobody to ask */
    api_route(env, "post", "/people/owner", api_activity(env, "no owner", APPROVAL("")),
              ",\"public\":true");
    api_as("");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/public/people/owner", "{}").status == 200);
    ENV_WAIT(env, 5000,
             sql("SELECT 1 FROM errors WHERE description LIKE 'nobody can approve%%'")[0] == '1');
}

/* Whoever waits for the answer of a route is told that it waits. */
static void a_caller_is_told_to_wait(void **state)
{
    struct env_answer a;
    struct val v;
    int64_t id;

    (void)state;
    api_route(env, "post", "/people/sync", api_activity(env, "sync asks", ASKING("approvers", "")),
              ",\"sync\":true");
    ENV_WAIT(env, 5000,
             (a = api_raw(env, "POST", "/api/v01/custom/people/sync", "{\"who\":\"x\"}")).status !=
                 404);
    assert_int_equal(a.status, 202);
    v = api_json(env, &a);
    id = api_int(v, "id");
    api_as(alice);
    api(env, 200, "POST", answer_path(id, asked(id)), "{\"output\":\"yes\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
}

/* Names of outputs are the contract's (workflow-engine.md 3.48). */
static void stands_in_the_catalogue(void **state)
{
    static const struct {
        const char *name, *outputs;
    } rows[] = {
        {"async_json_call", "[\"success\",\"timeout\",\"error\",\"skip\",\"rollback\"]"},
        {"trigger_manual_action", "[\"skip\"]"},
        {"cancel_manual_action", "[\"ok\"]"},
        {"user_approval", "[\"approved\",\"declined\",\"timeout\"]"},
        {"generate_ott", "[\"ok\",\"error\"]"},
        {"callback_response", "[\"ok\"]"},
    };
    struct val cells = val_get(api(env, 200, "GET", "/api/v01/cells", NULL), "cells");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *outputs = "";

        for (size_t k = 0; k < val_count(cells); k++)
            if (strcmp(text(val_at(cells, k), "name"), rows[i].name) == 0)
                outputs = text(val_at(cells, k), "outputs");
        assert_string_equal(outputs, rows[i].outputs);
    }
}

/* What an author gets wrong is an error of the task, in words. */
static void authors_mistakes(void **state)
{
    static const struct {
        const char *type, *params, *error;
    } rows[] = {
        {"user_approval", "\"timeout\":\"soon\"", "timeout"},
        {"user_approval", "\"timeout\":\"-5 s\"", "timeout"},
        {"user_approval", "\"approbation_role\":\"nobody\"", "unknown role \"nobody\""},
        {"trigger_manual_action", "\"role\":\"nobody\"", "unknown role \"nobody\""},
        {"trigger_manual_action", "\"form_input\":\"{\\\"type\\\":\\\"objekt\\\"}\"",
         "parameter \"form_input\""},
        {"trigger_manual_action", "\"form_input\":\"{\"", "parameter \"form_input\""},
        {"trigger_manual_action", "\"link_ott_context_key\":\"nothing\"",
         "context key \"nothing\" holds no token"},
        {"trigger_manual_action", "\"description\":\"{{ 1 / 0 }}\"", "description"},
        {"generate_ott", "\"scope\":\"Anything\"", "\"Anything\" is not among its values"},
        {"generate_ott", "\"output_context_key\":\"k\"", "\"scope\""},
        {"generate_ott", "\"scope\":\"ManualAction\",\"details\":\"[1]\"",
         "parameter \"details\" is not an object"},
        {"generate_ott", "\"scope\":\"ManualAction\",\"expiry_date\":\"0\"", "in the past"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t id =
            api_run(env, fmt("{\"cells\":{" START
                    ",\"bad\":{\"original_name\":\"%s\",\"params\":{%s},\"outputs\":[\"ok\"]}," END
                    "},\"entities\":[],\"transitions\":[" LINE("start.ok", "bad") "]}",
                    rows[i].type, rows[i].params),
                "{}");
        const char *error;

        api_until_task(env, id, "bad", "ERROR");
        error = sql("SELECT description FROM errors WHERE instance_id = %lld", (long long)id);
        if (strstr(error, rows[i].error) == NULL)
            env_fail(env, "row %zu: %s", i, error);
    }
}

/* ---- mails ---------------------------------------------------------------------------------- */

/* Told once the question is stored; what goes wrong with a mail fails nothing. */
static void told_by_mail(void **state)
{
    struct smtp_peer *mail = smtp_peer_new();
    const char *text, *log, *path;
    int64_t id, action;

    (void)state;
    api(env, 200, "POST", "/api/v01/templates",
        "{\"key\":\"mails.ask\",\"type\":\"jinja\",\"template\":\"Subject: please\\n\\n{{ to }} {{ "
        "from }} "
        "{{ action_path }}?output={{ outputs[0] }} {{ request.who }} {{ action_guid }} {{ "
        "instance_guid }}\"}");
    api_configure(env, "smtp",
                  fmt("{\"host\":\"127.0.0.1\",\"port\":%d,\"from\":\"noreply@sluice.example\"}",
                      smtp_peer_port(mail)));
    ENV_WAIT(env, 5000, strstr(env_log(env, "core.sock"), "config.read") != NULL);
    id = api_run(env, APPROVAL(",\"approbation_role\":\"approvers\",\"template\":\"mails.ask\",\"timeout\":"
                      "\"1 hour\""),
             "{\"who\":\"ann\"}");
    action = asked(id);
    ENV_WAIT(env, 10000, smtp_peer_count(mail) == 1);
    text = smtp_peer_message(mail, 0);
    path = sql("SELECT '/api/v01/transactions/' || instance_guid || '/actions/' || guid FROM "
               "manual_actions WHERE id = %lld",
               (long long)action);
    assert_non_null(strstr(text, "RCPT TO:<alice@example.org>"));
    assert_non_null(strstr(text, "Subject: please"));
    assert_non_null(strstr(text, "alice@example.org noreply@sluice.example"));
    api_until_task(env, id, "ask", "WAIT");
    ENV_WAIT(
        env, 5000,
        strcmp(sql("SELECT count(*) FROM traces WHERE instance_id = %lld AND http_method = 'SMTP'",
                   (long long)id),
               "1") == 0);
    assert_string_equal(
        sql("SELECT count(*) FROM timers WHERE instance_id = %lld AND status = 'WAIT'",
            (long long)id),
        "1");
    api_as(alice);
    api(env, 200, "POST", path, "{\"output\":\"approved\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    /* no such template: noted, and the question stands */
    api_setup(NULL);
    id = api_run(env, ASKING("approvers", ",\"notification_email_template\":\"mails.none\""),
             "{\"who\":\"ann\"}");
    action = asked(id);
    log = fmt("SELECT message FROM instance_logs WHERE instance_id = %lld AND message LIKE 'could "
              "not tell%%'",
              (long long)id);
    ENV_WAIT(env, 5000, env_psql(env, log)[0] != '\0');
    assert_string_equal(
        env_psql(env, log),
        "could not tell alice@example.org by mail: there is no template \"mails.none\"");
    assert_string_equal(api_task(env, id, "ask"), "WAIT");
    api_as(alice);
    api(env, 200, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    smtp_peer_free(mail);
}

/* ---- kill -9 -------------------------------------------------------------------------------- */

/* The answer is taken by a program that runs nothing and dies; whoever comes next goes on. */
static void survives_a_kill(void **state)
{
    pid_t core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    int64_t id, action;

    (void)state;
    ENV_WAIT(env, 10000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    id = api_run(env, ASKING("approvers", ""), "{\"who\":\"ann\"}");
    action = asked(id);
    (void)env_kill(env, core, SIGKILL);
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    ENV_WAIT(env, 10000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    api_as(alice);
    api(env, 200, "POST", answer_path(id, action), "{\"output\":\"yes\"}");
    (void)env_kill(env, core, SIGKILL);
    assert_string_equal(api_task(env, id, "ask"), "WAIT");
    core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    ENV_WAIT(env, 10000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"yes\"");
    assert_string_equal(
        sql("SELECT count(*) FROM tasks WHERE instance_id = %lld AND cell_id = 'yes'",
            (long long)id),
        "1");
    api(env, 409, "POST", answer_path(id, action), "{\"output\":\"no\"}");
    (void)env_kill(env, core, SIGTERM);
}

/* An answer given in time counts, however late anybody gets to it. */
static void in_time_is_in_time(void **state)
{
    pid_t core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    int64_t id, action;

    (void)state;
    ENV_WAIT(env, 10000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    id = api_run(env, APPROVAL(",\"timeout\":\"4 s\""), "{}");
    action = asked(id);
    (void)env_kill(env, core, SIGKILL);
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    ENV_WAIT(env, 10000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
    api(env, 200, "POST", answer_path(id, action), "{\"output\":\"approved\"}");
    (void)env_kill(env, core, SIGKILL);
    ENV_WAIT(env, 10000,
             strcmp(sql("SELECT at < now() FROM timers WHERE instance_id = %lld", (long long)id),
                    "t") == 0);
    core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    assert_string_equal(api_instance_status(env, id), "CLOSED_IN_SUCCESS");
    assert_string_equal(api_context(env, id, "said"), "\"approved\"");
    (void)env_kill(env, core, SIGTERM);
}

/* ---- start ---------------------------------------------------------------------------------- */

static const char *user(const char *name, const char *accesses)
{
    int64_t profile =
        api_int(api(env, 200, "POST", "/api/v01/system/user_profiles",
                    fmt("{\"name\":\"profile of %s\",\"accesses\":[%s]}", name, accesses)),
                "id");

    api(env, 200, "POST", "/api/v01/system/users",
        fmt("{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\","
            "\"profile_id\":%lld}",
            name, name, (long long)profile));
    return api_login(env, name, "Pass-word-123!");
}

static void people(void)
{
    const char *id;

    user("alice", "");
    bob = user("bobby", "\"requests\",\"requests.others_requests\"");
    carol = user("carol", "");
    role = api_int(api(env, 200, "POST", "/api/v01/system/user_roles", "{\"name\":\"approvers\"}"),
                   "id");
    id = sql("SELECT id FROM users WHERE username = 'alice'");
    api_raw(env, "POST", fmt("/api/v01/system/users/%s/roles/%lld", id, (long long)role), NULL);
    alice = api_login(env, "alice", "Pass-word-123!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(answered_by_a_role),
        API_TEST(without_role_anybody_on_requests),
        API_TEST(unknown_role_is_replayed),
        API_TEST(asked_below),
        API_TEST(takes_back),
        API_TEST(closes_at_once),
        API_TEST(answered_by_link),
        API_TEST(refuses_wrong_tokens),
        API_TEST(tokens_for_passwords),
        API_TEST(approved_by_owner),
        API_TEST(approval_in_time),
        API_TEST(authors_mistakes),
        API_TEST(a_caller_is_told_to_wait),
        API_TEST(stands_in_the_catalogue),
        API_TEST(told_by_mail),
        API_TEST(tokens_are_not_tried_in_bulk),
    };
    const struct CMUnitTest last[] = {API_TEST(survives_a_kill), API_TEST(in_time_is_in_time)};
    int failed;
    pid_t core;

    env = env_start();
    core =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    people();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)env_kill(env, core, SIGTERM);
    failed += cmocka_run_group_tests(last, NULL, NULL);
    return env_end(env, failed);
}
