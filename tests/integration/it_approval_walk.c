/*
 * deploy/demo/approval.md does what it says: its commands are taken from the page and run as they
 * stand, in one shell; the test plays the part of deploy/quickstart.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "integration/env_int.h"

#define PAGE SLUICE_SOURCE_DIR "/deploy/demo/approval.md"

#define FAILED "SELECT string_agg(description, ', ') FROM errors"

static struct env *env;
static pid_t core;
static int port;

static pid_t start_core(void)
{
    pid_t pid =
        env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});

    env_write_file(env, env_path(env, "run/core.pid"),
                   arena_printf(env_arena(env), "%d\n", (int)pid));
    return pid;
}

/* The blocks marked as commands, one behind the other. */
static const char *commands(void)
{
    const char *page = env_read_file(env, PAGE), *at;
    struct buf b;

    buf_init(&b, 64 * KIB, env_arena(env));
    buf_add_c(&b, arena_printf(env_arena(env),
                               "set -eu\ncd %s\nurl=http://127.0.0.1:%d\ndata=%s\npassword='%s'\n",
                               SLUICE_SOURCE_DIR, port, env_path(env, ""), api_admin_password()));
    while ((at = strstr(page, "\n```sh\n")) != NULL) {
        const char *end = strstr(at + 7, "\n```");

        assert_non_null(end);
        buf_add(&b, at + 7, (size_t)(end + 1 - (at + 7)));
        page = end + 4;
    }
    return buf_cstr(&b);
}

static void the_page_works(void **state)
{
    const char *script = env_path(env, "walk.sh"), *log;
    int status;
    pid_t pid;

    (void)state;
    env_write_file(env, script, commands());
    pid = env_spawn(env, "walk", (const char *const[]){"/bin/bash", script, NULL}, NULL);
    ENV_WAIT(env, 30000,
             !env_running(env, core) || !env_running(env, pid) || env_psql(env, FAILED)[0] != '\0');
    if (env_running(env, core))
        env_fail(env, "the page ended early: %s %s", env_log(env, "walk"), env_psql(env, FAILED));
    core = start_core();
    status = env_wait_exit(env, pid, 30000);
    log = env_log(env, "walk");
    if (status != 0)
        env_fail(env, "the page ended with %d: %s", status, log);
    assert_non_null(strstr(log, "/tenants/"));
    assert_non_null(strstr(log, "CLOSED_IN_SUCCESS"));
    assert_non_null(strstr(log, "\"key\":\"decision\",\"value\":\"accepted\""));
    assert_non_null(strstr(log, "\n1\n410\n")); /* one call, and the link works once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(the_page_works)};
    int gateway;

    env = env_start();
    gateway = env_free_port(env);
    if (mkdir(env_path(env, "run"), 0755) != 0)
        return 1;
    env_spawn(env, "gateway",
              (const char *const[]){env_program(env, "tests/standin_gateway"),
                                    arena_printf(env_arena(env), "-port=%d", gateway), NULL},
              NULL);
    core = start_core();
    port = env_nginx_start(env, "core.sock", NULL);
    ENV_WAIT(env, 5000, env_port_open(gateway));
    api_admin(env);
    api_configure(
        env, "gateways",
        arena_printf(
            env_arena(env),
            "{\"bwks\":{\"url\":\"http://127.0.0.1:%d/"
            "\",\"session_holder\":\"bwks\",\"auth\":\"default\",\"login_url\":"
            "\"/api/v1/login/\",\"username\":\"gwsystem\",\"password\":\"system-secret\"}}",
            gateway));
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
