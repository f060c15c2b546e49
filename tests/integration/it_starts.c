/*
 * Starting together and in any order, with the real programs: ten at once on an empty database, the
 * proxy before the core, a role that may not create, the first administrator without a place to
 * print to (migration.md 11.2, 11.7 to 11.9, 11.20).
 */
#include "base/arena.h"
#include "integration/env_api.h"
#include "integration/env_int.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOGETHER = 10, TOGETHER_MS = 60000 };

static struct env *env;
static pid_t core; /* behind nginx */
static int nginx_port;

#define printed(...) env_fmt(env, __VA_ARGS__)
#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}

static const char *new_base(const char *name)
{
    env_new_database(env, name);
    return env_db_of(env, NULL, name);
}

static const char *socket_of(const char *name)
{
    return env_path(env, printed("%s.sock", name));
}

/* On a socket named like its log, which it may not have yet. */
static pid_t begin(const char *program, const char *name, const char *db, const char *const *words)
{
    const char *argv[12] = {env_program(env, program), printed("-socket=%s", socket_of(name))};

    for (size_t i = 0; words[i] != NULL && i < COUNT_OF(argv) - 3; i++)
        argv[2 + i] = words[i];
    return env_spawn(env, name, argv, WORDS(printed("DB=%s", db)));
}

/* What the process itself says, without nginx. */
static struct fcgi_answer ask(const char *name, const char *uri)
{
    return fcgi_call(socket_of(name), &(struct fcgi_request){.uri = uri}, env_arena(env));
}

static bool serves(const char *name)
{
    return access(socket_of(name), F_OK) == 0 && ask(name, "/api/v01/health").status == 200;
}

static int count_in(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        n++;
    }
    return n;
}

static void says(const char *name, const char *text)
{
    if (strstr(env_log(env, name), text) == NULL)
        env_fail(env, "expected \"%s\" in: %s", text, env_log(env, name));
}

/* ---- ten at once ------------------------------------------------------------------------------- */

static void item_2_ten_start_together(void **state)
{
    const char *db = new_base("ten"), *names[TOGETHER];
    int64_t until;
    int applied = 0;
    pid_t pids[TOGETHER];

    (void)state;
    for (int i = 0; i < TOGETHER; i++) {
        names[i] = printed("ten%d", i);
        pids[i] = begin("sluice-core", names[i], db, i % 2 == 0 ? WORDS("-workflows") : WORDS("-workflows", "-runMigration=false"));
    }
    until = clock_mono_ms(&clock_system) + TOGETHER_MS;
    for (int i = 0; i < TOGETHER; i++) {
        while (!serves(names[i])) {
            if (clock_mono_ms(&clock_system) > until || !env_running(env, pids[i]))
                env_fail(env, "%s does not serve: %s", names[i], env_log(env, names[i]));
            env_pause();
        }
    }
    for (int i = 0; i < TOGETHER; i++) {
        int mine = count_in(env_log(env, names[i]), "migration=");

        if (i % 2 == 1 && mine != 0)
            env_fail(env, "%s was told not to migrate: %s", names[i], env_log(env, names[i]));
        applied += mine;
    }
    /* each once, by one of them */
    for (int v = 1; v <= applied; v++) {
        int times = 0;

        for (int i = 0; i < TOGETHER; i++)
            times += count_in(env_log(env, names[i]), printed("migration=%d ", v));
        assert_int_equal(times, 1);
    }
    /* as many lines as rows, and no row but in state done */
    assert_string_equal(env_psql_at(env, db, "SELECT count(*) FROM schema_versions WHERE state = 'done'"), printed("%d", applied));
    assert_string_equal(env_psql_at(env, db, "SELECT count(*) FROM schema_versions"), printed("%d", applied));
    for (int i = 0; i < TOGETHER; i++)
        assert_int_equal(env_kill(env, pids[i], SIGTERM), 0);
}

/* ---- while it starts --------------------------------------------------------------------------- */

/* Asked as soon as there is a socket: an ordinary start, or one that migrates, keeps nobody out. */
static void who_comes_early_is_served(void **state)
{
    const char *db = new_base("early");

    (void)state;
    for (int i = 0; i < 3; i++) {
        const char *name = printed("early%d", i);
        pid_t pid = begin("sluice-core", name, db, WORDS("-workflows"));

        ENV_WAIT(env, TOGETHER_MS, env_socket_open(socket_of(name)));
        assert_int_equal(ask(name, "/api/v01/health").status, 200);
        assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    }
}

/* ---- the proxy before the core ------------------------------------------------------------------ */

static void item_8_proxy_first_core_later(void **state)
{
    struct env_answer a;
    struct fcgi_answer health;
    pid_t proxy = begin("sluice-proxy", "p1", env_db(env),
                        WORDS("-workflows", "-proxy=/api/v01/p1:bwks", "-proxyWait=120s", "-runMigration=false", "-migrationWait=120s"));

    (void)state;
    ENV_WAIT(env, 20000, env_socket_open(socket_of("p1")));
    ENV_WAIT(env, 20000, str_find(ask("p1", "/api/v01/health").body, STR("the schema is at 0, ")) >= 0);
    health = ask("p1", "/api/v01/health");
    assert_int_equal(health.status, 503);
    assert_true(str_find(health.body, STR("\"status\":\"starting\"")) >= 0);
    assert_true(str_find(health.body, STR("\"needed\":")) >= 0);
    a = env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"error\":\"starting: the schema is at 0, "));
    assert_string_not_equal(env_header(env, &a, "Retry-After"), "");
    usleep(2000000); /* several looks at the schema: nothing is made by it */
    assert_string_equal(env_psql(env, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");

    core = env_app_start(env, "sluice-core", "core.sock", WORDS("-workflows"));
    api_admin(env);
    /* it has the schema now, and waits for its gateway */
    a = env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL);
    assert_int_equal(a.status, 503);
    api_configure(env, "gateways", printed("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", env_free_port(env)));
    ENV_WAIT(env, 30000, env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL).status == 401);
    ENV_WAIT(env, 5000, serves("p1"));
    assert_true(env_running(env, proxy)); /* it was never started again */
    assert_int_equal(env_kill(env, proxy, SIGTERM), 0);
}

static void item_8_proxy_without_core(void **state)
{
    const char *db = new_base("alone");
    int64_t begun = clock_mono_ms(&clock_system);
    pid_t proxy = begin("sluice-proxy", "alone", db, WORDS("-proxy=/api/v01/p1:bwks", "-runMigration=false", "-migrationWait=2s"));

    (void)state;
    assert_int_equal(env_wait_exit(env, proxy, 30000), 78);
    assert_true(clock_mono_ms(&clock_system) - begun >= 2000); /* at the limit, not before */
    says("alone", "the schema is at version 0, this program needs ");
    says("alone", "; start the core (which migrates) or run sluicectl migrate");
}

/* ---- a newer program was here ------------------------------------------------------------------- */

static void migrated_by_a_newer_one(const char *db, bool additive)
{
    env_psql_at(env, db,
                printed("INSERT INTO schema_versions SELECT (jsonb_populate_record(s, jsonb_build_object('version', s.version + 1, "
                        "'name', 'later', 'additive', %s, 'program_version', '9.9.0', 'host', 'b'))).* FROM schema_versions s "
                        "ORDER BY s.version DESC LIMIT 1; UPDATE generations SET n = n + 1 WHERE topic = 'schema'",
                        additive ? "true" : "false"));
}

/* What it added is compatible: served, and not taken for somebody's tables; what is not ends who runs and who starts. */
static void item_7_newer_schema(void **state)
{
    const char *db = new_base("newer");
    pid_t first = begin("sluice-core", "newer1", db, WORDS("-workflows")), second;

    (void)state;
    ENV_WAIT(env, 20000, serves("newer1"));
    env_psql_at(env, db, "CREATE TABLE added_later (a int)");
    migrated_by_a_newer_one(db, true);
    second = begin("sluice-core", "newer2", db, WORDS("-workflows"));
    ENV_WAIT(env, 20000, serves("newer2"));
    says("newer2", " is newer than this program (");
    says("newer2", "; compatible");
    if (strstr(env_log(env, "newer2"), "migrate.others") != NULL)
        env_fail(env, "a newer program's table is taken for somebody's: %s", env_log(env, "newer2"));
    assert_true(serves("newer1"));
    migrated_by_a_newer_one(db, false);
    assert_int_equal(env_wait_exit(env, first, 20000), 78);
    assert_int_equal(env_wait_exit(env, second, 20000), 78);
    says("newer1", "is not compatible with it; install a program of version \xe2\x89\xa5 9.9.0 (migrated by 9.9.0 on host b, ");
    assert_int_equal(env_wait_exit(env, begin("sluice-core", "newer3", db, WORDS("-runMigration=false")), 20000), 78);
}

/* Who runs ends, and not before what is under way is answered; what is parked stays for others. */
static void item_7_what_is_under_way_is_finished(void **state)
{
    static const struct peer_step ok = {.kind = PEER_ANSWER, .headers = "Content-Type: application/json\r\n", .body = "{}"};
    struct peer *slow = peer_new(&ok, 1);
    const char *out = env_path(env, "under-way.out");
    int64_t id, parked;
    pid_t curl;

    (void)state;
    id = api_activity(env, "parked", DEFINITION(CELL("wait", "timer", "\"delay\":\"1 hour\"", "\"ok\"") ",", LINE("start.ok", "wait") "," LINE("wait.ok", "end")));
    parked = api_int(api(env, 200, "POST", printed("/api/v01/activities/%lld/run", (long long)id), "{}"), "id");
    id = api_activity(env, "under way",
                      printed(DEFINITION(CELL("call", "http_call", "\"method\":\"get\",\"url\":\"http://127.0.0.1:%d/slow\"", "\"success\"") ","
                                         CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"done\"", "\"ok\"") ",",
                                         LINE("start.ok", "call") "," LINE("call.success", "answer") "," LINE("answer.ok", "end")), peer_port(slow)));
    api_route(env, "get", "/slow", id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/public/slow", NULL, NULL).status == 200);
    peer_script(slow, &ok, 1);
    peer_hold(slow, true);
    curl = env_spawn(env, "under-way", WORDS("curl", "-s", "-o", out, "-w", "%{http_code}", printed("http://127.0.0.1:%d/api/v01/public/slow", nginx_port)), NULL);
    ENV_WAIT(env, 20000, peer_requests(slow) == 1);
    migrated_by_a_newer_one(env_db(env), false);
    ENV_WAIT(env, 20000, strstr(env_log(env, "core.sock"), "is not compatible with it; install a program") != NULL || !env_running(env, core));
    assert_true(env_running(env, core));
    assert_true(env_running(env, curl));
    peer_hold(slow, false);
    assert_int_equal(env_wait_exit(env, curl, 20000), 0);
    assert_string_equal(env_log(env, "under-way"), "200");
    assert_string_equal(env_read_file(env, out), "done");
    assert_int_equal(env_wait_exit(env, core, 30000), 78);
    assert_string_equal(env_psql(env, printed("SELECT status FROM instances WHERE id = %lld", (long long)parked)), "ACTIVE");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM jobs WHERE state = 'leased'"), "0");
    peer_free(slow);
}

/* ---- sluicectl migrate -------------------------------------------------------------------------- */

static const char *migrate(const char *db, int status, const char *option)
{
    const char *name = printed("migrate%s", option);
    int got = env_wait_exit(env, env_spawn(env, name, WORDS(env_program(env, "sluicectl"), "migrate", *option != '\0' ? option : NULL),
                                           WORDS(printed("DB=%s", db))), 60000);

    if (got != status)
        env_fail(env, "migrate %s: expected %d, got %d: %s", option, status, got, env_log(env, name));
    return env_log(env, name);
}

static void the_tool_migrates(void **state)
{
    const char *db = new_base("tool");

    (void)state;
    assert_non_null(strstr(migrate(db, 0, "--dry-run"), "-- migration 0001 base\n"));
    assert_string_equal(env_psql_at(env, db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    assert_non_null(strstr(migrate(db, 0, "-to=3"), "schema 3, this program needs "));
    assert_non_null(strstr(migrate(db, 0, "-dry-run"), "-- migration 0004 history\n"));
    assert_non_null(strstr(migrate(db, 0, ""), ": up to date"));
    env_psql_at(env, db, "UPDATE schema_versions SET sha256 = '\\x00' WHERE version = 2");
    assert_non_null(strstr(migrate(db, 78, "-to=4"), "migration 0002 was changed after it ran here"));
    (void)migrate(db, 0, "--accept-checksum=2");
    assert_non_null(strstr(migrate(db, 0, "--status"), ": up to date"));
    (void)migrate(db, 1, "-accept-checksum=4711");
    (void)migrate(db, 2, "-to=4711");
    (void)migrate(db, 2, "-nonsense");
}

/* ---- a container engine that refuses what it does not know ---------------------------------------- */

/* In a child: threads are refused as an old engine refuses them. */
static void refuse_clone3(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* number of the call */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(99);
}

static void R_18_a_refused_system_call_is_named(void **state)
{
    const char *log = env_path(env, "seccomp.log");
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (fd < 0 || dup2(fd, 2) < 0 || setenv("DB", env_db(env), 1) != 0)
            _exit(99);
        refuse_clone3();
        execl(env_program(env, "sluice-core"), "sluice-core", printed("-socket=%s", socket_of("seccomp")), (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    if (strstr(env_read_file(env, log), "clone3 is refused (Docker engines older than 20.10.24: --security-opt seccomp=unconfined)") == NULL)
        env_fail(env, "%s", env_read_file(env, log));
}

/* ---- a role that may only read and write ---------------------------------------------------------- */

static void item_9_role_without_rights_to_create(void **state)
{
    const char *owner = new_base("rights"), *db = env_db_of(env, "dml", "rights");
    pid_t pid;

    (void)state;
    env_psql(env, "CREATE ROLE dml LOGIN");
    pid = begin("sluice-core", "dml1", db, WORDS("-workflows"));
    assert_int_equal(env_wait_exit(env, pid, 30000), 78);
    says("dml1", "are needed, but role \"dml\" may not create in schema \"public\"; make it the owner of the database, or run "
                 "sluicectl migrate as the owner and start with -runMigration=false");
    assert_string_equal(env_psql_at(env, owner, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");

    pid = env_spawn(env, "migrate", WORDS(env_program(env, "sluicectl"), "migrate"), WORDS(printed("DB=%s", owner)));
    assert_int_equal(env_wait_exit(env, pid, 60000), 0);
    env_psql_at(env, owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO dml; "
                            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO dml");
    /* it starts with nothing to do either way, and it writes: a user, and what a failed login leaves */
    for (int i = 0; i < 2; i++) {
        const char *name = printed("dml-%d", i);
        const char *option = i == 0 ? "-runMigration=false" : "-runMigration=true";

        pid = env_spawn(env, name, WORDS(env_program(env, "sluice-core"), option, printed("-newsuperuser=boss%d", i)),
                        WORDS(printed("DB=%s", db)));
        assert_int_equal(env_wait_exit(env, pid, 30000), 0);
        pid = begin("sluice-core", printed("dml-serves%d", i), db, WORDS("-workflows", "-cleanup", option));
        ENV_WAIT(env, 20000, serves(printed("dml-serves%d", i)) || !env_running(env, pid));
        assert_int_equal(env_kill(env, pid, SIGTERM), 0);
    }
    assert_string_equal(env_psql_at(env, owner, "SELECT count(*) FROM users WHERE username LIKE 'boss_'"), "2");
}

/* ---- the first administrator ----------------------------------------------------------------------- */

/* One line where it was asked for, and nothing of it anywhere else. */
static void item_20_the_password_is_printed_once(void **state)
{
    const char *db = new_base("first"), *out = env_path(env, "first.out"), *program = env_program(env, "sluice-core"), *line, *password;
    pid_t pid = env_spawn(env, "first", WORDS("/bin/sh", "-c", printed("exec %s -newsuperuser >%s", program, out)), WORDS(printed("DB=%s", db)));

    (void)state;
    assert_int_equal(env_wait_exit(env, pid, 60000), 0); /* it migrates first */
    line = env_read_file(env, out);
    password = strrchr(line, ' ') + 1;
    assert_true(strncmp(line, "user admin password ", 20) == 0 && password == line + 20);
    assert_true(strlen(password) > 8 && strchr(line, '\n') == line + strlen(line) - 1);
    assert_null(strstr(env_log(env, "first"), printed("%.*s", (int)strlen(password) - 1, password)));
    assert_null(strstr(env_log(env, "postgres"), printed("%.*s", (int)strlen(password) - 1, password)));
    assert_string_equal(env_psql_at(env, db, "SELECT string_agg(username || is_system, ' ') FROM users"), "admintrue");
    pid = env_spawn(env, "mute-first", WORDS(program, "-runMigration=false", "-migrationWait=0", "-newsuperuser"), WORDS(printed("DB=%s", new_base("unmade"))));
    assert_int_equal(env_wait_exit(env, pid, 60000), 78);
}

/* ---- nowhere to print the password ------------------------------------------------------------------ */

static void item_20_administrator_needs_an_output(void **state)
{
    static const char *const ways[][2] = {{"sluice-core -newsuperuser=x", ">&-"},
                                          {"sluicectl newsuperuser x", ">&-"},
                                          {"sluice-core -newsuperuser=x", ">/dev/full"},
                                          {"sluicectl newsuperuser x", ">/dev/full"}};
    const char *db = new_base("mute");
    const char *tool = env_program(env, "sluicectl");
    int dir = (int)(strrchr(tool, '/') - tool);
    pid_t pid = env_spawn(env, "mute-migrate", WORDS(tool, "migrate"), WORDS(printed("DB=%s", db)));

    (void)state;
    assert_int_equal(env_wait_exit(env, pid, 60000), 0);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const char *name = printed("mute%zu", i);

        pid = env_spawn(env, name, WORDS("/bin/sh", "-c", printed("exec %.*s/%s %s", dir, tool, ways[i][0], ways[i][1])),
                        WORDS(printed("DB=%s", db)));
        assert_int_equal(env_wait_exit(env, pid, 30000), 1);
        if (count_in(env_log(env, name), "the password could not be ") != 1)
            env_fail(env, "%s %s: %s", ways[i][0], ways[i][1], env_log(env, name));
        if (strcmp(env_psql_at(env, db, "SELECT count(*) FROM users WHERE username = 'x'"), "0") != 0)
            env_fail(env, "%s %s made a user nobody knows the password of", ways[i][0], ways[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_early_is_served),
        cmocka_unit_test(item_8_proxy_first_core_later),        cmocka_unit_test(item_8_proxy_without_core),
        cmocka_unit_test(item_9_role_without_rights_to_create), cmocka_unit_test(item_20_administrator_needs_an_output),
        cmocka_unit_test(item_20_the_password_is_printed_once),
        cmocka_unit_test(item_7_newer_schema),           cmocka_unit_test(the_tool_migrates),
        cmocka_unit_test(R_18_a_refused_system_call_is_named), cmocka_unit_test(item_2_ten_start_together),
        cmocka_unit_test(item_7_what_is_under_way_is_finished),
    };

    env = env_start();
    nginx_port = env_nginx_start(env, "core.sock", "p1.sock");
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
