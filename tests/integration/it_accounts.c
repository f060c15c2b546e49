/*
 * Accounts, rights and configuration through nginx and the real program (http-api.md 3 to 6).
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "integration/env.h"

static struct env *env;
static struct str admin; /* access token */

static struct val parsed(const struct env_answer *a)
{
    struct val v = val_undef(NULL);
    struct err e = {0};

    if (json_parse(str_make(a->body, a->body_len), &v, env_arena(env), &e) != 0)
        env_fail(env, "not JSON: %s", a->body);
    return v;
}

/* Call with a token (STR_NONE: none); fails the test when the status is another one. */
static struct val call(const char *method, const char *path, struct str token, const char *body,
                       int want)
{
    const char *headers[3] = {"Content-Type: application/json", NULL, NULL};
    struct env_answer a;
    char full[1024];

    snprintf(full, sizeof full, "/api/v01%s", path);
    if (token.p != NULL)
        headers[1] = arena_printf(env_arena(env), "Authorization: Bearer %.*s", STR_ARG(token));
    a = env_http(env, method, full, headers, body);
    if (a.status != want)
        env_fail(env, "%s %s: %d, not %d: %s", method, path, a.status, want, a.body);
    return a.body_len > 0 && a.body[0] != '-' ? parsed(&a) : val_undef(NULL);
}

static struct val login(const char *user, const char *password, int want)
{
    return call(
        "POST", "/auth/login", STR("null"),
        arena_printf(env_arena(env), "{\"username\":\"%s\",\"password\":\"%s\"}", user, password),
        want);
}

static struct str text(struct val v, const char *path)
{
    return val_text(val_path(v, path));
}

static void before_login(void **state)
{
    static const char *const open[] = {"/system/configuration/public", "/system/database/status",
                                       "/auth/password-rules"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(open); i++)
        call("GET", open[i], STR("null"), NULL, 200);
    call("GET", "/auth/webauthn", STR("null"), NULL, 503);
    call("GET", "/auth/logout?sign=null", STR("null"), NULL, 200);
    call("GET", "/auth/session_token_public_key", STR_NONE, NULL, 200);
    call("GET", "/system/users/local", STR("null"), NULL, 401);
    call("GET", "/system/users/local", STR_NONE, NULL, 401);
    call("GET", "/auth/access_token", STR("undefined"), NULL, 401);
}

static void signing_in(void **state)
{
    struct val t = login("admin", "first password", 200);
    struct val me;

    (void)state;
    admin = text(t, "access_token");
    assert_true(val_is_undef(val_get(t, "2fa_payload")));
    me = call("GET", "/system/users/local", admin, NULL, 200);
    assert_true(str_eq_c(text(me, "username"), "admin"));
    assert_true(val_is(val_get(me, "profile"), VAL_DICT));
    assert_true(val_is(val_get(me, "modules"), VAL_LIST));
    call("GET", arena_printf(env_arena(env), "/system/users/local?auth_token=%.*s", STR_ARG(admin)),
         STR_NONE, NULL, 200);
    call("GET", "/system/users/local", text(t, "refresh_token"), NULL, 401);
    assert_true(
        text(call("GET", "/auth/access_token", text(t, "refresh_token"), NULL, 200), "access_token")
            .len > 0);
    login("admin", "wrong password", 401);
    call("POST", "/auth/login", STR_NONE, "{\"username\":\"admin\"}", 400);
    call("POST", "/auth/login", STR_NONE, "{\"username\":", 400);
}

static void rights(void **state)
{
    struct val t;
    struct str joe;

    (void)state;
    call("POST", "/system/user_profiles", admin,
         "{\"name\":\"viewer\",\"available\":true,\"accesses\":[\"requests\"],\"api_rules\":[]}",
         200);
    call("POST", "/system/users", admin,
         "{\"username\":\"joe.doe\",\"email\":\"joe@example.org\",\"language\":\"en\",\"password\":"
         "\"joes password\","
         "\"profile_id\":1,\"need_password_change\":true}",
         200);
    t = login("joe.doe", "joes password", 200);
    joe = text(t, "access_token");
    /* the password gate: nothing but the own profile */
    assert_int_equal(
        val_get_int(call("GET", "/system/configuration/license", joe, NULL, 403), "error_code", 0),
        1);
    assert_true(val_get_bool(call("GET", "/system/users/local", joe, NULL, 200),
                             "need_password_change", false));
    call("PUT", "/system/users/local", joe,
         "{\"password\":\"joes second\",\"old_password\":\"wrong\"}", 400);
    call("PUT", "/system/users/local", joe,
         "{\"password\":\"joes second\",\"old_password\":\"joes password\"}", 200);
    call("GET", "/system/configuration/license", joe, NULL, 200); /* the same token goes on */
    /* what the profile does not give */
    call("GET", "/system/users", joe, NULL, 403);
    call("GET", "/system/configuration", joe, NULL, 403);
    call("PUT", "/system/configuration", joe, "{}", 403);
    /* rights given are there at once */
    call("PUT", "/system/user_profiles/1", admin,
         "{\"accesses\":[\"settings.users\",\"orchestration\"]}", 200);
    ENV_WAIT(env, 3000,
             env_http(env, "GET",
                      arena_printf(env_arena(env), "/api/v01/system/users?auth_token=%.*s",
                                   STR_ARG(joe)),
                      NULL, NULL)
                     .status == 200);
    call("GET", "/system/configuration", joe, NULL, 200);
    call("PUT", "/system/users/1", joe, "{\"first_name\":\"x\"}", 403);
    call("POST", "/system/users", joe, "{\"username\":\"evil\",\"email\":\"e\",\"is_system\":true}",
         403);
    /* and taken at once */
    call("PUT", "/system/users/2/revoke", admin, "{}", 204);
    ENV_WAIT(env, 1000,
             env_http(env, "GET",
                      arena_printf(env_arena(env), "/api/v01/system/users?auth_token=%.*s",
                                   STR_ARG(joe)),
                      NULL, NULL)
                     .status == 401);
    login("joe.doe", "joes second", 401);
}

static void configuration(void **state)
{
    struct val c;
    struct val history;

    (void)state;
    call("PUT", "/system/configuration", admin,
         "{\"gateways\":{\"bwks\":{\"url\":\"http://127.0.0.1:1/"
         "\",\"password\":\"canary-1\"}},\"gui\":{\"label\":\"here\"},"
         "\"smtp\":{\"password\":\"canary-2\"},\"datastores\":[{\"name\":\"d\",\"dsn\":\"mysql://"
         "u:canary-3@h/d\"}]}",
         200);
    c = call("GET", "/system/configuration", admin, NULL, 200);
    assert_true(str_eq_c(text(c, "content.gateways.bwks.password"), "## SECRET ##"));
    assert_true(str_eq_c(text(c, "content.datastores.0.dsn"), "mysql://u:********@h/d"));
    assert_true(str_eq_c(
        text(call("GET", "/system/configuration/public", STR("null"), NULL, 200), "gui.label"),
        "here"));
    call("PUT", "/system/configuration", admin, json_text(val_get(c, "content"), env_arena(env)).p,
         200);
    c = call("GET", "/system/configuration?r=true", admin, NULL, 200);
    assert_true(str_eq_c(text(c, "content.smtp.password"), "canary-2"));
    assert_true(str_eq_c(text(c, "content.datastores.0.dsn"), "mysql://u:canary-3@h/d"));
    history = call("GET", "/system/configuration/history", admin, NULL, 200);
    assert_int_equal(val_count(history), 3);
    assert_int_equal(val_get_int(val_at(history, 0), "id", 0), val_get_int(c, "config_id", -1));
    call("GET", "/system/configuration/history/2", admin, NULL, 200);
    call("GET", "/system/configuration/history/99", admin, NULL, 404);
    assert_true(str_eq_c(
        text(call("PUT", "/system/configuration", admin, "{\"smtp\":{\"port\":0}}", 400), "error"),
        "smtp.port: expected a whole number from 1 to 65535"));
    assert_string_equal(
        env_psql(env, "SELECT count(*) FROM configuration WHERE content::text LIKE '%canary%'"),
        "0");
    assert_null(strstr(env_log(env, "core.sock"), "canary"));
    assert_string_equal(
        env_psql(env, "SELECT count(*) FROM audit WHERE target_type = 'Configuration'"), "2");
}

#define NODE(name, outputs)                                                                        \
    "\"" name "\":{\"original_name\":\"" name "\",\"outputs\":[" outputs "],\"params\":{}}"

/* The link travels through a workflow; only its digest is stored with the token. */
static void forgotten_password(void **state)
{
    (void)state;
    env_psql(env, "INSERT INTO users (username, password_hash, email) SELECT 'forgetful', "
                  "password_hash, 'f@example.org' FROM users WHERE id = 1");
    /* without a workflow nothing begins */
    call("POST", "/auth/reset-password", STR("null"), "{\"username\":\"forgetful\"}", 200);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM one_time_tokens"), "0");
    call("POST", "/activities", admin,
         "{\"name\":\"send link\",\"definition\":{\"cells\":{" NODE("start", "\"ok\"") "," NODE(
             "end", "") "},\"transitions\":[[\"start.ok\",\"end\"]]}}",
         200);
    call("PUT", "/system/configuration", admin,
         "{\"gui\":{\"reset_password_request_workflow\":\"send link\"}}", 200);
    call("POST", "/auth/reset-password", STR("null"), "{\"username\":\"nobody\"}", 200);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instances"), "0");
    call("POST", "/auth/reset-password", STR("null"), "{\"username\":\"forgetful\"}", 200);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM instances"), "1");
    login("forgetful", "first password", 401); /* while the link is open */
    call("GET", "/auth/password-rules/nonsense", STR("null"), NULL, 403);
    call("PUT", "/auth/reset-password/nonsense", STR("null"), "{\"password\":\"x\"}", 400);
    /* a link whose token we know */
    env_psql(env, "UPDATE one_time_tokens SET digest = sha256('the token')");
    call("GET", "/auth/password-rules/the%20token", STR("null"), NULL, 200);
    call("PUT", "/auth/reset-password/the%20token", STR("null"), "{\"password\":\"short\"}", 400);
    call("PUT", "/auth/reset-password/the%20token", STR("null"),
         "{\"password\":\"remembered now\"}", 200);
    call("PUT", "/auth/reset-password/the%20token", STR("null"),
         "{\"password\":\"remembered again\"}", 400);
    login("forgetful", "remembered now", 200);
}

/* A program that did not make the change hears of it. */
static void other_process(void **state)
{
    struct val t = login("admin", "first password", 200);
    struct str token = text(t, "access_token");

    (void)state;
    call("GET", "/system/configuration/license", token, NULL, 200);
    env_psql(env, "UPDATE users SET status = 'REVOKED' WHERE id = 1");
    ENV_WAIT(env, 1500,
             env_http(env, "GET",
                      arena_printf(env_arena(env), "/api/v01/system/users/local?auth_token=%.*s",
                                   STR_ARG(token)),
                      NULL, NULL)
                     .status == 401);
    env_psql(env, "UPDATE users SET status = 'ACTIVE' WHERE id = 1");
}

/* A platform whose last system user is gone is repaired from its machine only. */
static void last_system_user(void **state)
{
    static const char *const gone[] = {"{\"is_system\":false}", "{\"status\":\"INATIVE\"}", "{\"status\":\"REVOKED\"}",
                                       "{\"password_disabled\":true}"};
    struct val other;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        assert_true(str_eq_c(text(call("PUT", "/system/users/1", admin, gone[i], 409), "error"),
                             "\"admin\" is the only system user who can log in: make another one first"));
    call("PUT", "/system/users/1/revoke", admin, "{}", 409);
    call("PUT", "/system/users/1", admin, "{\"first_name\":\"Ada\"}", 200); /* and nothing happened */
    call("POST", "/system/users", admin,
         "{\"username\":\"other\",\"email\":\"o@example.org\",\"is_system\":true,\"password\":\"others password\"}", 200);
    other = login("other", "others password", 200);
    call("PUT", "/system/users/1", admin, gone[0], 200);
    call("PUT", "/system/users/1", text(other, "access_token"), "{\"is_system\":true}", 200);
    call("PUT", "/system/users/1/revoke", text(other, "access_token"), "{}", 204);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_login),
        cmocka_unit_test(signing_in),
        cmocka_unit_test(rights),
        cmocka_unit_test(configuration),
        cmocka_unit_test(forgotten_password),
        cmocka_unit_test(other_process),
        cmocka_unit_test(last_system_user),
    };
    struct arena *a;

    log_init("it_accounts", LOG_ERROR_LEVEL);
    env = env_start();
    a = env_arena(env);
    env_app_start(env, "sluice-core", "core.sock", NULL);
    env_nginx_start(env, "core.sock", NULL);
    ENV_WAIT(env, 10000,
             env_http(env, "GET", "/api/v01/system/database/status", NULL, NULL).status == 200);
    env_psql(env, arena_printf(a,
                               "INSERT INTO users (username, password_hash, is_system, ui_profile) "
                               "VALUES ('admin', '%s', true, 'admin')",
                               password_hash(STR("first password"), a).p));
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
