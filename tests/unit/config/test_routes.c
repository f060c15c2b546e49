/*
 * Custom routes: patterns, choice, methods (workflow-engine.md 5.1.2, 5.1.3).
 */
#include "unit/config/box.h"

static const struct pattern_row {
    const char *name, *route, *want; /* NULL: compiles */
} pattern_rows[] = {
    {"plain", "/a/b", NULL},
    {"variables", "/a/{b}/{c_1}", NULL},
    {"expression", "/a/{b:\\d{2,3}}/c", NULL},
    {"escaped brace in an expression", "/a/{b:\\}x}", NULL},
    {"no slash", "a", "route: must start with \"/\" at column 1"},
    {"empty", "", "route: must start with \"/\" at column 1"},
    {"open brace", "/a/{b", "route: \"{\" without \"}\" at column 4"},
    {"close brace", "/a/b}", "route: \"}\" without \"{\" at column 5"},
    {"no name", "/a/{}", "route: expected a name such as {id} at column 4"},
    {"bad name", "/a/{1b}", "route: expected a name such as {id} at column 4"},
    {"name twice", "/a/{b}/{b}", "route: this name is used twice at column 8"},
    {"empty expression", "/a/{b:}", "route: empty regular expression at column 4"},
};

static void compiles(const struct pattern_row *r)
{
    struct arena *a = arena_new(0);
    struct route_pattern *p;
    struct err e = {0};
    int rc = route_pattern_compile(&p, str_c(r->route), a, &e);

    if (r->want == NULL) {
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.msg, r->want);
    }
    arena_free(a);
}

static void broken_expression(void **state)
{
    struct arena *a = arena_new(0);
    struct route_pattern *p;
    struct err e = {0};

    (void)state;
    assert_int_equal(route_pattern_compile(&p, STR("/x/{id:(}"), a, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(e.column, 4);
    arena_free(a);
}

#define NO_PROXY "", ""
#define P1 "/api/v01/p1", "p1"

/* One route, asked for one path. */
static const struct match_row {
    const char *name, *route, *flags; /* p = public */
    const char *prefix, *proxy;
    const char *path, *info, *tail; /* info NULL: no match */
} match_rows[] = {
    {"relative", "/x/y", "", NO_PROXY, "/api/v01/custom/x/y", "{}", "x/y"},
    {"public", "/x", "p", NO_PROXY, "/api/v01/public/x", "{}", "x"},
    {"public is not under custom", "/x", "p", NO_PROXY, "/api/v01/custom/x", NULL, NULL},
    {"private is not under public", "/x", "", NO_PROXY, "/api/v01/public/x", NULL, NULL},
    {"absolute", "/api/v01/things/{id}", "", NO_PROXY, "/api/v01/things/7", "{\"id\":\"7\"}", "7"},
    {"absolute, with the proxy as variable", "/api/v01/{proxy}/configs/{x}/", "", P1,
     "/api/v01/p1/configs/user/", "{\"proxy\":\"p1\",\"x\":\"user\"}", "configs/user/"},
    {"below the proxy", "/my-route", "", P1, "/api/v01/p1/my-route", "{}", "my-route"},
    {"not under custom in a proxy", "/my-route", "", P1, "/api/v01/custom/my-route", NULL, NULL},
    {"another proxy", "/my-route", "", P1, "/api/v01/p10/my-route", NULL, NULL},
    {"whole path", "/x", "", NO_PROXY, "/api/v01/custom/x/y", NULL, NULL},
    {"one segment only", "/x/{a}", "", NO_PROXY, "/api/v01/custom/x/y/z", NULL, NULL},
    {"not empty", "/x/{a}", "", NO_PROXY, "/api/v01/custom/x/", NULL, NULL},
    {"decoded afterwards", "/x/{a}", "", NO_PROXY, "/api/v01/custom/x/a%2Fb%20c",
     "{\"a\":\"a/b c\"}", "x/a%2Fb%20c"},
    {"not UTF-8", "/x/{a}", "", NO_PROXY, "/api/v01/custom/x/%FF", "{\"a\":\"\xef\xbf\xbd\"}",
     "x/%FF"},
    {"inside a segment", "/x/a-{n}.json", "", NO_PROXY, "/api/v01/custom/x/a-5.json",
     "{\"n\":\"5\"}", "x/a-5.json"},
    {"value holds the separator", "/x/{a}-{b}", "", NO_PROXY, "/api/v01/custom/x/1-2-3",
     "{\"a\":\"1-2\",\"b\":\"3\"}", "x/1-2-3"},
    {"expression", "/c/{id:\\d+}/addresses", "", NO_PROXY, "/api/v01/custom/c/12/addresses",
     "{\"id\":\"12\"}", "c/12/addresses"},
    {"expression refuses", "/c/{id:\\d+}/addresses", "", NO_PROXY, "/api/v01/custom/c/1x/addresses",
     NULL, NULL},
    {"expression over slashes", "/f/{path:.+}", "", NO_PROXY, "/api/v01/custom/f/a/b/c",
     "{\"path\":\"a/b/c\"}", "f/a/b/c"},
    {"expression beside plain", "/f/{a}/{b:x|y}", "", NO_PROXY, "/api/v01/custom/f/1/y",
     "{\"a\":\"1\",\"b\":\"y\"}", "f/1/y"},
    {"literal text is no expression", "/a.c", "", NO_PROXY, "/api/v01/custom/abc", NULL, NULL},
    {"blank and accent in the route", "/caf\xc3\xa9 x", "", NO_PROXY,
     "/api/v01/custom/caf%C3%A9%20x", "{}", "caf%C3%A9%20x"},
    {"other form with slash", "/x", "", NO_PROXY, "/api/v01/custom/x/", "{}", "x/"},
    {"other form without slash", "/x/", "", NO_PROXY, "/api/v01/custom/x", "{}", "x"},
    {"letters count", "/x", "", NO_PROXY, "/api/v01/custom/X", NULL, NULL},
};

static void add_route(struct cfg_box *b, const char *route, const char *flags,
                      enum http_method method)
{
    struct cfg_route *list = ARENA_ARRAY(b->c.a, struct cfg_route, b->c.n_routes + 1);
    struct cfg_route *r = &list[b->c.n_routes];
    struct err e = {0};

    if (b->c.n_routes > 0)
        memcpy(list, b->c.routes, b->c.n_routes * sizeof *list);
    *r = (struct cfg_route){.id = (int64_t)b->c.n_routes + 1,
                            .method = method,
                            .route = str_c(route),
                            .is_public = strchr(flags, 'p') != NULL,
                            .enabled = strchr(flags, 'd') == NULL,
                            .activity_id = strchr(flags, 'n') == NULL ? 5 : 0,
                            .group = strchr(flags, '2') != NULL ? STR("p2") : STR("")};
    if (route_prepare(r, b->c.a, &e) != 0)
        fail_msg("%s", e.msg);
    b->c.routes = list;
    b->c.n_routes++;
}

static void matches(const struct match_row *r)
{
    struct cfg_box *b = box_new("{}");
    struct route_match m;

    add_route(b, r->route, r->flags, HTTP_GET);
    cfg_route_find(&b->c, HTTP_GET, str_c(r->path), str_c(r->prefix), str_c(r->proxy), &m, b->c.a);
    if (r->info == NULL) {
        assert_null(m.route);
        assert_int_equal(m.allowed, 0);
    } else {
        assert_non_null(m.route);
        assert_string_equal(json_text(m.match_info, b->c.a).p, r->info);
        assert_true(str_eq_c(m.tail, r->tail));
    }
    cfg_put(&b->c);
}

/* Several routes; want is the number of the one chosen, from 1. */
static const struct choice_row {
    const char *name;
    const char *routes[4]; /* flags after a blank: d disabled, n no activity, 2 group p2 */
    const char *prefix, *proxy, *path;
    int64_t want;
} choice_rows[] = {
    {"most literal characters", {"/a/{x}", "/a/b"}, NO_PROXY, "/api/v01/custom/a/b", 2},
    {"more of them first", {"/{x}/b", "/a/{x}"}, NO_PROXY, "/api/v01/custom/a/b", 1},
    {"expression before plain", {"/a/{x}", "/a/{x:\\d+}"}, NO_PROXY, "/api/v01/custom/a/1", 2},
    {"plain where the expression refuses",
     {"/a/{x}", "/a/{x:\\d+}"},
     NO_PROXY,
     "/api/v01/custom/a/z",
     1},
    {"lowest id", {"/a/{x}", "/a/{y}"}, NO_PROXY, "/api/v01/custom/a/z", 1},
    {"disabled", {"/a d", "/{x}"}, NO_PROXY, "/api/v01/custom/a", 2},
    {"no activity", {"/a n"}, NO_PROXY, "/api/v01/custom/a", 0},
    {"exact slash before the other form", {"/{x}/", "/a"}, NO_PROXY, "/api/v01/custom/a/", 1},
    {"group of this proxy", {"/a 2"}, "/api/v01/p2", "p2", "/api/v01/p2/a", 1},
    {"group of another proxy", {"/a 2"}, P1, "/api/v01/p1/a", 0},
    {"group of a proxy, in the core", {"/a 2"}, NO_PROXY, "/api/v01/custom/a", 1},
};

static void chooses(const struct choice_row *r)
{
    struct cfg_box *b =
        box_new("{\"provisioning\":{\"gateways\":[{\"name\":\"x\",\"prefix\":\"/api/v01/p2/\"}]}}");
    struct route_match m;

    for (size_t i = 0; i < COUNT_OF(r->routes) && r->routes[i] != NULL; i++) {
        struct str flags = str_c(r->routes[i]);
        struct str route = str_cut(&flags, ' ');

        add_route(b, str_dup(b->c.a, route).p, str_cstr(b->c.a, flags), HTTP_GET);
    }
    cfg_route_find(&b->c, HTTP_GET, str_c(r->path), str_c(r->prefix), str_c(r->proxy), &m, b->c.a);
    assert_int_equal(m.route != NULL ? m.route->id : 0, r->want);
    cfg_put(&b->c);
}

/* A path that could be divided in countless ways ends soon. */
static void hostile_path(void **state)
{
    struct cfg_box *b = box_new("{}");
    struct route_match m;
    char *path = arena_alloc(b->c.a, 8001);

    (void)state;
    memset(path, '-', 8000);
    memcpy(path, "/api/v01/custom/x/", 18);
    path[8000] = '\0';
    add_route(b, "/x/{a}-{b}-{c}-{d}-{e}-{f}!", "", HTTP_GET);
    cfg_route_find(&b->c, HTTP_GET, str_c(path), STR(""), STR(""), &m, b->c.a);
    assert_null(m.route);
    cfg_put(&b->c);
}

static void methods(void **state)
{
    struct cfg_box *b = box_new("{}");
    struct route_match m;

    (void)state;
    add_route(b, "/a/{x}", "", HTTP_GET);
    add_route(b, "/a/{x}", "", HTTP_PUT);
    add_route(b, "/b", "", HTTP_DELETE);
    cfg_route_find(&b->c, HTTP_POST, STR("/api/v01/custom/a/1"), STR(""), STR(""), &m, b->c.a);
    assert_null(m.route);
    assert_int_equal(m.allowed, 1u << HTTP_GET | 1u << HTTP_PUT);
    cfg_route_find(&b->c, HTTP_HEAD, STR("/api/v01/custom/a/1"), STR(""), STR(""), &m, b->c.a);
    assert_int_equal(m.route->id, 1);
    cfg_put(&b->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_expression),
        cmocka_unit_test(methods),
        cmocka_unit_test(hostile_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(pattern_rows, compiles) +
           CASES(match_rows, matches) + CASES(choice_rows, chooses);
}
