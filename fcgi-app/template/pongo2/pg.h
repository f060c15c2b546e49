/*
 * What the two halves of the pongo2 dialect share: the operators its compiler emits and its part of
 * the VM runs.
 */
#ifndef SLUICE_TEMPLATE_PONGO2_PG_H
#define SLUICE_TEMPLATE_PONGO2_PG_H

#include "template/vm_int.h"

enum pg_binary {
    PG_ADD,
    PG_SUB,
    PG_MUL,
    PG_DIV,
    PG_MOD,
    PG_POW,
    PG_EQ,
    PG_NE,
    PG_LT,
    PG_LE,
    PG_GT,
    PG_GE,
    PG_IN,
};
enum pg_unary { PG_NOT, PG_MINUS, PG_TRUTH };
enum pg_print_mode {
    PG_PRINT_VALUE, /* texts are escaped while autoescape is on */
    PG_PRINT_ANY,   /* everything is */
    PG_PRINT_SAFE,  /* nothing is */
};
enum pg_loop_flags { PG_REVERSED = 1, PG_SORTED = 2 };
enum pg_item_flags { PG_ITEM_CALLED = 1, PG_ITEM_DOTTED = 2 };
enum pg_include_flags { PG_ONLY = 1, PG_IF_EXISTS = 2 };

/* ---- compiling --------------------------------------------------------------------------------
 */

/*
 * Compile the source of a pongo2 template into `t`, whose arena, env and name are set.
 *
 * Fails with ERR_INVALID (app_code TMPL_EXC_SYNTAX or TMPL_EXC_ASSERTION) or ERR_LIMIT, line and
 * column set.
 */
MUST_CHECK int pg_compile(struct tmpl *t, struct str source, struct arena *scratch, struct err *e);

/* A filter of the dialect, or one of workflow-engine.md 6.3; NULL when there is none. */
const struct filter_def *pg_filter_find(struct str name);
/* What the tags now, spaceless, widthratio and lorem compile to. */
extern const struct filter_def pg_tag_now;
extern const struct filter_def pg_tag_spaceless;
extern const struct filter_def pg_tag_widthratio;
extern const struct filter_def pg_tag_lorem;

/* ---- running: pg_vm.c -------------------------------------------------------------------------
 */

/* The variable, null when nobody knows it; unless it is about to be called, a macro is called. */
MUST_CHECK int pg_load(struct vm *vm, struct frame *f, const struct name *name, bool called,
                       struct val *out);
/* Set a variable of the innermost scope. */
void pg_store(struct vm *vm, struct frame *f, const struct name *name, struct val v);
void pg_scope(struct vm *vm, struct frame *f);
MUST_CHECK int pg_attr(struct vm *vm, struct val object, const struct name *name, bool called,
                       struct val *out);
MUST_CHECK int pg_item(struct vm *vm, struct val object, struct val key, unsigned flags,
                       struct val *out);
MUST_CHECK int pg_call(struct vm *vm, struct val callee, const struct val *args, size_t n,
                       struct val *out);
MUST_CHECK int pg_print(struct vm *vm, const struct frame *f, struct val v,
                        enum pg_print_mode mode);
struct val pg_macro_new(struct vm *vm, const struct code *code, struct frame *f);
MUST_CHECK int pg_include(struct vm *vm, struct frame *f, struct val name, struct val pairs,
                          unsigned flags);
MUST_CHECK int pg_import(struct vm *vm, struct frame *f, struct val name, const struct name *macro,
                         struct val *out);
MUST_CHECK int pg_block(struct vm *vm, struct frame *f, const struct name *name);

/* pg_loop.c */
/* Begin a loop, whose scope is open from here; it stands in local `slot`. */
MUST_CHECK int pg_for(struct vm *vm, struct frame *f, uint16_t slot, struct val over,
                      unsigned flags);
/* The next item: out[1] the item or key, out[0] the value of a key or undefined.  False at the end.
 */
bool pg_next_item(struct val loop, struct val *out);
bool pg_loop_was_empty(struct val loop);
/* One turn of the cycle at instruction `at`, printed unless silent; *out is the cycle as a value.
 */
MUST_CHECK int pg_cycle(struct vm *vm, const struct insn *at, const struct val *items, size_t n,
                        bool silent, struct val *out);
/* Are the values others than the last time at this instruction? */
bool pg_changed(struct vm *vm, const struct insn *at, const struct val *values, size_t n);

/* ---- values: pg_value.c -----------------------------------------------------------------------
 */

/* Their text: Go's, but lists and maps as JSON and booleans in lower case. */
void pg_to_text(struct val v, struct buf *out);
struct str pg_text(struct val v, struct arena *a);
/* As a number, 0 when it is none. */
int64_t pg_int(struct val v);
double pg_float(struct val v);
static inline bool pg_is_int(struct val v)
{
    return v.type == VAL_INT || v.type == VAL_BIGINT;
}
static inline bool pg_is_number(struct val v)
{
    return pg_is_int(v) || v.type == VAL_FLOAT;
}
/* Same kind and same value. */
bool pg_equal(struct val x, struct val y);
/* Order of the tag for ... sorted. */
bool pg_less(struct val x, struct val y, struct arena *a);
/* Characters, items or members; 0 for the rest. */
int64_t pg_len(struct val v);
static inline bool pg_can_slice(struct val v)
{
    return v.type == VAL_STR || v.type == VAL_LIST || v.type == VAL_TUPLE;
}
/* Item or character i; null beyond the end. */
struct val pg_index(struct val v, int64_t i);
MUST_CHECK int pg_binary(struct vm *vm, enum pg_binary op, struct val x, struct val y,
                         struct val *out);
MUST_CHECK int pg_unary(struct vm *vm, enum pg_unary op, struct val x, struct val *out);

#endif
