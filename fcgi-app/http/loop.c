/*
 * The event loop: one epoll set, a heap of timers, and a queue of calls from other threads.
 *
 * Knows nothing of connections or requests.  A watch or timer is freed only after the turn in which
 * it was given up, so that an event of the same turn never meets freed memory.
 */
#include "http/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { EVENTS_PER_TURN = 64, SLOTS_MAX = 16, LAST_TURNS = 1000 };

struct loop_watch {
    struct loop *loop;
    int fd; /* -1: given up */
    void (*fn)(void *arg, uint32_t revents);
    void *arg;
    struct loop_watch *next; /* in loop->dead or loop->spare */
};

struct loop_timer {
    struct loop *loop;
    int64_t at_ms;
    size_t at; /* place in the heap; NOT_QUEUED while it fires */
    void (*fn)(void *arg);
    void *arg;
    struct loop_timer *next; /* in loop->spare_timers */
};

#define NOT_QUEUED SIZE_MAX

struct call {
    void (*fn)(void *arg);
    void *arg;
};

struct calls {
    struct call *items;
    size_t n, cap;
};

struct slot {
    const void *key;
    void *value;
    void (*fn)(void *value);
};

struct loop {
    int epfd;
    int wakefd;
    int64_t now_ms;
    atomic_bool stopping;
    atomic_bool woken; /* the eventfd holds a count that was not read yet */
    struct loop_watch *dead;
    struct loop_watch *spare;
    struct loop_timer **heap;
    size_t n_timers, cap_timers;
    struct loop_timer *firing;
    struct loop_timer *spare_timers;
    pthread_mutex_t lock; /* posted */
    struct calls posted;
    struct calls running; /* swapped with posted, loop thread only */
    struct slot slots[SLOTS_MAX];
    size_t n_slots;
};

/* The loop the calling thread runs; what loop_is_current() needs without a lock. */
static _Thread_local const struct loop *current;

static void *must(void *p)
{
    if (p == NULL)
        abort(); /* out of memory: the supervisor restarts us */
    return p;
}

/* ---- watches --------------------------------------------------------------------------------- */

static bool epoll_change(struct loop_watch *w, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};

    return epoll_ctl(w->loop->epfd, op, w->fd, &ev) == 0;
}

struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events,
                              void (*fn)(void *arg, uint32_t revents), void *arg)
{
    struct loop_watch *w = l->spare;

    if (w != NULL)
        l->spare = w->next;
    else
        w = must(malloc(sizeof(*w)));
    *w = (struct loop_watch){.loop = l, .fd = fd, .fn = fn, .arg = arg};
    if (!epoll_change(w, EPOLL_CTL_ADD, events))
        log_error("loop.watch", "fd=%d errno=%d", fd, errno);
    return w;
}

void loop_watch_mod(struct loop_watch *w, uint32_t events)
{
    if (!epoll_change(w, EPOLL_CTL_MOD, events))
        log_error("loop.watch_mod", "fd=%d errno=%d", w->fd, errno);
}

void loop_unwatch(struct loop_watch *w)
{
    if (w == NULL)
        return;
    (void)epoll_change(w, EPOLL_CTL_DEL, 0);
    w->fd = -1;
    w->next = w->loop->dead;
    w->loop->dead = w;
}

static void bury_watches(struct loop *l)
{
    while (l->dead != NULL) {
        struct loop_watch *w = l->dead;

        l->dead = w->next;
        w->next = l->spare;
        l->spare = w;
    }
}

/* ---- timers: a binary heap by due time ------------------------------------------------------- */

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
    l->heap[at] = t;
    t->at = at;
}

static void heap_up(struct loop *l, size_t at, struct loop_timer *t)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (l->heap[parent]->at_ms <= t->at_ms)
            break;
        heap_put(l, at, l->heap[parent]);
        at = parent;
    }
    heap_put(l, at, t);
}

static void heap_down(struct loop *l, size_t at, struct loop_timer *t)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= l->n_timers)
            break;
        if (child + 1 < l->n_timers && l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
            child++;
        if (t->at_ms <= l->heap[child]->at_ms)
            break;
        heap_put(l, at, l->heap[child]);
        at = child;
    }
    heap_put(l, at, t);
}

static void heap_add(struct loop *l, struct loop_timer *t)
{
    if (l->n_timers == l->cap_timers) {
        l->cap_timers = l->cap_timers == 0 ? 32 : 2 * l->cap_timers;
        l->heap = must(realloc(l->heap, l->cap_timers * sizeof(struct loop_timer *)));
    }
    heap_up(l, l->n_timers++, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
    struct loop_timer *last = l->heap[--l->n_timers];
    size_t at = t->at;

    t->at = NOT_QUEUED;
    if (last == t)
        return;
    if (at > 0 && l->heap[(at - 1) / 2]->at_ms > last->at_ms)
        heap_up(l, at, last);
    else
        heap_down(l, at, last);
}

static void timer_free(struct loop_timer *t)
{
    t->next = t->loop->spare_timers;
    t->loop->spare_timers = t;
}

struct loop_timer *loop_timer(struct loop *l, int64_t ms, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *t = l->spare_timers;

    if (t != NULL)
        l->spare_timers = t->next;
    else
        t = must(malloc(sizeof(*t)));
    *t = (struct loop_timer){.loop = l, .at_ms = l->now_ms + ms, .fn = fn, .arg = arg};
    heap_add(l, t);
    return t;
}

void loop_timer_cancel(struct loop_timer *t)
{
    if (t == NULL)
        return;
    if (t->at != NOT_QUEUED)
        heap_remove(t->loop, t);
    if (t->loop->firing == t)
        t->loop->firing = NULL; /* inside its own callback: nothing is left to free there */
    timer_free(t);
}

void loop_timer_again(struct loop_timer *t, int64_t ms)
{
    if (t->at != NOT_QUEUED)
        heap_remove(t->loop, t);
    t->at_ms = t->loop->now_ms + ms;
    heap_add(t->loop, t);
}

static void fire_timers(struct loop *l)
{
    while (l->n_timers > 0 && l->heap[0]->at_ms <= l->now_ms) {
        struct loop_timer *t = l->heap[0];

        heap_remove(l, t);
        l->firing = t;
        t->fn(t->arg);
        if (l->firing == t && t->at == NOT_QUEUED)
            timer_free(t);
        l->firing = NULL;
    }
}

/* Milliseconds until the next timer for epoll_wait, -1 = none. */
static int next_timeout(const struct loop *l)
{
    int64_t ms;

    if (l->n_timers == 0)
        return -1;
    ms = l->heap[0]->at_ms - l->now_ms;
    if (ms <= 0)
        return 0;
    return ms > 60000 ? 60000 : (int)ms;
}

/* ---- calls from elsewhere ---------------------------------------------------------------------
 */

static void wake(struct loop *l)
{
    uint64_t one = 1;

    if (atomic_exchange(&l->woken, true))
        return;
    while (write(l->wakefd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&l->lock);
    if (l->posted.n == l->posted.cap) {
        l->posted.cap = l->posted.cap == 0 ? 32 : 2 * l->posted.cap;
        l->posted.items = must(realloc(l->posted.items, l->posted.cap * sizeof(struct call)));
    }
    l->posted.items[l->posted.n++] = (struct call){fn, arg};
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

/* One batch: what the calls themselves post waits for the next turn. */
static bool run_posted(struct loop *l)
{
    struct calls batch;

    pthread_mutex_lock(&l->lock);
    batch = l->posted;
    l->posted = l->running;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < batch.n; i++)
        batch.items[i].fn(batch.items[i].arg);
    l->running = (struct calls){batch.items, 0, batch.cap};
    return batch.n > 0;
}

static void on_wake(struct loop *l)
{
    uint64_t count;

    while (read(l->wakefd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
    /* Before the queue is looked at: a later post must write again. */
    atomic_store(&l->woken, false);
    (void)run_posted(l);
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

struct loop *loop_new(void)
{
    struct loop *l = must(calloc(1, sizeof(*l)));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epfd < 0 || l->wakefd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) != 0) {
        log_error("loop.new", "errno=%d", errno);
        abort();
    }
    pthread_mutex_init(&l->lock, NULL);
    l->now_ms = clock_mono_ms(&clock_system);
    return l;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    for (size_t i = l->n_slots; i-- > 0;) {
        if (l->slots[i].fn != NULL && l->slots[i].value != NULL)
            l->slots[i].fn(l->slots[i].value);
    }
    bury_watches(l);
    while (l->spare != NULL) {
        struct loop_watch *w = l->spare;

        l->spare = w->next;
        free(w);
    }
    for (size_t i = 0; i < l->n_timers; i++)
        free(l->heap[i]);
    while (l->spare_timers != NULL) {
        struct loop_timer *t = l->spare_timers;

        l->spare_timers = t->next;
        free(t);
    }
    free(l->heap);
    free(l->posted.items);
    free(l->running.items);
    pthread_mutex_destroy(&l->lock);
    close(l->wakefd);
    close(l->epfd);
    free(l);
}

static void turn(struct loop *l)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(l->epfd, events, EVENTS_PER_TURN, next_timeout(l));

    l->now_ms = clock_mono_ms(&clock_system);
    for (int i = 0; i < n; i++) {
        struct loop_watch *w = events[i].data.ptr;

        if (w == NULL)
            on_wake(l);
        else if (w->fd >= 0)
            w->fn(w->arg, events[i].events);
    }
    fire_timers(l);
    bury_watches(l);
}

void loop_run(struct loop *l)
{
    current = l;
    while (!atomic_load(&l->stopping))
        turn(l);
    /* What was posted before the stop still runs: closing connections, giving things back. */
    for (int i = 0; i < LAST_TURNS && run_posted(l); i++)
        ;
    bury_watches(l);
    current = NULL;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    wake(l);
}

bool loop_is_current(const struct loop *l)
{
    return current == l;
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

void *loop_slot(struct loop *l, const void *key)
{
    for (size_t i = 0; i < l->n_slots; i++) {
        if (l->slots[i].key == key)
            return l->slots[i].value;
    }
    return NULL;
}

void loop_slot_set(struct loop *l, const void *key, void *value, void (*fn)(void *value))
{
    struct slot *s = NULL;

    for (size_t i = 0; i < l->n_slots && s == NULL; i++) {
        if (l->slots[i].key == key)
            s = &l->slots[i];
    }
    if (s == NULL) {
        if (l->n_slots == SLOTS_MAX)
            abort(); /* a program has a handful, known when it is written */
        s = &l->slots[l->n_slots++];
    }
    *s = (struct slot){key, value, fn};
}
