/*
 * W3C Trace Context: which traceparent is continued, and what a new one is made of.
 */
#include "trace.h"

#include "support/cases.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define ZERO16 "0000000000000000"
#define REQUEST "0123456789abcdef0123456789abcdef"

static const struct row {
    const char *name, *given;
    bool goes_on;
    const char *flags; /* of what goes out */
} rows[] = {
    {"sampled", "00-" ID "-" SPAN "-01", true, "01"},
    {"not sampled", "00-" ID "-" SPAN "-00", true, "00"},
    {"other flags stay", "00-" ID "-" SPAN "-ff", true, "ff"},
    {"later version, longer", "cc-" ID "-" SPAN "-01-what-comes-then", true, "01"},
    {"later version, same length", "cc-" ID "-" SPAN "-01", true, "01"},
    {"none", "", false, "01"},
    {"version 0 may not be longer", "00-" ID "-" SPAN "-01-x", false, "01"},
    {"later version without its dash", "cc-" ID "-" SPAN "-01x", false, "01"},
    {"version ff is none", "ff-" ID "-" SPAN "-01", false, "01"},
    {"version no hex", "zz-" ID "-" SPAN "-01", false, "01"},
    {"capitals", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, "01"},
    {"trace all zero", "00-" ZERO16 ZERO16 "-" SPAN "-01", false, "01"},
    {"span all zero", "00-" ID "-" ZERO16 "-01", false, "01"},
    {"no hex in the trace", "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01", false, "01"},
    {"no hex in the flags", "00-" ID "-" SPAN "-0x", false, "01"},
    {"short", "00-" ID "-" SPAN, false, "01"},
    {"other dashes", "00_" ID "_" SPAN "_01", false, "01"},
    {"a line end", "00-" ID "-" SPAN "\r\n-1", false, "01"},
};

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("0123456789abcdef", s.p[i]) == NULL)
            return false;
    return true;
}

/* Whatever came, what goes out is well formed, under a span of ours. */
static void continues(const struct row *r)
{
    struct trace t;
    struct str out;

    trace_start(&t, str_c(r->given), REQUEST);
    out = str_c(t.parent);
    assert_int_equal(t.continued, r->goes_on);
    assert_int_equal(out.len, 55);
    assert_memory_equal(out.p, "00-", 3);
    assert_true(out.p[35] == '-' && out.p[52] == '-');
    assert_true(is_hex(str_slice(out, 3, 35)) && is_hex(str_slice(out, 36, 52)));
    assert_string_equal(out.p + 53, r->flags);
    assert_true(str_eq(trace_id(&t), r->goes_on ? STR(ID) : STR(REQUEST)));
    assert_false(str_eq(str_slice(out, 36, 52), STR(SPAN)));
    assert_false(str_eq(str_slice(out, 36, 52), STR(ZERO16)));
}

/* A request id that is none makes a trace of chance; spans never repeat. */
static void makes_new_ones(void **state)
{
    static const char *const ids[] = {"", "short", "0123456789ABCDEF0123456789ABCDEF", ZERO16 ZERO16, REQUEST "0"};
    struct trace t, again;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        trace_start(&t, STR(""), ids[i]);
        trace_start(&again, STR(""), ids[i]);
        assert_false(t.continued);
        assert_true(is_hex(trace_id(&t)));
        assert_false(str_eq(trace_id(&t), str_c(ids[i])));
        assert_false(str_eq(trace_id(&t), trace_id(&again)));
    }
    trace_start(&t, STR(""), REQUEST);
    trace_start(&again, STR(""), REQUEST);
    assert_string_not_equal(t.parent, again.parent);
    assert_true(str_eq(trace_id(&t), trace_id(&again)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(makes_new_ones)};

    return CASES(rows, continues) + cmocka_run_group_tests(tests, NULL, NULL);
}
