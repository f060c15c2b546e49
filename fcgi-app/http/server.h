/*
 * The FastCGI server: listening, loops, workers, graceful stop (DESIGN 2).
 *
 * One epoll set per loop owns the shared listening socket and the idle connections, one-shot; a
 * readable one is parsed by libfcgi, answered with FCGI records of our own in one write when the
 * socket takes it, and armed again.
 */
#ifndef SLUICE_HTTP_SERVER_H
#define SLUICE_HTTP_SERVER_H

#include "base/ip_net.h"
#include "http/request.h"

typedef void http_handler(struct http_req *r, void *ctx);

struct http_server_opts {
    int listen_fd; /* from http_listen_*(); the server closes it when it stops, so that peers turn
                      to others */
    int loops;     /* 0 = one per core */
    int workers;   /* 0 = 16 */
    int max_in_flight;  /* requests being worked on, 0 = 4096; beyond: 503 */
    int worker_queue;   /* waiting for a worker, 0 = 1024; beyond: 503 */
    size_t max_body;    /* 0 = LIMIT_BODY; larger: 413 */
    bool stream_bodies; /* hand over bodies above LIMIT_BODY_INLINE unread (r->body_pending) instead
                           of reading them on a worker first */
    bool (*stream_this)(const struct http_req *r); /* the same for single requests; may be NULL */
    int64_t drain_ms;   /* how long a stop waits for what is in flight, 0 = 30 s */
    int64_t part_ms;    /* how long a stop leaves idle connections open, for the request a peer may just be
                           sending, 0 = 200 ms */
    int64_t hold_ms;    /* nobody is let in before http_server_open() or for that long: who comes
                           waits in the queue of the socket, or is taken by another process on it */
    struct ip_nets trusted; /* peers whose X-Forwarded-For counts; borrowed */
};

struct http_server;

/* fd 0 when it is a listening socket (spawn-fcgi, supervisord, systemd), else -1. */
int http_listen_inherited(void);
MUST_CHECK int http_listen_unix(const char *path, unsigned mode, int *fd, struct err *e);
/* "cannot listen on 0.0.0.0:5000: address in use ..." (migration.md 5.2) */
MUST_CHECK int http_listen_tcp(const char *host, int port, int *fd, struct err *e);

/* The handler runs on a loop (r->on_worker false) and must not block, or on a worker. */
struct http_server *http_server_new(const struct http_server_opts *o, http_handler *handler,
                                    void *ctx);
/* Serve until http_server_stop(); then finishes what is in flight.  Returns 0, or -1 with
 * ERR_INTERNAL. */
MUST_CHECK int http_server_run(struct http_server *s, struct err *e);
/* End what hold_ms asks for; any thread, any number of times. */
void http_server_open(struct http_server *s);
/* Async-signal-safe. */
void http_server_stop(struct http_server *s);
void http_server_free(struct http_server *s);
/* Replace the handler (starting: answers 503; then the real one).  Any thread. */
void http_server_handler(struct http_server *s, http_handler *handler, void *ctx);

struct http_server_stats {
    uint64_t requests, in_flight, connections, worker_queue, rejected;
    uint64_t failed; /* answered with a status of 500 or above */
};
/* Numbers for metrics; any thread. */
struct http_server_stats http_server_stats(const struct http_server *s);
/* Loop i of http_server_n_loops(). */
struct loop *http_server_loop(struct http_server *s, int i);
/* How many loops the server runs. */
int http_server_n_loops(const struct http_server *s);
/* Run fn(arg) on a worker outside any request; -1 when the queue is full. */
MUST_CHECK int http_server_work(struct http_server *s, void (*fn)(void *arg), void *arg);

#endif
