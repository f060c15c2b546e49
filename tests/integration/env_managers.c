/*
 * What the tests of process managers share.
 */
#include "integration/env_managers.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "integration/env_api.h"

static struct env *env;

static void behind(const char *folder)
{
    const char *core = env_path(env, "core.sock"), *p1 = env_path(env, "p1.sock");

    unlink(core);
    unlink(p1);
    if (symlink(arena_printf(env_arena(env), "%s/core.sock", folder), core) != 0 ||
        symlink(arena_printf(env_arena(env), "%s/p1.sock", folder), p1) != 0)
        env_fail(env, "cannot link sockets");
}

struct env *managers_start(const char *folder)
{
    pid_t core;

    env = env_start();
    env_nginx_start(env, "core.sock", "p1.sock");
    mkdir(env_path(env, folder), 0755);
    if (geteuid() == 0 && chown(env_path(env, folder), 65534, 65534) != 0)
        env_fail(env, "chown");
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    api_admin(env);
    api_configure(env, "gateways", "{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}}");
    env_kill(env, core, SIGTERM);
    behind(folder);
    return env;
}

const char *managers_text(const char *text, const char *from, const char *to)
{
    struct buf b;

    buf_init(&b, 1 * MIB, env_arena(env));
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        buf_add(&b, text, (size_t)(at - text));
        buf_add_c(&b, to);
    }
    buf_add_c(&b, text);
    return buf_cstr(&b);
}

int managers_run(const char *log, const char *const *argv, const char *const *vars)
{
    return env_wait_exit(env, env_spawn(env, log, argv, vars), 60000);
}

bool managers_healthy(void)
{
    return env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200;
}

bool managers_proxy_answers(void)
{
    return env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL).status == 401;
}

void managers_ask(int n)
{
    for (int i = 0; i < n; i++) {
        struct env_answer a = env_http(env, i % 2 == 0 ? "GET" : "POST",
                                       i % 2 == 0 ? "/api/v01/health" : "/api/v01/auth/login", NULL,
                                       i % 2 == 0 ? NULL : "{\"username\":\"x\",\"password\":\"y\"}");

        if (a.status != (i % 2 == 0 ? 200 : 401))
            env_fail(env, "request %d: %d %s", i, a.status, a.body);
    }
}

void managers_little_rights(pid_t pid, const char *socket)
{
    struct stat process, file;

    assert_int_equal(stat(arena_printf(env_arena(env), "/proc/%d", (int)pid), &process), 0);
    assert_int_equal(stat(env_path(env, socket), &file), 0);
    assert_int_equal(file.st_mode & 0777, 0660);
    if (geteuid() != 0)
        return;
    assert_int_equal(process.st_uid, 65534);
    assert_int_equal(file.st_uid, 65534);
    assert_int_equal(file.st_gid, 65534);
}
