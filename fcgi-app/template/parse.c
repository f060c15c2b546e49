/*
 * What both halves of the parser stand on: tokens, nodes and failing.
 */
#include "template/parse_int.h"

#include <stdarg.h>
#include <stdio.h>

static void *fail_with(struct parser *p, const struct token *at, const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX];

    if (p->failed)
        return NULL;
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    (void)lex_fail(&p->lx, at->at, at->line, "%s", text);
    p->failed = true;
    return NULL;
}

void *parse_fail(struct parser *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fail_with(p, &p->cur, fmt, ap);
    va_end(ap);
    return NULL;
}

void *parse_fail_at(struct parser *p, const struct token *at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fail_with(p, at, fmt, ap);
    va_end(ap);
    return NULL;
}

static void too_deep(struct parser *p, int limit, int line, const char *at)
{
    if (p->failed)
        return;
    err_set(p->e, ERR_LIMIT, "the template is nested deeper than %d", limit);
    p->e->app_code = TMPL_EXC_LIMIT;
    p->e->line = line;
    p->e->column = lex_column(&p->lx, at);
    p->failed = true;
}

bool enter(struct parser *p)
{
    if (++p->depth > PARSE_DEPTH) {
        too_deep(p, PARSE_DEPTH, p->cur.line, p->cur.at);
        return false;
    }
    return true;
}

void leave(struct parser *p)
{
    p->depth--;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct node *node_new(struct parser *p, enum node_kind kind, const struct token *at)
{
    struct node *n = ARENA_NEW(p->scratch, struct node);

    n->kind = (uint8_t)kind;
    n->line = at->line;
    n->at = at->at;
    return n;
}

bool node_fit(struct parser *p, struct node *n)
{
    struct node *children[] = {n->a, n->b, n->c, n->d, n->e};
    size_t i;

    for (i = 0; i < COUNT_OF(children); i++) {
        const struct node *c;

        for (c = children[i]; c != NULL; c = c->next) {
            if (c->height >= n->height)
                n->height = c->height + 1;
        }
    }
    if (n->height > PARSE_HEIGHT) {
        too_deep(p, PARSE_HEIGHT, n->line, n->at);
        return false;
    }
    return true;
}

struct node *node_tree(struct parser *p, enum node_kind kind, const struct token *at,
                       struct node *a, struct node *b, struct node *c)
{
    struct node *n;

    if (p->failed)
        return NULL;
    n = node_new(p, kind, at);
    n->a = a;
    n->b = b;
    n->c = c;
    return node_fit(p, n) ? n : NULL;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

bool next(struct parser *p)
{
    if (p->failed)
        return false;
    if (p->has_ahead) {
        p->cur = p->ahead;
        p->has_ahead = false;
        return true;
    }
    if (lex_next(&p->lx, &p->cur) != 0) {
        p->failed = true;
        return false;
    }
    return true;
}

/* Read p->ahead. */
bool look(struct parser *p)
{
    if (p->failed)
        return false;
    if (!p->has_ahead) {
        if (lex_next(&p->lx, &p->ahead) != 0) {
            p->failed = true;
            return false;
        }
        p->has_ahead = true;
    }
    return true;
}

bool is_name(const struct parser *p, const char *name)
{
    return p->cur.type == TOK_NAME && str_eq_c(p->cur.text, name);
}

bool skip_name(struct parser *p, const char *name)
{
    return !p->failed && is_name(p, name) && next(p);
}

bool skip_if(struct parser *p, enum token_type type)
{
    return !p->failed && p->cur.type == type && next(p);
}

const char *token_words(struct parser *p, const struct token *t)
{
    if (t->type == TOK_NAME)
        return str_cstr(p->scratch, t->text);
    return token_type_words(t->type);
}

static bool unexpected(struct parser *p, const char *wanted)
{
    if (p->cur.type == TOK_EOF)
        (void)parse_fail(p, "unexpected end of template, expected '%s'.", wanted);
    else
        (void)parse_fail(p, "expected token '%s', got '%s'", wanted, token_words(p, &p->cur));
    return false;
}

bool expect(struct parser *p, enum token_type type)
{
    if (p->failed)
        return false;
    if (p->cur.type != type)
        return unexpected(p, token_type_words(type));
    return next(p);
}

bool expect_name(struct parser *p, const char *name)
{
    if (p->failed)
        return false;
    if (!is_name(p, name))
        return unexpected(p, name);
    return next(p);
}
