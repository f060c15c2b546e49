/*
 * Following FastCGI records: the same answer whatever the pieces the bytes come in.
 */
#include "support/cases.h"

#include <fastcgi.h>

#include "http/frame.h"
#include "support/fcgi_client.h"

static struct arena *a;

static const struct row {
    const char *name;
    size_t body;
    uint8_t padding;
    size_t record;
} rows[] = {
    {"no body", 0, 0, 0},
    {"small body", 5, 0, 0},
    {"padded records", 5, 7, 0},
    {"many records", 1000, 3, 10},
    {"records of one byte", 300, 0, 1},
    {"largest record", 70000, 0, 65535},
};

static struct buf request(const struct row *r)
{
    char *body = arena_alloc(a, r->body + 1);
    struct buf b;

    memset(body, 'b', r->body);
    buf_init(&b, MIB, a);
    fcgi_put_request(&b, &(struct fcgi_request){.method = "POST",
                                                .uri = "/x",
                                                .body = str_make(body, r->body),
                                                .record = r->record,
                                                .padding = r->padding,
                                                .id = 513});
    return b;
}

static void followed(const struct row *r)
{
    struct buf b = request(r);
    size_t end = b.len;

    buf_add_c(&b, "behind it");
    for (size_t piece = 1; piece <= b.len; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct frame f;
        size_t at = 0;

        frame_init(&f);
        while (at < b.len && !frame_complete(&f)) {
            size_t n = piece < b.len - at ? piece : b.len - at;

            at += frame_feed(&f, b.p + at, n, false);
        }
        assert_true(frame_complete(&f));
        assert_int_equal(at, end);
        assert_int_equal(f.body_len, r->body);
        assert_int_equal(f.request_id, 513);
    }
}

static void head_first(const struct row *r)
{
    struct buf b = request(r);
    struct frame f;
    size_t at;

    frame_init(&f);
    at = frame_feed(&f, b.p, b.len, true);
    assert_true(frame_at_head_end(&f));
    assert_int_equal(frame_feed(&f, b.p + at, b.len - at, true), 0); /* stays there */
    at += frame_feed(&f, b.p + at, b.len - at, false);
    assert_int_equal(at, b.len);
    assert_true(frame_complete(&f));
}

static bool refused(const struct buf *b)
{
    struct frame f;

    frame_init(&f);
    (void)frame_feed(&f, b->p, b->len, false);
    return f.state == FRAME_BAD;
}

static const char begin[8] = {0, FCGI_RESPONDER, FCGI_KEEP_CONN};

static void put_begin(struct buf *b)
{
    buf_init(b, MIB, a);
    fcgi_put_record(b, FCGI_BEGIN_REQUEST, 1, str_make(begin, 8), 0);
}

static void strangers(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, MIB, a);
    buf_add_c(&b, "GET / HTTP/1.1\r\n\r\n");
    assert_true(refused(&b));
    buf_init(&b, MIB, a);
    fcgi_put_record(&b, FCGI_GET_VALUES, 0, STR("\x0e\0FCGI_MAX_CONNS"), 0);
    assert_true(refused(&b));
    put_begin(&b);
    fcgi_put_record(&b, FCGI_GET_VALUES, 0, STR("\x0e\0FCGI_MAX_CONNS"), 0);
    assert_true(refused(&b));
    put_begin(&b);
    fcgi_put_record(&b, FCGI_ABORT_REQUEST, 1, STR(""), 0);
    assert_true(refused(&b));
    put_begin(&b);
    fcgi_put_record(&b, FCGI_STDIN, 1, STR("x"), 0);
    assert_true(refused(&b));
    put_begin(&b);
    fcgi_put_record(&b, FCGI_PARAMS, 2, STR("x"), 0);
    assert_true(refused(&b));
    put_begin(&b);
    fcgi_put_record(&b, FCGI_PARAMS, 1, STR(""),
                    4); /* libfcgi would read the padding as a header */
    assert_true(refused(&b));
    buf_init(&b, MIB, a);
    fcgi_put_record(&b, FCGI_BEGIN_REQUEST, 0, str_make(begin, 8), 0);
    assert_true(refused(&b));
    buf_init(&b, MIB, a);
    fcgi_put_record(&b, FCGI_BEGIN_REQUEST, 1, str_make(begin, 7), 0);
    assert_true(refused(&b));
}

static void too_large(void **state)
{
    struct frame f;
    struct buf b;
    char *filler = arena_zalloc(a, 65535);

    (void)state;
    memcpy(filler, "\200\0\377\372", 4); /* one name of all that follows */
    put_begin(&b);
    fcgi_put_record(&b, FCGI_PARAMS, 1, str_make(filler, 65535), 0);
    assert_false(refused(&b)); /* what nginx can send at most */
    fcgi_put_record(&b, FCGI_PARAMS, 1, str_make(filler, 2), 0);
    frame_init(&f);
    (void)frame_feed(&f, b.p, b.len, false);
    assert_int_equal(f.state, FRAME_BAD);
    assert_true(f.too_large);
}

static void too_many(void **state)
{
    const char *pairs = arena_zalloc(a, 2 * (FRAME_PAIRS_MAX + 1)); /* of nothing */
    struct frame f;
    struct buf b;

    (void)state;
    put_begin(&b);
    fcgi_put_record(&b, FCGI_PARAMS, 1, str_make(pairs, 2 * FRAME_PAIRS_MAX), 0);
    assert_false(refused(&b));
    fcgi_put_record(&b, FCGI_PARAMS, 1, str_make(pairs, 2), 0);
    frame_init(&f);
    (void)frame_feed(&f, b.p, b.len, false);
    assert_int_equal(f.state, FRAME_BAD);
    assert_true(f.too_large);
}

#define HUGE4 "\377\377\377\0" /* nearly 2 GiB */

/* Lengths of parameters that libfcgi would add up in an int. */
static const struct length_row {
    const char *name;
    struct str params;
    bool refused;
} length_rows[] = {
    {"short ones", {"\1\1ab\0\0\2\0ab", 10}, false},
    {"long form", {"\200\0\0\1\200\0\0\2abc\1\0d", 14}, false},
    {"largest pair", {"\200\0\377\377\1", 5}, false},
    {"largest pair, turned round", {"\1\200\0\377\377", 5}, false},
    {"a pair of nothing", {"\0\0\1\1ab", 6}, false},
    {"name too long", {"\200\1\0\1\0", 5}, true},
    {"value too long", {"\0\200\1\0\1", 5}, true},
    {"too long together", {"\200\0\377\377\2", 5}, true},
    {"sum of 4 GiB", {HUGE4 HUGE4, 8}, true},
    {"huge name", {HUGE4 "\0", 5}, true},
    {"in the second pair", {"\1\1ab" HUGE4 HUGE4, 12}, true},
};

static void lengths(const struct length_row *r)
{
    for (size_t record = 1; record <= r->params.len; record++) {
        struct buf b;

        put_begin(&b);
        for (struct str rest = r->params; rest.len > 0; rest = str_slice(rest, record, rest.len))
            fcgi_put_record(&b, FCGI_PARAMS, 1, str_slice(rest, 0, record), 3);
        assert_int_equal(refused(&b), r->refused);
        for (size_t piece = 1; piece < b.len; piece++) {
            struct frame f;

            frame_init(&f);
            for (size_t at = 0; at < b.len; at += piece)
                (void)frame_feed(&f, b.p + at, piece < b.len - at ? piece : b.len - at, true);
            assert_int_equal(f.state == FRAME_BAD, r->refused);
            assert_int_equal(f.too_large, r->refused);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(strangers), cmocka_unit_test(too_large), cmocka_unit_test(too_many)};
    int failed;

    a = arena_new(0);
    failed =
        CASES(rows, followed) + CASES(rows, head_first) + CASES(length_rows, lengths) + cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
