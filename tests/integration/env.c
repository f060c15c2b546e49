/*
 * Folder, child processes, logs and HTTP of an integration test.  PostgreSQL: env_pg.c; nginx:
 * env_nginx.c.
 *
 * Children are stopped by pid at the end, and by the kernel (parent-death signal) when the test
 * itself is killed.
 */
#include "integration/env_int.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pwd.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOG_SHOWN = 6000, /* bytes of each log printed on failure */
    TOO_LONG_S = 800, /* less than the time-outs of tests/CMakeLists.txt */
};

static struct env *current; /* for the handler at exit; one environment per program */

struct arena *env_arena(struct env *env)
{
    return env->a;
}

const char *env_fmt(struct env *env, const char *format, ...)
{
    const char *out;
    va_list ap;

    va_start(ap, format);
    out = arena_vprintf(env->a, format, ap);
    va_end(ap);
    return out;
}

const char *env_path(struct env *env, const char *name)
{
    return name[0] == '/' ? name : arena_printf(env->a, "%s/%s", env->dir, name);
}

int64_t env_until(int ms)
{
    return clock_mono_ms(&clock_system) + (ms > ENV_PATIENCE_MS ? ms : ENV_PATIENCE_MS);
}

void env_pause(void)
{
    usleep(20000);
}

/* ---- files ------------------------------------------------------------------------------- */

const char *env_read_file(struct env *env, const char *path)
{
    struct buf b;
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "r");

    buf_init(&b, 64 * MIB, env->a);
    if (f != NULL) {
        while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
            buf_add(&b, chunk, n);
        fclose(f);
    }
    return buf_cstr(&b);
}

void env_write_file(struct env *env, const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        env_fail(env, "cannot write %s: %s", path, strerror(errno));
}

const char *env_log(struct env *env, const char *name)
{
    return env_read_file(env, env_path(env, arena_printf(env->a, "%s.log", name)));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* ---- failing and ending ------------------------------------------------------------------ */

static void print_logs(struct env *env)
{
    for (size_t i = 0; i < env->n_children; i++) {
        const char *text;
        size_t len, from;
        bool seen = false;

        for (size_t j = 0; j < i; j++)
            seen = seen || strcmp(env->children[j].name, env->children[i].name) == 0;
        if (seen)
            continue;
        text = env_log(env, env->children[i].name);
        len = strlen(text);
        from = len > LOG_SHOWN ? len - LOG_SHOWN : 0;
        fprintf(stderr, "---- %s.log%s\n%s", env->children[i].name, from > 0 ? " (its end)" : "",
                text + from);
    }
}

void env_fail(struct env *env, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    (void)env;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s\n", text);
    fail_msg("%s", text);
    exit(1); /* outside of a test fail_msg() may come back */
}

static void reap(struct child *c, int options)
{
    int status;

    if (!c->ended && waitpid(c->pid, &status, options) == c->pid) {
        c->ended = true;
        c->status = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

/* Ask politely, then not; PostgreSQL last, since the others use it, and as a power cut would. */
static void stop_all(struct env *env)
{
    for (size_t i = env->n_children; i-- > 0;) {
        struct child *c = &env->children[i];
        int64_t until = clock_mono_ms(&clock_system) + 5000;

        reap(c, WNOHANG);
        if (c->ended)
            continue;
        kill(c->pid, c->stop_signal);
        while (!c->ended && clock_mono_ms(&clock_system) < until) {
            reap(c, WNOHANG);
            if (!c->ended)
                usleep(5000);
        }
        if (!c->ended) {
            kill(c->pid, SIGKILL);
            reap(c, 0);
        }
    }
}

int env_end(struct env *env, int failed)
{
    if (env == NULL)
        return failed;
    current = NULL;
    stop_all(env);
    if (failed != 0)
        print_logs(env);
    if (getenv("SLUICE_KEEP") != NULL)
        fprintf(stderr, "kept: %s\n", env->dir);
    else
        (void)nftw(env->dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    http_client_pool_free(env->client);
    arena_free(env->a);
    return failed;
}

static void end_at_exit(void)
{
    if (current != NULL)
        (void)env_end(current, 1);
}

/* Whoever kills a program that hangs sees no logs: shown before that.  Not all of this may be done here, but there is nothing to lose. */
static void show_and_end(int sig)
{
    (void)sig;
    fprintf(stderr, "not over after %d s\n", TOO_LONG_S);
    (void)env_end(current, 1);
    _exit(1);
}

/* Settings of libpq are for the databases of whoever runs the tests. */
static void forget_libpq(void)
{
    static const char *const names[] = {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGOPTIONS", "PGSERVICE", "PGSSLMODE", "PGAPPNAME"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unsetenv(names[i]);
}

struct env *env_new(void)
{
    struct arena *a = arena_new(0);
    struct env *env = ARENA_NEW(a, struct env);
    const char *tmp = getenv("TMPDIR");

    env->a = a;
    snprintf(env->dir, sizeof env->dir, "%s/sluice-XXXXXX",
             tmp != NULL && strlen(tmp) < 30 ? tmp : P_tmpdir);
    if (mkdtemp(env->dir) == NULL || chmod(env->dir, 0755) != 0) {
        perror(env->dir);
        exit(1);
    }
    current = env;
    forget_libpq();
    atexit(end_at_exit);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, show_and_end);
    if (getenv("SLUICE_SECONDS") == NULL && getenv("SLUICE_ROUNDS") == NULL) /* somebody chose how long it takes */
        alarm(TOO_LONG_S);
    http_client_init();
    env->client = http_client_pool_new();
    return env;
}

/* ---- children ---------------------------------------------------------------------------- */

static void become_postgres(void)
{
    const struct passwd *pw = getpwnam("postgres");

    if (geteuid() != 0)
        return;
    if (pw == NULL || setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
        _exit(127);
}

void env_small_quarantine(void)
{
    const char *given = getenv("ASAN_OPTIONS");
    char options[512];

    (void)snprintf(options, sizeof options, "%s:quarantine_size_mb=4", given != NULL ? given : "");
    (void)setenv("ASAN_OPTIONS", options, 1);
}

static char **child_environment(struct env *env, const char *const *vars)
{
    static const char *const passed[] = {"PATH",          "HOME",         "ASAN_OPTIONS",
                                         "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"};
    size_t n = 0, given = 0;
    char **out;

    while (vars != NULL && vars[given] != NULL)
        given++;
    out = ARENA_ARRAY(env->a, char *, COUNT_OF(passed) + given + 1);
    for (size_t i = 0; i < COUNT_OF(passed); i++) {
        if (getenv(passed[i]) != NULL)
            out[n++] = arena_printf(env->a, "%s=%s", passed[i], getenv(passed[i]));
    }
    for (size_t i = 0; i < given; i++)
        out[n++] = arena_strdup(env->a, vars[i]);
    return out;
}

/* A free place; when there is none, that of one of the same name that has ended. */
static struct child *child_slot(struct env *env, const char *name)
{
    if (env->n_children < CHILDREN_MAX)
        return &env->children[env->n_children++];
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (env->children[i].ended && strcmp(env->children[i].name, name) == 0)
            return &env->children[i];
    env_fail(env, "too many children");
}

pid_t env_spawn_opts(struct env *env, const struct spawn_opts *o)
{
    const char *log = env_path(env, arena_printf(env->a, "%s.log", o->name));
    char **environment = child_environment(env, o->vars);
    size_t n = 0;
    char **argv;
    pid_t pid, parent = getpid();

    while (o->argv[n] != NULL)
        n++;
    argv = ARENA_ARRAY(env->a, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        argv[i] = arena_strdup(env->a, o->argv[i]);
    pid = fork();
    if (pid < 0)
        env_fail(env, "fork: %s", strerror(errno));
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(127);
        if (o->as_postgres)
            become_postgres();
        if (chdir(env->dir) != 0 || prctl(PR_SET_PDEATHSIG, o->death_signal) != 0 ||
            getppid() != parent)
            _exit(127); /* the death signal is set after changing the user, which clears it */
        signal(SIGPIPE, SIG_DFL);
        execvpe(argv[0], argv, environment);
        dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    for (size_t i = 0; i < env->n_children; i++)
        if (env->children[i].pid == pid)
            env->children[i].pid = -1; /* it ended long ago: pids come round */
    *child_slot(env, o->name) = (struct child){
        .pid = pid, .name = arena_strdup(env->a, o->name), .stop_signal = o->death_signal == SIGQUIT ? SIGQUIT : SIGTERM};
    return pid;
}

pid_t env_spawn(struct env *env, const char *name, const char *const *argv, const char *const *vars)
{
    return env_spawn_opts(env, &(struct spawn_opts){name, argv, vars, false, SIGKILL});
}

static struct child *child_of(struct env *env, pid_t pid)
{
    for (size_t i = env->n_children; i-- > 0;) {
        if (env->children[i].pid == pid)
            return &env->children[i];
    }
    env_fail(env, "no child %d", (int)pid);
}

bool env_running(struct env *env, pid_t pid)
{
    struct child *c = child_of(env, pid);

    reap(c, WNOHANG);
    return !c->ended;
}

long env_peak_kib(struct env *env, pid_t pid)
{
    const char *line = strstr(env_read_file(env, arena_printf(env->a, "/proc/%d/status", (int)pid)), "VmHWM:");

    return line != NULL ? strtol(line + 6, NULL, 10) : 0;
}

int env_wait_exit(struct env *env, pid_t pid, int ms)
{
    struct child *c = child_of(env, pid);
    int64_t until = env_until(ms);

    while (env_running(env, pid)) {
        if (clock_mono_ms(&clock_system) > until)
            env_fail(env, "%s (pid %d) did not end", c->name, (int)pid);
        usleep(5000);
    }
    return c->status;
}

int env_kill(struct env *env, pid_t pid, int sig)
{
    if (env_running(env, pid))
        kill(pid, sig);
    return env_wait_exit(env, pid, 40000);
}

void env_stop(struct env *env, pid_t pid)
{
    const char *name = child_of(env, pid)->name;

    assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    assert_null(strstr(env_log(env, name), "runtime error"));
    assert_null(strstr(env_log(env, name), "Sanitizer"));
}

void env_run(struct env *env, const struct spawn_opts *o)
{
    int status = env_wait_exit(env, env_spawn_opts(env, o), 60000);

    if (status != 0)
        env_fail(env, "%s ended with %d: %s", o->argv[0], status, env_log(env, o->name));
}

/* ---- our programs ------------------------------------------------------------------------ */

const char *env_program(struct env *env, const char *name)
{
    return arena_printf(env->a, "%s/%s", SLUICE_BINARY_DIR, name);
}

/* Does nobody listen there, and may the port be had? */
static bool port_is_free(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        close(fd);
    return is_free;
}

/* No other test program is given this port while we run: the name is ours until our end. */
static bool port_is_ours(int port)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "sluice-test-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0)
        return true;
    if (fd >= 0)
        close(fd);
    return false;
}

int env_free_port(struct env *env)
{
    /* below those the kernel gives to connections, so that none takes it before its server does */
    enum { FIRST = 12000, PORTS = 18000 };
    static int n;

    for (int tries = 0; tries < PORTS; tries++) {
        int port = FIRST + (int)((getpid() * 31LL + n++) % PORTS);

        if (port_is_ours(port) && port_is_free(port))
            return port;
    }
    env_fail(env, "no free port");
}

int env_connect(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

ssize_t env_recv(int fd, void *to, size_t n)
{
    const struct timeval patience = {.tv_sec = ENV_PATIENCE_MS / 1000};
    ssize_t got;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do
        got = recv(fd, to, n, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

bool env_port_open(int port)
{
    int fd = env_connect(port);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool env_socket_open(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = false;

    if (fd >= 0 && strlen(path) < sizeof at.sun_path) {
        memcpy(at.sun_path, path, strlen(path) + 1);
        open = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    }
    if (fd >= 0)
        close(fd);
    return open;
}

pid_t env_app_start(struct env *env, const char *program, const char *socket_name,
                    const char *const *args)
{
    const char *vars[] = {arena_printf(env->a, "DB=%s", env->uri), NULL};

    return env_app_start_with(env, program, socket_name, args, vars);
}

pid_t env_app_start_with(struct env *env, const char *program, const char *socket_name,
                         const char *const *args, const char *const *vars)
{
    const char *path = env_path(env, socket_name);
    const char *argv[40] = {env_program(env, program), arena_printf(env->a, "-socket=%s", path)};
    pid_t pid;

    for (size_t i = 0; args != NULL && args[i] != NULL && i < 37; i++)
        argv[2 + i] = args[i];
    pid = env_spawn(env, socket_name, argv, vars);
    ENV_WAIT(env, 20000, env_socket_open(path) || !env_running(env, pid));
    if (!env_running(env, pid))
        env_fail(env, "%s ended at once: %s", program, env_log(env, socket_name));
    return pid;
}

/* ---- HTTP -------------------------------------------------------------------------------- */

struct env_answer env_http_at(struct env *env, const char *method, const char *url,
                              const char *const *headers, const char *body)
{
    struct http_header list[32];
    struct http_call call = {
        .method = str_c(method), .url = str_c(url), .headers = list, .total_ms = 30000};
    struct http_result result;
    struct env_answer answer = {.body = "", .headers = ""};
    struct err e = {0};
    struct buf text;

    for (size_t i = 0; headers != NULL && headers[i] != NULL && i < COUNT_OF(list); i++) {
        struct str value = str_c(headers[i]);

        list[i].name = str_cut(&value, ':');
        list[i].value = str_trim(value);
        call.n_headers = i + 1;
    }
    if (body != NULL)
        call.body = str_c(body);
    if (http_client_do(env->client, &call, &result, env->a, &e) != 0) {
        answer.body = arena_printf(env->a, "%s", e.msg);
        return answer;
    }
    buf_init(&text, MIB, env->a);
    for (size_t i = 0; i < result.n_headers; i++)
        buf_addf(&text, "%.*s: %.*s\n", STR_ARG(result.headers[i].name),
                 STR_ARG(result.headers[i].value));
    answer.status = result.status;
    answer.body = str_cstr(env->a, result.body);
    answer.body_len = result.body.len;
    answer.headers = buf_cstr(&text);
    return answer;
}

struct env_answer env_http(struct env *env, const char *method, const char *path,
                           const char *const *headers, const char *body)
{
    return env_http_at(env, method,
                       arena_printf(env->a, "http://127.0.0.1:%d%s", env->nginx_port, path),
                       headers, body);
}

struct env_answer env_http_once(struct env *env, const char *method, const char *path, const char *const *headers, const char *body)
{
    struct http_client_pool *kept = env->client;
    struct env_answer a;

    env->client = http_client_pool_new();
    a = env_http(env, method, path, headers, body);
    http_client_pool_free(env->client);
    env->client = kept;
    return a;
}

const char *env_header(struct env *env, const struct env_answer *a, const char *name)
{
    struct str rest = str_c(a->headers);

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str key = str_cut(&value, ':');

        if (str_ieq(key, str_c(name)))
            return str_cstr(env->a, str_trim(value));
    }
    return "";
}
