/*
 * Reading Fernet tokens: the published vector, every way a key can be stored, and what must not
 * open (migration.md 7.2, 7.3).
 */
#include "crypto/fernet.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "support/cases.h"

#define KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define TOKEN                                                                                      \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define MADE_S 499162800

enum { IV = 16, MAC = 32 };

/* A token of our own: version, 16-byte blocks as they are, signed by `k`. */
static struct str make(struct arena *a, const struct fernet_key *k, unsigned char version,
                       struct str plain, bool pad)
{
    size_t padded = pad ? plain.len / 16 * 16 + 16 : plain.len, n_digest;
    unsigned char *t = arena_zalloc(a, 25 + padded + MAC), digest[64];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    t[0] = version;
    t[8] = 1;
    for (unsigned i = 0; i < IV; i++)
        t[9 + i] = (unsigned char)i;
    assert_int_equal(EVP_EncryptInit_ex(c, k->half == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc(),
                                        NULL, k->encrypt, t + 9),
                     1);
    EVP_CIPHER_CTX_set_padding(c, pad ? 1 : 0);
    assert_int_equal(EVP_EncryptUpdate(c, t + 25, &n, (const unsigned char *)plain.p, (int)plain.len),
                     1);
    assert_int_equal(EVP_EncryptFinal_ex(c, t + 25 + n, &last), 1);
    EVP_CIPHER_CTX_free(c);
    assert_true(crypto_hmac("sha256", str_make((const char *)k->sign, k->half),
                            str_make((const char *)t, 25 + padded), digest, &n_digest));
    memcpy(t + 25 + padded, digest, MAC);
    return str_make((const char *)t, 25 + padded + MAC);
}

static ptrdiff_t read_memory(void *ctx, uint64_t offset, void *p, size_t n, struct err *e)
{
    struct str rest = str_slice(*(const struct str *)ctx, (size_t)offset, (size_t)offset + n);

    (void)e;
    if (rest.len > 0)
        memcpy(p, rest.p, rest.len);
    return (ptrdiff_t)rest.len;
}

static struct fernet_key key_of(const char *text)
{
    struct fernet_key list[FERNET_READINGS_MAX];

    assert_true(fernet_readings(str_c(text), list) > 0);
    return list[0];
}

/* The whole token, verified and decrypted into `a`. */
static int opens_at(struct str token, const struct fernet_key *k, size_t n, struct str *plain, int64_t *when,
                    struct arena *a, struct err *e)
{
    const struct fernet_source src = {read_memory, &token};
    struct fernet_stream *s;
    struct buf out;
    char piece[64];
    ptrdiff_t got;
    size_t which;

    if (fernet_verify(&src, k, n, &which, when, e) != 0)
        return -1;
    buf_init(&out, token.len + 1, a);
    s = fernet_open(&src, &k[which]);
    while ((got = fernet_read(s, piece, sizeof piece, e)) > 0)
        buf_add(&out, piece, (size_t)got);
    fernet_close(s);
    *plain = buf_str(&out);
    return got == 0 ? 0 : -1;
}

static int opens(struct str token, const struct fernet_key *k, size_t n, struct str *plain,
                 struct arena *a, struct err *e)
{
    return opens_at(token, k, n, plain, NULL, a, e);
}

static void published_vector(void **state)
{
    struct arena *a = arena_new(0);
    struct fernet_key k = key_of(KEY);
    struct str plain = STR_NONE;
    struct err e = {0};
    int64_t when = 0;

    (void)state;
    assert_string_equal(crypto_hex(a, k.sign, 16).p, "730ff4c7af3d46923e8ed451ee813c87");
    assert_string_equal(crypto_hex(a, k.encrypt, 16).p, "f790b0a226bc96a92de49b5e9c05e1ee");
    assert_int_equal(opens_at(STR(TOKEN), &k, 1, &plain, &when, a, &e), 0);
    assert_true(str_eq_c(plain, "hello"));
    assert_int_equal(when, MADE_S);
    arena_free(a);
}

static void forms_of_a_token(void **state)
{
    struct arena *a = arena_new(0);
    struct str raw, plain = STR_NONE, forms[6];
    struct fernet_key k;
    struct err e = {0};

    (void)state;
    k = key_of(KEY);
    assert_true(crypto_unb64(a, STR(TOKEN), &raw));
    forms[0] = raw;
    forms[1] = str_printf(a, "%s\n", TOKEN);
    forms[2] = str_printf(a, " %s ", TOKEN);
    forms[3] = str_slice(STR(TOKEN), 0, sizeof TOKEN - 1 - 2); /* without padding */
    forms[4] = crypto_b64(a, raw);                             /* the other alphabet */
    forms[5] = crypto_b64url(a, raw);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        assert_int_equal(opens(forms[i], &k, 1, &plain, a, &e), 0);
        assert_true(str_eq_c(plain, "hello"));
    }
    arena_free(a);
}

static void every_size(void **state)
{
    struct fernet_key k;
    struct err e = {0};

    (void)state;
    k = key_of(KEY);
    for (size_t n = 0; n < 20000; n = n < 70 ? n + 1 : n * 2 - 3) {
        struct arena *a = arena_new(0);
        char *text = arena_alloc(a, n + 1);
        struct str token, plain = STR_NONE;

        for (size_t i = 0; i < n; i++)
            text[i] = (char)(i * 7);
        token = make(a, &k, 0x80, str_make(text, n), true);
        assert_int_equal(opens(token, &k, 1, &plain, a, &e), 0);
        assert_true(str_eq(plain, str_make(text, n)));
        assert_int_equal(opens(crypto_b64url(a, token), &k, 1, &plain, a, &e), 0);
        assert_true(str_eq(plain, str_make(text, n)));
        arena_free(a);
    }
}

static void refused(const char *why, struct str token, const struct fernet_key *k, struct arena *a)
{
    struct str plain = STR_NONE;
    struct err e = {0};

    if (opens(token, k, 1, &plain, a, &e) == 0)
        fail_msg("opened: %s", why);
    assert_string_equal(e.msg, "seal does not open");
    assert_int_equal(e.code, ERR_CONFIG);
}

static void what_must_not_open(void **state)
{
    struct arena *a = arena_new(0);
    struct fernet_key k, other;
    struct str raw;

    (void)state;
    k = key_of(KEY);
    other = k;
    other.sign[0] ^= 1;
    assert_true(crypto_unb64(a, STR(TOKEN), &raw));
    for (size_t bit = 0; bit < raw.len * 8; bit++) {
        char *p = arena_dup(a, raw.p, raw.len);

        p[bit / 8] = (char)(p[bit / 8] ^ (1 << (bit % 8)));
        refused("a bit changed", str_make(p, raw.len), &k, a);
    }
    for (size_t n = 0; n < raw.len; n++)
        refused("cut off", str_slice(raw, 0, n), &k, a);
    refused("bad base64", STR("gAAAA!AAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ"), &k, a);
    refused("a digit behind the padding", STR(TOKEN "A"), &k, a);
    refused("another version", make(a, &k, 0x81, STR("hello"), true), &k, a);
    refused("not whole blocks", str_printf(a, "%.*sxxxxx", STR_ARG(raw)), &k, a);
    refused("wrong padding, right MAC", make(a, &k, 0x80, STR("0123456789abcdef"), false), &k, a);
    refused("no cipher text", make(a, &k, 0x80, STR(""), false), &k, a);
    refused("another key", STR(TOKEN), &other, a);
    refused("empty", STR(""), &k, a);
    arena_free(a);
}

/* The readings of a key: whichever made the token is found by its MAC. */
static void readings_are_proved(void **state)
{
    struct arena *a = arena_new(0);
    unsigned char bytes[64];
    struct fernet_key k = {.half = 32};
    struct str stored[3];

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        bytes[i] = (unsigned char)(200 - 3 * i);
    stored[0] = str_make((const char *)bytes, 64);
    stored[1] = crypto_hex(a, bytes, 64);
    stored[2] = crypto_b64(a, stored[0]);
    for (unsigned swapped = 0; swapped < 2; swapped++) {
        memcpy(k.sign, bytes + 32 * swapped, 32);
        memcpy(k.encrypt, bytes + 32 * (1 - swapped), 32);
        for (size_t i = 0; i < COUNT_OF(stored); i++) {
            struct fernet_key list[FERNET_READINGS_MAX];
            size_t n = fernet_readings(stored[i], list);
            struct str plain = STR_NONE;
            struct err e = {0};

            assert_true(n >= 2);
            assert_int_equal(opens(make(a, &k, 0x80, STR("doubled"), true), list, n, &plain, a, &e), 0);
            assert_true(str_eq_c(plain, "doubled"));
        }
    }
    arena_free(a);
}

static void readings_of_a_usual_key(void **state)
{
    static const char *const forms[] = {
        KEY,
        "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4",
        "730ff4c7af3d46923e8ed451ee813c87f790b0a226bc96a92de49b5e9c05e1ee",
        "OMH7JR5PHVDJEPUO2RI65AJ4Q73ZBMFCE26JNKJN4SNV5HAF4HXA====",
        " " KEY "\n",
    };
    struct arena *a = arena_new(0);
    struct fernet_key none[FERNET_READINGS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct fernet_key list[FERNET_READINGS_MAX];
        struct str plain = STR_NONE;
        struct err e = {0};
        size_t n = fernet_readings(str_c(forms[i]), list);

        if (opens(STR(TOKEN), list, n, &plain, a, &e) != 0)
            fail_msg("no reading of \"%s\" fits: %s", forms[i], e.detail);
    }
    assert_int_equal(fernet_readings(STR("not a key"), none), 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vector),    cmocka_unit_test(forms_of_a_token),
        cmocka_unit_test(every_size),          cmocka_unit_test(what_must_not_open),
        cmocka_unit_test(readings_are_proved), cmocka_unit_test(readings_of_a_usual_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
