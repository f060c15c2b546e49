/*
 * The syntax tree between parser and compiler.
 *
 * One struct for every kind, with five children of which lists go on by `next`: walking a tree
 * needs no knowledge of the kinds.  The order of the children is the order in which names are
 * looked for.
 */
#ifndef SLUICE_TEMPLATE_AST_H
#define SLUICE_TEMPLATE_AST_H

#include "template/tmpl.h"

enum node_kind {
    /* expressions */
    N_CONST,    /* value */
    N_NAME,     /* name; op = enum name_use */
    N_NSREF,    /* assignment to name.attr; attr in value */
    N_LIST,     /* a.. items */
    N_TUPLE,    /* a.. items */
    N_DICT,     /* a.. N_PAIR */
    N_PAIR,     /* a key (or target), b value */
    N_COND,     /* a condition, b then, c else or NULL */
    N_AND,      /* a, b */
    N_OR,       /* a, b */
    N_NOT,      /* a */
    N_BINARY,   /* a, b; op = enum arith_op */
    N_NEG,      /* a */
    N_POS,      /* a */
    N_CONCAT,   /* a.. parts */
    N_COMPARE,  /* a first, b.. N_OPERAND */
    N_OPERAND,  /* a; op = enum compare_op */
    N_GETATTR,  /* a, name */
    N_GETITEM,  /* a, b key or N_SLICE */
    N_SLICE,    /* a start, b stop, c step, each or NULL */
    N_CALL,     /* a callee, b.. N_ARG */
    N_ARG,      /* a; op = enum arg_kind, name for keywords */
    N_FILTER,   /* a input or NULL (filter block), name, b.. N_ARG */
    N_CHECK,    /* a, name, b.. N_ARG */
    N_IDENTITY, /* a is b, of boolean expressions */
    N_LISTCOMP, /* a target, b iterable, c condition or NULL, d element */
    /* statements */
    N_DATA,         /* template text: value */
    N_OUTPUT,       /* a.. expressions and N_DATA */
    N_IF,           /* a test, b.. body, c.. elifs (N_IF), d.. else */
    N_FOR,          /* a target, b iterable, c.. body, d.. else, e filter or NULL; flags */
    N_SET,          /* a target, b value */
    N_SET_BLOCK,    /* a target, b filter or NULL, c.. body */
    N_MACRO,        /* name, a.. parameters, b.. defaults of the last ones, c.. body */
    N_CALL_BLOCK,   /* a.. parameters, b.. defaults, c.. body, d call */
    N_FILTER_BLOCK, /* a filter, c.. body */
    N_WITH,         /* a.. N_PAIR, c.. body */
    N_AUTOESCAPE,   /* a condition, c.. body */
    N_BLOCK,        /* name, c.. body; flags */
    N_EXTENDS,      /* a */
    N_INCLUDE,      /* a; flags */
    N_IMPORT,       /* a, name; flags */
    N_FROM,         /* a, b.. N_ALIAS; flags */
    N_ALIAS,        /* name, the name here in value */
    N_DO,           /* a */
    N_BREAK,
    N_CONTINUE,
};

enum name_use { USE_LOAD, USE_STORE, USE_PARAM };
enum arg_kind { ARG_POS, ARG_KEYWORD, ARG_STAR, ARG_STAR_STAR };
enum compare_op { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_IN, CMP_NOT_IN };

enum node_flags {
    F_RECURSIVE = 1,      /* N_FOR */
    F_SCOPED = 2,         /* N_BLOCK */
    F_REQUIRED = 4,       /* N_BLOCK */
    F_IGNORE_MISSING = 8, /* N_INCLUDE */
    F_WITH_CONTEXT = 16,  /* N_INCLUDE, N_IMPORT, N_FROM */
};

struct node {
    uint8_t kind;
    uint8_t op;
    uint16_t flags;
    int line;
    int height;        /* longest way down, bounded by the parser */
    const char *at;    /* in the source, for columns */
    const char *begin; /* printed expressions: where their text begins and ends */
    const char *end;
    struct str name;
    struct val value;
    struct node *a;
    struct node *b;
    struct node *c;
    struct node *d;
    struct node *e;
    struct node *next; /* in a list */
};

#endif
