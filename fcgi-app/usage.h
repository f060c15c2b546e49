/*
 * Who used which service: counted in memory, written every minute to user_activity.
 *
 * A service is what follows "services" in a path (/tenants/t1/groups/g1/services/call_waiting/):
 * the page that shows the counts links to the requests by that part of their URL (http-api.md 5.5).
 * Up to a minute of counting is lost with a process that is killed.
 */
#ifndef SLUICE_USAGE_H
#define SLUICE_USAGE_H

#include "db/db.h"

struct usage;

struct usage *usage_new(struct clock *clock);
void usage_free(struct usage *u); /* takes NULL */
/* Count a request, if its canonical path names a service.  Any thread, never blocks for long. */
void usage_note(struct usage *u, struct str username, struct str method, struct str path);
/* Write what was counted and start again; on failure it is kept for the next time. */
MUST_CHECK int usage_flush(struct usage *u, struct db *db, struct err *e);

extern const struct db_stmts usage_stmts;

#endif
