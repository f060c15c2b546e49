/*
 * Moving in from an old database with a structure map (migration.md 6.2, 6.4): what is read, what
 * does not convert, maps that do not fit, repeating, a kill after each transaction; the old database
 * stays as it is.
 */
#include "integration/env_moving.h"
#include "support/cases.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"

static struct env *env;
static const char *old, *dsn, *map;

#define IMPORT(...) ARGS("import-legacy", dsn, __VA_ARGS__)

static void came(const char *db)
{
    is(db, "SELECT concat_ws(' ', email, last_name, status, is_system, p.name, groups::text, properties ->> 'desk', password_hash IS NULL, "
           "need_password_change, registered_on AT TIME ZONE 'UTC') FROM users u JOIN user_profiles p ON p.id = u.profile_id WHERE username = 'ann'",
       "ann@example.com Lee INACTIVE f clerks {east,west} 4 t t 2024-03-01 10:00:00");
    is(db, "SELECT string_agg(username || status || is_system, ' ' ORDER BY id) FROM users", "annINACTIVEfalse BobREVOKEDtrue");
    is(db, "SELECT home || array_to_string(accesses, '+') || (api_rules -> 0 ->> 'name') FROM user_profiles WHERE name = 'clerks'", "/requestsrequests+bulksread");
    is(db, "SELECT u.username || r.name FROM user_roles m JOIN users u ON u.id = m.user_id JOIN roles r ON r.id = m.role_id", "annnight shift");
    is(db, "SELECT string_agg(a.name || ':' || coalesce(v.label, '-') || ':' || v.active, ' ' ORDER BY a.name, v.label) FROM activity_versions v "
           "JOIN activities a ON a.id = v.activity_id", "hello:v1:false hello:v2:true hello:-:false tidy:-:true");
    is(db, "SELECT r.method || r.route || a.name || r.sync || r.group_name FROM custom_routes r JOIN activities a ON a.id = r.activity_id",
       "get/hello/{name}hellotruegreetings");
    is(db, "SELECT job_id || hour || minute || enabled FROM timers_cron", "nightly tidy315true");
    is(db, "SELECT convert_from(content, 'UTF8') FROM templates WHERE key = 'reports.month'", "PK-bytes-of-a-sheet");
    is(db, "SELECT content #>> '{gateways,bwks,url}' FROM configuration ORDER BY id DESC LIMIT 1", "https://10.0.1.2/");
    is(db, "SELECT left(content #>> '{gateways,bwks,password}', 7) FROM configuration ORDER BY id DESC LIMIT 1", "sealed:");
}

static void everything_the_map_names(void **state)
{
    const char *db = moving_base(env), *before = moving_dump(env, old), *out;

    (void)state;
    out = moving_ctl(env, 3, db, IMPORT(map, "--dry-run"));
    moving_says(env, out, "users id 10: admin \"maybe\" is not true or false");
    moving_says(env, out, "users \"ann\": the form of the password is not known here; sluicectl passwd gives a new one");
    moving_says(env, out, "scheduled jobs \"never right\": hour: 33");
    moving_says(env, out, "not imported: table requests is not in the map; it stays readable in the old database");
    moving_says(env, out, "not imported: table audit_log is not in the map");
    moving_says(env, out, "gateways.bwks.password: - -> (set)");
    is(db, "SELECT count(*) FROM users", "0");
    out = moving_ctl(env, 3, db, IMPORT(map, "--apply", "--on-conflict=replace"));
    moving_says(env, out, "role members \"?\", \"night shift\": what it names was not imported");
    came(db);
    moving_sealed(env, db);
    out = moving_ctl(env, 3, db, IMPORT(map, "--apply"));
    for (const char *p = out; (p = strstr(p, " read, ")) != NULL; p += 7)
        if (strncmp(p, " read, 0 added, 0 replaced, 0 kept, ", 36) != 0)
            env_fail(env, "the second import changed something: %s", out);
    moving_says(env, out, "gateways.bwks: unchanged");
    if (strcmp(before, moving_dump(env, old)) != 0)
        env_fail(env, "the old database was changed");
}

static void times_have_a_zone(void **state)
{
    const char *db = moving_base(env);

    (void)state;
    moving_ctl(env, 3, db, IMPORT(map, "--apply", "--timezone=Europe/Brussels"));
    is(db, "SELECT registered_on AT TIME ZONE 'UTC' FROM users WHERE username = 'ann'", "2024-03-01 09:00:00");
}

static void item_12_killed_after_each_transaction(void **state)
{
    static const char *const points[] = {"begin", "profiles", "roles", "users", "role_members", "templates", "versions", "routes", "scheduled_jobs", "configuration"};
    const char *db = moving_base(env);

    (void)state;
    NEEDS_FAULT_POINTS();
    for (size_t i = 0; i < COUNT_OF(points); i++)
        moving_ctl_with(env, 256 + SIGKILL, db, IMPORT(map, "--apply", "--on-conflict=replace"),
                        ARGS(moving_printed(env, "SLUICE_FAULT=import.%s:1", points[i])));
    moving_ctl(env, 3, db, IMPORT(map, "--apply", "--on-conflict=replace"));
    came(db);
    is(db, "SELECT count(*) FROM configuration WHERE comment LIKE 'import%'", "1");
}

/* ---- refusals ------------------------------------------------------------------------------------ */

static const struct row {
    const char *name, *map, *option;
    int status;
    const char *says;
} rows[] = {
    {"no map", NULL, NULL, 78, "no map for this structure; only --file, --env-file and --from-api can be used"},
    {"another structure", "version 0.23.2\nfingerprint abc\ntable users as users by id\n username = login\n", NULL, 78,
     "no map for this structure; only --file, --env-file and --from-api can be used"},
    {"claimed, another version", "version 0.23.2\ntable users as users by id\n username = login\n", "--structure=0.23.1", 78, "no map for this structure"},
    {"claimed, a column is missing", "version 0.23.2\ntable users as users by id\n username = name_of_user\n", "--structure=0.23.2", 78,
     "--structure=0.23.2 was given, but table users has no column name_of_user; nothing was imported"},
    {"claimed, a table is missing", "version 0.23.2\ntable people as users by id\n username = login\n", "--structure=0.23.2", 78,
     "--structure=0.23.2 was given, but table people has no column id; nothing was imported"},
    {"no table", "version 0.23.2\n", NULL, 2, "names no table"},
    {"unknown kind", "table users as folk by id\n", NULL, 2, ":1: \"folk\" is not a kind of thing that is imported"},
    {"unknown conversion", "table users as users by id\n  username = login | magic\n", NULL, 2, ":2: \"magic\" is not a conversion"},
    {"half a table", "table users as users\n", NULL, 2, ":1: expected: table THEIRS as KIND by KEY"},
    {"half a member", "table users as users by id\n  username\n", NULL, 2, ":2: expected: MEMBER = COLUMN"},
    {"half a lookup", "table users as users by id\n  username = login | lookup users\n", NULL, 2, ":2: expected: lookup TABLE.KEY NAME"},
    {"a member before a table", "username = login\n", NULL, 2, ":1: stands before the first table"},
    {"an open quote", "table users as users by id\n  username = 'x\n", NULL, 2, ":2: a quote is not closed"},
    {"missing map", NULL, "--structure-map=/does/not/exist", 2, "cannot read /does/not/exist: no such file or directory"},
};

static const char *refusing;

static void refuses(const struct row *r)
{
    const char *option = r->option != NULL ? r->option : "--dry-run";
    const char *given = r->map != NULL ? moving_printed(env, "--structure-map=%s", moving_file(env, "bad.map", r->map)) : "--apply";

    moving_says(env, moving_ctl(env, r->status, refusing, IMPORT(given, option)), r->says);
    is(refusing, "SELECT count(*) FROM users", "0");
}

/* A map of one table is enough where the structure is claimed rightly. */
static void a_claim_that_holds(void **state)
{
    const char *db = moving_base(env);
    const char *small = moving_printed(env, "--structure-map=%s", moving_file(env, "small.map", "version 0.23.2\ntable roles as roles by id\n name = title\n description = 'fixed'\n"));

    (void)state;
    moving_ctl(env, 0, db, IMPORT(small, "--structure=0.23.2", "--apply"));
    is(db, "SELECT name || description FROM roles", "night shiftfixed");
}

static void what_is_no_old_database(void **state)
{
    static const struct {
        const char *dsn;
        int status;
        const char *says;
    } wrong[] = {
        {"mysql://u:" CANARY "@h/d", 2, "--from-db: scheme \"mysql\" is not supported (postgresql://)"},
        {"postgresql://u:" CANARY "@127.0.0.1:1/d", 1, "the old database: could not reach the database"},
    };
    const char *db = moving_base(env), *out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        out = moving_ctl(env, wrong[i].status, db, ARGS("import-legacy", moving_printed(env, "--from-db=%s", moving_file(env, "wrong.dsn", wrong[i].dsn)), map));
        moving_says(env, out, wrong[i].says);
    }
    out = moving_ctl(env, 78, db, ARGS("import-legacy", moving_printed(env, "--from-db=%s", moving_file(env, "self.dsn", db)), map));
    moving_says(env, out, "--from-db: the database is one of this product, not of a former platform");
    out = moving_ctl(env, 78, db, ARGS("import-legacy", moving_printed(env, "--from-db=%s", moving_file(env, "empty.dsn", moving_base(env))), map));
    moving_says(env, out, "--from-db: the database is empty");
}

/* One that is known to be older than the last of its branch. */
static void too_old(void **state)
{
    const char *db = moving_base(env);
    const char *list = moving_printed(env, "SLUICE_LEGACY_LIST=%s", moving_file(env, "old.list", "revision 9f3c2a71d0e4 0.22.1\n"));

    (void)state;
    moving_says(env, moving_ctl_with(env, 78, db, IMPORT(map, "--apply"), ARGS(list)),
                "the database holds the structure of APIO core 0.22.1; only 0.23.2, the last of the 0.x branch, can be imported");
    is(db, "SELECT count(*) FROM users", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_the_map_names), cmocka_unit_test(times_have_a_zone),
        cmocka_unit_test(item_12_killed_after_each_transaction), cmocka_unit_test(a_claim_that_holds),
        cmocka_unit_test(what_is_no_old_database), cmocka_unit_test(too_old),
    };
    int failed;

    env = env_start();
    old = moving_old_database(env);
    dsn = moving_printed(env, "--from-db=%s", moving_file(env, "old.dsn", old));
    map = "--structure-map=" SLUICE_SOURCE_DIR "/tests/support/old_platform/structure.map";
    refusing = moving_base(env);
    moving_ctl(env, 0, refusing, ARGS("migrate"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, refuses);
    return env_end(env, failed);
}
