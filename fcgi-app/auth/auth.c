/*
 * Who calls: from a bearer token to a principal.
 *
 * The usual case is a token seen before: a digest and a look at the cache, on the loop.  A
 * signature is checked on the loop too, since that costs less than waking a worker; only rows take
 * one.
 */
#include "auth/auth_int.h"

#include <stdlib.h>

enum {
    BEARER_MAX = 8192,
    M2M_MIN = 16,
    KEPT_US = 60 * 1000000, /* read again after that, should a notice of a change get lost */
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
    pthread_mutex_init(&au->keys_lock, NULL);
    return au;
}

void auth_free(struct auth *au)
{
    if (au == NULL)
        return;
    cache_release(&au->cache);
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

/* Read the caller's rows; worker only. */
static struct known *load(struct auth *au, const struct token_claims *t,
                          const unsigned char digest[32], struct err *e)
{
    uint64_t epoch = atomic_load_explicit(&au->epoch, memory_order_acquire);
    int64_t now_us = clock_wall_us(au->clock);
    struct known *k = known_new();
    struct db_conn *c = NULL;
    int rc = -1;

    memcpy(k->digest, digest, sizeof k->digest);
    k->epoch = epoch;
    k->until_us = now_us + KEPT_US;
    if (t != NULL && t->expires_s < k->until_us / 1000000)
        k->until_us = t->expires_s * 1000000;
    if (db_get(au->db, &c, e) == 0)
        rc = t != NULL ? store_known_by_claims(c, t, k, e) : store_known_by_m2m(c, now_us, k, e);
    db_put(au->db, c);
    if (rc != 0) {
        known_unref(k);
        return NULL;
    }
    cache_add(&au->cache, k, epoch, now_us);
    return k;
}

enum auth_rc auth_identify(struct auth *au, const struct cfg *cfg, struct str bearer,
                           struct str client_ip, bool may_block, struct principal *out,
                           struct arena *a, struct err *e)
{
    struct token_claims claims;
    unsigned char digest[64];
    struct known *k;
    size_t n;
    bool jwt;

    if (bearer.len == 0 || str_eq_c(bearer, "null") || str_eq_c(bearer, "undefined"))
        return refuse(e, "no token given");
    if (bearer.len > BEARER_MAX || !crypto_digest("sha256", bearer, digest, &n))
        return refuse(e, "token not valid");
    k = cache_find(&au->cache, digest, atomic_load_explicit(&au->epoch, memory_order_acquire),
                   clock_wall_us(au->clock));
    if (k != NULL)
        return let_in(k, cfg, client_ip, out, a, e);
    jwt = is_jwt(bearer);
    if (jwt ? token_read(au, cfg, TOKEN_ACCESS, bearer, &claims, a, e) != 0 : !could_be_m2m(bearer))
        return jwt ? AUTH_REFUSED : refuse(e, "token not valid");
    if (!may_block)
        return AUTH_ASK;
    k = load(au, jwt ? &claims : NULL, digest, e);
    if (k == NULL)
        return AUTH_REFUSED;
    return let_in(k, cfg, client_ip, out, a, e);
}
