/*
 * Hash map from text to a pointer, in an arena: for tables built once and read often.
 */
#ifndef SLUICE_BASE_MAP_H
#define SLUICE_BASE_MAP_H

#include "base/str.h"

struct arena;

struct map_entry {
    struct str key;
    void *value;
};

struct map {
    struct map_entry *slots;
    size_t size; /* power of two, or 0 */
    size_t n;
    struct arena *a;
};

/* An empty map; its table grows in `a`. */
void map_init(struct map *m, struct arena *a);
/* The key is not copied.  Replaces; returns the former value or NULL. */
void *map_set(struct map *m, struct str key, void *value);
void *map_find(const struct map *m, struct str key);
/* Walk: start with *i = 0; NULL at the end.  Order is not defined. */
const struct map_entry *map_next(const struct map *m, size_t *i);

#endif
