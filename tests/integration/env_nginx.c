/*
 * The nginx of an integration test: the files of nginx/ as they are, save for the port and the
 * sockets.
 */
#include "integration/env_int.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `text` with every `from` replaced by `to`. */
static const char *replaced(struct env *env, const char *text, const char *from, const char *to)
{
    struct buf b;
    const char *at;

    buf_init(&b, MIB, env->a);
    while ((at = strstr(text, from)) != NULL) {
        buf_add(&b, text, (size_t)(at - text));
        buf_add_c(&b, to);
        text = at + strlen(from);
    }
    buf_add_c(&b, text);
    return buf_cstr(&b);
}

static void make_dir(struct env *env, const char *name)
{
    const char *path = env_path(env, name);

    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        env_fail(env, "cannot make %s: %s", path, strerror(errno));
}

static const char *upstream(struct env *env, const char *name, const char *socket_name)
{
    /* a socket that is not there answers 502, as a program that is down does */
    return arena_printf(env->a, "upstream %s { server unix:%s max_fails=0; keepalive 16; }\n", name,
                        env_path(env, socket_name != NULL ? socket_name : "nobody.sock"));
}

static void copy_conf(struct env *env, int port, const char *core_socket, const char *proxy_socket)
{
    const char *source = SLUICE_SOURCE_DIR "/nginx";
    const char *conf = env_read_file(env, arena_printf(env->a, "%s/nginx.conf", source));
    glob_t g;

    conf = replaced(env, conf, "127.0.0.1:8080", arena_printf(env->a, "127.0.0.1:%d", port));
    conf = replaced(env, conf, "worker_processes auto;",
                    geteuid() == 0 ? "worker_processes 1;\nuser root;" : "worker_processes 1;");
    if (strstr(conf, "user root;") != NULL &&
        strstr(strstr(conf, "user root;") + 1, "\nuser ") != NULL)
        env_fail(env, "nginx.conf names a user: the test cannot");
    env_write_file(env, env_path(env, "nginx/nginx.conf"), conf);
    if (glob(arena_printf(env->a, "%s/conf.d/*", source), 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            const char *name = strrchr(g.gl_pathv[i], '/') + 1;

            env_write_file(env, env_path(env, arena_printf(env->a, "nginx/conf.d/%s", name)),
                           env_read_file(env, g.gl_pathv[i]));
        }
    }
    globfree(&g);
    env_write_file(env, env_path(env, "nginx/conf.d/upstreams.conf"),
                   arena_printf(env->a, "%s%supstream sluice_live { server 127.0.0.1:%d; }\n",
                                upstream(env, "sluice_core", core_socket),
                                upstream(env, "sluice_proxy_p1", proxy_socket),
                                env->live_port != 0 ? env->live_port : 1));
    env_write_file(env, env_path(env, "nginx/mime.types"),
                   env_read_file(env, "/etc/nginx/mime.types"));
    env_write_file(env, env_path(env, "nginx/ui/index.html"),
                   env_read_file(env, arena_printf(env->a, "%s/ui/index.html", source)));
}

int env_live_port(struct env *env)
{
    if (env->live_port == 0)
        env->live_port = env_free_port(env);
    return env->live_port;
}

/* On the port and with the files that are there. */
void env_nginx_again(struct env *env)
{
    env->nginx = env_spawn_opts(
        env, &(struct spawn_opts){"nginx",
                                  (const char *const[]){"nginx", "-p", env_path(env, "nginx"), "-c", "nginx.conf",
                                                        "-e", "stderr", "-g", "daemon off;", NULL},
                                  NULL, false, SIGTERM});
    ENV_WAIT(env, 10000, env_port_open(env->nginx_port) || !env_running(env, env->nginx));
    if (!env_running(env, env->nginx))
        env_fail(env, "nginx did not start: %s", env_log(env, "nginx"));
}

int env_nginx_start(struct env *env, const char *core_socket, const char *proxy_socket)
{
    make_dir(env, "nginx");
    make_dir(env, "nginx/conf.d");
    make_dir(env, "nginx/logs");
    make_dir(env, "nginx/ui");
    env->nginx_port = env_free_port(env);
    copy_conf(env, env->nginx_port, core_socket, proxy_socket);
    env_nginx_again(env);
    return env->nginx_port;
}

static const char *workers_of(struct env *env)
{
    return env_read_file(env, arena_printf(env->a, "/proc/%d/task/%d/children", (int)env->nginx, (int)env->nginx));
}

static void signal_workers(const char *pids, int sig)
{
    struct str rest = str_c(pids);
    int64_t pid;

    while (rest.len > 0)
        if (str_to_int(str_cut(&rest, ' '), &pid))
            kill((pid_t)pid, sig);
}

void env_nginx_hold(struct env *env, bool hold)
{
    signal_workers(workers_of(env), hold ? SIGSTOP : SIGCONT);
}

/* The workers of a killed master would go on. */
void env_nginx_kill(struct env *env)
{
    const char *workers = workers_of(env);

    kill(env->nginx, SIGKILL);
    signal_workers(workers, SIGKILL);
    (void)env_kill(env, env->nginx, SIGKILL);
    ENV_WAIT(env, 10000, !env_port_open(env->nginx_port));
}
