/*
 * Text slices: pointer and length, not owned, not NUL-terminated.
 */
#ifndef SLUICE_BASE_STR_H
#define SLUICE_BASE_STR_H

#include <string.h>

#include "base/base.h"

struct arena;

struct str {
    const char *p;
    size_t len;
};

/* A string literal as a slice; usable in initialisers of automatic variables and as an argument. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) ((int)(s).len), ((s).p != NULL ? (s).p : "")

static inline struct str str_make(const char *p, size_t len)
{
    return (struct str){p, len};
}

/* From a C string; NULL gives an empty slice. */
static inline struct str str_c(const char *s)
{
    return (struct str){s, s != NULL ? strlen(s) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_c(b));
}

/* Clamped; `to` is exclusive. */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return str_make(s.p != NULL ? s.p + from : NULL, to - from);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

/* Byte offset, or -1. */
static inline ptrdiff_t str_find_char(struct str s, char c)
{
    const char *p = s.len > 0 ? (const char *)memchr(s.p, c, s.len) : NULL;

    return p != NULL ? p - s.p : -1;
}

int str_cmp(struct str a, struct str b);  /* by bytes, shorter first */
bool str_ieq(struct str a, struct str b); /* ASCII letters in any case */
bool str_ends(struct str s, struct str suffix);
ptrdiff_t str_find(struct str s, struct str needle); /* byte offset, or -1 */
ptrdiff_t str_rfind_char(struct str s, char c);
struct str str_trim(struct str s);                          /* ASCII blanks at both ends */
/* Cuts at the first `sep`: returns what stands before, leaves the rest in *s (empty at the end). */
struct str str_cut(struct str *s, char sep);
/* 8-4-4-4-12 hexadecimal digits (RFC 4122), letters in either case. */
bool str_is_guid(struct str s);
/* Decimal with optional sign, the whole text; false when it is not one or does not fit. */
bool str_to_int(struct str s, int64_t *out);
struct str str_dup(struct arena *a, struct str s);   /* NUL-terminated copy */
struct str str_lower(struct arena *a, struct str s); /* ASCII */
char *str_cstr(struct arena *a, struct str s);
struct str str_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For tables in memory: seeded at start, so it differs from run to run and must not be stored. */
uint64_t str_hash(struct str s);

#endif
