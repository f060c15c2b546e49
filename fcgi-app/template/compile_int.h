/*
 * What the compiler's files share: the function being made, and the scopes of names.
 *
 * Scopes follow Jinja2 exactly: every loop body, macro, block, with, call, filter and set block has
 * one; an `if` has none.  A name is looked for in its scope and outwards; a store makes it local to
 * its scope.
 */
#ifndef SLUICE_TEMPLATE_COMPILE_INT_H
#define SLUICE_TEMPLATE_COMPILE_INT_H

#include "template/compile.h"
#include "base/map.h"
#include "template/lex.h"

/* How a name gets its first value when its scope is entered. */
enum sym_load {
    SYM_PARAM,   /* by whoever opens the scope */
    SYM_RESOLVE, /* from the context */
    SYM_ALIAS,   /* from the same name further out */
    SYM_MISSING, /* none yet */
};

struct sym {
    struct str name;
    enum sym_load load;
    bool stored;
    bool is_loop; /* the variable `loop` */
    bool kept;    /* is_loop: used as a value, so that it may outlive its loop */
    uint16_t slot;
    struct sym *outer; /* SYM_ALIAS */
    struct scope *scope;
    struct sym *next; /* in its scope, in order of appearance */
};

struct fn;

struct scope {
    struct scope *parent;
    struct fn *fn;
    struct sym *syms;
    struct sym **tail;
    struct map index;
    bool entered_often; /* a loop body: locals are put back at each round */
};

struct table {
    void *p;
    size_t n, cap;
};

/* The function being compiled. */
struct fn {
    struct fn *outer;
    struct code *code;
    struct insn *ins;
    int *lines;
    size_t n, cap;
    struct val *init;
    size_t n_slots, cap_slots;
    int depth; /* of the value stack */
    int max_depth;
    struct map resolved; /* names of the context that no scope stores: one local for each */
    int line;
    struct table printed;
};

/* Loops and what a break out of them has to undo. */
struct pending_jump {
    size_t at;
    struct pending_jump *next;
};

enum undo_kind { UNDO_LOOP, UNDO_CAPTURE, UNDO_AUTOESCAPE };

struct undo {
    enum undo_kind kind;
    uint16_t slot;               /* of the loop, or of the former autoescape */
    size_t again;                /* UNDO_LOOP: where the next round begins */
    struct pending_jump *breaks; /* UNDO_LOOP */
    struct fn *fn;
    struct undo *outer;
};

/* Where the compiler stands; copied for what is nested. */
struct where {
    struct scope *scope;
    bool toplevel;     /* stores are the template's variables */
    bool rootlevel;    /* not even inside an `if` */
    bool soft;         /* unknown filters fail only when they are reached */
    bool constant;     /* a printed expression without names: what its slices lack is undefined */
    bool check_output; /* prints nothing when the template extends another */
    enum escape_mode escape;
    bool escape_constants; /* the last autoescape that was known: what constants are printed with */
};

struct compiler {
    struct tmpl *t;
    struct lexer *lx;
    struct arena *keep;
    struct arena *scratch;
    struct err *e;
    bool failed;
    struct fn *fn;
    struct undo *undo;
    bool has_extends;
    bool known_extends;
    bool finished; /* nothing behind this is reached: extended twice */
    int n_extends;
    struct table consts, names, sites, codes, blocks, locals;
    struct map *name_index;
    size_t n_local_refs;
};

/* compile.c */
/* Begin and end a template; comp_end fills `t`, or returns -1 when something has failed. */
void comp_begin(struct compiler *c, struct tmpl *t, struct lexer *lx, struct arena *scratch,
                struct err *e);
MUST_CHECK int comp_end(struct compiler *c);
void comp_fail(struct compiler *c, const struct node *at, enum tmpl_exc exc, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
size_t emit(struct compiler *c, enum opcode op, int32_t a, uint16_t b);
size_t emit_stack(struct compiler *c, enum opcode op, int32_t a, uint16_t b, int effect);
void patch_here(struct compiler *c, size_t at);
size_t here(const struct compiler *c);
int add_const(struct compiler *c, struct val v);
int add_name(struct compiler *c, struct str s);
struct code **add_block(struct compiler *c);
int add_locals(struct compiler *c, struct local_list list);
/* Remember which expression the last instruction prints. */
void add_printed(struct compiler *c, const struct node *n);
struct site *add_site(struct compiler *c, int *index);
uint16_t new_slot(struct compiler *c, struct val init);
struct fn *fn_begin(struct compiler *c, enum code_kind kind, struct str name, int line, int *index);
void fn_end(struct compiler *c, struct fn *fn);
const char *name_text(struct compiler *c, struct str s);

/* scope.c */
struct scope *scope_new(struct compiler *c, struct scope *parent);
/* Where a body with a scope of its own stands; the caller finds its names. */
struct where where_inner(struct compiler *c, const struct where *w);
struct sym *scope_find(struct scope *s, struct str name);
struct sym *scope_param(struct compiler *c, struct scope *s, struct str name);
/* Find the names a list of statements (or one expression) uses in scope `s`. */
void scope_visit_list(struct compiler *c, struct scope *s, const struct node *list);
void scope_visit(struct compiler *c, struct scope *s, const struct node *n);
/* Declare the names of a target as set by whoever opens the scope. */
void scope_visit_params(struct compiler *c, struct scope *s, const struct node *target);
/* Give out the locals of a scope whose names are all known, and emit what its entry needs. */
void scope_enter(struct compiler *c, struct scope *s);
/* Does `list` use `name` before setting it?  (Blocks inside are not looked at.) */
bool uses_name(const struct node *list, const char *name);
/* Any node of `kind` in the list or below; for N_BLOCK: one with `flags`. */
bool has_node(const struct node *list, enum node_kind kind, uint16_t flags);
/* Does the expression read any variable?  If not, Jinja2 evaluates it while compiling. */
bool has_names(const struct node *n);
void emit_load(struct compiler *c, const struct where *w, struct str name);
struct sym *store_sym(struct compiler *c, const struct where *w, struct str name);
int locals_list(struct compiler *c, const struct where *w);

/* compile_expr.c */
void comp_expr(struct compiler *c, const struct where *w, const struct node *n);
/* A call whose last keyword argument is a caller: function `caller` of the table, or -1. */
void comp_call(struct compiler *c, const struct where *w, const struct node *n, int caller);
void comp_store(struct compiler *c, const struct where *w, const struct node *target);
bool const_value(struct compiler *c, const struct node *n, struct val *out);
/* Does Jinja2 evaluate this expression while it compiles? */
bool folds(const struct where *w, const struct node *n);

/* compile_stmt.c */
void comp_body(struct compiler *c, const struct where *w, const struct node *list);
/* compile_loop.c */
void comp_for(struct compiler *c, const struct where *w, const struct node *n);
void comp_break(struct compiler *c, const struct node *n);
/* compile_macro.c */
void comp_macro(struct compiler *c, const struct where *w, const struct node *n);
void comp_call_block(struct compiler *c, const struct where *w, const struct node *n);
void comp_blocks(struct compiler *c, const struct node *body);

#endif
