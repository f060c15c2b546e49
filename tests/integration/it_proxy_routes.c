/*
 * Custom routes over proxied paths: which call a workflow answers and which goes to the gateway (gateway-proxy.md 5), by method,
 * placeholder, group and state of the route.
 */
#include "base/arena.h"

#include <string.h>

#include "integration/env_proxy.h"
#include "support/cases.h"

static struct house h;

#define P1 "/api/v01/p1"
#define EDGE "/api/v01/p1/edge" /* a second proxy of the same process, short name "edge" */

static const struct route {
    const char *method, *route, *more;
} routes[] = {
    {"get", "/do/{what}/over", ",\"group\":\"others\""},
    {"post", "/do/only_post", ""},
    {"get", "/do/number/{n:[0-9]+}", ""},
    {"get", "/do/edge_only", ",\"group\":\"edge\""},
    {"get", "/do/off", ",\"enabled\":false"},
    {"get", "/do/open", ",\"public\":true"},
    {"get", "/do/literal/{x}", ""},
    {"put", "/do/body/{id}", ",\"schema\":{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"}}}"},
    {"get", "/api/v01/{proxy}/do/absolute/{t}/", ""},
};

static const struct row {
    const char *name, *method, *path, *body;
    int status;        /* of the workflow's answer, or of a refusal */
    const char *want;  /* its body; NULL: forwarded to the gateway instead */
} rows[] = {
    {"placeholder", "GET", P1 "/do/ok/over", NULL, 200, "{\"info\":{\"what\":\"ok\"},\"tail\":\"do/ok/over\",\"proxy\":\"p1\"}"},
    {"final slash", "GET", P1 "/do/ok/over/", NULL, 200, "{\"info\":{\"what\":\"ok\"},\"tail\":\"do/ok/over/\",\"proxy\":\"p1\"}"},
    {"placeholder with escapes", "GET", P1 "/do/a%2Fb%20c/over", NULL, 200, "{\"info\":{\"what\":\"a/b c\"},\"tail\":\"do/a%2Fb%20c/over\",\"proxy\":\"p1\"}"},
    {"another spelling of the route", "GET", P1 "/%64o/ok/ove%72", NULL, 200, "{\"info\":{\"what\":\"ok\"},\"tail\":\"do/ok/over\",\"proxy\":\"p1\"}"},
    {"the other proxy", "GET", EDGE "/do/ok/over", NULL, 200, "{\"info\":{\"what\":\"ok\"},\"tail\":\"do/ok/over\",\"proxy\":\"edge\"}"},
    {"another method", "POST", P1 "/do/ok/over", "{}", 0, NULL},
    {"more below it", "GET", P1 "/do/ok/over/x", NULL, 0, NULL},
    {"a placeholder is one segment", "GET", P1 "/do/ok/x/over", NULL, 0, NULL},
    {"its method", "POST", P1 "/do/only_post", "{}", 200, "{\"info\":{},\"tail\":\"do/only_post\",\"proxy\":\"p1\"}"},
    {"not its method", "GET", P1 "/do/only_post", NULL, 0, NULL},
    {"not its method either", "DELETE", P1 "/do/only_post", NULL, 0, NULL},
    {"expression fits", "GET", P1 "/do/number/42", NULL, 200, "{\"info\":{\"n\":\"42\"},\"tail\":\"do/number/42\",\"proxy\":\"p1\"}"},
    {"expression does not fit", "GET", P1 "/do/number/x42", NULL, 0, NULL},
    {"group of the proxy", "GET", EDGE "/do/edge_only", NULL, 200, "{\"info\":{},\"tail\":\"do/edge_only\",\"proxy\":\"edge\"}"},
    {"group of another proxy", "GET", P1 "/do/edge_only", NULL, 0, NULL},
    {"disabled", "GET", P1 "/do/off", NULL, 0, NULL},
    {"public ones are elsewhere", "GET", P1 "/do/open", NULL, 0, NULL},
    {"schema holds", "PUT", P1 "/do/body/7", "{\"name\":\"x\"}", 200, "{\"info\":{\"id\":\"7\"},\"tail\":\"do/body/7\",\"proxy\":\"p1\"}"},
    {"schema does not hold", "PUT", P1 "/do/body/7", "{\"name\":1}", 400, ""},
    {"no body where one is needed", "PUT", P1 "/do/body/7", NULL, 400, ""},
    {"an absolute route", "GET", P1 "/do/absolute/acme", NULL, 200, "{\"info\":{\"proxy\":\"p1\",\"t\":\"acme\"},\"tail\":\"do/absolute/acme\",\"proxy\":\"p1\"}"},
    {"dots are refused before any route", "GET", P1 "/do/x/../ok/over", NULL, 400, ""},
};

static void overloads(const struct row *r)
{
    long before = rogue_requests(h.rogue);
    struct env_answer a;

    api_setup(NULL);
    a = api_raw(h.env, r->method, r->path, r->body);
    if (r->want == NULL) {
        if (rogue_requests(h.rogue) != before + 1)
            env_fail(h.env, "not forwarded: %d %.300s", a.status, a.body);
        return;
    }
    if (a.status != r->status || (r->want[0] != '\0' && strcmp(a.body, r->want) != 0) || rogue_requests(h.rogue) != before)
        env_fail(h.env, "expected %d %s: %d %.300s", r->status, r->want, a.status, a.body);
}

/* Who calls needs a token, also where a workflow answers. */
static void asks_who_calls(void **state)
{
    (void)state;
    api_as("");
    api(h.env, 401, "GET", P1 "/do/ok/over", NULL);
    api_as("x.y.z");
    api(h.env, 401, "GET", P1 "/do/ok/over", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(asks_who_calls)};
    int64_t id;
    int failed;

    house_start(&h, (const char *const[]){"-workflows", "-proxy=" EDGE ":bwks", NULL});
    /* the short names of all proxies, those of other processes too, are known by these entries and those of SSO */
    api_configure(h.env, "provisioning", "{\"gateways\":[{\"name\":\"Main\",\"prefix\":\"" P1 "\"},{\"name\":\"Edge\",\"prefix\":\"" EDGE "/\"}]}");
    id = api_activity(h.env, "over",
                      DEFINITION(CELL("answer", "sync_response",
                                      "\"status\":\"200\",\"body\":\"{\\\"info\\\": {{ request.match_info|tojson }}, \\\"tail\\\": "
                                      "{{ request.tail|tojson }}, \\\"proxy\\\": {{ proxy_name|tojson }}}\"",
                                      "\"ok\"") ",",
                                 "[\"start.ok\",\"answer\"],[\"answer.ok\",\"end\"]"));
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        api_route(h.env, routes[i].method, routes[i].route, id, env_fmt(h.env, ",\"sync\":true%s", routes[i].more));
    ENV_WAIT(h.env, 5000, strstr(api_raw(h.env, "GET", P1 "/do/absolute/last", NULL).body, "\"info\"") != NULL);
    failed = CASES(rows, overloads);
    return house_end(&h, failed + cmocka_run_group_tests(tests, NULL, NULL));
}
