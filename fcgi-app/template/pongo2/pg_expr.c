/*
 * pongo2's expressions to instructions.
 *
 * Rule: pongo2 6's grammar with its quirks: and/or have one level and associate to the right, so do
 * comparisons; a sign and "not" belong to the first term of a sum.
 */
#include "template/pongo2/pg_parse.h"

void pg_emit_const(struct pg_parser *p, struct val v)
{
    (void)emit(&p->c, OP_CONST, add_const(&p->c, v), 0);
}

int pg_name(struct pg_parser *p, struct str name)
{
    return add_name(&p->c, name);
}

/* ---- variables and literals -------------------------------------------------------------------
 */

static void number(struct pg_parser *p)
{
    struct str whole = p->cur.text;
    struct pg_token at = p->cur;
    int64_t i = 0;

    pg_next(p);
    if (pg_skip(p, PG_SYMBOL, ".")) {
        struct str digits = p->cur.text;

        if (!pg_is(p, PG_NUMBER, NULL)) {
            pg_expected(p, "digits behind the point");
            return;
        }
        pg_next(p);
        digits = str_printf(p->c.scratch, "%.*s.%.*s", STR_ARG(whole), STR_ARG(digits));
        pg_emit_const(p, val_float(strtod(digits.p, NULL)));
        return;
    }
    if (!str_to_int(whole, &i))
        pg_fail(p, &at, TMPL_EXC_SYNTAX, "the number %.*s is too large",
                STR_ARG(str_slice(whole, 0, 60)));
    pg_emit_const(p, val_int(i));
}

static void list(struct pg_parser *p)
{
    int32_t n = 0;

    pg_next(p);
    while (!p->c.failed && !pg_is(p, PG_SYMBOL, "]")) {
        (void)pg_expression(p);
        n++;
        if (!pg_skip(p, PG_SYMBOL, ","))
            break;
    }
    pg_expect(p, PG_SYMBOL, "]");
    (void)emit_stack(&p->c, OP_LIST, n, 0, 1 - n);
}

static void arguments(struct pg_parser *p)
{
    int32_t n = 0;

    pg_next(p);
    while (!p->c.failed && !pg_is(p, PG_SYMBOL, ")")) {
        (void)pg_expression(p);
        n++;
        if (!pg_skip(p, PG_SYMBOL, ","))
            break;
    }
    pg_expect(p, PG_SYMBOL, ")");
    (void)emit_stack(&p->c, OP_PG_CALL, n, 0, -n);
}

static bool called(const struct pg_parser *p)
{
    return pg_is(p, PG_SYMBOL, "(");
}

/* .name and .0 */
static void dotted(struct pg_parser *p)
{
    struct str name = p->cur.text;
    int64_t i = 0;

    if (pg_skip(p, PG_IDENT, NULL)) {
        int index = pg_name(p, name);

        (void)emit(&p->c, OP_PG_ATTR, index, called(p));
    } else if (pg_is(p, PG_NUMBER, NULL) && str_to_int(name, &i)) {
        pg_next(p);
        pg_emit_const(p, val_int(i));
        (void)emit(&p->c, OP_PG_ITEM, (int32_t)(PG_ITEM_DOTTED | (called(p) ? PG_ITEM_CALLED : 0U)),
                   0);
    } else {
        pg_expected(p, "a name or number behind the point");
    }
}

static void parts(struct pg_parser *p)
{
    while (!p->c.failed) {
        if (pg_skip(p, PG_SYMBOL, ".")) {
            dotted(p);
        } else if (pg_skip(p, PG_SYMBOL, "[")) {
            (void)pg_expression(p);
            pg_expect(p, PG_SYMBOL, "]");
            (void)emit(&p->c, OP_PG_ITEM, called(p) ? (int32_t)PG_ITEM_CALLED : 0, 0);
        } else if (called(p)) {
            arguments(p);
        } else {
            return;
        }
    }
}

/* A variable or literal without filters. */
static void pg_operand(struct pg_parser *p)
{
    struct str text = p->cur.text;

    p->c.fn->line = p->cur.line;
    if (pg_is(p, PG_NUMBER, NULL)) {
        number(p);
    } else if (pg_skip(p, PG_STRING, NULL)) {
        pg_emit_const(p, val_str(text));
    } else if (pg_skip(p, PG_KEYWORD, "true")) {
        pg_emit_const(p, val_bool(true));
    } else if (pg_skip(p, PG_KEYWORD, "false")) {
        pg_emit_const(p, val_bool(false));
    } else if (pg_is(p, PG_SYMBOL, "[")) {
        list(p);
        parts(p);
    } else if (pg_skip(p, PG_IDENT, NULL)) {
        int index = pg_name(p, text);

        (void)emit(&p->c, OP_PG_LOAD, index, called(p));
        parts(p);
    } else {
        pg_expected(p, "a value");
        pg_emit_const(p, val_null());
    }
}

/* ---- filters ----------------------------------------------------------------------------------
 */

void pg_emit_filter(struct pg_parser *p, const struct filter_def *def, uint16_t n)
{
    int index = 0;
    struct site *s = add_site(&p->c, &index);

    s->name = str_c(def->name);
    s->filter = def;
    s->n_pos = n;
    s->n_values = n;
    s->plain = true;
    (void)emit_stack(&p->c, OP_FILTER, index, 0, -(int)n);
}

void pg_filter(struct pg_parser *p, bool *safe)
{
    struct pg_token at = p->cur;
    struct str name = pg_ident(p, "the name of a filter");
    const struct filter_def *def = pg_filter_find(name);
    uint16_t n = 0;

    if (def == NULL) {
        pg_fail(p, &at, TMPL_EXC_ASSERTION, "no filter named \"%.*s\"",
                STR_ARG(str_slice(name, 0, 60)));
        return;
    }
    if (str_eq_c(name, "safe"))
        *safe = true;
    if (pg_skip(p, PG_SYMBOL, ":")) {
        pg_operand(p);
        n = 1;
    }
    pg_emit_filter(p, def, n);
}

/* ---- operators --------------------------------------------------------------------------------
 */

static bool factor(struct pg_parser *p)
{
    bool safe = false;

    if (!pg_enter(p)) {
        pg_emit_const(p, val_null());
    } else if (pg_skip(p, PG_SYMBOL, "(")) {
        safe = pg_expression(p);
        pg_expect(p, PG_SYMBOL, ")");
    } else {
        pg_operand(p);
        while (!p->c.failed && pg_skip(p, PG_SYMBOL, "|"))
            pg_filter(p, &safe);
    }
    p->depth--;
    return safe;
}

static void binary(struct pg_parser *p, enum pg_binary op)
{
    (void)emit(&p->c, OP_PG_BINARY, (int32_t)op, 0);
}

static bool power(struct pg_parser *p)
{
    bool safe = factor(p);

    if (!p->c.failed && pg_skip(p, PG_SYMBOL, "^")) {
        if (pg_enter(p)) {
            (void)power(p);
            binary(p, PG_POW);
        }
        p->depth--;
        safe = false;
    }
    return safe;
}

static bool operator_of(const struct pg_parser *p, const char *symbols, enum pg_binary first,
                        enum pg_binary *op)
{
    const char *found;

    if (p->c.failed || p->cur.type != PG_SYMBOL || p->cur.text.len != 1)
        return false;
    found = strchr(symbols, p->cur.text.p[0]);
    if (found == NULL)
        return false;
    *op = (enum pg_binary)((int)first + (int)(found - symbols));
    return true;
}

static bool term(struct pg_parser *p)
{
    bool safe = power(p);
    enum pg_binary op;

    while (operator_of(p, "*/%", PG_MUL, &op)) {
        pg_next(p);
        safe = power(p) && safe;
        binary(p, op);
    }
    return safe;
}

static bool sum(struct pg_parser *p)
{
    bool minus = pg_is(p, PG_SYMBOL, "-");
    enum pg_binary op;
    bool negate;
    bool safe;

    if (minus || pg_is(p, PG_SYMBOL, "+"))
        pg_next(p);
    negate = pg_skip(p, PG_SYMBOL, "!") || pg_skip(p, PG_KEYWORD, "not");
    safe = term(p);
    if (negate)
        (void)emit(&p->c, OP_PG_UNARY, PG_NOT, 0);
    if (minus)
        (void)emit(&p->c, OP_PG_UNARY, PG_MINUS, 0);
    while (operator_of(p, "+-", PG_ADD, &op)) {
        pg_next(p);
        safe = term(p) && safe;
        binary(p, op);
    }
    return safe;
}

static bool relation_of(const struct pg_parser *p, enum pg_binary *op)
{
    static const struct {
        const char *text;
        enum pg_binary op;
    } rows[] = {
        {"==", PG_EQ}, {"!=", PG_NE}, {"<>", PG_NE}, {"<", PG_LT},
        {"<=", PG_LE}, {">", PG_GT},  {">=", PG_GE},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(rows); i++) {
        if (pg_is(p, PG_SYMBOL, rows[i].text)) {
            *op = rows[i].op;
            return true;
        }
    }
    return false;
}

static bool relation(struct pg_parser *p)
{
    bool safe = sum(p);
    enum pg_binary op;

    if (p->c.failed)
        return safe;
    if (relation_of(p, &op)) {
        pg_next(p);
        if (pg_enter(p)) {
            safe = relation(p) && safe;
            binary(p, op);
        }
        p->depth--;
    } else if (pg_skip(p, PG_KEYWORD, "in")) {
        safe = sum(p) && safe;
        binary(p, PG_IN);
    }
    return safe;
}

/* All jumps go to the end: what stands to the right of an operator is one expression. */
bool pg_expression(struct pg_parser *p)
{
    bool safe = relation(p);
    size_t first = here(&p->c);
    size_t i;

    for (;;) {
        bool both = pg_is(p, PG_SYMBOL, "&&") || pg_is(p, PG_KEYWORD, "and");

        if (p->c.failed || !(both || pg_is(p, PG_SYMBOL, "||") || pg_is(p, PG_KEYWORD, "or")))
            break;
        pg_next(p);
        (void)emit(&p->c, OP_PG_UNARY, PG_TRUTH, 0);
        (void)emit(&p->c, both ? OP_AND : OP_OR, -1, 0);
        p->c.fn->depth--;
        safe = relation(p) && safe;
    }
    if (here(&p->c) == first)
        return safe;
    (void)emit(&p->c, OP_PG_UNARY, PG_TRUTH, 0);
    for (i = first; i < here(&p->c); i++) {
        struct insn *ins = &p->c.fn->ins[i];

        if ((ins->op == OP_AND || ins->op == OP_OR) && ins->a == -1)
            patch_here(&p->c, i);
    }
    return safe;
}
