/*
 * Many who need a session at once: one login for all of them, its success and its failure.
 */
#include "gateway/session.h"

#include <pthread.h>

#include "support/cases.h"
#include "support/peer.h"

enum { CALLERS = 8, DELAY_MS = 500 };

struct stage {
    struct gw_sessions *sessions;
    struct cfg_gateway g;
};

struct caller {
    struct stage *stage;
    pthread_t thread;
    struct arena *a;
    struct gw_session session;
    struct err e;
    int rc;
};

static void *get_session(void *arg)
{
    struct caller *c = arg;

    c->rc = gw_session(c->stage->sessions, &c->stage->g, c->stage->g.url, &c->session, c->a, &c->e);
    return NULL;
}

static void all_at_once(struct stage *t, struct caller *callers)
{
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.stage = t, .a = arena_new(0)};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, get_session, &callers[i]), 0);
    }
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
}

#define TOKEN "{\"access_token\":\"t0ken\",\"token_type\":\"Bearer\"}"

static const struct row {
    const char *name;
    enum gw_auth auth;
    struct peer_step step;
    const char *header; /* NULL: it fails */
    bool unreachable;
} rows[] = {
    {"cookies",
     GW_AUTH_DEFAULT,
     {.kind = PEER_ANSWER,
      .headers = "Set-Cookie: sessionid=1\r\n",
      .body = "{}",
      .delay_ms = DELAY_MS},
     "sessionid=1",
     false},
    {"token",
     GW_AUTH_OAUTH2,
     {.kind = PEER_ANSWER, .body = TOKEN, .delay_ms = DELAY_MS},
     "Bearer t0ken",
     false},
    {"refused",
     GW_AUTH_DEFAULT,
     {.kind = PEER_ANSWER, .status = 401, .body = "{}", .delay_ms = DELAY_MS},
     NULL,
     false},
    {"broken",
     GW_AUTH_OAUTH2,
     {.kind = PEER_ANSWER, .status = 500, .body = "{}", .delay_ms = DELAY_MS},
     NULL,
     false},
    {"no answer", GW_AUTH_OAUTH2, {.kind = PEER_HANG}, NULL, true},
};

static void one_login(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct http_client_pool *clients = http_client_pool_new();
    struct peer *peer = peer_new(&r->step, 1);
    struct stage t = {
        .sessions = gw_sessions_new(clients, NULL),
        .g = {.name = STR("g"),
              .timeout_s = r->step.kind == PEER_HANG ? 3 : 30, /* a busy machine is no timeout */
              .auth = r->auth,
              .login_url = STR("/login"),
              .username = STR("u")},
    };
    struct caller callers[CALLERS];
    int64_t start = clock_mono_ms(&clock_system);

    t.g.url = str_printf(a, "http://127.0.0.1:%d", peer_port(peer));
    t.g.password = secret_new(a, "p", 1);
    all_at_once(&t, callers);
    assert_int_equal(peer_requests(peer), 1);
    assert_true(clock_mono_ms(&clock_system) - start < 20000); /* one after the other: 24 s */
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].rc, r->header != NULL ? 0 : -1);
        assert_int_equal(callers[i].session.unreachable, r->unreachable);
        if (r->header != NULL)
            assert_true(str_eq_c(callers[i].session.headers[0].value, r->header));
        else
            assert_string_equal(callers[i].e.msg, callers[0].e.msg);
        arena_free(callers[i].a);
    }
    gw_sessions_free(t.sessions);
    peer_free(peer);
    http_client_pool_free(clients);
    arena_free(a);
}

int main(void)
{
    http_client_init();
    return CASES(rows, one_login);
}
