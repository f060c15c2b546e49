/*
 * Statements of events of entities, for entity.c.
 */
#ifndef SLUICE_ENGINE_ENTITY_INT_H
#define SLUICE_ENGINE_ENTITY_INT_H

#include "db/writer.h"

/* id of the event, its status, what came of it */
extern const struct writer_stmt entity_w_done;
/* id of an instance that closes */
extern const struct writer_stmt entity_w_close;
#define ENTITY_UNUSED "the transaction closed before the event was taken up"
extern const struct writer_stmt *const entity_writer_stmts[];
extern const size_t entity_writer_stmts_n;

#endif
