/*
 * What the VM's files share: the state of one rendering.
 */
#ifndef SLUICE_TEMPLATE_VM_INT_H
#define SLUICE_TEMPLATE_VM_INT_H

#include "base/limits.h"
#include "base/map.h"
#include "template/vm.h"

/* A block and what `super` finds behind it. */
struct block_entry {
    const struct code *code;
    struct block_entry *up;
};

/* A template being rendered with those it extends: one set of blocks, one state of autoescape. */
struct unit {
    const struct tmpl *t;
    struct map blocks; /* name -> struct block_entry, the lowest template's first */
    bool autoescape;
};

/* Variables as a function sees them: its template's own, then what surrounds it. */
struct ctx {
    struct ctx *up;
    struct unit *unit;
    struct val vars;     /* dictionary of the template's own variables; null until there is one */
    struct val exported; /* dictionary of those that importers see; null until there is one */
    struct val locals;   /* dictionary handed in by include, import or a scoped block; null */
    bool globals_only;   /* imported without context: the variables of the run are not seen */
    bool autoescape;     /* pongo2: is this state a matter of the scope */
};

/* One call of a function.  In the arena when something may outlive it, else on the VM's stack. */
struct frame {
    struct val *slots;
    struct frame *outer; /* where the function was defined */
    const struct code *code;
    struct ctx *ctx;
    const struct tmpl *parent; /* set by extends */
    int depth0;                /* of a recursive loop */
};

/* Values and locals of running functions; chained, never given back before the end. */
struct stack_chunk {
    struct stack_chunk *next;
    struct val *end;
    struct val *begin;
};

/* What is printed inside a macro, set block...: buffers are kept for reuse. */
struct capture {
    struct buf buf;
    struct buf *outer;
    struct capture *prev;
    struct capture *next;
};

struct loop {
    struct val_obj obj;
    struct iter it;
    const struct val *items; /* fast way over lists */
    struct val_list *list;
    struct vm *vm;
    struct val source;
    int64_t index0; /* of the current item, -1 before the first */
    int64_t length; /* -1: not known yet */
    struct val current;
    struct val before;
    struct val after;   /* peeked; valid with has_after */
    struct val changed; /* tuple of what changed() saw last */
    bool has_after;
    bool at_end;
    bool extended;  /* remembers previous items */
    bool completed; /* a round came to its end */
    int depth0;
    const struct code *recurse; /* body of a recursive loop, or NULL */
    struct frame *recurse_frame;
    struct loop *free_next;
};

struct vm {
    const struct tmpl_run *run;
    const struct tmpl *main;
    struct arena *a;
    struct err *e;
    struct call call; /* vm, arena and error filled: for operators */
    struct buf *out;
    struct frame *frame;
    struct stack_chunk *chunk;
    struct val *top;          /* free space of the chunk begins here */
    struct capture *captures; /* innermost in use, or the list's head */
    struct loop *free_loops;
    enum tmpl_undefined undefined;
    int depth;
    int max_depth;
    int includes;
    int64_t fuel;       /* steps until the next look at clock and memory */
    int64_t steps_left; /* behind those */
    int64_t deadline_us;
    struct clock *clock;
    size_t memory_max; /* of arena_used */
    size_t output_max;
    struct map templates; /* loaded in this rendering: name -> const struct tmpl */
    struct map modules;   /* imported without context: name -> struct val */
    struct map tag_states; /* pongo2: what cycle and ifchanged remember */
    uint64_t random[2];
    bool random_ready;
    struct val result;
};

struct macro {
    struct val_obj obj;
    const struct code *code;
    struct frame *outer;
    struct ctx *ctx;
    bool autoescape;
};

/* vm.c */
MUST_CHECK int vm_execute(struct vm *vm, struct frame *f);
/* Call a function: locals from its image, `args` over the first of them (missing ones marked so).
 */
MUST_CHECK int vm_run_code(struct vm *vm, const struct code *code, struct ctx *ctx,
                           struct frame *outer, const struct val *args, size_t n_args, int depth0);
/* The fuel is used up: look at the budgets. */
MUST_CHECK int vm_refuel(struct vm *vm);
int vm_raise(struct vm *vm, enum tmpl_exc exc, const char *fmt, ...) PRINTF_LIKE(3, 4);
int vm_limit(struct vm *vm, const char *budget);
/* Print a value. */
MUST_CHECK int vm_print(struct vm *vm, struct val v);
MUST_CHECK int vm_print_escaped(struct vm *vm, struct val v);
/* Print a text as it is; fails for other kinds, as joining them does. */
MUST_CHECK int vm_print_raw(struct vm *vm, struct val v);
/* Collect what is printed; end_capture gives it as text living in the arena. */
void vm_capture(struct vm *vm);
struct val vm_end_capture(struct vm *vm, bool markup);
void vm_drop_capture(struct vm *vm);

/* vm_loop.c */
MUST_CHECK int loop_begin(struct vm *vm, struct frame *f, uint16_t slot, struct val iterable,
                          unsigned flags);
MUST_CHECK int loop_next(struct vm *vm, struct loop *l, struct val *out); /* 1, 0 at the end, -1 */
void loop_end(struct vm *vm, struct loop *l);
MUST_CHECK int loop_attr(struct vm *vm, struct loop *l, enum loop_attr attr, struct val *out);

/* vm_call.c */
MUST_CHECK int vm_call_site(struct vm *vm, const struct site *s, struct val callee,
                            const struct val *args, struct val *out);
MUST_CHECK int vm_method_site(struct vm *vm, const struct site *s, struct val object,
                              const struct val *args, struct val *out);
MUST_CHECK int vm_filter_site(struct vm *vm, const struct site *s, struct val self,
                              const struct val *args, struct val *out);
MUST_CHECK int vm_check_site(struct vm *vm, const struct site *s, struct val self,
                             const struct val *args, struct val *out);
bool vm_is_macro(struct val callee);
/* Call a macro whose text is printed anyway. */
MUST_CHECK int vm_print_macro(struct vm *vm, const struct site *s, struct val callee,
                              const struct val *args);
struct val macro_new(struct vm *vm, const struct code *code, struct frame *f);
struct val function_new(struct arena *a, const struct func_def *def);
struct val bound_new(struct arena *a, struct val self, callable_fn *fn, const char *name);

/* vm_attr.c */
MUST_CHECK int attr_get(struct vm *vm, struct val obj, const struct name *name, struct val *out);
MUST_CHECK int item_get(struct vm *vm, struct val obj, struct val key, struct val *out);
MUST_CHECK int slice_get(struct vm *vm, struct val obj, const struct val *parts, bool lenient,
                         struct val *out);

/* vm_scope.c */
struct ctx *ctx_new(struct vm *vm, struct ctx *up, struct unit *unit);
struct unit *unit_new(struct vm *vm, const struct tmpl *t);
/* The value of a variable; undefined when nobody knows it. */
struct val ctx_resolve(struct vm *vm, struct ctx *ctx, const char *name);
void ctx_export(struct vm *vm, struct ctx *ctx, const struct name *name, struct val v,
                bool importers);
struct val locals_dict(struct vm *vm, const struct frame *f, const struct local_list *list);
MUST_CHECK int vm_block(struct vm *vm, struct frame *f, const struct name *name, unsigned flags,
                        struct val locals);
struct val self_new(struct vm *vm, struct ctx *ctx);
struct val super_new(struct vm *vm, struct frame *f, const struct name *name);

/* vm_include.c */
/* A template by its name.  1: there is none (raised as TemplateNotFound), -1 raised. */
MUST_CHECK int vm_load(struct vm *vm, struct val name, const struct tmpl **out);
/* One more template inside the others; whoever entered counts vm->includes down. */
MUST_CHECK int vm_enter(struct vm *vm);
MUST_CHECK int vm_include(struct vm *vm, struct frame *f, struct val name, struct val locals,
                          unsigned flags);
MUST_CHECK int vm_import(struct vm *vm, struct frame *f, struct val name, struct val locals,
                         unsigned flags, struct val *out);
MUST_CHECK int vm_from(struct vm *vm, struct frame *f, struct val module, const struct name *name,
                       int line, struct val *out);
MUST_CHECK int vm_extends(struct vm *vm, struct frame *f, struct val name);
MUST_CHECK int vm_render_parent(struct vm *vm, struct frame *f);

/* undefined.c */
/* Raise what using this undefined value raises; always -1. */
int undef_fail(struct call *c, struct val v);
/* May it be printed, iterated, compared, asked for its truth?  0, or -1 raised. */
MUST_CHECK int undef_look(struct call *c, struct val v);
struct val undef_attr(struct vm *vm, struct val obj, struct str name);
/* What an undefined value `v` itself has: _undefined_name, _undefined_message, _undefined_hint; undefined
 * without a reason for anything else. */
struct val undef_own_attr(struct vm *vm, struct val v, struct str name);
struct val undef_element(struct vm *vm, struct val obj, struct val key);
MUST_CHECK int undef_print(struct vm *vm, struct val v);
/* The type in Jinja2's messages: "dict object", "None". */
const char *object_words(struct val v, struct arena *a);

/* ops.c */
MUST_CHECK int op_concat(struct vm *vm, const struct val *parts, size_t n, enum escape_mode mode,
                         struct val *out);
MUST_CHECK int op_compare(struct call *c, int op, struct val x, struct val y, bool *out);
MUST_CHECK int op_plus(struct call *c, struct val x, struct val *out);
bool op_same(struct val x, struct val y);

/* pyfuncs.c */
const struct func_def *py_func_find(struct str name);

static inline int vm_truth(struct vm *vm, struct val v, bool *out)
{
    if (LIKELY(v.type == VAL_BOOL)) {
        *out = v.u.b;
        return 0;
    }
    if (UNLIKELY(v.type == VAL_UNDEF) && undef_look(&vm->call, v) != 0)
        return -1;
    *out = val_truth(v);
    return 0;
}

#endif
