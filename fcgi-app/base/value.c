/*
 * Values: building and reading.  What Python's rules say about them stands in val_py.c.
 *
 * Dictionaries keep their pairs in insertion order; up to SMALL pairs are searched one by one,
 * which needs no hash, beyond that an index with open addressing is built over them.
 */
#include "base/value.h"

#include "base/bigint.h"
#include "base/value_int.h"

enum { SMALL = 8, FIRST_CAP = 4 };

struct val val_open_lazy(struct val v)
{
    if (!json_lazy_is_open(v))
        json_lazy_open(v);
    v.flags &= (uint8_t)~VAL_F_LAZY;
    return v;
}

static bool is_list(struct val v)
{
    return v.type == VAL_LIST || v.type == VAL_TUPLE;
}

/* ---- making ------------------------------------------------------------------------------ */

struct val val_str_c(const char *s)
{
    return val_str(str_c(s));
}

struct val val_str_dup(struct arena *a, struct str s)
{
    return val_str(str_dup(a, s));
}

static struct val new_list(enum val_type type, struct arena *a, size_t room)
{
    struct val_list *l = arena_alloc(a, sizeof(*l) + room * sizeof(struct val));

    l->n = 0;
    l->cap = (uint32_t)room;
    l->items = (struct val *)(void *)(l + 1);
    l->a = a;
    return (struct val){.type = (uint8_t)type, .u.list = l};
}

struct val val_list_new(struct arena *a, size_t room)
{
    return new_list(VAL_LIST, a, room);
}

struct val val_tuple_new(struct arena *a, size_t room)
{
    return new_list(VAL_TUPLE, a, room);
}

struct val val_dict_new(struct arena *a, size_t room)
{
    struct val_dict *d = arena_alloc(a, sizeof(*d) + room * sizeof(struct val_pair));

    d->n = 0;
    d->cap = (uint32_t)room;
    d->pairs = (struct val_pair *)(void *)(d + 1);
    d->index = NULL;
    d->index_size = 0;
    d->a = a;
    return (struct val){.type = VAL_DICT, .u.dict = d};
}

void val_list_add(struct val list, struct val item)
{
    struct val_list *l = val_open(list).u.list;

    if (l->n == l->cap) {
        uint32_t cap = l->cap < FIRST_CAP ? FIRST_CAP : l->cap * 2;
        l->items =
            arena_grow(l->a, l->items, l->cap * sizeof(struct val), cap * sizeof(struct val));
        l->cap = cap;
    }
    l->items[l->n++] = item;
}

/* ---- dictionaries ------------------------------------------------------------------------ */

static bool same_text(const struct val *v, struct str s)
{
    return v->type == VAL_STR && v->len == s.len && memcmp(v->u.s, s.p, s.len) == 0;
}

static struct val_pair *find_text(const struct val_dict *d, struct str key, uint64_t *hash)
{
    *hash = 0;
    if (key.p == NULL)
        key.p = "";
    if (d->index == NULL) {
        for (uint32_t i = 0; i < d->n; i++) {
            if (same_text(&d->pairs[i].key, key))
                return &d->pairs[i];
        }
        return NULL;
    }
    uint32_t mask = d->index_size - 1;
    *hash = val_hash_text(key);
    for (uint32_t i = (uint32_t)*hash & mask; d->index[i] != 0; i = (i + 1) & mask) {
        struct val_pair *pair = &d->pairs[d->index[i] - 1];
        if (pair->hash == *hash && same_text(&pair->key, key))
            return pair;
    }
    return NULL;
}

struct val_pair *val_dict_find(const struct val_dict *d, struct val key, uint64_t *hash)
{
    *hash = 0;
    if (key.type == VAL_STR)
        return find_text(d, val_text(key), hash);
    if (d->index == NULL) {
        for (uint32_t i = 0; i < d->n; i++) {
            if (val_eq(d->pairs[i].key, key))
                return &d->pairs[i];
        }
        return NULL;
    }
    uint32_t mask = d->index_size - 1;
    *hash = val_hash(key);
    for (uint32_t i = (uint32_t)*hash & mask; d->index[i] != 0; i = (i + 1) & mask) {
        struct val_pair *pair = &d->pairs[d->index[i] - 1];
        if (pair->hash == *hash && val_eq(pair->key, key))
            return pair;
    }
    return NULL;
}

static void index_pair(struct val_dict *d, uint32_t at)
{
    uint32_t mask = d->index_size - 1;
    uint32_t i = (uint32_t)d->pairs[at].hash & mask;

    while (d->index[i] != 0)
        i = (i + 1) & mask;
    d->index[i] = at + 1;
}

/* An index for all pairs, in the memory of the old one when that is large enough. */
static void build_index(struct val_dict *d)
{
    uint32_t size = 32;

    while (size < d->cap * 2)
        size *= 2;
    if (size > d->index_size) {
        d->index = ARENA_ARRAY(d->a, uint32_t, size);
        d->index_size = size;
    } else {
        memset(d->index, 0, d->index_size * sizeof(*d->index));
    }
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->pairs[i].hash == 0)
            d->pairs[i].hash = val_hash(d->pairs[i].key);
        index_pair(d, i);
    }
}

static void append(struct val_dict *d, struct val key, struct val value, uint64_t hash)
{
    bool grown = d->n == d->cap;

    if (grown) {
        uint32_t cap = d->cap < FIRST_CAP ? FIRST_CAP : d->cap * 2;
        d->pairs = arena_grow(d->a, d->pairs, d->cap * sizeof(struct val_pair),
                              cap * sizeof(struct val_pair));
        d->cap = cap;
    }
    d->pairs[d->n++] = (struct val_pair){.key = key, .value = value, .hash = hash};
    if (d->n > SMALL && (d->index == NULL || grown))
        build_index(d);
    else if (d->index != NULL)
        index_pair(d, d->n - 1);
}

void val_dict_set(struct val dict, struct val key, struct val value)
{
    struct val_dict *d = val_open(dict).u.dict;
    uint64_t hash = 0;
    struct val_pair *pair = val_dict_find(d, key, &hash);

    if (pair != NULL)
        pair->value = value;
    else
        append(d, key, value, hash);
}

void val_dict_set_str(struct val dict, struct str key, struct val value)
{
    val_dict_set(dict, val_str(key), value);
}

void val_dict_set_c(struct val dict, const char *key, struct val value)
{
    val_dict_set(dict, val_str_c(key), value);
}

bool val_dict_del(struct val dict, struct val key)
{
    struct val_dict *d = val_open(dict).u.dict;
    uint64_t hash = 0;
    struct val_pair *pair = val_dict_find(d, key, &hash);

    if (pair == NULL)
        return false;
    size_t behind = (size_t)(d->pairs + d->n - (pair + 1));
    memmove(pair, pair + 1, behind * sizeof(*pair));
    d->n--;
    if (d->index != NULL)
        build_index(d);
    return true;
}

/* ---- reading ----------------------------------------------------------------------------- */

size_t val_count(struct val v)
{
    switch (v.type) {
    case VAL_STR:
    case VAL_BYTES:
        return v.len;
    case VAL_LIST:
    case VAL_TUPLE:
        return v.u.list->n; /* known even for unread text */
    case VAL_DICT:
        return val_open(v).u.dict->n;
    default:
        return 0;
    }
}

struct val val_at(struct val list, size_t i)
{
    if (!is_list(list) || i >= list.u.list->n)
        return val_undef(NULL);
    return val_open(list).u.list->items[i];
}

struct val val_get_str(struct val dict, struct str key)
{
    uint64_t hash = 0;

    if (dict.type != VAL_DICT)
        return val_undef(NULL);
    const struct val_pair *pair = find_text(val_open(dict).u.dict, key, &hash);
    return pair != NULL ? pair->value : val_undef(NULL);
}

struct val val_get(struct val dict, const char *key)
{
    return val_get_str(dict, str_c(key));
}

struct val val_get_val(struct val dict, struct val key)
{
    uint64_t hash = 0;

    if (dict.type != VAL_DICT)
        return val_undef(NULL);
    const struct val_pair *pair = val_dict_find(val_open(dict).u.dict, key, &hash);
    return pair != NULL ? pair->value : val_undef(NULL);
}

bool val_pair_at(struct val dict, size_t i, struct val *key, struct val *value)
{
    if (dict.type != VAL_DICT)
        return false;
    const struct val_dict *d = val_open(dict).u.dict;
    if (i >= d->n)
        return false;
    *key = d->pairs[i].key;
    *value = d->pairs[i].value;
    return true;
}

struct val val_path(struct val v, const char *path)
{
    struct str rest = str_c(path);

    while (rest.len > 0) {
        struct str part = str_cut(&rest, '.');
        int64_t i = 0;
        if (v.type == VAL_DICT)
            v = val_get_str(v, part);
        else if (is_list(v) && str_to_int(part, &i) && i >= 0)
            v = val_at(v, (size_t)i);
        else
            return val_undef(NULL);
    }
    return v;
}

struct str val_get_text(struct val dict, const char *key, struct str otherwise)
{
    struct val v = val_get(dict, key);

    return v.type == VAL_STR ? val_text(v) : otherwise;
}

int64_t val_get_int(struct val dict, const char *key, int64_t otherwise)
{
    struct val v = val_get(dict, key);

    return v.type == VAL_INT ? v.u.i : otherwise;
}

bool val_get_bool(struct val dict, const char *key, bool otherwise)
{
    struct val v = val_get(dict, key);

    return v.type == VAL_BOOL ? v.u.b : otherwise;
}

/* ---- copying ----------------------------------------------------------------------------- */

static struct val copy_list(struct val v, struct arena *a)
{
    const struct val_list *from = v.u.list;
    struct val to = new_list(v.type, a, from->n);

    for (uint32_t i = 0; i < from->n; i++)
        to.u.list->items[i] = val_copy(from->items[i], a);
    to.u.list->n = from->n;
    return to;
}

static struct val copy_dict(struct val v, struct arena *a)
{
    const struct val_dict *from = v.u.dict;
    struct val to = val_dict_new(a, from->n);
    struct val_dict *d = to.u.dict;

    for (uint32_t i = 0; i < from->n; i++) {
        d->pairs[i].key = val_copy(from->pairs[i].key, a);
        d->pairs[i].value = val_copy(from->pairs[i].value, a);
        d->pairs[i].hash = from->pairs[i].hash;
    }
    d->n = from->n;
    if (d->n > SMALL)
        build_index(d);
    return to;
}

static struct val copy_container(struct val v, struct arena *a)
{
    if ((v.flags & VAL_F_LAZY) != 0 && !json_lazy_is_open(v))
        return json_lazy_copy(v, a);
    if (!val_enter())
        return val_undef(NULL);
    struct val to = v.type == VAL_DICT ? copy_dict(v, a) : copy_list(v, a);
    val_leave();
    return to;
}

struct val val_copy(struct val v, struct arena *a)
{
    switch (v.type) {
    case VAL_UNDEF:
        return val_undef(v.u.undef_name != NULL ? arena_strdup(a, v.u.undef_name) : NULL);
    case VAL_BIGINT:
        v.u.big = bigint_copy(v.u.big, a);
        return v;
    case VAL_STR:
    case VAL_BYTES:
        v.u.s = arena_strndup(a, v.u.s, v.len);
        return v;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        return copy_container(v, a);
    case VAL_OBJ:
        if (v.u.obj->cls->copy != NULL)
            return v.u.obj->cls->copy(v.u.obj, a);
        return val_str(val_str_of(v, a));
    default:
        return v;
    }
}
