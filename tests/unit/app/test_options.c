/*
 * The command line: both spellings, what is refused and with which words (migration.md 2).
 */
#include "options.h"

#include "support/cases.h"

enum { WORDS_MAX = 12 };

/* Cut `line` at blanks; '_' in a word stands for a blank. */
static int words(const char *line, char **argv, struct arena *a)
{
    struct str rest = str_c(line);
    int n = 0;

    argv[n++] = arena_strdup(a, "sluice");
    while (rest.len > 0 && n < WORDS_MAX) {
        char *word = str_cstr(a, str_cut(&rest, ' '));

        for (char *p = word; *p != '\0'; p++)
            *p = *p == '_' ? ' ' : *p;
        argv[n++] = word;
    }
    return n;
}

static int parse(const char *line, enum program p, struct options *o, struct buf *errors, struct arena *a)
{
    char *argv[WORDS_MAX];
    int argc = words(line, argv, a);

    buf_init(errors, 64 * KIB, a);
    return options_parse(o, p, argc, argv, errors, a);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static const struct bad_row {
    const char *name;
    enum program program;
    const char *line, *want;
} bad_rows[] = {
    {"typo", PROGRAM_CORE, "-runMigrations=false", "unknown option -runMigrations (did you mean -runMigration?)\n"},
    {"letter case", PROGRAM_CORE, "-runmigration=false",
     "unknown option -runmigration (options are case-sensitive: -runMigration)\n"},
    {"two dashes", PROGRAM_CORE, "--runMigrations=false",
     "unknown option -runMigrations (did you mean -runMigration?)\n"},
    {"nothing like it", PROGRAM_CORE, "-frobnicate", "unknown option -frobnicate\n"},
    {"boolean", PROGRAM_CORE, "-runMigration=no", "-runMigration: expected true or false, got \"no\"\n"},
    {"boolean empty", PROGRAM_CORE, "-cleanup=", "-cleanup: expected true or false, got \"\"\n"},
    {"port with letters", PROGRAM_CORE, "-port=5000x", "-port: expected a number from 1 to 65535, got \"5000x\"\n"},
    {"port 0", PROGRAM_CORE, "-port=0", "-port: expected a number from 1 to 65535, got \"0\"\n"},
    {"port too large", PROGRAM_CORE, "-port=70000", "-port: expected a number from 1 to 65535, got \"70000\"\n"},
    {"port empty", PROGRAM_CORE, "-port=", "-port: expected a number from 1 to 65535, got \"\"\n"},
    {"port negative", PROGRAM_CORE, "-port=-1", "-port: expected a number from 1 to 65535, got \"-1\"\n"},
    {"port huge", PROGRAM_CORE, "-port=99999999999999999999",
     "-port: expected a number from 1 to 65535, got \"99999999999999999999\"\n"},
    {"host", PROGRAM_CORE, "-host=local_host", "-host: \"local host\" is not an address or host name\n"},
    {"host empty", PROGRAM_CORE, "-host=", "-host: \"\" is not an address or host name\n"},
    {"stray word", PROGRAM_CORE, "-cleanup yes", "unexpected word \"yes\" after -cleanup\n"},
    {"stray word first", PROGRAM_CORE, "start", "unexpected word \"start\" after sluice\n"},
    {"no value", PROGRAM_CORE, "-port", "-port needs a value\n"},
    {"duration", PROGRAM_CORE, "-migrationWait=5x",
     "-migrationWait: expected a duration such as 30s or 5m, got \"5x\"\n"},
    {"duration empty", PROGRAM_CORE, "-drain=", "-drain: expected a duration such as 30s or 5m, got \"\"\n"},
    {"mode", PROGRAM_CORE, "-socketMode=888", "-socketMode: expected octal permissions such as 0660, got \"888\"\n"},
    {"mode empty", PROGRAM_CORE, "-socketMode=", "-socketMode: expected octal permissions such as 0660, got \"\"\n"},
    {"number", PROGRAM_CORE, "-threads=two", "-threads: expected a number, got \"two\"\n"},
    {"network", PROGRAM_CORE, "-trustedProxies=10.0.0.1,here",
     "-trustedProxies: \"here\" is not an address or network such as 10.0.0.0/8\n"},
    {"network empty", PROGRAM_CORE, "-trustedProxies=",
     "-trustedProxies: \"\" is not an address or network such as 10.0.0.0/8\n"},
    {"secret", PROGRAM_CORE, "-DB=postgresql://u:hunter2@h/d",
     "unknown option -DB (the database address is the environment variable DB)\n"},
    {"secret as a word", PROGRAM_CORE, "-password hunter2",
     "unknown option -password (the database address is the environment variable DB)\n"},
    {"all mistakes at once", PROGRAM_CORE, "-port=0 -what -cleanup=x",
     "-port: expected a number from 1 to 65535, got \"0\"\nunknown option -what\n"
     "-cleanup: expected true or false, got \"x\"\n"},
    {"proxy without mapping", PROGRAM_PROXY, "-port=5000", "sluice-proxy needs -proxy=PREFIX:GATEWAY\n"},
    {"option of the core", PROGRAM_PROXY, "-proxy=/api/v01/p1:g -cleanup", "unknown option -cleanup\n"},
    {"option of the proxy", PROGRAM_CORE, "-proxySync", "unknown option -proxySync\n"},
    {"mapping without gateway", PROGRAM_PROXY, "-proxy=/api/v01/p1", "-proxy: expected PREFIX:GATEWAY, got \"/api/v01/p1\"\n"},
};

static void refuses(const struct bad_row *r)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    assert_int_equal(parse(r->line, r->program, &o, &errors, a), -1);
    assert_string_equal(buf_cstr(&errors), r->want);
    arena_free(a);
}

/* ---- what is taken -------------------------------------------------------------------------------- */

static const struct good_row {
    const char *name, *line;
    int64_t port;
    bool workflows, cleanup, migrate;
} good_rows[] = {
    {"nothing", "", 0, false, false, true},
    {"documented line", "-workflows -port=5000 -host=0.0.0.0 -cleanup", 5000, true, true, true},
    {"two dashes", "--workflows --port=5000", 5000, true, false, true},
    {"value as a word", "-port 5000 -runMigration false", 5000, false, false, false},
    {"boolean takes a literal only", "-workflows -port 1", 1, true, false, true},
    {"boolean with a literal", "-workflows F -cleanup True -port 1", 1, false, true, true},
    {"the last one holds", "-port=1 -port=2 -workflows -workflows=false", 2, false, false, true},
    {"literals", "-workflows=t -cleanup=1 -runMigration=0", 0, true, true, false},
};

static void takes(const struct good_row *r)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    if (parse(r->line, PROGRAM_CORE, &o, &errors, a) != 0)
        fail_msg("%s", buf_cstr(&errors));
    assert_int_equal(o.port, r->port);
    assert_int_equal(o.workflows, r->workflows);
    assert_int_equal(o.cleanup, r->cleanup);
    assert_int_equal(o.run_migration, r->migrate);
    arena_free(a);
}

static void gathers_networks(void **state)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    (void)state;
    assert_int_equal(parse("-trustedProxies=10.0.0.0/8,::1 -trustedProxies 192.0.2.7", PROGRAM_PROXY, &o,
                           &errors, a),
                     -1); /* no -proxy */
    assert_int_equal(o.trusted_proxies.n, 3);
    assert_true(ip_nets_have(&o.trusted_proxies, STR("10.9.9.9")));
    assert_true(ip_nets_have(&o.trusted_proxies, STR("192.0.2.7")));
    assert_false(ip_nets_have(&o.trusted_proxies, STR("192.0.2.8")));
    arena_free(a);
}

static void has_defaults(void **state)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    (void)state;
    assert_int_equal(parse("", PROGRAM_CORE, &o, &errors, a), 0);
    assert_string_equal(o.host, "127.0.0.1");
    assert_string_equal(o.metrics_host, "127.0.0.1");
    assert_int_equal(o.metrics_port, 9090);
    assert_int_equal(o.socket_mode, 0660);
    assert_int_equal(o.migration_wait_ms, 300000);
    assert_int_equal(o.drain_ms, 30000);
    assert_int_equal(o.proxy_max_body, 33554432);
    assert_int_equal(o.workers, 16);
    assert_null(o.new_superuser);
    assert_false(o.metrics);
    arena_free(a);
}

static void takes_values(void **state)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    (void)state;
    assert_int_equal(parse("-migrationWait=5 -drain=2m -socketMode=0777 -socket=/run/x.sock -proxy=/api/v01/p1:a "
                           "-proxy=/api/v01/p2:b,/api/v01/p3:c",
                           PROGRAM_PROXY, &o, &errors, a),
                     0);
    assert_int_equal(o.migration_wait_ms, 5000);
    assert_int_equal(o.drain_ms, 120000);
    assert_int_equal(o.socket_mode, 0777);
    assert_string_equal(o.socket, "/run/x.sock");
    assert_int_equal(o.proxies.n, 3);
    assert_true(str_eq_c(o.proxies.maps[2].gateway, "c"));
    arena_free(a);
}

static void names_the_superuser(void **state)
{
    struct arena *a = arena_new(0);
    struct options o;
    struct buf errors;

    (void)state;
    assert_int_equal(parse("-newsuperuser", PROGRAM_CORE, &o, &errors, a), 0);
    assert_string_equal(o.new_superuser, "admin");
    assert_int_equal(parse("-newsuperuser=root", PROGRAM_CORE, &o, &errors, a), 0);
    assert_string_equal(o.new_superuser, "root");
    assert_int_equal(parse("-newsuperuser=true", PROGRAM_CORE, &o, &errors, a), 0);
    assert_string_equal(o.new_superuser, "admin");
    assert_int_equal(parse("-newsuperuser=false", PROGRAM_CORE, &o, &errors, a), 0);
    assert_null(o.new_superuser);
    arena_free(a);
}

static void helps(void **state)
{
    static const char *const core[] = {"-workflows", "-cleanup", "-host=", "-port=", "-socket=", "-socketMode=", "-proxy=",
                                       "-runMigration", "-migrationWait=", "-newsuperuser", "-metrics", "-threads=",
                                       "-drain=", "-version", "-help", "exit status"};
    struct arena *a = arena_new(0);
    struct options o;
    struct buf text;

    (void)state;
    assert_int_equal(parse("-help", PROGRAM_PROXY, &o, &text, a), 0); /* without -proxy */
    assert_true(o.help);
    options_help(PROGRAM_CORE, &text);
    for (size_t i = 0; i < COUNT_OF(core); i++)
        assert_non_null(strstr(buf_cstr(&text), core[i]));
    assert_null(strstr(buf_cstr(&text), "-proxySync"));
    text.len = 0;
    options_help(PROGRAM_PROXY, &text);
    assert_non_null(strstr(buf_cstr(&text), "-proxySync"));
    assert_null(strstr(buf_cstr(&text), "-cleanup"));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults), cmocka_unit_test(gathers_networks),
        cmocka_unit_test(takes_values),
        cmocka_unit_test(names_the_superuser),
        cmocka_unit_test(helps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(bad_rows, refuses) + CASES(good_rows, takes);
}
