/*
 * Places at a gateway: who gets one, who waits, and in which turn.
 */
#include "fair.h"

#include "support/cases.h"

enum { MAX = 64 };

/* A caller; `order` tells when he was granted a place after waiting. */
struct caller {
    struct fair_ticket t;
    int order;
};

static int granted;

static void on_grant(void *arg)
{
    struct caller *c = arg;

    c->order = ++granted;
}

static enum fair_rc enter(struct fair *f, struct caller *c, int64_t user, int places)
{
    *c = (struct caller){.t = {.granted = on_grant, .arg = c}};
    return fair_enter(f, &c->t, user, places);
}

static void leave_all(struct fair *f, struct caller *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fair_leave(f, &c[i].t);
}

/* ---- who gets in ------------------------------------------------------------------------------------- */

static const struct bound_row {
    const char *name;
    int places, alone, waiting; /* one user alone: places he gets, calls of his that may wait */
} bound_rows[] = {
    {"one place", 1, 1, 1},       {"none is one", 0, 1, 1},     {"four", 4, 4, 1},
    {"seven: no eighth yet", 7, 7, 2}, {"eight: the last eighth", 8, 7, 2}, {"sixteen", 16, 14, 4}, {"forty", 40, 35, 10},
};

static void bounds_one_user(const struct bound_row *r)
{
    struct fair *f = fair_new();
    struct caller c[MAX], other;
    struct fair_stats s;
    int n = 0, w = 0;

    while (enter(f, &c[n], 7, r->places) == FAIR_GRANTED)
        n++;
    assert_int_equal(n, r->alone);
    fair_give_up(f, &c[n].t);
    while (enter(f, &c[n + w], 7, r->places) == FAIR_WAITING)
        w++;
    assert_int_equal(w, r->waiting);
    if (r->alone < r->places) { /* somebody else still finds a place */
        assert_int_equal(enter(f, &other, 8, r->places), FAIR_GRANTED);
        fair_leave(f, &other.t);
    }
    for (int i = 0; i < w; i++)
        assert_true(fair_give_up(f, &c[n + i].t));
    leave_all(f, c, (size_t)n);
    s = fair_stats(f);
    assert_int_equal(s.active + s.waiting + s.users, 0);
    fair_free(f);
}

/* As many wait as there are places, all users together. */
static void bounds_all_users(void **state)
{
    struct fair *f = fair_new();
    struct caller c[MAX];
    struct fair_stats s;

    (void)state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(enter(f, &c[i], 100 + i, 8), FAIR_GRANTED);
    for (int i = 8; i < 16; i++)
        assert_int_equal(enter(f, &c[i], 100 + i, 8), FAIR_WAITING);
    assert_int_equal(enter(f, &c[16], 200, 8), FAIR_FULL);
    s = fair_stats(f);
    assert_int_equal(s.active, 8);
    assert_int_equal(s.waiting, 8);
    assert_int_equal(s.users, 16);
    assert_int_equal(s.waited, 8);
    assert_int_equal(s.refused, 1);
    leave_all(f, c, 16); /* those who waited get theirs meanwhile, and give it back */
    s = fair_stats(f);
    assert_int_equal(s.active + s.waiting + s.users, 0);
    fair_leave(f, &c[16].t); /* holds none */
    fair_free(f);
}

static void tells_whose_fault(void **state)
{
    struct fair *f = fair_new();
    struct caller c[4];

    (void)state;
    assert_int_equal(enter(f, &c[0], 1, 2), FAIR_GRANTED);
    assert_int_equal(enter(f, &c[1], 2, 2), FAIR_GRANTED);
    assert_int_equal(enter(f, &c[2], 1, 2), FAIR_WAITING);
    assert_int_equal(enter(f, &c[3], 1, 2), FAIR_TOO_MANY);
    assert_int_equal(fair_stats(f).refused, 1);
    leave_all(f, c, 3);
    fair_free(f);
}

/* ---- in turn ------------------------------------------------------------------------------------------- */

/* A bulk of one user waits; another's single call is next but one. */
static void takes_turns(void **state)
{
    struct fair *f = fair_new();
    struct caller held[16], bulk[4], single, third;

    (void)state;
    granted = 0;
    for (int i = 0; i < 14; i++)
        assert_int_equal(enter(f, &held[i], 1, 16), FAIR_GRANTED);
    assert_int_equal(enter(f, &held[14], 9, 16), FAIR_GRANTED);
    assert_int_equal(enter(f, &held[15], 9, 16), FAIR_GRANTED);
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(f, &bulk[i], 1, 16), FAIR_WAITING);
    assert_int_equal(enter(f, &single, 2, 16), FAIR_WAITING);
    assert_int_equal(enter(f, &third, 3, 16), FAIR_WAITING);
    for (int i = 0; i < 6; i++)
        fair_leave(f, &held[i].t);
    assert_int_equal(bulk[0].order, 1);
    assert_int_equal(single.order, 2);
    assert_int_equal(third.order, 3);
    assert_int_equal(bulk[1].order, 4); /* each user's in their order */
    assert_int_equal(bulk[2].order, 5);
    assert_int_equal(bulk[3].order, 6);
    leave_all(f, held + 6, 10);
    leave_all(f, bulk, 4);
    fair_leave(f, &single.t);
    fair_leave(f, &third.t);
    assert_int_equal(fair_stats(f).users, 0);
    fair_free(f);
}

/* Who holds his share is passed over, and gets his turn when he gives one back. */
static void passes_over_the_sated(void **state)
{
    struct fair *f = fair_new();
    struct caller held[8], more, other;

    (void)state;
    granted = 0;
    for (int i = 0; i < 7; i++)
        assert_int_equal(enter(f, &held[i], 1, 8), FAIR_GRANTED);
    assert_int_equal(enter(f, &held[7], 2, 8), FAIR_GRANTED);
    assert_int_equal(enter(f, &more, 1, 8), FAIR_WAITING);
    assert_int_equal(enter(f, &other, 3, 8), FAIR_WAITING);
    fair_leave(f, &held[7].t);
    assert_int_equal(other.order, 1);
    assert_int_equal(more.order, 0);
    fair_leave(f, &held[0].t);
    assert_int_equal(more.order, 2);
    leave_all(f, held + 1, 6);
    fair_leave(f, &more.t);
    fair_leave(f, &other.t);
    fair_free(f);
}

static void gives_up(void **state)
{
    struct fair *f = fair_new();
    struct caller held, a, b;

    (void)state;
    granted = 0;
    assert_int_equal(enter(f, &held, 1, 2), FAIR_GRANTED);
    assert_int_equal(enter(f, &a, 2, 1), FAIR_WAITING);
    assert_true(fair_give_up(f, &a.t));
    assert_false(fair_give_up(f, &a.t));
    assert_int_equal(enter(f, &b, 2, 1), FAIR_WAITING);
    fair_leave(f, &held.t);
    assert_int_equal(a.order, 0);
    assert_int_equal(b.order, 1);
    assert_false(fair_give_up(f, &b.t)); /* has it already */
    fair_leave(f, &b.t);
    assert_int_equal(fair_stats(f).active, 0);
    fair_free(f);
}

/* ---- by chance --------------------------------------------------------------------------------------------- */

enum { CALLERS = 48, USERS = 5, PLACES = 16, STEPS = 20000 };

static uint32_t chance(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* Never more than the places, never more of one than his share, nobody forgotten. */
static void holds_its_laws(void **state)
{
    struct fair *f = fair_new();
    struct caller c[CALLERS] = {0};
    bool inside[CALLERS] = {false};
    int users[CALLERS] = {0};
    uint32_t seed = 20261123;

    (void)state;
    granted = 0;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = chance(&seed, CALLERS);
        int active = 0, of_user[USERS] = {0};

        if (!inside[i]) {
            enum fair_rc rc;

            users[i] = (int)chance(&seed, USERS);
            rc = enter(f, &c[i], users[i], PLACES);
            inside[i] = rc == FAIR_GRANTED || rc == FAIR_WAITING;
        } else if (c[i].t.waiting) {
            inside[i] = chance(&seed, 4) != 0 || !fair_give_up(f, &c[i].t);
        } else {
            fair_leave(f, &c[i].t);
            inside[i] = false;
        }
        for (int k = 0; k < CALLERS; k++) {
            if (inside[k] && !c[k].t.waiting) {
                active++;
                of_user[users[k]]++;
            }
        }
        assert_true(active <= PLACES);
        assert_int_equal(fair_stats(f).active, active);
        for (int u = 0; u < USERS; u++)
            assert_true(of_user[u] <= PLACES - PLACES / 8);
    }
    assert_true(granted > 1000);
    for (int left = CALLERS; left > 0;) { /* everybody who waits gets a place as the others leave */
        left = 0;
        for (int i = 0; i < CALLERS; i++) {
            if (inside[i] && !c[i].t.waiting) {
                fair_leave(f, &c[i].t);
                inside[i] = false;
            }
            left += inside[i];
        }
    }
    assert_int_equal(fair_stats(f).users, 0);
    fair_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_all_users),      cmocka_unit_test(tells_whose_fault), cmocka_unit_test(takes_turns),
        cmocka_unit_test(passes_over_the_sated), cmocka_unit_test(gives_up),          cmocka_unit_test(holds_its_laws),
    };

    return CASES(bound_rows, bounds_one_user) + cmocka_run_group_tests(tests, NULL, NULL);
}
