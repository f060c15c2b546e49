/*
 * Loops to instructions.
 */
#include "template/compile_int.h"

struct loop_parts {
    const struct node *n;
    struct where body;
    struct where test;
    struct where otherwise;
    struct sym *loop; /* the variable `loop`, or NULL when nobody looks at it */
    uint16_t slot;    /* where the loop itself stands */
};

/* Find the names of the loop's scopes.  c->fn is the function its body belongs to. */
static void find_names(struct compiler *c, const struct where *w, struct loop_parts *p)
{
    const struct node *n = p->n;
    struct node alone = *n;

    alone.next = NULL;
    p->body = where_inner(c, w);
    p->body.scope->entered_often = true;
    p->test = where_inner(c, w);
    p->test.scope->entered_often = true;
    p->otherwise = where_inner(c, w);
    if ((n->flags & F_RECURSIVE) != 0 || uses_name(n->c, "loop") ||
        has_node(&alone, N_BLOCK, F_SCOPED)) {
        p->loop = scope_param(c, p->body.scope, STR("loop"));
        p->loop->is_loop = true;
        p->loop->kept = false;
    }
    scope_visit_params(c, p->body.scope, n->a);
    scope_visit_list(c, p->body.scope, n->c);
    scope_visit_list(c, p->otherwise.scope, n->d);
    if (n->e != NULL) {
        scope_visit_params(c, p->test.scope, n->a);
        scope_visit(c, p->test.scope, n->e);
    }
    p->slot = p->loop != NULL ? p->loop->slot : new_slot(c, val_null());
}

/* The iterable on the stack becomes the list of those items the filter lets through. */
static void comp_filtered_list(struct compiler *c, struct loop_parts *p)
{
    uint16_t slot = new_slot(c, val_null());
    uint16_t item = new_slot(c, val_null());
    size_t again;
    size_t done;
    size_t skip;

    (void)emit(c, OP_FOR, slot, LOOP_PLAIN);
    (void)emit_stack(c, OP_LIST, 0, 0, 1);
    again = here(c);
    done = emit(c, OP_NEXT, 0, slot);
    (void)emit(c, OP_STORE, item, 0);
    (void)emit(c, OP_LOAD, item, 0);
    comp_store(c, &p->test, p->n->a);
    comp_expr(c, &p->test, p->n->e);
    skip = emit(c, OP_JUMP_FALSE, 0, 0);
    (void)emit(c, OP_LOAD, item, 0);
    (void)emit(c, OP_APPEND, 0, 0);
    patch_here(c, skip);
    (void)emit(c, OP_LOOP, (int32_t)again, (uint16_t)(here(c) - again));
    patch_here(c, done);
}

/* The item on the stack, or on to the next round when the filter refuses it. */
static void comp_inline_filter(struct compiler *c, struct loop_parts *p, size_t again)
{
    size_t pass;

    (void)emit(c, OP_DUP, 0, 0);
    comp_store(c, &p->test, p->n->a);
    comp_expr(c, &p->test, p->n->e);
    pass = emit(c, OP_JUMP_TRUE, 0, 0);
    (void)emit_stack(c, OP_POP, 0, 0, 0);
    (void)emit(c, OP_LOOP, (int32_t)again, (uint16_t)(here(c) - again));
    patch_here(c, pass);
}

static uint16_t steps(const struct compiler *c, size_t from)
{
    size_t n = here(c) - from;

    return (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n);
}

/* The iterable is on the stack. */
static void comp_rounds(struct compiler *c, struct loop_parts *p, uint16_t flags)
{
    const struct node *n = p->n;
    struct undo undo = {.kind = UNDO_LOOP, .slot = p->slot, .fn = c->fn, .outer = c->undo};
    struct pending_jump *j;
    size_t begin;
    size_t done;

    if (n->e != NULL) {
        scope_enter(c, p->test.scope);
        if (p->loop != NULL)
            comp_filtered_list(c, p);
    }
    begin = emit(c, OP_FOR, p->slot, flags);
    undo.again = here(c);
    done = emit(c, OP_NEXT, 0, p->slot);
    if (n->e != NULL && p->loop == NULL)
        comp_inline_filter(c, p, undo.again);
    comp_store(c, &p->body, n->a);
    scope_enter(c, p->body.scope);
    c->undo = &undo;
    comp_body(c, &p->body, n->c);
    c->undo = undo.outer;
    if (n->d != NULL)
        (void)emit(c, OP_LOOP_DONE, p->slot, 0);
    (void)emit(c, OP_LOOP, (int32_t)undo.again, steps(c, undo.again));
    patch_here(c, done);
    for (j = undo.breaks; j != NULL; j = j->next)
        patch_here(c, j->at);
    if (p->loop != NULL && p->loop->kept)
        c->fn->ins[begin].b |= LOOP_KEPT;
    if (n->d != NULL) {
        size_t end = emit(c, OP_ELSE, 0, p->slot);

        scope_enter(c, p->otherwise.scope);
        comp_body(c, &p->otherwise, n->d);
        patch_here(c, end);
    }
}

static void comp_recursive(struct compiler *c, const struct where *w, struct loop_parts *p)
{
    struct where outer = *w;
    struct undo *undo = c->undo;
    struct fn *f;
    uint16_t iterable;
    int index;

    comp_expr(c, w, p->n->b);
    f = fn_begin(c, CODE_LOOP, STR_NONE, p->n->line, &index);
    c->undo = NULL;
    outer.toplevel = false;
    iterable = new_slot(c, val_null());
    find_names(c, &outer, p);
    (void)emit(c, OP_LOAD, iterable, 0);
    comp_rounds(c, p, LOOP_EXTENDED | LOOP_RECURSIVE | LOOP_KEPT);
    (void)emit(c, OP_RETURN, 0, 0);
    f->code->autoescape = w->escape == ESCAPE_ON;
    fn_end(c, f);
    c->undo = undo;
    (void)emit(c, OP_RECURSE, index, 0);
}

/* A target named `loop` anywhere in the loop is refused, as Jinja2 does. */
static const struct node *loop_target(const struct node *n)
{
    const struct node *found = NULL;

    for (; n != NULL && found == NULL; n = n->next) {
        const struct node *children[] = {n->a, n->b, n->c, n->d, n->e};
        size_t i;

        if (n->kind == N_NAME && n->op == USE_STORE && str_eq_c(n->name, "loop"))
            return n;
        for (i = 0; i < COUNT_OF(children) && found == NULL; i++)
            found = loop_target(children[i]);
    }
    return found;
}

void comp_for(struct compiler *c, const struct where *w, const struct node *n)
{
    struct loop_parts p = {.n = n};
    struct node alone = *n;
    const struct node *bad;

    alone.next = NULL;
    bad = loop_target(&alone);
    if (bad != NULL) {
        comp_fail(c, bad, TMPL_EXC_ASSERTION,
                  "Can't assign to special loop variable in for-loop target");
        return;
    }
    if ((n->flags & F_RECURSIVE) != 0) {
        comp_recursive(c, w, &p);
        return;
    }
    comp_expr(c, w, n->b);
    find_names(c, w, &p);
    comp_rounds(c, &p, p.loop != NULL ? LOOP_EXTENDED : LOOP_PLAIN);
}

void comp_break(struct compiler *c, const struct node *n)
{
    struct undo *u;
    struct pending_jump *j;

    for (u = c->undo; u != NULL && u->fn == c->fn && u->kind != UNDO_LOOP; u = u->outer) {
        if (u->kind == UNDO_CAPTURE)
            (void)emit(c, OP_DROP_CAPTURE, 0, 0);
        else
            (void)emit(c, OP_AUTOESCAPE_END, u->slot, 0);
    }
    if (u == NULL || u->fn != c->fn) {
        comp_fail(c, n, TMPL_EXC_SYNTAX, "'%s' outside loop",
                  n->kind == N_BREAK ? "break" : "continue");
        return;
    }
    if (n->kind == N_CONTINUE) {
        (void)emit(c, OP_LOOP, (int32_t)u->again, steps(c, u->again));
        return;
    }
    j = ARENA_NEW(c->scratch, struct pending_jump);
    j->at = emit(c, OP_BREAK, 0, u->slot);
    j->next = u->breaks;
    u->breaks = j;
}
