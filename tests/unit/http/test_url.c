/*
 * Paths, queries and URLs.
 */
#include "support/cases.h"

#include "base/json.h"
#include "http/url.h"

static struct arena *a;

/* ---- the canonical path (gateway-proxy.md 2.1)
 * ------------------------------------------------------ */

static const struct path_row {
    const char *name;
    const char *in;
    const char *want; /* NULL: refused */
    const char *why;
} paths[] = {
    {"root", "/", "/", NULL},
    {"plain", "/api/v01/p1/tenants/", "/api/v01/p1/tenants/", NULL},
    {"no final slash", "/api/v01/p1/tenants", "/api/v01/p1/tenants", NULL},
    {"unreserved is decoded", "/%61%7Eb%2d%5F%2E1", "/a~b-_.1", NULL},
    {"reserved stays escaped, in upper case", "/a%2fb%40c%3a", "/a%2Fb%40c%3A", NULL},
    {"raw reserved stays raw", "/a@b:c+d;e=f,g!h$(i)*'&", "/a@b:c+d;e=f,g!h$(i)*'&", NULL},
    {"escaped blank and percent stay", "/a%20b%25c", "/a%20b%25c", NULL},
    {"escaped UTF-8 stays", "/caf%c3%a9", "/caf%C3%A9", NULL},
    {"dots inside a name", "/a..b/...", "/a..b/...", NULL},
    {"hidden name", "/.well-known/x", "/.well-known/x", NULL},
    {"slashes of ids", "/users/a%2Fb%2Fc", "/users/a%2Fb%2Fc", NULL},
    {"single dot", "/a/./b", NULL, "segment"},
    {"double dot", "/a/../b", NULL, "segment"},
    {"double dot at the end", "/a/..", NULL, "segment"},
    {"single dot at the end", "/a/.", NULL, "segment"},
    {"escaped dot", "/a/%2e/b", NULL, "segment"},
    {"escaped dots", "/a/%2E%2e/b", NULL, "segment"},
    {"half escaped dots", "/a/.%2e", NULL, "segment"},
    {"dots with parameters", "/a/..;x=1/b", NULL, "segment"},
    {"dots with escaped parameters", "/a/.%3bx/b", NULL, "segment"},
    {"more dots are a name", "/a/...;x/b", "/a/...;x/b", NULL},
    {"dots before an escaped slash", "/a/..%2fb", NULL, "segment"},
    {"dots behind an escaped slash", "/a%2F..", NULL, "segment"},
    {"dots between escaped slashes", "/a%2f%2e%2e%2fb", NULL, "segment"},
    {"dots behind an escaped backslash", "/a%5c..", NULL, "segment"},
    {"only dots", "/..", NULL, "segment"},
    {"empty segment", "/a//b", NULL, "empty segment"},
    {"empty first segment", "//a", NULL, "empty segment"},
    {"two final slashes", "/a//", NULL, "empty segment"},
    {"NUL", "/a%00b", NULL, "NUL"},
    {"CR", "/a%0Db", NULL, "NUL, CR or LF"},
    {"LF", "/a%0ab", NULL, "NUL, CR or LF"},
    {"escape cut short", "/a%4", NULL, "invalid escape"},
    {"lonely percent", "/a%", NULL, "invalid escape"},
    {"not hexadecimal", "/a%zz", NULL, "invalid escape"},
    {"one digit only", "/a%4/b", NULL, "invalid escape"},
    {"raw UTF-8", "/caf\xc3\xa9", NULL, "written as %xx"},
    {"raw control", "/a\x01", NULL, "written as %xx"},
    {"raw tab", "/a\tb", NULL, "written as %xx"},
    {"raw blank", "/a b", NULL, "written as %xx"},
    {"raw DEL", "/a\x7f", NULL, "written as %xx"},
    {"no first slash", "a/b", NULL, "begin"},
    {"empty", "", NULL, "begin"},
    {"another server", "http://x/a", NULL, "begin"},
};

static void canonical(const struct path_row *r)
{
    struct err e;
    struct str out = STR_NONE;
    int rc = url_canonical_path(str_c(r->in), &out, a, &e);

    if (r->want == NULL) {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.msg, r->why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e.msg, r->why);
        return;
    }
    assert_int_equal(rc, 0);
    assert_string_equal(str_cstr(a, out), r->want);
    /* Canonical means: doing it again changes nothing. */
    assert_int_equal(url_canonical_path(out, &out, a, &e), 0);
    assert_string_equal(str_cstr(a, out), r->want);
}

static void long_paths(void **state)
{
    char *p = arena_alloc(a, 8193);
    struct str out;
    struct err e;

    (void)state;
    memset(p, 'a', 8193);
    p[0] = '/';
    assert_int_equal(url_canonical_path(str_make(p, 8192), &out, a, &e), 0);
    assert_int_equal(url_canonical_path(str_make(p, 8193), &out, a, &e), -1);
    assert_non_null(strstr(e.msg, "8192"));
}

/* ---- URLs
 * --------------------------------------------------------------------------------------------- */

static const struct url_row {
    const char *name;
    const char *in;
    const char *want; /* scheme|userinfo|host|port|path|query|fragment, NULL: refused */
    const char *origin;
} urls[] = {
    {"plain", "http://h/p", "http||h|0|/p||", "http://h"},
    {"everything", "HTTPS://u:p@Host.Example:8443/a/b?x=1&y=/?#f",
     "https|u:p|host.example|8443|/a/b|x=1&y=/?|f", "https://host.example:8443"},
    {"no path", "http://h", "http||h|0|||", "http://h"},
    {"query without path", "http://h?x", "http||h|0||x|", "http://h"},
    {"default port", "http://h:80/", "http||h|80|/||", "http://h"},
    {"default port of tls", "https://h:443/", "https||h|443|/||", "https://h"},
    {"empty port", "http://h:/", "http||h|0|/||", "http://h"},
    {"address of version 6", "http://[::1]:8080/x", "http||::1|8080|/x||", "http://[::1]:8080"},
    {"at sign in the password", "http://u:p@ss@h/", "http|u:p@ss|h|0|/||", "http://h"},
    {"no scheme", "h/p", NULL, NULL},
    {"no slashes", "mailto:x", NULL, NULL},
    {"no host", "http:///p", NULL, NULL},
    {"port is text", "http://h:x/", NULL, NULL},
    {"port too large", "http://h:65536/", NULL, NULL},
    {"port with sign", "http://h:+80/", NULL, NULL},
    {"blank", "http://h/a b", NULL, NULL},
    {"line break", "http://h/a\r\nX: y", NULL, NULL},
    {"backslash", "http://h\\@evil/", NULL, NULL},
    {"bracket", "http://[::1/", NULL, NULL},
    {"text behind the bracket", "http://[::1]x/", NULL, NULL},
    {"empty", "", NULL, NULL},
};

static void parses(const struct url_row *r)
{
    struct url u;
    struct err e;
    struct str got;

    if (url_parse(str_c(r->in), &u, a, &e) != 0) {
        assert_null(r->want);
        assert_int_equal(e.code, ERR_INVALID);
        return;
    }
    got =
        str_printf(a, "%.*s|%.*s|%.*s|%d|%.*s|%.*s|%.*s", STR_ARG(u.scheme), STR_ARG(u.userinfo),
                   STR_ARG(u.host), u.port, STR_ARG(u.path), STR_ARG(u.query), STR_ARG(u.fragment));
    assert_non_null(r->want);
    assert_string_equal(str_cstr(a, got), r->want);
    assert_string_equal(str_cstr(a, url_origin(&u, a)), r->origin);
}

/* ---- escapes and queries
 * --------------------------------------------------------------------------------- */

static const struct decode_row {
    const char *name;
    const char *in;
    bool plus;
    const char *want;
} decodes[] = {
    {"plain", "abc", true, "abc"},         {"escape", "a%20b%2Fc", false, "a b/c"},
    {"plus as blank", "a+b", true, "a b"}, {"plus as plus", "a+b", false, "a+b"},
    {"NUL", "a%00", false, NULL},          {"cut", "a%2", false, NULL},
    {"no hex", "%g0", false, NULL},        {"empty", "", true, ""},
};

static void decoding(const struct decode_row *r)
{
    struct str got = url_decode(str_c(r->in), r->plus, a);

    if (r->want == NULL)
        assert_null(got.p);
    else
        assert_string_equal(str_cstr(a, got), r->want);
}

static void encoding(void **state)
{
    (void)state;
    assert_string_equal(str_cstr(a, url_encode(STR("a b/c~\xc3\xa9%"), "/", a)),
                        "a%20b/c~%C3%A9%25");
    assert_string_equal(str_cstr(a, url_encode(STR("a/b"), NULL, a)), "a%2Fb");
    assert_string_equal(str_cstr(a, url_encode(STR("a\0b"), "/", a)), "a%00b");
}

static const struct query_row {
    const char *name;
    const char *in;
    const char *want;
} queries[] = {
    {"empty", "", "{}"},
    {"pairs", "a=1&b=2", "{\"a\":\"1\",\"b\":\"2\"}"},
    {"repeated", "a=1&b=2&a=3&a=4", "{\"a\":[\"1\",\"3\",\"4\"],\"b\":\"2\"}"},
    {"no value", "a&b=", "{\"a\":\"\",\"b\":\"\"}"},
    {"value holds =", "a=b=c", "{\"a\":\"b=c\"}"},
    {"decoded", "a+b=%7B%22x%22%3A1%7D", "{\"a b\":\"{\\\"x\\\":1}\"}"},
    {"stray percent", "a=100%&b=%zz", "{\"a\":\"100%\",\"b\":\"%zz\"}"},
    {"not UTF-8", "a=%ff", "{\"a\":\"\xef\xbf\xbd\"}"},
    {"empty pairs", "&&a=1&", "{\"a\":\"1\"}"},
};

static void query(const struct query_row *r)
{
    assert_string_equal(str_cstr(a, json_text(url_query_parse(str_c(r->in), a), a)), r->want);
}

static const struct without_row {
    const char *name;
    const char *in;
    const char *want;
} withouts[] = {
    {"alone", "auth_token=x", ""},
    {"first", "auth_token=x&a=1", "a=1"},
    {"last", "a=1&auth_token=x", "a=1"},
    {"middle, order kept", "b=2&auth_token=x&a=1", "b=2&a=1"},
    {"several", "auth_token=x&a=1&auth_token=y", "a=1"},
    {"disguised", "auth%5Ftoken=x&a=1", "a=1"},
    {"no value", "auth_token&a=%20+", "a=%20+"},
    {"absent", "a=1&&b", "a=1&&b"},
    {"absent, byte for byte", "&a=1&", "&a=1&"},
    {"what stands around it", "&a=1&auth_token=x&", "&a=1&"},
    {"similar", "xauth_token=1&auth_tokens=2", "xauth_token=1&auth_tokens=2"},
};

static void without(const struct without_row *r)
{
    assert_string_equal(str_cstr(a, url_query_without(str_c(r->in), "auth_token", a)), r->want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_paths), cmocka_unit_test(encoding)};
    int failed;

    a = arena_new(0);
    failed = CASES(paths, canonical) + CASES(urls, parses) + CASES(decodes, decoding) +
             CASES(queries, query) + CASES(withouts, without) +
             cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
