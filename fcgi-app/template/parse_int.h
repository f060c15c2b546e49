/*
 * What the parser's files share.
 *
 * A function that fails has filled p->e, set p->failed and returns NULL or false.
 */
#ifndef SLUICE_TEMPLATE_PARSE_INT_H
#define SLUICE_TEMPLATE_PARSE_INT_H

#include "template/parse.h"

/* A list being built. */
struct list {
    struct node *first;
    struct node **tail;
};

static inline void list_init(struct list *l)
{
    l->first = NULL;
    l->tail = &l->first;
}

static inline void list_add(struct list *l, struct node *n)
{
    *l->tail = n;
    l->tail = &n->next;
}

/* parse.c */
struct node *node_new(struct parser *p, enum node_kind kind, const struct token *at);
/* A node with children set; its height is checked. */
struct node *node_tree(struct parser *p, enum node_kind kind, const struct token *at,
                       struct node *a, struct node *b, struct node *c);
/* Take the heights of the children over; false when the tree has grown too high. */
bool node_fit(struct parser *p, struct node *n);
void *parse_fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *parse_fail_at(struct parser *p, const struct token *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
bool next(struct parser *p);
bool look(struct parser *p);
bool is_name(const struct parser *p, const char *name);
/* Skip the name if it stands here; false if not, or on failure. */
bool skip_name(struct parser *p, const char *name);
bool skip_if(struct parser *p, enum token_type type);
bool expect(struct parser *p, enum token_type type);
bool expect_name(struct parser *p, const char *name);
/* A token as errors quote it. */
const char *token_words(struct parser *p, const struct token *t);
bool enter(struct parser *p);
void leave(struct parser *p);

/* parse_expr.c */
/* An expression without "if": what stands where an "if" means something else. */
struct node *parse_or(struct parser *p);
struct node *parse_unary(struct parser *p, bool with_filter);

/* parse_primary.c */
/* Attributes, subscripts and calls behind a value; then filters and tests. */
struct node *parse_postfix(struct parser *p, struct node *n);
struct node *parse_filter_expr(struct parser *p, struct node *n);
struct tuple_rules {
    bool simplified;      /* names and literals only: assignment targets */
    bool namespaces;      /* a.b as target */
    bool no_condition;    /* "if" does not belong to the expression */
    bool parenthesised;   /* may be empty */
    const char *end_name; /* a name that ends it, or NULL */
};
struct node *parse_expression(struct parser *p);
struct node *parse_tuple(struct parser *p, struct tuple_rules rules);
struct node *parse_primary(struct parser *p, bool namespaces);
/* Filters behind a value; input NULL for filter blocks, `inline_first` when no "|" stands before
 * the first. */
struct node *parse_filter(struct parser *p, struct node *input, bool inline_first);
/* A target, with tuples. */
struct node *parse_target(struct parser *p, const char *end_name, bool namespaces);
struct node *parse_target_name(struct parser *p);

/* parse_trans.c */
struct node *parse_trans(struct parser *p);

#endif
