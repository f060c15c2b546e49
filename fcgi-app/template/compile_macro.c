/*
 * Macros, call blocks and blocks to functions.
 */
#include "template/compile_int.h"

/* Declare what a macro is handed without being asked: caller, kwargs, varargs. */
static void special_params(struct compiler *c, struct scope *s, const struct node *n,
                           struct code *code)
{
    const struct node *param;
    bool own_kwargs = false;
    bool own_varargs = false;
    size_t i = 0;
    size_t caller = 0;
    size_t n_defaults = 0;

    for (param = n->b; param != NULL; param = param->next)
        n_defaults++;
    for (param = n->a; param != NULL; param = param->next, i++) {
        if (str_eq_c(param->name, "caller")) {
            code->explicit_caller = true;
            caller = i;
        }
        own_kwargs = own_kwargs || str_eq_c(param->name, "kwargs");
        own_varargs = own_varargs || str_eq_c(param->name, "varargs");
    }
    if (uses_name(n->c, "caller")) {
        code->takes_caller = true;
        if (!code->explicit_caller)
            code->caller_slot = scope_param(c, s, STR("caller"))->slot;
        else if (caller + n_defaults < i)
            comp_fail(c, n, TMPL_EXC_ASSERTION,
                      "When defining macros or call blocks the special \"caller\" argument must be "
                      "omitted or be "
                      "given a default.");
    }
    if (!own_kwargs && uses_name(n->c, "kwargs")) {
        code->catch_kwargs = true;
        code->kwargs_slot = scope_param(c, s, STR("kwargs"))->slot;
    }
    if (!own_varargs && uses_name(n->c, "varargs")) {
        code->catch_varargs = true;
        code->varargs_slot = scope_param(c, s, STR("varargs"))->slot;
    }
}

static void declare_params(struct compiler *c, struct scope *s, const struct node *n,
                           struct code *code)
{
    const struct node *param;
    struct str *names;
    size_t count = 0;

    for (param = n->a; param != NULL; param = param->next)
        count++;
    names = ARENA_ARRAY(c->keep, struct str, count);
    count = 0;
    for (param = n->a; param != NULL; param = param->next) {
        names[count] = str_dup(c->keep, param->name);
        if (scope_param(c, s, param->name)->slot != count)
            comp_fail(c, param, TMPL_EXC_SYNTAX, "duplicate argument '%.*s' in macro definition",
                      STR_ARG(param->name));
        count++;
    }
    code->params = names;
    code->n_params = count;
}

/* Parameters the call left out get their defaults, evaluated now. */
static void comp_defaults(struct compiler *c, const struct where *w, const struct node *n,
                          const struct code *code)
{
    const struct node *value;
    const struct node *param = n->a;
    size_t n_defaults = 0;
    size_t i;

    for (value = n->b; value != NULL; value = value->next)
        n_defaults++;
    value = n->b;
    for (i = 0; i < code->n_params; i++, param = param->next) {
        size_t set = emit(c, OP_JUMP_SET, 0, (uint16_t)i);

        if (i + n_defaults < code->n_params) {
            (void)emit(c, OP_PARAM_MISSING, add_name(c, param->name), (uint16_t)i);
        } else {
            comp_expr(c, w, value);
            (void)emit(c, OP_STORE, (int32_t)i, 0);
            value = value->next;
        }
        patch_here(c, set);
    }
}

/* The function of a macro or call block; returns its index. */
static int comp_function(struct compiler *c, const struct where *w, const struct node *n,
                         enum code_kind kind)
{
    struct where in;
    struct undo *undo = c->undo;
    int index;
    struct fn *f = fn_begin(c, kind, kind == CODE_MACRO ? n->name : STR_NONE, n->line, &index);

    c->undo = NULL;
    in = where_inner(c, w);
    in.check_output = false;
    f->code->autoescape = w->escape == ESCAPE_ON;
    declare_params(c, in.scope, n, f->code);
    special_params(c, in.scope, n, f->code);
    scope_visit_list(c, in.scope, n->b);
    scope_visit_list(c, in.scope, n->c);
    if (!c->failed) {
        scope_enter(c, in.scope);
        comp_defaults(c, &in, n, f->code);
        comp_body(c, &in, n->c);
        (void)emit(c, OP_RETURN, 0, 0);
    }
    fn_end(c, f);
    c->undo = undo;
    return index;
}

void comp_macro(struct compiler *c, const struct where *w, const struct node *n)
{
    int index = comp_function(c, w, n, CODE_MACRO);

    (void)emit(c, OP_MACRO, index, 0);
    (void)emit(c, OP_STORE, store_sym(c, w, n->name)->slot, 0);
}

/* Prints even in a template that extends another: so does Jinja2. */
void comp_call_block(struct compiler *c, const struct where *w, const struct node *n)
{
    int index = comp_function(c, w, n, CODE_CALLER);

    c->fn->line = n->line;
    comp_call(c, w, n->d, index);
    (void)emit(c, OP_PRINT_RAW, 0, 0);
}

static void comp_block_function(struct compiler *c, const struct node *n)
{
    struct where w = {.escape = c->t->env.autoescape ? ESCAPE_ON : ESCAPE_OFF,
                      .escape_constants = c->t->env.autoescape};
    int index;
    struct fn *f = fn_begin(c, CODE_BLOCK, n->name, n->line, &index);
    static const char *const specials[] = {"self", "super"};
    size_t i;

    f->code->required = (n->flags & F_REQUIRED) != 0;
    w.scope = scope_new(c, NULL);
    for (i = 0; i < COUNT_OF(specials); i++) {
        struct sym *y;

        if (!uses_name(n->c, specials[i]))
            continue;
        y = scope_param(c, w.scope, str_c(specials[i]));
        (void)emit(c, i == 0 ? OP_SELF : OP_SUPER, i == 0 ? 0 : add_name(c, n->name), 0);
        (void)emit(c, OP_STORE, y->slot, 0);
    }
    scope_visit_list(c, w.scope, n->c);
    scope_enter(c, w.scope);
    comp_body(c, &w, n->c);
    (void)emit(c, OP_RETURN, 0, 0);
    fn_end(c, f);
    *add_block(c) = f->code;
}

static void find_blocks(struct compiler *c, const struct node *n, struct map *seen)
{
    for (; n != NULL && !c->failed; n = n->next) {
        const struct node *children[] = {n->a, n->b, n->c, n->d, n->e};
        size_t i;

        if (n->kind == N_BLOCK) {
            if (map_find(seen, n->name) != NULL) {
                comp_fail(c, n, TMPL_EXC_ASSERTION, "block '%.*s' defined twice", STR_ARG(n->name));
                return;
            }
            (void)map_set(seen, n->name, c);
            comp_block_function(c, n);
        }
        for (i = 0; i < COUNT_OF(children); i++)
            find_blocks(c, children[i], seen);
    }
}

void comp_blocks(struct compiler *c, const struct node *body)
{
    struct map seen;

    map_init(&seen, c->scratch);
    find_blocks(c, body, &seen);
}
