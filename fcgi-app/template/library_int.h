/*
 * What the files of the library (filters, tests, functions, methods) share.
 *
 * Included by the library only; the VM sees callable.h.
 */
#ifndef SLUICE_TEMPLATE_LIBRARY_INT_H
#define SLUICE_TEMPLATE_LIBRARY_INT_H

#include "base/limits.h"
#include "template/callable.h"

/* The longest text the library builds; the memory budget of the rendering usually ends it earlier.
 */
#define LIB_TEXT_MAX (256 * MIB)

/* Rows of `size` bytes, each beginning with its name (const char *), sorted by it; NULL when
 * absent. */
const void *lib_table_find(const void *rows, size_t n, size_t size, struct str name);

/* ---- arguments -------------------------------------------------------------------------- */

/* Raises what strict undefined raises when it is looked at; 0 for everything else. */
MUST_CHECK int lib_look(struct call *c, struct val v);
/* str(v), keeping the markup flag of a text; an undefined value gives what it prints. */
MUST_CHECK int lib_text(struct call *c, struct val v, struct val *out);
/* str(v) added to `out`; an undefined value adds what it prints. */
MUST_CHECK int lib_put_text(struct call *c, struct val v, struct buf *out);
/* An integer, or TypeError "'str' object cannot be interpreted as an integer".  Big ones saturate.
 */
MUST_CHECK int lib_int(struct call *c, struct val v, int64_t *out);
/* A text, or TypeError "<what> must be str, not int". */
MUST_CHECK int lib_need_text(struct call *c, struct val v, const char *what, struct str *out);
/* float(v) for numbers, else TypeError "must be real number, not str". */
MUST_CHECK int lib_number(struct call *c, struct val v, double *out);
/* float(v) and int(v) as Python's constructors; raise TypeError, ValueError, OverflowError. */
MUST_CHECK int lib_to_float(struct call *c, struct val v, double *out);
MUST_CHECK int lib_to_int(struct call *c, struct val v, int base, struct val *out);
/* Texts as float() and int() read them; false when they are not numbers. */
bool lib_parse_float(struct str s, double *out);
bool lib_parse_int(struct str s, int base, struct val *out, struct arena *a);
static inline bool lib_is_int(struct val v)
{
    return v.type == VAL_INT || v.type == VAL_BIGINT || v.type == VAL_BOOL;
}
static inline bool lib_is_number(struct val v)
{
    return lib_is_int(v) || v.type == VAL_FLOAT;
}
static inline bool lib_is_markup(struct val v)
{
    return v.type == VAL_STR && (v.flags & VAL_F_MARKUP) != 0;
}
/* repr(v), for messages. */
struct str lib_repr(struct call *c, struct val v);
/* A call of `callee` with one argument, or two. */
MUST_CHECK int lib_apply(struct call *c, struct val callee, const struct val *args, size_t n,
                         struct val *out);

/* Does a text begin (end) with `affix`, or with one of a list of them?  Anything but texts: false.
 */
bool lib_has_affix(struct val text, struct val affix, bool at_end);

/* Does the template run in the platform's environment, where our decisions go before Jinja2's? */
bool lib_platform(const struct call *c);

/* A lower folder failed and filled c->e: raise that as ValueError (a limit as itself); always -1.
 */
int lib_pass_error(struct call *c);

/* ---- results ---------------------------------------------------------------------------- */

void lib_buf(struct call *c, struct buf *b);
/* The text written, with the given value flags; raises when it passed the ceiling. */
MUST_CHECK int lib_finish(struct call *c, struct buf *b, uint8_t flags, struct val *out);
/* `s` as value with `flags` (VAL_F_ASCII, VAL_F_MARKUP). */
static inline struct val lib_str(struct str s, uint8_t flags)
{
    struct val v = val_str(s);

    v.flags = flags;
    return v;
}
/* Number of code points of a text value. */
size_t lib_text_len(struct val text);
/* A text in another case, keeping the flags in `keep`; `how` is an enum text_case. */
MUST_CHECK int lib_case(struct call *c, struct val text, int how, uint8_t keep, struct val *out);
/* Escape into markup; markup itself is returned unchanged. */
MUST_CHECK int lib_escape(struct call *c, struct val v, struct val *out);
/* Items of any iterable as an array: no copy for lists and tuples. */
MUST_CHECK int lib_items(struct call *c, struct val v, const struct val **items, size_t *n);

/* ---- attribute paths: map(attribute='a.0.b') --------------------------------------------- */

struct attr_path {
    struct val *parts;
    size_t n;
    struct val otherwise; /* undefined: none */
    bool fold;            /* compare texts in lower case */
};

/* `attribute` is none (the item itself), a dotted text, or any key. */
MUST_CHECK int attr_path_init(struct call *c, struct attr_path *p, struct val attribute,
                              struct val otherwise, bool fold);
MUST_CHECK int attr_path_get(struct call *c, const struct attr_path *p, struct val item,
                             struct val *out);
/* Attribute only, never an item: what attr() of templates means. */
MUST_CHECK int lib_attr_only(struct call *c, struct val obj, struct str name, struct val *out);

/* ---- sorting ------------------------------------------------------------------------------ */

struct sort_item {
    struct val key;
    struct val item;
};

/* Stable, by key, as sorted() does; raises TypeError when two keys have no order. */
MUST_CHECK int lib_sort(struct call *c, struct sort_item *items, size_t n, bool reverse);

/* ---- sets of values ------------------------------------------------------------------------ */

/* Values seen: a dictionary for hashable ones; for the rest one of lists, by a hash over what they
 * hold. */
struct seen {
    struct val dict;
    struct val rest;
    struct arena *a;
};

void seen_init(struct call *c, struct seen *s);
bool seen_has(const struct seen *s, struct val v);
/* True when it was new. */
bool seen_add(struct seen *s, struct val v);

/* ---- texts in other clothes ------------------------------------------------------------------ */

/* ascii(v): repr with everything beyond ASCII escaped. */
void py_ascii(struct val v, struct arena *a, struct buf *out);
/* Dictionary from dict(*pos, **kw). */
MUST_CHECK int lib_make_dict(struct call *c, struct val *out);
/* round(v, digits) of Python. */
MUST_CHECK int lib_round(struct call *c, struct val v, int64_t digits, struct val *out);
/* Random number in [0, n). */
uint64_t lib_random_below(struct call *c, uint64_t n);
/* HTML without tags and comments, entities resolved, blanks normalised. */
void html_strip_tags(struct str s, struct buf *out, struct arena *a);
void html_unescape(struct str s, struct buf *out);
/* dict.items(), .keys(), .values(): views that follow the dictionary. */
enum view_kind { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };
struct val view_new(struct arena *a, struct val dict, enum view_kind kind);

#endif
