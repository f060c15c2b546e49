/*
 * Which stored key answers for a name with wildcards.
 *
 * Rule: workflow-engine.md 6.6: the exact key first, then the fewest "*" parts, then the first "*"
 * further right.
 */
#include "template/tmpl.h"

struct rank {
    size_t stars;
    size_t first; /* part of the first star */
};

/* Does `key` match `asked` part by part? */
static bool matches(struct str key, struct str asked, struct rank *r)
{
    size_t part = 0;

    *r = (struct rank){0, 0};
    for (;; part++) {
        bool more_key = str_find_char(key, '.') >= 0;
        bool more_asked = str_find_char(asked, '.') >= 0;
        struct str k = str_cut(&key, '.');
        struct str a = str_cut(&asked, '.');

        if (more_key != more_asked)
            return false;
        if (str_eq(k, STR("*"))) {
            if (r->stars++ == 0)
                r->first = part;
        } else if (!str_eq(k, a)) {
            return false;
        }
        if (!more_key)
            return true;
    }
}

ptrdiff_t tmpl_resolve_key(const struct str *keys, size_t n, struct str asked)
{
    struct rank best = {0, 0};
    ptrdiff_t found = -1;
    size_t i;

    for (i = 0; i < n; i++) {
        struct rank r;

        if (str_eq(keys[i], asked))
            return (ptrdiff_t)i;
        if (!matches(keys[i], asked, &r))
            continue;
        if (found < 0 || r.stars < best.stars || (r.stars == best.stars && r.first > best.first)) {
            best = r;
            found = (ptrdiff_t)i;
        }
    }
    return found;
}
