/*
 * Values: lists, dictionaries with their order and index, paths, defaults, copies.
 */
#include "support/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/value.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct val from_json(const char *text)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (json_parse(str_c(text), &v, arena, &e) != 0)
        fail_msg("%s: %s", text, e.msg);
    return v;
}

static void shows(struct val v, const char *want)
{
    assert_string_equal(json_text(v, arena).p, want);
}

static void lists(void **state)
{
    struct val l = val_list_new(arena, 0);

    (void)state;
    for (int i = 0; i < 1000; i++)
        val_list_add(l, val_int(i));
    assert_int_equal(val_count(l), 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(val_at(l, i).u.i, i);
    assert_true(val_is_undef(val_at(l, 1000)));
    assert_true(val_is_undef(val_at(val_int(1), 0)));
    struct val t = val_tuple_new(arena, 2);
    val_list_add(t, val_null());
    assert_true(val_is(t, VAL_TUPLE));
    assert_int_equal(val_count(t), 1);
}

/* Replacing keeps the place, deleting closes the gap, and a new key comes last; on both sides of
 * the size where the index begins. */
static void dictionary_order(void **state)
{
    (void)state;
    for (int n = 1; n < 40; n++) {
        struct val d = val_dict_new(arena, 0);
        for (int i = 0; i < n; i++)
            val_dict_set_c(d, arena_printf(arena, "k%d", i), val_int(i));
        assert_int_equal(val_count(d), n);
        val_dict_set_c(d, "k0", val_int(-1));
        assert_int_equal(val_count(d), n);
        assert_true(val_dict_del(d, val_str_c(arena_printf(arena, "k%d", n / 2))));
        assert_false(val_dict_del(d, val_str_c("nope")));
        val_dict_set_c(d, "last", val_int(99));
        assert_int_equal(val_count(d), n);
        struct val key;
        struct val value;
        size_t at = 0;
        for (int i = 0; i < n; i++) {
            if (i == n / 2)
                continue;
            assert_true(val_pair_at(d, at++, &key, &value));
            assert_string_equal(str_cstr(arena, val_text(key)), arena_printf(arena, "k%d", i));
            assert_int_equal(value.u.i, i == 0 ? -1 : i);
            assert_int_equal(val_get_val(d, key).u.i, value.u.i);
        }
        assert_true(val_pair_at(d, at, &key, &value));
        assert_int_equal(value.u.i, 99);
        assert_false(val_pair_at(d, (size_t)n, &key, &value));
        assert_true(val_is_undef(val_get(d, arena_printf(arena, "k%d", n / 2))));
    }
}

static void many_keys(void **state)
{
    struct val d = val_dict_new(arena, 3);

    (void)state;
    for (int i = 0; i < 5000; i++)
        val_dict_set(d, i % 2 == 0 ? val_int(i) : val_str_dup(arena, str_printf(arena, "%d", i)),
                     val_int(i));
    for (int i = 0; i < 5000; i++) {
        struct val key = i % 2 == 0 ? val_int(i) : val_str(str_printf(arena, "%d", i));
        assert_int_equal(val_get_val(d, key).u.i, i);
    }
    assert_true(val_is_undef(val_get_val(d, val_int(1))));
    assert_true(val_is_undef(val_get(d, "2")));
    for (int i = 0; i < 5000; i += 500)
        assert_true(val_dict_del(d, val_int(i)));
    assert_int_equal(val_count(d), 4990);
    assert_true(val_is_undef(val_get_val(d, val_int(500))));
    assert_int_equal(val_get_val(d, val_int(502)).u.i, 502);
}

/* True, 1 and 1.0 are one key; the first form of it stays. */
static void number_keys(void **state)
{
    struct val key;
    struct val value;

    (void)state;
    for (int filler = 0; filler < 20; filler += 10) {
        struct val d = val_dict_new(arena, 0);
        val_dict_set(d, val_bool(true), VAL_STR_LIT("a"));
        for (int i = 0; i < filler; i++)
            val_dict_set(d, val_int(100 + i), val_null());
        val_dict_set(d, val_int(1), VAL_STR_LIT("b"));
        val_dict_set(d, val_float(1.0), VAL_STR_LIT("c"));
        assert_int_equal(val_count(d), 1 + filler);
        assert_true(val_pair_at(d, 0, &key, &value));
        assert_true(val_is(key, VAL_BOOL));
        assert_string_equal(value.u.s, "c");
        assert_true(val_is_undef(val_get(d, "1")));
    }
}

static void tuple_keys(void **state)
{
    struct val d = val_dict_new(arena, 0);
    struct val t = val_tuple_new(arena, 2);
    struct val same = val_tuple_new(arena, 2);

    (void)state;
    val_list_add(t, val_int(1));
    val_list_add(t, VAL_STR_LIT("x"));
    val_list_add(same, val_float(1.0));
    val_list_add(same, VAL_STR_LIT("x"));
    for (int i = 0; i < 20; i++)
        val_dict_set(d, val_int(i), val_null());
    val_dict_set(d, t, val_int(5));
    assert_int_equal(val_get_val(d, same).u.i, 5);
}

/* Looking up must not allocate: these are the hot calls of everything above. */
static void lookups_do_not_allocate(void **state)
{
    struct val small = from_json("{\"a\": 1, \"b\": {\"c\": [1, 2]}}");
    struct val large = val_dict_new(arena, 0);

    (void)state;
    for (int i = 0; i < 100; i++)
        val_dict_set_str(large, str_printf(arena, "k%d", i), val_int(i));
    size_t used = arena_used(arena);
    assert_int_equal(val_get(small, "a").u.i, 1);
    assert_int_equal(val_get(large, "k77").u.i, 77);
    assert_int_equal(val_path(small, "b.c.1").u.i, 2);
    assert_int_equal(arena_used(arena), used);
}

static void paths(void **state)
{
    struct val v = from_json("{\"a\": {\"b\": [10, {\"c\": \"x\"}]}, \"\": 5, \"0\": 6}");

    (void)state;
    assert_int_equal(val_path(v, "a.b.0").u.i, 10);
    assert_string_equal(str_cstr(arena, val_text(val_path(v, "a.b.1.c"))), "x");
    assert_int_equal(val_path(v, "0").u.i, 6);
    assert_true(val_is_undef(val_path(v, "a.b.2")));
    assert_true(val_is_undef(val_path(v, "a.b.-1")));
    assert_true(val_is_undef(val_path(v, "a.b.x")));
    assert_true(val_is_undef(val_path(v, "a.b.0.c")));
    assert_true(val_is_undef(val_path(v, "nope.c")));
    assert_true(val_eq(val_path(v, ""), v));
}

static void defaults(void **state)
{
    struct val v = from_json("{\"t\": \"text\", \"i\": 7, \"b\": true, \"n\": null}");

    (void)state;
    assert_true(str_eq_c(val_get_text(v, "t", STR("d")), "text"));
    assert_true(str_eq_c(val_get_text(v, "i", STR("d")), "d"));
    assert_true(str_eq_c(val_get_text(v, "n", STR("d")), "d"));
    assert_true(str_eq_c(val_get_text(v, "x", STR("d")), "d"));
    assert_int_equal(val_get_int(v, "i", 1), 7);
    assert_int_equal(val_get_int(v, "t", 1), 1);
    assert_int_equal(val_get_int(v, "b", 3), 3);
    assert_true(val_get_bool(v, "b", false));
    assert_true(val_get_bool(v, "i", true));
    assert_false(val_get_bool(val_null(), "b", false));
}

static const char *const copied[] = {
    "null",
    "[1,2.5,true,\"x\",123456789012345678901234567890,[],{}]",
    "{\"a\":1,\"b\":{\"c\":[{\"d\":\"e\"}]}}",
    "{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"i\":8,\"j\":9}",
};

/* The original's memory is gone (and poisoned) when the copy is read. */
static void copies_stand_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(copied); i++) {
        struct arena *other = arena_new(0);
        struct err e;
        struct val v;
        assert_int_equal(json_parse_copy(str_c(copied[i]), &v, other, &e), 0);
        struct val c = val_copy(v, arena);
        assert_true(val_eq(v, c));
        arena_free(other);
        shows(c, copied[i]);
        if (val_is(c, VAL_DICT) && val_count(c) == 10) {
            assert_int_equal(val_get(c, "j").u.i, 9);
            val_dict_set_c(c, "k", val_int(10));
            assert_int_equal(val_get(c, "k").u.i, 10);
        }
    }
    struct val tuple = val_tuple_new(arena, 0);
    assert_true(val_is(val_copy(tuple, arena), VAL_TUPLE));
    assert_string_equal(val_copy(val_undef("x"), arena).u.undef_name, "x");
    struct val marked = VAL_STR_LIT("m");
    marked.flags = VAL_F_MARKUP;
    assert_int_equal(val_copy(marked, arena).flags, VAL_F_MARKUP);
    assert_true(val_is(val_copy(val_bytes(STR("\xff")), arena), VAL_BYTES));
}

/* A stranger's template can nest without end; nothing may run out of stack. */
static void bottomless(void **state)
{
    struct val v = val_list_new(arena, 0);
    struct val w = val_list_new(arena, 0);
    struct buf out;
    int order = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct val outer = val_list_new(arena, 1);
        val_list_add(outer, v);
        v = outer;
        outer = val_list_new(arena, 1);
        val_list_add(outer, w);
        w = outer;
    }
    assert_true(val_eq(v, v));
    assert_false(val_eq(v, w));
    assert_int_equal(val_cmp(v, w, &order), -1);
    (void)val_hash(v);
    buf_init(&out, 10000, arena);
    val_to_repr(v, &out);
    assert_non_null(strstr(buf_cstr(&out), "[...]"));
    assert_non_null(strstr(json_text(v, arena).p, "[null]"));
    assert_int_equal(val_count(val_copy(v, arena)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dictionary_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(number_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tuple_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lookups_do_not_allocate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_stand_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bottomless, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
