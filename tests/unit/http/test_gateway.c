/*
 * The stand-in gateway keeps its promises (gateway-proxy.md 9.6): other tests prove things by it.
 */
#include "support/cases.h"

#include <string.h>

#include "base/json.h"
#include "support/gateway.h"

static struct arena *a;
static struct gateway *g;

static struct gw_answer ask(const char *method, const char *target, const char *cookie,
                            const char *body)
{
    struct gw_header *headers = ARENA_ARRAY(a, struct gw_header, 2);
    struct gw_request r = {.method = str_c(method), .target = str_c(target), .a = a};
    struct gw_answer out;

    headers[0] = (struct gw_header){STR("Cookie"), str_c(cookie)};
    headers[1] = (struct gw_header){STR("Authorization"), str_c(cookie)};
    r.headers = headers;
    r.n_headers = 2;
    r.query = r.target;
    r.path = str_cut(&r.query, '?');
    r.body = str_c(body);
    gateway_handle(g, &r, &out);
    return out;
}

static void control(const char *switches)
{
    struct gw_answer out = ask("PUT", "/_control", NULL, switches);

    assert_int_equal(out.status, 200);
}

/* The two cookies of a login, as a Cookie header; NULL when it was refused. */
static const char *login(const char *username, const char *password)
{
    struct gw_answer out =
        ask("POST", "/api/v1/login/", NULL,
            arena_printf(a, "{\"username\":\"%s\",\"password\":\"%s\"}", username, password));
    struct str text = buf_str(&out.headers);
    struct buf b;
    ptrdiff_t at;

    if (out.status != 200)
        return NULL;
    buf_init(&b, 1000, a);
    while ((at = str_find(text, STR("Set-Cookie: "))) >= 0) {
        text = str_slice(text, (size_t)at + 12, text.len);
        buf_add_str(&b, str_cut(&text, ';'));
        buf_add_c(&b, "; ");
    }
    return buf_cstr(&b);
}

static const struct row {
    const char *name;
    const char *username; /* NULL: without login */
    const char *method;
    const char *target;
    const char *body;
    int status;
    const char *holds; /* in the answer */
} rows[] = {
    {"without login", NULL, "GET", "/api/v1/tenants/", NULL, 401, "log in first"},
    {"no final slash", "gwsystem", "GET", "/api/v1/tenants", NULL, 404, "errors"},
    {"outside", "gwsystem", "GET", "/api/v2/tenants/", NULL, 404, "errors"},
    {"list", "gwsystem", "GET", "/api/v1/tenants/", NULL, 200, "globex"},
    {"list of a reseller", "gwreseller", "GET", "/api/v1/tenants/", NULL, 200,
     "[{\"tenantId\":\"acme\""},
    {"other reseller's", "gwreseller", "GET", "/api/v1/tenants/globex/", NULL, 403, "not allowed"},
    {"other group", "gwgroup", "GET", "/api/v1/tenants/acme/groups/support/", NULL, 403,
     "not allowed"},
    {"own group", "gwgroup", "GET", "/api/v1/tenants/acme/groups/sales/users/", NULL, 200,
     "ann@acme"},
    {"body is a list", "gwsystem", "POST", "/api/v1/tenants/", "[]", 416, "json object"},
    {"no body", "gwsystem", "POST", "/api/v1/tenants/", NULL, 416, "json object"},
    {"delete with text", "gwsystem", "DELETE", "/api/v1/tenants/acme/", "x", 416, "json object"},
    {"no id", "gwsystem", "POST", "/api/v1/tenants/", "{}", 400, "tenantId"},
    {"create", "gwsystem", "POST", "/api/v1/tenants/", "{\"tenantId\":\"n\",\"password\":\"p\"}",
     201, "{\"tenantId\":\"n\",\"_rec"},
    {"create again", "gwsystem", "POST", "/api/v1/tenants/", "{\"tenantId\":\"n\"}", 400,
     "\"code\":11"},
    {"create below", "gwsystem", "POST", "/api/v1/tenants/n/groups/", "{\"groupId\":\"a b\"}", 201,
     "a b"},
    {"change", "gwsystem", "PUT", "/api/v1/tenants/n/groups/a%20b/", "{\"x\":1}", 200, "\"x\":1"},
    {"read", "gwsystem", "GET", "/api/v1/tenants/n/groups/a%20b/", NULL, 200, "\"x\":1"},
    {"delete", "gwsystem", "DELETE", "/api/v1/tenants/n/", NULL, 200, "{\"_record_internal_id\""},
    {"below the deleted", "gwsystem", "GET", "/api/v1/tenants/n/groups/a%20b/", NULL, 404,
     "no such object"},
    {"group of nobody", "gwsystem", "GET", "/api/v1/tenants/n/groups/", NULL, 404,
     "no such object"},
    {"numbers", "gwsystem", "POST", "/api/v1/tenants/acme/numbers/",
     "{\"numbers\":[{\"phoneNumber\":\"+32111\"},{\"phoneNumber\":\"1\"}]}", 200, "rejected"},
    {"number twice", "gwsystem", "POST", "/api/v1/tenants/acme/numbers/",
     "{\"numbers\":[{\"phoneNumber\":\"+32111\"}]}", 400, "already exists"},
    {"trunks", "gwsystem", "GET", "/api/v1/tenants/acme/groups/sales/services/trunk_groups/", NULL,
     200, "\"main\""},
    {"search", "gwsystem", "GET", "/api/v1/search/users/?insensitiveUserIdEquals=ANN@acme.example",
     NULL, 200, "\"groupId\":\"sales\""},
};

static void answers(const struct row *row)
{
    static const struct {
        const char *username, *password;
    } known[] = {{"gwsystem", "system-secret"},
                 {"gwreseller", "reseller-secret"},
                 {"gwgroup", "group-secret"}};
    const char *cookie = NULL;
    struct gw_answer out;
    struct str text;

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (row->username != NULL && strcmp(row->username, known[i].username) == 0)
            cookie = login(known[i].username, known[i].password);
    }
    out = ask(row->method, row->target, cookie, row->body);
    text = json_text(out.body, a);
    if (out.status != row->status || strstr(text.p, row->holds) == NULL)
        fail_msg("%d %s", out.status, text.p);
    /* Every answer names its record, which can be read. */
    text = val_get_text(out.body, "_record_internal_id", STR(""));
    out = ask("GET", arena_printf(a, "/api/v1/local/audit_records/%.*s/", STR_ARG(text)),
              login("gwsystem", "system-secret"), NULL);
    assert_int_equal(out.status, 200);
    assert_int_equal(val_get_int(out.body, "status_code", 0), row->status);
}

static void both_cookies_are_needed(void **state)
{
    const char *both = login("gwsystem", "system-secret");
    struct str rest = str_c(both);
    const char *session = str_cstr(a, str_cut(&rest, ';'));

    (void)state;
    assert_null(login("gwsystem", "wrong"));
    assert_int_equal(ask("GET", "/api/v1/tenants/", both, NULL).status, 200);
    assert_int_equal(ask("GET", "/api/v1/tenants/", session, NULL).status, 401);
    assert_int_equal(ask("GET", "/api/v1/tenants/", str_cstr(a, rest), NULL).status, 401);
    assert_int_equal(ask("GET", "/api/v1/tenants/", "Bearer sesame", NULL).status, 200);
    assert_int_equal(ask("GET", "/api/v1/tenants/", "Basic dTpw", NULL).status, 200);
    assert_int_equal(ask("GET", "/api/v1/tenants/", "Basic dTpx", NULL).status, 401);
}

static void switches(void **state)
{
    const char *cookie;
    struct gw_answer out;

    (void)state;
    control("{\"expire_after\":2}");
    cookie = login("gwsystem", "system-secret");
    for (int i = 0; i < 3; i++)
        out = ask("GET", "/api/v1/tenants/", cookie, NULL);
    assert_int_equal(out.status, 401);
    control("{\"expire_after\":0,\"refuse_login\":true}");
    assert_null(login("gwsystem", "system-secret"));
    control("{\"refuse_login\":false,\"status\":429,\"times\":1}");
    cookie = login("gwsystem", "system-secret");
    assert_int_equal(ask("GET", "/api/v1/tenants/", cookie, NULL).status, 429);
    assert_int_equal(ask("GET", "/api/v1/tenants/", cookie, NULL).status, 200);
    control("{\"hang\":true,\"method\":\"POST\"}");
    assert_int_equal(ask("GET", "/api/v1/tenants/", cookie, NULL).fault, GW_ANSWER);
    assert_int_equal(ask("POST", "/api/v1/tenants/", cookie, "{}").fault, GW_HANG);
    control("{\"hang\":false,\"method\":\"\",\"reset_mid_body\":true,\"delay_ms\":7,\"path\":"
            "\"acme\"}");
    out = ask("GET", "/api/v1/tenants/acme/", cookie, NULL);
    assert_int_equal(out.fault, GW_RESET_MID_BODY);
    assert_int_equal(out.delay_ms, 7);
    out = ask("GET", "/_control/counters", NULL, NULL);
    assert_int_equal(val_get_int(val_get(out.body, "paths"), "POST /api/v1/tenants/", 0), 1);
    out = ask("DELETE", "/_control", NULL, NULL);
    out = ask("GET", "/_control/counters", NULL, NULL);
    assert_int_equal(val_get_int(out.body, "requests", -1), 0);
    assert_int_equal(ask("GET", "/api/v1/tenants/", cookie, NULL).status, 401);
    out = ask("GET", "/_control/requests", NULL, NULL);
    assert_int_equal(val_count(val_get(out.body, "requests")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_cookies_are_needed),
                                       cmocka_unit_test(switches)};
    int failed;

    a = arena_new(0);
    g = gateway_new(&(struct gateway_opts){.basic = "u:p", .bearer = "sesame"});
    failed = CASES(rows, answers);
    ask("DELETE", "/_control", NULL, NULL); /* counters of the rows are not those of the next */
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    gateway_free(g);
    arena_free(a);
    return failed;
}
