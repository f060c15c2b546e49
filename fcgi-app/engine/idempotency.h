/*
 * Requests a client may repeat (header Idempotency-Key on custom routes).
 *
 * The same key of the same caller on the same route gets the first answer again for a day; for
 * another request 422; while the first has none yet it waits, then 409 with Retry-After.  An answer
 * that is too large is not kept: 409, which names the run.  Calls block.
 */
#ifndef SLUICE_ENGINE_IDEMPOTENCY_H
#define SLUICE_ENGINE_IDEMPOTENCY_H

#include "base/value.h"
#include "db/writer.h"

struct http_req;
struct principal;
struct run;

enum { KEY_MAX = 255 };

struct request_key {
    int64_t route_id;
    struct str caller, key, digest;
};

/* Sets r->key when the request brings one.  ERR_INVALID for one that is none. */
MUST_CHECK int key_read(struct run *r, struct http_req *req, const struct principal *user,
                        int64_t route_id, struct val request, struct err *e);
enum key_found { KEY_FAILED = -1, KEY_NEW, KEY_ANSWERED };

/*
 * Answer a request whose key is known, waiting up to the time limit of a synchronous request for a
 * first run that has no answer yet.  Otherwise nothing was answered.
 */
MUST_CHECK enum key_found key_replay(struct run *r, struct http_req *req, struct err *e);
/* The key to what acknowledges the run, with its answer where that is known already.  Fails the
 * item with ERR_CONFLICT when somebody else was first. */
void key_add(struct run *r);
/* The answer of the run, unless there is one. */
void key_add_answer(struct run *r);

/* Listed in engine_store.c. */
extern const struct db_stmt key_stmt_find;
extern const struct writer_stmt key_w_expired, key_w_sweep, key_w_insert, key_w_answer;

#endif
