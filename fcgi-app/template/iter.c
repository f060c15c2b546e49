/*
 * Iterating over anything Python iterates.
 */
#include "base/utf8.h"
#include "template/vm_int.h"

static int not_iterable(struct call *c, struct val v)
{
    return call_raise(c, TMPL_EXC_TYPE, "'%s' object is not iterable", val_type_name(v));
}

int iter_init(struct call *c, struct val v, struct iter *it)
{
    const struct tmpl_class *cls;

    it->v = v;
    it->i = 0;
    it->obj = NULL;
    switch (v.type) {
    case VAL_STR:
    case VAL_BYTES:
        return 0;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        it->v = val_open(v);
        return 0;
    case VAL_UNDEF:
        return undef_look(c, v);
    case VAL_OBJ:
        cls = tmpl_class_of(v);
        if (cls->next == NULL)
            return not_iterable(c, v);
        it->obj = cls->reiterable && cls->iter != NULL ? cls->iter(v.u.obj, c->a) : v.u.obj;
        return 0;
    default:
        return not_iterable(c, v);
    }
}

static int next_char(struct iter *it, struct val *out)
{
    const char *p = it->v.u.s + it->i;
    const char *end = it->v.u.s + it->v.len;
    const char *q = p;
    unsigned char flags = 0; /* the letters of markup are plain texts, as in Python */

    if (p >= end)
        return 0;
    if ((unsigned char)*p < 0x80) {
        q++;
        flags |= VAL_F_ASCII;
    } else {
        (void)utf8_next(&q, end);
    }
    *out = val_str(str_make(p, (size_t)(q - p)));
    out->flags = flags;
    it->i += (size_t)(q - p);
    return 1;
}

int iter_next(struct call *c, struct iter *it, struct val *out)
{
    switch (it->v.type) {
    case VAL_LIST:
    case VAL_TUPLE:
        if (it->i >= it->v.u.list->n)
            return 0;
        *out = it->v.u.list->items[it->i++];
        return 1;
    case VAL_DICT:
        if (it->i >= it->v.u.dict->n)
            return 0;
        *out = it->v.u.dict->pairs[it->i++].key;
        return 1;
    case VAL_STR:
        return next_char(it, out);
    case VAL_BYTES:
        if (it->i >= it->v.len)
            return 0;
        *out = val_int((unsigned char)it->v.u.s[it->i++]);
        return 1;
    case VAL_OBJ:
        return tmpl_class_of(val_obj(it->obj))->next(it->obj, c, out);
    default:
        return 0;
    }
}

int iter_list(struct call *c, struct val v, struct val *out)
{
    struct iter it;
    struct val item;
    int rc;

    if (iter_init(c, v, &it) != 0)
        return -1;
    if (it.v.type == VAL_LIST || it.v.type == VAL_TUPLE) {
        size_t n = it.v.u.list->n;

        if (vm_memory(c, n * sizeof(struct val)) != 0)
            return -1;
        *out = val_list_new(c->a, n);
        if (n > 0)
            memcpy(out->u.list->items, it.v.u.list->items, n * sizeof(struct val));
        out->u.list->n = (uint32_t)n;
        return 0;
    }
    *out = val_list_new(c->a, 8);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        val_list_add(*out, item);
        if (vm_spend(c, 1) != 0)
            return -1;
    }
    return rc;
}

int64_t val_len(struct val v)
{
    const struct tmpl_class *cls;

    switch (v.type) {
    case VAL_STR:
        if ((v.flags & VAL_F_ASCII) != 0)
            return v.len;
        return (int64_t)utf8_len(val_text(v));
    case VAL_BYTES:
        return v.len;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        return (int64_t)val_count(v);
    case VAL_UNDEF:
        return 0;
    case VAL_OBJ:
        cls = tmpl_class_of(v);
        return cls->len != NULL ? cls->len(v.u.obj) : -1;
    default:
        return -1;
    }
}
