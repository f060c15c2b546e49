/*
 * Calls to a former platform's API against a scripted peer: tokens that end, a platform without time,
 * pages.
 */
#include "support/cases.h"

#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "http/client.h"
#include "legacy/api.h"
#include "support/peer.h"

static struct legacy_api ready(struct peer *p, struct arena *a)
{
    return (struct legacy_api){.pool = http_client_pool_new(), .a = a, .base = str_printf(a, "http://127.0.0.1:%d", peer_port(p)),
                               .token = STR("first"), .refresh = STR("again")};
}

static bool asked(struct peer *p, size_t i, const char *part)
{
    return str_find(peer_request(p, i), str_c(part)) >= 0;
}

/* The token of a login lasts for minutes: another one is fetched, once, and the call made again. */
static void a_token_that_ended(void **state)
{
    static const struct peer_step steps[] = {{.status = 401}, {.body = "{\"access_token\": \"second\"}"}, {.body = "{\"x\": 1}"}, {.status = 401}, {.status = 401}};
    struct arena *a = arena_new(0);
    struct peer *p = peer_new(steps, COUNT_OF(steps));
    struct legacy_api api = ready(p, a);
    struct err e = {0};
    struct val v;

    (void)state;
    assert_int_equal(legacy_api_get(&api, "/one", &v, a, &e), 0);
    assert_int_equal(val_get_int(v, "x", 0), 1);
    assert_true(asked(p, 0, "GET /one ") && asked(p, 0, "Bearer first\r\n"));
    assert_true(asked(p, 1, "GET /api/v01/auth/access_token ") && asked(p, 1, "Bearer again\r\n"));
    assert_true(asked(p, 2, "GET /one ") && asked(p, 2, "Bearer second\r\n"));
    assert_int_equal(legacy_api_get(&api, "/two", &v, a, &e), -1);
    assert_string_equal(e.msg, "the old platform: GET /two answered 401; is the token right, and not ended? what was imported stays, start again with a new one");
    assert_int_equal(peer_requests(p), 5);
    assert_false(legacy_api_goes_on(&api));
    legacy_api_close(&api);
    peer_free(p);
    arena_free(a);
}

static const struct row {
    const char *name;
    struct peer_step steps[8];
    size_t n, calls;
    bool patient;
    const char *says; /* NULL: it succeeds */
} rows[] = {
    {"busy for a moment", {{.status = 503, .headers = "Retry-After: 0\r\n"}, {.status = 429, .headers = "Retry-After: 0\r\n"}, {.body = "{}"}}, 3, 3, false, NULL},
    {"busy for ever", {{.status = 503, .headers = "Retry-After: 0\r\n"}}, 1, 6, false, "the old platform: GET /one answered 503"},
    {"no such thing", {{.status = 404}}, 1, 1, true, "the old platform: GET /one answered 404"},
    {"not JSON", {{.body = "<html>"}}, 1, 1, true, "the old platform: GET /one did not answer JSON"},
    {"broken off", {{.kind = PEER_CLOSE_MID, .size = 100}}, 1, 1, false, "the old platform: 127.0.0.1:"},
    {"broken off once", {{.kind = PEER_CLOSE_MID, .size = 100}, {.body = "{}"}}, 2, 2, true, NULL},
};

static void answers(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct peer *p = peer_new(r->steps, r->n);
    struct legacy_api api = ready(p, a);
    struct err e = {0};
    struct val v;
    int rc;

    api.patient = r->patient;
    rc = legacy_api_get(&api, "/one", &v, a, &e);
    assert_int_equal(rc, r->says == NULL ? 0 : -1);
    if (r->says != NULL)
        assert_true(str_starts(str_c(e.msg), str_c(r->says)));
    assert_int_equal(peer_requests(p), r->calls);
    legacy_api_close(&api);
    peer_free(p);
    arena_free(a);
}

static int gather(void *ctx, struct val list, struct arena *a)
{
    struct buf *out = ctx;

    buf_addf(out, "%.*s;", STR_ARG(json_text(list, a)));
    return 0;
}

static const struct paging {
    const char *name;
    struct peer_step steps[4];
    size_t n, calls;
    const char *rows, *missing; /* NULL: nothing */
} pagings[] = {
    {"as many as it says", {{.body = "{\"l\": [1], \"pagination\": [1, 1, 2, 2]}"}, {.body = "{\"l\": [2], \"pagination\": [2, 1, 2, 2]}"}}, 2, 2, "[1];[2];", NULL},
    {"all at once, whatever page: asked once more", {{.body = "{\"l\": [1, 2]}"}}, 1, 2, "[1,2];", NULL},
    {"none", {{.body = "{\"l\": [], \"pagination\": [1, 50, 1, 0]}"}}, 1, 1, "[];", NULL},
    {"the same again and again", {{.body = "{\"l\": [1], \"pagination\": [1, 1, 9, 9]}"}}, 1, 2, "[1];", "1 of 9 came"},
    {"no list", {{.body = "{\"l\": {\"a\": 1}}"}}, 1, 2, "", NULL},
    {"pages that are no number", {{.body = "{\"l\": [1], \"pagination\": [1, 1, \"many\", 9]}"}}, 1, 2, "[1];", "1 of 9 came"},
};

static void pages(const struct paging *r)
{
    struct arena *a = arena_new(0);
    struct peer *p = peer_new(r->steps, r->n);
    struct legacy_api api = ready(p, a);
    const char *missing = "not said";
    struct err e = {0};
    struct buf out;

    buf_init(&out, 4096, a);
    assert_int_equal(legacy_api_pages(&api, "/s", "l", "created_on", gather, &out, &missing, &e), 0);
    assert_string_equal(buf_cstr(&out), r->rows);
    assert_int_equal(missing != NULL, r->missing != NULL);
    if (missing != NULL)
        assert_non_null(strstr(missing, r->missing));
    assert_int_equal(peer_requests(p), r->calls);
    legacy_api_close(&api);
    peer_free(p);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_token_that_ended)};
    int failed;

    http_client_init();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, answers);
    failed += CASES(pagings, pages);
    return failed;
}
