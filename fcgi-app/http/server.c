/*
 * The server as a whole: loops, workers, start and graceful stop.
 */
#include "http/http_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/feed.h"

enum { WORKERS = 16, IN_FLIGHT = 4096, WORKER_QUEUE = 1024, DRAIN_MS = 30000, PART_MS = 200 };

/* libfcgi takes over three signals; ours must stand whoever comes first. */
static int init_libfcgi(void)
{
    static const int signals[] = {SIGPIPE, SIGUSR1, SIGTERM};
    struct sigaction before[COUNT_OF(signals)];
    int rc;

    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)sigaction(signals[i], NULL, &before[i]);
    rc = FCGX_Init();
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)sigaction(signals[i], &before[i], NULL);
    if (rc == 0 && !feed_works()) {
        log_error("http.libfcgi", "why=" LOG_Q, "this build of libfcgi does not let a program replace OS_Read of fcgios.h");
        rc = -1;
    }
    return rc;
}

static void set_defaults(struct http_server_opts *o)
{
    if (o->loops <= 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);

        o->loops = cores < 1 ? 1 : cores > 64 ? 64 : (int)cores;
    }
    if (o->workers <= 0)
        o->workers = WORKERS;
    if (o->max_in_flight <= 0)
        o->max_in_flight = IN_FLIGHT;
    if (o->worker_queue <= 0)
        o->worker_queue = WORKER_QUEUE;
    if (o->max_body == 0)
        o->max_body = LIMIT_BODY;
    if (o->drain_ms <= 0)
        o->drain_ms = DRAIN_MS;
    if (o->part_ms <= 0)
        o->part_ms = PART_MS;
}

/* An inherited socket usually waits in accept(), where a loop must not stay when another process
 * was faster. */
static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        log_error("http.listen", "errno=%d", errno);
}

static void home_init(struct home *h, struct http_server *s)
{
    h->server = s;
    h->loop = loop_new();
    if (getrandom(h->random, sizeof(h->random), 0) != (ssize_t)sizeof(h->random)) {
        h->random[0] = (uint64_t)clock_wall_us(&clock_system);
        h->random[1] = (uint64_t)(uintptr_t)h;
    }
    h->random[0] |= 1; /* the generator must not start from zero */
}

struct http_server *http_server_new(const struct http_server_opts *o, http_handler *handler,
                                    void *ctx)
{
    struct http_server *s = calloc(1, sizeof(*s));

    if (s == NULL || init_libfcgi() != 0)
        abort();
    s->o = *o;
    set_defaults(&s->o);
    s->n_homes = s->o.loops;
    s->homes = calloc((size_t)s->n_homes, sizeof(*s->homes));
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->homes == NULL || s->stop_fd < 0)
        abort();
    set_nonblocking(s->o.listen_fd);
    pthread_mutex_init(&s->handler_lock, NULL);
    for (int i = 0; i < s->n_homes; i++)
        home_init(&s->homes[i], s);
    s->workers = workers_new(s->o.workers, s->o.worker_queue);
    http_server_handler(s, handler, ctx);
    return s;
}

void http_server_handler(struct http_server *s, http_handler *handler, void *ctx)
{
    struct handler *h = malloc(sizeof(*h));

    if (h == NULL)
        abort();
    pthread_mutex_lock(&s->handler_lock);
    *h = (struct handler){handler, ctx, atomic_load(&s->handler)};
    atomic_store(&s->handler, h);
    pthread_mutex_unlock(&s->handler_lock);
}

void http_server_free(struct http_server *s)
{
    if (s == NULL || s->workers == NULL)
        return; /* without workers: threads were left behind at the stop, and use it until the
                   process ends */
    for (int i = 0; i < s->n_homes; i++)
        home_free(&s->homes[i]);
    if (!atomic_load(&s->stopping))
        close(s->o.listen_fd);
    for (int i = 0; i < s->n_homes; i++)
        loop_free(s->homes[i].loop);
    workers_free(s->workers);
    for (struct handler *h = atomic_load(&s->handler), *next; h != NULL; h = next) {
        next = h->next;
        free(h);
    }
    pthread_mutex_destroy(&s->handler_lock);
    close(s->stop_fd);
    free(s->homes);
    free(s);
}

/* ---- running ------------------------------------------------------------------------------------
 */

static void stop_home(void *arg)
{
    home_stop(arg);
}

static void drain_over(void *arg)
{
    struct http_server *s = arg;

    log_warn("http.drain", "in_flight=%zu why=" LOG_Q, atomic_load(&s->in_flight),
             "requests were not finished in time");
    for (int i = 0; i < s->n_homes; i++)
        loop_stop(s->homes[i].loop);
}

static void begin_stop(void *arg, uint32_t revents)
{
    struct http_server *s = arg;

    (void)revents;
    loop_unwatch(s->stop_watch);
    s->stop_watch = NULL;
    atomic_store(&s->stopping, true);
    (void)loop_timer(s->homes[0].loop, s->o.drain_ms, drain_over, s);
    for (int i = 0; i < s->n_homes; i++)
        loop_post(s->homes[i].loop, stop_home, &s->homes[i]);
}

static void open_home(void *arg)
{
    home_listen(arg);
}

void http_server_open(struct http_server *s)
{
    for (int i = 0; i < s->n_homes; i++)
        loop_post(s->homes[i].loop, open_home, &s->homes[i]);
}

static void hold_over(void *arg)
{
    http_server_open(arg);
}

static void *home_main(void *arg)
{
    struct home *h = arg;

    loop_run(h->loop);
    return NULL;
}

/* Loop 0 runs on the caller; signals stay with it too. */
static int start_threads(struct http_server *s, struct err *e)
{
    sigset_t all, before;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 1; i < s->n_homes && rc == 0; i++) {
        rc = pthread_create(&s->homes[i].thread, NULL, home_main, &s->homes[i]);
        s->homes[i].has_thread = rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return 0;
    err_set(e, ERR_INTERNAL, "cannot start a thread: %s", strerror(rc));
    return -1;
}

static void join_threads(struct http_server *s)
{
    for (int i = 1; i < s->n_homes; i++) {
        if (!s->homes[i].has_thread)
            continue;
        pthread_join(s->homes[i].thread, NULL);
        s->homes[i].has_thread = false;
    }
}

int http_server_run(struct http_server *s, struct err *e)
{
    int64_t grace_ms = 1000; /* for workers, once every connection is closed */
    int rc;

    atomic_store(&s->homes_left, s->n_homes);
    atomic_store(&s->listening, s->n_homes);
    s->stop_watch = loop_watch(s->homes[0].loop, s->stop_fd, EPOLLIN, begin_stop, s);
    if (s->o.hold_ms > 0)
        (void)loop_timer(s->homes[0].loop, s->o.hold_ms, hold_over, s);
    else
        http_server_open(s);
    rc = start_threads(s, e);
    if (rc == 0)
        loop_run(s->homes[0].loop);
    for (int i = 0; i < s->n_homes; i++)
        loop_stop(s->homes[i].loop);
    join_threads(s);
    if (!workers_stop(s->workers, clock_mono_ms(&clock_system) + grace_ms)) {
        log_warn("http.drain", "why=" LOG_Q, "workers are still busy, leaving them behind");
        s->workers = NULL;
    }
    return rc;
}

void http_server_stop(struct http_server *s)
{
    uint64_t one = 1;
    int saved = errno;

    if (write(s->stop_fd, &one, sizeof(one)) < 0) {
        /* the counter is full: it was asked to stop before */
    }
    errno = saved;
}

/* ---- for the rest of the program
 * ----------------------------------------------------------------- */

struct http_server_stats http_server_stats(const struct http_server *s)
{
    struct http_server_stats st = {.in_flight = atomic_load(&s->in_flight)};

    for (int i = 0; i < s->n_homes; i++) {
        st.requests += atomic_load(&s->homes[i].requests);
        st.rejected += atomic_load(&s->homes[i].rejected);
        st.failed += atomic_load(&s->homes[i].failed);
        st.connections += atomic_load(&s->homes[i].n_conns);
    }
    if (s->workers != NULL)
        st.worker_queue = workers_queued(s->workers);
    return st;
}

struct loop *http_server_loop(struct http_server *s, int i)
{
    return s->homes[i].loop;
}

int http_server_n_loops(const struct http_server *s)
{
    return s->n_homes;
}

int http_server_work(struct http_server *s, void (*fn)(void *arg), void *arg)
{
    return workers_add(s->workers, fn, arg);
}
