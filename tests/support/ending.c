/*
 * Endings that are told once.
 */
#include "support/ending.h"

#include <string.h>

#include "support/cases.h"

void ending_init(struct ending *e)
{
    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
}

void ending_release(struct ending *e)
{
    pthread_mutex_destroy(&e->lock);
}

void ending_tell(void *arg, const struct err *e)
{
    struct ending *end = arg;

    pthread_mutex_lock(&end->lock);
    assert_false(end->done);
    end->done = true;
    end->stored = e == NULL;
    if (e != NULL)
        end->err = *e;
    pthread_mutex_unlock(&end->lock);
}

bool ending_done(struct ending *e)
{
    bool yes;

    pthread_mutex_lock(&e->lock);
    yes = e->done;
    pthread_mutex_unlock(&e->lock);
    return yes;
}
