/*
 * Expressions to instructions.
 */
#include "template/compile_int.h"

static void comp_list(struct compiler *c, const struct where *w, const struct node *list,
                      int32_t *n)
{
    *n = 0;
    for (; list != NULL && !c->failed; list = list->next) {
        comp_expr(c, w, list);
        (*n)++;
    }
}

/* ---- constants ------------------------------------------------------------------------------- */

static bool fold_numbers(enum arith_op op, struct val x, struct val y, struct val *out)
{
    int64_t i = 0;

    if (val_is(x, VAL_INT) && val_is(y, VAL_INT)) {
        bool over = op == OP_ADD_   ? __builtin_add_overflow(x.u.i, y.u.i, &i)
                    : op == OP_SUB_ ? __builtin_sub_overflow(x.u.i, y.u.i, &i)
                    : op == OP_MUL_ ? __builtin_mul_overflow(x.u.i, y.u.i, &i)
                                    : true;
        *out = val_int(i);
        return !over;
    }
    if (!val_is(x, VAL_FLOAT) || !val_is(y, VAL_FLOAT))
        return false;
    if (op != OP_ADD_ && op != OP_SUB_ && op != OP_MUL_)
        return false;
    *out = val_float(op == OP_ADD_ ? x.u.f + y.u.f : op == OP_SUB_ ? x.u.f - y.u.f : x.u.f * y.u.f);
    return true;
}

static bool const_tuple(struct compiler *c, const struct node *n, struct val *out)
{
    const struct node *item;
    struct val v;

    *out = val_tuple_new(c->keep, 0);
    for (item = n->a; item != NULL; item = item->next) {
        if (!const_value(c, item, &v))
            return false;
        val_list_add(*out, v);
    }
    return true;
}

/* The value of an expression that needs no rendering; tuples of constants are constants. */
bool const_value(struct compiler *c, const struct node *n, struct val *out)
{
    struct val x;
    struct val y;

    switch (n->kind) {
    case N_CONST:
        *out = n->value;
        return true;
    case N_TUPLE:
        return const_tuple(c, n, out);
    case N_NEG:
        if (!const_value(c, n->a, &x))
            return false;
        if (val_is(x, VAL_INT))
            return fold_numbers(OP_SUB_, val_int(0), x, out);
        *out = val_float(-x.u.f);
        return val_is(x, VAL_FLOAT);
    case N_BINARY:
        return const_value(c, n->a, &x) && const_value(c, n->b, &y) &&
               fold_numbers((enum arith_op)n->op, x, y, out);
    case N_OR:
    case N_AND: /* the right side may be anything when the left one decides */
        if (!const_value(c, n->a, &x))
            return false;
        *out = x;
        return val_truth(x) == (n->kind == N_OR) || const_value(c, n->b, out);
    case N_COND:
        if (!const_value(c, n->a, &x) || (!val_truth(x) && n->c == NULL))
            return false;
        return const_value(c, val_truth(x) ? n->b : n->c, out);
    default:
        return false;
    }
}

static void emit_const(struct compiler *c, struct val v)
{
    (void)emit(c, OP_CONST, add_const(c, v), 0);
}

/* ---- operators ------------------------------------------------------------------------------- */

static const enum opcode arith_ops[] = {
    [OP_ADD_] = OP_ADD,           [OP_SUB_] = OP_SUB, [OP_MUL_] = OP_MUL, [OP_DIV_] = OP_DIV,
    [OP_FLOORDIV_] = OP_FLOORDIV, [OP_MOD_] = OP_MOD, [OP_POW_] = OP_POW,
};

static const enum opcode compare_ops[] = {
    [CMP_EQ] = OP_EQ, [CMP_NE] = OP_NE, [CMP_LT] = OP_LT, [CMP_LE] = OP_LE,
    [CMP_GT] = OP_GT, [CMP_GE] = OP_GE, [CMP_IN] = OP_IN, [CMP_NOT_IN] = OP_NOT_IN,
};

/* The right side of a comparison; a list of constants behind `in` need not be built each time. */
static void comp_operand(struct compiler *c, const struct where *w, const struct node *op)
{
    struct node as_tuple;
    struct val v;

    if ((op->op == CMP_IN || op->op == CMP_NOT_IN) && op->a->kind == N_LIST && op->next == NULL) {
        as_tuple = *op->a;
        as_tuple.kind = N_TUPLE;
        if (const_value(c, &as_tuple, &v)) {
            emit_const(c, v);
            return;
        }
    }
    comp_expr(c, w, op->a);
}

/* -3 ** x is -(3 ** x) when x is not known yet: Jinja2 writes a folded constant into Python code,
 * where the minus binds less tightly. */
static bool comp_negative_power(struct compiler *c, const struct where *w, const struct node *n)
{
    struct val base;

    if (n->op != OP_POW_ || !const_value(c, n->a, &base) || !has_names(n->b))
        return false;
    if (base.type == VAL_INT && base.u.i < 0 && base.u.i != INT64_MIN)
        base.u.i = -base.u.i;
    else if (base.type == VAL_FLOAT && base.u.f < 0)
        base.u.f = -base.u.f;
    else
        return false;
    emit_const(c, base);
    comp_expr(c, w, n->b);
    (void)emit(c, OP_POW, 0, 0);
    (void)emit(c, OP_NEG, 0, 0);
    return true;
}

/* a < b < c: each value once, the rest skipped as soon as one part is false. */
static void comp_compare(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct node *op;
    size_t first = here(c);
    size_t end;

    comp_expr(c, w, n->a);
    for (op = n->b; op->next != NULL; op = op->next) {
        comp_operand(c, w, op);
        (void)emit(c, OP_TUCK, 0, 0);
        (void)emit(c, compare_ops[op->op], 0, 0);
        (void)emit(c, OP_CHAIN, -1, 0);
    }
    comp_operand(c, w, op);
    (void)emit(c, compare_ops[op->op], 0, 0);
    for (end = first; end < here(c); end++) {
        if (c->fn->ins[end].op == OP_CHAIN && c->fn->ins[end].a == -1)
            patch_here(c, end);
    }
}

static void comp_logic(struct compiler *c, const struct where *w, const struct node *n,
                       enum opcode op)
{
    size_t jump;

    comp_expr(c, w, n->a);
    jump = emit(c, op, 0, 0);
    c->fn->depth--;
    comp_expr(c, w, n->b);
    patch_here(c, jump);
}

static void comp_cond(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where soft = *w;
    size_t otherwise;
    size_t end;

    soft.soft = true;
    comp_expr(c, &soft, n->a);
    otherwise = emit(c, OP_JUMP_FALSE, 0, 0);
    comp_expr(c, &soft, n->b);
    end = emit(c, OP_JUMP, 0, 0);
    patch_here(c, otherwise);
    c->fn->depth--;
    if (n->c != NULL) {
        comp_expr(c, &soft, n->c);
    } else {
        struct str where = c->t->name.len > 0
                               ? str_printf(c->scratch, " in '%.*s'", STR_ARG(c->t->name))
                               : STR("");
        struct str why =
            str_printf(c->keep,
                       "the inline if-expression on line %d%.*s evaluated to false and no else "
                       "section was defined.",
                       n->line, STR_ARG(where));

        (void)emit(c, OP_UNDEFINED, add_const(c, val_str(why)), 0);
    }
    patch_here(c, end);
}

/* ---- attributes and items -------------------------------------------------------------------- */

static const char *const loop_attrs[LOOP_ATTR_COUNT] = {
    [LOOP_INDEX] = "index",         [LOOP_INDEX0] = "index0",     [LOOP_REVINDEX] = "revindex",
    [LOOP_REVINDEX0] = "revindex0", [LOOP_FIRST] = "first",       [LOOP_LAST] = "last",
    [LOOP_LENGTH] = "length",       [LOOP_DEPTH] = "depth",       [LOOP_DEPTH0] = "depth0",
    [LOOP_PREVITEM] = "previtem",   [LOOP_NEXTITEM] = "nextitem",
};

/* The symbol when `n` is the name of a local of this function, NULL otherwise. */
static struct sym *own_local(struct compiler *c, const struct where *w, const struct node *n)
{
    struct sym *y = n->kind == N_NAME ? scope_find(w->scope, n->name) : NULL;

    return y != NULL && y->scope->fn == c->fn ? y : NULL;
}

static bool comp_loop_attr(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct sym *y = own_local(c, w, n->a);
    int32_t i;

    if (y == NULL || !y->is_loop)
        return false;
    for (i = 0; i < LOOP_ATTR_COUNT; i++) {
        if (str_eq_c(n->name, loop_attrs[i])) {
            (void)emit(c, OP_LOOP_ATTR, i, y->slot);
            return true;
        }
    }
    return false;
}

static void comp_getattr(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct sym *y;

    if (str_eq_c(n->name, "__name__") && n->a->kind == N_GETATTR &&
        str_eq_c(n->a->name, "__class__")) {
        comp_expr(c, w, n->a->a);
        (void)emit(c, OP_TYPE_NAME, 0, 0);
        return;
    }
    if (comp_loop_attr(c, w, n))
        return;
    y = own_local(c, w, n->a);
    if (y != NULL && !y->is_loop) {
        (void)emit(c, OP_ATTR_LOCAL, add_name(c, n->name), y->slot);
        return;
    }
    comp_expr(c, w, n->a);
    (void)emit(c, OP_ATTR, add_name(c, n->name), 0);
}

static void comp_or_none(struct compiler *c, const struct where *w, const struct node *n)
{
    if (n != NULL)
        comp_expr(c, w, n);
    else
        emit_const(c, val_null());
}

static void comp_getitem(struct compiler *c, const struct where *w, const struct node *n)
{
    comp_expr(c, w, n->a);
    if (n->b->kind == N_SLICE) {
        comp_or_none(c, w, n->b->a);
        comp_or_none(c, w, n->b->b);
        comp_or_none(c, w, n->b->c);
        (void)emit(c, OP_SLICE, w->constant, 0);
        return;
    }
    comp_expr(c, w, n->b);
    (void)emit(c, OP_ITEM, 0, 0);
}

/* ---- calls
 * ------------------------------------------------------------------------------------------------------
 */

static const struct node *arg_of(const struct node *args, enum arg_kind kind)
{
    for (; args != NULL; args = args->next) {
        if (args->op == kind)
            return args;
    }
    return NULL;
}

static void comp_args_of(struct compiler *c, const struct where *w, const struct node *args,
                         enum arg_kind kind)
{
    for (; args != NULL; args = args->next) {
        if (args->op == kind)
            comp_expr(c, w, args->a);
    }
}

/* Push the arguments, describe them in a new site.  Returns how many values they are. */
static int comp_args(struct compiler *c, const struct where *w, const struct node *args, int caller,
                     int *index)
{
    const struct node *arg;
    struct site s = {.name_index = -1};
    struct str *names;
    size_t n_args = 1;

    for (arg = args; arg != NULL; arg = arg->next)
        n_args++;
    names = ARENA_ARRAY(c->keep, struct str, n_args);
    comp_args_of(c, w, args, ARG_POS);
    comp_args_of(c, w, args, ARG_STAR);
    comp_args_of(c, w, args, ARG_KEYWORD);
    if (caller >= 0)
        (void)emit(c, OP_MACRO, caller, 0);
    comp_args_of(c, w, args, ARG_STAR_STAR);
    if (n_args > UINT16_MAX) {
        comp_fail(c, args, TMPL_EXC_LIMIT, "too many arguments");
        args = NULL;
    }
    for (arg = args; arg != NULL; arg = arg->next) {
        if (arg->op == ARG_KEYWORD)
            names[s.n_kw++] = str_dup(c->keep, arg->name);
        else if (arg->op == ARG_POS)
            s.n_pos++;
    }
    if (caller >= 0)
        names[s.n_kw++] = STR("caller");
    s.star = arg_of(args, ARG_STAR) != NULL;
    s.star_star = arg_of(args, ARG_STAR_STAR) != NULL;
    s.kw_names = names;
    s.plain = s.n_kw == 0 && !s.star && !s.star_star;
    s.n_values = (uint16_t)(s.n_pos + s.n_kw + (s.star ? 1 : 0) + (s.star_star ? 1 : 0));
    *add_site(c, index) = s;
    return s.n_values;
}

static struct site *site_at(struct compiler *c, int index)
{
    return (struct site *)c->sites.p + index;
}

static void check_keywords(struct compiler *c, const struct node *args)
{
    const struct node *a;
    const struct node *b;
    int n = 0;

    for (a = args; a != NULL && !c->failed && n < 64; a = a->next, n++) {
        for (b = a->op == ARG_KEYWORD ? a->next : NULL; b != NULL; b = b->next) {
            if (b->op == ARG_KEYWORD && str_eq(a->name, b->name))
                comp_fail(c, b, TMPL_EXC_SYNTAX, "keyword argument repeated: %.*s",
                          STR_ARG(b->name));
        }
    }
}

/* loop.cycle(a, b): without a call. */
static bool comp_cycle(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct sym *y = own_local(c, w, n->a->a);
    const struct node *arg;
    int32_t count = 0;

    if (y == NULL || !y->is_loop || !str_eq_c(n->a->name, "cycle") || n->b == NULL)
        return false;
    for (arg = n->b; arg != NULL; arg = arg->next) {
        if (arg->op != ARG_POS)
            return false;
        count++;
    }
    comp_args_of(c, w, n->b, ARG_POS);
    (void)emit_stack(c, OP_LOOP_CYCLE, count, y->slot, 1 - count);
    return true;
}

void comp_call(struct compiler *c, const struct where *w, const struct node *n, int caller)
{
    int index = 0;
    int values;

    check_keywords(c, n->b);
    if (n->a->kind == N_GETATTR && caller < 0 && comp_cycle(c, w, n))
        return;
    if (n->a->kind == N_GETATTR && n->a->name.p[0] != '_') {
        const struct sym *y = own_local(c, w, n->a->a);

        if (y != NULL && y->is_loop)
            (void)emit(c, OP_LOAD, y->slot, 0);
        else
            comp_expr(c, w, n->a->a);
        values = comp_args(c, w, n->b, caller, &index);
        site_at(c, index)->name_index = add_name(c, n->a->name);
        (void)emit_stack(c, OP_CALL_METHOD, index, 0, -values);
        return;
    }
    if (n->a->kind == N_NAME) {
        const struct sym *y = own_local(c, w, n->a);

        if (y != NULL && y->is_loop) { /* loop(items): the loop is not kept */
            (void)emit(c, OP_LOAD, y->slot, 0);
            values = comp_args(c, w, n->b, caller, &index);
            (void)emit_stack(c, OP_CALL, index, 0, -values);
            return;
        }
    }
    comp_expr(c, w, n->a);
    values = comp_args(c, w, n->b, caller, &index);
    (void)emit_stack(c, OP_CALL, index, 0, -values);
}

static void unknown(struct compiler *c, const struct where *w, const struct node *n,
                    const char *what)
{
    struct str text;

    if (!w->soft) {
        comp_fail(c, n, TMPL_EXC_ASSERTION, "No %s named '%.*s'.", what, STR_ARG(n->name));
        return;
    }
    text = str_printf(c->keep, "No %s named '%.*s' found.", what, STR_ARG(n->name));
    (void)emit(c, OP_RAISE, add_const(c, val_str(text)), TMPL_EXC_RUNTIME);
}

/* A filter whose input is on the stack already. */
static void comp_filter_chain(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct filter_def *def = filter_find(n->name);
    int index = 0;
    int values;

    if (n->a != NULL)
        comp_expr(c, w, n->a);
    if (def == NULL)
        unknown(c, w, n, "filter");
    c->fn->line = n->line;
    values = comp_args(c, w, n->b, -1, &index);
    site_at(c, index)->name = str_dup(c->keep, n->name);
    site_at(c, index)->filter = def;
    (void)emit_stack(c, OP_FILTER, index, 0, -values);
}

static void comp_check(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct check_def *def = check_find(n->name);
    int index = 0;
    int values;

    comp_expr(c, w, n->a);
    if (def == NULL)
        unknown(c, w, n, "test");
    c->fn->line = n->line;
    values = comp_args(c, w, n->b, -1, &index);
    site_at(c, index)->name = str_dup(c->keep, n->name);
    site_at(c, index)->check = def;
    (void)emit_stack(c, OP_CHECK, index, 0, -values);
}

/* ---- the rest
 * ------------------------------------------------------------------------------------------------------
 */

static void comp_comprehension(struct compiler *c, const struct where *w, const struct node *n)
{
    struct where in = *w;
    uint16_t slot = new_slot(c, val_null());
    size_t again;
    size_t exit_jump;
    size_t skip = 0;

    (void)emit_stack(c, OP_LIST, 0, 0, 1);
    comp_expr(c, w, n->b);
    in.scope = scope_new(c, w->scope);
    in.scope->entered_often = true;
    scope_visit_params(c, in.scope, n->a);
    scope_visit(c, in.scope, n->c);
    scope_visit(c, in.scope, n->d);
    (void)emit(c, OP_FOR, slot, LOOP_PLAIN);
    again = here(c);
    exit_jump = emit(c, OP_NEXT, 0, slot);
    comp_store(c, &in, n->a);
    scope_enter(c, in.scope);
    if (n->c != NULL) {
        comp_expr(c, &in, n->c);
        skip = emit(c, OP_JUMP_FALSE, 0, 0);
    }
    comp_expr(c, &in, n->d);
    (void)emit(c, OP_APPEND, 0, 0);
    if (n->c != NULL)
        patch_here(c, skip);
    (void)emit(c, OP_LOOP, (int32_t)again, (uint16_t)(here(c) - again));
    patch_here(c, exit_jump);
}

static void comp_dict(struct compiler *c, const struct where *w, const struct node *n)
{
    const struct node *pair;
    int32_t count = 0;

    for (pair = n->a; pair != NULL; pair = pair->next) {
        comp_expr(c, w, pair->a);
        comp_expr(c, w, pair->b);
        count++;
    }
    (void)emit_stack(c, OP_DICT, count, 0, 1 - 2 * count);
}

static void comp_items(struct compiler *c, const struct where *w, const struct node *n,
                       enum opcode op, uint16_t b)
{
    int32_t count;

    comp_list(c, w, n->a, &count);
    (void)emit_stack(c, op, count, b, 1 - count);
}

/* Must an expression in the list be run, though it has no names? */
static bool must_run(const struct node *n, bool is_volatile)
{
    static const char *const filters[] = {"map",        "random", "reject",
                                          "rejectattr", "select", "selectattr"};
    size_t i;

    for (; n != NULL; n = n->next) {
        if (n->kind == N_CALL || (is_volatile && (n->kind == N_FILTER || n->kind == N_CHECK)))
            return true;
        for (i = 0; i < COUNT_OF(filters) && n->kind == N_FILTER; i++) {
            if (str_eq_c(n->name, filters[i]))
                return true;
        }
        if (must_run(n->a, is_volatile) || must_run(n->b, is_volatile) ||
            must_run(n->c, is_volatile))
            return true;
    }
    return false;
}

bool folds(const struct where *w, const struct node *n)
{
    struct node alone = *n;

    alone.next = NULL;
    return !has_names(n) && !must_run(&alone, w->escape == ESCAPE_DYNAMIC);
}

/* Constants are joined while Jinja2 compiles, and what is markup among them is forgotten then. */
static enum escape_mode concat_mode(const struct where *w, const struct node *n)
{
    return folds(w, n) ? ESCAPE_OFF : w->escape;
}

void comp_expr(struct compiler *c, const struct where *w, const struct node *n)
{
    struct val v;

    if (c->failed)
        return;
    c->fn->line = n->line;
    if (const_value(c, n, &v)) {
        emit_const(c, v);
        return;
    }
    switch (n->kind) {
    case N_NAME:
        emit_load(c, w, n->name);
        break;
    case N_LIST:
        comp_items(c, w, n, OP_LIST, 0);
        break;
    case N_TUPLE:
        comp_items(c, w, n, OP_TUPLE, 0);
        break;
    case N_CONCAT:
        comp_items(c, w, n, OP_CONCAT, (uint16_t)concat_mode(w, n));
        break;
    case N_DICT:
        comp_dict(c, w, n);
        break;
    case N_COND:
        comp_cond(c, w, n);
        break;
    case N_AND:
        comp_logic(c, w, n, OP_AND);
        break;
    case N_OR:
        comp_logic(c, w, n, OP_OR);
        break;
    case N_NOT:
    case N_NEG:
    case N_POS:
        comp_expr(c, w, n->a);
        (void)emit(c, n->kind == N_NOT ? OP_NOT : n->kind == N_NEG ? OP_NEG : OP_PLUS, 0, 0);
        break;
    case N_BINARY:
        if (comp_negative_power(c, w, n))
            break;
        comp_expr(c, w, n->a);
        comp_expr(c, w, n->b);
        c->fn->line = n->line;
        (void)emit(c, arith_ops[n->op], 0, 0);
        break;
    case N_IDENTITY:
        comp_expr(c, w, n->a);
        comp_expr(c, w, n->b);
        (void)emit(c, OP_IDENTITY, 0, 0);
        break;
    case N_COMPARE:
        comp_compare(c, w, n);
        break;
    case N_GETATTR:
        comp_getattr(c, w, n);
        break;
    case N_GETITEM:
        comp_getitem(c, w, n);
        break;
    case N_CALL:
        comp_call(c, w, n, -1);
        break;
    case N_FILTER:
        comp_filter_chain(c, w, n);
        break;
    case N_CHECK:
        comp_check(c, w, n);
        break;
    case N_LISTCOMP:
        comp_comprehension(c, w, n);
        break;
    default:
        comp_fail(c, n, TMPL_EXC_SYNTAX, "a slice stands where a value is expected");
        break;
    }
}

/* Pop the top into a target. */
void comp_store(struct compiler *c, const struct where *w, const struct node *target)
{
    const struct node *item;
    int32_t n = 0;

    switch (target->kind) {
    case N_NAME:
        (void)emit(c, OP_STORE, store_sym(c, w, target->name)->slot, 0);
        break;
    case N_NSREF:
        emit_load(c, w, target->name);
        (void)emit(c, OP_SET_ATTR, add_name(c, val_text(target->value)), 0);
        break;
    default:
        for (item = target->a; item != NULL; item = item->next)
            n++;
        (void)emit_stack(c, OP_UNPACK, n, 0, n - 1);
        for (item = target->a; item != NULL; item = item->next)
            comp_store(c, w, item);
        break;
    }
}
