/*
 * Methods of list and tuple.
 *
 * A list changes in place, as Python's does; one that belongs to somebody else than this rendering
 * cannot be changed.
 */
#include "template/methods_int.h"

static struct val_list *items_of(struct val v)
{
    (void)val_at(v, 0); /* opens unread JSON */
    return v.u.list;
}

static int nothing(struct val *out)
{
    *out = val_null();
    return 0;
}

/* Bind the arguments and check that the list may change. */
static int changing(struct call *c, const char *names, struct val *arg)
{
    return call_bind(c, names, arg) != 0 ? -1 : lib_may_change(c, items_of(c->self)->a);
}

static int list_append(struct call *c, struct val *out)
{
    struct val item = val_null();

    if (changing(c, "object", &item) != 0)
        return -1;
    val_list_add(c->self, item);
    return nothing(out);
}

static int list_clear(struct call *c, struct val *out)
{
    if (changing(c, "", NULL) != 0)
        return -1;
    c->self.u.list->n = 0;
    return nothing(out);
}

static struct val copy_of(struct call *c, struct val v)
{
    const struct val_list *l = items_of(v);
    struct val list = val_list_new(c->a, l->n);

    for (uint32_t i = 0; i < l->n; i++)
        val_list_add(list, l->items[i]);
    return list;
}

static int list_copy(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = copy_of(c, c->self);
    return 0;
}

static int list_count(struct call *c, struct val *out)
{
    struct val item = val_null();
    int64_t n = 0;

    if (call_bind(c, "value", &item) != 0 || lib_look(c, item) != 0)
        return -1;
    for (size_t i = 0; i < val_count(c->self); i++)
        n += val_eq(val_at(c->self, i), item);
    *out = val_int(n);
    return 0;
}

static int list_extend(struct call *c, struct val *out)
{
    struct val other = val_null();
    struct val list;

    if (changing(c, "iterable", &other) != 0 || iter_list(c, other, &list) != 0)
        return -1;
    for (size_t i = 0; i < val_count(list); i++)
        val_list_add(c->self, val_at(list, i));
    return nothing(out);
}

static int list_index(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_null(), val_null()};
    int64_t from;
    int64_t to;

    if (call_bind(c, "value,start=,stop=", arg) != 0 ||
        lib_bounds(c, arg[1], arg[2], (int64_t)val_count(c->self), &from, &to) != 0)
        return -1;
    for (int64_t i = from; i < to; i++) {
        if (val_eq(val_at(c->self, (size_t)i), arg[0])) {
            *out = val_int(i);
            return 0;
        }
    }
    if (c->self.type == VAL_TUPLE)
        return call_raise(c, TMPL_EXC_VALUE, "tuple.index(x): x not in tuple");
    return call_raise(c, TMPL_EXC_VALUE, "%.*s is not in list", STR_ARG(lib_repr(c, arg[0])));
}

static int list_insert(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    struct val_list *l;
    int64_t at;

    if (changing(c, "index,object", arg) != 0 || lib_int(c, arg[0], &at) != 0)
        return -1;
    l = c->self.u.list;
    if (at < 0)
        at = at < -(int64_t)l->n ? 0 : at + l->n;
    if (at > l->n)
        at = l->n;
    val_list_add(c->self, arg[1]);
    memmove(l->items + at + 1, l->items + at, (l->n - 1 - (size_t)at) * sizeof *l->items);
    l->items[at] = arg[1];
    return nothing(out);
}

static void remove_at(struct val_list *l, size_t i)
{
    l->n--;
    memmove(l->items + i, l->items + i + 1, (l->n - i) * sizeof *l->items);
}

static int list_pop(struct call *c, struct val *out)
{
    struct val arg = val_int(-1);
    struct val_list *l;
    int64_t at;

    if (changing(c, "index=", &arg) != 0 || lib_int(c, arg, &at) != 0)
        return -1;
    l = c->self.u.list;
    if (l->n == 0)
        return call_raise(c, TMPL_EXC_INDEX, "pop from empty list");
    if (at < 0)
        at += l->n;
    if (at < 0 || at >= l->n)
        return call_raise(c, TMPL_EXC_INDEX, "pop index out of range");
    *out = l->items[at];
    remove_at(l, (size_t)at);
    return 0;
}

static int list_remove(struct call *c, struct val *out)
{
    struct val item = val_null();

    if (changing(c, "value", &item) != 0)
        return -1;
    for (uint32_t i = 0; i < c->self.u.list->n; i++) {
        if (val_eq(c->self.u.list->items[i], item)) {
            remove_at(c->self.u.list, i);
            return nothing(out);
        }
    }
    return call_raise(c, TMPL_EXC_VALUE, "list.remove(x): x not in list");
}

static int list_reverse(struct call *c, struct val *out)
{
    struct val_list *l;

    if (changing(c, "", NULL) != 0)
        return -1;
    l = c->self.u.list;
    for (uint32_t i = 0; i < l->n / 2; i++) {
        struct val swap = l->items[i];

        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = swap;
    }
    return nothing(out);
}

static int list_sort(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_bool(false)};
    struct sort_item *sorted;
    size_t n;

    if (changing(c, "key=,reverse=", arg) != 0)
        return -1;
    n = c->self.u.list->n;
    sorted = arena_alloc(c->a, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        sorted[i].item = sorted[i].key = val_at(c->self, i);
        if (!val_is(arg[0], VAL_NULL) &&
            lib_apply(c, arg[0], &sorted[i].item, 1, &sorted[i].key) != 0)
            return -1;
    }
    if (lib_sort(c, sorted, n, val_truth(arg[1])) != 0)
        return -1;
    for (size_t i = 0; i < n && i < c->self.u.list->n; i++)
        c->self.u.list->items[i] = sorted[i].item;
    return nothing(out);
}

static const struct method list_rows[] = {
    {"append", list_append, "list.append"}, {"clear", list_clear, "list.clear"},
    {"copy", list_copy, "list.copy"},       {"count", list_count, "list.count"},
    {"extend", list_extend, "list.extend"}, {"index", list_index, "list.index"},
    {"insert", list_insert, "list.insert"}, {"pop", list_pop, "list.pop"},
    {"remove", list_remove, "list.remove"}, {"reverse", list_reverse, "list.reverse"},
    {"sort", list_sort, "list.sort"},
};
const struct method_table methods_of_list = {list_rows, COUNT_OF(list_rows)};

static const struct method tuple_rows[] = {
    {"count", list_count, "tuple.count"},
    {"index", list_index, "tuple.index"},
};
const struct method_table methods_of_tuple = {tuple_rows, COUNT_OF(tuple_rows)};
