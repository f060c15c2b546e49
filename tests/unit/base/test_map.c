/*
 * Hash maps from text to pointers.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/map.h"

enum { MANY = 1000 };

static void sets_and_finds(void **state)
{
    struct arena *a = arena_new(0);
    struct map m;
    int one = 1;
    int two = 2;

    (void)state;
    map_init(&m, a);
    assert_null(map_find(&m, STR("x")));
    assert_null(map_set(&m, STR("x"), &one));
    assert_ptr_equal(map_find(&m, STR("x")), &one);
    assert_ptr_equal(map_set(&m, STR("x"), &two), &one);
    assert_ptr_equal(map_find(&m, STR("x")), &two);
    assert_int_equal(m.n, 1);
    assert_null(map_set(&m, STR_NONE, &one)); /* the empty text is a key too */
    assert_ptr_equal(map_find(&m, STR("")), &one);
    assert_null(map_find(&m, STR("y")));
    arena_free(a);
}

static void holds_many(void **state)
{
    struct arena *a = arena_new(0);
    static int values[MANY];
    static int seen[MANY];
    struct map m;

    (void)state;
    map_init(&m, a);
    for (int i = 0; i < MANY; i++)
        assert_null(map_set(&m, str_printf(a, "key %d", i), &values[i]));
    assert_int_equal(m.n, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_find(&m, str_printf(a, "key %d", i)), &values[i]);
    const struct map_entry *entry = NULL;
    size_t at = 0;
    while ((entry = map_next(&m, &at)) != NULL)
        seen[(int *)entry->value - values]++;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_finds),
        cmocka_unit_test(holds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
