/*
 * Prometheus text: numbers of this process, and counts read from the database at each scrape.
 *
 * Names as documented for the platform (http-api.md 5.25), "reponse" included, beside our own.
 */
#include "metrics.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "base/arena.h"
#include "db/listen.h"

/* name, value rows; a label may stand in the name. */
static const struct db_stmt stmt_counts = {
    "metrics_counts",
    "SELECT 'apio_active_instances_total', count(*) FROM instances WHERE status = 'ACTIVE' "
    "UNION ALL SELECT 'apio_instances_errors', count(*) FROM instances WHERE status = 'ACTIVE' AND cnt_tasks_in_error > 0 "
    "UNION ALL SELECT 'apio_users_total', count(*) FROM users",
    0,
};

static const struct db_stmt *const all[] = {&stmt_counts};
const struct db_stmts metrics_stmts = {"metrics", all, COUNT_OF(all)};

struct metrics {
    struct app *app;
    pthread_t thread;
    int listen_fd;
    int stop_fd;
};

static void gauge(struct buf *out, const char *name, uint64_t value)
{
    buf_addf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void add_counts(struct app *app, struct buf *out, struct arena *a)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct err e = {0};
    bool up = false;

    if (db_get(app->db, &c, &e) == 0 && db_query_in(c, &stmt_counts, DB_NO_ARGS, &res, a, &e) == 0) {
        up = true;
        for (int i = 0; i < PQntuples(res); i++)
            buf_addf(out, "%.*s %lld\n", STR_ARG(db_str(res, i, 0)), (long long)db_int(res, i, 1));
    }
    gauge(out, "sluice_database_up", up);
    db_put(app->db, c);
}

static void render(struct app *app, struct buf *out, struct arena *a)
{
    struct http_server_stats s = http_server_stats(app->server);
    struct writer_stats w = writer_stats(app->writer);
    struct auth_counts callers = auth_counts(app->auth);

    gauge(out, "apio_requests_total", s.requests);
    gauge(out, "sluice_requests_in_flight", s.in_flight);
    gauge(out, "sluice_requests_rejected_total", s.rejected);
    gauge(out, "sluice_requests_failed_total", s.failed);
    gauge(out, "sluice_connections", s.connections);
    gauge(out, "sluice_worker_queue", s.worker_queue);
    gauge(out, "sluice_listening", listener_connected(app->listener));
    gauge(out, "sluice_callers_read_total", callers.read);
    gauge(out, "sluice_callers_joined_total", callers.joined);
    gauge(out, "sluice_writer_items_total", w.items);
    gauge(out, "sluice_writer_batches_total", w.batches);
    gauge(out, "sluice_writer_failed_total", w.failed);
    gauge(out, "sluice_writer_dropped_total", w.dropped);
    gauge(out, "sluice_writer_queue_bytes", w.queued_bytes);
    if (app->more_metrics != NULL)
        app->more_metrics(app, out);
    add_counts(app, out, a);
}

static void send_all(int fd, struct str s)
{
    while (s.len > 0) {
        ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        s = str_slice(s, (size_t)n, s.len);
    }
}

static void answer(struct metrics *m, int fd)
{
    const struct timeval patience = {.tv_sec = 5};
    struct arena *a = arena_new(0);
    char request[4096];
    struct buf body;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (recv(fd, request, sizeof request, 0) > 0) {
        buf_init(&body, 1 * MIB, a);
        render(m->app, &body, a);
        send_all(fd, str_printf(a,
                                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                                "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                                body.len));
        send_all(fd, buf_str(&body));
    }
    arena_free(a);
}

static void *metrics_main(void *arg)
{
    struct metrics *m = arg;

    for (;;) {
        struct pollfd fds[2] = {{.fd = m->listen_fd, .events = POLLIN}, {.fd = m->stop_fd, .events = POLLIN}};
        int fd;

        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents != 0)
            return NULL;
        fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            answer(m, fd);
            close(fd);
        }
    }
}

int metrics_new(struct metrics **out, struct app *app, const char *host, int port, struct err *e)
{
    struct metrics *m = ARENA_NEW(app->a, struct metrics);

    m->app = app;
    if (http_listen_tcp(host, port, &m->listen_fd, e) != 0)
        return -1;
    m->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (m->stop_fd < 0 || pthread_create(&m->thread, NULL, metrics_main, m) != 0) {
        err_set(e, ERR_INTERNAL, "cannot start the metrics thread");
        return -1;
    }
    *out = m;
    return 0;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    eventfd_write(m->stop_fd, 1);
    pthread_join(m->thread, NULL);
    close(m->stop_fd);
    close(m->listen_fd);
}
