/*
 * Accounts: M2M tokens, taking access away and giving it back, the first administrator.
 */
#include "auth/auth_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define M2M_PURPOSE "users.token_sealed"

enum { M2M_BYTES = 32, SEALED_KEY_LEN = 32 };

static struct str item(int64_t user_id, struct arena *a)
{
    return str_printf(a, "%lld", (long long)user_id);
}

int auth_m2m_new(struct auth *au, const struct cfg *cfg, struct db_conn *c, int64_t user_id,
                 int64_t expiry_us, struct str *out, struct arena *a, struct err *e)
{
    const struct cfg_key *k = cfg_key_active(cfg, "secrets");
    unsigned char raw[M2M_BYTES];
    unsigned char digest[64];
    size_t n = 0;
    struct str token;
    struct str sealed;

    if (k == NULL || k->material.len != SEALED_KEY_LEN) {
        err_set(e, ERR_CONFIG, "there is no key \"secrets\"");
        return -1;
    }
    crypto_random(raw, sizeof raw);
    token = crypto_b64url(a, str_make((const char *)raw, sizeof raw));
    crypto_wipe(raw, sizeof raw);
    if (!crypto_digest("sha256", token, digest, &n))
        return -1;
    sealed = cfg_seal_text(k, token, M2M_PURPOSE, item(user_id, a), a);
    if (store_m2m_set(c, user_id, str_make((const char *)digest, n), sealed, expiry_us, e) != 0)
        return -1;
    auth_forget(au);
    *out = token;
    return 0;
}

int auth_m2m_drop(struct auth *au, struct db_conn *c, int64_t user_id, struct err *e)
{
    if (store_m2m_set(c, user_id, STR_NONE, STR_NONE, 0, e) != 0)
        return -1;
    auth_forget(au);
    return 0;
}

int auth_m2m_show(const struct cfg *cfg, int64_t user_id, struct str sealed, struct str *out,
                  struct arena *a, struct err *e)
{
    const struct cfg_key *k;
    struct secret plain;
    struct str bytes;
    uint32_t id;

    *out = STR("");
    if (sealed.len == 0)
        return 0;
    if (!crypto_seal_from_text(sealed, &bytes, a)) {
        err_set(e, ERR_CONFIG, "the token of user %lld is not sealed", (long long)user_id);
        return -1;
    }
    if (crypto_seal_key_id(bytes, &id, e) != 0)
        return -1;
    k = cfg_key(cfg, id);
    if (k == NULL || k->material.len != SEALED_KEY_LEN) {
        err_set(e, ERR_CONFIG,
                "the token of user %lld cannot be opened: its key (id %u) is missing",
                (long long)user_id, id);
        return -1;
    }
    if (crypto_open(k->material.p, bytes, M2M_PURPOSE, item(user_id, a), &plain, a, e) != 0)
        return -1;
    *out = secret_text(plain);
    return 0;
}

int auth_revoke(struct auth *au, struct db_conn *c, int64_t user_id, struct err *e)
{
    int64_t now_us = clock_wall_us(au->clock);

    if (store_revoke(c, user_id, now_us, e) != 0 ||
        store_end_user(c, user_id, STR(""), now_us, e) != 0)
        return -1;
    auth_forget(au);
    return 0;
}

int auth_unrevoke(struct auth *au, const struct cfg *cfg, struct db_conn *c, int64_t user_id,
                  struct err *e)
{
    struct arena *a = arena_new(0);
    int64_t expiry_us = 0;
    bool had_m2m = false;
    struct str token;
    int rc = store_unrevoke(c, user_id, &had_m2m, &expiry_us, e);

    if (rc == 0 && had_m2m)
        rc = auth_m2m_new(au, cfg, c, user_id, expiry_us, &token, a, e);
    arena_free(a);
    auth_forget(au);
    return rc;
}

int auth_new_superuser(struct db_conn *c, struct str name, struct str password, struct err *e)
{
    struct arena *a = arena_new(0);
    bool made = false;
    int rc = -1;

    if (name.len == 0 || name.len > 255) {
        err_set(e, ERR_USAGE, "-newsuperuser: expected a name of 1 to 255 characters");
        goto out;
    }
    if (store_superuser(c, name, password_hash(password, a), &made, e) != 0)
        goto out;
    if (!made) {
        err_set(e, ERR_CONFLICT,
                "user \"%.*s\" exists; nothing changed (give -newsuperuser=NAME, or reset with "
                "sluicectl passwd %.*s)",
                STR_ARG(name), STR_ARG(name));
        goto out;
    }
    rc = 0;
out:
    arena_free(a);
    return rc;
}

int auth_can_tell(struct err *e)
{
    if (fcntl(STDOUT_FILENO, F_GETFD) >= 0)
        return 0;
    err_set(e, ERR_INTERNAL, "standard output is closed; the password could not be shown");
    return -1;
}

int auth_tell_superuser(struct db_conn *c, struct str name, struct str password, struct err *e)
{
    if (db_begin(c, e) != 0)
        return -1;
    if (auth_new_superuser(c, name, password, e) != 0)
        goto undo;
    printf("user %.*s password %.*s\n", STR_ARG(name), STR_ARG(password));
    if (fflush(stdout) != 0) {
        err_set(e, ERR_INTERNAL, "the password could not be written; nothing was changed");
        goto undo;
    }
    return db_commit(c, e);
undo:
    db_rollback(c);
    return -1;
}
