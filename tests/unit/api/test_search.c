/*
 * Filters, paging and sorting of lists: what becomes SQL, and that values never do (http-api.md 2).
 */
#include "api/search.h"

#include "base/arena.h"
#include "http/url.h"
#include "support/cases.h"

static const struct search_field fields[] = {
    {"things", "id", "t.id", 'i', NULL},
    {"things", "name", "t.name", 't', NULL},
    {"things", "method", "lower(t.method)", 'l', NULL},
    {"things", "on", "t.is_on", 'b', NULL},
    {"things", "created_on", "t.created_on", 'z', NULL},
    {"parts", "name", "p.name", 't', "EXISTS (SELECT FROM parts p WHERE p.thing = t.id AND %s)"},
};
static const struct search_spec spec = {
    .model = "things", .where = "t.kind = 1", .order = "t.id DESC", .tie = "t.id DESC", .fields = fields, .n_fields = COUNT_OF(fields),
};

struct box {
    struct arena *a;
    struct http_req req;
    struct api_call call;
    struct search s;
    struct err e;
};

/* Compile the parameter `name` with this JSON text. */
static int compile(struct box *b, const struct search_spec *of, const char *name, const char *json)
{
    b->a = arena_new(0);
    b->req.a = b->a;
    b->req.query = str_printf(b->a, "x=1&%s=%.*s", name, STR_ARG(url_encode(str_c(json), "", b->a)));
    b->call.req = &b->req;
    b->call.a = b->a;
    return search_read(&b->call, of, NULL, NULL, &b->s, &b->e);
}

static const struct row {
    const char *name, *filter;
    const char *want; /* behind "t.kind = 1", or the error when it begins with '!' */
    size_t n_args;
} rows[] = {
    {"nothing", "", "", 0},
    {"empty list", "[]", " AND true", 0},
    {"empty object", "{}", " AND true", 0},
    {"equal", "{\"field\":\"name\",\"op\":\"eq\",\"value\":\"x\"}", " AND t.name = $1::text", 1},
    {"without op", "{\"field\":\"name\",\"value\":\"x\"}", " AND t.name = $1::text", 1},
    {"alias", "{\"field\":\"id\",\"op\":\">=\",\"value\":5}", " AND t.id >= $1::bigint", 1},
    {"number as text", "{\"field\":\"id\",\"op\":\"eq\",\"value\":\"5\"}", " AND t.id = $1::bigint", 1},
    {"truth", "{\"field\":\"on\",\"op\":\"eq\",\"value\":true}", " AND t.is_on = $1::boolean", 1},
    {"time", "{\"field\":\"created_on\",\"op\":\"lt\",\"value\":\"2024-01-01T00:00:00Z\"}", " AND t.created_on < $1::timestamptz", 1},
    {"different, nulls too", "{\"field\":\"name\",\"op\":\"ne\",\"value\":\"x\"}", " AND t.name IS DISTINCT FROM $1::text", 1},
    {"pattern", "{\"field\":\"name\",\"op\":\"like\",\"value\":\"%x%\"}", " AND t.name::text LIKE $1::text", 1},
    {"pattern on a number", "{\"field\":\"id\",\"op\":\"ilike\",\"value\":\"1%\"}", " AND t.id::text ILIKE $1::text", 1},
    {"null", "{\"field\":\"name\",\"op\":\"is_null\"}", " AND t.name IS NULL", 0},
    {"not null with a value", "{\"field\":\"name\",\"op\":\"is_not_null\",\"value\":\"\"}", " AND t.name IS NOT NULL", 0},
    {"list of values", "{\"field\":\"id\",\"op\":\"in\",\"value\":[1,2]}", " AND t.id::text = ANY ($1::text[])", 1},
    {"in any case", "{\"field\":\"method\",\"value\":\"GET\"}", " AND lower(t.method)::text = lower($1::text)::text", 1},
    {"list in any case", "{\"field\":\"method\",\"op\":\"not_in\",\"value\":[\"GET\"]}",
     " AND lower(t.method)::text <> ALL (lower($1::text)::text[])", 1},
    {"both", "[{\"field\":\"id\",\"value\":1},{\"field\":\"name\",\"value\":\"x\"}]", " AND (t.id = $1::bigint AND t.name = $2::text)", 2},
    {"or", "{\"or\":[{\"field\":\"id\",\"value\":1},{\"field\":\"id\",\"value\":2}]}", " AND (t.id = $1::bigint OR t.id = $2::bigint)", 2},
    {"not", "{\"not\":{\"field\":\"id\",\"value\":1}}", " AND NOT (t.id = $1::bigint)", 1},
    {"nested", "[{\"or\":[]},{\"and\":[{\"field\":\"id\",\"value\":1}]}]", " AND (true AND (t.id = $1::bigint))", 1},
    {"other model", "{\"model\":\"parts\",\"field\":\"name\",\"value\":\"x\"}",
     " AND EXISTS (SELECT FROM parts p WHERE p.thing = t.id AND p.name = $1::text)", 1},
    {"unknown model falls back", "{\"model\":\"foo\",\"field\":\"name\",\"value\":\"x\"}", " AND t.name = $1::text", 1},
    {"SQL in a value", "{\"field\":\"name\",\"value\":\"x' OR 1=1 --\"}", " AND t.name = $1::text", 1},
    {"SQL as a field", "{\"field\":\"name; DROP TABLE things\",\"value\":1}", "!filter: unknown field \"name; DROP TABLE things\"", 0},
    {"unknown op", "{\"field\":\"name\",\"op\":\"between\",\"value\":1}", "!filter: unknown op \"between\"", 0},
    {"no integer", "{\"field\":\"id\",\"value\":\"x\"}", "!filter: value of \"id\" is no integer", 0},
    {"no scalar", "{\"field\":\"name\",\"value\":[1]}", "!filter: value of \"name\" is no scalar", 0},
    {"no list", "{\"field\":\"name\",\"op\":\"in\",\"value\":1}", "!filter: value of \"name\" is no list", 0},
    {"a number", "5", "!filter: expected an object or a list, got int", 0},
    {"nested too deep", "[[[[[[[[[[[[{}]]]]]]]]]]]]", "!filter: nested deeper than 10", 0},
};

static void filters(const struct row *r)
{
    struct box b = {0};
    int rc = compile(&b, &spec, "filter", r->filter);

    if (r->want[0] == '!') {
        assert_int_equal(rc, -1);
        assert_string_equal(b.e.msg, r->want + 1);
    } else {
        assert_int_equal(rc, 0);
        assert_string_equal(buf_cstr(&b.s.where), str_printf(b.a, "t.kind = 1%s", r->want).p);
        assert_int_equal(b.s.n_args, r->n_args);
    }
    arena_free(b.a);
}

static void refuses_nonsense(void **state)
{
    struct box b = {0};

    (void)state;
    assert_int_equal(compile(&b, &spec, "filter", "{x"), -1);
    assert_int_equal(b.e.code, ERR_INVALID);
    assert_true(str_starts(str_c(b.e.msg), STR("filter: ")));
    arena_free(b.a);
    assert_int_equal(compile(&b, &spec, "sorting", "{x"), -1);
    arena_free(b.a);
    assert_int_equal(compile(&b, &spec, "paging", "{x"), -1);
    arena_free(b.a);
}

static void bounds_criteria(void **state)
{
    struct box b = {0};
    struct arena *a = arena_new(0);
    struct buf json;

    (void)state;
    buf_init(&json, MIB, a);
    for (int i = 0; i < 41; i++)
        buf_addf(&json, "%s{\"field\":\"id\",\"value\":%d}", i > 0 ? "," : "[", i);
    buf_putc(&json, ']');
    assert_int_equal(compile(&b, &spec, "filter", buf_cstr(&json)), -1);
    assert_int_equal(b.e.code, ERR_LIMIT);
    arena_free(b.a);
    arena_free(a);
}

/* Pages whose unused criteria arrive empty. */
static void skips_empty_values(void **state)
{
    struct search_spec lenient = spec;
    struct box b = {0};

    (void)state;
    lenient.skip_empty = true;
    assert_int_equal(compile(&b, &lenient, "filter", "[{\"field\":\"name\",\"op\":\"ne\",\"value\":\"\"},{\"field\":\"id\"}]"), 0);
    assert_string_equal(buf_cstr(&b.s.where), "t.kind = 1 AND (true AND true)");
    arena_free(b.a);
}

static const struct sort_row {
    const char *name, *sorting, *want;
    size_t n; /* echoed */
} sort_rows[] = {
    {"default", "", "t.id DESC", 0},
    {"one", "[{\"field\":\"name\",\"direction\":\"asc\"}]", "t.name ASC NULLS LAST, t.id DESC", 1},
    {"bare object", "{\"field\":\"id\",\"direction\":\"desc\"}", "t.id DESC, t.id DESC", 1},
    {"unknown field", "[{\"field\":\"zap\",\"direction\":\"asc\"}]", "t.id DESC", 0},
    {"field of another model", "[{\"field\":\"name\",\"model\":\"parts\"}]", "t.id DESC", 0},
    {"SQL as direction", "[{\"field\":\"id\",\"direction\":\"asc; DROP\"}]", "t.id ASC, t.id DESC", 1},
};

static void sorts(const struct sort_row *r)
{
    struct box b = {0};

    assert_int_equal(compile(&b, &spec, "sorting", r->sorting), 0);
    assert_string_equal(buf_cstr(&b.s.order), r->want);
    assert_int_equal(val_count(b.s.sorting), r->n);
    arena_free(b.a);
}

static const struct page_row {
    const char *name, *paging;
    int64_t page, size;
} page_rows[] = {
    {"default", "", 1, 50},
    {"given", "{\"page_number\":3,\"page_size\":20,\"num_pages\":9}", 3, 20},
    {"nought", "{\"page_number\":0,\"page_size\":0}", 1, 50},
    {"negative", "{\"page_number\":-5,\"page_size\":-1}", 1, 50},
    {"too large", "{\"page_number\":1,\"page_size\":100000}", 1, 1000},
    {"far away", "{\"page_number\":99999999999}", INT32_MAX, 50},
    {"a list", "[1,2]", 1, 50},
};

static void pages(const struct page_row *r)
{
    struct box b = {0};

    assert_int_equal(compile(&b, &spec, "paging", r->paging), 0);
    assert_int_equal(b.s.page, r->page);
    assert_int_equal(b.s.size, r->size);
    arena_free(b.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(bounds_criteria),
        cmocka_unit_test(skips_empty_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, filters) + CASES(sort_rows, sorts) + CASES(page_rows, pages);
}
