/*
 * What the files of the regular expression module share.
 */
#ifndef SLUICE_FORMAT_REGEX_INT_H
#define SLUICE_FORMAT_REGEX_INT_H

#include "format/regex.h"

/* What inline flags at the start of a Python pattern ask for: (?a), (?x). */
struct regex_inline {
    bool ascii;
};

/*
 * Rewrite `pattern` from its dialect (Python's, or ECMA 262 with REGEX_ECMA) into PCRE2's.
 *
 * Fails with ERR_INVALID, e->column set, for what the dialect does not have.
 */
MUST_CHECK int regex_translate(struct str pattern, unsigned flags, struct regex_inline *inl,
                               struct buf *out, struct err *e);

/* Offset in `pattern` that byte `at` of its translation comes from. */
size_t regex_translate_origin(struct str pattern, unsigned flags, size_t at, struct arena *a);

#endif
