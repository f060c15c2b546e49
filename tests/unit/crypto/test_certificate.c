/*
 * Client certificates: pairs that fit, and when they end.
 */
#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "support/cases.h"

enum { NOW_S = 1700000000, DAY_S = 86400 };

struct pair {
    struct str cert, key;
};

static struct str text_of(BIO *bio, struct arena *a)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    struct str s = str_dup(a, str_make(p, (size_t)n));

    BIO_free(bio);
    return s;
}

/* Self-signed, ending at a fixed time. */
static struct pair make(int64_t end_s, struct arena *a)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    ASN1_TIME *end = ASN1_TIME_set(NULL, end_s);

    X509_set_version(cert, X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(cert), 0);
    X509_set1_notAfter(cert, end);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    PEM_write_bio_X509(cert_bio, cert);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    ASN1_TIME_free(end);
    X509_free(cert);
    EVP_PKEY_free(key);
    return (struct pair){text_of(cert_bio, a), text_of(key_bio, a)};
}

static void pairs(void **state)
{
    struct arena *a = arena_new(0);
    struct pair one = make(NOW_S, a), two = make(NOW_S, a);
    struct err e = {0};

    (void)state;
    assert_int_equal(crypto_tls_pair_check(one.cert, one.key, &e), 0);
    assert_int_equal(crypto_tls_pair_check(str_printf(a, "%.*s%.*s", STR_ARG(one.cert), STR_ARG(two.cert)), one.key, &e), 0);
    assert_int_equal(crypto_tls_pair_check(one.cert, two.key, &e), -1);
    assert_string_equal(e.msg, "TLS client key does not match the certificate");
    assert_int_equal(crypto_tls_pair_check(one.cert, STR(""), &e), -1);
    assert_int_equal(crypto_tls_pair_check(STR("x"), one.key, &e), -1);
    assert_string_equal(e.msg, "TLS client certificate is not in PEM form");
    arena_free(a);
}

static void ends(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    assert_int_equal(crypto_tls_expires_s(make(NOW_S, a).cert), NOW_S);
    assert_int_equal(crypto_tls_expires_s(make((int64_t)NOW_S + 20000LL * DAY_S, a).cert), (int64_t)NOW_S + 20000LL * DAY_S);
    assert_int_equal(crypto_tls_expires_s(STR("")), 0);
    assert_int_equal(crypto_tls_expires_s(STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pairs), cmocka_unit_test(ends)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
