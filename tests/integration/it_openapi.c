/*
 * The OpenAPI document of the custom routes: what the specification asks of it, and what clients find there.
 */
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "integration/env_api.h"
#include "support/yaml.h"

static struct env *env;
static int64_t activity;

#define DOCUMENT "/api/v01/custom_routes.swagger.yml"

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

static struct val document(const char *token)
{
    const char *before = api_as(token);
    struct env_answer a = api_raw(env, "GET", DOCUMENT, NULL);
    struct val v;

    api_as(before);
    assert_int_equal(a.status, 200);
    assert_string_equal(env_header(env, &a, "Content-Type"), "application/yaml");
    v = yaml_read(a.body, env_arena(env));
    if (val_is_undef(v))
        env_fail(env, "not the YAML that was expected: %s", a.body);
    return v;
}

/* ---- what OpenAPI 3.0 asks for ------------------------------------------------------------------------ */

static void check_refs(struct val doc, struct val v)
{
    struct val key, value;

    for (size_t i = 0; val_is(v, VAL_LIST) && i < val_count(v); i++)
        check_refs(doc, val_at(v, i));
    for (size_t i = 0; val_is(v, VAL_DICT) && val_pair_at(v, i, &key, &value); i++) {
        struct str ref = val_text(value), prefix = STR("#/components/schemas/");

        if (!str_eq_c(val_text(key), "$ref")) {
            check_refs(doc, value);
            continue;
        }
        assert_true(str_starts(ref, prefix));
        assert_false(val_is_undef(val_get_str(val_path(doc, "components.schemas"), str_slice(ref, prefix.len, ref.len))));
    }
}

/* Each variable of the path is a required parameter, and no other is. */
static void check_parameters(struct str path, struct val op)
{
    struct val list = val_get(op, "parameters");
    size_t n = 0;

    for (struct str rest = path; str_find_char(rest, '{') >= 0; n++) {
        struct str name;
        struct val p;

        str_cut(&rest, '{');
        name = str_cut(&rest, '}');
        p = val_at(list, n);
        assert_true(str_eq(val_get_text(p, "name", STR("")), name));
        assert_string_equal(text(p, "in"), "path");
        assert_string_equal(text(p, "required"), "true");
        assert_string_equal(text(p, "schema.type"), "string");
    }
    assert_int_equal(val_count(list), n);
}

static void check_operation(struct val doc, struct str path, struct val op, struct val seen)
{
    struct val responses = val_get(op, "responses"), key, value;

    assert_true(val_count(responses) > 0);
    for (size_t i = 0; val_pair_at(responses, i, &key, &value); i++)
        assert_true(val_is(val_get(value, "description"), VAL_STR));
    assert_true(val_is_undef(val_get_val(seen, val_get(op, "operationId"))));
    val_dict_set_str(seen, val_text(val_get(op, "operationId")), val_bool(true));
    check_parameters(path, op);
    if (!val_is_undef(val_get(op, "requestBody")))
        assert_true(val_is(val_path(op, "requestBody.content"), VAL_DICT));
    for (size_t i = 0; i < val_count(val_get(op, "security")); i++)
        for (size_t k = 0; val_pair_at(val_at(val_get(op, "security"), i), k, &key, &value); k++)
            assert_true(val_is(val_get_val(val_path(doc, "components.securitySchemes"), key), VAL_DICT));
}

static void check_document(struct val doc)
{
    static const char *const methods = " get put post delete ";
    struct val path, item, method, op, seen = val_dict_new(env_arena(env), 16);

    assert_true(str_starts(val_get_text(doc, "openapi", STR("")), STR("3.0.")));
    assert_true(val_is(val_path(doc, "info.title"), VAL_STR));
    assert_true(val_is(val_path(doc, "info.version"), VAL_STR));
    assert_true(val_is(val_get(doc, "paths"), VAL_DICT));
    for (size_t i = 0; val_pair_at(val_get(doc, "paths"), i, &path, &item); i++) {
        assert_true(str_starts(val_text(path), STR("/")));
        assert_true(str_find_char(val_text(path), ':') < 0);
        for (size_t k = 0; val_pair_at(item, k, &method, &op); k++) {
            assert_non_null(strstr(methods, str_printf(env_arena(env), " %.*s ", STR_ARG(val_text(method))).p));
            check_operation(doc, val_text(path), op, seen);
        }
    }
    check_refs(doc, doc);
}

/* ---- tests ----------------------------------------------------------------------------------------------- */

static void an_empty_platform(void **state)
{
    struct val doc = document("");

    (void)state;
    check_document(doc);
    assert_int_equal(val_count(val_get(doc, "paths")), 0);
}

static void describes_routes(void **state)
{
    struct val doc, op;

    (void)state;
    activity = api_activity(env, "moves a number", DEFINITION("", "[\"start.ok\",\"end\"]"));
    api_route(env, "post", "/numbers/{number:\\d{4,}}/move/{to}", activity,
              ",\"group\":\"numbers\",\"schema\":{\"type\":\"object\",\"required\":[\"when\"],\"properties\":{\"when\":{\"type\":[\"string\",\"null\"]},"
              "\"who\":{\"$ref\":\"#/definitions/person\"}},\"definitions\":{\"person\":{\"type\":\"object\",\"properties\":{\"boss\":{\"$ref\":\"#/definitions/person\"}}}}},"
              "\"output_schema\":{\"201\":{\"description\":\"moved\",\"content\":{\"application/json\":{\"schema\":{\"const\":1}}}},\"4XX\":{},"
              "\"409\":{\"type\":\"object\"},\"moved\":{\"description\":\"no status\"}}");
    api_route(env, "get", "/numbers/{n}", activity, ",\"public\":true,\"sync\":true");
    api_route(env, "delete", "/numbers/{other}", activity, ",\"public\":true");
    api_route(env, "get", "/api/v01/p1/tenants/{tenant}/", activity, ",\"group\":\"tenants\"");
    api_route(env, "put", "/hidden", activity, ",\"enabled\":false");
    doc = document(api_token());
    check_document(doc);
    assert_int_equal(val_count(val_get(doc, "paths")), 3);
    assert_int_equal(val_count(val_get(doc, "tags")), 2);

    op = val_get(val_get_str(val_get(doc, "paths"), STR("/api/v01/custom/numbers/{number}/move/{to}")), "post");
    assert_string_equal(text(op, "summary"), "moves a number");
    assert_string_equal(text(op, "tags.0"), "numbers");
    assert_string_equal(text(op, "parameters.0.schema.pattern"), "^(?:\\d{4,})$");
    assert_string_equal(text(op, "parameters.1.name"), "to");
    op = val_path(op, "requestBody");
    assert_string_equal(text(val_get_str(val_get(op, "content"), STR("application/json")), "schema.properties.when.nullable"), "true");
    op = val_get(val_get_str(val_get(doc, "paths"), STR("/api/v01/custom/numbers/{number}/move/{to}")), "post");
    op = val_get(op, "responses");
    assert_int_equal(val_count(op), 3);
    assert_string_equal(text(op, "201.description"), "moved");
    assert_string_equal(text(val_get_str(val_path(op, "201.content"), STR("application/json")), "schema.enum.0"), "1");
    assert_string_equal(text(val_get_str(val_path(op, "409.content"), STR("application/json")), "schema.type"), "object");

    /* one path whatever the variable is called; public ones ask for nothing */
    op = val_get_str(val_get(doc, "paths"), STR("/api/v01/public/numbers/{n}"));
    assert_string_equal(text(op, "delete.parameters.0.name"), "n");
    assert_int_equal(val_count(val_path(op, "get.security")), 0);
    assert_string_equal(text(op, "get.responses.200.description"), "the answer of the workflow");
    assert_string_equal(text(val_get_str(val_path(op, "delete.responses.200.content"), STR("application/json")), "schema.properties.id.type"), "integer");
    assert_false(val_is_undef(val_get_str(val_get(doc, "paths"), STR("/api/v01/p1/tenants/{tenant}/"))));
}

/* Who is not signed in sees the public ones; a token that is no good is none. */
static void hides_private_routes(void **state)
{
    struct val doc = document("");

    (void)state;
    check_document(doc);
    assert_int_equal(val_count(val_get(doc, "paths")), 1);
    assert_int_equal(val_count(val_get(document("null"), "paths")), 1);
    assert_int_equal(val_count(val_get(document("nonsense"), "paths")), 1);
}

static void mentions_routes_that_collide(void **state)
{
    struct val doc, op;

    (void)state;
    api_route(env, "get", "/clash/{id:\\d+}", activity, "");
    api_route(env, "get", "/clash/{name:[a-z]+}", activity, "");
    doc = document(api_token());
    check_document(doc);
    op = val_get(val_get_str(val_get(doc, "paths"), STR("/api/v01/custom/clash/{id}")), "get");
    assert_string_equal(text(op, "description"), "also: /api/v01/custom/clash/{name:[a-z]+}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(an_empty_platform), API_TEST(describes_routes),
                                       API_TEST(hides_private_routes), API_TEST(mentions_routes_that_collide)};

    env = env_start();
    env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
