/*
 * Declarations of all filters, from filters.def, and what their files use.
 */
#ifndef SLUICE_TEMPLATE_FILTERS_FLT_H
#define SLUICE_TEMPLATE_FILTERS_FLT_H

#include "template/library_int.h"

#define FILTER(name, fn, input, autoescape) int flt_##fn(struct call *c, struct val *out);
#include "template/filters/filters.def"
#undef FILTER

#endif
