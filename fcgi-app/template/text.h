/*
 * What Python's str does with code points: case, classes, blanks, lines, cutting and searching.
 *
 * Texts are well-formed UTF-8; counts and positions are code points unless they say bytes.
 */
#ifndef SLUICE_TEMPLATE_TEXT_H
#define SLUICE_TEMPLATE_TEXT_H

#include "base/buf.h"
#include "base/utf8.h"

enum text_case { TEXT_UPPER, TEXT_LOWER, TEXT_TITLE, TEXT_CAPITALIZE, TEXT_SWAP, TEXT_FOLD };

/* Write `s` in another case, special cases included (sharp s in upper case is SS). */
void text_case(struct str s, enum text_case how, struct buf *out);
/* Likewise, as a new text in `a`; at most `max` bytes, *over tells when there were more. */
struct str text_cased(struct str s, enum text_case how, size_t max, struct arena *a, bool *over);

enum text_class {
    TEXT_IS_ALPHA,
    TEXT_IS_ALNUM,
    TEXT_IS_DIGIT,
    TEXT_IS_DECIMAL,
    TEXT_IS_NUMERIC,
    TEXT_IS_SPACE,
    TEXT_IS_PRINTABLE,
    TEXT_IS_UPPER,
    TEXT_IS_LOWER,
    TEXT_IS_TITLE,
    TEXT_IS_IDENTIFIER,
    TEXT_IS_ASCII,
};

/* str.isalpha() and its sisters over the whole text. */
bool text_is(struct str s, enum text_class what);
bool text_space(uint32_t cp); /* str.isspace() of one code point */
bool text_word(uint32_t cp);  /* \w of Python's re */
int text_digit(uint32_t cp);  /* value of a decimal digit of any script, or -1 */

enum { TEXT_LEFT = 1, TEXT_RIGHT = 2, TEXT_BOTH = 3 };

/* strip(): blanks when chars is NULL, else any of its code points.  A part of `s`. */
struct str text_strip(struct str s, const struct str *chars, unsigned sides);

/* Next line of splitlines(): false at the end.  `line` excludes its end, `ending` is that. */
bool text_line(struct str *rest, struct str *line, struct str *ending);

/* Next word between blanks: false at the end. */
bool text_word_next(struct str *rest, struct str *word);

/* Code points [from, to) of `s`, both within its length. */
struct str text_slice(struct str s, size_t from, size_t to);
/* Python's slice bounds: negative ones count from the end; clamped to [0, len]. */
void text_bounds(int64_t len, int64_t *from, int64_t *to);

/* Byte offset of the first (last) occurrence, or -1. */
ptrdiff_t text_rfind(struct str s, struct str needle);
size_t text_count(struct str s, struct str needle); /* without overlap */
/* replace(old, new, max); max < 0 = all. */
void text_replace(struct str s, struct str old, struct str with, int64_t max, struct buf *out);
/* Write `n` copies of the code point or text `fill`. */
void text_fill(struct str fill, size_t n, struct buf *out);

#endif
