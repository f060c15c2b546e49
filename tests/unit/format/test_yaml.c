/*
 * YAML as it is written, and read again.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/json.h"
#include "format/yaml.h"
#include "support/yaml.h"

static const struct row {
    const char *name, *json, *want;
} rows[] = {
    {"a mapping", "{\"a\":1,\"b\":\"x\"}", "a: 1\nb: \"x\"\n"},
    {"nested", "{\"a\":{\"b\":[1,{\"c\":null}]}}", "a:\n  b:\n    - 1\n    -\n      c: null\n"},
    {"empty ones", "{\"a\":{},\"b\":[],\"c\":\"\"}", "a: {}\nb: []\nc: \"\"\n"},
    {"a list at the top", "[1,[2,3]]", "- 1\n-\n  - 2\n  - 3\n"},
    {"a scalar at the top", "\"x\"", "\"x\"\n"},
    {"keys that look like something else", "{\"200\":1,\"true\":2,\"No\":3,\"y\":4,\"\":5,\"-\":6,\"a b\":7,\"a:b\":8,\"x-y\":9}",
     "\"200\": 1\n\"true\": 2\n\"No\": 3\n\"y\": 4\n\"\": 5\n\"-\": 6\n\"a b\": 7\n\"a:b\": 8\nx-y: 9\n"},
    {"texts that look like something else", "{\"a\":\"yes\",\"b\":\"2001-01-01\",\"c\":\"0x10\",\"d\":\"- x\",\"e\":\"#\"}",
     "a: \"yes\"\nb: \"2001-01-01\"\nc: \"0x10\"\nd: \"- x\"\ne: \"#\"\n"},
    {"line ends and quotes", "{\"a\":\"x\\n\\\"y\\\"\\\\\"}", "a: \"x\\n\\\"y\\\"\\\\\"\n"},
    {"beyond ASCII", "{\"caf\xc3\xa9\":\"\xf0\x9f\x98\x80\"}", "\"caf\xc3\xa9\": \"\xf0\x9f\x98\x80\"\n"},
    {"what older readers take for line ends", "{\"a\":\"\\u0085\\u2028\\u007f\\ufeff\"}", "a: \"\\u0085\\u2028\\u007F\\uFEFF\"\n"},
    {"numbers", "{\"a\":-1.5,\"b\":true,\"c\":12345678901234567890}", "a: -1.5\nb: true\nc: 12345678901234567890\n"},
};

static void writes(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct val v, again;
    struct buf out;
    struct err e;

    assert_int_equal(json_parse(str_c(r->json), &v, a, &e), 0);
    buf_init(&out, 1 * MIB, a);
    yaml_write(v, &out);
    assert_string_equal(buf_cstr(&out), r->want);
    if (val_is(v, VAL_DICT) || val_is(v, VAL_LIST)) {
        again = yaml_read(buf_cstr(&out), a);
        assert_true(val_eq(v, again));
    }
    arena_free(a);
}

int main(void)
{
    return CASES(rows, writes);
}
