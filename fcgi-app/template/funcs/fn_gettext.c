/*
 * gettext, ngettext, pgettext, npgettext and _: the functions of the extension i18n.
 *
 * There are no translations: the message itself comes back, of two the one for the number.  With
 * keyword arguments it is a format, "%(name)s", safe where autoescape is on.
 */
#include "template/funcs/fn.h"

/* `message` with `kw` in it, as the filter format does it. */
static int with_variables(struct call *c, struct val message, const struct kwarg *kw, size_t n,
                          struct val *out)
{
    struct call sub = *c;

    sub.pos = NULL;
    sub.n_pos = 0;
    sub.kw = kw;
    sub.n_kw = n;
    if (message.type == VAL_STR && vm_autoescape(c->vm))
        message.flags |= VAL_F_MARKUP;
    return vm_filter(&sub, STR("format"), message, out);
}

static int one_message(struct call *c, const char *names, size_t at, struct val *out)
{
    struct val arg[2] = {val_null(), val_null()};
    struct call positional = *c;

    positional.n_kw = 0;
    if (call_bind(&positional, names, arg) != 0)
        return -1;
    if (c->n_kw > 0)
        return with_variables(c, arg[at], c->kw, c->n_kw, out);
    *out = arg[at];
    return 0;
}

/* The number is the variable "num" too.  A message that wants others, to be filled in by somebody
 * else, comes back as it is. */
static int of_two(struct call *c, const char *names, size_t at, struct val *out)
{
    struct val arg[4] = {val_null(), val_null(), val_null(), val_null()};
    struct call positional = *c;
    struct kwarg *kw = ARENA_ARRAY(c->a, struct kwarg, c->n_kw + 1);
    bool has_num = false;
    struct val message;

    positional.n_kw = 0;
    if (call_bind(&positional, names, arg) != 0 || lib_look(c, arg[at + 2]) != 0)
        return -1;
    message = val_eq(arg[at + 2], val_int(1)) ? arg[at] : arg[at + 1];
    for (size_t i = 0; i < c->n_kw; i++) {
        kw[i] = c->kw[i];
        has_num = has_num || str_eq_c(kw[i].name, "num");
    }
    kw[c->n_kw] = (struct kwarg){.name = STR("num"), .value = arg[at + 2]};
    if (with_variables(c, message, kw, c->n_kw + !has_num, out) == 0)
        return 0;
    if (c->n_kw > 0 || c->e->app_code == TMPL_EXC_LIMIT)
        return -1;
    err_clear(c->e);
    *out = message;
    return 0;
}

int fn_gettext(struct call *c, struct val *out)
{
    return one_message(c, "message", 0, out);
}

int fn_pgettext(struct call *c, struct val *out)
{
    return one_message(c, "context,message", 1, out);
}

int fn_ngettext(struct call *c, struct val *out)
{
    return of_two(c, "singular,plural,n", 0, out);
}

int fn_npgettext(struct call *c, struct val *out)
{
    return of_two(c, "context,singular,plural,n", 1, out);
}
