/*
 * Loops, and the variable `loop`.
 *
 * A loop is an object only for those who look: its attributes are read straight from it, and it is
 * used again for the next loop unless a template kept it. Rule: Jinja2's LoopContext.
 */
#include "template/vm_int.h"

static const struct tmpl_class loop_class;

static struct loop *loop_of(const struct val_obj *o)
{
    return (struct loop *)(uintptr_t)(const void *)o;
}

static struct loop *loop_new(struct vm *vm)
{
    struct loop *l = vm->free_loops;

    if (l != NULL)
        vm->free_loops = l->free_next;
    else
        l = arena_alloc(vm->a, sizeof(*l));
    memset(l, 0, sizeof(*l));
    l->obj.cls = &loop_class.base;
    l->vm = vm;
    return l;
}

void loop_end(struct vm *vm, struct loop *l)
{
    if (l->free_next == l) { /* kept: may be looked at later */
        l->at_end = true;
        return;
    }
    l->at_end = true;
    l->free_next = vm->free_loops;
    vm->free_loops = l;
}

int loop_begin(struct vm *vm, struct frame *f, uint16_t slot, struct val iterable, unsigned flags)
{
    struct loop *l = loop_new(vm);

    l->index0 = -1;
    l->length = -1;
    l->source = iterable;
    l->changed = undef_make(UNDEF_MISSING, NULL);
    l->extended = flags != LOOP_PLAIN;
    if ((flags & LOOP_RECURSIVE) != 0) {
        l->recurse = f->code;
        l->recurse_frame = f->outer;
        l->depth0 = f->depth0;
    }
    if ((flags & LOOP_KEPT) != 0)
        l->free_next = l;
    f->slots[slot] = val_obj(&l->obj);
    if (iterable.type == VAL_LIST || iterable.type == VAL_TUPLE) {
        l->list = val_open(iterable).u.list;
        return 0;
    }
    return iter_init(&vm->call, iterable, &l->it);
}

/* The next item of what is iterated, whatever was peeked. */
static int fetch(struct loop *l, struct val *out)
{
    if (LIKELY(l->list != NULL)) {
        if (l->it.i >= l->list->n)
            return 0;
        *out = l->list->items[l->it.i++];
        return 1;
    }
    return iter_next(&l->vm->call, &l->it, out);
}

int loop_next(struct vm *vm, struct loop *l, struct val *out)
{
    int rc = 1;

    (void)vm;
    if (UNLIKELY(l->has_after)) {
        *out = l->after;
        l->has_after = false;
    } else if ((rc = fetch(l, out)) != 1) {
        return rc;
    }
    l->index0++;
    if (l->extended) {
        l->before = l->current;
        l->current = *out;
    }
    return rc;
}

static int peek(struct loop *l)
{
    int rc;

    if (l->has_after)
        return 1;
    rc = fetch(l, &l->after);
    l->has_after = rc == 1;
    return rc;
}

static int length(struct loop *l, int64_t *out)
{
    struct val rest;

    if (l->length < 0)
        l->length = val_len(l->source);
    if (l->length < 0) { /* a generator: read to its end */
        struct val item;
        int rc;

        rest = val_list_new(l->vm->a, 8);
        while ((rc = fetch(l, &item)) == 1)
            val_list_add(rest, item);
        if (rc < 0)
            return -1;
        l->list = rest.u.list;
        l->it.i = 0;
        l->length = (int64_t)l->list->n + l->index0 + 1 + (l->has_after ? 1 : 0);
    }
    *out = l->length;
    return 0;
}

int loop_attr(struct vm *vm, struct loop *l, enum loop_attr attr, struct val *out)
{
    int64_t n = 0;
    int rc;

    switch (attr) {
    case LOOP_INDEX:
        *out = val_int(l->index0 + 1);
        return 0;
    case LOOP_INDEX0:
        *out = val_int(l->index0);
        return 0;
    case LOOP_FIRST:
        *out = val_bool(l->index0 == 0);
        return 0;
    case LOOP_DEPTH:
        *out = val_int(l->depth0 + 1);
        return 0;
    case LOOP_DEPTH0:
        *out = val_int(l->depth0);
        return 0;
    case LOOP_LENGTH:
    case LOOP_REVINDEX:
    case LOOP_REVINDEX0:
        if (length(l, &n) != 0)
            return -1;
        *out = val_int(attr == LOOP_LENGTH     ? n
                       : attr == LOOP_REVINDEX ? n - l->index0
                                               : n - l->index0 - 1);
        return 0;
    case LOOP_PREVITEM:
        *out = l->index0 == 0 ? undef_make(UNDEF_MESSAGE, "there is no previous item") : l->before;
        return 0;
    default:
        rc = peek(l);
        if (rc < 0)
            return -1;
        if (attr == LOOP_LAST)
            *out = val_bool(rc == 0);
        else
            *out = rc == 1 ? l->after : undef_make(UNDEF_MESSAGE, "there is no next item");
        (void)vm;
        return 0;
    }
}

/* ---- the object ------------------------------------------------------------------------------ */

static int loop_cycle(struct call *c, struct val *out)
{
    const struct loop *l = loop_of(c->self.u.obj);

    if (c->n_pos == 0)
        return call_raise(c, TMPL_EXC_TYPE, "no items for cycling given");
    *out = c->pos[(size_t)l->index0 % c->n_pos];
    return 0;
}

static int loop_changed(struct call *c, struct val *out)
{
    struct loop *l = loop_of(c->self.u.obj);
    struct val now = val_tuple_new(c->a, c->n_pos);
    size_t i;

    for (i = 0; i < c->n_pos; i++)
        val_list_add(now, c->pos[i]);
    for (i = 0; l->changed.type != VAL_UNDEF && i < c->n_pos;
         i++) { /* as far as they are compared */
        struct val before = val_at(l->changed, i);

        if ((before.type == VAL_UNDEF && i < val_count(l->changed) && undef_look(c, before) != 0) ||
            (c->pos[i].type == VAL_UNDEF && undef_look(c, c->pos[i]) != 0))
            return -1;
        if (!val_eq(before, c->pos[i]))
            break;
    }
    *out = val_bool(l->changed.type == VAL_UNDEF || !val_eq(l->changed, now));
    if (out->u.b)
        l->changed = now;
    return 0;
}

static struct val loop_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    static const struct {
        const char *name;
        enum loop_attr attr;
    } attrs[] = {
        {"index", LOOP_INDEX},         {"index0", LOOP_INDEX0},     {"revindex", LOOP_REVINDEX},
        {"revindex0", LOOP_REVINDEX0}, {"first", LOOP_FIRST},       {"last", LOOP_LAST},
        {"length", LOOP_LENGTH},       {"depth", LOOP_DEPTH},       {"depth0", LOOP_DEPTH0},
        {"previtem", LOOP_PREVITEM},   {"nextitem", LOOP_NEXTITEM},
    };
    struct loop *l = loop_of(o);
    struct val v = val_undef(NULL);
    size_t i;

    for (i = 0; i < COUNT_OF(attrs); i++) {
        if (str_eq_c(name, attrs[i].name))
            return loop_attr(l->vm, l, attrs[i].attr, &v) == 0 ? v : val_undef(NULL);
    }
    if (str_eq_c(name, "cycle"))
        return bound_new(a, val_obj(o), loop_cycle, "cycle");
    if (str_eq_c(name, "changed"))
        return bound_new(a, val_obj(o), loop_changed, "changed");
    return v;
}

static int loop_call(struct val_obj *o, struct call *c, struct val *out)
{
    struct loop *l = loop_of(o);
    int rc;

    if (l->recurse == NULL)
        return call_raise(c, TMPL_EXC_TYPE,
                          "The loop must have the 'recursive' marker to be called recursively.");
    if (c->n_pos != 1 || c->n_kw != 0)
        return call_raise(c, TMPL_EXC_TYPE,
                          "LoopContext.__call__() takes 2 positional arguments but %zu were given",
                          c->n_pos + 1);
    vm_capture(c->vm);
    rc = vm_run_code(c->vm, l->recurse, l->recurse_frame->ctx, l->recurse_frame, c->pos, 1,
                     l->depth0 + 1);
    if (rc != 0) {
        vm_drop_capture(c->vm);
        return -1;
    }
    *out = vm_end_capture(c->vm, vm_autoescape(c->vm));
    return 0;
}

static void loop_str(const struct val_obj *o, struct buf *out)
{
    struct loop *l = loop_of(o);
    int64_t n = 0;

    if (length(l, &n) == 0)
        buf_addf(out, "<LoopContext %lld/%lld>", (long long)l->index0 + 1, (long long)n);
}

static int64_t loop_len(struct val_obj *o)
{
    int64_t n = 0;

    return length(loop_of(o), &n) == 0 ? n : 0;
}

static int loop_iterate(struct val_obj *o, struct call *c, struct val *out)
{
    struct loop *l = loop_of(o);
    struct val pair = val_tuple_new(c->a, 2);
    struct val item;
    int rc = loop_next(c->vm, l, &item);

    if (rc == 1) {
        val_list_add(pair, item);
        val_list_add(pair, val_obj(o));
        *out = pair;
    }
    return rc;
}

static const struct tmpl_class loop_class = {
    .base = {.name = "LoopContext", .str = loop_str},
    .getattr = loop_getattr,
    .call = loop_call,
    .next = loop_iterate,
    .len = loop_len,
};
