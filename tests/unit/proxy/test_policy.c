/*
 * What crosses the proxy: targets, headers, content types, redirects.
 */
#include "policy.h"

#include "base/json.h"
#include "http/http_int.h"
#include "support/cases.h"

/* ---- targets -------------------------------------------------------------------------------- */

static const struct target_row {
    const char *name, *base, *root;
    bool slash;
    const char *rest, *query, *origin, *path; /* origin NULL: refused */
} target_rows[] = {
    {"final slash is added", "http://gw:8080", "/api/v1", true, "/tenants", "", "http://gw:8080", "/api/v1/tenants/"},
    {"final slash is kept", "http://gw:8080", "/api/v1", true, "/tenants/", "", "http://gw:8080", "/api/v1/tenants/"},
    {"final slash not wanted", "http://gw", "/api/v1", false, "/tenants", "", "http://gw", "/api/v1/tenants"},
    {"prefix alone", "http://gw", "/api/v1", false, "", "", "http://gw", "/api/v1/"},
    {"before the query", "http://gw", "/api/v1", true, "/numbers", "available=true", "http://gw",
     "/api/v1/numbers/?available=true"},
    {"base path", "https://gw/base", "/api/v1", true, "/t", "", "https://gw", "/base/api/v1/t/"},
    {"root in the base", "https://gw/x/api/v2", "", true, "/t", "", "https://gw", "/x/api/v2/t/"},
    {"escapes stay", "https://gw", "/api/v1", true, "/t/a%2Fb%20c%40d+e", "x=%2f&x=+", "https://gw",
     "/api/v1/t/a%2Fb%20c%40d+e/?x=%2f&x=+"},
    {"token leaves", "https://gw", "/api/v1", true, "/t", "a=1&auth_token=ey.J&b=2", "https://gw", "/api/v1/t/?a=1&b=2"},
    {"token alone", "https://gw", "/api/v1", true, "/t", "auth_token=ey.J", "https://gw", "/api/v1/t/"},
    {"token, escaped name", "https://gw", "/api/v1", true, "/t", "auth%5Ftoken=ey.J&a=1", "https://gw", "/api/v1/t/?a=1"},
    {"token twice", "https://gw", "/api/v1", true, "/t", "auth_token=1&auth_token=2", "https://gw", "/api/v1/t/"},
    {"its like stays", "https://gw", "/api/v1", true, "/t", "xauth_token=1&auth_tokens=2", "https://gw",
     "/api/v1/t/?xauth_token=1&auth_tokens=2"},
    {"query byte for byte", "https://gw", "/api/v1", true, "/t", "&a=%zz&&b;c=&", "https://gw", "/api/v1/t/?&a=%zz&&b;c=&"},
    {"token leaves the rest so too", "https://gw", "/api/v1", true, "/t", "&a=1&auth_token=ey.J&&", "https://gw", "/api/v1/t/?&a=1&&"},
    {"not a URL", "gw", "/api/v1", true, "/t", "", NULL, NULL},
};

static void targets(const struct target_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.api_root = str_c(r->root), .append_slash = r->slash};
    struct policy_target t = {0};
    struct err e = {0};
    int rc = policy_target(&g, str_c(r->base), str_c(r->rest), str_c(r->query), &t, a, &e);

    if (r->origin == NULL) {
        assert_int_equal(rc, -1);
    } else {
        assert_int_equal(rc, 0);
        assert_string_equal(str_cstr(a, t.origin), r->origin);
        assert_string_equal(str_cstr(a, t.path), r->path);
        assert_string_equal(str_cstr(a, t.host), strstr(r->origin, "//") + 2);
    }
    arena_free(a);
}

/* ---- request headers ------------------------------------------------------------------------ */

static const struct header_row {
    const char *name, *env, *value;
    const char *want; /* the line that crosses, NULL: none */
} header_rows[] = {
    {"our token", "AUTHORIZATION", "Bearer x", NULL},
    {"cookies", "COOKIE", "a=1", NULL},
    {"origin", "ORIGIN", "http://ui", NULL},
    {"host", "HOST", "platform.example", NULL},
    {"length", "CONTENT_LENGTH", "77", NULL},
    {"expect", "EXPECT", "100-continue", NULL},
    {"hop by hop", "KEEP_ALIVE", "timeout=5", NULL},
    {"transfer coding", "TRANSFER_ENCODING", "chunked", NULL},
    {"te", "TE", "trailers", NULL},
    {"upgrade", "UPGRADE", "websocket", NULL},
    {"proxy header", "PROXY", "http://evil", NULL},
    {"proxy credentials", "PROXY_AUTHORIZATION", "Basic x", NULL},
    {"forwarded by others", "X_FORWARDED_HOST", "evil", NULL},
    {"forwarded", "FORWARDED", "for=1.2.3.4", NULL},
    {"real address", "X_REAL_IP", "1.2.3.4", NULL},
    {"codings", "ACCEPT_ENCODING", "br", NULL},
    {"browser", "USER_AGENT", "Mozilla", NULL},
    {"referer", "REFERER", "http://ui/", NULL},
    {"accept", "ACCEPT", "application/json", "accept: application/json\r\n"},
    {"language", "ACCEPT_LANGUAGE", "nl", "accept-language: nl\r\n"},
    {"condition", "IF_NONE_MATCH", "\"x\"", "if-none-match: \"x\"\r\n"},
    {"range", "RANGE", "bytes=0-1", "range: bytes=0-1\r\n"},
    {"own", "X_CUSTOM", "1", "x-custom: 1\r\n"},
    {"named by connection", "X_HOP", "for-the-next-only", NULL},
};

enum { HEADERS_ROOM = 8 };

/* A request as the server builds it. */
static struct conn *request(const char *method, const char *body, const char *type, struct arena *a)
{
    struct conn *c = ARENA_NEW(a, struct conn);

    c->headers = ARENA_ARRAY(a, struct env_header, HEADERS_ROOM);
    c->req.a = a;
    c->req.method_name = str_c(method);
    c->req.method = strcmp(method, "GET") == 0      ? HTTP_GET
                    : strcmp(method, "DELETE") == 0 ? HTTP_DELETE
                    : strcmp(method, "PUT") == 0    ? HTTP_PUT
                                                    : HTTP_POST;
    c->req.scheme = STR("https");
    c->req.remote_addr = STR("10.1.1.1");
    c->req.body = str_c(body);
    c->req.content_type = str_c(type);
    memcpy(c->req.id, "0123456789abcdef", 17);
    return c;
}

static void add(struct conn *c, const char *name, const char *value)
{
    c->headers[c->n_headers++] = (struct env_header){str_c(name), str_c(value)};
}

static const char *head_of(struct conn *c, const struct cfg_gateway *g, const struct gw_session *session)
{
    const struct policy_target t = {.origin = STR("http://gw:1"), .host = STR("gw:1"), .path = STR("/api/v1/t/")};
    bool has_body = c->req.body.len > 0;

    return str_cstr(c->req.a, policy_request_head(&c->req, g, &t, session, has_body, c->req.body.len, STR("00-1-2-01"),
                                                  c->req.a));
}

static void request_headers(const struct header_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {0};
    struct conn *c = request("GET", "", "", a);
    const char *head;

    add(c, "CONNECTION", "close, X-Hop");
    add(c, r->env, r->value);
    head = head_of(c, &g, NULL);
    assert_non_null(strstr(head, "GET /api/v1/t/ HTTP/1.1\r\nHost: gw:1\r\n"));
    if (r->want != NULL)
        assert_non_null(strstr(head, r->want));
    else
        assert_null(strstr(head, r->value));
    assert_non_null(strstr(head, "X-Forwarded-For: 10.1.1.1\r\n"));
    assert_non_null(strstr(head, "X-Forwarded-Proto: https\r\n"));
    assert_non_null(strstr(head, "X-Request-Id: 0123456789abcdef\r\n"));
    assert_non_null(strstr(head, "Accept-Encoding: identity\r\n"));
    assert_null(strstr(head, "Content-Length"));
    assert_string_equal(head + strlen(head) - 4, "\r\n\r\n");
    arena_free(a);
}

static void configured_headers_win(void **state)
{
    struct arena *a = arena_new(0);
    struct http_header own[] = {{STR("X-Key"), STR("configured")}, {STR("Authorization"), STR("Bearer fixed")}};
    struct http_header login[] = {{STR("Cookie"), STR("s=1")}, {STR("authorization"), STR("Basic z")}};
    struct cfg_gateway g = {.headers = own, .n_headers = 2};
    struct gw_session session = {.headers = login, .n_headers = 2};
    struct conn *c = request("GET", "", "", a);
    const char *head;

    (void)state;
    add(c, "X_KEY", "of-the-client");
    head = head_of(c, &g, &session);
    assert_non_null(strstr(head, "X-Key: configured\r\n"));
    assert_null(strstr(head, "of-the-client"));
    assert_non_null(strstr(head, "Authorization: Bearer fixed\r\n"));
    assert_null(strstr(head, "Basic z"));
    assert_non_null(strstr(head, "Cookie: s=1\r\n"));
    arena_free(a);
}

static void outbound_proxy_takes_the_whole_url(void **state)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.proxy = STR("http://proxy:3128/")};

    (void)state;
    assert_non_null(strstr(head_of(request("GET", "", "", a), &g, NULL), "GET http://gw:1/api/v1/t/ HTTP/1.1\r\n"));
    arena_free(a);
}

/* ---- types of bodies -------------------------------------------------------------------------- */

static const struct type_row {
    const char *name, *method, *type, *body, *want;
} type_rows[] = {
    {"as given", "PUT", "text/plain;charset=UTF-8", "{}", "content-type: text/plain;charset=UTF-8\r\n"},
    {"DELETE from a browser", "DELETE", "text/plain;charset=UTF-8", "{\"a\":1}", "content-type: application/json\r\n"},
    {"DELETE without type", "DELETE", "", "[1]", "content-type: application/json\r\n"},
    {"GET with a body", "GET", "text/plain", "{}", "content-type: application/json\r\n"},
    {"DELETE with text", "DELETE", "text/plain", "not json", "content-type: text/plain\r\n"},
    {"DELETE with its own type", "DELETE", "application/xml", "{}", "content-type: application/xml\r\n"},
};

static void body_types(const struct type_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {0};
    struct conn *c = request(r->method, r->body, r->type, a);
    const char *head;

    if (r->type[0] != '\0')
        add(c, "CONTENT_TYPE", r->type);
    head = head_of(c, &g, NULL);
    assert_non_null(strstr(head, r->want));
    assert_non_null(strstr(head, arena_printf(a, "Content-Length: %zu\r\n", strlen(r->body))));
    arena_free(a);
}

/* ---- answers -------------------------------------------------------------------------------------- */

static const struct answer_row {
    const char *name;
    bool crosses;
} answer_rows[] = {
    {"content-disposition", true}, {"content-language", true}, {"cache-control", true}, {"etag", true},
    {"last-modified", true}, {"retry-after", true}, {"link", true}, {"warning", true}, {"x-total", true},
    {"set-cookie", false}, {"server", false}, {"www-authenticate", false}, {"strict-transport-security", false},
    {"access-control-allow-origin", false}, {"connection", false}, {"keep-alive", false}, {"transfer-encoding", false},
    {"content-length", false}, {"content-encoding", false}, {"date", false}, {"x-request-id", false}, {"location", false},
    {"upgrade", false}, {"proxy-authenticate", false}, {"trailer", false},
};

static void answer_headers(const struct answer_row *r)
{
    assert_int_equal(policy_response_header(str_c(r->name)), r->crosses);
}

static const struct location_row {
    const char *name, *location, *want; /* NULL: leads elsewhere */
} location_rows[] = {
    {"below the root", "/api/v1/tenants/x/", "/api/v01/p1/tenants/x/"},
    {"absolute", "http://gw:1/api/v1/tenants/x/?a=1", "/api/v01/p1/tenants/x/?a=1"},
    {"the root", "/api/v1", "/api/v01/p1"},
    {"the root with slash", "http://gw:1/api/v1/", "/api/v01/p1/"},
    {"beside the root", "/api/v10/x", NULL},
    {"above the root", "/login", NULL},
    {"another host", "http://evil/api/v1/x", NULL},
    {"host that only begins alike", "http://gw:11/api/v1/x", NULL},
    {"network path", "//evil/api/v1/x", NULL},
    {"relative", "x/y", "/api/v01/p1/t/x/y"},
    {"relative with a dot", "./x?a=/../b", "/api/v01/p1/t/x?a=/../b"},
    {"relative, up", "../x/", "/api/v01/p1/x/"},
    {"relative, up to the root", "../..", NULL},
    {"relative, out of the root", "../../x", NULL},
    {"relative, beyond the server", "../../../../../api/v1/x", "/api/v01/p1/x"},
    {"another query", "?page=2", "/api/v01/p1/t/?page=2"},
    {"relative that only looks like a scheme", "./http:x", "/api/v01/p1/t/http:x"},
    {"another scheme", "mailto:a@gw", NULL},
    {"scheme and host in any case", "HTTP://GW:1/api/v1/x", "/api/v01/p1/x"},
    {"network path to the gateway", "//gw:1/api/v1/x", "/api/v01/p1/x"},
    {"as somebody else", "http://a:b@gw:1/api/v1/x", NULL},
    {"no path", "http://gw:1?a=1", NULL},
    {"empty", "", NULL},
    {"climbing out", "/api/v1/../../x", NULL},
    {"climbing out behind the gateway's name", "http://gw:1/api/v1/../x", NULL},
};

static void locations(const struct location_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.url = STR("http://gw:1"), .api_root = STR("/api/v1")};
    struct policy_target t;
    struct err e;
    const struct proxy_map m = {STR("/api/v01/p1"), STR("p1"), STR("bwks")};
    struct str got;

    assert_int_equal(policy_target(&g, g.url, STR("/t/"), STR("x=1"), &t, a, &e), 0);
    got = policy_location(str_c(r->location), &t, &m, a);
    if (r->want == NULL)
        assert_null(got.p);
    else
        assert_string_equal(str_cstr(a, got), r->want);
    arena_free(a);
}

/* The default port may be written or not, and a backup URL may have another path. */
static void locations_by_the_url_in_use(void **state)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.url = STR("https://main"), .api_root = STR("/api/v1")};
    const struct proxy_map m = {STR("/api/v01/p1"), STR("p1"), STR("bwks")};
    struct policy_target t;
    struct err e;

    (void)state;
    assert_int_equal(policy_target(&g, STR("https://spare/east"), STR("/t"), STR(""), &t, a, &e), 0);
    assert_string_equal(str_cstr(a, policy_location(STR("https://spare:443/east/api/v1/x"), &t, &m, a)), "/api/v01/p1/x");
    assert_null(policy_location(STR("/api/v1/x"), &t, &m, a).p);
    arena_free(a);
}

/* A query may be longer than a path. */
static void long_queries(void **state)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.url = STR("https://main"), .api_root = STR("/api/v1"), .append_slash = true};
    struct str query = str_make(memset(arena_alloc(a, 15 * 1024), 'q', 15 * 1024), 15 * 1024);
    struct policy_target t;
    struct err e;

    (void)state;
    assert_int_equal(policy_target(&g, g.url, STR("/t"), query, &t, a, &e), 0);
    assert_int_equal(t.path.len, strlen("/api/v1/t/?") + query.len);
    arena_free(a);
}

/* ---- request lines ------------------------------------------------------------------------------------ */

static const struct line_row {
    const char *name, *method, *path, *query;
    bool crosses;
} line_rows[] = {
    {"plain", "GET", "/t/a'b(c)*[d]", "a[]=1&b=%20\"", true},
    {"any token", "PROPFIND", "/t", "", true},
    {"method that is none", "GET /", "/t", "", false},
    {"blank in the query", "GET", "/t", "a b", false},
    {"fragment in the query", "GET", "/t", "a#b", false},
    {"fragment in the path", "GET", "/t/secret#/open", "", false},
};

static void lines(const struct line_row *r)
{
    const struct http_req req = {.method_name = str_c(r->method), .path = str_c(r->path), .query = str_c(r->query)};
    struct err e;

    assert_int_equal(policy_request_line(&req, &e), r->crosses ? 0 : -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locations_by_the_url_in_use),
        cmocka_unit_test(long_queries),
        cmocka_unit_test(configured_headers_win),
        cmocka_unit_test(outbound_proxy_takes_the_whole_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(target_rows, targets) + CASES(header_rows, request_headers) +
           CASES(type_rows, body_types) + CASES(answer_rows, answer_headers) + CASES(location_rows, locations) +
           CASES(line_rows, lines);
}
