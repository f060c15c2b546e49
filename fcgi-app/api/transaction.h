/*
 * Finding the transaction (instance of a workflow) a path names, for all resources below it.
 */
#ifndef SLUICE_API_TRANSACTION_H
#define SLUICE_API_TRANSACTION_H

#include "api/api.h"

struct transaction {
    int64_t id;
    struct str on;   /* created_on as text: the partition */
    int64_t user_id; /* of its owner, 0 = none */
    struct str guid;
    bool active;
};

/* The instance of the first placeholder, which may be a number or a guid.  ERR_NOT_FOUND. */
MUST_CHECK int transaction_find(struct api_call *c, struct transaction *t, struct err *e);
/* Whether the caller may see it: his own, or those of others with the right to; ERR_FORBIDDEN. */
MUST_CHECK int transaction_seen(const struct api_call *c, const struct transaction *t, struct err *e);
/* Both. */
MUST_CHECK int transaction_open(struct api_call *c, struct transaction *t, struct err *e);
/* Answer a statement over the instance ($1 id, $2 created_on) whose only column is the answer. */
MUST_CHECK int transaction_answer(struct api_call *c, const struct db_stmt *s, struct err *e);

extern const struct db_stmts api_transaction_stmts;

#endif
