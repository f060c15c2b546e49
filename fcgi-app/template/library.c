/*
 * The tables of filters, tests and global functions, searched by halves: the .def files are sorted.
 */
#include "template/checks/chk.h"
#include "template/filters/flt.h"
#include "template/funcs/fn.h"

static const struct filter_def filters[] = {
#define FILTER(name, fn, input, autoescape) {name, flt_##fn, input, autoescape},
#include "template/filters/filters.def"
#undef FILTER
};

static const struct check_def checks[] = {
#define CHECK(name, fn) {name, chk_##fn},
#include "template/checks/checks.def"
#undef CHECK
};

static const struct func_def funcs[] = {
#define FUNC(name, fn) {name, fn_##fn},
#include "template/funcs/funcs.def"
#undef FUNC
};

static const struct func_def i18n_funcs[] = {
#define FUNC(name, fn) {name, fn_##fn},
#include "template/funcs/i18n.def"
#undef FUNC
};

/* Rows of a table begin with their name. */
const void *lib_table_find(const void *rows, size_t n, size_t size, struct str name)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const char *row = (const char *)rows + mid * size;
        int order = str_cmp(name, str_c(*(const char *const *)(const void *)row));

        if (order == 0)
            return row;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct filter_def *filter_find(struct str name)
{
    return lib_table_find(filters, COUNT_OF(filters), sizeof filters[0], name);
}

const struct check_def *check_find(struct str name)
{
    return lib_table_find(checks, COUNT_OF(checks), sizeof checks[0], name);
}

const struct func_def *func_find(struct str name)
{
    return lib_table_find(funcs, COUNT_OF(funcs), sizeof funcs[0], name);
}

const struct func_def *i18n_find(struct str name)
{
    return lib_table_find(i18n_funcs, COUNT_OF(i18n_funcs), sizeof i18n_funcs[0], name);
}
