/*
 * Who answers the workflows of it_crash from outside: the courier, who comes back to each call of an
 * async_json_call, early or late and at times twice, and sends the events of entities, and the clerk, who answers questions, at times
 * twice with another answer.
 *
 * Both speak to the cores themselves, by turns, and repeat what got no answer until it has one.  What
 * they were told is handed out for the laws.  Two threads, for as long as the object lives.
 */
#ifndef SLUICE_TESTS_CRASH_OUTSIDE_H
#define SLUICE_TESTS_CRASH_OUTSIDE_H

#include "base/base.h"

struct ledger;
struct outside;

enum outside_kind { OUTSIDE_CALLBACK, OUTSIDE_ANSWER, OUTSIDE_EVENT, OUTSIDE_KINDS };

struct outside_said {
    enum outside_kind kind;
    char guid[40], cell[40]; /* of whom; an event with its entity */
    char what[16];           /* the number in the body; the answer */
    int status;              /* of the answer it got */
    bool unsure;             /* an earlier try got none: it may have been that one */
};

/*
 * sockets  of the cores, as many as `n`.
 * auth     "HTTP_AUTHORIZATION=Bearer ..." of somebody who may answer.
 */
struct outside *outside_new(struct ledger *l, const char *const *sockets, size_t n,
                            const char *auth);
void outside_free(struct outside *o); /* takes NULL */
/* How many things are said and done with; what was said, by number. */
size_t outside_count(struct outside *o);
struct outside_said outside_get(struct outside *o, size_t i);
/* Nothing is under way any more. */
bool outside_idle(struct outside *o);
/* Forget what was said, with the ledger. */
void outside_clear(struct outside *o);

#endif
