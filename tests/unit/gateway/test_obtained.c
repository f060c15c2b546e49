/*
 * Sessions obtained by calls: which requests go out, how long a token is used, what a refusal leads
 * to.
 */
#include "gateway/gw_http.h"
#include "gateway/session.h"

#include <pthread.h>

#include "base/json.h"
#include "support/cases.h"
#include "support/peer.h"

static int64_t fake_us(struct clock *c)
{
    return c->fake_us;
}

struct stage {
    struct arena *a;
    struct http_client_pool *clients;
    struct clock clock;
    struct gw_sessions *sessions;
    struct peer *peer;
    struct cfg_gateway g;
    struct err e;
};

static void stage_start(struct stage *t, enum gw_auth auth, const struct peer_step *steps, size_t n)
{
    *t = (struct stage){.a = arena_new(0), .clock = {fake_us, fake_us, 1700000000000000}};
    t->clients = http_client_pool_new();
    t->sessions = gw_sessions_new(t->clients, &t->clock);
    t->peer = peer_new(steps, n);
    t->g = (struct cfg_gateway){
        .name = STR("g"),
        .url = str_printf(t->a, "http://127.0.0.1:%d", peer_port(t->peer)),
        .timeout_s = 5,
        .tls_verify = true,
        .auth = auth,
        .login_url = STR("/token"),
        .client_id = STR("my id"),
        .client_secret = secret_new(t->a, "s:cret", 6),
    };
}

static void stage_end(struct stage *t)
{
    gw_sessions_free(t->sessions);
    peer_free(t->peer);
    http_client_pool_free(t->clients);
    arena_free(t->a);
}

static int session(struct stage *t, struct gw_session *out)
{
    return gw_session(t->sessions, &t->g, t->g.url, out, t->a, &t->e);
}

static const char *value(struct stage *t, const struct gw_session *s)
{
    assert_int_equal(s->n_headers, 1);
    return str_cstr(t->a, s->headers[0].value);
}

static void sent(struct stage *t, size_t i, const char *part)
{
    struct str q = peer_request(t->peer, i);

    if (str_find(q, str_c(part)) < 0)
        fail_msg("request %zu lacks \"%s\":\n%.*s", i, part, STR_ARG(q));
}

/* ---- OAuth 2 ------------------------------------------------------------------------------------
 */

static const struct grant_row {
    const char *name;
    const char *username, *password, *refresh, *grant_type, *extras;
    const char *basic; /* Authorization of the token request, NULL: none */
    const char *body;  /* end of the token request */
} grant_rows[] = {
    {"client credentials", "", "", "", "", "{}",
     "Basic bXklMjBpZDpzJTNBY3JldA==", "\r\n\r\ngrant_type=client_credentials"},
    {"password when there is a user", "joe", "p&w", "", "", "{}",
     "Basic bXklMjBpZDpzJTNBY3JldA==", "\r\n\r\ngrant_type=password&username=joe&password=p%26w"},
    {"refresh token of the configuration", "", "", "r1", "refresh_token", "{}",
     "Basic bXklMjBpZDpzJTNBY3JldA==", "\r\n\r\ngrant_type=refresh_token&refresh_token=r1"},
    {"extra parameters replace no secret", "", "", "", "client_credentials",
     "{\"scope\": \"a b\", \"grant_type\": \"x\", \"client_secret\": \"y\", \"password\": \"z\", "
     "\"n\": 5}",
     "Basic bXklMjBpZDpzJTNBY3JldA==", "\r\n\r\ngrant_type=client_credentials&scope=a%20b&n=5"},
    {"client in the body", "", "", "", "", "{\"client_auth\": \"body\"}", NULL,
     "\r\n\r\ngrant_type=client_credentials&client_id=my%20id&client_secret=s%3Acret"},
};

static void grants(const struct grant_row *r)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER,
         .body = "{\"access_token\": \"T1\", \"token_type\": \"bearer\", \"expires_in\": 3600}"},
    };
    struct gw_session s;
    struct stage t;

    stage_start(&t, GW_AUTH_OAUTH2, steps, COUNT_OF(steps));
    t.g.username = str_c(r->username);
    t.g.password = secret_new(t.a, r->password, strlen(r->password));
    t.g.refresh_token = secret_new(t.a, r->refresh, strlen(r->refresh));
    t.g.grant_type = str_c(r->grant_type);
    assert_int_equal(json_parse(str_c(r->extras), &t.g.extra_params, t.a, &t.e), 0);
    assert_int_equal(session(&t, &s), 0);
    assert_string_equal(value(&t, &s), "Bearer T1");
    sent(&t, 0, "POST /token HTTP/1.1\r\n");
    sent(&t, 0, "Accept: application/json\r\n");
    if (r->basic != NULL)
        sent(&t, 0, r->basic);
    else
        assert_true(str_find(peer_request(t.peer, 0), STR("Authorization")) < 0);
    assert_true(str_ends(peer_request(t.peer, 0), str_c(r->body)));
    stage_end(&t);
}

static const struct life_row {
    const char *name, *answer;
    int64_t used_s; /* until then the same token */
} life_rows[] = {
    {"an hour less ten percent",
     "{\"access_token\": \"T\", \"token_type\": \"Bearer\", \"expires_in\": 3600}", 3240},
    {"text", "{\"access_token\": \"T\", \"expires_in\": \"3600\"}", 3240},
    {"not told: five minutes", "{\"access_token\": \"T\"}", 270},
    {"thirty seconds at least", "{\"access_token\": \"T\", \"expires_in\": 100}", 70},
    {"shorter than the margin", "{\"access_token\": \"T\", \"expires_in\": 20}", 10},
};

static void lives(const struct life_row *r)
{
    struct peer_step step = {.kind = PEER_ANSWER, .body = r->answer};
    struct gw_session s;
    struct stage t;

    stage_start(&t, GW_AUTH_OAUTH2, &step, 1);
    assert_int_equal(gw_session_try(t.sessions, &t.g, t.g.url, &s, t.a, &t.e), 0);
    assert_int_equal(session(&t, &s), 0);
    t.clock.fake_us += (r->used_s - 1) * 1000000;
    assert_int_equal(gw_session_try(t.sessions, &t.g, t.g.url, &s, t.a, &t.e), 1);
    t.clock.fake_us += 1000000;
    assert_int_equal(gw_session_try(t.sessions, &t.g, t.g.url, &s, t.a, &t.e), 0);
    assert_int_equal(session(&t, &s), 0);
    assert_int_equal(peer_requests(t.peer), 2);
    stage_end(&t);
}

static const struct refusal_row {
    const char *name;
    struct peer_step step;
    const char *want;
} refusal_rows[] = {
    {"error code",
     {.kind = PEER_ANSWER, .status = 401, .body = "{\"error\": \"invalid_client\"}"},
     "gateway g: token endpoint answered invalid_client"},
    {"status alone",
     {.kind = PEER_ANSWER, .status = 302, .headers = "Location: /other\r\n"},
     "gateway g: token endpoint answered 302"},
    {"another kind of token",
     {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T\", \"token_type\": \"mac\"}"},
     "gateway g: token endpoint sent no bearer token"},
    {"a token that breaks the header",
     {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T\\r\\nX: y\"}"},
     "gateway g: token endpoint sent no bearer token"},
    {"not JSON",
     {.kind = PEER_ANSWER, .body = "<html>"},
     "gateway g: token endpoint sent no bearer token"},
};

static void refusals(const struct refusal_row *r)
{
    struct gw_session s;
    struct stage t;

    stage_start(&t, GW_AUTH_OAUTH2, &r->step, 1);
    assert_int_equal(session(&t, &s), -1);
    assert_string_equal(t.e.msg, r->want);
    assert_int_equal(t.e.code, ERR_UPSTREAM);
    assert_false(s.unreachable);
    stage_end(&t);
}

/* What is kept elsewhere: the last saved token. */
struct kept {
    char token[64];
    int saved;
};

static struct str keep_load(void *arg, const struct cfg_gateway *g, struct str url, struct arena *a)
{
    struct kept *k = arg;

    (void)g;
    (void)url;
    return str_dup(a, str_c(k->token));
}

static void keep_save(void *arg, const struct cfg_gateway *g, struct str url, struct str token)
{
    struct kept *k = arg;

    (void)g;
    (void)url;
    k->saved++;
    memcpy(k->token, token.p != NULL ? token.p : "", token.len);
    k->token[token.len] = '\0';
}

static void refreshed(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T1\", \"refresh_token\": \"r2\"}"},
        {.kind = PEER_ANSWER, .status = 400, .body = "{\"error\": \"invalid_grant\"}"},
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T2\"}"},
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T3\"}"},
    };
    struct kept kept = {"r1", 0};
    struct gw_keep keep = {&kept, keep_load, keep_save};
    struct gw_session s;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_OAUTH2, steps, COUNT_OF(steps));
    gw_sessions_keep(t.sessions, &keep);
    assert_int_equal(session(&t, &s), 0);
    sent(&t, 0, "grant_type=refresh_token&refresh_token=r1");
    assert_string_equal(kept.token, "r2");
    assert_true(gw_session_again(t.sessions, &t.g, &s, STR(""), t.a));
    gw_session_refused(t.sessions, &t.g, t.g.url, s.stamp);
    assert_int_equal(session(&t, &s), 0);
    assert_string_equal(value(&t, &s), "Bearer T2");
    sent(&t, 1, "grant_type=refresh_token&refresh_token=r2");
    sent(&t, 2, "grant_type=client_credentials");
    assert_string_equal(kept.token, "");
    gw_session_refused(t.sessions, &t.g, t.g.url, s.stamp);
    assert_int_equal(session(&t, &s), 0);
    sent(&t, 3, "grant_type=client_credentials");
    assert_int_equal(kept.saved, 2);
    stage_end(&t);
}

static void renewed_within_the_call(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T1\"}"},
        {.kind = PEER_ANSWER, .status = 401},
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T2\"}"},
        {.kind = PEER_ANSWER, .status = 401, .body = "still"},
    };
    struct cfg cfg = {.n_gateways = 1};
    struct gw_answer out;
    struct gw_call call = {
        .holder = STR("g"), .url = STR("x"), .method = STR("POST"), .body = STR("b")};
    struct gw_http *h;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_OAUTH2, steps, COUNT_OF(steps));
    cfg.gateways = &t.g;
    h = gw_http_new(t.clients, t.sessions);
    assert_int_equal(gw_http_do(h, &cfg, &call, &out, t.a, &t.e), 0);
    assert_int_equal(out.res.status, 401);
    assert_int_equal(out.attempts, 2);
    assert_int_equal(peer_requests(t.peer), 4);
    sent(&t, 1, "Authorization: Bearer T1\r\n");
    sent(&t, 3, "Authorization: Bearer T2\r\n");
    gw_http_free(h);
    stage_end(&t);
}

enum { CALLERS = 8 };

static void *one_of_many(void *arg)
{
    struct stage *t = arg;
    struct arena *a = arena_new(0);
    struct gw_session s;
    struct err e = {0};
    int rc = gw_session(t->sessions, &t->g, t->g.url, &s, a, &e);
    bool fine = rc == 0 && s.n_headers == 1 && str_eq_c(s.headers[0].value, "Bearer T1");

    arena_free(a);
    return fine ? t : NULL;
}

/* Who needs a token while somebody fetches one waits for that. */
static void fetched_once(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T1\"}", .delay_ms = 300},
        {.kind = PEER_ANSWER, .body = "{\"access_token\": \"T2\"}"},
    };
    pthread_t threads[CALLERS];
    struct stage t;
    void *fine;

    (void)state;
    stage_start(&t, GW_AUTH_OAUTH2, steps, COUNT_OF(steps));
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &t), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(threads[i], &fine), 0);
        assert_non_null(fine);
    }
    assert_int_equal(peer_requests(t.peer), 1);
    stage_end(&t);
}

/* ---- Oracle SBC, the gateway's own login, hawk ---------------------------------------------- */

static const struct sbc_row {
    const char *name, *answer, *want; /* want NULL: refused */
} sbc_rows[] = {
    {"XML",
     "<?xml "
     "version='1.0'?><response><data><token><accessToken>abc.D</accessToken></token></data></"
     "response>",
     "Bearer abc.D"},
    {"JSON", "{\"data\": {\"token\": {\"accessToken\": \"T\"}}}", "Bearer T"},
    {"JSON, other name", "{\"access_token\": \"T\"}", "Bearer T"},
    {"neither", "ok", NULL},
    {"empty", "", NULL},
};

static void sbc(const struct sbc_row *r)
{
    struct peer_step step = {.kind = PEER_ANSWER, .body = r->answer};
    struct gw_session s;
    struct stage t;

    stage_start(&t, GW_AUTH_ORACLE_SBC, &step, 1);
    t.g.username = STR("u");
    t.g.password = secret_new(t.a, "p", 1);
    assert_int_equal(session(&t, &s), r->want != NULL ? 0 : -1);
    sent(&t, 0, "Authorization: Basic dTpw\r\n");
    if (r->want != NULL)
        assert_string_equal(value(&t, &s), r->want);
    else
        assert_string_equal(t.e.msg, "gateway g: the login sent no token");
    stage_end(&t);
}

static void refused_twice(void **state)
{
    static const struct peer_step step = {.kind = PEER_ANSWER, .status = 401};
    struct gw_session s;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_DEFAULT, &step, 1);
    t.g.username = STR("u");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(session(&t, &s), -1);
        assert_int_equal(t.e.code, i < 2 ? ERR_UPSTREAM : ERR_BUSY);
    }
    assert_int_equal(peer_requests(t.peer), 2);
    t.clock.fake_us += 30 * 1000000;
    assert_int_equal(session(&t, &s), -1);
    assert_string_equal(t.e.msg, "gateway g refused the system login");
    assert_int_equal(peer_requests(t.peer), 3);
    stage_end(&t);
}

static void login_away(void **state)
{
    static const struct peer_step steps[] = {
        {.kind = PEER_ANSWER, .headers = "Set-Cookie: sessionid=S\r\n"},
        {.kind = PEER_ANSWER, .body = "{}"},
    };
    struct cfg cfg = {.n_gateways = 1};
    struct gw_answer out;
    struct gw_call call = {
        .holder = STR("g"), .url = STR("x"), .method = STR("POST"), .body = STR("b")};
    struct gw_http *h;
    struct str backup;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_DEFAULT, steps, COUNT_OF(steps));
    t.g.username = STR("u");
    backup = t.g.url;
    t.g.backup_urls = &backup;
    t.g.n_backup_urls = 1;
    t.g.url = str_printf(t.a, "http://127.0.0.1:%d", peer_closed_port());
    cfg.gateways = &t.g;
    h = gw_http_new(t.clients, t.sessions);
    assert_int_equal(gw_http_do(h, &cfg, &call, &out, t.a, &t.e), 0);
    assert_int_equal(out.res.status, 200);
    sent(&t, 1, "Cookie: sessionid=S\r\n");
    gw_http_free(h);
    stage_end(&t);
}

static void hawk_clock(void **state)
{
    static const struct peer_step steps[] = {
        /* five minutes ahead: 1700000300 */
        {.kind = PEER_ANSWER,
         .status = 401,
         .headers = "WWW-Authenticate: Hawk ts=\"1700000300\", "
                    "tsm=\"GgbBfjb++PNWTnEvU2s0V20vy6xAcqopszP+LfhaTNk=\"\r\n"},
        {.kind = PEER_ANSWER, .body = "{}"},
    };
    struct cfg cfg = {.n_gateways = 1};
    struct gw_answer out;
    struct gw_call call = {
        .holder = STR("g"), .url = STR("x"), .method = STR("POST"), .body = STR("b")};
    struct gw_http *h;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_HAWK, steps, COUNT_OF(steps));
    t.g.hawk_id = STR("me");
    t.g.hawk_key = secret_new(t.a, "k", 1);
    cfg.gateways = &t.g;
    h = gw_http_new(t.clients, t.sessions);
    assert_int_equal(gw_http_do(h, &cfg, &call, &out, t.a, &t.e), 0);
    assert_int_equal(out.res.status, 200);
    sent(&t, 0, "ts=\"1700000000\"");
    sent(&t, 0, "hash=\"");
    sent(&t, 1, "ts=\"1700000300\"");
    gw_http_free(h);
    stage_end(&t);
}

static void unknown_way(void **state)
{
    static const struct peer_step step = {.kind = PEER_ANSWER};
    struct gw_session s;
    struct stage t;

    (void)state;
    stage_start(&t, GW_AUTH_UNKNOWN, &step, 1);
    t.g.auth_name = STR("kerberos");
    assert_int_equal(session(&t, &s), -1);
    assert_string_equal(t.e.msg, "gateway g: unknown auth \"kerberos\"");
    assert_int_equal(t.e.code, ERR_BUSY);
    stage_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refreshed),     cmocka_unit_test(renewed_within_the_call),
        cmocka_unit_test(refused_twice), cmocka_unit_test(login_away),
        cmocka_unit_test(hawk_clock),    cmocka_unit_test(unknown_way),
        cmocka_unit_test(fetched_once),
    };
    int failed;

    http_client_init();
    failed = CASES(grant_rows, grants) + CASES(life_rows, lives) + CASES(refusal_rows, refusals) +
             CASES(sbc_rows, sbc);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
