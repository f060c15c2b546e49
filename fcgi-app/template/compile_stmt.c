/*
 * Statements to instructions: output, conditions, assignments, other templates.
 */
#include "template/compile_int.h"

/* ---- output ---------------------------------------------------------------------------------- */

static void flush_text(struct compiler *c, struct buf *text)
{
    if (text->len == 0)
        return;
    (void)emit(c, OP_TEXT, add_const(c, val_str_dup(c->keep, buf_str(text))), 0);
    text->len = 0;
}

/* What an expression prints whatever the variables are; false when that is not known here. */
static bool constant_text(struct compiler *c, const struct where *w, const struct node *n,
                          struct buf *text)
{
    struct val v;
    struct str s;

    if (n->kind == N_DATA) {
        buf_add_str(text, val_text(n->value));
        return true;
    }
    if (!const_value(c, n, &v))
        return false;
    s = val_str_of(v, c->scratch);
    if (w->escape_constants)
        html_escape(s, text);
    else
        buf_add_str(text, s);
    return true;
}

static const struct sym *plain_local(struct compiler *c, const struct where *w,
                                     const struct node *n)
{
    const struct sym *y = n->kind == N_NAME ? scope_find(w->scope, n->name) : NULL;

    return y != NULL && y->scope->fn == c->fn && !y->is_loop ? y : NULL;
}

static void comp_print(struct compiler *c, const struct where *w, const struct node *n)
{
    static const enum opcode ops[] = {
        [ESCAPE_OFF] = OP_PRINT, [ESCAPE_ON] = OP_PRINT_ESCAPED, [ESCAPE_DYNAMIC] = OP_PRINT_AUTO};
    struct where printed = *w;
    enum escape_mode mode = w->escape;
    const struct sym *y;

    c->fn->line = n->line;
    if (w->escape == ESCAPE_OFF && (y = plain_local(c, w, n)) != NULL) {
        (void)emit(c, OP_PRINT_LOCAL, y->slot, 0);
        add_printed(c, n);
        return;
    }
    if (w->escape == ESCAPE_OFF && n->kind == N_GETATTR && (y = plain_local(c, w, n->a)) != NULL) {
        (void)emit(c, OP_PRINT_ATTR, add_name(c, n->name), y->slot);
        add_printed(c, n);
        return;
    }
    printed.constant = !has_names(n);
    comp_expr(c, &printed, n);
    c->fn->line = n->line;
    if (mode == ESCAPE_DYNAMIC && folds(w, n))
        mode = w->escape_constants ? ESCAPE_ON : ESCAPE_OFF;
    (void)emit(c, ops[mode], 0, 0);
    add_printed(c, n);
}

/* Code that a template which extends another jumps over; *jump is patched by end_unless_child. */
static bool begin_unless_child(struct compiler *c, bool check, size_t *jump)
{
    if (check)
        *jump = emit(c, OP_SKIP_CHILD, 0, 0);
    return check;
}

static void comp_output(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct node *item;
    struct buf text;
    size_t skip = 0;

    if (w->check_output && c->known_extends)
        return;
    (void)begin_unless_child(c, w->check_output, &skip);
    buf_init(&text, SIZE_MAX, c->scratch);
    for (item = n->a; item != NULL && !c->failed; item = item->next) {
        if (constant_text(c, w, item, &text))
            continue;
        flush_text(c, &text);
        comp_print(c, w, item);
    }
    flush_text(c, &text);
    if (w->check_output)
        patch_here(c, skip);
}

/* ---- conditions ------------------------------------------------------------------------------ */

struct if_jumps {
    size_t at;
    struct if_jumps *next;
};

static void comp_branch(struct compiler *c, const struct where *w, const struct node *test,
                        const struct node *body, bool more, struct if_jumps **ends)
{
    size_t otherwise;

    comp_expr(c, w, test);
    otherwise = emit(c, OP_JUMP_FALSE, 0, 0);
    comp_body(c, w, body);
    if (more) {
        struct if_jumps *j = ARENA_NEW(c->scratch, struct if_jumps);

        j->at = emit(c, OP_JUMP, 0, 0);
        j->next = *ends;
        *ends = j;
    }
    patch_here(c, otherwise);
}

static void comp_if(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where soft = *w;
    const struct node *elif;
    struct if_jumps *ends = NULL;

    soft.soft = true;
    soft.rootlevel = false;
    comp_branch(c, &soft, n->a, n->b, n->c != NULL || n->d != NULL, &ends);
    for (elif = n->c; elif != NULL && !c->failed; elif = elif->next)
        comp_branch(c, &soft, elif->a, elif->b, elif->next != NULL || n->d != NULL, &ends);
    comp_body(c, &soft, n->d);
    for (; ends != NULL; ends = ends->next)
        patch_here(c, ends->at);
}

/* ---- assignments ----------------------------------------------------------------------------- */

static void export_name(struct compiler *c, const struct where *w, struct str name, enum opcode op)
{
    if (w->toplevel)
        (void)emit(c, op, add_name(c, name), store_sym(c, w, name)->slot);
}

static void export_target(struct compiler *c, const struct where *w, const struct node *target)
{
    const struct node *item;

    if (target->kind == N_NAME)
        export_name(c, w, target->name, OP_EXPORT);
    else if (target->kind == N_TUPLE) {
        for (item = target->a; item != NULL; item = item->next)
            export_target(c, w, item);
    }
}

static void check_namespaces(struct compiler *c, const struct where *w, const struct node *target)
{
    const struct node *item;

    if (target->kind == N_NSREF) {
        emit_load(c, w, target->name);
        (void)emit(c, OP_CHECK_NAMESPACE, 0, 0);
    } else if (target->kind == N_TUPLE) {
        for (item = target->a; item != NULL; item = item->next)
            check_namespaces(c, w, item);
    }
}

static void comp_set(struct compiler *c, const struct where *w, const struct node *n)
{
    check_namespaces(c, w, n->a);
    comp_expr(c, w, n->b);
    comp_store(c, w, n->a);
    export_target(c, w, n->a);
}

/* What the body prints, on the stack. */
static void comp_captured(struct compiler *c, const struct where *in, const struct node *body,
                          enum escape_mode mode)
{
    struct undo undo = {.kind = UNDO_CAPTURE, .fn = c->fn, .outer = c->undo};

    (void)emit(c, OP_CAPTURE, 0, 0);
    c->undo = &undo;
    comp_body(c, in, body);
    c->undo = undo.outer;
    (void)emit(c, OP_END_CAPTURE, (int32_t)mode, 0);
}

static void comp_set_block(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where in = where_inner(c, w);

    in.check_output = false;
    scope_visit(c, in.scope, n->a);
    if (n->b != NULL)
        scope_visit(c, in.scope, n->b);
    scope_visit_list(c, in.scope, n->c);
    scope_enter(c, in.scope);
    check_namespaces(c, w, n->a);
    comp_captured(c, &in, n->c, n->b != NULL ? w->escape : ESCAPE_DYNAMIC);
    if (n->b != NULL) {
        comp_expr(c, &in, n->b);
        (void)emit(c, OP_MARK, 0, 0);
    }
    comp_store(c, w, n->a);
    export_target(c, w, n->a);
}

static void comp_filter_block(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where in = where_inner(c, w);

    scope_visit_list(c, in.scope, n->c);
    scope_visit(c, in.scope, n->a);
    scope_enter(c, in.scope);
    comp_captured(c, &in, n->c, w->escape);
    comp_expr(c, &in, n->a);
    (void)emit(c, OP_PRINT_RAW, 0, 0);
}

static void comp_with(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where in = where_inner(c, w);
    const struct node *pair;

    in.check_output = w->check_output;
    for (pair = n->a; pair != NULL; pair = pair->next)
        scope_visit_params(c, in.scope, pair->a);
    scope_visit_list(c, in.scope, n->c);
    scope_enter(c, in.scope);
    for (pair = n->a; pair != NULL; pair = pair->next) {
        comp_expr(c, w, pair->b);
        comp_store(c, &in, pair->a);
    }
    comp_body(c, &in, n->c);
}

/* Does anything in the list look at autoescape while it runs?  Blocks have their own. */
static bool looks_at_autoescape(const struct node *n)
{
    const struct where dynamic = {.escape = ESCAPE_DYNAMIC};

    for (; n != NULL; n = n->next) {
        switch (n->kind) {
        case N_BLOCK:
            continue;
        case N_OUTPUT: {
            const struct node *item;

            for (item = n->a; item != NULL; item = item->next) {
                if (item->kind == N_DATA || !folds(&dynamic, item))
                    return true;
            }
            break;
        }
        case N_FILTER: {
            const struct filter_def *def = filter_find(n->name);

            if (def != NULL && def->needs_autoescape)
                return true;
            break;
        }
        case N_CALL:
        case N_SET_BLOCK:
        case N_CALL_BLOCK:
        case N_FILTER_BLOCK:
        case N_INCLUDE:
        case N_IMPORT:
        case N_FROM:
            return true;
        default:
            break;
        }
        if (looks_at_autoescape(n->a) || looks_at_autoescape(n->b) || looks_at_autoescape(n->c) ||
            looks_at_autoescape(n->d) || looks_at_autoescape(n->e))
            return true;
    }
    return false;
}

static void comp_autoescape(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where in = where_inner(c, w);
    struct undo undo = {.kind = UNDO_AUTOESCAPE, .fn = c->fn, .outer = c->undo};
    struct val v;

    scope_visit(c, in.scope, n->a);
    scope_visit_list(c, in.scope, n->c);
    scope_enter(c, in.scope);
    undo.slot = new_slot(c, val_null());
    comp_expr(c, &in, n->a);
    if (!const_value(c, n->a, &v) && !looks_at_autoescape(n->c)) { /* an undefined value nobody looks at raises nothing */
        (void)emit(c, OP_POP, 0, 0);
        in.escape = ESCAPE_DYNAMIC;
        comp_body(c, &in, n->c);
        return;
    }
    (void)emit(c, OP_AUTOESCAPE, undo.slot, 0);
    if (const_value(c, n->a, &v)) {
        in.escape_constants = val_truth(v);
        if (in.escape != ESCAPE_DYNAMIC)
            in.escape = in.escape_constants ? ESCAPE_ON : ESCAPE_OFF;
    } else {
        in.escape = ESCAPE_DYNAMIC;
    }
    c->undo = &undo;
    comp_body(c, &in, n->c);
    c->undo = undo.outer;
    (void)emit(c, OP_AUTOESCAPE_END, undo.slot, 0);
}

/* ---- other templates ------------------------------------------------------------------------- */

static void comp_extends(struct compiler *c, const struct where *w, const struct node *n)
{
    size_t child;
    size_t over;
    int text;

    if (!w->toplevel) {
        comp_fail(c, n, TMPL_EXC_ASSERTION, "cannot use extend from a non top-level scope");
        return;
    }
    if (c->n_extends > 0) {
        text = add_const(c, VAL_STR_LIT("extended multiple times"));
        if (c->known_extends) {
            (void)emit(c, OP_RAISE, text, TMPL_EXC_RUNTIME);
            c->finished = true;
            return;
        }
        child = emit(c, OP_SKIP_CHILD, 0, 0);
        over = emit(c, OP_JUMP, 0, 0);
        patch_here(c, child);
        (void)emit(c, OP_RAISE, text, TMPL_EXC_RUNTIME);
        patch_here(c, over);
    }
    comp_expr(c, w, n->a);
    (void)emit(c, OP_EXTENDS, 0, 0);
    if (w->rootlevel)
        c->known_extends = true;
    c->n_extends++;
}

/* A name is on the stack; hand the locals over as well if the template is to see them. */
static int32_t comp_context(struct compiler *c, const struct where *w, const struct node *n)
{
    int32_t flags = (n->flags & F_IGNORE_MISSING) != 0 ? INCLUDE_IGNORE_MISSING : 0;

    if ((n->flags & F_WITH_CONTEXT) == 0)
        return flags;
    (void)emit(c, OP_LOCALS, locals_list(c, w), 0);
    return flags | INCLUDE_CONTEXT;
}

static void comp_include(struct compiler *c, const struct where *w, const struct node *n)
{
    int32_t flags;

    comp_expr(c, w, n->a);
    flags = comp_context(c, w, n);
    c->fn->line = n->line;
    (void)emit_stack(c, OP_INCLUDE, flags, 0, (flags & INCLUDE_CONTEXT) != 0 ? -2 : -1);
}

static void comp_import(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct node *alias;
    int32_t flags;

    comp_expr(c, w, n->a);
    flags = comp_context(c, w, n);
    c->fn->line = n->line;
    (void)emit_stack(c, OP_IMPORT, flags, 0, (flags & INCLUDE_CONTEXT) != 0 ? -1 : 0);
    if (n->kind == N_IMPORT) {
        (void)emit(c, OP_STORE, store_sym(c, w, n->name)->slot, 0);
        export_name(c, w, n->name, OP_EXPORT_IMPORT);
        return;
    }
    for (alias = n->b; alias != NULL; alias = alias->next) {
        (void)emit(c, OP_FROM, add_name(c, alias->name), 0);
        (void)emit(c, OP_STORE, store_sym(c, w, val_text(alias->value))->slot, 0);
        export_name(c, w, val_text(alias->value), OP_EXPORT_IMPORT);
    }
    (void)emit(c, OP_POP, 0, 0);
}

static void comp_block(struct compiler *c, const struct where *w, const struct node *n)
{
    uint16_t flags = (n->flags & F_REQUIRED) != 0 ? BLOCK_REQUIRED : 0;
    size_t skip = 0;
    bool check = w->toplevel && c->n_extends > 0;

    if (w->toplevel && c->known_extends)
        return;
    (void)begin_unless_child(c, check, &skip);
    if ((n->flags & F_SCOPED) != 0) {
        (void)emit(c, OP_LOCALS, locals_list(c, w), 0);
        flags |= BLOCK_SCOPED;
    }
    (void)emit_stack(c, OP_BLOCK, add_name(c, n->name), flags,
                     (flags & BLOCK_SCOPED) != 0 ? -1 : 0);
    if (check)
        patch_here(c, skip);
}

/* ---- dispatch
 * -----------------------------------------------------------------------------------------------------
 */

static void comp_macro_stmt(struct compiler *c, const struct where *w, const struct node *n)
{
    comp_macro(c, w, n);
    export_name(c, w, n->name, OP_EXPORT);
}

static void comp_do(struct compiler *c, const struct where *w, const struct node *n)
{
    comp_expr(c, w, n->a);
    (void)emit(c, OP_POP, 0, 0);
}

static void comp_statement(struct compiler *c, const struct where *w, const struct node *n)
{
    static void (*const handlers[])(struct compiler *, const struct where *,
                                    const struct node *) = {
        [N_OUTPUT] = comp_output,
        [N_IF] = comp_if,
        [N_FOR] = comp_for,
        [N_SET] = comp_set,
        [N_SET_BLOCK] = comp_set_block,
        [N_MACRO] = comp_macro_stmt,
        [N_CALL_BLOCK] = comp_call_block,
        [N_FILTER_BLOCK] = comp_filter_block,
        [N_WITH] = comp_with,
        [N_AUTOESCAPE] = comp_autoescape,
        [N_BLOCK] = comp_block,
        [N_EXTENDS] = comp_extends,
        [N_INCLUDE] = comp_include,
        [N_IMPORT] = comp_import,
        [N_FROM] = comp_import,
        [N_DO] = comp_do,
    };

    c->fn->line = n->line;
    if (n->kind == N_BREAK || n->kind == N_CONTINUE)
        comp_break(c, n);
    else
        handlers[n->kind](c, w, n);
}

void comp_body(struct compiler *c, const struct where *w, const struct node *list)
{
    for (; list != NULL && !c->failed; list = list->next) {
        comp_statement(c, w, list);
        if (c->finished) { /* nothing behind this in the list is ever reached */
            c->finished = false;
            return;
        }
    }
}
