/*
 * pongo2's loops with their forloop, and the tags that remember: cycle, ifchanged.
 */
#include "template/library_int.h"
#include "template/pongo2/pg.h"

struct pg_loop {
    struct val_obj obj;
    struct val items; /* items, or keys */
    struct val over;  /* the map whose keys they are, or null */
    int64_t n;
    int64_t i; /* of the current one, -1 before the first */
    struct val parent;
};

/* ---- forloop ----------------------------------------------------------------------------------
 */

static const struct pg_loop *loop_of(const struct val_obj *o)
{
    return (const struct pg_loop *)(const void *)o;
}

static struct val loop_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct pg_loop *l = loop_of(o);

    (void)a;
    if (str_eq_c(name, "Counter"))
        return val_int(l->i + 1);
    if (str_eq_c(name, "Counter0"))
        return val_int(l->i);
    if (str_eq_c(name, "Revcounter"))
        return val_int(l->n - l->i);
    if (str_eq_c(name, "Revcounter0"))
        return val_int(l->n - l->i - 1);
    if (str_eq_c(name, "First"))
        return val_bool(l->i <= 0);
    if (str_eq_c(name, "Last"))
        return val_bool(l->i + 1 == l->n);
    if (str_eq_c(name, "Parentloop"))
        return l->parent;
    return val_null();
}

static void loop_str(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "<forloop %lld of %lld>", (long long)loop_of(o)->i + 1, (long long)loop_of(o)->n);
}

static const struct tmpl_class loop_class = {
    .base = {.name = "forloop", .str = loop_str},
    .getattr = loop_getattr,
};

/* ---- order ------------------------------------------------------------------------------------
 */

static void merge(struct val *to, const struct val *from, size_t mid, size_t n, struct arena *a)
{
    size_t i = 0;
    size_t j = mid;
    size_t k;

    for (k = 0; k < n; k++) {
        bool right = i == mid || (j < n && pg_less(from[j], from[i], a));

        to[k] = right ? from[j++] : from[i++];
    }
}

/* Merge sort from runs of one upwards; the result is in `items`. */
static void sort(struct val *items, size_t n, struct arena *a)
{
    struct val *from = items;
    struct val *to = ARENA_ARRAY(a, struct val, n + 1);
    size_t width;

    for (width = 1; width < n; width *= 2) {
        struct val *done = to;
        size_t at;

        for (at = 0; at < n; at += 2 * width) {
            size_t left = n - at;

            merge(to + at, from + at, width < left ? width : left,
                  2 * width < left ? 2 * width : left, a);
        }
        to = from;
        from = done;
    }
    if (from != items)
        memcpy(items, from, n * sizeof(*items));
}

static void reverse(struct val *items, size_t n)
{
    size_t i;

    for (i = 0; i < n / 2; i++) {
        struct val v = items[i];

        items[i] = items[n - 1 - i];
        items[n - 1 - i] = v;
    }
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static bool iterable(struct val v)
{
    const struct tmpl_class *cls = tmpl_class_of(v);

    return pg_can_slice(v) || v.type == VAL_DICT || (cls != NULL && cls->next != NULL);
}

static struct val enclosing(const struct ctx *ctx)
{
    for (; ctx != NULL; ctx = ctx->up) {
        struct val v = ctx->vars.type == VAL_DICT ? val_get(ctx->vars, "forloop") : val_undef(NULL);

        if (v.type != VAL_UNDEF)
            return v.type == VAL_OBJ && v.u.obj->cls == &loop_class.base ? v : val_null();
        if (ctx->locals.type == VAL_DICT) /* an included template begins here */
            break;
    }
    return val_null();
}

int pg_for(struct vm *vm, struct frame *f, uint16_t slot, struct val over, unsigned flags)
{
    struct pg_loop *l = ARENA_NEW(vm->a, struct pg_loop);

    l->obj.cls = &loop_class.base;
    l->items = val_list_new(vm->a, 0);
    l->over = over.type == VAL_DICT ? over : val_null();
    l->parent = enclosing(f->ctx);
    l->i = -1;
    if (iterable(over) && iter_list(&vm->call, over, &l->items) != 0)
        return -1;
    l->n = (int64_t)val_count(l->items);
    if ((flags & PG_SORTED) != 0) {
        if (vm_spend(&vm->call, l->n * 20) != 0)
            return -1;
        sort(l->items.u.list->items, (size_t)l->n, vm->a);
    }
    if ((flags & PG_REVERSED) != 0 && (over.type != VAL_DICT || (flags & PG_SORTED) != 0))
        reverse(l->items.u.list->items, (size_t)l->n);
    pg_scope(vm, f);
    f->ctx->vars = val_dict_new(vm->a, 4);
    val_dict_set_c(f->ctx->vars, "forloop", val_obj(&l->obj));
    f->slots[slot] = val_obj(&l->obj);
    return 0;
}

static struct pg_loop *loop_at(struct val v)
{
    return (struct pg_loop *)(void *)v.u.obj;
}

bool pg_next_item(struct val loop, struct val *out)
{
    struct pg_loop *l = loop_at(loop);

    if (l->i + 1 >= l->n)
        return false;
    l->i++;
    out[1] = val_at(l->items, (size_t)l->i);
    out[0] = l->over.type == VAL_DICT ? val_get_val(l->over, out[1]) : val_undef(NULL);
    return true;
}

bool pg_loop_was_empty(struct val loop)
{
    return loop_at(loop)->n == 0;
}

/* ---- tags that remember -----------------------------------------------------------------------
 */

struct state {
    int64_t turn;
    struct val last; /* null before the first time */
};

static struct state *state_at(struct vm *vm, const struct insn *at)
{
    struct str key = str_make((const char *)&at, sizeof(at));
    struct state *s = map_find(&vm->tag_states, key);

    if (s == NULL) {
        s = ARENA_NEW(vm->a, struct state);
        s->last = val_null();
        key.p = arena_dup(vm->a, key.p, key.len);
        (void)map_set(&vm->tag_states, key, s);
    }
    return s;
}

bool pg_changed(struct vm *vm, const struct insn *at, const struct val *values, size_t n)
{
    struct state *s = state_at(vm, at);
    bool changed = s->last.type == VAL_NULL;
    struct val now = val_list_new(vm->a, n);
    size_t i;

    for (i = 0; i < n; i++) {
        changed = changed || !pg_equal(val_at(s->last, i), values[i]);
        val_list_add(now, values[i]);
    }
    s->last = now;
    return changed;
}

/* What {% cycle ... as name %} leaves behind: giving it to another cycle moves it on. */
struct cycle {
    struct val_obj obj;
    struct state *state;
    struct val items;
    struct val current;
    bool silent;
};

static void cycle_str(const struct val_obj *o, struct buf *out)
{
    pg_to_text(((const struct cycle *)(const void *)o)->current, out);
}

static const struct tmpl_class cycle_class = {.base = {.name = "cycle", .str = cycle_str}};

static struct val turn(struct state *s, struct val items)
{
    return val_at(items, (size_t)(s->turn++ % (int64_t)val_count(items)));
}

int pg_cycle(struct vm *vm, const struct insn *at, const struct val *items, size_t n, bool silent,
             struct val *out)
{
    struct state *s = state_at(vm, at);
    struct cycle *c = ARENA_NEW(vm->a, struct cycle);
    struct val all = val_list_new(vm->a, n);
    size_t i;

    for (i = 0; i < n; i++)
        val_list_add(all, items[i]);
    c->obj.cls = &cycle_class.base;
    c->state = s;
    c->items = all;
    c->current = turn(s, all);
    c->silent = silent;
    *out = val_undef(NULL); /* a cycle that moves another on is not kept itself */
    if (c->current.type == VAL_OBJ && c->current.u.obj->cls == &cycle_class.base) {
        c = (struct cycle *)(void *)c->current.u.obj;
        c->current = turn(c->state, c->items);
        silent = c->silent;
    } else {
        *out = val_obj(&c->obj);
    }
    if (!silent)
        pg_to_text(c->current, vm->out);
    return 0;
}
