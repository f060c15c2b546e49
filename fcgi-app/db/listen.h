/*
 * The listener: one connection that hears about changes.
 *
 * LISTEN on channel "sluice", with a poll of table `generations` as a safety net (a NOTIFY can be
 * missed while the connection is down).  Calls back on its own thread, at start and whenever a
 * topic's number differs from the last seen one, in either direction (a restored dump goes back).
 */
#ifndef SLUICE_DB_LISTEN_H
#define SLUICE_DB_LISTEN_H

#include "db/db.h"

struct listener;

/* How long what nobody announced may stay unseen. */
#if defined(SLUICE_TEST_BUILD)
enum { LISTEN_POLL_MS = 250 };
#else
enum { LISTEN_POLL_MS = 1000 };
#endif

/* Of an active key: it has sealed for long enough, or often enough with random nonces
 * (migration.md 7.4). */
#define LISTEN_KEY_WORN "(created_on < now() - interval '90 days' OR seals >= 1073741824)"

/*
 * topic: "config" (anything in the snapshot, profiles too), "users" (principals, roles, revoked tokens), "keys"
 * (table keys, which no trigger watches: polled), "schema" (a migration ran), "jobs" (work arrived:
 * only heard, since nobody counts it).
 */
typedef void listener_fn(void *arg, const char *topic);

/* Starts the thread; poll_ms is how often the tables are looked at besides listening. */
struct listener *listener_new(struct db *db, int64_t poll_ms, listener_fn *fn, void *arg);
void listener_free(struct listener *l);
/* False while the database is away: what is kept in memory may be old then. */
bool listener_connected(const struct listener *l);

#endif
