/*
 * nginx is killed, master and workers, while it carries requests of every kind, and started again
 * (fcgi-app/engine/PROMISES.md, proxy-module/README.md).  Core and proxy stay, and keep nothing of it.
 */
#include "base/arena.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "integration/env_api.h"
#include "support/rogue.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

enum { WAIT_MS = 20000, OF_EACH = 2, ROUNDS = 3, SLACK_FDS = 6 };

static struct env *env;
static struct rogue *upstream;
static pid_t programs[2]; /* core, proxy */
static int metrics[2], nginx_port;
static int fds[2];

static long long number(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* The requests a program is at; -1 when it does not say. */
static long long in_flight(int program)
{
    static const char name[] = "\nsluice_requests_in_flight ";
    struct env_answer a = env_http_at(env, "GET", fmt("http://127.0.0.1:%d/metrics", metrics[program]), NULL, NULL);
    const char *at = strstr(a.body, name);

    return at != NULL ? number(at + sizeof name - 1) : -1;
}

static int open_fds(pid_t pid)
{
    DIR *d = opendir(fmt("/proc/%d/fd", (int)pid));
    int n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

/* A request that is sent and not waited for. */
static int begin(const char *method, const char *path, const char *more, const char *body)
{
    const char *text = fmt("%s %s HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %s\r\n%sContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n%s", method, path, api_token(), more, strlen(body), body);
    int fd = env_connect(nginx_port);

    if (fd < 0 || send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        env_fail(env, "nginx takes no request");
    return fd;
}

static struct env_answer ask_keyed(const char *key)
{
    const char *const headers[] = {fmt("Idempotency-Key: %s", key), "Content-Type: application/json", NULL};

    return env_http(env, "POST", "/api/v01/public/sync", headers, "{}");
}

static long long with_status(const char *mark, int status)
{
    return number(sql("SELECT count(*) FROM requests WHERE url LIKE '%%%s' AND response_status = %d", mark, status));
}

/* ---- everything at once ------------------------------------------------------------------------------- */

enum { RUNS = 3, CHANGES = 1, CANCELLED = 2, KINDS = RUNS + CHANGES + CANCELLED };

static void dies_under_all_of_it(int round)
{
    int clients[OF_EACH * KINDS], n = 0;
    long long runs = number(sql("SELECT count(*) FROM instances")), calls;

    rogue_gate(upstream, false);
    for (int i = 0; i < OF_EACH; i++) {
        clients[n++] = begin("POST", "/api/v01/public/sync", "", "{}");
        clients[n++] = begin("POST", "/api/v01/public/sync", fmt("Idempotency-Key: key-%d-%d\r\n", round, i), "{}");
        clients[n++] = begin("POST", "/api/v01/public/later", "", "{}");
        clients[n++] = begin("PUT", fmt("/api/v01/p1/do/gate/?change=%d", round), "", "{}");
        clients[n++] = begin("GET", fmt("/api/v01/p1/do/hang/?look=%d", round), "", "");
        clients[n++] = begin("GET", fmt("/api/v01/p1/do/endless/?stream=%d", round), "", "");
    }
    ENV_WAIT(env, WAIT_MS, rogue_active(upstream) == OF_EACH * KINDS);
    calls = rogue_requests(upstream);
    env_nginx_kill(env);
    /* what changes nothing is given up, the rest goes on to its end */
    ENV_WAIT(env, WAIT_MS, rogue_active(upstream) == (long)OF_EACH * (RUNS + CHANGES));
    rogue_gate(upstream, true);
    ENV_WAIT(env, WAIT_MS, rogue_active(upstream) == 0 && in_flight(0) == 0 && in_flight(1) == 0);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'CLOSED_IN_SUCCESS'")) == runs + (long)OF_EACH * RUNS);
    ENV_WAIT(env, WAIT_MS, with_status(fmt("change=%d", round), 200) == OF_EACH);
    ENV_WAIT(env, WAIT_MS, with_status(fmt("look=%d", round), 0) == OF_EACH);
    env_nginx_again(env);
    for (int i = 0; i < OF_EACH; i++) {
        struct env_answer a = ask_keyed(fmt("key-%d-%d", round, i));

        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "{\"done\":true}");
        assert_string_equal(env_header(env, &a, "Idempotency-Replayed"), "true");
    }
    assert_int_equal(rogue_requests(upstream), calls);
    assert_int_equal(number(sql("SELECT count(*) FROM instances")), runs + OF_EACH * RUNS);
    for (int i = 0; i < n; i++)
        close(clients[i]);
}

static void programs_stay_and_keep_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        dies_under_all_of_it(round);
        for (int i = 0; i < 2; i++) {
            int n = open_fds(programs[i]);

            if (round > 0 && n > fds[i] + SLACK_FDS)
                env_fail(env, "program %d: %d descriptors after the first time, %d now", i, fds[i], n);
            if (round == 0)
                fds[i] = n;
        }
    }
}

/* ---- accepted, not acknowledged -------------------------------------------------------------------------- */

/* The commit that would acknowledge is under way: it is stored, though nobody is told. */
static void the_acknowledgement_is_lost(void **state)
{
    PGconn *pg = PQconnectdb(env_db(env));
    long long runs = number(sql("SELECT count(*) FROM instances"));
    int client;

    (void)state;
    PQclear(PQexec(pg, "BEGIN; LOCK TABLE jobs, instances IN EXCLUSIVE MODE"));
    client = begin("POST", "/api/v01/public/later", "", "{}");
    ENV_WAIT(env, WAIT_MS, in_flight(0) == 1 && number(sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'")) > 0);
    env_nginx_kill(env);
    PQclear(PQexec(pg, "COMMIT"));
    PQfinish(pg);
    ENV_WAIT(env, WAIT_MS, in_flight(0) == 0);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'CLOSED_IN_SUCCESS'")) == runs + 1);
    env_nginx_again(env);
    close(client);
}

/* ---- the house ---------------------------------------------------------------------------------------------- */

/* Nobody asks anything meanwhile: a timer fires all the same. */
static void what_waits_goes_on(void **state)
{
    long long id = (long long)api_run(env, DEFINITION(CELL("wait", "timer", "\"timeout\":\"700 ms\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                                      LINE("start.ok", "wait") "," LINE("wait.ok", "end")), "{}");

    (void)state;
    env_nginx_kill(env);
    ENV_WAIT(env, WAIT_MS, strcmp(sql("SELECT status FROM instances WHERE id = %lld", id), "CLOSED_IN_SUCCESS") == 0);
    env_nginx_again(env);
}

static void ends_cleanly(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        env_stop(env, programs[i]);
}

static void set_up(void)
{
    const char *call = fmt("\"call\":{\"original_name\":\"http_call\",\"params\":{\"method\":\"post\",\"url\":"
                           "\"http://127.0.0.1:%d/do/gate/\",\"body\":\"{}\"},\"outputs\":[\"success\"]}", rogue_port(upstream));
    const char *definition = fmt(DEFINITION("%s," CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"{\\\"done\\\":true}\"", "\"ok\"") ",",
                                            LINE("start.ok", "call") "," LINE("call.success", "answer") "," LINE("answer.ok", "end")), call);

    for (int i = 0; i < 2; i++)
        metrics[i] = env_free_port(env);
    programs[0] = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", "-metrics", fmt("-metricsPort=%d", metrics[0]), NULL});
    nginx_port = env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    api_configure(env, "gateways", fmt("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", rogue_port(upstream)));
    api_route(env, "post", "/sync", api_activity(env, "sync", definition), ",\"public\":true,\"sync\":true");
    api_route(env, "post", "/later", api_activity(env, "later", definition), ",\"public\":true");
    programs[1] = env_app_start(env, "sluice-proxy", "p1.sock",
                                (const char *const[]){"-proxy=/api/v01/p1:bwks", "-workflows", "-metrics", fmt("-metricsPort=%d", metrics[1]), NULL});
    ENV_WAIT(env, WAIT_MS, api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL).status == 200);
    rogue_gate(upstream, true);
    ENV_WAIT(env, WAIT_MS, env_http(env, "POST", "/api/v01/public/later", NULL, "{}").status == 200);
    ENV_WAIT(env, WAIT_MS, env_http(env, "POST", "/api/v01/public/sync", NULL, "{}").status == 200);
    ENV_WAIT(env, WAIT_MS, number(sql("SELECT count(*) FROM instances WHERE status = 'ACTIVE'")) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(programs_stay_and_keep_nothing),
        API_TEST(the_acknowledgement_is_lost),
        API_TEST(what_waits_goes_on),
        API_TEST(ends_cleanly),
    };
    int failed;

    upstream = rogue_new();
    env = env_start();
    set_up();
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    rogue_free(upstream);
    return failed;
}
