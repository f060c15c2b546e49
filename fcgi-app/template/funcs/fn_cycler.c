/*
 * cycler and joiner: objects that remember how often they were asked.
 */
#include "template/funcs/fn.h"
#include "template/methods_int.h"

struct cycler {
    struct val_obj obj;
    const struct val *items;
    size_t n;
    size_t i;
};

static struct cycler *cycler_of(struct val_obj *o)
{
    return (struct cycler *)(void *)o;
}

static void cycler_str(const struct val_obj *o, struct buf *out)
{
    (void)o;
    buf_add_c(out, "<Cycler object>");
}

static struct val cycler_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct cycler *cy = cycler_of(o);

    (void)a;
    return str_eq_c(name, "current") ? cy->items[cy->i] : val_undef(NULL);
}

static int cycler_next(struct call *c, struct val *out)
{
    struct cycler *cy = cycler_of(c->self.u.obj);

    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = cy->items[cy->i];
    cy->i = (cy->i + 1) % cy->n;
    return 0;
}

static int cycler_reset(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    cycler_of(c->self.u.obj)->i = 0;
    *out = val_null();
    return 0;
}

static const struct tmpl_class cycler_class = {
    .base = {.name = "Cycler", .str = cycler_str},
    .getattr = cycler_getattr,
};

bool cycler_method(struct val self, struct str name, callable_fn **fn, const char **qualified)
{
    if (self.u.obj->cls != &cycler_class.base)
        return false;
    if (str_eq_c(name, "next")) {
        *fn = cycler_next;
        *qualified = "Cycler.next";
        return true;
    }
    if (str_eq_c(name, "reset")) {
        *fn = cycler_reset;
        *qualified = "Cycler.reset";
        return true;
    }
    return false;
}

int fn_cycler(struct call *c, struct val *out)
{
    struct cycler *cy;

    if (c->n_kw > 0)
        return call_raise(c, TMPL_EXC_TYPE,
                          "Cycler.__init__() got an unexpected keyword argument '%.*s'",
                          STR_ARG(c->kw[0].name));
    if (c->n_pos == 0)
        return call_raise(c, TMPL_EXC_PY_RUNTIME, "at least one item has to be provided");
    cy = ARENA_NEW(c->a, struct cycler);
    cy->obj.cls = &cycler_class.base;
    cy->items = arena_dup(c->a, c->pos, c->n_pos * sizeof *c->pos);
    cy->n = c->n_pos;
    *out = val_obj(&cy->obj);
    return 0;
}

/* ---- joiner ---------------------------------------------------------------------------------- */

struct joiner {
    struct val_obj obj;
    struct val sep;
    bool used;
};

static void joiner_str(const struct val_obj *o, struct buf *out)
{
    (void)o;
    buf_add_c(out, "<Joiner object>");
}

static int joiner_call(struct val_obj *o, struct call *c, struct val *out)
{
    struct joiner *j = (struct joiner *)(void *)o;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = j->used ? j->sep : VAL_STR_LIT("");
    j->used = true;
    return 0;
}

static const struct tmpl_class joiner_class = {
    .base = {.name = "Joiner", .str = joiner_str},
    .call = joiner_call,
};

int fn_joiner(struct call *c, struct val *out)
{
    struct joiner *j = ARENA_NEW(c->a, struct joiner);

    j->obj.cls = &joiner_class.base;
    j->sep = VAL_STR_LIT(", ");
    if (call_bind(c, "sep=", &j->sep) != 0)
        return -1;
    *out = val_obj(&j->obj);
    return 0;
}
