/*
 * The mail server of tests.
 */
#include "support/smtp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES = 64, LINE_MAX_BYTES = 4096 };

struct text {
    char *p;
    size_t len;
};

struct smtp_peer {
    int listen_fd, port, stop_pipe[2];
    pthread_t thread;
    pthread_mutex_t lock;
    char *messages[MESSAGES];
    size_t n;
};

static void add(struct text *t, const char *s, size_t n)
{
    t->p = realloc(t->p, t->len + n + 1);
    if (t->p == NULL)
        abort();
    memcpy(t->p + t->len, s, n);
    t->len += n;
    t->p[t->len] = '\0';
}

static void say(FILE *out, const char *line)
{
    fprintf(out, "%s\r\n", line);
    fflush(out);
}

/* A message that was taken, envelope first. */
static void take(struct smtp_peer *p, struct text *envelope, const struct text *data)
{
    add(envelope, "\n", 1);
    if (data->len > 0)
        add(envelope, data->p, data->len);
    pthread_mutex_lock(&p->lock);
    if (p->n < MESSAGES) {
        p->messages[p->n++] = envelope->p;
        *envelope = (struct text){NULL, 0};
    }
    pthread_mutex_unlock(&p->lock);
    free(envelope->p);
    *envelope = (struct text){NULL, 0};
}

static bool read_data(FILE *in, struct text *data)
{
    char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof line, in) != NULL) {
        if (strcmp(line, ".\r\n") == 0)
            return true;
        add(data, line, strlen(line));
    }
    return false;
}

static const char *answer_to(const char *line)
{
    if (strncasecmp(line, "EHLO", 4) == 0)
        return "250-stand-in\r\n250 AUTH PLAIN";
    if (strncasecmp(line, "AUTH", 4) == 0)
        return "235 welcome";
    if (strncasecmp(line, "RCPT TO:<refused", 16) == 0)
        return "550 nobody of that name";
    if (strncasecmp(line, "RCPT TO:<later", 14) == 0)
        return "451 come back later";
    if (strncasecmp(line, "QUIT", 4) == 0)
        return "221 bye";
    return "250 fine";
}

static void talk(struct smtp_peer *p, int fd)
{
    FILE *in = fdopen(dup(fd), "r"), *out = fdopen(fd, "w");
    struct text envelope = {NULL, 0};
    char line[LINE_MAX_BYTES];

    say(out, "220 stand-in");
    while (fgets(line, sizeof line, in) != NULL) {
        struct text data = {NULL, 0};

        if (strncasecmp(line, "DATA", 4) == 0) {
            say(out, "354 go on");
            if (!read_data(in, &data)) {
                free(data.p);
                break;
            }
            take(p, &envelope, &data);
            free(data.p);
            say(out, "250 taken");
            continue;
        }
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(line + strlen(line), 2, "\n");
        if (strncasecmp(line, "EHLO", 4) != 0 && strncasecmp(line, "QUIT", 4) != 0)
            add(&envelope, line, strcspn(line, "\n") + 1);
        if (strcasecmp(line, "AUTH PLAIN\n") == 0) { /* the name comes on a line of its own */
            say(out, "334 ");
            if (fgets(line, sizeof line, in) == NULL)
                break;
            say(out, "235 welcome");
            continue;
        }
        say(out, answer_to(line));
        if (strncasecmp(line, "QUIT", 4) == 0)
            break;
    }
    free(envelope.p);
    fclose(in);
    fclose(out);
}

static void *serve(void *arg)
{
    struct smtp_peer *p = arg;

    for (;;) {
        struct pollfd fds[2] = {{.fd = p->listen_fd, .events = POLLIN}, {.fd = p->stop_pipe[0], .events = POLLIN}};
        int fd;

        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            return NULL;
        fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            talk(p, fd);
    }
}

struct smtp_peer *smtp_peer_new(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct smtp_peer *p = calloc(1, sizeof *p);
    socklen_t len = sizeof addr;

    if (p == NULL)
        abort();
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->listen_fd < 0 || bind(p->listen_fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(p->listen_fd, 16) != 0 || getsockname(p->listen_fd, (struct sockaddr *)&addr, &len) != 0 ||
        pipe2(p->stop_pipe, O_CLOEXEC) != 0)
        abort();
    p->port = ntohs(addr.sin_port);
    pthread_mutex_init(&p->lock, NULL);
    if (pthread_create(&p->thread, NULL, serve, p) != 0)
        abort();
    return p;
}

void smtp_peer_free(struct smtp_peer *p)
{
    if (p == NULL)
        return;
    if (write(p->stop_pipe[1], "", 1) != 1)
        abort();
    close(p->stop_pipe[1]);
    pthread_join(p->thread, NULL);
    close(p->stop_pipe[0]);
    close(p->listen_fd);
    for (size_t i = 0; i < p->n; i++)
        free(p->messages[i]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int smtp_peer_port(const struct smtp_peer *p)
{
    return p->port;
}

size_t smtp_peer_count(struct smtp_peer *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->n;
    pthread_mutex_unlock(&p->lock);
    return n;
}

const char *smtp_peer_message(struct smtp_peer *p, size_t i)
{
    const char *text;

    pthread_mutex_lock(&p->lock);
    text = i < p->n ? p->messages[i] : NULL;
    pthread_mutex_unlock(&p->lock);
    return text;
}
