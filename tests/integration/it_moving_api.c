/*
 * Moving in through the API of the old platform: every kind of thing it shows, what cannot come
 * along, repeating, conflicts, a kill after each transaction (migration.md 6.1, 6.3, 11.12).
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "support/peer.h"

static struct env *env;
static const char *url, *token;

#define IMPORT(...) ARGS("import-legacy", url, token, "--rate=5000/s", __VA_ARGS__)

static const char *one(const char *db, const char *sql)
{
    return env_psql_at(env, db, sql);
}

/* ---- everything ---------------------------------------------------------------------------------- */

static const char *const gaps[] = {
    "users \"ann\": passkeys cannot be exported; they have to be registered again",
    "users \"ann\": the secret of one-time passwords cannot be exported; it has to be set up again",
    "users \"robot\": the token of programs does not come along; make a new one and give it to them",
    "routes \"post\", \"/lost\": its workflow is not in the list of workflows; give it one in the interface",
    "scheduled jobs \"never right\": hour: 33",
    "reports \"too often\": comes more often than once a minute; make it again in the interface",
    "gateways.bwks.password: masked by the source; give --secrets=FILE (path=value lines) or enter it in the interface",
    "not imported: 3 instances without documents; --history brings those that are closed",
    "not imported: 1 requests without instance; --history brings them",
    "not imported: passwords of users (no API gives them); sluicectl passwd NAME gives new ones",
    "scheduled jobs: 1 run here as soon as a core with -workflows does; stop them on the old platform first",
};

static void all_is_told(const char *output)
{
    for (size_t i = 0; i < COUNT_OF(gaps); i++)
        moving_says(env, output, gaps[i]);
    assert_null(strstr(output, "alarms;"));
}

static void people_came(const char *db)
{
    is(db, "SELECT concat_ws(' ', status, need_password_change, password_hash IS NULL, groups[1], properties ->> 'desk', timezone, "
           "with_ip_limits, ui_data ->> 'theme', p.name, registered_on::date) FROM users u JOIN user_profiles p ON p.id = u.profile_id "
           "WHERE username = 'ann'", "INACTIVE t t east 4 +02:00 t dark clerks 2024-03-01");
    is(db, "SELECT string_agg(username || ' ' || status || ' ' || is_system, ', ' ORDER BY id) FROM users WHERE username IN ('Bob', 'robot')",
       "Bob REVOKED true, robot ACTIVE false");
    is(db, "SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM user_roles m JOIN users u ON u.id = m.user_id JOIN roles r ON r.id = m.role_id "
           "WHERE u.username = 'ann'", "approvers, night shift");
    is(db, "SELECT l.ip FROM user_ip_limits l JOIN users u ON u.id = l.user_id WHERE username = 'ann'", "10.1.0.0/16");
    is(db, "SELECT endpoint || ' ' || (endpoint_extra LIKE 'sealed:%') FROM user_callbacks", "https://crm.example/done true");
    is(db, "SELECT home || ' ' || array_to_string(accesses, ',') || ' ' || (api_rules -> 0 ->> 'url') FROM user_profiles WHERE name = 'clerks'",
       "/requests requests,bulks /api/v01/p1/*");
    is(db, "SELECT count(*) FROM weak_passwords WHERE password IN ('password', '123456', 'qwerty')", "3");
}

static void work_came(const char *db)
{
    is(db, "SELECT string_agg(coalesce(label, '-') || ':' || active || ':' || coalesce(message, ''), ' ' ORDER BY label) FROM activity_versions v "
           "JOIN activities a ON a.id = v.activity_id WHERE a.name = 'hello'", "v1:false:first v2:true:with an end -:false:");
    is(db, "SELECT d.definition::json #>> '{cells,start,x}' FROM activity_versions v JOIN definitions d ON d.id = v.definition_id JOIN activities a "
           "ON a.id = v.activity_id WHERE a.name = 'hello' AND v.label IS NULL", "3");
    is(db, "SELECT u.username || ' ' || v.commit_at::date FROM activity_versions v JOIN users u ON u.id = v.user_id WHERE label = 'v1'", "ann 2024-03-02");
    is(db, "SELECT a.name FROM startup_events s JOIN activities a ON a.id = s.activity_id WHERE s.name = 'platform_started'", "tidy");
    is(db, "SELECT concat_ws(' ', r.method, a.name, r.group_name, r.schema ->> 'description', r.bulk_options ->> 'sequence') FROM custom_routes r "
           "JOIN activities a ON a.id = r.activity_id WHERE route = '/hello/{name}'", "get hello greetings nothing is asked 1");
    is(db, "SELECT concat_ws(' ', a.name, t.enabled, t.hour, t.minute, t.request_body::json #>> '{body,deep}') FROM timers_cron t JOIN activities a "
           "ON a.id = t.activity_id", "tidy t 3 15 true");
    is(db, "SELECT concat_ws(' ', w.name, w.secret LIKE 'sealed:%', w.custom_header, w.custom_header_value LIKE 'sealed:%', e.label) FROM webhooks w "
           "JOIN webhook_subscriptions s ON s.webhook_id = w.id JOIN webhook_events e ON e.id = s.event_id", "crm t X-Key t number created");
    is(db, "SELECT concat_ws(' ', b.name, a.name, b.options ->> 'delimiter', b.sequence_timeout) FROM bulk_actions b JOIN activities a ON a.id = b.activity_id",
       "greet many hello ; 2.5");
    is(db, "SELECT name || ' ' || type || ' ' || period_range FROM reports", "monthly usage usage 86400");
    is(db, "SELECT string_agg(f.name || ':' || coalesce(u.username, '-'), ' ' ORDER BY f.name) FROM saved_filters f LEFT JOIN users u ON u.id = f.user_id",
       "for all:- mine:ann");
    is(db, "SELECT convert_from(content, 'UTF8') FROM templates WHERE key = 'reports.month'", "PK-bytes-of-a-sheet");
    is(db, "SELECT template FROM templates WHERE key = 'mails.hello'", "Hello {{ x }}");
}

static void everything_the_api_shows(void **state)
{
    const char *db = moving_base(env), *out;
    const char *secrets = moving_printed(env, "--secrets=%s", moving_file(env, "secrets", "gateways.bwks.password=" CANARY "\n"));

    (void)state;
    out = moving_ctl(env, 3, db, IMPORT("--dry-run"));
    all_is_told(out);
    moving_says(env, out, "versions of workflows: 2 read, 2 added");
    is(db, "SELECT count(*) FROM activities", "0");

    out = moving_ctl(env, 3, db, IMPORT("--apply"));
    all_is_told(out);
    moving_says(env, out, "scheduled jobs: 2 read, 1 added, 0 replaced, 0 kept, 0 unchanged, 1 left out");
    people_came(db);
    work_came(db);
    moving_sealed(env, db);
    is(db, "SELECT json_array_length(skipped) >= 10 FROM imports", "t");

    out = moving_ctl(env, 3, db, IMPORT("--apply", secrets, "--on-conflict=replace"));
    if (strstr(out, " added") == NULL || strstr(out, "users: 3 read, 0 added, 0 replaced, 0 kept, 3 unchanged") == NULL)
        env_fail(env, "%s", out);
    out = moving_ctl(env, 3, db, IMPORT("--apply", secrets));
    says(out, "instances: 3 read, 0 added, 2 unchanged, 1 running, 0 left out");
    for (const char *p = out, *end = strstr(out, "instances: 3 read"); (p = strstr(p, " read, ")) != NULL && p < end; p += 7)
        if (strncmp(p, " read, 0 added, 0 replaced, 0 kept, ", 36) != 0)
            env_fail(env, "the second import changed something: %s", out);
    is(db, "SELECT count(*) FROM configuration WHERE comment LIKE 'import%'", "2");
    is(db, "SELECT left(content #>> '{gateways,bwks,password}', 7) FROM configuration ORDER BY id DESC LIMIT 1", "sealed:");
    moving_sealed(env, db);
}

/* ---- conflicts ----------------------------------------------------------------------------------- */

static void conflicts(void **state)
{
    const char *db = moving_base(env), *out;

    (void)state;
    moving_ctl(env, 3, db, IMPORT("--apply"));
    env_psql_at(env, db, "UPDATE users SET email = 'new@example.com' WHERE username = 'ann'");
    env_psql_at(env, db, "UPDATE custom_routes SET enabled = false WHERE route = '/hello/{name}'");
    out = moving_ctl(env, 3, db, IMPORT("--apply"));
    moving_says(env, out, "users: 3 read, 0 added, 0 replaced, 1 kept, 2 unchanged");
    moving_says(env, out, "routes: 2 read, 0 added, 0 replaced, 1 kept, 1 unchanged");
    is(db, "SELECT email FROM users WHERE username = 'ann'", "new@example.com");
    out = moving_ctl(env, 1, db, IMPORT("--apply", "--on-conflict=fail"));
    moving_says(env, out, "conflict: users \"ann\" differs from what is there; choose --on-conflict=keep or replace");
    out = moving_ctl(env, 3, db, IMPORT("--apply", "--on-conflict=replace"));
    moving_says(env, out, "users: 3 read, 0 added, 1 replaced, 0 kept, 2 unchanged");
    is(db, "SELECT email || ' ' || enabled FROM users, custom_routes WHERE username = 'ann' AND route = '/hello/{name}'", "ann@example.com true");
}

/* ---- killed ---------------------------------------------------------------------------------------- */

/* Contents that must be the same however often it was killed: no ids, no times. */
static const char *picture(const char *db)
{
    return moving_printed(env, "%s|%s|%s|%s|%s",
        one(db, "SELECT string_agg(concat_ws(',', username, email, status, groups::text, properties::text), ';' ORDER BY username) FROM users"),
        one(db, "SELECT string_agg(concat_ws(',', a.name, v.label, v.active, md5(d.definition)), ';' ORDER BY a.name, v.label) FROM activities a "
                "JOIN activity_versions v ON v.activity_id = a.id JOIN definitions d ON d.id = v.definition_id"),
        one(db, "SELECT string_agg(concat_ws(',', r.method, r.route, a.name, r.group_name), ';' ORDER BY r.route) FROM custom_routes r LEFT JOIN "
                "activities a ON a.id = r.activity_id"),
        one(db, "SELECT concat_ws(',', (SELECT count(*) FROM user_roles), (SELECT count(*) FROM user_callbacks), (SELECT count(*) FROM templates), "
                "(SELECT count(*) FROM timers_cron), (SELECT count(*) FROM webhooks), (SELECT count(*) FROM webhook_subscriptions), "
                "(SELECT count(*) FROM bulk_actions), (SELECT count(*) FROM reports), (SELECT count(*) FROM saved_filters), "
                "(SELECT count(*) FROM weak_passwords), (SELECT count(*) FROM startup_events))"),
        one(db, "SELECT count(*) || ',' || max(content #>> '{gateways,bwks,url}') FROM configuration WHERE comment LIKE 'import%'"));
}

/* Each run goes on where the one before was killed. */
static void item_12_killed_after_each_transaction(void **state)
{
    static const char *const points[] = {
        "begin", "profiles", "roles", "users", "role_members", "ip_limits", "callbacks", "templates", "versions", "startup_events",
        "routes", "scheduled_jobs", "webhook_events", "webhooks", "bulk_actions", "reports", "filters", "weak_passwords", "configuration"};
    const char *db = moving_base(env), *again = moving_base(env);

    (void)state;
    NEEDS_FAULT_POINTS();
    moving_ctl(env, 3, db, IMPORT("--apply"));
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, again, IMPORT("--apply"), ARGS(moving_printed(env, "SLUICE_FAULT=import.%s:1", points[i])));
    moving_ctl(env, 3, again, IMPORT("--apply"));
    if (strcmp(picture(again), picture(db)) != 0)
        env_fail(env, "killed: %s, not %s", picture(again), picture(db));
}

/* The same for what a name in a list of the configuration stands for. */
static void conflicts_of_sections(void **state)
{
    const char *db = moving_base(env);
    const char *one = file("one.yml", "SSO:\n  - name: corp\n    protocol: oidc\n    enabled: true\n"), *two = file("two.yml", "SSO:\n  - name: corp\n    protocol: oidc\n    enabled: false\n");
    const char *enabled = "SELECT e ->> 'enabled' FROM configuration, json_array_elements(content -> 'SSO') e WHERE e ->> 'name' = 'corp' ORDER BY id DESC LIMIT 1";

    (void)state;
    import(0, db, ARGS("--apply", printed("--file=%s", one)));
    says(import(0, db, ARGS("--apply", printed("--file=%s", two))), "SSO.corp: kept as it is (--on-conflict=replace takes the imported one)");
    is(db, enabled, "true");
    says(import(1, db, ARGS("--apply", "--on-conflict=fail", printed("--file=%s", two))), "conflict: SSO.corp differs from what is there; choose --on-conflict=keep or replace");
    import(0, db, ARGS("--apply", "--on-conflict=replace", printed("--file=%s", two)));
    is(db, enabled, "false");
}

/* ---- the source ------------------------------------------------------------------------------------ */

static void a_wrong_token(void **state)
{
    const char *db = moving_base(env), *out;
    const char *wrong = moving_printed(env, "--token-file=%s", moving_file(env, "wrong", "another"));

    (void)state;
    out = moving_ctl(env, 1, db, ARGS("import-legacy", url, wrong, "--apply"));
    moving_says(env, out, "the old platform: GET /api/v01/system/configuration answered 401");
    is(db, "SELECT count(*) FROM activities", "0");
}

/* Whoever may sign in, has an address and no password, gets the mail of the new platform. */
static void reset_mails_are_asked_for(void **state)
{
    static const struct peer_step answer[] = {{.body = "{}"}};
    struct peer *new = peer_new(answer, 1);
    const char *out, *db = moving_base(env), *to = moving_printed(env, "--send-reset=http://127.0.0.1:%d/", peer_port(new));

    (void)state;
    moving_says(env, moving_ctl(env, 3, db, IMPORT("--dry-run", to)), "dry run");
    assert_int_equal(peer_requests(new), 0);
    moving_says(env, moving_ctl(env, 3, db, IMPORT("--apply", to)), "reset mails: 0 asked for");
    env_psql_at(env, db, "UPDATE users SET status = 'ACTIVE' WHERE username = 'ann'");
    moving_says(env, moving_ctl(env, 3, db, IMPORT("--apply", to)), "reset mails: 1 asked for");
    assert_int_equal(peer_requests(new), 1);
    assert_true(str_find(peer_request(new, 0), STR("POST /api/v01/auth/reset-password ")) == 0);
    assert_true(str_find(peer_request(new, 0), STR("{\"username\":\"ann\"}")) > 0);
    peer_free(new);
    env_psql_at(env, db, "UPDATE users SET status = 'ACTIVE', email = coalesce(nullif(email, ''), 'x@example.com') WHERE username IN ('ann', 'Bob', 'robot')");
    out = moving_ctl(env, 3, db, IMPORT("--apply", to));
    moving_says(env, out, "users \"Bob\": no reset mail was asked for: ");
    moving_says(env, out, "reset mails: nobody answers at http://127.0.0.1:");
    moving_says(env, out, "/; the mails of 1 more were not asked for\n");
    moving_says(env, out, "reset mails: 0 asked for\n");
}

static void somewhere_else(void **state)
{
    static const struct peer_step answer[] = {{.status = 302, .headers = "Location: http://127.0.0.1:1/?token=" CANARY "\r\n"}};
    struct peer *p = peer_new(answer, 1);

    (void)state;
    says(import(1, moving_base(env), ARGS(printed("--from-api=http://127.0.0.1:%d/", peer_port(p)), token)),
         "the old platform: GET /api/v01/system/configuration answered 302; it is somewhere else: give the address it has there\n");
    assert_int_equal(peer_requests(p), 1);
    peer_free(p);
}

/* What a terminal would obey, lines that are none: not in what is printed. */
static void names_that_forge_output(void **state)
{
    static const struct peer_step answers[] = {
        {.body = "{\"content\": {\"gateways\": {\"a\\u001b[2J\\nb\": {\"url\": \"https://a/\", \"password\": \"********\"}}}}"},
        {.body = "{\"profiles\": []}"}, {.body = "{\"roles\": [{\"name\": \"x\\u001b[31m\\nimported with love\", \"description\": \"" CANARY "\\u0000\"}]}"}, {.body = "{}"}};
    struct peer *p = peer_new(answers, COUNT_OF(answers));
    const char *db = moving_base(env), *from = printed("--from-api=http://127.0.0.1:%d/", peer_port(p)), *out;

    (void)state;
    out = import(3, db, ARGS(from, token, "--apply"));
    says(out, "roles \"x [31m imported with love\": it holds a NUL character, which the database cannot store");
    assert_null(strchr(out, '\033'));
    assert_null(strstr(out, "\nimported with love"));
    peer_free(p);
}

/* It only ever read. */
static void the_old_platform_is_not_written(void **state)
{
    (void)state;
    assert_null(strstr(env_log(env, "old platform"), "somebody writes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_the_api_shows), cmocka_unit_test(conflicts), cmocka_unit_test(conflicts_of_sections),
        cmocka_unit_test(item_12_killed_after_each_transaction), cmocka_unit_test(a_wrong_token),
        cmocka_unit_test(reset_mails_are_asked_for), cmocka_unit_test(somewhere_else), cmocka_unit_test(names_that_forge_output),
        cmocka_unit_test(the_old_platform_is_not_written),
    };
    pid_t old;
    int failed;

    env = env_start();
    url = moving_printed(env, "--from-api=http://127.0.0.1:%d/", moving_old_api(env, &old));
    token = moving_printed(env, "--token-file=%s", moving_file(env, "token", CANARY "\n"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    env_kill(env, old, SIGTERM);
    return env_end(env, failed);
}
