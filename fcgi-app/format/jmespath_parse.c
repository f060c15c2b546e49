/*
 * JMESPath, second stage: tokens to a tree, by operator precedence (Pratt).
 *
 * A projection ([*], .*, [?...], []) takes everything on its right that binds tighter than a pipe
 * or a comparison, and applies it to each item.
 */
#include "format/jmespath_int.h"

enum {
    DEPTH_MAX = 500,       /* of the tree, and so of evaluation */
    PARSE_DEPTH_MAX = 300, /* nested brackets */
    STOPS_PROJECTION = 10, /* tokens that bind less end a projection */
};

static const uint8_t power[JP_TOKENS] = {
    [JP_PIPE] = 1,      [JP_OR] = 2,      [JP_AND] = 3,  [JP_EQ] = 5,   [JP_NE] = 5,
    [JP_LT] = 5,        [JP_LE] = 5,      [JP_GT] = 5,   [JP_GE] = 5,   [JP_FLATTEN] = 9,
    [JP_STAR] = 20,     [JP_FILTER] = 21, [JP_DOT] = 40, [JP_NOT] = 45, [JP_LBRACE] = 50,
    [JP_LBRACKET] = 55, [JP_LPAREN] = 60,
};

struct parser {
    struct jp_lexer lx;
    int depth;
};

static int expression(struct parser *p, int min_power, struct jp_node **out);

static int depth_of(const struct jp_node *n)
{
    return n != NULL ? n->depth : 0;
}

static int max_depth(int a, int b)
{
    return a > b ? a : b;
}

static struct jp_node *node(struct parser *p, enum jp_kind kind, struct jp_node *left,
                            struct jp_node *right)
{
    struct jp_node *n = ARENA_NEW(p->lx.a, struct jp_node);

    n->kind = kind;
    n->left = left;
    n->right = right;
    n->depth = 1 + max_depth(depth_of(left), depth_of(right));
    return n;
}

static struct jp_node *current(struct parser *p)
{
    return node(p, JP_N_CURRENT, NULL, NULL);
}

static int too_deep(struct parser *p)
{
    err_set(p->lx.e, ERR_LIMIT, "the expression is nested deeper than %d", PARSE_DEPTH_MAX);
    p->lx.e->column = (int)(p->lx.start + 1);
    return -1;
}

static int expect(struct parser *p, enum jp_token token, const char *what)
{
    if (p->lx.token != token)
        return jp_unexpected(&p->lx, what);
    return jp_next(&p->lx);
}

static void add_item(struct parser *p, struct jp_node *list, struct jp_node *item, struct str name)
{
    size_t n = list->n_items;

    if ((n & (n - 1)) == 0) { /* full at powers of two */
        size_t room = n == 0 ? 1 : n * 2;

        list->items = arena_grow(p->lx.a, list->items, n * sizeof(struct jp_node *),
                                 room * sizeof(struct jp_node *));
        list->names =
            arena_grow(p->lx.a, list->names, n * sizeof(struct str), room * sizeof(struct str));
    }
    list->items[n] = item;
    list->names[n] = name;
    list->n_items = n + 1;
    list->depth = max_depth(list->depth, item->depth + 1);
}

/* expression, expression ... up to `close`, which is read too. */
static int items(struct parser *p, struct jp_node *list, enum jp_token close, const char *what)
{
    for (;;) {
        struct jp_node *item = NULL;

        if (expression(p, 0, &item) != 0)
            return -1;
        add_item(p, list, item, STR_NONE);
        if (p->lx.token == close)
            return jp_next(&p->lx);
        if (expect(p, JP_COMMA, what) != 0)
            return -1;
    }
}

/* name: expression, ... } */
static int hash(struct parser *p, struct jp_node **out)
{
    *out = node(p, JP_N_HASH, NULL, NULL);
    for (;;) {
        struct jp_node *item = NULL;
        struct str name = val_text(p->lx.value);

        if (p->lx.token != JP_NAME && p->lx.token != JP_QUOTED)
            return jp_unexpected(&p->lx, "a name");
        if (jp_next(&p->lx) != 0 || expect(p, JP_COLON, "':'") != 0 || expression(p, 0, &item) != 0)
            return -1;
        add_item(p, *out, item, name);
        if (p->lx.token == JP_RBRACE)
            return jp_next(&p->lx);
        if (expect(p, JP_COMMA, "',' or '}'") != 0)
            return -1;
    }
}

/* What stands on the right of a projection; nothing there means the item itself. */
static int projected(struct parser *p, int min_power, struct jp_node **out)
{
    enum jp_token t = p->lx.token;

    if (power[t] < STOPS_PROJECTION) {
        *out = current(p);
        return 0;
    }
    if (t == JP_LBRACKET || t == JP_FILTER)
        return expression(p, min_power, out);
    if (t != JP_DOT)
        return jp_unexpected(&p->lx, "'.', '[' or an operator");
    if (jp_next(&p->lx) != 0)
        return -1;
    t = p->lx.token;
    if (t == JP_LBRACKET) {
        *out = node(p, JP_N_LIST, NULL, NULL);
        return jp_next(&p->lx) != 0 ? -1 : items(p, *out, JP_RBRACKET, "',' or ']'");
    }
    if (t == JP_LBRACE)
        return jp_next(&p->lx) != 0 ? -1 : hash(p, out);
    if (t == JP_NAME || t == JP_QUOTED || t == JP_STAR)
        return expression(p, min_power, out);
    return jp_unexpected(&p->lx, "a name, '*', '[' or '{'");
}

static int project(struct parser *p, enum jp_kind kind, struct jp_node *left, int min_power,
                   struct jp_node **out)
{
    struct jp_node *right = NULL;

    if (projected(p, min_power, &right) != 0)
        return -1;
    *out = node(p, kind, left, right);
    return 0;
}

static int filter(struct parser *p, struct jp_node *left, struct jp_node **out)
{
    struct jp_node *condition = NULL;
    struct jp_node *right = NULL;

    if (expression(p, 0, &condition) != 0 || expect(p, JP_RBRACKET, "']'") != 0)
        return -1;
    if (p->lx.token == JP_FLATTEN)
        right = current(p);
    else if (projected(p, power[JP_FILTER], &right) != 0)
        return -1;
    *out = node(p, JP_N_SELECT, left, right);
    (*out)->third = condition;
    (*out)->depth = max_depth((*out)->depth, condition->depth + 1);
    return 0;
}

/* number? : number? : number? ], the first token of which is current. */
static int slice(struct parser *p, struct jp_node **out)
{
    int part = 0;

    *out = node(p, JP_N_SLICE, NULL, NULL);
    while (p->lx.token != JP_RBRACKET) {
        if (p->lx.token == JP_COLON) {
            if (++part > 2)
                return jp_unexpected(&p->lx, "']'");
        } else if (p->lx.token == JP_NUMBER && !(*out)->slice.has[part]) {
            (*out)->slice.has[part] = true;
            (*out)->slice.at[part] = p->lx.value.u.i;
        } else {
            return jp_unexpected(&p->lx, "a number, ':' or ']'");
        }
        if (jp_next(&p->lx) != 0)
            return -1;
    }
    if ((*out)->slice.has[2] && (*out)->slice.at[2] == 0) {
        err_set(p->lx.e, ERR_INVALID, "the step of a slice cannot be 0");
        p->lx.e->column = (int)(p->lx.start + 1);
        return -1;
    }
    return jp_next(&p->lx);
}

/* After '[' with a number or ':' as current token: an index, or a slice (which projects). */
static int index_or_slice(struct parser *p, struct jp_node *left, struct jp_node **out)
{
    struct jp_node *at = NULL;

    if (p->lx.token == JP_NUMBER) {
        struct jp_lexer ahead = p->lx;
        int64_t number = p->lx.value.u.i;

        if (jp_next(&ahead) != 0)
            return -1;
        if (ahead.token == JP_RBRACKET) {
            p->lx = ahead;
            at = node(p, JP_N_INDEX, NULL, NULL);
            at->number = number;
            *out = node(p, JP_N_CHAIN, left, at);
            return jp_next(&p->lx);
        }
    }
    if (slice(p, &at) != 0)
        return -1;
    return project(p, JP_N_PROJECT, node(p, JP_N_CHAIN, left, at), power[JP_STAR], out);
}

/* '*' followed by ']' ? */
static int star_bracket(struct parser *p, bool *is)
{
    struct jp_lexer ahead = p->lx;

    *is = false;
    if (p->lx.token != JP_STAR)
        return 0;
    if (jp_next(&ahead) != 0)
        return -1;
    if (ahead.token == JP_RBRACKET) {
        p->lx = ahead;
        *is = true;
        return jp_next(&p->lx);
    }
    return 0;
}

/* After '[' at the start of an expression. */
static int open_bracket(struct parser *p, struct jp_node **out)
{
    bool star;

    if (p->lx.token == JP_NUMBER || p->lx.token == JP_COLON)
        return index_or_slice(p, current(p), out);
    if (star_bracket(p, &star) != 0)
        return -1;
    if (star)
        return project(p, JP_N_PROJECT, current(p), power[JP_STAR], out);
    *out = node(p, JP_N_LIST, NULL, NULL);
    return items(p, *out, JP_RBRACKET, "',' or ']'");
}

static int call(struct parser *p, struct str name, struct jp_node **out)
{
    const struct jp_function *f = jp_function_find(name);
    size_t start = p->lx.start;
    struct jp_node *n = node(p, JP_N_CALL, NULL, NULL);

    if (f == NULL) {
        err_set(p->lx.e, ERR_INVALID, "unknown function \"%.*s\"", STR_ARG(name));
        p->lx.e->column = (int)(start + 1);
        return -1;
    }
    n->function = f;
    if (jp_next(&p->lx) != 0)
        return -1;
    if (p->lx.token == JP_RPAREN) {
        if (jp_next(&p->lx) != 0)
            return -1;
    } else if (items(p, n, JP_RPAREN, "',' or ')'") != 0) {
        return -1;
    }
    if (n->n_items < f->n_params || (n->n_items > f->n_params && !f->variadic)) {
        err_set(p->lx.e, ERR_INVALID, "%s() takes %s%d argument%s, got %zu", f->name,
                f->variadic ? "at least " : "", (int)f->n_params, f->n_params == 1 ? "" : "s",
                n->n_items);
        p->lx.e->column = (int)(start + 1);
        return -1;
    }
    *out = n;
    return 0;
}

static int name_or_call(struct parser *p, struct jp_node **out)
{
    bool is_quoted = p->lx.token == JP_QUOTED;
    struct val name = p->lx.value;

    if (jp_next(&p->lx) != 0)
        return -1;
    if (p->lx.token == JP_LPAREN) {
        if (is_quoted)
            return jp_unexpected(&p->lx, "an operator (the name of a function is not quoted)");
        return call(p, val_text(name), out);
    }
    *out = node(p, JP_N_FIELD, NULL, NULL);
    (*out)->value = name;
    return 0;
}

/* An operand and what stands before it. */
static int prefix(struct parser *p, struct jp_node **out)
{
    enum jp_token t = p->lx.token;
    size_t start = p->lx.start;
    struct jp_node *inner = NULL;
    struct val value = p->lx.value;

    if (t == JP_NAME || t == JP_QUOTED)
        return name_or_call(p, out);
    if (t == JP_EOF || t == JP_NUMBER)
        return jp_unexpected(&p->lx, "an expression");
    if (jp_next(&p->lx) != 0)
        return -1;
    switch (t) {
    case JP_LITERAL:
        *out = node(p, JP_N_LITERAL, NULL, NULL);
        (*out)->value = value;
        return 0;
    case JP_CURRENT:
        *out = current(p);
        return 0;
    case JP_STAR:
        return project(p, JP_N_VALUES, current(p), power[JP_STAR], out);
    case JP_FILTER:
        return filter(p, current(p), out);
    case JP_FLATTEN:
        return project(p, JP_N_PROJECT, node(p, JP_N_FLATTEN, current(p), NULL), power[JP_FLATTEN],
                       out);
    case JP_LBRACKET:
        return open_bracket(p, out);
    case JP_LBRACE:
        return hash(p, out);
    case JP_NOT:
    case JP_EXPREF:
        if (expression(p, t == JP_NOT ? power[JP_NOT] : 0, &inner) != 0)
            return -1;
        *out = node(p, t == JP_NOT ? JP_N_NOT : JP_N_EXPREF, inner, NULL);
        return 0;
    case JP_LPAREN:
        return expression(p, 0, out) != 0 ? -1 : expect(p, JP_RPAREN, "')'");
    default:
        p->lx.token = t;
        p->lx.start = start;
        return jp_unexpected(&p->lx, "an expression");
    }
}

/* After '.'. */
static int member(struct parser *p, struct jp_node *left, struct jp_node **out)
{
    struct jp_node *right = NULL;
    enum jp_token t = p->lx.token;

    if (t == JP_STAR) {
        if (jp_next(&p->lx) != 0)
            return -1;
        return project(p, JP_N_VALUES, left, power[JP_DOT], out);
    }
    if (t == JP_LBRACKET || t == JP_LBRACE) {
        if (jp_next(&p->lx) != 0)
            return -1;
        right = node(p, JP_N_LIST, NULL, NULL);
        if ((t == JP_LBRACE ? hash(p, &right) : items(p, right, JP_RBRACKET, "',' or ']'")) != 0)
            return -1;
    } else if (t != JP_NAME && t != JP_QUOTED) {
        return jp_unexpected(&p->lx, "a name, '*', '[' or '{'");
    } else if (expression(p, power[JP_DOT], &right) != 0) {
        return -1;
    }
    *out = node(p, JP_N_CHAIN, left, right);
    return 0;
}

/* After '[' behind an operand. */
static int subscript(struct parser *p, struct jp_node *left, struct jp_node **out)
{
    bool star;

    if (p->lx.token == JP_NUMBER || p->lx.token == JP_COLON)
        return index_or_slice(p, left, out);
    if (star_bracket(p, &star) != 0)
        return -1;
    if (!star)
        return jp_unexpected(&p->lx, "a number, ':' or '*]'");
    return project(p, JP_N_PROJECT, left, power[JP_STAR], out);
}

static int binary(struct parser *p, enum jp_token t, struct jp_node *left, struct jp_node **out)
{
    struct jp_node *right = NULL;
    enum jp_kind kind = t == JP_PIPE  ? JP_N_CHAIN
                        : t == JP_OR  ? JP_N_OR
                        : t == JP_AND ? JP_N_AND
                                      : JP_N_COMPARE;

    if (expression(p, power[t], &right) != 0)
        return -1;
    *out = node(p, kind, left, right);
    (*out)->op = t;
    return 0;
}

/* `left` and the operator behind it. */
static int infix(struct parser *p, struct jp_node *left, struct jp_node **out)
{
    enum jp_token t = p->lx.token;
    size_t start = p->lx.start;

    if (jp_next(&p->lx) != 0)
        return -1;
    switch (t) {
    case JP_DOT:
        return member(p, left, out);
    case JP_LBRACKET:
        return subscript(p, left, out);
    case JP_FILTER:
        return filter(p, left, out);
    case JP_FLATTEN:
        return project(p, JP_N_PROJECT, node(p, JP_N_FLATTEN, left, NULL), power[JP_FLATTEN], out);
    case JP_PIPE:
    case JP_OR:
    case JP_AND:
    case JP_EQ:
    case JP_NE:
    case JP_LT:
    case JP_LE:
    case JP_GT:
    case JP_GE:
        return binary(p, t, left, out);
    default:
        p->lx.token = t;
        p->lx.start = start;
        return jp_unexpected(&p->lx, "an operator");
    }
}

static int expression(struct parser *p, int min_power, struct jp_node **out)
{
    struct jp_node *n = NULL;

    if (++p->depth > PARSE_DEPTH_MAX)
        return too_deep(p);
    if (prefix(p, &n) != 0)
        return -1;
    while (power[p->lx.token] > min_power) {
        if (infix(p, n, &n) != 0)
            return -1;
        if (depth_of(n) > DEPTH_MAX)
            return too_deep(p);
    }
    p->depth--;
    *out = n;
    return 0;
}

int jp_parse(struct jp_node **out, struct str text, struct arena *a, struct err *e)
{
    struct parser p = {.lx = {.text = text, .a = a, .e = e}};

    if (jp_next(&p.lx) != 0 || expression(&p, 0, out) != 0)
        return -1;
    return p.lx.token == JP_EOF ? 0 : jp_unexpected(&p.lx, "an operator or the end");
}
