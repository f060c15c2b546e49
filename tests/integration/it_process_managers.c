/*
 * The files of deploy/ for supervisord, spawn-fcgi and systemd, each with the real program (migration.md 5).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "integration/env_api.h"
#include "integration/env_int.h"
#include "support/cases.h"

static struct env *env;

#define DEPLOY SLUICE_SOURCE_DIR "/deploy/"

/* ---- texts ------------------------------------------------------------------------------------ */

/* Every `from` in `text` by `to`. */
static const char *replaced(const char *text, const char *from, const char *to)
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

/* ---- running ---------------------------------------------------------------------------------- */

/* Run a program to its end; its status. */
static int run(const char *log, const char *const *argv, const char *const *vars)
{
    return env_wait_exit(env, env_spawn(env, log, argv, vars), 60000);
}

static bool healthy(void)
{
    return env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200;
}

static bool proxy_answers(void)
{
    return env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL).status == 401;
}

static void ask_often(int n)
{
    for (int i = 0; i < n; i++) {
        struct env_answer a = env_http(env, i % 2 == 0 ? "GET" : "POST",
                                       i % 2 == 0 ? "/api/v01/health" : "/api/v01/auth/login", NULL,
                                       i % 2 == 0 ? NULL : "{\"username\":\"x\",\"password\":\"y\"}");

        if (a.status != (i % 2 == 0 ? 200 : 401))
            env_fail(env, "request %d: %d %s", i, a.status, a.body);
    }
}

/* Started by root: a process of another account, and a socket for it and the group of nginx only. */
static void has_little_rights(pid_t pid, const char *socket)
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

/* ---- spawn-fcgi --------------------------------------------------------------------------------- */

static int spawn_fcgi(const char *word)
{
    const char *run_dir = env_path(env, "spawn");
    const char *vars[] = {arena_printf(env_arena(env), "SLUICE_ENV=%s", env_path(env, "sluice.env")),
                          arena_printf(env_arena(env), "SLUICE_RUN=%s", run_dir),
                          arena_printf(env_arena(env), "SLUICE_BIN=%s", replaced(env_program(env, "sluice-core"), "/sluice-core", "")),
                          "SLUICE_USER=nobody",
                          "SLUICE_GROUP=nogroup",
                          NULL};

    return run("spawn-fcgi", (const char *const[]){DEPLOY "spawn-fcgi/sluice", word, NULL}, vars);
}

static void starts_by_spawn_fcgi(void **state)
{
    const char *settings = replaced(env_read_file(env, DEPLOY "spawn-fcgi/sluice.env"), "postgresql://sluice:secret@db/sluice", env_db(env));

    (void)state;
    if (access("/usr/bin/spawn-fcgi", X_OK) != 0)
        skip();
    env_write_file(env, env_path(env, "sluice.env"), settings);
    assert_int_equal(spawn_fcgi("status"), 1);
    assert_int_equal(spawn_fcgi("start"), 0);
    ENV_WAIT(env, 30000, healthy());
    ENV_WAIT(env, 30000, proxy_answers());
    assert_int_equal(spawn_fcgi("start"), 0); /* they run already */
    assert_int_equal(spawn_fcgi("status"), 0);
    has_little_rights((pid_t)strtol(env_read_file(env, env_path(env, "spawn/core.pid")), NULL, 10), "spawn/core.sock");
    has_little_rights((pid_t)strtol(env_read_file(env, env_path(env, "spawn/p1.pid")), NULL, 10), "spawn/p1.sock");
    ask_often(10);
    assert_int_equal(spawn_fcgi("restart"), 0);
    ENV_WAIT(env, 30000, healthy());
    assert_int_equal(spawn_fcgi("stop"), 0);
    assert_false(env_socket_open(env_path(env, "spawn/core.sock")));
    assert_int_equal(spawn_fcgi("stop"), 0);
    assert_int_equal(spawn_fcgi("begin"), 2);
}

/* ---- supervisord -------------------------------------------------------------------------------- */

static const char manager[] = "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=%s/supervisord.pid\n"
                              "[unix_http_server]\nfile=%s/supervisor.sock\n"
                              "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = "
                              "supervisor.rpcinterface:make_main_rpcinterface\n"
                              "[supervisorctl]\nserverurl=unix://%s/supervisor.sock\n";

static const char *supervisord_conf(void)
{
    const char *dir = env_path(env, "sup");
    const char *conf = env_read_file(env, DEPLOY "supervisord/sluice.conf");

    conf = replaced(conf, "/usr/bin/sluice-core", env_program(env, "sluice-core"));
    conf = replaced(conf, "/usr/bin/sluice-proxy", env_program(env, "sluice-proxy"));
    conf = replaced(conf, "/run/sluice", dir);
    conf = replaced(conf, "/var/log/sluice", dir);
    conf = replaced(conf, "postgresql://sluice:secret@db/sluice", replaced(env_db(env), "%", "%%"));
    /* accounts of a real host */
    conf = replaced(conf, "socket_owner=sluice:www-data\n", geteuid() == 0 ? "socket_owner=nobody:nogroup\n" : "");
    conf = replaced(conf, "user=sluice\n", geteuid() == 0 ? "user=nobody\n" : "");
    return arena_printf(env_arena(env), "%s%s", arena_printf(env_arena(env), manager, dir, dir, dir), conf);
}

static int control(const char *conf, const char *action, const char *what)
{
    return run("supervisorctl", (const char *const[]){"supervisorctl", "-c", conf, action, what, NULL}, NULL);
}

/* One by one, nothing is lost. */
static void restart_under_load(const char *conf, const char *what)
{
    pid_t pid = env_spawn(env, "supervisorctl", (const char *const[]){"supervisorctl", "-c", conf, "restart", what, NULL}, NULL);

    while (env_running(env, pid))
        ask_often(2);
    assert_int_equal(env_wait_exit(env, pid, 1000), 0);
    ask_often(20);
}

static pid_t pid_of(const char *conf, const char *program)
{
    const char *before = env_log(env, "supervisorctl");
    const char *text;

    if (control(conf, "pid", program) != 0)
        return 0;
    text = env_log(env, "supervisorctl") + strlen(before);
    return (pid_t)strtol(text, NULL, 10);
}

static void item_18_R_15_runs_under_supervisord(void **state)
{
    const char *dir = env_path(env, "sup"), *conf = env_path(env, "sup/supervisord.conf");
    pid_t supervisor, core;

    (void)state;
    if (access("/usr/bin/supervisord", X_OK) != 0)
        skip();
    mkdir(dir, 0755);
    env_write_file(env, conf, supervisord_conf());
    supervisor = env_spawn(env, "supervisord", (const char *const[]){"supervisord", "-c", conf, NULL}, NULL);
    ENV_WAIT(env, 30000, healthy());
    ENV_WAIT(env, 30000, proxy_answers());

    has_little_rights(pid_of(conf, "sluice_core:sluice_core_0"), "sup/core.sock");
    has_little_rights(pid_of(conf, "sluice_p1:sluice_p1_0"), "sup/p1.sock");
    restart_under_load(conf, "sluice_core:sluice_core_0");
    restart_under_load(conf, "sluice_core:sluice_core_1");

    /* one that dies comes back */
    core = pid_of(conf, "sluice_core:sluice_core_0");
    assert_true(core > 1);
    assert_int_equal(kill(core, SIGKILL), 0);
    ENV_WAIT(env, 20000, pid_of(conf, "sluice_core:sluice_core_0") > 1 && pid_of(conf, "sluice_core:sluice_core_0") != core);
    ENV_WAIT(env, 20000, healthy());

    assert_int_equal(env_kill(env, supervisor, SIGTERM), 0);
    assert_false(env_socket_open(env_path(env, "sup/core.sock")));
}

static const struct line_row {
    const char *name, *environment, *complaint, *seen; /* complaint NULL: it loads, and the process sees DB=seen */
} lines[] = {
    {"R_15 quoted", "DB=\"postgresql://apio:secret@postgres/apio\"", NULL, "postgresql://apio:secret@postgres/apio"},
    {"R_19 doubled", "DB=\"postgresql://apio:se%%40cret@postgres/apio\"", NULL, "postgresql://apio:se%40cret@postgres/apio"},
    {"R_19 not quoted", "DB=postgresql://apio:secret@postgres/apio", "Unexpected end of key/value pairs", NULL},
    {"R_19 not doubled", "DB=\"postgresql://apio:se%40cret@postgres/apio\"", "is badly formatted", NULL},
    {"R_19 blank and semicolon", "DB=\"postgresql://apio:a ;b@postgres/apio\"", "No closing quotation", NULL},
    {"R_19 semicolon doubled", "DB=\"postgresql://apio:a%%3Bb@postgres/apio\"", NULL, "postgresql://apio:a%3Bb@postgres/apio"},
};

/* A line as an administrator writes it, loaded by a real supervisord. */
static void reads_environment(const struct line_row *r)
{
    const char *dir = env_path(env, "line"), *conf = env_path(env, "line/supervisord.conf"), *out = env_path(env, "line/seen");
    const char *seen = arena_printf(env_arena(env), "seen:%s\n", r->seen != NULL ? r->seen : "");
    size_t before = strlen(env_log(env, "line"));
    pid_t pid;

    if (access("/usr/bin/supervisord", X_OK) != 0)
        skip();
    mkdir(dir, 0755);
    env_write_file(env, out, "");
    env_write_file(env, conf, arena_printf(env_arena(env), "%s[program:x]\ncommand=/bin/sh -c \"echo seen:$DB >%s; exec sleep 60\"\nenvironment=%s\n",
                                  arena_printf(env_arena(env), manager, dir, dir, dir), out, r->environment));
    pid = env_spawn(env, "line", (const char *const[]){"supervisord", "-c", conf, NULL}, NULL);
    if (r->complaint != NULL) {
        assert_int_not_equal(env_wait_exit(env, pid, 20000), 0);
        assert_non_null(strstr(env_log(env, "line") + before, r->complaint));
        return;
    }
    ENV_WAIT(env, 20000, strcmp(env_read_file(env, out), seen) == 0);
    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
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

        text = replaced(text, "/usr/bin/sluice-core", env_program(env, "sluice-core"));
        text = replaced(text, "/usr/bin/sluice-proxy", env_program(env, "sluice-proxy"));
        argv[2 + i] = arena_printf(env_arena(env), "%s/%s", dir, names[i]);
        env_write_file(env, argv[2 + i], text);
    }
    status = run("systemd", argv, (const char *const[]){path, NULL});
    if (status != 0 || env_log(env, "systemd")[0] != '\0')
        env_fail(env, "systemd-analyze: %d %s", status, env_log(env, "systemd"));
    /* at most 2.0 of 10 */
    argv[1] = "security";
    argv[3] = argv[2];
    argv[2] = "--offline=true";
    argv[4] = "--threshold=20";
    argv[5] = "--no-pager";
    argv[6] = NULL;
    assert_int_equal(run("systemd-security", argv, (const char *const[]){path, NULL}), 0);
}

/* nginx asks the socket of whoever runs now. */
static void behind(const char *folder)
{
    const char *core = env_path(env, "core.sock"), *p1 = env_path(env, "p1.sock");

    unlink(core);
    unlink(p1);
    if (symlink(arena_printf(env_arena(env), "%s/core.sock", folder), core) != 0 ||
        symlink(arena_printf(env_arena(env), "%s/p1.sock", folder), p1) != 0)
        env_fail(env, "cannot link sockets");
}

static int behind_spawn(void **state)
{
    (void)state;
    behind("spawn");
    return 0;
}

static int behind_supervisor(void **state)
{
    (void)state;
    behind("sup");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_right),
        cmocka_unit_test_setup(starts_by_spawn_fcgi, behind_spawn),
        cmocka_unit_test_setup(item_18_R_15_runs_under_supervisord, behind_supervisor),
    };
    pid_t core;
    int failed;

    env = env_start();
    env_nginx_start(env, "core.sock", "p1.sock");
    mkdir(env_path(env, "spawn"), 0755);
    if (geteuid() == 0 && chown(env_path(env, "spawn"), 65534, 65534) != 0)
        env_fail(env, "chown");
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    api_admin(env);
    api_configure(env, "gateways", "{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}}");
    env_kill(env, core, SIGTERM);
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(lines, reads_environment);
    return env_end(env, failed);
}
