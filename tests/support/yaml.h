/*
 * Reading the YAML that yaml_write() writes, for tests: blocks of two blanks, scalars as JSON.
 */
#ifndef SLUICE_TESTS_YAML_H
#define SLUICE_TESTS_YAML_H

#include "base/value.h"

/* The value, living in `a`; undefined when a line is not of that form. */
struct val yaml_read(const char *text, struct arena *a);

#endif
