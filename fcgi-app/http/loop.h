/*
 * An event loop: epoll, timers, and calls posted from other threads.  One thread each.
 */
#ifndef SLUICE_HTTP_LOOP_H
#define SLUICE_HTTP_LOOP_H

#include "base/base.h"

struct loop;
struct loop_watch;
struct loop_timer;

/* A loop without a thread: whoever calls loop_run() lends his. */
struct loop *loop_new(void);
/* After loop_run() has returned; frees the slots.  Takes NULL. */
void loop_free(struct loop *l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* any thread */

/* Watch a descriptor; events and revents are EPOLLIN, EPOLLOUT... (level-triggered unless EPOLLET
 * is given). Loop thread only. */
struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events,
                              void (*fn)(void *arg, uint32_t revents), void *arg);
void loop_watch_mod(struct loop_watch *w, uint32_t events);
/* Also right inside its own callback; takes NULL.  Does not close the descriptor: unwatch first,
 * then close. */
void loop_unwatch(struct loop_watch *w);

/* Call fn(arg) once after `ms`.  Loop thread only. */
struct loop_timer *loop_timer(struct loop *l, int64_t ms, void (*fn)(void *arg), void *arg);
void loop_timer_cancel(struct loop_timer *t);            /* takes NULL; not after it fired */
void loop_timer_again(struct loop_timer *t, int64_t ms); /* move it */

/* Run fn(arg) on the loop's thread; any thread, never blocks. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
bool loop_is_current(const struct loop *l);
/* Monotonic milliseconds, read once per turn. */
int64_t loop_now_ms(const struct loop *l);
/* A slot for what belongs to one loop (an upstream pool, say); freed with fn when the loop ends. */
void *loop_slot(struct loop *l, const void *key);
void loop_slot_set(struct loop *l, const void *key, void *value, void (*fn)(void *value));

#endif
