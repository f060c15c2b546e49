/*
 * Checking a client certificate and its key before somebody depends on them.
 */
#include "crypto/crypto.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

/* An encrypted key must fail, not ask for a pass phrase on the terminal. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

int crypto_tls_pair_check(struct str cert_pem, struct str key_pem, struct err *e)
{
    BIO *cert_bio = NULL;
    BIO *key_bio = NULL;
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    int rc = -1;

    if (cert_pem.len == 0 || key_pem.len == 0) {
        err_set(e, ERR_INVALID, "TLS client certificate and key are needed together");
        goto out;
    }
    if (cert_pem.len > INT32_MAX || key_pem.len > INT32_MAX) {
        err_set(e, ERR_INVALID, "TLS client certificate or key is too long");
        goto out;
    }
    cert_bio = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.len);
    key_bio = BIO_new_mem_buf(key_pem.p, (int)key_pem.len);
    cert = cert_bio != NULL ? PEM_read_bio_X509(cert_bio, NULL, no_pass_phrase, NULL) : NULL;
    if (cert == NULL) {
        err_set(e, ERR_INVALID, "TLS client certificate is not in PEM form");
        goto out;
    }
    key = key_bio != NULL ? PEM_read_bio_PrivateKey(key_bio, NULL, no_pass_phrase, NULL) : NULL;
    if (key == NULL) {
        bool encrypted = str_find(key_pem, STR("ENCRYPTED")) >= 0;

        err_set(e, ERR_INVALID,
                encrypted ? "TLS client key is encrypted; give it without pass phrase"
                          : "TLS client key is not in PEM form");
        goto out;
    }
    if (X509_check_private_key(cert, key) != 1) {
        err_set(e, ERR_INVALID, "TLS client key does not match the certificate");
        goto out;
    }
    rc = 0;
out:
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    return rc;
}

int64_t crypto_tls_expires_s(struct str cert_pem)
{
    BIO *bio = cert_pem.len > 0 && cert_pem.len <= INT32_MAX ? BIO_new_mem_buf(cert_pem.p, (int)cert_pem.len) : NULL;
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL) : NULL;
    int64_t end_s = 0;
    struct tm end;

    if (cert != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) == 1)
        end_s = timegm(&end);
    ERR_clear_error();
    X509_free(cert);
    BIO_free(bio);
    return end_s;
}
