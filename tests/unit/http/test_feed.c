/*
 * libfcgi reading from memory: what it takes, what it leaves, and what it must not touch.
 */
#include "support/cases.h"

#include <dirent.h>
#include <fastcgi.h>
#include <pthread.h>
#include <string.h>

#include "http/feed.h"
#include "support/fcgi_client.h"

enum { THREADS = 4, ROUNDS = 500 };

static struct arena *a;

static struct buf request(struct str body)
{
    static const char *const params[] = {"HTTP_X_NAME=value", NULL};
    struct buf b;

    buf_init(&b, MIB, a);
    fcgi_put_request(&b, &(struct fcgi_request){.method = "POST", .uri = "/x?q=1", .params = params, .body = body});
    return b;
}

static size_t head_len(const struct buf *b)
{
    static const char end[] = "\1\4\0\1\0\0\0\0";
    const char *p = memmem(b->p, b->len, end, sizeof(end) - 1);

    assert_non_null(p);
    return (size_t)(p - b->p) + sizeof(end) - 1;
}

static void works(void **state)
{
    (void)state;
    assert_true(feed_works());
    assert_int_equal(feed_left(), 0);
}

static void a_whole_request(void **state)
{
    struct buf b = request(STR("the body"));
    char body[20];
    FCGX_Request r;

    (void)state;
    buf_add_c(&b, "behind");
    feed_give(b.p, b.len - 6);
    assert_int_equal(feed_accept(&r), 0);
    assert_string_equal(FCGX_GetParam("REQUEST_URI", r.envp), "/x?q=1");
    assert_string_equal(FCGX_GetParam("HTTP_X_NAME", r.envp), "value");
    assert_int_equal(FCGX_GetStr(body, sizeof(body), r.in), 8);
    assert_memory_equal(body, "the body", 8);
    assert_int_equal(FCGX_GetChar(r.in), -1);
    assert_int_equal(feed_left(), 0);
    FCGX_Free(&r, 0);
}

/* The head alone, then the body in portions that end anywhere in a record. */
static void a_body_in_portions(void **state)
{
    struct buf b = request(STR("0123456789"));
    size_t at = head_len(&b) + 8; /* with the header of the body's record */
    char body[20];
    FCGX_Request r;

    (void)state;
    feed_give(b.p, at);
    assert_int_equal(feed_accept(&r), 0);
    assert_int_equal(feed_left(), 0);
    for (int i = 0; i < 5; i++, at += 2) {
        feed_give(b.p + at, 2);
        assert_int_equal(FCGX_GetStr(body + 2 * (ptrdiff_t)i, 2, r.in), 2);
        assert_int_equal(feed_left(), 0);
    }
    assert_memory_equal(body, "0123456789", 10);
    feed_give(b.p + at, b.len - at);
    assert_int_equal(FCGX_GetChar(r.in), -1);
    FCGX_Free(&r, 0);
}

/* libfcgi reads as much as its own buffer holds; the rest is left until it asks again. */
static void what_is_not_read_is_left(void **state)
{
    size_t n = 30000;
    char *sent = arena_alloc(a, n);
    char *got = arena_alloc(a, n);
    struct buf b;
    FCGX_Request r;
    size_t left;

    (void)state;
    for (size_t i = 0; i < n; i++)
        sent[i] = (char)('a' + i % 23);
    b = request(str_make(sent, n));
    feed_give(b.p, b.len);
    assert_int_equal(feed_accept(&r), 0);
    left = feed_left();
    assert_in_range(left, 1, b.len - head_len(&b));
    for (size_t at = 0; at < n; at += 10000) {
        assert_int_equal(FCGX_GetStr(got + at, 10000, r.in), 10000);
        assert_true(feed_left() < left);
        left = feed_left();
    }
    assert_memory_equal(got, sent, n);
    FCGX_Free(&r, 0);
}

/* ---- heads that cannot be used ---- */

static size_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void refused(const char *p, size_t n)
{
    FCGX_Request r;

    feed_give(p, n);
    assert_int_equal(feed_accept(&r), -1);
    assert_null(r.in);
    assert_null(r.paramsPtr);
}

/* Were it to wait for the rest, this would not end. */
static void cut_short(void **state)
{
    struct buf b = request(STR(""));
    size_t end = head_len(&b);
    size_t before = open_descriptors();

    (void)state;
    for (size_t n = 0; n < end; n++)
        refused(b.p, n);
    assert_int_equal(open_descriptors(), before);
}

#define BEGIN(role) "\1\1\0\1\0\10\0\0\0" role "\1\0\0\0\0\0"
#define END "\1\4\0\1\0\0\0\0"

static const struct bad_row {
    const char *name;
    struct str bytes;
} bad_rows[] = {
    {"nothing", {"", 0}},
    {"no FastCGI", {"GET / HTTP/1.1\r\n\r\n", 18}},
    {"version", {"\2\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16}},
    {"role", {BEGIN("\11") END, 24}},
    {"a name longer than all parameters", {BEGIN("\1") "\1\4\0\1\0\4\0\0\177\1ab" END, 36}},
    {"a value longer than all parameters", {BEGIN("\1") "\1\4\0\1\0\4\0\0\1\177ab" END, 36}},
    {"a length cut short", {BEGIN("\1") "\1\4\0\1\0\1\0\0\1" END, 33}},
    {"a length of 2 GiB", {BEGIN("\1") "\1\4\0\1\0\11\0\0\377\377\377\377\377\377\377\377a" END, 41}},
};

static void unusable(const struct bad_row *row)
{
    size_t before = open_descriptors();

    refused(row->bytes.p, row->bytes.len);
    assert_int_equal(open_descriptors(), before);
    assert_true(feed_works()); /* the next one is not touched by it */
}

/* ---- threads ---- */

struct reader {
    pthread_t thread;
    struct buf bytes;
    char body[16];
    int read; /* requests that were as they should be */
};

static pthread_barrier_t together;

/* Each holds its request half read while the others give theirs. */
static void *read_own(void *arg)
{
    struct reader *me = arg;

    for (int i = 0; i < ROUNDS; i++) {
        char body[sizeof(me->body)];
        FCGX_Request r;
        bool good;

        feed_give(me->bytes.p, me->bytes.len);
        pthread_barrier_wait(&together);
        good = feed_accept(&r) == 0;
        pthread_barrier_wait(&together);
        good = good && FCGX_GetStr(body, sizeof(body), r.in) == (int)sizeof(body) &&
               memcmp(body, me->body, sizeof(body)) == 0 && FCGX_GetChar(r.in) == -1;
        me->read += good;
        FCGX_Free(&r, 0);
    }
    return NULL;
}

static void threads(void **state)
{
    static struct reader readers[THREADS];

    (void)state;
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        memset(readers[i].body, 'a' + i, sizeof(readers[i].body));
        readers[i].bytes = request(str_make(readers[i].body, sizeof(readers[i].body)));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_own, &readers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(readers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(readers[i].read, ROUNDS);
    pthread_barrier_destroy(&together);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works),
        cmocka_unit_test(a_whole_request),
        cmocka_unit_test(a_body_in_portions),
        cmocka_unit_test(what_is_not_read_is_left),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(threads),
    };
    int failed;

    if (FCGX_Init() != 0)
        return 1;
    a = arena_new(0);
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(bad_rows, unusable);
    arena_free(a);
    return failed;
}
