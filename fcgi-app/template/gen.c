/*
 * Generators: what Python returns lazily, made at once here, consumed by the first iteration.
 *
 * Printed as a list, since the text of a Python generator is a memory address.
 */
#include "template/library_int.h"

struct gen {
    struct val_obj obj;
    struct val list;
    size_t i;
};

static void gen_str(const struct val_obj *o, struct buf *out)
{
    const struct gen *g = (const struct gen *)(const void *)o;
    size_t n = val_count(g->list);

    buf_putc(out, '[');
    for (size_t i = g->i; i < n; i++) {
        if (i > g->i)
            buf_add(out, ", ", 2);
        val_to_repr(val_at(g->list, i), out);
    }
    buf_putc(out, ']');
}

static int gen_next(struct val_obj *o, struct call *c, struct val *out)
{
    struct gen *g = (struct gen *)(void *)o;

    (void)c;
    if (g->i >= g->list.u.list->n)
        return 0;
    *out = g->list.u.list->items[g->i++];
    return 1;
}

static bool gen_contains(struct val_obj *o, struct val v)
{
    struct val item;

    while (gen_next(o, NULL, &item) == 1) {
        if (val_eq(item, v))
            return true;
    }
    return false;
}

static struct val gen_copy(const struct val_obj *o, struct arena *a)
{
    const struct gen *g = (const struct gen *)(const void *)o;
    struct val list = val_list_new(a, val_count(g->list));

    for (size_t i = g->i; i < val_count(g->list); i++)
        val_list_add(list, val_copy(val_at(g->list, i), a));
    return list;
}

/* Each is itself only. */
static uint64_t gen_hash(const struct val_obj *o)
{
    return (uint64_t)(uintptr_t)o | 1;
}

static const struct tmpl_class gen_class = {
    .base = {.name = "generator", .str = gen_str, .hash = gen_hash, .copy = gen_copy},
    .next = gen_next,
    .contains = gen_contains,
};

struct val gen_new(struct arena *a, struct val list)
{
    struct gen *g = ARENA_NEW(a, struct gen);

    g->obj.cls = &gen_class.base;
    g->list = list;
    return val_obj(&g->obj);
}
