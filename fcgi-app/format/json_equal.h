/*
 * Equality as JSON means it, for JMESPath and JSON Schema.
 *
 * Unlike val_eq (Python's): true is not 1, at any depth.  1 and 1.0 are equal, the order of members
 * does not count, a list and a tuple of the same items are equal.
 */
#ifndef SLUICE_FORMAT_JSON_EQUAL_H
#define SLUICE_FORMAT_JSON_EQUAL_H

#include "base/value.h"

/* Equality of JSON: 1 == 1.0, but true is not 1. */
bool json_equal(struct val a, struct val b);
/* Equal values hash equally. */
uint64_t json_hash(struct val v);

static inline bool json_is_number(struct val v)
{
    return v.type == VAL_INT || v.type == VAL_FLOAT || v.type == VAL_BIGINT;
}
static inline bool json_is_array(struct val v)
{
    return v.type == VAL_LIST || v.type == VAL_TUPLE;
}

#endif
