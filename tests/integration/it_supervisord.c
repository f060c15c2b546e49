/*
 * The file of deploy/ for supervisord with the real program, and how supervisord reads what is written there (migration.md 5).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "integration/env_int.h"
#include "integration/env_managers.h"
#include "support/cases.h"
#include "support/ws_client.h"

static struct env *env;

static const char manager[] = "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=%s/supervisord.pid\n"
                              "[unix_http_server]\nfile=%s/supervisor.sock\n"
                              "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = "
                              "supervisor.rpcinterface:make_main_rpcinterface\n"
                              "[supervisorctl]\nserverurl=unix://%s/supervisor.sock\n";

/* Where both processes of the core have their live views: the shipped file says 5001 and 5002. */
static int live_port(int process)
{
    static int tens;

    while (tens == 0) {
        tens = env_free_port(env) / 10;
        if (env_port_open(tens * 10 + 1) || env_port_open(tens * 10 + 2))
            tens = 0;
    }
    return tens * 10 + process;
}

static const char *supervisord_conf(void)
{
    const char *dir = env_path(env, "sup");
    const char *conf = env_read_file(env, DEPLOY "supervisord/sluice.conf");

    assert_non_null(strstr(conf, " -wsPort=500%(process_num)d\n"));
    conf = managers_text(conf, "-wsPort=500%(process_num)d", env_fmt(env, "-wsPort=%d%%(process_num)d", live_port(0) / 10));

    conf = managers_text(conf, "/usr/bin/sluice-core", env_program(env, "sluice-core"));
    conf = managers_text(conf, "/usr/bin/sluice-proxy", env_program(env, "sluice-proxy"));
    conf = managers_text(conf, "/run/sluice", dir);
    conf = managers_text(conf, "/var/log/supervisor", dir);
    conf = managers_text(conf, "postgresql://sluice:secret@db/sluice", managers_text(env_db(env), "%", "%%"));
    /* accounts of a real host */
    conf = managers_text(conf, "socket_owner=sluice:www-data\n", geteuid() == 0 ? "socket_owner=nobody:nogroup\n" : "");
    conf = managers_text(conf, "user=sluice\n", geteuid() == 0 ? "user=nobody\n" : "");
    return arena_printf(env_arena(env), "%s%s", arena_printf(env_arena(env), manager, dir, dir, dir), conf);
}

static int control(const char *conf, const char *action, const char *what)
{
    return managers_run("supervisorctl", (const char *const[]){"supervisorctl", "-c", conf, action, what, NULL}, NULL);
}

/* One by one, nothing is lost. */
static void restart_under_load(const char *conf, const char *what)
{
    pid_t pid = env_spawn(env, "supervisorctl", (const char *const[]){"supervisorctl", "-c", conf, "restart", what, NULL}, NULL);

    while (env_running(env, pid))
        managers_ask(2);
    assert_int_equal(env_wait_exit(env, pid, 1000), 0);
    managers_ask(20);
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

/* Each process shows them, where nginx looks: at the second when the first is away. */
static void live_views(void)
{
    const char *upstreams = env_read_file(env, SLUICE_SOURCE_DIR "/nginx/conf.d/upstreams.conf");

    assert_non_null(strstr(upstreams, "server 127.0.0.1:5001;"));
    assert_non_null(strstr(upstreams, "server 127.0.0.1:5002 backup;"));
    for (int i = 1; i <= 2; i++) {
        struct arena *a = arena_new(0);
        struct ws w;

        ENV_WAIT(env, 30000, env_port_open(live_port(i)));
        w = ws_open(live_port(i), "/api/v01/alarms/active/ws", "");
        assert_int_equal(w.status, 101);
        assert_null(ws_next(&w, 10000, a).p);
        assert_int_equal(w.close_code, 4002); /* nobody is signed in */
        ws_end(&w);
        arena_free(a);
    }
}

static void item_18_R_15_runs_under_supervisord(void **state)
{
    const char *conf = env_path(env, "sup/supervisord.conf");
    pid_t supervisor, core, now;

    (void)state;
    if (access("/usr/bin/supervisord", X_OK) != 0)
        skip();
    env_write_file(env, conf, supervisord_conf());
    supervisor = env_spawn(env, "supervisord", (const char *const[]){"supervisord", "-c", conf, NULL}, NULL);
    ENV_WAIT(env, 30000, managers_healthy());
    ENV_WAIT(env, 30000, managers_proxy_answers());

    managers_little_rights(pid_of(conf, "sluice_core:sluice_core_1"), "sup/core.sock");
    managers_little_rights(pid_of(conf, "sluice_p1:sluice_p1_0"), "sup/p1.sock");
    live_views();
    restart_under_load(conf, "sluice_core:sluice_core_1");
    restart_under_load(conf, "sluice_core:sluice_core_2");
    live_views();

    /* one that dies comes back */
    core = pid_of(conf, "sluice_core:sluice_core_1");
    assert_true(core > 1);
    assert_int_equal(kill(core, SIGKILL), 0);
    ENV_WAIT(env, 20000, (now = pid_of(conf, "sluice_core:sluice_core_1")) > 1 && now != core);
    ENV_WAIT(env, 20000, managers_healthy());

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
    {"R_19 blank and hash", "DB=\"postgresql://apio:a #b@postgres/apio\"", "No closing quotation", NULL},
    {"R_19 semicolon without a blank", "DB=\"postgresql://apio:a;b@postgres/apio\"", NULL, "postgresql://apio:a;b@postgres/apio"},
    {"R_19 hash without a blank", "DB=\"postgresql://apio:a#b@postgres/apio\"", NULL, "postgresql://apio:a#b@postgres/apio"},
    {"R_19 hash doubled", "DB=\"postgresql://apio:a%%23b@postgres/apio\"", NULL, "postgresql://apio:a%23b@postgres/apio"},
    {"R_19 the line of old, without quotes", "APIO_CONFIG_FILE=/etc/apio.yml,APIO_OPENID_AUTH=n", NULL, ""},
    {"R_19 semicolon doubled", "DB=\"postgresql://apio:a%%3Bb@postgres/apio\"", NULL, "postgresql://apio:a%3Bb@postgres/apio"},
};

static pid_t readers[COUNT_OF(lines)];

static const char *of_reader(size_t i, const char *name)
{
    return env_path(env, env_fmt(env, "line%zu%s", i, name));
}

/* Each line as an administrator writes it, loaded by a real supervisord; all at the same time, they take their seconds to start. */
static void begin_lines(void)
{
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        const char *dir = of_reader(i, ""), *conf = of_reader(i, "/supervisord.conf");

        mkdir(dir, 0755);
        env_write_file(env, of_reader(i, "/seen"), "");
        env_write_file(env, conf, env_fmt(env, "%s[program:x]\ncommand=/bin/sh -c \"echo seen:$DB >%s; exec sleep 60\"\nenvironment=%s\n",
                                      env_fmt(env, manager, dir, dir, dir), of_reader(i, "/seen"), lines[i].environment));
        readers[i] = env_spawn(env, env_fmt(env, "line%zu", i), (const char *const[]){"supervisord", "-c", conf, NULL}, NULL);
    }
}

static void reads_environment(const struct line_row *r)
{
    size_t i = (size_t)(r - lines);

    if (access("/usr/bin/supervisord", X_OK) != 0)
        skip();
    if (r->complaint != NULL) {
        assert_int_not_equal(env_wait_exit(env, readers[i], 20000), 0);
        assert_non_null(strstr(env_log(env, env_fmt(env, "line%zu", i)), r->complaint));
        return;
    }
    ENV_WAIT(env, 20000, strcmp(env_read_file(env, of_reader(i, "/seen")), env_fmt(env, "seen:%s\n", r->seen)) == 0);
    assert_int_equal(kill(readers[i], SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(item_18_R_15_runs_under_supervisord)};

    int failed;

    env = managers_start("sup");
    if (access("/usr/bin/supervisord", X_OK) == 0)
        begin_lines();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(lines, reads_environment);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (readers[i] != 0 && env_running(env, readers[i]))
            (void)env_wait_exit(env, readers[i], 20000);
    return env_end(env, failed);
}
