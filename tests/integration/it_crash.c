/*
 * Nothing acknowledged is lost and nothing completed runs twice, however often programs die.
 *
 * Two cores work on one database; random workflows call a ledger that writes down every call.
 * While clients start asynchronous runs, cores are killed, stopped or cut off for longer than a
 * lease lasts, their connections are cut, and PostgreSQL is killed.  After each round everything
 * must be complete, and every call must have a reason.
 *
 *     SLUICE_SEED=n     the same workflows, victims and pauses again
 *     SLUICE_ROUNDS=n   for long runs: n rounds with more blows each
 *     SLUICE_SECONDS=n  further rounds until so much time has gone: what tests/run does
 *
 * What a round found is judged in SQL: schema "proof" holds what the clients, the ledger and the
 * killer know, beside the tables of the engine.
 */
#include "base/arena.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "integration/env_api.h"
#include "support/crash_graphs.h"
#include "support/crash_laws.h"
#include "support/crash_ledger.h"
#include "support/crash_outside.h"
#include "support/fcgi_client.h"
#include "support/wire.h"

enum {
    CORES = 2,
    CLIENTS = 3,
    ACKS_MAX = 4000, /* of a round */
    DELAY_MS = 30,   /* of the ledger's answers */
    STOP_MS = 4500,  /* longer than the lease of a test build */
    SLACK_MS = 1500, /* what a blow may still bring about when it is over */
};

static const char *const sockets[CORES] = {"c0.sock", "c1.sock"};

struct ack {
    int64_t id;
    char guid[40];
};

/* What the clients of a round share. */
struct load {
    const char *paths[CORES];
    uint64_t seed;
    int pause_ms, per_client;
    atomic_bool stop;
    pthread_mutex_t lock; /* the rest */
    struct ack acks[ACKS_MAX];
    size_t n;
    size_t refused; /* answers other than an acknowledgement, and none */
};

struct client {
    struct load *load;
    uint64_t rng;
    pthread_t thread;
};

static struct env *env;
static struct ledger *ledger;
static struct outside *outside;
static const char *auth; /* of the administrator, as a parameter of FastCGI */
static struct wire *wire;
static pid_t cores[CORES];
static uint64_t seed, rng;
static int rounds = 3, blows = 4;
static int64_t seconds; /* at least so long */
static bool sound; /* nothing failed so far */
static struct load load;
static struct {
    int kills, stops, pg_kills, cuts, holds, replays, restarts;
    size_t acked, refused, calls, said[OUTSIDE_KINDS];
    int64_t slowest_ms;
} total;

static int64_t number_of(const char *name, int64_t otherwise)
{
    int64_t n = otherwise;
    const char *text = getenv(name);

    return text != NULL && str_to_int(str_c(text), &n) ? n : otherwise;
}

/* Store a workflow and what is to be found of it. */
static int64_t make_graph(struct crash_graph g)
{
    int64_t id = api_activity(env, g.name, g.definition);

    (void)env_psql(env, arena_printf(env_arena(env),
                                     "INSERT INTO proof.cells VALUES %s; UPDATE proof.cells SET "
                                     "activity = %lld WHERE activity = 0; INSERT INTO proof.ends "
                                     "VALUES (%lld, '%s')",
                                     g.facts, (long long)id, (long long)id, g.status));
    return id;
}

static void make_graphs(void)
{
    struct arena *a = env_arena(env);

    for (int i = 0; i < CRASH_HELPERS; i++)
        (void)make_graph(crash_helper(i, ledger_port(ledger), a));
    for (int i = 0; i < CRASH_TOPS; i++)
        api_route(env, "post", arena_printf(a, "/graph%d", i),
                  make_graph(crash_top(i, &rng, ledger_port(ledger), a)), ",\"public\":true");
}

/* ---- clients -------------------------------------------------------------------------------- */

static bool read_ack(struct load *l, const struct fcgi_answer *got, struct arena *a)
{
    struct val v, id, guid;
    struct err e;
    bool ok;

    if (got->status != 200 || !got->ended || json_parse(got->body, &v, a, &e) != 0)
        return false;
    id = val_get(v, "id");
    guid = val_get(v, "guid");
    if (!val_is(id, VAL_INT) || !val_is(guid, VAL_STR))
        return false;
    pthread_mutex_lock(&l->lock);
    ok = l->n < ACKS_MAX;
    if (ok) {
        l->acks[l->n].id = id.u.i;
        (void)snprintf(l->acks[l->n].guid, sizeof l->acks[l->n].guid, "%.*s",
                       STR_ARG(val_text(guid)));
        l->n++;
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

static void *client_main(void *arg)
{
    struct client *c = arg;
    struct load *l = c->load;
    struct arena *a = arena_new(0);

    for (int n = 0; n < l->per_client && !l->stop;) {
        const char *uri = arena_printf(a, "/api/v01/public/graph%d", crash_below(&c->rng, CRASH_TOPS));
        struct fcgi_request r = {
            .method = "POST", .uri = uri, .body = STR("{}"), .content_type = "application/json"};
        struct fcgi_answer got = fcgi_call(l->paths[crash_below(&c->rng, CORES)], &r, a);

        if (read_ack(l, &got, a)) {
            n++;
        } else {
            pthread_mutex_lock(&l->lock);
            l->refused++;
            pthread_mutex_unlock(&l->lock);
        }
        arena_reset(a);
        usleep((useconds_t)(1 + crash_below(&c->rng, l->pause_ms)) * 1000);
    }
    arena_free(a);
    return NULL;
}

/* ---- blows ---------------------------------------------------------------------------------- */

/* The last core reaches PostgreSQL over a wire that can be cut. */
static void core_start(int i)
{
    const char *through = arena_printf(env_arena(env), "DB=postgresql://sluice@/sluice?host=%s",
                                       env_path(env, "wire"));
    const char *vars[] = {i == CORES - 1 ? through
                                         : arena_printf(env_arena(env), "DB=%s", env_db(env)),
                          NULL};

    cores[i] = env_app_start_with(env, "sluice-core", sockets[i],
                                  (const char *const[]){"-workflows", NULL}, vars);
}

static void note_blow(int round, const char *what, int64_t from_us)
{
    (void)env_psql(env,
                   arena_printf(env_arena(env),
                                "INSERT INTO proof.blows VALUES (%d, '%s', %lld, %lld)", round,
                                what, (long long)from_us, (long long)clock_wall_us(&clock_system)));
}

/* One core, or both before the first is started again. */
static void kill_cores(int round)
{
    int first = crash_below(&rng, CORES), n = crash_below(&rng, 5) == 0 ? CORES : 1;
    int64_t from_us = clock_wall_us(&clock_system);

    for (int i = 0; i < n; i++)
        (void)env_kill(env, cores[(first + i) % CORES], SIGKILL);
    note_blow(round, "kill", from_us);
    for (int i = 0; i < n; i++)
        core_start((first + i) % CORES);
    total.kills += n;
}

/* A core that stands still until others have taken its leases, and then goes on. */
static void stop_core(int round)
{
    int i = crash_below(&rng, CORES);
    int64_t from_us = clock_wall_us(&clock_system);

    kill(cores[i], SIGSTOP);
    usleep(STOP_MS * 1000);
    kill(cores[i], SIGCONT);
    note_blow(round, "stop", from_us);
    total.stops++;
}

/* Connections end in the middle of whatever they carry. */
static void cut_wire(int round)
{
    int64_t from_us = clock_wall_us(&clock_system);

    for (int n = 1 + crash_below(&rng, 4); n > 0; n--) {
        wire_cut(wire);
        usleep((useconds_t)crash_below(&rng, 60) * 1000);
    }
    note_blow(round, "cut", from_us);
    total.cuts++;
}

/* A host that is cut off for longer than a lease: others take over, and it does not know. */
static void hold_wire(int round)
{
    int64_t from_us = clock_wall_us(&clock_system);

    wire_hold(wire, true);
    usleep(STOP_MS * 1000);
    wire_hold(wire, false);
    note_blow(round, "stop", from_us);
    total.holds++;
}

/* Half of the time a core has just begun and has asked for little yet. */
static void kill_postgres(int round)
{
    int64_t from_us;

    if (crash_below(&rng, 2) == 0) {
        kill_cores(round);
        usleep((useconds_t)crash_below(&rng, 300) * 1000);
    }
    from_us = clock_wall_us(&clock_system);
    env_pg_stop(env);
    usleep((useconds_t)crash_below(&rng, 500) * 1000);
    env_pg_start(env);
    note_blow(round, "postgres", from_us);
    total.pg_kills++;
}

static void strike(int round, int n)
{
    int kind = crash_below(&rng, 20);

    usleep((useconds_t)(50 + crash_below(&rng, 350)) * 1000);
    if (n == 0 && round % 3 == 1)
        kill_postgres(round);
    else if (n == 1 && round % 3 == 2)
        stop_core(round);
    else if (n == 1 && round % 3 == 0)
        hold_wire(round);
    else if (kind == 0 && rounds > 10)
        kill_postgres(round);
    else if (kind < 7)
        cut_wire(round);
    else
        kill_cores(round);
}

/* ---- judging -------------------------------------------------------------------------------- */

static const char *found(const struct crash_law *law, int round, int64_t start_us)
{
    return env_psql(env, crash_law_sql(law, round, start_us, SLACK_MS * 1000, env_arena(env)));
}

static void hand_in(int round)
{
    struct buf b;
    size_t n = ledger_count(ledger);

    buf_init(&b, 64 * MIB, env_arena(env));
    buf_add_c(&b, "SELECT 1");
    for (size_t i = 0; i < load.n; i++)
        buf_addf(&b, "%s(%d,%lld,'%s')", i == 0 ? "; INSERT INTO proof.acked VALUES " : ",", round,
                 (long long)load.acks[i].id, load.acks[i].guid);
    for (size_t i = 0; i < n; i++) {
        struct ledger_call c = ledger_get(ledger, i);

        buf_addf(&b, "%s(%d,'%s','%s','%s',%lld)",
                 i == 0 ? "; INSERT INTO proof.calls VALUES " : ",", round, c.guid, c.cell, c.key,
                 (long long)c.at_us);
    }
    for (size_t i = 0; i < outside_count(outside); i++) {
        struct outside_said said = outside_get(outside, i);

        buf_addf(&b, "%s(%d,'%s','%s','%s',%d,%s)",
                 i == 0 ? "; INSERT INTO proof.said VALUES " : ",", round, said.guid, said.cell,
                 said.what, said.status, said.unsure ? "true" : "false");
        total.said[said.kind]++;
    }
    buf_add_c(&b, "; ANALYZE proof.acked; ANALYZE proof.calls; ANALYZE proof.said");
    (void)env_psql(env, buf_cstr(&b));
    total.acked += load.n;
    total.refused += load.refused;
    total.calls += n;
    outside_clear(outside);
}

static void judge(int round, int64_t start_us)
{
    bool bad = false;

    for (size_t i = 0; i < crash_laws_n; i++) {
        const char *breach = found(&crash_laws[i], round, start_us);

        if (breach[0] != '\0') {
            fprintf(stderr, "round %d: %s: %s\n", round, crash_laws[i].name, breach);
            bad = true;
        }
    }
    if (bad)
        env_fail(env, "seed %llu, round %d: a promise was broken", (unsigned long long)seed, round);
}

/*
 * Runs whose owners were killed five times before they had stored anything are left alone: a person
 * replays them.
 */
static void replay_left_alone(int round, int64_t start_us)
{
    struct arena *a = env_arena(env);
    const char *params[] = {auth, NULL};
    const char *which = found(&crash_law_left_alone, round, start_us);
    struct str list = str_c(which);

    while (list.len > 0) {
        int64_t from_us = clock_wall_us(&clock_system);
        struct str task = str_trim(str_cut(&list, ';'));
        struct fcgi_request r = {
            .method = "PUT",
            .uri = arena_printf(a, "/api/v01/transactions/%.*s", STR_ARG(task)),
            .params = params,
            .body = STR("{}"),
            .content_type = "application/json"};

        if (fcgi_call(load.paths[0], &r, a).status == 200)
            total.replays++;
        note_blow(round, "replay", from_us);
    }
}

/* A core that found no database when it began has ended: whoever watches it starts it again. */
static void restart_ended(void)
{
    for (int i = 0; i < CORES; i++)
        if (!env_running(env, cores[i])) {
            core_start(i);
            total.restarts++;
        }
}

/* Until nothing is ACTIVE any more; says what is left when that takes too long. */
static void wait_closed(int round, int64_t start_us)
{
    int64_t from = clock_mono_ms(&clock_system), took;
    const char *left = "";

    for (;;) {
        left = found(&crash_law_open, round, start_us);
        took = clock_mono_ms(&clock_system) - from;
        if (left[0] == '\0')
            break;
        restart_ended();
        replay_left_alone(round, start_us);
        if (took > 60000)
            env_fail(env, "seed %llu, round %d: still active: %s", (unsigned long long)seed, round,
                     left);
        usleep(100 * 1000);
    }
    total.slowest_ms = took > total.slowest_ms ? took : total.slowest_ms;
    ENV_WAIT(env, 20000, outside_idle(outside));
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void set_up(void **state)
{
    struct arena *a = env_arena(env);
    const char *role;

    (void)state;
    api_admin(env);
    (void)env_psql(env, crash_tables_sql);
    role = api_text(env, api(env, 200, "POST", "/api/v01/system/user_roles",
                             "{\"name\":\"" CRASH_ROLE "\"}"), "id");
    api(env, 200, "POST",
        arena_printf(a, "/api/v01/system/users/%s/roles/%s",
                     env_psql(env, "SELECT id FROM users WHERE username = 'admin'"), role),
        NULL);
    make_graphs();
    core_start(1);
    for (int i = 0; i < CORES; i++) {
        struct fcgi_request r = {.uri = "/api/v01/health"};

        ENV_WAIT(env, 20000, fcgi_call(load.paths[i], &r, env_arena(env)).status == 200);
    }
    auth = arena_printf(a, "HTTP_AUTHORIZATION=Bearer %s", api_token());
    outside = outside_new(ledger, load.paths, CORES, auth);
    sound = true;
}

static struct fcgi_answer start_one(int core)
{
    struct fcgi_request r = {.method = "POST",
                             .uri = "/api/v01/public/graph0",
                             .body = STR("{}"),
                             .content_type = "application/json"};

    return fcgi_call(load.paths[core], &r, env_arena(env));
}

static bool acknowledged(int core)
{
    struct fcgi_answer got = start_one(core);

    return read_ack(&load, &got, env_arena(env));
}

/* The core dies the moment its answer is read: the other one, or the next one, completes the run.
 */
static void answered_then_killed(void **state)
{
    int64_t start_us = clock_wall_us(&clock_system);

    (void)state;
    if (!sound)
        skip();
    sound = false;
    load.n = load.refused = 0;
    for (int i = 0; i < 4; i++) {
        int64_t from_us;

        ENV_WAIT(env, 20000, acknowledged(i % CORES));
        from_us = clock_wall_us(&clock_system);
        (void)env_kill(env, cores[i % CORES], SIGKILL);
        total.kills++;
        if (i == 3) { /* nobody is left */
            (void)env_kill(env, cores[0], SIGKILL);
            total.kills++;
            core_start(0);
        }
        note_blow(0, "kill", from_us);
        core_start(i % CORES);
    }
    wait_closed(0, start_us);
    assert_int_equal(load.n, 4);
    hand_in(0);
    judge(0, start_us);
    sound = true;
}

static void run_round(int round)
{
    struct client clients[CLIENTS];
    int64_t start_us = clock_wall_us(&clock_system);

    load.n = load.refused = 0;
    load.stop = false;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.load = &load, .rng = crash_random(&rng)};
        if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0)
            abort();
    }
    for (int i = 0; i < blows; i++)
        strike(round, i);
    load.stop = true;
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    wait_closed(round, start_us);
    hand_in(round);
    judge(round, start_us);
}

static void survives_blows(void **state)
{
    int64_t until_us = clock_mono_us(&clock_system) + seconds * 1000000;

    (void)state;
    if (!sound)
        skip();
    sound = false;
    for (int round = 1; round <= rounds || clock_mono_us(&clock_system) < until_us; round++) {
        run_round(round);
        if (rounds > 10 || round % rounds == 0)
            fprintf(
                stderr,
                "crash: seed %llu, round %d: %d cores killed, %d stopped, PostgreSQL killed %d "
                "times, connections cut %d times, a host cut off %d times; %zu acknowledged, %zu not, %zu "
                "calls, %s of them repeats, %zu call-backs, %zu answers, %zu events, %d tasks replayed "
                "by hand, %d cores that had ended started again; closed within %lld ms at most\n",
                (unsigned long long)seed, round, total.kills, total.stops, total.pg_kills,
                total.cuts, total.holds,
                total.acked, total.refused, total.calls,
                env_psql(env, "SELECT count(*) - count(DISTINCT key) FROM proof.calls"),
                total.said[OUTSIDE_CALLBACK], total.said[OUTSIDE_ANSWER],
                total.said[OUTSIDE_EVENT], total.replays, total.restarts,
                (long long)total.slowest_ms);
    }
    assert_true(total.acked > 0);
    sound = true;
}

static void ends_cleanly(void **state)
{
    (void)state;
    if (!sound)
        skip();
    for (int i = 0; i < CORES; i++)
        env_stop(env, cores[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(set_up),
        API_TEST(answered_then_killed),
        API_TEST(survives_blows),
        API_TEST(ends_cleanly),
    };
    int failed;

    seed = (uint64_t)number_of("SLUICE_SEED", clock_wall_us(&clock_system) % 1000000000);
    rounds = (int)number_of("SLUICE_ROUNDS", rounds);
    seconds = number_of("SLUICE_SECONDS", 0);
    if (rounds > 10)
        blows = 20;
    rng = seed;
    fprintf(stderr, "crash: SLUICE_SEED=%llu SLUICE_ROUNDS=%d\n", (unsigned long long)seed, rounds);
    ledger = ledger_new(DELAY_MS);
    env = env_start();
    pthread_mutex_init(&load.lock, NULL);
    load.pause_ms = 40;
    load.per_client = ACKS_MAX / CLIENTS;
    for (int i = 0; i < CORES; i++)
        load.paths[i] = env_path(env, sockets[i]);
    if (mkdir(env_path(env, "wire"), 0755) != 0)
        abort();
    wire = wire_new(env_path(env, "wire/.s.PGSQL.5432"), env_path(env, ".s.PGSQL.5432"));
    core_start(0);
    env_nginx_start(env, sockets[0], NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    outside_free(outside);
    failed = env_end(env, failed);
    ledger_free(ledger);
    wire_free(wire);
    pthread_mutex_destroy(&load.lock);
    return failed;
}
