/*
 * Running the keywords that hold schemas, and references.
 *
 * In-place keywords (allOf, if, $ref ...) look at the same value again; what a failed alternative
 * looked at does not count as evaluated.  Rules: JSON Schema 2020-12 core, sections 8.2.3, 10
 * and 11.
 */
#include "format/jsonschema_int.h"

enum { SHOWN_ALTERNATIVES = 3 };

static struct js_path member_of(const struct js_frame *f, struct val key)
{
    return (struct js_path){.up = f->path, .name = val_text(key)};
}

static struct js_path item_of(const struct js_frame *f, size_t i)
{
    return (struct js_path){.up = f->path, .index = i, .is_index = true};
}

/* Adds up results: stops at ERR_LIMIT, and at the first failure when nobody wants to know more. */
static bool over(const struct js_run *r, int rc, int *total)
{
    if (rc < 0)
        *total = -1;
    else if (rc == 0)
        *total = 0;
    return rc < 0 || (rc == 0 && (r->quiet || r->room == 0));
}

/* ---- members ----------------------------------------------------------------------------- */

static int one_member(struct js_run *r, const struct js_members *m, struct val key,
                      struct val value, size_t i, struct js_frame *f)
{
    struct js_path at = member_of(f, key);
    const struct js_schema *schema = map_find(&m->props, at.name);
    bool known = schema != NULL;
    int valid = 1;
    struct regex_match match;

    if (known && over(r, js_validate(r, schema, value, &at, f->scope, NULL), &valid))
        return valid;
    for (size_t k = 0; k < m->n_patterns; k++) {
        int rc = regex_exec(m->patterns[k], at.name, 0, &match, r->e);

        if (rc < 0)
            return -1;
        if (rc == 0)
            continue;
        known = true;
        if (over(r, js_validate(r, m->pattern_schemas[k], value, &at, f->scope, NULL), &valid))
            return valid;
    }
    if (!known && m->rest != NULL) {
        known = true;
        if (over(r, js_validate(r, m->rest, value, &at, f->scope, NULL), &valid))
            return valid;
    }
    if (known)
        js_seen_add(r, f->seen, i);
    return valid;
}

int js_run_members(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct val key;
    struct val value;
    int valid = 1;

    if (!val_is(data, VAL_DICT))
        return 1;
    for (size_t i = 0; val_pair_at(data, i, &key, &value); i++)
        if (val_is(key, VAL_STR) && over(r, one_member(r, c->u.members, key, value, i, f), &valid))
            break;
    return valid;
}

/* The first error of a schema that was tried aside, and how many. */
struct tried {
    struct jsonschema_error *first;
    bool here; /* some error is about the value itself, not about something inside */
};

/* Validate, keeping the errors out of the list. */
static int try_aside(struct js_run *r, const struct js_schema *schema, struct val data,
                     const struct js_path *path, struct js_frame *f, struct js_seen *seen,
                     struct tried *t)
{
    struct js_run outer = *r;
    size_t here;
    int rc;

    r->first = r->last = NULL;
    rc = js_validate(r, schema, data, path, f->scope, seen);
    t->first = r->first;
    t->here = false;
    r->first = outer.first;
    r->last = outer.last;
    r->room = outer.room;
    if (rc != 0 || r->quiet)
        return rc;
    /* an error about something inside has a longer path */
    here = 0;
    for (const struct js_path *p = path; p != NULL; p = p->up)
        here++;
    for (const struct jsonschema_error *x = t->first; x != NULL; x = x->next)
        t->here = t->here || js_error_depth(x) <= here;
    return rc;
}

int js_run_names(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct val key;
    struct val value;
    int valid = 1;

    if (!val_is(data, VAL_DICT))
        return 1;
    for (size_t i = 0; val_pair_at(data, i, &key, &value); i++) {
        struct js_path at = member_of(f, key);
        struct tried t;
        int rc = try_aside(r, c->u.schema, key, &at, f, NULL, &t);

        if (rc == 0 && t.first != NULL)
            (void)js_error_at(r, &at, "is not an allowed name: %.*s", STR_ARG(t.first->message));
        if (over(r, rc, &valid))
            break;
    }
    return valid;
}

int js_run_dependencies(struct js_run *r, const struct js_check *c, struct val data,
                        struct js_frame *f)
{
    int valid = 1;

    if (!val_is(data, VAL_DICT))
        return 1;
    for (size_t i = 0; i < c->u.dependencies.n; i++) {
        const struct js_dependency *d = &c->u.dependencies.list[i];

        if (val_is_undef(val_get_str(data, d->when)))
            continue;
        for (size_t k = 0; k < d->n_required; k++) {
            struct js_path at = {.up = f->path, .name = d->required[k]};

            if (val_is_undef(val_get_str(data, at.name)))
                valid = js_error_at(r, &at, "is required when \"%.*s\" is given", STR_ARG(d->when));
        }
        if (d->schema != NULL &&
            over(r, js_validate(r, d->schema, data, f->path, f->scope, f->seen), &valid))
            break;
    }
    return valid;
}

int js_run_unevaluated_properties(struct js_run *r, const struct js_check *c, struct val data,
                                  struct js_frame *f)
{
    struct val key;
    struct val value;
    int valid = 1;

    if (!val_is(data, VAL_DICT))
        return 1;
    for (size_t i = 0; val_pair_at(data, i, &key, &value); i++) {
        struct js_path at = member_of(f, key);

        if (!js_seen_has(f->seen, i) &&
            over(r, js_validate(r, c->u.schema, value, &at, f->scope, NULL), &valid))
            return valid;
    }
    f->seen->all = true;
    return valid;
}

/* ---- items ------------------------------------------------------------------------------- */

int js_run_items(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    const struct js_items *it = c->u.items;
    size_t n = json_is_array(data) ? val_count(data) : 0;
    int valid = 1;

    for (size_t i = 0; i < n; i++) {
        const struct js_schema *schema = i < it->n_prefix ? it->prefix[i] : it->rest;
        struct js_path at = item_of(f, i);

        if (schema == NULL)
            break;
        if (over(r, js_validate(r, schema, val_at(data, i), &at, f->scope, NULL), &valid))
            break;
        js_seen_add(r, f->seen, i);
    }
    return valid;
}

int js_run_contains(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int64_t fitting = 0;
    int64_t min = c->u.contains.min;
    int64_t max = c->u.contains.max;

    if (!json_is_array(data))
        return 1;
    for (size_t i = 0; i < val_count(data); i++) {
        struct js_path at = item_of(f, i);
        int rc = js_probe(r, c->u.contains.schema, val_at(data, i), &at, f->scope, NULL);

        if (rc < 0)
            return -1;
        fitting += rc;
        if (rc == 1 && c->u.contains.marks)
            js_seen_add(r, f->seen, i);
    }
    if (fitting < min)
        return js_error(r, f, "must have at least %lld item%s of the wanted kind, has %lld",
                        (long long)min, min == 1 ? "" : "s", (long long)fitting);
    if (max >= 0 && fitting > max)
        return js_error(r, f, "must have at most %lld item%s of this kind, has %lld",
                        (long long)max, max == 1 ? "" : "s", (long long)fitting);
    return 1;
}

int js_run_unevaluated_items(struct js_run *r, const struct js_check *c, struct val data,
                             struct js_frame *f)
{
    int valid = 1;

    if (!json_is_array(data))
        return 1;
    for (size_t i = 0; i < val_count(data); i++) {
        struct js_path at = item_of(f, i);

        if (!js_seen_has(f->seen, i) &&
            over(r, js_validate(r, c->u.schema, val_at(data, i), &at, f->scope, NULL), &valid))
            return valid;
    }
    f->seen->all = true;
    return valid;
}

/* ---- in place ---------------------------------------------------------------------------- */

int js_run_all_of(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int valid = 1;

    for (size_t i = 0; i < c->u.all.n; i++)
        if (over(r, js_validate(r, c->u.all.list[i], data, f->path, f->scope, f->seen), &valid))
            break;
    return valid;
}

/* Say why no alternative fits: the errors of the only one whose kind fits, else the first of each.
 */
static int explain(struct js_run *r, const struct tried *tried, size_t n, struct js_frame *f)
{
    const struct tried *near = NULL;
    size_t n_near = 0;
    struct buf b;

    if (r->quiet)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!tried[i].here && tried[i].first != NULL) {
            near = &tried[i];
            n_near++;
        }
    }
    if (n == 1)
        near = &tried[0];
    if (n == 1 || n_near == 1) {
        js_error_take(r, near->first);
        return 0;
    }
    buf_init(&b, 1024, r->a);
    for (size_t i = 0; i < n && i < SHOWN_ALTERNATIVES; i++) {
        const struct jsonschema_error *x = tried[i].first;

        if (x == NULL)
            continue;
        buf_addf(&b, "%s", i == 0 ? ": " : "; or ");
        if (!tried[i].here)
            buf_addf(&b, "%.*s ", STR_ARG(x->path));
        buf_add_str(&b, x->message);
    }
    return js_error(r, f, "fits none of the %zu alternatives%s%s", n, buf_cstr(&b),
                    n > SHOWN_ALTERNATIVES ? "; ..." : "");
}

/* Try every alternative; *fitting and the places of the first two. */
static int alternatives(struct js_run *r, const struct js_check *c, struct val data,
                        struct js_frame *f, bool first_only, struct tried *tried, size_t *fitting,
                        size_t places[2])
{
    *fitting = 0;
    for (size_t i = 0; i < c->u.all.n; i++) {
        struct js_seen seen = {.n = val_count(data)};
        int rc = try_aside(r, c->u.all.list[i], data, f->path, f, f->seen != NULL ? &seen : NULL,
                           &tried[i]);

        if (rc < 0)
            return -1;
        if (rc == 0)
            continue;
        js_seen_merge(r, f->seen, &seen);
        if (*fitting < 2)
            places[*fitting] = i;
        ++*fitting;
        if (first_only ? f->seen == NULL : *fitting > 1)
            break; /* with somebody asking what was evaluated, anyOf looks at them all */
    }
    return 0;
}

int js_run_any_of(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct tried *tried = ARENA_ARRAY(r->a, struct tried, c->u.all.n);
    size_t fitting;
    size_t places[2];

    if (alternatives(r, c, data, f, true, tried, &fitting, places) != 0)
        return -1;
    return fitting > 0 ? 1 : explain(r, tried, c->u.all.n, f);
}

int js_run_one_of(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct tried *tried = ARENA_ARRAY(r->a, struct tried, c->u.all.n);
    size_t fitting;
    size_t places[2];

    if (alternatives(r, c, data, f, false, tried, &fitting, places) != 0)
        return -1;
    if (fitting == 1)
        return 1;
    if (fitting == 0)
        return explain(r, tried, c->u.all.n, f);
    return js_error(r, f, "fits more than one alternative: %zu and %zu", places[0] + 1,
                    places[1] + 1);
}

int js_run_not(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    int rc = js_probe(r, c->u.schema, data, f->path, f->scope, NULL);

    if (rc < 0)
        return -1;
    return rc == 0 ? 1 : js_error(r, f, "is of a kind that is not allowed here");
}

int js_run_branch(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    struct js_seen seen = {.n = val_count(data)};
    int rc = js_probe(r, c->u.branch.test, data, f->path, f->scope, f->seen != NULL ? &seen : NULL);
    const struct js_schema *next = rc == 1 ? c->u.branch.yes : c->u.branch.no;

    if (rc < 0)
        return -1;
    if (rc == 1)
        js_seen_merge(r, f->seen, &seen);
    return next == NULL ? 1 : js_validate(r, next, data, f->path, f->scope, f->seen);
}

/* ---- references -------------------------------------------------------------------------- */

int js_run_ref(struct js_run *r, const struct js_check *c, struct val data, struct js_frame *f)
{
    return js_validate(r, c->u.schema, data, f->path, f->scope, f->seen);
}

/* The outermost resource entered that has the anchor decides. */
int js_run_dynamic_ref(struct js_run *r, const struct js_check *c, struct val data,
                       struct js_frame *f)
{
    const struct js_schema *target = c->u.dynamic.target;

    for (const struct js_scope *s = f->scope; s != NULL; s = s->up) {
        const struct js_schema *found =
            map_find(&s->resource->dynamic_schemas, c->u.dynamic.anchor);

        if (found != NULL)
            target = found;
    }
    return js_validate(r, target, data, f->path, f->scope, f->seen);
}
