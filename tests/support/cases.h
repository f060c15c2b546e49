/*
 * Rows, not copies: run a table of cases, each row a named test.
 *
 *     static const struct row { const char *name; const char *in; const char *want; } rows[] = {...};
 *     static void renders(const struct row *r) { assert_string_equal(render(r->in), r->want); }
 *     int main(void) { return CASES(rows, renders); }
 *
 * The first member of a row must be its name.  Several tables: run them one after the other and add up.
 */
#ifndef SLUICE_TESTS_CASES_H
#define SLUICE_TESTS_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/fault.h"

typedef void (*cases_fn)(const void *row);

/* Run fn on each of n rows of `size` bytes; returns the number of failed rows. */
int cases_run(const char *group, const void *rows, size_t n, size_t size, cases_fn fn);

/* The case needs a test build (SLUICE_TEST_BUILD): elsewhere it is reported as skipped. */
#define NEEDS_FAULT_POINTS()                                                                       \
    do {                                                                                           \
        if (!FAULT_POINTS)                                                                         \
            skip();                                                                                \
    } while (0)

#define CASES(rows, fn) cases_run(#rows, (rows), COUNT_OF(rows), sizeof((rows)[0]), (cases_fn)(fn))

#endif
