/*
 * Certificates for tests, made on the spot: authorities, and what they sign.
 *
 *     struct pki *ca = pki_authority("Test CA"), *leaf = pki_leaf(ca, &(struct pki_want){.name = "gateway", .host = "localhost"});
 */
#ifndef SLUICE_TESTS_PKI_H
#define SLUICE_TESTS_PKI_H

#include <openssl/ssl.h>

#include "base/base.h"

struct pki {
    X509 *cert;
    EVP_PKEY *key;
    char *cert_pem, *key_pem; /* the certificate alone */
};

struct pki_want {
    const char *name;       /* common name */
    const char *host, *ip;  /* subject alternative names; NULL: none */
    long from_days, days;   /* valid from now + from_days, for so long; days 0: ten */
};

/* Signed by itself and allowed to sign. */
struct pki *pki_authority(const char *name);
/* Signed by `ca`, NULL: by itself. */
struct pki *pki_leaf(const struct pki *ca, const struct pki_want *w);
void pki_free(struct pki *p);

#endif
