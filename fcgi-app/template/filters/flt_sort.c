/*
 * sort, unique, min, max, groupby, dictsort: order and equality of items.
 */
#include "template/filters/flt.h"

/* Keys of several attributes, compared one after the other: sort(attribute='a,b'). */
struct multi_path {
    struct attr_path *paths;
    size_t n;
};

static int multi_init(struct call *c, struct multi_path *m, struct val attribute, bool fold)
{
    struct str s = val_text(attribute);
    size_t commas = 0;

    for (size_t i = 0; i < s.len; i++)
        commas += s.p[i] == ',';
    m->paths = ARENA_ARRAY(c->a, struct attr_path, commas + 1);
    for (m->n = 0; m->n <= commas; m->n++) {
        struct val part = attribute.type == VAL_STR ? val_str(str_cut(&s, ',')) : attribute;

        if (attr_path_init(c, &m->paths[m->n], part, val_undef(NULL), fold) != 0)
            return -1;
    }
    return 0;
}

static int multi_get(struct call *c, const struct multi_path *m, struct val item, struct val *key)
{
    struct val list;

    if (m->n == 1)
        return attr_path_get(c, &m->paths[0], item, key);
    list = val_list_new(c->a, m->n);
    for (size_t i = 0; i < m->n; i++) {
        struct val part;

        if (attr_path_get(c, &m->paths[i], item, &part) != 0)
            return -1;
        val_list_add(list, part);
    }
    *key = list;
    return 0;
}

/* Jinja2 sorts by lists of keys, in which two undefined ones are equal; alone they have no order.
 */
static void wrap_keys(struct call *c, struct sort_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct val list = val_list_new(c->a, 1);

        val_list_add(list, items[i].key);
        items[i].key = list;
    }
}

int flt_sort(struct call *c, struct val *out)
{
    struct val arg[3] = {val_bool(false), val_bool(false), val_null()};
    struct multi_path path;
    const struct val *items;
    struct sort_item *sorted;
    struct val list;
    bool undefined = false;
    int64_t reverse;
    size_t n;

    if (call_bind(c, "reverse=,case_sensitive=,attribute=", arg) != 0 ||
        lib_int(c, arg[0], &reverse) != 0 ||
        multi_init(c, &path, arg[2], !val_truth(arg[1])) != 0 ||
        lib_items(c, c->self, &items, &n) != 0)
        return -1;
    sorted = arena_alloc(c->a, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        sorted[i].item = items[i];
        if (multi_get(c, &path, items[i], &sorted[i].key) != 0)
            return -1;
        undefined = undefined || val_is_undef(sorted[i].key);
    }
    if (undefined)
        wrap_keys(c, sorted, n);
    if (lib_sort(c, sorted, n, reverse != 0) != 0)
        return -1;
    list = val_list_new(c->a, n);
    for (size_t i = 0; i < n; i++)
        val_list_add(list, sorted[i].item);
    *out = list;
    return 0;
}

/* Case counts in the platform's environment (workflow-engine.md 6.3), not in plain Jinja2. */
int flt_unique(struct call *c, struct val *out)
{
    struct val arg[2] = {val_bool(lib_platform(c)), val_null()};
    struct attr_path path;
    struct seen seen;
    struct val list;
    struct iter it;
    struct val item;
    struct val key;
    int rc;

    if (call_bind(c, "case_sensitive=,attribute=", arg) != 0 ||
        attr_path_init(c, &path, arg[1], val_undef(NULL), !val_truth(arg[0])) != 0 ||
        iter_init(c, c->self, &it) != 0)
        return -1;
    seen_init(c, &seen);
    list = val_list_new(c->a, 0);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (attr_path_get(c, &path, item, &key) != 0 || lib_look(c, key) != 0)
            return -1;
        if (!lib_platform(c) && !val_hashable(key))
            return call_raise(c, TMPL_EXC_TYPE, "unhashable type: '%s'", val_type_name(key));
        if (seen_add(&seen, key))
            val_list_add(list, item);
    }
    *out = lib_platform(c) ? list : gen_new(c->a, list);
    return rc;
}

/* The first item whose key no other one beats. */
static int extreme(struct call *c, bool largest, struct val *out)
{
    struct val arg[2] = {val_bool(false), val_null()};
    struct attr_path path;
    struct val best = vm_undef_because("No aggregated item, sequence was empty.");
    struct val best_key = val_null();
    struct iter it;
    struct val item;
    struct val key;
    bool first = true;
    int rc;

    if (call_bind(c, "case_sensitive=,attribute=", arg) != 0 ||
        attr_path_init(c, &path, arg[1], val_undef(NULL), !val_truth(arg[0])) != 0 ||
        iter_init(c, c->self, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        bool better = first;

        if (attr_path_get(c, &path, item, &key) != 0 ||
            (!first && (largest ? op_less(c, best_key, key, &better)
                                : op_less(c, key, best_key, &better)) != 0))
            return -1;
        if (better) {
            best = item;
            best_key = key;
        }
        first = false;
    }
    *out = best;
    return rc;
}

int flt_min(struct call *c, struct val *out)
{
    return extreme(c, false, out);
}

int flt_max(struct call *c, struct val *out)
{
    return extreme(c, true, out);
}

/* ---- groupby ------------------------------------------------------------------------------ */

/* A pair with names: prints and unpacks as a tuple. */
struct group {
    struct val_obj obj;
    struct val pair; /* tuple (grouper, list) */
    size_t i;        /* of an iteration */
};

static const struct group *group_of(const struct val_obj *o)
{
    return (const struct group *)(const void *)o;
}

static void group_str(const struct val_obj *o, struct buf *out)
{
    val_to_repr(group_of(o)->pair, out);
}

static bool group_eq(const struct val_obj *o, struct val other)
{
    if (other.type == VAL_OBJ && other.u.obj->cls == o->cls)
        other = group_of(other.u.obj)->pair;
    return val_eq(group_of(o)->pair, other);
}

static struct val group_json(const struct val_obj *o, struct arena *a)
{
    (void)a;
    return group_of(o)->pair;
}

static struct val group_copy(const struct val_obj *o, struct arena *a)
{
    return val_copy(group_of(o)->pair, a);
}

static struct val group_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    (void)a;
    if (str_eq_c(name, "grouper"))
        return val_at(group_of(o)->pair, 0);
    if (str_eq_c(name, "list"))
        return val_at(group_of(o)->pair, 1);
    return val_undef(NULL);
}

static struct val group_getitem(struct val_obj *o, struct val key, struct arena *a)
{
    (void)a;
    if (key.type != VAL_INT || key.u.i < -2 || key.u.i > 1)
        return val_undef(NULL);
    return val_at(group_of(o)->pair, (size_t)(key.u.i & 1));
}

static int group_next(struct val_obj *o, struct call *c, struct val *out)
{
    struct group *g = (struct group *)(void *)o;

    (void)c;
    if (g->i >= 2)
        return 0;
    *out = val_at(g->pair, g->i++);
    return 1;
}

static struct val_obj *group_iter(struct val_obj *o, struct arena *a)
{
    struct group *g = arena_dup(a, group_of(o), sizeof(struct group));

    g->i = 0;
    return &g->obj;
}

static int64_t group_len(struct val_obj *o)
{
    (void)o;
    return 2;
}

static bool group_contains(struct val_obj *o, struct val v)
{
    return val_eq(val_at(group_of(o)->pair, 0), v) || val_eq(val_at(group_of(o)->pair, 1), v);
}

static const struct tmpl_class group_class = {
    .base = {.name = "_GroupTuple",
             .str = group_str,
             .eq = group_eq,
             .json = group_json,
             .copy = group_copy},
    .getattr = group_getattr,
    .getitem = group_getitem,
    .next = group_next,
    .reiterable = true,
    .iter = group_iter,
    .len = group_len,
    .contains = group_contains,
};

static struct val group_new(struct call *c, struct val grouper, struct val list)
{
    struct group *g = ARENA_NEW(c->a, struct group);

    g->obj.cls = &group_class.base;
    g->pair = val_tuple_new(c->a, 2);
    val_list_add(g->pair, grouper);
    val_list_add(g->pair, list);
    return val_obj(&g->obj);
}

int flt_groupby(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_null(), val_bool(false)};
    struct attr_path path;
    const struct val *items;
    struct sort_item *sorted;
    struct val groups;
    size_t n;
    struct val list = val_null();

    if (call_bind(c, "attribute,default=,case_sensitive=", arg) != 0 ||
        attr_path_init(c, &path, arg[0], val_is(arg[1], VAL_NULL) ? val_undef(NULL) : arg[1],
                       !val_truth(arg[2])) != 0 ||
        lib_items(c, c->self, &items, &n) != 0)
        return -1;
    sorted = arena_alloc(c->a, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        sorted[i].item = items[i];
        if (attr_path_get(c, &path, items[i], &sorted[i].key) != 0)
            return -1;
    }
    if (lib_sort(c, sorted, n, false) != 0)
        return -1;
    groups = val_list_new(c->a, 0);
    path.fold = false;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !val_eq(sorted[i].key, sorted[i - 1].key)) {
            struct val grouper;

            if (attr_path_get(c, &path, sorted[i].item, &grouper) != 0)
                return -1;
            list = val_list_new(c->a, 0);
            val_list_add(groups, group_new(c, grouper, list));
        }
        val_list_add(list, sorted[i].item);
    }
    *out = groups;
    return 0;
}

int flt_dictsort(struct call *c, struct val *out)
{
    struct val arg[3] = {val_bool(false), VAL_STR_LIT("key"), val_bool(false)};
    struct attr_path path;
    struct sort_item *sorted;
    struct val list;
    size_t n;
    bool by_value;

    if (call_bind(c, "case_sensitive=,by=,reverse=", arg) != 0)
        return -1;
    by_value = str_eq_c(val_text(arg[1]), "value");
    if (!by_value && !str_eq_c(val_text(arg[1]), "key"))
        return call_raise(c, TMPL_EXC_FILTER, "You can only sort by either \"key\" or \"value\"");
    if (!val_is(c->self, VAL_DICT))
        return call_raise(c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute 'items'",
                          val_type_name(c->self));
    if (attr_path_init(c, &path, val_null(), val_undef(NULL), !val_truth(arg[0])) != 0)
        return -1;
    n = val_count(c->self);
    sorted = arena_alloc(c->a, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        struct val key;
        struct val value;

        if (!val_pair_at(c->self, i, &key, &value))
            break;
        sorted[i].item = val_tuple_new(c->a, 2);
        val_list_add(sorted[i].item, key);
        val_list_add(sorted[i].item, value);
        if (attr_path_get(c, &path, by_value ? value : key, &sorted[i].key) != 0)
            return -1;
    }
    if (lib_sort(c, sorted, n, val_truth(arg[2])) != 0)
        return -1;
    list = val_list_new(c->a, n);
    for (size_t i = 0; i < n; i++)
        val_list_add(list, sorted[i].item);
    *out = list;
    return 0;
}
