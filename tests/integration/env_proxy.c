/*
 * Starting the proxy's house, and speaking to it below HTTP clients.
 */
#include "integration/env_proxy.h"

#include <errno.h>
#include <fastcgi.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

enum { BLOCK = 32 * 1024, OPTIONS_MAX = 12 };

void house_until_used(struct house *h)
{
    api_configuration_heard(h->env, "core.sock");
    if (h->proxy != 0 && env_running(h->env, h->proxy))
        api_configuration_heard(h->env, "p1.sock");
}

void house_gateway(struct house *h, const char *more)
{
    api_configure(h->env, "gateways", arena_printf(env_arena(h->env), "{\"bwks\":{\"url\":\"%s/\"%s}}", h->upstream, more));
    house_until_used(h);
}

void house_start(struct house *h, const char *const *options)
{
    house_start_with(h, options, (const char *const[]){NULL});
}

void house_start_with(struct house *h, const char *const *options, const char *const *more)
{
    const char *args[OPTIONS_MAX + 3] = {"-proxy=/api/v01/p1:bwks", "-runMigration=false"};
    const char *vars[OPTIONS_MAX + 2];
    size_t n = 1;

    env_small_quarantine();
    h->env = env_start();
    h->metrics_port = env_free_port(h->env);
    for (size_t i = 0; options != NULL && options[i] != NULL && i < OPTIONS_MAX; i++)
        args[i + 2] = strcmp(options[i], HOUSE_METRICS) != 0 ? options[i]
                                                             : arena_printf(env_arena(h->env), "-metricsPort=%d", h->metrics_port);
    h->rogue = rogue_new();
    h->upstream = arena_printf(env_arena(h->env), "http://127.0.0.1:%d", rogue_port(h->rogue));
    vars[0] = arena_printf(env_arena(h->env), "DB=%s", env_db(h->env));
    for (; more[n - 1] != NULL && n < OPTIONS_MAX; n++)
        vars[n] = more[n - 1];
    vars[n] = NULL;
    h->core = env_app_start_with(h->env, "sluice-core", "core.sock", NULL, vars);
    h->nginx_port = env_nginx_start(h->env, "core.sock", "p1.sock");
    api_admin(h->env);
    house_gateway(h, "");
    h->proxy = env_app_start_with(h->env, "sluice-proxy", "p1.sock", args, vars);
    ENV_WAIT(h->env, 20000, api_raw(h->env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
}

int house_end(struct house *h, int failed)
{
    rogue_free(h->rogue);
    return env_end(h->env, failed);
}

long house_growth_kib(long kib)
{
#if defined(__SANITIZE_ADDRESS__)
    return 3 * kib;
#else
    return kib;
#endif
}

struct fcgi_request house_request(struct house *h, const char *method, const char *uri, const char *const *more)
{
    struct arena *a = env_arena(h->env);
    const char **params = ARENA_ARRAY(a, const char *, OPTIONS_MAX + 2);
    size_t n = 1;

    params[0] = arena_printf(a, "HTTP_AUTHORIZATION=Bearer %s", api_token());
    for (size_t i = 0; more != NULL && more[i] != NULL && n < OPTIONS_MAX; i++)
        params[n++] = more[i];
    return (struct fcgi_request){.method = method, .uri = uri, .params = params};
}

int house_begin(struct house *h, const struct fcgi_request *r)
{
    int fd = fcgi_connect(env_path(h->env, "p1.sock"));
    struct buf b;

    buf_init(&b, 1024 * 1024, env_arena(h->env));
    fcgi_put_request(&b, r);
    b.len -= FCGI_HEADER_LEN; /* the end of the body comes later */
    if (fd < 0 || !fcgi_send(fd, buf_str(&b)))
        env_fail(h->env, "the proxy takes no request");
    return fd;
}

size_t house_body(int fd, size_t n, int ms)
{
    static char record[FCGI_HEADER_LEN + BLOCK] = {FCGI_VERSION_1, FCGI_STDIN, 0, 1, (char)(BLOCK >> 8), 0, 0, 0};
    int64_t until = clock_mono_ms(&clock_system) + ms;
    size_t taken = 0, at = 0;

    memset(record + FCGI_HEADER_LEN, 'x', BLOCK);
    while (taken < n) {
        struct pollfd p = {fd, POLLOUT, 0};
        int64_t left = until - clock_mono_ms(&clock_system);
        ssize_t sent;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        sent = send(fd, record + at, sizeof record - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            continue;
        if (sent < 0)
            break;
        at += (size_t)sent;
        if (at == sizeof record) {
            at = 0;
            taken += BLOCK;
        }
    }
    return taken;
}

void house_body_end(int fd)
{
    static const char end[FCGI_HEADER_LEN] = {FCGI_VERSION_1, FCGI_STDIN, 0, 1, 0, 0, 0, 0};

    (void)fcgi_send(fd, str_make(end, sizeof end));
}

int house_connect(struct house *h)
{
    int fd = env_connect(h->nginx_port);

    if (fd < 0)
        env_fail(h->env, "nginx takes no connection");
    return fd;
}

const char *house_raw(struct house *h, const char *text, int ms)
{
    int fd = house_connect(h);
    int64_t until = env_until(ms);
    struct buf b;
    char block[4096];

    buf_init(&b, 1024 * 1024, env_arena(h->env));
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = until - clock_mono_ms(&clock_system);
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        n = recv(fd, block, sizeof block, 0);
        if (n <= 0)
            break;
        buf_add(&b, block, (size_t)n);
    }
    close(fd);
    return buf_cstr(&b);
}
