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
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_add_int(struct buf *b, int64_t v);
/* Room for `n` more bytes at the end, or NULL past the ceiling; add to b->len what was used. */
char *buf_reserve(struct buf *b, size_t n);

/* buf_add() where the buffer has to grow first. */
void buf_add_growing(struct buf *b, const void *p, size_t n);

/* In the header, as those below: most of what is added is short, and the length of a literal is known where it is written. */
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (LIKELY(n > 0 && n <= b->cap - b->len)) {
        memcpy(b->p + b->len, p, n);
        b->len += n;
    } else {
        buf_add_growing(b, p, n);
    }
}

static inline void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.len);
}

static inline void buf_add_c(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_putc(struct buf *b, char c)
{
    if (LIKELY(b->len < b->cap))
        b->p[b->len++] = c;
    else
        buf_add_growing(b, &c, 1);
}

static inline struct str buf_str(const struct buf *b)
{
    return str_make(b->p, b->len);
}

/* The content with a NUL behind it (not counted). */
const char *buf_cstr(struct buf *b);

#endif
