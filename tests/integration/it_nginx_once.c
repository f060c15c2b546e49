/*
 * What nginx does when an application breaks off before its answer: a call that may have changed something is not sent a second
 * time, neither on the connection that was kept nor to another server; who cannot be reached at all is passed by.
 */
#include "base/arena.h"

#include <fastcgi.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "integration/env_int.h"

#define ANSWER "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nhi"

enum { PATIENCE_MS = 30000, TEXT_MAX = 8192 };

static struct env *env;
static int port;

/* ---- an application of the test's own ------------------------------------------------------------ */

static int listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, env_path(env, name), strlen(env_path(env, name)) + 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0)
        env_fail(env, "cannot listen at %s", name);
    return fd;
}

static bool comes(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, ms) == 1;
}

static void take(int fd, char *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t some = comes(fd, PATIENCE_MS) ? recv(fd, to + got, n - got, 0) : -1;

        if (some <= 0)
            env_fail(env, "nginx sent no whole request");
        got += (size_t)some;
    }
}

/* To the end of the body. */
static void take_request(int fd)
{
    static char content[65536 + 256];
    FCGI_Header h;
    size_t len;

    do {
        take(fd, (char *)&h, sizeof h);
        len = (size_t)h.contentLengthB1 << 8 | h.contentLengthB0;
        take(fd, content, len + h.paddingLength);
    } while (h.type != FCGI_STDIN || len > 0);
}

static void answer(int fd)
{
    const FCGI_Header text = {FCGI_VERSION_1, FCGI_STDOUT, 0, 1, 0, sizeof ANSWER - 1, 0, 0}, no_more = {FCGI_VERSION_1, FCGI_STDOUT, 0, 1, 0, 0, 0, 0};
    const FCGI_EndRequestRecord end = {.header = {FCGI_VERSION_1, FCGI_END_REQUEST, 0, 1, 0, sizeof end.body, 0, 0}};

    if (send(fd, &text, sizeof text, MSG_NOSIGNAL) < 0 || send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) < 0 ||
        send(fd, &no_more, sizeof no_more, MSG_NOSIGNAL) < 0 || send(fd, &end, sizeof end, MSG_NOSIGNAL) < 0)
        env_fail(env, "nginx takes no answer");
}

/* ---- a client -------------------------------------------------------------------------------------- */

static int begin(const char *method, const char *path, const char *body)
{
    const char *text = env_fmt(env, "%s %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body), body);
    int fd = env_connect(port);

    if (fd < 0 || send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        env_fail(env, "nginx takes no request");
    return fd;
}

static const char *end(int fd)
{
    char *text = arena_alloc(env_arena(env), TEXT_MAX);
    size_t len = 0;
    ssize_t n;

    while (comes(fd, PATIENCE_MS) && (n = recv(fd, text + len, TEXT_MAX - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fd);
    return text;
}

/* ---- the tests --------------------------------------------------------------------------------------- */

static const struct place {
    const char *prefix, *socket;
} places[] = {{"/api/v01/", "core.sock"}, {"/api/v01/p1/", "p1.sock"}, {"/api/v01/apio/sync/", "p1.sock"}};

static const struct call {
    const char *name, *method, *body;
    bool again;
} calls[] = {
    {"GET changes nothing", "GET", "", true},
    {"HEAD changes nothing", "HEAD", "", true},
    {"POST", "POST", "{}", false},
    {"POST without a body", "POST", "", false},
    {"PUT", "PUT", "{}", false},
    {"PUT without a body", "PUT", "", false},
    {"PATCH", "PATCH", "{}", false},
    {"DELETE", "DELETE", "", false},
    {"DELETE with a body", "DELETE", "{}", false},
};

static void breaks_off(const struct call *c, const struct place *p, int listening)
{
    const char *path = env_fmt(env, "%sthings/1?q=1", p->prefix), *got;
    int client = begin("GET", path, ""), kept = comes(listening, PATIENCE_MS) ? accept(listening, NULL, NULL) : -1;
    struct pollfd next[2];

    if (kept < 0)
        env_fail(env, "nginx does not come");
    take_request(kept);
    answer(kept);
    got = end(client);
    if (strstr(got, "hi") == NULL)
        env_fail(env, "no answer: %s", got);
    client = begin(c->method, path, c->body);
    take_request(kept); /* it was kept */
    close(kept);
    next[0] = (struct pollfd){client, POLLIN, 0};
    next[1] = (struct pollfd){listening, POLLIN, 0};
    if (poll(next, 2, PATIENCE_MS) <= 0)
        env_fail(env, "neither an answer nor another call");
    if ((next[1].revents != 0) != c->again)
        env_fail(env, "%s: %s", p->prefix, c->again ? "not sent again" : "sent a second time");
    if (c->again) {
        kept = accept(listening, NULL, NULL);
        take_request(kept);
        close(kept);
    }
    got = end(client);
    if (strncmp(got, "HTTP/1.1 502", 12) != 0 || (strcmp(c->method, "HEAD") != 0 && strstr(got, "{\"error\":\"the application is not running or broke off\"}") == NULL))
        env_fail(env, "%s %s: %s", c->method, path, got);
}

static void once(const struct call *c)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        int listening = listen_at(places[i].socket);

        breaks_off(c, &places[i], listening);
        close(listening);
        unlink(env_path(env, places[i].socket));
    }
}

/* The path that is sent on internally is nobody's to ask for, and the log has the one that was asked for. */
static void inside_of_nginx(void **state)
{
    (void)state;
    assert_non_null(strstr(end(begin("PUT", "/once/core", "")), "HTTP/1.1 404"));
    assert_non_null(strstr(end(begin("GET", "/once/p1", "")), "HTTP/1.1 404"));
    ENV_WAIT(env, 5000, strstr(env_read_file(env, env_path(env, "nginx/logs/access.log")), "\"DELETE /api/v01/p1/things/1 HTTP/1.1\" 502") != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(inside_of_nginx)};

    env = env_start();
    port = env_nginx_start(env, "core.sock", "p1.sock");
    return env_end(env, CASES(calls, once) + cmocka_run_group_tests(tests, NULL, NULL));
}
