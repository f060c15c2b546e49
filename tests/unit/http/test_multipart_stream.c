/*
 * Forms read as they come: the same parts whatever pieces the body arrives in.
 */
#include "http/multipart_stream.h"

#include "base/arena.h"
#include "support/cases.h"

#define TYPE "multipart/form-data; boundary=b1"
#define PART(disposition) "--b1\r\nContent-Disposition: form-data; " disposition "\r\n"

struct body {
    struct str rest;
    size_t piece; /* at most that many bytes at a time */
};

static ptrdiff_t give(void *ctx, char *p, size_t n)
{
    struct body *b = ctx;

    if (n > b->piece)
        n = b->piece;
    if (n > b->rest.len)
        n = b->rest.len;
    if (n > 0)
        memcpy(p, b->rest.p, n);
    b->rest = str_slice(b->rest, n, b->rest.len);
    return (ptrdiff_t)n;
}

static const struct row {
    const char *name, *body;
    const char *want; /* "name=value;name(filename)=value;", or the error */
} rows[] = {
    {"a field", PART("name=a") "\r\nx\r\n--b1--\r\n", "a=x;"},
    {"a file", PART("name=\"f\"; filename=\"r.txt\"") "Content-Type: text/plain\r\n\r\none\r\ntwo\r\n--b1--", "f(r.txt)=one\r\ntwo;"},
    {"two", PART("name=a") "\r\nx\r\n" PART("name=b") "\r\ny\r\n--b1--", "a=x;b=y;"},
    {"an empty value", PART("name=a") "\r\n\r\n--b1--", "a=;"},
    {"nearly a boundary", PART("name=a") "\r\n\r\n--b\r\n-\r\n--b2\r\n\r\n--b1--", "a=\r\n--b\r\n-\r\n--b2\r\n;"},
    {"a preamble", "hello\r\n" PART("name=a") "\r\nx\r\n--b1--", "a=x;"},
    {"blanks behind a boundary", "--b1 \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b1--", "a=x;"},
    {"no part", "--b1--\r\n", ""},
    {"no end", PART("name=a") "\r\nx", "multipart body: the closing boundary is missing"},
    {"no end of the headers", PART("name=a"), "multipart body: a part without end of its headers"},
    {"no name", "--b1\r\nX: y\r\n\r\nx\r\n--b1--", "multipart body: a part without a name in its Content-Disposition"},
    {"text behind a boundary", "--b1x\r\n", "multipart body: text behind a boundary"},
    {"nothing", "", "multipart body: the closing boundary is missing"},
};

static void all_parts(struct multipart_stream *m, struct buf *out, struct err *e)
{
    struct http_part part;
    struct str value;
    int rc;

    while ((rc = multipart_stream_next(m, &part, e)) > 0) {
        if (multipart_stream_text(m, 4096, &value, e) != 0) {
            rc = -1;
            break;
        }
        buf_add_str(out, part.name);
        if (part.filename.p != NULL)
            buf_addf(out, "(%.*s)", STR_ARG(part.filename));
        buf_addf(out, "=%.*s;", STR_ARG(value));
    }
    if (rc < 0) {
        out->len = 0;
        buf_add_c(out, e->msg);
    }
}

static void reads(const struct row *r)
{
    for (size_t piece = 1; piece < 80; piece++) {
        struct arena *a = arena_new(0);
        struct body b = {str_c(r->body), piece};
        struct multipart_stream *m;
        struct err e = {0};
        struct buf out;

        buf_init(&out, 8192, a);
        assert_int_equal(multipart_stream_new(&m, STR(TYPE), give, &b, a, &e), 0);
        all_parts(m, &out, &e);
        assert_string_equal(buf_cstr(&out), r->want);
        arena_free(a);
    }
}

/* A value larger than the window, read to its end and skipped. */
static void large_values(void **state)
{
    enum { N = 200000 };
    struct arena *a = arena_new(0);
    char *x = arena_alloc(a, N + 1);
    struct str text;

    (void)state;
    memset(x, 'x', N);
    x[N] = '\0';
    text = str_printf(a, PART("name=a; filename=f") "\r\n%s\r\n" PART("name=b") "\r\ny\r\n--b1--", x);
    for (int skip = 0; skip < 2; skip++) {
        struct body b = {text, 7000};
        struct multipart_stream *m;
        struct http_part part;
        struct str value;
        struct err e = {0};
        char piece[999];
        size_t got = 0;
        ptrdiff_t n;

        assert_int_equal(multipart_stream_new(&m, STR(TYPE), give, &b, a, &e), 0);
        assert_int_equal(multipart_stream_next(m, &part, &e), 1);
        while (skip == 0 && (n = multipart_stream_read(m, piece, sizeof piece, &e)) > 0)
            got += (size_t)n;
        assert_int_equal(got, skip == 0 ? N : 0);
        assert_int_equal(multipart_stream_next(m, &part, &e), 1);
        assert_int_equal(multipart_stream_text(m, 10, &value, &e), 0);
        assert_true(str_eq_c(value, "y"));
        assert_int_equal(multipart_stream_next(m, &part, &e), 0);
    }
    arena_free(a);
}

static void limits(void **state)
{
    struct arena *a = arena_new(0);
    struct body b = {STR(PART("name=a") "\r\n12345678901\r\n--b1--"), 10};
    struct multipart_stream *m;
    struct http_part part;
    struct str value;
    struct err e = {0};

    (void)state;
    assert_int_equal(multipart_stream_new(&m, STR(TYPE), give, &b, a, &e), 0);
    assert_int_equal(multipart_stream_next(m, &part, &e), 1);
    assert_int_equal(multipart_stream_text(m, 10, &value, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(multipart_stream_new(&m, STR("text/plain"), give, &b, a, &e), -1);
    assert_int_equal(multipart_stream_new(&m, STR("multipart/form-data"), give, &b, a, &e), -1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_values), cmocka_unit_test(limits)};

    return CASES(rows, reads) + cmocka_run_group_tests(tests, NULL, NULL);
}
