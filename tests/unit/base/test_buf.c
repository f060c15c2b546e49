/*
 * Growing buffers and their ceiling.
 */
#include "support/cases.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static void collects(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, 1000, a);
    assert_string_equal(buf_cstr(&b), "");
    buf_add_c(&b, "one");
    buf_add_str(&b, STR(" two"));
    buf_add_str(&b, STR_NONE);
    buf_putc(&b, ' ');
    buf_addf(&b, "%d%%", 3);
    buf_add_int(&b, INT64_MIN);
    buf_add_int(&b, 0);
    assert_string_equal(buf_cstr(&b), "one two 3%-92233720368547758080");
    assert_int_equal(b.len, strlen(buf_cstr(&b)));
    assert_false(b.over);
    arena_free(a);
}

static void grows(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, MIB, a);
    for (size_t i = 0; i < 300000; i++) {
        buf_putc(&b, (char)('a' + i % 26));
        if (i % 1000 == 0)
            (void)arena_alloc(a, 10); /* so that it cannot always grow in place */
    }
    assert_int_equal(b.len, 300000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.p[i], 'a' + i % 26);
    arena_free(a);
}

static void stops_at_the_ceiling(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, 10, a);
    buf_add_c(&b, "0123456789");
    assert_false(b.over);
    assert_string_equal(buf_cstr(&b), "0123456789");
    buf_putc(&b, 'x');
    assert_true(b.over);
    assert_string_equal(buf_cstr(&b), "0123456789");
    assert_null(buf_reserve(&b, 1));

    buf_init(&b, 10, a);
    buf_add_c(&b, "01234567");
    buf_add_c(&b, "too long");
    buf_putc(&b, 'x'); /* what comes behind the gap is dropped too */
    buf_addf(&b, "%0300d", 1);
    assert_true(b.over);
    assert_string_equal(buf_cstr(&b), "01234567");

    buf_init(&b, 0, a);
    buf_putc(&b, 'x');
    assert_true(b.over);
    assert_string_equal(buf_cstr(&b), "");
    arena_free(a);
}

static void formats_long_texts(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    for (int n = 250; n < 260; n++) {
        buf_init(&b, 1000, a);
        buf_addf(&b, "%0*d", n, 7);
        assert_int_equal(b.len, n);
        assert_int_equal(b.p[n - 1], '7');
    }
    arena_free(a);
}

static void reserves(void **state)
{
    struct arena *a = arena_new(0);
    struct buf b;

    (void)state;
    buf_init(&b, 5000, a);
    char *p = buf_reserve(&b, 4000);
    assert_non_null(p);
    memset(p, 'z', 4000);
    b.len += 4000;
    assert_null(buf_reserve(&b, 1001));
    assert_int_equal(buf_str(&b).len, 4000);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collects),
        cmocka_unit_test(grows),
        cmocka_unit_test(stops_at_the_ceiling),
        cmocka_unit_test(formats_long_texts),
        cmocka_unit_test(reserves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
