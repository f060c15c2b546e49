/*
 * What pongo2 does differently while running: variables, attributes, macros, blocks, includes.
 *
 * Scopes are made at run time, as there: a chain of struct ctx, each with its own variables.  Nil
 * has nil everywhere; what is no map or list at all is an error.
 */
#include "template/library_int.h"
#include "template/pongo2/pg_flt.h"

/* ---- callable values --------------------------------------------------------------------------
 */

struct pg_macro {
    struct val_obj obj;
    const struct code *code;
    struct ctx *ctx; /* its scope, as it is when it is called */
};

/* block.Super: the same block further up. */
struct pg_super {
    struct val_obj obj;
    struct ctx *ctx;
    const struct block_entry *up; /* NULL: prints nothing */
    struct str name;
};

static void macro_str(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "<macro %.*s>", STR_ARG(((const struct pg_macro *)(const void *)o)->code->name));
}

static void super_str(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "<block %.*s>", STR_ARG(((const struct pg_super *)(const void *)o)->name));
}

static int macro_call(struct val_obj *o, struct call *c, struct val *out)
{
    return pg_call(c->vm, val_obj(o), c->pos, c->n_pos, out);
}

static const struct tmpl_class macro_class = {
    .base = {.name = "macro", .str = macro_str},
    .call = macro_call,
};
static const struct tmpl_class super_class = {.base = {.name = "block", .str = super_str}};

struct val pg_macro_new(struct vm *vm, const struct code *code, struct frame *f)
{
    struct pg_macro *m = ARENA_NEW(vm->a, struct pg_macro);

    m->obj.cls = &macro_class.base;
    m->code = code;
    m->ctx = f->ctx;
    return val_obj(&m->obj);
}

static const struct pg_macro *macro_of(struct val v)
{
    return v.type == VAL_OBJ && v.u.obj->cls == &macro_class.base
               ? (const struct pg_macro *)(const void *)v.u.obj
               : NULL;
}

static const struct pg_super *super_of(struct val v)
{
    return v.type == VAL_OBJ && v.u.obj->cls == &super_class.base
               ? (const struct pg_super *)(const void *)v.u.obj
               : NULL;
}

/* Run code and take what it prints as safe text. */
static int captured(struct vm *vm, const struct code *code, struct ctx *ctx, const struct val *args,
                    size_t n, struct val *out)
{
    vm_capture(vm);
    if (vm_run_code(vm, code, ctx, NULL, args, n, 0) != 0) {
        vm_drop_capture(vm);
        return -1;
    }
    *out = vm_end_capture(vm, true);
    return 0;
}

static struct val super_value(struct vm *vm, struct ctx *ctx, const struct block_entry *up,
                              struct str name)
{
    struct pg_super *s = ARENA_NEW(vm->a, struct pg_super);

    s->obj.cls = &super_class.base;
    s->ctx = ctx;
    s->up = up;
    s->name = name;
    return val_obj(&s->obj);
}

static void set_block(struct vm *vm, struct ctx *ctx, const struct block_entry *up, struct str name)
{
    struct val info = val_dict_new(vm->a, 1);

    val_dict_set_c(info, "Super", super_value(vm, ctx, up, name));
    if (ctx->vars.type != VAL_DICT)
        ctx->vars = val_dict_new(vm->a, 4);
    val_dict_set_c(ctx->vars, "block", info);
}

static int call_super(struct vm *vm, const struct pg_super *s, struct val *out)
{
    struct ctx *ctx;

    *out = val_markup(STR(""));
    if (s->up == NULL)
        return 0;
    ctx = ctx_new(vm, s->ctx, s->ctx->unit);
    set_block(vm, ctx, s->up->up, s->name);
    return captured(vm, s->up->code, ctx, NULL, 0, out);
}

int pg_call(struct vm *vm, struct val callee, const struct val *args, size_t n, struct val *out)
{
    const struct pg_macro *m = macro_of(callee);
    const struct pg_super *s = super_of(callee);
    struct call c = vm->call;

    if (val_is_none(callee)) {
        *out = val_null();
        return 0;
    }
    if (s != NULL && n == 0)
        return call_super(vm, s, out);
    if (m != NULL) {
        if (n > m->code->n_params)
            return vm_raise(vm, TMPL_EXC_TYPE, "macro \"%.*s\" takes %zu arguments, not %zu",
                            STR_ARG(m->code->name), m->code->n_params, n);
        return captured(vm, m->code, m->ctx, args, n, out);
    }
    if (callee.type != VAL_OBJ || s != NULL)
        return vm_raise(vm, TMPL_EXC_TYPE, "a value of type %s cannot be called so",
                        val_type_name(callee));
    c.pos = args;
    c.n_pos = n;
    return vm_call(&c, callee, out);
}

/* A macro that is mentioned without brackets is called; undefined is nil. */
static int settled(struct vm *vm, struct val v, bool called, struct val *out)
{
    *out = v.type == VAL_UNDEF ? val_null() : v;
    if (called || v.type != VAL_OBJ || (macro_of(v) == NULL && super_of(v) == NULL))
        return 0;
    return pg_call(vm, v, NULL, 0, out);
}

/* ---- variables --------------------------------------------------------------------------------
 */

int pg_load(struct vm *vm, struct frame *f, const struct name *name, bool called, struct val *out)
{
    const struct tmpl_run *run = vm->run;
    const struct func_def *def = NULL;
    const struct ctx *c = f->ctx;
    struct val v = val_undef(NULL);

    if (run->trace != NULL && run->trace->variable != NULL)
        run->trace->variable(run->trace->ctx, name->s);
    for (;; c = c->up) {
        if (c->vars.type == VAL_DICT)
            v = val_get_str(c->vars, name->s);
        if (v.type != VAL_UNDEF)
            return settled(vm, v, called, out);
        if (c->up == NULL)
            break;
    }
    if (!c->globals_only && run->vars.type == VAL_DICT)
        v = val_get_str(run->vars, name->s);
    if (v.type == VAL_UNDEF && !c->globals_only && run->lookup != NULL)
        v = run->lookup(run->lookup_ctx, name->s, vm->a);
    if (v.type == VAL_UNDEF && called)
        def = func_find(name->s);
    if (def != NULL)
        v = function_new(vm->a, def);
    return settled(vm, v, called, out);
}

void pg_store(struct vm *vm, struct frame *f, const struct name *name, struct val v)
{
    if (v.type == VAL_UNDEF)
        return;
    if (f->ctx->vars.type != VAL_DICT)
        f->ctx->vars = val_dict_new(vm->a, 4);
    val_dict_set_str(f->ctx->vars, name->s, v);
}

void pg_scope(struct vm *vm, struct frame *f)
{
    f->ctx = ctx_new(vm, f->ctx, f->ctx->unit);
}

int pg_attr(struct vm *vm, struct val object, const struct name *name, bool called, struct val *out)
{
    struct val v = val_undef(NULL);

    switch (object.type) {
    case VAL_UNDEF:
    case VAL_NULL:
        break;
    case VAL_DICT:
        v = val_get_str(object, name->s);
        break;
    case VAL_OBJ:
        if (attr_get(vm, object, name, &v) != 0)
            return -1;
        break;
    default:
        return vm_raise(vm, TMPL_EXC_RUNTIME, "cannot read field \"%.*s\" of a value of type %s",
                        STR_ARG(name->s), val_type_name(object));
    }
    return settled(vm, v, called, out);
}

int pg_item(struct vm *vm, struct val object, struct val key, unsigned flags, struct val *out)
{
    struct val v = val_null();

    if (pg_can_slice(object))
        v = pg_index(object, pg_int(key));
    else if (object.type == VAL_DICT && (flags & PG_ITEM_DOTTED) == 0)
        v = key.type <= VAL_STR ? val_get_val(object, key) : val_null();
    else if (!val_is_none(object))
        return vm_raise(vm, TMPL_EXC_RUNTIME, "cannot read an item of a value of type %s",
                        val_type_name(object));
    return settled(vm, v, (flags & PG_ITEM_CALLED) != 0, out);
}

/* ---- printing ---------------------------------------------------------------------------------
 */

int pg_print(struct vm *vm, const struct frame *f, struct val v, enum pg_print_mode mode)
{
    bool escape = f->ctx->autoescape && mode != PG_PRINT_SAFE;

    if (mode == PG_PRINT_VALUE)
        escape = escape && v.type == VAL_STR && (v.flags & VAL_F_MARKUP) == 0;
    if (escape)
        pg_escape(pg_text(v, vm->a), vm->out);
    else
        pg_to_text(v, vm->out);
    return 0;
}

/* ---- other templates --------------------------------------------------------------------------
 */

int pg_block(struct vm *vm, struct frame *f, const struct name *name)
{
    const struct block_entry *b = map_find(&f->ctx->unit->blocks, name->s);

    if (b == NULL)
        return vm_raise(vm, TMPL_EXC_RUNTIME, "no block named \"%.*s\"", STR_ARG(name->s));
    set_block(vm, f->ctx, b->up, name->s);
    return vm_run_code(vm, b->code, f->ctx, NULL, NULL, 0, 0);
}

int pg_include(struct vm *vm, struct frame *f, struct val name, struct val pairs, unsigned flags)
{
    const struct tmpl *t = NULL;
    struct ctx *ctx;
    int rc;

    if (name.type != VAL_STR || name.len == 0)
        return vm_raise(vm, TMPL_EXC_RUNTIME, "the name of the template to include is empty");
    rc = vm_load(vm, name, &t);
    if (rc == 1 && (flags & PG_IF_EXISTS) != 0) {
        err_clear(vm->e);
        return 0;
    }
    if (rc != 0 || vm_enter(vm) != 0)
        return -1;
    ctx = ctx_new(vm, (flags & PG_ONLY) != 0 ? NULL : f->ctx, unit_new(vm, t));
    ctx->globals_only = (flags & PG_ONLY) != 0;
    ctx->autoescape = t->env.autoescape;
    ctx->locals = pairs;
    if (val_count(pairs) > 0)
        ctx->vars = pairs;
    rc = vm_run_code(vm, t->root, ctx, NULL, NULL, 0, 0);
    vm->includes--;
    return rc;
}

int pg_import(struct vm *vm, struct frame *f, struct val name, const struct name *macro,
              struct val *out)
{
    const struct tmpl *t = NULL;
    size_t i;

    if (vm_load(vm, name, &t) != 0)
        return -1;
    for (i = 0; i < t->n_codes; i++) {
        const struct code *code = t->codes[i];

        if (code->kind == CODE_MACRO && code->exported && str_eq(code->name, macro->s)) {
            *out = pg_macro_new(vm, code, f);
            return 0;
        }
    }
    return vm_raise(vm, TMPL_EXC_RUNTIME, "no macro named \"%.*s\" is exported by \"%.*s\"",
                    STR_ARG(macro->s), STR_ARG(val_text(name)));
}
