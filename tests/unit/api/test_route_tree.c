/*
 * The tree of routes: which row wins, what the placeholders hold, which methods a path has.
 */
#include "api/route_tree.h"

#include "base/arena.h"
#include "support/cases.h"

static const struct api_route routes[] = {
    {.method = HTTP_GET, .path = "/a", .access = "list"},
    {.method = HTTP_GET, .path = "/a/{id}", .access = "one"},
    {.method = HTTP_PUT, .path = "/a/{id}", .access = "put"},
    {.method = HTTP_POST, .path = "/a/import", .access = "import"},
    {.method = HTTP_GET, .path = "/a/{id}/b/{name}", .access = "inner"},
    {.method = HTTP_GET, .path = "/a/{id}/login_*", .access = "login"},
    {.method = HTTP_GET, .path = "/a/{id}/login_x", .access = "login x"},
    {.method = HTTP_GET, .path = "/a/7/c", .access = "seven"},
    {.method = HTTP_POST, .path = "/{x}/import", .access = "any import"},
    {.method = HTTP_DELETE, .path = "/{x}/{y}", .access = "any"},
};

enum { GET = 1 << HTTP_GET, POST = 1 << HTTP_POST, PUT = 1 << HTTP_PUT };

static const struct row {
    const char *name;
    enum http_method method;
    const char *path, *want; /* want NULL: no row */
    const char *params[3];
    unsigned allowed;
} rows[] = {
    {"text", HTTP_GET, "/a", "list", {0}, GET},
    {"final slash", HTTP_GET, "/a/", "list", {0}, GET},
    {"placeholder", HTTP_GET, "/a/5", "one", {"5"}, GET | PUT},
    {"other method", HTTP_PUT, "/a/5", "put", {"5"}, GET | PUT},
    {"head", HTTP_HEAD, "/a/5", "one", {"5"}, GET | PUT},
    {"text wins", HTTP_POST, "/a/import", "import", {0}, POST},
    {"a method only the placeholder has", HTTP_GET, "/a/import", "one", {"import"}, POST},
    {"two placeholders", HTTP_GET, "/a/5/b/x%20y", "inner", {"5", "x%20y"}, GET},
    {"start", HTTP_GET, "/a/5/login_y", "login", {"5", "login_y"}, GET},
    {"text before start", HTTP_GET, "/a/5/login_x", "login x", {"5"}, GET},
    {"back from a dead end", HTTP_GET, "/a/7/b/q", "inner", {"7", "q"}, GET},
    {"text inside", HTTP_GET, "/a/7/c", "seven", {0}, GET},
    {"placeholder first", HTTP_POST, "/z/import", "any import", {"z"}, POST},
    {"further back", HTTP_DELETE, "/a/import", "any", {"a", "import"}, POST},
    {"no such method", HTTP_PATCH, "/a/5", NULL, {0}, GET | PUT},
    {"unknown method", HTTP_OTHER, "/a", NULL, {0}, GET},
    {"empty segment", HTTP_GET, "/a//b/x", NULL, {0}, 0},
    {"too long", HTTP_GET, "/a/7/c/d", NULL, {0}, 0},
    {"root", HTTP_GET, "/", NULL, {0}, 0},
    {"nothing", HTTP_GET, "", NULL, {0}, 0},
};

static void finds(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct str params[API_PARAMS_MAX];
    unsigned allowed;
    const struct api_route *found = route_tree_find(route_tree_new(routes, COUNT_OF(routes), a), r->method,
                                                    str_c(r->path), params, &allowed);

    assert_int_equal(allowed, r->allowed);
    assert_int_equal(found != NULL, r->want != NULL);
    if (found != NULL)
        assert_string_equal(found->access, r->want);
    for (size_t i = 0; i < COUNT_OF(r->params); i++) {
        assert_int_equal(params[i].p != NULL, r->params[i] != NULL);
        if (r->params[i] != NULL)
            assert_true(str_eq_c(params[i], r->params[i]));
    }
    arena_free(a);
}

int main(void)
{
    return CASES(rows, finds);
}
