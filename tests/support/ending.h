/*
 * How something that was handed to another thread ended: a callback tells, the test looks.
 */
#ifndef SLUICE_TESTS_ENDING_H
#define SLUICE_TESTS_ENDING_H

#include <pthread.h>

#include "base/err.h"

struct ending {
    pthread_mutex_t lock;
    bool done, stored;
    struct err err; /* when it was not stored */
};

void ending_init(struct ending *e);
void ending_release(struct ending *e);
/* The callback; arg: the ending.  Told twice, the test fails. */
void ending_tell(void *arg, const struct err *e);
bool ending_done(struct ending *e);

#endif
