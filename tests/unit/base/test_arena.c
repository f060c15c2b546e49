/*
 * Arenas: alignment, growth in place and by copy, reset, deferred functions, poisoning.
 */
#include "support/cases.h"

#include <string.h>

#include "base/arena.h"

#if ARENA_POISONS
#include <sanitizer/asan_interface.h>
#endif

static void aligned_and_apart(void **state)
{
    struct arena *a = arena_new(256);
    char *before = NULL;

    (void)state;
    for (size_t n = 0; n < 600; n++) {
        char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % ARENA_ALIGN, 0);
        assert_ptr_not_equal(p, before);
        memset(p, (int)n, n);
        char *text = arena_bytes(a, 3);
        memcpy(text, "abc", 3);
        if (n > 0)
            assert_int_equal((unsigned char)p[n - 1], n % 256);
        before = n > 0 ? p : NULL;
    }
    arena_free(a);
}

static void zeroed(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    memset(arena_alloc(a, 100), 'x', 100);
    arena_reset(a);
    const char *p = arena_zalloc(a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    arena_free(a);
}

static void grows_in_place_when_last(void **state)
{
    struct arena *a = arena_new(4096);
    char *p = arena_alloc(a, 10);

    (void)state;
    memcpy(p, "0123456789", 10);
    char *q = arena_grow(a, p, 10, 500);
    assert_ptr_equal(p, q);
    (void)arena_alloc(a, 1);
    char *r = arena_grow(a, q, 500, 501);
    assert_ptr_not_equal(q, r);
    assert_memory_equal(r, "0123456789", 10);
    assert_ptr_equal(arena_grow(a, r, 501, 20), r);
    arena_free(a);
}

/* Through all the ways of growing: in place, into a block of its own, that block by realloc. */
static void grows_from_small_to_large(void **state)
{
    struct arena *a = arena_new(256);
    size_t n = 1;
    unsigned char *p = arena_grow(a, NULL, 0, n);

    (void)state;
    p[0] = 0;
    while (n < MIB) {
        size_t more = n + n / 3 + 1;
        p = arena_grow(a, p, n, more);
        for (size_t i = n; i < more; i++)
            p[i] = (unsigned char)(i * 7);
        n = more;
        if (n % 3 == 0)
            (void)arena_bytes(a, 5);
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], (unsigned char)(i * 7));
    arena_free(a);
}

static void counts_what_it_gave(void **state)
{
    struct arena *a = arena_new(512);

    (void)state;
    assert_int_equal(arena_used(a), 0);
    (void)arena_alloc(a, 100);
    assert_in_range(arena_used(a), 100, 132);
    (void)arena_alloc(a, 100000);
    assert_in_range(arena_used(a), 100100, 100200);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    arena_free(a);
}

static void reset_keeps_the_first_block(void **state)
{
    struct arena *a = arena_new(1024);
    void *first = arena_alloc(a, 64);

    (void)state;
    for (int i = 0; i < 100; i++)
        (void)arena_alloc(a, 200);
    arena_reset(a);
    assert_ptr_equal(arena_alloc(a, 64), first);
    arena_free(a);
}

static char order[8];

static void note(void *arg)
{
    size_t n = strlen(order);

    order[n] = *(const char *)arg;
    order[n + 1] = '\0';
}

static void defers_run_last_first(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    order[0] = '\0';
    arena_defer(a, note, arena_strdup(a, "a"));
    arena_defer(a, note, arena_strdup(a, "b"));
    arena_reset(a);
    assert_string_equal(order, "ba");
    arena_defer(a, note, arena_strdup(a, "c"));
    arena_free(a);
    assert_string_equal(order, "bac");
    arena_free(NULL);
}

static void texts(void **state)
{
    struct arena *a = arena_new(0);
    char large[1000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_string_equal(arena_printf(a, "%d-%s", 5, "five"), "5-five");
    assert_string_equal(arena_printf(a, "%s", large), large);
    assert_string_equal(arena_strndup(a, "abc", 2), "ab");
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    assert_memory_equal(arena_dup(a, "xyz", 3), "xyz", 3);
    arena_free(a);
}

static void poisons(void **state)
{
    (void)state;
#if ARENA_POISONS
    struct arena *a = arena_new(1024);
    char *p = arena_alloc(a, 32);
    char *q = arena_alloc(a, 32);
    assert_false(__asan_address_is_poisoned(p + 31));
    assert_true(__asan_address_is_poisoned(p + 32));
    assert_true(__asan_address_is_poisoned(q + 32));
    char *moved = arena_grow(a, p, 32, 64);
    assert_ptr_not_equal(moved, p);
    assert_true(__asan_address_is_poisoned(p));
    arena_reset(a);
    assert_true(__asan_address_is_poisoned(q));
    arena_free(a);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_apart),
        cmocka_unit_test(zeroed),
        cmocka_unit_test(grows_in_place_when_last),
        cmocka_unit_test(grows_from_small_to_large),
        cmocka_unit_test(counts_what_it_gave),
        cmocka_unit_test(reset_keeps_the_first_block),
        cmocka_unit_test(defers_run_last_first),
        cmocka_unit_test(texts),
        cmocka_unit_test(poisons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
