/*
 * Runs tables of cases through cmocka, so that each row is reported by name.
 */
#include "support/cases.h"

struct one {
    cases_fn fn;
    const void *row;
};

static void run_one(void **state)
{
    const struct one *o = *state;

    o->fn(o->row);
}

int cases_run(const char *group, const void *rows, size_t n, size_t size, cases_fn fn)
{
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    struct one *ones = calloc(n, sizeof *ones);
    int failed;

    if (tests == NULL || ones == NULL)
        abort();
    for (size_t i = 0; i < n; i++) {
        const char *row = (const char *)rows + i * size;

        ones[i] = (struct one){fn, row};
        tests[i] = (struct CMUnitTest){
            .name = *(const char *const *)(const void *)row,
            .test_func = run_one,
            .initial_state = &ones[i],
        };
    }
    failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    free(tests);
    free(ones);
    return failed;
}
