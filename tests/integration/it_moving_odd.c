/*
 * Answers of an old platform that make no sense, hold secrets where none are looked for, or stop in the middle
 * (migration.md 6.3): what is no object is told and left out, a list that is shorter than it says is told, nothing of it
 * reaches the terminal that must not.
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <signal.h>
#include <string.h>

static struct env *env;
static const char *db;

#define LISTS(entries)                                                                                                    \
    "\"/api/v01/system/user_profiles\": {\"profiles\": " entries "}, \"/api/v01/system/user_roles\": {\"roles\": " entries "}," \
    "\"/api/v01/system/users\": {\"users\": " entries "}, \"/api/v01/templates\": {\"templates\": " entries "},"             \
    "\"/api/v01/activities\": {\"activities\": " entries "}, \"/api/v01/transactions/startup_events\": {\"events\": " entries "}," \
    "\"/api/v01/custom_routes\": {\"routes\": " entries "}, \"/api/v01/timers/cron\": {\"timers\": " entries "},"            \
    "\"/api/v01/webhooks/events\": {\"events\": " entries "}, \"/api/v01/webhooks\": {\"webhooks\": " entries "},"           \
    "\"/api/v01/bulks/actions\": {\"actions\": " entries "}, \"/api/v01/reports\": {\"reports\": " entries "},"              \
    "\"/api/v01/filters\": {\"filters\": " entries "}, \"/api/v01/apio/requests/search\": {\"requests\": " entries "},"      \
    "\"/api/v01/custom_instances/search\": {\"instances\": " entries "}"
#define CONFIGURATION "\"/api/v01/system/configuration\": {\"id\": 7, \"content\": {}}"

static const struct row {
    const char *name, *answers, *says[4];
    int status;
} rows[] = {
    {"entries that are no objects", CONFIGURATION "," LISTS("[\"x\", 1, null, [], true, 1.5]"),
     {"GET /api/v01/custom_routes: 6 entries are no objects; they were left out", "GET /api/v01/timers/cron: 6 entries are no objects", "imported with gaps"}, 3},
    {"lists that are none", CONFIGURATION "," LISTS("{\"a\": [\"x\"]}"), {"imported: "}, 0},
    {"an object that is none, behind a list", CONFIGURATION ", \"/api/v01/activities\": {\"activities\": [{\"id\": 5, \"name\": \"hello\"}]}, \"/api/v01/activities/5\": [\"x\"],"
     "\"/api/v01/activities/5/versions\": {\"activity_versions\": [{\"id\": 1, \"label\": null, \"definition\": {}}]}, \"/api/v01/templates\": {\"templates\": [{\"id\": 2}]},"
     "\"/api/v01/templates/2\": \"x\", \"/api/v01/system/user_profiles\": {\"profiles\": [{\"id\": 3, \"name\": \"gone\"}]}",
     {"GET /api/v01/activities/5 did not answer an object", "GET /api/v01/templates/2 did not answer an object", "GET /api/v01/system/user_profiles/3 answered 404", "imported with gaps"}, 3},
    {"a list that says it is longer", CONFIGURATION ", \"/api/v01/custom_routes\": {\"routes\": [], \"total_count\": 60}, \"/api/v01/reports\": {\"reports\": [], \"pagination\": [1, 50, 2, 60]}",
     {"GET /api/v01/custom_routes: 0 of 60 came", "GET /api/v01/reports: 0 of 60 came", "imported with gaps"}, 3},
    {"pages that end too soon", CONFIGURATION ", \"/api/v01/apio/requests/search?paging=%7B%22page_number%22:1,%22page_size%22:200%7D&sorting=%5B%7B%22field%22:%22created_on%22,%22direction%22:%22asc%22%7D%5D\": "
     "{\"requests\": [{\"request_id\": 1, \"created_on\": \"2024-03-05T10:00:00Z\"}], \"total_count\": 3, \"pagination\": [1, 200, 1, 3]}",
     {"GET /api/v01/apio/requests/search: 1 of 3 came: rows went meanwhile, or moved to a page that had been read; import again"}, 3},
    {"pages that do not say how many they are", CONFIGURATION ", \"/api/v01/apio/requests/search?paging=%7B%22page_number%22:1,%22page_size%22:200%7D&sorting=%5B%7B%22field%22:%22created_on%22,%22direction%22:%22asc%22%7D%5D\": "
     "{\"requests\": [{\"request_id\": 1, \"created_on\": \"2024-03-05T10:00:00Z\"}]},"
     "\"/api/v01/apio/requests/search?paging=%7B%22page_number%22:2,%22page_size%22:200%7D&sorting=%5B%7B%22field%22:%22created_on%22,%22direction%22:%22asc%22%7D%5D\": "
     "{\"requests\": [{\"request_id\": 2, \"created_on\": \"2024-03-05T10:00:01Z\"}]},"
     "\"/api/v01/apio/requests/search?paging=%7B%22page_number%22:3,%22page_size%22:200%7D&sorting=%5B%7B%22field%22:%22created_on%22,%22direction%22:%22asc%22%7D%5D\": {\"requests\": []}",
     {"not imported: 2 requests without instance"}, 0},
    {"a name that is a place", "\"/api/v01/system/configuration\": {\"id\": 7, \"content\": {\"SSO.broadsoft\": {\"a\": {\"b\": 1}}, \"gui\": {\"label\": \"x\"}}}",
     {"not imported: SSO.broadsoft", "gui.label: "}, 0},
    {"an account in an address", "\"/api/v01/system/configuration\": {\"id\": 7, \"content\": {\"gui\": {\"logo\": \"https://u:" CANARY "@h/x\", \"more\": [\"http://" CANARY "@h/?token=" CANARY "\"]}}}",
     {"gui.logo: - -> \"https://********@h/x\""}, 0},
    {"what a terminal obeys", "\"/api/v01/system/configuration\": {\"id\": 7, \"content\": {\"gateways\": {\"a\\u009b2J\\u202eb\": {\"url\": \"http://127.0.0.1:9/\"}}}}",
     {"gateways.a", "gateway a"}, 0},
};

static void told(const struct row *r)
{
    const char *data = file("odd.json", printed("{%s}", r->answers)), *out;
    pid_t pid;
    int port = moving_old_api_with(env, &pid, ARGS(printed("-data=%s", data)));

    out = import(r->status, db, ARGS(printed("--from-api=http://127.0.0.1:%d/", port), printed("--token-file=%s", file("token", CANARY "\n")), "--apply", "--check", "--on-conflict=replace"));
    for (size_t i = 0; i < COUNT_OF(r->says) && r->says[i] != NULL; i++)
        says(out, r->says[i]);
    assert_null(strstr(out, "\xc2\x9b"));
    assert_null(strstr(out, "\xe2\x80\xae"));
    env_kill(env, pid, SIGTERM);
}

/* A mapped value is as secret as the name it had. */
static void a_secret_under_another_name(void **state)
{
    const char *yaml = printed("--file=%s", file("ldap.yml", "ldap:\n  bind_password: " CANARY "\n  deep:\n    token: {a: " CANARY "}\n"));
    const char *map = printed("--map=%s", file("ldap.map", "ldap.bind_password=env.ldap_bind\nldap.deep.token=env.other\n"));

    (void)state;
    says(import(0, moving_base(env), ARGS("--dry-run", yaml, map)), "env.ldap_bind: - -> (set)\n");
}

static void the_address_for_resets(void **state)
{
    const char *out = import(2, db, ARGS("--apply", printed("--env-file=%s", file("reset.env", "proxy_name=p1\n")), "--send-reset=http://u:other-secret@127.0.0.1:1/"));

    (void)state;
    says(out, "--send-reset: credentials in the URL are not taken");
    assert_null(strstr(out, "other-secret"));
}

/* Times no calendar has come from nobody: the instance came when it says, and ended then. */
static void times_that_are_none(void **state)
{
    static const char *const times[] = {"infinity", "-infinity", "now", "yesterday", "epoch", "99999-01-01", ""};
    const char *base = moving_base(env), *rest = "", *transactions = "";
    pid_t pid;
    int port;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        rest = printed("%s%s{\"request_id\": %zu, \"instance_id\": %zu, \"instance_status\": \"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-03-05T10:00:00Z\", \"updated_on\": \"%s\"}", rest,
                       i > 0 ? "," : "", i + 1, i + 1, times[i]);
        transactions = printed("%s,\"/api/v01/transactions/%zu\": {\"id\": %zu, \"status\": \"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-03-05T10:00:00Z\", \"updated_on\": \"%s\","
                               "\"tasks\": [{\"id\": 1, \"cell_id\": \"start\", \"status\": \"OK\", \"created_on\": \"2024-03-05T10:00:00Z\", \"updated_on\": \"%s\"}],"
                               "\"errors\": [{\"id\": 1, \"cell_id\": \"start\", \"created_on\": \"%s\"}]}", transactions, i + 1, i + 1, times[i], times[i], times[i]);
    }
    port = moving_old_api_with(env, &pid, ARGS(printed("-data=%s", file("times.json", printed("{%s, \"/api/v01/apio/requests/search\": {\"requests\": [%s]}%s}", CONFIGURATION, rest, transactions)))));
    import(3, base, ARGS(printed("--from-api=http://127.0.0.1:%d/", port), printed("--token-file=%s", file("token", CANARY "\n")), "--apply", "--history", "--rate=5000/s"));
    env_kill(env, pid, SIGTERM);
    is(base, "SELECT (SELECT count(*) FROM instances) || ' ' || (SELECT count(*) FROM requests)", printed("%zu %zu", COUNT_OF(times), COUNT_OF(times)));
    is(base, "SELECT count(*) FROM instances WHERE closed_on IS DISTINCT FROM created_on OR updated_on IS DISTINCT FROM created_on", "0");
    is(base, "SELECT (SELECT count(*) FROM requests WHERE updated_on <> created_on) + (SELECT count(*) FROM tasks WHERE updated_on IS NOT NULL) "
             "+ (SELECT count(*) FROM errors WHERE created_on <> '2024-03-05T10:00:00Z')", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_under_another_name), cmocka_unit_test(the_address_for_resets), cmocka_unit_test(times_that_are_none),
    };
    int failed;

    env = env_start();
    db = moving_base(env);
    moving_ctl(env, 0, db, ARGS("migrate"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, told);
    return env_end(env, failed);
}
