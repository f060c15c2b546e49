/*
 * Compiled templates: what the compiler makes and the VM runs.  Immutable once made.
 */
#ifndef SLUICE_TEMPLATE_CODE_H
#define SLUICE_TEMPLATE_CODE_H

#include <stdatomic.h>

#include "template/callable.h"

enum opcode {
#define OP(name, pops, pushes, operands, meaning) OP_##name,
#include "template/opcodes.def"
#undef OP
    OP_COUNT
};

struct insn {
    uint16_t op;
    uint16_t b;
    int32_t a;
};

/* How printed and joined values are escaped: decided by the compiler where it can. */
enum escape_mode { ESCAPE_OFF, ESCAPE_ON, ESCAPE_DYNAMIC };
enum loop_flags { LOOP_PLAIN = 0, LOOP_EXTENDED = 1, LOOP_KEPT = 2, LOOP_RECURSIVE = 4 };
enum loop_attr {
    LOOP_INDEX,
    LOOP_INDEX0,
    LOOP_REVINDEX,
    LOOP_REVINDEX0,
    LOOP_FIRST,
    LOOP_LAST,
    LOOP_LENGTH,
    LOOP_DEPTH,
    LOOP_DEPTH0,
    LOOP_PREVITEM,
    LOOP_NEXTITEM,
    LOOP_ATTR_COUNT
};
enum include_flags { INCLUDE_IGNORE_MISSING = 1, INCLUDE_CONTEXT = 2 };
enum block_flags { BLOCK_SCOPED = 1, BLOCK_REQUIRED = 2 };

/*
 * Markers among the undefined values, in val.reserved.  UNDEF_NAME and UNDEF_NONE are all the
 * library knows; the others are made and explained by the VM (undefined.c).
 */
enum undef_kind {
    UNDEF_NAME = 0,   /* u.undef_name: the variable looked for, or NULL */
    UNDEF_MESSAGE,    /* u.undef_name: the whole message */
    UNDEF_ATTR,       /* u.undef_name: the attribute; len: enum val_type of the object */
    UNDEF_ELEMENT,    /* u.undef_name: the object in words, NUL, the key */
    UNDEF_LENIENT,    /* as UNDEF_MESSAGE, but lenient in strict templates */
    UNDEF_SECURITY,   /* as UNDEF_MESSAGE; whoever uses it gets SecurityError */
    UNDEF_UNRESOLVED, /* local: not looked up yet; u.undef_name: its name */
    UNDEF_MISSING,    /* local: not set; u.undef_name: its name */
};

static inline struct val undef_make(enum undef_kind kind, const char *text)
{
    struct val v = val_undef(text);

    v.reserved = (uint16_t)kind;
    return v;
}

/* An attribute or variable name of the template. */
struct name {
    struct str s;      /* NUL-terminated */
    bool dict_method;  /* dictionaries have a method of this name */
    bool hidden;       /* begins with _: no method is called so */
    atomic_uint *hint; /* where a dictionary had it last; any thread may change it */
};

/* What is called with which arguments. */
struct site {
    struct str name; /* of filter, test or method */
    const struct filter_def *filter;
    const struct check_def *check;
    int name_index; /* CALL_METHOD: in tmpl.names */
    uint16_t n_pos; /* values on the stack, the callee or the left value not counted */
    uint16_t n_kw;
    uint16_t n_values; /* of arguments on the stack */
    bool plain;        /* positional arguments only */
    bool star;         /* behind the positional ones: an iterable of more */
    bool star_star;    /* behind the keyword ones: a dictionary of more */
    const struct str *kw_names;
};

/* A local handed to another template or block. */
struct local_ref {
    int name; /* in tmpl.names */
    uint16_t slot;
    uint16_t up; /* levels out */
};

struct local_list {
    struct local_ref *refs;
    size_t n;
};

/* An expression of the source that instruction `pc` prints. */
struct printed {
    size_t pc;
    struct str text;
};

enum code_kind { CODE_ROOT, CODE_BLOCK, CODE_MACRO, CODE_CALLER, CODE_LOOP, CODE_EXPRESSION };

/* A function: the template itself, a block, a macro, the body of a recursive loop. */
struct code {
    enum code_kind kind;
    struct str name; /* of macro or block */
    const struct tmpl *t;
    struct insn *ins;
    int *lines; /* of each instruction */
    size_t n_ins;
    struct val *init; /* locals at entry */
    size_t n_slots;
    size_t max_stack;
    const struct printed *exprs; /* what is printed where, for traces; in order */
    size_t n_exprs;
    bool has_inner; /* its frame may outlive the call */
    bool required;  /* block */
    /* macros: parameters are the first locals */
    const struct str *params;
    size_t n_params;
    bool takes_caller;
    bool explicit_caller; /* a parameter is called so */
    bool exported;        /* pongo2: other templates may import it */
    bool catch_kwargs;
    bool catch_varargs;
    uint16_t caller_slot;
    uint16_t kwargs_slot;
    uint16_t varargs_slot;
    bool autoescape; /* where it was defined */
};

struct tmpl {
    atomic_int refs;
    struct arena *a;
    struct tmpl_env env;
    struct str name;
    struct code *root;
    struct code **blocks;
    size_t n_blocks;
    struct code **codes; /* all functions */
    size_t n_codes;
    struct val *consts;
    size_t n_consts;
    struct name *names;
    size_t n_names;
    struct site *sites;
    size_t n_sites;
    struct local_list *locals;
    size_t n_locals;
    bool python;            /* a boolean expression */
    size_t bytes;           /* memory it takes */
    atomic_size_t *printed; /* bytes of the last rendering: room for the next is made at once */
};

#endif
