/*
 * Secrets: bytes that their arena wipes before it gives the memory back.
 */
#include "crypto/crypto.h"

#include <sys/resource.h>

void crypto_no_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
}

struct wipe {
    unsigned char *p;
    size_t len;
};

static void wipe_bytes(void *arg)
{
    const struct wipe *w = arg;

    crypto_wipe(w->p, w->len);
}

struct secret secret_new(struct arena *a, const void *p, size_t n)
{
    /* one byte more: text secrets go to C interfaces */
    unsigned char *copy = arena_alloc(a, n + 1);
    struct wipe *w;

    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = 0;
    if (n > 0) {
        w = ARENA_NEW(a, struct wipe);
        *w = (struct wipe){copy, n};
        arena_defer(a, wipe_bytes, w);
    }
    return (struct secret){copy, n};
}
