/*
 * Sources of an import that are out of reach, too large, or made to do harm (migration.md 4.3, 6.3): each is refused with the
 * words for it, or read within bounds; nothing of it reaches the terminal that a terminal obeys.
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

static struct env *env;
static const char *db;

/* ---- files that cannot be had ---------------------------------------------------------------- */

/* Every option that names a file, %s its path; more: without which it is not read. */
static const struct option {
    const char *name, *how, *more;
} options[] = {
    {"file", "--file=%s", NULL},
    {"file of a proxy", "--file=p1:%s", NULL},
    {"env file", "--env-file=%s", NULL},
    {"compose", "--compose=%s", NULL},
    {"supervisord", "--supervisord=%s", NULL},
    {"map", "--map=%s", "--env-file"},
    {"secrets", "--secrets=%s", "--env-file"},
    {"token", "--token-file=%s", "--from-api=http://127.0.0.1:1"},
    {"address", "--from-db=%s", NULL},
    {"old keys", "--keys=%s", "--from-db"},
    {"structure map", "--structure-map=%s", "--from-db"},
};

static const char *option_for(const struct option *o, const char *path)
{
    const char *at = strstr(o->how, "%s");

    return printed("%.*s%s", (int)(at - o->how), o->how, path);
}

/* What makes it be read: sources that are whole. */
static const char *more_for(const struct option *o)
{
    if (o->more != NULL && strcmp(o->more, "--env-file") == 0)
        return printed("--env-file=%s", file("whole.env", "proxy_name=p1\n"));
    if (o->more != NULL && strcmp(o->more, "--from-db") == 0)
        return printed("--from-db=%s", file("whole.dsn", moving_old_database(env)));
    return o->more != NULL ? o->more : "--dry-run";
}

/* As an account that may do nothing. */
static const char *run_as_nobody(const char *const *args)
{
    const char *argv[16] = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", env_program(env, "sluicectl"), "import-legacy"};
    const char *const *from = geteuid() == 0 ? argv : argv + 4;

    for (size_t i = 0; args[i] != NULL; i++)
        argv[6 + i] = args[i];
    if (env_wait_exit(env, env_spawn(env, "nobody", from, ARGS(printed("DB=%s", db))), 30000) != 2)
        env_fail(env, "expected exit 2: %s", env_log(env, "nobody"));
    return env_log(env, "nobody");
}

static void permission_denied(const struct option *o)
{
    const char *path = file("closed", CANARY "\n"), *more = more_for(o), *whole = printed("%s", strchr(more, '=') != NULL ? strchr(more, '=') + 1 : "");
    const char *out;

    assert_int_equal(chmod(path, 0), 0);
    if (whole[0] == '/')
        assert_int_equal(chmod(whole, 0644), 0);
    out = run_as_nobody(ARGS(option_for(o, path), more));
    says(out, printed("sluicectl import-legacy: cannot read %s: permission denied\n", path));
    assert_int_equal(chmod(path, 0600), 0);
}

static char large[4 * 1024 * 1024 + 2];

static void too_large(const struct option *o)
{
    const char *path = file("large", large);

    says(import(2, db, ARGS(option_for(o, path), more_for(o))), printed("sluicectl import-legacy: cannot read %s: too large\n", path));
}

static void not_there(const struct option *o)
{
    says(import(2, db, ARGS(option_for(o, "/does/not/exist"), more_for(o))),
         "sluicectl import-legacy: cannot read /does/not/exist: no such file or directory\n");
}

/* ---- files that do harm ---------------------------------------------------------------------- */

/* As many settings as a file can hold: memory grows with it, not with its square. */
static void very_many_settings(void **state)
{
    enum { LINES = 400000, PEAK_KB = 700 * 1024 };
    char *text = arena_alloc(env_arena(env), (size_t)LINES * 8 + 1);
    const char *path;
    long peak;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < LINES; i++)
        n += (size_t)snprintf(text + n, 9, "a%05x=\n", (unsigned)i);
    path = file("many.env", text);
    moving_measured(env, 0, db, ARGS("import-legacy", "--dry-run", printed("--env-file=%s", path)), &peak);
    if (peak > PEAK_KB)
        env_fail(env, "%d settings take %ld KB", LINES, peak);
}

/* Names of services and programs, gateways and prefixes: shown as they are, but for what a terminal obeys. */
static void names_that_forge_output(void **state)
{
    const char *compose = file("forged.yaml", "services:\n  \"x\\e[2J\\nimported with love\": {image: y}\n"
                                              "  core: {command: api.server}\n  \"pn\\e[31mn\":\n    command: api.server_proxy\n    environment:\n      port: \"1\\e[31m\"\n"
                                              "      proxy_url: https://a/\n      proxy_prefix: /api/v01/p1\n      proxy_name: \"p\\e[31m\\nsluice-core -evil\"\n");
    const char *supervisord = file("forged.conf", "[program:a\033[2Jb]\ncommand=/bin/true\n[program:core]\ncommand=python -m api.server\n"
                                                  "environment=APIO_CONFIG_FILE=/does\033[2J/not\n");
    const char *out;

    (void)state;
    out = import(0, db, ARGS("--dry-run", printed("--compose=%s", compose)));
    says(out, ": service x [2J imported with love is not one of the old modules; left out\n");
    says(out, "sluice-proxy -workflows -proxy=/api/v01/p1:p [31m sluice-core -evil -runMigration=false\n");
    says(out, "nginx: replace pn [31mn:1 [31m by pn [31m:5000\n");
    assert_null(strchr(out, '\033'));
    out = import(3, db, ARGS("--dry-run", printed("--supervisord=%s", supervisord)));
    says(out, ": program a [2Jb is not one of the old modules; left out\n");
    assert_null(strchr(out, '\033'));
}

static const struct token_row {
    const char *name, *text, *says;
} tokens[] = {
    {"nothing", " \n", ": expected a token, found nothing\n"},
    {"two lines", CANARY "\nX-More: " CANARY, ": expected a token and nothing else\n"},
    {"a line end within", CANARY "\r\nX: y", ": expected a token and nothing else\n"},
    {"not ASCII", CANARY "\xc3\xa9", ": expected a token and nothing else\n"},
};

/* It becomes part of a header. */
static void refuses_token(const struct token_row *r)
{
    const char *path = file("token", r->text);

    says(import(2, db, ARGS("--from-api=http://127.0.0.1:1", printed("--token-file=%s", path))), printed("%s%s", path, r->says));
}

static const struct conf_row {
    const char *name, *text, *says;
} confs[] = {
    {"a section without end", "[program:\ncommand=api.server\n", ": no program runs the old modules"},
    {"a quote without end", "[program:x]\ncommand=api.server\nenvironment=host=\"0.0.0.0", "dry run"},
    {"a name without value", "[program:x]\ncommand=api.server\nenvironment=,=,\n", "dry run"},
    {"a line of its own", "   continued\n[program:x]\ncommand=api.server\n", "dry run"},
    {"nothing", "", ": no program runs the old modules"},
};

static void odd_supervisord(const struct conf_row *r)
{
    const char *path = file("odd.conf", r->text);

    says(import(strcmp(r->says, "dry run") == 0 ? 0 : 2, db, ARGS("--dry-run", printed("--supervisord=%s", path))), r->says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(very_many_settings),
        cmocka_unit_test(names_that_forge_output),
    };
    int failed;

    memset(large, 'x', sizeof large - 1);
    env = env_start();
    db = moving_base(env);
    (void)moving_ctl(env, 0, db, ARGS("migrate"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(options, not_there);
    failed += CASES(options, permission_denied);
    failed += CASES(options, too_large);
    failed += CASES(tokens, refuses_token);
    failed += CASES(confs, odd_supervisord);
    assert_string_equal(versions(db), "0");
    return env_end(env, failed);
}
