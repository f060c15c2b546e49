/*
 * The pool for what can only block: bounded threads, bounded queue, first come first served.
 *
 * Threads start when there is work for them, so an idle process has none.
 */
#include "http/http_int.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t ended;
    pthread_attr_t attr;
    struct job *ring;
    size_t cap, head, n;
    int max_threads, n_threads, n_idle;
    bool stopping;
};

struct workers *workers_new(int max_threads, int max_queue)
{
    struct workers *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    w->max_threads = max_threads;
    w->cap = (size_t)max_queue;
    w->ring = calloc(w->cap, sizeof(*w->ring));
    if (w->ring == NULL)
        abort();
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    clock_cond_init(&w->ended);
    pthread_attr_init(&w->attr);
    pthread_attr_setdetachstate(&w->attr, PTHREAD_CREATE_DETACHED);
    return w;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct job job;

        while (w->n == 0 && !w->stopping) {
            w->n_idle++;
            pthread_cond_wait(&w->work, &w->lock);
            w->n_idle--;
        }
        if (w->n == 0)
            break;
        job = w->ring[w->head];
        w->head = (w->head + 1) % w->cap;
        w->n--;
        pthread_mutex_unlock(&w->lock);
        job.fn(job.arg);
        pthread_mutex_lock(&w->lock);
    }
    /* who waits for the end may leave the process before this thread is quite gone */
    OPENSSL_thread_stop();
    w->n_threads--;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* With the lock held.  Signals stay with the main thread. */
static void start_thread(struct workers *w)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &w->attr, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        w->n_threads++;
    else
        log_error("http.worker", "cannot start a thread, errno=%d", rc);
}

int workers_add(struct workers *w, void (*fn)(void *arg), void *arg)
{
    int rc = -1;

    pthread_mutex_lock(&w->lock);
    if (w->n < w->cap) {
        w->ring[(w->head + w->n) % w->cap] = (struct job){fn, arg};
        w->n++;
        if ((size_t)w->n_idle < w->n && w->n_threads < w->max_threads)
            start_thread(w);
        pthread_cond_signal(&w->work);
        rc = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

size_t workers_queued(struct workers *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->n;
    pthread_mutex_unlock(&w->lock);
    return n;
}

bool workers_stop(struct workers *w, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
                             .tv_nsec = (long)(deadline_ms % 1000) * 1000000L};
    bool all;

    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    while (w->n_threads > 0 && clock_mono_ms(&clock_system) < deadline_ms)
        (void)pthread_cond_timedwait(&w->ended, &w->lock, &until);
    all = w->n_threads == 0;
    pthread_mutex_unlock(&w->lock);
    return all;
}

void workers_free(struct workers *w)
{
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->ended);
    pthread_attr_destroy(&w->attr);
    free(w->ring);
    free(w);
}
