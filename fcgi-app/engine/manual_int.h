/*
 * Statements of manual actions, shared by manual.c and manual_answer.c.
 */
#ifndef SLUICE_ENGINE_MANUAL_INT_H
#define SLUICE_ENGINE_MANUAL_INT_H

#include "db/writer.h"
#include "engine/manual.h"

extern const struct writer_stmt manual_w_ask, manual_w_token, manual_w_unused;
extern const struct db_stmt manual_stmt_find, manual_stmt_token, manual_stmt_answer,
    manual_stmt_use;

/* SHA-256 of a token, living in `a`. */
struct str manual_digest(struct str token, struct arena *a);

#endif
