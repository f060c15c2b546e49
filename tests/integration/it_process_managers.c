/*
 * The files of deploy/ for spawn-fcgi and systemd, each with the real program (migration.md 5).  systemd itself: tests/deploy/systemd.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "integration/env_int.h"
#include "integration/env_managers.h"
#include "support/cases.h"

static struct env *env;

/* ---- spawn-fcgi --------------------------------------------------------------------------------- */

static int spawn_fcgi(const char *word)
{
    const char *run_dir = env_path(env, "spawn");
    const char *vars[] = {arena_printf(env_arena(env), "SLUICE_ENV=%s", env_path(env, "sluice.env")),
                          arena_printf(env_arena(env), "SLUICE_RUN=%s", run_dir),
                          arena_printf(env_arena(env), "SLUICE_LOG=%s", env_path(env, "spawnlog")),
                          arena_printf(env_arena(env), "SLUICE_BIN=%s", managers_text(env_program(env, "sluice-core"), "/sluice-core", "")),
                          "SLUICE_USER=nobody",
                          "SLUICE_GROUP=nogroup",
                          NULL};

    return managers_run("spawn-fcgi", (const char *const[]){DEPLOY "spawn-fcgi/sluice", word, NULL}, vars);
}

/* What each program says is kept, and goes on in a file that was copied and emptied. */
static void keeps_logs(void)
{
    const char *core = env_path(env, "spawnlog/core.log");
    struct stat file;

    ENV_WAIT(env, 30000, strstr(env_read_file(env, core), "app.ready") != NULL && strstr(env_read_file(env, env_path(env, "spawnlog/p1.log")), "app.ready") != NULL);
    assert_int_equal(stat(core, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0640);
    assert_non_null(strstr(env_read_file(env, DEPLOY "spawn-fcgi/sluice.logrotate"), "copytruncate"));
    assert_int_equal(truncate(core, 0), 0);
}

static void starts_by_spawn_fcgi(void **state)
{
    const char *settings = managers_text(env_read_file(env, DEPLOY "spawn-fcgi/sluice.env"), "postgresql://sluice:secret@db/sluice", env_db(env));

    int live_port = env_free_port(env);

    (void)state;
    if (access("/usr/bin/spawn-fcgi", X_OK) != 0)
        skip();
    /* live views are where nginx looks for them */
    assert_non_null(strstr(env_read_file(env, SLUICE_SOURCE_DIR "/nginx/conf.d/upstreams.conf"), "server 127.0.0.1:5001;"));
    assert_non_null(strstr(settings, " -wsPort=5001\n"));
    settings = managers_text(settings, "-wsPort=5001", env_fmt(env, "-wsPort=%d", live_port));
    env_write_file(env, env_path(env, "sluice.env"), settings);
    assert_int_equal(spawn_fcgi("status"), 1);
    assert_int_equal(spawn_fcgi("start"), 0);
    ENV_WAIT(env, 30000, managers_healthy());
    ENV_WAIT(env, 30000, managers_proxy_answers());
    ENV_WAIT(env, 30000, env_port_open(live_port));
    assert_int_equal(spawn_fcgi("start"), 0); /* they run already */
    assert_int_equal(spawn_fcgi("status"), 0);
    managers_little_rights((pid_t)strtol(env_read_file(env, env_path(env, "spawn/core.pid")), NULL, 10), "spawn/core.sock");
    managers_little_rights((pid_t)strtol(env_read_file(env, env_path(env, "spawn/p1.pid")), NULL, 10), "spawn/p1.sock");
    keeps_logs();
    managers_ask(10);
    assert_int_equal(spawn_fcgi("restart"), 0);
    ENV_WAIT(env, 30000, managers_healthy());
    /* what the former one said at its end stands at the beginning: no hole before it */
    ENV_WAIT(env, 30000, strstr(env_read_file(env, env_path(env, "spawnlog/core.log")), "app.ready") != NULL);
    assert_int_equal(spawn_fcgi("stop"), 0);
    assert_false(env_socket_open(env_path(env, "spawn/core.sock")));
    assert_int_equal(spawn_fcgi("stop"), 0);
    assert_int_equal(spawn_fcgi("begin"), 2);
}

/* ---- systemd ------------------------------------------------------------------------------------- */

static void units_are_right(void **state)
{
    static const char *const names[] = {"sluice-core.service", "sluice-core.socket", "sluice-proxy@.service", "sluice-proxy@.socket"};
    const char *dir = env_path(env, "units"), *argv[8] = {"systemd-analyze", "verify"};
    const char *path = arena_printf(env_arena(env), "SYSTEMD_UNIT_PATH=%s:", dir);
    int status;

    (void)state;
    if (access("/usr/bin/systemd-analyze", X_OK) != 0)
        skip();
    mkdir(dir, 0755);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = env_read_file(env, arena_printf(env_arena(env), DEPLOY "systemd/%s", names[i]));

        text = managers_text(text, "/usr/bin/sluice-core", env_program(env, "sluice-core"));
        text = managers_text(text, "/usr/bin/sluice-proxy", env_program(env, "sluice-proxy"));
        argv[2 + i] = arena_printf(env_arena(env), "%s/%s", dir, names[i]);
        env_write_file(env, argv[2 + i], text);
    }
    status = managers_run("systemd", argv, (const char *const[]){path, NULL});
    if (status != 0 || env_log(env, "systemd")[0] != '\0')
        env_fail(env, "systemd-analyze: %d %s", status, env_log(env, "systemd"));
    /* at most 2.0 of 10 */
    argv[1] = "security";
    argv[3] = argv[2];
    argv[2] = "--offline=true";
    argv[4] = "--threshold=20";
    argv[5] = "--no-pager";
    argv[6] = NULL;
    assert_int_equal(managers_run("systemd-security", argv, (const char *const[]){path, NULL}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(units_are_right), cmocka_unit_test(starts_by_spawn_fcgi)};

    env = managers_start("spawn");
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
