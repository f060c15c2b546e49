/*
 * Every point at which the storing of a run can end, one after the other: behind each statement of
 * each of its transactions the process dies, or loses its connection; behind the last one, when the
 * server has committed and nobody has heard so, too.
 *
 * No statement is forgotten: each one of the engine's is passed by that run, or by a second one that
 * is struck behind each of its statements by name, or stands in a list with the reason why not.
 *
 * The run is the same each time: parallel branches, one with a call, then a park and a second
 * stretch with a workflow inside, which calls too.  The points are counted by going on until one is not reached any more.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "db/writer.h"
#include "engine/engine.h"
#include "integration/env_api.h"
#include "support/crash_ledger.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

enum { POINTS_MAX = 200, POINTS_MIN = 15 };

static struct env *env;
static struct ledger *ledger;
static struct peer *peer; /* answers when it is told to */
static pid_t core;

#define SET(name)                                                                                  \
    CELL(name, "context_setter", "\"key\":\"" name "\",\"value\":\"{{ (context." name              \
         " | default('')) ~ 'x' }}\"", "\"ok\"")

#define CALL_OF(name)                                                                              \
    CELL(name, "http_call",                                                                        \
         "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":\"{\\\"guid\\\":\\\"{{ "      \
         "instance.guid }}\\\",\\\"cell\\\":\\\"" name "\\\"}\"",                                  \
         "\"success\",\"error\"")
#define CALL CALL_OF("call")
#define LAST CALL_OF("last")

#define HOUR CELL("hour", "timer", "\"timeout\":\"1 hour\",\"discard_idle_limit\":\"true\"", "\"ok\"")

static void start_core(const char *fault)
{
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)),
                          arena_printf(env_arena(env), "SLUICE_FAULT=%s", fault), NULL};
    struct fcgi_request r = {.uri = "/api/v01/health"};

    core = env_app_start_with(env, "sluice-core", "core.sock",
                              (const char *const[]){"-workflows", "-syncTimeout=1s", NULL}, vars);
    ENV_WAIT(env, 20000, !env_running(env, core) ||
                             fcgi_call(env_path(env, "core.sock"), &r, env_arena(env)).status == 200);
}

/* How often the core has said so. */
static int said(const char *what)
{
    int n = 0;

    for (const char *at = env_log(env, "core.sock"); (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static int faults(void)
{
    return said("fault: ");
}

static struct fcgi_answer start_of(const char *route, const char *param)
{
    const char *params[] = {param, NULL};
    struct fcgi_request r = {.method = "POST",
                             .uri = arena_printf(env_arena(env), "/api/v01/public/%s", route),
                             .params = params,
                             .body = STR("{}"),
                             .content_type = "application/json"};

    return fcgi_call(env_path(env, "core.sock"), &r, env_arena(env));
}

static struct fcgi_answer start_run(void)
{
    return start_of("points", NULL);
}

static void set_up(void **state)
{
    struct arena *a = env_arena(env);
    int64_t id;

    (void)state;
    api_admin(env);
    (void)api_activity(env, "inside",
                       arena_printf(a,
                                    DEFINITION(CALL ",", LINE("start.ok", "call") ","
                                                         LINE("call.success", "end")),
                                    ledger_port(ledger)));
    id = api_activity(env, "points",
                      arena_printf(a,
                                   DEFINITION(CALL "," SET("beside") "," SET("after") ","
                                              CELL("inner", "macro", "\"workflow\":\"inside\"", "\"ok\"") ","
                                              CELL("join", "sync_outputs", "", "\"ok\"") ","
                                              CELL("wait", "timer", "\"timeout\":\"0 seconds\",\"discard_idle_limit\":\"true\"", "\"ok\"") ",",
                                              LINE("start.ok", "call") "," LINE("start.ok", "beside") ","
                                              LINE("call.success", "join") "," LINE("beside.ok", "join") ","
                                              LINE("join.ok", "wait") "," LINE("wait.ok", "after") "," LINE("after.ok", "inner") "," LINE("inner.ok", "end")),
                                   ledger_port(ledger)));
    api_route(env, "post", "/points", id, ",\"public\":true");
    id = api_activity(env, "late",
                      arena_printf(a,
                                   DEFINITION(CALL "," LAST "," CELL("nap", "timer", "\"timeout\":\"2 seconds\"", "\"ok\"") ",",
                                              LINE("start.ok", "call") "," LINE("call.success", "nap") "," LINE("nap.ok", "last") ","
                                              LINE("last.success", "end")),
                                   ledger_port(ledger), ledger_port(ledger)));
    api_route(env, "post", "/late", id, ",\"public\":true,\"sync\":true");
    (void)api_activity(env, "sleeper",
                       DEFINITION(CELL("nap", "timer", "\"timeout\":\"1 hour\"", "\"ok\"") ",",
                                  LINE("start.ok", "nap") "," LINE("nap.ok", "end")));
    id = api_activity(env, "wide",
                      DEFINITION(SET("u") "," CELL("gone", "context_setter", "\"key\":\"{\\\"key\\\":\\\"c\\\",\\\"cleanup\\\":true}\",\"value\":\"1\"", "\"ok\"") ","
                                 CELL("bad", "http_call", "\"url\":\"nowhere\"", "\"success\",\"error\"") ","
                                 CELL("beside", "trigger_subworkflows", "\"workflow\":\"sleeper\",\"source\":\"[{}]\"", "\"ok\"") ","
                                 CELL("spawn", "trigger_subworkflows", "\"workflow\":\"inside\",\"source\":\"[{},{}]\"", "\"ok\"") ","
                                 CELL("again", "context_setter", "\"key\":\"u\",\"value\":\"{{ context.u }}x\"", "\"ok\"") ","
                                 CELL("count", "context_setter", "\"key\":\"kids\",\"value\":\"{{ sub_instances_responses | length }}\"", "\"ok\"") ","
                                 CELL("one", "or_outputs", "", "\"ok\"") ",",
                                 LINE("start.ok", "u") "," LINE("u.ok", "gone") "," LINE("gone.ok", "bad") "," LINE("bad.error", "beside") ","
                                 LINE("bad.error", "spawn") "," LINE("spawn.ok", "again") "," LINE("spawn.ok", "count") ","
                                 LINE("again.ok", "one") "," LINE("count.ok", "one") "," LINE("one.ok", "end")));
    api_route(env, "post", "/wide", id, ",\"public\":true,\"sync\":true");
    id = api_activity(env, "hour", DEFINITION(HOUR ",", LINE("start.ok", "hour") "," LINE("hour.ok", "end")));
    api_route(env, "post", "/hour", id, ",\"public\":true");
    ENV_WAIT(env, 5000, start_run().status == 200);
    ENV_WAIT(env, 5000, strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status <> 'ACTIVE'"), "2") == 0);
}

/* Nothing may be found by these. */
static const struct law {
    const char *name, *sql;
} laws[] = {
    {"runs that did not end well", "SELECT id FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'"},
    {"requests that do not say so",
     "SELECT id FROM requests WHERE instance_id IS NOT NULL AND (status <> 'SUCCESS' OR instance_status <> 'CLOSED_IN_SUCCESS')"},
    {"cells without exactly one task in OK",
     "SELECT i.id FROM instances i CROSS JOIN unnest(CASE WHEN parent_instance_id IS NULL THEN "
     "'{start,call,beside,join,wait,after,inner,end}' ELSE '{start,call,end}' END::text[]) c LEFT JOIN tasks t ON "
     "t.instance_id = i.id AND t.cell_id = c GROUP BY i.id, c HAVING count(t.id) <> 1 OR bool_or(t.status <> 'OK')"},
    {"contexts that were written twice",
     "SELECT i.id FROM instances i LEFT JOIN contexts c ON c.instance_id = i.id AND c.key IN ('beside', 'after') AND c.value::text = '\"x\"' "
     "WHERE i.parent_instance_id IS NULL GROUP BY i.id HAVING count(c.id) <> 2"},
    {"instances inside that were not run once",
     "SELECT i.id FROM instances i LEFT JOIN instances c ON c.parent_instance_id = i.id WHERE i.parent_instance_id IS NULL "
     "GROUP BY i.id HAVING count(*) FILTER (WHERE c.kind = 'sub') <> 1"},
    {"timers that wait", "SELECT id FROM timers WHERE status = 'WAIT'"},
    {"jobs, states and signals left behind",
     "SELECT id FROM jobs UNION ALL SELECT instance_id FROM instance_states UNION ALL SELECT instance_id FROM instance_signals"},
};

static void judge(const char *point)
{
    size_t n = ledger_count(ledger);

    for (size_t i = 0; i < COUNT_OF(laws); i++) {
        const char *bad = env_psql(env, arena_printf(env_arena(env), "SELECT string_agg(x::text, ', ') FROM (%s) x", laws[i].sql));

        if (bad[0] != '\0')
            env_fail(env, "%s: %s: %s", point, laws[i].name, bad);
    }
    for (size_t i = 0; i < n; i++) {
        struct ledger_call c = ledger_get(ledger, i);
        int same = 0;

        for (size_t k = 0; k < n; k++) {
            struct ledger_call d = ledger_get(ledger, k);

            same += strcmp(c.key, d.key) == 0;
            if ((strcmp(c.guid, d.guid) == 0) != (strcmp(c.key, d.key) == 0))
                env_fail(env, "%s: the keys of a call differ: %s, %s", point, c.key, d.key);
        }
        if (c.key[0] == '\0' || same > 2)
            env_fail(env, "%s: %d calls with key \"%s\"", point, same, c.key);
        if (strcmp(env_psql(env, arena_printf(env_arena(env), "SELECT count(*) FROM instances WHERE guid = '%s'", c.guid)), "1") != 0)
            env_fail(env, "%s: a call of no run", point);
    }
}

/* No run goes on, and none will: PostgreSQL may be at a commit yet whose sender has gone, so that is looked at first. */
static bool settled(void)
{
    return strcmp(env_psql(env, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"),
                  "0") == 0 &&
           strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'"), "0") == 0;
}

/* One run that is struck at the nth passage of a point; false when it was not reached.  *expired: it was acknowledged, and lay
 * until its lease ran out. */
static bool strike(const char *kind, int nth, bool *expired)
{
    const char *point = arena_printf(env_arena(env), "%s:%d", kind, nth);
    struct fcgi_answer got;
    int before = faults(), expired_before = said("jobs.expired");

    ledger_clear(ledger);
    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers");
    start_core(point);
    got = start_run();
    ENV_WAIT(env, 10000, !env_running(env, core) || settled());
    if (!env_running(env, core))
        start_core("");
    ENV_WAIT(env, 20000, settled());
    if (got.status == 200 && strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE parent_instance_id IS NULL"), "1") != 0)
        env_fail(env, "%s: what was acknowledged is gone", point);
    judge(point);
    *expired = got.status == 200 && said("jobs.expired") > expired_before;
    (void)env_kill(env, core, SIGKILL);
    return faults() > before;
}

/* at_once: the owner of a struck run goes on, nobody waits for the end of its lease. */
static void all_points(const char *kind, int at_least, bool at_once)
{
    int n = 0, late = 0;
    bool expired;

    (void)env_kill(env, core, SIGTERM);
    while (n < POINTS_MAX && strike(kind, n + 1, &expired)) {
        late = at_once && expired ? late + 1 : 0;
        if (late == 3) /* on a machine with other work one may run out by itself */
            env_fail(env, "%s:%d: it took the end of the lease", kind, n + 1);
        n += late == 0;
    }
    start_core("");
    printf("%s: %d points\n", kind, n);
    assert_in_range(n, at_least, POINTS_MAX - 1);
}

static void dies_behind_each_statement(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.die", POINTS_MIN, false);
}

static void loses_the_connection_behind_each_statement(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.cut", POINTS_MIN, true);
}

/* The server commits; the answer is lost. */
static void loses_each_commit(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    all_points("writer.commit", 3, true);
}

/* ---- a caller who has not waited -------------------------------------------------------------- */

/* What was detached from its caller is stored for the first time then; whatever becomes of that
 * commit and of those behind it, there is one run, and each call has one key. */
static void late_of(const char *kind, int nth)
{
    const char *point = arena_printf(env_arena(env), "%s:%d", kind, nth);
    struct fcgi_answer got;

    ledger_clear(ledger);
    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers");
    start_core(point);
    got = start_of("late", NULL);
    if (got.status != 504 && got.status != 503)
        env_fail(env, "%s: answered %d", point, got.status);
    ENV_WAIT(env, 20000,
             strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'"), "0") == 0 &&
                 strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'CLOSED_IN_SUCCESS'"), "1") == 0);
    if (strcmp(env_psql(env, "SELECT count(*) FROM tasks WHERE status = 'OK'"), "5") != 0)
        env_fail(env, "%s: tasks %s", point, env_psql(env, "SELECT string_agg(cell_id || ' ' || status, ',') FROM tasks"));
    if (env_psql(env, "SELECT string_agg(id::text, ',') FROM jobs")[0] != '\0')
        env_fail(env, "%s: a job was left behind", point);
    for (size_t i = 0; i < ledger_count(ledger); i++)
        for (size_t k = 0; k < i; k++)
            if ((strcmp(ledger_get(ledger, i).cell, ledger_get(ledger, k).cell) == 0) !=
                (strcmp(ledger_get(ledger, i).key, ledger_get(ledger, k).key) == 0))
                env_fail(env, "%s: the keys of a call differ", point);
    assert_in_range(ledger_count(ledger), 2, 3);
    (void)env_kill(env, core, SIGKILL);
}

static void stores_again_what_was_lost(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGTERM);
    for (int n = 1; n <= 3; n++)
        late_of("writer.commit", n);
    late_of("writer.send", 1);
    start_core("");
}

/* ---- no statement is forgotten ---------------------------------------------------------------- */

/* Those that neither run comes by. */
static const struct {
    const char *name, *why;
} elsewhere[] = {
    {"request_proxied", "a record that may be dropped"},
    {"load_instance_top", "reads"},
    {"load_instance_when", "reads"},
    {"load_user", "reads"},
    {"load_signals", "reads"},
    {"load_errors", "reads"},
    {"request_key_find", "reads"},
    {"op_children", "reads"},
    {"run_stored", "reads; loses_each_commit"},
    {"job_orphan", "the lease would run out; each start behind a death"},
    {"job_notify", "somebody looks by himself"},
    {"job_claim_fair", "as job_claim, when there is no room: it_jobs, it_crash"},
    {"signal", "in the transaction of who calls: it_people_kill, it_crash"},
    {"signal_open", "reads"},
    {"mass_head", "reads"},
    {"mass_items", "reads"},
};

/* Those of what people do with a run: people_are_struck. */
static const char *const of_people[] = {"job_take", "op_timer", "op_errors_replayed", "op_definition", "op_audit",
                                        "mass_insert", "mass_job", "mass_result", "mass_end"};

/* Those of runs that wait for an answer, or cannot be run: beside_a_call, cannot_be_run. */
static const char *const of_others[] = {"job_prolong", "op_close", "job_fail"};

static bool is_elsewhere(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(of_others); i++)
        if (strcmp(of_others[i], name) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(of_people); i++)
        if (strcmp(of_people[i], name) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
        if (strcmp(elsewhere[i].name, name) == 0)
            return true;
    return false;
}

static bool passes(const char *log, const char *name)
{
    return strstr(log, arena_printf(env_arena(env), "passed: behind.%s\n", name)) != NULL;
}

static bool none_active(void)
{
    return strcmp(env_psql(env, "SELECT count(*) FROM instances WHERE status = 'ACTIVE'"), "0") == 0;
}

/* What of the second run is not as it should be; one text. */
static const char wide_sql[] =
    "SELECT concat_ws('; ', (SELECT 'instances ' || s FROM (SELECT string_agg(a.name || ' ' || i.status, ',' ORDER BY a.name, "
    "i.id) AS s FROM instances i JOIN activities a ON a.id = i.activity_id) x WHERE s IS DISTINCT FROM 'inside "
    "CLOSED_IN_SUCCESS,inside CLOSED_IN_SUCCESS,sleeper CLOSED_IN_ERROR,wide CLOSED_IN_SUCCESS'), "
    "(SELECT 'tasks ' || string_agg(t.instance_id || ' ' || t.cell_id, ',') FROM (SELECT instance_id, cell_id FROM tasks "
    "GROUP BY 1, 2 HAVING count(*) <> 1) t), "
    "(SELECT 'context ' || coalesce(s, '') FROM (SELECT string_agg(key || '=' || value::text, ',' ORDER BY key) AS s FROM "
    "contexts x JOIN instances i ON i.id = x.instance_id WHERE i.parent_instance_id IS NULL) x WHERE s IS DISTINCT FROM "
    "'kids=\"2\",u=\"xx\"'), "
    /* the sleeper has one of its own when it is closed before it began */
    "(SELECT 'errors ' || count(*) FROM errors x JOIN instances i ON i.id = x.instance_id WHERE i.parent_instance_id IS NULL "
    "HAVING count(*) <> 1), "
    "(SELECT 'left behind ' || string_agg(x, ',') FROM (SELECT 'job' AS x FROM jobs UNION ALL SELECT 'state' FROM "
    "instance_states UNION ALL SELECT 'signal' FROM instance_signals UNION ALL SELECT 'timer' FROM timers WHERE status = "
    "'WAIT') x))";

/* The second run, under a key, struck behind the first passage of one statement; its client asks
 * until it is answered. */
static void wide_run(const char *point, int number)
{
    const char *key = arena_printf(env_arena(env), "HTTP_IDEMPOTENCY_KEY=wide-%d", number);
    struct fcgi_answer got;
    const char *wrong;

    ledger_clear(ledger);
    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers, errors");
    start_core(point);
    got = start_of("wide", key);
    for (int i = 0; i < 20 && got.status != 202; i++) {
        ENV_WAIT(env, 5000, !env_running(env, core) || got.status == 409 || (got = start_of("wide", key)).status == 202);
        if (!env_running(env, core))
            start_core("");
        got = start_of("wide", key);
    }
    if (got.status != 202)
        env_fail(env, "%s: answered %d", point, got.status);
    ENV_WAIT(env, 20000, !env_running(env, core) || none_active());
    if (!env_running(env, core))
        start_core("");
    ENV_WAIT(env, 20000, none_active());
    wrong = env_psql(env, wide_sql);
    if (wrong[0] != '\0')
        env_fail(env, "%s: %s", point, wrong);
    for (size_t i = 0; i < ledger_count(ledger); i++) {
        struct ledger_call c = ledger_get(ledger, i);
        int same = 0;

        for (size_t k = 0; k < ledger_count(ledger); k++)
            same += strcmp(ledger_get(ledger, k).key, c.key) == 0;
        if (c.key[0] == '\0' || same > 2)
            env_fail(env, "%s: %d calls with key \"%s\"", point, same, c.key);
    }
    (void)env_kill(env, core, SIGKILL);
}

/* Those that `log` does not name and that stand nowhere else are struck. */
static void strike_by_name(const char *name, const char *log, int *n)
{
    int before = faults();

    if (passes(log, name) || is_elsewhere(name))
        return;
    wide_run(arena_printf(env_arena(env), "behind.%s:1", name), ++*n);
    if (faults() == before)
        env_fail(env, "no run passes statement \"%s\", and it stands in no list", name);
}

static void no_statement_is_forgotten(void **state)
{
    const char *log;
    int n = 0;
    bool expired;

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGTERM);
    start_core("passed");
    (void)start_run();
    ENV_WAIT(env, 10000, none_active());
    log = arena_strdup(env_arena(env), env_log(env, "core.sock"));
    (void)env_kill(env, core, SIGKILL);
    /* a job counts as having taken processes down: its starts are counted, its first store is progress */
    (void)env_psql(env, "ALTER TABLE jobs ALTER attempts SET DEFAULT 3");
    for (size_t i = 0; i < engine_writer_stmts_n; i++)
        strike_by_name(engine_writer_stmts[i]->name, log, &n);
    for (size_t i = 0; i < engine_stmts.n; i++)
        strike_by_name(engine_stmts.stmts[i]->name, log, &n);
    (void)env_psql(env, "ALTER TABLE jobs ALTER attempts SET DEFAULT 0");
    /* and what the first run asks outside of its transactions */
    for (size_t i = 0; i < engine_stmts.n; i++)
        if (passes(log, engine_stmts.stmts[i]->name))
            n += strike(arena_printf(env_arena(env), "behind.%s", engine_stmts.stmts[i]->name), 1, &expired);
    start_core("");
    printf("by name: %d statements\n", n);
}

/* ---- people ----------------------------------------------------------------------------------- */

/* What a person changes, its line in the log and its record in the audit are there together or not at
 * all; one text. */
static const char people_sql[] =
    "SELECT concat_ws('; ', (SELECT 'audit' WHERE (SELECT count(*) FROM audit WHERE target_type = 'transaction') <> "
    "(SELECT count(*) FROM instance_logs WHERE source = 'operator')), "
    "(SELECT 'error' WHERE EXISTS (SELECT FROM errors WHERE replayed) <> EXISTS (SELECT FROM instance_logs WHERE message LIKE "
    "'task % replayed by %')), "
    "(SELECT 'definition' WHERE EXISTS (SELECT FROM instances i JOIN definitions d ON d.id = i.definition_id WHERE d.definition LIKE "
    "'%after%') <> EXISTS (SELECT FROM instance_logs WHERE message LIKE 'definition replaced by %')), "
    "(SELECT 'context' WHERE (SELECT count(*) FROM contexts WHERE key IN ('url', 'm')) <> (SELECT count(DISTINCT message) FROM "
    "instance_logs WHERE message LIKE 'context key % changed by %')))";

static void nothing_by_half(const char *point)
{
    const char *wrong = env_psql(env, people_sql);

    if (wrong[0] != '\0')
        env_fail(env, "%s: not stored together: %s", point, wrong);
}

static bool is(const char *sql, const char *want)
{
    return strcmp(env_psql(env, sql), want) == 0;
}

/* A person asks once; the status of the answer, 0 when the process died instead.  It runs again then. */
static int asks(const char *point, const char *method, const char *uri, const char *body)
{
    const char *params[] = {arena_printf(env_arena(env), "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};
    struct fcgi_request r = {.method = method, .uri = uri, .params = params, .body = str_c(body), .content_type = "application/json"};
    struct fcgi_answer got = fcgi_call(env_path(env, "core.sock"), &r, env_arena(env));

    if (got.status == 0)
        ENV_WAIT(env, 5000, !env_running(env, core));
    nothing_by_half(point);
    if (!env_running(env, core))
        start_core("");
    return got.status;
}

static bool is_done(int status)
{
    return status / 100 == 2 || status == 409; /* 409: it is done already */
}

/* A person asks until it is done. */
static void person(const char *point, const char *method, const char *uri, const char *body)
{
    int status = 0;

    for (int i = 0; i < 20 && !is_done(status); i++)
        status = asks(point, method, uri, body);
    if (!is_done(status))
        env_fail(env, "%s: %s %s answered %d", point, method, uri, status);
}

/* An operation on many takes place beside the answer, so the process may die first: who heard nothing looks whether it was begun,
 * for each further one is an operation of its own. */
static void operation(const char *point, const char *body)
{
    int status = 0;

    for (int i = 0; i < 20 && !is_done(status) && is("SELECT count(*) FROM mass_operations", "0"); i++)
        status = asks(point, "POST", "/api/v01/transactions/operations", body);
}

#define BLOCKED(after)                                                                             \
    DEFINITION(CELL("bad", "http_call", "\"method\":\"post\",\"url\":\"{{ context.url }}\"",        \
                    "\"success\",\"error\"") "," HOUR "," after,                                  \
               LINE("start.ok", "bad") "," LINE("start.ok", "hour") "," LINE("bad.success", "end"))

static void people_run(int64_t activity, const char *name)
{
    const char *point = arena_printf(env_arena(env), "behind.%s:1", name), *run, *ended;
    int before = faults();
    pid_t struck;

    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers, errors, instance_logs, audit, mass_operations, mass_items");
    ledger_clear(ledger);
    start_core(point);
    struck = core;
    person(point, "POST", arena_printf(env_arena(env), "/api/v01/activities/%lld/run", (long long)activity), "{}");
    ENV_WAIT(env, 10000, is("SELECT count(*) FROM tasks WHERE status = 'ERROR'", "1"));
    run = arena_printf(env_arena(env), "/api/v01/transactions/%s", env_psql(env, "SELECT id FROM instances"));
    person(point, "PUT", arena_printf(env_arena(env), "%s/context", run),
           arena_printf(env_arena(env), "{\"key\":\"url\",\"value\":\"http://127.0.0.1:%d/\"}", ledger_port(ledger)));
    operation(point, arena_printf(env_arena(env), "{\"operation\":\"context\",\"key\":\"m\",\"value\":1,\"ids\":[%s]}",
                                  env_psql(env, "SELECT id FROM instances")));
    ENV_WAIT(env, 10000, !env_running(env, core) || is("SELECT string_agg(DISTINCT status, ',') FROM mass_operations", "DONE"));
    if (strcmp(name, "mass_end") == 0) /* what it says is there before it dies, which may have been before it answered */
        ENV_WAIT(env, 10000, core != struck || !env_running(env, core));
    nothing_by_half(point);
    if (!env_running(env, core))
        start_core("");
    ENV_WAIT(env, 10000, is("SELECT string_agg(DISTINCT status, ',') FROM mass_operations", "DONE"));
    person(point, "PUT", arena_printf(env_arena(env), "/api/v01/timers/%s", env_psql(env, "SELECT id FROM timers")),
           "{\"at\":\"2099-01-01T00:00:00Z\"}");
    person(point, "PUT", run,
           arena_printf(env_arena(env), "{\"definition\":%s}", api_quoted(env, BLOCKED(CELL("after", "note", "", "") ","))));
    person(point, "PUT", arena_printf(env_arena(env), "%s/tasks/%s", run, env_psql(env, "SELECT id FROM tasks WHERE cell_id = 'bad'")), "{\"status\":\"replay\"}");
    ENV_WAIT(env, 10000, none_active());
    nothing_by_half(point);
    if (faults() == before)
        env_fail(env, "%s: nobody came by", point);
    ended = env_psql(env, "SELECT status || (SELECT count(*) FROM tasks) || (SELECT string_agg(status, '') FROM mass_items) || (SELECT count(*) FROM "
                          "audit WHERE summary LIKE 'task%') FROM instances");
    if (strcmp(ended, "CLOSED_IN_SUCCESS4OK1") != 0)
        env_fail(env, "%s: ended as %s", point, ended);
    (void)env_kill(env, core, SIGKILL);
}

static void people_are_struck(void **state)
{
    int64_t id;

    (void)state;
    NEEDS_FAULT_POINTS();
    id = api_activity(env, "blocked", BLOCKED(""));
    (void)env_kill(env, core, SIGTERM);
    for (size_t i = 0; i < COUNT_OF(of_people); i++)
        people_run(id, of_people[i]);
    start_core("");
}

/* ---- a run that waits for an answer, and one that cannot be run ---------------------------------- */

static void asks_to_close(void)
{
    const char *params[] = {arena_printf(env_arena(env), "HTTP_AUTHORIZATION=Bearer %s", api_token()), NULL};
    struct fcgi_request r = {.method = "PUT",
                             .uri = arena_printf(env_arena(env), "/api/v01/transactions/%s", env_psql(env, "SELECT id FROM instances")),
                             .params = params,
                             .body = STR("{\"status\":\"CLOSE_IN_ERROR\"}"),
                             .content_type = "application/json"};

    (void)fcgi_call(env_path(env, "core.sock"), &r, env_arena(env));
}

/* Struck while its lease is prolonged, and while somebody asks its owner to close it: it is whole in the end. */
static void beside_a_call(void **state)
{
    static const struct {
        const char *statement;
        bool close;
        const char *want;
    } rows[] = {{"job_prolong", false, "CLOSED_IN_SUCCESS0"}, {"op_close", true, "CLOSED_IN_ERROR0"}};
    int64_t id;

    (void)state;
    NEEDS_FAULT_POINTS();
    id = api_activity(env, "held",
                      arena_printf(env_arena(env), DEFINITION(CELL("ask", "http_call", "\"url\":\"http://127.0.0.1:%d/\",\"timeout\":\"60\"", "\"success\"") ",",
                                                              LINE("start.ok", "ask") "," LINE("ask.success", "end")),
                                   peer_port(peer)));
    api_route(env, "post", "/held", id, ",\"public\":true");
    ENV_WAIT(env, 5000, api_raw(env, "POST", "/api/v01/public/held", "no JSON").status != 404);
    (void)env_kill(env, core, SIGTERM);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *point = arena_printf(env_arena(env), "behind.%s:1", rows[i].statement);
        int before = faults();

        (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers, errors, instance_logs");
        peer_hold(peer, true);
        start_core(point);
        (void)start_of("held", NULL);
        if (rows[i].close) /* once: its owner dies with the signal stored */
            asks_to_close();
        ENV_WAIT(env, 20000, !env_running(env, core));
        start_core("");
        peer_hold(peer, false);
        ENV_WAIT(env, 20000, is("SELECT status || (SELECT count(*) FROM jobs) || coalesce((SELECT 'signal' FROM instance_signals LIMIT 1), '') "
                                "FROM instances", rows[i].want));
        if (faults() == before)
            env_fail(env, "%s: nobody came by", point);
        (void)env_kill(env, core, SIGKILL);
    }
    start_core("");
}

/* Its definition is unreadable: that is said once, whatever dies in between, and it is left alone. */
static void cannot_be_run(void **state)
{
    int before = faults();

    (void)state;
    NEEDS_FAULT_POINTS();
    (void)env_kill(env, core, SIGKILL);
    (void)env_psql(env, "TRUNCATE instances, requests, tasks, contexts, timers, errors, instance_logs");
    start_core("");
    (void)start_of("hour", NULL);
    ENV_WAIT(env, 10000, is("SELECT count(*) FROM timers WHERE status = 'WAIT'", "1"));
    (void)env_kill(env, core, SIGKILL);
    (void)env_psql(env, "UPDATE definitions SET definition = '{}' WHERE id = (SELECT definition_id FROM instances)");
    (void)env_psql(env, "UPDATE jobs SET due_on = now()");
    start_core("behind.job_fail:1");
    ENV_WAIT(env, 20000, !env_running(env, core));
    start_core("");
    ENV_WAIT(env, 20000, is("SELECT state FROM jobs", "failed"));
    assert_string_equal(env_psql(env, "SELECT count(*) || ' ' || max(output) FROM errors"), "1 cannot be run");
    assert_int_equal(faults(), before + 1);
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up),
        cmocka_unit_test(no_statement_is_forgotten),
        cmocka_unit_test(dies_behind_each_statement),
        cmocka_unit_test(loses_the_connection_behind_each_statement),
        cmocka_unit_test(loses_each_commit),
        cmocka_unit_test(stores_again_what_was_lost),
        cmocka_unit_test(people_are_struck),
        cmocka_unit_test(beside_a_call),
        cmocka_unit_test(cannot_be_run),
        cmocka_unit_test(ends_cleanly),
    };
    int failed;

    env = env_start();
    ledger = ledger_new(0);
    peer = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    failed = env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
    ledger_free(ledger);
    peer_free(peer);
    return failed;
}
