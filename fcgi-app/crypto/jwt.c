/*
 * Signed tokens: JWS compact form with RS256 (RFC 7515, 7518 3.3, 7519).
 *
 * One algorithm, whatever a token says about itself.
 */
#include "crypto/crypto.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/json.h"
#include "crypto/crypto_int.h"

enum { KEY_BITS = 2048, TOKEN_MAX = 16 * 1024 };

struct jwt_key {
    EVP_PKEY *pkey;
    struct str kid;
    struct str head; /* base64url of the header, made once */
};

static struct str bio_text(BIO *bio, struct arena *a)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);

    if (n <= 0)
        crypto_broken("BIO_get_mem_data");
    return str_dup(a, str_make(p, (size_t)n));
}

int jwt_keygen(struct str *private_pem, struct str *public_pem, struct arena *a, struct err *e)
{
    EVP_PKEY *pkey = EVP_RSA_gen(KEY_BITS);
    BIO *priv = BIO_new(BIO_s_secmem());
    BIO *pub = BIO_new(BIO_s_mem());
    int rc = -1;

    if (pkey == NULL || priv == NULL || pub == NULL ||
        PEM_write_bio_PrivateKey(priv, pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(pub, pkey) != 1) {
        err_set(e, ERR_INTERNAL, "could not make a signing key");
        goto out;
    }
    {
        char *p = NULL;
        long n = BIO_get_mem_data(priv, &p);

        *private_pem = secret_text(secret_new(a, p, n > 0 ? (size_t)n : 0));
    }
    *public_pem = bio_text(pub, a);
    rc = 0;
out:
    BIO_free(pub);
    BIO_free(priv);
    EVP_PKEY_free(pkey);
    return rc;
}

static void key_free(void *arg)
{
    EVP_PKEY_free(arg);
}

int jwt_key_private(struct jwt_key **out, struct str pem, struct str kid, struct arena *a,
                    struct err *e)
{
    BIO *bio =
        pem.len < INT32_MAX ? BIO_new_mem_buf(pem.p != NULL ? pem.p : "", (int)pem.len) : NULL;
    EVP_PKEY *pkey = NULL;
    struct jwt_key *k;
    struct val head;

    if (bio != NULL)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
    BIO_free(bio);
    if (pkey == NULL) {
        err_set(e, ERR_CONFIG, "not a private key in PEM form");
        return -1;
    }
    arena_defer(a, key_free, pkey);
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA || EVP_PKEY_get_bits(pkey) < KEY_BITS) {
        err_set(e, ERR_CONFIG, "not an RSA key of at least %d bits", (int)KEY_BITS);
        return -1;
    }
    k = ARENA_NEW(a, struct jwt_key);
    k->pkey = pkey;
    k->kid = str_dup(a, kid);
    head = val_dict_new(a, 3);
    val_dict_set_c(head, "alg", VAL_STR_LIT("RS256"));
    val_dict_set_c(head, "typ", VAL_STR_LIT("JWT"));
    if (kid.len > 0)
        val_dict_set_c(head, "kid", val_str(k->kid));
    k->head = crypto_b64url(a, json_text(head, a));
    *out = k;
    return 0;
}

struct str jwt_key_public_pem(const struct jwt_key *k, struct arena *a)
{
    BIO *pub = BIO_new(BIO_s_mem());
    struct str pem;

    if (pub == NULL || PEM_write_bio_PUBKEY(pub, k->pkey) != 1)
        crypto_broken("PEM_write_bio_PUBKEY");
    pem = bio_text(pub, a);
    BIO_free(pub);
    return pem;
}

int jwt_sign(const struct jwt_key *k, struct val claims, struct str *out, struct arena *a,
             struct err *e)
{
    struct str body = crypto_b64url(a, json_text(claims, a));
    struct str input = str_printf(a, "%.*s.%.*s", STR_ARG(k->head), STR_ARG(body));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[1024];
    size_t n = sizeof sig;
    int rc = -1;

    if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, sig, &n, (const unsigned char *)input.p, input.len) != 1) {
        err_set(e, ERR_INTERNAL, "could not sign the token");
    } else {
        struct str s = crypto_b64url(a, str_make((const char *)sig, n));

        *out = str_printf(a, "%.*s.%.*s", STR_ARG(input), STR_ARG(s));
        rc = 0;
    }
    EVP_MD_CTX_free(ctx);
    return rc;
}

static int refuse(struct err *e, const char *why)
{
    err_set(e, ERR_UNAUTHORIZED, "token not valid");
    err_detail(e, "%s", why);
    return -1;
}

static bool signature_right(const struct jwt_key *k, struct str input, struct str sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool right;

    if (ctx == NULL)
        crypto_broken("EVP_MD_CTX_new");
    right = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
            EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.len,
                             (const unsigned char *)input.p, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    return right;
}

/* Seconds of a NumericDate claim; false when it is there and not a number. */
static bool claim_time(struct val claims, const char *name, double *out, bool *there)
{
    struct val v = val_get(claims, name);

    *there = !val_is_undef(v);
    if (val_is(v, VAL_INT))
        *out = (double)v.u.i;
    else if (val_is(v, VAL_FLOAT))
        *out = v.u.f;
    else
        return !*there;
    return true;
}

static int check_times(struct val claims, int64_t now_s, struct err *e)
{
    double exp = 0;
    double nbf = 0;
    bool has_exp;
    bool has_nbf;

    if (!claim_time(claims, "exp", &exp, &has_exp) || !has_exp ||
        !claim_time(claims, "nbf", &nbf, &has_nbf))
        return refuse(e, "exp or nbf");
    if (!(exp > (double)now_s)) {
        err_set(e, ERR_UNAUTHORIZED, "token expired");
        return -1;
    }
    if (has_nbf && !(nbf <= (double)now_s))
        return refuse(e, "not valid yet");
    return 0;
}

int jwt_verify(const struct jwt_key *const *keys, size_t n_keys, struct str token, int64_t now_s,
               struct val *claims, struct arena *a, struct err *e)
{
    struct str rest = token;
    struct str head64 = str_cut(&rest, '.');
    struct str body64 = str_cut(&rest, '.');
    struct str input = str_make(token.p, head64.len + 1 + body64.len);
    struct str head;
    struct str body;
    struct str sig;
    struct str kid;
    struct val h;
    struct val c;
    bool right = false;

    if (token.len > TOKEN_MAX || head64.len == 0 || body64.len == 0 || rest.len == 0 ||
        !crypto_unb64(a, head64, &head) || !crypto_unb64(a, body64, &body) ||
        !crypto_unb64(a, rest, &sig))
        return refuse(e, "form");
    if (json_parse(head, &h, a, e) != 0 || !val_is(h, VAL_DICT))
        return refuse(e, "header");
    if (!str_eq(val_get_text(h, "alg", STR_NONE), STR("RS256")) ||
        !val_is_undef(val_get(h, "crit")))
        return refuse(e, "algorithm");
    kid = val_get_text(h, "kid", STR_NONE);
    for (size_t i = 0; i < n_keys && !right; i++)
        if (kid.len == 0 || str_eq(kid, keys[i]->kid))
            right = signature_right(keys[i], input, sig);
    if (!right)
        return refuse(e, "signature");
    if (json_parse(body, &c, a, e) != 0 || !val_is(c, VAL_DICT))
        return refuse(e, "claims");
    if (check_times(c, now_s, e) != 0)
        return -1;
    *claims = c;
    return 0;
}
