/*
 * Instances that take their process down.
 *
 * A claim counts as an attempt, a store as progress.  Who was claimed several times without progress
 * is a suspect: a process holds one of them at a time, so that the count of those that merely ran
 * beside the culprit does not grow with its own, and from there on only starts count (drive.c), not
 * claims of processes that died before they came to it.  After too many attempts the instance is not
 * run again by itself: what would run is in ERROR, for a person to see and to replay.  A task that
 * was being woken keeps what it was woken by: the sender was told that it was taken, so the replay
 * goes on with it.
 */
#include "engine/engine_int.h"

static void block(struct instance *in, struct task *t, int attempts)
{
    struct str text = str_printf(in->a,
                                 "the process running this task died %d times in a row; it is not "
                                 "started again by itself, a replay starts it",
                                 attempts);

    task_touch(in, t, TASK_ERROR);
    instance_error_add(in, t, STR("its process died too often"), text);
    instance_blocked(in, str_printf(in->a, "%.*s: %.*s", STR_ARG(t->cell_name), STR_ARG(text)));
}

/* Tasks parked for a timer that is due: waking them is what would be done. */
static uint32_t block_due(struct instance *in, int attempts, int64_t now_us)
{
    uint32_t n = 0;

    for (struct timer_row *row = in->timers; row != NULL; row = row->next) {
        struct task *t = row->status == TIMER_WAIT && row->at_us <= now_us
                             ? task_find(in, row->task_id)
                             : NULL;

        if (t == NULL || t->status != TASK_WAIT)
            continue;
        row->status = TIMER_CANCEL;
        row->dirty = true;
        in->n_waiting--;
        block(in, t, attempts);
        n++;
    }
    return n;
}

uint32_t poison_block(struct instance *in, int attempts, int64_t now_us)
{
    uint32_t n = 0;

    if (in->status != INSTANCE_ACTIVE)
        return 0;
    instance_tick(in);
    for (uint32_t i = 0; i < in->n_tasks; i++) {
        struct task *t = in->tasks[i];

        if (t->status == TASK_QUEUED) {
            block(in, t, attempts);
            n++;
        }
        if (t->sub != NULL && t->sub->inst != NULL && !t->sub->closed)
            n += poison_block(t->sub->inst, attempts, now_us);
    }
    in->q_head = in->q_tail = 0;
    in->n_ends = 0;
    n += block_due(in, attempts, now_us);
    in->updated_us = in->now_us;
    in->dirty = true;
    return n;
}
