/*
 * sluicectl in tests of moving in.
 */
#include "integration/env_moving.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

enum { ARGS_MAX = 32, VARS_MAX = 8, RUN_MS = 60000 };

const char *moving_printed(struct env *env, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = arena_vprintf(env_arena(env), fmt, ap);
    va_end(ap);
    return s;
}

const char *moving_file(struct env *env, const char *name, const char *text)
{
    const char *path = env_path(env, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

const char *moving_base(struct env *env)
{
    static int n;
    const char *name = moving_printed(env, "moving%d", n++);

    env_new_database(env, name);
    return env_db_of(env, NULL, name);
}

/* ---- the password ------------------------------------------------------------------------------ */

bool moving_shows(const char *text)
{
    return strstr(text, CANARY) != NULL;
}

void moving_hides(struct env *env, const char *what, const char *text)
{
    if (moving_shows(text))
        env_fail(env, "%s shows the password: %s", what, text);
}

void moving_sealed(struct env *env, const char *db)
{
    moving_hides(env, "the database", env_pg_dump(env, db, ARGS("--data-only")));
    moving_hides(env, "the log of PostgreSQL", env_log(env, "postgres"));
}

/* What everybody on the machine can read about a process; 0: nothing, or still our own words, as it is yet to become the program. */
static size_t words_of(struct env *env, pid_t pid, char *text, size_t size)
{
    char theirs[PATH_MAX] = "", ours[PATH_MAX] = "";
    int fd = open(moving_printed(env, "/proc/%d/cmdline", (int)pid), O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, size) : 0;

    if (fd >= 0)
        close(fd);
    if (readlink(moving_printed(env, "/proc/%d/exe", (int)pid), theirs, sizeof theirs - 1) < 0 ||
        readlink("/proc/self/exe", ours, sizeof ours - 1) < 0 || strcmp(theirs, ours) == 0)
        return 0;
    return n > 0 ? (size_t)n : 0;
}

bool moving_listed(struct env *env, pid_t pid)
{
    char text[16384];
    size_t n = 0;

    ENV_WAIT(env, 10000, (n = words_of(env, pid, text, sizeof text)) > 0 || !env_running(env, pid));
    return memmem(text, n, CANARY, strlen(CANARY)) != NULL;
}

void moving_unlisted(struct env *env, pid_t pid)
{
    if (moving_listed(env, pid))
        env_fail(env, "the process list shows the password");
}

/* ---- running ----------------------------------------------------------------------------------- */

pid_t moving_start(struct env *env, const char *log, const char *db, const char *const *args,
                   const char *const *more)
{
    const char *argv[ARGS_MAX] = {env_program(env, "sluicectl")};
    const char *vars[VARS_MAX] = {moving_printed(env, "DB=%s", db)};
    pid_t pid;

    for (size_t n = 0; args[n] != NULL && n + 1 < ARGS_MAX - 1; n++)
        argv[n + 1] = args[n];
    for (size_t n = 0; more != NULL && more[n] != NULL && n + 1 < VARS_MAX - 1; n++)
        vars[n + 1] = more[n];
    pid = env_spawn(env, log, argv, vars);
    moving_unlisted(env, pid);
    return pid;
}

const char *moving_ctl_with(struct env *env, int status, const char *db, const char *const *args,
                            const char *const *more)
{
    static int n;
    const char *log = moving_printed(env, "ctl%d", n++);
    int got = env_wait_exit(env, moving_start(env, log, db, args, more), RUN_MS);

    /* the server may not have noticed yet that the run before has ended */
    for (int i = 0; i < 50 && got == 75 && status != 75 && strstr(env_log(env, log), "an import is running") != NULL; i++) {
        env_pause();
        log = moving_printed(env, "ctl%d", n++);
        got = env_wait_exit(env, moving_start(env, log, db, args, more), RUN_MS);
    }
    if (got != status)
        env_fail(env, "expected exit %d, got %d: %s", status, got, env_log(env, log));
    moving_hides(env, "the output", env_log(env, log));
    moving_hides(env, "the log of PostgreSQL", env_log(env, "postgres"));
    return env_log(env, log);
}

const char *moving_ctl(struct env *env, int status, const char *db, const char *const *args)
{
    return moving_ctl_with(env, status, db, args, NULL);
}

const char *moving_import(struct env *env, int status, const char *db, const char *const *args)
{
    const char *all[ARGS_MAX] = {"import-legacy"};

    for (size_t n = 0; args[n] != NULL && n + 1 < ARGS_MAX - 1; n++)
        all[n + 1] = args[n];
    return moving_ctl(env, status, db, all);
}

const char *moving_versions(struct env *env, const char *db)
{
    return env_psql_at(env, db, "SELECT count(*) FROM configuration WHERE comment LIKE 'import%'");
}

const char *moving_measured(struct env *env, int status, const char *db, const char *const *args, long *peak)
{
    pid_t pid;
    int got;

    env_small_quarantine();
    pid = moving_start(env, "measured", db, args, NULL);
    for (*peak = 0; env_running(env, pid); env_pause()) {
        long now = env_peak_kib(env, pid);

        *peak = now > *peak ? now : *peak;
    }
    got = env_wait_exit(env, pid, RUN_MS);
    if (got != status)
        env_fail(env, "expected exit %d, got %d: %s", status, got, env_log(env, "measured"));
    return env_log(env, "measured");
}

void moving_is(struct env *env, const char *db, const char *sql, const char *want)
{
    const char *got = env_psql_at(env, db, sql);

    if (strcmp(got, want) != 0)
        env_fail(env, "%s: expected \"%s\", got \"%s\"", sql, want, got);
}

void moving_says(struct env *env, const char *output, const char *part)
{
    if (strstr(output, part) == NULL)
        env_fail(env, "expected \"%s\" in: %s", part, output);
}

const char *moving_dump(struct env *env, const char *db)
{
    char *text = arena_strdup(env_arena(env), env_pg_dump(env, db, (const char *const[]){NULL}));

    for (char *p = text; (p = strstr(p, "restrict ")) != NULL;)
        while (*p != '\n' && *p != '\0')
            *p++ = '-';
    return text;
}

/* ---- the old platform -------------------------------------------------------------------------- */

static const char *with_password(struct env *env, const char *path)
{
    static char text[64 * 1024];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    const char *out = "", *rest = text;

    assert_true(n > 0);
    close(fd);
    text[n] = '\0';
    for (char *p; (p = strstr(rest, "@SECRET@")) != NULL; rest = p + 8)
        out = moving_printed(env, "%s%.*s%s", out, (int)(p - rest), rest, CANARY);
    return moving_printed(env, "%s%s", out, rest);
}

static int start_old_api(struct env *env, pid_t *pid, const char *log, int port, const char *const *options)
{
    const char *data = moving_file(env, "old-api.json",
                                   with_password(env, SLUICE_SOURCE_DIR "/tests/support/old_platform/api.json"));
    const char *argv[ARGS_MAX] = {env_program(env, "tests/standin_platform"), moving_printed(env, "-data=%s", data),
                                  moving_printed(env, "-port=%d", port), "-token=" CANARY};

    for (size_t n = 0; options[n] != NULL && n + 4 < ARGS_MAX - 1; n++)
        argv[n + 4] = options[n];
    *pid = env_spawn(env, log, argv, NULL);
    ENV_WAIT(env, 10000, env_port_open(port));
    return port;
}

int moving_old_api(struct env *env, pid_t *pid)
{
    return start_old_api(env, pid, "old platform", env_free_port(env), (const char *const[]){NULL});
}

int moving_old_api_with(struct env *env, pid_t *pid, const char *const *options)
{
    int port = env_free_port(env);

    return start_old_api(env, pid, moving_printed(env, "old platform %d", port), port, options);
}

const char *moving_old_database(struct env *env)
{
    const char *db = moving_base(env);

    (void)env_psql_at(env, db, with_password(env, SLUICE_SOURCE_DIR "/tests/support/old_platform/database.sql"));
    return db;
}
