/*
 * What the files behind value.h and json.h share.
 */
#ifndef SLUICE_BASE_VALUE_INT_H
#define SLUICE_BASE_VALUE_INT_H

#include "base/value.h"

/* One level deeper into nested values; false beyond VAL_DEPTH_MAX.  Each true is followed by a
 * leave. */
bool val_enter(void);
void val_leave(void);

/* Hash of a text as a key; never 0. */
static inline uint64_t val_hash_text(struct str s)
{
    uint64_t h = str_hash(s);

    return h != 0 ? h : 1;
}

/* The pair of `key` or NULL; *hash becomes the key's hash when the search needed it, else 0. */
struct val_pair *val_dict_find(const struct val_dict *d, struct val key, uint64_t *hash);

/* Unread JSON (json_lazy.c): read it in place; whether that happened; copy what is still unread. */
void json_lazy_open(struct val v);
bool json_lazy_is_open(struct val v);
struct val json_lazy_copy(struct val v, struct arena *a);

#endif
