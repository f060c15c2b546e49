/*
 * Scheduled jobs: rows of timers_cron, started when they are due.
 *
 * Every process with -workflows has a schedule; which of them starts a run does not matter.  They
 * take turns by an advisory lock, and a run is taken by moving next_on in the commit that stores
 * its instance: so it happens once, and not at all only when everything was down for more than a
 * minute.
 *
 * Rules: workflow-engine.md 5.2.
 */
#ifndef SLUICE_ENGINE_SCHEDULE_H
#define SLUICE_ENGINE_SCHEDULE_H

#include "engine/cron.h"
#include "engine/engine.h"

struct schedule;
struct zone;

/* Starts a thread; everything given outlives it. */
struct schedule *schedule_new(struct db *db, struct cfg_store *cfg, struct engine *en);
void schedule_free(struct schedule *s); /* takes NULL */
/* Jobs, or the zone of the platform, may have changed: look again.  Any thread; takes NULL. */
void schedule_wake(struct schedule *s);

/* The zone schedules are read in; UTC when the configuration names none that exists. */
const struct zone *schedule_zone(const struct cfg *cfg, struct arena *a);

/*
 * Start a job now, whatever its fields say and whether it is enabled or not; its next run stays.
 *
 * ERR_NOT_FOUND: no such job; ERR_CONFLICT: it has no activity, or that one cannot be started.
 */
MUST_CHECK int schedule_run_now(struct engine *en, const struct cfg *cfg, struct db_conn *c, int64_t id,
                                int64_t *instance_id, char guid[37], struct err *e);

extern const struct db_stmts schedule_stmts;
extern const struct writer_stmt *const schedule_writer_stmts[];
extern const size_t schedule_writer_stmts_n;

#endif
