/*
 * Ten thousand requests of chance through nginx, and ten thousand past it: whatever comes, everybody gets an answer that is not our
 * mistake, the database takes the row of each call, and the programs go on.  The seed is fixed.  Many are on their way at a time, so that a busy machine costs little.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "integration/env_proxy.h"

enum { REQUESTS = 10000, AT_ONCE = 80, PATIENCE_MS = 20000 };

static struct house h;
static struct env *env;

static uint64_t seed = 20261123;

static unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

#define ONE_OF(list) (list)[chance(COUNT_OF(list))]

/* Text that begins like what is expected, and goes wrong by and by. */
static const char *noise(const char *start, unsigned max, struct arena *a)
{
    static const char *const bits[] = {"/", "//", "..", "%2e", "%2F", "%00", "%", "%zz", "?", "&", "=", "#", ";", " ", "\r\n", "\t", "a", "tenants",
                                       "{}", "\"", "\\", "\xff", "\xc3\xa9", "auth_token=", "transactions", "do", "ok", "@", ":", "*", "0", "-1"};
    struct buf b;

    buf_init(&b, 200000, a);
    buf_add_c(&b, start);
    for (unsigned n = chance(max); n > 0; n--)
        buf_add_c(&b, ONE_OF(bits));
    return buf_cstr(&b);
}

static const char *const methods[] = {"GET",  "GET",   "GET",    "POST",  "POST",    "PUT",  "PUT", "DELETE",
                                      "HEAD", "PATCH", "DELETE", "PATCH", "OPTIONS", "BREW", "G T", "get"};
static const char *const starts[] = {"/api/v01/p1/do/ok/", "/api/v01/p1/do/ok", "/api/v01/p1/", "/api/v01/p1/do/echo_head", "/api/v01/p1", "/api/v01/apio/sync/api/v1/",
                                     "", "/"};

/* ---- past nginx --------------------------------------------------------------------------------------------- */

static struct fcgi_request fcgi_of_chance(struct arena *a)
{
    static const char *const names[] = {"HTTP_X_A=", "HTTP_COOKIE=", "HTTP_TRACEPARENT=", "HTTP_X_REQUEST_ID=", "HTTP_CONNECTION=", "HTTP_RANGE=",
                                        "CONTENT_TYPE=", "HTTP_EXPECT=", "HTTP_", "=", "REMOTE_ADDR="};
    struct fcgi_request r = house_request(&h, ONE_OF(methods), noise(ONE_OF(starts), 8, a),
                                          (const char *const[]){noise(ONE_OF(names), 6, a), noise(ONE_OF(names), 6, a), NULL});

    if (chance(3) == 0)
        r.body = str_c(noise("{\"a\":", chance(50) == 0 ? 30000 : 20, a));
    if (chance(20) == 0)
        r.announced = noise("", 2, a);
    r.record = chance(10) == 0 ? 1 + chance(100) : 0;
    r.padding = (uint8_t)chance(8);
    return r;
}

static void fcgi_answered(int *fd, const struct fcgi_request *r, struct arena *a)
{
    struct fcgi_answer got = {0};

    if (!fcgi_receive(*fd, &got, a, PATIENCE_MS))
        env_fail(env, "no answer to %s %s", r->method, r->uri);
    if (got.status == 500 || (got.status != 0 && (got.status < 200 || got.status > 599)))
        env_fail(env, "%s %s: %d %.*s", r->method, r->uri, got.status, STR_ARG(got.body));
    if (got.closed || !got.ended) {
        close(*fd);
        *fd = -1;
    }
}

static void still_there(void)
{
    assert_true(env_running(env, h.proxy) && env_running(env, h.core));
    api_setup(NULL);
    assert_int_equal(api_raw(env, "GET", "/api/v01/p1/do/ok/?mark=after", NULL).status, 200);
    ENV_WAIT(env, 10000, env_psql(env, "SELECT 1 FROM requests WHERE url LIKE '%mark=after'")[0] == '1');
    assert_null(strstr(env_log(env, "p1.sock"), "proxy.history"));
}

static void past_nginx(void **state)
{
    struct fcgi_request sent[AT_ONCE];
    int fds[AT_ONCE];

    (void)state;
    memset(fds, -1, sizeof fds);
    for (int done = 0; done < REQUESTS; done += AT_ONCE) {
        struct arena *a = arena_new(0);

        for (size_t i = 0; i < AT_ONCE; i++) {
            struct buf out;

            buf_init(&out, 2 * MIB, a);
            sent[i] = fcgi_of_chance(a);
            fcgi_put_request(&out, &sent[i]);
            if (fds[i] < 0)
                fds[i] = fcgi_connect(env_path(env, "p1.sock"));
            if (fds[i] < 0 || !fcgi_send(fds[i], buf_str(&out)))
                env_fail(env, "%s %s cannot be sent", sent[i].method, sent[i].uri);
        }
        for (size_t i = 0; i < AT_ONCE; i++)
            fcgi_answered(&fds[i], &sent[i], a);
        arena_free(a);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    still_there();
}

/* ---- through nginx ------------------------------------------------------------------------------------------ */

struct shot {
    int fd;
    const char *text; /* what was sent */
    bool loose;       /* the head ends early, or the body never: there may be no answer one can read */
};

static bool breaks_lines(const char *text)
{
    return strstr(text, "\r\n") != NULL;
}

static void put_chunks(struct buf *out, const char *body)
{
    size_t left = strlen(body);

    while (left > 0) {
        size_t n = 1 + chance(left > 5000 ? 5000 : (unsigned)left);

        buf_addf(out, "%zx%s\r\n%.*s\r\n", n, chance(10) == 0 ? ";a=b" : "", (int)n, body);
        body += n;
        left -= n;
    }
    buf_add_c(out, chance(10) == 0 ? "0\r\nX-Trailer: a\r\n\r\n" : "0\r\n\r\n");
}

/* A body and how it is announced. */
static void put_body(struct buf *out, struct shot *s, struct arena *a)
{
    const char *body = noise("{\"a\":", chance(50) == 0 ? 30000 : 20, a);
    size_t n = strlen(body);

    switch (chance(8)) {
    case 0:
    case 1:
        buf_add_c(out, "Transfer-Encoding: chunked\r\n\r\n");
        put_chunks(out, body);
        break;
    case 2: /* more is announced than comes */
        buf_addf(out, "Content-Length: %zu\r\n\r\n%s", n + 1 + chance(100), body);
        s->loose = true;
        break;
    case 3: /* what follows is no request */
        buf_addf(out, "Content-Length: %u\r\n\r\n%s", chance((unsigned)n), body);
        break;
    case 4: /* a chunk that is none */
        buf_addf(out, "Transfer-Encoding: chunked\r\n\r\n%s\r\n%s\r\n0\r\n\r\n", noise("", 3, a), body);
        s->loose = true;
        break;
    default:
        buf_addf(out, "Content-Length: %zu\r\n\r\n%s", n, body);
    }
}

static void http_of_chance(struct shot *s, struct arena *a)
{
    static const char *const versions[] = {"HTTP/1.0", "HTTP/2.0", "HTTP/1.", "http/1.1"};
    static const char *const names[] = {"X-A: ", "Cookie: ", "Traceparent: ", "X-Request-Id: ", "Range: ", "Content-Type: ", "Expect: ", "Upgrade: ",
                                        "Transfer-Encoding: ", "Content-Length: ", "Host: ", ": ", "X_Y: ", "X\x01: ", "Proxy: ", "X-Forwarded-For: "};
    const char *target = noise(ONE_OF(starts), chance(3) == 0 ? 8 : 3, a);
    struct buf out;

    buf_init(&out, 2 * MIB, a);
    buf_addf(&out, "%s %s %s\r\n", ONE_OF(methods), target, chance(20) == 0 ? ONE_OF(versions) : "HTTP/1.1");
    if (chance(30) > 0)
        buf_add_c(&out, "Host: x\r\n");
    buf_add_c(&out, "Connection: close\r\n");
    if (chance(10) > 0)
        buf_addf(&out, "%s\r\n", api_auth(env));
    s->loose = breaks_lines(target);
    for (unsigned n = chance(3); n > 0; n--) {
        const char *line = noise(ONE_OF(names), 6, a);

        s->loose = s->loose || breaks_lines(line);
        buf_addf(&out, "%s\r\n", line);
    }
    if (chance(3) == 0)
        put_body(&out, s, a);
    else
        buf_add_c(&out, "\r\n");
    s->text = buf_cstr(&out);
}

static void shoot(struct shot *s)
{
    size_t left = strlen(s->text);

    s->fd = house_connect(&h);
    for (const char *at = s->text; left > 0;) {
        ssize_t n = send(s->fd, at, left, MSG_NOSIGNAL);

        if (n <= 0)
            break; /* refused before its end */
        at += n;
        left -= (size_t)n;
    }
    if (s->loose)
        (void)shutdown(s->fd, SHUT_WR);
}

/* What comes until the other side closes. */
static const char *answer_to(struct shot *s, struct arena *a)
{
    int64_t until = clock_mono_ms(&clock_system) + PATIENCE_MS;
    struct buf b;
    char block[16384];

    buf_init(&b, 4 * MIB, a);
    for (;;) {
        struct pollfd p = {s->fd, POLLIN, 0};
        int64_t left = until - clock_mono_ms(&clock_system);
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            env_fail(env, "no end within %d ms: %s", PATIENCE_MS, s->text);
        n = recv(s->fd, block, sizeof block, 0);
        if (n <= 0)
            break;
        buf_add(&b, block, (size_t)n);
    }
    close(s->fd);
    return buf_cstr(&b);
}

struct tally {
    long by_nginx, by_us, unread;
};

static void judge(const struct shot *s, const char *text, struct tally *t)
{
    int status = 0;

    if (strncmp(text, "HTTP/1.1 100", 12) == 0)
        text = strstr(text, "\r\n\r\n") + 4;
    if (sscanf(text, "HTTP/1.1 %d", &status) != 1) {
        if (!s->loose)
            env_fail(env, "not answered but by \"%.200s\": %s", text, s->text);
        t->unread++;
        return;
    }
    if (status < 200 || status > 599 || status == 500 || strstr(text, "the application is") != NULL || strstr(text, "did not answer in time") != NULL)
        env_fail(env, "%s: %.600s", s->text, text);
    if (strstr(text, "the request cannot be read") != NULL || strstr(text, "<center>nginx") != NULL)
        t->by_nginx++;
    else
        t->by_us++;
}

static void through_nginx(void **state)
{
    struct shot shots[AT_ONCE];
    struct tally t = {0};
    long before = rogue_requests(h.rogue), forwarded;

    (void)state;
    for (int done = 0; done < REQUESTS; done += AT_ONCE) {
        struct arena *a = arena_new(0);

        for (size_t i = 0; i < AT_ONCE; i++) {
            http_of_chance(&shots[i], a);
            shoot(&shots[i]);
        }
        for (size_t i = 0; i < AT_ONCE; i++)
            judge(&shots[i], answer_to(&shots[i], a), &t);
        arena_free(a);
    }
    forwarded = rogue_requests(h.rogue) - before;
    print_message("%ld refused by nginx, %ld answered by the applications, %ld without an answer to read; %ld reached the gateway\n",
                  t.by_nginx, t.by_us, t.unread, forwarded);
    /* all ways are taken, and nobody makes two requests of one */
    assert_true(t.by_nginx > REQUESTS / 20 && t.by_us > REQUESTS / 4 && forwarded > REQUESTS / 20 && forwarded < t.by_us);
    still_there();
}

static void ends_cleanly(void **state)
{
    (void)state;
    assert_int_equal(env_kill(env, h.proxy, SIGTERM), 0);
    assert_int_equal(env_kill(env, h.core, SIGTERM), 0);
    assert_null(strstr(env_log(env, "p1.sock"), "runtime error"));
    assert_null(strstr(env_log(env, "core.sock"), "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(through_nginx), API_TEST(past_nginx), API_TEST(ends_cleanly)};

    house_start(&h, NULL);
    env = h.env;
    return house_end(&h, cmocka_run_group_tests(tests, NULL, NULL));
}
