/*
 * Expressions.
 */
#include "template/parse_int.h"

#include "template/callable.h"

static struct node *parse_or(struct parser *p);
static struct node *parse_unary(struct parser *p, bool with_filter);

static struct node *name_node(struct parser *p, const struct token *t, enum name_use use)
{
    struct node *n = node_new(p, N_NAME, t);

    n->name = t->text;
    n->op = (uint8_t)use;
    return n;
}

static struct node *const_node(struct parser *p, const struct token *t, struct val v)
{
    struct node *n = node_new(p, N_CONST, t);

    n->value = v;
    return n;
}

/* ---- targets of assignments ------------------------------------------------------------------ */

struct node *parse_target_name(struct parser *p)
{
    struct token t = p->cur;

    if (!expect(p, TOK_NAME))
        return NULL;
    if (str_eq_c(t.text, "true") || str_eq_c(t.text, "false") || str_eq_c(t.text, "none") ||
        str_eq_c(t.text, "True") || str_eq_c(t.text, "False") || str_eq_c(t.text, "None"))
        return parse_fail_at(p, &t, "can't assign to 'name'");
    return name_node(p, &t, USE_STORE);
}

/* Turn the names of `n` into targets; false when it cannot be assigned to. */
static bool make_target(struct parser *p, struct node *n, const struct token *at)
{
    static const char *const names[] = {[N_CONST] = "const", [N_LIST] = "list", [N_DICT] = "dict"};
    struct node *item;

    switch (n->kind) {
    case N_NAME:
        n->op = USE_STORE;
        return true;
    case N_NSREF:
        return true;
    case N_TUPLE:
        for (item = n->a; item != NULL; item = item->next) {
            if (item->kind != N_NAME && item->kind != N_NSREF && item->kind != N_TUPLE) {
                (void)parse_fail_at(p, at, "can't assign to 'tuple'");
                return false;
            }
            if (!make_target(p, item, at))
                return false;
        }
        return true;
    default:
        (void)parse_fail_at(p, at, "can't assign to '%s'",
                            n->kind < COUNT_OF(names) && names[n->kind] != NULL ? names[n->kind]
                                                                                : "expression");
        return false;
    }
}

struct node *parse_target(struct parser *p, const char *end_name, bool namespaces)
{
    struct token at = p->cur;
    struct tuple_rules rules = {.simplified = true, .namespaces = namespaces, .end_name = end_name};
    struct node *n = parse_tuple(p, rules);

    if (n == NULL || !make_target(p, n, &at))
        return NULL;
    return n;
}

/* ---- literals ---------------------------------------------------------------------------------- */

static struct node *parse_strings(struct parser *p)
{
    struct token t = p->cur;
    struct buf b;

    if (!next(p))
        return NULL;
    if (p->cur.type != TOK_STRING)
        return const_node(p, &t, t.value);
    buf_init(&b, SIZE_MAX, p->keep);
    buf_add_str(&b, val_text(t.value));
    while (p->cur.type == TOK_STRING) {
        buf_add_str(&b, val_text(p->cur.value));
        t.value.flags &= p->cur.value.flags;
        if (!next(p))
            return NULL;
    }
    {
        uint8_t flags = t.value.flags;

        t.value = val_str(buf_str(&b));
        t.value.flags = flags;
    }
    return const_node(p, &t, t.value);
}

/* "for x in y if z]" behind the element of a list comprehension. */
static struct node *parse_comprehension(struct parser *p, struct node *element, const struct token *at)
{
    struct node *n = node_new(p, N_LISTCOMP, at);

    if (!expect_name(p, "for"))
        return NULL;
    n->d = element;
    n->a = parse_target(p, "in", false);
    if (n->a == NULL || !expect_name(p, "in"))
        return NULL;
    n->b = parse_or(p);
    if (n->b == NULL)
        return NULL;
    if (skip_name(p, "if"))
        n->c = parse_or(p);
    if (p->failed || !node_fit(p, n))
        return NULL;
    return n;
}

static struct node *parse_list(struct parser *p)
{
    struct token at = p->cur;
    struct list items;

    list_init(&items);
    if (!next(p))
        return NULL;
    while (p->cur.type != TOK_RBRACKET) {
        struct node *n;

        if (items.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        if (p->cur.type == TOK_RBRACKET)
            break;
        n = parse_expression(p);
        if (n == NULL)
            return NULL;
        if (p->python && items.first == NULL && is_name(p, "for")) {
            n = parse_comprehension(p, n, &at);
            return n != NULL && expect(p, TOK_RBRACKET) ? n : NULL;
        }
        list_add(&items, n);
    }
    if (!expect(p, TOK_RBRACKET))
        return NULL;
    return node_tree(p, N_LIST, &at, items.first, NULL, NULL);
}

static struct node *parse_dict(struct parser *p)
{
    struct token at = p->cur;
    struct list items;

    list_init(&items);
    if (!next(p))
        return NULL;
    while (p->cur.type != TOK_RBRACE) {
        struct token pair = p->cur;
        struct node *key;
        struct node *value;

        if (items.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        if (p->cur.type == TOK_RBRACE)
            break;
        key = parse_expression(p);
        if (key == NULL || !expect(p, TOK_COLON))
            return NULL;
        value = parse_expression(p);
        key = value != NULL ? node_tree(p, N_PAIR, &pair, key, value, NULL) : NULL;
        if (key == NULL)
            return NULL;
        list_add(&items, key);
    }
    if (!expect(p, TOK_RBRACE))
        return NULL;
    return node_tree(p, N_DICT, &at, items.first, NULL, NULL);
}

static struct node *parse_parenthesised(struct parser *p)
{
    struct tuple_rules rules = {.parenthesised = true};
    struct token at = p->cur;
    struct node *n;

    if (!next(p))
        return NULL;
    n = parse_tuple(p, rules);
    if (n != NULL && p->python && is_name(p, "for"))
        n = parse_comprehension(p, n, &at);
    return n != NULL && expect(p, TOK_RPAREN) ? n : NULL;
}

static bool constant_name(const struct parser *p, struct str name, struct val *out)
{
    if (str_eq_c(name, "true") || str_eq_c(name, "True"))
        *out = val_bool(true);
    else if (str_eq_c(name, "false") || str_eq_c(name, "False"))
        *out = val_bool(false);
    else if (str_eq_c(name, "none") || str_eq_c(name, "None") || (p->python && str_eq_c(name, "null")))
        *out = val_null();
    else
        return false;
    return true;
}

static struct node *parse_name(struct parser *p, bool namespaces)
{
    struct token t = p->cur;
    struct token attr;
    struct node *n;
    struct val v;

    if (!next(p))
        return NULL;
    if (constant_name(p, t.text, &v))
        return const_node(p, &t, v);
    if (!namespaces || p->cur.type != TOK_DOT)
        return name_node(p, &t, USE_LOAD);
    if (!next(p))
        return NULL;
    attr = p->cur;
    if (!expect(p, TOK_NAME))
        return NULL;
    n = node_new(p, N_NSREF, &t);
    n->name = t.text;
    n->value = val_str(attr.text);
    return n;
}

struct node *parse_primary(struct parser *p, bool namespaces)
{
    struct token t = p->cur;
    struct node *n = NULL;

    if (p->failed || !enter(p))
        return NULL;
    switch (t.type) {
    case TOK_NAME:
        n = parse_name(p, namespaces);
        break;
    case TOK_STRING:
        n = parse_strings(p);
        break;
    case TOK_INTEGER:
    case TOK_FLOAT:
        n = next(p) ? const_node(p, &t, t.value) : NULL;
        break;
    case TOK_LPAREN:
        n = parse_parenthesised(p);
        break;
    case TOK_LBRACKET:
        n = parse_list(p);
        break;
    case TOK_LBRACE:
        n = parse_dict(p);
        break;
    default:
        n = parse_fail(p, "unexpected '%s'", token_words(p, &t));
        break;
    }
    leave(p);
    return n;
}

/* ---- tuples -------------------------------------------------------------------------------------- */

static bool tuple_ends(const struct parser *p, struct tuple_rules rules)
{
    return p->cur.type == TOK_VARIABLE_END || p->cur.type == TOK_BLOCK_END || p->cur.type == TOK_RPAREN ||
           (rules.end_name != NULL && is_name(p, rules.end_name));
}

struct node *parse_tuple(struct parser *p, struct tuple_rules rules)
{
    struct token at = p->cur;
    struct list items;
    bool is_tuple = false;

    list_init(&items);
    for (;;) {
        struct node *n;

        if (items.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        if (tuple_ends(p, rules))
            break;
        n = rules.simplified     ? parse_primary(p, rules.namespaces)
            : rules.no_condition ? parse_or(p)
                                 : parse_expression(p);
        if (n == NULL)
            return NULL;
        list_add(&items, n);
        if (p->cur.type != TOK_COMMA)
            break;
        is_tuple = true;
    }
    if (!is_tuple && items.first != NULL)
        return items.first;
    if (!is_tuple && !rules.parenthesised)
        return parse_fail(p, "Expected an expression, got '%s'", token_words(p, &p->cur));
    return node_tree(p, N_TUPLE, &at, items.first, NULL, NULL);
}

/* ---- calls, subscripts, filters, tests --------------------------------------------------------- */

struct arg_state {
    struct token at;
    bool star;
    bool star_star;
    bool keyword;
};

static struct node *parse_arg(struct parser *p, struct arg_state *st)
{
    struct token at = p->cur;
    struct node *n = node_new(p, N_ARG, &at);
    bool ok;

    if (p->cur.type == TOK_MUL) {
        ok = !st->star && !st->star_star && next(p);
        st->star = true;
        n->op = ARG_STAR;
    } else if (p->cur.type == TOK_POW) {
        ok = !st->star_star && next(p);
        st->star_star = true;
        n->op = ARG_STAR_STAR;
    } else if (p->cur.type == TOK_NAME && look(p) && p->ahead.type == TOK_ASSIGN) {
        ok = !st->star_star && next(p) && next(p);
        st->keyword = true;
        n->op = ARG_KEYWORD;
        n->name = at.text;
    } else {
        ok = !st->star && !st->star_star && !st->keyword;
        n->op = ARG_POS;
    }
    if (!ok)
        return parse_fail_at(p, &st->at, "invalid syntax for function call expression");
    n->a = parse_expression(p);
    if (n->a != NULL && p->python && is_name(p, "for"))
        n->a = parse_comprehension(p, n->a, &at);
    return n->a != NULL && node_fit(p, n) ? n : NULL;
}

/* "(...)": the list of N_ARG in *out, NULL when empty. */
static bool parse_args(struct parser *p, struct node **out)
{
    struct arg_state st = {.at = p->cur};
    struct list args;

    list_init(&args);
    if (!expect(p, TOK_LPAREN))
        return false;
    while (p->cur.type != TOK_RPAREN) {
        struct node *n;

        if (args.first != NULL) {
            if (!expect(p, TOK_COMMA))
                return false;
            if (p->cur.type == TOK_RPAREN)
                break;
        }
        n = parse_arg(p, &st);
        if (n == NULL)
            return false;
        list_add(&args, n);
    }
    *out = args.first;
    return expect(p, TOK_RPAREN);
}

static struct node *parse_call(struct parser *p, struct node *callee)
{
    struct token at = p->cur;
    struct node *args = NULL;

    if (!parse_args(p, &args))
        return NULL;
    return node_tree(p, N_CALL, &at, callee, args, NULL);
}

/* One part of a subscript: an expression or a slice. */
static struct node *parse_subscribed(struct parser *p)
{
    struct token at = p->cur;
    struct node *parts[3] = {NULL, NULL, NULL};
    size_t i;

    if (p->cur.type != TOK_COLON) {
        parts[0] = parse_expression(p);
        if (parts[0] == NULL || p->cur.type != TOK_COLON)
            return parts[0];
    }
    for (i = 1; i < 3 && skip_if(p, TOK_COLON); i++) {
        if (p->cur.type == TOK_COLON || p->cur.type == TOK_RBRACKET || p->cur.type == TOK_COMMA)
            continue;
        parts[i] = parse_expression(p);
        if (parts[i] == NULL)
            return NULL;
    }
    return node_tree(p, N_SLICE, &at, parts[0], parts[1], parts[2]);
}

static struct node *parse_brackets(struct parser *p, struct node *object, const struct token *at)
{
    struct list parts;
    struct node *key;

    list_init(&parts);
    while (p->cur.type != TOK_RBRACKET) {
        struct node *n;

        if (parts.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        n = parse_subscribed(p);
        if (n == NULL)
            return NULL;
        list_add(&parts, n);
    }
    if (!expect(p, TOK_RBRACKET))
        return NULL;
    key = parts.first;
    if (key == NULL || key->next != NULL)
        key = node_tree(p, N_TUPLE, at, parts.first, NULL, NULL);
    return key != NULL ? node_tree(p, N_GETITEM, at, object, key, NULL) : NULL;
}

static struct node *parse_subscript(struct parser *p, struct node *object)
{
    struct token at = p->cur;
    struct token attr;
    struct node *n;

    if (!next(p))
        return NULL;
    if (at.type == TOK_LBRACKET)
        return parse_brackets(p, object, &at);
    attr = p->cur;
    if (!next(p))
        return NULL;
    if (attr.type == TOK_NAME) {
        n = node_tree(p, N_GETATTR, &at, object, NULL, NULL);
        if (n != NULL)
            n->name = attr.text;
        return n;
    }
    if (attr.type != TOK_INTEGER)
        return parse_fail_at(p, &attr, "expected name or number");
    return node_tree(p, N_GETITEM, &at, object, const_node(p, &attr, attr.value), NULL);
}

static struct node *parse_postfix(struct parser *p, struct node *n)
{
    while (n != NULL) {
        if (p->cur.type == TOK_DOT || p->cur.type == TOK_LBRACKET)
            n = parse_subscript(p, n);
        else if (p->cur.type == TOK_LPAREN)
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* "name" or "name.name" of a filter or test. */
static bool parse_dotted(struct parser *p, struct str *out)
{
    struct str name = p->cur.text;

    if (!expect(p, TOK_NAME))
        return false;
    while (p->cur.type == TOK_DOT) {
        if (!next(p))
            return false;
        name = str_printf(p->keep, "%.*s.%.*s", STR_ARG(name), STR_ARG(p->cur.text));
        if (!expect(p, TOK_NAME))
            return false;
    }
    *out = name;
    return true;
}

struct node *parse_filter(struct parser *p, struct node *input, bool inline_first)
{
    struct node *n = input;

    while (!p->failed && (p->cur.type == TOK_PIPE || inline_first)) {
        struct token at;
        struct node *args = NULL;
        struct str name;

        if (!inline_first && !next(p))
            return NULL;
        at = p->cur;
        if (!parse_dotted(p, &name))
            return NULL;
        if (p->cur.type == TOK_LPAREN && !parse_args(p, &args))
            return NULL;
        n = node_tree(p, N_FILTER, &at, n, args, NULL);
        if (n == NULL)
            return NULL;
        n->name = name;
        inline_first = false;
    }
    return p->failed ? NULL : n;
}

static bool starts_operand(const struct parser *p)
{
    switch (p->cur.type) {
    case TOK_NAME:
        return !is_name(p, "else") && !is_name(p, "or") && !is_name(p, "and") &&
               !(p->python && (is_name(p, "if") || is_name(p, "for")));
    case TOK_STRING:
    case TOK_INTEGER:
    case TOK_FLOAT:
    case TOK_LPAREN:
    case TOK_LBRACKET:
    case TOK_LBRACE:
        return true;
    default:
        return false;
    }
}

/* In boolean expressions "is None", "is True" and the like compare identities. */
static bool identity_operand(const struct parser *p)
{
    return p->python &&
           (p->cur.type != TOK_NAME || is_name(p, "None") || is_name(p, "True") || is_name(p, "False") ||
            is_name(p, "null"));
}

static struct node *negated_if(struct parser *p, struct node *n, bool negated, const struct token *at)
{
    return n != NULL && negated ? node_tree(p, N_NOT, at, n, NULL, NULL) : n;
}

static struct node *parse_check(struct parser *p, struct node *value)
{
    struct token at = p->cur;
    struct list args;
    struct node *n;
    struct str name;
    bool negated;

    list_init(&args);
    if (!next(p))
        return NULL;
    negated = skip_name(p, "not");
    if (identity_operand(p)) {
        struct node *other = parse_unary(p, false);

        return other == NULL ? NULL : negated_if(p, node_tree(p, N_IDENTITY, &at, value, other, NULL), negated, &at);
    }
    if (!parse_dotted(p, &name))
        return NULL;
    if (p->cur.type == TOK_LPAREN) {
        if (!parse_args(p, &args.first))
            return NULL;
    } else if (starts_operand(p)) {
        struct node *arg = node_new(p, N_ARG, &p->cur);

        if (is_name(p, "is"))
            return parse_fail(p, "You cannot chain multiple tests with is");
        arg->a = parse_postfix(p, parse_primary(p, false));
        if (arg->a == NULL || !node_fit(p, arg))
            return NULL;
        args.first = arg;
    }
    n = node_tree(p, N_CHECK, &at, value, args.first, NULL);
    if (n != NULL)
        n->name = name;
    return negated_if(p, n, negated, &at);
}

static struct node *parse_filter_expr(struct parser *p, struct node *n)
{
    while (n != NULL) {
        if (p->cur.type == TOK_PIPE)
            n = parse_filter(p, n, false);
        else if (is_name(p, "is"))
            n = parse_check(p, n);
        else if (p->cur.type == TOK_LPAREN)
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* ---- operators ------------------------------------------------------------------------------------ */

static struct node *parse_unary(struct parser *p, bool with_filter)
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

static struct node *binary(struct parser *p, const struct token *at, enum arith_op op, struct node *a, struct node *b)
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
    return operands.first == NULL ? first : node_tree(p, N_COMPARE, &at, first, operands.first, NULL);
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

static struct node *parse_or(struct parser *p)
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

int parse_bare(struct parser *p, struct str source, bool python, const struct tmpl_env *env, struct node **out,
               struct arena *keep, struct arena *scratch, struct err *e)
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
