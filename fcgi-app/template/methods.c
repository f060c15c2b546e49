/*
 * Which method a name means on which type; and the few of numbers and bytes.
 */
#include "template/methods_int.h"

#include <math.h>

#include "base/bigint.h"
#include "base/utf8.h"
#include "template/datetime.h"
#include "template/text.h"

bool method_in(const struct method_table *t, struct str name, callable_fn **fn,
               const char **qualified)
{
    const struct method *m = lib_table_find(t->rows, t->n, sizeof *t->rows, name);

    if (m == NULL)
        return false;
    *fn = m->fn;
    *qualified = m->qualified;
    return true;
}

int lib_may_change(struct call *c, const struct arena *owner)
{
    if (owner != c->a)
        return call_raise(c, TMPL_EXC_SECURITY,
                          "%s() cannot change a value the template was given; copy it first",
                          c->name);
    return 0;
}

int lib_bounds(struct call *c, struct val from, struct val to, int64_t len, int64_t *first,
               int64_t *last)
{
    *first = 0;
    *last = len;
    if ((!val_is(from, VAL_NULL) && lib_int(c, from, first) != 0) ||
        (!val_is(to, VAL_NULL) && lib_int(c, to, last) != 0))
        return -1;
    text_bounds(len, first, last);
    return 0;
}

/* ---- int and float ------------------------------------------------------------------------ */

static int int_bit_length(struct call *c, struct val *out)
{
    int64_t n;
    struct val v = c->self;
    struct val rest = v;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    for (n = 0; v.type == VAL_BIGINT; n += 32) {
        if (bigint_sign(v.u.big) < 0)
            v = bigint_neg(v, c->a);
        if (v.type == VAL_BIGINT &&
            bigint_op(BIG_FLOORDIV, v, val_int(1LL << 32), &rest, c->a, c->e) != 0)
            return -1;
        v = rest;
    }
    for (uint64_t bits = v.u.i < 0 ? 0 - (uint64_t)v.u.i : (uint64_t)v.u.i; bits > 0; bits >>= 1)
        n++;
    *out = val_int(n);
    return 0;
}

static int int_bit_count(struct call *c, struct val *out)
{
    uint64_t bits = c->self.u.i < 0 ? 0 - (uint64_t)c->self.u.i : (uint64_t)c->self.u.i;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (c->self.type == VAL_BIGINT)
        return call_raise(c, TMPL_EXC_OVERFLOW, "int too large to count bits");
    *out = val_int(__builtin_popcountll(bits));
    return 0;
}

static int number_conjugate(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = c->self.type == VAL_BOOL ? val_int(c->self.u.b) : c->self;
    return 0;
}

static int int_ratio(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = val_tuple_new(c->a, 2);
    val_list_add(*out, c->self.type == VAL_BOOL ? val_int(c->self.u.b) : c->self);
    val_list_add(*out, val_int(1));
    return 0;
}

static int float_is_integer(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = val_bool(isfinite(c->self.u.f) && floor(c->self.u.f) == c->self.u.f);
    return 0;
}

static int float_hex(struct call *c, struct val *out)
{
    double f = c->self.u.f;
    const char *text = arena_printf(c->a, "%.13a", f);

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (f == 0)
        text = signbit(f) ? "-0x0.0p+0" : "0x0.0p+0";
    *out = val_str_c(text);
    return 0;
}

static int float_ratio(struct call *c, struct val *out)
{
    double f = c->self.u.f;
    int exponent;
    struct val top;
    struct val bottom = val_int(1);
    struct val power;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (!isfinite(f))
        return call_raise(c, isnan(f) ? TMPL_EXC_VALUE : TMPL_EXC_OVERFLOW,
                          "cannot convert %s to integer ratio", isnan(f) ? "NaN" : "Infinity");
    f = frexp(f, &exponent);
    for (int i = 0; i < 60 && floor(f) != f; i++) {
        f *= 2;
        exponent--;
    }
    top = val_int((int64_t)f);
    if (op_arith(c, OP_POW_, val_int(2), val_int(abs(exponent)), &power) != 0)
        return -1;
    if (exponent > 0 && op_arith(c, OP_MUL_, top, power, &top) != 0)
        return -1;
    if (exponent < 0)
        bottom = power;
    *out = val_tuple_new(c->a, 2);
    val_list_add(*out, top);
    val_list_add(*out, bottom);
    return 0;
}

static const struct method int_rows[] = {
    {"as_integer_ratio", int_ratio, "int.as_integer_ratio"},
    {"bit_count", int_bit_count, "int.bit_count"},
    {"bit_length", int_bit_length, "int.bit_length"},
    {"conjugate", number_conjugate, "int.conjugate"},
};
static const struct method_table methods_of_int = {int_rows, COUNT_OF(int_rows)};

static const struct method float_rows[] = {
    {"as_integer_ratio", float_ratio, "float.as_integer_ratio"},
    {"conjugate", number_conjugate, "float.conjugate"},
    {"hex", float_hex, "float.hex"},
    {"is_integer", float_is_integer, "float.is_integer"},
};
static const struct method_table methods_of_float = {float_rows, COUNT_OF(float_rows)};

/* ---- bytes ---------------------------------------------------------------------------------- */

static int bytes_decode(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT("utf-8"), VAL_STR_LIT("strict")};
    struct str s = val_text(c->self);
    size_t bad;

    if (call_bind(c, "encoding=,errors=", arg) != 0)
        return -1;
    if (str_ieq(val_text(arg[0]), STR("latin-1")) || str_ieq(val_text(arg[0]), STR("iso-8859-1"))) {
        struct buf b;
        char bytes[4];

        lib_buf(c, &b);
        for (size_t i = 0; i < s.len; i++)
            buf_add(&b, bytes, utf8_put(bytes, (unsigned char)s.p[i]));
        return lib_finish(c, &b, 0, out);
    }
    bad = utf8_check(s);
    if (bad < s.len && str_eq_c(val_text(arg[1]), "strict"))
        return call_raise(
            c, TMPL_EXC_VALUE,
            "'utf-8' codec can't decode byte 0x%02x in position %zu: invalid start byte",
            (unsigned char)s.p[bad], bad);
    *out = val_str(bad < s.len ? utf8_repair(c->a, s) : s);
    return 0;
}

static int bytes_hex(struct call *c, struct val *out)
{
    struct str s = val_text(c->self);
    struct buf b;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    lib_buf(c, &b);
    for (size_t i = 0; i < s.len; i++) {
        buf_putc(&b, "0123456789abcdef"[(unsigned char)s.p[i] >> 4]);
        buf_putc(&b, "0123456789abcdef"[(unsigned char)s.p[i] & 15]);
    }
    return lib_finish(c, &b, VAL_F_ASCII, out);
}

static const struct method bytes_rows[] = {
    {"decode", bytes_decode, "bytes.decode"},
    {"hex", bytes_hex, "bytes.hex"},
};
static const struct method_table methods_of_bytes = {bytes_rows, COUNT_OF(bytes_rows)};

/* ---- by type ----------------------------------------------------------------------------------
 */

bool method_find(struct val self, struct str name, callable_fn **fn, const char **qualified)
{
    static const struct method_table *const tables[] = {
        [VAL_BOOL] = &methods_of_int,   [VAL_INT] = &methods_of_int,
        [VAL_BIGINT] = &methods_of_int, [VAL_FLOAT] = &methods_of_float,
        [VAL_STR] = &methods_of_str,    [VAL_BYTES] = &methods_of_bytes,
        [VAL_LIST] = &methods_of_list,  [VAL_TUPLE] = &methods_of_tuple,
        [VAL_DICT] = &methods_of_dict,
    };

    if (self.type == VAL_OBJ)
        return dt_method(self, name, fn, qualified) || cycler_method(self, name, fn, qualified) ||
               view_method(self, name, fn, qualified);
    if (self.type >= COUNT_OF(tables) || tables[self.type] == NULL)
        return false;
    if (lib_is_markup(self) && method_in(&methods_of_markup, name, fn, qualified))
        return true;
    return method_in(tables[self.type], name, fn, qualified);
}
