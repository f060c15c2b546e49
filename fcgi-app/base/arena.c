/*
 * Arenas: a chain of blocks with a moving end.
 *
 * The arena itself stands at the head of its first block, so a small arena is one malloc.  Blocks
 * double up to a ceiling; what is larger than a quarter of a block gets one of its own, which can
 * grow by realloc while it is the latest.
 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#if defined(SLUICE_TEST_BUILD)
enum { CHUNK_DEFAULT = 512 }; /* more borders, more bugs found */
#else
enum { CHUNK_DEFAULT = 8 * 1024 };
#endif
enum {
    CHUNK_MIN = 256,
    CHUNK_MAX = 128 * 1024, /* doubling stops here */
};

static const size_t gap =
    ARENA_POISONS ? ARENA_ALIGN : 0; /* kept poisoned behind each allocation */

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(ARENA_ALIGN) char data[];
};

struct arena_defer {
    struct arena_defer *next;
    void (*fn)(void *arg);
    void *arg;
};

enum { HEAD = (sizeof(struct arena) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN };

static NORETURN void out_of_memory(size_t n)
{
    fprintf(stderr, "out of memory: could not get %zu bytes\n", n);
    abort();
}

static void *must_realloc(void *p, size_t n)
{
    void *q = n <= PTRDIFF_MAX ? realloc(p, n) : NULL;

    if (q == NULL)
        out_of_memory(n);
    return q;
}

struct arena *arena_new(size_t chunk)
{
    size_t size = chunk == 0 ? CHUNK_DEFAULT : chunk < CHUNK_MIN ? CHUNK_MIN : chunk;
    struct arena *a = must_realloc(NULL, HEAD + size);

    a->start = a->at = (char *)a + HEAD;
    a->end = a->at + size;
    a->full = 0;
    a->chunk = size;
    a->blocks = NULL;
    a->big = NULL;
    a->defers = NULL;
    POISON(a->at, size);
    return a;
}

static void free_blocks(struct arena_block *b)
{
    while (b != NULL) {
        struct arena_block *next = b->next;
        UNPOISON(b->data, b->size);
        free(b);
        b = next;
    }
}

/* Everything that a reset and the end have in common. */
static void drop(struct arena *a)
{
    while (a->defers != NULL) {
        struct arena_defer *d = a->defers;
        a->defers = d->next;
        d->fn(d->arg);
    }
    free_blocks(a->blocks);
    free_blocks(a->big);
    a->blocks = NULL;
    a->big = NULL;
}

void arena_reset(struct arena *a)
{
    drop(a);
    a->start = a->at = (char *)a + HEAD;
    a->end = a->at + a->chunk;
    a->full = 0;
    POISON(a->at, a->chunk);
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    drop(a);
    UNPOISON((char *)a + HEAD, a->chunk);
    free(a);
}

static struct arena_block *new_block(size_t size, struct arena_block *next)
{
    if (size > PTRDIFF_MAX - sizeof(struct arena_block))
        out_of_memory(size);
    struct arena_block *b = must_realloc(NULL, sizeof(*b) + size);

    b->next = next;
    b->size = size;
    POISON(b->data, size);
    return b;
}

/* `n` bytes of the current block, which has the room. */
static void *take(struct arena *a, size_t n)
{
    char *p = a->at + (-(uintptr_t)a->at & (ARENA_ALIGN - 1));

    a->at = p + n;
    UNPOISON(p, n);
    return p;
}

static bool has_room(const struct arena *a, size_t n)
{
    size_t pad = -(uintptr_t)a->at & (ARENA_ALIGN - 1);
    size_t room = (size_t)(a->end - a->at);

    return room >= pad + gap && room - pad - gap >= n;
}

void *arena_alloc_slow(struct arena *a, size_t n)
{
    if (a->at > a->start && (size_t)(a->end - a->at) >= gap)
        a->at += gap;
    if (has_room(a, n))
        return take(a, n);
    size_t last = a->blocks != NULL ? a->blocks->size : a->chunk;
    size_t size = last * 2 <= CHUNK_MAX ? last * 2 : last;
    if (n > size / 4) {
        a->big = new_block(n, a->big);
        a->full += n;
        UNPOISON(a->big->data, n);
        return a->big->data;
    }
    a->full += (size_t)(a->at - a->start);
    a->blocks = new_block(size, a->blocks);
    a->start = a->at = a->blocks->data;
    a->end = a->at + size;
    return take(a, n);
}

void *arena_zalloc(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

/* Grow the latest allocation that has a block of its own. */
static void *grow_big(struct arena *a, size_t old, size_t n)
{
    struct arena_block *b = a->big;

    if (n > PTRDIFF_MAX - sizeof(*b))
        out_of_memory(n);
    UNPOISON(b->data, b->size);
    b = must_realloc(b, sizeof(*b) + n);
    b->size = n;
    a->big = b;
    a->full += n - old;
    return b->data;
}

void *arena_grow(struct arena *a, void *p, size_t old, size_t n)
{
    char *c = p;

    if (c == NULL)
        return arena_alloc(a, n);
    if (c + old == a->at && c >= a->start && n <= (size_t)(a->end - c)) {
        a->at = c + n;
        if (n > old)
            UNPOISON(c + old, n - old);
        else
            POISON(c + n, old - n);
        return c;
    }
    if (n <= old)
        return c;
    if (a->big != NULL && c == a->big->data && a->big->size == old)
        return grow_big(a, old, n);
    void *q = arena_alloc(a, n);
    memcpy(q, c, old);
    POISON(c, old);
    return q;
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
    void *q = arena_alloc(a, n);

    if (n > 0)
        memcpy(q, p, n);
    return q;
}

char *arena_strndup(struct arena *a, const char *p, size_t n)
{
    char *q = arena_bytes(a, n + 1);

    if (n > 0)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char first[256];
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(first, sizeof(first), fmt, again);
    va_end(again);
    if (n < 0) /* only a format that cannot be written: ours */
        return arena_strdup(a, "");
    if ((size_t)n < sizeof(first))
        return arena_strndup(a, first, (size_t)n);
    char *p = arena_bytes(a, (size_t)n + 1);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_defer *d = arena_alloc(a, sizeof(*d));

    d->fn = fn;
    d->arg = arg;
    d->next = a->defers;
    a->defers = d;
}
