/*
 * JSON with the values of some members hidden: what is kept stands as it was, and what json_parse refuses is refused alike.
 */
#include "support/cases.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

static bool is_secret(struct str name)
{
    return str_eq_c(name, "pass") || str_eq_c(name, "p\"");
}

static const struct hide_row {
    const char *name;
    const char *in;
    const char *want; /* NULL: refused as json_parse refuses it */
} hides[] = {
    {"nothing to hide, compact", " { \"a\" : [ 1 , -2.50e+3 , true, null ] } \n", "{\"a\":[1,-2.50e+3,true,null]}"},
    {"at any depth", "[{\"pass\":\"x\"},{\"a\":{\"pass\":7,\"b\":1}}]", "[{\"pass\":\"***\"},{\"a\":{\"pass\":\"***\",\"b\":1}}]"},
    {"whole containers", "{\"pass\":{\"a\":[1,{}]},\"z\":[]}", "{\"pass\":\"***\",\"z\":[]}"},
    {"null stays", "{\"pass\":null}", "{\"pass\":null}"},
    {"each repeated member", "{\"pass\":1,\"pass\":2}", "{\"pass\":\"***\",\"pass\":\"***\"}"},
    {"a name with escapes", "{\"p\\u0061ss\":1,\"p\\\"\":2}", "{\"p\\u0061ss\":\"***\",\"p\\\"\":\"***\"}"},
    {"values as they were written", "[\"\\u0041\\/\",1.0,12345678901234567890123]", "[\"\\u0041\\/\",1.0,12345678901234567890123]"},
    {"no container", "\"pass\"", "\"pass\""},
    {"empty", "", NULL},
    {"behind the value", "{} {}", NULL},
    {"not closed", "{\"a\":1", NULL},
    {"no colon", "{\"a\" 1}", NULL},
    {"no name", "{1:1}", NULL},
    {"comma at the end", "[1,]", NULL},
    {"comma at the end of members", "{\"a\":1,}", NULL},
    {"no comma", "[1 2]", NULL},
    {"not UTF-8", "{\"pass\":\"\xff\"}", NULL},
    {"control character in what is hidden", "{\"pass\":\"\n\"}", NULL},
    {"half of a pair in a name", "{\"\\ud800\":1}", NULL},
};

static void hides_members(const struct hide_row *r)
{
    struct arena *a = arena_new(0);
    struct err e = {0}, parsed = {0};
    struct buf out;
    struct val v;
    int rc;

    buf_init(&out, MIB, a);
    buf_add_c(&out, "before ");
    rc = json_hide(str_c(r->in), is_secret, "***", &out, a, &e);
    assert_int_equal(rc, json_parse(str_c(r->in), &v, a, &parsed));
    assert_int_equal(rc, r->want != NULL ? 0 : -1);
    assert_string_equal(buf_cstr(&out), str_printf(a, "before %s", r->want != NULL ? r->want : "").p);
    if (rc != 0) {
        assert_string_equal(e.msg, parsed.msg);
        assert_int_equal(e.line, parsed.line);
        assert_int_equal(e.column, parsed.column);
    }
    arena_free(a);
}

static void hides_no_deeper_than_it_reads(void **state)
{
    struct arena *a = arena_new(0);
    char text[2 * LIMIT_JSON_DEPTH + 3];
    struct err e;
    struct buf out;

    (void)state;
    for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        buf_init(&out, MIB, a);
        assert_int_equal(json_hide(str_make(text, 2 * depth), is_secret, "***", &out, a, &e), depth > LIMIT_JSON_DEPTH ? -1 : 0);
    }
    assert_string_equal(e.msg, "nested deeper than 512");
    arena_free(a);
}

/* Each byte of a document replaced by each of some others. */
static void agrees_with_the_parser(void **state)
{
    static const char good[] = "{\"a\":[1,-2.5e3,\"x\\u0041\\n\",true,false,null,{}],\"pass\":{\"b\":[\"\xc3\xa9\"]}}";
    static const char others[] = "{}[],:\"\\0-eu\n \xff";
    struct arena *a = arena_new(0);
    int taken = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good - 1; i++) {
        for (size_t k = 0; k < sizeof others - 1; k++) {
            struct err e = {0}, parsed = {0};
            char text[sizeof good];
            struct buf out;
            struct val v;
            int rc;

            memcpy(text, good, sizeof good);
            text[i] = others[k];
            buf_init(&out, MIB, a);
            rc = json_hide(str_c(text), is_secret, "***", &out, a, &e);
            assert_int_equal(rc, json_parse(str_c(text), &v, a, &parsed));
            if (rc == 0) {
                assert_int_equal(json_parse(buf_str(&out), &v, a, &e), 0);
                taken++;
            } else {
                assert_string_equal(e.msg, parsed.msg);
                assert_int_equal(e.column, parsed.column);
            }
        }
    }
    assert_in_range(taken, 50, 500);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_no_deeper_than_it_reads),
        cmocka_unit_test(agrees_with_the_parser),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return failed + CASES(hides, hides_members);
}
