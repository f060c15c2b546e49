/*
 * The compiler's ground: tables, instructions, functions, and the way from a tree to a template.
 */
#include "template/compile_int.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_SLOTS = 60000 };

static const struct {
    int8_t pops;
    int8_t pushes;
} effects[] = {
#define OP(name, pops, pushes, operands, meaning) {pops, pushes},
#include "template/opcodes.def"
#undef OP
};

void comp_fail(struct compiler *c, const struct node *at, enum tmpl_exc exc, const char *fmt, ...)
{
    va_list ap;
    char text[ERR_TEXT_MAX];

    if (c->failed)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)lex_fail(c->lx, at->at, at->line, "%s", text);
    c->e->app_code = (int)exc;
    c->failed = true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Room for one more element of `size` bytes, zeroed; its index is t->n - 1. */
static void *table_add(struct compiler *c, struct table *t, size_t size)
{
    char *p;

    if (t->n == t->cap) {
        size_t cap = t->cap > 0 ? t->cap * 2 : 16;

        t->p = t->cap > 0 ? arena_grow(c->scratch, t->p, t->cap * size, cap * size)
                          : arena_alloc(c->scratch, cap * size);
        t->cap = cap;
    }
    p = (char *)t->p + t->n++ * size;
    memset(p, 0, size);
    return p;
}

/* The table's final place. */
static void *table_done(struct compiler *c, const struct table *t, size_t size)
{
    return t->n > 0 ? arena_dup(c->keep, t->p, t->n * size) : arena_alloc(c->keep, size);
}

int add_const(struct compiler *c, struct val v)
{
    struct val *p = table_add(c, &c->consts, sizeof(struct val));

    *p = v;
    return (int)c->consts.n - 1;
}

const char *name_text(struct compiler *c, struct str s)
{
    int index = add_name(c, s); /* first: the table may move */

    return ((const struct name *)c->names.p)[index].s.p;
}

int add_name(struct compiler *c, struct str s)
{
    const int *known = map_find(c->name_index, s);
    callable_fn *fn;
    const char *qualified;
    struct name *n;
    int *index;

    if (known != NULL)
        return *known;
    n = table_add(c, &c->names, sizeof(struct name));
    n->s = str_dup(c->keep, s);
    n->hidden = s.len > 0 && s.p[0] == '_';
    n->hint = arena_alloc(c->keep, sizeof(*n->hint));
    atomic_init(n->hint, 0);
    n->dict_method = method_find(val_dict_new(c->scratch, 0), n->s, &fn, &qualified);
    index = arena_alloc(c->scratch, sizeof(*index));
    *index = (int)c->names.n - 1;
    (void)map_set(c->name_index, n->s, index);
    return *index;
}

struct site *add_site(struct compiler *c, int *index)
{
    struct site *s = table_add(c, &c->sites, sizeof(struct site));

    *index = (int)c->sites.n - 1;
    s->name_index = -1;
    return s;
}

int add_locals(struct compiler *c, struct local_list list)
{
    struct local_list *p = table_add(c, &c->locals, sizeof(struct local_list));

    *p = list;
    return (int)c->locals.n - 1;
}

void add_printed(struct compiler *c, const struct node *n)
{
    struct printed *p;

    if (n->end == NULL)
        return;
    p = table_add(c, &c->fn->printed, sizeof(struct printed));
    p->pc = c->fn->n - 1;
    p->text = str_trim(str_make(n->begin, (size_t)(n->end - n->begin)));
}

struct code **add_block(struct compiler *c)
{
    return table_add(c, &c->blocks, sizeof(struct code *));
}

/* ---- instructions ---------------------------------------------------------------------------- */

size_t here(const struct compiler *c)
{
    return c->fn->n;
}

size_t emit_stack(struct compiler *c, enum opcode op, int32_t a, uint16_t b, int effect)
{
    struct fn *f = c->fn;

    if (f->n == f->cap) {
        size_t cap = f->cap > 0 ? f->cap * 2 : 64;

        if (f->cap == 0) {
            f->ins = arena_alloc(c->scratch, cap * sizeof(*f->ins));
            f->lines = arena_alloc(c->scratch, cap * sizeof(*f->lines));
        } else {
            f->ins =
                arena_grow(c->scratch, f->ins, f->cap * sizeof(*f->ins), cap * sizeof(*f->ins));
            f->lines = arena_grow(c->scratch, f->lines, f->cap * sizeof(*f->lines),
                                  cap * sizeof(*f->lines));
        }
        f->cap = cap;
    }
    f->ins[f->n] = (struct insn){(uint16_t)op, b, a};
    f->lines[f->n] = f->line;
    f->depth += effect;
    if (f->depth > f->max_depth)
        f->max_depth = f->depth;
    return f->n++;
}

size_t emit(struct compiler *c, enum opcode op, int32_t a, uint16_t b)
{
    return emit_stack(c, op, a, b, effects[op].pushes - effects[op].pops);
}

void patch_here(struct compiler *c, size_t at)
{
    c->fn->ins[at].a = (int32_t)c->fn->n;
}

uint16_t new_slot(struct compiler *c, struct val init)
{
    struct fn *f = c->fn;

    if (f->n_slots >= MAX_SLOTS) {
        if (!c->failed) {
            err_set(c->e, ERR_LIMIT, "the template has too many variables");
            c->e->app_code = TMPL_EXC_LIMIT;
            c->e->line = f->line;
            c->failed = true;
        }
        return 0;
    }
    if (f->n_slots == f->cap_slots) {
        size_t cap = f->cap_slots > 0 ? f->cap_slots * 2 : 16;

        f->init = f->cap_slots > 0
                      ? arena_grow(c->scratch, f->init, f->cap_slots * sizeof(struct val),
                                   cap * sizeof(struct val))
                      : arena_alloc(c->scratch, cap * sizeof(struct val));
        f->cap_slots = cap;
    }
    f->init[f->n_slots] = init;
    return (uint16_t)f->n_slots++;
}

/* ---- functions ------------------------------------------------------------------------------- */

struct fn *fn_begin(struct compiler *c, enum code_kind kind, struct str name, int line, int *index)
{
    struct fn *f = ARENA_NEW(c->scratch, struct fn);
    struct code **entry = table_add(c, &c->codes, sizeof(struct code *));

    f->code = ARENA_NEW(c->keep, struct code);
    f->code->kind = kind;
    f->code->name = name.p != NULL ? str_dup(c->keep, name) : STR_NONE;
    f->code->t = c->t;
    *entry = f->code;
    *index = (int)c->codes.n - 1;
    map_init(&f->resolved, c->scratch);
    f->outer = c->fn;
    f->line = line;
    if (c->fn != NULL && kind != CODE_BLOCK)
        c->fn->code->has_inner = true;
    c->fn = f;
    return f;
}

void fn_end(struct compiler *c, struct fn *f)
{
    struct code *code = f->code;

    code->ins = arena_dup(c->keep, f->ins, f->n * sizeof(*f->ins));
    code->lines = arena_dup(c->keep, f->lines, f->n * sizeof(*f->lines));
    code->n_ins = f->n;
    code->init =
        f->n_slots > 0 ? arena_dup(c->keep, f->init, f->n_slots * sizeof(struct val)) : NULL;
    code->n_slots = f->n_slots;
    code->exprs = table_done(c, &f->printed, sizeof(struct printed));
    code->n_exprs = f->printed.n;
    code->max_stack = (size_t)f->max_depth + 1;
    c->fn = f->outer;
}

/* ---- the whole ------------------------------------------------------------------------------- */

void comp_begin(struct compiler *c, struct tmpl *t, struct lexer *lx, struct arena *scratch,
                struct err *e)
{
    memset(c, 0, sizeof(*c));
    c->t = t;
    c->lx = lx;
    c->keep = t->a;
    c->scratch = scratch;
    c->e = e;
    c->name_index = ARENA_NEW(scratch, struct map);
    map_init(c->name_index, scratch);
}

int comp_end(struct compiler *c)
{
    struct tmpl *t = c->t;

    if (c->failed)
        return -1;
    t->consts = table_done(c, &c->consts, sizeof(struct val));
    t->n_consts = c->consts.n;
    t->names = table_done(c, &c->names, sizeof(struct name));
    t->n_names = c->names.n;
    t->sites = table_done(c, &c->sites, sizeof(struct site));
    t->n_sites = c->sites.n;
    t->locals = table_done(c, &c->locals, sizeof(struct local_list));
    t->n_locals = c->locals.n;
    t->codes = table_done(c, &c->codes, sizeof(struct code *));
    t->n_codes = c->codes.n;
    t->blocks = table_done(c, &c->blocks, sizeof(struct code *));
    t->n_blocks = c->blocks.n;
    return 0;
}

static void comp_root(struct compiler *c, const struct node *body)
{
    struct where w = {.toplevel = true,
                      .rootlevel = true,
                      .escape = c->t->env.autoescape ? ESCAPE_ON : ESCAPE_OFF,
                      .escape_constants = c->t->env.autoescape};
    int index;
    struct fn *f = fn_begin(c, CODE_ROOT, STR_NONE, 1, &index);

    c->t->root = f->code;
    c->has_extends = has_node(body, N_EXTENDS, 0);
    w.check_output = c->has_extends;
    w.scope = scope_new(c, NULL);
    if (uses_name(body, "self")) {
        struct sym *self = scope_param(c, w.scope, STR("self"));

        (void)emit(c, OP_SELF, 0, 0);
        (void)emit(c, OP_STORE, self->slot, 0);
    }
    scope_visit_list(c, w.scope, body);
    scope_enter(c, w.scope);
    comp_body(c, &w, body);
    if (c->has_extends)
        (void)emit(c, OP_RENDER_PARENT, 0, 0);
    (void)emit(c, OP_RETURN, 0, 0);
    fn_end(c, f);
}

int compile_template(struct tmpl *t, const struct node *body, struct lexer *lx,
                     struct arena *scratch, struct err *e)
{
    struct compiler c;

    comp_begin(&c, t, lx, scratch, e);
    comp_root(&c, body);
    comp_blocks(&c, body);
    return comp_end(&c);
}

int compile_expression(struct tmpl *t, const struct node *expr, struct lexer *lx,
                       struct arena *scratch, struct err *e)
{
    struct compiler c;
    struct where w = {0};
    struct fn *f;
    int index;

    comp_begin(&c, t, lx, scratch, e);
    f = fn_begin(&c, CODE_EXPRESSION, STR_NONE, 1, &index);
    t->root = f->code;
    w.scope = scope_new(&c, NULL);
    scope_visit(&c, w.scope, expr);
    scope_enter(&c, w.scope);
    comp_expr(&c, &w, expr);
    (void)emit(&c, OP_RETURN_VALUE, 0, 0);
    fn_end(&c, f);
    return comp_end(&c);
}
