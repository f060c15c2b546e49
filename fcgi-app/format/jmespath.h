/*
 * JMESPath: queries over JSON data (jmespath.org specification).
 */
#ifndef SLUICE_FORMAT_JMESPATH_H
#define SLUICE_FORMAT_JMESPATH_H

#include "base/value.h"

struct jmespath;

/* Compile; lives in `a`.  ERR_INVALID with the offset in e->column. */
MUST_CHECK int jmespath_compile(struct jmespath **out, struct str expression, struct arena *a,
                                struct err *e);
/* Search; the result lives in `a` or in `data`.  ERR_INVALID: wrong type for a function and the
 * like; ERR_LIMIT: too many steps. */
MUST_CHECK int jmespath_search(const struct jmespath *q, struct val data, struct val *out,
                               struct arena *a, struct err *e);

#endif
