/*
 * Other templates: include, import, extends.
 */
#include "template/vm_int.h"

/* Imported template: its exported variables, and what it printed. */
struct module {
    struct val_obj obj;
    struct ctx *ctx;
    const struct tmpl *t;
    struct val text;
};

static const struct tmpl_class module_class;

/* ---- loading
 * ------------------------------------------------------------------------------------------------
 */

static void unref(void *t)
{
    tmpl_unref(t);
}

static int compile_loaded(struct vm *vm, struct str source, struct str name, struct tmpl **out)
{
    const struct tmpl_env *env = &vm->main->env;

    if (vm->run->cache != NULL)
        return tmpl_cache_get(vm->run->cache, source, name, env, out, vm->e);
    return tmpl_compile(out, source, name, env, vm->e);
}

/* One template by name.  1: there is none of that name (nothing raised). */
static int load_one(struct vm *vm, struct str name, const struct tmpl **out)
{
    struct str source = STR_NONE;
    struct tmpl *t = NULL;

    *out = map_find(&vm->templates, name);
    if (*out != NULL)
        return 0;
    if (vm->run->loader == NULL)
        return 1;
    if (vm->run->loader(vm->run->loader_ctx, name, &source, vm->a, vm->e) != 0) {
        if (vm->e->code == ERR_NOT_FOUND) {
            err_clear(vm->e);
            return 1;
        }
        return -1;
    }
    if (compile_loaded(vm, source, name, &t) != 0) {
        err_detail(vm->e, "in template \"%.*s\"", STR_ARG(name));
        return -1;
    }
    arena_defer(vm->a, unref, t);
    (void)map_set(&vm->templates, str_dup(vm->a, name), t);
    *out = t;
    return 0;
}

static int no_template(struct vm *vm, struct val name)
{
    if (name.type == VAL_UNDEF)
        return undef_fail(&vm->call, name);
    return vm_raise(vm, TMPL_EXC_TYPE, "a template name must be a text, not %s",
                    val_type_name(name));
}

/* The first of a list that exists; 1 when none does. */
static int load_any(struct vm *vm, struct val names, const struct tmpl **out)
{
    struct buf b;
    struct iter it;
    struct val name;
    size_t n = 0;
    int rc;

    buf_init(&b, ERR_TEXT_MAX, vm->a);
    if (!val_truth(names)) {
        (void)vm_raise(vm, TMPL_EXC_NONE_FOUND, "Tried to select from an empty list of templates.");
        return 1;
    }
    if (iter_init(&vm->call, names, &it) != 0)
        return -1;
    while ((rc = iter_next(&vm->call, &it, &name)) == 1) {
        if (name.type != VAL_STR) {
            if (name.type == VAL_UNDEF) {
                n++;
                continue;
            }
            return no_template(vm, name);
        }
        rc = load_one(vm, val_text(name), out);
        if (rc <= 0)
            return rc;
        buf_addf(&b, "%s%.*s", n > 0 ? ", " : "", STR_ARG(val_text(name)));
        n++;
    }
    if (rc < 0)
        return -1;
    (void)vm_raise(vm, TMPL_EXC_NONE_FOUND, "none of the templates given were found: %s",
                   buf_cstr(&b));
    return 1;
}

/* A name as the message shows it: NULs spelled out, never nothing. */
static const char *shown(struct vm *vm, struct str name)
{
    struct buf b;
    size_t i;

    if (name.len == 0)
        return "a template without a name";
    buf_init(&b, ERR_TEXT_MAX, vm->a);
    for (i = 0; i < name.len; i++) {
        if (name.p[i] == '\0')
            buf_add_c(&b, "\\x00");
        else
            buf_putc(&b, name.p[i]);
    }
    return buf_cstr(&b);
}

/* 0, 1 not found (raised), -1 raised. */
static int load(struct vm *vm, struct val name, bool lists, const struct tmpl **out)
{
    int rc;

    if (lists && name.type != VAL_STR && name.type != VAL_UNDEF)
        return load_any(vm, name, out);
    if (name.type == VAL_UNDEF)
        return no_template(vm, name);
    rc = name.type == VAL_STR ? load_one(vm, val_text(name), out) : 1;
    if (name.type != VAL_STR)
        (void)vm_raise(vm, TMPL_EXC_NOT_FOUND, "%s", shown(vm, val_str_of(name, vm->a)));
    else if (rc == 1)
        (void)vm_raise(vm, TMPL_EXC_NOT_FOUND, "%s", shown(vm, val_text(name)));
    return rc;
}

int vm_load(struct vm *vm, struct val name, const struct tmpl **out)
{
    return load(vm, name, false, out);
}

int vm_enter(struct vm *vm)
{
    if (vm->includes >= LIMIT_TMPL_INCLUDE)
        return vm_raise(vm, TMPL_EXC_LIMIT, "templates include each other deeper than %d",
                        LIMIT_TMPL_INCLUDE);
    vm->includes++;
    return 0;
}

/* ---- include and import ---------------------------------------------------------------------- */

/* The variables a template sees that is included or imported. */
static struct ctx *context_for(struct vm *vm, struct frame *f, const struct tmpl *t,
                               struct val locals, unsigned flags)
{
    bool with = (flags & INCLUDE_CONTEXT) != 0;
    struct ctx *ctx = ctx_new(vm, with ? f->ctx : NULL, unit_new(vm, t));

    if (with)
        ctx->locals = locals;
    ctx->globals_only = !with;
    return ctx;
}

static struct val module_new(struct vm *vm, const struct tmpl *t, struct ctx *ctx, struct val text)
{
    struct module *m = ARENA_NEW(vm->a, struct module);

    m->obj.cls = &module_class.base;
    m->ctx = ctx;
    m->t = t;
    m->text = text;
    return val_obj(&m->obj);
}

/* Render `t` into a module. */
static int make_module(struct vm *vm, struct frame *f, const struct tmpl *t, struct val locals,
                       unsigned flags, struct val *out)
{
    struct ctx *ctx = context_for(vm, f, t, locals, flags);

    vm_capture(vm);
    if (vm_run_code(vm, t->root, ctx, NULL, NULL, 0, 0) != 0) {
        vm_drop_capture(vm);
        return -1;
    }
    *out = module_new(vm, t, ctx, vm_end_capture(vm, t->env.autoescape));
    return 0;
}

/* The module of a template that sees no variables is made once. */
static int shared_module(struct vm *vm, struct frame *f, const struct tmpl *t, struct val *out)
{
    struct val *known = map_find(&vm->modules, t->name);

    if (known == NULL) {
        if (make_module(vm, f, t, val_null(), 0, out) != 0)
            return -1;
        known = arena_dup(vm->a, out, sizeof(*out));
        (void)map_set(&vm->modules, t->name, known);
    }
    *out = *known;
    return 0;
}

int vm_include(struct vm *vm, struct frame *f, struct val name, struct val locals, unsigned flags)
{
    const struct tmpl *t = NULL;
    struct val module;
    int rc = load(vm, name, true, &t);

    if (rc == 1 && (flags & INCLUDE_IGNORE_MISSING) != 0) {
        err_clear(vm->e);
        return 0;
    }
    if (rc != 0 || vm_enter(vm) != 0)
        return -1;
    if ((flags & INCLUDE_CONTEXT) != 0) {
        rc = vm_run_code(vm, t->root, context_for(vm, f, t, locals, flags), NULL, NULL, 0, 0);
    } else {
        rc = shared_module(vm, f, t, &module);
        if (rc == 0)
            rc = vm_print(vm, ((const struct module *)(const void *)module.u.obj)->text);
    }
    vm->includes--;
    return rc;
}

int vm_import(struct vm *vm, struct frame *f, struct val name, struct val locals, unsigned flags,
              struct val *out)
{
    const struct tmpl *t = NULL;
    int rc;

    if (load(vm, name, false, &t) != 0 || vm_enter(vm) != 0)
        return -1;
    rc = (flags & INCLUDE_CONTEXT) != 0 ? make_module(vm, f, t, locals, flags, out)
                                        : shared_module(vm, f, t, out);
    vm->includes--;
    return rc;
}

static struct val module_member(const struct module *m, struct str name)
{
    if (m->ctx->exported.type != VAL_DICT || val_get_str(m->ctx->exported, name).type == VAL_UNDEF)
        return val_undef(NULL);
    return val_get_str(m->ctx->vars, name);
}

int vm_from(struct vm *vm, struct frame *f, struct val value, const struct name *name, int line,
            struct val *out)
{
    const struct module *m = (const struct module *)(const void *)value.u.obj;
    struct str here = f->code->t->name;

    *out = module_member(m, name->s);
    if (out->type == VAL_UNDEF && out->u.undef_name == NULL)
        *out = undef_make(
            UNDEF_MESSAGE,
            arena_printf(vm->a,
                         "the template '%.*s' (imported on line %d%s%.*s%s) does not export the "
                         "requested name '%s'",
                         STR_ARG(m->t->name), line, here.len > 0 ? " in '" : "", STR_ARG(here),
                         here.len > 0 ? "'" : "", name->s.p));
    return 0;
}

/* ---- modules as values ----------------------------------------------------------------------- */

static struct val module_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    (void)a;
    return module_member((const struct module *)(const void *)o, name);
}

static void module_str(const struct val_obj *o, struct buf *out)
{
    buf_add_str(out, val_text(((const struct module *)(const void *)o)->text));
}

static void module_repr(const struct val_obj *o, struct buf *out)
{
    buf_addf(out, "<TemplateModule '%.*s'>",
             STR_ARG(((const struct module *)(const void *)o)->t->name));
}

static const struct tmpl_class module_class = {
    .base = {.name = "TemplateModule", .str = module_str, .repr = module_repr},
    .getattr = module_getattr,
};

/* ---- extends
 * -------------------------------------------------------------------------------------------------------
 */

int vm_extends(struct vm *vm, struct frame *f, struct val name)
{
    struct unit *u = f->ctx->unit;
    const struct tmpl *t = NULL;
    size_t i;

    if (load(vm, name, false, &t) != 0)
        return -1;
    f->parent = t;
    for (i = 0; i < t->n_blocks; i++) {
        struct block_entry *b = ARENA_NEW(vm->a, struct block_entry);
        struct block_entry *last = map_find(&u->blocks, t->blocks[i]->name);

        b->code = t->blocks[i];
        if (last == NULL) {
            (void)map_set(&u->blocks, b->code->name, b);
            continue;
        }
        while (last->up != NULL)
            last = last->up;
        last->up = b;
    }
    return 0;
}

int vm_render_parent(struct vm *vm, struct frame *f)
{
    int rc;

    if (f->parent == NULL)
        return 0;
    if (vm_enter(vm) != 0)
        return -1;
    rc = vm_run_code(vm, f->parent->root, f->ctx, NULL, NULL, 0, 0);
    vm->includes--;
    return rc;
}
