/*
 * Hash map from text to a pointer: open addressing with steps of one, at most two thirds full.
 */
#include "base/map.h"

#include "base/arena.h"

void map_init(struct map *m, struct arena *a)
{
    *m = (struct map){.a = a};
}

/* The slot of `key`, or the empty one where it belongs.  There is always an empty one. */
static struct map_entry *slot_of(struct map_entry *slots, size_t size, struct str key)
{
    size_t i = (size_t)str_hash(key) & (size - 1);

    while (slots[i].key.p != NULL && !str_eq(slots[i].key, key))
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static void enlarge(struct map *m)
{
    size_t size = m->size == 0 ? 16 : m->size * 2;
    struct map_entry *slots = ARENA_ARRAY(m->a, struct map_entry, size);

    for (size_t i = 0; i < m->size; i++) {
        if (m->slots[i].key.p != NULL)
            *slot_of(slots, size, m->slots[i].key) = m->slots[i];
    }
    m->slots = slots;
    m->size = size;
}

void *map_set(struct map *m, struct str key, void *value)
{
    if ((m->n + 1) * 3 > m->size * 2)
        enlarge(m);
    if (key.p == NULL) /* NULL marks an empty slot */
        key.p = "";
    struct map_entry *slot = slot_of(m->slots, m->size, key);
    void *old = slot->value;
    if (slot->key.p == NULL) {
        slot->key = key;
        m->n++;
    }
    slot->value = value;
    return old;
}

void *map_find(const struct map *m, struct str key)
{
    return m->size > 0 ? slot_of(m->slots, m->size, key)->value : NULL;
}

const struct map_entry *map_next(const struct map *m, size_t *i)
{
    while (*i < m->size) {
        const struct map_entry *entry = &m->slots[(*i)++];
        if (entry->key.p != NULL)
            return entry;
    }
    return NULL;
}
