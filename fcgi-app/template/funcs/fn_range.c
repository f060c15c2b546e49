/*
 * range: numbers in a row, made as they are asked for.
 */
#include "template/funcs/fn.h"

struct range {
    struct val_obj obj;
    int64_t start;
    int64_t stop;
    int64_t step;
    int64_t i; /* of an iteration */
    int64_t n;
};

static struct range *range_of(const struct val_obj *o)
{
    return (struct range *)(uintptr_t)o;
}

/* Number of items; saturates.  step is not 0. */
static int64_t count(int64_t start, int64_t stop, int64_t step)
{
    uint64_t span;
    uint64_t width;

    if (step > 0 ? start >= stop : start <= stop)
        return 0;
    span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    width = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    span = (span - 1) / width; /* cppcheck-suppress zerodivcond ; step is not 0 */
    return span >= INT64_MAX ? INT64_MAX : (int64_t)span + 1;
}

static void range_str(const struct val_obj *o, struct buf *out)
{
    const struct range *r = range_of(o);

    buf_add_c(out, "range(");
    buf_add_int(out, r->start);
    buf_add_c(out, ", ");
    buf_add_int(out, r->stop);
    if (r->step != 1) {
        buf_add_c(out, ", ");
        buf_add_int(out, r->step);
    }
    buf_putc(out, ')');
}

static bool range_truth(const struct val_obj *o)
{
    return range_of(o)->n > 0;
}

static bool range_eq(const struct val_obj *o, struct val other)
{
    const struct range *x = range_of(o);
    const struct range *y;

    if (other.type != VAL_OBJ || other.u.obj->cls != o->cls)
        return false;
    y = range_of(other.u.obj);
    return x->n == y->n &&
           (x->n == 0 || (x->start == y->start && (x->n == 1 || x->step == y->step)));
}

static uint64_t range_hash(const struct val_obj *o)
{
    const struct range *r = range_of(o);
    uint64_t h = (uint64_t)r->n * UINT64_C(0x9e3779b97f4a7c15);

    if (r->n > 0)
        h ^= (uint64_t)r->start * UINT64_C(0xbf58476d1ce4e5b9);
    if (r->n > 1)
        h ^= (uint64_t)r->step * UINT64_C(0x94d049bb133111eb);
    return h | 1;
}

static int64_t range_len(struct val_obj *o)
{
    return range_of(o)->n;
}

static struct val range_getitem(struct val_obj *o, struct val key, struct arena *a)
{
    const struct range *r = range_of(o);
    int64_t i = key.type == VAL_INT ? key.u.i : key.type == VAL_BOOL ? key.u.b : INT64_MIN;

    (void)a;
    if (i < 0 && i >= -r->n)
        i += r->n;
    return i >= 0 && i < r->n ? val_int(r->start + i * r->step) : val_undef(NULL);
}

static struct val range_slice(struct val_obj *o, int64_t start, int64_t stop, int64_t step,
                              struct arena *a)
{
    struct range *r = arena_dup(a, o, sizeof(struct range));
    int64_t from = r->start;
    int64_t by = r->step;

    r->i = 0;
    r->start = from + start * by;
    r->stop = from + stop * by;
    r->step = by * step;
    r->n = count(r->start, r->stop, r->step);
    return val_obj(&r->obj);
}

static bool range_contains(struct val_obj *o, struct val v)
{
    const struct range *r = range_of(o);
    int64_t x;

    if (v.type == VAL_BOOL)
        v = val_int(v.u.b);
    if (v.type == VAL_FLOAT && v.u.f >= -9e15 && v.u.f <= 9e15 && (double)(int64_t)v.u.f == v.u.f)
        v = val_int((int64_t)v.u.f);
    if (v.type != VAL_INT || r->n == 0)
        return false;
    x = v.u.i;
    if (r->step > 0 ? x < r->start || x >= r->stop : x > r->start || x <= r->stop)
        return false;
    return (x - r->start) % r->step == 0;
}

static int range_next(struct val_obj *o, struct call *c, struct val *out)
{
    struct range *r = range_of(o);

    (void)c;
    if (r->i >= r->n)
        return 0;
    *out = val_int(r->start + r->i++ * r->step);
    return 1;
}

static struct val_obj *range_iter(struct val_obj *o, struct arena *a)
{
    struct range *r = arena_dup(a, o, sizeof(struct range));

    r->i = 0;
    return &r->obj;
}

static const struct tmpl_class range_class = {
    .base = {.name = "range",
             .str = range_str,
             .truth = range_truth,
             .eq = range_eq,
             .hash = range_hash},
    .getitem = range_getitem,
    .next = range_next,
    .reiterable = true,
    .iter = range_iter,
    .len = range_len,
    .slice = range_slice,
    .contains = range_contains,
};

int fn_range(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_null(), val_int(1)};
    struct range *r;
    int64_t n[3] = {0, 0, 1};

    if (c->n_kw > 0)
        return call_raise(c, TMPL_EXC_TYPE, "range() takes no keyword arguments");
    if (c->n_pos == 0)
        return call_raise(c, TMPL_EXC_TYPE, "range expected at least 1 argument, got 0");
    if (c->n_pos > 3)
        return call_raise(c, TMPL_EXC_TYPE, "range expected at most 3 arguments, got %zu",
                          c->n_pos);
    for (size_t i = 0; i < c->n_pos; i++)
        arg[i] = c->pos[i];
    if (c->n_pos == 1) {
        arg[1] = arg[0];
        arg[0] = val_int(0);
    }
    for (size_t i = 0; i < 3; i++) {
        if (lib_int(c, arg[i], &n[i]) != 0)
            return -1;
    }
    if (n[2] == 0)
        return call_raise(c, TMPL_EXC_VALUE, "range() arg 3 must not be zero");
    r = ARENA_NEW(c->a, struct range);
    *r = (struct range){.obj.cls = &range_class.base, .start = n[0], .stop = n[1], .step = n[2]};
    r->n = count(n[0], n[1], n[2]);
    if (r->n > LIMIT_TMPL_RANGE && lib_platform(c))
        return call_raise(c, TMPL_EXC_OVERFLOW,
                          "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                          LIMIT_TMPL_RANGE);
    *out = val_obj(&r->obj);
    return 0;
}
