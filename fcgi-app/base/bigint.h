/*
 * Python integers that do not fit 64 bits.
 *
 * A layer over OpenSSL's BIGNUM (already a dependency), stored as plain bytes in the arena: results
 * are normalised, so a value that fits 64 bits always comes back as VAL_INT.  Every function takes
 * VAL_INT, VAL_BIGINT or VAL_BOOL. Size is bounded: beyond BIGINT_BITS_MAX operations fail with
 * ERR_LIMIT.
 */
#ifndef SLUICE_BASE_BIGINT_H
#define SLUICE_BASE_BIGINT_H

#include "base/value.h"

enum { BIGINT_BITS_MAX = 100000 };

enum bigint_op { BIG_ADD, BIG_SUB, BIG_MUL, BIG_FLOORDIV, BIG_MOD, BIG_POW };

/* a op b with Python's rules (floor division, sign of the divisor).  Division by zero: ERR_INVALID
 * "integer division or modulo by zero"; BIG_POW wants b >= 0. */
MUST_CHECK int bigint_op(enum bigint_op op, struct val a, struct val b, struct val *out,
                         struct arena *arena, struct err *e);
struct val bigint_neg(struct val v, struct arena *a);
/* Digits in `base` 2..36 with optional sign (letters any case); false when the text is not such a
 * number or is beyond the bound. */
bool bigint_parse(struct str digits, int base, struct val *out, struct arena *a);
void bigint_write(const struct bigint *b, struct buf *out); /* decimal */
int bigint_sign(const struct bigint *b);
int bigint_cmp(struct val a, struct val b);
/* Exactly, as Python does; `d` is not NaN. */
int bigint_cmp_double(const struct bigint *b, double d);
double bigint_to_double(const struct bigint *b); /* +-inf when it does not fit */
/* The integer that the finite, integral `d` is. */
struct val bigint_from_double(double d, struct arena *a);
uint64_t bigint_hash(const struct bigint *b);
const struct bigint *bigint_copy(const struct bigint *b, struct arena *a);

#endif
