/*
 * The PostgreSQL of an integration test: a fresh cluster on a Unix socket, no TCP, fsync off.
 *
 * The first program to need one leaves a copy of its empty cluster in the build folder; the others start from that.
 */
#include "integration/env_int.h"

#include <errno.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bad_day.h"

static const char *tool(struct env *env, const char *name)
{
    return env->bindir[0] != '\0' ? arena_printf(env->a, "%s/%s", env->bindir, name) : name;
}

/* Debian keeps the server's programs of each major version in a folder of their own, outside of
 * PATH. */
static void find_bindir(struct env *env)
{
    glob_t g;

    env->bindir = "";
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0 && g.gl_pathc > 0)
        env->bindir = arena_strdup(env->a, g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
}

/* ---- one server or two --------------------------------------------------------------------- */

static const char *data_of(struct env *env, int n)
{
    return env_path(env, n == 0 ? "data" : arena_printf(env->a, "data%d", n));
}

enum { FIRST_PORT = 5432 };

static const char *address_at(struct env *env, int n, const char *database)
{
    return arena_printf(env->a, "postgresql://sluice@/%s?host=%s&port=%d", database, env->dir, FIRST_PORT + n);
}

static void start_server(struct env *env, int n)
{
    static const char *const settings[] = {"listen_addresses=",  "fsync=off",           "full_page_writes=off",
                                           "max_connections=80", "shared_buffers=64MB", "unix_socket_permissions=0777"};
    const char *name = n == 0 ? "postgres" : arena_printf(env->a, "postgres%d", n);
    const char *argv[64] = {tool(env, "postgres"), "-D", data_of(env, n), "-k", env->dir, "-p",
                            arena_printf(env->a, "%d", FIRST_PORT + n)};
    size_t at = 7;

    for (size_t i = 0; i < COUNT_OF(settings); i++, at += 2) {
        argv[at] = "-c";
        argv[at + 1] = settings[i];
    }
    for (size_t i = 0; env->pg_settings != NULL && env->pg_settings[i] != NULL && at < 60; i++, at += 2) {
        argv[at] = "-c";
        argv[at + 1] = env->pg_settings[i];
    }
    env->postgres[n] = env_spawn_opts(env, &(struct spawn_opts){name, argv, env->pg_vars, true, SIGQUIT});
    ENV_WAIT(env, 30000, PQping(address_at(env, n, "postgres")) == PQPING_OK || !env_running(env, env->postgres[n]));
    if (!env_running(env, env->postgres[n]))
        env_fail(env, "PostgreSQL did not start: %s", env_log(env, name));
}

void env_pg_start(struct env *env)
{
    start_server(env, 0);
}

pid_t env_pg_pid(const struct env *env)
{
    return env->postgres[0];
}

void env_pg_stop_one(struct env *env, int n)
{
    (void)env_kill(env, env->postgres[n], SIGQUIT);
}

void env_pg_stop(struct env *env)
{
    env_pg_stop_one(env, 0);
}

void env_pg_follow(struct env *env, int n)
{
    const char *data = data_of(env, n);
    const char *argv[] = {tool(env, "pg_basebackup"), "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d",
                          address_at(env, 1 - n, "postgres"), NULL};

    env_run(env, &(struct spawn_opts){"rm", (const char *const[]){"rm", "-rf", data, NULL}, NULL, false, SIGKILL});
    env_run(env, &(struct spawn_opts){"pg_basebackup", argv, NULL, true, SIGKILL});
    start_server(env, n);
}

void env_pg_promote(struct env *env, int n)
{
    (void)env_psql_at(env, address_at(env, n, "postgres"), "SELECT pg_promote()");
}

const char *env_db_at(struct env *env, int n)
{
    return address_at(env, n, "sluice");
}

const char *env_db_both(struct env *env, const char *more)
{
    const char *both = arena_printf(env->a, "postgresql://sluice@/sluice?host=%s,%s&port=%d,%d", env->dir, env->dir, FIRST_PORT,
                                    FIRST_PORT + 1);

    env->uri = arena_printf(env->a, "%s&target_session_attrs=read-write", both);
    return arena_printf(env->a, "%s%s", both, more);
}

/* ---- a cluster to begin with ---------------------------------------------------------------- */

/* The server does not run as root. */
static void give_to_postgres(struct env *env, const char *path)
{
    const struct passwd *pw = getpwnam("postgres");

    if (geteuid() != 0)
        return;
    if (pw == NULL)
        env_fail(env, "running as root needs a user postgres");
    if (chown(path, pw->pw_uid, pw->pw_gid) != 0)
        env_fail(env, "cannot give away %s: %s", path, strerror(errno));
}

static void make_data_folder(struct env *env)
{
    const char *data = env_path(env, "data");

    if (mkdir(data, 0700) != 0)
        env_fail(env, "cannot make %s: %s", data, strerror(errno));
    give_to_postgres(env, data);
}

/* Where the empty cluster is kept: one for each version of the server and each user who runs it. */
static const char *kept_cluster(struct env *env)
{
    char *version = arena_strdup(env->a, env->bindir);

    for (char *at = version; *at != '\0'; at++)
        *at = *at == '/' ? '-' : *at;
    return arena_printf(env->a, "%s/tests/cluster%s-%ld", SLUICE_BINARY_DIR, version, (long)geteuid());
}

static void copy_folder(struct env *env, const char *from, const char *to)
{
    env_run(env, &(struct spawn_opts){"cp", (const char *const[]){"cp", "-a", from, to, NULL}, NULL, false, SIGKILL});
}

/* An empty cluster in data/, not started. */
static void make_cluster(struct env *env)
{
    const char *data = env_path(env, "data"), *kept = kept_cluster(env), *half;

    give_to_postgres(env, env->dir);
    if (access(kept, F_OK) == 0) {
        copy_folder(env, kept, data);
        return;
    }
    make_data_folder(env);
    env_run(env, &(struct spawn_opts){"initdb",
                                      (const char *const[]){tool(env, "initdb"), "-D", data, "-U",
                                                            "sluice", "-A", "trust", "-E", "UTF8",
                                                            "--locale=C", "--no-sync", NULL},
                                      NULL, true, SIGKILL});
    half = arena_printf(env->a, "%s.%ld", kept, (long)getpid());
    copy_folder(env, data, half);
    if (rename(half, kept) != 0) /* another program was first */
        env_run(env, &(struct spawn_opts){"rm", (const char *const[]){"rm", "-rf", half, NULL}, NULL, false, SIGKILL});
}

struct env *env_start(void)
{
    return env_start_with(NULL, NULL);
}

/* The server does not run as root: it gets a copy that it may read. */
static struct bad_day *make_bad_day(struct env *env)
{
    const char *library = env_path(env, "bad_day.so"), *path = env_path(env, "postgres.day");
    const char **vars = ARENA_ARRAY(env->a, const char *, 3);

    env_run(env, &(struct spawn_opts){"install",
                                      (const char *const[]){"install", "-m", "0644", env_program(env, "tests/preload_bad_day.so"), library, NULL},
                                      NULL, false, SIGKILL});
    vars[0] = arena_printf(env->a, "LD_PRELOAD=%s", library);
    vars[1] = arena_printf(env->a, "SLUICE_BAD_DAY=%s", path);
    env->pg_vars = vars;
    return bad_day_new(path);
}

struct env *env_start_with(const char *const *settings, struct bad_day **day)
{
    struct env *env = env_new();

    env->pg_settings = settings;
    if (day != NULL)
        *day = make_bad_day(env);
    find_bindir(env);
    make_cluster(env);
    env->uri = arena_strdup(env->a, env_db_of(env, NULL, "sluice"));
    env_write_file(env, env_path(env, "data/pg_hba.conf"),
                   "local all pw_user scram-sha-256\nlocal all all trust\nlocal replication all trust\n");
    env_pg_start(env);
    env_new_database(env, "sluice");
    return env;
}

const char *env_db(const struct env *env)
{
    return env->uri;
}

const char *env_db_of(struct env *env, const char *user, const char *database)
{
    return arena_printf(env->a, "postgresql://%s@/%s?host=%s", user != NULL ? user : "sluice",
                        database != NULL ? database : "sluice", env->dir);
}

const char *env_psql_at(struct env *env, const char *uri, const char *sql)
{
    PGconn *pg = PQconnectdb(uri);
    PGresult *r = NULL;
    const char *out = "";
    char text[500] = "";

    if (PQstatus(pg) == CONNECTION_OK)
        r = PQexec(pg, sql);
    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0)
        out = arena_strdup(env->a, PQgetvalue(r, 0, 0));
    else if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        snprintf(text, sizeof text, "%s", PQerrorMessage(pg));
    PQclear(r);
    PQfinish(pg);
    if (text[0] != '\0')
        env_fail(env, "%s in: %s", text, sql);
    return out;
}

const char *env_psql(struct env *env, const char *sql)
{
    return env_psql_at(env, env->uri, sql);
}

const char *env_sql(struct env *env, const char *format, ...)
{
    const char *sql;
    va_list ap;

    va_start(ap, format);
    sql = arena_vprintf(env->a, format, ap);
    va_end(ap);
    return env_psql(env, sql);
}

void env_new_database(struct env *env, const char *name)
{
    (void)env_psql_at(
        env, env_db_of(env, NULL, "postgres"),
        arena_printf(env->a, "CREATE DATABASE \"%s\" TEMPLATE template0 ENCODING 'UTF8'", name));
}

const char *env_pg_dump(struct env *env, const char *uri, const char *const *args)
{
    const char *argv[30] = {tool(env, "pg_dump")};
    const char *out = env_path(env, "dump.sql");
    size_t n = 1;

    while (args != NULL && *args != NULL && n < 24)
        argv[n++] = *args++;
    argv[n++] = "-f";
    argv[n++] = out;
    argv[n++] = uri;
    (void)unlink(out);
    env_run(env, &(struct spawn_opts){"pg_dump", argv, NULL, false, SIGKILL});
    return env_read_file(env, out);
}
