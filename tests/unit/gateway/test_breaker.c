/*
 * The circuit breaker by itself, and the URLs of a gateway with their breakers; time is given.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "gateway/breaker.h"
#include "gateway/session.h"

static int64_t fake(struct clock *c)
{
    return c->fake_us;
}

static struct clock now = {.wall_us = fake, .mono_us = fake, .fake_us = 1000000};

static void pass(int64_t ms)
{
    now.fake_us += ms * 1000;
}

/* One letter a step: f failed, w worked, a admitted, r refused; a number of seconds passes. */
static const struct row {
    const char *name, *steps;
} rows[] = {
    {"opens after three in a row", "ffafr"},
    {"an answer in between", "ffwffafr"},
    {"one probe after the wait", "fffr9r1ar"},
    {"the probe fails", "fff10afr9r1a"},
    {"the probe works", "fff10awaffafr"},
    {"a lost probe is followed by another", "fff10ar4r1ar"},
    {"late failures do not prolong", "fff5ff5ar"},
    {"a late answer closes", "fffrwa"},
};

static void walks(const struct row *r)
{
    const struct breaker_rule rule = {.failures = 3, .wait_ms = 10000, .probe_ms = 5000};
    struct breaker b = {0};
    int64_t ms = 50, wait_ms;

    for (const char *p = r->steps; *p != '\0'; p++) {
        if (*p >= '0' && *p <= '9') {
            int64_t s = *p - '0';

            if (p[1] >= '0' && p[1] <= '9')
                s = s * 10 + (*++p - '0');
            ms += s * 1000;
        } else if (*p == 'f') {
            (void)breaker_failed(&b, &rule, ms);
        } else if (*p == 'w') {
            (void)breaker_worked(&b);
        } else if (breaker_admits(&b, &rule, ms, &wait_ms) != (*p == 'a')) {
            fail_msg("%s: step %d", r->name, (int)(p - r->steps));
        }
    }
}

static void never_opens_when_off(void **state)
{
    const struct breaker_rule off = {.wait_ms = 10000, .probe_ms = 5000};
    struct breaker b = {0};
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(breaker_failed(&b, &off, i));
    assert_true(breaker_admits(&b, &off, 100, &wait_ms));
}

/* ---- the URLs of a gateway ---------------------------------------------------------------------------- */

static const struct str backups[] = {{"http://b", 8}};
static const struct cfg_gateway two = {.name = {"g", 1}, .url = {"http://a", 8}, .backup_urls = backups, .n_backup_urls = 1,
                                       .timeout_s = 4, .breaker_failures = 2, .breaker_wait_s = 10};

static const char *take(struct gw_sessions *s, const struct cfg_gateway *g, int *retry_s)
{
    struct str url;
    struct err e = {0};

    if (gw_url_take(s, g, &url, &e) != 0) {
        assert_int_equal(e.code, ERR_BUSY);
        *retry_s = e.retry_s;
        return "refused";
    }
    return str_eq(url, g->url) ? "main" : "backup";
}

/* Refused only when the last backup has failed too; then one probe, and an answer reopens the way. */
static void opens_after_the_last_backup(void **state)
{
    struct gw_sessions *s = gw_sessions_new(NULL, &now);
    struct gw_circuit c[4];
    int retry_s = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        gw_url_failed(s, &two, two.url);
    assert_string_equal(take(s, &two, &retry_s), "backup");
    assert_int_equal(gw_circuits(s, c, 4), 1);
    assert_false(c[0].open);
    for (int i = 0; i < 2; i++)
        gw_url_failed(s, &two, backups[0]);
    assert_string_equal(take(s, &two, &retry_s), "refused");
    assert_int_equal(retry_s, 10);
    assert_int_equal(gw_circuits(s, c, 4), 1);
    assert_true(c[0].open && strcmp(c[0].gateway, "g") == 0 && c[0].failures == 4);
    pass(9001);
    assert_string_equal(take(s, &two, &retry_s), "refused");
    assert_int_equal(retry_s, 1);
    pass(999);
    assert_string_not_equal(take(s, &two, &retry_s), "refused"); /* a probe of each URL, no more */
    assert_string_not_equal(take(s, &two, &retry_s), "refused");
    assert_string_equal(take(s, &two, &retry_s), "refused");
    gw_url_answered(s, &two, two.url, 500);
    assert_string_equal(take(s, &two, &retry_s), "main");
    gw_url_answered(s, &two, backups[0], 200);
    (void)gw_circuits(s, c, 4);
    assert_false(c[0].open);
    gw_sessions_free(s);
}

/* A user's own login belongs to one URL: the other one is no way out. */
static void one_url_is_one_circuit(void **state)
{
    struct gw_sessions *s = gw_sessions_new(NULL, &now);
    struct err e;

    (void)state;
    gw_url_failed(s, &two, two.url);
    assert_int_equal(gw_url_admit(s, &two, two.url, &e), 0);
    gw_url_failed(s, &two, two.url);
    assert_int_equal(gw_url_admit(s, &two, two.url, &e), -1);
    assert_int_equal(gw_url_admit(s, &two, backups[0], &e), 0);
    gw_sessions_free(s);
}

static void a_check_or_a_change_closes(void **state)
{
    const struct cfg_gateway one = {.name = STR("g"), .url = STR("http://a"), .timeout_s = 4, .breaker_failures = 1, .breaker_wait_s = 10};
    struct cfg_gateway moved = one;
    struct gw_sessions *s = gw_sessions_new(NULL, &now);
    int retry_s;

    (void)state;
    gw_url_failed(s, &one, one.url);
    assert_string_equal(take(s, &one, &retry_s), "refused");
    pass(1000);
    gw_url_healthy(s, &one, 2000); /* it began before that */
    assert_string_equal(take(s, &one, &retry_s), "refused");
    gw_url_healthy(s, &one, 500);
    assert_string_equal(take(s, &one, &retry_s), "main");
    gw_url_failed(s, &one, one.url);
    moved.url = STR("http://c");
    assert_string_equal(take(s, &moved, &retry_s), "main");
    gw_sessions_free(s);
}

static void counts(void **state)
{
    struct gw_sessions *s = gw_sessions_new(NULL, &now);
    struct gw_circuit c[4];
    uint64_t answers, bad;

    (void)state;
    gw_url_answered(s, &two, two.url, 200);
    gw_url_answered(s, &two, two.url, 499);
    gw_url_answered(s, &two, two.url, 503);
    gw_answers(s, &answers, &bad);
    assert_int_equal(answers, 3);
    assert_int_equal(bad, 1);
    gw_url_failed(s, &two, two.url);
    gw_url_answered(s, &two, two.url, 200);
    gw_url_failed(s, &two, two.url);
    assert_int_equal(gw_circuits(s, c, 4), 1);
    assert_int_equal(c[0].failures, 2);
    gw_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_opens_when_off), cmocka_unit_test(opens_after_the_last_backup), cmocka_unit_test(one_url_is_one_circuit),
        cmocka_unit_test(a_check_or_a_change_closes), cmocka_unit_test(counts),
    };

    return CASES(rows, walks) + cmocka_run_group_tests(tests, NULL, NULL);
}
