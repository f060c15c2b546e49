/*
 * Entries of `gateways`: what is refused when saving, and what is made of them.
 */
#include "unit/config/box.h"

#define GW(members) "{\"url\":\"https://gw.example/\"" members "}"

static const struct row {
    const char *name, *entry, *want; /* NULL: accepted */
} rows[] = {
    {"smallest", GW(""), NULL},
    {"ftp", "{\"url\":\"ftp://x/\"}", "url: expected an http or https URL"},
    {"credentials", "{\"url\":\"https://u:p@x/\"}",
     "url: credentials in the URL are not taken; use username and password"},
    {"query", "{\"url\":\"https://x/?a=1\"}", "url: expected a URL without query and fragment"},
    {"fragment", "{\"url\":\"https://x/#a\"}", "url: expected a URL without query and fragment"},
    {"backup", GW(",\"backup_urls\":[\"tcp://x\"]"), "backup_urls: expected an http or https URL"},
    {"headers as text", GW(",\"headers\":\"[[\\\"X-A\\\",\\\"1\\\"]]\""), NULL},
    {"headers as object", GW(",\"headers\":{\"X-A\":1}"), NULL},
    {"headers empty", GW(",\"headers\":\"\""), NULL},
    {"headers broken", GW(",\"headers\":\"[[\""),
     "headers: expected JSON such as [[\"name\", \"value\"]]"},
    {"header name", GW(",\"headers\":\"[[\\\"X y\\\",\\\"1\\\"]]\""),
     "headers: header \"X y\" is not a valid name"},
    {"header value", GW(",\"headers\":{\"X-A\":\"a\\nb\"}"),
     "headers: header \"X-A\" has no valid value"},
    {"timeout", GW(",\"timeout\":3601"), "timeout: expected 1 to 3600 seconds"},
    {"no timeout", GW(",\"timeout\":0"), NULL},
    {"timeout below", GW(",\"timeout\":-5"), NULL},
    {"timeout empty", GW(",\"timeout\":\"\""), NULL},
    {"root with a space", GW(",\"api_root\":\"/a HTTP/1.1\""), "api_root: expected a path such as /api/v1"},
    {"root with a line", GW(",\"api_root\":\"/a\\r\\nX: y\""), "api_root: expected a path such as /api/v1"},
    {"root with a query", GW(",\"api_root\":\"/a?b\""), "api_root: expected a path such as /api/v1"},
    {"root upwards", GW(",\"api_root\":\"/a/..\""), "api_root: expected a path such as /api/v1"},
    {"timeout as text", GW(",\"timeout\":\"30\""), NULL},
    {"timeout nonsense", GW(",\"timeout\":\"soon\""), "timeout: expected a number of seconds"},
    {"unknown auth", GW(",\"auth\":\"kerberos\""), "auth: unknown auth \"kerberos\""},
    {"colon with basic", GW(",\"auth\":\"basic\",\"username\":\"a:b\""),
     "username: must not hold a colon with auth \"basic\""},
    {"xAuth", GW(",\"auth\":\"oauth1\",\"username\":\"a\",\"login_url\":\"/t\""),
     "username: token requests with auth \"oauth1\" are not supported; leave it empty"},
    {"certificate alone", GW(",\"client_tls_cert\":\"x\""),
     "client_tls_key: TLS client certificate and key are needed together"},
    {"certificate nonsense", GW(",\"client_tls_cert\":\"x\",\"client_tls_key\":\"y\""),
     "client_tls_key: TLS client certificate is not in PEM form"},
};

static void strictly(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g;
    struct err e = {0};
    int rc = gateway_read(&g, STR("gw"), box_json(r->entry, a), val_undef(NULL), true, a, &e);

    if (r->want == NULL) {
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.msg, r->want);
    }
    arena_free(a);
}

static const struct root_row {
    const char *name, *entry, *url, *root;
} root_rows[] = {
    {"origin", "{\"url\":\"https://gw/\"}", "https://gw", "/api/v1"},
    {"base path", "{\"url\":\"https://gw/base//\"}", "https://gw/base", "/api/v1"},
    {"has its root", "{\"url\":\"https://gw/x/api/v2/\"}", "https://gw/x/api/v2", ""},
    {"looks like one", "{\"url\":\"https://gw/x/api/v2b\"}", "https://gw/x/api/v2b", "/api/v1"},
    {"v without api", "{\"url\":\"https://gw/v2\"}", "https://gw/v2", "/api/v1"},
    {"given", "{\"url\":\"https://gw/\",\"api_root\":\"/rest/\"}", "https://gw", "/rest"},
    {"given without slash", "{\"url\":\"https://gw/\",\"api_root\":\"rest\"}", "https://gw",
     "/rest"},
    {"given empty", "{\"url\":\"https://gw/\",\"api_root\":\"\"}", "https://gw", ""},
};

static void roots(const struct root_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g;
    struct err e = {0};

    assert_int_equal(
        gateway_read(&g, STR("gw"), box_json(r->entry, a), val_undef(NULL), true, a, &e), 0);
    assert_true(str_eq_c(g.url, r->url));
    assert_true(str_eq_c(g.api_root, r->root));
    arena_free(a);
}

static void defaults(void **state)
{
    struct cfg_box *b =
        box_new("{\"gateways\":{\"bwks\":{\"url\":\"http://h/\",\"password\":\"pw\"}}}");
    const struct cfg_gateway *g = cfg_gateway(&b->c, STR("bwks"));

    (void)state;
    assert_non_null(g);
    assert_int_equal(g->timeout_s, 10);
    assert_true(g->tls_verify);
    assert_true(g->append_slash);
    assert_false(g->check);
    assert_true(str_eq_c(g->session_holder, "bwks"));
    assert_true(str_eq_c(g->login_url, "/api/v1/login/"));
    assert_true(str_eq_c(g->check_url, "/health"));
    assert_true(str_eq_c(g->hawk_algorithm, "sha256"));
    assert_int_equal(g->auth, GW_AUTH_DEFAULT);
    assert_true(str_eq_c(secret_text(g->password), "pw"));
    assert_true(str_eq_c(val_get_text(g->raw, "password", STR("")), "## SECRET ##"));
    cfg_put(&b->c);
}

static void copes_when_loading(void **state)
{
    struct cfg_box *b = box_new(
        "{\"gateways\":{\"a\":{\"url\":\"ftp://x\"},"
        "\"b\":{\"url\":\"http://h\",\"timeout\":9999,\"headers\":{\"bad name\":1,\"Good\":2}},"
        "\"c\":null,\"d\":{\"url\":\"http://h\",\"timeout\":0,\"api_root\":\"/a b\"}}}");
    const struct cfg_gateway *g = cfg_gateway(&b->c, STR("b"));

    (void)state;
    assert_int_equal(b->c.n_gateways, 3);
    assert_int_equal(cfg_gateway(&b->c, STR("d"))->timeout_s, 10);
    assert_true(str_eq_c(cfg_gateway(&b->c, STR("d"))->api_root, "/api/v1"));
    assert_int_equal(cfg_gateway(&b->c, STR("a"))->url.len, 0);
    assert_int_equal(g->timeout_s, 3600);
    assert_int_equal(g->n_headers, 1);
    assert_true(str_eq_c(g->headers[0].name, "Good"));
    assert_true(str_eq_c(g->headers[0].value, "2"));
    cfg_put(&b->c);
}

static void session_holders(void **state)
{
    struct cfg_box *b = box_new("{\"gateways\":{\"a\":{\"url\":\"http://a\"},"
                                "\"b\":{\"url\":\"http://b\",\"session_holder\":\"a\"},"
                                "\"c\":{\"url\":\"http://c\",\"session_holder\":\"h\"}}}");

    (void)state;
    assert_true(str_eq_c(cfg_session_holder(&b->c, STR("h"))->name, "c"));
    assert_true(str_eq_c(cfg_session_holder(&b->c, STR("c"))->name, "c"));
    assert_true(str_eq_c(cfg_session_holder(&b->c, STR("a"))->name, "a"));
    assert_null(cfg_session_holder(&b->c, STR("z")));
    assert_null(cfg_gateway(&b->c, STR("A")));
    cfg_put(&b->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(copes_when_loading),
        cmocka_unit_test(session_holders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, strictly) +
           CASES(root_rows, roots);
}
