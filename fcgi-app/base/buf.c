/*
 * Growing buffers: capacity doubles inside the arena, up to the ceiling.
 *
 * One byte more than `cap` is always allocated, so that buf_cstr() needs no room of its own.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"

enum { FIRST = 127 }; /* bytes of the first allocation, but the one for NUL */

void buf_init(struct buf *b, size_t max, struct arena *a)
{
    *b = (struct buf){.max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX - 1, .a = a};
}

static void resize(struct buf *b, size_t cap)
{
    b->p = b->p != NULL ? arena_grow(b->a, b->p, b->cap + 1, cap + 1) : arena_bytes(b->a, cap + 1);
    b->cap = cap;
}

/* From here on everything is dropped: with no room left each write comes back to buf_reserve(). */
static char *overflow(struct buf *b)
{
    if (b->p == NULL)
        resize(b, 0);
    b->over = true;
    b->cap = b->len;
    return NULL;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (LIKELY(n <= b->cap - b->len && b->p != NULL))
        return b->p + b->len;
    if (b->over || n > b->max - b->len)
        return overflow(b);
    size_t cap = b->cap < FIRST ? FIRST : b->cap * 2 + 1;
    if (cap < b->len + n)
        cap = b->len + n;
    if (cap > b->max)
        cap = b->max;
    resize(b, cap);
    return b->p + b->len;
}

void buf_add_growing(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (to == NULL)
        return;
    memcpy(to, p, n);
    b->len += n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n <= 0)
        return;
    if ((size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
        return;
    }
    char *to = buf_reserve(b, (size_t)n);
    if (to == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_add_int(struct buf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u != 0);
    if (v < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof(digits) - at);
}

const char *buf_cstr(struct buf *b)
{
    if (b->p == NULL)
        resize(b, 0);
    b->p[b->len] = '\0';
    return b->p;
}
