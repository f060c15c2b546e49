/*
 * Values, and what binds tightest to them: literals, targets, attributes, calls, filters, tests.
 */
#include "template/parse_int.h"

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

/* ---- literals -------------------------------------------------------------------------------- */

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
static struct node *parse_comprehension(struct parser *p, struct node *element,
                                        const struct token *at)
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
    else if (str_eq_c(name, "none") || str_eq_c(name, "None") ||
             (p->python && str_eq_c(name, "null")))
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

/* ---- tuples ---------------------------------------------------------------------------------- */

static bool tuple_ends(const struct parser *p, struct tuple_rules rules)
{
    return p->cur.type == TOK_VARIABLE_END || p->cur.type == TOK_BLOCK_END ||
           p->cur.type == TOK_RPAREN || (rules.end_name != NULL && is_name(p, rules.end_name));
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

/* ---- calls, subscripts, filters, tests ------------------------------------------------------- */

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

struct node *parse_postfix(struct parser *p, struct node *n)
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
    return p->python && (p->cur.type != TOK_NAME || is_name(p, "None") || is_name(p, "True") ||
                         is_name(p, "False") || is_name(p, "null"));
}

static struct node *negated_if(struct parser *p, struct node *n, bool negated,
                               const struct token *at)
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

        return other == NULL
                   ? NULL
                   : negated_if(p, node_tree(p, N_IDENTITY, &at, value, other, NULL), negated, &at);
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

struct node *parse_filter_expr(struct parser *p, struct node *n)
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
