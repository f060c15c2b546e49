/*
 * Finding stored templates by key, with wildcards (workflow-engine.md 6.6).
 */
#include "config/config_int.h"

enum { PARTS_MAX = 64 };

static size_t split(struct str key, struct str parts[PARTS_MAX])
{
    size_t n = 0;

    do {
        if (n == PARTS_MAX)
            return 0;
        parts[n++] = str_cut(&key, '.');
    } while (key.len > 0);
    return n;
}

/* How well a stored key fits: more is better, 0 = not at all.  Fewest stars first, then the one
 * whose first star is further right. */
static unsigned fitness(struct str stored, const struct str asked[PARTS_MAX], size_t n)
{
    struct str parts[PARTS_MAX];
    unsigned stars = 0;
    unsigned first = PARTS_MAX;

    if (split(stored, parts) != n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(parts[i], "*")) {
            if (stars++ == 0)
                first = (unsigned)i;
        } else if (!str_eq(parts[i], asked[i])) {
            return 0;
        }
    }
    return (PARTS_MAX - stars) * (PARTS_MAX + 1) + first + 1;
}

const struct cfg_template *cfg_template(const struct cfg *c, struct str key)
{
    const struct cfg_template *best = map_find(&cfg_box_of(c)->templates_by_key, key);
    struct str asked[PARTS_MAX];
    unsigned best_fit = 0;
    size_t n;

    if (best != NULL)
        return best;
    n = split(key, asked);
    for (size_t i = 0; i < c->n_templates && n > 0; i++) {
        const struct cfg_template *t = &c->templates[i];
        unsigned fit = str_find_char(t->key, '*') < 0 ? 0 : fitness(t->key, asked, n);

        if (fit > best_fit || (fit > 0 && fit == best_fit && best->id == 0)) {
            best = t;
            best_fit = fit;
        }
    }
    return best;
}
