/*
 * Conditions of search_transactions: "status = 'ACTIVE' and activity like 'number%'" to SQL.
 *
 * Only names of a table of ours become part of the statement; every value travels as a parameter.
 *
 * Rule: workflow-engine.md 3.40.
 */
#ifndef SLUICE_NODES_CONDITION_H
#define SLUICE_NODES_CONDITION_H

#include "base/buf.h"
#include "base/err.h"
#include "db/db.h"

enum { CONDITION_ARGS_MAX = 1000, CONDITION_BYTES = 64 * 1024, CONDITION_DEPTH = 100 };

struct condition {
    struct str sql; /* with $1..$n; "true" for an empty condition */
    struct db_arg args[CONDITION_ARGS_MAX + 2]; /* room for limit and offset */
    size_t n_args;
};

/*
 * Columns are those of "instances i LEFT JOIN activities a".
 *
 * out   living in `a`.  ERR_INVALID says what is wrong and where; ERR_LIMIT.
 */
MUST_CHECK int condition_compile(struct str text, struct condition **out, struct arena *a, struct err *e);

#endif
