/*
 * Choosing a stored template (the table of workflow-engine.md 6.6).
 */
#include "unit/config/box.h"

static const struct row {
    const char *name, *asked, *stored[4], *want;
} rows[] = {
    {"exact", "a.b.c", {"a.*.*", "a.b.*", "a.b.c"}, "a.b.c"},
    {"fewest stars", "a.b.c", {"a.*.*", "a.b.*"}, "a.b.*"},
    {"star in the middle", "a.b.c", {"a.*.*", "a.*.c"}, "a.*.c"},
    {"others do not fit", "a.b.c", {"a.*.*", "a.*.z"}, "a.*.*"},
    {"none", "a.b.c", {"a.x.*", "a.*.z"}, NULL},
    {"tie", "a.b.c", {"a.*.c", "a.b.*"}, "a.b.*"},
    {"number of parts", "a.b", {"a.*.*", "*"}, NULL},
    {"all stars", "a.b", {"*.*"}, "*.*"},
    {"star is a whole part", "a.bc", {"a.b*"}, NULL},
    {"letters count", "a.b", {"A.*"}, NULL},
    {"nothing asked", "", {"*"}, "*"},
};

static void resolves(const struct row *r)
{
    struct cfg_box *b = cfg_box_new();
    struct cfg_template list[4];
    const struct cfg_template *got;
    size_t n = 0;

    for (; n < COUNT_OF(r->stored) && r->stored[n] != NULL; n++) {
        list[n] = (struct cfg_template){.id = (int64_t)n + 1, .key = str_c(r->stored[n])};
        map_set(&b->templates_by_key, list[n].key, &list[n]);
    }
    b->c.templates = list;
    b->c.n_templates = n;
    got = cfg_template(&b->c, str_c(r->asked));
    if (r->want == NULL) {
        assert_null(got);
    } else {
        assert_non_null(got);
        assert_true(str_eq_c(got->key, r->want));
    }
    cfg_put(&b->c);
}

int main(void)
{
    return CASES(rows, resolves);
}
