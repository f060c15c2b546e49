/*
 * Searching what went through proxies, and reading one of it (gateway-proxy.md 8, http-api.md 2 and 5.14).
 */
#include "base/arena.h"

#include <string.h>

#include "base/json.h"
#include "http/url.h"
#include "integration/env_api.h"
#include "support/cases.h"

#define CANARY "canary-5ecret-3d1c"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */

/* Every call of this test carries the mark, so that those of waiting do not count. */
#define MARK "mark=m7"

static const char *query(const char *filter, const char *more)
{
    const char *all = filter[0] == '\0' ? "[{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%" MARK "%\"}]"
                                        : env_fmt(env, "[{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%%" MARK "%%\"},%s]", filter);

    return env_fmt(env, "filter=%s%s", str_cstr(env_arena(env), url_encode(str_c(all), "", env_arena(env))), more);
}

static int64_t counted(const char *filter)
{
    return api_int(api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests_count?%s", query(filter, "")), NULL), "total_count");
}

static struct val searched(const char *filter, const char *more)
{
    return api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/search?%s", query(filter, more)), NULL);
}

/* ---- filters ----------------------------------------------------------------------------------------- */

static const struct filter_row {
    const char *name, *filter; /* %s: address of the gateway */
    int64_t want;              /* of the nine calls of make_calls() */
} filter_rows[] = {
    {"none", "", 9},
    {"prefix", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"/api/v01/p1\"}", 8},
    {"name of a gateway", "{\"model\":\"requests\",\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"bwks\"}", 8},
    {"its URL as it is listed", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"%s/\"}", 8},
    {"its URL without the last slash", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"%s\"}", 8},
    {"a backup URL", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"http://127.0.0.1:9/\"}", 8},
    {"another gateway", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"%s/api/v1/\"}", 1},
    {"all but a gateway", "{\"field\":\"proxy_gateway_host\",\"op\":\"ne\",\"value\":\"bwks\"}", 1},
    {"several gateways", "{\"field\":\"proxy_gateway_host\",\"op\":\"in\",\"value\":[\"bwks\",\"edge\"]}", 9},
    {"no such gateway", "{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"http://elsewhere/\"}", 0},
    {"pattern of a prefix", "{\"field\":\"proxy_gateway_host\",\"op\":\"like\",\"value\":\"%/p1/%\"}", 1},
    {"within a group", "{\"or\":[{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"edge\"},{\"field\":\"response_status\",\"value\":404}]}", 3},
    {"status", "{\"field\":\"response_status\",\"op\":\"eq\",\"value\":404}", 2},
    {"status from", "{\"field\":\"response_status\",\"op\":\"ge\",\"value\":400}", 2},
    {"method", "{\"field\":\"request_method\",\"op\":\"eq\",\"value\":\"post\"}", 2},
    {"URL", "{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"/api/v01/p1/tenants/acme/%\"}", 4},
    {"user", "{\"model\":\"requests\",\"field\":\"owner\",\"op\":\"eq\",\"value\":\"admin\"}", 9},
    {"outcome", "{\"model\":\"requests\",\"field\":\"status\",\"op\":\"eq\",\"value\":\"ERROR\"}", 2},
    {"tenant", "{\"model\":\"request_entities\",\"field\":\"tenant_id\",\"op\":\"eq\",\"value\":\"acme\"}", 5},
    {"site", "{\"field\":\"site_id\",\"op\":\"eq\",\"value\":\"sales\"}", 3},
    {"number of a body", "{\"field\":\"numbers\",\"op\":\"like\",\"value\":\"%+3225559001%\"}", 1},
    {"user of a path", "{\"field\":\"numbers\",\"op\":\"like\",\"value\":\"%ann@acme%\"}", 1},
    {"target type", "{\"field\":\"entity_type\",\"op\":\"eq\",\"value\":\"trunk_groups\"}", 1},
    {"proxied without a workflow", "{\"model\":\"instances\",\"field\":\"activity_id\",\"op\":\"is_null\"}", 8},
    {"a workflow answered", "{\"model\":\"instances\",\"field\":\"activity_id\",\"op\":\"is_not_null\"}", 1},
    {"before they were made", "{\"field\":\"created_on\",\"op\":\"lt\",\"value\":\"2020-01-01T00:00:00Z\"}", 0},
    {"since", "{\"field\":\"created_on\",\"op\":\"ge\",\"value\":\"2020-01-01T00:00:00+02:00\"}", 9},
};

static void filters(const struct filter_row *r)
{
    const char *at = strstr(r->filter, "%s");
    const char *text = at == NULL ? r->filter : env_fmt(env, "%.*s%s%s", (int)(at - r->filter), r->filter, gateway, at + 2);

    api_setup(NULL);
    assert_int_equal(counted(text), r->want);
}

static void make_calls(void)
{
    static const struct {
        int status;
        const char *method, *path, *body;
    } calls[] = {
        {200, "GET", "/api/v01/p1/tenants/?" MARK, NULL},
        {404, "GET", "/api/v01/p1/tenants/nosuch/?" MARK, NULL},
        {200, "GET", "/api/v01/p1/tenants/acme/groups/sales/users/ann%40acme.example/?" MARK "&password=" CANARY, NULL},
        {201, "POST", "/api/v01/p1/tenants/acme/groups/sales/users/?" MARK "&auth_token=" CANARY,
         "{\"userId\":\"dan@acme.example\",\"password\":\"" CANARY "1\",\"deep\":[{\"api_key\":\"" CANARY "\"}]}"},
        {200, "POST", "/api/v01/p1/tenants/acme/numbers/?" MARK, "{\"numbers\":[{\"phoneNumber\":\"+3225559001\"},{\"phoneNumber\":\"+3225559002\"}]}"},
        {200, "GET", "/api/v01/p1/tenants/acme/groups/sales/services/trunk_groups/main/?" MARK, NULL},
        {404, "GET", "/api/v01/p1/vendor/tenants/acme/?" MARK, NULL},
        {200, "GET", "/api/v01/p1/edge/tenants/?" MARK, NULL},
        {200, "GET", "/api/v01/p1/over?" MARK, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(calls); i++)
        assert_int_equal(api_raw(env, calls[i].method, calls[i].path, calls[i].body).status, calls[i].status);
    ENV_WAIT(env, 5000, counted("") == (int64_t)COUNT_OF(calls));
}

/* ---- counted by day ----------------------------------------------------------------------------------------- */

/* Calls of long ago, at the ends of days. */
static void counts_by_day(void **state)
{
    static const struct {
        const char *query, *want; /* "host day counter;" */
    } rows[] = {
        {"start=2001-01-01&end=2001-12-31", "/api/v01/p1 2001-01-31 2;/api/v01/p1 2001-02-01 1;/api/v01/p2 2001-02-01 1;"},
        {"start=2001-01-31&end=2001-01-31", "/api/v01/p1 2001-01-31 2;"},
        {"start=2001-01-31T00:00:01&end=2001-01-31T23:59:59.9", "/api/v01/p1 2001-01-31 1;"},
        {"start=2001-02-01T01:00:00%2B01:00&end=2001-02-01T00:00:00Z", "/api/v01/p1 2001-02-01 1;"},
        {"start=2001-02-02&end=2001-12-31", ""},
    };
    struct val v;
    int64_t late = 0;

    (void)state;
    env_psql(env, "INSERT INTO requests (id, created_on, status, proxy_gateway_host) VALUES "
                  "(1, '2001-01-31 00:00:00Z', 'SUCCESS', '/api/v01/p1'), (2, '2001-01-31 23:59:59.9Z', 'ERROR', '/api/v01/p1'), "
                  "(3, '2001-02-01 00:00:00Z', 'SUCCESS', '/api/v01/p1'), (4, '2001-02-01 12:00:00Z', 'SUCCESS', '/api/v01/p2'), "
                  "(5, '2001-02-01 12:00:00Z', 'SUCCESS', NULL)");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = "";

        v = val_get(api(env, 200, "GET", env_fmt(env, "/api/v01/apio/proxy_stats?%s", rows[i].query), NULL), "requests");
        for (size_t k = 0; k < val_count(v); k++)
            got = env_fmt(env, "%s%s %s %lld;", got, api_text(env, val_at(v, k), "proxy_gateway_host"),
                          api_text(env, val_at(v, k), "creation_day"), (long long)api_int(val_at(v, k), "counter"));
        assert_string_equal(got, rows[i].want);
    }
    v = val_get(api(env, 200, "GET", "/api/v01/apio/proxy_stats", NULL), "requests"); /* of late */
    for (size_t k = 0; k < val_count(v); k++)
        late += api_int(val_at(v, k), "counter");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests WHERE proxy_gateway_host IS NOT NULL AND created_on > '2002-01-01'"),
                        env_fmt(env, "%lld", (long long)late));
    v = api(env, 400, "GET", "/api/v01/apio/proxy_stats?start=tomorrowish", NULL);
    assert_non_null(strstr(api_text(env, v, "error"), "start, end: expected days or times"));
    env_psql(env, "DELETE FROM requests WHERE created_on < '2002-01-01'");
}

/* ---- paging, sorting, downloads -------------------------------------------------------------------------- */

static void pages_and_sorts(void **state)
{
    const char *by_status = "&sorting=%5B%7B%22model%22:%22requests%22,%22field%22:%22response_status%22,%22direction%22:%22desc%22%7D%5D";
    struct val v = searched("", "&paging=%7B%22page_number%22:2,%22page_size%22:4%7D"), first;

    (void)state;
    assert_int_equal(val_count(val_get(v, "requests")), 4);
    assert_string_equal(api_text(env, v, "pagination"), "[2,4,3,9]");
    assert_int_equal(api_int(v, "total_count"), 9);
    assert_int_equal(api_int(v, "limit"), 4);
    assert_int_equal(api_int(v, "offset"), 4);
    first = searched("", "&paging=%7B%22page_number%22:1,%22page_size%22:4%7D");
    assert_true(api_int(first, "requests.3.request_id") > api_int(v, "requests.0.request_id")); /* newest first */
    v = searched("", "&paging=%7B%22page_number%22:9,%22page_size%22:4%7D");
    assert_int_equal(val_count(val_get(v, "requests")), 0);
    v = searched("", "&c=0");
    assert_int_equal(val_count(val_get(v, "pagination")), 4);
    v = searched("", by_status);
    assert_int_equal(api_int(v, "requests.0.response_status"), 404);
    assert_string_equal(api_text(env, v, "sorting.0.field"), "response_status");
    v = searched("", "&sorting=%5B%7B%22field%22:%22request_id%22,%22direction%22:%22asc%22%7D%5D");
    assert_true(api_int(v, "requests.0.request_id") < api_int(v, "requests.8.request_id"));
    v = searched("", "&sorting=%5B%7B%22field%22:%22nope%22%7D%5D"); /* ignored */
    assert_int_equal(val_count(val_get(v, "requests")), 9);
}

static void downloads_lists(void **state)
{
    struct env_answer a = api_raw(env, "GET", env_fmt(env, "/api/v01/apio/requests/search?%s", query("", "&as=csv")), NULL);
    int lines = 0;

    (void)state;
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(env_header(env, &a, "content-type"), "text/csv"));
    assert_non_null(strstr(env_header(env, &a, "content-disposition"), "requests.csv"));
    assert_non_null(strstr(a.body, "request_id,created_on"));
    for (const char *p = a.body; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 10);
    assert_null(strstr(a.body, CANARY));
}

/* ---- one of them --------------------------------------------------------------------------------------------- */

static const char *id_of(const char *filter)
{
    struct val v = searched(filter, "");

    assert_int_equal(val_count(val_get(v, "requests")), 1);
    return api_text(env, v, "requests.0.request_id");
}

static void shows_one(void **state)
{
    const char *id = id_of("{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%/users/?%\"}");
    struct val v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s", id), NULL);
    struct env_answer a;

    (void)state;
    assert_string_equal(api_text(env, v, "request.proxy_gateway_host"), "/api/v01/p1");
    assert_string_equal(api_text(env, v, "request.status"), "SUCCESS");
    assert_string_equal(api_text(env, v, "request.owner"), "admin");
    assert_string_equal(api_text(env, v, "request.entity_type"), "users");
    assert_string_equal(api_text(env, v, "request.instance_id"), "null");
    assert_string_equal(api_text(env, v, "request.details.method"), "POST");
    assert_string_equal(api_text(env, v, "request.details.url"), "/api/v01/p1/tenants/acme/groups/sales/users/?" MARK);
    assert_string_equal(api_text(env, v, "request.details.tail"), "tenants/acme/groups/sales/users/");
    assert_string_equal(api_text(env, v, "request.details.params.mark"), "m7");
    assert_string_equal(api_text(env, v, "request.details.match_info.proxy"), "p1");
    assert_non_null(strstr(api_text(env, v, "request.details.content_type"), "application/json"));
    assert_string_equal(api_text(env, v, "request.details.body.userId"), "dan@acme.example");
    assert_string_equal(api_text(env, v, "request.details.body.password"), "********");
    assert_string_equal(api_text(env, v, "request.details.body.deep.0.api_key"), "********");
    assert_int_equal(api_int(v, "request.details.response.status"), 201);
    assert_non_null(strstr(api_text(env, v, "request.details.response.headers"), "content-type"));
    assert_string_equal(api_text(env, v, "request.details.response.body.userId"), "dan@acme.example");
    assert_string_equal(api_text(env, v, "request.details.user.username"), "admin");
    assert_string_equal(env_sql(env, "SELECT concat_ws(' ', t.q >= 0, t.g > 0, t.d >= 0, t.q + t.g + t.d <= t.a) FROM requests r, "
                                     "json_to_record(json_build_object('q', r.details #>> '{timing,queue_ms}', "
                                     "'g', r.details #>> '{timing,gateway_ms}', 'd', r.details #>> '{timing,database_ms}', "
                                     "'a', r.details #>> '{timing,total_ms}')) AS t(q float8, g float8, d float8, a float8) WHERE r.id = %s", id),
                        "t t t t");
    a = api_raw(env, "GET", env_fmt(env, "/api/v01/apio/requests/%s?as=csv", id), NULL);
    assert_non_null(strstr(env_header(env, &a, "content-disposition"), "attachment"));
    assert_string_equal(api_text(env, api_json(env, &a), "details.method"), "POST");
    api(env, 404, "GET", "/api/v01/apio/requests/999999999", NULL);
    api(env, 404, "GET", "/api/v01/apio/requests/x", NULL);
}

/* A forwarded call is its own trace, with the gateway's record behind it; the list of calls southwards holds it too. */
static void traces_forwarded_calls(void **state)
{
    const char *id = id_of("{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%/users/?%\"}");
    const char *gone = id_of("{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%/nosuch/%\"}");
    const char *over = id_of("{\"model\":\"instances\",\"field\":\"activity_id\",\"op\":\"is_not_null\"}");
    struct val v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces", id), NULL);
    const char *filter = "filter=%5B%7B%22field%22:%22host%22,%22op%22:%22eq%22,%22value%22:%22";

    (void)state;
    assert_int_equal(val_count(val_get(v, "traces")), 1);
    assert_string_equal(api_text(env, v, "traces.0.http_url"), env_fmt(env, "%s/api/v1/tenants/acme/groups/sales/users/?" MARK, gateway));
    assert_string_equal(api_text(env, v, "traces.0.http_method"), "POST");
    assert_string_equal(val_is(val_path(v, "traces.0.status"), VAL_STR) ? api_text(env, v, "traces.0.status") : "no text", "201");
    assert_string_equal(api_text(env, v, "traces.0.session_holder"), "bwks");
    assert_non_null(strstr(api_text(env, v, "traces.0.input"), "dan@acme.example"));
    assert_non_null(strstr(api_text(env, v, "traces.0.input"), "********"));
    assert_string_not_equal(api_text(env, v, "traces.0.external_id"), "");
    assert_string_equal(api_text(env, v, "traces.0.gateway_details"), "");
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces?details=1", id), NULL);
    assert_non_null(strstr(api_text(env, v, "traces.0.gateway_details.south_data"), "BS-OCI"));
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces?details=1", gone), NULL);
    assert_string_equal(val_is(val_path(v, "traces.0.status"), VAL_STR) ? api_text(env, v, "traces.0.status") : "no text", "404");
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces?details=1", over), NULL);
    assert_int_equal(val_count(val_get(v, "traces")), 0); /* its workflow called nobody */
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/southbound_calls?%s%s%%22%%7D%%5D", filter, gateway + 7), NULL);
    assert_true(api_int(v, "total_count") >= 8);
    assert_string_equal(api_text(env, v, "calls.0.host"), gateway + 7);
    assert_true(api_int(v, "calls.0.request_id") > 0);
}

/* A gateway that has no time for its records costs two seconds and no answer. */
static void goes_without_details(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const char *id = id_of("{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%/users/?%\"}");
    int64_t start = clock_mono_ms(&clock_system);
    struct val v;

    (void)state;
    (void)env_http_at(env, "PUT", env_fmt(env, "%s/_control", gateway), json, "{\"hang\":true,\"path\":\"audit_records\"}");
    v = api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces?details=1", id), NULL);
    (void)env_http_at(env, "DELETE", env_fmt(env, "%s/_control", gateway), NULL, NULL);
    assert_string_equal(api_text(env, v, "traces.0.http_method"), "POST");
    assert_string_equal(api_text(env, v, "traces.0.gateway_details"), "");
    assert_true(clock_mono_ms(&clock_system) - start < 30000);
}

static void keeps_no_secret(void **state)
{
    (void)state;
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests r WHERE r::text LIKE '%" CANARY "%'"), "0");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM traces t WHERE t::text LIKE '%" CANARY "%'"), "0");
}

/* ---- who sees what ---------------------------------------------------------------------------------------------- */

static void as_reader(const char *name, const char *accesses, const char *properties)
{
    struct val v = api(env, 200, "POST", "/api/v01/system/user_profiles",
                       env_fmt(env, "{\"name\":\"%s\",\"available\":true,\"accesses\":[%s],\"api_rules\":[{\"method\":\"any\",\"url\":\"*\",\"allowed\":true}]}",
                               name, accesses));

    api(env, 200, "POST", "/api/v01/system/users",
        env_fmt(env, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"language\":\"en\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld,\"properties\":{%s}}",
                name, name, (long long)api_int(v, "id"), properties));
    api_as(api_login(env, name, "Pass-word-123!"));
}

static int64_t seen(void)
{
    return api_int(api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests_count?%s", query("", "")), NULL), "total_count");
}

#define ALL "\"requests\",\"requests.others_requests\""

static void shows_what_one_may_see(void **state)
{
    const char *edge = id_of("{\"field\":\"proxy_gateway_host\",\"op\":\"eq\",\"value\":\"edge\"}");
    const char *user = id_of("{\"field\":\"request_url\",\"op\":\"like\",\"value\":\"%/users/?%\"}");

    (void)state;
    as_reader("nobody1", "", "");
    api(env, 403, "GET", "/api/v01/apio/requests/search", NULL);
    api_setup(NULL);
    as_reader("own1", "\"requests\"", "");
    assert_int_equal(seen(), 0);
    api(env, 403, "GET", env_fmt(env, "/api/v01/apio/requests/%s", edge), NULL);
    api_setup(NULL);
    as_reader("all1", ALL, "");
    assert_int_equal(seen(), 9);
    api_setup(NULL);
    as_reader("edge1", ALL ",\"requests.on.Edge box\"", "");
    assert_int_equal(seen(), 1);
    api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s", edge), NULL);
    api(env, 403, "GET", env_fmt(env, "/api/v01/apio/requests/%s", user), NULL);
    api(env, 403, "GET", env_fmt(env, "/api/v01/apio/requests/%s/traces", user), NULL);
    api_setup(NULL);
    as_reader("bwks1", ALL ",\"requests.on.bwks\",\"requests.on.nosuch\"", "");
    assert_int_equal(seen(), 8);
    api_setup(NULL);
    as_reader("sales1", ALL ",\"requests.responsible_for\"", "\"bsft_tenant_id\":\"acme\",\"bsft_group_id\":\"sales\"");
    assert_int_equal(seen(), 3);
    api(env, 200, "GET", env_fmt(env, "/api/v01/apio/requests/%s", user), NULL);
    api(env, 403, "GET", env_fmt(env, "/api/v01/apio/requests/%s", edge), NULL);
    api_setup(NULL);
    as_reader("nothing1", ALL ",\"requests.responsible_for\"", "");
    assert_int_equal(seen(), 0);
}

static void furnish(int port)
{
    int64_t id;

    api_configure(env, "gateways",
                  env_fmt(env, "{\"bwks\":{\"url\":\"%s/\",\"backup_urls\":[\"http://127.0.0.1:9/\"],\"timeout\":60,\"username\":\"gwsystem\",\"password\":\"system-secret\"},"
                               "\"edge\":{\"url\":\"%s/api/v1/\",\"timeout\":60,\"username\":\"gwsystem\",\"password\":\"system-secret\"}}", gateway, gateway));
    api_configure(env, "provisioning", "{\"gateways\":[{\"name\":\"Main\",\"prefix\":\"/api/v01/p1\"},{\"name\":\"Edge box\",\"prefix\":\"/api/v01/p1/edge/\"}]}");
    id = api_activity(env, "over", DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{}\"", "\"ok\"") ",",
                                              "[\"start.ok\",\"answer\"],[\"answer.ok\",\"end\"]"));
    api_route(env, "get", "/over", id, ",\"sync\":true");
    env_app_start(env, "sluice-proxy", "p1.sock",
                  (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks,/api/v01/p1/edge:edge", "-runMigration=false", NULL});
    ENV_WAIT(env, 5000, env_port_open(port));
    ENV_WAIT(env, 20000, api_raw(env, "GET", "/api/v01/p1/over", NULL).status == 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(counts_by_day), API_TEST(pages_and_sorts), API_TEST(downloads_lists), API_TEST(shows_one),
        API_TEST(traces_forwarded_calls), API_TEST(goes_without_details),
        API_TEST(keeps_no_secret), API_TEST(shows_what_one_may_see),
    };
    int port, failed;

    env = env_start();
    port = env_free_port(env);
    gateway = env_fmt(env, "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway", (const char *const[]){env_program(env, "tests/standin_gateway"), env_fmt(env, "-port=%d", port), NULL}, NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    furnish(port);
    make_calls();
    failed = CASES(filter_rows, filters);
    return env_end(env, failed + cmocka_run_group_tests(tests, NULL, NULL));
}
