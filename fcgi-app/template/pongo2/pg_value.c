/*
 * Values as pongo2 sees them: Go's text forms, conversions and operators.
 *
 * Undefined counts as nil everywhere: filters of the other dialect may return it.
 */
#include <math.h>

#include "base/bigint.h"
#include "base/json.h"
#include "base/utf8.h"
#include "template/datetime.h"
#include "template/library_int.h"
#include "template/pongo2/pg.h"

/* ---- texts ------------------------------------------------------------------------------------
 */

static void float_text(double f, struct buf *out)
{
    if (isnan(f))
        buf_add_c(out, "NaN");
    else if (isinf(f))
        buf_add_c(out, f > 0 ? "+Inf" : "-Inf");
    else
        buf_addf(out, "%f", f);
}

void pg_to_text(struct val v, struct buf *out)
{
    switch (v.type) {
    case VAL_UNDEF:
    case VAL_NULL:
        break;
    case VAL_BOOL:
        buf_add_c(out, v.u.b ? "true" : "false");
        break;
    case VAL_FLOAT:
        float_text(v.u.f, out);
        break;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        json_write(v, JSON_SPACED, 0, out);
        break;
    default:
        val_to_str(v, out);
        break;
    }
}

struct str pg_text(struct val v, struct arena *a)
{
    struct buf b;

    if (v.type == VAL_STR)
        return val_text(v);
    buf_init(&b, LIB_TEXT_MAX, a);
    pg_to_text(v, &b);
    return b.len > 0 ? buf_str(&b) : STR("");
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static bool parse_float(struct str s, double *out)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.p[i] == '_' || (unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
            return false;
    }
    return lib_parse_float(s, out);
}

/* What does not fit becomes the smallest number, as on Go's commonest machines. */
static int64_t truncated(double f)
{
    return float_fits_int(f) ? (int64_t)f : INT64_MIN;
}

double pg_float(struct val v)
{
    double f = 0;

    switch (v.type) {
    case VAL_INT:
        return (double)v.u.i;
    case VAL_BIGINT:
        return bigint_to_double(v.u.big);
    case VAL_FLOAT:
        return v.u.f;
    case VAL_STR:
        return parse_float(val_text(v), &f) ? f : 0;
    default:
        return 0;
    }
}

int64_t pg_int(struct val v)
{
    return v.type == VAL_INT ? v.u.i : truncated(pg_float(v));
}

/* ---- comparing --------------------------------------------------------------------------------
 */

static bool both_times(struct val x, struct val y)
{
    return dt_is(x) && dt_is(y);
}

bool pg_equal(struct val x, struct val y)
{
    if (val_is_none(x) || val_is_none(y))
        return val_is_none(x) && val_is_none(y);
    if (pg_is_int(x) && pg_is_int(y))
        return val_eq(x, y);
    if (both_times(x, y))
        return dt_utc_us(dt_of(x)) == dt_utc_us(dt_of(y));
    return x.type == y.type && val_eq(x, y);
}

bool pg_less(struct val x, struct val y, struct arena *a)
{
    if (x.type == VAL_INT && y.type == VAL_INT)
        return x.u.i < y.u.i;
    if (x.type == VAL_FLOAT && y.type == VAL_FLOAT)
        return x.u.f < y.u.f;
    return str_cmp(pg_text(x, a), pg_text(y, a)) < 0;
}

static bool ordered(enum pg_binary op, int order)
{
    switch (op) {
    case PG_LT:
        return order < 0;
    case PG_LE:
        return order <= 0;
    case PG_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static int order_of(int64_t x, int64_t y)
{
    return (x > y) - (x < y);
}

static bool compare(enum pg_binary op, struct val x, struct val y)
{
    double a = pg_float(x);
    double b = pg_float(y);

    if (x.type == VAL_FLOAT || y.type == VAL_FLOAT || x.type == VAL_BIGINT || y.type == VAL_BIGINT)
        return !isnan(a) && !isnan(b) && ordered(op, (a > b) - (a < b));
    if (both_times(x, y))
        return ordered(op, order_of(dt_utc_us(dt_of(x)), dt_utc_us(dt_of(y))));
    return ordered(op, order_of(pg_int(x), pg_int(y)));
}

static bool contains(struct val in, struct val what, struct arena *a)
{
    size_t i;

    switch (in.type) {
    case VAL_STR:
        return str_find(val_text(in), pg_text(what, a)) >= 0;
    case VAL_DICT:
        return (what.type == VAL_STR || what.type == VAL_INT) &&
               val_get_val(in, what).type != VAL_UNDEF;
    case VAL_LIST:
    case VAL_TUPLE:
        for (i = 0; i < val_count(in); i++) {
            if (pg_equal(what, val_at(in, i)))
                return true;
        }
        return false;
    default:
        return false;
    }
}

/* ---- parts ------------------------------------------------------------------------------------
 */

int64_t pg_len(struct val v)
{
    int64_t n = v.type == VAL_STR ? (int64_t)lib_text_len(v) : val_is_none(v) ? 0 : val_len(v);

    return n > 0 ? n : 0;
}

struct val pg_index(struct val v, int64_t i)
{
    struct str s = val_text(v);
    size_t from;

    if (i < 0 || i >= pg_len(v))
        return val_null();
    if (v.type != VAL_STR)
        return val_at(v, (size_t)i);
    from = utf8_offset(s, (size_t)i);
    s = str_slice(s, from, s.len);
    return lib_str(str_slice(s, 0, utf8_offset(s, 1)), v.flags & VAL_F_ASCII);
}

/* ---- operators --------------------------------------------------------------------------------
 */

static int joined(struct vm *vm, struct val x, struct val y, struct val *out)
{
    struct buf b;

    lib_buf(&vm->call, &b);
    pg_to_text(x, &b);
    pg_to_text(y, &b);
    return lib_finish(&vm->call, &b, 0, out);
}

/* Wraps around as Go does. */
static struct val whole(enum pg_binary op, int64_t x, int64_t y)
{
    uint64_t a = (uint64_t)x;
    uint64_t b = (uint64_t)y;

    switch (op) {
    case PG_ADD:
        return val_int((int64_t)(a + b));
    case PG_SUB:
        return val_int((int64_t)(a - b));
    case PG_MUL:
        return val_int((int64_t)(a * b));
    case PG_DIV:
        return y == -1 ? val_int((int64_t)(0 - a)) : val_int(x / y);
    default:
        return y == -1 ? val_int(0) : val_int(x % y);
    }
}

static double real(enum pg_binary op, double x, double y)
{
    switch (op) {
    case PG_ADD:
        return x + y;
    case PG_SUB:
        return x - y;
    case PG_MUL:
        return x * y;
    default:
        return x / y;
    }
}

static int arith(struct vm *vm, enum pg_binary op, struct val x, struct val y, struct val *out)
{
    if (op == PG_ADD && (x.type == VAL_STR || y.type == VAL_STR))
        return joined(vm, x, y, out);
    if (op == PG_POW) {
        *out = val_float(pow(pg_float(x), pg_float(y)));
        return 0;
    }
    if (op != PG_MOD && (x.type == VAL_FLOAT || y.type == VAL_FLOAT || x.type == VAL_BIGINT ||
                         y.type == VAL_BIGINT)) {
        *out = val_float(real(op, pg_float(x), pg_float(y)));
        return 0;
    }
    if ((op == PG_DIV || op == PG_MOD) && pg_int(y) == 0)
        return vm_raise(vm, TMPL_EXC_ZERO_DIV, "integer divided by zero");
    *out = whole(op, pg_int(x), pg_int(y));
    return 0;
}

int pg_binary(struct vm *vm, enum pg_binary op, struct val x, struct val y, struct val *out)
{
    switch (op) {
    case PG_EQ:
    case PG_NE:
        *out = val_bool(pg_equal(x, y) == (op == PG_EQ));
        return 0;
    case PG_LT:
    case PG_LE:
    case PG_GT:
    case PG_GE:
        *out = val_bool(compare(op, x, y));
        return 0;
    case PG_IN:
        *out = val_bool(contains(y, x, vm->a));
        return vm_spend(&vm->call, pg_len(y));
    default:
        return arith(vm, op, x, y, out);
    }
}

/* Numbers stay numbers: !5 is 0 and !0 is 1. */
static struct val negated(struct val x)
{
    if (pg_is_int(x))
        return val_int(val_truth(x) ? 0 : 1);
    if (x.type == VAL_FLOAT)
        return val_float(x.u.f != 0 ? 0 : 1.1);
    return val_bool(val_is_none(x) || !val_truth(x));
}

int pg_unary(struct vm *vm, enum pg_unary op, struct val x, struct val *out)
{
    switch (op) {
    case PG_NOT:
        *out = negated(x);
        return 0;
    case PG_TRUTH:
        *out = val_bool(!val_is_none(x) && val_truth(x));
        return 0;
    default:
        break;
    }
    if (!pg_is_number(x))
        return vm_raise(vm, TMPL_EXC_TYPE, "negative sign before a value that is not a number");
    *out = x.type == VAL_INT ? val_int((int64_t)(0 - (uint64_t)x.u.i)) : val_float(-pg_float(x));
    return 0;
}
