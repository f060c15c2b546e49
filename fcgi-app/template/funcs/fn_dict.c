/*
 * dict and namespace: objects made of keywords and pairs.
 */
#include "template/funcs/fn.h"

static int put(struct call *c, struct val dict, struct val key, struct val value)
{
    if (!val_hashable(key))
        return call_raise(c, TMPL_EXC_TYPE, "unhashable type: '%s'", val_type_name(key));
    val_dict_set(dict, key, value);
    return 0;
}

static int put_pairs(struct call *c, struct val dict, struct val pairs)
{
    struct iter it;
    struct val item;
    size_t i = 0;
    int rc;

    if (iter_init(c, pairs, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        const struct val *pair;
        size_t n;

        if (item.type < VAL_STR)
            return call_raise(
                c, TMPL_EXC_TYPE,
                "cannot convert dictionary update sequence element #%zu to a sequence", i);
        if (lib_items(c, item, &pair, &n) != 0)
            return -1;
        if (n != 2)
            return call_raise(
                c, TMPL_EXC_VALUE,
                "dictionary update sequence element #%zu has length %zu; 2 is required", i, n);
        if (put(c, dict, pair[0], pair[1]) != 0)
            return -1;
        i++;
    }
    return rc;
}

int lib_make_dict(struct call *c, struct val *out)
{
    struct val dict = val_dict_new(c->a, c->n_kw);
    struct val key;
    struct val value;

    if (c->n_pos > 1)
        return call_raise(c, TMPL_EXC_TYPE, "dict expected at most 1 argument, got %zu", c->n_pos);
    if (c->n_pos == 1 && c->pos[0].type == VAL_DICT) {
        for (size_t i = 0; val_pair_at(c->pos[0], i, &key, &value); i++)
            val_dict_set(dict, key, value);
    } else if (c->n_pos == 1 && put_pairs(c, dict, c->pos[0]) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->n_kw; i++)
        val_dict_set_str(dict, c->kw[i].name, c->kw[i].value);
    *out = dict;
    return 0;
}

int fn_dict(struct call *c, struct val *out)
{
    return lib_make_dict(c, out);
}

/* ---- namespace ---------------------------------------------------------------------------- */

struct ns {
    struct val_obj obj;
    struct val dict;
};

static void ns_str(const struct val_obj *o, struct buf *out)
{
    buf_add_c(out, "<Namespace ");
    val_to_repr(((const struct ns *)(const void *)o)->dict, out);
    buf_putc(out, '>');
}

static struct val ns_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    (void)a;
    return val_get_str(((const struct ns *)(const void *)o)->dict, name);
}

static int ns_setattr(struct val_obj *o, struct str name, struct val v, struct call *c)
{
    val_dict_set_str(((const struct ns *)(const void *)o)->dict, str_dup(c->a, name), v);
    return 0;
}

static const struct tmpl_class ns_class = {
    .base = {.name = "Namespace", .str = ns_str},
    .getattr = ns_getattr,
    .setattr = ns_setattr,
};

int fn_namespace(struct call *c, struct val *out)
{
    struct ns *ns = ARENA_NEW(c->a, struct ns);

    ns->obj.cls = &ns_class.base;
    if (lib_make_dict(c, &ns->dict) != 0)
        return -1;
    *out = val_obj(&ns->obj);
    return 0;
}
