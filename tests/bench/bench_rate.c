/*
 * Latency at a fixed rate: requests leave at their time whether or not the ones before were answered, and their latency counts from
 * the time they were due, so that a server that stalls cannot hide it.
 *
 *   bench_rate PORT PATH RATE SECONDS CONNECTIONS [HEADER [FILES...]]
 *
 * Prints "requests errors p50_ms p99_ms max_ms p99_ms_of_a_second".  RATE 0: one request on each connection, all at once; then the
 * figures of those.
 *
 * With FILES, what else happens changes every five seconds: nothing, then for each of FILES in turn the requests in the files FILES0 and
 * FILES1 (whole, as they go over the wire), alternately, one each second, on a connection of its own.  Then over again.  A line is printed
 * for each, "nothing else" first, of the calls that were due in its time: so all are measured on the same machine in the same minutes, and
 * no process is started for a change.  A sixth figure is the middle of its seconds' own p99, which a bad second of the machine does not move.
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

enum { IN_MAX = 64 * 1024, EVENTS = 256, PHASE_S = 5, OTHERS_MAX = 8 };

struct line {
    int fd;
    int busy;
    int64_t due_us;
    size_t len;
    char in[IN_MAX];
};

struct bytes {
    char *at;
    size_t len;
};

/* The calls that were due in one second, or in several. */
struct figures {
    int64_t *took;
    size_t n, cap, errors;
};

static struct bytes request;
static struct bytes others[OTHERS_MAX][2];
static struct figures *by_second; /* the last takes what is due behind the end */
static size_t n_seconds, n_phases = 1, n_done;
static int64_t start;

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static size_t second_at(int64_t us)
{
    size_t second = (size_t)((us - start) / 1000000);

    return second < n_seconds ? second : n_seconds - 1;
}

/* 0: nothing else happens. */
static size_t phase_of(size_t second)
{
    return second / PHASE_S % n_phases;
}

static struct bytes read_whole(const char *prefix, int which)
{
    enum { FILE_MAX = 1024 * 1024 };
    struct bytes b = {malloc(FILE_MAX), 0};
    char name[4096];
    FILE *f;

    snprintf(name, sizeof name, "%s%d", prefix, which);
    f = fopen(name, "r");
    if (f == NULL || b.at == NULL) {
        perror(name);
        exit(1);
    }
    b.len = fread(b.at, 1, FILE_MAX, f);
    fclose(f);
    return b;
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

static void fail(const struct line *l)
{
    by_second[second_at(l->due_us)].errors++;
}

static void begin(struct line *l, int64_t due_us, const struct bytes *what)
{
    l->busy = 1;
    l->due_us = due_us;
    l->len = 0;
    if (send(l->fd, what->at, what->len, MSG_NOSIGNAL) != (ssize_t)what->len) {
        l->busy = 0;
        fail(l);
        n_done++;
    }
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

/* Reads what has come; is the answer whole?  A line that broke is opened again. */
static int on_bytes(struct line *l, int port, int ep)
{
    ssize_t n = recv(l->fd, l->in + l->len, IN_MAX - 1 - l->len, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0 || l->len + (size_t)n >= IN_MAX - 1) {
        if (l->busy) {
            fail(l);
            n_done++;
        }
        close(l->fd);
        open_line(l, port, ep);
        return 0;
    }
    l->len += (size_t)n;
    l->in[l->len] = '\0';
    if (!complete(l))
        return 0;
    l->busy = 0;
    if (strncmp(l->in, "HTTP/1.1 2", 10) != 0)
        fail(l);
    return 1;
}

static void add(struct figures *f, int64_t took_us)
{
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 1024 : 2 * f->cap;
        f->took = realloc(f->took, f->cap * sizeof *f->took);
        if (f->took == NULL)
            exit(1);
    }
    f->took[f->n++] = took_us;
}

static void count(const struct line *l)
{
    add(&by_second[second_at(l->due_us)], now_us() - l->due_us);
    n_done++;
}
static int by_size(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* The one that PERCENT of a hundred do not exceed, in ms. */
static double percentile(struct figures *f, size_t percent)
{
    if (f->n == 0)
        return 0;
    qsort(f->took, f->n, sizeof *f->took, by_size);
    return (double)f->took[percent == 100 ? f->n - 1 : f->n * percent / 100] / 1000.0;
}

static int print(size_t phase)
{
    struct figures whole = {0}, p99s = {0};

    for (size_t i = 0; i < n_seconds; i++) {
        struct figures *f = &by_second[i];

        if (phase_of(i) != phase)
            continue;
        for (size_t call = 0; call < f->n; call++)
            add(&whole, f->took[call]);
        whole.errors += f->errors;
        if (f->n > 0)
            add(&p99s, (int64_t)(percentile(f, 99) * 1000));
    }
    printf("%zu %zu %.3f %.3f %.3f %.3f\n", whole.n, whole.errors, percentile(&whole, 50), percentile(&whole, 99), percentile(&whole, 100),
           percentile(&p99s, 50));
    return whole.n == 0;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int port = argc > 5 ? (int)strtol(argv[1], NULL, 10) : 0, ep = epoll_create1(EPOLL_CLOEXEC), rc = 0;
    double rate = argc > 5 ? strtod(argv[3], NULL) : 0, seconds = argc > 5 ? strtod(argv[4], NULL) : 0;
    size_t n = argc > 5 ? (size_t)strtoul(argv[5], NULL, 10) : 0, sent = 0, total, turn = 0, n_others = 0;
    struct line *lines = calloc(n + 1, sizeof *lines), *other = &lines[n];
    char text[8192];
    int64_t last, other_due;

    if (n == 0 || lines == NULL || argc > 7 + OTHERS_MAX) {
        fprintf(stderr, "usage: bench_rate PORT PATH RATE SECONDS CONNECTIONS [HEADER [FILES...]]\n");
        return 2;
    }
    request.at = text;
    request.len = (size_t)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: bench\r\n%s%s\r\n", argv[2], argc > 6 ? argv[6] : "",
                                   argc > 6 ? "\r\n" : "");
    for (int i = 7; i < argc; i++, n_phases++)
        for (int which = 0; which < 2; which++)
            others[n_phases - 1][which] = read_whole(argv[i], which);
    total = rate > 0 ? (size_t)(rate * seconds) : n;
    n_seconds = seconds < 1 ? 1 : (size_t)seconds;
    by_second = calloc(n_seconds, sizeof *by_second);
    if (by_second == NULL)
        return 1;
    for (size_t i = 0; i <= n; i++)
        open_line(&lines[i], port, ep);
    start = now_us();
    other_due = start;
    last = start + (int64_t)(seconds * 1e6) + 10000000;
    while (n_done < total && now_us() < last) {
        int64_t due_us = rate > 0 ? start + (int64_t)((double)sent * 1e6 / rate) : now_us();
        int got;

        for (; sent < total && now_us() >= due_us; sent++) {
            size_t tried = 0;

            while (lines[turn].busy && tried++ < n)
                turn = (turn + 1) % n;
            if (lines[turn].busy)
                break; /* all are: it is late, and counts as such */
            begin(&lines[turn], due_us, &request);
            due_us = rate > 0 ? start + (int64_t)((double)(sent + 1) * 1e6 / rate) : now_us();
        }
        if (n_phases > 1 && sent < total && !other->busy && now_us() >= other_due) {
            if (phase_of(second_at(other_due)) > 0)
                begin(other, other_due, &others[phase_of(second_at(other_due)) - 1][n_others++ % 2]);
            other_due += 1000000;
        }
        got = epoll_wait(ep, events, EVENTS, rate > 0 && sent < total ? 0 : 50);
        for (int i = 0; i < got; i++)
            if (on_bytes(events[i].data.ptr, port, ep) && events[i].data.ptr != other)
                count(events[i].data.ptr);
        if (got == 0 && rate > 0 && sent < total) {
            struct timespec moment = {.tv_nsec = 50000};

            nanosleep(&moment, NULL);
        }
    }
    for (size_t i = 0; i <= n; i++)
        if (lines[i].busy)
            fail(&lines[i]);
    for (size_t i = 0; i < n_phases; i++)
        rc |= print(i);
    return rc;
}
