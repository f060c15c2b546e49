/*
 * Rules for passwords (section `password` of the document, http-api.md 6.2), and setting one.
 */
#include "auth/auth_int.h"

#include <math.h>

#include "base/utf8.h"

enum { ASCII_SPECIAL = 32, OTHER_ALPHABET = 128, HISTORY_MAX = 100 };

struct counts {
    int64_t length, lower, upper, digits, special, other;
};

static struct counts count(struct str password)
{
    struct counts n = {0};
    const char *p = password.p;
    const char *end = password.p + password.len;

    while (p < end) {
        uint32_t cp = utf8_next(&p, end);

        n.length++;
        if (cp >= 'a' && cp <= 'z')
            n.lower++;
        else if (cp >= 'A' && cp <= 'Z')
            n.upper++;
        else if (cp >= '0' && cp <= '9')
            n.digits++;
        else if (cp < 0x80)
            n.special++;
        else
            n.other++;
    }
    return n;
}

/* Length times log2 of the size of the alphabets that occur. */
static double entropy(const struct counts *n)
{
    int size = (n->lower > 0 ? 26 : 0) + (n->upper > 0 ? 26 : 0) + (n->digits > 0 ? 10 : 0) +
               (n->special > 0 ? ASCII_SPECIAL : 0) + (n->other > 0 ? OTHER_ALPHABET : 0);

    return size > 0 ? (double)n->length * log2(size) : 0;
}

static int at_least(const struct cfg *cfg, const char *setting, int64_t have, const char *what,
                    struct err *e)
{
    int64_t want = cfg_int(cfg, setting);

    if (have >= want)
        return 0;
    err_set(e, ERR_INVALID, "password: needs at least %lld %s", (long long)want, what);
    return -1;
}

static bool contains_name(struct str password, struct str username)
{
    struct arena *a = arena_new(0);
    bool found = username.len > 0 && str_find(str_lower(a, password), str_lower(a, username)) >= 0;

    arena_free(a);
    return found;
}

int auth_password_check(const struct cfg *cfg, struct str username, struct str password,
                        struct err *e)
{
    struct counts n;

    if (password.len == 0 || utf8_check(password) != password.len ||
        str_find_char(password, '\0') >= 0) {
        err_set(e, ERR_INVALID, "password: must be text");
        return -1;
    }
    n = count(password);
    if (n.length > 200) {
        err_set(e, ERR_INVALID, "password: at most 200 characters");
        return -1;
    }
    if (at_least(cfg, "password.min_length", n.length, "characters", e) != 0 ||
        at_least(cfg, "password.lowercase", n.lower, "lower case letters", e) != 0 ||
        at_least(cfg, "password.uppercase", n.upper, "upper case letters", e) != 0 ||
        at_least(cfg, "password.digits", n.digits, "digits", e) != 0 ||
        at_least(cfg, "password.special_chars", n.special + n.other, "special characters", e) != 0)
        return -1;
    if (entropy(&n) < (double)cfg_int(cfg, "password.min_entropy")) {
        err_set(e, ERR_INVALID,
                "password: too easy to guess; make it longer or use more kinds of characters");
        return -1;
    }
    if (cfg_bool(cfg, "password.cannot_contain_username") && contains_name(password, username)) {
        err_set(e, ERR_INVALID, "password: must not contain the user name");
        return -1;
    }
    return 0;
}

/* The characters of a text in the other order. */
static struct str reversed(struct str s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    const char *p = s.p;
    size_t at = s.len;

    while (p < s.p + s.len) {
        const char *from = p;

        utf8_next(&p, s.p + s.len);
        at -= (size_t)(p - from);
        memcpy(out + at, from, (size_t)(p - from));
    }
    out[s.len] = '\0';
    return str_make(out, s.len);
}

static int check_former(const struct cfg *cfg, struct db_conn *c, int64_t user_id,
                        struct str password, struct arena *a, struct err *e)
{
    int64_t limit = cfg_int(cfg, "password.duplicate_limit");
    struct password_row row;
    struct val former = val_undef(NULL);

    if (store_password(c, user_id, &row, a, e) != 0)
        return -1;
    if (cfg_bool(cfg, "password.cannot_reverse_old_password") &&
        password_verify(row.hash, reversed(password, a))) {
        err_set(e, ERR_INVALID, "password: must not be the old one backwards");
        return -1;
    }
    if (limit <= 0)
        return 0;
    if (limit > 1 &&
        store_password_history(c, user_id, limit - 1 < HISTORY_MAX ? limit - 1 : HISTORY_MAX,
                               &former, a, e) != 0)
        return -1;
    for (size_t i = 0; i <= val_count(former); i++) {
        struct str hash = i == 0 ? row.hash : val_text(val_at(former, i - 1));

        if (password_verify(hash, password)) {
            err_set(e, ERR_INVALID, "password: must differ from the last %lld", (long long)limit);
            return -1;
        }
    }
    return 0;
}

int auth_password_check_user(const struct cfg *cfg, struct db_conn *c, int64_t user_id,
                             struct str username, struct str password, struct err *e)
{
    struct arena *a = arena_new(0);
    bool weak = false;
    int rc = -1;

    if (auth_password_check(cfg, username, password, e) != 0)
        goto out;
    if (cfg_bool(cfg, "password.check_against_weak_passwords") &&
        store_password_weak(c, password, &weak, a, e) != 0)
        goto out;
    if (weak) {
        err_set(e, ERR_INVALID, "password: is in the list of weak passwords");
        goto out;
    }
    rc = user_id != 0 ? check_former(cfg, c, user_id, password, a, e) : 0;
out:
    arena_free(a);
    return rc;
}

int auth_password_confirm(struct auth *au, const struct cfg *cfg, struct db_conn *c,
                          int64_t user_id, struct str password, struct err *e)
{
    struct arena *a = arena_new(0);
    struct password_row row;
    bool locked = false;
    int rc = -1;

    if (store_password(c, user_id, &row, a, e) != 0 ||
        store_login_try(c, user_id, clock_wall_us(au->clock), cfg_int(cfg, "gui.lockout_threshold"),
                        cfg_int(cfg, "gui.lockout_duration") * 60 * 1000000, &locked, e) != 0)
        goto out;
    if (locked || !password_verify(row.hash, password)) {
        err_set(e, ERR_INVALID,
                locked ? "too many wrong passwords; try again later" : "wrong password");
        goto out;
    }
    rc = store_login_reset(c, user_id, e);
out:
    arena_free(a);
    return rc;
}

/* ---- setting
 * ------------------------------------------------------------------------------------- */

static int set(struct auth *au, struct db_conn *c, int64_t user_id, struct str password,
               bool must_change, bool void_tokens, struct str keep_family, struct err *e)
{
    struct arena *a = arena_new(0);
    int64_t now_us = clock_wall_us(au->clock);
    int rc = -1;

    if (store_password_set(c, user_id, password_hash(password, a), must_change, now_us, void_tokens,
                           e) == 0 &&
        store_end_user(c, user_id, keep_family, now_us, e) == 0) {
        auth_forget(au);
        rc = 0;
    }
    arena_free(a);
    return rc;
}

int auth_password_set(struct auth *au, struct db_conn *c, int64_t user_id, struct str password,
                      bool must_change, struct err *e)
{
    return set(au, c, user_id, password, must_change, true, STR(""), e);
}

int auth_password_change(struct auth *au, struct db_conn *c, int64_t user_id, struct str password,
                         struct str keep_family, struct err *e)
{
    return set(au, c, user_id, password, false, false, keep_family, e);
}
