/*
 * Forgotten passwords: one-time tokens that let their holder set a new one (http-api.md 3.4, 5.1).
 *
 * While a token is open its user cannot log in by password; that ends with the token, so that a
 * stranger who asks for resets cannot shut somebody out for good.
 */
#include "auth/auth_int.h"

#include "base/json.h"

enum { TOKEN_BYTES = 32, LIFE_US = 20 * 60 * 1000000, PAUSE_US = 5 * 60 * 1000000 };

struct token_digest {
    unsigned char bytes[64];
    size_t n;
};

static struct str digest_of(struct str token, struct token_digest *d)
{
    if (!crypto_digest("sha256", token, d->bytes, &d->n))
        d->n = 0;
    return str_make((const char *)d->bytes, d->n);
}

static struct str token_new(struct arena *a)
{
    unsigned char raw[TOKEN_BYTES];
    struct str token;

    crypto_random(raw, sizeof raw);
    token = crypto_b64url(a, str_make((const char *)raw, sizeof raw));
    crypto_wipe(raw, sizeof raw);
    return token;
}

int auth_reset_begin(struct auth *au, struct db_conn *c, struct str username,
                     struct auth_reset *out, struct arena *a, struct err *e)
{
    int64_t now_us = clock_wall_us(au->clock);
    struct str token = token_new(a);
    struct token_digest d;

    *out = (struct auth_reset){.token = STR_NONE};
    if (store_reset_begin(c, username, digest_of(token, &d), now_us, now_us - PAUSE_US,
                          now_us + LIFE_US, out, a, e) != 0)
        return -1;
    if (out->username.p != NULL)
        out->token = token;
    return 0;
}

int auth_reset_begin_elsewhere(struct auth *au, struct db_conn *c, int64_t user_id,
                               struct val elsewhere, struct auth_reset *out, struct arena *a,
                               struct err *e)
{
    struct str token = token_new(a), username = val_get_text(elsewhere, "username", STR(""));
    int64_t now_us = clock_wall_us(au->clock);
    struct token_digest d;
    bool made;

    *out = (struct auth_reset){.token = STR_NONE};
    if (store_reset_begin_elsewhere(c, username, user_id, digest_of(token, &d),
                                    json_text(elsewhere, a), now_us, now_us - PAUSE_US,
                                    now_us + LIFE_US, &made, e) != 0)
        return -1;
    if (made)
        *out = (struct auth_reset){.username = username, .email = STR(""), .token = token};
    return 0;
}

int auth_reset_check(struct auth *au, struct db_conn *c, struct str token, struct val *elsewhere,
                     struct arena *a, struct err *e)
{
    struct token_digest d;
    struct str details;
    int64_t user_id;

    if (store_reset_find(c, digest_of(token, &d), clock_wall_us(au->clock), &user_id, &details, a,
                         e) != 0)
        return -1;
    return json_parse(details, elsewhere, a, e);
}

int auth_reset_take_elsewhere(struct auth *au, struct db_conn *c, struct str token,
                              int64_t *user_id, struct err *e)
{
    struct token_digest d;

    return store_reset_take_elsewhere(c, digest_of(token, &d), clock_wall_us(au->clock), user_id,
                                      e);
}

int auth_reset_back(struct db_conn *c, struct str token, struct err *e)
{
    struct token_digest d;

    return store_reset_back(c, digest_of(token, &d), e);
}

int auth_reset_finish(struct auth *au, const struct cfg *cfg, struct db_conn *c, struct str token,
                      struct str password, struct err *e)
{
    struct arena *a = arena_new(0);
    struct password_row row;
    struct token_digest d;
    int64_t user_id;
    int rc = -1;

    if (store_reset_take(c, digest_of(token, &d), clock_wall_us(au->clock), &user_id, e) != 0)
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
