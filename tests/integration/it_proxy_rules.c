/*
 * Rules of a profile hold for every spelling of a path (gateway-proxy.md 2.1, 5): request lines as bytes through nginx, and what
 * reached the gateway.
 */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#include "integration/env_proxy.h"
#include "support/cases.h"

static struct house h;
static const char *ruled; /* the token of one whose profile has the rules below */

#define RULES                                                                                                    \
    "[{\"method\":\"get\",\"url\":\"/api/v01/p1/do/ok/secret/open\",\"allowed\":true},"                            \
    "{\"method\":\"get\",\"url\":\"/api/v01/p1/do/ok/secret/*\",\"allowed\":false},"                               \
    "{\"method\":\"get\",\"url\":\"/api/v01/p1/do/*\",\"allowed\":true},"                                          \
    "{\"method\":\"get\",\"url\":\"/api/v01/p1/do/ok/late\",\"allowed\":false},"                                   \
    "{\"method\":\"post\",\"url\":\"/api/v01/p1/do/sink\",\"allowed\":true},"                                      \
    "{\"method\":\"any\",\"url\":\"/api/v01/p1/any/*\",\"allowed\":true}]"

#define P "/api/v01/p1"

static const struct row {
    const char *name, *method, *target;
    int status; /* 200: forwarded, whatever the gateway says; else refused by us, and it saw nothing */
} rows[] = {
    {"allowed", "GET", P "/do/ok/", 200},
    {"refused", "GET", P "/do/ok/secret/x/", 403},
    {"refused without the last slash", "GET", P "/do/ok/secret/x", 403},
    {"refused, the collection itself", "GET", P "/do/ok/secret", 403},
    {"the first one that fits wins", "GET", P "/do/ok/secret/open", 200},
    {"and its last slash does not count", "GET", P "/do/ok/secret/open/", 200},
    {"the later one does not", "GET", P "/do/ok/late", 200},
    {"none fits", "GET", P "/other/ok/", 403},
    {"none fits the method", "DELETE", P "/do/ok/", 403},
    {"method of another rule", "POST", P "/do/ok/", 403},
    {"method of its rule", "POST", P "/do/sink/", 200},
    {"any method", "DELETE", P "/any/x/", 200},
    {"HEAD as GET", "HEAD", P "/do/ok/", 200},
    {"HEAD as GET, refused", "HEAD", P "/do/ok/secret/x", 403},
    {"small letters are no method", "get", P "/do/ok/", 400},
    /* spellings of the refused path */
    {"escaped letters", "GET", P "/do/ok/%73ecret/x", 403},
    {"escapes in small letters", "GET", P "/do/ok/secre%74/%78", 403},
    {"escaped unreserved signs", "GET", P "/do/ok/secret/a%2db%5fc%7e", 403},
    {"prefix escaped", "GET", "/api/v01/%701/do/ok/secret/x", 403},
    {"escaped twice is another name", "GET", P "/do/ok/%2573ecret/x", 200},
    {"capitals are another name", "GET", P "/do/ok/SECRET/x", 200},
    {"two slashes", "GET", P "/do/ok//secret/x", 400},
    {"two slashes behind the prefix", "GET", P "//do/ok/secret/x", 400},
    {"a dot", "GET", P "/do/ok/./secret/x", 400},
    {"two dots", "GET", P "/do/ok/a/../secret/x", 400},
    {"escaped dots", "GET", P "/do/ok/a/%2e%2e/secret/x", 400},
    {"half escaped dots", "GET", P "/do/ok/a/.%2E/secret/x", 400},
    {"dots behind an escaped separator", "GET", P "/do/ok/a%2f..%2fsecret/x", 400},
    {"dots with parameters", "GET", P "/do/ok/a/..;/secret/x", 400},
    {"out of the prefix", "GET", P "/../p1/do/ok/secret/x", 400},
    {"escaped separator", "GET", P "/do/ok%2Fsecret/x", 403},
    {"escaped separator at the end", "GET", P "/do/ok/secret%2fx", 403},
    {"parameters", "GET", P "/do/ok/secret;v=1/x", 403},
    {"empty parameters", "GET", P "/do/ok/secret;/x", 403},
    {"parameters before it", "GET", P "/do/ok;a=b/secret/x", 403},
    {"parameters elsewhere", "GET", P "/do/ok/open;v=1", 200},
    {"absolute URI", "GET", "http://evil.example" P "/do/ok/secret/x", 403},
    {"absolute URI, allowed", "GET", "http://evil.example" P "/do/ok/", 200},
    {"a query does not matter", "GET", P "/do/ok/secret/x?y=/do/ok/", 403},
    {"a query does not refuse", "GET", P "/do/ok/?x=/do/ok/secret/x", 200},
    {"NUL behind it", "GET", P "/do/ok/secret%00/x", 400},
    {"NUL before it", "GET", P "/do/ok/%00secret/x", 400},
    {"number sign", "GET", P "/do/ok/secret/x#", 400},
    {"number sign before what is allowed", "GET", P "/do/ok/secret/x#/../open", 400},
    {"backslash", "GET", P "/do/ok/secret\\x", 403},
    {"escaped backslash", "GET", P "/do/ok/secret%5cx", 403},
    {"bytes that are no text", "GET", P "/do/ok/%c0%afsecret/x", 200},
    {"the old alias", "GET", "/api/v01/apio/sync/api/v1/do/ok/secret/x", 403},
    {"the old alias, escaped", "GET", "/api/v01/apio/sync/api/v1/do/ok/%73ecret/x", 403},
    {"the old alias, allowed", "GET", "/api/v01/apio/sync/api/v1/do/ok/", 200},
    {"replays are no forwarding", "GET", P "/transactions/1", 403},
};

static void rule_holds(const struct row *r)
{
    long before = rogue_requests(h.rogue);
    const char *text = house_raw(&h,
                                 env_fmt(h.env, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n%s\r\n%s",
                                         r->method, r->target, ruled, strcmp(r->method, "POST") == 0 ? "Content-Length: 2\r\n" : "",
                                         strcmp(r->method, "POST") == 0 ? "{}" : ""),
                                 5000);
    int status = 0;

    (void)sscanf(text, "HTTP/1.1 %d", &status);
    if (r->status == 200) {
        if (status < 200 || status == 403 || rogue_requests(h.rogue) != before + 1)
            env_fail(h.env, "not forwarded: %.400s", text);
        return;
    }
    if (status != r->status || rogue_requests(h.rogue) != before)
        env_fail(h.env, "expected %d and no call: %.400s", r->status, text);
}

/* Some servers take the method or the path from a header: the rules were asked for another call then. */
static void headers_name_no_other_call(void **state)
{
    static const char *const names[] = {"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *headers[] = {env_fmt(h.env, "Authorization: Bearer %s", ruled), "Content-Type: application/json", env_fmt(h.env, "%s: DELETE", names[i]), NULL};
        long before = rogue_requests(h.rogue);
        struct env_answer a = env_http(h.env, "POST", P "/do/sink", headers, "{}");

        if (a.status != 403 || strstr(a.body, "not allowed: header") == NULL || rogue_requests(h.rogue) != before)
            env_fail(h.env, "%s: %d %.300s", names[i], a.status, a.body);
        headers[0] = api_auth(h.env); /* no rules for a system user */
        a = env_http(h.env, "POST", P "/do/sink", headers, "{}");
        if (a.status != 200 || rogue_requests(h.rogue) != before + 1)
            env_fail(h.env, "%s, administrator: %d %.300s", names[i], a.status, a.body);
    }
}

/* A changed profile counts from then on, and a user without one may nothing. */
static void follows_changes(void **state)
{
    struct val v = api(h.env, 200, "GET", "/api/v01/system/user_profiles", NULL);
    const char *was, *path = NULL;

    (void)state;
    for (size_t i = 0; i < val_count(val_get(v, "profiles")); i++)
        if (str_eq_c(val_get_text(val_at(val_get(v, "profiles"), i), "name", STR("")), "ruled"))
            path = env_fmt(h.env, "/api/v01/system/user_profiles/%lld", (long long)api_int(val_at(val_get(v, "profiles"), i), "id"));
    assert_non_null(path);
    api(h.env, 200, "PUT", path, "{\"api_rules\":[{\"method\":\"get\",\"url\":\"*\",\"allowed\":true}]}");
    was = api_as(ruled);
    ENV_WAIT(h.env, 3000, api_raw(h.env, "GET", P "/do/ok/secret/x", NULL).status != 403);
    api_as(was);
    api(h.env, 200, "PUT", path, "{\"api_rules\":[]}");
    was = api_as(ruled);
    ENV_WAIT(h.env, 3000, api_raw(h.env, "GET", P "/do/ok/", NULL).status == 403);
    api_as(was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(headers_name_no_other_call), API_TEST(follows_changes)};
    struct val v;
    int failed;

    house_start(&h, NULL);
    v = api(h.env, 200, "POST", "/api/v01/system/user_profiles",
            "{\"name\":\"ruled\",\"available\":true,\"accesses\":[],\"api_rules\":" RULES "}");
    api(h.env, 200, "POST", "/api/v01/system/users",
        env_fmt(h.env, "{\"username\":\"ruled\",\"email\":\"r@example.org\",\"language\":\"en\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}",
                (long long)api_int(v, "id")));
    ruled = api_login(h.env, "ruled", "Pass-word-123!");
    api_as(ruled);
    ENV_WAIT(h.env, 5000, api_raw(h.env, "GET", P "/do/ok/", NULL).status == 200);
    failed = CASES(rows, rule_holds);
    return house_end(&h, failed + cmocka_run_group_tests(tests, NULL, NULL));
}
