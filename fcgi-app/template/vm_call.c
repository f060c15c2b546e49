/*
 * Calls: macros, functions, methods, filters and tests.
 */
#include "template/vm_int.h"

enum { FEW_KEYWORDS = 8 };

/* ---- functions and bound methods as values --------------------------------------------------- */

struct function {
    struct val_obj obj;
    callable_fn *fn;
    const char *name;
    struct val self; /* bound methods */
    bool bound;
};

static const struct function *function_of(const struct val_obj *o)
{
    return (const struct function *)(const void *)o;
}

static void function_str(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "<%s %s>", function_of(o)->bound ? "bound method" : "function",
             function_of(o)->name);
}

static bool function_eq(const struct val_obj *o, struct val other)
{
    const struct function *f = function_of(o);
    const struct function *g;

    if (other.type != VAL_OBJ || other.u.obj->cls != o->cls)
        return false;
    g = function_of(other.u.obj);
    return f->fn == g->fn && f->bound == g->bound && (!f->bound || op_same(f->self, g->self));
}

static int function_call(struct val_obj *o, struct call *c, struct val *out)
{
    const struct function *f = function_of(o);
    struct call sub = *c;

    sub.name = f->name;
    sub.self = f->self;
    return f->fn(&sub, out);
}

static const struct tmpl_class function_class = {
    .base = {.name = "builtin_function_or_method", .str = function_str, .eq = function_eq},
    .call = function_call,
};

static struct val function_value(struct arena *a, callable_fn *fn, const char *name)
{
    struct function *f = ARENA_NEW(a, struct function);

    f->obj.cls = &function_class.base;
    f->fn = fn;
    f->name = name;
    f->self = val_null();
    return val_obj(&f->obj);
}

struct val function_new(struct arena *a, const struct func_def *def)
{
    return function_value(a, def->fn, def->name);
}

struct val bound_new(struct arena *a, struct val self, callable_fn *fn, const char *name)
{
    struct val v = function_value(a, fn, name);
    struct function *f = (struct function *)(void *)v.u.obj;

    f->self = self;
    f->bound = true;
    return v;
}

/* ---- macros
 * ---------------------------------------------------------------------------------------------------
 */

static const struct macro *macro_of(const struct val_obj *o)
{
    return (const struct macro *)(const void *)o;
}

static void macro_str(const struct val_obj *o, struct buf *out)
{
    const struct macro *m = macro_of(o);

    if (m->code->kind == CODE_MACRO)
        buf_addf(out, "<Macro '%.*s'>", STR_ARG(m->code->name));
    else
        buf_add_c(out, "<Macro anonymous>");
}

static struct val macro_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct code *code = macro_of(o)->code;
    struct val v;
    size_t i;

    if (str_eq_c(name, "name"))
        return code->kind == CODE_MACRO ? val_str(code->name) : val_null();
    if (str_eq_c(name, "catch_kwargs"))
        return val_bool(code->catch_kwargs);
    if (str_eq_c(name, "catch_varargs"))
        return val_bool(code->catch_varargs);
    if (str_eq_c(name, "caller"))
        return val_bool(code->takes_caller);
    if (!str_eq_c(name, "arguments"))
        return val_undef(NULL);
    v = val_tuple_new(a, code->n_params);
    for (i = 0; i < code->n_params; i++)
        val_list_add(v, val_str(code->params[i]));
    return v;
}

/* The macro's name in errors: 'name' or None. */
static const char *macro_words(struct arena *a, const struct code *code)
{
    return code->kind == CODE_MACRO ? arena_printf(a, "'%.*s'", STR_ARG(code->name)) : "None";
}

static bool take_keyword(const struct call *c, bool *used, struct str name, struct val *out)
{
    size_t i;

    for (i = 0; i < c->n_kw; i++) {
        if (!used[i] && str_eq(c->kw[i].name, name)) {
            used[i] = true;
            *out = c->kw[i].value;
            return true;
        }
    }
    return false;
}

static int unused_keywords(struct call *c, const struct code *code, const bool *used,
                           struct val *slot)
{
    struct val rest = val_null();
    size_t i;

    if (code->catch_kwargs)
        rest = val_dict_new(c->a, 4);
    for (i = 0; i < c->n_kw; i++) {
        if (used[i])
            continue;
        if (code->catch_kwargs)
            val_dict_set_str(rest, c->kw[i].name, c->kw[i].value);
        else if (str_eq_c(c->kw[i].name, "caller"))
            return call_raise(
                c, TMPL_EXC_TYPE,
                "macro %s was invoked with two values for the special caller argument. "
                "This is most likely a bug.",
                macro_words(c->a, code));
        else
            return call_raise(c, TMPL_EXC_TYPE, "macro %s takes no keyword argument '%.*s'",
                              macro_words(c->a, code), STR_ARG(c->kw[i].name));
    }
    if (code->catch_kwargs)
        slot[code->kwargs_slot] = rest;
    return 0;
}

static int bind_special(struct call *c, const struct code *code, bool *used, bool found_caller,
                        struct val *slot)
{
    size_t i;

    if (code->takes_caller && !found_caller) {
        struct val caller = val_null();

        if (!take_keyword(c, used, STR("caller"), &caller) || caller.type == VAL_NULL)
            caller = undef_make(UNDEF_MESSAGE, "No caller defined");
        slot[code->caller_slot] = caller;
    }
    if (unused_keywords(c, code, used, slot) != 0)
        return -1;
    if (code->catch_varargs) {
        struct val rest = val_tuple_new(c->a, 0);

        for (i = code->n_params; i < c->n_pos; i++)
            val_list_add(rest, c->pos[i]);
        slot[code->varargs_slot] = rest;
    } else if (c->n_pos > code->n_params) {
        return call_raise(c, TMPL_EXC_TYPE, "macro %s takes not more than %zu argument(s)",
                          macro_words(c->a, code), code->n_params);
    }
    return 0;
}

/* The locals a call begins with: parameters, then caller, kwargs, varargs. */
static int bind_macro(struct call *c, const struct code *code, struct val *slots, size_t n)
{
    bool few[FEW_KEYWORDS] = {false};
    bool *used = c->n_kw <= FEW_KEYWORDS ? few : ARENA_ARRAY(c->a, bool, c->n_kw);
    bool found_caller = c->n_pos >= code->n_params && code->explicit_caller;
    size_t i;

    if (n > 0)
        memcpy(slots, code->init, n * sizeof(*slots));
    for (i = 0; i < code->n_params; i++) {
        if (i < c->n_pos) {
            slots[i] = c->pos[i];
            continue;
        }
        (void)take_keyword(c, used, code->params[i], &slots[i]);
        found_caller = found_caller || str_eq_c(code->params[i], "caller");
    }
    return bind_special(c, code, used, found_caller, slots);
}

/* Run a macro; it prints to wherever output goes. */
static int run_macro(const struct macro *m, struct call *c)
{
    const struct code *code = m->code;
    struct val few[16];
    size_t n = code->n_params + (code->takes_caller && !code->explicit_caller) +
               code->catch_kwargs + code->catch_varargs;
    struct val *slots = n <= COUNT_OF(few) ? few : arena_alloc(c->a, n * sizeof(*slots));

    if (bind_macro(c, code, slots, n) != 0)
        return -1;
    return vm_run_code(c->vm, code, m->ctx, m->outer, slots, n, 0);
}

static int macro_call(struct val_obj *o, struct call *c, struct val *out)
{
    bool markup = vm_autoescape(c->vm);

    vm_capture(c->vm);
    if (run_macro(macro_of(o), c) != 0) {
        vm_drop_capture(c->vm);
        return -1;
    }
    *out = vm_end_capture(c->vm, markup);
    return 0;
}

static const struct tmpl_class macro_class = {
    .base = {.name = "Macro", .str = macro_str},
    .getattr = macro_getattr,
    .call = macro_call,
};

struct val macro_new(struct vm *vm, const struct code *code, struct frame *f)
{
    struct macro *m = ARENA_NEW(vm->a, struct macro);

    m->obj.cls = &macro_class.base;
    m->code = code;
    m->outer = f;
    m->ctx = f->ctx;
    m->autoescape = f->ctx->unit->autoescape;
    return val_obj(&m->obj);
}

/* ---- arguments
 * --------------------------------------------------------------------------------------------------
 */

static int star_args(struct call *c, const struct site *s, const struct val *args)
{
    struct val list = val_list_new(c->a, s->n_pos + 8u);
    struct val item;
    struct iter it;
    int rc;
    size_t i;

    for (i = 0; i < s->n_pos; i++)
        val_list_add(list, args[i]);
    if (iter_init(c, args[s->n_pos], &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        val_list_add(list, item);
        if (vm_spend(c, 1) != 0)
            return -1;
    }
    c->pos = list.u.list->items;
    c->n_pos = list.u.list->n;
    return rc;
}

static int star_star_args(struct call *c, struct kwarg *kw, size_t *n, struct val more)
{
    struct val key;
    struct val value;
    size_t i;
    size_t k;

    for (i = 0; val_pair_at(more, i, &key, &value); i++) {
        if (key.type != VAL_STR)
            return call_raise(c, TMPL_EXC_TYPE, "keywords must be strings");
        for (k = 0; k < *n; k++) {
            if (str_eq(kw[k].name, val_text(key)))
                return call_raise(c, TMPL_EXC_TYPE,
                                  "%s() got multiple values for keyword argument '%.*s'", c->name,
                                  STR_ARG(val_text(key)));
        }
        kw[*n].name = val_text(key);
        kw[(*n)++].value = value;
    }
    return 0;
}

/* Keywords and stars. */
static int other_args(struct call *c, const struct site *s, const struct val *args,
                      struct kwarg *few)
{
    const struct val *kw_values = args + s->n_pos + (s->star ? 1 : 0);
    struct kwarg *kw = few;
    size_t n_kw = s->n_kw;
    size_t i;

    if (s->star && star_args(c, s, args) != 0)
        return -1;
    if (n_kw == 0 && !s->star_star)
        return 0;
    if (s->star_star) {
        if (kw_values[n_kw].type != VAL_DICT)
            return call_raise(c, TMPL_EXC_TYPE, "argument after ** must be a mapping, not %s",
                              val_type_name(kw_values[n_kw]));
        n_kw += val_count(kw_values[n_kw]);
    }
    if (n_kw > FEW_KEYWORDS)
        kw = arena_alloc(c->a, n_kw * sizeof(*kw));
    for (i = 0; i < s->n_kw; i++) {
        kw[i].name = s->kw_names[i];
        kw[i].value = kw_values[i];
    }
    n_kw = s->n_kw;
    if (s->star_star && star_star_args(c, kw, &n_kw, kw_values[s->n_kw]) != 0)
        return -1;
    c->kw = kw;
    c->n_kw = n_kw;
    return 0;
}

/* Fill the arguments of `c` from the values of a call site; `few` has room for FEW_KEYWORDS. */
static inline int site_args(struct call *c, const struct site *s, const struct val *args,
                            struct kwarg *few)
{
    c->pos = args;
    c->n_pos = s->n_pos;
    return LIKELY(s->plain) ? 0 : other_args(c, s, args, few);
}

/* ---- calling
 * ------------------------------------------------------------------------------------------------------
 */

int vm_call(struct call *c, struct val callee, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(callee);

    if (callee.type == VAL_UNDEF)
        return undef_fail(c, callee);
    if (cls == NULL || cls->call == NULL)
        return call_raise(c, TMPL_EXC_TYPE, "'%s' object is not callable", val_type_name(callee));
    if (vm_spend(c, 1) != 0)
        return -1;
    return cls->call(callee.u.obj, c, out);
}

int vm_call_site(struct vm *vm, const struct site *s, struct val callee, const struct val *args,
                 struct val *out)
{
    struct kwarg few[FEW_KEYWORDS];
    struct call c = vm->call;

    if (UNLIKELY(callee.type == VAL_UNDEF))
        return undef_fail(&c, callee);
    return site_args(&c, s, args, few) != 0 ? -1 : vm_call(&c, callee, out);
}

bool vm_is_macro(struct val callee)
{
    return callee.type == VAL_OBJ && callee.u.obj->cls == &macro_class.base;
}

int vm_print_macro(struct vm *vm, const struct site *s, struct val callee, const struct val *args)
{
    struct kwarg few[FEW_KEYWORDS];
    struct call c = vm->call;

    return site_args(&c, s, args, few) != 0 ? -1 : run_macro(macro_of(callee.u.obj), &c);
}

int vm_method_site(struct vm *vm, const struct site *s, struct val object, const struct val *args,
                   struct val *out)
{
    const struct name *name = &vm->frame->code->t->names[s->name_index];
    struct kwarg few[FEW_KEYWORDS];
    struct call c = vm->call;
    const struct tmpl_class *cls = tmpl_class_of(object);
    callable_fn *fn;
    const char *qualified;
    struct val callee;

    /* a method of a text, list...: called without making an object of it */
    if (object.type != VAL_UNDEF && (cls == NULL || cls->getattr == NULL) && !name->hidden &&
        (object.type != VAL_DICT || name->dict_method) &&
        method_find(object, name->s, &fn, &qualified)) {
        c.self = object;
        c.name = qualified;
        return site_args(&c, s, args, few) != 0 ? -1 : fn(&c, out);
    }
    if (attr_get(vm, object, name, &callee) != 0)
        return -1;
    c.name = name->s.p;
    return site_args(&c, s, args, few) != 0 ? -1 : vm_call(&c, callee, out);
}

static int run_filter(struct call *c, const struct filter_def *def, struct val self,
                      struct val *out)
{
    if (UNLIKELY(self.type == VAL_UNDEF)) {
        if (self.reserved == UNDEF_SECURITY || def->input == INPUT_DEFINED)
            return undef_fail(c, self);
    }
    c->name = def->name;
    c->self = self;
    return def->fn(c, out);
}

int vm_filter_site(struct vm *vm, const struct site *s, struct val self, const struct val *args,
                   struct val *out)
{
    struct kwarg few[FEW_KEYWORDS];
    struct call c = vm->call;

    c.name = s->filter->name;
    return site_args(&c, s, args, few) != 0 ? -1 : run_filter(&c, s->filter, self, out);
}

int vm_check_site(struct vm *vm, const struct site *s, struct val self, const struct val *args,
                  struct val *out)
{
    struct kwarg few[FEW_KEYWORDS];
    struct call c = vm->call;

    c.name = s->check->name;
    c.self = self;
    if (site_args(&c, s, args, few) != 0 || s->check->fn(&c, out) != 0)
        return -1;
    if (out->type != VAL_BOOL)
        *out = val_bool(val_truth(*out));
    return 0;
}

int vm_filter(struct call *c, struct str name, struct val self, struct val *out)
{
    const struct filter_def *def = filter_find(name);
    struct call sub = *c;

    if (def == NULL)
        return call_raise(c, TMPL_EXC_RUNTIME, "No filter named '%.*s'.", STR_ARG(name));
    return run_filter(&sub, def, self, out);
}

int vm_check(struct call *c, struct str name, struct val self, bool *out)
{
    const struct check_def *def = check_find(name);
    struct call sub = *c;
    struct val v;

    if (def == NULL)
        return call_raise(c, TMPL_EXC_RUNTIME, "No test named '%.*s'.", STR_ARG(name));
    sub.name = def->name;
    sub.self = self;
    if (def->fn(&sub, &v) != 0)
        return -1;
    *out = val_truth(v);
    return 0;
}
