/*
 * Compiled regular expressions by content, for patterns that come with the data (filters, routes).
 *
 * The table is bounded and drops what was used longest ago.  Entries are counted: the table holds
 * one reference, and each thread one for each of the last few expressions it was given, so that
 * what a thread works with is never freed under it and nobody has to give anything back.
 */
#include "format/regex_int.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    BUCKETS = 256,
    ENTRIES_MAX = 512,
    HELD_MAX = 32, /* references a thread keeps; documented in regex.h */
};

struct entry {
    struct entry *next; /* in its bucket */
    struct arena *a;    /* owns the entry's own memory and the compiled code */
    struct regex *re;
    struct str pattern;
    uint64_t hash;
    uint64_t used; /* tick of the last use */
    unsigned flags;
    unsigned refs; /* under the lock */
};

/* What one thread was given last, newest first. */
struct held {
    struct entry *entries[HELD_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    size_t n;
    uint64_t tick;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t held_key;

/* Under the lock. */
static void entry_unref(struct entry *x)
{
    if (x != NULL && --x->refs == 0)
        arena_free(x->a);
}

static void held_free(void *arg)
{
    struct held *h = arg;

    pthread_mutex_lock(&cache.lock);
    for (size_t i = 0; i < HELD_MAX; i++)
        entry_unref(h->entries[i]);
    pthread_mutex_unlock(&cache.lock);
    free(h);
}

static void make_key(void)
{
    if (pthread_key_create(&held_key, held_free) != 0)
        abort();
}

static struct held *held_of_thread(void)
{
    struct held *h;

    (void)pthread_once(&key_once, make_key);
    h = pthread_getspecific(held_key);
    if (h == NULL) {
        h = calloc(1, sizeof *h);
        if (h == NULL || pthread_setspecific(held_key, h) != 0)
            abort();
    }
    return h;
}

/* Under the lock: the thread keeps `x` and lets go of what it was given longest ago. */
static void hold(struct held *h, struct entry *x)
{
    size_t i = 0;

    x->used = ++cache.tick;
    while (i < HELD_MAX - 1 && h->entries[i] != x)
        i++;
    if (h->entries[i] != x) {
        entry_unref(h->entries[i]);
        x->refs++;
    }
    for (; i > 0; i--)
        h->entries[i] = h->entries[i - 1];
    h->entries[0] = x;
}

/* Under the lock. */
static struct entry *find(struct str pattern, unsigned flags, uint64_t hash)
{
    for (struct entry *x = cache.buckets[hash % BUCKETS]; x != NULL; x = x->next)
        if (x->hash == hash && x->flags == flags && str_eq(x->pattern, pattern))
            return x;
    return NULL;
}

/* Under the lock: drop what was used longest ago. */
static void evict(void)
{
    struct entry **oldest = NULL;
    struct entry *gone;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **x = &cache.buckets[i]; *x != NULL; x = &(*x)->next)
            if (oldest == NULL || (*x)->used < (*oldest)->used)
                oldest = x;
    if (oldest == NULL)
        return;
    gone = *oldest;
    *oldest = gone->next;
    cache.n--;
    entry_unref(gone);
}

static int entry_new(struct entry **out, struct str pattern, unsigned flags, uint64_t hash,
                     struct err *e)
{
    struct arena *a = arena_new(1024);
    struct entry *x = ARENA_NEW(a, struct entry);

    *x = (struct entry){.a = a, .flags = flags, .hash = hash, .refs = 1};
    x->pattern = str_dup(a, pattern);
    if (regex_compile(&x->re, x->pattern, flags, a, e) != 0) {
        arena_free(a);
        return -1;
    }
    *out = x;
    return 0;
}

int regex_cached(const struct regex **out, struct str pattern, unsigned flags, struct err *e)
{
    uint64_t hash = str_hash(pattern) * 31 + flags;
    struct held *h = held_of_thread();
    struct entry *made = NULL;
    struct entry *x;

    pthread_mutex_lock(&cache.lock);
    x = find(pattern, flags, hash);
    if (x != NULL)
        hold(h, x);
    pthread_mutex_unlock(&cache.lock);
    if (x != NULL) {
        *out = x->re;
        return 0;
    }
    /* compiled outside the lock; when two threads do so at once, the second one's is dropped */
    if (entry_new(&made, pattern, flags, hash, e) != 0)
        return -1;
    pthread_mutex_lock(&cache.lock);
    x = find(pattern, flags, hash);
    if (x != NULL) {
        entry_unref(made);
    } else {
        x = made;
        if (cache.n >= ENTRIES_MAX)
            evict();
        x->next = cache.buckets[hash % BUCKETS];
        cache.buckets[hash % BUCKETS] = x;
        cache.n++;
    }
    hold(h, x);
    pthread_mutex_unlock(&cache.lock);
    *out = x->re;
    return 0;
}
