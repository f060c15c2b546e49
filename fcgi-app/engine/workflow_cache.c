/*
 * Compiled workflows of this process, by the content of their definition.
 *
 * Definitions never change under their text, so nothing is ever stale; what was not used for
 * longest goes first.
 */
#include "engine/workflow_int.h"

#include <pthread.h>

struct entry {
    uint64_t hash;
    uint64_t used; /* tick of the last use */
    struct workflow *w;
};

struct wf_cache {
    const struct node_table *nodes;
    struct tmpl_cache *templates;
    pthread_mutex_t lock;
    struct arena *a;
    struct entry *entries;
    size_t n, max;
    uint64_t tick;
};

struct wf_cache *wf_cache_new(const struct node_table *nodes, struct tmpl_cache *templates,
                              size_t max)
{
    struct arena *a = arena_new(0);
    struct wf_cache *c = ARENA_NEW(a, struct wf_cache);

    c->a = a;
    c->nodes = nodes;
    c->templates = templates;
    c->max = max;
    c->entries = ARENA_ARRAY(a, struct entry, max);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void wf_cache_free(struct wf_cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n; i++)
        wf_unref(c->entries[i].w);
    pthread_mutex_destroy(&c->lock);
    arena_free(c->a);
}

/* Texts of a snapshot stay where they are, so the pointer decides nearly always. */
static struct workflow *find(struct wf_cache *c, uint64_t hash, struct str text)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->entries[i].hash == hash && str_eq(c->entries[i].w->text, text)) {
            c->entries[i].used = ++c->tick;
            return wf_ref(c->entries[i].w);
        }
    return NULL;
}

static void put(struct wf_cache *c, uint64_t hash, struct workflow *w)
{
    size_t at = c->n;

    if (c->n == c->max) {
        at = 0;
        for (size_t i = 1; i < c->n; i++)
            if (c->entries[i].used < c->entries[at].used)
                at = i;
        wf_unref(c->entries[at].w);
    } else {
        c->n++;
    }
    c->entries[at] = (struct entry){hash, ++c->tick, wf_ref(w)};
}

int wf_cache_get(struct wf_cache *c, struct str text, struct workflow **out, struct err *e)
{
    uint64_t hash = str_hash(text);
    struct workflow *w, *other;

    pthread_mutex_lock(&c->lock);
    w = find(c, hash, text);
    pthread_mutex_unlock(&c->lock);
    if (w == NULL) {
        if (wf_compile(&w, text, c->nodes, c->templates, e) != 0)
            return -1;
        pthread_mutex_lock(&c->lock);
        other = find(c, hash, text);
        if (other == NULL)
            put(c, hash, w);
        pthread_mutex_unlock(&c->lock);
        if (other != NULL) {
            wf_unref(w);
            w = other;
        }
    }
    *out = w;
    return 0;
}
