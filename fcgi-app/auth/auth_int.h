/*
 * What the files of auth/ share.
 */
#ifndef SLUICE_AUTH_AUTH_INT_H
#define SLUICE_AUTH_AUTH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "base/ip_net.h"
#include "crypto/crypto.h"

enum { ACCESS_LIFE_S = 15 * 60, REFRESH_LIFE_S = 24 * 3600, FAMILY_LEN = 36 };

/* ---- principals kept (cache.c)
 * ------------------------------------------------------------------- */

/* A caller as the database knew him; immutable, counted. */
struct known {
    atomic_int refs;
    struct arena *a;
    struct str token;         /* wiped with him */
    uint64_t tag;             /* the cache's */
    unsigned char digest[32]; /* SHA-256 of the token */
    uint64_t epoch;           /* of auth_forget() when reading began */
    uint64_t keys;            /* cfg.token_keys that found the signature good; 0: needs none */
    int64_t from_us;          /* wall clock: a moment before he was read; not used where that is still to come, the clock being set back */
    int64_t until_us;         /* not used afterwards */
    int64_t again_us;         /* to be read again from then on, while he is still good */
    atomic_int_fast64_t ask_us; /* the next request on a loop that is to see to that */
    bool limited;             /* only from `nets` */
    const struct ip_net *nets;
    size_t n_nets;
    struct principal p;
};
/* With a copy of the token. */
struct known *known_new(struct str token);
void known_unref(struct known *k);

enum { SHARDS = 16, SETS = 64, WAYS = 4 };

struct cache {
    uint64_t key[2]; /* random: nobody chooses where his token goes */
    struct shard {
        pthread_mutex_t lock;
        uint64_t tick;
        struct slot {
            struct known *k;
            uint64_t used;
        } slots[SETS][WAYS];
    } shards[SHARDS];
};
void cache_init(struct cache *c);
void cache_release(struct cache *c);
/* What callers are known under now. */
struct moment {
    uint64_t epoch, keys;
    int64_t now_us;
};
/* Counted for the caller; NULL when absent, outdated, of another epoch or other keys. */
struct known *cache_find(struct cache *c, struct str token, const struct moment *m);
void cache_add(struct cache *c, struct known *k, const struct moment *m);
/* The set in which a token is looked for, of SHARDS * SETS. */
size_t cache_set(const struct cache *c, struct str token);

/* ---- reading callers (flight.c)
 * ----------------------------------------------------------------------------- */

/* What is being read, each once however many ask for it. */
struct flights {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    struct flight *first;
    uint64_t begun, joined;
};
void flights_init(struct flights *f);
void flights_release(struct flights *f);

/* ---- tokens (token.c)
 * ---------------------------------------------------------------------------- */

struct token_keys;

struct auth {
    struct db *db;
    struct cfg_store *cfg;
    struct clock *clock;
    atomic_uint_fast64_t epoch;
    struct cache cache;
    struct flights flights;
    pthread_mutex_t keys_lock;
    struct token_keys *keys; /* parsed for the cfg.token_keys last seen */
};

enum token_kind { TOKEN_ACCESS, TOKEN_REFRESH };

struct token_claims {
    int64_t user_id;
    struct str id;     /* jti: family "." random */
    struct str family; /* UUID */
    int64_t issued_us;
    int64_t expires_s;
};

/*
 * Read the caller of a token and keep him.  Workers only.
 *
 * token, digest  the token and its SHA-256.
 * t      claims of an access token, NULL for an M2M token.
 * keys   cfg.token_keys of the snapshot that verified it.
 * wait   somebody else reads him already: wait for that; else NULL without an error.
 * Returns him, counted, or NULL: ERR_UNAUTHORIZED when he may not come in, else what the database says.
 */
struct known *known_read(struct auth *au, struct str token, const unsigned char digest[32], const struct token_claims *t,
                         uint64_t keys, bool wait, struct err *e);

void token_keys_free(struct token_keys *k);
void token_family_new(char out[FAMILY_LEN + 1]);
MUST_CHECK int token_issue(struct auth *au, const struct cfg *cfg, enum token_kind kind,
                           int64_t user_id, struct str family, struct str *out, struct arena *a,
                           struct err *e);
/* ERR_UNAUTHORIZED for everything that is not a valid token of this kind. */
MUST_CHECK int token_read(struct auth *au, const struct cfg *cfg, enum token_kind kind,
                          struct str token, struct token_claims *out, struct arena *a,
                          struct err *e);

/* ---- rows (auth_store.c)
 * -------------------------------------------------------------------------- */

/* The caller of an access token (claims) or M2M token (digest); ERR_UNAUTHORIZED when he may not
 * come in. */
MUST_CHECK int store_known_by_claims(struct db_conn *c, const struct token_claims *t,
                                     struct known *out, struct err *e);
MUST_CHECK int store_known_by_m2m(struct db_conn *c, int64_t now_us, struct known *out,
                                  struct err *e);

/* A user who wants to log in. */
struct login_user {
    int64_t id; /* 0 = unknown */
    struct str hash, email, ui_profile, token_sealed, two_fa;
    bool active, local, password_disabled, need_change, limited, token_valid, resetting;
    struct val nets;
};
MUST_CHECK int store_login_user(struct db_conn *c, struct str username, int64_t now_us,
                                struct login_user *out, struct arena *a, struct err *e);
/* Count a try before its password is looked at, so that parallel guesses count too; *locked when it
 * may not be looked at.  threshold 0: never. */
MUST_CHECK int store_login_try(struct db_conn *c, int64_t user_id, int64_t now_us,
                               int64_t threshold, int64_t lock_us, bool *locked, struct err *e);
MUST_CHECK int store_login_reset(struct db_conn *c, int64_t user_id, struct err *e);

struct login_record {
    int64_t user_id;
    struct str username, ip, user_agent;
    const char *reason; /* NULL: success */
    int64_t now_us;
};
MUST_CHECK int store_login_failed(struct db_conn *c, const struct login_record *r, struct err *e);
MUST_CHECK int store_login_done(struct db_conn *c, const struct login_record *r, struct str family,
                                struct str refresh_token, int64_t expires_us, struct err *e);
MUST_CHECK int store_must_change(struct db_conn *c, int64_t user_id, struct err *e);

struct refresh_row {
    int64_t id, user_id, expires_us, replaced_us; /* replaced_us 0 = not */
    struct str ui_profile;
    bool usable, email_set;
};
/* ERR_NOT_FOUND when the token was never issued or is cleaned up. */
MUST_CHECK int store_refresh_find(struct db_conn *c, struct str token, struct refresh_row *out,
                                  struct arena *a, struct err *e);
MUST_CHECK int store_refresh_used(struct db_conn *c, int64_t id, int64_t now_us, struct err *e);
/* *replaced false: somebody else replaced it meanwhile, the new one is not stored. */
MUST_CHECK int store_refresh_replace(struct db_conn *c, const struct refresh_row *old,
                                     struct str token, int64_t now_us, int64_t expires_us,
                                     bool *replaced, struct err *e);
/* End families: by SHA-1 of a refresh token (hex), by name, or all of a user but `keep`. */
MUST_CHECK int store_end_sha1(struct db_conn *c, struct str hex, int64_t now_us, struct err *e);
MUST_CHECK int store_end_family(struct db_conn *c, struct str family, int64_t now_us,
                                struct err *e);
MUST_CHECK int store_end_user(struct db_conn *c, int64_t user_id, struct str keep, int64_t now_us,
                              struct err *e);

struct password_row {
    struct str username, hash;
};
MUST_CHECK int store_password(struct db_conn *c, int64_t user_id, struct password_row *out,
                              struct arena *a, struct err *e);
MUST_CHECK int store_password_set(struct db_conn *c, int64_t user_id, struct str hash,
                                  bool must_change, int64_t now_us, bool void_tokens,
                                  struct err *e);
/* The newest `n` former hashes, newest first. */
MUST_CHECK int store_password_history(struct db_conn *c, int64_t user_id, int64_t n,
                                      struct val *out, struct arena *a, struct err *e);
MUST_CHECK int store_password_weak(struct db_conn *c, struct str password, bool *weak,
                                   struct arena *a, struct err *e);

MUST_CHECK int store_m2m_set(struct db_conn *c, int64_t user_id, struct str digest,
                             struct str sealed, int64_t expiry_us, struct err *e);
MUST_CHECK int store_revoke(struct db_conn *c, int64_t user_id, int64_t now_us, struct err *e);
/* *had_m2m: a token waits to be replaced; *expiry_us: when that ends, 0 = never. */
MUST_CHECK int store_unrevoke(struct db_conn *c, int64_t user_id, bool *had_m2m, int64_t *expiry_us,
                              struct err *e);
MUST_CHECK int store_superuser(struct db_conn *c, struct str name, struct str hash, bool *made,
                               struct err *e);

/* Resets: digest is the SHA-256 of the token; out untouched when nothing began. */
MUST_CHECK int store_reset_begin(struct db_conn *c, struct str username, struct str digest,
                                 int64_t now_us, int64_t not_since_us, int64_t until_us,
                                 struct auth_reset *out, struct arena *a, struct err *e);
MUST_CHECK int store_reset_begin_elsewhere(struct db_conn *c, struct str username, int64_t user_id,
                                           struct str digest, struct str details, int64_t now_us,
                                           int64_t not_since_us, int64_t until_us, bool *made,
                                           struct err *e);
/* details: JSON text. */
MUST_CHECK int store_reset_find(struct db_conn *c, struct str digest, int64_t now_us,
                                int64_t *user_id, struct str *details, struct arena *a,
                                struct err *e);
/* *user_id 0: not known here. */
MUST_CHECK int store_reset_take_elsewhere(struct db_conn *c, struct str digest, int64_t now_us,
                                          int64_t *user_id, struct err *e);
MUST_CHECK int store_reset_back(struct db_conn *c, struct str digest, struct err *e);
/* As find, and it and all others of the user are used up. */
MUST_CHECK int store_reset_take(struct db_conn *c, struct str digest, int64_t now_us,
                                int64_t *user_id, struct err *e);

#endif
