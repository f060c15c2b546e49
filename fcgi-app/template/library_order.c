/*
 * Order and equality of values in the library: sorting by keys, and sets of anything.
 */
#include "template/library_int.h"

/* ---- sorting ------------------------------------------------------------------------------ */

static int less(struct call *c, struct val x, struct val y);

/* Lists go by the first items that differ. */
static int less_list(struct call *c, struct val x, struct val y)
{
    size_t n = val_count(x) < val_count(y) ? val_count(x) : val_count(y);

    for (size_t i = 0; i < n; i++) {
        if (lib_look(c, val_at(x, i)) != 0 || lib_look(c, val_at(y, i)) != 0)
            return -1;
        if (!val_eq(val_at(x, i), val_at(y, i)))
            return less(c, val_at(x, i), val_at(y, i));
    }
    return val_count(x) < val_count(y);
}

/* 1 when x < y, 0 when not, -1 raised */
static int less(struct call *c, struct val x, struct val y)
{
    int order;
    bool below;

    if (x.type == VAL_LIST && y.type == VAL_LIST) /* an undefined item may have to raise */
        return less_list(c, x, y);
    if (LIKELY(val_cmp(x, y, &order) == 0) && x.type != VAL_UNDEF && y.type != VAL_UNDEF)
        return order < 0;
    if (op_less(c, x, y, &below) != 0)
        return -1;
    return below;
}

/* Merge two sorted runs; an item of the right one goes first only when it is strictly smaller. */
static int merge(struct call *c, const struct sort_item *from, struct sort_item *to, size_t mid,
                 size_t n, bool reverse)
{
    size_t i = 0;
    size_t j = mid;

    for (size_t k = 0; k < n; k++) {
        int right = 0;

        if (i < mid && j < n) {
            right = reverse ? less(c, from[i].key, from[j].key) : less(c, from[j].key, from[i].key);
            if (right < 0)
                return -1;
        }
        to[k] = j < n && (i >= mid || right > 0) ? from[j++] : from[i++];
    }
    return 0;
}

int lib_sort(struct call *c, struct sort_item *items, size_t n, bool reverse)
{
    struct sort_item *spare = n > 1 ? arena_alloc(c->a, n * sizeof *spare) : NULL;
    struct sort_item *from = items;
    struct sort_item *to = spare;

    if (vm_spend(c, (int64_t)n) != 0)
        return -1;
    for (size_t width = 1; width < n; width *= 2) {
        struct sort_item *swap = from;

        for (size_t i = 0; i < n; i += 2 * width) {
            size_t mid = n - i < width ? n - i : width;
            size_t len = n - i < 2 * width ? n - i : 2 * width;

            if (merge(c, from + i, to + i, mid, len, reverse) != 0)
                return -1;
        }
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
    return 0;
}

/* ---- sets of values ------------------------------------------------------------------------ */

void seen_init(struct call *c, struct seen *s)
{
    s->dict = val_dict_new(c->a, 0);
    s->rest = val_dict_new(c->a, 0);
    s->a = c->a;
}

enum { HASH_DEPTH = 64 }; /* deeper values share a hash, which costs time only */

/* Equal values hash equally, lists and dictionaries by what they hold. */
static uint64_t deep_hash(struct val v, int depth)
{
    uint64_t h = 14695981039346656037u;
    struct val key;
    struct val value;

    if (depth > HASH_DEPTH)
        return h;
    if (v.type == VAL_LIST || v.type == VAL_TUPLE) {
        for (size_t i = 0; i < val_count(v); i++)
            h = (h ^ deep_hash(val_at(v, i), depth + 1)) * 1099511628211u;
        return h;
    }
    if (v.type == VAL_DICT) { /* the order of its members does not count */
        for (size_t i = 0; val_pair_at(v, i, &key, &value); i++)
            h += (deep_hash(key, depth + 1) ^ (deep_hash(value, depth + 1) << 1)) * 1099511628211u;
        return h;
    }
    return val_hashable(v) ? val_hash(v) : h;
}

static struct val rest_key(struct val v)
{
    return val_int((int64_t)(deep_hash(v, 0) >> 1));
}

bool seen_has(const struct seen *s, struct val v)
{
    struct val list;

    if (val_hashable(v))
        return !val_is_undef(val_get_val(s->dict, v));
    list = val_get_val(s->rest, rest_key(v));
    for (size_t i = 0; i < val_count(list); i++) {
        if (val_eq(val_at(list, i), v))
            return true;
    }
    return false;
}

bool seen_add(struct seen *s, struct val v)
{
    struct val list;

    if (seen_has(s, v))
        return false;
    if (val_hashable(v)) {
        val_dict_set(s->dict, v, val_bool(true));
        return true;
    }
    list = val_get_val(s->rest, rest_key(v));
    if (val_is_undef(list)) {
        list = val_list_new(s->a, 1);
        val_dict_set(s->rest, rest_key(v), list);
    }
    val_list_add(list, v);
    return true;
}
