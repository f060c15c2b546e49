/*
 * Tables of methods by type: what the methods_*.c files offer to methods.c.
 */
#ifndef SLUICE_TEMPLATE_METHODS_INT_H
#define SLUICE_TEMPLATE_METHODS_INT_H

#include "template/library_int.h"

struct method {
    const char *name;
    callable_fn *fn;
    const char *qualified; /* "str.join", for messages */
};

struct method_table {
    const struct method *rows; /* sorted by name */
    size_t n;
};

extern const struct method_table methods_of_str;
extern const struct method_table methods_of_markup; /* beside those of str */
extern const struct method_table methods_of_list;
extern const struct method_table methods_of_tuple;
extern const struct method_table methods_of_dict;

/* Methods of objects; false when it is another kind or has none of that name. */
bool cycler_method(struct val self, struct str name, callable_fn **fn, const char **qualified);
bool view_method(struct val self, struct str name, callable_fn **fn, const char **qualified);

/* Search one table. */
bool method_in(const struct method_table *t, struct str name, callable_fn **fn,
               const char **qualified);

/* Raises unless the list or dictionary living in `owner` belongs to this rendering: what the
 * template was given is shared with others and must not change. */
MUST_CHECK int lib_may_change(struct call *c, const struct arena *owner);
/* str.format, or format_map when only named fields are allowed. */
MUST_CHECK int lib_format(struct call *c, struct str fmt, bool named_only, struct val *out);
/* Bounds from optional arguments, none = open, as x[from:to]. */
MUST_CHECK int lib_bounds(struct call *c, struct val from, struct val to, int64_t len,
                          int64_t *first, int64_t *last);

#endif
