/*
 * Python's built-in functions that boolean expressions may call.
 *
 * Rule: workflow-engine.md 2.8, "Boolean expressions".
 */
#include "template/library_int.h"
#include "template/vm_int.h"

static int py_len(struct call *c, struct val *out)
{
    struct val v;
    int64_t n;

    if (call_bind(c, "obj", &v) != 0 || lib_look(c, v) != 0)
        return -1;
    n = val_len(v);
    if (n < 0)
        return call_raise(c, TMPL_EXC_TYPE, "object of type '%s' has no len()", val_type_name(v));
    *out = val_int(n);
    return 0;
}

static int py_int(struct call *c, struct val *out)
{
    struct val arg[2] = {val_int(0), val_int(10)};
    int64_t base = 10;

    if (call_bind(c, "x=,base=", arg) != 0 || lib_int(c, arg[1], &base) != 0)
        return -1;
    if (base != 0 && (base < 2 || base > 36))
        return call_raise(c, TMPL_EXC_VALUE, "int() base must be >= 2 and <= 36, or 0");
    return lib_to_int(c, arg[0], (int)base, out);
}

static int py_float(struct call *c, struct val *out)
{
    struct val v = val_int(0);
    double f = 0;

    if (call_bind(c, "x=", &v) != 0 || lib_to_float(c, v, &f) != 0)
        return -1;
    *out = val_float(f);
    return 0;
}

static int py_str(struct call *c, struct val *out)
{
    struct val v = VAL_STR_LIT("");

    return call_bind(c, "object=", &v) != 0 ? -1 : lib_text(c, v, out);
}

static int py_bool(struct call *c, struct val *out)
{
    struct val v = val_bool(false);

    if (call_bind(c, "x=", &v) != 0 || lib_look(c, v) != 0)
        return -1;
    *out = val_bool(val_truth(v));
    return 0;
}

/* any() and all(): the first item whose truth is `stop` decides. */
static int truth_of_items(struct call *c, bool stop, struct val *out)
{
    struct val v;
    struct val item;
    struct iter it;
    int rc;

    if (call_bind(c, "iterable", &v) != 0 || iter_init(c, v, &it) != 0)
        return -1;
    *out = val_bool(!stop);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (vm_spend(c, 1) != 0 || lib_look(c, item) != 0)
            return -1;
        if (val_truth(item) == stop) {
            *out = val_bool(stop);
            return 0;
        }
    }
    return rc;
}

static int py_any(struct call *c, struct val *out)
{
    return truth_of_items(c, true, out);
}

static int py_all(struct call *c, struct val *out)
{
    return truth_of_items(c, false, out);
}

/* min() and max(), of several arguments or of one iterable. */
static int extreme(struct call *c, bool largest, struct val *out)
{
    const struct val *items = c->pos;
    size_t n = c->n_pos;
    bool has_default = c->n_kw == 1 && str_eq_c(c->kw[0].name, "default");
    size_t i;

    if (n == 0 || (c->n_kw > 0 && !has_default))
        return call_raise(c, TMPL_EXC_TYPE, "%s expected at least 1 argument, got 0", c->name);
    if (n == 1 && lib_items(c, c->pos[0], &items, &n) != 0)
        return -1;
    if (n == 0 && has_default) {
        *out = c->kw[0].value;
        return 0;
    }
    if (n == 0)
        return call_raise(c, TMPL_EXC_VALUE, "%s() arg is an empty sequence", c->name);
    *out = items[0];
    for (i = 1; i < n; i++) {
        bool less = false;

        if (vm_spend(c, 1) != 0 ||
            op_less(c, largest ? *out : items[i], largest ? items[i] : *out, &less) != 0)
            return -1;
        if (less)
            *out = items[i];
    }
    return 0;
}

static int py_min(struct call *c, struct val *out)
{
    return extreme(c, false, out);
}

static int py_max(struct call *c, struct val *out)
{
    return extreme(c, true, out);
}

static int py_sum(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_int(0)};
    const struct val *items;
    size_t n;
    size_t i;

    if (call_bind(c, "iterable,start=", arg) != 0 || lib_items(c, arg[0], &items, &n) != 0)
        return -1;
    *out = arg[1];
    for (i = 0; i < n; i++) {
        if (vm_spend(c, 1) != 0 || op_arith(c, OP_ADD_, *out, items[i], out) != 0)
            return -1;
    }
    return 0;
}

static int py_abs(struct call *c, struct val *out)
{
    struct val v;
    bool negative = false;

    if (call_bind(c, "x", &v) != 0)
        return -1;
    if (!lib_is_number(v))
        return lib_look(c, v) != 0
                   ? -1
                   : call_raise(c, TMPL_EXC_TYPE, "bad operand type for abs(): '%s'",
                                val_type_name(v));
    if (op_less(c, v, val_int(0), &negative) != 0)
        return -1;
    return negative ? op_neg(c, v, out) : op_plus(c, v, out);
}

static int py_round(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    int64_t digits = 0;

    if (call_bind(c, "number,ndigits=", arg) != 0)
        return -1;
    if (arg[1].type != VAL_NULL && lib_int(c, arg[1], &digits) != 0)
        return -1;
    if (lib_round(c, arg[0], digits, out) != 0)
        return -1;
    return arg[1].type == VAL_NULL ? lib_to_int(c, *out, 10, out) : 0;
}

static int py_sorted(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_bool(false)};
    const struct val *items;
    struct sort_item *rows;
    size_t n;
    size_t i;

    if (call_bind(c, "iterable,reverse=", arg) != 0 || lib_items(c, arg[0], &items, &n) != 0)
        return -1;
    if (vm_memory(c, n * (sizeof(*rows) + sizeof(struct val))) != 0)
        return -1;
    rows = arena_alloc(c->a, n * sizeof(*rows) + 1);
    for (i = 0; i < n; i++)
        rows[i] = (struct sort_item){items[i], items[i]};
    if (lib_sort(c, rows, n, val_truth(arg[1])) != 0)
        return -1;
    *out = val_list_new(c->a, n);
    for (i = 0; i < n; i++)
        val_list_add(*out, rows[i].item);
    return 0;
}

static const struct func_def funcs[] = {
    {"abs", py_abs}, {"all", py_all},       {"any", py_any}, {"bool", py_bool}, {"float", py_float},
    {"int", py_int}, {"len", py_len},       {"max", py_max}, {"min", py_min},   {"round", py_round},
    {"str", py_str}, {"sorted", py_sorted}, {"sum", py_sum},
};

const struct func_def *py_func_find(struct str name)
{
    size_t i;

    for (i = 0; i < COUNT_OF(funcs); i++) {
        if (str_eq_c(name, funcs[i].name))
            return &funcs[i];
    }
    return NULL;
}
