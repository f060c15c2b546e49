/*
 * What Unicode says of characters, by ICU.
 */
#ifndef SLUICE_FORMAT_UNICODE_H
#define SLUICE_FORMAT_UNICODE_H

#include "base/str.h"

/* The character of a name ("EM DASH", in any case), or of a corrected one; false when there is
 * none. */
bool unicode_by_name(struct str name, uint32_t *cp);

/* Does a label of code points keep to the Bidi rule (RFC 5893, section 2)?  *rtl is set when it has
 * a character that makes the whole name a right-to-left one, and stays as it is otherwise: the rule
 * counts for no label while no label has any. */
bool unicode_bidi_label(const uint32_t *cp, size_t n, bool *rtl);

#endif
