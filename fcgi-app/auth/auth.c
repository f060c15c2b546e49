/*
 * Who calls: from a bearer token to a principal.
 *
 * The usual case is a token seen before: a look at the cache, on the loop.  A signature is checked on the loop too, since that
 * costs less than waking a worker; only rows take one.
 */
#include "auth/auth_int.h"

#include <stdlib.h>

enum {
    BEARER_MAX = 8192,
    M2M_MIN = 16,
    ASK_AGAIN_US = 5 * 1000000, /* when reading somebody again did not succeed */
};

struct auth *auth_new(struct db *db, struct cfg_store *cfg, struct clock *clock)
{
    struct auth *au = calloc(1, sizeof *au);

    if (au == NULL)
        abort();
    au->db = db;
    au->cfg = cfg;
    au->clock = clock;
    atomic_init(&au->epoch, 1);
    cache_init(&au->cache);
    flights_init(&au->flights);
    pthread_mutex_init(&au->keys_lock, NULL);
    return au;
}

void auth_free(struct auth *au)
{
    if (au == NULL)
        return;
    cache_release(&au->cache);
    flights_release(&au->flights);
    token_keys_free(au->keys);
    pthread_mutex_destroy(&au->keys_lock);
    free(au);
}

void auth_forget(struct auth *au)
{
    atomic_fetch_add_explicit(&au->epoch, 1, memory_order_acq_rel);
}

struct str auth_family(const struct principal *p)
{
    return p->token_id.len > FAMILY_LEN ? str_slice(p->token_id, 0, FAMILY_LEN) : STR("");
}

static enum auth_rc refuse(struct err *e, const char *why)
{
    err_set(e, ERR_UNAUTHORIZED, "%s", why);
    return AUTH_REFUSED;
}

/* A token of ours has two dots; everything else may be an M2M token if it looks like one. */
static bool is_jwt(struct str token)
{
    ptrdiff_t one = str_find_char(token, '.');

    return one > 0 && str_find_char(str_slice(token, (size_t)one + 1, token.len), '.') > 0;
}

static bool could_be_m2m(struct str token)
{
    for (size_t i = 0; i < token.len; i++)
        if ((unsigned char)token.p[i] <= ' ' || (unsigned char)token.p[i] >= 0x7f)
            return false;
    return token.len >= M2M_MIN;
}

static void known_release(void *arg)
{
    known_unref(arg);
}

/* Hand a known caller over: he lives as long as the request's arena, without being copied. */
static enum auth_rc let_in(struct known *k, const struct cfg *cfg, struct str client_ip,
                           struct principal *out, struct arena *a, struct err *e)
{
    bool inside = !k->limited;

    arena_defer(a, known_release, k);
    for (size_t i = 0; i < k->n_nets && !inside; i++)
        inside = ip_net_has(&k->nets[i], client_ip);
    if (!inside) {
        refuse(e, "this account may not be used from here");
        err_detail(e, "user %.*s from %.*s", STR_ARG(k->p.username), STR_ARG(client_ip));
        return AUTH_REFUSED;
    }
    *out = k->p;
    out->profile = cfg_profile(cfg, k->p.profile_id);
    return AUTH_OK;
}

/* Is it on this request to read a known caller again?  Of those on loops one is sent to a worker; the others go on with what is known. */
static bool is_due(struct known *k, bool on_worker, int64_t now_us)
{
    int_fast64_t ask_us = atomic_load_explicit(&k->ask_us, memory_order_relaxed);

    if (now_us < k->again_us || on_worker)
        return now_us >= k->again_us;
    return now_us >= ask_us && atomic_compare_exchange_strong(&k->ask_us, &ask_us, now_us + ASK_AGAIN_US);
}

/* The caller as the database knows him now; `k`, which is given up, may serve while it cannot say, or somebody else asks it already. */
static struct known *read_again(struct auth *au, struct known *k, struct str bearer, const struct token_claims *t,
                                uint64_t keys, struct err *e)
{
    struct err why = {0};
    unsigned char digest[64];
    struct known *now;
    size_t n;

    (void)crypto_digest("sha256", bearer, digest, &n);
    now = known_read(au, bearer, digest, t, keys, k == NULL, &why);
    if (now == NULL && k != NULL && why.code != ERR_UNAUTHORIZED)
        return k;
    if (now == NULL) {
        *e = why;
        if (k != NULL)
            auth_forget(au); /* nobody told us: what else is known may be old as well */
    }
    known_unref(k);
    return now;
}

enum auth_rc auth_identify(struct auth *au, const struct cfg *cfg, struct str bearer,
                           struct str client_ip, bool may_block, struct principal *out,
                           struct arena *a, struct err *e)
{
    struct moment m = {atomic_load_explicit(&au->epoch, memory_order_acquire), cfg->token_keys, clock_wall_us(au->clock)};
    struct token_claims claims;
    struct known *k;
    bool jwt;

    if (bearer.len == 0 || str_eq_c(bearer, "null") || str_eq_c(bearer, "undefined"))
        return refuse(e, "no token given");
    if (bearer.len > BEARER_MAX)
        return refuse(e, "token not valid");
    k = cache_find(&au->cache, bearer, &m);
    if (k != NULL && !is_due(k, may_block, m.now_us))
        return let_in(k, cfg, client_ip, out, a, e);
    if (k != NULL && !may_block) {
        known_unref(k);
        return AUTH_ASK;
    }
    jwt = is_jwt(bearer);
    if (jwt ? token_read(au, cfg, TOKEN_ACCESS, bearer, &claims, a, e) != 0 : !could_be_m2m(bearer)) {
        known_unref(k);
        return jwt ? AUTH_REFUSED : refuse(e, "token not valid");
    }
    if (!may_block)
        return AUTH_ASK;
    k = read_again(au, k, bearer, jwt ? &claims : NULL, jwt ? m.keys : 0, e);
    if (k == NULL)
        return AUTH_REFUSED;
    return let_in(k, cfg, client_ip, out, a, e);
}
