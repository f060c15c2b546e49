/*
 * Rows of templates with what they print; shared by the tests of the library.
 *
 * A row that wants "! TypeError" wants that exception.  The clock stands at 2021-02-19
 * 21:20:04.389189 UTC, the platform's zone is Europe/Paris.
 */
#ifndef SLUICE_TESTS_UNIT_TEMPLATE_RENDERS_H
#define SLUICE_TESTS_UNIT_TEMPLATE_RENDERS_H

#include "unit/template/render.h"

struct render_row {
    const char *name;
    const char *source;
    const char *want;
    const char *json; /* the context, NULL = {} */
};

static inline int64_t fixed_now(struct clock *c)
{
    return c->fake_us;
}

static inline void renders_in(const struct render_row *r, const struct tmpl_env *env)
{
    struct arena *a = arena_new(0);
    struct clock clock = {fixed_now, fixed_now, 1613769604389189};
    struct tmpl_run run = {.clock = &clock, .random_seed = 7, .timezone = STR("Europe/Paris")};
    const char *got;

    run.vars = context(a, r->json != NULL ? r->json : "{}");
    got = render(a, r->source, env, &run, false);
    if (r->want[0] == '!') { /* the class of the error, not its words */
        print_message("%s\n", got);
        got = arena_strndup(a, got, strcspn(got, ":"));
    }
    assert_string_equal(got, r->want);
    arena_free(a);
}

static inline void renders(const struct render_row *r)
{
    renders_in(r, &tmpl_env_platform);
}

#endif
