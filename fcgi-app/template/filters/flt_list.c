/*
 * first, last, length, list, reverse, random, batch, slice, chunked: sequences as they stand.
 */
#include "template/filters/flt.h"
#include "template/text.h"

int flt_first(struct call *c, struct val *out)
{
    struct iter it;
    int rc;

    if (call_bind(c, "", NULL) != 0 || iter_init(c, c->self, &it) != 0)
        return -1;
    rc = iter_next(c, &it, out);
    if (rc == 0)
        *out = vm_undef_because("No first item, sequence was empty.");
    return rc < 0 ? -1 : 0;
}

/* What Python walks backwards, and generators, which it does not: workflow-engine.md 6.2 promises the
 * last one of map() and select(). */
static bool has_last(struct val v)
{
    const struct tmpl_class *cls = tmpl_class_of(v);

    return cls == NULL ? v.type >= VAL_STR || v.type == VAL_UNDEF : cls->next != NULL;
}

int flt_last(struct call *c, struct val *out)
{
    struct val list;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = vm_undef_because("No last item, sequence was empty.");
    if (c->self.type == VAL_LIST || c->self.type == VAL_TUPLE) {
        size_t n = val_count(c->self);

        if (n > 0)
            *out = val_at(c->self, n - 1);
        return 0;
    }
    if (c->self.type == VAL_STR && c->self.len > 0)
        return vm_getitem(c, c->self, val_int(-1), out);
    if (!has_last(c->self))
        return call_raise(c, TMPL_EXC_TYPE, "'%s' object is not reversible",
                          val_type_name(c->self));
    if (iter_list(c, c->self, &list) != 0)
        return -1;
    if (val_count(list) > 0)
        *out = val_at(list, val_count(list) - 1);
    return 0;
}

/* len() of what is filtered; an undefined value has none. */
static int length(struct call *c, int64_t *n)
{
    if (lib_look(c, c->self) != 0)
        return -1;
    *n = c->self.type == VAL_UNDEF ? 0 : val_len(c->self);
    if (*n < 0)
        return call_raise(c, TMPL_EXC_TYPE, "object of type '%s' has no len()",
                          val_type_name(c->self));
    return 0;
}

int flt_length(struct call *c, struct val *out)
{
    int64_t n;

    if (call_bind(c, "", NULL) != 0 || length(c, &n) != 0)
        return -1;
    *out = val_int(n);
    return 0;
}

int flt_list(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : iter_list(c, c->self, out);
}

static int reverse_text(struct call *c, struct val *out)
{
    struct val s = c->self;
    struct buf b;
    char *to;
    const char *p = s.u.s;
    const char *end = p + s.len;

    lib_buf(c, &b);
    to = buf_reserve(&b, s.len);
    if (to != NULL) {
        b.len += s.len;
        to += s.len;
        while (p < end) {
            const char *q = p;

            utf8_next(&q, end);
            to -= q - p;
            memcpy(to, p, (size_t)(q - p));
            p = q;
        }
    }
    return lib_finish(c, &b, s.flags, out);
}

int flt_reverse(struct call *c, struct val *out)
{
    const struct val *items;
    size_t n;
    struct val list;
    struct iter it;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (c->self.type == VAL_STR)
        return reverse_text(c, out);
    if (c->self.type < VAL_STR && c->self.type != VAL_UNDEF)
        return call_raise(c, TMPL_EXC_FILTER, "argument must be iterable");
    if (c->self.type == VAL_OBJ && iter_init(c, c->self, &it) != 0)
        return call_raise(c, TMPL_EXC_FILTER, "argument must be iterable");
    if (lib_items(c, c->self, &items, &n) != 0)
        return -1;
    list = val_list_new(c->a, n);
    for (size_t i = n; i-- > 0;)
        val_list_add(list, items[i]);
    *out = gen_new(c->a, list);
    return 0;
}

int flt_random(struct call *c, struct val *out)
{
    struct val index;
    int64_t n;

    if (call_bind(c, "", NULL) != 0 || length(c, &n) != 0)
        return -1;
    if (n == 0) {
        *out = vm_undef_because("No random item, sequence was empty.");
        return 0;
    }
    index = val_int((int64_t)lib_random_below(c, (uint64_t)n));
    if (vm_getitem(c, c->self, index, out) != 0)
        return -1;
    if (c->self.type == VAL_DICT && val_is_undef(*out))
        return call_raise(c, TMPL_EXC_KEY, "%lld", (long long)index.u.i);
    return 0;
}

static void fill(struct val row, size_t n, struct val with)
{
    while (val_count(row) < n)
        val_list_add(row, with);
}

int flt_batch(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    int64_t per_row;
    struct iter it;
    struct val item;
    struct val row;
    struct val rows;
    int rc;

    if (call_bind(c, "linecount,fill_with=", arg) != 0 || lib_int(c, arg[0], &per_row) != 0 ||
        iter_init(c, c->self, &it) != 0)
        return -1;
    rows = val_list_new(c->a, 0);
    row = val_list_new(c->a, 0);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if ((int64_t)val_count(row) == per_row) {
            val_list_add(rows, row);
            row = val_list_new(c->a, (size_t)per_row);
        }
        val_list_add(row, item);
    }
    if (rc < 0)
        return -1;
    if (val_count(row) > 0) {
        if (!val_is(arg[1], VAL_NULL) && per_row > 0) {
            if (vm_memory(c, (uint64_t)per_row * sizeof(struct val)) != 0)
                return -1;
            fill(row, (size_t)per_row, arg[1]);
        }
        val_list_add(rows, row);
    }
    *out = gen_new(c->a, rows);
    return 0;
}

int flt_slice(struct call *c, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    const struct val *items;
    size_t n;
    int64_t slices;
    size_t at = 0;
    struct val rows;

    if (call_bind(c, "slices,fill_with=", arg) != 0 || lib_int(c, arg[0], &slices) != 0 ||
        lib_items(c, c->self, &items, &n) != 0)
        return -1;
    if (slices == 0)
        return call_raise(c, TMPL_EXC_ZERO_DIV, "integer division or modulo by zero");
    if (slices > 0 &&
        (vm_spend(c, slices) != 0 || vm_memory(c, (uint64_t)slices * sizeof(struct val)) != 0))
        return -1;
    rows = val_list_new(c->a, 0);
    for (int64_t i = 0; i < slices; i++) {
        bool longer = i < (int64_t)n % slices;
        size_t size = n / (size_t)slices + longer;
        struct val row = val_list_new(c->a, size + 1);

        for (size_t k = 0; k < size; k++)
            val_list_add(row, items[at++]);
        if (!longer && !val_is(arg[1], VAL_NULL))
            val_list_add(row, arg[1]);
        val_list_add(rows, row);
    }
    *out = gen_new(c->a, rows);
    return 0;
}

int flt_chunked(struct call *c, struct val *out)
{
    struct val arg = val_null();
    const struct val *items;
    size_t n;
    int64_t size;
    struct val rows;
    struct val row = val_null();

    if (call_bind(c, "n", &arg) != 0 || lib_int(c, arg, &size) != 0)
        return -1;
    if (size < 1)
        return call_raise(c, TMPL_EXC_VALUE, "chunk size must be at least 1, not %lld",
                          (long long)size);
    if (lib_items(c, val_is_none(c->self) ? val_list_new(c->a, 0) : c->self, &items, &n) != 0)
        return -1;
    rows = val_list_new(c->a, n / (size_t)size + 1);
    for (size_t i = 0; i < n; i++) {
        if (i % (size_t)size == 0) {
            row = val_list_new(c->a, n - i < (size_t)size ? n - i : (size_t)size);
            val_list_add(rows, row);
        }
        val_list_add(row, items[i]);
    }
    *out = rows;
    return 0;
}
