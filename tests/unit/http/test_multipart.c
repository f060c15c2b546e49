/*
 * Multipart and form bodies.
 */
#include "support/cases.h"

#include "http/multipart.h"

static struct arena *a;

#define TYPE "multipart/form-data; boundary=XX"
#define PART(headers, body)                                                                        \
    "--XX\r\nContent-Disposition: form-data; " headers "\r\n\r\n" body "\r\n"

static const struct form_row {
    const char *name;
    const char *type;
    const char *body;
    const char *want; /* name=value[filename,mime] ..., or "!" and a part of the message */
} forms[] = {
    {"one field", TYPE, PART("name=\"a\"", "1") "--XX--\r\n", "a=1[,]"},
    {"several", TYPE, PART("name=\"a\"", "1") PART("name=b", "2\r\n3") "--XX--",
     "a=1[,]b=2\r\n3[,]"},
    {"file", TYPE, PART("name=\"f\"; filename=\"x.csv\"\r\nContent-Type: text/csv", "a;b") "--XX--",
     "f=a;b[x.csv,text/csv]"},
    {"file name of RFC 5987", TYPE, PART("name=f; filename*=UTF-8''caf%C3%A9", "") "--XX--",
     "f=[caf\xc3\xa9,]"},
    {"empty file name is a file", TYPE, PART("name=f; filename=\"\"", "") "--XX--", "f=[,]"},
    {"empty value", TYPE, PART("name=a", "") "--XX--", "a=[,]"},
    {"value like a boundary", TYPE, PART("name=a", "--XY\r\n--X") "--XX--", "a=--XY\r\n--X[,]"},
    {"preamble and epilogue", TYPE, "hello\r\n" PART("name=a", "1") "--XX--\r\nbye", "a=1[,]"},
    {"blanks behind the boundary", TYPE,
     "--XX \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--", "a=1[,]"},
    {"quoted boundary", "multipart/form-data; boundary=\"XX\"", PART("name=a", "1") "--XX--",
     "a=1[,]"},
    {"nothing inside", TYPE, "--XX--", ""},
    {"form", "application/x-www-form-urlencoded", "a=1&b=x+y%26&c", "a=1[,]b=x y&[,]c=[,]"},
    {"form with charset", "application/x-www-form-urlencoded; charset=UTF-8", "a=%C3%A9",
     "a=\xc3\xa9[,]"},
    {"no boundary", "multipart/form-data", "--XX--", "!boundary"},
    {"boundary does not occur", TYPE, "abc", "!does not occur"},
    {"no end", TYPE, PART("name=a", "1"), "!behind a boundary|closing boundary"},
    {"headers without end", TYPE, "--XX\r\nContent-Disposition: form-data; name=a",
     "!end of its headers"},
    {"no name", TYPE, "--XX\r\nContent-Type: a/b\r\n\r\n1\r\n--XX--", "!without a name"},
    {"text behind the boundary", TYPE, "--XXX\r\n\r\n1\r\n--XX--", "!behind a boundary"},
    {"bad escape in a form", "application/x-www-form-urlencoded", "a=%zz", "!invalid escape"},
    {"another type", "application/json", "{}", "!not a form"},
};

static void check_refusal(const struct form_row *r, const struct err *e)
{
    struct str choices = str_c(r->want + 1);

    assert_int_equal(e->code, ERR_INVALID);
    while (choices.len > 0) {
        if (strstr(e->msg, str_cstr(a, str_cut(&choices, '|'))) != NULL)
            return;
    }
    fail_msg("\"%s\" does not say \"%s\"", e->msg, r->want + 1);
}

static void form(const struct form_row *r)
{
    struct http_part *parts = NULL;
    size_t n = 0;
    struct err e;
    struct buf b;

    if (multipart_parse(str_c(r->type), str_c(r->body), &parts, &n, a, &e) != 0) {
        assert_int_equal(r->want[0], '!');
        check_refusal(r, &e);
        return;
    }
    buf_init(&b, 4096, a);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%.*s=%.*s[%.*s,%.*s]", STR_ARG(parts[i].name), STR_ARG(parts[i].value),
                 STR_ARG(parts[i].filename), STR_ARG(parts[i].mime));
    assert_string_equal(buf_cstr(&b), r->want);
}

static void too_many_parts(void **state)
{
    struct http_part *parts;
    size_t n;
    struct err e;
    struct buf b;

    (void)state;
    buf_init(&b, MIB, a);
    for (int i = 0; i < 1000; i++)
        buf_add_c(&b, "a=1&");
    assert_int_equal(
        multipart_parse(STR("application/x-www-form-urlencoded"), buf_str(&b), &parts, &n, a, &e),
        0);
    assert_int_equal(n, 1000);
    buf_add_c(&b, "a=1");
    assert_int_equal(
        multipart_parse(STR("application/x-www-form-urlencoded"), buf_str(&b), &parts, &n, a, &e),
        -1);
    assert_non_null(strstr(e.msg, "1000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(too_many_parts)};
    int failed;

    a = arena_new(0);
    failed = CASES(forms, form) + cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
