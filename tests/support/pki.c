/*
 * Keys on P-256: made in a moment.
 */
#include "support/pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
    if (!ok)
        abort();
}

static char *pem_of(BIO *b)
{
    char *data, *text;
    long n = BIO_get_mem_data(b, &data);

    must((text = strndup(data, (size_t)n)) != NULL);
    BIO_free(b);
    return text;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *x;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(x != NULL && X509_add_ext(cert, x, -1) == 1);
    X509_EXTENSION_free(x);
}

static struct pki *make(const struct pki *ca, const struct pki_want *w, bool signs)
{
    struct pki *p = calloc(1, sizeof *p);
    X509_NAME *name;
    BIO *b;
    char names[300] = "";
    static long serial;

    must(p != NULL && (p->key = EVP_EC_gen("P-256")) != NULL && (p->cert = X509_new()) != NULL);
    X509_set_version(p->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p->cert), 1000 + ++serial);
    X509_gmtime_adj(X509_getm_notBefore(p->cert), w->from_days * 86400 - 3600);
    X509_gmtime_adj(X509_getm_notAfter(p->cert), (w->from_days + (w->days > 0 ? w->days : 10)) * 86400);
    name = X509_get_subject_name(p->cert);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->name, -1, -1, 0) == 1);
    X509_set_issuer_name(p->cert, ca != NULL ? X509_get_subject_name(ca->cert) : name);
    X509_set_pubkey(p->cert, p->key);
    extend(p->cert, ca != NULL ? ca->cert : p->cert, NID_basic_constraints, signs ? "critical,CA:TRUE" : "CA:FALSE");
    if (w->host != NULL)
        snprintf(names, sizeof names, "DNS:%s", w->host);
    if (w->ip != NULL)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%sIP:%s", w->host != NULL ? "," : "", w->ip);
    if (names[0] != '\0')
        extend(p->cert, p->cert, NID_subject_alt_name, names);
    must(X509_sign(p->cert, ca != NULL ? ca->key : p->key, EVP_sha256()) > 0);
    must((b = BIO_new(BIO_s_mem())) != NULL && PEM_write_bio_X509(b, p->cert) == 1);
    p->cert_pem = pem_of(b);
    must((b = BIO_new(BIO_s_mem())) != NULL && PEM_write_bio_PrivateKey(b, p->key, NULL, NULL, 0, NULL, NULL) == 1);
    p->key_pem = pem_of(b);
    return p;
}

struct pki *pki_authority(const char *name)
{
    return make(NULL, &(struct pki_want){.name = name}, true);
}

struct pki *pki_leaf(const struct pki *ca, const struct pki_want *w)
{
    return make(ca, w, false);
}

void pki_free(struct pki *p)
{
    if (p == NULL)
        return;
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    free(p->cert_pem);
    free(p->key_pem);
    free(p);
}
