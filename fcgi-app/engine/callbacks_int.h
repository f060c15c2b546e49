/*
 * Statements of call-backs, for callbacks.c.
 */
#ifndef SLUICE_ENGINE_CALLBACKS_INT_H
#define SLUICE_ENGINE_CALLBACKS_INT_H

#include "db/writer.h"
#include "engine/callbacks.h"

extern const struct writer_stmt callback_w_free, callback_w_await;
extern const struct db_stmt callback_stmt_find, callback_stmt_take, callback_stmt_keep;

#endif
