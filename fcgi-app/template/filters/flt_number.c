/*
 * abs, int, float, round, sum, filesizeformat: numbers.
 */
#include "template/filters/flt.h"

#include <math.h>

#include "base/bigint.h"
#include "template/datetime.h"

int flt_abs(struct call *c, struct val *out)
{
    struct val v = c->self;
    bool negative;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    switch (v.type) {
    case VAL_BOOL:
        *out = val_int(v.u.b);
        return 0;
    case VAL_FLOAT:
        *out = val_float(fabs(v.u.f));
        return 0;
    case VAL_INT:
        negative = v.u.i < 0;
        break;
    case VAL_BIGINT:
        negative = bigint_sign(v.u.big) < 0;
        break;
    default:
        if (dt_is_delta(v)) {
            *out = dt_delta_new(c->a, llabs(dt_delta_us(v)));
            return 0;
        }
        return call_raise(c, TMPL_EXC_TYPE, "bad operand type for abs(): '%s'", val_type_name(v));
    }
    if (negative)
        return op_neg(c, v, out);
    *out = v;
    return 0;
}

/* int(float(v)), the second try of the int filter; false when that fails too. */
static bool int_by_float(struct call *c, struct val v, struct val *out)
{
    double f;

    if (v.type == VAL_STR) {
        if (!lib_parse_float(val_text(v), &f))
            return false;
    } else if (v.type == VAL_FLOAT) {
        f = v.u.f;
    } else {
        return false;
    }
    return isfinite(f) && lib_to_int(c, val_float(f), 10, out) == 0;
}

int flt_int(struct call *c, struct val *out)
{
    struct val arg[2] = {val_int(0), val_int(10)};
    int64_t base;

    if (call_bind(c, "default=,base=", arg) != 0)
        return -1;
    if (lib_is_int(c->self) || (c->self.type == VAL_FLOAT && !isnan(c->self.u.f)))
        return lib_to_int(c, c->self, 10, out);
    if (c->self.type == VAL_STR) {
        if (lib_int(c, arg[1], &base) != 0)
            return -1;
        if ((base == 0 || (base >= 2 && base <= 36)) &&
            lib_parse_int(val_text(c->self), (int)base, out, c->a))
            return 0;
    }
    if (!int_by_float(c, c->self, out))
        *out = arg[0];
    return 0;
}

int flt_float(struct call *c, struct val *out)
{
    struct val otherwise = val_float(0.0);
    double f;

    if (call_bind(c, "default=", &otherwise) != 0)
        return -1;
    if (lib_is_number(c->self)) {
        if (lib_to_float(c, c->self, &f) != 0)
            return -1;
    } else if (c->self.type != VAL_STR || !lib_parse_float(val_text(c->self), &f)) {
        *out = otherwise;
        return 0;
    }
    *out = val_float(f);
    return 0;
}

int flt_round(struct call *c, struct val *out)
{
    struct val arg[2] = {val_int(0), VAL_STR_LIT("common")};
    struct str method;
    int64_t digits;
    double f;
    double scale;

    if (call_bind(c, "precision=,method=", arg) != 0)
        return -1;
    method = val_text(arg[1]);
    if (!str_eq_c(method, "common") && !str_eq_c(method, "ceil") && !str_eq_c(method, "floor"))
        return call_raise(c, TMPL_EXC_FILTER, "method must be common, ceil or floor");
    if (lib_int(c, arg[0], &digits) != 0)
        return -1;
    if (str_eq_c(method, "common"))
        return lib_round(c, c->self, digits, out);
    if (lib_number(c, c->self, &f) != 0)
        return -1;
    scale = pow(10.0, (double)digits);
    f = str_eq_c(method, "ceil") ? ceil(f * scale) : floor(f * scale);
    if (isnan(f))
        return call_raise(c, TMPL_EXC_VALUE, "cannot convert float NaN to integer");
    if (isinf(f))
        return call_raise(c, TMPL_EXC_OVERFLOW, "cannot convert float infinity to integer");
    *out = val_float(f / scale + 0.0);
    return 0;
}

static int add(struct call *c, struct val item, struct val *sum)
{
    int64_t n;

    if (item.type == VAL_INT && sum->type == VAL_INT &&
        !__builtin_add_overflow(sum->u.i, item.u.i, &n)) {
        *sum = val_int(n);
        return 0;
    }
    return op_arith(c, OP_ADD_, *sum, item, sum);
}

int flt_sum(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_int(0)};
    struct attr_path path;
    struct iter it;
    struct val item;
    struct val sum;
    int rc;

    if (call_bind(c, "attribute=,start=", arg) != 0 ||
        attr_path_init(c, &path, arg[0], val_undef(NULL), false) != 0 ||
        iter_init(c, c->self, &it) != 0)
        return -1;
    sum = arg[1];
    if (sum.type == VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE, "sum() can't sum strings [use ''.join(seq) instead]");
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (attr_path_get(c, &path, item, &item) != 0 || add(c, item, &sum) != 0)
            return -1;
    }
    *out = sum;
    return rc;
}

int flt_filesizeformat(struct call *c, struct val *out)
{
    static const char *const binary_units[] = {"KiB", "MiB", "GiB", "TiB",
                                               "PiB", "EiB", "ZiB", "YiB"};
    static const char *const decimal_units[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    struct val binary = val_bool(false);
    const char *const *units;
    double bytes;
    double base;
    double unit;
    size_t i = 0;

    if (call_bind(c, "binary=", &binary) != 0 || lib_to_float(c, c->self, &bytes) != 0)
        return -1;
    units = val_truth(binary) ? binary_units : decimal_units;
    base = val_truth(binary) ? 1024 : 1000;
    if (bytes == 1) {
        *out = VAL_STR_LIT("1 Byte");
        return 0;
    }
    if (bytes < base) {
        *out = val_str(str_printf(c->a, "%.0f Bytes", trunc(bytes) + 0.0));
        return 0;
    }
    for (unit = base * base; bytes >= unit && i + 1 < COUNT_OF(binary_units); unit *= base)
        i++;
    *out = val_str(str_printf(c->a, "%.1f %s", base * bytes / unit, units[i]));
    return 0;
}
