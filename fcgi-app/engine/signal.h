/*
 * Signals: how the outside reaches a stored instance, wherever and by whomever it is being run.
 *
 * A signal is a row; whoever holds the instance's lease reads the rows of its instance when it
 * loads it and again before it gives the lease back, and deletes them in the transaction that
 * stores what they brought about.  So a signal is neither lost nor applied twice, whatever dies in
 * between.  One that came too late for its task, or whose instance was closed before anybody took it
 * up, is marked so where its sender looks.
 *
 * Rules: DESIGN 3 and 4; workflow-engine.md 4.10 to 4.12, 4.14.
 */
#ifndef SLUICE_ENGINE_SIGNAL_H
#define SLUICE_ENGINE_SIGNAL_H

#include "base/err.h"
#include "base/str.h"

struct db_conn;
struct db_stmt;

/*
 * Leave a signal, inside the transaction of the caller, and have the instance run soon.
 *
 * instance_id  may be a sub-instance; the top of its tree is what gets run.
 * task_id      the parked task; 0 = the instance itself (kind "entity": payload names cell and
 *              values).
 * payload      JSON text, at most 8 MiB.
 * ERR_CONFLICT where the instance is closed; the caller then rolls back.  Else it stays open until
 * the caller has committed, and whoever closes it later knows of the signal.
 * After the commit, engine_wake() of this process makes it start at once; other processes see it
 * through the listener or their next look.
 *
 * Statements that must do it within one of their own may call the SQL function
 * signal_instance(instance_id bigint, task_id bigint, kind text, payload json) instead.
 */
MUST_CHECK int engine_signal(struct db_conn *c, int64_t instance_id, int64_t task_id,
                             const char *kind, struct str payload, struct err *e);

extern const struct db_stmt signal_stmt, signal_stmt_open; /* listed in engine_store.c */

#endif
