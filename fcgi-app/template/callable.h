/*
 * What filters, tests, functions and methods look like, and what the VM offers them.
 *
 * The one contract between the stages of the language (lexer ... VM) and its library (filters/,
 * checks/, funcs/, methods): neither side includes anything else of the other.
 */
#ifndef SLUICE_TEMPLATE_CALLABLE_H
#define SLUICE_TEMPLATE_CALLABLE_H

#include "template/tmpl.h"

struct vm; /* one rendering in progress */

struct kwarg {
    struct str name;
    struct val value;
};

/* One call in progress.  For filters and tests `self` is the value on the left and not among pos;
 * for methods it is the object. */
struct call {
    struct vm *vm;
    struct arena *a; /* results and scratch */
    struct err *e;
    const char *name; /* of what is called, for messages */
    struct val self;
    const struct val *pos;
    size_t n_pos;
    const struct kwarg *kw;
    size_t n_kw;
};

/* 0 with *out set, or -1 after call_raise(). */
typedef int callable_fn(struct call *c, struct val *out);

/* Fail the call as Python would raise; always returns -1. */
int call_raise(struct call *c, enum tmpl_exc exc, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Bind positional and keyword arguments to names, as Python does.
 *
 * names  "pattern,replacement=,ignorecase=": a comma list; a name with "=" is optional and left
 *        untouched in out[] when not given (preset it with its default); the others are mandatory.
 *        "*rest" as last name accepts any more positional ones (read them from c->pos).
 * Raises TypeError in Python's words: "regex_replace() missing 1 required positional argument: 'pattern'",
 *        "... got an unexpected keyword argument 'x'", "... takes 2 positional arguments but 3 were given".
 */
MUST_CHECK int call_bind(struct call *c, const char *names, struct val *out);

/* ---- entries of the tables ----------------------------------------------------------------- */

/* What the left value of a filter must be; checked once by the caller of the filter, which raises. */
enum input_kind { INPUT_ANY, INPUT_DEFINED };

struct filter_def {
    const char *name;
    callable_fn *fn;
    uint8_t input; /* enum input_kind: INPUT_DEFINED raises UndefinedError for an undefined value */
    bool needs_autoescape; /* looks at vm_autoescape() */
};

struct check_def { /* Jinja's tests; "test" means one thing here */
    const char *name;
    callable_fn *fn; /* *out is read by truth */
};

struct func_def { /* global functions and objects */
    const char *name;
    callable_fn *fn;
};

/* NULL when there is none of that name. */
const struct filter_def *filter_find(struct str name);
const struct check_def *check_find(struct str name);
const struct func_def *func_find(struct str name);
/* Likewise among those of the extension i18n. */
const struct func_def *i18n_find(struct str name);
/* The bound method `name` of a str, list, dict, ... value (methods.c); false when Python has none we offer. */
bool method_find(struct val self, struct str name, callable_fn **fn, const char **qualified);

/* ---- values with behaviour ------------------------------------------------------------------ */

/* Kinds of the template folder extend val_class: cls->name etc. first, then these. */
struct tmpl_class {
    struct val_class base;
    /* attribute access; returns undefined when absent (the VM raises or prints accordingly) */
    struct val (*getattr)(struct val_obj *o, struct str name, struct arena *a);
    struct val (*getitem)(struct val_obj *o, struct val key, struct arena *a);
    int (*setattr)(struct val_obj *o, struct str name, struct val v, struct call *c);
    int (*call)(struct val_obj *o, struct call *c, struct val *out);
    /* 1 = *out is the next item, 0 = no more, -1 = raised */
    int (*next)(struct val_obj *o, struct call *c, struct val *out);
    bool reiterable;                       /* next() works on a copy made by iter(); else o itself is consumed */
    struct val_obj *(*iter)(struct val_obj *o, struct arena *a);
    int64_t (*len)(struct val_obj *o);     /* -1: has no len() */
    /* o[start:stop:step], the bounds fitted to len() as Python fits them */
    struct val (*slice)(struct val_obj *o, int64_t start, int64_t stop, int64_t step, struct arena *a);
    bool (*contains)(struct val_obj *o, struct val v);
    /* arithmetic: op is '+', '-', '*', '/'; reflected when o stands on the right */
    int (*arith)(struct val_obj *o, char op, struct val other, bool reflected, struct call *c, struct val *out);
};

/* Every VAL_OBJ met in a rendering has a tmpl_class. */
static inline const struct tmpl_class *tmpl_class_of(struct val v)
{
    return v.type == VAL_OBJ ? (const struct tmpl_class *)(const void *)v.u.obj->cls : NULL;
}

/* ---- offered by the VM (vm.c, ops.c) ----------------------------------------------------------- */

/* Call a macro, function object, bound method...; `c` supplies vm, arena and arguments. */
MUST_CHECK int vm_call(struct call *c, struct val callee, struct val *out);
/* Apply a filter or test by name, as map('upper') and select('odd') do; args as in c. */
MUST_CHECK int vm_filter(struct call *c, struct str name, struct val self, struct val *out);
MUST_CHECK int vm_check(struct call *c, struct str name, struct val self, bool *out);
/* obj.name (attribute first, then item) and obj[key] (item first, then attribute), Jinja's rules; undefined
 * when absent. */
MUST_CHECK int vm_getattr(struct call *c, struct val obj, struct str name, struct val *out);
MUST_CHECK int vm_getitem(struct call *c, struct val obj, struct val key, struct val *out);
/* Did a dictionary lack the key it was asked for?  An undefined value that was stored has a name. */
static inline bool val_absent(struct val v)
{
    return v.type == VAL_UNDEF && v.u.undef_name == NULL;
}
/* Raise UndefinedError (SecurityError for a refused attribute) in Jinja2's words for an undefined value that is
 * used as if it were there; always -1. */
int vm_fail_undefined(struct call *c, struct val v);
/* What an undefined value prints, which is nothing in most environments; raises in strict ones. */
MUST_CHECK int vm_undef_text(struct call *c, struct val v, struct buf *out);
/* Undefined, with the words that tell why; or for want of an attribute. */
struct val vm_undef_because(const char *words);
struct val vm_undef_attr(struct call *c, struct val obj, struct str name);
bool vm_autoescape(const struct vm *vm);
const struct tmpl_run *vm_run(const struct vm *vm);
/* Of the template that runs. */
const struct tmpl_env *vm_env(const struct vm *vm);
/* Random 64 bits: from the run's seed, or the system. */
uint64_t vm_random(struct vm *vm);
/* Spend `n` steps of the budget; raises TMPL_EXC_LIMIT when it is used up.  Loops in the library call it. */
MUST_CHECK int vm_spend(struct call *c, int64_t n);
/* Check that `bytes` more memory fits the budget, before making something large. */
MUST_CHECK int vm_memory(struct call *c, uint64_t bytes);

/* Iteration over anything Python iterates: str by code points, dict by keys, lists, objects. */
struct iter {
    struct val v;
    size_t i;      /* item, or byte of a text */
    struct val_obj *obj;
};
MUST_CHECK int iter_init(struct call *c, struct val v, struct iter *it); /* raises TypeError: 'int' object is not iterable */
MUST_CHECK int iter_next(struct call *c, struct iter *it, struct val *out); /* 1, 0 at the end, -1 */
/* list(v): a new list. */
MUST_CHECK int iter_list(struct call *c, struct val v, struct val *out);
/* len(v), or -1 without raising when it has none. */
int64_t val_len(struct val v);

/* Python's operators with Python's errors (ops.c). */
enum arith_op { OP_ADD_, OP_SUB_, OP_MUL_, OP_DIV_, OP_FLOORDIV_, OP_MOD_, OP_POW_ };
MUST_CHECK int op_arith(struct call *c, enum arith_op op, struct val x, struct val y, struct val *out);
MUST_CHECK int op_neg(struct call *c, struct val x, struct val *out);
MUST_CHECK int op_in(struct call *c, struct val item, struct val container, bool *out);
MUST_CHECK int op_less(struct call *c, struct val x, struct val y, bool *out); /* x < y, raises TypeError */

/* ---- offered by the library (methods.c, pyformat.c, datetime.c) ---------------------------------- */

/* "..." % args (printf-style, Python stdtypes "printf-style String Formatting"). */
MUST_CHECK int py_percent(struct call *c, struct str fmt, struct val args, struct val *out);
/* "...".format(*pos, **kw) over the arguments of c (string "Format String Syntax"). */
MUST_CHECK int py_format(struct call *c, struct str fmt, struct val *out);

/* A list that prints and iterates as one, for what Python returns as a generator (printed as a list: a
 * generator's text is a memory address).  Consumed by the first iteration like Python's. */
struct val gen_new(struct arena *a, struct val list);
/* HTML escaping: & < > ' " (markupsafe). */
void html_escape(struct str s, struct buf *out);
struct val val_markup(struct str s); /* safe text; not copied */

#endif
