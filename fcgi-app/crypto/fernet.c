/*
 * Fernet, read in pieces of a few kilobytes (https://github.com/fernet/spec; migration.md 7.2).
 *
 * Version 0x80, time (8, big-endian seconds), IV (16), AES-CBC cipher text, HMAC-SHA256 (32); kept
 * raw or as base64.  The decoder below gives raw bytes either way; whoever reads through it holds
 * back the last 32, which are the MAC.
 */
#include "crypto/fernet.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/arena.h"
#include "crypto/crypto_int.h"

enum { VERSION = 0x80, HEAD = 25, AT_TIME = 1, AT_IV = 9, MAC = 32, BLOCK = 16, SHORTEST = 73 };
enum { PIECE = 4096 };

/* ---- raw bytes of a stored token ------------------------------------------------------------- */

struct decoder {
    const struct fernet_source *src;
    uint64_t offset;
    unsigned char in[PIECE];
    size_t at, n;
    bool begun, text, ended; /* text: base64; ended: padding or blanks were seen */
    uint32_t bits;
    unsigned n_bits, n_digits;
};

static int bad(struct err *e, const char *why)
{
    err_set(e, ERR_CONFIG, "seal does not open");
    err_detail(e, "token: %s", why);
    return -1;
}

static void decoder_init(struct decoder *d, const struct fernet_source *src)
{
    *d = (struct decoder){.src = src};
}

/* The next stored byte, -1 at the end, -2 on an error. */
static int stored_byte(struct decoder *d, struct err *e)
{
    if (d->at == d->n) {
        ptrdiff_t got = d->src->read(d->src->ctx, d->offset, d->in, sizeof d->in, e);

        if (got < 0)
            return -2;
        if (got == 0)
            return -1;
        d->offset += (uint64_t)got;
        d->at = 0;
        d->n = (size_t)got;
    }
    return d->in[d->at++];
}

static bool blank(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next raw byte of a text, -1 at the end, -2 on an error. */
static int text_byte(struct decoder *d, struct err *e)
{
    for (;;) {
        int c = stored_byte(d, e), v;

        if (c == -2)
            return -2;
        if (c == -1) {
            if (d->n_digits % 4 == 1) {
                bad(e, "not base64: cut off");
                return -2;
            }
            return -1;
        }
        if (blank(c) || c == '=') {
            d->ended = d->ended || d->n_digits > 0;
            continue;
        }
        v = crypto_b64_value((char)c);
        if (v < 0 || d->ended) {
            bad(e, "not base64");
            return -2;
        }
        d->n_digits++;
        d->bits = (d->bits << 6) | (uint32_t)v;
        d->n_bits += 6;
        if (d->n_bits >= 8) {
            d->n_bits -= 8;
            return (int)((d->bits >> d->n_bits) & 0xff);
        }
    }
}

/* Up to `n` raw bytes; fewer at the end only. */
static ptrdiff_t decoder_read(struct decoder *d, unsigned char *p, size_t n, struct err *e)
{
    size_t got = 0;

    if (!d->begun) {
        int first = stored_byte(d, e);

        if (first == -2)
            return -1;
        d->begun = true;
        d->text = first != VERSION;
        if (first >= 0)
            d->at--;
    }
    while (got < n) {
        int c = d->text ? text_byte(d, e) : stored_byte(d, e);

        if (c == -2)
            return -1;
        if (c == -1)
            break;
        p[got++] = (unsigned char)c;
    }
    return (ptrdiff_t)got;
}

/* The same, without the MAC: `held` keeps the last 32 bytes that were read. */
struct body {
    struct decoder d;
    unsigned char held[MAC + PIECE];
    size_t n_held;
    bool end;
};

static void body_init(struct body *b, const struct fernet_source *src)
{
    decoder_init(&b->d, src);
    b->n_held = 0;
    b->end = false;
}

/* Bytes before the MAC: *p points at them until the next call; 0 at the end. */
static ptrdiff_t body_read(struct body *b, const unsigned char **p, size_t *taken, struct err *e)
{
    ptrdiff_t got;

    memmove(b->held, b->held + *taken, b->n_held - *taken);
    b->n_held -= *taken;
    *taken = 0;
    *p = b->held;
    if (b->end)
        return 0;
    got = decoder_read(&b->d, b->held + b->n_held, sizeof b->held - b->n_held, e);
    if (got < 0)
        return -1;
    b->n_held += (size_t)got;
    b->end = b->n_held < sizeof b->held;
    if (b->n_held < MAC)
        return bad(e, "too short");
    *taken = b->n_held - MAC;
    return (ptrdiff_t)*taken;
}

/* ---- verifying ------------------------------------------------------------------------------- */

static EVP_MAC_CTX *mac_new(EVP_MAC *mac, const struct fernet_key *k)
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    if (ctx == NULL || EVP_MAC_init(ctx, k->sign, k->half, params) != 1)
        crypto_broken("hmac");
    return ctx;
}

static int read_all(struct body *b, EVP_MAC_CTX **macs, size_t n_keys, unsigned char head[HEAD],
                    uint64_t *total, struct err *e)
{
    const unsigned char *p;
    size_t taken = 0;
    ptrdiff_t n;

    *total = 0;
    while ((n = body_read(b, &p, &taken, e)) > 0) {
        for (size_t i = 0; i < (size_t)n && *total + i < HEAD; i++)
            head[*total + i] = p[i];
        for (size_t i = 0; i < n_keys; i++)
            if (EVP_MAC_update(macs[i], p, (size_t)n) != 1)
                crypto_broken("hmac");
        *total += (uint64_t)n;
    }
    return n < 0 ? -1 : 0;
}

static int check_form(const unsigned char *head, uint64_t total, struct err *e)
{
    if (total + MAC < SHORTEST)
        return bad(e, "too short");
    if (head[0] != VERSION)
        return bad(e, "unknown version");
    if ((total - HEAD) % BLOCK != 0)
        return bad(e, "not a whole number of blocks");
    return 0;
}

int fernet_verify(const struct fernet_source *src, const struct fernet_key *keys, size_t n_keys,
                  size_t *which, int64_t *time_s, struct err *e)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX **macs = calloc(n_keys + 1, sizeof *macs);
    struct body *b = malloc(sizeof *b);
    unsigned char head[HEAD] = {0};
    uint64_t total;
    bool found = false;
    int rc = -1;

    if (mac == NULL || macs == NULL || b == NULL)
        crypto_broken("hmac");
    for (size_t i = 0; i < n_keys; i++)
        macs[i] = mac_new(mac, &keys[i]);
    body_init(b, src);
    if (read_all(b, macs, n_keys, head, &total, e) != 0 || check_form(head, total, e) != 0)
        goto out;
    for (size_t i = 0; i < n_keys; i++) {
        unsigned char want[MAC];
        size_t n = 0;

        if (EVP_MAC_final(macs[i], want, &n, sizeof want) != 1)
            crypto_broken("hmac");
        if (crypto_equal(want, b->held, MAC) && !found) {
            *which = i;
            found = true;
        }
        crypto_wipe(want, sizeof want);
    }
    if (!found) {
        bad(e, "no key signed it");
        goto out;
    }
    if (time_s != NULL) {
        uint64_t t = 0;

        for (size_t i = 0; i < 8; i++)
            t = t << 8 | head[AT_TIME + i];
        *time_s = (int64_t)t;
    }
    rc = 0;
out:
    for (size_t i = 0; i < n_keys; i++)
        EVP_MAC_CTX_free(macs[i]);
    EVP_MAC_free(mac);
    free(macs);
    free(b);
    return rc;
}

/* ---- decrypting ------------------------------------------------------------------------------ */

struct fernet_stream {
    struct fernet_source src;
    struct fernet_key key;
    struct body b;
    size_t taken;
    EVP_CIPHER_CTX *ctx;
    unsigned char plain[PIECE + MAC + 2 * BLOCK];
    size_t at, n;
    bool begun, done;
};

struct fernet_stream *fernet_open(const struct fernet_source *src, const struct fernet_key *key)
{
    struct fernet_stream *s = calloc(1, sizeof *s);

    if (s == NULL || (s->ctx = EVP_CIPHER_CTX_new()) == NULL)
        crypto_broken("token");
    s->src = *src;
    s->key = *key;
    body_init(&s->b, &s->src);
    return s;
}

void fernet_close(struct fernet_stream *s)
{
    if (s == NULL)
        return;
    EVP_CIPHER_CTX_free(s->ctx);
    crypto_wipe(s, sizeof *s);
    free(s);
}

/* The head is in the first piece: a piece is larger. */
static int begin(struct fernet_stream *s, const unsigned char **p, size_t *n, struct err *e)
{
    const EVP_CIPHER *cipher = s->key.half == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();

    if (*n < HEAD)
        return bad(e, "too short");
    if (EVP_DecryptInit_ex(s->ctx, cipher, NULL, s->key.encrypt, *p + AT_IV) != 1)
        crypto_broken("token");
    *p += HEAD;
    *n -= HEAD;
    s->begun = true;
    return 0;
}

static int fill(struct fernet_stream *s, struct err *e)
{
    const unsigned char *p;
    ptrdiff_t got = body_read(&s->b, &p, &s->taken, e);
    size_t n = (size_t)got;
    int len = 0;

    s->at = s->n = 0;
    if (got < 0)
        return -1;
    if (got == 0) {
        s->done = true;
        if (!s->begun || EVP_DecryptFinal_ex(s->ctx, s->plain, &len) != 1)
            return bad(e, "wrong padding");
        s->n = (size_t)len;
        return 0;
    }
    if (!s->begun && begin(s, &p, &n, e) != 0)
        return -1;
    if (n > 0 && EVP_DecryptUpdate(s->ctx, s->plain, &len, p, (int)n) != 1)
        return bad(e, "cannot be decrypted");
    s->n = (size_t)len;
    return 0;
}

ptrdiff_t fernet_read(struct fernet_stream *s, void *p, size_t n, struct err *e)
{
    size_t take;

    while (s->at == s->n && !s->done)
        if (fill(s, e) != 0)
            return -1;
    take = s->n - s->at < n ? s->n - s->at : n;
    memcpy(p, s->plain + s->at, take);
    s->at += take;
    return (ptrdiff_t)take;
}
