/*
 * Access and refresh tokens: what is in them, and the keys that sign them (http-api.md 3.1).
 *
 * Claims: iss, sub (user id), kind, jti = family "." random, iat and exp in seconds, iat_us so that
 * a token issued in the second of a password change can be told from one before.
 */
#include "auth/auth_int.h"

#include <stdio.h>
#include <stdlib.h>

#define ISSUER "sluice"

enum { KEYS_MAX = 16 };

struct token_keys {
    atomic_int refs;
    struct arena *a;
    uint64_t number; /* cfg.token_keys */
    const struct jwt_key *signing;        /* NULL: there is no key */
    const struct jwt_key *keys[KEYS_MAX]; /* verifying, newest first */
    size_t n;
};

static const char *const kind_names[] = {[TOKEN_ACCESS] = "access", [TOKEN_REFRESH] = "refresh"};

static void keys_unref(struct token_keys *k)
{
    if (k != NULL && atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1)
        arena_free(k->a);
}

void token_keys_free(struct token_keys *k)
{
    keys_unref(k);
}

static struct token_keys *keys_read(const struct cfg *cfg, struct err *e)
{
    struct arena *a = arena_new(0);
    struct token_keys *out = ARENA_NEW(a, struct token_keys);
    const struct cfg_key *active = cfg_key_active(cfg, "tokens");

    out->a = a;
    out->number = cfg->token_keys;
    atomic_init(&out->refs, 1);
    for (size_t i = cfg->n_keys; i-- > 0 && out->n < KEYS_MAX;) {
        const struct cfg_key *k = &cfg->keys[i];
        struct jwt_key *parsed;
        char kid[16];

        if (!str_eq_c(k->algorithm, "rs256"))
            continue;
        snprintf(kid, sizeof kid, "%u", k->id);
        if (jwt_key_private(&parsed, secret_text(k->material), str_c(kid), a, e) != 0) {
            err_context(e, "key %u (%.*s)", k->id, STR_ARG(k->label));
            arena_free(a);
            return NULL;
        }
        out->keys[out->n++] = parsed;
        if (k == active)
            out->signing = parsed;
    }
    return out;
}

/* The keys of a snapshot, counted; parsing them takes a while, so the last ones are kept. */
static struct token_keys *keys_get(struct auth *au, const struct cfg *cfg, struct err *e)
{
    struct token_keys *k;
    struct token_keys *old;

    pthread_mutex_lock(&au->keys_lock);
    k = au->keys;
    if (k != NULL && k->number == cfg->token_keys) {
        atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
        pthread_mutex_unlock(&au->keys_lock);
        return k;
    }
    pthread_mutex_unlock(&au->keys_lock);
    k = keys_read(cfg, e);
    if (k == NULL)
        return NULL;
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&au->keys_lock);
    old = au->keys;
    au->keys = k;
    pthread_mutex_unlock(&au->keys_lock);
    keys_unref(old);
    return k;
}

void token_family_new(char out[FAMILY_LEN + 1])
{
    unsigned char r[16];

    crypto_random(r, sizeof r);
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    snprintf(out, FAMILY_LEN + 1,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
             r[15]);
}

int token_issue(struct auth *au, const struct cfg *cfg, enum token_kind kind, int64_t user_id,
                struct str family, struct str *out, struct arena *a, struct err *e)
{
    int64_t now_us = clock_wall_us(au->clock);
    struct val claims = val_dict_new(a, 8);
    struct token_keys *keys = keys_get(au, cfg, e);
    unsigned char random[8];
    int rc = -1;

    if (keys == NULL)
        return -1;
    if (keys->signing == NULL) {
        err_set(e, ERR_CONFIG, "there is no key \"tokens\"");
        goto out;
    }
    crypto_random(random, sizeof random);
    val_dict_set_c(claims, "iss", VAL_STR_LIT(ISSUER));
    val_dict_set_c(claims, "sub", val_str(str_printf(a, "%lld", (long long)user_id)));
    val_dict_set_c(claims, "kind", val_str_c(kind_names[kind]));
    val_dict_set_c(
        claims, "jti",
        val_str(str_printf(a, "%.*s.%s", STR_ARG(family), crypto_hex(a, random, sizeof random).p)));
    val_dict_set_c(claims, "iat", val_int(now_us / 1000000));
    val_dict_set_c(claims, "iat_us", val_int(now_us));
    val_dict_set_c(
        claims, "exp",
        val_int(now_us / 1000000 + (kind == TOKEN_ACCESS ? ACCESS_LIFE_S : REFRESH_LIFE_S)));
    rc = jwt_sign(keys->signing, claims, out, a, e);
out:
    keys_unref(keys);
    return rc;
}

int token_read(struct auth *au, const struct cfg *cfg, enum token_kind kind, struct str token,
               struct token_claims *out, struct arena *a, struct err *e)
{
    struct token_keys *keys = keys_get(au, cfg, e);
    struct val claims;
    int rc;

    if (keys == NULL)
        return -1;
    rc = jwt_verify(keys->keys, keys->n, token, clock_wall_us(au->clock) / 1000000, &claims, a, e);
    keys_unref(keys);
    if (rc != 0)
        return -1;
    out->id = val_get_text(claims, "jti", STR(""));
    out->family = str_slice(out->id, 0, FAMILY_LEN);
    out->issued_us = val_get_int(claims, "iat_us", 0);
    out->expires_s = val_get_int(claims, "exp", 0);
    if (!str_eq_c(val_get_text(claims, "iss", STR("")), ISSUER) ||
        !str_eq_c(val_get_text(claims, "kind", STR("")), kind_names[kind]) ||
        out->id.len <= FAMILY_LEN ||
        !str_to_int(val_get_text(claims, "sub", STR("")), &out->user_id)) {
        err_set(e, ERR_UNAUTHORIZED, "token not valid");
        err_detail(e, "not an %s token of this platform", kind_names[kind]);
        return -1;
    }
    return 0;
}

struct str auth_public_key(const struct cfg *cfg, struct arena *a)
{
    const struct cfg_key *k = cfg_key_active(cfg, "tokens");
    struct jwt_key *parsed;
    struct err e = {0};

    if (k == NULL || jwt_key_private(&parsed, secret_text(k->material), STR(""), a, &e) != 0)
        return STR("");
    return jwt_key_public_pem(parsed, a);
}
