/*
 * Leases live as long as their owner does: whoever holds the row of one job for long, in whichever transaction, costs no other run
 * its lease, and nobody the look for what is due.
 */
#include <libpq-fe.h>
#include <string.h>

#include "base/arena.h"
#include "integration/env_api.h"
#include "support/fcgi_client.h"
#include "support/peer.h"

#define fmt(...) env_fmt(env, __VA_ARGS__)
#define sql(...) env_sql(env, __VA_ARGS__)

static struct env *env;
static struct peer *peers[2];

/* A run whose call is not answered yet. */
static int64_t calling(struct peer *p)
{
    int64_t id;

    peer_hold(p, true);
    id = api_run(env,
                 fmt(DEFINITION(CELL("call", "http_call", "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"timeout\":\"60\"", "\"success\"") ",",
                                LINE("start.ok", "call") "," LINE("call.success", "end")),
                     peer_port(p)),
                 "{}");
    ENV_WAIT(env, 20000, peer_requests(p) > 0);
    return id;
}

static void a_held_row_costs_nobody_else_his_lease(void **state)
{
    PGconn *holder = PQconnectdb(env_db(env));
    int64_t held, other, late;
    const char *lease;

    (void)state;
    NEEDS_FAULT_POINTS(); /* leases are short there */
    held = calling(peers[0]);
    other = calling(peers[1]);
    lease = sql("SELECT lease_owner || ' ' || fence FROM jobs WHERE ref_id = %lld", (long long)other);
    PQclear(PQexec(holder, fmt("BEGIN; SELECT FROM jobs WHERE ref_id = %lld FOR UPDATE", (long long)held)));
    ENV_WAIT(env, 20000, strcmp(sql("SELECT lease_until < now() FROM jobs WHERE ref_id = %lld", (long long)held), "t") == 0);
    /* what is due is found while the lease of the held one has run out */
    late = api_run(env,
                   DEFINITION(CELL("nap", "timer", "\"timeout\":\"2 seconds\",\"discard_idle_limit\":true", "\"ok\"") ",",
                              LINE("start.ok", "nap") "," LINE("nap.ok", "end")),
                   "{}");
    ENV_WAIT(env, 10000, strcmp(sql("SELECT status FROM instances WHERE id = %lld", (long long)late), "CLOSED_IN_SUCCESS") == 0);
    assert_string_equal(sql("SELECT lease_owner || ' ' || fence FROM jobs WHERE ref_id = %lld AND lease_until > now()", (long long)other), lease);
    PQfinish(holder);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_hold(peers[i], false);
    ENV_WAIT(env, 30000, strcmp(sql("SELECT count(*) FROM instances WHERE status <> 'CLOSED_IN_SUCCESS'"), "0") == 0);
    assert_int_equal(peer_requests(peers[1]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(a_held_row_costs_nobody_else_his_lease)};
    static const char *const names[] = {"core.sock", "other.sock"};
    int failed;

    env = env_start();
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peers[i] = peer_new(&(struct peer_step){.kind = PEER_ANSWER}, 1);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        env_app_start(env, "sluice-core", names[i], (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, names[0], NULL);
    api_admin(env);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_free(peers[i]);
    return env_end(env, failed);
}
