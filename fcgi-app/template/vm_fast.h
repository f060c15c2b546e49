/*
 * Short texts copied and compared without a call: most of what templates print and look up is
 * short.
 */
#ifndef SLUICE_TEMPLATE_VM_FAST_H
#define SLUICE_TEMPLATE_VM_FAST_H

#include "base/buf.h"

/* Up to 16 bytes as two halves that may overlap. */
static inline void copy_text(char *to, const char *p, size_t n)
{
    uint64_t a;
    uint64_t b;
    uint32_t c;
    uint32_t d;

    if (n > 16) {
        memcpy(to, p, n);
    } else if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + n - 8, &b, 8);
    } else if (n >= 4) {
        memcpy(&c, p, 4);
        memcpy(&d, p + n - 4, 4);
        memcpy(to, &c, 4);
        memcpy(to + n - 4, &d, 4);
    } else {
        while (n-- > 0)
            to[n] = p[n];
    }
}

static inline void put_text(struct buf *out, const char *p, size_t n)
{
    if (LIKELY(out->cap - out->len > n)) {
        copy_text(out->p + out->len, p, n);
        out->len += n;
    } else {
        buf_add(out, p, n);
    }
}

/* Likewise. */
static inline bool same_bytes(const char *p, const char *q, size_t n)
{
    uint64_t a;
    uint64_t b;
    uint32_t c;
    uint32_t d;

    if (n > 16)
        return memcmp(p, q, n) == 0;
    if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, q, 8);
        if (a != b)
            return false;
        memcpy(&a, p + n - 8, 8);
        memcpy(&b, q + n - 8, 8);
        return a == b;
    }
    if (n >= 4) {
        memcpy(&c, p, 4);
        memcpy(&d, q, 4);
        if (c != d)
            return false;
        memcpy(&c, p + n - 4, 4);
        memcpy(&d, q + n - 4, 4);
        return c == d;
    }
    while (n > 0 && p[n - 1] == q[n - 1])
        n--;
    return n == 0;
}

#endif
