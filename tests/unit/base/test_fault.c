/*
 * Armed points fail once, at the passage asked for; other builds never do.
 */
#include "support/cases.h"

#include "base/fault.h"
#include "base/str.h"

static void fails_once(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS();
    assert_int_equal(setenv("SLUICE_FAULT", "from.env:2", 1), 0);
    assert_false(FAULT("from.env"));
    assert_true(FAULT("from.env"));
    assert_false(FAULT("from.env"));

    fault_arm("db.query", 3);
    assert_false(FAULT("db.query"));
    assert_false(FAULT("db.other"));
    assert_false(FAULT("db.query"));
    assert_true(FAULT("db.query"));
    assert_false(FAULT("db.query"));

    fault_arm("behind.here", 1);
    assert_false(FAULT_AT("behind", STR("there")));
    assert_true(FAULT_AT("behind", STR("here")));
    assert_false(FAULT_AT("behind", STR("here")));

    fault_arm("db.query", 1);
    fault_arm("db.query", 0);
    assert_false(FAULT("db.query"));
}

static void other_builds_never_do(void **state)
{
    (void)state;
    if (FAULT_POINTS)
        skip();
    assert_int_equal(setenv("SLUICE_FAULT", "db.query:1", 1), 0);
    assert_false(FAULT("db.query"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fails_once), cmocka_unit_test(other_builds_never_do)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
