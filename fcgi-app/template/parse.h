/*
 * From tokens to a syntax tree.
 *
 * Rule: Jinja2 3.1's grammar, its quirks included (power is left associative, "is" binds like a
 * filter).
 */
#ifndef SLUICE_TEMPLATE_PARSE_H
#define SLUICE_TEMPLATE_PARSE_H

#include "template/ast.h"
#include "template/lex.h"

enum {
    PARSE_DEPTH = 200,  /* brackets, blocks and operators inside each other */
    PARSE_HEIGHT = 1000 /* of the tree: long chains of binary operators */
};

/* Constants live in `keep`, the tree itself in `scratch`. */
struct tag; /* of parse_stmt.c */
struct ends;

struct parser {
    struct lexer lx;
    struct token cur;
    struct token ahead;
    bool has_ahead;
    bool python; /* boolean expressions: "is None", list comprehensions, null */
    bool failed;
    int depth;
    const struct tmpl_env *env;
    struct arena *keep;
    struct arena *scratch;
    struct err *e;
    const struct tag *tags;  /* open tags, innermost first */
    const struct ends *ends; /* what each open body may end with, innermost first */
};

/*
 * Parse a whole template; *out is the list of its statements, NULL when it is empty.
 *
 * Fails with ERR_INVALID (line and column set, app_code TMPL_EXC_SYNTAX or TMPL_EXC_ASSERTION), or
 * ERR_LIMIT when nested deeper than PARSE_DEPTH.
 */
MUST_CHECK int parse_template(struct parser *p, struct str source, const struct tmpl_env *env,
                              struct node **out, struct arena *keep, struct arena *scratch,
                              struct err *e);
/* Parse one bare expression. */
MUST_CHECK int parse_bare(struct parser *p, struct str source, bool python,
                          const struct tmpl_env *env, struct node **out, struct arena *keep,
                          struct arena *scratch, struct err *e);

#endif
