/*
 * Values: truth, equality, order, hash and text as Python 3.11 defines them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bigint.h"
#include "base/utf8.h"
#include "base/value_int.h"

/* How deep this thread is inside nested values; counted here so that it spans calls through
 * val_class. */
static _Thread_local unsigned depth;

bool val_enter(void)
{
    if (depth >= VAL_DEPTH_MAX)
        return false;
    depth++;
    return true;
}

void val_leave(void)
{
    depth--;
}

const char *val_type_name(struct val v)
{
    static const char *const names[] = {
        [VAL_UNDEF] = "Undefined", [VAL_NULL] = "NoneType", [VAL_BOOL] = "bool",
        [VAL_INT] = "int",         [VAL_BIGINT] = "int",    [VAL_FLOAT] = "float",
        [VAL_STR] = "str",         [VAL_BYTES] = "bytes",   [VAL_LIST] = "list",
        [VAL_TUPLE] = "tuple",     [VAL_DICT] = "dict",
    };

    if (v.type == VAL_OBJ)
        return v.u.obj->cls->name;
    return v.type == VAL_STR && (v.flags & VAL_F_MARKUP) != 0 ? "Markup" : names[v.type];
}

bool val_truth(struct val v)
{
    switch (v.type) {
    case VAL_BOOL:
        return v.u.b;
    case VAL_INT:
        return v.u.i != 0;
    case VAL_BIGINT:
        return true;
    case VAL_FLOAT:
        return v.u.f != 0;
    case VAL_STR:
    case VAL_BYTES:
        return v.len > 0;
    case VAL_LIST:
    case VAL_TUPLE:
        return v.u.list->n > 0;
    case VAL_DICT:
        return v.u.dict->n > 0;
    case VAL_OBJ:
        return v.u.obj->cls->truth == NULL || v.u.obj->cls->truth(v.u.obj);
    default:
        return false;
    }
}

/* ---- numbers ----------------------------------------------------------------------------- */

static bool is_number(struct val v)
{
    return v.type >= VAL_BOOL && v.type <= VAL_FLOAT;
}

static int64_t small_int(struct val v)
{
    return v.type == VAL_BOOL ? (int64_t)v.u.b : v.u.i;
}

static int cmp_floats(double a, double b)
{
    return isnan(a) || isnan(b) ? VAL_UNORDERED : (a > b) - (a < b);
}

/* Exact: converting `i` to a double would make 2**53 + 1 equal 2.0**53. */
static int cmp_int_float(int64_t i, double f)
{
    if (isnan(f))
        return VAL_UNORDERED;
    if (f >= 0x1p63)
        return -1;
    if (f < -0x1p63)
        return 1;
    int64_t whole = (int64_t)f;
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = f - (double)whole;
    return (rest < 0) - (rest > 0);
}

static int swapped(int order)
{
    return order == VAL_UNORDERED ? order : -order;
}

static int cmp_numbers(struct val a, struct val b)
{
    bool a_float = a.type == VAL_FLOAT;
    bool b_float = b.type == VAL_FLOAT;

    if (a_float && b_float)
        return cmp_floats(a.u.f, b.u.f);
    if (a_float)
        return swapped(cmp_numbers(b, a));
    if (b_float && a.type == VAL_BIGINT)
        return isnan(b.u.f) ? VAL_UNORDERED : bigint_cmp_double(a.u.big, b.u.f);
    if (b_float)
        return cmp_int_float(small_int(a), b.u.f);
    if (a.type == VAL_BIGINT || b.type == VAL_BIGINT)
        return bigint_cmp(a, b);
    return (small_int(a) > small_int(b)) - (small_int(a) < small_int(b));
}

/* ---- equality and order ------------------------------------------------------------------ */

static bool eq_lists(const struct val_list *a, const struct val_list *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (!val_eq(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

static bool eq_dicts(const struct val_dict *a, const struct val_dict *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        uint64_t hash = 0;
        const struct val_pair *other = val_dict_find(b, a->pairs[i].key, &hash);
        if (other == NULL || !val_eq(a->pairs[i].value, other->value))
            return false;
    }
    return true;
}

static bool eq_containers(struct val a, struct val b)
{
    if (a.u.list == b.u.list)
        return true;
    if (!val_enter())
        return false;
    a = val_open(a);
    b = val_open(b);
    bool eq = a.type == VAL_DICT ? eq_dicts(a.u.dict, b.u.dict) : eq_lists(a.u.list, b.u.list);
    val_leave();
    return eq;
}

bool val_eq(struct val a, struct val b)
{
    if (a.type == VAL_INT && b.type == VAL_INT)
        return a.u.i == b.u.i;
    if (is_number(a) && is_number(b))
        return cmp_numbers(a, b) == 0;
    if (a.type == VAL_OBJ || b.type == VAL_OBJ) {
        if (a.type == VAL_OBJ && b.type == VAL_OBJ && a.u.obj == b.u.obj)
            return true;
        if (a.type == VAL_OBJ && a.u.obj->cls->eq != NULL)
            return a.u.obj->cls->eq(a.u.obj, b);
        return b.type == VAL_OBJ && b.u.obj->cls->eq != NULL && b.u.obj->cls->eq(b.u.obj, a);
    }
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case VAL_STR:
    case VAL_BYTES:
        return a.len == b.len && memcmp(a.u.s, b.u.s, a.len) == 0;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        return eq_containers(a, b);
    default: /* both None, both undefined */
        return true;
    }
}

/* As Python: the first items that differ decide, else the length. */
static int cmp_lists(struct val a, struct val b, int *out)
{
    const struct val_list *x = val_open(a).u.list;
    const struct val_list *y = val_open(b).u.list;
    uint32_t n = x->n < y->n ? x->n : y->n;

    if (!val_enter())
        return -1;
    uint32_t i = 0;
    while (i < n && val_eq(x->items[i], y->items[i]))
        i++;
    int rc = 0;
    if (i < n)
        rc = val_cmp(x->items[i], y->items[i], out);
    else
        *out = (x->n > y->n) - (x->n < y->n);
    val_leave();
    return rc;
}

int val_cmp(struct val a, struct val b, int *out)
{
    if (is_number(a) && is_number(b)) {
        *out = cmp_numbers(a, b);
        return 0;
    }
    if (a.type == VAL_OBJ && a.u.obj->cls->cmp != NULL)
        return a.u.obj->cls->cmp(a.u.obj, b, out);
    if (b.type == VAL_OBJ && b.u.obj->cls->cmp != NULL) {
        int rc = b.u.obj->cls->cmp(b.u.obj, a, out);
        *out = swapped(*out);
        return rc;
    }
    if (a.type != b.type)
        return -1;
    if (a.type == VAL_STR || a.type == VAL_BYTES) {
        /* the order of UTF-8's bytes is that of the code points */
        int c = str_cmp(val_text(a), val_text(b));
        *out = (c > 0) - (c < 0);
        return 0;
    }
    return a.type == VAL_LIST || a.type == VAL_TUPLE ? cmp_lists(a, b, out) : -1;
}

/* ---- hash -------------------------------------------------------------------------------- */

bool val_hashable(struct val v)
{
    if (v.type == VAL_OBJ)
        return v.u.obj->cls->hash != NULL;
    if (v.type != VAL_TUPLE)
        return v.type != VAL_LIST && v.type != VAL_DICT;
    if (!val_enter())
        return false;
    uint32_t i = 0;
    while (i < v.u.list->n && val_hashable(v.u.list->items[i]))
        i++;
    val_leave();
    return i == v.u.list->n;
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

/* The hash of the integer it equals, where there is one. */
static uint64_t hash_float(double f)
{
    uint64_t bits = 0;

    if (float_fits_int(f) && f == (double)(int64_t)f)
        return mix((uint64_t)(int64_t)f);
    memcpy(&bits, &f, sizeof(bits));
    return mix(bits);
}

static uint64_t hash_tuple(const struct val_list *l)
{
    uint64_t h = l->n;

    if (!val_enter())
        return h;
    for (uint32_t i = 0; i < l->n; i++)
        h = mix(h ^ val_hash(l->items[i]));
    val_leave();
    return h;
}

static uint64_t hash_of(struct val v)
{
    switch (v.type) {
    case VAL_BOOL:
    case VAL_INT:
        return mix((uint64_t)small_int(v));
    case VAL_BIGINT: {
        double d = bigint_to_double(v.u.big);
        return isinf(d) ? bigint_hash(v.u.big) : hash_float(d);
    }
    case VAL_FLOAT:
        return hash_float(v.u.f);
    case VAL_STR:
        return val_hash_text(val_text(v));
    case VAL_BYTES:
        return mix(str_hash(val_text(v)));
    case VAL_TUPLE:
        return hash_tuple(v.u.list);
    case VAL_OBJ:
        return v.u.obj->cls->hash != NULL ? v.u.obj->cls->hash(v.u.obj) : VAL_OBJ;
    default: /* None, undefined; lists and dictionaries, which are no keys in Python */
        return mix(v.type);
    }
}

uint64_t val_hash(struct val v)
{
    uint64_t h = hash_of(v);

    return h != 0 ? h : 1;
}

/* ---- text -------------------------------------------------------------------------------- */

/* Single quotes, unless that would need an escape and double quotes would not. */
static char quote_for(struct str s)
{
    return str_find_char(s, '\'') >= 0 && str_find_char(s, '"') < 0 ? '"' : '\'';
}

/* The escapes that texts and bytes share; false for others. */
static bool put_escape(unsigned char c, char quote, struct buf *out)
{
    switch (c) {
    case '\n':
        buf_add_c(out, "\\n");
        return true;
    case '\r':
        buf_add_c(out, "\\r");
        return true;
    case '\t':
        buf_add_c(out, "\\t");
        return true;
    default:
        if (c != '\\' && c != (unsigned char)quote)
            return false;
        buf_putc(out, '\\');
        buf_putc(out, (char)c);
        return true;
    }
}

static void repr_bytes(struct str s, struct buf *out)
{
    char quote = quote_for(s);

    buf_putc(out, 'b');
    buf_putc(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (put_escape(c, quote, out))
            continue;
        if (c < 0x20 || c >= 0x7f)
            buf_addf(out, "\\x%02x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, quote);
}

static void repr_text(struct str s, struct buf *out)
{
    char quote = quote_for(s);
    const char *p = s.p;
    const char *end = s.p + s.len;

    buf_putc(out, quote);
    while (p < end) {
        const char *from = p;
        uint32_t cp = utf8_next(&p, end);
        if (cp < 0x80 && put_escape((unsigned char)cp, quote, out))
            continue;
        if (utf8_printable(cp))
            buf_add(out, from, (size_t)(p - from));
        else if (cp < 0x100)
            buf_addf(out, "\\x%02x", cp);
        else
            buf_addf(out, cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
    }
    buf_putc(out, quote);
}

static void repr_list(struct val v, struct buf *out)
{
    const struct val_list *l = v.u.list;
    bool tuple = v.type == VAL_TUPLE;

    buf_putc(out, tuple ? '(' : '[');
    for (uint32_t i = 0; i < l->n && !out->over; i++) {
        if (i > 0)
            buf_add_c(out, ", ");
        val_to_repr(l->items[i], out);
    }
    if (tuple && l->n == 1)
        buf_putc(out, ',');
    buf_putc(out, tuple ? ')' : ']');
}

static void repr_dict(const struct val_dict *d, struct buf *out)
{
    buf_putc(out, '{');
    for (uint32_t i = 0; i < d->n && !out->over; i++) {
        if (i > 0)
            buf_add_c(out, ", ");
        val_to_repr(d->pairs[i].key, out);
        buf_add_c(out, ": ");
        val_to_repr(d->pairs[i].value, out);
    }
    buf_putc(out, '}');
}

static void repr_container(struct val v, struct buf *out)
{
    if (!val_enter()) {
        buf_add_c(out, "...");
        return;
    }
    v = val_open(v);
    if (v.type == VAL_DICT)
        repr_dict(v.u.dict, out);
    else
        repr_list(v, out);
    val_leave();
}

static void put_object(const struct val_obj *o, bool as_repr, struct buf *out)
{
    void (*fn)(const struct val_obj *, struct buf *) = o->cls->str;

    if (o->cls->repr != NULL && (as_repr || fn == NULL))
        fn = o->cls->repr;
    if (fn == NULL) {
        buf_addf(out, "<%s object>", o->cls->name);
    } else if (val_enter()) {
        fn(o, out);
        val_leave();
    } else {
        buf_add_c(out, "...");
    }
}

void val_to_repr(struct val v, struct buf *out)
{
    char number[32];

    switch (v.type) {
    case VAL_UNDEF:
        buf_add_c(out, "Undefined");
        break;
    case VAL_NULL:
        buf_add_c(out, "None");
        break;
    case VAL_BOOL:
        buf_add_c(out, v.u.b ? "True" : "False");
        break;
    case VAL_INT:
        buf_add_int(out, v.u.i);
        break;
    case VAL_BIGINT:
        bigint_write(v.u.big, out);
        break;
    case VAL_FLOAT:
        buf_add(out, number, val_float_repr(v.u.f, number));
        break;
    case VAL_STR:
        buf_add_c(out, (v.flags & VAL_F_MARKUP) != 0 ? "Markup(" : "");
        repr_text(val_text(v), out);
        buf_add_c(out, (v.flags & VAL_F_MARKUP) != 0 ? ")" : "");
        break;
    case VAL_BYTES:
        repr_bytes(val_text(v), out);
        break;
    case VAL_OBJ:
        put_object(v.u.obj, true, out);
        break;
    default:
        repr_container(v, out);
        break;
    }
}

void val_to_str(struct val v, struct buf *out)
{
    if (v.type == VAL_STR)
        buf_add_str(out, val_text(v));
    else if (v.type == VAL_OBJ)
        put_object(v.u.obj, false, out);
    else if (v.type != VAL_UNDEF)
        val_to_repr(v, out);
}

struct str val_str_of(struct val v, struct arena *a)
{
    struct buf out;

    if (v.type == VAL_STR)
        return val_text(v);
    buf_init(&out, UINT32_MAX - 1, a);
    val_to_str(v, &out);
    return str_make(buf_cstr(&out), out.len);
}
