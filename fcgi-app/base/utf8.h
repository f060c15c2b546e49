/*
 * UTF-8: checking, counting and walking code points.
 */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include "base/str.h"

/* Offset of the first byte that is not well-formed UTF-8 (RFC 3629: no surrogates, shortest form),
 * or s.len when all is well. */
size_t utf8_check(struct str s);
bool utf8_is_ascii(struct str s);
/* Number of code points of well-formed text. */
size_t utf8_len(struct str s);
/* Decode the code point at *p (well-formed text), advance *p. */
uint32_t utf8_next(const char **p, const char *end);
/* Write 1 to 4 bytes, return how many. */
size_t utf8_put(char out[4], uint32_t cp);
/* Byte offset of code point `index` (s.len when beyond the end). */
size_t utf8_offset(struct str s, size_t index);
/* Whether Python's str.isprintable() takes it: no controls, separators (but the blank), unassigned.
 */
bool utf8_printable(uint32_t cp);
/* A copy in which every ill-formed sequence became U+FFFD. */
struct arena;
struct str utf8_repair(struct arena *a, struct str s);

#endif
