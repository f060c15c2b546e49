/*
 * Tests (x is y): their table, and what they say to values they are not made for.
 */
#include "template/callable.h"
#include "unit/template/renders.h"

static const struct render_row rows[] = {
    {"identity of scalars",
     "{{ none is sameas none }}{{ 1 is sameas true }}{{ 'a' is sameas 'a' }}", "TrueFalseTrue",
     NULL},
    {"undefined is callable no more than it is", "{{ missing is mapping }}{{ missing is string }}",
     "FalseFalse", NULL},
    {"generators", "{{ ([1]|map('string')) is iterable }}{{ ([1]|map('string')) is sequence }}",
     "TrueFalse", NULL},
    {"ranges", "{{ range(3) is sequence }}{{ range(3) is iterable }}{{ range is callable }}",
     "TrueTrueTrue", NULL},
    {"views", "{{ {}.keys() is sequence }}{{ {}.items() is iterable }}", "FalseTrue", NULL},
    {"big integers", "{{ (10**30) is integer }}{{ (10**30) is even }}{{ (10**30 + 1) is odd }}",
     "TrueTrueTrue", NULL},
    {"divisible by nothing", "{{ 1 is divisibleby(0) }}", "! ZeroDivisionError", NULL},
    {"floats divide too", "{{ 4.5 is divisibleby(1.5) }}", "True", NULL},
    {"in something without items", "{{ 1 is in 5 }}", "! TypeError", NULL},
    {"operators as names",
     "{{ 1 is ge 1 }}{{ [1, 2, 3]|select('>=', 2)|list }}{{ [1]|reject('==', 1)|list }}",
     "True[2, 3][]", NULL},
    {"unknown test", "{{ 1 is nope }}", "! TemplateAssertionError", NULL},
    {"unknown test in select", "{{ [1]|select('nope')|list }}", "! TemplateRuntimeError", NULL},
    {"too many arguments", "{{ 1 is defined(2) }}", "! TypeError", NULL},
    {"affixes of lists", "{{ 'abc' is endswith(['x', 'bc']) }}{{ ['abc'] is startswith('a') }}",
     "TrueFalse", NULL},
};

static const char *const names[] = {
#define CHECK(name, fn) name,
#include "template/checks/checks.def"
#undef CHECK
};

static const struct table_row {
    const char *name;
} tables[] = {{"checks.def"}};

static void sorted(const struct table_row *r)
{
    (void)r;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (i > 0)
            assert_true(strcmp(names[i - 1], names[i]) < 0);
        assert_non_null(check_find(str_c(names[i])));
    }
}

int main(void)
{
    return CASES(rows, renders) + CASES(tables, sorted);
}
