/*
 * Callers kept: finding, outdating, driving out, whitelists.
 */
#include "auth/auth_int.h"
#include "support/cases.h"

enum { KEYS = 3 }; /* of all these callers */

static char tokens[100][64]; /* by tag; all belong into one set */

static struct cache *cache_make(void)
{
    struct cache *c = calloc(1, sizeof *c);
    size_t wanted;
    unsigned n = 0;

    assert_non_null(c);
    cache_init(c);
    wanted = cache_set(c, STR("the set of all these"));
    for (size_t tag = 0; tag < COUNT_OF(tokens); tag++) {
        do {
            snprintf(tokens[tag], sizeof tokens[tag], "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.%u", n++);
        } while (cache_set(c, str_c(tokens[tag])) != wanted);
    }
    return c;
}

static void cache_drop(struct cache *c)
{
    cache_release(c);
    free(c);
}

static struct known *add(struct cache *c, unsigned tag, uint64_t epoch, int64_t until_us)
{
    struct known *k = known_new(str_c(tokens[tag]));

    k->epoch = epoch;
    k->keys = KEYS;
    k->until_us = until_us;
    k->p.id = (int64_t)tag;
    cache_add(c, k, &(struct moment){epoch, KEYS, 0});
    return k;
}

static bool has(struct cache *c, unsigned tag, uint64_t epoch, int64_t now_us)
{
    struct known *k = cache_find(c, str_c(tokens[tag]), &(struct moment){epoch, KEYS, now_us});
    bool found = k != NULL;

    if (found)
        assert_int_equal(k->p.id, tag);
    known_unref(k);
    return found;
}

/* Whoever changes a byte anywhere, adds one or leaves one out is somebody else, even where the tag is the same. */
static void wants_the_whole_token(void **state)
{
    struct cache *c = cache_make();
    const struct moment m = {1, KEYS, 0};
    char other[64];
    struct str token = str_c(tokens[1]);
    struct known *k = add(c, 1, 1, 100), *found;

    (void)state;
    assert_true(has(c, 1, 1, 0));
    for (size_t i = 0; i < token.len; i++) {
        memcpy(other, token.p, token.len);
        other[i] ^= 1;
        assert_null(cache_find(c, str_make(other, token.len), &m));
    }
    memcpy(other, token.p, token.len);
    other[token.len] = 'x';
    assert_null(cache_find(c, str_make(other, token.len + 1), &m));
    assert_null(cache_find(c, str_make(other, token.len - 1), &m));
    assert_null(cache_find(c, str_make(other + 1, token.len - 1), &m));
    assert_null(cache_find(c, STR(""), &m));
    other[0] ^= 1; /* beyond what the tag is made from */
    assert_int_equal(cache_set(c, str_make(other, token.len)), cache_set(c, token));
    found = cache_find(c, token, &m);
    assert_ptr_equal(found, k);
    known_unref(found);
    known_unref(k);
    cache_drop(c);
}

static void finds(void **state)
{
    struct cache *c = cache_make();

    (void)state;
    known_unref(add(c, 1, 1, 100));
    assert_true(has(c, 1, 1, 99));
    assert_false(has(c, 1, 1, 100)); /* too old */
    assert_false(has(c, 1, 2, 0));   /* forgotten */
    assert_false(has(c, 2, 1, 0));
    cache_drop(c);
}

/* A token is good under the keys that were asked; an M2M token has none. */
static void belongs_to_keys(void **state)
{
    struct cache *c = cache_make();
    struct known *k = add(c, 1, 1, 100);
    const struct moment others = {1, KEYS + 1, 0};

    (void)state;
    assert_null(cache_find(c, k->token, &others));
    assert_true(has(c, 1, 1, 0));
    k->keys = 0;
    known_unref(cache_find(c, k->token, &others));
    assert_int_equal(atomic_load(&k->refs), 2);
    known_unref(k);
    cache_drop(c);
}

/* One set holds WAYS callers; the one not used for longest goes. */
static void drives_out(void **state)
{
    struct cache *c = cache_make();

    (void)state;
    for (unsigned i = 1; i <= WAYS; i++)
        known_unref(add(c, i, 1, 100));
    assert_true(has(c, 1, 1, 0));
    known_unref(add(c, 99, 1, 100));
    assert_true(has(c, 99, 1, 0));
    assert_true(has(c, 1, 1, 0));
    assert_false(has(c, 2, 1, 0));
    cache_drop(c);
}

static void replaces_itself(void **state)
{
    struct cache *c = cache_make();

    (void)state;
    for (unsigned i = 1; i < WAYS; i++)
        known_unref(add(c, i, 1, 100));
    for (int i = 0; i < 10; i++)
        known_unref(add(c, 7, 1, 100));
    for (unsigned i = 1; i < WAYS; i++)
        assert_true(has(c, i, 1, 0));
    cache_drop(c);
}

/* Who still works for a caller keeps him, whatever the cache does. */
static void outlives_the_cache(void **state)
{
    struct cache *c = cache_make();
    struct known *k = add(c, 1, 1, 100);

    (void)state;
    cache_drop(c);
    assert_int_equal(k->p.id, 1);
    known_unref(k);
}

struct job {
    struct cache *c;
    unsigned seed;
};

static void *work(void *arg)
{
    struct job *j = arg;

    for (unsigned i = 0; i < 20000; i++) {
        unsigned tag = (i * 7 + j->seed) % 40;
        uint64_t epoch = 1 + i / 5000;

        if (!has(j->c, tag, epoch, 0))
            known_unref(add(j->c, tag, epoch, 100));
    }
    return NULL;
}

static void many_threads(void **state)
{
    struct cache *c = cache_make();
    struct job jobs[4];
    pthread_t threads[4];

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(jobs); i++) {
        jobs[i] = (struct job){c, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < COUNT_OF(jobs); i++)
        pthread_join(threads[i], NULL);
    cache_drop(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),           cmocka_unit_test(drives_out),
        cmocka_unit_test(wants_the_whole_token),
        cmocka_unit_test(replaces_itself), cmocka_unit_test(belongs_to_keys), cmocka_unit_test(outlives_the_cache),
        cmocka_unit_test(many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
