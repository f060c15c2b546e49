/*
 * JSON: what is read, what is refused and where, what is written; random documents against cJSON.
 */
#include "support/cases.h"

#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

static const struct good_row {
    const char *name;
    const char *in;
    const char *want; /* written back compactly */
} goods[] = {
    {"null", "null", "null"},
    {"blanks around", " \t\r\n true \n", "true"},
    {"int", "-17", "-17"},
    {"negative zero is an int", "-0", "0"},
    {"float stays a float", "1.0", "1.0"},
    {"exponent makes a float", "1E2", "100.0"},
    {"signed exponents", "[1e+2,1e-2]", "[100.0,0.01]"},
    {"float in Python's form", "[1e20,0.00001,123456789.125]", "[1e+20,1e-05,123456789.125]"},
    {"float of many digits", "0.1000000000000000055511151231257827", "0.1"},
    {"float of many digits before the point", "123456789012345678901234567890.0",
     "1.2345678901234568e+29"},
    {"float longer than any buffer",
     "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333",
     "0.3333333333333333"},
    {"tiny float", "1e-400", "0.0"},
    {"largest float", "1.7976931348623157e308", "1.7976931348623157e+308"},
    {"64 bits", "[9223372036854775807,-9223372036854775808]",
     "[9223372036854775807,-9223372036854775808]"},
    {"beyond 64 bits", "[9223372036854775808,-9223372036854775809,18446744073709551616]",
     "[9223372036854775808,-9223372036854775809,18446744073709551616]"},
    {"thirty digits", "123456789012345678901234567890", "123456789012345678901234567890"},
    {"empty containers", "[ [ ] , { } ]", "[[],{}]"},
    {"member order", "{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"},
    {"last of repeated members, first place", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
    {"empty name", "{\"\":1}", "{\"\":1}"},
    {"escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"unicode escapes", "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"",
     "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"controls by number", "\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\""},
    {"escaped name", "{\"\\u0061\":1}", "{\"a\":1}"},
    {"raw UTF-8", "\"\xe2\x82\xac uro, longer than a word\"",
     "\"\xe2\x82\xac uro, longer than a word\""},
    {"quote at each place of a word",
     "[\"\",\"1\",\"12\",\"123\",\"1234\",\"12345\",\"123456\",\"1234567\",\"12345678\"]",
     "[\"\",\"1\",\"12\",\"123\",\"1234\",\"12345\",\"123456\",\"1234567\",\"12345678\"]"},
};

static void reads(const struct good_row *r)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;

    if (json_parse(str_c(r->in), &v, a, &e) != 0)
        fail_msg("%d:%d %s", e.line, e.column, e.msg);
    assert_string_equal(json_text(v, a).p, r->want);
    arena_free(a);
}

static const struct bad_row {
    const char *name;
    const char *in;
    int line;
    int column;
    const char *want;
} bads[] = {
    {"empty", "", 1, 1, "expected a value"},
    {"blank", "  ", 1, 3, "expected a value"},
    {"word", "nul", 1, 1, "expected a value"},
    {"wrong word", "True", 1, 1, "expected a value"},
    {"behind the value", "1 2", 1, 3, "text goes on behind the value"},
    {"array without end", "[1, 2", 1, 6, "expected ',' or ']'"},
    {"array with a gap", "[1,,2]", 1, 4, "expected a value"},
    {"comma at the end", "[1,]", 1, 4, "expected a value"},
    {"wrong bracket", "[1}", 1, 3, "expected ',' or ']'"},
    {"object without end", "{\"a\":1", 1, 7, "expected ',' or '}'"},
    {"comma before the brace", "{\"a\":1,}", 1, 8, "expected a member name in quotes"},
    {"name without quotes", "{a:1}", 1, 2, "expected a member name in quotes"},
    {"no colon", "{\"a\" 1}", 1, 6, "expected ':'"},
    {"no value", "{\"a\":}", 1, 6, "expected a value"},
    {"on line three", "{\n  \"a\": 1,\n  \"\xc3\xa9\": x}", 3, 8, "expected a value"},
    {"leading zero", "[01]", 1, 2, "number with a leading zero"},
    {"minus only", "-", 1, 2, "expected a digit"},
    {"plus", "+1", 1, 1, "expected a value"},
    {"point without digits", "1.", 1, 3, "expected a digit"},
    {"digits after the point only", ".5", 1, 1, "expected a value"},
    {"exponent without digits", "1e+", 1, 4, "expected a digit"},
    {"too large", "[1e309]", 1, 2, "number out of range"},
    {"far too large", "1e999999999999", 1, 1, "number out of range"},
    {"NaN", "NaN", 1, 1, "expected a value"},
    {"string without end", "\"abc", 1, 5, "string without end"},
    {"string ending in a backslash", "\"abc\\", 1, 5, "unknown escape in string"},
    {"control in string", "\"a\nb\"", 1, 3, "control character in string"},
    {"unknown escape", "\"\\x\"", 1, 2, "unknown escape in string"},
    {"short unicode escape", "\"\\u12\"", 1, 2, "expected four hexadecimal digits behind \"\\u\""},
    {"lone high surrogate", "\"\\ud83d\"", 1, 2, "half of a surrogate pair in string"},
    {"lone low surrogate", "\"\\ude00\"", 1, 2, "half of a surrogate pair in string"},
    {"high surrogate twice", "\"\\ud83d\\ud83d\"", 1, 2, "half of a surrogate pair in string"},
    {"not UTF-8", "[\"\xc3\xa9\xff\"]", 1, 4, "text is not UTF-8"},
    {"single quotes", "'a'", 1, 1, "expected a value"},
    {"comment", "[1] // x", 1, 5, "text goes on behind the value"},
};

/* The checker of unread text must refuse the same, in the same words: it stands behind enough
 * items. */
static void refuses(const struct bad_row *r)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;

    assert_int_equal(json_parse(str_c(r->in), &v, a, &e), -1);
    assert_string_equal(e.msg, r->want);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(e.line, r->line);
    assert_int_equal(e.column, r->column);

    if (strcmp(r->want, "text goes on behind the value") != 0) {
        struct str text = str_printf(a, "[%0*d,\n%s", 600, 0, r->in);
        char *zeros = arena_strndup(a, text.p, text.len);
        for (int i = 1; i < 600; i += 2) {
            zeros[i] = '0';
            zeros[i + 1] = ',';
        }
        zeros[600] = '0';
        zeros[599] = ' ';
        assert_int_equal(json_lazy(str_make(zeros, text.len), &v, a, &e), -1);
        assert_string_equal(e.msg, r->want);
        assert_int_equal(e.line, r->line + 1);
        assert_int_equal(e.column, r->column);
    }
    arena_free(a);
}

static const struct style_row {
    const char *name;
    const char *in;
    unsigned style;
    int indent;
    const char *want;
} styles[] = {
    {"compact", "{\"a\":[1,2],\"b\":{}}", JSON_COMPACT, 0, "{\"a\":[1,2],\"b\":{}}"},
    {"spaced", "{\"a\":[1,2],\"b\":{}}", JSON_SPACED, 0, "{\"a\": [1, 2], \"b\": {}}"},
    {"indented", "{\"a\":[1,2],\"b\":{},\"c\":[]}", JSON_COMPACT, 2,
     "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}"},
    {"indented spaced", "[1,[2]]", JSON_SPACED, 20,
     "[\n                    1,\n                    [\n                                        "
     "2\n                    ]\n]"},
    {"sorted", "{\"b\":1,\"a\":{\"d\":1,\"c\":2},\"B\":3}", JSON_SORTED, 0,
     "{\"B\":3,\"a\":{\"c\":2,\"d\":1},\"b\":1}"},
    {"raw beyond ASCII", "\"\xc3\xa9\x7f/\"", JSON_COMPACT, 0, "\"\xc3\xa9\x7f/\""},
    {"ascii", "\"\xc3\xa9\xf0\x9f\x98\x80 \x7f\"", JSON_ASCII, 0,
     "\"\\u00e9\\ud83d\\ude00 \\u007f\""},
    {"html", "{\"<a>\":\"it's & more\"}", JSON_HTML, 0,
     "{\"\\u003ca\\u003e\":\"it\\u0027s \\u0026 more\"}"},
    {"html is raw otherwise", "\"\xc3\xa9 <\"", JSON_HTML, 0, "\"\xc3\xa9 \\u003c\""},
};

static void writes(const struct style_row *r)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct buf out;
    struct err e;

    assert_int_equal(json_parse(str_c(r->in), &v, a, &e), 0);
    buf_init(&out, 10000, a);
    json_write(v, r->style, r->indent, &out);
    assert_string_equal(buf_cstr(&out), r->want);
    arena_free(a);
}

static void python_values(void **state)
{
    struct arena *a = arena_new(0);
    struct val d = val_dict_new(a, 0);
    struct val t = val_tuple_new(a, 0);

    (void)state;
    val_list_add(t, val_float((double)NAN));
    val_list_add(t, val_float(-(double)INFINITY));
    val_list_add(t, val_undef("x"));
    val_list_add(t, val_bytes(STR("\xff")));
    val_dict_set(d, val_int(1), t);
    val_dict_set(d, val_null(), val_null());
    val_dict_set(d, val_bool(false), val_null());
    val_dict_set(d, val_float(1.5), val_null());
    val_dict_set(d, val_tuple_new(a, 0), val_null());
    assert_string_equal(json_text(d, a).p,
                        "{\"1\":[null,null,null,\"b'\\\\xff'\"],\"null\":null,\"false\":null,"
                        "\"1.5\":null,\"()\":null}");
    struct buf out;
    buf_init(&out, 1000, a);
    json_write(d, JSON_SORTED, 0, &out); /* kinds without an order: by kind, and no crash */
    assert_int_equal(out.len, json_text(d, a).len);
    arena_free(a);
}

static void stops_at_the_ceiling(void **state)
{
    struct arena *a = arena_new(0);
    struct val l = val_list_new(a, 0);
    struct buf out;

    (void)state;
    for (int i = 0; i < 100000; i++)
        val_list_add(l, val_int(i));
    buf_init(&out, 1000, a);
    json_write(l, JSON_COMPACT, 0, &out);
    assert_true(out.over);
    assert_in_range(out.len, 990, 1000);
    arena_free(a);
}

static struct str nested(struct arena *a, int depth)
{
    struct buf out;

    buf_init(&out, MIB, a);
    for (int i = 0; i < depth; i++)
        buf_add_c(&out, i % 2 == 0 ? "[" : "{\"k\":");
    buf_add_c(&out, "1");
    for (int i = depth - 1; i >= 0; i--)
        buf_add_c(&out, i % 2 == 0 ? "]" : "}");
    return buf_str(&out);
}

static void depth(void **state)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;

    (void)state;
    struct str text = nested(a, LIMIT_JSON_DEPTH);
    assert_int_equal(json_parse(text, &v, a, &e), 0);
    assert_true(str_eq(json_text(v, a), text));
    assert_int_equal(json_lazy(text, &v, a, &e), 0);
    assert_true(str_eq(json_text(v, a), text));
    text = nested(a, LIMIT_JSON_DEPTH + 1);
    assert_int_equal(json_parse(text, &v, a, &e), -1);
    assert_string_equal(e.msg, "nested deeper than 512");
    assert_int_equal(json_lazy(text, &v, a, &e), -1);
    assert_string_equal(e.msg, "nested deeper than 512");
    arena_free(a);
}

/* What others sent is stored inside of objects of ours: that must come back. */
static void depth_of_what_is_kept(void **state)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;

    (void)state;
    struct str text = nested(a, LIMIT_JSON_KEPT);
    assert_int_equal(json_parse_kept(text, &v, a, &e), 0);
    assert_true(str_eq(json_text(v, a), text));
    assert_int_equal(json_lazy_kept(text, &v, a, &e), 0);
    assert_true(str_eq(json_text(v, a), text));
    text = nested(a, LIMIT_JSON_KEPT + 1);
    assert_int_equal(json_parse_kept(text, &v, a, &e), -1);
    assert_string_equal(e.msg, "nested deeper than 576");
    assert_int_equal(json_lazy_kept(text, &v, a, &e), -1);
    assert_string_equal(e.msg, "nested deeper than 576");
    arena_free(a);
}

static void long_integers_have_an_end(void **state)
{
    struct arena *a = arena_new(0);
    struct val v = val_undef(NULL);
    struct err e;
    char *digits = arena_alloc(a, 30001);

    (void)state;
    memset(digits, '9', 30001);
    assert_int_equal(json_parse(str_make(digits, 30000), &v, a, &e), 0);
    assert_int_equal(json_text(v, a).len, 30000);
    assert_int_equal(json_parse(str_make(digits, 30001), &v, a, &e), -1);
    assert_string_equal(e.msg, "number out of range");
    arena_free(a);
}

/* ---- random documents -------------------------------------------------------------------- */

struct gen {
    uint64_t x;
    struct buf out;
};

static uint32_t pick(struct gen *g, uint32_t n)
{
    g->x ^= g->x << 13;
    g->x ^= g->x >> 7;
    g->x ^= g->x << 17;
    return (uint32_t)(g->x >> 33) % n;
}

static void blanks(struct gen *g)
{
    while (pick(g, 4) == 0)
        buf_putc(&g->out, " \t\r\n"[pick(g, 4)]);
}

/* cJSON cuts texts at NUL, so there is none. */
static void make_string(struct gen *g, int serial)
{
    static const char *const parts[] = {
        "a",
        "Z",
        " ",
        "\\n",
        "\\\"",
        "\\\\",
        "/",
        "\\/",
        "\\u00e9",
        "\\u20ac",
        "\\ud83d\\ude00",
        "\xc3\xa9",
        "\x7f",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "longer plain text",
        "\\b\\f\\r\\t",
        "\\u0001",
    };

    buf_putc(&g->out, '"');
    if (serial >= 0)
        buf_addf(&g->out, "%d", serial);
    for (uint32_t n = pick(g, 12); n > 0; n--)
        buf_add_c(&g->out, parts[pick(g, COUNT_OF(parts))]);
    buf_putc(&g->out, '"');
}

static void make_number(struct gen *g)
{
    buf_add_c(&g->out, pick(g, 3) == 0 ? "-" : "");
    switch (pick(g, 4)) {
    case 0:
        buf_addf(&g->out, "%u", pick(g, 1000));
        break;
    case 1:
        buf_addf(&g->out, "%u%09u%09u", pick(g, 99) + 1, pick(g, 1000000000), pick(g, 1000000000));
        break;
    case 2:
        buf_addf(&g->out, "%u.%u", pick(g, 100000), pick(g, 100000));
        break;
    default:
        buf_addf(
            &g->out, "%u.%u%c%s%u", pick(g, 10), pick(g, 1000000000), "eE" [pick(g, 2)],
            (const char *const[]) { "", "+", "-" }[pick(g, 3)], pick(g, 300));
        break;
    }
}

static void make_value(struct gen *g, int level)
{
    uint32_t kind = pick(g, level < 6 ? 8 : 5);

    blanks(g);
    if (kind >= 5) {
        bool dict = kind == 5;
        uint32_t n = pick(g, 3) == 0 ? pick(g, 30) : pick(g, 5);
        buf_putc(&g->out, dict ? '{' : '[');
        for (uint32_t i = 0; i < n; i++) {
            buf_add_c(&g->out, i > 0 ? "," : "");
            blanks(g);
            if (dict) {
                make_string(g, (int)i);
                blanks(g);
                buf_putc(&g->out, ':');
            }
            make_value(g, level + 1);
        }
        blanks(g);
        buf_putc(&g->out, dict ? '}' : ']');
    } else if (kind >= 3) {
        make_string(g, -1);
    } else if (kind >= 1) {
        make_number(g);
    } else {
        buf_add_c(&g->out, (const char *const[]){"null", "true", "false"}[pick(g, 3)]);
    }
    blanks(g);
}

static bool same_number(struct val v, double want)
{
    return val_eq(v, val_float(want)) || (!val_is(v, VAL_FLOAT) && want == (double)v.u.i) ||
           (val_is(v, VAL_BIGINT) && fabs(want) >= 0x1p63);
}

static bool same(struct val v, const cJSON *c)
{
    size_t i = 0;
    struct val key;
    struct val value;

    if (cJSON_IsNull(c))
        return val_is(v, VAL_NULL);
    if (cJSON_IsBool(c))
        return val_is(v, VAL_BOOL) && v.u.b == (cJSON_IsTrue(c) != 0);
    if (cJSON_IsNumber(c))
        return same_number(v, c->valuedouble);
    if (cJSON_IsString(c))
        return val_is(v, VAL_STR) && str_eq_c(val_text(v), c->valuestring) &&
               ((v.flags & VAL_F_ASCII) != 0) == utf8_is_ascii(val_text(v));
    const cJSON *item = c->child;
    for (; item != NULL; item = item->next, i++) {
        if (cJSON_IsArray(c)) {
            if (!same(val_at(v, i), item))
                return false;
        } else if (!val_pair_at(v, i, &key, &value) || !str_eq_c(val_text(key), item->string) ||
                   !same(value, item)) {
            return false;
        }
    }
    return i == val_count(v);
}

/* Reading, reading late, copying unread parts, writing and reading again all agree. */
static void check_document(struct str text, struct arena *a)
{
    cJSON *c = cJSON_ParseWithLength(text.p, text.len);
    struct val eager = val_undef(NULL);
    struct val late = val_undef(NULL);
    struct val again = val_undef(NULL);
    struct err e;

    assert_non_null(c);
    if (json_parse(text, &eager, a, &e) != 0)
        fail_msg("%d:%d %s in %.*s", e.line, e.column, e.msg, STR_ARG(text));
    if (!same(eager, c))
        fail_msg("differs: %.*s", STR_ARG(text));
    cJSON_Delete(c);
    assert_int_equal(json_lazy(text, &late, a, &e), 0);
    struct arena *other = arena_new(0);
    struct val copy = val_copy(late, other);
    assert_true(val_eq(eager, late));
    assert_true(str_eq(json_text(eager, a), json_text(copy, other)));
    assert_true(val_eq(val_copy(late, other), eager));
    arena_free(other);
    for (unsigned style = 0; style < 8; style++) {
        struct buf out;
        buf_init(&out, MIB, a);
        json_write(eager, style & ~(unsigned)JSON_SORTED, style > 5 ? 1 : 0, &out);
        assert_int_equal(json_parse(buf_str(&out), &again, a, &e), 0);
        assert_true(val_eq(eager, again));
    }
}

static void random_documents(void **state)
{
    struct gen g = {.x = 88172645463325252U};

    (void)state;
    for (int i = 0; i < 400; i++) {
        struct arena *a = arena_new(0);
        buf_init(&g.out, MIB, a);
        make_value(&g, i % 8 == 0 ? 5 : 0);
        check_document(buf_str(&g.out), a);
        arena_free(a);
    }
}

/* What we take with a byte changed, cJSON (the more lenient) takes too; and late reading agrees
 * with reading. */
static void damaged_documents(void **state)
{
    struct gen g = {.x = 1234567U};
    int taken = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct arena *a = arena_new(0);
        struct val v = val_undef(NULL);
        struct val late = val_undef(NULL);
        struct err e;
        struct err late_e;
        buf_init(&g.out, MIB, a);
        make_value(&g, 2);
        for (uint32_t n = pick(&g, 3) + 1; n > 0 && g.out.len > 0; n--)
            g.out.p[pick(&g, (uint32_t)g.out.len)] = "{}[],:\"\\0e.- nu\xc3"[pick(&g, 16)];
        int rc = json_parse(buf_str(&g.out), &v, a, &e);
        assert_int_equal(json_lazy(buf_str(&g.out), &late, a, &late_e), rc);
        if (rc == 0) {
            assert_true(val_eq(v, late));
            cJSON *c = cJSON_Parse(buf_cstr(&g.out));
            assert_non_null(c);
            cJSON_Delete(c);
            taken++;
        } else {
            assert_string_equal(e.msg, late_e.msg);
            assert_int_equal(e.column, late_e.column);
        }
        arena_free(a);
    }
    assert_in_range(taken, 100, 2500);
}

/* Texts are looked through sixteen, eight and one byte at a time: each byte that ends such a run, at each place of it. */
static void finds_what_ends_a_run(void **state)
{
    static const struct {
        const char *bytes;
        bool taken, ascii;
    } rows[] = {{" ", true, true},    {"\x7f", true, true},  {"\\n", true, true},         {"\x1f", false, true},
                {"\x01", false, true}, {"\"", false, true},  {"\xc3\xa9", true, false}, {"\\x", false, true}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int at = 0; at < 40; at++) {
            struct arena *a = arena_new(0);
            struct str text = str_printf(a, "\"%.*s%s%.*s\"", at, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", rows[i].bytes, 40 - at,
                                         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
            struct val v = val_undef(NULL);
            struct err e;

            assert_int_equal(json_parse(text, &v, a, &e), rows[i].taken ? 0 : -1);
            if (rows[i].taken) {
                struct buf out;

                assert_int_equal((v.flags & VAL_F_ASCII) != 0, rows[i].ascii);
                buf_init(&out, KIB, a);
                json_write(v, JSON_COMPACT, 0, &out);
                assert_true(str_eq(buf_str(&out), text));
            }
            arena_free(a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_ends_a_run),
        cmocka_unit_test(python_values),
        cmocka_unit_test(stops_at_the_ceiling),
        cmocka_unit_test(depth), cmocka_unit_test(depth_of_what_is_kept),
        cmocka_unit_test(long_integers_have_an_end),
        cmocka_unit_test(random_documents),
        cmocka_unit_test(damaged_documents),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    failed += CASES(goods, reads);
    failed += CASES(bads, refuses);
    return failed + CASES(styles, writes);
}
