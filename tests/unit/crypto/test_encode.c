/*
 * Hexadecimal, base64 and digests against published values (RFC 4648 10, FIPS 180-4, RFC 2202, RFC
 * 4231, RFC 7693).
 */
#include "crypto/crypto.h"
#include "support/cases.h"

static const struct b64_row {
    const char *name, *plain, *b64, *url;
} b64_rows[] = {
    {"empty", "", "", ""},
    {"f", "f", "Zg==", "Zg"},
    {"fo", "fo", "Zm8=", "Zm8"},
    {"foo", "foo", "Zm9v", "Zm9v"},
    {"foob", "foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"both extra digits", "\xfb\xff\xbf", "+/+/", "-_-_"},
};

static void b64_both_ways(const struct b64_row *r)
{
    struct arena *a = arena_new(0);
    struct str out;

    assert_string_equal(crypto_b64(a, str_c(r->plain)).p, r->b64);
    assert_string_equal(crypto_b64url(a, str_c(r->plain)).p, r->url);
    assert_true(crypto_unb64(a, str_c(r->b64), &out));
    assert_true(str_eq_c(out, r->plain));
    assert_true(crypto_unb64(a, str_c(r->url), &out));
    assert_true(str_eq_c(out, r->plain));
    arena_free(a);
}

static const struct bad_row {
    const char *name, *text;
} bad_rows[] = {
    {"one digit", "Z"},           {"five digits", "Zm9vY"},
    {"blank", "Zm 9v"},           {"padding inside", "Zg==Zg=="},
    {"too much padding", "Z==="}, {"padding only", "===="},
    {"wrong padding", "Zg="},     {"not ASCII", "Zm9\xc3\xa9"},
};

static void b64_refused(const struct bad_row *r)
{
    struct arena *a = arena_new(0);
    struct str out;

    assert_false(crypto_unb64(a, str_c(r->text), &out));
    arena_free(a);
}

static const struct digest_row {
    const char *name, *algorithm, *key, *data, *want;
} digest_rows[] = {
    {"md5", "md5", NULL, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"sha1", "sha1", NULL, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"sha224", "sha224", NULL, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {"sha256", "sha256", NULL, "abc",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"sha256 of nothing", "sha256", NULL, "",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"blake2s", "blake2s", NULL, "abc",
     "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"},
    {"blake2b", "blake2b", NULL, "abc",
     "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
     "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
    {"hmac md5", "md5", "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"},
    {"hmac sha1", "sha1", "Jefe", "what do ya want for nothing?",
     "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {"hmac sha256", "sha256", "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"unknown", "sha0", NULL, "abc", NULL},
};

static void digests(const struct digest_row *r)
{
    struct arena *a = arena_new(0);
    unsigned char out[64];
    size_t n = 0;
    bool known = r->key != NULL ? crypto_hmac(r->algorithm, str_c(r->key), str_c(r->data), out, &n)
                                : crypto_digest(r->algorithm, str_c(r->data), out, &n);

    assert_int_equal(known, r->want != NULL);
    if (known)
        assert_string_equal(crypto_hex(a, out, n).p, r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(b64_rows, b64_both_ways) + CASES(bad_rows, b64_refused) +
           CASES(digest_rows, digests);
}
