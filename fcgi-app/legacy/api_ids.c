/*
 * A set of ids: of all instances of a platform, so no more is kept of each than the number.
 */
#include "base/arena.h"
#include "legacy/api_int.h"

static size_t slot_of(const struct id_set *s, int64_t id)
{
    size_t at = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 20) & (s->size - 1);

    while (s->slots[at] != 0 && s->slots[at] != id)
        at = (at + 1) & (s->size - 1);
    return at;
}

static void grow(struct id_set *s)
{
    const struct id_set former = *s;

    s->size = former.size > 0 ? 2 * former.size : 1024;
    s->a = arena_new(0);
    s->slots = arena_alloc(s->a, s->size * sizeof *s->slots);
    memset(s->slots, 0, s->size * sizeof *s->slots);
    for (size_t i = 0; i < former.size; i++)
        if (former.slots[i] != 0)
            s->slots[slot_of(s, former.slots[i])] = former.slots[i];
    if (former.a != NULL)
        arena_free(former.a);
}

bool api_ids_add(struct id_set *s, int64_t id)
{
    size_t at;

    if (4 * (s->n + 1) > 3 * s->size)
        grow(s);
    at = slot_of(s, id);
    if (s->slots[at] == id)
        return false;
    s->slots[at] = id;
    s->n++;
    return true;
}

void api_ids_free(struct id_set *s)
{
    if (s->a != NULL)
        arena_free(s->a);
}
