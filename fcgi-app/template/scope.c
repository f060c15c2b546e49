/*
 * Scopes: which local a name means, and where its first value comes from.
 *
 * Rule: Jinja2's identifier tracking.  All names of a scope are found before its code is made, so
 * that a name stored anywhere in it is local from its beginning.
 */
#include "template/compile_int.h"

enum { MAX_LOCAL_REFS = 1000000 }; /* in all lists of a template */

struct scope *scope_new(struct compiler *c, struct scope *parent)
{
    struct scope *s = ARENA_NEW(c->scratch, struct scope);

    s->parent = parent;
    s->fn = c->fn;
    s->tail = &s->syms;
    map_init(&s->index, c->scratch);
    s->entered_often = parent != NULL && parent->fn == c->fn && parent->entered_often;
    return s;
}

struct where where_inner(struct compiler *c, const struct where *w)
{
    struct where in = *w;

    in.scope = scope_new(c, w->scope);
    in.toplevel = false;
    in.rootlevel = false;
    in.soft = false;
    return in;
}

static struct sym *find_here(const struct scope *s, struct str name)
{
    return map_find(&s->index, name);
}

struct sym *scope_find(struct scope *s, struct str name)
{
    for (; s != NULL; s = s->parent) {
        struct sym *y = find_here(s, name);

        if (y != NULL)
            return y;
    }
    return NULL;
}

static struct sym *define(struct compiler *c, struct scope *s, struct str name, enum sym_load load)
{
    struct sym *y = ARENA_NEW(c->scratch, struct sym);

    y->name = name;
    y->load = load;
    y->scope = s;
    *s->tail = y;
    s->tail = &y->next;
    (void)map_set(&s->index, name, y);
    return y;
}

struct sym *scope_param(struct compiler *c, struct scope *s, struct str name)
{
    struct sym *y = find_here(s, name);

    if (y == NULL)
        y = define(c, s, name, SYM_PARAM);
    else if (y->load == SYM_PARAM)
        return y;
    y->load = SYM_PARAM;
    y->stored = true;
    y->slot = new_slot(c, undef_make(UNDEF_MISSING, name_text(c, name)));
    return y;
}

static void load(struct compiler *c, struct scope *s, struct str name)
{
    if (scope_find(s, name) == NULL)
        (void)define(c, s, name, SYM_RESOLVE);
}

/* branch: inside an `if`, so that the store may not happen. */
static void store(struct compiler *c, struct scope *s, struct str name, bool branch)
{
    struct sym *y = find_here(s, name);
    struct sym *outer;

    if (y != NULL) {
        y->stored = true;
        return;
    }
    outer = s->parent != NULL ? scope_find(s->parent, name) : NULL;
    y = define(c, s, name, outer != NULL ? SYM_ALIAS : branch ? SYM_RESOLVE : SYM_MISSING);
    y->outer = outer;
    y->stored = true;
}

static void visit(struct compiler *c, struct scope *s, const struct node *n, bool branch);

static void visit_list(struct compiler *c, struct scope *s, const struct node *list, bool branch)
{
    for (; list != NULL; list = list->next)
        visit(c, s, list, branch);
}

static void visit_import(struct compiler *c, struct scope *s, const struct node *n, bool branch)
{
    const struct node *alias;

    visit(c, s, n->a, branch);
    if (n->kind == N_IMPORT)
        store(c, s, n->name, branch);
    for (alias = n->b; alias != NULL; alias = alias->next)
        store(c, s, val_text(alias->value), branch);
}

static void visit_name(struct compiler *c, struct scope *s, const struct node *n, bool branch)
{
    if (n->op == USE_PARAM)
        (void)scope_param(c, s, n->name);
    else if (n->op == USE_STORE)
        store(c, s, n->name, branch);
    else
        load(c, s, n->name);
}

static void visit(struct compiler *c, struct scope *s, const struct node *n, bool branch)
{
    if (n == NULL)
        return;
    switch (n->kind) {
    case N_NAME:
        visit_name(c, s, n, branch);
        break;
    case N_NSREF:
        load(c, s, n->name);
        break;
    case N_SET:
        visit(c, s, n->b, branch);
        visit(c, s, n->a, branch);
        break;
    case N_IF:
        visit(c, s, n->a, branch);
        visit_list(c, s, n->b, true);
        visit_list(c, s, n->c, true);
        visit_list(c, s, n->d, true);
        break;
    case N_FOR:
    case N_LISTCOMP:
        visit(c, s, n->b, branch);
        break;
    case N_SET_BLOCK:
    case N_FILTER_BLOCK:
        visit(c, s, n->a, branch);
        break;
    case N_MACRO:
        store(c, s, n->name, branch);
        break;
    case N_CALL_BLOCK:
        visit(c, s, n->d, branch);
        break;
    case N_WITH: {
        const struct node *pair;

        for (pair = n->a; pair != NULL; pair = pair->next)
            visit(c, s, pair->b, branch);
        break;
    }
    case N_IMPORT:
    case N_FROM:
        visit_import(c, s, n, branch);
        break;
    case N_AUTOESCAPE:
    case N_BLOCK:
        break;
    default:
        visit_list(c, s, n->a, branch);
        visit_list(c, s, n->b, branch);
        visit_list(c, s, n->c, branch);
        visit_list(c, s, n->d, branch);
        visit_list(c, s, n->e, branch);
        break;
    }
}

void scope_visit_list(struct compiler *c, struct scope *s, const struct node *list)
{
    visit_list(c, s, list, false);
}

void scope_visit(struct compiler *c, struct scope *s, const struct node *n)
{
    visit(c, s, n, false);
}

void scope_visit_params(struct compiler *c, struct scope *s, const struct node *target)
{
    const struct node *item;

    if (target->kind == N_NAME)
        (void)scope_param(c, s, target->name);
    else if (target->kind == N_TUPLE) {
        for (item = target->a; item != NULL; item = item->next)
            scope_visit_params(c, s, item);
    }
}

/* ---- locals ---------------------------------------------------------------------------------- */

static uint16_t resolved_slot(struct compiler *c, struct str name)
{
    uint16_t *slot = map_find(&c->fn->resolved, name);

    if (slot == NULL) {
        slot = arena_alloc(c->scratch, sizeof(*slot));
        *slot = new_slot(c, undef_make(UNDEF_UNRESOLVED, name_text(c, name)));
        (void)map_set(&c->fn->resolved, name, slot);
    }
    return *slot;
}

static int levels(const struct compiler *c, const struct sym *y)
{
    const struct fn *f = c->fn;
    int n = 0;

    while (f != NULL && f != y->scope->fn) {
        f = f->outer;
        n++;
    }
    return n;
}

void scope_enter(struct compiler *c, struct scope *s)
{
    struct sym *y;

    for (y = s->syms; y != NULL; y = y->next) {
        switch (y->load) {
        case SYM_PARAM:
            break;
        case SYM_RESOLVE:
            if (!y->stored) {
                y->slot = resolved_slot(c, y->name);
                break;
            }
            y->slot = new_slot(c, undef_make(UNDEF_UNRESOLVED, name_text(c, y->name)));
            if (s->entered_often)
                (void)emit(c, OP_RESET, y->slot, 0);
            break;
        case SYM_MISSING:
            y->slot = new_slot(c, undef_make(UNDEF_MISSING, name_text(c, y->name)));
            if (s->entered_often)
                (void)emit(c, OP_RESET, y->slot, 0);
            break;
        case SYM_ALIAS:
            y->slot = new_slot(c, undef_make(UNDEF_MISSING, name_text(c, y->name)));
            y->outer->kept = true;
            if (y->outer->scope->fn == c->fn)
                (void)emit(c, OP_ALIAS, y->slot, y->outer->slot);
            else
                (void)emit(c, OP_ALIAS_UP, y->slot | levels(c, y->outer) << 16, y->outer->slot);
            break;
        }
    }
}

static struct sym *find_or_resolve(struct compiler *c, struct scope *s, struct str name)
{
    struct sym *y = scope_find(s, name);

    if (y == NULL) { /* a name no visit has seen: read from the context */
        y = define(c, s, name, SYM_RESOLVE);
        y->slot = resolved_slot(c, name);
    }
    return y;
}

void emit_load(struct compiler *c, const struct where *w, struct str name)
{
    struct sym *y = find_or_resolve(c, w->scope, name);

    y->kept = true;
    if (y->scope->fn == c->fn)
        (void)emit(c, OP_LOAD, y->slot, 0);
    else
        (void)emit(c, OP_LOAD_UP, y->slot, (uint16_t)levels(c, y));
}

struct sym *store_sym(struct compiler *c, const struct where *w, struct str name)
{
    return find_or_resolve(c, w->scope, name);
}

/* All locals stored in this scope and outwards, the innermost of each name. */
int locals_list(struct compiler *c, const struct where *w)
{
    struct local_list list = {NULL, 0};
    struct map seen;
    struct scope *s;
    struct sym *y;
    size_t n = 0;

    for (s = w->scope; s != NULL; s = s->parent)
        n += s->index.n;
    c->n_local_refs += n;
    if (c->n_local_refs > MAX_LOCAL_REFS && !c->failed) {
        err_set(c->e, ERR_LIMIT, "the template hands too many variables to others");
        c->e->app_code = TMPL_EXC_LIMIT;
        c->e->line = c->fn->line;
        c->failed = true;
    }
    if (c->failed)
        return 0;
    map_init(&seen, c->scratch);
    list.refs = ARENA_ARRAY(c->keep, struct local_ref, n);
    for (s = w->scope; s != NULL; s = s->parent) {
        for (y = s->syms; y != NULL; y = y->next) {
            if (!y->stored || map_set(&seen, y->name, y) != NULL)
                continue;
            y->kept = true;
            list.refs[list.n].name = add_name(c, y->name);
            list.refs[list.n].slot = y->slot;
            list.refs[list.n++].up = (uint16_t)levels(c, y);
        }
    }
    return add_locals(c, list);
}

/* ---- looking through a tree ------------------------------------------------------------------ */

/* 1: used before it was set; 0: not met; -1: set first. */
static int search_use(const struct node *n, struct str name)
{
    for (; n != NULL; n = n->next) {
        const struct node *children[] = {n->a, n->b, n->c, n->d, n->e};
        size_t i;

        if (n->kind == N_BLOCK)
            continue;
        if (n->kind == N_NAME && str_eq(n->name, name))
            return n->op == USE_LOAD ? 1 : -1;
        for (i = 0; i < COUNT_OF(children); i++) {
            int found = search_use(children[i], name);

            if (found != 0)
                return found;
        }
    }
    return 0;
}

bool uses_name(const struct node *list, const char *name)
{
    return search_use(list, str_c(name)) > 0;
}

bool has_node(const struct node *n, enum node_kind kind, uint16_t flags)
{
    for (; n != NULL; n = n->next) {
        if (n->kind == kind && (n->flags & flags) == flags)
            return true;
        if (has_node(n->a, kind, flags) || has_node(n->b, kind, flags) ||
            has_node(n->c, kind, flags) || has_node(n->d, kind, flags) ||
            has_node(n->e, kind, flags))
            return true;
    }
    return false;
}

bool has_names(const struct node *n)
{
    struct node alone = *n;

    alone.next = NULL;
    return has_node(&alone, N_NAME, 0);
}
