/*
 * Latency at a fixed rate: requests leave at their time whether or not the ones before were answered, and their latency counts from
 * the time they were due, so that a server that stalls cannot hide it.
 *
 *   bench_rate PORT PATH RATE SECONDS CONNECTIONS [HEADER]
 *
 * Prints "requests errors p50_ms p99_ms max_ms".  RATE 0: one request on each connection, all at once; then the figures of those.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 16 * 1024, EVENTS = 256 };

struct line {
    int fd;
    int busy;
    int64_t due_us;
    size_t len;
    char in[IN_MAX];
};

static char request[8192];
static size_t request_len;
static int64_t *took;
static size_t n_took, cap_took, errors;

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void open_line(struct line *l, int port, int ep)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    int one = 1;

    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        perror("bench_rate: connect");
        exit(1);
    }
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)epoll_ctl(ep, EPOLL_CTL_ADD, l->fd, &ev);
    l->busy = 0;
    l->len = 0;
}

static void begin(struct line *l, int64_t due_us)
{
    l->busy = 1;
    l->due_us = due_us;
    l->len = 0;
    if (send(l->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        errors++;
}

/* Is the answer complete?  Lengths only; nginx sends no others here. */
static int complete(const struct line *l)
{
    const char *end = memmem(l->in, l->len, "\r\n\r\n", 4), *at;

    if (end == NULL)
        return 0;
    at = strcasestr(l->in, "\r\ncontent-length:");
    if (at == NULL || at > end)
        return memmem(end, l->len - (size_t)(end - l->in), "\r\n0\r\n\r\n", 7) != NULL;
    return l->len >= (size_t)(end + 4 - l->in) + strtoul(at + 17, NULL, 10);
}

static void on_bytes(struct line *l, int port, int ep)
{
    ssize_t n = recv(l->fd, l->in + l->len, IN_MAX - 1 - l->len, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || l->len + (size_t)n >= IN_MAX - 1) {
        errors += l->busy != 0;
        close(l->fd);
        open_line(l, port, ep);
        return;
    }
    l->len += (size_t)n;
    l->in[l->len] = '\0';
    if (!complete(l))
        return;
    errors += strncmp(l->in, "HTTP/1.1 200", 12) != 0;
    if (n_took < cap_took)
        took[n_took++] = now_us() - l->due_us;
    l->busy = 0;
}

static int by_size(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int port = argc > 5 ? (int)strtol(argv[1], NULL, 10) : 0, ep = epoll_create1(EPOLL_CLOEXEC);
    double rate = argc > 5 ? strtod(argv[3], NULL) : 0, seconds = argc > 5 ? strtod(argv[4], NULL) : 0;
    size_t n = argc > 5 ? (size_t)strtoul(argv[5], NULL, 10) : 0, sent = 0, total, turn = 0;
    struct line *lines = calloc(n + 1, sizeof *lines);
    int64_t start, last;

    if (n == 0 || lines == NULL) {
        fprintf(stderr, "usage: bench_rate PORT PATH RATE SECONDS CONNECTIONS [HEADER]\n");
        return 2;
    }
    request_len = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n%s%s\r\n", argv[2], argc > 6 ? argv[6] : "",
                                   argc > 6 ? "\r\n" : "");
    total = rate > 0 ? (size_t)(rate * seconds) : n;
    cap_took = total;
    took = calloc(total + 1, sizeof *took);
    for (size_t i = 0; i < n; i++)
        open_line(&lines[i], port, ep);
    start = now_us();
    last = start + (int64_t)(seconds * 1e6) + 10000000;
    while (n_took + errors < total && now_us() < last) {
        int got;

        while (sent < total && (rate <= 0 || now_us() >= start + (int64_t)((double)sent * 1e6 / rate))) {
            size_t tried = 0;

            while (lines[turn].busy && tried++ < n)
                turn = (turn + 1) % n;
            if (lines[turn].busy)
                break; /* all are: it is late, and counts as such */
            begin(&lines[turn], rate > 0 ? start + (int64_t)((double)sent * 1e6 / rate) : now_us());
            sent++;
        }
        got = epoll_wait(ep, events, EVENTS, rate > 0 && sent < total ? 0 : 50);
        for (int i = 0; i < got; i++)
            on_bytes(events[i].data.ptr, port, ep);
        if (got == 0 && rate > 0 && sent < total) {
            struct timespec moment = {.tv_nsec = 50000};

            nanosleep(&moment, NULL);
        }
    }
    qsort(took, n_took, sizeof *took, by_size);
    if (n_took == 0)
        return 1;
    printf("%zu %zu %.3f %.3f %.3f\n", n_took, errors + (total - n_took), (double)took[n_took / 2] / 1000.0, (double)took[n_took * 99 / 100] / 1000.0,
           (double)took[n_took - 1] / 1000.0);
    return 0;
}
