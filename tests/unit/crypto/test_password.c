/*
 * Password hashes and generated passwords.
 */
#include "crypto/crypto.h"
#include "support/cases.h"

static void hashes(void **state)
{
    struct arena *a = arena_new(0);
    struct str one = password_hash(STR("correct horse"), a);
    struct str two = password_hash(STR("correct horse"), a);

    (void)state;
    assert_true(str_starts(one, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_false(str_eq(one, two)); /* salted */
    assert_true(password_verify(one, STR("correct horse")));
    assert_false(password_verify(one, STR("correct horse ")));
    assert_false(password_verify(one, STR("")));
    arena_free(a);
}

static const struct row {
    const char *name, *hash;
    bool right;
} rows[] = {
    {"nothing stored", "", false},
    {"plain text", "secret", false},
    {"other variant", "$argon2i$v=19$m=16,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", false},
    {"cut off", "$argon2id$v=19$m=16,t=2,p=1$c29tZXNhbHQ", false},
};

static void verifies(const struct row *r)
{
    assert_int_equal(password_verify(str_c(r->hash), STR("secret")), r->right);
}

static const struct gen_row {
    const char *name;
    size_t n;
    bool special;
    size_t want;
} gen_rows[] = {
    {"sixteen", 16, false, 16}, {"with special ones", 16, true, 16},  {"too short", 1, true, 4},
    {"long", 300, true, 300},   {"exactly the classes", 3, false, 3},
};

static void generates(const struct gen_row *r)
{
    struct arena *a = arena_new(0);

    for (int round = 0; round < 50; round++) {
        struct str p = password_generate(r->n, r->special, a);
        bool lower = false, upper = false, number = false, special = false;

        assert_int_equal(p.len, r->want);
        for (size_t i = 0; i < p.len; i++) {
            char c = p.p[i];

            lower = lower || (c >= 'a' && c <= 'z');
            upper = upper || (c >= 'A' && c <= 'Z');
            number = number || (c >= '0' && c <= '9');
            special = special || c == '%' || c == '*';
        }
        assert_true(lower && upper && number);
        assert_int_equal(special, r->special);
    }
    arena_free(a);
}

static void wiped_with_its_arena(void **state)
{
    struct arena *a = arena_new(0);
    char text[] = "canary";
    struct secret s = secret_new(a, text, 6);

    (void)state;
    assert_true(str_eq_c(secret_text(s), "canary"));
    crypto_wipe(text, sizeof text);
    assert_int_equal(text[0], 0);
    assert_true(str_eq_c(secret_text(s), "canary")); /* a copy */
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(wiped_with_its_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, verifies) +
           CASES(gen_rows, generates);
}
