/*
 * Hostile requests: smuggling, injection, other spellings, forged tokens.  What is refused never reaches the gateway; what is forwarded
 * arrives as one request.  Requests of chance: it_proxy_chance.
 */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "config/config.h"
#include "integration/env_proxy.h"
#include "support/cases.h"

static struct house h;
static struct env *env;

/* ---- raw bytes to nginx ----------------------------------------------------------------------------------- */

#define FORBIDDEN "GET /api/v01/p1/do/smuggled/ HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct raw_row {
    const char *name;
    const char *line, *more, *body; /* request line and headers besides Host and Authorization */
    int status;                     /* 0: forwarded as one request, whatever is answered */
} raw_rows[] = {
    {"two lengths", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Content-Length: 4\r\nContent-Length: 60\r\n", "{}{}" FORBIDDEN, 400},
    {"length and chunks", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" FORBIDDEN, 400},
    {"chunked twice", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", 400},
    {"chunked with a tab", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Transfer-Encoding: \tchunked\r\n", "0\r\n\r\n", 0},
    {"unknown coding", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", 501},
    {"negative length", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Content-Length: -1\r\n", "", 400},
    {"length with a plus", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Content-Length: +2\r\n", "{}", 400},
    {"chunk that is none", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n", 400},
    {"dots", "GET /api/v01/p1/do/../../../health HTTP/1.1", "", "", 400},
    {"escaped dots", "GET /api/v01/p1/do/%2e%2e/login/ HTTP/1.1", "", "", 400},
    {"dots behind an escaped slash", "GET /api/v01/p1/do/..%2flogin/ HTTP/1.1", "", "", 400},
    {"escaped NUL", "GET /api/v01/p1/do/ok%00/ HTTP/1.1", "", "", 400},
    {"escaped line end", "GET /api/v01/p1/do/ok%0d%0aX-Evil:%201/ HTTP/1.1", "", "", 400},
    {"bytes above ASCII", "GET /api/v01/p1/do/caf\xc3\xa9/ HTTP/1.1", "", "", 400},
    {"two slashes", "GET /api/v01/p1//do/ok/ HTTP/1.1", "", "", 400},
    {"broken escape", "GET /api/v01/p1/do/%zz/ HTTP/1.1", "", "", 400},
    {"absolute URI", "GET http://evil.example/api/v01/p1/do/ok/ HTTP/1.1", "", "", 0},
    {"authority", "GET @evil.example/api/v01/p1/do/ok/ HTTP/1.1", "", "", 400},
    {"folded header", "GET /api/v01/p1/do/ok/ HTTP/1.1", "X-A: b\r\n Transfer-Encoding: chunked\r\n", "", 0},
    {"expectation", "POST /api/v01/p1/do/sink/ HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 2\r\n", "{}", 0},
};

static void raw(const struct raw_row *r)
{
    long before = rogue_requests(h.rogue);
    const char *text;
    int status = 0;

    api_setup(NULL);
    text = house_raw(&h,
                     arena_printf(env_arena(env), "%s\r\nHost: x\r\n%s\r\nConnection: close\r\n%s\r\n%s", r->line, api_auth(env), r->more, r->body),
                     3000);
    text = strncmp(text, "HTTP/1.1 100", 12) == 0 ? strstr(text, "\r\n\r\n") + 4 : text;
    (void)sscanf(text, "HTTP/1.1 %d", &status);
    if (r->status != 0 ? status != r->status : status < 200)
        env_fail(env, "expected %d: %.400s", r->status, text);
    assert_true(rogue_requests(h.rogue) - before <= (r->status == 0 ? 1 : 0));
    assert_null(strstr(env_log(env, "p1.sock"), "smuggled"));
}

#define E8 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
#define E32 E8 E8 E8 E8
#define E128 E32 E32 E32 E32 /* 256 bytes */

/* ---- past nginx: parameters as another web server could send them ------------------------------------------- */

static const struct param_row {
    const char *name, *method, *uri, *announced, *param, *body;
    int status; /* 0: closed without an answer; 200: forwarded, and the gateway saw nothing of it */
} param_rows[] = {
    {"line end in a header", "GET", "/api/v01/p1/do/echo_head/", NULL, "HTTP_X_A=b\r\nEvil: 1", NULL, 200},
    {"header name with a line end", "GET", "/api/v01/p1/do/echo_head/", NULL, "HTTP_X_A: 1\r\nEvil=b", NULL, 200},
    {"line end in the content type", "POST", "/api/v01/p1/do/echo_head/", NULL, "CONTENT_TYPE=a/b\r\nEvil: 1", "{}", 200},
    {"method with a line end", "GET / HTTP/1.1\r\nEvil: 1\r\n\r\nGET", "/api/v01/p1/do/ok/", NULL, NULL, NULL, 400},
    {"empty method", "", "/api/v01/p1/do/ok/", NULL, NULL, NULL, 0},
    {"blank in the path", "GET", "/api/v01/p1/do/ok HTTP/1.1", NULL, NULL, NULL, 400},
    {"blank in the query", "GET", "/api/v01/p1/do/ok/?a=b HTTP/1.1\r\nEvil: 1", NULL, NULL, NULL, 400},
    {"fragment", "GET", "/api/v01/p1/do/ok/?a=b#c", NULL, NULL, NULL, 400},
    {"absolute URI", "GET", "http://evil/api/v01/p1/do/ok/", NULL, NULL, NULL, 400},
    {"length that is none", "POST", "/api/v01/p1/do/sink/", "2, 2", NULL, "{}", 0},
    {"length with a sign", "POST", "/api/v01/p1/do/sink/", "-2", NULL, "{}", 0},
    {"length above the body", "POST", "/api/v01/p1/do/sink/", "3", NULL, "{}", 400},
    {"length below the body", "POST", "/api/v01/p1/do/sink/", "1", NULL, "{}", 400},
    {"a second length", "POST", "/api/v01/p1/do/echo_head/", NULL, "HTTP_CONTENT_LENGTH=77", "{}", 200},
    {"chunks announced", "POST", "/api/v01/p1/do/echo_head/", NULL, "HTTP_TRANSFER_ENCODING=chunked", "{}", 200},
    {"upgrade", "GET", "/api/v01/p1/do/echo_head/", NULL, "HTTP_UPGRADE=Evil", NULL, 200},
    {"proxy setting", "GET", "/api/v01/p1/do/echo_head/", NULL, "HTTP_PROXY=http://Evil", NULL, 200},
};

static void params(const struct param_row *r)
{
    long before = rogue_requests(h.rogue);
    struct fcgi_request q;
    struct fcgi_answer a;

    api_setup(NULL);
    q = house_request(&h, r->method, r->uri, (const char *const[]){r->param, NULL});
    q.announced = r->announced;
    q.body = r->body != NULL ? str_c(r->body) : STR("");
    a = fcgi_call(env_path(env, "p1.sock"), &q, env_arena(env));
    if (a.status != r->status)
        env_fail(env, "expected %d, got %d: %.*s", r->status, a.status, STR_ARG(a.body));
    assert_true(str_find(a.body, STR("Evil")) < 0);
    assert_true(str_find(a.body, STR("Content-Length: 77")) < 0 && str_find(a.body, STR("hunked")) < 0);
    assert_int_equal(rogue_requests(h.rogue) - before, r->status == 200);
}

/* ---- tokens -------------------------------------------------------------------------------------------------- */

static const char *segment(const char *json)
{
    return str_cstr(env_arena(env), crypto_b64url(env_arena(env), str_c(json)));
}

/* The administrator's token, signed with our key, but of another life. */
static const char *living_until(int64_t from_now_s)
{
    struct arena *a = env_arena(env);
    const char *token = api_token(), *body = strchr(token, '.') + 1;
    struct db *db = db_new(env_db(env), "test", &(struct db_opts){.max_conns = 2, .app_name = "it_proxy_requests"});
    struct cfg_store *store;
    const struct cfg *cfg;
    const struct cfg_key *key;
    struct jwt_key *signing;
    struct str out;
    struct val claims;
    struct err e = {0};
    char id[24];

    assert_int_equal(cfg_store_new(&store, db, &e), 0);
    cfg = cfg_get(store);
    key = cfg_key_active(cfg, "tokens");
    assert_non_null(key);
    snprintf(id, sizeof id, "%u", key->id);
    assert_true(crypto_unb64(a, str_make(body, (size_t)(strchr(body, '.') - body)), &out));
    assert_int_equal(json_parse(out, &claims, a, &e), 0);
    val_dict_set_c(claims, "exp", val_int(clock_wall_us(&clock_system) / 1000000 + from_now_s));
    if (jwt_key_private(&signing, secret_text(key->material), str_c(id), a, &e) != 0 || jwt_sign(signing, claims, &out, a, &e) != 0)
        env_fail(env, "%s", e.msg);
    cfg_put(cfg);
    cfg_store_free(store);
    db_free(db);
    return str_cstr(a, out);
}

/* A token like ours in all but what is wrong with it. */
static const char *forged(const char *what)
{
    struct arena *a = env_arena(env);
    const char *token = api_token(), *body = strchr(token, '.') + 1, *end = strchr(body, '.');
    struct str claims = str_make(body, (size_t)(end - body));
    struct str priv, pub, out;
    struct jwt_key *key = NULL;
    struct val v;
    struct err e = {0};

    if (strcmp(what, "alg none") == 0)
        return arena_printf(a, "%s.%.*s.", segment("{\"alg\":\"none\",\"typ\":\"JWT\"}"), STR_ARG(claims));
    if (strcmp(what, "alg none, old signature") == 0)
        return arena_printf(a, "%s.%.*s%s", segment("{\"alg\":\"none\",\"typ\":\"JWT\"}"), STR_ARG(claims), end);
    if (strcmp(what, "hs256") == 0)
        return arena_printf(a, "%s.%.*s%s", segment("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), STR_ARG(claims), end);
    if (strcmp(what, "changed claims") == 0)
        return arena_printf(a, "%.*s.%s%s", (int)(body - token - 1), token, segment("{\"sub\":\"1\",\"exp\":9999999999}"), end);
    if (strcmp(what, "cut signature") == 0)
        return arena_printf(a, "%.*s", (int)(strlen(token) - 4), token);
    if (strcmp(what, "nonsense") == 0)
        return "a.b.c";
    if (strcmp(what, "expired") == 0)
        return living_until(-1);
    v = val_dict_new(a, 4); /* signed with a key that is not ours */
    val_dict_set_c(v, "sub", val_str_c("1"));
    val_dict_set_c(v, "exp", val_int(9999999999));
    if (jwt_keygen(&priv, &pub, a, &e) != 0 || jwt_key_private(&key, priv, STR("1"), a, &e) != 0 || jwt_sign(key, v, &out, a, &e) != 0)
        env_fail(env, "%s", e.msg);
    return str_cstr(a, out);
}

static const struct token_row {
    const char *name;
} token_rows[] = {{"alg none"}, {"alg none, old signature"}, {"hs256"}, {"changed claims"}, {"cut signature"}, {"nonsense"}, {"another key"}, {"expired"}};

static void tokens(const struct token_row *r)
{
    long before = rogue_requests(h.rogue);
    const char *headers[2] = {NULL, NULL};

    api_setup(NULL);
    headers[0] = arena_printf(env_arena(env), "Authorization: Bearer %s", forged(r->name));
    assert_int_equal(env_http(env, "GET", "/api/v01/p1/do/ok/", headers, NULL).status, 401);
    assert_int_equal(env_http(env, "GET", arena_printf(env_arena(env), "/api/v01/p1/do/ok/?auth_token=%s", forged(r->name)), NULL, NULL).status, 401);
    assert_int_equal(rogue_requests(h.rogue), before);
}

/* A refresh token is none for calls, and a user that was switched off is out at once. */
static void tokens_of_other_uses(void **state)
{
    struct val v = api(env, 200, "POST", "/api/v01/auth/login",
                       arena_printf(env_arena(env), "{\"username\":\"admin\",\"password\":%s}", api_quoted(env, api_admin_password())));
    const char *headers[2] = {arena_printf(env_arena(env), "Authorization: Bearer %s", api_text(env, v, "refresh_token")), NULL};

    (void)state;
    assert_int_equal(env_http(env, "GET", "/api/v01/p1/do/ok/", headers, NULL).status, 401);
    headers[0] = arena_printf(env_arena(env), "Authorization: Bearer %s", living_until(60)); /* the expired one was refused for that */
    assert_int_equal(env_http(env, "GET", "/api/v01/p1/do/ok/", headers, NULL).status, 200);
}

/* What the database takes for no text must not keep a call out of the history. */
static void nobody_hides_a_call(void **state)
{
    static const struct {
        const char *uri, *body;
        const char *shown; /* condition on its row */
    } rows[] = {
        {"/api/v01/p1/do/sink/?mark=hide0&a=\xff\xc3", NULL, "url LIKE '%a=' || U&'\\FFFD\\FFFD'"},
        {"/api/v01/p1/do/sink/?mark=hide1", "{\"tenantId\":\"a\\u0000b\",\"phoneNumber\":\"1\\u00002\"}", "tenant_id IS NULL"},
        {"/api/v01/p1/do/sink/?mark=hide2", "{\"tenantId\":\"" E128 "\"}", "tenant_id = repeat('\xc3\xa9', 127)"},
        {"/api/v01/p1/tenants/%ff/?mark=hide3", NULL, "tenant_id IS NULL AND details->>'gateway_url' LIKE '%/tenants/\\%ff/%'"},
        {"/api/v01/p1/do/sink/?mark=hide4&%ff=%00", NULL, "url LIKE '%\\%ff=\\%00'"},
        {"/api/v01/p1/do/sink/?mark=hide5", "\xff{\"a\":\"\\ud800\"", "details->>'body' IS NOT NULL"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fcgi_request q = house_request(&h, rows[i].body != NULL ? "POST" : "GET", rows[i].uri, NULL);

        q.body = rows[i].body != NULL ? str_c(rows[i].body) : STR("");
        assert_true(fcgi_call(env_path(env, "p1.sock"), &q, env_arena(env)).status > 0);
        ENV_WAIT(env, 5000, env_sql(env, "SELECT 1 FROM requests WHERE url LIKE '%%mark=hide%zu%%'", i)[0] == '1');
        if (env_sql(env, "SELECT 1 FROM requests WHERE url LIKE '%%mark=hide%zu%%' AND %s", i, rows[i].shown)[0] != '1')
            env_fail(env, "row %zu: %s", i, env_sql(env, "SELECT r FROM requests r WHERE url LIKE '%%mark=hide%zu%%'", i));
    }
    assert_null(strstr(env_log(env, "p1.sock"), "proxy.history"));
}

/* So many headers of so many bytes each. */
static const char *headers_of(int count, size_t bytes)
{
    struct buf b;

    buf_init(&b, 1 * MIB, env_arena(env));
    for (int i = 0; i < count; i++) {
        buf_addf(&b, "X-B%d: ", i);
        for (size_t n = 0; n < bytes; n++)
            buf_putc(&b, 'b');
        buf_add_c(&b, "\r\n");
    }
    return buf_cstr(&b);
}

/* What is refused before anybody reads it is JSON all the same, and never looks as if an application were away. */
static void refusals_are_json(void **state)
{
    const struct {
        const char *line, *headers;
        int status;
        const char *error;
    } rows[] = {
        {"GET /api/v01/p1/do/ok/ HTTP/1.1", headers_of(5, 15000), 431, "the request headers are too large"},
        {"GET /api/v01/p1/do/ok/ HTTP/1.1", headers_of(1, 40000), 431, "the request headers are too large"},
        {"GET /api/v01/p1/do/ok/ HTTP/1.1", headers_of(600, 1), 431, "request headers are larger than 65536 bytes or more than 512"},
        {"POST /api/v01/p1/do/sink/ HTTP/1.1", "Transfer-Encoding: xchunked\r\n", 501, "not implemented"},
        {"GET /api/v01/p1/do/ok/ HTTP/9.1", "", 505, "this version of HTTP is not supported"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *text = house_raw(&h, env_fmt(env, "%s\r\nHost: x\r\n%s\r\nConnection: close\r\n%s\r\n", rows[i].line, api_auth(env), rows[i].headers), 3000);
        int status = 0;

        (void)sscanf(text, "HTTP/1.1 %d", &status);
        if (status != rows[i].status || strstr(text, env_fmt(env, "{\"error\":\"%s\"}", rows[i].error)) == NULL)
            env_fail(env, "row %zu: expected %d %s: %.600s", i, rows[i].status, rows[i].error, text);
    }
}

/* Whoever must change his password first hears exactly what the interface waits for, and nothing goes out. */
static void must_change_the_password(void **state)
{
    const char *token;
    struct env_answer a;
    long before;

    (void)state;
    api(env, 200, "POST", "/api/v01/system/users",
        "{\"username\":\"newcomer\",\"email\":\"newcomer@example.org\",\"password\":\"Pass-word-123!\",\"is_system\":true,\"need_password_change\":true}");
    env_psql(env, "UPDATE users SET need_password_change = true WHERE username = 'newcomer'");
    token = api_login(env, "newcomer", "Pass-word-123!");
    api_as(token);
    before = rogue_requests(h.rogue);
    a = api_raw(env, "GET", "/api/v01/p1/do/ok/", NULL);
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.body, "\"error_code\":1"));
    assert_int_equal(rogue_requests(h.rogue), before);
}

static void ends_cleanly(void **state)
{
    (void)state;
    env_stop(env, h.proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {API_TEST(tokens_of_other_uses), API_TEST(must_change_the_password), API_TEST(refusals_are_json), API_TEST(nobody_hides_a_call), API_TEST(ends_cleanly)};
    int failed;

    house_start(&h, NULL);
    env = h.env;
    failed = CASES(raw_rows, raw) + CASES(param_rows, params) + CASES(token_rows, tokens);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return house_end(&h, failed);
}
