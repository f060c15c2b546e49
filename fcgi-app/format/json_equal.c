/*
 * Equality and hashes of JSON values.
 */
#include "format/json_equal.h"

/* What an array and an object hash to when empty; any two different numbers. */
static const uint64_t SEED_ARRAY = 0x9ae16a3b2f90404fULL;
static const uint64_t SEED_OBJECT = 0xc949c7defebfd4a7ULL;

static bool arrays_equal(struct val a, struct val b)
{
    size_t n = val_count(a);

    if (n != val_count(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!json_equal(val_at(a, i), val_at(b, i)))
            return false;
    return true;
}

static bool objects_equal(struct val a, struct val b)
{
    size_t n = val_count(a);
    struct val key;
    struct val value;

    if (n != val_count(b))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct val other;

        if (!val_pair_at(a, i, &key, &value))
            return false;
        other = val_get_val(b, key);
        if (val_is_undef(other) || !json_equal(value, other))
            return false;
    }
    return true;
}

bool json_equal(struct val a, struct val b)
{
    if (val_is_none(a) || val_is_none(b))
        return val_is_none(a) && val_is_none(b);
    if (json_is_number(a) || json_is_number(b))
        return json_is_number(a) && json_is_number(b) && val_eq(a, b);
    if (json_is_array(a) || json_is_array(b))
        return json_is_array(a) && json_is_array(b) && arrays_equal(a, b);
    if (a.type != b.type)
        return false;
    if (val_is(a, VAL_DICT))
        return objects_equal(a, b);
    return val_eq(a, b);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h ^= x + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdULL;
}

uint64_t json_hash(struct val v)
{
    size_t n = val_count(v);
    struct val key;
    struct val value;
    uint64_t h;

    if (val_is_none(v))
        return 1;
    if (val_is(v, VAL_BOOL))
        return v.u.b ? 2 : 3;
    if (json_is_array(v)) {
        h = SEED_ARRAY;
        for (size_t i = 0; i < n; i++)
            h = mix(h, json_hash(val_at(v, i)));
        return h;
    }
    if (val_is(v, VAL_DICT)) {
        h = SEED_OBJECT;
        for (size_t i = 0; i < n; i++) /* a sum: the order of members does not count */
            if (val_pair_at(v, i, &key, &value))
                h += mix(val_hash(key), json_hash(value));
        return h;
    }
    return val_hashable(v) ? val_hash(v) : 0;
}
