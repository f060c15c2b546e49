/*
 * Methods of dict, and the views keys(), values() and items() return.
 *
 * A dictionary changes in place; one that belongs to somebody else than this rendering cannot be
 * changed.
 */
#include "template/methods_int.h"

struct view {
    struct val_obj obj;
    struct val dict;
    enum view_kind kind;
    size_t i; /* of an iteration */
};

static struct view *view_of(const struct val_obj *o)
{
    return (struct view *)(uintptr_t)o;
}

static void view_str(const struct val_obj *o, struct buf *out)
{
    static const char *const names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    const struct view *v = view_of(o);
    struct val key;
    struct val value;

    buf_add_c(out, names[v->kind]);
    for (size_t i = 0; val_pair_at(v->dict, i, &key, &value); i++) {
        if (i > 0)
            buf_add(out, ", ", 2);
        if (v->kind == VIEW_ITEMS)
            buf_putc(out, '(');
        if (v->kind != VIEW_VALUES)
            val_to_repr(key, out);
        if (v->kind == VIEW_ITEMS)
            buf_add(out, ", ", 2);
        if (v->kind != VIEW_KEYS)
            val_to_repr(value, out);
        if (v->kind == VIEW_ITEMS)
            buf_putc(out, ')');
    }
    buf_add(out, "])", 2);
}

static bool view_truth(const struct val_obj *o)
{
    return val_count(view_of(o)->dict) > 0;
}

static int64_t view_len(struct val_obj *o)
{
    return (int64_t)val_count(view_of(o)->dict);
}

static struct val pair_of(struct arena *a, struct val key, struct val value)
{
    struct val pair = val_tuple_new(a, 2);

    val_list_add(pair, key);
    val_list_add(pair, value);
    return pair;
}

static int view_next(struct val_obj *o, struct call *c, struct val *out)
{
    struct view *v = view_of(o);
    struct val key;
    struct val value;

    if (!val_pair_at(v->dict, v->i, &key, &value))
        return 0;
    v->i++;
    *out = v->kind == VIEW_KEYS ? key : v->kind == VIEW_VALUES ? value : pair_of(c->a, key, value);
    return 1;
}

static struct val_obj *view_iter(struct val_obj *o, struct arena *a)
{
    struct view *v = arena_dup(a, o, sizeof(struct view));

    v->i = 0;
    return &v->obj;
}

static bool view_contains(struct val_obj *o, struct val item)
{
    const struct view *v = view_of(o);
    struct val key;
    struct val value;

    if (v->kind == VIEW_KEYS)
        return val_hashable(item) && !val_absent(val_get_val(v->dict, item));
    if (v->kind == VIEW_ITEMS)
        return item.type == VAL_TUPLE && val_count(item) == 2 && val_hashable(val_at(item, 0)) &&
               val_eq(val_get_val(v->dict, val_at(item, 0)), val_at(item, 1));
    for (size_t i = 0; val_pair_at(v->dict, i, &key, &value); i++) {
        if (val_eq(value, item))
            return true;
    }
    return false;
}

static bool view_eq(const struct val_obj *o, struct val other)
{
    const struct view *x = view_of(o);
    const struct view *y;

    if (other.type != VAL_OBJ || other.u.obj->cls != o->cls)
        return false;
    y = view_of(other.u.obj);
    if (x == y)
        return true;
    return x->kind == y->kind && x->kind == VIEW_ITEMS && val_eq(x->dict, y->dict);
}

static struct val view_copy(const struct val_obj *o, struct arena *a)
{
    return view_new(a, val_copy(view_of(o)->dict, a), view_of(o)->kind);
}

#define VIEW_CLASS(type_name)                                                                      \
    {                                                                                              \
        .base = {.name = type_name,                                                                \
                 .str = view_str,                                                                  \
                 .truth = view_truth,                                                              \
                 .eq = view_eq,                                                                    \
                 .copy = view_copy},                                                               \
        .next = view_next, .reiterable = true, .iter = view_iter, .len = view_len,                 \
        .contains = view_contains                                                                  \
    }

static const struct tmpl_class view_classes[] = {
    [VIEW_KEYS] = VIEW_CLASS("dict_keys"),
    [VIEW_VALUES] = VIEW_CLASS("dict_values"),
    [VIEW_ITEMS] = VIEW_CLASS("dict_items"),
};

struct val view_new(struct arena *a, struct val dict, enum view_kind kind)
{
    struct view *v = ARENA_NEW(a, struct view);

    v->obj.cls = &view_classes[kind].base;
    v->dict = dict;
    v->kind = kind;
    return val_obj(&v->obj);
}

static int keys_isdisjoint(struct call *c, struct val *out)
{
    struct val other = val_null();
    const struct val *items;
    size_t n;
    bool apart = true;

    if (call_bind(c, "other", &other) != 0 || lib_items(c, other, &items, &n) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        apart = apart && !view_contains(c->self.u.obj, items[i]);
    *out = val_bool(apart);
    return 0;
}

bool view_method(struct val self, struct str name, callable_fn **fn, const char **qualified)
{
    if (self.u.obj->cls != &view_classes[VIEW_KEYS].base &&
        self.u.obj->cls != &view_classes[VIEW_ITEMS].base)
        return false;
    if (!str_eq_c(name, "isdisjoint"))
        return false;
    *fn = keys_isdisjoint;
    *qualified = "dict_keys.isdisjoint";
    return true;
}

/* ---- methods ------------------------------------------------------------------------------ */

static int view_of_dict(struct call *c, enum view_kind kind, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = view_new(c->a, c->self, kind);
    return 0;
}

static int dict_keys(struct call *c, struct val *out)
{
    return view_of_dict(c, VIEW_KEYS, out);
}

static int dict_values(struct call *c, struct val *out)
{
    return view_of_dict(c, VIEW_VALUES, out);
}

static int dict_items(struct call *c, struct val *out)
{
    return view_of_dict(c, VIEW_ITEMS, out);
}

static int need_key(struct call *c, struct val key)
{
    if (lib_look(c, key) != 0)
        return -1;
    if (!val_hashable(key))
        return call_raise(c, TMPL_EXC_TYPE, "unhashable type: '%s'", val_type_name(key));
    return 0;
}

/* Unread JSON is read by the first look inside. */
static void open_dict(struct val dict)
{
    struct val key;
    struct val value;

    (void)val_pair_at(dict, 0, &key, &value);
}

/* Bind the arguments and check that the dictionary may change. */
static int changing(struct call *c, const char *names, struct val *arg)
{
    if (call_bind(c, names, arg) != 0)
        return -1;
    open_dict(c->self);
    return lib_may_change(c, c->self.u.dict->a);
}

static int dict_get(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};

    if (call_bind(c, "key,default=", arg) != 0 || need_key(c, arg[0]) != 0)
        return -1;
    *out = val_get_val(c->self, arg[0]);
    if (val_absent(*out))
        *out = arg[1];
    return 0;
}

static int dict_clear(struct call *c, struct val *out)
{
    struct val key;
    struct val value;

    if (changing(c, "", NULL) != 0)
        return -1;
    while (val_count(c->self) > 0 && val_pair_at(c->self, val_count(c->self) - 1, &key, &value))
        val_dict_del(c->self, key);
    *out = val_null();
    return 0;
}

static int dict_copy(struct call *c, struct val *out)
{
    struct val dict = val_dict_new(c->a, val_count(c->self));
    struct val key;
    struct val value;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    for (size_t i = 0; val_pair_at(c->self, i, &key, &value); i++)
        val_dict_set(dict, key, value);
    *out = dict;
    return 0;
}

static int dict_fromkeys(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    struct val dict;
    struct iter it;
    struct val key;
    int rc;

    if (call_bind(c, "iterable,value=", arg) != 0 || iter_init(c, arg[0], &it) != 0)
        return -1;
    dict = val_dict_new(c->a, 0);
    while ((rc = iter_next(c, &it, &key)) == 1) {
        if (need_key(c, key) != 0)
            return -1;
        val_dict_set(dict, key, arg[1]);
    }
    *out = dict;
    return rc;
}

static int dict_pop(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_undef(NULL)};

    if (changing(c, "key,default=", arg) != 0 || need_key(c, arg[0]) != 0)
        return -1;
    *out = val_get_val(c->self, arg[0]);
    if (!val_absent(*out)) {
        val_dict_del(c->self, arg[0]);
        return 0;
    }
    *out = arg[1];
    if (val_absent(arg[1]))
        return call_raise(c, TMPL_EXC_KEY, "%.*s", STR_ARG(lib_repr(c, arg[0])));
    return 0;
}

static int dict_popitem(struct call *c, struct val *out)
{
    struct val key;
    struct val value;

    if (changing(c, "", NULL) != 0)
        return -1;
    if (val_count(c->self) == 0)
        return call_raise(c, TMPL_EXC_KEY, "'popitem(): dictionary is empty'");
    if (!val_pair_at(c->self, val_count(c->self) - 1, &key, &value))
        return -1;
    *out = pair_of(c->a, key, value);
    val_dict_del(c->self, key);
    return 0;
}

static int dict_setdefault(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};

    if (changing(c, "key,default=", arg) != 0 || need_key(c, arg[0]) != 0)
        return -1;
    *out = val_get_val(c->self, arg[0]);
    if (val_absent(*out)) {
        *out = arg[1];
        val_dict_set(c->self, arg[0], arg[1]);
    }
    return 0;
}

static int dict_update(struct call *c, struct val *out)
{
    struct val more;
    struct val key;
    struct val value;

    open_dict(c->self);
    if (lib_may_change(c, c->self.u.dict->a) != 0 || lib_make_dict(c, &more) != 0)
        return -1;
    for (size_t i = 0; val_pair_at(more, i, &key, &value); i++)
        val_dict_set(c->self, key, value);
    *out = val_null();
    return 0;
}

static const struct method dict_rows[] = {
    {"clear", dict_clear, "dict.clear"},
    {"copy", dict_copy, "dict.copy"},
    {"fromkeys", dict_fromkeys, "dict.fromkeys"},
    {"get", dict_get, "dict.get"},
    {"items", dict_items, "dict.items"},
    {"keys", dict_keys, "dict.keys"},
    {"pop", dict_pop, "dict.pop"},
    {"popitem", dict_popitem, "dict.popitem"},
    {"setdefault", dict_setdefault, "dict.setdefault"},
    {"update", dict_update, "dict.update"},
    {"values", dict_values, "dict.values"},
};
const struct method_table methods_of_dict = {dict_rows, COUNT_OF(dict_rows)};
