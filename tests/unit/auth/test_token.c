/*
 * Tokens of the platform: kinds, life, keys that come and go.
 */
#include "auth/auth_int.h"
#include "unit/config/box.h"

static int64_t now_us = 1700000000123456;

static int64_t wall(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock fixed = {.wall_us = wall, .mono_us = wall};

/* Two signing keys, made once. */
static struct {
    struct arena *a;
    struct str pem[2];
} keys;

/* A snapshot with signing keys in these states; "" = not there. */
static struct cfg_box *box_with(uint64_t generation, const char *first, const char *second)
{
    struct cfg_box *b = box_new("{}");
    struct cfg_key *list = ARENA_ARRAY(b->c.a, struct cfg_key, 2);
    const char *states[] = {first, second};
    size_t n = 0;

    for (size_t i = 0; i < 2; i++)
        if (states[i][0] != '\0')
            list[n++] =
                (struct cfg_key){(uint32_t)i + 1, STR("tokens"), STR("rs256"), str_c(states[i]),
                                 secret_new(b->c.a, keys.pem[i].p, keys.pem[i].len), NULL};
    b->c.keys = list;
    b->c.n_keys = n;
    b->c.generation = b->c.token_keys = generation;
    return b;
}

static struct str issue(struct auth *au, const struct cfg *c, enum token_kind kind, struct arena *a)
{
    struct err e = {0};
    char family[FAMILY_LEN + 1];
    struct str out;

    token_family_new(family);
    if (token_issue(au, c, kind, 42, str_c(family), &out, a, &e) != 0)
        fail_msg("%s", e.msg);
    return out;
}

static int read(struct auth *au, const struct cfg *c, enum token_kind kind, struct str token,
                struct token_claims *t, struct err *e)
{
    return token_read(au, c, kind, token, t, c->a, e);
}

static void kinds_and_life(void **state)
{
    struct auth *au = auth_new(NULL, NULL, &fixed);
    struct cfg_box *b = box_with(1, "active", "");
    struct str access = issue(au, &b->c, TOKEN_ACCESS, b->c.a);
    struct str refresh = issue(au, &b->c, TOKEN_REFRESH, b->c.a);
    struct token_claims t;
    struct err e = {0};

    (void)state;
    assert_int_equal(read(au, &b->c, TOKEN_ACCESS, access, &t, &e), 0);
    assert_int_equal(t.user_id, 42);
    assert_int_equal(t.family.len, FAMILY_LEN);
    assert_true(t.id.len > FAMILY_LEN);
    assert_int_equal(t.issued_us, now_us);
    assert_int_equal(t.expires_s, now_us / 1000000 + 15 * 60);
    assert_int_equal(read(au, &b->c, TOKEN_REFRESH, refresh, &t, &e), 0);
    assert_int_equal(t.expires_s, now_us / 1000000 + 24 * 3600);
    assert_int_equal(read(au, &b->c, TOKEN_ACCESS, refresh, &t, &e), -1);
    assert_int_equal(read(au, &b->c, TOKEN_REFRESH, access, &t, &e), -1);
    assert_int_equal(e.code, ERR_UNAUTHORIZED);
    now_us += (int64_t)ACCESS_LIFE_S * 1000000;
    assert_int_equal(read(au, &b->c, TOKEN_ACCESS, access, &t, &e), -1);
    assert_string_equal(e.msg, "token expired");
    cfg_put(&b->c);
    auth_free(au);
}

/* A new key signs; the former verifies until it is retired. */
static void key_change(void **state)
{
    struct auth *au = auth_new(NULL, NULL, &fixed);
    struct cfg_box *one = box_with(1, "active", "");
    struct cfg_box *two = box_with(2, "decrypt", "active");
    struct cfg_box *three = box_with(3, "", "active");
    struct cfg_box *none = box_with(4, "", "");
    struct str old = issue(au, &one->c, TOKEN_ACCESS, one->c.a);
    struct str new = issue(au, &two->c, TOKEN_ACCESS, two->c.a);
    struct token_claims t;
    struct err e = {0};
    struct str out;

    (void)state;
    assert_int_equal(read(au, &two->c, TOKEN_ACCESS, old, &t, &e), 0);
    assert_int_equal(read(au, &two->c, TOKEN_ACCESS, new, &t, &e), 0);
    assert_int_equal(read(au, &three->c, TOKEN_ACCESS, old, &t, &e), -1);
    assert_int_equal(read(au, &three->c, TOKEN_ACCESS, new, &t, &e), 0);
    assert_int_equal(read(au, &none->c, TOKEN_ACCESS, new, &t, &e), -1);
    assert_int_equal(token_issue(au, &none->c, TOKEN_ACCESS, 1, STR("f"), &out, none->c.a, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_true(auth_public_key(&two->c, two->c.a).len > 0);
    assert_int_equal(auth_public_key(&none->c, none->c.a).len, 0);
    cfg_put(&one->c);
    cfg_put(&two->c);
    cfg_put(&three->c);
    cfg_put(&none->c);
    auth_free(au);
}

/* What the loop decides without rows: everything that cannot be a token. */
static const struct refused_row {
    const char *name, *token, *want;
} refused_rows[] = {
    {"nothing", "", "no token given"},
    {"null", "null", "no token given"},
    {"undefined", "undefined", "no token given"},
    {"too short", "abc", "token not valid"},
    {"blank inside", "abcdefgh ijklmnopqrst", "token not valid"},
    {"three parts", "aaaaaaaa.bbbbbbbb.cccccccc", "token not valid"},
};

static void refused(const struct refused_row *r)
{
    struct auth *au = auth_new(NULL, NULL, &fixed);
    struct cfg_box *b = box_with(1, "active", "");
    struct principal p;
    struct err e = {0};

    assert_int_equal(auth_identify(au, &b->c, str_c(r->token), STR(""), false, &p, b->c.a, &e),
                     AUTH_REFUSED);
    assert_int_equal(e.code, ERR_UNAUTHORIZED);
    assert_string_equal(e.msg, r->want);
    cfg_put(&b->c);
    auth_free(au);
}

static void asks_for_a_worker(void **state)
{
    struct auth *au = auth_new(NULL, NULL, &fixed);
    struct cfg_box *b = box_with(1, "active", "");
    struct principal p;
    struct err e = {0};
    struct str access = issue(au, &b->c, TOKEN_ACCESS, b->c.a);
    struct str refresh = issue(au, &b->c, TOKEN_REFRESH, b->c.a);

    (void)state;
    assert_int_equal(auth_identify(au, &b->c, access, STR(""), false, &p, b->c.a, &e), AUTH_ASK);
    assert_int_equal(auth_identify(au, &b->c, refresh, STR(""), false, &p, b->c.a, &e),
                     AUTH_REFUSED);
    assert_int_equal(
        auth_identify(au, &b->c, STR("opaque-token-of-a-machine"), STR(""), false, &p, b->c.a, &e),
        AUTH_ASK);
    cfg_put(&b->c);
    auth_free(au);
}

static void families_differ(void **state)
{
    char one[FAMILY_LEN + 1];
    char two[FAMILY_LEN + 1];

    (void)state;
    token_family_new(one);
    token_family_new(two);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), FAMILY_LEN);
    assert_int_equal(one[14], '4'); /* version of RFC 9562 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_life),
        cmocka_unit_test(key_change),
        cmocka_unit_test(asks_for_a_worker),
        cmocka_unit_test(families_differ),
    };
    struct err e = {0};
    struct str pub;
    int failed;

    keys.a = arena_new(0);
    for (size_t i = 0; i < 2; i++)
        if (jwt_keygen(&keys.pem[i], &pub, keys.a, &e) != 0)
            return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(refused_rows, refused);
    arena_free(keys.a);
    return failed;
}
