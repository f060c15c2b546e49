/*
 * From template source to tokens, on demand.
 *
 * Knows delimiters, whitespace control, raw blocks, comments and line statements; the parser sees
 * text, the beginning and end of tags, and the tokens between them.
 * Rule: Jinja2 3.1 "Template Designer Documentation", "Whitespace Control" and "Line Statements".
 */
#ifndef SLUICE_TEMPLATE_LEX_H
#define SLUICE_TEMPLATE_LEX_H

#include "template/tmpl.h"

enum token_type {
    TOK_EOF,
    TOK_DATA, /* text between tags; value holds it */
    TOK_VARIABLE_BEGIN,
    TOK_VARIABLE_END,
    TOK_BLOCK_BEGIN,
    TOK_BLOCK_END,
    TOK_NAME,
    TOK_STRING,
    TOK_INTEGER,
    TOK_FLOAT,
    TOK_ADD,
    TOK_ASSIGN,
    TOK_COLON,
    TOK_COMMA,
    TOK_DIV,
    TOK_DOT,
    TOK_EQ,
    TOK_FLOORDIV,
    TOK_GT,
    TOK_GE,
    TOK_LBRACE,
    TOK_LBRACKET,
    TOK_LPAREN,
    TOK_LT,
    TOK_LE,
    TOK_MOD,
    TOK_MUL,
    TOK_NE,
    TOK_PIPE,
    TOK_POW,
    TOK_RBRACE,
    TOK_RBRACKET,
    TOK_RPAREN,
    TOK_SEMICOLON,
    TOK_SUB,
    TOK_TILDE,
};

struct token {
    enum token_type type;
    int line;
    const char *at;   /* where it starts in lexer.source */
    struct str text;  /* TOK_NAME: the name */
    struct val value; /* TOK_DATA, TOK_STRING, numbers */
};

enum lex_state { LEX_ROOT, LEX_BLOCK, LEX_VARIABLE, LEX_LINE, LEX_EXPRESSION };

struct lexer {
    const struct tmpl_env *env;
    struct str source; /* newlines normalised */
    size_t pos;
    int line;
    enum lex_state state;
    bool line_starting;    /* the last token ended with a newline */
    bool first_bytes[256]; /* bytes a tag may begin with */
    char *closers;         /* brackets still open, as the characters that close them */
    size_t n_closers;
    size_t cap_closers;
    bool has_pending;
    struct token pending_token;
    struct arena *keep; /* token values */
    struct arena *scratch;
    struct err *e;
};

/* Is `source` small enough and well-formed UTF-8?  Fails with ERR_LIMIT or ERR_INVALID, at its
 * beginning. */
MUST_CHECK int lex_check(struct str source, struct err *e);
/*
 * Begin with `source`, which must be well-formed UTF-8 and is copied into `keep`; token values live
 * there.
 *
 * bare  the source is one expression, without delimiters.
 */
MUST_CHECK int lex_init(struct lexer *lx, struct str source, bool bare, const struct tmpl_env *env,
                        struct arena *keep, struct arena *scratch, struct err *e);
/* The next token; TOK_EOF for ever at the end.  Fails with ERR_INVALID, line and column set. */
MUST_CHECK int lex_next(struct lexer *lx, struct token *out);
/* Column of `at`, from 1, in code points. */
int lex_column(const struct lexer *lx, const char *at);
/* Fail with a syntax error at a place; always -1. */
int lex_fail(struct lexer *lx, const char *at, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A token in words, as errors name it: "end of print statement", "name", "(", ... */
const char *token_type_words(enum token_type type);
/* Bytes of the white-space character at p, 0 when there is none (Python's str.isspace). */
size_t lex_space(const char *p, const char *end);

#endif
