/*
 * The cache of compiled templates, keys with wildcards, plain text, dump and trace.
 */
#include "render.h"

#include <pthread.h>

static void same_source_is_compiled_once(void **state)
{
    struct tmpl_cache *c = tmpl_cache_new(MIB);
    struct tmpl *x = NULL;
    struct tmpl *y = NULL;
    struct err e;

    (void)state;
    assert_int_equal(tmpl_cache_get(c, STR("{{ a }}"), STR("n"), &tmpl_env_platform, &x, &e), 0);
    assert_int_equal(tmpl_cache_get(c, STR("{{ a }}"), STR("n"), &tmpl_env_platform, &y, &e), 0);
    assert_ptr_equal(x, y);
    tmpl_unref(x);
    tmpl_unref(y);
    tmpl_cache_free(c);
}

static void other_name_or_environment_is_another_template(void **state)
{
    struct tmpl_cache *c = tmpl_cache_new(MIB);
    struct tmpl *t[3] = {NULL, NULL, NULL};
    struct err e;

    (void)state;
    assert_int_equal(tmpl_cache_get(c, STR("{{ a }}"), STR("n"), &tmpl_env_platform, &t[0], &e), 0);
    assert_int_equal(tmpl_cache_get(c, STR("{{ a }}"), STR("m"), &tmpl_env_platform, &t[1], &e), 0);
    assert_int_equal(tmpl_cache_get(c, STR("{{ a }}"), STR("n"), &tmpl_env_plain, &t[2], &e), 0);
    assert_ptr_not_equal(t[0], t[1]);
    assert_ptr_not_equal(t[0], t[2]);
    for (size_t i = 0; i < COUNT_OF(t); i++)
        tmpl_unref(t[i]);
    tmpl_cache_free(c);
}

static void memory_is_bounded_and_references_stay_good(void **state)
{
    struct tmpl_cache *c = tmpl_cache_new(64 * KIB);
    struct arena *a = arena_new(0);
    struct tmpl *first = NULL;
    struct tmpl *again = NULL;
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};
    struct buf out;
    struct err e;

    (void)state;
    assert_int_equal(
        tmpl_cache_get(c, STR("first {{ 1 }}"), STR(""), &tmpl_env_platform, &first, &e), 0);
    for (int i = 0; i < 500; i++) {
        struct tmpl *t = NULL;

        assert_int_equal(
            tmpl_cache_get(c, str_printf(a, "%d {{ a }}", i), STR(""), &tmpl_env_platform, &t, &e),
            0);
        tmpl_unref(t);
    }
    assert_int_equal(
        tmpl_cache_get(c, STR("first {{ 1 }}"), STR(""), &tmpl_env_platform, &again, &e), 0);
    assert_ptr_not_equal(first, again);
    buf_init(&out, KIB, a);
    assert_int_equal(tmpl_render(first, &run, &out, a, &e), 0);
    assert_string_equal(buf_cstr(&out), "first 1");
    tmpl_unref(first);
    tmpl_unref(again);
    arena_free(a);
    tmpl_cache_free(c);
}

static void errors_are_not_kept(void **state)
{
    struct tmpl_cache *c = tmpl_cache_new(MIB);
    struct tmpl *t = NULL;
    struct err e;

    (void)state;
    assert_int_equal(tmpl_cache_expr(c, STR("1 +"), &t, &e), -1);
    assert_int_equal(e.app_code, TMPL_EXC_SYNTAX);
    assert_int_equal(tmpl_cache_expr(c, STR("1 + 1"), &t, &e), 0);
    tmpl_unref(t);
    tmpl_cache_free(c);
}

static void *render_often(void *cache)
{
    for (int i = 0; i < 200; i++) {
        struct arena *a = arena_new(0);
        struct tmpl_run run = {.vars = context(a, "{\"a\": [{\"x\": 1}, {\"y\": 0, \"x\": 2}]}")};
        struct tmpl *t = NULL;
        struct buf out;
        struct err e;

        buf_init(&out, KIB, a);
        if (tmpl_cache_get(cache,
                           str_printf(a, "%d{%% for i in a %%}{{ i.x }}{%% endfor %%}", i % 7),
                           STR(""), &tmpl_env_platform, &t, &e) != 0 ||
            tmpl_render(t, &run, &out, a, &e) != 0 || !str_ends(buf_str(&out), STR("12")))
            abort();
        tmpl_unref(t);
        arena_free(a);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct tmpl_cache *c = tmpl_cache_new(20 * KIB);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, c), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    tmpl_cache_free(c);
}

/* ---- plain text, dump, trace ------------------------------------------------------------------
 */

static void plain_text_is_recognised(void **state)
{
    (void)state;
    assert_true(tmpl_is_plain(STR("a { b } % #")));
    assert_true(tmpl_is_plain(STR("")));
    assert_false(tmpl_is_plain(STR("a {{ b }}")));
    assert_false(tmpl_is_plain(STR("{%")));
    assert_false(tmpl_is_plain(STR("x{#")));
    assert_false(tmpl_is_plain(STR("a\r\nb")));
    assert_true(str_eq(tmpl_plain_text(STR("a\n\n")), STR("a\n")));
    assert_true(str_eq(tmpl_plain_text(STR("a")), STR("a")));
}

static void dump_names_what_it_does(void **state)
{
    struct arena *a = arena_new(0);
    struct tmpl *t = NULL;
    struct buf out;
    struct err e;

    (void)state;
    buf_init(&out, MIB, a);
    assert_int_equal(
        tmpl_compile(&t, STR("Hi {{ user.name|upper }}"), STR(""), &tmpl_env_platform, &e), 0);
    tmpl_dump(t, &out);
    assert_non_null(strstr(buf_cstr(&out), "ATTR_LOCAL     name $0(user)"));
    assert_non_null(strstr(buf_cstr(&out), "FILTER         upper(0)"));
    tmpl_unref(t);
    arena_free(a);
}

static void note_variable(void *ctx, struct str name)
{
    buf_addf(ctx, "%.*s;", STR_ARG(name));
}

static void note_step(void *ctx, int line, struct str expression, struct val value)
{
    buf_addf(ctx, "%d: %.*s = ", line, STR_ARG(expression));
    val_to_repr(value, ctx);
    buf_putc(ctx, ';');
}

static void trace_tells_what_was_read_and_printed(void **state)
{
    struct arena *a = arena_new(0);
    struct buf notes;
    struct buf out;
    struct tmpl_trace trace = {note_variable, note_step, &notes};
    struct tmpl_run run = {.vars = context(a, "{\"a\": 1, \"b\": {\"c\": \"x\"}}"),
                           .trace = &trace};
    struct tmpl *t = NULL;
    struct err e;

    (void)state;
    buf_init(&notes, MIB, a);
    buf_init(&out, MIB, a);
    assert_int_equal(tmpl_compile(&t, STR("{{ a }}\n{{ b.c ~ 1 }}{% if a %}{{b.c }}{% endif %}"),
                                  STR(""), &tmpl_env_platform, &e),
                     0);
    assert_int_equal(tmpl_render(t, &run, &out, a, &e), 0);
    assert_string_equal(buf_cstr(&notes), "a;1: a = 1;b;2: b.c ~ 1 = 'x1';2: b.c = 'x';");
    tmpl_unref(t);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_source_is_compiled_once),
        cmocka_unit_test(other_name_or_environment_is_another_template),
        cmocka_unit_test(memory_is_bounded_and_references_stay_good),
        cmocka_unit_test(errors_are_not_kept),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(plain_text_is_recognised),
        cmocka_unit_test(dump_names_what_it_does),
        cmocka_unit_test(trace_tells_what_was_read_and_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
