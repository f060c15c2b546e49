/*
 * Upkeep of the history: partitions ahead of need, and the nightly removal of old ones (-cleanup).
 */
#ifndef SLUICE_MAINTENANCE_H
#define SLUICE_MAINTENANCE_H

#include "config/config.h"
#include "usage.h"

struct maintenance;

/* Starts a thread, which also writes what `usage` counted every minute.  cleanup: remove by section `retention`, at 03:00 of the platform's zone, in one process at a time. */
struct maintenance *maintenance_new(struct db *db, struct cfg_store *cfg, struct usage *usage, bool cleanup);
void maintenance_free(struct maintenance *m);
/* One round now: partitions ahead, and removal when `cleanup`.  For the thread and for tests. */
MUST_CHECK int maintenance_run(struct db *db, const struct cfg *cfg, bool cleanup, struct err *e);

extern const struct db_stmts maintenance_stmts;

#endif
