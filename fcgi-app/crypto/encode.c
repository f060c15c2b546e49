/*
 * Text forms of bytes: hexadecimal and base64 (RFC 4648).
 */
#include "crypto/crypto.h"

#include "crypto/crypto_int.h"

struct str crypto_hex(struct arena *a, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = p;
    char *out = arena_alloc(a, 2 * n + 1);

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
    return str_make(out, 2 * n);
}

static struct str encode(struct arena *a, struct str bytes, const char *alphabet, bool padded)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    size_t n = 0;
    char *out = arena_alloc(a, (bytes.len + 2) / 3 * 4 + 1);

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t v = (uint32_t)in[i] << 16;

        if (have > 1)
            v |= (uint32_t)in[i + 1] << 8;
        if (have > 2)
            v |= in[i + 2];
        for (size_t k = 0; k <= have; k++)
            out[n++] = alphabet[(v >> (18 - 6 * k)) & 63];
        for (size_t k = have; padded && k < 3; k++)
            out[n++] = '=';
    }
    out[n] = '\0';
    return str_make(out, n);
}

struct str crypto_b64(struct arena *a, struct str bytes)
{
    return encode(a, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                  true);
}

struct str crypto_b64url(struct arena *a, struct str bytes)
{
    return encode(a, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                  false);
}

int crypto_b64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool crypto_unb64(struct arena *a, struct str text, struct str *out)
{
    size_t len = text.len;
    size_t n = 0;
    uint32_t v = 0;
    unsigned bits = 0;
    char *p;

    while (len > 0 && text.len - len < 2 && text.p[len - 1] == '=')
        len--;
    if (len % 4 == 1 || (len != text.len && text.len % 4 != 0))
        return false;
    p = arena_alloc(a, len / 4 * 3 + 3);
    for (size_t i = 0; i < len; i++) {
        int d = crypto_b64_value(text.p[i]);

        if (d < 0)
            return false;
        v = (v << 6) | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            p[n++] = (char)((v >> bits) & 0xff);
            v &= (1u << bits) - 1;
        }
    }
    p[n] = '\0';
    *out = str_make(p, n);
    return true;
}
