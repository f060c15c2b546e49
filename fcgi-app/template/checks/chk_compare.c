/*
 * Tests that compare: eq, ne, lt, le, gt, ge, in, sameas, odd, even, divisibleby.
 */
#include "template/checks/chk.h"

static int two(struct call *c, struct val *other)
{
    *other = val_null();
    return call_bind(c, "other", other);
}

static int equal(struct call *c, bool want, struct val *out)
{
    struct val other;

    if (two(c, &other) != 0 || lib_look(c, c->self) != 0 || lib_look(c, other) != 0)
        return -1;
    *out = val_bool(val_eq(c->self, other) == want);
    return 0;
}

int chk_eq(struct call *c, struct val *out)
{
    return equal(c, true, out);
}

int chk_ne(struct call *c, struct val *out)
{
    return equal(c, false, out);
}

/* x < y, or y < x when swapped; `or_equal` for <= and >=. */
static int ordered(struct call *c, bool swapped, bool or_equal, struct val *out)
{
    struct val other;
    struct val x = c->self;
    bool below = false;

    if (two(c, &other) != 0)
        return -1;
    if (swapped) {
        x = other;
        other = c->self;
    }
    if (op_less(c, x, other, &below) != 0)
        return -1;
    *out = val_bool(below || (or_equal && val_eq(x, other)));
    return 0;
}

int chk_lt(struct call *c, struct val *out)
{
    return ordered(c, false, false, out);
}

int chk_le(struct call *c, struct val *out)
{
    return ordered(c, false, true, out);
}

int chk_gt(struct call *c, struct val *out)
{
    return ordered(c, true, false, out);
}

int chk_ge(struct call *c, struct val *out)
{
    return ordered(c, true, true, out);
}

int chk_in(struct call *c, struct val *out)
{
    struct val seq = val_null();
    bool found;

    if (call_bind(c, "seq", &seq) != 0 || op_in(c, c->self, seq, &found) != 0)
        return -1;
    *out = val_bool(found);
    return 0;
}

/* Python's `is`, as far as values here have an identity: small scalars are one object each. */
int chk_sameas(struct call *c, struct val *out)
{
    struct val other;
    struct val x = c->self;
    bool same;

    if (two(c, &other) != 0)
        return -1;
    if (x.type != other.type)
        same = false;
    else if (x.type == VAL_LIST || x.type == VAL_TUPLE || x.type == VAL_DICT || x.type == VAL_OBJ)
        same = x.u.list == other.u.list;
    else if (x.type == VAL_UNDEF)
        same = x.u.undef_name == other.u.undef_name;
    else
        same = val_eq(x, other);
    *out = val_bool(same);
    return 0;
}

static int remainder_is(struct call *c, struct val by, int64_t want, struct val *out)
{
    struct val rest;

    if (c->self.type == VAL_INT && by.type == VAL_INT && by.u.i != 0 && by.u.i != -1)
        rest = val_int((c->self.u.i % by.u.i + by.u.i) % by.u.i);
    else if (op_arith(c, OP_MOD_, c->self, by, &rest) != 0)
        return -1;
    *out = val_bool(val_eq(rest, val_int(want)));
    return 0;
}

int chk_odd(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : remainder_is(c, val_int(2), 1, out);
}

int chk_even(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : remainder_is(c, val_int(2), 0, out);
}

int chk_divisibleby(struct call *c, struct val *out)
{
    struct val num = val_null();

    return call_bind(c, "num", &num) != 0 ? -1 : remainder_is(c, num, 0, out);
}
