/*
 * items, combine, dict_filter: objects.
 */
#include "template/filters/flt.h"

int flt_items(struct call *c, struct val *out)
{
    struct val list;
    struct val key;
    struct val value;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (!val_is(c->self, VAL_DICT) && !val_is_undef(c->self))
        return call_raise(c, TMPL_EXC_TYPE, "Can only get item pairs from a mapping.");
    list = val_list_new(c->a, val_count(c->self));
    for (size_t i = 0; val_is(c->self, VAL_DICT) && val_pair_at(c->self, i, &key, &value); i++) {
        struct val pair = val_tuple_new(c->a, 2);

        val_list_add(pair, key);
        val_list_add(pair, value);
        val_list_add(list, pair);
    }
    *out = gen_new(c->a, list);
    return 0;
}

/* ---- combine ------------------------------------------------------------------------------ */

enum list_merge { MERGE_REPLACE, MERGE_APPEND, MERGE_PREPEND, MERGE_KEEP };

struct combine {
    struct call *c;
    bool recursive;
    enum list_merge lists;
};

static struct val merge_lists(const struct combine *m, struct val left, struct val right)
{
    struct val first = m->lists == MERGE_PREPEND ? right : left;
    struct val second = m->lists == MERGE_PREPEND ? left : right;
    struct val list;

    if (m->lists == MERGE_REPLACE)
        return right;
    if (m->lists == MERGE_KEEP)
        return left;
    list = val_list_new(m->c->a, val_count(first) + val_count(second));
    for (size_t i = 0; i < val_count(first); i++)
        val_list_add(list, val_at(first, i));
    for (size_t i = 0; i < val_count(second); i++)
        val_list_add(list, val_at(second, i));
    return list;
}

static struct val copy_dict(struct call *c, struct val from)
{
    struct val dict = val_dict_new(c->a, val_count(from));
    struct val key;
    struct val value;

    for (size_t i = 0; val_pair_at(from, i, &key, &value); i++)
        val_dict_set(dict, key, value);
    return dict;
}

/* Put the members of `from` into `into`, which is ours. */
static int merge_dict(const struct combine *m, struct val into, struct val from, int depth)
{
    struct val key;
    struct val value;

    if (depth > LIMIT_JSON_DEPTH)
        return call_raise(m->c, TMPL_EXC_LIMIT, "objects are nested deeper than %d",
                          LIMIT_JSON_DEPTH);
    for (size_t i = 0; val_pair_at(from, i, &key, &value); i++) {
        struct val old = val_get_val(into, key);

        if (m->recursive && old.type == VAL_DICT && value.type == VAL_DICT) {
            old = copy_dict(m->c, old);
            if (merge_dict(m, old, value, depth + 1) != 0)
                return -1;
            value = old;
        } else if (old.type == VAL_LIST && value.type == VAL_LIST) {
            value = merge_lists(m, old, value);
        }
        val_dict_set(into, key, value);
    }
    return 0;
}

static int combine_options(struct call *c, struct combine *m)
{
    static const char *const names[] = {"replace", "append", "prepend", "keep"};

    for (size_t i = 0; i < c->n_kw; i++) {
        struct str name = c->kw[i].name;
        bool known = false;

        if (str_eq_c(name, "recursive")) {
            m->recursive = val_truth(c->kw[i].value);
            continue;
        }
        if (!str_eq_c(name, "list_merge"))
            return call_raise(c, TMPL_EXC_TYPE,
                              "combine() got an unexpected keyword argument '%.*s'", STR_ARG(name));
        for (size_t k = 0; k < COUNT_OF(names); k++) {
            if (str_eq_c(val_text(c->kw[i].value), names[k])) {
                m->lists = (enum list_merge)k;
                known = true;
            }
        }
        if (!known)
            return call_raise(c, TMPL_EXC_VALUE,
                              "list_merge must be replace, append, prepend or keep, not %.*s",
                              STR_ARG(lib_repr(c, c->kw[i].value)));
    }
    return 0;
}

int flt_combine(struct call *c, struct val *out)
{
    struct combine m = {.c = c};
    struct val result = val_dict_new(c->a, val_count(c->self));

    if (combine_options(c, &m) != 0)
        return -1;
    for (size_t i = 0; i <= c->n_pos; i++) {
        struct val v = i == 0 ? c->self : c->pos[i - 1];

        if (val_is_none(v))
            continue;
        if (!val_is(v, VAL_DICT))
            return call_raise(c, TMPL_EXC_TYPE, "combine expects objects, got '%s'",
                              val_type_name(v));
        if (merge_dict(&m, result, v, 0) != 0)
            return -1;
    }
    *out = result;
    return 0;
}

/* ---- dict_filter ---------------------------------------------------------------------------- */

static bool wanted(struct call *c, struct val key)
{
    for (size_t i = 0; i < c->n_pos; i++) {
        struct val v = c->pos[i];

        if (v.type != VAL_LIST && v.type != VAL_TUPLE) {
            if (val_eq(v, key))
                return true;
            continue;
        }
        for (size_t k = 0; k < val_count(v); k++) {
            if (val_eq(val_at(v, k), key))
                return true;
        }
    }
    return false;
}

static struct val filter_one(struct call *c, struct val from)
{
    struct val dict = val_dict_new(c->a, c->n_pos);
    struct val key;
    struct val value;

    for (size_t i = 0; val_pair_at(from, i, &key, &value); i++) {
        if (wanted(c, key))
            val_dict_set(dict, key, value);
    }
    return dict;
}

int flt_dict_filter(struct call *c, struct val *out)
{
    struct val list;

    if (c->n_kw > 0)
        return call_raise(c, TMPL_EXC_TYPE,
                          "dict_filter() got an unexpected keyword argument '%.*s'",
                          STR_ARG(c->kw[0].name));
    if (val_is_none(c->self)) {
        *out = val_dict_new(c->a, 0);
        return 0;
    }
    if (val_is(c->self, VAL_DICT)) {
        *out = filter_one(c, c->self);
        return 0;
    }
    if (!val_is(c->self, VAL_LIST) && !val_is(c->self, VAL_TUPLE))
        return call_raise(c, TMPL_EXC_TYPE,
                          "dict_filter expects an object or a list of objects, got '%s'",
                          val_type_name(c->self));
    list = val_list_new(c->a, val_count(c->self));
    for (size_t i = 0; i < val_count(c->self); i++) {
        struct val item = val_at(c->self, i);

        if (!val_is(item, VAL_DICT))
            return call_raise(c, TMPL_EXC_TYPE,
                              "dict_filter expects a list of objects, item %zu is '%s'", i,
                              val_type_name(item));
        val_list_add(list, filter_one(c, item));
    }
    *out = list;
    return 0;
}
