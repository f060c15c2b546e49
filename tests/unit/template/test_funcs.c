/*
 * Global functions and the objects they make.
 */
#include "template/callable.h"
#include "unit/template/renders.h"

static const struct render_row rows[] = {
    {"range backwards", "{{ range(5, 0, -2)|list }}{{ range(5, 0)|list }}", "[5, 3, 1][]", NULL},
    {"range is a value",
     "{{ range(3) == range(0, 3, 1) }}{{ range(0) == range(5, 5) }}{{ range(1, 9, 3)[-1] }}",
     "TrueTrue7", NULL},
    {"range holds",
     "{{ 4 in range(0, 9, 2) }}{{ 5 in range(0, 9, 2) }}{{ 4.0 in range(9) }}{{ 'a' in range(2) }}",
     "TrueFalseTrueFalse", NULL},
    {"range of a text", "{{ range('3') }}", "! TypeError", NULL},
    {"range of everything", "{{ range(10**12) }}", "! OverflowError", NULL},
    {"range wants arguments", "{{ range() }}", "! TypeError", NULL},
    {"dict of bad pairs", "{{ dict([1]) }}", "! TypeError", NULL},
    {"dict of triples", "{{ dict([(1, 2, 3)]) }}", "! ValueError", NULL},
    {"dict of lists as keys", "{{ dict([([], 1)]) }}", "! TypeError", NULL},
    {"namespace takes what dict takes",
     "{% set n = namespace({'a': 1}, b=2) %}{{ n.a }}{{ n.b }}{{ n.c is defined }}", "12False",
     NULL},
    {"cycler wants items", "{{ cycler() }}", "! RuntimeError", NULL},
    {"two joiners",
     "{% set a = joiner() %}{% set b = joiner('-') %}{{ a() }}{{ b() }}x{{ a() }}{{ b() }}", "x, -",
     NULL},
    {"lipsum counts words", "{{ lipsum(1, false, 5, 6)|wordcount }}", "5", NULL},
    {"lipsum without room", "{{ lipsum(1, true, 5, 5) }}", "! ValueError", NULL},
    {"now stands on the platform's clock", "{{ now() }} {{ utcnow() }}",
     "2021-02-19 22:20:04.389189 2021-02-19 21:20:04.389189", NULL},
    {"timestamps know the platform's zone", "{{ now().timestamp() }}", "1613769604.389189", NULL},
    {"a zone by name", "{{ now('Asia/Tokyo').isoformat() }}", "2021-02-20T06:20:04.389189+09:00",
     NULL},
    {"no zone", "{{ now(5) }}", "! TypeError", NULL},
    {"a path is no zone", "{{ tz('../etc/passwd') }}", "! ValueError", NULL},
    {"timedelta of a text", "{{ timedelta(days='1') }}", "! TypeError", NULL},
    {"timedelta too long", "{{ timedelta(days=10**10) }}", "! OverflowError", NULL},
    {"randint of one", "{{ randint(3, 3) }}{{ randint(-5, -5) }}", "3-5", NULL},
    {"random numbers repeat with a seed", "{{ uuid()|length }}", "36", NULL},
};

static const char *const names[] = {
#define FUNC(name, fn) name,
#include "template/funcs/funcs.def"
#undef FUNC
};

static const struct table_row {
    const char *name;
} tables[] = {{"funcs.def"}};

static void sorted(const struct table_row *r)
{
    (void)r;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (i > 0)
            assert_true(strcmp(names[i - 1], names[i]) < 0);
        assert_non_null(func_find(str_c(names[i])));
    }
    assert_null(func_find(STR("open")));
}

int main(void)
{
    return CASES(rows, renders) + CASES(tables, sorted);
}
