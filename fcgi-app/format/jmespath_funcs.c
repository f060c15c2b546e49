/*
 * The functions of JMESPath: one table, arguments checked before the call.
 *
 * Rule: jmespath.org specification, "Built-in Functions".
 */
#include "format/jmespath_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/bigint.h"
#include "base/json.h"
#include "base/utf8.h"
#include "format/json_equal.h"

/* Types a parameter may accept. */
enum {
    T_NUMBER = 1,
    T_STRING = 2,
    T_BOOL = 4,
    T_ARRAY = 8,
    T_OBJECT = 16,
    T_NULL = 32,
    T_EXPR = 64,
    T_NUMBERS = 128, /* an array of numbers only */
    T_STRINGS = 256, /* an array of texts only */
    T_ANY = T_NUMBER | T_STRING | T_BOOL | T_ARRAY | T_OBJECT | T_NULL,
};

static const struct {
    unsigned type;
    const char *name;
} type_names[] = {
    {T_NUMBER, "a number"},           {T_STRING, "a text"},
    {T_BOOL, "true or false"},        {T_ARRAY, "an array"},
    {T_OBJECT, "an object"},          {T_NULL, "null"},
    {T_EXPR, "an expression (&...)"}, {T_NUMBERS, "an array of numbers"},
    {T_STRINGS, "an array of texts"},
};

static unsigned type_of(struct val v)
{
    if (json_is_number(v))
        return T_NUMBER;
    if (json_is_array(v))
        return T_ARRAY;
    switch (v.type) {
    case VAL_STR:
        return T_STRING;
    case VAL_BOOL:
        return T_BOOL;
    case VAL_NULL:
    case VAL_UNDEF:
        return T_NULL;
    default:
        return T_OBJECT;
    }
}

/* Is every item of the array of `type`? */
static bool all_of(struct val array, unsigned type)
{
    for (size_t i = 0, n = val_count(array); i < n; i++)
        if (type_of(val_at(array, i)) != type)
            return false;
    return true;
}

static bool accepts(unsigned types, const struct jp_arg *arg)
{
    unsigned type = arg->expr != NULL ? T_EXPR : type_of(arg->value);

    if (types & type)
        return true;
    if (type != T_ARRAY)
        return false;
    return ((types & T_NUMBERS) && all_of(arg->value, T_NUMBER)) ||
           ((types & T_STRINGS) && all_of(arg->value, T_STRING));
}

static int wrong_type(struct jp_run *r, const struct jp_function *f, size_t which, unsigned types,
                      const struct jp_arg *arg)
{
    unsigned type = arg->expr != NULL ? T_EXPR : type_of(arg->value);
    const char *got = "";
    struct buf wanted;

    buf_init(&wanted, 256, r->a);
    for (size_t i = 0; i < COUNT_OF(type_names); i++) {
        if (type_names[i].type == type)
            got = type_names[i].name;
        if (types & type_names[i].type) {
            if (wanted.len > 0)
                buf_add_c(&wanted, " or ");
            buf_add_c(&wanted, type_names[i].name);
        }
    }
    err_set(r->e, ERR_INVALID, "%s(): argument %zu must be %s, not %s", f->name, which + 1,
            buf_cstr(&wanted),
            (types & (T_NUMBERS | T_STRINGS)) && type == T_ARRAY ? "an array of other things"
                                                                 : got);
    return -1;
}

int jp_function_call(struct jp_run *r, const struct jp_function *f, const struct jp_arg *args,
                     size_t n, struct val *out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned types = f->params[i < f->n_params ? i : (size_t)f->n_params - 1];

        if (args[i].expr == NULL && jp_steps(r, val_count(args[i].value)) != 0)
            return -1;
        if (!accepts(types, &args[i]))
            return wrong_type(r, f, i, types, &args[i]);
    }
    return f->call(r, args, n, out);
}

/* ---- numbers ----------------------------------------------------------------------------- */

static int fn_abs(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v = args[0].value;

    (void)n;
    if (val_is(v, VAL_FLOAT))
        *out = val_float(fabs(v.u.f));
    else if (val_is(v, VAL_INT) ? v.u.i < 0 : bigint_sign(v.u.big) < 0)
        *out = bigint_neg(v, r->a);
    else
        *out = v;
    return 0;
}

static int fn_ceil(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v = args[0].value;

    (void)n;
    *out = val_is(v, VAL_FLOAT) && isfinite(v.u.f) ? bigint_from_double(ceil(v.u.f), r->a) : v;
    return 0;
}

static int fn_floor(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v = args[0].value;

    (void)n;
    *out = val_is(v, VAL_FLOAT) && isfinite(v.u.f) ? bigint_from_double(floor(v.u.f), r->a) : v;
    return 0;
}

static double as_double(struct val v)
{
    if (val_is(v, VAL_FLOAT))
        return v.u.f;
    return val_is(v, VAL_BIGINT) ? bigint_to_double(v.u.big) : (double)v.u.i;
}

/* Whole numbers are added exactly. */
static int fn_sum(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val list = args[0].value;

    (void)n;
    *out = val_int(0);
    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);

        if (val_is(*out, VAL_FLOAT) || val_is(item, VAL_FLOAT))
            *out = val_float(as_double(*out) + as_double(item));
        else if (bigint_op(BIG_ADD, *out, item, out, r->a, r->e) != 0)
            return -1;
    }
    return 0;
}

static int fn_avg(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    size_t count = val_count(args[0].value);

    *out = val_null();
    if (count == 0)
        return 0;
    if (fn_sum(r, args, n, out) != 0)
        return -1;
    *out = val_float(as_double(*out) / (double)count);
    return 0;
}

static int fn_to_number(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct str text = val_text(args[0].value);
    struct err ignored;

    (void)n;
    *out = json_is_number(args[0].value) ? args[0].value : val_null();
    if (!val_is(args[0].value, VAL_STR) || text.len == 0 ||
        strchr("-0123456789", text.p[0]) == NULL || str_trim(text).len != text.len)
        return 0;
    if (json_parse(text, out, r->a, &ignored) != 0)
        *out = val_null();
    return 0;
}

/* ---- texts ------------------------------------------------------------------------------- */

static int fn_starts_with(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)r;
    (void)n;
    *out = val_bool(str_starts(val_text(args[0].value), val_text(args[1].value)));
    return 0;
}

static int fn_ends_with(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)r;
    (void)n;
    *out = val_bool(str_ends(val_text(args[0].value), val_text(args[1].value)));
    return 0;
}

static int fn_join(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct buf b;

    (void)n;
    buf_init(&b, 64 * MIB, r->a);
    for (size_t i = 0; i < val_count(args[1].value); i++) {
        if (i > 0)
            buf_add_str(&b, val_text(args[0].value));
        buf_add_str(&b, val_text(val_at(args[1].value, i)));
    }
    if (b.over) {
        err_set(r->e, ERR_LIMIT, "join(): the result is too long");
        return -1;
    }
    *out = val_str(buf_str(&b));
    return 0;
}

static int fn_to_string(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    *out = val_is(args[0].value, VAL_STR) ? args[0].value : val_str(json_text(args[0].value, r->a));
    return 0;
}

static struct val reversed_text(struct jp_run *r, struct str s)
{
    char *to = arena_alloc(r->a, s.len + 1);
    const char *p = s.p;
    size_t at = s.len;

    while (p < s.p + s.len) {
        const char *from = p;
        size_t bytes;

        (void)utf8_next(&p, s.p + s.len);
        bytes = (size_t)(p - from);
        at -= bytes;
        memcpy(to + at, from, bytes);
    }
    return val_str(str_make(to, s.len));
}

/* ---- arrays and objects ------------------------------------------------------------------ */

static int fn_reverse(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v = args[0].value;

    (void)n;
    if (val_is(v, VAL_STR)) {
        *out = reversed_text(r, val_text(v));
        return 0;
    }
    *out = val_list_new(r->a, val_count(v));
    for (size_t i = val_count(v); i > 0; i--)
        val_list_add(*out, val_at(v, i - 1));
    return 0;
}

static int fn_contains(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val in = args[0].value;

    (void)r;
    (void)n;
    *out = val_bool(false);
    if (val_is(in, VAL_STR)) {
        *out = val_bool(val_is(args[1].value, VAL_STR) &&
                        str_find(val_text(in), val_text(args[1].value)) >= 0);
        return 0;
    }
    for (size_t i = 0; i < val_count(in) && !out->u.b; i++)
        *out = val_bool(json_equal(val_at(in, i), args[1].value));
    return 0;
}

static int fn_length(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v = args[0].value;

    (void)r;
    (void)n;
    *out = val_int((int64_t)(val_is(v, VAL_STR) ? utf8_len(val_text(v)) : val_count(v)));
    return 0;
}

static int members(struct jp_run *r, struct val object, bool keys, struct val *out)
{
    struct val key;
    struct val value;

    *out = val_list_new(r->a, val_count(object));
    for (size_t i = 0; val_pair_at(object, i, &key, &value); i++)
        val_list_add(*out, keys ? key : value);
    return 0;
}

static int fn_keys(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return members(r, args[0].value, true, out);
}

static int fn_values(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return members(r, args[0].value, false, out);
}

static int fn_merge(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val key;
    struct val value;

    *out = val_dict_new(r->a, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; val_pair_at(args[i].value, k, &key, &value); k++)
            val_dict_set(*out, key, value);
    return 0;
}

static int fn_map(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    struct val v;

    (void)n;
    *out = val_list_new(r->a, val_count(args[1].value));
    for (size_t i = 0; i < val_count(args[1].value); i++) {
        if (jp_eval(r, args[0].expr, val_at(args[1].value, i), &v) != 0)
            return -1;
        val_list_add(*out, v);
    }
    return 0;
}

static int fn_not_null(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)r;
    *out = val_null();
    for (size_t i = 0; i < n && val_is_none(*out); i++)
        *out = args[i].value;
    return 0;
}

static int fn_to_array(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    *out = args[0].value;
    if (!json_is_array(*out)) {
        *out = val_list_new(r->a, 1);
        val_list_add(*out, args[0].value);
    }
    return 0;
}

static int fn_type(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    unsigned type = type_of(args[0].value);

    (void)r;
    (void)n;
    *out = type == T_NUMBER   ? VAL_STR_LIT("number")
           : type == T_STRING ? VAL_STR_LIT("string")
           : type == T_BOOL   ? VAL_STR_LIT("boolean")
           : type == T_ARRAY  ? VAL_STR_LIT("array")
           : type == T_NULL   ? VAL_STR_LIT("null")
                              : VAL_STR_LIT("object");
    return 0;
}

/* ---- order ------------------------------------------------------------------------------- */

/* An item with what it is sorted by, and its place, which keeps equal ones in order. */
struct sortable {
    struct val key;
    struct val item;
    size_t place;
};

static int key_order(struct val a, struct val b)
{
    int order = 0;

    return val_cmp(a, b, &order) == 0 ? order : 0;
}

static int compare_sortables(const void *pa, const void *pb)
{
    const struct sortable *a = pa;
    const struct sortable *b = pb;
    int order = key_order(a->key, b->key);

    if (order != 0)
        return order;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Items of `list` with their keys; keys are all numbers or all texts. */
static int keyed(struct jp_run *r, struct val list, const struct jp_node *by, const char *function,
                 struct sortable **out)
{
    size_t n = val_count(list);
    struct sortable *s = ARENA_ARRAY(r->a, struct sortable, n);

    for (size_t i = 0; i < n; i++) {
        unsigned type;

        s[i].item = val_at(list, i);
        s[i].key = s[i].item;
        s[i].place = i;
        if (by != NULL && jp_eval(r, by, s[i].item, &s[i].key) != 0)
            return -1;
        type = type_of(s[i].key);
        if ((type != T_NUMBER && type != T_STRING) || type != type_of(s[0].key)) {
            err_set(r->e, ERR_INVALID, "%s(): the keys must be all numbers or all texts", function);
            return -1;
        }
    }
    *out = s;
    return 0;
}

static int sorted(struct jp_run *r, struct val list, const struct jp_node *by, const char *function,
                  struct val *out)
{
    size_t n = val_count(list);
    struct sortable *s = NULL;

    if (keyed(r, list, by, function, &s) != 0)
        return -1;
    if (n > 1)
        qsort(s, n, sizeof *s, compare_sortables);
    *out = val_list_new(r->a, n);
    for (size_t i = 0; i < n; i++)
        val_list_add(*out, s[i].item);
    return 0;
}

/* The first item with the largest (sign 1) or smallest (-1) key; null when there is none. */
static int extreme(struct jp_run *r, struct val list, const struct jp_node *by,
                   const char *function, int sign, struct val *out)
{
    size_t n = val_count(list);
    size_t best = 0;
    struct sortable *s = NULL;

    if (keyed(r, list, by, function, &s) != 0)
        return -1;
    for (size_t i = 1; i < n; i++)
        if (key_order(s[i].key, s[best].key) * sign > 0)
            best = i;
    *out = n > 0 ? s[best].item : val_null();
    return 0;
}

static int fn_sort(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return sorted(r, args[0].value, NULL, "sort", out);
}

static int fn_sort_by(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return sorted(r, args[0].value, args[1].expr, "sort_by", out);
}

static int fn_max(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return extreme(r, args[0].value, NULL, "max", 1, out);
}

static int fn_min(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return extreme(r, args[0].value, NULL, "min", -1, out);
}

static int fn_max_by(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return extreme(r, args[0].value, args[1].expr, "max_by", 1, out);
}

static int fn_min_by(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out)
{
    (void)n;
    return extreme(r, args[0].value, args[1].expr, "min_by", -1, out);
}

/* ---- the table, by name ------------------------------------------------------------------ */

static const struct jp_function functions[] = {
    {"abs", {T_NUMBER}, 1, false, fn_abs},
    {"avg", {T_NUMBERS}, 1, false, fn_avg},
    {"ceil", {T_NUMBER}, 1, false, fn_ceil},
    {"contains", {T_ARRAY | T_STRING, T_ANY}, 2, false, fn_contains},
    {"ends_with", {T_STRING, T_STRING}, 2, false, fn_ends_with},
    {"floor", {T_NUMBER}, 1, false, fn_floor},
    {"join", {T_STRING, T_STRINGS}, 2, false, fn_join},
    {"keys", {T_OBJECT}, 1, false, fn_keys},
    {"length", {T_STRING | T_ARRAY | T_OBJECT}, 1, false, fn_length},
    {"map", {T_EXPR, T_ARRAY}, 2, false, fn_map},
    {"max", {T_NUMBERS | T_STRINGS}, 1, false, fn_max},
    {"max_by", {T_ARRAY, T_EXPR}, 2, false, fn_max_by},
    {"merge", {T_OBJECT}, 1, true, fn_merge},
    {"min", {T_NUMBERS | T_STRINGS}, 1, false, fn_min},
    {"min_by", {T_ARRAY, T_EXPR}, 2, false, fn_min_by},
    {"not_null", {T_ANY}, 1, true, fn_not_null},
    {"reverse", {T_ARRAY | T_STRING}, 1, false, fn_reverse},
    {"sort", {T_NUMBERS | T_STRINGS}, 1, false, fn_sort},
    {"sort_by", {T_ARRAY, T_EXPR}, 2, false, fn_sort_by},
    {"starts_with", {T_STRING, T_STRING}, 2, false, fn_starts_with},
    {"sum", {T_NUMBERS}, 1, false, fn_sum},
    {"to_array", {T_ANY}, 1, false, fn_to_array},
    {"to_number", {T_ANY}, 1, false, fn_to_number},
    {"to_string", {T_ANY}, 1, false, fn_to_string},
    {"type", {T_ANY}, 1, false, fn_type},
    {"values", {T_OBJECT}, 1, false, fn_values},
};

const struct jp_function *jp_function_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (str_eq_c(name, functions[i].name))
            return &functions[i];
    return NULL;
}
