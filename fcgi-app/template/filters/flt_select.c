/*
 * map, select, reject, selectattr, rejectattr: a filter or test on each item.
 *
 * Made at once and handed over as a generator.
 */
#include "template/filters/flt.h"

/* Arguments of map(attribute=..., default=...). */
static int map_attribute(struct call *c, struct attr_path *path)
{
    struct val attribute = val_null();
    struct val otherwise = val_undef(NULL);

    for (size_t i = 0; i < c->n_kw; i++) {
        if (str_eq_c(c->kw[i].name, "attribute"))
            attribute = c->kw[i].value;
        else if (str_eq_c(c->kw[i].name, "default"))
            otherwise = c->kw[i].value;
        else
            return call_raise(c, TMPL_EXC_FILTER, "Unexpected keyword argument '%.*s'",
                              STR_ARG(c->kw[i].name));
    }
    if (val_is(otherwise, VAL_NULL))
        otherwise = val_undef(NULL);
    return attr_path_init(c, path, attribute, otherwise, false);
}

static bool has_kw(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->n_kw; i++) {
        if (str_eq_c(c->kw[i].name, name))
            return true;
    }
    return false;
}

/* What is empty or none gives nothing, whatever the arguments say: 1 = there is something to walk
 * over. */
static int source(struct call *c, struct val *list)
{
    *list = val_list_new(c->a, val_count(c->self));
    if (c->self.type == VAL_UNDEF && lib_look(c, c->self) != 0)
        return -1;
    return val_truth(c->self);
}

int flt_map(struct call *c, struct val *out)
{
    struct attr_path path;
    struct call sub = *c;
    struct val name = val_null();
    bool attribute = c->n_pos == 0 && has_kw(c, "attribute");
    struct val list;
    struct iter it;
    struct val item;
    int rc = source(c, &list);

    if (rc < 0)
        return -1;
    *out = gen_new(c->a, list);
    if (rc == 0)
        return 0;
    if (attribute) {
        if (map_attribute(c, &path) != 0)
            return -1;
    } else if (c->n_pos == 0) {
        return call_raise(c, TMPL_EXC_FILTER, "map requires a filter argument");
    } else {
        name = c->pos[0];
        sub.pos++;
        sub.n_pos--;
        if (lib_look(c, name) != 0)
            return -1;
    }
    if (iter_init(c, c->self, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (attribute ? attr_path_get(c, &path, item, &item) != 0
                      : vm_filter(&sub, val_text(name), item, &item) != 0)
            return -1;
        val_list_add(list, item);
    }
    return rc;
}

/* select and reject: keep the items whose test answers `want`; `by_attr`: first argument names an
 * attribute. */
static int keep(struct call *c, bool want, bool by_attr, struct val *out)
{
    struct call sub = *c;
    struct attr_path path = {0};
    struct val name = val_null();
    bool named = false;
    struct val list;
    struct iter it;
    struct val item;
    int rc = source(c, &list);

    if (rc < 0)
        return -1;
    *out = gen_new(c->a, list);
    if (rc == 0)
        return 0;
    if (by_attr) {
        if (sub.n_pos == 0)
            return call_raise(c, TMPL_EXC_FILTER, "Missing parameter for attribute name");
        if (attr_path_init(c, &path, *sub.pos, val_undef(NULL), false) != 0)
            return -1;
        sub.pos++;
        sub.n_pos--;
    }
    if (sub.n_pos > 0) {
        name = *sub.pos;
        named = true;
        sub.pos++;
        sub.n_pos--;
    }
    if (lib_look(c, name) != 0 || iter_init(c, c->self, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        struct val probe = item;
        bool yes;

        if (path.n > 0 && attr_path_get(c, &path, item, &probe) != 0)
            return -1;
        if (!named) {
            if (lib_look(c, probe) != 0)
                return -1;
            yes = val_truth(probe);
        } else if (vm_check(&sub, val_text(name), probe, &yes) != 0) {
            return -1;
        }
        if (yes == want)
            val_list_add(list, item);
    }
    return rc;
}

int flt_select(struct call *c, struct val *out)
{
    return keep(c, true, false, out);
}

int flt_reject(struct call *c, struct val *out)
{
    return keep(c, false, false, out);
}

int flt_selectattr(struct call *c, struct val *out)
{
    return keep(c, true, true, out);
}

int flt_rejectattr(struct call *c, struct val *out)
{
    return keep(c, false, true, out);
}
