/*
 * Tests of what a value is: boolean, callable, defined, mapping, number, string ...
 */
#include "template/checks/chk.h"
#include "template/text.h"

static int answer(struct val *out, bool yes)
{
    *out = val_bool(yes);
    return 0;
}

int chk_boolean(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_BOOL);
}

int chk_true(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_BOOL && c->self.u.b);
}

int chk_false(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_BOOL && !c->self.u.b);
}

int chk_integer(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0
               ? -1
               : answer(out, lib_is_int(c->self) && c->self.type != VAL_BOOL);
}

int chk_float(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_FLOAT);
}

int chk_number(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, lib_is_number(c->self));
}

int chk_none(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_NULL);
}

int chk_defined(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type != VAL_UNDEF);
}

int chk_undefined(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_UNDEF);
}

int chk_string(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_STR);
}

int chk_mapping(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, c->self.type == VAL_DICT);
}

/* A chainable undefined value counts as markup in Jinja2 too. */
int chk_escaped(struct call *c, struct val *out)
{
    bool undefined = c->self.type == VAL_UNDEF && vm_env(c->vm)->undefined == TMPL_UNDEF_CHAINABLE;

    return call_bind(c, "", NULL) != 0 ? -1 : answer(out, undefined || lib_is_markup(c->self));
}

/* Has a length and items. */
int chk_sequence(struct call *c, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(c->self);

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (cls != NULL)
        return answer(out,
                      cls->getitem != NULL && cls->len != NULL && cls->len(c->self.u.obj) >= 0);
    if (c->self.type == VAL_UNDEF) {
        /* an undefined value answers len() with 0, a strict one raises: the test then says no */
        return answer(out, lib_look(c, c->self) == 0);
    }
    return answer(out, c->self.type >= VAL_STR);
}

int chk_iterable(struct call *c, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(c->self);

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (cls != NULL)
        return answer(out, cls->next != NULL || cls->iter != NULL);
    if (c->self.type == VAL_UNDEF)
        return lib_look(c, c->self) != 0 ? -1 : answer(out, true);
    return answer(out, c->self.type >= VAL_STR);
}

int chk_callable(struct call *c, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(c->self);

    if (call_bind(c, "", NULL) != 0)
        return -1;
    return answer(out, (cls != NULL && cls->call != NULL) || c->self.type == VAL_UNDEF);
}

static int in_case(struct call *c, enum text_class what, struct val *out)
{
    struct val s;

    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    return answer(out, text_is(val_text(s), what));
}

int chk_upper(struct call *c, struct val *out)
{
    return in_case(c, TEXT_IS_UPPER, out);
}

int chk_lower(struct call *c, struct val *out)
{
    return in_case(c, TEXT_IS_LOWER, out);
}

/* The name asked for; any hashable value may be asked about. */
static int name_asked(struct call *c, struct str *name)
{
    if (call_bind(c, "", NULL) != 0 || lib_look(c, c->self) != 0)
        return -1;
    if (c->self.type == VAL_LIST || c->self.type == VAL_DICT)
        return call_raise(c, TMPL_EXC_TYPE, "unhashable type: '%s'", val_type_name(c->self));
    *name = val_text(c->self);
    return 0;
}

int chk_filter(struct call *c, struct val *out)
{
    struct str name;

    return name_asked(c, &name) != 0 ? -1 : answer(out, filter_find(name) != NULL);
}

int chk_test(struct call *c, struct val *out)
{
    struct str name;

    return name_asked(c, &name) != 0 ? -1 : answer(out, check_find(name) != NULL);
}

int chk_startswith(struct call *c, struct val *out)
{
    struct val prefix = val_null();

    return call_bind(c, "prefix", &prefix) != 0
               ? -1
               : answer(out, lib_has_affix(c->self, prefix, false));
}

int chk_endswith(struct call *c, struct val *out)
{
    struct val suffix = val_null();

    return call_bind(c, "suffix", &suffix) != 0 ? -1
                                                : answer(out, lib_has_affix(c->self, suffix, true));
}
