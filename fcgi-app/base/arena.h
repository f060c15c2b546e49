/*
 * Arenas: memory that dies as a whole.
 *
 * Every allocation of the program belongs to an owner (the application, a configuration snapshot,
 * a request, a step of an instance) and each owner has one arena.  Nothing is freed singly.
 * Allocation never fails: out of memory aborts, and what a stranger can make large is stopped
 * earlier by the ceilings in limits.h.
 *
 * An arena is used by one thread at a time; handing it over needs the ordering of a lock.
 * In sanitizer builds free space is poisoned.
 */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include <stdarg.h>

#include "base/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if !defined(ARENA_POISONS)
#define ARENA_POISONS 0
#endif

enum { ARENA_ALIGN = 16 };

struct arena_block;
struct arena_defer;

/* Shown for the inline allocation only: nobody but arena.c touches the members. */
struct arena {
    char *at;    /* first free byte of the current block */
    char *end;   /* behind the current block */
    char *start; /* first byte handed out of the current block */
    size_t full; /* bytes handed out of all other blocks */
    size_t chunk;
    struct arena_block *blocks; /* further blocks, the current one first */
    struct arena_block *big;    /* allocations with a block of their own, the latest first */
    struct arena_defer *defers;
};

/* A new arena; `chunk` is the size of its blocks in bytes, 0 for the default (8 KiB). */
struct arena *arena_new(size_t chunk);

/* Runs the deferred functions, last first, and gives everything back.  Takes NULL. */
void arena_free(struct arena *a);

/* As arena_free, but keeps the first block for reuse: for per-request and per-loop scratch. */
void arena_reset(struct arena *a);

/* The way round the fast path: a new block, or a build that poisons. */
void *arena_alloc_slow(struct arena *a, size_t n) __attribute__((malloc, returns_nonnull));

/* `n` bytes aligned for any type, not initialised.  n == 0 gives a valid pointer. */
static inline void *arena_alloc(struct arena *a, size_t n)
    __attribute__((malloc, returns_nonnull, alloc_size(2)));
static inline void *arena_alloc(struct arena *a, size_t n)
{
    size_t pad = -(uintptr_t)a->at & (ARENA_ALIGN - 1);
    size_t room = (size_t)(a->end - a->at);

    if (ARENA_POISONS || UNLIKELY(room < pad || room - pad < n))
        return arena_alloc_slow(a, n);
    char *p = a->at + pad;
    a->at = p + n;
    return p;
}

/* `n` bytes without alignment: for text. */
static inline char *arena_bytes(struct arena *a, size_t n)
    __attribute__((malloc, returns_nonnull, alloc_size(2)));
static inline char *arena_bytes(struct arena *a, size_t n)
{
    if (ARENA_POISONS || UNLIKELY((size_t)(a->end - a->at) < n))
        return (char *)arena_alloc_slow(a, n);
    char *p = a->at;
    a->at = p + n;
    return p;
}

/* The same, filled with zeros. */
void *arena_zalloc(struct arena *a, size_t n) __attribute__((malloc, returns_nonnull));

/* Grow `p` from `old` to `n` bytes: in place when it was the last allocation, else by a copy.  The
 * old pointer is dead afterwards.  NULL for `p` allocates; a smaller `n` gives the end back. */
void *arena_grow(struct arena *a, void *p, size_t old, size_t n) __attribute__((returns_nonnull));

/* A copy of n bytes. */
void *arena_dup(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull));
/* A copy of a C string. */
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
/* The first `n` bytes of `p` with a NUL behind them. */
char *arena_strndup(struct arena *a, const char *p, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Call fn(arg) when the arena is freed or reset; later registrations run first. */
void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg);

/* Bytes handed out since creation or reset; what budgets are measured by. */
static inline size_t arena_used(const struct arena *a)
{
    return a->full + (size_t)(a->at - a->start);
}

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

#endif
