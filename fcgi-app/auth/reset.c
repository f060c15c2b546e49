/*
 * Forgotten passwords: one-time tokens that let their holder set a new one (http-api.md 3.4, 5.1).
 *
 * While a token is open its user cannot log in by password; that ends with the token, so that a
 * stranger who asks for resets cannot shut somebody out for good.
 */
#include "auth/auth_int.h"

enum { TOKEN_BYTES = 32, LIFE_US = 20 * 60 * 1000000, PAUSE_US = 5 * 60 * 1000000 };

static void digest_of(struct str token, unsigned char digest[64], size_t *n)
{
    if (!crypto_digest("sha256", token, digest, n))
        *n = 0;
}

int auth_reset_begin(struct auth *au, struct db_conn *c, struct str username,
                     struct auth_reset *out, struct arena *a, struct err *e)
{
    int64_t now_us = clock_wall_us(au->clock);
    unsigned char raw[TOKEN_BYTES];
    unsigned char digest[64];
    struct str token;
    size_t n;

    crypto_random(raw, sizeof raw);
    token = crypto_b64url(a, str_make((const char *)raw, sizeof raw));
    crypto_wipe(raw, sizeof raw);
    digest_of(token, digest, &n);
    *out = (struct auth_reset){.token = STR_NONE};
    if (store_reset_begin(c, username, str_make((const char *)digest, n), now_us, now_us - PAUSE_US,
                          now_us + LIFE_US, out, a, e) != 0)
        return -1;
    if (out->username.p != NULL)
        out->token = token;
    return 0;
}

int auth_reset_check(struct auth *au, struct db_conn *c, struct str token, struct err *e)
{
    unsigned char digest[64];
    int64_t user_id;
    size_t n;

    digest_of(token, digest, &n);
    return store_reset_find(c, str_make((const char *)digest, n), clock_wall_us(au->clock),
                            &user_id, e);
}

int auth_reset_finish(struct auth *au, const struct cfg *cfg, struct db_conn *c, struct str token,
                      struct str password, struct err *e)
{
    struct arena *a = arena_new(0);
    unsigned char digest[64];
    struct password_row row;
    int64_t user_id;
    size_t n;
    int rc = -1;

    digest_of(token, digest, &n);
    if (store_reset_take(c, str_make((const char *)digest, n), clock_wall_us(au->clock), &user_id,
                         e) != 0)
        goto out;
    if (store_password(c, user_id, &row, a, e) != 0 ||
        auth_password_check_user(cfg, c, user_id, row.username, password, e) != 0)
        goto out;
    if (auth_password_set(au, c, user_id, password, false, e) != 0 ||
        store_m2m_set(c, user_id, STR_NONE, STR_NONE, 0, e) != 0)
        goto out;
    rc = 0;
out:
    arena_free(a);
    return rc;
}
