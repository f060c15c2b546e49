/*
 * sluicectl on a platform whose keys are wrapped, and on a copy of one: -kek of passwd, doctor and
 * import-legacy, scrub (migration.md 7.6, 10).
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "support/peer.h"

static struct env *env;

#define KEK "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_KEK "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* A platform with a gateway, its secrets sealed. */
static const char *platform(const char *more)
{
    const char *db = moving_base(env);
    const char *vars = moving_file(env, "gateway.env", moving_printed(env, "proxy_url=http://127.0.0.1:1/\nproxy_prefix=/api/v01/p1\nproxy_name=p1\n"
                                                                           "proxy_username=u\nproxy_password=" CANARY "\n%s", more));

    moving_ctl(env, 0, db, ARGS("import-legacy", moving_printed(env, "--env-file=%s", vars)));
    return db;
}

static void the_outside_key_is_honoured(void **state)
{
    const char *db = platform(""), *out;
    const char *kek = moving_printed(env, "-kek=%s", moving_file(env, "kek", KEK "\n"));
    const char *other = moving_printed(env, "-kek=%s", moving_file(env, "other", OTHER_KEK "\n"));
    const char *import = moving_printed(env, "--env-file=%s", moving_file(env, "again.env", "proxy_url=http://127.0.0.1:1/\nproxy_name=p1\nproxy_prefix=/api/v01/p1\n"));
    const char *by_name = moving_printed(env, "KEK=%s", moving_file(env, "kek", KEK "\n"));

    (void)state;
    moving_ctl(env, 0, db, ARGS("newsuperuser", "root"));
    moving_ctl(env, 0, db, ARGS("keys", "wrap", kek));
    moving_says(env, moving_ctl(env, 78, db, ARGS("passwd", "root")), "give that key with -kek=FILE");
    moving_says(env, moving_ctl(env, 78, db, ARGS("passwd", "root", other)), "-kek: the file holds key ");
    moving_says(env, moving_ctl(env, 0, db, ARGS("passwd", "root", kek)), "user root password ");
    moving_says(env, moving_ctl_with(env, 0, db, ARGS("passwd", "root"), ARGS(by_name)), "user root password ");
    out = moving_ctl(env, 1, db, ARGS("doctor"));
    moving_says(env, out, "error: configuration: key ");
    moving_says(env, out, "give that key with -kek=FILE");
    assert_null(strstr(moving_ctl(env, 1, db, ARGS("doctor", kek)), "error: configuration"));
    assert_null(strstr(moving_ctl_with(env, 1, db, ARGS("doctor"), ARGS(by_name)), "error: configuration"));
    moving_says(env, moving_ctl(env, 78, db, ARGS("import-legacy", import, "--dry-run")), "give that key with -kek=FILE");
    moving_says(env, moving_ctl(env, 0, db, ARGS("import-legacy", import, "--dry-run", kek)), "gateways.p1: unchanged");
    moving_ctl(env, 2, db, ARGS("passwd"));
    moving_ctl(env, 2, db, ARGS("passwd", "root", "-nonsense"));
}

static const char *const fill =
    "INSERT INTO users (username, token_hash, token_sealed) VALUES ('robot', sha256('x'), 'sealed:x'); "
    "INSERT INTO gateway_logins (identity, gateway, url, cookies) VALUES ('ann', 'p1', 'http://127.0.0.1:1', 'sealed:y'); "
    "INSERT INTO webhooks (name, target, secret, password) VALUES ('crm', 'http://127.0.0.1:1/', 'sealed:z', 'sealed:z'); "
    "INSERT INTO user_callbacks (user_id, endpoint, event_category, scope) SELECT id, 'http://127.0.0.1:1', 'on_request_success', 'user' FROM users LIMIT 1; "
    "INSERT INTO reports (name, type, period_range) VALUES ('daily', 'usage', 86400); "
    "INSERT INTO configuration (content) SELECT (content::jsonb || '{\"gateways_tcp\": {\"sbc\": {\"url\": \"ssh://127.0.0.1:1\", \"password\": \"sealed:w\"}}}')::json "
    "FROM configuration ORDER BY id DESC LIMIT 1";

static void scrub(void **state)
{
    const char *db = platform(""), *out;

    (void)state;
    env_psql_at(env, db, fill);
    moving_says(env, moving_ctl(env, 2, db, ARGS("scrub")), "say --yes when DB is the copy");
    is(db, "SELECT count(*) FROM gateway_logins", "1");
    out = moving_ctl(env, 0, db, ARGS("scrub", "--yes"));
    moving_says(env, out, "2 gateways disabled; ");
    moving_says(env, out, "1 logins at gateways (cookies) removed");
    moving_says(env, out, "1 tokens of programs removed");
    moving_says(env, out, "left as they were: mail (smtp), datastores, single sign-on, scheduled jobs");
    is(db, "SELECT string_agg(DISTINCT concat_ws(',', content #>> '{gateways,p1,password}', content #>> '{gateways,p1,disabled}', content #>> '{gateways,p1,url}'), ';') "
           "FROM configuration WHERE content #> '{gateways,p1}' IS NOT NULL", ",true,http://127.0.0.1:1/");
    is(db, "SELECT concat_ws(',', content #>> '{gateways_tcp,sbc,password}', content #>> '{gateways_tcp,sbc,disabled}') FROM configuration ORDER BY id DESC LIMIT 1", ",true");
    is(db, "SELECT count(*) FROM users WHERE token_hash IS NOT NULL OR token_sealed IS NOT NULL", "0");
    is(db, "SELECT count(*) FROM user_callbacks", "0");
    is(db, "SELECT concat_ws(',', active, secret, password) FROM webhooks", "f");
    is(db, "SELECT active FROM reports", "f");
    is(db, "SELECT count(*) FROM refresh_tokens", "0");
    out = moving_ctl(env, 0, db, ARGS("scrub", "--yes"));
    moving_says(env, out, "; 0 passwords and keys of gateways emptied");
}

/* A copy that runs calls nobody, whether a workflow wants to or the proxy. */
static void nobody_is_called(void **state)
{
    static const struct peer_step answer[] = {{.body = "{}"}};
    struct peer *peer = peer_new(answer, 1);
    const char *url = moving_printed(env, "http://127.0.0.1:%d/", peer_port(peer));
    pid_t core, proxy;
    struct val v;

    (void)state;
    core = env_app_start(env, "sluice-core", "core.sock", ARGS("-workflows"));
    env_nginx_start(env, "core.sock", "p1.sock");
    api_admin(env);
    api_configure(env, "gateways", moving_printed(env, "{\"p1\":{\"url\":\"%s\",\"check\":true}}", url));
    proxy = env_app_start(env, "sluice-proxy", "p1.sock", ARGS("-proxy=/api/v01/p1:p1"));
    (void)api_raw(env, "GET", "/api/v01/p1/before/", NULL);
    ENV_WAIT(env, 10000, peer_requests(peer) > 0);
    moving_ctl(env, 0, env_db(env), ARGS("scrub", "--yes"));
    api_as(api_login(env, "admin", api_admin_password()));
    ENV_WAIT(env, 15000, api_raw(env, "GET", "/api/v01/p1/after/", NULL).status == 503);
    peer_script(peer, answer, 1);
    v = api(env, 503, "GET", "/api/v01/p1/after/", NULL);
    assert_string_equal(api_text(env, v, "error"), "gateway \"p1\" is disabled");
    assert_int_equal(peer_requests(peer), 0);
    assert_int_equal(env_kill(env, proxy, SIGTERM), 0);
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outside_key_is_honoured),
        cmocka_unit_test(scrub),
        cmocka_unit_test(nobody_is_called),
    };

    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
