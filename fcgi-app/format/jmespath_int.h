/*
 * What the stages of JMESPath share: tokens (jmespath_lex.c), the tree (jmespath_parse.c),
 * evaluation (jmespath.c) and functions (jmespath_funcs.c).
 */
#ifndef SLUICE_FORMAT_JMESPATH_INT_H
#define SLUICE_FORMAT_JMESPATH_INT_H

#include "format/jmespath.h"

enum jp_token {
    JP_EOF,
    JP_NAME,   /* unquoted identifier */
    JP_QUOTED, /* "identifier" */
    JP_LITERAL,
    JP_NUMBER,
    JP_DOT,
    JP_STAR,
    JP_LBRACKET,
    JP_FLATTEN, /* [] */
    JP_FILTER,  /* [? */
    JP_RBRACKET,
    JP_LBRACE,
    JP_RBRACE,
    JP_LPAREN,
    JP_RPAREN,
    JP_COMMA,
    JP_COLON,
    JP_PIPE,
    JP_OR,
    JP_AND,
    JP_NOT,
    JP_EQ,
    JP_NE,
    JP_LT,
    JP_LE,
    JP_GT,
    JP_GE,
    JP_CURRENT, /* @ */
    JP_EXPREF,  /* & */
    JP_TOKENS,
};

struct jp_lexer {
    struct str text;
    size_t at;    /* next byte to read */
    size_t start; /* of the current token */
    enum jp_token token;
    struct val value; /* names, literals and numbers */
    struct arena *a;
    struct err *e;
};

/* Read the next token into *lx.  Fails with ERR_INVALID and the column. */
MUST_CHECK int jp_next(struct jp_lexer *lx);
/* ERR_INVALID at the current token: "expected ..., found ...". */
int jp_unexpected(struct jp_lexer *lx, const char *expected);

enum jp_kind {
    JP_N_CURRENT, /* @, and what an operator works on when nothing stands before it */
    JP_N_LITERAL, /* value */
    JP_N_FIELD,   /* value: the name */
    JP_N_INDEX,   /* number */
    JP_N_SLICE,   /* slice */
    JP_N_CHAIN,   /* left, then right on what came out: a.b, a[0], a | b */
    JP_N_PROJECT, /* left gives an array; right on each item, nulls dropped */
    JP_N_VALUES,  /* left gives an object; right on each value, nulls dropped */
    JP_N_SELECT,  /* left gives an array; right on each item for which `third` is true */
    JP_N_FLATTEN, /* left gives an array; arrays in it are merged */
    JP_N_OR,
    JP_N_AND,
    JP_N_NOT,     /* left */
    JP_N_COMPARE, /* op */
    JP_N_LIST,    /* items */
    JP_N_HASH,    /* items, names */
    JP_N_CALL,    /* function, items */
    JP_N_EXPREF,  /* left */
};

struct jp_function;

struct jp_node {
    enum jp_kind kind;
    enum jp_token op;
    int depth; /* of the tree below */
    struct jp_node *left;
    struct jp_node *right;
    struct jp_node *third;
    struct val value;
    int64_t number;
    struct {
        bool has[3]; /* start, stop, step */
        int64_t at[3];
    } slice;
    struct jp_node **items;
    struct str *names;
    size_t n_items;
    const struct jp_function *function;
};

/* Parse the whole of `text`. */
MUST_CHECK int jp_parse(struct jp_node **out, struct str text, struct arena *a, struct err *e);

/* One search: where it allocates and what is left of its budget. */
struct jp_run {
    int64_t steps;
    size_t memory_end; /* arena_used() at which the search ends */
    struct arena *a;
    struct err *e;
};

/* Count `n` steps; -1 = ERR_LIMIT. */
MUST_CHECK int jp_steps(struct jp_run *r, size_t n);
MUST_CHECK int jp_eval(struct jp_run *r, const struct jp_node *node, struct val data,
                       struct val *out);

/* An argument of a function: a value, or &expression. */
struct jp_arg {
    struct val value;
    const struct jp_node *expr; /* NULL unless an expression reference */
};

enum { JP_ARGS_MAX = 3 };

struct jp_function {
    const char *name;
    uint16_t params[JP_ARGS_MAX]; /* accepted types, see jmespath_funcs.c; the last one repeats if
                                     variadic */
    uint8_t n_params;
    bool variadic;
    int (*call)(struct jp_run *r, const struct jp_arg *args, size_t n, struct val *out);
};

const struct jp_function *jp_function_find(struct str name);
/* Check types, then call. */
MUST_CHECK int jp_function_call(struct jp_run *r, const struct jp_function *f,
                                const struct jp_arg *args, size_t n, struct val *out);

#endif
