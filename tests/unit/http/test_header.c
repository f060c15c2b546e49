/*
 * Header fields: names, values, parameters.
 */
#include "support/cases.h"

#include "http/header.h"

static struct arena *a;

static const struct field_row {
    const char *name;
    struct str text;
    bool token, value;
} fields[] = {
    {"a name", {"X-Accel", 7}, true, true},
    {"each other character", {"!#$%&'*+-.^_`|~09azAZ", 21}, true, true},
    {"nothing", {"", 0}, false, true},
    {"a blank", {"a b", 3}, false, true},
    {"a colon", {"a:", 2}, false, true},
    {"a tab", {"a\tb", 3}, false, true},
    {"UTF-8", {"caf\xc3\xa9", 5}, false, true},
    {"a carriage return in front", {"\rX-Accel", 8}, false, false},
    {"a line feed", {"a\nb", 3}, false, false},
    {"NUL", {"a\0b", 3}, false, false},
    {"DEL", {"a\x7f", 2}, false, false},
    {"escape", {"\x1b[1m", 4}, false, false},
};

static void field(const struct field_row *r)
{
    assert_int_equal(header_is_token(r->text), r->token);
    assert_int_equal(header_is_value(r->text), r->value);
}

static const struct param_row {
    const char *name;
    const char *header;
    const char *param;
    const char *want; /* NULL: absent */
} params[] = {
    {"plain", "text/html; charset=utf-8", "charset", "utf-8"},
    {"name in any case", "text/html; CHARSET=utf-8", "charset", "utf-8"},
    {"quoted", "form-data; name=\"a b\"", "name", "a b"},
    {"quoted semicolon", "form-data; name=\"a;b\"; x=1", "x", "1"},
    {"escaped quote", "form-data; name=\"a\\\"b\"", "name", "a\"b"},
    {"backslash of a browser", "form-data; filename=\"C:\\dir\\f\"", "filename", "C:\\dir\\f"},
    {"absent", "text/html", "charset", NULL},
    {"not the media type", "charset=x; y=1", "charset", NULL},
    {"empty value", "a; b=", "b", ""},
    {"no blanks", "a;b=1;c=2", "c", "2"},
    {"open quote", "a; b=\"x", "b", "x"},
    {"empty header", "", "b", NULL},
};

static void param(const struct param_row *r)
{
    struct str got = header_param(str_c(r->header), r->param, a);

    if (r->want == NULL)
        assert_null(got.p);
    else
        assert_string_equal(str_cstr(a, got), r->want);
}

static void media_types(void **state)
{
    (void)state;
    assert_string_equal(str_cstr(a, header_media_type(STR(" Application/JSON ; charset=x"), a)),
                        "application/json");
    assert_string_equal(str_cstr(a, header_media_type(STR("text/plain"), a)), "text/plain");
    assert_int_equal(header_media_type(STR(""), a).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(media_types)};
    int failed;

    a = arena_new(0);
    failed = CASES(fields, field) + CASES(params, param) + cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
