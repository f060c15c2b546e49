/*
 * Answers of an upstream: what is read, and what is refused because it could be read in two ways.
 */
#include "http1.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "support/cases.h"

/* ---- where the head ends ------------------------------------------------------------------- */

static const struct end_row {
    const char *name, *text;
    size_t want;
} end_rows[] = {
    {"empty", "", 0},
    {"one line", "HTTP/1.1 200 OK\r\n", 0},
    {"no headers", "HTTP/1.1 200 OK\r\n\r\nbody", 19},
    {"with a header", "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", 25},
    {"bare line feeds", "HTTP/1.1 200 OK\nA: 1\n\nbody", 22},
    {"mixed ends", "HTTP/1.1 200 OK\r\nA: 1\n\r\n", 24},
    {"carriage return only", "HTTP/1.1 200 OK\r\n\r", 0},
};

static void finds_the_end(const struct end_row *r)
{
    assert_int_equal(http1_head_end(str_c(r->text)), r->want);
}

/* ---- heads ------------------------------------------------------------------------------------ */

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static const struct head_row {
    const char *name, *text;
    bool is_head;
    int status; /* -1: refused */
    enum http1_framing framing;
    uint64_t length;
    bool keep_alive;
} head_rows[] = {
    {"until the end", OK_LINE "\r\n", false, 200, HTTP1_CLOSE, 0, false},
    {"length", OK_LINE "Content-Length: 5\r\n\r\n", false, 200, HTTP1_LENGTH, 5, true},
    {"length nought", OK_LINE "content-length: 0\r\n\r\n", false, 200, HTTP1_LENGTH, 0, true},
    {"same length twice", OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP1_LENGTH, 5, true},
    {"two lengths", OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", false, -1, 0, 0, false},
    {"length list", OK_LINE "Content-Length: 5, 5\r\n\r\n", false, -1, 0, 0, false},
    {"length negative", OK_LINE "Content-Length: -1\r\n\r\n", false, -1, 0, 0, false},
    {"length with sign", OK_LINE "Content-Length: +1\r\n\r\n", false, -1, 0, 0, false},
    {"length empty", OK_LINE "Content-Length:\r\n\r\n", false, -1, 0, 0, false},
    {"length hexadecimal", OK_LINE "Content-Length: 0x10\r\n\r\n", false, -1, 0, 0, false},
    {"length too large", OK_LINE "Content-Length: 99999999999999999999\r\n\r\n", false, -1, 0, 0, false},
    {"chunks", OK_LINE "Transfer-Encoding: chunked\r\n\r\n", false, 200, HTTP1_CHUNKED, 0, true},
    {"chunks, letter case", OK_LINE "transfer-encoding: Chunked\r\n\r\n", false, 200, HTTP1_CHUNKED, 0, true},
    {"chunks and length", OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", false, -1, 0, 0, false},
    {"chunks twice", OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", false, -1, 0, 0, false},
    {"other coding", OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n", false, -1, 0, 0, false},
    {"answer to HEAD", OK_LINE "Content-Length: 5\r\n\r\n", true, 200, HTTP1_NONE, 5, true},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, HTTP1_NONE, 0, true},
    {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, HTTP1_NONE, 9, true},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\n", false, 100, HTTP1_NONE, 0, true},
    {"close", OK_LINE "Content-Length: 5\r\nConnection: close\r\n\r\n", false, 200, HTTP1_LENGTH, 5, false},
    {"close in a list", OK_LINE "Content-Length: 5\r\nConnection: x, Close\r\n\r\n", false, 200, HTTP1_LENGTH, 5, false},
    {"old version", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP1_LENGTH, 5, false},
    {"old version, kept", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, 200,
     HTTP1_LENGTH, 5, true},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n", false, 200, HTTP1_LENGTH, 1, true},
    {"bare line feeds", "HTTP/1.1 201 Created\nContent-Length: 1\n\n", false, 201, HTTP1_LENGTH, 1, true},
    {"other version", "HTTP/2.0 200 OK\r\n\r\n", false, -1, 0, 0, false},
    {"other protocol", "SSH-2.0-x\r\n\r\n", false, -1, 0, 0, false},
    {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", false, -1, 0, 0, false},
    {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", false, -1, 0, 0, false},
    {"status below 100", "HTTP/1.1 099 X\r\n\r\n", false, -1, 0, 0, false},
    {"folded line", OK_LINE "A: 1\r\n b\r\n\r\n", false, -1, 0, 0, false},
    {"no colon", OK_LINE "nonsense\r\n\r\n", false, -1, 0, 0, false},
    {"no name", OK_LINE ": 1\r\n\r\n", false, -1, 0, 0, false},
    {"blank before the colon", OK_LINE "Content-Length : 5\r\n\r\n", false, -1, 0, 0, false},
    {"control character", OK_LINE "A: 1\x01\r\n\r\n", false, -1, 0, 0, false},
    {"carriage return inside", OK_LINE "A: 1\rB: 2\r\n\r\n", false, -1, 0, 0, false},
};

static void reads_heads(const struct head_row *r)
{
    struct arena *a = arena_new(0);
    struct http1_head h;
    struct err e = {0};
    int rc = http1_head_read(str_c(r->text), r->is_head, &h, a, &e);

    if (r->status < 0) {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_UPSTREAM);
        assert_string_equal(e.msg, "sent an invalid answer");
    } else {
        assert_int_equal(rc, 0);
        assert_int_equal(h.status, r->status);
        assert_int_equal(h.framing, r->framing);
        if (h.framing == HTTP1_LENGTH)
            assert_int_equal(h.length, r->length);
        assert_int_equal(h.keep_alive, r->keep_alive);
    }
    arena_free(a);
}

static void gives_headers_in_order(void **state)
{
    static const char text[] = OK_LINE "X-B:  one \r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty:\r\n\r\n";
    struct arena *a = arena_new(0);
    struct http1_head h;
    struct err e = {0};

    (void)state;
    assert_int_equal(http1_head_read(str_c(text), false, &h, a, &e), 0);
    assert_int_equal(h.n_headers, 4);
    assert_true(str_eq_c(h.headers[0].name, "x-b"));
    assert_true(str_eq_c(h.headers[2].value, "b=2"));
    assert_true(str_eq_c(http1_header(&h, "x-b"), "one"));
    assert_true(str_eq_c(http1_header(&h, "set-cookie"), "a=1"));
    assert_int_equal(http1_header(&h, "x-empty").len, 0);
    assert_null(http1_header(&h, "x-none").p);
    arena_free(a);
}

static void limits_header_lines(void **state)
{
    struct arena *a = arena_new(0);
    struct buf text;
    struct http1_head h;
    struct err e = {0};

    (void)state;
    buf_init(&text, MIB, a);
    buf_add_c(&text, OK_LINE);
    for (int i = 0; i < 257; i++)
        buf_addf(&text, "X-%d: 1\r\n", i);
    buf_add_c(&text, "\r\n");
    assert_int_equal(http1_head_read(buf_str(&text), false, &h, a, &e), -1);
    assert_int_equal(e.code, ERR_UPSTREAM);
    arena_free(a);
}

/* ---- bodies ----------------------------------------------------------------------------------------- */

static const struct body_row {
    const char *name;
    enum http1_framing framing;
    uint64_t length;
    const char *bytes;
    const char *want; /* NULL: refused */
    bool done;
    const char *rest; /* what does not belong to the body */
} body_rows[] = {
    {"length", HTTP1_LENGTH, 5, "helloHTTP", "hello", true, "HTTP"},
    {"length, short", HTTP1_LENGTH, 5, "hel", "hel", false, ""},
    {"until the end", HTTP1_CLOSE, 0, "abc", "abc", false, ""},
    {"none", HTTP1_NONE, 0, "abc", "", true, "abc"},
    {"one chunk", HTTP1_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\nX", "hello", true, "X"},
    {"two chunks", HTTP1_CHUNKED, 0, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", true, ""},
    {"upper and lower case size", HTTP1_CHUNKED, 0, "A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
     "0123456789abcdefghij", true, ""},
    {"leading noughts", HTTP1_CHUNKED, 0, "0005\r\nhello\r\n000\r\n\r\n", "hello", true, ""},
    {"extension", HTTP1_CHUNKED, 0, "5;a=\"b\"\r\nhello\r\n0;x\r\n\r\n", "hello", true, ""},
    {"trailer", HTTP1_CHUNKED, 0, "5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\nX", "hello", true, "X"},
    {"bare line feeds", HTTP1_CHUNKED, 0, "5\nhello\n0\n\n", "hello", true, ""},
    {"last chunk missing", HTTP1_CHUNKED, 0, "5\r\nhello\r\n", "hello", false, ""},
    {"no size", HTTP1_CHUNKED, 0, "\r\nhello", NULL, false, NULL},
    {"size no number", HTTP1_CHUNKED, 0, "xyz\r\n", NULL, false, NULL},
    {"size negative", HTTP1_CHUNKED, 0, "-1\r\n", NULL, false, NULL},
    {"size too large", HTTP1_CHUNKED, 0, "fffffffffffffffff\r\n", NULL, false, NULL},
    {"chunk longer than announced", HTTP1_CHUNKED, 0, "2\r\nhello\r\n", NULL, false, NULL},
};

/* Feed `bytes` in portions of `step`. */
static void read_body(const struct body_row *r, size_t step)
{
    struct http1_head h = {.framing = r->framing, .length = r->length};
    struct http1_body b;
    char got[64] = "", left[64] = "";
    size_t n = 0, total = strlen(r->bytes);
    int rc = 0;

    http1_body_start(&b, &h);
    for (size_t at = 0; at < total && rc >= 0; at += step) {
        struct str bytes = str_make(r->bytes + at, at + step < total ? step : total - at), piece;

        while ((rc = http1_body_next(&b, &bytes, &piece)) == 1) {
            memcpy(got + n, piece.p, piece.len);
            n += piece.len;
        }
        if (rc == 0 && b.done)
            strncat(left, bytes.p, bytes.len);
    }
    if (r->want == NULL) {
        assert_int_equal(rc, -1);
        return;
    }
    assert_int_equal(rc, 0);
    assert_string_equal(got, r->want);
    assert_int_equal(b.done, r->done);
    assert_string_equal(left, r->rest);
}

static void reads_bodies(const struct body_row *r)
{
    for (size_t step = 1; step <= strlen(r->bytes); step++)
        read_body(r, step);
}

static void bounds_trailers(void **state)
{
    struct http1_head h = {.framing = HTTP1_CHUNKED};
    struct arena *a = arena_new(0);
    struct http1_body b;
    struct str bytes, piece;
    struct buf text;

    (void)state;
    buf_init(&text, MIB, a);
    buf_add_c(&text, "0\r\n");
    for (int i = 0; i < 20000; i++)
        buf_add_c(&text, "A: 123456789\r\n");
    http1_body_start(&b, &h);
    bytes = buf_str(&text);
    assert_int_equal(http1_body_next(&b, &bytes, &piece), -1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_headers_in_order),
        cmocka_unit_test(limits_header_lines),
        cmocka_unit_test(bounds_trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(end_rows, finds_the_end) + CASES(head_rows, reads_heads) +
           CASES(body_rows, reads_bodies);
}
