/*
 * The wire: one thread that copies bytes between pairs of sockets.
 */
#include "support/wire.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS = 128 };

struct wire {
    struct sockaddr_un at, to;
    int fd, wake[2];
    int pairs[PAIRS][2]; /* the program's end, the server's; -1: free */
    pthread_t thread;
    pthread_mutex_t lock; /* the rest */
    bool cut, held, stop;
};

static bool set_path(struct sockaddr_un *a, const char *path)
{
    a->sun_family = AF_UNIX;
    return snprintf(a->sun_path, sizeof a->sun_path, "%s", path) < (int)sizeof a->sun_path;
}

static void drop(struct wire *w, int i)
{
    for (int side = 0; side < 2; side++) {
        if (w->pairs[i][side] >= 0)
            close(w->pairs[i][side]);
        w->pairs[i][side] = -1;
    }
}

static void take(struct wire *w)
{
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC), i = 0, to;

    if (fd < 0)
        return;
    while (i < PAIRS && w->pairs[i][0] >= 0)
        i++;
    to = i < PAIRS ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (to < 0 || connect(to, (const struct sockaddr *)&w->to, sizeof w->to) != 0) {
        if (to >= 0)
            close(to);
        close(fd);
        return;
    }
    w->pairs[i][0] = fd;
    w->pairs[i][1] = to;
}

/* What has arrived at one end goes out at the other. */
static void copy(struct wire *w, int i, int side)
{
    char bytes[16 * 1024];
    ssize_t n = recv(w->pairs[i][side], bytes, sizeof bytes, MSG_DONTWAIT), sent = 0;

    while (n > 0 && sent < n) {
        ssize_t got = send(w->pairs[i][1 - side], bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);

        if (got <= 0) {
            n = 0;
            break;
        }
        sent += got;
    }
    if (n <= 0)
        drop(w, i);
}

static bool orders(struct wire *w, bool *held)
{
    bool cut, stop;

    pthread_mutex_lock(&w->lock);
    cut = w->cut;
    w->cut = false;
    stop = w->stop;
    *held = w->held;
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; cut && i < PAIRS; i++)
        drop(w, i);
    return !stop;
}

static void *run(void *arg)
{
    struct wire *w = arg;
    bool held;

    while (orders(w, &held)) {
        struct pollfd p[2 + 2 * PAIRS] = {{w->wake[0], POLLIN, 0}, {w->fd, POLLIN, 0}};
        int of[2 * PAIRS];
        nfds_t n = 2;
        char c;

        for (int i = 0; i < PAIRS && !held; i++)
            for (int side = 0; side < 2 && w->pairs[i][0] >= 0; side++) {
                of[n - 2] = i * 2 + side;
                p[n++] = (struct pollfd){w->pairs[i][side], POLLIN, 0};
            }
        if (poll(p, n, -1) < 0)
            continue;
        if (p[0].revents != 0 && read(w->wake[0], &c, 1) < 0)
            abort();
        for (nfds_t k = 2; k < n; k++)
            if (p[k].revents != 0 && w->pairs[of[k - 2] / 2][0] >= 0)
                copy(w, of[k - 2] / 2, of[k - 2] % 2);
        if (p[1].revents != 0)
            take(w);
    }
    return NULL;
}

static void order(struct wire *w, bool cut, bool held, bool stop)
{
    pthread_mutex_lock(&w->lock);
    w->cut = w->cut || cut;
    w->held = held;
    w->stop = stop;
    pthread_mutex_unlock(&w->lock);
    if (write(w->wake[1], "x", 1) != 1)
        abort();
}

struct wire *wire_new(const char *listen_path, const char *target_path)
{
    struct wire *w = calloc(1, sizeof *w);

    if (w == NULL || !set_path(&w->at, listen_path) || !set_path(&w->to, target_path))
        abort();
    for (int i = 0; i < PAIRS; i++)
        w->pairs[i][0] = w->pairs[i][1] = -1;
    (void)unlink(listen_path);
    w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0 || bind(w->fd, (const struct sockaddr *)&w->at, sizeof w->at) != 0 ||
        chmod(listen_path, 0666) != 0 || listen(w->fd, 128) != 0 || pipe(w->wake) != 0)
        abort();
    pthread_mutex_init(&w->lock, NULL);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        abort();
    return w;
}

void wire_cut(struct wire *w)
{
    order(w, true, w->held, false);
}

void wire_hold(struct wire *w, bool hold)
{
    order(w, !hold, hold, false);
}

void wire_free(struct wire *w)
{
    if (w == NULL)
        return;
    order(w, true, false, true);
    pthread_join(w->thread, NULL);
    for (int i = 0; i < PAIRS; i++)
        drop(w, i);
    close(w->fd);
    close(w->wake[0]);
    close(w->wake[1]);
    (void)unlink(w->at.sun_path);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
