/*
 * The store: holds the current snapshot, counts who uses it, swaps it when something changed.
 *
 * Reading happens outside the lock; the lock guards a pointer and a count only, so that a request
 * never waits for a query.
 */
#include "config/config_int.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"

struct cfg_store {
    struct db *db;
    pthread_mutex_t lock;   /* current, replaced, on_change */
    pthread_mutex_t reload; /* one reading at a time */
    struct cfg_box *current;
    struct cfg_box *replaced; /* each counted once for the store, so that nobody else frees it */
    uint64_t generation;
    struct seals *seals;
    struct kek kek; /* all zero without one */
    bool has_kek;
    void (*on_change)(void *arg, const struct cfg *now);
    void *on_change_arg;
};

void def_text_unref(struct def_text *d)
{
    if (d != NULL && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1)
        free(d);
}

struct cfg_box *cfg_box_new(void)
{
    struct arena *a = arena_new(64 * KIB);
    struct cfg_box *b = ARENA_NEW(a, struct cfg_box);

    b->c.a = a;
    atomic_init(&b->refs, 1);
    map_init(&b->activities_by_name, a);
    map_init(&b->templates_by_key, a);
    return b;
}

static void cfg_box_free(struct cfg_box *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->n_defs; i++)
        def_text_unref(b->defs[i]);
    arena_free(b->c.a);
}

void cfg_put(const struct cfg *c)
{
    struct cfg_box *b = (struct cfg_box *)(uintptr_t)c;

    if (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        cfg_box_free(b);
}

const struct cfg *cfg_ref(const struct cfg *c)
{
    struct cfg_box *b = (struct cfg_box *)(uintptr_t)c;

    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return c;
}

const struct cfg *cfg_get(struct cfg_store *s)
{
    const struct cfg *c;

    pthread_mutex_lock(&s->lock);
    c = cfg_ref(&s->current->c);
    pthread_mutex_unlock(&s->lock);
    return c;
}

/* A complete snapshot, or NULL; makes what a new database lacks. */
static struct cfg_box *read_box(struct cfg_store *s, const struct cfg_box *last, struct err *e)
{
    struct db_conn *c = NULL;
    struct cfg_box *b = NULL;
    bool complete = false;
    int rc = -1;

    if (db_get(s->db, &c, e) != 0)
        goto out;
    for (int round = 0; round < 2 && !complete; round++) {
        cfg_box_free(b);
        b = cfg_box_new();
        b->kek = s->has_kek ? &s->kek : NULL;
        b->seals = s->seals;
        if (cfg_read(c, last, b, &complete, e) != 0)
            goto out;
        if (!complete && cfg_prepare(c, b->kek, e) != 0)
            goto out;
    }
    if (!complete) {
        err_set(e, ERR_INTERNAL, "configuration or keys vanish while they are read");
        goto out;
    }
    rc = 0;
out:
    db_put(s->db, c);
    if (rc != 0) {
        cfg_box_free(b);
        b = NULL;
    }
    return b;
}

static bool same_key(const struct cfg_key *a, const struct cfg_key *b)
{
    return a->id == b->id && str_eq(a->label, b->label) && str_eq(a->state, b->state) &&
           str_eq(secret_text(a->material), secret_text(b->material));
}

/* The next key of tokens from *i on; NULL at the end. */
static const struct cfg_key *next_token_key(const struct cfg *c, size_t *i)
{
    while (*i < c->n_keys) {
        const struct cfg_key *k = &c->keys[(*i)++];

        if (str_eq_c(k->algorithm, "rs256"))
            return k;
    }
    return NULL;
}

static bool same_token_keys(const struct cfg *a, const struct cfg *b)
{
    size_t i = 0, n = 0;
    const struct cfg_key *k, *l;

    do {
        k = next_token_key(a, &i);
        l = next_token_key(b, &n);
    } while (k != NULL && l != NULL && same_key(k, l));
    return k == NULL && l == NULL;
}

static void number(struct cfg_store *s, struct cfg_box *b, const struct cfg_box *last)
{
    b->c.generation = ++s->generation;
    b->c.token_keys = last != NULL && same_token_keys(&last->c, &b->c) ? last->c.token_keys : b->c.generation;
}

int cfg_store_new(struct cfg_store **out, struct db *db, struct err *e)
{
    return cfg_store_new_kek(out, db, NULL, e);
}

int cfg_store_new_kek(struct cfg_store **out, struct db *db, const struct kek *kek, struct err *e)
{
    struct cfg_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->db = db;
    s->seals = seals_new();
    s->has_kek = kek != NULL;
    if (kek != NULL)
        s->kek = *kek;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->reload, NULL);
    s->current = read_box(s, NULL, e);
    if (s->current == NULL) {
        cfg_store_free(s);
        return -1;
    }
    number(s, s->current, NULL);
    *out = s;
    return 0;
}

void cfg_store_free(struct cfg_store *s)
{
    if (s == NULL)
        return;
    while (s->replaced != NULL) {
        struct cfg_box *b = s->replaced;

        s->replaced = b->next;
        cfg_put(&b->c);
    }
    if (s->current != NULL)
        cfg_put(&s->current->c);
    pthread_mutex_destroy(&s->reload);
    pthread_mutex_destroy(&s->lock);
    kek_wipe(&s->kek);
    seals_free(s->seals);
    free(s);
}

void cfg_store_on_change(struct cfg_store *s, void (*fn)(void *arg, const struct cfg *now),
                         void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->on_change = fn;
    s->on_change_arg = arg;
    pthread_mutex_unlock(&s->lock);
}

/* Free the replaced snapshots that nobody works with any more: taking a large one apart is nothing for a loop. */
static void reap(struct cfg_store *s)
{
    struct cfg_box *unused = NULL;

    pthread_mutex_lock(&s->lock);
    for (struct cfg_box **at = &s->replaced; *at != NULL;) {
        struct cfg_box *b = *at;

        if (atomic_load_explicit(&b->refs, memory_order_acquire) > 1) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        b->next = unused;
        unused = b;
    }
    pthread_mutex_unlock(&s->lock);
    while (unused != NULL) {
        struct cfg_box *b = unused;

        unused = b->next;
        cfg_put(&b->c);
    }
}

static void swap(struct cfg_store *s, struct cfg_box *b)
{
    void (*fn)(void *arg, const struct cfg *now);
    void *arg;
    struct cfg_box *old;

    number(s, b, s->current);
    cfg_ref(&b->c); /* for the call below */
    pthread_mutex_lock(&s->lock);
    old = s->current;
    s->current = b;
    old->next = s->replaced;
    s->replaced = old;
    fn = s->on_change;
    arg = s->on_change_arg;
    pthread_mutex_unlock(&s->lock);
    if (fn != NULL)
        fn(arg, &b->c);
    cfg_put(&b->c);
    reap(s);
}

int cfg_store_reload(struct cfg_store *s, struct err *e)
{
    const struct cfg *last;
    struct cfg_box *b;

    pthread_mutex_lock(&s->reload);
    last = cfg_get(s);
    b = read_box(s, cfg_box_of(last), e);
    cfg_put(last);
    if (b != NULL) {
        swap(s, b);
        log_info("config.read", "version=%lld gateways=%zu routes=%zu activities=%zu",
                 (long long)b->c.config_id, b->c.n_gateways, b->c.n_routes, b->c.n_activities);
    } else {
        err_context(e, "reading the configuration (the last good one stays in use)");
    }
    pthread_mutex_unlock(&s->reload);
    return b != NULL ? 0 : -1;
}

int cfg_store_poll(struct cfg_store *s, struct err *e)
{
    struct arena *a = arena_new(0);
    const struct cfg *now = cfg_get(s);
    struct db_conn *c = NULL;
    struct str mark;
    bool changed = false;
    int rc = -1;

    if (db_get(s->db, &c, e) == 0 && cfg_mark(c, &mark, a, e) == 0) {
        changed = !str_eq(mark, cfg_box_of(now)->mark);
        rc = 0;
    }
    db_put(s->db, c);
    cfg_put(now);
    arena_free(a);
    reap(s);
    return rc == 0 && changed ? cfg_store_reload(s, e) : rc;
}

int cfg_store_count_seals(struct cfg_store *s, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(s->db, &c, e) == 0 ? seals_write(s->seals, c, e) : -1;

    db_put(s->db, c);
    return rc;
}

/* ---- looking up ---------------------------------------------------------------------------------
 */

const struct cfg_activity *cfg_activity(const struct cfg *c, int64_t id)
{
    size_t low = 0;
    size_t high = c->n_activities;

    while (low < high) { /* read in order of id */
        size_t mid = low + (high - low) / 2;

        if (c->activities[mid].id == id)
            return &c->activities[mid];
        if (c->activities[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct cfg_activity *cfg_activity_named(const struct cfg *c, struct str name)
{
    return map_find(&cfg_box_of(c)->activities_by_name, name);
}

const struct cfg_profile *cfg_profile(const struct cfg *c, int64_t id)
{
    for (size_t i = 0; i < c->n_profiles; i++)
        if (c->profiles[i].id == id)
            return &c->profiles[i];
    return NULL;
}

const struct cfg_key *cfg_key_active(const struct cfg *c, const char *label)
{
    const struct cfg_key *best = NULL;

    for (size_t i = 0; i < c->n_keys; i++) {
        const struct cfg_key *k = &c->keys[i];

        if (str_eq_c(k->label, label) && str_eq_c(k->state, "active") &&
            !str_starts(k->algorithm, STR("fernet")) && (best == NULL || k->id > best->id))
            best = k;
    }
    return best;
}

const struct cfg_key *cfg_key(const struct cfg *c, uint32_t id)
{
    for (size_t i = 0; i < c->n_keys; i++)
        if (c->keys[i].id == id)
            return &c->keys[i];
    return NULL;
}
