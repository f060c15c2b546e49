/*
 * Byte buffers that grow inside an arena, never past a ceiling.
 *
 * Writing past the ceiling sets `over` and drops the bytes; the writer goes on and the one who
 * finishes checks once.  There is nothing to release.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "base/str.h"

struct buf {
    char *p;
    size_t len;
    size_t cap;
    size_t max;
    struct arena *a;
    bool over;
};

/* An empty buffer of at most `max` bytes, living in `a`. */
void buf_init(struct buf *b, size_t max, struct arena *a);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_add_c(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_add_int(struct buf *b, int64_t v);
/* Room for `n` more bytes at the end, or NULL past the ceiling; add to b->len what was used. */
char *buf_reserve(struct buf *b, size_t n);

static inline void buf_putc(struct buf *b, char c)
{
    if (LIKELY(b->len < b->cap))
        b->p[b->len++] = c;
    else
        buf_add(b, &c, 1);
}

static inline struct str buf_str(const struct buf *b)
{
    return str_make(b->p, b->len);
}

/* The content with a NUL behind it (not counted). */
const char *buf_cstr(struct buf *b);

#endif
