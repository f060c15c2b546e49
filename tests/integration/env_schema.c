/*
 * Databases for tests of migrations.
 */
#include "integration/env_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/env_int.h"

static int n_databases;

const char *schema_last_name(struct env *env)
{
    return arena_printf(env_arena(env), "m%d", n_databases);
}

const char *schema_empty(struct env *env)
{
    const char *name = arena_printf(env_arena(env), "m%d", ++n_databases);

    env_new_database(env, name);
    return env_db_of(env, NULL, name);
}

const char *schema_ready(struct env *env)
{
    static bool made;

    if (!made) {
        env_new_database(env, "ready");
        schema_must(env, NULL, env_db_of(env, NULL, "ready"));
        made = true;
    }
    (void)env_psql_at(env, env_db_of(env, NULL, "postgres"),
                      arena_printf(env_arena(env), "CREATE DATABASE m%d TEMPLATE ready", ++n_databases));
    return env_db_of(env, NULL, schema_last_name(env));
}

int schema_migrate(const struct migration *list, const char *uri, bool run, int64_t wait_ms, struct err *e)
{
    const struct migrate_opts o = {.run = run, .wait_ms = wait_ms, .program = "sluice-test"};

    memset(e, 0, sizeof *e);
    return migrate_run(list != NULL ? list : migrations_embedded, uri, "sluice@test", &o, e);
}

void schema_must(struct env *env, const struct migration *list, const char *uri)
{
    struct err e;

    if (schema_migrate(list, uri, true, 0, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
}

pid_t schema_process(const struct migration *list, const char *uri, bool run, int64_t wait_ms)
{
    pid_t pid = fork();
    struct err e;

    if (pid != 0)
        return pid;
    _exit(schema_migrate(list, uri, run, wait_ms, &e) == 0 ? 0 : 10 + (int)e.code);
}

int schema_exit_of(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

const struct migration *schema_with(struct env *env, const char *name, const char *text, bool additive)
{
    size_t n = (size_t)migrate_target();
    struct migration *list = ARENA_ARRAY(env_arena(env), struct migration, n + 2);

    memcpy(list, migrations_embedded, n * sizeof list[0]);
    list[n] = (struct migration){migrate_target() + 1, name, text, strlen(text), additive ? 1 : 0, ""};
    list[n + 1] = (struct migration){0};
    return list;
}

const char *schema_versions(struct env *env, const char *uri)
{
    return env_psql_at(env, uri, "SELECT count(*) || '/' || max(version) FROM schema_versions WHERE state = 'done'");
}

const char *schema_all_versions(struct env *env)
{
    return arena_printf(env_arena(env), "%d/%d", migrate_target(), migrate_target());
}

const char *schema_dump(struct env *env, const char *uri)
{
    struct str rest = str_c(env_pg_dump(env, uri,
                                        (const char *const[]){"--schema-only", "--no-owner", "--no-privileges",
                                                              "--exclude-table=*_p[0-9][0-9][0-9][0-9][0-9][0-9]", NULL}));
    struct buf lines;

    buf_init(&lines, 4 * MIB, env_arena(env));
    buf_add_c(&lines, "-- Made by pg_dump from a freshly migrated database; the migrations are the truth.\n"
                      "-- tests/integration/it_migrate.c compares; SLUICE_WRITE_SCHEMA=1 writes it anew.\n");
    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');

        /* versions of the tools, and what newer ones add */
        if (str_starts(line, STR("--")) || str_starts(line, STR("SET ")) || str_starts(line, STR("\\")) ||
            str_starts(line, STR("SELECT pg_catalog.set_config")) || line.len == 0)
            continue;
        buf_add_str(&lines, line);
        buf_putc(&lines, '\n');
        if (line.p[line.len - 1] == ';' && line.p[0] != ' ')
            buf_putc(&lines, '\n');
    }
    return buf_cstr(&lines);
}

const char *schema_file(struct env *env)
{
    return env_read_file(env, SLUICE_SOURCE_DIR "/sql/schema.sql");
}
