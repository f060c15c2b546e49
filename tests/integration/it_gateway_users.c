/*
 * Users under their own login on a gateway, and the platform's own token there (gateway-proxy.md 4.4, 6).
 */
#include "base/arena.h"

#include <string.h>

#include "crypto/crypto.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/peer.h"

#define CANARY "canary-5ecret-77ab"
#define GROUP "/api/v01/p1/tenants/acme/groups/sales/"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */

static const char *text(struct val v, const char *path)
{
    return api_text(env, v, path);
}

static void control(const char *method, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const char *url = arena_printf(env_arena(env), "%s/_control", gateway);

    assert_int_equal(env_http_at(env, method, url, json, body).status, 200);
}

static void set_gateway(const char *more)
{
    api_configure(env, "gateways", arena_printf(env_arena(env), "{\"bwks\":{\"url\":\"%s/\",\"timeout\":30%s}}", gateway, more));
}

static int status_of(const char *path)
{
    return api_raw(env, "GET", path, NULL).status;
}

static bool answers(const char *path, int status, const char *part)
{
    struct env_answer a = api_raw(env, "GET", path, NULL);

    return a.status == status && strstr(a.body, part) != NULL;
}

/* The account a proxied answer was made for, by its audit record. */
static const char *author(struct val answer)
{
    const char *id = text(answer, "_record_internal_id");
    const char *was = api_as(api_login(env, "admin", api_admin_password()));
    struct val v = api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/p1/local/audit_records/%s/", id), NULL);

    api_as(was);
    return text(v, "author_id");
}

/* ---- users of the gateway -------------------------------------------------------------------------- */

static struct val sign_in(int status, const char *username, const char *password, const char *more)
{
    return api(env, status, "POST", "/api/v01/auth/login",
               arena_printf(env_arena(env), "{\"username\":%s,\"password\":%s%s}", api_quoted(env, username),
                            api_quoted(env, password), more));
}

#define LOGOUT ",\"logout_url\":\"/api/v1/logout/\""
#define SYSTEM ",\"username\":\"gwsystem\",\"password\":\"system-secret\""

/* One entry that makes accounts: rules are JSON texts. */
static void set_sso(const char *extra_rule, const char *creation_rules)
{
    api_configure(env, "SSO",
                  arena_printf(env_arena(env),
                               "[null,{\"name\":\"switch\",\"enabled\":true,\"protocol\":\"broadsoft\",\"auto_create_user\":true,"
                               "\"extra_auth_rules\":[%s],\"user_creation_rules\":%s,"
                               "\"parameters\":{\"proxies\":{\"default\":\"bwks\"}}}]",
                               extra_rule, creation_rules));
}

static int sso(void **state)
{
    (void)api_setup(state);
    control("DELETE", NULL);
    set_gateway(SYSTEM LOGOUT);
    set_sso("\"auth.profile.user_level < 16 or auth.profile.access_type == 1\"",
            "[{\"rule\":\"auth.profile.user_level == 8\",\"ui_profile\":\"provisioning\",\"is_system\":true}]");
    ENV_WAIT(env, 5000, api_login(env, "gwgroup", "group-secret") != NULL);
    api_as("");
    return 0;
}

#define SSO_TEST(fn) cmocka_unit_test_setup(fn, sso)

static void signs_users_in(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", ",\"proxy\":\"default\"");

    (void)state;
    assert_string_equal(text(v, "ui_profile"), "provisioning");
    assert_string_not_equal(text(v, "refresh_token"), "");
    /* what the gateway said comes along */
    assert_string_equal(text(v, "ids.tenant_id"), "acme");
    assert_int_equal(api_int(v, "profile.user_level"), 8);
    /* no rule makes a system user of him */
    assert_string_equal(env_psql(env, "SELECT concat_ws(' ', local_user, identity_provider, is_system, password_hash, "
                                      "properties->>'bsft_tenant_id', properties->>'bsft_group_id') FROM users "
                                      "WHERE username = 'gwgroup'"),
                        "f switch f acme sales");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins WHERE cookies NOT LIKE 'sealed:%'"), "0");
    assert_string_not_equal(env_psql(env, "SELECT count(*) FROM gateway_logins WHERE gateway = 'bwks'"), "0");
    api_as(text(v, "access_token"));
    v = api(env, 200, "GET", GROUP, NULL);
    assert_string_equal(author(v), "gwgroup");
    api(env, 403, "GET", "/api/v01/activities/1", NULL); /* no right of ours came with it */
}

static void refuses_others(void **state)
{
    struct val v;

    (void)state;
    sign_in(401, "gwgroup", "wrong", "");
    v = sign_in(401, "gwsystem", "system-secret", ""); /* the extra rule */
    assert_string_equal(text(v, "error"), text(sign_in(401, "nobody", "x", ""), "error"));
    sign_in(401, "gwreseller", "reseller-secret", ""); /* no creation rule for him */
    sign_in(401, "gwgroup", "group-secret", ",\"proxy\":\"elsewhere\"");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM users WHERE username IN ('gwsystem', 'gwreseller', 'nobody')"), "0");
    control("PUT", "{\"refuse_login\": true}");
    sign_in(200, "admin", api_admin_password(), ""); /* local accounts stay ours */
}

static void item_7_ends_dead_sessions(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");
    const char *refresh = text(v, "refresh_token"), *access = text(v, "access_token");

    (void)state;
    api_as(access);
    api(env, 200, "GET", GROUP, NULL);
    control("PUT", "{\"forget_sessions\": true}");
    v = api(env, 401, "GET", GROUP, NULL);
    assert_string_equal(text(v, "error"), "your Broadsoft session is over, sign in again");
    api_as(refresh);
    api(env, 401, "GET", "/api/v01/auth/access_token", NULL);
    api_as(access);
    api(env, 401, "GET", GROUP, NULL);
    v = sign_in(200, "gwgroup", "group-secret", "");
    api_as(text(v, "access_token"));
    api(env, 200, "GET", GROUP, NULL);
}

/* How often the gateway was told that a session is given up. */
static int64_t logouts(void)
{
    struct env_answer a = env_http_at(env, "GET", arena_printf(env_arena(env), "%s/_control/counters", gateway), NULL, NULL);

    return val_get_int(val_get(api_json(env, &a), "paths"), "POST /api/v1/logout/", 0);
}

static const char *sign_of(struct val tokens)
{
    unsigned char digest[64];
    size_t n;

    assert_true(crypto_digest("sha1", str_c(text(tokens, "refresh_token")), digest, &n));
    return str_cstr(env_arena(env), crypto_hex(env_arena(env), digest, n));
}

static void log_out(const char *sign)
{
    api(env, 200, "GET", arena_printf(env_arena(env), "/api/v01/auth/logout?sign=%s", sign), NULL);
}

static void forgets_at_logout(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");
    const char *others = env_psql(env, "SELECT count(*) - 1 FROM gateway_logins");

    (void)state;
    api_as(text(v, "access_token"));
    api(env, 200, "GET", GROUP, NULL);
    log_out(arena_printf(env_arena(env), "sha1:%s", sign_of(v)));
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins"), others);
    ENV_WAIT(env, 3000, status_of(GROUP) == 401);
}

/* The gateway is told, once for each session; it need not answer, and without logout_url it is not asked. */
static void tells_the_gateway(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");
    const char *id = env_psql(env, "SELECT id FROM users WHERE username = 'gwgroup'");
    int64_t before = logouts();

    (void)state;
    log_out("nonsense");
    log_out(arena_printf(env_arena(env), "sha1:%s", sign_of(v)));
    ENV_WAIT(env, 3000, logouts() >= before + 1); /* nobody waits long for its answer */
    log_out(sign_of(v)); /* over already */
    assert_int_equal(logouts(), before + 1);
    env_psql(env, "DELETE FROM gateway_logins WHERE token_family IS NOT NULL");
    sign_in(200, "gwgroup", "group-secret", "");
    v = sign_in(200, "gwgroup", "group-secret", "");
    api_setup(NULL);
    api(env, 204, "PUT", arena_printf(env_arena(env), "/api/v01/system/users/%s/revoke", id), "{}");
    ENV_WAIT(env, 3000, logouts() >= before + 3); /* both of his */
    api(env, 204, "PUT", arena_printf(env_arena(env), "/api/v01/system/users/%s/unrevoke", id), "{}");
    sign_in(401, "gwsystem", "system-secret", ""); /* accepted there, turned away here */
    ENV_WAIT(env, 3000, logouts() >= before + 4);
    assert_int_equal(logouts(), before + 4);
    v = sign_in(200, "gwgroup", "group-secret", "");
    control("PUT", "{\"hang\":true,\"path\":\"/logout/\"}");
    log_out(sign_of(v));
    control("DELETE", NULL);
    set_gateway(SYSTEM);
    ENV_WAIT(env, 3000, (v = sign_in(200, "gwgroup", "group-secret", ""), before = logouts(), log_out(sign_of(v)), logouts() == before));
}

/* A rule sees both kinds of system users; a first login must change its password. */
static void rules_see_system_users(void **state)
{
    (void)state;
    sign_in(200, "gwgroup", "group-secret", "");
    api_setup(NULL);
    set_sso("\"not is_system or auth.profile.access_type == 1\"", "[{\"rule\":\"true\"}]");
    ENV_WAIT(env, 3000, api_login(env, "gwreseller", "reseller-secret") != NULL);
    sign_in(401, "gwsystem", "system-secret", "");
    env_psql(env, "UPDATE users SET is_system = true WHERE username = 'gwgroup'");
    sign_in(401, "gwgroup", "group-secret", "");
    env_psql(env, "UPDATE users SET is_system = false WHERE username = 'gwgroup'");
    control("PUT", "{\"first_login\":true}");
    api_as(text(sign_in(200, "gwgroup", "group-secret", ""), "access_token"));
    ENV_WAIT(env, 3000, answers(GROUP, 403, "\"error_code\":1"));
    control("DELETE", NULL);
    sign_in(200, "gwgroup", "group-secret", "");
    env_psql(env, "DELETE FROM users WHERE username = 'gwreseller'");
}

/* An expired row is no session, whatever the gateway would say. */
static void ends_idle_sessions(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");

    (void)state;
    env_psql(env, "UPDATE gateway_logins SET last_used_on = now() - interval '31 minutes'");
    api_as(text(v, "access_token"));
    v = api(env, 401, "GET", GROUP, NULL);
    assert_string_equal(text(v, "error"), "your Broadsoft session is over, sign in again");
}

/* A removed entry does not turn its users into local ones; a revoked account stays out. */
static void stays_with_the_user(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");

    (void)state;
    api_setup(NULL);
    api_configure(env, "SSO", "[]");
    api_as(text(v, "access_token"));
    v = api(env, 200, "GET", GROUP, NULL);
    assert_string_equal(author(v), "gwgroup");
    (void)sso(NULL);
    env_psql(env, "UPDATE users SET status = 'REVOKED' WHERE username = 'gwgroup'");
    sign_in(401, "gwgroup", "group-secret", "");
    env_psql(env, "UPDATE users SET status = 'ACTIVE' WHERE username = 'gwgroup'");
    sign_in(200, "gwgroup", "group-secret", "");
}

/* ---- machines, and people other providers let in ------------------------------------------------------ */

/* Whoever api() is gets a token for machines. */
static const char *machine_token(void)
{
    api(env, 200, "PUT", "/api/v01/system/users/local", "{\"token\":true}");
    return text(api(env, 200, "GET", "/api/v01/system/users/local", NULL), "token");
}

/* A user of the platform with one rule, signed in. */
static const char *ruled(const char *name)
{
    struct val v;

    api_setup(NULL);
    v = api(env, 200, "POST", "/api/v01/system/user_profiles",
            env_fmt(env, "{\"name\":\"%s\",\"available\":true,\"accesses\":[],\"api_rules\":[{\"method\":\"get\",\"url\":\"" GROUP "*\",\"allowed\":true}]}", name));
    api(env, 200, "POST", "/api/v01/system/users",
        env_fmt(env, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}", name, name,
                (long long)api_int(v, "id")));
    return api_login(env, name, "Pass-word-123!");
}

/* What one rule allows, under the platform's session. */
static void rules_hold(const char *token)
{
    api_as(token);
    assert_string_equal(author(api(env, 200, "GET", GROUP, NULL)), "gwsystem");
    api(env, 403, "GET", "/api/v01/p1/tenants/", NULL);
    api(env, 403, "DELETE", GROUP, NULL);
}

/* A machine is its user; a user of a gateway has no login there that came with such a token. */
static void machines(void **state)
{
    (void)state;
    api_as(ruled("machine"));
    rules_hold(machine_token());
    api_as(text(sign_in(200, "gwgroup", "group-secret", ""), "access_token"));
    assert_string_equal(author(api(env, 200, "GET", GROUP, NULL)), "gwgroup");
    api_as(machine_token());
    assert_int_equal(status_of(GROUP), 401);
}

/* An account of an entry that is no gateway's is ruled as one of the platform. */
static void users_of_other_providers(void **state)
{
    const char *token = ruled("corporate");

    (void)state;
    api_configure(env, "SSO", "[{\"name\":\"corp\",\"enabled\":true,\"protocol\":\"oidc\",\"authorisation_handler\":{\"name\":\"AuthoriseBroadsoft\","
                              "\"gateway\":\"bwks\"},\"parameters\":{}}]");
    env_psql(env, "UPDATE users SET local_user = false, identity_provider = 'corp' WHERE username = 'corporate'");
    api_as(token);
    ENV_WAIT(env, 3000, status_of(GROUP) == 200);
    rules_hold(token);
    api_setup(NULL);
    assert_string_equal(text(api(env, 200, "GET", "/api/v01/system/configuration", NULL), "content.SSO.0.authorisation_handler.gateway"), "bwks");
    sign_in(401, "corporate", "Pass-word-123!", "");
}

/* His password is the gateway's; his other log-ins end with the old one. */
static void changes_passwords(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", ""), other = sign_in(200, "gwgroup", "group-secret", "");
    const char *me = "/api/v01/system/users/local";
    int64_t before;

    (void)state;
    env_psql(env, "UPDATE users SET need_password_change = true WHERE username = 'gwgroup'");
    api_as(text(v, "access_token"));
    ENV_WAIT(env, 3000, answers(GROUP, 403, "\"error_code\":1"));
    v = api(env, 400, "PUT", me, "{\"old_password\":\"wrong\",\"password\":\"N3w.group-secret\"}");
    assert_string_equal(text(v, "error"), "old_password: wrong password");
    v = api(env, 400, "PUT", me, "{\"old_password\":\"group-secret\",\"password\":\"N3w.group-secret\"}");
    assert_non_null(strstr(text(v, "error"), "password: gateway bwks answered 404")); /* not kept there yet */
    env_psql(env, "UPDATE users SET need_password_change = false WHERE username = 'gwgroup'");
    ENV_WAIT(env, 3000, status_of(GROUP) == 200);
    api(env, 201, "POST", GROUP "admins/", "{\"userId\":\"gwgroup\"}");
    env_psql(env, "UPDATE users SET need_password_change = true WHERE username = 'gwgroup'");
    ENV_WAIT(env, 3000, answers(GROUP, 403, "\"error_code\":1"));
    before = logouts();
    api(env, 200, "PUT", me, "{\"old_password\":\"group-secret\",\"password\":\"N3w.group-secret\"}");
    ENV_WAIT(env, 3000, status_of(GROUP) == 200);
    ENV_WAIT(env, 3000, logouts() >= before + 3); /* both former sessions, and the one that confirmed */
    api_as(text(other, "access_token"));
    ENV_WAIT(env, 3000, status_of(GROUP) == 401);
    sign_in(401, "gwgroup", "group-secret", "");
    sign_in(200, "gwgroup", "N3w.group-secret", "");
}

/* ---- forgotten passwords ------------------------------------------------------------------------------- */

#define ZOE "zoe@acme.example"

/* Make the link of a request for one known here, and forget that anybody asked. */
static const char *link_of(const char *username, const char *email)
{
    const char *sql = arena_printf(env_arena(env),
                                   "SELECT request ->> 'token' FROM instances WHERE request ->> 'username' = '%s' AND "
                                   "request ->> 'email' = '%s' ORDER BY id DESC LIMIT 1", username, email);
    const char *token = "";

    ENV_WAIT(env, 5000, (token = env_psql(env, sql))[0] != '\0');
    env_psql(env, "UPDATE one_time_tokens SET created_on = now() - interval '10 minutes'");
    return arena_printf(env_arena(env), "/api/v01/auth/reset-password/%s", token);
}

static void forgot(const char *username)
{
    api_as("");
    api(env, 200, "POST", "/api/v01/auth/reset-password",
        arena_printf(env_arena(env), "{\"username\":\"%s\",\"proxy\":\"default\",\"ui_id\":\"big\",\"ui_language\":\"en\"}", username));
}

static const char *instances(void)
{
    return env_psql(env, "SELECT count(*) FROM instances");
}

/* Zoe has never been here; the gateway knows her and her address. */
static void resets_at_the_gateway(void **state)
{
    const char *path, *rules;
    struct val v;

    (void)state;
    api_setup(NULL);
    api_activity(env, "send link", DEFINITION("", "[\"start.ok\",\"end\"]"));
    api_configure(env, "gui", "{\"reset_password_request_workflow\":\"send link\"}");
    api_raw(env, "DELETE", GROUP "users/" ZOE, NULL);
    api(env, 201, "POST", GROUP "users/", "{\"userId\":\"" ZOE "\",\"emailAddress\":\"zoe@home.example\",\"password\":\"first-1\"}");
    forgot("ZOE@acme.example");
    path = link_of("ZOE@acme.example", "zoe@home.example");
    rules = arena_printf(env_arena(env), "/api/v01/auth/password-rules/%s", strrchr(path, '/') + 1);
    v = api(env, 200, "GET", rules, NULL);
    assert_int_equal(api_int(v, "rules.idp.minLength"), 6);
    assert_int_equal(api_int(v, "idp.minDigits"), 1);
    assert_string_equal(text(v, "idp._record_internal_id"), "");
    assert_string_not_equal(text(v, "rules.system.min_length"), "");
    v = api(env, 400, "PUT", path, "{\"password\":\"short\"}");
    assert_string_equal(text(v, "error"), "password: gateway bwks answered 400: the password does not fit the rules");
    control("PUT", "{\"status\":503,\"method\":\"PUT\",\"times\":1}");
    assert_int_equal(api_raw(env, "PUT", path, "{\"password\":\"second-2\"}").status, 502);
    api(env, 200, "PUT", path, "{\"password\":\"second-2\"}"); /* still good */
    api(env, 400, "PUT", path, "{\"password\":\"third-33\"}"); /* once */
    api(env, 403, "GET", rules, NULL);
}

/* The administrator signed in once, so his place is known; his sessions end with the old password. */
static void resets_administrators(void **state)
{
    struct val v = sign_in(200, "gwgroup", "group-secret", "");
    const char *path;

    (void)state;
    api_as(text(v, "access_token"));
    api_raw(env, "DELETE", GROUP "admins/gwgroup/", NULL);
    api(env, 201, "POST", GROUP "admins/", "{\"userId\":\"gwgroup\",\"emailAddress\":\"boss@acme.example\"}");
    forgot("gwgroup");
    path = link_of("gwgroup", "boss@acme.example");
    forgot("gwgroup");
    forgot("gwgroup"); /* once in five minutes */
    assert_string_equal(env_psql(env, "SELECT count(*) FROM one_time_tokens WHERE details ->> 'username' = 'gwgroup'"), "2");
    api(env, 200, "PUT", path, "{\"password\":\"forgot-1\"}");
    api_as(text(v, "access_token"));
    ENV_WAIT(env, 3000, status_of(GROUP) == 401);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins l JOIN users u ON u.id = l.user_id WHERE u.username = 'gwgroup'"), "0");
    sign_in(401, "gwgroup", "group-secret", "");
    v = sign_in(200, "gwgroup", "forgot-1", "");
    api_as(text(v, "access_token"));
    v = api(env, 200, "GET", "/api/v01/system/users/local", NULL);
    assert_string_equal(text(v, "support_reset_password"), "true");
    assert_string_equal(text(v, "local_user"), "false");
    assert_string_equal(env_psql(env, "SELECT password_hash IS NULL FROM users WHERE username = 'gwgroup'"), "t");
}

/* Whoever is asked for, the answer is the same; nothing begins for names nobody knows, system levels and closed accounts. */
static void stays_silent(void **state)
{
    const char *before = instances();

    (void)state;
    forgot("nobody@acme.example");
    forgot("gwsystem");
    env_psql(env, "UPDATE users SET status = 'REVOKED' WHERE username = 'gwgroup'");
    forgot("gwgroup");
    env_psql(env, "UPDATE users SET status = 'ACTIVE' WHERE username = 'gwgroup'");
    control("PUT", "{\"status\":500}");
    forgot(ZOE);
    control("DELETE", NULL);
    api(env, 200, "POST", "/api/v01/auth/reset-password", "{\"username\":\"" ZOE "\",\"proxy\":\"elsewhere\"}");
    assert_string_equal(instances(), before);
    api(env, 400, "POST", "/api/v01/auth/reset-password", "{\"username\":\"x\",\"password\":\"y\"}");
}

/* ---- the platform ------------------------------------------------------------------------------------ */

static void set_token_gateway(const struct peer *endpoint, const char *client)
{
    set_gateway(arena_printf(env_arena(env),
                             ",\"auth\":\"oauth2\",\"login_url\":\"http://127.0.0.1:%d/token\",\"client_id\":\"%s\","
                             "\"client_secret\":\"" CANARY "\"",
                             peer_port(endpoint), client));
}

static void comes_with_a_token(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"old\", \"expires_in\": 3600}"},
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"" CANARY "\", \"token_type\": \"Bearer\", \"refresh_token\": \"r2\"}"},
        {.kind = PEER_ANSWER, .status = 400, .body = "{\"error\": \"invalid_client\"}"},
    };
    struct peer *endpoint = peer_new(steps, COUNT_OF(steps));
    (void)state;
    set_token_gateway(endpoint, "c");
    /* the first token is refused; the second one is good for this call and those after it */
    ENV_WAIT(env, 5000, status_of("/api/v01/p1/tenants/") == 200 && peer_requests(endpoint) > 0);
    for (int i = 0; i < 3; i++)
        api(env, 200, "GET", "/api/v01/p1/tenants/", NULL);
    assert_int_equal(peer_requests(endpoint), 2);
    assert_true(str_find(peer_request(endpoint, 1), STR("grant_type=client_credentials")) > 0);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM gateway_logins WHERE identity = 'system' AND gateway = 'bwks' "
                                      "AND cookies LIKE 'sealed:%'"),
                        "1");
    set_token_gateway(endpoint, "other");
    ENV_WAIT(env, 5000, answers("/api/v01/p1/tenants/", 502, "gateway bwks: token endpoint answered invalid_client"));
    peer_free(endpoint);
}

static void keeps_secrets(void **state)
{
    const char *dump = env_pg_dump(env, env_db(env), (const char *const[]){"--data-only", NULL});

    (void)state;
    assert_null(strstr(env_log(env, "core.sock"), CANARY));
    assert_null(strstr(env_log(env, "p1.sock"), CANARY));
    assert_null(strstr(env_log(env, "core.sock"), "group-secret"));
    assert_null(strstr(env_log(env, "p1.sock"), "group-secret"));
    assert_null(strstr(dump, CANARY));
    assert_null(strstr(dump, "group-secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSO_TEST(signs_users_in),     SSO_TEST(refuses_others),      SSO_TEST(item_7_ends_dead_sessions), SSO_TEST(forgets_at_logout),
        SSO_TEST(ends_idle_sessions), SSO_TEST(stays_with_the_user), SSO_TEST(machines), SSO_TEST(users_of_other_providers), SSO_TEST(changes_passwords),  API_TEST(comes_with_a_token),
        SSO_TEST(tells_the_gateway),  SSO_TEST(rules_see_system_users),
        SSO_TEST(resets_at_the_gateway), SSO_TEST(resets_administrators), SSO_TEST(stays_silent),
        API_TEST(keeps_secrets),
    };
    int port;

    env = env_start();
    port = env_free_port(env);
    gateway = arena_printf(env_arena(env), "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway",
              (const char *const[]){env_program(env, "tests/standin_gateway"), arena_printf(env_arena(env), "-port=%d", port),
                                    "-bearer=" CANARY, NULL},
              NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    set_gateway(SYSTEM);
    env_app_start(env, "sluice-proxy", "p1.sock",
                  (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(env, 20000, status_of("/api/v01/p1/tenants/") == 200);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
