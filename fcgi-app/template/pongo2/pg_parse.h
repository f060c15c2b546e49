/*
 * What lexer and compiler of the pongo2 dialect share.  No tree is built: a tag is compiled as it
 * is read.
 *
 * A function that fails has set p->c.failed; callers look at it when they would loop.
 */
#ifndef SLUICE_TEMPLATE_PONGO2_PG_PARSE_H
#define SLUICE_TEMPLATE_PONGO2_PG_PARSE_H

#include "template/compile_int.h"
#include "template/pongo2/pg.h"

enum pg_type {
    PG_EOF,
    PG_HTML,      /* text between tags */
    PG_VAR_BEGIN, /* {{ */
    PG_VAR_END,
    PG_TAG_BEGIN, /* {% */
    PG_TAG_END,
    PG_IDENT,
    PG_KEYWORD,
    PG_STRING, /* text is its value */
    PG_NUMBER, /* digits */
    PG_SYMBOL,
};

struct pg_token {
    enum pg_type type;
    int line;
    const char *at;
    struct str text;
    bool trims; /* a tag's beginning or end with "-" */
};

struct pg_parser {
    struct compiler c;
    struct lexer lx; /* source and error, for columns */
    struct pg_token cur;
    struct pg_token ahead;
    bool has_ahead;
    /* the lexer's state */
    size_t pos;
    int line;
    bool inside;   /* a tag */
    bool verbatim; /* between {% verbatim %} and {% endverbatim %} */
    bool trim;     /* the last token ended a tag with "-" */
    /* the parser's */
    int depth;
    int tags;          /* open around this place */
    struct str parent; /* the template that is extended; p NULL = none */
    struct map blocks;
    struct map exported;
};

/* pg_lex.c */
void pg_next(struct pg_parser *p);
/* The token behind the current one. */
const struct pg_token *pg_peek(struct pg_parser *p);
void pg_fail(struct pg_parser *p, const struct pg_token *at, enum tmpl_exc exc, const char *fmt,
             ...) PRINTF_LIKE(4, 5);
/* A syntax error: this was expected instead of the current token. */
void pg_expected(struct pg_parser *p, const char *what);
bool pg_is(const struct pg_parser *p, enum pg_type type, const char *text);
bool pg_skip(struct pg_parser *p, enum pg_type type, const char *text);
void pg_expect(struct pg_parser *p, enum pg_type type, const char *text);
/* Take an identifier. */
struct str pg_ident(struct pg_parser *p, const char *what);
/* One level deeper; false, failed, when that is too deep. */
bool pg_enter(struct pg_parser *p);

/* pg_expr.c */
/* Push the value; returns whether the filter "safe" was applied to all of it. */
bool pg_expression(struct pg_parser *p);
/* A filter and its argument over the value on the stack. */
void pg_filter(struct pg_parser *p, bool *safe);
/* A call of an internal filter: `n` arguments are on the stack above its input. */
void pg_emit_filter(struct pg_parser *p, const struct filter_def *def, uint16_t n);
void pg_emit_const(struct pg_parser *p, struct val v);
int pg_name(struct pg_parser *p, struct str name);

/* pg_doc.c */
/* Statements up to one of the end tags (NULL-terminated; NULL = end of the template), whose name is
 * taken; what stands behind the name is left.  Returns its index. */
int pg_body(struct pg_parser *p, const char *const *ends);

/* pg_tag.c, pg_tag_template.c */
struct pg_tag {
    const char *name;
    void (*compile)(struct pg_parser *p, const struct pg_token *at);
};
const struct pg_tag *pg_tag_find(struct str name);
void pg_tag_block(struct pg_parser *p, const struct pg_token *at);
void pg_tag_extends(struct pg_parser *p, const struct pg_token *at);
void pg_tag_import(struct pg_parser *p, const struct pg_token *at);
void pg_tag_include(struct pg_parser *p, const struct pg_token *at);
void pg_tag_macro(struct pg_parser *p, const struct pg_token *at);
/* The end of the tag. */
void pg_end_tag(struct pg_parser *p);

#endif
