/*
 * join, default, attr, format, replace: the filters in nearly every template.
 */
#include "template/filters/flt.h"
#include "template/text.h"

static int join_plain(struct call *c, struct val sep, const struct attr_path *path, struct val *out)
{
    struct iter it;
    struct val item;
    struct buf b;
    bool first = true;
    int rc;

    if (iter_init(c, c->self, &it) != 0)
        return -1;
    lib_buf(c, &b);
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (path->n > 0 && attr_path_get(c, path, item, &item) != 0)
            return -1;
        if (!first)
            buf_add_str(&b, val_text(sep));
        first = false;
        if (lib_put_text(c, item, &b) != 0)
            return -1;
    }
    return rc < 0 ? -1 : lib_finish(c, &b, 0, out);
}

/* One marked item (or separator) makes the whole markup, the others escaped. */
static int join_escaping(struct call *c, struct val sep, const struct attr_path *path,
                         struct val *out)
{
    bool markup = lib_is_markup(sep);
    struct val list = val_list_new(c->a, 0);
    struct iter it;
    struct val item;
    struct buf b;
    int rc;

    if (iter_init(c, c->self, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if ((path->n > 0 && attr_path_get(c, path, item, &item) != 0) ||
            lib_text(c, item, &item) != 0)
            return -1;
        markup = markup || lib_is_markup(item);
        val_list_add(list, item);
    }
    if (rc < 0 || (markup && lib_escape(c, sep, &sep) != 0))
        return -1;
    lib_buf(c, &b);
    for (size_t i = 0; i < val_count(list); i++) {
        item = val_at(list, i);
        if (i > 0)
            buf_add_str(&b, val_text(sep));
        if (markup && !lib_is_markup(item))
            html_escape(val_text(item), &b);
        else
            buf_add_str(&b, val_text(item));
    }
    return lib_finish(c, &b, markup ? VAL_F_MARKUP : 0, out);
}

int flt_join(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT(""), val_null()};
    struct attr_path path;

    if (call_bind(c, "d=,attribute=", arg) != 0 || lib_text(c, arg[0], &arg[0]) != 0 ||
        attr_path_init(c, &path, arg[1], val_undef(NULL), false) != 0)
        return -1;
    return vm_autoescape(c->vm) ? join_escaping(c, arg[0], &path, out)
                                : join_plain(c, arg[0], &path, out);
}

int flt_default(struct call *c, struct val *out)
{
    struct val arg[2] = {VAL_STR_LIT(""), val_bool(false)};

    if (call_bind(c, "default_value=,boolean=", arg) != 0)
        return -1;
    if (val_is_undef(c->self) || (val_truth(arg[1]) && !val_truth(c->self)))
        *out = arg[0];
    else
        *out = c->self;
    return 0;
}

int flt_attr(struct call *c, struct val *out)
{
    struct val name = val_null();

    if (call_bind(c, "name", &name) != 0 || lib_look(c, name) != 0)
        return -1;
    if (name.type != VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE, "attribute name must be string, not '%s'",
                          name.type == VAL_UNDEF ? "Undefined" : val_type_name(name));
    return lib_attr_only(c, c->self, val_text(name), out);
}

/* As the operator % does it, which escapes what goes into markup. */
int flt_format(struct call *c, struct val *out)
{
    struct val fmt;
    struct val args;

    if (c->n_pos > 0 && c->n_kw > 0)
        return call_raise(c, TMPL_EXC_FILTER,
                          "can't handle positional and keyword arguments at the same time");
    if (lib_text(c, c->self, &fmt) != 0)
        return -1;
    if (c->n_kw > 0) {
        args = val_dict_new(c->a, c->n_kw);
        for (size_t i = 0; i < c->n_kw; i++)
            val_dict_set_str(args, c->kw[i].name, c->kw[i].value);
    } else {
        args = val_tuple_new(c->a, c->n_pos);
        for (size_t i = 0; i < c->n_pos; i++)
            val_list_add(args, c->pos[i]);
    }
    return op_arith(c, OP_MOD_, fmt, args, out);
}

int flt_replace(struct call *c, struct val *out)
{
    struct val arg[3] = {val_null(), val_null(), val_null()};
    struct val s;
    struct buf b;
    int64_t max = -1;
    bool markup = false;

    if (call_bind(c, "old,new,count=", arg) != 0 || lib_text(c, c->self, &s) != 0 ||
        lib_text(c, arg[0], &arg[0]) != 0 || lib_text(c, arg[1], &arg[1]) != 0 ||
        (!val_is(arg[2], VAL_NULL) && lib_int(c, arg[2], &max) != 0))
        return -1;
    if (vm_autoescape(c->vm)) {
        if ((lib_is_markup(arg[0]) || lib_is_markup(arg[1])) && lib_escape(c, s, &s) != 0)
            return -1;
        markup = lib_is_markup(s);
        if (markup && (lib_escape(c, arg[0], &arg[0]) != 0 || lib_escape(c, arg[1], &arg[1]) != 0))
            return -1;
    }
    lib_buf(c, &b);
    text_replace(val_text(s), val_text(arg[0]), val_text(arg[1]), max, &b);
    return lib_finish(c, &b, markup ? VAL_F_MARKUP : 0, out);
}
