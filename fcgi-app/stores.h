/*
 * Every store of the program, so that a test can prepare all statements against the migrated schema.
 */
#ifndef SLUICE_STORES_H
#define SLUICE_STORES_H

#include "db/db.h"
#include "db/writer.h"

extern const struct db_stmts *const stores[];
extern const size_t n_stores;

#endif
