/*
 * intersect, difference, union: lists as sets, in order of first appearance.
 *
 * Values of any kind, objects compared by what they hold; none stands for an empty list.
 */
#include "template/filters/flt.h"

static int other_items(struct call *c, struct val v, const struct val **items, size_t *n)
{
    if (val_is_none(v)) {
        *items = NULL;
        *n = 0;
        return 0;
    }
    return lib_items(c, v, items, n);
}

static void add_all(struct seen *seen, const struct val *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seen_add(seen, items[i]);
}

/* Items of the left list that stand (`inside`) or do not stand in the right one. */
static int pick(struct call *c, bool inside, struct val *out)
{
    struct val arg = val_null();
    const struct val *left;
    const struct val *right;
    size_t n_left;
    size_t n_right;
    struct seen other;
    struct seen done;
    struct val list;

    if (call_bind(c, "other", &arg) != 0 || other_items(c, c->self, &left, &n_left) != 0 ||
        other_items(c, arg, &right, &n_right) != 0)
        return -1;
    seen_init(c, &other);
    seen_init(c, &done);
    add_all(&other, right, n_right);
    list = val_list_new(c->a, 0);
    for (size_t i = 0; i < n_left; i++) {
        if (seen_has(&other, left[i]) == inside && seen_add(&done, left[i]))
            val_list_add(list, left[i]);
    }
    *out = list;
    return 0;
}

int flt_intersect(struct call *c, struct val *out)
{
    return pick(c, true, out);
}

int flt_difference(struct call *c, struct val *out)
{
    return pick(c, false, out);
}

int flt_union(struct call *c, struct val *out)
{
    struct val arg = val_null();
    const struct val *items[2];
    size_t n[2];
    struct seen done;
    struct val list;

    if (call_bind(c, "other", &arg) != 0 || other_items(c, c->self, &items[0], &n[0]) != 0 ||
        other_items(c, arg, &items[1], &n[1]) != 0)
        return -1;
    seen_init(c, &done);
    list = val_list_new(c->a, n[0] + n[1]);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < n[k]; i++) {
            if (seen_add(&done, items[k][i]))
                val_list_add(list, items[k][i]);
        }
    }
    *out = list;
    return 0;
}
