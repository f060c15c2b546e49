/*
 * JSON read late: what is known before anybody looks, that looking reads one level, and that all
 * ways of looking do.
 */
#include "support/cases.h"

#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/limits.h"

enum { ROWS = 200 };

static struct arena *arena;
static struct str text;

/* {"rows": [{"id": 0, "text": "...", "inner": {"list": [0, 1, ...]}}, ...], "name": "x"} */
static int set_up(void **state)
{
    struct buf out;

    (void)state;
    arena = arena_new(0);
    buf_init(&out, MIB, arena);
    buf_add_c(&out, " {\"rows\": [");
    for (int i = 0; i < ROWS; i++) {
        buf_addf(&out, "%s{\"id\": %d, \"text\": \"%0300d\", \"inner\": {\"list\": [",
                 i > 0 ? "," : "", i, i);
        for (int k = 0; k < 100; k++)
            buf_addf(&out, "%s%d", k > 0 ? ", " : "", k);
        buf_add_c(&out, "]}}");
    }
    buf_add_c(&out, "], \"name\": \"x\"} ");
    text = buf_str(&out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct val lazy(void)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (json_lazy(text, &v, arena, &e) != 0)
        fail_msg("%s", e.msg);
    assert_true((v.flags & VAL_F_LAZY) != 0);
    return v;
}

static struct val eager(void)
{
    struct val v = val_undef(NULL);
    struct err e;

    assert_int_equal(json_parse(text, &v, arena, &e), 0);
    return v;
}

static void opens_one_level(void **state)
{
    struct val v = lazy();

    (void)state;
    assert_true(val_truth(v));
    assert_null(v.u.dict->pairs);
    struct val rows = val_get(v, "rows");
    assert_non_null(v.u.dict->pairs);
    assert_true((rows.flags & VAL_F_LAZY) != 0);
    assert_int_equal(val_count(rows), ROWS);
    assert_true(val_truth(rows));
    assert_null(rows.u.list->items);
    struct val row = val_at(rows, 7);
    assert_non_null(rows.u.list->items);
    assert_true((row.flags & VAL_F_LAZY) != 0);
    assert_null(row.u.dict->pairs);
    assert_int_equal(val_get_int(row, "id", -1), 7);
    assert_null(val_at(rows, 8).u.dict->pairs);
    assert_int_equal(val_path(v, "rows.9.inner.list.42").u.i, 42);
    assert_true(val_is_undef(val_path(v, "rows.9.inner.list.100")));
}

/* What is not looked at costs no values. */
static void costs_little(void **state)
{
    (void)state;
    size_t before = arena_used(arena);
    struct val v = lazy();
    assert_true(str_eq_c(val_get_text(v, "name", STR_NONE), "x"));
    size_t late = arena_used(arena) - before;
    before = arena_used(arena);
    (void)eager();
    assert_true(late * 10 < arena_used(arena) - before);
}

/* A value is passed around by copying its 16 bytes: all copies see the one opening. */
static void copies_share_the_opening(void **state)
{
    struct val one = lazy();
    struct val two = one;

    (void)state;
    struct val rows = val_get(one, "rows");
    assert_ptr_equal(rows.u.list, val_get(two, "rows").u.list);
    struct val opened = val_open(two);
    assert_false((opened.flags & VAL_F_LAZY) != 0);
    assert_ptr_equal(opened.u.dict, one.u.dict);
    assert_int_equal(opened.u.dict->n, 2);
}

static void look_count(struct val v)
{
    assert_int_equal(val_count(v), 2);
}

static void look_pairs(struct val v)
{
    struct val key;
    struct val value;

    assert_true(val_pair_at(v, 1, &key, &value));
    assert_true(str_eq_c(val_text(key), "name"));
    assert_false(val_pair_at(v, 2, &key, &value));
}

static void look_by_value(struct val v)
{
    assert_true(str_eq_c(val_text(val_get_val(v, VAL_STR_LIT("name"))), "x"));
}

static void look_equal(struct val v)
{
    assert_true(val_eq(v, eager()));
    assert_true(val_eq(eager(), lazy()));
}

static void look_text(struct val v)
{
    assert_true(str_eq(val_str_of(v, arena), val_str_of(eager(), arena)));
}

static void look_json(struct val v)
{
    assert_true(str_eq(json_text(v, arena), json_text(eager(), arena)));
}

static void look_order(struct val v)
{
    int order = 5;

    assert_int_equal(val_cmp(val_get(v, "rows"), val_get(lazy(), "rows"), &order), 0);
    assert_int_equal(order, 0);
}

static void look_change(struct val v)
{
    val_dict_set_c(v, "more", val_int(1));
    assert_true(val_dict_del(v, VAL_STR_LIT("name")));
    struct val rows = val_get(v, "rows");
    val_list_add(rows, val_int(5));
    assert_int_equal(val_count(rows), ROWS + 1);
    assert_int_equal(val_at(rows, ROWS).u.i, 5);
    assert_int_equal(val_count(v), 2);
}

static void look_copy(struct val v)
{
    struct arena *other = arena_new(0);
    struct val unread = val_copy(v, other);

    (void)val_get(v, "rows");
    struct val half_read = val_copy(v, other);
    tear_down(NULL); /* the copies must not need it */
    assert_true(val_eq(unread, half_read));
    assert_int_equal(val_path(half_read, "rows.199.id").u.i, 199);
    arena_free(other);
    set_up(NULL);
}

static const struct row {
    const char *name;
    void (*look)(struct val v);
} looks[] = {
    {"count", look_count}, {"pairs", look_pairs},   {"value as key", look_by_value},
    {"equal", look_equal}, {"text", look_text},     {"json", look_json},
    {"order", look_order}, {"change", look_change}, {"copy", look_copy},
};

static void looks_inside(const struct row *r)
{
    set_up(NULL);
    r->look(lazy());
    tear_down(NULL);
}

static void repeated_members(void **state)
{
    struct val v = val_undef(NULL);
    struct err e;
    struct str twice = str_printf(arena, "{\"a\": 1, \"b\": \"%0600d\", \"a\": 2}", 0);

    (void)state;
    assert_int_equal(json_lazy(twice, &v, arena, &e), 0);
    assert_int_equal(val_count(v), 2);
    assert_int_equal(val_get(v, "a").u.i, 2);
}

static void scalars_and_small_texts(void **state)
{
    struct val v = val_undef(NULL);
    struct err e;
    char *digits = arena_printf(arena, "\"%0700d\"", 0);

    (void)state;
    assert_int_equal(json_lazy(STR("[1, 2]"), &v, arena, &e), 0);
    assert_int_equal(val_at(v, 1).u.i, 2);
    assert_int_equal(json_lazy(str_c(digits), &v, arena, &e), 0);
    assert_int_equal(val_count(v), 700);
}

/* Each level holds the whole rest: stepping over it by reading would cost depth times length. */
static void deep_texts_open_in_linear_time(void **state)
{
    enum { LARGE = 2 * 1024 * 1024 };
    struct buf out;
    struct val v = val_undef(NULL);
    struct err e;

    (void)state;
    buf_init(&out, 2 * LARGE, arena);
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_add_c(&out, "[0,");
    buf_putc(&out, '"');
    char *p = buf_reserve(&out, LARGE);
    assert_non_null(p);
    memset(p, 'x', LARGE);
    out.len += LARGE;
    buf_putc(&out, '"');
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_putc(&out, ']');
    assert_int_equal(json_lazy(buf_str(&out), &v, arena, &e), 0);
    clock_t start = clock();
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        v = val_at(v, 1);
    assert_int_equal(val_count(v), LARGE);
    assert_true(clock() - start < CLOCKS_PER_SEC / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_one_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(costs_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_share_the_opening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repeated_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scalars_and_small_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deep_texts_open_in_linear_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(looks, looks_inside);
}
