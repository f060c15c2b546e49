/*
 * Call-backs: answers of other systems that come later, by the id those systems gave.
 *
 * The row that holds an external id is where both sides meet: a task that awaits it, and the
 * call-back, whichever comes first.  A unique index lets one row hold an id at a time, so none is
 * lost or taken twice.
 *
 * Rules: workflow-engine.md 3.7, 4.11.
 */
#ifndef SLUICE_ENGINE_CALLBACKS_H
#define SLUICE_ENGINE_CALLBACKS_H

#include "engine/node.h"

struct db_conn;
struct db_stmts;

enum { CALLBACK_ID_MAX = 255 }; /* characters of an external id */

/*
 * Await an external id and park.
 *
 * entity    who is to answer, for lists; may be empty.
 * until_us  0 = as long as it takes.
 * The task is signalled
 *     "callback"  {"callback_id", "external_id", "body"}
 *     "refused"   {"error"}: another task awaits this id
 * Fails with ERR_INVALID for an id that cannot be stored.
 */
enum node_rc callback_await(struct node_run *r, struct str external_id, struct str entity,
                            int64_t until_us, struct err *e);

enum callback_rc {
    CALLBACK_TAKEN, /* its task is woken up; the caller wakes the engine */
    CALLBACK_KEPT,  /* nobody awaits it yet: kept for a day */
    CALLBACK_FAILED,
};

/*
 * A call-back has come: stored when this returns.
 *
 * body     JSON text.
 * user_id, username  who sent it.
 * Fails with ERR_CONFLICT when one came before, or its task waits no longer.
 */
enum callback_rc callback_put(struct db_conn *c, struct str external_id, struct str body,
                              int64_t user_id, struct str username, struct arena *a, struct err *e);

extern const struct db_stmts callback_stmts;
extern const struct writer_stmt *const callback_writer_stmts[];
extern const size_t callback_writer_stmts_n;

#endif
