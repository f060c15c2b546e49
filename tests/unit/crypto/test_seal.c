/*
 * Seals: the vectors of migration.md 7.5, and everything that must not open.
 */
#include "crypto/crypto.h"
#include "crypto/seal_int.h"
#include "support/cases.h"

#define VECTOR "010100000007000102030405060708090a0b343731cb25761e619e35e25c062d703e7439f12daf"
#define VECTOR_TEXT "sealed:AQEAAAAHAAECAwQFBgcICQoLNDcxyyV2HmGeNeJcBi1wPnQ58S2v"

static const unsigned char nonce[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static void make_key(unsigned char key[32])
{
    for (unsigned i = 0; i < 32; i++)
        key[i] = (unsigned char)(0x20 + i);
}

static struct str vector(struct arena *a)
{
    unsigned char key[32];

    make_key(key);
    return seal_with_nonce(7, key, nonce, STR("hello"), "gateway_logins.cookies", STR("42"), a);
}

static void seals_as_published(void **state)
{
    struct arena *a = arena_new(0);
    struct str sealed = vector(a);
    struct str back;
    struct err e = {0};
    uint32_t id = 0;

    (void)state;
    assert_string_equal(crypto_hex(a, sealed.p, sealed.len).p, VECTOR);
    assert_string_equal(crypto_seal_text(sealed, a).p, VECTOR_TEXT);
    assert_true(crypto_seal_from_text(STR(VECTOR_TEXT), &back, a));
    assert_true(str_eq(back, sealed));
    assert_int_equal(crypto_seal_key_id(sealed, &id, &e), 0);
    assert_int_equal(id, 7);
    arena_free(a);
}

static void round_trip(void **state)
{
    static const char *const texts[] = {"", "x", "hello",
                                        "a longer text that does not end at a block of sixteen"};
    struct arena *a = arena_new(0);
    unsigned char key[32];
    struct err e = {0};

    (void)state;
    crypto_random(key, sizeof key);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct str sealed =
            crypto_seal(9, key, str_c(texts[i]), "configuration.content", STR("/smtp/password"), a);
        struct secret s;

        assert_int_equal(sealed.len, strlen(texts[i]) + 34);
        assert_int_equal(
            crypto_open(key, sealed, "configuration.content", STR("/smtp/password"), &s, a, &e), 0);
        assert_true(str_eq_c(secret_text(s), texts[i]));
    }
    arena_free(a);
}

static const struct row {
    const char *name;
    int flip; /* index of a byte to change, -1 for none; from the end when below -1 */
    size_t cut;
    const char *purpose, *item;
    bool opens;
} rows[] = {
    {"untouched", -1, 0, "gateway_logins.cookies", "42", true},
    {"other purpose", -1, 0, "users.totp", "42", false},
    {"other item", -1, 0, "gateway_logins.cookies", "43", false},
    {"border between purpose and item moved", -1, 0, "gateway_logins.cookie", "s42", false},
    {"version", 0, 0, "gateway_logins.cookies", "42", false},
    {"algorithm", 1, 0, "gateway_logins.cookies", "42", false},
    {"key id", 5, 0, "gateway_logins.cookies", "42", false},
    {"nonce", 6, 0, "gateway_logins.cookies", "42", false},
    {"cipher text", 18, 0, "gateway_logins.cookies", "42", false},
    {"tag", -2, 0, "gateway_logins.cookies", "42", false},
    {"last byte missing", -1, 1, "gateway_logins.cookies", "42", false},
    {"head only", -1, 21, "gateway_logins.cookies", "42", false},
};

static void opens(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct str sealed = vector(a);
    char *p = arena_dup(a, sealed.p, sealed.len);
    unsigned char key[32];
    struct secret s = {NULL, 0};
    struct err e = {0};

    make_key(key);
    if (r->flip >= 0)
        p[r->flip] = (char)(p[r->flip] ^ 1);
    else if (r->flip == -2)
        p[sealed.len - 1] = (char)(p[sealed.len - 1] ^ 1);
    if (r->opens) {
        assert_int_equal(
            crypto_open(key, str_make(p, sealed.len), r->purpose, str_c(r->item), &s, a, &e), 0);
        assert_true(str_eq_c(secret_text(s), "hello"));
    } else {
        assert_int_equal(crypto_open(key, str_make(p, sealed.len - r->cut), r->purpose,
                                     str_c(r->item), &s, a, &e),
                         -1);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.msg, "seal does not open");
        assert_null(s.p);
    }
    arena_free(a);
}

static void item_15_every_bit_counts(void **state)
{
    struct arena *a = arena_new(0);
    struct str sealed = vector(a);
    char *p = arena_dup(a, sealed.p, sealed.len);
    unsigned char key[32];

    (void)state;
    make_key(key);
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        struct secret s = {NULL, 0};
        struct err e = {0};

        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(crypto_open(key, str_make(p, sealed.len), "gateway_logins.cookies", STR("42"), &s, a, &e), -1);
        assert_null(s.p);
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
    }
    arena_free(a);
}

static const struct id_row {
    const char *name;
    struct str head;
    const char *want; /* NULL: key id 7 */
} id_rows[] = {
    {"a value", {"\1\1\0\0\0\7", 6}, NULL},
    {"a document", {"\2\1\0\0\0\7", 6}, NULL},
    {"a wrapped key", {"\3\1\0\0\0\7", 6}, NULL},
    {"a newer kind", {"\4\1\0\0\0\7", 6}, "unknown seal version 4 (written by a newer program?)"},
    {"nothing", {"", 0}, "seal is empty"},
    {"cut off", {"\1\1\0", 3}, "seal is cut off"},
};

static void names_key(const struct id_row *r)
{
    struct err e = {0};
    uint32_t id = 0;

    if (r->want == NULL) {
        assert_int_equal(crypto_seal_key_id(r->head, &id, &e), 0);
        assert_int_equal(id, 7);
    } else {
        assert_int_equal(crypto_seal_key_id(r->head, &id, &e), -1);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.msg, r->want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_as_published),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(item_15_every_bit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, opens) +
           CASES(id_rows, names_key);
}
