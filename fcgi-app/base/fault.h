/*
 * Failure on purpose.  FAULT("db.query") is true when a test asked for this point to fail; it
 * exists in test builds only and is the constant false elsewhere.
 *
 * A test arms it with SLUICE_FAULT=point:N in the environment (fail the Nth passage) or
 * fault_arm(); a hit is told on standard error.  FAULT_AT(kind, name) and FAULT_DIE(kind, name) are points of their own for each
 * name; SLUICE_FAULT=passed tells which of them are passed.
 * Where FAULT_POINTS is false nothing can be armed: a test that needs it is left out (support/cases.h).
 */
#ifndef SLUICE_BASE_FAULT_H
#define SLUICE_BASE_FAULT_H

#include "base/base.h"

#if defined(SLUICE_TEST_BUILD)
#define FAULT_POINTS true
/* What FAULT() asks: is this passage to fail? */
bool fault_hit(const char *point);
/* Fail the nth passage from now (1 = the next); 0 disarms. */
void fault_arm(const char *point, unsigned nth);
#define FAULT(point) fault_hit(point)
/* The same for the point "<kind>.<name>"; die as by kill -9 there. */
bool fault_at(const char *kind, const char *name, size_t len);
void fault_die(const char *kind, const char *name, size_t len);
#define FAULT_AT(kind, name) fault_at((kind), (name).p, (name).len)
#define FAULT_DIE(kind, name) fault_die((kind), (name).p, (name).len)
#else
#define FAULT_POINTS false
static inline void fault_arm(const char *point, unsigned nth)
{
    (void)point;
    (void)nth;
}
#define FAULT(point) (false)
#define FAULT_AT(kind, name) (false)
#define FAULT_DIE(kind, name) ((void)0)
#endif

#endif
