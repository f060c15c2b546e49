/*
 * Contexts and blocks: which variable a name means outside the locals, and which template a block
 * comes from.
 */
#include "template/vm_int.h"

/* ---- contexts -------------------------------------------------------------------------------- */

static struct block_entry *entry_new(struct vm *vm, const struct code *code)
{
    struct block_entry *b = ARENA_NEW(vm->a, struct block_entry);

    b->code = code;
    return b;
}

struct unit *unit_new(struct vm *vm, const struct tmpl *t)
{
    struct unit *u = ARENA_NEW(vm->a, struct unit);
    size_t i;

    u->t = t;
    u->autoescape = t->env.autoescape;
    map_init(&u->blocks, vm->a);
    for (i = 0; i < t->n_blocks; i++)
        (void)map_set(&u->blocks, t->blocks[i]->name, entry_new(vm, t->blocks[i]));
    return u;
}

struct ctx *ctx_new(struct vm *vm, struct ctx *up, struct unit *unit)
{
    struct ctx *c = ARENA_NEW(vm->a, struct ctx);

    c->up = up;
    c->unit = unit;
    c->vars = val_null();
    c->exported = val_null();
    c->locals = val_null();
    c->autoescape = up != NULL ? up->autoescape : unit->t->env.autoescape;
    return c;
}

/* A variable of the run, or of the language. */
static struct val resolve_global(struct vm *vm, const struct ctx *ctx, struct str name)
{
    const struct tmpl_run *run = vm->run;
    const struct func_def *def;
    struct val v = val_undef(NULL);

    if (!ctx->globals_only) {
        if (run->vars.type == VAL_DICT)
            v = val_get_str(run->vars, name);
        if (v.type == VAL_UNDEF && run->lookup != NULL)
            v = run->lookup(run->lookup_ctx, name, vm->a);
        if (v.type != VAL_UNDEF)
            return v;
    }
    def = vm->main->python ? py_func_find(name) : NULL;
    if (def == NULL)
        def = func_find(name);
    if (def == NULL && vm->main->env.ext_i18n)
        def = i18n_find(name);
    return def != NULL ? function_new(vm->a, def) : v;
}

struct val ctx_resolve(struct vm *vm, struct ctx *ctx, const char *text)
{
    struct str name = str_c(text);
    struct val v = val_undef(NULL);
    const struct ctx *c;

    if (vm->run->trace != NULL && vm->run->trace->variable != NULL)
        vm->run->trace->variable(vm->run->trace->ctx, name);
    for (c = ctx;; c = c->up) {
        if (c->vars.type == VAL_DICT)
            v = val_get_str(c->vars, name);
        if (val_absent(v) && c->locals.type == VAL_DICT)
            v = val_get_str(c->locals, name);
        if (!val_absent(v))
            return v;
        if (c->up == NULL)
            break;
    }
    v = resolve_global(vm, c, name);
    return v.type != VAL_UNDEF ? v : undef_make(UNDEF_NAME, text);
}

void ctx_export(struct vm *vm, struct ctx *ctx, const struct name *name, struct val v,
                bool importers)
{
    if (ctx->vars.type != VAL_DICT) {
        ctx->vars = val_dict_new(vm->a, 4);
        ctx->exported = val_dict_new(vm->a, 4);
    }
    if (v.type == VAL_UNDEF && v.u.undef_name == NULL)
        v.u.undef_name = name->s.p;
    val_dict_set_str(ctx->vars, name->s, v);
    if (importers && name->s.p[0] != '_')
        val_dict_set_str(ctx->exported, name->s, val_bool(true));
    else
        (void)val_dict_del(ctx->exported, val_str(name->s));
}

struct val locals_dict(struct vm *vm, const struct frame *f, const struct local_list *list)
{
    struct val dict = val_dict_new(vm->a, list->n);
    size_t i;

    for (i = 0; i < list->n; i++) {
        const struct local_ref *r = &list->refs[i];
        const struct frame *at = f;
        unsigned up = r->up;
        struct val v;

        while (up-- > 0)
            at = at->outer;
        v = at->slots[r->slot];
        if (v.type == VAL_UNDEF && v.u.undef_name == NULL)
            v.u.undef_name = f->code->t->names[r->name].s.p;
        if (v.type != VAL_UNDEF || v.reserved < UNDEF_UNRESOLVED)
            val_dict_set_str(dict, f->code->t->names[r->name].s, v);
    }
    return dict;
}

/* ---- blocks
 * ------------------------------------------------------------------------------------------------
 */

int vm_block(struct vm *vm, struct frame *f, const struct name *name, unsigned flags,
             struct val locals)
{
    struct ctx *ctx = f->ctx;
    const struct block_entry *b = map_find(&ctx->unit->blocks, name->s);

    if (b == NULL)
        return vm_raise(vm, TMPL_EXC_RUNTIME, "block '%s' not found", name->s.p);
    if ((flags & BLOCK_REQUIRED) != 0 && b->up == NULL)
        return vm_raise(vm, TMPL_EXC_RUNTIME, "Required block '%s' not found", name->s.p);
    if ((flags & BLOCK_SCOPED) != 0) {
        ctx = ctx_new(vm, ctx, ctx->unit);
        ctx->locals = locals;
    }
    return vm_run_code(vm, b->code, ctx, NULL, NULL, 0, 0);
}

/* A block as a value: super, super.super, self.name. */
struct block_ref {
    struct val_obj obj;
    struct vm *vm;
    struct ctx *ctx;
    const struct block_entry *b;
};

static const struct tmpl_class block_class;

static struct val block_ref_new(struct vm *vm, struct ctx *ctx, const struct block_entry *b)
{
    struct block_ref *r = ARENA_NEW(vm->a, struct block_ref);

    r->obj.cls = &block_class.base;
    r->vm = vm;
    r->ctx = ctx;
    r->b = b;
    return val_obj(&r->obj);
}

static struct val no_parent(struct vm *vm, struct str name)
{
    return undef_make(UNDEF_MESSAGE, arena_printf(vm->a, "there is no parent block called '%.*s'.",
                                                  STR_ARG(name)));
}

static int block_call(struct val_obj *o, struct call *c, struct val *out)
{
    const struct block_ref *r = (const struct block_ref *)(const void *)o;

    if (c->n_pos + c->n_kw > 0)
        return call_raise(
            c, TMPL_EXC_TYPE,
            "BlockReference.__call__() takes 1 positional argument but %zu were given",
            c->n_pos + c->n_kw + 1);
    vm_capture(c->vm);
    if (vm_run_code(c->vm, r->b->code, r->ctx, NULL, NULL, 0, 0) != 0) {
        vm_drop_capture(c->vm);
        return -1;
    }
    *out = vm_end_capture(c->vm, r->ctx->unit->autoescape);
    return 0;
}

static struct val block_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct block_ref *r = (const struct block_ref *)(const void *)o;

    (void)a;
    if (!str_eq_c(name, "super"))
        return val_undef(NULL);
    return r->b->up != NULL ? block_ref_new(r->vm, r->ctx, r->b->up)
                            : no_parent(r->vm, r->b->code->name);
}

static void block_str(const struct val_obj *o, struct buf *out)
{
    const struct block_ref *r = (const struct block_ref *)(const void *)o;

    buf_addf(out, "<BlockReference '%.*s'>", STR_ARG(r->b->code->name));
}

static const struct tmpl_class block_class = {
    .base = {.name = "BlockReference", .str = block_str},
    .getattr = block_getattr,
    .call = block_call,
};

struct val super_new(struct vm *vm, struct frame *f, const struct name *name)
{
    const struct block_entry *b = map_find(&f->ctx->unit->blocks, name->s);

    while (b != NULL && b->code != f->code)
        b = b->up;
    if (b == NULL || b->up == NULL)
        return no_parent(vm, name->s);
    return block_ref_new(vm, f->ctx, b->up);
}

/* self: its attributes are the blocks. */
struct self_ref {
    struct val_obj obj;
    struct vm *vm;
    struct ctx *ctx;
};

static struct val self_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct self_ref *r = (const struct self_ref *)(const void *)o;
    const struct block_entry *b = map_find(&r->ctx->unit->blocks, name);

    (void)a;
    return b != NULL ? block_ref_new(r->vm, r->ctx, b) : val_undef(NULL);
}

static void self_str(const struct val_obj *o, struct buf *out)
{
    const struct self_ref *r = (const struct self_ref *)(const void *)o;

    if (r->ctx->unit->t->name.len > 0)
        buf_addf(out, "<TemplateReference '%.*s'>", STR_ARG(r->ctx->unit->t->name));
    else
        buf_add_c(out, "<TemplateReference None>");
}

static const struct tmpl_class self_class = {
    .base = {.name = "TemplateReference", .str = self_str},
    .getattr = self_getattr,
};

struct val self_new(struct vm *vm, struct ctx *ctx)
{
    struct self_ref *r = ARENA_NEW(vm->a, struct self_ref);

    r->obj.cls = &self_class.base;
    r->vm = vm;
    r->ctx = ctx;
    return val_obj(&r->obj);
}
