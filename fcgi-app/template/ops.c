/*
 * Python's operators over values, with Python's results and Python's errors.
 *
 * Rule: Python 3 language reference 6.5-6.10; markupsafe for what is added to or formatted into
 * markup.
 */
#include <errno.h>
#include <math.h>

#include "base/bigint.h"
#include "template/vm_int.h"

static const char *const op_texts[] = {
    [OP_ADD_] = "+",       [OP_SUB_] = "-", [OP_MUL_] = "*",           [OP_DIV_] = "/",
    [OP_FLOORDIV_] = "//", [OP_MOD_] = "%", [OP_POW_] = "** or pow()",
};

static bool is_int(struct val v)
{
    return v.type == VAL_INT || v.type == VAL_BIGINT || v.type == VAL_BOOL;
}

static bool is_markup(struct val v)
{
    return v.type == VAL_STR && (v.flags & VAL_F_MARKUP) != 0;
}

static const char *type_name(struct val v)
{
    return is_markup(v) ? "Markup" : val_type_name(v);
}

static int unsupported(struct call *c, enum arith_op op, struct val x, struct val y)
{
    return call_raise(c, TMPL_EXC_TYPE, "unsupported operand type(s) for %s: '%s' and '%s'",
                      op_texts[op], type_name(x), type_name(y));
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int big(struct call *c, enum arith_op op, struct val x, struct val y, struct val *out)
{
    static const enum bigint_op ops[] = {
        [OP_ADD_] = BIG_ADD,      [OP_SUB_] = BIG_SUB,           [OP_MUL_] = BIG_MUL,
        [OP_DIV_] = BIG_FLOORDIV, [OP_FLOORDIV_] = BIG_FLOORDIV, [OP_MOD_] = BIG_MOD,
        [OP_POW_] = BIG_POW,
    };

    if (vm_spend(c, op == OP_POW_ ? 1000 : 20) != 0)
        return -1;
    if (bigint_op(ops[op], x, y, out, c->a, c->e) == 0)
        return 0;
    if (c->e->code == ERR_LIMIT)
        return call_raise(c, TMPL_EXC_LIMIT, "the integer has too many digits");
    return call_raise(c, TMPL_EXC_ZERO_DIV, "%s",
                      op == OP_MOD_ ? "integer modulo by zero"
                                    : "integer division or modulo by zero");
}

static int to_double(struct call *c, struct val v, double *out)
{
    switch (v.type) {
    case VAL_FLOAT:
        *out = v.u.f;
        return 0;
    case VAL_INT:
        *out = (double)v.u.i;
        return 0;
    case VAL_BOOL:
        *out = v.u.b ? 1.0 : 0.0;
        return 0;
    default:
        *out = bigint_to_double(v.u.big);
        if (isinf(*out))
            return call_raise(c, TMPL_EXC_OVERFLOW, "int too large to convert to float");
        return 0;
    }
}

/* Python's float % and //: the result has the sign of the divisor. */
static double float_mod(double x, double y, double *quotient)
{
    double mod = fmod(x, y);
    double div = (x - mod) / y;
    double floored;

    if (mod != 0.0) {
        if ((y < 0) != (mod < 0)) {
            mod += y;
            div -= 1.0;
        }
    } else {
        mod = copysign(0.0, y);
    }
    if (div != 0.0) {
        floored = floor(div);
        if (div - floored > 0.5)
            floored += 1.0;
    } else {
        floored = copysign(0.0, x / y);
    }
    *quotient = floored;
    return mod;
}

static int float_pow(struct call *c, double x, double y, struct val *out)
{
    double r;

    if (x == 0.0 && y < 0.0)
        return call_raise(c, TMPL_EXC_ZERO_DIV, "0.0 cannot be raised to a negative power");
    if (x < 0.0 && isfinite(x) && isfinite(y) && floor(y) != y)
        return call_raise(
            c, TMPL_EXC_VALUE,
            "a negative number raised to a fraction is complex, which is not available");
    r = pow(x, y);
    if (isinf(r) && isfinite(x) && isfinite(y))
        return call_raise(c, TMPL_EXC_OVERFLOW, "(34, 'Numerical result out of range')");
    *out = val_float(r);
    return 0;
}

static int float_arith(struct call *c, enum arith_op op, struct val a, struct val b,
                       struct val *out)
{
    double x;
    double y;
    double quotient;
    double mod;

    if (to_double(c, a, &x) != 0 || to_double(c, b, &y) != 0)
        return -1;
    switch (op) {
    case OP_ADD_:
        *out = val_float(x + y);
        return 0;
    case OP_SUB_:
        *out = val_float(x - y);
        return 0;
    case OP_MUL_:
        *out = val_float(x * y);
        return 0;
    case OP_DIV_:
        if (y == 0.0)
            return call_raise(c, TMPL_EXC_ZERO_DIV,
                              a.type == VAL_FLOAT || b.type == VAL_FLOAT ? "float division by zero"
                                                                         : "division by zero");
        *out = val_float(x / y);
        return 0;
    case OP_POW_:
        return float_pow(c, x, y, out);
    default:
        if (y == 0.0)
            return call_raise(c, TMPL_EXC_ZERO_DIV,
                              op == OP_MOD_ ? "float modulo" : "float floor division by zero");
        mod = float_mod(x, y, &quotient);
        *out = val_float(op == OP_MOD_ ? mod : quotient);
        return 0;
    }
}

static struct val plain_int(struct val v)
{
    return v.type == VAL_BOOL ? val_int(v.u.b) : v;
}

/* Of two big integers, as exactly as Python: both are brought down by the same power of two. */
static int int_division(struct call *c, struct val x, struct val y, struct val *out)
{
    double a = x.type == VAL_BIGINT ? bigint_to_double(x.u.big) : (double)x.u.i;
    double b = y.type == VAL_BIGINT ? bigint_to_double(y.u.big) : (double)y.u.i;
    struct val q;
    double d;

    if (b == 0.0)
        return call_raise(c, TMPL_EXC_ZERO_DIV, "division by zero");
    if (isfinite(a) && isfinite(b)) {
        *out = val_float(a / b);
        return 0;
    }
    if (isinf(b) && isfinite(a)) {
        *out = val_float(0.0 * a);
        return 0;
    }
    if (big(c, OP_FLOORDIV_, x, y, &q) != 0)
        return -1;
    if (to_double(c, q, &d) != 0)
        return call_raise(c, TMPL_EXC_OVERFLOW, "integer division result too large for a float");
    *out = val_float(d);
    return 0;
}

static int int_arith(struct call *c, enum arith_op op, struct val x, struct val y, struct val *out)
{
    int64_t r = 0;

    x = plain_int(x);
    y = plain_int(y);
    if (op == OP_DIV_)
        return int_division(c, x, y, out);
    if (op == OP_POW_) {
        bool negative = y.type == VAL_BIGINT ? bigint_sign(y.u.big) < 0 : y.u.i < 0;

        return negative ? float_arith(c, op, x, y, out) : big(c, op, x, y, out);
    }
    if (x.type == VAL_INT && y.type == VAL_INT) {
        bool over = op == OP_ADD_   ? __builtin_add_overflow(x.u.i, y.u.i, &r)
                    : op == OP_SUB_ ? __builtin_sub_overflow(x.u.i, y.u.i, &r)
                    : op == OP_MUL_ ? __builtin_mul_overflow(x.u.i, y.u.i, &r)
                                    : true;

        if (!over) {
            *out = val_int(r);
            return 0;
        }
        if ((op == OP_FLOORDIV_ || op == OP_MOD_) && y.u.i > 0) {
            int64_t q = x.u.i / y.u.i;
            int64_t m = x.u.i % y.u.i;

            if (m < 0) {
                q--;
                m += y.u.i;
            }
            *out = val_int(op == OP_MOD_ ? m : q);
            return 0;
        }
    }
    return big(c, op, x, y, out);
}

/* ---- texts and lists ------------------------------------------------------------------------- */

static int too_large(struct call *c, uint64_t n, uint64_t each)
{
    if (n > UINT32_MAX || (each > 0 && n > UINT64_C(0x7fffffff) / each))
        return call_raise(c, TMPL_EXC_LIMIT, "the memory budget of the template is used up");
    return vm_memory(c, n * each);
}

/* A text as it goes into markup. */
static struct str escaped(struct call *c, struct val v)
{
    struct buf b;

    if (is_markup(v))
        return val_text(v);
    buf_init(&b, SIZE_MAX, c->a);
    html_escape(val_text(v), &b);
    return buf_str(&b);
}

static int add_texts(struct call *c, struct val x, struct val y, struct val *out)
{
    bool markup = is_markup(x) || is_markup(y);
    struct str a = markup ? escaped(c, x) : val_text(x);
    struct str b = markup ? escaped(c, y) : val_text(y);
    char *p;

    if (too_large(c, (uint64_t)a.len + b.len, 1) != 0)
        return -1;
    p = arena_alloc(c->a, a.len + b.len + 1);
    if (a.len > 0)
        memcpy(p, a.p, a.len);
    if (b.len > 0)
        memcpy(p + a.len, b.p, b.len);
    p[a.len + b.len] = '\0';
    *out = val_str(str_make(p, a.len + b.len));
    out->flags = x.flags & y.flags & VAL_F_ASCII;
    if (markup)
        out->flags |= VAL_F_MARKUP;
    return 0;
}

static int add_lists(struct call *c, struct val x, struct val y, struct val *out)
{
    size_t n;

    x = val_open(x);
    y = val_open(y);
    n = (size_t)x.u.list->n + y.u.list->n;
    if (too_large(c, n, sizeof(struct val)) != 0 || vm_spend(c, (int64_t)n / 16) != 0)
        return -1;
    *out = x.type == VAL_LIST ? val_list_new(c->a, n) : val_tuple_new(c->a, n);
    if (x.u.list->n > 0)
        memcpy(out->u.list->items, x.u.list->items, x.u.list->n * sizeof(struct val));
    if (y.u.list->n > 0)
        memcpy(out->u.list->items + x.u.list->n, y.u.list->items, y.u.list->n * sizeof(struct val));
    out->u.list->n = (uint32_t)n;
    return 0;
}

static int sequence_add(struct call *c, struct val x, struct val y, struct val *out)
{
    if (x.type == VAL_STR && y.type == VAL_STR)
        return add_texts(c, x, y, out);
    if ((x.type == VAL_LIST && y.type == VAL_LIST) || (x.type == VAL_TUPLE && y.type == VAL_TUPLE))
        return add_lists(c, x, y, out);
    if (is_markup(x) || is_markup(y))
        return unsupported(c, OP_ADD_, x, y);
    if (x.type == VAL_STR || x.type == VAL_LIST || x.type == VAL_TUPLE)
        return call_raise(c, TMPL_EXC_TYPE, "can only concatenate %s (not \"%s\") to %s",
                          val_type_name(x), type_name(y), val_type_name(x));
    return unsupported(c, OP_ADD_, x, y);
}

static int repeat(struct call *c, struct val seq, struct val times, struct val *out)
{
    uint64_t n;
    uint64_t i;

    times = plain_int(times);
    if (times.type == VAL_BIGINT)
        return call_raise(c, TMPL_EXC_OVERFLOW, "cannot fit 'int' into an index-sized integer");
    n = times.u.i < 0 ? 0 : (uint64_t)times.u.i;
    if (seq.type == VAL_STR || seq.type == VAL_BYTES) {
        char *p;
        uint8_t flags = seq.flags;

        if (seq.len == 0)
            n = 0;
        if (n > 0 && too_large(c, n, seq.len) != 0)
            return -1;
        p = arena_alloc(c->a, n * seq.len + 1);
        for (i = 0; i < n; i++)
            memcpy(p + i * seq.len, seq.u.s, seq.len);
        *out = seq.type == VAL_STR ? val_str(str_make(p, n * seq.len))
                                   : val_bytes(str_make(p, n * seq.len));
        out->flags = flags & (VAL_F_ASCII | VAL_F_MARKUP);
        return vm_spend(c, (int64_t)(n * seq.len / 256));
    }
    seq = val_open(seq);
    if (seq.u.list->n == 0)
        n = 0;
    if (n > 0 && too_large(c, n, seq.u.list->n * sizeof(struct val)) != 0)
        return -1;
    *out = seq.type == VAL_LIST ? val_list_new(c->a, n * seq.u.list->n)
                                : val_tuple_new(c->a, n * seq.u.list->n);
    for (i = 0; i < n; i++)
        memcpy(out->u.list->items + i * seq.u.list->n, seq.u.list->items,
               seq.u.list->n * sizeof(struct val));
    out->u.list->n = (uint32_t)(n * seq.u.list->n);
    return vm_spend(c, (int64_t)(n * seq.u.list->n / 16));
}

static bool is_sequence(struct val v)
{
    return v.type == VAL_STR || v.type == VAL_BYTES || v.type == VAL_LIST || v.type == VAL_TUPLE;
}

static int multiply(struct call *c, struct val x, struct val y, struct val *out)
{
    if (is_sequence(x) && is_int(y))
        return repeat(c, x, y, out);
    if (is_sequence(y) && is_int(x))
        return repeat(c, y, x, out);
    if (is_sequence(x) || is_sequence(y))
        return call_raise(c, TMPL_EXC_TYPE, "can't multiply sequence by non-int of type '%s'",
                          type_name(is_sequence(x) ? y : x));
    return unsupported(c, OP_MUL_, x, y);
}

/* One value that is formatted into markup: numbers as they are, everything else as its escaped text. */
static struct val escaped_value(struct call *c, struct val v)
{
    switch (v.type) {
    case VAL_STR:
        return val_str(escaped(c, v));
    case VAL_TUPLE:
    case VAL_LIST:
    case VAL_DICT:
    case VAL_OBJ:
        return val_str(escaped(c, val_str(val_str_of(v, c->a))));
    default:
        return v;
    }
}

/* What is formatted into markup is escaped first: a value, or those of a tuple or a dictionary. */
static struct val escaped_arg(struct call *c, struct val v)
{
    struct val out;
    struct val key;
    struct val value;
    size_t i;

    switch (v.type) {
    case VAL_TUPLE:
        out = val_tuple_new(c->a, val_count(v));
        for (i = 0; i < val_count(v); i++)
            val_list_add(out, escaped_value(c, val_at(v, i)));
        return out;
    case VAL_DICT:
        out = val_dict_new(c->a, val_count(v));
        for (i = 0; val_pair_at(v, i, &key, &value); i++)
            val_dict_set(out, key, escaped_value(c, value));
        return out;
    default:
        return escaped_value(c, v);
    }
}

static int percent(struct call *c, struct val x, struct val y, struct val *out)
{
    if (!is_markup(x))
        return py_percent(c, val_text(x), y, out);
    if (y.type == VAL_LIST && memchr(x.u.s, '%', x.len) == NULL) { /* a list counts as mapping */
        *out = x;
        return 0;
    }
    if (py_percent(c, val_text(x), escaped_arg(c, y), out) != 0)
        return -1;
    out->flags |= VAL_F_MARKUP;
    return 0;
}

/* ---- any two values -------------------------------------------------------------------------- */

/* An object on either side that knows the operation; 1 when none does. */
static int object_arith(struct call *c, enum arith_op op, struct val x, struct val y,
                        struct val *out)
{
    static const char letters[] = {
        [OP_ADD_] = '+',    [OP_SUB_] = '-', [OP_MUL_] = '*', [OP_DIV_] = '/',
        [OP_FLOORDIV_] = 0, [OP_MOD_] = 0,   [OP_POW_] = 0};
    const struct tmpl_class *cx = tmpl_class_of(x);
    const struct tmpl_class *cy = tmpl_class_of(y);

    if (letters[op] == 0)
        return 1;
    if (cx != NULL && cx->arith != NULL)
        return cx->arith(x.u.obj, letters[op], y, false, c, out);
    if (cy != NULL && cy->arith != NULL)
        return cy->arith(y.u.obj, letters[op], x, true, c, out);
    return 1;
}

int op_arith(struct call *c, enum arith_op op, struct val x, struct val y, struct val *out)
{
    if (x.type == VAL_UNDEF)
        return undef_fail(c, x);
    if (x.type == VAL_STR && op == OP_MOD_)
        return percent(c, x, y, out);
    if (y.type == VAL_UNDEF)
        return undef_fail(c, y);
    if (is_int(x) && is_int(y))
        return int_arith(c, op, x, y, out);
    if ((is_int(x) || x.type == VAL_FLOAT) && (is_int(y) || y.type == VAL_FLOAT))
        return float_arith(c, op, x, y, out);
    if (x.type == VAL_OBJ || y.type == VAL_OBJ) {
        int rc = object_arith(c, op, x, y, out);

        if (rc <= 0)
            return rc;
    }
    if (op == OP_ADD_)
        return sequence_add(c, x, y, out);
    if (op == OP_MUL_)
        return multiply(c, x, y, out);
    return unsupported(c, op, x, y);
}

int op_neg(struct call *c, struct val x, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(x);

    switch (x.type) {
    case VAL_BOOL:
        *out = val_int(-(int64_t)x.u.b);
        return 0;
    case VAL_INT:
    case VAL_BIGINT:
        *out = x.type == VAL_INT && x.u.i != INT64_MIN ? val_int(-x.u.i) : bigint_neg(x, c->a);
        return 0;
    case VAL_FLOAT:
        *out = val_float(-x.u.f);
        return 0;
    case VAL_UNDEF:
        return undef_fail(c, x);
    default:
        if (cls != NULL && cls->arith != NULL)
            return cls->arith(x.u.obj, '*', val_int(-1), false, c, out);
        return call_raise(c, TMPL_EXC_TYPE, "bad operand type for unary -: '%s'", type_name(x));
    }
}

int op_plus(struct call *c, struct val x, struct val *out)
{
    *out = plain_int(x);
    if (is_int(x) || x.type == VAL_FLOAT)
        return 0;
    if (x.type == VAL_UNDEF)
        return undef_fail(c, x);
    return call_raise(c, TMPL_EXC_TYPE, "bad operand type for unary +: '%s'", type_name(x));
}

/* ---- comparisons
 * -------------------------------------------------------------------------------------------------
 */

bool op_same(struct val x, struct val y)
{
    if (x.type != y.type)
        return false;
    switch (x.type) {
    case VAL_UNDEF:
        return x.u.undef_name == y.u.undef_name;
    case VAL_NULL:
        return true;
    case VAL_BOOL:
        return x.u.b == y.u.b;
    case VAL_INT:
        return x.u.i == y.u.i;
    case VAL_FLOAT:
        return x.u.f == y.u.f;
    case VAL_STR:
    case VAL_BYTES:
        return str_eq(val_text(x), val_text(y));
    default:
        return x.u.list == y.u.list;
    }
}

static int order(struct call *c, int op, struct val x, struct val y, bool *out)
{
    static const struct {
        int op;
        const char *text;
    } texts[] = {{OP_LT, "<"}, {OP_LE, "<="}, {OP_GT, ">"}, {OP_GE, ">="}};
    const char *text = "<";
    int r = 0;
    size_t i;

    if (x.type == VAL_UNDEF)
        return undef_fail(c, x);
    if (y.type == VAL_UNDEF)
        return undef_fail(c, y);
    if (val_cmp(x, y, &r) != 0) {
        for (i = 0; i < COUNT_OF(texts); i++) {
            if (texts[i].op == op)
                text = texts[i].text;
        }
        return call_raise(c, TMPL_EXC_TYPE, "'%s' not supported between instances of '%s' and '%s'",
                          text, type_name(x), type_name(y));
    }
    if (r == VAL_UNORDERED)
        *out = false;
    else
        *out = op == OP_LT ? r < 0 : op == OP_LE ? r <= 0 : op == OP_GT ? r > 0 : r >= 0;
    return 0;
}

/* The plain Undefined of an inline if is of another class than the template's own. */
static bool other_class(const struct call *c, struct val x, struct val y)
{
    return x.type == VAL_UNDEF && y.type == VAL_UNDEF && c->vm != NULL &&
           c->vm->undefined != TMPL_UNDEF_LENIENT &&
           (x.reserved == UNDEF_LENIENT) != (y.reserved == UNDEF_LENIENT);
}

int op_compare(struct call *c, int op, struct val x, struct val y, bool *out)
{
    if (op != OP_EQ && op != OP_NE)
        return order(c, op, x, y, out);
    if (UNLIKELY(x.type == VAL_UNDEF) && undef_look(c, x) != 0)
        return -1;
    if (UNLIKELY(y.type == VAL_UNDEF) && undef_look(c, y) != 0)
        return -1;
    *out = (val_eq(x, y) && !other_class(c, x, y)) == (op == OP_EQ);
    return 0;
}

int op_less(struct call *c, struct val x, struct val y, bool *out)
{
    return order(c, OP_LT, x, y, out);
}

static int in_object(struct call *c, struct val item, struct val container, bool *out)
{
    const struct tmpl_class *cls = tmpl_class_of(container);
    struct iter it;
    struct val v;
    int rc;

    if (cls->contains != NULL) {
        *out = cls->contains(container.u.obj, item);
        return 0;
    }
    if (cls->next == NULL)
        return call_raise(c, TMPL_EXC_TYPE, "argument of type '%s' is not iterable",
                          val_type_name(container));
    if (iter_init(c, container, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &v)) == 1) {
        if (val_eq(v, item)) {
            *out = true;
            return 0;
        }
        if (vm_spend(c, 1) != 0)
            return -1;
    }
    return rc;
}

int op_in(struct call *c, struct val item, struct val container, bool *out)
{
    size_t n;
    size_t i;

    *out = false;
    switch (container.type) {
    case VAL_LIST:
    case VAL_TUPLE:
        container = val_open(container);
        n = container.u.list->n;
        if (n > 0 && item.type == VAL_UNDEF && undef_look(c, item) != 0)
            return -1;
        for (i = 0; i < n && !*out; i++)
            *out = val_eq(container.u.list->items[i], item);
        return vm_spend(c, (int64_t)i / 8);
    case VAL_DICT:
        if (item.type == VAL_UNDEF && undef_look(c, item) != 0)
            return -1;
        if (!val_hashable(item))
            return call_raise(c, TMPL_EXC_TYPE, "unhashable type: '%s'", val_type_name(item));
        *out = !val_absent(val_get_val(container, item));
        return 0;
    case VAL_STR:
        if (item.type != VAL_STR)
            return call_raise(c, TMPL_EXC_TYPE,
                              "'in <string>' requires string as left operand, not %s",
                              item.type == VAL_UNDEF ? "Undefined" : val_type_name(item));
        *out = str_find(val_text(container), val_text(item)) >= 0;
        return 0;
    case VAL_UNDEF:
        return undef_look(c, container);
    case VAL_OBJ:
        return in_object(c, item, container, out);
    default:
        return call_raise(c, TMPL_EXC_TYPE, "argument of type '%s' is not iterable",
                          val_type_name(container));
    }
}

/* ---- concatenation
 * -------------------------------------------------------------------------------------------------
 */

int op_concat(struct vm *vm, const struct val *parts, size_t n, enum escape_mode mode,
              struct val *out)
{
    struct buf b;
    struct buf *outer = vm->out;
    bool markup = false;
    bool ascii = true;
    size_t total = 0;
    size_t i;
    int rc = 0;

    for (i = 0; i < n; i++) {
        markup = markup || (mode == ESCAPE_ON && is_markup(parts[i]));
        total += parts[i].type == VAL_STR ? parts[i].len : 24;
        ascii = ascii && (parts[i].type == VAL_INT ||
                          (parts[i].type == VAL_STR && (parts[i].flags & VAL_F_ASCII) != 0));
    }
    if (total > 4 * KIB && too_large(&vm->call, total, 1) != 0)
        return -1;
    buf_init(&b, UINT32_MAX, vm->a);
    (void)buf_reserve(&b, total);
    vm->out = &b; /* printed there as it would be printed */
    for (i = 0; i < n && rc == 0; i++)
        rc = markup ? vm_print_escaped(vm, parts[i]) : vm_print(vm, parts[i]);
    vm->out = outer;
    if (rc != 0)
        return -1;
    if (b.over)
        return vm_limit(vm, "memory");
    *out = val_str(buf_str(&b));
    out->flags = (uint8_t)((ascii ? VAL_F_ASCII : 0) | (markup ? VAL_F_MARKUP : 0));
    return 0;
}
