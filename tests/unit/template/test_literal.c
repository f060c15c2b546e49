/*
 * Relaxed literals: what is read, what is refused and where, and that size and depth do no harm.
 */
#include "template/literal.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "support/cases.h"

static const struct row {
    const char *name; /* the text */
    const char *want; /* as compact JSON */
} rows[] = {
    {"{}", "{}"},
    {"[]", "[]"},
    {"()", "[]"},
    {"set()", "[]"},
    {"(1)", "1"},
    {"(1,)", "[1]"},
    {"(1, 2)", "[1,2]"},
    {"{1, 2}", "[1,2]"},
    {"{1}", "[1]"},
    {"{1,}", "[1]"},
    {"{'a': 1,}", "{\"a\":1}"},
    {"[1, 2,]", "[1,2]"},
    {"{'a': None, \"b\": true, 'c': [False, null]}", "{\"a\":null,\"b\":true,\"c\":[false,null]}"},
    {"{\"a\": 1, 'a': 2}", "{\"a\":2}"},
    {" \n [1 ,\t2 ]\r\n", "[1,2]"},
    {"'it''s'", "\"its\""},
    {"'a' \"b\" 'c\\n'", "\"abc\\n\""},
    {"u'x'", "\"x\""},
    {"b'x'", "\"x\""},
    {"r'a\\n'", "\"a\\\\n\""},
    {"'''a\nb'''", "\"a\\nb\""},
    {"\"\"\"say \"x\" \"\"\"", "\"say \\\"x\\\" \""},
    {"'\\x41\\101\\u00e9\\U0001F600\\/'", "\"AA\xC3\xA9\xF0\x9F\x98\x80/\""},
    {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""},
    {"'\\q'", "\"\\\\q\""},
    {"'a\\\nb'", "\"ab\""},
    {"1_000", "1000"},
    {"0x1F", "31"},
    {"0o17", "15"},
    {"0b101", "5"},
    {"-5", "-5"},
    {"+5", "5"},
    {"- 5", "-5"},
    {"1.", "1.0"},
    {".5", "0.5"},
    {"-1.5e3", "-1500.0"},
    {"1E-2", "0.01"},
    {"0", "0"},
    {"000", NULL},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"True", "true"},
    {"null", "null"},
    {"[datetime.datetime(2021, 1, 2, 3, 4), 1]", "[\"2021-01-02T03:04:00\",1]"},
    {"datetime.datetime(2021, 1, 2, 3, 4, 5, 600000)", "\"2021-01-02T03:04:05.600000\""},
    {"datetime.datetime(2021, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)",
     "\"2021-01-02T00:00:00+00:00\""},
    {"datetime.datetime(2021, 1, 2, 0, 0, "
     "tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))",
     "\"2021-01-02T00:00:00+01:00\""},
    {"datetime.datetime(2021, 7, 2, 0, 0, tzinfo=tz('Europe/Paris'))",
     "\"2021-07-02T00:00:00+02:00\""},
    {"datetime.date(2021, 1, 2)", "\"2021-01-02\""},
    {"{1: 'a', None: 'b', (1, 2): 'c'}", NULL},
    {"{1: 'a'}", "{\"1\":\"a\"}"},
    {"{[1]: 2}", NULL},
    {"", NULL},
    {"  ", NULL},
    {"{", NULL},
    {"[1", NULL},
    {"[1 2]", NULL},
    {"[1]]", NULL},
    {"{'a' 1}", NULL},
    {"{'a': }", NULL},
    {"{a: 1}", NULL},
    {"'abc", NULL},
    {"'a\nb'", NULL},
    {"1 + 1", NULL},
    {"1.2.3", NULL},
    {"1__0", NULL},
    {"0x", NULL},
    {"1e", NULL},
    {"-", NULL},
    {".", NULL},
    {"nope", NULL},
    {"__import__('os')", NULL},
    {"open('x')", NULL},
    {"[].append(1)", NULL},
    {"'\\x4'", NULL},
    {"[,]", NULL},
    {"[1,,2]", NULL},
    {"[1] [2]", NULL},
    {"datetime.datetime(2021)", NULL},
    {"datetime.datetime(2021, 13, 1)", NULL},
};

static void reads(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct val v;
    struct err e = {0};
    int rc = literal_parse(str_c(r->name), 0, &v, a, &e);

    if (r->want == NULL && rc == 0) { /* keys that have no JSON form are read, but not written */
        assert_non_null(strstr(r->name, "None:"));
    } else {
        assert_int_equal(rc, r->want != NULL ? 0 : -1);
    }
    if (r->want != NULL)
        assert_string_equal(json_text(v, a).p, r->want);
    else if (rc != 0)
        assert_true(e.line >= 1 && e.column >= 1 && e.msg[0] != '\0');
    arena_free(a);
}

static const struct place_row {
    const char *name;
    const char *text;
    int line;
    int column;
    const char *msg;
} places[] = {
    {"missing comma", "{'a': 1\n 'b': 2}", 2, 2, "expected ',' or '}' near '{'a': 1\n 'b': 2}'"},
    {"unknown word", "[1,\n\n  nope]", 3, 3, "expected a value near '[1,\n\n  nope]'"},
    {"cut off", "[1, 2", 1, 6, "expected ',' or ']' at the end of '[1, 2'"},
    {"after the value", "1 x", 1, 3, "unexpected text behind the value near '1 x'"},
};

static void tells_where(const struct place_row *r)
{
    struct arena *a = arena_new(0);
    struct val v;
    struct err e = {0};

    assert_int_equal(literal_parse(str_c(r->text), 0, &v, a, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(e.line, r->line);
    assert_int_equal(e.column, r->column);
    assert_string_equal(e.msg, r->msg);
    arena_free(a);
}

static const struct size_row {
    const char *name;
    const char *open;
    const char *close;
    size_t n;
    int want; /* 0, or the error code */
} sizes[] = {
    {"500 deep", "[", "]", 500, 0},
    {"600 deep", "[", "]", 600, ERR_LIMIT},
    {"a million deep", "{1:", "}", 1000000, ERR_LIMIT},
    {"a million braces that never close", "(", "", 1000000, ERR_LIMIT},
    {"a million commas", "[1,", "", 1, ERR_INVALID},
};

static void bears(const struct size_row *r)
{
    struct arena *a = arena_new(0);
    struct buf b;
    struct val v;
    struct err e = {0};

    buf_init(&b, 64 * MIB, a);
    for (size_t i = 0; i < r->n; i++)
        buf_add_c(&b, r->open);
    buf_add_c(&b, *r->close != '\0' ? "1" : "");
    for (size_t i = 0; i < r->n; i++)
        buf_add_c(&b, r->close);
    assert_int_equal(literal_parse(buf_str(&b), 0, &v, a, &e), r->want == 0 ? 0 : -1);
    assert_int_equal(e.code, r->want);
    assert_true(strlen(e.msg) < 300);
    arena_free(a);
}

static const struct flag_row {
    const char *name;
    const char *text;
    unsigned flags;
    const char *want;
} flags[] = {
    {"rows without comma", "[[1, 2] [3, 4]\n[5]]", LITERAL_ROWS_WITHOUT_COMMA, "[[1,2],[3,4],[5]]"},
    {"only where allowed", "[[1] [2]]", 0, NULL},
    {"only between rows", "[1 [2]]", LITERAL_ROWS_WITHOUT_COMMA, NULL},
};

static void obeys(const struct flag_row *r)
{
    struct arena *a = arena_new(0);
    struct val v;
    struct err e = {0};

    assert_int_equal(literal_parse(str_c(r->text), r->flags, &v, a, &e), r->want != NULL ? 0 : -1);
    if (r->want != NULL)
        assert_string_equal(json_text(v, a).p, r->want);
    arena_free(a);
}

/* 10 MB in well under the time a person notices; generous, since sanitizers slow it down. */
static void large(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct buf b;
    struct val v;
    struct err e = {0};
    int64_t before;

    (void)r;
    buf_init(&b, 64 * MIB, a);
    buf_putc(&b, '[');
    while (b.len < 10 * 1000 * 1000)
        buf_add_c(&b, "{'id': 12345, 'name': 'some \\'text\\'', \"ok\": True, 'rate': 1.5, 'tags': "
                      "('a', 'b')}, ");
    buf_putc(&b, ']');
    before = clock_mono_ms(&clock_system);
    assert_int_equal(literal_parse(buf_str(&b), 0, &v, a, &e), 0);
    assert_true(clock_mono_ms(&clock_system) - before < 5000);
    assert_true(val_count(v) > 100000);
    arena_free(a);
}

static const struct row large_rows[] = {{"10 MB", NULL}};

int main(void)
{
    return CASES(rows, reads) + CASES(places, tells_where) + CASES(sizes, bears) +
           CASES(flags, obeys) + CASES(large_rows, large);
}
