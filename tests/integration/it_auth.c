/*
 * Logging in, being known, and being thrown out, against a real database (http-api.md 3).
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>

#include "auth/auth.h"
#include "base/log.h"
#include "db/migrate.h"
#include "integration/env.h"

static struct env *env;
static struct arena *arena;
static struct db *db;
static struct db_conn *conn;
static struct cfg_store *store;
static struct auth *au;

static int64_t now_us = 1700000000000000;

static int64_t wall(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock fake = {.wall_us = wall, .mono_us = wall};

#define SECOND 1000000LL
#define MINUTE (60 * SECOND)
#define HERE "10.1.2.3"

/* Fails the test when rc is not 0. */
static void must(int rc, const struct err *e)
{
    if (rc != 0)
        env_fail(env, "%s (%s)", e->msg, e->detail);
}

static int login_from(const char *ip, const char *user, const char *password, struct auth_tokens *t,
                      struct err *e)
{
    const struct cfg *c = cfg_get(store);
    int rc =
        auth_login(au, c, str_c(user), str_c(password), str_c(ip), STR("a browser"), t, arena, e);

    cfg_put(c);
    return rc;
}

static struct auth_tokens login(const char *password)
{
    struct auth_tokens t;
    struct err e = {0};

    now_us += 1000; /* later than what came before */
    must(login_from(HERE, "alice", password, &t, &e), &e);
    return t;
}

static void refused(const char *user, const char *password, const char *reason)
{
    struct auth_tokens t;
    struct err e = {0};

    assert_int_equal(login_from(HERE, user, password, &t, &e), -1);
    assert_int_equal(e.code, ERR_UNAUTHORIZED);
    assert_string_equal(e.msg, "wrong user name or password");
    assert_string_equal(e.detail, reason);
    assert_string_equal(
        env_psql(env, "SELECT failure_reason FROM login_attempts ORDER BY id DESC LIMIT 1"),
        reason);
}

static enum auth_rc who_from(const char *ip, struct str token, struct principal *p)
{
    const struct cfg *c = cfg_get(store);
    struct err e = {0};
    enum auth_rc rc = auth_identify(au, c, token, str_c(ip), true, p, arena, &e);

    cfg_put(c);
    return rc;
}

static bool known(struct str token)
{
    struct principal p;

    return who_from(HERE, token, &p) == AUTH_OK;
}

static int refresh(struct str token, struct auth_tokens *out)
{
    const struct cfg *c = cfg_get(store);
    struct err e = {0};
    int rc = auth_refresh(au, c, token, out, arena, &e);

    cfg_put(c);
    return rc;
}

static void first_administrator(void **state)
{
    struct err e = {0};
    struct auth_tokens t;
    struct principal p;

    (void)state;
    must(auth_new_superuser(conn, STR("alice"), STR("first password"), &e), &e);
    assert_int_equal(auth_new_superuser(conn, STR("alice"), STR("other"), &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(
        e.msg,
        "user \"alice\" exists; nothing changed (give -newsuperuser=NAME, or reset with sluicectl "
        "passwd alice)");
    t = login("first password");
    assert_true(str_eq_c(t.ui_profile, "admin"));
    assert_int_equal(who_from(HERE, t.access_token, &p), AUTH_OK);
    assert_true(p.is_system);
    assert_true(str_eq_c(p.username, "alice"));
    assert_int_equal(auth_family(&p).len, 36);
    assert_false(known(t.refresh_token));
    assert_string_equal(
        env_psql(env, "SELECT success::text FROM login_attempts ORDER BY id DESC LIMIT 1"), "true");
}

static void seen_before_needs_no_worker(void **state)
{
    struct auth_tokens t = login("first password");
    const struct cfg *c = cfg_get(store);
    struct principal p;
    struct err e = {0};

    (void)state;
    assert_int_equal(auth_identify(au, c, t.access_token, STR(HERE), false, &p, arena, &e),
                     AUTH_ASK);
    assert_true(known(t.access_token));
    assert_int_equal(auth_identify(au, c, t.access_token, STR(HERE), false, &p, arena, &e),
                     AUTH_OK);
    auth_forget(au);
    assert_int_equal(auth_identify(au, c, t.access_token, STR(HERE), false, &p, arena, &e),
                     AUTH_ASK);
    cfg_put(c);
}

static enum auth_rc on_loop(struct str token)
{
    const struct cfg *c = cfg_get(store);
    struct principal p;
    struct err e = {0};
    enum auth_rc rc = auth_identify(au, c, token, STR(HERE), false, &p, arena, &e);

    cfg_put(c);
    return rc;
}

static uint64_t times_read(void)
{
    return auth_counts(au).read;
}

/* Before somebody known gets too old, one request sees to it; the others notice nothing. */
static void is_read_again_ahead(void **state)
{
    struct auth_tokens t = login("first password");
    uint64_t before;

    (void)state;
    assert_true(known(t.access_token));
    before = times_read();
    now_us += 44 * SECOND;
    assert_int_equal(on_loop(t.access_token), AUTH_OK);
    assert_true(known(t.access_token));
    assert_int_equal(times_read(), before);
    now_us += 2 * SECOND;
    assert_int_equal(on_loop(t.access_token), AUTH_ASK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(on_loop(t.access_token), AUTH_OK);
    assert_true(known(t.access_token)); /* the worker that was asked */
    assert_int_equal(times_read(), before + 1);
    now_us += 40 * SECOND; /* longer ago than callers are kept */
    assert_int_equal(on_loop(t.access_token), AUTH_OK);
    assert_int_equal(times_read(), before + 1);
}

/* Nobody asked for him while it was time to: then he is a stranger. */
static void is_not_kept_for_ever(void **state)
{
    struct auth_tokens t = login("first password");

    (void)state;
    assert_true(known(t.access_token));
    now_us += 61 * SECOND;
    assert_int_equal(on_loop(t.access_token), AUTH_ASK);
}

/* A notice got lost: reading him again finds out, and nothing else that is known is believed then. */
static void lost_notices(void **state)
{
    struct auth_tokens t = login("first password"), other = login("first password");

    (void)state;
    assert_true(known(t.access_token) && known(other.access_token));
    env_psql(env, "UPDATE users SET status = 'REVOKED'");
    assert_true(known(t.access_token));
    now_us += 46 * SECOND;
    assert_false(known(t.access_token));
    assert_int_equal(on_loop(other.access_token), AUTH_ASK);
    assert_false(known(other.access_token));
    env_psql(env, "UPDATE users SET status = 'ACTIVE'");
    assert_true(known(t.access_token));
}

/* Reading again is put off while the database is away, until he is too old; one request in five seconds tries. */
static void the_database_is_away(void **state)
{
    struct auth_tokens t = login("first password");
    struct err e = {0};

    (void)state;
    assert_true(known(t.access_token));
    db_put(db, conn);
    env_pg_stop(env);
    now_us += 46 * SECOND;
    assert_int_equal(on_loop(t.access_token), AUTH_ASK);
    assert_true(known(t.access_token));
    assert_int_equal(on_loop(t.access_token), AUTH_OK);
    now_us += 6 * SECOND;
    assert_int_equal(on_loop(t.access_token), AUTH_ASK);
    now_us += 10 * SECOND;
    assert_false(known(t.access_token));
    env_pg_start(env);
    ENV_WAIT(env, 10000, known(t.access_token));
    must(db_get(db, &conn, &e), &e);
}

/* Changes of the configuration are none of a caller's business, but for the keys of tokens. */
static void changes_of_the_configuration(void **state)
{
    struct auth_tokens t = login("first password");
    const struct cfg *old;
    struct principal p;
    struct str m2m;
    struct err e = {0};
    uint64_t before;

    (void)state;
    old = cfg_get(store);
    must(auth_m2m_new(au, old, conn, 1, 0, &m2m, arena, &e), &e);
    assert_true(known(t.access_token) && known(m2m));
    before = times_read();
    env_psql(env, "INSERT INTO configuration (content) SELECT content FROM configuration ORDER BY id DESC LIMIT 1");
    must(cfg_store_reload(store, &e), &e);
    assert_int_equal(on_loop(t.access_token), AUTH_OK);
    assert_int_equal(times_read(), before);

    env_psql(env, "UPDATE keys SET state = 'retired' WHERE label = 'tokens'");
    must(cfg_store_poll(store, &e), &e);
    assert_int_equal(on_loop(t.access_token), AUTH_REFUSED);
    assert_false(known(t.access_token));
    assert_int_equal(on_loop(m2m), AUTH_OK);
    /* who still works with the snapshot before lets him in, and that is not remembered for the one after */
    assert_int_equal(auth_identify(au, old, t.access_token, STR(HERE), true, &p, arena, &e), AUTH_OK);
    cfg_put(old);
    assert_false(known(t.access_token));
    t = login("first password");
    assert_true(known(t.access_token));
}

/* ---- many at once ------------------------------------------------------------------------------------------- */

enum { CROWD = 8 };

struct asker {
    pthread_t thread;
    struct str token;
    bool known;
};

static void *ask(void *arg)
{
    struct asker *w = arg;
    const struct cfg *c = cfg_get(store);
    struct arena *a = arena_new(0);
    struct principal p;
    struct err e = {0};

    w->known = auth_identify(au, c, w->token, STR(HERE), true, &p, a, &e) == AUTH_OK && str_eq_c(p.username, "alice");
    arena_free(a);
    cfg_put(c);
    return NULL;
}

/* The rows of callers cannot be read while the connection is open. */
static PGconn *hold_rows(void)
{
    PGconn *c = PQconnectdb(env_db(env));

    PQclear(PQexec(c, "BEGIN"));
    PQclear(PQexec(c, "LOCK TABLE user_roles"));
    assert_int_equal(PQtransactionStatus(c), PQTRANS_INTRANS);
    return c;
}

static void start_asking(struct asker *crowd, struct str token, uint64_t joined)
{
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i].token = token;
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, ask, &crowd[i]), 0);
    }
    ENV_WAIT(env, 5000, auth_counts(au).joined == joined);
}

static void end_asking(struct asker *crowd, bool want)
{
    for (size_t i = 0; i < CROWD; i++) {
        pthread_join(crowd[i].thread, NULL);
        assert_true(crowd[i].known == want);
    }
}

/* Many who come with one token while it is not known: one statement, and its answer is everybody's. */
static void a_crowd_asks_once(void **state)
{
    struct auth_tokens t = login("first password");
    struct asker crowd[CROWD];
    struct auth_counts was = auth_counts(au);
    PGconn *held = hold_rows();

    (void)state;
    start_asking(crowd, t.access_token, was.joined + CROWD - 1);
    PQfinish(held);
    end_asking(crowd, true);
    assert_int_equal(times_read(), was.read + 1);
}

/* What began before a change is not what those get who ask after it. */
static void a_crowd_after_a_change(void **state)
{
    struct auth_tokens t = login("first password");
    struct asker before[CROWD], after[CROWD];
    struct auth_counts was = auth_counts(au);
    PGconn *held = hold_rows();

    (void)state;
    start_asking(before, t.access_token, was.joined + CROWD - 1);
    env_psql(env, "UPDATE users SET status = 'REVOKED'"); /* the statement that waits has not seen it, or has */
    auth_forget(au);
    start_asking(after, t.access_token, was.joined + 2 * (CROWD - 1));
    PQfinish(held);
    for (size_t i = 0; i < CROWD; i++)
        pthread_join(before[i].thread, NULL);
    end_asking(after, false);
    assert_int_equal(times_read(), was.read + 2);
    env_psql(env, "UPDATE users SET status = 'ACTIVE'");
}

static void renewing(void **state)
{
    struct auth_tokens t = login("first password");
    struct auth_tokens one;
    struct auth_tokens two;

    (void)state;
    assert_int_equal(refresh(t.refresh_token, &one), 0);
    assert_int_equal(one.refresh_token.len, 0); /* far from its end */
    assert_true(known(one.access_token));
    assert_int_equal(refresh(t.access_token, &one), -1);
    now_us += 17 * 60 * MINUTE;
    assert_false(known(t.access_token)); /* expired */
    assert_int_equal(refresh(t.refresh_token, &one), 0);
    assert_true(one.refresh_token.len > 0);
    /* a second window of the browser asks with the old one at the same time */
    assert_int_equal(refresh(t.refresh_token, &two), 0);
    assert_int_equal(two.refresh_token.len, 0);
    /* later only a thief would: the whole log-in ends */
    now_us += 2 * MINUTE;
    assert_int_equal(refresh(t.refresh_token, &two), -1);
    assert_int_equal(refresh(one.refresh_token, &two), -1);
    auth_forget(au);
    assert_false(known(one.access_token));
}

static void logging_out(void **state)
{
    struct auth_tokens t = login("first password");
    struct auth_tokens other = login("first password");
    struct auth_tokens out;
    struct err e = {0};
    unsigned char digest[64];
    size_t n;

    (void)state;
    assert_true(known(t.access_token));
    assert_true(crypto_digest("sha1", t.refresh_token, digest, &n));
    must(auth_logout(au, str_printf(arena, "sha1:%s", crypto_hex(arena, digest, n).p), &e), &e);
    must(auth_logout(au, STR("null"), &e), &e);
    must(auth_logout(au, STR("sha1:0123456789012345678901234567890123456789"), &e), &e);
    assert_int_equal(refresh(t.refresh_token, &out), -1);
    assert_false(known(t.access_token));
    assert_true(known(other.access_token));
}

static void lockout(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        refused("alice", "wrong", "wrong password");
    refused("alice", "first password", "locked");
    now_us += 4 * MINUTE;
    refused("alice", "first password", "locked");
    now_us += 2 * MINUTE;
    login("first password");
    for (int i = 0; i < 4; i++)
        refused("alice", "wrong", "wrong password");
    login("first password"); /* the count starts again */
    refused("alice", "wrong", "wrong password");
    login("first password");
    refused("nobody", "first password", "unknown user");
}

static void whitelist(void **state)
{
    struct auth_tokens t = login("first password");
    struct auth_tokens other;
    struct principal p;
    struct err e = {0};

    (void)state;
    env_psql(env, "UPDATE users SET with_ip_limits = true");
    env_psql(env, "INSERT INTO user_ip_limits (user_id, ip) SELECT id, '10.0.0.0/8' FROM users");
    auth_forget(au);
    assert_int_equal(who_from(HERE, t.access_token, &p), AUTH_OK);
    assert_int_equal(who_from("11.1.2.3", t.access_token, &p), AUTH_REFUSED);
    assert_int_equal(login_from("11.1.2.3", "alice", "first password", &other, &e), -1);
    assert_string_equal(e.detail, "address not allowed");
    env_psql(env, "UPDATE users SET with_ip_limits = false");
    auth_forget(au);
    assert_int_equal(who_from("11.1.2.3", t.access_token, &p), AUTH_OK);
}

static void m2m_and_revoking(void **state)
{
    const struct cfg *c = cfg_get(store);
    struct auth_tokens t;
    struct auth_tokens later;
    struct principal p;
    struct err e = {0};
    struct str token;
    struct str shown;

    (void)state;
    must(auth_m2m_new(au, c, conn, 1, 0, &token, arena, &e), &e);
    must(auth_m2m_show(c, 1, str_c(env_psql(env, "SELECT token_sealed FROM users")), &shown, arena,
                       &e),
         &e);
    assert_true(str_eq(token, shown));
    assert_int_equal(who_from(HERE, token, &p), AUTH_OK);
    assert_int_equal(p.token_id.len, 0);
    t = login("first password");
    assert_true(str_eq(t.token, token));
    assert_true(known(t.access_token));

    must(auth_revoke(au, conn, 1, &e), &e);
    assert_false(known(token));
    assert_false(known(t.access_token));
    assert_int_equal(refresh(t.refresh_token, &later), -1);
    refused("alice", "first password", "revoked or not active");

    must(auth_unrevoke(au, c, conn, 1, &e), &e);
    assert_false(known(token)); /* a new one took its place */
    later = login("first password");
    assert_true(later.token.len > 0 && !str_eq(later.token, token));
    assert_true(known(later.token));
    assert_false(known(t.access_token)); /* issued before */
    env_psql(env, "UPDATE users SET token_expiry_date = '2023-01-01'");
    auth_forget(au);
    assert_false(known(later.token));
    assert_int_equal(auth_revoke(au, conn, 99, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    cfg_put(c);
}

static void passwords(void **state)
{
    struct auth_tokens mine = login("first password");
    struct auth_tokens other = login("first password");
    const struct cfg *c = cfg_get(store);
    struct principal p;
    struct err e = {0};

    (void)state;
    assert_int_equal(who_from(HERE, mine.access_token, &p), AUTH_OK);
    must(auth_password_change(au, conn, 1, STR("second password"), auth_family(&p), &e), &e);
    assert_true(known(mine.access_token));
    assert_false(known(other.access_token));
    must(auth_password_confirm(au, c, conn, 1, STR("second password"), &e), &e);
    assert_int_equal(auth_password_confirm(au, c, conn, 1, STR("first password"), &e), -1);
    assert_int_equal(e.code, ERR_INVALID);

    must(auth_password_set(au, conn, 1, STR("third password"), true, &e), &e);
    assert_false(known(mine.access_token));
    mine = login("third password");
    assert_int_equal(who_from(HERE, mine.access_token, &p), AUTH_OK);
    assert_true(p.need_password_change);
    cfg_put(c);
}

static void former_passwords(void **state)
{
    static const struct {
        const char *password, *want;
    } rows[] = {
        {"third password", "password: must differ from the last 3"},
        {"second password", "password: must differ from the last 3"},
        {"first password", "password: must differ from the last 3"},
        {"drowssap driht", "password: must not be the old one backwards"},
        {"password123", "password: is in the list of weak passwords"},
        {"something else", NULL},
    };
    const struct cfg *c;
    struct err e = {0};

    (void)state;
    env_psql(env, "INSERT INTO weak_passwords VALUES ('password123')");
    env_psql(env,
             "INSERT INTO configuration (content) VALUES ('{\"password\":{\"duplicate_limit\":3,"
             "\"cannot_reverse_old_password\":true,\"check_against_weak_passwords\":true}}')");
    must(cfg_store_reload(store, &e), &e);
    c = cfg_get(store);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int rc = auth_password_check_user(c, conn, 1, STR("alice"), str_c(rows[i].password), &e);

        assert_int_equal(rc, rows[i].want != NULL ? -1 : 0);
        if (rows[i].want != NULL)
            assert_string_equal(e.msg, rows[i].want);
    }
    cfg_put(c);
}

static void resetting(void **state)
{
    const struct cfg *c = cfg_get(store);
    struct auth_reset r;
    struct auth_reset again;
    struct val elsewhere;
    struct err e = {0};

    (void)state;
    now_us = 1800000000000000;
    must(auth_reset_begin(au, conn, STR("nobody"), &r, arena, &e), &e);
    assert_null(r.username.p);
    must(auth_reset_begin(au, conn, STR("Alice"), &r, arena, &e), &e);
    assert_true(str_eq_c(r.username, "alice"));
    assert_true(r.token.len > 40);
    refused("alice", "third password", "password is being reset");
    must(auth_reset_begin(au, conn, STR("alice"), &again, arena, &e), &e);
    assert_null(again.username.p); /* at most every five minutes */
    must(auth_reset_check(au, conn, r.token, &elsewhere, arena, &e), &e);
    assert_int_equal(auth_reset_check(au, conn, STR("x"), &elsewhere, arena, &e), -1);
    assert_int_equal(e.code, ERR_FORBIDDEN);
    now_us += 21 * MINUTE;
    assert_int_equal(auth_reset_finish(au, c, conn, r.token, STR("third password"), &e), -1);
    assert_int_equal(e.code, ERR_FORBIDDEN);
    login("third password"); /* the suspension ends with the link */

    must(auth_reset_begin(au, conn, STR("alice"), &r, arena, &e), &e);
    must(db_begin(conn, &e), &e);
    assert_int_equal(auth_reset_finish(au, c, conn, r.token, STR("short"), &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    db_rollback(conn);
    must(auth_reset_finish(au, c, conn, r.token, STR("fourth password"), &e), &e);
    assert_int_equal(auth_reset_finish(au, c, conn, r.token, STR("fifth password"), &e), -1);
    login("fourth password");
    cfg_put(c);
}

static void deleted(void **state)
{
    struct auth_tokens t = login("fourth password");

    (void)state;
    assert_true(known(t.access_token));
    env_psql(env, "DELETE FROM users");
    auth_forget(au);
    assert_false(known(t.access_token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_administrator),
        cmocka_unit_test(seen_before_needs_no_worker),
        cmocka_unit_test(is_read_again_ahead),
        cmocka_unit_test(is_not_kept_for_ever),
        cmocka_unit_test(lost_notices),
        cmocka_unit_test(the_database_is_away),
        cmocka_unit_test(changes_of_the_configuration),
        cmocka_unit_test(a_crowd_asks_once),
        cmocka_unit_test(a_crowd_after_a_change),
        cmocka_unit_test(renewing),
        cmocka_unit_test(logging_out),
        cmocka_unit_test(lockout),
        cmocka_unit_test(whitelist),
        cmocka_unit_test(m2m_and_revoking),
        cmocka_unit_test(passwords),
        cmocka_unit_test(former_passwords),
        cmocka_unit_test(resetting),
        cmocka_unit_test(deleted),
    };
    const struct migrate_opts o = {.run = true, .program = "it_auth"};
    const struct db_opts pool = {.max_conns = 4, .app_name = "it_auth"};
    struct err e = {0};
    int failed;

    log_init("it_auth", LOG_ERROR_LEVEL);
    arena = arena_new(0);
    env = env_start();
    if (migrate_start(env_db(env), "test", &o, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    db = db_new(env_db(env), "test", &pool);
    if (cfg_store_new(&store, db, &e) != 0 || db_get(db, &conn, &e) != 0)
        env_fail(env, "%s (%s)", e.msg, e.detail);
    au = auth_new(db, store, &fake);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    auth_free(au);
    db_put(db, conn);
    cfg_store_free(store);
    db_free(db);
    return env_end(env, failed);
}
