/*
 * Operators, tightest first, on top of parse_primary.c.
 */
#include "template/parse_int.h"

#include "template/callable.h"

struct node *parse_unary(struct parser *p, bool with_filter)
{
    struct token at = p->cur;
    struct node *n;

    if (at.type == TOK_SUB || at.type == TOK_ADD) {
        if (!next(p) || !enter(p))
            return NULL;
        n = parse_unary(p, false);
        leave(p);
        if (n != NULL)
            n = node_tree(p, at.type == TOK_SUB ? N_NEG : N_POS, &at, n, NULL, NULL);
    } else {
        n = parse_primary(p, false);
    }
    n = parse_postfix(p, n);
    return with_filter ? parse_filter_expr(p, n) : n;
}

static struct node *binary(struct parser *p, const struct token *at, enum arith_op op,
                           struct node *a, struct node *b)
{
    struct node *n = b != NULL ? node_tree(p, N_BINARY, at, a, b, NULL) : NULL;

    if (n != NULL)
        n->op = (uint8_t)op;
    return n;
}

static struct node *parse_pow(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_unary(p, true);

    while (n != NULL && p->cur.type == TOK_POW)
        n = next(p) ? binary(p, &at, OP_POW_, n, parse_unary(p, true)) : NULL;
    return n;
}

static struct node *parse_product(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_pow(p);

    while (n != NULL) {
        enum arith_op op;

        if (p->cur.type == TOK_MUL)
            op = OP_MUL_;
        else if (p->cur.type == TOK_DIV)
            op = OP_DIV_;
        else if (p->cur.type == TOK_FLOORDIV)
            op = OP_FLOORDIV_;
        else if (p->cur.type == TOK_MOD)
            op = OP_MOD_;
        else
            break;
        n = next(p) ? binary(p, &at, op, n, parse_pow(p)) : NULL;
    }
    return n;
}

static struct node *parse_concat(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_product(p);
    struct list parts;

    if (n == NULL || p->cur.type != TOK_TILDE)
        return n;
    list_init(&parts);
    list_add(&parts, n);
    while (p->cur.type == TOK_TILDE) {
        n = next(p) ? parse_product(p) : NULL;
        if (n == NULL)
            return NULL;
        list_add(&parts, n);
    }
    return node_tree(p, N_CONCAT, &at, parts.first, NULL, NULL);
}

static struct node *parse_sum(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_concat(p);

    while (n != NULL && (p->cur.type == TOK_ADD || p->cur.type == TOK_SUB)) {
        enum arith_op op = p->cur.type == TOK_ADD ? OP_ADD_ : OP_SUB_;

        n = next(p) ? binary(p, &at, op, n, parse_concat(p)) : NULL;
    }
    return n;
}

/* The comparison that stands here, skipped; -1 when there is none. */
static int comparison(struct parser *p)
{
    static const struct {
        enum token_type type;
        enum compare_op op;
    } ops[] = {{TOK_EQ, CMP_EQ}, {TOK_NE, CMP_NE}, {TOK_LT, CMP_LT},
               {TOK_LE, CMP_LE}, {TOK_GT, CMP_GT}, {TOK_GE, CMP_GE}};
    size_t i;

    for (i = 0; i < COUNT_OF(ops); i++) {
        if (p->cur.type == ops[i].type)
            return next(p) ? (int)ops[i].op : -1;
    }
    if (skip_name(p, "in"))
        return CMP_IN;
    if (is_name(p, "not") && look(p) && p->ahead.type == TOK_NAME && str_eq_c(p->ahead.text, "in"))
        return next(p) && next(p) ? CMP_NOT_IN : -1;
    return -1;
}

static struct node *parse_compare(struct parser *p)
{
    struct token at = p->cur;
    struct node *first = parse_sum(p);
    struct list operands;
    int op;

    list_init(&operands);
    if (first == NULL)
        return NULL;
    while ((op = comparison(p)) >= 0) {
        struct token here = p->cur;
        struct node *n = parse_sum(p);

        n = n != NULL ? node_tree(p, N_OPERAND, &here, n, NULL, NULL) : NULL;
        if (n == NULL)
            return NULL;
        n->op = (uint8_t)op;
        list_add(&operands, n);
    }
    if (p->failed)
        return NULL;
    return operands.first == NULL ? first
                                  : node_tree(p, N_COMPARE, &at, first, operands.first, NULL);
}

static struct node *parse_not(struct parser *p)
{
    struct token at = p->cur;
    struct node *n;

    if (!is_name(p, "not"))
        return parse_compare(p);
    if (!next(p) || !enter(p))
        return NULL;
    n = parse_not(p);
    leave(p);
    return n != NULL ? node_tree(p, N_NOT, &at, n, NULL, NULL) : NULL;
}

static struct node *parse_and(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_not(p);

    while (n != NULL && skip_name(p, "and")) {
        struct node *right = parse_not(p);

        n = right != NULL ? node_tree(p, N_AND, &at, n, right, NULL) : NULL;
    }
    return p->failed ? NULL : n;
}

struct node *parse_or(struct parser *p)
{
    struct token at = p->cur;
    struct node *n;

    if (p->failed || !enter(p))
        return NULL;
    n = parse_and(p);
    while (n != NULL && skip_name(p, "or")) {
        struct node *right = parse_and(p);

        n = right != NULL ? node_tree(p, N_OR, &at, n, right, NULL) : NULL;
    }
    leave(p);
    return p->failed ? NULL : n;
}

struct node *parse_expression(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_or(p);

    while (n != NULL && skip_name(p, "if")) {
        struct node *test = parse_or(p);
        struct node *otherwise = NULL;

        if (test == NULL)
            return NULL;
        if (skip_name(p, "else")) {
            if (!enter(p))
                return NULL;
            otherwise = parse_expression(p);
            leave(p);
            if (otherwise == NULL)
                return NULL;
        }
        n = node_tree(p, N_COND, &at, test, n, otherwise);
        at = p->cur;
    }
    return p->failed ? NULL : n;
}

int parse_bare(struct parser *p, struct str source, bool python, const struct tmpl_env *env,
               struct node **out, struct arena *keep, struct arena *scratch, struct err *e)
{
    struct tuple_rules rules = {0};

    memset(p, 0, sizeof(*p));
    p->env = env;
    p->keep = keep;
    p->scratch = scratch;
    p->e = e;
    p->python = python;
    if (lex_init(&p->lx, source, true, env, keep, scratch, e) != 0)
        return -1;
    if (!next(p))
        return -1;
    if (p->cur.type == TOK_EOF) {
        (void)parse_fail(p, "expected an expression, got an empty text");
        return -1;
    }
    *out = parse_tuple(p, rules);
    if (*out != NULL && p->cur.type != TOK_EOF)
        *out = parse_fail(p, "expected end of expression, got '%s'", token_words(p, &p->cur));
    return *out != NULL ? 0 : -1;
}
